//! Opens connections with the settings that the promises rest on. No queries.

use std::path::{Path, PathBuf};

use hongyan_fault::mutant;
use rusqlite::{Connection, OpenFlags};

use super::{DATA_FILE, OpenError};

/// Earlier versions may corrupt a file when a write and a checkpoint meet (sqlite.org/wal.html#walresetbug).
const SQLITE_VERSION_MIN: i32 = 3_051_003;

/// Milliseconds to wait for a lock of another process, such as an online backup that ends.
const BUSY_TIMEOUT_MS: u32 = 10_000;

/// Statements that one connection keeps prepared.
const STATEMENTS_MAX: usize = 128;

/// What a connection is for.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Role {
    /// The one that writes.
    Writer,
    /// Reads only.
    Reader,
    /// Moves the write-ahead log into the file.
    Checkpointer,
}

impl Role {
    /// Most memory for cached pages, KiB.
    fn cache_kib(self) -> i32 {
        match self {
            Self::Writer => 16 * 1024,
            Self::Reader => 2 * 1024,
            Self::Checkpointer => 256,
        }
    }
}

/// Refuses a SQLite that is too old.
pub(super) fn check_version(found: i32) -> Result<(), OpenError> {
    if found >= SQLITE_VERSION_MIN { Ok(()) } else { Err(OpenError::SqliteTooOld { found, least: SQLITE_VERSION_MIN }) }
}

/// Where the data file is, and through which of SQLite's file systems it is reached.
pub(super) struct DataFile {
    path: PathBuf,
    vfs: Option<&'static str>,
}

impl DataFile {
    /// The file of a data folder; `None` is the file system of the platform.
    pub(super) fn in_folder(folder: &Path, vfs: Option<&'static str>) -> Self {
        Self { path: folder.join(DATA_FILE), vfs }
    }

    /// The write-ahead log beside it.
    pub(super) fn log(&self) -> PathBuf {
        let mut path = self.path.clone().into_os_string();
        path.push("-wal");
        path.into()
    }

    /// Opens it.
    pub(super) fn open(&self, role: Role) -> rusqlite::Result<Connection> {
        let mut flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
        if role == Role::Writer {
            flags |= OpenFlags::SQLITE_OPEN_CREATE;
        }
        let connection = match self.vfs {
            Some(vfs) => Connection::open_with_flags_and_vfs(&self.path, flags, vfs)?,
            None => Connection::open_with_flags(&self.path, flags)?,
        };
        prepare(&connection, role)?;
        Ok(connection)
    }
}

fn prepare(connection: &Connection, role: Role) -> rusqlite::Result<()> {
    connection.busy_timeout(std::time::Duration::from_millis(BUSY_TIMEOUT_MS.into()))?;
    if role == Role::Writer {
        connection.pragma_update(None, "page_size", 4096)?;
        connection.pragma_update_and_check(None, "journal_mode", "wal", |_| Ok(()))?;
        connection.pragma_update(None, "cache_spill", false)?;
    }
    let synchronous = if mutant!("answer before sync") { "normal" } else { "full" };
    connection.pragma_update(None, "synchronous", synchronous)?;
    connection.pragma_update(None, "wal_autocheckpoint", 0)?;
    connection.pragma_update(None, "foreign_keys", false)?;
    connection.pragma_update(None, "mmap_size", 0)?;
    connection.pragma_update(None, "temp_store", "memory")?;
    connection.pragma_update(None, "cache_size", -role.cache_kib())?;
    if role == Role::Reader {
        connection.pragma_update(None, "query_only", true)?;
    }
    connection.set_prepared_statement_cache_capacity(STATEMENTS_MAX);
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_sqlite_without_the_wal_reset_defect_is_accepted() {
        assert!(check_version(rusqlite::version_number()).is_ok());
        assert!(check_version(3_051_003).is_ok());
        assert!(matches!(check_version(3_051_002), Err(OpenError::SqliteTooOld { .. })));
    }

    #[test]
    fn a_writer_syncs_every_commit() {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let connection = DataFile::in_folder(folder.path(), None).open(Role::Writer).expect("a new file");
        let text = |name| connection.pragma_query_value(None, name, |row| row.get::<_, String>(0)).expect(name);
        let number = |name| connection.pragma_query_value(None, name, |row| row.get::<_, i64>(0)).expect(name);
        assert_eq!(text("journal_mode"), "wal");
        assert_eq!((number("synchronous"), number("wal_autocheckpoint"), number("foreign_keys")), (2, 0, 0));
    }
}
