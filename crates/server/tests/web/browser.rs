//! A client that comes by HTTP: a WebSocket, or polls, and [`hongyan_wire::Connection`].

use std::collections::VecDeque;
use std::net::TcpStream;
use std::time::{Duration, Instant};

use hongyan_wire::command::Operation;
use hongyan_wire::noise::ResumeProof;
use hongyan_wire::proto::login_request::Credential;
use hongyan_wire::{Command, Connection, Event, Millis, proto};
use prost::Message;
use serde_json::json;
use tungstenite::client::IntoClientRequest;
use tungstenite::handshake::client::Request;
use tungstenite::{Bytes, WebSocket};

use crate::process::Server;

/// Nothing here waits so long unless something is broken.
const PATIENCE: Duration = Duration::from_secs(60);

/// What came of a request.
#[derive(Debug)]
pub struct Answer {
    pub status: u16,
    pub connection: Option<String>,
    pub body: Vec<u8>,
}

/// A POST with these headers.
pub fn post(server: &Server, path: &str, headers: &[(&str, &str)], body: &[u8]) -> Answer {
    let config = ureq::Agent::config_builder().http_status_as_error(false).timeout_global(Some(PATIENCE)).build();
    let mut request = ureq::Agent::new_with_config(config).post(format!("{}{path}", server.ready("web")));
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    let mut response = request.send(body).expect("the server answers");
    let connection = response.headers().get("hongyan-connection").map(|value| value.to_str().unwrap().to_owned());
    let body = response.body_mut().read_to_vec().expect("the answer is whole");
    Answer { status: response.status().as_u16(), connection, body }
}

/// Makes an account.
pub fn sign_up(server: &Server, user: &str) -> u16 {
    let body = json!({ "app": "default", "user": user, "password": password(user) }).to_string();
    post(server, "/v1/web/sign-up", &[("content-type", "application/json")], body.as_bytes()).status
}

pub fn password(user: &str) -> String {
    format!("the password of {user}")
}

/// The request for a WebSocket.
pub fn socket_request(server: &Server) -> Request {
    let mut request =
        format!("{}/v1/socket", server.ready("web").replace("http:", "ws:")).into_client_request().unwrap();
    request.headers_mut().insert("sec-websocket-protocol", "hongyan.v1".parse().unwrap());
    request
}

/// Opens a WebSocket; the HTTP status if it is refused.
pub fn dial(server: &Server, request: Request) -> Result<WebSocket<TcpStream>, u16> {
    let stream = TcpStream::connect(server.ready("web").trim_start_matches("http://")).unwrap();
    stream.set_read_timeout(Some(PATIENCE)).unwrap();
    match tungstenite::client(request, stream) {
        Ok((socket, _)) => Ok(socket),
        Err(tungstenite::HandshakeError::Failure(tungstenite::Error::Http(response))) => {
            Err(response.status().as_u16())
        }
        Err(error) => panic!("neither a socket nor an answer: {error}"),
    }
}

/// How frames travel.
pub enum Line {
    Socket(Box<WebSocket<TcpStream>>),
    Polls { token: Option<String>, polls: u64, frames: u64 },
}

/// One connection.
pub struct Browser<'a> {
    pub server: &'a Server,
    pub line: Line,
    pub connection: Connection,
    events: VecDeque<Event>,
    started: Instant,
    next_id: u32,
}

impl<'a> Browser<'a> {
    /// By WebSocket.
    pub fn by_socket(server: &'a Server) -> Self {
        let socket = dial(server, socket_request(server)).expect("it may come in");
        Self::on(server, Line::Socket(Box::new(socket)))
    }

    /// By polls.
    pub fn by_polls(server: &'a Server) -> Self {
        Self::on(server, Line::Polls { token: None, polls: 0, frames: 0 })
    }

    fn on(server: &'a Server, line: Line) -> Self {
        let connection = Connection::tls_client_login(Millis(0));
        Self { server, line, connection, events: VecDeque::new(), started: Instant::now(), next_id: 1 }
    }

    fn now(&self) -> Millis {
        Millis(self.started.elapsed().as_millis() as u64)
    }

    /// Writes bytes as they are.
    pub fn write(&mut self, bytes: Vec<u8>) {
        match &mut self.line {
            Line::Socket(socket) => socket.send(Bytes::from(bytes).into()).unwrap(),
            Line::Polls { token: None, .. } => self.poll(&bytes),
            Line::Polls { token: Some(token), frames, .. } => {
                *frames += 1;
                let headers = [("authorization", format!("Bearer {token}")), ("hongyan-frames", frames.to_string())];
                let headers = headers.each_ref().map(|(name, value)| (*name, value.as_str()));
                assert_eq!(post(self.server, "/v1/frames", &headers, &bytes).status, 204);
            }
        }
    }

    /// The next poll, with these frames.
    pub fn poll(&mut self, bytes: &[u8]) {
        let Line::Polls { token, polls, .. } = &mut self.line else { panic!("no polls") };
        *polls += 1;
        let answer = poll(self.server, token.as_deref(), *polls, bytes);
        assert!(matches!(answer.status, 200 | 204), "{answer:?}");
        if token.is_none() {
            *token = answer.connection;
        }
        self.hear(&answer.body);
    }

