//! One end of a connection as a state machine: bytes in, events and bytes out.
//!
//! The same type serves the gate and the client core. Whoever drives it owns the socket, the clock and the
//! randomness, hands received bytes to [`Connection::receive`] until they are used up, and writes to the socket what
//! is appended to `out`. The machine keeps no buffer while no frame is half received. It knows frames, keys, states
//! and deadlines; what a login or a message means is not its business.
//!
//! The first frames, in clear, are in `connection/opening.rs`; cutting the stream into frames is in
//! `connection/reassembly.rs`; this file has what happens once keys are agreed.

mod opening;
mod reassembly;
mod tls;

use bytes::{Buf, Bytes, BytesMut};
use prost::Message;

use crate::command::{Command, Kind, Operation, kind_of};
use crate::frame::{HEADER_BYTES, Header};
use crate::limits;
use crate::noise::{COPY_BYTES, Ephemeral, OVERHEAD_BYTES, StaticKey, Transport};
use crate::proto;
use crate::time::Millis;
pub use crate::violation::Violation;
use opening::State;
use reassembly::{Frame, Reassembly};

/// What the other end did.
#[derive(Debug)]
pub enum Event {
    /// Server: a client wants to continue a session. Open the ticket, then call [`Connection::accept_resume`], then
    /// [`Connection::answer_resume`] or [`Connection::refuse_resume`]. Whatever the client sends meanwhile is a
    /// violation.
    Resume {
        /// To be echoed.
        id: u32,
        /// As sealed by a gate.
        ticket: Bytes,
        /// Chosen by the client.
        epoch: u32,
        /// Noise message 1, for `accept_resume`.
        noise: Bytes,
    },
    /// Client: keys are agreed; send LOGIN.
    Ready,
    /// Client: the session goes on, or its end is told under the session's own keys. Answer with any frame at once:
    /// it confirms the epoch.
    Resumed(Box<proto::ResumeResult>),
    /// Client: the handshake or resume was refused in clear, so anybody on the path may have said it: never a reason
    /// to forget a session or a password. After a refused resume, [`Connection::login_after_refusal`] goes on.
    Refused(proto::Refusal),
    /// A frame; only a known command of a kind that this end may receive.
    Frame(Command, Bytes),
    /// Server: a request of an operation that does not exist, with its id; answer it with a refusal.
    Unknown {
        /// As in the header.
        command: u32,
        /// Field 1 of the body.
        id: u32,
    },
}

/// How far the other end (on a client: this end) is from being somebody.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Standing {
    /// Nobody has asked.
    Stranger,
    /// Server: LOGIN.R has been handed out and not yet answered.
    LoginAsked,
    /// Server: RESUME.A is sent, but message 1 may be a replay until a frame decrypts.
    ResumeAnswered,
    /// Login or resume is done.
    Authenticated,
}

/// One end of a connection.
pub struct Connection {
    state: State,
    server: bool,
    standing: Standing,
    incoming: Reassembly,
    opened: Millis,
    received: Millis,
    sent: Millis,
    rekey_frames: u32,
    /// Whoever drives it knows whether the other end is there, and silence means nothing.
    may_be_silent: bool,
}

impl Connection {
    /// The server's end of a connection that was just accepted.
    pub fn server(key: StaticKey, ephemeral: Ephemeral, now: Millis) -> Self {
        Self::new(State::opening(key, ephemeral), true, now)
    }

    fn new(state: State, server: bool, now: Millis) -> Self {
        Self {
            state,
            server,
            standing: Standing::Stranger,
            incoming: Reassembly::new(now),
            opened: now,
            received: now,
            sent: now,
            rekey_frames: limits::REKEY_FRAMES,
            may_be_silent: false,
        }
    }

    /// Does not take silence for death: for transports that have signs of life of their own, such as polls.
    pub fn without_heartbeat(mut self) -> Self {
        self.may_be_silent = true;
        self
    }

