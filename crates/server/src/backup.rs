//! `hongyan backup` and `restore`. A backup is one file with everything in the store; the secrets of a data folder are
//! files beside it, and are copied by whoever keeps them (docs/operations.md).

use std::io::{IsTerminal, Write};
use std::time::{SystemTime, UNIX_EPOCH};

use anyhow::{Context, Result};
use hongyan_domain::time::UnixMillis;
use hongyan_store::sqlite::{BackupProgress, SqliteStore};

use crate::arguments::{Backup, Restore};
use crate::config::Config;
use crate::data;

/// Copies the store as it is now; its server may go on.
pub fn backup(options: &Backup, config: &Config) -> Result<()> {
    data::keep_files_private();
    let folder = options.data.as_ref().unwrap_or(&config.server.data);
    SqliteStore::backup(folder, &options.to, show)?;
    println!("the store of {} is in {}; keep *.key and apps/ with it", folder.display(), options.to.display());
    Ok(())
}

/// Makes a store of a backup. Numbers go on above a gap, sessions are gone, and clients are told to start over.
pub fn restore(options: &Restore, config: &Config) -> Result<()> {
    data::keep_files_private();
    let folder = options.data.as_ref().unwrap_or(&config.server.data);
    data::make_folder(folder)?;
    let now = SystemTime::now().duration_since(UNIX_EPOCH).context("the clock is before 1970")?;
    let log_epoch = SqliteStore::restore(&options.from, folder, UnixMillis(now.as_millis() as u64))?;
    println!("{} is the store of {} now; its log epoch is {log_epoch}", options.from.display(), folder.display());
    Ok(())
}

/// People see how far it is.
fn show(progress: BackupProgress) {
    let mut stderr = std::io::stderr();
    if stderr.is_terminal() {
        let done = progress.total_pages - progress.remaining_pages;
        // Nobody may be looking any more.
        let _ = write!(stderr, "\r{}% ", 100 * done / progress.total_pages.max(1));
    }
}
