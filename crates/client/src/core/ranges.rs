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
    fn nothing_is_not_a_range() {
        let mut ranges = vec![Range { from: 3, to: 4 }];
        insert(&mut ranges, 0, 0);
        insert(&mut ranges, 9, 8);
        assert_eq!(ranges, [Range { from: 3, to: 4 }]);
    }
}
