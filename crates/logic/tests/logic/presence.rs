//! Presence (spec 59-61): who may watch whom, and how little is told.

use hongyan_domain::presence::COALESCE_MS;
use hongyan_domain::session::Term;
use hongyan_wire::command::Operation;
use hongyan_wire::proto;
use hongyan_wire::proto::{FriendPolicy, PresenceState, RefusalCode};

use crate::friends::{add, remove, set_policy};
use crate::visiting::{host, visitor};
use crate::world::{Device, Push, World, code};

async fn befriend(world: &World, one: &Device, other: &Device, name: &str) {
    set_policy(world, other, FriendPolicy::AllowAll).await;
    assert!(add(world, one, name).await.friends);
}

async fn watch(world: &World, device: &Device, users: &[&str]) -> Vec<(String, PresenceState)> {
    let users = users.iter().map(|user| (*user).into()).collect();
    let answer: proto::WatchAnswer = world.ask(device, Operation::Watch, proto::WatchRequest { id: 1, users }).await;
    assert_eq!(answer.refusal, None);
    answer.presences.into_iter().map(|presence| (presence.user.clone(), presence.state())).collect()
}

async fn get(world: &World, device: &Device, user: &str) -> Option<proto::Presence> {
    let request = proto::GetPresenceRequest { id: 1, users: vec![user.into()] };
    world.ask::<proto::GetPresenceAnswer>(device, Operation::GetPresence, request).await.presences.pop()
}

async fn choose(world: &World, device: &Device, state: PresenceState) -> RefusalCode {
    let request = proto::SetPresenceRequest { id: 1, state: state.into() };
    code(&world.ask::<proto::SetPresenceAnswer>(device, Operation::SetPresence, request).await.refusal)
}

async fn block(world: &World, device: &Device, user: &str, blocked: bool) {
    let request = proto::BlockRequest { id: 1, user: user.into(), blocked };
    assert_eq!(world.ask::<proto::BlockAnswer>(device, Operation::Block, request).await.refusal, None);
}

/// A session comes or goes, as a gate does it.
fn moved(world: &World, device: &Device, here: bool) {
    if here {
        world.connect(device);
    } else {
        world.bus.router().unregister(device.caller.user, device.caller.session, 1);
    }
    let now_ms = hongyan_domain::Environment::monotonic_ms(&*world.environment);
    let wall = hongyan_domain::Environment::wall_clock(&*world.environment);
    world.bus.moved(device.caller.user, now_ms, wall);
}

/// So much time passes, and the gate looks.
fn pass(world: &World, span_ms: u64) {
    world.environment.pass_ms(span_ms);
    world.bus.tell_presence(hongyan_domain::Environment::monotonic_ms(&*world.environment));
}

/// What a device was told about presence, so far.
fn told(world: &World, device: &Device) -> Vec<(String, PresenceState)> {
    let one = |push| match push {
        Push::Presence(presence) => Some((presence.user.clone(), presence.state())),
        _ => None,
    };
    world.pushed(device).into_iter().filter_map(one).collect()
}

/// The example of spec 60, smaller: only friends who watch and are there are told, each once.
#[tokio::test]
async fn a_login_is_told_to_friends_who_watch_and_to_nobody_else() {
    let world = World::new().await;
    let ann = world.phone("ann").await;
    let mut friends = Vec::new();
    for number in 0..6 {
        let friend = world.phone(&format!("friend{number}")).await;
        befriend(&world, &ann, &friend, &format!("friend{number}")).await;
        friends.push(friend);
    }
    let mates = [world.phone("mate0").await, world.phone("mate1").await];
    moved(&world, &ann, false);
    pass(&world, COALESCE_MS);
    let away = ("ann".to_owned(), PresenceState::Offline);
    for friend in &friends[..4] {
        assert_eq!(watch(&world, friend, &["ann", "nobody", "mate0"]).await, std::slice::from_ref(&away));
    }
    for mate in &mates {
        assert_eq!(watch(&world, mate, &["ann"]).await, [], "no friend");
    }
    // Of those who watch, one goes.
    world.bus.presences().unwatch_all(friends[3].caller.session);
    world.disconnect(&friends[3]);

    moved(&world, &ann, true);
    pass(&world, COALESCE_MS - 1);
    assert!(friends.iter().all(|friend| told(&world, friend).is_empty()));
    pass(&world, 1);
    let pushes: Vec<_> = friends.iter().chain(&mates).map(|device| told(&world, device).len()).collect();
    assert_eq!(pushes, [1, 1, 1, 0, 0, 0, 0, 0]);
    let desk = world.device("one", "ann", 2, Term::Pc).await;
    moved(&world, &desk, true);
    moved(&world, &desk, false);
    world.disconnect(&ann);
    world.bus.moved(ann.caller.user, 0, hongyan_domain::UnixMillis(0));
    pass(&world, 10 * COALESCE_MS);
    assert_eq!(told(&world, &friends[0]).len(), 1, "a second device and a suspended session change nothing");
}

