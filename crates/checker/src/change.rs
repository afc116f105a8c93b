//! Changes of one message: what was asked for, what was done, and what each device has shown since. Few messages are
//! ever changed, so this is kept for those only.

use crate::history::{ChangeKind, Device};

/// A request that was not answered yet, and perhaps never will be.
#[derive(Debug)]
pub(crate) struct Asked {
    pub(crate) device: Device,
    pub(crate) by_author: bool,
    pub(crate) kind: ChangeKind,
    pub(crate) digest: u64,
    /// Its place in the history.
    pub(crate) at: u64,
}

/// A change that is done.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Done {
    pub(crate) at_seq: u64,
    pub(crate) kind: ChangeKind,
    pub(crate) digest: u64,
    /// Place in the history of its request.
    pub(crate) asked: u64,
}

/// The message as a device shows it.
#[derive(Debug)]
pub(crate) struct Sight {
    pub(crate) device: Device,
    /// The last change that it knows, 0 if it was shown before any.
    pub(crate) at_seq: u64,
    /// Place in the history of its first sight, if a change had been asked for before that.
    pub(crate) shown: u64,
    pub(crate) recalled: bool,
    pub(crate) digest: u64,
}

/// Everything about the changes of a message.
#[derive(Debug, Default)]
pub(crate) struct Changes {
    /// How many were asked for, of any kind.
    pub(crate) asked_total: u64,
    /// Numbers of its changes that are known, ascending.
    pub(crate) numbers: Vec<u64>,
    /// Bodies that the author wanted it to have.
    pub(crate) edits: Vec<u64>,
    /// The author asked to take it back.
    pub(crate) recall_asked: bool,
    /// Requests without an answer.
    pub(crate) open: Vec<Asked>,
    /// The last change that is done.
    pub(crate) last: Option<Done>,
    /// The last change of the body that is done.
    pub(crate) last_body: Option<Done>,
    /// Which answer belongs to which request cannot be told.
    pub(crate) muddled: bool,
    pub(crate) sights: Vec<Sight>,
}

impl Changes {
    /// A device was told that its change is done. Answers do not say which request they answer, so it is known only if
    /// there is one.
    pub(crate) fn done(&mut self, device: Device, at_seq: u64) {
        let mut open = self.open.iter().enumerate().filter(|(_, asked)| asked.device == device);
        let first = open.next().map(|(place, _)| place);
        self.muddled |= open.next().is_some();
        let Some(place) = first else { return };
        let Asked { kind, digest, at, .. } = self.open.remove(place);
        let done = Done { at_seq, kind, digest, asked: at };
        raise(&mut self.last, done);
        if kind != ChangeKind::React {
            raise(&mut self.last_body, done);
        }
    }

    /// What the device shows of it.
    pub(crate) fn sight(&self, device: Device) -> Option<&Sight> {
        self.sights.iter().find(|sight| sight.device == device)
    }

    pub(crate) fn sight_mut(&mut self, device: Device, digest: u64) -> &mut Sight {
        let place = self.sights.iter().position(|sight| sight.device == device).unwrap_or_else(|| {
            self.sights.push(Sight { device, at_seq: 0, shown: 0, recalled: false, digest });
            self.sights.len() - 1
        });
        &mut self.sights[place]
    }

    /// A change of the body may have been done, or may still be.
    pub(crate) fn body_is_open(&self) -> bool {
        self.muddled || self.open.iter().any(|asked| asked.by_author && asked.kind != ChangeKind::React)
    }

    /// Notes a number of a change of it; false if it was known.
    pub(crate) fn note(&mut self, at_seq: u64) -> bool {
        let place = self.numbers.binary_search(&at_seq);
        if let Err(place) = place {
            self.numbers.insert(place, at_seq);
        }
        place.is_err()
    }
}

fn raise(last: &mut Option<Done>, done: Done) {
    if last.is_none_or(|last| last.at_seq < done.at_seq) {
        *last = Some(done);
    }
}
