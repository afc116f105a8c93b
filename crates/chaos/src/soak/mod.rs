//! A server under load for hours, with a random fault every few minutes: does it leak, does it get slower, does it lose
//! anything? What it is hurt with are the rigs of [`crate::scenario`] that need no place of their own.

pub mod samples;

use std::fs::File;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use anyhow::{Context, Result};
use serde_json::{Map, Value, json};

use self::samples::{Process, Sample};
use crate::figures::percentile;
use crate::interrupt;
use crate::judge::Verdict;
use crate::random::Random;
use crate::scenario::{Rig, soaking_rigs};
use crate::server::Place;
use crate::stage::{Cast, Stage, history};

/// Between two looks, unless the whole soak is short.
const LOOK_EVERY: Duration = Duration::from_secs(10);
/// A soak has at least so many looks.
const LOOKS_MIN: u32 = 60;
/// And, if it is short, at least so many faults.
const FAULTS_MIN: u32 = 8;
/// After so long everything comes to rest and is judged.
const CHAPTER: Duration = Duration::from_secs(3600);

/// What a soak needs to know.
#[derive(Clone, Debug)]
pub struct Soak {
    /// The server.
    pub server: PathBuf,
    /// Its folder is made in it.
    pub parent: PathBuf,
    /// How long.
    pub length: Duration,
    /// Between two faults.
    pub fault_every: Duration,
    /// Who is there, and what they do.
    pub cast: Cast,
    /// Samples are written to this file.
    pub csv: PathBuf,
}

/// What came of it.
#[derive(Debug, Default)]
pub struct Outcome {
    /// All looks.
    pub samples: Vec<Sample>,
    /// Faults that happened, by name.
    pub faults: Vec<(&'static str, u32)>,
    /// Of every chapter, in order.
    pub verdicts: Vec<Verdict>,
    /// Messages that were acknowledged.
    pub acknowledged: u64,
    /// What else should have held.
    pub complaints: Vec<String>,
    /// Longest time until a restarted process took clients.
    pub restart_max: Option<Duration>,
    /// Longest time until everybody was back.
    pub recovery_max: Option<Duration>,
    /// Where log and histories are, if something was found.
    pub folder: Option<PathBuf>,
}

impl Outcome {
    /// Nothing was lost or broken, and nothing grows that was watched for long enough.
    pub fn is_sound(&self) -> bool {
        let leaks = samples::growths(&self.samples).iter().any(|growth| growth.leaks() == Some(true));
        self.complaints.is_empty() && self.verdicts.iter().all(Verdict::is_sound) && !leaks
    }

    /// The sum of a column over all chapters.
    pub fn total(&self, column: fn(&Verdict) -> u64) -> u64 {
        self.verdicts.iter().map(column).sum()
    }

    /// For people.
    pub fn table(&self) -> String {
        let faults: Vec<_> = self.faults.iter().map(|(name, times)| format!("{name} {times}")).collect();
        let mut table = samples::table(&self.samples);
        table += &format!(
            "{} acknowledged, {} lost, {} doubled, {} reordered, {} altered, {} other, in {} chapters\nfaults: {}\n",
            self.acknowledged,
            self.total(|verdict| verdict.lost),
            self.total(|verdict| verdict.doubled),
            self.total(|verdict| verdict.reordered),
            self.total(|verdict| verdict.altered),
            self.total(|verdict| verdict.other),
            self.verdicts.len(),
            faults.join(", "),
        );
        let examples = self.verdicts.iter().flat_map(|verdict| &verdict.examples);
        for word in self.complaints.iter().chain(examples) {
            table += &format!("    {word}\n");
        }
        let judged = samples::growths(&self.samples).iter().all(|growth| growth.leaks().is_some());
        table
            + match (self.is_sound(), judged) {
                (false, _) => "BROKEN\n",
                (true, true) => "sound\n",
                (true, false) => "sound, but too short to say whether anything grows\n",
            }
    }

    /// For programs.
    pub fn json(&self) -> Value {
        let faults = self.faults.iter().map(|(name, times)| ((*name).to_owned(), json!(times)));
        let millis = |time: Option<Duration>| time.map(|time| time.as_millis() as u64);
        json!({
            "seconds": self.samples.last().map(|sample| sample.seconds),
            "acknowledged": self.acknowledged,
            "lost": self.total(|verdict| verdict.lost),
            "doubled": self.total(|verdict| verdict.doubled),
            "reordered": self.total(|verdict| verdict.reordered),
            "altered": self.total(|verdict| verdict.altered),
            "other": self.total(|verdict| verdict.other),
            "chapters": self.verdicts.len(),
            "faults": faults.collect::<Map<_, _>>(),
            "restart_max_ms": millis(self.restart_max),
            "recovery_max_ms": millis(self.recovery_max),
            "complaints": self.complaints,
            "measured": samples::json(&self.samples),
            "sound": self.is_sound(),
        })
    }
}

/// Runs one to its end.
pub fn soak(options: &Soak) -> Result<Outcome> {
    std::fs::create_dir_all(&options.parent)?;
    let parent = options.parent.canonicalize()?;
    let folder = tempfile::Builder::new().prefix("soak").tempdir_in(parent).context("making a folder")?;
    let mut place = Place::usual(options.server.clone(), folder.path());
    let mut rigs = Vec::new();
    for (name, mut rig) in soaking_rigs() {
        // What this machine cannot do is left out.
        if rig.prepare(&mut place)?.is_none() {
            rigs.push((name, rig));
        }
    }
    let mut outcome = Outcome::default();
    let done = Run::new(options, Stage::open(place, options.cast)?, &mut outcome)?.perform(options, rigs);
    if done.is_err() || !outcome.is_sound() {
        outcome.folder = Some(folder.keep());
    }
    done.with_context(|| format!("the soak did not come to its end; see {:?}", outcome.folder))?;
    Ok(outcome)
}

/// A soak under way.
struct Run<'a> {
    stage: Stage,
    begun: Instant,
    csv: File,
    acknowledged_before: u64,
    disturbed: bool,
    random: Random,
    outcome: &'a mut Outcome,
}

