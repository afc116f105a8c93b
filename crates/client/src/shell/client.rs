//! The handle of an application. Every method is a message to the driver and, usually, its answer.

use bytes::Bytes;
use thiserror::Error;
use tokio::sync::{mpsc, oneshot};

use super::Options;
use super::driver::{Call, Driver, Reply, random};
use crate::{
    Answer, Config, ConversationRow, Core, Credential, Event, GroupRow, Keep, OutboxRow, Peer, Range, Request,
    RequestError, Restored, SendError, StopReason, Store, StoreError, proto,
};

/// Calls that wait for the driver.
const CALLS_MAX: usize = 64;
/// Events on their way to the application.
const EVENTS_MAX: usize = 256;

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
    /// What is complete: seqs of it without an entry hold no message. The next page begins beside it. `None` when the
    /// server could not be asked, or if there is nothing.
    pub covered: Option<Range>,
    /// Nothing below it can be read; 0 = not known.
    pub low_seq: u64,
}

/// What the client tells; ends when the last [`Client`] is dropped or the store has failed.
pub struct Events {
    receiver: mpsc::Receiver<Event>,
}

impl Events {
    /// The next event. A receiver that does not ask slows down its own client only.
    pub async fn next(&mut self) -> Option<Event> {
        self.receiver.recv().await
    }
}

/// The handle of a running client; cheap to clone. Every method fails with [`ClientError::Ended`] once the local
/// store has failed.
#[derive(Clone)]
pub struct Client {
    calls: mpsc::Sender<Call>,
}

impl Client {
    /// Opens the store, starts the client in its own task and returns at once; [`Event::Link`] tells how it goes.
    pub async fn connect(options: Options) -> Result<(Self, Events), ClientError> {
        let address = options.address.authority();
        let (core, store) = prepare(options).await?;
        let (calls, call_receiver) = mpsc::channel(CALLS_MAX);
        let (event_sender, receiver) = mpsc::channel(EVENTS_MAX);
        tokio::spawn(Driver::new(core, store, address, call_receiver, event_sender).run());
        Ok((Self { calls }, Events { receiver }))
    }

    async fn call(&self, call: Call) -> Result<(), ClientError> {
        self.calls.send(call).await.map_err(|_| ClientError::Ended)
    }

    async fn ask<T>(&self, call: impl FnOnce(Reply<T>) -> Call) -> Result<T, ClientError> {
        let (reply, answer) = oneshot::channel();
        self.call(call(reply)).await?;
        answer.await.map_err(|_| ClientError::Ended)
    }

    pub(super) async fn request(&self, request: Request) -> Result<Answer, ClientError> {
        Ok(self.ask(|reply| Call::Request(request, reply)).await??)
    }

    /// Waits until the session is live, or gives the reason why it will not be without the user's wish.
    pub async fn live(&self) -> Result<Result<(), StopReason>, ClientError> {
        self.ask(Call::Live).await
    }

    /// Puts a text into the outbox; returns when it is kept on this device.
    pub async fn send_text(&self, peer: impl Into<Peer>, text: &str) -> Result<OutboxRow, ClientError> {
        self.send(crate::new_message(peer, random()?, proto::BodyType::Text, text.to_owned())).await
    }

    /// As [`Client::send_text`], for any message made by [`crate::new_message`]; an empty `client_message_id` is
    /// filled in.
    pub async fn send(&self, message: proto::SendRequest) -> Result<OutboxRow, ClientError> {
        self.ask(|reply| Call::Send(message, reply)).await?
    }

    /// Sends and waits until the server keeps the message.
    pub async fn send_stored(&self, message: proto::SendRequest) -> Result<Stored, ClientError> {
        self.ask(|reply| Call::SendStored(message, reply)).await?
    }

    /// Tries a failed message again. False if there is no such failed message.
    pub async fn resend(&self, local: u64) -> Result<bool, ClientError> {
        self.ask(|reply| Call::Resend(local, reply)).await
    }

    /// Forgets a failed message. False if there is no such failed message.
    pub async fn discard(&self, local: u64) -> Result<bool, ClientError> {
        self.ask(|reply| Call::Discard(local, reply)).await
    }

    /// Messages on their way out, in the order of writing.
    pub async fn outbox(&self) -> Result<Vec<OutboxRow>, ClientError> {
        self.ask(Call::Outbox).await
    }

    /// The user has read everything up to `seq`.
    pub async fn mark_read(&self, peer: impl Into<Peer>, seq: u64) -> Result<(), ClientError> {
        self.call(Call::MarkRead(peer.into(), seq)).await
    }

    /// Tells the server at once what of groups is stored here: the user leaves a group's screen, or the application goes
    /// to the background.
    pub async fn acknowledge_groups(&self) -> Result<(), ClientError> {
        self.call(Call::AcknowledgeGroups).await
    }

