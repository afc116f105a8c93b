//! The behaviour of a client as a state machine: bytes, commands and time in; bytes, effects and events out.
//!
//! After every input the driver takes the outputs in this order, which is what makes a crash at any point harmless:
//! [`Core::poll_effect`] until empty (rows are kept *before* anything is acknowledged or sent),
//! [`Core::take_output`] (bytes for the socket), [`Core::poll_event`] until empty (for the application). It calls
//! [`Core::timeout`] at [`Core::deadline`]. No socket, clock, randomness or thread lives here.

//!
//! One file per noun: [`link`], `outbox`, `inbox`, `conversations`, `groups`, `reads`, `requests`, and what they are made
//! of: [`config`], [`event`], [`peer`], [`rows`].

pub mod config;
mod conversations;
mod early;
pub mod event;
mod groups;
mod inbox;
mod jitter;
pub mod link;
mod outbox;
pub mod peer;
pub(crate) mod ranges;
mod reads;
mod requests;
pub mod rows;

use std::collections::{BTreeMap, VecDeque};

use bytes::Bytes;
use hongyan_fault::mutant;
use hongyan_wire::command::{Kind, Operation};
use hongyan_wire::noise::Ephemeral;
use hongyan_wire::{Command, Millis, Violation, proto};
use prost::{DecodeError, Message};

use config::{Config, Credential, Keep};
use conversations::Conversations;
use event::{Answer, Event, Request, SendError, Token};
use groups::Groups;
use inbox::Inbox;
use jitter::Jitter;
use link::{BreakReason, Link, LinkControl, earliest};
use outbox::Outbox;
use peer::Peer;
use reads::Reads;
use requests::Pending;
use rows::{ConversationRow, GroupRow, OutboxRow, Restored, Row, Session};

/// What the driver must do.
#[derive(Debug)]
pub enum Effect {
    /// Keep these rows in one transaction, before anything that follows.
    Persist(Vec<Row>),
    /// Dial, then call [`Core::connected`] or [`Core::disconnected`].
    Connect {
        /// `host:port` of another gate that a closing gate has named; absent = the configured address.
        gate: Option<String>,
    },
    /// Close the socket, and stop dialling; [`Core::disconnected`] need not be called.
    Disconnect,
}

/// A text or typed message for a person or a group, to be given to [`Core::send`].
pub fn new_message(
    peer: impl Into<Peer>,
    client_message_id: [u8; 16],
    kind: proto::BodyType,
    body: impl Into<Bytes>,
) -> proto::SendRequest {
    proto::SendRequest {
        to: Some(peer.into().into()),
        client_message_id: Bytes::copy_from_slice(&client_message_id),
        r#type: kind.into(),
        body: body.into(),
        ..Default::default()
    }
}

/// One client.
pub struct Core {
    config: Config,
    link: LinkControl,
    session: Option<Session>,
    user: Option<String>,
    inbox: Inbox,
    outbox: Outbox,
    conversations: Conversations,
    groups: Groups,
    reads: Reads,
    /// Requests on this connection, by id.
    pending: BTreeMap<u32, Pending>,
    requests_check_at: Option<Millis>,
    jitter: Jitter,
    out: Vec<u8>,
    rows: Vec<Row>,
    effects: VecDeque<Effect>,
    events: VecDeque<Event>,
}

impl Core {
    /// A client that is not started. Restored messages that were not sent yet are told as [`Event::Outgoing`].
    pub fn new(config: Config, restored: Restored) -> Self {
        let user = restored.user.or_else(|| restored.session.as_ref().map(|session| session.user.clone()));
        let mut core = Self {
            link: LinkControl::new(),
            user,
            session: restored.session,
            inbox: Inbox::restore(restored.inbox),
            outbox: Outbox::restore(restored.outbox),
            conversations: Conversations::restore(restored.conversations, restored.list_wanted),
            groups: Groups::restore(restored.groups, restored.groups_token),
            reads: Reads::restore(restored.reads),
            pending: BTreeMap::new(),
            requests_check_at: None,
            jitter: Jitter::new(config.jitter_seed),
            out: Vec::new(),
            rows: Vec::new(),
            effects: VecDeque::new(),
            events: VecDeque::new(),
            config,
        };
        core.tell_restored_outbox();
        core
    }

    /// Begins, or begins again after [`Link::Stopped`]: the user's wish to be connected.
    pub fn start(&mut self, now: Millis) {
        if matches!(self.link.state, Link::Idle | Link::Stopped(_)) {
            self.dial(now);
        }
    }

