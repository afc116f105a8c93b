//! `hongyan send`: one message, confirmed. It goes through this device's outbox, so that it is neither lost nor doubled
//! when the connection breaks; resending is the SDK's work.
#![allow(clippy::disallowed_methods, reason = "a shell: draws the id of the message")]

use std::io::Read;

use anyhow::{Context, Result, anyhow};
use clap::{Args, ValueEnum};
use hongyan_client::{
    Client, ClientError, Event, Events, Link, OutboxState, Outgoing, Peer, SendState, new_message, proto,
};
use serde_json::json;

use crate::account::{Account, within};
use crate::entry::hex;
use crate::failure::Failure;
use crate::place::Wait;
use crate::{output, peer};

/// Shown below the options.
pub const EXAMPLES: &str = "Examples:
  hongyan send --user alice --to bob 'Lunch at noon?'
  hongyan send --user alice --group spring --mention bob 'Who brings the tea?'
  df -h | hongyan send --user alice --to bob --wait delivered --timeout 60
  hongyan send --user alice --to bob --id $(openssl rand -hex 16) 'At most once, however often I run this'

The password is asked for at the first use, or read from HONGYAN_PASSWORD or --password-file; later the device's session
is resumed. If the command ends before the server has answered (exit code 5), the message stays in the outbox of this
device and goes out with its next `hongyan send`.";

/// Longest text.
const TEXT_BYTES_MAX: u64 = 16_384;

/// What must have happened to the message before the command ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, ValueEnum)]
pub enum Until {
    /// The server keeps it
    Sent,
    /// It has reached a device of the addressee
    Delivered,
    /// The addressee has read it
    Read,
}

impl Until {
    fn name(self) -> &'static str {
        match self {
            Self::Sent => "sent",
            Self::Delivered => "delivered",
            Self::Read => "read",
        }
    }
}

/// The arguments.
#[derive(Args, Debug)]
pub struct Send {
    /// The text; standard input if it is missing or "-"
    text: Option<String>,
    /// Who gets it
    #[arg(long, value_name = "NAME", required_unless_present = "group")]
    to: Option<String>,
    /// The group that gets it, instead of a person
    #[arg(long, value_name = "GROUP", conflicts_with = "to")]
    group: Option<String>,
    /// With --group: who is spoken to; may be repeated
    #[arg(long, value_name = "NAME", requires = "group", conflicts_with = "to")]
    mention: Vec<String>,
    /// Number of the message of that conversation that is answered
    #[arg(long, value_name = "N")]
    reply_to: Option<u64>,
    /// No sound and no push
    #[arg(long)]
    silent: bool,
    /// Id of the message, 32 hexadecimal digits: running the command again with it sends nothing twice
    #[arg(long, value_name = "HEX")]
    id: Option<String>,
    /// What to wait for
    #[arg(long, value_enum, default_value = "sent")]
    wait: Until,
    /// Give up waiting after so long
    #[arg(long, value_name = "SECONDS", default_value_t = 30)]
    timeout: u64,
    /// Print JSON
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    account: Account,
}

impl Send {
    /// Sends.
    pub async fn run(&self) -> Result<(), Failure> {
        let peer = peer::named(self.to.as_deref(), self.group.as_deref()).map_err(Failure::other)?;
        if peer.group().is_some() && self.wait != Until::Sent {
            return Err(Failure::other("--wait: only what one person gets can be waited for; groups count"));
        }
        let message = self.message(&peer)?;
        let ready = self.account.ready(proto::Term::Bot, "send", Wait::Patiently).await?;
        let credential = ready.credential_or_ask()?;
        let (client, mut events) = ready.connect(credential).await?;
        let mut progress = Progress::new(peer.person().unwrap_or_default(), &message.client_message_id, self.wait);
        let waiting = self.send_and_wait(&client, &mut events, message, &mut progress);
        let result = within(self.timeout, "not", waiting).await;
        match result {
            Err(Failure::Late(_)) if progress.reached.is_some() => {
                self.print(&peer, &progress)?;
                let text = format!("sent, but not {} within {} s", self.wait.name(), self.timeout);
                Err(Failure::Late(text))
            }
            Err(Failure::Late(_)) => Err(Failure::Late(format!(
                "not confirmed within {} s; the message stays in the outbox and goes out with the next `hongyan send` of \
                 this device",
                self.timeout
            ))),
            Err(failure) => Err(ready.explain(failure)),
            Ok(()) => self.print(&peer, &progress),
        }
    }

