//! Pages of an inbox, each row with what it refers to as it is now, but a read mark as it was when it moved. Reads user
//! rows and conversation rows apart.

use std::collections::BTreeMap;

use hongyan_domain::id::{ConversationId, UserId};
use hongyan_domain::name::Name;
use rusqlite::Connection;

use super::fault::{Fault, Result};
use super::groups::head::GroupHead;
use super::heads::{Conversation, InboxEnds, UserConversation};
use super::{marks, message};
use crate::timeline::{About, Deletion, InboxEntry, InboxPage, InboxWhat};

/// Bytes that a row takes beside its body.
const ROW_BYTES: usize = 64;

/// A row as it is stored.
struct Row {
    seq: u64,
    conversation: ConversationId,
    kind: i64,
    at: u64,
    payload: Vec<u8>,
}

/// The page after a cursor. Nothing if the cursor is below what is kept.
pub(super) fn page(
    connection: &Connection,
    user: UserId,
    cursor: u64,
    limit: u32,
    bytes_max: usize,
    log_epoch: u32,
) -> Result<InboxPage> {
    let ends = InboxEnds::load(connection, user)?.ok_or(Fault::Row("no such user"))?;
    let mut page = InboxPage { entries: Vec::new(), head: ends.head, low: ends.low, log_epoch };
    if cursor.saturating_add(1) < ends.low || cursor >= ends.head {
        return Ok(page);
    }
    let mut reader = Reader { connection, user, seen: BTreeMap::new(), groups: BTreeMap::new() };
    let mut statement = connection.prepare_cached(
        "SELECT seq, conversation, kind, at, payload FROM inbox WHERE user = ?1 AND seq > ?2 ORDER BY seq LIMIT ?3",
    )?;
    let mut rows = statement.query((user.0, cursor, limit))?;
    let mut bytes = 0;
    while let Some(row) = rows.next()? {
        let entry = reader.resolve(Row {
            seq: row.get(0)?,
            conversation: ConversationId(row.get(1)?),
            kind: row.get(2)?,
            at: row.get(3)?,
            payload: row.get::<_, Option<Vec<u8>>>(4)?.unwrap_or_default(),
        })?;
        bytes += ROW_BYTES + size(&entry.what);
        if bytes > bytes_max && !page.entries.is_empty() {
            break;
        }
        page.entries.push(entry);
    }
    Ok(page)
}

fn size(what: &InboxWhat) -> usize {
    match what {
        InboxWhat::Entry(entry, target) => message::size(entry) + target.as_ref().map_or(0, message::size),
        InboxWhat::Deleted(deletion) => 8 * deletion.seqs.len(),
        InboxWhat::Read { .. }
        | InboxWhat::Claimed { .. }
        | InboxWhat::Membership { .. }
        | InboxWhat::Mentioned { .. }
        | InboxWhat::Gone { .. } => 0,
    }
}

/// What is read once for a page.
struct Reader<'c> {
    connection: &'c Connection,
    user: UserId,
    seen: BTreeMap<ConversationId, (Conversation, UserConversation)>,
    groups: BTreeMap<ConversationId, Name>,
}

impl Reader<'_> {
    fn resolve(&mut self, row: Row) -> Result<InboxEntry> {
        if let Some(head) = self.group(row.conversation)? {
            let what = match row.kind {
                1 => read(row.at, &row.payload)?,
                2 => InboxWhat::Deleted(Deletion { up_to_seq: row.at, seqs: marks::bytes_to_numbers(&row.payload) }),
                4 => InboxWhat::Membership { member: row.at != 0 },
                5 => InboxWhat::Mentioned { seq: row.at },
                _ => return Err(Fault::Row("an inbox row of a group of an unknown kind")),
            };
            let about = About::Group(head);
            return Ok(InboxEntry { inbox_seq: row.seq, conversation: row.conversation, about, what });
        }
        if !self.seen.contains_key(&row.conversation) {
            let head = Conversation::load(self.connection, row.conversation)?;
            let head = head.ok_or(Fault::Row("an inbox row of no conversation"))?;
            let mine = UserConversation::load(self.connection, self.user, row.conversation)?;
            self.seen.insert(row.conversation, (head, mine));
        }
        let (head, mine) = &self.seen[&row.conversation];
        let what = match row.kind {
            0 => self.entry(head, mine, row.at)?,
            1 => read(row.at, &row.payload)?,
            3 => claimed(&row.payload)?,
            2 => InboxWhat::Deleted(Deletion { up_to_seq: row.at, seqs: marks::bytes_to_numbers(&row.payload) }),
            _ => return Err(Fault::Row("an inbox row of an unknown kind")),
        };
        let about = About::Person(head.other(head.seat(self.user)?));
        Ok(InboxEntry { inbox_seq: row.seq, conversation: row.conversation, about, what })
    }

    /// The name of a group, if the conversation is one.
    fn group(&mut self, conversation: ConversationId) -> Result<Option<Name>> {
        if self.seen.contains_key(&conversation) {
            return Ok(None);
        }
        if !self.groups.contains_key(&conversation) && Conversation::load(self.connection, conversation)?.is_none() {
            let head = GroupHead::load(self.connection, conversation)?;
            let head = head.ok_or(Fault::Row("an inbox row of no conversation"))?;
            self.groups.insert(conversation, head.name);
        }
        Ok(self.groups.get(&conversation).cloned())
    }

    /// A row of the log and, if it announces a change, the changed row; gone if the reader may not see the message. Who
    /// hides the number of an announcement hides no message, and still learns what became of one.
    fn entry(&self, head: &Conversation, mine: &UserConversation, seq: u64) -> Result<InboxWhat> {
        let gone = InboxWhat::Gone { seq, read_seq: mine.read.seq };
        let Some(entry) = message::load(self.connection, head.id, seq)? else { return Ok(gone) };
        let message = if entry.change_of == 0 { seq } else { entry.change_of };
        if message < head.low_seq_of(mine) || marks::is_hidden(self.connection, self.user, head.id, message)? {
            return Ok(gone);
        }
        if entry.change_of == 0 {
            return Ok(InboxWhat::Entry(entry, None));
        }
        let target = message::load(self.connection, head.id, entry.change_of)?;
        Ok(target.map_or(gone, |target| InboxWhat::Entry(entry, Some(target))))
    }
}

fn claimed(payload: &[u8]) -> Result<InboxWhat> {
    let numbers = marks::bytes_to_numbers(payload);
    let [visitor, account] = numbers[..] else { return Err(Fault::Row("a claim without its users")) };
    Ok(InboxWhat::Claimed { visitor: UserId(visitor as i64), account: UserId(account as i64) })
}

fn read(seq: u64, payload: &[u8]) -> Result<InboxWhat> {
    let numbers = marks::bytes_to_numbers(payload);
    let [unread] = numbers[..] else { return Err(Fault::Row("a read mark without its count")) };
    Ok(InboxWhat::Read { seq, unread })
}
