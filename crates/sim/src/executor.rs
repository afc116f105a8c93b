//! Time and tasks: one queue of what happens when, and an executor that runs ready tasks in an order the seed decides.
//!
//! Tasks belong to a process of the simulated server; a process can be frozen and killed. Nothing here knows what the
//! tasks do.

use std::cmp::Ordering;
use std::collections::BinaryHeap;
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, Wake, Waker};

use hongyan_domain::environment::{Environment, Pending};
use hongyan_domain::time::UnixMillis;

use crate::random::Random;

/// Polls of tasks at one moment; no world needs so many.
const POLLS_MAX: u32 = 10_000_000;
/// The wall clock when a world begins.
const EPOCH_MS: u64 = 1_790_000_000_000;

/// One life of the server.
pub type Process = u32;

/// What comes up in the queue, other than tasks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Happening {
    /// A segment reaches the end of a line.
    Segment { line: usize, up: bool },
    /// The end of a stream, or its reset, reaches the end of a line.
    Ended { line: usize, up: bool },
    /// A dialled line stands, or is refused.
    Dialled { device: usize, dial: u64 },
    /// Nothing was acknowledged for too long.
    Unacknowledged { line: usize },
    /// A device's own deadline, unless it was set anew.
    Deadline { device: usize, set: u64 },
    /// A process of a device starts again.
    DeviceStarts { device: usize },
    /// A slow reader reads again.
    DeviceReads { device: usize },
    /// A sync of the server's disk is done.
    Synced,
    /// The server starts again.
    ServerStarts,
    /// A frozen server goes on.
    ServerThaws,
    /// A step of the plan.
    Step { number: usize },
}

enum What {
    Wake(Waker),
    Happen(Happening),
}

struct Entry {
    at_us: u64,
    order: u64,
    what: What,
}

impl PartialEq for Entry {
    fn eq(&self, other: &Self) -> bool {
        self.cmp(other) == Ordering::Equal
    }
}

impl Eq for Entry {}

impl PartialOrd for Entry {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Entry {
    /// The earliest is the greatest, as the heap gives the greatest first.
    fn cmp(&self, other: &Self) -> Ordering {
        (other.at_us, other.order).cmp(&(self.at_us, self.order))
    }
}

struct Task {
    process: Process,
    future: Option<Pin<Box<dyn Future<Output = ()> + Send>>>,
    waker: Waker,
}

struct Inner {
    now_us: u64,
    wall_ahead_ms: i64,
    random: Random,
    /// Ready tasks run in the order they became ready, or in any order.
    in_order: bool,
    order: u64,
    queue: BinaryHeap<Entry>,
    tasks: Vec<Option<Task>>,
    free: Vec<usize>,
    /// Lives that may run; anything else is dropped.
    alive: Option<Process>,
    frozen: bool,
    polls: u64,
}

/// Ready tasks by slot. A slot may have been given to another task since: a poll too many does no harm.
#[derive(Default)]
struct Ready(Mutex<Vec<usize>>);

struct TaskWaker {
    slot: usize,
    ready: Arc<Ready>,
}

impl Wake for TaskWaker {
    fn wake(self: Arc<Self>) {
        self.wake_by_ref();
    }

