//! Groups of the model store beside those of the embedded one: the same random calls, the same answers, tellings and
//! pages. As `likeness.rs` does for everything else.

mod still;

use std::collections::BTreeMap;
use std::fmt::Debug;
use std::sync::{Arc, Mutex};

use hongyan_domain::app::AppSettings;
use hongyan_domain::group::{Change, HistoryPolicy, JoinPolicy, Joining, Mentions, Policies, Profile};
use hongyan_domain::id::{AppId, ClientId, ConversationId, DeviceKey, SessionId, UserId};
use hongyan_domain::message::{Alteration, Draft};
use hongyan_domain::name::Name;
use hongyan_domain::receipt::CursorAdvance;
use hongyan_domain::session::{EndReason, Term};
use hongyan_domain::time::UnixMillis;
use hongyan_sim::model_store::ModelDisk;
use hongyan_store::groups::{Asker, ChangeGroup, CreateGroup, GroupAppend, GroupOutcome, GroupsQuery, JoinGroup};
use hongyan_store::sessions::OpenSession;
use hongyan_store::sqlite::{SqliteOptions, SqliteStore};
use hongyan_store::timeline::{Deletion, HistoryQuery, What};
use hongyan_store::{Committed, GroupNews, Listener, Said, Store};

const PEOPLE: u64 = 5;
const GROUPS_MAX: u64 = 3;
const SEEDS: u64 = 2;
const STEPS: u64 = 300;
const NOW: UnixMillis = UnixMillis(1_790_000_000_000);

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
            3 => u64::MAX >> 1,
            _ => self.below(head + 1),
        }
    }
}

/// Keeps what it is told until it is compared.
#[derive(Default)]
struct Heard(Mutex<(Vec<Committed>, Vec<GroupNews>)>);

impl Listener for Heard {
    fn committed(&self, batch: Vec<Committed>) {
        self.0.lock().expect("no test panics here").0.extend(batch);
    }

    fn said(&self, _: Vec<Said>) {}

    fn grouped(&self, batch: Vec<GroupNews>) {
        self.0.lock().expect("no test panics here").1.extend(batch);
    }
}

/// What one of the two stores calls the same things.
#[derive(Default)]
struct Side {
    heard: Arc<Heard>,
    app: Option<AppId>,
    users: Vec<UserId>,
    sessions: Vec<(SessionId, Option<DeviceKey>)>,
    /// In the order of their making, with an upper bound of the head.
    groups: Vec<(ConversationId, u64)>,
    /// What was appended, to be repeated.
    appended: Vec<GroupAppend>,
    /// Ids, and what they are called here.
    called: BTreeMap<String, String>,
    count: u64,
}

impl Side {
    fn call(&mut self, id: i64, kind: &str) {
        let number = self.called.len();
        self.called.entry(id.to_string()).or_insert_with(|| format!("{kind}{number}"));
    }

    /// As both stores would print it: whole numbers that are ids are replaced.
    fn print(&self, value: impl Debug) -> String {
        let text = format!("{value:?}");
        let (mut printed, mut number) = (String::new(), String::new());
        for letter in text.chars().chain(['\n']) {
            if letter.is_ascii_digit() {
                number.push(letter);
                continue;
            }
            printed.push_str(self.called.get(&number).unwrap_or(&number));
            printed.push(letter);
            number.clear();
        }
        printed
    }

    fn fresh(&mut self) -> [u8; 16] {
        self.count += 1;
        u128::from(self.count).to_be_bytes()
    }

