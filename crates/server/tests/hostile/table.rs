//! The table in docs/reliability.md says what there is: every test of these attacks is in it, and every test in it exists.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

/// Rows of the threat model.
const ROWS: u32 = 40;

fn root() -> PathBuf {
    [env!("CARGO_MANIFEST_DIR"), "../.."].iter().collect()
}

/// Tests of browsers that a line names as `file`: "title"; they exist, and are not left out (`test.skip`).
fn check_browser_tests(line: &str) -> usize {
    let mut checked = 0;
    for file in line.split('`').filter(|name| name.starts_with("web/")) {
        assert!(root().join(file).exists(), "there is no {file}");
    }
    for (file, rest) in line.split('`').zip(line.split('`').skip(1)).filter(|(file, _)| file.ends_with(".test.ts")) {
        let text = fs::read_to_string(root().join(file)).unwrap();
        let title = rest.split('"').nth(1).unwrap_or_else(|| panic!("no test of {file} is named"));
        assert!(text.contains(&format!("\ntest(\"{title}\"")), "{file} has no test {title:?}");
        checked += 1;
    }
    checked
}

/// Names of the tests in a folder, below it, too.
fn tests(folder: &Path, found: &mut BTreeSet<String>) {
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            tests(&path, found);
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            let text = fs::read_to_string(&path).unwrap();
            assert!(
                !text.lines().any(|line| line.trim_start().starts_with("#[ignore")),
                "{} leaves a test out",
                path.display()
            );
            let mut lines = text.lines().map(str::trim);
            while lines.any(|line| line == "#[test]" || line.starts_with("#[tokio::test")) {
                let name =
                    lines.find_map(|line| line.trim_start_matches("async ").strip_prefix("fn ")?.split('(').next());
                found.extend(name.map(str::to_owned));
            }
        }
    }
}

#[test]
fn row_00_every_attack_is_in_the_table_and_every_test_of_the_table_exists() {
    let document = fs::read_to_string(root().join("docs/reliability.md")).unwrap();
    let (mut rows, mut in_browsers) = (0, 0);
    let mut named = BTreeSet::new();
    for line in document.lines() {
        let Some(row) = line.strip_prefix("| ").and_then(|line| line.split_once(" | ")?.0.parse::<u32>().ok()) else {
            continue;
        };
        rows += 1;
        assert_eq!(row, rows, "row by row: {line}");
        let state = line.trim_end_matches('|').rsplit('|').next().unwrap().trim();
        assert!(!state.is_empty(), "row {row} says how it stands");
        in_browsers += check_browser_tests(line);
        for name in line.split('`').filter(|name| name.starts_with("row_")) {
            assert!(
                name.starts_with(&format!("row_{row:02}_")) || name.contains(&format!("_and_{row:02}_")) || row == 9,
                "{name} in row {row}"
            );
            named.insert(name.to_owned());
        }
    }
    assert_eq!(rows, ROWS);
    assert!(in_browsers > 0, "some attacks are on browsers");

    let mut here = BTreeSet::new();
    tests(&root().join("crates/server/tests/hostile"), &mut here);
    for name in here.iter().filter(|name| !name.starts_with("row_00_")) {
        // K9 is a point of the fault matrix.
        assert!(name.starts_with("row_") || name.starts_with("k9_"), "{name} is not named by its row");
        assert!(named.contains(name) || name.starts_with("k9_"), "{name} is not in docs/reliability.md");
    }
    let mut everywhere = here;
    for folder in ["api/src", "wire/tests", "gate/tests", "gate/src", "logic/tests", "server/src", "server/tests/web"] {
        tests(&root().join("crates").join(folder), &mut everywhere);
    }
    // Tests inside proptest! have their mark in front of them, too.
    let missing: Vec<_> = named.difference(&everywhere).collect();
    assert!(missing.is_empty(), "docs/reliability.md names tests that do not exist: {missing:?}");
}
