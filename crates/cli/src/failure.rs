//! Why a command did not do what it was told, and the exit code that says so to a script.

use hongyan_client::{ClientError, RequestError, StopReason, proto};
use thiserror::Error;

/// Told to a person on standard error; scripts read the exit code.
#[derive(Debug, Error)]
pub enum Failure {
    /// There is no session, and none can be had as things are.
    #[error("{0}")]
    NotLoggedIn(String),
    /// The server said no.
    #[error("the server refused: {}", words_of(.0))]
    Refused(proto::Refusal),
    /// It may still happen.
    #[error("{0}")]
    Late(String),
    /// The output could not be written.
    #[error("cannot write the output: {0}")]
    Output(#[from] std::io::Error),
    /// Anything else.
    #[error("{0:#}")]
    Other(anyhow::Error),
}

impl Failure {
    /// As listed at [`crate::run`].
    pub fn exit_code(&self) -> u8 {
        match self {
            Self::Output(_) | Self::Other(_) => 1,
            Self::NotLoggedIn(_) => 3,
            Self::Refused(_) => 4,
            Self::Late(_) => 5,
        }
    }

    /// In the words of a sentence.
    pub fn other(text: impl std::fmt::Display) -> Self {
        Self::Other(anyhow::anyhow!("{text}"))
    }
}

impl From<anyhow::Error> for Failure {
    fn from(error: anyhow::Error) -> Self {
        Self::Other(error)
    }
}

impl From<ClientError> for Failure {
    fn from(error: ClientError) -> Self {
        match error {
            ClientError::Request(RequestError::Refused(refusal)) | ClientError::NotSent(Some(refusal)) => {
                Self::Refused(refusal)
            }
            ClientError::Request(RequestError::NoAnswer) | ClientError::NotSent(None) => {
                Self::Late("the server did not answer".into())
            }
            ClientError::Request(RequestError::Offline) => Self::Late("the server cannot be reached".into()),
            other => Self::Other(other.into()),
        }
    }
}

impl From<StopReason> for Failure {
    fn from(reason: StopReason) -> Self {
        match reason {
            StopReason::Failed(error) => Self::other(error),
            reason => Self::NotLoggedIn(stop_words(&reason)),
        }
    }
}

/// Why a client has stopped, as a sentence for scripts; `hongyan chat` has its own, in two languages.
fn stop_words(reason: &StopReason) -> String {
    match reason {
        StopReason::Kicked(notice) => match notice.reason() {
            proto::KickoutReason::SameTermLogin => "another login of this user took this session's place".into(),
            proto::KickoutReason::LoggedOut => "this device has logged out".into(),
            _ => "this session was revoked".into(),
        },
        StopReason::SessionEnded(refusal) => format!("this session has ended: {}", words_of(refusal)),
        StopReason::LoginRefused(refusal) => format!("the login was refused: {}", words_of(refusal)),
        StopReason::Unsupported(refusal) => {
            format!("the server speaks another version of the protocol: {}", words_of(refusal))
        }
        StopReason::OtherUser { user } => format!("this store belongs to another user than {user}"),
        StopReason::LoggedOut => "this device has logged out".into(),
        StopReason::Failed(error) => error.clone(),
    }
}

fn words_of(refusal: &proto::Refusal) -> String {
    let code = refusal.code().as_str_name();
    if refusal.text.is_empty() { code.to_owned() } else { format!("{} ({code})", crate::text::clean(&refusal.text)) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_script_can_tell_failures_apart() {
        let refusal = proto::Refusal { code: proto::RefusalCode::NotFound.into(), ..Default::default() };
        let refused = Failure::from(ClientError::NotSent(Some(refusal.clone())));
        assert_eq!(refused.exit_code(), 4);
        assert_eq!(refused.to_string(), "the server refused: NOT_FOUND");
        assert_eq!(Failure::from(ClientError::NotSent(None)).exit_code(), 5);
        assert_eq!(Failure::from(StopReason::LoginRefused(refusal)).exit_code(), 3);
        assert_eq!(Failure::from(StopReason::Failed("full".into())).exit_code(), 1);
        assert_eq!(Failure::from(ClientError::Ended).exit_code(), 1);
    }
}
