//! How a connection becomes somebody: login, resume, and the frame that confirms a resume. What a session does then is in
//! [`super`].

use std::sync::Arc;

use bytes::Bytes;
use hongyan_cluster::refusal::refusal;
use hongyan_cluster::service::{LoggedIn, Origin, Resumed};
use hongyan_domain::change::Since;
use hongyan_domain::refusal::Refusal;
use hongyan_domain::time::UnixMillis;
use hongyan_wire::command::{Command, Operation};
use hongyan_wire::noise::ResumeProof;
use hongyan_wire::{Millis, Violation, limits, proto};
use prost::Message;

use super::{Flow, Live, Peer, Phase};
use crate::bucket::Bucket;
use crate::call::Call;
use crate::ticket::Ticket;

/// Refused logins after which the connection is closed.
const LOGINS_REFUSED_MAX: u32 = 3;

impl Peer {
    pub(super) fn stranger_frame(
        &mut self,
        now: Millis,
        command: Command,
        body: &[u8],
        within_rate: bool,
    ) -> Result<(), Violation> {
        let Phase::Stranger { login_id: login_id @ None, .. } = &mut self.phase else {
            return Err(Violation::WrongState);
        };
        if command != Command::request(Operation::Login) || !within_rate {
            return Err(Violation::WrongState);
        }
        let request = proto::LoginRequest::decode(body).map_err(|_| Violation::Malformed)?;
        *login_id = Some(request.id);
        self.calls.push(Call::Login(request, Origin { address: self.ip, age_ms: (now - self.connected).0 }));
        Ok(())
    }

    /// A client presents a ticket. Everything that is wrong with it is one refusal: log in instead.
    pub(super) fn resume(
        &mut self,
        id: u32,
        sealed: &[u8],
        epoch: u32,
        noise: &[u8],
        out: &mut Vec<u8>,
    ) -> Result<(), Violation> {
        if !matches!(self.phase, Phase::Stranger { login_id: None, .. }) {
            return Err(Violation::WrongState);
        }
        let usable = |ticket: &Ticket| {
            let known = self.gate.bus.router().epoch(ticket.user, ticket.session).unwrap_or(0);
            ticket.expires > self.gate.environment.wall_clock() && epoch > ticket.epoch.max(known)
        };
        let ticket = self.gate.tickets.open(sealed).filter(usable);
        let accepted = ticket.and_then(|ticket| {
            let proof = ResumeProof { ticket: sealed, epoch, secret: &ticket.secret };
            let offer = self.connection.accept_resume(proof, noise).ok()?;
            Some((ticket, offer))
        });
        match accepted {
            Some((ticket, offer)) => {
                self.calls.push(Call::Resume(ticket.session, offer));
                self.phase = Phase::Resuming { id, ticket: Ticket { epoch, ..ticket } };
            }
            None => self.connection.refuse_resume(id, refusal(&Refusal::ResumeFailed), out),
        }
        Ok(())
    }

    /// The first frame after a resume has decrypted: the session moves to this connection.
    pub(super) fn confirm(&mut self) -> Result<(), Violation> {
        let Phase::Live(live) = &mut self.phase else { return Err(Violation::WrongState) };
        if live.confirmed {
            return Ok(());
        }
        let (caller, epoch) = (live.caller.clone(), live.epoch);
        // Whoever comes second with an epoch never had the session, and must not take it along when it goes.
        if !self.gate.connect_session(&caller, epoch, &self.link) {
            return Err(Violation::WrongState);
        }
        live.confirmed = true;
        let (token, told, offered) = (live.token, live.told, live.offered);
        self.gate.measures.resumes.add(1);
        self.acknowledge(offered)?;
        // What was committed between the reading and the route has been pushed to nobody.
        match self.gate.service.since(&caller, token) {
            Some(Since { ended: Some(reason), .. }) => self.link.end(self.ending(reason)),
            Some(Since { head: Some(head), .. }) if head > told => self.link.tell(|mail| mail.behind = Some(head)),
            Some(_) => {}
            None => self.calls.push(Call::Head(caller)),
        }
        Ok(())
    }

