//! A store in memory with a disk that can fail: what a commit has not synced is lost in a power cut.
//!
//! It keeps every promise of `hongyan_store` (its conformance suite says so) and is deterministic: one thread, ordered
//! maps, time from its environment. [`disk`] is what outlives the server, [`commit`] how a write gets there, [`state`]
//! the rows; what a call does is in the file of its noun. It has no retention and no schema, and some of its lines are
//! wrong while a mutant of their name is alive.

mod accounts;
mod append;
mod commit;
mod conversation;
mod disk;
mod feed;
mod friends;
mod groups;
mod history;
mod inbox;
mod lists;
mod marks;
mod profiles;
mod reply;
mod rooms;
mod screen;
mod search;
mod sessions;
mod spam;
mod state;
#[cfg(test)]
mod tests;
mod timeline;
mod visitors;

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Weak};

use hongyan_domain::environment::{Environment, Pending};
use hongyan_domain::id::SessionId;
use hongyan_fault::buggify;
use hongyan_store::{Error, Listener, Result};

use self::commit::Job;
pub use self::disk::{DiskFate, ModelDisk, Snapshot, SyncFate};
use self::state::{Batch, State};

/// Half of what a slow read waits: once before it reads, once before it answers.
const SLOW_READ_MS: u64 = 20;

/// Told when the result of a sync is unknown; the process must die then.
pub type Fatal = Arc<dyn Fn(&str) + Send + Sync>;

/// The bounds of a store.
#[derive(Clone, Debug)]
pub struct ModelOptions {
    /// Entries and other writes that may wait; more are refused with [`Error::Busy`].
    pub writes_waiting_max: usize,
    /// Entries and other writes of one sync.
    pub batch_items_max: usize,
    /// Commits that the change feed keeps.
    pub feed_commits_max: usize,
}

impl Default for ModelOptions {
    fn default() -> Self {
        Self { writes_waiting_max: 16_384, batch_items_max: 1_024, feed_commits_max: 10_000 }
    }
}

/// The store of one process. Once the process is dead its callers wait for ever; after [`ModelStore::shutdown`] they
/// are refused.
pub struct ModelStore {
    disk: Arc<ModelDisk>,
    process: u64,
    /// The newest commit when it was opened: of those before, only the disk knows.
    opened_at: u64,
    log_epoch: u32,
    fate: Arc<dyn DiskFate>,
    fatal: Fatal,
    options: ModelOptions,
    listener: Arc<dyn Listener>,
    environment: Arc<dyn Environment>,
    closed: AtomicBool,
    me: Weak<Self>,
}

impl ModelStore {
    /// Opens what is on the disk.
    ///
    /// # Panics
    /// The process before has neither shut its store down nor died.
    pub fn open(
        disk: Arc<ModelDisk>,
        fate: Arc<dyn DiskFate>,
        fatal: Fatal,
        options: ModelOptions,
        listener: Arc<dyn Listener>,
        environment: Arc<dyn Environment>,
    ) -> Arc<Self> {
        let (process, opened_at, log_epoch) = disk.begin_process(options.feed_commits_max);
        let closed = AtomicBool::new(false);
        Arc::new_cyclic(|me| Self {
            disk,
            process,
            opened_at,
            log_epoch,
            fate,
            fatal,
            options,
            listener,
            environment,
            closed,
            me: me.clone(),
        })
    }

    /// Commits, tells and answers at once what waits, and takes no more. Nothing happens if the process is dead.
    pub fn shutdown(&self) {
        self.closed.store(true, Ordering::Relaxed);
        if let Some((told, jobs)) = self.disk.end_process(self.process) {
            self.publish(told, jobs);
        }
    }

    /// A write that may use the reserve of a full disk.
    fn write<T: Send + 'static>(
        &self,
        run: impl FnMut(&mut Batch<'_>) -> Result<T> + Send + 'static,
    ) -> Pending<'_, Result<T>> {
        self.write_items(1, true, run)
    }

    /// A write that a session asked for; nothing is written once the session is dead.
    fn write_as<T: Send + 'static>(
        &self,
        session: SessionId,
        mut run: impl FnMut(&mut Batch<'_>) -> Result<T> + Send + 'static,
    ) -> Pending<'_, Result<T>> {
        self.write(move |batch| if batch.state.may_write(session) { run(batch) } else { Err(Error::SessionEnded) })
    }

    /// A write that must check everything before it changes anything: what it returned an error for has not happened.
    fn write_items<T: Send + 'static>(
        &self,
        items: usize,
        uses_reserve: bool,
        run: impl FnMut(&mut Batch<'_>) -> Result<T> + Send + 'static,
    ) -> Pending<'_, Result<T>> {
        let (work, answer) = commit::call(run);
        self.push(Job { items, uses_reserve, work });
        Box::pin(answer)
    }

    fn read<T: Send + 'static>(
        &self,
        read: impl FnOnce(&State) -> Result<T> + Send + 'static,
    ) -> Pending<'_, Result<T>> {
        if buggify!("slow read") {
            return Box::pin(async move {
                self.environment.sleep_ms(SLOW_READ_MS).await;
                let found = match self.read_now(read) {
                    Some(found) => found,
                    None => std::future::pending().await,
                };
                self.environment.sleep_ms(SLOW_READ_MS).await;
                found
            });
        }
        match self.read_now(read) {
            Some(found) => Box::pin(std::future::ready(found)),
            None => Box::pin(std::future::pending()),
        }
    }

    /// `None` if the process is dead.
    fn read_now<T>(&self, read: impl FnOnce(&State) -> Result<T>) -> Option<Result<T>> {
        if self.closed.load(Ordering::Relaxed) || buggify!("read queue full") {
            return Some(Err(Error::Busy));
        }
        self.disk.read(self.process, read)
    }
}
