//! One simulated device: the real client core, a store that outlives its process, and a person who uses it. What it sees
//! goes into the history.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use bytes::Bytes;
use hongyan_checker::{ChangeKind, Event as Seen, MessageId, digest};
use hongyan_client::{
    Answer, Config, Core, Credential, Effect, Event, Link, Millis, Outgoing, Peer, Request, Row, SendState, Token,
    new_message, proto,
};

use crate::executor::{Executor, Happening};
use crate::faults::{Faults, Kind};
use crate::local_store::LocalStore;
use crate::network::{Found, Network};
use crate::plan::{Cast, Install};
use crate::random::Random;
use crate::recorder::Recorder;
use crate::server::PASSWORD;

/// Bytes at the start of every body, which are its message's id.
const ID_BYTES: usize = 16;
/// Users of an app are named like this, with their number.
const NAME_PREFIX: &str = "u";
/// Rows of a page of history.
const HISTORY_ROWS: u32 = 20;

/// What a device finds around it.
pub struct Surroundings<'a> {
    /// Time.
    pub executor: &'a Arc<Executor>,
    /// Lines.
    pub network: &'a Arc<Network>,
    /// Who there is.
    pub cast: &'a Cast,
    /// What is written down.
    pub recorder: &'a mut Recorder,
    /// What goes wrong.
    pub faults: &'a mut Faults,
}

impl Surroundings<'_> {
    fn now(&self) -> Millis {
        Millis(self.executor.now_us() / 1000)
    }
}

/// A process that dies soon.
#[derive(Clone, Copy)]
struct Death {
    after: u32,
    down_us: u64,
    upgrade: bool,
}

/// What was asked for, until it is answered.
enum Asked {
    Change { peer: u32, seq: u64 },
    Block { peer: u32, blocked: bool },
    Other,
}

/// A device.
pub struct Device {
    number: usize,
    install: Install,
    config: Config,
    core: Option<Core>,
    store: LocalStore,
    line: Option<usize>,
    dial: u64,
    out: Vec<u8>,
    deadline: Option<Millis>,
    deadlines_set: u64,
    reads: bool,
    death: Option<Death>,
    /// Messages that this install has written.
    written: BTreeSet<MessageId>,
    /// Messages it shows, by conversation: the highest seq, and seqs of own ones.
    highest: BTreeMap<u32, u64>,
    own: Vec<(u32, u64)>,
    /// Kept in this turn, but not told yet: what a screen shows after a crash.
    untold: Vec<(u32, u64, Seen)>,
    /// A new session was kept, and nobody was told yet.
    untold_login: bool,
    asked: BTreeMap<Token, Asked>,
    last_token: Token,
    /// Its user has asked to log out at some time.
    logs_out: bool,
    random: Random,
}

impl Device {
    /// A device that is switched off.
    pub fn new(number: usize, install: &Install, cast: &Cast, server_key: [u8; 32], mut random: Random) -> Self {
        let person = &cast.users[install.user as usize];
        let credential = Credential::Password { user: person.name.clone(), password: PASSWORD.to_owned() };
        let mut id = [0; 16];
        random.fill(&mut id);
        let mut config = Config::new(server_key, person.app.clone(), credential, Bytes::copy_from_slice(&id));
        config.term = [proto::Term::Mobile, proto::Term::Pc, proto::Term::Pad][install.term as usize];
        config.sync_entries = install.sync_entries;
        config.send_window = install.send_window;
        config.jitter_seed = random.next();
        Self {
            number,
            install: install.clone(),
            config,
            core: None,
            store: LocalStore::default(),
            line: None,
            dial: 0,
            out: Vec::new(),
            deadline: None,
            deadlines_set: 0,
            reads: true,
            death: None,
            written: BTreeSet::new(),
            highest: BTreeMap::new(),
            own: Vec::new(),
            untold: Vec::new(),
            untold_login: false,
            asked: BTreeMap::new(),
            last_token: 0,
            logs_out: false,
            random,
        }
    }

    /// Messages that came back after its user had deleted them.
    pub fn undead(&self) -> usize {
        self.store.undead()
    }

    /// How long it takes at least to send what waits: a window at a time, and not faster than the gate reads. Who is
    /// switched off sends nothing.
    pub fn backlog_us(&self, round_trip_us: u64, frames_per_second: u32) -> u64 {
        let unsent = if self.core.is_some() { self.store.unsent() } else { 0 };
        let windows = (unsent / self.config.send_window) as u64;
        (windows * round_trip_us).max(unsent as u64 * 1_000_000 / u64::from(frames_per_second))
    }

