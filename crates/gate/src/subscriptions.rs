//! Which sessions that are connected here get what is published in which room (spec 67). A subscription ends with its
//! connection; the session enters the room again to have it on the next one. Who is in a room is the cluster's to know.

use std::collections::BTreeSet;

use hongyan_cluster::IdMap;
use hongyan_domain::id::{ConversationId, SessionId};
use smallvec::SmallVec;

use crate::sync::Mutex;

#[derive(Default)]
struct Inner {
    /// In an order that does not depend on a map, so that a simulator sees the same every time.
    sessions: IdMap<ConversationId, BTreeSet<SessionId>>,
    rooms: IdMap<SessionId, SmallVec<[ConversationId; 1]>>,
}

/// Sessions by room.
#[derive(Default)]
pub struct Subscriptions(Mutex<Inner>);

impl Subscriptions {
    /// Subscribes, if the session is connected. That is asked while no disconnection can come in between: it takes the
    /// session out of the table first and then calls [`Subscriptions::remove_all`].
    pub fn insert_if(&self, session: SessionId, room: ConversationId, connected: impl FnOnce() -> bool) -> bool {
        let mut inner = self.0.lock().expect("nothing panics while it is held");
        if !connected() {
            return false;
        }
        if inner.sessions.entry(room).or_default().insert(session) {
            inner.rooms.entry(session).or_default().push(room);
        }
        true
    }

    /// Ends one subscription.
    pub fn remove(&self, session: SessionId, room: ConversationId) {
        let mut inner = self.0.lock().expect("nothing panics while it is held");
        if let Some(rooms) = inner.rooms.get_mut(&session) {
            rooms.retain(|known| *known != room);
            if rooms.is_empty() {
                inner.rooms.remove(&session);
            }
        }
        inner.leave(session, room);
    }

    /// Ends all subscriptions of a session.
    pub fn remove_all(&self, session: SessionId) {
        let mut inner = self.0.lock().expect("nothing panics while it is held");
        for room in inner.rooms.remove(&session).into_iter().flatten() {
            inner.leave(session, room);
        }
    }

    /// The sessions of a room.
    pub fn of(&self, room: ConversationId) -> Vec<SessionId> {
        let inner = self.0.lock().expect("nothing panics while it is held");
        inner.sessions.get(&room).map_or_else(Vec::new, |sessions| sessions.iter().copied().collect())
    }
}

impl Inner {
    fn leave(&mut self, session: SessionId, room: ConversationId) {
        if let Some(sessions) = self.sessions.get_mut(&room) {
            sessions.remove(&session);
            if sessions.is_empty() {
                self.sessions.remove(&room);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_subscription_ends_with_its_connection_or_its_room() {
        let (ann, bob) = (SessionId([1; 16]), SessionId([2; 16]));
        let (one, two) = (ConversationId(1), ConversationId(2));
        let subscriptions = Subscriptions::default();
        assert!(!subscriptions.insert_if(ann, one, || false));
        for (session, room) in [(ann, one), (ann, one), (ann, two), (bob, one)] {
            assert!(subscriptions.insert_if(session, room, || true));
        }
        assert_eq!((subscriptions.of(one), subscriptions.of(two)), (vec![ann, bob], vec![ann]));
        subscriptions.remove(ann, one);
        assert_eq!((subscriptions.of(one), subscriptions.of(two)), (vec![bob], vec![ann]));
        subscriptions.remove_all(ann);
        subscriptions.remove_all(bob);
        let inner = subscriptions.0.lock().unwrap();
        assert!(inner.sessions.is_empty() && inner.rooms.is_empty());
    }
}