    fn wake_by_ref(self: &Arc<Self>) {
        lock(&self.ready.0).push(self.slot);
    }
}

/// Time, randomness and tasks of one world.
pub struct Executor {
    inner: Mutex<Inner>,
    ready: Arc<Ready>,
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    // A panic of a task is caught and judged; what it left is whole.
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Executor {
    /// Time 0, nothing to do.
    pub fn new(mut random: Random) -> Arc<Self> {
        let in_order = random.chance(300_000);
        let inner = Inner {
            now_us: 0,
            wall_ahead_ms: 0,
            random,
            in_order,
            order: 0,
            queue: BinaryHeap::new(),
            tasks: Vec::new(),
            free: Vec::new(),
            alive: None,
            frozen: false,
            polls: 0,
        };
        Arc::new(Self { inner: Mutex::new(inner), ready: Arc::default() })
    }

    /// Microseconds since the world began.
    pub fn now_us(&self) -> u64 {
        lock(&self.inner).now_us
    }

    /// What the wall clock shows, in milliseconds since 1970.
    pub fn wall_ms(&self) -> u64 {
        let inner = lock(&self.inner);
        (EPOCH_MS + inner.now_us / 1000).saturating_add_signed(inner.wall_ahead_ms)
    }

    /// The wall clock jumps.
    pub fn jump(&self, by_ms: i64) {
        lock(&self.inner).wall_ahead_ms += by_ms;
    }

    /// The world's randomness.
    pub fn random<R>(&self, draw: impl FnOnce(&mut Random) -> R) -> R {
        draw(&mut lock(&self.inner).random)
    }

    /// Polls of tasks so far.
    pub fn polls(&self) -> u64 {
        lock(&self.inner).polls
    }

    /// Tasks that are not finished.
    pub fn tasks(&self) -> usize {
        lock(&self.inner).tasks.iter().flatten().count()
    }

    /// Something will happen.
    pub fn schedule(&self, at_us: u64, happening: Happening) {
        lock(&self.inner).push(at_us, What::Happen(happening));
    }

    /// From now on this process lives, and no other.
    pub fn begin(&self, process: Process) {
        let mut inner = lock(&self.inner);
        (inner.alive, inner.frozen) = (Some(process), false);
    }

    /// The living process stops in the middle of whatever it does, and nothing it tries to begin begins.
    pub fn kill(&self) {
        let dead: Vec<_> = {
            let mut inner = lock(&self.inner);
            (inner.alive, inner.frozen) = (None, false);
            inner.free.clear();
            inner.tasks.drain(..).collect()
        };
        lock(&self.ready.0).clear();
        drop(dead);
        lock(&self.ready.0).clear();
    }

    /// The living process does not run until it is thawed.
    pub fn freeze(&self, frozen: bool) {
        lock(&self.inner).frozen = frozen;
    }

    /// Whether the process is frozen.
    pub fn is_frozen(&self) -> bool {
        lock(&self.inner).frozen
    }

    /// Runs a task in the living process.
    pub fn spawn(&self, process: Process, future: Pending<'static, ()>) {
        let mut inner = lock(&self.inner);
        if inner.alive != Some(process) {
            drop(inner);
            drop(future);
            return;
        }
        let slot = inner.free.pop().unwrap_or(inner.tasks.len());
        let waker = Waker::from(Arc::new(TaskWaker { slot, ready: self.ready.clone() }));
        let task = Some(Task { process, future: Some(future), waker });
        if slot == inner.tasks.len() {
            inner.tasks.push(task);
        } else {
            inner.tasks[slot] = task;
        }
        drop(inner);
        lock(&self.ready.0).push(slot);
    }

    /// Runs tasks until none is ready. Returns what a task panicked with.
    pub fn run_ready(&self) -> Result<(), String> {
        let mut polls = 0_u32;
        while let Some(slot) = self.next_ready() {
            polls += 1;
            if polls > POLLS_MAX {
                return Err(format!("tasks never rest: {POLLS_MAX} polls, and no time has passed"));
            }
            let taken = {
                let mut inner = lock(&self.inner);
                inner.polls += 1;
                let task = inner.tasks.get_mut(slot).and_then(Option::as_mut);
                task.and_then(|task| Some((task.process, task.future.take()?, task.waker.clone())))
            };
            let Some((process, mut future, waker)) = taken else { continue };
            let poll = || future.as_mut().poll(&mut Context::from_waker(&waker));
            let polled = std::panic::catch_unwind(std::panic::AssertUnwindSafe(poll));
            let mut inner = lock(&self.inner);
            if inner.alive != Some(process) {
                drop(inner);
                drop(future);
                continue;
            }
            match polled {
                Ok(Poll::Pending) => {
                    if let Some(Some(task)) = inner.tasks.get_mut(slot) {
                        task.future = Some(future);
                    }
                }
                Ok(Poll::Ready(())) => {
                    let task = inner.tasks[slot].take();
                    inner.free.push(slot);
                    drop(inner);
                    drop((task, future));
                }
                Err(panic) => {
                    drop(inner);
                    return Err(crate::world::what_panicked(&*panic));
                }
            }
        }
        Ok(())
    }

    fn next_ready(&self) -> Option<usize> {
        let mut ready = lock(&self.ready.0);
        if ready.is_empty() {
            return None;
        }
        let mut inner = lock(&self.inner);
        if inner.frozen {
            return None;
        }
        if inner.in_order {
            return Some(ready.remove(0));
        }
        let at = inner.random.index(ready.len());
        Some(ready.swap_remove(at))
    }

    /// Moves time to what comes next, not beyond an end; wakes are done here.
    pub fn next(&self, end_us: u64) -> Next {
        let mut inner = lock(&self.inner);
        match inner.queue.peek() {
            Some(entry) if entry.at_us <= end_us => {}
            _ => {
                inner.now_us = inner.now_us.max(end_us);
                return Next::End;
            }
        }
        let Some(entry) = inner.queue.pop() else { return Next::End };
        inner.now_us = entry.at_us;
        drop(inner);
        match entry.what {
            What::Wake(waker) => {
                waker.wake();
                Next::Woken
            }
            What::Happen(happening) => Next::Happened(happening),
        }
    }
}

/// What came next.
pub enum Next {
    /// A task was woken.
    Woken,
    /// Something else.
    Happened(Happening),
    /// Nothing before the end.
    End,
}

impl Inner {
    fn push(&mut self, at_us: u64, what: What) {
        self.order += 1;
        let entry = Entry { at_us: at_us.max(self.now_us), order: self.order, what };
        self.queue.push(entry);
    }
}

/// The environment of one process.
pub struct ProcessEnvironment {
    executor: Arc<Executor>,
    process: Process,
}

impl ProcessEnvironment {
    /// For a process that lives.
    pub fn new(executor: Arc<Executor>, process: Process) -> Arc<Self> {
        Arc::new(Self { executor, process })
    }
}

impl Environment for ProcessEnvironment {
    fn monotonic_us(&self) -> u64 {
        self.executor.now_us()
    }

    fn wall_clock(&self) -> UnixMillis {
        UnixMillis(self.executor.wall_ms())
    }

    fn random(&self, bytes: &mut [u8]) {
        self.executor.random(|random| random.fill(bytes));
    }

    fn spawn(&self, task: Pending<'static, ()>) {
        self.executor.spawn(self.process, task);
    }

    fn sleep_ms(&self, span_ms: u64) -> Pending<'static, ()> {
        let at_us = self.executor.now_us() + span_ms * 1000;
        Box::pin(Sleep { executor: self.executor.clone(), at_us, scheduled: false })
    }
}

struct Sleep {
    executor: Arc<Executor>,
    at_us: u64,
    scheduled: bool,
}

impl Future for Sleep {
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<()> {
        let (at_us, scheduled) = (self.at_us, self.scheduled);
        let mut inner = lock(&self.executor.inner);
        if inner.now_us >= at_us {
            return Poll::Ready(());
        }
        // A sleep stays in the task that first polled it.
        if !scheduled {
            inner.push(at_us, What::Wake(context.waker().clone()));
            drop(inner);
            self.scheduled = true;
        }
        Poll::Pending
    }
}
