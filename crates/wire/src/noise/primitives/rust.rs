//! The arithmetic in Rust, for every platform.

use curve25519_dalek::montgomery::MontgomeryPoint;

/// An X25519 key pair.
pub struct KeyPair {
    secret: [u8; 32],
    public: [u8; 32],
}

impl KeyPair {
    pub fn new(secret: [u8; 32]) -> Self {
        Self { secret, public: MontgomeryPoint::mul_base_clamped(secret).to_bytes() }
    }

    #[cfg(not(feature = "aws-lc"))]
    pub fn secret(&self) -> &[u8; 32] {
        &self.secret
    }

    pub fn public(&self) -> &[u8; 32] {
        &self.public
    }

    /// The shared secret, which may be zero.
    pub fn agree(&self, public: &[u8; 32]) -> Option<[u8; 32]> {
        Some(MontgomeryPoint(*public).mul_clamped(self.secret).to_bytes())
    }
}

/// The cipher, if it is the one that the protocol uses.
#[cfg(not(feature = "aws-lc"))]
pub fn cipher(choice: &snow::params::CipherChoice) -> Option<Box<dyn snow::types::Cipher>> {
    use snow::resolvers::{CryptoResolver, DefaultResolver};
    DefaultResolver.resolve_cipher(choice)
}
