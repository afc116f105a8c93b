//! Messages, what happens to them, and who may do it (spec 39-54, 58).

use bytes::Bytes;

use crate::app::AppSettings;
use crate::group::{Event, Mentions};
use crate::id::{ClientId, UserId};
use crate::refusal::Refusal;
use crate::time::UnixMillis;
use crate::visitor::Meeting;

/// Different reactions that one message may have; concurrent requests may exceed it by as many as there are.
pub const REACTIONS_MAX: usize = 32;

/// Of those who gave a reaction, so many are named, the last ones.
pub const GIVERS_NAMED_MAX: usize = 10;

/// What a sender writes: the envelope that the server reads, and the body that it does not.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Draft {
    /// The number of the body's type; 0 is text. Unknown numbers are relayed.
    pub body_type: i32,
    /// Opaque.
    pub body: Bytes,
    /// What search may read if the body is no text.
    pub text: String,
    /// The seq it answers, 0 = none.
    pub reply_to: u64,
    /// When it may disappear, 0 = never.
    pub expires_at: UnixMillis,
    /// No sound.
    pub silent: bool,
    /// Not counted as unread.
    pub uncounted: bool,
    /// Only in groups.
    pub mentions: Option<Box<Mentions>>,
}

/// A reaction and who gave it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Reaction {
    /// Emoji or short name.
    pub name: String,
    /// In order of giving.
    pub users: Vec<UserId>,
}

impl Reaction {
    /// Those who are named, the last one first.
    pub fn last_givers(&self) -> impl Iterator<Item = UserId> {
        self.users.iter().rev().take(GIVERS_NAMED_MAX).copied()
    }
}

/// One row of a conversation's log, as it is now.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entry {
    /// Gapless in the conversation.
    pub seq: u64,
    /// Who caused it.
    pub sender: UserId,
    /// The sender's own id of it.
    pub client_id: ClientId,
    /// When the server took it.
    pub time: UnixMillis,
    /// Countable messages up to this one.
    pub message_count: u64,
    /// Where the sender's read mark moved with it, 0 = nowhere.
    pub seen_seq: u64,
    /// The last entry that changed this row, 0 = none.
    pub changed_seq: u64,
    /// Its body was replaced.
    pub edited: bool,
    /// Its body is gone.
    pub recalled: bool,
    /// By name, in order of first use.
    pub reactions: Vec<Reaction>,
    /// The row that this entry announces a change of; 0 = this is a message.
    pub change_of: u64,
    /// Only in groups: what it tells instead of a message.
    pub event: Option<Box<Event>>,
    /// What was written; empty if recalled or an announcement.
    pub draft: Draft,
}

impl Entry {
    /// A message as it is when it is new, before anything counts it.
    pub fn new(seq: u64, sender: UserId, client_id: ClientId, time: UnixMillis, draft: Draft) -> Self {
        Self {
            seq,
            sender,
            client_id,
            time,
            message_count: 0,
            seen_seq: 0,
            changed_seq: 0,
            edited: false,
            recalled: false,
            reactions: Vec::new(),
            change_of: 0,
            event: None,
            draft,
        }
    }

    /// Everybody whom a row of a group names.
    pub fn named(&self) -> impl Iterator<Item = UserId> {
        let mentions = self.draft.mentions.iter().flat_map(|mentions| mentions.users());
        let event = self.event.iter().flat_map(|event| event.users());
        let givers = self.reactions.iter().flat_map(Reaction::last_givers);
        std::iter::once(self.sender).chain(mentions).chain(event).chain(givers)
    }
}

/// What a request does to a row.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Alteration {
    /// Removes the body for everybody.
    Recall,
    /// Replaces the body.
    Edit {
        /// The new body.
        body: Bytes,
        /// Its text projection.
        text: String,
    },
    /// Gives a reaction, or takes it back.
    React {
        /// Emoji or short name.
        name: String,
        /// Takes it back.
        remove: bool,
    },
}

/// What decides whether one user may write to another.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct DirectFacts {
    /// Raised whenever somebody loses a right; a decision holds only for the version it was made on.
    pub access_version: u64,
    /// The sender does not want the addressee's messages.
    pub blocked_by_sender: bool,
    /// The addressee does not want the sender's messages.
    pub blocked_by_addressee: bool,
    /// What visitors change about it.
    pub meeting: Meeting,
}

/// Whether a user may write to, or react in, a direct conversation.
pub fn decide_direct(facts: DirectFacts) -> Result<(), Refusal> {
    facts.meeting.decide_write()?;
    if facts.blocked_by_addressee || facts.blocked_by_sender { Err(Refusal::NotAllowed) } else { Ok(()) }
}

/// Whether `user` may alter `target` now. What is read here never changes again, except `recalled`, which the store
/// checks once more.
pub fn decide_alteration(
    alteration: &Alteration,
    target: &Entry,
    user: UserId,
    now: UnixMillis,
    settings: &AppSettings,
) -> Result<(), Refusal> {
    if target.change_of != 0 {
        return Err(Refusal::NotFound);
    }
    if target.recalled {
        return Err(Refusal::TooLate);
    }
    if let Alteration::React { name, remove } = alteration {
        let known = target.reactions.iter().any(|reaction| reaction.name == *name);
        let room = *remove || known || target.reactions.len() < REACTIONS_MAX;
        return if room { Ok(()) } else { Err(Refusal::QuotaExceeded) };
    }
    if target.sender != user {
        return Err(Refusal::NotAllowed);
    }
    if now.0.saturating_sub(target.time.0) > settings.recall_seconds_max.saturating_mul(1000) {
        return Err(Refusal::TooLate);
    }
    Ok(())
}
