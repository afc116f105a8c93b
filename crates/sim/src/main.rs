//! `hongyan-sim`: runs seeds, shows one, hunts planted bugs. What happens inside is in the library.
#![allow(clippy::disallowed_methods, reason = "it tells how long real time took")]

use std::io::Write;
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::{Duration, Instant};

use anyhow::{Context, Result};
use clap::{Parser, Subcommand};
use hongyan_checker::Violation;
use hongyan_sim::campaign::{Extent, Totals, campaign};
use hongyan_sim::mutants::{MUTANTS, Mutant};
use hongyan_sim::plan::Plan;
use hongyan_sim::shrink::shrink;
use hongyan_sim::world::{Outcome, run};

/// Simulates Hongyan: network, disk, time and people come out of one seed, and a checker judges what clients saw.
#[derive(Parser)]
struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Runs many seeds and prints a table; fails at a violation, with the shortest sequence that still shows it.
    Run {
        /// The first seed.
        #[arg(long, default_value_t = 1)]
        from: u64,
        /// How many seeds.
        #[arg(long, default_value_t = 1_000)]
        seeds: u64,
        /// Or for how long: no seed begins after so many seconds.
        #[arg(long)]
        seconds: Option<u64>,
        /// Threads.
        #[arg(long, default_value_t = 2)]
        threads: usize,
        /// Go on after a violation.
        #[arg(long)]
        go_on: bool,
    },
    /// Runs one seed and prints what came of it.
    Seed {
        /// Which.
        seed: u64,
        /// With this planted bug.
        #[arg(long)]
        mutant: Option<String>,
        /// Writes the history to this file, for hongyan-check.
        #[arg(long)]
        history: Option<PathBuf>,
        /// Prints the whole plan.
        #[arg(long)]
        plan: bool,
        /// Looks for the shortest sequence that still fails.
        #[arg(long)]
        shrink: bool,
    },
    /// Plants each bug and runs seeds until it is caught; fails when one survives.
    Mutants {
        /// Only this one.
        #[arg(long)]
        only: Option<String>,
        /// The first seed.
        #[arg(long, default_value_t = 1)]
        from: u64,
        /// Seeds for each.
        #[arg(long, default_value_t = 1_000)]
        seeds: u64,
        /// Threads.
        #[arg(long, default_value_t = 2)]
        threads: usize,
        /// Writes `name<TAB>seed` lines to this file.
        #[arg(long)]
        record: Option<PathBuf>,
    },
}

