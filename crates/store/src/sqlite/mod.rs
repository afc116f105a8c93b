//! The embedded store: one SQLite file, one thread that writes, a few that read, one that moves the write-ahead log; or
//! none of them, in a simulator.
//!
//! This file opens and closes it and hands calls to the queues. What a call does is in the file of its noun. It knows
//! nothing of rights, of the wire, or of who listens.

mod accounts;
mod append;
mod backup;
mod batch;
mod changes;
mod checkpoint;
mod connection;
mod conversations;
mod cursors;
mod direct;
mod fault;
mod feed;
mod friends;
mod group_retention;
mod groupings;
mod groups;
mod heads;
mod history;
mod inbox;
mod kept;
mod lists;
mod marks;
mod measures;
mod message;
mod profiles;
mod queue;
mod readers;
mod relations;
mod retention;
mod room_retention;
mod rooms;
mod schema;
mod search;
mod searches;
mod sessions;
mod shard;
mod space;
mod spam;
mod spam_retention;
mod stepper;
#[cfg(test)]
mod tests;
mod threads;
mod timeline;
mod visitors;
mod writer;

use std::fs::File;
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use hongyan_domain::environment::Pending;
use hongyan_domain::id::{AppId, SessionId};
use rusqlite::Connection;

use tokio::sync::oneshot;

pub use self::backup::BackupProgress;
use self::batch::Batch;
use self::changes::ChangeCache;
use self::checkpoint::{Checkpoints, LogLimits};
use self::connection::{DataFile, Role};
use self::kept::KnownSessions;
use self::measures::Measures;
use self::queue::{Job, Queue};
use self::readers::Readers;
pub use self::retention::{RetentionOptions, RetentionReport};
use self::searches::Searches;
use self::space::Space;
pub use self::stepper::Stepper;
use self::threads::Threads;
use self::writer::{Commit, Writer};
pub use self::writer::{Fatal, Step};
use crate::{Error, Listener};

/// The data file's name in its folder.
const DATA_FILE: &str = "hongyan.db";

/// The file whose lock says that a server uses the folder.
const LOCK_FILE: &str = "hongyan.lock";

/// A log is written over itself in pieces of so many bytes.
const COPY_BYTES: usize = 1 << 20;

/// The version of SQLite that is built in.
pub fn library_version() -> &'static str {
    rusqlite::version()
}

/// How the embedded store works.
#[derive(Clone)]
pub struct SqliteOptions {
    /// Threads and connections that read.
    pub readers: usize,
    /// Reads that may wait; more are refused with [`Error::Busy`].
    pub reads_waiting_max: usize,
    /// Milliseconds after which a read is stopped.
    pub read_deadline_ms: u64,
    /// Entries and other writes that may wait; more are refused with [`Error::Busy`].
    pub writes_waiting_max: usize,
    /// Entries and other writes of one transaction.
    pub batch_items_max: usize,
    /// Bytes of free disk that appends leave to logins, cursors and marks; 0 = none.
    pub disk_reserve_bytes: u64,
    /// Pages (4 KiB) of the write-ahead log from which on it is moved into the data file.
    pub log_worth_pages: u64,
    /// Pages of the write-ahead log from which on the writer is held until it has been moved.
    pub log_hold_pages: u64,
    /// The SQLite VFS, by the name it is registered with; `None` is the file system of the platform.
    pub vfs: Option<&'static str>,
    /// Called when the result of a commit is unknown; the default writes one line and aborts the process.
    pub fatal: Fatal,
}

impl Default for SqliteOptions {
    fn default() -> Self {
        Self {
            readers: 2,
            reads_waiting_max: 8_192,
            read_deadline_ms: 5_000,
            writes_waiting_max: 16_384,
            batch_items_max: 1_024,
            disk_reserve_bytes: 256 * 1024 * 1024,
            log_worth_pages: 16 * 1024,
            log_hold_pages: 64 * 1024,
            vfs: None,
            fatal: writer::abort(),
        }
    }
}

/// Why a store cannot be opened, backed up or restored.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// Two servers would share one file.
    #[error("the data folder {0} is in use by another process")]
    Locked(PathBuf),
    /// The library may corrupt files.
    #[error("SQLite {found} is too old, {least} is the least that is safe")]
    SqliteTooOld {
        /// What is linked, as `sqlite3_libversion_number`.
        found: i32,
        /// What is needed.
        least: i32,
    },
    /// The file system said no.
    #[error("{path}: {source}")]
    Io {
        /// Where.
        path: PathBuf,
        /// What.
        source: std::io::Error,
    },
    /// The file cannot be used.
    #[error("the data file: {0}")]
    File(String),
}

