//! What the product asks of the world outside: time, randomness, concurrency. The server gives the real one, a
//! simulator a repeatable one.

use std::future::Future;
use std::pin::Pin;

use crate::time::UnixMillis;

/// A future that a trait object can return.
pub type Pending<'a, T> = Pin<Box<dyn Future<Output = T> + Send + 'a>>;

/// Time, randomness and spawning.
pub trait Environment: Send + Sync + 'static {
    /// Microseconds on a clock that never jumps.
    fn monotonic_us(&self) -> u64;

    /// The same clock in milliseconds.
    fn monotonic_ms(&self) -> u64 {
        self.monotonic_us() / 1000
    }

    /// Wall-clock time; may jump.
    fn wall_clock(&self) -> UnixMillis;

    /// Fills with bytes that nobody can predict.
    fn random(&self, bytes: &mut [u8]);

    /// Runs a task beside the caller. A panic in it must not take the process down.
    fn spawn(&self, task: Pending<'static, ()>);

    /// Does work that takes long and waits for nothing, where it holds up no task. A simulator does it at once.
    fn aside(&self, work: Box<dyn FnOnce() + Send>) {
        work();
    }

    /// Completes after a time.
    fn sleep_ms(&self, span_ms: u64) -> Pending<'static, ()>;
}
