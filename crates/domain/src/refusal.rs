//! Why a request is refused: the closed list that clients see (design §13). Internal errors are logged where they
//! happen and appear here only as [`Refusal::Internal`].

use thiserror::Error;

/// One reason. Codes on the wire have the same names; where two reasons share a code, the text tells which.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum Refusal {
    /// No such operation.
    #[error("unknown command")]
    UnknownCommand,
    /// The body is no message of the operation's type.
    #[error("the body cannot be parsed")]
    Malformed,
    /// The connection is in another state.
    #[error("not allowed in this state")]
    WrongState,
    /// Token or password are wrong; the same words for unknown users.
    #[error("not authenticated")]
    Unauthenticated,
    /// Another device took the session's place.
    #[error("another device has logged in")]
    Kicked,
    /// The session was ended.
    #[error("the session was revoked")]
    Revoked,
    /// The ticket is of no use any more: log in.
    #[error("the session cannot be resumed")]
    ResumeFailed,
    /// Too many requests.
    #[error("too many requests")]
    RateLimited {
        /// Milliseconds to wait.
        retry_after_ms: u32,
    },
    /// Overload, a full disk, a shutdown: the same request will do later.
    #[error("try again later")]
    TryLater {
        /// Milliseconds to wait.
        retry_after_ms: u32,
    },
    /// A field is out of its range; the text names it.
    #[error("invalid argument: {0}")]
    InvalidArgument(&'static str),
    /// It does not exist, or the asker may not know that it does.
    #[error("not found")]
    NotFound,
    /// The other side does not allow it.
    #[error("not allowed")]
    NotAllowed,
    /// A visitor asks for something that only users have; on the wire `NOT_ALLOWED`.
    #[error("visitors have no friends")]
    VisitorsHaveNoFriends,
    /// The asker has to lift their own block first; on the wire `NOT_ALLOWED`.
    #[error("you have blocked this person")]
    BlockedByYourself,
    /// The other wants no friend requests; on the wire `NOT_ALLOWED`.
    #[error("takes no friend requests")]
    TakesNoRequests,
    /// They are friends; on the wire `CONFLICT`.
    #[error("already friends")]
    AlreadyFriends,
    /// What is to be replaced has changed since it was read; on the wire `CONFLICT`.
    #[error("changed since: read it again")]
    Outdated,
    /// A room is spoken of that the session is not in; on the wire `NOT_ALLOWED`.
    #[error("not in the room: enter it first")]
    NotInRoom,
    /// Somebody else has the name; on the wire `CONFLICT`.
    #[error("the name is taken")]
    NameTaken,
    /// The same client id was used for something else.
    #[error("the client id was used for another request")]
    Conflict,
    /// The time limit of the app is over.
    #[error("too late")]
    TooLate,
    /// A quota of the app or user is used up.
    #[error("quota exceeded")]
    QuotaExceeded,
    /// The app does not want this text to be seen.
    #[error("the text is not allowed here")]
    SpamRejected,
    /// Somebody looks at the text first; if it is released, it comes as a message of its own.
    #[error("the text waits for a review")]
    HeldForReview,
    /// A defect or an outage on our side.
    #[error("internal error")]
    Internal,
}

impl Refusal {
    /// Whether the same request may succeed later without any change.
    pub fn retryable(&self) -> bool {
        matches!(self, Self::RateLimited { .. } | Self::TryLater { .. } | Self::Internal)
    }

    /// Earliest useful retry in milliseconds; 0 = no advice.
    pub fn retry_after_ms(&self) -> u32 {
        match self {
            Self::RateLimited { retry_after_ms } | Self::TryLater { retry_after_ms } => *retry_after_ms,
            _ => 0,
        }
    }
}
