//! The user's groups (PROTOCOL.md §21). Each has one log for all of its members, so each has a cursor of its own here:
//! nothing shown twice, nothing skipped, whatever pushes are lost.
//!
//! In this order: [`known`] (one group: unread, marks, what events change), [`list`] (which groups there are), [`log`]
//! (pushes, and what is missing of them), [`acks`] (what the server is told to be stored here).

mod acks;
mod known;
mod list;
mod log;

use std::collections::{BTreeMap, BTreeSet};

use hongyan_wire::{Millis, proto};
use proto::inbox_entry::What;

use super::Core;
use super::config::Keep;
use super::conversations::hides;
use super::event::Event;
use super::link::earliest;
use super::peer::Peer;
use super::rows::{GroupRow, Row};
use acks::Acks;
use known::Known;
use list::List;
use log::Gap;

pub(super) struct Groups {
    known: BTreeMap<String, Known>,
    /// The groups that changed in this burst.
    dirty: BTreeSet<String>,
    list: List,
    /// Groups whose log is known to go on above their cursor.
    gaps: BTreeMap<String, Gap>,
    acks: Acks,
}

impl Groups {
    pub(super) fn restore(rows: Vec<GroupRow>, token: u64) -> Self {
        Self {
            known: rows.into_iter().map(|row| (row.group.group.clone(), Known::restore(row, token))).collect(),
            dirty: BTreeSet::new(),
            list: List::new(token),
            gaps: BTreeMap::new(),
            acks: Acks::default(),
        }
    }

    pub(super) fn rows(&self) -> impl Iterator<Item = &GroupRow> {
        self.known.values().map(|known| &known.row)
    }

    pub(super) fn row(&self, group: &str) -> Option<&GroupRow> {
        self.known.get(group).map(|known| &known.row)
    }

    pub(super) fn list_is_complete(&self) -> bool {
        self.list.is_complete()
    }

    pub(super) fn link_lost(&mut self) {
        self.list.link_lost();
        self.gaps.clear();
        self.acks = Acks::default();
        self.known.values_mut().for_each(Known::link_lost);
    }

    pub(super) fn deadline(&self) -> Option<Millis> {
        earliest([self.list.deadline(), log::deadline(&self.gaps), self.acks.deadline()])
    }

    /// A group that is known, about to change.
    fn change(&mut self, group: &str) -> Option<&mut Known> {
        let known = self.known.get_mut(group)?;
        if !self.dirty.contains(group) {
            self.dirty.insert(group.to_owned());
        }
        Some(known)
    }
}

impl Core {
    /// A session is open.
    pub(super) fn groups_live(&mut self, now: Millis) {
        self.want_groups();
        self.resume_group_acks(now);
        let behind: Vec<_> = self.groups.known.iter().filter(|(_, known)| known.is_behind()).collect();
        let behind: Vec<_> = behind.into_iter().map(|(group, _)| group.clone()).collect();
        behind.iter().for_each(|group| self.note_gap(group, now));
    }

    /// An entry of the inbox that is about a group.
    pub(super) fn apply_to_group(&mut self, group: String, what: Option<What>) {
        match what {
            Some(What::Read(mark)) => {
                self.group_marked(&group, mark.seq);
                self.confirm_read(&Peer::Group(group), mark.seq);
            }
            Some(What::Deleted(deletion)) => self.apply_group_deletion(group, deletion),
            Some(What::Membership(proto::Membership { member })) => {
                if let Some(known) = self.groups.change(&group).filter(|_| !member) {
                    known.row.group.left = true;
                }
                self.want_groups();
            }
            Some(What::Mentioned(seq)) => self.mentioned(&group, seq),
            // Told by a newer server; the place is taken all the same.
            Some(What::Entry(_) | What::Gone(_) | What::Claimed(_) | What::Friend(_) | What::Lists(_)) | None => {}
        }
    }

    fn mentioned(&mut self, group: &str, seq: u64) {
        match self.groups.change(group).map(|known| known.mention(seq)) {
            Some(true) => self.tell(Event::Mentioned { group: group.to_owned(), seq }),
            Some(false) => {}
            None => self.want_groups(),
        }
    }

    /// The user has read up to here on this device; false if that is known already.
    pub(super) fn mark_group_here(&mut self, group: &str, seq: u64) -> bool {
        // The server knows more than this device if it does not know the group at all.
        let moved = self.groups.change(group).is_none_or(|known| known.mark(seq));
        if moved {
            self.tell_group_mark(group);
        }
        moved
    }

    /// The user has read up to here, perhaps elsewhere; the server is asked what remains if this device cannot count it.
    pub(super) fn group_marked(&mut self, group: &str, seq: u64) {
        let Some(known) = self.groups.change(group).filter(|known| seq > known.row.group.read_seq) else { return };
        known.mark(seq);
        let ask = !known.counts_itself();
        self.tell_group_mark(group);
        if ask {
            self.queue_read(&Peer::group_of(group), seq);
        }
    }

    /// The answer to a mark; it counts up to the head that it tells.
    pub(super) fn group_unread_told(&mut self, group: &str, answer: &proto::MarkReadAnswer) {
        let proto::MarkReadAnswer { read_seq, unread, head_seq, .. } = *answer;
        let waits = |known: &Known| !known.counts_itself() && known.row.group.read_seq <= read_seq;
        if self.groups.known.get(group).is_some_and(waits) {
            if let Some(known) = self.groups.change(group) {
                known.believe(head_seq, read_seq, unread);
            }
            self.tell_group_mark(group);
        }
    }

    fn tell_group_mark(&mut self, group: &str) {
        if let Some(row) = self.groups.row(group) {
            let (seq, unread) = (row.group.read_seq, row.group.unread);
            self.tell(Event::ReadMark { peer: Peer::group_of(group), seq, unread });
        }
    }

    pub(super) fn apply_group_deletion(&mut self, group: String, deletion: proto::Deletion) {
        if let Some(known) = self.groups.change(&group) {
            known.delete(&deletion);
        }
        let peer = Peer::Group(group);
        self.hide_from_pages(&peer, &deletion);
        self.keep(|| Row::Deleted { peer: peer.clone(), deletion: deletion.clone() });
        self.tell(Event::Deleted { peer, deletion });
    }

    /// At the end of a burst: the rows and events of what changed.
    pub(super) fn finish_groups(&mut self) {
        for group in std::mem::take(&mut self.groups.dirty) {
            let Some(row) = self.groups.row(&group).filter(|_| self.config.keep == Keep::Messages) else { continue };
            let row = Box::new(row.clone());
            self.events.push_back(Event::Group(Box::new(row.group.clone())));
            self.rows.push(Row::Group(row));
        }
    }
}

/// Whether the user has written it, by whom the server says has. Nobody else's id is of use here, and it must not be
/// taken for one of this device's own.
fn recognise(entry: &mut proto::Entry, user: Option<&str>) {
    entry.own = user == Some(entry.sender.as_str());
    if !entry.own {
        entry.client_message_id.clear();
    }
    for reaction in &mut entry.reactions {
        reaction.own |= user.is_some_and(|user| reaction.users.iter().any(|name| name == user));
    }
    if let Some(target) = entry.change.as_mut().and_then(|change| change.target.as_mut()) {
        recognise(target, user);
    }
}

/// A message, as opposed to what only says that something has happened.
fn is_message(entry: &proto::Entry) -> bool {
    entry.change.is_none() && entry.event.is_none()
}

/// Without what a deletion hides.
fn without_hidden(last: Option<proto::Entry>, deletion: &proto::Deletion) -> Option<proto::Entry> {
    last.filter(|last| !hides(deletion, last.seq))
}
