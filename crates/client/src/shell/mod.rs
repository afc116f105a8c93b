//! The tokio shell: a socket, a clock, randomness and the local store around one [`crate::Core`].
//!
//! [`Client`] is the handle that applications hold, [`Events`] the receiving end. What to do is decided in the core.

#![expect(clippy::disallowed_methods, reason = "the shell is where clock, randomness and tasks come from")]

mod client;
mod driver;
mod friends;
mod options;
mod presence;

pub use client::{Client, ClientError, Events, HistoryPage, MessageRange, Stored};
pub use options::Options;
