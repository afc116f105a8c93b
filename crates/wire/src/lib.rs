//! The wire protocol as plain values: no socket, no clock, no thread, no randomness of its own.
//!
//! Read in this order: [`frame`] (16-byte header), [`command`] (the closed list of operations), [`noise`]
//! (encryption), [`connection`] (the state machine of one end), [`limits`], [`list`]. [`proto`] holds the generated messages.
//! `proto/PROTOCOL.md` says the same in prose, for people who write a client.

pub mod command;
pub mod connection;
pub mod frame;
pub mod limits;
pub mod list;
pub mod noise;
pub mod time;
mod violation;

/// Messages generated from `proto/hongyan/v1` by `cargo xtask codegen`.
#[allow(missing_docs, clippy::all, clippy::pedantic)]
pub mod proto {
    include!("generated.rs");
}

pub use command::Command;
pub use connection::{Connection, Event, Violation};
pub use time::Millis;
