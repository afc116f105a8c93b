//! The frames of a connection that TLS protects already, as of browsers (PROTOCOL.md §18): no keys are agreed here, so
//! the first frame is LOGIN.R or RESUME.R, and no frame is encrypted. TLS itself is not here.
//!
//! ```text
//! server: Tls ── RESUME.R ─► TlsResumeAsked ─ accept ─► TlsResuming ─ answer ─► Tls
//!          └─ LOGIN.R ...          └──────── refuse ─────────┴───────────────► Tls, for LOGIN.R only
//! client: Tls at once; Tls ── RESUME.A with a refusal ─► Tls, for LOGIN.R only
//! ```

use bytes::Bytes;
use prost::Message;

use super::opening::State;
use super::reassembly::Frame;
use super::{Connection, Event, Standing, write_clear};
use crate::command::{Command, Kind, Operation};
use crate::noise::ResumeProof;
use crate::proto;
use crate::time::Millis;
use crate::violation::Violation;

impl Connection {
    /// The server's end, after TLS.
    pub fn tls_server(now: Millis) -> Self {
        Self::new(State::Tls { may_resume: true }, true, now)
    }

    /// The client's end, after TLS, about to log in: send LOGIN.R.
    pub fn tls_client_login(now: Millis) -> Self {
        Self::new(State::Tls { may_resume: false }, false, now)
    }

    /// The client's end, after TLS, about to continue a session: writes RESUME.R.
    pub fn tls_client_resume(
        proof: ResumeProof<'_>,
        offer: &proto::ResumeOffer,
        now: Millis,
        out: &mut Vec<u8>,
    ) -> Self {
        let offer = offer.encode_to_vec();
        let request = proto::ResumeRequest {
            id: 1,
            ticket: Bytes::copy_from_slice(proof.ticket),
            epoch: proof.epoch,
            noise: Bytes::new(),
            proof: Bytes::copy_from_slice(&proof.over_tls(&offer)),
            offer: offer.into(),
        };
        write_clear(Command::request(Operation::Resume), &request, out);
        Self::new(State::Tls { may_resume: true }, false, now)
    }

    /// Both: a frame under TLS.
    pub(super) fn tls_frame(&mut self, now: Millis, frame: &Frame<'_>) -> Result<Option<Event>, Violation> {
        if frame.header.encrypted {
            return Err(Violation::WrongState);
        }
        let body = || Bytes::copy_from_slice(frame.body());
        let command = Command::from_number(frame.header.command).filter(|command| command.exists());
        match command.map(|command| (command.kind, command.operation)) {
            Some((Kind::Request, Operation::Resume)) if self.server => self.tls_resume_asked(body()),
            Some((Kind::Answer, Operation::Resume)) if !self.server => self.tls_resume_answered(body()),
            _ => {
                if self.standing == Standing::ResumeAnswered {
                    self.standing = Standing::Authenticated;
                }
                match command {
                    Some(command) => self.known(now, command, body()),
                    None => self.unknown(frame.header.command, body()),
                }
            }
        }
    }

    fn tls_resume_asked(&mut self, body: Bytes) -> Result<Option<Event>, Violation> {
        if !matches!(self.state, State::Tls { may_resume: true }) || self.standing != Standing::Stranger {
            return Err(Violation::WrongState);
        }
        let request = proto::ResumeRequest::decode(body).map_err(|_| Violation::Malformed)?;
        let proto::ResumeRequest { id, ticket, epoch, offer, proof, .. } = request;
        self.state = State::TlsResumeAsked { offer, proof };
        Ok(Some(Event::Resume { id, ticket, epoch, noise: Bytes::new() }))
    }

    /// Server: as [`Connection::accept_resume`].
    pub(super) fn accept_tls_resume(&mut self, proof: ResumeProof<'_>) -> Result<proto::ResumeOffer, Violation> {
        let State::TlsResumeAsked { offer, proof: shown } = &self.state else { return Err(Violation::WrongState) };
        if !proof.holds_over_tls(offer, shown) {
            return Err(Violation::HandshakeFailed);
        }
        let offer = proto::ResumeOffer::decode(&offer[..]).map_err(|_| Violation::Malformed)?;
        self.state = State::TlsResuming;
        Ok(offer)
    }

    /// Server: as [`Connection::answer_resume`].
    pub(super) fn answer_tls_resume(&mut self, id: u32, result: &proto::ResumeResult, now: Millis, out: &mut Vec<u8>) {
        if result.refusal.is_none() {
            self.standing = Standing::ResumeAnswered;
        }
        let answer = proto::ResumeAnswer { id, refusal: None, noise: Bytes::new(), result: Some(result.clone()) };
        write_clear(Command::answer(Operation::Resume), &answer, out);
        self.state = State::Tls { may_resume: false };
        self.sent = now;
    }

    fn tls_resume_answered(&mut self, body: Bytes) -> Result<Option<Event>, Violation> {
        if !matches!(self.state, State::Tls { may_resume: true }) || self.standing != Standing::Stranger {
            return Err(Violation::WrongState);
        }
        let answer = proto::ResumeAnswer::decode(body).map_err(|_| Violation::Malformed)?;
        self.state = State::Tls { may_resume: false };
        if let Some(refusal) = answer.refusal {
            return Ok(Some(Event::Refused(refusal)));
        }
        let result = answer.result.ok_or(Violation::Malformed)?;
        if result.refusal.is_none() {
            self.standing = Standing::Authenticated;
        }
        Ok(Some(Event::Resumed(Box::new(result))))
    }
}
