//! Login tokens as an app's own server would sign them: JWT with HS256 (RFC 7519), the key named by `kid`.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use hmac::{Hmac, KeyInit, Mac};
use sha2::Sha256;

/// Seconds for which a token can be used: longer than any run.
const LIFE_SECONDS: u64 = 24 * 3600;

/// A key of an app, with the clock at the start of the run.
#[derive(Clone)]
pub struct Signer {
    /// The `kid`.
    pub key_id: String,
    /// The secret.
    pub secret: Vec<u8>,
    /// Seconds since 1970.
    pub now_seconds: u64,
}

impl Signer {
    /// A token for a user.
    pub fn token(&self, user: &str) -> String {
        self.sign(&format!("{{\"sub\":\"{user}\",\"exp\":{}}}", self.now_seconds + LIFE_SECONDS))
    }

    /// A token that is padded to a length in bytes; `None` if base64 has no such length or a token cannot be so short.
    pub fn token_of_length(&self, user: &str, bytes: usize) -> Option<String> {
        let exp = self.now_seconds + LIFE_SECONDS;
        (0..bytes)
            .map(|pad| self.sign(&format!("{{\"sub\":\"{user}\",\"exp\":{exp},\"pad\":\"{:x<pad$}\"}}", "")))
            .take_while(|token| token.len() <= bytes)
            .find(|token| token.len() == bytes)
    }

    fn sign(&self, claims: &str) -> String {
        let header = format!("{{\"alg\":\"HS256\",\"kid\":\"{}\"}}", self.key_id);
        let mut token = URL_SAFE_NO_PAD.encode(header);
        token.push('.');
        URL_SAFE_NO_PAD.encode_string(claims, &mut token);
        let mut mac = Hmac::<Sha256>::new_from_slice(&self.secret).expect("any length of key will do");
        mac.update(token.as_bytes());
        let signature = mac.finalize().into_bytes();
        token.push('.');
        URL_SAFE_NO_PAD.encode_string(signature, &mut token);
        token
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn signer() -> Signer {
        Signer {
            key_id: "main".into(),
            secret: b"0123456789abcdef0123456789abcdef".to_vec(),
            now_seconds: 1_700_000_000,
        }
    }

    #[test]
    fn a_token_has_three_parts_that_can_be_read() {
        let token = signer().token("alice");
        let parts: Vec<_> = token.split('.').map(|part| URL_SAFE_NO_PAD.decode(part).unwrap()).collect();
        assert_eq!(parts[0], br#"{"alg":"HS256","kid":"main"}"#);
        assert_eq!(parts[1], br#"{"sub":"alice","exp":1700086400}"#);
        assert_eq!(parts[2].len(), 32);
    }

    #[test]
    fn a_token_can_have_a_wanted_length() {
        assert_eq!(signer().token_of_length("alice", 230).unwrap().len(), 230);
        assert_eq!(signer().token_of_length("alice", 20), None);
    }
}
