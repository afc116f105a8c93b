//! Friends (spec 72): adding, accepting, declining, removing, and what both sides' devices learn.

use hongyan_domain::app::AppSettings;
use hongyan_domain::friend::REQUEST_LIFE_MS;
use hongyan_domain::session::Term;
use hongyan_logic::{LogicOptions, Rate};
use hongyan_wire::command::Operation;
use hongyan_wire::proto;
use hongyan_wire::proto::inbox_entry::What;
use hongyan_wire::proto::{FriendEventKind as Kind, FriendPolicy, RefusalCode, Tie};

use crate::visiting::{host, visitor};
use crate::world::{Device, Push, World, code, generous, name};

pub async fn add_with(world: &World, device: &Device, request: proto::AddFriendRequest) -> proto::AddFriendAnswer {
    world.ask(device, Operation::AddFriend, request).await
}

pub async fn add(world: &World, device: &Device, user: &str) -> proto::AddFriendAnswer {
    add_with(world, device, wish(user)).await
}

fn wish(user: &str) -> proto::AddFriendRequest {
    proto::AddFriendRequest { id: 4, user: user.into(), text: "it is me".into(), ..Default::default() }
}

pub async fn decide(world: &World, device: &Device, user: &str, accept: bool) -> RefusalCode {
    let request = proto::DecideFriendRequest { id: 1, user: user.into(), accept, ..Default::default() };
    code(&world.ask::<proto::DecideFriendAnswer>(device, Operation::DecideFriend, request).await.refusal)
}

pub async fn remove(world: &World, device: &Device, user: &str) -> RefusalCode {
    let request = proto::RemoveFriendRequest { id: 1, user: user.into() };
    code(&world.ask::<proto::RemoveFriendAnswer>(device, Operation::RemoveFriend, request).await.refusal)
}

async fn block(world: &World, device: &Device, user: &str, blocked: bool) {
    let request = proto::BlockRequest { id: 1, user: user.into(), blocked };
    assert_eq!(world.ask::<proto::BlockAnswer>(device, Operation::Block, request).await.refusal, None);
}

pub async fn set_policy(world: &World, device: &Device, policy: FriendPolicy) {
    let request = proto::SetProfileRequest { id: 1, policy: Some(policy.into()), ..Default::default() };
    assert_eq!(world.ask::<proto::SetProfileAnswer>(device, Operation::SetProfile, request).await.refusal, None);
}

pub async fn lists(world: &World, device: &Device, lists: u64, details: u64) -> proto::ListsAnswer {
    let log_epoch = device.answer.log_epoch;
    let request = proto::ListsRequest { id: 6, lists, details, log_epoch };
    let answer: proto::ListsAnswer = world.ask(device, Operation::Lists, request).await;
    assert_eq!((answer.id, &answer.refusal), (6, &None));
    answer
}

/// What a user has about others, by name.
pub async fn ties(world: &World, device: &Device) -> Vec<(String, Tie)> {
    let relations = lists(world, device, 0, 0).await.relations;
    let mut ties: Vec<_> = relations.into_iter().map(|relation| (relation.user.clone(), relation.tie())).collect();
    ties.sort_by(|one, other| one.0.cmp(&other.0));
    ties
}

async fn tie(world: &World, device: &Device, user: &str) -> Tie {
    let ties = ties(world, device).await;
    ties.into_iter().find(|(name, _)| name == user).map_or(Tie::None, |(_, tie)| tie)
}

/// What the inbox has told about friends.
async fn events(world: &World, device: &Device) -> Vec<(String, Kind)> {
    let page = world.sync(device, 0, 200).await;
    let events = page.entries.into_iter().filter_map(|entry| match entry.what {
        Some(What::Friend(event)) => Some((entry.user, event.kind())),
        _ => None,
    });
    events.collect()
}

fn is_event(user: &str, kind: Kind) -> impl Fn(&Push) -> bool {
    let user = user.to_owned();
    move |push| match push {
        Push::Message(proto::InboxEntry { user: about, what: Some(What::Friend(event)), .. }) => {
            *about == user && event.kind() == kind
        }
        _ => false,
    }
}

