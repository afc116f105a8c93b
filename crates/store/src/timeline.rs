//! Conversations' logs and users' inboxes.

use hongyan_domain::environment::Pending;
use hongyan_domain::id::{AppId, ClientId, ConversationId, SessionId, UserId};
use hongyan_domain::message::{Alteration, DirectFacts, Draft, Entry};
use hongyan_domain::name::Name;
use hongyan_domain::receipt::Position;
use hongyan_domain::time::UnixMillis;
use hongyan_domain::visitor::Visitor;
use smallvec::SmallVec;

use crate::Result;

/// What a conversation is called by somebody who is in it.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum About<P> {
    /// By the other person.
    Person(P),
    /// By its own name.
    Group(Name),
}

/// A user whose inbox gets a reference, and what the conversation is called there.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Target {
    /// Whose inbox.
    pub user: UserId,
    /// The conversation's name for that user; handed on to the listener, not stored.
    pub about: Name,
}

/// One entry for a direct conversation's log, with everything that is committed with it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Append {
    /// The app.
    pub app: AppId,
    /// Who causes it.
    pub sender: UserId,
    /// The other person; a conversation of the two is made if there is none. May be the sender (notes to oneself).
    pub other: UserId,
    /// The session that causes it. Refused with [`Outcome::SessionEnded`] once that is dead.
    pub session: SessionId,
    /// Key of de-duplication, with conversation and sender.
    pub client_id: ClientId,
    /// Digest of the request as received: the same id with another digest is a conflict.
    pub digest: u64,
    /// `DirectFacts::access_version` that the decision was made on.
    pub access_version: u64,
    /// Moves the sender's read mark there if it is higher, at most to the head before this entry; 0 = not.
    pub seen_seq: u64,
    /// Now.
    pub now: UnixMillis,
    /// What is appended.
    pub what: What,
    /// Inboxes that get a reference: the sender's first, then the other's (once if they are the same).
    pub targets: SmallVec<[Target; 2]>,
}

/// The content of an entry.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum What {
    /// A message.
    Message(Draft),
    /// Changes the row `target` in place and announces it.
    Alter {
        /// Seq of a message of the same conversation.
        target: u64,
        /// What is done to it.
        alteration: Alteration,
    },
}

/// The durable answer to an append; a repeat gets the same.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Answer {
    /// The entry's number in the conversation.
    pub seq: u64,
    /// Countable messages up to it.
    pub message_count: u64,
    /// The entry's number in the sender's inbox.
    pub inbox_seq: u64,
    /// When it was first taken.
    pub time: UnixMillis,
}

/// What became of an append.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// Durable now.
    Appended(Answer),
    /// Was durable already.
    Duplicate(Answer),
    /// The key was used with another digest.
    Conflict,
    /// Rights have changed since the decision: read and decide again. Later items of the same session and conversation
    /// in the batch are stale, too.
    Stale,
    /// The target is no message, or is recalled.
    TargetGone,
    /// The session is dead.
    SessionEnded,
}

/// What is known of a direct conversation.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Direct {
    /// `None` until its first entry or block.
    pub conversation: Option<ConversationId>,
    /// What decides access; sender and addressee as in the question.
    pub facts: DirectFacts,
    /// Newest entry.
    pub head_seq: u64,
}

/// One row of an inbox, with what it refers to as it is now; a read mark as it was when it moved.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct InboxEntry {
    /// Gapless in the inbox.
    pub inbox_seq: u64,
    /// The conversation.
    pub conversation: ConversationId,
    /// The conversation, by its other person; for an account that was a visitor there, the visitor's.
    pub about: About<UserId>,
    /// The content.
    pub what: InboxWhat,
}

/// The kinds of inbox rows.
#[derive(Clone, Debug, PartialEq, Eq)]
#[allow(clippy::large_enum_variant, reason = "nearly every row is an entry; a box each would cost more")]
pub enum InboxWhat {
    /// A row of the conversation's log, and the changed row if it announces a change.
    Entry(Entry, Option<Entry>),
    /// The user's read mark moved. Unlike a message this is told as it was: a device counts what comes after it in the
    /// inbox by itself.
    Read {
        /// Where it moved.
        seq: u64,
        /// What remained unread then.
        unread: u64,
    },
    /// Deleted for the user alone.
    Deleted(Deletion),
    /// The visitor of the conversation turned out to be an account.
    Claimed {
        /// Who was there.
        visitor: UserId,
        /// Who they turned out to be.
        account: UserId,
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
    /// A row is gone: retention, or deleted for this user since.
    Gone {
        /// Its seq.
        seq: u64,
        /// The user's mark now: if the row was their own, it may have moved it, and nothing else tells.
        read_seq: u64,
    },
}

/// A page of an inbox.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct InboxPage {
    /// Ascending without gaps from the cursor on.
    pub entries: Vec<InboxEntry>,
    /// Newest entry of the inbox.
    pub head: u64,
    /// Lowest entry that is kept; a cursor below `low - 1` needs a reset.
    pub low: u64,
    /// Epoch of the logs.
    pub log_epoch: u32,
}

/// What a user hides from their own devices.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Deletion {
    /// Everything up to this seq.
    pub up_to_seq: u64,
    /// Single rows.
    pub seqs: Vec<u64>,
}

/// Which rows of a conversation are wanted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct HistoryQuery {
    /// Rows below this seq, nearest first; 0 = from the head. Ignored if `after_seq` is given.
    pub before_seq: Option<u64>,
    /// Rows above this seq, nearest first.
    pub after_seq: Option<u64>,
    /// Only rows changed by entries above this one.
    pub changed_after: Option<u64>,
    /// Most rows.
    pub limit: u32,
    /// Most bytes of bodies.
    pub bytes_max: usize,
}

