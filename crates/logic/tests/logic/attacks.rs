//! Tokens, names and requests of people who mean no good (reliability.md rows 6, 8, 23-27, 37-38).

use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::signature::{Ed25519KeyPair, KeyPair};
use bytes::Bytes;
use hongyan_cluster::service::Service;
use hongyan_domain::app::{AppSettings, KeyAlgorithm};
use hongyan_domain::id::SessionId;
use hongyan_domain::receipt::CursorAdvance;
use hongyan_domain::refusal::Refusal;
use hongyan_domain::session::Term;
use hongyan_logic::{LogicOptions, Rate};
use hongyan_wire::command::Operation;
use hongyan_wire::proto;
use hongyan_wire::proto::RefusalCode;
use hongyan_wire::proto::login_request::Credential;
use jsonwebtoken::{Algorithm, EncodingKey, Header, encode};
use proptest::prelude::{Strategy, any};
use proptest::strategy::ValueTree;
use proptest::test_runner::TestRunner;
use prost::Message;
use serde_json::json;

use crate::world::{START_SECONDS, World, code, generous, header, name, secret, signed, token};

const SOON: u64 = START_SECONDS + 600;

/// Base64 for URLs, without padding: only to build what the library refuses to build.
fn base64(bytes: &[u8]) -> String {
    const ALPHABET: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
    let digits = |chunk: &[u8]| {
        let bits = chunk.iter().fold(0_u32, |bits, byte| bits << 8 | u32::from(*byte)) << (8 * (3 - chunk.len()));
        let digit = move |place: usize| char::from(ALPHABET[(bits >> (18 - 6 * place)) as usize & 63]);
        (0..=chunk.len()).map(digit).collect::<String>()
    };
    bytes.chunks(3).map(digits).collect()
}

fn unsigned(header: serde_json::Value, claims: serde_json::Value) -> String {
    format!("{}.{}.", base64(header.to_string().as_bytes()), base64(claims.to_string().as_bytes()))
}

#[tokio::test]
async fn only_tokens_signed_for_this_app_and_time_open_a_session() {
    let world = World::new().await;
    let good = json!({ "sub": "ann", "exp": SOON });
    let own = |claims: serde_json::Value| signed(&header("k"), &claims, &secret("one"));
    let mut critical = header("k");
    critical.crit = Some(vec!["exp".into()]);
    let mut embedded = header("mine");
    embedded.jku = Some("http://192.0.2.1/keys".into());
    let [head, claims, signature] =
        token("one", "ann").split('.').map(String::from).collect::<Vec<_>>().try_into().unwrap();
    let other_claims = base64(json!({ "sub": "eve", "exp": SOON }).to_string().as_bytes());
    let none = json!({ "alg": "none", "kid": "k" });
    let refused = [
        ("another app's key of the same id", signed(&header("k"), &good, &secret("two"))),
        ("no such key", signed(&header("x"), &good, &secret("one"))),
        ("no key id", signed(&Header::new(Algorithm::HS256), &good, &secret("one"))),
        ("a key to be fetched", signed(&embedded, &good, b"a secret of the attacker, long enough")),
        (
            "another algorithm of the family",
            signed(&Header { alg: Algorithm::HS384, ..header("k") }, &good, &secret("one")),
        ),
        ("an extension that must be understood", signed(&critical, &good, &secret("one"))),
        ("no algorithm", unsigned(none.clone(), good.clone())),
        ("no algorithm, but a signature", format!("{}{signature}", unsigned(none, good.clone()))),
        ("no signature", format!("{head}.{claims}.")),
        ("other claims under the signature", format!("{head}.{other_claims}.{signature}")),
        ("expired", own(json!({ "sub": "ann", "exp": START_SECONDS - 60 }))),
        ("expired long ago", own(json!({ "sub": "ann", "exp": 0 }))),
        ("never expires", own(json!({ "sub": "ann" }))),
        ("expires in words", own(json!({ "sub": "ann", "exp": "tomorrow" }))),
        ("expires before time", own(json!({ "sub": "ann", "exp": -1 }))),
        ("not valid yet", own(json!({ "sub": "ann", "exp": SOON, "nbf": START_SECONDS + 61 }))),
        ("for another app", own(json!({ "sub": "ann", "exp": SOON, "aud": "two" }))),
        ("for other apps", own(json!({ "sub": "ann", "exp": SOON, "aud": ["two", "three"] }))),
        ("for nobody", own(json!({ "sub": "ann", "exp": SOON, "aud": [] }))),
        ("for no user", own(json!({ "exp": SOON }))),
        ("for the empty user", own(json!({ "sub": "", "exp": SOON }))),
        ("for a visitor", own(json!({ "sub": "~ann", "exp": SOON }))),
        ("for a number", own(json!({ "sub": 49, "exp": SOON }))),
        ("for a user with wild cards", own(json!({ "sub": "*", "exp": SOON }))),
        ("empty", String::new()),
        ("dots", "..".into()),
        ("words", "let me in".into()),
        ("too many parts", format!("{head}.{claims}.{signature}.{signature}")),
    ];
    for (what, token) in refused {
        let result = world.login_by("one", Credential::Token(token), 1, Term::Mobile).await;
        assert_eq!(result.err(), Some(Refusal::Unauthenticated), "{what}");
    }
    let accepted = [
        ("plain", own(good)),
        ("just within the leeway", own(json!({ "sub": "ann", "exp": START_SECONDS - 59 }))),
        ("with a fraction", own(json!({ "sub": "ann", "exp": SOON as f64 + 0.5 }))),
        ("valid in a moment", own(json!({ "sub": "ann", "exp": SOON, "nbf": START_SECONDS + 60 }))),
        ("for this app", own(json!({ "sub": "ann", "exp": SOON, "aud": "one" }))),
        ("for this app, too", own(json!({ "sub": "ann", "exp": SOON, "aud": ["two", "one"] }))),
    ];
    for (what, token) in accepted {
        let result = world.login_by("one", Credential::Token(token), 1, Term::Mobile).await;
        assert_eq!(result.map(|logged_in| logged_in.caller.name), Ok(name("ann")), "{what}");
    }
}

