//! Read marks on their way to the server: the highest per conversation, repeated until confirmed.

use std::collections::BTreeMap;

use hongyan_fault::mutant;
use hongyan_wire::command::Operation;
use hongyan_wire::{Millis, proto};

use super::Core;
use super::peer::Peer;
use super::requests::Pending;
use super::rows::Row;

/// An unanswered MARK_READ is repeated after so long.
const REPEAT_AFTER: Millis = Millis::seconds(10);

struct Mark {
    seq: u64,
    /// `None` = to be sent.
    again_at: Option<Millis>,
}

pub(super) struct Reads {
    marks: BTreeMap<Peer, Mark>,
    /// Some mark is to be sent.
    fresh: bool,
}

impl Reads {
    pub(super) fn restore(marks: BTreeMap<Peer, u64>) -> Self {
        let fresh = !marks.is_empty();
        let marks = marks.into_iter().map(|(peer, seq)| (peer, Mark { seq, again_at: None })).collect();
        Self { marks, fresh }
    }

    pub(super) fn link_lost(&mut self) {
        self.marks.values_mut().for_each(|mark| mark.again_at = None);
        self.fresh = !self.marks.is_empty() && !mutant!("read mark not repeated");
    }

    pub(super) fn deadline(&self) -> Option<Millis> {
        self.marks.values().filter_map(|mark| mark.again_at).min()
    }
}

impl Core {
    pub(super) fn queue_read(&mut self, peer: &Peer, seq: u64) {
        self.reads.marks.insert(peer.clone(), Mark { seq, again_at: None });
        self.reads.fresh = true;
        self.keep(|| Row::ReadPending { peer: peer.clone(), seq });
    }

    pub(super) fn pump_reads(&mut self, now: Millis) {
        if !self.reads.fresh || !self.link.state.is_live() {
            return;
        }
        self.reads.fresh = false;
        let mut requests = Vec::new();
        for (peer, mark) in self.reads.marks.iter_mut().filter(|(_, mark)| mark.again_at.is_none()) {
            mark.again_at = Some(now + REPEAT_AFTER);
            requests.push((peer.clone(), mark.seq));
        }
        for (peer, seq) in requests {
            let id = self.link.next_id();
            let (user, group) = peer.fields();
            self.write(now, Operation::MarkRead, &proto::MarkReadRequest { id, user, seq, group });
            self.pending.insert(id, Pending::Read { peer, seq });
        }
    }

    pub(super) fn reads_timeout(&mut self, now: Millis) {
        for mark in self.reads.marks.values_mut() {
            if mark.again_at.is_some_and(|at| at <= now) {
                mark.again_at = None;
                self.reads.fresh = true;
            }
        }
    }

    pub(super) fn read_answered(&mut self, now: Millis, peer: &Peer, seq: u64, answer: &proto::MarkReadAnswer) {
        use proto::RefusalCode::{Kicked, Revoked, Unauthenticated};
        match &answer.refusal {
            // The timer repeats it.
            Some(refusal) if refusal.retryable => {}
            Some(refusal) if matches!(refusal.code(), Kicked | Revoked | Unauthenticated) => {
                self.session_refused(now, refusal.clone());
            }
            Some(_) => self.confirm_read(peer, seq),
            None => {
                self.confirm_read(peer, seq);
                match peer {
                    Peer::Person(user) => self.unread_told(user, answer),
                    Peer::Group(group) => self.group_unread_told(group, answer),
                }
            }
        }
    }

    /// The server knows of this mark, or will never take it.
    pub(super) fn confirm_read(&mut self, peer: &Peer, seq: u64) {
        if self.reads.marks.get(peer).is_some_and(|mark| mark.seq <= seq) {
            self.reads.marks.remove(peer);
            self.keep(|| Row::ReadPending { peer: peer.clone(), seq: 0 });
        }
    }
}
