//! What clients saw: an append-only list of records, one line of JSON each.
//!
//! Whoever drives clients (the simulator, the rigs, the replay of logs, later a browser) writes it, in one order in
//! which a cause stands before its effect. It says nothing about how a server works.
//!
//! A *device* is one install of a client, named `user/device`; it stays the same across crashes, and forgets nothing that
//! it has kept. A *message* is named by its client_message_id. Bodies are recorded as [`digest`]s.

use serde::{Deserialize, Serialize};

/// One line.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Record {
    /// Milliseconds since the history began.
    pub at_ms: u64,
    /// What happened.
    #[serde(flatten)]
    pub event: Event,
}

/// A device of the history: an index into the devices that were introduced by [`Event::Device`], in their order.
pub type Device = u32;

/// A user of the history: an index into the users that were introduced by [`Event::User`], in their order.
pub type User = u32;

/// A client_message_id; in lines of JSON 32 hexadecimal digits, because JSON's numbers are too short.
pub type MessageId = u128;

/// The things that can be seen from outside.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "event", rename_all = "snake_case")]
pub enum Event {
    /// A user exists. The same name in another app is another user.
    User { app: String, name: String },
    /// A device of a user exists.
    Device { user: User, name: String },

    /// The device has a session, by login or resume, and is connected.
    Live { device: Device, resumed: bool },
    /// The device is not connected any more, or has noticed it.
    Offline { device: Device },
    /// The device was told that its session is over, and stays down.
    Stopped { device: Device, reason: String },
    /// The device's process died. What it had kept but not shown was recorded as [`Event::Shown`] just before.
    Crashed { device: Device },

    /// The device's user wrote a message; it is in the outbox.
    Send {
        device: Device,
        to: User,
        #[serde(with = "hex")]
        id: MessageId,
        digest: u64,
    },
    /// The device was told that the server has it: number `seq` of the conversation with `to`.
    Acked {
        device: Device,
        to: User,
        #[serde(with = "hex")]
        id: MessageId,
        seq: u64,
    },
    /// The device was told that the server refused it, or gave up. A refused message is never shown to anybody;
    /// one that was given up (`refused` = false) may be.
    Failed {
        device: Device,
        to: User,
        #[serde(with = "hex")]
        id: MessageId,
        refused: bool,
    },

    /// The device showed a message for the first time: number `seq` of the conversation with `peer`, by `peer` or by
    /// another device of the same user (`own`).
    Shown {
        device: Device,
        peer: User,
        own: bool,
        seq: u64,
        #[serde(with = "hex")]
        id: MessageId,
        digest: u64,
    },

    /// The device asked to change message `seq`; each such request that is done takes a number of the conversation.
    Change { device: Device, peer: User, seq: u64, kind: ChangeKind, digest: u64 },
    /// The device was told that the change is done, under the number `at_seq`.
    ChangeDone { device: Device, peer: User, seq: u64, at_seq: u64 },
    /// The device shows message `seq` as it is now.
    Changed { device: Device, peer: User, seq: u64, at_seq: u64, recalled: bool, digest: u64 },

    /// The device's user has read everything up to `seq`. Right behind a [`Event::Send`] of the same device to the same
    /// person it is that message's `seen_seq`, and holds once the message is stored.
    Read { device: Device, peer: User, seq: u64 },
    /// The device shows how far `peer` is: `delivered_seq` has reached one of their devices, `read_seq` was read.
    Receipt { device: Device, peer: User, delivered_seq: u64, read_seq: u64 },

    /// The device asked for it, and was told that it is done: messages of `peer` are refused from now on, or no more.
    Block { device: Device, peer: User, blocked: bool },
    /// The device asked to block or unblock `peer`; from now on until [`Event::Block`] either may hold.
    BlockAsked { device: Device, peer: User, blocked: bool },
    /// The user hid messages from their own devices: everything up to `up_to_seq`, and single ones.
    Delete { device: Device, peer: User, up_to_seq: u64, seqs: Vec<u64> },

    /// The device has applied its inbox up to here, in this life of the server's store.
    Cursor { device: Device, log_epoch: u32, inbox: u64 },
    /// The device was told to skip what it has missed; from here on it is owed only what comes later.
    Reset { device: Device },

    /// The operator ended the sessions of a user, and the server has confirmed it.
    Revoked { user: User },

    /// No more faults from here on.
    Healed,
    /// Everything has had time to arrive. What follows describes the state at rest.
    AtRest,
    /// How many of a user's devices the server believes to be connected.
    Presence { user: User, connected: u32 },
    /// A line of the device's conversation list: unread messages, and the mark above which they lie.
    Unread { device: Device, peer: User, read_seq: u64, unread: u64 },
    /// A number that has to come back to where it was: tasks, connections, descriptors.
    Resource { name: String, before: u64, after: u64 },
    /// A panic, or a line that must never be logged.
    Panic { what: String },
}

/// What may be done to a message.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ChangeKind {
    /// Another body.
    Edit,
    /// Taken back for everybody.
    Recall,
    /// A reaction was given or taken back.
    React,
}

/// FNV-1a of a body: equal bodies are equal, and a history stays short.
pub fn digest(body: &[u8]) -> u64 {
    body.iter().fold(0xcbf2_9ce4_8422_2325, |hash, byte| (hash ^ u64::from(*byte)).wrapping_mul(0x0100_0000_01b3))
}

/// Message ids as text.
mod hex {
    use serde::de::Error;
    use serde::{Deserialize, Deserializer, Serializer};

    pub(super) fn serialize<S: Serializer>(id: &u128, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(&format_args!("{id:032x}"))
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<u128, D::Error> {
        let text = String::deserialize(deserializer)?;
        u128::from_str_radix(&text, 16).map_err(D::Error::custom)
    }
}