impl From<fault::Fault> for OpenError {
    fn from(fault: fault::Fault) -> Self {
        match fault {
            fault::Fault::Sqlite(error) => Self::File(error.to_string()),
            fault::Fault::Row(what) => Self::File(what.to_owned()),
            fault::Fault::Panic => Self::File("a panic".to_owned()),
        }
    }
}

impl From<rusqlite::Error> for OpenError {
    fn from(error: rusqlite::Error) -> Self {
        Self::File(error.to_string())
    }
}

/// An open store. Dropping it shuts it down.
pub struct SqliteStore {
    queue: Arc<Queue>,
    readers: Arc<Readers>,
    checkpoints: Arc<Checkpoints>,
    searches: Arc<Searches>,
    changes: Arc<ChangeCache>,
    measures: Arc<Measures>,
    log_epoch: u32,
    threads: Mutex<Option<Threads>>,
}

impl SqliteStore {
    /// Opens the store in a folder, which is made if it is missing; brings its tables up to date.
    ///
    /// # Errors
    /// The folder is in use, cannot be written, or holds a file of a newer program.
    pub fn open(folder: &Path, options: SqliteOptions, listener: Arc<dyn Listener>) -> Result<Arc<Self>, OpenError> {
        Self::open_with(folder, options, listener, Box::new(writer::commit))
    }

    fn open_with(
        folder: &Path,
        options: SqliteOptions,
        listener: Arc<dyn Listener>,
        commit: Commit,
    ) -> Result<Arc<Self>, OpenError> {
        let readers = options.readers;
        let (mut store, threads) = Threads::start(Opened::new(folder, options, listener, commit)?, readers)?;
        store.threads = Mutex::new(Some(threads));
        Ok(Arc::new(store))
    }

    /// Opens the store as [`SqliteStore::open`] does, without threads: it works in the turns of the stepper, with one
    /// reader and no deadlines. With `disk_reserve_bytes` = 0 nothing that it does depends on time.
    ///
    /// # Errors
    /// As [`SqliteStore::open`].
    pub fn open_stepped(
        folder: &Path,
        options: SqliteOptions,
        listener: Arc<dyn Listener>,
    ) -> Result<(Arc<Self>, Stepper), OpenError> {
        let stepper = Stepper::new(Opened::new(folder, options, listener, Box::new(writer::commit))?)?;
        Ok((Arc::clone(stepper.store()), stepper))
    }

    /// Takes no more work, commits and answers what waits, ends the threads, empties the write-ahead log. Blocks; calling
    /// it again does nothing, nor does it without threads.
    pub fn shutdown(&self) {
        let threads = self.threads.lock().unwrap_or_else(PoisonError::into_inner).take();
        if let Some(threads) = threads {
            threads.finish(self);
        }
    }

    /// Entries and other writes that wait.
    pub fn writes_waiting(&self) -> usize {
        self.queue.depth()
    }

    /// Reads that wait.
    pub fn reads_waiting(&self) -> usize {
        self.readers.depth()
    }

    fn epoch(&self) -> u32 {
        self.log_epoch
    }

    fn cached_changes(&self) -> &ChangeCache {
        &self.changes
    }

    /// A write that may use the reserve of a full disk and belongs to no app's turn.
    fn write<T: Send + 'static>(
        &self,
        run: impl FnMut(&mut Batch<'_>) -> fault::Result<T> + Send + 'static,
    ) -> Pending<'_, crate::Result<T>> {
        self.write_items(AppId(0), 1, true, run)
    }

    /// A write that a session asked for; nothing is written once the session is dead.
    fn write_as<T: Send + 'static>(
        &self,
        session: SessionId,
        mut run: impl FnMut(&mut Batch<'_>) -> fault::Result<T> + Send + 'static,
    ) -> Pending<'_, crate::Result<T>> {
        let written = self.write(move |batch| if batch.is_alive(session)? { run(batch).map(Some) } else { Ok(None) });
        Box::pin(async move { written.await?.ok_or(Error::SessionEnded) })
    }

    fn write_items<T: Send + 'static>(
        &self,
        app: AppId,
        items: usize,
        uses_reserve: bool,
        run: impl FnMut(&mut Batch<'_>) -> fault::Result<T> + Send + 'static,
    ) -> Pending<'_, crate::Result<T>> {
        let (work, answer) = queue::call(run);
        self.queue.push(Job { app, items, uses_reserve, work });
        wait(answer)
    }

    fn read<T: Send + 'static>(
        &self,
        read: impl FnOnce(&Connection) -> fault::Result<T> + Send + 'static,
    ) -> Pending<'_, crate::Result<T>> {
        wait(self.readers.read(read))
    }
}

