//! Pages of a conversation as one of its two users sees it, with the range that each page covers.

use hongyan_domain::id::{ConversationId, UserId};
use hongyan_store::Result;
use hongyan_store::timeline::{HistoryPage, HistoryQuery};

use super::conversation::Row;
use super::state::{Place, State};

/// Rows that one page looks at, seen by the reader or not.
const SCANNED_MAX: usize = 4_096;

/// A range of seqs, both ends included, and where it is begun.
pub(super) struct Wanted {
    pub(super) from: u64,
    pub(super) to: u64,
    pub(super) backwards: bool,
}

impl Wanted {
    /// What is asked of a log with this head.
    pub(super) fn of(query: &HistoryQuery, head_seq: u64) -> Self {
        match (query.after_seq, query.before_seq) {
            (Some(after), _) => Self { from: after.saturating_add(1), to: head_seq, backwards: false },
            (None, None | Some(0)) => Self { from: 1, to: head_seq, backwards: true },
            (None, Some(before)) => Self { from: 1, to: head_seq.min(before - 1), backwards: true },
        }
    }
}

/// The page that is asked for; empty, with nothing covered, for somebody who is not in the conversation.
pub(super) fn page(state: &State, id: ConversationId, reader: UserId, query: &HistoryQuery) -> Result<HistoryPage> {
    let log = state.conversation(id)?;
    if !log.has(reader) {
        return Ok(HistoryPage::default());
    }
    let untouched = Place::default();
    let mine = state.place(reader, id).unwrap_or(&untouched);
    let page = HistoryPage { head_seq: log.head_seq, low_seq: mine.low_seq(), ..HistoryPage::default() };
    Ok(fill(page, query, |from, to| log.rows(from, to), |seq| mine.shows(seq)))
}

/// Fills a page of a log with what its reader sees of it.
pub(super) fn fill<'s>(
    mut page: HistoryPage,
    query: &HistoryQuery,
    rows: impl Fn(u64, u64) -> &'s [Row],
    sees: impl Fn(u64) -> bool,
) -> HistoryPage {
    let wanted = Wanted::of(query, page.head_seq);
    if wanted.from > wanted.to || query.limit == 0 {
        return page;
    }
    let rows = rows(wanted.from.max(page.low_seq), wanted.to);
    let stopped = collect(rows, sees, query, wanted.backwards, &mut page);
    page.covered = Some(match stopped {
        None => (wanted.from, wanted.to),
        Some(seq) if wanted.backwards => (seq, wanted.to),
        Some(seq) => (wanted.from, seq),
    });
    if wanted.backwards {
        page.entries.reverse();
    }
    page
}

/// Collects rows, nearest first. The seq of the last row looked at, if there may be more.
fn collect(
    mut rows: &[Row],
    sees: impl Fn(u64) -> bool,
    query: &HistoryQuery,
    backwards: bool,
    page: &mut HistoryPage,
) -> Option<u64> {
    let (mut bytes, mut scanned, mut last) = (0, 0, None);
    while let Some(row) = if backwards { rows.split_off_last() } else { rows.split_off_first() } {
        if page.entries.len() >= query.limit as usize || scanned >= SCANNED_MAX {
            return last;
        }
        scanned += 1;
        let unchanged = query.changed_after.is_some_and(|after| row.entry.changed_seq <= after);
        if !unchanged && sees(row.seq()) {
            bytes += Row::size(&row.entry);
            if bytes > query.bytes_max && !page.entries.is_empty() {
                return last;
            }
            page.entries.push((*row.entry).clone());
        }
        last = Some(row.seq());
    }
    None
}
