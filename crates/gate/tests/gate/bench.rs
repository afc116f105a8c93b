//! The test bench: a gate, its logic as a script, and clients that speak to it through memory.

use std::collections::VecDeque;
use std::future::Future;
use std::net::IpAddr;
use std::pin::Pin;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll, Wake, Waker};

use bytes::Bytes;
use hongyan_cluster::bus::{Delivery, Reference};
use hongyan_cluster::service::{LoggedIn, Origin, Reply, Resumed, SendReplies};
use hongyan_cluster::{Bus, Service};
use hongyan_domain::change::{Change, Changes, Since};
use hongyan_domain::environment::{Environment, Pending};
use hongyan_domain::receipt::CursorAdvance;
use hongyan_domain::session::{Caller, EndReason, Term};
use hongyan_domain::{AppId, ClientId, ConversationId, DeviceKey, Name, Refusal, SessionId, UnixMillis, UserId};
use hongyan_gate::call::Call;
use hongyan_gate::link::Link;
use hongyan_gate::peer::{Flow, Peer, Protection};
use hongyan_gate::ticket::TicketKeys;
use hongyan_gate::{Gate, GateOptions};
use hongyan_wire::command::Operation;
use hongyan_wire::noise::{ResumeProof, StaticKey};
use hongyan_wire::{Command, Connection, Event, Millis, proto};
use prost::Message;

/// Where all clients come from unless a test says otherwise.
pub const IP: IpAddr = IpAddr::V4(std::net::Ipv4Addr::LOCALHOST);

/// A clock that moves when told, counted randomness, tasks that run when they were woken or the clock moves.
#[derive(Default)]
pub struct World {
    now_ms: Mutex<u64>,
    random: Mutex<u64>,
    tasks: Mutex<Vec<Task>>,
}

struct Task {
    future: Pending<'static, ()>,
    woken: Arc<Woken>,
}

struct Woken(AtomicBool);

impl Wake for Woken {
    fn wake(self: Arc<Self>) {
        self.0.store(true, Ordering::Relaxed);
    }
}

impl World {
    /// Moves the clock in steps and lets tasks run.
    pub fn advance(&self, span_ms: u64) {
        self.advance_by(50, span_ms);
    }

    /// In other steps than those of 50 ms.
    pub fn advance_by(&self, step_ms: u64, span_ms: u64) {
        for _ in 0..span_ms.div_ceil(step_ms) {
            *self.now_ms.lock().unwrap() += step_ms;
            for task in &*self.tasks.lock().unwrap() {
                task.woken.0.store(true, Ordering::Relaxed);
            }
            self.settle();
        }
    }

    /// Lets tasks run until nobody is awake. A task that should have been woken and was not stays asleep.
    pub fn settle(&self) {
        let mut any = true;
        while any {
            any = false;
            let tasks = std::mem::take(&mut *self.tasks.lock().unwrap());
            let mut left = Vec::with_capacity(tasks.len());
            for mut task in tasks {
                if task.woken.0.swap(false, Ordering::Relaxed) {
                    any = true;
                    let waker = Waker::from(task.woken.clone());
                    if task.future.as_mut().poll(&mut Context::from_waker(&waker)).is_ready() {
                        continue;
                    }
                }
                left.push(task);
            }
            let mut tasks = self.tasks.lock().unwrap();
            left.append(&mut tasks);
            *tasks = left;
        }
    }
}

struct Handle(Arc<World>);

struct Sleep(Arc<World>, u64);

impl Future for Sleep {
    type Output = ();

    fn poll(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<()> {
        if *self.0.now_ms.lock().unwrap() >= self.1 { Poll::Ready(()) } else { Poll::Pending }
    }
}

impl Environment for Handle {
    fn monotonic_us(&self) -> u64 {
        *self.0.now_ms.lock().unwrap() * 1000
    }

    fn wall_clock(&self) -> UnixMillis {
        UnixMillis(1_700_000_000_000 + self.monotonic_ms())
    }

    fn random(&self, bytes: &mut [u8]) {
        let mut random = self.0.random.lock().unwrap();
        for byte in bytes {
            *random = random.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            *byte = (*random >> 33) as u8;
        }
    }

    fn spawn(&self, task: Pending<'static, ()>) {
        self.0.tasks.lock().unwrap().push(Task { future: task, woken: Arc::new(Woken(AtomicBool::new(true))) });
    }

    fn sleep_ms(&self, span_ms: u64) -> Pending<'static, ()> {
        Box::pin(Sleep(self.0.clone(), self.monotonic_ms() + span_ms))
    }
}

