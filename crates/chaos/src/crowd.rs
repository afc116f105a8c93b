//! All clients of a run, in threads of their own, and what a conductor may ask of them together.

use std::net::{Ipv4Addr, SocketAddr};
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use hongyan_checker::User;
use hongyan_client::{ServerAddress, proto};
use tokio::runtime::Runtime;
use tokio::sync::{mpsc, oneshot};
use tokio::task::JoinHandle;

use crate::device::{CrashPoint, Install, Plan};
use crate::driver::{Driver, Order, Route, Shared, Status};
use crate::journal::Journal;
use crate::random::Random;

/// Threads for all clients.
const THREADS: usize = 2;
/// A dead client is back after at most so long.
const DEAD_MS_MAX: u64 = 300;
/// What a slow reader's kernel may hold for it.
const SLOW_READER_BYTES: u32 = 4096;

/// How many of what.
#[derive(Clone, Copy, Debug)]
pub struct Size {
    /// People.
    pub users: usize,
    /// So many of them have a second device.
    pub second_devices: usize,
    /// So many devices keep what they know in a file, and can crash.
    pub stores: usize,
}

/// What a crowd is made from.
pub struct Origin<'a> {
    /// The server's key and app.
    pub address: &'a ServerAddress,
    /// Where it listens.
    pub server: SocketAddr,
    /// A token for each user that is asked for.
    pub token: &'a dyn Fn(&str) -> Result<String>,
    /// Clients keep their stores here.
    pub folder: &'a Path,
    /// Opens names of users, so that a later crowd on the same server is another.
    pub prefix: &'a str,
}

/// One device, from outside.
struct Member {
    orders: mpsc::UnboundedSender<Order>,
    status: Arc<Status>,
    keeps: bool,
    task: JoinHandle<Result<()>>,
}

/// All clients of a run.
pub struct Crowd {
    members: Vec<Member>,
    shared: Arc<Shared>,
    random: Random,
    runtime: Runtime,
}

impl Crowd {
    /// Makes the clients and lets them connect.
    pub fn gather(size: Size, origin: &Origin<'_>, journal: &Arc<Journal>, mut random: Random) -> Result<Self> {
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(THREADS)
            .enable_all()
            .build()
            .context("starting the clients' threads")?;
        let started = tokio::time::Instant::now();
        let shared = Arc::new(Shared { started, pause_us: AtomicU64::new(0) });
        let mut crowd = Self { members: Vec::new(), shared, random: random.branch(), runtime };
        for plan in plans(size, origin, journal)? {
            crowd.add(plan, origin, journal, &mut random)?;
        }
        Ok(crowd)
    }

    fn add(&mut self, plan: Plan, origin: &Origin<'_>, journal: &Arc<Journal>, random: &mut Random) -> Result<()> {
        let number = self.members.len();
        let slow = number == 0;
        let route = Route {
            server: origin.server,
            from: origin.server.ip().is_loopback().then(|| Ipv4Addr::new(127, 0, number as u8 + 1, 1)),
            receive_bytes: if slow { SLOW_READER_BYTES } else { 0 },
        };
        let keeps = plan.store.is_some();
        let install = Install::new(plan, journal.clone(), random.branch()).context("opening a client's store")?;
        let (orders, received) = mpsc::unbounded_channel();
        let status = Arc::new(Status::default());
        let driver = Driver::new(install, received, self.shared.clone(), status.clone(), route, random.branch());
        let task = self.runtime.spawn(driver.run());
        self.members.push(Member { orders, status, keeps, task });
        Ok(())
    }

    /// How many devices there are.
    pub fn devices(&self) -> usize {
        self.members.len()
    }

    /// From now on so many things are done per second, by all together.
    pub fn set_pace(&self, acts_per_second: u64) {
        let pause_us = (self.members.len() as u64 * 1_000_000).checked_div(acts_per_second).unwrap_or(0);
        self.shared.pause_us.store(pause_us, Ordering::Relaxed);
    }

    fn order(&self, order: impl Fn() -> Order) {
        for member in &self.members {
            // Whose task has ended is told by `check`.
            let _ = member.orders.send(order());
        }
    }

    /// The rig knows that the server is back; nobody waits for the end of a back-off.
    pub fn dial_now(&self) {
        self.order(|| Order::NetworkChanged);
    }

    /// Tries again what was given up.
    pub fn try_failed_again(&self) {
        self.order(|| Order::TryFailedAgain);
    }

