//! CLAIM_VISITOR: what a visitor said becomes history of an account (spec 70).

use std::sync::Arc;

use hongyan_cluster::service::{LoggedIn, Service};
use hongyan_domain::refusal::Refusal;
use hongyan_domain::session::{EndReason, Term};
use hongyan_logic::{LogicOptions, Rate};
use hongyan_wire::command::Operation;
use hongyan_wire::proto;
use hongyan_wire::proto::RefusalCode;
use hongyan_wire::proto::inbox_entry::What;

use crate::visiting::{come, history, host, react, recall, refused, visitor};
use crate::world::{Device, Push, World, code, generous, says};

async fn claim(world: &World, account: &Device, mark: &str) -> proto::ClaimVisitorAnswer {
    world.ask(account, Operation::ClaimVisitor, proto::ClaimVisitorRequest { id: 9, mark: mark.into() }).await
}

async fn claimed(world: &World, account: &Device, visitor: &Device) {
    let answer = claim(world, account, &visitor.answer.visitor_mark).await;
    assert_eq!((answer.id, &answer.refusal, &answer.visitor), (9, &None, &visitor.answer.user));
}

async fn edit(world: &World, device: &Device, user: &str, seq: u64) -> RefusalCode {
    let request = proto::EditRequest {
        id: 1,
        user: user.into(),
        seq,
        client_request_id: world.client_id(),
        body: "other words".into(),
        text: String::new(),
        ..Default::default()
    };
    code(&world.ask::<proto::ChangeAnswer>(device, Operation::Edit, request).await.refusal)
}

async fn history_as(world: &World, device: &Device, user: &str, as_visitor: &str) -> proto::HistoryAnswer {
    let (user, as_visitor) = (user.into(), as_visitor.into());
    let request = proto::HistoryRequest { id: 1, user, as_visitor, limit: 100, ..Default::default() };
    world.ask(device, Operation::History, request).await
}

fn is_claim(visitor: &Device, account: &str, user: &str) -> impl Fn(&Push) -> bool {
    let claimed = proto::Claimed { visitor: visitor.answer.user.clone(), account: account.into() };
    let user = user.to_owned();
    move |push| match push {
        Push::Message(entry) => entry.user == user && entry.what == Some(What::Claimed(claimed.clone())),
        _ => false,
    }
}

#[tokio::test]
async fn what_a_visitor_said_becomes_history_of_their_account() {
    let world = World::new().await;
    let (ann, visitor, bob) = (host(&world, "ann").await, visitor(&world).await, world.phone("bob").await);
    let shade = visitor.answer.user.clone();
    world.say(&bob, "ann", "my own").await;
    world.say(&visitor, "ann", "one").await;
    world.say(&ann, &shade, "two").await;
    claimed(&world, &bob, &visitor).await;
    world.pushed_until(&bob, is_claim(&visitor, "bob", "ann")).await;
    world.pushed_until(&ann, is_claim(&visitor, "bob", &shade)).await;

    let old = history_as(&world, &bob, "ann", &shade).await;
    let shown: Vec<_> = old.entries.iter().map(|entry| (entry.seq, entry.own, &entry.body[..])).collect();
    assert_eq!(shown, [(1, true, &b"one"[..]), (2, false, &b"two"[..])]);
    assert_eq!(history(&world, &bob, "ann").await.entries.len(), 1, "the account's own is as it was");
    assert_eq!(history(&world, &ann, &shade).await.entries.len(), 2, "and for the correspondent, too");

    let conversations = world.conversations(&bob).await;
    let [adopted, own] = &conversations[..] else { panic!("{conversations:?}") };
    assert_eq!((adopted.user.as_str(), &adopted.as_visitor, adopted.unread), ("ann", &shade, 0));
    assert!(!adopted.last.as_ref().unwrap().own && adopted.visitor.is_none());
    assert_eq!((own.user.as_str(), own.as_visitor.as_str()), ("ann", ""));
    let of_ann = world.conversations(&ann).await;
    let line = of_ann.iter().find(|conversation| conversation.user == shade).unwrap();
    assert_eq!(line.visitor.as_ref().unwrap().account, "bob");

    let page = world.sync(&bob, 0, 100).await;
    let claims = page.entries.iter().filter(|entry| matches!(entry.what, Some(What::Claimed(_))));
    assert_eq!(claims.map(|entry| entry.user.as_str()).collect::<Vec<_>>(), ["ann"]);
    assert_eq!(page.inbox_head, adopted.activity);
    world.say(&bob, "ann", "it was me").await;
    world.pushed_until(&ann, says("it was me")).await;
}

