//! Two people who talk through a store in turns, a disk that fails under it, and what must be true afterwards.

use std::pin::{Pin, pin};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard};
use std::task::{Context, Poll, Waker};

use hongyan_domain::app::AppSettings;
use hongyan_domain::id::{AppId, ClientId, SessionId, UserId};
use hongyan_domain::message::{Draft, Entry};
use hongyan_domain::name::Name;
use hongyan_domain::session::Term;
use hongyan_domain::time::UnixMillis;
use hongyan_sim::sqlite_disk::{SimulatedDisk, VFS};
use hongyan_store::feed::{Committed, CommittedWhat};
use hongyan_store::sessions::OpenSession;
use hongyan_store::sqlite::{OpenError, SqliteOptions, SqliteStore, Step, Stepper};
use hongyan_store::timeline::{Answer, Append, HistoryQuery, Outcome, Target, What};
use hongyan_store::{Accounts, Listener, Sessions, Timeline};
use rusqlite::{Connection, OpenFlags};

/// SQLite draws its salts for the whole process, so a test that compares bytes runs alone.
static SALTS: RwLock<()> = RwLock::new(());

/// For as long as it is held, other tests may run.
pub fn among_others() -> RwLockReadGuard<'static, ()> {
    SALTS.read().unwrap_or_else(PoisonError::into_inner)
}

/// For as long as it is held, no other test of this file runs.
pub fn alone() -> RwLockWriteGuard<'static, ()> {
    SALTS.write().unwrap_or_else(PoisonError::into_inner)
}

const NOW: UnixMillis = UnixMillis(1_790_000_000_000);

/// A short log, so that it is moved and begun again often.
pub fn options() -> SqliteOptions {
    SqliteOptions { disk_reserve_bytes: 0, log_worth_pages: 30, vfs: Some(VFS), ..SqliteOptions::default() }
}

/// SplitMix64.
pub struct Random(pub u64);

impl Random {
    pub fn below(&mut self, bound: u64) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        (mixed ^ (mixed >> 31)) % bound
    }
}

/// Remembers the numbers of the messages that it was told of.
#[derive(Default)]
struct Told(Mutex<Vec<u64>>);

impl Listener for Told {
    fn committed(&self, batch: Vec<Committed>) {
        let numbers = batch.iter().filter_map(|committed| match &committed.what {
            CommittedWhat::Entry { entry, .. } => Some(number(entry)),
            _ => None,
        });
        self.0.lock().expect("one thread").extend(numbers);
    }

    fn said(&self, _: Vec<hongyan_store::Said>) {}

    fn grouped(&self, _: Vec<hongyan_store::GroupNews>) {}
}

fn number(entry: &Entry) -> u64 {
    u128::from_be_bytes(entry.client_id.0) as u64
}

pub type Reply = hongyan_store::Result<Vec<Outcome>>;
type Call = Pin<Box<dyn Future<Output = Reply>>>;

/// One call of appends, and what was answered.
pub struct Said {
    pub numbers: Vec<u64>,
    pub answers: Option<Vec<Answer>>,
}

/// Two users with sessions who write to each other, and a disk.
pub struct World {
    pub disk: SimulatedDisk,
    pub server: Option<(Arc<SqliteStore>, Stepper)>,
    pub fatal: Arc<AtomicUsize>,
    pub said: Vec<Said>,
    told: Arc<Told>,
    app: AppId,
    users: [UserId; 2],
    next: u64,
}

fn name(text: &str) -> Name {
    Name::parse(text).expect("a valid name")
}

fn session(at: usize) -> SessionId {
    SessionId([at as u8 + 1; 16])
}

fn ready<T>(future: Pin<&mut (impl Future<Output = T> + ?Sized)>) -> Option<T> {
    match future.poll(&mut Context::from_waker(Waker::noop())) {
        Poll::Ready(value) => Some(value),
        Poll::Pending => None,
    }
}