    /// Kills a client that has a store, at a random place; it comes back by itself.
    pub fn crash_somebody(&mut self) {
        let keepers: Vec<_> = self.members.iter().filter(|member| member.keeps).collect();
        if keepers.is_empty() {
            return;
        }
        let points = [CrashPoint::BeforeKeeping, CrashPoint::BeforeSending, CrashPoint::AfterSending];
        let point = *self.random.pick(&points);
        let length = Duration::from_millis(self.random.between(1, DEAD_MS_MAX));
        let member = self.random.pick(&keepers);
        let _ = member.orders.send(Order::Crash(point, length));
    }

    /// Closes the socket of a client.
    pub fn cut_somebody(&mut self) {
        let member = self.random.pick(&self.members);
        let _ = member.orders.send(Order::Cut);
    }

    /// Whether somebody can read what was said.
    pub fn can_read_history(&self) -> Result<bool> {
        let (done, answer) = oneshot::channel();
        let _ = self.members[0].orders.send(Order::ReadHistory(done));
        answer.blocking_recv().context("a client has ended")
    }

    /// The first device stops taking what the server sends it, or goes on. Its kernel holds little for it.
    pub fn slow_reader(&self, reads: bool) {
        let _ = self.members[0].orders.send(Order::Read(reads));
    }

    /// Everybody writes so many messages at once to their first friend.
    pub fn flood(&self, messages: usize, length: usize) {
        self.order(|| Order::Flood(messages, length));
    }

    /// Everybody has a session.
    pub fn all_live(&self) -> bool {
        self.live() == self.members.len()
    }

    /// How many have a session.
    pub fn live(&self) -> usize {
        self.members.iter().filter(|member| member.status.live.load(Ordering::Relaxed)).count()
    }

    /// Messages that the server has not confirmed.
    pub fn unsent(&self) -> usize {
        self.members.iter().map(|member| member.status.unsent.load(Ordering::Relaxed)).sum()
    }

    /// Crashes of clients so far.
    pub fn crashes(&self) -> u64 {
        self.members.iter().map(|member| member.status.crashes.load(Ordering::Relaxed)).sum()
    }

    /// Fails if a client has come to an end that nothing should bring.
    pub fn check(&mut self) -> Result<()> {
        for (number, member) in self.members.iter_mut().enumerate() {
            ensure!(!member.status.stopped.load(Ordering::Relaxed), "client {number} has stopped, see the history");
            if member.task.is_finished() {
                let ended = self.runtime.block_on(&mut member.task);
                ended.context("a client panicked")?.with_context(|| format!("client {number} has ended"))?;
            }
        }
        Ok(())
    }

    /// Everybody writes down what their conversation list shows.
    pub fn describe(&self) -> Result<()> {
        for member in &self.members {
            let (done, answer) = oneshot::channel();
            let _ = member.orders.send(Order::Describe(done));
            answer.blocking_recv().context("a client has ended")?;
        }
        Ok(())
    }
}

/// Who has which devices, and who talks with whom: everybody with the three that follow, in a ring.
fn plans(size: Size, origin: &Origin<'_>, journal: &Journal) -> Result<Vec<Plan>> {
    let names: Vec<String> = (0..size.users).map(|number| format!("{}user{number}", origin.prefix)).collect();
    let users: Vec<User> = names.iter().map(|name| journal.introduce_user(&origin.address.app, name)).collect();
    let names = Arc::new(names);
    let mut plans = Vec::new();
    for (number, user) in users.iter().enumerate() {
        let friend = |step: usize| users[(number + step) % users.len()];
        let friends: Vec<User> = (1..users.len().min(4)).map(friend).collect();
        let token = (origin.token)(&names[number])?;
        let terms: &[_] = if number < size.second_devices {
            &[(proto::Term::Pc, "desk"), (proto::Term::Mobile, "phone")]
        } else {
            &[(proto::Term::Pc, "desk")]
        };
        for (term, kind) in terms {
            let name = format!("{}/{kind}", names[number]);
            let store = (plans.len() < size.stores).then(|| origin.folder.join(format!("{}-{kind}.db", names[number])));
            plans.push(Plan {
                device: journal.introduce_device(*user, &name),
                address: origin.address.clone(),
                token: token.clone(),
                term: *term,
                store,
                friends: friends.clone(),
                names: names.clone(),
            });
        }
    }
    Ok(plans)
}
