//! Lists and profiles on a device (spec 33-36): one request, only what is newer, nothing missed.

use hongyan_wire::command::Operation;
use hongyan_wire::proto;
use hongyan_wire::proto::{FriendPolicy, RefusalCode, Tie};
use prost::Message;

use crate::friends::{add, lists, remove, set_policy};
use crate::world::{Device, World, code};

async fn rename(world: &World, device: &Device, nickname: &str) -> u64 {
    let request = proto::SetProfileRequest { id: 1, nickname: Some(nickname.into()), ..Default::default() };
    let answer: proto::SetProfileAnswer = world.ask(device, Operation::SetProfile, request).await;
    assert_eq!(answer.refusal, None);
    answer.version
}

async fn set_groupings(
    world: &World,
    device: &Device,
    version: u64,
    wanted: &[(u32, &str)],
) -> proto::SetGroupingsAnswer {
    let groupings = wanted.iter().map(|(id, name)| proto::Grouping { id: *id, name: (*name).into() }).collect();
    world.ask(device, Operation::SetGroupings, proto::SetGroupingsRequest { id: 1, version, groupings }).await
}

/// Somebody with so many friends, who all take everybody.
async fn popular(world: &World, friends: usize) -> (Device, Vec<Device>) {
    let ann = world.phone("ann").await;
    let mut devices = Vec::new();
    for number in 0..friends {
        let friend = world.phone(&format!("friend{number}")).await;
        set_policy(world, &friend, FriendPolicy::AllowAll).await;
        assert!(add(world, &ann, &format!("friend{number}")).await.friends);
        devices.push(friend);
    }
    (ann, devices)
}

#[tokio::test]
async fn nothing_new_is_a_few_bytes_and_one_rename_one_row() {
    let world = World::new().await;
    let (ann, friends) = popular(&world, 30).await;
    rename(&world, &friends[3], "Third").await;
    let known = lists(&world, &ann, 0, 0).await;
    assert_eq!((known.relations.len(), known.more, known.reset), (30, false, false));
    let third = known.relations.iter().find(|relation| relation.user == "friend3").unwrap();
    assert_eq!(third.profile.as_ref().unwrap().nickname, "Third", "who is new comes with the profile");

    world.store.take_calls();
    let same = lists(&world, &ann, known.lists, known.details).await;
    assert_eq!(world.store.take_calls(), 1);
    assert_eq!((same.relations.len(), same.profiles.len(), &same.own, &same.groupings), (0, 0, &None, &None));
    assert!(same.encoded_len() <= 300, "{} B", same.encoded_len());

    rename(&world, &friends[7], "Seventh").await;
    rename(&world, &world.phone("stranger").await, "Nobody").await;
    let renamed = lists(&world, &ann, same.lists, same.details).await;
    assert_eq!((renamed.relations.len(), renamed.profiles.len()), (0, 1));
    assert_eq!(renamed.profiles[0].nickname, "Seventh");

    let late = world.phone("late").await;
    rename(&world, &late, "Late").await;
    set_policy(&world, &late, FriendPolicy::AllowAll).await;
    add(&world, &ann, "late").await;
    let added = lists(&world, &ann, renamed.lists, renamed.details).await;
    assert_eq!((added.relations.len(), added.profiles.len()), (1, 0));
    assert_eq!(added.relations[0].profile.as_ref().unwrap().nickname, "Late", "however old it is");
}

#[tokio::test]
async fn pages_bring_everything_whatever_happens_between_them() {
    let world = World::new().await;
    let (ann, friends) = popular(&world, 120).await;
    for friend in &friends {
        let intro = Some("語".repeat(200));
        let request = proto::SetProfileRequest { id: 1, avatar: Some("字".repeat(256)), intro, ..Default::default() };
        let _: proto::SetProfileAnswer = world.ask(friend, Operation::SetProfile, request).await;
    }
    let mut kept = std::collections::BTreeMap::new();
    let (mut known, mut details, mut pages) = (0, 0, 0);
    loop {
        let page = lists(&world, &ann, known, details).await;
        assert!(page.encoded_len() <= hongyan_wire::limits::PAGE_BYTES_MAX);
        (known, details) = (page.lists, page.details);
        for relation in page.relations {
            match relation.tie() {
                Tie::None => drop(kept.remove(&relation.user)),
                // A row without a profile leaves the one that is known.
                _ if relation.profile.is_none() => {}
                _ => drop(kept.insert(relation.user, relation.profile.unwrap().nickname)),
            }
        }
        for profile in page.profiles {
            kept.insert(profile.user, profile.nickname);
        }
        if pages < 2 {
            // One who was in the first page, one who was not yet, and one who goes.
            rename(&world, &friends[pages], "First").await;
            rename(&world, &friends[118 + pages], "Last").await;
            remove(&world, &friends[10 + pages], "ann").await;
        }
        pages += 1;
        if !page.more {
            break;
        }
    }
    assert!(pages > 2, "the changes came between pages");
    assert_eq!(kept.len(), 118);
    assert_eq!(
        [&kept["friend0"], &kept["friend1"], &kept["friend118"], &kept["friend119"]],
        ["First", "First", "Last", "Last"]
    );
    let same = lists(&world, &ann, known, details).await;
    assert!(same.relations.is_empty() && same.profiles.is_empty());
}

