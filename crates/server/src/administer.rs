//! `hongyan app`, `key`, `user`, `room`, `health`: what an administrator types becomes a request to a running server. Decides
//! nothing; the server does.

use std::fmt::Display;
use std::io::{BufRead, IsTerminal};
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context, Result, bail, ensure};
use serde_json::{Value, json};
use ureq::http::{Method, Request};

use crate::arguments::{Algorithm, App, InApp, Key, Room, Server, User};
use crate::config::Config;
use crate::data::{admin_key_path, app_key_path, make_folder};
use crate::secret;

/// A server that does not answer within this time is as good as gone.
const TIMEOUT: Duration = Duration::from_secs(30);
const ADMIN_KEY_VARIABLE: &str = "HONGYAN_ADMIN_KEY";

/// `hongyan app …`
pub fn app(command: &App, config: &Config) -> Result<()> {
    match command {
        App::Create { name, server } => {
            let app = Connection::open(server, config)?.post("apps", json!({ "name": name }))?;
            show(server, &app, |app| format!("made the app {}", text(&app["name"])))
        }
        App::List { server } => {
            let apps = Connection::open(server, config)?.get("apps")?;
            show_list(server, &apps["apps"], |app| format!("{:24} {}", text(&app["name"]), app["settings"]))
        }
        App::Set { name, settings, server } => {
            let connection = Connection::open(server, config)?;
            let path = format!("apps/{name}");
            let mut changed = connection.get(&path)?["settings"].take();
            settings.iter().try_for_each(|setting| assign(&mut changed, setting))?;
            let app = connection.put(&path, changed)?;
            show(server, &app, |app| format!("{:24} {}", text(&app["name"]), app["settings"]))
        }
    }
}

/// Replaces one setting, `name=value` or `name.part=value`, that is there already.
fn assign(settings: &mut Value, assignment: &str) -> Result<()> {
    let (path, value) = assignment.split_once('=').context("write settings as NAME=VALUE")?;
    let place = path.split('.').try_fold(settings, |place, key| place.get_mut(key));
    let place = place.with_context(|| format!("there is no setting {path}; `hongyan app list` shows all"))?;
    *place = serde_json::from_str(value).with_context(|| format!("the value of {path}"))?;
    Ok(())
}

/// `hongyan key …`
pub fn key(command: &Key, config: &Config) -> Result<()> {
    match command {
        Key::Add { key_id, algorithm, file, place } => add_key(key_id, *algorithm, file.as_deref(), place, config),
        Key::List { place } => {
            let keys = Connection::open(&place.server, config)?.get(&place.path("keys"))?;
            show_list(&place.server, &keys["keys"], |key| {
                let revoked = if key["revoked_ms"].is_null() { "" } else { "revoked" };
                format!("{:24} {:6} {revoked}", text(&key["key_id"]), text(&key["algorithm"]))
            })
        }
        Key::Revoke { key_id, place } => {
            Connection::open(&place.server, config)?.delete(&place.path(&format!("keys/{key_id}")))?;
            println!("revoked the key {key_id}: its tokens open no session any more");
            Ok(())
        }
    }
}

fn add_key(key_id: &str, algorithm: Algorithm, file: Option<&Path>, place: &InApp, config: &Config) -> Result<()> {
    let algorithm = match algorithm {
        Algorithm::Hs256 => "HS256",
        Algorithm::Eddsa => "EdDSA",
    };
    let connection = Connection::open(&place.server, config)?;
    let (material, made) = match file {
        Some(file) => {
            let text = std::fs::read_to_string(file).with_context(|| format!("reading {}", file.display()))?;
            (text.trim().to_owned(), None)
        }
        // The secret is on disk before the server accepts tokens of it, and never travels back.
        None => {
            let path = app_key_path(&data_folder(&place.server, config), &place.app, key_id);
            make_folder(path.parent().expect("it lies in a folder of the app"))?;
            (secret::hex(&secret::make(&path)?), Some(path))
        }
    };
    let request = json!({ "key_id": key_id, "algorithm": algorithm, "material": material });
    let added = connection.post(&place.path("keys"), request);
    if let (Err(_), Some(path)) = (&added, &made) {
        // The server does not know this secret, so nobody needs it.
        let _ = std::fs::remove_file(path);
    }
    show(&place.server, &added?, |key| {
        let place = made.as_ref().map(|path| format!("; its secret is in {}", path.display()));
        format!("added the key {}{}", text(&key["key_id"]), place.unwrap_or_default())
    })
}