    fn id(&self) -> hongyan_checker::Device {
        self.number as u32
    }

    /// Its line, if it has one.
    pub fn line(&self) -> Option<usize> {
        self.line
    }

    /// Its user, in the list of all.
    pub fn user(&self) -> u32 {
        self.install.user
    }

    /// A session is open.
    pub fn is_live(&self) -> bool {
        self.core.as_ref().is_some_and(|core| core.link().is_live())
    }

    /// Its process was started, and may be down for a while.
    pub fn has_started(&self) -> bool {
        self.core.is_some() || self.deadlines_set > 0
    }

    /// It was told to stay down, by somebody else than its user.
    pub fn was_ended(&self) -> bool {
        !self.logs_out && self.core.as_ref().is_some_and(|core| matches!(core.link(), Link::Stopped(_)))
    }

    /// Its process runs, and was not told to stay down.
    pub fn wants_to_live(&self) -> bool {
        self.core.as_ref().is_some_and(|core| !matches!(core.link(), Link::Idle | Link::Stopped(_)))
    }

    /// Its process starts, and wants to be connected.
    pub fn start(&mut self, around: &mut Surroundings<'_>) {
        if self.core.is_some() {
            return;
        }
        self.config.jitter_seed = self.random.next();
        let mut core = Core::new(self.config.clone(), self.store.restore());
        core.start(around.now());
        self.core = Some(core);
        self.turn(around);
    }

    /// The user wants to be logged in, whatever the device was told.
    pub fn log_in(&mut self, around: &mut Surroundings<'_>) {
        self.start(around);
        self.act(around, |core, now| core.start(now));
    }

    fn act(&mut self, around: &mut Surroundings<'_>, act: impl FnOnce(&mut Core, Millis)) {
        if let Some(core) = &mut self.core {
            act(core, around.now());
            self.turn(around);
        }
    }

    /// A dialled line stands; or not.
    pub fn dialled(&mut self, dial: u64, line: Option<usize>, around: &mut Surroundings<'_>) {
        if dial != self.dial || self.core.is_none() {
            if let Some(line) = line {
                around.network.close_up(line, false);
            }
            return;
        }
        let mut ephemeral = [0; 32];
        self.random.fill(&mut ephemeral);
        self.line = line;
        self.act(around, |core, now| match line {
            Some(_) => core.connected(now, ephemeral),
            None => core.disconnected(now),
        });
    }

    /// Something has come on its line.
    pub fn receive(&mut self, line: usize, around: &mut Surroundings<'_>) {
        if self.line != Some(line) || !self.reads {
            return;
        }
        let (bytes, over) = match around.network.take_down(line) {
            Found::Bytes(bytes) => (bytes, false),
            Found::Over(bytes) => (bytes, true),
        };
        if !bytes.is_empty() {
            self.act(around, |core, now| core.received(now, &bytes));
        }
        if over && self.line == Some(line) {
            self.hang_up(around, false);
            self.act(around, |core, now| core.disconnected(now));
        }
    }

    /// Its deadline has come, unless it was set anew.
    pub fn deadline(&mut self, set: u64, around: &mut Surroundings<'_>) {
        if set == self.deadlines_set {
            self.deadline = None;
            self.act(around, |core, now| core.timeout(now));
        }
    }

    /// It reads nothing for a while, or reads again.
    pub fn set_reading(&mut self, reads: bool, around: &mut Surroundings<'_>) {
        self.reads = reads;
        if let Some(line) = self.line.filter(|_| reads) {
            self.receive(line, around);
        }
    }

    /// The network has changed: it dials at once.
    pub fn network_changed(&mut self, around: &mut Surroundings<'_>) {
        self.act(around, |core, now| core.network_changed(now));
    }

    /// Its process dies after so many more outputs.
    pub fn die(&mut self, after: u32, down_ms: u32, upgrade: bool) {
        if self.install.crashes && self.core.is_some() {
            self.death = Some(Death { after, down_us: u64::from(down_ms) * 1000, upgrade });
        }
    }

