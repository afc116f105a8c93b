//! Configuration: the compiled-in defaults, overridden by a file, by `HONGYAN_*` variables, by arguments, in this order.
//! Every key is documented in `config/default.toml`, and a key that is not there is an error. Secrets are not here but
//! in files of their own.

use std::fmt;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail, ensure};
use hongyan_api::ApiOptions;
use hongyan_api::bridge::Origin;
use hongyan_domain::name::Name;
use hongyan_gate::GateOptions;
use hongyan_gate::http::HttpOptions;
use hongyan_logic::LogicOptions;
use hongyan_store::sqlite::SqliteOptions;
use ipnet::IpNet;
use serde::{Deserialize, Serialize};
use toml::{Table, Value};

use crate::password_pool::PasswordOptions;
use crate::retention::RetentionSettings;
use crate::telemetry::LogOptions;

/// The documented defaults.
pub const DEFAULT: &str = include_str!("../../../config/default.toml");
/// Read if no other file is named.
const FILE: &str = "hongyan.toml";
const PREFIX: &str = "HONGYAN_";
/// Variables of this prefix that are arguments of commands, not keys.
const ARGUMENTS: [&str; 8] = ["CONFIG", "HTTP", "ADMIN_KEY", "SERVER", "USER", "PASSWORD", "TOKEN", "PROFILE"];

/// One section for each part.
#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct Config {
    pub server: ServerOptions,
    pub gate: GateOptions,
    pub web: WebSettings,
    pub http: HttpOptions,
    pub logic: LogicOptions,
    pub store: StoreOptions,
    pub retention: RetentionSettings,
    pub api: ApiOptions,
    pub passwords: PasswordOptions,
    pub log: LogOptions,
}

/// The process itself.
#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct ServerOptions {
    pub data: PathBuf,
    pub listen: SocketAddr,
    pub http_listen: SocketAddr,
    pub worker_threads: usize,
    pub drain_ms_max: u64,
}

/// The port for browsers, and the chat behind it.
#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct WebSettings {
    pub listen: SocketAddr,
    pub certificate: PathBuf,
    pub key: PathBuf,
    pub self_signed: Vec<String>,
    pub proxies: Vec<IpNet>,
    pub connections_max: usize,
    pub body_ms_max: u64,
    pub app: String,
    pub sign_up: bool,
    bridge_origins: Vec<String>,
}

impl WebSettings {
    /// Whose pages may put the bridge into a frame.
    pub fn bridges(&self) -> Result<Vec<Origin>> {
        let wrong = |text: &str| {
            format!("web.bridge_origins: {text:?} is not as browsers write it, such as \"https://www.example.com\"")
        };
        self.bridge_origins.iter().map(|text| Origin::parse(text).with_context(|| wrong(text))).collect()
    }

    /// Certificate and key, if there are any.
    pub fn tls_files(&self) -> Option<(&Path, &Path)> {
        (!self.certificate.as_os_str().is_empty()).then_some((&*self.certificate, &*self.key))
    }
}

/// The embedded store.
#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct StoreOptions {
    pub readers: usize,
    pub reads_waiting_max: usize,
    pub read_deadline_ms: u64,
    pub writes_waiting_max: usize,
    pub batch_items_max: usize,
    pub disk_reserve_bytes: u64,
}

impl StoreOptions {
    /// As the store takes them.
    pub fn sqlite(&self) -> SqliteOptions {
        SqliteOptions {
            readers: self.readers,
            reads_waiting_max: self.reads_waiting_max,
            read_deadline_ms: self.read_deadline_ms,
            writes_waiting_max: self.writes_waiting_max,
            batch_items_max: self.batch_items_max,
            disk_reserve_bytes: self.disk_reserve_bytes,
            ..SqliteOptions::default()
        }
    }
}

