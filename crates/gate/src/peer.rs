//! The life of one connection at the gate, without its socket: bytes, mail and time in; bytes and calls out.
//!
//! States: unauthenticated → (login | resume) → live → closed. After a resume the session's route and cursors change
//! only when the first frame has decrypted, which proves that the client holds the secret (design §4).

mod opening;

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;
use std::sync::Arc;

use bytes::Bytes;
use hongyan_cluster::bus::{Delivery, Ending, Reference};
use hongyan_cluster::refusal::refusal;
use hongyan_cluster::service::Reply;
use hongyan_domain::id::ConversationId;
use hongyan_domain::name::Name;
use hongyan_domain::refusal::Refusal;
use hongyan_domain::session::{Caller, EndReason};
use hongyan_fault::{kill_point, mutant};
use hongyan_wire::command::{Command, Operation};
use hongyan_wire::{Connection, Event, Millis, Violation, limits, proto};
use prost::Message;
use smallvec::SmallVec;

use crate::bucket::{Bucket, Rate};
use crate::call::{Call, Completion};
use crate::gate::Gate;
use crate::link::{Link, Mail};
use crate::ticket::Ticket;
use crate::unacknowledged::Unacknowledged;

/// SEND bodies that may wait for the batch in flight; then reading pauses.
const SENDS_WAITING_MAX: usize = 256;
/// Bytes of them; then reading pauses.
const SENDS_WAITING_BYTES_MAX: usize = 256 * 1024;
/// Other requests in flight of one connection; then reading pauses.
const REQUESTS_IN_FLIGHT_MAX: usize = 8;

/// Whether the connection goes on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[must_use]
pub enum Flow {
    /// It does.
    Continue,
    /// Write what is to be written, then close.
    Close,
}

/// What protects the bytes of a connection, and tells whether its client is there.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Protection {
    /// The connection itself: raw TCP.
    Noise,
    /// TLS around it, or nothing on the way from a proxy of this machine.
    Tls,
    /// The same; and whoever polls is there.
    Polls,
}

enum Phase {
    /// Nobody has been authenticated; `login_id` is set while logic looks at a login.
    Stranger { login_id: Option<u32>, refused: u32 },
    /// A resume's proof was right; logic reads what was missed.
    Resuming { id: u32, ticket: Ticket },
    /// A session speaks.
    Live(Box<Live>),
    /// Nothing more happens.
    Closed,
}

struct Live {
    caller: Arc<Caller>,
    epoch: u32,
    /// False between the answer to a resume and the first frame after it.
    confirmed: bool,
    log_epoch: u32,
    /// Token of the change feed from before a resume was read.
    token: u64,
    /// The cursor that a resume offered; it counts when the resume is confirmed.
    offered: u64,
    /// Acknowledged by the client.
    cursor: u64,
    /// The highest head the client was told; it cannot acknowledge more.
    told: u64,
    unacknowledged: Unacknowledged,
    sends_waiting: Vec<Bytes>,
    sends_waiting_bytes: usize,
    requests_in_flight: usize,
}

/// One connection.
pub struct Peer {
    gate: Arc<Gate>,
    connection: Connection,
    link: Arc<Link>,
    ip: IpAddr,
    connected: Millis,
    phase: Phase,
    bucket: Bucket,
    calls: Vec<Call>,
}

impl Peer {
    /// A connection that was just accepted.
    pub fn new(gate: Arc<Gate>, link: Arc<Link>, ip: IpAddr, protection: Protection, now: Millis) -> Self {
        let connection = match protection {
            Protection::Noise => {
                let mut ephemeral = [0; 32];
                gate.environment.random(&mut ephemeral);
                Connection::server(gate.key.clone(), ephemeral, now)
            }
            Protection::Tls => Connection::tls_server(now),
            Protection::Polls => Connection::tls_server(now).without_heartbeat(),
        };
        let bucket = Bucket::full(gate.stranger_rate(), now);
        let phase = Phase::Stranger { login_id: None, refused: 0 };
        Self { gate, connection, link, ip, connected: now, phase, bucket, calls: Vec::new() }
    }

