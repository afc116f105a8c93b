//! Logic over the embedded store in memory, with three people in two apps: a new set of them for every input, so that an
//! input finds the same whatever was tried before it.
#![allow(clippy::disallowed_methods, reason = "this is the shell: it owns the runtime that logic runs on")]

use std::cell::{Cell, RefCell};
use std::future::Future;
use std::net::{IpAddr, Ipv4Addr};
use std::path::Path;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Weak};

use hongyan_cluster::Bus;
use hongyan_cluster::bus::{Delivery, Ending, Inlet};
use hongyan_cluster::router::Route;
use hongyan_cluster::service::Service;
use hongyan_domain::app::AppSettings;
use hongyan_domain::environment::{Environment, Pending};
use hongyan_domain::session::Caller;
use hongyan_domain::{Name, SessionId, UnixMillis};
use hongyan_logic::{Announcer, Logic, LogicOptions, Measures, Overloaded, Passwords, Rate};
use hongyan_store::sqlite::{SqliteOptions, SqliteStore};
use hongyan_wire::proto;
use hongyan_wire::proto::login_request::Credential;
use tempfile::TempDir;
use tokio::runtime::Runtime;

/// Inputs after which the house is built anew, or its store would grow without end.
const INPUTS_MAX: u64 = 2_000;
/// People of each app.
pub const PEOPLE: usize = 3;
const APPS: [&str; 2] = ["one", "two"];
const PASSWORD: &str = "eight letters";
/// A file system in memory, where there is one: what is tried here is not the disk.
const MEMORY: &str = "/dev/shm";

/// Time that moves with every look, counted randomness.
struct Clock {
    ticks: AtomicU64,
    randomness: AtomicU64,
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
        drop(tokio::spawn(task));
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
}

/// Logic and all that it needs.
pub struct House {
    runtime: Runtime,
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
        let runtime = tokio::runtime::Builder::new_current_thread().build().expect("a thread is there");
        let folder = if Path::new(MEMORY).is_dir() { tempfile::tempdir_in(MEMORY) } else { tempfile::tempdir() };
        let folder = folder.expect("temporary files can be written");
        let environment = Arc::new(Clock { ticks: AtomicU64::new(0), randomness: AtomicU64::new(7) });
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
        let logic = runtime.block_on(async {
            let announcer = Announcer::new(bus.clone(), &*environment, measures.clone());
            let store_options = SqliteOptions { disk_reserve_bytes: 0, ..SqliteOptions::default() };
            let store = SqliteStore::open(folder.path(), store_options, announcer).expect("the folder is empty");
            let logic = Logic::new(options, store, bus.clone(), environment, Arc::new(PlainPasswords), measures);
            for app in APPS {
                logic.create_app(name(app), AppSettings::default()).await.expect("it is new");
            }
            logic
        });
        Self { runtime, logic, bus, _deaf: deaf, inputs: Cell::new(0), _folder: folder }
    }

    /// Waits for logic.
    pub fn wait<R>(&self, future: impl Future<Output = R>) -> R {
        self.runtime.block_on(future)
    }

    fn people(&self) -> Vec<Person> {
        let input = self.inputs.get();
        self.inputs.set(input + 1);
        let all = (0..APPS.len()).flat_map(|app| (0..PEOPLE).map(move |number| (app, number)));
        let coming = all.map(|(app, number)| {
            let user = format!("{}{input}", char::from(b'a' + number as u8));
            arrive(self.logic.clone(), self.bus.clone(), app, user)
        });
        let coming: Vec<_> = coming.collect();
        // All at once: what is committed together costs one commit.
        self.wait(async {
            let tasks: Vec<_> = coming.into_iter().map(tokio::spawn).collect();
            let mut people = Vec::with_capacity(tasks.len());
            for task in tasks {
                people.push(task.await.expect("everybody is let in"));
            }
            people
        })
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
    let logged_in = logic.login(request, IpAddr::V4(Ipv4Addr::LOCALHOST)).await.expect("it may");
    let caller = Arc::new(logged_in.caller);
    let route = Route { session: caller.session, term: caller.term, epoch: 1, connected: true };
    bus.router().register(caller.user, route);
    Person { app, name: user, caller }
}

fn name(text: &str) -> Name {
    Name::parse(text).expect("it is a name")
}
