//! Tokens that an app's own server signs (spec 30): JWTs. Pure: keys and time are given, nothing is fetched.
//!
//! A token names its key by `kid`, which is looked up among the keys of the app that the login names, nowhere else. The
//! key fixes the algorithm, HS256 or EdDSA; the token's own `alg` must be that one. Claims: `sub` is the user and `exp`
//! is required; `nbf` and `aud` are checked if present (`aud` must be or contain the app's name). `iss` and all other
//! claims and header fields mean nothing, except that a token with `crit` is refused.

use std::collections::BTreeMap;

use hongyan_domain::app::{AppKey, KeyAlgorithm};
use hongyan_domain::name::Name;
use hongyan_domain::time::UnixMillis;
use jsonwebtoken::{Algorithm, DecodingKey, Validation, decode, decode_header};
use serde::Deserialize;

/// How far the clocks of an app's server and ours may differ, in seconds.
pub(crate) const LEEWAY_SECONDS: f64 = 60.0;
/// Shortest secret of an HS256 key, in bytes (RFC 7518 §3.2).
pub(crate) const SECRET_BYTES_MIN: usize = 32;
/// Length of an Ed25519 public key, in bytes.
pub(crate) const PUBLIC_KEY_BYTES: usize = 32;

/// The usable keys of one app, parsed, by key id.
pub(crate) struct TokenKeys(BTreeMap<String, (Algorithm, DecodingKey)>);

/// Why a token is refused; for the log of the app's own developers, never for the client.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum TokenFault {
    /// It is no JWT, or its header asks for something that is not done here.
    Malformed,
    /// No such key, or it was revoked.
    UnknownKey,
    /// The header names another algorithm than the key has.
    WrongAlgorithm,
    /// The signature does not fit, or a claim has the wrong type or is missing.
    Invalid,
    /// `exp` is over.
    Expired,
    /// `nbf` is not reached.
    NotYetValid,
    /// `aud` names somebody else.
    WrongAudience,
    /// `sub` is no name of a user.
    NoUser,
}

#[derive(Deserialize)]
struct Claims {
    sub: String,
    exp: f64,
    nbf: Option<f64>,
    aud: Option<Audience>,
}

#[derive(Deserialize)]
#[serde(untagged)]
enum Audience {
    One(String),
    Many(Vec<String>),
}

impl Audience {
    fn contains(&self, app: &str) -> bool {
        match self {
            Self::One(name) => name == app,
            Self::Many(names) => names.iter().any(|name| name == app),
        }
    }
}

/// Whether a key is long enough to be used at all.
pub(crate) fn usable(algorithm: KeyAlgorithm, material: &[u8]) -> bool {
    match algorithm {
        KeyAlgorithm::Hs256 => material.len() >= SECRET_BYTES_MIN,
        KeyAlgorithm::EdDsa => material.len() == PUBLIC_KEY_BYTES,
    }
}

impl TokenKeys {
    /// Leaves out revoked and unusable keys.
    pub fn new(keys: &[AppKey]) -> Self {
        let usable = keys.iter().filter(|key| key.revoked.is_none() && usable(key.algorithm, &key.material));
        let parsed = usable.map(|key| {
            let parsed = match key.algorithm {
                KeyAlgorithm::Hs256 => (Algorithm::HS256, DecodingKey::from_secret(&key.material)),
                // The verifier takes the bare key; only signing keys are wrapped in DER.
                KeyAlgorithm::EdDsa => (Algorithm::EdDSA, DecodingKey::from_ed_der(&key.material)),
            };
            (key.key_id.to_string(), parsed)
        });
        Self(parsed.collect())
    }

    /// The user whom a token speaks for.
    pub fn verify(&self, token: &str, app: &Name, now: UnixMillis) -> Result<Name, TokenFault> {
        let header = decode_header(token).map_err(|_| TokenFault::Malformed)?;
        if header.crit.is_some() || header.zip.is_some() || header.enc.is_some() {
            return Err(TokenFault::Malformed);
        }
        let key_id = header.kid.ok_or(TokenFault::UnknownKey)?;
        let (algorithm, key) = self.0.get(&key_id).ok_or(TokenFault::UnknownKey)?;
        if header.alg != *algorithm {
            return Err(TokenFault::WrongAlgorithm);
        }
        let claims = decode::<Claims>(token, key, &signature_only(*algorithm)).map_err(|_| TokenFault::Invalid)?.claims;
        let now = now.0 as f64 / 1000.0;
        if now >= claims.exp + LEEWAY_SECONDS {
            return Err(TokenFault::Expired);
        }
        if claims.nbf.is_some_and(|not_before| not_before > now + LEEWAY_SECONDS) {
            return Err(TokenFault::NotYetValid);
        }
        if claims.aud.is_some_and(|audience| !audience.contains(app.as_str())) {
            return Err(TokenFault::WrongAudience);
        }
        Name::parse(&claims.sub).ok_or(TokenFault::NoUser)
    }
}

/// The library checks the signature; claims are checked here, because time is a parameter here.
fn signature_only(algorithm: Algorithm) -> Validation {
    let mut validation = Validation::new(algorithm);
    validation.required_spec_claims.clear();
    validation.validate_exp = false;
    validation.validate_nbf = false;
    validation.validate_aud = false;
    validation
}
