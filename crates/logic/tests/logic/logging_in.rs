//! Logins, what they end, what they cost, and resumes (spec 30-32, 55).

use std::net::IpAddr;

use hongyan_cluster::service::{Origin, Service};
use hongyan_domain::receipt::CursorAdvance;
use hongyan_domain::refusal::Refusal;
use hongyan_domain::session::{EndReason, Term};
use hongyan_logic::{LogicOptions, Rate};
use hongyan_wire::proto;
use hongyan_wire::proto::RefusalCode;
use hongyan_wire::proto::login_request::Credential;

use crate::world::{ADDRESS, START_SECONDS, World, code, generous, name, token, words};

fn request(app: &str, user: &str) -> proto::LoginRequest {
    proto::LoginRequest {
        id: 1,
        app: app.into(),
        credential: Some(Credential::Token(token(app, user))),
        device_id: vec![1; 16].into(),
        term: Term::Pc as i32,
        client: "test".into(),
    }
}

#[tokio::test]
async fn a_login_tells_who_where_and_when() {
    let world = World::new().await;
    let ann = world.phone("ann").await;
    assert_eq!((ann.caller.name.clone(), ann.caller.term), (name("ann"), Term::Mobile));
    assert_eq!((ann.answer.user.as_str(), ann.answer.server_time_ms), ("ann", START_SECONDS * 1_000));
    assert_eq!((ann.answer.inbox_head, ann.answer.inbox_cursor, ann.answer.heartbeat_seconds), (0, 0, 60));
    world.say(&ann, "ann", "a note").await;
    let tablet = world.device("one", "ann", 2, Term::Pad).await;
    assert_eq!((tablet.answer.inbox_head, tablet.answer.inbox_cursor), (1, 0));
    assert_eq!(tablet.answer.log_epoch, ann.answer.log_epoch);
    assert_ne!(tablet.caller.session, ann.caller.session);
}

#[tokio::test]
async fn what_is_not_filled_in_well_is_named() {
    let world = World::new().await;
    let good = request("one", "ann");
    let bad = [
        ("device_id", proto::LoginRequest { device_id: Default::default(), ..good.clone() }),
        ("device_id", proto::LoginRequest { device_id: vec![1; 33].into(), ..good.clone() }),
        ("term", proto::LoginRequest { term: 0, ..good.clone() }),
        ("term", proto::LoginRequest { term: 99, ..good.clone() }),
        ("client", proto::LoginRequest { client: "x".repeat(65), ..good.clone() }),
        ("credential", proto::LoginRequest { credential: None, ..good.clone() }),
    ];
    for (field, request) in bad {
        assert_eq!(
            world.logic.login(request, Origin { address: ADDRESS, age_ms: 0 }).await.err(),
            Some(Refusal::InvalidArgument(field))
        );
    }
    let longest = proto::LoginRequest { device_id: vec![1; 32].into(), client: "x".repeat(64), ..good };
    assert!(world.logic.login(longest, Origin { address: ADDRESS, age_ms: 0 }).await.is_ok());
}

#[tokio::test]
async fn a_known_user_costs_two_round_trips() {
    let world = World::new().await;
    world.phone("ann").await;
    world.store.take_calls();
    world.login("one", "ann", 2, Term::Pad).await.unwrap();
    assert_eq!(world.store.take_calls(), 1, "only the commit, because the user was just read");
    world.environment.pass_ms(1_000);
    world.login("one", "bob", 1, Term::Pad).await.unwrap();
    world.store.take_calls();
    world.login("one", "ann", 2, Term::Pad).await.unwrap();
    assert_eq!(world.store.take_calls(), 2, "user and commit (spec 21); the app was read by the login before");
}

#[tokio::test]
async fn a_login_that_its_client_gave_up_ends_no_later_session() {
    let world = World::new().await;
    let phone = world.phone("ann").await;
    for device in [1, 2] {
        let late = world.login_after(1_000, "ann", device).await;
        assert_eq!(late.err(), Some(Refusal::Kicked), "it began before");
    }
    assert_eq!(world.gate.endings().len(), 0);
    world.say(&phone, "ann", "I am here").await;
    world.environment.pass_ms(1_001);
    assert!(world.login_after(1_000, "ann", 2).await.is_ok());
    assert_eq!(world.gate.endings().len(), 1);
}

