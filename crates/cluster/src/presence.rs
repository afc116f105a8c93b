//! Who watches whom, and what they were told (spec 60, 61). Soft state, as in [`crate::router`]: a watch ends with its
//! connection, what users have chosen to be with their last session, and a restart forgets everything. Time and who has a
//! session are given by the caller.
//!
//! A change of somebody who is watched is looked at again two seconds later: what it is then is told, if it is not what
//! was told before. So a session that comes back at once tells nothing, and whoever watches sees every state that lasts.

use std::collections::{BTreeMap, BTreeSet};

use hongyan_domain::id::{SessionId, UserId};
use hongyan_domain::name::Name;
use hongyan_domain::presence::{COALESCE_MS, Chosen, NOTIFIES_PER_SECOND_MAX, Presence};
use hongyan_domain::time::UnixMillis;

use crate::id_map::IdMap;
use crate::sync::{Mutex, MutexGuard};

/// Users of whom it is remembered when they were last there; beyond it, those who left first are forgotten.
const LAST_SEEN_MAX: usize = 100_000;

/// Somebody who may be looked at, and what of them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Subject {
    /// Who.
    pub user: UserId,
    /// Their name.
    pub name: Name,
    /// The onlooker may know when they were last there.
    pub tells_last_seen: bool,
}

/// What is told of somebody.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Sight {
    /// Whom.
    pub name: Name,
    /// How they are.
    pub presence: Presence,
    /// When they were last there; 0 if they are, or nobody knows, or the onlooker may not.
    pub last_seen: UnixMillis,
}

/// Somebody who is watched.
struct Watched {
    name: Name,
    tells_last_seen: bool,
    told: Presence,
    watchers: BTreeSet<SessionId>,
}

#[derive(Default)]
struct Inner {
    chosen: IdMap<UserId, Chosen>,
    last_seen: IdMap<UserId, UnixMillis>,
    /// In the order of leaving; some are outdated.
    left: std::collections::VecDeque<(UserId, UnixMillis)>,
    watched: IdMap<UserId, Watched>,
    watches: IdMap<SessionId, Vec<UserId>>,
    /// Who has changed, by the time when they are looked at again.
    changed: BTreeSet<(u64, UserId)>,
    changed_at: IdMap<UserId, u64>,
    /// The second in which notifications are counted, and how many there were.
    second: u64,
    notified: usize,
    generation: u64,
}

/// All of it.
#[derive(Default)]
pub struct Presences(Mutex<Inner>);

impl Presences {
    /// Whether a user has a session may have changed.
    pub fn moved(&self, user: UserId, has_session: bool, now_ms: u64, wall: UnixMillis) {
        let mut inner = self.lock();
        if !has_session && inner.chosen.remove(&user) != Some(Chosen::Invisible) {
            inner.leave(user, wall);
        }
        inner.change(user, now_ms);
    }

    /// A user wants to be seen otherwise. Whoever becomes invisible was last there now.
    pub fn choose(&self, user: UserId, chosen: Chosen, now_ms: u64, wall: UnixMillis) {
        let mut inner = self.lock();
        let before = inner.chosen.insert(user, chosen).unwrap_or_default();
        if chosen == Chosen::Invisible && before != Chosen::Invisible {
            inner.leave(user, wall);
        }
        inner.change(user, now_ms);
    }

    /// How somebody is, for whoever may know.
    pub fn look(&self, subject: &Subject, has_session: bool) -> Sight {
        let inner = self.lock();
        let presence = inner.presence(subject.user, has_session);
        inner.sight(subject.user, &subject.name, presence, subject.tells_last_seen)
    }

    /// A moment to compare with in [`Presences::watch`].
    pub fn generation(&self) -> u64 {
        self.lock().generation
    }

