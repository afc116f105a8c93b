//! `idle`: many encrypted connections that say nothing but their heartbeats; what each costs the server in memory and
//! CPU.

use anyhow::{Context, Result};

use crate::arguments::Idle;
use crate::clock::Clock;
use crate::crowd::{Crowd, STALL_SECONDS, TURN};
use crate::meter::Meter;
use crate::patience::Patience;
use crate::process::own_usage;
use crate::progress::Progress;
use crate::puppet::Seen;
use crate::report::{Reach, Report};
use crate::server::Server;

const SECOND_US: u64 = 1_000_000;
/// After the last login, before memory is measured: what was only needed for it is given back.
const SETTLE_US: u64 = 5 * SECOND_US;
/// How often heartbeats that are due are sent.
const TICK_US: u64 = SECOND_US / 10;
/// Descriptors for everything that is no client.
const SPARE_DESCRIPTORS: u64 = 64;

/// Measures.
pub fn run(options: &Idle, server: &mut Server) -> Result<Report> {
    raise_descriptor_limit(options.connections)?;
    let clock = Clock::start();
    let progress = Progress::new("idle");
    let at_rest = server.usage()?.context("without the server's process its memory cannot be measured")?;
    let own_at_rest = own_usage()?;
    let mut crowd = Crowd::new(server, clock)?;
    for index in 0..options.connections {
        crowd.add(server, &format!("idle{index}"));
    }
    crowd.enter(0..options.connections, &progress)?;
    let entering_seconds = clock.micros() as f64 / 1e6;
    progress.begin("settling", 0);
    watch(&mut crowd, server, clock.micros() + SETTLE_US, &progress)?;
    let settled = server.usage()?.context("the server's process is gone")?;
    let own = own_usage()?;

    // What a client says waits until its poll is answered, which would be waited for here.
    let heartbeat_seconds = if server.by.polls() { 0 } else { options.heartbeat_seconds };
    progress.begin("watching heartbeats", heartbeat_seconds);
    let meter = Meter::start(clock, server)?;
    let end_us = meter.start_us() + heartbeat_seconds * SECOND_US;
    let heartbeats = watch(&mut crowd, server, end_us, &progress)?;
    let cost = meter.stop(server)?;

    let connections = options.connections as f64;
    let each = |before: u64, after: u64| after.saturating_sub(before) as f64 / connections;
    let mut report = Report::new("idle");
    report.add("connections", connections);
    report.add_aimed(
        "rss_kib_per_connection",
        each(at_rest.rss_kib, settled.rss_kib),
        Reach::AtMost(server.by.idle_kib_max()),
    );
    report.add_aimed("rss_at_rest_mib", at_rest.rss_kib as f64 / 1024.0, Reach::AtMost(40.0));
    report.add("client_rss_kib_per_connection", each(own_at_rest.rss_kib, own.rss_kib));
    report.add("entering_s", entering_seconds);
    if let Some(micros) = cost.server_cpu_us.filter(|_| heartbeat_seconds > 0) {
        let percent = micros / cost.seconds / 1e4;
        report.add_aimed("heartbeat_cpu_percent_of_core", percent, Reach::AtMost(1.0));
        report.add_known("server_cpu_us_per_heartbeat", (heartbeats > 0).then(|| micros / heartbeats as f64));
    }
    report.add("heartbeats", heartbeats as f64);
    report.add("heartbeat_s", cost.seconds);
    let note =
        if server.by.polls() { "are not measured by polls" } else { "are sent by each client 60 s after it last sent" };
    report.note(format!("heartbeats {note}"));
    Ok(report)
}

/// Keeps the connections alive until `end_us`; returns the number of heartbeats sent, all of which were answered.
fn watch(crowd: &mut Crowd, server: &mut Server, end_us: u64, progress: &Progress) -> Result<u64> {
    let clock = crowd.swarm.clock();
    let start_us = clock.micros();
    let (mut sent, mut answered, mut tick_us) = (0, 0, start_us);
    let mut patience = Patience::new(clock, STALL_SECONDS);
    while clock.micros() < end_us || answered < sent {
        crowd.turn(TURN, |_, seen| answered += u64::from(matches!(seen, Seen::Alive)))?;
        if clock.micros() >= tick_us {
            tick_us += TICK_US;
            if clock.micros() < end_us {
                sent += crowd.tick();
                patience.check(clock.micros(), String::new)?;
            } else {
                patience.check(answered, || format!("heartbeats ({answered} of {sent} are answered)"))?;
            }
            server.check()?;
            progress.at((clock.micros() - start_us) / SECOND_US);
        }
    }
    Ok(sent)
}

/// Every connection needs a descriptor here, too.
fn raise_descriptor_limit(connections: usize) -> Result<()> {
    use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
    let wanted = connections as u64 + SPARE_DESCRIPTORS;
    let limit = getrlimit(Resource::Nofile);
    if limit.current.is_none_or(|current| current >= wanted) {
        return Ok(());
    }
    setrlimit(Resource::Nofile, Rlimit { current: Some(wanted), maximum: limit.maximum })
        .with_context(|| format!("{connections} connections need more open files than this system allows"))
}
