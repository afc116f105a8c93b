//! The embedded store against the suite that every store must pass, and what only it promises: durability, damage, full
//! disks, backup, retention.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::mpsc;

use hongyan_domain::app::AppSettings;
use hongyan_domain::id::{ClientId, ConversationId, SessionId, UserId};
use hongyan_domain::message::{Alteration, Draft};
use hongyan_domain::name::Name;
use hongyan_domain::receipt::Position;
use hongyan_domain::session::{EndReason, Term};
use hongyan_domain::time::UnixMillis;
use hongyan_domain::visitor::Meeting;

use super::*;
use crate::conformance::Fixture;
use crate::feed::{Committed, Said};
use crate::sessions::{CursorAdvance, OpenSession};
use crate::timeline::{Answer, Append, HistoryQuery, MarkRead, Outcome, Target, What};
use crate::{Accounts, Feed, Sessions, Timeline, Visitors};

mod friends;
mod groups;
mod rooms;
mod spam;

struct Folder(tempfile::TempDir);

impl Folder {
    fn new() -> Self {
        Self(tempfile::tempdir().expect("a temporary folder"))
    }

    fn path(&self) -> &Path {
        self.0.path()
    }
}

fn options() -> SqliteOptions {
    SqliteOptions { disk_reserve_bytes: 0, ..SqliteOptions::default() }
}

impl Fixture for Folder {
    type Store = SqliteStore;

    fn open(&self, listener: Arc<dyn Listener>) -> Arc<SqliteStore> {
        SqliteStore::open(self.path(), options(), listener).expect("opened")
    }

    fn close(&self, store: Arc<SqliteStore>) {
        store.shutdown();
    }
}

mod suite {
    crate::conformance_suite!(crate::sqlite::tests::Folder::new());
}

/// A folder whose stores have no threads.
struct Stepped {
    folder: Folder,
    stepper: Mutex<Option<Stepper>>,
}

impl Stepped {
    fn new() -> Self {
        Self { folder: Folder::new(), stepper: Mutex::default() }
    }

    /// Everybody takes a turn; false if nobody had anything to do.
    fn step(&self) -> bool {
        let mut stepper = self.stepper.lock().expect("one thread");
        let Some(stepper) = stepper.as_mut() else { return false };
        let (wrote, read, moved) = (stepper.write() == Step::Done, stepper.read(), stepper.checkpoint());
        wrote || read || moved
    }
}

impl Fixture for Stepped {
    type Store = SqliteStore;

    fn open(&self, listener: Arc<dyn Listener>) -> Arc<SqliteStore> {
        let options = SqliteOptions { log_worth_pages: 50, ..options() };
        let (store, stepper) = SqliteStore::open_stepped(self.folder.path(), options, listener).expect("opened");
        *self.stepper.lock().expect("one thread") = Some(stepper);
        store
    }

    fn close(&self, _: Arc<SqliteStore>) {
        self.stepper.lock().expect("one thread").take().expect("open").shutdown();
    }
}

/// Polls a test; whenever it waits, the store takes turns.
async fn in_turns(store: &Stepped, test: impl Future<Output = ()>) {
    let mut test = std::pin::pin!(test);
    std::future::poll_fn(|context| {
        loop {
            let polled = test.as_mut().poll(context);
            if polled.is_ready() || !store.step() {
                return polled;
            }
        }
    })
    .await;
}

mod suite_in_turns {
    crate::conformance_suite!(crate::sqlite::tests::Stepped::new(), crate::sqlite::tests::in_turns);
}

