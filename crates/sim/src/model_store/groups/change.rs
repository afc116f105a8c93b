//! Changes of groups: made, changed, entered; decided by the rules of `hongyan_domain::group`.

use std::collections::BTreeSet;

use hongyan_domain::group::{
    Change, Entrance, Event, GROUPS_PER_USER_MAX, HistoryPolicy, Profile, Role, TOLD_MEMBERS_MAX, decide_change,
    decide_join,
};
use hongyan_domain::id::{ConversationId, UserId};
use hongyan_domain::refusal::Refusal;
use hongyan_domain::time::UnixMillis;
use hongyan_store::Result;
use hongyan_store::feed::CommittedWhat;
use hongyan_store::groups::{Asker, ChangeGroup, CreateGroup, GroupNewsWhat, GroupOutcome, JoinGroup};
use hongyan_store::timeline::Answer;

use super::super::state::{Batch, Reference, State};
use super::{GroupLog, Membership, Stay, append_event, earlier, refer, tell};

/// Those who keep order and are told that somebody asks to join.
const KEEPERS_TOLD_MAX: usize = 50;

fn answer(by: &Asker, seq: u64) -> Answer {
    Answer { seq, message_count: 0, inbox_seq: 0, time: by.now }
}

/// Makes a group.
pub(super) fn create(batch: &mut Batch<'_>, create: &CreateGroup) -> Result<GroupOutcome> {
    let by = &create.by;
    if let Some(outcome) = earlier(&batch.state.group_keys, by) {
        return Ok(outcome);
    }
    if !batch.state.may_write(by.session) {
        return Ok(GroupOutcome::SessionEnded);
    }
    if batch.state.group_named(by.app, &create.name).is_some() {
        return Ok(GroupOutcome::Refused(Refusal::Conflict));
    }
    let users: BTreeSet<UserId> = create.users.iter().copied().filter(|user| *user != by.user).collect();
    for user in users.iter().chain([&by.user]) {
        batch.state.person(*user)?;
        if batch.state.groups_of(*user) >= GROUPS_PER_USER_MAX {
            return Ok(GroupOutcome::Refused(Refusal::QuotaExceeded));
        }
    }
    let (counter, shard) = batch.state.next_id();
    let group = ConversationId::in_shard(counter, shard);
    batch.state.groups.insert(group, GroupLog::new(create));
    let title = create.profile.title.clone().unwrap_or_default();
    enter(batch, by, group, &BTreeSet::from([by.user]), Some(Event::Created(title)))?;
    batch.group_mut(group)?.members.entry(by.user).or_default().member.role = Role::Owner;
    if !users.is_empty() {
        let joined = Event::Joined(users.iter().map(|user| user.0).collect());
        enter(batch, by, group, &users, Some(joined))?;
    }
    let answer = answer(by, group.0 as u64);
    batch.state.group_keys.insert((by.user, by.client_id), (by.digest, answer));
    Ok(GroupOutcome::Done(answer))
}

/// Changes a group.
pub(super) fn change(batch: &mut Batch<'_>, change: &ChangeGroup) -> Result<GroupOutcome> {
    let ChangeGroup { by, group, change } = change;
    if let Some(outcome) = earlier(&batch.state.group(*group)?.keys, by) {
        return Ok(outcome);
    }
    if !batch.state.may_write(by.session) {
        return Ok(GroupOutcome::SessionEnded);
    }
    if let Err(refusal) = decide(batch.state, by.user, *group, change)? {
        return Ok(GroupOutcome::Refused(refusal));
    }
    let seq = apply(batch, by, *group, change)?;
    remember(batch, by, *group, answer(by, seq))
}

fn remember(batch: &mut Batch<'_>, by: &Asker, group: ConversationId, answer: Answer) -> Result<GroupOutcome> {
    // That something is remembered changes nothing that a list shows.
    let log = batch.state.groups.get_mut(&group);
    log.map(|log| log.keys.insert((by.user, by.client_id), (by.digest, answer)));
    Ok(GroupOutcome::Done(answer))
}

