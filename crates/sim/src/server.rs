//! The simulated machine of the server: the real gate, logic, router and bus, put together as the binary does it, over a
//! store and a disk that can fail. A process lives until it is killed; the disk outlives it.

use std::net::{IpAddr, Ipv4Addr};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError, Weak};

use hongyan_cluster::Bus;
use hongyan_domain::UserId;
use hongyan_domain::app::AppSettings;
use hongyan_domain::environment::{Environment, Pending};
use hongyan_domain::name::Name;
use hongyan_gate::driver::Driver;
use hongyan_gate::peer::Protection;
use hongyan_gate::ticket::TicketKeys;
use hongyan_gate::{Gate, GateOptions};
use hongyan_logic::{Announcer, Logic, LogicOptions, Measures, Overloaded, Passwords, Rate, VisitorKeys};
use hongyan_store::Store;
use hongyan_wire::noise::StaticKey;

use crate::disk::{Disk, DiskProfile};
use crate::executor::{Executor, Process, ProcessEnvironment};
use crate::network::{Network, ServerEnd};
use crate::plan::{Cast, Limits};

/// Something that a task of the server has finished, for the history.
#[derive(Debug)]
pub enum Notice {
    /// The operator's request to end a user's sessions was done.
    Revoked(u32),
}

/// One life.
struct Life {
    gate: Arc<Gate>,
    logic: Arc<Logic>,
    bus: Arc<Bus>,
    store: Arc<dyn Store>,
}

/// The machine.
pub struct Server {
    executor: Arc<Executor>,
    network: Arc<Network>,
    key: StaticKey,
    ticket_key: [u8; 32],
    visitor_key: [u8; 32],
    disk: Disk,
    limits: Limits,
    process: Process,
    life: Option<Life>,
    /// Gates of earlier lives, which must be gone.
    past: Vec<Weak<Gate>>,
    stopped: Arc<AtomicBool>,
    notices: Arc<Mutex<Vec<Notice>>>,
    /// The server's ids of the cast's users, in their order.
    users: Arc<Mutex<Vec<UserId>>>,
    drained: Arc<AtomicU64>,
}

impl Server {
    /// A machine that is off, with an empty disk.
    pub fn new(executor: Arc<Executor>, network: Arc<Network>, limits: Limits, profile: DiskProfile) -> Self {
        let (mut key, mut ticket_key) = ([0; 32], [0; 32]);
        executor.random(|random| {
            random.fill(&mut key);
            random.fill(&mut ticket_key);
        });
        // No world has visitors; their key is drawn from nothing, so that worlds stay what they were.
        let visitor_key = [1; 32];
        let disk = Disk::new(profile, executor.clone());
        Self {
            executor,
            network,
            key: StaticKey::new(key),
            ticket_key,
            visitor_key,
            disk,
            limits,
            process: 0,
            life: None,
            past: Vec::new(),
            stopped: Arc::default(),
            notices: Arc::default(),
            users: Arc::default(),
            drained: Arc::default(),
        }
    }

    /// What clients pin.
    pub fn public_key(&self) -> [u8; 32] {
        *self.key.public()
    }

    /// A process runs.
    pub fn is_alive(&self) -> bool {
        self.life.is_some()
    }

    /// The disk.
    pub fn disk(&self) -> &Disk {
        &self.disk
    }

    /// Other limits from the next start on.
    pub fn set_limits(&mut self, limits: Limits) {
        self.limits = limits;
    }

    /// Starts a process over what the disk holds.
    pub fn start(&mut self) {
        if self.life.is_some() {
            return;
        }
        self.process += 1;
        self.executor.begin(self.process);
        self.network.power_on();
        let environment: Arc<dyn Environment> = ProcessEnvironment::new(self.executor.clone(), self.process);
        let bus = Arc::new(Bus::default());
        let measures = Arc::new(Measures::default());
        let announcer = Announcer::new(bus.clone(), &*environment, measures.clone());
        self.stopped = Arc::default();
        let stopped = self.stopped.clone();
        let fatal = Arc::new(move |_: &str| stopped.store(true, Ordering::Relaxed));
        let store = self.disk.open(fatal, announcer, environment.clone());
        let logic = Logic::new(
            self.limits.logic(),
            store.clone(),
            bus.clone(),
            environment.clone(),
            Arc::new(PlainPasswords),
            measures,
            VisitorKeys::new([(1, self.visitor_key)]),
        );
        let tickets = TicketKeys::new([(0, self.ticket_key)]);
        let gate = Gate::start(self.limits.gate(), self.key.clone(), tickets, logic.clone(), bus.clone(), environment);
        self.life = Some(Life { gate, logic, bus, store });
    }

    /// Makes the apps and users of the cast; only for the first process.
    pub fn prepare(&self, cast: &Cast) {
        let Some(life) = &self.life else { return };
        let (logic, store, cast, users) = (life.logic.clone(), life.store.clone(), cast.clone(), self.users.clone());
        self.spawn(Box::pin(async move {
            for app in &cast.apps {
                let settings = AppSettings { devices_per_user_max: 64, ..AppSettings::default() };
                logic.create_app(name(app), settings).await.expect("the disk is well when a world begins");
            }
            for user in &cast.users {
                let made = logic.create_user(&name(&user.app), name(&user.name), Some(PASSWORD.to_owned())).await;
                made.expect("the disk is well when a world begins");
                let app = store.app(name(&user.app)).await.ok().flatten().expect("just made").id;
                let made = store.user(app, name(&user.name)).await.ok().flatten().expect("just made");
                users.lock().unwrap_or_else(PoisonError::into_inner).push(made.id);
            }
        }));
    }

