//! `offline`: messages are stored for many users who are away; then all of them log in at once and drain their inboxes,
//! page by page. Time runs from the first connect to the last entry.

use std::collections::HashMap;

use anyhow::Result;
use bytes::Bytes;

use crate::arguments::Offline;
use crate::clock::Clock;
use crate::crowd::{Crowd, STALL_SECONDS, TURN};
use crate::meter::Meter;
use crate::pairs::{Faults, Pair};
use crate::patience::Patience;
use crate::progress::Progress;
use crate::puppet::Seen;
use crate::report::{Reach, Report};
use crate::server::Server;

/// Messages of a sender without their answer while the inboxes are filled.
const IN_FLIGHT: usize = 32;
const BODY_BYTES: usize = 100;
const SECOND_US: u64 = 1_000_000;

/// Measures.
pub fn run(options: &Offline, server: &mut Server) -> Result<Report> {
    let clock = Clock::start();
    let progress = Progress::new("offline");
    let mut crowd = Crowd::new(server, clock)?;
    for index in 0..options.users {
        crowd.add(server, &away(index));
    }
    // Users appear with their first login.
    crowd.enter(0..options.users, &progress)?;
    for index in 0..options.users {
        crowd.swarm.hang_up(index);
    }
    let mut pairs: Vec<_> = (0..options.users).map(|index| Pair::new(away(index))).collect();
    fill(options, &mut crowd, &mut pairs, server, &progress)?;

    let total = (options.users * options.messages) as u64;
    progress.begin("draining", total);
    let meter = Meter::start(clock, server)?;
    let (faults, received) = drain(options, &mut crowd, &mut pairs, server, &progress)?;
    let cost = meter.stop(server)?;

    let messages = received as f64;
    let mut report = Report::new("offline");
    report.add_aimed("messages_per_s", messages / cost.seconds, Reach::AtLeast(60_000.0));
    report.add("seconds", cost.seconds);
    report.add("users", options.users as f64);
    report.add("messages", messages);
    let keys = ["server_cpu_us_per_message", "client_cpu_us_per_message"];
    cost.add_cpu(&mut report, messages, keys, None);
    cost.add_store(&mut report, server);
    report.add("lost", faults.lost as f64);
    report.add("duplicated", faults.duplicated as f64);
    report.note("the login of every user is part of the time");
    Ok(report)
}

fn away(index: usize) -> String {
    format!("away{index}")
}

/// Sends everything; user u gets all messages from sender u mod senders.
fn fill(
    options: &Offline,
    crowd: &mut Crowd,
    pairs: &mut [Pair],
    server: &mut Server,
    progress: &Progress,
) -> Result<()> {
    let first = crowd.swarm.len();
    for index in 0..options.senders {
        crowd.add(server, &format!("sender{index}"));
    }
    crowd.enter(first..first + options.senders, progress)?;
    let total = options.users * options.messages;
    progress.begin("storing messages", total as u64);
    // Message m of a sender goes to its users in turn.
    let mut begun = vec![0; options.senders];
    let mut stored = vec![0; options.senders];
    let mut patience = Patience::new(crowd.swarm.clock(), STALL_SECONDS);
    loop {
        for sender in 0..options.senders {
            let users = (sender..options.users).step_by(options.senders).len();
            while begun[sender] < users * options.messages && begun[sender] - stored[sender] < IN_FLIGHT {
                let pair = &mut pairs[sender + (begun[sender] % users) * options.senders];
                crowd.swarm.with(first + sender, |puppet, now, out| {
                    let text: Bytes = pair.next_text(BODY_BYTES);
                    puppet.send(pair.receiver(), text, now, out);
                });
                begun[sender] += 1;
            }
        }
        let done: usize = stored.iter().sum();
        if done == total {
            return Ok(());
        }
        server.check()?;
        progress.at(done as u64);
        patience.check(done as u64, || format!("answers to sends ({done} of {total} are stored)"))?;
        crowd.turn(TURN, |index, seen| {
            if matches!(seen, Seen::Stored { .. }) {
                stored[index - first] += 1;
            }
        })?;
    }
}

/// Everybody at once.
fn drain(
    options: &Offline,
    crowd: &mut Crowd,
    pairs: &mut [Pair],
    server: &mut Server,
    progress: &Progress,
) -> Result<(Faults, u64)> {
    let clock = crowd.swarm.clock();
    let mut faults = Faults::default();
    let mut missing: HashMap<usize, usize> = (0..options.users).map(|index| (index, options.messages)).collect();
    let (mut received, mut tick_us) = (0, clock.micros());
    let mut patience = Patience::new(clock, STALL_SECONDS);
    for index in 0..options.users {
        crowd.dial(index)?;
    }
    while !missing.is_empty() {
        crowd.turn(TURN, |index, seen| {
            if let Seen::Received { entry } = seen {
                received += 1;
                let _ = pairs[index].arrived(&entry.body, &mut faults);
                if let Some(left) = missing.get_mut(&index) {
                    *left -= 1;
                    if *left == 0 {
                        missing.remove(&index);
                    }
                }
            }
        })?;
        if clock.micros() >= tick_us {
            tick_us += SECOND_US / 10;
            server.check()?;
            progress.at(received);
            patience.check(received, || format!("stored messages ({} users have not all)", missing.len()))?;
        }
    }
    pairs.iter().for_each(|pair| pair.close(&mut faults));
    Ok((faults, received))
}
