//! How often something may happen: a token bucket by key, in bounded memory.

use std::hash::Hash;

use serde::{Deserialize, Serialize};

use crate::cache::Cache;

/// Tokens are counted in this fraction, so that milliseconds times a rate per minute need no division.
const PARTS: u64 = 60_000;

/// A rate with bursts.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct Rate {
    /// Events that may happen at once after a pause; at least 1.
    pub burst: u32,
    /// Events per minute in the long run; at least 1.
    pub per_minute: u32,
}

/// What one key has left.
#[derive(Clone, Copy, Debug)]
struct Bucket {
    parts: u64,
    updated_ms: u64,
}

impl Bucket {
    fn full(rate: Rate, now_ms: u64) -> Self {
        Self { parts: u64::from(rate.burst.max(1)) * PARTS, updated_ms: now_ms }
    }

    /// Takes one token; otherwise the milliseconds until there is one.
    fn take(&mut self, rate: Rate, now_ms: u64) -> Result<(), u32> {
        let per_minute = u64::from(rate.per_minute.max(1));
        let earned = now_ms.saturating_sub(self.updated_ms).saturating_mul(per_minute);
        self.parts = self.parts.saturating_add(earned).min(u64::from(rate.burst.max(1)) * PARTS);
        self.updated_ms = now_ms;
        match self.parts.checked_sub(PARTS) {
            Some(left) => {
                self.parts = left;
                Ok(())
            }
            None => Err((PARTS - self.parts).div_ceil(per_minute) as u32),
        }
    }
}

/// Buckets by key. A key that was forgotten starts with a full bucket again, so the bound on memory has to be far above
/// what one attacker can use.
pub(crate) struct Buckets<K> {
    rate: Rate,
    buckets: Cache<K, Bucket>,
}

impl<K: Eq + Hash + Clone> Buckets<K> {
    /// All of one rate.
    pub fn new(rate: Rate, keys_max: usize) -> Self {
        Self { rate, buckets: Cache::new(keys_max) }
    }

    /// Takes a token of a key; otherwise the milliseconds until there is one.
    pub fn take(&self, key: K, now_ms: u64) -> Result<(), u32> {
        self.take_at(key, self.rate, now_ms)
    }

    /// The same at another rate than that of all, such as one that an app has set.
    pub fn take_at(&self, key: K, rate: Rate, now_ms: u64) -> Result<(), u32> {
        self.buckets.with(key, || Bucket::full(rate, now_ms), |bucket| bucket.take(rate, now_ms))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_burst_then_the_rate() {
        let buckets = Buckets::new(Rate { burst: 2, per_minute: 60 }, 100);
        assert_eq!(buckets.take("a", 5), Ok(()));
        assert_eq!(buckets.take("a", 5), Ok(()));
        assert_eq!(buckets.take("a", 5), Err(1_000));
        assert_eq!(buckets.take("b", 5), Ok(()), "keys do not share");
        assert_eq!(buckets.take("a", 905), Err(100));
        assert_eq!(buckets.take("a", 1_005), Ok(()));
        for expected in [Ok(()), Ok(()), Err(1_000)] {
            assert_eq!(buckets.take("a", u64::MAX), expected, "a pause earns a burst, no more");
        }
    }
}