/// Logic as a script. Users are numbered by the first byte of their name.
#[derive(Default)]
pub struct Script {
    /// Head of everybody's inbox.
    pub head: Mutex<u64>,
    /// Batches that were sent, each as its number of bodies.
    pub batches: Mutex<Vec<usize>>,
    /// Cursors that were stored.
    pub advances: Mutex<Vec<CursorAdvance>>,
    /// Cursors are refused for now.
    pub busy: Mutex<bool>,
    /// What the change feed says next.
    pub changes: Mutex<VecDeque<Change>>,
    /// Sessions that have ended.
    pub ended: Mutex<Vec<(SessionId, EndReason)>>,
    /// What has happened since a resume can be told at once.
    pub remembers: Mutex<bool>,
    /// Sessions that were opened.
    pub callers: Mutex<Vec<Caller>>,
}

/// The id of the `number`-th session: up to 255, that number 16 times.
fn session(number: usize) -> SessionId {
    let mut id = [number as u8; 16];
    id[0] ^= (number >> 8) as u8;
    SessionId(id)
}

fn ready<T: Send + 'static>(value: T) -> Pending<'static, T> {
    Box::pin(std::future::ready(value))
}

impl Service for Script {
    fn login(&self, request: proto::LoginRequest, _: Origin) -> Pending<'_, Result<LoggedIn, Refusal>> {
        let Some(proto::login_request::Credential::Token(token)) = request.credential else {
            return ready(Err(Refusal::Unauthenticated));
        };
        let (Some(name), Some(device)) = (Name::parse(&token), request.device_id.first()) else {
            return ready(Err(Refusal::InvalidArgument("device_id")));
        };
        let mut callers = self.callers.lock().unwrap();
        let caller = Caller {
            app: AppId(1),
            user: UserId(token.as_bytes()[0].into()),
            name,
            device: DeviceKey((*device).into()),
            term: Term::Mobile,
            session: session(callers.len() + 1),
        };
        callers.push(caller.clone());
        let inbox_head = *self.head.lock().unwrap();
        let answer = proto::LoginAnswer { log_epoch: 1, inbox_head, ..Default::default() };
        ready(Ok(LoggedIn { caller, answer }))
    }

    fn resume(&self, session: SessionId, offer: proto::ResumeOffer) -> Pending<'_, Result<Resumed, Refusal>> {
        if self.ended.lock().unwrap().iter().any(|(ended, _)| *ended == session) {
            return ready(Err(Refusal::Kicked));
        }
        let caller = self.callers.lock().unwrap().iter().find(|caller| caller.session == session).unwrap().clone();
        let inbox_head = *self.head.lock().unwrap();
        if offer.inbox_cursor > inbox_head {
            let page = proto::SyncAnswer { inbox_head, log_epoch: 1, reset: true, ..Default::default() };
            return ready(Ok(Resumed { caller, page, references: Vec::new(), acknowledged: 0, token: 7 }));
        }
        let entries = (offer.inbox_cursor + 1..=inbox_head)
            .map(|inbox_seq| proto::InboxEntry { inbox_seq, ..Default::default() })
            .collect();
        let page = proto::SyncAnswer { entries, inbox_head, log_epoch: 1, ..Default::default() };
        // No acknowledgement has ever been stored.
        let references = (1..=inbox_head).map(reference).collect();
        ready(Ok(Resumed { caller, page, references, acknowledged: offer.inbox_cursor, token: 7 }))
    }

    fn request(&self, _: Arc<Caller>, _: Operation, body: Bytes) -> Pending<'_, Reply> {
        ready(Reply { body, ..Reply::default() })
    }

    fn send(&self, _: Arc<Caller>, bodies: Vec<Bytes>) -> Pending<'_, Result<SendReplies, Refusal>> {
        self.batches.lock().unwrap().push(bodies.len());
        let mut head = self.head.lock().unwrap();
        let reply = |body: Bytes| {
            *head += 1;
            // What makes no sense is numbered as well: a script judges nothing.
            let id = proto::SendRequest::decode(body).map_or(0, |request| request.id);
            let answer = proto::SendAnswer { id, seq: *head, inbox_seq: *head, ..Default::default() };
            Reply { body: answer.encode_to_vec().into(), written: Some(*head), ..Reply::default() }
        };
        ready(Ok(bodies.into_iter().map(reply).collect()))
    }

    fn end(&self, session: SessionId, reason: EndReason) -> Pending<'_, Result<(), Refusal>> {
        self.ended.lock().unwrap().push((session, reason));
        ready(Ok(()))
    }

    fn advance(&self, advances: Vec<CursorAdvance>) -> Pending<'_, Result<(), Refusal>> {
        if *self.busy.lock().unwrap() {
            return ready(Err(Refusal::TryLater { retry_after_ms: 500 }));
        }
        self.advances.lock().unwrap().extend(advances);
        ready(Ok(()))
    }

    fn changes(&self, token: u64) -> Pending<'_, Result<Changes, Refusal>> {
        // Token 0 asks for what comes from now on.
        let known = if token == 0 { 0 } else { usize::MAX };
        let mut waiting = self.changes.lock().unwrap();
        let count = waiting.len().min(known);
        let changes = waiting.drain(..count).collect();
        ready(Ok(Changes { changes, token: token + 1, truncated: false }))
    }

    fn since(&self, caller: &Caller, token: u64) -> Option<Since> {
        assert_eq!(token, 7, "as the resume gave it");
        let ended = self.ended.lock().unwrap().iter().find(|(ended, _)| *ended == caller.session).map(|ended| ended.1);
        self.remembers.lock().unwrap().then(|| Since { head: Some(*self.head.lock().unwrap()), ended })
    }

    fn inbox_head(&self, caller: Arc<Caller>) -> Pending<'_, Result<(u64, u32), Refusal>> {
        if self.ended.lock().unwrap().iter().any(|(ended, _)| *ended == caller.session) {
            return ready(Err(Refusal::Revoked));
        }
        ready(Ok((*self.head.lock().unwrap(), 1)))
    }
}