#[tokio::test]
async fn a_request_is_made_told_and_accepted() {
    let world = World::new().await;
    let (ann, bob) = (world.phone("ann").await, world.phone("bob").await);
    let desk = world.device("one", "ann", 2, Term::Pc).await;
    let asked = add(&world, &ann, "bob").await;
    assert_eq!((asked.id, &asked.refusal, asked.friends), (4, &None, false));
    assert!(asked.expires_at_ms > 0);
    let pushes = world.pushed_until(&bob, is_event("ann", Kind::RequestCame)).await;
    let Some(Push::Message(entry)) = pushes.last() else { unreachable!() };
    let Some(What::Friend(event)) = &entry.what else { unreachable!() };
    assert_eq!((event.text.as_str(), event.expires_at_ms), ("it is me", asked.expires_at_ms));
    world.pushed_until(&desk, is_event("bob", Kind::RequestMade)).await;
    assert_eq!((tie(&world, &ann, "bob").await, tie(&world, &bob, "ann").await), (Tie::Asked, Tie::Asks));
    assert_eq!(world.conversations(&bob).await, [], "a request is no message");

    assert_eq!(decide(&world, &bob, "ann", true).await, RefusalCode::Unspecified);
    for (device, other) in [(&ann, "bob"), (&desk, "bob"), (&bob, "ann")] {
        world.pushed_until(device, is_event(other, Kind::Befriended)).await;
        assert_eq!(ties(&world, device).await, [(other.to_owned(), Tie::Friend)]);
    }
    assert_eq!(decide(&world, &bob, "ann", true).await, RefusalCode::Unspecified, "it is so already");
    assert_eq!(
        events(&world, &bob).await,
        [("ann".to_owned(), Kind::RequestCame), ("ann".to_owned(), Kind::Befriended)],
        "who was away learns the same"
    );
}

#[tokio::test]
async fn adding_costs_one_read_and_one_write() {
    let world = World::new().await;
    let (ann, _) = (world.phone("ann").await, world.phone("bob").await);
    world.store.take_calls();
    add(&world, &ann, "bob").await;
    assert_eq!(world.store.take_calls(), 2);
}

#[tokio::test]
async fn a_request_that_is_repeated_changes_nothing() {
    let world = World::new().await;
    let (ann, bob) = (world.phone("ann").await, world.phone("bob").await);
    let first = add(&world, &ann, "bob").await;
    world.environment.pass_ms(1_000);
    assert_eq!(add(&world, &ann, "bob").await, first);
    assert_eq!(events(&world, &bob).await.len(), 1);
    let other = proto::AddFriendRequest { text: "ann of school".into(), ..wish("bob") };
    assert!(add_with(&world, &ann, other).await.expires_at_ms > first.expires_at_ms);
    let relations = lists(&world, &bob, 0, 0).await.relations;
    assert_eq!((relations.len(), relations[0].text.as_str()), (1, "ann of school"), "one for each pair");
}

#[tokio::test]
async fn each_of_the_nine_checks_says_why() {
    let options = LogicOptions { friend_requests_per_user: Rate { burst: 10, per_minute: 1 }, ..generous() };
    let world = World::with(options).await;
    let (ann, bob) = (world.phone("ann").await, world.phone("bob").await);
    let (dan, eve, deaf) = (world.phone("dan").await, world.phone("eve").await, world.phone("deaf").await);
    let (guest, _) = (visitor(&world).await, host(&world, "host").await);
    world.device("two", "carl", 1, Term::Pc).await;
    let refusal = |answer: proto::AddFriendAnswer| {
        let refusal = answer.refusal.expect("refused");
        (refusal.code(), refusal.text)
    };
    let said = |code, text: &str| (code, text.to_owned());
    let visitors = said(RefusalCode::NotAllowed, "visitors have no friends");
    assert_eq!(refusal(add(&world, &guest, "bob").await), visitors, "1");
    for nobody in ["nobody", "carl", "no name", &guest.answer.user] {
        assert_eq!(refusal(add(&world, &ann, nobody).await), said(RefusalCode::NotFound, "not found"), "2: {nobody}");
    }
    let grouping = said(RefusalCode::InvalidArgument, "invalid argument: grouping");
    let nowhere = proto::AddFriendRequest { grouping: 3, ..wish("bob") };
    assert_eq!(refusal(add_with(&world, &ann, nowhere).await), grouping, "3");
    add(&world, &ann, "bob").await;
    decide(&world, &bob, "ann", true).await;
    assert_eq!(refusal(add(&world, &ann, "bob").await), said(RefusalCode::Conflict, "already friends"), "4");
    block(&world, &ann, "dan", true).await;
    let own = said(RefusalCode::NotAllowed, "you have blocked this person");
    assert_eq!(refusal(add(&world, &ann, "dan").await), own, "5");
    block(&world, &dan, "ann", true).await;
    assert_eq!(refusal(add(&world, &ann, "dan").await), own, "5 before 6");
    block(&world, &eve, "ann", true).await;
    assert_eq!(refusal(add(&world, &ann, "eve").await), said(RefusalCode::NotAllowed, "not allowed"), "6");
    set_policy(&world, &deaf, FriendPolicy::DenyAll).await;
    // A name that is none costs nothing; so far nine were asked about.
    let closed = said(RefusalCode::NotAllowed, "takes no friend requests");
    assert_eq!(refusal(add(&world, &ann, "deaf").await), closed, "9");
    let illegal = proto::AddFriendRequest { text: "two\nlines".into(), ..wish("deaf") };
    assert_eq!(refusal(add_with(&world, &ann, illegal.clone()).await).0, RefusalCode::RateLimited, "7 before 8");
    world.environment.pass_ms(60_000);
    let text = said(RefusalCode::InvalidArgument, "invalid argument: text");
    assert_eq!(refusal(add_with(&world, &ann, illegal).await), text, "8 before 9");
    let me = said(RefusalCode::InvalidArgument, "invalid argument: user");
    assert_eq!(refusal(add(&world, &ann, "ann").await), me);
}

