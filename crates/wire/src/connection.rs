//! One end of a TCP connection as a state machine: bytes in, events and bytes out.
//!
//! The same type serves the gate and the client core. Whoever drives it owns the socket, the clock and the
//! randomness, hands received bytes to [`Connection::receive`] until they are used up, and writes to the socket what
//! is appended to `out`. The machine keeps no buffer while no frame is half received. It knows frames, keys, states
//! and deadlines; what a login or a message means is not its business.

use bytes::{Buf, Bytes, BytesMut};
use prost::Message;
use snow::HandshakeState;
use thiserror::Error;

use crate::command::{Command, Kind, Operation, kind_of};
use crate::frame::{HEADER_BYTES, Header};
use crate::limits;
use crate::noise::{self, COPY_BYTES, Ephemeral, OVERHEAD_BYTES, ResumeProof, StaticKey, Transport};
use crate::proto;
use crate::time::Millis;

/// What the other end did.
#[derive(Debug)]
pub enum Event {
    /// Server: a client wants to continue a session. Open the ticket, then call [`Connection::accept_resume`].
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
    /// Client: the session goes on, or its end is told under the session's own keys.
    Resumed(Box<proto::ResumeResult>),
    /// Client: the handshake or resume was refused in clear.
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

/// Why a connection must be closed. The peer's fault, or at least not ours.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Error)]
#[allow(missing_docs, reason = "the messages say it")]
pub enum Violation {
    #[error("the first bytes are not of this protocol")]
    BadMagic,
    #[error("this protocol version is not spoken here")]
    UnsupportedVersion,
    #[error("reserved header bits are set")]
    ReservedBits,
    #[error("the frame is too big")]
    TooBig,
    #[error("the body cannot be parsed")]
    Malformed,
    #[error("the frame does not decrypt")]
    Undecryptable,
    #[error("header and ciphertext name different commands")]
    HeaderMismatch,
    #[error("the frame must be encrypted")]
    NotEncrypted,
    #[error("the command is not allowed in this state")]
    WrongState,
    #[error("the handshake failed")]
    HandshakeFailed,
    #[error("not authenticated in time")]
    HandshakeDeadline,
    #[error("a frame was not completed in time")]
    FrameDeadline,
    #[error("nothing was heard for too long")]
    Idle,
}

impl Violation {
    /// The code for a [`proto::CloseNotify`].
    pub fn code(self) -> proto::RefusalCode {
        use proto::RefusalCode as Code;
        match self {
            Self::UnsupportedVersion => Code::UnsupportedVersion,
            Self::TooBig => Code::TooBig,
            Self::BadMagic | Self::ReservedBits | Self::Malformed | Self::HeaderMismatch => Code::Malformed,
            Self::NotEncrypted | Self::WrongState => Code::WrongState,
            Self::Undecryptable | Self::HandshakeFailed => Code::Unauthenticated,
            Self::HandshakeDeadline | Self::FrameDeadline | Self::Idle => Code::TimedOut,
        }
    }
}

enum State {
    /// Server: nothing received yet.
    Opening(Box<(StaticKey, Ephemeral)>),
    /// Server: message 1 of a resume is read, its answer not yet known.
    Resuming(Box<HandshakeState>),
    /// Client: message 1 is sent.
    Offered(Box<HandshakeState>, Operation),
    /// Keys are agreed.
    Encrypted(Box<Transport>),
    /// Nothing more is sent or received.
    Closed,
}

/// One end of a connection.
pub struct Connection {
    state: State,
    server: bool,
    authenticated: bool,
    /// The bytes of an incomplete frame; without capacity while there is none.
    partial: Vec<u8>,
    partial_since: Millis,
    opened: Millis,
    received: Millis,
    sent: Millis,
}

impl Connection {
    /// The server's end of a connection that was just accepted.
    pub fn server(key: StaticKey, ephemeral: Ephemeral, now: Millis) -> Self {
        Self::new(State::Opening(Box::new((key, ephemeral))), true, now)
    }