    /// The user is typing, or stopped.
    pub async fn typing(&self, peer: impl Into<Peer>, stopped: bool) -> Result<(), ClientError> {
        self.call(Call::Typing(peer.into(), stopped)).await
    }

    /// The conversation list as this device knows it, newest activity first. It is filled from the server after the
    /// first login; [`Event::Conversation`] tells every change.
    pub async fn conversations(&self) -> Result<Vec<ConversationRow>, ClientError> {
        self.ask(Call::Conversations).await
    }

    /// The conversation list was read from the server to its end, and has been kept up to date since.
    pub async fn list_is_complete(&self) -> Result<bool, ClientError> {
        self.ask(Call::ListIsComplete).await
    }

    /// The groups that the user is or was a member of, by id, as this device knows them. They are read from the server
    /// after every login; [`Event::Group`] tells every change.
    pub async fn groups(&self) -> Result<Vec<GroupRow>, ClientError> {
        self.ask(Call::Groups).await
    }

    /// Messages of a conversation, from the local store where it holds all of them, otherwise from the server.
    pub async fn history(&self, peer: impl Into<Peer>, page: HistoryPage) -> Result<MessageRange, ClientError> {
        let peer = peer.into();
        self.ask(|reply| Call::History(peer, page, reply)).await?
    }

    /// Takes one's own message back.
    pub async fn recall(&self, peer: impl Into<Peer>, seq: u64) -> Result<(), ClientError> {
        let (user, group) = peer.into().fields();
        let client_request_id = fresh_id()?;
        let request = proto::RecallRequest { id: 0, user, seq, client_request_id, group };
        self.request(Request::Recall(request)).await.map(drop)
    }

    /// Replaces the text of one's own message.
    pub async fn edit(&self, peer: impl Into<Peer>, seq: u64, text: &str) -> Result<(), ClientError> {
        let (user, group) = peer.into().fields();
        let (client_request_id, body) = (fresh_id()?, Bytes::from(text.to_owned()));
        let request = proto::EditRequest { user, seq, client_request_id, body, group, ..Default::default() };
        self.request(Request::Edit(request)).await.map(drop)
    }

    /// Gives a reaction, or takes it back.
    pub async fn react(&self, peer: impl Into<Peer>, seq: u64, name: &str, remove: bool) -> Result<(), ClientError> {
        let (user, group) = peer.into().fields();
        let (client_request_id, name) = (fresh_id()?, name.to_owned());
        let request = proto::ReactRequest { id: 0, user, seq, client_request_id, name, remove, group };
        self.request(Request::React(request)).await.map(drop)
    }

    /// Hides messages from this user's own devices.
    pub async fn delete(&self, peer: impl Into<Peer>, deletion: proto::Deletion) -> Result<(), ClientError> {
        let (user, group) = peer.into().fields();
        let request = proto::DeleteRequest { id: 0, user, deletion: Some(deletion), group };
        self.request(Request::Delete(request)).await.map(drop)
    }

    /// Refuses a person's messages, or accepts them again.
    pub async fn block(&self, user: &str, blocked: bool) -> Result<(), ClientError> {
        let request = proto::BlockRequest { id: 0, user: user.to_owned(), blocked };
        self.request(Request::Block(request)).await.map(drop)
    }

    /// Looks for messages in all conversations or in one, newest first, and for people; `id` is filled in. Asks the server.
    pub async fn search(&self, request: proto::SearchRequest) -> Result<proto::SearchAnswer, ClientError> {
        match self.request(Request::Search(request)).await? {
            Answer::Found(answer) => Ok(answer),
            _ => Err(ClientError::Request(RequestError::NoAnswer)),
        }
    }

    /// How far others are.
    pub async fn receipts(&self, users: Vec<String>) -> Result<Vec<proto::Receipt>, ClientError> {
        match self.request(Request::Receipts(proto::ReceiptsRequest { id: 0, users })).await? {
            Answer::Receipts(answer) => Ok(answer.receipts),
            _ => Err(ClientError::Request(RequestError::NoAnswer)),
        }
    }

    /// Makes a group; gives its id. An empty `client_request_id` is filled in.
    pub async fn create_group(&self, mut request: proto::CreateGroupRequest) -> Result<String, ClientError> {
        if request.client_request_id.is_empty() {
            request.client_request_id = fresh_id()?;
        }
        match self.request(Request::CreateGroup(request)).await? {
            Answer::GroupCreated(answer) => Ok(answer.group),
            _ => Err(ClientError::Request(RequestError::NoAnswer)),
        }
    }

