//! Which server, which user, which device, and by what right: the arguments that all commands share, and the client
//! made from them. Secrets come from files, the environment or the keyboard; none has to be typed as an argument.
#![allow(clippy::disallowed_methods, reason = "a shell: waits for the server with the clock of the system")]

use std::cell::Cell;
use std::future::Future;
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context, Result, anyhow};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use clap::Args;
use hongyan_client::{Client, Credential, Event, Events, Link, Options, ServerAddress, Store, proto};

use crate::failure::Failure;
use crate::place::{self, Lock, Wait};

/// Written by a server that runs in this folder.
const LOCAL_ADDRESS: &str = "data/address";

/// Who talks to which server.
#[derive(Args, Clone, Debug)]
#[command(next_help_heading = "Account")]
pub struct Account {
    /// hongyan://KEY@HOST:PORT/APP, as the server prints it [default: the text in data/address, if it is there]
    #[arg(long, env = "HONGYAN_SERVER", value_name = "ADDRESS")]
    pub server: Option<String>,
    /// Who logs in; may be left out with a token
    #[arg(long, env = "HONGYAN_USER", value_name = "NAME")]
    pub user: Option<String>,
    /// File with the password; otherwise HONGYAN_PASSWORD, or it is asked for when it is needed
    #[arg(long, value_name = "FILE", conflicts_with_all = ["token", "token_file"])]
    pub password_file: Option<PathBuf>,
    /// Token of the app's own server; other users of this machine may see it among the arguments
    #[arg(long, env = "HONGYAN_TOKEN", hide_env_values = true, value_name = "TOKEN", conflicts_with = "token_file")]
    pub token: Option<String>,
    /// File with a token
    #[arg(long, value_name = "FILE")]
    pub token_file: Option<PathBuf>,
    /// Name of this device; each has its own place in the inbox and its own file [default: the command's name]
    #[arg(long, value_name = "NAME")]
    pub device: Option<String>,
    /// File of this device's messages and session [default: a file in the user's data folder]
    #[arg(long, value_name = "FILE")]
    pub store: Option<PathBuf>,
}

/// An account whose names are complete and whose store is ours.
pub struct Ready {
    /// Where to.
    pub address: ServerAddress,
    /// Who.
    pub user: String,
    /// The kept messages.
    pub store: PathBuf,
    /// The device was not used before.
    pub is_new_device: bool,
    term: proto::Term,
    given: Option<Credential>,
    /// The device's session is all there is to log in with.
    has_only_session: Cell<bool>,
    _lock: Lock,
}

impl Account {
    /// Completes the names and takes the store. `device` is the name used if none was given.
    pub async fn ready(&self, term: proto::Term, device: &str, wait: Wait) -> Result<Ready, Failure> {
        let address = self.address()?;
        let given = self.given()?;
        let user = self.user(given.as_ref())?;
        let device = self.device.as_deref().unwrap_or(device);
        if !place::is_name(device) {
            return Err(Failure::other("a device name is 1-64 of A-Z a-z 0-9 . _ - @"));
        }
        let store = match &self.store {
            Some(file) => file.clone(),
            None => {
                let folder = place::data_folder(|name| std::env::var(name).ok());
                let folder =
                    folder.ok_or_else(|| anyhow!("where is your data folder? Set HOME, or give --store FILE"))?;
                place::store_in(&folder, &address, &user, device)
            }
        };
        let lock = place::lock(&store, wait).await?;
        let is_new_device = !store.exists();
        let given = given.map(|secret| secret.credential(&user));
        Ok(Ready { address, user, store, is_new_device, term, given, has_only_session: Cell::new(false), _lock: lock })
    }

    fn address(&self) -> Result<ServerAddress> {
        if let Some(text) = &self.server {
            return text.parse().context("in --server or HONGYAN_SERVER");
        }
        match std::fs::read_to_string(LOCAL_ADDRESS) {
            Ok(text) => text.parse().with_context(|| format!("in {LOCAL_ADDRESS}")),
            Err(_) => Err(anyhow!(
                "which server? Give --server hongyan://… as the server prints it, set HONGYAN_SERVER, or run this where \
                 the server runs, so that {LOCAL_ADDRESS} is found"
            )),
        }
    }

