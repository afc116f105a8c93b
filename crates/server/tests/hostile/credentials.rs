//! Rows 24-26: tokens that nobody signed, or somebody else did; secrets that are none; and what a wrong guess tells.

use std::os::unix::fs::PermissionsExt;
use std::time::{Duration, Instant};

use hongyan_wire::command::Operation;
use hongyan_wire::proto;
use hongyan_wire::proto::RefusalCode;
use hongyan_wire::proto::login_request::Credential;
use serde_json::json;

use crate::place::{Place, base64, signed};
use crate::process::serve;
use crate::speaker::{Speaker, User};

/// In the far future, in seconds since 1970.
const LATE: u64 = 4_000_000_000;

#[test]
fn row_24_forged_foreign_and_outdated_tokens_open_nothing() {
    let mut place = Place::new();
    place.server.done(&["app", "create", "shop"], "");
    place.server.done(&["key", "add", "backend", "--app", "shop"], "");
    // The other app has a key of the same id.
    place.server.done(&["key", "add", "main", "--app", "shop"], "");
    let own = place.secret("default");
    let foreign = {
        let path = place.folder.path().join("data/apps/shop/main.key");
        let text = std::fs::read_to_string(path).unwrap();
        let digit = |at: usize| u8::from_str_radix(&text[at..at + 2], 16).unwrap();
        (0..64).step_by(2).map(digit).collect::<Vec<u8>>()
    };
    let header = json!({ "alg": "HS256", "kid": "main" });
    let claims = json!({ "sub": "alice", "exp": LATE });
    let unsigned = |header: serde_json::Value| {
        format!("{}.{}.", base64(header.to_string().as_bytes()), base64(claims.to_string().as_bytes()))
    };
    let good = signed(&header, &claims, &own);
    let (content, signature) = good.rsplit_once('.').unwrap();
    let tokens = [
        ("no algorithm", unsigned(json!({ "alg": "none", "kid": "main" }))),
        ("no algorithm, signed", signed(&json!({ "alg": "none", "kid": "main" }), &claims, &own)),
        ("no signature", format!("{content}.")),
        ("another algorithm's name", signed(&json!({ "alg": "HS512", "kid": "main" }), &claims, &own)),
        ("a key pair's algorithm", signed(&json!({ "alg": "EdDSA", "kid": "main" }), &claims, &own)),
        ("another app's key of the same id", signed(&header, &claims, &foreign)),
        ("another app's key id", signed(&json!({ "alg": "HS256", "kid": "backend" }), &claims, &place.secret("shop"))),
        ("no key id", signed(&json!({ "alg": "HS256" }), &claims, &own)),
        ("a path as key id", signed(&json!({ "alg": "HS256", "kid": "../shop/main" }), &claims, &foreign)),
        ("an empty secret", signed(&header, &claims, b"")),
        ("a key of its own", signed(&json!({ "alg": "HS256", "kid": "main", "jwk": {} }), &claims, &foreign)),
        ("a duty we do not know", signed(&json!({ "alg": "HS256", "kid": "main", "crit": ["x"] }), &claims, &own)),
        ("expired", signed(&header, &json!({ "sub": "alice", "exp": 1_000_000_000 }), &own)),
        ("without an end", signed(&header, &json!({ "sub": "alice" }), &own)),
        ("not yet", signed(&header, &json!({ "sub": "alice", "exp": LATE, "nbf": LATE }), &own)),
        ("for another app", signed(&header, &json!({ "sub": "alice", "exp": LATE, "aud": "shop" }), &own)),
        ("for nobody", signed(&header, &json!({ "sub": "", "exp": LATE }), &own)),
        ("for a visitor", signed(&header, &json!({ "sub": "~guest", "exp": LATE }), &own)),
        ("other claims under the same signature", {
            let root = base64(json!({ "sub": "root", "exp": LATE }).to_string().as_bytes());
            format!("{}.{root}.{signature}", content.split('.').next().unwrap())
        }),
        ("nothing", String::new()),
        ("dots", "..".to_owned()),
        ("no text of base 64", "§.§.§".to_owned()),
    ];
    for (what, token) in tokens {
        let mut forger = place.connect();
        forger.shake_hands();
        let answer = forger.log_in(&User::new("alice"), &token);
        assert_eq!(answer.unwrap_err(), RefusalCode::Unauthenticated, "{what}");
    }
    // A good token of one app is nothing in another, even with a key of the same id.
    let mut stranger = place.connect();
    stranger.shake_hands();
    let elsewhere = User { app: "shop".to_owned(), ..User::new("alice") };
    assert_eq!(stranger.log_in(&elsewhere, &good).unwrap_err(), RefusalCode::Unauthenticated);
    let nowhere = User { app: "none".to_owned(), ..User::new("alice") };
    assert_eq!(stranger.log_in(&nowhere, &good).unwrap_err(), RefusalCode::Unauthenticated);
    assert!(stranger.log_in(&User::new("alice"), &good).is_ok(), "the token was good all the time");
    place.is_well();
}

