//! What one direct message costs the model store, by batch size, in worlds as small as a simulator's: a disk is made, ten
//! people log in, and three hundred messages are appended.
//!
//! `cargo run --release -p hongyan-sim --example model_cost [-- WORLDS]`. One thread; the environment only keeps tasks.
#![allow(clippy::disallowed_methods, reason = "it measures")]

use std::sync::{Arc, Mutex};
use std::task::{Context, Poll, Waker};
use std::time::{Duration, Instant};

use hongyan_domain::app::AppSettings;
use hongyan_domain::environment::{Environment, Pending};
use hongyan_domain::id::{AppId, ClientId, SessionId, UserId};
use hongyan_domain::message::Draft;
use hongyan_domain::name::Name;
use hongyan_domain::session::Term;
use hongyan_domain::time::UnixMillis;
use hongyan_sim::model_store::{DiskFate, ModelDisk, ModelOptions, ModelStore, SyncFate};
use hongyan_store::sessions::OpenSession;
use hongyan_store::timeline::{Append, Outcome, Target, What};
use hongyan_store::{Accounts, Committed, Listener, Said, Sessions, Timeline};

const PEOPLE: usize = 10;
const MESSAGES: usize = 300;
const BODY_BYTES: usize = 100;

/// Keeps tasks until they are run; a sleep is over at the next turn.
#[derive(Default)]
struct Tasks(Mutex<Vec<Pending<'static, ()>>>);

impl Environment for Tasks {
    fn monotonic_us(&self) -> u64 {
        0
    }

    fn wall_clock(&self) -> UnixMillis {
        UnixMillis(0)
    }

    fn random(&self, bytes: &mut [u8]) {
        bytes.fill(0);
    }

    fn spawn(&self, task: Pending<'static, ()>) {
        self.0.lock().expect("one thread").push(task);
    }

    fn sleep_ms(&self, _: u64) -> Pending<'static, ()> {
        let mut over = false;
        Box::pin(std::future::poll_fn(
            move |_| {
                if std::mem::replace(&mut over, true) { Poll::Ready(()) } else { Poll::Pending }
            },
        ))
    }
}

impl Tasks {
    fn run(&self) {
        loop {
            let mut tasks = std::mem::take(&mut *self.0.lock().expect("one thread"));
            if tasks.is_empty() {
                return;
            }
            tasks.retain_mut(|task| poll(task).is_none());
            self.0.lock().expect("one thread").extend(tasks);
        }
    }
}

fn poll<T>(pending: &mut Pending<'_, T>) -> Option<T> {
    match pending.as_mut().poll(&mut Context::from_waker(Waker::noop())) {
        Poll::Ready(value) => Some(value),
        Poll::Pending => None,
    }
}

struct GoodDisk;

impl DiskFate for GoodDisk {
    fn next_sync(&self) -> SyncFate {
        SyncFate::Done { after_ms: 2 }
    }
}

struct Silent;

impl Listener for Silent {
    fn committed(&self, batch: Vec<Committed>) {
        drop(batch);
    }

    fn said(&self, batch: Vec<Said>) {
        drop(batch);
    }

    fn grouped(&self, batch: Vec<hongyan_store::GroupNews>) {
        drop(batch);
    }
}

struct Person {
    user: UserId,
    name: Name,
    session: SessionId,
}

fn main() {
    let worlds: usize = std::env::args().nth(1).map_or(2_000, |text| text.parse().expect("a number of worlds"));
    println!("batch   µs/message   µs/world before its first message");
    for batch in [1, 4, 16, 64] {
        let (mut opening, mut appending) = (Duration::ZERO, Duration::ZERO);
        for _ in 0..worlds {
            let spent = run(batch);
            opening += spent.0;
            appending += spent.1;
        }
        let each = |spent: Duration, count: usize| spent.as_secs_f64() * 1e6 / count as f64;
        println!("{batch:5}   {:10.2}   {:10.1}", each(appending, worlds * MESSAGES), each(opening, worlds));
    }
}

/// One world; the time until everybody is logged in, and the time of all messages.
fn run(batch: usize) -> (Duration, Duration) {
    let start = Instant::now();
    let tasks = Arc::new(Tasks::default());
    let disk = Arc::new(ModelDisk::new());
    let fatal = Arc::new(|reason: &str| panic!("{reason}"));
    let store =
        ModelStore::open(disk, Arc::new(GoodDisk), fatal, ModelOptions::default(), Arc::new(Silent), tasks.clone());
    let app = done(&tasks, store.create_app(name("app"), AppSettings::default(), UnixMillis(0)));
    let app = app.expect("a new app").id;
    let people: Vec<Person> = (0..PEOPLE).map(|number| person(&tasks, &store, app, number)).collect();
    let opened = start.elapsed();
    let start = Instant::now();
    let mut number = 0;
    while number < MESSAGES {
        let numbers = number..(number + batch).min(MESSAGES);
        let calls = numbers.map(|number| store.append(vec![message(app, &people, number)]));
        let mut calls: Vec<_> = calls.collect();
        tasks.run();
        for call in &mut calls {
            let outcomes = poll(call).expect("answered").expect("stored");
            assert!(matches!(outcomes[..], [Outcome::Appended(_)]), "{outcomes:?}");
        }
        number += batch;
    }
    (opened, start.elapsed())
}

fn done<T>(tasks: &Tasks, mut pending: Pending<'_, hongyan_store::Result<T>>) -> T {
    tasks.run();
    poll(&mut pending).and_then(Result::ok).expect("stored")
}

fn name(text: &str) -> Name {
    Name::parse(text).expect("a valid name")
}

fn person(tasks: &Tasks, store: &ModelStore, app: AppId, number: usize) -> Person {
    let name = name(&format!("user{number}"));
    let user = done(tasks, store.create_user(app, name.clone(), None, UnixMillis(0))).expect("a new user").id;
    let session = SessionId([number as u8; 16]);
    let login = OpenSession {
        app,
        user,
        session,
        device_id: b"device".to_vec(),
        term: Term::Pc,
        sessions_max: 1,
        devices_max: 10,
        connected: UnixMillis(0),
        now: UnixMillis(0),
    };
    done(tasks, store.open_session(login));
    Person { user, name, session }
}

/// Between changing pairs, with ids in no order.
fn message(app: AppId, people: &[Person], number: usize) -> Append {
    let random = (number as u64 + 1).wrapping_mul(0x9e37_79b9_7f4a_7c15);
    let from = &people[(random >> 40) as usize % PEOPLE];
    let to = &people[(random >> 50) as usize % PEOPLE];
    let mut targets = smallvec::smallvec![Target { user: from.user, about: to.name.clone() }];
    if from.user != to.user {
        targets.push(Target { user: to.user, about: from.name.clone() });
    }
    Append {
        app,
        sender: from.user,
        other: to.user,
        session: from.session,
        client_id: ClientId(u128::from(random).wrapping_mul(0x2545_f491_4f6c_dd1d_9e37_79b9_7f4a_7c15).to_be_bytes()),
        digest: random,
        access_version: 0,
        seen_seq: 0,
        now: UnixMillis(1_790_000_000_000),
        what: What::Message(Draft { body: vec![b'x'; BODY_BYTES].into(), ..Draft::default() }),
        targets,
    }
}
