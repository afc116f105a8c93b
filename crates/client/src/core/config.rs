//! What a core is told once, at its creation.

use bytes::Bytes;
use hongyan_wire::{limits, proto};

/// Who logs in. Only used when there is no session to resume.
#[derive(Clone)]
pub enum Credential {
    /// A JWT signed by the app's own server.
    Token(String),
    /// A built-in account.
    Password {
        /// The account's name.
        user: String,
        /// Never written to the local store.
        password: String,
    },
}

impl std::fmt::Debug for Credential {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Token(_) => f.write_str("Token(…)"),
            Self::Password { user, .. } => write!(f, "Password({user}, …)"),
        }
    }
}

/// How much a core remembers and hands out for keeping.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Keep {
    /// Cursor, outbox and a few numbers per conversation, in memory only: no [`crate::Row`] is produced. For load
    /// generators, bots without a screen, and tests.
    Nothing,
    /// Everything that a chat application shows; every change is also produced as a [`crate::Row`].
    Messages,
}

/// The settings of one core.
#[derive(Clone, Debug)]
pub struct Config {
    /// The server's public key, pinned.
    pub server_key: [u8; 32],
    /// The application (tenant).
    pub app: String,
    /// How to log in when no session can be resumed.
    pub credential: Credential,
    /// 1-32 random bytes, chosen once per install; cursors belong to it.
    pub device_id: Bytes,
    /// The kind of this device.
    pub term: proto::Term,
    /// Name and version of the client software, at most 64 bytes.
    pub client: String,
    /// What is remembered.
    pub keep: Keep,
    /// Sends that may wait for their answer at the same time.
    pub send_window: usize,
    /// Entries wanted per page of the inbox, 1-200.
    pub sync_entries: u32,
    /// Feeds the jitter of timers. Not secret, but different for every client, so that they do not move in step.
    pub jitter_seed: u64,
}

impl Config {
    /// Settings with the usual limits: a window of 64 sends, pages of 200 entries, [`Keep::Messages`].
    pub fn new(server_key: [u8; 32], app: impl Into<String>, credential: Credential, device_id: Bytes) -> Self {
        Self {
            server_key,
            app: app.into(),
            credential,
            device_id,
            term: proto::Term::Pc,
            client: concat!("hongyan-client/", env!("CARGO_PKG_VERSION")).into(),
            keep: Keep::Messages,
            send_window: 64,
            sync_entries: limits::SYNC_ENTRIES_MAX,
            jitter_seed: 0,
        }
    }
}
