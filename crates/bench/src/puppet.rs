//! The smallest client that keeps the rules of the protocol: login or resume, send, acknowledge once per burst, one
//! contiguous cursor, SYNC on a gap or hint. It is what the load is made of, because it costs little; `replay` uses the
//! SDK's core instead. It never reconnects by itself and resends nothing: a scenario that loses a connection fails.

use std::collections::{BTreeMap, VecDeque};
use std::rc::Rc;

use bytes::Bytes;
use hongyan_wire::command::{Command, Kind, Operation};
use hongyan_wire::noise::ResumeProof;
use hongyan_wire::proto::inbox_entry::What;
use hongyan_wire::proto::login_request::Credential;
use hongyan_wire::proto::send_request::To;
use hongyan_wire::{Connection, Event, Millis, limits, proto};
use prost::Message;

use crate::coat::By;
use crate::member::Member;
use crate::swarm::Machine;

/// A gap in the inbox may close by itself for so long.
const GAP_PATIENCE: Millis = Millis(300);

/// What all puppets of a run share.
pub struct Stage {
    /// The server's public key.
    pub key: [u8; 32],
    /// The app.
    pub app: String,
    /// Different for every run, so that no id is used twice on a server that outlives the run.
    pub run: [u8; 6],
}

/// How a puppet gets in.
#[derive(Clone)]
pub enum Entrance {
    /// Login by a token.
    Token(String),
    /// Login by a password.
    Password(proto::PasswordCredential),
    /// Resume.
    Pass(Pass),
}

/// What a login leaves for a resume.
#[derive(Clone)]
pub struct Pass {
    ticket: Bytes,
    secret: [u8; 32],
    epoch: u32,
}

/// What a scenario is told.
#[derive(Debug)]
pub enum Seen {
    /// Login or resume is done.
    Entered,
    /// SEND.A: the server keeps message `id` (as [`Puppet::send`] returned it) at `seq`.
    Stored { id: u32, seq: u64 },
    /// An entry of the inbox, in order and exactly once; not this puppet's own sends.
    Received { entry: Box<proto::Entry> },
    /// RECEIPT.N: the other person's device has everything up to `seq`.
    Delivered { seq: u64 },
    /// A page said that there is no more.
    CaughtUp,
    /// ACK.A.
    Acknowledged,
    /// KEEPALIVE.A.
    Alive,
    /// SEND.A of a group: not now; the same again, with all that follows it, after so long.
    Refused { id: u32, retry_after: Millis },
    /// The answer to what [`Puppet::ask`] has asked.
    Answered { body: Bytes },
    /// The server refused something, or the connection is over: the scenario fails, unless it wanted that.
    Failed(String),
}

/// One connection's worth of client.
pub struct Puppet {
    stage: Rc<Stage>,
    by: By,
    entrance: Entrance,
    device_id: Bytes,
    connection: Option<Connection>,
    pass: Option<Pass>,
    inbox: Inbox,
    /// The group that it follows, if any.
    member: Option<Member>,
    last_id: u32,
    sent: u64,
    number: u32,
    seen: VecDeque<Seen>,
    hang_up: bool,
    /// LOGOUT is asked for.
    logs_out: bool,
    /// SYNC requests because of a gap or a hint, not those after a login.
    repairs: u64,
}

#[derive(Default)]
struct Inbox {
    cursor: u64,
    log_epoch: u32,
    /// Entries above a gap; `None` is an own send.
    ahead: BTreeMap<u64, Option<proto::InboxEntry>>,
    gap_since: Option<Millis>,
    syncing: bool,
    ack_wanted: bool,
}

impl Puppet {
    /// A puppet that is not connected. `number` is unique within the run.
    pub fn new(stage: &Rc<Stage>, by: By, number: u32, entrance: Entrance) -> Self {
        Self {
            stage: stage.clone(),
            by,
            entrance,
            device_id: Bytes::from(format!("bench-{number}").into_bytes()),
            connection: None,
            pass: None,
            inbox: Inbox::default(),
            member: None,
            last_id: 0,
            sent: 0,
            number,
            seen: VecDeque::new(),
            hang_up: false,
            logs_out: false,
            repairs: 0,
        }
    }

    /// How it gets in next time.
    pub fn set_entrance(&mut self, entrance: Entrance) {
        self.entrance = entrance;
    }

