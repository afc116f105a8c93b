//! The world around logic: a clock that stands still, a gate that writes down what it is told, a store on a temporary
//! folder, and people with devices.

#![allow(clippy::disallowed_methods, reason = "this is the shell of the tests")]

use std::collections::{BTreeMap, BTreeSet};
use std::net::{IpAddr, Ipv4Addr};
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, Weak};

use bytes::Bytes;
use hongyan_cluster::bus::{Bus, Delivery, Ending, GroupNotice, Inlet, Publication};
use hongyan_cluster::router::Route;
use hongyan_cluster::service::{LoggedIn, Origin, Reply, Service};
use hongyan_domain::app::AppSettings;
use hongyan_domain::environment::{Environment, Pending};
use hongyan_domain::id::{ConversationId, SessionId};
use hongyan_domain::name::Name;
use hongyan_domain::refusal::Refusal;
use hongyan_domain::session::{Caller, Term};
use hongyan_domain::time::UnixMillis;
use hongyan_logic::{Announcer, Logic, LogicOptions, Measures, Overloaded, Passwords, Rate, VisitorKeys};
use hongyan_store::Timeline;
use hongyan_store::sqlite::{SqliteOptions, SqliteStore};
use hongyan_wire::command::Operation;
use hongyan_wire::proto;
use hongyan_wire::proto::login_request::Credential;
use jsonwebtoken::{Algorithm, EncodingKey, Header, encode};
use prost::Message;
use tempfile::TempDir;

use crate::store::ScriptedStore;

/// When all tests begin: some day in 2026, in seconds since 1970.
pub const START_SECONDS: u64 = 1_780_000_000;
/// The address that everybody comes from.
pub const ADDRESS: IpAddr = IpAddr::V4(Ipv4Addr::new(192, 0, 2, 7));

pub fn name(text: &str) -> Name {
    Name::parse(text).unwrap()
}

/// Time and randomness under the control of a test.
pub struct TestEnvironment {
    monotonic_ms: AtomicU64,
    wall_ms: AtomicU64,
    randomness: AtomicU64,
}

impl TestEnvironment {
    /// Lets time pass on both clocks.
    pub fn pass_ms(&self, span_ms: u64) {
        self.monotonic_ms.fetch_add(span_ms, Ordering::Relaxed);
        self.wall_ms.fetch_add(span_ms, Ordering::Relaxed);
    }
}

impl Environment for TestEnvironment {
    fn monotonic_us(&self) -> u64 {
        self.monotonic_ms.load(Ordering::Relaxed) * 1_000
    }

    fn wall_clock(&self) -> UnixMillis {
        UnixMillis(self.wall_ms.load(Ordering::Relaxed))
    }

    fn random(&self, bytes: &mut [u8]) {
        for chunk in bytes.chunks_mut(8) {
            let number = self.randomness.fetch_add(0x9E37_79B9_7F4A_7C15, Ordering::Relaxed);
            chunk.copy_from_slice(&number.wrapping_mul(0xBF58_476D_1CE4_E5B9).to_be_bytes()[..chunk.len()]);
        }
    }

    fn spawn(&self, task: Pending<'static, ()>) {
        drop(tokio::spawn(task));
    }

    fn sleep_ms(&self, _: u64) -> Pending<'static, ()> {
        unreachable!("logic never sleeps")
    }
}

/// The passwords' hashes are the passwords.
#[derive(Default)]
pub struct PlainPasswords {
    /// Checks since the start.
    pub verified: AtomicUsize,
    /// The pool is full.
    pub overloaded: std::sync::atomic::AtomicBool,
}

impl Passwords for PlainPasswords {
    fn hash(&self, password: String) -> Pending<'_, Result<String, Overloaded>> {
        Box::pin(async move { Ok(format!("plain:{password}")) })
    }

    fn verify(&self, password: String, hash: Option<String>) -> Pending<'_, Result<bool, Overloaded>> {
        Box::pin(async move {
            if self.overloaded.load(Ordering::Relaxed) {
                return Err(Overloaded);
            }
            self.verified.fetch_add(1, Ordering::Relaxed);
            Ok(hash.is_some_and(|hash| hash == format!("plain:{password}")))
        })
    }
}

/// Writes down what a gate is told.
#[derive(Default)]
pub struct TestGate {
    told: Mutex<Vec<(SessionId, Delivery)>>,
    endings: Mutex<Vec<(SessionId, Ending)>>,
    subscribed: Mutex<BTreeSet<(ConversationId, SessionId)>>,
    noticed: Mutex<Vec<GroupNotice>>,
    followed: Mutex<BTreeMap<SessionId, Vec<(ConversationId, u64)>>>,
}

impl Inlet for TestGate {
    fn deliver(&self, session: SessionId, delivery: Delivery) {
        self.told.lock().unwrap().push((session, delivery));
    }

