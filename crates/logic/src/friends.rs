//! ADD_FRIEND, DECIDE_FRIEND, REMOVE_FRIEND, NOTE_FRIEND (spec 72). Adding somebody is one read, the nine checks of
//! `hongyan_domain::friend`, and one write that checks again what they rested on; the rest is one write each, because what
//! it needs is in the row that it changes.
//!
//! None of them has a client_request_id: what a repeat asks for is so already.

use hongyan_cluster::service::Reply;
use hongyan_domain::friend::{
    AddFacts, Bond, FriendPolicy, REMARK_CHARACTERS_MAX, REQUEST_TEXT_CHARACTERS_MAX, decide_add, expiry, is_legal_line,
};
use hongyan_domain::name::Name;
use hongyan_domain::refusal::Refusal;
use hongyan_domain::session::Caller;
use hongyan_domain::spam::TextKind;
use hongyan_domain::time::UnixMillis;
use hongyan_store::friends::{Acquaintance, AddFriend, AddOutcome, ChangeFriend, ChangeOutcome, FriendChange};
use hongyan_wire::proto;

use crate::answer::{BUSY_RETRY_MS, plain, unavailable};
use crate::service::Logic;

/// Times that adding somebody is decided before it is put off.
const DECISIONS_MAX: usize = 3;

impl Logic {
    pub(crate) async fn add_friend(&self, caller: &Caller, request: proto::AddFriendRequest) -> Result<Reply, Refusal> {
        let name = Name::parse_anybody(&request.user).ok_or(Refusal::NotFound)?;
        if name == caller.name {
            return Err(Refusal::InvalidArgument("user"));
        }
        check_remark(&request.remark)?;
        // Illegal texts are the eighth of nine reasons: it is told in its turn.
        let text = self.fit_text(caller, TextKind::Request, request.text.clone()).await;
        let text = match text {
            Err(Refusal::SpamRejected) => None,
            judged => Some(judged?),
        };
        let too_frequent = self.friend_requests.take(caller.user, self.environment.monotonic_ms()).err();
        for decision in 0..DECISIONS_MAX {
            let known = self.store.acquaintance(caller.app, caller.user, name.clone(), request.grouping).await;
            let known = known.map_err(unavailable)?;
            // Whoever tries out names is slowed down, whether they exist or not.
            if decision == 0 && !caller.name.is_visitor() && known.is_none_or(|known| known.conversation.is_none()) {
                self.count_first_contact(caller)?;
            }
            let now = self.environment.wall_clock();
            let act = decide_add(&add_facts(caller, &request, text.is_some(), known.as_ref(), too_frequent, now))?;
            let Some(Acquaintance { other, version, .. }) = known else { return Err(Refusal::NotFound) };
            let add = AddFriend {
                app: caller.app,
                session: caller.session,
                asker: caller.user,
                other,
                version,
                act,
                text: text.clone().unwrap_or_default(),
                remark: request.remark.clone(),
                grouping: request.grouping,
                now,
            };
            let (friends, expires_at) = match self.store.add_friend(add).await.map_err(unavailable)? {
                AddOutcome::Friends => (true, UnixMillis(0)),
                AddOutcome::Asked(at) => (false, expiry(at)),
                AddOutcome::Full => return Err(Refusal::QuotaExceeded),
                AddOutcome::Stale => continue,
            };
            let answer = proto::AddFriendAnswer { id: request.id, refusal: None, friends, expires_at_ms: expires_at.0 };
            return Ok(plain(&answer));
        }
        Err(Refusal::TryLater { retry_after_ms: BUSY_RETRY_MS })
    }

    pub(crate) async fn decide_friend(
        &self,
        caller: &Caller,
        request: proto::DecideFriendRequest,
    ) -> Result<Reply, Refusal> {
        let proto::DecideFriendRequest { id, user, accept, remark, grouping } = request;
        let change = if accept {
            self.check_note(caller, &remark, grouping).await?;
            FriendChange::Accept { remark, grouping }
        } else {
            FriendChange::Decline
        };
        self.change_friend(caller, &user, change).await?;
        Ok(plain(&proto::DecideFriendAnswer { id, refusal: None }))
    }

