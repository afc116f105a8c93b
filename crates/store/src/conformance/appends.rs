//! Appends: numbers, de-duplication, what is rechecked, changes in place.

use hongyan_domain::id::ConversationId;
use hongyan_domain::message::{Alteration, Draft};
use hongyan_domain::session::EndReason;

use super::Fixture;
use super::world::{NOW, World, appended};
use crate::timeline::{About, Append, Delete, Deletion, InboxWhat, MarkRead, Outcome, Target, What};
use crate::{Error, Sessions, Timeline};

/// Many sessions write at once: every number is given once, none is left out, both inboxes agree.
pub async fn numbers_have_no_gaps_however_many_write<F: Fixture>(fixture: &F) {
    let world = World::new(fixture).await;
    let mut people = Vec::new();
    for number in 0..6 {
        people.push(world.person(&format!("person{number}")).await);
    }
    let mut calls = Vec::new();
    for round in 0..40 {
        for from in 0..people.len() {
            let to = (from + 1 + round % 2) % people.len();
            let texts = ["one", "two", "three"];
            calls.push(world.store.append(texts.map(|text| world.message(&people[from], &people[to], text)).to_vec()));
        }
    }
    let mut seqs: std::collections::BTreeMap<_, Vec<u64>> = std::collections::BTreeMap::new();
    for (number, call) in calls.into_iter().enumerate() {
        let from = number % people.len();
        let to = (from + 1 + number / people.len() % 2) % people.len();
        let answers: Vec<_> = call.await.expect("stored").into_iter().map(appended).collect();
        assert!(answers.is_sorted_by(|a, b| a.seq < b.seq && a.inbox_seq < b.inbox_seq), "a call keeps its order");
        seqs.entry((from.min(to), from.max(to))).or_default().extend(answers.iter().map(|answer| answer.seq));
    }
    for ((low, high), mut seqs) in seqs {
        seqs.sort_unstable();
        assert!(seqs.iter().copied().eq(1..=seqs.len() as u64), "{low}-{high}: {seqs:?}");
        let direct = world.store.direct(world.app, people[low].user, people[high].user).await.expect("read");
        assert_eq!(direct.head_seq, seqs.len() as u64);
    }
    for person in &people {
        let inbox = world.inbox(person).await;
        assert!(inbox.iter().map(|entry| entry.inbox_seq).eq(1..=40 * 3 * 2));
    }
    fixture.close(world.store);
}

/// Same id and digest: the same answer. Same id, other digest: a conflict. The key belongs to conversation and sender.
pub async fn a_repeat_gets_the_first_answer<F: Fixture>(fixture: &F) {
    let world = World::new(fixture).await;
    let (a, b, c) = (world.person("a").await, world.person("b").await, world.person("c").await);
    let first = world.message(&a, &b, "hello");
    let answer = appended(world.append(first.clone()).await);
    assert_eq!((answer.seq, answer.message_count, answer.inbox_seq, answer.time), (1, 1, 1, NOW));
    world.say(&b, &a, "between").await;
    assert_eq!(world.append(first.clone()).await, Outcome::Duplicate(answer));
    let changed = Append { digest: first.digest ^ 1, ..first.clone() };
    assert_eq!(world.append(changed).await, Outcome::Conflict);

    let twice = world.message(&a, &b, "twice");
    let outcomes = world.store.append(vec![twice.clone(), twice]).await.expect("stored");
    assert_eq!(outcomes, [Outcome::Appended(appended(outcomes[0])), Outcome::Duplicate(appended(outcomes[0]))]);

    let same_id = |append: Append| Append { client_id: first.client_id, ..append };
    appended(world.append(same_id(world.message(&b, &a, "another sender"))).await);
    appended(world.append(same_id(world.message(&a, &c, "another conversation"))).await);
    let conversation = world.conversation(&a, &b).await;
    let stored = world.store.answered(conversation, a.user, first.client_id).await.expect("read");
    assert_eq!(stored, Some((first.digest, answer)));
    assert_eq!(world.store.answered(conversation, a.user, world.fresh_id()).await, Ok(None));
    assert_eq!(world.store.direct(world.app, a.user, b.user).await.expect("read").head_seq, 4);
    fixture.close(world.store);
}

