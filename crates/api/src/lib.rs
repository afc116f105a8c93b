//! HTTP beside the message connections: health and metrics for operators, administration for tenants' servers and for
//! the command line (`docs/admin-api.md` lists every endpoint).
//!
//! [`listen`] holds the connections, [`admin`] the endpoints that change something, [`health`] and [`metrics`] those
//! that do not. No message passes here, and no client of a messaging user ever needs to reach this port.
//!
//! [`web`], [`bridge`] and [`pages`] are for browsers, on a port of their own, which the server opens.

pub mod admin;
mod authorization;
pub mod bridge;
pub mod health;
mod listen;
pub mod metrics;
mod options;
mod pages;
mod problem;
pub mod web;

use std::future::Future;
use std::sync::Arc;

use axum::Router;
use axum::extract::DefaultBodyLimit;
use axum::middleware::from_fn_with_state;
use tokio::net::TcpListener;

pub use authorization::AdminKey;
pub use health::Readiness;
pub use metrics::Metrics;
pub use options::ApiOptions;
pub use problem::Problem;

/// Every endpoint, ready to be served.
pub struct Api {
    options: ApiOptions,
    routes: Router,
}

impl Api {
    /// Endpoints of these parts.
    pub fn new(options: ApiOptions, key: AdminKey, administration: admin::State, seen: Seen) -> Self {
        let open = Router::new().merge(health::routes(seen.readiness)).merge(metrics::routes(seen.metrics));
        let closed = admin::routes(administration).layer(from_fn_with_state(key, authorization::check));
        let bounds = listen::Bounds { request_ms_max: options.request_ms_max, body_bytes_max: options.body_bytes_max };
        let routes = open
            .nest("/v1/admin", closed)
            .fallback(|| async { Problem::NotFound })
            .layer(DefaultBodyLimit::max(options.body_bytes_max))
            .layer(from_fn_with_state(bounds, listen::bounded));
        Self { options, routes }
    }

    /// Serves until `stop` completes, then lets open requests finish, which takes at most `options.request_ms_max`.
    pub async fn serve(self, listener: TcpListener, stop: impl Future<Output = ()>) {
        listen::serve(listener, self.routes, self.options, stop).await;
    }
}

/// What may be looked at without a key.
pub struct Seen {
    /// Whether the server takes clients now.
    pub readiness: Arc<Readiness>,
    /// The numbers of every part.
    pub metrics: Metrics,
}
