//! One connection of HTTP: requests in, answers of a router out, one after the other.

use std::convert::Infallible;
use std::error::Error;
use std::iter;
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::body::Body;
use axum::extract::ConnectInfo;
use axum::http::header::{CONNECTION, CONTENT_LENGTH, HOST, TRANSFER_ENCODING, X_CONTENT_TYPE_OPTIONS};
use axum::http::{HeaderName, Request, Response, StatusCode, Version};
use axum::response::IntoResponse;
use hongyan_gate::http::{Answer, Later};
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;
use tokio::sync::watch;
use tokio_rustls::TlsAcceptor;
use tower_service::Service;

use super::held::{self, Desk};
use super::stall::Stall;
use crate::proxies::Proxies;

/// Bytes that a connection may buffer for a request's head; the least that the library allows.
const HEAD_BYTES_MAX: usize = 8_192;
/// Bytes of a request's body; routes may allow less.
const BODY_BYTES_MAX: usize = 256 * 1_024;
/// A request's head must be complete so long after the connection was opened or the last answer was sent.
const HEAD_TIME: Duration = Duration::from_secs(30);
/// TLS must be agreed within this time.
const TLS_TIME: Duration = Duration::from_secs(10);

/// Whoever is connected.
pub struct Visitor {
    pub from: SocketAddr,
    pub proxies: Arc<Proxies>,
    pub router: Router,
    /// A request's body must arrive within this time.
    pub body_time: Duration,
    /// Something of an answer must be taken within this time.
    pub write_time: Duration,
    /// Changes when the server ends.
    pub ended: watch::Receiver<()>,
}

/// A connection that goes on without HTTP's library: whose answer is awaited, and whether more was sent meanwhile.
struct Left<S> {
    stream: S,
    answer: Answer,
    crowded: bool,
}

impl Visitor {
    /// Serves until one of the two ends it.
    pub async fn welcome(self: Arc<Self>, stream: TcpStream, tls: Option<TlsAcceptor>) {
        match tls {
            // Boxed, so that connections without TLS do not keep room for it.
            Some(tls) => Box::pin(self.welcome_by_tls(stream, tls)).await,
            None => {
                let stream = Stall::new(stream, self.write_time);
                self.speak(stream, false).await;
            }
        }
    }

    async fn welcome_by_tls(self: Arc<Self>, stream: TcpStream, tls: TlsAcceptor) {
        if let Ok(Ok(stream)) = tokio::time::timeout(TLS_TIME, tls.accept(stream)).await {
            let stream = Stall::new(stream, self.write_time);
            self.speak(stream, true).await;
        }
    }

    async fn speak<S>(self: Arc<Self>, mut stream: S, tls: bool)
    where
        S: AsyncRead + AsyncWrite + Send + Unpin + 'static,
    {
        // Boxed, so that nothing of the library is kept while an answer is awaited.
        while let Some(left) = Box::pin(self.clone().converse(stream, tls)).await {
            stream = left.stream;
            let goes_on = held::outlast(&mut stream, left.answer, left.crowded).await;
            if !goes_on.unwrap_or(false) || self.ended.has_changed().unwrap_or(true) {
                return;
            }
        }
    }

    /// Answers requests until the connection is over, or an answer is long in coming and the library would be in the way.
    async fn converse<S>(self: Arc<Self>, stream: S, tls: bool) -> Option<Left<S>>
    where
        S: AsyncRead + AsyncWrite + Send + Unpin + 'static,
    {
        let (desk, mut left) = Desk::new();
        let (desk, visitor, mut ended) = (Arc::new(desk), self.clone(), self.ended.clone());
        let service = service_fn(move |request| {
            let (desk, visitor) = (desk.clone(), visitor.clone());
            Box::pin(async move { Ok::<_, Infallible>(visitor.answer(request, tls, &desk).await) })
        });
        let mut builder = http1::Builder::new();
        builder.timer(TokioTimer::new()).header_read_timeout(HEAD_TIME).max_buf_size(HEAD_BYTES_MAX);
        let mut connection = builder.serve_connection(TokioIo::new(stream), service).with_upgrades();
        let answer = tokio::select! {
            over = &mut connection => {
                // The client may not have read the last answer; a head that cannot be read has one, too.
                if over.map_or_else(|error| error.is_parse(), |()| true) {
                    // A connection that is something else now has no parts.
                    held::part(&mut connection.into_parts()?.io.into_inner()).await;
                }
                return None;
            }
            answer = &mut left => answer.ok(),
            _ = ended.changed() => {
                // The library waits for the last answer itself.
                left.close();
                left.try_recv().ok()
            }
        };
        if let Some(answer) = answer {
            let parts = connection.into_parts()?;
            return Some(Left { stream: parts.io.into_inner(), answer, crowded: !parts.read_buf.is_empty() });
        }
        Pin::new(&mut connection).graceful_shutdown();
        let _ = connection.await;
        None
    }

