//! The change feed: which heads have moved (design §5). It tells who is behind, without any push or bus.

use crate::id::{ConversationId, SessionId, UserId};
use crate::session::EndReason;

/// One head that moved, as the durable feed keeps it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Change {
    /// A user's inbox has grown.
    Inbox {
        /// Whose.
        user: UserId,
        /// Its newest entry.
        head: u64,
    },
    /// A group's log has grown.
    Group {
        /// Which.
        group: ConversationId,
        /// Its newest entry.
        head: u64,
    },
    /// A session is dead.
    SessionEnded {
        /// Which.
        session: SessionId,
        /// Why.
        reason: EndReason,
    },
}

/// What has become of one session and of its user's inbox since a token.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Since {
    /// The inbox's newest entry, if the inbox has grown.
    pub head: Option<u64>,
    /// Why the session is dead, if it has ended.
    pub ended: Option<EndReason>,
}

/// A page of the feed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Changes {
    /// In commit order; a later record of the same thing holds.
    pub changes: Vec<Change>,
    /// Give it for the next page.
    pub token: u64,
    /// The asked-for token is older than the feed: take everything as changed.
    pub truncated: bool,
}
