//! The disk of the server's machine, and which store lies on it: mostly the model, which is fast; in some worlds real
//! SQLite over a simulated disk. When things go wrong is decided here; what then becomes of bytes is decided there.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use hongyan_domain::environment::Environment;
use hongyan_store::sqlite::{SqliteOptions, SqliteStore, Stepper};
use hongyan_store::{Listener, Store};

use crate::executor::{Executor, Happening};
use crate::faults::{Faults, Kind};
use crate::model_store::{self, DiskFate, ModelDisk, ModelOptions, ModelStore};
use crate::random::Random;
use crate::sqlite_disk::{self, SimulatedDisk, Unsynced};

/// Changes of files in one commit, roughly: a machine may die before each.
const CHANGES_OF_A_COMMIT: u64 = 30;

/// A frozen process is looked at again after so long.
const FROZEN_LOOK_US: u64 = 100_000;

/// How a disk behaves, for one seed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct DiskProfile {
    /// Real SQLite lies on it, not the model.
    pub sqlite: bool,
    /// The shortest sync.
    pub sync_ms: u64,
    /// Syncs of a million that take a hundred times as long.
    pub slow: u32,
    /// Writes that may wait.
    pub writes_waiting_max: usize,
    /// Pages of SQLite's log that are worth a checkpoint.
    pub log_worth_pages: u64,
}

impl DiskProfile {
    /// The profile of a seed; every tenth seed has real SQLite.
    pub fn new(random: &mut Random, seed: u64, calm: bool) -> Self {
        Self {
            sqlite: seed.is_multiple_of(10),
            sync_ms: random.between(1, 8),
            slow: if !calm && random.chance(300_000) { random.below(20_000) as u32 } else { 0 },
            writes_waiting_max: if random.chance(100_000) { 4 } else { 16_384 },
            log_worth_pages: random.between(20, 2_000),
        }
    }
}

#[allow(clippy::large_enum_variant, reason = "there is one of it in a world")]
enum Medium {
    Model(Arc<ModelDisk>),
    Sqlite { disk: SimulatedDisk, stepper: Option<Stepper>, sync_begun: bool },
}

/// The disk and its store.
pub struct Disk {
    fate: Arc<Fate>,
    medium: Mutex<Medium>,
}

/// What a sync comes to.
enum Sync {
    Done { after_ms: u64 },
    Error { after_ms: u64 },
    Full,
}

struct Fate {
    executor: Arc<Executor>,
    profile: DiskProfile,
    slow_until_us: AtomicU64,
    slow_ms: AtomicU64,
    full_until_us: AtomicU64,
    fails_next: AtomicBool,
    faults: Mutex<Faults>,
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Fate {
    fn count(&self, kind: Kind, times: u64) {
        lock(&self.faults).add(kind, times);
    }

    fn chance(&self, per_million: u32) -> bool {
        self.executor.random(|random| random.chance(per_million))
    }

    fn sync(&self) -> Sync {
        let now_us = self.executor.now_us();
        let mut after_ms = self.profile.sync_ms;
        if now_us < self.slow_until_us.load(Ordering::Relaxed) {
            after_ms = self.slow_ms.load(Ordering::Relaxed);
            self.count(Kind::SlowSync, 1);
        } else if self.chance(self.profile.slow) {
            after_ms *= 100;
            self.count(Kind::SlowSync, 1);
        }
        if self.fails_next.swap(false, Ordering::Relaxed) {
            self.count(Kind::SyncError, 1);
            return Sync::Error { after_ms };
        }
        if now_us < self.full_until_us.load(Ordering::Relaxed) {
            self.count(Kind::DiskFull, 1);
            return Sync::Full;
        }
        Sync::Done { after_ms }
    }
}

impl DiskFate for Fate {
    fn next_sync(&self) -> model_store::SyncFate {
        match self.sync() {
            Sync::Done { after_ms } => model_store::SyncFate::Done { after_ms },
            Sync::Error { after_ms } => model_store::SyncFate::Unknown { after_ms, kept: self.chance(500_000) },
            Sync::Full => model_store::SyncFate::Full,
        }
    }
}

impl Disk {
    /// An empty disk.
    pub fn new(profile: DiskProfile, executor: Arc<Executor>) -> Self {
        let medium = if profile.sqlite {
            let disk = SimulatedDisk::new().expect("this machine lends a temporary folder");
            Medium::Sqlite { disk, stepper: None, sync_begun: false }
        } else {
            Medium::Model(Arc::default())
        };
        let fate = Fate {
            executor,
            profile,
            slow_until_us: AtomicU64::new(0),
            slow_ms: AtomicU64::new(0),
            full_until_us: AtomicU64::new(0),
            fails_next: AtomicBool::new(false),
            faults: Mutex::default(),
        };
        Self { fate: Arc::new(fate), medium: Mutex::new(medium) }
    }

