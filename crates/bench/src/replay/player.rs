//! One user of a replay: a real client core, and the copy of all conversations that it was told.

use bytes::Bytes;
use hongyan_client::{
    Config, Core, Credential, Effect, Event, Keep, Link, Millis, Restored, SendState, new_message, proto,
};

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

/// A row of a copy, with the other person by name.
pub struct Told {
    /// The other person.
    pub user: String,
    /// Written by this client.
    pub own: bool,
    /// Its place in the conversation.
    pub seq: u64,
    /// What.
    pub text: Bytes,
}

/// A client whose state is in memory.
pub struct Player {
    core: Core,
    wish: Option<Wish>,
    /// Texts by `local` number, which counts up from the first.
    written: Vec<(u64, Bytes)>,
    told: Vec<Told>,
    /// Sessions continued by resume, and opened by login.
    pub resumes: u64,
    /// See [`Player::resumes`].
    pub logins: u64,
    /// Messages that the core gave up.
    pub failed: u64,
    /// Times that the server sent the client back to the beginning.
    pub resets: u64,
    /// Why the link will stay down.
    pub stopped: Option<String>,
}

impl Player {
    /// A client that is not started.
    pub fn new(stage: &Stage, number: u32, token: String) -> Self {
        let device_id = Bytes::from(format!("replay-{number}").into_bytes());
        let mut config = Config::new(stage.key, stage.app.clone(), Credential::Token(token), device_id);
        config.keep = Keep::Nothing;
        config.jitter_seed = u64::from(number);
        Self {
            core: Core::new(config, Restored::default()),
            wish: None,
            written: Vec::new(),
            told: Vec::new(),
            resumes: 0,
            logins: 0,
            failed: 0,
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
    pub fn send(&mut self, user: &str, text: Bytes, now: Millis, out: &mut Vec<u8>) -> Result<(), String> {
        let mut client_message_id = [0; 16];
        getrandom::fill(&mut client_message_id).map_err(|error| error.to_string())?;
        let message = new_message(user, client_message_id, proto::BodyType::Text, text.clone());
        let local = self.core.send(now, message, 0).map_err(|error| error.to_string())?;
        self.written.push((local, text));
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

    /// Everything this client was told, in order.
    pub fn told(&self) -> &[Told] {
        &self.told
    }

    /// Outputs in the order that the core asks for: effects, bytes, events.
    fn finish(&mut self, out: &mut Vec<u8>) {
        while let Some(effect) = self.core.poll_effect() {
            match effect {
                Effect::Connect { .. } => self.wish = Some(Wish::Connect),
                Effect::Disconnect => self.wish = Some(Wish::HangUp),
                Effect::Persist(_) => {}
            }
        }
        self.core.take_output(out);
        while let Some(event) = self.core.poll_event() {
            self.note(event);
        }
    }
}

impl Player {
    fn note(&mut self, event: Event) {
        match event {
            Event::Message(message) => {
                let proto::Entry { own, seq, body, .. } = message.entry;
                self.told.push(Told { user: message.user, own, seq, text: body });
            }
            Event::Outgoing(outgoing) => match outgoing.state {
                SendState::Stored { seq, .. } => self.stored(outgoing.local, outgoing.user, seq),
                SendState::Failed { .. } => self.failed += 1,
                SendState::Queued => {}
            },
            Event::LoggedIn { resumed: true, .. } => self.resumes += 1,
            Event::LoggedIn { resumed: false, .. } => self.logins += 1,
            Event::Reset => self.resets += 1,
            Event::Link(Link::Stopped(reason)) => self.stopped = Some(format!("{reason:?}")),
            _ => {}
        }
    }

    fn stored(&mut self, local: u64, user: String, seq: u64) {
        // A message that was never written has no text, and the comparison will say so.
        let place = self.written.binary_search_by_key(&local, |(local, _)| *local);
        let text = place.map(|place| self.written[place].1.clone()).unwrap_or_default();
        self.told.push(Told { user, own: true, seq, text });
    }
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
