//! The arithmetic of AWS-LC, in assembly. Keys are kept as bytes and given to the library for each frame: its own form
//! of a key is twenty times as big, and a gate holds two for every idle connection.

use aws_lc_rs::aead::{Aad, CHACHA20_POLY1305, LessSafeKey, Nonce, UnboundKey};
use aws_lc_rs::agreement::{PrivateKey, UnparsedPublicKey, X25519, agree};
use snow::Error;
use snow::params::CipherChoice;
use snow::types::Cipher;

const TAG_BYTES: usize = 16;

/// An X25519 key pair.
pub struct KeyPair {
    secret: [u8; 32],
    public: [u8; 32],
    private: PrivateKey,
}

impl KeyPair {
    pub fn new(secret: [u8; 32]) -> Self {
        let private = PrivateKey::from_private_key(&X25519, &secret).expect("any 32 bytes are a secret");
        let public = private.compute_public_key().expect("every secret has a public half");
        let public = public.as_ref().try_into().expect("public keys have 32 bytes");
        Self { secret, public, private }
    }

    pub fn secret(&self) -> &[u8; 32] {
        &self.secret
    }

    pub fn public(&self) -> &[u8; 32] {
        &self.public
    }

    /// The shared secret; `None` for a point of low order.
    pub fn agree(&self, public: &[u8; 32]) -> Option<[u8; 32]> {
        let public = UnparsedPublicKey::new(&X25519, public);
        agree(&self.private, public, (), |shared| shared.try_into().map_err(|_| ())).ok()
    }
}

/// The cipher, if it is the one that the protocol uses.
pub fn cipher(choice: &CipherChoice) -> Option<Box<dyn Cipher>> {
    matches!(choice, CipherChoice::ChaChaPoly).then(|| Box::<ChaChaPoly>::default() as Box<dyn Cipher>)
}

#[derive(Default)]
struct ChaChaPoly {
    key: [u8; 32],
}

impl ChaChaPoly {
    fn key(&self) -> LessSafeKey {
        LessSafeKey::new(UnboundKey::new(&CHACHA20_POLY1305, &self.key).expect("32 bytes are a key"))
    }
}

/// As Noise has it: four zero bytes, then the counter, little-endian.
fn nonce(counter: u64) -> Nonce {
    let mut bytes = [0; 12];
    bytes[4..].copy_from_slice(&counter.to_le_bytes());
    Nonce::assume_unique_for_key(bytes)
}

impl Cipher for ChaChaPoly {
    fn name(&self) -> &'static str {
        "ChaChaPoly"
    }

    fn set(&mut self, key: &[u8; 32]) {
        self.key = *key;
    }

    fn encrypt(&self, counter: u64, ad: &[u8], plaintext: &[u8], out: &mut [u8]) -> usize {
        let (sealed, tag) = out.split_at_mut(plaintext.len());
        self.key()
            .seal_out_of_place_scatter(nonce(counter), Aad::from(ad), plaintext, sealed, &[], &mut tag[..TAG_BYTES])
            .expect("the buffers fit, and no frame is near the cipher's limit");
        plaintext.len() + TAG_BYTES
    }

    fn decrypt(&self, counter: u64, ad: &[u8], ciphertext: &[u8], out: &mut [u8]) -> Result<usize, Error> {
        let length = ciphertext.len().checked_sub(TAG_BYTES).ok_or(Error::Decrypt)?;
        let (sealed, tag) = ciphertext.split_at(length);
        self.key()
            .open_separate_gather(nonce(counter), Aad::from(ad), sealed, tag, &mut out[..length])
            .map_err(|_| Error::Decrypt)?;
        Ok(length)
    }
}