#[tokio::test]
async fn nothing_more_is_said_by_or_to_a_claimed_visitor() {
    let world = World::new().await;
    let (ann, eve) = (host(&world, "ann").await, host(&world, "eve").await);
    let (visitor, bob) = (visitor(&world).await, world.phone("bob").await);
    let shade = visitor.answer.user.clone();
    world.say(&visitor, "ann", "one").await;
    let known = world.text(&shade, "two");
    assert_eq!(world.send(&ann, std::slice::from_ref(&known)).await[0].refusal, None);
    // Everybody has been admitted: only the writer can notice.
    claimed(&world, &bob, &visitor).await;
    assert_eq!(refused(&world, &visitor, "ann").await, RefusalCode::Revoked);
    let endings = world.gate.endings();
    let (session, ending) = endings.last().unwrap();
    assert_eq!((*session, ending.reason), (visitor.caller.session, EndReason::Revoked));
    assert_eq!(refused(&world, &ann, &shade).await, RefusalCode::NotAllowed);
    assert_eq!(edit(&world, &ann, &shade, 2).await, RefusalCode::NotAllowed);
    assert_eq!(recall(&world, &ann, &shade, 2).await, RefusalCode::NotAllowed);
    assert_eq!(react(&world, &ann, &shade, 1).await, RefusalCode::NotAllowed);
    assert_eq!(refused(&world, &eve, &shade).await, RefusalCode::NotAllowed, "who never talked with them, too");
    assert_eq!(refused(&world, &bob, &shade).await, RefusalCode::NotFound, "not even the account");
    let repeated = world.send(&ann, &[known]).await.remove(0);
    assert_eq!((repeated.refusal, repeated.seq), (None, 2), "who got in gets the same answer again");
    let mark = &visitor.answer.visitor_mark;
    assert_eq!(come(&world, "one", mark).await.err(), Some(Refusal::Conflict), "the mark is worn out");
    let resumed = world.logic.resume(visitor.caller.session, proto::ResumeOffer::default()).await;
    assert_eq!(resumed.err(), Some(Refusal::Revoked));
    assert_eq!(history(&world, &ann, &shade).await.entries.len(), 2);
}

#[tokio::test]
async fn a_claim_happens_once() {
    let world = World::new().await;
    host(&world, "ann").await;
    let (visitor, bob, eve) = (visitor(&world).await, world.phone("bob").await, world.phone("eve").await);
    world.say(&visitor, "ann", "one").await;
    let mark = visitor.answer.visitor_mark.clone();
    claimed(&world, &bob, &visitor).await;
    let head = world.sync(&bob, 0, 100).await.inbox_head;
    claimed(&world, &bob, &visitor).await;
    assert_eq!(world.sync(&bob, 0, 100).await.inbox_head, head, "again, but without any effect");
    assert_eq!(code(&claim(&world, &eve, &mark).await.refusal), RefusalCode::Conflict);
    assert_eq!(world.conversations(&eve).await, []);
    let silent = come(&world, "one", "").await.unwrap();
    assert_eq!(claim(&world, &eve, &silent.answer.visitor_mark).await.refusal, None, "who said nothing");
    assert_eq!(world.conversations(&eve).await, []);
}

