//! Durable state. Small traits by area, in terms of the domain; [`sqlite`] is the embedded store.
//!
//! What is promised: a write has been synced to disk before its future completes with `Ok`; numbers come from rows,
//! never from a cache; nothing is told to the [`Listener`] before it is durable. The store knows no permissions and no
//! wire format.

pub mod accounts;
#[cfg(any(test, feature = "conformance"))]
pub mod conformance;
pub mod feed;
pub mod friends;
pub mod groups;
pub mod profiles;
pub mod rooms;
pub mod search;
pub mod sessions;
pub mod spam;
pub mod sqlite;
pub mod timeline;
pub mod visitors;

pub use accounts::Accounts;
pub use feed::{Committed, Feed, Listener, Said};
pub use friends::Friends;
pub use groups::{GroupNews, Groups};
pub use profiles::Profiles;
pub use rooms::Rooms;
pub use search::Search;
pub use sessions::Sessions;
pub use spam::Spam;
pub use timeline::Timeline;
pub use visitors::Visitors;

use thiserror::Error;

/// Why a write or read did not happen. All of these are definite: nothing was written.
///
/// A commit whose result is unknown is not among them: the process stops instead (design §5, group commit).
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum Error {
    /// No space above the reserve; reads, logins and marks go on.
    #[error("the disk is full")]
    DiskFull,
    /// The store is shutting down or its queue is full.
    #[error("the store takes no more work now")]
    Busy,
    /// The session that asked is dead.
    #[error("the session has ended")]
    SessionEnded,
    /// A defect or an outage; already logged.
    #[error("the store failed: {0}")]
    Failed(String),
}

/// Result of a store call.
pub type Result<T> = std::result::Result<T, Error>;

/// Everything a server needs of a store.
pub trait Store:
    Accounts + Sessions + Timeline + Groups + Rooms + Visitors + Friends + Profiles + Feed + Spam + Search
{
}

impl<T> Store for T where
    T: Accounts + Sessions + Timeline + Groups + Rooms + Visitors + Friends + Profiles + Feed + Spam + Search
{
}