/// De-duplication comes before every other check: recall, blocks, the end of the session, a target that has gone.
pub async fn who_got_in_is_answered_whatever_their_rights<F: Fixture>(fixture: &F) {
    let world = World::new(fixture).await;
    let (a, b) = (world.person("a").await, world.person("b").await);
    let first = world.message(&a, &b, "hello");
    let answer = appended(world.append(first.clone()).await);
    let recall = world.alteration(&a, &b, 1, Alteration::Recall);
    let recalled = appended(world.append(recall.clone()).await);
    assert_eq!(world.append(first.clone()).await, Outcome::Duplicate(answer));
    assert_eq!(world.append(recall.clone()).await, Outcome::Duplicate(recalled), "its target has gone by itself");
    world.store.set_blocked(world.app, b.session, b.user, a.user, true).await.expect("stored");
    assert_eq!(world.append(first.clone()).await, Outcome::Duplicate(answer));
    world.store.end_session(a.session, EndReason::Revoked, NOW).await.expect("stored");
    assert_eq!(world.append(first.clone()).await, Outcome::Duplicate(answer));
    assert_eq!(world.append(Append { digest: 0, ..first }).await, Outcome::Conflict);
    assert_eq!(world.append(world.message(&a, &b, "new")).await, Outcome::SessionEnded);
    fixture.close(world.store);
}

/// A decision on an old version is refused, and with it what follows it there in the same call, to keep the order.
pub async fn a_stale_decision_holds_back_what_follows<F: Fixture>(fixture: &F) {
    let world = World::new(fixture).await;
    let (a, b, c) = (world.person("a").await, world.person("b").await, world.person("c").await);
    world.say(&a, &b, "first").await;
    world.store.set_blocked(world.app, b.session, b.user, a.user, true).await.expect("stored");
    let current = world.store.direct(world.app, a.user, b.user).await.expect("read").facts.access_version;
    assert!(current > 0);
    let on = |version, to| Append { access_version: version, ..world.message(&a, to, "text") };
    let calls = vec![on(0, &b), on(current, &b), on(0, &c), on(current, &b)];
    let outcomes = world.store.append(calls).await.expect("stored");
    assert!(matches!(outcomes[..], [Outcome::Stale, Outcome::Stale, Outcome::Appended(_), Outcome::Stale]));
    assert_eq!(appended(world.append(on(current, &b)).await).seq, 2, "the store itself knows no permissions");
    assert_eq!(world.append(on(7, &c)).await, Outcome::Stale);
    fixture.close(world.store);
}

/// Nothing of a session that has ended, or never was, gets in; nothing is left behind by it.
pub async fn a_dead_session_writes_nothing<F: Fixture>(fixture: &F) {
    let world = World::new(fixture).await;
    let (a, b) = (world.person("a").await, world.person("b").await);
    world.store.end_session(a.session, EndReason::LoggedOut, NOW).await.expect("stored");
    assert_eq!(world.append(world.message(&a, &b, "late")).await, Outcome::SessionEnded);
    let mut unknown = a.clone();
    unknown.session.0[0] ^= 1;
    assert_eq!(world.append(world.message(&unknown, &b, "never")).await, Outcome::SessionEnded);
    let blocked = world.store.set_blocked(world.app, a.session, a.user, b.user, true).await;
    assert_eq!(blocked, Err(Error::SessionEnded));
    assert_eq!(world.store.direct(world.app, a.user, b.user).await.expect("read").conversation, None);
    assert!(world.recorder.heard().is_empty());

    let c = world.person("c").await;
    world.say(&b, &c, "hello").await;
    let (conversation, heard) = (world.conversation(&b, &c).await, world.recorder.heard().len());
    world.store.end_session(c.session, EndReason::Revoked, NOW).await.expect("stored");
    let target = Target { user: c.user, about: b.name.clone() };
    let (app, other, session) = (world.app, b.user, c.session);
    let position = world.store.position(conversation, c.user, 1).await.expect("read");
    let mark = MarkRead { app, target: target.clone(), other, conversation, session, position };
    assert_eq!(world.store.mark_read(mark).await, Err(Error::SessionEnded));
    let deletion = Deletion { up_to_seq: 1, seqs: Vec::new() };
    let delete = Delete { app, target, other, conversation, session, deletion };
    assert_eq!(world.store.delete(delete).await, Err(Error::SessionEnded));
    assert_eq!(world.recorder.heard().len(), heard);
    fixture.close(world.store);
}

