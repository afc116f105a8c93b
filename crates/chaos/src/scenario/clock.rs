//! Somebody sets the server's clock: an hour back, or a year ahead, and right again later.

use std::path::PathBuf;
use std::time::Instant;

use anyhow::Result;

use super::{Rig, Struck};
use crate::server::Place;
use crate::shim;
use crate::stage::Stage;

const HOUR: i64 = 3600;
const YEAR: i64 = 365 * 24 * HOUR;

/// Jumps of the wall clock; in every other strike the server is also killed while its clock is wrong.
#[derive(Default)]
pub struct Clock {
    file: PathBuf,
    strikes: usize,
}

impl Clock {
    /// The server sees it at once: it has mapped the file.
    fn set(&self, seconds: i64) -> Result<()> {
        use std::os::unix::fs::FileExt;
        let file = std::fs::File::options().write(true).create(true).truncate(false).open(&self.file)?;
        Ok(file.write_all_at(&seconds.to_ne_bytes(), 0)?)
    }
}

impl Rig for Clock {
    fn prepare(&mut self, place: &mut Place) -> Result<Option<String>> {
        self.file = place.folder.join("clock");
        self.set(0)?;
        place.environment.push(("FAULT_CLOCK".into(), self.file.display().to_string()));
        shim::preload(place, shim::clock)
    }

    fn strike(&mut self, stage: &mut Stage) -> Result<Struck> {
        stage.breathe(100, 600)?;
        self.strikes += 1;
        self.set([-HOUR, YEAR][self.strikes % 2])?;
        stage.breathe(200, 1500)?;
        stage.crowd.cut_somebody();
        if self.strikes % 4 < 2 {
            stage.server.kill()?;
            stage.restart()?;
        }
        stage.breathe(200, 1500)?;
        self.set(0)?;
        stage.recover(Instant::now())?;
        Ok(Struck::Hit)
    }
}
