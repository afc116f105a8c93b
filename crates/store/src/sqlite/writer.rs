//! The one who writes: takes what waits, commits it with one sync, tells, answers (design §5, group commit). Mostly a
//! thread; does not know what the jobs do.
#![allow(clippy::disallowed_methods, reason = "a shell: it measures how long a real disk takes")]

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::time::{Duration, Instant};

use hongyan_fault::{kill_point, mutant};
use rusqlite::Connection;

use super::batch::{Batch, Effects};
use super::changes::ChangeCache;
use super::checkpoint::Checkpoints;
use super::fault::{Fault, Result};
use super::kept::KnownSessions;
use super::measures::Measures;
use super::queue::{Job, Queue, Taken};
use super::searches::Searches;
use super::space::Space;
use crate::{Committed, Error, GroupNews, Listener, Said};

/// Without work for so long the writer gives its page cache back.
const IDLE: Duration = Duration::from_secs(5);

/// Commits. In tests it may fail.
pub(super) type Commit = Box<dyn FnMut(&Connection) -> rusqlite::Result<()> + Send>;

/// Called when nobody can know any more what is on disk. It must not return in a server; in tests it may.
pub type Fatal = Arc<dyn Fn(&str) + Send + Sync>;

/// Everything it needs.
pub(super) struct Writer {
    pub(super) connection: Connection,
    pub(super) queue: Arc<Queue>,
    pub(super) batch_items_max: usize,
    pub(super) listener: Arc<dyn Listener>,
    pub(super) changes: Arc<ChangeCache>,
    pub(super) checkpoints: Arc<Checkpoints>,
    pub(super) searches: Arc<Searches>,
    pub(super) measures: Arc<Measures>,
    pub(super) known: KnownSessions,
    pub(super) space: Space,
    pub(super) commit: Commit,
    pub(super) fatal: Fatal,
}

/// What one step of the writer has come to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Step {
    /// Jobs were committed or refused, and are answered.
    Done,
    /// No job waits.
    Idle,
    /// The store was shut down and no job waits.
    Closed,
    /// Nobody can know what is on disk; `fatal` was called and nobody answered. There must be no further step.
    Dead,
}

/// How an attempt to commit jobs has ended without a commit.
enum Failure {
    /// Rolled back.
    Definite(Fault),
    /// On disk or not: nobody knows.
    Unknown(String),
}

impl From<Fault> for Failure {
    fn from(fault: Fault) -> Self {
        Self::Definite(fault)
    }
}

/// The commit of real life.
pub(super) fn commit(connection: &Connection) -> rusqlite::Result<()> {
    connection.prepare_cached("COMMIT")?.execute([]).map(|_| ())
}

impl Writer {
    /// Works until the queue is closed and empty. Without a writer every caller would wait for ever, so a defect that ends
    /// it ends the process.
    pub(super) fn run_or_stop(self) {
        let fatal = Arc::clone(&self.fatal);
        if catch_unwind(AssertUnwindSafe(|| self.run())).is_err() {
            fatal("the writer panicked");
        }
    }

    fn run(mut self) {
        let mut warm = false;
        loop {
            match self.step(IDLE) {
                Step::Done => {
                    warm = true;
                    self.checkpoints.let_pass();
                }
                Step::Idle if warm => {
                    warm = false;
                    if let Err(error) = self.connection.release_memory() {
                        tracing::warn!(%error, "cannot give memory back");
                    }
                }
                Step::Idle => {}
                Step::Closed | Step::Dead => return,
            }
        }
    }

    /// Waits so long for jobs, and works off what was there.
    pub(super) fn step(&mut self, wait: Duration) -> Step {
        match self.queue.take(self.batch_items_max, wait) {
            Taken::Jobs(jobs) => {
                if self.process(jobs) {
                    Step::Done
                } else {
                    Step::Dead
                }
            }
            Taken::Idle => Step::Idle,
            Taken::Closed => Step::Closed,
        }
    }

    /// Commits jobs and answers them; false if the writer must not go on. A batch that fails is halved until the bad job
    /// is alone, which costs the good ones a few more commits and nothing else.
    fn process(&mut self, jobs: Vec<Job>) -> bool {
        let mut jobs = self.refuse_without_space(jobs);
        if jobs.is_empty() {
            return true;
        }
        match self.attempt(&mut jobs) {
            Ok(effects) => {
                self.publish(effects);
                jobs.into_iter().for_each(|job| job.work.answer());
                true
            }
            Err(Failure::Definite(fault)) if fault.is_disk_full() && jobs.iter().any(|job| !job.uses_reserve) => {
                tracing::warn!(jobs = jobs.len(), "no space left: a batch was rolled back, its appends are refused");
                let kept = refuse_appends(jobs);
                kept.is_empty() || self.process(kept)
            }
            Err(Failure::Definite(fault)) if jobs.len() == 1 => {
                let error = fault.into_error();
                jobs.into_iter().for_each(|job| job.work.refuse(error.clone()));
                true
            }
            Err(Failure::Definite(fault)) => {
                tracing::warn!(?fault, jobs = jobs.len(), "a batch was rolled back; it is tried again in halves");
                let rest = jobs.split_off(jobs.len() / 2);
                self.process(jobs) && self.process(rest)
            }
            Err(Failure::Unknown(reason)) => {
                // No caller may learn anything: a negative answer could be a lie (reliability.md §0.3).
                std::mem::forget(jobs);
                (self.fatal)(&reason);
                false
            }
        }
    }

