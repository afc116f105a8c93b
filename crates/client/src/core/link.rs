//! The life of the link to the server: dial, log in or resume, break, back off, stop (spec appendix B, spec 31, 32).

use hongyan_fault::mutant;
use hongyan_wire::command::Operation;
use hongyan_wire::noise::{Ephemeral, ResumeProof};
use hongyan_wire::{Command, Connection, Millis, Violation, proto};

use super::config::{Credential, Keep};
use super::event::Event;
use super::rows::{Row, Session};
use super::{Core, Effect};

/// Where the link stands.
#[derive(Clone, Debug, PartialEq)]
pub enum Link {
    /// Not started.
    Idle,
    /// The shell was asked to dial.
    Connecting,
    /// Keys for a login are being agreed.
    Handshaking,
    /// A session is being continued.
    Resuming,
    /// The credential is being checked.
    Authing,
    /// A session is open.
    Live,
    /// The link broke; it is tried again by itself.
    Broken {
        /// From when it broke until the next attempt.
        retry_in_ms: u64,
        /// What happened.
        reason: BreakReason,
    },
    /// Nothing happens until [`crate::Core::start`] is called again.
    Stopped(StopReason),
}

/// Why a link broke.
#[derive(Clone, Debug, PartialEq)]
pub enum BreakReason {
    /// The connection could not be made, or was closed.
    Disconnected,
    /// The server was not reached in time.
    ConnectTimeout,
    /// The server broke the protocol, or was silent for too long.
    Violation(Violation),
    /// An answer that the session cannot go on without was refused or did not come.
    Refused(proto::Refusal),
    /// The server said nothing to a request it must answer.
    NoAnswer,
    /// The gate closes for maintenance.
    Goaway,
}

/// Why a link stays down.
#[derive(Clone, Debug, PartialEq)]
pub enum StopReason {
    /// Another login took this session's place, or it was revoked. Never log in again by oneself (spec 55).
    Kicked(proto::KickoutNotify),
    /// At resume the server said that the session has ended.
    SessionEnded(proto::Refusal),
    /// The credential was refused.
    LoginRefused(proto::Refusal),
    /// The server speaks another version of the protocol.
    Unsupported(proto::Refusal),
    /// The credential belongs to another user than the kept messages.
    OtherUser {
        /// The user of the credential.
        user: String,
    },
    /// The application logged out.
    LoggedOut,
    /// The shell cannot go on, because the local store failed; the client is no more.
    Failed(String),
}

impl Link {
    /// A session is open.
    pub fn is_live(&self) -> bool {
        matches!(self, Self::Live)
    }
}

/// The shell must have dialled in so long.
const CONNECT_DEADLINE: Millis = Millis::seconds(10);
/// The longest back-off: with an attempt that hangs before it and one that works after it, a device is back within the 60 s
/// that are promised (I11).
const BACK_OFF_SECONDS_MAX: u64 = 30;
/// Refusals in a row, with no session between them, after which it is believed that this version is not spoken any more:
/// a server says so, too, when one bit of a header was changed on the way.
const UNSUPPORTED_MAX: u32 = 3;
/// A session that was live for so long forgives earlier failures.
const STABLE_AFTER: Millis = Millis::seconds(2);

/// What the core knows about its link.
pub(super) struct LinkControl {
    pub(super) state: Link,
    pub(super) connection: Option<Connection>,
    /// Failures in a row; the exponent of the back-off.
    failures: u32,
    /// End of the back-off, or the latest time for the shell to have dialled.
    wake: Option<Millis>,
    live_since: Millis,
    /// Where a closing gate has sent us.
    gate: Option<String>,
    /// The session was refused, perhaps by somebody on the path: log in, but keep it until the login is sent.
    log_in_next: bool,
    skip_back_off: bool,
    /// Refusals in a row that say that this version is not spoken any more.
    unsupported: u32,
    last_id: u32,
}

