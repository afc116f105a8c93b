//! WATCH, SET_PRESENCE, GET_PRESENCE (spec 59-61): who may look at whom is read from the store, who is there is known to the
//! bus. Changes are told by the bus when they have lasted.
//!
//! Members of a group are looked at by GET_PRESENCE only, never pushed. Who is in a group with whom is not known here yet:
//! [`onlooker`] is where it goes.

use hongyan_cluster::bus;
use hongyan_cluster::presence::Subject;
use hongyan_cluster::service::Reply;
use hongyan_domain::id::UserId;
use hongyan_domain::name::Name;
use hongyan_domain::presence::{Chosen, Onlooker};
use hongyan_domain::refusal::Refusal;
use hongyan_domain::session::Caller;
use hongyan_store::friends::Looked;
use hongyan_wire::proto;

use crate::answer::{BUSY_RETRY_MS, plain, unavailable};
use crate::friends::check_is_user;
use crate::rate::Rate;
use crate::service::Logic;

/// What one session may ask about presence.
pub(crate) const PRESENCE_RATE: Rate = Rate { burst: 30, per_minute: 60 };
/// Times that rights to look are read before a wish is put off.
const READS_MAX: usize = 3;

impl Logic {
    pub(crate) async fn watch(&self, caller: &Caller, request: proto::WatchRequest) -> Result<Reply, Refusal> {
        self.count_presence(caller)?;
        for _ in 0..READS_MAX {
            let presences = self.bus.presences();
            let generation = presences.generation();
            let subjects = self.subjects(caller, &request.users).await?;
            let sights = presences.watch(caller.session, &subjects, generation, |user| self.bus.is_present(user));
            let Some(sights) = sights else { continue };
            // The connection may have gone meanwhile, and what it watched with it.
            if !self.bus.router().connected(caller.user).contains(&caller.session) {
                presences.unwatch_all(caller.session);
            }
            let presences = sights.iter().map(bus::presence).collect();
            return Ok(plain(&proto::WatchAnswer { id: request.id, refusal: None, presences }));
        }
        Err(Refusal::TryLater { retry_after_ms: BUSY_RETRY_MS })
    }

    pub(crate) async fn get_presence(
        &self,
        caller: &Caller,
        request: proto::GetPresenceRequest,
    ) -> Result<Reply, Refusal> {
        self.count_presence(caller)?;
        let subjects = self.subjects(caller, &request.users).await?;
        let look = |subject: &Subject| self.bus.presences().look(subject, self.bus.is_present(subject.user));
        let presences = subjects.iter().map(|subject| bus::presence(&look(subject))).collect();
        Ok(plain(&proto::GetPresenceAnswer { id: request.id, refusal: None, presences }))
    }

    pub(crate) async fn set_presence(
        &self,
        caller: &Caller,
        request: proto::SetPresenceRequest,
    ) -> Result<Reply, Refusal> {
        self.count_presence(caller)?;
        let chosen = match request.state() {
            proto::PresenceState::Online => Chosen::Online,
            proto::PresenceState::Away => Chosen::Away,
            proto::PresenceState::Busy => Chosen::Busy,
            proto::PresenceState::Invisible => Chosen::Invisible,
            proto::PresenceState::Offline => return Err(Refusal::InvalidArgument("state")),
        };
        let (now_ms, wall) = (self.environment.monotonic_ms(), self.environment.wall_clock());
        self.bus.presences().choose(caller.user, chosen, now_ms, wall);
        Ok(plain(&proto::SetPresenceAnswer { id: request.id, refusal: None }))
    }

    /// Two people may not look at each other any more: what they watch of each other ends.
    pub(crate) fn part(&self, one: UserId, other: UserId) {
        for (onlooker, user) in [(one, other), (other, one)] {
            self.bus.presences().unwatch(&self.bus.router().connected(onlooker), user);
        }
    }

    fn count_presence(&self, caller: &Caller) -> Result<(), Refusal> {
        check_is_user(caller)?;
        let taken = self.presence_by_session.take(caller.session, self.environment.monotonic_ms());
        taken.map_err(|retry_after_ms| Refusal::RateLimited { retry_after_ms })
    }

    /// Those of the named whom the caller may look at, each once.
    async fn subjects(&self, caller: &Caller, users: &[String]) -> Result<Vec<Subject>, Refusal> {
        let mut names: Vec<Name> = users.iter().filter_map(|user| Name::parse(user)).collect();
        names.sort_unstable();
        names.dedup();
        let looked = self.store.looked_at(caller.app, caller.user, names).await.map_err(unavailable)?;
        let subject = |looked: Looked| {
            let onlooker = onlooker(&looked);
            let tells_last_seen = looked.last_seen_to.has(onlooker);
            let may_look = looked.presence_to.has(onlooker);
            may_look.then_some(Subject { user: looked.user, name: looked.name, tells_last_seen })
        };
        Ok(looked.into_iter().filter_map(subject).collect())
    }
}

fn onlooker(looked: &Looked) -> Onlooker {
    if looked.is_friend && !looked.blocks { Onlooker::Friend } else { Onlooker::Stranger }
}
