//! A tiny server in memory: orders, numbers, pushes and remembers as design §5 says, and loses what a script tells it
//! to lose. It stores nothing, checks nobody's password, and knows one app only.

use std::collections::{BTreeMap, BTreeSet};

use bytes::Bytes;
use hongyan_client::{Millis, proto};
use hongyan_wire::command::{Kind, Operation};
use hongyan_wire::noise::{ResumeProof, StaticKey};
use hongyan_wire::{Command, Connection, Event};
use prost::Message as _;
use proto::inbox_entry::What;

mod groups;
mod reads;

use reads::{as_read_by, page};

pub type LineId = u64;

/// What happens to one packet.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fate {
    Pass,
    Lose,
    Twice,
    /// The connection is gone before the packet arrives.
    CutBefore,
    /// The connection is gone right after the packet.
    CutAfter,
    /// The packet waits until another one of its line has passed.
    Late,
}

/// Decides the fate of every packet: a line, and what is on it.
pub type Script = Box<dyn FnMut(LineId, Command) -> Fate>;

#[derive(Default)]
struct User {
    inbox: Vec<proto::InboxEntry>,
    /// Entries up to here are no longer kept.
    trimmed: u64,
    cursors: BTreeMap<Bytes, u64>,
    read: BTreeMap<String, u64>,
    delivered: BTreeMap<String, u64>,
}

struct Session {
    user: String,
    device: Bytes,
    term: i32,
    secret: [u8; 32],
    epoch: u32,
    ended: Option<proto::RefusalCode>,
}

struct Line {
    connection: Connection,
    session: Option<u64>,
    /// Becomes the session's epoch with the first frame.
    unconfirmed_epoch: Option<u32>,
    pushed: u64,
    out: Vec<u8>,
    late: Vec<(Command, Vec<u8>)>,
    open: bool,
}

pub struct Server {
    key: StaticKey,
    pub log_epoch: u32,
    pub script: Script,
    /// Answers to sends instead of storing them, in order; then sends are stored again.
    pub refuse_sends: Vec<proto::Refusal>,
    /// Told at the top of every list of conversations.
    pub adopted: Vec<proto::Conversation>,
    users: BTreeMap<String, User>,
    logs: BTreeMap<(String, String), Vec<(String, proto::Entry)>>,
    known: BTreeMap<(String, String, Bytes), (proto::SendRequest, proto::SendAnswer)>,
    sessions: BTreeMap<u64, Session>,
    lines: BTreeMap<LineId, Line>,
    groups: BTreeMap<String, groups::Group>,
    /// Groups in a page of their list.
    pub groups_page: usize,
    pub group_lists: usize,
    pub group_histories: usize,
    pub group_acks: usize,
    next: u64,
    pub logins: usize,
    pub resumes: usize,
    pub sends_received: usize,
    pub refuse_login: Option<proto::Refusal>,
}

fn pair(a: &str, b: &str) -> (String, String) {
    (a.min(b).to_owned(), a.max(b).to_owned())
}

fn refusal(code: proto::RefusalCode) -> Option<proto::Refusal> {
    Some(proto::Refusal { code: code.into(), ..Default::default() })
}

impl Server {
    pub fn new() -> Self {
        Self {
            key: StaticKey::new([42; 32]),
            log_epoch: 1,
            script: Box::new(|_, _| Fate::Pass),
            refuse_sends: Vec::new(),
            adopted: Vec::new(),
            users: BTreeMap::new(),
            logs: BTreeMap::new(),
            known: BTreeMap::new(),
            sessions: BTreeMap::new(),
            lines: BTreeMap::new(),
            groups: BTreeMap::new(),
            groups_page: 100,
            group_lists: 0,
            group_histories: 0,
            group_acks: 0,
            next: 0,
            logins: 0,
            resumes: 0,
            sends_received: 0,
            refuse_login: None,
        }
    }

    pub fn public_key(&self) -> [u8; 32] {
        *self.key.public()
    }

    fn fresh(&mut self) -> u64 {
        self.next += 1;
        self.next
    }

