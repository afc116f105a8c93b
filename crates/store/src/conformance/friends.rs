//! What is between two users, their lists and profiles.

use hongyan_domain::friend::{Act, Bond, FRIENDS_MAX, FriendEvent, REQUEST_LIFE_MS, Tie};
use hongyan_domain::grouping::Grouping;
use hongyan_domain::profile::ProfileChange;
use hongyan_domain::session::EndReason;
use hongyan_domain::time::UnixMillis;

use super::Fixture;
use super::world::{NOW, Person, World};
use crate::feed::CommittedWhat;
use crate::friends::{Acquaintance, AddFriend, AddOutcome, ChangeFriend, ChangeOutcome, FriendChange, Lists};
use crate::timeline::{About, InboxWhat, Outcome};
use crate::{Error, Friends, Profiles, Sessions, Store, Timeline};

async fn known<S: Store>(world: &World<S>, asker: &Person, other: &Person) -> Acquaintance {
    let known = world.store.acquaintance(world.app, asker.user, other.name.clone(), 0).await;
    known.expect("read").expect("there is one")
}

async fn wish<S: Store>(world: &World<S>, asker: &Person, other: &Person, act: Act) -> AddFriend {
    AddFriend {
        app: world.app,
        session: asker.session,
        asker: asker.user,
        other: other.user,
        version: known(world, asker, other).await.version,
        act,
        text: "it is me".into(),
        remark: "remark".into(),
        grouping: 0,
        now: NOW,
    }
}

async fn add<S: Store>(world: &World<S>, asker: &Person, other: &Person, act: Act) -> AddOutcome {
    world.store.add_friend(wish(world, asker, other, act).await).await.expect("stored")
}

async fn change_at<S: Store>(
    world: &World<S>,
    person: &Person,
    other: &Person,
    change: FriendChange,
    now: UnixMillis,
) -> ChangeOutcome {
    let (app, session, user, other) = (world.app, person.session, person.user, other.user);
    let change = ChangeFriend { app, session, user, other, change, now };
    world.store.change_friend(change).await.expect("stored")
}

async fn change<S: Store>(world: &World<S>, person: &Person, other: &Person, change: FriendChange) -> ChangeOutcome {
    change_at(world, person, other, change, NOW).await
}

fn accept() -> FriendChange {
    FriendChange::Accept { remark: String::new(), grouping: 0 }
}

async fn lists<S: Store>(world: &World<S>, person: &Person, lists: u64, details: u64) -> Lists {
    world.store.lists(person.user, lists, details, usize::MAX).await.expect("read")
}

async fn tie<S: Store>(world: &World<S>, person: &Person, other: &Person) -> Tie {
    let lists = lists(world, person, 0, 0).await;
    let row = lists.relations.into_iter().find(|row| row.other == other.user);
    row.map_or(Tie::None, |row| row.relation.tie)
}

async fn events<S: Store>(world: &World<S>, person: &Person) -> Vec<FriendEvent> {
    let events = world.inbox(person).await.into_iter().filter_map(|entry| match entry.what {
        InboxWhat::Friend { event, .. } => Some(event),
        _ => None,
    });
    events.collect()
}

async fn rename<S: Store>(world: &World<S>, person: &Person, nickname: &str) -> u64 {
    let change = ProfileChange { nickname: Some(nickname.into()), ..ProfileChange::default() };
    world.store.set_profile(world.app, person.session, person.user, change).await.expect("stored")
}

/// A request, an answer, an end: the row of the pair, both lists, both inboxes and what is told say the same.
pub async fn a_friendship_is_one_row_and_two_lists<F: Fixture>(fixture: &F) {
    let world = World::new(fixture).await;
    let (a, b) = (world.person("a").await, world.person("b").await);
    assert_eq!(known(&world, &a, &b).await.conversation, None);
    assert_eq!(add(&world, &a, &b, Act::Ask).await, AddOutcome::Asked(NOW));
    assert_eq!(known(&world, &b, &a).await.bond, Bond::Asked { by: a.user, at: NOW });
    assert_eq!((tie(&world, &a, &b).await, tie(&world, &b, &a).await), (Tie::Asked, Tie::Asks));
    assert_eq!(add(&world, &a, &b, Act::Ask).await, AddOutcome::Asked(NOW), "again");
    assert_eq!(change(&world, &a, &b, accept()).await, ChangeOutcome::Gone, "not by who asked");
    assert_eq!(change(&world, &b, &a, accept()).await, ChangeOutcome::Done);
    assert_eq!(change(&world, &b, &a, accept()).await, ChangeOutcome::Done, "it is so");
    assert_eq!(add(&world, &a, &b, Act::Ask).await, AddOutcome::Friends);
    assert!(world.store.direct(world.app, a.user, b.user).await.expect("read").facts.friends);
    let mine = lists(&world, &a, 0, 0).await.relations;
    assert_eq!((mine[0].relation.tie, mine[0].relation.remark.as_str()), (Tie::Friend, "remark"));
    let version = known(&world, &a, &b).await.version;
    assert_eq!(change(&world, &b, &a, FriendChange::Remove).await, ChangeOutcome::Done);
    assert_eq!(change(&world, &b, &a, FriendChange::Remove).await, ChangeOutcome::Gone);
    assert_eq!((tie(&world, &a, &b).await, tie(&world, &b, &a).await), (Tie::None, Tie::None));
    assert!(known(&world, &a, &b).await.version > version, "a right is lost");
    assert_eq!(events(&world, &a).await, [FriendEvent::Asked, FriendEvent::Friends, FriendEvent::Removed]);
    assert_eq!(events(&world, &b).await, [FriendEvent::Asks, FriendEvent::Friends, FriendEvent::Removed]);
    let told = world.recorder.heard().into_iter().filter(|told| matches!(told.what, CommittedWhat::Friend { .. }));
    assert_eq!(told.filter(|told| told.user == a.user && told.about == About::Person(b.name.clone())).count(), 3);
    assert!(world.store.conversations(a.user, 0, 9).await.expect("read").lines.is_empty(), "nobody has written");
    fixture.close(world.store);
}