    /// Makes one change of a group.
    pub async fn change_group(
        &self,
        group: &str,
        what: proto::change_group_request::What,
    ) -> Result<proto::ChangeGroupAnswer, ClientError> {
        let (group, client_request_id) = (group.to_owned(), fresh_id()?);
        let request = proto::ChangeGroupRequest { id: 0, group, client_request_id, what: Some(what) };
        match self.request(Request::ChangeGroup(request)).await? {
            Answer::GroupChanged(answer) => Ok(answer),
            _ => Err(ClientError::Request(RequestError::NoAnswer)),
        }
    }

    /// Comes into a group, or asks to: true if that waits for an admission. `link` may be empty.
    pub async fn join_group(&self, group: &str, link: &str, text: &str) -> Result<bool, ClientError> {
        let (group, link, text) = (group.to_owned(), link.to_owned(), text.to_owned());
        let client_request_id = fresh_id()?;
        let request = proto::JoinGroupRequest { id: 0, group, client_request_id, link, text };
        match self.request(Request::JoinGroup(request)).await? {
            Answer::GroupJoined(answer) => Ok(answer.pending),
            _ => Err(ClientError::Request(RequestError::NoAnswer)),
        }
    }

    /// A page of a group's members, by name; `after` is the last one of the page before.
    pub async fn group_members(
        &self,
        group: &str,
        after: &str,
        limit: u32,
    ) -> Result<proto::GroupMembersAnswer, ClientError> {
        let (group, after) = (group.to_owned(), after.to_owned());
        let request = proto::GroupMembersRequest { group, after, limit, ..Default::default() };
        match self.request(Request::GroupMembers(request)).await? {
            Answer::GroupMembers(answer) => Ok(answer),
            _ => Err(ClientError::Request(RequestError::NoAnswer)),
        }
    }

    /// Who has a message of a group.
    pub async fn group_receipts(&self, group: &str, seq: u64) -> Result<proto::GroupReceiptsAnswer, ClientError> {
        let request = proto::GroupReceiptsRequest { id: 0, group: group.to_owned(), seq };
        match self.request(Request::GroupReceipts(request)).await? {
            Answer::GroupReceipts(answer) => Ok(answer),
            _ => Err(ClientError::Request(RequestError::NoAnswer)),
        }
    }

    /// Ends the session; the client stops.
    pub async fn logout(&self) -> Result<(), ClientError> {
        self.request(Request::Logout).await.map(drop)
    }

    /// Replaces the credential of the next login, for example an expired token; call [`Client::start`] if the client has
    /// stopped because of it.
    pub async fn set_credential(&self, credential: Credential) -> Result<(), ClientError> {
        self.call(Call::SetCredential(credential)).await
    }

    /// Connects again after a stop, at the user's wish.
    pub async fn start(&self) -> Result<(), ClientError> {
        self.call(Call::Start).await
    }

    /// The network has changed: try at once.
    pub async fn network_changed(&self) -> Result<(), ClientError> {
        self.call(Call::NetworkChanged).await
    }
}

fn fresh_id() -> Result<Bytes, ClientError> {
    Ok(Bytes::copy_from_slice(&random::<16>()?))
}

/// Opens the store and makes the core that goes on from it.
async fn prepare(options: Options) -> Result<(Core, Option<Store>), ClientError> {
    let fresh = random()?;
    let (key, app) = (options.address.key, options.address.app.clone());
    let opening = tokio::task::spawn_blocking(move || open_store(options.store.as_deref(), fresh, &key, &app));
    let (store, restored, device_id) = opening.await.map_err(|_| ClientError::Ended)??;
    let mut config = Config::new(options.address.key, options.address.app, options.credential, device_id);
    config.term = options.term;
    config.client = options.client;
    config.keep = if store.is_some() { Keep::Messages } else { Keep::Nothing };
    config.jitter_seed = u64::from_be_bytes(random()?);
    Ok((Core::new(config, restored), store))
}

type Opened = (Option<Store>, Restored, Bytes);

#[cfg(feature = "store")]
fn open_store(
    path: Option<&std::path::Path>,
    fresh: [u8; 16],
    server_key: &[u8; 32],
    app: &str,
) -> Result<Opened, StoreError> {
    let mut store = path.map_or_else(Store::in_memory, Store::open)?;
    store.bind(server_key, app)?;
    let device_id = store.device_id(fresh)?;
    let restored = store.restore()?;
    Ok((Some(store), restored, device_id))
}

#[cfg(not(feature = "store"))]
fn open_store(
    path: Option<&std::path::Path>,
    fresh: [u8; 16],
    _server_key: &[u8; 32],
    _app: &str,
) -> Result<Opened, StoreError> {
    match path {
        Some(_) => Err(StoreError::Missing),
        None => Ok((None, Restored::default(), Bytes::copy_from_slice(&fresh))),
    }
}
