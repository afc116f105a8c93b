//! What is answered when a request cannot be done: a status, a code for programs, a sentence for people.

use axum::Json;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use serde_json::json;

/// The closed list of error answers.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Problem {
    /// The key is missing or wrong.
    Unauthorized,
    /// It may not be done here.
    NotAllowed,
    /// Too often.
    RateLimited,
    /// A field is out of its range; the text names it.
    Invalid(String),
    /// The body is longer than `api.body_bytes_max`.
    TooBig,
    /// There is no such thing.
    NotFound,
    /// The name is taken.
    Exists,
    /// Overload or a full disk: the same request will do later.
    TryLater,
    /// The request was not complete, or not done, in time.
    TimedOut,
    /// A defect or an outage; logged where it happened.
    Internal,
}

impl Problem {
    fn describe(&self) -> (StatusCode, &'static str, &str) {
        match self {
            Self::Unauthorized => (StatusCode::UNAUTHORIZED, "unauthorized", "a valid admin key is needed"),
            Self::NotAllowed => (StatusCode::FORBIDDEN, "not_allowed", "that is not allowed here"),
            Self::RateLimited => (StatusCode::TOO_MANY_REQUESTS, "rate_limited", "too often; try again later"),
            Self::Invalid(text) => (StatusCode::BAD_REQUEST, "invalid", text),
            Self::TooBig => (StatusCode::PAYLOAD_TOO_LARGE, "too_big", "the body is too long"),
            Self::NotFound => (StatusCode::NOT_FOUND, "not_found", "there is no such thing"),
            Self::Exists => (StatusCode::CONFLICT, "exists", "the name is taken"),
            Self::TryLater => (StatusCode::SERVICE_UNAVAILABLE, "try_later", "try again later"),
            Self::TimedOut => (StatusCode::REQUEST_TIMEOUT, "timed_out", "the request took too long"),
            Self::Internal => (StatusCode::INTERNAL_SERVER_ERROR, "internal", "internal error"),
        }
    }
}

impl IntoResponse for Problem {
    fn into_response(self) -> Response {
        let (status, code, text) = self.describe();
        (status, Json(json!({ "code": code, "text": text }))).into_response()
    }
}
