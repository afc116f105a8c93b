//! The nouns and rules of messaging. Plain data and pure functions: no I/O, no clock, no randomness, no wire format.
//!
//! One noun, one file. [`environment`] names what the rest of the product may ask of the world outside.

pub mod app;
pub mod change;
pub mod environment;
pub mod friend;
pub mod group;
pub mod grouping;
pub mod id;
pub mod measure;
pub mod message;
pub mod name;
pub mod presence;
pub mod profile;
pub mod receipt;
pub mod refusal;
pub mod room;
pub mod search;
pub mod session;
pub mod spam;
pub mod time;
pub mod visitor;

pub use environment::Environment;
pub use id::{AppId, ClientId, ConversationId, DeviceKey, SessionId, UserId};
pub use name::Name;
pub use refusal::Refusal;
pub use time::UnixMillis;
