//! The session table and the router: whatever threads do to them at once, it could have been done one after another to a
//! naive list.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::task::{Context, Waker};

use hongyan_cluster::{Route, Router};
use hongyan_domain::session::Term;
use hongyan_domain::{SessionId, UserId};
use hongyan_gate::link::Link;
use hongyan_gate::table::Table;
use shuttle::rand::{Rng, thread_rng};
use shuttle::sync::atomic::{AtomicUsize, Ordering};
use shuttle::thread;

use crate::history::History;
use crate::try_orders;

const THREADS: u8 = 3;
const CALLS: usize = 3;
const SESSIONS: u8 = 2;

#[derive(Clone, Copy, Debug)]
enum TableCall {
    Insert { session: u8, link: usize },
    Remove { session: u8, link: usize },
    Get { session: u8 },
}

/// What came of it: the link that was there, or whether it was.
#[derive(Debug, PartialEq)]
enum TableResult {
    Link(Option<u64>),
    Done(bool),
}

fn session(number: u8) -> SessionId {
    // Sessions of one slot and of two.
    SessionId([number * 32; 16])
}

fn insert(table: &Table, number: u8, link: &Arc<Link>) -> Option<Arc<Link>> {
    table.insert_if(session(number), link, || true).expect("it is allowed")
}

fn number(link: Option<Arc<Link>>) -> TableResult {
    TableResult::Link(link.map(|link| link.number))
}

#[test]
fn the_session_table_is_a_list() {
    try_orders(|| {
        let table = Arc::new(Table::default());
        let links: Arc<Vec<_>> = Arc::new((0..4).map(|number| Arc::new(Link::new(number))).collect());
        let history = History::new();
        let threads: Vec<_> = (0..THREADS)
            .map(|_| {
                let (table, links, history) = (table.clone(), links.clone(), history.clone());
                thread::spawn(move || {
                    for _ in 0..CALLS {
                        let (session, link) = (thread_rng().gen_range(0..SESSIONS), thread_rng().gen_range(0..4));
                        let call = match thread_rng().gen_range(0..4) {
                            0..2 => TableCall::Insert { session, link },
                            2 => TableCall::Remove { session, link },
                            _ => TableCall::Get { session },
                        };
                        history.call(call, |call| do_to_table(&table, &links, call));
                    }
                })
            })
            .collect();
        threads.into_iter().for_each(|thread| thread.join().unwrap());
        history.is_explained_by(BTreeMap::<u8, u64>::new(), |list, call| match *call {
            TableCall::Insert { session, link } => TableResult::Link(list.insert(session, link as u64)),
            TableCall::Remove { session, link } => {
                let current = list.get(&session) == Some(&(link as u64));
                if current {
                    list.remove(&session);
                }
                TableResult::Done(current)
            }
            TableCall::Get { session } => TableResult::Link(list.get(&session).copied()),
        });
    });
}

fn do_to_table(table: &Table, links: &[Arc<Link>], call: &TableCall) -> TableResult {
    match *call {
        TableCall::Insert { session: number_, link } => number(insert(table, number_, &links[link])),
        TableCall::Remove { session: number_, link } => TableResult::Done(table.remove(session(number_), &links[link])),
        TableCall::Get { session: number_ } => number(table.get(session(number_))),
    }
}

#[test]
fn a_traversal_sees_whoever_is_there_all_the_time_and_nobody_who_never_was() {
    try_orders(|| {
        let table = Arc::new(Table::default());
        insert(&table, 0, &Arc::new(Link::new(0)));
        insert(&table, 1, &Arc::new(Link::new(1)));
        let coming = {
            let table = table.clone();
            thread::spawn(move || {
                insert(&table, 2, &Arc::new(Link::new(2)));
                let link = table.get(session(1)).expect("nobody else removes it");
                assert!(table.remove(session(1), &link));
            })
        };
        let seen: Vec<u64> = table.all().iter().map(|link| link.number).collect();
        assert!(seen.contains(&0) && seen.is_sorted() && seen.iter().all(|number| *number <= 2), "{seen:?}");
        coming.join().unwrap();
        assert_eq!(table.all().iter().map(|link| link.number).collect::<Vec<_>>(), [0, 2]);
    });
}

/// Works on a batch, if it may.
fn send(table: &Table, link: &Arc<Link>, working: &AtomicUsize) -> bool {
    let may = table.begin_sends(session(0), link);
    if may {
        assert_eq!(working.fetch_add(1, Ordering::SeqCst), 0, "another batch of the session is worked on");
        thread::yield_now();
        working.fetch_sub(1, Ordering::SeqCst);
        table.end_sends(session(0));
    }
    may
}

