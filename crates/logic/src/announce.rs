//! Tells connected devices what has been committed (msg:N, spec 38). A push is a hint: what is dropped here, the change
//! feed heals.
//!
//! One task walks all commits in their order, so that every device gets its pushes in the order of its inbox.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use bytes::Bytes;
use hongyan_cluster::bus::{Bus, Delivery, GroupNotice, Publication, Reference};
use hongyan_domain::environment::Environment;
use hongyan_domain::id::{ClientId, ConversationId, SessionId, UserId};
use hongyan_domain::message::{Draft, Entry};
use hongyan_domain::name::Name;
use hongyan_fault::{buggify, kill_point, mutant};
use hongyan_store::feed::{Committed, CommittedWhat, Listener, Said};
use hongyan_store::groups::{GroupNews, GroupNewsWhat};
use hongyan_store::timeline::About;
use hongyan_wire::command::Operation;
use hongyan_wire::proto;
use prost::Message;
use tokio::sync::mpsc;

use crate::entry::{entry_for, said_for_all};
use crate::group_entry::entry_for_all;
use crate::measures::Measures;
use crate::page::{LIST_ITEM_BYTES, PAGE_ENTRY_BYTES_MAX};

/// Commits that may wait to be announced, in bytes of their bodies and [`ENTRY_BYTES`] for each entry. Above it, whole
/// batches are dropped until the task has caught up.
const WAITING_BYTES_MAX: usize = 32 << 20;
/// What an entry needs besides its body, roughly.
const ENTRY_BYTES: usize = 256;

/// What was committed.
enum News {
    Inboxes(Vec<Committed>),
    Rooms(Vec<Said>),
    Groups(Vec<GroupNews>),
}

/// A batch that waits, and what it counts for.
type Waiting = (usize, News);

/// Hears of every commit. Give it to the store when that is opened.
pub struct Announcer {
    queue: mpsc::UnboundedSender<Waiting>,
    waiting_bytes: Arc<AtomicUsize>,
    measures: Arc<Measures>,
}

impl Announcer {
    /// Starts the task that announces, beside the caller. It ends when the announcer is dropped.
    pub fn new(bus: Arc<Bus>, environment: &dyn Environment, measures: Arc<Measures>) -> Arc<Self> {
        let (queue, waiting) = mpsc::unbounded_channel();
        let waiting_bytes = Arc::new(AtomicUsize::new(0));
        environment.spawn(Box::pin(announce_all(bus, waiting, waiting_bytes.clone(), measures.clone())));
        Arc::new(Self { queue, waiting_bytes, measures })
    }
}

impl Listener for Announcer {
    fn committed(&self, batch: Vec<Committed>) {
        let (entries, bytes) = (batch.len(), batch.iter().map(weight).sum());
        self.wait(entries, bytes, News::Inboxes(batch));
    }

    fn said(&self, batch: Vec<Said>) {
        let weight = |said: &Said| ENTRY_BYTES + said.said.entry.draft.body.len();
        let (entries, bytes) = (batch.len(), batch.iter().map(weight).sum());
        self.wait(entries, bytes, News::Rooms(batch));
    }

    fn grouped(&self, mut batch: Vec<GroupNews>) {
        let weight = |news: &GroupNews| ENTRY_BYTES + body_bytes(&news.what);
        let bytes: usize = batch.iter().map(weight).sum();
        if self.waiting_bytes.load(Ordering::Relaxed) + bytes > WAITING_BYTES_MAX {
            // Who comes and goes must be noticed: whoever is out hears nothing more. Of entries, their numbers are enough.
            self.measures.pushes_dropped.add(batch.len() as u64);
            batch.iter_mut().for_each(|news| empty(&mut news.what));
        }
        let bytes = batch.iter().map(weight).sum();
        self.waiting_bytes.fetch_add(bytes, Ordering::Relaxed);
        if self.queue.send((bytes, News::Groups(batch))).is_err() {
            self.waiting_bytes.fetch_sub(bytes, Ordering::Relaxed);
        }
    }
}