    pub fn accept(&mut self, now: Millis) -> LineId {
        let id = self.fresh();
        let mut ephemeral = [3; 32];
        ephemeral[..8].copy_from_slice(&id.to_be_bytes());
        let connection = Connection::server(self.key.clone(), ephemeral, now);
        let line = Line {
            connection,
            session: None,
            unconfirmed_epoch: None,
            pushed: 0,
            out: Vec::new(),
            late: Vec::new(),
            open: true,
        };
        self.lines.insert(id, line);
        id
    }

    pub fn close(&mut self, line: LineId) {
        self.lines.remove(&line);
    }

    /// The bytes for the client; `None` = the connection is gone.
    pub fn take_output(&mut self, line: LineId) -> (Vec<u8>, bool) {
        match self.lines.get_mut(&line) {
            Some(line) => (std::mem::take(&mut line.out), line.open),
            None => (Vec::new(), false),
        }
    }

    pub fn receive(&mut self, now: Millis, id: LineId, mut input: &[u8]) {
        while let Some(line) = self.lines.get_mut(&id).filter(|line| line.open) {
            match line.connection.receive(now, &mut input, &mut line.out) {
                Ok(Some(event)) => self.event(now, id, event),
                Ok(None) => return,
                Err(violation) => panic!("the client broke the protocol: {violation}"),
            }
        }
    }

    fn event(&mut self, now: Millis, id: LineId, event: Event) {
        match event {
            Event::Resume { id: request, ticket, epoch, noise } => {
                self.resume(now, id, request, &ticket, epoch, &noise)
            }
            Event::Frame(command, body) => {
                self.confirm(id);
                let fate = (self.script)(id, command);
                if fate == Fate::CutBefore {
                    return self.cut(id);
                }
                let times = match fate {
                    Fate::Lose => 0,
                    Fate::Twice => 2,
                    _ => 1,
                };
                for _ in 0..times {
                    self.request(now, id, command.operation, body.clone());
                    self.push_all(now);
                }
                if fate == Fate::CutAfter {
                    self.cut(id);
                }
            }
            other => panic!("the client asked for {other:?}"),
        }
    }

    fn cut(&mut self, id: LineId) {
        if let Some(line) = self.lines.get_mut(&id) {
            line.open = false;
        }
    }

    fn resume(&mut self, now: Millis, id: LineId, request: u32, ticket: &[u8], epoch: u32, noise: &[u8]) {
        let sid = ticket.try_into().map(u64::from_be_bytes).unwrap_or(0);
        let line = self.lines.get_mut(&id).expect("the caller has it");
        let usable = self.sessions.get(&sid).filter(|session| epoch > session.epoch);
        let Some(session) = usable else {
            let refusal = refusal(proto::RefusalCode::ResumeFailed).unwrap();
            return line.connection.refuse_resume(request, refusal, &mut line.out);
        };
        let offer = line
            .connection
            .accept_resume(ResumeProof { ticket, epoch, secret: &session.secret }, noise)
            .expect("honest clients hold the secret");
        self.resumes += 1;
        let mut result = proto::ResumeResult { ticket: ticket.to_vec().into(), ..Default::default() };
        match session.ended {
            Some(code) => result.refusal = refusal(code),
            None => {
                let user = &self.users[&session.user];
                let page = page(user, self.log_epoch, offer.inbox_cursor, offer.log_epoch, offer.limit);
                line.pushed = user.inbox.len() as u64;
                line.session = Some(sid);
                line.unconfirmed_epoch = Some(epoch);
                result.page = Some(page);
            }
        }
        match (self.script)(id, Command::answer(Operation::Resume)) {
            Fate::Lose | Fate::CutBefore => self.cut(id),
            _ => line.connection.answer_resume(request, &result, now, &mut line.out).expect("it was accepted"),
        }
    }

    /// The first frame after a resume: the epoch counts, and the session's other connections are gone.
    fn confirm(&mut self, id: LineId) {
        let Some(line) = self.lines.get_mut(&id) else { return };
        let (Some(epoch), Some(sid)) = (line.unconfirmed_epoch.take(), line.session) else { return };
        self.sessions.get_mut(&sid).expect("sessions are kept").epoch = epoch;
        for (other, line) in &mut self.lines {
            if *other != id && line.session == Some(sid) {
                line.open = false;
            }
        }
    }

