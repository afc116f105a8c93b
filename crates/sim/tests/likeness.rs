//! The model store beside the embedded one: the same random calls, the same answers, tellings and pages. The suite says
//! what stores promise; this says that the model is like the embedded store in everything else, for what
//! the model hides the simulator never finds.

mod still;

use std::fmt::Debug;
use std::sync::{Arc, Mutex};

use hongyan_domain::app::AppSettings;
use hongyan_domain::id::{AppId, ClientId, ConversationId, DeviceKey, SessionId, UserId};
use hongyan_domain::message::{Alteration, Draft};
use hongyan_domain::name::Name;
use hongyan_domain::receipt::CursorAdvance;
use hongyan_domain::session::{EndReason, Term};
use hongyan_domain::time::UnixMillis;
use hongyan_sim::model_store::ModelDisk;
use hongyan_store::sessions::OpenSession;
use hongyan_store::sqlite::{SqliteOptions, SqliteStore};
use hongyan_store::timeline::{Append, Delete, Deletion, HistoryQuery, MarkRead, Target, What};
use hongyan_store::{Committed, Listener, Said, Store};

const PEOPLE: u64 = 4;
const DEVICES: u64 = 3;
const SEEDS: u64 = 2;
const STEPS: u64 = 600;

/// A repeatable source of choices (Knuth's MMIX constants).
#[derive(Clone)]
struct Choices(u64);

impl Choices {
    fn below(&mut self, bound: u64) -> u64 {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) % bound
    }

    fn one_in(&mut self, bound: u64) -> bool {
        self.below(bound) == 0
    }

    /// A number that is often inside a log of this length, sometimes at its edge or far away.
    fn place(&mut self, head: u64) -> u64 {
        match self.below(12) {
            0 => 0,
            1 => head,
            2 => head + 1,
            3 => u64::MAX,
            _ => self.below(head + 1),
        }
    }
}

/// Keeps what it is told until it is compared.
#[derive(Default)]
struct Heard(Mutex<Vec<Committed>>);

impl Listener for Heard {
    fn committed(&self, batch: Vec<Committed>) {
        self.0.lock().expect("no test panics here").extend(batch);
    }

    fn said(&self, _: Vec<Said>) {}

    fn grouped(&self, _: Vec<hongyan_store::GroupNews>) {}
}

/// What one of the two stores calls the same things.
#[derive(Default)]
struct Side {
    heard: Arc<Heard>,
    app: Option<AppId>,
    users: Vec<UserId>,
    /// Of each person, the newest session of each device and the device.
    sessions: Vec<[(SessionId, Option<DeviceKey>); DEVICES as usize]>,
    /// Of each person, where the last login was.
    newest: Vec<usize>,
    /// What was appended, to be repeated.
    appended: Vec<Append>,
    /// Ids as they are printed, and what they are called here.
    called: Vec<(String, String)>,
    count: u64,
}

impl Side {
    fn app(&self) -> AppId {
        self.app.expect("made first")
    }

    fn call(&mut self, id: impl Debug, kind: &str) {
        let id = format!("{id:?}");
        if !self.called.iter().any(|(called, _)| *called == id) {
            self.called.push((id, format!("{kind} {}", self.called.len())));
        }
    }

    /// As both stores would print it.
    fn print(&self, value: impl Debug) -> String {
        self.called.iter().fold(format!("{value:?}"), |text, (id, name)| text.replace(id, name))
    }

    fn fresh(&mut self) -> [u8; 16] {
        self.count += 1;
        u128::from(self.count).to_be_bytes()
    }

    /// Whatever was told since the last time.
    fn told(&self) -> String {
        self.print(std::mem::take(&mut *self.heard.0.lock().expect("no test panics here")))
    }
}

fn name(text: &str) -> Name {
    Name::parse(text).expect("a valid name")
}

fn now(side: &Side) -> UnixMillis {
    UnixMillis(1_790_000_000_000 + side.count / 3)
}

async fn people<S: Store>(store: &S, side: &mut Side) {
    let app = store.create_app(name("app"), AppSettings::default(), now(side)).await.expect("stored").expect("new").id;
    side.app = Some(app);
    side.call(app, "app");
    for number in 0..PEOPLE {
        let user = store.create_user(app, name(&format!("user{number}")), None, now(side)).await;
        let user = user.expect("stored").expect("new").id;
        side.call(user, "user");
        side.users.push(user);
        side.newest.push(0);
        side.sessions.push([(SessionId([0xff; 16]), None); DEVICES as usize]);
    }
}

/// Two people, their conversation if there is one, its head, and a session of the first.
struct Pair {
    me: usize,
    other: usize,
    conversation: Option<ConversationId>,
    access_version: u64,
    head: u64,
    session: SessionId,
}

async fn pair<S: Store>(store: &S, side: &mut Side, choices: &mut Choices) -> Pair {
    let (me, other) = (choices.below(PEOPLE) as usize, choices.below(PEOPLE) as usize);
    let any = choices.below(DEVICES) as usize;
    let session = side.sessions[me][if choices.one_in(4) { any } else { side.newest[me] }].0;
    let direct = store.direct(side.app(), side.users[me], side.users[other]).await.expect("read");
    let (conversation, access_version) = (direct.conversation, direct.facts.access_version);
    Pair { me, other, conversation, access_version, head: direct.head_seq, session }
}