    /// A session watches these from now on, and nobody else; what they are. `None`, and nothing changes, if somebody may
    /// have lost the right to look since the moment of `generation`: who may look must be read again.
    pub fn watch(
        &self,
        session: SessionId,
        subjects: &[Subject],
        generation: u64,
        has_session: impl Fn(UserId) -> bool,
    ) -> Option<Vec<Sight>> {
        let mut inner = self.lock();
        if inner.generation != generation {
            return None;
        }
        inner.unwatch_all(session);
        let mut sights = Vec::with_capacity(subjects.len());
        for Subject { user, name, tells_last_seen } in subjects {
            let presence = inner.presence(*user, has_session(*user));
            // The others have been told something that may be outdated; this one is told the same, and the same later.
            let watched = inner.watched.entry(*user).or_insert_with(|| Watched {
                name: name.clone(),
                tells_last_seen: *tells_last_seen,
                told: presence,
                watchers: BTreeSet::new(),
            });
            watched.watchers.insert(session);
            watched.tells_last_seen = *tells_last_seen;
            let told = watched.told;
            sights.push(inner.sight(*user, name, told, *tells_last_seen));
        }
        inner.watches.insert(session, subjects.iter().map(|subject| subject.user).collect());
        Some(sights)
    }

    /// A session watches nobody any more.
    pub fn unwatch_all(&self, session: SessionId) {
        self.lock().unwatch_all(session);
    }

    /// These sessions may not look at somebody any more.
    pub fn unwatch(&self, sessions: &[SessionId], user: UserId) {
        let mut inner = self.lock();
        inner.generation += 1;
        for session in sessions {
            inner.unwatch(*session, user);
            if let Some(watches) = inner.watches.get_mut(session) {
                watches.retain(|watched| *watched != user);
            }
        }
    }

    /// Who may see what of a user has changed: everybody who watches them has to ask again. They are told so, as if the
    /// user had left.
    pub fn hide(&self, user: UserId) -> Vec<(SessionId, Sight)> {
        let mut inner = self.lock();
        inner.generation += 1;
        inner.forget_change(user);
        let Some(watched) = inner.watched.remove(&user) else { return Vec::new() };
        let told = |session| {
            let sight = Sight { name: watched.name.clone(), presence: Presence::Offline, last_seen: UnixMillis(0) };
            (session, sight)
        };
        for session in &watched.watchers {
            if let Some(watches) = inner.watches.get_mut(session) {
                watches.retain(|watched| *watched != user);
            }
        }
        watched.watchers.iter().copied().map(told).collect()
    }

    /// What is to be told now, by session.
    pub fn due(&self, now_ms: u64, has_session: impl Fn(UserId) -> bool) -> BTreeMap<SessionId, Vec<Sight>> {
        let mut inner = self.lock();
        let mut told: BTreeMap<SessionId, Vec<Sight>> = BTreeMap::new();
        if inner.changed.first().is_none_or(|(at_ms, _)| *at_ms > now_ms) {
            return told;
        }
        if inner.second != now_ms / 1_000 {
            (inner.second, inner.notified) = (now_ms / 1_000, 0);
        }
        while let Some((at_ms, user)) = inner.changed.first().copied()
            && at_ms <= now_ms
            && inner.notified < NOTIFIES_PER_SECOND_MAX
        {
            inner.forget_change(user);
            let presence = inner.presence(user, has_session(user));
            let Some(watched) = inner.watched.get_mut(&user).filter(|watched| watched.told != presence) else {
                continue;
            };
            watched.told = presence;
            let (name, tells_last_seen) = (watched.name.clone(), watched.tells_last_seen);
            let watchers: Vec<_> = watched.watchers.iter().copied().collect();
            inner.notified += watchers.len();
            let sight = inner.sight(user, &name, presence, tells_last_seen);
            for session in watchers {
                told.entry(session).or_default().push(sight.clone());
            }
        }
        told
    }

    fn lock(&self) -> MutexGuard<'_, Inner> {
        self.0.lock().expect("nothing panics while it is held")
    }
}

impl Inner {
    fn presence(&self, user: UserId, has_session: bool) -> Presence {
        Presence::of(has_session, self.chosen.get(&user).copied().unwrap_or_default())
    }

