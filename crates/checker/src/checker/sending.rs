//! Messages on their way to the server: what was written, what the author's device was told, and which number each has
//! (I1, I4, I5, I7).

use super::{Checker, named};
use crate::conversation::Conversation;
use crate::history::{Device, MessageId, User};
use crate::log::Entry;
use crate::message::{Message, State};
use crate::violation::Invariant;

impl Checker {
    pub(super) fn send(&mut self, device: Device, to: User, id: MessageId, digest: u64) {
        let Some((author, conversation)) = self.conversation_with(device, to) else { return };
        let place = match self.messages.find(id) {
            Some(place) => {
                let Message { device: writer, to: addressee, digest: body, .. } = *self.messages.get(place);
                if (writer, addressee, body) != (device, to, digest) {
                    return self.blame(Invariant::History, device, to, |people| {
                        format!(
                            "writes {}, which {} has written with another content",
                            named(id),
                            people.device_name(writer)
                        )
                    });
                }
                self.send_again(place);
                place
            }
            None => self.write(Message {
                id,
                digest,
                seq: 0,
                sent: self.place,
                sent_ms: self.at_ms,
                device,
                author,
                to,
                conversation,
                lane_place: 0,
                epoch: 0,
                state: State::Pending,
                failed_once: false,
                unnumbered: false,
                doubtful: false,
            }),
        };
        self.people.device_mut(device).fresh.at(self.at_ms).sends.push(place);
        self.last_send = Some(place);
    }

    fn write(&mut self, message: Message) -> u32 {
        let (device, conversation) = (message.device, message.conversation);
        let place = self.messages.add(message);
        self.people.device_mut(device).pending += 1;
        let lane = self.conversations.get_mut(conversation).lane_mut(device);
        self.messages.get_mut(place).lane_place = lane.push(place);
        self.count_unnumbered(place, true);
        self.counts.sent += 1;
        place
    }

    /// The user tries again what had failed. What was refused was surely not stored, so it counts as written now.
    fn send_again(&mut self, place: u32) {
        let message = self.messages.get_mut(place);
        match message.state {
            State::Pending | State::Acknowledged => return,
            State::Refused => {
                message.sent = self.place;
                message.sent_ms = self.at_ms;
            }
            State::GivenUp => {}
        }
        let seq = message.seq;
        self.set_state(place, State::Pending);
        self.count_unnumbered(place, seq == 0);
    }

    /// What the author's device was told; returns what it was told before.
    fn set_state(&mut self, place: u32, state: State) -> State {
        let message = self.messages.get_mut(place);
        let before = std::mem::replace(&mut message.state, state);
        let pending = &mut self.people.device_mut(message.device).pending;
        *pending = *pending + u64::from(state == State::Pending) - u64::from(before == State::Pending);
        before
    }

    /// A message may have taken a number that nobody was told, or not any more.
    fn count_unnumbered(&mut self, place: u32, unnumbered: bool) {
        let message = self.messages.get_mut(place);
        let before = std::mem::replace(&mut message.unnumbered, unnumbered);
        let conversation = self.conversations.get_mut(message.conversation);
        conversation.unnumbered = conversation.unnumbered + u64::from(unnumbered) - u64::from(before);
    }

    /// The message that this device wrote to that person; reports one that it did not write (I2).
    fn written(&mut self, device: Device, to: User, id: MessageId, told: &str) -> Option<u32> {
        self.owner_with(device, to)?;
        let place = self.messages.find(id);
        let own = place.filter(|place| {
            let message = self.messages.get(*place);
            message.device == device && message.to == to
        });
        if own.is_none() {
            self.blame(Invariant::I2, device, to, |_| {
                format!("was told that {} is {told}, but never wrote it", named(id))
            });
        }
        own
    }

    pub(super) fn acked(&mut self, device: Device, to: User, id: MessageId, seq: u64) {
        let Some(place) = self.written(device, to, id, "stored") else { return };
        self.may_hear(device, to, Some(place), "is told that it is stored");
        let before = self.set_state(place, State::Acknowledged);
        if before == State::Refused {
            // I1: PROTOCOL.md §7, "A negative answer is definite: the message was not stored."
            self.blame(Invariant::I1, device, to, |_| {
                format!("was told that {} was refused, and then that it is number {seq}", named(id))
            });
        }
        self.counts.acknowledged += u64::from(before != State::Acknowledged);
        self.may_pass(device, to, place, "was acknowledged");
        self.learn(place, seq);
        let message = self.messages.get_mut(place);
        // A restored server that still knows it will not give it another number.
        message.epoch = self.epoch.unwrap_or(0);
        let (author, conversation) = (message.author, message.conversation);
        let state = self.people.device(device);
        let conversation = self.conversations.get_mut(conversation);
        conversation.view_mut(device, state).shown.insert(seq);
        let side = conversation.side_mut(author);
        side.received = side.received.max(seq);
    }

