//! What outlives a core: the rows that a store keeps and gives back. How they are kept is not said here.

use std::collections::BTreeMap;

use bytes::Bytes;
use hongyan_wire::proto;

use super::peer::Peer;

/// A session that can be resumed.
#[derive(Clone, PartialEq)]
pub struct Session {
    /// Whom it speaks for.
    pub user: String,
    /// Presented at resume.
    pub ticket: Bytes,
    /// The proof of identity; never sent.
    pub secret: [u8; 32],
    /// The highest epoch ever tried.
    pub epoch: u32,
}

impl std::fmt::Debug for Session {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Session").field("user", &self.user).field("epoch", &self.epoch).finish_non_exhaustive()
    }
}

/// A place in the user's inbox.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct InboxPosition {
    /// Every entry up to here was applied.
    pub cursor: u64,
    /// Which life of the server's store the cursor belongs to.
    pub log_epoch: u32,
}

/// A message on its way out.
#[derive(Clone, Debug, PartialEq)]
pub struct OutboxRow {
    /// Ascending in the order of writing.
    pub local: u64,
    /// When it was written, in milliseconds since 1970 by this device's clock; for display only.
    pub written_ms: u64,
    /// Everything about it, including its client_message_id.
    pub request: proto::SendRequest,
    /// Where it stands.
    pub state: OutboxState,
}

impl OutboxRow {
    /// To whom it goes.
    pub fn peer(&self) -> Option<Peer> {
        Peer::of_addressee(self.request.to.as_ref())
    }
}

/// What of a message's state outlives a restart.
#[derive(Clone, Debug, PartialEq)]
pub enum OutboxState {
    /// To be sent, perhaps again.
    Queued,
    /// The server has it, but what brings it again lies above a gap; kept until the cursor has passed it, so that the
    /// entry is not shown as a second message.
    Stored {
        /// Its entry of the user's inbox; of a message to a group, its place in the group's log.
        at: u64,
    },
    /// Given up until the user acts.
    Failed {
        /// Why the server refused, if it did.
        refusal: Option<proto::Refusal>,
    },
}

/// Seqs from..=to of a conversation.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Range {
    /// The first.
    pub from: u64,
    /// The last.
    pub to: u64,
}

/// A conversation as the list shows it, and what this device knows of its log.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct ConversationRow {
    /// Name, head, marks, receipts, last message.
    pub conversation: proto::Conversation,
    /// `unread` already includes the inbox up to here, because the server counted it.
    pub counted_inbox_seq: u64,
    /// The highest seq of the user's own messages.
    pub own_seq: u64,
    /// What the store holds completely, ascending, neither overlapping nor adjacent.
    pub covered: Vec<Range>,
}

/// A group as the list shows it, and what this device knows of its log.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct GroupRow {
    /// Profile, head, marks, role, last message.
    pub group: proto::Group,
    /// Every entry up to here was handed out, or skipped.
    pub cursor: u64,
    /// `unread` already includes the log up to here, because the server counted it.
    pub counted_seq: u64,
    /// The server knows that this device has everything up to here.
    pub acked_seq: u64,
    /// What the store holds completely, ascending, neither overlapping nor adjacent.
    pub covered: Vec<Range>,
}

/// One change of what is kept. All rows of one [`crate::Effect::Persist`] are one transaction.
#[derive(Clone, Debug, PartialEq)]
pub enum Row {
    /// Whose rows these are; told once.
    User(String),
    /// Replaces the session; `None` = there is none.
    Session(Option<Session>),
    /// Replaces the place in the inbox.
    Inbox(InboxPosition),
    /// Inserts or replaces a row of the outbox.
    Outbox(OutboxRow),
    /// Removes a row of the outbox.
    OutboxDone {
        /// Which one.
        local: u64,
    },
    /// Inserts a message, or replaces it unless what is kept has a higher `changed_seq`.
    Message {
        /// Of which conversation.
        peer: Peer,
        /// The message.
        entry: proto::Entry,
    },
    /// Removes messages.
    Deleted {
        /// Of which conversation.
        peer: Peer,
        /// Which ones.
        deletion: proto::Deletion,
    },
    /// No message of this range exists: whoever deleted them did so unseen.
    Absent {
        /// Of which conversation.
        peer: Peer,
        /// Their seqs.
        range: Range,
    },
    /// Inserts or replaces a conversation.
    Conversation(Box<ConversationRow>),
    /// Inserts or replaces a group.
    Group(Box<GroupRow>),
    /// Groups were read as of this token; 0 = never.
    GroupsToken(u64),
    /// A read mark the server has not confirmed; 0 = it has.
    ReadPending {
        /// Of which conversation.
        peer: Peer,
        /// Up to where.
        seq: u64,
    },
    /// The conversation list has to be read from here on (as `before` of the request); `None` = it was read.
    ListWanted(Option<u64>),
}

/// What a store gives back at start.
#[derive(Clone, Debug, Default)]
pub struct Restored {
    /// Whose rows these are, once it is known.
    pub user: Option<String>,
    /// The session, if there is one.
    pub session: Option<Session>,
    /// The place in the inbox, if the device has logged in before.
    pub inbox: Option<InboxPosition>,
    /// In any order.
    pub outbox: Vec<OutboxRow>,
    /// In any order.
    pub conversations: Vec<ConversationRow>,
    /// Read marks the server has not confirmed, by conversation.
    pub reads: BTreeMap<Peer, u64>,
    /// In any order.
    pub groups: Vec<GroupRow>,
    /// As of when they were read, 0 = never.
    pub groups_token: u64,
    /// Where reading the conversation list goes on, if it was not read to its end.
    pub list_wanted: Option<u64>,
}