    fn write(&mut self, now: Millis, id: LineId, command: Command, message: &impl prost::Message) {
        let fate = (self.script)(id, command);
        let Some(line) = self.lines.get_mut(&id).filter(|line| line.open) else { return };
        let body = message.encode_to_vec();
        let mut write = |command, body: &[u8]| line.connection.write(command, body, now, &mut line.out).unwrap();
        match fate {
            Fate::Lose => return,
            Fate::CutBefore => return line.open = false,
            Fate::Late => return line.late.push((command, body)),
            Fate::Twice => {
                write(command, &body);
                write(command, &body);
            }
            Fate::Pass | Fate::CutAfter => write(command, &body),
        }
        for (command, body) in std::mem::take(&mut line.late) {
            line.connection.write(command, &body, now, &mut line.out).unwrap();
        }
        if fate == Fate::CutAfter {
            line.open = false;
        }
    }

    fn answer(&mut self, now: Millis, id: LineId, operation: Operation, message: &impl prost::Message) {
        self.write(now, id, Command::answer(operation), message);
    }

    fn request(&mut self, now: Millis, id: LineId, operation: Operation, body: Bytes) {
        let ended = self.lines[&id].session.and_then(|sid| self.sessions[&sid].ended);
        if let Some(code) = ended {
            let answer = proto::AckAnswer {
                id: proto::KeepaliveRequest::decode(body).unwrap().id,
                refusal: refusal(code),
                ..Default::default()
            };
            return self.answer(now, id, operation, &answer);
        }
        match operation {
            Operation::Login => self.login(now, id, proto::LoginRequest::decode(body).unwrap()),
            Operation::Logout => {
                let request = proto::LogoutRequest::decode(body).unwrap();
                let sid = self.lines[&id].session.unwrap();
                self.sessions.get_mut(&sid).unwrap().ended = Some(proto::RefusalCode::Revoked);
                self.answer(now, id, operation, &proto::LogoutAnswer { id: request.id, refusal: None });
            }
            Operation::Keepalive => {
                let request = proto::KeepaliveRequest::decode(body).unwrap();
                let inbox_head = self.users[&self.user_of(id)].inbox.len() as u64;
                let answer =
                    proto::KeepaliveAnswer { id: request.id, refusal: None, inbox_head, log_epoch: self.log_epoch };
                self.answer(now, id, operation, &answer);
            }
            Operation::Send => self.send(now, id, proto::SendRequest::decode(body).unwrap()),
            Operation::Ack => {
                let request = proto::AckRequest::decode(body).unwrap();
                self.acknowledge(now, id, request.inbox_cursor);
                let answer = proto::AckAnswer { id: request.id, refusal: None, inbox_cursor: request.inbox_cursor };
                self.answer(now, id, operation, &answer);
            }
            Operation::Sync => {
                let request = proto::SyncRequest::decode(body).unwrap();
                self.acknowledge(now, id, request.inbox_cursor);
                let user = &self.users[&self.user_of(id)];
                let mut page = page(user, self.log_epoch, request.inbox_cursor, request.log_epoch, request.limit);
                page.id = request.id;
                self.answer(now, id, operation, &page);
            }
            Operation::Receipts => {
                let request = proto::ReceiptsRequest::decode(body).unwrap();
                let reader = self.user_of(id);
                let receipts = request.users.iter().map(|user| self.receipt(user, &reader)).collect();
                self.answer(now, id, operation, &proto::ReceiptsAnswer { id: request.id, refusal: None, receipts });
            }
            Operation::MarkRead => {
                let request = proto::MarkReadRequest::decode(body).unwrap();
                match request.group.is_empty() {
                    true => self.mark_read(now, id, request),
                    false => self.mark_group_read(now, id, &request),
                }
            }
            Operation::Groups => {
                let answer = self.list_groups(&self.user_of(id), &proto::GroupsRequest::decode(body).unwrap());
                self.answer(now, id, operation, &answer);
            }
            Operation::GroupAck => {
                let request = proto::GroupAckRequest::decode(body).unwrap();
                self.acknowledge_groups(&self.device_of(id), &request);
                self.answer(now, id, operation, &proto::GroupAckAnswer { id: request.id, refusal: None });
            }
            Operation::History => {
                let request = proto::HistoryRequest::decode(body).unwrap();
                let reader = self.user_of(id);
                let answer = match request.group.is_empty() {
                    true => self.history(&reader, &request),
                    false => self.group_history(&reader, &request),
                };
                self.answer(now, id, operation, &answer);
            }
            Operation::Conversations => {
                let request = proto::ConversationsRequest::decode(body).unwrap();
                let answer = self.conversations(&self.user_of(id), &request);
                self.answer(now, id, operation, &answer);
            }
            Operation::Recall => {
                let request = proto::RecallRequest::decode(body).unwrap();
                let own = self.user_of(id);
                let (seq, inbox_seq) = self.change(&own, &request.user, request.seq, |entry| {
                    entry.recalled = true;
                    entry.body = Bytes::new();
                });
                let answer = proto::ChangeAnswer { id: request.id, seq, inbox_seq, ..Default::default() };
                self.answer(now, id, operation, &answer);
            }
            Operation::Delete => {
                let request = proto::DeleteRequest::decode(body).unwrap();
                let own = self.user_of(id);
                self.append(&own, &request.user, What::Deleted(request.deletion.unwrap()));
                self.answer(now, id, operation, &proto::DeleteAnswer { id: request.id, refusal: None });
            }
            Operation::Typing => {
                let request = proto::TypingRequest::decode(body).unwrap();
                let notify =
                    proto::TypingNotify { user: self.user_of(id), stopped: request.stopped, ..Default::default() };
                for line in self.lines_of(&request.user) {
                    self.write(now, line, Command::notify(Operation::Typing), &notify);
                }
                self.answer(now, id, operation, &proto::TypingAnswer { id: request.id, refusal: None });
            }
            other => panic!("{other:?} is not in the play"),
        }
    }

