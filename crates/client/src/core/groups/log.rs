//! The logs of groups: GROUP.N in its order, and HISTORY for what is missing below it. One question for a group at a time,
//! a few in all; a group that goes on too far above its cursor is left to histories, as an inbox after RESET.

use std::collections::BTreeMap;

use hongyan_wire::command::Operation;
use hongyan_wire::{Millis, limits, proto};

use super::{Core, is_message, recognise};
use crate::core::config::Keep;
use crate::core::event::{Event, Message};
use crate::core::peer::Peer;
use crate::core::ranges;
use crate::core::requests::{Hidden, Pending, is_hidden};
use crate::core::rows::Row;

/// Missing entries of a group that are handed out one by one; if more are missing, the list and histories tell them better.
const CATCH_UP_MAX: u64 = 1000;
/// Groups whose missing entries are asked for at the same time.
const ASKED_MAX: usize = 4;
/// The user's own message is pushed soon after its answer; it is asked for if it is not there after so long.
const OWN_PATIENCE: Millis = Millis::seconds(2);
/// A page that was not answered, or refused for now, is asked for again after so long.
const PAGE_AFTER: Millis = Millis::seconds(10);

/// Something is missing of a group.
pub(super) struct Gap {
    /// When it is to be asked for, or asked for again.
    at: Millis,
    asked: bool,
}

pub(super) fn deadline(gaps: &BTreeMap<String, Gap>) -> Option<Millis> {
    let full = gaps.values().filter(|gap| gap.asked).count() >= ASKED_MAX;
    gaps.values().filter(|gap| gap.asked || !full).map(|gap| gap.at).min()
}

impl Core {
    /// GROUP.N.
    pub(in crate::core) fn group_pushed(&mut self, now: Millis, notify: proto::GroupNotify) {
        let proto::GroupNotify { group, entries, head_seq } = notify;
        if self.groups.known.get(&group).is_none_or(|known| known.uncertain) {
            // The list will tell where it begins.
            return self.want_groups();
        }
        for entry in entries {
            let next = self.groups.known.get_mut(&group).and_then(|known| known.pushed(entry));
            if let Some(next) = next {
                self.take_entry(now, &group, next);
                self.drain_group(now, &group);
            }
        }
        if let Some(known) = self.groups.known.get_mut(&group) {
            known.note_head(head_seq);
        }
        self.note_gap(&group, now);
    }

    /// What was set aside and has become next.
    fn drain_group(&mut self, now: Millis, group: &str) {
        while let Some(next) = self.groups.known.get_mut(group).and_then(|known| known.next_ahead()) {
            self.take_entry(now, group, next);
        }
    }

    /// The next entry of a group's log; places below it that were not told do not exist.
    fn take_entry(&mut self, now: Millis, group: &str, mut entry: proto::Entry) {
        let keep = self.config.keep;
        recognise(&mut entry, self.user.as_deref());
        let seq = entry.seq;
        let Some(known) = self.groups.change(group) else { return };
        known.advance(seq, keep);
        self.note_group_entry(now);
        if let Some(change) = entry.change.take() {
            return self.apply_group_change(group, seq, *change);
        }
        let Some(known) = self.groups.change(group) else { return };
        known.note_entry(&entry, self.user.as_deref(), keep);
        self.groups.list.overtaken |= entry.event.is_some();
        let peer = Peer::group_of(group);
        if keep == Keep::Messages {
            self.rows.push(Row::Message { peer: peer.clone(), entry: entry.clone() });
        }
        let names_user = entry.mention_all || self.user.as_ref().is_some_and(|user| entry.mentions.contains(user));
        if names_user && !entry.own && is_message(&entry) {
            self.mentioned(group, seq);
        }
        // Its sender on this device has been told by its answer, or is now.
        if entry.own && is_message(&entry) && self.arrived_in_group(now, &peer, &entry) {
            return;
        }
        self.tell(Event::Message(Message { peer, entry }));
    }

    fn apply_group_change(&mut self, group: &str, seq: u64, change: proto::Change) {
        let (Some(known), Some(target)) = (self.groups.change(group), change.target) else { return };
        let is_news = known.early.note(&target);
        known.early.announced(seq);
        if !is_news {
            return;
        }
        known.note_change(&target, self.config.keep);
        let peer = Peer::group_of(group);
        if self.config.keep == Keep::Messages {
            self.rows.push(Row::Message { peer: peer.clone(), entry: (*target).clone() });
        }
        self.tell(Event::MessageChanged(Message { peer, entry: *target }));
    }

    /// This device has said something that the group's log will bring.
    pub(in crate::core) fn note_group_head(&mut self, now: Millis, group: &str, seq: u64) {
        match self.groups.known.get_mut(group) {
            Some(known) => known.note_head(seq),
            None => self.want_groups(),
        }
        self.note_gap(group, now + OWN_PATIENCE);
    }

    /// The group's log was handed out up to this place.
    pub(in crate::core) fn group_has(&self, group: &str, seq: u64) -> bool {
        self.groups.row(group).is_some_and(|row| row.cursor >= seq)
    }

