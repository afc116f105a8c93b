//! The task that runs one core: socket, timers, store, channels. It decides nothing that a core could decide.

use std::collections::{HashMap, VecDeque};
use std::future::Future;
use std::io;
use std::pin::Pin;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use hongyan_wire::Millis;
use tokio::net::TcpStream;
use tokio::sync::{mpsc, oneshot};
use tokio::time::Instant;

use super::client::{ClientError, HistoryPage, MessageRange, Stored};
use crate::core::ranges;
use crate::{
    Answer, ConversationRow, Core, Credential, Effect, Event, GroupRow, Link, OutboxRow, Peer, Range, Request,
    RequestError, SendState, StopReason, Store, StoreError, Token, proto,
};

/// Calls taken before their rows are kept together.
const CALLS_AT_ONCE_MAX: usize = 64;
/// Bytes read from the socket at once.
const READ_BYTES: usize = 64 * 1024;
/// Events that wait for the application before the client stops reading from the server.
const WAITING_EVENTS_MAX: usize = 1024;
/// Bytes that wait for the socket before the client takes no more commands.
const WAITING_BYTES_MAX: usize = 1024 * 1024;

/// An answer that a caller waits for.
pub(super) type Reply<T> = oneshot::Sender<T>;

/// What a [`super::Client`] asks of its driver.
pub(super) enum Call {
    Send(proto::SendRequest, Reply<Result<OutboxRow, ClientError>>),
    SendStored(proto::SendRequest, Reply<Result<Stored, ClientError>>),
    Resend(u64, Reply<bool>),
    Discard(u64, Reply<bool>),
    Outbox(Reply<Vec<OutboxRow>>),
    MarkRead(Peer, u64),
    AcknowledgeGroups,
    Groups(Reply<Vec<GroupRow>>),
    Typing(Peer, bool),
    Conversations(Reply<Vec<ConversationRow>>),
    ListIsComplete(Reply<bool>),
    History(Peer, HistoryPage, Reply<Result<MessageRange, ClientError>>),
    Request(Request, Reply<Result<Answer, RequestError>>),
    Live(Reply<Result<(), StopReason>>),
    SetCredential(Credential),
    Start,
    NetworkChanged,
}

/// Of one conversation.
struct Log<'a> {
    low_seq: u64,
    head_seq: u64,
    covered: &'a [Range],
}

enum Asker {
    Request(Reply<Result<Answer, RequestError>>),
    History { peer: Peer, page: HistoryPage, reply: Reply<Result<MessageRange, ClientError>> },
}

type Dial = Pin<Box<dyn Future<Output = io::Result<TcpStream>> + Send>>;

pub(super) struct Driver {
    core: Core,
    /// Absent only while a blocking thread works with it, or if the client keeps nothing.
    store: Option<Store>,
    address: String,
    clock: Instant,
    calls: mpsc::Receiver<Call>,
    events: mpsc::Sender<Event>,
    waiting_events: VecDeque<Event>,
    dial: Option<Dial>,
    socket: Option<TcpStream>,
    out: Vec<u8>,
    askers: HashMap<Token, Asker>,
    last_token: Token,
    /// Answered when the rows are kept.
    sent: Vec<(OutboxRow, Reply<Result<OutboxRow, ClientError>>)>,
    wait_stored: HashMap<u64, Reply<Result<Stored, ClientError>>>,
    wait_live: Vec<Reply<Result<(), StopReason>>>,
    ended: bool,
}

/// What woke the driver.
enum Woken {
    Call(Option<Call>),
    Dialled(io::Result<TcpStream>),
    Readable,
    Writable,
    Time,
    Told(bool),
}

impl Driver {
    pub(super) fn new(
        core: Core,
        store: Option<Store>,
        address: String,
        calls: mpsc::Receiver<Call>,
        events: mpsc::Sender<Event>,
    ) -> Self {
        Self {
            core,
            store,
            address,
            clock: Instant::now(),
            calls,
            events,
            waiting_events: VecDeque::new(),
            dial: None,
            socket: None,
            out: Vec::new(),
            askers: HashMap::new(),
            last_token: 0,
            sent: Vec::new(),
            wait_stored: HashMap::new(),
            wait_live: Vec::new(),
            ended: false,
        }
    }

