//! Row 40: what gets out by ports, logs, numbers and copies, and what gets in by them.

use std::fs;

use hongyan_wire::command::Operation;
use hongyan_wire::proto;
use hongyan_wire::proto::login_request::Credential;

use crate::place::Place;
use crate::process::hongyan;
use crate::speaker::User;

const DEFAULTS: &str = include_str!("../../../../config/default.toml");
const PASSWORD: &str = "correct horse battery";
const WORDS: &str = "between you and me only";

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

#[test]
fn row_40_ports_are_this_machines_own_unless_somebody_says_otherwise() {
    let lines: Vec<_> = DEFAULTS.lines().filter(|line| line.contains("listen = ")).collect();
    assert_eq!(lines.len(), 3, "{lines:?}");
    for line in lines {
        assert!(line.contains("\"127.0.0.1:"), "{line}");
    }
}

#[test]
fn row_40_no_secret_and_no_words_get_into_the_log_or_the_numbers() {
    for format in ["text", "json"] {
        let settings = [("HONGYAN_LOG_FILTER", "trace"), ("HONGYAN_LOG_FORMAT", format)];
        let mut place = Place::with(&settings);
        place.server.done(&["user", "create", "alice"], &format!("{PASSWORD}\n"));
        let mut alice = place.connect();
        alice.shake_hands();
        let credential = proto::PasswordCredential { user: "alice".to_owned(), password: PASSWORD.to_owned() };
        let login = alice.log_in_by(&User::new("alice"), Credential::Password(credential)).unwrap();
        alice.say("bystander", WORDS);
        drop(alice);
        let mut alice = place.connect();
        alice.resume(&login, 1, 0);
        alice.resumed();
        alice.is_answered();
        let token = place.token("bystander", "default");
        let data = place.folder.path().join("data");
        let mut secrets: Vec<(&str, String)> = ["noise.key", "ticket.key", "admin.key", "apps/default/main.key"]
            .map(|file| (file, fs::read_to_string(data.join(file)).unwrap().trim().to_owned()))
            .into();
        secrets.push(("the password", PASSWORD.to_owned()));
        secrets.push(("the words", WORDS.to_owned()));
        secrets.push(("a token", token));
        secrets.push(("the proof of a session", hex(&login.resume_secret)));
        let numbers = ureq::get(format!("http://{}/metrics", place.server.ready("http"))).call().unwrap();
        let numbers = numbers.into_body().read_to_string().unwrap();
        let log = fs::read_to_string(place.folder.path().join("log")).unwrap();
        assert!(log.contains("DEBUG"), "everything is logged: {log}");
        for (what, secret) in &secrets {
            let as_bytes = format!("{:?}", secret.as_bytes());
            for shown in [secret.as_str(), as_bytes.trim_matches(['[', ']'])] {
                assert!(!log.contains(shown), "{what} is in the log");
                assert!(!numbers.contains(shown), "{what} is in the numbers");
            }
        }
        let secret = format!("{:?}", &login.resume_secret[..]);
        assert!(!log.contains(secret.trim_matches(['[', ']'])), "the proof of a session is in the log");
        place.is_well();
    }
}

#[test]
fn row_40_nobody_writes_lines_of_their_own_into_the_log() {
    let forged = "\n2026-01-01T00:00:00Z ERROR hongyan: the disk is on fire\u{1b}[2J\r";
    for format in ["text", "json"] {
        let settings = [("HONGYAN_LOG_FILTER", "trace"), ("HONGYAN_LOG_FORMAT", format)];
        let mut place = Place::with(&settings);
        for (app, user) in [("default", forged), (forged, "alice"), ("default", "alice")] {
            let mut forger = place.connect();
            forger.shake_hands();
            let credential = proto::PasswordCredential { user: user.to_owned(), password: forged.to_owned() };
            let request = proto::LoginRequest {
                id: 1,
                app: app.to_owned(),
                credential: Some(Credential::Password(credential)),
                device_id: forged.as_bytes()[..16].to_vec().into(),
                term: proto::Term::Pc as i32,
                client: forged.chars().take(60).collect(),
            };
            let answer: proto::LoginAnswer = forger.ask(Operation::Login, &request);
            assert!(answer.refusal.is_some());
        }
        let mut member = place.log_in("member");
        let request = member.text(forged, forged);
        let answer: proto::SendAnswer = member.ask(Operation::Send, &request);
        assert!(answer.refusal.is_some());
        let key = fs::read_to_string(place.folder.path().join("data/admin.key")).unwrap();
        let path = format!("http://{}/v1/admin/apps/x%0aERROR%20forged", place.server.ready("http"));
        let refused = ureq::get(path).header("authorization", format!("Bearer {}", key.trim())).call();
        assert!(refused.is_err());
        let log = fs::read_to_string(place.folder.path().join("log")).unwrap();
        for line in log.lines() {
            let own = if format == "json" { line.starts_with('{') } else { line.starts_with("20") };
            assert!(own && !line.starts_with("2026-01-01T00:00:00Z ERROR"), "{line:?}");
        }
        assert!(!log.contains('\u{1b}') && !log.contains('\r'), "a terminal obeys nobody but us");
        place.is_well();
    }
}

#[test]
fn row_40_a_copy_that_is_none_or_was_altered_does_not_become_a_store() {
    let mut place = Place::new();
    place.log_in("ann").say("bystander", WORDS);
    let copy = place.folder.path().join("copy.db");
    assert!(hongyan(place.folder.path()).args(["backup", "copy.db"]).status().unwrap().success());
    let good = fs::read(&copy).unwrap();
    let page_bytes = usize::from(u16::from_be_bytes([good[16], good[17]]));
    let mut torn = good.clone();
    torn[page_bytes..2 * page_bytes].fill(0x5A);
    let mut another_program = good.clone();
    another_program[60..64].fill(0);
    let cases: [(&str, Vec<u8>); 6] = [
        ("nothing", Vec::new()),
        ("a text", b"DROP TABLE message;".repeat(1_000)),
        ("the first half", good[..good.len() / 2].to_vec()),
        ("without its head", good[100..].to_vec()),
        ("a page of something else", torn),
        ("a file of another program", another_program),
    ];
    for (what, bytes) in cases {
        let elsewhere = tempfile::tempdir().unwrap();
        fs::write(elsewhere.path().join("copy.db"), bytes).unwrap();
        let output = hongyan(elsewhere.path()).args(["restore", "copy.db"]).output().unwrap();
        assert!(!output.status.success(), "{what}");
        assert!(!elsewhere.path().join("data/hongyan.db").exists(), "{what}: a store was made of it");
    }
    // Whoever is given a good one starts with nobody's session.
    let elsewhere = tempfile::tempdir().unwrap();
    let restored = hongyan(elsewhere.path()).arg("restore").arg(&copy).status().unwrap();
    assert!(restored.success());
    place.is_well();
}
