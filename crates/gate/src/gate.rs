//! The gate as a whole: what all its connections share, and its few tasks.

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::sync::{Arc, Weak};

use bytes::Bytes;
use hongyan_cluster::bus::{Delivery, Ending, GroupNotice, Inlet, Publication, Reference};
use hongyan_cluster::{Bus, Route, Service};
use hongyan_domain::Environment;
use hongyan_domain::change::{Change, Changes};
use hongyan_domain::id::{ConversationId, SessionId, UserId};
use hongyan_domain::refusal::Refusal;
use hongyan_domain::session::{Caller, EndReason};
use hongyan_domain::time::UnixMillis;
use hongyan_fault::{buggify, kill_point, mutant};
use hongyan_wire::command::Operation;
use hongyan_wire::noise::StaticKey;
use hongyan_wire::{Millis, Violation, proto};
use prost::Message;

use crate::admission::Admission;
use crate::bucket::{Bucket, Rate};
use crate::call::{Call, Completion};
use crate::groups::Groups;
use crate::link::Link;
use crate::measures::Measures;
use crate::options::GateOptions;
use crate::progress::Progress;
use crate::subscriptions::Subscriptions;
use crate::sync::{AtomicBool, AtomicU64, Mutex, Ordering};
use crate::table::Table;
use crate::ticket::{Ticket, TicketKeys};
use crate::turn::Turn;
use crate::wheel::{TICK_MS, Wheel};

const DAY_MS: u64 = 86_400_000;
/// Lines about violations that are logged per second; the rest is only counted.
const VIOLATION_LOG: Rate = Rate { per_second: 5, burst: 20 };
/// Devices whose cursors are stored in one write: messages must not wait behind all of them.
const ADVANCES_MAX: usize = 256;
/// Fresh clients are told to come back within this time after a drain, spread evenly.
const RECONNECT_SPREAD_MS: u64 = 5_000;

/// What is published in rooms may take this part of a connection's queue: it must not push out what is for its user alone.
const ROOMS_SHARE: usize = 2;

/// A session whose connection is gone; its presence is held for a while (spec 31).
struct Suspended {
    caller: Arc<Caller>,
    epoch: u32,
    until: Millis,
}

/// What one reading of the change feed tells.
#[derive(Default)]
struct News {
    heads: BTreeMap<UserId, u64>,
    groups: BTreeMap<ConversationId, u64>,
    ended: Vec<(SessionId, EndReason)>,
}

impl News {
    fn add(&mut self, change: Change) {
        match change {
            Change::Inbox { user, head } => {
                let known = self.heads.entry(user).or_default();
                *known = head.max(*known);
            }
            Change::Group { group, head } => {
                let known = self.groups.entry(group).or_default();
                *known = head.max(*known);
            }
            Change::SessionEnded { session, reason } => self.ended.push((session, reason)),
        }
    }
}

/// One gate of a process.
pub struct Gate {
    pub(crate) options: GateOptions,
    pub(crate) key: StaticKey,
    pub(crate) tickets: TicketKeys,
    pub(crate) service: Arc<dyn Service>,
    pub(crate) bus: Arc<Bus>,
    pub(crate) environment: Arc<dyn Environment>,
    pub(crate) measures: Measures,
    pub(crate) progress: Progress,
    pub(crate) table: Table,
    subscriptions: Subscriptions,
    pub(crate) groups: Groups,
    deadlines: Mutex<Wheel<Arc<Link>>>,
    suspended: Mutex<Wheel<Suspended>>,
    admission: Mutex<Admission>,
    violation_log: Mutex<Bucket>,
    numbers: AtomicU64,
    draining: AtomicBool,
}