#[tokio::test]
async fn whoever_allows_all_is_a_friend_at_once() {
    let world = World::new().await;
    let (ann, bob) = (world.phone("ann").await, world.phone("bob").await);
    set_policy(&world, &bob, FriendPolicy::AllowAll).await;
    let added = add(&world, &ann, "bob").await;
    assert_eq!((&added.refusal, added.friends, added.expires_at_ms), (&None, true, 0));
    assert_eq!(events(&world, &bob).await, [("ann".to_owned(), Kind::Befriended)]);
    assert_eq!(tie(&world, &bob, "ann").await, Tie::Friend);
}

#[tokio::test]
async fn requests_that_cross_become_one_friendship() {
    let world = World::new().await;
    let (ann, bob) = (world.phone("ann").await, world.phone("bob").await);
    add(&world, &ann, "bob").await;
    assert!(add(&world, &bob, "ann").await.friends);
    assert_eq!((tie(&world, &ann, "bob").await, tie(&world, &bob, "ann").await), (Tie::Friend, Tie::Friend));
    assert_eq!(remove(&world, &ann, "bob").await, RefusalCode::Unspecified);

    // Both were decided before either was written.
    let (logic, other) = (world.logic.clone(), ann.caller.clone());
    world.store.before_add_friend(Box::new(move || {
        use hongyan_cluster::Service;
        use prost::Message;
        Box::pin(async move {
            let body = wish("bob").encode_to_vec().into();
            logic.request(other, Operation::AddFriend, body).await;
        })
    }));
    assert!(add(&world, &bob, "ann").await.friends);
    assert_eq!((tie(&world, &ann, "bob").await, tie(&world, &bob, "ann").await), (Tie::Friend, Tie::Friend));
    let befriended = events(&world, &ann).await.into_iter().filter(|(_, kind)| *kind == Kind::Befriended);
    assert_eq!(befriended.count(), 2, "one each time");
}

#[tokio::test]
async fn what_was_decided_on_lost_rights_is_decided_again() {
    let world = World::new().await;
    let (ann, bob) = (world.phone("ann").await, world.phone("bob").await);
    for expected in ["not allowed", "takes no friend requests"] {
        let (logic, other) = (world.logic.clone(), bob.caller.clone());
        world.store.before_add_friend(Box::new(move || {
            use hongyan_cluster::Service;
            use prost::Message;
            Box::pin(async move {
                let block = proto::BlockRequest { id: 1, user: "ann".into(), blocked: true }.encode_to_vec();
                let closed = proto::SetProfileRequest {
                    id: 1,
                    policy: Some(FriendPolicy::DenyAll.into()),
                    ..Default::default()
                };
                let (operation, body) = match expected {
                    "not allowed" => (Operation::Block, block),
                    _ => (Operation::SetProfile, closed.encode_to_vec()),
                };
                logic.request(other, operation, body.into()).await;
            })
        }));
        let refusal = add(&world, &ann, "bob").await.refusal.expect("refused");
        assert_eq!(refusal.text, expected);
        assert_eq!(tie(&world, &bob, "ann").await, Tie::None);
        block(&world, &bob, "ann", false).await;
    }
}

