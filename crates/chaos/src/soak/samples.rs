//! What is measured of a server that runs for hours, and what becomes of the measurements: slopes and a verdict. Pure
//! but for [`Process::read`].
//!
//! A restart begins a new *life*: memory and descriptors of another process say nothing about a leak. So slopes are
//! taken within lives, each without its beginning, in which caches fill, and put together.

use std::fmt::Write;
use std::time::Duration;

use anyhow::{Context, Result};
use serde_json::{Value, json};

use crate::figures::{millis, percentile, slope_within};

/// The beginning of a life, which says nothing about leaks.
const WARM_UP_SECONDS: f64 = 600.0;
/// Slopes over less than this, in all lives together, are shown and not judged.
const JUDGED_SECONDS_MIN: f64 = 3600.0;
/// Growth beyond this is a leak, in percent of the mean per hour (reliability.md §4).
const GROWTH_PERCENT_MAX: f64 = 0.1;
/// Whole numbers cannot grow by less than one; so much per hour is no leak.
const GROWTH_COUNT_MAX: f64 = 0.5;
const SECONDS_PER_HOUR: f64 = 3600.0;

/// What the kernel says about a process.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Process {
    /// Resident memory, in KiB.
    pub rss_kib: f64,
    /// Open file descriptors.
    pub descriptors: f64,
    /// Threads.
    pub threads: f64,
}

impl Process {
    /// Asks about a process.
    pub fn read(pid: u32) -> Result<Self> {
        let status = std::fs::read_to_string(format!("/proc/{pid}/status")).context("is the server gone?")?;
        let descriptors = std::fs::read_dir(format!("/proc/{pid}/fd"))?.count() as f64;
        let number = |name| number_of(&status, name).with_context(|| format!("/proc/{pid}/status has no {name}"));
        Ok(Self { rss_kib: number("VmRSS:")?, descriptors, threads: number("Threads:")? })
    }
}

fn number_of(status: &str, name: &str) -> Option<f64> {
    let line = status.lines().find_map(|line| line.strip_prefix(name))?;
    line.split_ascii_whitespace().next()?.parse().ok()
}

/// One look.
#[derive(Clone, Debug, Default)]
pub struct Sample {
    /// Since the beginning of the soak.
    pub seconds: f64,
    /// Since the server was started.
    pub age_seconds: f64,
    /// Which process it was, from 0.
    pub life: u32,
    /// The process.
    pub process: Process,
    /// Tasks of the server's runtime.
    pub tasks: f64,
    /// What the gate says.
    pub connections: f64,
    /// What the gate says.
    pub sessions: f64,
    /// Acknowledged since the last look.
    pub acknowledged: u64,
    /// From writing to the first sight, of what arrived since the last look: median, 99th percentile, longest.
    pub latency: [Option<Duration>; 3],
    /// A fault happened since the last look.
    pub disturbed: bool,
}

impl Sample {
    /// The heads of the columns of a file of samples.
    pub fn heads() -> &'static str {
        "seconds,life,age_seconds,rss_kib,descriptors,threads,tasks,connections,sessions,acknowledged,p50_ms,p99_ms,\
         max_ms,disturbed"
    }

    /// A line of such a file.
    pub fn line(&self) -> String {
        let shown = |time: Option<Duration>| time.map_or(String::new(), |time| format!("{:.1}", millis(time)));
        let [p50, p99, max] = self.latency.map(shown);
        let Process { rss_kib, descriptors, threads } = self.process;
        format!(
            "{:.0},{},{:.0},{rss_kib},{descriptors},{threads},{},{},{},{},{p50},{p99},{max},{}",
            self.seconds,
            self.life,
            self.age_seconds,
            self.tasks,
            self.connections,
            self.sessions,
            self.acknowledged,
            u8::from(self.disturbed)
        )
    }
}

/// How a number has grown.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Growth {
    /// Of what.
    pub name: &'static str,
    /// Its mean.
    pub mean: f64,
    /// Per hour; `None` if no life was warm.
    pub per_hour: Option<f64>,
    /// Seconds of warm lives that were looked at.
    pub seconds: f64,
}

impl Growth {
    fn of(name: &'static str, samples: &[Sample], number: impl Fn(&Sample) -> f64) -> Self {
        let warm: Vec<_> = samples.iter().filter(|sample| sample.age_seconds >= WARM_UP_SECONDS).collect();
        let lives: Vec<Vec<(f64, f64)>> = warm
            .chunk_by(|one, other| one.life == other.life)
            .map(|life| life.iter().map(|sample| (sample.seconds, number(sample))).collect())
            .collect();
        let lengths = lives.iter().filter_map(|life| Some(life.last()?.0 - life.first()?.0));
        let seconds = lengths.fold(0.0, |sum, length| sum + length);
        let all = if warm.is_empty() { samples.iter().collect() } else { warm };
        let mean = all.iter().map(|sample| number(sample)).sum::<f64>() / all.len().max(1) as f64;
        let per_hour = (seconds > 0.0).then(|| slope_within(&lives) * SECONDS_PER_HOUR);
        Self { name, mean, per_hour, seconds }
    }

    /// In percent of the mean.
    pub fn percent_per_hour(&self) -> Option<f64> {
        self.per_hour.map(|per_hour| if self.mean > 0.0 { per_hour / self.mean * 100.0 } else { 0.0 })
    }

    /// Whether it is a leak; `None` if it was not watched for long enough to say.
    pub fn leaks(&self) -> Option<bool> {
        let (per_hour, percent) = (self.per_hour?, self.percent_per_hour()?);
        let hardly = self.name != "rss_kib" && per_hour <= GROWTH_COUNT_MAX;
        (self.seconds >= JUDGED_SECONDS_MIN).then_some(percent > GROWTH_PERCENT_MAX && !hardly)
    }
}

