//! The one clock of a run: microseconds since its start, for measuring, and milliseconds for the wire.

use std::time::Instant;

use hongyan_wire::Millis;

/// Cheap to copy; all copies agree.
#[derive(Clone, Copy)]
pub struct Clock(Instant);

impl Clock {
    /// Starts now.
    pub fn start() -> Self {
        Self(Instant::now())
    }

    /// Microseconds since the start.
    pub fn micros(self) -> u64 {
        self.0.elapsed().as_micros() as u64
    }

    /// Milliseconds since the start.
    pub fn millis(self) -> Millis {
        Millis(self.micros() / 1000)
    }
}