    /// The client's end, about to log in: writes HANDSHAKE.R.
    pub fn client_login(server: &[u8; 32], ephemeral: Ephemeral, now: Millis, out: &mut Vec<u8>) -> Self {
        let mut handshake = noise::login_initiator(server, ephemeral).expect("all parameters are given");
        let noise = write_handshake(&mut handshake, &[]);
        let request = proto::HandshakeRequest { id: 1, noise };
        write_clear(Command::request(Operation::Handshake), &request, out);
        Self::new(State::Offered(Box::new(handshake), Operation::Handshake), false, now)
    }

    /// The client's end, about to continue a session: writes RESUME.R.
    pub fn client_resume(
        server: &[u8; 32],
        proof: ResumeProof<'_>,
        offer: &proto::ResumeOffer,
        ephemeral: Ephemeral,
        now: Millis,
        out: &mut Vec<u8>,
    ) -> Self {
        let mut handshake = noise::resume_initiator(server, proof, ephemeral).expect("all parameters are given");
        let noise = write_handshake(&mut handshake, &offer.encode_to_vec());
        let ticket = Bytes::copy_from_slice(proof.ticket);
        let request = proto::ResumeRequest { id: 1, ticket, epoch: proof.epoch, noise };
        write_clear(Command::request(Operation::Resume), &request, out);
        Self::new(State::Offered(Box::new(handshake), Operation::Resume), false, now)
    }

    fn new(state: State, server: bool, now: Millis) -> Self {
        Self {
            state,
            server,
            authenticated: false,
            partial: Vec::new(),
            partial_since: now,
            opened: now,
            received: now,
            sent: now,
        }
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
        while !input.is_empty() {
            if matches!(self.state, State::Closed) {
                *input = &[];
                return Ok(None);
            }
            if self.partial.is_empty()
                && let Some((header, body, rest)) = self.split(input)?
            {
                *input = rest;
                self.received = now;
                if let Some(event) = self.frame(now, header, body, out)? {
                    return Ok(Some(event));
                }
                continue;
            }
            let Some(whole) = self.complete_partial(now, input)? else { return Ok(None) };
            let header = self.header(&whole)?.expect("a whole frame has a header");
            self.received = now;
            if let Some(event) = self.frame(now, header, &whole[HEADER_BYTES..], out)? {
                return Ok(Some(event));
            }
        }
        Ok(None)
    }

    fn body_bytes_max(&self) -> usize {
        if self.authenticated || !self.server {
            limits::FRAME_BODY_BYTES_MAX
        } else {
            limits::UNAUTHENTICATED_BODY_BYTES_MAX
        }
    }

    fn header(&self, bytes: &[u8]) -> Result<Option<Header>, Violation> {
        bytes.first_chunk::<HEADER_BYTES>().map(|bytes| Header::decode(bytes, self.body_bytes_max())).transpose()
    }

    /// The first frame of the input, if all of it is there.
    fn split<'a>(&self, input: &'a [u8]) -> Result<Option<(Header, &'a [u8], &'a [u8])>, Violation> {
        let Some(header) = self.header(input)? else { return Ok(None) };
        let end = HEADER_BYTES + header.length;
        Ok(input.split_at_checked(end).map(|(frame, rest)| (header, &frame[HEADER_BYTES..], rest)))
    }

    /// Moves as much of the input to the incomplete frame as belongs to it. Memory grows with what has arrived, never
    /// with what a length promises.
    fn complete_partial(&mut self, now: Millis, input: &mut &[u8]) -> Result<Option<Vec<u8>>, Violation> {
        if self.partial.is_empty() {
            self.partial_since = now;
        }
        loop {
            let wanted = match self.header(&self.partial)? {
                None => HEADER_BYTES,
                Some(header) if self.partial.len() == HEADER_BYTES + header.length => {
                    return Ok(Some(std::mem::take(&mut self.partial)));
                }
                Some(header) => HEADER_BYTES + header.length,
            };
            if input.is_empty() {
                return Ok(None);
            }
            let (taken, rest) = input.split_at((wanted - self.partial.len()).min(input.len()));
            self.partial.extend_from_slice(taken);
            *input = rest;
        }
    }