fn main() -> Result<ExitCode> {
    // A panic inside a world is a violation like any other; the run that found it says so.
    std::panic::set_hook(Box::new(|_| {}));
    let sound = match Arguments::parse().command {
        Command::Run { from, seeds, seconds, threads, go_on } => {
            let time_max = seconds.map(Duration::from_secs);
            let seeds = if seconds.is_some() { u64::MAX } else { seeds };
            run_many(Extent { from, seeds, time_max, threads, until_failure: !go_on })
        }
        Command::Seed { seed, mutant, history, plan, shrink } => {
            let mutant = mutant.map(|name| known(&name)).transpose()?.map(|mutant| mutant.name);
            run_one(seed, mutant, history, plan, shrink)?
        }
        Command::Mutants { only, from, seeds, threads, record } => {
            let extent = Extent { from, seeds, time_max: None, threads, until_failure: true };
            hunt(only.as_deref(), extent, record)?
        }
    };
    Ok(if sound { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

fn known(name: &str) -> Result<&'static Mutant> {
    MUTANTS.iter().find(|mutant| mutant.name == name).with_context(|| format!("there is no mutant {name:?}"))
}

fn run_many(extent: Extent) -> bool {
    let begun = Instant::now();
    let mut next_line = Duration::from_secs(10);
    let totals = campaign(extent, None, |totals| {
        if begun.elapsed() >= next_line {
            next_line += Duration::from_secs(10);
            eprintln!("{}", totals.summary());
        }
    });
    println!("{}", totals.table(begun.elapsed(), extent.threads));
    for (seed, violation) in totals.failed.iter().take(20) {
        println!("seed {seed}: {violation}");
    }
    if let Some((seed, _)) = totals.failed.first() {
        show_shortest(&Plan::new(*seed), None);
    }
    totals.failed.is_empty()
}

fn run_one(
    seed: u64,
    mutant: Option<&'static str>,
    history: Option<PathBuf>,
    plan_too: bool,
    shrinks: bool,
) -> Result<bool> {
    let plan = Plan::new(seed);
    if plan_too {
        println!("{plan:#?}");
    }
    let begun = Instant::now();
    let outcome = run(&plan, mutant, true);
    let took = begun.elapsed();
    if let Some(path) = history {
        let mut file = std::io::BufWriter::new(std::fs::File::create(&path).context("the history's file")?);
        for record in &outcome.records {
            serde_json::to_writer(&mut file, record)?;
            writeln!(file)?;
        }
    }
    let mut totals = Totals::default();
    totals.add(seed, &outcome);
    println!("{}", totals.table(took, 1));
    println!("fingerprint            {:>14x}", outcome.fingerprint);
    for violation in outcome.report.violations.iter().take(20) {
        println!("{violation}");
    }
    let sound = outcome.report.violations.is_empty();
    if !sound && shrinks {
        show_shortest(&plan, mutant);
    }
    Ok(sound)
}

/// Prints the shortest plan that breaks the same invariant.
fn show_shortest(plan: &Plan, mutant: Option<&'static str>) {
    let invariant = |outcome: &Outcome| outcome.report.violations.first().map(|first| first.invariant);
    let broken = invariant(&run(plan, mutant, false));
    let shortest = shrink(plan, |candidate| invariant(&run(candidate, mutant, false)) == broken);
    println!("\nseed {}, made shorter: {} of {} steps", plan.seed, shortest.steps.len(), plan.steps.len());
    println!(
        "  {:?}\n  {:?}\n  {:?}\n  injected {:?}",
        shortest.weather, shortest.disk, shortest.limits, shortest.injections
    );
    for (number, install) in shortest.cast.devices.iter().enumerate() {
        println!("  d{number}: {install:?}");
    }
    for step in &shortest.steps {
        println!("  {:>10.3} s  {:?}", step.at_us as f64 / 1e6, step.what);
    }
    println!("  {:>10.3} s  everything heals", shortest.heals_us as f64 / 1e6);
    for violation in run(&shortest, mutant, false).report.violations.iter().take(5) {
        println!("  {violation}");
    }
}

fn hunt(only: Option<&str>, extent: Extent, record: Option<PathBuf>) -> Result<bool> {
    let hunted: Vec<&Mutant> = match only {
        Some(name) => vec![known(name)?],
        None => MUTANTS.iter().collect(),
    };
    let mut lines = String::new();
    let mut survivors = 0;
    for mutant in &hunted {
        let begun = Instant::now();
        let caught = catch(mutant, extent);
        let seconds = begun.elapsed().as_secs_f64();
        match caught {
            Some((seed, violation)) => {
                println!("caught    {:<38} seed {seed:>5}, {seconds:>5.1} s  {violation}", mutant.name);
                lines.push_str(&format!("{}\t{seed}\n", mutant.name));
            }
            None => {
                survivors += 1;
                println!("SURVIVED  {:<38} {} seeds, {seconds:>5.1} s", mutant.name, extent.seeds);
            }
        }
    }
    println!("{} of {} caught", hunted.len() - survivors, hunted.len());
    if let Some(path) = record {
        std::fs::write(path, lines).context("the record's file")?;
    }
    Ok(survivors == 0)
}

/// The first seed in which the bug is caught as what it breaks, and what gives it away. The same seed without it is clean.
fn catch(mutant: &Mutant, extent: Extent) -> Option<(u64, Violation)> {
    let end = extent.from + extent.seeds;
    let mut from = extent.from;
    while from < end {
        let rest = Extent { from, seeds: end - from, ..extent };
        let (seed, violation) = campaign(rest, Some(mutant.name), |_| {}).failed.into_iter().next()?;
        let plan = Plan::new(seed);
        if mutant.explains(&run(&plan, Some(mutant.name), false).report) && run(&plan, None, false).report.is_clean() {
            return Some((seed, violation));
        }
        from = seed + 1;
    }
    None
}