    pub(super) fn failed(&mut self, device: Device, to: User, id: MessageId, refused: bool) {
        let Some(place) = self.written(device, to, id, "not stored") else { return };
        let message = self.messages.get_mut(place);
        message.failed_once = true;
        let (before, seq) = (message.state, message.seq);
        if refused && (before == State::Acknowledged || seq > 0) {
            // I1: both cannot be true, whichever came first.
            self.blame(Invariant::I1, device, to, |_| {
                format!("was told that {} was refused, but it is number {seq}", named(id))
            });
        } else if refused {
            self.counts.refused += u64::from(before != State::Refused);
            self.set_state(place, State::Refused);
            self.count_unnumbered(place, false);
        } else if before == State::Pending {
            self.counts.given_up += 1;
            self.set_state(place, State::GivenUp);
        }
    }

    /// Somebody was told the number of a message.
    pub(super) fn learn(&mut self, place: u32, seq: u64) {
        let Message { id, seq: before, device, to, epoch: told_in, .. } = *self.messages.get(place);
        if before == seq && seq > 0 {
            return;
        }
        if seq == 0 {
            // I5: PROTOCOL.md, "both start at 1".
            return self.blame(Invariant::I5, device, to, |_| format!("{} has the number 0", named(id)));
        }
        // I7: one number for ever, on every device and for every repeat. Only a server that was restored from a backup
        // may have forgotten a message that it then stores again, above the gap.
        let epoch = self.epoch.unwrap_or(0);
        if before > 0 && !(told_in < epoch && seq > before) {
            return self
                .blame(Invariant::I7, device, to, |_| format!("{} is number {before}, and number {seq}", named(id)));
        }
        let message = self.messages.get_mut(place);
        message.seq = seq;
        message.epoch = epoch;
        let conversation = message.conversation;
        self.count_unnumbered(place, false);
        let conversation = self.conversations.get_mut(conversation);
        match conversation.log.get(seq) {
            Entry::Unknown => conversation.log.set(seq, Entry::Message(place)),
            taken => self.number_taken(place, taken),
        }
        self.check_sender_order(place);
        self.check_claim(place);
        self.check_sights(place);
    }

    /// I2, afterwards: what devices showed of it as changed, before anybody was told which message that number is.
    fn check_sights(&mut self, place: u32) {
        let Message { seq, device, to, digest, conversation, .. } = *self.messages.get(place);
        let Some(changes) = self.conversations.get(conversation).changes.get(&seq) else { return };
        let is_true = |shown: u64| shown == digest || changes.edits.contains(&shown);
        let wrong = changes.sights.iter().find(|sight| !sight.recalled && !is_true(sight.digest));
        if let Some(reader) = wrong.map(|sight| sight.device) {
            self.blame(Invariant::I2, device, to, |people| {
                let reader = people.device_name(reader);
                format!("{reader} showed number {seq} changed to a body that its author never gave it")
            });
        }
    }

    /// I5: a number names one thing for ever.
    fn number_taken(&mut self, place: u32, taken: Entry) {
        let Message { id, seq, device, to, .. } = *self.messages.get(place);
        let other = match taken {
            Entry::Message(other) => named(self.messages.get(other).id),
            Entry::Change(target) => format!("a change of number {target}"),
            Entry::Unknown => return,
        };
        self.blame(Invariant::I5, device, to, |_| format!("{} is number {seq}, which is {other}", named(id)));
    }

    /// I4, the sender's half: what a device wrote to one person is numbered in that order (PROTOCOL.md §7, Order).
    fn check_sender_order(&mut self, place: u32) {
        let Message { id, seq, device, to, conversation, .. } = *self.messages.get(place);
        let lane = self.conversations.get_mut(conversation).lane_mut(device);
        let Some(other) = lane.numbered(place, &self.messages) else { return };
        let (this, other) = (self.messages.get(place), self.messages.get(other));
        let (sent, sent_ms) = (this.sent, this.sent_ms).min((other.sent, other.sent_ms));
        // A first try may have been refused, and its repeat, sent before that was known, have got in behind the block.
        let conversation = self.conversations.get(conversation);
        if conversation.people().any(|user| conversation.side(user).block.may_be_lifted_behind(sent, sent_ms)) {
            return;
        }
        let (other, other_seq) = (other.id, other.seq);
        self.blame(Invariant::I4, device, to, |_| {
            let (one, other) = (named(id), named(other));
            format!("{one} is number {seq} and {other} is number {other_seq}, but were written the other way round")
        });
    }

    /// I8, afterwards: the author was told that everything up to some number was delivered; now it turns out that this
    /// message was among it, and nobody over there had it.
    fn check_claim(&mut self, place: u32) {
        let Message { id, seq, device, to, author, conversation, sent, .. } = *self.messages.get(place);
        let conversation: &Conversation = self.conversations.get(conversation);
        let side = conversation.side(to);
        let skipped = self.people.user(to).skipped;
        if author == to || seq > side.claimed || seq <= side.received || sent < skipped {
            return;
        }
        let claimed = side.claimed;
        self.blame(Invariant::I8, device, to, |_| {
            format!(
                "{} is number {seq}; all up to {claimed} was told to be delivered before any device had it",
                named(id)
            )
        });
    }
}
