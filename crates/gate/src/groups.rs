//! What happens in groups, on its way to the connections here that follow them (design §7): one body for all, gathered in
//! large groups, handed on in slices so that nobody else waits. Who is a member is the store's to know; what is here ends
//! with each connection.
//!
//! [`Groups`] is the state, under one lock for as long as a look-up takes; [`Gate::fan_out`] is the task that hands on.

use std::collections::VecDeque;
use std::sync::Arc;
use std::task::{Poll, Waker};

use bytes::{BufMut, Bytes, BytesMut};
use hongyan_cluster::IdMap;
use hongyan_cluster::bus::{Delivery, GroupNotice};
use hongyan_domain::id::{ConversationId, SessionId, UserId};
use hongyan_domain::name::Name;
use prost::encoding::{WireType, encode_key, encode_varint};

use crate::gate::Gate;
use crate::link::Link;
use crate::sync::Mutex;

/// Connections of one group here above which its entries are gathered.
const GATHERED_CONNECTIONS_MIN: usize = 500;
/// Milliseconds for which they are gathered.
const GATHERED_MS: u64 = 50;
/// Bytes of gathered entries that are handed on at once.
const GATHERED_BYTES_MAX: usize = 32 << 10;
/// Microseconds after which handing on lets others have their turn.
const SLICE_US: u64 = 1_000;
/// Connections that are served between two looks at the clock.
const SLICE_CONNECTIONS: usize = 64;
/// Connections of one group here up to which it is told who is typing.
const WHISPERED_CONNECTIONS_MAX: usize = 200;
/// News of groups may take this part of a connection's queue: they must not push out what is for its user alone.
const GROUPS_SHARE: usize = 2;

/// A connection that follows a group.
#[derive(Clone)]
struct Follower {
    session: SessionId,
    link: Arc<Link>,
    /// It gets nothing below this entry.
    from: u64,
}

/// A session that follows its groups.
struct Following {
    link: Arc<Link>,
    groups: Vec<ConversationId>,
    /// Its membership is being read.
    reading: bool,
    /// It has changed meanwhile.
    changed: bool,
}

/// Entries that are gathered.
struct Gathered {
    name: Name,
    body: BytesMut,
    first_seq: u64,
    last_seq: u64,
    entries: usize,
    /// An entry among them was dropped on its way here.
    torn: bool,
}

#[derive(Default)]
struct Group {
    /// By session. Shared with whoever hands something on meanwhile.
    followers: Arc<Vec<Follower>>,
    gathered: Option<Gathered>,
    /// The newest entry that was handed on, and the group's name.
    handed: Option<(u64, Name)>,
    /// Entries that wait.
    waiting: usize,
}

/// What the task is told.
enum Item {
    Notice(GroupNotice),
    /// What was gathered has waited long enough.
    Due(ConversationId),
}

#[derive(Default)]
struct Inner {
    groups: IdMap<ConversationId, Group>,
    sessions: IdMap<SessionId, Following>,
    items: VecDeque<Item>,
    waker: Option<Waker>,
}

/// All groups that somebody here follows.
#[derive(Default)]
pub struct Groups(Mutex<Inner>);

/// Something that is to be handed on.
struct Parcel {
    group: ConversationId,
    name: Name,
    /// `None`: only the number is told.
    body: Option<Bytes>,
    first_seq: u64,
    last_seq: u64,
    entries: usize,
    followers: Arc<Vec<Follower>>,
}

impl Groups {
    fn with<R>(&self, act: impl FnOnce(&mut Inner) -> R) -> R {
        act(&mut self.0.lock().expect("nothing panics while it is held"))
    }

    /// Queues what has happened.
    pub fn queue(&self, notice: GroupNotice) {
        self.push(Item::Notice(notice));
    }

    fn push(&self, item: Item) {
        let waker = self.with(|inner| {
            if let Item::Notice(GroupNotice::Entry { group, .. }) = &item {
                // Nobody here wants it.
                let Some(group) = inner.groups.get_mut(group) else { return None };
                group.waiting += 1;
            }
            inner.items.push_back(item);
            inner.waker.take()
        });
        if let Some(waker) = waker {
            waker.wake();
        }
    }