    /// Sees to what is missing of a group, from `at` on.
    pub(super) fn note_gap(&mut self, group: &str, at: Millis) {
        let Some(known) = self.groups.known.get(group).filter(|known| !known.uncertain) else { return };
        if !known.is_behind() {
            // An answer that is still under way brings nothing new then.
            if self.groups.gaps.get(group).is_some_and(|gap| !gap.asked) {
                self.groups.gaps.remove(group);
            }
            return;
        }
        let head = known.row.group.head_seq;
        if head - known.row.cursor > CATCH_UP_MAX && !self.groups.gaps.contains_key(group) {
            return self.skip_group(group, head);
        }
        let gap = self.groups.gaps.entry(group.to_owned()).or_insert(Gap { at, asked: false });
        if !gap.asked {
            gap.at = gap.at.min(at);
        }
    }

    fn skip_group(&mut self, group: &str, to_seq: u64) {
        if let Some(known) = self.groups.change(group) {
            known.skip(to_seq);
        }
        self.passed_in_group(&Peer::group_of(group), to_seq);
        self.tell(Event::Skipped { group: group.to_owned(), to_seq });
    }

    pub(super) fn pump_gaps(&mut self, now: Millis) {
        if self.groups.gaps.is_empty() || !self.link.state.is_live() {
            return;
        }
        let asked = self.groups.gaps.values().filter(|gap| gap.asked).count();
        let due = self.groups.gaps.iter().filter(|(_, gap)| !gap.asked && gap.at <= now);
        let due: Vec<_> = due.map(|(group, _)| group.clone()).take(ASKED_MAX.saturating_sub(asked)).collect();
        for group in due {
            let after_seq = self.groups.row(&group).map_or(0, |row| row.cursor);
            let again_at = now + PAGE_AFTER + Millis(self.jitter.up_to(PAGE_AFTER.0 / 4));
            self.groups.gaps.insert(group.clone(), Gap { at: again_at, asked: true });
            let (id, limit) = (self.link.next_id(), limits::HISTORY_ENTRIES_MAX);
            self.pending.insert(id, Pending::GroupGap { group: group.clone(), hidden: Vec::new() });
            let request = proto::HistoryRequest { id, group, after_seq, limit, ..Default::default() };
            self.write(now, Operation::History, &request);
        }
    }

    pub(super) fn gaps_timeout(&mut self, now: Millis) {
        for gap in self.groups.gaps.values_mut().filter(|gap| gap.asked && gap.at <= now) {
            gap.asked = false;
        }
    }

    /// What was missing of a group. `hidden` = what was deleted since it was asked for.
    pub(in crate::core) fn gap_answered(
        &mut self,
        now: Millis,
        group: &str,
        mut answer: proto::HistoryAnswer,
        hidden: &[Hidden],
    ) {
        if let Some(refusal) = answer.refusal {
            if !refusal.retryable {
                // No member any more, it seems; the list knows.
                self.groups.gaps.remove(group);
                self.want_groups();
            }
            return;
        }
        self.groups.gaps.remove(group);
        let peer = Peer::group_of(group);
        let before = self.groups.row(group).map_or(0, |row| row.cursor);
        answer.entries.retain(|entry| !is_hidden(hidden, &peer, entry.seq));
        for entry in answer.entries {
            if !self.group_has(group, entry.seq) {
                self.take_entry(now, group, entry);
            }
        }
        // Nothing at all above the cursor: then there is nothing up to the head, either.
        let head = self.groups.row(group).map_or(0, |row| row.group.head_seq);
        let covered_to = if answer.covered_to == 0 { head } else { answer.covered_to };
        if !self.group_has(group, covered_to) {
            if let Some(known) = self.groups.change(group) {
                known.advance(covered_to, self.config.keep);
            }
            self.passed_in_group(&peer, covered_to);
        }
        self.drain_group(now, group);
        // A page that brings nothing forward would be asked for for ever; the next push begins anew.
        if self.groups.row(group).is_some_and(|row| row.cursor > before) {
            self.note_gap(group, now);
        }
    }

    /// A page of a group's log that the application asked for. What it covers and does not have does not exist.
    pub(in crate::core) fn keep_group_history(&mut self, group: &str, answer: &mut proto::HistoryAnswer) {
        answer.entries.iter_mut().for_each(|entry| recognise(entry, self.user.as_deref()));
        if self.config.keep != Keep::Messages {
            return;
        }
        let Some(known) = self.groups.change(group) else { return };
        for entry in &answer.entries {
            known.early.note(entry);
        }
        known.row.group.low_seq = known.row.group.low_seq.max(answer.low_seq);
        // What lies above the cursor is handed out in its turn, and covered then.
        let covered_to = answer.covered_to.min(known.row.cursor);
        ranges::insert(&mut known.row.covered, answer.covered_from, covered_to);
        let peer = Peer::group_of(group);
        let messages = answer.entries.iter().filter(|entry| entry.change.is_none() && entry.seq <= covered_to);
        let gaps = ranges::gaps(answer.covered_from, covered_to, messages.clone().map(|entry| entry.seq));
        self.rows.extend(gaps.into_iter().map(|range| Row::Absent { peer: peer.clone(), range }));
        self.rows.extend(messages.map(|entry| Row::Message { peer: peer.clone(), entry: entry.clone() }));
    }
}