#[tokio::test]
async fn a_phone_takes_the_place_of_another_phone() {
    let world = World::new().await;
    let old = world.phone("ann").await;
    let desk = world.device("one", "ann", 7, Term::Pc).await;
    let new = world.device("one", "ann", 2, Term::Mobile).await;
    let endings = world.gate.endings();
    assert_eq!(endings.len(), 1);
    let (session, ending) = endings[0];
    assert_eq!(session, old.caller.session);
    assert_eq!((ending.reason, ending.by_term), (EndReason::SameTermLogin, Some(Term::Mobile)));
    let answers = world.send(&old, &[world.text("ann", "I am still here")]).await;
    assert_eq!(code(&answers[0].refusal), RefusalCode::Kicked);
    let resumed = world.logic.resume(old.caller.session, proto::ResumeOffer::default()).await;
    assert_eq!(resumed.err(), Some(Refusal::Kicked));
    for alive in [&desk, &new] {
        world.say(alive, "ann", "I am here").await;
    }
}

#[tokio::test]
async fn a_device_that_logs_in_again_ends_only_itself() {
    let world = World::new().await;
    let first = world.phone("ann").await;
    let second = world.phone("ann").await;
    let (session, ending) = world.gate.endings()[0];
    assert_eq!((session, ending.reason, ending.by_term), (first.caller.session, EndReason::LoggedOut, None));
    assert_eq!(first.caller.device, second.caller.device);
    let resumed = world.logic.resume(first.caller.session, proto::ResumeOffer::default()).await;
    assert_eq!(resumed.err(), Some(Refusal::Revoked));
}

#[tokio::test]
async fn of_two_phones_at_the_same_time_one_stays() {
    let world = World::new().await;
    let (one, two) =
        tokio::join!(world.login("one", "ann", 1, Term::Mobile), world.login("one", "ann", 2, Term::Mobile));
    let sessions = [one.unwrap().caller.session, two.unwrap().caller.session];
    let ended = world.gate.endings();
    assert_eq!(ended.len(), 1);
    for session in sessions {
        let resumed = world.logic.resume(session, proto::ResumeOffer::default()).await;
        assert_eq!(resumed.is_ok(), session != ended[0].0);
    }
}

#[tokio::test]
async fn an_account_and_an_address_are_limited_on_their_own() {
    let rate = Rate { burst: 2, per_minute: 6 };
    let world = World::with(LogicOptions { logins_per_account: rate, ..generous() }).await;
    let limited = |retry_after_ms| Some(Refusal::RateLimited { retry_after_ms });
    for _ in 0..2 {
        assert_eq!(world.login_by_password("one", "nobody", "x").await.err(), Some(Refusal::Unauthenticated));
    }
    assert_eq!(world.login_by_password("one", "nobody", "x").await.err(), limited(10_000), "known or not");
    assert_eq!(world.login_by_password("two", "nobody", "x").await.err(), Some(Refusal::Unauthenticated));
    world.environment.pass_ms(10_000);
    assert_eq!(world.login_by_password("one", "nobody", "x").await.err(), Some(Refusal::Unauthenticated));
    assert!(world.login("one", "nobody", 1, Term::Mobile).await.is_ok(), "tokens are another matter");
    for _ in 0..10 {
        let forged = Credential::Token(token("two", "ann"));
        let result = world.login_by("one", forged, 1, Term::Mobile).await;
        assert_eq!(result.err(), Some(Refusal::Unauthenticated), "bad tokens use up nothing");
    }
    assert!(world.login("one", "ann", 1, Term::Mobile).await.is_ok());

    let world = World::with(LogicOptions { logins_per_address: rate, ..generous() }).await;
    let from = |address: &str, user| {
        let address: IpAddr = address.parse().unwrap();
        world.logic.login(request("one", user), Origin { address, age_ms: 0 })
    };
    for address in ["2001:db8::1", "2001:db8::ffff:2"] {
        assert!(from(address, "ann").await.is_ok());
    }
    assert_eq!(from("2001:db8::3", "ann").await.err(), limited(10_000), "one network");
    assert!(from("2001:db8:0:1::1", "ann").await.is_ok());
    for address in ["::ffff:192.0.2.1", "192.0.2.1"] {
        assert!(from(address, "ann").await.is_ok());
    }
    assert_eq!(from("192.0.2.1", "ann").await.err(), limited(10_000), "one address in two spellings");
    assert!(from("192.0.2.2", "ann").await.is_ok());
}

#[tokio::test]
async fn a_full_password_pool_means_later() {
    let world = World::new().await;
    world.passwords.overloaded.store(true, std::sync::atomic::Ordering::Relaxed);
    let refusal = world.login_by_password("one", "ann", "x").await.err().unwrap();
    assert!(matches!(refusal, Refusal::TryLater { retry_after_ms: 1.. }), "{refusal:?}");
}

