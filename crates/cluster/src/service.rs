//! What a gate asks of logic. A gate knows connections, sessions and cursors; it reads no message and makes no
//! decision about one, so bodies pass as bytes.

use std::net::IpAddr;
use std::sync::Arc;

use bytes::Bytes;
use hongyan_domain::change::{Changes, Since};
use hongyan_domain::environment::Pending;
use hongyan_domain::id::{ConversationId, SessionId};
use hongyan_domain::receipt::CursorAdvance;
use hongyan_domain::refusal::Refusal;
use hongyan_domain::session::{Caller, EndReason};
use hongyan_wire::command::Operation;
use hongyan_wire::proto;
use smallvec::SmallVec;

use crate::bus::Reference;

/// The connection on which somebody logs in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Origin {
    /// Its other end.
    pub address: IpAddr,
    /// Milliseconds since it began.
    pub age_ms: u64,
}

/// A login that was committed. The gate adds ticket and secret.
#[derive(Clone, Debug)]
pub struct LoggedIn {
    /// Who speaks from now on.
    pub caller: Caller,
    /// Heads and times for the answer; id, ticket and secret are left empty.
    pub answer: proto::LoginAnswer,
}

/// A resume that was read. Nothing has changed yet.
#[derive(Clone, Debug)]
pub struct Resumed {
    /// Who the session speaks for.
    pub caller: Caller,
    /// What was missed since the offered cursor.
    pub page: proto::SyncAnswer,
    /// What the page carries, and what the offered cursor acknowledges that no earlier connection did.
    pub references: Vec<Reference>,
    /// The offered cursor if it means anything here, otherwise 0.
    pub acknowledged: u64,
    /// Token of the change feed from before the reading, for [`Service::since`].
    pub token: u64,
}

/// The answer to one request.
#[derive(Clone, Debug, Default)]
pub struct Reply {
    /// The encoded A packet.
    pub body: Bytes,
    /// What it carries, for SYNC.
    pub references: Vec<Reference>,
    /// The session's user's inbox is written to the session up to here, if the answer says so.
    pub written: Option<u64>,
    /// What the request has said to be on the session's device, of groups.
    pub delivered: Vec<(ConversationId, u64)>,
}

/// The answers to one batch of sends, in order.
pub type SendReplies = SmallVec<[Reply; 4]>;

/// Logic, as a gate sees it. Every call is answered; refusals are encoded into answers.
pub trait Service: Send + Sync + 'static {
    /// Authenticates and opens a session. Sessions it ended have been told to their gates when this completes. Refuses with
    /// `Kicked` what began before the login of a session that it would end.
    fn login(&self, request: proto::LoginRequest, from: Origin) -> Pending<'_, Result<LoggedIn, Refusal>>;

    /// Reads a session and the page after its cursor; refuses with `Kicked`, `Revoked` or `ResumeFailed`.
    fn resume(&self, session: SessionId, offer: proto::ResumeOffer) -> Pending<'_, Result<Resumed, Refusal>>;

    /// One request other than SEND, ACK, KEEPALIVE and the link's own.
    fn request(&self, caller: Arc<Caller>, operation: Operation, body: Bytes) -> Pending<'_, Reply>;

    /// A batch of SEND bodies of one session, committed in order. `Err`: no definite answer exists; the gate closes the
    /// connection and the client sends again.
    fn send(&self, caller: Arc<Caller>, bodies: Vec<Bytes>) -> Pending<'_, Result<SendReplies, Refusal>>;

    /// Ends a session for good.
    fn end(&self, session: SessionId, reason: EndReason) -> Pending<'_, Result<(), Refusal>>;

    /// Stores cursors and delivered marks that the gate has collected.
    fn advance(&self, advances: Vec<CursorAdvance>) -> Pending<'_, Result<(), Refusal>>;

    /// A page of the change feed.
    fn changes(&self, token: u64) -> Pending<'_, Result<Changes, Refusal>>;

    /// What has happened to the caller's session and inbox after a token; `None` if only the store knows.
    fn since(&self, caller: &Caller, token: u64) -> Option<Since>;

    /// Newest inbox entry of the caller and the log epoch, after a resume was confirmed; refuses with `Kicked` or
    /// `Revoked` if the session has ended meanwhile.
    fn inbox_head(&self, caller: Arc<Caller>) -> Pending<'_, Result<(u64, u32), Refusal>>;
}
