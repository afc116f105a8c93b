//! What applications ask about people: thin calls, nothing is kept here.

use hongyan_wire::proto;

use super::client::{Client, ClientError};
use crate::core::event::{Answer, Request, RequestError};

impl Client {
    /// Asks somebody to be a friend; the answer says whether they are one at once.
    pub async fn add_friend(&self, user: &str, text: &str) -> Result<proto::AddFriendAnswer, ClientError> {
        let request = proto::AddFriendRequest { user: user.to_owned(), text: text.to_owned(), ..Default::default() };
        match self.request(Request::AddFriend(request)).await? {
            Answer::AddedFriend(answer) => Ok(answer),
            _ => Err(ClientError::Request(RequestError::NoAnswer)),
        }
    }

    /// Accepts or declines a friend request.
    pub async fn decide_friend(&self, user: &str, accept: bool) -> Result<(), ClientError> {
        let request = proto::DecideFriendRequest { user: user.to_owned(), accept, ..Default::default() };
        self.request(Request::DecideFriend(request)).await.map(drop)
    }

    /// Ends a friendship, or takes a request back.
    pub async fn remove_friend(&self, user: &str) -> Result<(), ClientError> {
        self.request(Request::RemoveFriend(proto::RemoveFriendRequest { id: 0, user: user.to_owned() })).await.map(drop)
    }

    /// Notes something about a friend.
    pub async fn note_friend(&self, user: &str, remark: &str, grouping: u32) -> Result<(), ClientError> {
        let request = proto::NoteFriendRequest { id: 0, user: user.to_owned(), remark: remark.to_owned(), grouping };
        self.request(Request::NoteFriend(request)).await.map(drop)
    }

    /// What has changed in the own lists since the answer that had these numbers; 0 at first.
    pub async fn lists(&self, request: proto::ListsRequest) -> Result<proto::ListsAnswer, ClientError> {
        match self.request(Request::Lists(request)).await? {
            Answer::Lists(answer) => Ok(answer),
            _ => Err(ClientError::Request(RequestError::NoAnswer)),
        }
    }
}