#[test]
fn without_turns_nothing_happens_and_one_turn_is_one_batch() {
    let folder = Folder::new();
    let options = SqliteOptions { batch_items_max: 2, ..options() };
    let (store, mut stepper) = SqliteStore::open_stepped(folder.path(), options, Arc::new(Deaf)).expect("opened");
    let calls = ["a", "b", "c"].map(|text| store.create_app(name(text), AppSettings::default(), NOW));
    let reads = [store.apps(), store.apps()];
    assert_eq!((stepper.writes_waiting(), stepper.reads_waiting()), (3, 2));
    assert!(stepper.read());
    assert_eq!((stepper.write(), stepper.writes_waiting()), (Step::Done, 1));
    assert!(stepper.read() && !stepper.read());
    assert_eq!((stepper.write(), stepper.write()), (Step::Done, Step::Idle));
    let mut context = std::task::Context::from_waker(std::task::Waker::noop());
    let found = reads.map(|mut read| match read.as_mut().poll(&mut context) {
        std::task::Poll::Ready(apps) => apps.expect("read").len(),
        std::task::Poll::Pending => panic!("a read had its turn"),
    });
    assert_eq!(found, [0, 2], "each read sees what is committed in its turn");
    assert!(calls.into_iter().all(|mut call| call.as_mut().poll(&mut context).is_ready()));
    assert!(!stepper.checkpoint(), "the log is short");
    assert!(log_pages(&folder) > 0);
    stepper.empty_log();
    assert_eq!(log_pages(&folder), 0);
    let last = store.create_app(name("d"), AppSettings::default(), NOW);
    stepper.shutdown();
    assert!(matches!(std::pin::pin!(last).as_mut().poll(&mut context), std::task::Poll::Ready(Ok(Some(_)))));
    assert_eq!(log_pages(&folder), 0);
    drop(folder.open(Arc::new(Deaf)));
}

/// Hears nothing.
struct Deaf;

impl Listener for Deaf {
    fn committed(&self, _: Vec<Committed>) {}

    fn said(&self, _: Vec<Said>) {}

    fn grouped(&self, _: Vec<crate::GroupNews>) {}
}

/// Calls a function.
struct Calls<F>(F);

impl<F: Fn(&[Committed]) + Send + Sync + 'static> Listener for Calls<F> {
    fn committed(&self, batch: Vec<Committed>) {
        (self.0)(&batch);
    }

    fn said(&self, _: Vec<Said>) {}

    fn grouped(&self, _: Vec<crate::GroupNews>) {}
}

const NOW: UnixMillis = UnixMillis(1_790_000_000_000);

fn name(text: &str) -> Name {
    Name::parse(text).expect("a valid name")
}

/// Two users with sessions, who write to each other.
#[derive(Clone, Copy)]
struct Pair {
    app: AppId,
    users: [UserId; 2],
    sessions: [SessionId; 2],
}

impl Pair {
    async fn new(store: &SqliteStore, settings: AppSettings) -> Self {
        let app = store
            .create_app(Name::parse("app").expect("a name"), settings, NOW)
            .await
            .expect("stored")
            .expect("new")
            .id;
        let mut users = Vec::new();
        for text in ["a", "b"] {
            users.push(store.create_user(app, name(text), None, NOW).await.expect("stored").expect("new").id);
        }
        let pair = Self { app, users: [users[0], users[1]], sessions: [SessionId([1; 16]), SessionId([2; 16])] };
        pair.login(store).await;
        pair
    }

    async fn login(&self, store: &SqliteStore) {
        for (user, session) in self.users.into_iter().zip(self.sessions) {
            store.open_session(self.login_of(user, session)).await.expect("stored");
        }
    }

    fn login_of(&self, user: UserId, session: SessionId) -> OpenSession {
        let device_id = b"device".to_vec();
        let (sessions_max, devices_max) = (1, 10);
        OpenSession {
            app: self.app,
            user,
            session,
            device_id,
            term: Term::Pc,
            sessions_max,
            devices_max,
            connected: NOW,
            now: NOW,
        }
    }

    /// The `number`-th message, written by one of the two in turn.
    fn message(&self, number: u64) -> Append {
        let from = (number % 2) as usize;
        let target = |person: usize| Target { user: self.users[person], about: name(["b", "a"][person]) };
        Append {
            app: self.app,
            sender: self.users[from],
            other: self.users[1 - from],
            session: self.sessions[from],
            client_id: ClientId(u128::from(number).to_be_bytes()),
            digest: number,
            access_version: 0,
            seen_seq: 0,
            now: NOW,
            what: What::Message(Draft { body: vec![b'x'; 500].into(), ..Draft::default() }),
            targets: [target(from), target(1 - from)].into(),
        }
    }

