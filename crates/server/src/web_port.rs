//! The port for browsers: HTTP connections, with TLS if there is a certificate, and whose they are. What is served is not
//! known here.

use std::convert::Infallible;
use std::future::Future;
use std::net::{IpAddr, SocketAddr};
use std::pin::pin;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use anyhow::{Context, Result};
use axum::Router;
use axum::body::Body;
use axum::extract::ConnectInfo;
use axum::http::header::{CONNECTION, HOST};
use axum::http::{Request, StatusCode};
use axum::response::IntoResponse;
use hongyan_gate::GateOptions;
use hongyan_gate::admission::Admission;
use hongyan_wire::Millis;
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{Semaphore, watch};
use tokio_rustls::TlsAcceptor;
use tower_service::Service;

use crate::certificate;
use crate::config::WebSettings;
use crate::data::Data;
use crate::proxies::Proxies;

/// Bytes that a connection may buffer for a request's head; the least that the library allows.
const HEAD_BYTES_MAX: usize = 8_192;
/// Bytes of a request's body; routes may allow less.
const BODY_BYTES_MAX: usize = 256 * 1_024;
/// A request's head must be complete so long after the connection was opened or the last answer was sent.
const HEAD_TIME: Duration = Duration::from_secs(30);
/// TLS must be agreed within this time.
const TLS_TIME: Duration = Duration::from_secs(10);
/// Wait after `accept` has failed, which it does when files run out.
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);
/// Open requests get this time when the server ends.
const LAST_TIME: Duration = Duration::from_secs(2);

/// A listening socket, and how its connections are protected.
pub struct WebPort {
    listener: TcpListener,
    tls: Option<TlsAcceptor>,
    room: Arc<Semaphore>,
    crowd: Arc<Crowd>,
    proxies: Arc<Proxies>,
    body_time: Duration,
}

impl WebPort {
    /// Listens. One network may have as many connections here as at the gate.
    pub async fn open(settings: &WebSettings, limits: &GateOptions, data: &Data) -> Result<Self> {
        let address = settings.listen;
        let listener = TcpListener::bind(address).await.with_context(|| format!("listening on {address}"))?;
        let limits = GateOptions { connections_max: settings.connections_max, ..limits.clone() };
        Ok(Self {
            listener,
            tls: tls(settings, data)?,
            room: Arc::new(Semaphore::new(settings.connections_max)),
            crowd: Arc::new(Crowd { admission: Mutex::default(), limits, begun: Instant::now() }),
            proxies: Arc::new(Proxies::new(settings.proxies.clone())),
            body_time: Duration::from_millis(settings.body_ms_max),
        })
    }

    /// Where it listens.
    pub fn address(&self) -> std::io::Result<SocketAddr> {
        self.listener.local_addr()
    }

    /// Whether it speaks TLS.
    pub fn is_tls(&self) -> bool {
        self.tls.is_some()
    }

    /// Serves until `stop` completes. Connections that were upgraded are not waited for.
    pub async fn serve(self, router: Router, stop: impl Future<Output = ()>) {
        let (ending, ended) = watch::channel(());
        let accept = async {
            loop {
                let permit = Arc::clone(&self.room).acquire_owned().await.expect("the semaphore is never closed");
                let (stream, from) = accept(&self.listener).await;
                // A proxy speaks for many networks; those whom it speaks for are counted when they connect to the gate.
                let place = self.crowd.admit(from.ip());
                if place.is_none() && !self.proxies.contain(from.ip()) {
                    continue;
                }
                let (proxies, router) = (self.proxies.clone(), router.clone());
                let visitor = Visitor { from, proxies, router, body_time: self.body_time, ended: ended.clone() };
                let tls = self.tls.clone();
                tokio::spawn(async move {
                    // A client that leaves or is too slow is its own affair.
                    let _ = stream.set_nodelay(true);
                    visitor.welcome(stream, tls).await;
                    drop((place, permit));
                });
            }
        };
        tokio::select! {
            () = accept => unreachable!("it loops"),
            () = stop => {}
        }
        drop(ended);
        let _ = ending.send(());
        let _ = tokio::time::timeout(LAST_TIME, ending.closed()).await;
    }
}

async fn accept(listener: &TcpListener) -> (TcpStream, SocketAddr) {
    loop {
        match listener.accept().await {
            Ok(accepted) => return accepted,
            Err(error) => {
                tracing::warn!(%error, "a connection could not be accepted on the port for browsers");
                tokio::time::sleep(ACCEPT_PAUSE).await;
            }
        }
    }
}

