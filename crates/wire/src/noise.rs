//! Encryption of raw TCP connections: Noise NK for a login, NKpsk0 for a resume, and rekeying (spec 7, 32).
//!
//! All randomness is handed in as bytes, so that a simulation can repeat a run.

mod primitives;

use std::sync::Arc;

use hkdf::Hkdf;
use hmac::{Hmac, KeyInit, Mac};
use sha2::Sha256;
use snow::{Builder, Error, HandshakeState, TransportState};

use crate::frame::{MAGIC, VERSION};
use crate::limits;
use crate::time::Millis;
use primitives::{KeyPair, Primitives};

const LOGIN_PATTERN: &str = "Noise_NK_25519_ChaChaPoly_BLAKE2s";
const RESUME_PATTERN: &str = "Noise_NKpsk0_25519_ChaChaPoly_BLAKE2s";

/// Bytes that encryption adds to a frame body: the copy of flags and command, and the tag.
pub const OVERHEAD_BYTES: usize = COPY_BYTES + TAG_BYTES;
/// Flags (1 byte) and command (4 bytes), repeated inside the ciphertext.
pub const COPY_BYTES: usize = 5;
const TAG_BYTES: usize = 16;

/// 32 fresh random bytes for one handshake; using the same twice breaks its secrecy.
pub type Ephemeral = [u8; 32];

/// The server's long-lived key pair. Clients pin the public half. Cheap to clone.
#[derive(Clone)]
pub struct StaticKey {
    pair: Arc<KeyPair>,
}

impl StaticKey {
    /// The key pair of a secret of 32 random bytes.
    pub fn new(secret: [u8; 32]) -> Self {
        Self { pair: Arc::new(KeyPair::new(secret)) }
    }

    /// The half that clients pin.
    pub fn public(&self) -> &[u8; 32] {
        self.pair.public()
    }
}

/// What a resume is bound to: the ticket and the epoch, both in clear, and the secret, never sent.
#[derive(Clone, Copy)]
pub struct ResumeProof<'a> {
    /// As presented in the request.
    pub ticket: &'a [u8],
    /// As presented in the request.
    pub epoch: u32,
    /// From the login answer; on the server from inside the ticket.
    pub secret: &'a [u8; 32],
}

impl ResumeProof<'_> {
    /// Everything in clear that the handshake is bound to: magic, version, pattern, epoch, ticket.
    pub fn prologue(&self) -> Vec<u8> {
        let mut prologue = prologue(RESUME_PATTERN);
        prologue.extend_from_slice(&self.epoch.to_be_bytes());
        prologue.extend_from_slice(self.ticket);
        prologue
    }

    /// psk = HKDF-SHA-256(secret, info = "hongyan resume" ‖ epoch).
    pub fn psk(&self) -> [u8; 32] {
        let mut psk = [0; 32];
        let mut info = *b"hongyan resume\0\0\0\0";
        info[14..].copy_from_slice(&self.epoch.to_be_bytes());
        Hkdf::<Sha256>::new(None, self.secret).expand(&info, &mut psk).expect("32 bytes are a valid length");
        psk
    }

    /// The proof under TLS, which is bound to the offer, too (PROTOCOL.md §18).
    pub fn over_tls(&self, offer: &[u8]) -> [u8; 32] {
        self.mac(offer).finalize().into_bytes().into()
    }

    /// Whether a proof under TLS is right; takes the same time wherever it is wrong.
    pub fn holds_over_tls(&self, offer: &[u8], proof: &[u8]) -> bool {
        self.mac(offer).verify_slice(proof).is_ok()
    }

    fn mac(&self, offer: &[u8]) -> Hmac<Sha256> {
        let mut mac = Hmac::<Sha256>::new_from_slice(self.secret).expect("any length is valid");
        mac.update(b"hongyan resume over TLS");
        mac.update(&self.epoch.to_be_bytes());
        mac.update(&u32::try_from(self.ticket.len()).expect("it fits a frame").to_be_bytes());
        mac.update(self.ticket);
        mac.update(offer);
        mac
    }
}

/// What a login handshake is bound to: magic, version, pattern.
pub fn login_prologue() -> Vec<u8> {
    prologue(LOGIN_PATTERN)
}

fn prologue(pattern: &str) -> Vec<u8> {
    let mut prologue = MAGIC.to_be_bytes().to_vec();
    prologue.push(VERSION);
    prologue.extend_from_slice(pattern.as_bytes());
    prologue
}