    fn refuse_without_space(&mut self, jobs: Vec<Job>) -> Vec<Job> {
        if self.space.is_low() { refuse_appends(jobs) } else { jobs }
    }

    /// One transaction with all jobs.
    fn attempt(&mut self, jobs: &mut [Job]) -> std::result::Result<Effects, Failure> {
        let started = Instant::now();
        let applied = self.apply(jobs);
        self.measures.apply_us.observe(started.elapsed().as_micros() as u64);
        match applied {
            Ok(effects) => {
                self.measures.batch_items.observe(jobs.iter().map(|job| job.items as u64).sum());
                self.commit_or_tell(effects)
            }
            Err(fault) => {
                self.measures.rollbacks.add(1);
                self.roll_back()?;
                Err(Failure::Definite(fault))
            }
        }
    }

    fn apply(&mut self, jobs: &mut [Job]) -> Result<Effects> {
        self.connection.prepare_cached("BEGIN IMMEDIATE")?.execute([])?;
        let mut batch = Batch::begin(&self.connection, &mut self.known);
        for job in jobs {
            let applied = catch_unwind(AssertUnwindSafe(|| job.work.apply(&mut batch)));
            applied.unwrap_or(Err(Fault::Panic))?;
        }
        batch.finish()
    }

    fn commit_or_tell(&mut self, mut effects: Effects) -> std::result::Result<Effects, Failure> {
        if mutant!("publish before commit") {
            self.tell(std::mem::take(&mut effects.committed));
        }
        kill_point!("K4");
        let started = Instant::now();
        let committed = (self.commit)(&self.connection);
        self.measures.commit_us.observe(started.elapsed().as_micros() as u64);
        match committed {
            Ok(()) => {
                kill_point!("K5");
                self.measures.commits.add(1);
                Ok(effects)
            }
            Err(error) => {
                let fault = Fault::Sqlite(error);
                // Without space the commit record was not written, and SQLite has rolled back.
                if fault.is_disk_full() && self.connection.is_autocommit() {
                    return Err(Failure::Definite(fault));
                }
                Err(Failure::Unknown(format!("COMMIT failed with an unknown result: {fault:?}")))
            }
        }
    }

    fn roll_back(&self) -> std::result::Result<(), Failure> {
        if self.connection.is_autocommit() {
            return Ok(());
        }
        let rolled_back = self.connection.execute_batch("ROLLBACK");
        rolled_back.map_err(|error| Failure::Unknown(format!("ROLLBACK failed: {error}")))
    }

    /// Tells the commit before its callers are answered.
    fn publish(&mut self, effects: Effects) {
        self.known.learn(effects.sessions.into_iter().filter(|(_, alive)| *alive).map(|(session, _)| session));
        if !effects.committed.is_empty() {
            self.searches.committed();
        }
        if let Some((no, changes)) = effects.changes {
            self.changes.push(no, changes);
        }
        self.tell(effects.committed);
        self.tell_said(effects.said);
        self.tell_grouped(effects.grouped);
    }

    fn tell_said(&self, said: Vec<Said>) {
        if !said.is_empty() && catch_unwind(AssertUnwindSafe(|| self.listener.said(said))).is_err() {
            tracing::error!("the listener of rooms panicked");
        }
    }

    fn tell_grouped(&self, grouped: Vec<GroupNews>) {
        if !grouped.is_empty() && catch_unwind(AssertUnwindSafe(|| self.listener.grouped(grouped))).is_err() {
            tracing::error!("the listener of groups panicked");
        }
    }

    fn tell(&self, committed: Vec<Committed>) {
        if committed.is_empty() {
            return;
        }
        // What is told is a hint, what is answered is not: the answers go on.
        if catch_unwind(AssertUnwindSafe(|| self.listener.committed(committed))).is_err() {
            tracing::error!("the listener of commits panicked");
        }
    }
}

/// Leaves what may use the reserve of a full disk.
fn refuse_appends(jobs: Vec<Job>) -> Vec<Job> {
    let (kept, refused): (Vec<Job>, Vec<Job>) = jobs.into_iter().partition(|job| job.uses_reserve);
    refused.into_iter().for_each(|job| job.work.refuse(Error::DiskFull));
    kept
}

/// The end of a server whose disk cannot be trusted.
pub(super) fn abort() -> Fatal {
    Arc::new(|reason| {
        tracing::error!(reason, "the store stops the process without an answer; restart it");
        // The log may be configured away; this line must not be.
        eprintln!("hongyan: {reason}; the process stops, because nobody can know what is on disk");
        std::process::abort()
    })
}