    /// Nothing goes wrong any more. Half of the platforms tell their applications, the others leave them to their timers.
    pub fn heal(&mut self, around: &mut Surroundings<'_>) {
        self.death = None;
        self.set_reading(true, around);
        if self.number.is_multiple_of(2) {
            self.network_changed(around);
        }
    }

    /// True if the process dies at this point.
    fn dies(&mut self, around: &mut Surroundings<'_>) -> bool {
        let Some(death) = &mut self.death else { return false };
        if death.after > 0 {
            death.after -= 1;
            return false;
        }
        let Death { down_us, upgrade, .. } = *death;
        self.death = None;
        self.core = None;
        self.out.clear();
        self.asked.clear();
        self.deadlines_set += 1;
        self.deadline = None;
        // Half of the dead take their machine along: nobody hears of it.
        let silently = self.random.chance(500_000);
        self.hang_up(around, silently);
        if std::mem::take(&mut self.untold_login) {
            around.recorder.saw(Seen::Live { device: self.id(), resumed: false });
        }
        for (_, _, seen) in std::mem::take(&mut self.untold) {
            around.recorder.saw(seen);
        }
        around.recorder.saw(Seen::Crashed { device: self.id() });
        around.faults.count(Kind::DeviceCrash);
        if upgrade {
            around.faults.count(Kind::DeviceUpgrade);
            self.config.client = format!("sim/{}", self.random.below(1000));
            self.config.sync_entries = self.random.between(1, 200) as u32;
            self.config.send_window = self.random.between(1, 64) as usize;
        }
        let at_us = around.executor.now_us() + down_us;
        around.executor.schedule(at_us, Happening::DeviceStarts { device: self.number });
        true
    }

    fn hang_up(&mut self, around: &mut Surroundings<'_>, silently: bool) {
        self.out.clear();
        if let Some(line) = self.line.take() {
            around.network.close_up(line, silently);
        }
        self.dial += 1;
    }

    /// Takes everything the core has for it, in the order that the core prescribes.
    fn turn(&mut self, around: &mut Surroundings<'_>) {
        loop {
            if self.dies(around) {
                return;
            }
            let Some(core) = &mut self.core else { return };
            match core.poll_effect() {
                Some(Effect::Persist(rows)) => self.keep(rows, around),
                Some(Effect::Connect { .. }) => self.dial(around),
                Some(Effect::Disconnect) => self.hang_up(around, false),
                None => break,
            }
        }
        if self.dies(around) {
            return;
        }
        self.write(around);
        while let Some(event) = self.core.as_mut().and_then(Core::poll_event) {
            if self.dies(around) {
                return;
            }
            self.tell(event, around);
        }
        self.untold.clear();
        self.set_deadline(around);
    }

    fn write(&mut self, around: &mut Surroundings<'_>) {
        let Some(core) = &mut self.core else { return };
        core.take_output(&mut self.out);
        if let Some(line) = self.line
            && !self.out.is_empty()
        {
            around.network.write_up(line, &self.out);
        }
        self.out.clear();
    }

    fn set_deadline(&mut self, around: &mut Surroundings<'_>) {
        let deadline = self.core.as_ref().and_then(Core::deadline);
        if deadline == self.deadline {
            return;
        }
        self.deadline = deadline;
        self.deadlines_set += 1;
        if let Some(Millis(at_ms)) = deadline {
            let happening = Happening::Deadline { device: self.number, set: self.deadlines_set };
            around.executor.schedule(at_ms * 1000, happening);
        }
    }

    fn dial(&mut self, around: &mut Surroundings<'_>) {
        self.hang_up(around, false);
        let at_us = around.executor.now_us() + 2 * around.network.latency_us();
        around.executor.schedule(at_us, Happening::Dialled { device: self.number, dial: self.dial });
    }

    fn keep(&mut self, rows: Vec<Row>, around: &mut Surroundings<'_>) {
        for row in rows {
            match &row {
                Row::Message { peer: of @ Peer::Person(user), entry } => {
                    let peer = self.peer(user, around.cast);
                    let seen = match self.store.changed_seq(of, entry.seq) {
                        None => Some(self.kept(peer, entry)),
                        Some(known) if entry.changed_seq > known => Some(changed(self.id(), peer, entry)),
                        Some(_) => None,
                    };
                    self.untold.extend(seen.map(|seen| (peer, entry.seq, seen)));
                }
                Row::Session(Some(session)) => self.untold_login |= !self.store.has_session(&session.secret),
                Row::Inbox(position) => around.recorder.saw(Seen::Cursor {
                    device: self.id(),
                    log_epoch: position.log_epoch,
                    inbox: position.cursor,
                }),
                _ => {}
            }
            // Nobody dies in between: they are one transaction.
            self.store.apply(row);
        }
    }

