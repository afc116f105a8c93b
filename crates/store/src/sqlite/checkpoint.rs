//! Moves the write-ahead log into the data file, on a thread and connection of its own, so that no commit pays for it.
//!
//! A passive checkpoint runs beside the writer. The log starts again from its beginning only when a checkpoint has caught
//! up with the writer; if that does not happen by itself, the writer is held between two batches for the short rest.

use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use rusqlite::Connection;

/// Pages in the log from which on it is worth moving them (64 MiB).
const WORTH_FRAMES: i64 = 16 * 1024;

/// Pages in the log from which on the writer is held for the rest (256 MiB).
const HOLD_FRAMES: i64 = 64 * 1024;

/// Without commits for so long the log is emptied and cut.
const IDLE: Duration = Duration::from_secs(10);

#[derive(Default)]
struct State {
    /// Pages in the log after the newest commit.
    frames: i64,
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
#[derive(Default)]
pub(super) struct Checkpoints {
    state: Mutex<State>,
    changed: Condvar,
}

impl Checkpoints {
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn wait<'a>(&self, state: MutexGuard<'a, State>, until: impl Fn(&State) -> bool) -> MutexGuard<'a, State> {
        self.changed.wait_while(state, |state| !until(state)).unwrap_or_else(PoisonError::into_inner)
    }

    /// From the writer's commit: the log has so many pages now.
    pub(super) fn committed(&self, frames: i64) {
        let mut state = self.lock();
        state.frames = frames;
        state.commits += 1;
        if frames >= WORTH_FRAMES {
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
        state = self.wait(state, |state| !state.hold);
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
            let (state, waited) = self
                .changed
                .wait_timeout_while(self.lock(), IDLE, |state| {
                    !state.stopped && (state.frames < WORTH_FRAMES || state.commits == seen)
                })
                .unwrap_or_else(PoisonError::into_inner);
            let (stopped, commits, frames) = (state.stopped, state.commits, state.frames);
            drop(state);
            if stopped {
                checkpoint(connection, "TRUNCATE");
                return;
            }
            if waited.timed_out() {
                if commits != seen {
                    seen = commits;
                } else if frames > 0 {
                    checkpoint(connection, "TRUNCATE");
                    self.forget_frames(commits);
                }
                continue;
            }
            seen = commits;
            checkpoint(connection, "PASSIVE");
            if frames >= HOLD_FRAMES {
                self.finish_while_held(connection);
            }
        }
    }

    /// The log was cut, unless something was committed since.
    fn forget_frames(&self, commits: u64) {
        let mut state = self.lock();
        if state.commits == commits {
            state.frames = 0;
        }
    }

    fn finish_while_held(&self, connection: &Connection) {
        let mut state = self.lock();
        state.hold = true;
        drop(self.wait_held(state));
        checkpoint(connection, "PASSIVE");
        state = self.lock();
        state.hold = false;
        self.changed.notify_all();
    }

    /// An idle writer does not come by; then there is nothing to hold either.
    fn wait_held<'a>(&self, state: MutexGuard<'a, State>) -> MutexGuard<'a, State> {
        let wait = Duration::from_secs(1);
        let waited = self.changed.wait_timeout_while(state, wait, |state| !state.held && !state.stopped);
        waited.unwrap_or_else(PoisonError::into_inner).0
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
