//! The pages of the web chat, the widget that other sites embed, the bridge and the demos: files that were built before
//! the server and are part of it. In a debug build they are read from `web/*/dist` at each request.

use std::borrow::Cow;

use axum::body::{Body, Bytes};
use axum::http::header::{
    ACCEPT_ENCODING, ACCESS_CONTROL_ALLOW_ORIGIN, CACHE_CONTROL, CONTENT_ENCODING, CONTENT_SECURITY_POLICY,
    CONTENT_TYPE, ETAG, IF_NONE_MATCH, REFERRER_POLICY, VARY, X_CONTENT_TYPE_OPTIONS,
};
use axum::http::{HeaderMap, HeaderName, HeaderValue, Method, Request, StatusCode, Uri};
use axum::response::{IntoResponse, Response};
use rust_embed::{EmbeddedFile, RustEmbed};

use crate::problem::Problem;

#[derive(RustEmbed)]
#[folder = "../../web/chat/dist"]
struct Chat;

/// The script, and a shop that uses it.
#[derive(RustEmbed)]
#[folder = "../../web/widget/dist"]
struct Widget;

#[derive(RustEmbed)]
#[folder = "../../web/demo/dist"]
struct Demo;

/// What stands in frames of other sub-domains.
#[derive(RustEmbed)]
#[folder = "../../web/bridge/dist"]
struct Bridge;

/// What pages of other sites load.
const WIDGET: &str = "widget.js";
/// Pages under it have addresses without `.html`.
const DEMOS: &str = "demo/";
const BRIDGES: &str = "bridge/";
/// For [`crate::bridge`]; by this name it may stand in no frame.
pub(crate) const BRIDGE: &str = "bridge/index.html";

/// File names under these change with their content, so they may be kept for ever.
const HASHED: [&str; 3] = ["assets/", "demo/assets/", "bridge/assets/"];
const FOR_EVER: HeaderValue = HeaderValue::from_static("public, max-age=31536000, immutable");
const ASK_AGAIN: HeaderValue = HeaderValue::from_static("no-cache");
/// A shop's pages need not wait for it each time, and its visitors have a new version soon.
const FIVE_MINUTES: HeaderValue = HeaderValue::from_static("public, max-age=300");
const NOT_BUILT: &str = "The web chat is not part of this server: it was built without `make web`.\n";

/// Scripts, styles and connections of this server only, and nobody may put a frame around it.
const POLICY: &str = "default-src 'self'; img-src 'self' data: blob:; media-src 'self' blob:; connect-src 'self'; \
                      object-src 'none'; base-uri 'none'; form-action 'self'; frame-ancestors 'none'";

/// The widget is for everybody; with the second line a site may also pin its content (`integrity`).
const FOR_OTHER_SITES: [(HeaderName, HeaderValue); 2] = [
    (HeaderName::from_static("cross-origin-resource-policy"), HeaderValue::from_static("cross-origin")),
    (ACCESS_CONTROL_ALLOW_ORIGIN, HeaderValue::from_static("*")),
];

/// Of an entity tag.
const TAG_BYTES: usize = 16;

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
    let path = match path {
        "" => "index.html".to_owned(),
        demo if demo.starts_with(DEMOS) && !demo.contains('.') => format!("{demo}.html"),
        _ => path.to_owned(),
    };
    match file(&path, request.headers()) {
        Some(response) => response,
        None if path == "index.html" => (StatusCode::NOT_FOUND, NOT_BUILT).into_response(),
        None => Problem::NotFound.into_response(),
    }
}

/// A file by its address, if there is one.
pub(crate) fn file(path: &str, headers: &HeaderMap) -> Option<Response> {
    // What was compressed when it was built lies beside what it was made from.
    let compressed = accepts_gzip(headers).then(|| built(&format!("{path}.gz"))).flatten();
    let is_compressed = compressed.is_some();
    let file = compressed.or_else(|| built(path))?;
    let tag = tag_of(&file);
    let is_known = headers.get_all(IF_NONE_MATCH).iter().any(|known| *known == tag);
    let described = [
        (CONTENT_TYPE, content_type(path)),
        (CACHE_CONTROL, kept_for(path)),
        (VARY, HeaderValue::from_static("accept-encoding")),
        (ETAG, tag),
    ];
    let mut response = match is_known {
        true => (StatusCode::NOT_MODIFIED, described).into_response(),
        false => (described, Body::from(bytes_of(file))).into_response(),
    };
    if is_compressed && !is_known {
        response.headers_mut().insert(CONTENT_ENCODING, HeaderValue::from_static("gzip"));
    }
    if path == WIDGET {
        response.headers_mut().extend(FOR_OTHER_SITES);
    }
    Some(response)
}

