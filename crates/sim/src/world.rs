//! A world: a server's machine, devices, the network between them, and time. Carries out a plan, then lets everything heal
//! and come to rest.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use hongyan_checker::{CheckerOptions, Event as Seen, Record, Report};
use hongyan_fault as fault;
use hongyan_wire::limits;

use crate::device::{Device, Surroundings};
use crate::executor::{Executor, Happening, Next};
use crate::faults::{Faults, Kind};
use crate::network::Network;
use crate::plan::{Limits, Plan, What};
use crate::random::Random;
use crate::recorder::Recorder;
use crate::server::{Notice, Server};

/// Everything pending is delivered so long after the last fault (I11).
const REST_US: u64 = 60_000_000;
/// A stream of which something was taken away shows that at its next frame, a heartbeat later at most.
const UNNOTICED_US: u64 = limits::HEARTBEAT.0 * 1_000;
/// Before anybody is switched on.
const PREPARATION_US: u64 = 5_000_000;
/// A process that stops itself is started again by its supervisor after so long.
const SUPERVISOR_US: u64 = 500_000;
/// A drain takes at most so long.
const DRAIN_MS: u64 = 5_000;
/// Streams of the seed's randomness.
const EXECUTOR_STREAM: u64 = 2;
const NETWORK_STREAM: u64 = 3;
const FAULT_STREAM: u64 = 4;
const DEVICE_STREAM: u64 = 1000;

/// What came of a run.
pub struct Outcome {
    /// The checker's judgement.
    pub report: Report,
    /// What had gone wrong by then.
    pub faults: Faults,
    /// Time that passed inside.
    pub simulated_us: u64,
    /// Polls of the server's tasks.
    pub polls: u64,
    /// The history, if it was to be kept.
    pub records: Vec<Record>,
    /// The same for the same history; 0 if it was not kept.
    pub fingerprint: u64,
}

/// Runs a plan on this thread. `mutant` = the planted bug that is alive; `keep` = give the history back.
pub fn run(plan: &Plan, mutant: Option<&'static str>, keep: bool) -> Outcome {
    fault::plant(mutant);
    let played = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| World::new(plan, keep).play()));
    fault::inject(None);
    fault::plant(None);
    played.unwrap_or_else(|panic| Outcome::of_panic(&what_panicked(&*panic)))
}

/// What a panic has said.
pub(crate) fn what_panicked(panic: &(dyn std::any::Any + Send)) -> String {
    let text = panic.downcast_ref::<String>().map(String::as_str);
    text.or_else(|| panic.downcast_ref::<&str>().copied()).unwrap_or("a panic without a word").to_owned()
}

impl Outcome {
    /// The world itself, a client or the opening of a store has panicked: nothing else is known of it.
    fn of_panic(what: &str) -> Self {
        let mut recorder = Recorder::new(CheckerOptions::default(), false);
        recorder.saw(Seen::Panic { what: what.to_owned() });
        let (report, records, fingerprint) = recorder.finish();
        Self { report, faults: Faults::default(), simulated_us: 0, polls: 0, records, fingerprint }
    }
}

/// In a simulated world nothing comes back only roughly.
fn options(plan: &Plan) -> CheckerOptions {
    CheckerOptions {
        late_ms: plan.late_ms(),
        resource_percent_max: 0,
        resource_difference_max: 0,
        ..CheckerOptions::default()
    }
}

struct World<'a> {
    plan: &'a Plan,
    executor: Arc<Executor>,
    network: Arc<Network>,
    server: Server,
    devices: Vec<Device>,
    recorder: Recorder,
    faults: Faults,
    upgrading: Option<(u64, Limits)>,
    revoked: BTreeSet<u32>,
    panicked: bool,
}

impl<'a> World<'a> {
    fn new(plan: &'a Plan, keep: bool) -> Self {
        let executor = Executor::new(Random::new(plan.seed, EXECUTOR_STREAM));
        let devices = plan.cast.devices.len();
        let network_random = Random::new(plan.seed, NETWORK_STREAM);
        let network = Network::new(executor.clone(), network_random, plan.weather, devices);
        let server = Server::new(executor.clone(), network.clone(), plan.limits, plan.disk);
        let key = server.public_key();
        let device = |(number, install)| {
            Device::new(number, install, &plan.cast, key, Random::new(plan.seed, DEVICE_STREAM + number as u64))
        };
        let devices = plan.cast.devices.iter().enumerate().map(device).collect();
        let recorder = Recorder::new(options(plan), keep);
        let faults = Faults::default();
        Self {
            plan,
            executor,
            network,
            server,
            devices,
            recorder,
            faults,
            upgrading: None,
            revoked: BTreeSet::new(),
            panicked: false,
        }
    }

