//! One install of a client: a real core, its store, and a person who uses it. Whatever it sees goes into the journal.
//! It has no socket and no timer of its own; the driver has.
//!
//! A crash forgets everything but the store's file. It happens where it hurts: before rows were kept, after that and
//! before anything was said to the server, or right after.

use std::collections::{BTreeMap, HashMap, VecDeque};
use std::path::PathBuf;
use std::sync::Arc;

use bytes::Bytes;
use hongyan_checker::{ChangeKind, Event as Seen, MessageId, User, digest};
use hongyan_client::{
    Answer, Config, Core, Credential, Effect, Event, Link, Millis, OutboxState, Peer, Request, Restored, Row,
    SendState, ServerAddress, Store, StoreError, Token, new_message, proto,
};
use tokio::sync::oneshot;

use crate::journal::Journal;
use crate::random::Random;

/// A message's id opens its body, so that whoever shows it can name it.
const ID_BYTES: usize = 16;
/// Own messages that may still be changed.
const OWN_MAX: usize = 32;
/// A page of a history.
const HISTORY_ENTRIES: u32 = 20;
/// What may be said beside the id.
const BODY_BYTES_MAX: u64 = 4096;

/// Everything about an install that no crash changes.
#[derive(Clone)]
pub struct Plan {
    /// Its index in the history.
    pub device: hongyan_checker::Device,
    /// The server, its key, the app.
    pub address: ServerAddress,
    /// How it logs in.
    pub token: String,
    /// Which of its user's devices it is.
    pub term: proto::Term,
    /// The file of its store; without one it keeps everything in memory and never crashes.
    pub store: Option<PathBuf>,
    /// With whom it talks.
    pub friends: Vec<User>,
    /// The names of all users, by index.
    pub names: Arc<Vec<String>>,
}

/// Where a client crashes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CrashPoint {
    /// With rows in hand that were not kept.
    BeforeKeeping,
    /// With everything kept and nothing said to the server.
    BeforeSending,
    /// With everything kept and said, and no answer yet.
    AfterSending,
}

/// What an install wants of its driver.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Wishes {
    /// Dial.
    pub connect: bool,
    /// Close the socket.
    pub hang_up: bool,
    /// It is dead, and its socket with it; [`Install::revive`] brings it back. What it had said may still be sent or
    /// not.
    pub crashed: Option<CrashPoint>,
}

/// One install.
pub struct Install {
    plan: Plan,
    journal: Arc<Journal>,
    core: Core,
    store: Option<Store>,
    random: Random,
    /// What the user did and the store has not kept yet.
    intentions: Vec<Seen>,
    changes: HashMap<Token, (User, u64)>,
    histories: HashMap<Token, oneshot::Sender<bool>>,
    last_token: Token,
    /// Messages of this install that the server has: with whom, their number, their id.
    own: VecDeque<(User, u64, MessageId)>,
    /// The highest number on screen, by conversation.
    newest: BTreeMap<User, u64>,
    crash: Option<CrashPoint>,
    live: bool,
}

impl Install {
    /// Opens the store, if there is one, and makes a core that is not started.
    pub fn new(plan: Plan, journal: Arc<Journal>, random: Random) -> Result<Self, StoreError> {
        let (core, store) = wake(&plan)?;
        Ok(Self {
            plan,
            journal,
            core,
            store,
            random,
            intentions: Vec::new(),
            changes: HashMap::new(),
            histories: HashMap::new(),
            last_token: 0,
            own: VecDeque::new(),
            newest: BTreeMap::new(),
            crash: None,
            live: false,
        })
    }

    /// The core, to be given input; [`Install::finish`] follows.
    pub fn core(&mut self) -> &mut Core {
        &mut self.core
    }

    /// As [`Install::core`], for questions.
    pub fn look(&self) -> &Core {
        &self.core
    }

    /// Will crash there, as soon as it has something to keep. False if it keeps nothing.
    pub fn crash_at(&mut self, point: CrashPoint) -> bool {
        self.crash = self.plan.store.is_some().then_some(point);
        self.crash.is_some()
    }