    async fn say(&self, store: &SqliteStore, number: u64) -> Answer {
        appended(&store.append(vec![self.message(number)]).await.expect("stored"))
    }

    async fn conversation(&self, store: &SqliteStore) -> ConversationId {
        let direct = store.direct(self.app, self.users[0], self.users[1]).await.expect("read");
        direct.conversation.expect("they have talked")
    }

    async fn seqs(&self, store: &SqliteStore) -> Vec<u64> {
        let query = HistoryQuery {
            before_seq: None,
            after_seq: Some(0),
            changed_after: None,
            limit: 4_000,
            bytes_max: usize::MAX,
        };
        let conversation = self.conversation(store).await;
        let page = store.history(conversation, self.users[0], query).await.expect("read");
        page.entries.iter().map(|entry| entry.seq).collect()
    }
}

fn appended(outcomes: &[Outcome]) -> Answer {
    match outcomes {
        [Outcome::Appended(answer)] => *answer,
        other => panic!("not appended: {other:?}"),
    }
}

fn copy_files(from: &Path, to: &Path) {
    for file in std::fs::read_dir(from).expect("a folder").flatten() {
        let name = file.file_name();
        if name.to_string_lossy().ends_with(".db") || name.to_string_lossy().ends_with("-wal") {
            std::fs::copy(file.path(), to.join(name)).expect("copied");
        }
    }
}

#[tokio::test]
async fn two_servers_never_share_a_folder() {
    let folder = Folder::new();
    let store = folder.open(Arc::new(Deaf));
    let second = SqliteStore::open(folder.path(), options(), Arc::new(Deaf));
    assert!(matches!(second, Err(OpenError::Locked(_))));
    store.shutdown();
    drop(folder.open(Arc::new(Deaf)));
}

#[tokio::test]
async fn an_empty_file_is_migrated_and_one_of_a_newer_program_is_refused() {
    let folder = Folder::new();
    let path = folder.path().join(DATA_FILE);
    File::create(&path).expect("made");
    drop(folder.open(Arc::new(Deaf)));
    let connection = Connection::open(&path).expect("opened");
    let version: i64 = connection.pragma_query_value(None, "user_version", |row| row.get(0)).expect("a number");
    assert_eq!(version, schema::VERSION);
    connection.pragma_update(None, "user_version", version + 1).expect("written");
    drop(connection);
    let newer = SqliteStore::open(folder.path(), options(), Arc::new(Deaf));
    assert!(matches!(newer, Err(OpenError::File(text)) if text.contains("newer")));
}

#[tokio::test]
async fn a_file_from_before_visitors_goes_on() {
    let folder = Folder::new();
    let path = folder.path().join(DATA_FILE);
    let connection = Connection::open(&path).expect("made");
    connection.execute_batch(include_str!("migrations/0001_direct_conversations.sql")).expect("migrated");
    let rows = "INSERT INTO app (id, name, settings, created) VALUES (1024, 'app', '{\"retention_days\":7}', 5);
        UPDATE counter SET next = 9;
        INSERT INTO user (id, app, name, created) VALUES (2048, 1024, 'ann', 5), (3072, 1024, 'bob', 5);
        INSERT INTO user_head (user) VALUES (2048), (3072);
        INSERT INTO conversation (id, app, low, high, head_seq, access_version) VALUES (4096, 1024, 2048, 3072, 7, 3);";
    connection.execute_batch(rows).expect("written");
    connection.pragma_update(None, "user_version", 1).expect("written");
    drop(connection);
    let store = folder.open(Arc::new(Deaf));
    let app = store.app(Name::parse("app").expect("a name")).await.expect("read").expect("there");
    assert_eq!((app.settings.retention_days, app.settings.visitors), (7, true));
    let ann = store.user(app.id, Name::parse("ann").expect("a name")).await.expect("read").expect("there");
    assert!(!ann.takes_visitors);
    let direct = store.direct(app.id, ann.id, UserId(3072)).await.expect("read");
    assert_eq!((direct.head_seq, direct.facts.access_version, direct.facts.meeting), (7, 3, Meeting::People));
    assert_eq!(store.visitor(ann.id).await, Ok(None));
}

