//! One session, several connections and threads that want something of it: whoever comes last has it, and what the table,
//! the router and the counters say fits together once everybody is done.

use hongyan_cluster::Inlet;
use hongyan_cluster::bus::Ending;
use hongyan_domain::session::EndReason;
use hongyan_domain::{SessionId, UnixMillis, UserId};
use hongyan_wire::command::Operation;
use hongyan_wire::{Command, proto};
use shuttle::thread;

use crate::bench::{Bench, Client, push};
use crate::try_orders;

const A: UserId = UserId(b'a' as i64);
const SESSION: SessionId = SessionId([1; 16]);

/// A bench for threads: shuttle's want what lives as long as they do.
struct Stage(&'static Bench);

impl Stage {
    fn new() -> Self {
        Self(Box::leak(Box::new(Bench::new())))
    }

    /// A session whose first connection is gone, or not.
    fn session(&self, first_is_gone: bool) -> (Client<'static>, proto::LoginAnswer) {
        let (mut first, login) = self.0.login("a", 1);
        if first_is_gone {
            first.cut();
        }
        (first, login)
    }

    /// A connection that has only to confirm its resume.
    fn resumed(&self, login: &proto::LoginAnswer, epoch: u32) -> Client<'static> {
        let secret: [u8; 32] = login.resume_secret[..].try_into().unwrap();
        self.0.resume(&login.ticket, &secret, epoch, 0)
    }

    /// What must hold when nobody does anything: one session, on the only connection that is open, or on none.
    fn fits(&self, open: &mut [&mut Client<'static>]) {
        for client in open.iter_mut() {
            client.exchange();
        }
        let live: Vec<_> = open.iter().filter(|client| !client.closed).collect();
        let connected = self.0.bus.router().connected(A).len();
        let counted = self.0.gate.measures().sessions_connected.get();
        assert!(live.len() <= 1, "two connections have the session");
        assert_eq!((connected, counted), (live.len(), live.len() as i64), "router and counter for open connections");
        let before = pushes(open);
        assert_eq!(before, 0);
        assert_eq!(self.0.bus.push(A, None, &push(1)), connected);
        for client in open.iter_mut() {
            client.exchange();
        }
        assert_eq!(pushes(open), connected, "whoever is connected is reached");
    }

    /// The leaked bench lets go of what it holds.
    fn end(self) {
        self.0.stop();
    }
}

fn pushes(clients: &mut [&mut Client<'static>]) -> usize {
    let message = Command::notify(Operation::Message);
    clients.iter_mut().map(|client| client.take::<proto::MessageNotify>(message).len()).sum()
}

fn confirm(client: &mut Client<'static>) {
    client.request(Operation::Keepalive, &proto::KeepaliveRequest { id: 1 });
}

/// What happens to a closed connection in its driver.
fn drop_closed(client: &mut Client<'static>) {
    if client.closed {
        client.peer.disconnected();
    }
}

#[test]
fn of_two_resumes_that_are_confirmed_at_once_the_later_has_the_session() {
    try_orders(|| {
        let stage = Stage::new();
        let (_, login) = stage.session(true);
        let (mut second, mut third) = (stage.resumed(&login, 2), stage.resumed(&login, 3));
        let second = thread::spawn(move || {
            confirm(&mut second);
            drop_closed(&mut second);
            second
        });
        confirm(&mut third);
        drop_closed(&mut third);
        let mut second = second.join().unwrap();
        second.exchange();
        drop_closed(&mut second);
        third.exchange();
        assert!(!third.closed && second.closed, "the later epoch wins");
        stage.fits(&mut [&mut second, &mut third]);
        stage.end();
    });
}

#[test]
fn a_connection_that_dies_while_another_takes_over_takes_nothing_along() {
    try_orders(|| {
        let stage = Stage::new();
        let (mut first, login) = stage.session(false);
        let mut second = stage.resumed(&login, 1);
        let dying = thread::spawn(move || {
            first.cut();
            first
        });
        confirm(&mut second);
        let mut first = dying.join().unwrap();
        second.exchange();
        assert!(!second.closed);
        stage.fits(&mut [&mut first, &mut second]);
        stage.end();
    });
}

#[test]
fn of_two_connections_of_one_epoch_exactly_one_is_let_in() {
    try_orders(|| {
        let stage = Stage::new();
        let (_, login) = stage.session(true);
        let (mut one, mut other) = (stage.resumed(&login, 1), stage.resumed(&login, 1));
        let one = thread::spawn(move || {
            confirm(&mut one);
            drop_closed(&mut one);
            one
        });
        confirm(&mut other);
        drop_closed(&mut other);
        let mut one = one.join().unwrap();
        assert!(one.closed != other.closed);
        stage.fits(&mut [&mut one, &mut other]);
        stage.end();
    });
}

#[test]
fn a_session_that_is_ended_while_it_connects_is_silent_afterwards() {
    try_orders(|| {
        let stage = Stage::new();
        *stage.0.script.remembers.lock().unwrap() = true;
        let (_, login) = stage.session(true);
        let mut second = stage.resumed(&login, 1);
        let bench = stage.0;
        let ender = thread::spawn(move || {
            // As logic does: first the store knows, then the gate is told.
            bench.script.ended.lock().unwrap().push((SESSION, EndReason::Revoked));
            bench.gate.end(SESSION, Ending { reason: EndReason::Revoked, by_term: None, time: UnixMillis(7) });
        });
        confirm(&mut second);
        ender.join().unwrap();
        second.exchange();
        assert!(second.closed, "whoever is first, the connection hears of it");
        assert!(bench.bus.router().routes(A).is_empty());
        assert_eq!(bench.gate.measures().sessions_connected.get(), 0);
        assert_eq!(bench.bus.push(A, None, &push(1)), 0);
        stage.end();
    });
}

#[test]
fn a_push_reaches_a_session_that_moves_from_one_connection_to_another_or_the_new_one_is_told() {
    try_orders(|| {
        let stage = Stage::new();
        *stage.0.script.remembers.lock().unwrap() = true;
        let (mut first, login) = stage.session(false);
        let mut second = stage.resumed(&login, 1);
        let bench = stage.0;
        let pusher = thread::spawn(move || {
            // As logic does: committed, then pushed.
            *bench.script.head.lock().unwrap() = 1;
            bench.bus.push(A, None, &push(1));
        });
        confirm(&mut second);
        first.exchange();
        pusher.join().unwrap();
        second.exchange();
        let pushed = second.take::<proto::MessageNotify>(Command::notify(Operation::Message)).len();
        let hinted = second.take::<proto::HintNotify>(Command::notify(Operation::Hint)).len();
        assert!(pushed + hinted > 0, "the new connection hears of it without waiting for the feed");
        stage.end();
    });
}
