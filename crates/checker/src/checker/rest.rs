//! What must be true when everything has had time to arrive (I1, I5, I9, I11, I12, I14).

use std::collections::BTreeMap;

use super::{Checker, named};
use crate::change::Changes;
use crate::conversation::Conversation;
use crate::history::{ChangeKind, Device, User};
use crate::log::Entry;
use crate::message::{Message, State};
use crate::people::Link;
use crate::violation::Invariant;

impl Checker {
    pub(super) fn rest(&mut self) {
        self.counts.rests += 1;
        self.at_rest = true;
        self.check_pending();
        for conversation in 0..self.conversations.len() as u32 {
            self.check_holes(conversation);
            let conversation_ref = self.conversations.get(conversation);
            let devices: Vec<_> = conversation_ref.people().flat_map(|user| self.people.live_devices(user)).collect();
            for device in devices {
                self.check_complete(conversation, device);
                self.check_changes(conversation, device);
            }
        }
    }

    /// I11: whoever is connected was told what became of everything he wrote.
    fn check_pending(&mut self) {
        let waits = |device: Device| {
            let state = self.people.device(device);
            state.link == Link::Live && state.pending > 0
        };
        if !(0..self.people.devices() as Device).any(waits) {
            return;
        }
        for message in self.messages.iter() {
            if message.state == State::Pending && !message.doubtful && waits(message.device) {
                self.verdict.add(Invariant::I11, || {
                    let (device, to) = (self.people.device_name(message.device), self.people.user_name(message.to));
                    format!("{device}, with {to}: {} is still on its way when all is at rest", named(message.id))
                });
            }
        }
    }

    /// I5: numbers have no holes. A number that nobody was told of must be a change that was asked for and whose answer
    /// was lost, or a message that was given up or is still with a device that is away. Each restored backup may leave
    /// one gap.
    fn check_holes(&mut self, place: u32) {
        let conversation = self.conversations.get_mut(place);
        if conversation.log.messages() + conversation.log.changes() == conversation.log.max() {
            return;
        }
        let mut gaps = conversation.log.gaps();
        gaps.sort_unstable_by(|one, other| other.cmp(one));
        let holes: u64 = gaps.iter().skip(self.epoch_raises as usize).sum();
        let explained = conversation.unnumbered + conversation.changes_asked.saturating_sub(conversation.log.changes());
        if holes <= explained || holes <= conversation.holes_told {
            return;
        }
        conversation.holes_told = holes;
        let ([one, other], max) = (conversation.users, conversation.log.max());
        self.verdict.add(Invariant::I5, || {
            let (one, other) = (self.people.user_name(one), self.people.user_name(other));
            format!(
                "{one} and {other}: {holes} numbers up to {max} name nothing, and only {explained} can be explained"
            )
        });
    }

    /// I1: every message that has a number is on every device that is connected, unless it had a reason to skip it.
    /// That goes beyond acknowledged ones: what one device shows is stored, and so the others get it, too.
    ///
    /// Owed is what was written after the device's first login and after its last reset; of what was on its way then
    /// only what has a higher number than something that the device has shown since, because an inbox has no holes.
    /// Not owed is what its user hid, and what its author took back (it may come as taken back, or not at all).
    fn check_complete(&mut self, place: u32, device: Device) {
        let state = self.people.device(device);
        let Some(since) = state.owed_since() else { return };
        let conversation = self.conversations.get_mut(place);
        let messages_total = conversation.log.messages();
        if conversation.view_mut(device, state).shown.len() == messages_total {
            return;
        }
        let conversation = self.conversations.get(place);
        let Some(view) = conversation.view(device) else { return };
        let side = conversation.side(state.user);
        let owed = |seq: u64, message: &Message| {
            let recalled = || conversation.changes.get(&seq).is_some_and(|changes| changes.recall_asked);
            message.seq == seq
                && (message.sent > since || seq > view.floor)
                && !view.shown.contains(seq)
                && !view.missed.contains(seq)
                && !side.has_deleted(seq)
                && !recalled()
        };
        let missed: Vec<_> = conversation
            .log
            .above(0)
            .filter_map(|(seq, entry)| match entry {
                Entry::Message(message) => Some((seq, message)),
                _ => None,
            })
            .filter(|(seq, message)| owed(*seq, self.messages.get(*message)))
            .collect();
        for (seq, message) in missed {
            let state = self.people.device(device);
            self.conversations.get_mut(place).view_mut(device, state).missed.insert(seq);
            let Message { id, state, author, to, .. } = *self.messages.get(message);
            let peer = if author == self.people.device(device).user { to } else { author };
            self.blame(Invariant::I1, device, peer, |_| {
                let known = if state == State::Acknowledged { "acknowledged" } else { "stored" };
                format!("has never shown {} (number {seq}), which is {known}", named(id))
            });
        }
    }

