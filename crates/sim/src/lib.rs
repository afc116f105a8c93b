//! The product in a simulated world: wire, client core, logic, gate and router as they are, with time, network, disk and
//! people that come out of one seed. The same seed gives the same run, bit for bit.
//!
//! What clients saw is judged by `hongyan_checker`, which shares nothing with what runs here.

// Cargo gives what one package of a build wants of a dependency to all of them.
#[cfg(not(debug_assertions))]
compile_error!("use `--profile sim`: a release that is built beside the simulator would have its planted bugs");

pub mod campaign;
pub mod device;
pub mod disk;
pub mod executor;
pub mod faults;
pub mod local_store;
pub mod model_store;
pub mod mutants;
pub mod network;
pub mod plan;
pub mod random;
pub mod recorder;
pub mod server;
pub mod shrink;
pub mod sqlite_disk;
pub mod world;