    fn given(&self) -> Result<Option<Secret>> {
        let read = |file: &Path| {
            let text = std::fs::read_to_string(file).with_context(|| format!("reading {}", file.display()))?;
            Ok::<_, anyhow::Error>(text.trim_end_matches(['\r', '\n']).to_owned())
        };
        if let Some(file) = &self.token_file {
            return Ok(Some(Secret::Token(read(file)?.trim().to_owned())));
        }
        if let Some(file) = &self.password_file {
            return Ok(Some(Secret::Password(read(file)?)));
        }
        if let Some(token) = &self.token {
            return Ok(Some(Secret::Token(token.clone())));
        }
        Ok(std::env::var("HONGYAN_PASSWORD").ok().map(Secret::Password))
    }

    fn user(&self, given: Option<&Secret>) -> Result<String> {
        let of_token = match given {
            Some(Secret::Token(token)) => Some(subject_of(token).context("the token is no JWT with a `sub`")?),
            _ => None,
        };
        let user = match (&self.user, of_token) {
            (Some(user), Some(subject)) if *user != subject => {
                return Err(anyhow!("the token is for {subject}, not for {user}"));
            }
            (Some(user), _) => user.clone(),
            (None, Some(subject)) => subject,
            (None, None) => return Err(anyhow!("who are you? Give --user NAME, or set HONGYAN_USER")),
        };
        if place::is_name(&user) { Ok(user) } else { Err(anyhow!("a user's name is 1-64 of A-Z a-z 0-9 . _ - @")) }
    }
}

enum Secret {
    Token(String),
    Password(String),
}

impl Secret {
    fn credential(self, user: &str) -> Credential {
        match self {
            Self::Token(token) => Credential::Token(token),
            Self::Password(password) => Credential::Password { user: user.to_owned(), password },
        }
    }
}

/// Whom a token names. Only the server can tell whether it is true; here it names a file.
fn subject_of(token: &str) -> Option<String> {
    let claims = URL_SAFE_NO_PAD.decode(token.split('.').nth(1)?).ok()?;
    let claims: serde_json::Value = serde_json::from_slice(&claims).ok()?;
    Some(claims.get("sub")?.as_str()?.to_owned())
}

impl Ready {
    /// The right to log in, without asking anybody: what was given, or a session that this device still has.
    pub fn credential(&self) -> Result<Option<Credential>, Failure> {
        if let Some(given) = &self.given {
            return Ok(Some(given.clone()));
        }
        if self.is_new_device {
            return Ok(None);
        }
        let store = Store::open(&self.store).map_err(|error| Failure::Other(error.into()))?;
        let session = store.restore().map_err(|error| Failure::Other(error.into()))?.session;
        self.has_only_session.set(session.is_some());
        // An empty password is refused if the session turns out to have ended; then the user is asked.
        Ok(session.map(|_| Credential::Password { user: self.user.clone(), password: String::new() }))
    }

    /// Asks for the password, without showing it.
    pub fn ask(&self, prompt: &str) -> Result<Credential, Failure> {
        let password = rpassword::prompt_password(prompt).map_err(|_| {
            Failure::NotLoggedIn(format!(
                "no password for {}: set HONGYAN_PASSWORD, or give --password-file or --token-file",
                self.user
            ))
        })?;
        Ok(Credential::Password { user: self.user.clone(), password })
    }

    /// Says what to do about a refused login, if nobody has given a password: the session was all there was.
    pub fn explain(&self, failure: Failure) -> Failure {
        match failure {
            Failure::NotLoggedIn(_) if self.has_only_session.get() => Failure::NotLoggedIn(format!(
                "the session of this device has ended; log in again with the password of {}: set HONGYAN_PASSWORD, or \
                 give --password-file or --token-file",
                self.user
            )),
            failure => failure,
        }
    }