    fn end(&self, session: SessionId, ending: Ending) {
        self.endings.lock().unwrap().push((session, ending));
    }

    fn subscribe(&self, session: SessionId, room: ConversationId) -> bool {
        self.subscribed.lock().unwrap().insert((room, session));
        true
    }

    fn unsubscribe(&self, session: SessionId, room: ConversationId) {
        self.subscribed.lock().unwrap().remove(&(room, session));
    }

    fn publish(&self, except: Option<SessionId>, publication: &Publication) {
        let subscribed = self.subscribed.lock().unwrap();
        let others = subscribed.iter().filter(|(room, session)| *room == publication.room && Some(*session) != except);
        for (_, session) in others {
            let body = publication.body.clone();
            self.deliver(*session, Delivery { operation: Operation::Room, body, reference: None });
        }
    }

    fn notice(&self, notice: GroupNotice) {
        self.noticed.lock().unwrap().push(notice);
    }

    fn begin_following(&self, _: SessionId) -> bool {
        true
    }

    fn follow(&self, session: SessionId, groups: &[(ConversationId, u64)]) -> bool {
        self.followed.lock().unwrap().insert(session, groups.to_vec());
        true
    }

    fn follows(&self, session: SessionId, group: ConversationId) -> bool {
        self.followed.lock().unwrap().get(&session).is_some_and(|groups| groups.iter().any(|(id, _)| *id == group))
    }

    fn whisper(&self, _: ConversationId, _: SessionId, _: &Delivery) {}

    fn waiting_in(&self, _: ConversationId) -> usize {
        0
    }
}

impl TestGate {
    /// What has happened in groups since the last call, in order.
    pub fn notices(&self) -> Vec<GroupNotice> {
        std::mem::take(&mut self.noticed.lock().unwrap())
    }

    /// Sessions that were ended, in order.
    pub fn endings(&self) -> Vec<(SessionId, Ending)> {
        self.endings.lock().unwrap().clone()
    }
}

/// A pushed packet, decoded.
#[derive(Clone, Debug, PartialEq)]
#[allow(clippy::large_enum_variant, reason = "tests keep few of them")]
pub enum Push {
    Message(proto::InboxEntry),
    Receipt(proto::Receipt),
    Typing(proto::TypingNotify),
    Room(proto::RoomNotify),
}

/// Everything.
pub struct World {
    pub logic: Arc<Logic>,
    pub store: Arc<ScriptedStore>,
    pub bus: Arc<Bus>,
    pub gate: Arc<TestGate>,
    pub environment: Arc<TestEnvironment>,
    pub passwords: Arc<PlainPasswords>,
    pub measures: Arc<Measures>,
    next_id: AtomicU64,
    _folder: TempDir,
}

/// A device whose user has logged in.
#[derive(Clone)]
pub struct Device {
    pub caller: Arc<Caller>,
    pub answer: proto::LoginAnswer,
}

/// Rates that no test reaches by accident.
pub fn generous() -> LogicOptions {
    let rate = Rate { burst: 100_000, per_minute: 100_000 };
    LogicOptions {
        logins_per_address: rate,
        logins_per_account: rate,
        first_contacts_per_user: rate,
        visitors_per_address: rate,
        first_contacts_per_visitor: rate,
        sends_per_visitor: rate,
        sends_per_room: rate,
        room_sends_per_session: rate,
        room_entries_per_session: rate,
        ..LogicOptions::default()
    }
}

impl World {
    /// With two apps, `one` and `two`, that have a key `k` each.
    pub async fn new() -> Self {
        Self::with(generous()).await
    }

    pub async fn with(options: LogicOptions) -> Self {
        Self::with_keys(options, visitor_keys()).await
    }

    pub async fn with_keys(options: LogicOptions, visitor_keys: VisitorKeys) -> Self {
        let environment = Arc::new(TestEnvironment {
            monotonic_ms: AtomicU64::new(1_000_000),
            wall_ms: AtomicU64::new(START_SECONDS * 1_000),
            randomness: AtomicU64::new(7),
        });
        let (bus, gate) = (Arc::new(Bus::default()), Arc::new(TestGate::default()));
        let inlet: Weak<TestGate> = Arc::downgrade(&gate);
        bus.attach(inlet);
        let measures = Arc::new(Measures::default());
        let announcer = Announcer::new(bus.clone(), &*environment, measures.clone());
        let folder = tempfile::tempdir().unwrap();
        let store_options = SqliteOptions { disk_reserve_bytes: 0, ..SqliteOptions::default() };
        let store = ScriptedStore::new(SqliteStore::open(folder.path(), store_options, announcer).unwrap());
        let passwords = Arc::new(PlainPasswords::default());
        let logic = Logic::new(
            options,
            store.clone(),
            bus.clone(),
            environment.clone(),
            passwords.clone(),
            measures.clone(),
            visitor_keys,
        );
        for app in ["one", "two"] {
            logic.create_app(name(app), AppSettings::default()).await.unwrap();
            logic.add_key(&name(app), name("k"), hongyan_domain::app::KeyAlgorithm::Hs256, secret(app)).await.unwrap();
        }
        let next_id = AtomicU64::new(1);
        Self { logic, store, bus, gate, environment, passwords, measures, next_id, _folder: folder }
    }

