//! What proves to browsers who the server is: files of the operator, or, for development, a certificate that the server
//! signs itself. Serves nothing.

use std::path::Path;
use std::sync::Arc;

use anyhow::{Context, Result, ensure};
use rcgen::{CertificateParams, DistinguishedName, DnType, KeyPair};
use time::{Duration, OffsetDateTime};
use tokio_rustls::TlsAcceptor;
use tokio_rustls::rustls::ServerConfig;
use tokio_rustls::rustls::pki_types::pem::PemObject;
use tokio_rustls::rustls::pki_types::{CertificateDer, PrivateKeyDer};

use crate::secret;

/// More than a year is believed by fewer and fewer systems.
const VALID: Duration = Duration::days(365);
/// One that ends so soon is made anew.
const REMAINING_MIN: Duration = Duration::days(30);

/// From PEM files: the certificate with its chain, and its key.
pub fn from_files(certificate: &Path, key: &Path) -> Result<TlsAcceptor> {
    let chain = CertificateDer::pem_file_iter(certificate).and_then(Iterator::collect::<Result<Vec<_>, _>>);
    let chain = chain.with_context(|| format!("reading {}", certificate.display()))?;
    ensure!(!chain.is_empty(), "{} holds no certificate", certificate.display());
    let key = PrivateKeyDer::from_pem_file(key).with_context(|| format!("reading {}", key.display()))?;
    acceptor(chain, key)
}

/// From the file that an earlier start has made for these names, or from a new one: who has accepted it once in a browser
/// need not do so at every start. `now` is counted from 1970.
pub fn self_signed(file: &Path, names: &[String], now: std::time::Duration) -> Result<TlsAcceptor> {
    let now = OffsetDateTime::UNIX_EPOCH + now;
    let known = if file.try_exists()? { Some(secret::read_private(file)?) } else { None };
    let text = match known.filter(|text| is_good(text, names, now)) {
        Some(text) => text,
        None => {
            let text = make(names, now)?;
            secret::replace(file, &text).with_context(|| format!("writing {}", file.display()))?;
            text
        }
    };
    let reading = || format!("reading {}", file.display());
    let certificate = CertificateDer::from_pem_slice(text.as_bytes()).with_context(reading)?;
    let key = PrivateKeyDer::from_pem_slice(text.as_bytes()).with_context(reading)?;
    acceptor(vec![certificate], key)
}

/// The first line of the file says for whom and until when, in seconds since 1970.
fn first_line(names: &[String], until: OffsetDateTime) -> String {
    format!("until {} for {}", until.unix_timestamp(), names.join(" "))
}

fn is_good(text: &str, names: &[String], now: OffsetDateTime) -> bool {
    let line = text.lines().next().unwrap_or("");
    let until = line.split(' ').nth(1).and_then(|until| OffsetDateTime::from_unix_timestamp(until.parse().ok()?).ok());
    until.is_some_and(|until| line == first_line(names, until) && until - now > REMAINING_MIN)
}

fn make(names: &[String], now: OffsetDateTime) -> Result<String> {
    let mut wanted = CertificateParams::new(names).context("web.self_signed holds what is no name")?;
    wanted.distinguished_name = DistinguishedName::new();
    wanted.distinguished_name.push(DnType::CommonName, "Hongyan, signed by itself");
    // Clocks of other machines may be behind.
    (wanted.not_before, wanted.not_after) = (now - Duration::DAY, now + VALID);
    let key = KeyPair::generate().context("making a key")?;
    let certificate = wanted.self_signed(&key).context("signing the certificate")?;
    Ok(format!("{}\n{}{}", first_line(names, now + VALID), key.serialize_pem(), certificate.pem()))
}

fn acceptor(chain: Vec<CertificateDer<'static>>, key: PrivateKeyDer<'static>) -> Result<TlsAcceptor> {
    let mut config = ServerConfig::builder()
        .with_no_client_auth()
        .with_single_cert(chain, key)
        .context("the key does not belong to the certificate")?;
    config.alpn_protocols = vec![b"http/1.1".to_vec()];
    Ok(TlsAcceptor::from(Arc::new(config)))
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    const NOW: std::time::Duration = std::time::Duration::from_secs(1_700_000_000);
    const DAY: std::time::Duration = std::time::Duration::from_secs(86_400);

    #[test]
    fn one_file_serves_until_its_names_change_or_it_is_old() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("self-signed.pem");
        let opened = |names: &[&str], days: u32| {
            let names: Vec<_> = names.iter().map(|name| (*name).to_owned()).collect();
            self_signed(&file, &names, NOW + days * DAY).map(|_| fs::read_to_string(&file).unwrap())
        };
        let first = opened(&["localhost", "192.0.2.7"], 0).unwrap();
        assert_eq!(opened(&["localhost", "192.0.2.7"], 330).unwrap(), first);
        let later = opened(&["localhost", "192.0.2.7"], 336).unwrap();
        assert_ne!(later, first, "it would soon end");
        assert_ne!(opened(&["localhost"], 336).unwrap(), later, "other names");
        assert!(opened(&["not a näme"], 336).is_err());
        fs::write(&file, "until now").unwrap();
        assert!(opened(&["localhost"], 0).unwrap().contains("BEGIN CERTIFICATE"));
    }
}
