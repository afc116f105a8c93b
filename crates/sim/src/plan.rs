//! What will happen in a world: everything that a seed decides before it begins. A plan can be made shorter and run
//! again; that is how a failure is shrunk.

use crate::disk::DiskProfile;
use crate::network::Weather;
use crate::random::Random;

/// The stream of a seed that plans.
const PLAN_STREAM: u64 = 1;
/// The stream that decides about full queues of reads; one of its own, or seeds that are recorded would mean other worlds.
const READ_QUEUE_STREAM: u64 = 5;
/// Bytes of a body beyond its id.
const BODY_BYTES_MAX: u64 = 300;
/// A segment that is lost six times in a row arrives so late: each time it waits twice as long.
const LATE_MS: u64 = 15_000;
/// Names of injection points, each alive in about half of the worlds.
pub const INJECTIONS: &[&str] = &[
    "short read",
    "short write",
    "early timer",
    "mailbox full",
    "announcements full",
    "write queue full",
    "slow read",
];
/// One more, alive in about every eighth world.
pub const READ_QUEUE_FULL: &str = "read queue full";

/// Who takes part.
#[derive(Clone, Debug, Default)]
pub struct Cast {
    /// Names of apps.
    pub apps: Vec<String>,
    /// All users, of all apps.
    pub users: Vec<Person>,
    /// All devices, of all users.
    pub devices: Vec<Install>,
}

/// A user.
#[derive(Clone, Debug)]
pub struct Person {
    /// Name of the app.
    pub app: String,
    /// Unique in the app only.
    pub name: String,
    /// The first user of the app, in the list of all.
    pub first_of_app: u32,
}

/// A device.
#[derive(Clone, Debug)]
pub struct Install {
    /// In the list of all users.
    pub user: u32,
    /// 0 = mobile, 1 = pc, 2 = pad.
    pub term: u8,
    /// When it is switched on; `None` = by a [`What::LogIn`].
    pub starts_us: Option<u64>,
    /// Entries per page.
    pub sync_entries: u32,
    /// Sends in flight.
    pub send_window: usize,
    /// Its process may die.
    pub crashes: bool,
}

/// Limits of the server.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Of a slow reader.
    pub outgoing_bytes_max: usize,
    /// Per connection.
    pub frames_per_second: u32,
    /// Of caches.
    pub cached_entries_max: usize,
}

/// A step.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Step {
    /// When.
    pub at_us: u64,
    /// What.
    pub what: What,
}

/// The things that are planned. `salt` chooses among what there is at that moment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[allow(missing_docs, reason = "the fields are what they say: which device, how many, how long")]
pub enum What {
    /// Writes messages to somebody.
    Send {
        device: usize,
        salt: u64,
        count: u32,
        bytes: u32,
    },
    /// Reads a conversation up to what is shown.
    Read {
        device: usize,
        salt: u64,
    },
    /// Edits or recalls an own message.
    Alter {
        device: usize,
        salt: u64,
        recall: bool,
    },
    /// Reacts to a message.
    React {
        device: usize,
        salt: u64,
    },
    /// Hides messages.
    Delete {
        device: usize,
        salt: u64,
    },
    /// Blocks or unblocks somebody.
    Block {
        device: usize,
        salt: u64,
        blocked: bool,
    },
    /// Reads a page of history.
    History {
        device: usize,
        salt: u64,
    },
    /// Types.
    Typing {
        device: usize,
        salt: u64,
    },
    /// Another network: dials at once.
    NetworkChanged {
        device: usize,
    },
    /// Ends its session.
    LogOut {
        device: usize,
    },
    /// Logs in, whatever it was told before.
    LogIn {
        device: usize,
    },
    /// Its process dies after so many more outputs, and comes back, perhaps as another version.
    CrashDevice {
        device: usize,
        after: u32,
        down_ms: u32,
        upgrade: bool,
    },
    Partition {
        device: usize,
        for_ms: u32,
    },
    HalfOpen {
        device: usize,
    },
    Reset {
        device: usize,
    },
    /// Does not read for a while.
    SlowReader {
        device: usize,
        for_ms: u32,
    },
    Kill {
        down_ms: u32,
    },
    PowerCut {
        down_ms: u32,
    },
    Freeze {
        for_ms: u32,
    },
    /// Drains and starts with other limits.
    Upgrade {
        down_ms: u32,
        limits: Limits,
    },
    ClockJump {
        by_ms: i64,
    },
    SlowDisk {
        for_ms: u32,
        sync_ms: u32,
    },
    FullDisk {
        for_ms: u32,
    },
    SyncError,
    Revoke {
        user: u32,
    },
}