    /// What the last login or resume left for a resume.
    pub fn pass(&self) -> Option<Pass> {
        self.pass.clone()
    }

    /// The next thing that was seen.
    pub fn next_seen(&mut self) -> Option<Seen> {
        self.seen.pop_front()
    }

    /// How often a gap or a hint made it ask.
    pub fn repairs(&self) -> u64 {
        self.repairs
    }

    /// Close the connection after what is written.
    pub fn leave(&mut self) {
        self.hang_up = true;
        self.connection = None;
    }

    /// Hears a group from now on; what is pushed before is nobody's.
    pub fn follow(&mut self, member: Member) {
        self.member = Some(member);
    }

    /// Its place in the group that it follows.
    pub fn member(&self) -> Option<&Member> {
        self.member.as_ref()
    }

    /// The same, to take what has come.
    pub fn member_mut(&mut self) -> Option<&mut Member> {
        self.member.as_mut()
    }

    /// Sends a text; returns the id that [`Seen::Stored`] will name.
    pub fn send(&mut self, user: &str, body: Bytes, now: Millis, out: &mut Vec<u8>) -> u32 {
        self.sent += 1;
        self.send_to(To::User(user.to_owned()), self.sent, body, now, out)
    }

    /// Sends a text to a group. The same number is the same message: for a repeat after [`Seen::Refused`].
    pub fn send_to_group(&mut self, group: &str, number: u64, body: Bytes, now: Millis, out: &mut Vec<u8>) -> u32 {
        self.send_to(To::Group(group.to_owned()), number, body, now, out)
    }

    fn send_to(&mut self, to: To, number: u64, body: Bytes, now: Millis, out: &mut Vec<u8>) -> u32 {
        let mut client_message_id = [0; limits::CLIENT_ID_BYTES];
        client_message_id[..6].copy_from_slice(&self.stage.run);
        client_message_id[6..10].copy_from_slice(&self.number.to_be_bytes());
        client_message_id[10..].copy_from_slice(&number.to_be_bytes()[2..]);
        let id = self.next_id();
        let request = proto::SendRequest {
            id,
            to: Some(to),
            client_message_id: Bytes::copy_from_slice(&client_message_id),
            r#type: proto::BodyType::Text.into(),
            body,
            ..Default::default()
        };
        self.request(Operation::Send, &request, now, out);
        id
    }

    /// Asks for something whose answer only the scenario understands; it comes as [`Seen::Answered`].
    pub fn ask(&mut self, operation: Operation, request: &impl Message, now: Millis, out: &mut Vec<u8>) {
        self.logs_out = operation == Operation::Logout;
        self.request(operation, request, now, out);
    }

    /// Asks for the next page of the inbox.
    pub fn sync(&mut self, now: Millis, out: &mut Vec<u8>) {
        self.inbox.syncing = true;
        self.inbox.ack_wanted = false;
        self.inbox.gap_since = None;
        let (inbox_cursor, log_epoch) = (self.inbox.cursor, self.inbox.log_epoch);
        let id = self.next_id();
        let request = proto::SyncRequest { id, inbox_cursor, limit: limits::SYNC_ENTRIES_MAX, log_epoch };
        self.request(Operation::Sync, &request, now, out);
    }

    /// Acknowledges everything received.
    pub fn acknowledge(&mut self, now: Millis, out: &mut Vec<u8>) {
        self.inbox.ack_wanted = false;
        let request = proto::AckRequest { id: self.next_id(), inbox_cursor: self.inbox.cursor };
        self.request(Operation::Ack, &request, now, out);
    }

    /// Heartbeat and gap timer; true if a heartbeat was sent.
    pub fn tick(&mut self, now: Millis, out: &mut Vec<u8>) -> bool {
        let Some(connection) = &self.connection else { return false };
        if !connection.is_authenticated() {
            return false;
        }
        let heartbeat_due = connection.heartbeat_due() <= now;
        if heartbeat_due {
            let request = proto::KeepaliveRequest { id: self.next_id() };
            self.request(Operation::Keepalive, &request, now, out);
        }
        if !self.inbox.syncing && self.inbox.gap_since.is_some_and(|since| since + GAP_PATIENCE <= now) {
            self.repairs += 1;
            self.sync(now, out);
        }
        heartbeat_due
    }