impl Gate {
    /// A gate without connections, attached to the bus; its tasks run from now on.
    pub fn start(
        options: GateOptions,
        key: StaticKey,
        tickets: TicketKeys,
        service: Arc<dyn Service>,
        bus: Arc<Bus>,
        environment: Arc<dyn Environment>,
    ) -> Arc<Self> {
        let now = Millis(environment.monotonic_ms());
        let gate = Arc::new(Self {
            options,
            key,
            tickets,
            service,
            bus,
            environment,
            measures: Measures::default(),
            progress: Progress::default(),
            table: Table::default(),
            subscriptions: Subscriptions::default(),
            groups: Groups::default(),
            deadlines: Mutex::new(Wheel::new(now)),
            suspended: Mutex::new(Wheel::new(now)),
            admission: Mutex::new(Admission::new()),
            violation_log: Mutex::new(Bucket::full(VIOLATION_LOG, now)),
            numbers: AtomicU64::new(1),
            draining: AtomicBool::new(false),
        });
        let inlet: Weak<Self> = Arc::downgrade(&gate);
        gate.bus.attach(inlet);
        gate.environment.spawn(Box::pin(gate.clone().keep_deadlines()));
        gate.environment.spawn(Box::pin(gate.clone().keep_progress()));
        gate.environment.spawn(Box::pin(gate.clone().follow_feed()));
        gate.environment.spawn(Box::pin(gate.clone().fan_out()));
        gate
    }

    /// What the gate counts.
    pub fn measures(&self) -> &Measures {
        &self.measures
    }

    /// The time on the environment's clock.
    pub fn now(&self) -> Millis {
        Millis(self.environment.monotonic_ms())
    }

    /// Lets a connection in, or not.
    pub fn admit(&self, ip: IpAddr) -> Option<Arc<Link>> {
        let mut admission = self.admission.lock().expect("nothing panics while it is held");
        if self.draining.load(Ordering::Relaxed) || !admission.admit(ip, self.now(), &self.options) {
            self.measures.connections_refused.add(1);
            return None;
        }
        self.measures.connections_accepted.add(1);
        self.measures.connections.add(1);
        Some(Arc::new(Link::new(self.numbers.fetch_add(1, Ordering::Relaxed))))
    }

    /// A connection that was let in is closed.
    pub fn release(&self, ip: IpAddr) {
        self.measures.connections.add(-1);
        self.admission.lock().expect("nothing panics while it is held").release(ip);
    }

    /// Wakes the connection's owner at its deadline; call it after every change of the deadline.
    pub fn watch(&self, link: &Arc<Link>) {
        if link.watched_too_late() {
            let mut deadlines = self.deadlines.lock().expect("nothing panics while it is held");
            // Read under the lock: of its owner and the wheel's task, who comes second knows the newer one.
            let deadline = link.deadline();
            link.set_watched(Some(deadline));
            deadlines.schedule(link.number, deadline, link.clone());
        }
    }

    /// The connection is closed.
    pub fn unwatch(&self, link: &Link) {
        self.deadlines.lock().expect("nothing panics while it is held").remove(link.number);
    }

    /// Runs a call of a connection and leaves its result in the mailbox, also if the call panics.
    pub async fn run(self: Arc<Self>, call: Call, link: Arc<Link>) {
        let mut post = Post { link, completion: Some(Completion::Lost), turn: None };
        let service = &self.service;
        let (begun_us, took) = (self.environment.monotonic_us(), self.measures.call_time(&call));
        let completion = match call {
            Call::Login(request, from) => Completion::Login(service.login(request, from).await),
            Call::Resume(session, offer) => Completion::Resume(service.resume(session, offer).await),
            Call::Send(turn, caller, bodies) => {
                post.turn = Some(turn);
                Completion::Send(service.send(caller, bodies).await)
            }
            Call::Request(caller, operation, body) => {
                Completion::Request(operation, service.request(caller, operation, body).await)
            }
            Call::Head(caller) => Completion::Head(service.inbox_head(caller).await),
            Call::Logout(session, id) => {
                let ended = service.end(session, EndReason::LoggedOut).await;
                Completion::Logout(id, ended)
            }
        };
        took.observe(self.environment.monotonic_us().saturating_sub(begun_us));
        post.completion = Some(completion);
    }

