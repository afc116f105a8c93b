//! Every command of the product: read the facts, decide, commit, emit. One file per feature.
//!
//! [`Logic`] is what a gate talks to (`hongyan_cluster::Service`); its functions for administrators are in
//! [`administration`]. [`Announcer`] hears of every commit and pushes it to connected devices. What decides is pure and
//! lives in `hongyan_domain`; what is remembered here (names, apps, access versions) is a cache that the store corrects.
//!
//! Nothing here knows SQL, sockets, clocks or threads: those are the store, the gate and
//! `hongyan_domain::Environment`.

pub mod administration;
mod alter;
mod announce;
mod answer;
mod block;
mod cache;
mod claim_visitor;
mod contact;
mod conversations;
mod delete;
mod digest;
mod directory;
mod directs;
mod entry;
mod friends;
mod group_entry;
mod group_pages;
mod group_send;
mod groups;
mod history;
mod hold;
mod lists;
mod login;
mod mark_read;
pub mod measures;
pub mod options;
mod page;
pub mod passwords;
mod presence;
mod profiles;
mod quota;
mod rate;
mod receipts;
mod resume;
mod rooms;
mod say;
mod search;
mod send;
mod service;
mod sign_up;
mod spam;
pub mod spam_review;
mod sync;
mod token;
mod typing;
mod visitor;
mod visitor_mark;

pub use announce::Announcer;
pub use measures::Measures;
pub use options::LogicOptions;
pub use passwords::{Overloaded, Passwords};
pub use rate::Rate;
pub use rooms::OpenRoom;
pub use service::Logic;
pub use visitor_mark::{VISITOR_KEY_BYTES, VisitorKeys};
