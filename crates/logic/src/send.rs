//! SEND: one session's messages, batch by batch (spec 39-43, 50). Read facts → decide → commit → answer; the push is the
//! [`crate::Announcer`]'s reaction to the commit.
//!
//! Two promises shape this file. Whoever got in gets the same answer again: no refusal is given before the
//! de-duplication key has been looked up. And a session's order in a conversation survives refusals: see [`crate::hold`].
//!
//! What goes into rooms is decided in [`crate::say`], what goes to groups in [`crate::group_send`], whether a text may be
//! seen in [`crate::spam`].

use bytes::Bytes;
use hongyan_cluster::service::{Reply, SendReplies};
use hongyan_domain::group::MENTIONS_MAX;
use hongyan_domain::id::{ClientId, ConversationId, UserId};
use hongyan_domain::message::{Draft, decide_direct};
use hongyan_domain::name::Name;
use hongyan_domain::refusal::Refusal;
use hongyan_domain::room::decide_kind;
use hongyan_domain::session::{Caller, EndReason};
use hongyan_domain::time::UnixMillis;
use hongyan_fault::mutant;
use hongyan_store::timeline::{Answer, Append, Outcome, Target, What};
use hongyan_wire::command::Operation;
use hongyan_wire::list::List;
use hongyan_wire::{limits, proto};
use prost::Message;
use smallvec::{SmallVec, smallvec};

use crate::answer::{BUSY_RETRY_MS, id_of, refused, unavailable};
use crate::digest::digest;
use crate::directs::Admission;
use crate::service::{Logic, STORED_MAX};

/// Times that a batch is decided before what is still stale is put off.
const DECISIONS_MAX: usize = 3;

/// A message as its sender wants it, checked as far as that needs no facts.
#[derive(Debug)]
pub(crate) struct Outgoing {
    /// Place in the batch.
    pub index: usize,
    /// The request's.
    pub id: u32,
    pub to: To,
    pub client_id: ClientId,
    pub digest: u64,
    pub seen_seq: u64,
    /// In groups: who is spoken to.
    pub mentions: Vec<Name>,
    pub mention_all: bool,
    pub draft: Draft,
    /// Whether its text may be seen; otherwise the refusal, if nothing stricter speaks against it.
    pub judged: Result<(), Refusal>,
    /// Why it is to be held, if that is the refusal.
    pub held_by: &'static str,
}

/// Where a message goes.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) enum To {
    /// To a person.
    User(Name),
    /// Into a room.
    Room(Name),
    /// To a group.
    Group(Name),
}

impl To {
    /// What it is called; a person and a room may have the same name.
    pub fn name(&self) -> &Name {
        let (Self::User(name) | Self::Room(name) | Self::Group(name)) = self;
        name
    }
}

/// A decision about one message.
enum Verdict {
    /// It may be appended on this admission.
    Admitted(UserId, Admission),
    /// It is durable already.
    Repeated(UserId, Answer),
}

/// The answers to a batch so far.
pub(crate) struct Answers {
    replies: SmallVec<[Option<Reply>; 4]>,
}

impl Logic {
    /// Answers every message of a batch.
    pub(crate) async fn send_batch(&self, caller: &Caller, bodies: Vec<Bytes>) -> SendReplies {
        self.measures.send_batch_items.observe(bodies.len() as u64);
        let mut answers = Answers { replies: bodies.iter().map(|_| None).collect() };
        let mut waiting = Vec::with_capacity(bodies.len());
        for (index, body) in bodies.into_iter().enumerate() {
            match outgoing(index, &body) {
                Ok(outgoing) => {
                    tracing::debug!(trace = ?outgoing.client_id, session = ?caller.session, "received");
                    waiting.push(outgoing);
                }
                Err(refusal) => {
                    self.measures.sends_refused.add(1);
                    answers.give(index, refused(id_of(body), &refusal));
                }
            }
        }
        if let Err(refusal) = self.judge_all(caller, &mut waiting).await {
            for outgoing in std::mem::take(&mut waiting) {
                self.refuse(caller, &outgoing, refusal.clone(), &mut answers);
            }
        }
        let into_rooms: Vec<_> = waiting.extract_if(.., |outgoing| matches!(outgoing.to, To::Room(_))).collect();
        self.say_all(caller, into_rooms, &mut answers).await;
        let to_groups: Vec<_> = waiting.extract_if(.., |outgoing| matches!(outgoing.to, To::Group(_))).collect();
        self.send_to_groups(caller, to_groups, &mut answers).await;
        for _ in 0..DECISIONS_MAX {
            waiting = self.decide_and_commit(caller, waiting, &mut answers).await;
            if waiting.is_empty() {
                break;
            }
            self.measures.sends_stale.add(waiting.len() as u64);
        }
        for outgoing in waiting {
            self.refuse(caller, &outgoing, Refusal::TryLater { retry_after_ms: BUSY_RETRY_MS }, &mut answers);
        }
        answers.complete()
    }

