//! The threads of a store in a server: one writes, a few read, one moves the write-ahead log, one searches. What each does in its turns is
//! in the file of its noun.

use std::fs::File;
use std::path::Path;
use std::sync::Arc;
use std::thread::JoinHandle;

use super::connection::Role;
use super::readers::Deadline;
use super::search::{Index, IndexPlace};
use super::{OpenError, Opened, SqliteStore, io_error};

/// All of them, to be joined once.
pub(super) struct Threads {
    writer: JoinHandle<()>,
    readers: Vec<JoinHandle<()>>,
    checkpointer: JoinHandle<()>,
    searcher: JoinHandle<()>,
    /// Held until all threads have ended.
    _lock: File,
}

impl Threads {
    /// Starts them for a store that was just opened, with so many readers.
    pub(super) fn start(opened: Opened, readers: usize) -> Result<(SqliteStore, Self), OpenError> {
        let Opened { store, writer, file, folder, lock } = opened;
        let start_reader = |_| {
            let mut connection = file.open(Role::Reader)?;
            let deadline = Deadline::watch(&mut connection)?;
            let readers = Arc::clone(&store.readers);
            start("store-reader", move || readers.run(&connection, &deadline))
        };
        let readers = (0..readers.max(1)).map(start_reader).collect::<Result<_, _>>()?;
        let connection = file.open(Role::Checkpointer)?;
        let checkpoints = Arc::clone(&store.checkpoints);
        let checkpointer = start("store-checkpoint", move || checkpoints.run(&connection))?;
        let index = Index::new(IndexPlace::Folder(folder), file.open(Role::Reader)?, store.epoch());
        let searches = Arc::clone(&store.searches);
        let searcher = start("store-search", move || searches.run(index))?;
        let writer = start("store-writer", move || writer.run_or_stop())?;
        Ok((store, Self { writer, readers, checkpointer, searcher, _lock: lock }))
    }

    /// Lets them finish what waits, and ends them in the order in which they need each other.
    pub(super) fn finish(self, store: &SqliteStore) {
        store.queue.close();
        join(self.writer);
        store.readers.close();
        self.readers.into_iter().for_each(join);
        store.searches.close();
        join(self.searcher);
        store.checkpoints.stop();
        join(self.checkpointer);
    }
}

fn start(name: &str, run: impl FnOnce() + Send + 'static) -> Result<JoinHandle<()>, OpenError> {
    let thread = std::thread::Builder::new().name(name.to_owned()).spawn(run);
    thread.map_err(io_error(Path::new(name)))
}

fn join(thread: JoinHandle<()>) {
    if thread.join().is_err() {
        tracing::error!("a thread of the store panicked");
    }
}