#[tokio::test]
async fn a_resume_brings_what_was_missed() {
    let world = World::new().await;
    let (ann, bob) = (world.phone("ann").await, world.phone("bob").await);
    for words in ["1", "2", "3"] {
        world.say(&ann, "bob", words).await;
    }
    let log_epoch = bob.answer.log_epoch;
    let session = bob.caller.session;
    let offer = |inbox_cursor, limit| proto::ResumeOffer { inbox_cursor, log_epoch, limit };
    let resumed = world.logic.resume(session, offer(1, 1)).await.unwrap();
    assert_eq!(resumed.caller, *bob.caller);
    assert_eq!(resumed.page.entries.iter().map(words).collect::<Vec<_>>(), ["2"]);
    assert_eq!((resumed.page.inbox_head, resumed.page.more, resumed.page.reset), (3, true, false));
    let carried = resumed.references.iter().map(|reference| (reference.inbox_seq, reference.author));
    assert_eq!(
        carried.collect::<Vec<_>>(),
        [(1, ann.caller.user), (2, ann.caller.user)],
        "acknowledged, and in the page"
    );
    let nothing = world.logic.resume(session, offer(0, 0)).await.unwrap().page;
    assert_eq!((nothing.entries.len(), nothing.more), (0, true));
    let restored = proto::ResumeOffer { log_epoch: log_epoch + 1, ..offer(1, 10) };
    let reset = world.logic.resume(session, restored).await.unwrap().page;
    assert_eq!((reset.entries.len(), reset.reset, reset.inbox_head, reset.log_epoch), (0, true, 3, log_epoch));
    world.logic.end(session, EndReason::Revoked).await.unwrap();
    assert_eq!(world.logic.resume(session, offer(0, 10)).await.err(), Some(Refusal::Revoked));
}

#[tokio::test]
async fn a_resume_tells_what_was_acknowledged_without_the_server_knowing() {
    let world = World::new().await;
    let (ann, bob) = (world.phone("ann").await, world.phone("bob").await);
    for number in 1..=450 {
        let from = if number % 2 == 0 { &ann } else { &bob };
        let to = if number % 2 == 0 { "bob" } else { "ann" };
        world.say(from, to, &number.to_string()).await;
    }
    let offer = proto::ResumeOffer { inbox_cursor: 449, log_epoch: bob.answer.log_epoch, limit: 100 };
    let resumed = world.logic.resume(bob.caller.session, offer).await.unwrap();
    let seqs: Vec<_> = resumed.references.iter().map(|reference| reference.inbox_seq).collect();
    assert_eq!(seqs, (250..=450).step_by(2).collect::<Vec<_>>(), "ann's newest, and the page after the cursor");
    assert_eq!(resumed.acknowledged, 449);
    let known =
        CursorAdvance { user: bob.caller.user, device: bob.caller.device, inbox_cursor: 447, delivered: vec![] };
    world.logic.advance(vec![known]).await.unwrap();
    let resumed = world.logic.resume(bob.caller.session, offer).await.unwrap();
    let seqs: Vec<_> = resumed.references.iter().map(|reference| reference.inbox_seq).collect();
    assert_eq!(seqs, [448, 450]);
    let restored = proto::ResumeOffer { log_epoch: offer.log_epoch + 1, ..offer };
    let resumed = world.logic.resume(bob.caller.session, restored).await.unwrap();
    assert_eq!((resumed.acknowledged, resumed.references.len()), (0, 0), "a cursor of another epoch says nothing");
}

#[tokio::test]
async fn a_resume_that_is_confirmed_too_late_learns_that_its_session_has_ended() {
    let world = World::new().await;
    let bob = world.phone("bob").await;
    let ann = world.phone("ann").await;
    world.say(&bob, "ann", "hello").await;
    let head = world.logic.inbox_head(ann.caller.clone()).await;
    assert_eq!(head, Ok((1, ann.answer.log_epoch)));
    let other = world.device("one", "ann", 2, Term::Mobile).await;
    assert_eq!(world.logic.inbox_head(ann.caller.clone()).await, Err(Refusal::Kicked));
    world.logic.revoke_sessions(&name("one"), &name("ann")).await.unwrap();
    assert_eq!(world.logic.inbox_head(other.caller.clone()).await, Err(Refusal::Revoked));
}
