//! The sessions that are connected to this gate (spec 19), each with the mailbox of its one connection.

use std::sync::Arc;

use hongyan_cluster::IdMap;
use hongyan_domain::id::SessionId;
use hongyan_fault::mutant;

use crate::link::Link;
use crate::sync::{Mutex, MutexGuard};

/// Locks that share the table; any number does.
const SLOTS: usize = 64;

#[derive(Default)]
struct Slot {
    links: IdMap<SessionId, Arc<Link>>,
    /// Sessions of which a batch of sends is worked on, and the connection that waits for its end.
    sending: IdMap<SessionId, Option<Arc<Link>>>,
}

impl Slot {
    fn is_current(&self, session: SessionId, link: &Arc<Link>) -> bool {
        self.links.get(&session).is_some_and(|known| Arc::ptr_eq(known, link))
    }
}

/// Mailboxes by session.
pub struct Table {
    slots: Box<[Mutex<Slot>]>,
}

impl Default for Table {
    fn default() -> Self {
        Self { slots: (0..SLOTS).map(|_| Mutex::default()).collect() }
    }
}

impl Table {
    /// A session uses this connection from now on, if it is allowed; gives the one it used before. That is asked while no
    /// other connection can come in between: of two, the one that is allowed last must also be the one that stays here.
    pub fn insert_if(
        &self,
        session: SessionId,
        link: &Arc<Link>,
        allowed: impl FnOnce() -> bool,
    ) -> Option<Option<Arc<Link>>> {
        let mut slot = self.slot(session);
        allowed().then(|| slot.links.insert(session, link.clone()))
    }

    /// The session's connection is gone; false if it uses another by now.
    pub fn remove(&self, session: SessionId, link: &Arc<Link>) -> bool {
        let mut slot = self.slot(session);
        let current = slot.is_current(session, link);
        if current {
            slot.links.remove(&session);
        }
        current
    }

    /// Whether a connection may have a batch of its session's sends worked on now. If another batch is, the connection
    /// is woken at its end; a connection that has lost its session may never.
    pub fn begin_sends(&self, session: SessionId, link: &Arc<Link>) -> bool {
        let mut slot = self.slot(session);
        if !slot.is_current(session, link) {
            return false;
        }
        match slot.sending.get_mut(&session) {
            Some(waiting) if !mutant!("two batches in flight") => {
                *waiting = Some(link.clone());
                false
            }
            _ => {
                slot.sending.insert(session, None);
                true
            }
        }
    }

    /// The batch is done.
    pub fn end_sends(&self, session: SessionId) {
        let waiting = self.slot(session).sending.remove(&session).flatten();
        if let Some(link) = waiting {
            link.tell(|_| {});
        }
    }

    /// The mailbox of a session.
    pub fn get(&self, session: SessionId) -> Option<Arc<Link>> {
        self.slot(session).links.get(&session).cloned()
    }

    /// All mailboxes, in the order of their numbers.
    pub fn all(&self) -> Vec<Arc<Link>> {
        let lock = |slot: &Mutex<Slot>| -> Vec<_> {
            slot.lock().expect("nothing panics while it is held").links.values().cloned().collect()
        };
        let mut all: Vec<_> = self.slots.iter().flat_map(lock).collect();
        all.sort_unstable_by_key(|link| link.number);
        all
    }

    fn slot(&self, session: SessionId) -> MutexGuard<'_, Slot> {
        // Session ids are random: any byte spreads them.
        self.slots[session.0[0] as usize % SLOTS].lock().expect("nothing panics while it is held")
    }
}
