//! `latency`: an open loop. Messages are due at fixed times whatever the server does, and their time counts from when
//! they were due, so that a server that stalls is charged for what would have been sent meanwhile (no coordinated
//! omission).

use std::time::Duration;

use anyhow::Result;

use crate::arguments::Latency;
use crate::clock::Clock;
use crate::coat::By;
use crate::crowd::{Crowd, STALL_SECONDS, TURN};
use crate::histogram::Histogram;
use crate::meter::Meter;
use crate::pairs::{self, Faults, Pair};
use crate::patience::Patience;
use crate::progress::Progress;
use crate::puppet::Seen;
use crate::report::{Reach, Report};
use crate::server::Server;

const WARM_UP_SECONDS: u64 = 2;
const SECOND_US: u64 = 1_000_000;
/// The pause between polls that are not held, in microseconds.
const POLL_EVERY_US: u64 = 500_000;
/// How often the schedule is looked at: part of every figure, so it is short.
const TICK: Duration = Duration::from_micros(250);

struct Run<'a> {
    options: &'a Latency,
    clock: Clock,
    start_us: u64,
    pairs: Vec<Pair>,
    faults: Faults,
    sent: u64,
    arrived: u64,
    /// Polls that are not held so far.
    beats: u64,
    /// From being due to being decrypted by the receiver.
    delivery: Histogram,
    /// From being due to the receipt.
    receipt: Histogram,
}

/// Measures.
pub fn run(options: &Latency, server: &mut Server) -> Result<Report> {
    let clock = Clock::start();
    let progress = Progress::new("latency");
    let mut crowd = Crowd::new(server, clock)?;
    let pairs = pairs::gather(&mut crowd, server, options.pairs, &progress)?;
    crowd.swarm.set_ticker(TICK)?;
    let mut run = Run {
        options,
        clock,
        start_us: clock.micros(),
        pairs,
        faults: Faults::default(),
        sent: 0,
        arrived: 0,
        beats: 0,
        delivery: Histogram::new(),
        receipt: Histogram::new(),
    };
    let warm = WARM_UP_SECONDS * u64::from(options.rate);
    let all = warm + options.seconds * u64::from(options.rate);
    progress.begin("sending at a fixed rate", all);
    run.until(warm, &mut crowd, server, &progress)?;
    let meter = Meter::start(clock, server)?;
    let requests_before = run.requests(&crowd);
    run.until(all, &mut crowd, server, &progress)?;
    let cost = meter.stop(server)?;
    let requests = run.requests(&crowd) - requests_before;
    run.finish(&mut crowd, server)?;
    let mut report = Report::new("latency");
    let ms = |micros: u64| micros as f64 / 1e3;
    report.add_aimed("delivery_p50_ms", ms(run.delivery.percentile(0.5)), Reach::AtMost(4.0));
    report.add_aimed("delivery_p99_ms", ms(run.delivery.percentile(0.99)), Reach::AtMost(15.0));
    report.add("delivery_max_ms", ms(run.delivery.max()));
    report.add("receipt_p50_ms", ms(run.receipt.percentile(0.5)));
    report.add("receipt_p99_ms", ms(run.receipt.percentile(0.99)));
    report.add("messages", run.delivery.total() as f64);
    report.add("messages_per_s", f64::from(options.rate));
    let keys = ["server_cpu_us_per_message", "client_cpu_us_per_message"];
    cost.add_cpu(&mut report, (all - warm) as f64, keys, None);
    cost.add_store(&mut report, server);
    if server.by.polls() {
        let user_seconds = options.pairs as f64 * options.seconds as f64;
        report.add("requests_per_user_per_s", requests as f64 / user_seconds);
    }
    report.add("repairs", crowd.repairs() as f64);
    report.add("lost", run.faults.lost as f64);
    report.add("duplicated", run.faults.duplicated as f64);
    Ok(report)
}

