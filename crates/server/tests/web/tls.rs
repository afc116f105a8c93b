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

#[test]
fn with_a_certificate_the_port_speaks_tls_and_nothing_else() {
    let folder = tempfile::tempdir().unwrap();
    let server = start(folder.path());
    let address = server.ready("web").strip_prefix("https://").expect("it says so").to_owned();
    let mut roots = RootCertStore::empty();
    roots.add(CertificateDer::from_pem_slice(CERTIFICATE.as_bytes()).unwrap()).unwrap();
    let config = ClientConfig::builder().with_root_certificates(roots).with_no_client_auth();
    let connection = ClientConnection::new(Arc::new(config), "localhost".try_into().unwrap()).unwrap();
    let mut stream = StreamOwned::new(connection, TcpStream::connect(&address).unwrap());
    let request = b"GET /v1/web HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n\r\n";
    stream.write_all(request).unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    assert!(answer.starts_with("HTTP/1.1 200 ") && answer.contains("\"app\":\"default\""), "{answer}");
    let mut plain = TcpStream::connect(&address).unwrap();
    plain.write_all(request).unwrap();
    let mut answer = Vec::new();
    // A reset is as good as an end.
    let _ = plain.read_to_end(&mut answer);
    assert!(!answer.starts_with(b"HTTP/1.1"), "it is not answered in clear");
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
