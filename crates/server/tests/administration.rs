//! The binary as an operator meets it: first start, secrets, administration, health, stop.

mod process;

use std::io::{Read, Write};
use std::net::TcpStream;
use std::os::unix::fs::{MetadataExt, PermissionsExt};

use process::{Server, hongyan, serve};

/// One request on a connection of its own; the whole answer.
fn http(server: &Server, request: &str) -> String {
    let mut stream = TcpStream::connect(server.ready("http")).unwrap();
    stream.write_all(request.as_bytes()).unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    answer
}

fn get(server: &Server, path: &str, head: &str) -> String {
    http(server, &format!("GET {path} HTTP/1.1\r\nhost: x\r\nconnection: close\r\n{head}\r\n"))
}

#[test]
fn a_first_start_makes_secrets_and_a_second_keeps_them() {
    let folder = tempfile::tempdir().unwrap();
    let server = Server::start(folder.path());
    let address = server.address();
    assert_eq!(address.app, "default");
    for file in ["noise.key", "ticket.key", "admin.key", "visitor-1.key", "apps/default/main.key", "hongyan.db"] {
        let mode = std::fs::metadata(folder.path().join("data").join(file)).unwrap().mode();
        assert_eq!(mode & 0o077, 0, "{file} has mode {mode:o}");
    }
    assert!(server.done(&["user", "list"], "").is_empty(), "nobody exists until somebody makes them");
    server.done(&["user", "create", "alice"], "correct horse\n");
    assert!(server.terminate().success());

    let server = Server::start(folder.path());
    assert_eq!(server.address().key, address.key);
    assert!(server.done(&["user", "list"], "").starts_with("alice "));
}

#[test]
fn what_administrators_do() {
    let folder = tempfile::tempdir().unwrap();
    let server = Server::start(folder.path());
    server.done(&["app", "create", "shop"], "");
    server.done(&["app", "set", "shop", "recall_seconds_max=300", "sessions_per_term_max.mobile=2"], "");
    let apps = server.done(&["app", "list", "--json"], "");
    let shop: serde_json::Value = serde_json::from_str(apps.lines().nth(1).unwrap()).unwrap();
    assert_eq!(shop["settings"]["recall_seconds_max"], 300);
    assert_eq!(shop["settings"]["sessions_per_term_max"]["mobile"], 2);
    assert!(server.refused(&["app", "set", "shop", "colour=3"], "").contains("no setting colour"));
    assert!(server.refused(&["app", "set", "shop", "recall_seconds_max=-1"], "").contains("recall_seconds_max"));
    assert!(server.refused(&["app", "create", "shop"], "").contains("taken"));
    assert!(server.refused(&["app", "create", "a~b"], "").contains("1-64"));

    server.done(&["key", "add", "backend", "--app", "shop"], "");
    let secret = folder.path().join("data/apps/shop/backend.key");
    assert_eq!(std::fs::metadata(&secret).unwrap().mode() & 0o777, 0o600);
    assert!(!server.done(&["key", "list", "--app", "shop", "--json"], "").contains("secret"));
    server.done(&["key", "revoke", "backend", "--app", "shop"], "");
    assert!(server.done(&["key", "list", "--app", "shop"], "").contains("revoked"));
    assert!(server.refused(&["key", "add", "other", "--app", "none"], "").contains("no such thing"));
    assert!(!folder.path().join("data/apps/none/other.key").exists(), "a secret that no server knows");

    assert!(server.refused(&["user", "create", "bob"], "short\n").contains("password"));
    server.done(&["user", "create", "bob"], "long enough\n");
    server.done(&["user", "create", "robot", "--no-password"], "");
    server.done(&["user", "password", "bob"], "long enough too\n");
    server.done(&["user", "disable", "bob"], "");
    assert!(server.done(&["user", "list"], "").contains("disabled"));
    server.done(&["user", "enable", "bob"], "");
    assert!(server.done(&["user", "list", "--after", "bob"], "").starts_with("robot "));
    assert!(server.done(&["user", "take-visitors", "bob"], "").contains("may write to bob"));
    assert!(server.done(&["user", "list"], "").contains("takes visitors"));
    server.done(&["user", "refuse-visitors", "bob"], "");
    assert!(!server.done(&["user", "list"], "").contains("takes visitors"));
    assert!(server.refused(&["user", "take-visitors", "nobody"], "").contains("no such thing"));
    assert!(server.refused(&["user", "create", "~AAAAAAAAAAAAAAAAAAAAAA"], "long enough\n").contains("1-64"));
    assert!(server.refused(&["user", "disable", "nobody"], "").contains("no such thing"));
}

