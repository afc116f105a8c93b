//! Sessions at a gate, through streams in memory: logins, resumes, sends, pushes, acknowledgements, cuts, slow readers and
//! nonsense, in any order, against a small model of what each client was told.
//!
//! What must hold: no panic; nothing is acknowledged above what was told; answers come once and in the order of the
//! requests; pushes come ascending, and all of them, or the client is told to sync; who has ended is silent; and when all
//! have gone, nothing of them is left.

#[path = "../../../../crates/gate/tests/gate/bench.rs"]
#[allow(dead_code, reason = "the tests of the gate need more of it")]
mod bench;
mod device;
#[path = "../../../../crates/gate/tests/gate/line.rs"]
#[allow(dead_code, reason = "the tests of the gate need more of it")]
mod line;

use hongyan_cluster::Inlet;
use hongyan_cluster::bus::Ending;
use hongyan_domain::change::Change;
use hongyan_domain::session::EndReason;
use hongyan_domain::{SessionId, UnixMillis, UserId};
use hongyan_gate::GateOptions;
use hongyan_wire::command::Operation;
use hongyan_wire::{Command, Event, limits, proto};
use prost::Message;

use crate::feed::Feed;
use crate::heap;
use bench::{Bench, push};
use device::Device;
use line::Line;

/// Turns of one input.
const TURNS_MAX: usize = 48;
/// Devices, two of each user.
const DEVICES: [(&str, u8); 4] = [("a", 1), ("b", 2), ("a", 3), ("b", 4)];
/// Room for what is pushed, small enough that inputs reach it.
const OUTGOING_BYTES_MAX: usize = 1_000;
/// A suspended session of a phone is present for three minutes.
const HOLD_MS: u64 = 181_000;
/// What a gate keeps of a request besides its bytes: a call, an event, an answer, and buffers of the thread.
const CONSTANT_BYTES: usize = 64 * 1024;

/// All of it.
struct Play<'a> {
    bench: &'a Bench,
    devices: Vec<Device<'a>>,
    sessions: u8,
    next_id: u32,
}

/// Turns of devices, users and time.
pub fn run(input: &[u8]) {
    let mut feed = Feed::new(input);
    let (small, remembers) = (feed.coin(), feed.coin());
    let mut options = GateOptions { frames_per_second: 1_000_000, frames_burst: 1_000_000, ..GateOptions::default() };
    if small {
        options.outgoing_bytes_max = OUTGOING_BYTES_MAX;
    }
    let bench = Bench::with(options);
    *bench.script.remembers.lock().expect("one thread") = remembers;
    let devices = DEVICES.map(|(user, number)| Device::new(user, number)).into();
    let mut play = Play { bench: &bench, devices, sessions: 0, next_id: 0 };
    for _ in 0..TURNS_MAX {
        if feed.is_empty() {
            break;
        }
        play.turn(&mut feed);
        play.look();
    }
    play.end();
}

impl<'a> Play<'a> {
    fn turn(&mut self, feed: &mut Feed<'_>) {
        let number = feed.below(DEVICES.len());
        match feed.below(16) {
            0..2 => self.log_in(number),
            2 => self.resume(feed, number),
            3..5 => self.send(feed, number),
            5..7 => self.push(feed, number),
            7..9 => self.acknowledge(feed, number),
            9 => self.ask(feed, number),
            10 => self.break_off(feed, number),
            11 => self.bench.world.advance_by(50, [50, 600, 2_100][feed.below(3)]),
            12 => self.bench.world.advance_by(1_000, [4_000, 16_000, 91_000][feed.below(3)]),
            13 => self.end_session(feed, number),
            14 => self.slow_down(feed, number),
            _ => self.blurt(feed, number),
        }
    }

    /// The number of the newest entry; everybody's inbox has the same.
    fn head(&self) -> u64 {
        *self.bench.script.head.lock().expect("one thread")
    }

    fn id(&mut self) -> u32 {
        self.next_id += 1;
        self.next_id
    }

    fn log_in(&mut self, number: usize) {
        let mut line = Line::dial(self.bench);
        let device = &mut self.devices[number];
        let login = line.log_in(device.user, device.number).expect("a good login is answered");
        self.sessions += 1;
        device.log_in(line, login, self.sessions);
    }