impl What {
    /// Whether it is a fault and not a wish of somebody.
    pub fn is_fault(&self) -> bool {
        use What::{Alter, Block, Delete, History, LogIn, LogOut, NetworkChanged, React, Read, Revoke, Send, Typing};
        !matches!(
            self,
            Send { .. }
                | Read { .. }
                | Alter { .. }
                | React { .. }
                | Delete { .. }
                | Block { .. }
                | History { .. }
                | Typing { .. }
                | NetworkChanged { .. }
                | LogOut { .. }
                | LogIn { .. }
                | Revoke { .. }
        )
    }
}

/// Everything about a world that is known before it begins.
#[derive(Clone, Debug)]
pub struct Plan {
    /// Where it comes from.
    pub seed: u64,
    /// Who.
    pub cast: Cast,
    /// The network.
    pub weather: Weather,
    /// The disk.
    pub disk: DiskProfile,
    /// The server.
    pub limits: Limits,
    /// Points where faults are injected into the code, and how often of a million passes.
    pub injections: Vec<(&'static str, u32)>,
    /// By time.
    pub steps: Vec<Step>,
    /// The end of the first phase.
    pub heals_us: u64,
}

impl Plan {
    /// The plan of a seed.
    pub fn new(seed: u64) -> Self {
        let mut random = Random::new(seed, PLAN_STREAM);
        let cast = cast(&mut random);
        let messages = random.between(200, 1_300);
        let heals_us = messages * random.between(25_000, 150_000);
        // A world without any faults now and then: what must hold under faults must hold without.
        let calm = random.chance(50_000);
        let weather = if calm { fair(&mut random) } else { weather(&mut random) };
        let disk = DiskProfile::new(&mut random, seed, calm);
        let limits = limits(&mut random);
        let injections = if calm { Vec::new() } else { injections(&mut random, seed) };
        let mut steps = wishes(&mut random, &cast, messages, heals_us);
        if !calm {
            steps.extend(faults(&mut random, &cast, heals_us));
        }
        steps.sort_by_key(|step| step.at_us);
        Self { seed, cast, weather, disk, limits, injections, steps, heals_us }
    }

