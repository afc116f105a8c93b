//! The handle of an application. Every method is a message to the driver and, usually, its answer.

use bytes::Bytes;
use thiserror::Error;
use tokio::sync::mpsc;

use super::Options;
use crate::{ConversationRow, Event, OutboxRow, RequestError, SendError, proto};

/// Why a call failed.
#[derive(Debug, Error)]
pub enum ClientError {
    /// The server refused, or did not answer.
    #[error(transparent)]
    Request(#[from] RequestError),
    /// The message was not queued.
    #[error(transparent)]
    Send(#[from] SendError),
    /// The server refused the message, or never answered for 2 minutes.
    #[error("not sent: {}", .0.as_ref().map_or("no answer", |refusal| refusal.text.as_str()))]
    NotSent(Option<proto::Refusal>),
    /// The local store failed; the client has stopped.
    #[error(transparent)]
    Store(#[from] crate::StoreError),
    /// No randomness could be had from the system.
    #[error("the system gives no randomness")]
    Randomness,
    /// The client is no more.
    #[error("the client has ended")]
    Ended,
}

/// A message that the server keeps.
#[derive(Clone, Debug, PartialEq)]
pub struct Stored {
    /// Its own id.
    pub client_message_id: Bytes,
    /// Its place in the conversation.
    pub seq: u64,
    /// When, by the server's clock.
    pub server_time_ms: u64,
    /// No session of the addressee was connected.
    pub stored_offline: bool,
}

/// Which part of a conversation to read.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct HistoryPage {
    /// Only below this seq; 0 = no bound.
    pub before_seq: u64,
    /// Only above this seq, oldest first; 0 = no bound. Not together with `before_seq`.
    pub after_seq: u64,
    /// 1-100.
    pub limit: u32,
}

/// A part of a conversation.
#[derive(Clone, Debug, PartialEq)]
pub struct MessageRange {
    /// Ascending by seq.
    pub entries: Vec<proto::Entry>,
    /// Nothing is missing between the entries and towards the page's bound. False when the server could not be asked.
    pub complete: bool,
    /// Nothing below it can be read; 0 = not known.
    pub low_seq: u64,
}

/// What the client tells; ends when the last [`Client`] is dropped or the store has failed.
pub struct Events {
    #[expect(dead_code, reason = "the skeleton of the interface; the bodies follow")]
    receiver: mpsc::Receiver<Event>,
}

#[expect(clippy::todo, reason = "the skeleton of the interface; the bodies follow")]
impl Events {
    /// The next event. A receiver that does not ask slows down its own client only.
    pub async fn next(&mut self) -> Option<Event> {
        todo!()
    }
}

/// The handle of a running client; cheap to clone.
#[derive(Clone)]
pub struct Client {}

#[expect(unused_variables, clippy::todo, reason = "the skeleton of the interface; the bodies follow")]
impl Client {
    /// Opens the store, starts the client in its own task and returns at once; [`Event::Link`] tells how it goes.
    pub async fn connect(options: Options) -> Result<(Self, Events), ClientError> {
        todo!()
    }

    /// Waits until the session is live, or says why it never will be (a [`crate::Link::Stopped`] as refusal).
    pub async fn live(&self) -> Result<(), crate::StopReason> {
        todo!()
    }

    /// Puts a text into the outbox; returns when it is kept on this device.
    pub async fn send_text(&self, user: &str, text: &str) -> Result<OutboxRow, ClientError> {
        todo!()
    }

    /// As [`Client::send_text`], for any message made by [`crate::new_message`]; an empty `client_message_id` is
    /// filled in.
    pub async fn send(&self, message: proto::SendRequest) -> Result<OutboxRow, ClientError> {
        todo!()
    }

    /// Sends and waits until the server keeps the message.
    pub async fn send_stored(&self, message: proto::SendRequest) -> Result<Stored, ClientError> {
        todo!()
    }

    /// Tries a failed message again.
    pub async fn resend(&self, local: u64) -> Result<bool, ClientError> {
        todo!()
    }

    /// Forgets a failed message.
    pub async fn discard(&self, local: u64) -> Result<bool, ClientError> {
        todo!()
    }

    /// Messages on their way out, in the order of writing.
    pub async fn outbox(&self) -> Result<Vec<OutboxRow>, ClientError> {
        todo!()
    }

    /// The user has read everything up to `seq`.
    pub async fn mark_read(&self, user: &str, seq: u64) -> Result<(), ClientError> {
        todo!()
    }

    /// The user is typing, or stopped.
    pub async fn typing(&self, user: &str, stopped: bool) -> Result<(), ClientError> {
        todo!()
    }

    /// The conversation list as this device knows it, newest activity first. It is filled from the server after the
    /// first login; [`Event::Conversation`] tells every change.
    pub async fn conversations(&self) -> Result<Vec<ConversationRow>, ClientError> {
        todo!()
    }

    /// Messages of a conversation, from the local store where it holds all of them, otherwise from the server.
    pub async fn history(&self, user: &str, page: HistoryPage) -> Result<MessageRange, ClientError> {
        todo!()
    }

    /// Takes one's own message back.
    pub async fn recall(&self, user: &str, seq: u64) -> Result<(), ClientError> {
        todo!()
    }

    /// Replaces the text of one's own message.
    pub async fn edit(&self, user: &str, seq: u64, text: &str) -> Result<(), ClientError> {
        todo!()
    }

    /// Gives a reaction, or takes it back.
    pub async fn react(&self, user: &str, seq: u64, name: &str, remove: bool) -> Result<(), ClientError> {
        todo!()
    }

    /// Hides messages from this user's own devices.
    pub async fn delete(&self, user: &str, deletion: proto::Deletion) -> Result<(), ClientError> {
        todo!()
    }

    /// Refuses a person's messages, or accepts them again.
    pub async fn block(&self, user: &str, blocked: bool) -> Result<(), ClientError> {
        todo!()
    }

    /// How far others are.
    pub async fn receipts(&self, users: Vec<String>) -> Result<Vec<proto::Receipt>, ClientError> {
        todo!()
    }

    /// Ends the session; the client stops.
    pub async fn logout(&self) -> Result<(), ClientError> {
        todo!()
    }

    /// Connects again after a stop, at the user's wish.
    pub async fn start(&self) -> Result<(), ClientError> {
        todo!()
    }

    /// The network has changed: try at once.
    pub async fn network_changed(&self) -> Result<(), ClientError> {
        todo!()
    }
}
