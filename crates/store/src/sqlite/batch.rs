//! One transaction of the writer: heads that are loaded once and saved once, and what there will be to tell. It ends with
//! the transaction: no head outlives it, so numbers always come from rows.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use hongyan_domain::group::Role;
use hongyan_domain::id::{AppId, ConversationId, SessionId, UserId};
use hongyan_domain::session::EndReason;
use hongyan_domain::time::UnixMillis;
use rusqlite::{Connection, OptionalExtension, Statement};

use super::changes;
use super::fault::{Fault, Result};
use super::groups::head::GroupHead;
use super::groups::members::MemberRow;
use super::heads::{self, Conversation, InboxEnds, UserConversation, in_order};
use super::kept::{Kept, KnownSessions};
use super::{append, direct, message, shard};
use crate::feed::{Change, Committed, Said};
use crate::groups::GroupNews;

/// Milliseconds of a day.
pub(super) const DAY_MS: u64 = 86_400_000;

/// A head and whether it has to be saved.
struct Held<T> {
    value: T,
    moved: bool,
}

/// How much of a group's row has to be saved.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Moved {
    Nothing,
    /// What an ordinary message moves.
    Log,
    All,
}

struct HeldGroup {
    value: GroupHead,
    moved: Moved,
}

/// The ends of an inbox, and whether there is something new in it.
struct HeldInbox {
    ends: InboxEnds,
    moved: bool,
    grown: bool,
}

/// A user's row of a conversation: mostly only its activity is moved, then it is never loaded.
#[derive(Default)]
struct HeldPlace {
    activity: u64,
    loaded: Option<Held<UserConversation>>,
}

