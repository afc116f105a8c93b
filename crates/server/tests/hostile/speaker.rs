//! A client that knows the protocol and keeps to it only as far as a test wants: a socket and [`hongyan_wire::Connection`].

use std::collections::VecDeque;
use std::io::{ErrorKind, Read, Write};
use std::net::{Shutdown, TcpStream};
use std::time::{Duration, Instant};

use hongyan_client::ServerAddress;
use hongyan_wire::command::Operation;
use hongyan_wire::noise::ResumeProof;
use hongyan_wire::proto::RefusalCode;
use hongyan_wire::proto::login_request::Credential;
use hongyan_wire::{Command, Connection, Event, Millis, proto};
use prost::Message;

/// Nothing here waits so long unless something is broken.
const PATIENCE: Duration = Duration::from_secs(60);

/// Who logs in, and from where.
#[derive(Clone)]
pub struct User {
    pub name: String,
    pub app: String,
    pub device: u8,
}

impl User {
    pub fn new(name: &str) -> Self {
        Self { name: name.to_owned(), app: "default".to_owned(), device: 1 }
    }
}

/// One connection.
pub struct Speaker {
    pub stream: TcpStream,
    connection: Connection,
    server_key: [u8; 32],
    started: Instant,
    events: VecDeque<Event>,
    next_id: u32,
    /// Everything that was written so far.
    pub said: Vec<u8>,
    /// Everything that was read so far.
    pub heard: Vec<u8>,
}

fn random() -> [u8; 32] {
    let mut bytes = [0; 32];
    aws_lc_rs::rand::fill(&mut bytes).unwrap();
    bytes
}

/// A client id.
pub fn fresh_id() -> bytes::Bytes {
    random()[..16].to_vec().into()
}

impl Speaker {
    /// With message 1 of a login ready, but unsent, in [`Self::said`].
    pub fn connect(address: &ServerAddress) -> Self {
        let stream = TcpStream::connect((address.host.as_str(), address.port)).unwrap();
        stream.set_nodelay(true).unwrap();
        stream.set_read_timeout(Some(PATIENCE)).unwrap();
        stream.set_write_timeout(Some(PATIENCE)).unwrap();
        let mut said = Vec::new();
        let connection = Connection::client_login(&address.key, random(), Millis(0), &mut said);
        Self {
            stream,
            connection,
            server_key: address.key,
            started: Instant::now(),
            events: VecDeque::new(),
            next_id: 1,
            said,
            heard: Vec::new(),
        }
    }

    fn now(&self) -> Millis {
        Millis(self.started.elapsed().as_millis() as u64)
    }

    pub fn shake_hands(&mut self) {
        let first = self.said.clone();
        self.stream.write_all(&first).unwrap();
        assert!(matches!(self.next(), Some(Event::Ready)));
    }

    /// Writes bytes as they are.
    pub fn blurt(&mut self, bytes: &[u8]) {
        self.said.extend_from_slice(bytes);
        // The server may have closed already; what it said before counts.
        let _ = self.stream.write_all(bytes);
    }

    /// The frame of a request, not sent yet.
    pub fn frame(&mut self, command: Command, body: &[u8]) -> Vec<u8> {
        let mut frame = Vec::new();
        let now = self.now();
        self.connection.write(command, body, now, &mut frame).unwrap();
        frame
    }

    pub fn tell(&mut self, operation: Operation, request: &impl Message) {
        let frame = self.frame(Command::request(operation), &request.encode_to_vec());
        self.blurt(&frame);
    }

    /// Sends a request and waits for its answer.
    pub fn ask<A: Message + Default>(&mut self, operation: Operation, request: &impl Message) -> A {
        self.tell(operation, request);
        self.answer(operation)
    }

    pub fn answer<A: Message + Default>(&mut self, operation: Operation) -> A {
        self.wait_for(Command::answer(operation)).unwrap_or_else(|| panic!("closed instead of {operation:?}.A"))
    }

    /// The next frame of one command; frames of others are dropped. `None`: the connection has ended before.
    pub fn wait_for<M: Message + Default>(&mut self, wanted: Command) -> Option<M> {
        loop {
            match self.next()? {
                Event::Frame(command, body) if command == wanted => return Some(M::decode(body).unwrap()),
                _ => {}
            }
        }
    }

    /// The next event; `None` when the server has closed the connection.
    pub fn next(&mut self) -> Option<Event> {
        let mut buffer = vec![0; 65_536];
        loop {
            if let Some(event) = self.events.pop_front() {
                return Some(event);
            }
            let length = match self.stream.read(&mut buffer) {
                Ok(0) => return None,
                Ok(length) => length,
                Err(error) if error.kind() == ErrorKind::ConnectionReset => return None,
                Err(error) => panic!("the server neither answers nor closes: {error}"),
            };
            self.heard.extend_from_slice(&buffer[..length]);
            let (mut input, mut out) = (&buffer[..length], Vec::new());
            let now = self.now();
            while let Some(event) = self.connection.receive(now, &mut input, &mut out).expect("the server is polite") {
                self.events.push_back(event);
            }
        }
    }

