//! Carries deliveries to the gates where sessions are connected. In one process it is a call.

use std::sync::{Arc, OnceLock, Weak};

use bytes::Bytes;
use hongyan_domain::id::{ClientId, ConversationId, SessionId, UserId};
use hongyan_domain::session::{EndReason, Term};
use hongyan_domain::time::UnixMillis;
use hongyan_wire::command::Operation;

use crate::router::Router;

/// A row of a conversation that a delivery or an answer carries to a session: when the session acknowledges
/// `inbox_seq`, `seq` has reached its user, and `author` may be told.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Reference {
    /// Number in the session's user's inbox.
    pub inbox_seq: u64,
    /// The conversation.
    pub conversation: ConversationId,
    /// Number in the conversation.
    pub seq: u64,
    /// Who wrote it.
    pub author: UserId,
    /// The author's id of it: the trace that connects msg:R with ack:N in the logs.
    pub trace: ClientId,
}

/// One notification for one session. Bodies of MESSAGE and RECEIPT may be joined by writing them one after another.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Delivery {
    /// The N packet.
    pub operation: Operation,
    /// Its encoded body.
    pub body: Bytes,
    /// For MESSAGE: what it carries.
    pub reference: Option<Reference>,
}

/// The end of a session, to be told to the gate that holds its connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Ending {
    /// Why.
    pub reason: EndReason,
    /// The term of the login that caused it, if one did.
    pub by_term: Option<Term>,
    /// When.
    pub time: UnixMillis,
}

/// A gate, as others reach it. Calls return at once; what cannot be queued is dropped and healed by sync.
pub trait Inlet: Send + Sync + 'static {
    /// Queues a delivery for a session's connection, if it is here.
    fn deliver(&self, session: SessionId, delivery: Delivery);

    /// Silences a session from now on, then tells it and closes.
    fn end(&self, session: SessionId, ending: Ending);
}

/// The bus inside one process: one gate, reached by calls.
#[derive(Default)]
pub struct Bus {
    router: Router,
    /// The gate uses the bus: it is not kept alive from here.
    gate: OnceLock<Weak<dyn Inlet>>,
}

impl Bus {
    /// Connects the gate; once.
    pub fn attach(&self, gate: Weak<dyn Inlet>) {
        assert!(self.gate.set(gate).is_ok(), "one process has one gate");
    }

    /// Who is where.
    pub fn router(&self) -> &Router {
        &self.router
    }

    /// Sends to every connected session of a user but one. Returns how many that are; that they are reached is not
    /// promised.
    pub fn push(&self, user: UserId, except: Option<SessionId>, delivery: &Delivery) -> usize {
        let Some(gate) = self.gate() else { return 0 };
        let sessions = self.router.connected(user);
        let mut reached = 0;
        for session in sessions.into_iter().filter(|session| Some(*session) != except) {
            gate.deliver(session, delivery.clone());
            reached += 1;
        }
        reached
    }

    /// Tells the gate of a session that it has ended.
    pub fn end(&self, session: SessionId, ending: Ending) {
        if let Some(gate) = self.gate() {
            gate.end(session, ending);
        }
    }

    fn gate(&self) -> Option<Arc<dyn Inlet>> {
        self.gate.get()?.upgrade()
    }
}
