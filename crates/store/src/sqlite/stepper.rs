//! A store without threads: whoever owns its [`Stepper`] says when the writer, the reader and the checkpointer take a turn.
//! For simulators, where one seed must give one run. What a turn does is the same as on the threads of a server.

use std::fs::File;
use std::sync::Arc;
use std::time::Duration;

use rusqlite::Connection;

use super::connection::Role;
use super::search::{Index, IndexPlace};
use super::writer::{Step, Writer};
use super::{OpenError, Opened, SqliteStore};

/// The writer, one reader and the checkpointer of a store that has no threads.
///
/// Without it the calls of its store are never answered. Dropping it is not a shutdown: what waits stays unanswered, as
/// after the death of a process.
pub struct Stepper {
    store: Arc<SqliteStore>,
    writer: Writer,
    reader: Connection,
    checkpointer: Connection,
    index: Index,
    dead: bool,
    /// Held as long as the connections are.
    _lock: File,
}

impl Stepper {
    /// For a store that was just opened.
    pub(super) fn new(opened: Opened) -> Result<Self, OpenError> {
        let Opened { store, writer, file, lock, .. } = opened;
        let (reader, checkpointer) = (file.open(Role::Reader)?, file.open(Role::Checkpointer)?);
        let index = Index::new(IndexPlace::Memory, file.open(Role::Reader)?, store.epoch());
        Ok(Self { store: Arc::new(store), writer, reader, checkpointer, index, dead: false, _lock: lock })
    }

    /// The store.
    pub fn store(&self) -> &Arc<SqliteStore> {
        &self.store
    }

    /// One turn of the writer: commits what waits, at most one batch, tells it and answers it. Does not wait.
    pub fn write(&mut self) -> Step {
        if self.dead {
            return Step::Dead;
        }
        let step = self.writer.step(Duration::ZERO);
        self.dead = step == Step::Dead;
        step
    }

    /// One turn of the reader: one read or search, without a deadline; false if none waits.
    pub fn read(&mut self) -> bool {
        self.store.readers.step(&self.reader) || self.store.searches.step(&mut self.index)
    }

    /// One turn of the checkpointer: moves the log if it has grown to `log_worth_pages`; false if that is not due.
    pub fn checkpoint(&mut self) -> bool {
        self.store.checkpoints.step(&self.checkpointer)
    }

    /// What the checkpointer does when nothing was committed for a while: moves the whole log and cuts it.
    pub fn empty_log(&mut self) {
        self.store.checkpoints.empty_now(&self.checkpointer);
    }

    /// Entries and other writes that wait.
    pub fn writes_waiting(&self) -> usize {
        self.store.writes_waiting()
    }

    /// Reads that wait.
    pub fn reads_waiting(&self) -> usize {
        self.store.reads_waiting()
    }

    /// The end of a server in good order: takes no more work, commits and answers the writes that wait, refuses the reads,
    /// empties the log.
    pub fn shutdown(mut self) {
        self.store.queue.close();
        while self.write() == Step::Done {}
        self.store.readers.close();
        self.store.searches.close();
        self.empty_log();
    }
}
