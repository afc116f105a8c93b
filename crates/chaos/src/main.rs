//! `hongyan-chaos`: reads what was typed, runs it, prints what came of it. Fails if anything was found.

use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use clap::Parser;
use hongyan_chaos::arguments::{self as typed, Arguments, Command, Run, Target};
use hongyan_chaos::run::{self, Options, Row, USUAL_SIZE};
use hongyan_chaos::scenario::{SCENARIOS, Scenario};
use hongyan_chaos::soak::{self, Soak};
use hongyan_chaos::stage::Cast;
use hongyan_chaos::{bend, interrupt, server, table};

fn main() -> ExitCode {
    let sound = match Arguments::parse().command {
        Command::List => {
            list();
            Ok(true)
        }
        Command::Bend { queue, loss_percent, delay_ms, jitter_ms } => {
            bend::bend(queue, bend::Bending { loss_percent, delay_ms, jitter_ms }).map(|()| true)
        }
        Command::Run(options) => run_scenarios(&options),
        Command::Soak(options) => run_soak(&options),
    };
    match sound {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(error) => {
            eprintln!("hongyan-chaos: {error:#}");
            ExitCode::FAILURE
        }
    }
}

fn list() {
    for scenario in SCENARIOS {
        println!("{:<16}{:>5} ×  {}", scenario.name, scenario.times, scenario.what);
    }
}

fn run_scenarios(typed: &Run) -> Result<bool> {
    let chosen = chosen(&typed.only)?;
    interrupt::listen()?;
    let options = options(typed)?;
    if !typed.json {
        println!("{}", table::head());
    }
    let mut rows: Vec<Row> = Vec::new();
    for scenario in chosen {
        if interrupt::asked() {
            break;
        }
        let row = run::run(scenario, &options);
        if !typed.json {
            println!("{}", table::line(&row));
        }
        rows.push(row);
    }
    if typed.json {
        println!("{:#}", table::json(&rows));
    }
    // What was asked for by its name and could not be done has not been shown to hold.
    let missing = rows.iter().filter(|row| row.skipped.is_some()).count();
    if missing > 0 {
        eprintln!("{missing} of {} scenarios were not run", rows.len());
    }
    Ok(rows.iter().all(Row::is_sound) && (missing == 0 || typed.only.is_empty()))
}

fn run_soak(typed: &typed::Soak) -> Result<bool> {
    let Target { server_binary, data_parent, rate, seed, .. } = &typed.target;
    let server = server_binary.clone().map_or_else(|| server::beside_this("hongyan"), Ok)?;
    let options = Soak {
        server: server::executable(&server)?,
        parent: data_parent.clone().map_or_else(|| beside_programs("chaos-data"), Ok)?,
        length: Duration::from_secs_f64(typed.hours * 3600.0),
        fault_every: Duration::from_secs_f64(typed.fault_every * 60.0),
        cast: Cast { size: USUAL_SIZE, acts_per_second: *rate, seed: *seed },
        csv: typed.csv.clone().map_or_else(|| beside_programs("soak.csv"), Ok)?,
    };
    interrupt::listen()?;
    let outcome = soak::soak(&options)?;
    let figures = soak::figures_file(&options.csv);
    std::fs::write(&figures, format!("{:#}\n", outcome.json()))?;
    print!("{}", outcome.table());
    println!("samples in {}, figures in {}", options.csv.display(), figures.display());
    if let Some(folder) = &outcome.folder {
        println!("kept in {}", folder.display());
    }
    Ok(outcome.is_sound())
}

fn chosen(names: &[String]) -> Result<Vec<&'static Scenario>> {
    for name in names {
        ensure!(SCENARIOS.iter().any(|scenario| scenario.name == name), "there is no scenario {name}: see `list`");
    }
    Ok(SCENARIOS.iter().filter(|scenario| names.is_empty() || names.iter().any(|name| name == scenario.name)).collect())
}

fn options(typed: &Run) -> Result<Options> {
    let Target { server_binary, faults_binary, data_parent, rate, seed } = &typed.target;
    let server = server_binary.clone().map_or_else(|| server::beside_this("hongyan"), Ok)?;
    let faults = faults_binary.clone().map_or_else(|| server::beside_this("hongyan-faults"), Ok)?;
    Ok(Options {
        server: server::executable(&server)?,
        faults: server::executable(&faults).ok(),
        parent: data_parent.clone().map_or_else(|| beside_programs("chaos-data"), Ok)?,
        times: typed.times,
        cast: Cast { size: USUAL_SIZE, acts_per_second: *rate, seed: *seed },
        keep: typed.keep,
    })
}

/// In the folder above this program's, which is on a disk: of target/release/hongyan-chaos, target/NAME.
fn beside_programs(name: &str) -> Result<PathBuf> {
    let program = std::env::current_exe().context("where am I?")?;
    let target = program.parent().and_then(|folder| folder.parent()).context("a program lies in a folder")?;
    Ok(target.join(name))
}
