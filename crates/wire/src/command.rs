//! The closed list of commands. A command is a kind (request, answer, notify) and an operation (spec 38).

/// Which of the three packets it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[repr(u16)]
pub enum Kind {
    /// R: from a client, answered exactly once.
    Request = 1,
    /// A: the answer to one request.
    Answer = 2,
    /// N: from the server, unasked; never answered.
    Notify = 3,
}

macro_rules! operations {
    ($($(#[$doc:meta])* $name:ident = $number:literal,)*) => {
        /// What a frame is about; the message type of its body follows from operation and kind.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
        #[repr(u16)]
        pub enum Operation { $($(#[$doc])* $name = $number,)* }

        impl Operation {
            /// All operations, for tests and documentation.
            pub const ALL: &'static [Self] = &[$(Self::$name,)*];

            fn from_number(number: u16) -> Option<Self> {
                match number { $($number => Some(Self::$name),)* _ => None }
            }
        }
    };
}

operations! {
    /// R, A: message 1 and 2 of Noise NK.
    Handshake = 1,
    /// R, A: continues a session on a new connection.
    Resume = 2,
    /// R, A: opens a session.
    Login = 3,
    /// R, A: ends the session.
    Logout = 4,
    /// R, A: heartbeat.
    Keepalive = 5,
    /// N: the gate is closing.
    Goaway = 6,
    /// N, from both ends: the next frame of this direction uses the next key.
    Rekey = 7,
    /// N: the session has ended.
    Kickout = 8,
    /// N: why the server closes the connection.
    Close = 9,
    /// R, A: a message from this user.
    Send = 16,
    /// N: new inbox entries.
    Message = 17,
    /// R, A: everything up to a cursor is stored on the device.
    Ack = 18,
    /// N: how far the other person is.
    Receipt = 19,
    /// R, A: asks for receipts.
    Receipts = 20,
    /// R, A: a page of the inbox.
    Sync = 21,
    /// N: the session is behind.
    Hint = 22,
    /// R, A: a page of a conversation.
    History = 23,
    /// R, A: the first screen.
    Conversations = 24,
    /// R, A: moves the read mark.
    MarkRead = 25,
    /// R, A: takes a message back.
    Recall = 26,
    /// R, A: replaces a message's body.
    Edit = 27,
    /// R, A: a reaction to a message.
    React = 28,
    /// R, A: hides messages from oneself.
    Delete = 29,
    /// R, A, N: somebody is typing.
    Typing = 30,
    /// R, A: refuses a person's messages.
    Block = 31,
    /// R, A: a visitor turned out to be this account.
    ClaimVisitor = 32,
    /// R, A: enters a room under a name.
    EnterRoom = 33,
    /// R, A: leaves a room.
    LeaveRoom = 34,
    /// N: what has happened in a room.
    Room = 35,
    /// R, A: makes a group.
    CreateGroup = 36,
    /// R, A: changes a group.
    ChangeGroup = 37,
    /// R, A: comes into a group, or asks to.
    JoinGroup = 38,
    /// R, A: the reader's groups.
    Groups = 39,
    /// R, A: a page of a group's members.
    GroupMembers = 40,
    /// N: new entries of a group.
    Group = 41,
    /// R, A: everything of groups up to cursors is stored on the device.
    GroupAck = 42,
    /// R, A: who has a message of a group.
    GroupReceipts = 43,
    /// R, A: asks somebody to be a friend.
    AddFriend = 48,
    /// R, A: accepts or declines a friend request.
    DecideFriend = 49,
    /// R, A: ends a friendship, or takes a request back.
    RemoveFriend = 50,
    /// R, A: remark and grouping of a friend.
    NoteFriend = 51,
    /// R, A: replaces the groupings.
    SetGroupings = 52,
    /// R, A: changes the own profile.
    SetProfile = 53,
    /// R, A: profiles of others.
    Profiles = 54,
    /// R, A: what has changed in the own lists.
    Lists = 55,
    /// R, A: whom a connection wants to hear of.
    Watch = 60,
    /// N: how they are.
    Presence = 61,
    /// R, A: how the user wants to be seen.
    SetPresence = 62,
    /// R, A: how some are now.
    GetPresence = 63,
    /// R, A: looks for messages and people.
    Search = 66,
}

/// Kind and operation: the `command` word of a frame header.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Command {
    /// R, A or N.
    pub kind: Kind,
    /// What it is about.
    pub operation: Operation,
}

impl Command {
    /// The request of an operation.
    pub const fn request(operation: Operation) -> Self {
        Self { kind: Kind::Request, operation }
    }

    /// The answer of an operation.
    pub const fn answer(operation: Operation) -> Self {
        Self { kind: Kind::Answer, operation }
    }

    /// The notification of an operation.
    pub const fn notify(operation: Operation) -> Self {
        Self { kind: Kind::Notify, operation }
    }

    /// Whether the protocol has this packet. [`Command::from_number`] knows kinds and operations, not which go
    /// together.
    pub const fn exists(self) -> bool {
        use Operation::{Close, Goaway, Group, Hint, Kickout, Message, Presence, Receipt, Rekey, Room, Typing};
        match self.operation {
            Typing => true,
            Goaway | Rekey | Kickout | Close | Message | Receipt | Hint | Room | Group | Presence => {
                matches!(self.kind, Kind::Notify)
            }
            _ => !matches!(self.kind, Kind::Notify),
        }
    }

    /// The number in the frame header.
    pub const fn number(self) -> u32 {
        (self.kind as u32) << 16 | self.operation as u32
    }

    /// The command of a number, if it is one.
    pub fn from_number(number: u32) -> Option<Self> {
        let kind = kind_of(number)?;
        let operation = Operation::from_number(number as u16)?;
        Some(Self { kind, operation })
    }
}

/// The kind of a number whose operation may be unknown.
pub fn kind_of(number: u32) -> Option<Kind> {
    match number >> 16 {
        1 => Some(Kind::Request),
        2 => Some(Kind::Answer),
        3 => Some(Kind::Notify),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_command_survives_its_number() {
        for &operation in Operation::ALL {
            for kind in [Kind::Request, Kind::Answer, Kind::Notify] {
                let command = Command { kind, operation };
                assert_eq!(Command::from_number(command.number()), Some(command));
            }
        }
        for unknown in [0, 0x1_0000, 0x4_0001, u32::MAX] {
            assert_eq!(Command::from_number(unknown), None);
        }
    }
}
