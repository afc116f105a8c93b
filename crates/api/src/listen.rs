//! Connections of the HTTP port: how many, how slow, and how they end. Knows no endpoint.
#![allow(clippy::disallowed_methods, reason = "a shell: it holds real sockets and waits in real time")]

use std::future::Future;
use std::io;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::body::HttpBody;
use axum::extract::{Request, State};
use axum::http::header::{CACHE_CONTROL, CONNECTION, CONTENT_SECURITY_POLICY, HOST, X_CONTENT_TYPE_OPTIONS};
use axum::http::{HeaderName, HeaderValue};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use hyper::server::conn::http1;
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::server::graceful::GracefulShutdown;
use hyper_util::service::TowerToHyperService;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Semaphore;

use crate::admin::words;
use crate::options::ApiOptions;
use crate::problem::Problem;

/// Bytes that a connection may buffer for a request's head.
const HEAD_BYTES_MAX: usize = 16 * 1024;
/// Wait after `accept` has failed, which it does when files run out.
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);

/// See [`crate::Api::serve`].
pub(crate) async fn serve(listener: TcpListener, router: Router, options: ApiOptions, stop: impl Future<Output = ()>) {
    let room = Arc::new(Semaphore::new(options.connections_max));
    let ending = GracefulShutdown::new();
    let mut builder = http1::Builder::new();
    // Without a timer hyper does not enforce the time for the head at all.
    builder.timer(TokioTimer::new()).max_buf_size(HEAD_BYTES_MAX);
    builder.header_read_timeout(Duration::from_millis(options.head_ms_max));
    let accept = async {
        loop {
            let permit = Arc::clone(&room).acquire_owned().await.expect("the semaphore is never closed");
            let stream = accept(&listener).await;
            let service = TowerToHyperService::new(router.clone());
            let connection = ending.watch(builder.serve_connection(TokioIo::new(stream), service));
            tokio::spawn(async move {
                // A client that leaves or is too slow is its own affair.
                let _ = connection.await;
                drop(permit);
            });
        }
    };
    tokio::select! {
        () = accept => unreachable!("it loops"),
        () = stop => {}
    }
    let _ = tokio::time::timeout(Duration::from_millis(options.request_ms_max), ending.shutdown()).await;
}

async fn accept(listener: &TcpListener) -> TcpStream {
    loop {
        match listener.accept().await {
            Ok((stream, _)) => return stream,
            Err(error) if ended_before_accepted(&error) => {}
            Err(error) => {
                tracing::error!(%error, "no connection can be accepted on the HTTP port");
                tokio::time::sleep(ACCEPT_PAUSE).await;
            }
        }
    }
}

fn ended_before_accepted(error: &io::Error) -> bool {
    matches!(error.kind(), io::ErrorKind::ConnectionAborted | io::ErrorKind::ConnectionReset)
}

/// What one request may cost.
#[derive(Clone, Copy)]
pub(crate) struct Bounds {
    pub request_ms_max: u64,
    pub body_bytes_max: usize,
}

/// What every answer tells a browser that was led here: this is data, nobody frames it, and nobody keeps it.
const FOR_BROWSERS: [(HeaderName, HeaderValue); 3] = [
    (X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff")),
    (CONTENT_SECURITY_POLICY, HeaderValue::from_static("default-src 'none'; frame-ancestors 'none'")),
    (CACHE_CONTROL, HeaderValue::from_static("no-store")),
];

/// Refuses what names two hosts, and a body that announces itself as too long, before it has arrived; gives up on a
/// request that takes too long, its body included.
pub(crate) async fn bounded(State(bounds): State<Bounds>, request: Request, next: Next) -> Response {
    let body_bytes_max = words::body_bytes_max(request.method(), request.uri().path()).unwrap_or(bounds.body_bytes_max);
    let announced = request.body().size_hint().lower();
    let two_hosts = request.headers().get_all(HOST).iter().count() > 1;
    let answer = if two_hosts {
        Err(Problem::Invalid("there is one host".to_owned()))
    } else if announced > body_bytes_max as u64 {
        Err(Problem::TooBig)
    } else {
        let span = Duration::from_millis(bounds.request_ms_max);
        tokio::time::timeout(span, next.run(request)).await.map_err(|_| Problem::TimedOut)
    };
    let mut response = answer.into_response();
    response.headers_mut().extend(FOR_BROWSERS);
    if two_hosts {
        // Whoever writes such a head may also disagree about where its request ends.
        response.headers_mut().insert(CONNECTION, HeaderValue::from_static("close"));
    }
    response
}
