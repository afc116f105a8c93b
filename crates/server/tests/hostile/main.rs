//! Attacks on a real server over real sockets. Every test is named after its row of the threat model: what must happen,
//! and that whoever else is connected does not notice.
#![allow(clippy::disallowed_methods, reason = "real processes take real time, and a test must end")]

#[path = "../process/mod.rs"]
mod process;

mod credentials;
mod framing;
mod friends;
mod groups;
mod http;
mod leaks;
mod load;
mod place;
mod requests;
mod rights;
mod rooms;
mod session;
mod speaker;
mod table;