    fn frame(
        &mut self,
        now: Millis,
        header: Header,
        body: &[u8],
        out: &mut Vec<u8>,
    ) -> Result<Option<Event>, Violation> {
        match &mut self.state {
            State::Opening(_) => self.opening(now, header, body, out),
            State::Offered(..) => self.offered(now, header, body),
            State::Resuming(_) => Err(Violation::WrongState),
            State::Encrypted(transport) => {
                let body = decrypt(transport, header, body)?;
                self.encrypted(header.command, body)
            }
            State::Closed => Ok(None),
        }
    }

    /// Server: the first frame.
    fn opening(
        &mut self,
        now: Millis,
        header: Header,
        body: &[u8],
        out: &mut Vec<u8>,
    ) -> Result<Option<Event>, Violation> {
        let command = Command::from_number(header.command).filter(|_| !header.encrypted);
        let State::Opening(keys) = &self.state else { unreachable!("the caller has matched the state") };
        match command {
            Some(Command { kind: Kind::Request, operation: Operation::Handshake }) => {
                let request = proto::HandshakeRequest::decode(body).map_err(|_| Violation::Malformed)?;
                let (key, ephemeral) = &**keys;
                let mut handshake = noise::login_responder(key, *ephemeral).expect("all parameters are given");
                let mut payload = [0; limits::UNAUTHENTICATED_BODY_BYTES_MAX];
                handshake.read_message(&request.noise, &mut payload).map_err(|_| Violation::HandshakeFailed)?;
                let noise = write_handshake(&mut handshake, &[]);
                let answer = proto::HandshakeAnswer { id: request.id, refusal: None, noise };
                write_clear(Command::answer(Operation::Handshake), &answer, out);
                self.establish(handshake, now)?;
                Ok(None)
            }
            Some(Command { kind: Kind::Request, operation: Operation::Resume }) => {
                let request = proto::ResumeRequest::decode(body).map_err(|_| Violation::Malformed)?;
                let proto::ResumeRequest { id, ticket, epoch, noise } = request;
                Ok(Some(Event::Resume { id, ticket, epoch, noise }))
            }
            _ => Err(Violation::WrongState),
        }
    }

    fn establish(&mut self, handshake: HandshakeState, now: Millis) -> Result<(), Violation> {
        let transport = Transport::new(handshake, now).map_err(|_| Violation::HandshakeFailed)?;
        self.state = State::Encrypted(Box::new(transport));
        Ok(())
    }

    /// Server: proves that the client holds the ticket's secret, and gives what it offers. An error ends the attempt;
    /// answer with [`Connection::refuse_resume`].
    pub fn accept_resume(&mut self, proof: ResumeProof<'_>, noise: &[u8]) -> Result<proto::ResumeOffer, Violation> {
        let State::Opening(keys) = &self.state else { return Err(Violation::WrongState) };
        let (key, ephemeral) = &**keys;
        let mut handshake = noise::resume_responder(key, proof, *ephemeral).map_err(|_| Violation::HandshakeFailed)?;
        let mut payload = [0; limits::UNAUTHENTICATED_BODY_BYTES_MAX];
        let length = handshake.read_message(noise, &mut payload).map_err(|_| Violation::HandshakeFailed)?;
        let offer = proto::ResumeOffer::decode(&payload[..length]).map_err(|_| Violation::Malformed)?;
        self.state = State::Resuming(Box::new(handshake));
        Ok(offer)
    }

    /// Server: answers an accepted resume. The first frame received afterwards confirms the epoch.
    pub fn answer_resume(
        &mut self,
        id: u32,
        result: &proto::ResumeResult,
        now: Millis,
        out: &mut Vec<u8>,
    ) -> Result<(), Violation> {
        let State::Resuming(mut handshake) = std::mem::replace(&mut self.state, State::Closed) else {
            return Err(Violation::WrongState);
        };
        let noise = write_handshake(&mut handshake, &result.encode_to_vec());
        write_clear(Command::answer(Operation::Resume), &proto::ResumeAnswer { id, refusal: None, noise }, out);
        self.establish(*handshake, now)?;
        self.sent = now;
        if result.refusal.is_none() {
            self.authenticated = true;
        }
        Ok(())
    }

