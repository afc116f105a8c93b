//! What the disk does to what was not synced. Time passes only when a test says so.

use std::collections::VecDeque;
use std::sync::Mutex;
use std::sync::atomic::AtomicU64;
use std::task::{Context, Poll, Waker};

use hongyan_domain::app::AppSettings;
use hongyan_domain::id::{AppId, ClientId, UserId};
use hongyan_domain::message::Draft;
use hongyan_domain::name::Name;
use hongyan_domain::receipt::CursorAdvance;
use hongyan_domain::session::Term;
use hongyan_domain::time::UnixMillis;
use hongyan_fault::{inject, plant};
use hongyan_store::feed::{Committed, Said};
use hongyan_store::sessions::OpenSession;
use hongyan_store::timeline::{Append, MarkRead, Outcome, Target, What};
use hongyan_store::{Accounts, Feed, Sessions, Timeline};

use super::*;

const NOW: UnixMillis = UnixMillis(1_790_000_000_000);

/// Tasks and a clock that the test moves.
#[derive(Default)]
struct Clock {
    now_ms: AtomicU64,
    tasks: Mutex<Vec<Pending<'static, ()>>>,
}

/// What the disk does, in order; in the end syncs take 2 ms.
#[derive(Default)]
struct Fates(Mutex<VecDeque<SyncFate>>);

impl DiskFate for Fates {
    fn next_sync(&self) -> SyncFate {
        self.0.lock().expect("one thread").pop_front().unwrap_or(SyncFate::Done { after_ms: 2 })
    }
}

/// The environment: a clock that everybody shares.
#[derive(Clone, Default)]
struct Shared(Arc<Clock>);

impl Environment for Shared {
    fn monotonic_us(&self) -> u64 {
        self.0.now_ms.load(Ordering::Relaxed) * 1_000
    }

    fn wall_clock(&self) -> UnixMillis {
        NOW
    }

    fn random(&self, bytes: &mut [u8]) {
        bytes.fill(0);
    }

    fn spawn(&self, task: Pending<'static, ()>) {
        self.0.tasks.lock().expect("one thread").push(task);
    }

    fn sleep_ms(&self, span_ms: u64) -> Pending<'static, ()> {
        let (clock, end_ms) = (Arc::clone(&self.0), self.monotonic_ms() + span_ms);
        Box::pin(std::future::poll_fn(move |_| {
            if clock.now_ms.load(Ordering::Relaxed) >= end_ms { Poll::Ready(()) } else { Poll::Pending }
        }))
    }
}

fn poll<T>(pending: &mut Pending<'_, T>) -> Option<T> {
    match pending.as_mut().poll(&mut Context::from_waker(Waker::noop())) {
        Poll::Ready(value) => Some(value),
        Poll::Pending => None,
    }
}

impl Shared {
    /// Lets everybody do what they can at this instant, then the clock moves.
    fn pass(&self, span_ms: u64) {
        for _ in 0..=span_ms {
            self.turn();
            self.0.now_ms.fetch_add(1, Ordering::Relaxed);
        }
        self.turn();
    }

    fn turn(&self) {
        let mut tasks = std::mem::take(&mut *self.0.tasks.lock().expect("one thread"));
        tasks.retain_mut(|task| poll(task).is_none());
        self.0.tasks.lock().expect("one thread").extend(tasks);
    }
}

/// Keeps what it is told.
#[derive(Default)]
struct Heard(Mutex<Vec<Committed>>);

impl Listener for Heard {
    fn committed(&self, batch: Vec<Committed>) {
        self.0.lock().expect("one thread").extend(batch);
    }

    fn said(&self, _: Vec<Said>) {}

    fn grouped(&self, _: Vec<hongyan_store::GroupNews>) {}
}

/// A disk, a clock, and two people who write to each other.
#[derive(Default)]
struct World {
    disk: Arc<ModelDisk>,
    clock: Shared,
    fates: Arc<Fates>,
    heard: Arc<Heard>,
    deaths: Arc<AtomicU64>,
    app: Option<AppId>,
    users: Vec<UserId>,
}

fn name(text: &str) -> Name {
    Name::parse(text).expect("a valid name")
}

impl World {
    fn new() -> Self {
        let mut world = Self::default();
        let store = world.open();
        let app = world.done(store.create_app(name("app"), AppSettings::default(), NOW)).expect("a new app");
        world.app = Some(app.id);
        for (number, text) in ["a", "b"].into_iter().enumerate() {
            let user = world.done(store.create_user(app.id, name(text), None, NOW)).expect("a new user");
            world.users.push(user.id);
            world.done(store.open_session(world.login(number)));
        }
        store.shutdown();
        world
    }