fn decide(
    state: &State,
    user: UserId,
    group: ConversationId,
    change: &Change,
) -> Result<std::result::Result<(), Refusal>> {
    let log = state.group(group)?;
    if let Change::Invite(users) = change {
        users.iter().try_for_each(|user| state.person(*user).map(drop))?;
    }
    let standing = |other| (log.member(other), state.groups_of(other));
    if let Err(refusal) = decide_change(change, &log.facts, user, log.member(user), standing) {
        return Ok(Err(refusal));
    }
    let there = match change {
        Change::Pin(seq, true) => log.may_see(user, *seq) && log.row(*seq).is_some_and(is_message),
        Change::Admission(other, _) => log.asking.contains_key(other),
        _ => true,
    };
    Ok(if there { Ok(()) } else { Err(Refusal::NotFound) })
}

fn is_message(row: &super::Row) -> bool {
    row.entry.change_of == 0 && !row.entry.recalled && row.entry.event.is_none()
}

/// The seq of the entry that tells it, 0 = none does.
fn apply(batch: &mut Batch<'_>, by: &Asker, group: ConversationId, change: &Change) -> Result<u64> {
    match change {
        Change::Invite(users) => {
            let members = &batch.state.group(group)?.members;
            let fresh = users.iter().copied().filter(|user| !members.contains_key(user)).collect();
            admit(batch, by, group, &fresh)
        }
        Change::Remove(users) => {
            let users: BTreeSet<_> = users.iter().copied().collect();
            let event = Event::Left(users.iter().map(|user| user.0).collect());
            leave(batch, by, group, &users, Some(event))
        }
        Change::Leave => {
            let facts = &batch.state.group(group)?.facts;
            let told = facts.member_count <= TOLD_MEMBERS_MAX && !facts.dissolved;
            leave(batch, by, group, &BTreeSet::from([by.user]), told.then(|| Event::Left(vec![by.user.0])))
        }
        Change::Owner(user) => {
            set_role(batch, group, by.user, Role::Admin)?;
            set_role(batch, group, *user, Role::Owner)?;
            let log = batch.group_mut(group)?;
            log.owner = *user;
            log.profile_version += 1;
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
            let enters = *admitted && !batch.state.group(group)?.members.contains_key(user);
            if enters { admit(batch, by, group, &BTreeSet::from([*user])) } else { Ok(0) }
        }
        _ => change_head(batch.group_mut(group)?, change).map_or(Ok(0), |event| append_event(batch, by, group, event)),
    }
}

/// Changes of the group's own row; what the log tells of it.
fn change_head(log: &mut GroupLog, change: &Change) -> Option<Event> {
    log.profile_version += 1;
    match change {
        Change::Dissolve => {
            log.facts.dissolved = true;
            Some(Event::Dissolved)
        }
        Change::MuteAll(muted) => {
            let before = std::mem::replace(&mut log.facts.muted_all, *muted);
            (before != *muted).then_some(Event::MutedAll(*muted))
        }
        Change::Profile(Profile { title, intro, avatar }) => {
            let renamed = title.is_some() && *title != log.profile.title;
            let mine = &mut log.profile;
            for (mine, new) in [(&mut mine.title, title), (&mut mine.intro, intro), (&mut mine.avatar, avatar)] {
                *mine = new.clone().or(mine.take());
            }
            title.clone().filter(|_| renamed).map(Event::Title)
        }
        Change::Announcement(text) => {
            log.announcement.clone_from(text);
            Some(Event::Announcement(text.clone()))
        }
        Change::Policies(policies) => {
            log.facts.policies = *policies;
            None
        }
        Change::Pin(seq, pinned) => {
            let pins = &mut log.facts.pinned;
            if pins.contains(seq) == *pinned {
                return None;
            }
            pins.retain(|pin| pin != seq);
            if *pinned {
                pins.push(*seq);
                pins.sort_unstable();
            }
            Some(if *pinned { Event::Pinned(*seq) } else { Event::Unpinned(*seq) })
        }
        Change::NewLink(link) => {
            log.facts.link.clone_from(link);
            None
        }
        _ => None,
    }
}

/// Comes into a group, or asks to.
pub(super) fn join(batch: &mut Batch<'_>, join: &JoinGroup) -> Result<GroupOutcome> {
    let JoinGroup { by, group, joining } = join;
    let log = batch.state.group(*group)?;
    if let Some(outcome) = earlier(&log.keys, by) {
        return Ok(outcome);
    }
    if !batch.state.may_write(by.session) {
        return Ok(GroupOutcome::SessionEnded);
    }
    let entrance = match decide_join(joining, &log.facts, log.member(by.user), batch.state.groups_of(by.user)) {
        Ok(entrance) => entrance,
        Err(refusal) => return Ok(GroupOutcome::Refused(refusal)),
    };
    let mut answer = answer(by, 0);
    match entrance {
        Entrance::Inside => {}
        Entrance::Open => answer.seq = admit(batch, by, *group, &BTreeSet::from([by.user]))?,
        Entrance::Asks => {
            ask(batch, by, *group, &joining.text)?;
            answer.message_count = 1;
        }
    }
    remember(batch, by, *group, answer)
}