    /// Bytes from the socket.
    pub fn received(&mut self, now: Millis, mut input: &[u8], out: &mut Vec<u8>) -> Flow {
        self.gate.measures.bytes_in.add(input.len() as u64);
        loop {
            let event = match self.connection.receive(now, &mut input, out) {
                Ok(Some(event)) => event,
                Ok(None) => break,
                Err(violation) => return self.violated(violation),
            };
            self.gate.measures.frames_in.add(1);
            if let Err(violation) = self.event(now, event, out) {
                self.connection.write_close(now, violation, out);
                return self.violated(violation);
            }
            if matches!(self.phase, Phase::Closed) {
                return Flow::Close;
            }
        }
        self.start_sends();
        Flow::Continue
    }

    fn violated(&mut self, violation: Violation) -> Flow {
        self.gate.measures.violations.add(1);
        self.gate.report_violation(self.ip, violation);
        Flow::Close
    }

    fn event(&mut self, now: Millis, event: Event, out: &mut Vec<u8>) -> Result<(), Violation> {
        let within_rate = self.bucket.take(self.rate(), now);
        match event {
            Event::Resume { id, ticket, epoch, noise } => self.resume(id, &ticket, epoch, &noise, out),
            Event::Frame(command, body) => {
                if !self.connection.is_authenticated() {
                    return self.stranger_frame(now, command, &body, within_rate);
                }
                self.confirm()?;
                self.frame(now, command.operation, body, out)
            }
            Event::Unknown { command, id } => {
                self.confirm()?;
                self.answer_unknown(now, command, id, out)
            }
            Event::Ready | Event::Resumed(_) | Event::Refused(_) => Err(Violation::WrongState),
        }
    }

    fn rate(&self) -> Rate {
        match self.phase {
            Phase::Live(_) => self.gate.frame_rate(),
            _ => self.gate.stranger_rate(),
        }
    }

    fn frame(&mut self, now: Millis, operation: Operation, body: Bytes, out: &mut Vec<u8>) -> Result<(), Violation> {
        let Phase::Live(live) = &mut self.phase else { return Err(Violation::WrongState) };
        // A session that has ended says nothing more, even if its connection does not know yet.
        if self.link.is_silent() {
            return Ok(());
        }
        match operation {
            Operation::Send => {
                kill_point!("K2");
                live.sends_waiting_bytes += body.len();
                live.sends_waiting.push(body);
            }
            Operation::Ack => {
                // For the server this is as if the push had been sent and never acknowledged.
                kill_point!("K8");
                let request = proto::AckRequest::decode(body).map_err(|_| Violation::Malformed)?;
                let inbox_cursor = self.acknowledge(request.inbox_cursor)?;
                let answer = proto::AckAnswer { id: request.id, refusal: None, inbox_cursor };
                self.write(now, Command::answer(Operation::Ack), &answer.encode_to_vec(), out);
            }
            Operation::Keepalive => {
                let request = proto::KeepaliveRequest::decode(body).map_err(|_| Violation::Malformed)?;
                let inbox_head = self.link.head();
                live.told = live.told.max(inbox_head);
                let answer =
                    proto::KeepaliveAnswer { id: request.id, refusal: None, inbox_head, log_epoch: live.log_epoch };
                self.write(now, Command::answer(Operation::Keepalive), &answer.encode_to_vec(), out);
            }
            Operation::Logout => {
                let request = proto::LogoutRequest::decode(body).map_err(|_| Violation::Malformed)?;
                self.calls.push(Call::Logout(live.caller.session, request.id));
            }
            Operation::Sync => {
                let request = proto::SyncRequest::decode(body.clone()).map_err(|_| Violation::Malformed)?;
                // A cursor of another log epoch, or beyond the head, is answered with a reset and proves nothing.
                if request.log_epoch == live.log_epoch && request.inbox_cursor <= live.told {
                    self.acknowledge(request.inbox_cursor)?;
                }
                self.request(operation, body);
            }
            _ => self.request(operation, body),
        }
        Ok(())
    }

    fn request(&mut self, operation: Operation, body: Bytes) {
        let Phase::Live(live) = &mut self.phase else { return };
        live.requests_in_flight += 1;
        self.calls.push(Call::Request(live.caller.clone(), operation, body));
    }