#[tokio::test]
async fn a_shutdown_leaves_no_log_and_answers_what_waits() {
    let folder = Folder::new();
    let store = folder.open(Arc::new(Deaf));
    let pair = Pair::new(&store, AppSettings::default()).await;
    let calls: Vec<_> = (0..200).map(|number| store.append(vec![pair.message(number)])).collect();
    store.shutdown();
    for call in calls {
        appended(&call.await.expect("stored"));
    }
    assert_eq!(store.append(vec![pair.message(999)]).await, Err(Error::Busy));
    assert_eq!(store.apps().await, Err(Error::Busy));
    let wal = folder.path().join(format!("{DATA_FILE}-wal"));
    assert_eq!(std::fs::metadata(wal).map_or(0, |found| found.len()), 0);
}

#[tokio::test]
async fn what_was_answered_survives_a_crash() {
    let (folder, crashed) = (Folder::new(), Folder::new());
    let store = folder.open(Arc::new(Deaf));
    let pair = Pair::new(&store, AppSettings::default()).await;
    for number in 0..50 {
        pair.say(&store, number).await;
    }
    // The files as a crash leaves them: nothing is shut down.
    copy_files(folder.path(), crashed.path());
    let after = crashed.open(Arc::new(Deaf));
    assert!(pair.seqs(&after).await.into_iter().eq(1..=50));
    let again = after.append(vec![pair.message(7)]).await.expect("stored");
    assert!(matches!(again[..], [Outcome::Duplicate(answer)] if answer.seq == 8));
    assert_eq!(pair.say(&after, 50).await.seq, 51);
}

#[tokio::test]
async fn a_torn_log_loses_whole_commits_from_its_end_only() {
    let folder = Folder::new();
    let store = folder.open(Arc::new(Deaf));
    let pair = Pair::new(&store, AppSettings::default()).await;
    pair.say(&store, 0).await;
    let wal = format!("{DATA_FILE}-wal");
    let kept = std::fs::metadata(folder.path().join(&wal)).expect("there").len();
    for number in 1..20 {
        pair.say(&store, number).await;
    }
    let whole = std::fs::metadata(folder.path().join(&wal)).expect("there").len();
    let mut lengths = Vec::new();
    for part in 0..24 {
        let torn = Folder::new();
        copy_files(folder.path(), torn.path());
        let file = File::options().write(true).open(torn.path().join(&wal)).expect("there");
        file.set_len(kept + (whole - kept) * part / 23).expect("cut");
        let after = torn.open(Arc::new(Deaf));
        let seqs = pair.seqs(&after).await;
        let count = seqs.len() as u64;
        assert!(seqs.into_iter().eq(1..=count));
        assert_eq!(after.inbox_heads(vec![pair.users[0]]).await, Ok(vec![(pair.users[0], count)]));
        lengths.push(count);
    }
    assert!(lengths.is_sorted() && lengths.first() == Some(&1) && lengths.last() == Some(&20), "{lengths:?}");
}

#[tokio::test]
async fn the_listener_hears_only_what_is_committed() {
    let folder = Folder::new();
    let path = folder.path().join(DATA_FILE);
    let seen = Arc::new(AtomicUsize::new(0));
    let counter = Arc::clone(&seen);
    let store = folder.open(Arc::new(Calls(move |batch: &[Committed]| {
        // Another connection sees committed rows only.
        let connection = Connection::open(&path).expect("opened");
        for told in batch {
            let sql = "SELECT count(*) FROM inbox WHERE user = ?1 AND seq = ?2";
            let rows: i64 = connection.query_row(sql, (told.user.0, told.inbox_seq), |row| row.get(0)).expect("read");
            assert_eq!(rows, 1);
            counter.fetch_add(1, Ordering::SeqCst);
        }
    })));
    let pair = Pair::new(&store, AppSettings::default()).await;
    for number in 0..5 {
        pair.say(&store, number).await;
        assert_eq!(seen.load(Ordering::SeqCst) as u64, 2 * (number + 1), "told before the answer");
    }
}

