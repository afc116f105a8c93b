//! A request whose answer is long in coming. HTTP's library would keep 16 KiB for it all the time; here it costs hardly more
//! than its socket, which matters where every browser without WebSocket holds one (PROTOCOL.md §18).

use std::future::poll_fn;
use std::io;
use std::sync::Mutex;
use std::task::Poll;
use std::time::{Duration, SystemTime};

use axum::body::{Body, Bytes};
use axum::http::header::{CONNECTION, CONTENT_LENGTH, DATE};
use axum::http::response::Parts;
use axum::http::{HeaderValue, Method, Request, Response, StatusCode, Version};
use hongyan_gate::http::Answer;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::sync::oneshot;

/// Bytes of such an answer.
const ANSWER_BYTES_MAX: usize = 1024 * 1024;
/// What a client still sends when it has got its last answer is taken, and thrown away, for so long.
const PARTING_TIME: Duration = Duration::from_secs(5);
/// So much of it at once.
const PARTING_BYTES: usize = 4 * 1024;

/// Where a request leaves an answer that is long in coming.
pub struct Desk(Mutex<Option<oneshot::Sender<Answer>>>);

impl Desk {
    /// With whoever waits for what is left there.
    pub fn new() -> (Self, oneshot::Receiver<Answer>) {
        let (leave, left) = oneshot::channel();
        (Self(Mutex::new(Some(leave))), left)
    }

    /// The answer, if it is there. Otherwise it is left here, and this never ends: the connection goes on without it.
    pub async fn wait(&self, mut answer: Answer) -> Response<Body> {
        if let Poll::Ready(response) = poll_fn(|context| Poll::Ready(answer.as_mut().poll(context))).await {
            return response;
        }
        let leave = self.0.lock().expect("nothing panics while it is held").take();
        match leave.map(|leave| leave.send(answer)) {
            Some(Ok(())) => std::future::pending().await,
            Some(Err(answer)) => answer.await,
            None => unreachable!("a connection has one request at a time, and ends with the first that is left"),
        }
    }
}

/// Whether the connection can go on behind this request without the library: such requests are those of polls.
pub fn may_be_held(request: &Request<Body>) -> bool {
    let stays = |line: &HeaderValue| line.as_bytes().eq_ignore_ascii_case(b"keep-alive");
    request.method() == Method::POST
        && request.version() == Version::HTTP_11
        && request.headers().get_all(CONNECTION).iter().all(stays)
}

/// Waits for the answer and writes it; whether the connection can take the next request. It cannot when the client has
/// gone, or has sent more before it was answered (`crowded`), which no browser does.
pub async fn outlast<S>(stream: &mut S, mut answer: Answer, mut crowded: bool) -> io::Result<bool>
where
    S: AsyncRead + AsyncWrite + Unpin,
{
    let response = loop {
        let mut more = [0];
        tokio::select! {
            response = &mut answer => break response,
            read = stream.read(&mut more), if !crowded => match read? {
                0 => return Ok(false),
                _ => crowded = true,
            }
        }
    };
    // Boxed, so that whoever waits does not keep room for it.
    Box::pin(give(stream, response, crowded)).await
}

async fn give<S>(stream: &mut S, response: Response<Body>, crowded: bool) -> io::Result<bool>
where
    S: AsyncRead + AsyncWrite + Unpin,
{
    let (mut head, body) = response.into_parts();
    let closes = crowded || head.headers.contains_key(CONNECTION);
    let body = axum::body::to_bytes(body, ANSWER_BYTES_MAX).await.map_err(io::Error::other)?;
    if closes {
        head.headers.insert(CONNECTION, HeaderValue::from_static("close"));
    }
    let answer = encode(head, &body);
    stream.write_all(&answer).await?;
    stream.flush().await?;
    if closes {
        part(stream).await;
    }
    Ok(!closes)
}

/// Ends a connection so that its client can read the last answer: if bytes of a client were left unread, the system would
/// reset the connection, and the answer may be lost with it (RFC 9112 §9.6).
pub async fn part<S>(stream: &mut S)
where
    S: AsyncRead + AsyncWrite + Unpin,
{
    let rest = async {
        stream.shutdown().await?;
        let mut unread = [0; PARTING_BYTES];
        while stream.read(&mut unread).await? > 0 {}
        io::Result::Ok(())
    };
    // Whoever does not end it is cut off.
    let _ = tokio::time::timeout(PARTING_TIME, rest).await;
}

/// As it is written (RFC 9112 §4).
fn encode(mut head: Parts, body: &Bytes) -> Vec<u8> {
    let date = httpdate::fmt_http_date(SystemTime::now());
    head.headers.insert(DATE, HeaderValue::from_str(&date).expect("a date is a header"));
    // Forbidden where there can be no content (RFC 9110 §8.6).
    match head.status {
        StatusCode::NO_CONTENT => head.headers.remove(CONTENT_LENGTH),
        _ => head.headers.insert(CONTENT_LENGTH, body.len().into()),
    };
    let mut bytes = format!("HTTP/1.1 {}\r\n", head.status).into_bytes();
    for (name, value) in &head.headers {
        for part in [name.as_str().as_bytes(), b": ", value.as_bytes(), b"\r\n"] {
            bytes.extend_from_slice(part);
        }
    }
    bytes.extend_from_slice(b"\r\n");
    bytes.extend_from_slice(body);
    bytes
}
