//! Says again what it is told, through the gate's WebSocket: the partner of a conformance suite (`make autobahn`). It has
//! no sessions and no limits but those of a WebSocket.
//!
//! `/frames` is how the gate reads and writes, binary messages only; `/library` is the library below it, and text, too.

use std::future::poll_fn;
use std::io::ErrorKind;

use axum::Router;
use axum::extract::ws::{Message, WebSocket, WebSocketUpgrade};
use axum::response::Response;
use axum::routing::any;
use hongyan_gate::driver::Stream;
use hongyan_gate::http::socket::{Socket, with_limits};

const ADDRESS: &str = "127.0.0.1:7390";
/// One message of the greatest size is read at once.
const BUFFER_BYTES: usize = 128 * 1024;

#[tokio::main(flavor = "current_thread")]
async fn main() -> std::io::Result<()> {
    let listener = tokio::net::TcpListener::bind(ADDRESS).await?;
    println!("ws://{ADDRESS}/frames and /library are ready");
    let routes = Router::new().route("/frames", any(frames)).route("/library", any(library));
    axum::serve(listener, routes).await
}

async fn frames(upgrade: WebSocketUpgrade) -> Response {
    with_limits(upgrade).on_upgrade(|socket| echo(Socket::new(socket)))
}

async fn echo(mut socket: Socket) {
    let mut buffer = vec![0; BUFFER_BYTES];
    loop {
        let Ok(length @ 1..) = poll_fn(|context| socket.poll_read(context, &mut buffer)).await else { return };
        while let Err(error) = socket.try_write(&buffer[..length]) {
            if error.kind() != ErrorKind::WouldBlock {
                return;
            }
            poll_fn(|context| socket.poll_write_ready(context)).await;
        }
    }
}

async fn library(upgrade: WebSocketUpgrade) -> Response {
    with_limits(upgrade).on_upgrade(echo_all)
}

async fn echo_all(mut socket: WebSocket) {
    while let Some(Ok(message)) = socket.recv().await {
        let again = match message {
            Message::Text(_) | Message::Binary(_) => message,
            Message::Ping(_) | Message::Pong(_) | Message::Close(_) => continue,
        };
        if socket.send(again).await.is_err() {
            return;
        }
    }
}