/// What was decided on rights that are lost is not done; what the other's own request allows is.
pub async fn friends_are_added_on_what_is_so<F: Fixture>(fixture: &F) {
    let world = World::new(fixture).await;
    let (a, b) = (world.person("a").await, world.person("b").await);
    let decided = wish(&world, &a, &b, Act::Befriend).await;
    world.store.set_blocked(world.app, b.session, b.user, a.user, true).await.expect("stored");
    assert_eq!(world.store.add_friend(decided.clone()).await, Ok(AddOutcome::Stale));
    world.store.set_blocked(world.app, b.session, b.user, a.user, false).await.expect("stored");
    let closed =
        ProfileChange { policy: Some(hongyan_domain::friend::FriendPolicy::DenyAll), ..ProfileChange::default() };
    let decided = wish(&world, &a, &b, Act::Ask).await;
    world.store.set_profile(world.app, b.session, b.user, closed).await.expect("stored");
    assert_eq!(world.store.add_friend(decided).await, Ok(AddOutcome::Stale));
    rename(&world, &b, "B").await;
    // Both ask before either is written.
    let (one, other) = (wish(&world, &a, &b, Act::Ask).await, wish(&world, &b, &a, Act::Ask).await);
    let (one, other) = (world.store.add_friend(one), world.store.add_friend(other));
    assert_eq!((one.await, other.await), (Ok(AddOutcome::Asked(NOW)), Ok(AddOutcome::Friends)));
    // Consent that was withdrawn befriends nobody.
    let (c, d) = (world.person("c").await, world.person("d").await);
    add(&world, &c, &d, Act::Ask).await;
    let decided = wish(&world, &d, &c, Act::Befriend).await;
    assert_eq!(change(&world, &c, &d, FriendChange::Remove).await, ChangeOutcome::Done);
    assert_eq!(world.store.add_friend(decided).await, Ok(AddOutcome::Stale));
    world.store.end_sessions(d.user, EndReason::Revoked, NOW).await.expect("stored");
    let late = wish(&world, &d, &c, Act::Ask).await;
    assert_eq!(world.store.add_friend(late).await, Err(Error::SessionEnded));
    fixture.close(world.store);
}

/// A block, time and the one who asked end a request; an append that rested on a friendship is stale after its end.
pub async fn requests_and_friendships_end<F: Fixture>(fixture: &F) {
    let world = World::new(fixture).await;
    let (a, b) = (world.person("a").await, world.person("b").await);
    add(&world, &a, &b, Act::Ask).await;
    world.store.set_blocked(world.app, b.session, b.user, a.user, true).await.expect("stored");
    assert_eq!((tie(&world, &a, &b).await, tie(&world, &b, &a).await), (Tie::None, Tie::None));
    assert_eq!(change(&world, &b, &a, accept()).await, ChangeOutcome::Gone);
    let blocked = lists(&world, &b, 0, 0).await.relations;
    assert!(blocked.len() == 1 && blocked[0].relation.blocked);
    world.store.set_blocked(world.app, b.session, b.user, a.user, false).await.expect("stored");
    add(&world, &a, &b, Act::Ask).await;
    let late = UnixMillis(NOW.0 + REQUEST_LIFE_MS);
    assert_eq!(change_at(&world, &b, &a, accept(), late).await, ChangeOutcome::Gone);
    assert_eq!(change(&world, &b, &a, accept()).await, ChangeOutcome::Done);
    let access_version = world.store.direct(world.app, a.user, b.user).await.expect("read").facts.access_version;
    let append = crate::timeline::Append { access_version, ..world.message(&a, &b, "hello") };
    change(&world, &b, &a, FriendChange::Remove).await;
    assert_eq!(world.append(append).await, Outcome::Stale);
    fixture.close(world.store);
}

