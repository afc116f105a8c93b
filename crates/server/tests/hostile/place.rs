//! A server under attack: where its folder is, what it logs, how much memory it has.

use std::fs::File;
use std::io::{BufRead, BufReader};

use serde_json::json;
use tempfile::TempDir;

use crate::process::{Server, hongyan, serve};
use crate::speaker::{Speaker, User};

/// A server and somebody who is connected to it all the time and must never notice anything.
pub struct Place {
    pub server: Server,
    pub folder: TempDir,
    bystander: Option<Speaker>,
}

impl Place {
    pub fn new() -> Self {
        Self::with(&[])
    }

    /// With settings as variables.
    pub fn with(settings: &[(&str, &str)]) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let mut command = serve(folder.path());
        command.env("HONGYAN_LOG_FILTER", "info").stderr(File::create(folder.path().join("log")).unwrap());
        // Tests log in more often than people do; those about that set their own limits.
        command.env("HONGYAN_LOGIC_LOGINS_PER_ACCOUNT", "{ burst = 10000, per_minute = 10000 }");
        command.env("HONGYAN_LOGIC_LOGINS_PER_ADDRESS", "{ burst = 10000, per_minute = 10000 }");
        command.envs(settings.iter().copied());
        let server = Server::run(command, folder.path());
        let mut place = Self { server, folder, bystander: None };
        place.bystander = Some(place.log_in("bystander"));
        place
    }

    /// SIGKILL, and the same server with other settings. All connections are gone, and the bystander is a new one.
    pub fn restart_with(&mut self, settings: &[(&str, &str)]) {
        let (tcp, http) = (self.server.ready("tcp").to_owned(), self.server.ready("http").to_owned());
        self.bystander = None;
        self.server.kill_in_place();
        let mut command = hongyan(self.folder.path());
        command.args([
            "serve",
            "--web",
            "127.0.0.1:0",
            "--listen",
            &tcp,
            "--http",
            &http,
            "--ready-file",
            "ready.json",
        ]);
        command.envs(settings.iter().copied());
        self.server = Server::run(command, self.folder.path());
        self.bystander = Some(self.log_in("bystander"));
    }

    /// kill -9, and another server on the same data and ports. All connections are gone.
    pub fn kill_and_start(&mut self) {
        let (tcp, http) = (self.server.ready("tcp").to_owned(), self.server.ready("http").to_owned());
        self.server.kill_in_place();
        self.server = Server::start_at(self.folder.path(), &tcp, &http);
    }

    /// A connection on which nothing was said yet.
    pub fn connect(&self) -> Speaker {
        Speaker::connect(&self.server.address())
    }

    /// Somebody who has logged in by a token of the default app.
    pub fn log_in(&self, user: &str) -> Speaker {
        self.log_in_as(&User::new(user))
    }

    pub fn log_in_as(&self, user: &User) -> Speaker {
        let mut speaker = self.connect();
        speaker.shake_hands();
        let token = self.token(&user.name, &user.app);
        speaker.log_in(user, &token).expect("the token is good");
        speaker
    }

    /// The secret with which an app signs.
    pub fn secret(&self, app: &str) -> Vec<u8> {
        let key = if app == "default" { "main" } else { "backend" };
        let path = self.folder.path().join(format!("data/apps/{app}/{key}.key"));
        let text = std::fs::read_to_string(path).unwrap();
        let digit = |at: usize| u8::from_str_radix(&text[at..at + 2], 16).unwrap();
        (0..text.trim().len()).step_by(2).map(digit).collect()
    }

    pub fn token(&self, user: &str, app: &str) -> String {
        let key = if app == "default" { "main" } else { "backend" };
        let header = json!({ "alg": "HS256", "kid": key });
        signed(&header, &json!({ "sub": user, "exp": 4_000_000_000_u64 }), &self.secret(app))
    }

    /// Resident memory of the server, in KiB.
    pub fn memory_kib(&self) -> u64 {
        let status = File::open(format!("/proc/{}/status", self.server.pid())).unwrap();
        let lines = BufReader::new(status).lines().map_while(Result::ok);
        let line = lines.filter_map(|line| line.strip_prefix("VmRSS:").map(str::to_owned)).next().unwrap();
        line.trim().trim_end_matches(" kB").parse().unwrap()
    }

    /// A number of the metrics page.
    pub fn measure(&self, name: &str) -> u64 {
        let page = ureq::get(format!("http://{}/metrics", self.server.ready("http"))).call().unwrap().into_body();
        let lines = BufReader::new(page.into_reader()).lines().map_while(Result::ok);
        let number = lines.filter_map(|line| line.strip_prefix(name)?.trim().parse().ok()).next();
        number.unwrap_or_else(|| panic!("no {name} on the metrics page"))
    }

    /// Others still get answers on old and on new connections, and nothing panicked.
    pub fn is_well(&mut self) {
        self.bystander.as_mut().unwrap().is_answered();
        self.log_in("newcomer").is_answered();
        let log = std::fs::read_to_string(self.folder.path().join("log")).unwrap();
        assert!(!log.contains("panicked"), "{log}");
    }
}

impl Drop for Place {
    /// A test that fails shows what its server had to say.
    fn drop(&mut self) {
        if std::thread::panicking()
            && let Ok(log) = std::fs::read_to_string(self.folder.path().join("log"))
        {
            let lines: Vec<&str> = log.lines().collect();
            eprintln!("the server's last lines:\n{}", lines[lines.len().saturating_sub(20)..].join("\n"));
        }
    }
}

/// A JWT by HS256, whatever its header says.
pub fn signed(header: &serde_json::Value, claims: &serde_json::Value, secret: &[u8]) -> String {
    let content = format!("{}.{}", base64(header.to_string().as_bytes()), base64(claims.to_string().as_bytes()));
    let key = aws_lc_rs::hmac::Key::new(aws_lc_rs::hmac::HMAC_SHA256, secret);
    let signature = aws_lc_rs::hmac::sign(&key, content.as_bytes());
    format!("{content}.{}", base64(signature.as_ref()))
}

/// In the alphabet for URLs, without padding.
pub fn base64(bytes: &[u8]) -> String {
    const ALPHABET: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
    let mut text = String::new();
    for chunk in bytes.chunks(3) {
        let word = chunk.iter().fold(0, |word, byte| word << 8 | u32::from(*byte)) << (8 * (3 - chunk.len()));
        for sextet in 0..=chunk.len() {
            text.push(ALPHABET[(word >> (18 - 6 * sextet) & 63) as usize].into());
        }
    }
    text
}