    /// Replaces the credential of the next login, for example an expired token.
    pub fn set_credential(&mut self, credential: Credential) {
        self.config.credential = credential;
    }

    /// The network has changed: the next attempt does not wait.
    pub fn network_changed(&mut self, now: Millis) {
        self.network_has_changed(now);
    }

    /// The dialled connection stands. `ephemeral` is fresh and secret.
    pub fn connected(&mut self, now: Millis, ephemeral: Ephemeral) {
        if self.link.state == Link::Connecting {
            self.open(now, ephemeral);
        }
    }

    /// Bytes from the socket, in one burst.
    pub fn received(&mut self, now: Millis, bytes: &[u8]) {
        let mut input = bytes;
        while let Some(connection) = &mut self.link.connection {
            match connection.receive(now, &mut input, &mut self.out) {
                Ok(Some(event)) => self.wire_event(now, event),
                Ok(None) => break,
                Err(violation) => self.broken(now, BreakReason::Violation(violation)),
            }
        }
        self.finish(now);
    }

    /// The connection could not be made, or is gone.
    pub fn disconnected(&mut self, now: Millis) {
        if !matches!(self.link.state, Link::Idle | Link::Broken { .. } | Link::Stopped(_)) {
            self.broken_by_peer(now, BreakReason::Disconnected);
        }
    }

    /// [`Core::deadline`] has come. May be called at any time.
    pub fn timeout(&mut self, now: Millis) {
        self.link_timeout(now);
        self.inbox_timeout(now);
        self.outbox_timeout(now);
        self.reads_timeout(now);
        self.list_timeout(now);
        self.groups_timeout(now);
        self.requests_timeout(now);
        self.finish(now);
    }

    /// Puts a message (see [`new_message`]) into the outbox; gives its `local` number. `written_ms` is the time of
    /// writing since 1970, for display.
    pub fn send(&mut self, now: Millis, request: proto::SendRequest, written_ms: u64) -> Result<u64, SendError> {
        let local = self.enqueue(request, written_ms)?;
        self.finish(now);
        Ok(local)
    }

    /// Tries a failed message again, with the same client_message_id. False if there is no such failed message.
    pub fn resend(&mut self, now: Millis, local: u64) -> bool {
        let found = self.resend_failed(local);
        self.finish(now);
        found
    }

    /// Forgets a failed message. False if there is no such failed message.
    pub fn discard(&mut self, local: u64) -> bool {
        self.discard_failed(local)
    }

    /// The user has read everything up to `seq`. Repeated until the server confirms; marks never go down.
    pub fn mark_read(&mut self, now: Millis, peer: impl Into<Peer>, seq: u64) {
        let peer = peer.into();
        let moved = match &peer {
            Peer::Person(user) => self.mark_here(user, seq),
            Peer::Group(group) => self.mark_group_here(group, seq),
        };
        if moved {
            self.queue_read(&peer, seq);
        }
        self.finish(now);
    }

    /// Tells the server what of groups is stored here, without waiting for more: the application leaves a group's screen,
    /// or goes to the background.
    pub fn acknowledge_groups(&mut self, now: Millis) {
        self.acknowledge_groups_now(now);
        self.finish(now);
    }

    /// Tells that the user is typing, or stopped; dropped unless the link is live.
    pub fn typing(&mut self, now: Millis, peer: impl Into<Peer>, stopped: bool) {
        if self.link.state.is_live() {
            let (user, group) = peer.into().fields();
            let request = proto::TypingRequest { id: self.link.next_id(), user, stopped, group };
            self.write(now, Operation::Typing, &request);
        }
    }

    /// Asks the server; the answer comes as [`Event::Answered`] with this token.
    pub fn request(&mut self, now: Millis, token: Token, request: Request) {
        self.ask(now, token, request);
    }

    /// The next thing to do, if any.
    pub fn poll_effect(&mut self) -> Option<Effect> {
        if self.rows.len() > 1 && mutant!("rows kept one by one") {
            return Some(Effect::Persist(vec![self.rows.remove(0)]));
        }
        if !self.rows.is_empty() {
            return Some(Effect::Persist(std::mem::take(&mut self.rows)));
        }
        self.effects.pop_front()
    }

    /// Moves the bytes for the socket to the end of `into`.
    pub fn take_output(&mut self, into: &mut Vec<u8>) {
        into.append(&mut self.out);
    }

