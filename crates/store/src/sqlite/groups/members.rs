//! Members of groups and their stays: rows beside a group's head, and the list at each user's place that follows them.

use hongyan_domain::group::{Member, Role};
use hongyan_domain::id::{ConversationId, UserId};
use hongyan_domain::receipt::Position;
use hongyan_domain::time::UnixMillis;
use rusqlite::{Connection, OptionalExtension, Row};

use super::super::fault::{Fault, Result};

/// A member's row.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(in crate::sqlite) struct MemberRow {
    pub member: Member,
    pub nickname: String,
    pub joined: UnixMillis,
    pub mentioned_seq: u64,
    pub own_count: u64,
}

/// The columns of [`MemberRow::from_row`].
pub(super) const COLUMNS: &str = "role, nickname, joined, muted_until, mentioned_seq, own_count";

impl MemberRow {
    /// Reads [`COLUMNS`], of which the first is column `first`.
    pub(super) fn from_row(row: &Row<'_>, first: usize) -> Result<Self> {
        let role = match row.get(first)? {
            0 => Role::Member,
            1 => Role::Admin,
            2 => Role::Owner,
            _ => return Err(Fault::Row("a member of an unknown role")),
        };
        Ok(Self {
            member: Member { role, muted_until: UnixMillis(row.get(first + 3)?) },
            nickname: row.get(first + 1)?,
            joined: UnixMillis(row.get(first + 2)?),
            mentioned_seq: row.get(first + 4)?,
            own_count: row.get(first + 5)?,
        })
    }

    /// `None` for somebody who is no member.
    pub(in crate::sqlite) fn load(
        connection: &Connection,
        group: ConversationId,
        user: UserId,
    ) -> Result<Option<Self>> {
        let mut statement =
            connection.prepare_cached(&format!("SELECT {COLUMNS} FROM group_member WHERE grp = ?1 AND user = ?2"))?;
        let mut rows = statement.query((group.0, user.0))?;
        rows.next()?.map(|row| Self::from_row(row, 0)).transpose()
    }

    /// Writes the row, whether there is one or not.
    pub(in crate::sqlite) fn save(&self, connection: &Connection, group: ConversationId, user: UserId) -> Result<()> {
        let mut statement = connection.prepare_cached(
            "INSERT INTO group_member (grp, user, role, nickname, joined, muted_until, mentioned_seq, own_count) \
             VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8) ON CONFLICT DO UPDATE SET role = ?3, nickname = ?4, joined = ?5, \
             muted_until = ?6, mentioned_seq = ?7, own_count = ?8",
        )?;
        let Member { role, muted_until } = self.member;
        let (joined, until) = (self.joined.0, muted_until.0);
        let row = (group.0, user.0, role as i64, &self.nickname, joined, until, self.mentioned_seq, self.own_count);
        statement.execute(row)?;
        Ok(())
    }

    /// Removes the row.
    pub(in crate::sqlite) fn delete(connection: &Connection, group: ConversationId, user: UserId) -> Result<()> {
        connection
            .prepare_cached("DELETE FROM group_member WHERE grp = ?1 AND user = ?2")?
            .execute((group.0, user.0))?;
        Ok(())
    }
}

/// A stay: what somebody may see.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::sqlite) struct Stay {
    /// The first entry.
    pub from: u64,
    /// Messages below it.
    pub from_count: u64,
    /// The last entry and the messages up to it; `None` as long as it goes on.
    pub to: Option<(u64, u64)>,
}

/// All stays of somebody in a group, in order.
pub(super) fn stays(connection: &Connection, group: ConversationId, user: UserId) -> Result<Vec<Stay>> {
    let mut statement = connection.prepare_cached(
        "SELECT from_seq, from_count, to_seq, to_count FROM group_stay WHERE grp = ?1 AND user = ?2 ORDER BY from_seq",
    )?;
    let rows = statement.query_map((group.0, user.0), |row| {
        let (to_seq, to_count): (Option<u64>, Option<u64>) = (row.get(2)?, row.get(3)?);
        Ok(Stay { from: row.get(0)?, from_count: row.get(1)?, to: to_seq.zip(to_count) })
    })?;
    Ok(rows.collect::<rusqlite::Result<_>>()?)
}