    fn login(&mut self, now: Millis, id: LineId, request: proto::LoginRequest) {
        self.logins += 1;
        if let Some(refusal) = self.refuse_login.clone() {
            let answer = proto::LoginAnswer { id: request.id, refusal: Some(refusal), ..Default::default() };
            return self.answer(now, id, Operation::Login, &answer);
        }
        let Some(proto::login_request::Credential::Token(name)) = request.credential else { panic!("no token") };
        self.end_sessions(now, &name, &request.device_id, request.term);
        let sid = self.fresh();
        let secret = [sid as u8; 32];
        let device = request.device_id.clone();
        let session = Session { user: name.clone(), device, term: request.term, secret, epoch: 0, ended: None };
        self.sessions.insert(sid, session);
        let user = self.users.entry(name.clone()).or_default();
        let cursor = *user.cursors.entry(request.device_id).or_default();
        let head = user.inbox.len() as u64;
        let line = self.lines.get_mut(&id).expect("the caller has it");
        line.session = Some(sid);
        line.pushed = head;
        line.connection.set_authenticated();
        let answer = proto::LoginAnswer {
            id: request.id,
            user: name,
            ticket: sid.to_be_bytes().to_vec().into(),
            resume_secret: secret.to_vec().into(),
            log_epoch: self.log_epoch,
            inbox_head: head,
            inbox_cursor: cursor,
            heartbeat_seconds: 60,
            ..Default::default()
        };
        self.answer(now, id, Operation::Login, &answer);
    }

    /// The same kind of device lives once; the same device's earlier session ends silently.
    fn end_sessions(&mut self, now: Millis, user: &str, device: &Bytes, term: i32) {
        let mut kicked = Vec::new();
        for (sid, session) in &mut self.sessions {
            if session.user == user && session.ended.is_none() && (session.device == *device || session.term == term) {
                session.ended = Some(proto::RefusalCode::Kicked);
                if session.device != *device {
                    kicked.push(*sid);
                }
            }
        }
        let notify =
            proto::KickoutNotify { reason: proto::KickoutReason::SameTermLogin.into(), by_term: term, time_ms: now.0 };
        let of_kicked = |line: &Line| line.session.is_some_and(|sid| kicked.contains(&sid));
        let lines = self.lines.iter().filter(|(_, line)| of_kicked(line));
        for id in lines.map(|(id, _)| *id).collect::<Vec<_>>() {
            self.write(now, id, Command::notify(Operation::Kickout), &notify);
        }
    }

