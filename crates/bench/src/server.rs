//! The server that is measured: started here on a folder of its own, or one that runs already. Starting, killing, and
//! asking it for its numbers; what is measured is the scenarios' business.

use std::fs::{self, File};
use std::net::{SocketAddr, ToSocketAddrs};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use anyhow::{Context, Result, bail, ensure};
use hongyan_client::ServerAddress;
use tempfile::TempDir;

use crate::arguments::Target;
use crate::coat::By;
use crate::disk;
use crate::metrics::Metrics;
use crate::process::{self, Usage};
use crate::swarm::Way;
use crate::token::Signer;

/// What is raised, because a load generator is many clients on one machine. Everything else is default.
pub const RAISED: [(&str, &str); 10] = [
    ("gate.frames_per_second", "1000000"),
    ("gate.frames_burst", "1000000"),
    ("gate.connects_per_network_per_second", "1000000"),
    ("gate.connections_per_network_max", "200000"),
    ("logic.logins_per_address", "{ burst = 1000000, per_minute = 60000000 }"),
    ("logic.logins_per_account", "{ burst = 1000000, per_minute = 60000000 }"),
    ("logic.first_contacts_per_user", "{ burst = 1000000, per_minute = 60000000 }"),
    ("logic.sends_per_group", "{ burst = 1000000, per_minute = 60000000 }"),
    ("logic.group_sends_per_session", "{ burst = 1000000, per_minute = 60000000 }"),
    ("logic.invitations_per_user", "{ burst = 1000000, per_minute = 60000000 }"),
];

const READY_TIME_MAX: Duration = Duration::from_secs(30);
const STOP_TIME_MAX: Duration = Duration::from_secs(30);
const POLL_EVERY: Duration = Duration::from_millis(5);
/// Of the server's log, shown when it dies.
const LOG_LINES_SHOWN: usize = 20;

/// A server and what is needed to use it.
pub struct Server {
    /// Its key and app.
    pub address: ServerAddress,
    /// Where it takes clients.
    pub tcp: SocketAddr,
    /// Signs tokens for its app.
    pub signer: Signer,
    /// Median time of a disk sync in its data folder, in microseconds.
    pub fsync_median_us: Option<u64>,
    http: Option<SocketAddr>,
    /// How clients come in.
    pub by: By,
    web: Option<SocketAddr>,
    pid: Option<u32>,
    own: Option<Own>,
}

/// A server that was started here.
struct Own {
    binary: PathBuf,
    folder: TempDir,
    child: Child,
}

impl Server {
    /// The server for one measurement.
    pub fn obtain(target: &Target, name: &str) -> Result<Self> {
        match &target.server {
            Some(address) => Self::running(target, address),
            None => Self::start(target, name),
        }
    }

    fn running(target: &Target, address: &ServerAddress) -> Result<Self> {
        let key_file = target.token_key_file.as_deref().context("--server needs --token-key-file")?;
        let tcp = address.authority().to_socket_addrs()?.next().context("the server's name has no address")?;
        Ok(Self {
            address: address.clone(),
            tcp,
            signer: signer(key_file, &target.token_key_id)?,
            fsync_median_us: None,
            http: target.server_http,
            by: target.by,
            web: None,
            pid: target.server_pid,
            own: None,
        })
    }

    fn start(target: &Target, name: &str) -> Result<Self> {
        let parent = target.data_parent.clone().map_or_else(disk::default_parent, Ok)?;
        let folder = disk::folder(&parent, name)?;
        let fsync_median_us = Some(disk::fsync_median_us(folder.path())?);
        let binary = target.server_binary.clone().map_or_else(beside_this, Ok)?;
        let any = SocketAddr::from(([127, 0, 0, 1], 0));
        let mut child = spawn(&binary, folder.path(), any, target.by)?;
        let ready = ready(&mut child, folder.path())?;
        let signer = signer(&folder.path().join("data/apps/default/main.key"), "main")?;
        let Ready { address, tcp, http, web } = ready;
        let pid = Some(child.id());
        Ok(Self {
            address,
            tcp,
            signer,
            fsync_median_us,
            http: Some(http),
            by: target.by,
            web: Some(web),
            pid,
            own: Some(Own { binary, folder, child }),
        })
    }

