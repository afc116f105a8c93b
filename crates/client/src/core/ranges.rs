//! Which seqs of a conversation are known completely: a short ascending list of ranges that never touch each other.

use super::rows::Range;

/// Adds `from..=to`, joining what overlaps or is adjacent. An empty or zero range adds nothing.
pub(super) fn insert(ranges: &mut Vec<Range>, from: u64, to: u64) {
    if from == 0 || from > to {
        return;
    }
    // The usual case: the next message of the newest range.
    if let Some(last) = ranges.last_mut()
        && from >= last.from
        && from <= last.to.saturating_add(1)
    {
        last.to = last.to.max(to);
        return;
    }
    let start = ranges.partition_point(|range| range.to.saturating_add(1) < from);
    let end = ranges.partition_point(|range| range.from <= to.saturating_add(1));
    let mut joined = Range { from, to };
    if let (Some(first), Some(last)) = (ranges.get(start), end.checked_sub(1).and_then(|at| ranges.get(at)))
        && start < end
    {
        joined = Range { from: from.min(first.from), to: to.max(last.to) };
    }
    ranges.splice(start..end.max(start), [joined]);
}

/// What lies between `seqs`, which ascend, in `from..=to`. An empty or zero range has nothing.
pub(super) fn gaps(from: u64, to: u64, seqs: impl Iterator<Item = u64>) -> Vec<Range> {
    let mut found = Vec::new();
    if from == 0 {
        return found;
    }
    let mut next = from;
    for seq in seqs.chain([to.saturating_add(1)]) {
        let end = seq.saturating_sub(1).min(to);
        if next <= end {
            found.push(Range { from: next, to: end });
        }
        next = next.max(seq.saturating_add(1));
    }
    found
}

/// The range that holds `seq`.
pub(crate) fn holding(ranges: &[Range], seq: u64) -> Option<Range> {
    ranges.iter().copied().find(|range| range.from <= seq && seq <= range.to)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn ranges_hold_exactly_what_was_added(added in prop::collection::vec((1_u64..60, 0_u64..12), 0..40)) {
            let mut ranges = Vec::new();
            let mut wanted = [false; 80];
            for (from, length) in added {
                insert(&mut ranges, from, from + length);
                wanted[from as usize..=(from + length) as usize].fill(true);
                for (seq, wanted) in wanted.iter().enumerate() {
                    prop_assert_eq!(holding(&ranges, seq as u64).is_some(), *wanted);
                }
                prop_assert!(ranges.windows(2).all(|pair| pair[0].to + 1 < pair[1].from));
            }
        }
    }

    #[test]
    fn gaps_are_what_is_between() {
        let of = |from, to, seqs: &[u64]| {
            gaps(from, to, seqs.iter().copied()).iter().map(|gap| (gap.from, gap.to)).collect::<Vec<_>>()
        };
        assert_eq!(of(1, 9, &[]), [(1, 9)]);
        assert_eq!(of(1, 9, &[1, 2, 5, 9]), [(3, 4), (6, 8)]);
        assert_eq!(of(4, 6, &[2, 5, 8]), [(4, 4), (6, 6)], "what lies outside says nothing");
        assert_eq!(of(0, 0, &[]), []);
        assert_eq!(of(7, 6, &[]), []);
    }

    #[test]
    fn nothing_is_not_a_range() {
        let mut ranges = vec![Range { from: 3, to: 4 }];
        insert(&mut ranges, 0, 0);
        insert(&mut ranges, 9, 8);
        assert_eq!(ranges, [Range { from: 3, to: 4 }]);
    }
}
