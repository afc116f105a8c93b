//! The `hongyan serve` process under test: on a folder of its own, always on the same port, killed and started again.
//! What its death means is judged elsewhere.

use std::fs::{self, File};
use std::io::{Read, Seek, SeekFrom};
use std::net::SocketAddr;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail, ensure};
use hongyan_client::ServerAddress;
use rustix::process::{Pid, Signal, kill_process};

/// A server that is not ready after so long will not be.
const READY_TIME_MAX: Duration = Duration::from_secs(30);
const FREEZE_TIME_MAX: Duration = Duration::from_secs(5);
const POLL_EVERY: Duration = Duration::from_millis(1);
/// Of the server's log, shown when something is wrong.
const LOG_LINES_SHOWN: usize = 12;
/// Tokens must outlive a clock that jumps a year.
const TOKEN_SECONDS: u64 = 10 * 365 * 24 * 3600;
const METRICS_TIME_MAX: Duration = Duration::from_secs(10);

/// Raised, because all clients come from one machine and talk faster than people. Everything else is default.
const RAISED: [(&str, &str); 6] = [
    ("HONGYAN_GATE_FRAMES_PER_SECOND", "1000000"),
    ("HONGYAN_GATE_FRAMES_BURST", "1000000"),
    ("HONGYAN_GATE_CONNECTS_PER_NETWORK_PER_SECOND", "1000000"),
    ("HONGYAN_LOGIC_LOGINS_PER_ADDRESS", "{ burst = 1000000, per_minute = 60000000 }"),
    ("HONGYAN_LOGIC_LOGINS_PER_ACCOUNT", "{ burst = 1000000, per_minute = 60000000 }"),
    ("HONGYAN_LOGIC_FIRST_CONTACTS_PER_USER", "{ burst = 1000000, per_minute = 60000000 }"),
];

/// Where and how a server runs.
#[derive(Clone, Debug)]
pub struct Place {
    /// The executable.
    pub binary: PathBuf,
    /// Of logs and the ready file; on a disk that nothing happens to.
    pub folder: PathBuf,
    /// Of the data.
    pub data: PathBuf,
    /// The address for clients and for HTTP; ports are chosen by the system the first time.
    pub ip: std::net::IpAddr,
    /// The network namespace, if it has one of its own.
    pub namespace: Option<String>,
    /// Variables of every start.
    pub environment: Vec<(String, String)>,
    /// Libraries of every start that come before the server's own.
    pub preload: Vec<PathBuf>,
}

impl Place {
    /// On loopback, with the data on the disk beside the logs.
    pub fn usual(binary: PathBuf, folder: &Path) -> Self {
        Self {
            binary,
            folder: folder.to_owned(),
            data: folder.join("data"),
            ip: std::net::Ipv4Addr::LOCALHOST.into(),
            namespace: None,
            environment: Vec::new(),
            preload: Vec::new(),
        }
    }
}

/// A server, running or dead.
pub struct Server {
    place: Place,
    child: Option<Child>,
    ready: Option<Ready>,
    log_read: u64,
}

#[derive(Clone)]
struct Ready {
    address: ServerAddress,
    tcp: SocketAddr,
    http: SocketAddr,
}

/// How a start ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Start {
    /// Clients are welcome, so long after the process was started.
    Ready(Duration),
    /// It died on the way, so.
    Died(ExitStatus),
}

/// A start that should have succeeded.
#[derive(Debug, thiserror::Error)]
#[error("the server died while it started ({status}):\n{last_words}")]
pub struct DiedAtStart {
    status: ExitStatus,
    last_words: String,
}

impl Server {
    /// A server that does not run yet.
    pub fn new(place: Place) -> Self {
        Self { place, child: None, ready: None, log_read: 0 }
    }

    /// Starts it, with variables for this life only, and waits until it takes clients or dies.
    pub fn start(&mut self, environment: &[(&str, String)]) -> Result<Start> {
        let begun = Instant::now();
        let ready_file = self.place.folder.join("ready.json");
        if ready_file.exists() {
            fs::remove_file(&ready_file)?;
        }
        let mut child = self.command(environment)?.spawn().context("starting the server")?;
        loop {
            // The file appears under its name before it is complete.
            if let Some(ready) = fs::read_to_string(&ready_file).ok().and_then(|text| parse_ready(&text)) {
                self.child = Some(child);
                return self.welcome(ready, begun.elapsed());
            }
            if let Some(status) = child.try_wait()? {
                return Ok(Start::Died(status));
            }
            if begun.elapsed() > READY_TIME_MAX {
                child.kill()?;
                child.wait()?;
                bail!("the server was not ready after {} s:\n{}", READY_TIME_MAX.as_secs(), self.last_words());
            }
            std::thread::sleep(POLL_EVERY);
        }
    }

