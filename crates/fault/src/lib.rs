//! Planted bugs, injected faults and points to die at, inside the code of the product.
//!
//! Without the feature `faults` every macro here is a constant and the compiler removes what hangs on it. With it, a
//! simulator chooses at run time which bug is alive on its thread ([`plant`]) and which faults happen ([`inject`]), and
//! a rig tells a process by [`DIE_AT`] where to kill itself. What follows from a fault is not decided here.

/// True while the planted bug of this name is alive on this thread. Written as
/// `if mutant!("name") { wrong } else { right }`; the simulator's list of mutants has every name.
#[macro_export]
macro_rules! mutant {
    ($name:literal) => {
        $crate::is_planted($name)
    };
}

/// True when a fault is to happen here: something rare that the code must bear, such as a short read or a full queue.
#[macro_export]
macro_rules! buggify {
    ($name:literal) => {
        $crate::happens($name)
    };
}

/// Kills the process like `kill -9` if it was told to die at this point.
#[macro_export]
macro_rules! kill_point {
    ($name:literal) => {
        $crate::pass($name)
    };
}

/// The variable that names a point and the pass at which the process dies there: `K5:3` is the third. Its name does not
/// begin like those of settings, which a server refuses to start with if it does not know them.
pub const DIE_AT: &str = "FAULT_DIE_AT";

#[cfg(feature = "faults")]
pub use alive::{happens, inject, is_planted, pass, plant};
#[cfg(not(feature = "faults"))]
pub use asleep::{happens, is_planted, pass};

#[cfg(not(feature = "faults"))]
mod asleep {
    /// Never.
    #[inline(always)]
    pub const fn is_planted(_: &'static str) -> bool {
        false
    }

    /// Never.
    #[inline(always)]
    pub const fn happens(_: &'static str) -> bool {
        false
    }

    /// Goes on.
    #[inline(always)]
    pub const fn pass(_: &'static str) {}
}

#[cfg(feature = "faults")]
mod alive {
    use std::cell::{Cell, RefCell};
    use std::sync::OnceLock;
    use std::sync::atomic::{AtomicU64, Ordering};

    type Chance = Box<dyn FnMut(&'static str) -> bool>;

    thread_local! {
        static PLANTED: Cell<Option<&'static str>> = const { Cell::new(None) };
        static CHANCE: RefCell<Option<Chance>> = const { RefCell::new(None) };
    }

    /// Where this process dies, and after how many passes.
    static DEATH: OnceLock<Option<(String, AtomicU64)>> = OnceLock::new();

    /// From now on this bug, and no other, is alive on this thread.
    pub fn plant(name: Option<&'static str>) {
        PLANTED.set(name);
    }

    /// From now on this function decides on this thread which faults happen; `None` = none do.
    pub fn inject(chance: Option<Chance>) {
        CHANCE.replace(chance);
    }

    /// Whether the bug is alive.
    #[inline]
    pub fn is_planted(name: &'static str) -> bool {
        PLANTED.get() == Some(name)
    }

    /// Whether the fault happens now.
    #[inline]
    pub fn happens(name: &'static str) -> bool {
        CHANCE.with_borrow_mut(|chance| chance.as_mut().is_some_and(|chance| chance(name)))
    }

    /// Dies here, or goes on.
    pub fn pass(name: &'static str) {
        let death = DEATH.get_or_init(|| read(&std::env::var(super::DIE_AT).ok()?));
        if let Some((point, left)) = death
            && point == name
            && left.fetch_sub(1, Ordering::Relaxed) == 1
        {
            let _ = rustix::process::kill_process(rustix::process::getpid(), rustix::process::Signal::KILL);
        }
    }

    fn read(value: &str) -> Option<(String, AtomicU64)> {
        let (point, passes) = value.split_once(':')?;
        Some((point.to_owned(), AtomicU64::new(passes.parse().ok()?)))
    }

    #[cfg(test)]
    mod tests {
        use super::*;

        #[test]
        fn one_bug_is_alive_at_a_time_and_faults_are_chosen_outside() {
            assert!(!mutant!("a") && !buggify!("b"));
            plant(Some("a"));
            inject(Some(Box::new(|name| name == "b")));
            assert!(mutant!("a") && !mutant!("b") && buggify!("b") && !buggify!("a"));
            let elsewhere = std::thread::Builder::new().spawn(|| mutant!("a") || buggify!("b"));
            assert!(!elsewhere.expect("started").join().expect("ended"), "other threads see nothing");
            plant(None);
            inject(None);
            assert!(!mutant!("a") && !buggify!("b"));
            kill_point!("K1");
        }
    }
}
