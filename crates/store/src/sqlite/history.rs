//! Pages of a conversation as one of its two users sees it, with the range that each page covers (design §5,
//! Visibility).

use hongyan_domain::id::{ConversationId, UserId};
use hongyan_domain::message::Entry;
use rusqlite::Connection;

use super::fault::{Fault, Result};
use super::heads::{Conversation, UserConversation};
use super::{marks, message};
use crate::timeline::{HistoryPage, HistoryQuery};

/// Rows that one page looks at, seen by the reader or not.
const SCANNED_MAX: u32 = 4_096;

/// The page that is asked for; empty, with nothing covered, for somebody who is not in the conversation.
pub(super) fn page(
    connection: &Connection,
    conversation: ConversationId,
    reader: UserId,
    query: &HistoryQuery,
) -> Result<HistoryPage> {
    let head = Conversation::load(connection, conversation)?.ok_or(Fault::Row("no such conversation"))?;
    if !head.has(reader) {
        return Ok(HistoryPage::default());
    }
    let mine = UserConversation::load(connection, reader, conversation)?;
    let seen = Seen { reader, head_seq: head.head_seq, low_seq: head.low_seq_of(&mine) };
    scan(connection, conversation, &seen, query, |_| true)
}

/// What a reader may see of a log at most.
pub(super) struct Seen {
    pub(super) reader: UserId,
    pub(super) head_seq: u64,
    pub(super) low_seq: u64,
}

/// The page of a log within what its reader may see; `sees` tells of each row whether it is.
pub(super) fn scan(
    connection: &Connection,
    conversation: ConversationId,
    seen: &Seen,
    query: &HistoryQuery,
    sees: impl Fn(u64) -> bool,
) -> Result<HistoryPage> {
    let Seen { reader, head_seq, low_seq } = *seen;
    let mut page = HistoryPage { entries: Vec::new(), covered: None, head_seq, low_seq };
    let wanted = Wanted::of(query, head_seq);
    if wanted.is_empty() || query.limit == 0 {
        return Ok(page);
    }
    let scan = Scan { connection, conversation, reader, low_seq, query };
    let stopped = scan.run(&wanted, sees, &mut page.entries)?;
    page.covered = Some(wanted.covered(stopped));
    if wanted.backwards {
        page.entries.reverse();
    }
    Ok(page)
}

/// A range of seqs, both ends included, and where it is begun.
pub(super) struct Wanted {
    pub(super) from: u64,
    pub(super) to: u64,
    pub(super) backwards: bool,
}

impl Wanted {
    /// What is asked of a log with this head.
    pub(super) fn of(query: &HistoryQuery, head_seq: u64) -> Self {
        if let Some(after) = query.after_seq {
            return Self { from: after.saturating_add(1), to: head_seq, backwards: false };
        }
        let before = match query.before_seq {
            None | Some(0) => u64::MAX,
            Some(before) => before,
        };
        Self { from: 1, to: head_seq.min(before - 1), backwards: true }
    }

    /// Whether there is nothing in it.
    pub(super) fn is_empty(&self) -> bool {
        self.from > self.to
    }

    /// All of it, or as far as the last row that was looked at.
    pub(super) fn covered(&self, stopped: Option<u64>) -> (u64, u64) {
        match stopped {
            None => (self.from, self.to),
            Some(seq) if self.backwards => (seq, self.to),
            Some(seq) => (self.from, seq),
        }
    }
}

struct Scan<'a> {
    connection: &'a Connection,
    conversation: ConversationId,
    reader: UserId,
    low_seq: u64,
    query: &'a HistoryQuery,
}

impl Scan<'_> {
    /// Collects rows, nearest first. The seq of the last row looked at, if there may be more.
    fn run(&self, wanted: &Wanted, sees: impl Fn(u64) -> bool, entries: &mut Vec<Entry>) -> Result<Option<u64>> {
        let order = if wanted.backwards { "DESC" } else { "ASC" };
        let mut statement = self.connection.prepare_cached(&format!(
            "SELECT {} FROM message WHERE conversation = ?1 AND seq BETWEEN ?2 AND ?3 ORDER BY seq {order}",
            message::COLUMNS
        ))?;
        let hides = self.hides_rows()?;
        let mut rows = statement.query((self.conversation.0, wanted.from.max(self.low_seq), wanted.to))?;
        let (mut bytes, mut scanned, mut last) = (0, 0, None);
        while let Some(row) = rows.next()? {
            let seq: u64 = row.get(0)?;
            let full = entries.len() >= self.query.limit as usize || scanned >= SCANNED_MAX;
            if full {
                return Ok(last);
            }
            scanned += 1;
            if sees(seq) && self.is_wanted(row.get(6)?, seq, hides)? {
                let entry = message::from_row(self.connection, self.conversation, row)?;
                bytes += message::size(&entry);
                if bytes > self.query.bytes_max && !entries.is_empty() {
                    return Ok(last);
                }
                entries.push(entry);
            }
            last = Some(seq);
        }
        Ok(None)
    }

    fn is_wanted(&self, changed_seq: u64, seq: u64, hides: bool) -> Result<bool> {
        if self.query.changed_after.is_some_and(|after| changed_seq <= after) {
            return Ok(false);
        }
        Ok(!hides || !marks::is_hidden(self.connection, self.reader, self.conversation, seq)?)
    }

    /// Whether the reader has hidden single rows at all.
    fn hides_rows(&self) -> Result<bool> {
        let mut statement = self
            .connection
            .prepare_cached("SELECT EXISTS (SELECT 1 FROM deletion WHERE user = ?1 AND conversation = ?2)")?;
        Ok(statement.query_row((self.reader.0, self.conversation.0), |row| row.get(0))?)
    }
}