#[tokio::test]
async fn a_public_key_is_no_shared_secret() {
    let world = World::new().await;
    let pkcs8 = Ed25519KeyPair::generate_pkcs8(&SystemRandom::new()).unwrap();
    let public = Ed25519KeyPair::from_pkcs8(pkcs8.as_ref()).unwrap().public_key().as_ref().to_vec();
    world.logic.add_key(&name("one"), name("ed"), KeyAlgorithm::EdDsa, public.clone()).await.unwrap();
    let claims = json!({ "sub": "ann", "exp": SOON });
    let good = Header { kid: Some("ed".into()), ..Header::new(Algorithm::EdDSA) };
    let good = encode(&good, &claims, &EncodingKey::from_ed_der(pkcs8.as_ref())).unwrap();
    let result = world.login_by("one", Credential::Token(good), 1, Term::Mobile).await;
    assert_eq!(result.map(|logged_in| logged_in.caller.name), Ok(name("ann")));
    let confused = signed(&header("ed"), &claims, &public);
    let result = world.login_by("one", Credential::Token(confused), 1, Term::Mobile).await;
    assert_eq!(result.err(), Some(Refusal::Unauthenticated));
}

#[tokio::test]
async fn whoever_guesses_passwords_learns_nothing() {
    let world = World::new().await;
    world.logic.create_user(&name("one"), name("ann"), Some("correct horse".into())).await.unwrap();
    world.logic.create_user(&name("one"), name("off"), Some("correct horse".into())).await.unwrap();
    world.logic.create_user(&name("one"), name("token"), None).await.unwrap();
    world.logic.set_disabled(&name("one"), &name("off"), true).await.unwrap();
    let long = "x".repeat(2_000);
    for (what, app, user, password) in [
        ("wrong password", "one", "ann", "correct house"),
        ("no password", "one", "ann", ""),
        ("a password of any length", "one", "ann", long.as_str()),
        ("unknown user", "one", "bob", "correct horse"),
        ("no possible user", "one", "~ / *", "correct horse"),
        ("the user of another app", "two", "ann", "correct horse"),
        ("unknown app", "three", "ann", "correct horse"),
        ("no possible app", "", "ann", "correct horse"),
        ("disabled user", "one", "off", "correct horse"),
        ("user without a password", "one", "token", ""),
    ] {
        let before = world.passwords.verified.load(std::sync::atomic::Ordering::Relaxed);
        let result = world.login_by_password(app, user, password).await;
        assert_eq!(result.err(), Some(Refusal::Unauthenticated), "{what}");
        let after = world.passwords.verified.load(std::sync::atomic::Ordering::Relaxed);
        assert_eq!(after - before, 1, "{what}: the same work");
    }
    assert!(world.login_by_password("one", "ann", "correct horse").await.is_ok());
}