#[test]
fn a_session_has_one_batch_at_a_time_and_whoever_waits_is_woken() {
    try_orders(|| {
        let (table, working) = (Arc::new(Table::default()), Arc::new(AtomicUsize::new(0)));
        let (older, newer) = (Arc::new(Link::new(1)), Arc::new(Link::new(2)));
        insert(&table, 0, &older);
        let senders = [older.clone(), older.clone()].map(|link| {
            let (table, working) = (table.clone(), working.clone());
            thread::spawn(move || send(&table, &link, &working))
        });
        // The session moves to another connection meanwhile.
        insert(&table, 0, &newer);
        let sent = send(&table, &newer, &working);
        for sender in senders {
            sender.join().unwrap();
        }
        if !sent {
            assert!(newer.poll_mail(&mut Context::from_waker(Waker::noop())).is_ready(), "it waits for ever");
            assert!(send(&table, &newer, &working));
        }
        assert!(!send(&table, &older, &working), "it has lost the session");
    });
}

#[derive(Clone, Copy, Debug)]
enum RouterCall {
    Register { user: i64, session: u8, epoch: u32 },
    Suspend { user: i64, session: u8, epoch: u32 },
    Unregister { user: i64, session: u8, epoch: u32 },
    Routes { user: i64 },
}

#[derive(Debug, PartialEq)]
enum RouterResult {
    Done(bool),
    Nothing,
    Routes(Vec<(u8, u32, bool)>),
}

#[test]
fn the_router_is_a_list() {
    try_orders(|| {
        let router = Arc::new(Router::default());
        let history = History::new();
        let threads: Vec<_> = (0..THREADS)
            .map(|_| {
                let (router, history) = (router.clone(), history.clone());
                thread::spawn(move || {
                    for _ in 0..CALLS {
                        let mut random = thread_rng();
                        let (user, session) = (random.gen_range(0..2), random.gen_range(0..SESSIONS));
                        let epoch = random.gen_range(0..3);
                        let call = match random.gen_range(0..6) {
                            0..3 => RouterCall::Register { user, session, epoch },
                            3 => RouterCall::Suspend { user, session, epoch },
                            4 => RouterCall::Unregister { user, session, epoch },
                            _ => RouterCall::Routes { user },
                        };
                        history.call(call, |call| do_to_router(&router, call));
                    }
                })
            })
            .collect();
        threads.into_iter().for_each(|thread| thread.join().unwrap());
        for user in 0..2 {
            history.call(RouterCall::Routes { user }, |call| do_to_router(&router, call));
        }
        history.is_explained_by(Vec::<(i64, u8, u32, bool)>::new(), do_to_list);
    });
}

fn do_to_router(router: &Router, call: &RouterCall) -> RouterResult {
    match *call {
        RouterCall::Register { user, session: number, epoch } => {
            let route = Route { session: session(number), term: Term::Pc, epoch, connected: true };
            RouterResult::Done(router.register(UserId(user), route))
        }
        RouterCall::Suspend { user, session: number, epoch } => {
            router.suspend(UserId(user), session(number), epoch);
            RouterResult::Nothing
        }
        RouterCall::Unregister { user, session: number, epoch } => {
            router.unregister(UserId(user), session(number), epoch);
            RouterResult::Nothing
        }
        RouterCall::Routes { user } => {
            let routes = router.routes(UserId(user));
            let mut routes: Vec<_> =
                routes.iter().map(|route| (route.session.0[0] / 32, route.epoch, route.connected)).collect();
            routes.sort_unstable();
            RouterResult::Routes(routes)
        }
    }
}

fn do_to_list(list: &mut Vec<(i64, u8, u32, bool)>, call: &RouterCall) -> RouterResult {
    match *call {
        RouterCall::Register { user, session, epoch } => {
            let known = list.iter().position(|route| (route.0, route.1) == (user, session));
            let allowed = known.is_none_or(|at| list[at].2 < epoch);
            if allowed {
                known.map(|at| list.remove(at));
                list.push((user, session, epoch, true));
            }
            RouterResult::Done(allowed)
        }
        RouterCall::Suspend { user, session, epoch } => {
            let of_epoch = list.iter_mut().filter(|route| (route.0, route.1, route.2) == (user, session, epoch));
            of_epoch.for_each(|route| route.3 = false);
            RouterResult::Nothing
        }
        RouterCall::Unregister { user, session, epoch } => {
            list.retain(|route| (route.0, route.1) != (user, session) || route.2 > epoch);
            RouterResult::Nothing
        }
        RouterCall::Routes { user } => {
            let mut routes: Vec<_> =
                list.iter().filter(|route| route.0 == user).map(|route| (route.1, route.2, route.3)).collect();
            routes.sort_unstable();
            RouterResult::Routes(routes)
        }
    }
}
