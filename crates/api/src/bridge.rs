//! The page by which tabs on other sub-domains share the connection, the outbox and the cache of this server's own origin
//! (PROTOCOL.md §18). A page puts it into a frame; which pages may is decided here, and kept by the browser. What the two
//! say to each other is the SDK's matter.

use std::fmt;
use std::sync::Arc;

use axum::extract::State;
use axum::http::header::CONTENT_SECURITY_POLICY;
use axum::http::{HeaderMap, HeaderValue, Uri};
use axum::response::{IntoResponse, Response};

use crate::pages;
use crate::problem::Problem;

/// Longest name of a host, in bytes (RFC 1035).
const HOST_BYTES_MAX: usize = 253;
/// How the page that asks names itself.
const ORIGIN: &str = "origin=";

/// An origin as browsers write it: scheme, host in lower case, and a port unless it is the scheme's own.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Origin(String);

impl Origin {
    /// `None` if no page can have this origin. Nothing in it means anything to a policy or a page.
    pub fn parse(text: &str) -> Option<Self> {
        let (own_port, rest) = match text.split_once("://")? {
            ("https", rest) => (443, rest),
            ("http", rest) => (80, rest),
            _ => return None,
        };
        let (host, port) = rest.split_once(':').map_or((rest, None), |(host, port)| (host, Some(port)));
        let is_letter = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || b".-_".contains(&byte);
        let is_host = (1..=HOST_BYTES_MAX).contains(&host.len()) && host.bytes().all(is_letter);
        let is_port = |port: &str| {
            port.parse::<u16>().is_ok_and(|number| number != own_port && number > 0 && number.to_string() == port)
        };
        (is_host && port.is_none_or(is_port)).then(|| Self(text.to_owned()))
    }

    /// The page may load and reach this server, and stand in frames of this origin alone. Every page around it counts, so
    /// a listed page in a frame of somebody else has no bridge.
    fn policy(&self) -> HeaderValue {
        let policy = format!(
            "default-src 'none'; script-src 'self'; connect-src 'self'; base-uri 'none'; form-action 'none'; \
             frame-ancestors {self}"
        );
        HeaderValue::try_from(policy).expect("an origin has visible letters only")
    }
}

impl fmt::Display for Origin {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.0)
    }
}

/// `GET /bridge?origin=https://shop.example.com`. Whoever is not listed learns nothing: as if there were no such page. The
/// rest of the list is told to nobody.
pub(crate) async fn page(State(origins): State<Arc<[Origin]>>, uri: Uri, headers: HeaderMap) -> Response {
    let Some(origin) = named(uri.query(), &origins) else { return Problem::NotFound.into_response() };
    let Some(mut response) = pages::file(pages::BRIDGE, &headers) else { return Problem::NotFound.into_response() };
    response.headers_mut().insert(CONTENT_SECURITY_POLICY, origin.policy());
    response
}

/// The listed origin that a query names, letter by letter.
fn named<'a>(query: Option<&str>, origins: &'a [Origin]) -> Option<&'a Origin> {
    let name = query?.strip_prefix(ORIGIN)?;
    origins.iter().find(|listed| listed.0 == name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_origin_is_what_browsers_write() {
        for good in
            ["https://shop.example.com", "http://shop.localhost:8080", "https://127.0.0.1:1", "https://xn--fiq.cn"]
        {
            assert_eq!(Origin::parse(good).unwrap().to_string(), good);
        }
        for bad in [
            "",
            "*",
            "null",
            "shop.example.com",
            "https://",
            "https://*",
            "https://*.example.com",
            "https://shop.example.com/",
            "https://shop.example.com:443",
            "http://shop.example.com:80",
            "https://shop.example.com:0",
            "https://shop.example.com:080",
            "https://shop.example.com:99999",
            "https://shop.example.com:",
            "https://Shop.example.com",
            "https://shop.example.com evil.com",
            "https://shop.example.com;script-src",
            "https://shop.example.com,evil.com",
            "https://user@shop.example.com",
            "https://'self'",
            "ftp://shop.example.com",
            "https://shop.example.com\r\nx: y",
        ] {
            assert_eq!(Origin::parse(bad), None, "{bad}");
        }
        assert_eq!(Origin::parse(&format!("https://{}", "a".repeat(HOST_BYTES_MAX + 1))), None);
    }

    #[test]
    fn row_28_only_a_listed_page_may_frame_the_bridge() {
        let listed = ["https://www.example.com", "https://help.example.com"].map(|text| Origin::parse(text).unwrap());
        let named = |query: &str| named(Some(query), &listed).map(ToString::to_string);
        assert_eq!(named("origin=https://help.example.com").as_deref(), Some("https://help.example.com"));
        for query in [
            "",
            "origin=",
            "origin=https://evil.com",
            "origin=https://www.example.com.evil.com",
            "origin=https://www.example.com&origin=https://evil.com",
            "origin=http://www.example.com",
            "https://www.example.com",
        ] {
            assert_eq!(named(query), None, "{query}");
        }
        assert_eq!(super::named(None, &listed), None);
        let policy = listed[1].policy();
        let policy = policy.to_str().unwrap();
        assert!(policy.ends_with("; frame-ancestors https://help.example.com"), "{policy}");
        assert!(policy.starts_with("default-src 'none'; ") && !policy.contains("www"), "{policy}");
    }
}
