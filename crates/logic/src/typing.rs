//! TYPING: never stored, never repeated, dropped first. Whether anybody saw it is not told.

use hongyan_cluster::bus::Delivery;
use hongyan_cluster::service::Reply;
use hongyan_domain::id::UserId;
use hongyan_domain::message::decide_direct;
use hongyan_domain::name::Name;
use hongyan_domain::refusal::Refusal;
use hongyan_domain::session::Caller;
use hongyan_wire::command::Operation;
use hongyan_wire::proto;
use prost::Message;

use crate::answer::plain;
use crate::rate::Rate;
use crate::service::Logic;

/// What one session may cause; more is dropped without a word.
pub(crate) const TYPING_RATE: Rate = Rate { burst: 10, per_minute: 60 };
/// Milliseconds for which the same news about one conversation is not repeated.
const REPEAT_MS_MIN: u64 = 2_000;

/// What a session last said to somebody.
#[derive(Clone, Copy, Debug)]
pub(crate) struct TypingSaid {
    stopped: bool,
    at_ms: u64,
}

impl Logic {
    pub(crate) async fn typing(&self, caller: &Caller, request: proto::TypingRequest) -> Result<Reply, Refusal> {
        if !request.group.is_empty() {
            return self.typing_in_group(caller, request).await;
        }
        // Strangers and people who do not exist look the same: nobody sees it.
        let other = match Name::parse_anybody(&request.user) {
            Some(name) => self.directory.user(caller.app, &name).await?,
            None => None,
        };
        if let Some(other) = other
            && self.worth_saying(caller, other.id, request.stopped)
            && self.may_say(caller, other.id).await?
        {
            let notify =
                proto::TypingNotify { user: caller.name.to_string(), stopped: request.stopped, group: String::new() };
            let body = notify.encode_to_vec().into();
            let delivery = Delivery { operation: Operation::Typing, body, reference: None };
            let reached = self.bus.push(other.id, Some(caller.session), &delivery);
            self.measures.pushes.add(reached as u64);
        }
        Ok(plain(&proto::TypingAnswer { id: request.id, refusal: None }))
    }

    fn worth_saying(&self, caller: &Caller, other: UserId, stopped: bool) -> bool {
        if self.bus.router().connected(other).is_empty() {
            return false;
        }
        let now_ms = self.environment.monotonic_ms();
        let key = (caller.session, other);
        let repeated = self
            .typing_said
            .get(&key)
            .is_some_and(|said| said.stopped == stopped && now_ms.saturating_sub(said.at_ms) < REPEAT_MS_MIN);
        if repeated || self.typing_by_session.take(caller.session, now_ms).is_err() {
            return false;
        }
        self.typing_said.insert(key, TypingSaid { stopped, at_ms: now_ms });
        true
    }

    async fn may_say(&self, caller: &Caller, other: UserId) -> Result<bool, Refusal> {
        let direct = self.directs.read(caller.app, caller.user, other).await?;
        Ok(direct.conversation.is_some() && decide_direct(direct.facts).is_ok())
    }
}
