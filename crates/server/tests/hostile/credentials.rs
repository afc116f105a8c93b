//! Rows 24 and 26: tokens that nobody signed, or somebody else did; and what a wrong guess tells.

use hongyan_wire::proto;
use hongyan_wire::proto::RefusalCode;
use hongyan_wire::proto::login_request::Credential;
use serde_json::json;

use crate::place::{Place, base64, signed};
use crate::speaker::User;

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