    fn resume(&mut self, feed: &mut Feed<'_>, number: usize) {
        let (head, used) = (self.head(), feed.below(8) == 0);
        let cursor = feed.number(head);
        let device = &mut self.devices[number];
        let Some(login) = &device.login else { return };
        let epoch = device.epoch + u32::from(!used);
        let mut line = Line::dial_again(self.bench, login, epoch, cursor);
        match line.events.pop() {
            Some(Event::Resumed(result)) if device.ended => {
                assert!(result.refusal.is_some() && result.page.is_none() && line.is_closed(), "no data");
            }
            Some(Event::Resumed(result)) => {
                let page = result.page.as_ref().expect("a page");
                assert_eq!((page.reset, page.inbox_head), (cursor > head, head));
                device.resume(line, *result, epoch);
            }
            Some(Event::Refused(_)) => assert!(used || device.ended, "a good resume is not refused"),
            other => panic!("a resume is answered: {other:?}"),
        }
    }

    fn send(&mut self, feed: &mut Feed<'_>, number: usize) {
        let ids: Vec<u32> = (0..=feed.below(6)).map(|_| self.id()).collect();
        let body = bytes::Bytes::copy_from_slice(feed.some_bytes());
        let device = &mut self.devices[number];
        let Some(line) = device.speak() else { return };
        for &id in &ids {
            let request = proto::SendRequest { id, body: body.clone(), ..Default::default() };
            let frame = line.frame(Command::request(Operation::Send), &request.encode_to_vec());
            line.blurt(&frame);
        }
        device.sends.extend(ids);
    }

    /// Something new for everybody's inbox, pushed to one user; sometimes the feed tells it, too.
    fn push(&mut self, feed: &mut Feed<'_>, number: usize) {
        let user = self.devices[number].user;
        let user_id = UserId(user.as_bytes()[0].into());
        for _ in 0..=feed.below(16) {
            let inbox_seq = self.head() + 1;
            *self.bench.script.head.lock().expect("one thread") = inbox_seq;
            let reached = self.bench.bus.push(user_id, None, &push(inbox_seq));
            let mut listening = 0;
            for device in self.devices.iter_mut().filter(|device| device.user == user && device.is_listening()) {
                device.expected.push_back(inbox_seq);
                listening += 1;
            }
            assert!(reached >= listening, "{reached} of {listening} are reached");
        }
        if feed.coin() {
            let head = feed.number(self.head()).min(self.head());
            self.bench.script.changes.lock().expect("one thread").push_back(Change::Inbox { user: user_id, head });
        }
    }

    fn acknowledge(&mut self, feed: &mut Feed<'_>, number: usize) {
        let (id, sync, choice, head) = (self.id(), feed.coin(), feed.below(4) as u64, self.head());
        let device = &mut self.devices[number];
        let told = device.told;
        let cursor = if choice == 0 { feed.number(told) } else { told.saturating_sub(choice - 1) };
        let Some(line) = device.speak() else { return };
        if sync {
            line.ask(Operation::Sync, &proto::SyncRequest { id, inbox_cursor: cursor, limit: 9, log_epoch: 1 });
        } else {
            line.ask(Operation::Ack, &proto::AckRequest { id, inbox_cursor: cursor });
        }
        if device.slow {
            // It was told more than its stream has taken.
            device.known = cursor.min(head).max(device.known);
        }
        if sync || !device.is_tame() || device.ended {
            return;
        }
        let line = device.line.as_mut().expect("it has just spoken");
        let answer = line.take::<proto::AckAnswer>(Command::answer(Operation::Ack)).pop();
        // A resume that was confirmed by this frame may have found more to tell.
        device.hear();
        match answer {
            Some(answer) => {
                assert!(cursor <= told, "{cursor} was acknowledged, {told} was told");
                assert!((cursor..=told).contains(&answer.inbox_cursor), "{} is acknowledged", answer.inbox_cursor);
            }
            None => assert!(cursor > told && device.is_closed(), "{cursor} of {told} is not answered"),
        }
    }

    /// What a gate answers itself or passes on.
    fn ask(&mut self, feed: &mut Feed<'_>, number: usize) {
        let (id, choice) = (self.id(), feed.below(8));
        let device = &mut self.devices[number];
        let Some(line) = device.speak() else { return };
        match choice {
            0 => self.log_out(number, id),
            1..4 => line.ask(Operation::History, &proto::HistoryRequest { id, ..Default::default() }),
            _ => line.ask(Operation::Keepalive, &proto::KeepaliveRequest { id }),
        }
    }

    fn log_out(&mut self, number: usize, id: u32) {
        let Some(line) = self.devices[number].speak() else { return };
        line.ask(Operation::Logout, &proto::LogoutRequest { id });
        let device = &self.devices[number];
        // Who takes nothing is listened to later, and what follows nonsense may be part of it.
        assert!(self.is_over(device.session) || !device.is_tame(), "a logout ends the session");
    }

