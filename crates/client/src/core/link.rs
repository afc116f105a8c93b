//! The life of the link to the server: dial, log in or resume, break, back off, stop (spec appendix B, spec 31, 32).

use hongyan_wire::{Violation, proto};

/// Where the link stands.
#[derive(Clone, Debug, PartialEq)]
pub enum Link {
    /// Not started.
    Idle,
    /// The shell was asked to dial.
    Connecting,
    /// Keys for a login are being agreed.
    Handshaking,
    /// A session is being continued.
    Resuming,
    /// The credential is being checked.
    Authing,
    /// A session is open.
    Live,
    /// The link broke; it is tried again by itself.
    Broken {
        /// From when it broke until the next attempt.
        retry_in_ms: u64,
        /// What happened.
        reason: BreakReason,
    },
    /// Nothing happens until [`crate::Core::start`] is called again.
    Stopped(StopReason),
}

/// Why a link broke.
#[derive(Clone, Debug, PartialEq)]
pub enum BreakReason {
    /// The connection could not be made, or was closed.
    Disconnected,
    /// The server was not reached in time.
    ConnectTimeout,
    /// The server broke the protocol, or was silent for too long.
    Violation(Violation),
    /// An answer that the session cannot go on without was refused or did not come.
    Refused(proto::Refusal),
    /// The server said nothing to a request it must answer.
    NoAnswer,
    /// The gate closes for maintenance.
    Goaway,
}

/// Why a link stays down.
#[derive(Clone, Debug, PartialEq)]
pub enum StopReason {
    /// Another login took this session's place, or it was revoked. Never log in again by oneself (spec 55).
    Kicked(proto::KickoutNotify),
    /// At resume the server said that the session has ended.
    SessionEnded(proto::Refusal),
    /// The credential was refused.
    LoginRefused(proto::Refusal),
    /// The server speaks another version of the protocol.
    Unsupported(proto::Refusal),
    /// The credential belongs to another user than the kept messages.
    OtherUser {
        /// The user of the credential.
        user: String,
    },
    /// The application logged out.
    LoggedOut,
}
