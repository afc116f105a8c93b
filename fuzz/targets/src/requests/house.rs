//! Logic over the embedded store in memory, with three people in two apps: a new set of them for every input, so that an
//! input finds the same whatever was tried before it. One thread does everything, by turns.

use std::cell::{Cell, RefCell};
use std::future::{Future, poll_fn};
use std::net::{IpAddr, Ipv4Addr};
use std::path::Path;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError, Weak};
use std::task::{Context, Poll, Waker};

use hongyan_cluster::Bus;
use hongyan_cluster::bus::{Delivery, Ending, GroupNotice, Inlet, Publication};
use hongyan_cluster::router::Route;
use hongyan_cluster::service::{Origin, Service};
use hongyan_domain::app::AppSettings;
use hongyan_domain::environment::{Environment, Pending};
use hongyan_domain::session::Caller;
use hongyan_domain::{ConversationId, Name, SessionId, UnixMillis};
use hongyan_logic::{Announcer, Logic, LogicOptions, Measures, Overloaded, Passwords, Rate, VisitorKeys};
use hongyan_store::sqlite::{SqliteOptions, SqliteStore, Stepper};
use hongyan_wire::proto;
use hongyan_wire::proto::login_request::Credential;
use tempfile::TempDir;

/// Inputs after which the house is built anew, or its store would grow without end.
const INPUTS_MAX: u64 = 2_000;
/// People of each app.
pub const PEOPLE: usize = 3;
const APPS: [&str; 2] = ["one", "two"];
const PASSWORD: &str = "eight letters";
/// A file system in memory, where there is one: what is tried here is not the disk.
const MEMORY: &str = "/dev/shm";
/// Turns after which an answer that has not come will never come.
const TURNS_MAX: usize = 1_000;

/// Time that moves with every look, counted randomness, tasks that get their turns from [`House::wait`].
struct Clock {
    ticks: AtomicU64,
    randomness: AtomicU64,
    tasks: Mutex<Vec<Pending<'static, ()>>>,
}

impl Clock {
    fn turn(&self, context: &mut Context<'_>) {
        let lock = || self.tasks.lock().unwrap_or_else(PoisonError::into_inner);
        let mut tasks = std::mem::take(&mut *lock());
        tasks.retain_mut(|task| task.as_mut().poll(context).is_pending());
        lock().append(&mut tasks);
    }
}

impl Environment for Clock {
    fn monotonic_us(&self) -> u64 {
        self.ticks.fetch_add(1, Ordering::Relaxed)
    }

    fn wall_clock(&self) -> UnixMillis {
        UnixMillis(1_780_000_000_000 + self.monotonic_ms())
    }

    fn random(&self, bytes: &mut [u8]) {
        for chunk in bytes.chunks_mut(8) {
            let number = self.randomness.fetch_add(0x9E37_79B9_7F4A_7C15, Ordering::Relaxed);
            chunk.copy_from_slice(&number.wrapping_mul(0xBF58_476D_1CE4_E5B9).to_be_bytes()[..chunk.len()]);
        }
    }

    fn spawn(&self, task: Pending<'static, ()>) {
        self.tasks.lock().unwrap_or_else(PoisonError::into_inner).push(task);
    }

    fn sleep_ms(&self, _: u64) -> Pending<'static, ()> {
        unreachable!("logic never sleeps")
    }
}

/// The passwords' hashes are the passwords.
struct PlainPasswords;

impl Passwords for PlainPasswords {
    fn hash(&self, password: String) -> Pending<'_, Result<String, Overloaded>> {
        Box::pin(async move { Ok(password) })
    }

    fn verify(&self, password: String, hash: Option<String>) -> Pending<'_, Result<bool, Overloaded>> {
        Box::pin(async move { Ok(hash == Some(password)) })
    }
}

/// A gate that throws away what it is told: pushes are hints.
struct Deaf;

impl Inlet for Deaf {
    fn deliver(&self, _: SessionId, _: Delivery) {}

    fn end(&self, _: SessionId, _: Ending) {}

    fn subscribe(&self, _: SessionId, _: ConversationId) -> bool {
        true
    }

    fn unsubscribe(&self, _: SessionId, _: ConversationId) {}

    fn publish(&self, _: Option<SessionId>, _: &Publication) {}

    fn notice(&self, _: GroupNotice) {}

    fn begin_following(&self, _: SessionId) -> bool {
        true
    }

    fn follow(&self, _: SessionId, _: &[(ConversationId, u64)]) -> bool {
        true
    }

    fn follows(&self, _: SessionId, _: ConversationId) -> bool {
        true
    }

    fn whisper(&self, _: ConversationId, _: SessionId, _: &Delivery) {}

    fn waiting_in(&self, _: ConversationId) -> usize {
        0
    }
}

/// Logic and all that it needs.
pub struct House {
    clock: Arc<Clock>,
    stepper: RefCell<Stepper>,
    pub logic: Arc<Logic>,
    bus: Arc<Bus>,
    _deaf: Arc<Deaf>,
    inputs: Cell<u64>,
    _folder: TempDir,
}