    /// Of what was kept of a message, the oldest is told; a change that was kept with it is told on its own.
    fn told(&mut self, peer: u32, seq: u64) {
        if let Some(place) = self.untold.iter().position(|(known, kept, _)| (*known, *kept) == (peer, seq)) {
            self.untold.remove(place);
        }
    }

    /// How a message is written down that the core tells of. One that this install has written is told as
    /// [`Event::Outgoing`], not as a message.
    fn shown(&self, peer: u32, entry: &proto::Entry) -> Seen {
        let device = self.id();
        if entry.recalled {
            return changed(device, peer, entry);
        }
        let id = id_of(&entry.body);
        Seen::Shown { device, peer, own: entry.own, seq: entry.seq, id, digest: digest(&entry.body) }
    }

    /// How a message is written down that was kept and, before the process died, not told.
    fn kept(&self, peer: u32, entry: &proto::Entry) -> Seen {
        let id = id_of(&entry.client_message_id);
        if self.written.contains(&id) {
            return Seen::Acked { device: self.id(), to: peer, id, seq: entry.seq };
        }
        self.shown(peer, entry)
    }

    fn tell(&mut self, event: Event, around: &mut Surroundings<'_>) {
        let device = self.id();
        let seen = match event {
            Event::LoggedIn { resumed, .. } => {
                self.untold_login = false;
                Seen::Live { device, resumed }
            }
            Event::Link(Link::Broken { .. }) => Seen::Offline { device },
            Event::Link(Link::Stopped(reason)) => Seen::Stopped { device, reason: format!("{reason:?}") },
            Event::Message(message) => {
                let Peer::Person(user) = &message.peer else { return };
                let peer = self.peer(user, around.cast);
                let entry = &message.entry;
                self.told(peer, entry.seq);
                self.note(peer, entry.seq, entry.own);
                self.shown(peer, entry)
            }
            Event::MessageChanged(message) => {
                let Peer::Person(user) = &message.peer else { return };
                let peer = self.peer(user, around.cast);
                self.told(peer, message.entry.seq);
                changed(device, peer, &message.entry)
            }
            Event::Outgoing(outgoing) => match self.outgoing(&outgoing, around.cast) {
                Some(seen) => seen,
                None => return,
            },
            Event::Receipt { user, delivered_seq, read_seq } => {
                let peer = self.peer(&user, around.cast);
                Seen::Receipt { device, peer, delivered_seq, read_seq }
            }
            Event::Reset => Seen::Reset { device },
            Event::Answered { token, result } => match self.answered(token, result.ok()) {
                Some(seen) => seen,
                None => return,
            },
            Event::Link(_)
            | Event::MessageGone { .. }
            | Event::ReadMark { .. }
            | Event::Deleted { .. }
            | Event::Conversation(_)
            | Event::Group(_)
            | Event::Mentioned { .. }
            | Event::Skipped { .. }
            | Event::Typing { .. }
            | Event::CaughtUp { .. } => return,
        };
        around.recorder.saw(seen);
    }

    fn note(&mut self, peer: u32, seq: u64, own: bool) {
        let highest = self.highest.entry(peer).or_default();
        *highest = seq.max(*highest);
        if own {
            self.own.push((peer, seq));
        }
    }

    fn outgoing(&mut self, outgoing: &Outgoing, cast: &Cast) -> Option<Seen> {
        let (device, to) = (self.id(), self.peer(outgoing.peer.person()?, cast));
        let id = id_of(&outgoing.client_message_id);
        match &outgoing.state {
            SendState::Queued => None,
            SendState::Stored { seq, .. } => {
                self.told(to, *seq);
                self.note(to, *seq, true);
                Some(Seen::Acked { device, to, id, seq: *seq })
            }
            SendState::Failed { refusal } => {
                // What is refused for now may have got in before, without an answer.
                let refused = refusal.as_ref().is_some_and(|refusal| !refusal.retryable);
                Some(Seen::Failed { device, to, id, refused })
            }
        }
    }