fn builder<'parameters>(pattern: &str, key: Option<&StaticKey>, ephemeral: Ephemeral) -> Builder<'parameters> {
    let params = pattern.parse().expect("the pattern is a constant");
    let known = key.map(|key| key.pair.clone());
    Builder::with_resolver(params, Box::new(Primitives { known, ephemeral }))
}

/// The client's side of a login handshake.
pub fn login_initiator(server: &[u8; 32], ephemeral: Ephemeral) -> Result<HandshakeState, Error> {
    let prologue = login_prologue();
    builder(LOGIN_PATTERN, None, ephemeral).prologue(&prologue)?.remote_public_key(server)?.build_initiator()
}

/// The server's side of a login handshake.
pub fn login_responder(key: &StaticKey, ephemeral: Ephemeral) -> Result<HandshakeState, Error> {
    let prologue = login_prologue();
    builder(LOGIN_PATTERN, Some(key), ephemeral)
        .prologue(&prologue)?
        .local_private_key(key.pair.secret())?
        .build_responder()
}

/// The client's side of a resume.
pub fn resume_initiator(
    server: &[u8; 32],
    proof: ResumeProof<'_>,
    ephemeral: Ephemeral,
) -> Result<HandshakeState, Error> {
    let (prologue, psk) = (proof.prologue(), proof.psk());
    builder(RESUME_PATTERN, None, ephemeral)
        .prologue(&prologue)?
        .psk(0, &psk)?
        .remote_public_key(server)?
        .build_initiator()
}

/// The server's side of a resume.
pub fn resume_responder(
    key: &StaticKey,
    proof: ResumeProof<'_>,
    ephemeral: Ephemeral,
) -> Result<HandshakeState, Error> {
    let (prologue, psk) = (proof.prologue(), proof.psk());
    builder(RESUME_PATTERN, Some(key), ephemeral)
        .prologue(&prologue)?
        .psk(0, &psk)?
        .local_private_key(key.pair.secret())?
        .build_responder()
}

/// The two keys of an established connection. Strictly ordered: a lost, repeated or reordered frame does not decrypt.
pub struct Transport {
    state: TransportState,
    sending: KeyAge,
    receiving: KeyAge,
}

/// How long one key has been in use.
#[derive(Clone, Copy)]
struct KeyAge {
    frames: u32,
    since: Millis,
}

impl KeyAge {
    fn new(now: Millis) -> Self {
        Self { frames: 0, since: now }
    }

    fn reached(self, frames: u32, now: Millis, age: Millis) -> bool {
        self.frames >= frames || now - self.since >= age
    }
}

impl Transport {
    /// The transport of a finished handshake.
    pub fn new(handshake: HandshakeState, now: Millis) -> Result<Self, Error> {
        let state = handshake.into_transport_mode()?;
        Ok(Self { state, sending: KeyAge::new(now), receiving: KeyAge::new(now) })
    }

    /// The sending key has served long enough: the frame that says so is its last of `frames`.
    pub fn rekey_due(&self, now: Millis, frames: u32) -> bool {
        self.sending.reached(frames.saturating_sub(1), now, limits::REKEY_AFTER)
    }

    /// Goes on to the next sending key; the peer must have been told with the last frame.
    pub fn rekey_sending(&mut self, now: Millis) {
        self.state.rekey_outgoing();
        self.sending = KeyAge::new(now);
    }

    /// Goes on to the next receiving key, after the peer has announced it. False if it did so too soon.
    #[must_use]
    pub fn rekey_receiving(&mut self, now: Millis) -> bool {
        if !self.receiving.reached(limits::REKEY_FRAMES_MIN, now, limits::REKEY_SPACING) {
            return false;
        }
        self.state.rekey_incoming();
        self.receiving = KeyAge::new(now);
        true
    }

    /// Encrypts into `out`, which must have room for the tag as well.
    pub fn encrypt(&mut self, plaintext: &[u8], out: &mut [u8]) -> Result<usize, Error> {
        self.sending.frames = self.sending.frames.saturating_add(1);
        self.state.write_message(plaintext, out)
    }

    /// Decrypts into `out`, which must be as long as the plaintext.
    pub fn decrypt(&mut self, ciphertext: &[u8], out: &mut [u8]) -> Result<usize, Error> {
        self.receiving.frames = self.receiving.frames.saturating_add(1);
        self.state.read_message(ciphertext, out)
    }
}