    fn now(&self) -> Millis {
        Millis(self.clock.elapsed().as_millis() as u64)
    }

    /// Runs until the last handle is dropped or the store fails, which is the last thing that is told. What is told was
    /// acknowledged already and comes never again, so a receiver that goes on asking gets all of it.
    pub(super) async fn run(mut self) {
        let result = self.run_until_error().await;
        for event in std::mem::take(&mut self.waiting_events) {
            if self.events.send(event).await.is_err() {
                return;
            }
        }
        if let Err(error) = result {
            let reason = StopReason::Failed(error.to_string());
            let _ = self.events.send(Event::Link(Link::Stopped(reason))).await;
        }
    }

    async fn run_until_error(&mut self) -> Result<(), ClientError> {
        self.core.start(self.now());
        let mut buffer = vec![0; READ_BYTES];
        while !self.ended {
            self.settle().await?;
            let woken = self.wait().await;
            self.handle(woken, &mut buffer)?;
        }
        self.settle().await
    }

    /// Takes what the core has to give: effects, then bytes, then events.
    async fn settle(&mut self) -> Result<(), ClientError> {
        while let Some(effect) = self.core.poll_effect() {
            match effect {
                Effect::Persist(rows) => self.persist(rows).await?,
                Effect::Connect { gate } => {
                    let address = gate.unwrap_or_else(|| self.address.clone());
                    self.dial = Some(Box::pin(async move {
                        let socket = TcpStream::connect(address).await?;
                        socket.set_nodelay(true)?;
                        Ok(socket)
                    }));
                }
                Effect::Disconnect => {
                    self.dial = None;
                    self.socket = None;
                    self.out.clear();
                }
            }
        }
        for (row, reply) in self.sent.drain(..) {
            // Who no longer waits need not be told; so everywhere below.
            let _ = reply.send(Ok(row));
        }
        self.core.take_output(&mut self.out);
        while let Some(event) = self.core.poll_event() {
            self.tell(event);
        }
        Ok(())
    }

    /// Keeps rows without holding up the other tasks of this thread: a commit waits for the disk.
    async fn persist(&mut self, rows: Vec<crate::Row>) -> Result<(), ClientError> {
        let Some(mut store) = self.store.take() else { return Ok(()) };
        let work = tokio::task::spawn_blocking(move || {
            let result = store.apply(&rows);
            (store, result)
        });
        let (store, result) = work.await.map_err(|_| ClientError::Ended)?;
        self.store = Some(store);
        Ok(result?)
    }

    fn tell(&mut self, event: Event) {
        match &event {
            Event::Link(Link::Live) => self.answer_live(Ok(())),
            Event::Link(Link::Stopped(reason)) => self.answer_live(Err(reason.clone())),
            Event::Outgoing(outgoing) => self.tell_sender(outgoing.local, outgoing),
            Event::Answered { .. } => {
                let Event::Answered { token, result } = event else { return };
                return self.answer(token, result);
            }
            _ => {}
        }
        self.waiting_events.push_back(event);
    }

    fn answer_live(&mut self, result: Result<(), StopReason>) {
        for reply in self.wait_live.drain(..) {
            let _ = reply.send(result.clone());
        }
    }

    fn tell_sender(&mut self, local: u64, outgoing: &crate::Outgoing) {
        let result = match &outgoing.state {
            SendState::Queued => return,
            SendState::Stored { seq, server_time_ms, stored_offline } => Ok(Stored {
                client_message_id: outgoing.client_message_id.clone(),
                seq: *seq,
                server_time_ms: *server_time_ms,
                stored_offline: *stored_offline,
            }),
            SendState::Failed { refusal } => Err(ClientError::NotSent(refusal.clone())),
        };
        if let Some(reply) = self.wait_stored.remove(&local) {
            let _ = reply.send(result);
        }
    }

    fn answer(&mut self, token: Token, result: Result<Answer, RequestError>) {
        match self.askers.remove(&token) {
            Some(Asker::Request(reply)) => {
                let _ = reply.send(result);
            }
            Some(Asker::History { peer, page, reply }) => {
                let _ = reply.send(self.history_from_server(&peer, page, result));
            }
            None => {}
        }
    }

