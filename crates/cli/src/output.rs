//! Lines on standard output, whole and at once, so that a pipe sees each message when it comes.

use std::io::{self, Write};

use serde_json::Value;

use crate::failure::Failure;

/// One line of text.
pub fn line(text: &str) -> Result<(), Failure> {
    let mut out = io::stdout().lock();
    writeln!(out, "{text}")?;
    Ok(out.flush()?)
}

/// One JSON object in one line.
pub fn json(value: &Value) -> Result<(), Failure> {
    line(&value.to_string())
}
