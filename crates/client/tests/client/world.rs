//! Named clients on a stage with a virtual clock: their cores, their stores, and the lines between them and the server.

use std::collections::{BTreeMap, BTreeSet};

use bytes::Bytes;
use hongyan_client::{
    Config, Core, Credential, Effect, Event, Link, Message, Millis, OutboxState, Peer, Range, Request, SendState,
    Store, new_message, proto,
};

use crate::server::{LineId, Server};

/// One device of a user.
pub struct Actor {
    pub name: String,
    config: Config,
    pub core: Core,
    pub store: Store,
    line: Option<LineId>,
    out: Vec<u8>,
    /// Everything that was told, across restarts.
    pub told: Vec<Event>,
    shown: BTreeSet<(Peer, u64)>,
    last_shown: BTreeMap<Peer, u64>,
    highest_receipt: BTreeMap<String, (u64, u64)>,
    written: u64,
    pub dials_fail: bool,
    pub gates_dialled: Vec<String>,
    /// Dies before the next rows of this kind are kept.
    pub die_before_keeping_messages: bool,
    pub died: bool,
}

pub struct World {
    pub now: Millis,
    pub server: Server,
    pub actors: Vec<Actor>,
    next_ephemeral: u64,
}

impl World {
    pub fn new(names: &[&str]) -> Self {
        let mut world = Self { now: Millis(1_000_000), server: Server::new(), actors: Vec::new(), next_ephemeral: 0 };
        for name in names {
            world.add(name, proto::Term::Pc);
        }
        world
    }

    /// Adds a device of a user; the actor's number is returned.
    pub fn add(&mut self, name: &str, term: proto::Term) -> usize {
        let number = self.actors.len();
        let device = Bytes::copy_from_slice(&[number as u8 + 1; 8]);
        let mut config = Config::new(self.server.public_key(), "app", Credential::Token(name.to_owned()), device);
        config.term = term;
        config.sync_entries = 7;
        config.jitter_seed = number as u64;
        let store = Store::in_memory().unwrap();
        let mut core = Core::new(config.clone(), store.restore().unwrap());
        core.start(self.now);
        self.actors.push(Actor {
            name: name.to_owned(),
            config,
            core,
            store,
            line: None,
            out: Vec::new(),
            told: Vec::new(),
            shown: BTreeSet::new(),
            last_shown: BTreeMap::new(),
            highest_receipt: BTreeMap::new(),
            written: 0,
            dials_fail: false,
            gates_dialled: Vec::new(),
            die_before_keeping_messages: false,
            died: false,
        });
        number
    }

    pub fn send(&mut self, actor: usize, to: impl Into<Peer>, text: &str) -> u64 {
        self.reply(actor, to, text, 0)
    }

    /// Sends a message whose author had everything up to `seen_seq` on screen.
    pub fn reply(&mut self, actor: usize, to: impl Into<Peer>, text: &str, seen_seq: u64) -> u64 {
        let now = self.now;
        let actor = &mut self.actors[actor];
        actor.written += 1;
        let mut client_message_id = [0; 16];
        client_message_id[..8].copy_from_slice(&actor.written.to_be_bytes());
        client_message_id[8..].copy_from_slice(&actor.config.device_id);
        let message = new_message(to, client_message_id, proto::BodyType::Text, text.to_owned());
        let message = proto::SendRequest { seen_seq, ..message };
        actor.core.send(now, message, 0).unwrap()
    }

    pub fn request(&mut self, actor: usize, token: u64, request: Request) {
        let now = self.now;
        self.actors[actor].core.request(now, token, request);
    }

    /// The process dies and starts again from its store.
    pub fn restart(&mut self, actor: usize) {
        let now = self.now;
        let actor = &mut self.actors[actor];
        if let Some(line) = actor.line.take() {
            self.server.close(line);
        }
        actor.out.clear();
        actor.config.jitter_seed += 1000;
        actor.core = Core::new(actor.config.clone(), actor.store.restore().unwrap());
        actor.core.start(now);
    }

    /// Lets everything happen that needs no time.
    pub fn settle(&mut self) {
        for _ in 0..100_000 {
            let mut moved = false;
            for actor in 0..self.actors.len() {
                moved |= self.turn(actor);
            }
            if !moved {
                return;
            }
        }
        panic!("the play does not come to rest");
    }

