//! Says again what it is told, through the gate's WebSocket: the partner of a conformance suite (`make autobahn`). It has
//! no sessions and no limits but those of a WebSocket.
//!
//! `/frames` is how the gate reads and writes, binary messages only; `/library` is the library below it, and text, too.
#![allow(clippy::disallowed_methods, reason = "a shell: its sockets are tasks")]

use std::future::poll_fn;
use std::io::ErrorKind;

use axum::Router;
use axum::extract::Request;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use axum::routing::any;
use futures_util::{SinkExt, StreamExt};
use hongyan_gate::driver::Stream;
use hongyan_gate::http::socket::Socket;
use hongyan_gate::http::upgrade::{self, WebSocket};
use tokio_tungstenite::tungstenite::Message;

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

async fn frames(request: Request) -> Response {
    serve(request, |socket| echo(Socket::new(socket)))
}

async fn library(request: Request) -> Response {
    serve(request, echo_all)
}

fn serve<F>(mut request: Request, with: impl FnOnce(WebSocket) -> F + Send + 'static) -> Response
where
    F: Future<Output = ()> + Send,
{
    let Some((response, upgrade)) = upgrade::accept(&mut request) else {
        return StatusCode::BAD_REQUEST.into_response();
    };
    tokio::spawn(async move {
        if let Some(socket) = upgrade.open().await {
            with(socket).await;
        }
    });
    response
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

async fn echo_all(mut socket: WebSocket) {
    while let Some(Ok(message)) = socket.next().await {
        let again = match message {
            Message::Text(_) | Message::Binary(_) => message,
            Message::Ping(_) | Message::Pong(_) | Message::Close(_) | Message::Frame(_) => continue,
        };
        if socket.send(again).await.is_err() {
            return;
        }
    }
}
