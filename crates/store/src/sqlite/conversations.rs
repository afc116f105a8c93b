//! The first screen: a user's conversations by activity. User rows first, then each conversation's rows, then the other
//! person's.

use hongyan_domain::id::{ConversationId, UserId};
use hongyan_domain::message::Entry;
use rusqlite::Connection;

use super::fault::{Fault, Result};
use super::heads::{Conversation, InboxEnds, USER_CONVERSATION_COLUMNS, UserConversation};
use super::{marks, message, visitors};
use crate::timeline::{ConversationLine, ConversationPage};

/// Rows from the head downwards among which the newest visible message is looked for.
const LAST_SCANNED_MAX: u32 = 200;

/// A page of lines, newest activity first.
pub(super) fn page(connection: &Connection, user: UserId, before: u64, limit: u32) -> Result<ConversationPage> {
    let ends = InboxEnds::load(connection, user)?.ok_or(Fault::Row("no such user"))?;
    let mut mine = active(connection, user, before, limit)?;
    let more = mine.len() > limit as usize;
    mine.truncate(limit as usize);
    let lines = mine.iter().map(|(conversation, mine)| line(connection, user, *conversation, mine));
    Ok(ConversationPage { lines: lines.collect::<Result<_>>()?, more, inbox_head: ends.head })
}

/// One more than `limit` if there are more. There is no index by activity: it would be rewritten by every message, and
/// the rows of one user lie together.
fn active(
    connection: &Connection,
    user: UserId,
    before: u64,
    limit: u32,
) -> Result<Vec<(ConversationId, UserConversation)>> {
    let before = if before == 0 { i64::MAX as u64 } else { before.min(i64::MAX as u64) };
    let mut statement = connection.prepare_cached(&format!(
        "SELECT conversation, {USER_CONVERSATION_COLUMNS} FROM user_conversation \
         WHERE user = ?1 AND activity > 0 AND activity < ?2 ORDER BY activity DESC LIMIT ?3"
    ))?;
    let rows = statement.query_map((user.0, before, u64::from(limit) + 1), |row| {
        Ok((ConversationId(row.get(0)?), UserConversation::from_row(row, 1)?))
    })?;
    Ok(rows.collect::<rusqlite::Result<_>>()?)
}

fn line(
    connection: &Connection,
    user: UserId,
    conversation: ConversationId,
    mine: &UserConversation,
) -> Result<ConversationLine> {
    let head = Conversation::load(connection, conversation)?.ok_or(Fault::Row("a line of no conversation"))?;
    if !head.has(user) {
        return adopted(connection, &head, mine.activity);
    }
    let other = head.other(user);
    let visitor = match head.visitor() {
        Some(visitor) if visitor == other => visitors::load(connection, visitor)?,
        _ => None,
    };
    let peer = marks::marks(connection, conversation, other)?;
    Ok(ConversationLine {
        conversation,
        other,
        activity: mine.activity,
        head_seq: head.head_seq,
        low_seq: head.low_seq_of(mine),
        unread: head.unread(user, mine),
        read_seq: mine.read.seq,
        peer_delivered_seq: peer.delivered_seq,
        peer_read_seq: peer.read_seq,
        last: last(connection, user, &head, mine)?,
        blocked: head.is_blocked_by(user),
        visitor,
        as_visitor: None,
    })
}

/// The line of a conversation that the user had as a visitor: as the visitor sees it, and read to its end.
fn adopted(connection: &Connection, head: &Conversation, activity: u64) -> Result<ConversationLine> {
    let visitor = head.visitor().ok_or(Fault::Row("a line of two others' conversation"))?;
    let seen = UserConversation::load(connection, visitor, head.id)?;
    let line = line(connection, visitor, head.id, &seen)?;
    Ok(ConversationLine { activity, unread: 0, read_seq: head.head_seq, as_visitor: Some(visitor), ..line })
}

/// The newest message that the user has not hidden; a recalled one is still a line.
fn last(connection: &Connection, user: UserId, head: &Conversation, mine: &UserConversation) -> Result<Option<Entry>> {
    let mut statement = connection.prepare_cached(&format!(
        "SELECT {} FROM message WHERE conversation = ?1 AND seq >= ?2 ORDER BY seq DESC LIMIT ?3",
        message::COLUMNS
    ))?;
    let mut rows = statement.query((head.id.0, head.low_seq_of(mine), LAST_SCANNED_MAX))?;
    while let Some(row) = rows.next()? {
        let (seq, change_of): (u64, u64) = (row.get(0)?, row.get(7)?);
        if change_of == 0 && !marks::is_hidden(connection, user, head.id, seq)? {
            return Ok(Some(message::from_row(connection, head.id, row)?));
        }
    }
    Ok(None)
}
