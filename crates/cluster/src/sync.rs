//! The locks of the directory. A release has those of std; with the feature `shuttle` they are those of a scheduler that
//! tries one order of threads after another, for the tests of this crate and of the gate.

#[cfg(feature = "shuttle")]
pub(crate) use shuttle::sync::{Mutex, MutexGuard};
#[cfg(not(feature = "shuttle"))]
pub(crate) use std::sync::{Mutex, MutexGuard};