    fn open(&self) -> Arc<ModelStore> {
        self.open_with(ModelOptions::default())
    }

    fn open_with(&self, options: ModelOptions) -> Arc<ModelStore> {
        let deaths = Arc::clone(&self.deaths);
        let fatal: Fatal = Arc::new(move |_| {
            deaths.fetch_add(1, Ordering::Relaxed);
        });
        let environment = Arc::new(self.clock.clone());
        ModelStore::open(self.disk.clone(), self.fates.clone(), fatal, options, self.heard.clone(), environment)
    }

    /// Waits as long as it takes.
    fn done<T: std::fmt::Debug>(&self, mut pending: Pending<'_, Result<T>>) -> T {
        self.clock.pass(5);
        poll(&mut pending).expect("answered").expect("stored")
    }

    fn next_syncs(&self, fates: &[SyncFate]) {
        self.fates.0.lock().expect("one thread").extend(fates);
    }

    fn heard(&self) -> usize {
        self.heard.0.lock().expect("one thread").len()
    }

    fn login(&self, person: usize) -> OpenSession {
        OpenSession {
            app: self.app.expect("made"),
            user: self.users[person],
            session: SessionId([person as u8; 16]),
            device_id: b"device".to_vec(),
            term: Term::Pc,
            sessions_max: 1,
            devices_max: 9,
            connected: NOW,
            now: NOW,
        }
    }

    /// The `number`-th message, from the first to the second.
    fn message(&self, number: u64) -> Append {
        let target = |person: usize| Target { user: self.users[person], about: name(["b", "a"][person]) };
        Append {
            app: self.app.expect("made"),
            sender: self.users[0],
            other: self.users[1],
            session: SessionId([0; 16]),
            client_id: ClientId(u128::from(number).to_be_bytes()),
            digest: number,
            access_version: 0,
            seen_seq: 0,
            now: NOW,
            what: What::Message(Draft { body: vec![b'x'; 50].into(), ..Draft::default() }),
            targets: [target(0), target(1)].into(),
        }
    }

    fn say(&self, store: &ModelStore, number: u64) -> Outcome {
        self.done(store.append(vec![self.message(number)]))[0]
    }

    /// Without letting any time pass.
    fn head_seq_now(&self, store: &ModelStore) -> u64 {
        let mut direct = store.direct(self.app.expect("made"), self.users[0], self.users[1]);
        poll(&mut direct).expect("reads do not wait").expect("read").head_seq
    }

    fn head_seq(&self, store: &ModelStore) -> u64 {
        self.done(store.direct(self.app.expect("made"), self.users[0], self.users[1])).head_seq
    }
}

fn seq(outcome: Outcome) -> u64 {
    match outcome {
        Outcome::Appended(answer) => answer.seq,
        other => panic!("not appended: {other:?}"),
    }
}

#[test]
fn a_power_cut_loses_exactly_what_was_not_answered() {
    for kept in [false, true] {
        let world = World::new();
        let store = world.open();
        assert_eq!(seq(world.say(&store, 1)), 1);
        let heard = world.heard();
        let mut writing: Vec<_> = (2..4).map(|number| store.append(vec![world.message(number)])).collect();
        world.clock.turn();
        let mut waiting = store.append(vec![world.message(4)]);
        assert_eq!(world.head_seq_now(&store), 1, "nobody reads what is not durable");
        world.disk.crash(kept);
        world.clock.pass(50);
        assert!(writing.iter_mut().all(|call| poll(call).is_none()) && poll(&mut waiting).is_none());
        assert!(poll(&mut store.apps()).is_none() && poll(&mut store.append(vec![world.message(5)])).is_none());
        assert_eq!(world.heard(), heard, "the dead tell nothing");

        let store = world.open();
        assert_eq!(world.head_seq(&store), if kept { 3 } else { 1 }, "a batch never comes apart");
        assert!(matches!(world.say(&store, 1), Outcome::Duplicate(_)));
        assert_eq!(matches!(world.say(&store, 3), Outcome::Duplicate(_)), kept);
        assert_eq!(seq(world.say(&store, 4)), if kept { 4 } else { 3 });
    }
}

