//! Judges histories of what clients saw against the invariants of the product (docs/reliability.md), in linear time.
//!
//! It knows nothing of the server, not even its types: a bug there cannot hide itself here.

pub mod history;

pub use history::{ChangeKind, Device, Event, MessageId, Record, User, digest};