    /// Opens the store for one process.
    pub fn open(
        &self,
        fatal: Arc<dyn Fn(&str) + Send + std::marker::Sync>,
        listener: Arc<dyn Listener>,
        environment: Arc<dyn Environment>,
    ) -> Arc<dyn Store> {
        let DiskProfile { writes_waiting_max, log_worth_pages, .. } = self.fate.profile;
        match &mut *lock(&self.medium) {
            Medium::Model(disk) => {
                let options = ModelOptions { writes_waiting_max, ..ModelOptions::default() };
                ModelStore::open(disk.clone(), self.fate.clone(), fatal, options, listener, environment)
            }
            Medium::Sqlite { disk, stepper, sync_begun } => {
                let options = SqliteOptions {
                    writes_waiting_max,
                    disk_reserve_bytes: 0,
                    log_worth_pages,
                    log_hold_pages: 4 * log_worth_pages,
                    fatal,
                    vfs: Some(sqlite_disk::VFS),
                    ..SqliteOptions::default()
                };
                // The store does that first, by itself: SQLite's file system, where this disk listens, does not hear it.
                let log = disk.folder().join("hongyan.db-wal");
                disk.written_over(&log).expect("the temporary folder can be read");
                // A store that does not open after a crash is a failure like any other: it is caught as a panic.
                let (store, steps) = SqliteStore::open_stepped(disk.folder(), options, listener)
                    .expect("the store opens after every crash");
                (*stepper, *sync_begun) = (Some(steps), false);
                store
            }
        }
    }

    /// Lets SQLite read what waits, and begin to write; true if somebody was answered.
    pub fn step(&self) -> bool {
        let Medium::Sqlite { disk, stepper: Some(stepper), sync_begun } = &mut *lock(&self.medium) else {
            return false;
        };
        if stepper.writes_waiting() > 0 && !*sync_begun {
            *sync_begun = true;
            let after_ms = match self.fate.sync() {
                Sync::Done { after_ms } => after_ms,
                Sync::Error { after_ms } => {
                    let unsynced = if self.fate.chance(500_000) { Unsynced::Reached } else { Unsynced::Forgotten };
                    disk.next_sync(sqlite_disk::SyncFate::Fails(unsynced));
                    after_ms
                }
                Sync::Full => 1,
            };
            let at_us = self.fate.executor.now_us() + after_ms * 1000;
            self.fate.executor.schedule(at_us, Happening::Synced);
        }
        let mut read = false;
        while stepper.read() {
            read = true;
        }
        read
    }

    /// A sync that was begun is done: SQLite commits, and answers.
    pub fn synced(&self) {
        if self.fate.executor.is_frozen() {
            let at_us = self.fate.executor.now_us() + FROZEN_LOOK_US;
            return self.fate.executor.schedule(at_us, Happening::Synced);
        }
        let Medium::Sqlite { disk, stepper: Some(stepper), sync_begun } = &mut *lock(&self.medium) else { return };
        *sync_begun = false;
        disk.full(self.fate.executor.now_us() < self.fate.full_until_us.load(Ordering::Relaxed));
        stepper.write();
        stepper.checkpoint();
    }

    /// The process is dead; with a power cut, what was not synced may be lost. Nothing that is answered here is heard.
    pub fn crash(&self, power_cut: bool) {
        let choose = |bound: u64| self.fate.executor.random(|random| random.below(bound));
        match &mut *lock(&self.medium) {
            Medium::Model(disk) => {
                // What a process has written survives its death; what was not synced may survive the machine's.
                let kept = !power_cut || self.fate.chance(500_000);
                if !kept {
                    self.fate.count(Kind::LostWrite, 1);
                }
                disk.crash(kept);
            }
            Medium::Sqlite { disk, stepper, sync_begun } => {
                let before = disk.counts();
                if power_cut {
                    disk.die_after(choose(CHANGES_OF_A_COMMIT));
                    if let Some(stepper) = stepper {
                        stepper.write();
                        stepper.checkpoint();
                    }
                } else {
                    disk.kill();
                }
                (*stepper, *sync_begun) = (None, false);
                if power_cut {
                    disk.power_cut(&mut { choose }).expect("the temporary folder can be written");
                }
                let after = disk.counts();
                self.fate.count(Kind::LostWrite, after.lost + after.torn - before.lost - before.torn);
            }
        }
    }

    /// Syncs take so long until then.
    pub fn slow(&self, until_us: u64, sync_ms: u64) {
        self.fate.slow_ms.store(sync_ms, Ordering::Relaxed);
        self.fate.slow_until_us.store(until_us, Ordering::Relaxed);
    }

    /// No space until then.
    pub fn fill(&self, until_us: u64) {
        self.fate.full_until_us.store(until_us, Ordering::Relaxed);
    }

    /// The next sync fails.
    pub fn fail_next(&self) {
        self.fate.fails_next.store(true, Ordering::Relaxed);
    }

    /// Well from now on.
    pub fn heal(&self) {
        self.slow(0, 0);
        self.fill(0);
        self.fate.fails_next.store(false, Ordering::Relaxed);
    }

    /// What has gone wrong so far.
    pub fn faults(&self) -> Faults {
        lock(&self.fate.faults).clone()
    }
}
