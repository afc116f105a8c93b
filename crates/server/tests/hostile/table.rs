//! The table in docs/reliability.md says what there is: every test of these attacks is in it, and every test in it exists.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

/// Rows of the threat model.
const ROWS: u32 = 40;

fn root() -> PathBuf {
    [env!("CARGO_MANIFEST_DIR"), "../.."].iter().collect()
}

/// Names of the tests in a folder, below it, too.
fn tests(folder: &Path, found: &mut BTreeSet<String>) {
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            tests(&path, found);
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            let text = fs::read_to_string(&path).unwrap();
            let mut lines = text.lines().map(str::trim);
            while lines.any(|line| line == "#[test]") {
                let name = lines.find_map(|line| line.strip_prefix("fn ")?.split('(').next());
                found.extend(name.map(str::to_owned));
            }
        }
    }
}

#[test]
fn row_00_every_attack_is_in_the_table_and_every_test_of_the_table_exists() {
    let document = fs::read_to_string(root().join("docs/reliability.md")).unwrap();
    let mut rows = 0;
    let mut named = BTreeSet::new();
    for line in document.lines() {
        let Some(row) = line.strip_prefix("| ").and_then(|line| line.split(' ').next()?.parse::<u32>().ok()) else {
            continue;
        };
        rows += 1;
        assert_eq!(row, rows, "row by row: {line}");
        let state = line.trim_end_matches('|').rsplit('|').next().unwrap().trim();
        assert!(!state.is_empty(), "row {row} says how it stands");
        for name in line.split('`').filter(|name| name.starts_with("row_")) {
            assert!(
                name.starts_with(&format!("row_{row:02}_")) || name.contains(&format!("_and_{row:02}_")) || row == 9,
                "{name} in row {row}"
            );
            named.insert(name.to_owned());
        }
    }
    assert_eq!(rows, ROWS);

    let mut here = BTreeSet::new();
    tests(&root().join("crates/server/tests/hostile"), &mut here);
    for name in here.iter().filter(|name| !name.starts_with("row_00_")) {
        // K9 is a point of the fault matrix.
        assert!(name.starts_with("row_") || name.starts_with("k9_"), "{name} is not named by its row");
        assert!(named.contains(name) || name.starts_with("k9_"), "{name} is not in docs/reliability.md");
    }
    let mut everywhere = here;
    for folder in ["wire/tests", "gate/tests", "gate/src", "logic/tests", "server/tests/web"] {
        tests(&root().join("crates").join(folder), &mut everywhere);
    }
    // Tests inside proptest! have their mark in front of them, too.
    let missing: Vec<_> = named.difference(&everywhere).collect();
    assert!(missing.is_empty(), "docs/reliability.md names tests that do not exist: {missing:?}");
}