    /// Takes bytes from `input` up to the next event; `None` when they are used up. After a violation the connection
    /// is closed; [`Connection::write_close`] has been done if the state allowed it.
    pub fn receive(&mut self, now: Millis, input: &mut &[u8], out: &mut Vec<u8>) -> Result<Option<Event>, Violation> {
        let result = self.receive_unchecked(now, input, out);
        if let Err(violation) = result {
            self.write_close(now, violation, out);
        }
        result
    }

    fn receive_unchecked(
        &mut self,
        now: Millis,
        input: &mut &[u8],
        out: &mut Vec<u8>,
    ) -> Result<Option<Event>, Violation> {
        while !matches!(self.state, State::Closed) {
            let Some(frame) = self.incoming.next(now, input, self.body_bytes_max())? else { return Ok(None) };
            self.received = now;
            if let Some(event) = self.frame(now, &frame, out)? {
                return Ok(Some(event));
            }
        }
        *input = &[];
        Ok(None)
    }

    fn body_bytes_max(&self) -> usize {
        if self.is_authenticated() || !self.server {
            limits::FRAME_BODY_BYTES_MAX
        } else {
            limits::UNAUTHENTICATED_BODY_BYTES_MAX
        }
    }

    fn frame(&mut self, now: Millis, frame: &Frame<'_>, out: &mut Vec<u8>) -> Result<Option<Event>, Violation> {
        let transport = match &mut self.state {
            State::Encrypted(transport) => transport,
            State::Tls { .. } => return self.tls_frame(now, frame),
            _ => return self.clear_frame(now, frame, out),
        };
        let body = decrypt(transport, frame.header, frame.body())?;
        if self.standing == Standing::ResumeAnswered {
            self.standing = Standing::Authenticated;
        }
        match Command::from_number(frame.header.command).filter(|command| command.exists()) {
            Some(command) => self.known(now, command, body),
            None => self.unknown(frame.header.command, body),
        }
    }

    /// Both: a protected frame of a command that exists.
    fn known(&mut self, now: Millis, command: Command, body: Bytes) -> Result<Option<Event>, Violation> {
        use Operation::{Handshake, Login, Rekey, Resume};
        let allowed = match (command.kind, command.operation) {
            (_, Handshake | Resume) => false,
            (Kind::Notify, Rekey) => self.is_authenticated(),
            (Kind::Request, Login) => self.server && self.standing == Standing::Stranger,
            (Kind::Request, _) => self.server && self.is_authenticated(),
            (Kind::Answer | Kind::Notify, _) => !self.server,
        };
        if !allowed {
            return Err(Violation::WrongState);
        }
        if command.operation == Rekey {
            let State::Encrypted(transport) = &mut self.state else { return Err(Violation::WrongState) };
            return if transport.rekey_receiving(now) { Ok(None) } else { Err(Violation::WrongState) };
        }
        if self.server && command.operation == Login {
            self.standing = Standing::LoginAsked;
        }
        Ok(Some(Event::Frame(command, body)))
    }

    /// Both: a protected frame of a command that this version does not know.
    fn unknown(&mut self, number: u32, body: Bytes) -> Result<Option<Event>, Violation> {
        match kind_of(number) {
            Some(Kind::Request) if self.server && self.is_authenticated() => {
                let id = proto::KeepaliveRequest::decode(body).map_err(|_| Violation::Malformed)?.id;
                Ok(Some(Event::Unknown { command: number, id }))
            }
            // A newer server may tell things that this client does not know.
            Some(Kind::Answer | Kind::Notify) if !self.server => Ok(None),
            _ => Err(Violation::WrongState),
        }
    }

    /// Server: the login was accepted; the limits of authenticated connections hold from now on. Client: the same.
    pub fn set_authenticated(&mut self) {
        self.standing = Standing::Authenticated;
    }

    /// Whether login or resume has been accepted. A resume counts on the server only when the client's first frame
    /// has decrypted: until then it may be a replay, so nothing but reads may come of it.
    pub fn is_authenticated(&self) -> bool {
        self.standing == Standing::Authenticated
    }

