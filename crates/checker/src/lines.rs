//! Histories as files: one record of JSON a line.

use std::io::{self, BufRead, Write};

use thiserror::Error;

use crate::checker::{Checker, CheckerOptions};
use crate::history::{Event, Record};
use crate::report::Report;

/// A history could not be read.
#[derive(Debug, Error)]
pub enum LineError {
    /// The file could not be read.
    #[error("reading the history: {0}")]
    Io(#[from] io::Error),
    /// A line is no record.
    #[error("line {number} is no record: {reason}")]
    Malformed {
        /// From 1.
        number: u64,
        /// What is wrong with it.
        reason: serde_json::Error,
    },
}

/// The records of a file, in order. Empty lines are passed over.
pub fn read_lines(input: impl BufRead) -> impl Iterator<Item = Result<Record, LineError>> {
    let numbered = input.lines().zip(1..);
    numbered.filter_map(|(line, number)| match line {
        Ok(line) if line.trim().is_empty() => None,
        Ok(line) => Some(serde_json::from_str(&line).map_err(|reason| LineError::Malformed { number, reason })),
        Err(error) => Some(Err(error.into())),
    })
}

/// Reads a file and judges it.
pub fn judge_lines(input: impl BufRead, options: CheckerOptions) -> Result<Report, LineError> {
    let mut checker = Checker::new(options);
    for record in read_lines(input) {
        checker.take(&record?);
    }
    Ok(checker.finish())
}

/// Writes records.
#[derive(Debug)]
pub struct Writer<W> {
    out: W,
}

impl<W: Write> Writer<W> {
    /// Give it something that buffers.
    pub fn new(out: W) -> Self {
        Self { out }
    }

    /// Writes the next record.
    pub fn write(&mut self, record: &Record) -> io::Result<()> {
        serde_json::to_writer(&mut self.out, record)?;
        self.out.write_all(b"\n")
    }

    /// Writes what happened, and when.
    pub fn saw(&mut self, at_ms: u64, event: Event) -> io::Result<()> {
        self.write(&Record { at_ms, event })
    }

    /// Flushes, and gives back what it wrote to.
    pub fn finish(mut self) -> io::Result<W> {
        self.out.flush()?;
        Ok(self.out)
    }
}