/// A page of a conversation.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct HistoryPage {
    /// Ascending by seq.
    pub entries: Vec<Entry>,
    /// Inside this range everything that is missing is gone for this reader. `None` = nothing was covered.
    pub covered: Option<(u64, u64)>,
    /// Newest entry.
    pub head_seq: u64,
    /// Lowest entry that this reader may see.
    pub low_seq: u64,
}

/// One line of the first screen.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ConversationLine {
    /// The conversation.
    pub conversation: ConversationId,
    /// The other person.
    pub other: UserId,
    /// Newest inbox entry about it.
    pub activity: u64,
    /// Newest entry.
    pub head_seq: u64,
    /// Lowest entry that this reader may see.
    pub low_seq: u64,
    /// Unread messages.
    pub unread: u64,
    /// The reader's mark.
    pub read_seq: u64,
    /// Reached a device of the other person.
    pub peer_delivered_seq: u64,
    /// Read by the other person.
    pub peer_read_seq: u64,
    /// Newest visible message.
    pub last: Option<Entry>,
    /// Blocked by the reader.
    pub blocked: bool,
    /// What is known of the other person if that is a visitor.
    pub visitor: Option<Visitor>,
    /// The reader had this conversation as this visitor: everything here is as the visitor sees it, and nothing is unread.
    pub as_visitor: Option<UserId>,
}

/// A page of the first screen.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ConversationPage {
    /// Newest activity first.
    pub lines: Vec<ConversationLine>,
    /// There are more.
    pub more: bool,
    /// Newest entry of the reader's inbox at the same instant.
    pub inbox_head: u64,
}

/// How far one person is in a conversation.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Marks {
    /// Reached a device.
    pub delivered_seq: u64,
    /// Read.
    pub read_seq: u64,
}

/// Moves a user's read mark; only upwards.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MarkRead {
    /// The app.
    pub app: AppId,
    /// Whose mark.
    pub target: Target,
    /// The other person.
    pub other: UserId,
    /// The conversation.
    pub conversation: ConversationId,
    /// The session that asks.
    pub session: SessionId,
    /// From [`Timeline::position`].
    pub position: Position,
}

/// Where a mark is after the request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Marked {
    /// The mark.
    pub read_seq: u64,
    /// What remains.
    pub unread: u64,
    /// Newest entry of the conversation.
    pub head_seq: u64,
    /// Newest entry of the user's inbox at the same instant.
    pub inbox_head: u64,
    /// The inbox entry, if the mark moved.
    pub inbox_seq: Option<u64>,
}

/// Hides rows from one user.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Delete {
    /// The app.
    pub app: AppId,
    /// From whom.
    pub target: Target,
    /// The other person.
    pub other: UserId,
    /// The conversation.
    pub conversation: ConversationId,
    /// The session that asks.
    pub session: SessionId,
    /// Which rows.
    pub deletion: Deletion,
}

/// Conversations' logs and users' inboxes.
pub trait Timeline: Send + Sync + 'static {
    /// Commits entries of one session, in order, and answers when all are durable. One outcome per append.
    ///
    /// A failed call is definite for all of them: none was written.
    fn append(&self, appends: Vec<Append>) -> Pending<'_, Result<Vec<Outcome>>>;

    /// The durable answer to a key, if there is one, and its digest.
    fn answered(
        &self,
        conversation: ConversationId,
        sender: UserId,
        client_id: ClientId,
    ) -> Pending<'_, Result<Option<(u64, Answer)>>>;

    /// What is known of the conversation in which `sender` writes to `addressee`.
    fn direct(&self, app: AppId, sender: UserId, addressee: UserId) -> Pending<'_, Result<Direct>>;

    /// A user blocks or unblocks the other; makes the conversation if there is none. Blocking raises the version. Refused
    /// with [`crate::Error::SessionEnded`] once the session is dead.
    fn set_blocked(
        &self,
        app: AppId,
        session: SessionId,
        user: UserId,
        other: UserId,
        blocked: bool,
    ) -> Pending<'_, Result<()>>;

    /// One row, as it is now.
    fn entry(&self, conversation: ConversationId, seq: u64) -> Pending<'_, Result<Option<Entry>>>;

    /// The inbox after a cursor.
    fn inbox(&self, user: UserId, cursor: u64, limit: u32, bytes_max: usize) -> Pending<'_, Result<InboxPage>>;

    /// A page of a conversation as one of its two users sees it.
    fn history(
        &self,
        conversation: ConversationId,
        reader: UserId,
        query: HistoryQuery,
    ) -> Pending<'_, Result<HistoryPage>>;

    /// The first screen: conversations whose activity is below `before` (0 = all).
    fn conversations(&self, user: UserId, before: u64, limit: u32) -> Pending<'_, Result<ConversationPage>>;

    /// The place of `seq` (at most the head) as `reader` counts.
    fn position(&self, conversation: ConversationId, reader: UserId, seq: u64) -> Pending<'_, Result<Position>>;

    /// Moves a read mark. Refused with [`crate::Error::SessionEnded`] once the session is dead.
    fn mark_read(&self, mark: MarkRead) -> Pending<'_, Result<Marked>>;

    /// Hides rows from one user. Refused with [`crate::Error::SessionEnded`] once the session is dead.
    fn delete(&self, delete: Delete) -> Pending<'_, Result<()>>;

    /// How far a person is.
    fn marks(&self, conversation: ConversationId, user: UserId) -> Pending<'_, Result<Marks>>;
}
