//! The answer that one caller waits for. A caller whose process died is never woken: it must not learn that.

use std::future::Future;
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, Waker};

enum Slot<T> {
    Waiting(Option<Waker>),
    Answered(T),
    Taken,
}

struct Shared<T>(Mutex<Slot<T>>);

impl<T> Shared<T> {
    fn lock(&self) -> MutexGuard<'_, Slot<T>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Who will answer. Dropped without an answer, it leaves the caller waiting.
pub(super) struct Sender<T>(Arc<Shared<T>>);

/// Who waits.
pub(super) struct Answer<T>(Arc<Shared<T>>);

/// The two ends.
pub(super) fn reply<T>() -> (Sender<T>, Answer<T>) {
    let shared = Arc::new(Shared(Mutex::new(Slot::Waiting(None))));
    (Sender(Arc::clone(&shared)), Answer(shared))
}

impl<T> Sender<T> {
    /// Answers and wakes the caller, who may have gone.
    pub(super) fn send(self, value: T) {
        let before = std::mem::replace(&mut *self.0.lock(), Slot::Answered(value));
        if let Slot::Waiting(Some(waker)) = before {
            waker.wake();
        }
    }
}

impl<T> Drop for Sender<T> {
    /// The waker goes, or a task that waits for ever would keep itself alive.
    fn drop(&mut self) {
        let waker = match &mut *self.0.lock() {
            Slot::Waiting(waker) => waker.take(),
            Slot::Answered(_) | Slot::Taken => None,
        };
        drop(waker);
    }
}

impl<T> Future for Answer<T> {
    type Output = T;

    fn poll(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<T> {
        let mut slot = self.0.lock();
        match std::mem::replace(&mut *slot, Slot::Taken) {
            Slot::Answered(value) => Poll::Ready(value),
            Slot::Waiting(_) | Slot::Taken => {
                *slot = Slot::Waiting(Some(context.waker().clone()));
                Poll::Pending
            }
        }
    }
}
