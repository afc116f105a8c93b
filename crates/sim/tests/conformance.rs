//! The model store against the suite that every store must pass. Its syncs take no time here; what a failing disk does is
//! tested beside the store. And the suite against the model store with its planted bugs.

mod still;

use std::panic::AssertUnwindSafe;
use std::sync::Arc;

use hongyan_fault::plant;
use hongyan_sim::model_store::{ModelDisk, ModelStore};
use hongyan_store::Listener;
use hongyan_store::conformance::{self, Fixture};

struct Memory(Arc<ModelDisk>);

impl Memory {
    fn new() -> Self {
        Self(Arc::new(ModelDisk::new()))
    }
}

impl Fixture for Memory {
    type Store = ModelStore;

    fn open(&self, listener: Arc<dyn Listener>) -> Arc<ModelStore> {
        still::open(&self.0, listener)
    }

    fn close(&self, store: Arc<ModelStore>) {
        store.shutdown();
    }
}

hongyan_store::conformance_suite!(crate::Memory::new());

/// Whether a test of the suite fails while a bug is alive.
fn is_found(mutant: &'static str, test: impl Future<Output = ()>) -> bool {
    plant(Some(mutant));
    let runtime = tokio::runtime::Builder::new_current_thread().build().expect("a runtime");
    let found = std::panic::catch_unwind(AssertUnwindSafe(|| runtime.block_on(test))).is_err();
    plant(None);
    found
}

/// A test of the suite on an empty disk, which must fail while the bug is alive.
macro_rules! found {
    ($($mutant:literal: $area:ident::$test:ident,)*) => {$(
        let memory = Memory::new();
        assert!(is_found($mutant, conformance::$area::$test(&memory)), "{} lives", $mutant);
    )*};
}

#[test]
fn every_planted_bug_breaks_a_promise_of_the_suite() {
    found! {
        "no deduplication": appends::a_repeat_gets_the_first_answer,
        "number from a cache": appends::a_repeat_gets_the_first_answer,
        "recall keeps body": appends::recall_edit_and_reactions_change_the_row,
        "number reused after restart": feed::a_restart_keeps_everything,
        "feed forgets": feed::the_feed_names_every_head_that_moved,
        "unread off by one": model::unread_is_exact_for_random_histories,
        "inbox skips a row": reading::inbox_pages_are_bounded_and_gapless,
        "read mark goes back": reading::receipts_never_go_back,
        "double kick": sessions::two_logins_of_a_term_leave_one_alive,
        "kick forgotten": sessions::two_logins_of_a_term_leave_one_alive,
    }
}