    /// See `Inlet::begin_following`; `link` is asked while no disconnection can come in between.
    pub fn begin(&self, session: SessionId, link: impl FnOnce() -> Option<Arc<Link>>) -> bool {
        self.with(|inner| {
            let Some(link) = link() else { return false };
            let fresh = || Following { link: link.clone(), groups: Vec::new(), reading: true, changed: false };
            let following = inner.sessions.entry(session).or_insert_with(fresh);
            (following.reading, following.changed) = (true, false);
            true
        })
    }

    /// See `Inlet::follow`.
    pub fn follow(&self, session: SessionId, groups: &[(ConversationId, u64)]) -> bool {
        self.with(|inner| {
            // Disconnected meanwhile: it follows nothing.
            let Some(following) = inner.sessions.get_mut(&session) else { return true };
            if std::mem::take(&mut following.changed) {
                return false;
            }
            following.reading = false;
            let before = std::mem::take(&mut following.groups);
            before.into_iter().for_each(|group| inner.leave(group, session));
            groups.iter().for_each(|(group, from)| inner.enter(*group, session, *from));
            true
        })
    }

    /// See `Inlet::follows`.
    pub fn follows(&self, session: SessionId, group: ConversationId) -> bool {
        self.with(|inner| inner.sessions.get(&session).is_some_and(|following| following.groups.contains(&group)))
    }

    /// See `Inlet::whisper`.
    pub fn whisper(&self, group: ConversationId, except: SessionId, delivery: &Delivery, bytes_max: usize) {
        let followers = self.with(|inner| inner.groups.get(&group).map(|group| group.followers.clone()));
        let small = followers.filter(|followers| followers.len() <= WHISPERED_CONNECTIONS_MAX);
        for follower in small.iter().flat_map(|followers| followers.iter()) {
            if follower.session != except {
                follower.link.whisper(delivery, bytes_max);
            }
        }
    }

    /// See `Inlet::waiting_in`.
    pub fn waiting_in(&self, group: ConversationId) -> usize {
        self.with(|inner| inner.groups.get(&group).map_or(0, |group| group.waiting))
    }

    /// The session's connection is gone, or the session has ended.
    pub fn unfollow(&self, session: SessionId) {
        self.with(|inner| {
            let Some(following) = inner.sessions.remove(&session) else { return };
            following.groups.into_iter().for_each(|group| inner.leave(group, session));
        });
    }

    /// The change feed has told a head some time ago: whatever was handed on by now was all that came.
    pub fn look_again(&self, group: ConversationId, head: u64, bytes_max: usize) {
        let lost = self.with(|inner| {
            let group = inner.groups.get(&group).filter(|group| group.waiting == 0)?;
            let (handed, name) = group.handed.clone()?;
            (handed < head).then(|| (name, group.followers.clone()))
        });
        for follower in lost.iter().flat_map(|(_, followers)| followers.iter()) {
            let Some((name, _)) = &lost else { return };
            follower.link.publish_group(name, head, None, bytes_max);
        }
    }

    /// Nobody knows what was lost: whoever follows groups asks how far they are.
    pub fn tell_all_behind(&self) {
        let groups: Vec<_> = self.with(|inner| {
            let known =
                inner.groups.values().filter_map(|group| Some((group.handed.clone()?, group.followers.clone())));
            known.collect()
        });
        for ((handed, name), followers) in groups {
            for follower in followers.iter() {
                follower.link.publish_group(&name, handed, None, 0);
            }
        }
    }
}

impl Inner {
    fn enter(&mut self, group: ConversationId, session: SessionId, from: u64) {
        let Some(following) = self.sessions.get_mut(&session) else { return };
        let follower = Follower { session, link: following.link.clone(), from };
        let followers = Arc::make_mut(&mut self.groups.entry(group).or_default().followers);
        match followers.binary_search_by_key(&session, |follower| follower.session) {
            Ok(place) => followers[place] = follower,
            Err(place) => {
                followers.insert(place, follower);
                following.groups.push(group);
            }
        }
    }

