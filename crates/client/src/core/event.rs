//! What a core tells the application, and what the application may ask for.

use bytes::Bytes;
use hongyan_wire::proto;
use thiserror::Error;

use super::link::Link;
use super::peer::Peer;

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
    /// A message to show: from somebody else, or this user's own from another device; in a group also what has happened to
    /// it (`event`). Exactly once per (conversation, seq), ascending within a conversation, except below a
    /// [`Event::Reset`].
    Message(Message),
    /// A shown message as it is now, after an edit, recall or reaction.
    MessageChanged(Message),
    /// The message is no longer kept.
    MessageGone {
        /// Of which conversation.
        peer: Peer,
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
        /// In which conversation.
        peer: Peer,
        /// Everything up to here is read.
        seq: u64,
        /// Messages that remain unread.
        unread: u64,
    },
    /// This user has deleted messages for themselves, here or on another device. May be told twice.
    Deleted {
        /// In which conversation.
        peer: Peer,
        /// What to hide.
        deletion: proto::Deletion,
    },
    /// A row of the conversation list is new or has changed. Only with [`crate::Keep::Messages`]; at most once per
    /// burst of received bytes.
    Conversation(proto::Conversation),
    /// A row of the list of groups is new or has changed; at most once per burst of received bytes.
    Group(Box<proto::Group>),
    /// A message of a group names the user, and is not read yet.
    Mentioned {
        /// Which group.
        group: String,
        /// The message.
        seq: u64,
    },
    /// So much of a group was missed that it is not handed out message by message: everything up to here is to be read
    /// by history.
    Skipped {
        /// Which group.
        group: String,
        /// Up to here.
        to_seq: u64,
    },
    /// Somebody is typing, or stopped.
    /// Something has happened between this user and another as friends; [`Request::Lists`] has what is so now. May be told
    /// twice.
    Friend {
        /// The other.
        user: String,
        /// What.
        event: proto::FriendEvent,
    },
    /// What this user keeps about people has changed, here or on another device: ask by [`Request::Lists`].
    ListsChanged,
    /// How somebody is whom this connection watches ([`Request::Watch`]).
    Presence(proto::Presence),
    /// The other person is typing, or stopped.
    Typing {
        /// Where.
        peer: Peer,
        /// Who.
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
    /// Of which conversation.
    pub peer: Peer,
    /// Seq, author (`own`; in a group `sender`, too), body and the rest.
    pub entry: proto::Entry,
}

/// Where one of this device's own messages stands (spec appendix B).
#[derive(Clone, Debug, PartialEq)]
pub struct Outgoing {
    /// The row of the outbox, as [`crate::Core::send`] returned it.
    pub local: u64,
    /// Identifies the message wherever it appears.
    pub client_message_id: Bytes,
    /// To whom.
    pub peer: Peer,
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
    /// Make a group.
    CreateGroup(proto::CreateGroupRequest),
    /// Change a group.
    ChangeGroup(proto::ChangeGroupRequest),
    /// Come into a group, or ask to.
    JoinGroup(proto::JoinGroupRequest),
    /// A page of the list of groups.
    Groups(proto::GroupsRequest),
    /// A page of a group's members.
    GroupMembers(proto::GroupMembersRequest),
    /// Who has a message of a group.
    GroupReceipts(proto::GroupReceiptsRequest),
    /// Ask somebody to be a friend.
    AddFriend(proto::AddFriendRequest),
    /// Accept or decline a friend request.
    DecideFriend(proto::DecideFriendRequest),
    /// End a friendship, or take a request back.
    RemoveFriend(proto::RemoveFriendRequest),
    /// Note something about a friend.
    NoteFriend(proto::NoteFriendRequest),
    /// Replace the groupings.
    SetGroupings(proto::SetGroupingsRequest),
    /// Change the own profile.
    SetProfile(proto::SetProfileRequest),
    /// Profiles of others.
    Profiles(proto::ProfilesRequest),
    /// What has changed in the own lists.
    Lists(proto::ListsRequest),
    /// Hear of these people on this connection, and of nobody else.
    Watch(proto::WatchRequest),
    /// How this user wants to be seen.
    SetPresence(proto::SetPresenceRequest),
    /// How some are now.
    GetPresence(proto::GetPresenceRequest),
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
    /// To [`Request::CreateGroup`].
    GroupCreated(proto::CreateGroupAnswer),
    /// To [`Request::ChangeGroup`].
    GroupChanged(proto::ChangeGroupAnswer),
    /// To [`Request::JoinGroup`].
    GroupJoined(proto::JoinGroupAnswer),
    /// To [`Request::Groups`].
    Groups(proto::GroupsAnswer),
    /// To [`Request::GroupMembers`].
    GroupMembers(proto::GroupMembersAnswer),
    /// To [`Request::GroupReceipts`].
    GroupReceipts(proto::GroupReceiptsAnswer),
    /// To [`Request::Search`].
    Found(proto::SearchAnswer),
    /// To [`Request::Delete`], [`Request::Block`] and [`Request::Logout`].
    /// To [`Request::AddFriend`].
    AddedFriend(proto::AddFriendAnswer),
    /// To [`Request::SetGroupings`].
    Groupings(proto::SetGroupingsAnswer),
    /// To [`Request::SetProfile`].
    ProfileSet(proto::SetProfileAnswer),
    /// To [`Request::Profiles`].
    Profiles(proto::ProfilesAnswer),
    /// To [`Request::Lists`].
    Lists(proto::ListsAnswer),
    /// To [`Request::Watch`] and [`Request::GetPresence`].
    Presences(Vec<proto::Presence>),
    /// To [`Request::SetPresence`], [`Request::Delete`], [`Request::Block`], [`Request::DecideFriend`], [`Request::RemoveFriend`],
    /// [`Request::NoteFriend`] and [`Request::Logout`].
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
