//! What users do about each other, and what each has about others.

use hongyan_domain::environment::Pending;
use hongyan_domain::friend::{Act, Bond, FRIENDS_MAX, FriendEvent, REQUEST_LIFE_MS, REQUESTS_MAX, Relation, Tie};
use hongyan_domain::grouping::Groupings;
use hongyan_domain::id::{AppId, ConversationId, SessionId, UserId};
use hongyan_domain::name::Name;
use hongyan_domain::time::UnixMillis;
use hongyan_store::Result;
use hongyan_store::feed::{Committed, CommittedWhat};
use hongyan_store::friends::{
    Acquaintance, AddFriend, AddOutcome, ChangeFriend, ChangeOutcome, FriendChange, Friends, Lists, Looked,
};
use hongyan_store::timeline::About;

use super::state::{Batch, Reference, RelationRow, State};
use super::{ModelStore, accounts, lists};

/// An entry of an inbox that belongs to no conversation.
const NO_CONVERSATION: ConversationId = ConversationId(0);

/// The two of a wish; `user` acts.
#[derive(Clone, Copy)]
struct Pair {
    app: AppId,
    session: SessionId,
    conversation: ConversationId,
    user: UserId,
    other: UserId,
    now: UnixMillis,
}

fn relation(state: &State, user: UserId, other: UserId) -> Relation {
    let row = state.people.get(&user).and_then(|person| person.relations.get(&other));
    row.map_or_else(Relation::default, |row| row.relation.clone())
}

fn count(state: &State, user: UserId, tie: Tie, after: UnixMillis) -> usize {
    let rows = state.people.get(&user).into_iter().flat_map(|person| person.relations.values());
    rows.filter(|row| row.relation.tie == tie && row.relation.time > after).count()
}

fn change_relation(
    state: &mut State,
    user: UserId,
    other: UserId,
    change: impl FnOnce(&mut Relation),
) -> Result<Option<u64>> {
    let before = relation(state, user, other);
    let mut relation = before.clone();
    change(&mut relation);
    if relation == before {
        return Ok(None);
    }
    let version = state.next_people_version();
    let rows = &mut state.person_mut(user)?.relations;
    let befriended = match (before.tie, relation.tie) {
        (Tie::Friend, Tie::Friend) => rows.get(&other).map_or(0, |row| row.befriended),
        (_, Tie::Friend) => version,
        _ => 0,
    };
    rows.insert(other, RelationRow { relation, version, befriended });
    Ok(Some(version))
}

/// Tells a user's devices that their own lists have changed.
pub(super) fn tell_lists(
    batch: &mut Batch<'_>,
    app: AppId,
    session: SessionId,
    user: UserId,
    version: u64,
) -> Result<()> {
    let about = About::Person(batch.state.person(user)?.user.name.clone());
    let inbox_seq = batch.refer(user, NO_CONVERSATION, Reference::Lists { version })?;
    let what = CommittedWhat::Lists { version };
    batch.tell(Committed { app, user, inbox_seq, conversation: NO_CONVERSATION, about, origin: session, what });
    Ok(())
}

impl Pair {
    fn bond(self, state: &State) -> Result<Bond> {
        Ok(state.conversation(self.conversation)?.bond)
    }

    fn befriend(self, batch: &mut Batch<'_>, note: impl Fn(&mut Relation)) -> Result<bool> {
        let full = |user| count(batch.state, user, Tie::Friend, UnixMillis(0)) >= FRIENDS_MAX;
        if full(self.user) || full(self.other) {
            return Ok(false);
        }
        batch.state.conversation_mut(self.conversation)?.set_bond(Bond::Friends);
        for (user, other) in [(self.user, self.other), (self.other, self.user)] {
            change_relation(batch.state, user, other, |relation| {
                relation.tie = Tie::Friend;
                relation.text = String::new();
                relation.time = self.now;
                if user == self.user {
                    note(relation);
                }
            })?;
        }
        self.tell_both(batch, FriendEvent::Friends, FriendEvent::Friends)?;
        Ok(true)
    }

    fn ask(self, batch: &mut Batch<'_>, add: &AddFriend) -> Result<bool> {
        let oldest = UnixMillis(self.now.0.saturating_sub(REQUEST_LIFE_MS));
        let waits = relation(batch.state, self.other, self.user).tie == Tie::Asks;
        if count(batch.state, self.other, Tie::Asks, oldest) >= REQUESTS_MAX && !waits {
            return Ok(false);
        }
        let bond = Bond::Asked { by: self.user, at: self.now };
        batch.state.conversation_mut(self.conversation)?.set_bond(bond);
        for (user, other, tie) in [(self.user, self.other, Tie::Asked), (self.other, self.user, Tie::Asks)] {
            change_relation(batch.state, user, other, |relation| {
                relation.tie = tie;
                relation.text.clone_from(&add.text);
                relation.time = self.now;
                if user == self.user {
                    relation.remark.clone_from(&add.remark);
                    relation.grouping = add.grouping;
                }
            })?;
        }
        self.tell_both(batch, FriendEvent::Asked, FriendEvent::Asks)?;
        Ok(true)
    }