/// A store that is open and has nobody yet who works for it.
struct Opened {
    store: SqliteStore,
    writer: Writer,
    file: DataFile,
    folder: PathBuf,
    lock: File,
}

impl Opened {
    fn new(
        folder: &Path,
        options: SqliteOptions,
        listener: Arc<dyn Listener>,
        commit: Commit,
    ) -> Result<Self, OpenError> {
        connection::check_version(rusqlite::version_number())?;
        let lock = lock(folder)?;
        let file = DataFile::in_folder(folder, options.vfs);
        write_over(&file.log())?;
        let mut connection = file.open(Role::Writer)?;
        schema::migrate(&mut connection)?;
        // The file's name must be as durable as what will be written into it.
        File::open(folder).and_then(|folder| folder.sync_all()).map_err(io_error(folder))?;
        let limits = LogLimits { worth_pages: options.log_worth_pages.max(1), hold_pages: options.log_hold_pages };
        let deadline = Duration::from_millis(options.read_deadline_ms);
        let store = SqliteStore {
            queue: Arc::new(Queue::new(options.writes_waiting_max)),
            readers: Arc::new(Readers::new(options.reads_waiting_max, deadline)),
            checkpoints: Arc::new(Checkpoints::new(limits)),
            searches: Arc::new(Searches::default()),
            changes: Arc::new(ChangeCache::new(changes::newest(&connection)?)),
            measures: Arc::new(Measures::default()),
            log_epoch: log_epoch(&connection)?,
            threads: Mutex::new(None),
        };
        let watched = Arc::clone(&store.checkpoints);
        connection.wal_hook(Some(move |_: &mut _, frames: std::ffi::c_int| {
            watched.committed(frames.unsigned_abs().into());
            Ok(())
        }))?;
        let writer = Writer {
            connection,
            queue: Arc::clone(&store.queue),
            batch_items_max: options.batch_items_max,
            listener,
            changes: Arc::clone(&store.changes),
            checkpoints: Arc::clone(&store.checkpoints),
            searches: Arc::clone(&store.searches),
            measures: Arc::clone(&store.measures),
            known: KnownSessions::default(),
            space: Space::new(folder.to_owned(), options.disk_reserve_bytes),
            commit,
            fatal: options.fatal,
        };
        Ok(Self { store, writer, file, folder: folder.to_owned(), lock })
    }
}

fn log_epoch(connection: &Connection) -> rusqlite::Result<u32> {
    connection.query_row("SELECT value FROM meta WHERE name = 'log_epoch'", [], |row| row.get(0))
}

impl Drop for SqliteStore {
    fn drop(&mut self) {
        self.shutdown();
    }
}

fn wait<T: Send + 'static>(answer: oneshot::Receiver<crate::Result<T>>) -> Pending<'static, crate::Result<T>> {
    Box::pin(async move { answer.await.unwrap_or(Err(Error::Busy)) })
}

/// Writes a log that an earlier process has left over itself, and syncs it. If that process died of a failed sync, the
/// operating system takes the log for written although it is not on the disk, and no further sync would bring it there;
/// what is answered from it now would be lost with the power.
fn write_over(path: &Path) -> Result<(), OpenError> {
    let open = File::options().read(true).write(true).open(path);
    let file = match open {
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(()),
        opened => opened.map_err(io_error(path))?,
    };
    copy_over(&file).map_err(io_error(path))
}

fn copy_over(file: &File) -> std::io::Result<()> {
    let mut piece = vec![0; COPY_BYTES];
    let mut at = 0;
    loop {
        let length = file.read_at(&mut piece, at)?;
        if length == 0 {
            return file.sync_all();
        }
        file.write_all_at(&piece[..length], at)?;
        at += length as u64;
    }
}

fn io_error(path: &Path) -> impl FnOnce(std::io::Error) -> OpenError {
    let path = path.to_owned();
    move |source| OpenError::Io { path, source }
}

/// Takes the folder for this process.
fn lock(folder: &Path) -> Result<File, OpenError> {
    std::fs::create_dir_all(folder).map_err(io_error(folder))?;
    let path = folder.join(LOCK_FILE);
    let file = File::options().create(true).truncate(false).write(true).open(&path).map_err(io_error(&path))?;
    match file.try_lock() {
        Ok(()) => Ok(file),
        Err(std::fs::TryLockError::WouldBlock) => Err(OpenError::Locked(folder.to_owned())),
        Err(std::fs::TryLockError::Error(source)) => Err(OpenError::Io { path, source }),
    }
}
