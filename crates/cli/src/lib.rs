//! The terminal client: `hongyan chat` for people, and `send`, `tail`, `history`, `search`, `conversations` for scripts.
//!
//! One file for each command. What they share: [`account`] (which server, who logs in), [`place`] (where this device
//! keeps its messages), [`entry`] (a message in words or JSON), [`text`] (what a terminal may be given). Everything
//! that must not be lost is the client SDK's work, not this crate's.

mod account;
mod chat;
mod conversations;
mod entry;
mod failure;
mod happening;
mod history;
mod local_time;
mod output;
mod peer;
mod place;
mod search;
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
    /// Print messages that have these words in them, newest first
    #[command(after_help = search::EXAMPLES)]
    Search(search::Search),
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
        ClientCommand::Search(search) => search.run().await,
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

#[cfg(test)]
mod tests {
    use clap::{CommandFactory, Parser};

    use super::*;

    #[derive(Debug, Parser)]
    struct Arguments {
        #[command(subcommand)]
        _command: ClientCommand,
    }

    fn parses(line: &str) -> bool {
        Arguments::try_parse_from(std::iter::once("hongyan").chain(line.split(' '))).is_ok()
    }

    #[test]
    fn every_command_explains_itself_with_examples() {
        let mut command = Arguments::command();
        command.build();
        command.clone().debug_assert();
        for part in command.get_subcommands().filter(|part| part.get_name() != "help") {
            let help = part.clone().render_long_help().to_string();
            assert!(help.contains("Examples:") && help.contains(&format!("hongyan {}", part.get_name())), "{help}");
        }
    }

    #[test]
    fn what_cannot_be_meant_is_refused() {
        assert!(parses("send --user a --to b hi"));
        assert!(parses("chat hongyan://x --user a --lang zh"));
        assert!(parses("search --user a --with b 晚上 milk"));
        assert!(!parses("search --user a"), "for nothing");
        assert!(!parses("send --user a hi"), "to nobody");
        assert!(parses("send --user a --group g --mention b hi"));
        assert!(!parses("send --user a --to b --group g hi"));
        assert!(!parses("send --user a --to b --mention c hi"), "nobody else hears it");
        assert!(parses("history --user a --group g"));
        assert!(!parses("history --user a"), "with nobody");
        assert!(!parses("history --user a --with b --before 1 --after 2"));
        assert!(!parses("history --user a --with b --limit 0"));
        assert!(!parses("history --user a --with b --limit 10001"));
        assert!(!parses("send --to b --token t --token-file f hi"));
        assert!(!parses("chat --lang fr"));
    }
}