    fn answered(&mut self, token: Token, answer: Option<Answer>) -> Option<Seen> {
        let device = self.id();
        match (self.asked.remove(&token)?, answer?) {
            (Asked::Change { peer, seq }, Answer::Changed(answer)) => {
                Some(Seen::ChangeDone { device, peer, seq, at_seq: answer.seq })
            }
            (Asked::Block { peer, blocked }, Answer::Done) => Some(Seen::Block { device, peer, blocked }),
            _ => None,
        }
    }

    /// Another user of the same app, or oneself, by the salt.
    fn somebody(&self, salt: u64, cast: &Cast) -> (u32, String) {
        let me = &cast.users[self.install.user as usize];
        let of_app: Vec<u32> =
            (0..cast.users.len() as u32).filter(|user| cast.users[*user as usize].app == me.app).collect();
        // A note to oneself now and then.
        let others: Vec<u32> = of_app.into_iter().filter(|user| *user != self.install.user).collect();
        let peer = if salt.is_multiple_of(29) { self.install.user } else { others[salt as usize % others.len()] };
        (peer, cast.users[peer as usize].name.clone())
    }

    fn peer(&self, name: &str, cast: &Cast) -> u32 {
        let number = name.strip_prefix(NAME_PREFIX).and_then(|number| number.parse::<u32>().ok());
        cast.users[self.install.user as usize].first_of_app + number.unwrap_or(u32::MAX / 2)
    }

    /// Writes messages to one person.
    pub fn send(&mut self, salt: u64, count: u32, bytes: u32, around: &mut Surroundings<'_>) {
        let (to, name) = self.somebody(salt, around.cast);
        for _ in 0..count {
            let Some(core) = &mut self.core else { return };
            let id = self.random.next() as MessageId | (self.number as MessageId) << 64;
            let mut body = id.to_be_bytes().to_vec();
            body.resize(ID_BYTES + bytes as usize, salt as u8);
            let seen = Seen::Send { device: self.number as u32, to, id, digest: digest(&body) };
            let mut message = new_message(&*name, id.to_be_bytes(), proto::BodyType::Custom, body);
            message.seen_seq = if salt.is_multiple_of(3) { self.highest.get(&to).copied().unwrap_or(0) } else { 0 };
            let read = Seen::Read { device: self.number as u32, peer: to, seq: message.seen_seq };
            if core.send(Millis(around.executor.now_us() / 1000), message, 0).is_ok() {
                self.written.insert(id);
                around.recorder.saw(seen);
                around.recorder.saw(read);
            }
            self.turn(around);
        }
    }

    /// Reads a conversation up to what is shown.
    pub fn read(&mut self, salt: u64, around: &mut Surroundings<'_>) {
        let (peer, name) = self.somebody(salt, around.cast);
        let Some(&seq) = self.highest.get(&peer) else { return };
        if self.core.is_some() {
            around.recorder.saw(Seen::Read { device: self.id(), peer, seq });
            self.act(around, |core, now| core.mark_read(now, &name, seq));
        }
    }

    /// Types.
    pub fn typing(&mut self, salt: u64, around: &mut Surroundings<'_>) {
        let (_, name) = self.somebody(salt, around.cast);
        self.act(around, |core, now| core.typing(now, &name, salt.is_multiple_of(2)));
    }

    /// Edits or recalls an own message.
    pub fn alter(&mut self, salt: u64, recall: bool, around: &mut Surroundings<'_>) {
        if self.own.is_empty() {
            return;
        }
        let (peer, seq) = self.own[salt as usize % self.own.len()];
        let user = around.cast.users[peer as usize].name.clone();
        let client_request_id = Bytes::copy_from_slice(&self.fresh());
        let Some(entry) = self.store.messages(&(&user).into()).and_then(|messages| messages.get(&seq)) else { return };
        let mut body = entry.body.to_vec();
        body.truncate(ID_BYTES);
        body.extend_from_slice(&salt.to_be_bytes());
        let (kind, request) = if recall {
            let request = proto::RecallRequest { user, seq, client_request_id, ..Default::default() };
            (ChangeKind::Recall, Request::Recall(request))
        } else {
            let body = Bytes::copy_from_slice(&body);
            let request = proto::EditRequest { user, seq, client_request_id, body, ..Default::default() };
            (ChangeKind::Edit, Request::Edit(request))
        };
        let digest = if recall { 0 } else { digest(&body) };
        let seen = Seen::Change { device: self.id(), peer, seq, kind, digest };
        self.ask(Asked::Change { peer, seq }, request, Some(seen), around);
    }

