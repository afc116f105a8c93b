//! The first frames of a connection, in clear, until keys are agreed: handshake, resume, and their refusals.
//!
//! ```text
//! server: Opening ── HANDSHAKE.R ───────────────────────────────► Encrypted
//!         Opening ── RESUME.R ─► ResumeAsked ─ accept ─► Resuming ─ answer ─► Encrypted
//!                                     └──── refuse ──────────┴─► Opening, for HANDSHAKE.R only
//! client: Offered ── HANDSHAKE.A, RESUME.A ─────────────────────► Encrypted
//!         Offered ── RESUME.A with a refusal ─► ResumeRefused ─ login_after_refusal ─► Offered
//! ```
//!
//! Each end makes one ephemeral key at most per handshake, and none is used in two.

use bytes::Bytes;
use prost::Message;
use snow::HandshakeState;

use super::reassembly::Frame;
use super::{Connection, Event, Standing, write_clear};
use crate::command::{Command, Kind, Operation};
use crate::frame::Header;
use crate::limits;
use crate::noise::{self, Ephemeral, ResumeProof, StaticKey, Transport};
use crate::proto;
use crate::time::Millis;
use crate::violation::Violation;

/// Bytes that a Noise message adds to its payload: an ephemeral key and a tag, or a little less.
const HANDSHAKE_OVERHEAD_BYTES: usize = 48;

/// What a server needs for one handshake.
pub(super) struct Keys {
    key: StaticKey,
    ephemeral: Ephemeral,
}

pub(super) enum State {
    /// Server: nothing received yet, or only a RESUME that was refused.
    Opening { keys: Box<Keys>, resume_refused: bool },
    /// Server: a resume has been handed out as an event; nothing is known of it yet.
    ResumeAsked(Box<Keys>),
    /// Server: message 1 of a resume is read, its answer not yet known.
    Resuming(Box<(HandshakeState, Keys)>),
    /// Client: message 1 is sent.
    Offered(Box<HandshakeState>, Operation),
    /// Client: the resume was refused; a login may follow.
    ResumeRefused,
    /// Client: the server's key is none. Nothing was sent, and nothing can be.
    Unusable,
    /// Keys are agreed.
    Encrypted(Box<Transport>),
    /// TLS protects the connection; a resume is still possible, or its answer is still to come.
    Tls { may_resume: bool },
    /// Server, under TLS: a resume has been handed out as an event.
    TlsResumeAsked { offer: Bytes, proof: Bytes },
    /// Server, under TLS: the proof was right, the answer is not yet known.
    TlsResuming,
    /// Nothing more is sent or received.
    Closed,
}

impl State {
    pub(super) fn opening(key: StaticKey, ephemeral: Ephemeral) -> Self {
        Self::Opening { keys: Box::new(Keys { key, ephemeral }), resume_refused: false }
    }

    fn take(&mut self) -> Self {
        std::mem::replace(self, Self::Closed)
    }
}

impl Connection {
    /// The client's end, about to log in: writes HANDSHAKE.R. If `server` is a point that no key pair has, nothing is
    /// written and [`Connection::handle_timeout`] fails at once.
    pub fn client_login(server: &[u8; 32], ephemeral: Ephemeral, now: Millis, out: &mut Vec<u8>) -> Self {
        Self::new(offer_login(server, ephemeral, out), false, now)
    }

    /// The client's end, about to continue a session: writes RESUME.R. Otherwise as [`Connection::client_login`].
    pub fn client_resume(
        server: &[u8; 32],
        proof: ResumeProof<'_>,
        offer: &proto::ResumeOffer,
        ephemeral: Ephemeral,
        now: Millis,
        out: &mut Vec<u8>,
    ) -> Self {
        let first = noise::resume_initiator(server, proof, ephemeral)
            .map_err(|_| Violation::HandshakeFailed)
            .and_then(|handshake| write_handshake(handshake, &offer.encode_to_vec()));
        let Ok((handshake, noise)) = first else { return Self::new(State::Unusable, false, now) };
        let ticket = Bytes::copy_from_slice(proof.ticket);
        let request = proto::ResumeRequest { id: 1, ticket, epoch: proof.epoch, noise, ..Default::default() };
        write_clear(Command::request(Operation::Resume), &request, out);
        Self::new(State::Offered(Box::new(handshake), Operation::Resume), false, now)
    }

    /// Client: after [`Event::Refused`] of a resume, goes on with HANDSHAKE.R on the same connection. `ephemeral` must
    /// be fresh.
    pub fn login_after_refusal(
        &mut self,
        server: &[u8; 32],
        ephemeral: Ephemeral,
        now: Millis,
        out: &mut Vec<u8>,
    ) -> Result<(), Violation> {
        if !matches!(self.state, State::ResumeRefused) {
            return Err(Violation::WrongState);
        }
        self.state = offer_login(server, ephemeral, out);
        self.sent = now;
        Ok(())
    }

