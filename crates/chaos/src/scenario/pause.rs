//! The server lives but does not answer for a while: it is stopped, its disk is slow, or one of its readers is.

use std::path::PathBuf;
use std::time::{Duration, Instant};

use anyhow::Result;
use rustix::process::Signal;

use super::{Rig, Struck};
use crate::interrupt;
use crate::server::Place;
use crate::shim;
use crate::stage::Stage;

/// Every so manyth pause is long.
const LONG_EVERY: u32 = 5;
const SHORT: Duration = Duration::from_secs(1);
const LONG: Duration = Duration::from_secs(10);
/// What a sync of a slow disk takes longer.
const SLOW_SYNC_MS: u64 = 500;

/// SIGSTOP for 1 s, sometimes 10 s, then SIGCONT.
#[derive(Default)]
pub struct Pause {
    strikes: u32,
}

impl Rig for Pause {
    fn strike(&mut self, stage: &mut Stage) -> Result<Struck> {
        stage.breathe(100, 600)?;
        self.strikes += 1;
        stage.server.signal(Signal::STOP)?;
        interrupt::pause(if self.strikes.is_multiple_of(LONG_EVERY) { LONG } else { SHORT })?;
        stage.server.signal(Signal::CONT)?;
        let healed = Instant::now();
        stage.crowd.dial_now();
        stage.recover(healed)?;
        Ok(Struck::Hit)
    }
}

/// Every sync takes half a second longer for some seconds.
#[derive(Default)]
pub struct SlowDisk {
    trigger: PathBuf,
}

impl Rig for SlowDisk {
    fn prepare(&mut self, place: &mut Place) -> Result<Option<String>> {
        self.trigger = place.folder.join("slow");
        place.environment.push(("FAULT_SYNC_SLOW".into(), self.trigger.display().to_string()));
        shim::preload(place, shim::disk)
    }

    fn strike(&mut self, stage: &mut Stage) -> Result<Struck> {
        stage.breathe(100, 600)?;
        std::fs::write(&self.trigger, SLOW_SYNC_MS.to_string())?;
        stage.breathe(2000, 5000)?;
        std::fs::remove_file(&self.trigger)?;
        stage.recover(Instant::now())?;
        Ok(Struck::Hit)
    }
}

/// One client does not take what it is sent, while others write more to it than anybody wants to keep.
#[derive(Default)]
pub struct SlowReader {
    strikes: u32,
}

/// More than the gate keeps for a connection.
const FLOOD_MESSAGES: usize = 150;
const FLOOD_BYTES: usize = 4000;
/// Longer than the gate waits for a socket that takes nothing (gate.write_stall_ms_max).
const STALL: Duration = Duration::from_secs(17);
const PUSHES_DROPPED: &str = "hongyan_gate_pushes_dropped_total";

impl Rig for SlowReader {
    fn strike(&mut self, stage: &mut Stage) -> Result<Struck> {
        stage.breathe(100, 600)?;
        self.strikes += 1;
        let before = stage.server.metric(PUSHES_DROPPED)?;
        stage.crowd.slow_reader(false);
        stage.crowd.flood(FLOOD_MESSAGES, FLOOD_BYTES);
        let long = self.strikes.is_multiple_of(LONG_EVERY);
        interrupt::pause(if long { STALL } else { Duration::from_secs(2) })?;
        let dropped = stage.server.metric(PUSHES_DROPPED)? - before;
        stage.crowd.slow_reader(true);
        stage.recover(Instant::now())?;
        Ok(if dropped > 0.0 { Struck::Hit } else { Struck::Missed })
    }
}