    /// The next thing to tell, if any.
    pub fn poll_event(&mut self) -> Option<Event> {
        self.events.pop_front()
    }

    /// When [`Core::timeout`] must be called at the latest; `None` = nothing waits.
    pub fn deadline(&self) -> Option<Millis> {
        earliest([
            self.link.deadline(),
            self.inbox.deadline(),
            self.outbox.deadline(),
            self.reads.deadline(),
            self.conversations.deadline(),
            self.groups.deadline(),
            self.requests_check_at,
        ])
    }

    /// Where the link stands.
    pub fn link(&self) -> &Link {
        &self.link.state
    }

    /// Every inbox entry up to here was applied; 0 before the first login.
    pub fn inbox_cursor(&self) -> u64 {
        self.inbox.cursor()
    }

    /// The user of the session, once there is or was one.
    pub fn user(&self) -> Option<&str> {
        self.user.as_deref()
    }

    /// Conversations by name. With [`crate::Keep::Nothing`] they carry numbers only.
    pub fn conversations(&self) -> impl Iterator<Item = &ConversationRow> {
        self.conversations.rows()
    }

    /// The conversation with this person, if there is one.
    pub fn conversation(&self, user: &str) -> Option<&ConversationRow> {
        self.conversations.row(user)
    }

    /// Groups by id. With [`crate::Keep::Nothing`] they carry no messages.
    pub fn groups(&self) -> impl Iterator<Item = &GroupRow> {
        self.groups.rows()
    }

    /// The group with this id, if the user is or was a member of it.
    pub fn group(&self, group: &str) -> Option<&GroupRow> {
        self.groups.row(group)
    }

    /// All groups are known, as of a moment after the login.
    pub fn groups_are_complete(&self) -> bool {
        self.groups.list_is_complete()
    }

    /// The conversation list was read from the server to its end.
    pub fn list_is_complete(&self) -> bool {
        self.conversations.list_is_complete()
    }

    /// Messages on their way out, in the order of writing.
    pub fn outbox(&self) -> impl Iterator<Item = OutboxRow> {
        self.outbox.rows()
    }

    /// Messages the server has not confirmed yet, without the failed ones.
    pub fn unsent(&self) -> usize {
        self.outbox.unsent()
    }

    fn tell(&mut self, event: Event) {
        self.events.push_back(event);
    }

    fn keep(&mut self, row: impl FnOnce() -> Row) {
        if self.config.keep == Keep::Messages {
            self.rows.push(row());
        }
    }

    /// The end of every input: acknowledge, then send what may be sent.
    fn finish(&mut self, now: Millis) {
        self.finish_inbox(now);
        self.pump_list(now);
        self.pump_groups(now);
        self.pump_reads(now);
        self.pump_outbox(now);
        self.finish_conversations();
        self.finish_groups();
    }

    fn wire_event(&mut self, now: Millis, event: hongyan_wire::Event) {
        match event {
            hongyan_wire::Event::Ready => self.log_in(now),
            hongyan_wire::Event::Resumed(result) => self.resumed(now, *result),
            hongyan_wire::Event::Refused(refusal) => self.refused_in_clear(now, refusal),
            hongyan_wire::Event::Frame(command, body) => {
                if self.frame(now, command, body).is_err() {
                    self.broken(now, BreakReason::Violation(Violation::Malformed));
                }
            }
            // Only servers are told these.
            hongyan_wire::Event::Resume { .. } | hongyan_wire::Event::Unknown { .. } => {}
        }
    }

    fn frame(&mut self, now: Millis, command: Command, body: Bytes) -> Result<(), DecodeError> {
        let early = matches!(command.operation, Operation::Login | Operation::Close);
        if !early && !self.link.state.is_live() {
            self.broken(now, BreakReason::Violation(Violation::WrongState));
            return Ok(());
        }
        match command.kind {
            Kind::Answer => self.answer(now, command.operation, body),
            Kind::Notify => self.notify(now, command.operation, body),
            // The wire gives no requests to a client.
            Kind::Request => Ok(()),
        }
    }

