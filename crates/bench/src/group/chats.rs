//! Chats of two that go on beside the group: an open loop at a fixed rate, as `latency`, so that one sees whether the group
//! disturbs them.

use std::collections::VecDeque;

use anyhow::Result;

use crate::crowd::Crowd;
use crate::histogram::Histogram;
use crate::pairs::{self, Faults, Pair};
use crate::progress::Progress;
use crate::puppet::Seen;
use crate::server::Server;

const PAIRS: usize = 100;
const BODY_BYTES: usize = 100;
const SECOND_US: u64 = 1_000_000;

struct Chat {
    pair: Pair,
    /// When what is under way was due, oldest first.
    due_us: VecDeque<u64>,
}

/// All chats.
pub struct Chats {
    /// Where in the crowd the senders begin; behind them come the receivers.
    first: usize,
    chats: Vec<Chat>,
    rate: u64,
    start_us: u64,
    sent: u64,
    measured_from_us: u64,
    /// Texts that have come.
    pub arrived: u64,
    /// From being due to being decrypted.
    pub delivery: Histogram,
    /// What went wrong.
    pub faults: Faults,
}

impl Chats {
    /// Lets their people in.
    pub fn gather(crowd: &mut Crowd, server: &Server, rate: u32, progress: &Progress) -> Result<Self> {
        let first = crowd.swarm.len();
        let pairs = pairs::gather(crowd, server, PAIRS, progress)?;
        Ok(Self {
            first,
            chats: pairs.into_iter().map(|pair| Chat { pair, due_us: VecDeque::new() }).collect(),
            rate: u64::from(rate),
            start_us: 0,
            sent: 0,
            measured_from_us: 0,
            arrived: 0,
            delivery: Histogram::new(),
            faults: Faults::default(),
        })
    }

    /// A stretch begins.
    pub fn begin(&mut self, now_us: u64) {
        self.start_us = now_us;
        self.sent = 0;
    }

    /// The histogram begins.
    pub fn measure_from(&mut self, now_us: u64) {
        self.measured_from_us = now_us;
        self.delivery = Histogram::new();
    }

    /// Sends what is due.
    pub fn speak(&mut self, crowd: &mut Crowd) {
        loop {
            let due_us = self.start_us + self.sent * SECOND_US / self.rate;
            if due_us > crowd.swarm.clock().micros() {
                return;
            }
            let index = (self.sent % self.chats.len() as u64) as usize;
            let Chat { pair, due_us: under_way } = &mut self.chats[index];
            let text = pair.next_text(BODY_BYTES);
            crowd.swarm.with(self.first + index, |puppet, now, out| puppet.send(pair.receiver(), text, now, out));
            under_way.push_back(due_us);
            self.sent += 1;
        }
    }

    /// Something happened to somebody of the crowd.
    pub fn seen(&mut self, index: usize, seen: &Seen, now_us: u64) {
        let receiver = index.checked_sub(self.first + self.chats.len()).and_then(|index| self.chats.get_mut(index));
        if let (Some(Chat { pair, due_us }), Seen::Received { entry }) = (receiver, seen) {
            let arrived = pair.arrived(&entry.body, &mut self.faults);
            self.arrived += 1;
            if let (Some(_), Some(due_us)) = (arrived, due_us.pop_front())
                && due_us >= self.measured_from_us
            {
                self.delivery.record(now_us - due_us);
            }
        }
    }

    /// Nothing is under way.
    pub fn are_done(&self) -> bool {
        self.chats.iter().all(|chat| chat.due_us.is_empty())
    }

    /// The end: what was sent and has not arrived is lost.
    pub fn close(&mut self) {
        self.chats.iter().for_each(|chat| chat.pair.close(&mut self.faults));
    }
}
