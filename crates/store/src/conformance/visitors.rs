//! Visitors: their rows, and what they change about access.

use hongyan_domain::message::{Alteration, DirectFacts};
use hongyan_domain::session::Term;
use hongyan_domain::time::UnixMillis;
use hongyan_domain::visitor::{Meeting, VISIT_PAUSE_MS};

use super::Fixture;
use super::world::{NOW, Person, World, appended, visitor_name};
use crate::Store;
use crate::timeline::{Append, Outcome};
use crate::visitors::{Visit, Visited};
use crate::{Accounts, Sessions, Visitors};

async fn facts<S: Store>(world: &World<S>, sender: &Person, addressee: &Person) -> DirectFacts {
    world.store.direct(world.app, sender.user, addressee.user).await.expect("read").facts
}

/// A message that was decided on what is known now.
async fn decided<S: Store>(world: &World<S>, from: &Person, to: &Person) -> Append {
    Append { access_version: facts(world, from, to).await.access_version, ..world.message(from, to, "") }
}

/// A visitor is made by the first visit, and counted by absence.
pub async fn visits_are_counted<F: Fixture>(fixture: &F) {
    let world = World::new(fixture).await;
    let visit = |now, page: &str| Visit {
        app: world.app,
        name: visitor_name(1),
        page: page.to_owned(),
        referrer: format!("to {page}"),
        now: UnixMillis(now),
    };
    let Ok(Visited::User(user)) = world.store.visit(visit(NOW.0, "one")).await else { panic!("not made") };
    let soon = NOW.0 + VISIT_PAUSE_MS - 1;
    for (now, page) in [(soon, "two"), (soon + VISIT_PAUSE_MS, "three")] {
        assert_eq!(world.store.visit(visit(now, page)).await, Ok(Visited::User(user)));
    }
    let visitor = world.store.visitor(user).await.expect("read").expect("a visitor");
    assert_eq!((visitor.visits, visitor.first_visit, visitor.last_visit.0), (2, NOW, soon + VISIT_PAUSE_MS));
    assert_eq!((visitor.page.as_str(), visitor.referrer.as_str(), visitor.account), ("three", "to three", None));
    let row = world.store.user(world.app, visitor_name(1)).await.expect("read").expect("a user like others");
    assert_eq!((row.id, row.password_hash, row.takes_visitors), (user, None, false));
    assert_eq!(world.store.user_names(vec![user]).await, Ok(vec![(user, visitor_name(1))]));
    let (session, _) = world.login(user, "browser", Term::Web, 1).await;
    let caller = world.store.resume(session, 0, 1).await.expect("read").session.expect("known").expect("alive");
    assert_eq!(caller.name, visitor_name(1));
    assert_eq!(world.store.set_disabled(user, true, NOW).await, Ok(true));
    assert_eq!(world.store.visit(visit(soon + 3 * VISIT_PAUSE_MS, "four")).await, Ok(Visited::Disabled));
    assert_eq!(world.store.visitor(user).await, Ok(Some(visitor)), "nothing was written");
    let person = world.person("a").await;
    assert_eq!(world.store.visitor(person.user).await, Ok(None));
    fixture.close(world.store);
}

/// Who meets a visitor is told with the facts, in both directions, before and after their first message.
pub async fn visitors_meet_their_hosts<F: Fixture>(fixture: &F) {
    let world = World::new(fixture).await;
    let (host, person) = (world.person("h").await, world.person("p").await);
    let (one, other) = (world.visitor(1).await, world.visitor(2).await);
    assert_eq!(world.store.set_takes_visitors(host.user, true).await, Ok(true));
    assert!(world.store.user(world.app, host.name.clone()).await.expect("read").expect("there").takes_visitors);
    for spoken in [false, true] {
        for (a, b, meeting) in [
            (&host, &one, Meeting::Received),
            (&person, &one, Meeting::Strangers),
            (&other, &one, Meeting::Strangers),
            (&one, &one, Meeting::Strangers),
            (&host, &person, Meeting::People),
            (&host, &host, Meeting::People),
        ] {
            assert_eq!(facts(&world, a, b).await.meeting, meeting, "{a:?} {b:?} {spoken}");
            assert_eq!(facts(&world, b, a).await.meeting, meeting, "{b:?} {a:?} {spoken}");
            if !spoken {
                // A store knows no permissions.
                let message = decided(&world, a, b).await;
                appended(world.append(message).await);
            }
        }
    }
    let unknown = hongyan_domain::id::UserId(host.user.0 + (999 << 10));
    assert_eq!(world.store.set_takes_visitors(unknown, true).await, Ok(false));
    fixture.close(world.store);
}

/// What was decided while somebody took visitors is stale once they do not, also between people who never talked.
pub async fn a_host_who_leaves_makes_decisions_stale<F: Fixture>(fixture: &F) {
    let world = World::new(fixture).await;
    let (host, visitor, stranger) = (world.person("h").await, world.visitor(1).await, world.visitor(2).await);
    let friend = world.person("f").await;
    assert_eq!(world.store.set_takes_visitors(host.user, true).await, Ok(true));
    let message = decided(&world, &visitor, &host).await;
    let first = appended(world.append(message.clone()).await);
    let react = Alteration::React { name: "+1".into(), remove: false };
    let waiting = [
        decided(&world, &visitor, &host).await,
        decided(&world, &host, &visitor).await,
        decided(&world, &stranger, &host).await,
        Append {
            access_version: facts(&world, &host, &visitor).await.access_version,
            ..world.alteration(&host, &visitor, 1, react)
        },
    ];
    let between_people = decided(&world, &host, &friend).await;
    // To take visitors twice, or to take them again, takes nothing away.
    for takes in [true, false, false, true] {
        assert_eq!(world.store.set_takes_visitors(host.user, takes).await, Ok(true));
    }
    for append in waiting {
        assert_eq!(world.append(append).await, Outcome::Stale);
    }
    appended(world.append(between_people).await);
    assert_eq!(world.append(message).await, Outcome::Duplicate(first), "who got in gets the same answer again");
    let again = decided(&world, &visitor, &host).await;
    assert_eq!(appended(world.append(again).await).seq, 2);
    fixture.close(world.store);
}
