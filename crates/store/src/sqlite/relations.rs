//! What each user has about others, and how their devices learn that it has changed. Rows of users; what is between two
//! users is beside the head of their conversation.

use hongyan_domain::friend::{FriendEvent, Relation, Tie};
use hongyan_domain::id::{AppId, ConversationId, SessionId, UserId};
use hongyan_domain::time::UnixMillis;
use rusqlite::{Connection, OptionalExtension, Row};

use super::accounts;
use super::batch::{Batch, Counter, Reference};
use super::fault::{Fault, Result};
use crate::feed::{Committed, CommittedWhat};
use crate::timeline::About;

/// A row of inboxes that belongs to no conversation.
pub(super) const NO_CONVERSATION: ConversationId = ConversationId(0);

/// What [`from_row`] reads, from its first argument on.
pub(super) const COLUMNS: &str = "tie, blocked, remark, grouping, text, relation.time";

/// Reads [`COLUMNS`], of which the first is column `first`.
pub(super) fn from_row(row: &Row<'_>, first: usize) -> Result<Relation> {
    Ok(Relation {
        tie: tie(row.get(first)?)?,
        blocked: row.get(first + 1)?,
        remark: row.get(first + 2)?,
        grouping: row.get(first + 3)?,
        text: row.get(first + 4)?,
        time: UnixMillis(row.get(first + 5)?),
    })
}

fn tie(number: i64) -> Result<Tie> {
    match number {
        0 => Ok(Tie::None),
        1 => Ok(Tie::Friend),
        2 => Ok(Tie::Asked),
        3 => Ok(Tie::Asks),
        _ => Err(Fault::Row("an unknown tie")),
    }
}

/// As it is stored.
pub(super) fn tie_number(tie: Tie) -> i64 {
    match tie {
        Tie::None => 0,
        Tie::Friend => 1,
        Tie::Asked => 2,
        Tie::Asks => 3,
    }
}

/// What a user has about another; empty if there is no row.
pub(super) fn load(connection: &Connection, user: UserId, other: UserId) -> Result<Relation> {
    let mut statement =
        connection.prepare_cached(&format!("SELECT {COLUMNS} FROM relation WHERE user = ?1 AND other = ?2"))?;
    let mut rows = statement.query((user.0, other.0))?;
    rows.next()?.map_or_else(|| Ok(Relation::default()), |row| from_row(row, 0))
}

fn befriended(connection: &Connection, user: UserId, other: UserId) -> Result<i64> {
    let mut statement = connection.prepare_cached("SELECT befriended FROM relation WHERE user = ?1 AND other = ?2")?;
    Ok(statement.query_row((user.0, other.0), |row| row.get(0)).optional()?.unwrap_or_default())
}

/// Changes what a user has about another; the version after that, or `None` if nothing has changed.
pub(super) fn change(
    batch: &mut Batch<'_>,
    user: UserId,
    other: UserId,
    change: impl FnOnce(&mut Relation),
) -> Result<Option<u64>> {
    let before = load(batch.connection, user, other)?;
    let mut relation = before.clone();
    change(&mut relation);
    if relation == before {
        return Ok(None);
    }
    let version = batch.next_counter(Counter::People)?;
    let befriended = match (before.tie, relation.tie) {
        (Tie::Friend, Tie::Friend) => befriended(batch.connection, user, other)?,
        (_, Tie::Friend) => version,
        _ => 0,
    };
    let Relation { tie, blocked, remark, grouping, text, time } = &relation;
    let mut statement = batch.connection.prepare_cached(
        "INSERT INTO relation (user, other, version, befriended, tie, blocked, remark, grouping, text, time) \
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10) ON CONFLICT (user, other) DO UPDATE SET \
         version = ?3, befriended = ?4, tie = ?5, blocked = ?6, remark = ?7, grouping = ?8, text = ?9, time = ?10",
    )?;
    let row = (user.0, other.0, version, befriended, tie_number(*tie), blocked, remark, grouping, text, time.0);
    statement.execute(row)?;
    Ok(Some(version as u64))
}

/// How many a user has of a tie that began after a time.
pub(super) fn count(connection: &Connection, user: UserId, tie: Tie, after: UnixMillis) -> Result<usize> {
    let mut statement =
        connection.prepare_cached("SELECT count(*) FROM relation WHERE user = ?1 AND tie = ?2 AND time > ?3")?;
    Ok(statement.query_row((user.0, tie_number(tie), after.0), |row| row.get(0))?)
}

/// The number of the newest change of any relation, grouping or profile.
pub(super) fn newest(connection: &Connection) -> Result<u64> {
    let mut statement = connection.prepare_cached("SELECT next - 1 FROM counter WHERE kind = ?1")?;
    Ok(statement.query_row([Counter::People as i64], |row| row.get(0))?)
}

/// Tells a user's devices that their own lists have changed.
pub(super) fn tell_lists(
    batch: &mut Batch<'_>,
    app: AppId,
    session: SessionId,
    user: UserId,
    version: u64,
) -> Result<()> {
    let inbox_seq = batch.refer(user, NO_CONVERSATION, None, &Reference::Lists(version))?;
    let about = accounts::user_name(batch.connection, user)?.ok_or(Fault::Row("lists of nobody"))?;
    let about = About::Person(about);
    let what = CommittedWhat::Lists { version };
    batch.tell(Committed { app, user, inbox_seq, conversation: NO_CONVERSATION, about, origin: session, what });
    Ok(())
}

/// Where something has happened between two users, and by whom.
#[derive(Clone, Copy)]
pub(super) struct Scene {
    pub(super) app: AppId,
    pub(super) session: SessionId,
    pub(super) conversation: ConversationId,
}

/// Tells a user's devices what has happened between them and another.
pub(super) fn tell_event(
    batch: &mut Batch<'_>,
    scene: Scene,
    user: UserId,
    other: UserId,
    event: FriendEvent,
) -> Result<()> {
    let Scene { app, session, conversation } = scene;
    let payload = [event_number(event)];
    let reference = Reference::Friend { other, payload: &payload };
    let inbox_seq = batch.refer(user, conversation, None, &reference)?;
    let about = accounts::user_name(batch.connection, other)?.ok_or(Fault::Row("a friend who is nobody"))?;
    let about = About::Person(about);
    let Relation { text, time, .. } = load(batch.connection, user, other)?;
    let what = CommittedWhat::Friend { event, text, time };
    batch.tell(Committed { app, user, inbox_seq, conversation, about, origin: session, what });
    Ok(())
}

fn event_number(event: FriendEvent) -> u8 {
    match event {
        FriendEvent::Asks => 1,
        FriendEvent::Asked => 2,
        FriendEvent::Friends => 3,
        FriendEvent::Declined => 4,
        FriendEvent::Removed => 5,
    }
}

/// The event of a row of an inbox.
pub(super) fn event_from_payload(payload: &[u8]) -> Result<FriendEvent> {
    match payload {
        [1] => Ok(FriendEvent::Asks),
        [2] => Ok(FriendEvent::Asked),
        [3] => Ok(FriendEvent::Friends),
        [4] => Ok(FriendEvent::Declined),
        [5] => Ok(FriendEvent::Removed),
        _ => Err(Fault::Row("an unknown event between friends")),
    }
}