impl LinkControl {
    pub(super) fn new() -> Self {
        Self {
            state: Link::Idle,
            connection: None,
            failures: 0,
            wake: None,
            live_since: Millis(0),
            gate: None,
            log_in_next: false,
            skip_back_off: false,
            unsupported: 0,
            last_id: 1,
        }
    }

    pub(super) fn next_id(&mut self) -> u32 {
        self.last_id = self.last_id.wrapping_add(1);
        self.last_id
    }

    pub(super) fn deadline(&self) -> Option<Millis> {
        let connection = self.connection.as_ref().map(|connection| {
            let deadline = connection.deadline();
            if self.state.is_live() { deadline.min(connection.heartbeat_due()) } else { deadline }
        });
        earliest([self.wake, connection])
    }
}

/// The earliest of some deadlines.
pub(super) fn earliest<const N: usize>(deadlines: [Option<Millis>; N]) -> Option<Millis> {
    deadlines.into_iter().flatten().min()
}

impl Core {
    pub(super) fn set_link(&mut self, state: Link) {
        self.link.state = state.clone();
        self.tell(Event::Link(state));
    }

    pub(super) fn dial(&mut self, now: Millis) {
        self.link.wake = (!mutant!("dial without end")).then_some(now + CONNECT_DEADLINE);
        let gate = self.link.gate.take();
        self.effects.push_back(Effect::Connect { gate });
        self.set_link(Link::Connecting);
    }

    /// The dialled connection stands: continue the session, or log in.
    pub(super) fn open(&mut self, now: Millis, ephemeral: Ephemeral) {
        self.link.wake = None;
        self.link.last_id = 1;
        let key = self.config.server_key;
        let log_in = std::mem::take(&mut self.link.log_in_next);
        let offer = proto::ResumeOffer {
            inbox_cursor: self.inbox.cursor(),
            log_epoch: self.inbox.log_epoch(),
            limit: self.config.sync_entries,
        };
        let connection = match &mut self.session {
            Some(session) if !log_in => {
                session.epoch += 1;
                let proof = ResumeProof { ticket: &session.ticket, epoch: session.epoch, secret: &session.secret };
                let connection = Connection::client_resume(&key, proof, &offer, ephemeral, now, &mut self.out);
                self.keep_session();
                self.set_link(Link::Resuming);
                connection
            }
            _ => {
                let connection = Connection::client_login(&key, ephemeral, now, &mut self.out);
                self.set_link(Link::Handshaking);
                connection
            }
        };
        self.link.connection = Some(connection);
    }

    /// Keys of a login are agreed.
    pub(super) fn log_in(&mut self, now: Millis) {
        let credential = match self.config.credential.clone() {
            Credential::Token(token) => proto::login_request::Credential::Token(token),
            Credential::Password { user, password } => {
                proto::login_request::Credential::Password(proto::PasswordCredential { user, password })
            }
        };
        let request = proto::LoginRequest {
            id: self.link.next_id(),
            app: self.config.app.clone(),
            device_id: self.config.device_id.clone(),
            term: self.config.term.into(),
            client: self.config.client.clone(),
            credential: Some(credential),
        };
        // The login ends the device's earlier session, also if its answer never comes: that must not be resumed and then
        // taken for revoked.
        if self.session.is_some() && !mutant!("old session kept during a login") {
            self.forget_session();
        }
        self.set_link(Link::Authing);
        self.write(now, Operation::Login, &request);
    }

    pub(super) fn login_answered(&mut self, now: Millis, answer: proto::LoginAnswer) {
        if self.link.state != Link::Authing {
            return self.broken(now, BreakReason::Violation(Violation::WrongState));
        }
        if let Some(refusal) = answer.refusal {
            return if refusal.retryable {
                self.broken(now, BreakReason::Refused(refusal))
            } else {
                self.stop(StopReason::LoginRefused(refusal))
            };
        }
        let Ok(secret) = <[u8; 32]>::try_from(&answer.resume_secret[..]) else {
            return self.broken(now, BreakReason::Violation(Violation::Malformed));
        };
        match &self.user {
            Some(user) if *user != answer.user => return self.stop(StopReason::OtherUser { user: answer.user }),
            Some(_) => {}
            None => {
                self.user = Some(answer.user.clone());
                self.keep(|| Row::User(answer.user.clone()));
            }
        }
        self.session = Some(Session { user: answer.user.clone(), ticket: answer.ticket, secret, epoch: 0 });
        self.keep_session();
        if let Some(connection) = &mut self.link.connection {
            connection.set_authenticated();
        }
        self.live(now, answer.user, false);
        self.inbox_after_login(now, answer.inbox_cursor, answer.inbox_head, answer.log_epoch);
        self.groups_live(now);
        self.ask_missed_receipts(now);
    }

