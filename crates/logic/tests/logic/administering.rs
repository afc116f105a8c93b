//! What administrators take away is gone, whatever is cached or under way (reliability.md row 23, invariant I13).

use hongyan_cluster::service::Service;
use hongyan_domain::app::{AppSettings, KeyAlgorithm, SessionsPerTerm};
use hongyan_domain::refusal::Refusal;
use hongyan_domain::session::{EndReason, Term};
use hongyan_wire::proto;
use hongyan_wire::proto::RefusalCode;

use crate::world::{World, code, name};

#[tokio::test]
async fn a_disabled_user_is_out_at_once() {
    let world = World::new().await;
    let (ann, bob) = (world.phone("ann").await, world.phone("bob").await);
    world.say(&ann, "bob", "before").await;
    assert_eq!(world.logic.set_disabled(&name("one"), &name("bob"), true).await, Ok(1));
    let (session, ending) = world.gate.endings()[0];
    assert_eq!((session, ending.reason, ending.by_term), (bob.caller.session, EndReason::Revoked, None));
    assert_eq!(code(&world.send(&bob, &[world.text("ann", "x")]).await[0].refusal), RefusalCode::Revoked);
    let resumed = world.logic.resume(bob.caller.session, proto::ResumeOffer::default()).await;
    assert_eq!(resumed.err(), Some(Refusal::Revoked));
    assert_eq!(world.login("one", "bob", 1, Term::Mobile).await.err(), Some(Refusal::Unauthenticated));
    assert_eq!(code(&world.send(&ann, &[world.text("bob", "x")]).await[0].refusal), RefusalCode::NotFound);
    assert!(world.logic.user(&name("one"), &name("bob")).await.unwrap().disabled);
    assert_eq!(world.logic.set_disabled(&name("one"), &name("bob"), false).await, Ok(0));
    world.phone("bob").await;
    world.say(&ann, "bob", "after").await;
}

#[tokio::test]
async fn a_login_under_way_does_not_survive_the_ban() {
    let world = World::new().await;
    world.phone("ann").await;
    let logic = world.logic.clone();
    world.store.before_open_session(Box::new(move || {
        Box::pin(async move {
            logic.set_disabled(&name("one"), &name("ann"), true).await.unwrap();
        })
    }));
    let result = world.login("one", "ann", 2, Term::Pad).await;
    assert_eq!(result.err(), Some(Refusal::Unauthenticated));
    world.logic.set_disabled(&name("one"), &name("ann"), false).await.unwrap();
    assert_eq!(world.logic.revoke_sessions(&name("one"), &name("ann")).await, Ok(0), "no session was left over");
}

#[tokio::test]
async fn a_login_under_way_does_not_survive_its_key() {
    let world = World::new().await;
    world.phone("ann").await;
    let logic = world.logic.clone();
    world.store.before_open_session(Box::new(move || {
        Box::pin(async move { logic.revoke_key(&name("one"), name("k")).await.unwrap() })
    }));
    let result = world.login("one", "ann", 2, Term::Pad).await;
    assert_eq!(result.err(), Some(Refusal::Unauthenticated));
    assert_eq!(world.logic.revoke_sessions(&name("one"), &name("ann")).await, Ok(1), "the phone of before");
    let logic = world.logic.clone();
    world.store.before_open_session(Box::new(move || {
        Box::pin(async move { drop(logic.create_key(&name("two"), name("new")).await.unwrap()) })
    }));
    assert!(world.login("two", "ann", 2, Term::Pad).await.is_ok(), "a change that takes nothing away");
}