/// `hongyan user …`
pub fn user(command: &User, config: &Config) -> Result<()> {
    match command {
        User::Create { name, no_password, place } => {
            let connection = Connection::open(&place.server, config)?;
            let password = if *no_password { None } else { Some(ask_password(name)?) };
            let user = connection.post(&place.path("users"), json!({ "name": name, "password": password }))?;
            show(&place.server, &user, |user| format!("made the user {}", text(&user["name"])))
        }
        User::Password { name, place } => {
            let connection = Connection::open(&place.server, config)?;
            let request = json!({ "password": ask_password(name)? });
            let answer = connection.put(&place.path(&format!("users/{name}/password")), request)?;
            show(&place.server, &answer, |answer| {
                format!("set the password of {name} and ended {} sessions", answer["sessions_ended"])
            })
        }
        User::Disable { name, place } => set_disabled(name, true, place, config),
        User::Enable { name, place } => set_disabled(name, false, place, config),
        User::TakeVisitors { name, place } => set_takes_visitors(name, true, place, config),
        User::RefuseVisitors { name, place } => set_takes_visitors(name, false, place, config),
        User::List { after, limit, place } => {
            let after = after.as_ref().map(|after| format!("&after={after}")).unwrap_or_default();
            let path = place.path(&format!("users?limit={limit}{after}"));
            let users = Connection::open(&place.server, config)?.get(&path)?;
            show_list(&place.server, &users["users"], |user| {
                let state = match (user["disabled"] == true, user["takes_visitors"] == true) {
                    (true, _) => "disabled",
                    (false, true) => "takes visitors",
                    (false, false) => "",
                };
                format!("{:24} {:>3} connected {state}", text(&user["name"]), user["sessions_connected"])
            })
        }
    }
}

fn set_disabled(name: &str, disabled: bool, place: &InApp, config: &Config) -> Result<()> {
    let connection = Connection::open(&place.server, config)?;
    let answer = connection.put(&place.path(&format!("users/{name}/disabled")), json!({ "disabled": disabled }))?;
    show(&place.server, &answer, |answer| match disabled {
        true => format!("disabled {name} and ended {} sessions", answer["sessions_ended"]),
        false => format!("enabled {name}"),
    })
}

fn set_takes_visitors(name: &str, takes: bool, place: &InApp, config: &Config) -> Result<()> {
    let connection = Connection::open(&place.server, config)?;
    let request = json!({ "takes_visitors": takes });
    let user = connection.put(&place.path(&format!("users/{name}/takes_visitors")), request)?;
    show(&place.server, &user, |_| match takes {
        true => format!("visitors may write to {name}"),
        false => format!("visitors may not write to {name}"),
    })
}

/// `hongyan room …`
pub fn room(command: &Room, config: &Config) -> Result<()> {
    match command {
        Room::Add { app, room: name, server } => {
            let room = Connection::open(server, config)?.post(&rooms(app), json!({ "name": name }))?;
            show(server, &room, |room| format!("made the room {}", text(&room["name"])))
        }
        Room::List { app, server } => {
            let rooms = Connection::open(server, config)?.get(&rooms(app))?;
            show_list(server, &rooms["rooms"], |room| {
                format!("{:24} {:>5} members {:>9} messages", text(&room["name"]), room["members"], room["head_seq"])
            })
        }
        Room::Remove { app, room: name, server } => {
            Connection::open(server, config)?.delete(&format!("{}/{name}", rooms(app)))?;
            println!("removed the room {name} for ever: nobody can enter it, and its name stays taken");
            Ok(())
        }
    }
}

fn rooms(app: &str) -> String {
    format!("apps/{app}/rooms")
}

/// From a terminal, typed twice and unseen; otherwise one line of standard input.
fn ask_password(name: &str) -> Result<String> {
    if !std::io::stdin().is_terminal() {
        let mut line = String::new();
        std::io::stdin().lock().read_line(&mut line).context("reading the password from standard input")?;
        return Ok(line.trim_end_matches(['\r', '\n']).to_owned());
    }
    let password = rpassword::prompt_password(format!("Password of {name}: ")).context("asking for the password")?;
    let again = rpassword::prompt_password("Once more: ").context("asking for the password")?;
    ensure!(password == again, "the two passwords differ");
    Ok(password)
}

