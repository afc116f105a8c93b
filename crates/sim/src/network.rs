//! Lines between devices and the server: what TCP gives, and everything it does on the way. A lost or overtaken segment
//! comes later, with all that follows it; a line may be cut, be reset, stand still, or be dead on one side only; what a
//! middlebox alters arrives altered. Knows nothing of frames.

use std::collections::VecDeque;
use std::io::{self, ErrorKind};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, Waker};

use hongyan_gate::driver::Stream;

use crate::executor::{Executor, Happening};
use crate::faults::{Faults, Kind};
use crate::random::Random;

/// Bytes that one direction holds, in flight and unread: buffers of both kernels.
const WINDOW_BYTES: usize = 64 * 1024;
/// The largest segment.
const SEGMENT_BYTES: usize = 1400;
/// A lost segment comes again after so long, doubled each time.
const RETRANSMIT_US: u64 = 200_000;
/// How long a kernel waits for an acknowledgement before it gives the line up.
pub const USER_TIMEOUT_US: u64 = 30_000_000;

/// How the network behaves, for one seed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Weather {
    /// The shortest time one way.
    pub latency_us: u64,
    /// Up to so much more.
    pub jitter_us: u64,
    /// Segments of a million that are lost.
    pub loss: u32,
    /// Segments of a million that are overtaken by later ones.
    pub reorder: u32,
    /// Segments of a million that are cut into small pieces.
    pub split: u32,
    /// Segments of a million that a middlebox alters, drops, doubles or swaps inside the stream.
    pub tamper: u32,
    /// Segments of a million after which the line is reset.
    pub reset: u32,
}

/// One direction.
#[derive(Default)]
struct Way {
    flying: VecDeque<Vec<u8>>,
    bytes: usize,
    arrived: VecDeque<u8>,
    last_arrival_us: u64,
    /// The writer says no more.
    ended: bool,
    /// The reader knows.
    end_arrived: bool,
    /// The reader gets an error.
    broken: bool,
}

/// One connection.
struct Line {
    device: usize,
    up: Way,
    down: Way,
    /// Nothing moves until then; `u64::MAX` = never again.
    blocked_until_us: u64,
    server_reader: Option<Waker>,
    server_writer: Option<Waker>,
    /// Nobody serves it any more.
    server_gone: bool,
    device_gone: bool,
}

impl Line {
    /// What has still to arrive, and when at the earliest.
    fn under_way(&self, line: usize, now_us: u64) -> Vec<(u64, Happening)> {
        let mut happenings = Vec::new();
        for (way, up) in [(&self.up, true), (&self.down, false)] {
            let at_us = way.last_arrival_us.max(now_us);
            happenings.extend(way.flying.iter().map(|_| (at_us, Happening::Segment { line, up })));
            happenings.extend(way.ended.then_some((at_us, Happening::Ended { line, up })));
        }
        happenings
    }
}

struct Inner {
    lines: Vec<Line>,
    weather: Weather,
    random: Random,
    /// Until when each device reaches nobody.
    partitioned_until_us: Vec<u64>,
    /// The server's machine answers.
    server_up: bool,
    /// When a stream was altered the last time.
    tampered_us: Option<u64>,
    faults: Faults,
}

/// All lines of a world.
pub struct Network {
    inner: Mutex<Inner>,
    executor: Arc<Executor>,
}

/// What a device finds at its end.
pub enum Found {
    /// Bytes, perhaps none.
    Bytes(Vec<u8>),
    /// The line is over, after these bytes.
    Over(Vec<u8>),
}

impl Network {
    /// Without lines.
    pub fn new(executor: Arc<Executor>, random: Random, weather: Weather, devices: usize) -> Arc<Self> {
        let partitioned_until_us = vec![0; devices];
        let inner = Inner {
            lines: Vec::new(),
            weather,
            random,
            partitioned_until_us,
            server_up: false,
            tampered_us: None,
            faults: Faults::default(),
        };
        Arc::new(Self { inner: Mutex::new(inner), executor })
    }

