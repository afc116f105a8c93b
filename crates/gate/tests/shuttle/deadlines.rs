//! Deadlines of connections: the owner moves its own while the task of the wheel looks at it, and is woken in time all the
//! same.

use std::sync::Arc;

use hongyan_gate::link::Link;
use hongyan_wire::Millis;
use shuttle::thread;

use crate::bench::{Bench, IP};
use crate::try_orders;

/// Steps of the wheel's task.
const STEP_MS: u64 = 100;

fn timer_told(link: &Link) -> bool {
    link.take().timer
}

#[test]
fn a_deadline_that_comes_nearer_while_the_wheel_looks_at_it_is_not_missed() {
    try_orders(|| {
        let bench = Arc::new(Bench::new());
        let link = bench.gate.admit(IP).expect("admitted");
        // Watched early, needed late: what a frame does to the deadline of an idle connection.
        link.set_deadline(Millis(STEP_MS));
        bench.gate.watch(&link);
        link.set_deadline(Millis(90_000));
        bench.gate.watch(&link);
        let owner = {
            let (bench, link) = (bench.clone(), link.clone());
            thread::spawn(move || {
                // A stream begins to stall, or reading pauses.
                link.set_deadline(Millis(5 * STEP_MS));
                bench.gate.watch(&link);
            })
        };
        bench.world.advance_by(STEP_MS, 2 * STEP_MS);
        owner.join().unwrap();
        assert!(!timer_told(&link), "nothing is due yet");
        bench.world.advance_by(STEP_MS, 4 * STEP_MS);
        assert!(timer_told(&link), "the deadline has passed");
    });
}

#[test]
fn a_deadline_that_moves_away_and_back_is_told_once_it_is_due() {
    try_orders(|| {
        let bench = Arc::new(Bench::new());
        let link = bench.gate.admit(IP).expect("admitted");
        let owner = {
            let (bench, link) = (bench.clone(), link.clone());
            thread::spawn(move || {
                for deadline in [2, 900, 4] {
                    link.set_deadline(Millis(deadline * STEP_MS));
                    bench.gate.watch(&link);
                }
            })
        };
        bench.world.advance_by(STEP_MS, 3 * STEP_MS);
        owner.join().unwrap();
        bench.world.advance_by(STEP_MS, 3 * STEP_MS);
        assert!(timer_told(&link));
    });
}

#[test]
fn a_closed_connection_is_forgotten_by_the_wheel() {
    try_orders(|| {
        let bench = Arc::new(Bench::new());
        let link = bench.gate.admit(IP).expect("admitted");
        link.set_deadline(Millis(STEP_MS));
        bench.gate.watch(&link);
        link.set_deadline(Millis(3 * STEP_MS));
        let owner = {
            let (bench, link) = (bench.clone(), link.clone());
            thread::spawn(move || bench.gate.unwatch(&link))
        };
        bench.world.advance_by(STEP_MS, 2 * STEP_MS);
        owner.join().unwrap();
        bench.world.advance_by(STEP_MS, 3 * STEP_MS);
        assert_eq!(Arc::strong_count(&link), 1, "nobody holds it any more");
    });
}