#[tokio::test]
async fn what_somebody_wants_to_be_is_what_friends_see() {
    let world = World::new().await;
    let (ann, bob) = (world.phone("ann").await, world.phone("bob").await);
    befriend(&world, &ann, &bob, "bob").await;
    assert_eq!(watch(&world, &ann, &["bob"]).await, [("bob".to_owned(), PresenceState::Online)]);
    for state in [PresenceState::Away, PresenceState::Busy, PresenceState::Invisible] {
        assert_eq!(choose(&world, &bob, state).await, RefusalCode::Unspecified);
        pass(&world, COALESCE_MS);
    }
    let states: Vec<_> = told(&world, &ann).into_iter().map(|(_, state)| state).collect();
    assert_eq!(states, [PresenceState::Away, PresenceState::Busy, PresenceState::Offline]);
    let seen = get(&world, &ann, "bob").await.unwrap();
    assert!(seen.state() == PresenceState::Offline && seen.last_seen_ms > 0);
    world.say(&ann, "bob", "are you there?").await;
    world.pushed_until(&bob, crate::world::says("are you there?")).await;
    assert_eq!(choose(&world, &bob, PresenceState::Offline).await, RefusalCode::InvalidArgument);
    assert_eq!(choose(&world, &visitor(&world).await, PresenceState::Away).await, RefusalCode::NotAllowed);
}

#[tokio::test]
async fn who_may_not_look_sees_nothing_from_that_moment() {
    let world = World::new().await;
    let (ann, bob) = (world.phone("ann").await, world.phone("bob").await);
    host(&world, "host").await;
    befriend(&world, &ann, &bob, "bob").await;
    let watched = async || {
        let before = watch(&world, &ann, &["bob"]).await.len();
        (before, get(&world, &ann, "bob").await.is_some())
    };
    assert_eq!(watched().await, (1, true));
    block(&world, &bob, "ann", true).await;
    choose(&world, &bob, PresenceState::Away).await;
    pass(&world, COALESCE_MS);
    assert_eq!(told(&world, &ann), [], "blocked");
    assert_eq!(watched().await, (0, false));
    block(&world, &bob, "ann", false).await;
    assert_eq!(watched().await, (1, true));

    let privacy = async |presence_to: proto::Audience, last_seen_to: proto::Audience| {
        let request = proto::SetProfileRequest {
            id: 1,
            presence_to: Some(presence_to.into()),
            last_seen_to: Some(last_seen_to.into()),
            ..Default::default()
        };
        assert_eq!(world.ask::<proto::SetProfileAnswer>(&bob, Operation::SetProfile, request).await.refusal, None);
    };
    privacy(proto::Audience::Nobody, proto::Audience::Nobody).await;
    assert_eq!(told(&world, &ann), [("bob".to_owned(), PresenceState::Offline)], "as if he had left");
    assert_eq!(watched().await, (0, false));
    privacy(proto::Audience::Friends, proto::Audience::Nobody).await;
    moved(&world, &bob, false);
    assert_eq!(get(&world, &ann, "bob").await.unwrap().last_seen_ms, 0, "not hers to know");
    privacy(proto::Audience::Friends, proto::Audience::Friends).await;
    assert!(get(&world, &ann, "bob").await.unwrap().last_seen_ms > 0);

    assert_eq!(watched().await, (1, true));
    assert_eq!(remove(&world, &bob, "ann").await, RefusalCode::Unspecified);
    moved(&world, &bob, true);
    pass(&world, COALESCE_MS);
    assert_eq!(told(&world, &ann).len(), 1, "no friend any more");
    assert_eq!(watched().await, (0, false));
}

#[tokio::test]
async fn a_connection_watches_two_hundred_and_asks_so_often() {
    let world = World::new().await;
    let ann = world.phone("ann").await;
    for (users, expected) in [(200, RefusalCode::Unspecified), (201, RefusalCode::InvalidArgument)] {
        let users = (0..users).map(|number| format!("user{number}")).collect();
        let answer: proto::WatchAnswer = world.ask(&ann, Operation::Watch, proto::WatchRequest { id: 1, users }).await;
        assert_eq!(code(&answer.refusal), expected);
    }
    let mut refused = RefusalCode::Unspecified;
    for _ in 0..40 {
        refused = choose(&world, &ann, PresenceState::Busy).await;
    }
    assert_eq!(refused, RefusalCode::RateLimited);
}