#[tokio::test]
async fn only_an_account_of_the_same_app_claims_by_a_good_mark() {
    let world = World::new().await;
    let (ann, one) = (host(&world, "ann").await, visitor(&world).await);
    let other = visitor(&world).await;
    world.say(&one, "ann", "one").await;
    let mark = &one.answer.visitor_mark;
    assert_eq!(code(&claim(&world, &other, mark).await.refusal), RefusalCode::NotAllowed);
    assert_eq!(code(&claim(&world, &one, mark).await.refusal), RefusalCode::NotAllowed);
    let elsewhere = world.device("two", "bob", 1, Term::Pc).await;
    assert_eq!(code(&claim(&world, &elsewhere, mark).await.refusal), RefusalCode::Unauthenticated);
    let bob = world.phone("bob").await;
    for bad in ["", "v1", &mark[..mark.len() - 1], &mark.replace(".2.", ".1.")] {
        assert_eq!(code(&claim(&world, &bob, bad).await.refusal), RefusalCode::Unauthenticated, "{bad}");
    }
    world.environment.pass_ms(366 * 86_400_000);
    assert_eq!(code(&claim(&world, &bob, mark).await.refusal), RefusalCode::Unauthenticated, "too old");
    assert_eq!(world.conversations(&bob).await, []);
    assert_eq!(world.conversations(&ann).await[0].visitor.as_ref().unwrap().account, "");
}

#[tokio::test]
async fn nobody_reads_as_a_visitor_whom_they_are_not() {
    let world = World::new().await;
    let (ann, visitor) = (host(&world, "ann").await, visitor(&world).await);
    let (bob, eve) = (world.phone("bob").await, world.phone("eve").await);
    let shade = visitor.answer.user.clone();
    world.say(&visitor, "ann", "one").await;
    for reader in [&bob, &ann, &eve] {
        assert_eq!(code(&history_as(&world, reader, "ann", &shade).await.refusal), RefusalCode::NotFound);
    }
    claimed(&world, &bob, &visitor).await;
    for (reader, user, as_visitor) in [
        (&eve, "ann", shade.as_str()),
        (&ann, "ann", &shade),
        (&bob, "eve", &shade),
        (&bob, &shade, &shade),
        (&bob, "ann", "ann"),
        (&bob, "ann", "~AAAAAAAAAAAAAAAAAAAAAA"),
        (&bob, &shade, ""),
    ] {
        let found = history_as(&world, reader, user, as_visitor).await;
        assert_eq!(code(&found.refusal), RefusalCode::NotFound, "{user} {as_visitor}");
        assert_eq!(found.entries, []);
    }
}

#[tokio::test]
async fn a_login_under_way_does_not_survive_the_claim() {
    let world = Arc::new(World::new().await);
    let (visitor, bob) = (visitor(&world).await, world.phone("bob").await);
    let mark = visitor.answer.visitor_mark.clone();
    let claiming = (world.clone(), bob.clone(), visitor.clone());
    world.store.before_open_session(Box::new(move || {
        Box::pin(async move {
            let (world, bob, visitor) = claiming;
            claimed(&world, &bob, &visitor).await;
        })
    }));
    assert_eq!(come(&world, "one", &mark).await.err(), Some(Refusal::Conflict));
    let LoggedIn { caller, .. } = come(&world, "one", "").await.unwrap();
    assert_ne!(caller.user, visitor.caller.user, "they start anew");
}

#[tokio::test]
async fn a_message_beside_a_claim_gets_in_or_is_refused() {
    let limits = LogicOptions { first_contacts_per_user: Rate { burst: 1_000, per_minute: 1 }, ..generous() };
    let world = World::with(limits).await;
    let (ann, bob) = (host(&world, "ann").await, world.phone("bob").await);
    for round in 0..10 {
        let visitor = visitor(&world).await;
        let shade = visitor.answer.user.clone();
        world.say(&visitor, "ann", "one").await;
        let (by_visitor, by_host) = ([world.text("ann", "two")], [world.text(&shade, "three")]);
        let (one, three, _) = tokio::join!(
            world.send(&visitor, &by_visitor),
            world.send(&ann, &by_host),
            claimed(&world, &bob, &visitor),
        );
        let in_time = [code(&one[0].refusal), code(&three[0].refusal)].map(|code| match code {
            RefusalCode::Unspecified => 1,
            RefusalCode::Revoked | RefusalCode::NotAllowed => 0,
            other => panic!("{other:?} in round {round}"),
        });
        let log = history_as(&world, &bob, "ann", &shade).await.entries;
        assert_eq!(log.len(), 1 + in_time.iter().sum::<usize>(), "what was answered, and nothing else");
    }
}