/// A store whose writer waits in its first commit until the sender is used, and the sender.
fn store_that_waits(folder: &Folder) -> (Arc<SqliteStore>, Arc<AtomicBool>, mpsc::Sender<()>) {
    let (go, wait) = mpsc::channel();
    let wait = std::sync::Mutex::new(wait);
    let hold = Arc::new(AtomicBool::new(false));
    let held = Arc::clone(&hold);
    let listener = Calls(move |_: &[Committed]| {
        if held.swap(false, Ordering::SeqCst) {
            wait.lock().expect("one thread").recv().expect("told to go on");
        }
    });
    (folder.open(Arc::new(listener)), hold, go)
}

#[tokio::test]
async fn one_bad_item_does_not_harm_its_batch() {
    let folder = Folder::new();
    let (store, hold, go) = store_that_waits(&folder);
    let pair = Pair::new(&store, AppSettings::default()).await;
    hold.store(true, Ordering::SeqCst);
    let first = store.append(vec![pair.message(0)]);
    let mut bad = pair.message(77);
    bad.targets[1].user = UserId(1 << 40);
    let calls: Vec<_> = (1..10).map(|number| store.append(vec![pair.message(number)])).collect();
    let bad = store.append(vec![pair.message(78), bad]);
    let rest: Vec<_> = (10..20).map(|number| store.append(vec![pair.message(number)])).collect();
    go.send(()).expect("the writer waits");
    assert!(matches!(bad.await, Err(Error::Failed(_))));
    for call in [first].into_iter().chain(calls).chain(rest) {
        appended(&call.await.expect("stored"));
    }
    assert!(pair.seqs(&store).await.into_iter().eq(1..=20), "no number is lost, and nothing of the bad call is kept");
    let again = store.append(vec![pair.message(78)]).await.expect("stored");
    assert_eq!(appended(&again).seq, 21);
}

#[tokio::test]
async fn an_unknown_commit_answers_nobody_and_stops() {
    let folder = Folder::new();
    let (told, fatal) = mpsc::channel();
    let told = std::sync::Mutex::new(told);
    let fatal_hook: Fatal = Arc::new(move |reason| {
        told.lock().expect("one thread").send(reason.to_owned()).expect("the test waits");
    });
    let broken = Arc::new(AtomicBool::new(false));
    let breaks = Arc::clone(&broken);
    let commit: Commit = Box::new(move |connection| {
        if breaks.load(Ordering::SeqCst) {
            let error = rusqlite::ffi::Error::new(rusqlite::ffi::SQLITE_IOERR_FSYNC);
            return Err(rusqlite::Error::SqliteFailure(error, None));
        }
        writer::commit(connection)
    });
    let options = SqliteOptions { fatal: fatal_hook, ..options() };
    let store = SqliteStore::open_with(folder.path(), options, Arc::new(Deaf), commit).expect("opened");
    let pair = Pair::new(&store, AppSettings::default()).await;
    pair.say(&store, 0).await;
    broken.store(true, Ordering::SeqCst);
    let unknown = store.append(vec![pair.message(1)]);
    assert!(fatal.recv().expect("told").contains("unknown"));
    tokio::select! {
        biased;
        answer = unknown => panic!("answered {answer:?}"),
        () = std::future::ready(()) => {}
    }
    let (found, crashed) = (store.apps().await.expect("reads go on").len(), Folder::new());
    assert_eq!(found, 1);
    copy_files(folder.path(), crashed.path());
    assert_eq!(pair.say(&crashed.open(Arc::new(Deaf)), 1).await.seq, 2);
}