    fn end(self, batch: &mut Batch<'_>, event: FriendEvent) -> Result<()> {
        batch.state.conversation_mut(self.conversation)?.set_bond(Bond::Strangers);
        for (user, other) in [(self.user, self.other), (self.other, self.user)] {
            change_relation(batch.state, user, other, Relation::end)?;
        }
        self.tell_both(batch, event, event)
    }

    fn tell_both(self, batch: &mut Batch<'_>, to_user: FriendEvent, to_other: FriendEvent) -> Result<()> {
        for (user, other, event) in [(self.user, self.other, to_user), (self.other, self.user, to_other)] {
            let about = About::Person(batch.state.person(other)?.user.name.clone());
            let inbox_seq = batch.refer(user, self.conversation, Reference::Friend { other, event })?;
            let Relation { text, time, .. } = relation(batch.state, user, other);
            let what = CommittedWhat::Friend { event, text, time };
            let Self { app, session: origin, conversation, .. } = self;
            batch.tell(Committed { app, user, inbox_seq, conversation, about, origin, what });
        }
        Ok(())
    }
}

/// Whom a user lets ask, and the version of that, beside that of the pair.
fn version(state: &State, conversation: Option<ConversationId>, other: UserId) -> Result<u64> {
    let access_version = match conversation {
        Some(conversation) => state.conversation(conversation)?.access_version,
        None => 0,
    };
    Ok(access_version + state.person(other)?.policy_version)
}

fn acquaintance(state: &State, app: AppId, asker: UserId, name: &Name, grouping: u32) -> Result<Option<Acquaintance>> {
    let Some(user) = accounts::user(state, app, name) else { return Ok(None) };
    let conversation = state.direct(app, asker, user.id);
    let log = conversation.map(|conversation| state.conversation(conversation)).transpose()?;
    Ok(Some(Acquaintance {
        other: user.id,
        other_is_normal: !user.disabled && !name.is_visitor(),
        conversation,
        bond: log.map(|log| log.bond).unwrap_or_default(),
        blocked_by_asker: log.is_some_and(|log| log.is_blocked_by(asker)),
        blocked_by_other: log.is_some_and(|log| log.is_blocked_by(user.id)),
        grouping_exists: state.person(asker)?.groupings.has(grouping),
        policy: state.person(user.id)?.profile.profile.policy,
        version: version(state, conversation, user.id)?,
    }))
}

fn add(batch: &mut Batch<'_>, add: &AddFriend) -> Result<AddOutcome> {
    let AddFriend { app, session, asker, other, now, .. } = *add;
    batch.state.person(asker)?;
    if version(batch.state, batch.state.direct(app, asker, other), other)? != add.version {
        return Ok(AddOutcome::Stale);
    }
    let conversation = batch.state.direct_or_new(app, asker, other);
    let pair = Pair { app, session, conversation, user: asker, other, now };
    let bond = pair.bond(batch.state)?;
    let note = |relation: &mut Relation| {
        relation.remark.clone_from(&add.remark);
        relation.grouping = add.grouping;
    };
    let same = relation(batch.state, asker, other).text == add.text;
    match bond {
        Bond::Friends => Ok(AddOutcome::Friends),
        Bond::Asked { at, .. } if bond.is_asked_by(asker, now) && add.act == Act::Ask && same => {
            change_relation(batch.state, asker, other, note)?;
            Ok(AddOutcome::Asked(at))
        }
        bond if add.act == Act::Befriend || bond.is_asked_by(other, now) => {
            Ok(if pair.befriend(batch, note)? { AddOutcome::Friends } else { AddOutcome::Full })
        }
        _ => Ok(if pair.ask(batch, add)? { AddOutcome::Asked(now) } else { AddOutcome::Full }),
    }
}