impl Announcer {
    fn wait(&self, entries: usize, bytes: usize, news: News) {
        let before = self.waiting_bytes.fetch_add(bytes, Ordering::Relaxed);
        // The task may be gone when the process shuts down.
        let full = before + bytes > WAITING_BYTES_MAX || buggify!("announcements full");
        if full || self.queue.send((bytes, news)).is_err() {
            self.waiting_bytes.fetch_sub(bytes, Ordering::Relaxed);
            self.measures.pushes_dropped.add(entries as u64);
        }
    }
}

fn weight(committed: &Committed) -> usize {
    let body = match &committed.what {
        CommittedWhat::Entry { entry, target } => {
            entry.draft.body.len() + target.as_ref().map_or(0, |target| target.draft.body.len())
        }
        CommittedWhat::Read { .. }
        | CommittedWhat::Claimed { .. }
        | CommittedWhat::Membership { .. }
        | CommittedWhat::Mentioned { .. }
        | CommittedWhat::Gone { .. } => 0,
        CommittedWhat::Deleted(deletion) => deletion.seqs.len() * size_of::<u64>(),
    };
    ENTRY_BYTES + body
}

async fn announce_all(
    bus: Arc<Bus>,
    mut queue: mpsc::UnboundedReceiver<Waiting>,
    waiting_bytes: Arc<AtomicUsize>,
    measures: Arc<Measures>,
) {
    while let Some((bytes, news)) = queue.recv().await {
        kill_point!("K7");
        match news {
            News::Inboxes(batch) => batch.iter().for_each(|committed| announce(&bus, committed, &measures)),
            News::Rooms(batch) => announce_said(&bus, &batch, &measures),
            News::Groups(batch) => batch.iter().for_each(|news| bus.notice(notice(news))),
        }
        waiting_bytes.fetch_sub(bytes, Ordering::Relaxed);
    }
}

/// Tells everybody who is in a room what was said there: one body for all of them, so it is nobody's own. The sender gets
/// it, too, because its place among the others is told by nothing else.
fn announce_said(bus: &Bus, batch: &[Said], measures: &Measures) {
    let mut rooms: BTreeMap<ConversationId, Vec<&Said>> = BTreeMap::new();
    batch.iter().for_each(|said| rooms.entry(said.room).or_default().push(said));
    for (room, said) in rooms {
        let Some(name) = said.first().map(|said| said.name.clone()) else { continue };
        for body in room_notifies(&name, &said) {
            bus.publish(&Publication { room, name: name.clone(), body });
            measures.room_publishes.add(1);
        }
    }
}

/// What was said in one room, in as many bodies as it needs.
fn room_notifies(room: &Name, said: &[&Said]) -> Vec<Bytes> {
    let mut notifies = Vec::new();
    let mut notify = proto::RoomNotify { room: room.to_string(), ..proto::RoomNotify::default() };
    let mut bytes = 0;
    for entry in said.iter().map(|said| said_for_all(&said.said)) {
        bytes += entry.encoded_len() + LIST_ITEM_BYTES;
        if bytes > PAGE_ENTRY_BYTES_MAX && !notify.entries.is_empty() {
            let next = proto::RoomNotify { room: room.to_string(), ..proto::RoomNotify::default() };
            notifies.push(std::mem::replace(&mut notify, next).encode_to_vec().into());
            bytes = entry.encoded_len() + LIST_ITEM_BYTES;
        }
        notify.entries.push(entry);
    }
    notifies.push(notify.encode_to_vec().into());
    notifies
}

fn body_bytes(what: &GroupNewsWhat) -> usize {
    match what {
        GroupNewsWhat::Entry { entry, target, .. } => {
            entry.draft.body.len() + target.as_ref().map_or(0, |target| target.draft.body.len())
        }
        GroupNewsWhat::In(..) | GroupNewsWhat::Out(_) => 0,
    }
}