impl World {
    /// With an app, two users and their sessions.
    pub fn new() -> Self {
        let mut world = Self::empty();
        world.open().expect("an empty disk that is well");
        world.settle();
        world
    }

    /// Nothing but the disk.
    pub fn empty() -> Self {
        Self {
            disk: SimulatedDisk::new().expect("a folder"),
            server: None,
            fatal: Arc::default(),
            said: Vec::new(),
            told: Arc::default(),
            app: AppId(0),
            users: [UserId(0); 2],
            next: 0,
        }
    }

    pub fn open(&mut self) -> Result<(), OpenError> {
        let fatal = Arc::clone(&self.fatal);
        let fatal = Arc::new(move |_: &str| {
            fatal.fetch_add(1, Ordering::Relaxed);
        });
        let options = SqliteOptions { fatal, ..options() };
        self.server = Some(SqliteStore::open_stepped(self.disk.folder(), options, self.told.clone())?);
        Ok(())
    }

    pub fn stepper(&mut self) -> &mut Stepper {
        &mut self.server.as_mut().expect("open").1
    }

    fn store(&self) -> Arc<SqliteStore> {
        Arc::clone(&self.server.as_ref().expect("open").0)
    }

    /// The answer of a call that the store gives in so many turns as it needs.
    fn ask<T>(&mut self, call: impl AsyncFn(&SqliteStore) -> hongyan_store::Result<T>) -> T {
        let store = self.store();
        let mut call = pin!(call(&store));
        loop {
            if let Some(answer) = ready(call.as_mut()) {
                return answer.expect("done");
            }
            let stepper = self.stepper();
            let (read, wrote) = (stepper.read(), stepper.write() == Step::Done);
            assert!(read || wrote, "it waits for nobody");
        }
    }

    /// Makes app, users and sessions.
    pub fn settle(&mut self) {
        let app = self.ask(async |store| store.create_app(name("app"), AppSettings::default(), NOW).await);
        let app = app.expect("new").id;
        self.app = app;
        for (at, text) in [(0, "a"), (1, "b")] {
            let user = self.ask(async |store| store.create_user(app, name(text), None, NOW).await).expect("new").id;
            self.users[at] = user;
            let (session, device_id, term) = (session(at), b"device".to_vec(), Term::Pc);
            let (sessions_max, devices_max) = (1, 10);
            let login = OpenSession {
                app,
                user,
                session,
                device_id,
                term,
                sessions_max,
                devices_max,
                connected: NOW,
                now: NOW,
            };
            self.ask(async |store| store.open_session(login.clone()).await);
        }
    }

    /// The message of a number, always the same.
    fn message(&self, number: u64) -> Append {
        let from = (number % 2) as usize;
        let target = |at: usize| Target { user: self.users[at], about: name(["b", "a"][at]) };
        let body = vec![number as u8; 40 + number as usize * 37 % 900];
        Append {
            app: self.app,
            sender: self.users[from],
            other: self.users[1 - from],
            session: session(from),
            client_id: ClientId(u128::from(number).to_be_bytes()),
            digest: number,
            access_version: 0,
            seen_seq: 0,
            now: NOW,
            what: What::Message(Draft { body: body.into(), ..Draft::default() }),
            targets: [target(from), target(1 - from)].into(),
        }
    }

    /// Puts a call of so many messages into the queue.
    fn say(&mut self, messages: u64) -> Call {
        let numbers: Vec<_> = (self.next..self.next + messages).collect();
        self.next += messages;
        let appends = numbers.iter().map(|number| self.message(*number)).collect();
        self.said.push(Said { numbers, answers: None });
        let store = self.store();
        let mut call: Call = Box::pin(async move { store.append(appends).await });
        // Polled once, it is in the queue.
        assert!(ready(call.as_mut()).is_none(), "the queue is long");
        call
    }

