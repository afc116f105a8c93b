//! A set of numbers that mostly follow each other: kept as ranges, so that "everything up to here" costs one of them.

/// Ascending ranges that do not touch.
#[derive(Clone, Debug, Default)]
pub(crate) struct Seqs {
    ranges: Vec<(u64, u64)>,
    len: u64,
}

impl Seqs {
    pub(crate) fn len(&self) -> u64 {
        self.len
    }

    pub(crate) fn contains(&self, seq: u64) -> bool {
        let after = self.after(seq);
        after > 0 && self.ranges[after - 1].1 >= seq
    }

    /// False if it was there already.
    pub(crate) fn insert(&mut self, seq: u64) -> bool {
        let after = self.after(seq);
        if after > 0 && self.ranges[after - 1].1 >= seq {
            return false;
        }
        let joins_lower = after > 0 && self.ranges[after - 1].1 + 1 == seq;
        let joins_upper =
            seq.checked_add(1).is_some_and(|next| self.ranges.get(after).is_some_and(|(low, _)| *low == next));
        match (joins_lower, joins_upper) {
            (true, true) => {
                self.ranges[after - 1].1 = self.ranges[after].1;
                self.ranges.remove(after);
            }
            (true, false) => self.ranges[after - 1].1 = seq,
            (false, true) => self.ranges[after].0 = seq,
            (false, false) => self.ranges.insert(after, (seq, seq)),
        }
        self.len += 1;
        true
    }

    pub(crate) fn clear(&mut self) {
        *self = Self::default();
    }

    /// How many ranges begin at or below it. Numbers come almost in order, so the last ranges are looked at first.
    fn after(&self, seq: u64) -> usize {
        let len = self.ranges.len();
        match self.ranges.last() {
            None => 0,
            Some((low, _)) if *low <= seq => len,
            Some(_) => self.ranges.partition_point(|(low, _)| *low <= seq),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn it_is_a_set(numbers in prop::collection::vec(prop_oneof![1..40_u64, Just(u64::MAX), Just(u64::MAX - 1)], 0..80)) {
            let (mut seqs, mut model) = (Seqs::default(), BTreeSet::new());
            for number in numbers {
                prop_assert_eq!(seqs.insert(number), model.insert(number));
                prop_assert_eq!(seqs.len(), model.len() as u64);
                for probe in (0..42).chain([u64::MAX - 2, u64::MAX - 1, u64::MAX]) {
                    prop_assert_eq!(seqs.contains(probe), model.contains(&probe));
                }
                prop_assert!(seqs.ranges.windows(2).all(|pair| pair[0].1 + 1 < pair[1].0), "joined");
            }
        }
    }
}
