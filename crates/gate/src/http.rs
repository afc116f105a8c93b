//! The way in for browsers (PROTOCOL.md §18): frames over [`socket`]s and [`poll`]s instead of raw TCP. Who may come this
//! way is decided here; what a connection does is [`crate::driver`]'s. Pages and accounts are not here.

mod later;
mod pieces;
mod poll;
mod polled;
mod pool;
pub mod socket;
pub mod upgrade;

use std::net::IpAddr;
use std::sync::Arc;

use axum::Router;
use axum::extract::{DefaultBodyLimit, Request, State};
use axum::http::header::{
    ACCESS_CONTROL_ALLOW_HEADERS, ACCESS_CONTROL_ALLOW_ORIGIN, ACCESS_CONTROL_EXPOSE_HEADERS, ACCESS_CONTROL_MAX_AGE,
    HOST, ORIGIN, VARY, X_CONTENT_TYPE_OPTIONS,
};
use axum::http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode};
use axum::middleware::{Next, from_fn_with_state};
use axum::response::{IntoResponse, Response};
use axum::routing::{any, post};
use serde::{Deserialize, Serialize};

use crate::gate::Gate;
pub use later::{Answer, Later};
use pool::Pool;

/// Bytes of frames in one request.
const BODY_BYTES_MAX: usize = 256 * 1024;

/// What an operator may set.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct HttpOptions {
    /// Origins of other sites whose pages may connect, such as `https://shop.example.com`.
    pub origins: Vec<String>,
    /// Whether connections from other machines may come without TLS.
    pub allow_plain: bool,
    /// A poll is held for so long, in milliseconds.
    pub poll_hold_ms: u64,
    /// A polled connection that nobody polls for so long is gone, in milliseconds.
    pub poll_gone_ms: u64,
}

impl Default for HttpOptions {
    fn default() -> Self {
        Self { origins: Vec::new(), allow_plain: false, poll_hold_ms: 90_000, poll_gone_ms: 30_000 }
    }
}

/// The other end of an HTTP connection. Whoever accepts it puts this into every request.
#[derive(Clone, Copy, Debug)]
pub struct Remote {
    /// Its address.
    pub address: IpAddr,
    /// Nobody on the way can read: by TLS, or because nothing leaves this machine.
    pub protected: bool,
}

/// What all requests share.
struct Web {
    gate: Arc<Gate>,
    options: HttpOptions,
    pool: Arc<Pool>,
}

/// `/v1/socket`, `/v1/poll` and `/v1/frames`, and others `beside` them, to which the same people may come. Every request
/// needs a [`Remote`] as extension, and an answer may be the promise of one ([`Later`]).
pub fn routes(gate: Arc<Gate>, options: HttpOptions, beside: Router) -> Router {
    let pool = Pool::start(gate.clone(), options.poll_gone_ms);
    let web = Arc::new(Web { gate, options, pool });
    Router::new()
        .route("/v1/socket", any(socket::open))
        .route("/v1/poll", post(poll::poll))
        .route("/v1/frames", post(poll::frames))
        .layer(DefaultBodyLimit::max(BODY_BYTES_MAX))
        .with_state(web.clone())
        .merge(beside)
        .layer(from_fn_with_state(web, guard))
}

/// Why a request is not served. Told as status and one sentence.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Refused {
    Plain,
    Origin,
    Crowded,
    Unknown,
    Number,
    Socket,
    Protocol,
    Full,
}

impl IntoResponse for Refused {
    fn into_response(self) -> Response {
        let (status, text) = match self {
            Self::Plain => (StatusCode::FORBIDDEN, "come by https: or wss:"),
            Self::Origin => (StatusCode::FORBIDDEN, "pages of this origin may not connect"),
            Self::Crowded => (StatusCode::SERVICE_UNAVAILABLE, "too many connections; try again later"),
            Self::Unknown => (StatusCode::UNAUTHORIZED, "there is no such connection; open another one"),
            Self::Number => (StatusCode::CONFLICT, "only the last number and the next are allowed"),
            Self::Socket => (StatusCode::BAD_REQUEST, "this is for WebSockets"),
            Self::Protocol => (StatusCode::BAD_REQUEST, "the sub-protocol is hongyan.v1"),
            Self::Full => (StatusCode::TOO_MANY_REQUESTS, "the frames before are not taken yet; try again later"),
        };
        (status, [(X_CONTENT_TYPE_OPTIONS, "nosniff")], text).into_response()
    }
}

