//! Proxies in front of the port for browsers: for whom they speak. What nobody trusted has written is not believed.

use std::net::{IpAddr, SocketAddr};

use axum::http::header::HeaderName;
use axum::http::{HeaderMap, HeaderValue};
use hongyan_gate::http::Remote;
use ipnet::IpNet;

/// The addresses through which a request came, each hop's proxy adding the one that it saw.
const FORWARDED_FOR: HeaderName = HeaderName::from_static("x-forwarded-for");
/// How the request came to the proxy.
const FORWARDED_PROTO: HeaderName = HeaderName::from_static("x-forwarded-proto");

/// Networks whose machines are proxies of the operator.
#[derive(Clone, Debug)]
pub struct Proxies(Vec<IpNet>);

impl Proxies {
    pub fn new(networks: Vec<IpNet>) -> Self {
        Self(networks)
    }

    /// Whether this machine is one.
    pub fn contain(&self, address: IpAddr) -> bool {
        let address = address.to_canonical();
        self.0.iter().any(|network| network.contains(&address))
    }

    /// Who asks: whoever is connected, or, if that is a proxy, the nearest address of its list that is none. What stands
    /// further left was written by somebody else, who may lie. Where a proxy does not say that it was spoken to by TLS,
    /// it was not.
    pub fn remote(&self, from: IpAddr, tls: bool, headers: &HeaderMap) -> Remote {
        if !self.contain(from) || !headers.contains_key(FORWARDED_FOR) {
            return Remote { address: from, tls };
        }
        let mut address = from;
        for hop in hops(headers).rev() {
            let Some(hop) = hop else { break };
            address = hop;
            if !self.contain(hop) {
                break;
            }
        }
        let protos = headers.get_all(FORWARDED_PROTO);
        let tls = headers.contains_key(FORWARDED_PROTO) && protos.iter().all(is_https);
        Remote { address, tls }
    }
}

/// The list, the farthest first; `None` for what is no address.
fn hops(headers: &HeaderMap) -> impl DoubleEndedIterator<Item = Option<IpAddr>> {
    let lines = headers.get_all(FORWARDED_FOR).iter();
    lines.flat_map(|line| line.to_str().unwrap_or("").split(',').map(|hop| address(hop.trim())))
}

/// Some proxies write the port, too.
fn address(text: &str) -> Option<IpAddr> {
    text.parse().ok().or_else(|| text.parse().ok().map(|socket: SocketAddr| socket.ip()))
}

/// Each of several proxies says how it was spoken to.
fn is_https(line: &HeaderValue) -> bool {
    line.to_str().is_ok_and(|line| line.split(',').all(|proto| proto.trim().eq_ignore_ascii_case("https")))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn remote(from: &str, lines: &[(&'static str, &str)]) -> (String, bool) {
        let proxies = Proxies::new(["127.0.0.1/32", "10.1.0.0/16"].map(|net| net.parse().unwrap()).into());
        let mut headers = HeaderMap::new();
        for (name, value) in lines {
            headers.append(HeaderName::from_static(name), value.parse().unwrap());
        }
        let Remote { address, tls } = proxies.remote(from.parse().unwrap(), false, &headers);
        (address.to_string(), tls)
    }

    #[test]
    fn a_proxy_is_believed_about_whom_it_saw_and_nobody_else_is() {
        let said = [("x-forwarded-for", "203.0.113.7"), ("x-forwarded-proto", "https")];
        assert_eq!(remote("127.0.0.1", &said), ("203.0.113.7".into(), true));
        assert_eq!(remote("::ffff:127.0.0.1", &said), ("203.0.113.7".into(), true));
        assert_eq!(remote("198.51.100.9", &said), ("198.51.100.9".into(), false), "no proxy");
        assert_eq!(remote("127.0.0.1", &[]), ("127.0.0.1".into(), false), "a program of this machine");
        let lied = [("x-forwarded-for", "127.0.0.1, 192.0.2.1, 203.0.113.7, 10.1.2.3")];
        assert_eq!(remote("127.0.0.1", &lied), ("203.0.113.7".into(), false), "the nearest that is no proxy");
        let lines = [("x-forwarded-for", "192.0.2.1"), ("x-forwarded-for", "[2001:db8::7]:4711")];
        assert_eq!(remote("10.1.0.1", &lines), ("2001:db8::7".into(), false));
        assert_eq!(remote("127.0.0.1", &[("x-forwarded-for", "192.0.2.1, unknown")]).0, "127.0.0.1");
        assert_eq!(remote("127.0.0.1", &[("x-forwarded-for", "10.1.0.1")]).0, "10.1.0.1", "only proxies");
    }

    #[test]
    fn every_hop_must_have_been_protected() {
        let by = |protos: &[&'static str]| {
            let mut lines = vec![("x-forwarded-for", "203.0.113.7")];
            lines.extend(protos.iter().map(|proto| ("x-forwarded-proto", *proto)));
            remote("127.0.0.1", &lines).1
        };
        assert!(by(&["https"]) && by(&["HTTPS, https"]));
        for protos in [&[][..], &["http"], &["http, https"], &["https,http"], &["https", "http"], &[""], &["wss"]] {
            assert!(!by(protos), "{protos:?}");
        }
    }
}