    async fn answer(&self, request: Request<Incoming>, tls: bool, desk: &Desk) -> Response<Body> {
        let remote = self.proxies.remote(self.from.ip(), tls, request.headers());
        let mut request = match whole(request, self.body_time).await {
            Ok(request) => request,
            Err(refused) => return refused.into_response(),
        };
        request.extensions_mut().insert(remote);
        request.extensions_mut().insert(ConnectInfo(SocketAddr::new(remote.address, self.from.port())));
        let may_be_held = held::may_be_held(&request);
        let mut response = self.router.clone().call(request).await.unwrap_or_else(|never| match never {});
        match Later::of(&mut response) {
            Some(answer) if may_be_held => desk.wait(answer).await,
            Some(answer) => answer.await,
            None => response,
        }
    }
}

/// A request whose body has arrived, and in time: who dawdles is not waited for, whatever is asked.
async fn whole(request: Request<Incoming>, body_time: Duration) -> Result<Request<Body>, impl IntoResponse> {
    let refused = |status: StatusCode, text: &'static str| {
        (status, [(CONNECTION, "close"), (X_CONTENT_TYPE_OPTIONS, "nosniff")], text)
    };
    if is_ambiguous(&request) {
        return Err(refused(StatusCode::BAD_REQUEST, "a request has one host and one length"));
    }
    let (parts, body) = request.into_parts();
    match tokio::time::timeout(body_time, axum::body::to_bytes(Body::new(body), BODY_BYTES_MAX)).await {
        Ok(Ok(body)) => Ok(Request::from_parts(parts, Body::from(body))),
        Ok(Err(error)) if is_malformed(&error) => Err(refused(StatusCode::BAD_REQUEST, "this body cannot be read")),
        Ok(Err(_)) => Err(refused(StatusCode::PAYLOAD_TOO_LARGE, "a body has at most 256 KiB")),
        Err(_) => Err(refused(StatusCode::REQUEST_TIMEOUT, "the body takes too long")),
    }
}

/// Whether the library could not read a body, rather than that it was too long.
fn is_malformed(error: &axum::Error) -> bool {
    let mut causes = iter::successors(Some(error as &dyn Error), |&error| error.source());
    causes.any(|error| error.is::<hyper::Error>())
}

