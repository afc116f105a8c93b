//! `hongyan conversations`: the conversation list, newest first.
#![allow(clippy::disallowed_methods, reason = "a shell: looks now and then whether the list is complete")]

use std::time::Duration;

use clap::Args;
use hongyan_client::{Client, ConversationRow, proto};
use jiff::tz::TimeZone;
use serde_json::{Value, json};

use crate::account::{Account, caught_up, drained, within};
use crate::failure::Failure;
use crate::place::Wait;
use crate::{entry, local_time, output, text};

/// Shown below the options.
pub const EXAMPLES: &str = "Examples:
  hongyan conversations --user alice
  hongyan conversations --user alice --json | jq -r 'select(.unread > 0) | .user'";

/// Between two looks at a list that is being read.
const LOOK_AGAIN: Duration = Duration::from_millis(20);
/// Columns of the last message.
const LAST_COLUMNS: usize = 60;

/// The arguments.
#[derive(Args, Debug)]
pub struct Conversations {
    /// Only those with unread messages
    #[arg(long)]
    unread: bool,
    /// Give up after so long
    #[arg(long, value_name = "SECONDS", default_value_t = 30)]
    timeout: u64,
    /// Print one JSON object per line
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    account: Account,
}

impl Conversations {
    /// Prints.
    pub async fn run(&self) -> Result<(), Failure> {
        let ready = self.account.ready(proto::Term::Bot, "history", Wait::Patiently).await?;
        let credential = ready.credential_or_ask()?;
        let (client, mut events) = ready.connect(credential).await?;
        let reading = async {
            caught_up(&mut events).await?;
            drained(&mut events, complete_list(&client)).await
        };
        let rows = within(self.timeout, "not read", reading).await.map_err(|failure| ready.explain(failure))?;
        let zone = TimeZone::system();
        for row in rows.iter().filter(|row| !self.unread || row.conversation.unread > 0) {
            if self.json {
                output::json(&json_of(&row.conversation, &ready.user))?;
            } else {
                output::line(&line(&row.conversation, &zone))?;
            }
        }
        Ok(())
    }
}

async fn complete_list(client: &Client) -> Result<Vec<ConversationRow>, Failure> {
    while !client.list_is_complete().await? {
        tokio::time::sleep(LOOK_AGAIN).await;
    }
    Ok(client.conversations().await?)
}

fn line(conversation: &proto::Conversation, zone: &TimeZone) -> String {
    let proto::Conversation { user, unread, last, blocked, .. } = conversation;
    let unread = if *unread > 0 { format!("({unread})") } else { String::new() };
    let blocked = if *blocked { " [blocked]" } else { "" };
    let Some(last) = last else { return format!("{} {unread:>6}{blocked}", text::pad(user, 20)) };
    let time = local_time::date_time(last.server_time_ms, zone);
    let words =
        if last.recalled { "[recalled]".into() } else { entry::body_words(last.r#type, &last.body, &last.text) };
    let words = text::truncate(&text::one_line(&words), LAST_COLUMNS);
    let from = if last.own { "→" } else { "←" };
    format!("{} {unread:>6} {time} {from} {words}{blocked}", text::pad(user, 20))
}

fn json_of(conversation: &proto::Conversation, me: &str) -> Value {
    let last = conversation.last.as_ref().map(|last| entry::json_of(last, &(&conversation.user).into(), me));
    json!({
        "user": conversation.user,
        "unread": conversation.unread,
        "head_seq": conversation.head_seq,
        "read_seq": conversation.read_seq,
        "peer_delivered_seq": conversation.peer_delivered_seq,
        "peer_read_seq": conversation.peer_read_seq,
        "blocked": conversation.blocked,
        "last": last,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn conversation() -> proto::Conversation {
        let body = "晚上\n吃饭吗".as_bytes().to_vec().into();
        let last = proto::Entry { seq: 9, body, server_time_ms: 1_762_041_600_000, ..Default::default() };
        proto::Conversation { user: "bob".into(), unread: 2, head_seq: 9, last: Some(last), ..Default::default() }
    }

    #[test]
    fn a_conversation_is_one_line() {
        let expected = "bob                     (2) 2025-11-02 00:00:00 ← 晚上 吃饭吗";
        assert_eq!(line(&conversation(), &TimeZone::UTC), expected);
        let empty = proto::Conversation { last: None, unread: 0, blocked: true, ..conversation() };
        assert_eq!(line(&empty, &TimeZone::UTC), "bob                         [blocked]");
    }

    #[test]
    fn json_holds_the_numbers() {
        let told = json_of(&conversation(), "alice");
        assert_eq!((&told["user"], &told["unread"], &told["last"]["from"]), (&"bob".into(), &2.into(), &"bob".into()));
    }
}