    fn answer(&mut self, now: Millis, operation: Operation, body: Bytes) -> Result<(), DecodeError> {
        match operation {
            Operation::Send => {
                let answer = proto::SendAnswer::decode(body)?;
                if let Some(Pending::Send(local)) = self.pending.remove(&answer.id) {
                    self.send_answered(now, local, answer);
                }
            }
            Operation::Ack => self.ack_answered(now, proto::AckAnswer::decode(body)?),
            Operation::Sync => {
                let answer = proto::SyncAnswer::decode(body)?;
                self.page_answered(now, answer.id, answer);
            }
            Operation::Keepalive => self.heartbeat_answered(now, proto::KeepaliveAnswer::decode(body)?),
            Operation::Login => self.login_answered(now, proto::LoginAnswer::decode(body)?),
            Operation::MarkRead => {
                let answer = proto::MarkReadAnswer::decode(body)?;
                if let Some(Pending::Read { peer, seq }) = self.pending.remove(&answer.id) {
                    self.read_answered(now, &peer, seq, &answer);
                }
            }
            Operation::Conversations => {
                let mut answer = proto::ConversationsAnswer::decode(body)?;
                match self.pending.remove(&answer.id) {
                    Some(Pending::List(hidden)) => self.list_answered(answer, &hidden),
                    Some(Pending::Application(asked)) => {
                        self.answered(now, *asked, answer.refusal.take(), Answer::Conversations(answer));
                    }
                    _ => {}
                }
            }
            Operation::Receipts => {
                let mut answer = proto::ReceiptsAnswer::decode(body)?;
                match self.pending.remove(&answer.id) {
                    Some(Pending::Receipts) => self.note_receipts(answer.receipts),
                    Some(Pending::Application(asked)) => {
                        self.answered(now, *asked, answer.refusal.take(), Answer::Receipts(answer));
                    }
                    _ => {}
                }
            }
            Operation::History => {
                let mut answer = proto::HistoryAnswer::decode(body)?;
                match self.pending.remove(&answer.id) {
                    Some(Pending::GroupGap { group, hidden }) => self.gap_answered(now, &group, answer, &hidden),
                    Some(Pending::Application(asked)) => {
                        self.answered(now, *asked, answer.refusal.take(), Answer::History(answer));
                    }
                    _ => {}
                }
            }
            Operation::Groups => {
                let mut answer = proto::GroupsAnswer::decode(body)?;
                match self.pending.remove(&answer.id) {
                    Some(Pending::Groups(hidden)) => self.groups_answered(answer, &hidden),
                    Some(Pending::Application(asked)) => {
                        self.answered(now, *asked, answer.refusal.take(), Answer::Groups(answer));
                    }
                    _ => {}
                }
            }
            Operation::GroupAck => {
                let answer = proto::GroupAckAnswer::decode(body)?;
                if let Some(Pending::GroupAck(cursors)) = self.pending.remove(&answer.id) {
                    self.group_ack_answered(now, cursors, answer.refusal.as_ref());
                }
            }
            Operation::CreateGroup => {
                let mut answer = proto::CreateGroupAnswer::decode(body)?;
                let refusal = answer.refusal.take();
                self.application_answered(now, answer.id, refusal, Answer::GroupCreated(answer));
            }
            Operation::ChangeGroup => {
                let mut answer = proto::ChangeGroupAnswer::decode(body)?;
                let refusal = answer.refusal.take();
                self.application_answered(now, answer.id, refusal, Answer::GroupChanged(answer));
            }
            Operation::JoinGroup => {
                let mut answer = proto::JoinGroupAnswer::decode(body)?;
                let refusal = answer.refusal.take();
                self.application_answered(now, answer.id, refusal, Answer::GroupJoined(answer));
            }
            Operation::GroupMembers => {
                let mut answer = proto::GroupMembersAnswer::decode(body)?;
                let refusal = answer.refusal.take();
                self.application_answered(now, answer.id, refusal, Answer::GroupMembers(answer));
            }
            Operation::GroupReceipts => {
                let mut answer = proto::GroupReceiptsAnswer::decode(body)?;
                let refusal = answer.refusal.take();
                self.application_answered(now, answer.id, refusal, Answer::GroupReceipts(answer));
            }
            Operation::Search => {
                let mut answer = proto::SearchAnswer::decode(body)?;
                if let Some(Pending::Application(asked)) = self.pending.remove(&answer.id) {
                    self.answered(now, *asked, answer.refusal.take(), Answer::Found(answer));
                }
            }
            Operation::Recall | Operation::Edit | Operation::React => {
                let mut answer = proto::ChangeAnswer::decode(body)?;
                if let Some(Pending::Application(asked)) = self.pending.remove(&answer.id) {
                    self.answered(now, *asked, answer.refusal.take(), Answer::Changed(answer));
                }
            }
            Operation::AddFriend => {
                let mut answer = proto::AddFriendAnswer::decode(body)?;
                if let Some(Pending::Application(asked)) = self.pending.remove(&answer.id) {
                    self.answered(now, *asked, answer.refusal.take(), Answer::AddedFriend(answer));
                }
            }
            Operation::SetGroupings => {
                let mut answer = proto::SetGroupingsAnswer::decode(body)?;
                if let Some(Pending::Application(asked)) = self.pending.remove(&answer.id) {
                    self.answered(now, *asked, answer.refusal.take(), Answer::Groupings(answer));
                }
            }
            Operation::SetProfile => {
                let mut answer = proto::SetProfileAnswer::decode(body)?;
                if let Some(Pending::Application(asked)) = self.pending.remove(&answer.id) {
                    self.answered(now, *asked, answer.refusal.take(), Answer::ProfileSet(answer));
                }
            }
            Operation::Profiles => {
                let mut answer = proto::ProfilesAnswer::decode(body)?;
                if let Some(Pending::Application(asked)) = self.pending.remove(&answer.id) {
                    self.answered(now, *asked, answer.refusal.take(), Answer::Profiles(answer));
                }
            }
            Operation::Lists => {
                let mut answer = proto::ListsAnswer::decode(body)?;
                if let Some(Pending::Application(asked)) = self.pending.remove(&answer.id) {
                    self.answered(now, *asked, answer.refusal.take(), Answer::Lists(answer));
                }
            }
            Operation::Watch | Operation::GetPresence => {
                // These answers have the same fields.
                let answer = proto::WatchAnswer::decode(body)?;
                if let Some(Pending::Application(asked)) = self.pending.remove(&answer.id) {
                    self.answered(now, *asked, answer.refusal, Answer::Presences(answer.presences));
                }
            }
            Operation::Delete
            | Operation::SetPresence
            | Operation::Block
            | Operation::DecideFriend
            | Operation::RemoveFriend
            | Operation::NoteFriend
            | Operation::Logout => {
                // These answers have the same two fields.
                let answer = proto::LogoutAnswer::decode(body)?;
                if let Some(Pending::Application(asked)) = self.pending.remove(&answer.id) {
                    self.answered(now, *asked, answer.refusal, Answer::Done);
                }
            }
            // Nobody waits for it.
            Operation::Typing => {}
            // This client enters no rooms, and was no visitor.
            Operation::EnterRoom | Operation::LeaveRoom | Operation::ClaimVisitor => {}
            // No answers exist, or they are the wire's business.
            Operation::Handshake
            | Operation::Resume
            | Operation::Goaway
            | Operation::Rekey
            | Operation::Kickout
            | Operation::Close
            | Operation::Message
            | Operation::Receipt
            | Operation::Hint
            | Operation::Room
            | Operation::Group
            | Operation::Presence => {}
        }
        Ok(())
    }

