//! What is told: to the listener at once, by the change feed for as long as it reaches, after a restart.

use std::collections::BTreeMap;
use std::sync::Arc;

use hongyan_domain::message::Alteration;
use hongyan_domain::session::{EndReason, Term};

use super::Fixture;
use super::world::{NOW, Person, Recorder, World};
use crate::feed::{Change, CommittedWhat};
use crate::timeline::{About, InboxWhat, Outcome};
use crate::{Feed, Sessions, Timeline};

/// The listener has heard of an entry before its caller, in the order of the numbers, once for each inbox.
pub async fn the_listener_hears_commits_in_order<F: Fixture>(fixture: &F) {
    let world = World::new(fixture).await;
    let (a, b) = (world.person("a").await, world.person("b").await);
    let answer = world.say(&a, &b, "hello").await;
    let heard = world.recorder.heard();
    assert_eq!(heard.iter().map(|told| (told.user, told.inbox_seq)).collect::<Vec<_>>(), [(a.user, 1), (b.user, 1)]);
    let person = |person: &Person| About::Person(person.name.clone());
    assert_eq!((&heard[0].about, &heard[1].about), (&person(&b), &person(&a)));
    assert!(heard.iter().all(|told| told.origin == a.session && told.app == world.app));
    let CommittedWhat::Entry { entry, target: None } = &heard[1].what else { panic!("{:?}", heard[1]) };
    let stored = world.store.entry(heard[1].conversation, answer.seq).await.expect("read");
    assert_eq!(Some(&**entry), stored.as_ref(), "told as it is stored");

    world.alter(&a, &b, 1, Alteration::Recall).await;
    let heard = world.recorder.heard();
    let CommittedWhat::Entry { entry, target: Some(target) } = &heard[3].what else { panic!("{:?}", heard[3]) };
    assert_eq!((entry.change_of, target.seq, target.recalled), (1, 1, true));
    world.read_up_to(&b, &a, 1).await;
    world.delete(&b, &a, 1, &[]).await;
    let heard = world.recorder.heard();
    assert!(matches!(heard[4].what, CommittedWhat::Read { unread: 0, .. }) && heard[4].user == b.user);
    assert!(matches!(&heard[5].what, CommittedWhat::Deleted(deletion) if deletion.up_to_seq == 1));

    let calls: Vec<_> = (0..100)
        .map(|number| if number % 2 == 0 { (&a, &b) } else { (&b, &a) })
        .map(|(from, to)| world.store.append(vec![world.message(from, to, "many")]))
        .collect();
    for call in calls {
        assert!(matches!(call.await.expect("stored")[..], [Outcome::Appended(_)]));
    }
    let mut heads: BTreeMap<_, u64> = BTreeMap::new();
    for told in world.recorder.heard() {
        let head = heads.entry(told.user).or_default();
        assert_eq!(told.inbox_seq, *head + 1);
        *head = told.inbox_seq;
    }
    assert_eq!(heads, [(a.user, 102), (b.user, 104)].into());
    fixture.close(world.store);
}

/// Whoever has hidden a message is told nothing of its changes, neither at once nor by a page.
pub async fn changes_of_what_is_hidden_are_gone<F: Fixture>(fixture: &F) {
    let world = World::new(fixture).await;
    let (a, b) = (world.person("a").await, world.person("b").await);
    for text in ["one", "two", "three"] {
        world.say(&a, &b, text).await;
    }
    world.delete(&b, &a, 1, &[3]).await;
    for (target, hidden) in [(1, true), (2, false), (3, true)] {
        let seq = world.alter(&a, &b, target, Alteration::Recall).await.seq;
        let heard = world.recorder.heard();
        let told = |user| heard.iter().rev().find(|told| told.user == user).expect("told");
        assert!(matches!(&told(a.user).what, CommittedWhat::Entry { target: Some(row), .. } if row.seq == target));
        let gone = told(b.user).what == CommittedWhat::Gone { seq, read_seq: 0 };
        let page = world.inbox(&b).await.pop().expect("an entry");
        assert_eq!((gone, page.what == InboxWhat::Gone { seq, read_seq: 0 }), (hidden, hidden), "{target}");
        assert_eq!(page.inbox_seq, told(b.user).inbox_seq);
    }
    fixture.close(world.store);
}

