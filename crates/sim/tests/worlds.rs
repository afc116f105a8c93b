//! Worlds of the first seeds: nothing that was promised is broken, enough has happened, and a seed means one run. Prints
//! what it came to. Meant to be built with the profile `sim`; without optimisation it takes minutes.

use std::io::Write;

use hongyan_sim::campaign::{Extent, campaign};
use hongyan_sim::plan::Plan;
use hongyan_sim::world::run;

/// What one change must prove (docs/reliability.md).
const SEEDS: u64 = 600;
const MESSAGES_MIN: u64 = 200_000;
const FAULTS_MIN: u64 = 200_000;
/// Seeds in which something was found once, with what it was.
const FOUND: &str = include_str!("../seeds/found.tsv");

fn threads() -> usize {
    std::thread::available_parallelism().map_or(1, |threads| threads.get())
}

#[test]
fn no_promise_is_broken_whatever_fails() {
    let extent = Extent { from: 1, seeds: SEEDS, time_max: None, threads: threads(), until_failure: false };
    let totals = campaign(extent, None, |_| {});
    // Not captured by the test runner: whoever reads the log of a test run sees what it proved.
    let _ = writeln!(std::io::stderr(), "{}", totals.summary());
    assert_eq!(totals.failed, [], "`hongyan-sim seed N --shrink` shows the shortest sequence");
    assert_eq!(totals.seeds, SEEDS);
    assert!(totals.acknowledged >= MESSAGES_MIN, "{} messages", totals.acknowledged);
    assert!(totals.faults.total() >= FAULTS_MIN, "{} faults", totals.faults.total());
    assert_eq!(totals.faults.missing(), Vec::<&str>::new(), "every kind of fault has happened");
}

#[test]
fn what_was_found_once_stays_mended() {
    for line in FOUND.lines().filter(|line| !line.starts_with('#')) {
        let (seed, what) = line.split_once('\t').expect("a seed, a tab, what was found");
        let outcome = run(&Plan::new(seed.parse().expect("a number")), None, false);
        assert_eq!(outcome.report.violations, [], "seed {seed}: {what}");
    }
}

#[test]
fn a_seed_is_one_run() {
    // 10 and 20 have real SQLite below them.
    for seed in [1, 2, 3, 10, 20] {
        let [one, other] = [run(&Plan::new(seed), None, true), run(&Plan::new(seed), None, true)];
        assert_eq!(one.records, other.records, "seed {seed}");
        assert_eq!((one.faults, one.polls), (other.faults, other.polls), "seed {seed}");
        assert!(one.records.len() > 100);
    }
}