    /// The client has everything up to a cursor. Returns the cursor that holds now.
    fn acknowledge(&mut self, cursor: u64) -> Result<u64, Violation> {
        let Phase::Live(live) = &mut self.phase else { return Err(Violation::WrongState) };
        if cursor > live.told {
            return Err(Violation::WrongState);
        }
        if cursor <= live.cursor {
            return Ok(live.cursor);
        }
        kill_point!("K9");
        live.cursor = cursor;
        let reached =
            live.unacknowledged.take(if mutant!("ack covers what is under way") { live.told } else { cursor });
        let delivered: SmallVec<[(ConversationId, u64); 4]> =
            reached.iter().map(|reference| (reference.conversation, reference.seq)).collect();
        self.gate.progress.record(&live.caller, cursor, &delivered);
        for reference in reached {
            self.gate.tell_delivered(&live.caller, reference);
        }
        Ok(cursor)
    }

    fn answer_unknown(&mut self, now: Millis, command: u32, id: u32, out: &mut Vec<u8>) -> Result<(), Violation> {
        self.connection.write_unknown(command, id, refusal(&Refusal::UnknownCommand), now, out)
    }

    /// Starts the next batch of sends, if it is the session's turn; otherwise mail comes when it is.
    fn start_sends(&mut self) {
        let Phase::Live(live) = &mut self.phase else { return };
        if live.sends_waiting.is_empty() {
            return;
        }
        let Some(turn) = self.gate.send_turn(live.caller.session, &self.link) else { return };
        live.sends_waiting_bytes = 0;
        let bodies = std::mem::take(&mut live.sends_waiting);
        self.calls.push(Call::Send(turn, live.caller.clone(), bodies));
    }

    /// What is in the mailbox.
    pub fn mail(&mut self, now: Millis, mail: Mail, out: &mut Vec<u8>) -> Flow {
        if mail.superseded {
            self.leave_quietly();
            return Flow::Close;
        }
        if let Some(ending) = mail.ending {
            return self.ended(now, ending, out);
        }
        if mail.timer
            && let Err(violation) = self.connection.handle_timeout(now, out)
        {
            return self.violated(violation);
        }
        for completion in mail.completions {
            if self.completed(now, completion, out) == Flow::Close {
                return Flow::Close;
            }
        }
        self.write_deliveries(now, &Vec::from(mail.deliveries), out);
        self.tell_missed(now, mail.rooms_behind, out);
        self.tell_groups_behind(now, mail.groups_behind, out);
        if mail.dropped {
            self.gate.measures.hints.add(1);
            self.hint(now, 0, out);
        } else if let Some(head) = mail.behind {
            self.gate.measures.hints.add(1);
            self.hint(now, head, out);
        }
        if let Some(reconnect_after_ms) = mail.goaway_ms {
            let goaway = proto::GoawayNotify { reconnect_after_ms, gates: Vec::new() };
            self.write(now, Command::notify(Operation::Goaway), &goaway.encode_to_vec(), out);
            return Flow::Close;
        }
        self.start_sends();
        Flow::Continue
    }

    fn completed(&mut self, now: Millis, completion: Completion, out: &mut Vec<u8>) -> Flow {
        match completion {
            Completion::Login(result) => self.logged_in(now, result, out),
            Completion::Resume(result) => self.resumed(now, result, out),
            Completion::Send(Ok(replies)) => {
                for reply in replies {
                    self.reply(now, Operation::Send, reply, out);
                }
                Flow::Continue
            }
            Completion::Request(operation, reply) => {
                if let Phase::Live(live) = &mut self.phase {
                    live.requests_in_flight -= 1;
                }
                self.reply(now, operation, reply, out);
                Flow::Continue
            }
            Completion::Head(Ok((head, _))) => {
                if let Phase::Live(live) = &self.phase
                    && head > live.told
                {
                    self.hint(now, head, out);
                }
                Flow::Continue
            }
            Completion::Logout(id, Ok(())) => {
                let answer = proto::LogoutAnswer { id, refusal: None };
                self.write(now, Command::answer(Operation::Logout), &answer.encode_to_vec(), out);
                if let Phase::Live(live) = std::mem::replace(&mut self.phase, Phase::Closed) {
                    self.gate.forget_session(&live.caller, live.epoch, &self.link);
                }
                Flow::Close
            }
            Completion::Logout(id, Err(reason)) => {
                let answer = proto::LogoutAnswer { id, refusal: Some(refusal(&reason)) };
                self.write(now, Command::answer(Operation::Logout), &answer.encode_to_vec(), out);
                Flow::Continue
            }
            // It ended between the reading of the resume and its confirmation, when nobody could be told.
            Completion::Head(Err(Refusal::Kicked)) => self.ended(now, self.ending(EndReason::SameTermLogin), out),
            Completion::Head(Err(Refusal::Revoked)) => self.ended(now, self.ending(EndReason::Revoked), out),
            // Without a definite answer the client must ask again on a new connection.
            Completion::Send(Err(_)) | Completion::Head(Err(_)) | Completion::Lost => Flow::Close,
        }
    }