/// Somebody comes in. A stay that overlaps an earlier one, because the group shows its past, takes its place.
pub(super) fn begin_stay(
    connection: &Connection,
    group: ConversationId,
    user: UserId,
    from: u64,
    from_count: u64,
) -> Result<()> {
    connection
        .prepare_cached("DELETE FROM group_stay WHERE grp = ?1 AND user = ?2 AND from_seq >= ?3")?
        .execute((group.0, user.0, from))?;
    connection
        .prepare_cached("INSERT INTO group_stay (grp, user, from_seq, from_count) VALUES (?1, ?2, ?3, ?4)")?
        .execute((group.0, user.0, from, from_count))?;
    list(connection, user, group, true)
}

/// Somebody is out: the last entry that they see.
pub(super) fn end_stay(
    connection: &Connection,
    group: ConversationId,
    user: UserId,
    to: u64,
    to_count: u64,
) -> Result<()> {
    let mut statement = connection.prepare_cached(
        "UPDATE group_stay SET to_seq = max(?3, from_seq - 1), to_count = max(?4, from_count) \
         WHERE grp = ?1 AND user = ?2 AND to_seq IS NULL",
    )?;
    if statement.execute((group.0, user.0, to, to_count))? != 1 {
        return Err(Fault::Row("a member without a stay"));
    }
    list(connection, user, group, false)
}

fn list(connection: &Connection, user: UserId, group: ConversationId, member: bool) -> Result<()> {
    let mut statement = connection.prepare_cached(
        "INSERT INTO user_group (user, grp, member) VALUES (?1, ?2, ?3) ON CONFLICT DO UPDATE SET member = ?3",
    )?;
    statement.execute((user.0, group.0, member))?;
    Ok(())
}

/// Somebody's marks in a group have changed with this number of the feed.
pub(super) fn touch(connection: &Connection, user: UserId, group: ConversationId, change_no: u64) -> Result<()> {
    connection
        .prepare_cached("UPDATE user_group SET change_no = ?3 WHERE user = ?1 AND grp = ?2")?
        .execute((user.0, group.0, change_no))?;
    Ok(())
}

/// In how many groups somebody is.
pub(super) fn groups_of(connection: &Connection, user: UserId) -> Result<u32> {
    let mut statement = connection.prepare_cached("SELECT count(*) FROM user_group WHERE user = ?1 AND member = 1")?;
    Ok(statement.query_row([user.0], |row| row.get(0))?)
}

/// Somebody's countable messages up to a place.
pub(super) fn own_count(connection: &Connection, group: ConversationId, user: UserId, seq: u64) -> Result<u64> {
    let mut statement = connection.prepare_cached(
        "SELECT own_count FROM group_own WHERE grp = ?1 AND user = ?2 AND seq <= ?3 ORDER BY seq DESC LIMIT 1",
    )?;
    let found = statement.query_row((group.0, user.0, seq.min(i64::MAX as u64)), |row| row.get(0)).optional()?;
    Ok(found.unwrap_or(0))
}

/// The place of a seq as somebody counts; in a gap it is the place below.
pub(super) fn position(
    connection: &Connection,
    group: ConversationId,
    gone_count: u64,
    user: UserId,
    seq: u64,
) -> Result<Position> {
    let mut statement = connection.prepare_cached(
        "SELECT message_count FROM message WHERE conversation = ?1 AND seq <= ?2 ORDER BY seq DESC LIMIT 1",
    )?;
    let counted = statement.query_row((group.0, seq.min(i64::MAX as u64)), |row| row.get(0)).optional()?;
    let message_count = counted.unwrap_or(gone_count);
    Ok(Position { seq, message_count, own_count: own_count(connection, group, user, seq)? })
}