    fn play(mut self) -> Outcome {
        self.introduce();
        self.server.start();
        self.server.prepare(&self.plan.cast);
        self.go_on_until(PREPARATION_US);
        let begin_us = self.executor.now_us();
        self.inject();
        for (number, install) in self.plan.cast.devices.iter().enumerate() {
            if let Some(starts_us) = install.starts_us {
                self.executor.schedule(begin_us + starts_us, Happening::DeviceStarts { device: number });
            }
        }
        for (number, step) in self.plan.steps.iter().enumerate() {
            self.executor.schedule(begin_us + step.at_us, Happening::Step { number });
        }
        let heals_us = begin_us + self.plan.heals_us;
        self.go_on_until(heals_us);
        self.heal();
        let noticed_us = self.network.tampered_us().map_or(0, |tampered_us| tampered_us + UNNOTICED_US);
        let round_trip_us = 2 * self.network.latency_us() + 2_000 * self.plan.disk.sync_ms;
        let frames_per_second = self.plan.limits.frames_per_second;
        let backlogs = self.devices.iter().map(|device| device.backlog_us(round_trip_us, frames_per_second));
        let backlog_us = backlogs.max().unwrap_or(0);
        self.go_on_until(heals_us.max(noticed_us) + REST_US + backlog_us);
        self.rest();
        self.finish()
    }

    fn introduce(&mut self) {
        for user in &self.plan.cast.users {
            self.recorder.saw(Seen::User { app: user.app.clone(), name: user.name.clone() });
        }
        for (number, install) in self.plan.cast.devices.iter().enumerate() {
            self.recorder.saw(Seen::Device { user: install.user, name: format!("d{number}") });
        }
    }

    /// From now on faults happen inside the code.
    fn inject(&self) {
        let mut random = Random::new(self.plan.seed, FAULT_STREAM);
        let injections = self.plan.injections.clone();
        let network = self.network.clone();
        fault::inject(Some(Box::new(move |name| {
            let Some((_, rate)) = injections.iter().find(|(known, _)| *known == name) else { return false };
            let happens = random.chance(*rate);
            if happens {
                network.count(Kind::Injected);
            }
            happens
        })));
    }

    fn go_on_until(&mut self, end_us: u64) {
        loop {
            self.run_server();
            if self.panicked {
                return;
            }
            match self.executor.next(end_us) {
                Next::End => return,
                Next::Woken => {}
                Next::Happened(happening) => {
                    self.recorder.set_time(self.executor.now_us());
                    self.happen(happening);
                }
            }
        }
    }

    fn run_server(&mut self) {
        loop {
            if let Err(what) = self.executor.run_ready() {
                self.recorder.saw(Seen::Panic { what });
                self.panicked = true;
                return;
            }
            if self.executor.is_frozen() || !self.server.disk().step() {
                break;
            }
        }
        for Notice::Revoked(user) in self.server.notices() {
            self.recorder.saw(Seen::Revoked { user });
        }
        if self.server.has_stopped() && self.server.is_alive() {
            self.server.kill(false);
            self.server_starts_after(SUPERVISOR_US);
        }
        if let Some((down_us, limits)) = self.upgrading
            && self.server.has_drained()
        {
            self.upgrading = None;
            self.server.kill(false);
            self.server.set_limits(limits);
            self.faults.count(Kind::ServerUpgrade);
            self.server_starts_after(down_us);
        }
    }

    fn server_starts_after(&self, down_us: u64) {
        self.executor.schedule(self.executor.now_us() + down_us, Happening::ServerStarts);
    }

