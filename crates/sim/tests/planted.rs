//! Every planted bug is caught by the checker as what it breaks, in the seed that was recorded for it (`make mutants` searches afresh), and
//! the same seed without the bug is clean: what is caught is the bug.

use std::collections::BTreeMap;

use hongyan_sim::mutants::MUTANTS;
use hongyan_sim::plan::Plan;
use hongyan_sim::world::run;

/// Name and seed of each.
const RECORDED: &str = include_str!("../seeds/mutants.tsv");
/// Plans change with the code. From the recorded seed on, so many are tried.
const SEEDS_MAX: u64 = 40;

#[test]
fn every_planted_bug_is_caught() {
    let recorded: BTreeMap<&str, u64> = RECORDED
        .lines()
        .map(|line| line.split_once('\t').expect("a name, a tab, a seed"))
        .map(|(name, seed)| (name, seed.parse().expect("a number")))
        .collect();
    let survivors: Vec<&str> = MUTANTS
        .iter()
        .filter(|mutant| {
            let first = recorded.get(mutant.name).copied().unwrap_or(1);
            !(first..first + SEEDS_MAX).any(|seed| {
                let plan = Plan::new(seed);
                mutant.explains(&run(&plan, Some(mutant.name), false).report)
                    && run(&plan, None, false).report.is_clean()
            })
        })
        .map(|mutant| mutant.name)
        .collect();
    assert_eq!(survivors, Vec::<&str>::new());
    assert!(MUTANTS.len() >= 30);
}
