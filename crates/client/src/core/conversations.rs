//! The conversation list: heads, unread, read marks, receipts. Marks and receipts never go down (spec 53).
//!
//! Unread is what the server said, carried on: entries of the inbox that the server has counted already are not
//! counted again, and the server's word in a read mark's entry is exact at that place of the inbox. Where a mark leaves
//! a rest that neither this device can count nor an entry tells, the server is asked.

use std::collections::{BTreeMap, VecDeque};

use hongyan_fault::mutant;
use hongyan_wire::command::Operation;
use hongyan_wire::{Millis, limits, proto};

use super::config::Keep;
use super::early::Early;
use super::event::{Event, Message};
use super::peer::Peer;
use super::requests::{Hidden, Pending, is_hidden};
use super::rows::{ConversationRow, Row};
use super::{Core, ranges};

/// Unread messages remembered one by one; a mark below them waits for the server's count.
const RECENT_UNREAD_MAX: usize = 1024;
/// A page of the list that was not answered, or refused for now, is asked for again after so long.
const LIST_AFTER: Millis = Millis::seconds(10);
/// Conversations asked about at once.
const RECEIPTS_MAX: usize = 100;

/// What the server has counted.
struct Count {
    /// Everything in the inbox up to here, of which the newest message is `head_seq`.
    inbox_seq: u64,
    head_seq: u64,
    /// The mark that it was counted from.
    read_seq: u64,
    unread: u64,
}

#[derive(Default)]
struct Known {
    row: ConversationRow,
    /// All unread seqs above `recent_from`, ascending.
    recent_unread: VecDeque<u64>,
    recent_from: u64,
    early: Early,
    dirty: bool,
}

impl Known {
    fn new(row: ConversationRow) -> Self {
        let recent_from = row.conversation.head_seq;
        Self { row, recent_from, ..Default::default() }
    }

    fn note_message(&mut self, inbox_seq: u64, entry: &proto::Entry, keep: Keep) {
        let countable = !entry.own && !entry.uncounted;
        let fresh = inbox_seq > self.row.counted_inbox_seq || mutant!("counted twice");
        if countable && fresh && entry.seq > self.row.conversation.read_seq {
            self.row.conversation.unread = self.row.conversation.unread.saturating_add(1);
            self.recent_unread.push_back(entry.seq);
            if self.recent_unread.len() > RECENT_UNREAD_MAX {
                self.recent_from = self.recent_unread.pop_front().unwrap_or(self.recent_from);
            }
        }
        if entry.own {
            self.row.own_seq = self.row.own_seq.max(entry.seq);
        }
        self.note_seq(inbox_seq, entry.seq, keep);
        self.early.note(entry);
        let conversation = &mut self.row.conversation;
        if keep == Keep::Messages && conversation.last.as_ref().is_none_or(|last| last.seq <= entry.seq) {
            conversation.last = Some(entry.clone());
        }
    }

    /// A place of the log is known now, whatever it holds.
    fn note_seq(&mut self, inbox_seq: u64, seq: u64, keep: Keep) {
        let conversation = &mut self.row.conversation;
        conversation.activity = conversation.activity.max(inbox_seq);
        conversation.head_seq = conversation.head_seq.max(seq);
        if keep == Keep::Messages {
            ranges::insert(&mut self.row.covered, seq, seq);
        }
    }

    /// Moves the read mark; false if it was there or further already.
    fn mark(&mut self, seq: u64) -> bool {
        let conversation = &mut self.row.conversation;
        if seq <= conversation.read_seq {
            return false;
        }
        conversation.read_seq = seq;
        self.recent_unread.retain(|unread| *unread > seq);
        if seq >= conversation.head_seq {
            conversation.unread = 0;
        } else if seq >= self.recent_from {
            conversation.unread = self.recent_unread.len() as u64;
        }
        true
    }

    /// What lies above the mark is known one by one, or is nothing.
    fn counts_itself(&self) -> bool {
        let conversation = &self.row.conversation;
        conversation.unread == 0 || conversation.read_seq >= self.recent_from
    }