#[tokio::test]
async fn a_login_by_the_old_password_does_not_survive_the_new_one() {
    let world = World::new().await;
    let (app, ann) = (name("one"), name("ann"));
    world.logic.create_user(&app, ann.clone(), Some("old password".into())).await.unwrap();
    let logic = world.logic.clone();
    world.store.before_open_session(Box::new(move || {
        Box::pin(async move {
            logic.set_password(&name("one"), &name("ann"), "new password".into()).await.unwrap();
        })
    }));
    let result = world.login_by_password("one", "ann", "old password").await;
    assert_eq!(result.err(), Some(Refusal::Unauthenticated));
    assert_eq!(world.logic.revoke_sessions(&app, &ann).await, Ok(0), "no session was left over");
    let session = world.login_by_password("one", "ann", "new password").await.unwrap().caller.session;
    assert_eq!(world.logic.set_password(&app, &ann, "newer password".into()).await, Ok(1));
    assert_eq!(world.gate.endings().last().map(|(session, _)| *session), Some(session));
    for short in ["", "1234567"] {
        let result = world.logic.set_password(&app, &ann, short.into()).await;
        assert_eq!(result, Err(Refusal::InvalidArgument("password")));
    }
}

#[tokio::test]
async fn a_revoked_key_opens_nothing() {
    let world = World::new().await;
    world.phone("ann").await;
    world.logic.revoke_key(&name("one"), name("k")).await.unwrap();
    assert_eq!(world.login("one", "ann", 1, Term::Mobile).await.err(), Some(Refusal::Unauthenticated));
    assert!(world.login("two", "ann", 1, Term::Mobile).await.is_ok(), "the key of that id of another app");
    let again = world.logic.create_key(&name("one"), name("k")).await;
    assert_eq!(again.err(), Some(Refusal::Conflict), "a revoked id is never used again");
    let key = world.logic.create_key(&name("one"), name("k2")).await.unwrap();
    assert_eq!((key.material.len(), key.algorithm), (32, KeyAlgorithm::Hs256));
    for (algorithm, bytes) in [(KeyAlgorithm::Hs256, 31), (KeyAlgorithm::EdDsa, 31), (KeyAlgorithm::EdDsa, 33)] {
        let result = world.logic.add_key(&name("one"), name("weak"), algorithm, vec![1; bytes]).await;
        assert_eq!(result.err(), Some(Refusal::InvalidArgument("material")));
    }
}

#[tokio::test]
async fn settings_hold_from_the_next_decision_on() {
    let world = World::new().await;
    let first = world.phone("ann").await;
    let sessions_per_term_max = SessionsPerTerm { mobile: 2, ..SessionsPerTerm::default() };
    let settings = AppSettings { sessions_per_term_max, ..AppSettings::default() };
    world.logic.set_app_settings(&name("one"), settings).await.unwrap();
    world.device("one", "ann", 2, Term::Mobile).await;
    assert_eq!(world.gate.endings(), []);
    world.device("one", "ann", 3, Term::Mobile).await;
    assert_eq!(world.gate.endings()[0].0, first.caller.session, "the oldest");
}

#[tokio::test]
async fn names_are_given_once() {
    let world = World::new().await;
    let (one, ann) = (name("one"), name("ann"));
    assert_eq!(world.logic.create_app(one.clone(), AppSettings::default()).await.err(), Some(Refusal::Conflict));
    let account = world.logic.create_user(&one, ann.clone(), None).await.unwrap();
    assert_eq!((account.name, account.has_password, account.disabled), (ann.clone(), false, false));
    assert_eq!(world.logic.create_user(&one, ann.clone(), None).await.err(), Some(Refusal::Conflict));
    world.logic.create_user(&one, name("bob"), Some("long enough".into())).await.unwrap();
    let names = |accounts: Vec<hongyan_logic::administration::Account>| {
        accounts.into_iter().map(|account| account.name.to_string()).collect::<Vec<_>>()
    };
    assert_eq!(names(world.logic.users(&one, None, 0).await.unwrap()), ["ann"]);
    assert_eq!(names(world.logic.users(&one, Some(ann), 10).await.unwrap()), ["bob"]);
    for missing in ["three", "two"] {
        assert_eq!(world.logic.user(&name(missing), &name("bob")).await.err(), Some(Refusal::NotFound));
    }
    assert_eq!(world.logic.apps().await.unwrap().len(), 2);
}
