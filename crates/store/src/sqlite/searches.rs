//! The queue of searches and the thread that runs them. Between searches the thread takes what was committed into the index,
//! at most a tenth of its time, so that indexing never competes with the writer for long.
#![allow(clippy::disallowed_methods, reason = "a shell: a share of time is of real time")]

use std::collections::VecDeque;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use tokio::sync::oneshot;

use super::fault::{Fault, Result};
use super::search::Index;
use crate::Error;

/// Searches that may wait; more are refused with [`Error::Busy`].
const WAITING_MAX: usize = 256;
/// Rows that are taken in at once, between two searches.
const ROWS: u32 = 500;
/// So many times as long as it has worked the thread pauses.
const PAUSES: u32 = 9;
/// The shortest pause: what is committed meanwhile is taken in at once.
const PAUSE_MIN: Duration = Duration::from_millis(100);
/// The pause after something has failed.
const PAUSE_FAILED: Duration = Duration::from_secs(10);

/// What the thread runs; without an index if it cannot be run any more.
type Work = Box<dyn FnOnce(Option<&mut Index>) + Send>;

#[derive(Default)]
struct State {
    works: VecDeque<Work>,
    closed: bool,
}

/// The queue.
#[derive(Default)]
pub(super) struct Searches {
    state: Mutex<State>,
    ready: Condvar,
    /// Something was committed that is not in the index.
    behind: AtomicBool,
}

/// What the thread does next.
enum Next {
    Work(Work),
    Follow,
    Close,
}

impl Searches {
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Something was committed. Costs the writer next to nothing: the thread looks when its pause is over.
    pub(super) fn committed(&self) {
        if !self.behind.swap(true, Ordering::AcqRel) {
            drop(self.lock());
            self.ready.notify_one();
        }
    }

    /// Queues a question.
    pub(super) fn ask<T: Send + 'static>(
        &self,
        ask: impl FnOnce(&mut Index) -> Result<T> + Send + 'static,
    ) -> oneshot::Receiver<crate::Result<T>> {
        let (reply, answer) = oneshot::channel();
        let work: Work = Box::new(move |index| {
            let result = match index {
                Some(index) if !reply.is_closed() => ask(index).map_err(Fault::into_error),
                _ => Err(Error::Busy),
            };
            // The caller may have gone.
            let _ = reply.send(result);
        });
        let mut state = self.lock();
        if state.closed || state.works.len() >= WAITING_MAX {
            drop(state);
            work(None);
        } else {
            state.works.push_back(work);
            drop(state);
            self.ready.notify_one();
        }
        answer
    }

    /// Ends the thread; what waits is refused.
    pub(super) fn close(&self) {
        let mut state = self.lock();
        state.closed = true;
        let refused = std::mem::take(&mut state.works);
        drop(state);
        self.ready.notify_all();
        refused.into_iter().for_each(|work| work(None));
    }

    /// The thread.
    pub(super) fn run(&self, mut index: Index) {
        self.behind.store(true, Ordering::Release);
        let mut not_before = Instant::now();
        loop {
            match self.next(not_before) {
                Next::Work(work) => run(work, &mut index),
                Next::Follow => not_before = self.follow(&mut index),
                Next::Close => return,
            }
        }
    }

    /// Takes in what is new; when the next time may be.
    fn follow(&self, index: &mut Index) -> Instant {
        let begun = Instant::now();
        self.behind.store(false, Ordering::Release);
        let pause = match index.follow(ROWS) {
            Ok(rows) => {
                if rows == ROWS {
                    self.behind.store(true, Ordering::Release);
                }
                (begun.elapsed() * PAUSES).max(if rows == ROWS { Duration::ZERO } else { PAUSE_MIN })
            }
            Err(fault) => {
                tracing::warn!(?fault, "messages could not be taken into the index for searching");
                self.behind.store(true, Ordering::Release);
                PAUSE_FAILED
            }
        };
        Instant::now() + pause
    }

    fn next(&self, not_before: Instant) -> Next {
        let mut state = self.lock();
        loop {
            if let Some(work) = state.works.pop_front() {
                return Next::Work(work);
            }
            if state.closed {
                return Next::Close;
            }
            let pause = not_before.saturating_duration_since(Instant::now());
            let behind = self.behind.load(Ordering::Acquire);
            if behind && pause.is_zero() {
                return Next::Follow;
            }
            state = if behind {
                self.ready.wait_timeout(state, pause).unwrap_or_else(PoisonError::into_inner).0
            } else {
                self.ready.wait(state).unwrap_or_else(PoisonError::into_inner)
            };
        }
    }

    /// Runs what has waited longest; false if nothing waits. For stores without threads.
    pub(super) fn step(&self, index: &mut Index) -> bool {
        let Some(work) = self.lock().works.pop_front() else { return false };
        run(work, index);
        true
    }
}

fn run(work: Work, index: &mut Index) {
    let ran = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| work(Some(index))));
    if ran.is_err() {
        tracing::error!("a search panicked");
    }
}