    fn message(&self, peer: &Peer) -> Result<proto::SendRequest> {
        let text = match self.text.as_deref() {
            Some(text) if text != "-" => text.to_owned(),
            _ => {
                let mut text = String::new();
                let mut input = std::io::stdin().lock().take(TEXT_BYTES_MAX + 2);
                input.read_to_string(&mut text).context("reading the text from standard input")?;
                text.trim_end_matches(['\r', '\n']).to_owned()
            }
        };
        if text.is_empty() || text.len() as u64 > TEXT_BYTES_MAX {
            return Err(anyhow!("the text must be 1 to {TEXT_BYTES_MAX} bytes of UTF-8"));
        }
        let id = match &self.id {
            Some(hex) => id_of(hex).ok_or_else(|| anyhow!("--id: 32 hexadecimal digits"))?,
            None => {
                let mut id = [0; 16];
                getrandom::fill(&mut id).map_err(|_| anyhow!("the system gives no randomness"))?;
                id
            }
        };
        let message = new_message(peer, id, proto::BodyType::Text, text);
        let (reply_to, mentions) = (self.reply_to.unwrap_or(0), self.mention.clone());
        Ok(proto::SendRequest { reply_to, mentions, silent: self.silent, ..message })
    }

    async fn send_and_wait(
        &self,
        client: &Client,
        events: &mut Events,
        message: proto::SendRequest,
        progress: &mut Progress,
    ) -> Result<(), Failure> {
        // Events must be taken while the call runs: a client whose events nobody takes does nothing else, either.
        let queue = queue(client, message);
        tokio::pin!(queue);
        let mut queued = false;
        while !progress.is_done() {
            tokio::select! {
                result = &mut queue, if !queued => {
                    result?;
                    queued = true;
                }
                event = events.next() => {
                    let event = event.ok_or_else(|| Failure::other("the client has ended"))?;
                    if let Some(local) = progress.note(event)? {
                        // Its refusal is told now; what stays failed in the outbox would be told again each time.
                        let refusal = progress.refusal.take();
                        client.discard(local).await?;
                        return Err(ClientError::NotSent(refusal).into());
                    }
                }
            }
        }
        Ok(())
    }

    fn print(&self, peer: &Peer, progress: &Progress) -> Result<(), Failure> {
        let reached = progress.reached.map_or("queued", Until::name);
        if !self.json {
            return output::line(&format!("#{} {reached}", progress.seq));
        }
        output::json(&json!({
            peer::json_key(peer): peer.name(),
            "seq": progress.seq,
            "client_message_id": hex(&progress.client_message_id),
            "time_ms": progress.server_time_ms,
            "stored_offline": progress.stored_offline,
            "state": reached,
        }))
    }
}

/// Puts the message into the outbox, unless an earlier run has done so.
async fn queue(client: &Client, message: proto::SendRequest) -> Result<(), Failure> {
    let id = &message.client_message_id;
    let known = client.outbox().await?.into_iter().find(|row| row.request.client_message_id == *id);
    match known {
        Some(row) if matches!(row.state, OutboxState::Failed { .. }) => drop(client.resend(row.local).await?),
        Some(_) => {}
        None => drop(client.send(message).await?),
    }
    Ok(())
}

fn id_of(hex: &str) -> Option<[u8; 16]> {
    if hex.len() != 32 || !hex.bytes().all(|digit| digit.is_ascii_hexdigit()) {
        return None;
    }
    u128::from_str_radix(hex, 16).ok().map(u128::to_be_bytes)
}

/// How far the message is, by the events so far.
struct Progress {
    to: String,
    client_message_id: Vec<u8>,
    until: Until,
    seq: u64,
    server_time_ms: u64,
    stored_offline: bool,
    delivered_seq: u64,
    read_seq: u64,
    reached: Option<Until>,
    refusal: Option<proto::Refusal>,
}