    fn append(&mut self, owner: &str, about: &str, what: What) -> u64 {
        let user = self.users.entry(owner.to_owned()).or_default();
        let inbox_seq = user.inbox.len() as u64 + 1;
        user.inbox.push(proto::InboxEntry {
            inbox_seq,
            user: about.to_owned(),
            what: Some(what),
            ..Default::default()
        });
        inbox_seq
    }

    fn send(&mut self, now: Millis, id: LineId, request: proto::SendRequest) {
        self.sends_received += 1;
        if !self.refuse_sends.is_empty() {
            let refusal = Some(self.refuse_sends.remove(0));
            let answer = proto::SendAnswer { id: request.id, refusal, ..Default::default() };
            return self.answer(now, id, Operation::Send, &answer);
        }
        let from = self.user_of(id);
        let to = match request.to.clone() {
            Some(proto::send_request::To::User(to)) => to,
            Some(proto::send_request::To::Group(group)) => format!("#{group}"),
            other => panic!("to {other:?}"),
        };
        let key = (from.clone(), to.clone(), request.client_message_id.clone());
        let digest = proto::SendRequest { id: 0, ..request.clone() };
        if let Some((known, answer)) = self.known.get(&key) {
            assert_eq!(*known, digest, "a repeat has the same content");
            let answer = proto::SendAnswer { id: request.id, ..answer.clone() };
            return self.answer(now, id, Operation::Send, &answer);
        }
        let answer = match &request.to {
            Some(proto::send_request::To::Group(_)) => self.store_in_group(now, &from, &request),
            _ => self.store(&from, &to, &request),
        };
        self.known.insert(key, (digest, answer.clone()));
        if let Some(line) = self.lines.get_mut(&id)
            && line.pushed + 1 == answer.inbox_seq
        {
            // Its own connection is told by the answer.
            line.pushed = answer.inbox_seq;
        }
        self.answer(now, id, Operation::Send, &proto::SendAnswer { id: request.id, ..answer });
    }

    fn store(&mut self, from: &str, to: &str, request: &proto::SendRequest) -> proto::SendAnswer {
        let log = self.logs.entry(pair(from, to)).or_default();
        let seq = log.len() as u64 + 1;
        let mark = self.users.entry(from.to_owned()).or_default().read.entry(to.to_owned()).or_default();
        let seen_seq = if request.seen_seq > *mark { request.seen_seq } else { 0 };
        *mark = seen_seq.max(*mark);
        let entry = proto::Entry {
            seq,
            r#type: request.r#type,
            body: request.body.clone(),
            message_count: log.iter().filter(|(_, entry)| entry.change.is_none()).count() as u64 + 1,
            client_message_id: request.client_message_id.clone(),
            seen_seq,
            ..Default::default()
        };
        log.push((from.to_owned(), entry.clone()));
        let message_count = entry.message_count;
        let own = self.append(from, to, What::Entry(as_read_by(from, from, &entry)));
        self.append(to, from, What::Entry(as_read_by(to, from, &entry)));
        let stored_offline = self.lines_of(to).is_empty();
        proto::SendAnswer { seq, inbox_seq: own, message_count, stored_offline, ..Default::default() }
    }

    /// A message that no client of the play has sent.
    pub fn say(&mut self, now: Millis, from: &str, to: &str, text: &str) {
        let id = self.fresh();
        let mut client_message_id = [0; 16];
        client_message_id[..8].copy_from_slice(&id.to_be_bytes());
        let request = hongyan_client::new_message(to, client_message_id, proto::BodyType::Text, text.to_owned());
        self.store(from, to, &request);
        self.push_all(now);
    }

    fn change(&mut self, own: &str, other: &str, seq: u64, change: impl Fn(&mut proto::Entry)) -> (u64, u64) {
        let log = self.logs.get_mut(&pair(own, other)).expect("there is something to change");
        let entry_seq = log.len() as u64 + 1;
        let (author, target) = &mut log[seq as usize - 1];
        change(target);
        target.changed_seq = entry_seq;
        let (author, target) = (author.clone(), target.clone());
        let told = |reader: &str| {
            let target = Some(Box::new(as_read_by(reader, &author, &target)));
            let change = Some(Box::new(proto::Change { target_seq: seq, target }));
            proto::Entry { seq: entry_seq, change, ..Default::default() }
        };
        log.push((own.to_owned(), told(own)));
        let (mine, theirs) = (told(own), told(other));
        let inbox_seq = self.append(own, other, What::Entry(mine));
        self.append(other, own, What::Entry(theirs));
        (entry_seq, inbox_seq)
    }