/// Row of an inbox, before it has a number.
pub(super) enum Reference<'a> {
    /// The row of this seq.
    Entry(u64),
    /// A read mark; payload see the schema.
    Read(u64, &'a [u8]),
    /// A deletion; payload see the schema.
    Deleted(u64, &'a [u8]),
    /// A visitor who turned out to be an account; payload see the schema.
    Claimed(&'a [u8]),
    /// The user came into a group, or is out of it.
    Membership(bool),
    /// The row of this seq of a group mentions the user.
    Mentioned(u64),
    /// Something about the bond with another user; payload see the schema. It is no activity of their conversation.
    Friend { other: UserId, payload: &'a [u8] },
    /// The user's own lists have changed; the version.
    Lists(u64),
}

/// Row of an inbox that waits to be written with the others, in the order of the table.
struct InboxRow {
    user: UserId,
    seq: u64,
    conversation: ConversationId,
    day: Option<u64>,
    kind: i64,
    at: u64,
    payload: Option<Vec<u8>>,
}

/// Rows that one statement writes: the work around a statement costs as much as a row.
const ROWS_PER_INSERT: usize = 8;

/// The statements of an ordinary message.
pub(super) struct Statements<'c> {
    pub(super) insert_message: Kept<'c>,
    pub(super) insert_key: Kept<'c>,
    load_direct: Kept<'c>,
    load_inbox: Kept<'c>,
    save_conversation: Kept<'c>,
    save_inbox: Kept<'c>,
    save_activity: Kept<'c>,
}

impl<'c> Statements<'c> {
    fn new(connection: &'c Connection) -> Self {
        let kept = |sql| Kept::new(connection, sql);
        Self {
            insert_message: kept(message::INSERT),
            insert_key: kept(append::INSERT_KEY),
            load_direct: kept(heads::LOAD_DIRECT),
            load_inbox: kept(heads::LOAD_INBOX),
            save_conversation: kept(heads::SAVE_CONVERSATION),
            save_inbox: kept(heads::SAVE_INBOX),
            save_activity: kept(heads::SAVE_ACTIVITY),
        }
    }
}

/// The transaction.
pub(super) struct Batch<'c> {
    pub(super) connection: &'c Connection,
    pub(super) statements: Statements<'c>,
    known: &'c mut KnownSessions,
    conversations: BTreeMap<ConversationId, Held<Conversation>>,
    pairs: BTreeMap<(AppId, UserId, UserId), ConversationId>,
    inboxes: BTreeMap<UserId, HeldInbox>,
    places: BTreeMap<(UserId, ConversationId), HeldPlace>,
    references: Vec<InboxRow>,
    alive: BTreeMap<SessionId, bool>,
    ended: Vec<Change>,
    groups: BTreeMap<ConversationId, HeldGroup>,
    members: BTreeMap<(ConversationId, UserId), Held<Option<MemberRow>>>,
    committed: Vec<Committed>,
    said: Vec<Said>,
    grouped: Vec<GroupNews>,
}

/// What is told after the commit.
pub(super) struct Effects {
    /// For the listener, in commit order.
    pub(super) committed: Vec<Committed>,
    /// For the listener, in commit order.
    pub(super) said: Vec<Said>,
    /// For the listener, in commit order.
    pub(super) grouped: Vec<GroupNews>,
    /// The number and records of the feed, if any head has moved.
    pub(super) changes: Option<(u64, Arc<[Change]>)>,
    /// Sessions that were asked for, and whether they live.
    pub(super) sessions: BTreeMap<SessionId, bool>,
}

impl<'c> Batch<'c> {
    /// Inside a transaction that has begun.
    pub(super) fn begin(connection: &'c Connection, known: &'c mut KnownSessions) -> Self {
        Self {
            connection,
            statements: Statements::new(connection),
            known,
            conversations: BTreeMap::new(),
            pairs: BTreeMap::new(),
            inboxes: BTreeMap::new(),
            places: BTreeMap::new(),
            references: Vec::new(),
            alive: BTreeMap::new(),
            ended: Vec::new(),
            groups: BTreeMap::new(),
            members: BTreeMap::new(),
            committed: Vec::new(),
            said: Vec::new(),
            grouped: Vec::new(),
        }
    }

    /// The id of the direct conversation of two users, if there is one.
    pub(super) fn direct(&mut self, app: AppId, one: UserId, other: UserId) -> Result<Option<ConversationId>> {
        let (low, high) = in_order(one, other);
        if let Some(id) = self.pairs.get(&(app, low, high)) {
            return Ok(Some(*id));
        }
        let Some(found) = heads::load_direct_by(self.statements.load_direct.get()?, app, low, high)? else {
            return Ok(None);
        };
        let id = found.id;
        self.pairs.insert((app, low, high), id);
        self.conversations.entry(id).or_insert(Held { value: found, moved: false });
        Ok(Some(id))
    }

    /// Makes the direct conversation of two users, which must not exist.
    pub(super) fn create_direct(&mut self, app: AppId, one: UserId, other: UserId) -> Result<ConversationId> {
        let (low, high) = in_order(one, other);
        let id = ConversationId::in_shard(self.next_counter(Counter::Conversation)?, shard::of_pair(app, low, high));
        let mut statement = self
            .connection
            .prepare_cached("INSERT INTO conversation (id, app, low, high, visitor) VALUES (?1, ?2, ?3, ?4, ?5)")?;
        let visitor = direct::visitor_of(self.connection, low, high)?;
        statement.execute((id.0, app.0, low.0, high.0, visitor))?;
        self.direct(app, low, high)?.ok_or(Fault::Row("a conversation that was just made"))
    }

    /// A conversation's head.
    pub(super) fn conversation(&mut self, id: ConversationId) -> Result<&Conversation> {
        self.hold_conversation(id).map(|held| &held.value)
    }

    /// A conversation's head, to be changed.
    pub(super) fn conversation_mut(&mut self, id: ConversationId) -> Result<&mut Conversation> {
        let held = self.hold_conversation(id)?;
        held.moved = true;
        Ok(&mut held.value)
    }

    fn hold_conversation(&mut self, id: ConversationId) -> Result<&mut Held<Conversation>> {
        use std::collections::btree_map::Entry;
        match self.conversations.entry(id) {
            Entry::Occupied(held) => Ok(held.into_mut()),
            Entry::Vacant(vacant) => {
                let value = Conversation::load(self.connection, id)?.ok_or(Fault::Row("no such conversation"))?;
                Ok(vacant.insert(Held { value, moved: false }))
            }
        }
    }

    /// The ends of an inbox.
    pub(super) fn inbox(&mut self, user: UserId) -> Result<InboxEnds> {
        self.hold_inbox(user).map(|held| held.ends)
    }

    /// Raises the lowest entry of an inbox.
    pub(super) fn raise_inbox_low(&mut self, user: UserId, low: u64) -> Result<()> {
        let held = self.hold_inbox(user)?;
        held.ends.low = held.ends.low.max(low);
        held.moved = true;
        Ok(())
    }

    fn hold_inbox(&mut self, user: UserId) -> Result<&mut HeldInbox> {
        use std::collections::btree_map::Entry;
        match self.inboxes.entry(user) {
            Entry::Occupied(held) => Ok(held.into_mut()),
            Entry::Vacant(vacant) => {
                let ends =
                    InboxEnds::load_by(self.statements.load_inbox.get()?, user)?.ok_or(Fault::Row("no such user"))?;
                Ok(vacant.insert(HeldInbox { ends, moved: false, grown: false }))
            }
        }
    }

    /// Appends to an inbox and, unless it is about people, makes the entry the conversation's newest activity there; its
    /// number.
    pub(super) fn refer(
        &mut self,
        user: UserId,
        conversation: ConversationId,
        now: Option<UnixMillis>,
        reference: &Reference<'_>,
    ) -> Result<u64> {
        let seq = self.refer_beside(user, conversation, now, reference)?;
        if !matches!(reference, Reference::Friend { .. } | Reference::Lists(_)) {
            self.places.entry((user, conversation)).or_default().activity = seq;
        }
        Ok(seq)
    }

    /// Appends to an inbox something of a conversation that is listed elsewhere; its number.
    pub(super) fn refer_beside(
        &mut self,
        user: UserId,
        conversation: ConversationId,
        now: Option<UnixMillis>,
        reference: &Reference<'_>,
    ) -> Result<u64> {
        let held = self.hold_inbox(user)?;
        held.ends.head += 1;
        (held.moved, held.grown) = (true, true);
        let seq = held.ends.head;
        let (kind, at, payload) = match *reference {
            Reference::Entry(at) => (0, at, None),
            Reference::Read(at, payload) => (1, at, Some(payload.to_vec())),
            Reference::Deleted(at, payload) => (2, at, Some(payload.to_vec())),
            Reference::Claimed(payload) => (3, 0, Some(payload.to_vec())),
            Reference::Membership(member) => (4, u64::from(member), None),
            Reference::Mentioned(at) => (5, at, None),
            Reference::Friend { other, payload } => (11, other.0 as u64, Some(payload.to_vec())),
            Reference::Lists(version) => (12, version, None),
        };
        let day = now.map(|now| now.0 / DAY_MS);
        self.references.push(InboxRow { user, seq, conversation, day, kind, at, payload });
        Ok(seq)
    }

    /// The conversations of which something is in the inbox of a user.
    pub(super) fn conversations_of(&self, user: UserId) -> Result<BTreeSet<ConversationId>> {
        let mut statement = self
            .connection
            .prepare_cached("SELECT conversation FROM user_conversation WHERE user = ?1 AND activity > 0")?;
        let rows = statement.query_map([user.0], |row| Ok(ConversationId(row.get(0)?)))?;
        let mut found = rows.collect::<rusqlite::Result<BTreeSet<_>>>()?;
        // What this transaction refers to has no row yet.
        let all = (user, ConversationId(i64::MIN))..=(user, ConversationId(i64::MAX));
        found.extend(self.places.range(all).filter(|(_, place)| place.activity > 0).map(|((_, id), _)| *id));
        Ok(found)
    }

    /// A group's row.
    pub(super) fn group(&mut self, id: ConversationId) -> Result<&GroupHead> {
        self.hold_group(id, Moved::Nothing).map(|head| &*head)
    }

    /// A group's row, of which only what an ordinary message moves is to be changed.
    pub(super) fn group_log_mut(&mut self, id: ConversationId) -> Result<&mut GroupHead> {
        self.hold_group(id, Moved::Log)
    }

    /// A group's row, to be changed.
    pub(super) fn group_mut(&mut self, id: ConversationId) -> Result<&mut GroupHead> {
        self.hold_group(id, Moved::All)
    }

    fn hold_group(&mut self, id: ConversationId, moved: Moved) -> Result<&mut GroupHead> {
        use std::collections::btree_map::Entry;
        let held = match self.groups.entry(id) {
            Entry::Occupied(held) => held.into_mut(),
            Entry::Vacant(vacant) => {
                let value = GroupHead::load(self.connection, id)?.ok_or(Fault::Row("no such group"))?;
                vacant.insert(HeldGroup { value, moved: Moved::Nothing })
            }
        };
        held.moved = held.moved.max(moved);
        Ok(&mut held.value)
    }

    /// A member of a group, if it is one.
    pub(super) fn member(&mut self, group: ConversationId, user: UserId) -> Result<Option<&MemberRow>> {
        use std::collections::btree_map::Entry;
        let held = match self.members.entry((group, user)) {
            Entry::Occupied(held) => held.into_mut(),
            Entry::Vacant(vacant) => {
                vacant.insert(Held { value: MemberRow::load(self.connection, group, user)?, moved: false })
            }
        };
        Ok(held.value.as_ref())
    }

    /// A member of a group as it is from now on; `None` = is none.
    pub(super) fn set_member(&mut self, group: ConversationId, user: UserId, row: Option<MemberRow>) -> Result<()> {
        self.members.insert((group, user), Held { value: row, moved: true });
        Ok(())
    }

    /// Those who keep order in a group, also by what this transaction has changed.
    pub(super) fn keepers(&self, group: ConversationId) -> Result<BTreeSet<UserId>> {
        let mut statement =
            self.connection.prepare_cached("SELECT user FROM group_member WHERE grp = ?1 AND role > 0")?;
        let rows = statement.query_map([group.0], |row| Ok(UserId(row.get(0)?)))?;
        let mut keepers = rows.collect::<rusqlite::Result<BTreeSet<_>>>()?;
        for ((_, user), held) in self.members.range((group, UserId(i64::MIN))..=(group, UserId(i64::MAX))) {
            match &held.value {
                Some(row) if row.member.role >= Role::Admin => keepers.insert(*user),
                _ => keepers.remove(user),
            };
        }
        Ok(keepers)
    }

    /// The number that the feed will give to this transaction.
    pub(super) fn change_no(&self) -> Result<u64> {
        Ok(changes::newest(self.connection)? + 1)
    }

    /// Something of a group to tell after the commit.
    pub(super) fn tell_group(&mut self, news: GroupNews) {
        self.grouped.push(news);
    }

    /// What a user has in a conversation.
    pub(super) fn place(&mut self, user: UserId, conversation: ConversationId) -> Result<&UserConversation> {
        self.hold_place(user, conversation).map(|held| &held.value)
    }

    /// What a user has in a conversation, to be changed; `activity` is not changed here.
    pub(super) fn place_mut(&mut self, user: UserId, conversation: ConversationId) -> Result<&mut UserConversation> {
        let held = self.hold_place(user, conversation)?;
        held.moved = true;
        Ok(&mut held.value)
    }

    fn hold_place(&mut self, user: UserId, conversation: ConversationId) -> Result<&mut Held<UserConversation>> {
        let place = self.places.entry((user, conversation)).or_default();
        if place.loaded.is_none() {
            let value = UserConversation::load(self.connection, user, conversation)?;
            place.loaded = Some(Held { value, moved: false });
        }
        place.loaded.as_mut().ok_or(Fault::Row("a place that was just loaded"))
    }

    /// Whether a session may still write.
    pub(super) fn is_alive(&mut self, session: SessionId) -> Result<bool> {
        if session == SessionId::SERVER {
            return Ok(true);
        }
        if let Some(alive) = self.alive.get(&session) {
            return Ok(*alive);
        }
        let alive = self.known.is_alive(session) || session_row_lives(self.connection, session)?;
        self.alive.insert(session, alive);
        Ok(alive)
    }

    /// A session was opened in this transaction.
    pub(super) fn session_opened(&mut self, session: SessionId) {
        self.alive.insert(session, true);
    }

    /// A session was ended in this transaction.
    pub(super) fn session_ended(&mut self, session: SessionId, reason: EndReason) {
        self.known.forget(session);
        self.alive.insert(session, false);
        self.ended.push(Change::SessionEnded { session, reason });
    }

    /// Something to tell after the commit.
    pub(super) fn tell(&mut self, committed: Committed) {
        self.committed.push(committed);
    }

    /// Something of a room to tell after the commit.
    pub(super) fn tell_said(&mut self, said: Said) {
        self.said.push(said);
    }

    /// A number that was never given before.
    pub(super) fn next_counter(&mut self, counter: Counter) -> Result<i64> {
        let mut statement =
            self.connection.prepare_cached("UPDATE counter SET next = next + 1 WHERE kind = ?1 RETURNING next - 1")?;
        Ok(statement.query_row([counter as i64], |row| row.get(0))?)
    }

    fn write_references(&mut self) -> Result<()> {
        self.references.sort_unstable_by_key(|row| (row.user, row.seq));
        let (chunks, rest) = self.references.as_chunks::<ROWS_PER_INSERT>();
        if !chunks.is_empty() {
            let mut statement = self.connection.prepare_cached(&insert_inbox(ROWS_PER_INSERT))?;
            for chunk in chunks {
                insert_rows(&mut statement, chunk)?;
            }
        }
        if !rest.is_empty() {
            let mut statement = self.connection.prepare_cached(&insert_inbox(1))?;
            for row in rest.chunks(1) {
                insert_rows(&mut statement, row)?;
            }
        }
        Ok(())
    }

    /// Saves the heads and the record of the feed.
    pub(super) fn finish(mut self) -> Result<Effects> {
        self.write_references()?;
        let no = self.change_no()?;
        let mut records = self.ended;
        let grown = self.inboxes.iter().filter(|(_, held)| held.grown);
        records.extend(grown.map(|(user, held)| Change::Inbox { user: *user, head: held.ends.head }));
        for held in self.conversations.values().filter(|held| held.moved) {
            held.value.save(self.statements.save_conversation.get()?, no)?;
        }
        for (id, held) in &self.groups {
            match held.moved {
                Moved::Nothing => continue,
                Moved::Log => held.value.save_log(self.connection, no)?,
                Moved::All => held.value.save(self.connection, no)?,
            }
            records.push(Change::Group { group: *id, head: held.value.head_seq });
        }
        for ((group, user), held) in self.members.iter().filter(|(_, held)| held.moved) {
            match &held.value {
                Some(row) => row.save(self.connection, *group, *user)?,
                None => MemberRow::delete(self.connection, *group, *user)?,
            }
        }
        for (user, held) in self.inboxes.iter().filter(|(_, held)| held.moved) {
            held.ends.save(self.statements.save_inbox.get()?, *user, no)?;
        }
        for ((user, conversation), place) in self.places {
            save_place(self.connection, &mut self.statements.save_activity, user, conversation, place)?;
        }
        if !records.is_empty() {
            changes::append(self.connection, no, &records)?;
        }
        let changes = (!records.is_empty()).then(|| (no, records.into()));
        let (committed, said, grouped) = (self.committed, self.said, self.grouped);
        Ok(Effects { committed, said, grouped, changes, sessions: self.alive })
    }
}

fn insert_inbox(rows: usize) -> String {
    let values = vec!["(?, ?, ?, ?, ?, ?, ?)"; rows].join(", ");
    format!("INSERT INTO inbox (user, seq, conversation, day, kind, at, payload) VALUES {values}")
}

fn insert_rows(statement: &mut Statement<'_>, rows: &[InboxRow]) -> Result<()> {
    let mut at = 0;
    let mut next = || {
        at += 1;
        at
    };
    for row in rows {
        statement.raw_bind_parameter(next(), row.user.0)?;
        statement.raw_bind_parameter(next(), row.seq)?;
        statement.raw_bind_parameter(next(), row.conversation.0)?;
        statement.raw_bind_parameter(next(), row.day)?;
        statement.raw_bind_parameter(next(), row.kind)?;
        statement.raw_bind_parameter(next(), row.at)?;
        statement.raw_bind_parameter(next(), row.payload.as_deref())?;
    }
    statement.raw_execute()?;
    Ok(())
}

fn session_row_lives(connection: &Connection, session: SessionId) -> Result<bool> {
    let mut statement = connection.prepare_cached("SELECT reason IS NULL FROM session WHERE id = ?1")?;
    Ok(statement.query_row([session.0], |row| row.get(0)).optional()?.unwrap_or(false))
}

fn save_place(
    connection: &Connection,
    save_activity: &mut Kept<'_>,
    user: UserId,
    conversation: ConversationId,
    place: HeldPlace,
) -> Result<()> {
    match place.loaded {
        Some(Held { mut value, moved: true }) => {
            value.activity = value.activity.max(place.activity);
            value.save(connection, user, conversation)
        }
        _ if place.activity > 0 => heads::save_activity(save_activity.get()?, user, conversation, place.activity),
        _ => Ok(()),
    }
}

/// The kinds of ids that are counted.
#[derive(Clone, Copy)]
pub(super) enum Counter {
    /// Apps.
    App = 1,
    /// Users.
    User = 2,
    /// Conversations.
    Conversation = 3,
    /// Devices.
    Device = 4,
    /// Changes of relations, groupings and profiles.
    People = 8,
}
