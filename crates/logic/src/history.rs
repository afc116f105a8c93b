//! HISTORY: a page of one conversation, from any device (spec 54).

use hongyan_cluster::service::Reply;
use hongyan_domain::id::UserId;
use hongyan_domain::refusal::Refusal;
use hongyan_domain::session::Caller;
use hongyan_store::timeline::HistoryQuery;
use hongyan_wire::{limits, proto};
use prost::Message;

use crate::answer::{plain, unavailable};
use crate::entry::entry_for;
use crate::page::{LIST_ITEM_BYTES, PAGE_ENTRY_BYTES_MAX};
use crate::service::{Logic, STORED_MAX};

impl Logic {
    pub(crate) async fn history(&self, caller: &Caller, request: proto::HistoryRequest) -> Result<Reply, Refusal> {
        if !request.room.is_empty() {
            return self.room_history(caller, request).await;
        }
        if !request.group.is_empty() {
            return self.group_history(caller, request).await;
        }
        let query = query(&request)?;
        let reader = self.reader(caller, &request.as_visitor).await?;
        let (other, _) = self.directory.other(caller.app, &request.user).await?;
        let conversation = self.directs.conversation(caller.app, reader, other.id).await?;
        let page = self.store.history(conversation, reader, query).await.map_err(unavailable)?;
        let ends = Ends { covered: page.covered, head_seq: page.head_seq, low_seq: page.low_seq };
        let rows = page.entries.iter().map(|row| entry_for(reader, row, None));
        let answer = answer(&request, ends, rows);
        Ok(plain(&proto::HistoryAnswer { id: request.id, ..answer }))
    }

    /// As whom the caller reads: as themselves, or as a visitor who turned out to be them.
    async fn reader(&self, caller: &Caller, as_visitor: &str) -> Result<UserId, Refusal> {
        if as_visitor.is_empty() {
            return Ok(caller.user);
        }
        let (visitor, _) = self.directory.other(caller.app, as_visitor).await?;
        let known = self.store.visitor(visitor.id).await.map_err(unavailable)?;
        let account = known.and_then(|visitor| visitor.account);
        if account == Some(caller.user) { Ok(visitor.id) } else { Err(Refusal::NotFound) }
    }
}

/// What a request asks for. Both ends of a range make sense only for the changes inside it.
pub(crate) fn query(request: &proto::HistoryRequest) -> Result<HistoryQuery, Refusal> {
    let given = |seq: u64| (seq != 0).then(|| seq.min(STORED_MAX));
    let changed_after = given(request.as_of);
    let (before_seq, after_seq) = (given(request.before_seq), given(request.after_seq));
    if before_seq.is_some() && after_seq.is_some() && changed_after.is_none() {
        return Err(Refusal::InvalidArgument("after_seq"));
    }
    Ok(HistoryQuery {
        before_seq,
        after_seq,
        changed_after,
        limit: request.limit.clamp(1, limits::HISTORY_ENTRIES_MAX),
        bytes_max: PAGE_ENTRY_BYTES_MAX,
    })
}

/// What a page is cut out of.
#[derive(Clone, Copy)]
pub(crate) struct Ends {
    /// What the page covers before it is cut.
    pub covered: Option<(u64, u64)>,
    /// Newest entry.
    pub head_seq: u64,
    /// Lowest entry that the reader may see.
    pub low_seq: u64,
}

/// Keeps, from the end where the page begins, what fits into one answer; what is cut off is not covered.
pub(crate) fn answer(
    request: &proto::HistoryRequest,
    ends: Ends,
    rows: impl DoubleEndedIterator<Item = proto::Entry>,
) -> proto::HistoryAnswer {
    let upwards = request.after_seq != 0;
    let changes_only = request.as_of != 0;
    let above = if upwards && changes_only && request.before_seq != 0 { request.before_seq } else { u64::MAX };
    let mut covered = ends.covered.filter(|_| !changes_only);
    let mut entries: Vec<proto::Entry> = Vec::new();
    let mut bytes = 0;
    let mut rows = rows.filter(|row| row.seq < above);
    while let Some(entry) = if upwards { rows.next() } else { rows.next_back() } {
        bytes += entry.encoded_len() + LIST_ITEM_BYTES;
        if bytes > PAGE_ENTRY_BYTES_MAX {
            covered = covered.and_then(|(from, to)| clip(from, to, entry.seq, upwards));
            break;
        }
        entries.push(entry);
    }
    if !upwards {
        entries.reverse();
    }
    let (covered_from, covered_to) = covered.unwrap_or_default();
    proto::HistoryAnswer {
        entries,
        covered_from,
        covered_to,
        as_of: ends.head_seq,
        low_seq: ends.low_seq,
        ..proto::HistoryAnswer::default()
    }
}

/// A covered range without the row `cut` and what lies behind it.
fn clip(from: u64, to: u64, cut: u64, upwards: bool) -> Option<(u64, u64)> {
    let (from, to) = if upwards { (from, to.min(cut - 1)) } else { (from.max(cut + 1), to) };
    (from <= to).then_some((from, to))
}

#[cfg(test)]
mod tests {
    use hongyan_domain::id::{ClientId, UserId};
    use hongyan_domain::message::{Draft, Entry};
    use hongyan_domain::time::UnixMillis;

    use super::*;

    const ENDS: Ends = Ends { covered: Some((1, 99)), head_seq: 99, low_seq: 1 };

    /// Rows 10, 20 … 60 of 16 KiB, of a range that was covered from 1 to 99.
    fn rows() -> impl DoubleEndedIterator<Item = proto::Entry> {
        let row = |seq| Entry {
            seq,
            sender: UserId(2),
            client_id: ClientId([0; 16]),
            time: UnixMillis(1),
            message_count: seq,
            seen_seq: 0,
            changed_seq: 0,
            edited: false,
            recalled: false,
            reactions: Vec::new(),
            change_of: 0,
            event: None,
            draft: Draft { body: vec![0; 16_384].into(), ..Draft::default() },
        };
        (1..=6).map(move |n| entry_for(UserId(1), &row(n * 10), None))
    }

    #[test]
    fn what_does_not_fit_is_not_covered() {
        let shown = |before_seq, after_seq, as_of| {
            let request = proto::HistoryRequest { before_seq, after_seq, as_of, ..Default::default() };
            let answer = answer(&request, ENDS, rows());
            assert!(answer.encoded_len() <= limits::PAGE_BYTES_MAX);
            let seqs: Vec<_> = answer.entries.iter().map(|entry| entry.seq).collect();
            (seqs, answer.covered_from, answer.covered_to)
        };
        assert_eq!(shown(0, 0, 0), (vec![40, 50, 60], 31, 99));
        assert_eq!(shown(100, 0, 0), (vec![40, 50, 60], 31, 99));
        assert_eq!(shown(0, 1, 0), (vec![10, 20, 30], 1, 39));
        assert_eq!(shown(0, 1, 7), (vec![10, 20, 30], 0, 0), "changes cover nothing");
        assert_eq!(shown(30, 1, 7), (vec![10, 20], 0, 0));
    }

    #[test]
    fn a_cut_may_leave_nothing() {
        assert_eq!(clip(1, 9, 1, true), None);
        assert_eq!(clip(1, 9, 9, false), None);
        assert_eq!(clip(1, 9, 5, true), Some((1, 4)));
        assert_eq!(clip(1, 9, 5, false), Some((6, 9)));
    }
}
