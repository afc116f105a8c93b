//! Lists of words, audits, messages that wait for a review.

use bytes::Bytes;
use hongyan_domain::id::SessionId;
use hongyan_domain::message::Draft;
use hongyan_domain::room::DisplayName;
use hongyan_domain::session::EndReason;
use hongyan_domain::spam::Class;
use hongyan_domain::time::UnixMillis;

use super::Fixture;
use super::world::{NOW, Person, World, appended, name};
use crate::spam::{Audit, HELD_PER_SENDER_MAX, HeldMessage, HeldPlace, HeldState, HoldOutcome, WordsHead};
use crate::timeline::Outcome;
use crate::{Accounts, Rooms, Sessions, Spam, Store};

/// A list is replaced as a whole, and whoever reads the app sees that.
pub async fn lists_of_words_raise_their_apps_version<F: Fixture>(fixture: &F) {
    let world = World::new(fixture).await;
    let version = async || world.store.app(name("app")).await.expect("read").expect("there").words_version;
    let set =
        async |class, text: &str| world.store.set_words(world.app, class, text.to_owned(), NOW).await.expect("stored");
    assert_eq!((version().await, world.store.word_heads(world.app).await), (0, Ok(vec![])));
    set(Class::Porn, "one\ntwo\n\n").await;
    let head = set(Class::Allow, "three").await;
    assert_eq!(head, Some(WordsHead { class: Class::Allow, version: 2, words: 1, changed: NOW }));
    set(Class::Porn, "four\n").await;
    let heads = world.store.word_heads(world.app).await.expect("read");
    let heads: Vec<_> = heads.iter().map(|head| (head.class, head.version, head.words)).collect();
    assert_eq!(heads, [(Class::Allow, 2, 1), (Class::Porn, 3, 1)]);
    let expected = vec![(Class::Allow, "three".to_owned()), (Class::Porn, "four\n".to_owned())];
    let (at, mut lists) = world.store.words(world.app).await.expect("read");
    lists.sort_by_key(|(class, _)| class.name());
    assert_eq!((at, lists), (3, expected));
    set(Class::Porn, " \n").await;
    assert_eq!((version().await, world.store.word_heads(world.app).await.expect("read").len()), (4, 1));
    let other = world.store.create_app(name("other"), Default::default(), NOW).await.expect("stored").expect("new");
    assert_eq!((other.words_version, world.store.words(other.id).await), (0, Ok((0, vec![]))));
    fixture.close(world.store);
}

/// Audits come newest first, page by page, each app's own.
pub async fn audits_are_read_by_pages<F: Fixture>(fixture: &F) {
    let world = World::new(fixture).await;
    let a = world.person("a").await;
    let audit = |number: u64| Audit {
        app: world.app,
        user: a.user,
        time: UnixMillis(NOW.0 + number),
        kind: "message".to_owned(),
        action: "reject".to_owned(),
        rule: "porn".to_owned(),
        digest: u64::MAX - number,
        excerpt: format!("text {number}"),
    };
    for number in 0..5 {
        world.store.audit(vec![audit(number * 2), audit(number * 2 + 1)]).await.expect("stored");
    }
    world.store.audit(vec![]).await.expect("nothing to store");
    let mut seen = Vec::new();
    let mut before = 0;
    loop {
        let page = world.store.audits(world.app, before, 4).await.expect("read");
        let Some((last, _)) = page.last() else { break };
        before = *last;
        seen.extend(page.into_iter().map(|(_, audit)| audit));
    }
    assert_eq!(seen, (0..10).rev().map(audit).collect::<Vec<_>>());
    let other = world.store.create_app(name("other"), Default::default(), NOW).await.expect("stored").expect("new");
    assert_eq!(world.store.audits(other.id, 0, 10).await, Ok(vec![]));
    fixture.close(world.store);
}