    /// Server: tells in clear that the ticket is of no use. The client may go on with HANDSHAKE on this connection.
    pub fn refuse_resume(&mut self, id: u32, refusal: proto::Refusal, out: &mut Vec<u8>) {
        let answer = proto::ResumeAnswer { id, refusal: Some(refusal), noise: Bytes::new() };
        write_clear(Command::answer(Operation::Resume), &answer, out);
    }

    /// Client: the answer to the first frame.
    fn offered(&mut self, now: Millis, header: Header, body: &[u8]) -> Result<Option<Event>, Violation> {
        let State::Offered(mut handshake, operation) = std::mem::replace(&mut self.state, State::Closed) else {
            unreachable!("the caller has matched the state");
        };
        if header.encrypted {
            return Err(Violation::WrongState);
        }
        let command = Command::from_number(header.command);
        if command == Some(Command::notify(Operation::Close)) {
            let close = proto::CloseNotify::decode(body).map_err(|_| Violation::Malformed)?;
            return Ok(Some(Event::Refused(close.refusal.unwrap_or_default())));
        }
        if command != Some(Command::answer(operation)) {
            return Err(Violation::WrongState);
        }
        let (refusal, noise) = if operation == Operation::Handshake {
            let answer = proto::HandshakeAnswer::decode(body).map_err(|_| Violation::Malformed)?;
            (answer.refusal, answer.noise)
        } else {
            let answer = proto::ResumeAnswer::decode(body).map_err(|_| Violation::Malformed)?;
            (answer.refusal, answer.noise)
        };
        if let Some(refusal) = refusal {
            return Ok(Some(Event::Refused(refusal)));
        }
        let mut payload = vec![0; noise.len()];
        let length = handshake.read_message(&noise, &mut payload).map_err(|_| Violation::HandshakeFailed)?;
        self.establish(*handshake, now)?;
        if operation == Operation::Handshake {
            return Ok(Some(Event::Ready));
        }
        let result = proto::ResumeResult::decode(&payload[..length]).map_err(|_| Violation::Malformed)?;
        self.authenticated = result.refusal.is_none();
        Ok(Some(Event::Resumed(Box::new(result))))
    }

    /// Both: a decrypted frame.
    fn encrypted(&mut self, number: u32, body: Bytes) -> Result<Option<Event>, Violation> {
        let receivable = |kind| if self.server { kind == Kind::Request } else { kind != Kind::Request };
        let Some(command) = Command::from_number(number) else {
            return match kind_of(number) {
                Some(Kind::Request) if self.authenticated && self.server => {
                    let id = proto::KeepaliveRequest::decode(body).map_err(|_| Violation::Malformed)?.id;
                    Ok(Some(Event::Unknown { command: number, id }))
                }
                // A newer server may tell things that this client does not know.
                Some(_) if !self.server => Ok(None),
                _ => Err(Violation::WrongState),
            };
        };
        if command == Command::notify(Operation::Rekey) {
            let State::Encrypted(transport) = &mut self.state else { return Err(Violation::WrongState) };
            transport.rekey_receiving();
            return Ok(None);
        }
        let link_operation = matches!(command.operation, Operation::Handshake | Operation::Resume);
        let second_login = self.server && (command.operation == Operation::Login) == self.authenticated;
        if !receivable(command.kind) || link_operation || second_login {
            return Err(Violation::WrongState);
        }
        Ok(Some(Event::Frame(command, body)))
    }

    /// Server: the login was accepted; the limits of authenticated connections hold from now on. Client: the same.
    pub fn set_authenticated(&mut self) {
        self.authenticated = true;
    }

    /// Whether login or resume has been accepted.
    pub fn is_authenticated(&self) -> bool {
        self.authenticated
    }

