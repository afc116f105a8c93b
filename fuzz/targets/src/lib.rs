//! What must hold for every input, however strange: no panic, memory in proportion, what goes in comes out the same.
//!
//! One module per target, each with a `run` that panics when something does not hold. `fuzz/fuzz_targets` hands them to
//! libFuzzer, which looks for inputs that do something new; `tests/seeds.rs` runs them over the inputs in `fuzz/seeds`.
//! [`feed`] takes inputs apart, [`heap`] counts memory. Nothing here knows libFuzzer, and nothing of the product knows
//! this crate.

pub mod client;
pub mod feed;
pub mod frames;
pub mod gate;
pub mod handshake;
pub mod header;
pub mod heap;
pub mod messages;
pub mod requests;
pub mod ticket;

/// What is tried on an input.
pub type Target = fn(&[u8]);

/// Every target with its name.
pub const TARGETS: [(&str, Target); 8] = [
    ("client", client::run),
    ("frames", frames::run),
    ("gate", gate::run),
    ("handshake", handshake::run),
    ("header", header::run),
    ("messages", messages::run),
    ("requests", requests::run),
    ("ticket", ticket::run),
];
