//! Judges histories of what clients saw against the invariants of the product (docs/reliability.md), in linear time.
//!
//! It knows nothing of the server, not even its types: a bug there cannot hide itself here. Whoever drives clients
//! writes [`Record`]s and hands them to a [`Checker`], one by one or from a file ([`read_lines`]); the [`Report`] says
//! which promise was broken when, and how much was looked at. `hongyan-check FILE` prints it.
//!
//! - [`history`]: what is written down, the contract with those who write
//! - [`Checker`]: the rules, one file per area below `checker/`
//! - people, conversations, messages, numbers: what the rules remember, one file per noun

mod block;
mod change;
mod checker;
mod conversation;
mod hash;
pub mod history;
mod lane;
mod lines;
mod log;
mod message;
mod people;
mod report;
mod seqs;
mod violation;

pub use checker::{Checker, CheckerOptions};
pub use history::{ChangeKind, Device, Event, MessageId, Record, User, digest};
pub use lines::{LineError, Writer, judge_lines, read_lines};
pub use report::{Counts, Report};
pub use violation::{Invariant, Violation};
