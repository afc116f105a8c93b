//! What a core tells the application, and what the application may ask for.

use bytes::Bytes;
use hongyan_wire::proto;
use thiserror::Error;

use super::link::Link;

/// Names one [`Request`] of the application; chosen by the application, returned with the answer.
pub type Token = u64;

/// What happened. The application may forget everything it was told: the rows are in the store.
#[derive(Clone, Debug)]
pub enum Event {
    /// The link moved to another state.
    Link(Link),
    /// A session is open; everything below speaks for this user.
    LoggedIn {
        /// As the server names them.
        user: String,
        /// An earlier session goes on; no credential was used.
        resumed: bool,
    },
    /// A message to show: from the other person, or this user's own from another device. Exactly once per
    /// (conversation, seq), ascending within a conversation, except below a [`Event::Reset`].
    Message(Message),
    /// A shown message as it is now, after an edit, recall or reaction.
    MessageChanged(Message),
    /// The message is no longer kept.
    MessageGone {
        /// The other person of the conversation.
        user: String,
        /// The message.
        seq: u64,
    },
    /// One of this device's own messages moved on.
    Outgoing(Outgoing),
    /// How far the other person is; never goes down.
    Receipt {
        /// The other person.
        user: String,
        /// Own messages up to here have reached one of their devices.
        delivered_seq: u64,
        /// Own messages up to here were read.
        read_seq: u64,
    },
    /// This user has read, here or on another device.
    ReadMark {
        /// The other person of the conversation.
        user: String,
        /// Everything up to here is read.
        seq: u64,
        /// Messages that remain unread.
        unread: u64,
    },
    /// This user has deleted messages for themselves, here or on another device. May be told twice.
    Deleted {
        /// The other person of the conversation.
        user: String,
        /// What to hide.
        deletion: proto::Deletion,
    },
    /// A row of the conversation list is new or has changed. Only with [`crate::Keep::Messages`]; at most once per
    /// burst of received bytes.
    Conversation(proto::Conversation),
    /// The other person is typing, or stopped.
    Typing {
        /// The other person.
        user: String,
        /// They stopped.
        stopped: bool,
    },
    /// Everything up to the inbox's head, as the server last told it, was handed out.
    CaughtUp {
        /// The cursor now.
        inbox_cursor: u64,
    },
    /// The inbox was too far behind, or the server was restored from a backup: what lies between was skipped. The
    /// conversation list is read anew; messages are to be read by history.
    Reset,
    /// The answer to a [`Request`].
    Answered {
        /// As given with the request.
        token: Token,
        /// The server's answer without its id.
        result: Result<Answer, RequestError>,
    },
}

/// A row of a conversation.
#[derive(Clone, Debug, PartialEq)]
pub struct Message {
    /// The other person of the conversation.
    pub user: String,
    /// Seq, author (`own`), body and the rest.
    pub entry: proto::Entry,
}

/// Where one of this device's own messages stands (spec appendix B).
#[derive(Clone, Debug, PartialEq)]
pub struct Outgoing {
    /// The row of the outbox, as [`crate::Core::send`] returned it.
    pub local: u64,
    /// Identifies the message wherever it appears.
    pub client_message_id: Bytes,
    /// The other person of the conversation.
    pub user: String,
    /// Where it stands now.
    pub state: SendState,
}

/// The states of an outgoing message after Draft. Delivered and Read follow from [`Event::Receipt`].
#[derive(Clone, Debug, PartialEq)]
pub enum SendState {
    /// Kept, waiting for its turn or for the link.
    Queued,
    /// The server has it for good (msg:A).
    Stored {
        /// Its place in the conversation.
        seq: u64,
        /// When, by the server's clock.
        server_time_ms: u64,
        /// No session of the addressee was connected.
        stored_offline: bool,
    },
    /// Given up; it may still turn out to be stored. [`crate::Core::resend`] tries again with the same id.
    Failed {
        /// Why the server refused; absent if it never answered.
        refusal: Option<proto::Refusal>,
    },
}

/// Why a message was not even queued.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum SendError {
    /// Body, text or id break a limit of the protocol.
    #[error("the message breaks a limit of the protocol")]
    Invalid,
    /// Too many messages wait already.
    #[error("too many messages wait to be sent")]
    OutboxFull,
}

/// What the application may ask of the server; ids are filled in by the core.
#[derive(Clone, Debug)]
pub enum Request {
    /// A page of the conversation list.
    Conversations(proto::ConversationsRequest),
    /// A page of a conversation.
    History(proto::HistoryRequest),
    /// How far others are.
    Receipts(proto::ReceiptsRequest),
    /// Take a message back.
    Recall(proto::RecallRequest),
    /// Replace a message's body.
    Edit(proto::EditRequest),
    /// Give or take back a reaction.
    React(proto::ReactRequest),
    /// Hide messages from oneself.
    Delete(proto::DeleteRequest),
    /// Refuse a person's messages, or accept them again.
    Block(proto::BlockRequest),
    /// Look for messages and people.
    Search(proto::SearchRequest),
    /// End the session.
    Logout,
}

/// The answer to a [`Request`] that was done.
#[derive(Clone, Debug)]
pub enum Answer {
    /// To [`Request::Conversations`].
    Conversations(proto::ConversationsAnswer),
    /// To [`Request::History`].
    History(proto::HistoryAnswer),
    /// To [`Request::Receipts`].
    Receipts(proto::ReceiptsAnswer),
    /// To [`Request::Recall`], [`Request::Edit`] and [`Request::React`].
    Changed(proto::ChangeAnswer),
    /// To [`Request::Search`].
    Found(proto::SearchAnswer),
    /// To [`Request::Delete`], [`Request::Block`] and [`Request::Logout`].
    Done,
}

/// Why a [`Request`] was not done, or not known to be done.
#[derive(Clone, Debug, PartialEq, Error)]
pub enum RequestError {
    /// The server said no.
    #[error("refused ({code:?}): {text}", code = .0.code(), text = .0.text)]
    Refused(proto::Refusal),
    /// There is no connection; nothing was sent.
    #[error("not connected")]
    Offline,
    /// Too many requests wait for their answers; nothing was sent.
    #[error("too many requests at once")]
    TooMany,
    /// No answer came in time, or the connection broke first; it may have been done.
    #[error("no answer")]
    NoAnswer,
}
