//! Ctrl-C and SIGTERM end a run in order: servers, mounts and namespaces go with it. Whoever waits asks here.

use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use tokio::signal::unix::{SignalKind, signal};

static ASKED: AtomicBool = AtomicBool::new(false);
const LOOK_EVERY: Duration = Duration::from_millis(100);

/// From now on the two signals only leave a note. A second one ends the process at once.
pub fn listen() -> Result<()> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let work = move || {
        runtime.block_on(async {
            let (Ok(mut interrupt), Ok(mut terminate)) =
                (signal(SignalKind::interrupt()), signal(SignalKind::terminate()))
            else {
                return;
            };
            tokio::select! { _ = interrupt.recv() => {}, _ = terminate.recv() => {} }
            eprintln!("hongyan-chaos: cleaning up; once more to stop at once");
            ASKED.store(true, Ordering::Relaxed);
            tokio::select! { _ = interrupt.recv() => {}, _ = terminate.recv() => {} }
            std::process::exit(1);
        });
    };
    std::thread::Builder::new().name("signals".into()).spawn(work).context("starting a thread")?;
    Ok(())
}

/// Somebody wants an end.
pub fn asked() -> bool {
    ASKED.load(Ordering::Relaxed)
}

/// Somebody wants an end, and who asks sees to it.
pub fn take() -> bool {
    ASKED.swap(false, Ordering::Relaxed)
}

/// Fails if somebody wants an end.
pub fn check() -> Result<()> {
    ensure!(!asked(), "interrupted");
    Ok(())
}

/// Waits, but not longer than somebody wants an end.
pub fn pause(time: Duration) -> Result<()> {
    let until = Instant::now() + time;
    loop {
        check()?;
        let left = until.saturating_duration_since(Instant::now());
        if left.is_zero() {
            return Ok(());
        }
        std::thread::sleep(left.min(LOOK_EVERY));
    }
}
