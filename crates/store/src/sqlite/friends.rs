//! What users do about each other: ask, accept, decline, remove, note. The row beside the head of their conversation says
//! what is so; both users' own rows and inboxes follow in the same commit.

use hongyan_domain::environment::Pending;
use hongyan_domain::friend::{Act, Bond, FRIENDS_MAX, FriendEvent, REQUEST_LIFE_MS, REQUESTS_MAX, Relation, Tie};
use hongyan_domain::grouping::Groupings;
use hongyan_domain::id::{AppId, ConversationId, SessionId, UserId};
use hongyan_domain::name::Name;
use hongyan_domain::time::UnixMillis;
use rusqlite::Connection;

use super::batch::Batch;
use super::fault::Result;
use super::heads::Conversation;
use super::relations::{self, Scene};
use super::{SqliteStore, accounts, groupings, lists, profiles};
use crate::friends::{
    Acquaintance, AddFriend, AddOutcome, ChangeFriend, ChangeOutcome, FriendChange, Friends, Lists, Looked,
};

/// What is known of two users; `None` if the other does not exist.
fn acquaintance(
    connection: &Connection,
    app: AppId,
    asker: UserId,
    other: &Name,
    grouping: u32,
) -> Result<Option<Acquaintance>> {
    let Some(user) = accounts::user(connection, app, other)? else { return Ok(None) };
    let head = Conversation::load_direct(connection, app, asker, user.id)?;
    let (policy, policy_version) = profiles::policy_of(connection, user.id)?;
    let grouping_exists = grouping == 0 || groupings::load(connection, asker)?.has(grouping);
    Ok(Some(Acquaintance {
        other: user.id,
        other_is_normal: !user.disabled && !other.is_visitor(),
        conversation: head.as_ref().map(|head| head.id),
        bond: head.as_ref().map(Conversation::bond).unwrap_or_default(),
        blocked_by_asker: head.as_ref().is_some_and(|head| head.is_blocked_by(asker)),
        blocked_by_other: head.as_ref().is_some_and(|head| head.is_blocked_by(user.id)),
        grouping_exists,
        policy,
        version: head.map_or(0, |head| head.access_version) + policy_version,
    }))
}

/// The two of a request, and where it is written.
struct Pair {
    scene: Scene,
    /// Who acts.
    user: UserId,
    other: UserId,
    now: UnixMillis,
}

impl Pair {
    fn bond(&self, batch: &mut Batch<'_>) -> Result<Bond> {
        Ok(batch.conversation(self.scene.conversation)?.bond())
    }

    fn set_bond(&self, batch: &mut Batch<'_>, bond: Bond) -> Result<()> {
        batch.conversation_mut(self.scene.conversation)?.set_bond(bond);
        Ok(())
    }

