//! The primitives under Noise: the caller's randomness, X25519 that computes nothing twice and refuses secrets that
//! anybody can predict, and the cipher. `rust.rs` and `aws_lc.rs` are the two implementations of the arithmetic.

#[cfg(feature = "aws-lc")]
mod aws_lc;
#[cfg(any(test, not(feature = "aws-lc")))]
mod rust;

use std::sync::Arc;

#[cfg(feature = "aws-lc")]
use aws_lc as backend;
#[cfg(not(feature = "aws-lc"))]
use rust as backend;
use snow::Error;
use snow::params::{CipherChoice, DHChoice, HashChoice};
use snow::resolvers::{CryptoResolver, DefaultResolver};
use snow::types::{Cipher, Dh, Hash, Random};

use super::Ephemeral;
pub(super) use backend::KeyPair;

/// What one handshake is made of.
pub(super) struct Primitives {
    /// A pair whose public half need not be computed again.
    pub known: Option<Arc<KeyPair>>,
    pub ephemeral: Ephemeral,
}

impl CryptoResolver for Primitives {
    fn resolve_rng(&self) -> Option<Box<dyn Random>> {
        Some(Box::new(Given(Some(self.ephemeral))))
    }

    fn resolve_dh(&self, choice: &DHChoice) -> Option<Box<dyn Dh>> {
        let known = self.known.clone();
        matches!(choice, DHChoice::Curve25519).then(|| Box::new(X25519 { pair: None, known }) as Box<dyn Dh>)
    }

    fn resolve_hash(&self, choice: &HashChoice) -> Option<Box<dyn Hash>> {
        DefaultResolver.resolve_hash(choice)
    }

    fn resolve_cipher(&self, choice: &CipherChoice) -> Option<Box<dyn Cipher>> {
        backend::cipher(choice)
    }
}

/// Gives its bytes once: each side of NK makes exactly one ephemeral key.
struct Given(Option<Ephemeral>);

impl Random for Given {
    fn try_fill_bytes(&mut self, dest: &mut [u8]) -> Result<(), Error> {
        let bytes = self.0.take().ok_or(Error::Rng)?;
        if dest.len() != bytes.len() {
            return Err(Error::Rng);
        }
        dest.copy_from_slice(&bytes);
        Ok(())
    }
}

const KEY_BYTES: usize = 32;

/// One side's key pair, absent until it is set or generated.
struct X25519 {
    pair: Option<Arc<KeyPair>>,
    known: Option<Arc<KeyPair>>,
}

