//! The suite of every store, for the embedded one in turns over a simulated disk that is well.

use std::pin::pin;
use std::sync::{Arc, Mutex, RwLockReadGuard};

use hongyan_sim::sqlite_disk::SimulatedDisk;
use hongyan_store::Listener;
use hongyan_store::conformance::Fixture;
use hongyan_store::sqlite::{SqliteStore, Step, Stepper};

use super::world::{among_others, options};

/// A simulated disk that is well, with the stepper of its store.
pub(super) struct Well {
    disk: SimulatedDisk,
    stepper: Mutex<Option<Stepper>>,
    _salts: RwLockReadGuard<'static, ()>,
}

impl Well {
    pub(super) fn new() -> Self {
        let salts = among_others();
        Self { disk: SimulatedDisk::new().expect("a folder"), stepper: Mutex::default(), _salts: salts }
    }

    fn step(&self) -> bool {
        let mut stepper = self.stepper.lock().expect("one thread");
        let Some(stepper) = stepper.as_mut() else { return false };
        let (wrote, read, moved) = (stepper.write() == Step::Done, stepper.read(), stepper.checkpoint());
        wrote || read || moved
    }
}

impl Fixture for Well {
    type Store = SqliteStore;

    fn open(&self, listener: Arc<dyn Listener>) -> Arc<SqliteStore> {
        let (store, stepper) = SqliteStore::open_stepped(self.disk.folder(), options(), listener).expect("opened");
        *self.stepper.lock().expect("one thread") = Some(stepper);
        store
    }

    fn close(&self, _: Arc<SqliteStore>) {
        self.stepper.lock().expect("one thread").take().expect("open").shutdown();
    }
}

/// Polls a test; whenever it waits, the store takes turns.
pub(super) async fn in_turns(store: &Well, test: impl Future<Output = ()>) {
    let mut test = pin!(test);
    std::future::poll_fn(|context| {
        loop {
            let polled = test.as_mut().poll(context);
            if polled.is_ready() || !store.step() {
                return polled;
            }
        }
    })
    .await;
}

mod every_store {
    hongyan_store::conformance_suite!(crate::suite::Well::new(), crate::suite::in_turns);
}