    fn next_id(&mut self) -> u32 {
        self.last_id = self.last_id.wrapping_add(1);
        self.last_id
    }

    fn request(&mut self, operation: Operation, message: &impl Message, now: Millis, out: &mut Vec<u8>) {
        let Some(connection) = &mut self.connection else { return };
        if let Err(violation) = connection.write_message(Command::request(operation), message, now, out) {
            self.fail(format!("{operation:?} could not be written: {violation}"));
        }
    }

    fn fail(&mut self, reason: String) {
        self.connection = None;
        self.hang_up = true;
        self.seen.push_back(Seen::Failed(reason));
    }

    fn log_in(&mut self, now: Millis, out: &mut Vec<u8>) {
        let credential = match self.entrance.clone() {
            Entrance::Token(token) => Credential::Token(token),
            Entrance::Password(password) => Credential::Password(password),
            Entrance::Pass(_) => return self.fail("a resume became a login".into()),
        };
        let request = proto::LoginRequest {
            id: self.next_id(),
            app: self.stage.app.clone(),
            device_id: self.device_id.clone(),
            term: proto::Term::Mobile.into(),
            client: concat!("hongyan-bench/", env!("CARGO_PKG_VERSION")).into(),
            credential: Some(credential),
        };
        self.request(Operation::Login, &request, now, out);
    }

    fn logged_in(&mut self, answer: proto::LoginAnswer, now: Millis, out: &mut Vec<u8>) {
        let Ok(secret) = answer.resume_secret[..].try_into() else { return self.fail("no resume secret".into()) };
        if let Some(connection) = &mut self.connection {
            connection.set_authenticated();
        }
        self.pass = Some(Pass { ticket: answer.ticket, secret, epoch: 0 });
        self.inbox = Inbox { cursor: answer.inbox_cursor, log_epoch: answer.log_epoch, ..Inbox::default() };
        self.seen.push_back(Seen::Entered);
        if answer.inbox_head > answer.inbox_cursor {
            self.sync(now, out);
        }
    }

    fn resumed(&mut self, result: proto::ResumeResult, now: Millis, out: &mut Vec<u8>) {
        if let Some(refusal) = result.refusal {
            return self.fail(format!("resume refused: {}", refusal.text));
        }
        if let Some(pass) = &mut self.pass {
            pass.ticket = result.ticket;
        }
        self.seen.push_back(Seen::Entered);
        self.page(result.page.unwrap_or_default(), now, out);
        // The first frame confirms the epoch.
        if !self.inbox.syncing {
            self.acknowledge(now, out);
        }
    }

