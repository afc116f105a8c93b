//! A tiny true world: a server that never errs, devices that come and go, and people who do everything that can be
//! done. It writes histories that must pass. It has no network and no time; what faults do to order and answers is
//! played by chance.

use std::collections::BTreeMap;

use hongyan_checker::{ChangeKind, Event, Record, digest};

use crate::random::Random;

const USERS: u32 = 3;
const STEPS: usize = 400;
const GAP: u64 = 1 << 24;

#[derive(Clone)]
struct Row {
    /// Absent: this number is a change of another.
    message: Option<Message>,
    target: u64,
}

#[derive(Clone)]
struct Message {
    id: u128,
    author: u32,
    device: u32,
    digest: u64,
    changed_seq: u64,
    recalled: bool,
    edited: u32,
}

#[derive(Default)]
struct Conversation {
    rows: BTreeMap<u64, Row>,
    head: u64,
    /// Per user.
    read: BTreeMap<u32, u64>,
    delivered: BTreeMap<u32, u64>,
    blocked: BTreeMap<u32, bool>,
}

struct Out {
    id: u128,
    to: u32,
    digest: u64,
    seen: u64,
    stored: Option<u64>,
}

#[derive(Default)]
struct Device {
    user: u32,
    live: bool,
    ever: bool,
    stopped: bool,
    epoch: u32,
    /// Entries of the inbox that it has taken, and the inbox's number above gaps.
    cursor: usize,
    outbox: Vec<Out>,
    marks: BTreeMap<u32, u64>,
    /// The highest number it shows, by peer.
    highest: BTreeMap<u32, u64>,
    receipts: BTreeMap<u32, (u64, u64)>,
}

struct World {
    random: Random,
    records: Vec<Record>,
    at_ms: u64,
    devices: Vec<Device>,
    /// Per user: conversation (peer) and number.
    inboxes: Vec<Vec<(u32, u64)>>,
    inbox_base: u64,
    conversations: BTreeMap<(u32, u32), Conversation>,
    epoch: u32,
    next_id: u128,
    used_requests: BTreeMap<(u32, u32, u64), ()>,
}

/// A clean history.
pub fn history(seed: u64) -> Vec<Record> {
    let mut world = World {
        random: Random(seed),
        records: Vec::new(),
        at_ms: 0,
        devices: Vec::new(),
        inboxes: vec![Vec::new(); USERS as usize],
        inbox_base: 0,
        conversations: BTreeMap::new(),
        epoch: 1,
        next_id: 1,
        used_requests: BTreeMap::new(),
    };
    world.play();
    world.records
}

fn key(one: u32, other: u32) -> (u32, u32) {
    (one.min(other), one.max(other))
}

impl World {
    fn saw(&mut self, event: Event) {
        self.records.push(Record { at_ms: self.at_ms, event });
    }

    fn play(&mut self) {
        for user in 0..USERS {
            self.saw(Event::User { app: "acme".into(), name: format!("user{user}") });
        }
        for user in 0..USERS {
            for _ in 0..1 + self.random.below(3) {
                self.new_device(user);
            }
        }
        for device in 0..self.devices.len() {
            self.connect(device);
        }
        for _ in 0..STEPS {
            self.at_ms += self.random.next() % 2000;
            self.step();
        }
        self.come_to_rest();
    }

    fn new_device(&mut self, user: u32) -> usize {
        let number = self.devices.len();
        self.saw(Event::Device { user, name: format!("device{number}") });
        self.devices.push(Device { user, ..Device::default() });
        number
    }

    fn step(&mut self) {
        let device = self.random.below(self.devices.len());
        let live = self.devices[device].live;
        match self.random.below(100) {
            0..25 => self.write(device),
            25..45 if live => self.flush(device),
            45..70 if live => {
                let entries = 1 + self.random.below(10);
                self.deliver(device, entries);
            }
            70..76 => self.read(device),
            76..82 if live => self.receipt(device),
            82..88 if live => self.change(device),
            88 if live => self.block(device),
            89 if live => self.delete(device),
            91..94 if live => self.disconnect(device),
            94..98 if !live => self.connect(device),
            98 => self.disturb(device),
            _ => {}
        }
    }