    /// Says so much at once and gives the writer its turns. Answers are written down, and returned.
    pub fn talk(&mut self, calls: &[u64]) -> Vec<Option<Reply>> {
        let first = self.said.len();
        let calls: Vec<_> = calls.iter().map(|messages| self.say(*messages)).collect();
        while self.stepper().write() == Step::Done {}
        let replies: Vec<_> = calls.into_iter().map(|mut call| ready(call.as_mut())).collect();
        for (said, reply) in self.said[first..].iter_mut().zip(&replies) {
            if let Some(Ok(outcomes)) = reply {
                said.answers = Some(outcomes.iter().map(appended).collect());
            }
        }
        replies
    }

    /// The process dies, and with random numbers the machine, too; both come back.
    pub fn crash(&mut self, random: Option<&mut Random>) {
        match random {
            Some(random) => self.disk.power_cut(&mut |bound| random.below(bound)).expect("the real disk is well"),
            None => self.disk.kill(),
        }
        self.server = None;
        self.open().expect("opened after a crash");
    }

    /// The numbers of the messages that are there, in the order of the conversation.
    pub fn stored(&mut self) -> Vec<u64> {
        let (app, users) = (self.app, self.users);
        let direct = self.ask(async |store| store.direct(app, users[0], users[1]).await);
        let Some(conversation) = direct.conversation else { return Vec::new() };
        let (limit, bytes_max) = (100_000, usize::MAX);
        let query = HistoryQuery { before_seq: None, after_seq: Some(0), changed_after: None, limit, bytes_max };
        let page = self.ask(async |store| store.history(conversation, users[0], query).await);
        assert!(page.entries.iter().map(|entry| entry.seq).eq(1..=direct.head_seq), "no number is missing");
        let inbox = self.ask(async |store| store.inbox(users[1], 0, limit, bytes_max).await);
        assert_eq!(inbox.entries.len(), page.entries.len(), "what is in the log is in the inbox");
        page.entries.iter().map(number).collect()
    }

    /// How many messages are gone that were answered, and that the listener was told of. What was not answered is there
    /// wholly or not at all, and what is there is at the place that was answered.
    pub fn lost(&mut self) -> (usize, usize) {
        let stored = self.stored();
        let mut lost = 0;
        for said in &self.said {
            let found = said.numbers.iter().filter(|number| stored.contains(number)).count();
            let Some(answers) = &said.answers else {
                assert!(found == 0 || found == said.numbers.len(), "a part of a call");
                continue;
            };
            lost += said.numbers.len() - found;
            for (number, answer) in said.numbers.iter().zip(answers) {
                let place = stored.iter().position(|stored| stored == number);
                assert!(place.is_none_or(|place| place as u64 + 1 == answer.seq), "at another place");
            }
        }
        let told = self.told.0.lock().expect("one thread");
        (lost, told.iter().filter(|number| !stored.contains(number)).count())
    }

    /// Nothing is gone, the file is whole, and who asks again gets the same answer.
    pub fn check(&mut self) {
        assert_eq!(self.lost(), (0, 0), "answered, or told, and lost");
        assert_eq!(integrity(&self.disk), "ok");
        let last = self.said.iter().rev().find_map(|said| Some((said.numbers.clone(), said.answers.clone()?)));
        if let Some((numbers, answers)) = last {
            let again: Vec<_> = numbers.iter().map(|number| self.message(*number)).collect();
            let again = self.ask(async |store| store.append(again.clone()).await);
            assert!(again.into_iter().eq(answers.into_iter().map(Outcome::Duplicate)));
        }
    }
}

fn appended(outcome: &Outcome) -> Answer {
    match outcome {
        Outcome::Appended(answer) => *answer,
        other => panic!("not appended: {other:?}"),
    }
}

/// What SQLite itself thinks of the file.
pub fn integrity(disk: &SimulatedDisk) -> String {
    let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let connection = Connection::open_with_flags_and_vfs(disk.folder().join("hongyan.db"), flags, VFS);
    connection.expect("opened").query_row("PRAGMA integrity_check", [], |row| row.get(0)).expect("checked")
}
