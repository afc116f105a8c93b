//! Raw TCP: listening sockets, and the task that moves bytes between one socket and its [`Peer`].
//!
//! An idle connection keeps no buffer: reading and writing go through buffers of the thread, and only what a socket
//! does not take at once is kept.
#![allow(clippy::disallowed_methods, reason = "this is the shell: it owns sockets and their tasks")]

use std::cell::RefCell;
use std::future::poll_fn;
use std::io::{self, ErrorKind};
use std::net::{IpAddr, SocketAddr};
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use hongyan_wire::Millis;
use socket2::{Domain, Protocol, Socket, Type};
use tokio::io::{AsyncRead, ReadBuf};
use tokio::net::{TcpListener, TcpStream};

use crate::gate::Gate;
use crate::link::Link;
use crate::peer::{Flow, Peer};

/// Most bytes that are read before they are worked on.
const READ_BYTES: usize = 32 * 1024;
/// A buffer of the thread that has grown beyond this is given back.
const WRITE_BUFFER_BYTES_KEPT: usize = 256 * 1024;
/// Reads of one connection before others get the thread.
const STEPS_MAX: usize = 4;
/// Connections that the kernel may hold before they are accepted.
const BACKLOG: i32 = 4096;
/// Unacknowledged bytes make the kernel give up after this time.
const USER_TIMEOUT: Duration = Duration::from_secs(30);
/// Pause after an accept failed for lack of file descriptors.
const ACCEPT_RETRY: Duration = Duration::from_millis(100);

thread_local! {
    static READ: RefCell<Vec<u8>> = RefCell::new(vec![0; READ_BYTES]);
    static WRITE: RefCell<Vec<u8>> = const { RefCell::new(Vec::new()) };
}

/// Opens `count` sockets on one address, among which the kernel spreads connections. Port 0 is chosen once.
pub fn listen(address: SocketAddr, count: usize) -> io::Result<Vec<TcpListener>> {
    let mut address = address;
    let mut listeners = Vec::new();
    for _ in 0..count.max(1) {
        let socket = Socket::new(Domain::for_address(address), Type::STREAM, Some(Protocol::TCP))?;
        socket.set_reuse_address(true)?;
        socket.set_reuse_port(true)?;
        socket.set_nonblocking(true)?;
        socket.bind(&address.into())?;
        socket.listen(BACKLOG)?;
        let listener = TcpListener::from_std(socket.into())?;
        address = listener.local_addr()?;
        listeners.push(listener);
    }
    Ok(listeners)
}

/// Accepts connections until the task is dropped.
pub async fn accept(gate: Arc<Gate>, listener: TcpListener) {
    loop {
        match listener.accept().await {
            Ok((stream, from)) => welcome(&gate, stream, from.ip()),
            Err(error) => {
                tracing::warn!(%error, "a connection could not be accepted");
                tokio::time::sleep(ACCEPT_RETRY).await;
            }
        }
    }
}

fn welcome(gate: &Arc<Gate>, stream: TcpStream, ip: IpAddr) {
    let Some(link) = gate.admit(ip) else { return };
    let socket = socket2::SockRef::from(&stream);
    // A socket that refuses these options still works.
    let _ = socket.set_tcp_nodelay(true);
    let _ = socket.set_tcp_user_timeout(Some(USER_TIMEOUT));
    let peer = Peer::new(gate.clone(), link.clone(), ip, gate.now());
    let driver =
        Driver { gate: gate.clone(), stream, link, peer, ip, pending: Vec::new(), held_back: false, stalled: None };
    tokio::spawn(driver.run());
}

/// Owns one socket.
struct Driver {
    gate: Arc<Gate>,
    stream: TcpStream,
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

impl Driver {
    async fn run(mut self) {
        poll_fn(|context| self.poll(context)).await;
        // Drop does the rest, also when this task panics.
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
        if !self.pending.is_empty() && self.stream.poll_write_ready(context).is_ready() && flow.is_pending() {
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
            let mut buffer = ReadBuf::new(buffer);
            match Pin::new(&mut self.stream).poll_read(context, &mut buffer) {
                Poll::Pending => Poll::Pending,
                Poll::Ready(Ok(())) if !buffer.filled().is_empty() => {
                    Poll::Ready(self.peer.received(now, buffer.filled(), out))
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
        let written = match self.stream.try_write(out) {
            Ok(length) => length,
            Err(error) if error.kind() == ErrorKind::WouldBlock => 0,
            Err(_) => return Flow::Close,
        };
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

impl Drop for Driver {
    fn drop(&mut self) {
        self.gate.unwatch(&self.link);
        self.peer.disconnected();
        self.gate.release(self.ip);
    }
}
