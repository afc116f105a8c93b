//! The mailbox of one connection: what others have for it, bounded, and the waker of the task that owns it.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::task::{Context, Poll, Waker};

use bytes::Bytes;
use hongyan_cluster::bus::{Delivery, Ending, Publication};
use hongyan_domain::name::Name;
use hongyan_fault::buggify;
use hongyan_wire::Millis;
use hongyan_wire::command::Operation;

use crate::call::Completion;
use crate::sync::{AtomicU64, Mutex, Ordering};

/// What a push needs besides its body: many small ones must not cost more memory than few large ones.
const DELIVERY_BYTES: usize = size_of::<Delivery>();

/// What a connection's owner finds in its mailbox.
#[derive(Default)]
pub struct Mail {
    /// Answers of logic.
    pub completions: Vec<Completion>,
    /// Pushes, oldest first.
    pub deliveries: VecDeque<Delivery>,
    /// Pushes were dropped because too many bytes waited.
    pub dropped: bool,
    /// Rooms of which something was dropped for the same reason.
    pub rooms_behind: BTreeSet<Name>,
    /// Groups of which something was dropped, and their newest entry.
    pub groups_behind: BTreeMap<Name, u64>,
    /// The session has ended.
    pub ending: Option<Ending>,
    /// The gate is draining: the client should come back after so many milliseconds.
    pub goaway_ms: Option<u32>,
    /// The change feed says that the user's inbox has grown to here, and that was not seen on this connection.
    pub behind: Option<u64>,
    /// The deadline has come.
    pub timer: bool,
    /// A later connection has taken the session over, or nobody needs the connection any more.
    pub superseded: bool,
}

#[derive(Default)]
struct Inner {
    mail: Mail,
    delivery_bytes: usize,
    any: bool,
    waker: Option<Waker>,
    /// Deliveries are refused: the session has ended.
    silent: bool,
}

/// The mailbox.
pub struct Link {
    /// Number of the connection, unique in this process.
    pub number: u64,
    inner: Mutex<Inner>,
    /// When the owner must be woken at the latest, in monotonic milliseconds. Its owner writes it and then reads
    /// `watched`, the wheel's task the other way round, and one of them must see the other: hence the strict ordering.
    deadline: AtomicU64,
    /// The deadline under which the wheel has the connection; `u64::MAX` = not at all.
    watched: AtomicU64,
    /// The newest inbox entry that was written to the connection.
    written: AtomicU64,
    /// The head that the last reading of the change feed told.
    feed_head: AtomicU64,
}

impl Link {
    /// An empty mailbox.
    pub fn new(number: u64) -> Self {
        Self {
            number,
            inner: Mutex::default(),
            deadline: AtomicU64::new(u64::MAX),
            watched: AtomicU64::new(u64::MAX),
            written: AtomicU64::new(0),
            feed_head: AtomicU64::new(0),
        }
    }

    /// Queues a push; false if it was dropped.
    pub fn deliver(&self, delivery: Delivery, bytes_max: usize) -> bool {
        let mut kept = false;
        self.post(|inner| {
            if inner.silent {
                return false;
            }
            let bytes = inner.delivery_bytes + delivery.body.len() + DELIVERY_BYTES;
            if inner.mail.dropped || bytes > bytes_max || buggify!("mailbox full") {
                inner.mail.dropped = true;
                return true;
            }
            inner.delivery_bytes = bytes;
            inner.mail.deliveries.push_back(delivery);
            kept = true;
            true
        });
        kept
    }

    /// Queues news of a room, as long as no more than `bytes_max` wait; false if they were dropped. Only rooms suffer
    /// from that: who is behind in one learns which.
    pub fn publish(&self, publication: &Publication, bytes_max: usize) -> bool {
        let mut kept = false;
        self.post(|inner| {
            if inner.silent {
                return false;
            }
            let bytes = inner.delivery_bytes + publication.body.len() + DELIVERY_BYTES;
            kept = bytes <= bytes_max && !buggify!("mailbox full");
            if kept {
                inner.delivery_bytes = bytes;
                let body = publication.body.clone();
                inner.mail.deliveries.push_back(Delivery { operation: Operation::Room, body, reference: None });
            } else {
                inner.mail.rooms_behind.insert(publication.name.clone());
            }
            true
        });
        kept
    }

    /// Queues news of a group as [`Link::publish`] does those of a room. Without a body, or without room for it, the client
    /// learns the number of the newest entry.
    pub fn publish_group(&self, name: &Name, head_seq: u64, body: Option<&Bytes>, bytes_max: usize) -> bool {
        let mut kept = false;
        self.post(|inner| {
            if inner.silent {
                return false;
            }
            let fitting = body.filter(|body| {
                inner.delivery_bytes + body.len() + DELIVERY_BYTES <= bytes_max && !buggify!("mailbox full")
            });
            match fitting {
                // What was dropped before must not be hidden by what comes after it: the client sees the gap itself.
                Some(body) => {
                    inner.delivery_bytes += body.len() + DELIVERY_BYTES;
                    let delivery = Delivery { operation: Operation::Group, body: body.clone(), reference: None };
                    inner.mail.deliveries.push_back(delivery);
                    kept = true;
                }
                None => {
                    inner.mail.groups_behind.insert(name.clone(), head_seq);
                }
            }
            true
        });
        kept
    }