/// One call, and what came of it.
async fn step<S: Store>(store: &S, side: &mut Side, choices: &mut Choices) -> String {
    let pair = pair(store, side, choices).await;
    let done = match choices.below(12) {
        0..=3 => append(store, side, choices, &pair).await,
        4 | 5 => mark(store, side, choices, &pair).await,
        6 => accounts(store, side, choices, &pair).await,
        7 | 8 => login(store, side, choices, &pair).await,
        _ => read(store, side, choices, &pair).await,
    };
    let mut conversations = Vec::new();
    for (me, other) in (0..side.users.len()).flat_map(|me| (0..=me).map(move |other| (me, other))) {
        let direct = store.direct(side.app(), side.users[me], side.users[other]).await.expect("read");
        if let Some(conversation) = direct.conversation {
            side.call(conversation, "conversation");
        }
        conversations.push(direct);
    }
    format!("{} told {} of {}", side.print(format_args!("{done}")), side.told(), side.print(conversations))
}

async fn append<S: Store>(store: &S, side: &mut Side, choices: &mut Choices, pair: &Pair) -> String {
    let mut call = Vec::new();
    for _ in 0..=choices.below(3) {
        let append = match side.appended.len() as u64 {
            count if count > 0 && choices.one_in(5) => {
                let earlier = side.appended[choices.below(count) as usize].clone();
                Append { digest: earlier.digest ^ u64::from(choices.one_in(4)), ..earlier }
            }
            _ => entry(side, choices, pair),
        };
        side.appended.push(append.clone());
        call.push(append);
    }
    side.print(store.append(call).await)
}

fn entry(side: &mut Side, choices: &mut Choices, pair: &Pair) -> Append {
    let what = match choices.below(8) {
        0 => What::Alter { target: choices.place(pair.head), alteration: Alteration::Recall },
        1 => {
            let (body, text) = ("edited".into(), "text".to_owned());
            What::Alter { target: choices.place(pair.head), alteration: Alteration::Edit { body, text } }
        }
        2 | 3 => {
            let (name, remove) = (["a", "b", "c"][choices.below(3) as usize].to_owned(), choices.one_in(3));
            What::Alter { target: choices.place(pair.head), alteration: Alteration::React { name, remove } }
        }
        _ => What::Message(Draft {
            body_type: choices.below(3) as i32,
            body: vec![b'x'; choices.below(200) as usize].into(),
            reply_to: choices.place(pair.head),
            silent: choices.one_in(4),
            uncounted: choices.one_in(4),
            ..Draft::default()
        }),
    };
    let target =
        |person: usize, about: usize| Target { user: side.users[person], about: name(&format!("user{about}")) };
    let mut targets = smallvec::smallvec![target(pair.me, pair.other)];
    if pair.me != pair.other {
        targets.push(target(pair.other, pair.me));
    }
    let client_id = ClientId(side.fresh());
    Append {
        app: side.app(),
        sender: side.users[pair.me],
        other: side.users[pair.other],
        session: pair.session,
        client_id,
        digest: choices.below(u64::MAX),
        access_version: pair.access_version + u64::from(choices.one_in(10)),
        seen_seq: choices.place(pair.head),
        now: now(side),
        what,
        targets,
    }
}

/// Marks, deletions, blocks, cursors.
async fn mark<S: Store>(store: &S, side: &mut Side, choices: &mut Choices, pair: &Pair) -> String {
    let (user, other, session, app) = (side.users[pair.me], side.users[pair.other], pair.session, side.app());
    let about = choices.below(6);
    let Some(conversation) = pair.conversation.filter(|_| about > 0) else {
        return side.print(store.set_blocked(app, session, user, other, choices.one_in(2)).await);
    };
    let target = Target { user, about: name(&format!("user{}", pair.other)) };
    match about {
        1 | 2 => {
            let position = store.position(conversation, user, choices.place(pair.head)).await.expect("read");
            let mark = MarkRead { app, target, other, conversation, session, position };
            side.print((position, store.mark_read(mark).await))
        }
        3 | 4 => {
            let up_to_seq = if choices.one_in(3) { choices.place(pair.head) } else { 0 };
            let seqs = (0..choices.below(3)).map(|_| choices.place(pair.head)).collect();
            let deletion = Deletion { up_to_seq, seqs };
            side.print(store.delete(Delete { app, target, other, conversation, session, deletion }).await)
        }
        _ => {
            let Some(device) = side.sessions[pair.me][choices.below(DEVICES) as usize].1 else { return String::new() };
            let whose = if choices.one_in(5) { other } else { user };
            let delivered = vec![(conversation, choices.place(pair.head))];
            let advance = CursorAdvance { user: whose, device, inbox_cursor: choices.place(30), delivered };
            side.print(store.advance_cursors(vec![advance]).await)
        }
    }
}

