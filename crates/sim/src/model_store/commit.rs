//! Group commit: what waits is taken together, synced once, applied, told, answered, in this order. Knows nothing of what
//! the writes do.

use std::sync::Arc;

use hongyan_fault::{buggify, mutant};
use hongyan_store::{Error, Result};

use super::disk::{self, Process, SyncFate};
use super::reply::{Answer, Sender, reply};
use super::state::{Batch, Told};
use super::{ModelStore, Ordering};

/// How long a sync within the reserve of a full disk takes.
const FULL_SYNC_MS: u64 = 2;

/// A write together with the caller who waits for it.
pub(super) trait Work: Send {
    /// Does it, and keeps the answer.
    fn apply(&mut self, batch: &mut Batch<'_>);

    /// Answers the caller: it is durable.
    fn answer(self: Box<Self>);

    /// Answers the caller: nothing of it was written.
    fn refuse(self: Box<Self>, error: Error);
}

/// A write that waits.
pub(super) struct Job {
    /// Entries that it may append, at least 1.
    pub(super) items: usize,
    /// May use the reserve of a full disk.
    pub(super) uses_reserve: bool,
    /// What to do.
    pub(super) work: Box<dyn Work>,
}

struct Call<F, T> {
    run: F,
    done: Option<Result<T>>,
    reply: Sender<Result<T>>,
}

impl<F, T> Work for Call<F, T>
where
    F: FnMut(&mut Batch<'_>) -> Result<T> + Send,
    T: Send,
{
    fn apply(&mut self, batch: &mut Batch<'_>) {
        self.done = Some((self.run)(batch));
    }

    fn answer(self: Box<Self>) {
        if let Some(done) = self.done {
            self.reply.send(done);
        }
    }

    fn refuse(self: Box<Self>, error: Error) {
        self.reply.send(Err(error));
    }
}

/// A function to be run by a commit, and its answer.
pub(super) fn call<F, T>(run: F) -> (Box<dyn Work>, Answer<Result<T>>)
where
    F: FnMut(&mut Batch<'_>) -> Result<T> + Send + 'static,
    T: Send + 'static,
{
    let (sender, answer) = reply();
    (Box::new(Call { run, done: None, reply: sender }), answer)
}

impl Process {
    /// The next batch: at most so many items, but always one job if any waits.
    fn take(&mut self, items_max: usize) -> Vec<Job> {
        let (mut jobs, mut items) = (Vec::new(), 0);
        while let Some(job) = self.queue.front()
            && (jobs.is_empty() || items + job.items <= items_max)
        {
            items += job.items;
            jobs.extend(self.queue.pop_front());
        }
        self.items -= items;
        jobs
    }
}

impl ModelStore {
    /// Queues a write; refuses it at once if the queue is full or the store closed.
    pub(super) fn push(&self, job: Job) {
        if self.closed.load(Ordering::Relaxed) || buggify!("write queue full") {
            return job.work.refuse(Error::Busy);
        }
        let mut inner = self.disk.lock();
        // Of a dead process nobody is answered.
        let Some((_, process)) = inner.of(self.process) else { return };
        if process.items > 0 && process.items + job.items > self.options.writes_waiting_max {
            drop(inner);
            return job.work.refuse(Error::Busy);
        }
        process.items += job.items;
        process.queue.push_back(job);
        let runs = std::mem::replace(&mut process.committing, true);
        drop(inner);
        if let (false, Some(me)) = (runs, self.me.upgrade()) {
            self.environment.spawn(Box::pin(me.commit_all()));
        }
    }

    /// Commits until nothing waits.
    async fn commit_all(self: Arc<Self>) {
        while let Some(fate) = self.begin_sync() {
            let after_ms = match fate {
                SyncFate::Done { after_ms } | SyncFate::Unknown { after_ms, .. } => after_ms,
                SyncFate::Full => FULL_SYNC_MS,
            };
            if after_ms > 0 {
                self.environment.sleep_ms(after_ms).await;
            }
            if !self.end_sync(fate) {
                return;
            }
        }
    }

    /// Takes the next batch; `None` if nothing waits or the process is dead.
    fn begin_sync(&self) -> Option<SyncFate> {
        if !self.something_waits() {
            return None;
        }
        let fate = self.fate.next_sync();
        let mut inner = self.disk.lock();
        let (durable, process) = inner.of(self.process)?;
        let mut jobs = process.take(self.options.batch_items_max);
        let mut refused = Vec::new();
        if fate == SyncFate::Full {
            refused.extend(jobs.extract_if(.., |job| !job.uses_reserve));
        }
        let (mut told, mut answered) = (Told::default(), Vec::new());
        if mutant!("ack before sync") {
            process.undo = Some(durable.clone());
            told = disk::apply(durable, &mut jobs, process.feed_commits_max);
            answered = std::mem::take(&mut jobs);
        } else if mutant!("push before commit") {
            told = disk::apply(&mut durable.clone(), &mut jobs, process.feed_commits_max);
        }
        process.writing = jobs;
        drop(inner);
        refused.into_iter().for_each(|job| job.work.refuse(Error::DiskFull));
        self.publish(told, answered);
        Some(fate)
    }

    fn something_waits(&self) -> bool {
        let mut inner = self.disk.lock();
        let Some((_, process)) = inner.of(self.process) else { return false };
        process.committing = !process.queue.is_empty();
        process.committing
    }

    /// The sync is over; false if the process is dead.
    fn end_sync(&self, fate: SyncFate) -> bool {
        let mut inner = self.disk.lock();
        let Some((durable, process)) = inner.of(self.process) else { return false };
        let mut jobs = std::mem::take(&mut process.writing);
        let undo = process.undo.take();
        if let SyncFate::Unknown { kept, .. } = fate {
            if kept {
                disk::apply(durable, &mut jobs, process.feed_commits_max);
            } else if let Some(before) = undo {
                *durable = before;
            }
            // No caller may learn anything: a negative answer could be a lie (reliability.md §0.3).
            let dead = inner.kill();
            drop(inner);
            drop((dead, jobs));
            (self.fatal)("a sync failed with an unknown result");
            return false;
        }
        let mut told = disk::apply(durable, &mut jobs, process.feed_commits_max);
        drop(inner);
        if mutant!("push before commit") {
            told = Told::default();
        }
        self.publish(told, jobs);
        true
    }

    /// Tells a commit before its callers are answered.
    pub(super) fn publish(&self, told: Told, jobs: Vec<Job>) {
        if !told.committed.is_empty() {
            self.listener.committed(told.committed);
        }
        if !told.said.is_empty() {
            self.listener.said(told.said);
        }
        if !told.grouped.is_empty() {
            self.listener.grouped(told.grouped);
        }
        jobs.into_iter().for_each(|job| job.work.answer());
    }
}
