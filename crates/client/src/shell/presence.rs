//! Who is there, for applications: thin calls, nothing is kept here.

use hongyan_wire::proto;

use super::client::{Client, ClientError};
use crate::core::event::{Answer, Request, RequestError};

impl Client {
    /// Hears of these people on this connection, and of nobody else; how they are. To be said again after every reconnect.
    pub async fn watch(&self, users: Vec<String>) -> Result<Vec<proto::Presence>, ClientError> {
        presences(self.request(Request::Watch(proto::WatchRequest { id: 0, users })).await?)
    }

    /// How some are now.
    pub async fn presence(&self, users: Vec<String>) -> Result<Vec<proto::Presence>, ClientError> {
        presences(self.request(Request::GetPresence(proto::GetPresenceRequest { id: 0, users })).await?)
    }

    /// How this user wants to be seen.
    pub async fn set_presence(&self, state: proto::PresenceState) -> Result<(), ClientError> {
        let request = proto::SetPresenceRequest { id: 0, state: state.into() };
        self.request(Request::SetPresence(request)).await.map(drop)
    }
}

fn presences(answer: Answer) -> Result<Vec<proto::Presence>, ClientError> {
    match answer {
        Answer::Presences(presences) => Ok(presences),
        _ => Err(ClientError::Request(RequestError::NoAnswer)),
    }
}