#[test]
fn rooms_are_made_listed_and_removed_for_ever() {
    let folder = tempfile::tempdir().unwrap();
    let server = Server::start(folder.path());
    assert!(server.done(&["room", "list", "default"], "").starts_with("lobby "), "the first app begins with one");
    server.done(&["room", "add", "default", "attic"], "");
    let rooms = server.done(&["room", "list", "default", "--json"], "");
    let attic: serde_json::Value = serde_json::from_str(rooms.lines().next().unwrap()).unwrap();
    assert_eq!((&attic["name"], &attic["members"], &attic["head_seq"]), (&"attic".into(), &0.into(), &0.into()));
    assert!(server.refused(&["room", "add", "default", "attic"], "").contains("taken"));
    assert!(server.refused(&["room", "add", "default", "~attic"], "").contains("1-64"));
    assert!(server.refused(&["room", "add", "none", "attic"], "").contains("no such thing"));
    assert!(server.refused(&["room", "remove", "default", "cellar"], "").contains("no such thing"));
    server.done(&["room", "remove", "default", "lobby"], "");
    assert!(server.refused(&["room", "remove", "default", "lobby"], "").contains("no such thing"));
    assert!(server.refused(&["room", "add", "default", "lobby"], "").contains("taken"));
    for setting in ["room_name_characters_max=0", "room_name_characters_max=65", "room_hold_seconds=3601"] {
        let name = setting.split('=').next().unwrap();
        assert!(server.refused(&["app", "set", "default", setting], "").contains(name));
    }
    server.done(&["app", "set", "default", "room_text_characters_max=280"], "");
    assert!(server.terminate().success());
    let server = Server::start(folder.path());
    assert_eq!(server.done(&["room", "list", "default"], "").lines().count(), 1, "a removed room stays away");
}

#[test]
fn administration_needs_the_key_and_health_does_not() {
    let folder = tempfile::tempdir().unwrap();
    let server = Server::start(folder.path());
    assert!(get(&server, "/healthz", "").starts_with("HTTP/1.1 200"));
    assert!(get(&server, "/readyz", "").starts_with("HTTP/1.1 200"));
    server.done(&["health"], "");
    let metrics = get(&server, "/metrics", "");
    for name in ["hongyan_gate_connections ", "hongyan_logic_sends_total ", "hongyan_store_writes_waiting "] {
        assert!(metrics.contains(name), "{name} is missing in {metrics}");
    }
    let key = std::fs::read_to_string(folder.path().join("data/admin.key")).unwrap();
    let right = format!("authorization: Bearer {}\r\n", key.trim());
    let wrong = [
        String::new(),
        format!("authorization: Bearer {}\r\n", "0".repeat(64)),
        "authorization: Bearer \r\n".to_owned(),
        format!("authorization: Basic {}\r\n", key.trim()),
        format!("x-admin-key: {}\r\n", key.trim()),
    ];
    for head in wrong {
        assert!(get(&server, "/v1/admin/apps", &head).starts_with("HTTP/1.1 401"), "{head}");
        assert!(get(&server, "/v1/admin/nothing", &head).starts_with("HTTP/1.1 401"), "{head}");
    }
    assert!(get(&server, "/v1/admin/apps", &right).starts_with("HTTP/1.1 200"));
    assert!(get(&server, "/v1/admin/apps/a%2Fb", &right).starts_with("HTTP/1.1 400"));
    assert!(get(&server, "/nothing", "").starts_with("HTTP/1.1 404"));
    let post = |body: &str, length: usize| {
        let head = format!("{right}content-type: application/json\r\ncontent-length: {length}\r\n");
        http(&server, &format!("POST /v1/admin/apps HTTP/1.1\r\nhost: x\r\nconnection: close\r\n{head}\r\n{body}"))
    };
    for body in ["", "{", "[]", "{}", r#"{"name":"x","colour":1}"#, r#"{"name":"x","settings":{"colour":1}}"#] {
        assert!(post(body, body.len()).starts_with("HTTP/1.1 400"), "{body}");
    }
    assert!(post("{", 100_000_000).starts_with("HTTP/1.1 413"), "a length that lies is refused before it has arrived");
}