fn held<S: Store>(world: &World<S>, from: &Person, place: HeldPlace, text: &'static str) -> HeldMessage {
    let draft = Draft {
        body: Bytes::from_static(text.as_bytes()),
        text: format!("about {text}"),
        reply_to: 3,
        expires_at: NOW,
        silent: true,
        ..Draft::default()
    };
    let (app, sender, rule) = (world.app, from.user, "porn".to_owned());
    HeldMessage { app, sender, place, client_id: world.fresh_id(), digest: u64::MAX, time: NOW, rule, draft }
}

/// A message waits once, is decided about once, and is found again by who sends it again.
pub async fn a_message_waits_until_it_is_decided_about<F: Fixture>(fixture: &F) {
    let world = World::new(fixture).await;
    let (a, b) = (world.person("a").await, world.person("b").await);
    let room = world.store.create_room(world.app, name("lobby"), NOW).await.expect("stored").expect("new");
    let place = HeldPlace::Room { room: room.id, name: room.name, from: DisplayName::stored("Ann") };
    let messages = [held(&world, &a, HeldPlace::Direct(b.user), "one"), held(&world, &a, place, "two")];
    let waits = Ok(HoldOutcome::Held(HeldState::Waits));
    for message in messages.iter().chain(&messages) {
        assert_eq!(world.store.hold(a.session, message.clone()).await, waits);
    }
    let other = HeldMessage { digest: 7, ..messages[0].clone() };
    assert_eq!(world.store.hold(a.session, other).await, Ok(HoldOutcome::Conflict));
    let page = world.store.held(world.app, 0, 10).await.expect("read");
    let [first, second] = [page[0].0, page[1].0];
    assert_eq!(page, [(first, messages[0].clone()), (second, messages[1].clone())]);
    assert_eq!(world.store.held(world.app, first, 1).await.expect("read"), page[1..]);
    assert_eq!(world.store.held_message(world.app, second).await, Ok(Some(messages[1].clone())));
    for (number, state) in [(first, HeldState::Released), (second, HeldState::Discarded)] {
        assert_eq!(world.store.settle_held(world.app, number, state).await, Ok(true));
        assert_eq!(world.store.settle_held(world.app, number, HeldState::Released).await, Ok(false), "once");
        assert_eq!(world.store.held_message(world.app, number).await, Ok(None));
    }
    assert_eq!(world.store.settle_held(world.app, u64::MAX, HeldState::Released).await, Ok(false));
    assert_eq!(world.store.held(world.app, 0, 10).await, Ok(vec![]));
    let again = world.store.hold(a.session, messages[1].clone()).await;
    assert_eq!(again, Ok(HoldOutcome::Held(HeldState::Discarded)));
    for _ in 0..HELD_PER_SENDER_MAX {
        let message = held(&world, &a, HeldPlace::Direct(b.user), "many");
        assert_eq!(world.store.hold(a.session, message).await, waits);
    }
    let message = held(&world, &a, HeldPlace::Direct(b.user), "too many");
    assert_eq!(world.store.hold(a.session, message.clone()).await, Ok(HoldOutcome::Full));
    world.store.end_session(a.session, EndReason::Revoked, NOW).await.expect("stored");
    assert_eq!(world.store.hold(a.session, message).await, Ok(HoldOutcome::SessionEnded));
    fixture.close(world.store);
}

/// What is released is appended for somebody whose session may have ended.
pub async fn the_server_may_append_for_an_ended_session<F: Fixture>(fixture: &F) {
    let world = World::new(fixture).await;
    let (a, b) = (world.person("a").await, world.person("b").await);
    world.store.end_session(a.session, EndReason::LoggedOut, NOW).await.expect("stored");
    let mut message = world.message(&a, &b, "late");
    assert_eq!(world.append(message.clone()).await, Outcome::SessionEnded);
    message.session = SessionId::SERVER;
    let answer = appended(world.append(message.clone()).await);
    assert_eq!((answer.seq, world.append(message).await), (1, Outcome::Duplicate(answer)));
    fixture.close(world.store);
}
