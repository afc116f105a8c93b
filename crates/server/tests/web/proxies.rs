//! Who asks when a proxy stands in front, and how many may come from one network.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::path::Path;
use std::time::Duration;

use serde_json::json;

use crate::browser::post;
use crate::process::{Server, serve};

fn start(folder: &Path, settings: &[(&str, &str)]) -> Server {
    let mut command = serve(folder);
    command.envs(settings.iter().copied());
    Server::run(command, folder)
}

/// The status of a request for an account.
fn sign_up(server: &Server, user: &str, headers: &[(&str, &str)]) -> u16 {
    let body = json!({ "app": "default", "user": user, "password": "a password of many" }).to_string();
    let headers = [headers, &[("content-type", "application/json")]].concat();
    post(server, "/v1/web/sign-up", &headers, body.as_bytes()).status
}

const HTTPS: (&str, &str) = ("x-forwarded-proto", "https");

#[test]
fn a_proxy_speaks_for_each_of_its_visitors() {
    let folder = tempfile::tempdir().unwrap();
    let limit = ("HONGYAN_LOGIC_SIGN_UPS_PER_ADDRESS", "{ burst = 1, per_minute = 1 }");
    let server = start(folder.path(), &[("HONGYAN_WEB_PROXIES", "[\"127.0.0.1/32\"]"), limit]);
    let from = |address| ("x-forwarded-for", address);
    assert_eq!(sign_up(&server, "ann", &[from("203.0.113.7"), HTTPS]), 201);
    assert_eq!(sign_up(&server, "bob", &[from("203.0.113.7"), HTTPS]), 429, "one address, one limit");
    assert_eq!(sign_up(&server, "bob", &[from("198.51.100.1, 203.0.113.7"), HTTPS]), 429, "as the proxy saw it");
    assert_eq!(sign_up(&server, "bob", &[from("198.51.100.1"), HTTPS]), 201);
    assert_eq!(sign_up(&server, "eve", &[from("198.51.100.9")]), 403, "the password has travelled in clear");
}

#[test]
fn nobody_else_is_believed() {
    let folder = tempfile::tempdir().unwrap();
    let server = start(folder.path(), &[("HONGYAN_LOGIC_SIGN_UPS_PER_ADDRESS", "{ burst = 1, per_minute = 1 }")]);
    assert_eq!(sign_up(&server, "ann", &[("x-forwarded-for", "203.0.113.7")]), 201, "it is this machine");
    assert_eq!(sign_up(&server, "bob", &[("x-forwarded-for", "203.0.113.8"), HTTPS]), 429, "still");
}

/// Whether a new connection is served. It stays open.
fn is_served(server: &Server) -> (bool, TcpStream) {
    let mut stream = TcpStream::connect(server.ready("web").trim_start_matches("http://")).unwrap();
    stream.set_read_timeout(Some(Duration::from_secs(30))).unwrap();
    // It may be closed already.
    let _ = stream.write_all(b"GET /v1/web HTTP/1.1\r\nhost: x\r\n\r\n");
    let read = stream.read(&mut [0; 12]);
    (read.is_ok_and(|bytes| bytes > 0), stream)
}

#[test]
fn row_11_one_network_cannot_use_up_the_port() {
    let cap = ("HONGYAN_GATE_CONNECTIONS_PER_NETWORK_MAX", "2");
    let folder = tempfile::tempdir().unwrap();
    let server = start(folder.path(), &[cap]);
    let open: Vec<_> = (0..3).map(|_| is_served(&server)).collect();
    assert_eq!(open.iter().map(|(served, _)| *served).collect::<Vec<_>>(), [true, true, false]);
    let folder = tempfile::tempdir().unwrap();
    let server = start(folder.path(), &[cap, ("HONGYAN_WEB_PROXIES", "[\"127.0.0.0/8\"]")]);
    let open: Vec<_> = (0..5).map(|_| is_served(&server)).collect();
    assert!(open.iter().all(|(served, _)| *served), "a proxy speaks for many");
}