#[tokio::test]
async fn a_request_ends_by_declining_withdrawing_blocking_or_time() {
    let world = World::new().await;
    let (ann, bob) = (world.phone("ann").await, world.phone("bob").await);
    add(&world, &ann, "bob").await;
    assert_eq!(decide(&world, &ann, "bob", true).await, RefusalCode::NotFound, "not by who asked");
    assert_eq!(decide(&world, &bob, "ann", false).await, RefusalCode::Unspecified);
    assert_eq!(decide(&world, &bob, "ann", true).await, RefusalCode::NotFound);
    world.pushed_until(&ann, is_event("bob", Kind::RequestEnded)).await;

    add(&world, &ann, "bob").await;
    assert_eq!(remove(&world, &bob, "ann").await, RefusalCode::NotFound, "there is no friendship");
    assert_eq!(remove(&world, &ann, "bob").await, RefusalCode::Unspecified);
    assert_eq!(decide(&world, &bob, "ann", true).await, RefusalCode::NotFound);

    add(&world, &ann, "bob").await;
    block(&world, &bob, "ann", true).await;
    assert_eq!(decide(&world, &bob, "ann", true).await, RefusalCode::NotFound);
    assert_eq!(ties(&world, &ann).await, []);
    block(&world, &bob, "ann", false).await;
    assert_eq!(ties(&world, &bob).await, []);

    add(&world, &ann, "bob").await;
    world.environment.pass_ms(REQUEST_LIFE_MS);
    assert_eq!(decide(&world, &bob, "ann", true).await, RefusalCode::NotFound);
    assert!(!add(&world, &bob, "ann").await.friends, "it crosses nothing any more");
    assert_eq!((tie(&world, &ann, "bob").await, tie(&world, &bob, "ann").await), (Tie::Asks, Tie::Asked));
}

#[tokio::test]
async fn a_friendship_ends_for_both() {
    let world = World::new().await;
    let (ann, bob) = (world.phone("ann").await, world.phone("bob").await);
    add(&world, &ann, "bob").await;
    decide(&world, &bob, "ann", true).await;
    let known = lists(&world, &bob, 0, 0).await;
    assert_eq!(remove(&world, &ann, "bob").await, RefusalCode::Unspecified);
    assert_eq!(remove(&world, &ann, "bob").await, RefusalCode::NotFound);
    world.pushed_until(&bob, is_event("ann", Kind::Removed)).await;
    let news = lists(&world, &bob, known.lists, known.details).await;
    assert_eq!((news.relations.len(), news.relations[0].tie()), (1, Tie::None), "the device drops her");
    assert_eq!(ties(&world, &bob).await, []);
}

#[tokio::test]
async fn strangers_write_only_where_the_app_lets_them() {
    let world = World::new().await;
    let (ann, bob) = (world.phone("ann").await, world.phone("bob").await);
    world.say(&ann, "bob", "before").await;
    let settings = AppSettings { strangers_write: false, ..AppSettings::default() };
    world.logic.set_app_settings(&name("one"), settings).await.unwrap();
    let refused = async |device: &Device, to: &str| {
        let answer = world.send(device, &[world.text(to, "hello")]).await.remove(0);
        code(&answer.refusal)
    };
    assert_eq!(refused(&ann, "bob").await, RefusalCode::NotAllowed, "although she was admitted a moment ago");
    assert_eq!(refused(&ann, "ann").await, RefusalCode::Unspecified, "notes to oneself");
    add(&world, &ann, "bob").await;
    assert_eq!(refused(&ann, "bob").await, RefusalCode::NotAllowed);
    decide(&world, &bob, "ann", true).await;
    assert_eq!(refused(&ann, "bob").await, RefusalCode::Unspecified);
    assert_eq!(refused(&bob, "ann").await, RefusalCode::Unspecified);
    remove(&world, &bob, "ann").await;
    assert_eq!(refused(&ann, "bob").await, RefusalCode::NotAllowed);
    let (guest, _) = (visitor(&world).await, host(&world, "host").await);
    assert_eq!(refused(&guest, "host").await, RefusalCode::Unspecified, "visitors are no strangers to who takes them");
}