fn tls(settings: &WebSettings, data: &Data) -> Result<Option<TlsAcceptor>> {
    if let Some((certificate, key)) = settings.tls_files() {
        return certificate::from_files(certificate, key).map(Some);
    }
    if settings.self_signed.is_empty() {
        return Ok(None);
    }
    let now = SystemTime::now().duration_since(UNIX_EPOCH).context("the clock is out of reach")?;
    certificate::self_signed(&data.self_signed_path(), &settings.self_signed, now).map(Some)
}

/// How many connections each network has.
struct Crowd {
    admission: Mutex<Admission>,
    limits: GateOptions,
    begun: Instant,
}

impl Crowd {
    /// A place for one more, until it is dropped.
    fn admit(self: &Arc<Self>, address: IpAddr) -> Option<CrowdPlace> {
        let now = Millis(self.begun.elapsed().as_millis() as u64);
        let mut admission = self.admission.lock().expect("nothing panics while it is held");
        admission.admit(address, now, &self.limits).then(|| CrowdPlace { crowd: self.clone(), address })
    }
}

struct CrowdPlace {
    crowd: Arc<Crowd>,
    address: IpAddr,
}

impl Drop for CrowdPlace {
    fn drop(&mut self) {
        self.crowd.admission.lock().expect("nothing panics while it is held").release(self.address);
    }
}

/// One connection of HTTP.
struct Visitor {
    from: SocketAddr,
    proxies: Arc<Proxies>,
    router: Router,
    body_time: Duration,
    ended: watch::Receiver<()>,
}

impl Visitor {
    async fn welcome(self, stream: TcpStream, tls: Option<TlsAcceptor>) {
        let Some(tls) = tls else { return self.speak(stream, false).await };
        // Boxed, so that connections without TLS do not keep room for it.
        if let Ok(Ok(stream)) = Box::pin(tokio::time::timeout(TLS_TIME, tls.accept(stream))).await {
            Box::pin(self.speak(stream, true)).await;
        }
    }

    async fn speak(mut self, stream: impl AsyncRead + AsyncWrite + Send + Unpin + 'static, tls: bool) {
        let Self { from, proxies, router, body_time, .. } = self;
        let service = service_fn(move |request: Request<Incoming>| {
            let mut router = router.clone();
            let remote = proxies.remote(from.ip(), tls, request.headers());
            async move {
                let mut request = match whole(request, body_time).await {
                    Ok(request) => request,
                    Err(refused) => return Ok(refused.into_response()),
                };
                request.extensions_mut().insert(remote);
                request.extensions_mut().insert(ConnectInfo(SocketAddr::new(remote.address, from.port())));
                Ok::<_, Infallible>(router.call(request).await.unwrap_or_else(|never| match never {}))
            }
        });
        let mut builder = http1::Builder::new();
        builder.timer(TokioTimer::new()).header_read_timeout(HEAD_TIME).max_buf_size(HEAD_BYTES_MAX);
        let mut connection = pin!(builder.serve_connection(TokioIo::new(stream), service).with_upgrades());
        tokio::select! {
            _ = &mut connection => return,
            _ = self.ended.changed() => connection.as_mut().graceful_shutdown(),
        }
        let _ = connection.await;
    }
}

/// A request whose body has arrived, and in time: who dawdles is not waited for, whatever is asked.
async fn whole(request: Request<Incoming>, body_time: Duration) -> Result<Request<Body>, impl IntoResponse> {
    // Whoever writes two hosts may also disagree about where a request ends.
    let refused = |status: StatusCode| (status, [(CONNECTION, "close")]);
    if request.headers().get_all(HOST).iter().count() > 1 {
        return Err(refused(StatusCode::BAD_REQUEST));
    }
    let (parts, body) = request.into_parts();
    match tokio::time::timeout(body_time, axum::body::to_bytes(Body::new(body), BODY_BYTES_MAX)).await {
        Ok(Ok(body)) => Ok(Request::from_parts(parts, Body::from(body))),
        Ok(Err(_)) => Err(refused(StatusCode::PAYLOAD_TOO_LARGE)),
        Err(_) => Err(refused(StatusCode::REQUEST_TIMEOUT)),
    }
}
