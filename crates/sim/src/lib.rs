//! The product in a simulated world: wire, client core, logic, gate and router as they are, with time, network, disk and
//! people that come out of one seed. The same seed gives the same run, bit for bit.
//!
//! What clients saw is judged by `hongyan_checker`, which shares nothing with what runs here.

pub mod model_store;
pub mod mutants;
pub mod sqlite_disk;
