//! Pairs of a sender and a receiver, and the account of what went between them: numbered texts, each of which must
//! arrive once and in order. Used by `c2c` and `latency`.

use std::collections::VecDeque;

use anyhow::Result;
use bytes::Bytes;

use crate::coat::By;
use crate::crowd::Crowd;
use crate::progress::Progress;
use crate::server::Server;

/// The number of a message is written in so many digits at the beginning of its text.
pub const NUMBER_BYTES: usize = 16;

/// One direction of one conversation.
pub struct Pair {
    receiver: String,
    /// Sent and without a receipt, oldest first.
    flights: VecDeque<Flight>,
    sent: u64,
    arrived: u64,
    delivered_seq: u64,
}

struct Flight {
    id: u32,
    seq: Option<u64>,
    sent_us: u64,
}

/// What was wrong in all pairs.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Faults {
    /// Never arrived.
    pub lost: u64,
    /// Arrived again.
    pub duplicated: u64,
}

impl Pair {
    /// Nothing sent yet.
    pub fn new(receiver: String) -> Self {
        Self { receiver, flights: VecDeque::new(), sent: 0, arrived: 0, delivered_seq: 0 }
    }

    /// To whom.
    pub fn receiver(&self) -> &str {
        &self.receiver
    }

    /// The text of the next message.
    pub fn next_text(&mut self, bytes: usize) -> Bytes {
        self.sent += 1;
        text(self.sent, bytes)
    }

    /// The message of the last [`Pair::next_text`] was written.
    pub fn sent(&mut self, id: u32, now_us: u64) {
        self.flights.push_back(Flight { id, seq: None, sent_us: now_us });
    }

    /// Messages that wait for their receipt.
    pub fn in_flight(&self) -> usize {
        self.flights.len()
    }

    /// SEND.A came; `done` gets the time of sending of every message that has its receipt now.
    pub fn stored(&mut self, id: u32, seq: u64, done: impl FnMut(u64)) {
        if let Some(flight) = self.flights.iter_mut().find(|flight| flight.id == id) {
            flight.seq = Some(seq);
        }
        self.settle(done);
    }

    /// RECEIPT.N came.
    pub fn delivered(&mut self, seq: u64, done: impl FnMut(u64)) {
        self.delivered_seq = self.delivered_seq.max(seq);
        self.settle(done);
    }

    fn settle(&mut self, mut done: impl FnMut(u64)) {
        while let Some(Flight { seq: Some(seq), sent_us, .. }) = self.flights.front()
            && *seq <= self.delivered_seq
        {
            done(*sent_us);
            self.flights.pop_front();
        }
    }

    /// A text arrived at the receiver; gives its number, from 1, unless it is a repeat. Those that were skipped are
    /// lost, and if they come later that is a fault, too.
    pub fn arrived(&mut self, body: &[u8], faults: &mut Faults) -> Option<u64> {
        match number(body) {
            Some(number) if number > self.arrived => {
                faults.lost += number - self.arrived - 1;
                self.arrived = number;
                Some(number)
            }
            _ => {
                faults.duplicated += 1;
                None
            }
        }
    }

    /// The end: what was sent and has not arrived is lost.
    pub fn close(&self, faults: &mut Faults) {
        faults.lost += self.sent - self.arrived;
    }
}

/// A text of a length that begins with a number.
pub fn text(number: u64, bytes: usize) -> Bytes {
    let mut text = Vec::with_capacity(bytes);
    for place in (0..NUMBER_BYTES).rev() {
        text.push(b"0123456789abcdef"[(number >> (4 * place) & 15) as usize]);
    }
    text.resize(bytes, b'.');
    text.into()
}

/// The number that a text begins with.
pub fn number(text: &[u8]) -> Option<u64> {
    u64::from_str_radix(std::str::from_utf8(text.get(..NUMBER_BYTES)?).ok()?, 16).ok()
}

/// Makes pairs and lets them in: behind those who are there already come the senders, behind them the receivers, in the
/// same order. Where receivers poll, senders come by TCP: what is said while a poll is held would wait for its answer.
pub fn gather(crowd: &mut Crowd, server: &Server, count: usize, progress: &Progress) -> Result<Vec<Pair>> {
    let run: String = crowd.stage.run.iter().map(|byte| format!("{byte:02x}")).collect();
    let name = |side: &str, index: usize| format!("{side}{index}.{run}");
    let first = crowd.swarm.len();
    let senders = server.way_in(if server.by.polls() { By::Tcp } else { server.by })?;
    for index in 0..count {
        crowd.add_by(server, &name("from", index), senders);
    }
    for index in 0..count {
        crowd.add(server, &name("to", index));
    }
    crowd.enter(first..first + 2 * count, progress)?;
    Ok((0..count).map(|index| Pair::new(name("to", index))).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn faults_of(arrivals: &[u64], sent: u64) -> Faults {
        let mut pair = Pair::new("to".into());
        let mut faults = Faults::default();
        (0..sent).for_each(|_| drop(pair.next_text(NUMBER_BYTES)));
        for number in arrivals {
            let _ = pair.arrived(&text(*number, 100), &mut faults);
        }
        pair.close(&mut faults);
        faults
    }

    #[test]
    fn losses_and_doubles_are_counted() {
        let faults = |lost, duplicated| Faults { lost, duplicated };
        assert_eq!(faults_of(&[1, 2, 3], 3), faults(0, 0));
        assert_eq!(faults_of(&[1, 3], 3), faults(1, 0), "lost in the middle");
        assert_eq!(faults_of(&[1, 2], 4), faults(2, 0), "lost at the end");
        assert_eq!(faults_of(&[1, 2, 2, 3], 3), faults(0, 1), "doubled");
        assert_eq!(faults_of(&[1, 3, 2], 3), faults(1, 1), "out of order is no success");
    }

    #[test]
    fn a_message_is_done_when_its_receipt_is_back() {
        let mut pair = Pair::new("to".into());
        let mut done = Vec::new();
        (1..=3).for_each(|id| pair.sent(id, u64::from(id) * 10));
        pair.stored(1, 7, |sent| done.push(sent));
        assert_eq!((done.len(), pair.in_flight()), (0, 3));
        pair.delivered(8, |sent| done.push(sent));
        assert_eq!(done, [10], "the second is not known to be number 8 yet");
        pair.stored(2, 8, |sent| done.push(sent));
        pair.stored(3, 9, |sent| done.push(sent));
        assert_eq!((done.as_slice(), pair.in_flight()), ([10, 20].as_slice(), 1));
    }
}
