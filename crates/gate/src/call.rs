//! What a connection asks of logic, and what comes back. [`crate::Gate::run`] carries the one to the other.

use std::sync::Arc;

use bytes::Bytes;
use hongyan_cluster::service::{LoggedIn, Origin, Reply, Resumed, SendReplies};
use hongyan_domain::id::SessionId;
use hongyan_domain::refusal::Refusal;
use hongyan_domain::session::Caller;
use hongyan_wire::command::Operation;
use hongyan_wire::proto;

use crate::turn::Turn;

/// What the connection needs of logic. The shell runs it and brings the [`Completion`].
#[derive(Debug)]
pub enum Call {
    /// A login.
    Login(proto::LoginRequest, Origin),
    /// A resume whose proof was right.
    Resume(SessionId, proto::ResumeOffer),
    /// A batch of sends, one at a time of a session.
    Send(Turn, Arc<Caller>, Vec<Bytes>),
    /// Any other request.
    Request(Arc<Caller>, Operation, Bytes),
    /// The head after a resume was confirmed, and whether the session has ended since it was read.
    Head(Arc<Caller>),
    /// A logout, with the id of its request.
    Logout(SessionId, u32),
}

/// The result of a [`Call`].
#[derive(Debug)]
pub enum Completion {
    /// Of `Call::Login`.
    Login(Result<LoggedIn, Refusal>),
    /// Of `Call::Resume`.
    Resume(Result<Resumed, Refusal>),
    /// Of `Call::Send`.
    Send(Result<SendReplies, Refusal>),
    /// Of `Call::Request`.
    Request(Operation, Reply),
    /// Of `Call::Head`.
    Head(Result<(u64, u32), Refusal>),
    /// Of `Call::Logout`.
    Logout(u32, Result<(), Refusal>),
    /// The call's task ended without a result.
    Lost,
}
