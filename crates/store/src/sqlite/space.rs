//! Whether the disk still has more than the reserve. Asks the file system at most once a second.
#![allow(clippy::disallowed_methods, reason = "a shell: it spares the file system questions")]

use std::path::PathBuf;
use std::time::{Duration, Instant};

/// Time between two looks. What can be written meanwhile is far less than a reserve.
const INTERVAL: Duration = Duration::from_secs(1);

/// Watches the free space of the data folder.
pub(super) struct Space {
    folder: PathBuf,
    reserve_bytes: u64,
    looked: Option<Instant>,
    low: bool,
}

impl Space {
    /// Watches `folder`; a reserve of 0 is never touched.
    pub(super) fn new(folder: PathBuf, reserve_bytes: u64) -> Self {
        Self { folder, reserve_bytes, looked: None, low: false }
    }

    /// Whether only what may use the reserve goes on.
    pub(super) fn is_low(&mut self) -> bool {
        if self.reserve_bytes == 0 || self.looked.is_some_and(|time| time.elapsed() < INTERVAL) {
            return self.low;
        }
        self.looked = Some(Instant::now());
        match rustix::fs::statvfs(&self.folder) {
            Ok(found) => {
                let low = found.f_bavail.saturating_mul(found.f_frsize) < self.reserve_bytes;
                if low != self.low {
                    tracing::warn!(low, reserve_bytes = self.reserve_bytes, "free space crossed the reserve");
                }
                self.low = low;
            }
            Err(error) => tracing::warn!(%error, "cannot ask for the free space"),
        }
        self.low
    }
}
