//! Every source file opens by saying what it is and what it is not. Generated code is exempt.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Result, ensure};

use crate::root;

const GENERATED: &str = "crates/wire/src/generated.rs";

/// Fails if a file opens otherwise.
pub fn check() -> Result<()> {
    let mut silent = Vec::new();
    for path in sources(&["crates", "fuzz", "xtask"])? {
        let opens = fs::read_to_string(&path)?.starts_with("//!");
        if !opens && path != root().join(GENERATED) {
            silent.push(path.strip_prefix(root()).unwrap_or(&path).display().to_string());
        }
    }
    ensure!(
        silent.is_empty(),
        "these files do not open with a `//!` that says what they are:\n  {}",
        silent.join("\n  ")
    );
    Ok(())
}

/// All Rust files below folders of the workspace, in order.
pub fn sources(folders: &[&str]) -> Result<Vec<PathBuf>> {
    let mut found = Vec::new();
    for folder in folders {
        collect(&root().join(folder), &mut found)?;
    }
    found.sort();
    Ok(found)
}

fn collect(folder: &Path, found: &mut Vec<PathBuf>) -> Result<()> {
    for entry in fs::read_dir(folder)? {
        let path = entry?.path();
        if path.is_dir() {
            if !path.ends_with("target") {
                collect(&path, found)?;
            }
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            found.push(path);
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    #[test]
    fn every_file_says_what_it_is() {
        super::check().unwrap();
    }
}