    /// Logic has ended it.
    fn is_over(&self, session: u8) -> bool {
        let ended = self.bench.script.ended.lock().expect("one thread");
        ended.iter().any(|(id, _)| *id == SessionId([session; 16]))
    }

    fn break_off(&mut self, feed: &mut Feed<'_>, number: usize) {
        let Some(line) = &mut self.devices[number].line else { return };
        let broken = feed.coin();
        if broken {
            line.reset()
        } else {
            line.hang_up()
        }
        self.bench.world.settle();
        assert!(line.is_closed() || !broken, "a broken stream is let go at once");
    }

    fn end_session(&mut self, feed: &mut Feed<'_>, number: usize) {
        let device = &mut self.devices[number];
        if device.login.is_none() || device.ended {
            return;
        }
        let reason = [EndReason::SameTermLogin, EndReason::Revoked][feed.below(2)];
        let session = SessionId([device.session; 16]);
        self.bench.script.ended.lock().expect("one thread").push((session, reason));
        self.bench.gate.end(session, Ending { reason, by_term: None, time: UnixMillis(7) });
    }

    fn slow_down(&mut self, feed: &mut Feed<'_>, number: usize) {
        let room = [0, 1, 20, usize::MAX][feed.below(4)];
        let device = &mut self.devices[number];
        if let Some(line) = &mut device.line {
            line.set_room(room);
            device.slow |= room != usize::MAX;
        }
    }

    /// Bytes that are no frames, or frames of any operation with bytes that make no sense.
    fn blurt(&mut self, feed: &mut Feed<'_>, number: usize) {
        let (encrypted, operation) = (feed.coin(), Operation::ALL[feed.below(Operation::ALL.len())]);
        let body = feed.some_bytes();
        let device = &mut self.devices[number];
        let Some(line) = device.speak() else { return };
        let bytes = if encrypted { line.frame(Command::request(operation), body) } else { body.to_vec() };
        line.blurt(&bytes);
        let settled = || self.bench.world.settle();
        heap::bounded("what a gate received", bytes.len(), CONSTANT_BYTES, settled);
        // It may have meant something: what the client waits for is not known any more.
        device.wild = true;
    }

    /// Everybody listens, and what they hear must fit.
    fn look(&mut self) {
        self.bench.world.settle();
        let head = self.head();
        for number in 0..self.devices.len() {
            // Whoever wished it, and whenever it was read: nonsense may be a logout, too.
            let over = self.is_over(self.devices[number].session);
            let device = &mut self.devices[number];
            if over && !device.ended {
                device.end();
            }
            device.hear();
            assert!(device.told <= head, "{} of {head} is told", device.told);
        }
        self.receipts();
        self.stored();
    }

    /// Authors hear of nothing that nobody has.
    fn receipts(&mut self) {
        let known = self.devices.iter().filter(|device| device.user == "a").map(|device| device.known).max();
        for device in &mut self.devices {
            let Some(line) = &mut device.line else { continue };
            for notify in line.take::<proto::ReceiptNotify>(Command::notify(Operation::Receipt)) {
                for receipt in notify.receipts {
                    assert_eq!((device.user, receipt.user.as_str()), ("b", "a"));
                    assert!(Some(receipt.delivered_seq) <= known, "{receipt:?} of {known:?}");
                }
            }
        }
    }

    /// Nothing is stored that a device cannot have.
    fn stored(&self) {
        let advances = std::mem::take(&mut *self.bench.script.advances.lock().expect("one thread"));
        for advance in advances {
            let of_device = |device: &&Device<'_>| i64::from(device.number) == advance.device.0;
            let device = self.devices.iter().find(of_device).expect("one of four");
            assert!(advance.inbox_cursor <= device.known, "{} of {}", advance.inbox_cursor, device.known);
        }
    }

    /// Nobody says anything more: everything is let go, connections first, then presence.
    fn end(&mut self) {
        self.bench.world.advance_by(1_000, limits::IDLE_DEADLINE.0 + 2_000);
        let measures = self.bench.gate.measures();
        assert_eq!(
            (measures.sessions_connected.get(), self.devices.iter().filter(|one| one.is_open()).count()),
            (0, 0)
        );
        assert_eq!(measures.connections.get(), 0);
        self.bench.world.advance_by(1_000, HOLD_MS);
        for user in [b'a', b'b'] {
            assert!(self.bench.bus.router().routes(UserId(user.into())).is_empty(), "presence has an end");
        }
    }
}
