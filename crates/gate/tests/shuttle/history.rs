//! What several threads did to one thing, and whether the same could have come of doing it one after another.

use std::fmt::Debug;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

/// One call: between which moments it happened, what it was, what came of it.
#[derive(Clone, Debug)]
struct Call<O, R> {
    begun: usize,
    ended: usize,
    operation: O,
    result: R,
}

/// Calls of all threads. Its own locks are std's, so that shuttle does not switch here.
pub struct History<O, R> {
    clock: AtomicUsize,
    calls: Mutex<Vec<Call<O, R>>>,
}

impl<O: Clone + Debug, R: PartialEq + Debug> History<O, R> {
    pub fn new() -> Arc<Self> {
        Arc::new(Self { clock: AtomicUsize::new(0), calls: Mutex::default() })
    }

    fn moment(&self) -> usize {
        self.clock.fetch_add(1, Ordering::Relaxed)
    }

    /// Does something and writes it down.
    pub fn call(&self, operation: O, act: impl FnOnce(&O) -> R) {
        let begun = self.moment();
        let result = act(&operation);
        let ended = self.moment();
        self.calls.lock().unwrap().push(Call { begun, ended, operation, result });
    }

    /// Fails unless there is an order of the calls, none before one that had ended when it began, in which a model gives
    /// the same results.
    pub fn is_explained_by<M: Clone>(&self, model: M, apply: impl Fn(&mut M, &O) -> R) {
        assert!(self.has_explanation(model, apply), "no order explains {:#?}", self.calls.lock().unwrap());
    }

    fn has_explanation<M: Clone>(&self, model: M, apply: impl Fn(&mut M, &O) -> R) -> bool {
        let calls = self.calls.lock().unwrap();
        explained(&model, &calls.iter().collect::<Vec<_>>(), &apply)
    }
}

fn explained<M: Clone, O, R: PartialEq>(model: &M, left: &[&Call<O, R>], apply: &impl Fn(&mut M, &O) -> R) -> bool {
    let Some(first_end) = left.iter().map(|call| call.ended).min() else { return true };
    left.iter().enumerate().filter(|(_, call)| call.begun < first_end).any(|(at, call)| {
        let mut next = model.clone();
        if apply(&mut next, &call.operation) != call.result {
            return false;
        }
        let mut rest = left.to_vec();
        rest.remove(at);
        explained(&next, &rest, apply)
    })
}

#[test]
fn what_cannot_have_been_is_found() {
    let register = |model: &mut i32, operation: &&str| match *operation {
        "put" => std::mem::replace(model, 1),
        _ => std::mem::replace(model, 0),
    };
    for (taken, possible) in [(0, false), (1, true)] {
        let history = History::new();
        history.call("put", |_| 0);
        history.call("take", |_| taken);
        assert_eq!(history.has_explanation(0, register), possible, "after a put there is something to take");
    }
    // Two that overlap may have been in either order.
    let history = History::new();
    let (put, take) = ("put", "take");
    history.call(put, |_| {
        history.call(take, |_| 0);
        0
    });
    assert!(history.has_explanation(0, register));
}
