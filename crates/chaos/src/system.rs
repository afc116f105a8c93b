//! Programs of the system that arrange a fault: mount, iptables and the like. They need root, and most are not there by
//! default; a scenario that cannot have them is skipped with their own words.

use std::process::Command;

use anyhow::{Context, Result, bail};

/// Runs a program to its end; its complaint if it fails.
pub fn run(line: &[&str]) -> Result<()> {
    let (program, arguments) = line.split_first().context("a command has a name")?;
    let output = Command::new(program).args(arguments).output().with_context(|| format!("starting {program}"))?;
    if !output.status.success() {
        bail!("{}: {}", line.join(" "), String::from_utf8_lossy(&output.stderr).trim());
    }
    Ok(())
}

/// Whether a machine can do something: `None`, or why not.
pub fn unfit(tried: Result<()>) -> Option<String> {
    tried.err().map(|error| format!("{error:#}"))
}
