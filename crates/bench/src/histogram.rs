//! Counts of durations with a bounded relative error, so that recording costs nothing and percentiles are honest.
//! Buckets are powers of two, each cut into 64: an error of at most 1/64.

const CUTS_BITS: u32 = 6;
const CUTS: usize = 1 << CUTS_BITS;
/// Values from 2^36 µs (19 hours) on share the last bucket.
const VALUE_BITS: u32 = 36;
const BUCKETS: usize = (VALUE_BITS - CUTS_BITS + 1) as usize * CUTS;

/// A histogram of microseconds.
pub struct Histogram {
    counts: Vec<u64>,
    total: u64,
    max: u64,
}

impl Histogram {
    /// Nothing recorded.
    pub fn new() -> Self {
        Self { counts: vec![0; BUCKETS], total: 0, max: 0 }
    }

    /// Records one value.
    pub fn record(&mut self, micros: u64) {
        self.counts[bucket(micros)] += 1;
        self.total += 1;
        self.max = self.max.max(micros);
    }

    /// How many values were recorded.
    pub fn total(&self) -> u64 {
        self.total
    }

    /// The largest value, exactly; 0 if there is none.
    pub fn max(&self) -> u64 {
        self.max
    }

    /// The value below or at which `fraction` of all values lie, at most 1/64 too high; 0 if there is none.
    pub fn percentile(&self, fraction: f64) -> u64 {
        let wanted = ((self.total as f64 * fraction).ceil() as u64).max(1);
        let mut seen = 0;
        for (index, count) in self.counts.iter().enumerate() {
            seen += count;
            if seen >= wanted {
                return highest(index).min(self.max);
            }
        }
        self.max
    }
}

fn bucket(value: u64) -> usize {
    let value = value.min((1 << VALUE_BITS) - 1);
    let shift = (u64::BITS - value.leading_zeros()).saturating_sub(CUTS_BITS + 1);
    shift as usize * CUTS + (value >> shift) as usize
}

/// The highest value of a bucket.
fn highest(index: usize) -> u64 {
    let shift = (index / CUTS).saturating_sub(1);
    let lowest = ((index - shift * CUTS) as u64) << shift;
    lowest + (1 << shift) - 1
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn small_values_are_exact() {
        let mut histogram = Histogram::new();
        (1..=100).for_each(|value| histogram.record(value));
        assert_eq!((histogram.total(), histogram.max()), (100, 100));
        assert_eq!(histogram.percentile(0.5), 50);
        assert_eq!(histogram.percentile(0.99), 99);
        assert_eq!(histogram.percentile(1.0), 100);
        assert_eq!(Histogram::new().percentile(0.5), 0);
    }

    #[test]
    fn every_value_lies_in_its_bucket_within_the_error() {
        let shown = |value| highest(bucket(value));
        for value in (0..200_000).chain((17..36).flat_map(|bits| [(1_u64 << bits) - 1, 1 << bits, (1 << bits) + 1])) {
            assert!(shown(value) >= value && shown(value) - value <= value / 64, "{value} is {}", shown(value));
        }
        assert!((0..200_000).map(bucket).is_sorted());
        assert_eq!(bucket(u64::MAX), BUCKETS - 1);
    }
}
