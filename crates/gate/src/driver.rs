//! The task that moves bytes between one stream and its [`Peer`]. What a stream is, is not known here.
//!
//! An idle connection keeps no buffer: reading and writing go through buffers of the thread, and only what a stream
//! does not take at once is kept.

use std::cell::RefCell;
use std::future::{Future, poll_fn};
use std::io::{self, ErrorKind};
use std::net::IpAddr;
use std::sync::Arc;
use std::task::{Context, Poll};

use hongyan_fault::{buggify, kill_point};
use hongyan_wire::Millis;

use crate::gate::Gate;
use crate::link::Link;
use crate::peer::{Flow, Peer, Protection};

/// Most bytes that are read before they are worked on.
const READ_BYTES: usize = 32 * 1024;
/// A buffer of the thread that has grown beyond this is given back.
const WRITE_BUFFER_BYTES_KEPT: usize = 256 * 1024;
/// Reads of one connection before others get the thread.
const STEPS_MAX: usize = 4;
/// What an injected short read or write moves: less than a header.
const SHORT_BYTES: usize = 7;

thread_local! {
    static READ: RefCell<Vec<u8>> = RefCell::new(vec![0; READ_BYTES]);
    static WRITE: RefCell<Vec<u8>> = const { RefCell::new(Vec::new()) };
}