#[tokio::test]
async fn below_the_reserve_appends_stop_and_logins_and_marks_go_on() {
    let folder = Folder::new();
    let store = folder.open(Arc::new(Deaf));
    let pair = Pair::new(&store, AppSettings::default()).await;
    pair.say(&store, 0).await;
    let conversation = pair.conversation(&store).await;
    store.shutdown();
    let full = SqliteOptions { disk_reserve_bytes: u64::MAX, ..options() };
    let store = SqliteStore::open(folder.path(), full, Arc::new(Deaf)).expect("opened");
    assert_eq!(store.append(vec![pair.message(1)]).await, Err(Error::DiskFull));
    let opened = store
        .open_session(pair.login_of(pair.users[1], SessionId([9; 16])))
        .await
        .expect("logins go on")
        .expect("the latest");
    let mark = MarkRead {
        app: pair.app,
        target: Target { user: pair.users[1], about: name("a") },
        other: pair.users[0],
        conversation,
        session: SessionId([9; 16]),
        position: Position { seq: 1, message_count: 1, own_count: 0 },
    };
    assert_eq!(store.mark_read(mark).await.expect("marks go on").read_seq, 1);
    let advance = CursorAdvance { user: pair.users[1], device: opened.device, inbox_cursor: 1, delivered: Vec::new() };
    assert_eq!(store.advance_cursors(vec![advance]).await, Ok(()));
    assert_eq!(pair.seqs(&store).await, [1], "and reads");
}

#[tokio::test]
async fn a_full_file_is_a_definite_refusal_and_ends_with_space() {
    let folder = Folder::new();
    let pages = Arc::new(AtomicUsize::new(0));
    let limit = Arc::clone(&pages);
    // The limit of pages makes SQLite answer SQLITE_FULL, as a full disk does.
    let commit: Commit = Box::new(move |connection| {
        let result = writer::commit(connection);
        let pages = limit.load(Ordering::SeqCst);
        if pages > 0 {
            connection.pragma_update_and_check(None, "max_page_count", pages, |_| Ok(()))?;
        }
        result
    });
    let store = SqliteStore::open_with(folder.path(), options(), Arc::new(Deaf), commit).expect("opened");
    let pair = Pair::new(&store, AppSettings::default()).await;
    pages.store(1, Ordering::SeqCst); // SQLite takes the present size instead.
    let mut stored = 0;
    let refused = loop {
        match store.append(vec![pair.message(stored)]).await {
            Ok(outcomes) => stored = appended(&outcomes).seq,
            Err(error) => break error,
        }
        assert!(stored < 10_000, "the limit holds");
    };
    assert_eq!(refused, Error::DiskFull);
    pages.store(1_000_000, Ordering::SeqCst);
    store.end_session(SessionId([8; 16]), EndReason::Revoked, NOW).await.expect("stored");
    assert_eq!(pair.say(&store, stored).await.seq, stored + 1, "the number of the refused one was not used");
}

#[tokio::test]
async fn a_backup_under_load_is_one_instant_and_a_restore_is_another_history() {
    let (folder, other) = (Folder::new(), Folder::new());
    let store = folder.open(Arc::new(Deaf));
    let pair = Pair::new(&store, AppSettings::default()).await;
    for number in 0..200 {
        pair.say(&store, number).await;
    }
    let token = store.changes(0, 1).await.expect("read").token;
    let mut calls = Vec::new();
    let file = other.path().join("backup.db");
    let mut steps = 0;
    SqliteStore::backup(folder.path(), &file, |progress| {
        assert!(progress.remaining_pages <= progress.total_pages);
        calls.extend((0..20).map(|number| store.append(vec![pair.message(200 + 20 * steps + number)])));
        steps += 1;
    })
    .expect("a backup");
    assert!(steps > 0);
    for call in calls {
        appended(&call.await.expect("stored"));
    }
    assert!(SqliteStore::backup(folder.path(), &file, |_| {}).is_err(), "nothing is overwritten");
    assert!(SqliteStore::restore(&file, folder.path(), NOW).is_err(), "in use");
    store.shutdown();
    assert!(SqliteStore::restore(&file, folder.path(), NOW).is_err(), "has a store");

    let restored = Folder::new();
    let epoch = SqliteStore::restore(&file, restored.path(), NOW).expect("restored");
    let after = restored.open(Arc::new(Deaf));
    assert_eq!((after.log_epoch(), epoch > store.log_epoch()), (epoch, true));
    assert!(pair.seqs(&after).await.into_iter().eq(1..=200), "the instant when it began");
    assert_eq!(after.resume(pair.sessions[0], 0, 9).await.expect("read").session, None);
    pair.login(&after).await;
    let next = pair.say(&after, 9_999).await;
    assert_eq!((next.seq, next.inbox_seq, next.message_count), (200 + backup::GAP + 1, 200 + backup::GAP + 1, 201));
    let inbox = after.inbox(pair.users[1], 200, 10, usize::MAX).await.expect("read");
    assert_eq!((inbox.low, inbox.entries.len()), (200 + backup::GAP + 1, 0), "every old cursor gets RESET");
    assert!(after.changes(token, 9).await.expect("read").truncated);
    let conversation = pair.conversation(&after).await;
    let position = after.position(conversation, pair.users[0], 5_000).await.expect("read");
    assert_eq!((position.message_count, position.own_count), (200, 100), "the gap holds nothing");

    let again = Folder::new();
    let later = UnixMillis(NOW.0 + 1_000);
    assert!(SqliteStore::restore(&file, again.path(), later).expect("restored") > epoch);
    std::fs::write(other.path().join("rubbish"), [7; 9_000]).expect("written");
    assert!(SqliteStore::restore(&other.path().join("rubbish"), Folder::new().path(), NOW).is_err());
}