    fn sight(&self, user: UserId, name: &Name, presence: Presence, tells_last_seen: bool) -> Sight {
        let known = self.last_seen.get(&user).copied().filter(|_| tells_last_seen && presence == Presence::Offline);
        Sight { name: name.clone(), presence, last_seen: known.unwrap_or(UnixMillis(0)) }
    }

    fn leave(&mut self, user: UserId, wall: UnixMillis) {
        self.last_seen.insert(user, wall);
        self.left.push_back((user, wall));
        while self.left.len() > LAST_SEEN_MAX {
            let Some((user, wall)) = self.left.pop_front() else { return };
            if self.last_seen.get(&user) == Some(&wall) {
                self.last_seen.remove(&user);
            }
        }
    }

    /// The first change counts: one who changes all the time is told of every two seconds.
    fn change(&mut self, user: UserId, now_ms: u64) {
        if self.watched.contains_key(&user) && !self.changed_at.contains_key(&user) {
            self.changed_at.insert(user, now_ms + COALESCE_MS);
            self.changed.insert((now_ms + COALESCE_MS, user));
        }
    }

    fn forget_change(&mut self, user: UserId) {
        if let Some(at_ms) = self.changed_at.remove(&user) {
            self.changed.remove(&(at_ms, user));
        }
    }

    fn unwatch_all(&mut self, session: SessionId) {
        for user in self.watches.remove(&session).into_iter().flatten() {
            self.unwatch(session, user);
        }
    }

