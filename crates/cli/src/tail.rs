//! `hongyan tail`: messages as they come. What was printed is acknowledged like on any other device; it reads nothing
//! on the user's behalf and moves no read mark.

use clap::Args;
use hongyan_client::{BreakReason, Event, Link, Message, Peer, proto};
use jiff::tz::TimeZone;
use serde_json::json;

use crate::account::Account;
use crate::failure::Failure;
use crate::place::Wait;
use crate::{entry, output, peer};

/// Shown below the options.
pub const EXAMPLES: &str = "Examples:
  hongyan tail --user alice
  hongyan tail --user alice --json | jq -r 'select(.event == \"message\") | .text'
  hongyan tail --user alice --with bob --own
  hongyan tail --user alice --group spring

The first run begins with the messages that come from now on (or with --all, with everything the inbox still holds);
every later run goes on where the last one was interrupted (Ctrl-C), so that nothing is missed between them; after a
kill -9, `hongyan history` has what was not printed. Edits and recalls are printed,
too; --json names each line's \"event\": message, changed or gone.";

/// The arguments.
#[derive(Args, Debug)]
pub struct Tail {
    /// Only the conversation with this person
    #[arg(long, value_name = "NAME")]
    with: Option<String>,
    /// Only this group
    #[arg(long, value_name = "GROUP", conflicts_with = "with")]
    group: Option<String>,
    /// Also what this user has written on other devices
    #[arg(long)]
    own: bool,
    /// At the first run, begin with the oldest message of the inbox
    #[arg(long)]
    all: bool,
    /// Print one JSON object per line
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    account: Account,
}

impl Tail {
    /// Prints until interrupted.
    pub async fn run(&self) -> Result<(), Failure> {
        let ready = self.account.ready(proto::Term::Bot, "tail", Wait::No).await?;
        let credential = ready.credential_or_ask()?;
        let (client, mut events) = ready.connect(credential).await?;
        let mut skip = ready.is_new_device && !self.all;
        let interrupted = tokio::signal::ctrl_c();
        tokio::pin!(interrupted);
        let mut client = Some(client);
        loop {
            let event = tokio::select! {
                result = &mut interrupted, if client.is_some() => {
                    result?;
                    // What waits to be printed is acknowledged already: the next run would not print it.
                    client = None;
                    continue;
                }
                event = events.next() => match event {
                    Some(event) => event,
                    None if client.is_none() => return Ok(()),
                    None => return Err(Failure::other("the client has ended")),
                },
            };
            match event {
                Event::Link(Link::Stopped(reason)) => return Err(ready.explain(reason.into())),
                Event::Link(Link::Broken { retry_in_ms, reason }) => tell_broken(retry_in_ms, &reason),
                Event::CaughtUp { .. } => skip = false,
                event if !skip => self.print(&event, &ready.user)?,
                _ => {}
            }
        }
    }

    fn print(&self, event: &Event, me: &str) -> Result<(), Failure> {
        let (name, message) = match event {
            Event::Message(message) => ("message", message),
            Event::MessageChanged(message) => ("changed", message),
            Event::MessageGone { peer, seq } if self.json && self.wants(peer, false) => {
                return output::json(&json!({"event": "gone", peer::json_key(peer): peer.name(), "seq": seq}));
            }
            Event::Skipped { group, to_seq } if self.wants(&Peer::group_of(group), false) => {
                eprintln!(
                    "hongyan: #{group}: too many messages since the last run; `hongyan history` has those up to #{to_seq}"
                );
                return Ok(());
            }
            _ => return Ok(()),
        };
        if !self.wants(&message.peer, message.entry.own) {
            return Ok(());
        }
        self.print_message(name, message, me)
    }

    fn wants(&self, peer: &Peer, own: bool) -> bool {
        let is_wanted = match (&self.with, &self.group) {
            (Some(with), _) => peer.person() == Some(with),
            (None, Some(group)) => peer.group() == Some(group),
            (None, None) => true,
        };
        is_wanted && (self.own || !own)
    }

    fn print_message(&self, name: &str, message: &Message, me: &str) -> Result<(), Failure> {
        let Message { peer, entry } = message;
        if self.json {
            let mut object = entry::json_of(entry, peer, me);
            object["event"] = name.into();
            return output::json(&object);
        }
        let mark = if name == "changed" { "* " } else { "" };
        output::line(&format!("{mark}{}", entry::line(entry, peer, me, &TimeZone::system())))
    }
}

fn tell_broken(retry_in_ms: u64, reason: &BreakReason) {
    let why = match reason {
        BreakReason::Disconnected => "not connected".to_owned(),
        BreakReason::ConnectTimeout => "the server does not answer".to_owned(),
        BreakReason::Violation(violation) => format!("the connection broke ({violation:?})"),
        BreakReason::Refused(refusal) => format!("the server refused: {}", crate::text::clean(&refusal.text)),
        BreakReason::NoAnswer => "the server gave no answer".to_owned(),
        BreakReason::Goaway => "the server is closing".to_owned(),
    };
    eprintln!("hongyan: {why}; next attempt in {:.1} s", retry_in_ms as f64 / 1000.0);
}
