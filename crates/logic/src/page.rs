//! Pages of the inbox on the wire, for SYNC and RESUME (spec 45). Pure.

use std::collections::BTreeMap;

use hongyan_cluster::bus::Reference;
use hongyan_domain::id::UserId;
use hongyan_domain::name::Name;
use hongyan_domain::refusal::Refusal;
use hongyan_fault::mutant;
use hongyan_store::timeline::{About, InboxEntry, InboxPage, InboxWhat};
use hongyan_wire::{limits, proto};
use prost::Message;

use crate::entry::entry_for;

/// What the other fields of an answer may need, in bytes.
const ANSWER_BYTES_MAX: usize = 64;
/// What a repeated field adds to each of its messages: a tag and a length below 2^21.
pub(crate) const LIST_ITEM_BYTES: usize = 4;
/// Room for entries in one page, in bytes.
pub(crate) const PAGE_ENTRY_BYTES_MAX: usize = limits::PAGE_BYTES_MAX - ANSWER_BYTES_MAX;

/// What a device says about its place in the inbox.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Offer {
    /// Everything up to here is on the device.
    pub cursor: u64,
    /// The epoch of that cursor.
    pub log_epoch: u32,
    /// Entries wanted at most.
    pub limit: u32,
}

/// A page for a device.
#[derive(Debug)]
pub(crate) struct Page {
    /// The answer, without the request's id.
    pub answer: proto::SyncAnswer,
    /// The rows that others wrote.
    pub references: Vec<Reference>,
    /// The device knows everything up to here once it has the page.
    pub written: u64,
}

/// The page that answers an offer. A cursor that means nothing here (another epoch, above the head, below what is kept)
/// gets a reset.
pub(crate) fn page_for(
    reader: UserId,
    offer: Offer,
    page: InboxPage,
    names: &BTreeMap<UserId, Name>,
) -> Result<Page, Refusal> {
    let mut answer =
        proto::SyncAnswer { inbox_head: page.head, log_epoch: page.log_epoch, ..proto::SyncAnswer::default() };
    if offer.log_epoch != page.log_epoch || offer.cursor > page.head || offer.cursor + 1 < page.low {
        answer.reset = true;
        return Ok(Page { answer, references: Vec::new(), written: page.head });
    }
    let mut references = Vec::new();
    let mut written = offer.cursor;
    let mut bytes = 0;
    for row in page.entries.iter().take(offer.limit as usize) {
        if row.inbox_seq != written + 1 {
            tracing::error!(user = reader.0, after = written, found = row.inbox_seq, "an inbox has a gap");
            return Err(Refusal::Internal);
        }
        let entry = inbox_entry(reader, row, names)?;
        bytes += entry.encoded_len() + LIST_ITEM_BYTES;
        if bytes > PAGE_ENTRY_BYTES_MAX {
            break;
        }
        written = row.inbox_seq;
        references.extend(reference(reader, row));
        answer.entries.push(entry);
    }
    let cut_off = answer.entries.len() < page.entries.len();
    answer.more = if mutant!("end of the page is the end") { cut_off } else { written < page.head };
    Ok(Page { answer, references, written })
}

/// Everybody whose name is needed to show a page.
pub(crate) fn users(page: &InboxPage) -> impl Iterator<Item = UserId> {
    page.entries.iter().flat_map(|row| {
        let claimed = match row.what {
            InboxWhat::Claimed { visitor, account } => [Some(visitor), Some(account)],
            _ => [None, None],
        };
        let other = match row.about {
            About::Person(other) => Some(other),
            About::Group(_) => None,
        };
        other.into_iter().chain(claimed.into_iter().flatten())
    })
}

/// The row as its reader acknowledges it; `None` for what is nobody else's.
pub(crate) fn reference(reader: UserId, row: &InboxEntry) -> Option<Reference> {
    match &row.what {
        InboxWhat::Entry(entry, _) if entry.sender != reader => Some(Reference {
            inbox_seq: row.inbox_seq,
            conversation: row.conversation,
            seq: entry.seq,
            author: entry.sender,
            trace: entry.client_id,
        }),
        _ => None,
    }
}

