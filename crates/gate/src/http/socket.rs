//! WebSocket: how a [`Driver`] reads and writes one. Framing of WebSocket itself is the library's.

use std::io::{self, ErrorKind};
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, Waker, ready};

use axum::Extension;
use axum::body::Bytes;
use axum::extract::{Request, State};
use axum::http::header::SEC_WEBSOCKET_PROTOCOL;
use axum::http::{HeaderMap, HeaderValue};
use axum::response::{IntoResponse, Response};
use futures_util::{Sink, Stream as _};
use tokio_tungstenite::tungstenite::error::ProtocolError;
use tokio_tungstenite::tungstenite::protocol::CloseFrame;
use tokio_tungstenite::tungstenite::protocol::frame::coding::CloseCode;
use tokio_tungstenite::tungstenite::{Error, Message};

use super::pieces::TooManyPieces;
use super::upgrade::{self, WebSocket};
use super::{Refused, Remote, Web};
use crate::driver::{Driver, Stream};
use crate::peer::Protection;

const PROTOCOL: &str = "hongyan.v1";

/// `GET /v1/socket`.
pub(super) async fn open(
    State(web): State<Arc<Web>>,
    Extension(remote): Extension<Remote>,
    mut request: Request,
) -> Response {
    let Some((mut response, upgrade)) = upgrade::accept(&mut request) else {
        return Refused::Socket.into_response();
    };
    if !speaks(request.headers()) {
        return Refused::Protocol.into_response();
    }
    response.headers_mut().insert(SEC_WEBSOCKET_PROTOCOL, HeaderValue::from_static(PROTOCOL));
    let (gate, ip) = (web.gate.clone(), remote.address);
    let Some(link) = gate.admit(ip) else { return Refused::Crowded.into_response() };
    web.gate.environment.spawn(Box::pin(async move {
        match upgrade.open().await {
            Some(socket) => Driver::new(gate, Socket::new(socket), link, ip, Protection::Tls).run().await,
            None => gate.release(ip),
        }
    }));
    response
}

/// Whether the client offers the protocol.
fn speaks(headers: &HeaderMap) -> bool {
    let offers = headers.get_all(SEC_WEBSOCKET_PROTOCOL).iter().filter_map(|line| line.to_str().ok());
    offers.flat_map(|line| line.split(',')).any(|offered| offered.trim() == PROTOCOL)
}

/// What a client is told whose frames or messages are wrong; nothing if it has left.
fn fault(error: &Error) -> Option<(CloseCode, &'static str)> {
    match error {
        Error::Capacity(_) => Some((CloseCode::Size, "a message is too long")),
        Error::Io(error) if error.get_ref().is_some_and(|cause| cause.is::<TooManyPieces>()) => {
            Some((CloseCode::Size, "a message has too many pieces"))
        }
        Error::Protocol(ProtocolError::ResetWithoutClosingHandshake) => None,
        Error::Protocol(_) => Some((CloseCode::Protocol, "a frame is wrong")),
        _ => None,
    }
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

    fn refuse(&mut self, code: CloseCode, reason: &'static str) {
        let reason = CloseFrame { code, reason: reason.into() };
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
                // What is no whole message is never read.
                Some(Ok(Message::Ping(_) | Message::Pong(_) | Message::Frame(_))) => {}
                Some(Ok(Message::Text(_))) => {
                    self.refuse(CloseCode::Unsupported, "frames are binary");
                    return Poll::Ready(Ok(0));
                }
                Some(Ok(Message::Close(_))) => {
                    // The library has its answer ready. Nobody waits for a client that does not take it.
                    let _ = Pin::new(&mut self.socket).poll_flush(context);
                    return Poll::Ready(Ok(0));
                }
                None => return Poll::Ready(Ok(0)),
                Some(Err(error)) => {
                    if let Some((code, reason)) = fault(&error) {
                        self.refuse(code, reason);
                    }
                    return Poll::Ready(Err(io::Error::other(error)));
                }
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
