//! The embedded store: one SQLite file, one thread that writes, a few that read, one that moves the write-ahead log.
//!
//! This file opens and closes it and hands calls to the threads. What a call does is in the file of its noun. It knows
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
mod heads;
mod history;
mod inbox;
mod kept;
mod marks;
mod measures;
mod message;
mod queue;
mod readers;
mod retention;
mod schema;
mod sessions;
mod shard;
mod space;
#[cfg(test)]
mod tests;
mod timeline;
mod writer;

use std::fs::File;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;
use std::time::Duration;

use hongyan_domain::environment::Pending;
use hongyan_domain::id::{AppId, SessionId};
use rusqlite::Connection;

use tokio::sync::oneshot;

pub use self::backup::BackupProgress;
use self::batch::Batch;
use self::changes::ChangeCache;
use self::checkpoint::{Checkpoints, LogLimits};
use self::connection::Role;
use self::kept::KnownSessions;
use self::measures::Measures;
use self::queue::{Job, Queue};
use self::readers::Readers;
pub use self::retention::{RetentionOptions, RetentionReport};
use self::space::Space;
pub use self::writer::Fatal;
use self::writer::{Commit, Writer};
use crate::{Error, Listener};

/// The data file's name in its folder.
const DATA_FILE: &str = "hongyan.db";

/// The file whose lock says that a server uses the folder.
const LOCK_FILE: &str = "hongyan.lock";

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

/// The threads, to be joined once.
struct Threads {
    writer: JoinHandle<()>,
    readers: Vec<JoinHandle<()>>,
    checkpointer: JoinHandle<()>,
    /// Held until all threads have ended.
    _lock: File,
}

/// An open store. Dropping it shuts it down.
pub struct SqliteStore {
    queue: Arc<Queue>,
    readers: Arc<Readers>,
    checkpoints: Arc<Checkpoints>,
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
        connection::check_version(rusqlite::version_number())?;
        let lock = lock(folder)?;
        let path = folder.join(DATA_FILE);
        let mut connection = connection::open(&path, Role::Writer)?;
        schema::migrate(&mut connection)?;
        // The file's name must be as durable as what will be written into it.
        File::open(folder).and_then(|folder| folder.sync_all()).map_err(io_error(folder))?;
        let log_epoch =
            connection.query_row("SELECT value FROM meta WHERE name = 'log_epoch'", [], |row| row.get(0))?;
        let changes = Arc::new(ChangeCache::new(changes::newest(&connection)?));
        let limits = LogLimits { worth_pages: options.log_worth_pages.max(1), hold_pages: options.log_hold_pages };
        let checkpoints = Arc::new(Checkpoints::new(limits));
        let watched = Arc::clone(&checkpoints);
        connection.wal_hook(Some(move |_: &mut _, frames: std::ffi::c_int| {
            watched.committed(frames.unsigned_abs().into());
            Ok(())
        }))?;
        let queue = Arc::new(Queue::new(options.writes_waiting_max));
        let deadline = Duration::from_millis(options.read_deadline_ms);
        let readers = Arc::new(Readers::new(options.reads_waiting_max, deadline));
        let measures = Arc::new(Measures::default());
        let writer = Writer {
            connection,
            queue: Arc::clone(&queue),
            batch_items_max: options.batch_items_max,
            listener,
            changes: Arc::clone(&changes),
            checkpoints: Arc::clone(&checkpoints),
            measures: Arc::clone(&measures),
            known: KnownSessions::default(),
            space: Space::new(folder.to_owned(), options.disk_reserve_bytes),
            commit,
            fatal: options.fatal,
        };
        let threads = Threads {
            readers: start_readers(&path, options.readers, &readers)?,
            checkpointer: start_checkpointer(&path, &checkpoints)?,
            writer: start("store-writer", move || writer.run_or_stop())?,
            _lock: lock,
        };
        let threads = Mutex::new(Some(threads));
        Ok(Arc::new(Self { queue, readers, checkpoints, changes, measures, log_epoch, threads }))
    }

    /// Takes no more work, commits and answers what waits, ends the threads, empties the write-ahead log. Blocks; calling
    /// it again does nothing.
    pub fn shutdown(&self) {
        let threads = self.threads.lock().unwrap_or_else(PoisonError::into_inner).take();
        let Some(threads) = threads else { return };
        self.queue.close();
        join(threads.writer);
        self.readers.close();
        threads.readers.into_iter().for_each(join);
        self.checkpoints.stop();
        join(threads.checkpointer);
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

impl Drop for SqliteStore {
    fn drop(&mut self) {
        self.shutdown();
    }
}

fn wait<T: Send + 'static>(answer: oneshot::Receiver<crate::Result<T>>) -> Pending<'static, crate::Result<T>> {
    Box::pin(async move { answer.await.unwrap_or(Err(Error::Busy)) })
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

fn start(name: &str, run: impl FnOnce() + Send + 'static) -> Result<JoinHandle<()>, OpenError> {
    let thread = std::thread::Builder::new().name(name.to_owned()).spawn(run);
    thread.map_err(io_error(Path::new(name)))
}

fn start_readers(path: &Path, count: usize, readers: &Arc<Readers>) -> Result<Vec<JoinHandle<()>>, OpenError> {
    let start_one = |_| {
        let mut connection = connection::open(path, Role::Reader)?;
        let deadline = readers::Deadline::watch(&mut connection)?;
        let readers = Arc::clone(readers);
        start("store-reader", move || readers.run(&connection, &deadline))
    };
    (0..count.max(1)).map(start_one).collect()
}

fn start_checkpointer(path: &Path, checkpoints: &Arc<Checkpoints>) -> Result<JoinHandle<()>, OpenError> {
    let connection = connection::open(path, Role::Checkpointer)?;
    let checkpoints = Arc::clone(checkpoints);
    start("store-checkpoint", move || checkpoints.run(&connection))
}

fn join(thread: JoinHandle<()>) {
    if thread.join().is_err() {
        tracing::error!("a thread of the store panicked");
    }
}