#[test]
fn an_unknown_sync_answers_nobody_and_stops() {
    for kept in [false, true] {
        let world = World::new();
        let store = world.open();
        world.say(&store, 1);
        let heard = world.heard();
        world.next_syncs(&[SyncFate::Unknown { after_ms: 3, kept }]);
        let mut call = store.append(vec![world.message(2)]);
        world.clock.turn();
        let mut waiting = store.append(vec![world.message(3)]);
        assert_eq!(world.deaths.load(Ordering::Relaxed), 0);
        world.clock.pass(50);
        assert_eq!(world.deaths.load(Ordering::Relaxed), 1);
        assert!(poll(&mut call).is_none() && poll(&mut waiting).is_none() && poll(&mut store.apps()).is_none());
        assert_eq!(world.heard(), heard);
        world.disk.crash(!kept);
        assert_eq!(world.head_seq(&world.open()), if kept { 2 } else { 1 });
    }
}

#[test]
fn a_full_disk_refuses_appends_only_and_ends_with_space() {
    let world = World::new();
    let store = world.open();
    world.say(&store, 1);
    let conversation = world.done(store.direct(world.app.expect("made"), world.users[0], world.users[1])).conversation;
    let conversation = conversation.expect("they have talked");
    world.next_syncs(&[SyncFate::Full]);
    let mut append = store.append(vec![world.message(2)]);
    let mut login = store.open_session(OpenSession { session: SessionId([9; 16]), ..world.login(1) });
    let mark = MarkRead {
        app: world.app.expect("made"),
        target: Target { user: world.users[1], about: name("a") },
        other: world.users[0],
        conversation,
        session: SessionId([9; 16]),
        position: hongyan_domain::receipt::Position { seq: 1, message_count: 1, own_count: 0 },
    };
    let mut mark = store.mark_read(mark);
    world.clock.pass(5);
    assert_eq!(poll(&mut append), Some(Err(Error::DiskFull)));
    let device = poll(&mut login).expect("answered").expect("logins go on").expect("the latest").device;
    assert_eq!(poll(&mut mark).expect("answered").expect("marks go on").read_seq, 1);
    world.next_syncs(&[SyncFate::Full]);
    let advance = CursorAdvance { user: world.users[1], device, inbox_cursor: 1, delivered: Vec::new() };
    world.done(store.advance_cursors(vec![advance]));
    assert_eq!(seq(world.say(&store, 2)), 2, "the number of the refused one was not used");
}

#[test]
fn a_full_queue_refuses_at_once_and_a_call_is_never_split() {
    let world = World::new();
    let store = world.open_with(ModelOptions { writes_waiting_max: 3, batch_items_max: 2, ..ModelOptions::default() });
    let call = |numbers: std::ops::Range<u64>| store.append(numbers.map(|number| world.message(number)).collect());
    let (mut large, mut more) = (call(1..9), call(9..10));
    assert_eq!(poll(&mut more), Some(Err(Error::Busy)), "a call larger than the queue passes if it is empty");
    world.clock.turn();
    let (mut two, mut one) = (call(9..11), call(11..12));
    assert_eq!(poll(&mut call(12..13)), Some(Err(Error::Busy)));
    world.clock.pass(2);
    assert_eq!(poll(&mut large).expect("answered").expect("stored").len(), 8);
    assert!(poll(&mut two).is_none() && poll(&mut one).is_none(), "the next sync has just begun");
    world.clock.pass(5);
    assert!(matches!(poll(&mut two), Some(Ok(_))) && matches!(poll(&mut one), Some(Ok(_))));
    assert_eq!(world.head_seq(&store), 11);
}

#[test]
fn a_bad_call_leaves_nothing_and_harms_nobody() {
    let world = World::new();
    let store = world.open();
    let mut bad = world.message(2);
    bad.targets[1].user = UserId(1 << 40);
    let mut calls =
        [vec![world.message(1)], vec![world.message(2), bad], vec![world.message(3)]].map(|call| store.append(call));
    world.clock.pass(5);
    let [first, bad, last] = calls.each_mut().map(|call| poll(call).expect("answered"));
    assert!(matches!(bad, Err(Error::Failed(_))));
    assert_eq!((seq(first.expect("stored")[0]), seq(last.expect("stored")[0])), (1, 2));
}

#[test]
fn a_shutdown_answers_what_waits_and_refuses_the_rest() {
    let world = World::new();
    let store = world.open();
    let mut writing = store.append(vec![world.message(1)]);
    world.clock.turn();
    let mut waiting = store.append(vec![world.message(2)]);
    store.shutdown();
    assert!(matches!(poll(&mut writing), Some(Ok(_))) && matches!(poll(&mut waiting), Some(Ok(_))));
    assert_eq!(poll(&mut store.append(vec![world.message(3)])), Some(Err(Error::Busy)));
    assert_eq!(poll(&mut store.apps()), Some(Err(Error::Busy)));
    world.clock.pass(50);
    assert_eq!((world.head_seq(&world.open()), world.heard()), (2, 4));
}