    pub(super) fn resumed(&mut self, now: Millis, result: proto::ResumeResult) {
        if let Some(refusal) = result.refusal {
            return self.session_refused(now, refusal);
        }
        let Some(session) = &mut self.session else {
            return self.broken(now, BreakReason::Violation(Violation::WrongState));
        };
        if !result.ticket.is_empty() {
            session.ticket = result.ticket;
        }
        let user = session.user.clone();
        self.keep_session();
        self.live(now, user, true);
        self.inbox_after_resume(now, result.page);
        self.groups_live(now);
        self.ask_missed_receipts(now);
    }

    fn live(&mut self, now: Millis, user: String, resumed: bool) {
        self.link.live_since = now;
        self.link.unsupported = 0;
        self.set_link(Link::Live);
        self.tell(Event::LoggedIn { user, resumed });
    }

    /// Under the session's keys, the server says that this session cannot be used.
    pub(super) fn session_refused(&mut self, now: Millis, refusal: proto::Refusal) {
        match refusal.code() {
            proto::RefusalCode::Kicked | proto::RefusalCode::Revoked => {
                self.forget_session();
                self.stop(StopReason::SessionEnded(refusal));
            }
            _ => {
                self.link.log_in_next = !refusal.retryable;
                self.broken(now, BreakReason::Refused(refusal));
            }
        }
    }

    /// A refusal in clear: anybody may have said it, so nothing is forgotten because of it.
    pub(super) fn refused_in_clear(&mut self, now: Millis, refusal: proto::Refusal) {
        if self.is_unsupported(&refusal) {
            return self.stop(StopReason::Unsupported(refusal));
        }
        if self.link.state == Link::Resuming && !refusal.retryable {
            self.link.log_in_next = true;
            self.link.skip_back_off = true;
        }
        self.broken(now, BreakReason::Refused(refusal));
    }

    fn is_unsupported(&mut self, refusal: &proto::Refusal) -> bool {
        let says_so = refusal.code() == proto::RefusalCode::UnsupportedVersion;
        self.link.unsupported = if says_so { self.link.unsupported + 1 } else { 0 };
        self.link.unsupported >= UNSUPPORTED_MAX
    }

    pub(super) fn kicked(&mut self, notify: proto::KickoutNotify) {
        self.forget_session();
        self.stop(StopReason::Kicked(notify));
    }

    pub(super) fn closed_by_server(&mut self, now: Millis, notify: proto::CloseNotify) {
        let refusal = notify.refusal.unwrap_or_default();
        if self.is_unsupported(&refusal) {
            return self.stop(StopReason::Unsupported(refusal));
        }
        match refusal.code() {
            proto::RefusalCode::Kicked | proto::RefusalCode::Revoked if self.link.state.is_live() => {
                self.session_refused(now, refusal);
            }
            _ => self.broken(now, BreakReason::Refused(refusal)),
        }
    }

    pub(super) fn go_away(&mut self, now: Millis, notify: proto::GoawayNotify) {
        self.link.gate = notify.gates.into_iter().next();
        // A random part of the time: all clients of the gate hear this at once.
        let wait = self.jitter.up_to(u64::from(notify.reconnect_after_ms));
        self.lose(now);
        self.effects.push_back(Effect::Disconnect);
        self.back_off(now, wait, BreakReason::Goaway);
    }

