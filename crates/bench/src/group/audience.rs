//! The account of what was said in the group and who has heard it: every member must hear every message once, at the place
//! where all others hear it. Order and holes are seen by each [`crate::member::Member`] itself.

use crate::histogram::Histogram;
use crate::member::{Heard, NO_NUMBER};

/// A place of the log of which nothing is known yet.
const UNKNOWN: u64 = u64::MAX;

/// One message.
struct Said {
    speaker: usize,
    due_us: u64,
    /// 0 = not known yet.
    seq: u64,
    heard: u32,
}

/// Everybody who is connected, and what they have heard.
pub struct Audience {
    members: u32,
    /// The group's head when the account began.
    base: u64,
    /// By number, from 1.
    messages: Vec<Said>,
    /// The number at each place above `base`.
    places: Vec<u64>,
    /// Only messages that are due from here on are in the histograms.
    measured_from_us: u64,
    /// Messages whose answer has come.
    pub stored: u64,
    /// How often a message was heard.
    pub heard: u64,
    /// The part of it that came by GROUP.N to somebody else than the speaker.
    pub deliveries: u64,
    /// From being due to being decrypted by one of the others.
    pub delivery: Histogram,
    /// From being due until the last one has it.
    pub everybody: Histogram,
    /// The same message at two places.
    pub duplicated: u64,
    /// A place that is not the same for all, or a number that nobody has said.
    pub violations: u64,
}

impl Audience {
    /// Nothing was said above `base`.
    pub fn new(members: u32, base: u64) -> Self {
        Self {
            members,
            base,
            messages: Vec::new(),
            places: Vec::new(),
            measured_from_us: 0,
            stored: 0,
            heard: 0,
            deliveries: 0,
            delivery: Histogram::new(),
            everybody: Histogram::new(),
            duplicated: 0,
            violations: 0,
        }
    }

    /// Histograms begin here.
    pub fn measure_from(&mut self, now_us: u64) {
        self.measured_from_us = now_us;
        self.delivery = Histogram::new();
        self.everybody = Histogram::new();
    }

    /// Somebody is about to say something; gives its number.
    pub fn said(&mut self, speaker: usize, due_us: u64) -> u64 {
        self.messages.push(Said { speaker, due_us, seq: 0, heard: 0 });
        self.messages.len() as u64
    }

    /// SEND.A: the message has this place.
    pub fn stored(&mut self, number: u64, seq: u64) {
        self.stored += 1;
        self.place(seq, number);
        let said = &mut self.messages[number as usize - 1];
        if said.seq == 0 {
            said.seq = seq;
        } else if said.seq != seq {
            self.duplicated += 1;
        }
    }

    /// A member has heard the next entry.
    pub fn heard(&mut self, index: usize, heard: Heard, now_us: u64) {
        let Heard { seq, number, pushed } = heard;
        self.place(seq, number);
        if number == NO_NUMBER {
            return;
        }
        let Some(said) = self.messages.get_mut(number as usize - 1) else {
            self.violations += 1;
            return;
        };
        if said.seq == 0 {
            said.seq = seq;
        } else if said.seq != seq {
            self.duplicated += 1;
            return;
        }
        said.heard += 1;
        self.heard += 1;
        let measured = said.due_us >= self.measured_from_us;
        if said.speaker != index {
            self.deliveries += u64::from(pushed);
            if measured {
                self.delivery.record(now_us - said.due_us);
            }
        }
        if said.heard == self.members && measured {
            self.everybody.record(now_us - said.due_us);
        }
    }

    /// What is at a place is the same for everybody.
    fn place(&mut self, seq: u64, number: u64) {
        let Some(index) = seq.checked_sub(self.base + 1) else {
            self.violations += 1;
            return;
        };
        let index = index as usize;
        if self.places.len() <= index {
            self.places.resize(index + 1, UNKNOWN);
        }
        let known = &mut self.places[index];
        if *known == UNKNOWN {
            *known = number;
        } else if *known != number {
            self.violations += 1;
        }
    }

    /// Messages times members that have not heard them.
    pub fn outstanding(&self) -> u64 {
        (self.messages.len() as u64 * u64::from(self.members)).saturating_sub(self.heard)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(seq: u64, number: u64) -> Heard {
        Heard { seq, number, pushed: true }
    }

    #[test]
    fn a_message_is_delivered_to_all_but_its_speaker() {
        let mut audience = Audience::new(3, 10);
        let number = audience.said(1, 1_000);
        assert_eq!(audience.outstanding(), 3);
        audience.heard(0, at(11, number), 1_500);
        audience.stored(number, 11);
        audience.heard(1, at(11, number), 1_600);
        audience.heard(2, Heard { pushed: false, ..at(11, number) }, 3_000);
        assert_eq!((audience.outstanding(), audience.deliveries), (0, 1), "one pushed, one by history, one own");
        assert_eq!((audience.delivery.total(), audience.everybody.max()), (2, 2_000));
        assert_eq!((audience.duplicated, audience.violations), (0, 0));
    }

    #[test]
    fn places_that_differ_and_messages_that_come_twice_are_faults() {
        let mut audience = Audience::new(2, 0);
        let (first, second) = (audience.said(0, 0), audience.said(0, 0));
        audience.heard(0, at(1, first), 1);
        audience.heard(1, at(1, second), 1);
        assert_eq!(audience.violations, 1, "two members have different entries at a place");
        audience.heard(0, at(2, first), 1);
        assert_eq!(audience.duplicated, 1);
        audience.heard(0, at(3, 77), 1);
        assert_eq!(audience.violations, 2, "nobody has said that");
    }
}
