//! What is read of groups: a user's list of them, members, logs, receipts. Rows of the user first, then those of each
//! group.

use hongyan_domain::group::{READERS_MEMBERS_MAX, Role};
use hongyan_domain::id::{ConversationId, UserId};
use hongyan_domain::message::Entry;
use hongyan_domain::time::UnixMillis;
use rusqlite::{Connection, OptionalExtension};

use super::super::fault::{Fault, Result};
use super::super::heads::UserConversation;
use super::super::history;
use super::super::{changes, marks, message};
use super::head::GroupHead;
use super::members::{self, MemberRow};
use super::view::{View, sees};
use crate::groups::{Asking, GroupLine, GroupReceipts, GroupsPage, GroupsQuery, MemberLine, MembersPage};
use crate::timeline::{HistoryPage, HistoryQuery};

/// Rows from the head downwards among which the newest visible entry is looked for.
const LAST_SCANNED_MAX: u32 = 200;

/// A page of a user's groups.
pub(super) fn groups_of(connection: &Connection, user: UserId, query: &GroupsQuery) -> Result<GroupsPage> {
    let token = changes::newest(connection)?;
    let mut page = GroupsPage { groups: Vec::new(), more: false, token };
    // A token of another history tells nothing.
    let since = if query.since > token { 0 } else { query.since };
    let mut statement = connection.prepare_cached(
        "SELECT grp, change_no FROM user_group WHERE user = ?1 AND grp > ?2 AND (?3 IS NULL OR grp = ?3) ORDER BY grp",
    )?;
    let after = query.after.map_or(i64::MIN, |after| after.0);
    let mut rows = statement.query((user.0, after, query.only.map(|only| only.0)))?;
    while let Some(row) = rows.next()? {
        let head = load(connection, ConversationId(row.get(0)?))?;
        if head.change_no.max(row.get(1)?) <= since && since > 0 {
            continue;
        }
        if page.groups.len() >= query.limit as usize {
            page.more = true;
            break;
        }
        page.groups.extend(line(connection, user, head)?);
    }
    Ok(page)
}

fn load(connection: &Connection, group: ConversationId) -> Result<GroupHead> {
    GroupHead::load(connection, group)?.ok_or(Fault::Row("a list names a group that is none"))
}

fn line(connection: &Connection, user: UserId, head: GroupHead) -> Result<Option<GroupLine>> {
    let Some(view) = View::load(connection, &head, user)? else { return Ok(None) };
    let row = MemberRow::load(connection, head.id, user)?;
    let keeps_order = row.as_ref().is_some_and(|row| row.member.role >= Role::Admin);
    let mentioned_seq = row.as_ref().map_or(0, |row| row.mentioned_seq);
    Ok(Some(GroupLine {
        unread: view.unread(connection, &head)?,
        mention_seq: view.mention(connection, &head, mentioned_seq)?,
        last: last(connection, &head, &view)?,
        asking: if keeps_order { asking(connection, head.id)? } else { Vec::new() },
        group: head.id,
        name: head.name,
        profile: head.profile,
        announcement: head.announcement,
        profile_version: head.profile_version,
        owner: head.owner,
        policies: head.facts.policies,
        muted_all: head.facts.muted_all,
        pinned: head.facts.pinned,
        member_count: head.facts.member_count,
        member_list_version: head.member_list_version,
        head_seq: view.head_seq,
        low_seq: view.low_seq,
        read_seq: view.mine.read.seq,
        member: row.as_ref().map(|row| row.member),
        nickname: row.map(|row| row.nickname).unwrap_or_default(),
        dissolved: head.facts.dissolved,
    }))
}

/// The newest entry that the reader may see and has not hidden; what announces a change is none.
fn last(connection: &Connection, head: &GroupHead, view: &View) -> Result<Option<Entry>> {
    let mut statement = connection.prepare_cached(&format!(
        "SELECT {} FROM message WHERE conversation = ?1 AND seq BETWEEN ?2 AND ?3 ORDER BY seq DESC LIMIT ?4",
        message::COLUMNS
    ))?;
    let mut rows = statement.query((head.id.0, view.low_seq, view.head_seq, LAST_SCANNED_MAX))?;
    while let Some(row) = rows.next()? {
        let (seq, change_of): (u64, u64) = (row.get(0)?, row.get(7)?);
        if change_of == 0 && view.sees(seq) && !marks::is_hidden(connection, view.user, head.id, seq)? {
            return Ok(Some(message::from_row(connection, head.id, row)?));
        }
    }
    Ok(None)
}

