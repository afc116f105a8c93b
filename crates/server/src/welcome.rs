//! What a server says once clients are welcome: for people, how to talk with it; for scripts, where it listens.

use std::fs;
use std::io::Write;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::path::Path;

use anyhow::{Context, Result};
use hongyan_client::ServerAddress;
use serde_json::json;

use crate::data::{DEFAULT_APP, Data};
use crate::house::House;
use crate::serve::Addresses;

/// Prints to standard output; logs go to standard error.
pub fn print(open_to: &Addresses, house: &House, data: &Data) {
    let text = text(open_to, &address(open_to, house), data.folder());
    // Nobody may be reading any more.
    let _ = std::io::stdout().lock().write_all(text.as_bytes());
}

fn text(open_to: &Addresses, address: &ServerAddress, data: &Path) -> String {
    let Addresses { tcp, http } = open_to;
    format!(
        "Hongyan {version} is ready. Its data is in {data}.\n\
         \n  clients   {tcp}\n  health    http://{http}/healthz, metrics, administration\n  address   {address}\n\
         \nMake two users, once (each asks for a password):\n\
         \n  hongyan user create alice\n  hongyan user create bob\n\
         \nThen let them talk, each in a terminal of its own:\n\
         \n  hongyan chat {address} --user alice\n  hongyan chat {address} --user bob\n\n",
        version = env!("CARGO_PKG_VERSION"),
        data = data.display(),
    )
}

/// Writes JSON {tcp, http, address, public_key, pid}; the file appears complete or not at all.
pub fn write_ready_file(path: Option<&Path>, open_to: &Addresses, house: &House) -> Result<()> {
    let Some(path) = path else { return Ok(()) };
    let ready = json!({
        "tcp": open_to.tcp.to_string(),
        "http": open_to.http.to_string(),
        "address": address(open_to, house).to_string(),
        "public_key": crate::secret::hex(&house.public_key),
        "pid": std::process::id(),
    });
    let unfinished = path.with_extension("unfinished");
    fs::write(&unfinished, ready.to_string())
        .and_then(|()| fs::rename(&unfinished, path))
        .with_context(|| format!("writing {}", path.display()))
}

/// What clients on this machine connect to.
fn address(open_to: &Addresses, house: &House) -> ServerAddress {
    ServerAddress {
        key: house.public_key,
        host: reachable(open_to.tcp).to_string(),
        port: open_to.tcp.port(),
        app: DEFAULT_APP.to_owned(),
    }
}

/// "All addresses" is none that can be connected to.
fn reachable(address: SocketAddr) -> IpAddr {
    match address.ip() {
        IpAddr::V4(ip) if ip.is_unspecified() => Ipv4Addr::LOCALHOST.into(),
        IpAddr::V6(ip) if ip.is_unspecified() => Ipv6Addr::LOCALHOST.into(),
        ip => ip,
    }
}
