//! The `hongyan` binary. Parses what was typed, hands it to the part that does it, and turns the outcome into an exit
//! code. What a running server does is read from top to bottom in [`serve`].
#![allow(clippy::disallowed_methods, reason = "a shell: clocks, tasks and threads of the process are made here")]

mod administer;
mod arguments;
mod backup;
mod certificate;
mod config;
mod data;
mod doctor;
mod environment;
mod house;
mod memory;
mod password_pool;
mod proxies;
mod retention;
mod secret;
mod serve;
mod telemetry;
mod token;
mod visitor_key;
mod web_port;
mod welcome;

use std::process::ExitCode;

use anyhow::Result;
use clap::Parser;
use hongyan_cli::ClientCommand;
use tokio::runtime::Builder;

use crate::arguments::{Arguments, Command, ConfigCommand};
use crate::config::Config;

fn main() -> ExitCode {
    memory::give_big_pieces_back();
    match run(Arguments::parse()) {
        Ok(code) => code,
        Err(error) => {
            eprintln!("hongyan: {error:#}");
            ExitCode::FAILURE
        }
    }
}

fn run(arguments: Arguments) -> Result<ExitCode> {
    let overrides = match &arguments.command {
        Command::Serve(serve) => serve.overrides(),
        _ => Vec::new(),
    };
    // What users do needs no configuration of a server.
    let config = || Config::load(arguments.config.as_deref(), std::env::vars(), &overrides);
    match arguments.command {
        Command::Serve(options) => serve::serve(config()?, options.ready_file.as_deref())?,
        Command::Doctor(options) => return doctor::run(&config()?, &options),
        Command::Config(ConfigCommand::Print { default: true }) => print!("{}", config::DEFAULT),
        Command::Config(ConfigCommand::Print { default: false }) => print!("{}", config()?),
        Command::Config(ConfigCommand::Check) => config().map(|_| println!("the configuration is good"))?,
        Command::App(command) => administer::app(&command, &config()?)?,
        Command::Key(command) => administer::key(&command, &config()?)?,
        Command::User(command) => administer::user(&command, &config()?)?,
        Command::VisitorKey(command) => visitor_key::run(&command, &config()?)?,
        Command::Room(command) => administer::room(&command, &config()?)?,
        Command::Token(command) => token::run(&command, &config()?)?,
        Command::Backup(options) => backup::backup(&options, &config()?)?,
        Command::Restore(options) => backup::restore(&options, &config()?)?,
        Command::Health(server) => administer::health(&server, &config()?)?,
        Command::Client(command) => return client(command),
    }
    Ok(ExitCode::SUCCESS)
}

fn client(command: ClientCommand) -> Result<ExitCode> {
    Builder::new_current_thread().enable_all().build()?.block_on(hongyan_cli::run(command))
}
