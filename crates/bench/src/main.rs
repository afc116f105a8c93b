//! `hongyan-bench`: a load generator over real TCP with real encryption. It starts the server that it measures, unless
//! it is given one, and raises nothing but limits of rate (see [`server::RAISED`]).
//!
//! Read in this order: [`arguments`], [`server`] (what is measured), [`swarm`] (many sockets in one thread), [`puppet`]
//! (a small client), [`crowd`], then one file per measurement: [`c2c`], [`latency`], [`group`], [`idle`], [`offline`],
//! [`logins`], [`wire_bytes`], and [`replay`]. It is not a test of the protocol's corners: those have their own tests.
#![allow(clippy::disallowed_methods, reason = "a shell: it owns clock, randomness and processes")]

mod arguments;
mod c2c;
mod clock;
mod coat;
mod crowd;
mod disk;
mod group;
mod histogram;
mod idle;
mod latency;
mod logins;
mod member;
mod meter;
mod metrics;
mod offline;
mod pairs;
mod patience;
mod process;
mod progress;
mod puppet;
mod replay;
mod report;
mod server;
mod swarm;
mod token;
mod wire_bytes;

use std::process::ExitCode;

use anyhow::{Result, bail};
use clap::Parser;
use serde_json::Value;

use crate::arguments::{Arguments, Command, Target};
use crate::report::Report;
use crate::server::Server;

fn main() -> ExitCode {
    let arguments = Arguments::parse();
    match run(&arguments) {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => {
            eprintln!(
                "hongyan-bench: messages were lost, doubled, reordered, altered or given up, or another promise was broken"
            );
            ExitCode::FAILURE
        }
        Err(error) => {
            eprintln!("hongyan-bench: {error:#}");
            ExitCode::FAILURE
        }
    }
}

/// Measures and prints; false if something was lost.
fn run(arguments: &Arguments) -> Result<bool> {
    if arguments.target.server.is_none() {
        print_raised();
    }
    let reports = match &arguments.command {
        Command::All => all(&arguments.target, arguments.json)?,
        command => vec![measure(command, &arguments.target, arguments.json)?],
    };
    if arguments.json {
        println!("{}", json(&reports));
    }
    Ok(reports.iter().all(Report::is_sound))
}

fn print_raised() {
    eprintln!("raised limits of the server; everything else is default:");
    for (key, value) in server::RAISED {
        eprintln!("  {key} = {value}");
    }
}

/// The object of one measurement, or one object that holds those of several by name.
fn json(reports: &[Report]) -> Value {
    match reports {
        [report] => report.json(),
        _ => Value::Object(reports.iter().map(|report| (report.name.to_owned(), report.json())).collect()),
    }
}

fn all(target: &Target, quiet: bool) -> Result<Vec<Report>> {
    let defaults = ["bytes", "c2c", "latency", "group", "logins", "offline", "idle"];
    defaults
        .iter()
        .map(|name| measure(&Arguments::parse_from(["hongyan-bench", name]).command, target, quiet))
        .collect()
}

fn measure(command: &Command, target: &Target, quiet: bool) -> Result<Report> {
    let obtain = |name| Server::obtain(target, name);
    let report = match command {
        Command::Idle(options) => idle::run(options, &mut obtain("idle")?),
        Command::C2c(options) => c2c::run(options, &mut obtain("c2c")?),
        Command::Latency(options) => latency::run(options, &mut obtain("latency")?),
        Command::Group(options) => group::run(options, &mut obtain("group")?),
        Command::Offline(options) => offline::run(options, &mut obtain("offline")?),
        Command::Logins(options) => logins::run(options, &mut obtain("logins")?),
        Command::Bytes => wire_bytes::run(&mut obtain("bytes")?),
        Command::Replay(options) => replay::run(options, &mut obtain("replay")?),
        Command::All => bail!("`all` is not one measurement"),
    }?;
    if !quiet {
        println!("{}", report.table());
    }
    Ok(report)
}
