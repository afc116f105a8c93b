//! One user of a replay: a real client core, and what it sees. Its state is in memory; a message's id is at the start of
//! its body, because a receiver is not told it otherwise.

use bytes::Bytes;
use hongyan_checker::{Event as Seen, MessageId, digest};
use hongyan_client::{
    Config, Core, Credential, Effect, Event, Keep, Link, Millis, Restored, Row, SendState, new_message, proto,
};

use super::history::Shared;

use crate::puppet::Stage;
use crate::swarm::Machine;

/// What the core wants of its socket.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Wish {
    /// Dial.
    Connect,
    /// Close.
    HangUp,
}

/// Bytes of the id before the text of every body.
const ID_BYTES: usize = 16;

/// A client whose state is in memory.
pub struct Player {
    core: Core,
    wish: Option<Wish>,
    number: u32,
    history: Shared,
    /// Messages that it shows, its own ones from their acknowledgement on.
    pub rows: u64,
    /// Sessions continued by resume, and opened by login.
    pub resumes: u64,
    /// See [`Player::resumes`].
    pub logins: u64,
    /// Times that the server sent the client back to the beginning.
    pub resets: u64,
    /// Why the link will stay down.
    pub stopped: Option<String>,
}

impl Player {
    /// A client that is not started.
    pub fn new(stage: &Stage, number: u32, token: String, history: Shared) -> Self {
        let device_id = Bytes::from(format!("replay-{number}").into_bytes());
        let mut config = Config::new(stage.key, stage.app.clone(), Credential::Token(token), device_id);
        config.keep = Keep::Messages;
        config.jitter_seed = u64::from(number);
        Self {
            core: Core::new(config, Restored::default()),
            wish: None,
            number,
            history,
            rows: 0,
            resumes: 0,
            logins: 0,
            resets: 0,
            stopped: None,
        }
    }

    /// Wants to be connected from now on.
    pub fn start(&mut self, now: Millis, out: &mut Vec<u8>) {
        self.core.start(now);
        self.finish(out);
    }

    /// Writes to somebody.
    pub fn send(&mut self, user: &str, text: &str, now: Millis, out: &mut Vec<u8>) -> Result<(), String> {
        let mut client_message_id = [0; ID_BYTES];
        getrandom::fill(&mut client_message_id).map_err(|error| error.to_string())?;
        let body = [&client_message_id[..], text.as_bytes()].concat();
        let digest = digest(&body);
        let message = new_message(user, client_message_id, proto::BodyType::Custom, body);
        self.core.send(now, message, 0).map_err(|error| error.to_string())?;
        let (device, id) = (self.number, MessageId::from_be_bytes(client_message_id));
        let to = self.history.borrow().user(user);
        self.saw(Seen::Send { device, to, id, digest });
        self.finish(out);
        Ok(())
    }

    /// Timers.
    pub fn tick(&mut self, now: Millis, out: &mut Vec<u8>) {
        if self.core.deadline().is_some_and(|deadline| deadline <= now) {
            self.core.timeout(now);
            self.finish(out);
        }
    }

    /// What the core wants of its socket.
    pub fn take_wish(&mut self) -> Option<Wish> {
        self.wish.take()
    }

    /// A session is open.
    pub fn is_live(&self) -> bool {
        self.core.link().is_live()
    }

    /// Messages the server has not confirmed.
    pub fn unsent(&self) -> usize {
        self.core.unsent()
    }

    /// Notes the lines of its conversation list.
    pub fn tell_unread(&self) {
        let history = &self.history;
        for row in self.core.conversations() {
            let peer = history.borrow().user(&row.conversation.user);
            let (device, read_seq, unread) = (self.number, row.conversation.read_seq, row.conversation.unread);
            self.saw(Seen::Unread { device, peer, read_seq, unread });
        }
    }

    fn saw(&self, seen: Seen) {
        self.history.borrow_mut().saw(seen);
    }

    /// Outputs in the order that the core asks for: effects, bytes, events.
    fn finish(&mut self, out: &mut Vec<u8>) {
        while let Some(effect) = self.core.poll_effect() {
            match effect {
                Effect::Connect { .. } => self.wish = Some(Wish::Connect),
                Effect::Disconnect => self.wish = Some(Wish::HangUp),
                Effect::Persist(rows) => self.kept(&rows),
            }
        }
        self.core.take_output(out);
        while let Some(event) = self.core.poll_event() {
            self.note(event);
        }
    }
}

impl Player {
    fn kept(&self, rows: &[Row]) {
        for row in rows {
            if let Row::Inbox(position) = row {
                let (log_epoch, inbox) = (position.log_epoch, position.cursor);
                self.saw(Seen::Cursor { device: self.number, log_epoch, inbox });
            }
        }
    }

    fn note(&mut self, event: Event) {
        let device = self.number;
        let peer = |user: &str| self.history.borrow().user(user);
        let seen = match event {
            Event::Message(message) => {
                let proto::Entry { own, seq, body, .. } = message.entry;
                self.rows += 1;
                Seen::Shown {
                    device,
                    peer: peer(message.peer.name()),
                    own,
                    seq,
                    id: id_of(&body),
                    digest: digest(&body),
                }
            }
            Event::Outgoing(outgoing) => {
                let (to, id) = (peer(outgoing.peer.name()), id_of(&outgoing.client_message_id));
                match outgoing.state {
                    SendState::Stored { seq, .. } => {
                        self.rows += 1;
                        Seen::Acked { device, to, id, seq }
                    }
                    SendState::Failed { refusal } => Seen::Failed { device, to, id, refused: refusal.is_some() },
                    SendState::Queued => return,
                }
            }
            Event::Receipt { user, delivered_seq, read_seq } => {
                Seen::Receipt { device, peer: peer(&user), delivered_seq, read_seq }
            }
            Event::LoggedIn { resumed, .. } => {
                *(if resumed { &mut self.resumes } else { &mut self.logins }) += 1;
                Seen::Live { device, resumed }
            }
            Event::Reset => {
                self.resets += 1;
                Seen::Reset { device }
            }
            Event::Link(Link::Broken { .. }) => Seen::Offline { device },
            Event::Link(Link::Stopped(reason)) => {
                let reason = format!("{reason:?}");
                self.stopped = Some(reason.clone());
                Seen::Stopped { device, reason }
            }
            _ => return,
        };
        self.saw(seen);
    }
}

/// What a body begins with; 0, which nobody wrote, if it is too short.
fn id_of(body: &[u8]) -> MessageId {
    body.first_chunk::<ID_BYTES>().map_or(0, |id| MessageId::from_be_bytes(*id))
}

impl Machine for Player {
    fn connected(&mut self, now: Millis, out: &mut Vec<u8>) {
        let mut ephemeral = [0; 32];
        getrandom::fill(&mut ephemeral).expect("the system gives randomness");
        self.core.connected(now, ephemeral);
        self.finish(out);
    }

    fn received(&mut self, now: Millis, bytes: &[u8], out: &mut Vec<u8>) {
        self.core.received(now, bytes);
        self.finish(out);
    }

    fn disconnected(&mut self, now: Millis) {
        self.core.disconnected(now);
        self.finish(&mut Vec::new());
    }

    fn wants_hang_up(&mut self) -> bool {
        let wanted = self.wish == Some(Wish::HangUp);
        if wanted {
            self.wish = None;
        }
        wanted
    }
}
