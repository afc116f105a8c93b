//! `c2c`: a closed loop. Each of the pairs keeps some messages in flight; one is done when its delivered receipt is back
//! at the sender: all six packets of spec 39, stored with a disk sync.

use anyhow::Result;

use crate::arguments::C2c;
use crate::clock::Clock;
use crate::crowd::{Crowd, STALL_SECONDS, TURN};
use crate::histogram::Histogram;
use crate::meter::{Cost, Meter};
use crate::pairs::{self, Faults, Pair};
use crate::patience::Patience;
use crate::progress::Progress;
use crate::puppet::{Puppet, Seen};
use crate::report::{Reach, Report};
use crate::server::Server;

const WARM_UP_US: u64 = 2_000_000;
const SECOND_US: u64 = 1_000_000;

struct Run<'a> {
    options: &'a C2c,
    clock: Clock,
    pairs: Vec<Pair>,
    faults: Faults,
    /// Messages whose receipt is back.
    done: u64,
    times: Histogram,
    /// New messages are sent for those that are done.
    open: bool,
}

/// Measures.
pub fn run(options: &C2c, server: &mut Server) -> Result<Report> {
    let clock = Clock::start();
    let progress = Progress::new("c2c");
    let mut crowd = Crowd::new(server, clock)?;
    let pairs = pairs::gather(&mut crowd, server, options.pairs, &progress)?;
    let times = Histogram::new();
    let mut run = Run { options, clock, pairs, faults: Faults::default(), done: 0, times, open: true };
    for index in 0..options.pairs {
        crowd.swarm.with(index, |puppet, now, out| run.refill(index, puppet, now, out));
    }
    progress.begin("warming up", options.seconds);
    run.keep_going(&mut crowd, server, clock.micros() + WARM_UP_US, &progress)?;
    let meter = Meter::start(clock, server)?;
    let done_before = run.done;
    run.times = Histogram::new();
    progress.begin("sending", options.seconds);
    let end_us = meter.start_us() + options.seconds * SECOND_US;
    run.keep_going(&mut crowd, server, end_us, &progress)?;
    let cost = meter.stop(server)?;
    let done = run.done - done_before;
    run.open = false;
    run.finish(&mut crowd, server)?;
    Ok(run.report(done, &cost, &crowd, server))
}

impl Run<'_> {
    fn refill(&mut self, index: usize, puppet: &mut Puppet, now: hongyan_wire::Millis, out: &mut Vec<u8>) {
        let pair = &mut self.pairs[index];
        while self.open && pair.in_flight() < self.options.in_flight {
            let text = pair.next_text(self.options.bytes as usize);
            let id = puppet.send(pair.receiver(), text, now, out);
            pair.sent(id, self.clock.micros());
        }
    }

    fn turn(&mut self, crowd: &mut Crowd) -> Result<()> {
        crowd.turn_acting(TURN, |index, puppet, seen, now, out| {
            let senders = self.pairs.len();
            let now_us = self.clock.micros();
            let (done, times) = (&mut self.done, &mut self.times);
            let mut count = |sent_us: u64| {
                *done += 1;
                times.record(now_us - sent_us);
            };
            match seen {
                Seen::Stored { id, seq } => self.pairs[index].stored(id, seq, &mut count),
                Seen::Delivered { seq } if index < senders => self.pairs[index].delivered(seq, &mut count),
                Seen::Received { entry } if index >= senders => {
                    let _ = self.pairs[index - senders].arrived(&entry.body, &mut self.faults);
                }
                _ => {}
            }
            if index < senders {
                self.refill(index, puppet, now, out);
            }
        })
    }

    fn keep_going(&mut self, crowd: &mut Crowd, server: &mut Server, end_us: u64, progress: &Progress) -> Result<()> {
        let start_us = self.clock.micros();
        let mut patience = Patience::new(self.clock, STALL_SECONDS);
        let mut tick_us = start_us;
        while self.clock.micros() < end_us {
            self.turn(crowd)?;
            if self.clock.micros() >= tick_us {
                tick_us += SECOND_US;
                self.look_after(crowd, server, &mut patience)?;
                progress.at((self.clock.micros() - start_us) / SECOND_US);
            }
        }
        Ok(())
    }

    /// Lets what is in flight arrive.
    fn finish(&mut self, crowd: &mut Crowd, server: &mut Server) -> Result<()> {
        let mut patience = Patience::new(self.clock, STALL_SECONDS);
        let mut tick_us = self.clock.micros();
        while self.waiting() > 0 {
            self.turn(crowd)?;
            if self.clock.micros() >= tick_us {
                tick_us += SECOND_US;
                self.look_after(crowd, server, &mut patience)?;
            }
        }
        self.pairs.iter().for_each(|pair| pair.close(&mut self.faults));
        Ok(())
    }

    fn look_after(&mut self, crowd: &mut Crowd, server: &mut Server, patience: &mut Patience) -> Result<()> {
        server.check()?;
        crowd.tick();
        patience.check(self.done, || format!("receipts ({} messages are in flight)", self.waiting()))
    }

    fn waiting(&self) -> usize {
        self.pairs.iter().map(Pair::in_flight).sum()
    }

    fn report(&self, done: u64, cost: &Cost, crowd: &Crowd, server: &Server) -> Report {
        let mut report = Report::new("c2c");
        let messages = done as f64;
        report.add_aimed("messages_per_s", messages / cost.seconds, Reach::AtLeast(15_000.0));
        let keys = ["server_cpu_us_per_message", "client_cpu_us_per_message"];
        cost.add_cpu(&mut report, messages, keys, Some(Reach::AtMost(60.0)));
        report.add("messages", messages);
        report.add("seconds", cost.seconds);
        report.add("round_trip_p50_ms", self.times.percentile(0.5) as f64 / 1e3);
        report.add("round_trip_p99_ms", self.times.percentile(0.99) as f64 / 1e3);
        cost.add_store(&mut report, server);
        report.add("repairs", crowd.repairs() as f64);
        report.add("lost", self.faults.lost as f64);
        report.add("duplicated", self.faults.duplicated as f64);
        report
    }
}