    async fn wait(&mut self) -> Woken {
        let deadline = self.core.deadline().map(|at| self.clock + Duration::from_millis(at.0));
        let may_read = self.waiting_events.len() < WAITING_EVENTS_MAX;
        let may_take_calls = may_read && self.out.len() < WAITING_BYTES_MAX;
        let has_events = !self.waiting_events.is_empty();
        let (socket, has_output) = (&self.socket, !self.out.is_empty());
        tokio::select! {
            permit = self.events.reserve(), if has_events => {
                let Ok(permit) = permit else { return Woken::Told(false) };
                if let Some(event) = self.waiting_events.pop_front() {
                    permit.send(event);
                }
                Woken::Told(true)
            }
            call = self.calls.recv(), if may_take_calls => Woken::Call(call),
            socket = dialled(&mut self.dial), if self.dial.is_some() => Woken::Dialled(socket),
            () = ready(socket, true), if has_output && socket.is_some() => Woken::Writable,
            () = ready(socket, false), if may_read && socket.is_some() => Woken::Readable,
            () = sleep_until(deadline) => Woken::Time,
        }
    }

    fn handle(&mut self, woken: Woken, buffer: &mut [u8]) -> Result<(), ClientError> {
        let now = self.now();
        match woken {
            Woken::Call(Some(call)) => {
                self.call(now, call)?;
                // What has come meanwhile is kept in the same transaction.
                for _ in 1..CALLS_AT_ONCE_MAX {
                    let Ok(call) = self.calls.try_recv() else { break };
                    self.call(now, call)?;
                }
            }
            Woken::Call(None) => self.ended = true,
            Woken::Told(true) => {}
            // Nobody listens; the handles may still be used.
            Woken::Told(false) => self.waiting_events.clear(),
            Woken::Dialled(Ok(socket)) => {
                self.dial = None;
                self.socket = Some(socket);
                self.core.connected(now, random()?);
            }
            Woken::Dialled(Err(_)) => self.lost(now),
            Woken::Readable => self.read(now, buffer),
            Woken::Writable => self.write(now),
            Woken::Time => self.core.timeout(now),
        }
        Ok(())
    }

    fn lost(&mut self, now: Millis) {
        self.dial = None;
        self.socket = None;
        self.out.clear();
        self.core.disconnected(now);
    }

    fn read(&mut self, now: Millis, buffer: &mut [u8]) {
        let Some(socket) = &self.socket else { return };
        match socket.try_read(buffer) {
            Ok(0) => self.lost(now),
            Ok(length) => self.core.received(now, &buffer[..length]),
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
            Err(_) => self.lost(now),
        }
    }

    fn write(&mut self, now: Millis) {
        let Some(socket) = &self.socket else { return };
        match socket.try_write(&self.out) {
            Ok(length) => {
                self.out.drain(..length);
            }
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
            Err(_) => self.lost(now),
        }
    }

    fn call(&mut self, now: Millis, call: Call) -> Result<(), ClientError> {
        match call {
            Call::Send(message, reply) => match self.send(now, message) {
                Ok(row) => self.sent.push((row, reply)),
                Err(error) => {
                    let _ = reply.send(Err(error));
                }
            },
            Call::SendStored(message, reply) => match self.send(now, message) {
                Ok(row) => {
                    self.wait_stored.insert(row.local, reply);
                }
                Err(error) => {
                    let _ = reply.send(Err(error));
                }
            },
            Call::Resend(local, reply) => {
                let _ = reply.send(self.core.resend(now, local));
            }
            Call::Discard(local, reply) => {
                let _ = reply.send(self.core.discard(local));
            }
            Call::Outbox(reply) => {
                let _ = reply.send(self.core.outbox().collect());
            }
            Call::MarkRead(peer, seq) => self.core.mark_read(now, peer, seq),
            Call::AcknowledgeGroups => self.core.acknowledge_groups(now),
            Call::Groups(reply) => drop(reply.send(self.core.groups().cloned().collect())),
            Call::Typing(peer, stopped) => self.core.typing(now, peer, stopped),
            Call::Conversations(reply) => {
                let mut rows: Vec<_> = self.core.conversations().cloned().collect();
                rows.sort_by_key(|row| std::cmp::Reverse(row.conversation.activity));
                let _ = reply.send(rows);
            }
            Call::ListIsComplete(reply) => drop(reply.send(self.core.list_is_complete())),
            Call::History(peer, page, reply) => self.history(now, peer, page, reply)?,
            Call::Request(request, reply) => {
                self.request(now, request, Asker::Request(reply));
            }
            Call::Live(reply) => match self.core.link() {
                Link::Live => drop(reply.send(Ok(()))),
                Link::Stopped(reason) => drop(reply.send(Err(reason.clone()))),
                _ => self.wait_live.push(reply),
            },
            Call::SetCredential(credential) => self.core.set_credential(credential),
            Call::Start => self.core.start(now),
            Call::NetworkChanged => self.core.network_changed(now),
        }
        Ok(())
    }