#[test]
fn a_restore_is_another_history() {
    let world = World::new();
    let store = world.open();
    for number in 1..=3 {
        world.say(&store, number);
    }
    let (backup, token) = (world.disk.backup(), store.token());
    world.say(&store, 4);
    let epoch = world.disk.restore(backup.clone());
    assert!(poll(&mut store.apps()).is_none(), "that server is gone");
    let after = world.open();
    assert_eq!((after.log_epoch(), epoch), (epoch, store.log_epoch() + 1));
    assert_eq!(world.done(after.resume(SessionId([0; 16]), 0, 9)).session, None);
    for person in 0..2 {
        world.done(after.open_session(world.login(person)));
    }
    let Outcome::Appended(answer) = world.say(&after, 4) else { panic!("what the backup has not was never there") };
    assert_eq!((answer.seq, answer.inbox_seq, answer.message_count), (3 + disk::GAP + 1, 3 + disk::GAP + 1, 4));
    assert!(matches!(world.say(&after, 3), Outcome::Duplicate(answer) if answer.seq == 3));
    let inbox = world.done(after.inbox(world.users[1], 3, 9, usize::MAX));
    assert_eq!((inbox.low, inbox.entries.len()), (3 + disk::GAP + 1, 0), "every old cursor gets RESET");
    assert!(world.done(after.changes(token, 9)).truncated);
    assert_eq!(after.since(token, world.users[0], SessionId([0; 16])), None);
    assert_eq!(world.disk.restore(backup), epoch + 1, "the same backup again is a third history");
}

#[test]
fn a_store_knows_only_what_it_has_committed_itself_without_reading() {
    let world = World::new();
    let store = world.open_with(ModelOptions { feed_commits_max: 3, ..ModelOptions::default() });
    let (start, session) = (store.token(), SessionId([7; 16]));
    assert_eq!(store.since(start, world.users[0], session), Some(Default::default()));
    assert_eq!(store.since(start - 1, world.users[0], session), None);
    assert_eq!(store.since(start + 1, world.users[0], session), None, "a token of another history");
    world.say(&store, 1);
    world.say(&store, 2);
    assert_eq!(store.since(start, world.users[1], session).expect("told").head, Some(2));
    world.say(&store, 3);
    world.say(&store, 4);
    assert_eq!(store.since(start, world.users[1], session), None, "no longer kept");
    assert!(world.done(store.changes(start, 9)).truncated);
    assert_eq!(world.done(store.changes(start + 1, 9)).changes.len(), 6);
}

#[test]
fn chosen_faults_slow_reads_and_refuse_work() {
    let world = World::new();
    let store = world.open();
    inject(Some(Box::new(|name| name == "slow read")));
    let mut slow = store.apps();
    inject(None);
    assert!(poll(&mut slow).is_none());
    world.clock.pass(SLOW_READ_MS);
    assert!(poll(&mut slow).is_none());
    world.clock.pass(SLOW_READ_MS);
    assert!(matches!(poll(&mut slow), Some(Ok(apps)) if apps.len() == 1));
    inject(Some(Box::new(|name| name.ends_with("queue full"))));
    assert_eq!(poll(&mut store.apps()), Some(Err(Error::Busy)));
    assert_eq!(poll(&mut store.append(vec![world.message(1)])), Some(Err(Error::Busy)));
    inject(None);
    assert_eq!(world.head_seq(&store), 0);
}

#[test]
fn a_planted_early_answer_is_taken_back_by_a_power_cut() {
    for (kept, head_seq) in [(false, 1), (true, 2)] {
        let world = World::new();
        let store = world.open();
        world.say(&store, 1);
        plant(Some("ack before sync"));
        let mut call = store.append(vec![world.message(2)]);
        world.clock.turn();
        assert!(matches!(poll(&mut call), Some(Ok(_))), "answered, though nothing is synced");
        world.disk.crash(kept);
        assert_eq!(world.head_seq(&world.open()), head_seq);
        plant(None);
    }
}

#[test]
fn a_planted_early_push_tells_what_a_power_cut_takes_back() {
    let world = World::new();
    let store = world.open();
    plant(Some("push before commit"));
    let mut call = store.append(vec![world.message(1)]);
    world.clock.turn();
    assert_eq!((world.heard(), poll(&mut call).is_none(), world.head_seq_now(&store)), (2, true, 0));
    world.clock.pass(5);
    assert_eq!((world.heard(), world.head_seq_now(&store)), (2, 1), "told once");
    let _unanswered = store.append(vec![world.message(2)]);
    world.clock.turn();
    world.disk.crash(false);
    assert_eq!((world.heard(), world.head_seq(&world.open())), (4, 1));
    plant(None);
}
