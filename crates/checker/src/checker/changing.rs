//! Edits, recalls and reactions: each takes a number of its own, and shows what its author wanted (I2, I4, I5).

use super::Checker;
use crate::change::Asked;
use crate::history::{ChangeKind, Device, User, digest};
use crate::log::Entry;
use crate::violation::Invariant;

/// A message as it is now.
pub(super) struct News {
    pub(super) seq: u64,
    pub(super) at_seq: u64,
    pub(super) recalled: bool,
    pub(super) digest: u64,
}

impl Checker {
    pub(super) fn change(&mut self, device: Device, peer: User, seq: u64, kind: ChangeKind, digest: u64) {
        let Some((owner, conversation)) = self.conversation_with(device, peer) else { return };
        let conversation = self.conversations.get_mut(conversation);
        self.counts.changes_asked += 1;
        conversation.changes_asked += 1;
        // Whoever asks has seen it; if nobody else has been told its number, he may be its author.
        let by_author = match conversation.log.get(seq) {
            Entry::Message(place) => self.messages.get(place).author == owner,
            Entry::Unknown => true,
            Entry::Change(_) => false,
        };
        let changes = conversation.changes.entry(seq).or_default();
        changes.asked_total += 1;
        match kind {
            ChangeKind::Edit if by_author => changes.edits.push(digest),
            ChangeKind::Recall if by_author => changes.recall_asked = true,
            _ => {}
        }
        changes.open.push(Asked { device, by_author, kind, digest, at: self.place });
    }

    pub(super) fn change_done(&mut self, device: Device, peer: User, seq: u64, at_seq: u64) {
        let Some((owner, conversation)) = self.conversation_with(device, peer) else { return };
        self.counts.changes_done += 1;
        let changes = self.conversations.get_mut(conversation).changes.get_mut(&seq);
        let Some(changes) = changes else {
            return self.blame(Invariant::I2, device, peer, |_| {
                format!("was told that a change of number {seq} is done, but nobody asked for it")
            });
        };
        changes.done(device, at_seq);
        self.note_change(conversation, device, peer, seq, at_seq);
        let side = self.conversations.get_mut(conversation).side_mut(owner);
        side.received = side.received.max(at_seq);
    }

    pub(super) fn changed(&mut self, device: Device, peer: User, news: &News) {
        let Some((owner, conversation)) = self.conversation_with(device, peer) else { return };
        self.counts.changes_shown += 1;
        self.may_hear(device, peer, None, "shows a change");
        let News { seq, at_seq, recalled, digest } = *news;
        if !self.conversations.get(conversation).changes.contains_key(&seq) {
            return self.blame(Invariant::I2, device, peer, |_| {
                format!("shows number {seq} as changed, but nobody asked for a change of it")
            });
        }
        self.note_change(conversation, device, peer, seq, at_seq);
        self.check_news(conversation, device, peer, news);
        let place = self.conversations.get_mut(conversation);
        let changes = place.changes.entry(seq).or_default();
        let sight = changes.sight_mut(device, digest);
        let (before, was_recalled) = (sight.at_seq, sight.recalled);
        (sight.at_seq, sight.digest, sight.recalled) = (before.max(at_seq), digest, recalled);
        let side = place.side_mut(owner);
        side.received = side.received.max(at_seq);
        if at_seq < before {
            // I4: PROTOCOL.md §11, "Replace the stored row if the target's changed_seq is higher."
            self.blame(Invariant::I4, device, peer, |_| {
                format!("shows number {seq} as of change {at_seq} after it was shown as of change {before}")
            });
        } else if was_recalled && !recalled {
            self.blame(Invariant::I2, device, peer, |_| format!("shows number {seq} again, which was taken back"));
        }
    }

    /// I2: what a change shows is what the author wanted: his body, one of his edits, or nothing if he took it back. A
    /// message that nobody else was told of cannot be compared.
    fn check_news(&mut self, conversation: u32, device: Device, peer: User, news: &News) {
        let News { seq, recalled, digest: shown, .. } = *news;
        let conversation = self.conversations.get(conversation);
        let Some(changes) = conversation.changes.get(&seq) else { return };
        let recall_asked = changes.recall_asked;
        let original = match conversation.log.get(seq) {
            Entry::Message(place) => self.messages.get(place).digest == shown,
            _ => true,
        };
        let true_body = original || changes.edits.contains(&shown);
        if recalled && !recall_asked {
            self.blame(Invariant::I2, device, peer, |_| {
                format!("shows number {seq} as taken back, but its author never asked for that")
            });
        } else if recalled && shown != 0 && shown != digest(&[]) {
            self.blame(Invariant::I2, device, peer, |_| format!("shows a body of number {seq}, which was taken back"));
        } else if !recalled && !true_body {
            self.blame(Invariant::I2, device, peer, |_| {
                format!("shows number {seq} changed to a body that its author never gave it")
            });
        }
    }

    /// I5: a change's number names that change only, lies above its message, and somebody has asked for it.
    fn note_change(&mut self, conversation: u32, device: Device, peer: User, seq: u64, at_seq: u64) {
        let conversation = self.conversations.get_mut(conversation);
        let wrong = match conversation.log.get(at_seq) {
            _ if at_seq <= seq => Some("which is not above it".to_owned()),
            Entry::Message(place) => Some(format!("which is {}", super::named(self.messages.get(place).id))),
            Entry::Change(target) if target != seq => Some(format!("which is a change of number {target}")),
            Entry::Change(_) => None,
            Entry::Unknown => {
                conversation.log.set(at_seq, Entry::Change(seq));
                None
            }
        };
        let target_is_change = matches!(conversation.log.get(seq), Entry::Change(_));
        let changes = conversation.changes.entry(seq).or_default();
        let too_many = wrong.is_none() && changes.note(at_seq) && changes.numbers.len() as u64 > changes.asked_total;
        let asked = changes.asked_total;
        if let Some(wrong) = wrong {
            self.blame(Invariant::I5, device, peer, |_| {
                format!("a change of number {seq} is number {at_seq}, {wrong}")
            });
        } else if target_is_change {
            self.blame(Invariant::I5, device, peer, |_| format!("number {seq} is a change, and was changed itself"));
        } else if too_many {
            self.blame(Invariant::I5, device, peer, |_| {
                format!("number {seq} was asked to be changed {asked} times, and number {at_seq} is one change more")
            });
        }
    }
}