/// Blocks are seen from both sides, only a new one raises the version, and a conversation is made for them.
pub async fn blocks_are_facts_beside_the_head<F: Fixture>(fixture: &F) {
    let world = World::new(fixture).await;
    let (a, b) = (world.person("a").await, world.person("b").await);
    let facts = |from, to| {
        let direct = world.store.direct(world.app, from, to);
        async { direct.await.expect("read").facts }
    };
    assert_eq!(facts(a.user, b.user).await, Default::default());
    for (blocked, versions) in [(true, 1), (true, 1), (false, 1), (true, 2)] {
        world.store.set_blocked(world.app, b.session, b.user, a.user, blocked).await.expect("stored");
        let (from_a, from_b) = (facts(a.user, b.user).await, facts(b.user, a.user).await);
        assert_eq!((from_a.blocked_by_addressee, from_a.blocked_by_sender), (blocked, false));
        assert_eq!((from_b.blocked_by_addressee, from_b.blocked_by_sender), (false, blocked));
        assert_eq!((from_a.access_version, from_b.access_version), (versions, versions));
    }
    world.store.set_blocked(world.app, a.session, a.user, a.user, true).await.expect("no harm");
    assert!(!facts(a.user, a.user).await.blocked_by_sender, "nobody blocks themselves");
    fixture.close(world.store);
}

/// Recall, edit and reactions change the row; each is announced by an entry that does not count.
pub async fn recall_edit_and_reactions_change_the_row<F: Fixture>(fixture: &F) {
    let world = World::new(fixture).await;
    let (a, b) = (world.person("a").await, world.person("b").await);
    world.say(&a, &b, "teh").await;
    let conversation = world.conversation(&a, &b).await;
    let row = || async { world.store.entry(conversation, 1).await.expect("read").expect("there") };
    let edit = Alteration::Edit { body: "the".into(), text: "projection".into() };
    let edited = world.alter(&a, &b, 1, edit).await;
    assert_eq!((edited.seq, edited.message_count), (2, 1));
    let now = row().await;
    assert_eq!(
        (&now.draft.body[..], &now.draft.text[..], now.edited, now.changed_seq),
        (&b"the"[..], "projection", true, 2)
    );

    let react = |name: &str, remove| Alteration::React { name: name.into(), remove };
    for (person, other, name, remove) in
        [(&b, &a, "👍", false), (&a, &b, "zz", false), (&a, &b, "👍", false), (&b, &a, "zz", true)]
    {
        world.alter(person, other, 1, react(name, remove)).await;
    }
    let now = row().await;
    let given: Vec<_> = now.reactions.iter().map(|reaction| (&reaction.name[..], &reaction.users[..])).collect();
    assert_eq!(given, [("👍", &[b.user, a.user][..]), ("zz", &[a.user][..])]);
    assert_eq!(now.changed_seq, 6);

    world.alter(&a, &b, 1, Alteration::Recall).await;
    let now = row().await;
    assert_eq!((now.recalled, now.draft.clone(), now.reactions.len(), now.changed_seq), (true, Draft::default(), 0, 7));
    assert_eq!((now.sender, now.seq, now.message_count), (a.user, 1, 1), "that it was stays");
    let announced = world.store.entry(conversation, 7).await.expect("read").expect("there");
    assert_eq!((announced.change_of, announced.message_count), (1, 1));
    assert_eq!(world.say(&b, &a, "next").await.message_count, 2);
    fixture.close(world.store);
}

