//! The rows that were written to one connection and that its client has not acknowledged yet: when it does, their authors
//! may be told.

use hongyan_cluster::bus::Reference;
use hongyan_domain::{ConversationId, UserId};
use smallvec::SmallVec;

/// Rows that are remembered one by one; above it, of each author in each conversation only the newest.
const REFERENCES_MAX: usize = 1_000;

/// Rows on their way to be acknowledged, in no order. Without capacity while there are none.
#[derive(Default)]
pub struct Unacknowledged(Vec<Reference>);

impl Unacknowledged {
    /// Rows were written; those at or below the client's cursor are known to have arrived.
    pub fn add(&mut self, references: impl IntoIterator<Item = Reference>, cursor: u64) {
        self.0.extend(references.into_iter().filter(|reference| reference.inbox_seq > cursor));
        if self.0.len() > REFERENCES_MAX {
            self.merge();
        }
    }

    /// Keeps the newest row of each author: receipts come later then, but memory stays bounded.
    fn merge(&mut self) {
        self.0.sort_by_key(|reference| (told_of(reference), std::cmp::Reverse(reference.seq)));
        self.0.dedup_by_key(|reference| told_of(reference));
        self.0.truncate(REFERENCES_MAX);
    }

    /// The client has everything up to a cursor: takes out what that covers, the newest row of each author.
    pub fn take(&mut self, cursor: u64) -> SmallVec<[Reference; 4]> {
        let mut reached: SmallVec<[Reference; 4]> = SmallVec::new();
        self.0.retain(|reference| {
            if reference.inbox_seq > cursor {
                return true;
            }
            match reached.iter_mut().find(|known| told_of(known) == told_of(reference)) {
                Some(known) if known.seq >= reference.seq => {}
                Some(known) => *known = *reference,
                None => reached.push(*reference),
            }
            false
        });
        if self.0.is_empty() {
            self.0 = Vec::new();
        }
        reached
    }
}

/// Who is told when the row arrives, and where: a user's own rows, from another device, hide nobody else's.
fn told_of(reference: &Reference) -> (ConversationId, UserId) {
    (reference.conversation, reference.author)
}

#[cfg(test)]
mod tests {
    use hongyan_domain::ClientId;

    use super::*;

    fn row(inbox_seq: u64, conversation: i64) -> Reference {
        let trace = ClientId([0; 16]);
        Reference { inbox_seq, conversation: ConversationId(conversation), seq: inbox_seq, author: UserId(1), trace }
    }

    #[test]
    fn the_newest_row_of_each_conversation_is_told_once() {
        let mut rows = Unacknowledged::default();
        rows.add([row(4, 1), row(2, 2), row(3, 1), row(1, 1)], 1);
        assert_eq!(rows.take(3).as_slice(), [row(2, 2), row(3, 1)]);
        assert!(rows.take(3).is_empty());
        assert_eq!(rows.take(9).as_slice(), [row(4, 1)]);
    }

    #[test]
    fn an_own_row_from_another_device_hides_no_row_of_the_other() {
        let mut rows = Unacknowledged::default();
        let own = Reference { author: UserId(2), ..row(11, 1) };
        rows.add([row(9, 1), row(10, 1), own], 0);
        assert_eq!(rows.take(11).as_slice(), [row(10, 1), own]);
    }

    #[test]
    fn many_rows_are_merged_by_conversation() {
        let mut rows = Unacknowledged::default();
        rows.add((1..=5_000).map(|seq| row(seq, (seq % 2) as i64)), 0);
        assert_eq!(rows.take(5_000).as_slice(), [row(5_000, 0), row(4_999, 1)]);
    }
}
