//! What one device wrote into one conversation, in order: their numbers must be in that order, too (I4).

use crate::history::Device;
use crate::message::Messages;

/// Messages of one device in one conversation.
#[derive(Debug)]
pub(crate) struct Lane {
    pub(crate) device: Device,
    order: Vec<u32>,
    /// The last one that has a number.
    highest: Option<usize>,
}

impl Lane {
    pub(crate) fn new(device: Device) -> Self {
        Self { device, order: Vec::new(), highest: None }
    }

    /// Its place in the lane.
    pub(crate) fn push(&mut self, message: u32) -> u32 {
        self.order.push(message);
        self.order.len() as u32 - 1
    }

    /// A message got its number: returns one whose number contradicts, if any. Those that failed once do not count:
    /// their user may have tried again at any time.
    pub(crate) fn numbered(&mut self, message: u32, messages: &Messages) -> Option<u32> {
        let this = messages.get(message);
        if this.failed_once {
            return None;
        }
        let counts = |other: &&u32| messages.get(**other).seq > 0 && !messages.get(**other).failed_once;
        let place = this.lane_place as usize;
        if self.highest.is_none_or(|highest| highest < place) {
            let before = self.highest.replace(place).map(|highest| self.order[highest]);
            return before.filter(|before| counts(&before) && messages.get(*before).seq > this.seq);
        }
        let before = self.order[..place].iter().rev().find(counts).copied();
        let after = self.order[place + 1..].iter().find(counts).copied();
        let wrong_before = before.filter(|before| messages.get(*before).seq > this.seq);
        wrong_before.or_else(|| after.filter(|after| messages.get(*after).seq < this.seq))
    }
}