    fn disturb(&mut self, device: usize) {
        let user = self.devices[device].user;
        match self.random.below(5) {
            0 if self.devices[device].live => self.reset(device),
            1 if self.devices.len() < 12 => {
                let device = self.new_device(user);
                self.connect(device);
            }
            2 => self.revoke(user),
            3 if self.random.chance(20) => self.restore(),
            4 if self.devices[device].live => {
                self.devices[device].live = false;
                self.devices[device].stopped = true;
                self.saw(Event::Stopped { device: device as u32, reason: "kicked".into() });
            }
            _ => {}
        }
    }

    fn connect(&mut self, device: usize) {
        let number = device as u32;
        let inbox = self.inboxes[self.devices[device].user as usize].len();
        let state = &mut self.devices[device];
        let resumed = state.ever && !state.stopped;
        let restored = state.ever && state.epoch != self.epoch;
        if !state.ever {
            state.cursor = inbox;
        }
        (state.live, state.ever, state.stopped, state.epoch) = (true, true, false, self.epoch);
        self.saw(Event::Live { device: number, resumed });
        if restored {
            self.reset(device);
        }
        self.tell_cursor(device);
    }

    fn tell_cursor(&mut self, device: usize) {
        let state = &self.devices[device];
        let (log_epoch, inbox) = (state.epoch, self.inbox_base + state.cursor as u64);
        self.saw(Event::Cursor { device: device as u32, log_epoch, inbox });
    }

    fn reset(&mut self, device: usize) {
        let inbox = self.inboxes[self.devices[device].user as usize].len();
        self.devices[device].cursor = inbox;
        self.tell_cursor(device);
        self.saw(Event::Reset { device: device as u32 });
    }

    fn disconnect(&mut self, device: usize) {
        self.devices[device].live = false;
        let device = device as u32;
        let crashed = self.random.chance(50);
        self.saw(if crashed { Event::Crashed { device } } else { Event::Offline { device } });
        // Not in the millisecond in which anything was done.
        self.at_ms += 1;
    }

    fn revoke(&mut self, user: u32) {
        self.saw(Event::Revoked { user });
        for device in 0..self.devices.len() {
            if self.devices[device].user == user && self.devices[device].ever {
                (self.devices[device].live, self.devices[device].stopped) = (false, true);
                self.saw(Event::Stopped { device: device as u32, reason: "revoked".into() });
            }
        }
    }

    /// A backup that has everything: numbers go on above a gap.
    fn restore(&mut self) {
        self.epoch += 1;
        self.inbox_base += GAP;
        self.conversations.values_mut().for_each(|conversation| conversation.head += GAP);
        for device in 0..self.devices.len() {
            if self.devices[device].live {
                self.saw(Event::Offline { device: device as u32 });
                self.devices[device].live = false;
                self.connect(device);
            }
        }
    }

    fn peer_of(&mut self, user: u32) -> u32 {
        // A note to oneself now and then.
        if self.random.chance(4) { user } else { (user + 1 + self.random.below(USERS as usize - 1) as u32) % USERS }
    }

    fn conversation(&mut self, one: u32, other: u32) -> &mut Conversation {
        self.conversations.entry(key(one, other)).or_default()
    }

    fn write(&mut self, device: usize) {
        let to = self.peer_of(self.devices[device].user);
        for _ in 0..1 + self.random.below(4) {
            let id = self.next_id;
            self.next_id += 1;
            let digest = self.random.next();
            let highest = self.devices[device].highest.get(&to).copied().unwrap_or(0);
            let seen = if self.random.chance(30) { highest } else { 0 };
            self.saw(Event::Send { device: device as u32, to, id, digest });
            if seen > 0 {
                self.saw(Event::Read { device: device as u32, peer: to, seq: seen });
            }
            self.devices[device].outbox.push(Out { id, to, digest, seen, stored: None });
        }
    }

    fn is_blocked(&mut self, one: u32, other: u32) -> bool {
        self.conversation(one, other).blocked.values().any(|blocked| *blocked)
    }

    fn append(&mut self, one: u32, other: u32, row: Row) -> u64 {
        let conversation = self.conversation(one, other);
        conversation.head += 1;
        let seq = conversation.head;
        conversation.rows.insert(seq, row);
        self.inboxes[one as usize].push((other, seq));
        if one != other {
            self.inboxes[other as usize].push((one, seq));
        }
        seq
    }

