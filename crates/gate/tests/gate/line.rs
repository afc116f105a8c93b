//! A client on a stream in memory that a real [`Driver`] serves: the stream takes and gives only as much as a test wants,
//! and wakes the driver only when a socket would.

use std::collections::VecDeque;
use std::io::{self, ErrorKind};
use std::net::IpAddr;
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll, Waker};

use hongyan_gate::driver::{Driver, Stream};
use hongyan_gate::peer::Protection;
use hongyan_wire::command::Operation;
use hongyan_wire::noise::ResumeProof;
use hongyan_wire::{Command, Connection, Event, proto};
use prost::Message;

use super::bench::{Bench, IP};

#[derive(Default)]
struct Pipe {
    to_gate: VecDeque<u8>,
    to_client: Vec<u8>,
    /// Bytes that the stream still takes from the gate.
    room: usize,
    /// The client says no more.
    ended: bool,
    /// The next attempt to read or write fails.
    broken: bool,
    /// The gate has let go of the stream.
    dropped: bool,
    reader: Option<Waker>,
    writer: Option<Waker>,
}

impl Pipe {
    fn wake(waker: &mut Option<Waker>) {
        if let Some(waker) = waker.take() {
            waker.wake();
        }
    }
}

/// The gate's end.
struct GateEnd(Arc<Mutex<Pipe>>);

impl Stream for GateEnd {
    fn poll_read(&mut self, context: &mut Context<'_>, buffer: &mut [u8]) -> Poll<io::Result<usize>> {
        let mut pipe = self.0.lock().unwrap();
        if pipe.broken {
            return Poll::Ready(Err(ErrorKind::ConnectionReset.into()));
        }
        if pipe.to_gate.is_empty() && !pipe.ended {
            pipe.reader = Some(context.waker().clone());
            return Poll::Pending;
        }
        let length = buffer.len().min(pipe.to_gate.len());
        for (place, byte) in buffer.iter_mut().zip(pipe.to_gate.drain(..length)) {
            *place = byte;
        }
        Poll::Ready(Ok(length))
    }

    fn poll_write_ready(&mut self, context: &mut Context<'_>) -> Poll<()> {
        let mut pipe = self.0.lock().unwrap();
        if pipe.room > 0 || pipe.broken {
            return Poll::Ready(());
        }
        pipe.writer = Some(context.waker().clone());
        Poll::Pending
    }

    fn try_write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let mut pipe = self.0.lock().unwrap();
        if pipe.broken {
            return Err(ErrorKind::BrokenPipe.into());
        }
        let length = bytes.len().min(pipe.room);
        if length == 0 {
            return Err(ErrorKind::WouldBlock.into());
        }
        pipe.room -= length;
        pipe.to_client.extend_from_slice(&bytes[..length]);
        Ok(length)
    }
}

impl Drop for GateEnd {
    fn drop(&mut self) {
        self.0.lock().unwrap().dropped = true;
    }
}

/// A client's end.
pub struct Line<'a> {
    bench: &'a Bench,
    pipe: Arc<Mutex<Pipe>>,
    pub connection: Connection,
    /// What was heard and not taken yet.
    pub events: Vec<Event>,
    login: bool,
}

impl<'a> Line<'a> {
    /// A connection whose first frame, for a login, is on its way.
    pub fn dial(bench: &'a Bench) -> Self {
        let mut first = Vec::new();
        let now = bench.gate.now();
        let connection = Connection::client_login(bench.server_key(), [5; 32], now, &mut first);
        Self::open(bench, connection, &first, true)
    }

    /// A connection whose first frame, for a resume, is on its way.
    pub fn dial_again(bench: &'a Bench, login: &proto::LoginAnswer, epoch: u32, inbox_cursor: u64) -> Self {
        let secret: [u8; 32] = login.resume_secret[..].try_into().unwrap();
        let proof = ResumeProof { ticket: &login.ticket, epoch, secret: &secret };
        let offer = proto::ResumeOffer { inbox_cursor, log_epoch: 1, limit: 100 };
        let (mut first, now) = (Vec::new(), bench.gate.now());
        let ephemeral = [epoch as u8; 32];
        let connection = Connection::client_resume(bench.server_key(), proof, &offer, ephemeral, now, &mut first);
        Self::open(bench, connection, &first, false)
    }

