//! Many connections in one thread: sockets, readiness, and one shared buffer for each direction. What is said over them
//! is up to the machines ([`crate::puppet`], or real client cores); nothing is allocated per message here.

use std::io::{self, ErrorKind, Read, Write};
use std::net::{Ipv4Addr, SocketAddr};
use std::os::fd::{AsRawFd, OwnedFd};
use std::time::Duration;

use anyhow::{Context, Result};
use hongyan_wire::Millis;
use mio::net::TcpStream;
use mio::unix::SourceFd;
use mio::{Events, Interest, Poll, Token};
use rustix::time::{Itimerspec, TimerfdClockId, TimerfdFlags, TimerfdTimerFlags, Timespec};
use socket2::{Domain, Protocol, Socket, Type};

use crate::clock::Clock;
use crate::coat::{By, Coat};

/// One read; larger bursts take several.
const INPUT_BYTES: usize = 64 * 1024;
const EVENTS_MAX: usize = 1024;
/// Source addresses 127.0.N.1: each has its own ports, and is another network for the server's limits.
const SOURCE_NETWORKS: usize = 32;
const TICKER: Token = Token(usize::MAX);

/// One client without its socket. What it wants to write, it appends to `out`.
pub trait Machine {
    /// The socket stands.
    fn connected(&mut self, now: Millis, out: &mut Vec<u8>);
    /// Bytes from the socket.
    fn received(&mut self, now: Millis, bytes: &[u8], out: &mut Vec<u8>);
    /// The socket is gone, or could not be made.
    fn disconnected(&mut self, now: Millis);
    /// The machine has given the connection up.
    fn wants_hang_up(&mut self) -> bool;
}

/// How one client comes in, and where.
#[derive(Clone, Copy, Debug)]
pub struct Way {
    /// How.
    pub by: By,
    /// Where.
    pub server: SocketAddr,
}

struct Slot<M> {
    machine: M,
    way: Way,
    coat: Coat,
    stream: Option<TcpStream>,
    connecting: bool,
    /// What the socket did not take.
    unsent: Vec<u8>,
    /// TCP payload in both directions.
    bytes: u64,
}

/// All connections of a run.
pub struct Swarm<M> {
    poll: Poll,
    events: Events,
    ready: Vec<(usize, bool)>,
    slots: Vec<Slot<M>>,
    input: Box<[u8]>,
    out: Vec<u8>,
    /// `out` in its coat.
    coated: Vec<u8>,
    clock: Clock,
    ticker: Option<OwnedFd>,
}

impl<M: Machine> Swarm<M> {
    /// No connection yet.
    pub fn new(clock: Clock) -> Result<Self> {
        Ok(Self {
            poll: Poll::new()?,
            events: Events::with_capacity(EVENTS_MAX),
            ready: Vec::new(),
            slots: Vec::new(),
            input: vec![0; INPUT_BYTES].into_boxed_slice(),
            out: Vec::new(),
            coated: Vec::new(),
            clock,
            ticker: None,
        })
    }

    /// Adds a machine; its index is the number of machines before it.
    pub fn add(&mut self, machine: M, way: Way) -> usize {
        let coat = Coat::new(way.by);
        self.slots.push(Slot { machine, way, coat, stream: None, connecting: false, unsent: Vec::new(), bytes: 0 });
        self.slots.len() - 1
    }

    /// How many machines there are.
    pub fn len(&self) -> usize {
        self.slots.len()
    }

    /// The clock of the run.
    pub fn clock(&self) -> Clock {
        self.clock
    }

    /// One machine.
    pub fn machine(&self, index: usize) -> &M {
        &self.slots[index].machine
    }

    /// One machine; what it wants to write needs [`Swarm::with`].
    pub fn machine_mut(&mut self, index: usize) -> &mut M {
        &mut self.slots[index].machine
    }

    /// TCP payload of a slot's connections so far, both directions, in bytes.
    pub fn bytes(&self, index: usize) -> u64 {
        self.slots[index].bytes
    }

    /// Begins to connect; an earlier connection is closed. A server that is not there is the machine's concern.
    pub fn dial(&mut self, index: usize) -> Result<()> {
        self.hang_up(index);
        let socket = match self.socket(index) {
            Err(error) if error.kind() == ErrorKind::ConnectionRefused => {
                self.slots[index].machine.disconnected(self.clock.millis());
                return Ok(());
            }
            socket => socket.context("making a socket")?,
        };
        let mut stream = TcpStream::from_std(socket.into());
        let interest = Interest::READABLE | Interest::WRITABLE;
        self.poll.registry().register(&mut stream, Token(index), interest)?;
        let slot = &mut self.slots[index];
        slot.stream = Some(stream);
        slot.connecting = true;
        slot.unsent = Vec::new();
        slot.coat = Coat::new(slot.way.by);
        Ok(())
    }