    /// A session uses this connection from now on. False if it has been seen with this or a later epoch.
    pub(crate) fn connect_session(&self, caller: &Caller, epoch: u32, link: &Arc<Link>) -> bool {
        let route = Route { session: caller.session, term: caller.term, epoch, connected: true };
        let register = || self.bus.router().register(caller.user, route);
        let Some(earlier) = self.table.insert_if(caller.session, link, register) else { return false };
        if earlier.is_none() || mutant!("superseded counted twice") {
            self.measures.sessions_connected.add(1);
        }
        if let Some(earlier) = earlier {
            earlier.tell(|mail| mail.superseded = true);
            // As if it had been lost: rooms are entered, and groups followed, on each connection anew.
            self.subscriptions.remove_all(caller.session);
            self.groups.unfollow(caller.session);
            self.bus.rooms().lose(caller.session, self.now().0);
        }
        true
    }

    /// The turn to have a batch of sends worked on, if it is this connection's; it is told when that may have changed.
    pub(crate) fn send_turn(self: &Arc<Self>, session: SessionId, link: &Arc<Link>) -> Option<Turn> {
        self.table.begin_sends(session, link).then(|| Turn::new(self.clone(), session))
    }

    /// The session's connection is gone; it may come back within the hold of its term.
    pub(crate) fn suspend_session(&self, caller: &Arc<Caller>, epoch: u32, link: &Arc<Link>) {
        let now = self.now();
        if self.disconnect(caller, link) {
            self.bus.rooms().lose(caller.session, now.0);
        }
        self.bus.router().suspend(caller.user, caller.session, epoch);
        let until = now + Millis(caller.term.hold_ms());
        let suspended = Suspended { caller: caller.clone(), epoch, until };
        self.suspended.lock().expect("nothing panics while it is held").schedule(link.number, until, suspended);
    }

    /// The session has ended.
    pub(crate) fn forget_session(&self, caller: &Caller, epoch: u32, link: &Arc<Link>) {
        self.disconnect(caller, link);
        self.bus.router().unregister(caller.user, caller.session, epoch);
        self.bus.leave_rooms(caller.session);
    }

    /// False if the session uses another connection by now.
    fn disconnect(&self, caller: &Caller, link: &Arc<Link>) -> bool {
        let was_current = self.table.remove(caller.session, link);
        if was_current {
            self.measures.sessions_connected.add(-1);
            self.subscriptions.remove_all(caller.session);
            self.groups.unfollow(caller.session);
        }
        was_current
    }

    /// Tells the author of what a reader's device has acknowledged (ack:N); nobody is told about their own.
    pub(crate) fn tell_delivered(&self, reader: &Caller, reference: Reference) {
        if reference.author == reader.user {
            return;
        }
        tracing::debug!(trace = ?reference.trace, reader = reader.user.0, seq = reference.seq, "acknowledged");
        let delivered_seq = if mutant!("receipt in inbox numbers") { reference.inbox_seq } else { reference.seq };
        let receipt = proto::Receipt { user: reader.name.to_string(), delivered_seq, read_seq: 0 };
        let body = proto::ReceiptNotify { receipts: vec![receipt] }.encode_to_vec().into();
        kill_point!("K11");
        self.bus.push(reference.author, None, &Delivery { operation: Operation::Receipt, body, reference: None });
        kill_point!("K12");
    }

    /// Seals a ticket that is valid from now on.
    pub(crate) fn seal(&self, ticket: &Ticket) -> Bytes {
        let mut nonce = [0; 12];
        self.environment.random(&mut nonce);
        let life = u64::from(self.options.ticket_days) * DAY_MS;
        let expires = UnixMillis(self.environment.wall_clock().0 + life);
        self.tickets.seal(&Ticket { expires, ..ticket.clone() }, nonce).into()
    }

    pub(crate) fn frame_rate(&self) -> Rate {
        Rate { per_second: self.options.frames_per_second, burst: self.options.frames_burst }
    }

    pub(crate) fn stranger_rate(&self) -> Rate {
        let per_second = self.options.unauthenticated_frames_per_second;
        Rate { per_second, burst: per_second.saturating_mul(2) }
    }

    pub(crate) fn report_violation(&self, ip: IpAddr, violation: Violation) {
        let mut bucket = self.violation_log.lock().expect("nothing panics while it is held");
        if bucket.solvent_at(VIOLATION_LOG) <= self.now() {
            bucket.take(VIOLATION_LOG, self.now());
            tracing::info!(%ip, %violation, "connection closed");
        }
    }

