//! Logins, the policy of terms, devices, resume, cursors.

use hongyan_domain::id::SessionId;
use hongyan_domain::session::{EndReason, Term};
use hongyan_domain::time::UnixMillis;

use super::Fixture;
use super::world::{NOW, World};
use crate::sessions::{CursorAdvance, OpenSession};
use crate::timeline::Outcome;
use crate::{Feed, Sessions};

/// Two logins race: one is alive afterwards, whoever won, and the loser knows why.
pub async fn two_logins_of_a_term_leave_one_alive<F: Fixture>(fixture: &F) {
    let world = World::new(fixture).await;
    let person = world.person("a").await;
    for round in 0..20 {
        let logins: Vec<_> = ["x", "y", "z"]
            .map(|device| world.login_request(person.user, &format!("{device}{round}"), Term::Mobile, 1))
            .into();
        let calls: Vec<_> = logins.iter().map(|login| world.store.open_session(login.clone())).collect();
        for call in calls {
            call.await.expect("stored");
        }
        let mut alive = 0;
        for login in &logins {
            match world.store.resume(login.session, 0, 1).await.expect("read").session {
                Some(Ok(caller)) => {
                    assert_eq!((caller.user, caller.term, caller.session), (person.user, Term::Mobile, login.session));
                    alive += 1;
                }
                other => assert_eq!(other, Some(Err(EndReason::SameTermLogin))),
            }
        }
        assert_eq!(alive, 1);
    }
    let other_term = world.store.resume(person.session, 0, 1).await.expect("read").session;
    assert!(matches!(other_term, Some(Ok(_))), "another term lives on");
    fixture.close(world.store);
}

/// Whoever connected earlier ends nobody who connected later, and leaves no device behind.
pub async fn a_login_that_was_overtaken_changes_nothing<F: Fixture>(fixture: &F) {
    let world = World::new(fixture).await;
    let person = world.person("a").await;
    let (phone, opened) = world.login(person.user, "phone", Term::Mobile, 1).await;
    let earlier = UnixMillis(NOW.0 - 1);
    for device in ["phone", "other"] {
        let login = world.login_request(person.user, device, Term::Mobile, 1);
        let login = OpenSession { connected: earlier, ..login };
        assert_eq!(world.store.open_session(login.clone()).await.expect("stored"), None, "{device}");
        assert_eq!(world.store.resume(login.session, 0, 1).await.expect("read").session, None, "{device}");
    }
    assert!(matches!(world.store.resume(phone, 0, 1).await.expect("read").session, Some(Ok(_))));
    let login = OpenSession { connected: earlier, ..world.login_request(person.user, "other", Term::Mobile, 2) };
    let other = world.store.open_session(login).await.expect("stored").expect("there is place for both");
    assert_eq!(other.ended, []);
    let (_, again) = world.login(person.user, "phone", Term::Mobile, 2).await;
    assert_eq!((again.device, again.ended), (opened.device, vec![(phone, EndReason::LoggedOut)]));
    fixture.close(world.store);
}

/// A device has one session, and its cursor stays with the device.
pub async fn a_login_of_a_known_device_replaces_its_session<F: Fixture>(fixture: &F) {
    let world = World::new(fixture).await;
    let (a, b) = (world.person("a").await, world.person("b").await);
    let (first, opened) = world.login(a.user, "phone", Term::Mobile, 9).await;
    world.say(&b, &a, "hello").await;
    let advance = CursorAdvance { user: a.user, device: opened.device, inbox_cursor: 1, delivered: Vec::new() };
    world.store.advance_cursors(vec![advance]).await.expect("stored");
    let (_, again) = world.login(a.user, "phone", Term::Mobile, 9).await;
    assert_eq!((again.device, again.inbox_cursor, again.inbox_head), (opened.device, 1, 1));
    assert_eq!((again.ended, again.log_epoch), (vec![(first, EndReason::LoggedOut)], world.store.log_epoch()));
    let (_, pad) = world.login(a.user, "pad", Term::Mobile, 9).await;
    assert_eq!((pad.ended.len(), pad.inbox_cursor), (0, 0));
    assert_ne!(pad.device, opened.device);
    fixture.close(world.store);
}

