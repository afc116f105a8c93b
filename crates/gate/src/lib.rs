//! The access layer (spec 10): connections, the sessions that are connected here, limits, fan-out.
//!
//! Pure parts: [`peer`] (one connection's life), [`link`] (its mailbox), [`table`] (who is connected here), [`wheel`]
//! (deadlines), [`bucket`] and [`admission`] (limits), [`ticket`], [`unacknowledged`] and [`progress`] (how far clients
//! have come), [`call`] (what is asked of logic), [`driver`] (bytes between a stream and a peer). Shell: [`tcp`] (sockets),
//! [`http`] (WebSocket and polls) and [`gate`] (the tasks of the role). A gate reads no message and decides nothing about
//! one.

pub mod admission;
pub mod bucket;
pub mod call;
pub mod driver;
pub mod gate;
mod groups;
pub mod http;
pub mod link;
pub mod measures;
pub mod options;
pub mod peer;
pub mod progress;
pub mod subscriptions;
mod sync;
pub mod table;
pub mod tcp;
pub mod ticket;
pub mod turn;
pub mod unacknowledged;
pub mod wheel;

pub use gate::Gate;
pub use options::GateOptions;
