//! The directory of who is where (spec 16). Soft state: gates announce, nothing here survives a restart or has to.

use hongyan_domain::id::{SessionId, UserId};
use hongyan_domain::session::Term;
use hongyan_fault::mutant;
use smallvec::SmallVec;

use crate::id_map::IdMap;
use crate::sync::Mutex;

/// Locks that share the directory; any number does.
const SLOTS: usize = 64;

/// One session of a user.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Route {
    /// The session.
    pub session: SessionId,
    /// Its kind of device.
    pub term: Term,
    /// Number of its current connection; only grows.
    pub epoch: u32,
    /// False while the session is suspended: present, but without a connection.
    pub connected: bool,
}

type Slot = IdMap<UserId, SmallVec<[Route; 1]>>;

/// The directory.
pub struct Router {
    slots: Box<[Mutex<Slot>]>,
}

impl Default for Router {
    fn default() -> Self {
        Self { slots: (0..SLOTS).map(|_| Mutex::default()).collect() }
    }
}

impl Router {
    /// A connection of a session is confirmed. False, and nothing changes, if the session has been seen with this or a
    /// later epoch.
    pub fn register(&self, user: UserId, route: Route) -> bool {
        self.with(user, |slot| {
            let routes = slot.entry(user).or_default();
            match routes.iter_mut().find(|known| known.session == route.session) {
                Some(known) if known.epoch >= route.epoch => false,
                Some(known) => {
                    *known = route;
                    true
                }
                None => {
                    routes.push(route);
                    true
                }
            }
        })
    }

    /// The connection of this epoch is lost; a later connection is untouched.
    pub fn suspend(&self, user: UserId, session: SessionId, epoch: u32) {
        self.with(user, |slot| {
            let routes = slot.get_mut(&user).into_iter().flatten();
            for route in routes.filter(|route| route.session == session && route.epoch == epoch) {
                route.connected = mutant!("suspended is connected");
            }
        });
    }

    /// Forgets a session unless it has been seen with a later epoch.
    pub fn unregister(&self, user: UserId, session: SessionId, epoch: u32) {
        self.with(user, |slot| {
            let Some(routes) = slot.get_mut(&user) else { return };
            let later = |route: &Route| route.epoch > epoch && !mutant!("old hold ends new connection");
            routes.retain(|route| route.session != session || later(route));
            if routes.is_empty() {
                slot.remove(&user);
            }
        });
    }

    /// All sessions of a user, suspended ones too.
    pub fn routes(&self, user: UserId) -> SmallVec<[Route; 1]> {
        self.with(user, |slot| slot.get(&user).cloned().unwrap_or_default())
    }

    /// The sessions of a user that have a connection.
    pub fn connected(&self, user: UserId) -> SmallVec<[SessionId; 2]> {
        self.with(user, |slot| {
            let routes = slot.get(&user).into_iter().flatten();
            routes.filter(|route| route.connected).map(|route| route.session).collect()
        })
    }

    /// The last confirmed epoch of a session, if it is known here.
    pub fn epoch(&self, user: UserId, session: SessionId) -> Option<u32> {
        self.routes(user).iter().find(|route| route.session == session).map(|route| route.epoch)
    }

    fn with<R>(&self, user: UserId, act: impl FnOnce(&mut Slot) -> R) -> R {
        // The low bits of an id are its shard, and few shards may live here: mix them.
        let slot = (user.0 as u64).wrapping_mul(0x9E37_79B9_7F4A_7C15) >> 32;
        let mut slot = self.slots[slot as usize % SLOTS].lock().expect("nothing panics while it is held");
        act(&mut slot)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const USER: UserId = UserId(7);
    const SESSION: SessionId = SessionId([1; 16]);

    fn route(epoch: u32) -> Route {
        Route { session: SESSION, term: Term::Pc, epoch, connected: true }
    }

    #[test]
    fn an_older_connection_never_removes_a_newer_one() {
        let router = Router::default();
        assert!(router.register(USER, route(1)));
        assert!(router.register(USER, route(2)));
        assert!(!router.register(USER, route(2)), "an epoch is confirmed once");
        assert!(!router.register(USER, route(1)));
        router.suspend(USER, SESSION, 1);
        router.unregister(USER, SESSION, 1);
        assert_eq!(router.connected(USER).as_slice(), [SESSION]);
        router.suspend(USER, SESSION, 2);
        assert!(router.connected(USER).is_empty());
        assert_eq!(router.epoch(USER, SESSION), Some(2));
        router.unregister(USER, SESSION, 2);
        assert_eq!(router.epoch(USER, SESSION), None);
    }
}
