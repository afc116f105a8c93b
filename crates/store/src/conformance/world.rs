//! People who write to each other, for the tests of this suite.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};

use bytes::Bytes;
use hongyan_domain::app::AppSettings;
use hongyan_domain::id::{AppId, ClientId, ConversationId, SessionId, UserId};
use hongyan_domain::message::{Alteration, Draft};
use hongyan_domain::name::Name;
use hongyan_domain::session::Term;
use hongyan_domain::time::UnixMillis;

use super::Fixture;
use crate::Store;
use crate::feed::{Committed, Listener, Said};
use crate::groups::GroupNews;
use crate::sessions::{OpenSession, Opened};
use crate::timeline::{Answer, Append, Delete, Deletion, InboxEntry, MarkRead, Marked, Outcome, Target, What};
use crate::visitors::{Visit, Visited};

/// A time; the suite's stores have no clock.
pub(super) const NOW: UnixMillis = UnixMillis(1_790_000_000_000);

/// Keeps what it is told.
#[derive(Default)]
pub(super) struct Recorder {
    heard: Mutex<Vec<Committed>>,
    said: Mutex<Vec<Said>>,
    grouped: Mutex<Vec<GroupNews>>,
}

impl Listener for Recorder {
    fn committed(&self, batch: Vec<Committed>) {
        assert!(!batch.is_empty(), "nothing is no news");
        self.heard.lock().expect("no test panics here").extend(batch);
    }

    fn said(&self, batch: Vec<Said>) {
        assert!(!batch.is_empty(), "nothing is no news");
        self.said.lock().expect("no test panics here").extend(batch);
    }

    fn grouped(&self, batch: Vec<GroupNews>) {
        assert!(!batch.is_empty(), "nothing is no news");
        self.grouped.lock().expect("no test panics here").extend(batch);
    }
}

impl Recorder {
    pub(super) fn heard(&self) -> Vec<Committed> {
        self.heard.lock().expect("no test panics here").clone()
    }

    /// What has happened in groups since the last call.
    pub(super) fn grouped(&self) -> Vec<GroupNews> {
        std::mem::take(&mut self.grouped.lock().expect("no test panics here"))
    }

    pub(super) fn said(&self) -> Vec<Said> {
        self.said.lock().expect("no test panics here").clone()
    }
}

/// A user with a session.
#[derive(Clone, Debug)]
pub(super) struct Person {
    pub(super) user: UserId,
    pub(super) name: Name,
    pub(super) session: SessionId,
}

/// A store with an app.
pub(super) struct World<S> {
    pub(super) store: Arc<S>,
    pub(super) recorder: Arc<Recorder>,
    pub(super) app: AppId,
    counter: AtomicU64,
}

pub(super) fn name(text: &str) -> Name {
    Name::parse(text).expect("a valid name")
}

/// Names of visitors, by number.
pub(super) fn visitor_name(number: u64) -> Name {
    Name::of_visitor(&format!("{number:022}")).expect("22 digits")
}

impl<S: Store> World<S> {
    /// A fresh store with one app.
    pub(super) async fn new(fixture: &impl Fixture<Store = S>) -> Self {
        let recorder = Arc::new(Recorder::default());
        let store = fixture.open(recorder.clone());
        let app = store.create_app(name("app"), AppSettings::default(), NOW).await.expect("stored");
        Self { store, recorder, app: app.expect("a new app").id, counter: AtomicU64::new(1) }
    }

    /// The same world on a store that was opened again.
    pub(super) fn reopened(store: Arc<S>, recorder: Arc<Recorder>, app: AppId) -> Self {
        // Ids above all that were given before.
        Self { store, recorder, app, counter: AtomicU64::new(1 << 32) }
    }

    fn unique(&self) -> [u8; 16] {
        u128::from(self.counter.fetch_add(1, Ordering::Relaxed)).to_be_bytes()
    }

    pub(super) fn fresh_id(&self) -> ClientId {
        ClientId(self.unique())
    }

    pub(super) async fn person(&self, text: &str) -> Person {
        let name = name(text);
        let user = self.store.create_user(self.app, name.clone(), None, NOW).await.expect("stored").expect("new").id;
        let (session, _) = self.login(user, text, Term::Pc, 1).await;
        Person { user, name, session }
    }

