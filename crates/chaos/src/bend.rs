//! Holds packets of a netfilter queue back, so that they are late, overtake each other, or never come: this kernel may
//! have no `tc netem`. Runs as a process of its own inside a network namespace until it is killed.

use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::io::ErrorKind;
use std::time::{Duration, Instant};

use anyhow::{Context, Result};
use nfq::{Message, Queue, Verdict};

use crate::random::Random;

/// With nothing to do for so long it looks again.
const NAP: Duration = Duration::from_micros(300);

/// What happens to packets.
#[derive(Clone, Copy, Debug)]
pub struct Bending {
    /// So many are dropped.
    pub loss_percent: u64,
    /// Every other one is held for so long.
    pub delay_ms: u64,
    /// And for up to so long more.
    pub jitter_ms: u64,
}

/// A packet that waits; the earliest comes first.
struct Held {
    until: Instant,
    number: u64,
    packet: Message,
}

impl PartialEq for Held {
    fn eq(&self, other: &Self) -> bool {
        self.number == other.number
    }
}

impl Eq for Held {}

impl PartialOrd for Held {
    fn partial_cmp(&self, other: &Self) -> Option<std::cmp::Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Held {
    fn cmp(&self, other: &Self) -> std::cmp::Ordering {
        (self.until, self.number).cmp(&(other.until, other.number))
    }
}

/// Works until it is killed.
pub fn bend(number: u16, bending: Bending) -> Result<()> {
    let mut queue = Queue::open().context("opening netfilter's queues")?;
    queue.bind(number).with_context(|| format!("binding queue {number}"))?;
    queue.set_nonblocking(true);
    let mut random = Random::new(u64::from(std::process::id()));
    let mut held: BinaryHeap<Reverse<Held>> = BinaryHeap::new();
    let mut taken = 0;
    loop {
        let mut idle = true;
        match queue.recv() {
            Ok(mut packet) => {
                idle = false;
                taken += 1;
                if random.chance(bending.loss_percent) {
                    packet.set_verdict(Verdict::Drop);
                    queue.verdict(packet)?;
                } else {
                    let length = bending.delay_ms + random.below(bending.jitter_ms + 1);
                    let until = Instant::now() + Duration::from_millis(length);
                    held.push(Reverse(Held { until, number: taken, packet }));
                }
            }
            Err(error) if error.kind() == ErrorKind::WouldBlock => {}
            Err(error) => return Err(error).context("taking a packet"),
        }
        while held.peek().is_some_and(|first| first.0.until <= Instant::now()) {
            if let Some(Reverse(Held { mut packet, .. })) = held.pop() {
                packet.set_verdict(Verdict::Accept);
                queue.verdict(packet)?;
                idle = false;
            }
        }
        if idle {
            std::thread::sleep(NAP);
        }
    }
}