    /// Where clients connect.
    pub fn way_in(&self, by: By) -> Result<Way> {
        let web = || self.web.context("--by works with servers that are started here");
        Ok(Way { by, server: if by == By::Tcp { self.tcp } else { web()? } })
    }

    /// CPU and memory, if the server runs on this machine and its process is known.
    pub fn usage(&self) -> Result<Option<Usage>> {
        self.pid.map(process::usage).transpose()
    }

    /// Its own numbers, if its HTTP address is known.
    pub fn metrics(&self) -> Result<Option<Metrics>> {
        self.http.map(Metrics::read).transpose()
    }

    /// Whether it was started here, so that it may be administered and killed.
    pub fn is_own(&self) -> bool {
        self.own.is_some()
    }

    /// Makes a built-in account; only for a server that was started here.
    pub fn create_user(&self, user: &str, password: &str) -> Result<()> {
        let (Some(own), Some(http)) = (&self.own, self.http) else { bail!("the server was not started here") };
        let mut child = Command::new(&own.binary)
            .args(["user", "create", user, "--http", &http.to_string(), "--data"])
            .arg(own.folder.path().join("data"))
            .current_dir(own.folder.path())
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .spawn()?;
        let mut input = child.stdin.take().context("its input is a pipe")?;
        std::io::Write::write_all(&mut input, format!("{password}\n").as_bytes())?;
        drop(input);
        ensure!(child.wait()?.success(), "hongyan user create failed");
        Ok(())
    }

    /// kill -9, as a power cut of the process would.
    pub fn kill(&mut self) -> Result<()> {
        let own = self.own.as_mut().context("the server was not started here")?;
        own.child.kill()?;
        own.child.wait()?;
        Ok(())
    }

    /// Starts a killed server again, on the same data and port.
    pub fn restart(&mut self) -> Result<()> {
        let tcp = self.tcp;
        let own = self.own.as_mut().context("the server was not started here")?;
        fs::remove_file(ready_file(own.folder.path()))?;
        own.child = spawn(&own.binary, own.folder.path(), tcp, self.by)?;
        let ready = ready(&mut own.child, own.folder.path())?;
        ensure!(ready.address == self.address, "the server came back with another key");
        self.http = Some(ready.http);
        self.pid = Some(own.child.id());
        Ok(())
    }

    /// Fails if a server that was started here has ended.
    pub fn check(&mut self) -> Result<()> {
        let Some(own) = &mut self.own else { return Ok(()) };
        match own.child.try_wait()? {
            Some(status) => {
                bail!("the server has ended ({status}); its last words:\n{}", last_words(own.folder.path()))
            }
            None => Ok(()),
        }
    }
}

