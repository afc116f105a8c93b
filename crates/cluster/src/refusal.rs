//! Refusals on the wire: the one place where the domain's list becomes the protocol's.

use hongyan_domain::refusal::Refusal;
use hongyan_wire::proto;

/// What a client is told.
pub fn refusal(reason: &Refusal) -> proto::Refusal {
    use proto::RefusalCode as Code;
    let code = match reason {
        Refusal::UnknownCommand => Code::UnknownCommand,
        Refusal::Malformed => Code::Malformed,
        Refusal::WrongState => Code::WrongState,
        Refusal::Unauthenticated => Code::Unauthenticated,
        Refusal::Kicked => Code::Kicked,
        Refusal::Revoked => Code::Revoked,
        Refusal::ResumeFailed => Code::ResumeFailed,
        Refusal::RateLimited { .. } => Code::RateLimited,
        Refusal::TryLater { .. } => Code::TryLater,
        Refusal::InvalidArgument(_) => Code::InvalidArgument,
        Refusal::NotFound => Code::NotFound,
        Refusal::NotAllowed
        | Refusal::NotInRoom
        | Refusal::VisitorsHaveNoFriends
        | Refusal::BlockedByYourself
        | Refusal::TakesNoRequests => Code::NotAllowed,
        Refusal::Conflict | Refusal::NameTaken | Refusal::AlreadyFriends | Refusal::Outdated => Code::Conflict,
        Refusal::TooLate => Code::TooLate,
        Refusal::QuotaExceeded => Code::QuotaExceeded,
        Refusal::SpamRejected => Code::SpamRejected,
        Refusal::HeldForReview => Code::HeldForReview,
        Refusal::Internal => Code::Internal,
    };
    proto::Refusal {
        code: code.into(),
        text: reason.to_string(),
        retryable: reason.retryable(),
        retry_after_ms: reason.retry_after_ms(),
    }
}