/// Whoever knows everything up to the numbers of one page misses nothing that is committed beside or after it.
pub async fn lists_miss_nothing<F: Fixture>(fixture: &F) {
    let world = World::new(fixture).await;
    let a = world.person("a").await;
    let mut people = Vec::new();
    for number in 0..12 {
        let person = world.person(&format!("p{number}")).await;
        assert_eq!(add(&world, &a, &person, Act::Befriend).await, AddOutcome::Friends);
        people.push(person);
    }
    let mut kept = std::collections::BTreeMap::new();
    let (mut known, mut details) = (0, 0);
    for step in 0..60_usize {
        let person = &people[step * 7 % 12];
        let page = world.store.lists(a.user, known, details, 300 + step % 5 * 200);
        // Beside the page, or after it: nobody knows.
        match step % 3 {
            _ if step >= 40 => {}
            0 => drop(change(&world, &a, person, FriendChange::Remove).await),
            1 => drop(add(&world, &a, person, Act::Befriend).await),
            _ => drop(rename(&world, person, &format!("name {step}")).await),
        }
        let page = page.await.expect("read");
        assert!(page.lists >= known && page.details >= details && !page.reset);
        (known, details) = (page.lists, page.details);
        for row in page.relations {
            match row.relation.tie {
                Tie::Friend => {
                    let before = kept.remove(&row.other).unwrap_or_default();
                    kept.insert(row.other, row.profile.map_or(before, |known| known.of.profile.nickname));
                }
                _ => drop(kept.remove(&row.other)),
            }
        }
        for profile in page.profiles {
            assert!(kept.insert(profile.user, profile.of.profile.nickname).is_some(), "of friends who are known");
        }
    }
    let whole = lists(&world, &a, 0, 0).await;
    let name = |row: &crate::friends::ListedRelation| {
        row.profile.as_ref().map_or_else(String::new, |known| known.of.profile.nickname.clone())
    };
    let expected = whole.relations.iter().map(|row| (row.other, name(row))).collect();
    assert_eq!(kept, expected);
    let same = lists(&world, &a, whole.lists, whole.details).await;
    let nothing = Lists { lists: whole.lists, details: whole.details, ..Lists::default() };
    assert_eq!(same, nothing);
    assert!(lists(&world, &a, whole.lists + 1_000, 0).await.reset);
    fixture.close(world.store);
}

/// Groupings are replaced by who knows them; profiles have numbers that only go up.
pub async fn documents_have_versions<F: Fixture>(fixture: &F) {
    let world = World::new(fixture).await;
    let (a, b) = (world.person("a").await, world.person("b").await);
    let empty = world.store.groupings(a.user).await.expect("read");
    let wanted = vec![Grouping { id: 0, name: "family".into() }];
    let changed = empty.changed(0, wanted).expect("it makes sense");
    let set = |groupings| world.store.set_groupings(world.app, a.session, a.user, groupings);
    let (first, second) = (set(changed.clone()), set(changed.clone()));
    let version = first.await.expect("stored").expect("the first");
    assert_eq!(second.await, Ok(None), "the other knew an older one");
    let kept = world.store.groupings(a.user).await.expect("read");
    assert_eq!((kept.version, &kept.list), (version, &changed.list));
    assert_eq!(lists(&world, &a, 0, 0).await.groupings, Some(kept));
    assert_eq!(lists(&world, &a, version, version).await.groupings, None);
    let (older, newer) = (rename(&world, &b, "B").await, rename(&world, &a, "A").await);
    assert!(version < older && older < newer);
    assert_eq!(rename(&world, &b, "B").await, older);
    let names = vec![b.name.clone(), super::world::name("nobody")];
    let found = world.store.profiles(world.app, names).await.expect("read");
    assert_eq!((found.len(), found[1].as_ref()), (2, None));
    assert_eq!(found[0].as_ref().map(|known| (known.user, known.of.version)), Some((b.user, older)));
    let own = lists(&world, &a, 0, 0).await.own.expect("it was changed");
    assert_eq!(own.of.profile.nickname, "A");
    let told = world.inbox(&a).await.into_iter().filter(|entry| matches!(entry.what, InboxWhat::Lists { .. }));
    assert_eq!(told.map(|entry| entry.about).collect::<Vec<_>>(), [About::Person(a.user), About::Person(a.user)]);
    const { assert!(FRIENDS_MAX == 5_000, "as PROTOCOL.md says") };
    fixture.close(world.store);
}