    fn leave(&mut self, group: ConversationId, session: SessionId) {
        if let Some(following) = self.sessions.get_mut(&session) {
            following.groups.retain(|known| *known != group);
        }
        let Some(known) = self.groups.get_mut(&group) else { return };
        let followers = Arc::make_mut(&mut known.followers);
        if let Ok(place) = followers.binary_search_by_key(&session, |follower| follower.session) {
            followers.remove(place);
        }
        if followers.is_empty() && known.waiting == 0 {
            self.groups.remove(&group);
        }
    }

    /// Somebody's membership has changed: `from` none means that they are out.
    fn member(&mut self, group: ConversationId, sessions: &[SessionId], from: Option<u64>) {
        for session in sessions {
            let Some(following) = self.sessions.get_mut(session) else { continue };
            // Whoever reads now may have read before.
            following.changed = following.reading;
            match from {
                Some(from) => self.enter(group, *session, from),
                None => self.leave(group, *session),
            }
        }
    }

    /// Adds an entry to what is gathered; whether that has to be handed on now.
    fn gather(&mut self, group: ConversationId, name: Name, seq: u64, entry: &Bytes) -> Gathering {
        let Some(group) = self.groups.get_mut(&group) else { return Gathering::Nobody };
        let fresh = group.gathered.is_none();
        let gathered = group.gathered.get_or_insert_with(|| Gathered::new(name, seq));
        gathered.add(seq, entry);
        if group.followers.len() < GATHERED_CONNECTIONS_MIN || gathered.body.len() >= GATHERED_BYTES_MAX {
            Gathering::Ready
        } else if fresh {
            Gathering::Begun
        } else {
            Gathering::Waits
        }
    }

    /// What was gathered of a group, to be handed on.
    fn parcel(&mut self, group: ConversationId) -> Option<Parcel> {
        let known = self.groups.get_mut(&group)?;
        let gathered = known.gathered.take()?;
        known.handed = Some((gathered.last_seq, gathered.name.clone()));
        let (first_seq, last_seq, entries) = (gathered.first_seq, gathered.last_seq, gathered.entries);
        let (name, followers) = (gathered.name.clone(), known.followers.clone());
        Some(Parcel { group, name, body: gathered.body(), first_seq, last_seq, entries, followers })
    }

    /// Entries were handed on.
    fn handed(&mut self, group: ConversationId, entries: usize) {
        if let Some(known) = self.groups.get_mut(&group) {
            known.waiting = known.waiting.saturating_sub(entries);
            if known.waiting == 0 && known.followers.is_empty() {
                self.groups.remove(&group);
            }
        }
    }
}

/// What becomes of an entry.
enum Gathering {
    /// Nobody here wants it.
    Nobody,
    /// It goes now, with what was gathered before.
    Ready,
    /// It is the first of those that wait for others.
    Begun,
    /// It waits with others.
    Waits,
}

impl Gathered {
    fn new(name: Name, seq: u64) -> Self {
        let mut body = BytesMut::new();
        // GroupNotify.group comes first, so that two bodies of one group can be told and joined.
        encode_key(1, WireType::LengthDelimited, &mut body);
        encode_varint(name.as_str().len() as u64, &mut body);
        body.put_slice(name.as_str().as_bytes());
        Self { name, body, first_seq: seq, last_seq: seq, entries: 0, torn: false }
    }

    fn add(&mut self, seq: u64, entry: &Bytes) {
        self.last_seq = seq;
        self.entries += 1;
        self.torn |= entry.is_empty();
        // GroupNotify.entries.
        encode_key(2, WireType::LengthDelimited, &mut self.body);
        encode_varint(entry.len() as u64, &mut self.body);
        self.body.put_slice(entry);
    }