    /// How late something may arrive that was sent in time: as long as lines stand still and readers sleep.
    pub fn late_ms(&self) -> u64 {
        let stands_still = |step: &Step| match step.what {
            What::Partition { for_ms, .. } | What::SlowReader { for_ms, .. } => for_ms.into(),
            _ => 0,
        };
        LATE_MS + self.steps.iter().map(stands_still).sum::<u64>()
    }
}

fn cast(random: &mut Random) -> Cast {
    let mut cast = Cast::default();
    let apps = if random.chance(400_000) { 2 } else { 1 };
    for app in 0..apps {
        let app = format!("app{app}");
        let first_of_app = cast.users.len() as u32;
        // The same names in both apps: nobody may be mistaken for their namesake.
        for number in 0..random.between(2, 6) {
            let user = cast.users.len() as u32;
            cast.users.push(Person { app: app.clone(), name: format!("u{number}"), first_of_app });
            for _ in 0..random.between(1, 3) {
                let starts_us = (!random.chance(100_000)).then(|| random.below(3_000_000));
                cast.devices.push(Install {
                    user,
                    term: random.below(3) as u8,
                    starts_us,
                    sync_entries: random.between(2, 200) as u32,
                    send_window: random.between(1, 64) as usize,
                    crashes: random.chance(600_000),
                });
            }
        }
        cast.apps.push(app);
    }
    cast
}

fn fair(random: &mut Random) -> Weather {
    Weather { latency_us: random.between(200, 50_000), jitter_us: random.below(5_000), ..Weather::default() }
}

/// Each kind of bad weather in some worlds only: what never happens alone hides what it covers.
fn weather(random: &mut Random) -> Weather {
    let mut some = |likely: u32, max: u64| if random.chance(likely) { random.below(max) as u32 } else { 0 };
    let (loss, reorder, split) = (some(800_000, 200_000), some(800_000, 200_000), some(500_000, 300_000));
    let (tamper, reset) = (some(300_000, 2_000), some(300_000, 2_000));
    Weather { loss, reorder, split, tamper, reset, ..fair(random) }
}

fn limits(random: &mut Random) -> Limits {
    let small = random.chance(300_000);
    Limits {
        outgoing_bytes_max: if small { random.between(2_000, 20_000) as usize } else { 256 * 1024 },
        frames_per_second: random.between(20, 200) as u32,
        cached_entries_max: if random.chance(200_000) { 2 } else { 65_536 },
    }
}

fn injections(random: &mut Random, seed: u64) -> Vec<(&'static str, u32)> {
    let alive = INJECTIONS.iter().filter(|_| random.chance(500_000)).copied().collect::<Vec<_>>();
    let rate = |name: &str, random: &mut Random| match name {
        "short read" | "short write" => random.between(10_000, 500_000) as u32,
        _ => random.between(1_000, 50_000) as u32,
    };
    let mut injections: Vec<_> = alive.into_iter().map(|name| (name, rate(name, random))).collect();
    let mut own = Random::new(seed, READ_QUEUE_STREAM);
    if own.chance(125_000) {
        injections.push((READ_QUEUE_FULL, rate(READ_QUEUE_FULL, &mut own)));
    }
    injections
}

fn wishes(random: &mut Random, cast: &Cast, messages: u64, heals_us: u64) -> Vec<Step> {
    let mut steps = Vec::new();
    let mut left = messages;
    // Some people say more than others.
    let talkative = random.index(cast.devices.len());
    while left > 0 {
        let at_us = random.below(heals_us);
        let device = if random.chance(200_000) { talkative } else { random.index(cast.devices.len()) };
        let salt = random.next();
        let what = match random.below(1000) {
            0..700 => {
                let burst = random.chance(30_000);
                let count = left.min(if burst { random.between(5, 60) } else { 1 });
                left -= count;
                let bytes = if random.chance(3_000) { 15_000 } else { random.below(BODY_BYTES_MAX) } as u32;
                What::Send { device, salt, count: count as u32, bytes }
            }
            700..800 => What::Read { device, salt },
            800..840 => What::Alter { device, salt, recall: random.chance(500_000) },
            840..870 => What::React { device, salt },
            870..880 => What::Delete { device, salt },
            880..890 => What::Block { device, salt, blocked: random.chance(600_000) },
            890..910 => What::History { device, salt },
            910..930 => What::Typing { device, salt },
            930..950 => What::NetworkChanged { device },
            950..955 => What::LogOut { device },
            955..985 => What::LogIn { device },
            985..988 => What::Revoke { user: random.index(cast.users.len()) as u32 },
            _ => What::Read { device, salt },
        };
        steps.push(Step { at_us, what });
    }
    steps
}

fn faults(random: &mut Random, cast: &Cast, heals_us: u64) -> Vec<Step> {
    let mut steps = Vec::new();
    let devices = cast.devices.len() as u64;
    let mut add = |random: &mut Random, likely: u32, most: u64, make: &dyn Fn(&mut Random) -> What| {
        if random.chance(likely) {
            for _ in 0..random.between(1, most) {
                let at_us = random.below(heals_us);
                let what = make(random);
                steps.push(Step { at_us, what });
            }
        }
    };
    let device = |random: &mut Random| random.below(devices) as usize;
    let down = |random: &mut Random| random.between(50, 8_000) as u32;
    add(random, 500_000, 5, &|random| What::Kill { down_ms: down(random) });
    add(random, 400_000, 3, &|random| What::PowerCut { down_ms: down(random) });
    add(random, 300_000, 3, &|random| What::Freeze { for_ms: random.between(200, 40_000) as u32 });
    add(random, 200_000, 2, &|random| What::Upgrade { down_ms: down(random), limits: limits(random) });
    add(random, 300_000, 3, &|random| {
        let by_ms = random.between(1_000, 3_600_000) as i64;
        What::ClockJump { by_ms: if random.chance(500_000) { by_ms } else { -by_ms } }
    });
    add(random, 300_000, 3, &|random| {
        let (for_ms, sync_ms) = (random.between(500, 20_000) as u32, random.between(50, 2_000) as u32);
        What::SlowDisk { for_ms, sync_ms }
    });
    add(random, 200_000, 2, &|random| What::FullDisk { for_ms: random.between(200, 10_000) as u32 });
    add(random, 300_000, 3, &|_| What::SyncError);
    add(random, 600_000, 12, &|random| What::CrashDevice {
        device: device(random),
        after: random.below(30) as u32,
        down_ms: down(random),
        upgrade: random.chance(300_000),
    });
    add(random, 400_000, 8, &|random| What::Partition {
        device: device(random),
        for_ms: random.between(100, 60_000) as u32,
    });
    add(random, 400_000, 6, &|random| What::HalfOpen { device: device(random) });
    add(random, 500_000, 20, &|random| What::Reset { device: device(random) });
    add(random, 400_000, 5, &|random| What::SlowReader {
        device: device(random),
        for_ms: random.between(500, 40_000) as u32,
    });
    steps
}
