//! What the server is told to be stored on this device: cursors of groups, after some messages or some seconds, because
//! one acknowledgement of each of many members for each message would cost more than the messages. At once where the
//! application says so, and before a logout.

use hongyan_wire::command::Operation;
use hongyan_wire::{Millis, limits, proto};

use super::Core;
use crate::core::requests::Pending;

/// Entries of all groups together after which cursors are told (PROTOCOL.md §21).
const ACK_EVERY: u32 = 20;
/// The latest time for fewer.
const ACK_AFTER: Millis = Millis::seconds(5);

#[derive(Default)]
pub(super) struct Acks {
    entries: u32,
    at: Option<Millis>,
}

impl Acks {
    pub(super) fn deadline(&self) -> Option<Millis> {
        self.at
    }
}

impl Core {
    /// An entry was handed out.
    pub(super) fn note_group_entry(&mut self, now: Millis) {
        let acks = &mut self.groups.acks;
        acks.entries += 1;
        acks.at = acks.at.or(Some(now + ACK_AFTER));
    }

    /// A session is open: tells what it could not tell before.
    pub(super) fn resume_group_acks(&mut self, now: Millis) {
        if self.groups.known.values().any(|known| known.row.cursor > known.told_seq) {
            self.groups.acks.at = Some(now + ACK_AFTER);
        }
    }

    pub(super) fn pump_group_acks(&mut self, now: Millis) {
        let acks = &self.groups.acks;
        if acks.entries >= ACK_EVERY || acks.at.is_some_and(|at| at <= now) {
            self.acknowledge_groups_now(now);
        }
    }

    /// Tells all cursors that have moved.
    pub(in crate::core) fn acknowledge_groups_now(&mut self, now: Millis) {
        if !self.link.state.is_live() {
            return;
        }
        self.groups.acks.entries = 0;
        self.groups.acks.at = None;
        let mut cursors = Vec::new();
        for (group, known) in &mut self.groups.known {
            if known.row.cursor > known.told_seq {
                known.told_seq = known.row.cursor;
                cursors.push((group.clone(), known.row.cursor));
            }
        }
        for cursors in cursors.chunks(limits::LIST_ITEMS_MAX) {
            let id = self.link.next_id();
            self.pending.insert(id, Pending::GroupAck(cursors.to_vec()));
            let cursor = |(group, seq): &(String, u64)| proto::GroupCursor { group: group.clone(), seq: *seq };
            let request = proto::GroupAckRequest { id, cursors: cursors.iter().map(cursor).collect() };
            self.write(now, Operation::GroupAck, &request);
        }
    }

    pub(in crate::core) fn group_ack_answered(
        &mut self,
        now: Millis,
        cursors: Vec<(String, u64)>,
        refusal: Option<&proto::Refusal>,
    ) {
        let again = refusal.is_some_and(|refusal| refusal.retryable);
        for (group, seq) in cursors {
            let Some(known) = self.groups.known.get_mut(&group) else { continue };
            if again {
                known.told_seq = known.row.acked_seq;
            } else {
                // Acknowledged, or of no use for good.
                known.row.acked_seq = known.row.acked_seq.max(seq);
            }
        }
        if again {
            self.groups.acks.at = Some(now + ACK_AFTER);
        }
    }
}
