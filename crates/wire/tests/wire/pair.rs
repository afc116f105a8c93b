//! The test bench: a client and a server connection, a virtual clock, and a link that delays and splits what passes.
//! The server is a gate in miniature that knows one user and the tickets it is told; nothing here sleeps.

use std::collections::{BTreeMap, VecDeque};

use bytes::Bytes;
use hongyan_wire::command::Operation;
use hongyan_wire::frame::{HEADER_BYTES, Header};
use hongyan_wire::noise::{ResumeProof, StaticKey};
use hongyan_wire::proto::{self, RefusalCode};
use hongyan_wire::{Command, Connection, Event, Millis, Violation};
use prost::Message;

pub const SERVER_SECRET: [u8; 32] = [0x11; 32];
pub const CLIENT_EPHEMERAL: [u8; 32] = [0x22; 32];
pub const SERVER_EPHEMERAL: [u8; 32] = [0x33; 32];
pub const RESUME_SECRET: [u8; 32] = [0x44; 32];
pub const TICKET: &[u8] = &[0x55; 96];

pub const SEND: Command = Command::request(Operation::Send);
pub const KEEPALIVE: Command = Command::request(Operation::Keepalive);
pub const LOGIN: Command = Command::request(Operation::Login);

pub fn key() -> StaticKey {
    StaticKey::new(SERVER_SECRET)
}

pub fn server(now: Millis) -> Connection {
    Connection::server(key(), SERVER_EPHEMERAL, now)
}

pub fn proof(epoch: u32) -> ResumeProof<'static> {
    ResumeProof { ticket: TICKET, epoch, secret: &RESUME_SECRET }
}

pub fn offer() -> proto::ResumeOffer {
    proto::ResumeOffer { inbox_cursor: 41, log_epoch: 1, limit: 200 }
}

pub fn login_request() -> proto::LoginRequest {
    let password = proto::PasswordCredential { user: "alice".into(), password: "correct horse battery".into() };
    proto::LoginRequest {
        id: 1,
        app: "default".into(),
        credential: Some(proto::login_request::Credential::Password(password)),
        device_id: Bytes::from_static(&[7; 16]),
        term: proto::Term::Pc.into(),
        client: "hongyan-cli 0.1.0".into(),
    }
}

/// A frame in clear, whatever its body is.
pub fn clear(number: u32, body: &[u8]) -> Vec<u8> {
    let mut frame = Header { encrypted: false, command: number, length: body.len() }.encode().to_vec();
    frame.extend_from_slice(body);
    frame
}

/// Cuts recorded bytes into their frames.
pub fn frames(mut bytes: &[u8]) -> Vec<Vec<u8>> {
    let mut frames = Vec::new();
    while let Some(header) = bytes.first_chunk() {
        let length = HEADER_BYTES + Header::decode(header, usize::MAX).expect("a frame was written").length;
        let (frame, rest) = bytes.split_at(length);
        frames.push(frame.to_vec());
        bytes = rest;
    }
    assert!(bytes.is_empty(), "only whole frames are written");
    frames
}

/// One end with what has happened to it.
pub struct End {
    pub connection: Connection,
    pub events: Vec<Event>,
    pub violation: Option<Violation>,
    arriving: VecDeque<(Millis, Vec<u8>)>,
}

impl End {
    pub fn new(connection: Connection) -> Self {
        Self { connection, events: Vec::new(), violation: None, arriving: VecDeque::new() }
    }

    /// Commands and bodies of the frames received so far.
    pub fn frames(&self) -> Vec<(Command, Bytes)> {
        let frame = |event: &Event| match event {
            Event::Frame(command, body) => Some((*command, body.clone())),
            _ => None,
        };
        self.events.iter().filter_map(frame).collect()
    }

    /// The reason given in the last CLOSE.N, if one arrived under the connection's keys.
    pub fn close_code(&self) -> Option<RefusalCode> {
        let close = Command::notify(Operation::Close);
        let (_, body) = self.frames().into_iter().rfind(|(command, _)| *command == close)?;
        Some(proto::CloseNotify::decode(body).expect("the server encodes").refusal?.code())
    }
}

