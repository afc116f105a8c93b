//! `hongyan serve`: the life of a server, from its first log line to its exit code.

use std::future::Future;
use std::net::SocketAddr;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, Result};
use axum::Router;
use hongyan_api::Api;
use hongyan_client::ServerAddress;
use hongyan_gate::{Gate, tcp};
use tokio::net::TcpListener;
use tokio::runtime::Runtime;
use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::sync::watch;

use crate::config::{Config, ServerOptions};
use crate::data::{self, Data};
use crate::house::House;
use crate::web_port::WebPort;
use crate::{telemetry, welcome};

/// What is still running when everything has been told to end gets this time.
const LEFTOVER_TIME: Duration = Duration::from_secs(2);

/// Runs until a signal comes, then sends clients away and stops.
pub fn serve(config: Config, ready_file: Option<&Path>) -> Result<()> {
    telemetry::start(&config.log)?;
    data::keep_files_private();
    raise_file_limit();
    let data = Data::open(&config.server.data)?;
    let runtime = runtime(&config.server)?;
    runtime.block_on(async {
        let mut signals = Signals::listen()?;
        let house = House::open(&config, &data).await?;
        let doors = Doors::open(&config, &data).await?;
        let open_to = doors.addresses(house.public_key)?;
        let (stop, stopped) = watch::channel(false);
        let serving = doors.serve(house.gate.clone(), house.api, house.web, stopped);
        house.readiness.set(true);
        welcome::write_files(&open_to, &data, ready_file)?;
        welcome::print(&open_to, &data);
        let name = signals.next().await;
        tracing::info!(signal = name, deadline_ms = config.server.drain_ms_max, "draining");
        house.readiness.set(false);
        tokio::select! {
            () = house.gate.drain(config.server.drain_ms_max) => {}
            name = signals.next() => tracing::warn!(signal = name, "not waiting for clients to leave"),
        }
        stop.send_replace(true);
        serving.await;
        house.store.shutdown();
        tracing::info!("stopped");
        Ok::<_, anyhow::Error>(())
    })?;
    runtime.shutdown_timeout(LEFTOVER_TIME);
    Ok(())
}

fn runtime(options: &ServerOptions) -> Result<Runtime> {
    let mut builder = tokio::runtime::Builder::new_multi_thread();
    if options.worker_threads > 0 {
        builder.worker_threads(options.worker_threads);
    }
    builder.enable_all().build().context("starting the runtime")
}

/// Every connection needs a file descriptor; the soft limit is often far below what the system allows.
fn raise_file_limit() {
    use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
    let limit = getrlimit(Resource::Nofile);
    let raised = Rlimit { current: limit.maximum, maximum: limit.maximum };
    if let Err(error) = setrlimit(Resource::Nofile, raised) {
        tracing::warn!(%error, "the limit of open files was not raised");
    }
}

/// The ports.
struct Doors {
    tcp: Vec<TcpListener>,
    http: TcpListener,
    web: WebPort,
}

/// Where a server listens.
pub struct Addresses {
    /// For messaging clients.
    pub tcp: SocketAddr,
    /// For health, metrics and administration.
    pub http: SocketAddr,
    /// For browsers.
    pub web: String,
    /// What clients of this machine are told.
    pub address: ServerAddress,
}

impl Doors {
    async fn open(config: &Config, data: &Data) -> Result<Self> {
        let (listen, http) = (config.server.listen, config.server.http_listen);
        // The gate's sockets share their port, and would share it with another server, too: only a socket that shares
        // nothing finds out.
        drop(std::net::TcpListener::bind(listen).with_context(|| format!("listening on {listen}"))?);
        let tcp = tcp::listen(listen, config.gate.acceptors).with_context(|| format!("listening on {listen}"))?;
        let http = TcpListener::bind(http).await.with_context(|| format!("listening on {http}"))?;
        let web = WebPort::open(&config.web, &config.gate, data).await?;
        Ok(Self { tcp, http, web })
    }

    fn addresses(&self, public_key: [u8; 32]) -> Result<Addresses> {
        let (tcp, http) = (self.tcp[0].local_addr()?, self.http.local_addr()?);
        let scheme = if self.web.is_tls() { "https" } else { "http" };
        let web = format!("{scheme}://{}", self.web.address()?);
        Ok(Addresses { tcp, http, web, address: welcome::address(public_key, tcp) })
    }

    /// Lets clients in until told to stop; what is returned then completes.
    fn serve(self, gate: Arc<Gate>, api: Api, web: Router, stopped: watch::Receiver<bool>) -> impl Future<Output = ()> {
        let http = tokio::spawn(api.serve(self.http, is_stopped(stopped.clone())));
        let web = tokio::spawn(self.web.serve(web, is_stopped(stopped)));
        let accept = |listener| tokio::spawn(tcp::accept(gate.clone(), listener));
        let acceptors: Vec<_> = self.tcp.into_iter().map(accept).collect();
        async move {
            let _ = (http.await, web.await);
            acceptors.iter().for_each(tokio::task::JoinHandle::abort);
        }
    }
}

async fn is_stopped(mut stopped: watch::Receiver<bool>) {
    // An error means that whoever could say stop is gone.
    let _ = stopped.wait_for(|stopped| *stopped).await;
}

/// What asks the process to end.
struct Signals {
    terminate: Signal,
    interrupt: Signal,
}

impl Signals {
    fn listen() -> Result<Self> {
        Ok(Self { terminate: signal(SignalKind::terminate())?, interrupt: signal(SignalKind::interrupt())? })
    }

    async fn next(&mut self) -> &'static str {
        tokio::select! {
            _ = self.terminate.recv() => "SIGTERM",
            _ = self.interrupt.recv() => "SIGINT",
        }
    }
}