fn change(batch: &mut Batch<'_>, wish: &ChangeFriend) -> Result<ChangeOutcome> {
    let ChangeFriend { app, session, user, other, now, .. } = *wish;
    let Some(conversation) = batch.state.direct(app, user, other) else { return Ok(ChangeOutcome::Gone) };
    let pair = Pair { app, session, conversation, user, other, now };
    let note = |remark: &str, grouping: u32, relation: &mut Relation| {
        relation.remark = remark.to_owned();
        relation.grouping = grouping;
    };
    match (&wish.change, pair.bond(batch.state)?) {
        (FriendChange::Accept { .. }, Bond::Friends) => {}
        (FriendChange::Accept { remark, grouping }, bond) if bond.is_asked_by(other, now) => {
            if !pair.befriend(batch, |relation| note(remark, *grouping, relation))? {
                return Ok(ChangeOutcome::Full);
            }
        }
        (FriendChange::Decline, Bond::Asked { by, .. }) if by == other => pair.end(batch, FriendEvent::Declined)?,
        (FriendChange::Remove, Bond::Friends) => pair.end(batch, FriendEvent::Removed)?,
        (FriendChange::Remove, Bond::Asked { by, .. }) if by == user => pair.end(batch, FriendEvent::Declined)?,
        (FriendChange::Note { remark, grouping }, Bond::Friends) => {
            let noted = change_relation(batch.state, user, other, |relation| note(remark, *grouping, relation))?;
            if let Some(version) = noted {
                tell_lists(batch, app, session, user, version)?;
            }
        }
        _ => return Ok(ChangeOutcome::Gone),
    }
    Ok(ChangeOutcome::Done)
}

/// Blocks or unblocks; nobody blocks themselves. A new block ends a request between the two.
pub(super) fn set_blocked(
    batch: &mut Batch<'_>,
    app: AppId,
    session: SessionId,
    user: UserId,
    other: UserId,
    blocked: bool,
) -> Result<()> {
    if user == other {
        return Ok(());
    }
    batch.state.person(user)?;
    batch.state.person(other)?;
    let conversation = batch.state.direct_or_new(app, user, other);
    batch.state.conversation_mut(conversation)?.set_blocked_by(user, blocked);
    let pair = Pair { app, session, conversation, user, other, now: UnixMillis(0) };
    if blocked && matches!(pair.bond(batch.state)?, Bond::Asked { .. }) {
        pair.end(batch, FriendEvent::Declined)?;
    }
    if let Some(version) = change_relation(batch.state, user, other, |relation| relation.blocked = blocked)? {
        tell_lists(batch, app, session, user, version)?;
    }
    Ok(())
}

fn set_groupings(
    batch: &mut Batch<'_>,
    app: AppId,
    session: SessionId,
    user: UserId,
    groupings: &Groupings,
) -> Result<Option<u64>> {
    if batch.state.person(user)?.groupings.version != groupings.version {
        return Ok(None);
    }
    let version = batch.state.next_people_version();
    batch.state.person_mut(user)?.groupings = Groupings { version, ..groupings.clone() };
    tell_lists(batch, app, session, user, version)?;
    Ok(Some(version))
}

fn looked_at(state: &State, app: AppId, onlooker: UserId, names: &[Name]) -> Vec<Looked> {
    let one = |name: &Name| {
        let user = accounts::user(state, app, name).filter(|user| !user.disabled && !name.is_visitor())?.id;
        let profile = &state.people.get(&user)?.profile.profile;
        Some(Looked {
            user,
            name: name.clone(),
            is_friend: relation(state, onlooker, user).tie == Tie::Friend,
            blocks: relation(state, user, onlooker).blocked,
            presence_to: profile.presence_to,
            last_seen_to: profile.last_seen_to,
        })
    };
    names.iter().filter_map(one).collect()
}

impl Friends for ModelStore {
    fn acquaintance(
        &self,
        app: AppId,
        asker: UserId,
        other: Name,
        grouping: u32,
    ) -> Pending<'_, Result<Option<Acquaintance>>> {
        self.read(move |state| acquaintance(state, app, asker, &other, grouping))
    }

    fn add_friend(&self, add: AddFriend) -> Pending<'_, Result<AddOutcome>> {
        self.write_as(add.session, move |batch| self::add(batch, &add))
    }

    fn change_friend(&self, change: ChangeFriend) -> Pending<'_, Result<ChangeOutcome>> {
        self.write_as(change.session, move |batch| self::change(batch, &change))
    }

    fn groupings(&self, user: UserId) -> Pending<'_, Result<Groupings>> {
        self.read(move |state| Ok(state.person(user)?.groupings.clone()))
    }

    fn set_groupings(
        &self,
        app: AppId,
        session: SessionId,
        user: UserId,
        groupings: Groupings,
    ) -> Pending<'_, Result<Option<u64>>> {
        self.write_as(session, move |batch| set_groupings(batch, app, session, user, &groupings))
    }

    fn looked_at(&self, app: AppId, onlooker: UserId, names: Vec<Name>) -> Pending<'_, Result<Vec<Looked>>> {
        self.read(move |state| Ok(looked_at(state, app, onlooker, &names)))
    }

    fn lists(&self, user: UserId, lists: u64, details: u64, bytes_max: usize) -> Pending<'_, Result<Lists>> {
        self.read(move |state| lists::page(state, user, lists, details, bytes_max))
    }
}