    fn request(&mut self, now: Millis, request: Request, asker: Asker) {
        self.last_token += 1;
        self.askers.insert(self.last_token, asker);
        self.core.request(now, self.last_token, request);
    }

    fn send(&mut self, now: Millis, mut message: proto::SendRequest) -> Result<OutboxRow, ClientError> {
        if message.client_message_id.is_empty() {
            message.client_message_id = random::<16>()?.to_vec().into();
        }
        let written_ms = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_millis() as u64);
        let local = self.core.send(now, message.clone(), written_ms)?;
        Ok(OutboxRow { local, written_ms, request: message, state: crate::OutboxState::Queued })
    }

    fn history(
        &mut self,
        now: Millis,
        peer: Peer,
        page: HistoryPage,
        reply: Reply<Result<MessageRange, ClientError>>,
    ) -> Result<(), ClientError> {
        if let Some(known) = self.history_from_store(&peer, page, false)? {
            let _ = reply.send(Ok(known));
            return Ok(());
        }
        let HistoryPage { before_seq, after_seq, limit } = page;
        let limit = limit.clamp(1, hongyan_wire::limits::HISTORY_ENTRIES_MAX);
        let (user, group) = peer.fields();
        let request = proto::HistoryRequest { user, group, before_seq, after_seq, limit, ..Default::default() };
        self.request(now, Request::History(request), Asker::History { peer, page, reply });
        Ok(())
    }

    fn history_from_server(
        &self,
        peer: &Peer,
        page: HistoryPage,
        result: Result<Answer, RequestError>,
    ) -> Result<MessageRange, ClientError> {
        match result {
            Ok(Answer::History(answer)) => {
                let entries = answer.entries.into_iter().filter(|entry| entry.change.is_none()).collect();
                let (from, to) = (answer.covered_from, answer.covered_to);
                let covered = (to > 0).then_some(Range { from, to });
                Ok(MessageRange { entries, complete: true, covered, low_seq: answer.low_seq })
            }
            // What this device has is better than nothing.
            Err(RequestError::Offline | RequestError::NoAnswer) => {
                self.history_from_store(peer, page, true)?.ok_or(ClientError::Request(RequestError::Offline))
            }
            Err(error) => Err(error.into()),
            Ok(_) => Err(ClientError::Request(RequestError::NoAnswer)),
        }
    }

    /// What the core knows of a conversation's log.
    fn log(&self, peer: &Peer) -> Option<Log<'_>> {
        Some(match peer {
            Peer::Person(user) => {
                let ConversationRow { conversation, covered, .. } = self.core.conversation(user)?;
                Log { low_seq: conversation.low_seq, head_seq: conversation.head_seq, covered }
            }
            Peer::Group(group) => {
                let GroupRow { group, covered, .. } = self.core.group(group)?;
                Log { low_seq: group.low_seq, head_seq: group.head_seq, covered }
            }
        })
    }

    /// The page out of the local store: if it holds all of it, or whatever it holds.
    fn history_from_store(
        &self,
        peer: &Peer,
        page: HistoryPage,
        whatever: bool,
    ) -> Result<Option<MessageRange>, StoreError> {
        let (Some(store), Some(log)) = (&self.store, self.log(peer)) else { return Ok(None) };
        let Log { low_seq, head_seq, covered } = log;
        let newest = page.after_seq == 0;
        let bound = if !newest {
            page.after_seq + 1
        } else if page.before_seq > 0 {
            page.before_seq - 1
        } else {
            head_seq
        };
        let Some(held) = ranges::holding(covered, bound).filter(|_| !whatever) else {
            let everything = if newest { Range { from: 0, to: bound } } else { Range { from: bound, to: u64::MAX } };
            let entries = if whatever { store.messages(peer, everything, page.limit, newest)? } else { Vec::new() };
            let range = MessageRange { entries, complete: false, covered: None, low_seq };
            return Ok(whatever.then_some(range));
        };
        let range = if newest { Range { to: bound, ..held } } else { Range { from: bound, ..held } };
        let entries = store.messages(peer, range, page.limit, newest)?;
        let end = if newest { range.from <= low_seq.max(1) } else { range.to >= head_seq };
        let complete = entries.len() as u64 >= u64::from(page.limit) || end;
        // A full page ends before the range does.
        let covered = match (entries.first(), entries.last()) {
            (Some(first), Some(last)) if entries.len() as u64 >= u64::from(page.limit) => {
                if newest {
                    Range { from: first.seq, ..range }
                } else {
                    Range { to: last.seq, ..range }
                }
            }
            _ => range,
        };
        Ok(complete.then_some(MessageRange { entries, complete, covered: Some(covered), low_seq }))
    }
}

