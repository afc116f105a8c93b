//! `hongyan doctor`: examines the machine and the data folder before a server is trusted with people's messages. Changes
//! nothing but a scratch file of its own.

use std::fs::{self, File};
use std::io::Write;
use std::net::{SocketAddr, TcpListener};
use std::path::Path;
use std::process::ExitCode;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use anyhow::{Context, Result};
use rustix::process::{Resource, getrlimit};
use serde::Serialize;

use crate::arguments::Doctor;
use crate::config::Config;
use crate::data;

/// Files besides those of connections.
const FILES_BESIDES: u64 = 1_000;
/// 2026-01-01: no clock that is right shows an earlier time to this program.
const BUILT_AFTER: Duration = Duration::from_secs(1_767_225_600);
/// Writes whose sync is timed, and their size in bytes.
const SYNCS: usize = 50;
const SYNC_BYTES: usize = 4_096;
/// A median above it means few commits per second, in microseconds.
const SYNC_SLOW_US: u64 = 20_000;
/// A median below it means that nothing is synced at all, in microseconds.
const SYNC_FALSE_US: u64 = 20;
/// Connections that the kernel should be willing to queue.
const BACKLOG: u64 = 4_096;
/// Free space that a server should have above its reserve, in bytes.
const FREE_BYTES: u64 = 1 << 30;

/// How bad it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "lowercase")]
enum Verdict {
    Good,
    /// The server works, but not as well as it could.
    Warning,
    /// The server does not start, or loses what it promised to keep.
    Bad,
}

/// One finding.
#[derive(Debug, Serialize)]
struct Finding {
    name: &'static str,
    verdict: Verdict,
    text: String,
}

/// Prints findings; fails if one is bad.
pub fn run(config: &Config, options: &Doctor) -> Result<ExitCode> {
    let folder = &config.server.data;
    let findings = vec![
        files(config.gate.connections_max as u64),
        clock(),
        sync(folder),
        space(folder, config.store.disk_reserve_bytes),
        port("port for clients", config.server.listen),
        port("port for HTTP", config.server.http_listen),
        sqlite(),
        backlog(),
        secrets(folder),
    ];
    if options.json {
        println!("{}", serde_json::to_string(&findings)?);
    } else {
        for Finding { name, verdict, text } in &findings {
            let mark = match verdict {
                Verdict::Good => "ok  ",
                Verdict::Warning => "warn",
                Verdict::Bad => "BAD ",
            };
            println!("{mark}  {name:18} {text}");
        }
    }
    let worst = findings.iter().map(|finding| finding.verdict).max();
    Ok(if worst == Some(Verdict::Bad) { ExitCode::FAILURE } else { ExitCode::SUCCESS })
}

fn finding(name: &'static str, verdict: Verdict, text: impl Into<String>) -> Finding {
    Finding { name, verdict, text: text.into() }
}

/// `serve` raises the soft limit to the hard one by itself.
fn files(connections_max: u64) -> Finding {
    let Some(limit) = getrlimit(Resource::Nofile).maximum else {
        return finding("open files", Verdict::Good, "unlimited");
    };
    let enough = limit >= connections_max + FILES_BESIDES;
    let verdict = if enough { Verdict::Good } else { Verdict::Warning };
    let text = format!("at most {limit}, gate.connections_max is {connections_max}; LimitNOFILE= in systemd raises it");
    finding("open files", verdict, text)
}

fn clock() -> Finding {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    if now < BUILT_AFTER {
        return finding("clock", Verdict::Bad, "it is far in the past: tokens and expiry cannot be judged");
    }
    let synchronised = Path::new("/run/systemd/timesync/synchronized").exists();
    let text = if synchronised { "plausible, kept by timesyncd" } else { "plausible; is NTP running?" };
    finding("clock", Verdict::Good, text)
}

fn sync(folder: &Path) -> Finding {
    match median_sync_us(folder) {
        Ok(median) => {
            let verdict = match median {
                ..=SYNC_FALSE_US => Verdict::Warning,
                SYNC_SLOW_US.. => Verdict::Warning,
                _ => Verdict::Good,
            };
            let doubt = if median <= SYNC_FALSE_US { ": is this memory, or a disk that lies?" } else { "" };
            finding("disk sync", verdict, format!("median of {SYNCS} synced writes: {median} µs{doubt}"))
        }
        Err(error) => finding("disk sync", Verdict::Bad, format!("{error:#}")),
    }
}

fn median_sync_us(folder: &Path) -> Result<u64> {
    data::make_folder(folder)?;
    let path = folder.join(format!("doctor-{}.scratch", std::process::id()));
    let mut file = File::options().write(true).create_new(true).open(&path).context("writing into the data folder")?;
    let timed = (|| {
        let mut times = Vec::with_capacity(SYNCS);
        for _ in 0..SYNCS {
            let started = Instant::now();
            file.write_all(&[0x5A; SYNC_BYTES])?;
            file.sync_data()?;
            times.push(started.elapsed().as_micros() as u64);
        }
        times.sort_unstable();
        Ok(times[SYNCS / 2])
    })();
    fs::remove_file(&path).context("removing the scratch file")?;
    timed
}

fn space(folder: &Path, reserve_bytes: u64) -> Finding {
    match rustix::fs::statvfs(folder) {
        Ok(found) => {
            let free = found.f_bavail.saturating_mul(found.f_frsize);
            let verdict = match free {
                free if free < reserve_bytes => Verdict::Bad,
                free if free < reserve_bytes + FREE_BYTES => Verdict::Warning,
                _ => Verdict::Good,
            };
            let text = format!("{} MiB free, messages are refused below {} MiB", free >> 20, reserve_bytes >> 20);
            finding("disk space", verdict, text)
        }
        Err(error) => finding("disk space", Verdict::Bad, error.to_string()),
    }
}

fn port(name: &'static str, address: SocketAddr) -> Finding {
    match TcpListener::bind(address) {
        Ok(_) => finding(name, Verdict::Good, format!("{address} is free")),
        Err(error) => finding(name, Verdict::Warning, format!("{address}: {error}; is the server running already?")),
    }
}

/// Opening a store refuses a version that may corrupt files; this only tells which it is.
fn sqlite() -> Finding {
    finding("SQLite", Verdict::Good, format!("{}, built in", hongyan_store::sqlite::library_version()))
}

fn backlog() -> Finding {
    const SETTING: &str = "/proc/sys/net/core/somaxconn";
    let found = fs::read_to_string(SETTING).ok().and_then(|text| text.trim().parse::<u64>().ok());
    match found {
        Some(found) if found >= BACKLOG => finding("kernel backlog", Verdict::Good, format!("somaxconn is {found}")),
        Some(found) => {
            let text = format!("somaxconn is {found}: sysctl net.core.somaxconn={BACKLOG} helps when many reconnect");
            finding("kernel backlog", Verdict::Warning, text)
        }
        None => finding("kernel backlog", Verdict::Warning, format!("{SETTING} cannot be read")),
    }
}

/// Only those that exist: a first start makes the others.
fn secrets(folder: &Path) -> Finding {
    let paths: Vec<_> = match data::secret_paths(folder) {
        Ok(paths) => paths.into_iter().filter(|path| path.exists()).collect(),
        Err(error) => return finding("secrets", Verdict::Bad, format!("{error:#}")),
    };
    for path in &paths {
        if let Err(error) = crate::secret::read(path) {
            return finding("secrets", Verdict::Bad, format!("{error:#}"));
        }
    }
    finding("secrets", Verdict::Good, format!("{} found, readable for their owner only", paths.len()))
}
