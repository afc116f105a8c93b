//! What a server says once clients are welcome: for people, how to talk with it; for scripts, where it listens.

use std::fs;
use std::io::Write;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::path::Path;

use anyhow::{Context, Result};
use hongyan_client::ServerAddress;
use serde_json::json;

use crate::data::{DEFAULT_APP, Data};
use crate::serve::Addresses;

/// Where commands look if they are told nothing.
const DATA: &str = "data";
const HTTP: &str = "127.0.0.1:7301";

/// Prints to standard output; logs go to standard error.
pub fn print(open_to: &Addresses, data: &Data) {
    let program = std::env::args().next().unwrap_or_else(|| "hongyan".to_owned());
    let text = text(&program, open_to, data.folder());
    // Nobody may be reading any more.
    let _ = std::io::stdout().lock().write_all(text.as_bytes());
}

/// `program` as this one was called, so that what is printed can be typed in the same folder.
fn text(program: &str, open_to: &Addresses, data: &Path) -> String {
    let Addresses { tcp, http, web, address } = open_to;
    let (create, chat) = (administration(*http, data), server(address, data));
    format!(
        "Hongyan {version} is ready. Its data is in {data}.\n\
         \n  chat      {web} for browsers: sign up, and talk\n  clients   {tcp}\n  http      http://{http} for health, metrics, administration\n  address   {address}\n\
         \nFor terminals, make two users, once (each asks for a password):\n\
         \n  {program} user create alice{create}\n  {program} user create bob{create}\n\
         \nThen let them talk, each in a terminal of its own:\n\
         \n  {program} chat --user alice{chat}\n  {program} chat --user bob{chat}\n\n",
        version = env!("CARGO_PKG_VERSION"),
        data = data.display(),
    )
}

/// Arguments of administration, unless they are the defaults.
fn administration(http: SocketAddr, data: &Path) -> String {
    let mut arguments = String::new();
    if data != Path::new(DATA) {
        arguments += &format!(" --data {}", data.display());
    }
    if http.to_string() != HTTP {
        arguments += &format!(" --http {http}");
    }
    arguments
}

/// The argument of clients, unless they find the address by themselves.
fn server(address: &ServerAddress, data: &Path) -> String {
    if data == Path::new(DATA) { String::new() } else { format!(" --server {address}") }
}

/// Writes the address where local clients look for it, and JSON {tcp, http, web, address, public_key, pid} where it was asked
/// for. A file appears complete or not at all.
pub fn write_files(open_to: &Addresses, data: &Data, ready_file: Option<&Path>) -> Result<()> {
    let address = open_to.address.to_string();
    write(&data.address_path(), &format!("{address}\n"))?;
    let Some(path) = ready_file else { return Ok(()) };
    let ready = json!({
        "tcp": open_to.tcp.to_string(),
        "http": open_to.http.to_string(),
        "web": open_to.web,
        "address": address,
        "public_key": crate::secret::hex(&open_to.address.key),
        "pid": std::process::id(),
    });
    write(path, &ready.to_string())
}

fn write(path: &Path, text: &str) -> Result<()> {
    let unfinished = path.with_extension("unfinished");
    fs::write(&unfinished, text)
        .and_then(|()| fs::rename(&unfinished, path))
        .with_context(|| format!("writing {}", path.display()))
}

/// What clients on this machine connect to.
pub fn address(key: [u8; 32], tcp: SocketAddr) -> ServerAddress {
    ServerAddress { key, host: reachable(tcp).to_string(), port: tcp.port(), app: DEFAULT_APP.to_owned() }
}

/// "All addresses" is none that can be connected to.
fn reachable(address: SocketAddr) -> IpAddr {
    match address.ip() {
        IpAddr::V4(ip) if ip.is_unspecified() => Ipv4Addr::LOCALHOST.into(),
        IpAddr::V6(ip) if ip.is_unspecified() => Ipv6Addr::LOCALHOST.into(),
        ip => ip,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_printed_can_be_typed() {
        let address = ServerAddress { key: [7; 32], host: "127.0.0.1".into(), port: 7300, app: "default".into() };
        let at = |http: &str| Addresses {
            tcp: "127.0.0.1:7300".parse().unwrap(),
            http: http.parse().unwrap(),
            web: "http://127.0.0.1:7302".into(),
            address: address.clone(),
        };
        let plain = text("hongyan", &at(HTTP), Path::new(DATA));
        assert!(plain.contains("\n  hongyan user create alice\n") && plain.contains("\n  hongyan chat --user bob\n"));
        let other = text("target/release/hongyan", &at("127.0.0.1:9"), Path::new("/srv/im"));
        assert!(other.contains("  target/release/hongyan user create alice --data /srv/im --http 127.0.0.1:9\n"));
        assert!(other.contains(&format!("--user bob --server {address}\n")));
    }
}