    pub(super) async fn visitor(&self, number: u64) -> Person {
        let name = visitor_name(number);
        let (page, referrer) = (String::new(), String::new());
        let visit = Visit { app: self.app, name: name.clone(), page, referrer, now: NOW };
        let Ok(Visited::User(user)) = self.store.visit(visit).await else { panic!("not made") };
        let (session, _) = self.login(user, "browser", Term::Web, 1).await;
        Person { user, name, session }
    }

    pub(super) fn login_request(&self, user: UserId, device: &str, term: Term, sessions_max: u32) -> OpenSession {
        OpenSession {
            app: self.app,
            user,
            session: SessionId(self.unique()),
            device_id: device.as_bytes().to_vec(),
            term,
            sessions_max,
            devices_max: 3,
            connected: NOW,
            now: NOW,
        }
    }

    pub(super) async fn login(&self, user: UserId, device: &str, term: Term, sessions_max: u32) -> (SessionId, Opened) {
        let login = self.login_request(user, device, term, sessions_max);
        let session = login.session;
        (session, self.store.open_session(login).await.expect("stored").expect("the latest"))
    }

    /// A text message with a fresh id.
    pub(super) fn message(&self, from: &Person, to: &Person, text: &str) -> Append {
        let client_id = self.fresh_id();
        let targets = if from.user == to.user {
            vec![Target { user: from.user, about: to.name.clone() }]
        } else {
            let to_from = Target { user: from.user, about: to.name.clone() };
            vec![to_from, Target { user: to.user, about: from.name.clone() }]
        };
        Append {
            app: self.app,
            sender: from.user,
            other: to.user,
            session: from.session,
            client_id,
            digest: u64::from_be_bytes(*client_id.0.last_chunk().expect("16 bytes")) | 1 << 63,
            access_version: 0,
            seen_seq: 0,
            now: NOW,
            what: What::Message(Draft { body: Bytes::copy_from_slice(text.as_bytes()), ..Draft::default() }),
            targets: targets.into(),
        }
    }

    pub(super) fn alteration(&self, from: &Person, to: &Person, target: u64, alteration: Alteration) -> Append {
        Append { what: What::Alter { target, alteration }, ..self.message(from, to, "") }
    }

    pub(super) async fn append(&self, append: Append) -> Outcome {
        self.store.append(vec![append]).await.expect("stored")[0]
    }

    pub(super) async fn say(&self, from: &Person, to: &Person, text: &str) -> Answer {
        appended(self.append(self.message(from, to, text)).await)
    }

    pub(super) async fn alter(&self, from: &Person, to: &Person, target: u64, alteration: Alteration) -> Answer {
        appended(self.append(self.alteration(from, to, target, alteration)).await)
    }

    pub(super) async fn conversation(&self, one: &Person, other: &Person) -> ConversationId {
        let direct = self.store.direct(self.app, one.user, other.user).await.expect("read");
        direct.conversation.expect("they have talked")
    }

    pub(super) async fn read_up_to(&self, reader: &Person, other: &Person, seq: u64) -> Marked {
        let conversation = self.conversation(reader, other).await;
        let position = self.store.position(conversation, reader.user, seq).await.expect("read");
        let target = Target { user: reader.user, about: other.name.clone() };
        let (app, other, session) = (self.app, other.user, reader.session);
        self.store.mark_read(MarkRead { app, target, other, conversation, session, position }).await.expect("stored")
    }

    pub(super) async fn delete(&self, reader: &Person, other: &Person, up_to_seq: u64, seqs: &[u64]) {
        let conversation = self.conversation(reader, other).await;
        let delete = Delete {
            app: self.app,
            target: Target { user: reader.user, about: other.name.clone() },
            other: other.user,
            conversation,
            session: reader.session,
            deletion: Deletion { up_to_seq, seqs: seqs.to_vec() },
        };
        self.store.delete(delete).await.expect("stored");
    }

    /// The whole inbox.
    pub(super) async fn inbox(&self, person: &Person) -> Vec<InboxEntry> {
        self.store.inbox(person.user, 0, 10_000, usize::MAX).await.expect("read").entries
    }
}

pub(super) fn appended(outcome: Outcome) -> Answer {
    match outcome {
        Outcome::Appended(answer) => answer,
        other => panic!("not appended: {other:?}"),
    }
}