    /// An encoded `GroupNotify`, unless something is missing in it.
    fn body(mut self) -> Option<Bytes> {
        // GroupNotify.head_seq.
        encode_key(3, WireType::Varint, &mut self.body);
        encode_varint(self.last_seq, &mut self.body);
        (!self.torn).then(|| self.body.freeze())
    }
}

impl Gate {
    /// Hands on what happens in groups, in its order.
    pub(crate) async fn fan_out(self: Arc<Self>) {
        let mut slice = Slice { since_us: self.environment.monotonic_us() };
        loop {
            for item in self.next_items().await {
                slice.since_us = self.environment.monotonic_us();
                match item {
                    Item::Due(group) => self.hand_on(group, &mut slice).await,
                    Item::Notice(GroupNotice::Entry { group, name, seq, entry }) => {
                        match self.groups.with(|inner| inner.gather(group, name, seq, &entry)) {
                            Gathering::Ready => self.hand_on(group, &mut slice).await,
                            Gathering::Begun => self.hand_on_soon(group),
                            Gathering::Waits => {}
                            Gathering::Nobody => self.groups.with(|inner| inner.handed(group, 1)),
                        }
                    }
                    Item::Notice(GroupNotice::In { group, user, from }) => {
                        self.hand_on(group, &mut slice).await;
                        self.move_member(group, user, Some(from));
                    }
                    Item::Notice(GroupNotice::Out { group, user }) => {
                        self.hand_on(group, &mut slice).await;
                        self.move_member(group, user, None);
                    }
                }
            }
        }
    }

    fn move_member(&self, group: ConversationId, user: UserId, from: Option<u64>) {
        let sessions = self.bus.router().connected(user);
        self.groups.with(|inner| inner.member(group, &sessions, from));
    }

    async fn next_items(&self) -> VecDeque<Item> {
        std::future::poll_fn(|context| {
            self.groups.with(|inner| {
                if inner.items.is_empty() {
                    inner.waker = Some(context.waker().clone());
                    return Poll::Pending;
                }
                Poll::Ready(std::mem::take(&mut inner.items))
            })
        })
        .await
    }

    fn hand_on_soon(self: &Arc<Self>, group: ConversationId) {
        let gate = Arc::downgrade(self);
        let wait = self.environment.sleep_ms(GATHERED_MS);
        self.environment.spawn(Box::pin(async move {
            wait.await;
            if let Some(gate) = gate.upgrade() {
                gate.groups.push(Item::Due(group));
            }
        }));
    }

    async fn hand_on(&self, group: ConversationId, slice: &mut Slice) {
        let Some(parcel) = self.groups.with(|inner| inner.parcel(group)) else { return };
        let bytes_max = self.options.outgoing_bytes_max / GROUPS_SHARE;
        for followers in parcel.followers.chunks(SLICE_CONNECTIONS) {
            let mut dropped = 0;
            for Follower { link, from, .. } in followers {
                // Who sees only a part of it asks for that part; who sees nothing of it hears nothing.
                let body = parcel.body.as_ref().filter(|_| *from <= parcel.first_seq);
                if *from <= parcel.last_seq && !link.publish_group(&parcel.name, parcel.last_seq, body, bytes_max) {
                    dropped += 1;
                }
            }
            self.measures.pushes.add(followers.len() as u64);
            self.measures.pushes_dropped.add(dropped);
            slice.end(&*self.environment).await;
        }
        self.groups.with(|inner| inner.handed(parcel.group, parcel.entries));
    }
}

/// How long the task has been running without a pause.
struct Slice {
    since_us: u64,
}

impl Slice {
    /// Lets others have their turn if it has been long enough.
    async fn end(&mut self, environment: &dyn hongyan_domain::Environment) {
        if environment.monotonic_us().saturating_sub(self.since_us) < SLICE_US {
            return;
        }
        let mut yielded = false;
        std::future::poll_fn(|context| {
            if std::mem::replace(&mut yielded, true) {
                return Poll::Ready(());
            }
            context.waker().wake_by_ref();
            Poll::Pending
        })
        .await;
        self.since_us = environment.monotonic_us();
    }
}
