//! Changes of groups: made, changed, entered. Each is decided here, under the writer's lock, by the pure rules of
//! [`hongyan_domain::group`], so that it can rest on nothing that has changed meanwhile.

use std::collections::{BTreeMap, BTreeSet};

use hongyan_domain::group::{
    Change, Entrance, Event, HistoryPolicy, Member, Profile, Role, TOLD_MEMBERS_MAX, decide_change, decide_join,
};
use hongyan_domain::id::{ConversationId, UserId};
use hongyan_domain::name::Name;
use hongyan_domain::refusal::Refusal;
use hongyan_domain::time::UnixMillis;
use rusqlite::Connection;

use super::super::batch::{Batch, Counter, Reference};
use super::super::fault::Result;
use super::super::{message, shard};
use super::members::{self, MemberRow};
use super::request::{append_event, earlier, refer, remember, tell};
use super::{head, view};
use crate::feed::CommittedWhat;
use crate::groups::{Asker, ChangeGroup, CreateGroup, GroupNewsWhat, GroupOutcome, JoinGroup};
use crate::timeline::Answer;

/// Requests that make something are remembered under this conversation, which does not exist.
const NO_GROUP: ConversationId = ConversationId(0);
/// Those who keep order and are told that somebody asks to join.
const KEEPERS_TOLD_MAX: usize = 50;

/// Makes a group.
pub(super) fn create(batch: &mut Batch<'_>, create: &CreateGroup) -> Result<GroupOutcome> {
    let by = &create.by;
    if let Some(outcome) = earlier(batch.connection, NO_GROUP, by)? {
        return Ok(outcome);
    }
    if !batch.is_alive(by.session)? {
        return Ok(GroupOutcome::SessionEnded);
    }
    if head::id(batch.connection, by.app, &create.name)?.is_some() {
        return Ok(GroupOutcome::Refused(Refusal::Conflict));
    }
    let users: BTreeSet<UserId> = create.users.iter().copied().filter(|user| *user != by.user).collect();
    let users: Vec<UserId> = users.into_iter().collect();
    for user in std::iter::once(by.user).chain(users.iter().copied()) {
        if members::groups_of(batch.connection, user)? >= hongyan_domain::group::GROUPS_PER_USER_MAX {
            return Ok(GroupOutcome::Refused(Refusal::QuotaExceeded));
        }
    }
    let group = insert(batch, create)?;
    let title = create.profile.title.clone().unwrap_or_default();
    enter(batch, by, group, &[by.user], Some(Event::Created(title)))?;
    let mut owner = batch.member(group, by.user)?.cloned().unwrap_or_default();
    owner.member.role = Role::Owner;
    batch.set_member(group, by.user, Some(owner))?;
    if !users.is_empty() {
        let numbers = users.iter().map(|user| user.0).collect();
        enter(batch, by, group, &users, Some(Event::Joined(numbers)))?;
    }
    let answer = Answer { seq: group.0 as u64, message_count: 0, inbox_seq: 0, time: by.now };
    remember(batch, NO_GROUP, by, &answer)?;
    Ok(GroupOutcome::Done(answer))
}

fn insert(batch: &mut Batch<'_>, create: &CreateGroup) -> Result<ConversationId> {
    let CreateGroup { by, name, profile, policies, .. } = create;
    let group = ConversationId::in_shard(batch.next_counter(Counter::Conversation)?, shard::of_group(by.app, name));
    batch
        .connection
        .prepare_cached("INSERT INTO group_head (id, app, name, created, owner) VALUES (?1, ?2, ?3, ?4, ?5)")?
        .execute((group.0, by.app.0, name.as_str(), by.now.0, by.user.0))?;
    let head = batch.group_mut(group)?;
    replace(&mut head.profile, profile);
    head.facts.policies = *policies;
    Ok(group)
}

/// Changes a group.
pub(super) fn change(batch: &mut Batch<'_>, change: &ChangeGroup) -> Result<GroupOutcome> {
    let ChangeGroup { by, group, change } = change;
    if let Some(outcome) = earlier(batch.connection, *group, by)? {
        return Ok(outcome);
    }
    if !batch.is_alive(by.session)? {
        return Ok(GroupOutcome::SessionEnded);
    }
    if let Err(refusal) = decide(batch, by.user, *group, change)? {
        return Ok(GroupOutcome::Refused(refusal));
    }
    let seq = apply(batch, by, *group, change)?;
    let answer = Answer { seq, message_count: 0, inbox_seq: 0, time: by.now };
    remember(batch, *group, by, &answer)?;
    Ok(GroupOutcome::Done(answer))
}