    pub fn hear(&mut self, mut bytes: &[u8]) {
        let now = self.now();
        while let Some(event) = self.connection.receive(now, &mut bytes, &mut Vec::new()).expect("the server is polite")
        {
            self.events.push_back(event);
        }
    }

    /// The next event; `None` when the server has closed a WebSocket.
    pub fn next(&mut self) -> Option<Event> {
        loop {
            if let Some(event) = self.events.pop_front() {
                return Some(event);
            }
            match &mut self.line {
                Line::Polls { .. } => self.poll(b""),
                Line::Socket(socket) => match socket.read() {
                    Ok(tungstenite::Message::Binary(bytes)) => self.hear(&bytes),
                    Ok(tungstenite::Message::Close(_)) | Err(_) => return None,
                    Ok(_) => {}
                },
            }
        }
    }

    pub fn tell(&mut self, command: Command, message: &impl Message) {
        let (mut bytes, now) = (Vec::new(), self.now());
        self.connection.write_message(command, message, now, &mut bytes).unwrap();
        self.write(bytes);
    }

    /// Sends a request and waits for its answer.
    pub fn ask<A: Message + Default>(&mut self, operation: Operation, request: &impl Message) -> A {
        self.tell(Command::request(operation), request);
        self.wait_for(Command::answer(operation)).expect("an answer comes")
    }

    /// The next frame of one command; frames of others are dropped.
    pub fn wait_for<M: Message + Default>(&mut self, wanted: Command) -> Option<M> {
        loop {
            match self.next()? {
                Event::Frame(command, body) if command == wanted => return Some(M::decode(body).unwrap()),
                _ => {}
            }
        }
    }

    pub fn log_in(&mut self, user: &str) -> proto::LoginAnswer {
        let credential = proto::PasswordCredential { user: user.to_owned(), password: password(user) };
        let request = proto::LoginRequest {
            id: 1,
            app: "default".to_owned(),
            credential: Some(Credential::Password(credential)),
            device_id: vec![7; 16].into(),
            term: proto::Term::Web as i32,
            client: "test".to_owned(),
        };
        let answer: proto::LoginAnswer = self.ask(Operation::Login, &request);
        if answer.refusal.is_none() {
            self.connection.set_authenticated();
        }
        answer
    }

    /// Continues a session on a fresh connection.
    pub fn resume(&mut self, login: &proto::LoginAnswer, epoch: u32, inbox_cursor: u64) -> Event {
        let secret: [u8; 32] = login.resume_secret[..].try_into().unwrap();
        let proof = ResumeProof { ticket: &login.ticket, epoch, secret: &secret };
        let offer = proto::ResumeOffer { inbox_cursor, log_epoch: login.log_epoch, limit: 100 };
        let mut first = Vec::new();
        self.connection = Connection::tls_client_resume(proof, &offer, self.now(), &mut first);
        self.write(first);
        self.next().expect("a resume is answered")
    }

    pub fn id(&mut self) -> u32 {
        self.next_id += 1;
        self.next_id
    }

    pub fn is_answered(&mut self) {
        let id = self.id();
        let answer: proto::KeepaliveAnswer = self.ask(Operation::Keepalive, &proto::KeepaliveRequest { id });
        assert_eq!(answer.id, id);
    }

    /// Sends a message that must be stored; its number.
    pub fn say(&mut self, to: &str, words: &str) -> u64 {
        let mut client_message_id = [0; 16];
        aws_lc_rs::rand::fill(&mut client_message_id).unwrap();
        let request = proto::SendRequest {
            id: self.id(),
            to: Some(proto::send_request::To::User(to.to_owned())),
            client_message_id: client_message_id.to_vec().into(),
            body: words.as_bytes().to_vec().into(),
            ..Default::default()
        };
        let answer: proto::SendAnswer = self.ask(Operation::Send, &request);
        assert_eq!((answer.id, &answer.refusal), (request.id, &None));
        answer.seq
    }

    /// The words of the next pushed message.
    pub fn hears(&mut self) -> String {
        let pushed: proto::MessageNotify = self.wait_for(Command::notify(Operation::Message)).expect("it is pushed");
        words(&pushed.entries)
    }
}

/// The bodies of inbox entries, joined.
pub fn words(entries: &[proto::InboxEntry]) -> String {
    let body = |entry: &proto::InboxEntry| match &entry.what {
        Some(proto::inbox_entry::What::Entry(entry)) => String::from_utf8_lossy(&entry.body).into_owned(),
        other => panic!("no message: {other:?}"),
    };
    entries.iter().map(body).collect::<Vec<_>>().join("|")
}

/// One poll.
pub fn poll(server: &Server, token: Option<&str>, number: u64, frames: &[u8]) -> Answer {
    let number = number.to_string();
    let bearer = token.map(|token| format!("Bearer {token}"));
    let mut headers = vec![("hongyan-poll", number.as_str())];
    headers.extend(bearer.as_deref().map(|bearer| ("authorization", bearer)));
    post(server, "/v1/poll", &headers, frames)
}
