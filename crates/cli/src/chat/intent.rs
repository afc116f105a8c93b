//! What goes in and out of the view model: everything that happens, and everything the user wants done. Names and
//! data only.

use bytes::Bytes;
use hongyan_client::proto::GroupMember;
use hongyan_client::{ConversationRow, Event, GroupRow, MessageRange, OutboxRow, Peer};
use ratatui::crossterm::event::KeyEvent;

/// Something happened.
#[derive(Debug)]
pub enum Input {
    /// A key was pressed.
    Key(KeyEvent),
    /// Text was pasted.
    Paste(String),
    /// The window got or lost the keyboard.
    Focus(bool),
    /// The window has this size now.
    Size {
        /// Cells from left to right.
        columns: u16,
        /// Cells from top to bottom.
        rows: u16,
    },
    /// Time has passed.
    Tick,
    /// The client tells.
    Told(Box<Event>),
    /// This conversation is wanted.
    Open(Peer),
    /// What the device knew when it started.
    Restored {
        /// The list.
        conversations: Vec<ConversationRow>,
        /// Groups.
        groups: Vec<GroupRow>,
        /// On their way out.
        outbox: Vec<OutboxRow>,
    },
    /// The answer to [`Intent::Load`].
    Page {
        /// The conversation.
        peer: Peer,
        /// As asked.
        before_seq: u64,
        /// What came.
        result: Result<MessageRange, Problem>,
    },
    /// The answer to [`Intent::Members`].
    Members {
        /// Of which group.
        group: String,
        /// By name, as many as fit into a page.
        members: Vec<GroupMember>,
        /// There are others.
        more: bool,
    },
    /// [`Intent::JoinGroup`] waits for an admission.
    Asked(String),
    /// [`Intent::Send`] was kept; from now on the client tells.
    Queued {
        /// Which one.
        client_message_id: Bytes,
        /// Its row of the outbox.
        local: u64,
    },
    /// [`Intent::Send`] was not even kept.
    NotQueued {
        /// Which one.
        client_message_id: Bytes,
        /// Why.
        problem: Problem,
    },
    /// Another intent was done.
    Done(Intent),
    /// Another intent was not done.
    NotDone(Intent, Problem),
}

/// Why something was not done.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Problem {
    /// The server said no.
    Refused(hongyan_client::proto::RefusalCode),
    /// There is no connection.
    Offline,
    /// It may have been done.
    NoAnswer,
    /// Too many at once.
    TooMany,
    /// The outbox is full.
    OutboxFull,
    /// It breaks a limit.
    Invalid,
    /// The client is no more; its last event says why.
    Ended,
}

/// Never shown, not even to somebody who debugs.
#[derive(Clone, PartialEq)]
pub struct Password(pub String);

impl std::fmt::Debug for Password {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Password(…)")
    }
}

/// Something is to be done.
#[derive(Clone, Debug, PartialEq)]
pub enum Intent {
    /// Put a text into the outbox.
    Send {
        /// To whom.
        peer: Peer,
        /// Chosen here, so that it is recognised wherever it comes back.
        client_message_id: Bytes,
        /// What.
        text: String,
        /// The quoted message, 0 = none.
        reply_to: u64,
        /// The newest message on screen.
        seen_seq: u64,
    },
    /// Try a failed message again.
    Resend(u64),
    /// Forget a failed message.
    Discard(u64),
    /// Read a page of a conversation; 0 = the newest.
    Load {
        /// The conversation.
        peer: Peer,
        /// Only below.
        before_seq: u64,
    },
    /// Everything up to here was read.
    MarkRead {
        /// The conversation.
        peer: Peer,
        /// Up to here.
        seq: u64,
    },
    /// The user is typing, or stopped.
    Typing {
        /// To whom.
        peer: Peer,
        /// Stopped.
        stopped: bool,
    },
    /// Replace the text of an own message.
    Edit {
        /// The conversation.
        peer: Peer,
        /// The message.
        seq: u64,
        /// The new text.
        text: String,
    },
    /// Take an own message back.
    Recall {
        /// The conversation.
        peer: Peer,
        /// The message.
        seq: u64,
    },
    /// Give a reaction, or take it back.
    React {
        /// The conversation.
        peer: Peer,
        /// The message.
        seq: u64,
        /// Which one.
        name: String,
        /// Take it back.
        remove: bool,
    },
    /// Hide a message.
    Delete {
        /// The conversation.
        peer: Peer,
        /// The message.
        seq: u64,
    },
    /// Refuse a person's messages, or accept them again.
    Block {
        /// Whose.
        user: String,
        /// Refuse.
        blocked: bool,
    },
    /// Make a group.
    CreateGroup {
        /// Its id, and its title.
        group: String,
    },
    /// Come into a group, or ask to.
    JoinGroup {
        /// Which one.
        group: String,
    },
    /// Take people into a group.
    Invite {
        /// Which one.
        group: String,
        /// Whom.
        users: Vec<String>,
    },
    /// Go out of a group.
    LeaveGroup {
        /// Which one.
        group: String,
    },
    /// Read who is in a group.
    Members {
        /// Which one.
        group: String,
    },
    /// Try to connect now.
    Reconnect,
    /// Log in again after a stop.
    Start,
    /// Log in with this password, the earlier credential having been refused.
    LogIn(Password),
    /// The token was refused, and another cannot be asked for here.
    GiveUp,
    /// Draw attention: something came while the user was elsewhere.
    Ring,
    /// End the program.
    Quit,
}