    /// The server closes the connection; why, if it said so.
    pub fn is_closed(&mut self) -> Option<RefusalCode> {
        let mut code = None;
        while let Some(event) = self.next() {
            match event {
                Event::Frame(command, body) if command == Command::notify(Operation::Close) => {
                    code = Some(proto::CloseNotify::decode(body).unwrap().refusal.unwrap().code());
                }
                Event::Refused(refusal) => code = Some(refusal.code()),
                _ => {}
            }
        }
        code
    }

    /// Everything until the server closes, as it is; this end will say no more.
    pub fn rest(&mut self) -> Vec<u8> {
        // It may be closed already.
        let _ = self.stream.shutdown(Shutdown::Write);
        let mut bytes = Vec::new();
        match self.stream.read_to_end(&mut bytes) {
            Ok(_) => {}
            Err(error) if error.kind() == ErrorKind::ConnectionReset => {}
            Err(error) => panic!("the server does not close: {error}"),
        }
        bytes
    }

    /// This end will say no more; the server closes.
    pub fn hang_up(&mut self) -> Option<RefusalCode> {
        // It may be closed already.
        let _ = self.stream.shutdown(Shutdown::Write);
        self.is_closed()
    }

    pub fn log_in(&mut self, user: &User, token: &str) -> Result<proto::LoginAnswer, RefusalCode> {
        self.log_in_by(user, Credential::Token(token.to_owned()))
    }

    pub fn log_in_by(&mut self, user: &User, credential: Credential) -> Result<proto::LoginAnswer, RefusalCode> {
        let request = proto::LoginRequest {
            id: 7,
            app: user.app.clone(),
            credential: Some(credential),
            device_id: vec![user.device; 16].into(),
            term: proto::Term::Pc as i32,
            client: "hostile".to_owned(),
        };
        let answer: proto::LoginAnswer = self.ask(Operation::Login, &request);
        if let Some(refusal) = answer.refusal {
            return Err(refusal.code());
        }
        self.connection.set_authenticated();
        Ok(answer)
    }

    /// Presents a ticket on a fresh connection. What comes back is the next event.
    pub fn resume(&mut self, login: &proto::LoginAnswer, epoch: u32, cursor: u64) {
        let secret: [u8; 32] = login.resume_secret[..].try_into().unwrap();
        let proof = ResumeProof { ticket: &login.ticket, epoch, secret: &secret };
        let offer = proto::ResumeOffer { inbox_cursor: cursor, log_epoch: login.log_epoch, limit: 100 };
        let mut first = Vec::new();
        let now = self.now();
        self.connection = Connection::client_resume(&self.server_key, proof, &offer, random(), now, &mut first);
        self.said.clear();
        self.blurt(&first);
    }

    /// A resume whose answer must be one.
    pub fn resumed(&mut self) -> proto::ResumeResult {
        match self.next() {
            Some(Event::Resumed(result)) => *result,
            other => panic!("not resumed: {other:?}"),
        }
    }

    /// A number for a request.
    pub fn id(&mut self) -> u32 {
        self.next_id += 1;
        self.next_id
    }

    /// The connection works.
    pub fn is_answered(&mut self) {
        let id = self.id();
        let answer: proto::KeepaliveAnswer = self.ask(Operation::Keepalive, &proto::KeepaliveRequest { id });
        assert_eq!(answer.id, id);
    }

    pub fn text(&mut self, to: &str, words: &str) -> proto::SendRequest {
        proto::SendRequest {
            id: self.id(),
            to: Some(proto::send_request::To::User(to.to_owned())),
            client_message_id: fresh_id(),
            body: words.as_bytes().to_vec().into(),
            ..Default::default()
        }
    }

    /// Sends a message that must be stored.
    pub fn say(&mut self, to: &str, words: &str) -> proto::SendAnswer {
        let request = self.text(to, words);
        let answer: proto::SendAnswer = self.ask(Operation::Send, &request);
        assert_eq!((answer.id, &answer.refusal), (request.id, &None));
        answer
    }

    pub fn sync(&mut self, inbox_cursor: u64, limit: u32) -> proto::SyncAnswer {
        let request = proto::SyncRequest { id: self.id(), inbox_cursor, limit, log_epoch: 1 };
        self.ask(Operation::Sync, &request)
    }

    pub fn history(&mut self, user: &str) -> proto::HistoryAnswer {
        let request = proto::HistoryRequest { id: self.id(), user: user.to_owned(), limit: 100, ..Default::default() };
        self.ask(Operation::History, &request)
    }
}

/// The bodies of messages, as text.
pub fn words(entries: &[proto::Entry]) -> Vec<String> {
    entries.iter().map(|entry| String::from_utf8_lossy(&entry.body).into_owned()).collect()
}