    fn spawn(&self, task: Pending<'static, ()>) {
        self.executor.spawn(self.process, task);
    }

    /// A device's line was accepted by the kernel; the process takes it when it runs.
    pub fn accept(&self, line: usize, device: usize) {
        let Some(life) = &self.life else { return };
        let (gate, network) = (life.gate.clone(), self.network.clone());
        let ip = IpAddr::V4(Ipv4Addr::new(10, (device >> 8) as u8, device as u8, 1));
        let end = ServerEnd::new(network, line);
        self.spawn(Box::pin(async move {
            if let Some(link) = gate.admit(ip) {
                Driver::new(gate, end, link, ip, Protection::Noise).run().await;
            }
        }));
    }

    /// The operator ends all sessions of a user.
    pub fn revoke(&self, cast: &Cast, user: u32) {
        let Some(life) = &self.life else { return };
        let (logic, notices) = (life.logic.clone(), self.notices.clone());
        let person = cast.users[user as usize].clone();
        self.spawn(Box::pin(async move {
            if logic.revoke_sessions(&name(&person.app), &name(&person.name)).await.is_ok() {
                notices.lock().unwrap_or_else(PoisonError::into_inner).push(Notice::Revoked(user));
            }
        }));
    }

    /// Lets everybody go, then says so in [`Server::has_drained`].
    pub fn drain(&self, deadline_ms: u64) {
        let Some(life) = &self.life else { return };
        let (gate, drained, process) = (life.gate.clone(), self.drained.clone(), self.process);
        self.spawn(Box::pin(async move {
            gate.drain(deadline_ms).await;
            drained.store(process.into(), Ordering::Relaxed);
        }));
    }

    /// The living process has drained.
    pub fn has_drained(&self) -> bool {
        self.life.is_some() && self.drained.load(Ordering::Relaxed) == u64::from(self.process)
    }

    /// The process has stopped itself, because the disk cannot be trusted.
    pub fn has_stopped(&self) -> bool {
        self.stopped.load(Ordering::Relaxed)
    }

    /// What the process has finished since the last look.
    pub fn notices(&self) -> Vec<Notice> {
        std::mem::take(&mut self.notices.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// Kills the process; with a power cut, the machine loses what was not synced.
    pub fn kill(&mut self, power_cut: bool) {
        let Some(life) = self.life.take() else { return };
        if power_cut {
            self.network.silence();
        }
        self.disk.crash(power_cut);
        self.past.push(Arc::downgrade(&life.gate));
        self.executor.kill();
        drop(life);
    }

    /// How many of a user's sessions the router believes to be connected.
    pub fn connected(&self, user: u32) -> usize {
        let users = self.users.lock().unwrap_or_else(PoisonError::into_inner);
        let (Some(life), Some(user)) = (&self.life, users.get(user as usize)) else { return 0 };
        life.bus.router().connected(*user).len()
    }

    /// Connections and sessions as the gate counts them.
    pub fn counts(&self) -> (i64, i64) {
        let Some(life) = &self.life else { return (0, 0) };
        let measures = life.gate.measures();
        (measures.connections.get(), measures.sessions_connected.get())
    }

    /// Gates of dead processes that are still in memory: a leak.
    pub fn ghosts(&self) -> usize {
        self.past.iter().filter(|gate| gate.strong_count() > 0).count()
    }
}

/// The password of everybody.
pub const PASSWORD: &str = "correct horse";

/// A name that the plan has made.
pub fn name(text: &str) -> Name {
    Name::parse(text).expect("names of a cast are valid")
}

/// Passwords without work: what argon2 does is no part of a simulation.
struct PlainPasswords;

impl Passwords for PlainPasswords {
    fn hash(&self, password: String) -> Pending<'_, Result<String, Overloaded>> {
        Box::pin(std::future::ready(Ok(password)))
    }

    fn verify(&self, password: String, hash: Option<String>) -> Pending<'_, Result<bool, Overloaded>> {
        Box::pin(std::future::ready(Ok(hash.is_some_and(|hash| hash == password))))
    }
}

impl Limits {
    fn gate(self) -> GateOptions {
        let defaults = GateOptions::default();
        GateOptions {
            outgoing_bytes_max: self.outgoing_bytes_max,
            frames_per_second: self.frames_per_second,
            frames_burst: 4 * self.frames_per_second,
            ..defaults
        }
    }

    fn logic(self) -> LogicOptions {
        // People of a simulation log in more often than people.
        let often = Rate { burst: 10_000, per_minute: 600_000 };
        LogicOptions {
            logins_per_address: often,
            logins_per_account: often,
            first_contacts_per_user: often,
            cached_entries_max: self.cached_entries_max,
            ..LogicOptions::default()
        }
    }
}
