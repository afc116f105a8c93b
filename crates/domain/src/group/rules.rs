//! Who may do what in a group: the table of PROTOCOL.md §21, as code.

use super::{
    ASKING_MAX, Change, Entrance, Facts, GROUPS_PER_USER_MAX, JoinPolicy, Joining, MEMBERS_MAX, Member, PINNED_MAX,
    Role,
};
use crate::app::AppSettings;
use crate::id::UserId;
use crate::message::{self, Alteration, Entry};
use crate::refusal::Refusal;
use crate::time::UnixMillis;

/// The lowest role that may make a change at all; whom it may be made to is asked apart.
fn least_role(change: &Change, facts: &Facts) -> Role {
    match change {
        Change::Leave | Change::Nickname(_) => Role::Member,
        Change::Invite(_) if facts.policies.members_invite => Role::Member,
        Change::Invite(_)
        | Change::Remove(_)
        | Change::Mute(..)
        | Change::MuteAll(_)
        | Change::Profile(_)
        | Change::Announcement(_)
        | Change::Pin(..)
        | Change::NewLink(_)
        | Change::Admission(..) => Role::Admin,
        Change::Dissolve | Change::Owner(_) | Change::Admin(..) | Change::Policies(_) => Role::Owner,
    }
}

/// Whether `actor` may make a change now. `standing` tells what somebody is in the group, and in how many groups they
/// are; `actor` none means that they are no member.
pub fn decide_change(
    change: &Change,
    facts: &Facts,
    user: UserId,
    actor: Option<Member>,
    mut standing: impl FnMut(UserId) -> (Option<Member>, u32),
) -> Result<(), Refusal> {
    let actor = actor.ok_or(Refusal::NotFound)?;
    if facts.dissolved && *change == Change::Leave {
        // It fills nobody's list for ever.
        return Ok(());
    }
    if facts.dissolved || actor.role < least_role(change, facts) {
        return Err(Refusal::NotAllowed);
    }
    match change {
        Change::Leave if actor.role == Role::Owner => Err(Refusal::NotAllowed),
        Change::Invite(users) => {
            let mut fresh = 0;
            for invited in users {
                let (member, groups) = standing(*invited);
                if member.is_none() {
                    fresh += 1;
                    has_room_for_a_group(groups)?;
                }
            }
            has_room(facts, fresh)
        }
        Change::Remove(users) => users.iter().try_for_each(|user| commands(actor, *user, &mut standing)),
        Change::Mute(other, _) => commands(actor, *other, &mut standing),
        Change::Owner(other) | Change::Admin(other, _) => match standing(*other).0 {
            _ if *other == user => Err(Refusal::NotAllowed),
            Some(_) => Ok(()),
            None => Err(Refusal::NotFound),
        },
        Change::Admission(other, true) => match standing(*other) {
            (Some(_), _) => Ok(()),
            (None, groups) => has_room_for_a_group(groups).and_then(|()| has_room(facts, 1)),
        },
        Change::Pin(seq, true) if facts.pinned.len() >= PINNED_MAX && !facts.pinned.contains(seq) => {
            Err(Refusal::QuotaExceeded)
        }
        _ => Ok(()),
    }
}

/// Owner and admins command those below them.
fn commands(
    actor: Member,
    other: UserId,
    standing: &mut impl FnMut(UserId) -> (Option<Member>, u32),
) -> Result<(), Refusal> {
    match standing(other).0 {
        None => Err(Refusal::NotFound),
        Some(member) if member.role < actor.role => Ok(()),
        Some(_) => Err(Refusal::NotAllowed),
    }
}

fn has_room(facts: &Facts, more: u32) -> Result<(), Refusal> {
    if facts.member_count.saturating_add(more) > MEMBERS_MAX { Err(Refusal::QuotaExceeded) } else { Ok(()) }
}

fn has_room_for_a_group(groups: u32) -> Result<(), Refusal> {
    if groups >= GROUPS_PER_USER_MAX { Err(Refusal::QuotaExceeded) } else { Ok(()) }
}

/// What becomes of somebody who wants to come in, and is in so many groups already.
pub fn decide_join(joining: &Joining, facts: &Facts, actor: Option<Member>, groups: u32) -> Result<Entrance, Refusal> {
    if facts.dissolved {
        return Err(Refusal::NotFound);
    }
    if actor.is_some() {
        return Ok(Entrance::Inside);
    }
    has_room_for_a_group(groups)?;
    let invited = !facts.link.is_empty() && joining.link == facts.link;
    match facts.policies.join {
        _ if invited => has_room(facts, 1).map(|()| Entrance::Open),
        JoinPolicy::Open => has_room(facts, 1).map(|()| Entrance::Open),
        JoinPolicy::Asked if facts.asking_count >= ASKING_MAX => Err(Refusal::QuotaExceeded),
        JoinPolicy::Asked => Ok(Entrance::Asks),
        JoinPolicy::Invited => Err(Refusal::NotAllowed),
    }
}

