//! SEND into rooms (spec 66, 67): the same promises as [`crate::send`] gives in direct conversations, other facts. Whoever
//! got in gets the same answer again, so the key of de-duplication is looked up before any refusal is given.

use hongyan_cluster::service::Reply;
use hongyan_domain::id::ConversationId;
use hongyan_domain::refusal::Refusal;
use hongyan_domain::room::{DisplayName, decide_say};
use hongyan_domain::session::Caller;
use hongyan_domain::time::UnixMillis;
use hongyan_store::rooms::{Say, SayOutcome};
use hongyan_store::timeline::Answer;
use hongyan_wire::proto;
use prost::Message;

use crate::answer::unavailable;
use crate::send::{Answers, Outgoing};
use crate::service::Logic;

/// A decision about one text.
enum Verdict {
    /// It may be said in this room under this name.
    Admitted(ConversationId, DisplayName),
    /// It is durable already.
    Repeated(Answer),
}

impl Logic {
    /// Answers everything of a batch that goes into rooms.
    pub(crate) async fn say_all(&self, caller: &Caller, waiting: Vec<Outgoing>, answers: &mut Answers) {
        let now = self.environment.wall_clock();
        let mut admitted = Vec::with_capacity(waiting.len());
        let mut says = Vec::with_capacity(waiting.len());
        for outgoing in waiting {
            match self.decide_say(caller, &outgoing).await {
                Ok(Verdict::Admitted(room, from)) => {
                    says.push(say(caller, &outgoing, room, from, now));
                    admitted.push(outgoing);
                }
                Ok(Verdict::Repeated(answer)) => self.said(caller, &outgoing, SayOutcome::Repeated(answer), answers),
                Err(refusal) => {
                    let refusal = self.held_or(caller, &outgoing, refusal).await;
                    self.refuse(caller, &outgoing, refusal, answers);
                }
            }
        }
        if says.is_empty() {
            return;
        }
        match self.store.say(says).await {
            Ok(outcomes) => {
                debug_assert_eq!(admitted.len(), outcomes.len(), "one outcome each");
                for (outgoing, outcome) in admitted.into_iter().zip(outcomes) {
                    match outcome {
                        SayOutcome::SessionEnded => {
                            let why = self.why_ended(caller).await;
                            self.refuse(caller, &outgoing, why, answers);
                        }
                        outcome => self.said(caller, &outgoing, outcome, answers),
                    }
                }
            }
            Err(error) => {
                let refusal = unavailable(error);
                admitted.iter().for_each(|outgoing| self.refuse(caller, outgoing, refusal.clone(), answers));
            }
        }
    }

    async fn decide_say(&self, caller: &Caller, outgoing: &Outgoing) -> Result<Verdict, Refusal> {
        let now_ms = self.environment.monotonic_ms();
        self.holds.check(caller.session, &outgoing.to, outgoing.client_id, now_ms)?;
        let room = self.room_id(caller.app, outgoing.to.name().as_str()).await?;
        match self.may_say_there(caller, outgoing, room, now_ms).await {
            Ok(from) => Ok(Verdict::Admitted(room, from)),
            Err(refusal) => {
                let known = self.known_answer(caller, room, outgoing.client_id, outgoing.digest).await?;
                known.map(Verdict::Repeated).ok_or(refusal)
            }
        }
    }

    async fn may_say_there(
        &self,
        caller: &Caller,
        outgoing: &Outgoing,
        room: ConversationId,
        now_ms: u64,
    ) -> Result<DisplayName, Refusal> {
        let characters_max = self.directory.app_of(caller.app).await?.app.settings.room_text_characters_max;
        let from = self.bus.rooms().name_of(room, caller.session);
        let from = decide_say(from, &outgoing.draft.body, characters_max)?;
        self.pace(caller, now_ms)?;
        let allowed = self.says_by_session.take(caller.session, now_ms);
        let allowed = allowed.and_then(|()| self.says_by_room.take(room, now_ms));
        allowed.map_err(|retry_after_ms| Refusal::RateLimited { retry_after_ms })?;
        outgoing.judged.clone()?;
        Ok(from)
    }

    fn said(&self, caller: &Caller, outgoing: &Outgoing, outcome: SayOutcome, answers: &mut Answers) {
        let answer = match outcome {
            SayOutcome::Said(answer) => {
                self.measures.sends.add(1);
                tracing::debug!(trace = ?outgoing.client_id, session = ?caller.session, seq = answer.seq, "said");
                answer
            }
            SayOutcome::Repeated(answer) => {
                self.measures.sends_repeated.add(1);
                answer
            }
            SayOutcome::Conflict => return self.refuse(caller, outgoing, Refusal::Conflict, answers),
            SayOutcome::RoomGone => return self.refuse(caller, outgoing, Refusal::NotFound, answers),
            SayOutcome::SessionEnded => return self.refuse(caller, outgoing, Refusal::Revoked, answers),
        };
        let now_ms = self.environment.monotonic_ms();
        self.holds.settled(caller.session, &outgoing.to, outgoing.client_id, now_ms);
        answers.give(outgoing.index, answered(outgoing, answer));
    }
}

/// The answer to what is in nobody's inbox.
pub(crate) fn answered(outgoing: &Outgoing, answer: Answer) -> Reply {
    let body = proto::SendAnswer {
        id: outgoing.id,
        refusal: None,
        seq: answer.seq,
        server_time_ms: answer.time.0,
        inbox_seq: 0,
        stored_offline: false,
        message_count: answer.message_count,
    };
    Reply { body: body.encode_to_vec().into(), ..Reply::default() }
}

fn say(caller: &Caller, outgoing: &Outgoing, room: ConversationId, from: DisplayName, now: UnixMillis) -> Say {
    Say {
        app: caller.app,
        room,
        room_name: outgoing.to.name().clone(),
        sender: caller.user,
        session: caller.session,
        client_id: outgoing.client_id,
        digest: outgoing.digest,
        from,
        now,
        draft: outgoing.draft.clone(),
    }
}
