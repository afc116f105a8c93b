//! The disk fills up: first to below the server's reserve, then to the last byte. Meanwhile sends wait, and below the
//! reserve everything else goes on; when there is room again, so do sends, without a restart. A small tmpfs; root only.

use std::fs::File;
use std::io::{ErrorKind, Write};
use std::path::PathBuf;
use std::time::{Duration, Instant};

use anyhow::{Context, Result};

use super::{Rig, Struck};
use crate::server::Place;
use crate::stage::Stage;
use crate::system;

const DISK_MIB: u64 = 192;
const RESERVE_BYTES: u64 = 16 << 20;
/// What is left below the reserve, so that logins, cursors and marks have room.
const LEFT_BYTES: u64 = 8 << 20;
/// The server looks at its free space once a second; clients repeat a refused send for some 15 s.
const FULL_MS: (u64, u64) = (2000, 4000);
/// A resume on a disk that is only low must not take longer.
const RESUME_MAX: Duration = Duration::from_secs(10);
const REFUSED: &str = "hongyan_logic_sends_refused_total";

/// A small disk, and what fills it.
#[derive(Default)]
pub struct FullDisk {
    mount: PathBuf,
    strikes: u32,
}

impl FullDisk {
    fn make(&mut self, place: &Place) -> Result<()> {
        self.mount = place.folder.join("small");
        std::fs::create_dir(&self.mount)?;
        let mount = self.mount.to_str().context("folders of runs have plain names")?;
        system::run(&["mount", "-t", "tmpfs", "-o", &format!("size={DISK_MIB}m"), "tmpfs", mount])
    }

    fn filler(&self) -> PathBuf {
        self.mount.join("filler")
    }

    /// Takes all space but about so many bytes. The server takes some meanwhile.
    fn fill(&self, left_bytes: u64) -> Result<()> {
        let mut filler = File::create(self.filler())?;
        for block in [vec![1; 1 << 16], vec![1; 1 << 12]] {
            while self.free_bytes()? >= left_bytes + block.len() as u64 {
                match filler.write_all(&block) {
                    Err(error) if error.kind() == ErrorKind::StorageFull => break,
                    written => written?,
                }
            }
        }
        Ok(())
    }

    fn free_bytes(&self) -> Result<u64> {
        let found = rustix::fs::statvfs(&self.mount)?;
        Ok(found.f_bavail * found.f_frsize)
    }
}

impl Rig for FullDisk {
    fn prepare(&mut self, place: &mut Place) -> Result<Option<String>> {
        let unfit = system::unfit(self.make(place));
        place.data = self.mount.join("data");
        place.environment.push(("HONGYAN_STORE_DISK_RESERVE_BYTES".into(), RESERVE_BYTES.to_string()));
        Ok(unfit)
    }

    fn strike(&mut self, stage: &mut Stage) -> Result<Struck> {
        stage.breathe(100, 600)?;
        self.strikes += 1;
        let to_the_brim = self.strikes.is_multiple_of(2);
        let before = stage.server.metric(REFUSED)?;
        self.fill(if to_the_brim { 0 } else { LEFT_BYTES })?;
        stage.breathe(FULL_MS.0, FULL_MS.1)?;
        if !to_the_brim {
            stage.crowd.cut_somebody();
            stage.wait("a resume on a disk without room for messages", RESUME_MAX, |stage| stage.crowd.all_live())?;
            if !stage.crowd.can_read_history()? {
                stage.complain("a history could not be read while the disk was low");
            }
        }
        let refused = stage.server.metric(REFUSED)? - before;
        std::fs::remove_file(self.filler())?;
        stage.recover(Instant::now())?;
        Ok(if refused > 0.0 { Struck::Hit } else { Struck::Missed })
    }
}

impl Drop for FullDisk {
    fn drop(&mut self) {
        if let Some(mount) = self.mount.to_str() {
            // It may not be mounted.
            let _ = system::run(&["umount", mount]);
        }
    }
}
