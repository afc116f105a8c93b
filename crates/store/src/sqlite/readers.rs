//! Reads and the threads that run them, each with its own connection. Bounded queue; every read has a deadline.
#![allow(clippy::disallowed_methods, reason = "a shell: a deadline of a real disk is real time")]

use std::collections::VecDeque;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use rusqlite::Connection;
use tokio::sync::oneshot;

use super::fault::{Fault, Result};
use crate::Error;

/// Steps of SQLite's machine between two looks at the clock, about 0.1 ms.
const STEPS: i32 = 10_000;

/// What a reader runs: with a connection, or, if it cannot be run any more, without.
type Read = Box<dyn FnOnce(Option<&Connection>) + Send>;

#[derive(Default)]
struct State {
    reads: VecDeque<Read>,
    closed: bool,
}

/// The queue of reads.
pub(super) struct Readers {
    state: Mutex<State>,
    ready: Condvar,
    waiting_max: usize,
    deadline: Duration,
}

impl Readers {
    /// Nobody reads yet: threads do with [`Readers::run`], whoever has none with [`Readers::step`].
    pub(super) fn new(waiting_max: usize, deadline: Duration) -> Self {
        Self { state: Mutex::default(), ready: Condvar::new(), waiting_max, deadline }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Queues a read; what it reads is one instant of the store.
    pub(super) fn read<T: Send + 'static>(
        &self,
        read: impl FnOnce(&Connection) -> Result<T> + Send + 'static,
    ) -> oneshot::Receiver<crate::Result<T>> {
        let (reply, answer) = oneshot::channel();
        let run: Read = Box::new(move |connection| {
            let result = match connection {
                Some(connection) if !reply.is_closed() => at_one_instant(connection, read).map_err(Fault::into_error),
                _ => Err(Error::Busy),
            };
            // The caller may have gone.
            let _ = reply.send(result);
        });
        let mut state = self.lock();
        if state.closed || state.reads.len() >= self.waiting_max {
            drop(state);
            run(None);
        } else {
            state.reads.push_back(run);
            drop(state);
            self.ready.notify_one();
        }
        answer
    }

    /// Reads that wait.
    pub(super) fn depth(&self) -> usize {
        self.lock().reads.len()
    }

    /// Ends the threads; what waits is refused.
    pub(super) fn close(&self) {
        let mut state = self.lock();
        state.closed = true;
        let refused = std::mem::take(&mut state.reads);
        drop(state);
        self.ready.notify_all();
        refused.into_iter().for_each(|read| read(None));
    }

    /// A reader's thread.
    pub(super) fn run(&self, connection: &Connection, deadline: &Deadline) {
        while let Some(read) = self.next() {
            deadline.set(self.deadline);
            run(read, connection);
        }
    }

    /// Runs the read that has waited longest; false if none waits. Nothing but the read itself ends it.
    pub(super) fn step(&self, connection: &Connection) -> bool {
        let Some(read) = self.lock().reads.pop_front() else { return false };
        run(read, connection);
        true
    }

    fn next(&self) -> Option<Read> {
        let state = self.lock();
        let waited = self.ready.wait_while(state, |state| state.reads.is_empty() && !state.closed);
        waited.unwrap_or_else(PoisonError::into_inner).reads.pop_front()
    }
}

/// When the read that runs must end.
pub(super) struct Deadline {
    start: Instant,
    at_ms: AtomicU64,
}

impl Deadline {
    /// Makes the connection stop its reads at deadlines that are set later.
    pub(super) fn watch(connection: &mut Connection) -> rusqlite::Result<Arc<Self>> {
        let clock = Arc::new(Self { start: Instant::now(), at_ms: AtomicU64::new(u64::MAX) });
        let watched = Arc::clone(&clock);
        connection.progress_handler(STEPS, Some(move || watched.is_over()))?;
        Ok(clock)
    }

    fn now_ms(&self) -> u64 {
        self.start.elapsed().as_millis() as u64
    }

    /// It must end within this time.
    pub(super) fn set(&self, span: Duration) {
        self.at_ms.store(self.now_ms() + span.as_millis() as u64, Ordering::Relaxed);
    }

    /// There is none.
    pub(super) fn clear(&self) {
        self.at_ms.store(u64::MAX, Ordering::Relaxed);
    }

    fn is_over(&self) -> bool {
        self.now_ms() > self.at_ms.load(Ordering::Relaxed)
    }
}

/// Runs a read; whatever it does, the connection is ready for the next one.
fn run(read: Read, connection: &Connection) {
    let ran = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| read(Some(connection))));
    if ran.is_err() {
        tracing::error!("a read panicked");
    }
    if !connection.is_autocommit()
        && let Err(error) = connection.execute_batch("ROLLBACK")
    {
        tracing::error!(%error, "a reader cannot end its transaction");
    }
}

fn at_one_instant<T>(connection: &Connection, read: impl FnOnce(&Connection) -> Result<T>) -> Result<T> {
    connection.prepare_cached("BEGIN")?.execute([])?;
    let result = read(connection);
    // A read that was interrupted may have ended its transaction already.
    if !connection.is_autocommit() {
        connection.prepare_cached("COMMIT")?.execute([])?;
    }
    result
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_read_that_never_ends_is_stopped_and_the_next_one_works() {
        let readers = Arc::new(Readers::new(8, Duration::from_millis(20)));
        let threads = Arc::clone(&readers);
        let thread = std::thread::spawn(move || {
            let mut connection = Connection::open_in_memory().expect("memory");
            let deadline = Deadline::watch(&mut connection).expect("watched");
            threads.run(&connection, &deadline);
        });
        let endless = readers.read(|connection| {
            let sql = "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n) SELECT count(*) FROM n";
            Ok(connection.query_row(sql, [], |row| row.get::<_, i64>(0))?)
        });
        assert_eq!(endless.blocking_recv().expect("answered"), Err(Error::Busy));
        let short = readers.read(|connection| Ok(connection.query_row("SELECT 7", [], |row| row.get::<_, i64>(0))?));
        assert_eq!(short.blocking_recv().expect("answered"), Ok(7));
        readers.close();
        thread.join().expect("ended");
        assert_eq!(readers.read(|_| Ok(())).blocking_recv().expect("answered"), Err(Error::Busy));
    }

    #[test]
    fn what_does_not_fit_into_the_queue_is_refused_at_once() {
        let readers = Readers::new(1, Duration::from_secs(1));
        let _waits = readers.read(|_| Ok(()));
        assert_eq!(readers.read(|_| Ok(())).blocking_recv().expect("answered"), Err(Error::Busy));
        assert_eq!(readers.depth(), 1);
    }
}