    fn with_device(&mut self, number: usize, act: impl FnOnce(&mut Device, &mut Surroundings<'_>)) {
        let mut around = Surroundings {
            executor: &self.executor,
            network: &self.network,
            cast: &self.plan.cast,
            recorder: &mut self.recorder,
            faults: &mut self.faults,
        };
        act(&mut self.devices[number], &mut around);
    }

    fn happen(&mut self, happening: Happening) {
        match happening {
            Happening::Segment { line, up } => {
                if let Some(device) = self.network.segment(line, up) {
                    self.with_device(device, |device, around| device.receive(line, around));
                }
            }
            Happening::Ended { line, up } => {
                if let Some(device) = self.network.ended(line, up) {
                    self.with_device(device, |device, around| device.receive(line, around));
                }
            }
            Happening::Unacknowledged { line } => self.network.unacknowledged(line),
            Happening::Dialled { device, dial } => self.dialled(device, dial),
            Happening::Deadline { device, set } => {
                self.with_device(device, |device, around| device.deadline(set, around));
            }
            Happening::DeviceStarts { device } => self.with_device(device, |device, around| device.start(around)),
            Happening::DeviceReads { device } => {
                self.with_device(device, |device, around| device.set_reading(true, around));
            }
            Happening::Synced => self.server.disk().synced(),
            Happening::ServerStarts => self.server.start(),
            Happening::ServerThaws => self.executor.freeze(false),
            Happening::Step { number } => self.step(self.plan.steps[number].what),
        }
    }

    /// A device's first packet has come to the machine, if it came.
    fn dialled(&mut self, device: usize, dial: u64) {
        if !self.network.answers(device) {
            return;
        }
        let line = self.server.is_alive().then(|| self.network.open(device));
        if let Some(line) = line {
            self.server.accept(line, device);
        }
        self.with_device(device, |device, around| device.dialled(dial, line, around));
    }

    fn step(&mut self, what: What) {
        let now_us = self.executor.now_us();
        let after = |ms: u32| now_us + u64::from(ms) * 1000;
        match what {
            What::Send { device, salt, count, bytes } => {
                self.with_device(device, |device, around| device.send(salt, count, bytes, around));
            }
            What::Read { device, salt } => self.with_device(device, |device, around| device.read(salt, around)),
            What::Alter { device, salt, recall } => {
                self.with_device(device, |device, around| device.alter(salt, recall, around));
            }
            What::React { device, salt } => self.with_device(device, |device, around| device.react(salt, around)),
            What::Delete { device, salt } => self.with_device(device, |device, around| device.delete(salt, around)),
            What::Block { device, salt, blocked } => {
                self.with_device(device, |device, around| device.block(salt, blocked, around));
            }
            What::History { device, salt } => self.with_device(device, |device, around| device.history(salt, around)),
            What::Typing { device, salt } => self.with_device(device, |device, around| device.typing(salt, around)),
            What::NetworkChanged { device } => {
                self.with_device(device, |device, around| device.network_changed(around));
            }
            What::LogOut { device } => self.with_device(device, |device, around| device.log_out(around)),
            What::LogIn { device } => self.log_in(device),
            What::CrashDevice { device, after, down_ms, upgrade } => self.devices[device].die(after, down_ms, upgrade),
            What::Partition { device, for_ms } => self.network.partition(device, after(for_ms)),
            What::HalfOpen { device } => {
                if let Some(line) = self.devices[device].line() {
                    self.network.half_open(line);
                }
            }
            What::Reset { device } => {
                if let Some(line) = self.devices[device].line() {
                    self.network.reset(line);
                }
            }
            What::SlowReader { device, for_ms } => {
                self.faults.count(Kind::SlowReader);
                self.with_device(device, |device, around| device.set_reading(false, around));
                self.executor.schedule(after(for_ms), Happening::DeviceReads { device });
            }
            What::Kill { down_ms } => self.crash(Kind::Kill, u64::from(down_ms) * 1000),
            What::PowerCut { down_ms } => self.crash(Kind::PowerCut, u64::from(down_ms) * 1000),
            What::Freeze { for_ms } => {
                self.faults.count(Kind::Freeze);
                self.executor.freeze(true);
                self.executor.schedule(after(for_ms), Happening::ServerThaws);
            }
            What::Upgrade { down_ms, limits } => {
                self.upgrading = Some((u64::from(down_ms) * 1000, limits));
                self.server.drain(DRAIN_MS);
            }
            What::ClockJump { by_ms } => {
                self.faults.count(Kind::ClockJump);
                self.executor.jump(by_ms);
            }
            What::SlowDisk { for_ms, sync_ms } => self.server.disk().slow(after(for_ms), sync_ms.into()),
            What::FullDisk { for_ms } => self.server.disk().fill(after(for_ms)),
            What::SyncError => self.server.disk().fail_next(),
            What::Revoke { user } => {
                self.faults.count(Kind::Revocation);
                // Whether or not its answer is ever heard.
                self.revoked.insert(user);
                self.server.revoke(&self.plan.cast, user);
            }
        }
    }

    fn log_in(&mut self, number: usize) {
        let me = &self.plan.cast.devices[number];
        let same = |other: &Device, install: &crate::plan::Install| {
            install.user == me.user && install.term == me.term && other.is_live()
        };
        let mut pairs = self.devices.iter().zip(&self.plan.cast.devices).enumerate();
        if !self.devices[number].is_live()
            && pairs.any(|(other, (device, install))| other != number && same(device, install))
        {
            self.faults.count(Kind::LoginRace);
        }
        self.with_device(number, |device, around| device.log_in(around));
    }

    fn crash(&mut self, kind: Kind, down_us: u64) {
        if self.server.is_alive() {
            self.faults.count(kind);
            self.upgrading = None;
            self.server.kill(kind == Kind::PowerCut);
            self.server_starts_after(down_us);
        }
    }

    fn heal(&mut self) {
        fault::inject(None);
        self.recorder.set_time(self.executor.now_us());
        self.recorder.saw(Seen::Healed);
        self.network.heal();
        self.server.disk().heal();
        self.executor.freeze(false);
        self.server.start();
        for device in 0..self.devices.len() {
            self.with_device(device, |device, around| device.heal(around));
        }
    }

    /// What is to be seen when nothing moves any more.
    fn rest(&mut self) {
        self.recorder.set_time(self.executor.now_us());
        self.recorder.saw(Seen::AtRest);
        for user in 0..self.plan.cast.users.len() as u32 {
            let connected = self.server.connected(user) as u32;
            self.recorder.saw(Seen::Presence { user, connected });
        }
        for device in self.devices.iter().filter(|device| device.is_live()) {
            for seen in device.unread(&self.plan.cast) {
                self.recorder.saw(seen);
            }
        }
        let live = self.devices.iter().filter(|device| device.is_live()).count() as u64;
        let wanted = self.devices.iter().filter(|device| device.wants_to_live()).count() as u64;
        let (connections, sessions) = self.server.counts();
        let ghosts = self.server.ghosts() as u64;
        for (name, before, after) in [
            ("devices that want to be connected", wanted, live),
            ("connections", live, connections.unsigned_abs()),
            ("sessions", live, sessions.unsigned_abs()),
            ("gates of dead processes", 0, ghosts),
            ("kinds of devices that ended each other to the last", 0, self.ended_to_the_last()),
            ("devices beside another of their kind", 0, self.side_by_side()),
            ("deleted messages that came back", 0, self.devices.iter().map(|device| device.undead() as u64).sum()),
        ] {
            self.recorder.saw(Seen::Resource { name: name.to_owned(), before, after });
        }
    }

    /// A login ends another of its kind, never itself: of devices that ended each other, one is left.
    fn ended_to_the_last(&self) -> u64 {
        let mut kinds: BTreeMap<(u32, u8), bool> = BTreeMap::new();
        for (device, install) in self.devices.iter().zip(&self.plan.cast.devices) {
            if device.has_started() && !self.revoked.contains(&install.user) {
                let all_ended = kinds.entry((install.user, install.term)).or_insert(true);
                *all_ended &= device.was_ended();
            }
        }
        kinds.values().filter(|all_ended| **all_ended).count() as u64
    }

    /// A user has one device of a kind: a login that ends no other would stay unseen.
    fn side_by_side(&self) -> u64 {
        let live = self.devices.iter().zip(&self.plan.cast.devices).filter(|(device, _)| device.is_live());
        let kinds: Vec<(u32, u8)> = live.map(|(_, install)| (install.user, install.term)).collect();
        (kinds.len() - kinds.iter().collect::<BTreeSet<_>>().len()) as u64
    }

    fn finish(mut self) -> Outcome {
        let mut faults = std::mem::take(&mut self.faults);
        faults.merge(&self.network.faults());
        faults.merge(&self.server.disk().faults());
        let simulated_us = self.executor.now_us();
        let polls = self.executor.polls();
        self.server.kill(false);
        let (report, records, fingerprint) = self.recorder.finish();
        Outcome { report, faults, simulated_us, polls, records, fingerprint }
    }
}
