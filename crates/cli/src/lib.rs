//! The terminal client: `hongyan chat` for people, and `send`, `tail`, `history`, `conversations` for scripts.
//!
//! One file for each command. What they share: [`account`] (which server, who logs in), [`place`] (where this device
//! keeps its messages), [`entry`] (a message in words or JSON), [`text`] (what a terminal may be given). Everything
//! that must not be lost is the client SDK's work, not this crate's.

mod account;
mod chat;
mod conversations;
mod entry;
mod failure;
mod history;
mod local_time;
mod output;
mod place;
mod send;
mod tail;
mod text;

use std::process::ExitCode;

use clap::Subcommand;

use failure::Failure;

/// What a person or a script does as a user of a server.
#[derive(Debug, Subcommand)]
pub enum ClientCommand {
    /// Talk with people, in this terminal
    #[command(after_help = chat::EXAMPLES)]
    Chat(chat::Chat),
    /// Send one message and wait until the server keeps it
    #[command(after_help = send::EXAMPLES)]
    Send(send::Send),
    /// Print messages as they come, until interrupted
    #[command(after_help = tail::EXAMPLES)]
    Tail(tail::Tail),
    /// Print messages of a conversation
    #[command(after_help = history::EXAMPLES)]
    History(history::History),
    /// List conversations, newest first
    #[command(after_help = conversations::EXAMPLES)]
    Conversations(conversations::Conversations),
}

/// Does it. Needs a tokio runtime with timers and sockets. Exit codes: 0 done, 1 failed, 2 wrong arguments (given by
/// the caller's parser), 3 not logged in, 4 refused by the server, 5 not done in time.
pub async fn run(command: ClientCommand) -> anyhow::Result<ExitCode> {
    let result = match command {
        ClientCommand::Chat(chat) => chat.run().await,
        ClientCommand::Send(send) => send.run().await,
        ClientCommand::Tail(tail) => tail.run().await,
        ClientCommand::History(history) => history.run().await,
        ClientCommand::Conversations(conversations) => conversations.run().await,
    };
    match result {
        Ok(()) => Ok(ExitCode::SUCCESS),
        // The reader of our output has seen enough.
        Err(Failure::Output(error)) if error.kind() == std::io::ErrorKind::BrokenPipe => Ok(ExitCode::SUCCESS),
        Err(failure) => {
            eprintln!("hongyan: {failure}");
            Ok(ExitCode::from(failure.exit_code()))
        }
    }
}