async fn dialled(dial: &mut Option<Dial>) -> io::Result<TcpStream> {
    match dial {
        Some(dial) => dial.await,
        None => std::future::pending().await,
    }
}

/// Ready to be written or read; an error shows at the following attempt.
async fn ready(socket: &Option<TcpStream>, write: bool) {
    let Some(socket) = socket else { return std::future::pending().await };
    let _ = if write { socket.writable().await } else { socket.readable().await };
}

async fn sleep_until(deadline: Option<Instant>) {
    match deadline {
        Some(deadline) => tokio::time::sleep_until(deadline).await,
        None => std::future::pending().await,
    }
}

/// Fresh bytes from the system.
pub(super) fn random<const N: usize>() -> Result<[u8; N], ClientError> {
    let mut bytes = [0; N];
    getrandom::fill(&mut bytes).map_err(|_| ClientError::Randomness)?;
    Ok(bytes)
}

#[cfg(all(test, feature = "store"))]
mod tests {
    use super::*;
    use crate::{Config, Restored};

    #[tokio::test]
    async fn a_store_that_fails_stops_the_client_and_says_so() {
        let mut store = Store::in_memory().expect("memory is there");
        store.forbid_writing();
        let config = Config::new([9; 32], "app", Credential::Token("a".into()), "d".into());
        let (calls, call_receiver) = mpsc::channel(1);
        let (event_sender, mut events) = mpsc::channel(8);
        let core = Core::new(config, Restored::default());
        let driver = Driver::new(core, Some(store), "127.0.0.1:1".into(), call_receiver, event_sender);
        let (reply, kept) = oneshot::channel();
        let message = crate::new_message("b", [1; 16], proto::BodyType::Text, "x");
        calls.send(Call::Send(message, reply)).await.expect("there is room");
        driver.run().await;
        assert!(kept.await.is_err(), "nobody is told that it was kept");
        let mut last = None;
        while let Some(event) = events.recv().await {
            last = Some(event);
        }
        assert!(matches!(last, Some(Event::Link(Link::Stopped(StopReason::Failed(_))))), "{last:?}");
    }

    #[tokio::test]
    async fn what_waits_for_a_slow_receiver_is_told_after_the_last_handle_is_gone() {
        let config = Config::new([9; 32], "app", Credential::Token("a".into()), "d".into());
        let outbox = (1..=100).map(|local| OutboxRow {
            local,
            written_ms: 0,
            request: crate::new_message("b", [local as u8; 16], proto::BodyType::Text, "x"),
            state: crate::OutboxState::Queued,
        });
        let core = Core::new(config, Restored { outbox: outbox.collect(), ..Restored::default() });
        let (calls, call_receiver) = mpsc::channel(1);
        let (event_sender, mut events) = mpsc::channel(8);
        let store = Store::in_memory().expect("memory is there");
        let driver = Driver::new(core, Some(store), "127.0.0.1:1".into(), call_receiver, event_sender);
        drop(calls);
        let task = tokio::spawn(driver.run());
        let mut told = 0;
        while let Some(event) = events.recv().await {
            told += usize::from(matches!(event, Event::Outgoing(_)));
        }
        task.await.expect("it ends");
        assert_eq!(told, 100);
    }
}