    fn asker(&mut self, who: usize) -> Asker {
        let (app, user, session) = (self.app.expect("made first"), self.users[who], self.sessions[who].0);
        let (client_id, digest) = (ClientId(self.fresh()), self.count);
        Asker { app, user, name: name(&format!("user{who}")), session, client_id, digest, now: now(self) }
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
    UnixMillis(NOW.0 + side.count * 700)
}

async fn people<S: Store>(store: &S, side: &mut Side) {
    let app = store.create_app(name("app"), AppSettings::default(), NOW).await.expect("stored").expect("new").id;
    side.app = Some(app);
    side.call(app.0, "app");
    for number in 0..PEOPLE as usize {
        let user = store.create_user(app, name(&format!("user{number}")), None, NOW).await;
        let user = user.expect("stored").expect("new").id;
        side.call(user.0, "user");
        side.users.push(user);
        side.sessions.push((SessionId([0; 16]), None));
        login(store, side, number).await;
    }
}

async fn login<S: Store>(store: &S, side: &mut Side, who: usize) {
    let (app, user, session, now) =
        (side.app.expect("made first"), side.users[who], SessionId(side.fresh()), now(side));
    let (device_id, term) = (vec![1], Term::Pc);
    let login =
        OpenSession { app, user, session, device_id, term, sessions_max: 1, devices_max: 2, connected: now, now };
    let opened = store.open_session(login).await.expect("stored").expect("the latest");
    side.sessions[who] = (session, Some(opened.device));
}

fn policies(choices: &mut Choices) -> Policies {
    let join = [JoinPolicy::Invited, JoinPolicy::Asked, JoinPolicy::Open][choices.below(3) as usize];
    let history = if choices.one_in(3) { HistoryPolicy::Everything } else { HistoryPolicy::FromJoining };
    Policies { join, history, members_invite: choices.one_in(2) }
}

fn some_users(side: &Side, choices: &mut Choices) -> Vec<UserId> {
    (0..=choices.below(2)).map(|_| side.users[choices.below(PEOPLE) as usize]).collect()
}

async fn create<S: Store>(store: &S, side: &mut Side, choices: &mut Choices, who: usize) -> String {
    let (by, users) = (side.asker(who), some_users(side, choices));
    let name = name(&format!("g{}", choices.below(GROUPS_MAX + 1)));
    let profile = Profile { title: Some("title".into()), ..Profile::default() };
    let create = CreateGroup { by, name, profile, policies: policies(choices), users };
    let outcome = store.create_group(create).await.expect("stored");
    if let GroupOutcome::Done(answer) = outcome {
        side.call(answer.seq as i64, "group");
        side.groups.push((ConversationId(answer.seq as i64), 4));
    }
    side.print(outcome)
}

fn some_change(side: &Side, choices: &mut Choices, head: u64) -> Change {
    let (users, other) = (some_users(side, choices), side.users[choices.below(PEOPLE) as usize]);
    let yes = choices.one_in(2);
    match choices.below(18) {
        0..=3 => Change::Invite(users),
        4 => Change::Remove(users),
        5 | 6 => Change::Leave,
        7 => Change::Owner(other),
        8 => Change::Admin(other, yes),
        9 => Change::Mute(other, choices.below(3) as u32),
        10 => Change::MuteAll(yes && choices.one_in(3)),
        11 => Change::Profile(Profile { title: yes.then(|| "new".to_owned()), intro: Some("x".into()), avatar: None }),
        12 => Change::Announcement("hear".into()),
        13 => Change::Policies(policies(choices)),
        14 => Change::Nickname("nick".into()),
        15 => Change::Pin(choices.place(head), yes),
        16 if choices.one_in(12) => Change::Dissolve,
        16 => Change::NewLink("door".into()),
        _ => Change::Admission(other, yes),
    }
}

fn entry(side: &mut Side, choices: &mut Choices, who: usize, group: ConversationId, head: u64) -> GroupAppend {
    let mentions = choices.one_in(3).then(|| {
        let users = some_users(side, choices).iter().map(|user| user.0).collect();
        Box::new(Mentions { users, all: choices.one_in(3) })
    });
    let target = choices.place(head);
    let what = match choices.below(8) {
        0 => What::Alter { target, alteration: Alteration::Recall },
        1 => What::Alter { target, alteration: Alteration::Edit { body: "edited".into(), text: "text".into() } },
        2 => {
            let (name, remove) = (["a", "b"][choices.below(2) as usize].to_owned(), choices.one_in(3));
            What::Alter { target, alteration: Alteration::React { name, remove } }
        }
        _ => What::Message(Draft {
            body: vec![b'x'; choices.below(100) as usize].into(),
            uncounted: choices.one_in(4),
            mentions,
            ..Draft::default()
        }),
    };
    let seen_seq = if choices.one_in(2) { choices.place(head) } else { 0 };
    GroupAppend { by: side.asker(who), group, seen_seq, what, settings: Arc::default() }
}

async fn append<S: Store>(
    store: &S,
    side: &mut Side,
    choices: &mut Choices,
    who: usize,
    (group, head): (ConversationId, u64),
) -> String {
    let mut call = Vec::new();
    for _ in 0..=choices.below(3) {
        let append = match side.appended.len() as u64 {
            count if count > 0 && choices.one_in(8) => {
                let earlier = side.appended[choices.below(count) as usize].clone();
                let digest = earlier.by.digest ^ u64::from(choices.one_in(4));
                GroupAppend { by: Asker { digest, ..earlier.by }, ..earlier }
            }
            _ => entry(side, choices, who, group, head),
        };
        side.appended.push(append.clone());
        call.push(append);
    }
    side.print(store.append_to_groups(call).await)
}

async fn read<S: Store>(
    store: &S,
    side: &Side,
    choices: &mut Choices,
    who: usize,
    (group, head): (ConversationId, u64),
) -> String {
    let (user, limit) = (side.users[who], choices.below(12) as u32);
    match choices.below(5) {
        0 => {
            let mut place = |bound| choices.one_in(bound).then(|| choices.place(head));
            let (before_seq, after_seq, changed_after) = (place(2), place(3), place(4));
            let bytes_max = choices.below(1_000) as usize;
            let query = HistoryQuery { before_seq, after_seq, changed_after, limit, bytes_max };
            side.print((query, store.group_history(group, user, query).await))
        }
        1 => {
            let after = choices.one_in(2).then(|| side.users[choices.below(PEOPLE) as usize]);
            side.print(store.group_members(group, user, after, limit, choices.below(30)).await)
        }
        2 => {
            let seq = choices.place(head);
            let entry = store.entry(group, seq).await;
            side.print((store.group_receipts(group, user, seq).await, entry, store.group_link(group).await))
        }
        3 => {
            let since = store.token() - choices.below(10);
            let query = GroupsQuery { since, after: choices.one_in(2).then_some(group), only: None, limit };
            side.print((store.groups_of(user, query).await, store.changes(since, limit).await))
        }
        _ => side.print(store.inbox(user, choices.below(20), limit, 5_000).await),
    }
}

/// One call, and what came of it.
async fn step<S: Store>(store: &S, side: &mut Side, choices: &mut Choices) -> String {
    let who = choices.below(PEOPLE) as usize;
    let about = choices.below(24);
    let known = side.groups.len() as u64;
    let done = if known == 0 || (about == 0 && known < GROUPS_MAX) {
        create(store, side, choices, who).await
    } else {
        let place = choices.below(known) as usize;
        side.groups[place].1 += 1;
        let (group, head) = side.groups[place];
        match about {
            1..=6 => {
                let change = ChangeGroup { by: side.asker(who), group, change: some_change(side, choices, head) };
                side.print((change.change.clone(), store.change_group(change).await))
            }
            7 => {
                let link = if choices.one_in(2) { "door".to_owned() } else { String::new() };
                let join = JoinGroup { by: side.asker(who), group, joining: Joining { link, text: "me".into() } };
                side.print(store.join_group(join).await)
            }
            8..=13 => append(store, side, choices, who, (group, head)).await,
            14 | 15 => {
                let by = side.asker(who);
                side.print(store.mark_group_read(by, group, choices.place(head)).await)
            }
            16 => {
                let up_to_seq = if choices.one_in(3) { choices.below(head) } else { 0 };
                let deletion = Deletion { up_to_seq, seqs: vec![choices.place(head), choices.place(head)] };
                let by = side.asker(who);
                side.print(store.delete_in_group(by, group, deletion).await)
            }
            17 => {
                let (user, device) = (side.users[who], side.sessions[who].1.expect("has logged in"));
                let delivered = vec![(group, choices.place(head))];
                let advance = CursorAdvance { user, device, inbox_cursor: 0, delivered };
                side.print(store.advance_cursors(vec![advance]).await)
            }
            18 if choices.one_in(2) => {
                let ended = store.end_session(side.sessions[who].0, EndReason::Revoked, now(side)).await;
                side.print(ended)
            }
            18 | 19 => {
                login(store, side, who).await;
                String::new()
            }
            _ => read(store, side, choices, who, (group, head)).await,
        }
    };
    let mut lists = Vec::new();
    for user in &side.users {
        let query = GroupsQuery { limit: 10, ..GroupsQuery::default() };
        lists.push((store.groups_of(*user, query).await, store.stays_of(*user).await));
    }
    format!("{done} told {} lists {}", side.told(), side.print(lists))
}

fn open_embedded(folder: &tempfile::TempDir, side: &Side) -> Arc<SqliteStore> {
    let options = SqliteOptions { disk_reserve_bytes: 0, readers: 1, ..SqliteOptions::default() };
    SqliteStore::open(folder.path(), options, side.heard.clone()).expect("opened")
}

#[tokio::test]
async fn the_same_calls_about_groups_get_the_same_answers() {
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
            if number % 150 == 100 {
                embedded.shutdown();
                model.shutdown();
                (embedded, model) = (open_embedded(&folder, &left), still::open(&disk, right.heard.clone()));
            }
        }
        embedded.shutdown();
    }
}
