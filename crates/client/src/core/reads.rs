//! Read marks on their way to the server: the highest per conversation, repeated until confirmed.

use std::collections::BTreeMap;

use hongyan_fault::mutant;
use hongyan_wire::command::Operation;
use hongyan_wire::{Millis, proto};

use super::Core;
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
    marks: BTreeMap<String, Mark>,
    /// Some mark is to be sent.
    fresh: bool,
}

impl Reads {
    pub(super) fn restore(marks: BTreeMap<String, u64>) -> Self {
        let fresh = !marks.is_empty();
        let marks = marks.into_iter().map(|(user, seq)| (user, Mark { seq, again_at: None })).collect();
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
    pub(super) fn queue_read(&mut self, user: &str, seq: u64) {
        self.reads.marks.insert(user.to_owned(), Mark { seq, again_at: None });
        self.reads.fresh = true;
        self.keep(|| Row::ReadPending { user: user.to_owned(), seq });
    }

    pub(super) fn pump_reads(&mut self, now: Millis) {
        if !self.reads.fresh || !self.link.state.is_live() {
            return;
        }
        self.reads.fresh = false;
        let mut requests = Vec::new();
        for (user, mark) in self.reads.marks.iter_mut().filter(|(_, mark)| mark.again_at.is_none()) {
            mark.again_at = Some(now + REPEAT_AFTER);
            let id = self.link.next_id();
            requests.push(proto::MarkReadRequest { id, user: user.clone(), seq: mark.seq, ..Default::default() });
        }
        for request in requests {
            self.write(now, Operation::MarkRead, &request);
            let proto::MarkReadRequest { id, user, seq, .. } = request;
            self.pending.insert(id, Pending::Read { user, seq });
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

    pub(super) fn read_answered(&mut self, now: Millis, user: &str, seq: u64, answer: &proto::MarkReadAnswer) {
        use proto::RefusalCode::{Kicked, Revoked, Unauthenticated};
        match &answer.refusal {
            // The timer repeats it.
            Some(refusal) if refusal.retryable => {}
            Some(refusal) if matches!(refusal.code(), Kicked | Revoked | Unauthenticated) => {
                self.session_refused(now, refusal.clone());
            }
            Some(_) => self.confirm_read(user, seq),
            None => {
                self.confirm_read(user, seq);
                self.unread_told(user, answer);
            }
        }
    }

    /// The server knows of this mark, or will never take it.
    pub(super) fn confirm_read(&mut self, user: &str, seq: u64) {
        if self.reads.marks.get(user).is_some_and(|mark| mark.seq <= seq) {
            self.reads.marks.remove(user);
            self.keep(|| Row::ReadPending { user: user.to_owned(), seq: 0 });
        }
    }
}
