//! A gate without sockets: real connections of both ends, a scripted logic, a clock that moves when told.

mod bench;
mod groups;
mod hostile;
mod life;
mod line;
mod model;
mod races;
mod rooms;
mod slow;