fn decide(
    batch: &mut Batch<'_>,
    user: UserId,
    group: ConversationId,
    change: &Change,
) -> Result<std::result::Result<(), Refusal>> {
    let (named, counts): (&[UserId], bool) = match change {
        Change::Invite(users) => (users, true),
        Change::Remove(users) => (users, false),
        Change::Owner(user) | Change::Admin(user, _) | Change::Mute(user, _) => (std::slice::from_ref(user), false),
        Change::Admission(user, _) => (std::slice::from_ref(user), true),
        _ => (&[], false),
    };
    let mut standings: BTreeMap<UserId, (Option<Member>, u32)> = BTreeMap::new();
    for other in named {
        let member = batch.member(group, *other)?.map(|row| row.member);
        let groups = if counts { members::groups_of(batch.connection, *other)? } else { 0 };
        standings.insert(*other, (member, groups));
    }
    let actor = batch.member(group, user)?.map(|row| row.member);
    let facts = &batch.group(group)?.facts;
    let standing = |other| standings.get(&other).copied().unwrap_or_default();
    if let Err(refusal) = decide_change(change, facts, user, actor, standing) {
        return Ok(Err(refusal));
    }
    exists(batch, user, group, change)
}

/// What a change is about must be there.
fn exists(
    batch: &Batch<'_>,
    user: UserId,
    group: ConversationId,
    change: &Change,
) -> Result<std::result::Result<(), Refusal>> {
    let found = match change {
        Change::Pin(seq, true) => {
            message::is_pinnable(batch.connection, group, *seq)? && view::may_see(batch.connection, group, user, *seq)?
        }
        Change::Admission(other, _) => asks(batch.connection, group, *other)?,
        _ => true,
    };
    Ok(if found { Ok(()) } else { Err(Refusal::NotFound) })
}

/// The seq of the entry that tells it, 0 = none does.
fn apply(batch: &mut Batch<'_>, by: &Asker, group: ConversationId, change: &Change) -> Result<u64> {
    match change {
        Change::Invite(users) => {
            let mut fresh = Vec::new();
            for user in users.iter().copied().collect::<BTreeSet<_>>() {
                if batch.member(group, user)?.is_none() {
                    fresh.push(user);
                }
            }
            admit(batch, by, group, &fresh)
        }
        Change::Remove(users) => {
            let users: BTreeSet<_> = users.iter().copied().collect();
            let event = Event::Left(users.iter().map(|user| user.0).collect());
            leave(batch, by, group, &users, Some(event))
        }
        Change::Leave => {
            let facts = &batch.group(group)?.facts;
            let told = facts.member_count <= TOLD_MEMBERS_MAX && !facts.dissolved;
            leave(batch, by, group, &BTreeSet::from([by.user]), told.then(|| Event::Left(vec![by.user.0])))
        }
        Change::Owner(user) => {
            set_role(batch, group, by.user, Role::Admin)?;
            set_role(batch, group, *user, Role::Owner)?;
            let head = batch.group_mut(group)?;
            head.owner = *user;
            head.profile_version += 1;
            append_event(batch, by, group, Event::Owner(user.0))
        }
        Change::Admin(user, admin) => {
            let role = if *admin { Role::Admin } else { Role::Member };
            if !set_role(batch, group, *user, role)? {
                return Ok(0);
            }
            append_event(batch, by, group, if *admin { Event::Admin(user.0) } else { Event::Member(user.0) })
        }
        Change::Mute(user, seconds) => {
            let until = if *seconds == 0 { 0 } else { by.now.0 + u64::from(*seconds) * 1_000 };
            set_member(batch, group, *user, |row| row.member.muted_until = UnixMillis(until))?;
            append_event(batch, by, group, Event::Silence(user.0, until))
        }
        Change::Nickname(nickname) => {
            set_member(batch, group, by.user, |row| row.nickname.clone_from(nickname))?;
            Ok(0)
        }
        Change::Admission(user, admitted) => {
            forget_asking(batch, group, *user)?;
            if *admitted && batch.member(group, *user)?.is_none() { admit(batch, by, group, &[*user]) } else { Ok(0) }
        }
        Change::Dissolve
        | Change::MuteAll(_)
        | Change::Profile(_)
        | Change::Announcement(_)
        | Change::Policies(_)
        | Change::Pin(..)
        | Change::NewLink(_) => change_head(batch, by, group, change),
    }
}

