//! `group`: one group, all of whose messages every connected member must have once, in order and without holes. First a
//! closed loop (each speaker keeps some messages unanswered), then an open loop at half the rate that was reached; or, by
//! `--rate`, an open loop alone, with `--chats` alternating with chats of two that have the server to themselves.
//!
//! A delivery is an entry in GROUP.N at a member's connection, except at the speaker's own. What a member had to ask for by
//! HISTORY is heard, but no delivery.

mod audience;
mod chats;
mod gathering;
mod speakers;

use std::time::Duration;

use anyhow::Result;
use hongyan_wire::Millis;

use crate::arguments::Group;
use crate::clock::Clock;
use crate::crowd::{Crowd, STALL_SECONDS, TURN};
use crate::histogram::Histogram;
use crate::member::{Heard, Mishaps};
use crate::meter::{Cost, Meter};
use crate::patience::Patience;
use crate::progress::Progress;
use crate::puppet::{Puppet, Seen};
use crate::report::{Reach, Report};
use crate::server::Server;
use audience::Audience;
use chats::Chats;
use speakers::Speakers;

const WARM_UP_US: u64 = 2_000_000;
const SECOND_US: u64 = 1_000_000;
/// How often the schedule is looked at: part of every figure, so it is short.
const TICK: Duration = Duration::from_micros(250);

/// When the group's next message is due.
#[derive(Clone, Copy)]
enum Pace {
    Silent,
    /// When one is answered.
    Closed,
    /// At fixed times, whatever the server does.
    Open {
        per_s: f64,
        start_us: u64,
        said: u64,
    },
}

struct Run {
    clock: Clock,
    audience: Audience,
    speakers: Speakers,
    chats: Option<Chats>,
    pace: Pace,
    /// Taken from a member and not counted yet.
    heard: Vec<Heard>,
}

/// What was measured in one go.
struct Stretch {
    cost: Cost,
    deliveries: f64,
    messages: f64,
    delivery: Histogram,
    everybody: Histogram,
    /// 99 of 100 texts of the chats took no longer, in milliseconds.
    chat_p99_ms: Option<f64>,
}

/// Measures.
pub fn run(options: &Group, server: &mut Server) -> Result<Report> {
    let clock = Clock::start();
    let progress = Progress::new("group");
    let mut crowd = Crowd::new(server, clock)?;
    let gathered = gathering::gather(&mut crowd, server, options, &progress)?;
    let online = crowd.swarm.len();
    let speakers =
        Speakers::new(gathered.group, options.senders as usize, options.in_flight as usize, options.bytes as usize);
    let chats = match options.chats {
        0 => None,
        rate => Some(Chats::gather(&mut crowd, server, rate, &progress)?),
    };
    crowd.swarm.set_ticker(TICK)?;
    let audience = Audience::new(online as u32, gathered.head_seq);
    let run = Run { clock, audience, speakers, chats, pace: Pace::Silent, heard: Vec::new() };
    let mut bench = Bench { run, crowd, server, progress, seconds: options.seconds };
    let mut report = Report::new("group");
    report.add("members", f64::from(options.members));
    report.add("online", online as f64);
    match (options.rate, options.chats) {
        (None, _) => bench.as_fast_as_it_goes(&mut report)?,
        (Some(per_s), 0) => bench.at_rate(per_s, &mut report)?,
        (Some(per_s), _) => bench.beside_chats(per_s, options.runs, &mut report)?,
    }
    bench.add_faults(&mut report);
    Ok(report)
}

/// A run with its server.
struct Bench<'a> {
    run: Run,
    crowd: Crowd,
    server: &'a mut Server,
    progress: Progress,
    seconds: u64,
}

