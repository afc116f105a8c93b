//! Many seeds, on several threads, added up.
#![allow(clippy::disallowed_methods, reason = "real time ends a campaign; no world sees it")]

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::mpsc;
use std::time::{Duration, Instant};

use hongyan_checker::Violation;

use crate::faults::{Faults, KINDS};
use crate::plan::Plan;
use crate::world::{Outcome, run};

/// What many runs came to.
#[derive(Debug, Default)]
pub struct Totals {
    /// Runs.
    pub seeds: u64,
    /// Messages that were acknowledged.
    pub acknowledged: u64,
    /// Messages that were shown, on all devices.
    pub shown: u64,
    /// What went wrong around them.
    pub faults: Faults,
    /// Time that passed inside.
    pub simulated_us: u64,
    /// Seeds with a violation, and the first of each.
    pub failed: Vec<(u64, Violation)>,
}

impl Totals {
    /// One more run.
    pub fn add(&mut self, seed: u64, outcome: &Outcome) {
        self.seeds += 1;
        self.acknowledged += outcome.report.counts.acknowledged;
        self.shown += outcome.report.counts.shown;
        self.faults.merge(&outcome.faults);
        self.simulated_us += outcome.simulated_us;
        if let Some(first) = outcome.report.violations.first() {
            self.failed.push((seed, first.clone()));
        }
    }

    /// One line of it.
    pub fn summary(&self) -> String {
        let Self { seeds, acknowledged, failed, .. } = self;
        let (faults, simulated_s) = (self.faults.total(), self.simulated_us / 1_000_000);
        format!(
            "{seeds} seeds, {acknowledged} messages acknowledged, {faults} faults, {simulated_s} s simulated, {} violations",
            failed.len()
        )
    }

    /// A table of it, after so much real time on so many threads.
    pub fn table(&self, took: Duration, threads: usize) -> String {
        let seconds = took.as_secs_f64().max(1e-9);
        let core_seconds = seconds * threads as f64;
        let simulated_s = self.simulated_us as f64 / 1e6;
        let mut lines = vec![
            format!("seeds                  {:>14}", self.seeds),
            format!("messages acknowledged  {:>14}", self.acknowledged),
            format!("messages shown         {:>14}", self.shown),
            format!("faults                 {:>14}", self.faults.total()),
            format!("violations             {:>14}", self.failed.len()),
            format!("time inside            {:>14.0} s", simulated_s),
            format!("time outside           {:>14.1} s on {threads} threads", seconds),
            format!("per core               {:>14.0} acknowledged messages/s", self.acknowledged as f64 / core_seconds),
            format!("                       {:>14.0} x real time", simulated_s / core_seconds),
        ];
        for (kind, what) in KINDS {
            lines.push(format!("  {what:<34} {:>12}", self.faults.of(*kind)));
        }
        lines.join("\n")
    }
}

/// How much is to be run.
#[derive(Clone, Copy, Debug)]
pub struct Extent {
    /// The first seed.
    pub from: u64,
    /// So many seeds at most.
    pub seeds: u64,
    /// No seed begins after so long.
    pub time_max: Option<Duration>,
    /// On so many threads.
    pub threads: usize,
    /// Stop at the first violation.
    pub until_failure: bool,
}

/// Runs seeds one after another on each thread; `told` hears of every one, in no order.
pub fn campaign(extent: Extent, mutant: Option<&'static str>, mut told: impl FnMut(&Totals)) -> Totals {
    let begun = Instant::now();
    let (next, stop) = (AtomicU64::new(extent.from), AtomicBool::new(false));
    let end = extent.from.saturating_add(extent.seeds);
    let (results, outcomes) = mpsc::sync_channel(64);
    let mut totals = Totals::default();
    std::thread::scope(|scope| {
        for _ in 0..extent.threads.max(1) {
            let (results, next, stop) = (results.clone(), &next, &stop);
            scope.spawn(move || {
                while !stop.load(Ordering::Relaxed) && extent.time_max.is_none_or(|most| begun.elapsed() < most) {
                    let seed = next.fetch_add(1, Ordering::Relaxed);
                    if seed >= end || results.send((seed, run(&Plan::new(seed), mutant, false))).is_err() {
                        break;
                    }
                }
            });
        }
        drop(results);
        for (seed, outcome) in outcomes {
            totals.add(seed, &outcome);
            if extent.until_failure && !totals.failed.is_empty() {
                stop.store(true, Ordering::Relaxed);
            }
            told(&totals);
        }
    });
    totals.failed.sort_by_key(|(seed, _)| *seed);
    totals
}
