//! Raw TCP: listening sockets, and how a [`Driver`] reads and writes one.
#![allow(clippy::disallowed_methods, reason = "this is the shell: it owns sockets and their tasks")]

use std::io;
use std::net::{IpAddr, SocketAddr};
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use socket2::{Domain, Protocol, Socket, Type};
use tokio::io::{AsyncRead, ReadBuf};
use tokio::net::{TcpListener, TcpStream};

use crate::driver::{Driver, Stream};
use crate::gate::Gate;
use crate::peer::Protection;

/// Connections that the kernel may hold before they are accepted.
const BACKLOG: i32 = 4096;
/// Unacknowledged bytes make the kernel give up after this time.
const USER_TIMEOUT: Duration = Duration::from_secs(30);
/// Pause after an accept failed for lack of file descriptors.
const ACCEPT_RETRY: Duration = Duration::from_millis(100);

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
    tokio::spawn(Driver::new(gate.clone(), stream, link, ip, Protection::Noise).run());
}

impl Stream for TcpStream {
    fn poll_read(&mut self, context: &mut Context<'_>, buffer: &mut [u8]) -> Poll<io::Result<usize>> {
        let mut buffer = ReadBuf::new(buffer);
        ready!(AsyncRead::poll_read(Pin::new(self), context, &mut buffer))?;
        Poll::Ready(Ok(buffer.filled().len()))
    }

    fn poll_write_ready(&mut self, context: &mut Context<'_>) -> Poll<()> {
        TcpStream::poll_write_ready(self, context).map(|_| ())
    }

    fn try_write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        TcpStream::try_write(self, bytes)
    }
}