impl Run<'_> {
    /// When message `number` (from 0) is due.
    fn due_us(&self, number: u64) -> u64 {
        self.start_us + number * SECOND_US / u64::from(self.options.rate)
    }

    /// Sends what is due, up to message `end`, and takes in what comes.
    fn until(&mut self, end: u64, crowd: &mut Crowd, server: &mut Server, progress: &Progress) -> Result<()> {
        let mut tick_us = self.clock.micros();
        let mut patience = Patience::new(self.clock, STALL_SECONDS);
        while self.sent < end {
            while self.sent < end && self.due_us(self.sent) <= self.clock.micros() {
                self.send(crowd);
            }
            self.beat(crowd, server);
            self.turn(crowd)?;
            if self.clock.micros() >= tick_us {
                tick_us += SECOND_US;
                self.look_after(crowd, server, &mut patience)?;
                progress.at(self.sent);
            }
        }
        Ok(())
    }

    /// Lets receivers poll whose turn it is, if polls are not held: evenly over the pause.
    fn beat(&mut self, crowd: &mut Crowd, server: &Server) {
        let receivers = self.pairs.len() as u64;
        while server.by == By::Often && self.start_us + self.beats * POLL_EVERY_US / receivers <= self.clock.micros() {
            crowd.swarm.beat((receivers + self.beats % receivers) as usize);
            self.beats += 1;
        }
    }

    /// HTTP requests of receivers so far.
    fn requests(&self, crowd: &Crowd) -> u64 {
        (self.pairs.len()..2 * self.pairs.len()).map(|index| crowd.swarm.requests(index)).sum()
    }

    fn send(&mut self, crowd: &mut Crowd) {
        let index = (self.sent % self.pairs.len() as u64) as usize;
        let due_us = self.due_us(self.sent);
        let pair = &mut self.pairs[index];
        crowd.swarm.with(index, |puppet, now, out| {
            let text = pair.next_text(self.options.bytes as usize);
            let id = puppet.send(pair.receiver(), text, now, out);
            pair.sent(id, due_us);
        });
        self.sent += 1;
    }

    fn turn(&mut self, crowd: &mut Crowd) -> Result<()> {
        let (start_us, rate) = (self.start_us, u64::from(self.options.rate));
        let measured_from = self.due_us(WARM_UP_SECONDS * rate);
        crowd.turn(TURN, |index, seen| {
            let senders = self.pairs.len();
            let now_us = self.clock.micros();
            let receipt = &mut self.receipt;
            let mut count = |due_us: u64| {
                if due_us >= measured_from {
                    receipt.record(now_us - due_us);
                }
            };
            match seen {
                Seen::Stored { id, seq } => self.pairs[index].stored(id, seq, &mut count),
                Seen::Delivered { seq } if index < senders => self.pairs[index].delivered(seq, &mut count),
                Seen::Received { entry } if index >= senders => {
                    let index = index - senders;
                    if let Some(number) = self.pairs[index].arrived(&entry.body, &mut self.faults) {
                        let due_us = start_us + (((number - 1) * senders as u64) + index as u64) * SECOND_US / rate;
                        if due_us >= measured_from {
                            self.delivery.record(now_us - due_us);
                        }
                    }
                    self.arrived += 1;
                }
                _ => {}
            }
        })
    }

    /// Lets what is under way arrive.
    fn finish(&mut self, crowd: &mut Crowd, server: &mut Server) -> Result<()> {
        let mut patience = Patience::new(self.clock, STALL_SECONDS);
        while self.pairs.iter().any(|pair| pair.in_flight() > 0) {
            self.beat(crowd, server);
            self.turn(crowd)?;
            self.look_after(crowd, server, &mut patience)?;
        }
        self.pairs.iter().for_each(|pair| pair.close(&mut self.faults));
        Ok(())
    }

    fn look_after(&mut self, crowd: &mut Crowd, server: &mut Server, patience: &mut Patience) -> Result<()> {
        server.check()?;
        crowd.tick();
        patience.check(self.arrived, || "messages to arrive and receipts to come back".into())
    }
}
