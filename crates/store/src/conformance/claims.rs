//! A visitor who turns out to be an account.

use hongyan_domain::message::Alteration;
use hongyan_domain::visitor::Meeting;

use super::Fixture;
use super::world::{NOW, Person, World, appended};
use crate::feed::CommittedWhat;
use crate::timeline::{About, Append, ConversationLine, InboxWhat, Outcome};
use crate::visitors::{Claim, ClaimOutcome, Visit, Visited};
use crate::{Error, Sessions, Store, Timeline, Visitors};

fn claim_by<S: Store>(world: &World<S>, account: &Person, visitor: &Person) -> Claim {
    Claim {
        app: world.app,
        visitor: visitor.name.clone(),
        account: account.user,
        account_name: account.name.clone(),
        session: account.session,
        now: NOW,
    }
}

async fn claim<S: Store>(world: &World<S>, account: &Person, visitor: &Person) -> ClaimOutcome {
    world.store.claim_visitor(claim_by(world, account, visitor)).await.expect("stored")
}

/// A user who takes visitors.
async fn host<S: Store>(world: &World<S>, name: &str) -> Person {
    let host = world.person(name).await;
    assert_eq!(world.store.set_takes_visitors(host.user, true).await, Ok(true));
    host
}

async fn lines<S: Store>(world: &World<S>, reader: &Person) -> Vec<ConversationLine> {
    world.store.conversations(reader.user, 0, 100).await.expect("read").lines
}

/// The first account gets the visitor; asking again changes nothing, and nobody else gets them.
pub async fn a_visitor_is_claimed_once<F: Fixture>(fixture: &F) {
    let world = World::new(fixture).await;
    let (host, visitor) = (host(&world, "h").await, world.visitor(1).await);
    let (account, other) = (world.person("a").await, world.person("o").await);
    world.say(&visitor, &host, "hello").await;
    let outcome = claim(&world, &account, &visitor).await;
    assert_eq!(outcome, ClaimOutcome::Claimed { ended: vec![visitor.session] });
    let heads = [world.inbox(&host).await.len(), world.inbox(&account).await.len()];
    assert_eq!(heads, [2, 1]);
    assert_eq!(claim(&world, &account, &visitor).await, ClaimOutcome::Repeated);
    assert_eq!(claim(&world, &other, &visitor).await, ClaimOutcome::Taken);
    assert_eq!([world.inbox(&host).await.len(), world.inbox(&account).await.len()], heads, "nothing was written");
    assert_eq!(world.inbox(&other).await, []);
    assert_eq!(claim(&world, &account, &other).await, ClaimOutcome::Unknown, "no visitor");
    let known = world.store.visitor(visitor.user).await.expect("read").expect("a visitor");
    assert_eq!(known.account, Some(account.user));
    let visit =
        Visit { app: world.app, name: visitor.name.clone(), page: "x".into(), referrer: String::new(), now: NOW };
    assert_eq!(world.store.visit(visit).await, Ok(Visited::Claimed));
    assert_eq!(world.store.visitor(visitor.user).await, Ok(Some(known)), "nothing was written");
    let late = world.visitor(2).await;
    world.store.end_sessions(account.user, hongyan_domain::session::EndReason::Revoked, NOW).await.expect("stored");
    assert_eq!(world.store.claim_visitor(claim_by(&world, &account, &late)).await, Err(Error::SessionEnded));
    fixture.close(world.store);
}

/// What was decided before the claim is stale after it, whatever it is and whoever it is from.
pub async fn a_claim_makes_decisions_stale<F: Fixture>(fixture: &F) {
    let world = World::new(fixture).await;
    let (first, second) = (host(&world, "h").await, host(&world, "g").await);
    let (visitor, account) = (world.visitor(1).await, world.person("a").await);
    let known = world.message(&visitor, &first, "hello");
    let answer = appended(world.append(known.clone()).await);
    let react = Alteration::React { name: "+1".into(), remove: false };
    claim(&world, &account, &visitor).await;
    for append in [
        world.message(&first, &visitor, "too late"),
        world.alteration(&first, &visitor, 1, react),
        world.alteration(&first, &visitor, 1, Alteration::Recall),
        world.message(&second, &visitor, "we have never talked"),
    ] {
        assert_eq!(world.append(append).await, Outcome::Stale);
    }
    assert_eq!(world.append(world.message(&visitor, &first, "me again")).await, Outcome::SessionEnded);
    assert_eq!(world.append(known).await, Outcome::Duplicate(answer), "who got in gets the same answer again");
    for host in [&first, &second] {
        let facts = world.store.direct(world.app, host.user, visitor.user).await.expect("read").facts;
        assert_eq!((facts.meeting, facts.access_version), (Meeting::Claimed, 1));
    }
    appended(world.append(world.message(&account, &first, "it is me")).await);
    fixture.close(world.store);
}

