//! The model store against the suite that every store must pass. Its syncs take no time here; what a failing disk does is
//! tested beside the store.

use std::sync::Arc;

use hongyan_domain::environment::{Environment, Pending};
use hongyan_domain::time::UnixMillis;
use hongyan_sim::model_store::{DiskFate, ModelDisk, ModelOptions, ModelStore, SyncFate};
use hongyan_store::Listener;
use hongyan_store::conformance::Fixture;

/// Tasks of the test's own runtime, and a clock that stands.
struct Still(tokio::runtime::Handle);

impl Environment for Still {
    fn monotonic_us(&self) -> u64 {
        0
    }

    fn wall_clock(&self) -> UnixMillis {
        UnixMillis(0)
    }

    fn random(&self, bytes: &mut [u8]) {
        bytes.fill(0);
    }

    fn spawn(&self, task: Pending<'static, ()>) {
        self.0.spawn(task);
    }

    fn sleep_ms(&self, _: u64) -> Pending<'static, ()> {
        Box::pin(tokio::task::yield_now())
    }
}

struct GoodDisk;

impl DiskFate for GoodDisk {
    fn next_sync(&self) -> SyncFate {
        SyncFate::Done { after_ms: 1 }
    }
}

struct Memory(Arc<ModelDisk>);

impl Memory {
    fn new() -> Self {
        Self(Arc::new(ModelDisk::new()))
    }
}

impl Fixture for Memory {
    type Store = ModelStore;

    fn open(&self, listener: Arc<dyn Listener>) -> Arc<ModelStore> {
        let fatal = Arc::new(|reason: &str| panic!("{reason}"));
        let environment = Arc::new(Still(tokio::runtime::Handle::current()));
        ModelStore::open(self.0.clone(), Arc::new(GoodDisk), fatal, ModelOptions::default(), listener, environment)
    }

    fn close(&self, store: Arc<ModelStore>) {
        store.shutdown();
    }
}

hongyan_store::conformance_suite!(crate::Memory::new());