/// Announcements, recalled messages and what never was are no targets, and a refusal writes nothing.
pub async fn only_messages_can_be_altered<F: Fixture>(fixture: &F) {
    let world = World::new(fixture).await;
    let (a, b) = (world.person("a").await, world.person("b").await);
    assert_eq!(world.append(world.alteration(&a, &b, 1, Alteration::Recall)).await, Outcome::TargetGone);
    world.say(&a, &b, "one").await;
    world.alter(&a, &b, 1, Alteration::Recall).await;
    for target in [0, 1, 2, 3, u64::MAX >> 1] {
        let outcome = world.append(world.alteration(&a, &b, target, Alteration::Recall)).await;
        assert_eq!(outcome, Outcome::TargetGone, "{target}");
    }
    assert_eq!(world.store.direct(world.app, a.user, b.user).await.expect("read").head_seq, 2);
    fixture.close(world.store);
}

/// `seen_seq` moves the mark upwards, not above the head before the entry, and the entry says where.
pub async fn a_send_moves_the_senders_mark<F: Fixture>(fixture: &F) {
    let world = World::new(fixture).await;
    let (a, b) = (world.person("a").await, world.person("b").await);
    for _ in 0..3 {
        world.say(&a, &b, "read me").await;
    }
    let seen = |seq| Append { seen_seq: seq, ..world.message(&b, &a, "seen") };
    let conversation = world.conversation(&a, &b).await;
    let mut moved = Vec::new();
    for asked in [2, 1, 99] {
        let answer = appended(world.append(seen(asked)).await);
        moved.push(world.store.entry(conversation, answer.seq).await.expect("read").expect("there").seen_seq);
    }
    assert_eq!(moved, [2, 0, 5]);
    assert_eq!(world.store.marks(conversation, b.user).await.expect("read").read_seq, 5);
    let page = world.store.conversations(b.user, 0, 10).await.expect("read");
    assert_eq!((page.lines[0].unread, page.lines[0].read_seq), (0, 5));
    let page = world.store.conversations(a.user, 0, 10).await.expect("read");
    assert_eq!((page.lines[0].unread, page.lines[0].peer_read_seq), (3, 5));
    fixture.close(world.store);
}

/// A conversation with oneself has one inbox reference and nothing unread.
pub async fn notes_to_oneself_arrive_once<F: Fixture>(fixture: &F) {
    let world = World::new(fixture).await;
    let a = world.person("a").await;
    world.say(&a, &a, "note").await;
    world.say(&a, &a, "note").await;
    let inbox = world.inbox(&a).await;
    assert_eq!(
        inbox.iter().map(|entry| (entry.inbox_seq, entry.about.clone())).collect::<Vec<_>>(),
        [(1, About::Person(a.user)), (2, About::Person(a.user))]
    );
    assert!(matches!(&inbox[1].what, InboxWhat::Entry(entry, None) if entry.message_count == 2));
    let line = &world.store.conversations(a.user, 0, 10).await.expect("read").lines[0];
    assert_eq!((line.unread, line.other, line.head_seq), (0, a.user, 2));
    let uncounted = What::Message(Draft { uncounted: true, ..Draft::default() });
    let answer = appended(world.append(Append { what: uncounted, ..world.message(&a, &a, "") }).await);
    assert_eq!((answer.seq, answer.message_count), (3, 2));
    let unknown = ConversationId(line.conversation.0 + (1 << 10));
    assert_eq!(world.store.entry(unknown, 1).await, Ok(None));
    fixture.close(world.store);
}
