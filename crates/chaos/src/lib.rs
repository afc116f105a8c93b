//! Real `hongyan serve` processes and real client cores, under faults that machines have: kills at any place, power
//! cuts, disks that lie, fill up or crawl, networks that drop and stall, clocks that jump. What clients saw is a
//! history, and `hongyan_checker` judges it.
//!
//! Read in this order: [`scenario`] (the list of faults), [`run`], [`stage`] (what all runs share), [`server`] (the
//! process), [`device`] and [`driver`] (one client), [`crowd`] (all clients), [`journal`] (what they saw), [`judge`],
//! [`table`], [`soak`]. It decides nothing that the checker could decide, and it knows nothing of the server's inside
//! but its command line, its metrics and the names of the points at which it may be killed.
#![allow(clippy::disallowed_methods, reason = "a shell: it owns clock, randomness, tasks and processes")]

pub mod arguments;
pub mod bend;
pub mod crowd;
pub mod device;
pub mod driver;
pub mod figures;
pub mod interrupt;
pub mod journal;
pub mod judge;
pub mod random;
pub mod run;
pub mod scenario;
pub mod server;
pub mod shim;
pub mod soak;
pub mod stage;
pub mod system;
pub mod table;