/// The feed names inboxes and ended sessions, in pages; a token of another history is truncated, never an error.
pub async fn the_feed_names_every_head_that_moved<F: Fixture>(fixture: &F) {
    let world = World::new(fixture).await;
    let (a, b) = (world.person("a").await, world.person("b").await);
    let start = world.store.changes(0, 10).await.expect("read");
    assert!(start.changes.is_empty() && !start.truncated && start.token > 0);
    world.say(&a, &b, "one").await;
    world.say(&a, &b, "two").await;
    world.login(b.user, "new", Term::Pc, 1).await;
    let mut token = start.token;
    let mut changes = Vec::new();
    loop {
        let page = world.store.changes(token, 1).await.expect("read");
        assert!(!page.truncated);
        if page.token == token {
            assert!(page.changes.is_empty());
            break;
        }
        (token, _) = (page.token, changes.extend(page.changes));
    }
    let mut expected = Vec::new();
    for head in [1, 2] {
        expected.extend([a.user, b.user].map(|user| Change::Inbox { user, head }));
    }
    expected.push(Change::SessionEnded { session: b.session, reason: EndReason::SameTermLogin });
    let sorted = |mut changes: Vec<Change>| {
        changes.sort_by_key(|change| format!("{change:?}"));
        changes
    };
    assert_eq!(sorted(changes), sorted(expected));
    assert_eq!(world.store.changes(start.token, 10).await.expect("read").token, token);
    let foreign = world.store.changes(token + 1_000, 10).await.expect("read");
    assert_eq!((foreign.truncated, foreign.token, foreign.changes.len()), (true, token, 0));
    assert!(world.store.changes(1, 10).await.expect("read").truncated);
    fixture.close(world.store);
}

/// Numbers, keys, marks, sessions and the feed are found again.
pub async fn a_restart_keeps_everything<F: Fixture>(fixture: &F) {
    let world = World::new(fixture).await;
    let (a, b) = (world.person("a").await, world.person("b").await);
    let start = world.store.changes(0, 10).await.expect("read").token;
    let first = world.message(&a, &b, "one");
    let answer = world.append(first.clone()).await;
    world.say(&b, &a, "two").await;
    world.read_up_to(&b, &a, 2).await;
    world.store.set_blocked(world.app, a.session, a.user, b.user, true).await.expect("stored");
    let inbox = world.inbox(&a).await;
    let screen = world.store.conversations(b.user, 0, 10).await.expect("read");
    let changes = world.store.changes(start, 100).await.expect("read");
    let direct = world.store.direct(world.app, a.user, b.user).await.expect("read");
    let World { store, app, .. } = world;
    fixture.close(store);

    let store = fixture.open(Arc::new(Recorder::default()));
    assert_eq!(store.inbox(a.user, 0, 100, usize::MAX).await.expect("read").entries, inbox);
    assert_eq!(store.conversations(b.user, 0, 10).await.expect("read"), screen);
    assert_eq!(store.changes(start, 100).await.expect("read"), changes);
    assert_eq!(store.direct(app, a.user, b.user).await.expect("read"), direct);
    let again = store.append(vec![first]).await.expect("stored");
    assert_eq!((again[0], answer), (Outcome::Duplicate(super::world::appended(answer)), answer));
    assert!(matches!(store.resume(a.session, 0, 9).await.expect("read").session, Some(Ok(_))));
    assert_eq!(store.end_session(b.session, EndReason::Revoked, NOW).await, Ok(true));
    assert_eq!(store.changes(changes.token, 9).await.expect("read").changes.len(), 1);
    fixture.close(store);
}