    /// As [`Server::start`], where a death is an error.
    pub fn start_well(&mut self, environment: &[(&str, String)]) -> Result<Duration> {
        match self.start(environment)? {
            Start::Ready(time) => Ok(time),
            Start::Died(status) => bail!(DiedAtStart { status, last_words: self.last_words() }),
        }
    }

    fn welcome(&mut self, ready: Ready, time: Duration) -> Result<Start> {
        if let Some(before) = &self.ready {
            ensure!(ready.address == before.address, "the server came back as another: {}", ready.address);
        }
        self.ready = Some(ready);
        Ok(Start::Ready(time))
    }

    fn command(&self, environment: &[(&str, String)]) -> Result<Command> {
        let place = &self.place;
        let log = File::options().append(true).create(true).open(self.log_file())?;
        let mut command = match &place.namespace {
            Some(namespace) => {
                let mut command = Command::new("ip");
                command.args(["netns", "exec", namespace]).arg(&place.binary);
                command
            }
            None => Command::new(&place.binary),
        };
        // Nothing of this shell's settings may change what is tested.
        for (name, _) in std::env::vars_os().filter(|(name, _)| name.to_string_lossy().starts_with("HONGYAN_")) {
            command.env_remove(name);
        }
        command.envs(RAISED).env("HONGYAN_LOG_FILTER", "warn").env("HONGYAN_LOG_FORMAT", "text");
        command.envs(place.environment.iter().map(|(name, value)| (name, value)));
        if !place.preload.is_empty() {
            let paths: Vec<_> = place.preload.iter().map(|path| path.to_string_lossy()).collect();
            command.env("LD_PRELOAD", paths.join(":"));
        }
        command.envs(environment.iter().map(|(name, value)| (name, value)));
        let listen = self.ready.as_ref().map_or(SocketAddr::new(place.ip, 0), |ready| ready.tcp);
        command.current_dir(&place.folder).arg("serve").arg("--data").arg(&place.data);
        command.args([
            "--web",
            "127.0.0.1:0",
            "--listen",
            &listen.to_string(),
            "--http",
            &SocketAddr::new(place.ip, 0).to_string(),
        ]);
        command.args(["--ready-file", "ready.json"]);
        command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(log);
        // Ctrl-C is for the rig, which ends its servers itself.
        command.process_group(0);
        Ok(command)
    }

    /// Key and app, once it has been ready.
    pub fn address(&self) -> Result<&ServerAddress> {
        Ok(&self.ready()?.address)
    }

    /// Where clients connect.
    pub fn tcp(&self) -> Result<SocketAddr> {
        Ok(self.ready()?.tcp)
    }

    fn ready(&self) -> Result<&Ready> {
        self.ready.as_ref().context("the server has never been ready")
    }

    /// Of the process that runs.
    pub fn pid(&self) -> Result<u32> {
        Ok(self.child.as_ref().context("the server does not run")?.id())
    }

    /// Where it lives.
    pub fn place(&self) -> &Place {
        &self.place
    }

    /// A token for a user, as the app's own server would sign it.
    pub fn mint(&self, user: &str) -> Result<String> {
        let mut command = Command::new(&self.place.binary);
        command.args(["token", "mint", user, "--expires-in", &TOKEN_SECONDS.to_string(), "--data"]);
        let output = command.arg(&self.place.data).current_dir(&self.place.folder).output()?;
        ensure!(output.status.success(), "hongyan token mint: {}", String::from_utf8_lossy(&output.stderr));
        Ok(String::from_utf8(output.stdout)?.trim().to_owned())
    }

    /// Copies the store, which checks every page of it, as an operator would while the server runs.
    pub fn back_up(&self) -> Result<()> {
        let copy = self.place.folder.join("backup.db");
        let mut command = Command::new(&self.place.binary);
        command.arg("backup").arg(&copy).arg("--data").arg(&self.place.data).current_dir(&self.place.folder);
        let output = command.output()?;
        ensure!(output.status.success(), "hongyan backup: {}", String::from_utf8_lossy(&output.stderr));
        Ok(fs::remove_file(copy)?)
    }

    /// kill -9.
    pub fn kill(&mut self) -> Result<()> {
        if let Some(mut child) = self.child.take() {
            child.kill()?;
            child.wait()?;
        }
        Ok(())
    }

    /// SIGTERM, SIGSTOP, SIGCONT.
    pub fn signal(&self, signal: Signal) -> Result<()> {
        let pid = i32::try_from(self.pid()?).ok().and_then(Pid::from_raw).context("a process has a number")?;
        Ok(kill_process(pid, signal)?)
    }

    /// SIGSTOP, and waits until none of its threads runs any more: one of them has to be woken before it can stop the
    /// others. Those inside the kernel will not leave it.
    pub fn freeze(&self) -> Result<()> {
        self.signal(Signal::STOP)?;
        let tasks = format!("/proc/{}/task", self.pid()?);
        let begun = Instant::now();
        while fs::read_dir(&tasks)?.flatten().any(|task| runs(&task.path())) {
            ensure!(begun.elapsed() < FREEZE_TIME_MAX, "the server cannot be stopped");
            std::thread::sleep(POLL_EVERY / 10);
        }
        Ok(())
    }

