//! The wire protocol against a virtual clock, a simulated link and a hostile peer. Tests named `row_nn` prove the row
//! of that number in the project's list of attacks.

mod deadlines;
mod framing;
mod page;
mod pair;
mod rekey;
mod resume;
mod secrecy;
mod size;
mod state;
mod tls;
mod vectors;