    /// Decides all, commits the admitted ones together, and returns those that must be decided again.
    async fn decide_and_commit(&self, caller: &Caller, waiting: Vec<Outgoing>, answers: &mut Answers) -> Vec<Outgoing> {
        let now = self.environment.wall_clock();
        let mut admitted = Vec::with_capacity(waiting.len());
        let mut appends = Vec::with_capacity(waiting.len());
        for outgoing in waiting {
            match self.decide(caller, &outgoing).await {
                Ok(Verdict::Admitted(addressee, admission)) => {
                    appends.push(append(caller, &outgoing, addressee, admission, now));
                    admitted.push((outgoing, addressee));
                }
                Ok(Verdict::Repeated(addressee, answer)) => {
                    self.measures.sends_repeated.add(1);
                    self.stored(caller, &outgoing, addressee, answer, answers);
                }
                Err(refusal) => {
                    let refusal = self.held_or(caller, &outgoing, refusal).await;
                    self.refuse(caller, &outgoing, refusal, answers);
                }
            }
        }
        if appends.is_empty() {
            return Vec::new();
        }
        match self.store.append(appends).await {
            Ok(outcomes) => self.tell_outcomes(caller, admitted, outcomes, answers).await,
            Err(error) => {
                let refusal = unavailable(error);
                for (outgoing, _) in admitted {
                    self.refuse(caller, &outgoing, refusal.clone(), answers);
                }
                Vec::new()
            }
        }
    }

    async fn decide(&self, caller: &Caller, outgoing: &Outgoing) -> Result<Verdict, Refusal> {
        let now_ms = self.environment.monotonic_ms();
        self.holds.check(caller.session, &outgoing.to, outgoing.client_id, now_ms)?;
        // Not given yet: it may be a repeat.
        let paced = self.pace(caller, now_ms).and_then(|()| outgoing.judged.clone());
        let addressee = self.directory.user(caller.app, outgoing.to.name()).await?;
        if paced.is_ok()
            && let Some(addressee) = addressee
            && !addressee.disabled
            && let Some(admission) = self.directs.admission(caller.user, addressee.id)
            && (admission.friends || self.strangers_write(caller).await?)
            && admission.allowance.spend()
        {
            return Ok(Verdict::Admitted(addressee.id, admission));
        }
        let (addressee, direct) = self.contact(caller, addressee).await?;
        let decision = if addressee.disabled {
            Err(Refusal::NotFound)
        } else if direct.head_seq > 0 && mutant!("block holds for strangers only") {
            Ok(())
        } else {
            decide_direct(direct.facts, self.strangers_write(caller).await?)
        };
        let decision = match decision.and(paced) {
            Ok(()) => self.allowance(caller, addressee.id, &direct).await,
            Err(refusal) => Err(refusal),
        };
        match (decision, direct.conversation) {
            (Ok(allowance), _) => {
                allowance.spend();
                let admission = self.directs.admitted(caller.user, addressee.id, direct, allowance);
                Ok(Verdict::Admitted(addressee.id, admission))
            }
            (Err(refusal), Some(conversation)) if !mutant!("repeat refused") => {
                let known = self.known_answer(caller, conversation, outgoing.client_id, outgoing.digest).await?;
                known.map(|answer| Verdict::Repeated(addressee.id, answer)).ok_or(refusal)
            }
            (Err(refusal), _) => Err(refusal),
        }
    }

    /// Whether the app lets those write to each other who are not friends.
    pub(crate) async fn strangers_write(&self, caller: &Caller) -> Result<bool, Refusal> {
        Ok(self.directory.app_of(caller.app).await?.app.settings.strangers_write)
    }

    /// Whether somebody may send again so soon. Visitors are free, so they have a limit that others have not.
    pub(crate) fn pace(&self, caller: &Caller, now_ms: u64) -> Result<(), Refusal> {
        if !caller.name.is_visitor() {
            return Ok(());
        }
        let taken = self.visitors_sends.take(caller.user, now_ms);
        taken.map_err(|retry_after_ms| Refusal::RateLimited { retry_after_ms })
    }

