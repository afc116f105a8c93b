//! A model store whose syncs succeed at once: tasks of the test's own runtime, a clock that stands, a good disk.

use std::sync::Arc;

use hongyan_domain::environment::{Environment, Pending};
use hongyan_domain::time::UnixMillis;
use hongyan_sim::model_store::{DiskFate, ModelDisk, ModelOptions, ModelStore, SyncFate};
use hongyan_store::Listener;

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

/// Opens what is on the disk, inside a runtime.
pub fn open(disk: &Arc<ModelDisk>, listener: Arc<dyn Listener>) -> Arc<ModelStore> {
    let fatal = Arc::new(|reason: &str| panic!("{reason}"));
    let environment = Arc::new(Still(tokio::runtime::Handle::current()));
    ModelStore::open(disk.clone(), Arc::new(GoodDisk), fatal, ModelOptions::default(), listener, environment)
}
