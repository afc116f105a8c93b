//! Libraries that are loaded before the server's own and make it see a bad disk or a wrong clock. Their sources say
//! what they do; here they are only compiled.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Result, ensure};

use crate::server::Place;

/// The disk of `crates/server/tests/faults`, which the server's own tests use as well.
const DISK: &str = include_str!("../../server/tests/faults/disk.c");
const CLOCK: &str = include_str!("../shim/clock.c");

/// Adds a library to every start of a server; why not, if that cannot be.
pub fn preload(place: &mut Place, library: fn(&Path) -> Result<PathBuf>) -> Result<Option<String>> {
    match library(&place.folder) {
        Ok(library) => {
            place.preload.push(library);
            Ok(None)
        }
        Err(error) => Ok(Some(format!("{error:#}"))),
    }
}

/// The library with a bad disk.
pub fn disk(folder: &Path) -> Result<PathBuf> {
    build(folder, "disk", DISK)
}

/// The library with a wrong clock.
pub fn clock(folder: &Path) -> Result<PathBuf> {
    build(folder, "clock", CLOCK)
}

fn build(folder: &Path, name: &str, source: &str) -> Result<PathBuf> {
    let (from, to) = (folder.join(format!("{name}.c")), folder.join(format!("{name}.so")));
    fs::write(&from, source)?;
    let output = Command::new("cc").args(["-O1", "-shared", "-fPIC", "-o"]).arg(&to).arg(&from).arg("-ldl").output()?;
    ensure!(output.status.success(), "cc: {}", String::from_utf8_lossy(&output.stderr));
    Ok(to)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_libraries_can_be_built() {
        let folder = tempfile::tempdir().unwrap();
        assert!(disk(folder.path()).unwrap().exists() && clock(folder.path()).unwrap().exists());
    }
}
