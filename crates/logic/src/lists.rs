//! LISTS and SET_GROUPINGS: how a device keeps its user's people (spec 35, 36). One request tells both numbers that the
//! device has and brings what is newer; when nothing has changed, that is an answer of a few bytes.
//!
//! Lists of groups are not here yet: they go beside the relations, with numbers of their own.

use std::collections::BTreeMap;

use hongyan_cluster::service::Reply;
use hongyan_domain::friend::{FriendEvent, Relation, Tie, expiry};
use hongyan_domain::grouping::{Grouping, Groupings};
use hongyan_domain::id::UserId;
use hongyan_domain::name::Name;
use hongyan_domain::refusal::Refusal;
use hongyan_domain::session::Caller;
use hongyan_domain::time::UnixMillis;
use hongyan_store::friends::{ListedRelation, Lists};
use hongyan_store::profiles::KnownProfile;
use hongyan_wire::proto;

use crate::answer::{plain, unavailable};
use crate::friends::check_is_user;
use crate::page::PAGE_ENTRY_BYTES_MAX;
use crate::profiles::{own_profile_for, profile_for};
use crate::service::{Logic, STORED_MAX};

impl Logic {
    pub(crate) async fn lists(&self, caller: &Caller, request: proto::ListsRequest) -> Result<Reply, Refusal> {
        check_is_user(caller)?;
        let log_epoch = self.store.log_epoch();
        // Numbers of another epoch mean nothing; who has none yet has none of another.
        let is_other_epoch = request.log_epoch != log_epoch && request.lists != 0;
        let known = |number: u64| if is_other_epoch { 0 } else { number.min(STORED_MAX) };
        let (lists, details) = (known(request.lists), known(request.details));
        let page = self.store.lists(caller.user, lists, details, PAGE_ENTRY_BYTES_MAX).await.map_err(unavailable)?;
        let names = self.directory.names(users(&page)).await?;
        let mut answer = lists_for(caller, page, &names)?;
        answer.id = request.id;
        answer.log_epoch = log_epoch;
        answer.reset |= is_other_epoch;
        Ok(plain(&answer))
    }

    pub(crate) async fn set_groupings(
        &self,
        caller: &Caller,
        request: proto::SetGroupingsRequest,
    ) -> Result<Reply, Refusal> {
        check_is_user(caller)?;
        let wanted = request.groupings.into_iter().map(|proto::Grouping { id, name }| Grouping { id, name }).collect();
        let present = self.store.groupings(caller.user).await.map_err(unavailable)?;
        let changed = present.changed(request.version, wanted)?;
        let version = self.store.set_groupings(caller.app, caller.session, caller.user, changed.clone()).await;
        let version = version.map_err(unavailable)?.ok_or(Refusal::Outdated)?;
        let groupings = Some(groupings_for(Groupings { version, ..changed }));
        Ok(plain(&proto::SetGroupingsAnswer { id: request.id, refusal: None, groupings }))
    }
}

/// Everybody whose name is needed to show a page.
fn users(page: &Lists) -> impl Iterator<Item = UserId> {
    let listed = page.relations.iter().map(|listed| listed.other);
    listed.chain(page.profiles.iter().map(|known| known.user))
}

fn lists_for(caller: &Caller, page: Lists, names: &BTreeMap<UserId, Name>) -> Result<proto::ListsAnswer, Refusal> {
    let named = |user: UserId| names.get(&user).ok_or(Refusal::Internal);
    let profile = |known: &KnownProfile| Ok(profile_for(named(known.user)?, &known.of));
    let relation = |listed: &ListedRelation| {
        let profile = listed.profile.as_ref().map(profile).transpose()?;
        Ok(relation_for(named(listed.other)?, &listed.relation, profile))
    };
    Ok(proto::ListsAnswer {
        lists: page.lists,
        details: page.details,
        more: page.more,
        reset: page.reset,
        relations: page.relations.iter().map(relation).collect::<Result<_, Refusal>>()?,
        profiles: page.profiles.iter().map(profile).collect::<Result<_, Refusal>>()?,
        groupings: page.groupings.map(groupings_for),
        own: page.own.map(|own| own_profile_for(&caller.name, &own.of)),
        ..proto::ListsAnswer::default()
    })
}

fn relation_for(name: &Name, relation: &Relation, profile: Option<proto::Profile>) -> proto::Relation {
    let tie = match relation.tie {
        Tie::None => proto::Tie::None,
        Tie::Friend => proto::Tie::Friend,
        Tie::Asked => proto::Tie::Asked,
        Tie::Asks => proto::Tie::Asks,
    };
    proto::Relation {
        user: name.to_string(),
        tie: tie.into(),
        blocked: relation.blocked,
        remark: relation.remark.clone(),
        grouping: relation.grouping,
        text: relation.text.clone(),
        time_ms: relation.time.0,
        profile,
    }
}

fn groupings_for(groupings: Groupings) -> proto::Groupings {
    let list = groupings.list.into_iter().map(|Grouping { id, name }| proto::Grouping { id, name });
    proto::Groupings { version: groupings.version, groupings: list.collect() }
}

/// What has happened, as it stands in an inbox.
pub(crate) fn event_for(event: FriendEvent, text: &str, time: UnixMillis) -> proto::FriendEvent {
    use proto::FriendEventKind as Kind;
    let kind = match event {
        FriendEvent::Asks => Kind::RequestCame,
        FriendEvent::Asked => Kind::RequestMade,
        FriendEvent::Friends => Kind::Befriended,
        FriendEvent::Declined => Kind::RequestEnded,
        FriendEvent::Removed => Kind::Removed,
    };
    let waits = matches!(event, FriendEvent::Asks | FriendEvent::Asked) && time != UnixMillis(0);
    let (text, expires_at_ms) = if waits { (text.to_owned(), expiry(time).0) } else { (String::new(), 0) };
    proto::FriendEvent { kind: kind.into(), text, expires_at_ms }
}
