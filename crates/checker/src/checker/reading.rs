//! What people do besides writing: read marks, receipts, deletions for oneself, blocks (I8).

use super::Checker;
use crate::conversation::Conversation;
use crate::history::{Device, User};
use crate::log::Entry;
use crate::message::Messages;
use crate::violation::Invariant;

impl Checker {
    /// A mark that goes with a message holds only if the message does.
    pub(super) fn read(&mut self, device: Device, peer: User, seq: u64, last_send: Option<u32>) {
        let Some((owner, place)) = self.conversation_with(device, peer) else { return };
        let with = last_send.filter(|message| {
            let message = self.messages.get(*message);
            message.device == device && message.to == peer
        });
        let conversation = self.conversations.get_mut(place);
        let view = conversation.view_mut(device, self.people.device(device));
        match with {
            Some(message) => {
                let messages = &self.messages;
                let mut read = view.read;
                view.read_with.retain(|(message, seq)| {
                    let arrived = messages.get(*message).seq > 0;
                    read = if arrived { read.max(*seq) } else { read };
                    !arrived
                });
                view.read = read;
                // Of several that go to the same mark the first is enough.
                if seq > view.read_with.last().map_or(read, |(_, seq)| read.max(*seq)) {
                    view.read_with.push((message, seq));
                }
            }
            None => {
                self.people.device_mut(device).fresh.at(self.at_ms).reads.push((place, view.read));
                view.read = view.read.max(seq);
            }
        }
        let max = conversation.log.max();
        let side = conversation.side_mut(owner);
        side.read = side.read.max(seq);
        // Whoever has read it has it.
        side.received = side.received.max(seq.min(max));
    }

    /// I8: a receipt tells the truth, and never goes down (PROTOCOL.md §10). 0 means that the field did not move.
    pub(super) fn receipt(&mut self, device: Device, peer: User, delivered: u64, read: u64) {
        let Some((_, place)) = self.conversation_with(device, peer) else { return };
        self.counts.receipts += 1;
        self.may_hear(device, peer, None, "a receipt");
        let conversation = self.conversations.get_mut(place);
        let read_here = conversation.side(peer).read;
        let view = conversation.view_mut(device, self.people.device(device));
        let (delivered_before, read_before) = view.receipt;
        view.receipt = (delivered_before.max(delivered), read_before.max(read));
        if delivered > 0 && delivered < delivered_before || read > 0 && read < read_before {
            self.blame(Invariant::I8, device, peer, |_| {
                format!(
                    "a receipt goes down from ({delivered_before} delivered, {read_before} read) to ({delivered}, {read})"
                )
            });
        }
        if read > read_here {
            self.blame(Invariant::I8, device, peer, |people| {
                let peer = people.user_name(peer);
                format!("all up to {read} is told to be read, but {peer} has read up to {read_here} at most")
            });
        }
        self.check_delivered(place, device, peer, delivered);
    }

    /// I8: everything of one's own up to it has reached a device of the other. A device does not tell of every number
    /// that it has (a change may have been merged into its message, a reset skips), so not the number itself is
    /// compared, but the messages below it that no device over there has shown.
    fn check_delivered(&mut self, place: u32, device: Device, peer: User, delivered: u64) {
        let conversation = self.conversations.get_mut(place);
        let skipped = self.people.user(peer).skipped;
        let side = conversation.side_mut(peer);
        let from = side.received.max(side.claimed);
        side.claimed = side.claimed.max(delivered);
        if delivered <= from || conversation.is_note_to_self() {
            return;
        }
        let missing = first_undelivered(conversation, &self.messages, peer, (from, delivered), skipped);
        let received = conversation.side(peer).received;
        let max = conversation.log.max();
        // What may exist above all known numbers: messages and changes whose author was not told yet.
        let unknown = conversation.unnumbered + conversation.changes_asked.saturating_sub(conversation.log.changes());
        if let Some(missing) = missing {
            self.blame(Invariant::I8, device, peer, |people| {
                let peer = people.user_name(peer);
                format!(
                    "all up to {delivered} is told to be delivered, but number {missing} has reached no device of {peer}, \
                     which know {received} at most"
                )
            });
        } else if delivered > max.saturating_add(unknown) && self.epoch_raises == 0 {
            self.blame(Invariant::I8, device, peer, |_| {
                format!("all up to {delivered} is told to be delivered, but nothing has such a number yet")
            });
        }
    }

    /// What a device asked to hide may be hidden or not from now on.
    pub(super) fn delete(&mut self, device: Device, peer: User, up_to_seq: u64, seqs: &[u64]) {
        let Some((owner, conversation)) = self.conversation_with(device, peer) else { return };
        let side = self.conversations.get_mut(conversation).side_mut(owner);
        side.deleted_up_to = side.deleted_up_to.max(up_to_seq);
        for seq in seqs {
            side.deleted.insert(*seq);
        }
    }

    pub(super) fn block_asked(&mut self, device: Device, peer: User, blocked: bool) {
        let Some((owner, conversation)) = self.conversation_with(device, peer) else { return };
        let (place, at_ms) = (self.place, self.at_ms);
        let conversation = self.conversations.get_mut(conversation);
        conversation.side_mut(owner).block.asked(device, blocked, place, at_ms);
    }

    pub(super) fn block(&mut self, device: Device, peer: User, blocked: bool) {
        let Some((owner, conversation)) = self.conversation_with(device, peer) else { return };
        let (place, at_ms) = (self.place, self.at_ms);
        let conversation = self.conversations.get_mut(conversation);
        conversation.side_mut(owner).block.done(device, blocked, place, at_ms);
    }
}

/// The first message to `peer` in the range (above the one, up to the other) that was written after their devices last
/// skipped something.
fn first_undelivered(
    conversation: &Conversation,
    messages: &Messages,
    peer: User,
    range: (u64, u64),
    skipped: u64,
) -> Option<u64> {
    let numbers = conversation.log.above(range.0).take_while(|(seq, _)| *seq <= range.1);
    numbers
        .filter_map(|(seq, entry)| match entry {
            Entry::Message(place) => Some((seq, messages.get(place))),
            _ => None,
        })
        .find(|(_, message)| message.to == peer && message.sent > skipped)
        .map(|(seq, _)| seq)
}