#[tokio::test]
async fn a_session_that_was_guessed_is_no_session() {
    let world = World::new().await;
    world.phone("ann").await;
    let resumed = world.logic.resume(SessionId([7; 16]), proto::ResumeOffer::default()).await;
    assert_eq!(resumed.err(), Some(Refusal::ResumeFailed));
}

/// Every request that names a person, about somebody who is not there, who is of another app, and with whom the asker
/// has no conversation: nobody can tell these apart, and nothing of other conversations is reached.
#[tokio::test]
async fn what_one_may_not_see_looks_like_what_is_not_there() {
    let world = World::new().await;
    let (ann, bob) = (world.phone("ann").await, world.phone("bob").await);
    let far = world.device("two", "far", 1, Term::Mobile).await;
    let eve = world.phone("eve").await;
    world.say(&ann, "bob", "a secret").await;
    world.device("two", "eve", 1, Term::Mobile).await;
    world.say(&far, "eve", "for the other eve").await;
    for user in ["nobody", "far", "ann", "", "~x", "a b", "\u{202e}bob", "*"] {
        for operation in [
            Operation::History,
            Operation::MarkRead,
            Operation::Recall,
            Operation::Edit,
            Operation::React,
            Operation::Delete,
        ] {
            let body = request_about(&world, operation, user, 1);
            let reply = world.ask_raw(&eve, operation, body).await;
            let answer = proto::BlockAnswer::decode(reply.body).unwrap();
            assert_eq!(code(&answer.refusal), RefusalCode::NotFound, "{operation:?} about {user:?}");
            assert_eq!((reply.references.len(), reply.written), (0, None));
        }
        let request = proto::ReceiptsRequest { id: 1, users: vec![user.into()] };
        let answer: proto::ReceiptsAnswer = world.ask(&eve, Operation::Receipts, request).await;
        assert_eq!((answer.refusal, answer.receipts.len()), (None, 0), "{user:?}");
    }
    assert_eq!(world.conversations(&eve).await, []);
    assert_eq!(world.sync(&eve, 0, 200).await.entries, []);
    assert_eq!(world.sync(&bob, 0, 200).await.entries.len(), 1);
}

/// A request of an operation that names a person and perhaps a row.
fn request_about(world: &World, operation: Operation, user: &str, seq: u64) -> Bytes {
    let (id, user, client_request_id) = (9, user.to_owned(), world.client_id());
    let body = match operation {
        Operation::History => proto::HistoryRequest { id, user, limit: 10, ..Default::default() }.encode_to_vec(),
        Operation::MarkRead => proto::MarkReadRequest { id, user, seq, ..Default::default() }.encode_to_vec(),
        Operation::Recall => {
            proto::RecallRequest { id, user, seq, client_request_id, ..Default::default() }.encode_to_vec()
        }
        Operation::Edit => {
            let body = Bytes::from_static(b"x");
            proto::EditRequest { id, user, seq, client_request_id, body, text: String::new(), ..Default::default() }
                .encode_to_vec()
        }
        Operation::React => {
            let name = "+1".into();
            proto::ReactRequest { id, user, seq, client_request_id, name, remove: false, ..Default::default() }
                .encode_to_vec()
        }
        Operation::Delete => {
            let deletion = Some(proto::Deletion { up_to_seq: seq, seqs: Vec::new() });
            proto::DeleteRequest { id, user, deletion, ..Default::default() }.encode_to_vec()
        }
        other => panic!("{other:?} names no person"),
    };
    body.into()
}

#[tokio::test]
async fn equal_names_of_two_apps_never_meet() {
    let world = World::new().await;
    let here = world.device("one", "ann", 1, Term::Mobile).await;
    let there = world.device("two", "ann", 1, Term::Mobile).await;
    let bob = world.device("two", "bob", 1, Term::Mobile).await;
    world.device("one", "bob", 1, Term::Mobile).await;
    world.say(&here, "bob", "in one").await;
    assert_eq!(world.sync(&bob, 0, 200).await.entries, []);
    world.say(&there, "bob", "in two").await;
    let page = world.sync(&bob, 0, 200).await;
    assert_eq!(page.entries.iter().map(crate::world::words).collect::<Vec<_>>(), ["in two"]);
}