/// A byte stream to one client, such as a socket.
pub trait Stream: Send + Unpin + 'static {
    /// Reads what there is, at least one byte; 0 = the client says no more.
    fn poll_read(&mut self, context: &mut Context<'_>, buffer: &mut [u8]) -> Poll<io::Result<usize>>;

    /// Whether something can be written; an error shows at the following attempt.
    fn poll_write_ready(&mut self, context: &mut Context<'_>) -> Poll<()>;

    /// Writes what there is room for; `WouldBlock` if there is none.
    fn try_write(&mut self, bytes: &[u8]) -> io::Result<usize>;

    /// Whether all that was taken is on its way; if not, [`Stream::poll_write_ready`] sees to it.
    fn is_flushed(&self) -> bool {
        true
    }
}

/// Owns one stream.
pub struct Driver<S> {
    gate: Arc<Gate>,
    stream: S,
    link: Arc<Link>,
    peer: Peer,
    ip: IpAddr,
    /// What the socket did not take yet.
    pending: Vec<u8>,
    /// Pushes were left in the mailbox, where they are bounded, because too much is pending.
    held_back: bool,
    /// Since when it takes nothing.
    stalled: Option<Millis>,
}

impl<S: Stream> Driver<S> {
    /// For a connection that [`Gate::admit`] has let in.
    pub fn new(gate: Arc<Gate>, stream: S, link: Arc<Link>, ip: IpAddr, protection: Protection) -> Self {
        let peer = Peer::new(gate.clone(), link.clone(), ip, protection, gate.now());
        Self { gate, stream, link, peer, ip, pending: Vec::new(), held_back: false, stalled: None }
    }

    /// Serves the connection until it is over. An `async fn` would keep room for itself twice.
    pub fn run(mut self) -> impl Future<Output = ()> + Send {
        // Drop does the rest, also when this task panics.
        poll_fn(move |context| self.poll(context))
    }

    /// Works until nothing is left to do (pending) or the connection is over (ready).
    fn poll(&mut self, context: &mut Context<'_>) -> Poll<()> {
        WRITE.with_borrow_mut(|out| {
            for _ in 0..STEPS_MAX {
                out.clear();
                let Poll::Ready(flow) = self.step(context, out) else { return Poll::Pending };
                let written = self.write(out);
                if flow == Flow::Close || written == Flow::Close {
                    return Poll::Ready(());
                }
            }
            // Others are waiting for the thread.
            context.waker().wake_by_ref();
            Poll::Pending
        })
    }

    /// Mail, deadlines, and one read. Pending if there was nothing of it.
    fn step(&mut self, context: &mut Context<'_>, out: &mut Vec<u8>) -> Poll<Flow> {
        let now = self.gate.now();
        let mut flow = Poll::Pending;
        let room = self.pending.len() < self.gate.options.outgoing_bytes_max;
        if self.link.poll_mail(context).is_ready() || (room && self.held_back) {
            self.held_back = !room;
            let mail = if room { self.link.take() } else { self.link.take_but_pushes() };
            flow = Poll::Ready(self.peer.mail(now, mail, out));
        }
        if flow != Poll::Ready(Flow::Close)
            && self.may_read(now)
            && let Poll::Ready(read) = self.read(context, now, out)
        {
            flow = Poll::Ready(read);
        }
        let waits = !self.pending.is_empty() || !self.stream.is_flushed();
        if waits && self.stream.poll_write_ready(context).is_ready() && flow.is_pending() {
            flow = Poll::Ready(Flow::Continue);
        }
        for call in self.peer.take_calls() {
            self.gate.environment.spawn(Box::pin(self.gate.clone().run(call, self.link.clone())));
        }
        if self.stall_deadline().is_some_and(|deadline| deadline <= now) {
            self.gate.measures.write_stalls.add(1);
            return Poll::Ready(Flow::Close);
        }
        self.watch(now);
        flow
    }

    fn may_read(&self, now: Millis) -> bool {
        self.pending.len() < self.gate.options.outgoing_bytes_max && self.peer.reading_paused(now).is_none()
    }

    fn read(&mut self, context: &mut Context<'_>, now: Millis, out: &mut Vec<u8>) -> Poll<Flow> {
        READ.with_borrow_mut(|buffer| {
            let length_max = if buggify!("short read") { SHORT_BYTES } else { buffer.len() };
            match self.stream.poll_read(context, &mut buffer[..length_max]) {
                Poll::Pending => Poll::Pending,
                Poll::Ready(Ok(length)) if length > 0 => {
                    kill_point!("K1");
                    Poll::Ready(self.peer.received(now, &buffer[..length], out))
                }
                Poll::Ready(_) => Poll::Ready(Flow::Close),
            }
        })
    }

    /// Writes what the step has made, after what is still to be written.
    fn write(&mut self, out: &mut Vec<u8>) -> Flow {
        self.gate.measures.bytes_out.add(out.len() as u64);
        if !self.pending.is_empty() {
            self.pending.extend_from_slice(out);
            out.clear();
            out.append(&mut self.pending);
        }
        if out.is_empty() {
            return Flow::Continue;
        }
        let length_max = if buggify!("short write") { SHORT_BYTES.min(out.len()) } else { out.len() };
        let written = match self.stream.try_write(&out[..length_max]) {
            Ok(length) => length,
            Err(error) if error.kind() == ErrorKind::WouldBlock => 0,
            Err(_) => return Flow::Close,
        };
        kill_point!("K6");
        if written == out.len() {
            self.stalled = None;
        } else {
            if written > 0 || self.stalled.is_none() {
                self.stalled = Some(self.gate.now());
            }
            self.pending = out[written..].to_vec();
        }
        if out.capacity() > WRITE_BUFFER_BYTES_KEPT {
            *out = Vec::new();
        }
        Flow::Continue
    }

    fn stall_deadline(&self) -> Option<Millis> {
        self.stalled.map(|since| since + Millis(self.gate.options.write_stall_ms_max))
    }

    /// Keeps the wheel informed about when this connection needs attention.
    fn watch(&mut self, now: Millis) {
        let paused = self.peer.reading_paused(now).flatten();
        if paused.is_some() {
            self.gate.measures.reads_delayed.add(1);
        }
        let deadlines = [Some(self.peer.deadline()), self.stall_deadline(), paused];
        self.link.set_deadline(deadlines.into_iter().flatten().min().expect("the peer has a deadline"));
        self.gate.watch(&self.link);
    }
}

impl<S> Drop for Driver<S> {
    fn drop(&mut self) {
        self.gate.unwatch(&self.link);
        self.peer.disconnected();
        self.gate.release(self.ip);
    }
}
