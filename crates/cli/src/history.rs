//! `hongyan history`: messages of one conversation, oldest first. Pages come from this device's store where it holds
//! them, otherwise from the server; nothing is marked as read.

use clap::Args;
use hongyan_client::{Client, HistoryPage, MessageRange, Peer, proto};
use jiff::tz::TimeZone;

use crate::account::{Account, caught_up, drained, within};
use crate::failure::Failure;
use crate::place::Wait;
use crate::{entry, output, peer};

/// Shown below the options.
pub const EXAMPLES: &str = "Examples:
  hongyan history --user alice --with bob
  hongyan history --user alice --with bob --before 120 --limit 20
  hongyan history --user alice --group spring
  hongyan history --user alice --with bob --limit 10000 --json | jq -r .text

Messages are numbered; the numbers of edits, recalls and reactions are missing in between.";

/// Messages of one run.
const LIMIT_MAX: u32 = 10_000;
/// Messages asked for at once.
const PAGE: u32 = 100;

/// The arguments.
#[derive(Args, Debug)]
pub struct History {
    /// The other person of the conversation
    #[arg(long, value_name = "NAME", required_unless_present = "group")]
    with: Option<String>,
    /// The group, instead of a person
    #[arg(long, value_name = "GROUP", conflicts_with = "with")]
    group: Option<String>,
    /// Only messages below this number: the newest of those
    #[arg(long, value_name = "N", conflicts_with = "after")]
    before: Option<u64>,
    /// Only messages above this number: the oldest of those
    #[arg(long, value_name = "N")]
    after: Option<u64>,
    /// At most so many
    #[arg(long, value_name = "N", default_value_t = 50, value_parser = clap::value_parser!(u32).range(1..=LIMIT_MAX as i64))]
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

impl History {
    fn peer(&self) -> Result<Peer, Failure> {
        peer::named(self.with.as_deref(), self.group.as_deref()).map_err(Failure::other)
    }

    /// Prints.
    pub async fn run(&self) -> Result<(), Failure> {
        let peer = self.peer()?;
        let ready = self.account.ready(proto::Term::Bot, "history", Wait::Patiently).await?;
        let credential = ready.credential_or_ask()?;
        let (client, mut events) = ready.connect(credential).await?;
        let reading = async {
            // What this device holds is all there is only once it has caught up.
            caught_up(&mut events).await?;
            drained(&mut events, self.collect(&client, &peer)).await
        };
        let entries = within(self.timeout, "not read", reading).await.map_err(|failure| ready.explain(failure))?;
        let zone = TimeZone::system();
        for entry in &entries {
            if self.json {
                output::json(&entry::json_of(entry, &peer, &ready.user))?;
            } else {
                output::line(&entry::line(entry, &peer, &ready.user, &zone))?;
            }
        }
        Ok(())
    }

    async fn collect(&self, client: &Client, peer: &Peer) -> Result<Vec<proto::Entry>, Failure> {
        let mut entries = Vec::new();
        let mut page = HistoryPage {
            before_seq: self.before.unwrap_or(0),
            after_seq: self.after.unwrap_or(0),
            limit: PAGE.min(self.limit),
        };
        let forwards = self.after.is_some();
        // Below 1 there is nothing, and 0 would mean no bound; above 0 is everything.
        if self.before.is_some_and(|before| before <= 1) {
            return Ok(entries);
        }
        loop {
            let range = client.history(peer, page).await?;
            let next = next_page(&range, page, forwards);
            if forwards {
                entries.extend(range.entries);
            } else {
                entries.splice(0..0, range.entries);
            }
            let wanted = self.limit as usize;
            if entries.len() >= wanted {
                let surplus = entries.len() - wanted;
                if forwards {
                    entries.truncate(wanted)
                } else {
                    drop(entries.drain(..surplus))
                }
                return Ok(entries);
            }
            match next {
                Some(next) => page = next,
                None => return Ok(entries),
            }
        }
    }
}

/// Where to go on, if there may be more.
fn next_page(range: &MessageRange, page: HistoryPage, forwards: bool) -> Option<HistoryPage> {
    let covered = range.covered?;
    if forwards {
        return (covered.to > page.after_seq).then_some(HistoryPage { after_seq: covered.to, ..page });
    }
    (covered.from > range.low_seq.max(1)).then_some(HistoryPage { before_seq: covered.from, ..page })
}

#[cfg(test)]
mod tests {
    use hongyan_client::Range;

    use super::*;

    fn range(from: u64, to: u64, low_seq: u64) -> MessageRange {
        let entries = vec![proto::Entry { seq: to, ..Default::default() }];
        MessageRange { entries, complete: true, covered: Some(Range { from, to }), low_seq }
    }

    #[test]
    fn backwards_ends_at_the_lowest_message() {
        let page = HistoryPage { limit: 100, ..Default::default() };
        assert_eq!(next_page(&range(50, 99, 1), page, false), Some(HistoryPage { before_seq: 50, ..page }));
        assert_eq!(next_page(&range(1, 49, 1), page, false), None);
        assert_eq!(next_page(&range(20, 49, 20), page, false), None);
        assert_eq!(next_page(&MessageRange { covered: None, ..range(1, 1, 1) }, page, false), None);
        let only_changes = MessageRange { entries: Vec::new(), ..range(50, 99, 1) };
        assert_eq!(next_page(&only_changes, page, false), Some(HistoryPage { before_seq: 50, ..page }));
    }

    #[test]
    fn forwards_ends_at_the_head() {
        let page = HistoryPage { after_seq: 7, limit: 100, ..Default::default() };
        assert_eq!(next_page(&range(8, 99, 1), page, true), Some(HistoryPage { after_seq: 99, ..page }));
        let end = MessageRange { entries: Vec::new(), covered: None, ..range(8, 99, 1) };
        assert_eq!(next_page(&end, page, true), None);
    }
}
