//! Those who speak in the group. A message counts as answered by SEND.A; one that is refused for now comes again in its
//! order, before anything new of the same speaker (PROTOCOL.md §7).

use std::collections::VecDeque;

use hongyan_wire::Millis;

use super::audience::Audience;
use crate::pairs;
use crate::puppet::Puppet;

/// The shortest pause after a refusal.
const PAUSE_MIN: Millis = Millis(20);

#[derive(Default)]
struct Speaker {
    /// Numbers that are to be sent, ascending.
    waiting: VecDeque<u64>,
    /// Request and number of what is not answered.
    in_air: Vec<(u32, u64)>,
    /// Something was refused: nothing is sent before this, nor before all in the air is answered.
    held_until: Option<Millis>,
}

/// All speakers: the first members of the audience.
pub struct Speakers {
    group: String,
    speakers: Vec<Speaker>,
    in_flight: usize,
    bytes: usize,
    /// Answers that said: not now.
    pub refused: u64,
}

impl Speakers {
    /// Of a group.
    pub fn new(group: String, count: usize, in_flight: usize, bytes: usize) -> Self {
        let speakers = (0..count).map(|_| Speaker::default()).collect();
        Self { group, speakers, in_flight, bytes, refused: 0 }
    }

    /// How many.
    pub fn len(&self) -> usize {
        self.speakers.len()
    }

    /// A message is due.
    pub fn due(&mut self, index: usize, number: u64) {
        self.speakers[index].waiting.push_back(number);
    }

    /// Lets a speaker say new things up to the number in flight: the closed loop.
    pub fn fill(&mut self, index: usize, audience: &mut Audience, now_us: u64) {
        let speaker = &mut self.speakers[index];
        while speaker.waiting.len() + speaker.in_air.len() < self.in_flight {
            speaker.waiting.push_back(audience.said(index, now_us));
        }
    }

    /// Whether [`Speakers::speak`] would say something.
    pub fn wants(&self, index: usize, now: Millis) -> bool {
        let speaker = &self.speakers[index];
        let held = speaker.held_until.is_some_and(|until| now < until || !speaker.in_air.is_empty());
        !speaker.waiting.is_empty() && !held
    }

    /// Sends what may be sent.
    pub fn speak(&mut self, index: usize, puppet: &mut Puppet, now: Millis, out: &mut Vec<u8>) {
        if !self.wants(index, now) {
            return;
        }
        let speaker = &mut self.speakers[index];
        speaker.held_until = None;
        for number in speaker.waiting.drain(..) {
            let id = puppet.send_to_group(&self.group, number, pairs::text(number, self.bytes), now, out);
            speaker.in_air.push((id, number));
        }
    }

    /// SEND.A; gives the message's number.
    pub fn answered(&mut self, index: usize, id: u32) -> Option<u64> {
        let in_air = &mut self.speakers[index].in_air;
        let at = in_air.iter().position(|(request, _)| *request == id)?;
        Some(in_air.remove(at).1)
    }

    /// SEND.A: not now.
    pub fn refused(&mut self, index: usize, id: u32, retry_after: Millis, now: Millis) {
        let Some(number) = self.answered(index, id) else { return };
        self.refused += 1;
        let speaker = &mut self.speakers[index];
        let at = speaker.waiting.partition_point(|waiting| *waiting < number);
        speaker.waiting.insert(at, number);
        let until = now + retry_after.max(PAUSE_MIN);
        speaker.held_until = Some(speaker.held_until.map_or(until, |held| held.max(until)));
    }

    /// Nothing waits, neither here nor at the server.
    pub fn are_done(&self) -> bool {
        self.speakers.iter().all(|speaker| speaker.waiting.is_empty() && speaker.in_air.is_empty())
    }
}
