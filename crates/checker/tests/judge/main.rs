//! The judge is judged: clean histories pass, and every way to break a promise is found.
//!
//! [`invariants`] has one small history per rule, [`model`] a tiny true world that writes rich clean ones, [`mutations`]
//! breaks those in one place, [`files`] reads and writes them.

mod files;
mod invariants;
mod model;
mod mutations;
mod random;
mod story;