/// The growth of everything that could leak.
pub fn growths(samples: &[Sample]) -> Vec<Growth> {
    vec![
        Growth::of("rss_kib", samples, |sample| sample.process.rss_kib),
        Growth::of("descriptors", samples, |sample| sample.process.descriptors),
        Growth::of("threads", samples, |sample| sample.process.threads),
        Growth::of("tasks", samples, |sample| sample.tasks),
        Growth::of("connections", samples, |sample| sample.connections),
        Growth::of("sessions", samples, |sample| sample.sessions),
    ]
}

/// The median and the worst p99 of the intervals without a fault, and the worst of all.
pub fn p99s(samples: &[Sample]) -> [Option<Duration>; 3] {
    let of = |disturbed_too: bool| -> Vec<_> {
        let chosen = samples.iter().filter(|sample| disturbed_too || !sample.disturbed);
        chosen.filter_map(|sample| sample.latency[1]).collect()
    };
    let calm = of(false);
    [percentile(&calm, 0.5), percentile(&calm, 1.0), percentile(&of(true), 1.0)]
}

/// For people.
pub fn table(samples: &[Sample]) -> String {
    let mut table = format!("{:<14}{:>14}{:>14}{:>10}  verdict\n", "", "mean", "per hour", "%/h");
    for growth in growths(samples) {
        let verdict = match growth.leaks() {
            Some(true) => "LEAKS",
            Some(false) => "ok",
            None => "too short to say",
        };
        let shown = |number: Option<f64>| number.map_or("-".to_owned(), |number| format!("{number:.3}"));
        let (per_hour, percent) = (shown(growth.per_hour), shown(growth.percent_per_hour()));
        let (name, mean) = (growth.name, growth.mean);
        writeln!(table, "{name:<14}{mean:>14.1}{per_hour:>14}{percent:>10}  {verdict}").expect("a String grows");
    }
    let shown = |time: Option<Duration>| time.map_or("-".to_owned(), |time| format!("{:.0} ms", millis(time)));
    let [calm, worst_calm, worst] = p99s(samples).map(shown);
    writeln!(table, "p99 from writing to the first sight: {calm} (median) and {worst_calm} (worst) of calm intervals,")
        .expect("a String grows");
    writeln!(table, "{worst} (worst) of all").expect("a String grows");
    table
}

/// For programs.
pub fn json(samples: &[Sample]) -> Value {
    let growths = growths(samples).into_iter().map(|growth| {
        let about = json!({
            "mean": growth.mean,
            "per_hour": growth.per_hour,
            "percent_per_hour": growth.percent_per_hour(),
            "watched_seconds": growth.seconds,
            "leaks": growth.leaks(),
        });
        (growth.name.to_owned(), about)
    });
    let [calm, worst_calm, worst] = p99s(samples).map(|time| time.map(millis));
    json!({
        "growth": Value::Object(growths.collect()),
        "p99_calm_median_ms": calm,
        "p99_calm_worst_ms": worst_calm,
        "p99_worst_ms": worst,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Samples of two lives, in which memory grows by `per_hour` from different levels; the beginning of each is steep.
    fn lives(per_hour: f64) -> Vec<Sample> {
        let mut samples = Vec::new();
        for (life, level) in [(0_u32, 50_000.0), (1, 90_000.0)] {
            for minute in 0..120 {
                let age_seconds = f64::from(minute) * 60.0;
                let warm = (age_seconds - WARM_UP_SECONDS).max(0.0) / SECONDS_PER_HOUR * per_hour;
                let cold = (age_seconds - WARM_UP_SECONDS).min(0.0) * 100.0;
                let process = Process { rss_kib: level + warm + cold, descriptors: 40.0, threads: 9.0 };
                let seconds = age_seconds + f64::from(life) * 7200.0;
                samples.push(Sample { seconds, age_seconds, life, process, ..Sample::default() });
            }
        }
        samples
    }

    #[test]
    fn a_slope_is_taken_within_lives_and_without_their_beginnings() {
        let [memory, descriptors, ..] = growths(&lives(700.0))[..] else { panic!("memory comes first") };
        assert!((memory.per_hour.unwrap() - 700.0).abs() < 1e-6, "{memory:?}");
        assert_eq!((memory.leaks(), descriptors.leaks(), descriptors.per_hour), (Some(true), Some(false), Some(0.0)));
        assert_eq!(growths(&lives(50.0))[0].leaks(), Some(false), "0.07 % an hour");
        assert_eq!(growths(&lives(700.0)[..60])[0].leaks(), None, "not even an hour is warm");
        assert!(table(&lives(700.0)).contains("LEAKS") && json(&lives(0.0))["growth"]["threads"]["leaks"] == false);
    }

    #[test]
    fn calm_intervals_are_told_from_disturbed_ones() {
        let sample = |ms, disturbed| Sample {
            latency: [None, Some(Duration::from_millis(ms)), None],
            disturbed,
            ..Sample::default()
        };
        let samples = [sample(5, false), sample(7, false), sample(3, false), sample(900, true), Sample::default()];
        assert_eq!(p99s(&samples), [5, 7, 900].map(|ms| Some(Duration::from_millis(ms))));
        assert_eq!(samples[0].line().split(',').count(), Sample::heads().split(',').count());
    }

    #[test]
    fn the_kernel_s_words_are_understood() {
        assert_eq!(number_of("VmPeak:\t 9 kB\nVmRSS:\t    5120 kB\nThreads:\t7\n", "VmRSS:"), Some(5120.0));
        let own = Process::read(std::process::id()).unwrap();
        assert!(own.rss_kib > 0.0 && own.descriptors > 2.0 && own.threads >= 1.0);
    }
}