/// Leaves the number of an entry.
fn empty(what: &mut GroupNewsWhat) {
    if let GroupNewsWhat::Entry { entry, target, names } = what {
        let Entry { seq, sender, client_id, time, .. } = **entry;
        *entry = Arc::new(Entry::new(seq, sender, client_id, time, Draft::default()));
        // An entry without the name of its sender is none.
        (*target, *names) = (None, Arc::default());
    }
}

fn notice(news: &GroupNews) -> GroupNotice {
    let group = news.group;
    match &news.what {
        GroupNewsWhat::Entry { entry, target, names } => {
            let encoded = entry_for_all(entry, target.as_deref(), names).map(|entry| entry.encode_to_vec());
            GroupNotice::Entry {
                group,
                name: news.name.clone(),
                seq: entry.seq,
                entry: encoded.unwrap_or_default().into(),
            }
        }
        GroupNewsWhat::In(user, from) => GroupNotice::In { group, user: *user, from: *from },
        GroupNewsWhat::Out(user) => GroupNotice::Out { group, user: *user },
    }
}

/// Tells the devices of one user about one entry of their inbox.
fn announce(bus: &Bus, committed: &Committed, measures: &Measures) {
    let except = told_by_answer(committed);
    let sessions = bus.router().connected(committed.user);
    if sessions.iter().all(|session| Some(*session) == except) {
        return;
    }
    let delivery = Delivery {
        operation: Operation::Message,
        body: message_notify(committed),
        reference: Some(reference(committed)),
    };
    measures.pushes.add(bus.push(committed.user, except, &delivery) as u64);
    if let CommittedWhat::Entry { entry, .. } = &committed.what {
        tracing::debug!(
            trace = ?entry.client_id,
            conversation = committed.conversation.0,
            seq = entry.seq,
            user = committed.user.0,
            inbox_seq = committed.inbox_seq,
            "pushed"
        );
        let by_other = entry.sender != committed.user || mutant!("own reading told as theirs");
        if let (About::Person(reader), true) = (&committed.about, entry.seen_seq != 0 && by_other) {
            push_read_receipt(bus, committed.user, reader, entry.seen_seq, measures);
        }
    }
}

/// Tells somebody's devices how far another person has read.
pub(crate) fn push_read_receipt(bus: &Bus, user: UserId, reader: &Name, read_seq: u64, measures: &Measures) {
    if bus.router().connected(user).is_empty() {
        return;
    }
    let receipt = proto::Receipt { user: reader.to_string(), delivered_seq: 0, read_seq };
    let body = proto::ReceiptNotify { receipts: vec![receipt] }.encode_to_vec().into();
    let delivery = Delivery { operation: Operation::Receipt, body, reference: None };
    measures.pushes.add(bus.push(user, None, &delivery) as u64);
}

/// The session that learns the entry's inbox_seq from an answer. Answers to MARK_READ, DELETE and CLAIM_VISITOR carry none,
/// so there the session that asked is told like all others.
fn told_by_answer(committed: &Committed) -> Option<SessionId> {
    matches!(committed.what, CommittedWhat::Entry { .. } | CommittedWhat::Gone { .. }).then_some(committed.origin)
}

/// Every push names its inbox_seq, so that the gate knows what it has told. What is nobody else's message names the user
/// as its author: nobody is told when it arrives.
fn reference(committed: &Committed) -> Reference {
    let (seq, author, trace) = match &committed.what {
        CommittedWhat::Entry { entry, .. } => (entry.seq, entry.sender, entry.client_id),
        CommittedWhat::Read { .. }
        | CommittedWhat::Deleted(_)
        | CommittedWhat::Claimed { .. }
        | CommittedWhat::Membership { .. }
        | CommittedWhat::Mentioned { .. }
        | CommittedWhat::Gone { .. } => (0, committed.user, ClientId([0; 16])),
    };
    Reference { inbox_seq: committed.inbox_seq, conversation: committed.conversation, seq, author, trace }
}

