//! Online backup, and restore into an empty folder. A restored store is another history: its log epoch is higher, and all
//! its numbers go on above a gap, so that none is ever used twice (design §5, Log epoch).

use std::fs::File;
use std::path::{Path, PathBuf};

use hongyan_domain::time::UnixMillis;
use rusqlite::Connection;
use rusqlite::backup::{Backup, StepResult};

use super::connection::{DataFile, Role};
use super::{DATA_FILE, OpenError, SqliteStore, io_error, lock, schema};

/// Pages of one step; between two steps the progress is told.
const STEP_PAGES: i32 = 1_024;

/// How far heads and counters are lifted: more than can have been written between a backup and the loss.
pub(super) const GAP: u64 = 1 << 24;

/// How far a backup is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BackupProgress {
    /// Pages of 4 KiB that are still to be copied.
    pub remaining_pages: u64,
    /// All pages.
    pub total_pages: u64,
}

impl SqliteStore {
    /// Copies the store of a folder, as it is at this instant, into the new file `destination`. A server may go on
    /// working there; its write-ahead log grows meanwhile.
    ///
    /// # Errors
    /// There is no store, the destination exists or cannot be written, or the copy is damaged.
    pub fn backup(
        folder: &Path,
        destination: &Path,
        mut progress: impl FnMut(BackupProgress),
    ) -> Result<(), OpenError> {
        refuse_existing(destination)?;
        let source = DataFile::in_folder(folder, None).open(Role::Reader)?;
        // The open transaction pins one instant; otherwise every commit would start the copy again.
        source.execute_batch("BEGIN; SELECT count(*) FROM meta")?;
        let part = part_of(destination);
        remove_if_there(&part)?;
        let mut copy = Connection::open(&part)?;
        copy_pages(&source, &mut copy, &mut progress)?;
        copy.pragma_update_and_check(None, "journal_mode", "delete", |_| Ok(()))?;
        check(&copy)?;
        copy.close().map_err(|(_, error)| error)?;
        publish(&part, destination)
    }

    /// Makes a store of a backup in a folder that has none. All sessions are forgotten, because some may have been ended
    /// since the backup. Answers the new log epoch.
    ///
    /// # Errors
    /// The folder has a store or is in use, or the backup is damaged or of a newer program.
    pub fn restore(backup: &Path, folder: &Path, now: UnixMillis) -> Result<u32, OpenError> {
        let _lock = lock(folder)?;
        let destination = folder.join(DATA_FILE);
        refuse_existing(&destination)?;
        // A log of another file would be played into the restored one.
        remove_if_there(&folder.join(format!("{DATA_FILE}-wal")))?;
        remove_if_there(&folder.join(format!("{DATA_FILE}-shm")))?;
        let part = part_of(&destination);
        std::fs::copy(backup, &part).map_err(io_error(backup))?;
        let mut connection = Connection::open(&part)?;
        connection.pragma_update(None, "foreign_keys", false)?;
        check(&connection)?;
        if connection.pragma_query_value(None, "user_version", |row| row.get::<_, i64>(0))? == 0 {
            return Err(OpenError::File(format!("{} is no backup of a store", backup.display())));
        }
        schema::migrate(&mut connection)?;
        let log_epoch = begin_epoch(&mut connection, now)?;
        connection.close().map_err(|(_, error)| error)?;
        publish(&part, &destination)?;
        Ok(log_epoch)
    }
}

fn copy_pages(
    source: &Connection,
    copy: &mut Connection,
    progress: &mut impl FnMut(BackupProgress),
) -> Result<(), OpenError> {
    let backup = Backup::new(source, copy)?;
    loop {
        let step = backup.step(STEP_PAGES)?;
        let at = backup.progress();
        progress(BackupProgress { remaining_pages: at.remaining as u64, total_pages: at.pagecount as u64 });
        match step {
            StepResult::Done => return Ok(()),
            StepResult::More => {}
            _ => return Err(OpenError::File("the copy is in use by somebody else".to_owned())),
        }
    }
}

/// A new history: a higher epoch, heads above a gap, inboxes that answer RESET, no sessions, an empty feed.
fn begin_epoch(connection: &mut Connection, now: UnixMillis) -> Result<u32, OpenError> {
    let transaction = connection.transaction()?;
    let old: u32 = transaction.query_row("SELECT value FROM meta WHERE name = 'log_epoch'", [], |row| row.get(0))?;
    // Seconds, so that two restores of the same backup do not get the same epoch.
    let seconds = u32::try_from(now.0 / 1_000).unwrap_or(u32::MAX);
    let epoch = seconds.max(old.saturating_add(1));
    transaction.execute("UPDATE meta SET value = ?1 WHERE name = 'log_epoch'", [epoch])?;
    transaction.execute("UPDATE counter SET next = next + ?1", [GAP])?;
    transaction.execute("UPDATE conversation SET head_seq = head_seq + ?1", [GAP])?;
    transaction.execute("UPDATE room SET head_seq = head_seq + ?1", [GAP])?;
    // A token of the lost history must find every group changed.
    let groups = "UPDATE group_head SET head_seq = head_seq + ?1, change_no = ?2";
    transaction.execute(groups, (GAP, i64::from(epoch) << 31))?;
    let inboxes = "UPDATE user_head SET inbox_head = inbox_head + ?1, inbox_low = inbox_head + ?1 + 1";
    transaction.execute(inboxes, [GAP])?;
    transaction.execute("DELETE FROM session", [])?;
    transaction.execute("DELETE FROM change", [])?;
    transaction.execute("INSERT INTO change (no, records) VALUES (?1, x'')", [i64::from(epoch) << 31])?;
    transaction.commit()?;
    Ok(epoch)
}

fn check(connection: &Connection) -> Result<(), OpenError> {
    let found: String = connection.query_row("PRAGMA quick_check(1)", [], |row| row.get(0))?;
    if found == "ok" { Ok(()) } else { Err(OpenError::File(format!("damaged: {found}"))) }
}

fn part_of(path: &Path) -> PathBuf {
    let mut part = path.as_os_str().to_owned();
    part.push(".part");
    part.into()
}

fn refuse_existing(path: &Path) -> Result<(), OpenError> {
    if path.exists() { Err(OpenError::File(format!("{} exists already", path.display()))) } else { Ok(()) }
}

fn remove_if_there(path: &Path) -> Result<(), OpenError> {
    match std::fs::remove_file(path) {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => Err(io_error(path)(error)),
        _ => Ok(()),
    }
}

/// Makes a finished file durable under its name.
fn publish(part: &Path, destination: &Path) -> Result<(), OpenError> {
    File::open(part).and_then(|file| file.sync_all()).map_err(io_error(part))?;
    std::fs::rename(part, destination).map_err(io_error(destination))?;
    let folder = match destination.parent() {
        Some(folder) if folder != Path::new("") => folder,
        _ => Path::new("."),
    };
    File::open(folder).and_then(|folder| folder.sync_all()).map_err(io_error(folder))
}
