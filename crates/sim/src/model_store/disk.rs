//! What survives the server: the rows that were synced. And the one process that uses them now, with what it has not
//! synced yet, so that a power cut can take it away in one step.

use std::collections::VecDeque;
use std::sync::{Mutex, MutexGuard, PoisonError};

use hongyan_fault::mutant;

use super::commit::Job;
use super::state::{Batch, State, Told};

/// How far heads and counters are lifted by a restore: more than can have been written between a backup and the loss.
/// The embedded store does the same.
pub(super) const GAP: u64 = 1 << 24;

/// What the world does to the next sync.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SyncFate {
    /// It completes.
    Done {
        /// After so long.
        after_ms: u64,
    },
    /// It fails, and nobody knows what is on the disk: the process must die without an answer.
    Unknown {
        /// After so long.
        after_ms: u64,
        /// Whether the batch is there after all.
        kept: bool,
    },
    /// No space above the reserve: appends are refused for certain, everything else goes on.
    Full,
}

/// What the world does to the disk. Asked once for each sync.
pub trait DiskFate: Send + Sync + 'static {
    /// The fate of the sync that begins now.
    fn next_sync(&self) -> SyncFate;
}

/// A copy of everything at one instant.
#[derive(Clone, Debug)]
pub struct Snapshot(State);

/// What a running server has in memory beside the rows.
#[derive(Default)]
pub(super) struct Process {
    pub(super) number: u64,
    pub(super) feed_commits_max: usize,
    pub(super) queue: VecDeque<Job>,
    pub(super) items: usize,
    /// A task takes what waits until nothing does.
    pub(super) committing: bool,
    /// The batch of the sync that runs. It never comes apart.
    pub(super) writing: Vec<Job>,
    /// The rows before that batch, for a mutant that applies it too early.
    pub(super) undo: Option<State>,
}

/// Rows, and who uses them.
pub(super) struct Inner {
    pub(super) durable: State,
    process: Option<Process>,
    processes: u64,
}

impl Inner {
    /// The rows and the process of this number, if it lives.
    pub(super) fn of(&mut self, number: u64) -> Option<(&mut State, &mut Process)> {
        let process = self.process.as_mut().filter(|process| process.number == number)?;
        Some((&mut self.durable, process))
    }

    /// The process is dead from now on. What it held must be dropped without the lock, because wakers run foreign code.
    pub(super) fn kill(&mut self) -> Option<Process> {
        self.process.take()
    }
}

/// A disk; outlives the stores that are opened on it one after another.
pub struct ModelDisk(Mutex<Inner>);

impl Default for ModelDisk {
    fn default() -> Self {
        Self::new()
    }
}

impl ModelDisk {
    /// An empty disk.
    pub fn new() -> Self {
        Self(Mutex::new(Inner { durable: State::new(), process: None, processes: 0 }))
    }

    pub(super) fn lock(&self) -> MutexGuard<'_, Inner> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The process died. `batch_kept` decides whether the batch being written, if any, is on the disk; what only waited
    /// is gone. The store of that process answers nobody any more and changes nothing.
    pub fn crash(&self, batch_kept: bool) {
        let mut inner = self.lock();
        let Some(mut process) = inner.kill() else { return };
        if batch_kept {
            apply(&mut inner.durable, &mut process.writing, process.feed_commits_max);
        } else if let Some(before) = process.undo.take() {
            inner.durable = before;
        }
        drop(inner);
        drop(process);
    }

    /// Copies the rows as they are at this instant; a server may go on working.
    pub fn backup(&self) -> Snapshot {
        Snapshot(self.lock().durable.clone())
    }

    /// Replaces the rows by those of a backup, as another history: its log epoch is higher than any before, its numbers
    /// go on above a gap, its inboxes are empty and answer RESET, no session is known. Answers the epoch. A process that
    /// still ran is dead.
    pub fn restore(&self, snapshot: Snapshot) -> u32 {
        let mut inner = self.lock();
        let process = inner.kill();
        let epoch = inner.durable.log_epoch.max(snapshot.0.log_epoch) + 1;
        inner.durable = snapshot.0;
        inner.durable.begin_epoch(epoch, GAP);
        drop(inner);
        drop(process);
        epoch
    }

    /// The next process: its number, the newest commit, the epoch.
    pub(super) fn begin_process(&self, feed_commits_max: usize) -> (u64, u64, u32) {
        let mut inner = self.lock();
        assert!(inner.process.is_none(), "two servers would share one disk: let the first crash or shut down");
        inner.processes += 1;
        let number = inner.processes;
        inner.process = Some(Process { number, feed_commits_max, ..Process::default() });
        if mutant!("number reused after restart") {
            inner.durable.conversations.values_mut().for_each(|log| log.head_seq = log.head_seq.saturating_sub(1));
        }
        (number, inner.durable.feed.newest(), inner.durable.log_epoch)
    }

    /// Writes what a process still has and ends it in good order: what is to be told, and who is to be answered.
    pub(super) fn end_process(&self, number: u64) -> Option<(Told, Vec<Job>)> {
        let mut inner = self.lock();
        inner.of(number)?;
        let mut process = inner.kill()?;
        process.writing.extend(process.queue);
        let told = apply(&mut inner.durable, &mut process.writing, process.feed_commits_max);
        Some((told, process.writing))
    }

    /// Reads for a process; `None` if it is dead.
    pub(super) fn read<T>(&self, number: u64, read: impl FnOnce(&State) -> T) -> Option<T> {
        self.lock().of(number).map(|(durable, _)| read(durable))
    }
}

/// Applies a batch; what is to be told about it.
pub(super) fn apply(state: &mut State, jobs: &mut [Job], feed_commits_max: usize) -> Told {
    let mut batch = Batch::begin(state);
    jobs.iter_mut().for_each(|job| job.work.apply(&mut batch));
    batch.finish(feed_commits_max)
}
