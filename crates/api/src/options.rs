//! Limits of the HTTP port. Nothing else about the api can be set.

use serde::{Deserialize, Serialize};

/// Every number has its unit in its name.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct ApiOptions {
    /// Connections at once; more wait to be accepted.
    pub connections_max: usize,
    /// A request's head must be complete so long after the connection was opened or the last answer was sent, in
    /// milliseconds.
    pub head_ms_max: u64,
    /// A request, its body included, must be answered within so many milliseconds.
    pub request_ms_max: u64,
    /// Longest body of a request, in bytes.
    pub body_bytes_max: usize,
}

impl Default for ApiOptions {
    fn default() -> Self {
        Self { connections_max: 256, head_ms_max: 30_000, request_ms_max: 30_000, body_bytes_max: 64 * 1024 }
    }
}