/// Beyond the limit the least recently used device without a live session goes, with its cursor.
pub async fn devices_are_limited_by_forgetting<F: Fixture>(fixture: &F) {
    let world = World::new(fixture).await;
    let person = world.person("a").await; // A device with a live session: the first of three.
    let (_, phone) = world.login(person.user, "phone", Term::Mobile, 1).await;
    let (_, tablet) = world.login(person.user, "tablet", Term::Mobile, 1).await;
    let (_, _third) = world.login(person.user, "new", Term::Mobile, 1).await;
    let (_, tablet_again) = world.login(person.user, "tablet", Term::Mobile, 1).await;
    assert_eq!(tablet_again.device, tablet.device, "used later than the phone");
    let (_, phone_again) = world.login(person.user, "phone", Term::Mobile, 1).await;
    assert_ne!(phone_again.device, phone.device, "was forgotten; its number is not given again");
    assert!(matches!(world.store.resume(person.session, 0, 1).await.expect("read").session, Some(Ok(_))));
    fixture.close(world.store);
}

/// A resume reads session and inbox together, and says why a dead session is dead.
pub async fn a_resume_tells_why_not<F: Fixture>(fixture: &F) {
    let world = World::new(fixture).await;
    let (a, b) = (world.person("a").await, world.person("b").await);
    for _ in 0..3 {
        world.say(&b, &a, "hello").await;
    }
    let resumed = world.store.resume(a.session, 1, 1).await.expect("read");
    let caller = resumed.session.expect("known").expect("alive");
    assert_eq!((caller.app, caller.user, &caller.name, caller.session), (world.app, a.user, &a.name, a.session));
    assert_eq!((resumed.page.entries[0].inbox_seq, resumed.page.entries.len(), resumed.page.head), (2, 1, 3));
    assert_eq!(resumed.device_cursor, Some(0));
    let advance = CursorAdvance { user: a.user, device: caller.device, inbox_cursor: 2, delivered: vec![] };
    world.store.advance_cursors(vec![advance]).await.expect("stored");
    assert_eq!(world.store.resume(a.session, 1, 1).await.expect("read").device_cursor, Some(2));
    assert_eq!(world.store.end_session(a.session, EndReason::LoggedOut, NOW).await, Ok(true));
    assert_eq!(world.store.end_session(a.session, EndReason::Revoked, NOW).await, Ok(false), "the first reason stays");
    let resumed = world.store.resume(a.session, 0, 9).await.expect("read");
    assert_eq!((resumed.session, resumed.page.entries.len()), (Some(Err(EndReason::LoggedOut)), 0));
    assert_eq!(resumed.device_cursor, None);
    let resumed = world.store.resume(SessionId([0xee; 16]), 0, 9).await.expect("read");
    assert_eq!((resumed.session, resumed.page.entries.len()), (None, 0));
    let (second, _) = world.login(b.user, "second", Term::Web, 5).await;
    let ended = world.store.end_sessions(b.user, EndReason::Revoked, NOW).await.expect("stored");
    assert_eq!(ended, [b.session, second]);
    assert_eq!(world.append(world.message(&b, &a, "late")).await, Outcome::SessionEnded);
    fixture.close(world.store);
}

/// Cursors are max-merged; a device of somebody else is not moved.
pub async fn cursors_never_go_back<F: Fixture>(fixture: &F) {
    let world = World::new(fixture).await;
    let (a, b) = (world.person("a").await, world.person("b").await);
    let (_, opened) = world.login(a.user, "phone", Term::Mobile, 1).await;
    let advance = |user, inbox_cursor| CursorAdvance { user, device: opened.device, inbox_cursor, delivered: vec![] };
    world
        .store
        .advance_cursors(vec![advance(a.user, 7), advance(a.user, 5), advance(b.user, 99)])
        .await
        .expect("stored");
    let (_, again) = world.login(a.user, "phone", Term::Mobile, 1).await;
    assert_eq!(again.inbox_cursor, 7);
    fixture.close(world.store);
}
