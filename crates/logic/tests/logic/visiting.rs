//! Visitors: logins by mark, whom they may write to, and who may know of them (spec 70, 71).

use hongyan_cluster::service::{LoggedIn, Service};
use hongyan_domain::app::AppSettings;
use hongyan_domain::refusal::Refusal;
use hongyan_domain::session::Term;
use hongyan_domain::visitor::VISIT_PAUSE_MS;
use hongyan_logic::{LogicOptions, Rate, VisitorKeys};
use hongyan_wire::command::Operation;
use hongyan_wire::proto;
use hongyan_wire::proto::RefusalCode;
use hongyan_wire::proto::login_request::Credential;

use crate::world::{Device, Push, START_SECONDS, World, code, generous, name, says, visitor_keys};

const DAY_MS: u64 = 86_400_000;

/// A login of a visitor's only browser.
pub async fn come(world: &World, app: &str, mark: &str) -> Result<LoggedIn, Refusal> {
    come_from(world, app, mark, "https://shop.example/", "").await
}

pub async fn come_from(world: &World, app: &str, mark: &str, page: &str, referrer: &str) -> Result<LoggedIn, Refusal> {
    let visitor = proto::VisitorCredential { mark: mark.into(), page: page.into(), referrer: referrer.into() };
    world.login_by(app, Credential::Visitor(visitor), 1, Term::Web).await
}

/// A new visitor of the app `one`, connected.
pub async fn visitor(world: &World) -> Device {
    let LoggedIn { caller, answer } = come(world, "one", "").await.unwrap();
    let device = Device { caller: caller.into(), answer };
    world.connect(&device);
    device
}

/// A user of the app `one` who takes visitors.
pub async fn host(world: &World, user: &str) -> Device {
    let device = world.phone(user).await;
    world.logic.set_takes_visitors(&name("one"), &name(user), true).await.unwrap();
    device
}

pub async fn refused(world: &World, from: &Device, to: &str) -> RefusalCode {
    code(&world.send(from, &[world.text(to, "hello")]).await[0].refusal)
}

pub async fn history(world: &World, device: &Device, user: &str) -> proto::HistoryAnswer {
    let request = proto::HistoryRequest { id: 1, user: user.into(), limit: 100, ..Default::default() };
    world.ask(device, Operation::History, request).await
}

pub async fn react(world: &World, device: &Device, user: &str, seq: u64) -> RefusalCode {
    let request = proto::ReactRequest {
        id: 1,
        user: user.into(),
        seq,
        client_request_id: world.client_id(),
        name: "+1".into(),
        remove: false,
        ..Default::default()
    };
    code(&world.ask::<proto::ChangeAnswer>(device, Operation::React, request).await.refusal)
}

pub async fn recall(world: &World, device: &Device, user: &str, seq: u64) -> RefusalCode {
    let client_request_id = world.client_id();
    let request = proto::RecallRequest { id: 1, user: user.into(), seq, client_request_id, ..Default::default() };
    code(&world.ask::<proto::ChangeAnswer>(device, Operation::Recall, request).await.refusal)
}

async fn block(world: &World, device: &Device, user: &str) -> RefusalCode {
    let request = proto::BlockRequest { id: 1, user: user.into(), blocked: true };
    code(&world.ask::<proto::BlockAnswer>(device, Operation::Block, request).await.refusal)
}

#[tokio::test]
async fn a_visitor_is_known_again_by_their_mark() {
    let world = World::new().await;
    let first = come(&world, "one", "").await.unwrap();
    let known = first.caller.name.clone();
    assert!(known.is_visitor() && first.answer.user == known.as_str());
    assert!(first.answer.visitor_mark.starts_with("v1."), "{}", first.answer.visitor_mark);
    assert_eq!(world.login("one", "ann", 1, Term::Pc).await.unwrap().answer.visitor_mark, "");
    world.environment.pass_ms(DAY_MS);
    let again = come(&world, "one", &first.answer.visitor_mark).await.unwrap();
    assert_eq!((again.caller.user, again.caller.name), (first.caller.user, known.clone()));
    assert_ne!(again.answer.visitor_mark, first.answer.visitor_mark, "a fresh one, which holds for longer");
    let other = come(&world, "one", "").await.unwrap();
    assert_ne!(other.caller.name, known);
    let resumed = world.logic.resume(other.caller.session, proto::ResumeOffer::default()).await.unwrap();
    assert_eq!(resumed.caller, other.caller);
}