fn message_notify(committed: &Committed) -> Bytes {
    use proto::inbox_entry::What;
    let what = match &committed.what {
        CommittedWhat::Entry { entry, target } => {
            let target: Option<&Entry> = target.as_deref();
            What::Entry(entry_for(committed.user, entry, target))
        }
        CommittedWhat::Gone { seq, read_seq } => What::Gone(proto::Gone { seq: *seq, read_seq: *read_seq }),
        CommittedWhat::Read { seq, unread } => What::Read(proto::ReadMark { seq: *seq, unread: *unread }),
        CommittedWhat::Deleted(deletion) => {
            What::Deleted(proto::Deletion { up_to_seq: deletion.up_to_seq, seqs: deletion.seqs.clone() })
        }
        CommittedWhat::Claimed { visitor, account } => {
            What::Claimed(proto::Claimed { visitor: visitor.to_string(), account: account.to_string() })
        }
        CommittedWhat::Membership { member } => What::Membership(proto::Membership { member: *member }),
        CommittedWhat::Mentioned { seq } => What::Mentioned(*seq),
    };
    let (user, group) = match &committed.about {
        About::Person(name) => (name.to_string(), String::new()),
        About::Group(name) => (String::new(), name.to_string()),
    };
    let entry = proto::InboxEntry { inbox_seq: committed.inbox_seq, user, group, what: Some(what) };
    proto::MessageNotify { entries: vec![entry] }.encode_to_vec().into()
}

#[cfg(test)]
mod tests {
    use std::sync::Mutex;

    use hongyan_domain::environment::Pending;
    use hongyan_domain::id::AppId;
    use hongyan_domain::message::Draft;
    use hongyan_domain::time::UnixMillis;

    use super::*;

    /// Never runs what it is given.
    #[derive(Default)]
    struct Stalled(Mutex<Vec<Pending<'static, ()>>>);

    impl Environment for Stalled {
        fn monotonic_us(&self) -> u64 {
            0
        }

        fn wall_clock(&self) -> UnixMillis {
            UnixMillis(0)
        }

        fn random(&self, _: &mut [u8]) {}

        fn spawn(&self, task: Pending<'static, ()>) {
            self.0.lock().unwrap().push(task);
        }

        fn sleep_ms(&self, _: u64) -> Pending<'static, ()> {
            Box::pin(std::future::pending())
        }
    }

    fn committed(body_bytes: usize) -> Committed {
        let entry = Entry {
            seq: 1,
            sender: UserId(1),
            client_id: ClientId([0; 16]),
            time: UnixMillis(0),
            message_count: 1,
            seen_seq: 0,
            changed_seq: 0,
            edited: false,
            recalled: false,
            reactions: Vec::new(),
            change_of: 0,
            event: None,
            draft: Draft { body: vec![0; body_bytes].into(), ..Draft::default() },
        };
        Committed {
            app: AppId(1),
            user: UserId(2),
            inbox_seq: 1,
            conversation: ConversationId(1),
            about: About::Person(Name::parse("ann").unwrap()),
            origin: SessionId([0; 16]),
            what: CommittedWhat::Entry { entry: Arc::new(entry), target: None },
        }
    }

    #[test]
    fn what_waits_is_bounded_and_what_is_dropped_is_counted() {
        let (environment, measures) = (Stalled::default(), Arc::new(Measures::default()));
        let announcer = Announcer::new(Arc::new(Bus::default()), &environment, measures.clone());
        let batch = || vec![committed((1 << 20) - ENTRY_BYTES); 4];
        for _ in 0..WAITING_BYTES_MAX >> 22 {
            announcer.committed(batch());
        }
        assert_eq!(measures.pushes_dropped.get(), 0);
        announcer.committed(batch());
        announcer.committed(vec![committed(0)]);
        assert_eq!(measures.pushes_dropped.get(), 5, "whole batches");
        environment.0.lock().unwrap().clear();
        announcer.committed(vec![committed(0)]);
        assert_eq!(measures.pushes_dropped.get(), 6, "nobody is left to announce");
    }
}
