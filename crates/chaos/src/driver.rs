//! The task that runs one [`Install`]: its socket, its timers, its user's pace, and the conductor's orders. It decides
//! nothing; unlike the SDK's own shell it lets a rig see and crash the core between any two steps.

use std::future::Future;
use std::io::{self, ErrorKind};
use std::net::{Ipv4Addr, SocketAddr};
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::time::Duration;

use anyhow::{Context, Result};
use hongyan_client::{Link, Millis};
use tokio::net::{TcpSocket, TcpStream};
use tokio::sync::{mpsc, oneshot};
use tokio::time::Instant;

use crate::device::{CrashPoint, Install};
use crate::random::Random;

/// One read; larger bursts take several.
const READ_BYTES: usize = 64 * 1024;
/// With a pace of 0 nobody acts; it is looked at again after so long.
const SILENCE: Duration = Duration::from_millis(20);

/// What a conductor may order.
#[derive(Debug)]
pub enum Order {
    /// The server is back: no more waiting for a back-off.
    NetworkChanged,
    /// Die at this point, and be there again after so long.
    Crash(CrashPoint, Duration),
    /// The socket is gone.
    Cut,
    /// Read a page of the history with the first friend, and answer whether that was possible.
    ReadHistory(oneshot::Sender<bool>),
    /// Take bytes from the socket, or leave them there.
    Read(bool),
    /// Write so many messages of this length to the first friend, at once.
    Flood(usize, usize),
    /// Try again what was given up.
    TryFailedAgain,
    /// Write down what the conversation list shows, then answer.
    Describe(oneshot::Sender<()>),
}

/// What a conductor may know without asking.
#[derive(Debug, Default)]
pub struct Status {
    /// A session is open.
    pub live: AtomicBool,
    /// Nothing will bring the link back.
    pub stopped: AtomicBool,
    /// Messages that the server has not confirmed.
    pub unsent: AtomicUsize,
    /// Sessions that were opened or continued.
    pub entries: AtomicU64,
    /// Crashes so far.
    pub crashes: AtomicU64,
}

/// Where and how a driver dials.
#[derive(Clone, Copy, Debug)]
pub struct Route {
    /// The server.
    pub server: SocketAddr,
    /// The address to dial from. On loopback a client must not dial from the server's own address: while the server is
    /// down, it would sooner or later get the server's port and talk to itself.
    pub from: Option<Ipv4Addr>,
    /// A receive buffer of so many bytes; 0 = as the system likes.
    pub receive_bytes: u32,
}

/// What all drivers of a crowd share.
pub struct Shared {
    /// The time of all cores begins here.
    pub started: Instant,
    /// The mean pause between two acts of one user, in microseconds; 0 = nobody acts.
    pub pause_us: AtomicU64,
}

type Dial = Pin<Box<dyn Future<Output = io::Result<TcpStream>> + Send>>;

/// Runs one install.
pub struct Driver {
    install: Install,
    orders: mpsc::UnboundedReceiver<Order>,
    shared: Arc<Shared>,
    status: Arc<Status>,
    route: Route,
    random: Random,
    dial: Option<Dial>,
    socket: Option<TcpStream>,
    out: Vec<u8>,
    reads: bool,
    acts_at: Instant,
    /// How long the next crash lasts, and until when this one does.
    crash_for: Duration,
    dead_until: Option<Instant>,
}

enum Woken {
    Order(Option<Order>),
    Dialled(io::Result<TcpStream>),
    Readable,
    Writable,
    Timer,
    Act,
    Revive,
}

impl Driver {
    /// A driver whose core is started when it runs.
    pub fn new(
        install: Install,
        orders: mpsc::UnboundedReceiver<Order>,
        shared: Arc<Shared>,
        status: Arc<Status>,
        route: Route,
        random: Random,
    ) -> Self {
        let acts_at = shared.started;
        Self {
            install,
            orders,
            shared,
            status,
            route,
            random,
            dial: None,
            socket: None,
            out: Vec::new(),
            reads: true,
            acts_at,
            crash_for: Duration::ZERO,
            dead_until: None,
        }
    }

    fn now(&self) -> Millis {
        Millis(self.shared.started.elapsed().as_millis() as u64)
    }

    /// Runs until nobody can order any more.
    pub async fn run(mut self) -> Result<()> {
        let now = self.now();
        self.install.core().start(now);
        let mut buffer = vec![0; READ_BYTES];
        loop {
            self.settle().context("a client's store")?;
            match self.wait().await {
                Woken::Order(None) => return Ok(()),
                woken => self.handle(woken, &mut buffer)?,
            }
        }
    }

    fn settle(&mut self) -> Result<()> {
        let wishes = self.install.finish(&mut self.out)?;
        if let Some(point) = wishes.crashed {
            self.crashed(point)?;
        } else {
            if wishes.hang_up {
                self.hang_up();
            }
            if wishes.connect {
                self.dial = Some(Box::pin(dial(self.route)));
            }
        }
        self.tell();
        Ok(())
    }

    fn tell(&self) {
        let core = self.install.look();
        let live = core.link().is_live() && self.dead_until.is_none();
        if live && !self.status.live.swap(true, Ordering::Relaxed) {
            self.status.entries.fetch_add(1, Ordering::Relaxed);
        }
        self.status.live.store(live, Ordering::Relaxed);
        self.status.stopped.store(matches!(core.link(), Link::Stopped(_)), Ordering::Relaxed);
        self.status.unsent.store(core.unsent(), Ordering::Relaxed);
    }

