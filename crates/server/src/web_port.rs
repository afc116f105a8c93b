//! The port for browsers: HTTP connections, with TLS if there is a certificate, and whose they are. What is served is not
//! known here.

mod crowd;
mod held;
mod stall;
mod visitor;

use std::future::Future;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use anyhow::{Context, Result};
use axum::Router;
use hongyan_gate::GateOptions;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{Semaphore, watch};
use tokio_rustls::TlsAcceptor;

use crate::certificate;
use crate::config::WebSettings;
use crate::data::Data;
use crate::proxies::Proxies;
use crowd::Crowd;
use visitor::Visitor;

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
    write_time: Duration,
}

impl WebPort {
    /// Listens. One network may have as many connections here as at the gate.
    pub async fn open(settings: &WebSettings, limits: &GateOptions, data: &Data) -> Result<Self> {
        let address = settings.listen;
        let listener = TcpListener::bind(address).await.with_context(|| format!("listening on {address}"))?;
        let write_time = Duration::from_millis(limits.write_stall_ms_max);
        let limits = GateOptions { connections_max: settings.connections_max, ..limits.clone() };
        Ok(Self {
            listener,
            tls: tls(settings, data)?,
            room: Arc::new(Semaphore::new(settings.connections_max)),
            crowd: Arc::new(Crowd::new(limits)),
            proxies: Arc::new(Proxies::new(settings.proxies.clone())),
            body_time: Duration::from_millis(settings.body_ms_max),
            write_time,
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
                let (body_time, write_time) = (self.body_time, self.write_time);
                let ended = ended.clone();
                let visitor = Arc::new(Visitor { from, proxies, router, body_time, write_time, ended });
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