/// Which end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Side {
    Client,
    Server,
}

pub struct Pair {
    pub now: Millis,
    /// One way.
    pub latency: Millis,
    /// Largest number of bytes that arrives at once.
    pub segment_bytes: usize,
    pub client: End,
    pub server: End,
    /// By ticket: the secret inside it.
    pub tickets: BTreeMap<Vec<u8>, [u8; 32]>,
    /// The last epoch that a decrypted frame confirmed.
    pub confirmed_epoch: u32,
    /// The epoch of a resume whose proof was right.
    pub resuming_epoch: Option<u32>,
    /// The client answers what it is told, as a client should.
    pub client_reacts: bool,
}

impl Pair {
    /// Both ends, with the client's first bytes on their way.
    pub fn connect(client: impl FnOnce(Millis, &mut Vec<u8>) -> Connection) -> Self {
        let now = Millis(1_000_000);
        let mut out = Vec::new();
        let client = End::new(client(now, &mut out));
        let mut pair = Self {
            now,
            latency: Millis(20),
            segment_bytes: 1460,
            client,
            server: End::new(server(now)),
            tickets: BTreeMap::from([(TICKET.to_vec(), RESUME_SECRET)]),
            confirmed_epoch: 0,
            resuming_epoch: None,
            client_reacts: true,
        };
        pair.transmit(Side::Server, &out);
        pair
    }

    /// A client that is about to log in.
    pub fn login() -> Self {
        Self::connect(|now, out| Connection::client_login(key().public(), CLIENT_EPHEMERAL, now, out))
    }

    /// A client that is about to continue the session of [`TICKET`].
    pub fn resume(epoch: u32) -> Self {
        Self::connect(|now, out| {
            Connection::client_resume(key().public(), proof(epoch), &offer(), CLIENT_EPHEMERAL, now, out)
        })
    }

    /// A pair that has logged in.
    pub fn logged_in() -> Self {
        let mut pair = Self::login();
        pair.run();
        assert!(pair.client.connection.is_authenticated() && pair.server.connection.is_authenticated());
        pair
    }

    pub fn end(&mut self, side: Side) -> &mut End {
        match side {
            Side::Client => &mut self.client,
            Side::Server => &mut self.server,
        }
    }

    /// Puts bytes on the link.
    pub fn transmit(&mut self, to: Side, bytes: &[u8]) {
        let at = self.now + self.latency;
        let segments: Vec<_> = bytes.chunks(self.segment_bytes).map(|segment| (at, segment.to_vec())).collect();
        self.end(to).arriving.extend(segments);
    }

    /// The bytes of a frame as `side` would send it, without sending it.
    pub fn encode(&mut self, side: Side, command: Command, body: &[u8]) -> Vec<u8> {
        let (now, mut out) = (self.now, Vec::new());
        self.end(side).connection.write(command, body, now, &mut out).expect("keys are agreed");
        out
    }

    /// Sends a frame from `side`.
    pub fn send(&mut self, side: Side, command: Command, body: &[u8]) {
        let bytes = self.encode(side, command, body);
        self.transmit(other(side), &bytes);
    }

    /// Lets bytes arrive at once, and `side` react to them.
    pub fn deliver(&mut self, side: Side, mut bytes: &[u8]) {
        let now = self.now;
        while !bytes.is_empty() && self.end(side).violation.is_none() {
            let end = self.end(side);
            let mut out = Vec::new();
            match end.connection.receive(now, &mut bytes, &mut out) {
                Ok(Some(event)) => {
                    match side {
                        Side::Server => self.gate(&event, &mut out),
                        Side::Client if self.client_reacts => self.reader(&event, &mut out),
                        Side::Client => {}
                    }
                    self.end(side).events.push(event);
                }
                Ok(None) => assert!(bytes.is_empty(), "None means that all bytes are used up"),
                Err(violation) => end.violation = Some(violation),
            }
            self.transmit(other(side), &out);
        }
    }

