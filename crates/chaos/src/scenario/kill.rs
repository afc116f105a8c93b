//! The server dies without a word: at any moment, at a chosen point of its code, or inside a sync of the disk.

use anyhow::Result;

use super::Rig;
use crate::stage::Stage;

/// kill -9, whatever it is doing.
pub struct Kill;

impl Rig for Kill {
    fn strike(&mut self, stage: &mut Stage) -> Result<()> {
        stage.breathe(50, 600)?;
        stage.server.kill()?;
        stage.restart(&[])
    }
}