    fn unwatch(&mut self, session: SessionId, user: UserId) {
        let Some(watched) = self.watched.get_mut(&user) else { return };
        watched.watchers.remove(&session);
        if watched.watchers.is_empty() {
            self.watched.remove(&user);
            self.forget_change(user);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ANN: UserId = UserId(1);
    const BOB: UserId = UserId(2);
    const WALL: UnixMillis = UnixMillis(1_790_000_000_000);

    fn session(number: u8) -> SessionId {
        SessionId([number; 16])
    }

    fn subject(user: UserId) -> Subject {
        Subject { user, name: Name::parse(&format!("user{}", user.0)).unwrap(), tells_last_seen: true }
    }

    /// Presences and who has a session.
    #[derive(Default)]
    struct World {
        presences: Presences,
        here: std::cell::RefCell<BTreeSet<UserId>>,
    }

    impl World {
        fn move_to(&self, user: UserId, here: bool, now_ms: u64) {
            if here {
                self.here.borrow_mut().insert(user);
            } else {
                self.here.borrow_mut().remove(&user);
            }
            self.presences.moved(user, here, now_ms, WALL);
        }

        fn watch(&self, number: u8, users: &[UserId]) -> Vec<Presence> {
            let subjects: Vec<_> = users.iter().map(|user| subject(*user)).collect();
            let generation = self.presences.generation();
            let here = |user| self.here.borrow().contains(&user);
            let sights = self.presences.watch(session(number), &subjects, generation, here);
            sights.expect("nothing has changed").iter().map(|sight| sight.presence).collect()
        }

        fn due(&self, now_ms: u64) -> Vec<(SessionId, Presence)> {
            let due = self.presences.due(now_ms, |user| self.here.borrow().contains(&user));
            let one = |(session, sights): (SessionId, Vec<Sight>)| {
                sights.into_iter().map(move |sight| (session, sight.presence)).collect::<Vec<_>>()
            };
            due.into_iter().flat_map(one).collect()
        }

        /// Nothing is kept of any watch.
        fn assert_no_watch(&self) {
            let inner = self.presences.lock();
            assert!(inner.watched.is_empty() && inner.changed.is_empty() && inner.changed_at.is_empty());
            assert!(inner.watches.values().all(Vec::is_empty));
        }
    }

    #[test]
    fn what_lasts_is_told_and_a_flap_is_not() {
        let world = World::default();
        assert_eq!(world.watch(1, &[ANN]), [Presence::Offline]);
        world.move_to(ANN, true, 1_000);
        assert_eq!(world.due(2_999), []);
        assert_eq!(world.due(3_000), [(session(1), Presence::Online)]);
        world.move_to(ANN, false, 4_000);
        world.move_to(ANN, true, 4_500);
        world.move_to(ANN, false, 5_000);
        world.move_to(ANN, true, 5_500);
        assert_eq!(world.due(u64::MAX), [], "it is as it was");
        for (chosen, now_ms) in [(Chosen::Busy, 10_000), (Chosen::Away, 10_100)] {
            world.presences.choose(ANN, chosen, now_ms, WALL);
        }
        assert_eq!(world.due(12_000), [(session(1), Presence::Away)], "the last one");
        world.move_to(BOB, true, 20_000);
        assert_eq!(world.due(u64::MAX), [], "nobody watches");
        world.presences.unwatch_all(session(1));
        world.assert_no_watch();
    }

    #[test]
    fn whoever_comes_in_the_middle_of_a_change_ends_up_with_the_same() {
        let world = World::default();
        world.watch(1, &[ANN]);
        world.move_to(ANN, true, 1_000);
        assert_eq!(world.watch(2, &[ANN]), [Presence::Offline], "as the other was told");
        assert_eq!(world.due(3_000).len(), 2);
        world.move_to(ANN, false, 4_000);
        assert_eq!(world.watch(2, &[ANN]), [Presence::Online]);
        world.move_to(ANN, true, 4_100);
        assert_eq!(world.due(u64::MAX), []);
    }

    #[test]
    fn the_invisible_were_last_seen_when_they_vanished() {
        let world = World::default();
        world.move_to(ANN, true, 0);
        world.watch(1, &[ANN]);
        world.presences.choose(ANN, Chosen::Invisible, 1_000, UnixMillis(5));
        assert_eq!(world.due(3_000), [(session(1), Presence::Offline)]);
        let look = |here| world.presences.look(&subject(ANN), here);
        assert_eq!((look(true).presence, look(true).last_seen), (Presence::Offline, UnixMillis(5)));
        world.move_to(ANN, false, 9_000);
        assert_eq!((world.due(u64::MAX), look(false).last_seen), (Vec::new(), UnixMillis(5)), "not when they left");
        world.move_to(ANN, true, 20_000);
        assert_eq!(look(true).presence, Presence::Online, "the choice ended with the last session");
        world.move_to(ANN, false, 30_000);
        assert_eq!(look(false).last_seen, WALL);
        let closed = Subject { tells_last_seen: false, ..subject(ANN) };
        assert_eq!(world.presences.look(&closed, false).last_seen, UnixMillis(0));
    }

    #[test]
    fn who_loses_the_right_is_told_nothing_more() {
        let world = World::default();
        world.watch(1, &[ANN, BOB]);
        world.watch(2, &[ANN]);
        let before = world.presences.generation();
        world.presences.unwatch(&[session(1)], ANN);
        assert_eq!(world.presences.watch(session(1), &[subject(ANN)], before, |_| true), None, "read again");
        world.move_to(ANN, true, 0);
        world.move_to(BOB, true, 0);
        assert_eq!(world.due(2_000), [(session(1), Presence::Online), (session(2), Presence::Online)]);
        let hidden = world.presences.hide(ANN);
        assert_eq!(hidden.iter().map(|(watcher, _)| *watcher).collect::<Vec<_>>(), [session(2)]);
        assert_eq!(hidden[0].1.presence, Presence::Offline);
        world.move_to(ANN, false, 10_000);
        assert_eq!(world.due(u64::MAX), []);
        assert_eq!(world.watch(1, &[]), [], "another list takes the place of the first");
        world.presences.unwatch_all(session(2));
        world.assert_no_watch();
    }

    #[test]
    fn a_storm_is_spread_over_seconds() {
        let world = World::default();
        let users: Vec<UserId> = (0..200).map(UserId).collect();
        for number in 0..50 {
            world.watch(number, &users);
        }
        for user in &users {
            world.move_to(*user, true, 0);
        }
        let first = world.due(2_000).len();
        assert_eq!(first, NOTIFIES_PER_SECOND_MAX);
        assert_eq!(world.due(2_500), []);
        assert_eq!(world.due(3_000).len(), 200 * 50 - first);
    }
}
