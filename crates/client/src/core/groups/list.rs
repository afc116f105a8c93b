//! Which groups there are: GROUPS after every login and resume, and when the inbox says that a membership has changed; by
//! a token only what has changed since. One question at a time, page after page.

use hongyan_wire::command::Operation;
use hongyan_wire::{Millis, limits, proto};

use super::known::Known;
use super::{Core, recognise};
use crate::core::event::Event;
use crate::core::peer::Peer;
use crate::core::requests::{Hidden, Pending, is_hidden};
use crate::core::rows::{GroupRow, Row};

/// A page that was not answered, or refused for now, is asked for again after so long.
const LIST_AFTER: Millis = Millis::seconds(10);

#[derive(Default)]
pub(super) struct List {
    /// As of when the list is known; 0 = it never was read to its end.
    token: u64,
    wanted: bool,
    asked: bool,
    again_at: Option<Millis>,
    /// The last id of the page before, and the token of the first page.
    after: String,
    first_token: u64,
    /// Something has happened since the first page was asked for.
    stale: bool,
    /// An event has changed some group since the last page was asked for.
    pub(super) overtaken: bool,
}

impl List {
    pub(super) fn new(token: u64) -> Self {
        Self { token, ..Self::default() }
    }

    pub(super) fn is_complete(&self) -> bool {
        self.token > 0 && !self.wanted
    }

    pub(super) fn deadline(&self) -> Option<Millis> {
        self.again_at
    }

    pub(super) fn link_lost(&mut self) {
        *self = Self::new(self.token);
    }
}

impl Core {
    /// The list has to be read, from its beginning or for what has changed.
    pub(in crate::core) fn want_groups(&mut self) {
        let list = &mut self.groups.list;
        // A page that is under way may have been read before.
        list.stale = list.wanted && (list.asked || !list.after.is_empty());
        list.wanted = true;
    }

    pub(in crate::core) fn pump_groups(&mut self, now: Millis) {
        let list = &mut self.groups.list;
        if list.wanted && !list.asked && self.link.state.is_live() {
            list.asked = true;
            list.overtaken = false;
            list.again_at = Some(now + LIST_AFTER + Millis(self.jitter.up_to(LIST_AFTER.0 / 4)));
            let (since, after, limit) = (list.token, list.after.clone(), limits::HISTORY_ENTRIES_MAX);
            let id = self.link.next_id();
            self.pending.insert(id, Pending::Groups(Vec::new()));
            let request = proto::GroupsRequest { id, since, after, limit, ..Default::default() };
            self.write(now, Operation::Groups, &request);
        }
        self.pump_gaps(now);
        self.pump_group_acks(now);
    }

    pub(in crate::core) fn groups_timeout(&mut self, now: Millis) {
        let list = &mut self.groups.list;
        if list.again_at.is_some_and(|at| at <= now) {
            list.again_at = None;
            list.asked = false;
        }
        self.gaps_timeout(now);
    }

    /// A page that this core asked for. The timer repeats it after a refusal, unless that was for good: then it is asked
    /// for again on the next connection.
    pub(in crate::core) fn groups_answered(&mut self, answer: proto::GroupsAnswer, hidden: &[Hidden]) {
        let list = &mut self.groups.list;
        if let Some(refusal) = answer.refusal {
            if !refusal.retryable {
                list.again_at = None;
                list.wanted = false;
            }
            return;
        }
        list.again_at = None;
        list.asked = false;
        if list.after.is_empty() {
            list.first_token = answer.token;
        }
        // A page that leads no further would be asked for for ever.
        let last = answer.groups.last().map(|group| group.group.clone()).filter(|last| *last > list.after);
        self.merge_groups(answer.groups, hidden);
        let list = &mut self.groups.list;
        if let Some(last) = last.filter(|_| answer.more) {
            list.after = last;
            return;
        }
        list.after.clear();
        list.wanted = std::mem::take(&mut list.stale);
        list.token = list.first_token;
        let token = list.token;
        self.keep(|| Row::GroupsToken(token));
    }

    /// Groups as the server tells them. `hidden` = what was deleted since they were asked for.
    pub(in crate::core) fn merge_groups(&mut self, groups: Vec<proto::Group>, hidden: &[Hidden]) {
        for mut told in groups {
            let (group, peer) = (told.group.clone(), Peer::group_of(&told.group));
            told.last = told.last.take().filter(|last| !is_hidden(hidden, &peer, last.seq));
            if let Some(last) = &mut told.last {
                recognise(last, self.user.as_deref());
            }
            let is_new = !self.groups.known.contains_key(&group);
            if is_new {
                let row = self.first_row(&told);
                self.passed_in_group(&peer, row.cursor);
                self.groups.known.insert(group.clone(), Known::new(row));
            }
            let overtaken = self.groups.list.overtaken;
            let Some(known) = self.groups.change(&group) else { continue };
            let event_is_newer = overtaken && known.event_seq > told.head_seq && !known.uncertain;
            let skipped_to = std::mem::take(&mut known.uncertain).then_some(told.head_seq);
            if let Some(head) = skipped_to {
                *known = Known::new(GroupRow { cursor: head, acked_seq: head, ..GroupRow::default() });
            }
            known.merge(told, self.config.keep);
            if let Some(to_seq) = skipped_to {
                self.tell(Event::Skipped { group: group.clone(), to_seq });
                self.passed_in_group(&peer, to_seq);
            }
            if event_is_newer {
                // Read before something was pushed that has changed the group.
                self.groups.list.stale = true;
            }
            self.note_gap(&group, Millis(0));
        }
    }

    /// Where a group begins on this device. A device that is new begins at the heads of all groups; a group that is new,
    /// with the user's joining.
    fn first_row(&self, told: &proto::Group) -> GroupRow {
        let begin = if self.groups.list.token == 0 { told.head_seq } else { told.low_seq.saturating_sub(1) };
        GroupRow { cursor: begin, counted_seq: told.head_seq, acked_seq: begin, ..GroupRow::default() }
    }

    /// The server was restored from a backup: numbers given since do not mean what they meant.
    pub(in crate::core) fn forget_group_places(&mut self) {
        self.groups.known.values_mut().for_each(Known::forget);
        self.groups.gaps.clear();
        self.groups.list = List::new(0);
        self.keep(|| Row::GroupsToken(0));
    }

    /// What was kept may have changed unseen: histories are asked for anew.
    pub(in crate::core) fn forget_groups_covered(&mut self) {
        let names: Vec<_> = self.groups.known.keys().cloned().collect();
        for name in names {
            if let Some(known) = self.groups.change(&name) {
                known.row.covered.clear();
            }
        }
    }
}