    fn socket(&self, index: usize) -> io::Result<Socket> {
        let server = self.slots[index].way.server;
        let socket = Socket::new(Domain::for_address(server), Type::STREAM, Some(Protocol::TCP))?;
        socket.set_nonblocking(true)?;
        socket.set_tcp_nodelay(true)?;
        if server.is_ipv4() && server.ip().is_loopback() {
            let source = Ipv4Addr::new(127, 0, (index % SOURCE_NETWORKS) as u8, 1);
            socket.bind(&SocketAddr::from((source, 0)).into())?;
        }
        match socket.connect(&server.into()) {
            Err(error) if error.raw_os_error() != Some(rustix::io::Errno::INPROGRESS.raw_os_error()) => Err(error),
            _ => Ok(socket),
        }
    }

    /// Closes the socket without a word to the machine.
    pub fn hang_up(&mut self, index: usize) {
        let slot = &mut self.slots[index];
        slot.stream = None;
        slot.unsent = Vec::new();
    }

    /// Cuts the link under the machine, as a lost network would.
    pub fn cut(&mut self, index: usize) {
        self.hang_up(index);
        let now = self.clock.millis();
        self.slots[index].machine.disconnected(now);
    }

    /// Lets a machine act, and sends what it wrote.
    pub fn with<R>(&mut self, index: usize, act: impl FnOnce(&mut M, Millis, &mut Vec<u8>) -> R) -> R {
        self.out.clear();
        self.coated.clear();
        let result = act(&mut self.slots[index].machine, self.clock.millis(), &mut self.out);
        self.flush(index);
        result
    }

    /// It is time for another poll of this client.
    pub fn beat(&mut self, index: usize) {
        self.coated.clear();
        self.slots[index].coat.beat(&mut self.coated);
        let (slot, coated) = (&mut self.slots[index], &self.coated);
        if !slot.write(coated) {
            self.cut(index);
        }
    }

    /// HTTP requests of this client so far.
    pub fn requests(&self, index: usize) -> u64 {
        self.slots[index].coat.requests()
    }

    /// Wakes [`Swarm::turn`] at this period: timeouts of epoll are too coarse for an even load.
    pub fn set_ticker(&mut self, period: Duration) -> Result<()> {
        let timer = rustix::time::timerfd_create(TimerfdClockId::Monotonic, TimerfdFlags::NONBLOCK)?;
        let span = Timespec { tv_sec: period.as_secs() as i64, tv_nsec: i64::from(period.subsec_nanos()) };
        let every = Itimerspec { it_interval: span, it_value: span };
        rustix::time::timerfd_settime(&timer, TimerfdTimerFlags::empty(), &every)?;
        self.poll.registry().register(&mut SourceFd(&timer.as_raw_fd()), TICKER, Interest::READABLE)?;
        self.ticker = Some(timer);
        Ok(())
    }

    /// Waits for something to happen, at most `timeout`; `each` is called for every machine that something happened to.
    pub fn turn(&mut self, timeout: Duration, mut each: impl FnMut(usize, &mut M, Millis, &mut Vec<u8>)) -> Result<()> {
        match self.poll.poll(&mut self.events, Some(timeout)) {
            Err(error) if error.kind() != ErrorKind::Interrupted => return Err(error).context("waiting for sockets"),
            _ => {}
        }
        let mut ready = std::mem::take(&mut self.ready);
        ready.clear();
        for event in &self.events {
            if event.token() == TICKER {
                self.reset_ticker();
            } else {
                ready.push((event.token().0, event.is_read_closed() || event.is_error()));
            }
        }
        for &(index, closing) in &ready {
            self.happened(index, closing, &mut each);
        }
        self.ready = ready;
        Ok(())
    }

    fn reset_ticker(&self) {
        if let Some(timer) = &self.ticker {
            // An expiry that is already read is no harm: the schedule decides what is due.
            let _ = rustix::io::read(timer, &mut [0_u8; 8]);
        }
    }

    fn happened(&mut self, index: usize, closing: bool, each: &mut impl FnMut(usize, &mut M, Millis, &mut Vec<u8>)) {
        self.out.clear();
        self.coated.clear();
        let now = self.clock.millis();
        let slot = &mut self.slots[index];
        if slot.connecting && slot.stream.as_ref().is_some_and(|stream| stream.peer_addr().is_ok()) {
            slot.connecting = false;
            if slot.coat.connected(&mut self.coated) {
                slot.machine.connected(now, &mut self.out);
            }
        }
        let alive = slot.read(now, closing, &mut self.input, &mut self.out);
        if !alive {
            self.hang_up(index);
            self.slots[index].machine.disconnected(now);
        }
        each(index, &mut self.slots[index].machine, now, &mut self.out);
        self.flush(index);
    }

    /// Sends `self.out`, after what an earlier flush could not send.
    fn flush(&mut self, index: usize) {
        let now = self.clock.millis();
        let slot = &mut self.slots[index];
        let coated = if slot.way.by == By::Tcp {
            &self.out
        } else {
            slot.coat.on(&self.out, &mut self.coated);
            &self.coated
        };
        if !slot.write(coated) {
            self.hang_up(index);
            self.slots[index].machine.disconnected(now);
        } else if slot.machine.wants_hang_up() {
            self.hang_up(index);
        }
    }
}