impl Bench<'_> {
    fn as_fast_as_it_goes(&mut self, report: &mut Report) -> Result<()> {
        let Stretch { cost, deliveries, messages, .. } = self.stretch(Pace::Closed, "as fast as it goes")?;
        let per_s = messages / cost.seconds;
        report.add_aimed("deliveries_per_s", deliveries / cost.seconds, Reach::AtLeast(200_000.0));
        let keys = ["server_cpu_us_per_delivery", "client_cpu_us_per_delivery"];
        cost.add_cpu(report, deliveries, keys, Some(Reach::AtMost(4.0)));
        report.add("generator_cpu_share", cost.client_cpu_us / 1e6 / cost.seconds);
        report.add("messages_per_s", per_s);
        report.add("deliveries", deliveries);
        report.add("seconds", cost.seconds);
        cost.add_store(report, self.server);
        self.at_rate(per_s / 2.0, report)
    }

    fn at_rate(&mut self, per_s: f64, report: &mut Report) -> Result<()> {
        let stretch = self.stretch(self.open(per_s), "at a fixed rate")?;
        let ms = |micros: u64| micros as f64 / 1e3;
        report.add("open_messages_per_s", per_s);
        report.add("open_deliveries_per_s", stretch.deliveries / stretch.cost.seconds);
        report.add_known("open_server_cpu_us_per_delivery", stretch.cost.server_us_per(stretch.deliveries));
        report.add("open_generator_cpu_share", stretch.cost.client_cpu_us / 1e6 / stretch.cost.seconds);
        report.add("delivery_p50_ms", ms(stretch.delivery.percentile(0.5)));
        report.add_aimed("delivery_p99_ms", ms(stretch.delivery.percentile(0.99)), Reach::AtMost(200.0));
        report.add("delivery_max_ms", ms(stretch.delivery.max()));
        report.add("all_have_it_p50_ms", ms(stretch.everybody.percentile(0.5)));
        report.add_aimed("all_have_it_max_ms", ms(stretch.everybody.max()), Reach::AtMost(1_000.0));
        Ok(())
    }

    /// Chats of two with and without the group, in turns, so that a machine that grows slower or faster meanwhile does so
    /// for both.
    fn beside_chats(&mut self, per_s: f64, runs: u32, report: &mut Report) -> Result<()> {
        let (mut alone, mut beside) = (Vec::new(), Vec::new());
        let (mut everybody_p50, mut everybody_max, mut cpu, mut share) = (Vec::new(), 0_f64, Vec::new(), Vec::new());
        for _ in 0..runs {
            let quiet = self.stretch(Pace::Silent, "chats alone")?;
            alone.extend(quiet.chat_p99_ms);
            let stretch = self.stretch(self.open(per_s), "chats beside the group")?;
            beside.extend(stretch.chat_p99_ms);
            everybody_p50.push(stretch.everybody.percentile(0.5) as f64 / 1e3);
            everybody_max = everybody_max.max(stretch.everybody.max() as f64 / 1e3);
            // What the chats cost is not the group's; both stretches are of the same length.
            let more = stretch.cost.server_cpu_us.zip(quiet.cost.server_cpu_us).map(|(with, without)| with - without);
            cpu.extend(more.map(|micros| micros / stretch.deliveries));
            share.push(stretch.cost.client_cpu_us / 1e6 / stretch.cost.seconds);
        }
        report.add("open_messages_per_s", per_s);
        report.add("chat_p99_alone_ms", median(alone));
        report.add_aimed("chat_p99_ms", median(beside), Reach::AtMost(25.0));
        report.add("all_have_it_p50_ms", median(everybody_p50));
        report.add_aimed("all_have_it_max_ms", everybody_max, Reach::AtMost(1_000.0));
        if !cpu.is_empty() {
            report.add("open_server_cpu_us_per_delivery", median(cpu));
        }
        report.add("open_generator_cpu_share", median(share));
        report.note("medians of all runs; server CPU is what the group adds to the chats'");
        Ok(())
    }

    fn open(&self, per_s: f64) -> Pace {
        Pace::Open { per_s, start_us: self.run.clock.micros(), said: 0 }
    }

    /// Warms up, measures, and lets everything arrive.
    fn stretch(&mut self, pace: Pace, name: &str) -> Result<Stretch> {
        self.progress.begin(name, self.seconds);
        self.run.begin(pace);
        self.keep_going(self.run.clock.micros() + WARM_UP_US)?;
        let meter = Meter::start(self.run.clock, self.server)?;
        let (deliveries, messages) = (self.run.audience.deliveries, self.run.audience.stored);
        self.run.measure_from(meter.start_us());
        self.keep_going(meter.start_us() + self.seconds * SECOND_US)?;
        let cost = meter.stop(self.server)?;
        let deliveries = (self.run.audience.deliveries - deliveries) as f64;
        let messages = (self.run.audience.stored - messages) as f64;
        self.finish()?;
        let chats = self.run.chats.as_ref();
        Ok(Stretch {
            cost,
            deliveries,
            messages,
            delivery: std::mem::replace(&mut self.run.audience.delivery, Histogram::new()),
            everybody: std::mem::replace(&mut self.run.audience.everybody, Histogram::new()),
            chat_p99_ms: chats.map(|chats| chats.delivery.percentile(0.99) as f64 / 1e3),
        })
    }

    fn keep_going(&mut self, end_us: u64) -> Result<()> {
        let start_us = self.run.clock.micros();
        let mut patience = Patience::new(self.run.clock, STALL_SECONDS);
        let mut tick_us = start_us;
        while self.run.clock.micros() < end_us {
            self.run.speak(&mut self.crowd, true);
            self.run.turn(&mut self.crowd)?;
            if self.run.clock.micros() >= tick_us {
                tick_us += SECOND_US;
                self.look_after(&mut patience)?;
                self.progress.at((self.run.clock.micros() - start_us) / SECOND_US);
            }
        }
        Ok(())
    }

    /// Lets what is under way arrive.
    fn finish(&mut self) -> Result<()> {
        self.run.pace = Pace::Silent;
        let mut patience = Patience::new(self.run.clock, STALL_SECONDS);
        let mut tick_us = self.run.clock.micros();
        let mut lost = 0;
        while !self.run.is_done(lost) {
            self.run.speak(&mut self.crowd, false);
            self.run.turn(&mut self.crowd)?;
            if self.run.clock.micros() >= tick_us {
                tick_us += SECOND_US;
                self.look_after(&mut patience)?;
                lost = self.mishaps().lost;
            }
        }
        Ok(())
    }

    fn look_after(&mut self, patience: &mut Patience) -> Result<()> {
        self.server.check()?;
        self.crowd.tick();
        let run = &self.run;
        let idle = matches!(run.pace, Pace::Silent) && run.is_done(0);
        let arrived = run.chats.as_ref().map_or(0, |chats| chats.arrived);
        let progress = if idle { run.clock.micros() } else { run.audience.heard + run.audience.stored + arrived };
        patience.check(progress, || format!("members to hear the rest ({} times)", run.audience.outstanding()))
    }

    fn mishaps(&self) -> Mishaps {
        let mut all = Mishaps::default();
        for index in 0..self.crowd.swarm.len() {
            let Some(member) = self.crowd.swarm.machine(index).member() else { continue };
            let Mishaps { gaps, repeats, lost } = member.mishaps();
            all = Mishaps { gaps: all.gaps + gaps, repeats: all.repeats + repeats, lost: all.lost + lost };
        }
        all
    }

    fn add_faults(&mut self, report: &mut Report) {
        let chats = self.run.chats.as_mut().map_or_else(Default::default, |chats| {
            chats.close();
            chats.faults
        });
        let Mishaps { gaps, repeats, lost } = self.mishaps();
        let audience = &self.run.audience;
        report.add("gaps", gaps as f64);
        report.add("repeats", repeats as f64);
        report.add("refused_for_now", self.run.speakers.refused as f64);
        report.add("lost", (lost.max(audience.outstanding()) + chats.lost) as f64);
        report.add("duplicated", (audience.duplicated + chats.duplicated) as f64);
        report.add("violations", audience.violations as f64);
    }
}