    /// Goes on from what the server has counted, unless it is older than what is known.
    fn believe(&mut self, told: &Count) {
        let conversation = &mut self.row.conversation;
        if told.inbox_seq >= conversation.activity {
            let marked_here = conversation.read_seq >= told.head_seq;
            conversation.unread = if marked_here { 0 } else { told.unread };
            self.row.counted_inbox_seq = self.row.counted_inbox_seq.max(told.inbox_seq);
            self.recent_unread.clear();
            self.recent_from = told.head_seq;
        } else if self.row.counted_inbox_seq < told.inbox_seq
            && self.recent_from <= told.head_seq
            && conversation.read_seq <= told.read_seq
        {
            // Pushes have overtaken the count: they are known one by one, what lies below them only the server knows.
            self.recent_unread.retain(|unread| *unread > told.head_seq);
            self.recent_from = told.head_seq;
            conversation.unread = told.unread.saturating_add(self.recent_unread.len() as u64);
            self.row.counted_inbox_seq = told.inbox_seq;
        }
        conversation.head_seq = conversation.head_seq.max(told.head_seq);
        conversation.read_seq = conversation.read_seq.max(told.read_seq);
    }

    fn raise_receipt(&mut self, delivered_seq: u64, read_seq: u64) -> bool {
        let conversation = &mut self.row.conversation;
        let before = (conversation.peer_delivered_seq, conversation.peer_read_seq);
        if mutant!("receipt goes down") {
            (conversation.peer_delivered_seq, conversation.peer_read_seq) = (0, 0);
        }
        conversation.peer_read_seq = conversation.peer_read_seq.max(read_seq);
        // What was read was delivered.
        conversation.peer_delivered_seq = conversation.peer_delivered_seq.max(delivered_seq).max(read_seq);
        before != (conversation.peer_delivered_seq, conversation.peer_read_seq)
    }

    fn forget_counts(&mut self) {
        self.row.conversation.activity = 0;
        self.row.counted_inbox_seq = 0;
        self.recent_unread.clear();
        self.recent_from = 0;
        self.early.clear();
    }

    /// Takes over what the server's list says.
    fn merge(&mut self, told: proto::Conversation, keep: Keep) {
        if let Some(last) = &told.last
            && last.own
        {
            self.row.own_seq = self.row.own_seq.max(last.seq);
        }
        let proto::Conversation { activity, head_seq, read_seq, unread, .. } = told;
        self.believe(&Count { inbox_seq: activity, head_seq, read_seq, unread });
        let is_news = self.is_news(&told);
        let conversation = &mut self.row.conversation;
        conversation.activity = conversation.activity.max(told.activity);
        conversation.low_seq = conversation.low_seq.max(told.low_seq);
        conversation.blocked = told.blocked;
        if keep == Keep::Messages && is_news {
            conversation.last = told.last;
        }
    }

    /// Whether the list's last message, or that there is none, is newer than what is known.
    fn is_news(&self, told: &proto::Conversation) -> bool {
        let known = &self.row.conversation;
        match (&told.last, &known.last) {
            (Some(told), Some(known)) if told.seq == known.seq => told.changed_seq >= known.changed_seq,
            _ if told.activity >= known.activity => true,
            (Some(told), Some(known)) => told.seq > known.seq,
            (told, _) => told.is_some(),
        }
    }
}

pub(super) struct Conversations {
    known: BTreeMap<String, Known>,
    /// Names of the rows that changed in this burst.
    dirty: Vec<String>,
    /// The list is to be read below this activity (0 = from the top).
    wanted: Option<u64>,
    asked: bool,
    /// When an unanswered page is asked for again.
    again_at: Option<Millis>,
    /// The last name of the last question about lost receipts.
    receipts_asked: String,
}

impl Conversations {
    pub(super) fn restore(rows: Vec<ConversationRow>, wanted: Option<u64>) -> Self {
        let known = rows.into_iter().map(|row| (row.conversation.user.clone(), Known::new(row))).collect();
        Self { known, dirty: Vec::new(), wanted, asked: false, again_at: None, receipts_asked: String::new() }
    }

    pub(super) fn rows(&self) -> impl Iterator<Item = &ConversationRow> {
        self.known.values().map(|known| &known.row)
    }

    pub(super) fn row(&self, user: &str) -> Option<&ConversationRow> {
        self.known.get(user).map(|known| &known.row)
    }

    pub(super) fn link_lost(&mut self) {
        self.asked = false;
        self.again_at = None;
    }

    pub(super) fn deadline(&self) -> Option<Millis> {
        self.again_at
    }

    pub(super) fn list_is_complete(&self) -> bool {
        self.wanted.is_none()
    }

    /// The conversation with this person, about to change.
    fn change(&mut self, user: &str) -> &mut Known {
        if !self.known.contains_key(user) {
            let conversation = proto::Conversation { user: user.to_owned(), ..Default::default() };
            let row = ConversationRow { conversation, ..Default::default() };
            self.known.insert(user.to_owned(), Known::new(row));
        }
        let known = self.known.get_mut(user).expect("it was inserted if it was missing");
        if !known.dirty {
            known.dirty = true;
            self.dirty.push(user.to_owned());
        }
        known
    }
}

