//! Moves the write-ahead log into the data file, on a connection and mostly a thread of its own, so that no commit pays
//! for it.
//!
//! A passive checkpoint runs beside the writer. The log starts again from its beginning only when a checkpoint has caught
//! up with the writer; if that does not happen by itself, the writer is held between two batches for the short rest.

use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use rusqlite::Connection;

/// Without commits for so long the log is emptied and cut.
const IDLE: Duration = Duration::from_secs(10);

/// The longest wait for a writer that has to be held; one that is idle does not come by.
const HOLD_WAIT: Duration = Duration::from_secs(1);

/// When the log is moved; in pages of 4 KiB.
#[derive(Clone, Copy, Debug)]
pub(super) struct LogLimits {
    /// From so many pages on it is worth it. The more, the less is written, because pages that change often are moved
    /// once.
    pub(super) worth_pages: u64,
    /// From so many pages on the writer is held for the rest.
    pub(super) hold_pages: u64,
}

struct State {
    /// Pages in the log after the newest commit.
    pages: u64,
    /// Pages at which the next checkpoint is due.
    next: u64,
    /// Pages at which the writer is held next.
    next_hold: u64,
    /// Commits so far.
    commits: u64,
    /// The checkpointer wants the writer to wait.
    hold: bool,
    /// The writer waits.
    held: bool,
    /// The writer has gone: nothing to hold.
    stopped: bool,
}

/// What writer and checkpointer tell each other.
pub(super) struct Checkpoints {
    limits: LogLimits,
    state: Mutex<State>,
    changed: Condvar,
}

/// Why the checkpointer woke.
enum Due {
    /// The log has grown; hold the writer or not.
    Grown { hold: bool },
    /// Nothing was committed for a while.
    Idle,
    /// The store is being shut down.
    Stopped,
}

impl Checkpoints {
    /// For a log that is empty or unknown.
    pub(super) fn new(limits: LogLimits) -> Self {
        let state = State {
            pages: 0,
            next: limits.worth_pages,
            next_hold: limits.hold_pages,
            commits: 0,
            hold: false,
            held: false,
            stopped: false,
        };
        Self { limits, state: Mutex::new(state), changed: Condvar::new() }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// From the writer's commit: the log has so many pages now.
    pub(super) fn committed(&self, pages: u64) {
        let mut state = self.lock();
        if pages < state.pages {
            // The log has begun again.
            (state.next, state.next_hold) = (self.limits.worth_pages, self.limits.hold_pages);
        }
        state.pages = pages;
        state.commits += 1;
        if pages >= state.next {
            self.changed.notify_all();
        }
    }

    /// From the writer between two batches: waits while it is to be held.
    pub(super) fn let_pass(&self) {
        let mut state = self.lock();
        if !state.hold {
            return;
        }
        state.held = true;
        self.changed.notify_all();
        state = self.changed.wait_while(state, |state| state.hold).unwrap_or_else(PoisonError::into_inner);
        state.held = false;
    }

    /// The writer has gone; the checkpointer does its last work and ends.
    pub(super) fn stop(&self) {
        self.lock().stopped = true;
        self.changed.notify_all();
    }

    /// The checkpointer's thread.
    pub(super) fn run(&self, connection: &Connection) {
        let mut seen = 0;
        loop {
            match self.wait(&mut seen) {
                Due::Grown { hold } => {
                    checkpoint(connection, "PASSIVE");
                    if hold {
                        self.finish_while_held(connection);
                    }
                }
                Due::Idle => self.empty(connection, seen),
                Due::Stopped => {
                    checkpoint(connection, "TRUNCATE");
                    return;
                }
            }
        }
    }

    /// Waits for something to do; `seen` are the commits known when it last was idle.
    fn wait(&self, seen: &mut u64) -> Due {
        loop {
            let waited = self.changed.wait_timeout_while(self.lock(), IDLE, |state| !state.is_due());
            let (mut state, waited) = waited.unwrap_or_else(PoisonError::into_inner);
            if let Some(due) = state.due(self.limits) {
                return due;
            }
            let quiet = waited.timed_out() && state.commits == *seen;
            *seen = state.commits;
            if quiet && state.pages > 0 {
                return Due::Idle;
            }
        }
    }

    /// Moves a log that has grown; false if that is not due. Who calls this is also who writes, so the writer is held
    /// already.
    pub(super) fn step(&self, connection: &Connection) -> bool {
        let due = self.lock().due(self.limits);
        let grown = matches!(due, Some(Due::Grown { .. }));
        if grown {
            checkpoint(connection, "PASSIVE");
        }
        grown
    }

    /// Empties the log and cuts it, as after a while without commits.
    pub(super) fn empty_now(&self, connection: &Connection) {
        let commits = self.lock().commits;
        self.empty(connection, commits);
    }

    /// Empties the log and cuts it; whether that worked shows in the next commit.
    fn empty(&self, connection: &Connection, commits: u64) {
        checkpoint(connection, "TRUNCATE");
        let mut state = self.lock();
        if state.commits == commits {
            state.pages = 0;
        }
    }

    fn finish_while_held(&self, connection: &Connection) {
        let mut state = self.lock();
        state.hold = true;
        let waited = self.changed.wait_timeout_while(state, HOLD_WAIT, |state| !state.held && !state.stopped);
        drop(waited.unwrap_or_else(PoisonError::into_inner).0);
        checkpoint(connection, "PASSIVE");
        self.lock().hold = false;
        self.changed.notify_all();
    }
}

impl State {
    fn is_due(&self) -> bool {
        self.stopped || self.pages >= self.next
    }

    /// What is to be done now, if anything.
    fn due(&mut self, limits: LogLimits) -> Option<Due> {
        if self.stopped {
            return Some(Due::Stopped);
        }
        (self.pages >= self.next).then(|| Due::Grown { hold: self.schedule(limits) })
    }

    /// Sets when it is due again if this time does not help, because a backup or a long read holds the log: not with
    /// every commit. Tells whether the writer is to be held this time.
    fn schedule(&mut self, limits: LogLimits) -> bool {
        self.next = self.pages + limits.worth_pages.div_ceil(4);
        let hold = self.pages >= self.next_hold;
        if hold {
            self.next_hold = self.pages + limits.worth_pages;
        }
        hold
    }
}

/// A checkpoint that cannot finish is no fault: readers or a backup hold the log, and the next one goes on.
fn checkpoint(connection: &Connection, mode: &str) {
    let result = connection.query_row(&format!("PRAGMA wal_checkpoint({mode})"), [], |row| {
        Ok((row.get::<_, i64>(0)?, row.get::<_, i64>(1)?, row.get::<_, i64>(2)?))
    });
    match result {
        Ok((busy, log, moved)) => tracing::debug!(mode, busy, log, moved, "checkpoint"),
        Err(error) => tracing::error!(%error, mode, "a checkpoint failed"),
    }
}