    fn frame(
        &mut self,
        command: Command,
        body: Bytes,
        now: Millis,
        out: &mut Vec<u8>,
    ) -> Result<(), prost::DecodeError> {
        let refusal = match (command.kind, command.operation) {
            (Kind::Answer, Operation::Login) => {
                let mut answer = proto::LoginAnswer::decode(body)?;
                let refusal = answer.refusal.take();
                if refusal.is_none() {
                    self.logged_in(answer, now, out);
                }
                refusal
            }
            (Kind::Answer, Operation::Send) => {
                let answer = proto::SendAnswer::decode(body)?;
                match answer.refusal {
                    Some(refusal) if refusal.retryable && self.member.is_some() => {
                        let retry_after = Millis(u64::from(refusal.retry_after_ms));
                        self.seen.push_back(Seen::Refused { id: answer.id, retry_after });
                        None
                    }
                    None => {
                        self.seen.push_back(Seen::Stored { id: answer.id, seq: answer.seq });
                        self.own(answer.inbox_seq);
                        None
                    }
                    refusal => refusal,
                }
            }
            (Kind::Answer, Operation::History) => {
                let answer = proto::HistoryAnswer::decode(body)?;
                if let (Some(member), None) = (&mut self.member, &answer.refusal) {
                    member.page(&answer);
                }
                answer.refusal
            }
            (Kind::Answer, Operation::GroupAck) => proto::GroupAckAnswer::decode(body)?.refusal,
            (Kind::Notify, Operation::Group) => {
                if self.member.as_mut().is_some_and(|member| member.pushed(&body).is_none()) {
                    self.fail("GROUP.N cannot be read".into());
                }
                None
            }
            (Kind::Answer, Operation::Ack) => {
                let answer = proto::AckAnswer::decode(body)?;
                self.seen.push_back(Seen::Acknowledged);
                answer.refusal
            }
            (Kind::Answer, Operation::Sync) => {
                let mut answer = proto::SyncAnswer::decode(body)?;
                let refusal = answer.refusal.take();
                if refusal.is_none() {
                    self.page(answer, now, out);
                }
                refusal
            }
            (Kind::Answer, Operation::Keepalive) => {
                let answer = proto::KeepaliveAnswer::decode(body)?;
                self.seen.push_back(Seen::Alive);
                self.note_head(answer.inbox_head, now, out);
                answer.refusal
            }
            (Kind::Notify, Operation::Message) => {
                for entry in proto::MessageNotify::decode(body)?.entries {
                    self.entry(entry);
                }
                None
            }
            (Kind::Notify, Operation::Receipt) => {
                for receipt in proto::ReceiptNotify::decode(body)?.receipts {
                    if receipt.delivered_seq > 0 {
                        self.seen.push_back(Seen::Delivered { seq: receipt.delivered_seq });
                    }
                }
                None
            }
            (Kind::Notify, Operation::Hint) => {
                self.note_head(proto::HintNotify::decode(body)?.inbox_head, now, out);
                None
            }
            (Kind::Notify, Operation::Close) => proto::CloseNotify::decode(body)?.refusal,
            // The session may be over before its last answer is written.
            (Kind::Notify, Operation::Kickout) if self.logs_out => {
                self.leave();
                self.seen.push_back(Seen::Answered { body: Bytes::new() });
                None
            }
            (Kind::Notify, Operation::Kickout | Operation::Goaway) => {
                self.fail(format!("the server ended the session: {:?}", command.operation));
                None
            }
            (Kind::Answer, operation) => {
                if operation == Operation::Logout {
                    // The server closes the connection behind it.
                    self.leave();
                }
                self.seen.push_back(Seen::Answered { body });
                None
            }
            _ => None,
        };
        if let Some(refusal) = refusal {
            self.fail(format!("{:?} refused: {:?} {}", command.operation, refusal.code(), refusal.text));
        }
        Ok(())
    }

    fn own(&mut self, inbox_seq: u64) {
        if inbox_seq > self.inbox.cursor {
            self.inbox.ahead.insert(inbox_seq, None);
            self.drain();
        }
    }

    fn entry(&mut self, entry: proto::InboxEntry) {
        if entry.inbox_seq == self.inbox.cursor + 1 && self.inbox.ahead.is_empty() {
            return self.apply(entry);
        }
        if entry.inbox_seq > self.inbox.cursor {
            self.inbox.ahead.entry(entry.inbox_seq).or_insert(Some(entry));
            self.drain();
        } else {
            // The server repeats what it thinks is unknown here.
            self.inbox.ack_wanted = true;
        }
    }

    fn drain(&mut self) {
        while let Some(next) = self.inbox.ahead.remove(&(self.inbox.cursor + 1)) {
            match next {
                Some(entry) => self.apply(entry),
                None => self.inbox.cursor += 1,
            }
        }
    }

    fn apply(&mut self, entry: proto::InboxEntry) {
        self.inbox.cursor = entry.inbox_seq;
        self.inbox.ack_wanted = true;
        if let Some(What::Entry(row)) = entry.what
            && !row.own
        {
            self.seen.push_back(Seen::Received { entry: Box::new(row) });
        }
    }

    fn page(&mut self, page: proto::SyncAnswer, now: Millis, out: &mut Vec<u8>) {
        self.inbox.syncing = false;
        if page.reset {
            return self.fail("the server asked for a reset".into());
        }
        self.inbox.log_epoch = page.log_epoch;
        for entry in page.entries {
            self.entry(entry);
        }
        self.drain();
        if page.more {
            self.sync(now, out);
        } else {
            self.seen.push_back(Seen::CaughtUp);
        }
    }

    fn note_head(&mut self, head: u64, now: Millis, out: &mut Vec<u8>) {
        let known = self.inbox.ahead.last_key_value().map_or(self.inbox.cursor, |(&highest, _)| highest);
        if head > known && !self.inbox.syncing {
            self.repairs += 1;
            self.sync(now, out);
        }
    }

