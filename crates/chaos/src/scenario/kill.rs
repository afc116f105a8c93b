//! The server dies without a word at any moment, or is asked to go. Death at a chosen place is in [`super::doom`].

use std::time::Duration;

use anyhow::Result;

use super::{Rig, Struck};
use crate::stage::Stage;

/// What SIGTERM may take: the server's own deadline is 20 s, and there are few clients.
const DRAIN_MAX: Duration = Duration::from_secs(22);

/// kill -9, whatever it is doing.
pub struct Kill;

impl Rig for Kill {
    fn strike(&mut self, stage: &mut Stage) -> Result<Struck> {
        stage.breathe(50, 600)?;
        stage.server.kill()?;
        stage.restart()?;
        Ok(Struck::Hit)
    }
}

/// kill -9, and nobody tells the clients when the server is back: they come by their own back-off. Before each, links
/// live for as long as a client wants before it forgives earlier failures.
pub struct KillUnannounced;

impl Rig for KillUnannounced {
    fn strike(&mut self, stage: &mut Stage) -> Result<Struck> {
        stage.breathe(2500, 3500)?;
        stage.server.kill()?;
        stage.restart_unannounced()?;
        Ok(Struck::Hit)
    }
}

/// SIGTERM: clients are sent away, what is under way is finished, the process ends well; then the next version starts.
pub struct Drain;

impl Rig for Drain {
    fn strike(&mut self, stage: &mut Stage) -> Result<Struck> {
        stage.breathe(50, 1500)?;
        let took = stage.stop()?;
        if took > DRAIN_MAX {
            stage.complain(format!("a drain took {} ms", took.as_millis()));
        }
        stage.restart()?;
        Ok(Struck::Hit)
    }
}
