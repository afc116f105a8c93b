//! What clients do to their own links and processes while the server is well: they vanish and come back.

use std::time::{Duration, Instant};

use anyhow::Result;

use super::{Rig, Struck};
use crate::stage::Stage;

/// A client that was told to crash does so with its next row.
const CRASH_MAX: Duration = Duration::from_secs(5);

const ORDER_AGAIN_AFTER: Duration = Duration::from_secs(1);

/// A client with a store is killed at one of the places where it hurts.
pub struct ClientCrash;

impl Rig for ClientCrash {
    fn strike(&mut self, stage: &mut Stage) -> Result<Struck> {
        stage.breathe(10, 100)?;
        let before = stage.crowd.crashes();
        let mut ordered: Option<Instant> = None;
        stage.wait("a client to crash", CRASH_MAX, |stage| {
            // Whoever was told to may be dead just then.
            if ordered.is_none_or(|at| at.elapsed() > ORDER_AGAIN_AFTER) {
                stage.crowd.crash_somebody();
                ordered = Some(Instant::now());
            }
            stage.crowd.crashes() > before
        })?;
        stage.recover(Instant::now())?;
        Ok(Struck::Hit)
    }
}

/// Sockets are closed under clients that are writing.
pub struct Cut;

impl Rig for Cut {
    fn strike(&mut self, stage: &mut Stage) -> Result<Struck> {
        stage.breathe(20, 200)?;
        stage.crowd.cut_somebody();
        let cut = Instant::now();
        // The socket closes when the client's task gets to it.
        std::thread::sleep(Duration::from_millis(5));
        stage.crowd.dial_now();
        stage.recover(cut)?;
        Ok(Struck::Hit)
    }
}