    fn lock(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// What has gone wrong so far.
    pub fn faults(&self) -> Faults {
        self.lock().faults.clone()
    }

    /// The weather changes.
    pub fn set_weather(&self, weather: Weather) {
        self.lock().weather = weather;
    }

    /// How long a packet takes now.
    pub fn latency_us(&self) -> u64 {
        let mut inner = self.lock();
        let Weather { latency_us, jitter_us, .. } = inner.weather;
        latency_us + inner.random.below(jitter_us + 1)
    }

    /// A line from a device that the server's kernel has accepted.
    pub fn open(&self, device: usize) -> usize {
        let mut inner = self.lock();
        let blocked_until_us = inner.partitioned_until_us[device];
        inner.lines.push(Line {
            device,
            up: Way::default(),
            down: Way::default(),
            blocked_until_us,
            server_reader: None,
            server_writer: None,
            server_gone: false,
            device_gone: false,
        });
        inner.lines.len() - 1
    }

    /// Whether the server's machine answers a device's packets.
    pub fn answers(&self, device: usize) -> bool {
        let inner = self.lock();
        inner.server_up && inner.partitioned_until_us[device] <= self.executor.now_us()
    }

    /// One more of what goes wrong elsewhere.
    pub fn count(&self, kind: Kind) {
        self.lock().faults.count(kind);
    }

    /// A device reaches nobody until then; what is under way comes afterwards.
    pub fn partition(&self, device: usize, until_us: u64) {
        let mut inner = self.lock();
        inner.faults.count(Kind::Partition);
        inner.partitioned_until_us[device] = until_us;
        for line in inner.lines.iter_mut().filter(|line| line.device == device) {
            line.blocked_until_us = line.blocked_until_us.max(until_us);
        }
    }

    /// A line is dead, and neither end is told.
    pub fn half_open(&self, line: usize) {
        let mut inner = self.lock();
        inner.faults.count(Kind::HalfOpen);
        inner.lines[line].blocked_until_us = u64::MAX;
        drop(inner);
        self.watch_unacknowledged(line);
    }

    /// A line is reset: both ends get an error.
    pub fn reset(&self, line: usize) {
        let wakers = {
            let mut inner = self.lock();
            inner.faults.count(Kind::Reset);
            inner.break_line(line)
        };
        wakers.into_iter().flatten().for_each(Waker::wake);
        let at_us = self.executor.now_us() + self.latency_us();
        self.executor.schedule(at_us, Happening::Ended { line, up: false });
    }

    /// When a stream was altered the last time, if one was.
    pub fn tampered_us(&self) -> Option<u64> {
        self.lock().tampered_us
    }

    /// The network is well from now on. Lines that stood still for ever are reset by their next packet: here, now. What
    /// waited for the end of a partition is on its way again.
    pub fn heal(&self) {
        let now_us = self.executor.now_us();
        let mut freed = Vec::new();
        let dead: Vec<usize> = {
            let mut inner = self.lock();
            inner.partitioned_until_us.fill(0);
            let Weather { latency_us, .. } = inner.weather;
            inner.weather = Weather { latency_us, ..Weather::default() };
            let lines = inner.lines.iter_mut().enumerate();
            let mut dead = Vec::new();
            for (number, line) in lines {
                if line.blocked_until_us == u64::MAX && !(line.server_gone && line.device_gone) {
                    dead.push(number);
                } else if line.blocked_until_us > now_us {
                    freed.extend(line.under_way(number, now_us));
                }
                line.blocked_until_us = 0;
            }
            dead
        };
        dead.into_iter().for_each(|line| self.reset_quietly(line));
        freed.into_iter().for_each(|(at_us, happening)| self.executor.schedule(at_us, happening));
    }

    fn reset_quietly(&self, line: usize) {
        let (wakers, latency_us) = {
            let mut inner = self.lock();
            inner.lines[line].blocked_until_us = 0;
            (inner.break_line(line), inner.weather.latency_us)
        };
        wakers.into_iter().flatten().for_each(Waker::wake);
        self.executor.schedule(self.executor.now_us() + latency_us, Happening::Ended { line, up: false });
    }

    /// The machine of the server answers from now on: whatever it does not know, it resets.
    pub fn power_on(&self) {
        self.lock().server_up = true;
    }

    /// The machine of the server has lost its power: no line says anything any more.
    pub fn silence(&self) {
        let mut inner = self.lock();
        inner.server_up = false;
        for line in inner.lines.iter_mut().filter(|line| !line.device_gone) {
            line.blocked_until_us = u64::MAX;
        }
    }

    /// A device writes.
    pub fn write_up(&self, line: usize, bytes: &[u8]) {
        let unknown = {
            let inner = self.lock();
            let one = &inner.lines[line];
            let reachable = inner.partitioned_until_us[one.device] <= self.executor.now_us();
            one.server_gone && one.blocked_until_us == u64::MAX && inner.server_up && reachable
        };
        if unknown {
            self.reset_quietly(line);
        } else {
            self.send(line, true, bytes);
        }
    }

    /// A device takes what has come.
    pub fn take_down(&self, line: usize) -> Found {
        let (found, writer) = {
            let mut inner = self.lock();
            let line = &mut inner.lines[line];
            let bytes: Vec<u8> = std::mem::take(&mut line.down.arrived).into();
            line.down.bytes = line.down.bytes.saturating_sub(bytes.len());
            let over = line.down.broken || line.down.end_arrived;
            let found = if over { Found::Over(bytes) } else { Found::Bytes(bytes) };
            (found, line.server_writer.take())
        };
        if let Some(writer) = writer {
            writer.wake();
        }
        found
    }

    /// A device closes its end. Without a word if its machine has died.
    pub fn close_up(&self, line: usize, silently: bool) {
        let mut inner = self.lock();
        inner.lines[line].device_gone = true;
        inner.lines[line].down = Way::default();
        if silently {
            inner.lines[line].blocked_until_us = u64::MAX;
            drop(inner);
            self.watch_unacknowledged(line);
            return;
        }
        drop(inner);
        self.end(line, true);
    }

    /// A segment has come to its end; gives the device whose turn it is, if it is one's.
    pub fn segment(&self, line: usize, up: bool) -> Option<usize> {
        let mut inner = self.lock();
        let now_us = self.executor.now_us();
        let one = &mut inner.lines[line];
        if one.blocked_until_us > now_us {
            let at_us = one.blocked_until_us;
            drop(inner);
            // Behind what was blocked before it, because events of one instant keep their order.
            if at_us != u64::MAX {
                self.executor.schedule(at_us, Happening::Segment { line, up });
            }
            return None;
        }
        let way = if up { &mut one.up } else { &mut one.down };
        let segment = way.flying.pop_front()?;
        way.arrived.extend(segment);
        let device = one.device;
        let reader = if up { one.server_reader.take() } else { None };
        let for_device = !up && !one.device_gone;
        drop(inner);
        if let Some(reader) = reader {
            reader.wake();
        }
        for_device.then_some(device)
    }

    /// An end of a stream has come; gives the device whose turn it is, if it is one's.
    pub fn ended(&self, line: usize, up: bool) -> Option<usize> {
        let mut inner = self.lock();
        let now_us = self.executor.now_us();
        let one = &mut inner.lines[line];
        if one.blocked_until_us > now_us {
            let at_us = one.blocked_until_us;
            drop(inner);
            if at_us != u64::MAX {
                self.executor.schedule(at_us, Happening::Ended { line, up });
            }
            return None;
        }
        let way = if up { &mut one.up } else { &mut one.down };
        way.end_arrived = true;
        let device = one.device;
        let reader = if up { one.server_reader.take() } else { None };
        let for_device = !up && !one.device_gone;
        drop(inner);
        if let Some(reader) = reader {
            reader.wake();
        }
        for_device.then_some(device)
    }

    /// Nothing was acknowledged for the user time-out: the server's kernel gives up.
    pub fn unacknowledged(&self, line: usize) {
        let wakers = {
            let mut inner = self.lock();
            let one = &inner.lines[line];
            if one.blocked_until_us != u64::MAX || one.down.bytes == 0 || one.server_gone {
                return;
            }
            inner.break_server_end(line)
        };
        wakers.into_iter().flatten().for_each(Waker::wake);
    }

    fn watch_unacknowledged(&self, line: usize) {
        let at_us = self.executor.now_us() + USER_TIMEOUT_US;
        self.executor.schedule(at_us, Happening::Unacknowledged { line });
    }

    /// Cuts bytes into segments and sends them off.
    fn send(&self, line: usize, up: bool, bytes: &[u8]) {
        let now_us = self.executor.now_us();
        let mut reset = false;
        {
            let mut guard = self.lock();
            let inner = &mut *guard;
            let one = &mut inner.lines[line];
            let way = if up { &mut one.up } else { &mut one.down };
            if way.ended || way.broken {
                return;
            }
            let mut rest = bytes;
            while !rest.is_empty() {
                let largest = if inner.random.chance(inner.weather.split) { 24 } else { SEGMENT_BYTES };
                let (segment, after) = rest.split_at(rest.len().min(largest));
                rest = after;
                let mut segment = segment.to_vec();
                let weather = inner.weather;
                if inner.random.chance(weather.tamper) {
                    tamper(&mut segment, way, &mut inner.random);
                    inner.faults.count(Kind::Tampered);
                    inner.tampered_us = Some(now_us);
                }
                if segment.is_empty() {
                    continue;
                }
                let arrival_us = now_us + travel_us(weather, &mut inner.random, &mut inner.faults);
                if arrival_us < way.last_arrival_us {
                    inner.faults.count(Kind::HeldBack);
                }
                way.last_arrival_us = way.last_arrival_us.max(arrival_us);
                way.bytes += segment.len();
                way.flying.push_back(segment);
                self.executor.schedule(way.last_arrival_us, Happening::Segment { line, up });
                reset |= inner.random.chance(weather.reset);
            }
            let dead = one.blocked_until_us == u64::MAX;
            if dead && !up {
                self.executor.schedule(now_us + USER_TIMEOUT_US, Happening::Unacknowledged { line });
            }
        }
        if reset {
            self.reset(line);
        }
    }

    /// One end says no more.
    fn end(&self, line: usize, up: bool) {
        let mut inner = self.lock();
        let now_us = self.executor.now_us();
        let latency_us = inner.weather.latency_us;
        let one = &mut inner.lines[line];
        let way = if up { &mut one.up } else { &mut one.down };
        if way.ended {
            return;
        }
        way.ended = true;
        way.last_arrival_us = way.last_arrival_us.max(now_us + latency_us);
        self.executor.schedule(way.last_arrival_us, Happening::Ended { line, up });
    }
}

impl Inner {
    fn break_line(&mut self, line: usize) -> [Option<Waker>; 2] {
        let one = &mut self.lines[line];
        one.down.broken = true;
        one.down.arrived.clear();
        one.down.flying.clear();
        one.down.bytes = 0;
        self.break_server_end(line)
    }