#[test]
fn row_24_a_revoked_key_opens_nothing_from_that_moment_on() {
    let mut place = Place::new();
    place.server.done(&["app", "create", "shop"], "");
    place.server.done(&["key", "add", "backend", "--app", "shop"], "");
    let buyer = User { app: "shop".to_owned(), ..User::new("buyer") };
    let token = place.token("buyer", "shop");
    place.log_in_as(&buyer).is_answered();
    place.server.done(&["key", "revoke", "backend", "--app", "shop"], "");
    let mut late = place.connect();
    late.shake_hands();
    assert_eq!(late.log_in(&buyer, &token).unwrap_err(), RefusalCode::Unauthenticated);
    place.is_well();
}

#[test]
fn row_26_a_wrong_password_an_unknown_name_and_an_unknown_app_look_the_same() {
    let mut place = Place::new();
    place.server.done(&["user", "create", "alice"], "a good password\n");
    place.server.done(&["user", "create", "gone"], "a good password\n");
    place.server.done(&["user", "disable", "gone"], "");
    place.log_in("tokens-only");
    let mut answers = Vec::new();
    for (app, user, password) in [
        ("default", "alice", "a bad password"),
        ("default", "nobody", "a bad password"),
        ("default", "gone", "a good password"),
        ("default", "tokens-only", ""),
        ("default", "no name", "a bad password"),
        ("nowhere", "alice", "a good password"),
    ] {
        let mut guesser = place.connect();
        guesser.shake_hands();
        let credential = proto::PasswordCredential { user: user.to_owned(), password: password.to_owned() };
        let request = proto::LoginRequest {
            id: 1,
            app: app.to_owned(),
            credential: Some(Credential::Password(credential)),
            device_id: vec![1; 16].into(),
            term: proto::Term::Pc as i32,
            client: String::new(),
        };
        answers.push(guesser.ask::<proto::LoginAnswer>(hongyan_wire::command::Operation::Login, &request));
    }
    assert_eq!(answers[0].refusal.as_ref().unwrap().code(), RefusalCode::Unauthenticated);
    assert!(answers.iter().all(|answer| *answer == answers[0]), "{answers:?}");
    place.is_well();
}

#[test]
fn row_25_a_secret_that_is_none_stops_the_server_before_anybody_can_connect() {
    let place = Place::new();
    let folder = place.folder.path().to_owned();
    let mut server = place;
    server.server.kill_in_place();
    for file in ["noise.key", "ticket.key", "admin.key"] {
        let path = folder.join("data").join(file);
        let good = std::fs::read_to_string(&path).unwrap();
        let try_with = |text: &str, mode: u32| {
            std::fs::write(&path, text).unwrap();
            std::fs::set_permissions(&path, PermissionsExt::from_mode(mode)).unwrap();
            let output = serve(&folder).output().unwrap();
            assert!(!output.status.success(), "{file}: {text:?} {mode:o}");
            String::from_utf8(output.stderr).unwrap()
        };
        for text in ["", "\n", "admin", "changeme", &"0".repeat(64), &"ab".repeat(32), &good.trim()[2..]] {
            let complaint = try_with(text, 0o600);
            assert!(complaint.contains(file) && !complaint.contains(good.trim()), "{text:?}: {complaint}");
        }
        for mode in [0o644, 0o640, 0o606] {
            assert!(try_with(&good, mode).contains("others may read"), "{file} {mode:o}");
        }
        std::fs::write(&path, &good).unwrap();
        std::fs::set_permissions(&path, PermissionsExt::from_mode(0o600)).unwrap();
    }
}

