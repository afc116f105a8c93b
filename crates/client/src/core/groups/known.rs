//! One group as this device knows it: marks and counts, and what its events change. Pure; who asks the server for what
//! cannot be counted here is the business of the files beside this one.
//!
//! Unread is what the server said, carried on: what it has counted is not counted again, and messages above that are known
//! one by one. Log, marks and counts are all numbered by the same log, so nothing has to be compared but seqs.

use std::collections::{BTreeMap, VecDeque};

use hongyan_wire::proto;
use proto::group_event::What;

use super::super::early::Early;
use super::super::ranges;
use super::super::rows::GroupRow;
use super::{is_message, without_hidden};
use crate::core::config::Keep;
use crate::core::conversations::hides;

/// Unread messages remembered one by one; a mark below them waits for the server's count.
const RECENT_UNREAD_MAX: usize = 1024;
/// Pushed entries above a gap that are set aside; more are dropped and come again with a page.
const AHEAD_MAX: usize = 256;

pub(super) struct Known {
    pub(super) row: GroupRow,
    /// All unread seqs above `recent_from`, ascending.
    recent_unread: VecDeque<u64>,
    recent_from: u64,
    pub(super) early: Early,
    ahead: BTreeMap<u64, proto::Entry>,
    /// The last event that changed `row.group`: a list that was read below it is not up to date.
    pub(super) event_seq: u64,
    /// What the server is told, though it may not have heard it yet.
    pub(super) told_seq: u64,
    /// The log has another life since: nothing of it is sure but what the next list says.
    pub(super) uncertain: bool,
}

impl Known {
    pub(super) fn new(row: GroupRow) -> Self {
        let recent_from = row.cursor.max(row.counted_seq);
        let told_seq = row.acked_seq;
        Self {
            row,
            recent_unread: VecDeque::new(),
            recent_from,
            early: Early::default(),
            ahead: BTreeMap::new(),
            event_seq: 0,
            told_seq,
            uncertain: false,
        }
    }

    /// As it was kept. Without a token, the log had another life since, and the list was not read again.
    pub(super) fn restore(row: GroupRow, token: u64) -> Self {
        Self { uncertain: token == 0, ..Self::new(row) }
    }

    pub(super) fn link_lost(&mut self) {
        // What was set aside was not kept, and comes again.
        self.ahead.clear();
        self.told_seq = self.row.acked_seq;
    }

    /// A pushed entry: given back if it is the next one; set aside above a gap; dropped if it is a repeat.
    pub(super) fn pushed(&mut self, entry: proto::Entry) -> Option<proto::Entry> {
        self.note_head(entry.seq);
        if entry.seq > self.row.cursor && entry.seq == self.row.cursor.saturating_add(1) {
            return Some(entry);
        }
        if entry.seq > self.row.cursor && self.ahead.len() < AHEAD_MAX {
            self.ahead.entry(entry.seq).or_insert(entry);
        }
        None
    }

    /// What was set aside and has become next.
    pub(super) fn next_ahead(&mut self) -> Option<proto::Entry> {
        self.ahead.remove(&self.row.cursor.checked_add(1)?)
    }

    pub(super) fn note_head(&mut self, head_seq: u64) {
        self.row.group.head_seq = self.row.group.head_seq.max(head_seq);
    }

    /// The log goes on above what this device has.
    pub(super) fn is_behind(&self) -> bool {
        self.row.cursor < self.row.group.head_seq
    }

    /// Everything up to here was handed out, or does not exist.
    pub(super) fn advance(&mut self, seq: u64, keep: Keep) {
        if keep == Keep::Messages {
            ranges::insert(&mut self.row.covered, self.row.cursor.saturating_add(1), seq);
        }
        self.row.cursor = seq;
        self.note_head(seq);
        if self.ahead.first_key_value().is_some_and(|(first, _)| *first <= seq) {
            self.ahead = self.ahead.split_off(&seq.saturating_add(1));
        }
    }

    /// Everything up to here is left to histories.
    pub(super) fn skip(&mut self, seq: u64) {
        self.row.cursor = seq;
        self.ahead = self.ahead.split_off(&seq.saturating_add(1));
    }

    /// The log has another life: believe nothing of it, nor what is kept of it.
    pub(super) fn forget(&mut self) {
        self.uncertain = true;
        self.row.covered.clear();
        self.early.clear();
        self.ahead.clear();
    }