    /// As [`Ready::credential`], or the password, asked for.
    pub fn credential_or_ask(&self) -> Result<Credential, Failure> {
        match self.credential()? {
            Some(credential) => Ok(credential),
            None => self.ask(&format!("Password of {}: ", self.user)),
        }
    }

    /// Starts the client.
    pub async fn connect(&self, credential: Credential) -> Result<(Client, Events), Failure> {
        let mut options = Options::new(self.address.clone(), credential);
        options.term = self.term;
        options.client = concat!("hongyan-cli/", env!("CARGO_PKG_VERSION")).into();
        options.store = Some(self.store.clone());
        Ok(Client::connect(options).await?)
    }
}

/// Does something within a time, or says what did not happen.
pub async fn within<T>(
    seconds: u64,
    what: &str,
    doing: impl Future<Output = Result<T, Failure>>,
) -> Result<T, Failure> {
    match tokio::time::timeout(Duration::from_secs(seconds), doing).await {
        Ok(result) => result,
        Err(_) => Err(Failure::Late(format!("{what} within {seconds} s"))),
    }
}

/// Waits until this device has everything that the server has for it. A stopped link is a failure.
pub async fn caught_up(events: &mut Events) -> Result<(), Failure> {
    loop {
        match events.next().await {
            Some(Event::CaughtUp { .. }) => return Ok(()),
            Some(Event::Link(Link::Stopped(reason))) => return Err(reason.into()),
            Some(_) => {}
            None => return Err(Failure::other("the client has ended")),
        }
    }
}

/// Does something while taking events that nobody needs: a client whose events nobody takes does nothing else, either.
pub async fn drained<T>(events: &mut Events, doing: impl Future<Output = Result<T, Failure>>) -> Result<T, Failure> {
    tokio::pin!(doing);
    loop {
        tokio::select! {
            result = &mut doing => return result,
            event = events.next() => match event {
                Some(Event::Link(Link::Stopped(reason))) => return Err(reason.into()),
                Some(_) => {}
                None => return Err(Failure::other("the client has ended")),
            },
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn account(user: Option<&str>) -> Account {
        Account {
            server: None,
            user: user.map(Into::into),
            password_file: None,
            token: None,
            token_file: None,
            device: None,
            store: None,
        }
    }

    fn token(claims: &str) -> Secret {
        Secret::Token(format!("e30.{}.c2ln", URL_SAFE_NO_PAD.encode(claims)))
    }

    #[test]
    fn a_token_says_who_logs_in() {
        assert_eq!(account(None).user(Some(&token(r#"{"sub":"alice"}"#))).unwrap(), "alice");
        assert_eq!(account(Some("alice")).user(Some(&token(r#"{"sub":"alice"}"#))).unwrap(), "alice");
        let other = account(Some("bob")).user(Some(&token(r#"{"sub":"alice"}"#))).unwrap_err();
        assert_eq!(other.to_string(), "the token is for alice, not for bob");
        for claims in ["{}", r#"{"sub":7}"#, "nonsense", r#"{"sub":"../x"}"#] {
            assert!(account(None).user(Some(&token(claims))).is_err(), "{claims}");
        }
    }

    #[test]
    fn without_a_name_nobody_logs_in() {
        assert!(account(None).user(None).unwrap_err().to_string().contains("--user"));
        assert!(account(None).user(Some(&Secret::Password("x".into()))).is_err());
        assert!(account(Some("a b")).user(None).is_err());
    }

    #[test]
    fn a_password_file_may_end_with_a_line_break() {
        let file = tempfile::NamedTempFile::new().unwrap();
        std::fs::write(file.path(), " se cret \r\n").unwrap();
        let account = Account { password_file: Some(file.path().to_owned()), ..account(Some("alice")) };
        assert!(matches!(account.given().unwrap(), Some(Secret::Password(password)) if password == " se cret "));
    }
}