    /// How it ended by itself, if it does within this time.
    pub fn ended_within(&mut self, time: Duration) -> Result<Option<ExitStatus>> {
        let Some(child) = &mut self.child else { bail!("the server does not run") };
        let begun = Instant::now();
        loop {
            if let Some(status) = child.try_wait()? {
                self.child = None;
                return Ok(Some(status));
            }
            if begun.elapsed() > time {
                return Ok(None);
            }
            std::thread::sleep(POLL_EVERY);
        }
    }

    /// Fails if it has ended.
    pub fn check(&mut self) -> Result<()> {
        let Some(child) = &mut self.child else { return Ok(()) };
        match child.try_wait()? {
            Some(status) => bail!("the server has ended by itself ({status}):\n{}", self.last_words()),
            None => Ok(()),
        }
    }

    /// What it has written to its log since this was last asked.
    pub fn news(&mut self) -> Result<String> {
        let mut log = File::open(self.log_file()).context("reading the server's log")?;
        log.seek(SeekFrom::Start(self.log_read))?;
        let mut bytes = Vec::new();
        self.log_read += log.read_to_end(&mut bytes)? as u64;
        Ok(String::from_utf8_lossy(&bytes).into_owned())
    }

    /// The end of its log.
    pub fn last_words(&self) -> String {
        let log = fs::read(self.log_file()).unwrap_or_default();
        let log = String::from_utf8_lossy(&log);
        let lines: Vec<_> = log.lines().collect();
        lines[lines.len().saturating_sub(LOG_LINES_SHOWN)..].join("\n")
    }

    fn log_file(&self) -> PathBuf {
        self.place.folder.join("server.log")
    }

    /// One of its own numbers; those of different labels are added up.
    pub fn metric(&self, name: &str) -> Result<f64> {
        let agent: ureq::Agent = ureq::Agent::config_builder().timeout_global(Some(METRICS_TIME_MAX)).build().into();
        let url = format!("http://{}/metrics", self.ready()?.http);
        let page = agent.get(url).call().context("asking for /metrics")?.body_mut().read_to_string()?;
        sum_of(&page, name).with_context(|| format!("/metrics has no {name}"))
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        // A stopped process dies of this, too.
        let _ = self.kill();
    }
}

/// The executable of this name beside the running one.
pub fn beside_this(name: &str) -> Result<PathBuf> {
    Ok(std::env::current_exe().context("where am I?")?.with_file_name(name))
}

/// Makes sure that there is such a file, and that it can be named from any folder.
pub fn executable(path: &Path) -> Result<PathBuf> {
    fs::canonicalize(path).with_context(|| format!("there is no {}: build it, or name another", path.display()))
}

/// Whether a thread may do something of its own: it is neither stopped nor inside the kernel for good.
fn runs(task: &Path) -> bool {
    let stat = fs::read_to_string(task.join("stat")).unwrap_or_default();
    // proc_pid_stat(5): the state follows the name, which may hold anything.
    !matches!(stat.rsplit_once(") ").map(|(_, rest)| rest.as_bytes()), Some([b'T' | b't' | b'D', ..]))
}

fn parse_ready(text: &str) -> Option<Ready> {
    let ready: serde_json::Value = serde_json::from_str(text).ok()?;
    let field = |name: &str| ready[name].as_str();
    let (address, tcp, http) = (field("address")?, field("tcp")?, field("http")?);
    Some(Ready { address: address.parse().ok()?, tcp: tcp.parse().ok()?, http: http.parse().ok()? })
}

fn sum_of(page: &str, name: &str) -> Option<f64> {
    let sample = |line: &str| {
        let (series, value) = line.rsplit_once(' ')?;
        (series.split('{').next() == Some(name)).then(|| value.parse::<f64>().ok())?
    };
    page.lines().filter_map(sample).reduce(|sum, value| sum + value)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_ready_file_is_understood_only_when_it_is_complete() {
        let address = format!("hongyan://{}@127.0.0.1:7300/default", "00".repeat(32));
        let text = format!(r#"{{"tcp":"127.0.0.1:7300","http":"127.0.0.1:7301","address":"{address}","pid":1}}"#);
        let ready = parse_ready(&text).unwrap();
        assert_eq!((ready.tcp.port(), ready.http.port(), ready.address.port), (7300, 7301, 7300));
        assert!(parse_ready(&text[..text.len() - 1]).is_none() && parse_ready("{}").is_none());
    }

    #[test]
    fn metrics_of_one_name_are_added_up() {
        let page = "# TYPE a gauge\na 2\na_b 7\nc{x=\"1\"} 1.5\nc{x=\"2\"} 2\n";
        assert_eq!((sum_of(page, "a"), sum_of(page, "c"), sum_of(page, "d")), (Some(2.0), Some(3.5), None));
    }
}
