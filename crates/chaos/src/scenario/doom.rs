//! Lives that end at a chosen place: at a point of the server's code, inside a sync, in the middle of a write, or by a
//! disk that cannot sync. Each strike is such a life and, after it, one that goes well.

use std::os::unix::process::ExitStatusExt;
use std::process::ExitStatus;
use std::time::Duration;

use anyhow::Result;
use rustix::process::Signal;

use super::{Rig, Struck};
use crate::random::Random;
use crate::server::{Place, Start};
use crate::shim;
use crate::stage::Stage;

/// With people talking, every point is passed much sooner than this.
const DEATH_MAX: Duration = Duration::from_secs(15);
/// Says where a server that was built for it kills itself: `hongyan_fault::DIE_AT`.
const DIE_AT: &str = "FAULT_DIE_AT";
/// What a server says that stops because of its disk.
const CLEAR_LINE: &str = "the process stops, because nobody can know what is on disk";
/// The same before it has begun: nothing was answered yet, so it does not start.
const CLEAR_LINE_AT_START: &str = "opening the store: ";

/// How a life ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Doom {
    /// kill -9 at this point, after at most so many passes.
    Point(&'static str, u64),
    /// kill -9 inside a sync, before or after the disk has done it.
    InSync,
    /// The write-ahead log ends in the middle of a write.
    TornLog,
    /// The data file is torn in the middle of a checkpoint.
    TornCheckpoint,
    /// A sync fails.
    SyncError,
}

/// Lets a server run into its doom.
pub struct Doomed {
    doom: Doom,
}

impl Doomed {
    /// Always the same doom.
    pub fn new(doom: Doom) -> Self {
        Self { doom }
    }

    fn environment(&self, random: &mut Random) -> (&'static str, String) {
        match self.doom {
            Doom::Point(point, passes_max) => (DIE_AT, format!("{point}:{}", random.between(1, passes_max))),
            Doom::InSync => ("FAULT_SYNC_DIE", random.between(1, 60).to_string()),
            Doom::TornLog => ("FAULT_TORN", format!("-wal:{}:{}", random.between(1, 400), random.below(100))),
            Doom::TornCheckpoint => {
                ("FAULT_TORN", format!("hongyan.db:{}:{}", random.between(1, 40), random.below(100)))
            }
            Doom::SyncError => ("FAULT_SYNC_AFTER", random.between(1, 60).to_string()),
        }
    }

    /// It ended as it should have.
    fn check(&self, status: ExitStatus, stage: &mut Stage) -> Result<()> {
        let log = stage.log_news()?;
        if let Some(complaint) = self.complaint(status, &log) {
            stage.complain(complaint);
        }
        Ok(())
    }

    /// Why this was not the end that was meant.
    fn complaint(&self, status: ExitStatus, log: &str) -> Option<String> {
        if self.doom == Doom::SyncError {
            let said = [CLEAR_LINE, CLEAR_LINE_AT_START].iter().any(|line| log.contains(line));
            return (!said).then(|| format!("the server ended without the clear line after a failed sync:\n{log}"));
        }
        let killed = status.signal() == Some(Signal::KILL.as_raw());
        (!killed).then(|| format!("the server ended by itself instead of being killed ({status}):\n{log}"))
    }

    /// Lives until it dies; false if it does not.
    fn live(&self, stage: &mut Stage) -> Result<bool> {
        let environment = self.environment(&mut stage.random);
        if let Start::Died(status) = stage.server.start(&[environment])? {
            return self.check(status, stage).map(|()| true);
        }
        stage.crowd.dial_now();
        if self.doom == Doom::TornCheckpoint {
            // The last checkpoint is that of the end.
            std::thread::sleep(Duration::from_millis(stage.random.between(100, 500)));
            stage.server.signal(Signal::TERM)?;
        }
        match stage.server.ended_within(DEATH_MAX)? {
            // It had less to write than the fault has waited for.
            Some(status) if self.doom == Doom::TornCheckpoint && status.success() => Ok(false),
            Some(status) => self.check(status, stage).map(|()| true),
            None => {
                stage.server.kill()?;
                Ok(false)
            }
        }
    }
}

impl Rig for Doomed {
    fn prepare(&mut self, place: &mut Place) -> Result<Option<String>> {
        if matches!(self.doom, Doom::Point(..)) {
            return Ok(None);
        }
        shim::preload(place, shim::disk)
    }

    fn strike(&mut self, stage: &mut Stage) -> Result<Struck> {
        stage.breathe(20, 200)?;
        stage.server.kill()?;
        let died = self.live(stage)?;
        stage.restart()?;
        Ok(if died { Struck::Hit } else { Struck::Missed })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_server_that_ends_for_another_reason_is_no_hit() {
        let (killed, refused) = (ExitStatus::from_raw(Signal::KILL.as_raw()), ExitStatus::from_raw(1 << 8));
        let point = Doomed::new(Doom::Point("K1", 1));
        assert_eq!(point.complaint(killed, ""), None);
        let complaint = point.complaint(refused, "there is no key die.at").expect("it was not killed");
        assert!(complaint.contains("there is no key die.at"), "{complaint}");
        let sync = Doomed::new(Doom::SyncError);
        assert!(sync.complaint(refused, "something else").is_some());
        assert_eq!(sync.complaint(refused, &format!("ERROR {CLEAR_LINE}")), None);
        assert_eq!(sync.complaint(refused, &format!("hongyan: {CLEAR_LINE_AT_START}a file: EIO")), None);
    }
}
