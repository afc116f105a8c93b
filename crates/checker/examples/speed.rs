//! How many records the checker judges per second: a clean history of a million messages between pairs of people with
//! two devices each, made in memory before the clock starts. `cargo run --release -p hongyan-checker --example speed`.
#![allow(clippy::disallowed_methods, reason = "it measures")]

use std::time::Instant;

use hongyan_checker::{Checker, Event, MessageId, Record};

const PAIRS: u32 = 500;
const MESSAGES: u64 = 1_000_000;
/// How many messages of a pair are on their way at once.
const IN_FLIGHT: u64 = 4;
/// Multiplying by an odd number makes different ids of different ones, as random as in life.
const RANDOM_ODD: MessageId = 0x9E37_79B9_7F4A_7C15_F39C_C060_5CED_C835;

fn main() {
    let records = history();
    let start = Instant::now();
    let mut checker = Checker::default();
    records.iter().for_each(|record| checker.take(record));
    let report = checker.finish();
    let seconds = start.elapsed().as_secs_f64();
    print!("{report}");
    println!("{:.2} s, {:.1} million records per second", seconds, records.len() as f64 / seconds / 1e6);
}

fn history() -> Vec<Record> {
    let mut events = Vec::new();
    events.extend((0..2 * PAIRS).map(|user| Event::User { app: "acme".into(), name: format!("user{user}") }));
    events.extend((0..4 * PAIRS).map(|device| Event::Device { user: device / 2, name: format!("device{device}") }));
    events.extend((0..4 * PAIRS).map(|device| Event::Live { device, resumed: false }));
    // The pairs take turns, as they would in a busy server; each has a burst in flight.
    let per_pair = MESSAGES / u64::from(PAIRS);
    for round in 0..per_pair / IN_FLIGHT {
        for pair in 0..PAIRS {
            burst(&mut events, pair, round * IN_FLIGHT + 1, (round % 2) as u32);
        }
    }
    events.extend([Event::Healed, Event::AtRest]);
    events.into_iter().zip(0..).map(|(event, number)| Record { at_ms: number / 100, event }).collect()
}

fn burst(events: &mut Vec<Event>, pair: u32, first_seq: u64, turn: u32) {
    let (author, to) = (2 * pair + turn, 2 * pair + 1 - turn);
    let device = 2 * author;
    let seqs = first_seq..first_seq + IN_FLIGHT;
    let id = |seq: u64| (MessageId::from(pair) << 64 | MessageId::from(seq)).wrapping_mul(RANDOM_ODD);
    events.extend(seqs.clone().map(|seq| Event::Send { device, to, id: id(seq), digest: seq }));
    events.extend(seqs.clone().map(|seq| Event::Acked { device, to, id: id(seq), seq }));
    for (device, peer, own) in [(device + 1, to, true), (2 * to, author, false), (2 * to + 1, author, false)] {
        events.extend(seqs.clone().map(|seq| Event::Shown { device, peer, own, seq, id: id(seq), digest: seq }));
        events.push(Event::Cursor { device, log_epoch: 1, inbox: seqs.end });
    }
    let delivered_seq = seqs.end - 1;
    events.push(Event::Receipt { device, peer: to, delivered_seq, read_seq: 0 });
}
