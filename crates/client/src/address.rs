//! The address of a server, with the key that proves it is the right one: `hongyan://KEY@HOST:PORT/APP`.
//!
//! KEY is the server's public key as 43 characters of base64url (as printed) or 64 of hexadecimal. Dialling and
//! resolving names is the shell's work.

use std::fmt;
use std::str::FromStr;

use thiserror::Error;

const SCHEME: &str = "hongyan://";
const BASE64URL: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";

/// Where a server listens, which key it has, and which app is meant.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct ServerAddress {
    /// The server's static public key, pinned.
    pub key: [u8; 32],
    /// A name, an IPv4 address, or an IPv6 address without brackets.
    pub host: String,
    /// TCP port.
    pub port: u16,
    /// The application (tenant).
    pub app: String,
}

/// What is wrong with an address.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[allow(missing_docs, reason = "the messages say it")]
pub enum AddressError {
    #[error("the address must begin with hongyan://")]
    Scheme,
    #[error("the server's key must be 43 characters of base64url or 64 of hexadecimal, followed by @")]
    Key,
    #[error("host and port must follow the key, as in @example.org:7300")]
    Host,
    #[error("the app must be named at the end, as in /default")]
    App,
}

impl ServerAddress {
    /// `host:port` as a resolver takes it.
    pub fn authority(&self) -> String {
        if self.host.contains(':') {
            format!("[{}]:{}", self.host, self.port)
        } else {
            format!("{}:{}", self.host, self.port)
        }
    }
}

impl fmt::Display for ServerAddress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{SCHEME}{}@{}/{}", encode_key(&self.key), self.authority(), self.app)
    }
}

impl FromStr for ServerAddress {
    type Err = AddressError;

    fn from_str(text: &str) -> Result<Self, AddressError> {
        let rest = text.trim().strip_prefix(SCHEME).ok_or(AddressError::Scheme)?;
        let (key, rest) = rest.split_once('@').ok_or(AddressError::Key)?;
        let key = decode_key(key).ok_or(AddressError::Key)?;
        let (authority, app) = rest.split_once('/').ok_or(AddressError::App)?;
        let (host, port) = authority.rsplit_once(':').ok_or(AddressError::Host)?;
        let host = host.strip_prefix('[').and_then(|host| host.strip_suffix(']')).unwrap_or(host);
        let port = port.parse().map_err(|_| AddressError::Host)?;
        if host.is_empty() {
            return Err(AddressError::Host);
        }
        if app.is_empty() || app.contains('/') {
            return Err(AddressError::App);
        }
        Ok(Self { key, host: host.into(), port, app: app.into() })
    }
}

/// Base64url without padding (RFC 4648 §5): 43 characters.
fn encode_key(key: &[u8; 32]) -> String {
    let mut text = String::with_capacity(43);
    for chunk in key.chunks(3) {
        let word = chunk.iter().fold(0_u32, |word, byte| word << 8 | u32::from(*byte)) << (8 * (3 - chunk.len()));
        for place in 0..=chunk.len() {
            text.push(char::from(BASE64URL[(word >> (18 - 6 * place) & 63) as usize]));
        }
    }
    text
}

fn decode_key(text: &str) -> Option<[u8; 32]> {
    match text.len() {
        64 => decode_hex(text.as_bytes()),
        43 => decode_base64url(text.as_bytes()),
        _ => None,
    }
}

fn decode_hex(text: &[u8]) -> Option<[u8; 32]> {
    let mut key = [0; 32];
    for (byte, pair) in key.iter_mut().zip(text.chunks(2)) {
        let digit = |at: usize| char::from(pair[at]).to_digit(16);
        *byte = (digit(0)? << 4 | digit(1)?) as u8;
    }
    Some(key)
}

fn decode_base64url(text: &[u8]) -> Option<[u8; 32]> {
    let mut key = [0; 32];
    for (bytes, chars) in key.chunks_mut(3).zip(text.chunks(4)) {
        let mut word = 0_u32;
        for char in chars {
            word = word << 6 | BASE64URL.iter().position(|known| known == char)? as u32;
        }
        word <<= 6 * (4 - chars.len());
        bytes.copy_from_slice(&word.to_be_bytes()[1..1 + bytes.len()]);
        // Bits beyond the last byte must be zero, so that a key has one spelling.
        if word & (0x00FF_FFFF >> (8 * bytes.len())) != 0 {
            return None;
        }
    }
    Some(key)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn address(host: &str) -> ServerAddress {
        let key = std::array::from_fn(|at| (at * 41 + 250) as u8);
        ServerAddress { key, host: host.into(), port: 7300, app: "default".into() }
    }

    #[test]
    fn an_address_survives_its_text() {
        for host in ["example.org", "127.0.0.1", "::1"] {
            let address = address(host);
            assert_eq!(address.to_string().parse(), Ok(address.clone()));
            let hex: String = address.key.iter().map(|byte| format!("{byte:02x}")).collect();
            assert_eq!(format!("hongyan://{hex}@{}/default", address.authority()).parse(), Ok(address));
        }
    }

    #[test]
    fn what_is_wrong_is_named() {
        let good = address("h").to_string();
        let key = &good[SCHEME.len()..][..43];
        for (text, error) in [
            (good.replace("hongyan", "http"), AddressError::Scheme),
            (good.replace(key, &key[1..]), AddressError::Key),
            (good.replace(key, &key.replace(&key[..1], "+")), AddressError::Key),
            (good.replace(":7300", ""), AddressError::Host),
            (good.replace(":7300", ":70000"), AddressError::Host),
            (good.replace("h:", ":"), AddressError::Host),
            (good.replace("/default", ""), AddressError::App),
            (good.replace("/default", "/a/b"), AddressError::App),
        ] {
            assert_eq!(text.parse::<ServerAddress>(), Err(error), "{text}");
        }
    }
}