/// Commits so many messages, four at a time, from the `first` on.
async fn load(store: &SqliteStore, pair: &Pair, first: u64, count: u64) {
    for number in (first..first + count).step_by(4) {
        let calls: Vec<_> = (0..4).map(|at| store.append(vec![pair.message(number + at)])).collect();
        for call in calls {
            appended(&call.await.expect("stored"));
        }
    }
}

fn log_pages(folder: &Folder) -> u64 {
    let wal = folder.path().join(format!("{DATA_FILE}-wal"));
    std::fs::metadata(wal).map_or(0, |found| found.len() / 4_096)
}

#[tokio::test]
async fn the_log_begins_again_under_constant_load_and_after_a_long_read() {
    let (folder, unbounded) = (Folder::new(), Folder::new());
    let store = unbounded.open(Arc::new(Deaf));
    let pair = Pair::new(&store, AppSettings::default()).await;
    load(&store, &pair, 0, 2_000).await;
    let written = log_pages(&unbounded);
    store.shutdown();

    let small = SqliteOptions { log_worth_pages: 50, log_hold_pages: 200, ..options() };
    let store = SqliteStore::open(folder.path(), small, Arc::new(Deaf)).expect("opened");
    let pair = Pair::new(&store, AppSettings::default()).await;
    load(&store, &pair, 0, 2_000).await;
    let most = log_pages(&folder);
    assert!(most * 3 < written, "{most} of {written} pages");
    // A reader that stays, such as a backup, keeps the log from beginning again; commits go on meanwhile.
    let reader = DataFile::in_folder(folder.path(), None).open(Role::Reader).expect("opened");
    reader.execute_batch("BEGIN; SELECT count(*) FROM meta").expect("read");
    load(&store, &pair, 2_000, 1_000).await;
    assert!(log_pages(&folder) > most);
    drop(reader);
    load(&store, &pair, 3_000, 1_000).await;
    store.shutdown();
    assert_eq!(log_pages(&folder), 0);
    let again = folder.open(Arc::new(Deaf));
    assert!(pair.seqs(&again).await.into_iter().eq(1..=4_000));
}

#[tokio::test]
async fn a_listener_that_panics_stops_no_answer() {
    let folder = Folder::new();
    let store = folder.open(Arc::new(Calls(|_: &[Committed]| panic!("a defect elsewhere"))));
    let pair = Pair::new(&store, AppSettings::default()).await;
    assert_eq!(pair.say(&store, 0).await.seq, 1);
    assert_eq!(pair.say(&store, 1).await.seq, 2);
}

const DAY: u64 = 86_400_000;

