//! The session table, the router and the timing wheel against naive lists (spec 19): any sequence of calls gives the same.
//! Threads are in `tests/shuttle`.

use std::collections::BTreeMap;
use std::sync::Arc;

use hongyan_cluster::{Route, Router};
use hongyan_domain::session::Term;
use hongyan_domain::{SessionId, UserId};
use hongyan_gate::link::Link;
use hongyan_gate::table::Table;
use hongyan_gate::wheel::{TICK_MS, Wheel};
use hongyan_wire::Millis;
use proptest::prelude::*;

const SESSIONS: u8 = 5;
const LINKS: usize = 6;

fn session(number: u8) -> SessionId {
    SessionId([number; 16])
}

proptest! {
    #[test]
    fn the_session_table_is_a_list(calls in prop::collection::vec((0..6, 0..SESSIONS, 0..LINKS), 0..200)) {
        let table = Table::default();
        let links: Vec<_> = (0..LINKS).map(|number| Arc::new(Link::new(number as u64))).collect();
        let mut list: BTreeMap<u8, usize> = BTreeMap::new();
        for (call, number, link) in calls {
            match call {
                0..2 => {
                    let earlier = table.insert_if(session(number), &links[link], || true).expect("it is allowed");
                    prop_assert_eq!(earlier.map(|link| link.number as usize), list.insert(number, link));
                }
                2 => prop_assert!(table.insert_if(session(number), &links[link], || false).is_none()),
                3 => {
                    let current = list.get(&number) == Some(&link);
                    prop_assert_eq!(table.remove(session(number), &links[link]), current);
                    if current {
                        list.remove(&number);
                    }
                }
                4 => {
                    let found = table.get(session(number)).map(|link| link.number as usize);
                    prop_assert_eq!(found, list.get(&number).copied());
                }
                _ => {
                    let mut all: Vec<_> = list.values().map(|link| *link as u64).collect();
                    all.sort_unstable();
                    prop_assert_eq!(table.all().iter().map(|link| link.number).collect::<Vec<_>>(), all);
                }
            }
        }
    }

    #[test]
    fn the_router_is_a_list(
        calls in prop::collection::vec((0..6, 0_i64..4, 0..SESSIONS, 0_u32..6), 0..200),
    ) {
        let router = Router::default();
        let mut list: Vec<(i64, u8, u32, bool)> = Vec::new();
        for (call, user, number, epoch) in calls {
            let known = list.iter().position(|route| (route.0, route.1) == (user, number));
            match call {
                0..2 => {
                    let allowed = known.is_none_or(|at| list[at].2 < epoch);
                    let route = Route { session: session(number), term: Term::Pad, epoch, connected: true };
                    prop_assert_eq!(router.register(UserId(user), route), allowed);
                    match known {
                        Some(at) if allowed => list[at] = (user, number, epoch, true),
                        None => list.push((user, number, epoch, true)),
                        Some(_) => {}
                    }
                }
                2 => {
                    router.suspend(UserId(user), session(number), epoch);
                    if let Some(at) = known.filter(|at| list[*at].2 == epoch) {
                        list[at].3 = false;
                    }
                }
                3 => {
                    router.unregister(UserId(user), session(number), epoch);
                    list.retain(|route| (route.0, route.1) != (user, number) || route.2 > epoch);
                }
                4 => {
                    let found = router.epoch(UserId(user), session(number));
                    prop_assert_eq!(found, known.map(|at| list[at].2));
                }
                _ => {
                    let connected: Vec<_> = list.iter().filter(|route| route.0 == user && route.3).collect();
                    let expected: Vec<_> = connected.iter().map(|route| session(route.1)).collect();
                    prop_assert_eq!(router.connected(UserId(user)).to_vec(), expected);
                    let present = list.iter().filter(|route| route.0 == user).count();
                    prop_assert_eq!(router.routes(UserId(user)).len(), present);
                }
            }
        }
    }

    /// Scheduled, moved, removed, looked at after any time: an entry fires exactly once, not before its deadline, and in
    /// the first look whose tick is not before its deadline's.
    #[test]
    fn the_wheel_is_a_list(
        calls in prop::collection::vec((0..8, 0_u64..6, 0_u64..250_000), 0..200),
    ) {
        let mut now = 70_000;
        let mut wheel = Wheel::new(Millis(now));
        // Deadline, and the tick from which it fires.
        let mut list: BTreeMap<u64, (u64, u64)> = BTreeMap::new();
        let mut next_tick = now / TICK_MS;
        for (call, key, number) in calls {
            match call {
                0..3 => {
                    let at = (now + number).saturating_sub(5_000);
                    wheel.schedule(key, Millis(at), at);
                    list.insert(key, (at, at.div_ceil(TICK_MS).max(next_tick)));
                }
                3 => prop_assert_eq!(wheel.remove(key), list.remove(&key).map(|(at, _)| at)),
                _ => {
                    // Usually a step of the task; sometimes it was held up for more than a turn.
                    now += if call < 7 { number / 1_000 } else { number };
                    let tick = now / TICK_MS;
                    let mut fired = Vec::new();
                    for (key, at) in wheel.due(Millis(now)) {
                        // The next tick is tick + 1 from here on, for whoever is scheduled again.
                        if at > now { wheel.schedule(key, Millis(at), at) } else { fired.push(key) }
                    }
                    for (key, (at, fires)) in &list {
                        let early = fired.contains(key) && *at > now;
                        prop_assert!(!early && (fired.contains(key) || *fires > tick), "{} at {}: {:?}", key, now, fired);
                    }
                    for key in fired {
                        prop_assert!(list.remove(&key).is_some(), "{} fires once", key);
                    }
                    next_tick = next_tick.max(tick + 1);
                }
            }
        }
    }
}