/// Whether a deletion hides the row of this seq.
pub(super) fn hides(deletion: &proto::Deletion, seq: u64) -> bool {
    seq <= deletion.up_to_seq || deletion.seqs.contains(&seq)
}

/// Takes what was deleted out of a page of the list.
pub(super) fn hide_last(conversations: &mut [proto::Conversation], hidden: &[Hidden]) {
    for told in conversations.iter_mut().filter(|told| told.as_visitor.is_empty()) {
        told.last = told.last.take().filter(|last| !is_hidden(hidden, &(&told.user).into(), last.seq));
    }
}

impl Core {
    pub(super) fn note_message(&mut self, user: &str, inbox_seq: u64, entry: &proto::Entry) {
        if entry.own {
            self.marked_with(user, entry.seen_seq);
        }
        self.conversations.change(user).note_message(inbox_seq, entry, self.config.keep);
    }

    /// The mark moved with something that does not tell what remains.
    fn marked_with(&mut self, user: &str, seq: u64) {
        let known = self.conversations.change(user);
        if !known.mark(seq) {
            return;
        }
        let ask = !known.counts_itself();
        self.tell_mark(user);
        if ask {
            self.queue_read(&user.into(), seq);
        }
    }

    /// The answer to a mark. Its count is needed only where this device has none; a mark that was moved further on this
    /// device since waits for an answer of its own.
    pub(super) fn unread_told(&mut self, user: &str, answer: &proto::MarkReadAnswer) {
        let proto::MarkReadAnswer { read_seq, unread, head_seq, inbox_head, .. } = *answer;
        let waits = |known: &Known| !known.counts_itself() && known.row.conversation.read_seq <= read_seq;
        if self.conversations.known.get(user).is_some_and(waits) {
            self.conversations.change(user).believe(&Count { inbox_seq: inbox_head, head_seq, read_seq, unread });
            self.tell_mark(user);
        }
    }

    fn tell_mark(&mut self, user: &str) {
        if let Some(row) = self.conversations.row(user) {
            let (seq, unread) = (row.conversation.read_seq, row.conversation.unread);
            self.tell(Event::ReadMark { peer: user.into(), seq, unread });
        }
    }

    /// Another row of the log changed; the entry that says so takes a place of its own.
    pub(super) fn apply_change(&mut self, inbox_seq: u64, user: String, seq: u64, change: proto::Change) {
        let keep = self.config.keep;
        let list_is_wanted = self.conversations.wanted.is_some();
        let known = self.conversations.change(&user);
        known.note_seq(inbox_seq, seq, keep);
        let Some(target) = change.target else { return };
        let target = *target;
        let is_news = known.early.note(&target);
        known.early.announced(seq);
        if !is_news {
            return;
        }
        // A page of the list that is under way may have been read before, and must not be the first to tell of this row.
        let last = &mut known.row.conversation.last;
        let is_last = last.as_ref().map_or(list_is_wanted, |last| target.seq >= last.seq);
        if keep == Keep::Messages && is_last {
            *last = Some(target.clone());
        }
        if keep == Keep::Messages {
            self.rows.push(Row::Message { peer: (&user).into(), entry: target.clone() });
        }
        self.tell(Event::MessageChanged(Message { peer: user.into(), entry: target }));
    }

    pub(super) fn apply_read(&mut self, inbox_seq: u64, user: String, mark: &proto::ReadMark) {
        let known = self.conversations.change(&user);
        known.mark(mark.seq);
        let counted = inbox_seq <= known.row.counted_inbox_seq;
        let conversation = &mut known.row.conversation;
        conversation.activity = conversation.activity.max(inbox_seq);
        // A mark that was moved further on this device since has a smaller rest.
        if mark.seq >= conversation.read_seq && !counted {
            conversation.unread = mark.unread;
        }
        self.confirm_read(&(&user).into(), mark.seq);
        self.tell_mark(&user);
    }

    pub(super) fn apply_deletion(&mut self, inbox_seq: u64, user: String, deletion: proto::Deletion) {
        let known = self.conversations.change(&user);
        let conversation = &mut known.row.conversation;
        conversation.activity = conversation.activity.max(inbox_seq);
        if deletion.up_to_seq > 0 {
            conversation.low_seq = conversation.low_seq.max(deletion.up_to_seq.saturating_add(1));
        }
        if conversation.last.as_ref().is_some_and(|last| hides(&deletion, last.seq)) {
            conversation.last = None;
        }
        let peer = Peer::Person(user);
        self.hide_from_pages(&peer, &deletion);
        self.keep(|| Row::Deleted { peer: peer.clone(), deletion: deletion.clone() });
        self.tell(Event::Deleted { peer, deletion });
    }