impl Dh for X25519 {
    fn name(&self) -> &'static str {
        "25519"
    }

    fn pub_len(&self) -> usize {
        KEY_BYTES
    }

    fn priv_len(&self) -> usize {
        KEY_BYTES
    }

    fn set(&mut self, secret: &[u8]) {
        let known = self.known.take().filter(|known| known.secret() == secret);
        let secret = secret.try_into().expect("keys of 32 bytes are all that this crate has");
        self.pair = Some(known.unwrap_or_else(|| Arc::new(KeyPair::new(secret))));
    }

    fn generate(&mut self, random: &mut dyn Random) -> Result<(), Error> {
        let mut secret = [0; KEY_BYTES];
        random.try_fill_bytes(&mut secret)?;
        self.pair = Some(Arc::new(KeyPair::new(secret)));
        Ok(())
    }

    fn pubkey(&self) -> &[u8] {
        self.pair.as_ref().map_or(&[], |pair| pair.public())
    }

    fn privkey(&self) -> &[u8] {
        self.pair.as_ref().map_or(&[], |pair| pair.secret())
    }

    /// Refuses an all-zero result, that of a low-order point (RFC 7748 §6.1).
    fn dh(&self, public: &[u8], out: &mut [u8]) -> Result<(), Error> {
        let public = public.first_chunk().ok_or(Error::Dh)?;
        let shared = self.pair.as_ref().and_then(|pair| pair.agree(public)).ok_or(Error::Dh)?;
        if shared.iter().fold(0, |bits, byte| bits | byte) == 0 {
            return Err(Error::Dh);
        }
        out[..KEY_BYTES].copy_from_slice(&shared);
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn both_sides_agree_with_the_default_arithmetic(ours in any::<[u8; 32]>(), theirs in any::<[u8; 32]>()) {
            let mut default = DefaultResolver.resolve_dh(&DHChoice::Curve25519).expect("it is built in");
            default.set(&theirs);
            for pair in [&KeyPair::new(ours) as &dyn Pair, &rust::KeyPair::new(ours)] {
                let mut expected = [0; 32];
                default.dh(&pair.public(), &mut expected).expect("the point is good");
                let theirs = default.pubkey().try_into().expect("32 bytes");
                prop_assert_eq!(pair.agree(&theirs), Some(expected));
            }
        }

        #[test]
        fn both_ciphers_are_the_default_one(
            key in any::<[u8; 32]>(),
            nonce in any::<u64>(),
            ad in prop::collection::vec(any::<u8>(), 0..40),
            plaintext in prop::collection::vec(any::<u8>(), 0..600),
            broken in any::<prop::sample::Index>(),
        ) {
            let mut ours = backend::cipher(&CipherChoice::ChaChaPoly).expect("it is built in");
            let mut default = DefaultResolver.resolve_cipher(&CipherChoice::ChaChaPoly).expect("it is built in");
            ours.set(&key);
            default.set(&key);
            let (mut sealed, mut expected) = (vec![0; plaintext.len() + 16], vec![0; plaintext.len() + 16]);
            prop_assert_eq!(ours.encrypt(nonce, &ad, &plaintext, &mut sealed), sealed.len());
            default.encrypt(nonce, &ad, &plaintext, &mut expected);
            prop_assert_eq!(&sealed, &expected);
            let mut opened = vec![0; plaintext.len()];
            prop_assert_eq!(ours.decrypt(nonce, &ad, &sealed, &mut opened), Ok(plaintext.len()));
            prop_assert_eq!(opened, plaintext);
            *broken.get_mut(&mut sealed) ^= 1;
            let mut opened = vec![0; sealed.len() - 16];
            prop_assert!(ours.decrypt(nonce, &ad, &sealed, &mut opened).is_err());
            ours.rekey();
            default.rekey();
            ours.encrypt(nonce, &ad, &[], &mut sealed);
            default.encrypt(nonce, &ad, &[], &mut expected);
            prop_assert_eq!(&sealed[..16], &expected[..16]);
        }
    }

    /// RFC 7748 §5.2; the second point has its unused bit set.
    #[test]
    fn the_vectors_of_the_rfc() {
        let bytes = |hex: &str| -> [u8; 32] {
            std::array::from_fn(|at| u8::from_str_radix(&hex[2 * at..2 * at + 2], 16).expect("hex"))
        };
        for (secret, point, expected) in [
            (
                "a546e36bf0527c9d3b16154b82465edd62144c0ac1fc5a18506a2244ba449ac4",
                "e6db6867583030db3594c1a424b15f7c726624ec26b3353b10a903a6d0ab1c4c",
                "c3da55379de9c6908e94ea4df28d084f32eccf03491c71f754b4075577a28552",
            ),
            (
                "4b66e9d4d1b4673c5ad22691957d6af5c11b6421e0ea01d42ca4169e7918ba0d",
                "e5210f12786811d3f4b7959d0538ae2c31dbe7106fc03c3efc4cd549c715a493",
                "95cbde9476e8907d7aade45cb4b873f88b595a68799fa152e6f8f7647aac7957",
            ),
        ] {
            for pair in [&KeyPair::new(bytes(secret)) as &dyn Pair, &rust::KeyPair::new(bytes(secret))] {
                assert_eq!(pair.agree(&bytes(point)), Some(bytes(expected)));
            }
        }
    }

    trait Pair {
        fn public(&self) -> [u8; 32];
        fn agree(&self, public: &[u8; 32]) -> Option<[u8; 32]>;
    }

    macro_rules! pair {
        ($type:ty) => {
            impl Pair for $type {
                fn public(&self) -> [u8; 32] {
                    *<$type>::public(self)
                }

                fn agree(&self, public: &[u8; 32]) -> Option<[u8; 32]> {
                    <$type>::agree(self, public)
                }
            }
        };
    }

    pair!(rust::KeyPair);
    #[cfg(feature = "aws-lc")]
    pair!(aws_lc::KeyPair);
}