    fn acknowledge(&mut self, now: Millis, id: LineId, cursor: u64) {
        let (name, device) = (self.user_of(id), self.device_of(id));
        let user = self.users.get_mut(&name).expect("users who log in exist");
        assert!(cursor <= user.inbox.len() as u64, "nobody acknowledges what does not exist");
        let known = user.cursors.entry(device).or_default();
        *known = cursor.max(*known);
        let mut moved = BTreeSet::new();
        for entry in &user.inbox[..cursor as usize] {
            if let Some(What::Entry(message)) = &entry.what
                && !message.own
            {
                let delivered = user.delivered.entry(entry.user.clone()).or_default();
                if *delivered < message.seq {
                    *delivered = message.seq;
                    moved.insert(entry.user.clone());
                }
            }
        }
        for peer in moved {
            self.tell_receipt(now, &name, &peer);
        }
    }

    fn tell_receipt(&mut self, now: Millis, from: &str, to: &str) {
        let notify = proto::ReceiptNotify { receipts: vec![self.receipt(from, to)] };
        for line in self.lines_of(to) {
            self.write(now, line, Command::notify(Operation::Receipt), &notify);
        }
    }

    fn mark_read(&mut self, now: Millis, id: LineId, request: proto::MarkReadRequest) {
        let own = self.user_of(id);
        let mark = self.users.get_mut(&own).unwrap().read.entry(request.user.clone()).or_default();
        let moved = request.seq > *mark;
        *mark = request.seq.max(*mark);
        let (read_seq, unread) = (*mark, self.unread(&own, &request.user));
        if moved {
            self.append(&own, &request.user, What::Read(proto::ReadMark { seq: read_seq, unread }));
            self.tell_receipt(now, &own, &request.user);
        }
        let head_seq = self.logs.get(&pair(&own, &request.user)).map_or(0, |log| log.len() as u64);
        let inbox_head = self.inbox_head(&own);
        let answer = proto::MarkReadAnswer { id: request.id, refusal: None, read_seq, unread, head_seq, inbox_head };
        self.answer(now, id, Operation::MarkRead, &answer);
    }

    fn push_all(&mut self, now: Millis) {
        for name in self.users.keys().cloned().collect::<Vec<_>>() {
            for id in self.lines_of(&name) {
                let entries = {
                    let line = self.lines.get_mut(&id).expect("it was listed");
                    let entries = self.users[&name].inbox[line.pushed as usize..].to_vec();
                    line.pushed += entries.len() as u64;
                    entries
                };
                for entry in entries {
                    let notify = proto::MessageNotify { entries: vec![entry] };
                    self.write(now, id, Command::notify(Operation::Message), &notify);
                }
            }
        }
    }

    /// What the change feed does every 2 s.
    pub fn hint_all(&mut self, now: Millis) {
        for name in self.users.keys().cloned().collect::<Vec<_>>() {
            let inbox_head = self.users[&name].inbox.len() as u64;
            for id in self.lines_of(&name) {
                self.write(now, id, Command::notify(Operation::Hint), &proto::HintNotify { inbox_head });
            }
        }
    }

    pub fn notify(&mut self, now: Millis, user: &str, operation: Operation, message: &impl prost::Message) {
        for id in self.lines_of(user) {
            self.write(now, id, Command::notify(operation), message);
        }
    }

    /// As a server that lost its sessions, or was restored from a backup with a new log epoch.
    pub fn forget_sessions(&mut self) {
        self.sessions.clear();
        self.lines.clear();
    }

    pub fn cut_all(&mut self) {
        self.lines.values_mut().for_each(|line| line.open = false);
    }

    pub fn trim_inbox(&mut self, user: &str) {
        let user = self.users.get_mut(user).expect("it exists");
        user.trimmed = user.inbox.len() as u64;
    }
}

/// Only requests of clients.
pub fn is_request(command: Command) -> bool {
    command.kind == Kind::Request
}
