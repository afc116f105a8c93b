//! `hongyan search`: messages that have these words in them, newest first, in all conversations or in one. Asks the server;
//! nothing is marked as read.

use clap::Args;
use hongyan_client::{Client, Peer, proto};
use jiff::tz::TimeZone;
use serde_json::{Value, json};

use crate::account::{Account, caught_up, drained, within};
use crate::failure::Failure;
use crate::place::Wait;
use crate::{entry, output};

/// Shown below the options.
pub const EXAMPLES: &str = "Examples:
  hongyan search --user alice 晚上
  hongyan search --user alice --with bob milk bread
  hongyan search --user alice --limit 200 --json invoice | jq -r .text

All words must occur, in any order. Words of scripts with spaces are found whole.";

/// Messages of one run.
const LIMIT_MAX: u32 = 1_000;
/// Messages asked for at once.
const PAGE: u32 = 50;

/// The arguments.
#[derive(Args, Debug)]
pub struct Search {
    /// What to look for
    #[arg(required = true, value_name = "WORDS")]
    words: Vec<String>,
    /// Only in the conversation with this person
    #[arg(long, value_name = "NAME")]
    with: Option<String>,
    /// At most so many
    #[arg(long, value_name = "N", default_value_t = 20, value_parser = clap::value_parser!(u32).range(1..=LIMIT_MAX as i64))]
    limit: u32,
    /// Give up after so long
    #[arg(long, value_name = "SECONDS", default_value_t = 30)]
    timeout: u64,
    /// Print one JSON object per line
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    account: Account,
}

impl Search {
    /// Prints.
    pub async fn run(&self) -> Result<(), Failure> {
        let ready = self.account.ready(proto::Term::Bot, "history", Wait::Patiently).await?;
        let credential = ready.credential_or_ask()?;
        let (client, mut events) = ready.connect(credential).await?;
        let reading = async {
            caught_up(&mut events).await?;
            drained(&mut events, self.collect(&client)).await
        };
        let found = within(self.timeout, "not read", reading).await.map_err(|failure| ready.explain(failure))?;
        let zone = TimeZone::system();
        for found in &found {
            let Some(entry) = &found.entry else { continue };
            if self.json {
                output::json(&json_of(found, entry, &ready.user))?;
            } else {
                output::line(&entry::line(entry, &Peer::Person(found.user.clone()), &ready.user, &zone))?;
            }
        }
        Ok(())
    }

    async fn collect(&self, client: &Client) -> Result<Vec<proto::FoundMessage>, Failure> {
        let mut found = Vec::new();
        let mut request = proto::SearchRequest {
            query: self.words.join(" "),
            user: self.with.clone().unwrap_or_default(),
            ..proto::SearchRequest::default()
        };
        loop {
            request.limit = PAGE.min(self.limit - found.len() as u32);
            let answer = client.search(request.clone()).await?;
            found.extend(answer.messages);
            if answer.next == 0 || found.len() >= self.limit as usize {
                return Ok(found);
            }
            request.before = answer.next;
        }
    }
}

fn json_of(found: &proto::FoundMessage, entry: &proto::Entry, me: &str) -> Value {
    let mut object = entry::json_of(entry, &Peer::Person(found.user.clone()), me);
    let ranges = found.ranges.iter().map(|range| json!([range.start, range.length]));
    object["ranges"] = ranges.collect();
    object
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn json_tells_what_matches() {
        let body = "明天晚上".as_bytes().to_vec().into();
        let entry = proto::Entry { seq: 9, body, ..Default::default() };
        let ranges = vec![proto::TextRange { start: 6, length: 6 }];
        let found = proto::FoundMessage { user: "bob".into(), entry: Some(entry.clone()), ranges };
        let told = json_of(&found, &entry, "alice");
        assert_eq!((&told["conversation"], &told["ranges"]), (&"bob".into(), &json!([[6, 6]])));
    }
}
