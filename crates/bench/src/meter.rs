//! What a stretch of a run has cost: wall time, CPU of both ends, the server's batches.

use anyhow::Result;

use crate::clock::Clock;
use crate::metrics::Metrics;
use crate::process::{self, Usage};
use crate::report::{Reach, Report};
use crate::server::Server;

/// The server's histogram of items per commit.
const BATCH: &str = "hongyan_store_batch_items";

/// The beginning of a stretch.
pub struct Meter {
    clock: Clock,
    start_us: u64,
    server: Option<Usage>,
    own: Usage,
    metrics: Option<Metrics>,
}

/// A whole stretch.
pub struct Cost {
    /// Wall time.
    pub seconds: f64,
    /// Of the server, in microseconds, if its process is known.
    pub server_cpu_us: Option<f64>,
    /// Of this process, in microseconds.
    pub client_cpu_us: f64,
    /// Mean number of items per commit, if the server tells.
    pub batch_mean: Option<f64>,
}

impl Meter {
    /// Begins now.
    pub fn start(clock: Clock, server: &Server) -> Result<Self> {
        let metrics = server.metrics()?;
        Ok(Self { clock, start_us: clock.micros(), server: server.usage()?, own: process::own_usage()?, metrics })
    }

    /// Microseconds on the run's clock at which it began.
    pub fn start_us(&self) -> u64 {
        self.start_us
    }

    /// Ends now.
    pub fn stop(self, server: &Server) -> Result<Cost> {
        let seconds = (self.clock.micros() - self.start_us) as f64 / 1e6;
        let used = |before: Usage, after: Usage| (after.cpu_us - before.cpu_us) as f64;
        let client_cpu_us = used(self.own, process::own_usage()?);
        let server_cpu_us = self.server.zip(server.usage()?).map(|(before, after)| used(before, after));
        let batch_mean =
            self.metrics.zip(server.metrics()?).and_then(|(before, after)| after.mean_since(&before, BATCH));
        Ok(Cost { seconds, server_cpu_us, client_cpu_us, batch_mean })
    }
}

impl Cost {
    /// The server's CPU per unit, in microseconds.
    pub fn server_us_per(&self, units: f64) -> Option<f64> {
        self.server_cpu_us.map(|micros| micros / units)
    }

    /// Adds the CPU of both ends per unit, in microseconds: the server's, if it is known, under the first key.
    pub fn add_cpu(&self, report: &mut Report, units: f64, keys: [&'static str; 2], reach: Option<Reach>) {
        match (self.server_us_per(units), reach) {
            (Some(micros), Some(reach)) => report.add_aimed(keys[0], micros, reach),
            (micros, _) => report.add_known(keys[0], micros),
        }
        report.add(keys[1], self.client_cpu_us / units);
    }

    /// Adds what says how well the disk and the group commit did.
    pub fn add_store(&self, report: &mut Report, server: &Server) {
        report.add_known("fsync_median_us", server.fsync_median_us.map(|micros| micros as f64));
        report.add_known("batch_mean", self.batch_mean);
    }
}