    /// The answer that a client id has already got, if the request was the same.
    pub(crate) async fn known_answer(
        &self,
        caller: &Caller,
        conversation: ConversationId,
        client_id: ClientId,
        digest: u64,
    ) -> Result<Option<Answer>, Refusal> {
        match self.store.answered(conversation, caller.user, client_id).await.map_err(unavailable)? {
            Some((known, answer)) if known == digest => Ok(Some(answer)),
            Some(_) => Err(Refusal::Conflict),
            None => Ok(None),
        }
    }

    async fn tell_outcomes(
        &self,
        caller: &Caller,
        admitted: Vec<(Outgoing, UserId)>,
        outcomes: Vec<Outcome>,
        answers: &mut Answers,
    ) -> Vec<Outgoing> {
        debug_assert_eq!(admitted.len(), outcomes.len(), "one outcome per append");
        let mut stale = Vec::new();
        let mut ended = None;
        for ((outgoing, addressee), outcome) in admitted.into_iter().zip(outcomes) {
            match outcome {
                Outcome::Appended(answer) => {
                    self.measures.sends.add(1);
                    tracing::debug!(trace = ?outgoing.client_id, session = ?caller.session, user = caller.user.0,
                        addressee = addressee.0, seq = answer.seq, inbox_seq = answer.inbox_seq, "stored");
                    self.stored(caller, &outgoing, addressee, answer, answers);
                }
                Outcome::Duplicate(answer) => {
                    self.measures.sends_repeated.add(1);
                    self.stored(caller, &outgoing, addressee, answer, answers);
                }
                Outcome::Stale => {
                    self.directs.forget(caller.user, addressee);
                    stale.push(outgoing);
                }
                Outcome::Conflict => self.refuse(caller, &outgoing, Refusal::Conflict, answers),
                Outcome::SessionEnded => {
                    if ended.is_none() {
                        ended = Some(self.why_ended(caller).await);
                    }
                    self.refuse(caller, &outgoing, ended.clone().unwrap_or(Refusal::Revoked), answers);
                }
                Outcome::TargetGone => {
                    tracing::error!("a store reports the missing target of a message that has none");
                    self.refuse(caller, &outgoing, Refusal::Internal, answers);
                }
            }
        }
        stale
    }

    /// What a session is told whose writes are refused because it is dead.
    pub(crate) async fn why_ended(&self, caller: &Caller) -> Refusal {
        match self.store.resume(caller.session, STORED_MAX, 0).await.map(|resumption| resumption.session) {
            Ok(Some(Err(EndReason::SameTermLogin))) => Refusal::Kicked,
            _ => Refusal::Revoked,
        }
    }

    pub(crate) fn refuse(&self, caller: &Caller, outgoing: &Outgoing, refusal: Refusal, answers: &mut Answers) {
        self.measures.sends_refused.add(1);
        let now_ms = self.environment.monotonic_ms();
        if refusal.retryable() {
            self.holds.refused(caller.session, &outgoing.to, outgoing.client_id, &refusal, now_ms);
        } else {
            self.holds.settled(caller.session, &outgoing.to, outgoing.client_id, now_ms);
        }
        answers.give(outgoing.index, refused(outgoing.id, &refusal));
    }

    fn stored(&self, caller: &Caller, outgoing: &Outgoing, addressee: UserId, answer: Answer, answers: &mut Answers) {
        let now_ms = self.environment.monotonic_ms();
        self.holds.settled(caller.session, &outgoing.to, outgoing.client_id, now_ms);
        answers.give(outgoing.index, self.answered(outgoing, addressee, answer));
    }

    fn answered(&self, outgoing: &Outgoing, addressee: UserId, answer: Answer) -> Reply {
        let body = proto::SendAnswer {
            id: outgoing.id,
            refusal: None,
            seq: answer.seq,
            server_time_ms: answer.time.0,
            inbox_seq: answer.inbox_seq,
            stored_offline: self.bus.router().connected(addressee).is_empty(),
            message_count: answer.message_count,
        };
        Reply { body: body.encode_to_vec().into(), written: Some(answer.inbox_seq), ..Reply::default() }
    }
}

impl Answers {
    pub fn give(&mut self, index: usize, reply: Reply) {
        let before = self.replies[index].replace(reply);
        debug_assert!(before.is_none(), "a message is answered once");
    }

