//! Browsers' ways in on the real binary: WebSocket, polls, TLS, accounts. Tests named `row_nn` prove the row of that number
//! in the project's list of attacks.
#![allow(clippy::disallowed_methods, reason = "real processes take real time, and a test must end")]

mod attacks;
mod browser;
#[path = "../process/mod.rs"]
mod process;
mod proxies;
mod rooms;
mod tls;
mod transports;
mod visitors;
