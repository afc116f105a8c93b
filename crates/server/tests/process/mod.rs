//! A real server in a process of its own, on a folder of its own, on ports that the system chooses; and the commands that
//! administer it.
#![allow(dead_code, reason = "every test file uses another part")]

use std::io::{BufRead, BufReader, Write};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdout, Command, ExitStatus, Output, Stdio};

use hongyan_client::ServerAddress;
use serde_json::Value;

const BINARY: &str = env!("CARGO_BIN_EXE_hongyan");

/// A running server; killed when dropped.
pub struct Server {
    child: Child,
    folder: PathBuf,
    ready: Value,
    _stdout: BufReader<ChildStdout>,
}

/// `hongyan` without the configuration of whoever runs the tests.
pub fn hongyan(folder: &Path) -> Command {
    let mut command = Command::new(BINARY);
    for (name, _) in std::env::vars().filter(|(name, _)| name.starts_with("HONGYAN_")) {
        command.env_remove(name);
    }
    command.current_dir(folder).env("HONGYAN_LOG_FILTER", "warn");
    command
}

/// `hongyan serve` in a folder, with its data in `data` there.
pub fn serve(folder: &Path) -> Command {
    let mut command = hongyan(folder);
    command.args([
        "serve",
        "--web",
        "127.0.0.1:0",
        "--listen",
        "127.0.0.1:0",
        "--http",
        "127.0.0.1:0",
        "--ready-file",
        "ready.json",
    ]);
    command
}

impl Server {
    /// Starts one and waits until clients are welcome.
    pub fn start(folder: &Path) -> Self {
        Self::run(serve(folder), folder)
    }

    /// As [`Self::start`], on ports that an earlier server had.
    pub fn start_at(folder: &Path, tcp: &str, http: &str) -> Self {
        let mut command = hongyan(folder);
        command.args(["serve", "--web", "127.0.0.1:0", "--listen", tcp, "--http", http, "--ready-file", "ready.json"]);
        Self::run(command, folder)
    }

    /// Waits for a server that another command starts.
    pub fn run(mut command: Command, folder: &Path) -> Self {
        let mut child = command.stdout(Stdio::piped()).spawn().unwrap();
        let mut stdout = BufReader::new(child.stdout.take().unwrap());
        let mut line = String::new();
        stdout.read_line(&mut line).unwrap();
        assert!(line.contains("is ready"), "the server did not start: {line:?}");
        let ready = std::fs::read_to_string(folder.join("ready.json")).unwrap();
        let ready = serde_json::from_str(&ready).unwrap();
        Self { child, folder: folder.to_owned(), ready, _stdout: stdout }
    }

    /// A field of the ready file.
    pub fn ready(&self, field: &str) -> &str {
        self.ready[field].as_str().unwrap()
    }

    /// Its process.
    pub fn pid(&self) -> u32 {
        self.child.id()
    }

    /// Where clients connect.
    pub fn address(&self) -> ServerAddress {
        self.ready("address").parse().unwrap()
    }

    /// An administration command; `input` is its standard input.
    pub fn administer(&self, arguments: &[&str], input: &str) -> Output {
        let mut command = hongyan(&self.folder);
        command.args(arguments).args(["--http", self.ready("http")]);
        let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
        // A command that asks for nothing may have ended.
        let _ = child.stdin.take().unwrap().write_all(input.as_bytes());
        child.wait_with_output().unwrap()
    }

    /// An administration command that must succeed; its output.
    pub fn done(&self, arguments: &[&str], input: &str) -> String {
        let output = self.administer(arguments, input);
        assert!(output.status.success(), "{arguments:?}: {}", String::from_utf8_lossy(&output.stderr));
        String::from_utf8(output.stdout).unwrap()
    }

    /// An administration command that must fail; its complaint.
    pub fn refused(&self, arguments: &[&str], input: &str) -> String {
        let output = self.administer(arguments, input);
        assert!(!output.status.success(), "{arguments:?} was done");
        String::from_utf8(output.stderr).unwrap()
    }

    /// SIGTERM; how it ended.
    pub fn terminate(mut self) -> ExitStatus {
        let done = Command::new("kill").arg("-TERM").arg(self.child.id().to_string()).status().unwrap();
        assert!(done.success());
        self.child.wait().unwrap()
    }

    /// Waits until it ends by itself.
    pub fn ended(mut self) -> ExitStatus {
        self.child.wait().unwrap()
    }

    /// kill -9.
    pub fn kill(mut self) {
        self.kill_in_place();
    }

    /// kill -9 of a server that its owner cannot give away.
    pub fn kill_in_place(&mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        // It may have ended already.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