/// Each correspondent and the account are told once for each conversation, by an inbox entry that stays.
pub async fn a_claim_is_told_to_both_sides<F: Fixture>(fixture: &F) {
    let world = World::new(fixture).await;
    let (first, second) = (host(&world, "h").await, host(&world, "g").await);
    let (visitor, account) = (world.visitor(1).await, world.person("a").await);
    world.say(&visitor, &first, "one").await;
    world.say(&second, &visitor, "two").await;
    world.say(&account, &first, "my own").await;
    let heard = world.recorder.heard().len();
    claim(&world, &account, &visitor).await;
    let expected = InboxWhat::Claimed { visitor: visitor.user, account: account.user };
    let mut hosts = vec![first.user, second.user];
    hosts.sort_unstable();
    for (reader, others) in [(&first, vec![visitor.user]), (&second, vec![visitor.user]), (&account, hosts)] {
        let inbox = world.inbox(reader).await;
        let claims = inbox.iter().filter(|entry| entry.what == expected);
        let mut found: Vec<_> = claims.map(|entry| entry.about.clone()).collect();
        found.sort_unstable();
        assert_eq!(found, others.into_iter().map(About::Person).collect::<Vec<_>>());
    }
    assert_eq!(world.inbox(&visitor).await.len(), 2, "nobody is there any more");
    let heard = world.recorder.heard().split_off(heard);
    let mut told: Vec<_> = heard.iter().map(|told| (told.user, told.about.clone())).collect();
    let mut all = vec![
        (first.user, About::Person(visitor.name.clone())),
        (second.user, About::Person(visitor.name.clone())),
        (account.user, About::Person(first.name.clone())),
        (account.user, About::Person(second.name.clone())),
    ];
    told.sort_unstable();
    all.sort_unstable();
    assert_eq!(told, all);
    let what = CommittedWhat::Claimed { visitor: visitor.name.clone(), account: account.name.clone() };
    assert!(heard.iter().all(|told| told.what == what && told.origin == account.session && told.inbox_seq > 0));
    fixture.close(world.store);
}

/// The account sees the visitor's conversation as the visitor did, beside its own with the same person.
pub async fn the_first_screen_shows_what_was_claimed<F: Fixture>(fixture: &F) {
    let world = World::new(fixture).await;
    let (host, visitor) = (host(&world, "h").await, world.visitor(1).await);
    let account = world.person("a").await;
    world.say(&account, &host, "my own").await;
    for text in ["one", "two"] {
        world.say(&visitor, &host, text).await;
        world.say(&host, &visitor, text).await;
    }
    world.delete(&visitor, &host, 1, &[4]).await;
    let [before] = &lines(&world, &visitor).await[..] else { panic!("one line") };
    assert_eq!((before.unread, before.visitor.as_ref(), before.as_visitor), (2, None, None));
    claim(&world, &account, &visitor).await;
    let found = lines(&world, &account).await;
    let [adopted, own] = &found[..] else { panic!("{found:?}") };
    assert_eq!((adopted.other, adopted.as_visitor, adopted.unread), (host.user, Some(visitor.user), 0));
    assert_eq!((adopted.head_seq, adopted.read_seq, adopted.low_seq), (4, 4, 2));
    assert_eq!(adopted.last.as_ref().map(|last| (last.seq, last.sender)), Some((3, visitor.user)));
    assert_eq!((own.other, own.as_visitor, own.head_seq), (host.user, None, 1));
    assert_eq!((adopted.activity, own.activity), (2, 1), "each has its own entry");
    let page = world.store.conversations(account.user, 2, 1).await.expect("read");
    assert_eq!((page.lines.as_slice(), page.more), (&found[1..], false));
    let page = world.store.conversations(account.user, 0, 1).await.expect("read");
    assert_eq!((page.lines.as_slice(), page.more), (&found[..1], true));

    let found = lines(&world, &host).await;
    let [told, talked] = &found[..] else { panic!("{found:?}") };
    assert_eq!((told.other, told.unread, told.head_seq, told.as_visitor), (visitor.user, 2, 4, None));
    assert_eq!(told.visitor.as_ref().and_then(|visitor| visitor.account), Some(account.user));
    assert_eq!((talked.other, talked.visitor.as_ref()), (account.user, None));
    assert_eq!(world.read_up_to(&host, &visitor, 4).await.unread, 0, "what is left can be read");
    fixture.close(world.store);
}

/// A first message and a claim that are committed together; and a host who was their own visitor.
pub async fn a_claim_misses_no_conversation<F: Fixture>(fixture: &F) {
    let world = World::new(fixture).await;
    let host = host(&world, "h").await;
    for number in 1..20 {
        let (visitor, account) = (world.visitor(number).await, world.person(&format!("a{number}")).await);
        let append = world.store.append(vec![world.message(&visitor, &host, "hello")]);
        let claimed = world.store.claim_visitor(claim_by(&world, &account, &visitor));
        let (appended_first, outcome) = (append.await.expect("stored")[0], claimed.await.expect("stored"));
        assert_eq!(outcome, ClaimOutcome::Claimed { ended: vec![visitor.session] });
        let adopted = usize::from(matches!(appended_first, Outcome::Appended(_)));
        assert!(adopted == 1 || appended_first == Outcome::SessionEnded);
        assert_eq!((lines(&world, &account).await.len(), world.inbox(&account).await.len()), (adopted, adopted));
    }
    let themselves = world.visitor(99).await;
    world.say(&themselves, &host, "is this thing on?").await;
    let before = world.inbox(&host).await.len();
    claim(&world, &host, &themselves).await;
    assert_eq!(world.inbox(&host).await.len(), before + 1, "they have the conversation already");
    let line = lines(&world, &host).await.swap_remove(0);
    assert_eq!((line.other, line.as_visitor), (themselves.user, None));
    assert_eq!(line.visitor.and_then(|visitor| visitor.account), Some(host.user));
    let late = Append { access_version: 1, ..world.message(&host, &themselves, "yes") };
    // A store knows no permissions: on the newest version it writes.
    appended(world.append(late).await);
    fixture.close(world.store);
}