#[tokio::test]
async fn a_mark_that_is_not_ours_makes_no_visitor() {
    let world = World::new().await;
    let mark = come(&world, "one", "").await.unwrap().answer.visitor_mark;
    let users = world.logic.users(&name("one"), None, 100).await.unwrap().len();
    let forged = mark.replacen("v1.", "v1.x", 1);
    let forged =
        [forged[..mark.len()].to_owned(), mark[..mark.len() - 1].to_owned(), "v1".into(), mark.replace(".2.", ".1.")];
    for bad in &forged {
        assert_eq!(come(&world, "one", bad).await.err(), Some(Refusal::Unauthenticated), "{bad}");
    }
    assert_eq!(come(&world, "two", &mark).await.err(), Some(Refusal::Unauthenticated), "of another app");
    assert_eq!(come(&world, "none", &mark).await.err(), Some(Refusal::Unauthenticated));
    assert_eq!(come(&world, "none", "").await.err(), Some(Refusal::Unauthenticated));
    world.environment.pass_ms(366 * DAY_MS);
    assert_eq!(come(&world, "one", &mark).await.err(), Some(Refusal::Unauthenticated), "too old");
    assert_eq!(world.logic.users(&name("one"), None, 100).await.unwrap().len(), users, "nobody was made");
}

#[tokio::test]
async fn marks_survive_a_rotation_and_get_the_newest_key() {
    let (old, newest) = (VisitorKeys::new([(1, [1; 32])]), visitor_keys());
    let world = World::with_keys(generous(), old).await;
    let mark = come(&world, "one", "").await.unwrap().answer.visitor_mark;
    assert!(mark.contains(".1."), "{mark}");
    let rotated = World::with_keys(generous(), newest).await;
    let answer = come(&rotated, "one", &mark).await.unwrap().answer;
    assert_eq!(answer.user, format!("~{}", mark.split('.').nth(1).unwrap()), "also if the store never saw them");
    assert!(answer.visitor_mark.contains(".2."), "{}", answer.visitor_mark);
    let dropped = World::with_keys(generous(), VisitorKeys::new([(2, [2; 32])])).await;
    assert!(come(&dropped, "one", &answer.visitor_mark).await.is_ok());
    assert_eq!(come(&dropped, "one", &mark).await.err(), Some(Refusal::Unauthenticated));
}

#[tokio::test]
async fn what_a_browser_tells_is_limited() {
    let world = World::new().await;
    let longest = "ö".repeat(256);
    assert!(come_from(&world, "one", "", &longest, &longest).await.is_ok());
    let too_long = format!("{longest}x");
    let page = come_from(&world, "one", "", &too_long, "").await;
    assert_eq!(page.err(), Some(Refusal::InvalidArgument("page")));
    let referrer = come_from(&world, "one", "", "", "a\nb").await;
    assert_eq!(referrer.err(), Some(Refusal::InvalidArgument("referrer")));
    let huge = come(&world, "one", &"v1.".repeat(100_000)).await;
    assert_eq!(huge.err(), Some(Refusal::Unauthenticated));
}

#[tokio::test]
async fn an_app_may_refuse_visitors() {
    let world = World::new().await;
    let mark = come(&world, "one", "").await.unwrap().answer.visitor_mark;
    let settings = AppSettings { visitors: false, ..AppSettings::default() };
    world.logic.set_app_settings(&name("one"), settings).await.unwrap();
    for mark in ["", &mark] {
        assert_eq!(come(&world, "one", mark).await.err(), Some(Refusal::NotAllowed));
    }
}

#[tokio::test]
async fn an_address_becomes_only_so_many_visitors() {
    let visitors_per_address = Rate { burst: 2, per_minute: 1 };
    let world = World::with(LogicOptions { visitors_per_address, ..generous() }).await;
    let mark = come(&world, "one", "").await.unwrap().answer.visitor_mark;
    assert!(come(&world, "one", "").await.is_ok());
    assert_eq!(come(&world, "one", "").await.err(), Some(Refusal::RateLimited { retry_after_ms: 60_000 }));
    assert!(come(&world, "one", &mark).await.is_ok(), "who was here before comes in");
}