impl Config {
    /// Reads everything. `overrides` are keys and values in the spelling of [`Config::set`].
    pub fn load(
        file: Option<&Path>,
        variables: impl Iterator<Item = (String, String)>,
        overrides: &[(&str, String)],
    ) -> Result<Self> {
        let defaults: Table = DEFAULT.parse().expect("the defaults are tested");
        let mut table = defaults.clone();
        if let Some((name, text)) = read(file)? {
            let found: Table = text.parse().with_context(|| format!("{name} is no TOML"))?;
            merge(&mut table, found, "").with_context(|| format!("in {name}"))?;
        }
        for (name, value) in variables {
            if let Some(key) = name.strip_prefix(PREFIX).filter(|key| !ARGUMENTS.contains(key)) {
                set(&mut table, &key_of_variable(key), &value).with_context(|| format!("in the variable {name}"))?;
            }
        }
        for (key, value) in overrides {
            set(&mut table, key, value)?;
        }
        let config: Self = Value::Table(table).try_into().context("the configuration is wrong")?;
        config.check()?;
        Ok(config)
    }

    /// What types cannot say.
    fn check(&self) -> Result<()> {
        ensure!(self.gate.acceptors > 0, "gate.acceptors must be at least 1");
        ensure!(self.gate.outgoing_bytes_max >= 65_536, "gate.outgoing_bytes_max must hold a frame: at least 65536");
        ensure!(self.web.connections_max > 0, "web.connections_max must be at least 1");
        ensure!(Name::parse(&self.web.app).is_some(), "web.app must be a name: 1-64 of A-Z a-z 0-9 . _ - @");
        self.web.bridges()?;
        let tls_is_whole = self.web.certificate.as_os_str().is_empty() == self.web.key.as_os_str().is_empty();
        ensure!(tls_is_whole, "web.certificate and web.key belong together");
        let one_certificate = self.web.tls_files().is_none() || self.web.self_signed.is_empty();
        ensure!(one_certificate, "web.self_signed is for servers without web.certificate");
        ensure!(self.api.connections_max > 0, "api.connections_max must be at least 1");
        ensure!(self.passwords.threads > 0, "passwords.threads must be at least 1");
        ensure!(self.logic.visitor_mark_days > 0, "logic.visitor_mark_days must be at least 1");
        self.retention.check(self.gate.ticket_days)?;
        self.passwords.check()
    }
}

impl fmt::Display for Config {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&toml::to_string(self).map_err(|_| fmt::Error)?)
    }
}

fn read(file: Option<&Path>) -> Result<Option<(String, String)>> {
    let (path, required) = file.map_or((Path::new(FILE), false), |file| (file, true));
    match std::fs::read_to_string(path) {
        Ok(text) => Ok(Some((path.display().to_string(), text))),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound && !required => Ok(None),
        Err(error) => Err(error).with_context(|| format!("reading {}", path.display())),
    }
}

/// `GATE_FRAMES_BURST` is `gate.frames_burst`: sections are single words.
fn key_of_variable(variable: &str) -> String {
    variable.to_ascii_lowercase().replacen('_', ".", 1)
}

/// Replaces what is there; never adds a key.
fn merge(into: &mut Table, from: Table, path: &str) -> Result<()> {
    for (key, value) in from {
        let path = if path.is_empty() { key.clone() } else { format!("{path}.{key}") };
        match (into.get_mut(&key), value) {
            (None, _) => bail!("there is no key {path}; `hongyan config print --default` lists all"),
            (Some(Value::Table(into)), Value::Table(from)) => merge(into, from, &path)?,
            (Some(known), value) if known.same_type(&value) => *known = value,
            (Some(known), value) => bail!("{path} must be {}, not {}", known.type_str(), value.type_str()),
        }
    }
    Ok(())
}

/// Sets a key from text, read as what the key is: a string needs no quotes.
fn set(table: &mut Table, path: &str, text: &str) -> Result<()> {
    let known = path.split('.').try_fold(&Value::Table(table.clone()), |value, key| value.get(key)).cloned();
    let value = match known {
        None => bail!("there is no key {path}; `hongyan config print --default` lists all"),
        Some(Value::String(_)) => Value::String(text.to_owned()),
        Some(_) => {
            let line: Table = format!("value = {text}").parse().with_context(|| format!("the value of {path}"))?;
            line.into_iter().next().expect("it was just written").1
        }
    };
    let nested = path.rsplit('.').fold(value, |value, key| Value::Table(Table::from_iter([(key.to_owned(), value)])));
    let Value::Table(nested) = nested else { unreachable!("a path has at least one key") };
    merge(table, nested, "")
}