    /// Logs in by a token and connects.
    pub async fn device(&self, app: &str, user: &str, device: u8, term: Term) -> Device {
        let LoggedIn { caller, answer } = self.login(app, user, device, term).await.unwrap();
        let device = Device { caller: Arc::new(caller), answer };
        self.connect(&device);
        device
    }

    /// The only phone of a user of the app `one`.
    pub async fn phone(&self, user: &str) -> Device {
        self.device("one", user, 1, Term::Mobile).await
    }

    pub async fn login(&self, app: &str, user: &str, device: u8, term: Term) -> Result<LoggedIn, Refusal> {
        self.login_by(app, Credential::Token(token(app, user)), device, term).await
    }

    pub async fn login_by(
        &self,
        app: &str,
        credential: Credential,
        device: u8,
        term: Term,
    ) -> Result<LoggedIn, Refusal> {
        self.login_on(0, app, credential, device, term).await
    }

    /// A login of a phone in the app `one` on a connection that is so old.
    pub async fn login_after(&self, age_ms: u64, user: &str, device: u8) -> Result<LoggedIn, Refusal> {
        self.login_on(age_ms, "one", Credential::Token(token("one", user)), device, Term::Mobile).await
    }

    async fn login_on(
        &self,
        age_ms: u64,
        app: &str,
        credential: Credential,
        device: u8,
        term: Term,
    ) -> Result<LoggedIn, Refusal> {
        let request = proto::LoginRequest {
            id: 1,
            app: app.into(),
            credential: Some(credential),
            device_id: vec![device; 16].into(),
            term: term as i32,
            client: "test".into(),
        };
        let from = Origin { address: ADDRESS, age_ms };
        self.logic.login(request, from).await
    }

    pub async fn login_by_password(&self, app: &str, user: &str, password: &str) -> Result<LoggedIn, Refusal> {
        let credential = proto::PasswordCredential { user: user.into(), password: password.into() };
        self.login_by(app, Credential::Password(credential), 9, Term::Pc).await
    }

    pub fn connect(&self, device: &Device) {
        let Caller { user, session, term, .. } = *device.caller;
        self.bus.router().register(user, Route { session, term, epoch: 1, connected: true });
    }

    pub fn disconnect(&self, device: &Device) {
        self.bus.router().suspend(device.caller.user, device.caller.session, 1);
    }

    /// Asks for something that is not a send.
    pub async fn ask<A: Message + Default>(&self, device: &Device, operation: Operation, request: impl Message) -> A {
        let reply = self.ask_raw(device, operation, request.encode_to_vec().into()).await;
        A::decode(reply.body).unwrap()
    }

    pub async fn ask_raw(&self, device: &Device, operation: Operation, body: Bytes) -> Reply {
        self.logic.request(device.caller.clone(), operation, body).await
    }

    /// Sends a batch.
    pub async fn send(&self, device: &Device, requests: &[proto::SendRequest]) -> Vec<proto::SendAnswer> {
        self.send_raw(device, requests.iter().map(|request| request.encode_to_vec().into()).collect()).await
    }

    /// Sends a batch of bytes.
    pub async fn send_raw(&self, device: &Device, bodies: Vec<Bytes>) -> Vec<proto::SendAnswer> {
        let replies = self.logic.send(device.caller.clone(), bodies).await.unwrap();
        replies.into_iter().map(|reply| proto::SendAnswer::decode(reply.body).unwrap()).collect()
    }

    /// Sends one text, successfully.
    pub async fn say(&self, device: &Device, to: &str, words: &str) -> proto::SendAnswer {
        let answer = self.send(device, &[self.text(to, words)]).await.remove(0);
        assert_eq!(answer.refusal, None, "{words}");
        answer
    }

    /// A new text message.
    pub fn text(&self, to: &str, words: &str) -> proto::SendRequest {
        proto::SendRequest {
            id: 5,
            to: Some(proto::send_request::To::User(to.into())),
            client_message_id: self.client_id(),
            body: Bytes::copy_from_slice(words.as_bytes()),
            ..proto::SendRequest::default()
        }
    }

    /// A client id that was never used.
    pub fn client_id(&self) -> Bytes {
        let number = self.next_id.fetch_add(1, Ordering::Relaxed);
        Bytes::copy_from_slice(&u128::from(number).to_be_bytes())
    }

