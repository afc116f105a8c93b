//! An app: the tenant. Its settings decide what its users may do.

use serde::{Deserialize, Serialize};

use crate::id::AppId;
use crate::name::Name;
use crate::session::Term;
use crate::spam::SpamSettings;
use crate::time::UnixMillis;

/// An app.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct App {
    /// Its integer.
    pub id: AppId,
    /// Its name on the wire.
    pub name: Name,
    /// What its users may do.
    pub settings: AppSettings,
    /// Raised by every change of its lists of words; 0 = there never was one.
    pub words_version: u64,
}

/// Settings of one app; every field has a default.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct AppSettings {
    /// Sessions of one term that a user may have; the oldest ends first (spec 55).
    pub sessions_per_term_max: SessionsPerTerm,
    /// Devices of one user.
    pub devices_per_user_max: u32,
    /// Seconds in which a message may be recalled or edited.
    pub recall_seconds_max: u64,
    /// Messages of one sender to one addressee that may wait undelivered; further ones are refused.
    pub undelivered_max: u64,
    /// Days for which messages are kept, 0 = for ever.
    pub retention_days: u32,
    /// People without an account may log in as visitors.
    pub visitors: bool,
    /// Users who are not friends may write to each other.
    pub strangers_write: bool,
    /// Characters of the longest text that may be said in a room (spec 66).
    pub room_text_characters_max: u32,
    /// Characters of the longest name under which somebody may enter a room.
    pub room_name_characters_max: u32,
    /// Seconds for which a session whose connection is lost keeps its names in rooms.
    pub room_hold_seconds: u32,
    /// How texts that others can see are judged (spec 73).
    pub spam: SpamSettings,
}

/// Most characters that an app may allow for a name in rooms.
pub const ROOM_NAME_CHARACTERS_MAX: u32 = 64;
/// Most characters that an app may allow for a text in rooms: what a body holds if each has one byte.
pub const ROOM_TEXT_CHARACTERS_MAX: u32 = 16_384;
/// Longest time, in seconds, for which an app may let lost sessions keep their names.
pub const ROOM_HOLD_SECONDS_MAX: u32 = 3_600;

impl AppSettings {
    /// The name of a setting that is out of its range, if there is one.
    pub fn out_of_range(&self) -> Option<&'static str> {
        let checks = [
            ("room_text_characters_max", (1..=ROOM_TEXT_CHARACTERS_MAX).contains(&self.room_text_characters_max)),
            ("room_name_characters_max", (1..=ROOM_NAME_CHARACTERS_MAX).contains(&self.room_name_characters_max)),
            ("room_hold_seconds", self.room_hold_seconds <= ROOM_HOLD_SECONDS_MAX),
        ];
        checks.into_iter().find(|(_, valid)| !valid).map(|(name, _)| name).or_else(|| self.spam.out_of_range())
    }
}

impl Default for AppSettings {
    fn default() -> Self {
        Self {
            sessions_per_term_max: SessionsPerTerm::default(),
            devices_per_user_max: 10,
            recall_seconds_max: 120,
            undelivered_max: 10_000,
            retention_days: 0,
            visitors: true,
            strangers_write: true,
            room_text_characters_max: 140,
            room_name_characters_max: 16,
            room_hold_seconds: 30,
            spam: SpamSettings::default(),
        }
    }
}

/// How many sessions of each term may live at once.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
#[allow(missing_docs, reason = "the names of the terms")]
pub struct SessionsPerTerm {
    pub pc: u32,
    pub mobile: u32,
    pub pad: u32,
    pub web: u32,
    pub agent: u32,
    pub bot: u32,
}

impl Default for SessionsPerTerm {
    fn default() -> Self {
        Self { pc: 1, mobile: 1, pad: 1, web: 5, agent: 5, bot: 10 }
    }
}

impl SessionsPerTerm {
    /// The number for a term.
    pub fn of(&self, term: Term) -> u32 {
        match term {
            Term::Pc => self.pc,
            Term::Mobile => self.mobile,
            Term::Pad => self.pad,
            Term::Web => self.web,
            Term::Agent => self.agent,
            Term::Bot => self.bot,
        }
    }
}

/// How a token's signature is checked. One key has one algorithm; a token's own claim about it is never believed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum KeyAlgorithm {
    /// HMAC with SHA-256; the material is the shared secret, at least 32 bytes.
    Hs256,
    /// Ed25519; the material is the public key, 32 bytes.
    EdDsa,
}

/// A key with which the app's own server signs tokens.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AppKey {
    /// The app it belongs to; the same key id in another app is another key.
    pub app: AppId,
    /// The `kid` of tokens.
    pub key_id: Name,
    /// Fixed when the key is made.
    pub algorithm: KeyAlgorithm,
    /// Secret or public key.
    pub material: Vec<u8>,
    /// When it was made.
    pub created: UnixMillis,
    /// Tokens signed with it are refused from then on.
    pub revoked: Option<UnixMillis>,
}