#[test]
fn row_25_no_name_is_a_key_and_no_app_has_a_weak_one() {
    let mut place = Place::new();
    for name in ["admin", "root", "system", "default", "guest", "hongyan", "0", "49"] {
        let mut stranger = place.connect();
        stranger.shake_hands();
        for password in ["", name, "admin", "password"] {
            let credential = proto::PasswordCredential { user: name.to_owned(), password: password.to_owned() };
            let answer = stranger.log_in_by(&User::new(name), Credential::Password(credential));
            if answer == Err(RefusalCode::Unauthenticated) {
                // Three are enough for one connection.
                stranger = place.connect();
                stranger.shake_hands();
            } else {
                panic!("{name:?} with {password:?}: {answer:?}");
            }
        }
    }
    let visitor = place.server.refused(&["user", "create", "~guest"], "a good password\n");
    assert!(visitor.contains("1-64"), "{visitor}");
    place.is_well();
}

#[test]
fn row_26_whether_a_name_exists_cannot_be_told_from_the_time_of_an_answer() {
    const TRIES: usize = 6;
    let mut place = Place::new();
    place.server.done(&["user", "create", "alice"], "a good password\n");
    place.log_in("tokens-only");
    let guess = |user: &str| {
        let mut guesser = place.connect();
        guesser.shake_hands();
        let credential = proto::PasswordCredential { user: user.to_owned(), password: "a bad password".to_owned() };
        let started = Instant::now();
        let answer = guesser.log_in_by(&User::new(user), Credential::Password(credential));
        assert_eq!(answer.unwrap_err(), RefusalCode::Unauthenticated);
        started.elapsed()
    };
    let mut quickest = [Duration::MAX; 3];
    for _ in 0..TRIES {
        for (quickest, user) in quickest.iter_mut().zip(["alice", "nobody", "tokens-only"]) {
            *quickest = guess(user).min(*quickest);
        }
    }
    // A check that is left out takes a hundredth of the time; a busy machine cannot make that up in every try.
    let (least, most) = (quickest.iter().min().unwrap(), quickest.iter().max().unwrap());
    assert!(*most < *least * 2, "{quickest:?}");
    place.is_well();
}

#[test]
fn row_26_names_cannot_be_tried_out_in_numbers() {
    const BUDGET: usize = 8;
    let mut place = Place::with(&[("HONGYAN_LOGIC_FIRST_CONTACTS_PER_USER", "{ burst = 8, per_minute = 1 }")]);
    let mut scraper = place.log_in("scraper");
    let contact = |scraper: &mut Speaker, name: &str| {
        let request = scraper.text(name, "is there anybody?");
        let answer: proto::SendAnswer = scraper.ask(Operation::Send, &request);
        answer.refusal.map(|refusal| refusal.code())
    };
    let answers: Vec<_> = (0..BUDGET + 5).map(|number| contact(&mut scraper, &format!("name-{number}"))).collect();
    let (within, beyond) = answers.split_at(BUDGET);
    assert!(within.iter().all(|code| *code == Some(RefusalCode::NotFound)), "{answers:?}");
    assert!(beyond.iter().all(|code| *code == Some(RefusalCode::RateLimited)), "{answers:?}");
    let known = contact(&mut scraper, "bystander");
    assert_eq!(known, Some(RefusalCode::RateLimited), "who exists is not told either");
    place.is_well();
}
