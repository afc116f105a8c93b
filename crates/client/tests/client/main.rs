//! The client core against a tiny server, in virtual time; and the shell over loopback.

mod groups;
mod link;
mod loss;
mod messages;
mod random;
mod server;
mod shell;
mod world;