impl Run {
    fn begin(&mut self, pace: Pace) {
        self.pace = pace;
        if let Some(chats) = &mut self.chats {
            chats.begin(self.clock.micros());
        }
    }

    fn measure_from(&mut self, now_us: u64) {
        self.audience.measure_from(now_us);
        if let Some(chats) = &mut self.chats {
            chats.measure_from(now_us);
        }
    }

    /// Says what is due, and what may be repeated by now.
    fn speak(&mut self, crowd: &mut Crowd, chatting: bool) {
        if let Pace::Open { per_s, start_us, said } = &mut self.pace {
            while *start_us + (*said as f64 * 1e6 / *per_s) as u64 <= self.clock.micros() {
                let due_us = *start_us + (*said as f64 * 1e6 / *per_s) as u64;
                let speaker = (*said % self.speakers.len() as u64) as usize;
                self.speakers.due(speaker, self.audience.said(speaker, due_us));
                *said += 1;
            }
        }
        for index in 0..self.speakers.len() {
            if matches!(self.pace, Pace::Closed) {
                self.speakers.fill(index, &mut self.audience, self.clock.micros());
            }
            if self.speakers.wants(index, self.clock.millis()) {
                let speakers = &mut self.speakers;
                crowd.swarm.with(index, |puppet, now, out| speakers.speak(index, puppet, now, out));
            }
        }
        if let Some(chats) = self.chats.as_mut().filter(|_| chatting) {
            chats.speak(crowd);
        }
    }

    fn turn(&mut self, crowd: &mut Crowd) -> Result<()> {
        crowd.turn_looking(TURN, |index, puppet, seen, now, out| match seen {
            Some(seen) => self.seen(index, &seen, now),
            None => self.look(index, puppet, now, out),
        })
    }

    fn seen(&mut self, index: usize, seen: &Seen, now: Millis) {
        match *seen {
            Seen::Stored { id, seq } if index < self.speakers.len() => {
                if let Some(number) = self.speakers.answered(index, id) {
                    self.audience.stored(number, seq);
                }
            }
            Seen::Refused { id, retry_after } => self.speakers.refused(index, id, retry_after, now),
            _ => {
                if let Some(chats) = &mut self.chats {
                    chats.seen(index, seen, self.clock.micros());
                }
            }
        }
    }

    /// Counts what a member has heard, and lets a speaker go on.
    fn look(&mut self, index: usize, puppet: &mut Puppet, now: Millis, out: &mut Vec<u8>) {
        if let Some(member) = puppet.member_mut() {
            member.take_heard(&mut self.heard);
            let now_us = if self.heard.is_empty() { 0 } else { self.clock.micros() };
            for heard in self.heard.drain(..) {
                self.audience.heard(index, heard, now_us);
            }
        }
        if index < self.speakers.len() {
            if matches!(self.pace, Pace::Closed) {
                self.speakers.fill(index, &mut self.audience, self.clock.micros());
            }
            self.speakers.speak(index, puppet, now, out);
        }
    }

    fn is_done(&self, lost: u64) -> bool {
        self.speakers.are_done()
            && self.audience.outstanding() <= lost
            && self.chats.as_ref().is_none_or(Chats::are_done)
    }
}

fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    values.get(values.len() / 2).copied().unwrap_or_default()
}