    /// The first message of the outbox reaches the server; its answer reaches the device, or not.
    fn flush(&mut self, device: usize) {
        let Some(out) = self.devices[device].outbox.first() else { return };
        let (user, id, to, digest, seen) = (self.devices[device].user, out.id, out.to, out.digest, out.seen);
        let number = device as u32;
        if out.stored.is_none() {
            if self.is_blocked(user, to) {
                self.devices[device].outbox.remove(0);
                return self.saw(Event::Failed { device: number, to, id, refused: true });
            }
            if self.random.chance(3) {
                self.devices[device].outbox.remove(0);
                return self.saw(Event::Failed { device: number, to, id, refused: false });
            }
            let (changed_seq, recalled, edited) = (0, false, 0);
            let message = Message { id, author: user, device: number, digest, changed_seq, recalled, edited };
            let seq = self.append(user, to, Row { message: Some(message), target: 0 });
            let mark = self.conversation(user, to).read.entry(user).or_default();
            *mark = seen.max(*mark);
            self.devices[device].outbox[0].stored = Some(seq);
        }
        if self.random.chance(80) {
            let seq = self.devices[device].outbox.remove(0).stored.unwrap();
            self.acknowledged(device, to, id, seq);
        }
    }

    fn acknowledged(&mut self, device: usize, to: u32, id: u128, seq: u64) {
        let highest = self.devices[device].highest.entry(to).or_default();
        *highest = seq.max(*highest);
        self.saw(Event::Acked { device: device as u32, to, id, seq });
    }

    fn deliver(&mut self, device: usize, entries: usize) {
        let user = self.devices[device].user;
        for _ in 0..entries {
            let cursor = self.devices[device].cursor;
            let Some((peer, seq)) = self.inboxes[user as usize].get(cursor).copied() else { break };
            self.devices[device].cursor += 1;
            self.take(device, user, peer, seq);
            let delivered = self.conversation(user, peer).delivered.entry(user).or_default();
            *delivered = seq.max(*delivered);
        }
        self.tell_cursor(device);
    }

    fn take(&mut self, device: usize, user: u32, peer: u32, seq: u64) {
        let row = self.conversation(user, peer).rows[&seq].clone();
        let number = device as u32;
        let Some(message) = row.message else {
            let target = self.conversation(user, peer).rows[&row.target].message.clone().unwrap();
            return self.saw(changed(number, peer, row.target, &target));
        };
        let waiting = self.devices[device].outbox.iter().position(|out| out.id == message.id);
        if message.device == number {
            // Known from its acknowledgement, or by this only.
            if let Some(waiting) = waiting {
                self.devices[device].outbox.remove(waiting);
                self.acknowledged(device, peer, message.id, seq);
            }
            return;
        }
        if message.recalled {
            return self.saw(changed(number, peer, seq, &message));
        }
        let highest = self.devices[device].highest.entry(peer).or_default();
        *highest = seq.max(*highest);
        let own = message.author == user;
        self.saw(Event::Shown { device: number, peer, own, seq, id: message.id, digest: message.digest });
    }

    fn read(&mut self, device: usize) {
        let user = self.devices[device].user;
        let peer = self.peer_of(user);
        let Some(seq) = self.devices[device].highest.get(&peer).copied() else { return };
        // Never right behind a sending, where it would be that message's.
        if matches!(self.records.last().unwrap().event, Event::Send { .. }) {
            return;
        }
        self.saw(Event::Read { device: device as u32, peer, seq });
        self.devices[device].marks.insert(peer, seq);
        self.flush_marks(device);
    }

    fn flush_marks(&mut self, device: usize) {
        let user = self.devices[device].user;
        if self.devices[device].live {
            for (peer, seq) in std::mem::take(&mut self.devices[device].marks) {
                let mark = self.conversation(user, peer).read.entry(user).or_default();
                *mark = seq.max(*mark);
            }
        }
    }

    fn receipt(&mut self, device: usize) {
        let peer = self.peer_of(self.devices[device].user);
        let user = self.devices[device].user;
        let conversation = self.conversation(user, peer);
        let read = conversation.read.get(&peer).copied().unwrap_or(0);
        let delivered = conversation.delivered.get(&peer).copied().unwrap_or(0).max(read);
        let before = self.devices[device].receipts.insert(peer, (delivered, read));
        if before != Some((delivered, read)) && delivered > 0 {
            self.saw(Event::Receipt { device: device as u32, peer, delivered_seq: delivered, read_seq: read });
        }
    }

