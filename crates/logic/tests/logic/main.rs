//! Logic over the embedded store, as a gate and an administrator see it. Time stands still unless a test moves it.

mod administering;
mod altering;
mod attacks;
mod changing_rights;
mod claiming;
mod friends;
mod groups;
mod judging;
mod lists;
mod logging_in;
mod presence;
mod pushing;
mod reading;
mod rooms;
mod searching;
mod sending;
mod store;
mod visiting;
mod world;