    /// I1 for changes: every change that is done has reached every device that shows its message; and in the end a
    /// device shows the last body, or that it was taken back.
    fn check_changes(&mut self, place: u32, device: Device) {
        let state = self.people.device(device);
        let (Some(since), owner) = (state.owed_since(), state.user) else { return };
        let conversation = self.conversations.get(place);
        let Some(view) = conversation.view(device) else { return };
        let [one, other] = conversation.users;
        let peer = if one == owner { other } else { one };
        let mut wrong = BTreeMap::new();
        for (seq, changes) in &conversation.changes {
            let Some(last) = changes.last else { continue };
            let owed = view.shown.contains(*seq) && (last.asked > since || last.at_seq > view.floor);
            if !owed || conversation.side(owner).has_deleted(*seq) {
                continue;
            }
            let original = match conversation.log.get(*seq) {
                Entry::Message(message) => self.messages.get(message).digest,
                _ => continue,
            };
            let (known, shown) = changes.sight(device).map_or((0, 0), |sight| (sight.at_seq, sight.shown));
            if known < last.at_seq && shown < last.asked {
                wrong.insert(*seq, format!("never heard of change {} of number {seq}", last.at_seq));
            } else if !shows_last_body(changes, device, original) {
                wrong.insert(*seq, format!("shows an old body of number {seq} after its last change {}", last.at_seq));
            }
        }
        for what in wrong.into_values() {
            self.blame(Invariant::I1, device, peer, |_| what);
        }
    }

    /// I9: the server believes of as many devices that they are connected as are.
    pub(super) fn presence(&mut self, user: User, connected: u32) {
        if !self.people.has_user(user) {
            return self.verdict.add(Invariant::History, || format!("user #{user} does not exist"));
        }
        let live = self.people.live_devices(user).count();
        if self.at_rest && live != connected as usize {
            self.verdict.add(Invariant::I9, || {
                let user = self.people.user_name(user);
                format!("{live} devices of {user} are connected, but the server believes that {connected} are")
            });
        }
    }

    /// I14: unread is the number of the other person's messages above the mark, and the mark is where it was set.
    ///
    /// PROTOCOL.md §10 derives it from counts of messages and does not say what a recall or a deletion for oneself do to
    /// it, so with and without those is accepted. So is a message whose author was not told yet.
    pub(super) fn unread(&mut self, device: Device, peer: User, read_seq: u64, unread: u64) {
        let Some((owner, place)) = self.conversation_with(device, peer) else { return };
        if !self.at_rest || self.people.device(device).link != Link::Live {
            return;
        }
        let conversation = self.conversations.get(place);
        let (surely, perhaps) = self.countable(conversation, owner, read_seq);
        let set = conversation.side(owner).read;
        let least = if self.epoch_raises == 0 { self.surely_read(conversation, owner) } else { 0 };
        if unread < surely || unread > perhaps {
            self.blame(Invariant::I14, device, peer, |_| {
                format!("{unread} messages are told to be unread above {read_seq}, but {surely} to {perhaps} are")
            });
        }
        if read_seq < least || read_seq > set {
            self.blame(Invariant::I14, device, peer, |_| {
                format!("the read mark is {read_seq}, but was set to {least} at least and {set} at most")
            });
        }
    }

    /// How many messages above the mark are unread: at least, and at most.
    fn countable(&self, conversation: &Conversation, owner: User, read_seq: u64) -> (u64, u64) {
        if conversation.is_note_to_self() {
            return (0, 0);
        }
        let side = conversation.side(owner);
        let epoch = self.epoch.unwrap_or(0);
        let (mut surely, mut perhaps) = (0, conversation.unnumbered);
        for (seq, entry) in conversation.log.above(read_seq) {
            let Entry::Message(message) = entry else { continue };
            let message = self.messages.get(message);
            if message.to != owner || message.seq != seq {
                continue;
            }
            let recalled = conversation.changes.get(&seq).is_some_and(|changes| changes.recall_asked);
            // What a restored backup had not yet is gone, but who knows which.
            let kept = message.epoch == epoch || self.epoch_raises == 0;
            perhaps += 1;
            surely += u64::from(kept && !recalled && !side.has_deleted(seq));
        }
        (surely, perhaps)
    }

    /// Up to where the user's connected devices have read; a mark above everything is cut to it.
    fn surely_read(&self, conversation: &Conversation, owner: User) -> u64 {
        let devices = self.people.live_devices(owner);
        let marks = devices.filter_map(|device| conversation.view(device)).map(|view| {
            let arrived = view.read_with.iter().filter(|(message, _)| self.messages.get(*message).seq > 0);
            arrived.map(|(_, seq)| *seq).fold(view.read, u64::max)
        });
        marks.max().unwrap_or(0).min(conversation.log.max())
    }

    /// I12: everything comes back to where it was. Less is as suspicious as more: a task that is gone has died.
    pub(super) fn resource(&mut self, name: &str, before: u64, after: u64) {
        let share = u128::from(before) * u128::from(self.options.resource_percent_max) / 100;
        let allowed = share.max(u128::from(self.options.resource_difference_max));
        if u128::from(before.abs_diff(after)) > allowed {
            self.verdict.add(Invariant::I12, || format!("{name} was {before} before, and is {after} at rest"));
        }
    }
}

/// The device shows what the last change of the body made of it, as far as the history tells which that was.
fn shows_last_body(changes: &Changes, device: Device, original: u64) -> bool {
    if changes.body_is_open() {
        return true;
    }
    let Some(last) = changes.last_body else { return true };
    let sight = changes.sight(device);
    let (recalled, digest) = sight.map_or((false, original), |sight| (sight.recalled, sight.digest));
    match last.kind {
        ChangeKind::Recall => recalled,
        ChangeKind::Edit | ChangeKind::React => !recalled && digest == last.digest,
    }
}