    /// Lets everything that is under way arrive, and what follows from it.
    pub fn run(&mut self) {
        loop {
            let next = [Side::Client, Side::Server]
                .into_iter()
                .filter_map(|side| Some((self.end(side).arriving.front()?.0, side)))
                .min_by_key(|(at, _)| *at);
            let Some((at, side)) = next else { return };
            self.now = self.now.max(at);
            let (_, bytes) = self.end(side).arriving.pop_front().expect("it was just seen");
            self.deliver(side, &bytes);
        }
    }

    /// Moves the clock forward to `to` and checks the deadlines of `side`.
    pub fn wait_until(&mut self, side: Side, to: Millis) -> Result<(), Violation> {
        self.now = self.now.max(to);
        let (now, mut out) = (self.now, Vec::new());
        let result = self.end(side).connection.handle_timeout(now, &mut out);
        self.transmit(other(side), &out);
        result
    }

    /// What a gate does with an event, as far as the wire is concerned.
    fn gate(&mut self, event: &Event, out: &mut Vec<u8>) {
        let now = self.now;
        let connection = &mut self.server.connection;
        match event {
            Event::Resume { id, ticket, epoch, noise } => {
                let secret = self.tickets.get(&ticket[..]).filter(|_| *epoch > self.confirmed_epoch);
                let accepted = secret.and_then(|secret| {
                    connection.accept_resume(ResumeProof { ticket, epoch: *epoch, secret }, noise).ok()
                });
                if accepted.is_some() {
                    self.resuming_epoch = Some(*epoch);
                    let result = proto::ResumeResult { ticket: vec![0x66; 96].into(), ..Default::default() };
                    connection.answer_resume(*id, &result, now, out).expect("it was accepted");
                } else {
                    let refusal = proto::Refusal { code: RefusalCode::ResumeFailed.into(), ..Default::default() };
                    connection.refuse_resume(*id, refusal, out);
                }
            }
            Event::Frame(LOGIN, body) => {
                let request = proto::LoginRequest::decode(body.clone()).expect("the client encodes");
                let mut answer = proto::LoginAnswer { id: request.id, ..Default::default() };
                if request.app == "default" {
                    connection.set_authenticated();
                } else {
                    let code = RefusalCode::Unauthenticated.into();
                    answer.refusal = Some(proto::Refusal { code, ..Default::default() });
                }
                let command = Command::answer(Operation::Login);
                connection.write_message(command, &answer, now, out).expect("keys are agreed");
            }
            Event::Frame(KEEPALIVE, _) => {
                let answer = proto::KeepaliveAnswer::default();
                let command = Command::answer(Operation::Keepalive);
                connection.write_message(command, &answer, now, out).expect("keys are agreed");
            }
            _ => {}
        }
        if let Some(epoch) = self.resuming_epoch
            && connection.is_authenticated()
        {
            self.confirmed_epoch = self.confirmed_epoch.max(epoch);
        }
    }

    /// What a client does with an event, as far as the wire is concerned.
    fn reader(&mut self, event: &Event, out: &mut Vec<u8>) {
        let now = self.now;
        let connection = &mut self.client.connection;
        match event {
            Event::Ready => connection.write_message(LOGIN, &login_request(), now, out).expect("keys are agreed"),
            Event::Resumed(_) => {
                let ack = proto::AckRequest { id: 2, inbox_cursor: 41 };
                connection.write_message(Command::request(Operation::Ack), &ack, now, out).expect("keys are agreed");
            }
            Event::Frame(Command { operation: Operation::Login, .. }, body) => {
                let answer = proto::LoginAnswer::decode(body.clone()).expect("the server encodes");
                if answer.refusal.is_none() {
                    connection.set_authenticated();
                }
            }
            _ => {}
        }
    }
}

pub fn other(side: Side) -> Side {
    match side {
        Side::Client => Side::Server,
        Side::Server => Side::Client,
    }
}
