//! The lists of planted bugs and of injected faults against the sources: whatever a list names is there, and whatever is
//! there is in the list. A point that no world ever reaches proves nothing.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};

use hongyan_sim::mutants::MUTANTS;
use hongyan_sim::plan::{INJECTIONS, READ_QUEUE_FULL};

const PLANTED: &str = "mutant!(\"";
const INJECTED: &str = "buggify!(\"";
const INVARIANTS: u32 = 14;

fn crates() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap().to_owned()
}

/// All sources below the crates' `src` folders, but those of the macro itself.
fn sources() -> Vec<PathBuf> {
    let mut found = Vec::new();
    let mut folders: Vec<_> = fs::read_dir(crates()).unwrap().map(|entry| entry.unwrap().path().join("src")).collect();
    folders.retain(|folder| folder.is_dir() && *folder != crates().join("fault/src"));
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
            } else if path.extension().is_some_and(|extension| extension == "rs") {
                found.push(path);
            }
        }
    }
    found.sort();
    found
}

/// The folders in which each name stands behind this opening of a macro, one for each place.
fn named(opening: &str) -> BTreeMap<String, Vec<PathBuf>> {
    let mut named: BTreeMap<String, Vec<PathBuf>> = BTreeMap::new();
    for path in sources() {
        let text = fs::read_to_string(&path).unwrap();
        let code = text.lines().map(|line| line.split("//").next().unwrap_or_default());
        for line in code {
            for after in line.split(opening).skip(1) {
                let name = after.split('"').next().unwrap().to_owned();
                named.entry(name).or_default().push(path.parent().unwrap().to_owned());
            }
        }
    }
    named
}

#[test]
fn every_mutant_of_the_list_is_planted_and_every_planted_one_is_listed() {
    let planted = named(PLANTED);
    for mutant in MUTANTS {
        let Some(places) = planted.get(mutant.name) else { panic!("{:?} is planted nowhere", mutant.name) };
        // One bug may need two places, but then they stand together; the same name elsewhere would be another bug.
        assert!(places.windows(2).all(|pair| pair[0] == pair[1]), "{:?} is planted twice: {places:?}", mutant.name);
    }
    for (name, places) in &planted {
        let entries = MUTANTS.iter().filter(|mutant| mutant.name == name).count();
        assert_eq!(entries, 1, "{name:?}, planted in {places:?}, has {entries} entries");
    }
}

#[test]
fn every_point_where_faults_are_injected_is_alive_in_some_worlds() {
    let listed: BTreeSet<&str> = INJECTIONS.iter().copied().chain([READ_QUEUE_FULL]).collect();
    let injected = named(INJECTED);
    assert_eq!(injected.keys().map(String::as_str).collect::<BTreeSet<_>>(), listed);
}

#[test]
fn every_mutant_says_what_is_wrong_and_what_it_may_break() {
    for mutant in MUTANTS {
        assert!(mutant.story.ends_with('.') && !mutant.invariants.is_empty(), "{:?}", mutant.name);
        for invariant in mutant.invariants {
            let number = invariant.strip_prefix('I').and_then(|number| number.parse::<u32>().ok());
            assert!(number.is_some_and(|number| (1..=INVARIANTS).contains(&number)), "{:?}: {invariant}", mutant.name);
        }
    }
}