#[tokio::test]
async fn numbers_that_mean_nothing_begin_anew() {
    let world = World::new().await;
    let (ann, _) = popular(&world, 2).await;
    let beyond = lists(&world, &ann, u64::MAX, u64::MAX).await;
    assert_eq!((beyond.reset, beyond.relations.len()), (true, 2));
    let request = proto::ListsRequest { id: 1, lists: 1, details: 1, log_epoch: 77 };
    let other: proto::ListsAnswer = world.ask(&ann, Operation::Lists, request).await;
    assert_eq!((other.reset, other.relations.len(), other.log_epoch), (true, 2, ann.answer.log_epoch));
}

#[tokio::test]
async fn of_two_devices_that_change_the_groupings_one_has_to_read_again() {
    let world = World::new().await;
    let (ann, _) = popular(&world, 1).await;
    let desk = world.device("one", "ann", 2, hongyan_domain::session::Term::Pc).await;
    let first = set_groupings(&world, &ann, 0, &[(0, "family"), (0, "work")]).await.groupings.unwrap();
    let late = set_groupings(&world, &desk, 0, &[(0, "mine")]).await;
    assert_eq!(code(&late.refusal), RefusalCode::Conflict);
    let note = proto::NoteFriendRequest { id: 1, user: "friend0".into(), remark: "cousin".into(), grouping: 1 };
    let noted: proto::NoteFriendAnswer = world.ask(&ann, Operation::NoteFriend, note.clone()).await;
    assert_eq!(noted.refusal, None);
    let known = lists(&world, &desk, 0, 0).await;
    assert_eq!(known.groupings.as_ref(), Some(&first));
    assert_eq!((known.relations[0].remark.as_str(), known.relations[0].grouping), ("cousin", 1));
    let left = set_groupings(&world, &desk, first.version, &[(2, "office")]).await.groupings.unwrap();
    let news = lists(&world, &ann, known.lists, known.details).await;
    assert_eq!((news.groupings, news.relations.len()), (Some(left), 0), "who was in it is in the default now");
    let gone: proto::NoteFriendAnswer = world.ask(&ann, Operation::NoteFriend, note).await;
    assert_eq!(code(&gone.refusal), RefusalCode::InvalidArgument);
}

#[tokio::test]
async fn profiles_come_only_if_they_are_newer() {
    let world = World::new().await;
    let (ann, bob) = (world.phone("ann").await, world.phone("bob").await);
    let version = rename(&world, &bob, "Bob").await;
    assert_eq!(rename(&world, &bob, "Bob").await, version, "nothing has changed");
    let ask = async |users: &[(&str, u64)]| {
        let users = users.iter().map(|(user, version)| proto::ProfileWish { user: (*user).into(), version: *version });
        let request = proto::ProfilesRequest { id: 1, users: users.collect() };
        let answer: proto::ProfilesAnswer = world.ask(&ann, Operation::Profiles, request).await;
        assert_eq!(answer.refusal, None);
        answer.profiles
    };
    let profiles = ask(&[("bob", 0), ("nobody", 0), ("ann", 0), ("no name", 0)]).await;
    assert_eq!((profiles.len(), profiles[0].nickname.as_str(), profiles[0].version), (1, "Bob", version));
    assert_eq!(ask(&[("bob", version)]).await, []);
    let own = lists(&world, &bob, 0, 0).await.own.unwrap();
    assert_eq!(own.profile.unwrap(), profiles[0]);
}