    fn turn(&mut self, number: usize) -> bool {
        let now = self.now;
        let actor = &mut self.actors[number];
        let mut moved = false;
        while let Some(effect) = actor.core.poll_effect() {
            moved = true;
            match effect {
                Effect::Persist(rows) => {
                    let kept = rows.iter().any(|row| matches!(row, hongyan_client::Row::Message { .. }));
                    if actor.die_before_keeping_messages && kept {
                        actor.die_before_keeping_messages = false;
                        actor.died = true;
                        self.restart(number);
                        return true;
                    }
                    actor.store.apply(&rows).unwrap();
                }
                Effect::Connect { .. } if actor.dials_fail => actor.core.disconnected(now),
                Effect::Connect { gate } => {
                    actor.gates_dialled.extend(gate);
                    actor.line = Some(self.server.accept(now));
                    self.next_ephemeral += 1;
                    let mut ephemeral = [9; 32];
                    ephemeral[..8].copy_from_slice(&self.next_ephemeral.to_be_bytes());
                    actor.core.connected(now, ephemeral);
                }
                Effect::Disconnect => {
                    actor.out.clear();
                    if let Some(line) = actor.line.take() {
                        self.server.close(line);
                    }
                }
            }
        }
        actor.core.take_output(&mut actor.out);
        while let Some(event) = actor.core.poll_event() {
            actor.hear(event);
        }
        let Some(line) = actor.line else { return moved };
        let bytes = std::mem::take(&mut actor.out);
        moved |= !bytes.is_empty();
        self.server.receive(now, line, &bytes);
        let (bytes, open) = self.server.take_output(line);
        if !bytes.is_empty() {
            moved = true;
            actor.core.received(now, &bytes);
        }
        if !open {
            moved = true;
            self.server.close(line);
            if actor.line.take().is_some() {
                actor.core.disconnected(now);
            }
        }
        moved
    }

    /// Lets time pass, stopping at every deadline.
    pub fn pass(&mut self, millis: u64) {
        let end = self.now + Millis(millis);
        self.settle();
        while let Some(next) = self.actors.iter().filter_map(|actor| actor.core.deadline()).min() {
            if next > end {
                break;
            }
            self.now = next.max(self.now);
            for actor in &mut self.actors {
                if actor.core.deadline().is_some_and(|deadline| deadline <= self.now) {
                    let before = actor.core.deadline();
                    actor.core.timeout(self.now);
                    let after = actor.core.deadline();
                    assert!(after.is_none_or(|after| after > self.now) || after != before, "a timer must move on");
                }
            }
            self.settle();
        }
        self.now = end;
        self.settle();
    }
}

impl Actor {
    fn hear(&mut self, event: Event) {
        match &event {
            Event::Message(Message { peer, entry }) => {
                assert!(self.shown.insert((peer.clone(), entry.seq)), "{} shows {} twice", self.name, entry.seq);
                if !entry.own {
                    let last = self.last_shown.entry(peer.clone()).or_default();
                    assert!(*last < entry.seq, "{} shows {} after {last}", self.name, entry.seq);
                    *last = entry.seq;
                }
            }
            Event::Outgoing(outgoing) => {
                if let SendState::Stored { seq, .. } = outgoing.state {
                    let first = self.shown.insert((outgoing.peer.clone(), seq));
                    assert!(first, "{} shows its own {seq} twice", self.name);
                }
            }
            // Of a log that has another life since, what lies above has other numbers.
            Event::Skipped { group, to_seq } => {
                let peer = Peer::group_of(group);
                self.shown.retain(|(of, seq)| *of != peer || seq <= to_seq);
                self.last_shown.insert(peer, *to_seq);
            }
            Event::Receipt { user, delivered_seq, read_seq } => {
                let known = self.highest_receipt.entry(user.clone()).or_default();
                assert!(*delivered_seq >= known.0 && *read_seq >= known.1, "receipts never go down");
                *known = (*delivered_seq, *read_seq);
            }
            _ => {}
        }
        self.told.push(event);
    }

    /// What a screen shows after reading the store: texts by seq.
    pub fn screen(&self, peer: impl Into<Peer>) -> Vec<String> {
        let entries = self.store.messages(&peer.into(), Range { from: 0, to: u64::MAX }, 1_000_000, false).unwrap();
        entries.iter().map(|entry| String::from_utf8(entry.body.to_vec()).unwrap()).collect()
    }

    /// Texts in the order in which they were told.
    pub fn messages_told(&self) -> Vec<String> {
        let text = |event: &Event| match event {
            Event::Message(message) => Some(String::from_utf8(message.entry.body.to_vec()).unwrap()),
            _ => None,
        };
        self.told.iter().filter_map(text).collect()
    }

    pub fn device(&self) -> &Bytes {
        &self.config.device_id
    }

    pub fn set_keep(&mut self, keep: hongyan_client::Keep, now: Millis) {
        self.config.keep = keep;
        self.core = Core::new(self.config.clone(), self.store.restore().unwrap());
        self.core.start(now);
    }

    pub fn device_config(&self) -> Config {
        self.config.clone()
    }

    pub fn become_user(&mut self, name: &str) {
        self.config.credential = Credential::Token(name.to_owned());
    }

    pub fn is_live(&self) -> bool {
        *self.core.link() == Link::Live
    }

    pub fn states(&self) -> Vec<&SendState> {
        self.told
            .iter()
            .filter_map(|event| if let Event::Outgoing(o) = event { Some(&o.state) } else { None })
            .collect()
    }

    pub fn stored(&self) -> usize {
        self.states().iter().filter(|state| matches!(state, SendState::Stored { .. })).count()
    }

    pub fn failed(&self) -> usize {
        self.core.outbox().filter(|row| matches!(row.state, OutboxState::Failed { .. })).count()
    }

    pub fn receipt(&self, user: &str) -> (u64, u64) {
        let row = self.core.conversation(user);
        row.map_or((0, 0), |row| (row.conversation.peer_delivered_seq, row.conversation.peer_read_seq))
    }
}