#[tokio::test]
async fn retention_removes_the_old_and_keeps_the_counts_right() {
    let folder = Folder::new();
    let store = folder.open(Arc::new(Deaf));
    let settings = AppSettings { retention_days: 90, ..AppSettings::default() };
    let pair = Pair::new(&store, settings).await;
    let at = |number: u64, day: u64| Append { now: UnixMillis(NOW.0 + day * DAY), ..pair.message(number) };
    for number in 0..600 {
        appended(&store.append(vec![at(number, 0)]).await.expect("stored"));
    }
    let react = What::Alter { target: 3, alteration: Alteration::React { name: "ok".into(), remove: false } };
    appended(&store.append(vec![Append { what: react, ..at(600, 0) }]).await.expect("stored"));
    for number in 601..607 {
        appended(&store.append(vec![at(number, 80)]).await.expect("stored"));
    }
    let conversation = pair.conversation(&store).await;
    store.end_session(pair.sessions[1], EndReason::LoggedOut, NOW).await.expect("stored");

    let early = store.retention(UnixMillis(NOW.0 + 29 * DAY), RetentionOptions::default()).await.expect("done");
    assert_eq!(early, RetentionReport::default());
    let report = store.retention(UnixMillis(NOW.0 + 100 * DAY), RetentionOptions::default()).await.expect("done");
    assert_eq!(report, RetentionReport { messages: 601, inbox_entries: 1_202, keys: 601, sessions: 1, spam: 0 });
    assert!(pair.seqs(&store).await.into_iter().eq(602..=607));
    let query = HistoryQuery { before_seq: None, after_seq: None, changed_after: None, limit: 9, bytes_max: 9_999 };
    let page = store.history(conversation, pair.users[0], query).await.expect("read");
    assert_eq!((page.covered, page.low_seq), (Some((1, 607)), 602));
    let inbox = store.inbox(pair.users[0], 601, 99, usize::MAX).await.expect("read");
    assert_eq!((inbox.low, inbox.head, inbox.entries.len()), (602, 607, 6));
    let line = &store.conversations(pair.users[0], 0, 1).await.expect("read").lines[0];
    assert_eq!((line.unread, line.low_seq), (3, 602), "what is gone is not unread");
    let position = store.position(conversation, pair.users[0], 604).await.expect("read");
    assert_eq!((position.message_count, position.own_count), (603, 301));
    let again = store.append(vec![at(606, 80)]).await.expect("stored");
    assert!(matches!(again[..], [Outcome::Duplicate(answer)] if answer.seq == 607), "keys of the last days stay");
    let idle = store.retention(UnixMillis(NOW.0 + 100 * DAY), RetentionOptions::default()).await.expect("done");
    assert_eq!(idle, RetentionReport::default());
}

#[tokio::test]
async fn an_inbox_keeps_so_many_entries() {
    let folder = Folder::new();
    let store = folder.open(Arc::new(Deaf));
    let pair = Pair::new(&store, AppSettings::default()).await;
    for number in 0..20 {
        pair.say(&store, number).await;
    }
    let limits = RetentionOptions { inbox_entries_max: 5, ..RetentionOptions::default() };
    let report = store.retention(NOW, limits).await.expect("done");
    assert_eq!(report, RetentionReport { inbox_entries: 30, ..RetentionReport::default() });
    let page = store.inbox(pair.users[0], 15, 99, usize::MAX).await.expect("read");
    assert_eq!((page.low, page.entries.len()), (16, 5));
    assert!(store.inbox(pair.users[0], 14, 99, usize::MAX).await.expect("read").entries.is_empty(), "needs a reset");
    assert_eq!(pair.say(&store, 20).await.inbox_seq, 21);
    assert!(pair.seqs(&store).await.into_iter().eq(1..=21), "messages stay for ever by default");
}

#[tokio::test]
async fn the_file_is_whole_after_much_work() {
    let folder = Folder::new();
    let store = folder.open(Arc::new(Deaf));
    let pair = Pair::new(&store, AppSettings::default()).await;
    let calls: Vec<_> = (0..3_000).map(|number| store.append(vec![pair.message(number)])).collect();
    for call in calls {
        appended(&call.await.expect("stored"));
    }
    for target in 1..50 {
        let what = What::Alter { target, alteration: Alteration::Recall };
        appended(&store.append(vec![Append { what, ..pair.message(5_000 + target) }]).await.expect("stored"));
    }
    store.shutdown();
    let connection = Connection::open(folder.path().join(DATA_FILE)).expect("opened");
    let found: String = connection.query_row("PRAGMA integrity_check", [], |row| row.get(0)).expect("checked");
    assert_eq!(found, "ok");
}
