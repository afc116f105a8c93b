//! The folder for a server's data: on a real disk, or the figures would mean nothing. Measures how long the disk takes
//! to keep something.

use std::fs::{self, OpenOptions};
use std::io::Write;
use std::path::{Path, PathBuf};
use std::time::Instant;

use anyhow::{Context, Result, ensure};
use tempfile::TempDir;

/// File systems that keep nothing (statfs(2)): tmpfs, ramfs.
const IN_MEMORY: [u64; 2] = [0x0102_1994, 0x8584_58F6];
const SYNCS: usize = 100;
/// Written before each sync: a page of a database.
const PAGE_BYTES: usize = 4096;

/// A new folder below `parent`, removed when dropped.
pub fn folder(parent: &Path, name: &str) -> Result<TempDir> {
    fs::create_dir_all(parent).with_context(|| format!("making {}", parent.display()))?;
    let file_system = rustix::fs::statfs(parent).with_context(|| format!("statfs {}", parent.display()))?;
    ensure!(
        !IN_MEMORY.contains(&(file_system.f_type as u64)),
        "{} is kept in memory: name a folder on a disk with --data-parent",
        parent.display()
    );
    tempfile::Builder::new()
        .prefix(&format!("{name}-"))
        .tempdir_in(parent)
        .with_context(|| format!("making a folder in {}", parent.display()))
}

/// Beside the executable's folder: `target/bench-data`.
pub fn default_parent() -> Result<PathBuf> {
    let executable = std::env::current_exe().context("where am I?")?;
    let folder = executable.parent().and_then(Path::parent).context("the executable lies in no folder")?;
    Ok(folder.join("bench-data"))
}

/// The median time to write a page to the end of a file and have it kept, in microseconds.
pub fn fsync_median_us(folder: &Path) -> Result<u64> {
    let path = folder.join("fsync");
    let mut file = OpenOptions::new().append(true).create_new(true).open(&path)?;
    let mut times = Vec::with_capacity(SYNCS);
    for _ in 0..SYNCS {
        let start = Instant::now();
        file.write_all(&[7; PAGE_BYTES])?;
        file.sync_data()?;
        times.push(start.elapsed().as_micros() as u64);
    }
    fs::remove_file(path)?;
    times.sort_unstable();
    Ok(times[SYNCS / 2])
}