async fn guard(State(web): State<Arc<Web>>, request: Request, next: Next) -> Response {
    let remote = request.extensions().get::<Remote>().copied();
    let protected = remote.is_some_and(|remote| remote.protected);
    if !protected && !web.options.allow_plain {
        return Refused::Plain.into_response();
    }
    if !is_welcome(request.headers(), &web.options.origins) {
        return Refused::Origin.into_response();
    }
    // A page of the same origin needs no permission, and gets none.
    let listed =
        request.headers().get(ORIGIN).filter(|origin| web.options.origins.iter().any(|listed| origin == &listed));
    // A copy: the header itself would keep all in memory that was read with it, for as long as a poll is held.
    let listed = listed.map(|origin| HeaderValue::from_bytes(origin.as_bytes()).expect("it was a header"));
    let mut response = match (&listed, request.method()) {
        (Some(_), &Method::OPTIONS) => StatusCode::NO_CONTENT.into_response(),
        _ => next.run(request).await,
    };
    if let Some(origin) = listed {
        response.headers_mut().insert(ACCESS_CONTROL_ALLOW_ORIGIN, origin);
        response.headers_mut().extend(FOR_LISTED_ORIGINS);
    }
    response
}

/// What pages of other sites may send, and may read of an answer. Cookies are not among it.
const FOR_LISTED_ORIGINS: [(HeaderName, HeaderValue); 4] = [
    (VARY, HeaderValue::from_static("origin")),
    (
        ACCESS_CONTROL_ALLOW_HEADERS,
        HeaderValue::from_static("authorization, content-type, hongyan-poll, hongyan-frames"),
    ),
    (ACCESS_CONTROL_EXPOSE_HEADERS, HeaderValue::from_static("hongyan-connection")),
    (ACCESS_CONTROL_MAX_AGE, HeaderValue::from_static("600")),
];

/// Browsers name the page that asks; other clients name none. A page of this server, or of a listed site, may.
fn is_welcome(headers: &HeaderMap, origins: &[String]) -> bool {
    let mut named = headers.get_all(ORIGIN).iter();
    let Some(origin) = named.next() else { return true };
    let Ok(origin) = origin.to_str() else { return false };
    let host = headers.get(HOST).and_then(|host| host.to_str().ok());
    let own = origin.strip_prefix("https://").or_else(|| origin.strip_prefix("http://"));
    named.next().is_none() && (own.is_some() && own == host || origins.iter().any(|listed| listed == origin))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn row_28_only_own_and_listed_origins_are_welcome() {
        let listed = ["https://shop.example.com".to_owned()];
        let welcome = |host: &'static str, origins: &[&'static str]| {
            let mut headers = HeaderMap::new();
            headers.insert(HOST, host.parse().unwrap());
            for origin in origins {
                headers.append(ORIGIN, origin.parse().unwrap());
            }
            is_welcome(&headers, &listed)
        };
        assert!(welcome("im.example.com", &[]), "no browser");
        assert!(welcome("im.example.com", &["https://im.example.com"]));
        assert!(welcome("127.0.0.1:7302", &["http://127.0.0.1:7302"]));
        assert!(welcome("im.example.com", &["https://shop.example.com"]));
        for origin in [
            "https://evil.example.com",
            "https://shop.example.com.evil.com",
            "https://shop.example.com:444",
            "http://shop.example.com",
            "null",
            "im.example.com",
            "https://im.example.com@evil.com",
            "file://im.example.com",
            "",
        ] {
            assert!(!welcome("im.example.com", &[origin]), "{origin}");
        }
        assert!(!welcome("im.example.com", &["https://im.example.com", "https://evil.example.com"]), "two");
    }
}
