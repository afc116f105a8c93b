//! The behaviour of a client as a state machine: bytes, commands and time in; bytes, effects and events out.
//!
//! After every input the driver takes the outputs in this order, which is what makes a crash at any point harmless:
//! [`Core::poll_effect`] until empty (rows are kept *before* anything is acknowledged or sent),
//! [`Core::take_output`] (bytes for the socket), [`Core::poll_event`] until empty (for the application). It calls
//! [`Core::timeout`] at [`Core::deadline`]. No socket, clock, randomness or thread lives here.

pub mod config;
pub mod event;
pub mod link;
pub mod rows;

use bytes::Bytes;
use hongyan_wire::noise::Ephemeral;
use hongyan_wire::{Millis, proto};

use config::Config;
use event::{Event, Request, SendError, Token};
use link::Link;
use rows::{ConversationRow, OutboxRow, Restored, Row};

/// What the driver must do.
#[derive(Debug)]
pub enum Effect {
    /// Keep these rows in one transaction, before anything that follows.
    Persist(Vec<Row>),
    /// Dial, then call [`Core::connected`] or [`Core::disconnected`].
    Connect {
        /// `host:port` of another gate that a closing gate has named; absent = the configured address.
        gate: Option<String>,
    },
    /// Close the socket, and stop dialling; [`Core::disconnected`] need not be called.
    Disconnect,
}

/// A text or typed message for a person, to be given to [`Core::send`].
pub fn new_message(
    user: impl Into<String>,
    client_message_id: [u8; 16],
    kind: proto::BodyType,
    body: impl Into<Bytes>,
) -> proto::SendRequest {
    proto::SendRequest {
        to: Some(proto::send_request::To::User(user.into())),
        client_message_id: Bytes::copy_from_slice(&client_message_id),
        r#type: kind.into(),
        body: body.into(),
        ..Default::default()
    }
}

/// One client.
pub struct Core {}

#[expect(unused_variables, clippy::todo, reason = "the skeleton of the interface; the bodies follow")]
impl Core {
    /// A client that is not started. Restored messages that were not sent yet are told as [`Event::Outgoing`].
    pub fn new(config: Config, restored: Restored) -> Self {
        todo!()
    }

    /// Begins, or begins again after [`Link::Stopped`]: the user's wish to be connected.
    pub fn start(&mut self, now: Millis) {
        todo!()
    }

    /// The network has changed: the next attempt does not wait.
    pub fn network_changed(&mut self, now: Millis) {
        todo!()
    }

    /// The dialled connection stands. `ephemeral` is fresh and secret.
    pub fn connected(&mut self, now: Millis, ephemeral: Ephemeral) {
        todo!()
    }

    /// Bytes from the socket, in one burst.
    pub fn received(&mut self, now: Millis, bytes: &[u8]) {
        todo!()
    }

    /// The connection could not be made, or is gone.
    pub fn disconnected(&mut self, now: Millis) {
        todo!()
    }

    /// [`Core::deadline`] has come. May be called at any time.
    pub fn timeout(&mut self, now: Millis) {
        todo!()
    }

    /// Puts a message (see [`new_message`]) into the outbox; gives its `local` number. `written_ms` is the time of
    /// writing since 1970, for display.
    pub fn send(&mut self, now: Millis, request: proto::SendRequest, written_ms: u64) -> Result<u64, SendError> {
        todo!()
    }

    /// Tries a failed message again, with the same client_message_id. False if there is no such failed message.
    pub fn resend(&mut self, now: Millis, local: u64) -> bool {
        todo!()
    }

    /// Forgets a failed message. False if there is no such failed message.
    pub fn discard(&mut self, local: u64) -> bool {
        todo!()
    }

    /// The user has read everything up to `seq`. Repeated until the server confirms; marks never go down.
    pub fn mark_read(&mut self, now: Millis, user: &str, seq: u64) {
        todo!()
    }

    /// Tells that the user is typing, or stopped; dropped unless the link is live.
    pub fn typing(&mut self, now: Millis, user: &str, stopped: bool) {
        todo!()
    }

    /// Asks the server; the answer comes as [`Event::Answered`] with this token.
    pub fn request(&mut self, now: Millis, token: Token, request: Request) {
        todo!()
    }

    /// The next thing to do, if any.
    pub fn poll_effect(&mut self) -> Option<Effect> {
        todo!()
    }

    /// Moves the bytes for the socket to the end of `into`.
    pub fn take_output(&mut self, into: &mut Vec<u8>) {
        todo!()
    }

    /// The next thing to tell, if any.
    pub fn poll_event(&mut self) -> Option<Event> {
        todo!()
    }

    /// When [`Core::timeout`] must be called at the latest; `None` = nothing waits.
    pub fn deadline(&self) -> Option<Millis> {
        todo!()
    }

    /// Where the link stands.
    pub fn link(&self) -> &Link {
        todo!()
    }

    /// Every inbox entry up to here was applied; 0 before the first login.
    pub fn inbox_cursor(&self) -> u64 {
        todo!()
    }

    /// The user of the session, once there is or was one.
    pub fn user(&self) -> Option<&str> {
        todo!()
    }

    /// Conversations by name. With [`crate::Keep::Nothing`] they carry numbers only.
    pub fn conversations(&self) -> impl Iterator<Item = &ConversationRow> {
        std::iter::empty()
    }

    /// Messages on their way out, in the order of writing.
    pub fn outbox(&self) -> impl Iterator<Item = OutboxRow> {
        std::iter::empty()
    }

    /// Messages the server has not confirmed yet, without the failed ones.
    pub fn unsent(&self) -> usize {
        todo!()
    }
}
