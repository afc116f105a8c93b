//! Runs scenarios one after the other, each on a folder of its own, and tells what came of them.

use std::path::PathBuf;
use std::time::{Duration, Instant};

use anyhow::{Context, Result};

use crate::crowd::Size;
use crate::judge::Verdict;
use crate::scenario::{Rig, Scenario, Struck};
use crate::server::{DiedAtStart, Place};
use crate::stage::{Cast, Stage};

/// Eight people, twelve devices, six of which keep a store.
pub const USUAL_SIZE: Size = Size { users: 8, second_devices: 4, stores: 6 };

/// A fault that waits for something to do may miss it; so many tries are made for each.
const TRIES_PER_HIT_MAX: u32 = 3;

/// What a run needs to know beside its scenario.
#[derive(Clone, Debug)]
pub struct Options {
    /// The server.
    pub server: PathBuf,
    /// The server that has points to die at.
    pub faults: Option<PathBuf>,
    /// Folders of runs are made in it.
    pub parent: PathBuf,
    /// How often each fault happens, instead of the scenario's own number.
    pub times: Option<u32>,
    /// Who is there, and what they do.
    pub cast: Cast,
    /// Keep folders also of runs without a finding.
    pub keep: bool,
}

/// A row of the table.
#[derive(Clone, Debug, Default)]
pub struct Row {
    /// The scenario.
    pub name: &'static str,
    /// Whether something had to be found.
    pub must_find: bool,
    /// Why it was not run.
    pub skipped: Option<String>,
    /// Why it did not come to its end.
    pub broken: Option<String>,
    /// That was because the server died when it was started.
    pub opens_no_more: bool,
    /// Faults that happened.
    pub times: u32,
    /// Messages that were acknowledged.
    pub acknowledged: u64,
    /// Crashes of clients.
    pub client_crashes: u64,
    /// What the checker says.
    pub verdict: Verdict,
    /// What else should have held.
    pub complaints: Vec<String>,
    /// Times until the process took clients.
    pub restarts: Vec<Duration>,
    /// Times until everybody was back.
    pub recoveries: Vec<Duration>,
    /// The whole run.
    pub took: Duration,
    /// Where history and log are, if they were kept.
    pub folder: Option<PathBuf>,
}

impl Row {
    /// What was found is what should be: nothing, or something where the disk lies. A skipped scenario finds nothing.
    pub fn is_sound(&self) -> bool {
        let clean = self.broken.is_none() && self.complaints.is_empty() && self.verdict.is_sound();
        // A store that does not even open any more was found out, too; a rig that fails has found nothing.
        let found = !self.verdict.is_sound() || (self.opens_no_more && self.acknowledged > 0);
        self.skipped.is_some() || if self.must_find { found } else { clean }
    }
}

/// Runs one scenario to its end, whatever it finds.
pub fn run(scenario: &Scenario, options: &Options) -> Row {
    let begun = Instant::now();
    let mut row = Row { name: scenario.name, must_find: scenario.must_find, ..Row::default() };
    if let Err(error) = perform(scenario, options, &mut row) {
        row.opens_no_more = error.chain().any(|cause| cause.is::<DiedAtStart>());
        row.broken = Some(format!("{error:#}"));
    }
    row.took = begun.elapsed();
    row
}

fn perform(scenario: &Scenario, options: &Options, row: &mut Row) -> Result<()> {
    let binary = if scenario.dies_at_points { options.faults.as_ref() } else { Some(&options.server) };
    let Some(binary) = binary else {
        row.skipped = Some("there is no server with points to die at: see --faults-binary".into());
        return Ok(());
    };
    std::fs::create_dir_all(&options.parent)?;
    let parent = options.parent.canonicalize()?;
    let folder = tempfile::Builder::new().prefix(scenario.name).tempdir_in(parent).context("making a folder")?;
    let mut rig = (scenario.rig)();
    let mut place = Place::usual(binary.clone(), folder.path());
    if let Some(reason) = rig.prepare(&mut place)? {
        row.skipped = Some(reason);
        return Ok(());
    }
    let done = hurt(scenario, options, &mut *rig, place, row);
    // What the rig has made outside the folder goes before it.
    drop(rig);
    if options.keep || done.is_err() || !row.is_sound() {
        row.folder = Some(folder.keep());
    }
    done
}

fn hurt(scenario: &Scenario, options: &Options, rig: &mut dyn Rig, place: Place, row: &mut Row) -> Result<()> {
    let mut stage = Stage::open(place, options.cast)?;
    let done = strike_often(scenario, options, rig, &mut stage, row);
    row.acknowledged = stage.journal.counts().acknowledged;
    row.client_crashes = stage.crowd.crashes();
    row.complaints = std::mem::take(&mut stage.complaints);
    row.restarts = std::mem::take(&mut stage.restarts);
    row.recoveries = std::mem::take(&mut stage.recoveries);
    done?;
    row.verdict = Verdict::new(&stage.judge()?);
    Ok(())
}

fn strike_often(
    scenario: &Scenario,
    options: &Options,
    rig: &mut dyn Rig,
    stage: &mut Stage,
    row: &mut Row,
) -> Result<()> {
    let times = options.times.unwrap_or(scenario.times);
    let tries_max = times.saturating_mul(TRIES_PER_HIT_MAX);
    for _ in 0..tries_max {
        if row.times == times {
            break;
        }
        row.times += u32::from(rig.strike(stage)? == Struck::Hit);
    }
    if row.times < times {
        stage.complain(format!("only {} of {times} faults happened in {tries_max} tries", row.times));
    }
    stage.rest()?;
    stage.stop().map(drop)
}