    pub(super) fn forget_session(&mut self) {
        self.session = None;
        self.keep_session();
    }

    fn keep_session(&mut self) {
        let session = &self.session;
        if self.config.keep == Keep::Messages {
            self.rows.push(Row::Session(session.clone()));
        }
    }

    /// Gives the connection up and tries again later.
    pub(super) fn broken(&mut self, now: Millis, reason: BreakReason) {
        if matches!(self.link.state, Link::Idle | Link::Broken { .. } | Link::Stopped(_)) {
            return;
        }
        self.effects.push_back(Effect::Disconnect);
        self.broken_by_peer(now, reason);
    }

    /// As [`Core::broken`], when the socket is already gone.
    pub(super) fn broken_by_peer(&mut self, now: Millis, reason: BreakReason) {
        let was_live = self.link.state.is_live();
        if self.link.state == Link::Resuming && matches!(reason, BreakReason::Violation(_)) {
            // A server that lost its memory cannot prove a refusal either; a login can never do harm.
            self.link.log_in_next = true;
        }
        self.lose(now);
        if was_live && now - self.link.live_since >= STABLE_AFTER {
            self.link.failures = 0;
        }
        let wait = if std::mem::take(&mut self.link.skip_back_off) {
            0
        } else {
            let seconds = (1_u64 << self.link.failures.min(5)).min(BACK_OFF_SECONDS_MAX);
            self.link.failures = self.link.failures.saturating_add(1);
            self.jitter.up_to(seconds * 1000)
        };
        self.back_off(now, wait, reason);
    }

    fn back_off(&mut self, now: Millis, wait_ms: u64, reason: BreakReason) {
        self.link.wake = Some(now + Millis(wait_ms));
        self.set_link(Link::Broken { retry_in_ms: wait_ms, reason });
        if wait_ms == 0 {
            self.dial(now);
        }
    }

    pub(super) fn stop(&mut self, reason: StopReason) {
        if matches!(self.link.state, Link::Stopped(_)) {
            return;
        }
        // The time does not matter: nothing is sent any more, so nothing is measured.
        self.lose(self.link.live_since);
        self.link.wake = None;
        self.link.failures = 0;
        self.link.unsupported = 0;
        self.effects.push_back(Effect::Disconnect);
        self.set_link(Link::Stopped(reason));
    }

    /// Everything that belonged to the connection ends with it.
    fn lose(&mut self, now: Millis) {
        self.link.connection = None;
        self.out.clear();
        self.outbox.link_lost(now);
        self.inbox.link_lost();
        self.reads.link_lost();
        self.conversations.link_lost();
        self.groups.link_lost();
        self.fail_requests();
    }

    pub(super) fn link_timeout(&mut self, now: Millis) {
        if self.link.wake.is_some_and(|wake| wake <= now) {
            self.link.wake = None;
            match self.link.state {
                Link::Connecting => self.broken(now, BreakReason::ConnectTimeout),
                Link::Broken { .. } => self.dial(now),
                _ => {}
            }
        }
        let Some(connection) = &mut self.link.connection else { return };
        if let Err(violation) = connection.handle_timeout(now, &mut self.out) {
            return self.broken(now, BreakReason::Violation(violation));
        }
        if self.link.state.is_live() && connection.heartbeat_due() <= now {
            let request = proto::KeepaliveRequest { id: self.link.next_id() };
            self.write(now, Operation::Keepalive, &request);
        }
    }

    pub(super) fn network_has_changed(&mut self, now: Millis) {
        match self.link.state {
            Link::Broken { .. } => self.dial(now),
            Link::Idle | Link::Stopped(_) => {}
            _ => self.link.skip_back_off = true,
        }
    }

    /// Writes a request if there is a connection.
    pub(super) fn write(&mut self, now: Millis, operation: Operation, message: &impl prost::Message) {
        let Some(connection) = &mut self.link.connection else { return };
        if let Err(violation) = connection.write_message(Command::request(operation), message, now, &mut self.out) {
            self.broken(now, BreakReason::Violation(violation));
        }
    }
}