/// Changes of the group's own row.
fn change_head(batch: &mut Batch<'_>, by: &Asker, group: ConversationId, change: &Change) -> Result<u64> {
    let head = batch.group_mut(group)?;
    head.profile_version += 1;
    let event = match change {
        Change::Dissolve => {
            head.facts.dissolved = true;
            Some(Event::Dissolved)
        }
        Change::MuteAll(muted) => {
            let changed = head.facts.muted_all != *muted;
            head.facts.muted_all = *muted;
            changed.then_some(Event::MutedAll(*muted))
        }
        Change::Profile(profile) => {
            let renamed = profile.title.is_some() && profile.title != head.profile.title;
            replace(&mut head.profile, profile);
            profile.title.clone().filter(|_| renamed).map(Event::Title)
        }
        Change::Announcement(text) => {
            head.announcement.clone_from(text);
            Some(Event::Announcement(text.clone()))
        }
        Change::Policies(policies) => {
            head.facts.policies = *policies;
            None
        }
        Change::Pin(seq, pinned) => {
            let place = head.facts.pinned.binary_search(seq);
            match (place, pinned) {
                (Err(place), true) => head.facts.pinned.insert(place, *seq),
                (Ok(place), false) => drop(head.facts.pinned.remove(place)),
                _ => return Ok(0),
            }
            Some(if *pinned { Event::Pinned(*seq) } else { Event::Unpinned(*seq) })
        }
        Change::NewLink(link) => {
            head.facts.link.clone_from(link);
            None
        }
        _ => None,
    };
    event.map_or(Ok(0), |event| append_event(batch, by, group, event))
}

fn replace(profile: &mut Profile, by: &Profile) {
    for (text, new) in
        [(&mut profile.title, &by.title), (&mut profile.intro, &by.intro), (&mut profile.avatar, &by.avatar)]
    {
        if new.is_some() {
            text.clone_from(new);
        }
    }
}

/// Comes into a group, or asks to.
pub(super) fn join(batch: &mut Batch<'_>, join: &JoinGroup) -> Result<GroupOutcome> {
    let JoinGroup { by, group, joining } = join;
    if let Some(outcome) = earlier(batch.connection, *group, by)? {
        return Ok(outcome);
    }
    if !batch.is_alive(by.session)? {
        return Ok(GroupOutcome::SessionEnded);
    }
    let actor = batch.member(*group, by.user)?.map(|row| row.member);
    let groups = members::groups_of(batch.connection, by.user)?;
    let entrance = match decide_join(joining, &batch.group(*group)?.facts, actor, groups) {
        Ok(entrance) => entrance,
        Err(refusal) => return Ok(GroupOutcome::Refused(refusal)),
    };
    let mut answer = Answer { seq: 0, message_count: 0, inbox_seq: 0, time: by.now };
    match entrance {
        Entrance::Inside => {}
        Entrance::Open => answer.seq = admit(batch, by, *group, &[by.user])?,
        Entrance::Asks => {
            ask(batch, by, *group, &joining.text)?;
            answer.message_count = 1;
        }
    }
    remember(batch, *group, by, &answer)?;
    Ok(GroupOutcome::Done(answer))
}

fn asks(connection: &Connection, group: ConversationId, user: UserId) -> Result<bool> {
    let mut statement =
        connection.prepare_cached("SELECT EXISTS (SELECT 1 FROM group_asking WHERE grp = ?1 AND user = ?2)")?;
    Ok(statement.query_row((group.0, user.0), |row| row.get(0))?)
}

/// Somebody waits, and those who keep order are told to look.
fn ask(batch: &mut Batch<'_>, by: &Asker, group: ConversationId, text: &str) -> Result<()> {
    let fresh = !asks(batch.connection, group, by.user)?;
    // Whoever keeps order finds the new text, too, among what has changed.
    batch.group_mut(group)?.facts.asking_count += u32::from(fresh);
    let mut statement = batch.connection.prepare_cached(
        "INSERT INTO group_asking (grp, user, text, time) VALUES (?1, ?2, ?3, ?4) \
         ON CONFLICT DO UPDATE SET text = ?3, time = ?4",
    )?;
    statement.execute((group.0, by.user.0, text, by.now.0))?;
    let name = batch.group(group)?.name.clone();
    for keeper in batch.keepers(group)?.into_iter().take(KEEPERS_TOLD_MAX) {
        // Their standing is what it was; the entry makes them ask for the group.
        tell_membership(batch, by, keeper, (group, &name), true)?;
    }
    Ok(())
}

