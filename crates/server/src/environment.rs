//! Time, randomness and tasks of the real world, as tokio and the system give them.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::OnceLock;
use std::sync::mpsc::{Sender, channel};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use hongyan_domain::environment::{Environment, Pending};
use hongyan_domain::measure::{Measure, Measured, Value};
use hongyan_domain::time::UnixMillis;
use tokio::runtime::Handle;

/// Work for the thread beside the runtime.
type Work = Box<dyn FnOnce() + Send>;

/// The real world.
#[derive(Debug)]
pub struct RealEnvironment {
    started: Instant,
    runtime: Handle,
    /// Of the one thread that does what takes long; there is none until it is needed.
    aside: OnceLock<Sender<Work>>,
}

impl RealEnvironment {
    /// Its clock starts now; its tasks run on this runtime. A panic in one ends that task alone, and is logged by the
    /// hook that `telemetry::start` has set.
    pub fn new(runtime: Handle) -> Self {
        Self { started: Instant::now(), runtime, aside: OnceLock::new() }
    }
}

impl Environment for RealEnvironment {
    fn monotonic_us(&self) -> u64 {
        self.started.elapsed().as_micros() as u64
    }

    fn wall_clock(&self) -> UnixMillis {
        let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        UnixMillis(since.as_millis() as u64)
    }

    fn random(&self, bytes: &mut [u8]) {
        aws_lc_rs::rand::fill(bytes).expect("the system's randomness does not fail once it was seeded");
    }

    fn spawn(&self, task: Pending<'static, ()>) {
        self.runtime.spawn(task);
    }

    fn aside(&self, work: Work) {
        let queue = self.aside.get_or_init(|| {
            let (queue, waiting) = channel::<Work>();
            let run = move || {
                // A panic is logged by the hook; whoever waits for this work sees that nothing came of it.
                waiting.into_iter().for_each(|work| drop(catch_unwind(AssertUnwindSafe(work))));
            };
            let thread = std::thread::Builder::new().name("aside".to_owned()).spawn(run);
            thread.expect("a server that is starting its first long work can start a thread");
            queue
        });
        // The thread lives as long as this does.
        let _ = queue.send(work);
    }

    fn sleep_ms(&self, span_ms: u64) -> Pending<'static, ()> {
        let _context = self.runtime.enter();
        Box::pin(tokio::time::sleep(Duration::from_millis(span_ms)))
    }
}

impl Measured for RealEnvironment {
    fn visit(&self, see: &mut dyn FnMut(Measure<'_>)) {
        see(Measure {
            name: "server_tasks",
            help: "Tasks that are not over.",
            label: None,
            value: Value::Gauge(self.runtime.metrics().num_alive_tasks() as i64),
        });
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_panic_ends_its_task_alone() {
        let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_time().build().unwrap();
        let environment = RealEnvironment::new(runtime.handle().clone());
        environment.spawn(Box::pin(async { panic!("on purpose") }));
        let (done, answer) = tokio::sync::oneshot::channel();
        let pause = environment.sleep_ms(1);
        environment.spawn(Box::pin(async move {
            pause.await;
            done.send(()).unwrap();
        }));
        runtime.block_on(answer).unwrap();
        let mut bytes = [0; 32];
        environment.random(&mut bytes);
        assert_ne!(bytes, [0; 32]);
    }
}