    fn reply(&mut self, now: Millis, operation: Operation, reply: Reply, out: &mut Vec<u8>) {
        if let Some(inbox_seq) = reply.written {
            self.tell(inbox_seq);
        }
        self.remember(reply.references);
        if let (Phase::Live(live), false) = (&self.phase, reply.delivered.is_empty()) {
            self.gate.progress.record(&live.caller, 0, &reply.delivered);
        }
        self.write(now, Command::answer(operation), &reply.body, out);
    }

    fn tell(&mut self, inbox_seq: u64) {
        self.link.set_written(inbox_seq);
        if let Phase::Live(live) = &mut self.phase {
            live.told = live.told.max(inbox_seq);
        }
    }

    fn remember(&mut self, references: impl IntoIterator<Item = Reference>) {
        let Phase::Live(live) = &mut self.phase else { return };
        live.unacknowledged.add(references, live.cursor);
    }

    /// Writes pushes; neighbours of one kind share a frame, because their bodies are lists.
    fn write_deliveries(&mut self, now: Millis, deliveries: &[Delivery], out: &mut Vec<u8>) {
        if !matches!(self.phase, Phase::Live(_)) {
            return;
        }
        let mut joined: Vec<u8> = Vec::new();
        let mut at = 0;
        while let Some(first) = deliveries.get(at) {
            let joinable = matches!(first.operation, Operation::Message | Operation::Receipt);
            joined.clear();
            let mut end = at;
            while let Some(next) = deliveries.get(end) {
                let fits = joined.len() + next.body.len() <= limits::PAGE_BYTES_MAX;
                if end > at && !(fits && next.operation == first.operation && (joinable || of_one_group(first, next))) {
                    break;
                }
                joined.extend_from_slice(&next.body);
                if let Some(reference) = next.reference {
                    self.tell(reference.inbox_seq);
                    self.remember([reference]);
                    if let (Phase::Live(live), true) = (&self.phase, mutant!("delivered when written")) {
                        self.gate.tell_delivered(&live.caller, reference);
                    }
                }
                end += 1;
            }
            self.write(now, Command::notify(first.operation), &joined, out);
            at = end;
        }
    }

    /// Tells the client in which rooms it has missed something: by news without any.
    fn tell_missed(&mut self, now: Millis, rooms: BTreeSet<Name>, out: &mut Vec<u8>) {
        if !matches!(self.phase, Phase::Live(_)) {
            return;
        }
        for room in rooms {
            self.gate.measures.hints.add(1);
            let notify = proto::RoomNotify { room: room.to_string(), ..proto::RoomNotify::default() };
            self.write(now, Command::notify(Operation::Room), &notify.encode_to_vec(), out);
        }
    }

    /// Tells the client how far groups are of which it has missed something.
    fn tell_groups_behind(&mut self, now: Millis, groups: BTreeMap<Name, u64>, out: &mut Vec<u8>) {
        if !matches!(self.phase, Phase::Live(_)) {
            return;
        }
        for (group, head_seq) in groups {
            self.gate.measures.hints.add(1);
            let notify = proto::GroupNotify { group: group.to_string(), entries: Vec::new(), head_seq };
            self.write(now, Command::notify(Operation::Group), &notify.encode_to_vec(), out);
        }
    }