    /// The next entry of the log, unless it announces a change.
    pub(super) fn note_entry(&mut self, entry: &proto::Entry, user: Option<&str>, keep: Keep) {
        self.early.note(entry);
        if let Some(event) = &entry.event {
            self.event_seq = entry.seq;
            self.apply_event(event, user);
        }
        if !is_message(entry) {
            return;
        }
        let group = &mut self.row.group;
        let countable = !entry.own && !entry.uncounted && entry.seq > group.read_seq;
        if countable && entry.seq > self.row.counted_seq {
            group.unread = group.unread.saturating_add(1);
            self.recent_unread.push_back(entry.seq);
            if self.recent_unread.len() > RECENT_UNREAD_MAX {
                self.recent_from = self.recent_unread.pop_front().unwrap_or(self.recent_from);
            }
        }
        if keep == Keep::Messages && group.last.as_ref().is_none_or(|last| last.seq <= entry.seq) {
            group.last = Some(entry.clone());
        }
    }

    /// A row of the log as it is now; replaces the last message if it is that.
    pub(super) fn note_change(&mut self, target: &proto::Entry, keep: Keep) {
        if keep == Keep::Messages
            && let Some(last) = self.row.group.last.as_mut().filter(|last| last.seq == target.seq)
        {
            *last = target.clone();
        }
    }

    /// A message names the user; false if that is known, or read.
    pub(super) fn mention(&mut self, seq: u64) -> bool {
        let group = &mut self.row.group;
        let news = seq > group.mention_seq && seq > group.read_seq;
        if news {
            group.mention_seq = seq;
        }
        news
    }

    /// Moves the read mark; false if it was there or further already.
    pub(super) fn mark(&mut self, seq: u64) -> bool {
        let group = &mut self.row.group;
        if seq <= group.read_seq {
            return false;
        }
        group.read_seq = seq;
        if group.mention_seq <= seq {
            group.mention_seq = 0;
        }
        self.recent_unread.retain(|unread| *unread > seq);
        if seq >= group.head_seq {
            group.unread = 0;
        } else if seq >= self.recent_from {
            group.unread = self.recent_unread.len() as u64;
        }
        true
    }

    /// What lies above the mark is known one by one, or is nothing.
    pub(super) fn counts_itself(&self) -> bool {
        self.row.group.unread == 0 || self.row.group.read_seq >= self.recent_from
    }

    /// Goes on from what the server has counted up to `head_seq`, unless it is older than what it has counted before.
    pub(super) fn believe(&mut self, head_seq: u64, read_seq: u64, unread: u64) {
        self.note_head(head_seq);
        if head_seq < self.row.counted_seq {
            self.mark(read_seq);
            return;
        }
        self.row.counted_seq = head_seq;
        self.recent_from = self.recent_from.max(head_seq);
        self.recent_unread.retain(|seq| *seq > head_seq);
        let group = &mut self.row.group;
        if read_seq >= group.read_seq {
            group.read_seq = read_seq;
            self.recent_unread.retain(|seq| *seq > read_seq);
            group.unread = unread.saturating_add(self.recent_unread.len() as u64);
        } else if group.read_seq >= head_seq {
            group.unread = self.recent_unread.len() as u64;
        }
    }

    pub(super) fn delete(&mut self, deletion: &proto::Deletion) {
        let group = &mut self.row.group;
        if deletion.up_to_seq > 0 {
            group.low_seq = group.low_seq.max(deletion.up_to_seq.saturating_add(1));
        }
        group.last = without_hidden(group.last.take(), deletion);
        // Its place is told by a page, without it.
        self.ahead.retain(|seq, _| !hides(deletion, *seq));
    }

    /// Takes over what the list says of everything but the log.
    pub(super) fn merge(&mut self, mut told: proto::Group, keep: Keep) {
        self.believe(told.head_seq, told.read_seq, told.unread);
        let known = &self.row.group;
        told.head_seq = told.head_seq.max(known.head_seq);
        told.low_seq = told.low_seq.max(known.low_seq);
        (told.read_seq, told.unread) = (known.read_seq, known.unread);
        told.mention_seq = if told.mention_seq > known.read_seq { told.mention_seq.max(known.mention_seq) } else { 0 };
        let newer =
            |told: &proto::Entry, known: &proto::Entry| (told.seq, told.changed_seq) >= (known.seq, known.changed_seq);
        let keeps_last = match (&told.last, &known.last) {
            (Some(told), Some(known)) => !newer(told, known),
            // Deleted on another device, unless it has been said since.
            (None, Some(known)) => known.seq > self.row.counted_seq,
            _ => false,
        };
        if keep != Keep::Messages {
            told.last = None;
        } else if keeps_last {
            told.last.clone_from(&known.last);
        }
        self.row.group = told;
    }