#[tokio::test]
async fn a_disabled_visitor_stays_out() {
    let world = World::new().await;
    let ann = host(&world, "ann").await;
    let visitor = visitor(&world).await;
    world.say(&visitor, "ann", "buy my pills").await;
    world.logic.set_disabled(&name("one"), &visitor.caller.name, true).await.unwrap();
    let mark = &visitor.answer.visitor_mark;
    assert_eq!(come(&world, "one", mark).await.err(), Some(Refusal::Unauthenticated));
    assert_eq!(refused(&world, &visitor, "ann").await, RefusalCode::Revoked);
    assert_eq!(refused(&world, &ann, &visitor.answer.user).await, RefusalCode::NotFound);
}

#[tokio::test]
async fn visitors_and_hosts_talk() {
    let world = World::new().await;
    let (ann, visitor) = (host(&world, "ann").await, visitor(&world).await);
    world.say(&visitor, "ann", "is it in stock?").await;
    let Push::Message(entry) = world.pushed_until(&ann, says("is it in stock?")).await.pop().unwrap() else {
        panic!("a message was pushed")
    };
    assert_eq!(entry.user, visitor.answer.user);
    world.say(&ann, &visitor.answer.user, "yes").await;
    world.pushed_until(&visitor, says("yes")).await;
    assert_eq!(react(&world, &visitor, "ann", 2).await, RefusalCode::Unspecified);
    let typing =
        proto::TypingRequest { id: 1, user: visitor.answer.user.clone(), stopped: false, ..Default::default() };
    let _: proto::TypingAnswer = world.ask(&ann, Operation::Typing, typing).await;
    world.pushed_until(&visitor, |push| matches!(push, Push::Typing(typing) if typing.user == "ann")).await;
    assert_eq!(block(&world, &ann, &visitor.answer.user).await, RefusalCode::Unspecified);
    assert_eq!(refused(&world, &visitor, "ann").await, RefusalCode::NotAllowed);
}

#[tokio::test]
async fn to_everybody_else_a_visitor_does_not_exist() {
    let world = World::new().await;
    let (bob, one, other) = (world.phone("bob").await, visitor(&world).await, visitor(&world).await);
    let unknown = "~AAAAAAAAAAAAAAAAAAAAAA";
    for (from, to) in [
        (&bob, one.answer.user.as_str()),
        (&bob, unknown),
        (&one, "bob"),
        (&one, "nobody"),
        (&one, &other.answer.user),
        (&one, &one.answer.user),
        (&one, unknown),
    ] {
        assert_eq!(refused(&world, from, to).await, RefusalCode::NotFound, "{to}");
        assert_eq!(block(&world, from, to).await, RefusalCode::NotFound, "{to}");
        assert_eq!(react(&world, from, to, 1).await, RefusalCode::NotFound, "{to}");
        assert_eq!(code(&history(&world, from, to).await.refusal), RefusalCode::NotFound, "{to}");
        let typing = proto::TypingRequest { id: 1, user: to.into(), stopped: false, ..Default::default() };
        let _: proto::TypingAnswer = world.ask(from, Operation::Typing, typing).await;
    }
    for device in [&bob, &one, &other] {
        assert_eq!(world.pushed(device), [], "nobody noticed anything");
        assert_eq!(world.conversations(device).await, []);
    }
    assert_eq!(refused(&world, &bob, "~bob").await, RefusalCode::InvalidArgument, "that is nobody's name");
}

#[tokio::test]
async fn who_takes_no_visitors_any_more_is_gone_for_them() {
    let world = World::new().await;
    let (ann, visitor) = (host(&world, "ann").await, visitor(&world).await);
    let known = world.text("ann", "are you there?");
    assert_eq!(world.send(&visitor, std::slice::from_ref(&known)).await[0].refusal, None);
    world.say(&ann, &visitor.answer.user, "yes").await;
    // Both have been admitted, and nothing is forgotten: only the writer can notice.
    world.logic.set_takes_visitors(&name("one"), &name("ann"), false).await.unwrap();
    assert_eq!(refused(&world, &visitor, "ann").await, RefusalCode::NotFound);
    assert_eq!(refused(&world, &ann, &visitor.answer.user).await, RefusalCode::NotFound);
    assert_eq!(react(&world, &visitor, "ann", 2).await, RefusalCode::NotFound);
    assert_eq!(recall(&world, &visitor, "ann", 1).await, RefusalCode::NotFound);
    let repeated = world.send(&visitor, &[known]).await.remove(0);
    assert_eq!((repeated.refusal, repeated.seq), (None, 1), "who got in gets the same answer again");
    assert_eq!(history(&world, &ann, &visitor.answer.user).await.entries.len(), 2, "what was said can be read");
    world.logic.set_takes_visitors(&name("one"), &name("ann"), true).await.unwrap();
    world.say(&visitor, "ann", "back?").await;
}