    /// After a crash: the next process of the same install.
    pub fn revive(&mut self) -> Result<(), StoreError> {
        // One process at a time may use the file.
        self.store = None;
        (self.core, self.store) = wake(&self.plan)?;
        self.intentions.clear();
        self.changes.clear();
        self.histories.clear();
        Ok(())
    }

    /// The user does one thing: mostly writes, sometimes reads or changes what they wrote.
    pub fn act(&mut self, now: Millis) {
        let live = self.core.link().is_live();
        match self.random.below(100) {
            0..3 if live => self.change(now, ChangeKind::Edit),
            3..5 if live => self.change(now, ChangeKind::Recall),
            5..7 if live => self.change(now, ChangeKind::React),
            7..20 => self.read(now),
            _ => self.write(now),
        }
    }

    /// Writes a message of this many bytes beside its id, to this friend.
    pub fn write_to(&mut self, now: Millis, to: User, length: usize) {
        let id: [u8; ID_BYTES] = std::array::from_fn(|_| self.random.number() as u8);
        let body = self.body(id, length);
        let seen = digest(&body);
        let message = new_message(self.name(to), id, proto::BodyType::Custom, body);
        // A full outbox is no fault of anybody: the user waits.
        if self.core.send(now, message, 0).is_ok() {
            let id = MessageId::from_be_bytes(id);
            self.intentions.push(Seen::Send { device: self.plan.device, to, id, digest: seen });
        }
    }

    /// As [`Install::write_to`], always to the same friend.
    pub fn write_to_first(&mut self, now: Millis, length: usize) {
        if let Some(friend) = self.plan.friends.first() {
            self.write_to(now, *friend, length);
        }
    }

    fn write(&mut self, now: Millis) {
        let to = *self.random.pick(&self.plan.friends);
        let length_max = *self.random.pick(&[0, 100, 100, 1000, BODY_BYTES_MAX]);
        let length = self.random.between(0, length_max);
        self.write_to(now, to, length as usize);
    }

    fn body(&mut self, id: [u8; ID_BYTES], length: usize) -> Bytes {
        let mut body = vec![0; ID_BYTES + length];
        body[..ID_BYTES].copy_from_slice(&id);
        self.random.fill(&mut body[ID_BYTES..]);
        Bytes::from(body)
    }

    fn read(&mut self, now: Millis) {
        let known: Vec<_> = self.newest.iter().map(|(peer, seq)| (*peer, *seq)).collect();
        if known.is_empty() {
            return;
        }
        let (peer, seq) = *self.random.pick(&known);
        let name = self.name(peer);
        if self.core.conversation(&name).is_none_or(|row| row.conversation.read_seq < seq) {
            self.core.mark_read(now, &name, seq);
            self.intentions.push(Seen::Read { device: self.plan.device, peer, seq });
        }
    }

    fn change(&mut self, now: Millis, kind: ChangeKind) {
        let Some((peer, seq, id)) = self.own.pop_front() else { return };
        let user = self.name(peer);
        let client_request_id = Bytes::from_owner(std::array::from_fn::<u8, 16, _>(|_| self.random.number() as u8));
        let mut seen = 0;
        let request = match kind {
            ChangeKind::Edit => {
                let length = self.random.between(0, 200) as usize;
                let body = self.body(id.to_be_bytes(), length);
                seen = digest(&body);
                Request::Edit(proto::EditRequest { user, seq, client_request_id, body, ..Default::default() })
            }
            ChangeKind::Recall => {
                Request::Recall(proto::RecallRequest { id: 0, user, seq, client_request_id, ..Default::default() })
            }
            ChangeKind::React => {
                let name = "👍".to_owned();
                Request::React(proto::ReactRequest {
                    id: 0,
                    user,
                    seq,
                    client_request_id,
                    name,
                    remove: false,
                    ..Default::default()
                })
            }
        };
        self.last_token += 1;
        self.changes.insert(self.last_token, (peer, seq));
        self.intentions.push(Seen::Change { device: self.plan.device, peer, seq, kind, digest: seen });
        self.core.request(now, self.last_token, request);
    }