    fn change(&mut self, device: usize) {
        let (number, user) = (device as u32, self.devices[device].user);
        let peer = self.peer_of(user);
        let highest = self.devices[device].highest.get(&peer).copied().unwrap_or(0);
        let below = self.conversation(user, peer).rows.range(..=highest);
        let seqs: Vec<_> = below.filter(|(_, row)| row.message.is_some()).map(|(seq, _)| *seq).collect();
        let Some(seq) = self.random.pick(&seqs).copied() else { return };
        let Some(message) = self.conversation(user, peer).rows[&seq].message.clone() else { return };
        // An unanswered request of a device on a message is its last one: answers do not name their request.
        if self.used_requests.contains_key(&(number, peer, seq)) || message.recalled {
            return;
        }
        let own = message.author == user;
        let kind = match self.random.below(4) {
            0 if own => ChangeKind::Recall,
            1 | 2 if own => ChangeKind::Edit,
            _ => ChangeKind::React,
        };
        let body = if kind == ChangeKind::Edit { self.random.next() } else { 0 };
        self.saw(Event::Change { device: number, peer, seq, kind, digest: body });
        if self.random.chance(10) {
            self.used_requests.insert((number, peer, seq), ());
            return;
        }
        let at_seq = self.append(user, peer, Row { message: None, target: seq });
        let row = self.conversation(user, peer).rows.get_mut(&seq).unwrap();
        let target = row.message.as_mut().unwrap();
        target.changed_seq = at_seq;
        match kind {
            ChangeKind::Edit => (target.digest, target.edited) = (body, target.edited + 1),
            ChangeKind::Recall => (target.digest, target.recalled) = (digest(b""), true),
            ChangeKind::React => {}
        }
        if self.random.chance(80) {
            self.saw(Event::ChangeDone { device: number, peer, seq, at_seq });
        } else {
            self.used_requests.insert((number, peer, seq), ());
        }
    }

    fn block(&mut self, device: usize) {
        let user = self.devices[device].user;
        let peer = self.peer_of(user);
        if peer == user {
            return;
        }
        let number = device as u32;
        let blocked = !self.conversation(user, peer).blocked.get(&user).copied().unwrap_or(false);
        if blocked && self.random.chance(70) {
            return;
        }
        self.saw(Event::BlockAsked { device: number, peer, blocked });
        if self.random.chance(80) {
            self.conversation(user, peer).blocked.insert(user, blocked);
            if self.random.chance(80) {
                self.saw(Event::Block { device: number, peer, blocked });
            }
        }
    }

    fn delete(&mut self, device: usize) {
        let peer = self.peer_of(self.devices[device].user);
        let Some(highest) = self.devices[device].highest.get(&peer).copied() else { return };
        let (up_to_seq, seqs) = if self.random.chance(30) { (highest / 2, vec![]) } else { (0, vec![highest]) };
        self.saw(Event::Delete { device: device as u32, peer, up_to_seq, seqs });
    }

    fn come_to_rest(&mut self) {
        self.saw(Event::Healed);
        let away = self.random.below(self.devices.len() * 2);
        for device in 0..self.devices.len() {
            if device != away {
                self.at_ms += 1;
                if !self.devices[device].live {
                    self.connect(device);
                }
                while !self.devices[device].outbox.is_empty() {
                    self.flush(device);
                }
                self.flush_marks(device);
            } else if self.devices[device].live {
                self.disconnect(device);
            }
        }
        for device in 0..self.devices.len() {
            if self.devices[device].live {
                self.deliver(device, usize::MAX);
                self.receipt(device);
            }
        }
        self.saw(Event::AtRest);
        for user in 0..USERS {
            let connected = self.devices.iter().filter(|device| device.user == user && device.live).count() as u32;
            self.saw(Event::Presence { user, connected });
        }
        for device in 0..self.devices.len() {
            if self.devices[device].live {
                self.tell_unread(device);
            }
        }
        self.saw(Event::Resource { name: "tasks".into(), before: 10, after: 11 });
    }

    fn tell_unread(&mut self, device: usize) {
        let user = self.devices[device].user;
        for peer in 0..USERS {
            let Some(conversation) = self.conversations.get(&key(user, peer)) else { continue };
            let read_seq = conversation.read.get(&user).copied().unwrap_or(0);
            let above = conversation.rows.range(read_seq + 1..);
            let unread =
                above.filter(|(_, row)| row.message.as_ref().is_some_and(|message| message.author != user)).count();
            self.saw(Event::Unread { device: device as u32, peer, read_seq, unread: unread as u64 });
        }
    }
}

fn changed(device: u32, peer: u32, seq: u64, target: &Message) -> Event {
    let Message { changed_seq: at_seq, recalled, digest, .. } = *target;
    Event::Changed { device, peer, seq, at_seq, recalled, digest }
}