    pub(crate) async fn remove_friend(
        &self,
        caller: &Caller,
        request: proto::RemoveFriendRequest,
    ) -> Result<Reply, Refusal> {
        self.change_friend(caller, &request.user, FriendChange::Remove).await?;
        Ok(plain(&proto::RemoveFriendAnswer { id: request.id, refusal: None }))
    }

    pub(crate) async fn note_friend(
        &self,
        caller: &Caller,
        request: proto::NoteFriendRequest,
    ) -> Result<Reply, Refusal> {
        let proto::NoteFriendRequest { id, user, remark, grouping } = request;
        self.check_note(caller, &remark, grouping).await?;
        self.change_friend(caller, &user, FriendChange::Note { remark, grouping }).await?;
        Ok(plain(&proto::NoteFriendAnswer { id, refusal: None }))
    }

    /// Who is nobody's friend looks the same whether they exist or not.
    async fn change_friend(&self, caller: &Caller, other: &str, change: FriendChange) -> Result<(), Refusal> {
        check_is_user(caller)?;
        let (other, _) = self.directory.other(caller.app, other).await?;
        let (app, session, user, other) = (caller.app, caller.session, caller.user, other.id);
        let now = self.environment.wall_clock();
        let wish = ChangeFriend { app, session, user, other, change, now };
        let removes = wish.change == FriendChange::Remove;
        match self.store.change_friend(wish).await.map_err(unavailable)? {
            ChangeOutcome::Done => {
                if removes {
                    self.part(user, other);
                }
                Ok(())
            }
            ChangeOutcome::Gone => Err(Refusal::NotFound),
            ChangeOutcome::Full => Err(Refusal::QuotaExceeded),
        }
    }

    async fn check_note(&self, caller: &Caller, remark: &str, grouping: u32) -> Result<(), Refusal> {
        check_remark(remark)?;
        if grouping != 0 && !self.store.groupings(caller.user).await.map_err(unavailable)?.has(grouping) {
            return Err(Refusal::InvalidArgument("grouping"));
        }
        Ok(())
    }
}

/// Refuses visitors: what users have of each other is nothing for them.
pub(crate) fn check_is_user(caller: &Caller) -> Result<(), Refusal> {
    if caller.name.is_visitor() { Err(Refusal::VisitorsHaveNoFriends) } else { Ok(()) }
}

fn check_remark(remark: &str) -> Result<(), Refusal> {
    if is_legal_line(remark, REMARK_CHARACTERS_MAX) { Ok(()) } else { Err(Refusal::InvalidArgument("remark")) }
}

/// What the nine checks look at; of somebody who does not exist, only that.
fn add_facts(
    caller: &Caller,
    request: &proto::AddFriendRequest,
    text_is_fit: bool,
    known: Option<&Acquaintance>,
    too_frequent: Option<u32>,
    now: UnixMillis,
) -> AddFacts {
    let holds = |fact: fn(&Acquaintance) -> bool| known.is_some_and(fact);
    AddFacts {
        asker_is_normal: !caller.name.is_visitor(),
        other_is_normal: holds(|known| known.other_is_normal),
        grouping_exists: holds(|known| known.grouping_exists),
        friends: holds(|known| known.bond == Bond::Friends),
        blocked_by_asker: holds(|known| known.blocked_by_asker),
        blocked_by_other: holds(|known| known.blocked_by_other),
        too_frequent,
        text_is_legal: text_is_fit && is_legal_line(&request.text, REQUEST_TEXT_CHARACTERS_MAX),
        policy: known.map_or_else(FriendPolicy::default, |known| known.policy),
        asked_by_other: known.is_some_and(|known| known.bond.is_asked_by(known.other, now)),
    }
}