#[tokio::test]
async fn numbers_at_the_edge_are_harmless() {
    for edge in [0, 1, u64::from(u32::MAX), i64::MAX as u64, i64::MAX as u64 + 1, u64::MAX] {
        let world = World::new().await;
        let (ann, bob) = (world.phone("ann").await, world.phone("bob").await);
        world.say(&ann, "bob", "1").await;
        for limit in [0, 1, u32::MAX] {
            let page = world.sync(&bob, edge, limit).await;
            assert_eq!(page.reset, edge > 1, "{edge}");
            let history =
                proto::HistoryRequest { id: 1, user: "ann".into(), before_seq: edge, limit, ..Default::default() };
            let answer: proto::HistoryAnswer = world.ask(&bob, Operation::History, history.clone()).await;
            assert_eq!((answer.refusal, answer.as_of), (None, 1));
            let upwards = proto::HistoryRequest { before_seq: 0, after_seq: edge, as_of: edge, ..history };
            let answer: proto::HistoryAnswer = world.ask(&bob, Operation::History, upwards).await;
            assert_eq!((answer.refusal, answer.as_of), (None, 1));
            let request = proto::ConversationsRequest { id: 1, before: edge, limit };
            let answer: proto::ConversationsAnswer = world.ask(&bob, Operation::Conversations, request).await;
            assert_eq!(answer.refusal, None);
        }
        for operation in [Operation::Recall, Operation::Edit, Operation::React] {
            let reply = world.ask_raw(&bob, operation, request_about(&world, operation, "ann", edge)).await;
            let answer = proto::ChangeAnswer::decode(reply.body).unwrap();
            let expected = match (edge, operation) {
                (1, Operation::React) => RefusalCode::Unspecified,
                (1, _) => RefusalCode::NotAllowed,
                _ => RefusalCode::NotFound,
            };
            assert_eq!(code(&answer.refusal), expected, "{operation:?} {edge}");
        }
        let mark = proto::MarkReadRequest { id: 1, user: "ann".into(), seq: edge, ..Default::default() };
        let answer: proto::MarkReadAnswer = world.ask(&bob, Operation::MarkRead, mark).await;
        assert_eq!(answer.refusal, None);
        assert!(answer.read_seq <= 2, "never above the head");
        let mut send = world.text("bob", "x");
        (send.seen_seq, send.reply_to) = (edge, edge);
        let answer = world.send(&ann, &[send]).await.remove(0);
        let too_big = edge > i64::MAX as u64;
        assert_eq!(code(&answer.refusal) == RefusalCode::InvalidArgument, too_big, "{edge}");
    }
}

#[tokio::test]
async fn any_bytes_get_an_answer() {
    let world = World::new().await;
    let (ann, _) = (world.phone("ann").await, world.phone("bob").await);
    world.say(&ann, "bob", "hello").await;
    let mut runner = TestRunner::deterministic();
    let noise = proptest::collection::vec(any::<u8>(), 0..200);
    let sources = [
        proto::SendRequest::encode_to_vec(&world.text("bob", "hi")),
        proto::EditRequest {
            user: "bob".into(),
            seq: 1,
            client_request_id: world.client_id(),
            body: Bytes::from_static(b"new"),
            ..Default::default()
        }
        .encode_to_vec(),
    ];
    let bent = (0..sources.len(), any::<proptest::sample::Index>(), any::<u8>()).prop_map(move |(which, at, byte)| {
        let mut body = sources[which].clone();
        let at = at.index(body.len());
        body[at] = byte;
        body
    });
    for round in 0..300 {
        let noise = noise.new_tree(&mut runner).unwrap().current();
        let body = Bytes::from(if round % 2 == 0 { noise } else { bent.new_tree(&mut runner).unwrap().current() });
        let replies = world.logic.send(ann.caller.clone(), vec![body.clone(), body.clone()]).await.unwrap();
        assert_eq!(replies.len(), 2);
        for reply in &replies {
            proto::SendAnswer::decode(reply.body.clone()).unwrap();
        }
        for &operation in Operation::ALL {
            let reply = world.ask_raw(&ann, operation, body.clone()).await;
            proto::BlockAnswer::decode(reply.body).unwrap();
        }
    }
}