async fn accounts<S: Store>(store: &S, side: &mut Side, choices: &mut Choices, pair: &Pair) -> String {
    let (app, user) = (side.app(), side.users[pair.me]);
    match choices.below(12) {
        0 => side.print(store.end_session(pair.session, EndReason::LoggedOut, now(side)).await),
        1 => side.print(store.end_sessions(user, EndReason::Revoked, now(side)).await),
        2 => side.print(store.set_disabled(user, choices.one_in(2), now(side)).await),
        3 => side.print(store.set_password(user, "hash".to_owned()).await),
        4 => side.print(store.create_user(app, name(&format!("user{}", pair.me)), None, now(side)).await),
        5 => side.print(store.users(app, Some(name(&format!("user{}", pair.me))), choices.below(4) as u32).await),
        6 => side.print(store.user_names(vec![user, UserId(7), side.users[pair.other]]).await),
        _ => side.print((store.apps().await, store.user(app, name("user1")).await)),
    }
}

async fn login<S: Store>(store: &S, side: &mut Side, choices: &mut Choices, pair: &Pair) -> String {
    let device = choices.below(DEVICES);
    let login = OpenSession {
        app: side.app(),
        user: side.users[pair.me],
        session: SessionId(side.fresh()),
        device_id: vec![device as u8],
        term: [Term::Pc, Term::Mobile][choices.below(2) as usize],
        sessions_max: 1 + choices.below(2) as u32,
        devices_max: 1 + choices.below(DEVICES) as u32,
        connected: UnixMillis(now(side).0 - choices.below(20)),
        now: now(side),
    };
    let session = login.session;
    let opened = store.open_session(login).await;
    if let Ok(Some(opened)) = &opened {
        side.call(opened.device, "device");
        side.newest[pair.me] = device as usize;
        side.sessions[pair.me][device as usize] = (session, Some(opened.device));
    }
    side.print(opened)
}

async fn read<S: Store>(store: &S, side: &mut Side, choices: &mut Choices, pair: &Pair) -> String {
    let user = side.users[pair.me];
    let (limit, bytes_max) = (choices.below(12) as u32, choices.below(2_000) as usize);
    let head = store.inbox_heads(vec![user]).await.expect("read")[0].1;
    match choices.below(8) {
        0 => side.print(store.inbox(user, choices.place(head), limit, bytes_max).await),
        1 => side.print(store.resume(pair.session, choices.place(head), limit).await),
        2 => side.print(store.conversations(user, choices.place(head), limit).await),
        3 => {
            let token = store.token() - choices.below(20);
            let page = store.changes(token, limit).await;
            side.print((page, store.since(token, user, pair.session), store.changes(token + 30, limit).await))
        }
        _ => rows(store, side, choices, pair, limit, bytes_max).await,
    }
}

async fn rows<S: Store>(
    store: &S,
    side: &mut Side,
    choices: &mut Choices,
    pair: &Pair,
    limit: u32,
    bytes_max: usize,
) -> String {
    let Some(conversation) = pair.conversation else { return String::new() };
    let (user, seq) = (side.users[pair.me], choices.place(pair.head));
    let mut place = |bound| choices.one_in(bound).then(|| choices.place(pair.head));
    let (before_seq, after_seq, changed_after) = (place(2), place(3), place(4));
    let query = HistoryQuery { before_seq, after_seq, changed_after, limit, bytes_max };
    let reader = side.users[choices.below(PEOPLE) as usize];
    let history = (store.history(conversation, user, query).await, store.history(conversation, reader, query).await);
    let one = (store.entry(conversation, seq).await, store.position(conversation, user, seq).await);
    let key = store.answered(conversation, user, ClientId(u128::from(seq).to_be_bytes())).await;
    side.print((query, history, one, key, store.marks(conversation, user).await))
}

fn open_embedded(folder: &tempfile::TempDir, side: &Side) -> Arc<SqliteStore> {
    let options = SqliteOptions { disk_reserve_bytes: 0, readers: 1, ..SqliteOptions::default() };
    SqliteStore::open(folder.path(), options, side.heard.clone()).expect("opened")
}

#[tokio::test]
async fn the_same_calls_get_the_same_answers() {
    for seed in 0..SEEDS {
        let (folder, disk) = (tempfile::tempdir().expect("a temporary folder"), Arc::new(ModelDisk::new()));
        let (mut left, mut right) = (Side::default(), Side::default());
        let (mut embedded, mut model) = (open_embedded(&folder, &left), still::open(&disk, right.heard.clone()));
        people(&*embedded, &mut left).await;
        people(&*model, &mut right).await;
        let mut choices = Choices(seed);
        for number in 0..STEPS {
            let mut same = choices.clone();
            let expected = step(&*embedded, &mut left, &mut choices).await;
            let found = step(&*model, &mut right, &mut same).await;
            assert_eq!(found, expected, "seed {seed}, step {number}");
            if number % 200 == 100 {
                embedded.shutdown();
                model.shutdown();
                (embedded, model) = (open_embedded(&folder, &left), still::open(&disk, right.heard.clone()));
            }
        }
        embedded.shutdown();
    }
}
