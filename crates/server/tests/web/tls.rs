//! The port for browsers with a certificate.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::sync::Arc;

use tokio_rustls::rustls::pki_types::CertificateDer;
use tokio_rustls::rustls::pki_types::pem::PemObject;
use tokio_rustls::rustls::{ClientConfig, ClientConnection, RootCertStore, StreamOwned};

use crate::process::{Server, serve};

/// Of `localhost`, signed by itself, valid for a hundred years.
const CERTIFICATE: &str = include_str!("certificate.pem");
const KEY: &str = include_str!("certificate.key");

fn start(folder: &std::path::Path) -> Server {
    std::fs::write(folder.join("certificate.pem"), CERTIFICATE).unwrap();
    std::fs::write(folder.join("certificate.key"), KEY).unwrap();
    let mut command = serve(folder);
    command.env("HONGYAN_WEB_CERTIFICATE", "certificate.pem").env("HONGYAN_WEB_KEY", "certificate.key");
    Server::run(command, folder)
}

const REQUEST: &[u8] = b"GET /v1/web HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n\r\n";

fn address(server: &Server) -> &str {
    server.ready("web").strip_prefix("https://").expect("it says so")
}

/// What is answered to somebody who trusts this certificate alone, and calls the server so.
fn ask(server: &Server, certificate: &[u8], name: &'static str) -> std::io::Result<String> {
    let mut roots = RootCertStore::empty();
    roots.add(CertificateDer::from_pem_slice(certificate).unwrap()).unwrap();
    let config = ClientConfig::builder().with_root_certificates(roots).with_no_client_auth();
    let connection = ClientConnection::new(Arc::new(config), name.try_into().unwrap()).unwrap();
    let mut stream = StreamOwned::new(connection, TcpStream::connect(address(server)).unwrap());
    stream.write_all(REQUEST)?;
    let mut answer = String::new();
    stream.read_to_string(&mut answer)?;
    Ok(answer)
}

#[test]
fn with_a_certificate_the_port_speaks_tls_and_nothing_else() {
    let folder = tempfile::tempdir().unwrap();
    let server = start(folder.path());
    let answer = ask(&server, CERTIFICATE.as_bytes(), "localhost").unwrap();
    assert!(answer.starts_with("HTTP/1.1 200 ") && answer.contains("\"app\":\"default\""), "{answer}");
    let mut plain = TcpStream::connect(address(&server)).unwrap();
    plain.write_all(REQUEST).unwrap();
    let mut answer = Vec::new();
    // A reset is as good as an end.
    let _ = plain.read_to_end(&mut answer);
    assert!(!answer.starts_with(b"HTTP/1.1"), "it is not answered in clear");
}

#[test]
fn for_development_the_server_signs_a_certificate_once() {
    let folder = tempfile::tempdir().unwrap();
    let start = || {
        let mut command = serve(folder.path());
        command.env("HONGYAN_WEB_SELF_SIGNED", "[\"dev.example\", \"127.0.0.1\"]");
        let server = Server::run(command, folder.path());
        (server, std::fs::read(folder.path().join("data/self-signed.pem")).unwrap())
    };
    let (server, certificate) = start();
    for name in ["dev.example", "127.0.0.1"] {
        assert!(ask(&server, &certificate, name).unwrap().starts_with("HTTP/1.1 200 "), "{name}");
    }
    assert!(ask(&server, &certificate, "localhost").is_err(), "it is not for that name");
    drop(server);
    assert_eq!(start().1, certificate, "whoever has accepted it need not do so again");
}

#[test]
fn a_certificate_without_its_key_stops_the_server() {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("certificate.pem"), CERTIFICATE).unwrap();
    for (certificate, key, complaint) in [
        ("certificate.pem", "", "web.certificate and web.key belong together"),
        ("certificate.pem", "nowhere.key", "reading nowhere.key"),
        ("nowhere.pem", "certificate.pem", "reading nowhere.pem"),
    ] {
        let mut command = serve(folder.path());
        command.env("HONGYAN_WEB_CERTIFICATE", certificate).env("HONGYAN_WEB_KEY", key);
        let output = command.output().unwrap();
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        assert!(!output.status.success() && said.contains(complaint), "{said}");
    }
}