#[tokio::test]
async fn operations_of_others_are_unknown_here() {
    let world = World::new().await;
    let ann = world.phone("ann").await;
    for operation in [Operation::Login, Operation::Send, Operation::Ack, Operation::Message, Operation::Rekey] {
        let answer: proto::BlockAnswer = world.ask(&ann, operation, proto::KeepaliveRequest { id: 77 }).await;
        assert_eq!((answer.id, code(&answer.refusal)), (77, RefusalCode::UnknownCommand), "{operation:?}");
    }
}

#[tokio::test]
async fn row_16_what_is_not_taken_may_not_pile_up_for_ever() {
    let world = World::new().await;
    let settings = AppSettings { undelivered_max: 4, ..AppSettings::default() };
    world.logic.set_app_settings(&name("one"), settings).await.unwrap();
    let (ann, bob) = (world.phone("ann").await, world.phone("bob").await);
    let eve = world.phone("eve").await;
    world.disconnect(&bob);
    let batch: Vec<_> = (0..6).map(|number| world.text("bob", &number.to_string())).collect();
    let refused = |answers: &[proto::SendAnswer]| -> Vec<bool> {
        answers.iter().map(|answer| code(&answer.refusal) == RefusalCode::QuotaExceeded).collect()
    };
    assert_eq!(refused(&world.send(&ann, &batch[..4]).await), [false; 4]);
    assert_eq!(refused(&world.send(&ann, &batch[4..]).await), [true; 2]);
    assert_eq!(refused(&world.send(&ann, &batch[..1]).await), [false], "a repeat gets its answer");
    assert_eq!(code(&world.say(&eve, "bob", "hello").await.refusal), RefusalCode::Unspecified, "others may write");

    // What bob writes does not count against ann, and what he takes makes room.
    for number in 0..3 {
        world.say(&bob, "ann", &number.to_string()).await;
    }
    assert_eq!(refused(&world.send(&ann, &batch[4..]).await), [true, true]);
    let conversation = world.conversation_of(&ann, &bob).await;
    let advance = CursorAdvance {
        user: bob.caller.user,
        device: bob.caller.device,
        inbox_cursor: 3,
        delivered: vec![(conversation, 3)],
    };
    world.logic.advance(vec![advance]).await.unwrap();
    let answers = world.send(&ann, &batch[4..]).await;
    assert_eq!(refused(&answers), [false, false]);
    assert_eq!(world.sync(&bob, 0, 50).await.entries.len(), 4 + 1 + 3 + 2, "nothing accepted was dropped");
}

#[tokio::test]
async fn row_26_names_cannot_be_tried_out_in_numbers() {
    let rate = Rate { burst: 3, per_minute: 60 };
    let world = World::with(LogicOptions { first_contacts_per_user: rate, ..generous() }).await;
    let (ann, _bob, _eve) = (world.phone("ann").await, world.phone("bob").await, world.phone("eve").await);
    let say = async |to: &str| code(&world.send(&ann, &[world.text(to, "?")]).await[0].refusal);
    assert_eq!(say("bob").await, RefusalCode::Unspecified);
    for nobody in ["nobody1", "nobody2"] {
        assert_eq!(say(nobody).await, RefusalCode::NotFound);
    }
    for stranger in ["nobody3", "eve"] {
        assert_eq!(say(stranger).await, RefusalCode::RateLimited, "whether they exist is not told");
        let block = proto::BlockRequest { id: 1, user: stranger.into(), blocked: true };
        let answer: proto::BlockAnswer = world.ask(&ann, Operation::Block, block).await;
        assert_eq!(code(&answer.refusal), RefusalCode::RateLimited);
        let typing = proto::TypingRequest { id: 1, user: stranger.into(), stopped: false, ..Default::default() };
        let answer: proto::TypingAnswer = world.ask(&ann, Operation::Typing, typing).await;
        assert_eq!(answer.refusal, None);
    }
    assert_eq!(say("bob").await, RefusalCode::Unspecified);
    world.environment.pass_ms(121_000);
    assert_eq!(say("eve").await, RefusalCode::Unspecified);
}