    pub(super) fn apply_gone(&mut self, inbox_seq: u64, user: String, gone: &proto::Gone) {
        self.marked_with(&user, gone.read_seq);
        self.conversations.change(&user).note_seq(inbox_seq, gone.seq, self.config.keep);
        self.tell(Event::MessageGone { peer: user.into(), seq: gone.seq });
    }

    pub(super) fn set_blocked(&mut self, user: &str, blocked: bool) {
        self.conversations.change(user).row.conversation.blocked = blocked;
    }

    /// The user has read up to here on this device.
    pub(super) fn mark_here(&mut self, user: &str, seq: u64) -> bool {
        let moved = self.conversations.change(user).mark(seq);
        if moved {
            self.tell_mark(user);
        }
        moved
    }

    pub(super) fn note_receipts(&mut self, receipts: Vec<proto::Receipt>) {
        for receipt in receipts {
            let known = self.conversations.change(&receipt.user);
            if known.raise_receipt(receipt.delivered_seq, receipt.read_seq) {
                let conversation = &known.row.conversation;
                let (delivered_seq, read_seq) = (conversation.peer_delivered_seq, conversation.peer_read_seq);
                self.tell(Event::Receipt { user: receipt.user, delivered_seq, read_seq });
            }
        }
    }

    /// After connecting: what was delivered may have been read meanwhile, too. The newest conversations are asked about.
    pub(super) fn ask_missed_receipts(&mut self, now: Millis) {
        let unread = |row: &&ConversationRow| row.own_seq > row.conversation.peer_read_seq;
        let mut rows: Vec<_> = self.conversations.rows().filter(unread).collect();
        rows.sort_by_key(|row| std::cmp::Reverse(row.conversation.activity));
        let users = rows.into_iter().take(RECEIPTS_MAX).map(|row| row.conversation.user.clone()).collect();
        self.request_receipts(now, users);
    }

    /// Now and then: RECEIPT.N may have been lost for messages that are shown as not delivered. Those who never come
    /// must not keep the others from being asked about, so each time it goes on where the last time ended.
    pub(super) fn ask_lost_receipts(&mut self, now: Millis) {
        let last = std::mem::take(&mut self.conversations.receipts_asked);
        let (up_to_last, beyond): (Vec<_>, Vec<_>) = self
            .conversations
            .rows()
            .filter(|row| row.own_seq > row.conversation.peer_delivered_seq)
            .map(|row| row.conversation.user.clone())
            .partition(|user| *user <= last);
        let users: Vec<_> = beyond.into_iter().chain(up_to_last).take(RECEIPTS_MAX).collect();
        self.conversations.receipts_asked = users.last().cloned().unwrap_or_default();
        self.request_receipts(now, users);
    }

    fn request_receipts(&mut self, now: Millis, users: Vec<String>) {
        if self.link.state.is_live() && !users.is_empty() {
            let id = self.link.next_id();
            self.pending.insert(id, Pending::Receipts);
            self.write(now, Operation::Receipts, &proto::ReceiptsRequest { id, users });
        }
    }

    /// The list has to be read from its top.
    pub(super) fn want_list(&mut self) {
        if self.config.keep == Keep::Messages {
            self.conversations.wanted = Some(0);
            self.conversations.asked = false;
            self.rows.push(Row::ListWanted(Some(0)));
        }
    }

    pub(super) fn pump_list(&mut self, now: Millis) {
        let Some(before) = self.conversations.wanted else { return };
        if self.conversations.asked || !self.link.state.is_live() {
            return;
        }
        self.conversations.asked = true;
        self.conversations.again_at = Some(now + LIST_AFTER + Millis(self.jitter.up_to(LIST_AFTER.0 / 4)));
        let id = self.link.next_id();
        self.pending.insert(id, Pending::List(Vec::new()));
        let request = proto::ConversationsRequest { id, before, limit: limits::HISTORY_ENTRIES_MAX };
        self.write(now, Operation::Conversations, &request);
    }

    pub(super) fn list_timeout(&mut self, now: Millis) {
        if self.conversations.again_at.is_some_and(|at| at <= now) {
            self.conversations.again_at = None;
            self.conversations.asked = false;
        }
    }

