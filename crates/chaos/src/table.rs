//! What was found, for people as a table and for programs as JSON.

use std::fmt::Write;
use std::time::Duration;

use serde_json::{Value, json};

use crate::figures::{millis, percentile};
use crate::run::Row;

/// The columns, above their numbers.
pub fn head() -> String {
    format!(
        "{:<16}{:>6}{:>9}{:>6}{:>9}{:>11}{:>9}{:>7}{:>19}{:>21}  verdict",
        "fault",
        "times",
        "acked",
        "lost",
        "doubled",
        "reordered",
        "altered",
        "other",
        "restart p50/max ms",
        "recovery p50/max ms"
    )
}

/// One row, and below it what needs words.
pub fn line(row: &Row) -> String {
    if let Some(reason) = &row.skipped {
        return format!("{:<16}skipped: {reason}", row.name);
    }
    let verdict = &row.verdict;
    let mut line = format!(
        "{:<16}{:>6}{:>9}{:>6}{:>9}{:>11}{:>9}{:>7}{:>19}{:>21}  {}",
        row.name,
        row.times,
        row.acknowledged,
        verdict.lost,
        verdict.doubled,
        verdict.reordered,
        verdict.altered,
        verdict.other,
        span(&row.restarts),
        span(&row.recoveries),
        match (row.is_sound(), row.must_find) {
            (true, false) => "ok",
            (true, true) => "ok: found, as it must be",
            (false, false) => "BROKEN",
            (false, true) => "BROKEN: nothing was found",
        },
    );
    if row.is_sound() {
        return line;
    }
    let broken = row.broken.iter().map(|why| format!("did not come to its end: {why}"));
    let words = broken.chain(row.complaints.iter().cloned()).chain(verdict.examples.iter().cloned());
    let kept = row.folder.iter().map(|folder| format!("kept in {}", folder.display()));
    for word in words.chain(kept) {
        write!(line, "\n    {}", word.replace('\n', "\n    ")).expect("a String grows");
    }
    line
}

fn span(times: &[Duration]) -> String {
    match (percentile(times, 0.5), percentile(times, 1.0)) {
        (Some(middle), Some(longest)) => format!("{:.0} / {:.0}", millis(middle), millis(longest)),
        _ => "-".to_owned(),
    }
}

/// All rows by name.
pub fn json(rows: &[Row]) -> Value {
    Value::Object(rows.iter().map(|row| (row.name.to_owned(), object(row))).collect())
}

fn object(row: &Row) -> Value {
    if let Some(reason) = &row.skipped {
        return json!({ "skipped": reason });
    }
    let at = |times: &[Duration], fraction| percentile(times, fraction).map(|time| millis(time).round());
    json!({
        "times": row.times,
        "acknowledged": row.acknowledged,
        "client_crashes": row.client_crashes,
        "lost": row.verdict.lost,
        "doubled": row.verdict.doubled,
        "reordered": row.verdict.reordered,
        "altered": row.verdict.altered,
        "other": row.verdict.other,
        "restart_p50_ms": at(&row.restarts, 0.5),
        "restart_max_ms": at(&row.restarts, 1.0),
        "recovery_p50_ms": at(&row.recoveries, 0.5),
        "recovery_max_ms": at(&row.recoveries, 1.0),
        "seconds": row.took.as_secs_f64().round(),
        "must_find": row.must_find,
        "sound": row.is_sound(),
        "complaints": row.complaints,
        "broken": row.broken,
        "examples": row.verdict.examples,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::judge::Verdict;

    #[test]
    fn a_row_says_what_was_found() {
        let times = vec![Duration::from_millis(40), Duration::from_millis(60), Duration::from_millis(900)];
        let mut row = Row { name: "kill", times: 3, acknowledged: 7, restarts: times, ..Row::default() };
        assert!(line(&row).contains("60 / 900") && line(&row).ends_with("ok"), "{}", line(&row));
        assert_eq!(line(&row).find("60 / 900").map(|at| at + 8), head().find("restart p50/max ms").map(|at| at + 18));
        row.verdict = Verdict { lost: 2, examples: vec!["two are gone".into()], ..Verdict::default() };
        assert!(line(&row).contains("BROKEN\n    two are gone"), "{}", line(&row));
        let found = json(&[row.clone()]);
        assert_eq!((&found["kill"]["lost"], &found["kill"]["restart_max_ms"]), (&json!(2), &json!(900.0)));
        row.skipped = Some("no loop device".into());
        assert_eq!(line(&row), "kill            skipped: no loop device");
    }
}