    /// Wakes the connections whose deadline has come, forgets suspended sessions, and lets lost ones leave their rooms.
    async fn keep_deadlines(self: Arc<Self>) {
        loop {
            self.environment.sleep_ms(TICK_MS).await;
            let now = self.now();
            let due = self.deadlines.lock().expect("nothing panics while it is held").due(now);
            due.into_iter().for_each(|(_, link)| self.look_after(&link, now));
            self.forget_suspended(now);
            self.bus.leave_expired(now.0);
        }
    }

    fn look_after(&self, link: &Arc<Link>, now: Millis) {
        // Before its deadline is read: an owner who makes it earlier after that finds that nobody watches.
        link.set_watched(None);
        if link.deadline() <= now || buggify!("early timer") {
            link.tell(|mail| mail.timer = true);
        } else {
            self.watch(link);
        }
    }

    fn forget_suspended(&self, now: Millis) {
        let mut suspended = self.suspended.lock().expect("nothing panics while it is held");
        for (number, session) in suspended.due(now) {
            if session.until > now {
                suspended.schedule(number, session.until, session);
            } else {
                self.bus.router().unregister(session.caller.user, session.caller.session, session.epoch);
            }
        }
    }

    async fn keep_progress(self: Arc<Self>) {
        loop {
            self.environment.sleep_ms(self.options.progress_interval_ms).await;
            self.store_progress().await;
        }
    }

    /// Stores the cursors that were collected. What is lost costs repeats: the next resume says it again.
    pub async fn store_progress(&self) {
        let mut waiting = self.progress.take();
        while !waiting.is_empty() {
            let rest = waiting.split_off(waiting.len().min(ADVANCES_MAX));
            if let Err(refusal) = self.service.advance(waiting.clone()).await {
                tracing::warn!(%refusal, "cursors were not stored");
                if matches!(refusal, Refusal::TryLater { .. }) {
                    self.progress.put_back(waiting);
                }
            }
            kill_point!("K10");
            waiting = rest;
        }
    }

    /// Tells sessions that are behind, and cuts those that have ended, whatever pushes were lost (design §5). Who is
    /// behind at one reading may only have a push under way; who still is at the next has lost it. Looking twice also
    /// finds sessions that were not connected yet at the first look, because their login was just being answered.
    async fn follow_feed(self: Arc<Self>) {
        let mut token = 0;
        let mut news = News::default();
        loop {
            self.look_again(std::mem::take(&mut news));
            while let Some(page) = self.read_feed(&mut token).await {
                if page.truncated {
                    self.table.all().iter().for_each(|link| link.tell(|mail| mail.dropped = true));
                    self.groups.tell_all_behind();
                }
                if page.changes.is_empty() {
                    break;
                }
                page.changes.into_iter().for_each(|change| news.add(change));
            }
            self.look(&news);
            self.environment.sleep_ms(self.options.feed_interval_ms).await;
        }
    }

    fn look(&self, news: &News) {
        self.end_all(&news.ended);
        for (&user, &head) in &news.heads {
            // The heads are remembered for KEEPALIVE.
            self.links(user).for_each(|link| link.set_feed_head(head));
        }
    }

    fn look_again(&self, news: News) {
        self.end_all(&news.ended);
        news.groups
            .into_iter()
            .for_each(|(group, head)| self.groups.look_again(group, head, self.options.outgoing_bytes_max));
        for (user, head) in news.heads {
            self.links(user)
                .filter(|link| link.is_behind(head))
                .for_each(|link| link.tell(|mail| mail.behind = Some(head)));
        }
    }

    fn end_all(&self, ended: &[(SessionId, EndReason)]) {
        let time = self.environment.wall_clock();
        for &(session, reason) in ended {
            self.end(session, Ending { reason, by_term: None, time });
        }
    }

    fn links(&self, user: UserId) -> impl Iterator<Item = Arc<Link>> {
        let devices_max = if mutant!("feed tells one device") { 1 } else { usize::MAX };
        let sessions = self.bus.router().connected(user).into_iter().take(devices_max);
        sessions.filter_map(|session| self.table.get(session))
    }