    /// Appends one encrypted frame to `out`. Nothing is written unless keys are agreed, or if the body is longer than
    /// [`limits::PLAINTEXT_BYTES_MAX`].
    pub fn write(&mut self, command: Command, body: &[u8], now: Millis, out: &mut Vec<u8>) -> Result<(), Violation> {
        let State::Encrypted(transport) = &mut self.state else { return Err(Violation::WrongState) };
        if body.len() > limits::PLAINTEXT_BYTES_MAX {
            return Err(Violation::TooBig);
        }
        if transport.rekey_due(now) {
            encrypt(transport, Command::notify(Operation::Rekey), &[], out);
            transport.rekey_sending(now);
        }
        encrypt(transport, command, body, out);
        self.sent = now;
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

    /// Closes this end, and tells the peer why if this is the server and keys are agreed or not yet asked for.
    pub fn write_close(&mut self, now: Millis, violation: Violation, out: &mut Vec<u8>) {
        if self.server {
            let refusal =
                proto::Refusal { code: violation.code().into(), text: violation.to_string(), ..Default::default() };
            let close = proto::CloseNotify { refusal: Some(refusal) };
            let command = Command::notify(Operation::Close);
            match self.state {
                // Strangers who do not speak the protocol get no bytes to chew on.
                State::Opening(_) if violation != Violation::BadMagic => write_clear(command, &close, out),
                State::Encrypted(_) => {
                    self.write_message(command, &close, now, out).expect("keys are agreed and the text is short");
                }
                _ => {}
            }
        }
        self.state = State::Closed;
        self.partial = Vec::new();
    }

    /// When [`Connection::handle_timeout`] must be called at the latest.
    pub fn deadline(&self) -> Millis {
        let idle = self.received + limits::IDLE_DEADLINE;
        let frame = if self.partial.is_empty() { idle } else { self.partial_since + limits::FRAME_DEADLINE };
        let handshake = if self.authenticated { idle } else { self.opened + limits::HANDSHAKE_DEADLINE };
        idle.min(frame).min(handshake)
    }

    /// Checks the deadlines; call it at [`Connection::deadline`] or whenever convenient.
    pub fn handle_timeout(&mut self, now: Millis, out: &mut Vec<u8>) -> Result<(), Violation> {
        if now < self.deadline() || matches!(self.state, State::Closed) {
            return Ok(());
        }
        let violation = if !self.authenticated {
            Violation::HandshakeDeadline
        } else if !self.partial.is_empty() && now - self.partial_since >= limits::FRAME_DEADLINE {
            Violation::FrameDeadline
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
}

fn decrypt(transport: &mut Transport, header: Header, body: &[u8]) -> Result<Bytes, Violation> {
    if !header.encrypted {
        return Err(Violation::NotEncrypted);
    }
    let length = body.len().checked_sub(OVERHEAD_BYTES - COPY_BYTES).ok_or(Violation::Undecryptable)?;
    let mut plaintext = BytesMut::zeroed(length);
    transport.decrypt(body, &mut plaintext).map_err(|_| Violation::Undecryptable)?;
    let mut plaintext = plaintext.freeze();
    if plaintext.len() < COPY_BYTES || plaintext.get_u8() != header.flags() || plaintext.get_u32() != header.command {
        return Err(Violation::HeaderMismatch);
    }
    Ok(plaintext)
}

fn encrypt(transport: &mut Transport, command: Command, body: &[u8], out: &mut Vec<u8>) {
    let header = Header { encrypted: true, command: command.number(), length: body.len() + OVERHEAD_BYTES };
    out.extend_from_slice(&header.encode());
    let start = out.len();
    let mut plaintext = Vec::with_capacity(body.len() + COPY_BYTES);
    plaintext.push(header.flags());
    plaintext.extend_from_slice(&header.command.to_be_bytes());
    plaintext.extend_from_slice(body);
    out.resize(start + header.length, 0);
    transport.encrypt(&plaintext, &mut out[start..]).expect("the buffer fits and the nonce is far from its end");
}

fn write_handshake(handshake: &mut HandshakeState, payload: &[u8]) -> Bytes {
    let mut message = vec![0; payload.len() + 128];
    let length = handshake.write_message(payload, &mut message).expect("it is this end's turn and the buffer fits");
    message.truncate(length);
    message.into()
}

fn write_clear(command: Command, message: &impl Message, out: &mut Vec<u8>) {
    let header = Header { encrypted: false, command: command.number(), length: message.encoded_len() };
    out.extend_from_slice(&header.encode());
    message.encode(out).expect("a Vec grows");
}