#[test]
fn lists_of_words_are_uploaded_and_shown() {
    let folder = tempfile::tempdir().unwrap();
    let server = Server::start(folder.path());
    let key = std::fs::read_to_string(folder.path().join("data/admin.key")).unwrap();
    let ask = |method: &str, path: &str, body: &str| {
        let head = format!("authorization: Bearer {}\r\ncontent-length: {}\r\n", key.trim(), body.len());
        let path = format!("/v1/admin/apps/default/{path}");
        http(&server, &format!("{method} {path} HTTP/1.1\r\nhost: x\r\nconnection: close\r\n{head}\r\n{body}"))
    };
    let long: String = (0..20_000).map(|number| format!("词语{number}\n")).collect();
    assert!(long.len() > 65_536, "longer than other bodies may be");
    let answer = ask("PUT", "words/porn", &long);
    assert!(answer.starts_with("HTTP/1.1 200") && answer.contains(r#""used":20000"#), "{answer}");
    assert!(ask("GET", "words/porn", "").ends_with(&long));
    assert!(ask("GET", "words", "").contains(r#""version":1"#));
    assert!(ask("PUT", "words/colour", "red").starts_with("HTTP/1.1 404"));
    assert!(ask("GET", "spam/audits?limit=5", "").ends_with(r#"{"audits":[]}"#));
    assert!(ask("GET", "spam/held", "").ends_with(r#"{"held":[]}"#));
    assert!(ask("GET", "spam/held?colour=red", "").starts_with("HTTP/1.1 400"));
    assert!(ask("DELETE", "words/porn", "").starts_with("HTTP/1.1 204"));
    assert!(ask("GET", "words", "").ends_with(r#"{"lists":[]}"#));
    server.done(&["app", "set", "default", r#"spam.words.abuse="reject""#, "spam.audit_days=7"], "");
    assert!(server.refused(&["app", "set", "default", "spam.audit_days=0"], "").contains("spam.audit_days"));
}

#[test]
fn a_server_does_not_start_on_what_is_not_its_own() {
    let folder = tempfile::tempdir().unwrap();
    let server = Server::start(folder.path());
    let complaint = |mut command: std::process::Command| {
        let output = command.output().unwrap();
        assert!(!output.status.success());
        String::from_utf8(output.stderr).unwrap()
    };
    assert!(complaint(serve(folder.path())).contains("in use by another process"));
    let elsewhere = tempfile::tempdir().unwrap();
    let mut same_port = hongyan(elsewhere.path());
    same_port.args(["serve", "--web", "127.0.0.1:0", "--listen", server.ready("tcp"), "--http", "127.0.0.1:0"]);
    assert!(complaint(same_port).contains("Address already in use"));
    server.kill();

    let key = folder.path().join("data/noise.key");
    std::fs::set_permissions(&key, PermissionsExt::from_mode(0o644)).unwrap();
    assert!(complaint(serve(folder.path())).contains("others may read the secret"));
    std::fs::set_permissions(&key, PermissionsExt::from_mode(0o600)).unwrap();
    std::fs::write(&key, "ab".repeat(32)).unwrap();
    assert!(complaint(serve(folder.path())).contains("not drawn at random"));

    let mut unknown_key = serve(folder.path());
    unknown_key.env("HONGYAN_GATE_FRAME_PER_SECOND", "1");
    assert!(complaint(unknown_key).contains("HONGYAN_GATE_FRAME_PER_SECOND"));
}

#[test]
fn the_doctor_examines() {
    let folder = tempfile::tempdir().unwrap();
    let output = hongyan(folder.path()).args(["doctor", "--json"]).output().unwrap();
    let findings: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
    let findings = findings.as_array().unwrap();
    for name in ["open files", "clock", "disk sync", "disk space", "port for clients", "kernel backlog", "secrets"] {
        let finding = findings.iter().find(|finding| finding["name"] == name).unwrap();
        assert!(finding["text"].as_str().is_some_and(|text| !text.is_empty()), "{name}");
    }
    let bad = findings.iter().any(|finding| finding["verdict"] == "bad");
    assert_eq!(output.status.success(), !bad);
    assert_eq!(std::fs::read_dir(folder.path().join("data")).unwrap().count(), 0, "it leaves nothing behind");
}

#[test]
fn a_backup_is_restored_elsewhere() {
    let folder = tempfile::tempdir().unwrap();
    let server = Server::start(folder.path());
    server.done(&["user", "create", "alice"], "correct horse\n");
    let command = |arguments: &[&str]| hongyan(folder.path()).args(arguments).output().unwrap();
    assert!(command(&["backup", "copy.db"]).status.success(), "while the server runs");
    assert_eq!(std::fs::metadata(folder.path().join("copy.db")).unwrap().mode() & 0o077, 0);
    assert!(!command(&["backup", "copy.db"]).status.success(), "a backup is never overwritten");
    server.done(&["user", "create", "bob"], "came too late\n");
    assert!(!command(&["restore", "copy.db"]).status.success(), "a store is never overwritten");
    server.kill();

    let elsewhere = tempfile::tempdir().unwrap();
    let copy = folder.path().join("copy.db");
    assert!(hongyan(elsewhere.path()).arg("restore").arg(copy).status().unwrap().success());
    let server = Server::start(elsewhere.path());
    let users = server.done(&["user", "list"], "");
    assert!(users.starts_with("alice ") && !users.contains("bob"), "{users}");
}

#[test]
fn passwords_leave_no_memory_behind() {
    let folder = tempfile::tempdir().unwrap();
    let server = Server::start(folder.path());
    for number in 0..6 {
        server.done(&["user", "create", &format!("user-{number}")], "correct horse\n");
    }
    let status = std::fs::read_to_string(format!("/proc/{}/status", server.pid())).unwrap();
    let line = status.lines().find_map(|line| line.strip_prefix("RssAnon:")).unwrap();
    let kib: u64 = line.trim().trim_end_matches(" kB").parse().unwrap();
    assert!(kib < 19 * 1024, "{kib} KiB are held at rest, which is more than one hash needs");
}
