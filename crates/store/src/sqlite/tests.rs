//! The embedded store against the suite that every store must pass, and what only it promises.

use std::sync::Arc;

use super::*;
use crate::conformance::Fixture;

struct Folder(tempfile::TempDir);

impl Folder {
    fn new() -> Self {
        Self(tempfile::tempdir().expect("a temporary folder"))
    }
}

fn options() -> SqliteOptions {
    SqliteOptions { disk_reserve_bytes: 0, ..SqliteOptions::default() }
}

impl Fixture for Folder {
    type Store = SqliteStore;

    fn open(&self, listener: Arc<dyn Listener>) -> Arc<SqliteStore> {
        SqliteStore::open(self.0.path(), options(), listener).expect("opened")
    }

    fn close(&self, store: Arc<SqliteStore>) {
        store.shutdown();
    }
}

mod suite {
    crate::conformance_suite!(crate::sqlite::tests::Folder::new());
}
