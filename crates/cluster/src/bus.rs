//! Carries deliveries to the gates where sessions are connected. In one process it is a call.

use std::sync::{Arc, OnceLock, Weak};

use bytes::Bytes;
use hongyan_domain::id::{ClientId, ConversationId, SessionId, UserId};
use hongyan_domain::name::Name;
use hongyan_domain::refusal::Refusal;
use hongyan_domain::room::DisplayName;
use hongyan_domain::session::{EndReason, Term};
use hongyan_domain::time::UnixMillis;
use hongyan_wire::command::Operation;
use hongyan_wire::proto;
use prost::Message;

use crate::rooms::{Entrance, Passage, RoomLimits, Rooms};
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

/// News of a room, for everybody alike who is there.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Publication {
    /// The room.
    pub room: ConversationId,
    /// Its name on the wire.
    pub name: Name,
    /// The encoded body of ROOM.N.
    pub body: Bytes,
}

/// What has happened in a group, for the gates where its members are connected. Notices of one group arrive in the order of
/// its log.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum GroupNotice {
    /// Its log has grown.
    Entry {
        /// The group.
        group: ConversationId,
        /// Its name on the wire.
        name: Name,
        /// The entry's number.
        seq: u64,
        /// The entry as everybody gets it, an encoded `Entry`; empty if it was dropped on the way here.
        entry: Bytes,
    },
    /// Somebody gets it from this entry on.
    In {
        /// The group.
        group: ConversationId,
        /// Who.
        user: UserId,
        /// Nothing before this.
        from: u64,
    },
    /// Somebody gets nothing that comes after this notice.
    Out {
        /// The group.
        group: ConversationId,
        /// Who.
        user: UserId,
    },
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

    /// What is published in a room reaches the session's connection from now on; false if it has none here.
    fn subscribe(&self, session: SessionId, room: ConversationId) -> bool;

    /// And no longer.
    fn unsubscribe(&self, session: SessionId, room: ConversationId);

    /// Queues a publication for every connection here that has subscribed to its room, but one. A connection that misses
    /// it because too much waits is told that it has missed something there.
    fn publish(&self, except: Option<SessionId>, publication: &Publication);

    /// Queues what has happened in a group for every connection here that follows it.
    fn notice(&self, notice: GroupNotice);

    /// A session wants to follow its groups: what happens to its membership from now on is noticed. False if it has no
    /// connection here.
    fn begin_following(&self, session: SessionId) -> bool;

    /// The session's connection gets what happens in these groups from these entries on, and in no others. False, and
    /// nothing changes, if its membership has changed since it began: read it again.
    fn follow(&self, session: SessionId, groups: &[(ConversationId, u64)]) -> bool;

    /// Whether a session's connection gets what happens in a group.
    fn follows(&self, session: SessionId, group: ConversationId) -> bool;

    /// Queues a hint that nobody needs for the connections here that follow a group, but one; in large groups for none.
    fn whisper(&self, group: ConversationId, except: SessionId, delivery: &Delivery);

    /// Entries of a group that wait to be handed to connections.
    fn waiting_in(&self, group: ConversationId) -> usize;
}

/// The bus inside one process: one gate, reached by calls.
#[derive(Default)]
pub struct Bus {
    router: Router,
    rooms: Rooms,
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