/// What is in the program is not copied for everybody who asks for it.
fn bytes_of(file: EmbeddedFile) -> Bytes {
    match file.data {
        Cow::Borrowed(bytes) => Bytes::from_static(bytes),
        Cow::Owned(bytes) => bytes.into(),
    }
}

/// A file of the folder that its address belongs to.
fn built(path: &str) -> Option<EmbeddedFile> {
    if let Some(name) = path.strip_prefix(DEMOS) {
        return Demo::get(name).or_else(|| Widget::get(path));
    }
    if let Some(name) = path.strip_prefix(BRIDGES) {
        return Bridge::get(name);
    }
    if path.starts_with(WIDGET) { Widget::get(path) } else { Chat::get(path) }
}

fn kept_for(path: &str) -> HeaderValue {
    match path {
        WIDGET => FIVE_MINUTES,
        _ if HASHED.iter().any(|folder| path.starts_with(folder)) => FOR_EVER,
        _ => ASK_AGAIN,
    }
}

/// The beginning of the content's SHA-256: as many bytes as never meet by chance.
fn tag_of(file: &EmbeddedFile) -> HeaderValue {
    let digits: String = file.metadata.sha256_hash()[..TAG_BYTES].iter().map(|byte| format!("{byte:02x}")).collect();
    HeaderValue::try_from(format!("\"{digits}\"")).expect("hexadecimal digits in quotes")
}

/// Whether a client takes what is compressed (RFC 9110 §12.5.3): what it says of gzip counts, and what it says of everything
/// only if it says nothing of that.
fn accepts_gzip(headers: &HeaderMap) -> bool {
    let lines = headers.get_all(ACCEPT_ENCODING).iter().filter_map(|line| line.to_str().ok());
    let mut everything = false;
    for (coding, accepted) in lines.flat_map(|line| line.split(',')).map(accepts) {
        match coding {
            coding if coding.eq_ignore_ascii_case("gzip") => return accepted,
            "*" => everything = accepted,
            _ => {}
        }
    }
    everything
}

/// A coding, and whether it is accepted, which it is not if its weight is 0 or cannot be read.
fn accepts(coding: &str) -> (&str, bool) {
    let Some((name, weight)) = coding.split_once(';') else { return (coding.trim(), true) };
    let weight = weight.trim().strip_prefix(['q', 'Q']).and_then(|weight| weight.strip_prefix('='));
    let weight = weight.and_then(|weight| weight.trim().parse::<f32>().ok());
    (name.trim(), weight.is_some_and(|weight| weight > 0.0))
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

/// What every answer tells a browser, unless it has told something of that kind already.
pub(crate) async fn protect(mut response: Response) -> Response {
    for (name, value) in FOR_BROWSERS {
        response.headers_mut().entry(name).or_insert(value);
    }
    response
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_compressed_goes_to_whoever_takes_it() {
        let accepts = |lines: &[&'static str]| {
            let lines = lines.iter().map(|line| (ACCEPT_ENCODING, HeaderValue::from_static(line)));
            accepts_gzip(&HeaderMap::from_iter(lines))
        };
        for taken in ["gzip", "gzip, deflate, br", "br;q=1.0, gzip;q=0.8", "gzip;q=0.5", "gzip; q=0.001", "GZIP", "*"] {
            assert!(accepts(&[taken]), "{taken}");
        }
        for refused in
            ["", "br", "identity", "gzip;q=0", "gzip; q=0.000", "*;q=0", "*, gzip;q=0", "gzip;q=0, *", "gzip;q=x"]
        {
            assert!(!accepts(&[refused]), "{refused}");
        }
        assert!(accepts(&["br", "gzip"]) && accepts(&["*;q=0", "gzip"]) && !accepts(&[]));
    }
}
