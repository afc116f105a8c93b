//! Numbers that a part of the product keeps about itself: counters, gauges, histograms. Plain atomics; who shows them,
//! and in which format, is not known here.
//!
//! The pattern: a crate has one `pub struct Measures` of these types, shared by `Arc`, and implements [`Measured`] for
//! it. The server collects them all and the api prints them. Names are `<crate>_<what>_<unit>`; a label never names an
//! app, user or conversation.

use std::sync::atomic::{AtomicI64, AtomicU64, Ordering::Relaxed};

/// Bounds for latencies, in microseconds.
pub const LATENCY_US: &[u64] = &[
    10, 25, 50, 100, 250, 500, 1_000, 2_500, 5_000, 10_000, 25_000, 50_000, 100_000, 250_000, 500_000, 1_000_000,
    2_500_000, 5_000_000, 10_000_000,
];
/// Bounds for sizes of batches and pages, in items.
pub const ITEMS: &[u64] = &[1, 2, 4, 8, 16, 32, 64, 128, 256, 512, 1_024];

/// Only grows.
#[derive(Debug, Default)]
pub struct Counter(AtomicU64);

impl Counter {
    /// Adds to it.
    pub fn add(&self, number: u64) {
        self.0.fetch_add(number, Relaxed);
    }

    /// The sum since the process has started.
    pub fn get(&self) -> u64 {
        self.0.load(Relaxed)
    }
}

/// Goes up and down.
#[derive(Debug, Default)]
pub struct Gauge(AtomicI64);

impl Gauge {
    /// Adds to it; a negative number takes away.
    pub fn add(&self, number: i64) {
        self.0.fetch_add(number, Relaxed);
    }

    /// Replaces it.
    pub fn set(&self, number: i64) {
        self.0.store(number, Relaxed);
    }

    /// The number now.
    pub fn get(&self) -> i64 {
        self.0.load(Relaxed)
    }
}

/// How often values fell below each of some fixed bounds. Never grows in memory.
#[derive(Debug)]
pub struct Histogram {
    bounds: &'static [u64],
    /// One for each bound, and one for what is above the last.
    buckets: Box<[AtomicU64]>,
    sum: AtomicU64,
}

impl Histogram {
    /// Of ascending bounds: [`LATENCY_US`], [`ITEMS`], or others.
    pub fn new(bounds: &'static [u64]) -> Self {
        Self { bounds, buckets: (0..=bounds.len()).map(|_| AtomicU64::default()).collect(), sum: AtomicU64::default() }
    }

    /// Counts a value.
    pub fn observe(&self, value: u64) {
        let bucket = self.bounds.partition_point(|bound| *bound < value);
        self.buckets[bucket].fetch_add(1, Relaxed);
        self.sum.fetch_add(value, Relaxed);
    }

    /// Upper bounds, with the number of values that fell between a bound and the one before; the last bound is `None`.
    pub fn buckets(&self) -> impl Iterator<Item = (Option<u64>, u64)> {
        let bounds = self.bounds.iter().map(|bound| Some(*bound)).chain([None]);
        bounds.zip(self.buckets.iter().map(|bucket| bucket.load(Relaxed)))
    }

    /// The sum of all values.
    pub fn sum(&self) -> u64 {
        self.sum.load(Relaxed)
    }
}

/// One number with its name.
#[derive(Clone, Copy, Debug)]
pub struct Measure<'a> {
    /// Such as `gate_frames_in`; the unit comes last. Suffixes that a format wants (`_total`) are added by its writer.
    pub name: &'static str,
    /// One sentence for people.
    pub help: &'static str,
    /// Tells numbers of one name apart, such as `("operation", "SEND")`. Measures of one name follow each other.
    pub label: Option<(&'static str, &'static str)>,
    /// The number.
    pub value: Value<'a>,
}

/// The kinds of numbers.
#[derive(Clone, Copy, Debug)]
pub enum Value<'a> {
    /// Only grows.
    Counter(u64),
    /// Goes up and down.
    Gauge(i64),
    /// A distribution. Of `_us` names values are microseconds; a writer may show seconds.
    Histogram(&'a Histogram),
}

/// Something that keeps numbers about itself.
pub trait Measured: Send + Sync + 'static {
    /// Shows every number once.
    fn visit(&self, see: &mut dyn FnMut(Measure<'_>));
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_value_on_a_bound_belongs_below_it() {
        let histogram = Histogram::new(ITEMS);
        for value in [0, 1, 2, 3, 1_024, 1_025] {
            histogram.observe(value);
        }
        let filled: Vec<_> = histogram.buckets().filter(|(_, count)| *count > 0).collect();
        assert_eq!(filled, [(Some(1), 2), (Some(2), 1), (Some(4), 1), (Some(1_024), 1), (None, 1)]);
        assert_eq!(histogram.sum(), 2_055);
    }
}
