//! A token bucket that may go into debt: what was already read is served, and reading pauses until the debt is repaid.

use hongyan_wire::Millis;

/// Tokens in thousandths, so that time in milliseconds times a rate per second needs no division.
#[derive(Clone, Copy, Debug)]
pub struct Bucket {
    millitokens: i64,
    updated: Millis,
}

/// Rate and size of a bucket.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Rate {
    /// Tokens per second; at least 1.
    pub per_second: u32,
    /// Tokens of a full bucket.
    pub burst: u32,
}

impl Bucket {
    /// A full bucket.
    pub fn full(rate: Rate, now: Millis) -> Self {
        Self { millitokens: i64::from(rate.burst) * 1000, updated: now }
    }

    /// Takes a token, into debt if there is none. False if it was a debt.
    pub fn take(&mut self, rate: Rate, now: Millis) -> bool {
        let earned = (now - self.updated).0.min(3_600_000) as i64 * i64::from(rate.per_second);
        self.millitokens = (self.millitokens + earned).min(i64::from(rate.burst) * 1000) - 1000;
        self.updated = now;
        self.millitokens >= 0
    }

    /// When the debt will be repaid.
    pub fn solvent_at(&self, rate: Rate) -> Millis {
        let debt = (-self.millitokens).max(0) as u64;
        self.updated + Millis(debt.div_ceil(u64::from(rate.per_second.max(1))))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn debt_is_repaid_at_the_rate() {
        let rate = Rate { per_second: 50, burst: 2 };
        let mut bucket = Bucket::full(rate, Millis(0));
        assert!(bucket.take(rate, Millis(0)));
        assert!(bucket.take(rate, Millis(0)));
        assert!(!bucket.take(rate, Millis(0)));
        assert_eq!(bucket.solvent_at(rate), Millis(20));
        assert!(!bucket.take(rate, Millis(20)));
        assert!(bucket.take(rate, Millis(60)));
        assert!(bucket.take(rate, Millis(1_000_000)));
        assert!(bucket.take(rate, Millis(1_000_000)));
        assert!(!bucket.take(rate, Millis(1_000_000)), "a full bucket holds no more than its burst");
    }
}