/// Whoever writes no host or two (RFC 9112 §3.2) may also disagree about where a request ends; whoever writes its length
/// twice does (§6.1).
fn is_ambiguous<B>(request: &Request<B>) -> bool {
    let headers = request.headers();
    let lines = |name: &HeaderName| headers.get_all(name).iter().count();
    let hosts = lines(&HOST);
    let lengths = lines(&TRANSFER_ENCODING) + lines(&CONTENT_LENGTH);
    hosts > 1 || (hosts == 0 && request.version() == Version::HTTP_11) || lengths > 1
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use axum::routing::{get, post};
    use tokio::io::{AsyncReadExt, AsyncWriteExt, DuplexStream};
    use tokio::sync::mpsc;
    use tokio::task::JoinHandle;

    use super::*;

    const REQUEST: &[u8] = b"POST /late HTTP/1.1\r\nhost: x\r\nconnection: keep-alive\r\ncontent-length: 0\r\n\r\n";

    /// A connection to a page that answers what it is told to, and tells when it is given up. `/late` promises its answer,
    /// `/slow` does not.
    struct Line {
        client: DuplexStream,
        answers: mpsc::UnboundedSender<String>,
        given_up: mpsc::UnboundedReceiver<()>,
        served: JoinHandle<()>,
        ending: watch::Sender<()>,
    }

    fn connect() -> Line {
        let (answers, waiting) = mpsc::unbounded_channel::<String>();
        let (gives_up, given_up) = mpsc::unbounded_channel();
        let waiting = Arc::new(tokio::sync::Mutex::new(waiting));
        let answer = move || {
            let (waiting, gone) = (waiting.clone(), Gone(gives_up.clone()));
            async move {
                let answer = waiting.lock().await.recv().await.unwrap();
                drop(gone);
                if answer.is_empty() { StatusCode::NO_CONTENT.into_response() } else { answer.into_response() }
            }
        };
        let slow = answer.clone();
        let router = Router::new()
            .route("/late", post(async move || Later::new(answer())))
            .route("/slow", post(slow))
            .route("/long", get(async || "x".repeat(1024 * 1024)));
        let (ending, ended) = watch::channel(());
        let visitor = Visitor {
            from: ([127, 0, 0, 1], 1).into(),
            proxies: Arc::new(Proxies::new(Vec::new())),
            router,
            body_time: Duration::from_secs(10),
            write_time: Duration::from_secs(15),
            ended,
        };
        let (client, server) = tokio::io::duplex(64 * 1024);
        let stream = Stall::new(server, visitor.write_time);
        let served = tokio::spawn(Arc::new(visitor).speak(stream, false));
        Line { client, answers, given_up, served, ending }
    }

    /// Says so when nobody waits for the answer any more.
    struct Gone(mpsc::UnboundedSender<()>);

    impl Drop for Gone {
        fn drop(&mut self) {
            let _ = self.0.send(());
        }
    }

    impl Line {
        /// Sends, and lets time pass; the clock is a paused one.
        async fn ask(&mut self, bytes: &[u8]) {
            self.client.write_all(bytes).await.unwrap();
            tokio::time::sleep(Duration::from_secs(5)).await;
        }

        /// An answer to its end.
        async fn read(&mut self, end: &str) -> String {
            let mut text = String::new();
            while !text.ends_with(end) {
                let byte = self.client.read_u8().await.expect("it goes on");
                text.push(char::from(byte));
            }
            text.to_ascii_lowercase()
        }
    }

    #[tokio::test(start_paused = true)]
    async fn a_connection_goes_on_behind_a_late_answer() {
        let mut line = connect();
        for round in ["one", "two"] {
            line.ask(REQUEST).await;
            line.answers.send(round.to_owned()).unwrap();
            let answer = line.read(round).await;
            assert!(
                answer.starts_with("http/1.1 200 ok\r\n") && answer.contains("\r\ncontent-length: 3\r\n"),
                "{answer}"
            );
            assert!(answer.contains("\r\ndate: ") && !answer.contains("connection: close"), "{answer}");
        }
        line.ask(REQUEST).await;
        line.answers.send(String::new()).unwrap();
        let answer = line.read("\r\n\r\n").await;
        assert!(answer.starts_with("http/1.1 204 no content\r\n") && !answer.contains("content-length"), "{answer}");
        // One that comes at once is written by the library.
        line.answers.send("three".to_owned()).unwrap();
        line.client.write_all(REQUEST).await.unwrap();
        assert!(line.read("three").await.starts_with("http/1.1 200 ok\r\n"));
    }

    #[tokio::test(start_paused = true)]
    async fn the_last_answer_is_given_while_the_server_ends() {
        for path in ["/late", "/slow"] {
            let mut line = connect();
            line.ask(String::from_utf8_lossy(REQUEST).replace("/late", path).as_bytes()).await;
            line.ending.send(()).unwrap();
            tokio::time::sleep(Duration::from_secs(5)).await;
            line.answers.send("late".to_owned()).unwrap();
            assert!(line.read("late").await.starts_with("http/1.1 200 ok\r\n"));
            line.served.await.unwrap();
        }
    }

    #[tokio::test(start_paused = true)]
    async fn whoever_leaves_is_waited_for_no_more() {
        let mut line = connect();
        line.ask(REQUEST).await;
        assert!(line.given_up.try_recv().is_err());
        drop(line.client);
        line.given_up.recv().await.unwrap();
        line.served.await.unwrap();
    }

    #[tokio::test(start_paused = true)]
    async fn row_12_whoever_takes_nothing_is_cut_off_and_whoever_takes_a_little_is_not() {
        let begun = tokio::time::Instant::now();
        let mut line = connect();
        line.client.write_all(b"GET /long HTTP/1.1\r\nhost: x\r\n\r\n").await.unwrap();
        for _ in 0..10 {
            tokio::time::sleep(Duration::from_secs(14)).await;
            line.client.read_exact(&mut [0; 1024]).await.unwrap();
        }
        assert!(!line.served.is_finished());
        line.served.await.unwrap();
        assert_eq!(begun.elapsed().as_secs(), 140 + 15);
    }

    #[tokio::test(start_paused = true)]
    async fn whoever_does_not_wait_gets_one_answer_and_the_end() {
        for (at_once, later) in [([REQUEST, REQUEST].concat(), &b""[..]), (REQUEST.to_vec(), REQUEST)] {
            let mut line = connect();
            line.ask(&at_once).await;
            line.client.write_all(later).await.unwrap();
            tokio::time::sleep(Duration::from_secs(5)).await;
            line.answers.send("one".to_owned()).unwrap();
            let mut answer = String::new();
            line.client.read_to_string(&mut answer).await.unwrap();
            assert!(answer.contains("\r\nconnection: close\r\n") && answer.ends_with("\r\n\r\none"), "{answer}");
        }
    }
}