    fn break_server_end(&mut self, line: usize) -> [Option<Waker>; 2] {
        let one = &mut self.lines[line];
        one.up.broken = true;
        one.up.arrived.clear();
        one.up.flying.clear();
        [one.server_reader.take(), one.server_writer.take()]
    }
}

/// How long a segment takes.
fn travel_us(weather: Weather, random: &mut Random, faults: &mut Faults) -> u64 {
    let mut travel_us = weather.latency_us + random.below(weather.jitter_us + 1);
    let mut again_us = RETRANSMIT_US;
    while random.chance(weather.loss) {
        faults.count(Kind::Lost);
        travel_us += again_us;
        again_us *= 2;
    }
    if random.chance(weather.reorder) {
        faults.count(Kind::Overtaken);
        travel_us += random.between(weather.latency_us, 3 * weather.latency_us + 1);
    }
    travel_us
}

/// What a middlebox may do inside a stream without TCP noticing.
fn tamper(segment: &mut Vec<u8>, way: &mut Way, random: &mut Random) {
    let at = random.index(segment.len());
    match random.below(4) {
        0 => segment[at] ^= 1 << random.below(8),
        1 => segment.clear(),
        2 => segment.extend_from_within(..),
        _ => match way.flying.back_mut() {
            Some(before) => std::mem::swap(before, segment),
            None => segment.truncate(at),
        },
    }
}

/// The server's end of a line.
pub struct ServerEnd {
    network: Arc<Network>,
    line: usize,
}

impl ServerEnd {
    /// The end of an open line; dropping it closes it.
    pub fn new(network: Arc<Network>, line: usize) -> Self {
        Self { network, line }
    }
}

impl Stream for ServerEnd {
    fn poll_read(&mut self, context: &mut Context<'_>, buffer: &mut [u8]) -> Poll<io::Result<usize>> {
        let mut inner = self.network.lock();
        let line = &mut inner.lines[self.line];
        if line.up.broken {
            return Poll::Ready(Err(ErrorKind::ConnectionReset.into()));
        }
        if line.up.arrived.is_empty() {
            if line.up.end_arrived {
                return Poll::Ready(Ok(0));
            }
            line.server_reader = Some(context.waker().clone());
            return Poll::Pending;
        }
        let length = buffer.len().min(line.up.arrived.len());
        for (to, from) in buffer.iter_mut().zip(line.up.arrived.drain(..length)) {
            *to = from;
        }
        line.up.bytes = line.up.bytes.saturating_sub(length);
        Poll::Ready(Ok(length))
    }

    fn poll_write_ready(&mut self, context: &mut Context<'_>) -> Poll<()> {
        let mut inner = self.network.lock();
        let line = &mut inner.lines[self.line];
        if line.up.broken || line.down.broken || line.down.bytes < WINDOW_BYTES {
            return Poll::Ready(());
        }
        line.server_writer = Some(context.waker().clone());
        Poll::Pending
    }

    fn try_write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let room = {
            let inner = self.network.lock();
            let line = &inner.lines[self.line];
            if line.up.broken || line.down.broken {
                return Err(ErrorKind::ConnectionReset.into());
            }
            // Once its reader is gone, a line takes everything and carries nothing.
            if line.device_gone { bytes.len() } else { WINDOW_BYTES.saturating_sub(line.down.bytes) }
        };
        let length = room.min(bytes.len());
        if length == 0 {
            return Err(ErrorKind::WouldBlock.into());
        }
        self.network.send(self.line, false, &bytes[..length]);
        Ok(length)
    }
}

impl Drop for ServerEnd {
    fn drop(&mut self) {
        self.network.lock().lines[self.line].server_gone = true;
        self.network.end(self.line, false);
    }
}