    /// Who is in which room.
    pub fn rooms(&self) -> &Rooms {
        &self.rooms
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

    /// Tells the gate of a session that it has ended; the gate takes it out of its rooms.
    pub fn end(&self, session: SessionId, ending: Ending) {
        if let Some(gate) = self.gate() {
            gate.end(session, ending);
        }
    }

    /// A session enters a room, or comes back to it; see [`Rooms::enter`]. Its connection gets what is published from now
    /// on. A session whose connection is gone by now is taken as lost, at once.
    ///
    /// # Errors
    /// As [`Rooms::enter`].
    pub fn enter_room(
        &self,
        entrance: &Entrance,
        limits: RoomLimits,
        now_ms: u64,
    ) -> Result<Vec<DisplayName>, Refusal> {
        let Entrance { room, session, .. } = *entrance;
        let gate = self.gate();
        let mut is_connected = false;
        let names = self.rooms.enter(entrance, limits, |passage| {
            if let Some(gate) = &gate {
                passage.into_iter().for_each(|passage| tell_passage(gate, passage));
                is_connected = gate.subscribe(session, room);
            }
        });
        if names.is_ok() && !is_connected {
            self.rooms.lose(session, now_ms);
        }
        names
    }

    /// A session leaves a room, if it is there.
    pub fn leave_room(&self, room: ConversationId, session: SessionId) {
        let gate = self.gate();
        self.rooms.leave(room, session, |passage| out(gate.as_ref(), passage));
    }

    /// A session has ended: it leaves all its rooms.
    pub fn leave_rooms(&self, session: SessionId) {
        let gate = self.gate();
        self.rooms.leave_all(session, |passage| out(gate.as_ref(), passage));
    }

    /// Those leave their rooms whose connections were lost long ago.
    pub fn leave_expired(&self, now_ms: u64) {
        let gate = self.gate();
        self.rooms.expire(now_ms, |passage| out(gate.as_ref(), passage));
    }

    /// A room was removed: everybody leaves it, and is told about themselves only.
    pub fn close_room(&self, room: ConversationId) {
        let gate = self.gate();
        self.rooms.close(room, |passage| {
            let Some(gate) = &gate else { return };
            gate.unsubscribe(passage.session, passage.room);
            let body = passage_notify(passage);
            gate.deliver(passage.session, Delivery { operation: Operation::Room, body, reference: None });
        });
    }

    /// Sends to everybody who is in a room: once to each gate.
    pub fn publish(&self, publication: &Publication) {
        if let Some(gate) = self.gate() {
            gate.publish(None, publication);
        }
    }

    /// Tells the gates what has happened in a group.
    pub fn notice(&self, notice: GroupNotice) {
        if let Some(gate) = self.gate() {
            gate.notice(notice);
        }
    }

    /// See [`Inlet::begin_following`].
    pub fn begin_following(&self, session: SessionId) -> bool {
        self.gate().is_some_and(|gate| gate.begin_following(session))
    }

    /// See [`Inlet::follow`].
    pub fn follow(&self, session: SessionId, groups: &[(ConversationId, u64)]) -> bool {
        self.gate().is_none_or(|gate| gate.follow(session, groups))
    }

    /// See [`Inlet::follows`].
    pub fn follows(&self, session: SessionId, group: ConversationId) -> bool {
        self.gate().is_some_and(|gate| gate.follows(session, group))
    }

    /// See [`Inlet::whisper`].
    pub fn whisper(&self, group: ConversationId, except: SessionId, delivery: &Delivery) {
        if let Some(gate) = self.gate() {
            gate.whisper(group, except, delivery);
        }
    }

    /// The most entries of a group that wait at any gate: who sends faster than they are handed on has to wait.
    pub fn waiting_in(&self, group: ConversationId) -> usize {
        self.gate().map_or(0, |gate| gate.waiting_in(group))
    }

    fn gate(&self) -> Option<Arc<dyn Inlet>> {
        self.gate.get()?.upgrade()
    }
}

fn out(gate: Option<&Arc<dyn Inlet>>, passage: &Passage) {
    if let Some(gate) = gate {
        gate.unsubscribe(passage.session, passage.room);
        tell_passage(gate, passage);
    }
}

/// Tells the others.
fn tell_passage(gate: &Arc<dyn Inlet>, passage: &Passage) {
    let publication =
        Publication { room: passage.room, name: passage.room_name.clone(), body: passage_notify(passage) };
    gate.publish(Some(passage.session), &publication);
}

fn passage_notify(passage: &Passage) -> Bytes {
    let names = |name: &Option<DisplayName>| name.iter().map(DisplayName::to_string).collect();
    let notify = proto::RoomNotify {
        room: passage.room_name.to_string(),
        entries: Vec::new(),
        entered: names(&passage.entered),
        left: names(&passage.left),
    };
    notify.encode_to_vec().into()
}
