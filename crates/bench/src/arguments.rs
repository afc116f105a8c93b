//! What may be typed after `hongyan-bench`. Only shapes and defaults; what they mean is in the module named like the
//! command.

use std::net::SocketAddr;
use std::path::PathBuf;

use clap::{Args, Parser, Subcommand};
use hongyan_client::ServerAddress;

use crate::coat::By;

/// Measures a Hongyan server over real connections, and replays real chat traffic.
#[derive(Debug, Parser)]
#[command(name = "hongyan-bench", version, max_term_width = 100)]
pub struct Arguments {
    /// Print one JSON object on standard output instead of a table
    #[arg(long, global = true)]
    pub json: bool,
    #[command(flatten)]
    pub target: Target,
    /// What to measure
    #[command(subcommand)]
    pub command: Command,
}

/// Which server is measured; without --server a new one for each measurement.
#[derive(Clone, Debug, Args)]
pub struct Target {
    /// Folder for the data of servers that are started here; must be on a disk [default: target/bench-data]
    #[arg(long, global = true, value_name = "DIR")]
    pub data_parent: Option<PathBuf>,
    /// The server's executable [default: hongyan, beside this one]
    #[arg(long, global = true, value_name = "FILE")]
    pub server_binary: Option<PathBuf>,
    /// Measure a running server: hongyan://KEY@HOST:PORT/APP
    #[arg(long, global = true, value_name = "ADDRESS", requires = "token_key_file")]
    pub server: Option<ServerAddress>,
    /// How clients come in
    #[arg(long, global = true, value_enum, default_value_t)]
    pub by: By,
    /// With --server: file with the secret that signs tokens for its app, in hexadecimal
    #[arg(long, global = true, value_name = "FILE")]
    pub token_key_file: Option<PathBuf>,
    /// With --server: the name of that key
    #[arg(long, global = true, default_value = "main", value_name = "ID")]
    pub token_key_id: String,
    /// With --server, if it runs on this machine: its process, for CPU and memory
    #[arg(long, global = true, value_name = "PID")]
    pub server_pid: Option<u32>,
    /// With --server: its HTTP address, for metrics
    #[arg(long, global = true, value_name = "ADDRESS")]
    pub server_http: Option<SocketAddr>,
}

#[derive(Clone, Debug, Subcommand)]
pub enum Command {
    /// Memory and heartbeats of connections that say nothing
    Idle(Idle),
    /// Messages per second between pairs, each with some in flight, until the receipt is back
    C2c(C2c),
    /// Time from send to receive at a fixed rate
    Latency(Latency),
    /// Deliveries per second in one group, then their time at half that rate; or a large group beside chats of two
    Group(Group),
    /// Messages per second when many users with stored messages log in at once
    Offline(Offline),
    /// Logins by token per second on fresh connections, then resumes
    Logins(Logins),
    /// Bytes on the wire of logins and of one message
    Bytes,
    /// Plays chat logs with link cuts and a killed server, and judges what every client saw
    Replay(Replay),
    /// Everything but replay, one after the other, with its defaults
    All,
}

#[derive(Clone, Debug, Args)]
pub struct Idle {
    /// How many
    #[arg(long, default_value_t = 15_000)]
    pub connections: usize,
    /// For how long to watch the heartbeats; each client sends one a minute
    #[arg(long, default_value_t = 120)]
    pub heartbeat_seconds: u64,
}

#[derive(Clone, Debug, Args)]
pub struct C2c {
    /// Pairs of a sender and a receiver
    #[arg(long, default_value_t = 200)]
    pub pairs: usize,
    /// Messages of a pair that wait for their receipt
    #[arg(long, default_value_t = 8)]
    pub in_flight: usize,
    /// Length of a message's body
    #[arg(long, default_value_t = 100, value_parser = clap::value_parser!(u32).range(16..=16_384))]
    pub bytes: u32,
    /// Seconds that are measured, after two that are not
    #[arg(long, default_value_t = 20)]
    pub seconds: u64,
}

