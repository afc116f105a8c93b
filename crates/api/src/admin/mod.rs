//! Administration: apps, their keys, users, rooms, words, reviews. One file per noun; what an operation does is logic's, here is only HTTP.
//! Whoever gets here has the admin key.

mod apps;
pub(crate) mod input;
mod keys;
mod rooms;
mod spam;
mod users;
pub(crate) mod words;

use std::sync::Arc;

use axum::Router;
use hongyan_domain::refusal::Refusal;
use hongyan_logic::Logic;

use crate::problem::Problem;

/// What the endpoints need.
pub type State = Arc<Logic>;

/// Paths are below `/v1/admin`.
pub(crate) fn routes(state: State) -> Router {
    let routes =
        Router::new().merge(apps::routes()).merge(keys::routes()).merge(users::routes()).merge(rooms::routes());
    let routes = routes.merge(words::routes()).merge(spam::routes());
    // Its own, so that what does not exist is not told without the key either.
    routes.fallback(|| async { Problem::NotFound }).with_state(state)
}

impl From<Refusal> for Problem {
    fn from(refusal: Refusal) -> Self {
        match refusal {
            Refusal::InvalidArgument(field) => Self::Invalid(format!("{field} is out of its range")),
            Refusal::NotFound => Self::NotFound,
            Refusal::Conflict => Self::Exists,
            Refusal::NotAllowed => Self::NotAllowed,
            Refusal::TryLater { .. } => Self::TryLater,
            Refusal::RateLimited { .. } => Self::RateLimited,
            // Administration is refused for no other reason.
            _ => Self::Internal,
        }
    }
}