    pub(super) fn logged_in(&mut self, now: Millis, result: Result<LoggedIn, Refusal>, out: &mut Vec<u8>) -> Flow {
        let Phase::Stranger { login_id, refused } = &mut self.phase else { return Flow::Close };
        let id = login_id.take().unwrap_or_default();
        let command = Command::answer(Operation::Login);
        let LoggedIn { caller, answer } = match result {
            Ok(logged_in) => logged_in,
            Err(reason) => {
                *refused += 1;
                let last = *refused >= LOGINS_REFUSED_MAX;
                let answer = proto::LoginAnswer { id, refusal: Some(refusal(&reason)), ..Default::default() };
                self.write(now, command, &answer.encode_to_vec(), out);
                return if last { Flow::Close } else { Flow::Continue };
            }
        };
        let mut secret = [0; 32];
        self.gate.environment.random(&mut secret);
        let ticket = self.gate.seal(&Ticket {
            session: caller.session,
            user: caller.user,
            epoch: 0,
            secret,
            expires: UnixMillis(0),
        });
        let (log_epoch, told) = (answer.log_epoch, answer.inbox_head);
        let cursor = answer.inbox_cursor;
        let answer = proto::LoginAnswer {
            id,
            ticket,
            resume_secret: Bytes::copy_from_slice(&secret),
            heartbeat_seconds: (limits::HEARTBEAT.0 / 1000) as u32,
            ..answer
        };
        self.connection.set_authenticated();
        self.bucket = Bucket::full(self.gate.frame_rate(), now);
        let caller = Arc::new(caller);
        // Before the answer: what is committed after the client's first sync must find the route.
        let connected = self.gate.connect_session(&caller, 0, &self.link);
        self.phase = Phase::Live(Box::new(Live::new(caller, 0, log_epoch, cursor, told)));
        self.link.set_written(told);
        self.gate.measures.logins.add(1);
        self.write(now, command, &answer.encode_to_vec(), out);
        if connected { Flow::Continue } else { Flow::Close }
    }

    pub(super) fn resumed(&mut self, now: Millis, result: Result<Resumed, Refusal>, out: &mut Vec<u8>) -> Flow {
        let Phase::Resuming { id, ticket } = std::mem::replace(&mut self.phase, Phase::Closed) else {
            return Flow::Close;
        };
        let Resumed { caller, page, references, acknowledged, token } = match result {
            Ok(resumed) => resumed,
            Err(reason) => {
                let result = proto::ResumeResult { refusal: Some(refusal(&reason)), ..Default::default() };
                let answered = self.connection.answer_resume(id, &result, now, out);
                debug_assert!(answered.is_ok(), "the connection waits for this answer");
                return Flow::Close;
            }
        };
        let (log_epoch, told) = (page.log_epoch, page.inbox_head);
        let written = page.entries.last().map_or(0, |entry| entry.inbox_seq);
        let result = proto::ResumeResult {
            refusal: None,
            ticket: self.gate.seal(&ticket),
            server_time_ms: self.gate.environment.wall_clock().0,
            page: Some(page),
            heartbeat_seconds: (limits::HEARTBEAT.0 / 1000) as u32,
        };
        if self.connection.answer_resume(id, &result, now, out).is_err() {
            return Flow::Close;
        }
        self.bucket = Bucket::full(self.gate.frame_rate(), now);
        let mut live = Live::new(Arc::new(caller), ticket.epoch, log_epoch, 0, told);
        live.confirmed = false;
        live.unacknowledged.add(references, 0);
        live.token = token;
        live.offered = acknowledged;
        self.phase = Phase::Live(Box::new(live));
        self.link.set_written(written);
        Flow::Continue
    }
}