impl<M: Machine> Slot<M> {
    /// Reads what is there; false if the connection is over.
    fn read(&mut self, now: Millis, closing: bool, input: &mut [u8], out: &mut Vec<u8>) -> bool {
        while let Some(stream) = &mut self.stream {
            match stream.read(input) {
                Ok(0) => return false,
                Ok(length) => {
                    self.bytes += length as u64;
                    if !self.take(now, &input[..length], out) {
                        return false;
                    }
                    // Readiness is told again when more arrives, so a short read needs no second one.
                    if length < input.len() && !closing {
                        return true;
                    }
                }
                Err(error) if matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::NotConnected) => {
                    return !(closing && self.connecting);
                }
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(_) => return false,
            }
        }
        true
    }

    /// Hands on what has arrived; false if it makes no sense.
    fn take(&mut self, now: Millis, bytes: &[u8], out: &mut Vec<u8>) -> bool {
        if matches!(self.coat, Coat::Bare) {
            self.machine.received(now, bytes, out);
            return true;
        }
        let mut plain = Vec::new();
        match self.coat.off(bytes, &mut plain) {
            Ok(true) => self.machine.connected(now, out),
            Ok(false) => {}
            Err(error) => {
                eprintln!("the server's answer is wrong: {error}");
                return false;
            }
        }
        if !plain.is_empty() {
            self.machine.received(now, &plain, out);
        }
        true
    }

    /// Writes as much as the socket takes and keeps the rest; false if the connection is over.
    fn write(&mut self, out: &[u8]) -> bool {
        let Some(stream) = &mut self.stream else { return true };
        if out.is_empty() && self.unsent.is_empty() {
            return true;
        }
        let queued = !self.unsent.is_empty();
        if queued {
            self.unsent.extend_from_slice(out);
        }
        let mut rest: &[u8] = if queued { &self.unsent } else { out };
        let mut alive = true;
        while !rest.is_empty() {
            match stream.write(rest) {
                Ok(length) => {
                    self.bytes += length as u64;
                    rest = &rest[length..];
                }
                Err(error) if error.kind() == ErrorKind::WouldBlock => break,
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(_) => {
                    alive = false;
                    break;
                }
            }
        }
        self.unsent = rest.to_vec();
        alive
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const WAIT_MAX: Duration = Duration::from_secs(10);
    /// More than sockets buffer.
    const BYTES: usize = 8 << 20;

    #[derive(Default)]
    struct Talker {
        received: usize,
        disconnected: u32,
    }

    impl Machine for Talker {
        fn connected(&mut self, _now: Millis, out: &mut Vec<u8>) {
            out.resize(BYTES, 1);
        }

        fn received(&mut self, _now: Millis, bytes: &[u8], _out: &mut Vec<u8>) {
            self.received += bytes.len();
        }

        fn disconnected(&mut self, _now: Millis) {
            self.disconnected += 1;
        }

        fn wants_hang_up(&mut self) -> bool {
            false
        }
    }

    fn listener() -> (Socket, SocketAddr) {
        let listener = Socket::new(Domain::IPV4, Type::STREAM, Some(Protocol::TCP)).unwrap();
        listener.bind(&SocketAddr::from(([127, 0, 0, 1], 0)).into()).unwrap();
        listener.listen(8).unwrap();
        let address = listener.local_addr().unwrap().as_socket().unwrap();
        (listener, address)
    }

    #[test]
    fn what_a_socket_does_not_take_at_once_is_sent_later() {
        let (listener, address) = listener();
        let server = std::thread::spawn(move || {
            let (mut peer, _) = listener.accept().unwrap();
            let mut taken = vec![0; BYTES];
            peer.read_exact(&mut taken).unwrap();
            peer.write_all(&taken).unwrap();
        });
        let mut swarm = Swarm::new(Clock::start()).unwrap();
        let way = Way { by: By::Tcp, server: address };
        let index = swarm.add(Talker::default(), way);
        swarm.dial(index).unwrap();
        while swarm.machine(index).disconnected == 0 {
            swarm.turn(WAIT_MAX, |_, _, _, _| {}).unwrap();
            assert!(swarm.clock().micros() < WAIT_MAX.as_micros() as u64, "stalled");
        }
        server.join().unwrap();
        assert_eq!(swarm.machine(index).received, BYTES);
        assert_eq!(swarm.bytes(index), 2 * BYTES as u64);
    }

    #[test]
    fn a_server_that_is_not_there_is_told_to_the_machine() {
        let (listener, address) = listener();
        drop(listener);
        let mut swarm = Swarm::new(Clock::start()).unwrap();
        let way = Way { by: By::Tcp, server: address };
        let index = swarm.add(Talker::default(), way);
        swarm.dial(index).unwrap();
        while swarm.machine(index).disconnected == 0 {
            swarm.turn(WAIT_MAX, |_, _, _, _| {}).unwrap();
            assert!(swarm.clock().micros() < WAIT_MAX.as_micros() as u64, "stalled");
        }
        assert_eq!((swarm.machine(index).disconnected, swarm.bytes(index)), (1, 0));
    }
}