    /// Appends one encrypted frame to `out`. Nothing is written unless keys are agreed, or if the body is longer than
    /// [`limits::PLAINTEXT_BYTES_MAX`].
    pub fn write(&mut self, command: Command, body: &[u8], now: Millis, out: &mut Vec<u8>) -> Result<(), Violation> {
        if body.len() > limits::PLAINTEXT_BYTES_MAX {
            return Err(Violation::TooBig);
        }
        if let State::Encrypted(transport) = &mut self.state
            && self.standing == Standing::Authenticated
            && transport.rekey_due(now, self.rekey_frames)
        {
            encrypt(transport, Command::notify(Operation::Rekey).number(), &[], out);
            transport.rekey_sending(now);
        }
        self.write_frame(command.number(), body, out)?;
        self.sent = now;
        if self.standing == Standing::LoginAsked && command == Command::answer(Operation::Login) {
            self.standing = Standing::Stranger;
        }
        Ok(())
    }

    /// Server: answers the request of [`Event::Unknown`] under its own number, so that the client can match it by id.
    pub fn write_unknown(
        &mut self,
        number: u32,
        id: u32,
        refusal: proto::Refusal,
        now: Millis,
        out: &mut Vec<u8>,
    ) -> Result<(), Violation> {
        // Every answer begins with id and refusal; KEEPALIVE.A stands for all.
        let answer = proto::KeepaliveAnswer { id, refusal: Some(refusal), ..Default::default() };
        let number = (Kind::Answer as u32) << 16 | (number & 0xFFFF);
        self.write_frame(number, &answer.encode_to_vec(), out)?;
        self.sent = now;
        Ok(())
    }

    fn write_frame(&mut self, number: u32, body: &[u8], out: &mut Vec<u8>) -> Result<(), Violation> {
        match &mut self.state {
            State::Encrypted(transport) => encrypt(transport, number, body, out),
            State::Tls { .. } => {
                let header = Header { encrypted: false, command: number, length: body.len() };
                out.extend_from_slice(&header.encode());
                out.extend_from_slice(body);
            }
            _ => return Err(Violation::WrongState),
        }
        Ok(())
    }

    /// As [`Connection::write`], for a message.
    pub fn write_message(
        &mut self,
        command: Command,
        message: &impl Message,
        now: Millis,
        out: &mut Vec<u8>,
    ) -> Result<(), Violation> {
        self.write(command, &message.encode_to_vec(), now, out)
    }

    /// Changes sending keys after so many frames instead of [`limits::REKEY_FRAMES`]; for tests and simulations. A
    /// peer refuses a key that served fewer than [`limits::REKEY_FRAMES_MIN`].
    pub fn set_rekey_frames(&mut self, frames: u32) {
        self.rekey_frames = frames;
    }

    /// Closes this end, and tells the peer why if this is the server and keys are agreed or not yet asked for.
    pub fn write_close(&mut self, now: Millis, violation: Violation, out: &mut Vec<u8>) {
        if self.server {
            let refusal =
                proto::Refusal { code: violation.code().into(), text: violation.to_string(), ..Default::default() };
            let close = proto::CloseNotify { refusal: Some(refusal) };
            let command = Command::notify(Operation::Close);
            match self.state {
                // Strangers who do not speak the protocol get no bytes to chew on.
                State::Opening { .. } if violation != Violation::BadMagic => write_clear(command, &close, out),
                State::Encrypted(_) | State::Tls { .. } => {
                    self.write_message(command, &close, now, out).expect("keys are agreed and the text is short");
                }
                _ => {}
            }
        }
        self.state = State::Closed;
        self.incoming.clear();
    }

    /// When [`Connection::handle_timeout`] must be called at the latest; the end of time if it is closed.
    pub fn deadline(&self) -> Millis {
        match self.state {
            State::Closed => Millis(u64::MAX),
            State::Unusable => self.opened,
            _ => {
                let handshake = self.handshake_deadline().unwrap_or(Millis(u64::MAX));
                let frame = self.incoming.deadline().unwrap_or(Millis(u64::MAX));
                self.idle_deadline().min(handshake).min(frame)
            }
        }
    }

