//! What may be typed after `hongyan-chaos`. Only shapes and defaults.

use std::path::PathBuf;

use clap::{Args, Parser, Subcommand};

/// Hurts real servers, and judges what their clients saw.
#[derive(Debug, Parser)]
#[command(name = "hongyan-chaos", version, max_term_width = 100)]
pub struct Arguments {
    /// What to do
    #[command(subcommand)]
    pub command: Command,
}

#[derive(Debug, Subcommand)]
pub enum Command {
    /// Name the scenarios
    List,
    /// Run scenarios, and print a table
    Run(Run),
    /// Load for hours with a random fault now and then; samples go to a file
    Soak(Soak),
    /// Hold back packets of a queue of netfilter; used by the scenario `delay`
    #[command(hide = true)]
    Bend {
        /// Number of the queue
        queue: u16,
        /// Packets that are dropped, in percent
        loss_percent: u64,
        /// Time that every packet is held
        delay_ms: u64,
        /// Time that a packet may be held longer
        jitter_ms: u64,
    },
}

/// Which servers are used, and where their data lies.
#[derive(Clone, Debug, Args)]
pub struct Target {
    /// The server's executable [default: hongyan, beside this one]
    #[arg(long, value_name = "FILE")]
    pub server_binary: Option<PathBuf>,
    /// The same with points to die at [default: hongyan-faults, beside this one]
    #[arg(long, value_name = "FILE")]
    pub faults_binary: Option<PathBuf>,
    /// Folder for the data of servers; must be on a disk [default: target/chaos-data]
    #[arg(long, value_name = "DIR")]
    pub data_parent: Option<PathBuf>,
    /// What clients do per second, all together
    #[arg(long, default_value_t = 200)]
    pub rate: u64,
    /// Decides what happens when; a run with the same seed makes the same choices, not the same interleavings
    #[arg(long, default_value_t = 1)]
    pub seed: u64,
}

#[derive(Clone, Debug, Args)]
pub struct Run {
    /// Only these
    #[arg(long, value_name = "NAME")]
    pub only: Vec<String>,
    /// How often each fault happens, instead of its own number
    #[arg(long)]
    pub times: Option<u32>,
    /// Print one JSON object on standard output instead of a table
    #[arg(long)]
    pub json: bool,
    /// Keep the folders of all runs, not only of those that failed
    #[arg(long)]
    pub keep: bool,
    #[command(flatten)]
    pub target: Target,
}

#[derive(Clone, Debug, Args)]
pub struct Soak {
    /// How long; fractions will do for trying
    #[arg(long, value_parser = hours)]
    pub hours: f64,
    /// Minutes between two faults
    #[arg(long, default_value_t = 5.0, value_parser = hours, value_name = "MINUTES")]
    pub fault_every: f64,
    /// File for the samples; the figures go to a file of the same name that ends in .json [default: target/soak.csv]
    #[arg(long, value_name = "FILE")]
    pub csv: Option<PathBuf>,
    #[command(flatten)]
    pub target: Target,
}

fn hours(typed: &str) -> Result<f64, String> {
    match typed.parse::<f64>() {
        Ok(hours) if hours > 0.0 && hours <= 10_000.0 => Ok(hours),
        _ => Err("a number above 0 is wanted".into()),
    }
}