/// `hongyan health`: an error if the server takes no clients.
pub fn health(server: &Server, config: &Config) -> Result<()> {
    let address = server.http.unwrap_or(config.server.http_listen);
    let url = format!("http://{address}/readyz");
    let answer = agent().get(&url).call().with_context(|| format!("asking {url}"))?;
    ensure!(answer.status().is_success(), "the server at {address} takes no clients");
    println!("the server at {address} takes clients");
    Ok(())
}

impl InApp {
    fn path(&self, rest: &str) -> String {
        format!("apps/{}/{rest}", self.app)
    }
}

fn data_folder(server: &Server, config: &Config) -> PathBuf {
    server.data.clone().unwrap_or_else(|| config.server.data.clone())
}

/// A server, and the key that it asks for.
struct Connection {
    base: String,
    key: String,
}

impl Connection {
    fn open(server: &Server, config: &Config) -> Result<Self> {
        let address = server.http.unwrap_or(config.server.http_listen);
        let key = match std::env::var(ADMIN_KEY_VARIABLE) {
            Ok(key) => key,
            Err(_) => secret::hex(&secret::read(&admin_key_path(&data_folder(server, config)))?),
        };
        Ok(Self { base: format!("http://{address}/v1/admin"), key })
    }

    fn get(&self, path: &str) -> Result<Value> {
        self.request(Method::GET, path, String::new())
    }

    fn post(&self, path: &str, body: Value) -> Result<Value> {
        self.request(Method::POST, path, body.to_string())
    }

    fn put(&self, path: &str, body: Value) -> Result<Value> {
        self.request(Method::PUT, path, body.to_string())
    }

    fn delete(&self, path: &str) -> Result<Value> {
        self.request(Method::DELETE, path, String::new())
    }

    fn request(&self, method: Method, path: &str, body: String) -> Result<Value> {
        let url = format!("{}/{path}", self.base);
        let request = Request::builder()
            .method(method)
            .uri(&url)
            .header("authorization", format!("Bearer {}", self.key))
            .header("content-type", "application/json")
            .body(body)
            .context("names must be 1-64 of A-Z a-z 0-9 . _ - @")?;
        let mut answer = agent().run(request).with_context(|| format!("is the server running? {url}"))?;
        let text = answer.body_mut().read_to_string().with_context(|| format!("reading the answer of {url}"))?;
        let value = if text.is_empty() { Value::Null } else { serde_json::from_str(&text).unwrap_or_default() };
        if !answer.status().is_success() {
            bail!("{}", value["text"].as_str().unwrap_or("the server answered something unexpected"));
        }
        Ok(value)
    }
}

/// Status codes are answers here, not errors.
fn agent() -> ureq::Agent {
    ureq::Agent::config_builder().timeout_global(Some(TIMEOUT)).http_status_as_error(false).build().new_agent()
}

fn show(server: &Server, value: &Value, line: impl FnOnce(&Value) -> String) -> Result<()> {
    if server.json {
        println!("{value}")
    } else {
        println!("{}", line(value))
    }
    Ok(())
}

/// JSON is one object a line.
fn show_list(server: &Server, values: &Value, line: impl Fn(&Value) -> String) -> Result<()> {
    for value in values.as_array().context("the server answered something unexpected")? {
        show(server, value, &line)?;
    }
    Ok(())
}

fn text(value: &Value) -> impl Display {
    value.as_str().unwrap_or_default().to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn settings_are_replaced_and_never_added() {
        let mut settings = json!({ "recall_seconds_max": 120, "sessions_per_term_max": { "mobile": 1 } });
        assign(&mut settings, "recall_seconds_max=300").unwrap();
        assign(&mut settings, "sessions_per_term_max.mobile=2").unwrap();
        assert_eq!(settings, json!({ "recall_seconds_max": 300, "sessions_per_term_max": { "mobile": 2 } }));
        assert!(assign(&mut settings, "recall_second_max=300").unwrap_err().to_string().contains("no setting"));
        assert!(assign(&mut settings, "recall_seconds_max").is_err());
        assert!(assign(&mut settings, "recall_seconds_max=").is_err());
    }
}