#[cfg(test)]
mod tests {
    use hongyan_store::sqlite::RetentionOptions;

    use super::*;

    fn load(file: &str, variables: &[(&str, &str)], overrides: &[(&str, &str)]) -> Result<Config> {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("config.toml");
        std::fs::write(&path, file).unwrap();
        let variables = variables.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned()));
        let overrides: Vec<_> = overrides.iter().map(|(key, value)| (*key, (*value).to_owned())).collect();
        Config::load(Some(&path), variables, &overrides)
    }

    #[test]
    fn the_documented_defaults_are_those_of_the_code() {
        let config = load("", &[], &[]).unwrap();
        assert_eq!(config.gate, GateOptions::default());
        assert_eq!(config.api, ApiOptions::default());
        assert_eq!(config.http, HttpOptions::default());
        assert_eq!(config.logic, LogicOptions::default());
        let (kept, expected) = (config.retention.options(), RetentionOptions::default());
        assert_eq!((kept.inbox_days, kept.inbox_entries_max), (expected.inbox_days, expected.inbox_entries_max));
        assert_eq!((kept.key_days, kept.session_days), (expected.key_days, expected.session_days));
        let (store, expected) = (config.store.sqlite(), SqliteOptions::default());
        assert_eq!((store.readers, store.reads_waiting_max), (expected.readers, expected.reads_waiting_max));
        assert_eq!(
            (store.writes_waiting_max, store.batch_items_max),
            (expected.writes_waiting_max, expected.batch_items_max)
        );
        assert_eq!(
            (store.read_deadline_ms, store.disk_reserve_bytes),
            (expected.read_deadline_ms, expected.disk_reserve_bytes)
        );
    }

    #[test]
    fn later_sources_override_earlier_ones() {
        let file = "[gate]\nframes_burst = 7\nframes_per_second = 8\n[server]\ndata = \"elsewhere\"";
        let variables = [("HONGYAN_GATE_FRAMES_BURST", "9"), ("HONGYAN_USER", "alice"), ("PATH", "/bin")];
        let config = load(file, &variables, &[("server.listen", "127.0.0.1:0")]).unwrap();
        assert_eq!((config.gate.frames_burst, config.gate.frames_per_second), (9, 8));
        assert_eq!(config.server.data, Path::new("elsewhere"));
        assert_eq!(config.server.listen, "127.0.0.1:0".parse().unwrap());
        let again = load(&config.to_string(), &[], &[]).unwrap();
        assert_eq!(again.to_string(), config.to_string(), "what is printed can be read");
    }

    #[test]
    fn mistakes_are_named() {
        let message = |result: Result<Config>| format!("{:#}", result.unwrap_err());
        assert!(message(load("[gate]\nframes_bursts = 7", &[], &[])).contains("no key gate.frames_bursts"));
        assert!(message(load("[gates]\nframes_burst = 7", &[], &[])).contains("no key gates"));
        assert!(message(load("[gate]\nframes_burst = \"7\"", &[], &[])).contains("gate.frames_burst must be integer"));
        assert!(message(load("[gate]\nframes_burst = -7", &[], &[])).contains("frames_burst"));
        assert!(message(load("[gate]\nacceptors = 0", &[], &[])).contains("gate.acceptors"));
        let bridge = "[web]\nbridge_origins = [\"https://www.example.com\", \"https://*.example.com\"]";
        assert!(message(load(bridge, &[], &[])).contains("web.bridge_origins: \"https://*.example.com\""));
        assert!(message(load("[gate]\nticket_days = 60", &[], &[])).contains("retention.session_days"));
        let variable = [("HONGYAN_GATE_FRAMES_BURSTS", "7")];
        assert!(message(load("", &variable, &[])).contains("HONGYAN_GATE_FRAMES_BURSTS"));
        assert!(Config::load(Some(Path::new("/nowhere/at/all.toml")), std::iter::empty(), &[]).is_err());
    }
}