/// Somebody with a session.
#[derive(Clone)]
pub struct Person {
    pub app: usize,
    pub name: String,
    pub caller: Arc<Caller>,
}

thread_local! {
    static HOUSE: RefCell<Option<House>> = const { RefCell::new(None) };
}

/// Runs something in a house, with six people that nobody has met.
pub fn visit(act: impl FnOnce(&House, &[Person])) {
    HOUSE.with_borrow_mut(|house| {
        if house.as_ref().is_some_and(|house| house.inputs.get() >= INPUTS_MAX) {
            *house = None;
        }
        let house = house.get_or_insert_with(House::build);
        let people = house.people();
        act(house, &people);
    });
}

impl House {
    fn build() -> Self {
        let folder = if Path::new(MEMORY).is_dir() { tempfile::tempdir_in(MEMORY) } else { tempfile::tempdir() };
        let folder = folder.expect("temporary files can be written");
        let clock =
            Arc::new(Clock { ticks: AtomicU64::new(0), randomness: AtomicU64::new(7), tasks: Mutex::default() });
        let (bus, deaf, measures) = (Arc::new(Bus::default()), Arc::new(Deaf), Arc::new(Measures::default()));
        let inlet: Weak<Deaf> = Arc::downgrade(&deaf);
        bus.attach(inlet);
        let rate = Rate { burst: 1_000_000, per_minute: 1_000_000 };
        let options = LogicOptions {
            logins_per_address: rate,
            logins_per_account: rate,
            first_contacts_per_user: rate,
            ..LogicOptions::default()
        };
        let announcer = Announcer::new(bus.clone(), &*clock, measures.clone());
        let store_options = SqliteOptions { disk_reserve_bytes: 0, ..SqliteOptions::default() };
        let opened = SqliteStore::open_stepped(folder.path(), store_options, announcer);
        let (store, stepper) = opened.expect("the folder is empty");
        let (passwords, environment) = (Arc::new(PlainPasswords), clock.clone());
        let logic =
            Logic::new(options, store, bus.clone(), environment, passwords, measures, VisitorKeys::new([(1, [1; 32])]));
        let stepper = RefCell::new(stepper);
        let house = Self { clock, stepper, logic, bus, _deaf: deaf, inputs: Cell::new(0), _folder: folder };
        for app in APPS {
            house.wait(house.logic.create_app(name(app), AppSettings::default())).expect("it is new");
        }
        house
    }

    /// Waits for logic: lets it, its tasks and its store take turns.
    pub fn wait<R>(&self, future: impl Future<Output = R>) -> R {
        let mut context = Context::from_waker(Waker::noop());
        let mut future = std::pin::pin!(future);
        for _ in 0..TURNS_MAX {
            if let Poll::Ready(result) = future.as_mut().poll(&mut context) {
                self.clock.turn(&mut context);
                return result;
            }
            let mut stepper = self.stepper.borrow_mut();
            while stepper.read() {}
            stepper.write();
            stepper.checkpoint();
            drop(stepper);
            self.clock.turn(&mut context);
        }
        panic!("no answer comes");
    }

    fn people(&self) -> Vec<Person> {
        let input = self.inputs.get();
        self.inputs.set(input + 1);
        let all = (0..APPS.len()).flat_map(|app| (0..PEOPLE).map(move |number| (app, number)));
        let coming = all.map(|(app, number)| {
            let user = format!("{}{input}", char::from(b'a' + number as u8));
            arrive(self.logic.clone(), self.bus.clone(), app, user)
        });
        // All at once: what is committed together costs one commit.
        let mut coming: Vec<_> = coming.map(|one| (Box::pin(one), None)).collect();
        self.wait(poll_fn(|context| {
            for (arrival, person) in coming.iter_mut().filter(|(_, person)| person.is_none()) {
                if let Poll::Ready(arrived) = arrival.as_mut().poll(context) {
                    *person = Some(arrived);
                }
            }
            let all = coming.iter().all(|(_, person)| person.is_some());
            if all { Poll::Ready(()) } else { Poll::Pending }
        }));
        coming.into_iter().filter_map(|(_, person)| person).collect()
    }
}

/// Somebody new, who logs in.
async fn arrive(logic: Arc<Logic>, bus: Arc<Bus>, app: usize, user: String) -> Person {
    logic.create_user(&name(APPS[app]), name(&user), Some(PASSWORD.to_owned())).await.expect("it is new");
    let credential = proto::PasswordCredential { user: user.clone(), password: PASSWORD.to_owned() };
    let request = proto::LoginRequest {
        id: 1,
        app: APPS[app].to_owned(),
        credential: Some(Credential::Password(credential)),
        device_id: vec![1; 16].into(),
        term: proto::Term::Mobile as i32,
        client: String::new(),
    };
    let logged_in =
        logic.login(request, Origin { address: IpAddr::V4(Ipv4Addr::LOCALHOST), age_ms: 0 }).await.expect("it may");
    let caller = Arc::new(logged_in.caller);
    let route = Route { session: caller.session, term: caller.term, epoch: 1, connected: true };
    bus.router().register(caller.user, route);
    Person { app, name: user, caller }
}

fn name(text: &str) -> Name {
    Name::parse(text).expect("it is a name")
}
