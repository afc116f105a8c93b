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

/// What one person has asked for about another.
#[derive(Debug, Default)]
pub(crate) struct Block {
    open: Vec<Asked>,
    /// Place at which lifting it was last asked for, or done.
    lifted: u64,
    /// Place since which it surely holds, 0 = it may not.
    since: u64,
}

impl Block {
    pub(crate) fn asked(&mut self, device: Device, blocked: bool, at: u64, at_ms: u64) {
        self.open.retain(|asked| at_ms.saturating_sub(asked.at_ms) <= OPEN_MS_MAX);
        self.open.push(Asked { device, blocked, at, at_ms });
        if !blocked {
            self.lifted = at;
            self.since = 0;
        }
    }

    pub(crate) fn done(&mut self, device: Device, blocked: bool, at: u64, at_ms: u64) {
        self.open.retain(|asked| at_ms.saturating_sub(asked.at_ms) <= OPEN_MS_MAX);
        let place = self.open.iter().position(|asked| asked.device == device && asked.blocked == blocked);
        let asked_at = place.map_or(at, |place| self.open.remove(place).at);
        if !blocked {
            self.lifted = at;
            self.since = 0;
        } else if self.since == 0 && self.lifted < asked_at && self.open.iter().all(|asked| asked.blocked) {
            self.since = at;
        }
    }

    /// It holds, and held already at that place.
    pub(crate) fn held_at(&self, place: u64) -> bool {
        self.since > 0 && self.since < place
    }
}
