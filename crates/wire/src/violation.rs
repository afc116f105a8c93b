//! The closed list of reasons for which a connection is closed because of what its peer did or failed to do.
//! What is merely a wrong request is not here: it is answered with a refusal, and the connection stays.

use thiserror::Error;

use crate::proto;

/// Why a connection must be closed. The peer's fault, or at least not ours.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Error)]
#[allow(missing_docs, reason = "the messages say it")]
pub enum Violation {
    #[error("the first bytes are not of this protocol")]
    BadMagic,
    #[error("this protocol version is not spoken here")]
    UnsupportedVersion,
    #[error("reserved header bits are set")]
    ReservedBits,
    #[error("the frame is too big")]
    TooBig,
    #[error("the body cannot be parsed")]
    Malformed,
    #[error("the frame does not decrypt")]
    Undecryptable,
    #[error("header and ciphertext name different commands")]
    HeaderMismatch,
    #[error("the frame must be encrypted")]
    NotEncrypted,
    #[error("the command is not allowed in this state")]
    WrongState,
    #[error("the handshake failed")]
    HandshakeFailed,
    #[error("not authenticated in time")]
    HandshakeDeadline,
    #[error("a frame was not completed in time")]
    FrameDeadline,
    #[error("nothing was heard for too long")]
    Idle,
}

impl Violation {
    /// The code for a [`proto::CloseNotify`].
    pub fn code(self) -> proto::RefusalCode {
        use proto::RefusalCode as Code;
        match self {
            Self::UnsupportedVersion => Code::UnsupportedVersion,
            Self::TooBig => Code::TooBig,
            Self::BadMagic | Self::ReservedBits | Self::Malformed | Self::HeaderMismatch => Code::Malformed,
            Self::NotEncrypted | Self::WrongState => Code::WrongState,
            Self::Undecryptable | Self::HandshakeFailed => Code::Unauthenticated,
            Self::HandshakeDeadline | Self::FrameDeadline | Self::Idle => Code::TimedOut,
        }
    }
}