    fn open(bench: &'a Bench, connection: Connection, first: &[u8], login: bool) -> Self {
        let pipe = Arc::new(Mutex::new(Pipe { room: usize::MAX, ..Pipe::default() }));
        let link = bench.gate.admit(IP).expect("admitted");
        let ip: IpAddr = IP;
        let driver = Driver::new(bench.gate.clone(), GateEnd(pipe.clone()), link, ip, Protection::Noise);
        bench.spawn(Box::pin(driver.run()));
        let mut line = Self { bench, pipe, connection, events: Vec::new(), login };
        line.blurt(first);
        line.settle();
        line
    }

    /// Writes bytes as they are.
    pub fn blurt(&mut self, bytes: &[u8]) {
        let mut pipe = self.pipe.lock().unwrap();
        pipe.to_gate.extend(bytes);
        Pipe::wake(&mut pipe.reader);
    }

    /// Encrypts a frame without sending it.
    pub fn frame(&mut self, command: Command, body: &[u8]) -> Vec<u8> {
        let (mut frame, now) = (Vec::new(), self.bench.gate.now());
        self.connection.write(command, body, now, &mut frame).unwrap();
        frame
    }

    /// Sends a request and lets happen what follows from it.
    pub fn ask(&mut self, operation: Operation, request: &impl Message) {
        let frame = self.frame(Command::request(operation), &request.encode_to_vec());
        self.blurt(&frame);
        self.settle();
    }

    /// Lets everything happen that needs no time, and hears what came of it.
    pub fn settle(&mut self) {
        self.bench.world.settle();
        self.hear();
    }

    fn hear(&mut self) {
        let bytes = std::mem::take(&mut self.pipe.lock().unwrap().to_client);
        let (mut input, mut out, now) = (&bytes[..], Vec::new(), self.bench.gate.now());
        while let Some(event) = self.connection.receive(now, &mut input, &mut out).expect("the gate is polite") {
            self.events.push(event);
        }
        assert!(out.is_empty(), "a client's wire answers nothing by itself");
    }

    /// Logs in; `None` if that was refused, or the connection is closed.
    pub fn log_in(&mut self, user: &str, device: u8) -> Option<proto::LoginAnswer> {
        assert!(self.login, "this connection was opened for a resume");
        let request = proto::LoginRequest {
            id: 1,
            credential: Some(proto::login_request::Credential::Token(user.into())),
            device_id: vec![device].into(),
            ..Default::default()
        };
        self.ask(Operation::Login, &request);
        let answer = self.take::<proto::LoginAnswer>(Command::answer(Operation::Login)).pop()?;
        if answer.refusal.is_none() {
            self.connection.set_authenticated();
        }
        Some(answer)
    }

    /// Takes the heard frames of one command.
    pub fn take<M: Message + Default>(&mut self, wanted: Command) -> Vec<M> {
        let mut taken = Vec::new();
        self.events.retain(|event| match event {
            Event::Frame(command, body) if *command == wanted => {
                taken.push(M::decode(body.clone()).unwrap());
                false
            }
            _ => true,
        });
        taken
    }

    /// From now on the stream takes so many bytes from the gate and then no more.
    pub fn set_room(&mut self, bytes: usize) {
        let mut pipe = self.pipe.lock().unwrap();
        pipe.room = bytes;
        if bytes > 0 {
            Pipe::wake(&mut pipe.writer);
        }
    }

    /// The client says no more.
    pub fn hang_up(&mut self) {
        let mut pipe = self.pipe.lock().unwrap();
        pipe.ended = true;
        Pipe::wake(&mut pipe.reader);
    }

    /// The stream breaks, and both ends are told.
    pub fn reset(&mut self) {
        let mut pipe = self.pipe.lock().unwrap();
        pipe.broken = true;
        Pipe::wake(&mut pipe.reader);
        Pipe::wake(&mut pipe.writer);
    }

    /// The gate has closed the stream.
    pub fn is_closed(&self) -> bool {
        self.pipe.lock().unwrap().dropped
    }
}