    /// Both become friends; false if one of them has too many already. The user's own row gets `note`.
    fn befriend(&self, batch: &mut Batch<'_>, note: impl Fn(&mut Relation)) -> Result<bool> {
        for user in [self.user, self.other] {
            if relations::count(batch.connection, user, Tie::Friend, UnixMillis(0))? >= FRIENDS_MAX {
                return Ok(false);
            }
        }
        self.set_bond(batch, Bond::Friends)?;
        for (user, other) in [(self.user, self.other), (self.other, self.user)] {
            relations::change(batch, user, other, |relation| {
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

    /// The other is asked; false if too many wait for them already.
    fn ask(&self, batch: &mut Batch<'_>, add: &AddFriend) -> Result<bool> {
        let oldest = UnixMillis(self.now.0.saturating_sub(REQUEST_LIFE_MS));
        let waits = relations::count(batch.connection, self.other, Tie::Asks, oldest)?;
        if waits >= REQUESTS_MAX && relations::load(batch.connection, self.other, self.user)?.tie != Tie::Asks {
            return Ok(false);
        }
        self.set_bond(batch, Bond::Asked { by: self.user, at: self.now })?;
        relations::change(batch, self.user, self.other, |relation| {
            relation.tie = Tie::Asked;
            relation.text.clone_from(&add.text);
            relation.time = self.now;
            relation.remark.clone_from(&add.remark);
            relation.grouping = add.grouping;
        })?;
        relations::change(batch, self.other, self.user, |relation| {
            relation.tie = Tie::Asks;
            relation.text.clone_from(&add.text);
            relation.time = self.now;
        })?;
        self.tell_both(batch, FriendEvent::Asked, FriendEvent::Asks)?;
        Ok(true)
    }

    /// Nothing is between them any more.
    fn end(&self, batch: &mut Batch<'_>, event: FriendEvent) -> Result<()> {
        self.set_bond(batch, Bond::Strangers)?;
        for (user, other) in [(self.user, self.other), (self.other, self.user)] {
            relations::change(batch, user, other, Relation::end)?;
        }
        self.tell_both(batch, event, event)
    }

    fn tell_both(&self, batch: &mut Batch<'_>, to_user: FriendEvent, to_other: FriendEvent) -> Result<()> {
        relations::tell_event(batch, self.scene, self.user, self.other, to_user)?;
        relations::tell_event(batch, self.scene, self.other, self.user, to_other)
    }
}

fn add(batch: &mut Batch<'_>, add: &AddFriend) -> Result<AddOutcome> {
    let AddFriend { app, session, asker, other, now, .. } = *add;
    let conversation = batch.direct(app, asker, other)?;
    let access_version = match conversation {
        Some(conversation) => batch.conversation(conversation)?.access_version,
        None => 0,
    };
    if access_version + profiles::policy_of(batch.connection, other)?.1 != add.version {
        return Ok(AddOutcome::Stale);
    }
    let conversation = match conversation {
        Some(conversation) => conversation,
        None => batch.create_direct(app, asker, other)?,
    };
    let pair = Pair { scene: Scene { app, session, conversation }, user: asker, other, now };
    let bond = pair.bond(batch)?;
    let note = |relation: &mut Relation| {
        relation.remark.clone_from(&add.remark);
        relation.grouping = add.grouping;
    };
    let own = relations::load(batch.connection, asker, other)?;
    let fits = match bond {
        Bond::Friends => return Ok(AddOutcome::Friends),
        Bond::Asked { at, .. } if bond.is_asked_by(asker, now) && add.act == Act::Ask && own.text == add.text => {
            relations::change(batch, asker, other, note)?;
            return Ok(AddOutcome::Asked(at));
        }
        bond if add.act == Act::Befriend || bond.is_asked_by(other, now) => {
            if pair.befriend(batch, note)? {
                Some(AddOutcome::Friends)
            } else {
                None
            }
        }
        _ => pair.ask(batch, add)?.then_some(AddOutcome::Asked(now)),
    };
    Ok(fits.unwrap_or(AddOutcome::Full))
}

fn change(batch: &mut Batch<'_>, wish: &ChangeFriend) -> Result<ChangeOutcome> {
    let ChangeFriend { app, session, user, other, now, .. } = *wish;
    let Some(conversation) = batch.direct(app, user, other)? else { return Ok(ChangeOutcome::Gone) };
    let pair = Pair { scene: Scene { app, session, conversation }, user, other, now };
    let bond = pair.bond(batch)?;
    let done = match (&wish.change, bond) {
        (FriendChange::Accept { .. }, Bond::Friends) => true,
        (FriendChange::Accept { remark, grouping }, bond) if bond.is_asked_by(other, now) => {
            let befriended = pair.befriend(batch, |relation| {
                relation.remark.clone_from(remark);
                relation.grouping = *grouping;
            })?;
            if !befriended {
                return Ok(ChangeOutcome::Full);
            }
            true
        }
        (FriendChange::Decline, Bond::Asked { by, .. }) if by == other => {
            pair.end(batch, FriendEvent::Declined)?;
            true
        }
        (FriendChange::Remove, Bond::Friends) => {
            pair.end(batch, FriendEvent::Removed)?;
            true
        }
        (FriendChange::Remove, Bond::Asked { by, .. }) if by == user => {
            pair.end(batch, FriendEvent::Declined)?;
            true
        }
        (FriendChange::Note { remark, grouping }, Bond::Friends) => {
            let changed = relations::change(batch, user, other, |relation| {
                relation.remark.clone_from(remark);
                relation.grouping = *grouping;
            })?;
            if let Some(version) = changed {
                relations::tell_lists(batch, app, session, user, version)?;
            }
            true
        }
        _ => false,
    };
    Ok(if done { ChangeOutcome::Done } else { ChangeOutcome::Gone })
}

/// A user blocks or unblocks another: a new block ends a request between them, and the user's devices learn it.
pub(super) fn blocked(
    batch: &mut Batch<'_>,
    app: AppId,
    session: SessionId,
    conversation: ConversationId,
    user: UserId,
    other: UserId,
    blocked: bool,
) -> Result<()> {
    let pair = Pair { scene: Scene { app, session, conversation }, user, other, now: UnixMillis(0) };
    if blocked && matches!(pair.bond(batch)?, Bond::Asked { .. }) {
        pair.end(batch, FriendEvent::Declined)?;
    }
    if let Some(version) = relations::change(batch, user, other, |relation| relation.blocked = blocked)? {
        relations::tell_lists(batch, app, session, user, version)?;
    }
    Ok(())
}

fn looked_at(connection: &Connection, app: AppId, onlooker: UserId, names: &[Name]) -> Result<Vec<Looked>> {
    let mut looked = Vec::with_capacity(names.len());
    for name in names.iter().filter(|name| !name.is_visitor()) {
        let Some(user) = accounts::user(connection, app, name)?.filter(|user| !user.disabled) else { continue };
        let profile = profiles::load(connection, user.id)?.map(|known| known.of.profile).unwrap_or_default();
        looked.push(Looked {
            user: user.id,
            name: name.clone(),
            is_friend: relations::load(connection, onlooker, user.id)?.tie == Tie::Friend,
            blocks: relations::load(connection, user.id, onlooker)?.blocked,
            presence_to: profile.presence_to,
            last_seen_to: profile.last_seen_to,
        });
    }
    Ok(looked)
}

impl Friends for SqliteStore {
    fn acquaintance(
        &self,
        app: AppId,
        asker: UserId,
        other: Name,
        grouping: u32,
    ) -> Pending<'_, crate::Result<Option<Acquaintance>>> {
        self.read(move |connection| acquaintance(connection, app, asker, &other, grouping))
    }

    fn add_friend(&self, add: AddFriend) -> Pending<'_, crate::Result<AddOutcome>> {
        self.write_as(add.session, move |batch| self::add(batch, &add))
    }

    fn change_friend(&self, change: ChangeFriend) -> Pending<'_, crate::Result<ChangeOutcome>> {
        self.write_as(change.session, move |batch| self::change(batch, &change))
    }

    fn groupings(&self, user: UserId) -> Pending<'_, crate::Result<Groupings>> {
        self.read(move |connection| groupings::load(connection, user))
    }

    fn set_groupings(
        &self,
        app: AppId,
        session: SessionId,
        user: UserId,
        groupings: Groupings,
    ) -> Pending<'_, crate::Result<Option<u64>>> {
        self.write_as(session, move |batch| groupings::set(batch, app, session, user, &groupings))
    }

    fn looked_at(&self, app: AppId, onlooker: UserId, names: Vec<Name>) -> Pending<'_, crate::Result<Vec<Looked>>> {
        self.read(move |connection| looked_at(connection, app, onlooker, &names))
    }

    fn lists(&self, user: UserId, lists: u64, details: u64, bytes_max: usize) -> Pending<'_, crate::Result<Lists>> {
        self.read(move |connection| lists::page(connection, user, lists, details, bytes_max))
    }
}
