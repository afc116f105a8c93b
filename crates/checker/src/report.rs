//! The judgement: what was broken, and how much was looked at. A clean report about nothing proves nothing, so both
//! belong together.

use std::fmt;

use serde::Serialize;

use crate::violation::{Invariant, Violation};

/// How much the history holds.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Counts {
    /// Lines of the history.
    pub records: u64,
    /// Users that exist.
    pub users: u64,
    /// Devices that exist.
    pub devices: u64,
    /// Pairs of users that had to do with each other.
    pub conversations: u64,
    /// Messages that were written.
    pub sent: u64,
    /// Messages whose device was told that the server has them.
    pub acknowledged: u64,
    /// Messages whose device was told that the server refused them.
    pub refused: u64,
    /// Times that a device gave a message up.
    pub given_up: u64,
    /// First sights of a message on a device.
    pub shown: u64,
    /// Changes that were asked for.
    pub changes_asked: u64,
    /// Changes whose device was told that they are done.
    pub changes_done: u64,
    /// Times that a device showed a message as it is after a change.
    pub changes_shown: u64,
    /// Receipts that were shown.
    pub receipts: u64,
    /// Sessions that were opened.
    pub logins: u64,
    /// Sessions that went on.
    pub resumes: u64,
    /// Times that a device was told to skip what it had missed.
    pub resets: u64,
    /// Processes of devices that died.
    pub crashes: u64,
    /// Times that everything was at rest: without one, nothing that may still come can be missed.
    pub rests: u64,
}

impl Counts {
    /// All, with names for people, in the order of the fields.
    fn named(&self) -> [(&'static str, u64); 18] {
        [
            ("records", self.records),
            ("users", self.users),
            ("devices", self.devices),
            ("conversations", self.conversations),
            ("messages sent", self.sent),
            ("acknowledged", self.acknowledged),
            ("refused", self.refused),
            ("given up", self.given_up),
            ("shown", self.shown),
            ("changes asked for", self.changes_asked),
            ("changes done", self.changes_done),
            ("changes shown", self.changes_shown),
            ("receipts shown", self.receipts),
            ("logins", self.logins),
            ("resumes", self.resumes),
            ("resets", self.resets),
            ("crashes", self.crashes),
            ("times at rest", self.rests),
        ]
    }
}

/// The judgement of a history.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Report {
    /// The first cases, in the order in which they were noticed.
    pub violations: Vec<Violation>,
    /// All cases.
    pub violations_total: u64,
    /// How many of them broke what, for those that were broken.
    pub by_invariant: Vec<(Invariant, u64)>,
    /// How much was looked at.
    pub counts: Counts,
}

impl Report {
    /// Nothing was broken.
    pub fn is_clean(&self) -> bool {
        self.violations_total == 0
    }

    /// Cases of one kind.
    pub fn count(&self, invariant: Invariant) -> u64 {
        self.by_invariant.iter().find(|(broken, _)| *broken == invariant).map_or(0, |(_, count)| *count)
    }
}

impl fmt::Display for Report {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (name, count) in self.counts.named() {
            writeln!(formatter, "{name:>20}  {count}")?;
        }
        if self.counts.rests == 0 {
            writeln!(
                formatter,
                "\nThe history never comes to rest: losses cannot be told from what is still to come."
            )?;
        }
        if self.is_clean() {
            return writeln!(formatter, "\nNothing is broken.");
        }
        writeln!(formatter, "\n{} cases of broken promises:", self.violations_total)?;
        for (invariant, count) in &self.by_invariant {
            writeln!(formatter, "{:>8}  {count:>8}  {}", invariant.to_string(), invariant.promise())?;
        }
        writeln!(formatter)?;
        self.violations.iter().try_for_each(|violation| writeln!(formatter, "{violation}"))?;
        let left_out = self.violations_total.saturating_sub(self.violations.len() as u64);
        if left_out > 0 {
            writeln!(formatter, "… and {left_out} more.")?;
        }
        Ok(())
    }
}

/// Collects violations: all are counted, the first are kept.
#[derive(Debug)]
pub(crate) struct Verdict {
    kept: Vec<Violation>,
    kept_max: usize,
    counts: [u64; Invariant::ALL.len()],
    pub(crate) at_ms: u64,
}

impl Verdict {
    pub(crate) fn new(kept_max: usize) -> Self {
        Self { kept: Vec::new(), kept_max, counts: [0; Invariant::ALL.len()], at_ms: 0 }
    }

    /// The sentence is made only if it is kept.
    pub(crate) fn add(&mut self, invariant: Invariant, what: impl FnOnce() -> String) {
        self.counts[invariant as usize] += 1;
        if self.kept.len() < self.kept_max {
            self.kept.push(Violation { invariant, at_ms: self.at_ms, what: what() });
        }
    }

    pub(crate) fn kept(&self) -> &[Violation] {
        &self.kept
    }

    pub(crate) fn total(&self) -> u64 {
        self.counts.iter().sum()
    }

    pub(crate) fn report(self, counts: Counts) -> Report {
        let violations_total = self.total();
        let broken = Invariant::ALL.into_iter().zip(self.counts).filter(|(_, count)| *count > 0);
        Report { by_invariant: broken.collect(), violations: self.kept, violations_total, counts }
    }
}
