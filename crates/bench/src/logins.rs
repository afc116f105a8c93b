//! `logins`: logins by token, then resumes, each on a fresh connection that is closed when it is done; some at a time.

use std::collections::VecDeque;

use anyhow::Result;

use crate::arguments::Logins;
use crate::clock::Clock;
use crate::crowd::{Crowd, STALL_SECONDS, TURN};
use crate::meter::{Cost, Meter};
use crate::patience::Patience;
use crate::progress::Progress;
use crate::puppet::{Entrance, Seen};
use crate::report::{Reach, Report};
use crate::server::Server;

const SECOND_US: u64 = 1_000_000;

/// What makes an entrance complete.
#[derive(Clone, Copy)]
enum Kind {
    /// LOGIN.A.
    Login,
    /// RESUME.A, and the answer to the frame that confirms it.
    Resume,
}

/// Measures.
pub fn run(options: &Logins, server: &mut Server) -> Result<Report> {
    let clock = Clock::start();
    let progress = Progress::new("logins");
    let mut crowd = Crowd::new(server, clock)?;
    for index in 0..options.users {
        crowd.add(server, &format!("login{index}"));
    }
    progress.begin("first logins make the users", options.users as u64);
    rounds(&mut crowd, options, Kind::Login, Stop::After(options.users), server, &progress)?;

    let (logins, login_cost) = measure(&mut crowd, options, Kind::Login, "logging in", server, &progress)?;
    for index in 0..options.users {
        let puppet = crowd.swarm.machine_mut(index);
        if let Some(pass) = puppet.pass() {
            puppet.set_entrance(Entrance::Pass(pass));
        }
    }
    let (resumes, resume_cost) = measure(&mut crowd, options, Kind::Resume, "resuming", server, &progress)?;

    let mut report = Report::new("logins");
    report.add_aimed("logins_per_s", logins / login_cost.seconds, Reach::AtLeast(3_000.0));
    let keys = ["server_cpu_us_per_login", "client_cpu_us_per_login"];
    login_cost.add_cpu(&mut report, logins, keys, Some(Reach::AtMost(250.0)));
    report.add("resumes_per_s", resumes / resume_cost.seconds);
    let keys = ["server_cpu_us_per_resume", "client_cpu_us_per_resume"];
    resume_cost.add_cpu(&mut report, resumes, keys, Some(Reach::AtMost(150.0)));
    report.add("logins", logins);
    report.add("resumes", resumes);
    report.add("concurrency", options.concurrency as f64);
    login_cost.add_store(&mut report, server);
    Ok(report)
}

fn measure(
    crowd: &mut Crowd,
    options: &Logins,
    kind: Kind,
    step: &str,
    server: &mut Server,
    progress: &Progress,
) -> Result<(f64, Cost)> {
    progress.begin(step, options.seconds);
    let meter = Meter::start(crowd.swarm.clock(), server)?;
    let stop = Stop::At(meter.start_us() + options.seconds * SECOND_US);
    let done = rounds(crowd, options, kind, stop, server, progress)?;
    Ok((done as f64, meter.stop(server)?))
}

#[derive(Clone, Copy)]
enum Stop {
    /// So many have been begun.
    After(usize),
    /// It is so late.
    At(u64),
}

/// Lets users in and out, in turns; returns how often.
fn rounds(
    crowd: &mut Crowd,
    options: &Logins,
    kind: Kind,
    stop: Stop,
    server: &mut Server,
    progress: &Progress,
) -> Result<usize> {
    let clock = crowd.swarm.clock();
    let start_us = clock.micros();
    let mut patience = Patience::new(clock, STALL_SECONDS);
    let mut waiting: VecDeque<usize> = (0..crowd.swarm.len()).collect();
    let (mut begun, mut done, mut tick_us) = (0, 0, start_us);
    loop {
        let open = match stop {
            Stop::After(count) => begun < count,
            Stop::At(at_us) => clock.micros() < at_us,
        };
        if !open && done == begun {
            return Ok(done);
        }
        while open && begun - done < options.concurrency {
            let Some(index) = waiting.pop_front() else { break };
            crowd.dial(index)?;
            begun += 1;
        }
        crowd.turn_acting(TURN, |index, puppet, seen, _, _| {
            let complete = match kind {
                Kind::Login => matches!(seen, Seen::Entered),
                Kind::Resume => matches!(seen, Seen::Acknowledged),
            };
            if complete {
                if let (Kind::Resume, Some(pass)) = (kind, puppet.pass()) {
                    puppet.set_entrance(Entrance::Pass(pass));
                }
                puppet.leave();
                waiting.push_back(index);
                done += 1;
            }
        })?;
        if clock.micros() >= tick_us {
            tick_us += SECOND_US;
            server.check()?;
            patience.check(done as u64, || format!("logins or resumes ({done} of {begun} are done)"))?;
            match stop {
                Stop::After(_) => progress.at(done as u64),
                Stop::At(_) => progress.at((clock.micros() - start_us) / SECOND_US),
            }
        }
    }
}