    fn complete(self) -> SendReplies {
        self.replies.into_iter().map(|reply| reply.expect("every message was answered or refused")).collect()
    }
}

fn append(caller: &Caller, outgoing: &Outgoing, addressee: UserId, admission: Admission, now: UnixMillis) -> Append {
    Append {
        app: caller.app,
        sender: caller.user,
        other: addressee,
        session: caller.session,
        client_id: outgoing.client_id,
        digest: outgoing.digest,
        access_version: admission.access_version,
        seen_seq: outgoing.seen_seq,
        now,
        what: What::Message(outgoing.draft.clone()),
        targets: targets(caller, addressee, outgoing.to.name()),
    }
}

/// The inboxes of a direct conversation: the sender's first, and once if the two are the same.
pub(crate) fn targets(caller: &Caller, other: UserId, other_name: &Name) -> SmallVec<[Target; 2]> {
    let own = Target { user: caller.user, about: other_name.clone() };
    if other == caller.user {
        return smallvec![own];
    }
    smallvec![own, Target { user: other, about: caller.name.clone() }]
}

/// Checks what needs no facts. What is refused here was never accepted, so no key has to be looked up.
fn outgoing(index: usize, body: &Bytes) -> Result<Outgoing, Refusal> {
    if List::Mentions.items(body).ok_or(Refusal::Malformed)? > MENTIONS_MAX {
        return Err(Refusal::InvalidArgument(List::Mentions.name()));
    }
    let request = proto::SendRequest::decode(body.clone()).map_err(|_| Refusal::Malformed)?;
    let digest = digest(Operation::Send, body).map_err(|_| Refusal::Malformed)?;
    let client_id = ClientId::from_slice(&request.client_message_id);
    let to = match &request.to {
        Some(proto::send_request::To::User(name)) => Name::parse_anybody(name).map(To::User),
        Some(proto::send_request::To::Room(name)) => Name::parse(name).map(To::Room),
        Some(proto::send_request::To::Group(name)) => Name::parse(name).map(To::Group),
        None => None,
    };
    let draft = Draft {
        body_type: request.r#type,
        body: request.body,
        text: request.text,
        reply_to: stored(request.reply_to, "reply_to")?,
        expires_at: UnixMillis(stored(request.expires_at_ms, "expires_at_ms")?),
        silent: request.silent,
        uncounted: request.uncounted,
        mentions: None,
    };
    let mentions = mentioned(&request.mentions, request.mention_all, &to)?;
    check_content(draft.body_type, &draft.body, &draft.text)?;
    if matches!(to, Some(To::Room(_))) {
        decide_kind(&draft)?;
    }
    Ok(Outgoing {
        index,
        id: request.id,
        to: to.ok_or(Refusal::InvalidArgument("to"))?,
        client_id: client_id.ok_or(Refusal::InvalidArgument("client_message_id"))?,
        digest,
        seen_seq: request.seen_seq.min(STORED_MAX),
        mentions,
        mention_all: request.mention_all,
        draft,
        judged: Ok(()),
        held_by: "",
    })
}

/// Only in groups anybody is mentioned.
fn mentioned(users: &[String], all: bool, to: &Option<To>) -> Result<Vec<Name>, Refusal> {
    if (all || !users.is_empty()) && !matches!(to, Some(To::Group(_))) {
        return Err(Refusal::InvalidArgument("mentions"));
    }
    let names: Option<Vec<Name>> = users.iter().map(|user| Name::parse(user)).collect();
    names.ok_or(Refusal::InvalidArgument("mentions"))
}

/// Sizes and, of text, the encoding (spec 58). Bodies of other types are opaque.
pub(crate) fn check_content(body_type: i32, body: &[u8], text: &str) -> Result<(), Refusal> {
    if body.len() > limits::MESSAGE_BODY_BYTES_MAX {
        return Err(Refusal::InvalidArgument("body"));
    }
    if text.len() > limits::TEXT_PROJECTION_BYTES_MAX || text.contains('\0') {
        return Err(Refusal::InvalidArgument("text"));
    }
    let readable = |body: &[u8]| !body.is_empty() && !body.contains(&0) && std::str::from_utf8(body).is_ok();
    if body_type == proto::BodyType::Text as i32 && !readable(body) {
        return Err(Refusal::InvalidArgument("body"));
    }
    Ok(())
}

fn stored(number: u64, field: &'static str) -> Result<u64, Refusal> {
    if number > STORED_MAX { Err(Refusal::InvalidArgument(field)) } else { Ok(number) }
}
