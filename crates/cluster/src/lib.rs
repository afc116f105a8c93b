//! Who is where, and how the roles of the product reach each other.
//!
//! [`router`] knows which sessions of a user are connected to which gate, [`rooms`] who is in which room; [`bus`] carries
//! deliveries to gates; [`service`] is what a gate asks of logic; [`refusal`] is how both say no. All of it is soft state
//! and hints: what must survive is in the store.

pub mod bus;
pub mod id_map;
pub mod presence;
pub mod refusal;
pub mod rooms;
pub mod router;
pub mod service;
mod sync;

pub use bus::{Bus, Delivery, Inlet};
pub use id_map::IdMap;
pub use presence::Presences;
pub use rooms::Rooms;
pub use router::{Route, Router};
pub use service::Service;