fn asking(connection: &Connection, group: ConversationId) -> Result<Vec<Asking>> {
    let mut statement =
        connection.prepare_cached("SELECT user, text, time FROM group_asking WHERE grp = ?1 ORDER BY time, user")?;
    let rows = statement.query_map([group.0], |row| {
        Ok(Asking { user: UserId(row.get(0)?), text: row.get(1)?, time: UnixMillis(row.get(2)?) })
    })?;
    Ok(rows.collect::<rusqlite::Result<_>>()?)
}

/// The groups that a user is in, and from which entry on they see each.
pub(super) fn stays_of(connection: &Connection, user: UserId) -> Result<Vec<(ConversationId, u64)>> {
    let mut statement =
        connection.prepare_cached("SELECT grp FROM user_group WHERE user = ?1 AND member = 1 ORDER BY grp")?;
    let groups = statement.query_map([user.0], |row| Ok(ConversationId(row.get(0)?)))?;
    let mut stays = Vec::new();
    for group in groups {
        let group = group?;
        let stay = members::stays(connection, group, user)?.pop();
        stays.extend(stay.filter(|stay| stay.to.is_none()).map(|stay| (group, stay.from)));
    }
    Ok(stays)
}

/// A page of the members.
pub(super) fn members(
    connection: &Connection,
    group: ConversationId,
    reader: UserId,
    after: Option<UserId>,
    limit: u32,
    known: u64,
) -> Result<Option<MembersPage>> {
    if MemberRow::load(connection, group, reader)?.is_none() {
        return Ok(None);
    }
    let version = load(connection, group)?.member_list_version;
    let mut page = MembersPage { members: Vec::new(), more: false, version };
    if known == version {
        return Ok(Some(page));
    }
    let mut statement = connection.prepare_cached(&format!(
        "SELECT user, {} FROM group_member WHERE grp = ?1 AND user > ?2 ORDER BY user LIMIT ?3",
        members::COLUMNS
    ))?;
    let mut rows = statement.query((group.0, after.map_or(i64::MIN, |after| after.0), u64::from(limit) + 1))?;
    while let Some(row) = rows.next()? {
        if page.members.len() >= limit as usize {
            page.more = true;
            break;
        }
        let found = MemberRow::from_row(row, 1)?;
        let (member, nickname, joined) = (found.member, found.nickname, found.joined);
        page.members.push(MemberLine { user: UserId(row.get(0)?), member, nickname, joined });
    }
    Ok(Some(page))
}

/// A page of the log; what lies outside of the reader's stays is gone for them.
pub(super) fn history(
    connection: &Connection,
    group: ConversationId,
    reader: UserId,
    query: &HistoryQuery,
) -> Result<Option<HistoryPage>> {
    let head = load(connection, group)?;
    let Some(view) = View::load(connection, &head, reader)? else { return Ok(None) };
    let seen = history::Seen { reader, head_seq: view.head_seq, low_seq: view.low_seq };
    history::scan(connection, group, &seen, query, |seq| sees(&view.stays, seq)).map(Some)
}

/// Who has a message.
pub(super) fn receipts(
    connection: &Connection,
    group: ConversationId,
    reader: UserId,
    seq: u64,
) -> Result<Option<GroupReceipts>> {
    if MemberRow::load(connection, group, reader)?.is_none() {
        return Ok(None);
    }
    let head = load(connection, group)?;
    let view = View::load(connection, &head, reader)?.filter(|view| view.sees(seq));
    let sender = connection
        .prepare_cached("SELECT sender FROM message WHERE conversation = ?1 AND seq = ?2")?
        .query_row((group.0, message::storable(seq)), |row| Ok(UserId(row.get(0)?)))
        .optional()?;
    let (Some(_), Some(sender)) = (view, sender) else { return Ok(None) };
    let names_readers = head.facts.member_count <= READERS_MEMBERS_MAX;
    let mut statement = connection.prepare_cached(
        "SELECT user FROM group_stay WHERE grp = ?1 AND to_seq IS NULL AND from_seq <= ?2 AND user <> ?3",
    )?;
    let members = statement.query_map((group.0, message::storable(seq), sender.0), |row| Ok(UserId(row.get(0)?)))?;
    let mut receipts = GroupReceipts::default();
    for member in members {
        let member = member?;
        let place = UserConversation::load(connection, member, group)?;
        receipts.members += 1;
        receipts.delivered += u32::from(place.delivered_seq.max(place.read.seq) >= seq);
        if place.read.seq >= seq {
            receipts.read += 1;
            if names_readers {
                receipts.readers.push(member);
            }
        }
    }
    Ok(Some(receipts))
}