fn forget_asking(batch: &mut Batch<'_>, group: ConversationId, user: UserId) -> Result<()> {
    let mut statement = batch.connection.prepare_cached("DELETE FROM group_asking WHERE grp = ?1 AND user = ?2")?;
    if statement.execute((group.0, user.0))? == 1 {
        let facts = &mut batch.group_mut(group)?.facts;
        facts.asking_count = facts.asking_count.saturating_sub(1);
    }
    Ok(())
}

/// Takes people in, who are no members; tells it in the log of a small group.
fn admit(batch: &mut Batch<'_>, by: &Asker, group: ConversationId, users: &[UserId]) -> Result<u64> {
    if users.is_empty() {
        return Ok(0);
    }
    for user in users {
        forget_asking(batch, group, *user)?;
    }
    let told = batch.group(group)?.facts.member_count <= TOLD_MEMBERS_MAX;
    let event = told.then(|| Event::Joined(users.iter().map(|user| user.0).collect()));
    enter(batch, by, group, users, event)
}

/// They see the log from the next entry on, or all of it.
fn enter(
    batch: &mut Batch<'_>,
    by: &Asker,
    group: ConversationId,
    users: &[UserId],
    event: Option<Event>,
) -> Result<u64> {
    let head = batch.group_mut(group)?;
    head.facts.member_count += users.len() as u32;
    head.member_list_version += 1;
    let name = head.name.clone();
    let (from, from_count) = match head.facts.policies.history {
        HistoryPolicy::Everything => (1, 0),
        HistoryPolicy::FromJoining => (head.head_seq + 1, head.message_count),
    };
    for user in users {
        let own_count = members::own_count(batch.connection, group, *user, u64::MAX)?;
        let row = MemberRow { joined: by.now, own_count, ..MemberRow::default() };
        batch.set_member(group, *user, Some(row))?;
        members::begin_stay(batch.connection, group, *user, from, from_count)?;
        tell_membership(batch, by, *user, (group, &name), true)?;
        tell(batch, group, GroupNewsWhat::In(*user, from))?;
    }
    event.map_or(Ok(0), |event| append_event(batch, by, group, event))
}

/// The entry that tells it is the last that they see.
fn leave(
    batch: &mut Batch<'_>,
    by: &Asker,
    group: ConversationId,
    users: &BTreeSet<UserId>,
    event: Option<Event>,
) -> Result<u64> {
    let head = batch.group_mut(group)?;
    head.facts.member_count = head.facts.member_count.saturating_sub(users.len() as u32);
    head.member_list_version += 1;
    let name = head.name.clone();
    let seq = event.map_or(Ok(0), |event| append_event(batch, by, group, event))?;
    let head = batch.group(group)?;
    let (to, to_count) = (head.head_seq, head.message_count);
    for user in users {
        batch.set_member(group, *user, None)?;
        members::end_stay(batch.connection, group, *user, to, to_count)?;
        tell_membership(batch, by, *user, (group, &name), false)?;
        tell(batch, group, GroupNewsWhat::Out(*user))?;
    }
    Ok(seq)
}

fn tell_membership(
    batch: &mut Batch<'_>,
    by: &Asker,
    user: UserId,
    group: (ConversationId, &Name),
    member: bool,
) -> Result<()> {
    let what = CommittedWhat::Membership { member };
    refer(batch, by, user, group, &Reference::Membership(member), what).map(drop)
}

fn set_member(
    batch: &mut Batch<'_>,
    group: ConversationId,
    user: UserId,
    change: impl FnOnce(&mut MemberRow),
) -> Result<()> {
    let mut row = batch.member(group, user)?.cloned().unwrap_or_default();
    change(&mut row);
    batch.set_member(group, user, Some(row))?;
    batch.group_mut(group)?.member_list_version += 1;
    Ok(())
}

/// Whether it was another one.
fn set_role(batch: &mut Batch<'_>, group: ConversationId, user: UserId, role: Role) -> Result<bool> {
    let changed = batch.member(group, user)?.is_some_and(|row| row.member.role != role);
    if changed {
        set_member(batch, group, user, |row| row.member.role = role)?;
    }
    Ok(changed)
}