#[tokio::test]
async fn a_visitor_has_limits_of_their_own() {
    let limits = LogicOptions {
        first_contacts_per_visitor: Rate { burst: 2, per_minute: 1 },
        sends_per_visitor: Rate { burst: 4, per_minute: 60 },
        ..generous()
    };
    let world = World::with(limits).await;
    for user in ["ann", "bob", "cid"] {
        host(&world, user).await;
    }
    let visitor = visitor(&world).await;
    let first = world.text("ann", "hello");
    let stored = world.send(&visitor, std::slice::from_ref(&first)).await.remove(0);
    assert_eq!(refused(&world, &visitor, "nobody").await, RefusalCode::NotFound);
    let refusal = world.send(&visitor, &[world.text("bob", "hello")]).await.remove(0).refusal;
    assert_eq!((code(&refusal), refusal.unwrap().retry_after_ms), (RefusalCode::RateLimited, 60_000));
    world.say(&visitor, "ann", "still here").await;
    let again = world.send(&visitor, &[first]).await.remove(0);
    assert_eq!((again.refusal, again.seq), (None, stored.seq), "whoever got in gets the same answer again");
    let refusal = world.send(&visitor, &[world.text("ann", "and again")]).await.remove(0).refusal;
    assert_eq!((code(&refusal), refusal.unwrap().retry_after_ms), (RefusalCode::RateLimited, 1_000));
}

#[tokio::test]
async fn nobody_chooses_the_name_of_a_visitor() {
    let world = World::new().await;
    let visitor = visitor(&world).await;
    let taken = &visitor.answer.user;
    assert_eq!(world.login("one", taken, 1, Term::Web).await.err(), Some(Refusal::Unauthenticated), "by a token");
    let by_password = world.login_by_password("one", taken, "password").await;
    assert_eq!(by_password.err(), Some(Refusal::Unauthenticated));
    let set = world.logic.set_password(&name("one"), &visitor.caller.name, "password".into()).await;
    assert_eq!(set.err(), Some(Refusal::InvalidArgument("user")));
    let host = world.logic.set_takes_visitors(&name("one"), &visitor.caller.name, true).await;
    assert_eq!(host.err(), Some(Refusal::InvalidArgument("user")));
}

#[tokio::test]
async fn who_talks_with_a_visitor_sees_how_often_they_came() {
    let world = World::new().await;
    let (ann, visitor) = (host(&world, "ann").await, visitor(&world).await);
    world.say(&visitor, "ann", "hello").await;
    let shown = |conversations: Vec<proto::Conversation>| conversations.into_iter().next().unwrap().visitor;
    let first = shown(world.conversations(&ann).await).unwrap();
    assert_eq!((first.visits, first.page.as_str(), first.referrer.as_str()), (1, "https://shop.example/", ""));
    assert_eq!((first.first_visit_ms, first.last_visit_ms), (START_SECONDS * 1_000, START_SECONDS * 1_000));
    assert_eq!(first.account, "");
    let mark = &visitor.answer.visitor_mark;
    world.environment.pass_ms(VISIT_PAUSE_MS - 1);
    come_from(&world, "one", mark, "/hats", "/").await.unwrap();
    let same = shown(world.conversations(&ann).await).unwrap();
    assert_eq!((same.visits, same.page.as_str(), same.referrer.as_str()), (1, "/hats", ""));
    world.environment.pass_ms(VISIT_PAUSE_MS);
    come_from(&world, "one", mark, "/shoes", "https://search.example/").await.unwrap();
    let again = shown(world.conversations(&ann).await).unwrap();
    assert_eq!((again.visits, again.page.as_str()), (2, "/shoes"));
    assert_eq!(again.referrer, "https://search.example/");
    assert_eq!(again.last_visit_ms, START_SECONDS * 1_000 + 2 * VISIT_PAUSE_MS - 1);
    assert_eq!(shown(world.conversations(&visitor).await), None, "the host is none");
}