    fn idle_deadline(&self) -> Millis {
        if self.may_be_silent { Millis(u64::MAX) } else { self.received + limits::IDLE_DEADLINE }
    }

    fn handshake_deadline(&self) -> Option<Millis> {
        (!self.is_authenticated()).then_some(self.opened + limits::HANDSHAKE_DEADLINE)
    }

    /// Checks the deadlines; call it at [`Connection::deadline`] or whenever convenient.
    pub fn handle_timeout(&mut self, now: Millis, out: &mut Vec<u8>) -> Result<(), Violation> {
        if now < self.deadline() || matches!(self.state, State::Closed) {
            return Ok(());
        }
        let violation = if matches!(self.state, State::Unusable) {
            Violation::HandshakeFailed
        } else if self.incoming.deadline().is_some_and(|deadline| deadline <= now) {
            Violation::FrameDeadline
        } else if self.handshake_deadline().is_some_and(|deadline| deadline <= now) {
            Violation::HandshakeDeadline
        } else {
            Violation::Idle
        };
        self.write_close(now, violation, out);
        Err(violation)
    }

    /// Client: when KEEPALIVE is due unless something else is sent before.
    pub fn heartbeat_due(&self) -> Millis {
        self.sent + limits::HEARTBEAT
    }

    /// When the last whole frame arrived.
    pub fn last_received(&self) -> Millis {
        self.received
    }

    /// Memory held for a half-received frame, in bytes; 0 between frames.
    pub fn buffered_bytes(&self) -> usize {
        self.incoming.capacity()
    }

    /// Nothing more is sent or received.
    pub fn is_closed(&self) -> bool {
        matches!(self.state, State::Closed)
    }
}

fn decrypt(transport: &mut Transport, header: Header, body: &[u8]) -> Result<Bytes, Violation> {
    if !header.encrypted {
        return Err(Violation::NotEncrypted);
    }
    let length = body.len().checked_sub(OVERHEAD_BYTES - COPY_BYTES).ok_or(Violation::Undecryptable)?;
    if length > limits::PLAINTEXT_BYTES_MAX + COPY_BYTES {
        return Err(Violation::TooBig);
    }
    let mut plaintext = BytesMut::zeroed(length);
    transport.decrypt(body, &mut plaintext).map_err(|_| Violation::Undecryptable)?;
    let mut plaintext = plaintext.freeze();
    if plaintext.len() < COPY_BYTES || plaintext.get_u8() != header.flags() || plaintext.get_u32() != header.command {
        return Err(Violation::HeaderMismatch);
    }
    Ok(plaintext)
}

/// Appends header and ciphertext. The plaintext is put together behind its own ciphertext and cut off again, so that
/// `out` is the only buffer.
fn encrypt(transport: &mut Transport, command: u32, body: &[u8], out: &mut Vec<u8>) {
    let header = Header { encrypted: true, command, length: body.len() + OVERHEAD_BYTES };
    let start = out.len() + HEADER_BYTES;
    let end = start + header.length;
    out.reserve(HEADER_BYTES + header.length + COPY_BYTES + body.len());
    out.extend_from_slice(&header.encode());
    out.resize(end, 0);
    out.push(header.flags());
    out.extend_from_slice(&header.command.to_be_bytes());
    out.extend_from_slice(body);
    let (frames, plaintext) = out.split_at_mut(end);
    transport.encrypt(plaintext, &mut frames[start..]).expect("the buffer fits and the nonce is far from its end");
    // No copy of what was said stays behind in a buffer that may be handed around.
    plaintext.fill(0);
    out.truncate(end);
}

fn write_clear(command: Command, message: &impl Message, out: &mut Vec<u8>) {
    let header = Header { encrypted: false, command: command.number(), length: message.encoded_len() };
    out.extend_from_slice(&header.encode());
    message.encode(out).expect("a Vec grows");
}