    /// A page of the list that this core asked for. The timer repeats it after a refusal, unless that was for good: then
    /// it is asked for again on the next connection. `hidden` = what was deleted since it was asked for.
    pub(super) fn list_answered(&mut self, mut answer: proto::ConversationsAnswer, hidden: &[Hidden]) {
        if let Some(refusal) = answer.refusal {
            if !refusal.retryable {
                self.conversations.again_at = None;
            }
            return;
        }
        self.conversations.again_at = None;
        let below = answer.conversations.last().map(|conversation| conversation.activity);
        hide_last(&mut answer.conversations, hidden);
        self.merge_list(answer.conversations);
        self.conversations.wanted = below.filter(|_| answer.more);
        self.conversations.asked = false;
        let wanted = self.conversations.wanted;
        self.keep(|| Row::ListWanted(wanted));
    }

    pub(super) fn merge_list(&mut self, conversations: Vec<proto::Conversation>) {
        // What the user said as a visitor has the same other person, and must not be taken for their own conversation.
        for told in conversations.into_iter().filter(|told| told.as_visitor.is_empty()) {
            let receipt = proto::Receipt {
                user: told.user.clone(),
                delivered_seq: told.peer_delivered_seq,
                read_seq: told.peer_read_seq,
            };
            self.conversations.change(&told.user).merge(told, self.config.keep);
            self.note_receipts(vec![receipt]);
        }
    }

    /// What was kept may have changed unseen: histories are asked for anew.
    pub(super) fn forget_covered(&mut self) {
        let names: Vec<_> = self.conversations.known.keys().cloned().collect();
        for name in names {
            self.conversations.change(&name).row.covered.clear();
        }
    }

    /// The log of another life of the server: what was counted may never have happened, and the list must be believed.
    pub(super) fn forget_counts(&mut self) {
        self.conversations.known.values_mut().for_each(Known::forget_counts);
    }

    /// A page of a conversation's log that the application asked for. What it covers and does not have does not exist
    /// (PROTOCOL.md §9): after a RESET, what was deleted meanwhile is learned in no other way. Nothing that was pushed
    /// since is lost by it: a page covers the log up to the head that it was read at, and what came later has higher seqs.
    pub(super) fn keep_history(&mut self, user: &str, answer: &proto::HistoryAnswer) {
        if self.config.keep != Keep::Messages {
            return;
        }
        let known = self.conversations.change(user);
        for entry in &answer.entries {
            known.early.note(entry);
        }
        let row = &mut known.row;
        row.conversation.low_seq = row.conversation.low_seq.max(answer.low_seq);
        ranges::insert(&mut row.covered, answer.covered_from, answer.covered_to);
        let messages = answer.entries.iter().filter(|entry| entry.change.is_none());
        let seqs = messages.clone().map(|entry| entry.seq);
        let gaps = ranges::gaps(answer.covered_from, answer.covered_to, seqs);
        self.rows.extend(gaps.into_iter().map(|range| Row::Absent { peer: user.into(), range }));
        self.rows.extend(messages.map(|entry| Row::Message { peer: user.into(), entry: entry.clone() }));
    }

    /// At the end of a burst: the rows and events of what changed.
    pub(super) fn finish_conversations(&mut self) {
        for user in std::mem::take(&mut self.conversations.dirty) {
            let Some(known) = self.conversations.known.get_mut(&user) else { continue };
            known.dirty = false;
            if self.config.keep == Keep::Messages {
                self.rows.push(Row::Conversation(Box::new(known.row.clone())));
                self.events.push_back(Event::Conversation(known.row.conversation.clone()));
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_list_that_a_push_has_overtaken_still_counts_what_lies_below_the_push() {
        let mut known = Known::new(ConversationRow::default());
        known.note_message(101, &proto::Entry { seq: 6, ..Default::default() }, Keep::Messages);
        let told = proto::Conversation { activity: 100, head_seq: 5, unread: 5, ..Default::default() };
        known.merge(told.clone(), Keep::Messages);
        assert_eq!(known.row.conversation.unread, 6);
        known.merge(told, Keep::Messages);
        assert_eq!(known.row.conversation.unread, 6, "told twice, counted once");
        assert!(known.mark(5));
        assert_eq!(known.row.conversation.unread, 1);
    }

    #[test]
    fn the_list_of_a_restored_server_is_believed_although_this_device_had_seen_more() {
        let mut known = Known::new(ConversationRow::default());
        for seq in 1..=9 {
            known.note_message(500 + seq, &proto::Entry { seq, ..Default::default() }, Keep::Messages);
        }
        known.forget_counts();
        known.note_message(1_001, &proto::Entry { seq: 1_001, ..Default::default() }, Keep::Messages);
        let told = proto::Conversation { activity: 503, head_seq: 3, unread: 3, ..Default::default() };
        known.merge(told, Keep::Messages);
        assert_eq!(known.row.conversation.unread, 4, "three that were restored, one since");
    }
}