fn inbox_entry(reader: UserId, row: &InboxEntry, names: &BTreeMap<UserId, Name>) -> Result<proto::InboxEntry, Refusal> {
    use proto::inbox_entry::What;
    let named = |user: &UserId| names.get(user).map(Name::to_string).ok_or(Refusal::Internal);
    let what = match &row.what {
        InboxWhat::Entry(entry, target) => {
            let target = target.as_ref().filter(|_| !mutant!("missed change comes empty"));
            What::Entry(entry_for(reader, entry, target))
        }
        InboxWhat::Read { seq, unread } => What::Read(proto::ReadMark { seq: *seq, unread: *unread }),
        InboxWhat::Deleted(deletion) => {
            What::Deleted(proto::Deletion { up_to_seq: deletion.up_to_seq, seqs: deletion.seqs.clone() })
        }
        InboxWhat::Claimed { visitor, account } => {
            What::Claimed(proto::Claimed { visitor: named(visitor)?, account: named(account)? })
        }
        InboxWhat::Membership { member } => What::Membership(proto::Membership { member: *member }),
        InboxWhat::Mentioned { seq } => What::Mentioned(*seq),
        InboxWhat::Gone { seq, read_seq } => What::Gone(proto::Gone { seq: *seq, read_seq: *read_seq }),
    };
    let (user, group) = match &row.about {
        About::Person(other) => (named(other)?, String::new()),
        About::Group(name) => (String::new(), name.to_string()),
    };
    Ok(proto::InboxEntry { inbox_seq: row.inbox_seq, user, group, what: Some(what) })
}

#[cfg(test)]
mod tests {
    use hongyan_domain::id::{ClientId, ConversationId};
    use hongyan_domain::message::{Draft, Entry};
    use hongyan_domain::time::UnixMillis;

    use super::*;

    const READER: UserId = UserId(1);
    const OTHER: UserId = UserId(2);

    fn row(inbox_seq: u64, body_bytes: usize) -> InboxEntry {
        let entry = Entry {
            seq: inbox_seq + 10,
            sender: OTHER,
            client_id: ClientId([0; 16]),
            time: UnixMillis(u64::MAX),
            message_count: inbox_seq,
            seen_seq: 0,
            changed_seq: 0,
            edited: false,
            recalled: false,
            reactions: Vec::new(),
            change_of: 0,
            event: None,
            draft: Draft { body: vec![0; body_bytes].into(), ..Draft::default() },
        };
        let what = InboxWhat::Entry(entry, None);
        InboxEntry { inbox_seq, conversation: ConversationId(5), about: About::Person(OTHER), what }
    }

    fn page(rows: Vec<InboxEntry>, head: u64, low: u64) -> InboxPage {
        InboxPage { entries: rows, head, low, log_epoch: 3 }
    }

    fn names() -> BTreeMap<UserId, Name> {
        [(OTHER, Name::parse(&"n".repeat(64)).unwrap())].into()
    }

    fn offer(cursor: u64) -> Offer {
        Offer { cursor, log_epoch: 3, limit: 200 }
    }

    #[test]
    fn a_page_fits_even_if_a_store_gives_too_much() {
        for body_bytes in [0, 100, 300, 16_384] {
            let rows = (1..=200).map(|inbox_seq| row(inbox_seq, body_bytes)).collect();
            let page = page_for(READER, offer(0), page(rows, 200, 1), &names()).unwrap();
            let bytes = proto::SyncAnswer { id: u32::MAX, ..page.answer.clone() }.encoded_len();
            assert!(bytes <= limits::PAGE_BYTES_MAX, "{bytes}");
            let entries = page.answer.entries.len();
            assert!(entries == 200 || bytes + 16_600 > limits::PAGE_BYTES_MAX, "as full as it can be");
            assert_eq!((page.written, page.references.len()), (entries as u64, entries));
            assert_eq!(page.answer.more, entries < 200);
        }
    }

    #[test]
    fn a_cursor_that_means_nothing_gets_a_reset() {
        let answer = |offer, head, low| page_for(READER, offer, page(Vec::new(), head, low), &names()).unwrap();
        for (offer, head, low, reset) in [
            (offer(0), 0, 1, false),
            (offer(9), 9, 1, false),
            (offer(10), 9, 1, true),
            (offer(4), 9, 5, false),
            (offer(3), 9, 5, true),
            (offer(9), 9, 10, false),
            (offer(8), 9, 10, true),
            (Offer { log_epoch: 2, ..offer(4) }, 9, 1, true),
            (Offer { log_epoch: 0, ..offer(0) }, 0, 1, true),
        ] {
            let page = answer(offer, head, low);
            assert_eq!((page.answer.reset, page.answer.inbox_head), (reset, head), "{offer:?} {head} {low}");
            assert_eq!(page.written, if reset { head } else { offer.cursor });
        }
    }

    #[test]
    fn a_gap_is_our_defect_and_never_shown() {
        let gap = page(vec![row(1, 0), row(3, 0)], 3, 1);
        assert_eq!(page_for(READER, offer(0), gap, &names()).err(), Some(Refusal::Internal));
        let nameless = page(vec![row(1, 0)], 1, 1);
        assert_eq!(page_for(READER, offer(0), nameless, &BTreeMap::new()).err(), Some(Refusal::Internal));
    }
}
