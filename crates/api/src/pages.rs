//! The pages of the web chat: files that were built before the server and are part of it. In a debug build they are read
//! from `web/chat/dist` at each request.

use axum::body::Body;
use axum::http::header::{
    ACCEPT_ENCODING, CACHE_CONTROL, CONTENT_ENCODING, CONTENT_SECURITY_POLICY, CONTENT_TYPE, REFERRER_POLICY, VARY,
    X_CONTENT_TYPE_OPTIONS,
};
use axum::http::{HeaderMap, HeaderName, HeaderValue, Method, Request, StatusCode, Uri};
use axum::response::{IntoResponse, Response};
use rust_embed::RustEmbed;

use crate::problem::Problem;

#[derive(RustEmbed)]
#[folder = "../../web/chat/dist"]
struct Files;

/// File names under it change with their content, so they may be kept for ever.
const HASHED: &str = "assets/";
const FOR_EVER: HeaderValue = HeaderValue::from_static("public, max-age=31536000, immutable");
const ASK_AGAIN: HeaderValue = HeaderValue::from_static("no-cache");
const NOT_BUILT: &str = "The web chat is not part of this server: it was built without `make web`.\n";

/// Scripts, styles and connections of this server only, and nobody may put a frame around it.
const POLICY: &str = "default-src 'self'; img-src 'self' data: blob:; media-src 'self' blob:; connect-src 'self'; \
                      object-src 'none'; base-uri 'none'; form-action 'self'; frame-ancestors 'none'";

const FOR_BROWSERS: [(HeaderName, HeaderValue); 3] = [
    (X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff")),
    (CONTENT_SECURITY_POLICY, HeaderValue::from_static(POLICY)),
    (REFERRER_POLICY, HeaderValue::from_static("no-referrer")),
];

/// A page of the chat, or what belongs to one.
pub(crate) async fn page(uri: Uri, request: Request<Body>) -> Response {
    if !matches!(*request.method(), Method::GET | Method::HEAD) || uri.path().starts_with("/v1/") {
        return Problem::NotFound.into_response();
    }
    let path = uri.path().trim_start_matches('/');
    let path = if path.is_empty() { "index.html" } else { path };
    match file(path, request.headers()) {
        Some(response) => response,
        None if path == "index.html" => (StatusCode::NOT_FOUND, NOT_BUILT).into_response(),
        None => Problem::NotFound.into_response(),
    }
}

fn file(path: &str, headers: &HeaderMap) -> Option<Response> {
    // What was compressed when it was built lies beside what it was made from.
    let compressed = accepts_gzip(headers).then(|| Files::get(&format!("{path}.gz"))).flatten();
    let is_compressed = compressed.is_some();
    let file = compressed.or_else(|| Files::get(path))?;
    let kept = if path.starts_with(HASHED) { FOR_EVER } else { ASK_AGAIN };
    let mut response = (
        [
            (CONTENT_TYPE, content_type(path)),
            (CACHE_CONTROL, kept),
            (VARY, HeaderValue::from_static("accept-encoding")),
        ],
        Body::from(file.data.into_owned()),
    )
        .into_response();
    if is_compressed {
        response.headers_mut().insert(CONTENT_ENCODING, HeaderValue::from_static("gzip"));
    }
    Some(response)
}

fn accepts_gzip(headers: &HeaderMap) -> bool {
    let accepted = headers.get(ACCEPT_ENCODING).and_then(|value| value.to_str().ok()).unwrap_or_default();
    accepted.split(',').any(|coding| coding.trim() == "gzip" || coding.trim().starts_with("gzip;q=1"))
}

fn content_type(path: &str) -> HeaderValue {
    HeaderValue::from_static(match path.rsplit_once('.').map(|(_, extension)| extension) {
        Some("html") => "text/html; charset=utf-8",
        Some("js") => "text/javascript; charset=utf-8",
        Some("css") => "text/css; charset=utf-8",
        Some("json" | "webmanifest") => "application/json",
        Some("svg") => "image/svg+xml",
        Some("png") => "image/png",
        Some("ico") => "image/x-icon",
        Some("woff2") => "font/woff2",
        Some("mp3") => "audio/mpeg",
        Some("ogg") => "audio/ogg",
        Some("wav") => "audio/wav",
        _ => "application/octet-stream",
    })
}

/// What every answer tells a browser.
pub(crate) async fn protect(mut response: Response) -> Response {
    response.headers_mut().extend(FOR_BROWSERS);
    response
}