/// Somebody waits, and those who keep order are told to look.
fn ask(batch: &mut Batch<'_>, by: &Asker, group: ConversationId, text: &str) -> Result<()> {
    let log = batch.group_mut(group)?;
    log.asking.insert(by.user, (text.to_owned(), by.now));
    log.facts.asking_count = log.asking.len() as u32;
    let keepers = log.members.iter().filter(|(_, row)| row.member.role >= Role::Admin);
    let keepers: Vec<UserId> = keepers.map(|(user, _)| *user).take(KEEPERS_TOLD_MAX).collect();
    keepers.into_iter().try_for_each(|keeper| tell_membership(batch, by, keeper, group, true))
}

fn forget_asking(batch: &mut Batch<'_>, group: ConversationId, user: UserId) -> Result<()> {
    let log = batch.group_mut(group)?;
    log.asking.remove(&user);
    log.facts.asking_count = log.asking.len() as u32;
    Ok(())
}

/// Takes people in, who are no members; tells it in the log of a small group.
fn admit(batch: &mut Batch<'_>, by: &Asker, group: ConversationId, users: &BTreeSet<UserId>) -> Result<u64> {
    if users.is_empty() {
        return Ok(0);
    }
    users.iter().try_for_each(|user| forget_asking(batch, group, *user))?;
    let told = batch.state.group(group)?.facts.member_count <= TOLD_MEMBERS_MAX;
    let event = told.then(|| Event::Joined(users.iter().map(|user| user.0).collect()));
    enter(batch, by, group, users, event)
}

/// They see the log from the next entry on, or all of it.
fn enter(
    batch: &mut Batch<'_>,
    by: &Asker,
    group: ConversationId,
    users: &BTreeSet<UserId>,
    event: Option<Event>,
) -> Result<u64> {
    let log = batch.group_mut(group)?;
    log.member_list_version += 1;
    let from = match log.facts.policies.history {
        HistoryPolicy::Everything => 1,
        HistoryPolicy::FromJoining => log.head_seq + 1,
    };
    for user in users {
        let log = batch.group_mut(group)?;
        log.members.insert(*user, Membership { joined: by.now, ..Membership::default() });
        log.facts.member_count = log.members.len() as u32;
        let stays = log.stays.entry(*user).or_default();
        stays.retain(|stay| stay.from < from);
        stays.push(Stay { from, to: None });
        tell_membership(batch, by, *user, group, true)?;
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
    batch.group_mut(group)?.member_list_version += 1;
    let seq = event.map_or(Ok(0), |event| append_event(batch, by, group, event))?;
    for user in users {
        let log = batch.group_mut(group)?;
        log.members.remove(user);
        log.facts.member_count = log.members.len() as u32;
        if let Some(stay) = log.stays.get_mut(user).and_then(|stays| stays.last_mut()) {
            stay.to = Some(log.head_seq.max(stay.from - 1));
        }
        tell_membership(batch, by, *user, group, false)?;
        tell(batch, group, GroupNewsWhat::Out(*user))?;
    }
    Ok(seq)
}

fn tell_membership(batch: &mut Batch<'_>, by: &Asker, user: UserId, group: ConversationId, member: bool) -> Result<()> {
    let what = CommittedWhat::Membership { member };
    refer(batch, by, user, group, Reference::Membership(member), what).map(drop)
}

fn set_member(
    batch: &mut Batch<'_>,
    group: ConversationId,
    user: UserId,
    change: impl FnOnce(&mut Membership),
) -> Result<()> {
    let log = batch.group_mut(group)?;
    log.member_list_version += 1;
    log.members.get_mut(&user).map(change);
    Ok(())
}

/// Whether it was another one.
fn set_role(batch: &mut Batch<'_>, group: ConversationId, user: UserId, role: Role) -> Result<bool> {
    let changed = batch.state.group(group)?.member(user).is_some_and(|member| member.role != role);
    if changed {
        set_member(batch, group, user, |row| row.member.role = role)?;
    }
    Ok(changed)
}
