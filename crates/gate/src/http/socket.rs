//! WebSocket: how a [`Driver`] reads and writes one. Framing of WebSocket itself is the library's.

use std::io::{self, ErrorKind};
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, Waker, ready};

use axum::Extension;
use axum::body::Bytes;
use axum::extract::State;
use axum::extract::ws::{CloseFrame, Message, WebSocket, WebSocketUpgrade, close_code};
use axum::response::{IntoResponse, Response};
use futures_util::{Sink, Stream as _};
use hongyan_wire::frame::HEADER_BYTES;
use hongyan_wire::limits;

use super::{Refused, Remote, Web};
use crate::driver::{Driver, Stream};
use crate::peer::Protection;

const PROTOCOL: &str = "hongyan.v1";
/// The longest message of a client: one frame of the greatest size, or several smaller ones.
const MESSAGE_BYTES_MAX: usize = HEADER_BYTES + limits::FRAME_BODY_BYTES_MAX;
/// What the library reads at once, and keeps for every connection.
const READ_BUFFER_BYTES: usize = 2_048;
/// What it may keep of what was written: one message goes in whatever its size, then no other until it is out.
const WRITE_BUFFER_BYTES_MAX: usize = 1_024 * 1_024;

/// `GET /v1/socket`.
pub(super) async fn open(
    State(web): State<Arc<Web>>,
    Extension(remote): Extension<Remote>,
    upgrade: WebSocketUpgrade,
) -> Response {
    let upgrade = upgrade.protocols([PROTOCOL]);
    if upgrade.selected_protocol().is_none() {
        return Refused::Protocol.into_response();
    }
    let (gate, ip) = (web.gate.clone(), remote.address);
    let Some(link) = gate.admit(ip) else { return Refused::Crowded.into_response() };
    let failed = gate.clone();
    with_limits(upgrade)
        .on_failed_upgrade(move |_| failed.release(ip))
        .on_upgrade(move |socket| Driver::new(gate, Socket::new(socket), link, ip, Protection::Tls).run())
}

/// The sizes that hold for every WebSocket here.
pub fn with_limits(upgrade: WebSocketUpgrade) -> WebSocketUpgrade {
    upgrade
        .read_buffer_size(READ_BUFFER_BYTES)
        .write_buffer_size(0)
        .max_write_buffer_size(WRITE_BUFFER_BYTES_MAX)
        .max_message_size(MESSAGE_BYTES_MAX)
        .max_frame_size(MESSAGE_BYTES_MAX)
}

/// One WebSocket as a stream of bytes.
pub struct Socket {
    socket: WebSocket,
    /// Of the last message, what was not read yet.
    received: Bytes,
    flushed: bool,
}

impl Socket {
    /// Of an upgraded connection.
    pub fn new(socket: WebSocket) -> Self {
        Self { socket, received: Bytes::new(), flushed: true }
    }

    fn refuse_text(&mut self) {
        let reason = CloseFrame { code: close_code::UNSUPPORTED, reason: "frames are binary".into() };
        let mut context = Context::from_waker(Waker::noop());
        // Whoever does not take it is cut off all the same.
        if Pin::new(&mut self.socket).poll_ready(&mut context).is_ready() {
            let _ = Pin::new(&mut self.socket).start_send(Message::Close(Some(reason)));
            let _ = Pin::new(&mut self.socket).poll_flush(&mut context);
        }
    }
}

impl Stream for Socket {
    fn poll_read(&mut self, context: &mut Context<'_>, buffer: &mut [u8]) -> Poll<io::Result<usize>> {
        while self.received.is_empty() {
            match ready!(Pin::new(&mut self.socket).poll_next(context)) {
                Some(Ok(Message::Binary(bytes))) => self.received = bytes,
                Some(Ok(Message::Ping(_) | Message::Pong(_))) => {}
                Some(Ok(Message::Text(_))) => {
                    self.refuse_text();
                    return Poll::Ready(Ok(0));
                }
                Some(Ok(Message::Close(_))) => {
                    // The library has its answer ready. Nobody waits for a client that does not take it.
                    let _ = Pin::new(&mut self.socket).poll_flush(context);
                    return Poll::Ready(Ok(0));
                }
                None => return Poll::Ready(Ok(0)),
                Some(Err(error)) => return Poll::Ready(Err(io::Error::other(error))),
            }
        }
        let length = self.received.len().min(buffer.len());
        buffer[..length].copy_from_slice(&self.received.split_to(length));
        Poll::Ready(Ok(length))
    }

    fn poll_write_ready(&mut self, context: &mut Context<'_>) -> Poll<()> {
        // An error shows at the next attempt to write, or to read.
        let _ = ready!(Pin::new(&mut self.socket).poll_flush(context));
        self.flushed = true;
        Poll::Ready(())
    }

    /// All or nothing: what the driver writes at once are whole frames, and one message.
    fn try_write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let mut context = Context::from_waker(Waker::noop());
        if !self.flushed && Pin::new(&mut self.socket).poll_flush(&mut context).is_pending() {
            return Err(ErrorKind::WouldBlock.into());
        }
        match Pin::new(&mut self.socket).poll_ready(&mut context) {
            Poll::Pending => return Err(ErrorKind::WouldBlock.into()),
            Poll::Ready(result) => result.map_err(io::Error::other)?,
        }
        let message = Message::Binary(Bytes::copy_from_slice(bytes));
        Pin::new(&mut self.socket).start_send(message).map_err(io::Error::other)?;
        self.flushed = match Pin::new(&mut self.socket).poll_flush(&mut context) {
            Poll::Pending => false,
            Poll::Ready(result) => result.map(|()| true).map_err(io::Error::other)?,
        };
        Ok(bytes.len())
    }

    fn is_flushed(&self) -> bool {
        self.flushed
    }
}
