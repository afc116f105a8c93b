//! Sorts what the checker has found into the columns of the table.

use hongyan_checker::{Invariant, Report};

/// What the checker found.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Verdict {
    /// Acknowledged or stored, and not shown to somebody who should see it; or left pending for ever.
    pub lost: u64,
    /// Shown twice, or kept under two numbers.
    pub doubled: u64,
    /// Shown or numbered in another order.
    pub reordered: u64,
    /// Shown with other bytes, or as if by somebody else.
    pub altered: u64,
    /// Everything else that must not be.
    pub other: u64,
    /// How often each promise was broken, and the first case, in words.
    pub examples: Vec<String>,
}

impl Verdict {
    /// Of a whole history.
    pub fn new(report: &Report) -> Self {
        let count = |invariants: &[Invariant]| invariants.iter().map(|invariant| report.count(*invariant)).sum();
        let lost = count(&[Invariant::I1, Invariant::I11]);
        let doubled = count(&[Invariant::I3, Invariant::I7]);
        let (reordered, altered) = (count(&[Invariant::I4]), count(&[Invariant::I2]));
        let other = report.violations_total - lost - doubled - reordered - altered;
        let first = |invariant| report.violations.iter().find(|violation| violation.invariant == invariant);
        let example = |(invariant, count): &(Invariant, u64)| {
            let first = first(*invariant).map_or_else(|| invariant.to_string(), ToString::to_string);
            format!("{count} × {first}")
        };
        let examples = report.by_invariant.iter().map(example).collect();
        Self { lost, doubled, reordered, altered, other, examples }
    }

    /// Nothing was found.
    pub fn is_sound(&self) -> bool {
        self.lost + self.doubled + self.reordered + self.altered + self.other == 0
    }
}

#[cfg(test)]
mod tests {
    use hongyan_checker::{Checker, Event, Record};

    use super::*;

    #[test]
    fn what_is_found_stands_in_its_column() {
        let mut checker = Checker::default();
        let events = [
            Event::User { app: "a".into(), name: "alice".into() },
            Event::User { app: "a".into(), name: "bob".into() },
            Event::Device { user: 0, name: "alice/desk".into() },
            Event::Device { user: 1, name: "bob/desk".into() },
            Event::Live { device: 0, resumed: false },
            Event::Live { device: 1, resumed: false },
            Event::Send { device: 0, to: 1, id: 5, digest: 1 },
            Event::Acked { device: 0, to: 1, id: 5, seq: 1 },
            Event::Send { device: 0, to: 1, id: 6, digest: 1 },
            Event::Acked { device: 0, to: 1, id: 6, seq: 2 },
            Event::Shown { device: 1, peer: 0, own: false, seq: 2, id: 6, digest: 2 },
            Event::Shown { device: 1, peer: 0, own: false, seq: 2, id: 6, digest: 1 },
            Event::AtRest,
            Event::Panic { what: "oh".into() },
        ];
        for (at_ms, event) in (0..).zip(events) {
            checker.take(&Record { at_ms, event });
        }
        let verdict = Verdict::new(&checker.finish());
        let Verdict { lost, doubled, reordered, altered, other, .. } = verdict;
        assert_eq!((lost, doubled, reordered, altered, other), (1, 1, 0, 1, 1), "{:?}", verdict.examples);
        assert!(verdict.examples[0].starts_with("1 × I1 at 12 ms:"), "{:?}", verdict.examples);
        assert!(!verdict.is_sound() && Verdict::default().is_sound());
    }
}