type Rigs = Vec<(&'static str, Box<dyn Rig>)>;

impl<'a> Run<'a> {
    fn new(options: &Soak, stage: Stage, outcome: &'a mut Outcome) -> Result<Self> {
        let mut csv = File::create(&options.csv).with_context(|| format!("creating {}", options.csv.display()))?;
        writeln!(csv, "{}", Sample::heads())?;
        let random = Random::new(options.cast.seed ^ 0x50AC);
        Ok(Self { stage, begun: Instant::now(), csv, acknowledged_before: 0, disturbed: false, random, outcome })
    }

    fn perform(mut self, options: &Soak, mut rigs: Rigs) -> Result<()> {
        let look_every = LOOK_EVERY.min(options.length / LOOKS_MIN);
        let fault_every = options.fault_every.min(options.length / FAULTS_MIN);
        let chapter = options.length / (options.length.as_secs().div_ceil(CHAPTER.as_secs()) as u32).max(1);
        let (mut next_look, mut next_fault, mut next_chapter) = (look_every, fault_every, chapter);
        while self.begun.elapsed() < options.length {
            let interrupted = interrupt::pause(next_look.saturating_sub(self.begun.elapsed())).is_err();
            if interrupted && interrupt::take() {
                // What was measured until now is worth something.
                break;
            }
            next_look = self.begun.elapsed().max(next_look) + look_every;
            self.stage.server.check()?;
            self.stage.crowd.check()?;
            self.look()?;
            if self.begun.elapsed() >= next_fault {
                next_fault += fault_every;
                self.hurt(&mut rigs)?;
            }
            if self.begun.elapsed() >= next_chapter && self.begun.elapsed() < options.length {
                next_chapter += chapter;
                self.turn_page()?;
            }
        }
        self.end()
    }

    fn look(&mut self) -> Result<()> {
        let counts = self.stage.journal.counts();
        let latencies = self.stage.journal.take_latencies();
        let (age, life) = self.stage.age();
        let sample = Sample {
            seconds: self.begun.elapsed().as_secs_f64(),
            age_seconds: age.as_secs_f64(),
            life,
            process: Process::read(self.stage.server.pid()?)?,
            tasks: self.stage.server.metric("hongyan_server_tasks")?,
            connections: self.stage.server.metric("hongyan_gate_connections")?,
            sessions: self.stage.server.metric("hongyan_gate_sessions_connected")?,
            acknowledged: counts.acknowledged - self.acknowledged_before,
            latency: [0.5, 0.99, 1.0].map(|fraction| percentile(&latencies, fraction)),
            disturbed: std::mem::take(&mut self.disturbed),
        };
        self.acknowledged_before = counts.acknowledged;
        writeln!(self.csv, "{}", sample.line())?;
        self.outcome.samples.push(sample);
        Ok(())
    }

    fn hurt(&mut self, rigs: &mut Rigs) -> Result<()> {
        self.disturbed = true;
        let chosen = self.random.below(rigs.len() as u64) as usize;
        let (name, rig) = &mut rigs[chosen];
        rig.strike(&mut self.stage)?;
        match self.outcome.faults.iter_mut().find(|(known, _)| known == name) {
            Some((_, times)) => *times += 1,
            None => self.outcome.faults.push((name, 1)),
        }
        Ok(())
    }

    fn turn_page(&mut self) -> Result<()> {
        self.disturbed = true;
        self.outcome.acknowledged += self.stage.journal.counts().acknowledged;
        let verdict = Verdict::new(&self.stage.next_chapter()?);
        self.acknowledged_before = 0;
        self.note(verdict)
    }

    fn note(&mut self, verdict: Verdict) -> Result<()> {
        let path = history(&self.stage.server.place().folder, self.outcome.verdicts.len() as u32);
        if verdict.is_sound() {
            std::fs::remove_file(path)?;
        }
        self.outcome.verdicts.push(verdict);
        Ok(())
    }

    fn end(mut self) -> Result<()> {
        self.stage.rest()?;
        self.stage.stop()?;
        self.outcome.acknowledged += self.stage.journal.counts().acknowledged;
        self.outcome.complaints = std::mem::take(&mut self.stage.complaints);
        self.outcome.restart_max = percentile(&self.stage.restarts, 1.0);
        self.outcome.recovery_max = percentile(&self.stage.recoveries, 1.0);
        self.outcome.verdicts.push(Verdict::new(&self.stage.judge()?));
        Ok(())
    }
}

/// The default file of samples, and the one of figures beside it.
pub fn figures_file(csv: &Path) -> PathBuf {
    csv.with_extension("json")
}
