//! Lets requests with the admin key through (reliability row 25). There is one key, and it may do everything.

use std::sync::Arc;

use axum::extract::{Request, State};
use axum::http::header::AUTHORIZATION;
use axum::middleware::Next;
use axum::response::Response;

use crate::problem::Problem;

/// The key that administration asks for; cheap to clone.
#[derive(Clone)]
pub struct AdminKey(Arc<str>);

impl AdminKey {
    /// Shorter keys could be guessed.
    pub const BYTES_MIN: usize = 32;

    /// A key of at least [`Self::BYTES_MIN`] bytes.
    pub fn new(key: &str) -> Option<Self> {
        (key.len() >= Self::BYTES_MIN).then(|| Self(key.into()))
    }

    /// Compares in a time that does not tell how much of a guess was right.
    fn is(&self, offered: &str) -> bool {
        aws_lc_rs::constant_time::verify_slices_are_equal(self.0.as_bytes(), offered.as_bytes()).is_ok()
    }
}

/// Goes on only if the request carries `authorization: Bearer KEY`.
pub(crate) async fn check(State(key): State<AdminKey>, request: Request, next: Next) -> Result<Response, Problem> {
    let value = request.headers().get(AUTHORIZATION).and_then(|value| value.to_str().ok());
    let offered = value.and_then(|value| value.strip_prefix("Bearer ")).unwrap_or_default();
    if key.is(offered) { Ok(next.run(request).await) } else { Err(Problem::Unauthorized) }
}
