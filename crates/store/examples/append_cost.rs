//! What one direct message costs the embedded store: CPU and bytes written, by batch size, 200 conversations.
//!
//! `cargo run --release -p hongyan-store --example append_cost [-- FOLDER [MESSAGES [BATCH]]]`. The folder must be on a real
//! disk.
//! CPU is that of the store's own threads, from the kernel's schedule statistics; bytes are what the process caused to be
//! written to the disk.
#![allow(clippy::disallowed_methods, reason = "it measures")]

use std::collections::BTreeMap;
use std::collections::VecDeque;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Instant;

use hongyan_domain::app::AppSettings;
use hongyan_domain::environment::Pending;
use hongyan_domain::id::{AppId, ClientId, SessionId, UserId};
use hongyan_domain::message::Draft;
use hongyan_domain::name::Name;
use hongyan_domain::session::Term;
use hongyan_domain::time::UnixMillis;
use hongyan_store::sessions::OpenSession;
use hongyan_store::sqlite::{SqliteOptions, SqliteStore};
use hongyan_store::timeline::{Append, Outcome, Target, What};
use hongyan_store::{Accounts, Committed, Listener, Said, Sessions, Timeline};

const CONVERSATIONS: usize = 200;
const BODY_BYTES: usize = 100;
const TMPFS_MAGIC: i64 = 0x0102_1994;

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

#[derive(Clone)]
struct Person {
    user: UserId,
    name: Name,
    session: SessionId,
}

fn main() {
    let mut arguments = std::env::args().skip(1);
    let folder = arguments.next().map_or_else(|| PathBuf::from("target/append_cost"), PathBuf::from);
    let messages: usize = arguments.next().map_or(200_000, |text| text.parse().expect("a number of messages"));
    std::fs::create_dir_all(&folder).expect("the folder can be made");
    let kind = rustix::fs::statfs(&folder).expect("the folder can be asked").f_type as i64;
    assert_ne!(kind, TMPFS_MAGIC, "{} is in memory: choose a folder on a disk", folder.display());
    let runtime = tokio::runtime::Builder::new_current_thread().build().expect("a runtime");
    println!("batch  messages  writer µs/msg  checkpoint µs/msg  KiB written/msg  messages/s");
    let only: Option<usize> = arguments.next().map(|text| text.parse().expect("a batch size"));
    for batch in only.map_or(vec![1024, 256, 16, 1], |batch| vec![batch]) {
        let count = if batch >= 256 { messages } else { (batch * 1_500).min(messages) };
        runtime.block_on(run(&folder.join(format!("batch-{batch}")), batch, count));
    }
}

async fn run(folder: &Path, batch: usize, count: usize) {
    let _ = std::fs::remove_dir_all(folder);
    let options = SqliteOptions { batch_items_max: batch, ..SqliteOptions::default() };
    let store = SqliteStore::open(folder, options, Arc::new(Silent)).expect("a new store");
    let app = store.create_app(name("app"), AppSettings::default(), UnixMillis(0)).await.expect("stored");
    let app = app.expect("a new app").id;
    let people = people(&store, app).await;
    let (cpu, bytes, start) = (threads_cpu_ns(), written_bytes(), Instant::now());
    append(&store, app, &people, count, batch).await;
    let seconds = start.elapsed().as_secs_f64();
    let cpu_now = threads_cpu_ns();
    let spent = |thread: &str| {
        let of = |all: &BTreeMap<String, u64>| all.get(thread).copied().unwrap_or(0);
        (of(&cpu_now) - of(&cpu)) as f64 / 1_000.0 / count as f64
    };
    let written = (written_bytes() - bytes) as f64 / 1024.0 / count as f64;
    println!(
        "{batch:5}  {count:8}  {:13.1}  {:17.1}  {written:15.1}  {:10.0}",
        spent("store-writer"),
        spent("store-checkpoin"),
        count as f64 / seconds
    );
    store.shutdown();
    drop(store);
    let _ = std::fs::remove_dir_all(folder);
}

fn name(text: &str) -> Name {
    Name::parse(text).expect("a valid name")
}

async fn people(store: &SqliteStore, app: AppId) -> Vec<Person> {
    let mut people = Vec::new();
    for number in 0..2 * CONVERSATIONS {
        let name = name(&format!("user{number}"));
        let user = store.create_user(app, name.clone(), None, UnixMillis(0)).await.expect("stored");
        let user = user.expect("a new user").id;
        let session = SessionId((number as u128 + 1).wrapping_mul(0x9e37_79b9_7f4a_7c15).to_le_bytes());
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
        store.open_session(login).await.expect("stored");
        people.push(Person { user, name, session });
    }
    people
}

/// Keeps several batches waiting, so that the writer always finds a full one.
async fn append(store: &SqliteStore, app: AppId, people: &[Person], count: usize, batch: usize) {
    let mut waiting: VecDeque<Pending<'_, hongyan_store::Result<Vec<Outcome>>>> = VecDeque::new();
    let mut random = 1_u64;
    for number in 0..count {
        // In random order, so that a batch touches every conversation several times.
        random = random.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        let sender = (random >> 33) as usize % people.len();
        waiting.push_back(store.append(vec![message(app, people, sender, number, random)]));
        if waiting.len() >= 4 * batch.max(4) {
            answered(waiting.pop_front()).await;
        }
    }
    while !waiting.is_empty() {
        answered(waiting.pop_front()).await;
    }
}

async fn answered(answer: Option<Pending<'_, hongyan_store::Result<Vec<Outcome>>>>) {
    let outcomes = answer.expect("one waits").await.expect("stored");
    assert!(matches!(outcomes[..], [Outcome::Appended(_)]), "{outcomes:?}");
}

fn message(app: AppId, people: &[Person], sender: usize, number: usize, random: u64) -> Append {
    let (from, to) = (&people[sender], &people[sender ^ 1]);
    let client_id = (u128::from(random) << 64 | number as u128).wrapping_mul(0x2545_f491_4f6c_dd1d_9e37_79b9_7f4a_7c15);
    Append {
        app,
        sender: from.user,
        other: to.user,
        session: from.session,
        client_id: ClientId(client_id.to_le_bytes()),
        digest: random,
        access_version: 0,
        seen_seq: 0,
        now: UnixMillis(1_790_000_000_000 + number as u64),
        what: What::Message(Draft { body: vec![b'x'; BODY_BYTES].into(), ..Draft::default() }),
        targets: [
            Target { user: from.user, about: to.name.clone() },
            Target { user: to.user, about: from.name.clone() },
        ]
        .into(),
    }
}

/// Nanoseconds of CPU by thread name.
fn threads_cpu_ns() -> BTreeMap<String, u64> {
    let mut times = BTreeMap::new();
    for task in std::fs::read_dir("/proc/self/task").expect("Linux").flatten() {
        let text = |file| std::fs::read_to_string(task.path().join(file)).unwrap_or_default();
        let spent = text("schedstat").split(' ').next().and_then(|field| field.parse().ok()).unwrap_or(0);
        *times.entry(text("comm").trim().to_owned()).or_default() += spent;
    }
    times
}

fn written_bytes() -> u64 {
    let io = std::fs::read_to_string("/proc/self/io").expect("Linux");
    let line = io.lines().find_map(|line| line.strip_prefix("write_bytes: ")).expect("a counter");
    line.trim().parse().expect("a number")
}