/// A row of the conversation with "b", as pushed to somebody else.
pub fn reference(inbox_seq: u64) -> Reference {
    Reference {
        inbox_seq,
        conversation: ConversationId(9),
        seq: inbox_seq,
        author: UserId(b'b'.into()),
        trace: ClientId([0; 16]),
    }
}

/// A push that carries a row.
pub fn push(inbox_seq: u64) -> Delivery {
    let entry = proto::InboxEntry { inbox_seq, user: "b".into(), ..Default::default() };
    let body = proto::MessageNotify { entries: vec![entry] }.encode_to_vec().into();
    Delivery { operation: Operation::Message, body, reference: Some(reference(inbox_seq)) }
}

/// A gate and everything around it.
pub struct Bench {
    pub world: Arc<World>,
    pub script: Arc<Script>,
    pub bus: Arc<Bus>,
    pub gate: Arc<Gate>,
    key: StaticKey,
}

impl Bench {
    pub fn new() -> Self {
        Self::with(GateOptions::default())
    }

    pub fn with(options: GateOptions) -> Self {
        let world = Arc::new(World::default());
        let (script, bus) = (Arc::new(Script::default()), Arc::new(Bus::default()));
        let key = StaticKey::new([3; 32]);
        let gate = Gate::start(
            options,
            key.clone(),
            TicketKeys::new([(1, [4; 32])]),
            script.clone(),
            bus.clone(),
            Arc::new(Handle(world.clone())),
        );
        Self { world, script, bus, gate, key }
    }

    /// A connection on which nothing was said yet.
    pub fn connect(&self) -> Client<'_> {
        let link = self.gate.admit(IP).expect("admitted");
        let peer = Peer::new(self.gate.clone(), link.clone(), IP, Protection::Noise, self.gate.now());
        let mut to_gate = Vec::new();
        let connection = Connection::client_login(self.key.public(), [5; 32], self.gate.now(), &mut to_gate);
        Client { bench: self, link, peer, connection, to_gate, events: Vec::new(), closed: false }
    }

    /// A connection of a user who has logged in; the answer is the first event.
    pub fn login(&self, user: &str, device: u8) -> (Client<'_>, proto::LoginAnswer) {
        let mut client = self.connect();
        client.exchange();
        let answer = client.log_in(user, device);
        (client, answer)
    }

    /// The key that clients pin.
    pub fn server_key(&self) -> &[u8; 32] {
        self.key.public()
    }

    /// Runs a task whenever it was woken, and whenever the clock moves.
    pub fn spawn(&self, task: Pending<'static, ()>) {
        Handle(self.world.clone()).spawn(task);
    }

    /// A connection that has asked to resume.
    pub fn resume(&self, ticket: &[u8], secret: &[u8; 32], epoch: u32, cursor: u64) -> Client<'_> {
        let mut client = self.connect();
        client.to_gate.clear();
        let offer = proto::ResumeOffer { inbox_cursor: cursor, log_epoch: 1, limit: 100 };
        let proof = ResumeProof { ticket, epoch, secret };
        client.connection = Connection::client_resume(
            self.key.public(),
            proof,
            &offer,
            [epoch as u8; 32],
            self.gate.now(),
            &mut client.to_gate,
        );
        client.exchange();
        client
    }
}

