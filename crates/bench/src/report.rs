//! What a measurement found: figures in order, as a table for people and as JSON for programs. Says what was aimed at,
//! and fails a run that lost something; it does not fail one that was slow, because machines differ.

use std::fmt::Write;

use serde_json::{Map, Value, json};

/// What a figure should be.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Reach {
    /// This or more.
    AtLeast(f64),
    /// This or less.
    AtMost(f64),
}

struct Figure {
    key: &'static str,
    value: f64,
    reach: Option<Reach>,
}

/// The figures of one measurement.
pub struct Report {
    /// The command.
    pub name: &'static str,
    figures: Vec<Figure>,
    notes: Vec<String>,
}

/// Figures that must be 0, or the run has failed: messages that are not where they belong, or whose sender was told that
/// they failed, and broken promises of any kind.
const FAULTS: [&str; 4] = ["lost", "duplicated", "failed", "violations"];

impl Report {
    /// Without figures.
    pub fn new(name: &'static str) -> Self {
        Self { name, figures: Vec::new(), notes: Vec::new() }
    }

    /// Adds a figure; its unit is at the end of its name.
    pub fn add(&mut self, key: &'static str, value: f64) {
        self.figures.push(Figure { key, value, reach: None });
    }

    /// Adds a figure with what it should reach.
    pub fn add_aimed(&mut self, key: &'static str, value: f64, reach: Reach) {
        self.figures.push(Figure { key, value, reach: Some(reach) });
    }

    /// Adds a figure if it is known.
    pub fn add_known(&mut self, key: &'static str, value: Option<f64>) {
        if let Some(value) = value {
            self.add(key, value);
        }
    }

    /// Adds a sentence for people.
    pub fn note(&mut self, note: impl Into<String>) {
        self.notes.push(note.into());
    }

    /// No message was lost, doubled, reordered, altered or given up.
    pub fn is_sound(&self) -> bool {
        self.figures.iter().all(|figure| !FAULTS.contains(&figure.key) || figure.value == 0.0)
    }

    /// As an object of numbers.
    pub fn json(&self) -> Value {
        let figures: Map<_, _> =
            self.figures.iter().map(|figure| (figure.key.to_owned(), number(figure.value))).collect();
        Value::Object(figures)
    }

    /// As a table.
    pub fn table(&self) -> String {
        let mut table = format!("{}\n", self.name);
        for Figure { key, value, reach } in &self.figures {
            let aim = match reach {
                None => String::new(),
                Some(Reach::AtLeast(least)) => format!("  reach ≥ {:<9}{}", shown(*least), verdict(value >= least)),
                Some(Reach::AtMost(most)) => format!("  reach ≤ {:<9}{}", shown(*most), verdict(value <= most)),
            };
            writeln!(table, "  {key:<34}{:>12}{aim}", shown(*value)).expect("a String grows");
        }
        for note in &self.notes {
            writeln!(table, "  {note}").expect("a String grows");
        }
        table
    }
}

fn verdict(reached: bool) -> &'static str {
    if reached { "yes" } else { "NO" }
}

fn number(value: f64) -> Value {
    if value.fract() == 0.0 && value.abs() < 9e15 { json!(value as i64) } else { json!((value * 1e4).round() / 1e4) }
}

fn shown(value: f64) -> String {
    if value.fract() == 0.0 || value.abs() >= 1000.0 { format!("{value:.0}") } else { format!("{value:.2}") }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn figures_are_shown_with_what_they_should_reach() {
        let mut report = Report::new("c2c");
        report.add_aimed("messages_per_s", 16_000.4, Reach::AtLeast(15_000.0));
        report.add_aimed("server_cpu_us_per_message", 61.25, Reach::AtMost(60.0));
        report.add("lost", 0.0);
        report.add_known("batch_mean", None);
        let table = report.table();
        assert!(table.contains("reach ≥ 15000    yes") && table.contains("reach ≤ 60       NO"), "{table}");
        let found = json!({"messages_per_s": 16_000.4, "server_cpu_us_per_message": 61.25, "lost": 0});
        assert_eq!(report.json(), found);
    }

    #[test]
    fn a_fault_makes_a_run_unsound() {
        for (key, value, sound) in [("lost", 0.0, true), ("lost", 1.0, false), ("duplicated", 2.0, false)] {
            let mut report = Report::new("c2c");
            report.add(key, value);
            assert_eq!(report.is_sound(), sound);
        }
    }
}