    /// The end of a burst: one acknowledgement for all of it.
    fn finish(&mut self, now: Millis, out: &mut Vec<u8>) {
        if self.connection.is_none() {
            return;
        }
        if self.inbox.ack_wanted && !self.inbox.syncing {
            self.acknowledge(now, out);
        }
        if self.inbox.ahead.is_empty() {
            self.inbox.gap_since = None;
        } else if self.inbox.gap_since.is_none() {
            self.inbox.gap_since = Some(now);
        }
        self.finish_group(now, out);
    }

    /// Asks for what is missing of the group, and acknowledges now and then what is there.
    fn finish_group(&mut self, now: Millis, out: &mut Vec<u8>) {
        let Some(member) = &mut self.member else { return };
        let (missing_after, acknowledged) = (member.history_wanted(), member.acknowledgement());
        if missing_after.is_none() && acknowledged.is_none() {
            return;
        }
        let group = member.group().to_owned();
        if let Some(after_seq) = missing_after {
            let (id, limit) = (self.next_id(), limits::HISTORY_ENTRIES_MAX);
            let request = proto::HistoryRequest { id, group: group.clone(), after_seq, limit, ..Default::default() };
            self.request(Operation::History, &request, now, out);
        }
        if let Some(seq) = acknowledged {
            let cursors = vec![proto::GroupCursor { group, seq }];
            let request = proto::GroupAckRequest { id: self.next_id(), cursors };
            self.request(Operation::GroupAck, &request, now, out);
        }
    }
}

impl Machine for Puppet {
    fn connected(&mut self, now: Millis, out: &mut Vec<u8>) {
        let mut ephemeral = [0; 32];
        getrandom::fill(&mut ephemeral).expect("the system gives randomness");
        self.hang_up = false;
        self.inbox.syncing = false;
        let key = &self.stage.key;
        self.connection = Some(match &mut self.entrance {
            Entrance::Pass(pass) => {
                pass.epoch += 1;
                self.pass = Some(pass.clone());
                let offer = proto::ResumeOffer {
                    inbox_cursor: self.inbox.cursor,
                    log_epoch: self.inbox.log_epoch,
                    limit: limits::SYNC_ENTRIES_MAX,
                };
                let proof = ResumeProof { ticket: &pass.ticket, epoch: pass.epoch, secret: &pass.secret };
                match self.by {
                    By::Tcp => Connection::client_resume(key, proof, &offer, ephemeral, now, out),
                    _ => Connection::tls_client_resume(proof, &offer, now, out),
                }
            }
            _ if self.by == By::Tcp => Connection::client_login(key, ephemeral, now, out),
            _ => Connection::tls_client_login(now),
        });
        if self.by != By::Tcp && !matches!(self.entrance, Entrance::Pass(_)) {
            self.log_in(now, out);
        }
    }

    fn received(&mut self, now: Millis, bytes: &[u8], out: &mut Vec<u8>) {
        let mut input = bytes;
        while let Some(connection) = &mut self.connection {
            match connection.receive(now, &mut input, out) {
                Ok(Some(Event::Ready)) => self.log_in(now, out),
                Ok(Some(Event::Resumed(result))) => self.resumed(*result, now, out),
                Ok(Some(Event::Refused(refusal))) => self.fail(format!("refused in clear: {}", refusal.text)),
                Ok(Some(Event::Frame(command, body))) => {
                    if let Err(error) = self.frame(command, body, now, out) {
                        self.fail(format!("{:?} cannot be read: {error}", command.operation));
                    }
                }
                Ok(Some(Event::Resume { .. } | Event::Unknown { .. })) => self.fail("a request from the server".into()),
                Ok(None) => break,
                Err(violation) => self.fail(format!("the server broke the protocol: {violation}")),
            }
        }
        self.finish(now, out);
    }

    fn disconnected(&mut self, _now: Millis) {
        if self.connection.take().is_some() {
            self.seen.push_back(Seen::Failed("the server closed the connection".into()));
        } else if !self.hang_up {
            self.seen.push_back(Seen::Failed("could not connect".into()));
        }
    }

    fn wants_hang_up(&mut self) -> bool {
        std::mem::take(&mut self.hang_up)
    }
}