/// Whether somebody may say something now.
pub fn decide_send(facts: &Facts, actor: Option<Member>, mentions_all: bool, now: UnixMillis) -> Result<(), Refusal> {
    let actor = actor.ok_or(Refusal::NotFound)?;
    let keeps_order = actor.role >= Role::Admin;
    let silent = actor.muted_until > now || (facts.muted_all && !keeps_order);
    if facts.dissolved || silent || (mentions_all && !keeps_order) { Err(Refusal::NotAllowed) } else { Ok(()) }
}

/// Somebody wants to alter a message.
#[derive(Clone, Copy, Debug)]
pub struct Altering<'a> {
    /// Who.
    pub user: UserId,
    /// What they are in the group.
    pub actor: Option<Member>,
    /// What they want.
    pub alteration: &'a Alteration,
    /// The message.
    pub target: &'a Entry,
    /// What its sender is in the group.
    pub author: Option<Member>,
    /// Now.
    pub now: UnixMillis,
    /// What the app allows.
    pub settings: &'a AppSettings,
}

/// Whether somebody may alter a message now.
pub fn decide_alteration(facts: &Facts, altering: &Altering<'_>) -> Result<(), Refusal> {
    let Altering { user, actor, alteration, target, author, now, settings } = *altering;
    if target.event.is_some() {
        return Err(Refusal::NotFound);
    }
    let member = actor.ok_or(Refusal::NotFound)?;
    let is_recall = matches!(alteration, Alteration::Recall);
    let is_order = is_recall && target.sender != user && member.role > author.unwrap_or_default().role;
    if is_order && target.change_of == 0 && !target.recalled && !facts.dissolved {
        return Ok(());
    }
    message::decide_alteration(alteration, target, user, now, settings)?;
    match alteration {
        Alteration::Recall if facts.dissolved => Err(Refusal::NotAllowed),
        Alteration::Recall => Ok(()),
        Alteration::Edit { .. } | Alteration::React { .. } => decide_send(facts, actor, false, now),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::group::{HistoryPolicy, Policies, Profile};
    use crate::id::ClientId;
    use crate::message::Draft;

    const ANN: UserId = UserId(1);
    const BOB: UserId = UserId(2);

    fn member(role: Role) -> Option<Member> {
        Some(Member { role, ..Member::default() })
    }

    fn changes() -> Vec<Change> {
        vec![
            Change::Invite(vec![BOB]),
            Change::Remove(vec![BOB]),
            Change::Leave,
            Change::Dissolve,
            Change::Owner(BOB),
            Change::Admin(BOB, true),
            Change::Mute(BOB, 60),
            Change::MuteAll(true),
            Change::Profile(Profile::default()),
            Change::Announcement(String::new()),
            Change::Policies(Policies::default()),
            Change::Nickname(String::new()),
            Change::Pin(1, true),
            Change::NewLink(String::new()),
            Change::Admission(BOB, true),
        ]
    }

    /// The table of PROTOCOL.md §21, towards a plain member: owner, admin, member. y yes, n no.
    const TABLE: [&str; 15] =
        ["yyn", "yyn", "nyy", "ynn", "ynn", "ynn", "yyn", "yyn", "yyn", "yyn", "ynn", "yyy", "yyn", "yyn", "yyn"];

    #[test]
    fn the_matrix_of_permissions() {
        let facts = Facts { member_count: 3, ..Facts::default() };
        for (change, row) in changes().iter().zip(TABLE) {
            for (role, expected) in [Role::Owner, Role::Admin, Role::Member].into_iter().zip(row.chars()) {
                let decided = decide_change(change, &facts, ANN, member(role), |_| (member(Role::Member), 1));
                let wanted = if expected == 'y' { Ok(()) } else { Err(Refusal::NotAllowed) };
                assert_eq!(decided, wanted, "{role:?} {change:?}");
            }
            let stranger = decide_change(change, &facts, ANN, None, |_| (member(Role::Member), 1));
            assert_eq!(stranger, Err(Refusal::NotFound), "{change:?}");
            let ended = Facts { dissolved: true, ..facts.clone() };
            let late = decide_change(change, &ended, ANN, member(Role::Owner), |_| (member(Role::Member), 1));
            let wanted = if *change == Change::Leave { Ok(()) } else { Err(Refusal::NotAllowed) };
            assert_eq!(late, wanted, "{change:?}");
        }
    }

    #[test]
    fn nobody_commands_their_equals() {
        let facts = Facts::default();
        for change in [Change::Remove(vec![BOB]), Change::Mute(BOB, 1)] {
            for (actor, other, expected) in [
                (Role::Owner, Role::Admin, Ok(())),
                (Role::Admin, Role::Member, Ok(())),
                (Role::Admin, Role::Admin, Err(Refusal::NotAllowed)),
                (Role::Admin, Role::Owner, Err(Refusal::NotAllowed)),
            ] {
                let decided = decide_change(&change, &facts, ANN, member(actor), |_| (member(other), 1));
                assert_eq!(decided, expected, "{actor:?} {other:?}");
            }
            let gone = decide_change(&change, &facts, ANN, member(Role::Owner), |_| (None, 1));
            assert_eq!(gone, Err(Refusal::NotFound));
        }
    }

    #[test]
    fn members_invite_where_the_owner_lets_them_and_there_is_room() {
        let policies = Policies { members_invite: true, ..Policies::default() };
        let facts = Facts { policies, member_count: MEMBERS_MAX - 1, ..Facts::default() };
        let invite = |users: Vec<UserId>, groups| {
            decide_change(&Change::Invite(users), &facts, ANN, member(Role::Member), |_| (None, groups))
        };
        assert_eq!(invite(vec![BOB], 0), Ok(()));
        assert_eq!(invite(vec![BOB], GROUPS_PER_USER_MAX), Err(Refusal::QuotaExceeded));
        assert_eq!(invite(vec![BOB, UserId(3)], 0), Err(Refusal::QuotaExceeded));
    }

    #[test]
    fn whoever_wants_in_finds_the_door_that_the_owner_has_left() {
        let with = |join| {
            let policies = Policies { join, history: HistoryPolicy::FromJoining, members_invite: false };
            Facts { policies, link: "door".to_owned(), ..Facts::default() }
        };
        let join = |link: &str, facts: &Facts| {
            decide_join(&Joining { link: link.to_owned(), text: String::new() }, facts, None, 0)
        };
        for policy in [JoinPolicy::Invited, JoinPolicy::Asked, JoinPolicy::Open] {
            assert_eq!(join("door", &with(policy)), Ok(Entrance::Open), "{policy:?}");
        }
        assert_eq!(join("", &with(JoinPolicy::Open)), Ok(Entrance::Open));
        assert_eq!(join("old", &with(JoinPolicy::Asked)), Ok(Entrance::Asks));
        assert_eq!(join("old", &with(JoinPolicy::Invited)), Err(Refusal::NotAllowed));
        let no_link = Facts { link: String::new(), ..with(JoinPolicy::Invited) };
        assert_eq!(join("", &no_link), Err(Refusal::NotAllowed), "an empty link opens nothing");
        let full = Facts { asking_count: ASKING_MAX, ..with(JoinPolicy::Asked) };
        assert_eq!(join("", &full), Err(Refusal::QuotaExceeded));
        assert_eq!(decide_join(&Joining::default(), &full, member(Role::Member), 500), Ok(Entrance::Inside));
        let ended = Facts { dissolved: true, ..with(JoinPolicy::Open) };
        assert_eq!(join("door", &ended), Err(Refusal::NotFound));
    }

    #[test]
    fn who_is_muted_is_silent() {
        let facts = |muted_all| Facts { muted_all, ..Facts::default() };
        let muted = Some(Member { role: Role::Admin, muted_until: UnixMillis(10) });
        for (facts, actor, all, expected) in [
            (facts(false), member(Role::Member), false, Ok(())),
            (facts(true), member(Role::Member), false, Err(Refusal::NotAllowed)),
            (facts(true), member(Role::Admin), true, Ok(())),
            (facts(false), member(Role::Member), true, Err(Refusal::NotAllowed)),
            (facts(false), muted, false, Err(Refusal::NotAllowed)),
            (facts(false), None, false, Err(Refusal::NotFound)),
        ] {
            assert_eq!(decide_send(&facts, actor, all, UnixMillis(9)), expected, "{actor:?}");
        }
        assert_eq!(decide_send(&facts(false), muted, false, UnixMillis(10)), Ok(()));
    }

    #[test]
    fn order_is_kept_by_those_above() {
        let facts = Facts::default();
        let settings = AppSettings { recall_seconds_max: 1, ..AppSettings::default() };
        let target = Entry::new(7, BOB, ClientId([1; 16]), UnixMillis(0), Draft::default());
        let decided = |user, role, author| {
            let (actor, author) = (member(role), member(author));
            let (alteration, target, settings) = (&Alteration::Recall, &target, &settings);
            let altering = Altering { user, actor, alteration, target, author, now: UnixMillis(3_000), settings };
            decide_alteration(&facts, &altering)
        };
        let recall = |role, author| decided(ANN, role, author);
        assert_eq!(recall(Role::Admin, Role::Member), Ok(()), "at any time");
        assert_eq!(recall(Role::Owner, Role::Admin), Ok(()));
        assert_eq!(recall(Role::Admin, Role::Admin), Err(Refusal::NotAllowed));
        assert_eq!(recall(Role::Member, Role::Member), Err(Refusal::NotAllowed));
        assert_eq!(decided(BOB, Role::Owner, Role::Owner), Err(Refusal::TooLate), "one's own within the time");
    }
}