    /// Asks for the newest page of what was said with the first friend; tells whether it came.
    pub fn read_history(&mut self, now: Millis, came: oneshot::Sender<bool>) {
        let Some(friend) = self.plan.friends.first() else { return };
        let user = self.name(*friend);
        self.last_token += 1;
        self.histories.insert(self.last_token, came);
        let request = proto::HistoryRequest { user, limit: HISTORY_ENTRIES, ..Default::default() };
        self.core.request(now, self.last_token, Request::History(request));
    }

    /// Takes what the core has to give, in its order: effects, bytes, events.
    pub fn finish(&mut self, out: &mut Vec<u8>) -> Result<Wishes, StoreError> {
        let mut wishes = Wishes::default();
        let mut cursor = None;
        let mut kept = false;
        while let Some(effect) = self.core.poll_effect() {
            match effect {
                Effect::Persist(rows) => {
                    if self.crash == Some(CrashPoint::BeforeKeeping) {
                        return Ok(self.die(CrashPoint::BeforeKeeping));
                    }
                    cursor = rows.iter().rev().find_map(position).or(cursor);
                    kept = true;
                    if let Some(store) = &mut self.store {
                        store.apply(&rows)?;
                    }
                }
                Effect::Connect { .. } => wishes.connect = true,
                Effect::Disconnect => wishes.hang_up = true,
            }
        }
        for intention in std::mem::take(&mut self.intentions) {
            self.journal.note(intention);
        }
        // Nobody else learns of the bytes before the driver writes them, so events may be told first.
        self.core.take_output(out);
        while let Some(event) = self.core.poll_event() {
            self.note(event);
        }
        if let Some((log_epoch, inbox)) = cursor {
            self.journal.note(Seen::Cursor { device: self.plan.device, log_epoch, inbox });
        }
        match self.crash {
            Some(point) if kept => Ok(self.die(point)),
            _ => Ok(wishes),
        }
    }

    fn die(&mut self, point: CrashPoint) -> Wishes {
        self.crash = None;
        self.live = false;
        self.journal.note(Seen::Crashed { device: self.plan.device });
        Wishes { crashed: Some(point), ..Wishes::default() }
    }

    /// Tries again what was given up: the user sees a red mark and taps on it.
    pub fn try_failed_again(&mut self, now: Millis) {
        let failed = self.core.outbox().filter(|row| matches!(row.state, OutboxState::Failed { .. }));
        for row in failed.collect::<Vec<_>>() {
            if self.core.resend(now, row.local)
                && let Some(to) = row.peer().as_ref().and_then(Peer::person).and_then(|name| self.index(name))
            {
                let (id, digest) = (id_of(&row.request.client_message_id), digest(&row.request.body));
                self.intentions.push(Seen::Send { device: self.plan.device, to, id, digest });
            }
        }
    }

    /// Writes down what its conversation list shows.
    pub fn describe(&self) {
        for row in self.core.conversations() {
            let conversation = &row.conversation;
            if let Some(peer) = self.index(&conversation.user) {
                let (read_seq, unread) = (conversation.read_seq, conversation.unread);
                self.journal.note(Seen::Unread { device: self.plan.device, peer, read_seq, unread });
            }
        }
    }

    fn name(&self, user: User) -> String {
        self.plan.names[user as usize].clone()
    }

    fn index(&self, name: &str) -> Option<User> {
        self.plan.names.iter().position(|known| known == name).map(|index| index as User)
    }

