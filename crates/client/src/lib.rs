//! The Rust SDK of Hongyan (design §8): what a client must do so that no message is lost, doubled or reordered.
//!
//! Read in this order: [`core`] (the whole behaviour as a state machine without I/O, clock or randomness), [`store`]
//! (the local SQLite file behind it), [`Client`] (the tokio shell that most applications use), [`ServerAddress`].
//! The load generator and simulators drive [`Core`] themselves; drawing and key handling are the application's.

pub mod address;
pub mod core;
pub mod shell;
pub mod store;

pub use address::{AddressError, ServerAddress};
pub use core::config::{Config, Credential, Keep};
pub use core::event::{Answer, Event, Message, Outgoing, Request, RequestError, SendError, SendState, Token};
pub use core::link::{BreakReason, Link, StopReason};
pub use core::peer::Peer;
pub use core::rows::{ConversationRow, GroupRow, InboxPosition, OutboxRow, OutboxState, Range, Restored, Row, Session};
pub use core::{Core, Effect, new_message};
pub use hongyan_wire::{Millis, proto};
pub use shell::{Client, ClientError, Events, HistoryPage, MessageRange, Options, Stored};
pub use store::{Store, StoreError};