    /// Both: a frame that arrived before keys were agreed.
    pub(super) fn clear_frame(
        &mut self,
        now: Millis,
        frame: &Frame<'_>,
        out: &mut Vec<u8>,
    ) -> Result<Option<Event>, Violation> {
        if frame.header.encrypted {
            return Err(Violation::WrongState);
        }
        match &self.state {
            State::Opening { .. } => self.first_request(now, frame, out),
            State::Offered(..) => self.first_answer(now, frame),
            _ => Err(Violation::WrongState),
        }
    }

    /// Server: the first frame.
    fn first_request(&mut self, now: Millis, frame: &Frame<'_>, out: &mut Vec<u8>) -> Result<Option<Event>, Violation> {
        let State::Opening { keys, resume_refused } = &self.state else { return Err(Violation::WrongState) };
        match request_of(frame.header) {
            Some(Operation::Handshake) => {
                let request = proto::HandshakeRequest::decode(frame.body()).map_err(|_| Violation::Malformed)?;
                let (handshake, noise) = answer_login(keys, &request.noise)?;
                self.establish(handshake, now)?;
                let answer = proto::HandshakeAnswer { id: request.id, refusal: None, noise };
                write_clear(Command::answer(Operation::Handshake), &answer, out);
                self.sent = now;
                Ok(None)
            }
            Some(Operation::Resume) if !resume_refused => {
                let request = proto::ResumeRequest::decode(frame.body()).map_err(|_| Violation::Malformed)?;
                let State::Opening { keys, .. } = self.state.take() else { return Err(Violation::WrongState) };
                self.state = State::ResumeAsked(keys);
                let proto::ResumeRequest { id, ticket, epoch, noise, .. } = request;
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
        if matches!(self.state, State::TlsResumeAsked { .. }) {
            return self.accept_tls_resume(proof);
        }
        let State::ResumeAsked(keys) = &self.state else { return Err(Violation::WrongState) };
        let failed = |_| Violation::HandshakeFailed;
        let mut handshake = noise::resume_responder(&keys.key, proof, keys.ephemeral).map_err(failed)?;
        let mut payload = [0; limits::UNAUTHENTICATED_BODY_BYTES_MAX];
        let length = handshake.read_message(noise, &mut payload).map_err(failed)?;
        let offer = proto::ResumeOffer::decode(&payload[..length]).map_err(|_| Violation::Malformed)?;
        let State::ResumeAsked(keys) = self.state.take() else { return Err(Violation::WrongState) };
        self.state = State::Resuming(Box::new((handshake, *keys)));
        Ok(offer)
    }

    /// Server: answers an accepted resume. The first frame received afterwards confirms the epoch; from then on the
    /// connection [is authenticated](Connection::is_authenticated). A result too big for a frame is not written and
    /// may be answered again with a smaller one.
    pub fn answer_resume(
        &mut self,
        id: u32,
        result: &proto::ResumeResult,
        now: Millis,
        out: &mut Vec<u8>,
    ) -> Result<(), Violation> {
        let payload = result.encode_to_vec();
        if !matches!(self.state, State::Resuming(_) | State::TlsResuming) {
            return Err(Violation::WrongState);
        }
        if payload.len() > limits::PLAINTEXT_BYTES_MAX {
            return Err(Violation::TooBig);
        }
        if matches!(self.state, State::TlsResuming) {
            self.answer_tls_resume(id, result, now, out);
            return Ok(());
        }
        let State::Resuming(resuming) = self.state.take() else { return Err(Violation::WrongState) };
        let (handshake, noise) = write_handshake(resuming.0, &payload)?;
        self.establish(handshake, now)?;
        write_clear(
            Command::answer(Operation::Resume),
            &proto::ResumeAnswer { id, refusal: None, noise, result: None },
            out,
        );
        self.sent = now;
        if result.refusal.is_none() {
            self.standing = Standing::ResumeAnswered;
        }
        Ok(())
    }

    /// Server: tells in clear that the ticket is of no use. The client may go on with HANDSHAKE on this connection.
    /// Does nothing unless a resume is waiting for its answer.
    pub fn refuse_resume(&mut self, id: u32, refusal: proto::Refusal, out: &mut Vec<u8>) {
        self.state = match self.state.take() {
            State::ResumeAsked(keys) => State::Opening { keys, resume_refused: true },
            // The ephemeral key has not been used: only the answer would have done that.
            State::Resuming(resuming) => State::Opening { keys: Box::new(resuming.1), resume_refused: true },
            State::TlsResumeAsked { .. } | State::TlsResuming => State::Tls { may_resume: false },
            other => return self.state = other,
        };
        let answer = proto::ResumeAnswer { id, refusal: Some(refusal), noise: Bytes::new(), result: None };
        write_clear(Command::answer(Operation::Resume), &answer, out);
    }

    /// Client: the answer to the first frame.
    fn first_answer(&mut self, now: Millis, frame: &Frame<'_>) -> Result<Option<Event>, Violation> {
        let State::Offered(mut handshake, operation) = self.state.take() else { return Err(Violation::WrongState) };
        let (refusal, noise) = clear_answer(operation, frame)?;
        if let Some((refusal, may_log_in)) = refusal {
            if may_log_in {
                self.state = State::ResumeRefused;
            }
            return Ok(Some(Event::Refused(believable(refusal)?)));
        }
        let mut payload = vec![0; noise.len()];
        let length = handshake.read_message(&noise, &mut payload).map_err(|_| Violation::HandshakeFailed)?;
        self.establish(*handshake, now)?;
        if operation == Operation::Handshake {
            return Ok(Some(Event::Ready));
        }
        let result = proto::ResumeResult::decode(&payload[..length]).map_err(|_| Violation::Malformed)?;
        if result.refusal.is_none() {
            self.standing = Standing::Authenticated;
        }
        Ok(Some(Event::Resumed(Box::new(result))))
    }
}

fn request_of(header: Header) -> Option<Operation> {
    let command = Command::from_number(header.command)?;
    (command.kind == Kind::Request).then_some(command.operation)
}

fn offer_login(server: &[u8; 32], ephemeral: Ephemeral, out: &mut Vec<u8>) -> State {
    let first = noise::login_initiator(server, ephemeral)
        .map_err(|_| Violation::HandshakeFailed)
        .and_then(|handshake| write_handshake(handshake, &[]));
    let Ok((handshake, noise)) = first else { return State::Unusable };
    write_clear(Command::request(Operation::Handshake), &proto::HandshakeRequest { id: 1, noise }, out);
    State::Offered(Box::new(handshake), Operation::Handshake)
}

/// Reads message 1 of a login, which must be empty because it could be replayed, and writes message 2.
fn answer_login(keys: &Keys, noise: &[u8]) -> Result<(HandshakeState, Bytes), Violation> {
    if noise.len() != HANDSHAKE_OVERHEAD_BYTES {
        return Err(Violation::HandshakeFailed);
    }
    let failed = |_| Violation::HandshakeFailed;
    let mut handshake = noise::login_responder(&keys.key, keys.ephemeral).map_err(failed)?;
    handshake.read_message(noise, &mut []).map_err(failed)?;
    write_handshake(handshake, &[])
}

/// The refusal in a clear answer, with whether HANDSHAKE may follow, and its Noise message.
fn clear_answer(operation: Operation, frame: &Frame<'_>) -> Result<(Option<(proto::Refusal, bool)>, Bytes), Violation> {
    let malformed = |_| Violation::Malformed;
    let command = Command::from_number(frame.header.command).ok_or(Violation::WrongState)?;
    match (command.kind, command.operation) {
        (Kind::Notify, Operation::Close) => {
            let close = proto::CloseNotify::decode(frame.body()).map_err(malformed)?;
            Ok((Some((close.refusal.unwrap_or_default(), false)), Bytes::new()))
        }
        (Kind::Answer, Operation::Handshake) if operation == Operation::Handshake => {
            let answer = proto::HandshakeAnswer::decode(frame.body()).map_err(malformed)?;
            Ok((answer.refusal.map(|refusal| (refusal, false)), answer.noise))
        }
        (Kind::Answer, Operation::Resume) if operation == Operation::Resume => {
            let answer = proto::ResumeAnswer::decode(frame.body()).map_err(malformed)?;
            Ok((answer.refusal.map(|refusal| (refusal, true)), answer.noise))
        }
        _ => Err(Violation::WrongState),
    }
}

/// Anybody on the path can write a refusal in clear. What would make a client forget its session or its password is
/// believed only under the session's keys.
fn believable(refusal: proto::Refusal) -> Result<proto::Refusal, Violation> {
    use proto::RefusalCode::{Kicked, Revoked, Unauthenticated};
    match refusal.code() {
        Kicked | Revoked | Unauthenticated => Err(Violation::HandshakeFailed),
        _ => Ok(refusal),
    }
}

fn write_handshake(mut handshake: HandshakeState, payload: &[u8]) -> Result<(HandshakeState, Bytes), Violation> {
    let mut message = vec![0; payload.len() + HANDSHAKE_OVERHEAD_BYTES];
    let length = handshake.write_message(payload, &mut message).map_err(|_| Violation::HandshakeFailed)?;
    message.truncate(length);
    Ok((handshake, message.into()))
}