    fn crashed(&mut self, point: CrashPoint) -> Result<()> {
        if point == CrashPoint::AfterSending {
            // What the kernel does not take is lost with the process.
            let _ = self.socket.as_ref().map(|socket| socket.try_write(&self.out));
        }
        self.hang_up();
        self.status.crashes.fetch_add(1, Ordering::Relaxed);
        self.dead_until = Some(Instant::now() + self.crash_for);
        // At once, so that nothing of the dead core is ever asked again; the new one sleeps until it is started.
        self.install.revive().context("reopening a client's store after a crash")
    }

    fn hang_up(&mut self) {
        self.dial = None;
        self.socket = None;
        self.out.clear();
    }

    fn lost(&mut self) {
        self.hang_up();
        let now = self.now();
        self.install.core().disconnected(now);
    }

    async fn wait(&mut self) -> Woken {
        let alive = self.dead_until.is_none();
        let deadline = self.install.look().deadline().filter(|_| alive);
        let deadline = deadline.map(|at| self.shared.started + Duration::from_millis(at.0));
        let dead_until = self.dead_until;
        let (socket, has_output) = (&self.socket, !self.out.is_empty());
        tokio::select! {
            order = self.orders.recv() => Woken::Order(order),
            socket = dialled(&mut self.dial), if self.dial.is_some() => Woken::Dialled(socket),
            () = ready(socket, true), if has_output && socket.is_some() => Woken::Writable,
            () = ready(socket, false), if self.reads && socket.is_some() => Woken::Readable,
            () = until(deadline), if deadline.is_some() => Woken::Timer,
            () = until(dead_until), if dead_until.is_some() => Woken::Revive,
            () = until(Some(self.acts_at)), if alive => Woken::Act,
        }
    }

    fn handle(&mut self, woken: Woken, buffer: &mut [u8]) -> Result<()> {
        let now = self.now();
        match woken {
            Woken::Order(Some(order)) => self.obey(order, now),
            Woken::Order(None) => {}
            Woken::Dialled(Ok(socket)) => {
                self.dial = None;
                self.socket = Some(socket);
                let mut ephemeral = [0; 32];
                getrandom::fill(&mut ephemeral).context("the system gives no randomness")?;
                self.install.core().connected(now, ephemeral);
            }
            Woken::Dialled(Err(_)) => self.lost(),
            Woken::Readable => self.read(now, buffer),
            Woken::Writable => self.write(),
            Woken::Timer => self.install.core().timeout(now),
            Woken::Act => self.act(now),
            Woken::Revive => {
                self.dead_until = None;
                self.install.core().start(now);
            }
        }
        Ok(())
    }

    fn obey(&mut self, order: Order, now: Millis) {
        match order {
            Order::NetworkChanged => self.install.core().network_changed(now),
            Order::Crash(point, length) if self.dead_until.is_none() => {
                self.crash_for = length;
                self.install.crash_at(point);
            }
            Order::Crash(..) => {}
            Order::Cut => self.lost(),
            Order::ReadHistory(done) => self.install.read_history(now, done),
            Order::Read(reads) => self.reads = reads,
            Order::Flood(..) if self.dead_until.is_some() => {}
            Order::Flood(messages, length) => (0..messages).for_each(|_| self.install.write_to_first(now, length)),
            Order::TryFailedAgain => self.install.try_failed_again(now),
            Order::Describe(done) => {
                self.install.describe();
                // Who asked may have gone.
                let _ = done.send(());
            }
        }
    }

    fn act(&mut self, now: Millis) {
        let pause_us = self.shared.pause_us.load(Ordering::Relaxed);
        if pause_us == 0 {
            self.acts_at = Instant::now() + SILENCE;
            return;
        }
        self.install.act(now);
        // Spread evenly around the mean. What was missed while something else took long is not made up for.
        self.acts_at = Instant::now() + Duration::from_micros(self.random.between(0, 2 * pause_us));
    }

    fn read(&mut self, now: Millis, buffer: &mut [u8]) {
        let Some(socket) = &self.socket else { return };
        match socket.try_read(buffer) {
            Ok(0) => self.lost(),
            Ok(length) => self.install.core().received(now, &buffer[..length]),
            Err(error) if error.kind() == ErrorKind::WouldBlock => {}
            Err(_) => self.lost(),
        }
    }

    fn write(&mut self) {
        let Some(socket) = &self.socket else { return };
        match socket.try_write(&self.out) {
            Ok(length) => {
                self.out.drain(..length);
            }
            Err(error) if error.kind() == ErrorKind::WouldBlock => {}
            Err(_) => self.lost(),
        }
    }
}

async fn dial(route: Route) -> io::Result<TcpStream> {
    let socket = TcpSocket::new_v4()?;
    if let Some(from) = route.from {
        socket.bind(SocketAddr::from((from, 0)))?;
    }
    if route.receive_bytes > 0 {
        socket.set_recv_buffer_size(route.receive_bytes)?;
    }
    let stream = socket.connect(route.server).await?;
    stream.set_nodelay(true)?;
    Ok(stream)
}

async fn dialled(dial: &mut Option<Dial>) -> io::Result<TcpStream> {
    match dial {
        Some(dial) => dial.await,
        None => std::future::pending().await,
    }
}

async fn ready(socket: &Option<TcpStream>, to_write: bool) {
    let Some(socket) = socket else { return std::future::pending().await };
    // An error shows at the read or write that follows.
    let _ = if to_write { socket.writable().await } else { socket.readable().await };
}

async fn until(at: Option<Instant>) {
    match at {
        Some(at) => tokio::time::sleep_until(at).await,
        None => std::future::pending().await,
    }
}
