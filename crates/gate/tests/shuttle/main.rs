//! Threads that share what a gate knows of its connections (spec 19), in one order after another: shuttle runs them on one
//! thread and switches at every lock and every atomic.
//!
//! Of the eight occasions of spec 19, login and logout are inserting and removing, a kick is looking up and ending, a
//! socket error is removing by the mailbox, a push is asking the router, looking up and delivering, the timed traversal is
//! the wheel and `Table::all`; keep-alive moves a deadline, which the wheel learns. What is counted per connection (rate)
//! or looked at there (headers) is touched by its own thread only.

#[path = "../gate/bench.rs"]
#[allow(dead_code, reason = "the tests of the gate need more of it")]
mod bench;
mod deadlines;
mod history;
mod mailbox;
mod rooms;
mod sessions;
mod tables;

use shuttle::scheduler::{PctScheduler, RandomScheduler};
use shuttle::{Config, Runner};

/// Orders that are tried at random.
const RANDOM: usize = 300;
/// Orders with few switches at chosen places, which find what needs exactly those.
const CHOSEN: usize = 300;
/// A run is its seed; another one tries other orders.
const SEED: u64 = 19;
/// Switches of those.
const DEPTH: usize = 3;
/// Handshakes need more than shuttle gives.
const STACK_BYTES: usize = 1 << 20;

/// Tries many orders of the threads that `test` starts.
fn try_orders(test: fn()) {
    let config = || {
        let mut config = Config::new();
        config.stack_size = STACK_BYTES;
        config
    };
    Runner::new(RandomScheduler::new_from_seed(SEED, RANDOM), config()).run(test);
    Runner::new(PctScheduler::new_from_seed(SEED, DEPTH, CHOSEN), config()).run(test);
}