impl Progress {
    fn new(to: &str, client_message_id: &[u8], until: Until) -> Self {
        Self {
            to: to.to_owned(),
            client_message_id: client_message_id.to_vec(),
            until,
            seq: 0,
            server_time_ms: 0,
            stored_offline: false,
            delivered_seq: 0,
            read_seq: 0,
            reached: None,
            refusal: None,
        }
    }

    fn is_done(&self) -> bool {
        self.reached >= Some(self.until)
    }

    /// The outbox row to discard, if the message was refused.
    fn note(&mut self, event: Event) -> Result<Option<u64>, Failure> {
        match event {
            Event::Link(Link::Stopped(reason)) => return Err(reason.into()),
            Event::Outgoing(Outgoing { local, client_message_id, state, .. })
                if client_message_id == self.client_message_id =>
            {
                match state {
                    SendState::Queued => {}
                    SendState::Stored { seq, server_time_ms, stored_offline } => {
                        (self.seq, self.server_time_ms, self.stored_offline) = (seq, server_time_ms, stored_offline);
                        self.reached = self.reached.max(Some(Until::Sent));
                    }
                    SendState::Failed { refusal } => {
                        self.refusal = refusal;
                        return Ok(Some(local));
                    }
                }
            }
            Event::Receipt { user, delivered_seq, read_seq } if user == self.to => {
                self.delivered_seq = self.delivered_seq.max(delivered_seq);
                self.read_seq = self.read_seq.max(read_seq);
            }
            _ => {}
        }
        // A receipt may overtake the answer it belongs to.
        if self.seq > 0 && self.delivered_seq >= self.seq {
            self.reached = self.reached.max(Some(Until::Delivered));
        }
        if self.seq > 0 && self.read_seq >= self.seq {
            self.reached = self.reached.max(Some(Until::Read));
        }
        Ok(None)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn stored(id: u8) -> Event {
        let state = SendState::Stored { seq: 5, server_time_ms: 1, stored_offline: false };
        let client_message_id = vec![id; 16].into();
        Event::Outgoing(Outgoing { local: 3, client_message_id, peer: "bob".into(), state })
    }

    fn receipt(user: &str, delivered_seq: u64, read_seq: u64) -> Event {
        Event::Receipt { user: user.into(), delivered_seq, read_seq }
    }

    #[test]
    fn waiting_ends_with_what_was_waited_for() {
        let mut progress = Progress::new("bob", &[1; 16], Until::Delivered);
        progress.note(stored(2)).unwrap();
        assert_eq!(progress.reached, None, "another message");
        progress.note(stored(1)).unwrap();
        assert_eq!((progress.reached, progress.is_done()), (Some(Until::Sent), false));
        progress.note(receipt("bob", 4, 4)).unwrap();
        progress.note(receipt("carol", 5, 5)).unwrap();
        assert!(!progress.is_done());
        progress.note(receipt("bob", 5, 0)).unwrap();
        assert!(progress.is_done());
    }

    #[test]
    fn a_receipt_may_come_before_the_answer() {
        let mut progress = Progress::new("bob", &[1; 16], Until::Read);
        progress.note(receipt("bob", 5, 5)).unwrap();
        assert_eq!(progress.reached, None);
        progress.note(stored(1)).unwrap();
        assert!(progress.is_done());
    }

    #[test]
    fn a_refusal_names_the_row_to_discard() {
        let mut progress = Progress::new("bob", &[1; 16], Until::Sent);
        let state = SendState::Failed { refusal: None };
        let client_message_id = vec![1; 16].into();
        let failed = Event::Outgoing(Outgoing { local: 3, client_message_id, peer: "bob".into(), state });
        assert_eq!(progress.note(failed).unwrap(), Some(3));
    }

    #[test]
    fn ids_are_sixteen_bytes() {
        assert_eq!(id_of("000102030405060708090a0b0c0d0E0f"), Some(std::array::from_fn(|at| at as u8)));
        assert_eq!(id_of("00"), None);
        assert_eq!(id_of(&"+0".repeat(16)), None);
    }
}
