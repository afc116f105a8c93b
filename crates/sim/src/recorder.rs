//! Writes down what devices see, hands it to the checker, and keeps it if somebody wants to read it.

use std::hash::{DefaultHasher, Hash, Hasher};

use hongyan_checker::{Checker, CheckerOptions, Event, Record, Report};

/// The history of one world.
pub struct Recorder {
    checker: Checker,
    kept: Option<Vec<Record>>,
    fingerprint: Option<DefaultHasher>,
    at_ms: u64,
}

impl Recorder {
    /// Empty; judges by these options; keeps its records and hashes them if `keep`.
    pub fn new(options: CheckerOptions, keep: bool) -> Self {
        let checker = Checker::new(options);
        let (kept, fingerprint) = (keep.then(Vec::new), keep.then(DefaultHasher::new));
        Self { checker, kept, fingerprint, at_ms: 0 }
    }

    /// Time goes on.
    pub fn set_time(&mut self, now_us: u64) {
        self.at_ms = now_us / 1000;
    }

    /// Something was seen.
    pub fn saw(&mut self, event: Event) {
        let record = Record { at_ms: self.at_ms, event };
        self.checker.take(&record);
        if let Some(fingerprint) = &mut self.fingerprint {
            format!("{record:?}").hash(fingerprint);
        }
        if let Some(kept) = &mut self.kept {
            kept.push(record);
        }
    }

    /// The judgement, the records, and a number that is the same for the same records.
    pub fn finish(self) -> (Report, Vec<Record>, u64) {
        let fingerprint = self.fingerprint.map_or(0, |hasher| hasher.finish());
        (self.checker.finish(), self.kept.unwrap_or_default(), fingerprint)
    }
}
