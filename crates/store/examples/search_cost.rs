//! What searching costs in a million messages: `cargo run --release -p hongyan-store --example search_cost [MESSAGES]`.
//!
//! Words of two characters, some far more frequent than others, are written by 2,000 people into 20,000 conversations, of which
//! some are far busier than others. Measured is the whole way through the store: queue, index, live rows, ranges; one search after
//! another, as its own thread runs them. The folder is a temporary one.

#![allow(clippy::disallowed_methods, reason = "a measurement needs a clock")]

use std::sync::Arc;
use std::time::Instant;

use hongyan_domain::app::AppSettings;
use hongyan_domain::id::{AppId, ClientId, SessionId, UserId};
use hongyan_domain::message::Draft;
use hongyan_domain::name::Name;
use hongyan_domain::search::Query;
use hongyan_domain::time::UnixMillis;
use hongyan_store::search::SearchQuery;
use hongyan_store::sqlite::{SqliteOptions, SqliteStore};
use hongyan_store::timeline::{Append, Target, What};
use hongyan_store::{Accounts, Committed, Listener, Said, Search, Timeline};

const PEOPLE: usize = 2_000;
const PAIRS: usize = 20_000;
const WORDS: usize = 8_000;
const BATCH: usize = 1_000;
const SEARCHES: usize = 500;

/// A small generator (splitmix64), so that every run measures the same.
struct Random(u64);

impl Random {
    fn unit(&mut self) -> f64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mixed = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        ((mixed ^ (mixed >> 31)) >> 11) as f64 / (1u64 << 53) as f64
    }

    fn below(&mut self, end: usize) -> usize {
        (self.unit() * end as f64) as usize
    }

    /// Small numbers far more often than large ones (Zipf's law, by inversion).
    fn frequent(&mut self, end: usize) -> usize {
        ((end as f64 + 1.0).powf(self.unit()) as usize).clamp(1, end) - 1
    }
}

struct Deaf;

impl Listener for Deaf {
    fn committed(&self, _: Vec<Committed>) {}
    fn said(&self, _: Vec<Said>) {}
    fn grouped(&self, _: Vec<hongyan_store::GroupNews>) {}
}

struct Crowd {
    app: AppId,
    people: Vec<(UserId, Name)>,
    pairs: Vec<(usize, usize)>,
    words: Vec<String>,
}

impl Crowd {
    async fn new(store: &SqliteStore, random: &mut Random) -> Self {
        let name = |text: &str| Name::parse(text).expect("a name");
        let app = store.create_app(name("app"), AppSettings::default(), UnixMillis(1)).await.expect("stored");
        let app = app.expect("new").id;
        let mut people = Vec::new();
        for number in 0..PEOPLE {
            let name = name(&format!("user{number}"));
            let user = store.create_user(app, name.clone(), None, UnixMillis(1)).await.expect("stored").expect("new");
            people.push((user.id, name));
        }
        let pairs = (0..PAIRS).map(|_| (random.below(PEOPLE), random.below(PEOPLE))).collect();
        let mut character = |end| char::from_u32(0x4E00 + 7 * random.frequent(end) as u32).expect("Chinese");
        let words = (0..WORDS).map(|_| String::from_iter([character(2_500), character(2_500)])).collect();
        Self { app, people, pairs, words }
    }

    fn message(&self, random: &mut Random, number: u64) -> Append {
        let (from, to) = self.pairs[random.frequent(PAIRS)];
        let (sender, other) = (&self.people[from], &self.people[to]);
        let text: String = (0..1 + random.below(12)).map(|_| self.words[random.frequent(WORDS)].as_str()).collect();
        let own = Target { user: sender.0, about: other.1.clone() };
        let theirs = Target { user: other.0, about: sender.1.clone() };
        Append {
            app: self.app,
            sender: sender.0,
            other: other.0,
            session: SessionId::SERVER,
            client_id: ClientId(u128::from(number).to_be_bytes()),
            digest: number,
            access_version: 0,
            seen_seq: 0,
            now: UnixMillis(number),
            what: What::Message(Draft { body: text.into(), ..Draft::default() }),
            targets: if from == to { vec![own] } else { vec![own, theirs] }.into(),
        }
    }
}

async fn measure(store: &SqliteStore, what: &str, mut query: impl FnMut() -> (UserId, String)) {
    let (mut spans, mut hits) = (Vec::new(), 0);
    for _ in 0..SEARCHES {
        let (user, words) = query();
        let words = Query::parse(&words).expect("something to look for");
        let query = SearchQuery { user, other: None, words, before: 0, limit: 20, bytes_max: 60_000 };
        let started = Instant::now();
        hits += store.search(query).await.expect("read").hits.len();
        spans.push(started.elapsed().as_secs_f64() * 1e3);
    }
    spans.sort_by(f64::total_cmp);
    let at = |share: usize| spans[(SEARCHES * share / 100).min(SEARCHES - 1)];
    let mean = hits as f64 / SEARCHES as f64;
    println!("{what:<44} p50 {:>7.2} ms  p99 {:>7.2} ms  most {:>7.2} ms  {mean:.1} hits", at(50), at(99), at(100));
}

fn main() {
    let runtime = tokio::runtime::Builder::new_current_thread().build().expect("a runtime");
    runtime.block_on(run());
}

async fn run() {
    let messages: u64 = std::env::args().nth(1).map_or(1_000_000, |text| text.parse().expect("a number"));
    let folder = tempfile::tempdir().expect("a folder");
    let store = SqliteStore::open(folder.path(), SqliteOptions::default(), Arc::new(Deaf)).expect("opened");
    let mut random = Random(1);
    let crowd = Crowd::new(&store, &mut random).await;
    let started = Instant::now();
    for first in (0..messages).step_by(BATCH) {
        let batch = (first..(first + BATCH as u64).min(messages)).map(|number| crowd.message(&mut random, number));
        store.append(batch.collect()).await.expect("stored");
    }
    println!("{messages} messages written in {:.0} s", started.elapsed().as_secs_f64());
    let started = Instant::now();
    while store.search_behind().await.expect("read") {}
    println!("all of them in the index after {:.0} s more", started.elapsed().as_secs_f64());
    let size = |file: &str| std::fs::metadata(folder.path().join(file)).map_or(0, |file| file.len()) as f64 / 1e6;
    println!("hongyan.db {:.0} MB, search.db {:.0} MB", size("hongyan.db"), size("search.db"));

    let busiest: Vec<UserId> = (0..20).map(|pair| crowd.people[crowd.pairs[pair].0].0).collect();
    let everybody: Vec<UserId> = crowd.people.iter().map(|person| person.0).collect();
    for (who, users) in [("busy people", &busiest), ("anybody", &everybody)] {
        let mut user = {
            let mut random = Random(2);
            move || users[random.below(users.len())]
        };
        let words = &crowd.words;
        let mut random = Random(3);
        measure(&store, &format!("{who}, a frequent word"), || (user(), words[random.below(20)].clone())).await;
        measure(&store, &format!("{who}, any word"), || (user(), words[random.below(WORDS)].clone())).await;
        measure(&store, &format!("{who}, one frequent character"), || {
            (user(), words[random.below(20)][..3].to_owned())
        })
        .await;
        measure(&store, &format!("{who}, four characters"), || {
            (user(), format!("{}{}", words[random.below(200)], words[random.below(200)]))
        })
        .await;
        measure(&store, &format!("{who}, two words"), || {
            (user(), format!("{} {}", words[random.below(200)], words[random.below(200)]))
        })
        .await;
    }
}