    /// An answer that concerns nobody but the application.
    fn application_answered(&mut self, now: Millis, id: u32, refusal: Option<proto::Refusal>, answer: Answer) {
        if let Some(Pending::Application(asked)) = self.pending.remove(&id) {
            self.answered(now, *asked, refusal, answer);
        }
    }

    fn notify(&mut self, now: Millis, operation: Operation, body: Bytes) -> Result<(), DecodeError> {
        match operation {
            Operation::Message => self.pushed(now, proto::MessageNotify::decode(body)?),
            Operation::Group => self.group_pushed(now, proto::GroupNotify::decode(body)?),
            Operation::Receipt => self.note_receipts(proto::ReceiptNotify::decode(body)?.receipts),
            Operation::Hint => self.note_head(now, proto::HintNotify::decode(body)?.inbox_head),
            Operation::Typing => {
                let proto::TypingNotify { user, stopped, group } = proto::TypingNotify::decode(body)?;
                self.tell(Event::Typing { peer: Peer::of_fields(user.clone(), group), user, stopped });
            }
            Operation::Presence => {
                for presence in proto::PresenceNotify::decode(body)?.presences {
                    self.tell(Event::Presence(presence));
                }
            }
            Operation::Goaway => self.go_away(now, proto::GoawayNotify::decode(body)?),
            Operation::Kickout => self.kicked(proto::KickoutNotify::decode(body)?),
            Operation::Close => self.closed_by_server(now, proto::CloseNotify::decode(body)?),
            // A newer server may tell more than this client knows.
            _ => {}
        }
        Ok(())
    }
}
