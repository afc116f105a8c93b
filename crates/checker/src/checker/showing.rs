//! Messages on screens: whose they are, how often, in which order, and whether they may be there (I2, I3, I4, I10).

use super::{Checker, named};
use crate::history::{Device, MessageId, User, digest};
use crate::message::{Message, State};
use crate::violation::Invariant;

/// The first sight of a message.
pub(super) struct Sighting {
    pub(super) own: bool,
    pub(super) seq: u64,
    pub(super) id: MessageId,
    pub(super) digest: u64,
}

impl Checker {
    pub(super) fn shown(&mut self, device: Device, peer: User, sighting: &Sighting) {
        let Some(owner) = self.owner_with(device, peer) else { return };
        let Sighting { seq, id, .. } = *sighting;
        self.counts.shown += 1;
        let Some(place) = self.true_message(device, owner, peer, sighting) else { return };
        self.may_hear(device, peer, Some(place), "shows");
        self.may_pass(device, peer, place, "was shown");
        if self.messages.get(place).state == State::Refused {
            self.blame(Invariant::I1, device, peer, |_| {
                format!("shows {}, which its author was told to be refused", named(id))
            });
        }
        if self.messages.get(place).device == device {
            // I3: a device recognises its own messages, and learns of them by their acknowledgement only.
            self.blame(Invariant::I3, device, peer, |_| {
                format!("shows {}, which it has written itself, as if another device had", named(id))
            });
        } else if self.is_double(device, peer, place, seq) {
            return;
        }
        self.check_order(device, peer, place, seq);
        self.learn(place, seq);
        self.note_sight(device, owner, place, sighting);
    }

    /// I2: what is shown was written by that person, in that conversation, with these bytes.
    fn true_message(&mut self, device: Device, owner: User, peer: User, sighting: &Sighting) -> Option<u32> {
        let Sighting { own, seq, id, digest } = *sighting;
        let Some(place) = self.messages.find(id) else {
            self.blame(Invariant::I2, device, peer, |_| {
                format!("shows {} as number {seq}, which nobody wrote", named(id))
            });
            return None;
        };
        let Message { author, to, .. } = *self.messages.get(place);
        let (expected_author, expected_to) = if own { (owner, peer) } else { (peer, owner) };
        if (author, to) != (expected_author, expected_to) {
            self.blame(Invariant::I2, device, peer, |people| {
                let (author, to) = (people.user_name(author), people.user_name(to));
                format!("shows {} as number {seq}, which {author} wrote to {to}", named(id))
            });
            return None;
        }
        if !self.is_true_body(place, seq, digest) {
            self.blame(Invariant::I2, device, peer, |_| {
                format!("shows {} as number {seq} with a body that its author never gave it", named(id))
            });
        }
        Some(place)
    }

    /// The body as written, or as its author edited it: edits may arrive merged into the message. Of a message that
    /// its author took back, nothing.
    fn is_true_body(&self, place: u32, seq: u64, shown: u64) -> bool {
        let message = self.messages.get(place);
        if message.digest == shown {
            return true;
        }
        let changes = self.conversations.get(message.conversation).changes.get(&seq);
        changes.is_some_and(|changes| changes.edits.contains(&shown) || changes.recall_asked && shown == digest(&[]))
    }

    /// I3: once per device by number and by id, across crashes, too. What a device wrote itself counts as shown from
    /// its acknowledgement on. A device that was told of a new log epoch begins anew.
    fn is_double(&mut self, device: Device, peer: User, place: u32, seq: u64) -> bool {
        let Message { id, seq: known, conversation, .. } = *self.messages.get(place);
        let state = self.people.device(device);
        let view = self.conversations.get_mut(conversation).view_mut(device, state);
        let as_number = view.shown.contains(seq);
        let as_message = known > 0 && view.shown.contains(known);
        if !as_number && !as_message {
            return false;
        }
        self.blame(Invariant::I3, device, peer, |_| {
            let again = if as_number { "again" } else { "under another number" };
            format!("shows {} (number {seq}) {again}", named(id))
        });
        true
    }

    /// I4, the reader's half: numbers go up on a screen. After a reset, what was skipped may be read in any order; what
    /// was written after the reset cannot be among that.
    fn check_order(&mut self, device: Device, peer: User, place: u32, seq: u64) {
        let Message { id, sent, conversation, .. } = *self.messages.get(place);
        let state = self.people.device(device);
        let view = self.conversations.get_mut(conversation).view_mut(device, state);
        let last = view.last;
        if seq < last && sent > state.reset {
            self.blame(Invariant::I4, device, peer, |_| {
                format!("shows {} (number {seq}) after number {last}", named(id))
            });
        }
    }

    fn note_sight(&mut self, device: Device, owner: User, place: u32, sighting: &Sighting) {
        let Sighting { seq, digest, .. } = *sighting;
        let state = self.people.device(device);
        let conversation = self.conversations.get_mut(self.messages.get(place).conversation);
        let view = conversation.view_mut(device, state);
        view.shown.insert(seq);
        view.last = view.last.max(seq);
        view.floor = view.floor.min(seq);
        let side = conversation.side_mut(owner);
        side.received = side.received.max(seq);
        if let Some(changes) = conversation.changes.get_mut(&seq) {
            let recalled = changes.recall_asked && digest == crate::history::digest(&[]);
            let sight = changes.sight_mut(device, digest);
            (sight.shown, sight.digest, sight.recalled) = (self.place, digest, recalled);
        }
    }

    /// I10: what was written after a block was confirmed, and before it may have been lifted, is refused. PROTOCOL.md
    /// §11: "While it holds, neither of the two can send to the other", so either side's block counts. What was written
    /// before may have been stored before, too.
    pub(super) fn may_pass(&mut self, device: Device, peer: User, place: u32, what: &str) {
        let Message { id, conversation, sent, .. } = *self.messages.get(place);
        let conversation = self.conversations.get(conversation);
        let blocker = conversation.people().find(|user| conversation.side(*user).block.held_at(sent));
        if let Some(blocker) = blocker {
            self.blame(Invariant::I10, device, peer, |people| {
                format!("{} {what}, though {} had blocked before it was written", named(id), people.user_name(blocker))
            });
        }
    }
}
