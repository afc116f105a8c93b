//! What a commit tells: at once to the process that committed it, and durably to whoever follows the change feed.

use std::sync::Arc;

pub use hongyan_domain::change::{Change, Changes, Since};
use hongyan_domain::environment::Pending;
use hongyan_domain::id::{AppId, ConversationId, SessionId, UserId};
use hongyan_domain::message::Entry;
use hongyan_domain::name::Name;
use hongyan_domain::room::RoomEntry;

use crate::Result;
use crate::groups::GroupNews;
use crate::timeline::{About, Deletion};

/// One inbox entry that has become durable.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Committed {
    /// The app.
    pub app: AppId,
    /// Whose inbox.
    pub user: UserId,
    /// Its number there.
    pub inbox_seq: u64,
    /// The conversation.
    pub conversation: ConversationId,
    /// The conversation, as that user names it.
    pub about: About<Name>,
    /// The session that caused it and learns it from its answer; no push to that one.
    pub origin: SessionId,
    /// What happened.
    pub what: CommittedWhat,
}

/// The kinds of inbox entries.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum CommittedWhat {
    /// A message, or the announcement of a change with the row as it is now.
    Entry {
        /// The new row.
        entry: Arc<Entry>,
        /// The changed row if the new one is an announcement.
        target: Option<Arc<Entry>>,
    },
    /// A change of a message that the user has hidden, or that is gone: it is not told what became of it.
    Gone {
        /// The number of the announcement.
        seq: u64,
        /// The user's read mark.
        read_seq: u64,
    },
    /// The user's read mark has moved.
    Read {
        /// Where it is now.
        seq: u64,
        /// What remains.
        unread: u64,
    },
    /// The user has deleted messages for themselves.
    Deleted(Deletion),
    /// The visitor of the conversation turned out to be an account.
    Claimed {
        /// Who was there.
        visitor: Name,
        /// Who they turned out to be.
        account: Name,
    },
    /// The user came into a group, or is out of it.
    Membership {
        /// Is in it.
        member: bool,
    },
    /// A message of a group mentions the user.
    Mentioned {
        /// Its seq.
        seq: u64,
    },
}

/// One entry of a room's log that has become durable.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Said {
    /// The room.
    pub room: ConversationId,
    /// Its name.
    pub name: Name,
    /// What was said.
    pub said: Arc<RoomEntry>,
}

/// Told about every commit, in commit order, after it is durable and before its callers are answered. Must only hand
/// batches on: the writer waits.
pub trait Listener: Send + Sync + 'static {
    /// Inboxes have grown.
    fn committed(&self, batch: Vec<Committed>);

    /// Rooms' logs have grown.
    fn said(&self, batch: Vec<Said>);

    /// Something has happened in groups.
    fn grouped(&self, batch: Vec<GroupNews>);
}

/// The change feed (design §5).
pub trait Feed: Send + Sync + 'static {
    /// What has changed after a token, at most `limit` commits; token 0 = from now on, without changes.
    fn changes(&self, token: u64, limit: u32) -> Pending<'_, Result<Changes>>;

    /// The token of now: what a read that begins later does not see has a higher one.
    fn token(&self) -> u64;

    /// What has happened to a session and its user's inbox after a token; `None` if that cannot be told without reading
    /// the store.
    fn since(&self, token: u64, user: UserId, session: SessionId) -> Option<Since>;

    /// Epoch of all logs: raised when a backup is restored.
    fn log_epoch(&self) -> u32;

    /// Newest inbox entries of users.
    fn inbox_heads(&self, users: Vec<UserId>) -> Pending<'_, Result<Vec<(UserId, u64)>>>;
}
