//! The limit on everything that waits: a run that makes no progress ends with a message that says what it waited for.

use anyhow::{Result, bail};

use crate::clock::Clock;

/// Watches a number that must keep growing.
pub struct Patience {
    clock: Clock,
    limit_us: u64,
    progress: u64,
    since_us: u64,
}

impl Patience {
    /// Patience for `limit_seconds` without progress.
    pub fn new(clock: Clock, limit_seconds: u64) -> Self {
        Self { clock, limit_us: limit_seconds * 1_000_000, progress: 0, since_us: clock.micros() }
    }

    /// Fails if `progress` has been the same for too long; `waiting_for` finishes the sentence "waiting for …".
    pub fn check(&mut self, progress: u64, waiting_for: impl FnOnce() -> String) -> Result<()> {
        let now = self.clock.micros();
        if progress != self.progress {
            self.progress = progress;
            self.since_us = now;
        } else if now - self.since_us > self.limit_us {
            bail!("stalled: nothing happened for {} s while waiting for {}", self.limit_us / 1_000_000, waiting_for());
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn patience_ends_only_without_progress() {
        let mut patience = Patience::new(Clock::start(), 0);
        let before = patience.clock.micros();
        while patience.clock.micros() == before {}
        patience.check(1, || "nothing".into()).unwrap();
        let before = patience.clock.micros();
        while patience.clock.micros() == before {}
        let message = patience.check(1, || "the moon".into()).unwrap_err().to_string();
        assert!(message.contains("waiting for the moon"), "{message}");
    }
}