impl Drop for Own {
    fn drop(&mut self) {
        let pid = rustix::process::Pid::from_child(&self.child);
        // It may have ended already; then there is nothing to stop.
        let _ = rustix::process::kill_process(pid, rustix::process::Signal::TERM);
        let deadline = Instant::now() + STOP_TIME_MAX;
        while Instant::now() < deadline {
            if !matches!(self.child.try_wait(), Ok(None)) {
                return;
            }
            std::thread::sleep(POLL_EVERY);
        }
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

struct Ready {
    address: ServerAddress,
    tcp: SocketAddr,
    http: SocketAddr,
    web: SocketAddr,
}

fn beside_this() -> Result<PathBuf> {
    let binary = std::env::current_exe().context("where am I?")?.with_file_name("hongyan");
    ensure!(binary.exists(), "there is no {}: build it, or name it with --server-binary", binary.display());
    Ok(binary)
}

fn ready_file(folder: &Path) -> PathBuf {
    folder.join("ready.json")
}

fn log_file(folder: &Path) -> PathBuf {
    folder.join("server.log")
}

fn spawn(binary: &Path, folder: &Path, tcp: SocketAddr, by: By) -> Result<Child> {
    let log = File::options().append(true).create(true).open(log_file(folder))?;
    let binary = fs::canonicalize(binary).with_context(|| format!("looking for {}", binary.display()))?;
    let mut command = Command::new(&binary);
    // Nothing of this shell's settings may change what is measured.
    for (name, _) in std::env::vars_os().filter(|(name, _)| name.to_string_lossy().starts_with("HONGYAN_")) {
        command.env_remove(name);
    }
    for (key, value) in RAISED {
        command.env(format!("HONGYAN_{}", key.replace('.', "_").to_uppercase()), value);
    }
    if by == By::Often {
        command.env("HONGYAN_HTTP_POLL_HOLD_MS", "1");
    }
    command
        .current_dir(folder)
        .args([
            "serve",
            "--web",
            "127.0.0.1:0",
            "--data",
            "data",
            "--http",
            "127.0.0.1:0",
            "--listen",
            &tcp.to_string(),
            "--ready-file",
        ])
        .arg(ready_file(folder))
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(log)
        .spawn()
        .with_context(|| format!("starting {}", binary.display()))
}

fn ready(child: &mut Child, folder: &Path) -> Result<Ready> {
    let deadline = Instant::now() + READY_TIME_MAX;
    loop {
        if let Ok(text) = fs::read_to_string(ready_file(folder)) {
            return parse_ready(&text).context("the server's ready file is wrong");
        }
        if let Some(status) = child.try_wait()? {
            bail!("the server did not start ({status}):\n{}", last_words(folder));
        }
        if Instant::now() > deadline {
            child.kill()?;
            bail!("the server was not ready after {} s:\n{}", READY_TIME_MAX.as_secs(), last_words(folder));
        }
        std::thread::sleep(POLL_EVERY);
    }
}

fn parse_ready(text: &str) -> Result<Ready> {
    let ready: serde_json::Value = serde_json::from_str(text)?;
    let field = |name: &str| ready[name].as_str().with_context(|| format!("{name} is missing"));
    Ok(Ready {
        address: field("address")?.parse()?,
        tcp: field("tcp")?.parse()?,
        http: field("http")?.parse()?,
        web: field("web")?.trim_start_matches("http://").parse()?,
    })
}

fn signer(key_file: &Path, key_id: &str) -> Result<Signer> {
    let text = fs::read_to_string(key_file).with_context(|| format!("reading {}", key_file.display()))?;
    let secret = hex(text.trim()).with_context(|| format!("{} holds no hexadecimal", key_file.display()))?;
    let now_seconds = SystemTime::now().duration_since(UNIX_EPOCH)?.as_secs();
    Ok(Signer { key_id: key_id.to_owned(), secret, now_seconds })
}

fn hex(text: &str) -> Option<Vec<u8>> {
    let digits: Option<Vec<u8>> = text.chars().map(|digit| digit.to_digit(16).map(|digit| digit as u8)).collect();
    Some(digits?.chunks(2).map(|pair| pair.iter().fold(0, |byte, digit| byte << 4 | digit)).collect())
}

fn last_words(folder: &Path) -> String {
    let log = fs::read_to_string(log_file(folder)).unwrap_or_default();
    let lines: Vec<_> = log.lines().collect();
    lines[lines.len().saturating_sub(LOG_LINES_SHOWN)..].join("\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_ready_file_is_understood() {
        let address = format!("hongyan://{}@127.0.0.1:7300/default", "00".repeat(32));
        let text = format!(
            r#"{{"tcp":"127.0.0.1:7300","http":"127.0.0.1:7301","web":"http://127.0.0.1:7302","address":"{address}","pid":1}}"#
        );
        let ready = parse_ready(&text).unwrap();
        assert_eq!((ready.tcp.port(), ready.http.port(), ready.address.port), (7300, 7301, 7300));
        assert!(parse_ready("{}").is_err());
    }

    #[test]
    fn keys_are_hexadecimal() {
        assert_eq!(hex("00ff10"), Some(vec![0, 255, 16]));
        assert_eq!(hex("0g"), None);
    }
}