    /// Everything that was pushed to a device up to and with the first push that `last` is looking for.
    pub async fn pushed_until(&self, device: &Device, last: impl Fn(&Push) -> bool) -> Vec<Push> {
        // A commit is announced to the queue before it is answered, so the task only has to get its turn.
        for _ in 0..1_000 {
            let pushes = self.pushed(device);
            if let Some(at) = pushes.iter().position(&last) {
                return pushes[..=at].to_vec();
            }
            tokio::task::yield_now().await;
        }
        panic!("it was not pushed, only {:?}", self.pushed(device));
    }

    /// Everything that has been pushed to a device so far.
    pub fn pushed(&self, device: &Device) -> Vec<Push> {
        let told = self.gate.told.lock().unwrap();
        let own = told.iter().filter(|(session, _)| *session == device.caller.session);
        own.flat_map(|(_, delivery)| decode(delivery)).collect()
    }

    /// The deliveries themselves.
    pub fn deliveries(&self, device: &Device) -> Vec<Delivery> {
        let told = self.gate.told.lock().unwrap();
        let own = told.iter().filter(|(session, _)| *session == device.caller.session);
        own.map(|(_, delivery)| delivery.clone()).collect()
    }

    /// A page of the inbox from a cursor.
    pub async fn sync(&self, device: &Device, inbox_cursor: u64, limit: u32) -> proto::SyncAnswer {
        let log_epoch = device.answer.log_epoch;
        let request = proto::SyncRequest { id: 3, inbox_cursor, limit, log_epoch };
        self.ask(device, Operation::Sync, request).await
    }

    /// The first screen.
    /// The direct conversation of two users.
    pub async fn conversation_of(&self, one: &Device, other: &Device) -> ConversationId {
        let direct = self.store.direct(one.caller.app, one.caller.user, other.caller.user).await.unwrap();
        direct.conversation.expect("they have written")
    }

    pub async fn conversations(&self, device: &Device) -> Vec<proto::Conversation> {
        let request = proto::ConversationsRequest { id: 3, before: 0, limit: 100 };
        let answer: proto::ConversationsAnswer = self.ask(device, Operation::Conversations, request).await;
        assert_eq!(answer.refusal, None);
        answer.conversations
    }
}

fn decode(delivery: &Delivery) -> Vec<Push> {
    let body = delivery.body.clone();
    match delivery.operation {
        Operation::Message => {
            let entries = proto::MessageNotify::decode(body).unwrap().entries;
            entries.into_iter().map(Push::Message).collect()
        }
        Operation::Receipt => {
            let receipts = proto::ReceiptNotify::decode(body).unwrap().receipts;
            receipts.into_iter().map(Push::Receipt).collect()
        }
        Operation::Typing => vec![Push::Typing(proto::TypingNotify::decode(body).unwrap())],
        Operation::Room => vec![Push::Room(proto::RoomNotify::decode(body).unwrap())],
        other => panic!("{other:?} is not pushed by logic"),
    }
}

/// The key `k` of an app.
pub fn secret(app: &str) -> Vec<u8> {
    format!("the secret of the app {app}, long enough").into_bytes()
}

/// The keys of visitors' marks.
pub fn visitor_keys() -> VisitorKeys {
    VisitorKeys::new([(2, [2; 32]), (1, [1; 32])])
}

/// A good token for a user.
pub fn token(app: &str, user: &str) -> String {
    let claims = serde_json::json!({ "sub": user, "exp": START_SECONDS + 3_600 });
    signed(&header("k"), &claims, &secret(app))
}

pub fn header(key_id: &str) -> Header {
    Header { kid: Some(key_id.into()), ..Header::new(Algorithm::HS256) }
}

pub fn signed(header: &Header, claims: &serde_json::Value, secret: &[u8]) -> String {
    encode(header, claims, &EncodingKey::from_secret(secret)).unwrap()
}

/// The words of a text message.
pub fn words(entry: &proto::InboxEntry) -> String {
    match &entry.what {
        Some(proto::inbox_entry::What::Entry(entry)) => String::from_utf8(entry.body.to_vec()).unwrap(),
        other => panic!("no message: {other:?}"),
    }
}

/// Whether a push is a message with these words.
pub fn says(expected: &str) -> impl Fn(&Push) -> bool {
    move |push| match push {
        Push::Message(proto::InboxEntry { what: Some(proto::inbox_entry::What::Entry(entry)), .. }) => {
            entry.body == expected.as_bytes()
        }
        _ => false,
    }
}

pub fn code(refusal: &Option<proto::Refusal>) -> proto::RefusalCode {
    refusal.as_ref().map_or(proto::RefusalCode::Unspecified, proto::Refusal::code)
}
