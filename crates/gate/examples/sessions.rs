//! What it costs to know a million sessions (spec 19): nanoseconds for a look-up by user and by session, for the way of a
//! push, for a deadline, and bytes for each. Run it with `cargo run --release -p hongyan-gate --example sessions`; one
//! thread, memory as the kernel counts it, with what the allocator wastes.

#![allow(clippy::disallowed_methods, reason = "a measurement owns its clock")]

use std::hint::black_box;
use std::sync::Arc;
use std::time::Instant;

use hongyan_cluster::{Route, Router};
use hongyan_domain::session::Term;
use hongyan_domain::{SessionId, UserId};
use hongyan_gate::link::Link;
use hongyan_gate::table::Table;
use hongyan_gate::wheel::Wheel;
use hongyan_wire::Millis;

const PEERS: u64 = 1_000_000;
/// Calls that are timed together, and how often.
const BATCH: u64 = 20_000;
const BATCHES: u64 = 200;
const PAGE_BYTES: u64 = 4_096;

/// SplitMix64: ids as random as real ones, in an order that no cache foresees.
fn mixed(number: u64) -> u64 {
    let word = number.wrapping_mul(0x9E37_79B9_7F4A_7C15);
    let word = (word ^ (word >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    word ^ (word >> 27)
}

fn session(number: u64) -> SessionId {
    SessionId((u128::from(mixed(number)) << 64 | u128::from(mixed(!number))).to_be_bytes())
}

/// As the store numbers users: by place, with the shard in the low bits.
fn user(number: u64) -> UserId {
    UserId((number << 10) as i64)
}

/// Bytes of this process in memory.
fn resident_bytes() -> u64 {
    let text = std::fs::read_to_string("/proc/self/statm").expect("this is Linux");
    let pages: u64 = text.split(' ').nth(1).and_then(|pages| pages.parse().ok()).expect("a number");
    pages * PAGE_BYTES
}

/// Fills something for every peer.
fn fill(what: &str, mut each: impl FnMut(u64)) {
    let (before, started) = (resident_bytes(), Instant::now());
    (0..PEERS).for_each(&mut each);
    let took = started.elapsed().as_nanos() as f64 / PEERS as f64;
    let bytes = resident_bytes().saturating_sub(before) as f64 / PEERS as f64;
    println!("{what:<44} {took:>6.0} ns {bytes:>6.0} bytes each");
}

/// Asks for peers in no order; the quickest of many batches, because that is the least disturbed one.
fn ask(what: &str, mut each: impl FnMut(u64)) {
    let mut batch = |first: u64| {
        let started = Instant::now();
        (first..first + BATCH).for_each(|number| each(mixed(number) % PEERS));
        started.elapsed().as_nanos() as f64 / BATCH as f64
    };
    let quickest = (0..BATCHES).map(|number| batch(number * BATCH)).fold(f64::MAX, f64::min);
    println!("{what:<44} {quickest:>6.0} ns");
}

fn main() {
    println!("{PEERS} sessions");
    let (table, router, mut wheel) = (Table::default(), Router::default(), Wheel::new(Millis(0)));
    let mut links = Vec::with_capacity(PEERS as usize);
    links.resize_with(PEERS as usize, || None);
    fill("mailboxes", |number| links[number as usize] = Some(Arc::new(Link::new(number))));
    let links: Vec<Arc<Link>> = links.into_iter().flatten().collect();
    fill("table: a session connects", |number| {
        table.insert_if(session(number), &links[number as usize], || true);
    });
    fill("router: a session connects", |number| {
        let route = Route { session: session(number), term: Term::Mobile, epoch: 0, connected: true };
        assert!(router.register(user(number), route));
    });
    fill("wheel: a deadline", |number| {
        wheel.schedule(number, Millis(1_000 + mixed(number) % 90_000), links[number as usize].clone());
    });

    ask("table: look-up by session", |number| {
        assert_eq!(black_box(table.get(session(number))).map(|link| link.number), Some(number));
    });
    ask("router: look-up by user", |number| {
        assert_eq!(black_box(router.connected(user(number))).len(), 1);
    });
    ask("a push: by user, then by session", |number| {
        for session in router.connected(user(number)) {
            assert!(black_box(table.get(session)).is_some());
        }
    });
    ask("keep-alive: look-up and a later deadline", |number| {
        let link = table.get(session(number)).expect("it is there");
        link.set_deadline(Millis(number));
    });
    ask("wheel: a deadline moves", |number| {
        wheel.schedule(number, Millis(1_000 + number % 90_000), links[number as usize].clone());
    });
    let started = Instant::now();
    let due = (1..=1_000).map(|tick| wheel.due(Millis(tick * 100)).len()).sum::<usize>();
    println!("{:<44} {:>6.0} ns", "wheel: an entry comes up", started.elapsed().as_nanos() as f64 / due as f64);
    let started = Instant::now();
    println!(
        "{:<44} {:>6.0} ms",
        format!("all {} mailboxes, in order", table.all().len()),
        started.elapsed().as_millis()
    );
}
