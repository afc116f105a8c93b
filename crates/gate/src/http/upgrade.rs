//! How a request becomes a WebSocket (RFC 6455 §4.2), and the sizes that hold for every WebSocket here. Who may open one,
//! and what is said over it, is not known here.

use axum::body::Body;
use axum::extract::Request;
use axum::response::Response;
use hongyan_wire::frame::HEADER_BYTES;
use hongyan_wire::limits;
use hyper::upgrade::{OnUpgrade, Upgraded};
use hyper_util::rt::TokioIo;
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::handshake::server::create_response_with_body;
use tokio_tungstenite::tungstenite::protocol::{Role, WebSocketConfig};

use super::pieces::Pieces;

/// The longest message of a client: one frame of the greatest size, or several smaller ones.
pub(super) const MESSAGE_BYTES_MAX: usize = HEADER_BYTES + limits::FRAME_BODY_BYTES_MAX;
/// What the library reads at once, and keeps for every connection.
const READ_BUFFER_BYTES: usize = 2_048;
/// What it may keep of what was written: one message goes in whatever its size, then no other until it is out.
const WRITE_BUFFER_BYTES_MAX: usize = 1_024 * 1_024;

/// An open WebSocket.
pub type WebSocket = WebSocketStream<Pieces<TokioIo<Upgraded>>>;

/// The connection of a request that was accepted.
pub struct Upgrade(OnUpgrade);

/// The answer that accepts a request, and its connection; `None` if it asks for no WebSocket.
pub fn accept(request: &mut Request) -> Option<(Response, Upgrade)> {
    let response = create_response_with_body(request, Body::empty).ok()?;
    let connection = request.extensions_mut().remove::<OnUpgrade>()?;
    Some((response, Upgrade(connection)))
}

impl Upgrade {
    /// Opens it when the answer has been sent; `None` if that fails.
    pub async fn open(self) -> Option<WebSocket> {
        let stream = Pieces::new(TokioIo::new(self.0.await.ok()?));
        let config = WebSocketConfig::default()
            .read_buffer_size(READ_BUFFER_BYTES)
            .write_buffer_size(0)
            .max_write_buffer_size(WRITE_BUFFER_BYTES_MAX)
            .max_message_size(Some(MESSAGE_BYTES_MAX))
            .max_frame_size(Some(MESSAGE_BYTES_MAX));
        Some(WebSocketStream::from_raw_socket(stream, Role::Server, Some(config)).await)
    }
}
