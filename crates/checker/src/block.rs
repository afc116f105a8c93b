//! Whether one person surely blocks another. Requests of several devices may overlap, and an unanswered one may be done
//! or not, so between "no" and "surely" lies "perhaps", and only "surely" forbids.

use crate::history::Device;

/// An unanswered request cannot be done any more after so long: both ends have given its connection up after 90 s
/// (PROTOCOL.md §12), and nothing travels longer than the rest.
const OPEN_MS_MAX: u64 = 120_000;

#[derive(Debug)]
struct Asked {
    device: Device,
    blocked: bool,
    /// Place in the history.
    at: u64,
    at_ms: u64,
}

impl Asked {
    fn may_be_done(&self, at_ms: u64) -> bool {
        at_ms.saturating_sub(self.at_ms) <= OPEN_MS_MAX
    }
}

/// What one person has asked for about another.
#[derive(Debug, Default)]
pub(crate) struct Block {
    open: Vec<Asked>,
    /// Place at which lifting it was last asked for, or done.
    lifted: u64,
    /// Until this time it may be lifted by a request that was not answered, 0 = there is none.
    lift_ends_ms: u64,
    /// Place since which it surely holds, 0 = it may not.
    since: u64,
}

impl Block {
    pub(crate) fn asked(&mut self, device: Device, blocked: bool, at: u64, at_ms: u64) {
        self.open.retain(|asked| asked.may_be_done(at_ms));
        self.open.push(Asked { device, blocked, at, at_ms });
        if !blocked {
            self.lift(at);
        }
    }

    pub(crate) fn done(&mut self, device: Device, blocked: bool, at: u64, at_ms: u64) {
        self.open.retain(|asked| asked.may_be_done(at_ms));
        let place = self.open.iter().position(|asked| asked.device == device && asked.blocked == blocked);
        let asked_at = place.map_or(at, |place| self.open.remove(place).at);
        if !blocked {
            self.lift(at);
        } else if self.since == 0 && self.lifted < asked_at && self.open.iter().all(|asked| asked.blocked) {
            self.since = at;
        }
    }

    fn lift(&mut self, at: u64) {
        let lifts = self.open.iter().filter(|asked| !asked.blocked);
        self.lift_ends_ms = lifts.map(|lift| lift.at_ms + OPEN_MS_MAX + 1).max().unwrap_or(0);
        self.lifted = at;
        self.since = 0;
    }

    /// It may have been lifted behind that place, which has this time: by an answered request, or by one that was under
    /// way there, or came later.
    pub(crate) fn may_be_lifted_behind(&self, place: u64, at_ms: u64) -> bool {
        self.lifted > place || at_ms < self.lift_ends_ms
    }

    /// It holds, and held already at that place.
    pub(crate) fn held_at(&self, place: u64) -> bool {
        self.since > 0 && self.since < place
    }
}
