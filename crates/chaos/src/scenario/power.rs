//! The power goes: everything that was not synced is gone. XFS on a file is shut down under the server, which drops
//! every page that is not on its disk, and mounted again. Root only. What was acknowledged is written down outside of it.
//!
//! The server is frozen a moment before. A process without power says nothing any more, but one whose file system is
//! shut down does: a sync that is under way just then may return as if it had been done (in 7 of 200 cuts of a program
//! that only appends and syncs; in 0 of 300 when it was frozen first), and its answer would be taken for a promise.

use std::path::{Path, PathBuf};

use anyhow::Result;

use super::{Rig, Struck};
use crate::server::Place;
use crate::shim;
use crate::stage::Stage;
use crate::system;

/// Sparse, and so large that the server never comes near its reserve of free space.
const DISK_BYTES: u64 = 8 << 30;
/// A file system that can lose its power.
#[derive(Default)]
pub struct PowerCut {
    image: PathBuf,
    mount: PathBuf,
    lies: bool,
}

impl PowerCut {
    /// On a disk that syncs nothing and says that it did.
    pub fn lying() -> Self {
        Self { image: PathBuf::new(), mount: PathBuf::new(), lies: true }
    }

    fn make(&mut self, place: &Place) -> Result<()> {
        self.image = place.folder.join("disk.img");
        self.mount = place.folder.join("disk");
        std::fs::File::create(&self.image)?.set_len(DISK_BYTES)?;
        std::fs::create_dir(&self.mount)?;
        system::run(&["xfs_io", "-V"])?;
        system::run(&["mkfs.xfs", "-q", "-f", text(&self.image)])?;
        self.plug_in()
    }

    fn plug_in(&self) -> Result<()> {
        system::run(&["mount", "-o", "loop", text(&self.image), text(&self.mount)])
    }

    /// Shut down without writing its log, so that nothing unsynced survives.
    fn cut(&self) -> Result<()> {
        system::run(&["xfs_io", "-x", "-c", "shutdown", text(&self.mount)])
    }

    fn unplug(&self) -> Result<()> {
        system::run(&["umount", text(&self.mount)])
    }
}

fn text(path: &Path) -> &str {
    path.to_str().expect("folders of runs have plain names")
}

impl Rig for PowerCut {
    fn prepare(&mut self, place: &mut Place) -> Result<Option<String>> {
        if let Some(reason) = system::unfit(self.make(place)) {
            return Ok(Some(reason));
        }
        place.data = self.mount.join("data");
        if !self.lies {
            return Ok(None);
        }
        place.environment.push(("FAULT_SYNC_LIE".into(), "1".into()));
        shim::preload(place, shim::disk)
    }

    fn strike(&mut self, stage: &mut Stage) -> Result<Struck> {
        stage.breathe(50, 600)?;
        stage.server.freeze()?;
        self.cut()?;
        stage.server.kill()?;
        self.unplug()?;
        self.plug_in()?;
        stage.restart()?;
        Ok(Struck::Hit)
    }
}

impl Drop for PowerCut {
    fn drop(&mut self) {
        // It may not be mounted.
        let _ = self.unplug();
    }
}
