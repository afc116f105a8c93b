//! What waits for the writer: bounded, fair between apps. Knows nothing of what the work does.

use std::collections::{BTreeMap, VecDeque};
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use hongyan_domain::id::AppId;
use hongyan_fault::buggify;
use tokio::sync::oneshot;

use super::batch::Batch;
use super::fault::{Fault, Result};
use crate::Error;

/// One call that waits for its commit.
pub(super) trait Work: Send {
    /// Applies it within a transaction. May be called again after that transaction was rolled back.
    fn apply(&mut self, batch: &mut Batch<'_>) -> Result<()>;

    /// Answers the caller; the commit is durable.
    fn answer(self: Box<Self>);

    /// Answers the caller; nothing of it was written.
    fn refuse(self: Box<Self>, error: Error);
}

/// Work together with what the queue must know of it.
pub(super) struct Job {
    /// Whose turn it takes; `AppId(0)` for what belongs to no app.
    pub(super) app: AppId,
    /// How many entries it may append, at least 1.
    pub(super) items: usize,
    /// May use the reserve of a full disk.
    pub(super) uses_reserve: bool,
    /// What to do.
    pub(super) work: Box<dyn Work>,
}

/// A function with the answer it made and the caller who waits.
struct Call<F, T> {
    run: F,
    done: Option<T>,
    reply: oneshot::Sender<crate::Result<T>>,
}

impl<F, T> Work for Call<F, T>
where
    F: FnMut(&mut Batch<'_>) -> Result<T> + Send,
    T: Send,
{
    fn apply(&mut self, batch: &mut Batch<'_>) -> Result<()> {
        self.done = None;
        self.done = Some((self.run)(batch)?);
        Ok(())
    }

    fn answer(self: Box<Self>) {
        let done = self.done.ok_or_else(|| Fault::Row("answered before it was applied").into_error());
        // The caller may have gone; the commit stands.
        let _ = self.reply.send(done);
    }

    fn refuse(self: Box<Self>, error: Error) {
        let _ = self.reply.send(Err(error));
    }
}

/// Makes work of a function; the receiver gets its answer after the commit.
pub(super) fn call<F, T>(run: F) -> (Box<dyn Work>, oneshot::Receiver<crate::Result<T>>)
where
    F: FnMut(&mut Batch<'_>) -> Result<T> + Send + 'static,
    T: Send + 'static,
{
    let (reply, answer) = oneshot::channel();
    (Box::new(Call { run, done: None, reply }), answer)
}

/// What the writer gets.
pub(super) enum Taken {
    /// Jobs for one transaction.
    Jobs(Vec<Job>),
    /// Nothing came for the given time.
    Idle,
    /// Closed and empty.
    Closed,
}

#[derive(Default)]
struct State {
    lanes: BTreeMap<AppId, VecDeque<Job>>,
    turns: VecDeque<AppId>,
    items: usize,
    closed: bool,
}

/// The queue.
pub(super) struct Queue {
    state: Mutex<State>,
    ready: Condvar,
    items_max: usize,
}

impl Queue {
    /// An empty queue for at most so many items.
    pub(super) fn new(items_max: usize) -> Self {
        Self { state: Mutex::default(), ready: Condvar::new(), items_max }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        // No code that can panic runs under the lock, so its content is whole even if poisoned.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Adds a job; refuses it at once if the queue is full or closed. A job larger than the queue passes if it is empty.
    pub(super) fn push(&self, job: Job) {
        let mut state = self.lock();
        let full = (state.items > 0 && state.items + job.items > self.items_max) || buggify!("write queue full");
        if state.closed || full {
            drop(state);
            job.work.refuse(Error::Busy);
            return;
        }
        state.items += job.items;
        let app = job.app;
        let lane = state.lanes.entry(app).or_default();
        lane.push_back(job);
        if lane.len() == 1 {
            state.turns.push_back(app);
        }
        drop(state);
        self.ready.notify_one();
    }

    /// Waits for jobs; takes one of each app in turn until there are `items_max` items or no more jobs.
    pub(super) fn take(&self, items_max: usize, idle: Duration) -> Taken {
        let state = self.lock();
        let (mut state, _) = self
            .ready
            .wait_timeout_while(state, idle, |state| state.turns.is_empty() && !state.closed)
            .unwrap_or_else(PoisonError::into_inner);
        if state.turns.is_empty() {
            return if state.closed { Taken::Closed } else { Taken::Idle };
        }
        let mut jobs = Vec::new();
        let mut items = 0;
        while let Some(job) = state.next(items_max - items, jobs.is_empty()) {
            items += job.items;
            jobs.push(job);
            if items >= items_max {
                break;
            }
        }
        Taken::Jobs(jobs)
    }

    /// Items that wait.
    pub(super) fn depth(&self) -> usize {
        self.lock().items
    }

    /// Takes nothing more in; what waits is still done.
    pub(super) fn close(&self) {
        self.lock().closed = true;
        self.ready.notify_all();
    }
}

impl State {
    /// The job whose turn it is, unless it has more than `room` items and is not the `first`.
    fn next(&mut self, room: usize, first: bool) -> Option<Job> {
        let app = *self.turns.front()?;
        let lane = self.lanes.get_mut(&app)?;
        if !first && lane.front()?.items > room {
            return None;
        }
        let job = lane.pop_front()?;
        self.turns.pop_front();
        if lane.is_empty() {
            self.lanes.remove(&app);
        } else {
            self.turns.push_back(app);
        }
        self.items -= job.items;
        Some(job)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn job(app: i64, items: usize) -> (Job, oneshot::Receiver<crate::Result<()>>) {
        let (work, answer) = call(|_| Ok(()));
        (Job { app: AppId(app), items, uses_reserve: false, work }, answer)
    }

    fn taken(queue: &Queue, items_max: usize) -> Vec<(i64, usize)> {
        match queue.take(items_max, Duration::ZERO) {
            Taken::Jobs(jobs) => jobs.iter().map(|job| (job.app.0, job.items)).collect(),
            Taken::Idle | Taken::Closed => Vec::new(),
        }
    }

    #[test]
    fn apps_take_turns_and_batches_are_bounded() {
        let queue = Queue::new(100);
        for (app, items) in [(1, 1), (1, 2), (1, 3), (2, 4), (3, 5)] {
            queue.push(job(app, items).0);
        }
        assert_eq!(taken(&queue, 7), [(1, 1), (2, 4)]);
        assert_eq!(taken(&queue, 1024), [(3, 5), (1, 2), (1, 3)]);
        queue.push(job(1, 50).0);
        assert_eq!(taken(&queue, 10), [(1, 50)], "one call is never split");
        assert_eq!(queue.depth(), 0);
    }

    #[test]
    fn a_full_or_closed_queue_refuses_at_once_and_still_drains() {
        let queue = Queue::new(3);
        let (first, _waits) = job(1, 3);
        queue.push(first);
        let (second, mut answer) = job(2, 1);
        queue.push(second);
        assert_eq!(answer.try_recv().expect("answered"), Err(Error::Busy));
        queue.close();
        let (third, mut answer) = job(1, 1);
        queue.push(third);
        assert_eq!(answer.try_recv().expect("answered"), Err(Error::Busy));
        assert_eq!(taken(&queue, 9), [(1, 3)]);
        assert!(matches!(queue.take(9, Duration::from_secs(60)), Taken::Closed));
    }
}