impl Bench {
    /// Ends all tasks: they hold the gate, which holds the world, which holds the tasks.
    pub fn stop(&self) {
        let tasks = std::mem::take(&mut *self.world.tasks.lock().unwrap());
        drop(tasks);
    }
}

impl Drop for Bench {
    fn drop(&mut self) {
        self.stop();
    }
}

/// A client's end, and the gate's peer of it.
pub struct Client<'a> {
    bench: &'a Bench,
    pub link: Arc<Link>,
    pub peer: Peer,
    pub connection: Connection,
    pub to_gate: Vec<u8>,
    pub events: Vec<Event>,
    pub closed: bool,
}

impl Client<'_> {
    fn now(&self) -> Millis {
        self.bench.gate.now()
    }

    /// Carries bytes, mail and calls until nothing moves.
    pub fn exchange(&mut self) {
        loop {
            let mut to_client = Vec::new();
            let bytes = std::mem::take(&mut self.to_gate);
            let mut moved = !bytes.is_empty();
            if !self.closed && moved {
                self.closed |= self.peer.received(self.now(), &bytes, &mut to_client) == Flow::Close;
            }
            moved |= self.run_calls();
            if !self.closed && self.link.poll_mail(&mut Context::from_waker(Waker::noop())).is_ready() {
                moved = true;
                self.closed |= self.peer.mail(self.now(), self.link.take(), &mut to_client) == Flow::Close;
            }
            let mut input = &to_client[..];
            while let Ok(Some(event)) = self.connection.receive(self.now(), &mut input, &mut self.to_gate) {
                self.events.push(event);
            }
            if !moved {
                return;
            }
        }
    }

    fn run_calls(&mut self) -> bool {
        let calls = self.peer.take_calls();
        let any = !calls.is_empty();
        self.run(calls);
        any
    }

    /// Does what the peer has asked for.
    pub fn run(&self, calls: Vec<Call>) {
        for call in calls {
            let mut run = Box::pin(self.bench.gate.clone().run(call, self.link.clone()));
            let done = run.as_mut().poll(&mut Context::from_waker(Waker::noop()));
            assert!(done.is_ready(), "the script answers at once");
        }
    }

    /// Logs in on a connection whose keys are agreed.
    pub fn log_in(&mut self, user: &str, device: u8) -> proto::LoginAnswer {
        let request = proto::LoginRequest {
            id: 1,
            credential: Some(proto::login_request::Credential::Token(user.into())),
            device_id: vec![device].into(),
            ..Default::default()
        };
        self.request(Operation::Login, &request);
        let answer = self.take::<proto::LoginAnswer>(Command::answer(Operation::Login)).pop().expect("answered");
        self.connection.set_authenticated();
        answer
    }

    /// Encrypts a request without sending it yet.
    pub fn write(&mut self, operation: Operation, request: &impl Message) {
        let now = self.now();
        self.connection.write_message(Command::request(operation), request, now, &mut self.to_gate).unwrap();
    }

    /// Sends a request and carries everything that follows from it.
    pub fn request(&mut self, operation: Operation, request: &impl Message) {
        self.write(operation, request);
        self.exchange();
    }

    /// Takes the received frames of one command.
    pub fn take<M: Message + Default>(&mut self, wanted: Command) -> Vec<M> {
        let mut taken = Vec::new();
        self.events.retain(|event| match event {
            Event::Frame(command, body) if *command == wanted => {
                taken.push(M::decode(body.clone()).unwrap());
                false
            }
            _ => true,
        });
        taken
    }

    /// Does what the gate has to do for it, but for the calls that the peer makes of it.
    pub fn calls_wait(&mut self) -> Vec<Call> {
        let bytes = std::mem::take(&mut self.to_gate);
        let flow = self.peer.received(self.now(), &bytes, &mut Vec::new());
        assert_eq!(flow, Flow::Continue);
        self.peer.take_calls()
    }

    /// The socket breaks.
    pub fn cut(&mut self) {
        self.peer.disconnected();
        self.closed = true;
    }
}