    /// What an event says about the group, so that it is shown before the list is read again.
    fn apply_event(&mut self, event: &proto::GroupEvent, user: Option<&str>) {
        let group = &mut self.row.group;
        let is_user = |name: &String| user == Some(name.as_str());
        match &event.what {
            Some(What::Created(title) | What::Title(title)) => {
                group.profile.get_or_insert_default().title = Some(title.clone());
            }
            Some(What::Joined(people)) => group.member_count = group.member_count.saturating_add(count(people)),
            Some(What::Left(people)) => {
                group.member_count = group.member_count.saturating_sub(count(people));
                group.left |= people.users.iter().any(is_user);
            }
            Some(What::Owner(owner)) => {
                if group.role() == proto::GroupRole::Owner && !is_user(owner) {
                    group.set_role(proto::GroupRole::Admin);
                }
                if is_user(owner) {
                    group.set_role(proto::GroupRole::Owner);
                }
                group.owner.clone_from(owner);
            }
            Some(What::Admin(name)) if is_user(name) => group.set_role(proto::GroupRole::Admin),
            Some(What::Member(name)) if is_user(name) => group.set_role(proto::GroupRole::Member),
            Some(What::Silence(silence)) if is_user(&silence.user) => group.muted_until_ms = silence.until_ms,
            Some(What::MutedAll(muted)) => group.muted_all = *muted,
            Some(What::Announcement(text)) => group.announcement.clone_from(text),
            Some(What::Pinned(seq)) if !group.pinned.contains(seq) => {
                group.pinned.push(*seq);
                group.pinned.sort_unstable();
            }
            Some(What::Unpinned(seq)) => group.pinned.retain(|pinned| pinned != seq),
            Some(What::Dissolved(dissolved)) => group.dissolved = *dissolved,
            Some(What::Admin(_) | What::Member(_) | What::Silence(_) | What::Pinned(_)) | None => {}
        }
    }
}

fn count(people: &proto::GroupPeople) -> u32 {
    u32::try_from(people.users.len()).unwrap_or(u32::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn said(seq: u64) -> proto::Entry {
        proto::Entry { seq, sender: "b".into(), ..Default::default() }
    }

    fn hear(known: &mut Known, seqs: std::ops::RangeInclusive<u64>) {
        for seq in seqs {
            known.advance(seq, Keep::Messages);
            known.note_entry(&said(seq), Some("a"), Keep::Messages);
        }
    }

    fn unread(known: &Known) -> u64 {
        known.row.group.unread
    }

    #[test]
    fn what_the_server_has_counted_is_not_counted_again() {
        let mut known = Known::new(GroupRow { cursor: 10, counted_seq: 10, ..GroupRow::default() });
        known.merge(proto::Group { head_seq: 14, read_seq: 8, unread: 6, ..Default::default() }, Keep::Messages);
        hear(&mut known, 11..=15);
        assert_eq!(unread(&known), 7, "six up to 14, and 15");
        known.merge(proto::Group { head_seq: 15, read_seq: 8, unread: 7, ..Default::default() }, Keep::Messages);
        assert_eq!(unread(&known), 7, "told twice, counted once");
        known.merge(proto::Group { head_seq: 12, read_seq: 8, unread: 4, ..Default::default() }, Keep::Messages);
        assert_eq!(unread(&known), 7, "an older list changes nothing");
    }

    #[test]
    fn a_mark_leaves_what_is_known_one_by_one_or_waits_for_the_server() {
        let mut known = Known::new(GroupRow { cursor: 10, counted_seq: 10, ..GroupRow::default() });
        known.merge(proto::Group { head_seq: 10, unread: 10, ..Default::default() }, Keep::Messages);
        hear(&mut known, 11..=13);
        assert!(known.mark(12));
        assert_eq!((unread(&known), known.counts_itself()), (1, true));
        assert!(!known.mark(11), "marks never go down");
        let mut known = Known::new(GroupRow { cursor: 10, counted_seq: 10, ..GroupRow::default() });
        known.merge(proto::Group { head_seq: 10, unread: 10, ..Default::default() }, Keep::Messages);
        assert!(known.mark(4) && !known.counts_itself());
        hear(&mut known, 11..=11);
        known.believe(10, 4, 6);
        assert_eq!(unread(&known), 7, "six that the server counts, and one since");
    }

    #[test]
    fn own_messages_events_and_uncounted_ones_are_not_unread() {
        let mut known = Known::new(GroupRow::default());
        let event = proto::GroupEvent { what: Some(What::Title("spring".into())) };
        for entry in [
            proto::Entry { own: true, ..said(1) },
            proto::Entry { event: Some(event), ..said(2) },
            proto::Entry { uncounted: true, ..said(3) },
            said(4),
        ] {
            known.advance(entry.seq, Keep::Messages);
            known.note_entry(&entry, Some("a"), Keep::Messages);
        }
        assert_eq!(unread(&known), 1);
        assert_eq!(known.row.group.profile.as_ref().unwrap().title(), "spring");
    }
}