    fn note(&mut self, event: Event) {
        let device = self.plan.device;
        match event {
            Event::LoggedIn { resumed, .. } => {
                self.live = true;
                self.journal.note(Seen::Live { device, resumed });
            }
            Event::Link(Link::Broken { .. }) if self.live => {
                self.live = false;
                self.journal.note(Seen::Offline { device });
            }
            Event::Link(Link::Stopped(reason)) => {
                self.live = false;
                self.journal.note(Seen::Stopped { device, reason: format!("{reason:?}") });
            }
            Event::Message(message) => self.shown(&message.peer, &message.entry),
            Event::MessageChanged(message) => self.changed(&message.peer, &message.entry),
            Event::Outgoing(outgoing) => self.outgoing(&outgoing),
            Event::Receipt { user, delivered_seq, read_seq } => {
                if let Some(peer) = self.index(&user) {
                    self.journal.note(Seen::Receipt { device, peer, delivered_seq, read_seq });
                }
            }
            Event::Answered { token, result } => {
                if let Some(asker) = self.histories.remove(&token) {
                    // Who asked may have gone.
                    let _ = asker.send(matches!(result, Ok(Answer::History(_))));
                } else if let (Some((peer, seq)), Ok(Answer::Changed(done))) = (self.changes.remove(&token), result) {
                    self.journal.note(Seen::ChangeDone { device, peer, seq, at_seq: done.seq });
                }
            }
            Event::Reset => self.journal.note(Seen::Reset { device }),
            _ => {}
        }
    }

    fn shown(&mut self, peer: &Peer, entry: &proto::Entry) {
        let Some(peer) = peer.person().and_then(|name| self.index(name)) else { return };
        if entry.recalled {
            return self.journal.note_taken_back(self.change_of(peer, entry));
        }
        let newest = self.newest.entry(peer).or_default();
        *newest = (*newest).max(entry.seq);
        let (device, own, seq) = (self.plan.device, entry.own, entry.seq);
        let (id, digest) = (id_of(&entry.body), digest(&entry.body));
        self.journal.note(Seen::Shown { device, peer, own, seq, id, digest });
    }

    fn changed(&mut self, peer: &Peer, entry: &proto::Entry) {
        if let Some(peer) = peer.person().and_then(|name| self.index(name)) {
            self.journal.note(self.change_of(peer, entry));
        }
    }

    fn change_of(&self, peer: User, entry: &proto::Entry) -> Seen {
        let (device, seq, at_seq, recalled) = (self.plan.device, entry.seq, entry.changed_seq, entry.recalled);
        Seen::Changed { device, peer, seq, at_seq, recalled, digest: digest(&entry.body) }
    }

    fn outgoing(&mut self, outgoing: &hongyan_client::Outgoing) {
        let Some(to) = outgoing.peer.person().and_then(|name| self.index(name)) else { return };
        let (device, id) = (self.plan.device, id_of(&outgoing.client_message_id));
        match &outgoing.state {
            SendState::Stored { seq, .. } => {
                self.own.push_back((to, *seq, id));
                if self.own.len() > OWN_MAX {
                    self.own.pop_front();
                }
                self.journal.note(Seen::Acked { device, to, id, seq: *seq });
            }
            SendState::Failed { refusal } => {
                let refused = refusal.as_ref().is_some_and(|refusal| !refusal.retryable);
                self.journal.note(Seen::Failed { device, to, id, refused });
            }
            SendState::Queued => {}
        }
    }
}

/// The core that a new process begins with.
fn wake(plan: &Plan) -> Result<(Core, Option<Store>), StoreError> {
    let device_id = Bytes::from(format!("chaos-{}", plan.device).into_bytes());
    let mut store = plan.store.as_deref().map(Store::open).transpose()?;
    let mut restored = Restored::default();
    if let Some(store) = &mut store {
        store.bind(&plan.address.key, &plan.address.app)?;
        restored = store.restore()?;
    }
    let credential = Credential::Token(plan.token.clone());
    let mut config = Config::new(plan.address.key, plan.address.app.clone(), credential, device_id);
    config.term = plan.term;
    config.jitter_seed = u64::from(plan.device) + 1;
    Ok((Core::new(config, restored), store))
}

fn position(row: &Row) -> Option<(u32, u64)> {
    match row {
        Row::Inbox(position) => Some((position.log_epoch, position.cursor)),
        _ => None,
    }
}

/// The id that opens a body; 0 if there is none, which no message has.
fn id_of(body: &[u8]) -> MessageId {
    body.first_chunk::<ID_BYTES>().map_or(0, |id| MessageId::from_be_bytes(*id))
}