#[derive(Clone, Debug, Args)]
pub struct Latency {
    /// Messages per second, whatever the server does
    #[arg(long, default_value_t = 1_000, value_parser = clap::value_parser!(u32).range(1..=100_000))]
    pub rate: u32,
    /// Pairs of a sender and a receiver that share them
    #[arg(long, default_value_t = 200)]
    pub pairs: usize,
    /// Length of a message's body
    #[arg(long, default_value_t = 100, value_parser = clap::value_parser!(u32).range(16..=16_384))]
    pub bytes: u32,
    /// Seconds that are measured, after two that are not
    #[arg(long, default_value_t = 20)]
    pub seconds: u64,
}

#[derive(Clone, Debug, Args)]
pub struct Group {
    /// Members of the group
    #[arg(long, default_value_t = 1_000, value_parser = clap::value_parser!(u32).range(2..=100_000))]
    pub members: u32,
    /// Those of them who are connected [default: all]
    #[arg(long)]
    pub online: Option<u32>,
    /// Those of them who speak
    #[arg(long, default_value_t = 10, value_parser = clap::value_parser!(u32).range(1..=100))]
    pub senders: u32,
    /// Messages of a sender that wait for their answer
    #[arg(long, default_value_t = 4, value_parser = clap::value_parser!(u32).range(1..=1_000))]
    pub in_flight: u32,
    /// Messages per second into the group, whatever the server does, instead of as many as it takes
    #[arg(long)]
    pub rate: Option<f64>,
    /// With --rate: messages per second between pairs of two, alternating with and without those of the group
    #[arg(long, default_value_t = 0, requires = "rate", value_parser = clap::value_parser!(u32).range(0..=100_000))]
    pub chats: u32,
    /// With --chats: how often that alternates; the median counts
    #[arg(long, default_value_t = 5, value_parser = clap::value_parser!(u32).range(1..=100))]
    pub runs: u32,
    /// Length of a message's body
    #[arg(long, default_value_t = 100, value_parser = clap::value_parser!(u32).range(16..=16_384))]
    pub bytes: u32,
    /// Seconds of each stretch that is measured, after two that are not
    #[arg(long, default_value_t = 20)]
    pub seconds: u64,
}

#[derive(Clone, Debug, Args)]
pub struct Offline {
    /// Users who were away
    #[arg(long, default_value_t = 2_000)]
    pub users: usize,
    /// Messages stored for each
    #[arg(long, default_value_t = 50)]
    pub messages: usize,
    /// Senders of these messages
    #[arg(long, default_value_t = 100)]
    pub senders: usize,
}

#[derive(Clone, Debug, Args)]
pub struct Logins {
    /// Users who take turns
    #[arg(long, default_value_t = 2_000)]
    pub users: usize,
    /// Logins under way at the same time
    #[arg(long, default_value_t = 64)]
    pub concurrency: usize,
    /// Seconds of logins, and as many of resumes
    #[arg(long, default_value_t = 10)]
    pub seconds: u64,
}

#[derive(Clone, Debug, Args)]
pub struct Replay {
    /// Chat logs: lines such as `[12:34] <nick> other: text`
    #[arg(required = true, value_name = "LOG")]
    pub logs: Vec<PathBuf>,
    /// How many times faster than they were written
    #[arg(long, default_value_t = 1_200.0)]
    pub speed: f64,
    /// Links that are cut, in all
    #[arg(long, default_value_t = 400)]
    pub cuts: usize,
    /// How often the server is killed (kill -9) and started again, evenly spread over the lines
    #[arg(long, default_value_t = 1)]
    pub kills: usize,
    /// Decides which links are cut and when
    #[arg(long, default_value_t = 1)]
    pub seed: u64,
    /// Keeps what the clients saw in this file, one record of JSON a line, for hongyan-check
    #[arg(long, value_name = "FILE")]
    pub history: Option<PathBuf>,
}