    /// Reacts to the newest message.
    pub fn react(&mut self, salt: u64, around: &mut Surroundings<'_>) {
        let (peer, user) = self.somebody(salt, around.cast);
        let Some(&seq) = self.highest.get(&peer) else { return };
        let client_request_id = Bytes::copy_from_slice(&self.fresh());
        let (name, remove) = ("👍".to_owned(), salt.is_multiple_of(4));
        let request = Request::React(proto::ReactRequest {
            id: 0,
            user,
            seq,
            client_request_id,
            name,
            remove,
            ..Default::default()
        });
        let seen = Seen::Change { device: self.id(), peer, seq, kind: ChangeKind::React, digest: 0 };
        self.ask(Asked::Change { peer, seq }, request, Some(seen), around);
    }

    /// Hides messages from the user's own devices.
    pub fn delete(&mut self, salt: u64, around: &mut Surroundings<'_>) {
        let (peer, user) = self.somebody(salt, around.cast);
        let Some(&highest) = self.highest.get(&peer) else { return };
        let single = !salt.is_multiple_of(4);
        let up_to_seq = if single { 0 } else { highest / 2 };
        let seqs = if single { vec![1 + salt % highest] } else { Vec::new() };
        let deletion = Some(proto::Deletion { up_to_seq, seqs: seqs.clone() });
        let request = Request::Delete(proto::DeleteRequest { user, deletion, ..Default::default() });
        self.ask(Asked::Other, request, Some(Seen::Delete { device: self.id(), peer, up_to_seq, seqs }), around);
    }

    /// Blocks or unblocks somebody.
    pub fn block(&mut self, salt: u64, blocked: bool, around: &mut Surroundings<'_>) {
        let (peer, user) = self.somebody(salt, around.cast);
        if peer == self.install.user {
            return;
        }
        let request = Request::Block(proto::BlockRequest { user, blocked, ..Default::default() });
        let seen = Seen::BlockAsked { device: self.id(), peer, blocked };
        self.ask(Asked::Block { peer, blocked }, request, Some(seen), around);
    }

    /// Reads a page of history. What it keeps of that may come by the inbox, too; so devices that crash do not ask.
    pub fn history(&mut self, salt: u64, around: &mut Surroundings<'_>) {
        if self.install.crashes {
            return;
        }
        let (_, user) = self.somebody(salt, around.cast);
        let request = proto::HistoryRequest { user, limit: HISTORY_ROWS, ..Default::default() };
        self.ask(Asked::Other, Request::History(request), None, around);
    }

    /// Ends its session.
    pub fn log_out(&mut self, around: &mut Surroundings<'_>) {
        self.logs_out = true;
        self.ask(Asked::Other, Request::Logout, None, around);
    }

    fn ask(&mut self, asked: Asked, request: Request, seen: Option<Seen>, around: &mut Surroundings<'_>) {
        if !self.is_live() {
            return;
        }
        if let Some(seen) = seen {
            around.recorder.saw(seen);
        }
        self.last_token += 1;
        let token = self.last_token;
        self.asked.insert(token, asked);
        self.act(around, |core, now| core.request(now, token, request));
    }

    fn fresh(&mut self) -> [u8; 16] {
        let mut bytes = [0; 16];
        self.random.fill(&mut bytes);
        bytes
    }

    /// What its list shows when everything is at rest.
    pub fn unread(&self, cast: &Cast) -> Vec<Seen> {
        let Some(core) = &self.core else { return Vec::new() };
        let line = |row: &hongyan_client::ConversationRow| Seen::Unread {
            device: self.id(),
            peer: self.peer(&row.conversation.user, cast),
            read_seq: row.conversation.read_seq,
            unread: row.conversation.unread,
        };
        core.conversations().map(line).collect()
    }
}

fn changed(device: u32, peer: u32, entry: &proto::Entry) -> Seen {
    let (seq, at_seq, recalled) = (entry.seq, entry.changed_seq, entry.recalled);
    Seen::Changed { device, peer, seq, at_seq, recalled, digest: digest(&entry.body) }
}

/// The id that a body begins with; 0 if it is too short.
fn id_of(body: &[u8]) -> MessageId {
    body.first_chunk::<ID_BYTES>().map_or(0, |id| MessageId::from_be_bytes(*id))
}