    async fn read_feed(&self, token: &mut u64) -> Option<Changes> {
        match self.service.changes(*token).await {
            Ok(page) => {
                *token = page.token;
                Some(page)
            }
            Err(refusal) => {
                tracing::warn!(%refusal, "the change feed was not read");
                None
            }
        }
    }

    /// Lets nobody in any more and sends all clients away, spread over time, until `deadline_ms` have passed.
    pub async fn drain(&self, deadline_ms: u64) {
        self.draining.store(true, Ordering::Relaxed);
        let end = self.now() + Millis(deadline_ms);
        let batch = (self.options.drain_per_second / 10).max(1) as usize;
        // Again and again: who was let in before may log in while others leave.
        while self.measures.sessions_connected.get() > 0 && self.now() < end {
            for link in self.table.all().iter().take(batch) {
                let spread = self.random_below(RECONNECT_SPREAD_MS) as u32;
                link.tell(|mail| mail.goaway_ms = Some(spread));
            }
            self.environment.sleep_ms(100).await;
        }
        self.store_progress().await;
    }

    fn random_below(&self, bound: u64) -> u64 {
        let mut bytes = [0; 8];
        self.environment.random(&mut bytes);
        u64::from_le_bytes(bytes) % bound
    }
}

impl Inlet for Gate {
    fn deliver(&self, session: SessionId, delivery: Delivery) {
        let Some(link) = self.table.get(session) else { return };
        self.measures.pushes.add(1);
        if !link.deliver(delivery, self.options.outgoing_bytes_max) {
            self.measures.pushes_dropped.add(1);
        }
    }

    fn end(&self, session: SessionId, ending: Ending) {
        self.groups.unfollow(session);
        let cut = ending.reason != EndReason::Revoked || !mutant!("revoked socket lives on");
        if cut && let Some(link) = self.table.get(session) {
            link.end(ending);
        }
        self.bus.leave_rooms(session);
    }

    fn subscribe(&self, session: SessionId, room: ConversationId) -> bool {
        let speaks = || self.table.get(session).is_some_and(|link| !link.is_silent());
        self.subscriptions.insert_if(session, room, speaks)
    }

    fn unsubscribe(&self, session: SessionId, room: ConversationId) {
        self.subscriptions.remove(session, room);
    }

    fn publish(&self, except: Option<SessionId>, publication: &Publication) {
        for session in self.subscriptions.of(publication.room) {
            let Some(link) = self.table.get(session).filter(|_| Some(session) != except) else { continue };
            self.measures.pushes.add(1);
            if !link.publish(publication, self.options.outgoing_bytes_max / ROOMS_SHARE) {
                self.measures.pushes_dropped.add(1);
            }
        }
    }

    fn notice(&self, notice: GroupNotice) {
        self.groups.queue(notice);
    }

    fn begin_following(&self, session: SessionId) -> bool {
        let link = || self.table.get(session).filter(|link| !link.is_silent());
        self.groups.begin(session, link)
    }

    fn follow(&self, session: SessionId, groups: &[(ConversationId, u64)]) -> bool {
        self.groups.follow(session, groups)
    }

    fn follows(&self, session: SessionId, group: ConversationId) -> bool {
        self.groups.follows(session, group)
    }

    fn whisper(&self, group: ConversationId, except: SessionId, delivery: &Delivery) {
        self.groups.whisper(group, except, delivery, self.options.outgoing_bytes_max / ROOMS_SHARE);
    }

    fn waiting_in(&self, group: ConversationId) -> usize {
        self.groups.waiting_in(group)
    }
}

/// Leaves a completion in the mailbox when the call is over, however it ended.
struct Post {
    link: Arc<Link>,
    completion: Option<Completion>,
    /// Ends when the answers are in the mailbox, so that those of the next batch come behind them.
    turn: Option<Turn>,
}

impl Drop for Post {
    fn drop(&mut self) {
        let completion = self.completion.take().unwrap_or(Completion::Lost);
        self.link.tell(|mail| mail.completions.push(completion));
    }
}
