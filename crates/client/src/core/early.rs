//! Rows that are known as of a change whose entry has not come yet: a page tells rows as they are, a push as they were.

use std::collections::BTreeMap;

use hongyan_wire::proto;

/// Rows remembered; more than a server says at once.
const ROWS_MAX: usize = 1024;

/// The newest known state of such rows, by seq.
#[derive(Default)]
pub(super) struct Early(BTreeMap<u64, u64>);

impl Early {
    /// A row of the log as it is told; false if a newer state of it is known.
    pub(super) fn note(&mut self, row: &proto::Entry) -> bool {
        let known = self.0.get(&row.seq).copied().unwrap_or(0);
        if row.changed_seq > known {
            self.0.insert(row.seq, row.changed_seq);
            if self.0.len() > ROWS_MAX {
                self.0.pop_first();
            }
        }
        row.changed_seq >= known
    }

    /// The entry of a change has come: nothing older than its row comes any more.
    pub(super) fn announced(&mut self, seq: u64) {
        self.0.retain(|_, changed_seq| *changed_seq > seq);
    }

    /// After a restored backup the same numbers may mean other changes.
    pub(super) fn clear(&mut self) {
        self.0.clear();
    }
}