    /// Queues a hint that is dropped without a word if more than `bytes_max` wait.
    pub fn whisper(&self, delivery: &Delivery, bytes_max: usize) {
        self.post(|inner| {
            let bytes = inner.delivery_bytes + delivery.body.len() + DELIVERY_BYTES;
            let kept = !inner.silent && bytes <= bytes_max;
            if kept {
                inner.delivery_bytes = bytes;
                inner.mail.deliveries.push_back(delivery.clone());
            }
            kept
        });
    }

    /// Silences the connection's session, now: what waits is thrown away.
    pub fn end(&self, ending: Ending) {
        self.post(|inner| {
            inner.silent = true;
            inner.delivery_bytes = 0;
            inner.mail.deliveries.clear();
            inner.mail.ending.get_or_insert(ending);
            true
        });
    }

    /// Leaves something other than a push.
    pub fn tell(&self, note: impl FnOnce(&mut Mail)) {
        self.post(|inner| {
            note(&mut inner.mail);
            true
        });
    }

    fn post(&self, change: impl FnOnce(&mut Inner) -> bool) {
        let waker = {
            let mut inner = self.inner.lock().expect("nothing panics while it is held");
            if !change(&mut inner) {
                return;
            }
            inner.any = true;
            inner.waker.take()
        };
        if let Some(waker) = waker {
            waker.wake();
        }
    }

    /// Whether there is mail; if not, the owner is woken when some comes.
    pub fn poll_mail(&self, context: &mut Context<'_>) -> Poll<()> {
        let mut inner = self.inner.lock().expect("nothing panics while it is held");
        if inner.any {
            return Poll::Ready(());
        }
        match &mut inner.waker {
            Some(waker) => waker.clone_from(context.waker()),
            none => *none = Some(context.waker().clone()),
        }
        Poll::Pending
    }

    /// Empties the mailbox; nothing of it keeps memory afterwards.
    pub fn take(&self) -> Mail {
        let mut inner = self.inner.lock().expect("nothing panics while it is held");
        inner.any = false;
        inner.delivery_bytes = 0;
        std::mem::take(&mut inner.mail)
    }

    /// Takes all but the pushes and what is told about them: for an owner who cannot write more.
    pub fn take_but_pushes(&self) -> Mail {
        let mut inner = self.inner.lock().expect("nothing panics while it is held");
        inner.any = false;
        let mail = std::mem::take(&mut inner.mail);
        let Mail { deliveries, dropped, rooms_behind, groups_behind, behind, .. } = mail;
        inner.mail = Mail { deliveries, dropped, rooms_behind, groups_behind, behind, ..Mail::default() };
        Mail {
            deliveries: VecDeque::new(),
            dropped: false,
            rooms_behind: BTreeSet::new(),
            groups_behind: BTreeMap::new(),
            behind: None,
            ..mail
        }
    }

    /// Whether the session has ended; its owner may not know yet.
    pub fn is_silent(&self) -> bool {
        self.inner.lock().expect("nothing panics while it is held").silent
    }

    /// When the owner wants to be woken.
    pub fn deadline(&self) -> Millis {
        Millis(self.deadline.load(Ordering::SeqCst))
    }

    /// Sets it.
    pub fn set_deadline(&self, deadline: Millis) {
        self.deadline.store(deadline.0, Ordering::SeqCst);
    }

    /// Entries up to here were written to the connection.
    pub fn set_written(&self, inbox_seq: u64) {
        self.written.fetch_max(inbox_seq, Ordering::Relaxed);
    }

    /// Whether the wheel would come too late for the owner's deadline.
    pub fn watched_too_late(&self) -> bool {
        self.deadline.load(Ordering::SeqCst) < self.watched.load(Ordering::SeqCst)
    }

    /// The wheel has the connection under this deadline; `None` = not at all.
    pub fn set_watched(&self, deadline: Option<Millis>) {
        self.watched.store(deadline.map_or(u64::MAX, |deadline| deadline.0), Ordering::SeqCst);
    }

    /// The change feed tells a head.
    pub fn set_feed_head(&self, head: u64) {
        self.feed_head.fetch_max(head, Ordering::Relaxed);
    }

    /// Whether a head was not written to the connection yet.
    pub fn is_behind(&self, head: u64) -> bool {
        self.written.load(Ordering::Relaxed) < head
    }

    /// The highest head known here, for KEEPALIVE.
    pub fn head(&self) -> u64 {
        self.written.load(Ordering::Relaxed).max(self.feed_head.load(Ordering::Relaxed))
    }
}