    /// Tells the client that it is behind; head 0 = the highest that is known here.
    fn hint(&mut self, now: Millis, head: u64, out: &mut Vec<u8>) {
        let Phase::Live(live) = &mut self.phase else { return };
        let inbox_head = head.max(self.link.head());
        live.told = live.told.max(inbox_head);
        let hint = proto::HintNotify { inbox_head };
        self.write(now, Command::notify(Operation::Hint), &hint.encode_to_vec(), out);
    }

    fn ending(&self, reason: EndReason) -> Ending {
        Ending { reason, by_term: None, time: self.gate.environment.wall_clock() }
    }

    /// The session has ended: tell it and close. Nothing of it survives here.
    fn ended(&mut self, now: Millis, ending: Ending, out: &mut Vec<u8>) -> Flow {
        self.gate.measures.sessions_ended.add(1);
        let reason = match ending.reason {
            EndReason::SameTermLogin => proto::KickoutReason::SameTermLogin,
            EndReason::Revoked => proto::KickoutReason::SessionRevoked,
            EndReason::LoggedOut => proto::KickoutReason::LoggedOut,
        };
        let kickout = proto::KickoutNotify {
            reason: reason.into(),
            by_term: ending.by_term.map_or(0, |term| term as i32),
            time_ms: ending.time.0,
        };
        self.write(now, Command::notify(Operation::Kickout), &kickout.encode_to_vec(), out);
        if let Phase::Live(live) = std::mem::replace(&mut self.phase, Phase::Closed)
            && !mutant!("kicked stays present")
        {
            self.gate.forget_session(&live.caller, live.epoch, &self.link);
        }
        Flow::Close
    }

    fn write(&mut self, now: Millis, command: Command, body: &[u8], out: &mut Vec<u8>) {
        self.gate.measures.frames_out.add(1);
        // Answers of logic are bounded below the frame limit; without keys nobody is there to be answered.
        if let Err(violation) = self.connection.write(command, body, now, out) {
            tracing::error!(?command, bytes = body.len(), %violation, "an answer could not be written");
        }
    }

    /// What logic is asked for; the shell takes it after every step.
    pub fn take_calls(&mut self) -> Vec<Call> {
        std::mem::take(&mut self.calls)
    }

    /// When reading may go on: `None` = now, `Some(None)` = when an answer of logic has come, `Some(Some(at))` = then.
    pub fn reading_paused(&self, now: Millis) -> Option<Option<Millis>> {
        if let Phase::Live(live) = &self.phase
            && (live.sends_waiting.len() >= SENDS_WAITING_MAX
                || live.sends_waiting_bytes >= SENDS_WAITING_BYTES_MAX
                || live.requests_in_flight >= REQUESTS_IN_FLIGHT_MAX)
        {
            return Some(None);
        }
        let solvent = self.bucket.solvent_at(self.rate());
        (solvent > now).then_some(Some(solvent))
    }

    /// When the connection's own deadlines need attention.
    pub fn deadline(&self) -> Millis {
        self.connection.deadline()
    }

    /// The socket is gone: the session, if there is one, is suspended.
    pub fn disconnected(&mut self) {
        if let Phase::Live(live) = std::mem::replace(&mut self.phase, Phase::Closed)
            && live.confirmed
            && !mutant!("lost connection leaves a ghost")
        {
            self.gate.suspend_session(&live.caller, live.epoch, &self.link);
        }
    }

    /// A later connection has the session: this one leaves no trace.
    fn leave_quietly(&mut self) {
        self.phase = Phase::Closed;
    }
}

impl Live {
    fn new(caller: Arc<Caller>, epoch: u32, log_epoch: u32, cursor: u64, told: u64) -> Self {
        Self {
            caller,
            epoch,
            confirmed: true,
            log_epoch,
            token: 0,
            offered: 0,
            cursor,
            told,
            unacknowledged: Unacknowledged::default(),
            sends_waiting: Vec::new(),
            sends_waiting_bytes: 0,
            requests_in_flight: 0,
        }
    }
}

/// Whether two pushes are news of the same group: their bodies begin with its name, and the rest is a list and a number
/// of which the last holds.
fn of_one_group(one: &Delivery, other: &Delivery) -> bool {
    let named = one.body.get(1).map_or(0, |length| usize::from(*length) + 2);
    one.operation == Operation::Group && named > 0 && one.body.get(..named) == other.body.get(..named)
}
