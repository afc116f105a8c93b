//! Reading: inbox pages, history, the first screen, receipts, deletions.

use hongyan_domain::message::{Alteration, Draft};
use hongyan_domain::time::UnixMillis;

use super::Fixture;
use super::world::World;
use crate::sessions::CursorAdvance;
use crate::timeline::{Append, Deletion, HistoryPage, HistoryQuery, InboxEntry, InboxWhat, Marked, Outcome, What};
use crate::{Feed, Sessions, Timeline};

const ALL: HistoryQuery =
    HistoryQuery { before_seq: None, after_seq: None, changed_after: None, limit: 100, bytes_max: usize::MAX };

fn seqs(page: &HistoryPage) -> Vec<u64> {
    page.entries.iter().map(|entry| entry.seq).collect()
}

/// A page ends at its limit or its bytes, but never before its first row; the next goes on where it ended.
pub async fn inbox_pages_are_bounded_and_gapless<F: Fixture>(fixture: &F) {
    let world = World::new(fixture).await;
    let (a, b) = (world.person("a").await, world.person("b").await);
    for _ in 0..10 {
        world.say(&a, &b, &"x".repeat(1_000)).await;
    }
    for (limit, bytes_max, expected) in
        [(3, usize::MAX, 3), (100, usize::MAX, 10), (100, 3_500, 3), (5, 0, 1), (0, 9_999, 0)]
    {
        let page = world.store.inbox(b.user, 0, limit, bytes_max).await.expect("read");
        assert!(page.entries.iter().map(|entry| entry.inbox_seq).eq(1..=expected), "{limit} {bytes_max}");
        assert_eq!((page.head, page.low), (10, 1));
    }
    let (mut cursor, mut read) = (0, 0);
    loop {
        let page = world.store.inbox(b.user, cursor, 4, usize::MAX).await.expect("read");
        let Some(last) = page.entries.last() else { break };
        assert_eq!(page.entries[0].inbox_seq, cursor + 1);
        (cursor, read) = (last.inbox_seq, read + page.entries.len());
    }
    assert_eq!((cursor, read), (10, 10));
    for beyond in [10, 11, u64::MAX] {
        assert!(world.store.inbox(b.user, beyond, 4, usize::MAX).await.expect("read").entries.is_empty());
    }
    assert_eq!(world.store.inbox_heads(vec![b.user]).await, Ok(vec![(b.user, 10)]));
    fixture.close(world.store);
}

/// An announcement brings its target as it is when it is read; what the reader has hidden is gone.
pub async fn an_inbox_shows_rows_as_they_are_now<F: Fixture>(fixture: &F) {
    let world = World::new(fixture).await;
    let (a, b) = (world.person("a").await, world.person("b").await);
    world.say(&a, &b, "one").await;
    world.say(&a, &b, "two").await;
    world.alter(&a, &b, 1, Alteration::Edit { body: "uno".into(), text: String::new() }).await;
    world.alter(&a, &b, 1, Alteration::Recall).await;
    let inbox = world.inbox(&b).await;
    let InboxWhat::Entry(first, None) = &inbox[0].what else { panic!("{:?}", inbox[0]) };
    assert!(first.recalled && first.draft.body.is_empty());
    for (row, announced) in [(2, 3), (3, 4)] {
        let InboxWhat::Entry(entry, Some(target)) = &inbox[row].what else { panic!("{:?}", inbox[row]) };
        assert_eq!((entry.seq, entry.change_of, target.seq, target.recalled), (announced, 1, 1, true));
    }
    world.delete(&b, &a, 0, &[1]).await;
    let inbox = world.inbox(&b).await;
    for (row, seq) in [(0, 1), (2, 3), (3, 4)] {
        assert_eq!(inbox[row].what, InboxWhat::Gone { seq, read_seq: 0 });
    }
    assert_eq!(inbox[4].what, InboxWhat::Deleted(Deletion { up_to_seq: 0, seqs: vec![1] }));
    assert!(matches!(world.inbox(&a).await[0].what, InboxWhat::Entry(_, None)), "deleted for b alone");
    fixture.close(world.store);
}

/// Every page says which range is answered for good.
pub async fn history_says_what_it_covers<F: Fixture>(fixture: &F) {
    let world = World::new(fixture).await;
    let (a, b, c) = (world.person("a").await, world.person("b").await, world.person("c").await);
    for _ in 0..10 {
        world.say(&a, &b, &"x".repeat(100)).await;
    }
    let conversation = world.conversation(&a, &b).await;
    let history = |reader, query| {
        let page = world.store.history(conversation, reader, query);
        async { page.await.expect("read") }
    };
    let check = |page: HistoryPage, rows: std::ops::Range<u64>, covered| {
        assert!(page.entries.iter().map(|entry| entry.seq).eq(rows), "{:?}", seqs(&page));
        assert_eq!((page.covered, page.head_seq), (covered, 10));
    };
    check(history(b.user, ALL).await, 1..11, Some((1, 10)));
    check(history(b.user, HistoryQuery { limit: 4, ..ALL }).await, 7..11, Some((7, 10)));
    check(history(b.user, HistoryQuery { before_seq: Some(0), limit: 4, ..ALL }).await, 7..11, Some((7, 10)));
    check(history(b.user, HistoryQuery { before_seq: Some(7), limit: 4, ..ALL }).await, 3..7, Some((3, 6)));
    check(history(b.user, HistoryQuery { before_seq: Some(3), limit: 4, ..ALL }).await, 1..3, Some((1, 2)));
    check(history(b.user, HistoryQuery { before_seq: Some(1), ..ALL }).await, 0..0, None);
    check(history(b.user, HistoryQuery { before_seq: Some(u64::MAX), limit: 1, ..ALL }).await, 10..11, Some((10, 10)));
    check(history(b.user, HistoryQuery { after_seq: Some(0), limit: 4, ..ALL }).await, 1..5, Some((1, 4)));
    check(history(b.user, HistoryQuery { after_seq: Some(8), ..ALL }).await, 9..11, Some((9, 10)));
    check(history(b.user, HistoryQuery { after_seq: Some(10), ..ALL }).await, 0..0, None);
    check(history(b.user, HistoryQuery { after_seq: Some(u64::MAX), ..ALL }).await, 0..0, None);
    check(history(b.user, HistoryQuery { bytes_max: 250, ..ALL }).await, 9..11, Some((9, 10)));
    check(history(b.user, HistoryQuery { bytes_max: 0, ..ALL }).await, 10..11, Some((10, 10)));
    check(history(b.user, HistoryQuery { limit: 0, ..ALL }).await, 0..0, None);

    world.delete(&b, &a, 3, &[6, 10]).await;
    let page = history(b.user, HistoryQuery { limit: 3, ..ALL }).await;
    assert_eq!((seqs(&page), page.covered, page.low_seq), (vec![7, 8, 9], Some((7, 10)), 4));
    let page = history(b.user, HistoryQuery { before_seq: Some(7), ..ALL }).await;
    assert_eq!((seqs(&page), page.covered), (vec![4, 5], Some((1, 6))), "what is missing is missing for good");
    check(history(a.user, ALL).await, 1..11, Some((1, 10)));
    let page = history(c.user, ALL).await;
    assert_eq!((seqs(&page), page.covered), (vec![], None), "somebody else");
    fixture.close(world.store);
}

/// Rows of a range that changed since a client last looked.
pub async fn history_tells_what_changed_since<F: Fixture>(fixture: &F) {
    let world = World::new(fixture).await;
    let (a, b) = (world.person("a").await, world.person("b").await);
    for _ in 0..5 {
        world.say(&a, &b, "text").await;
    }
    world.alter(&a, &b, 2, Alteration::Recall).await;
    world.alter(&b, &a, 4, Alteration::React { name: "ok".into(), remove: false }).await;
    let conversation = world.conversation(&a, &b).await;
    let changed = |after, before| {
        let query = HistoryQuery { changed_after: Some(after), before_seq: before, ..ALL };
        let page = world.store.history(conversation, b.user, query);
        async {
            let page = page.await.expect("read");
            (seqs(&page), page.covered)
        }
    };
    assert_eq!(changed(5, None).await, (vec![2, 4], Some((1, 7))));
    assert_eq!(changed(6, None).await, (vec![4], Some((1, 7))));
    assert_eq!(changed(5, Some(4)).await, (vec![2], Some((1, 3))));
    assert_eq!(changed(7, None).await, (vec![], Some((1, 7))));
    fixture.close(world.store);
}

/// Lines by newest activity, in pages, with everything that the first screen shows.
pub async fn the_first_screen_shows_everything<F: Fixture>(fixture: &F) {
    let world = World::new(fixture).await;
    let me = world.person("me").await;
    let mut others = Vec::new();
    for number in 0..5 {
        let other = world.person(&format!("other{number}")).await;
        for text in ["one", "two"] {
            world.say(&other, &me, text).await;
        }
        others.push(other);
    }
    world.store.set_blocked(world.app, me.session, me.user, others[4].user, true).await.expect("stored");
    world.alter(&others[0], &me, 2, Alteration::Recall).await;
    let page = world.store.conversations(me.user, 0, 3).await.expect("read");
    let order: Vec<_> = page.lines.iter().map(|line| line.other).collect();
    assert_eq!(order, [others[0].user, others[4].user, others[3].user]);
    // The block is in the inbox, but it is no activity.
    assert_eq!((page.more, page.inbox_head), (true, 12));
    let line = &page.lines[0];
    assert_eq!((line.activity, line.head_seq, line.low_seq, line.unread, line.blocked), (12, 3, 1, 2, false));
    let last = line.last.as_ref().expect("a message");
    assert_eq!((last.seq, last.recalled), (2, true), "an announcement is no last message");
    assert!(page.lines[1].blocked);
    let rest = world.store.conversations(me.user, page.lines[2].activity, 3).await.expect("read");
    let order: Vec<_> = rest.lines.iter().map(|line| line.other).collect();
    assert_eq!((order, rest.more), (vec![others[2].user, others[1].user], false));

    world.delete(&me, &others[1], 0, &[2]).await;
    let first = || async { world.store.conversations(me.user, 0, 1).await.expect("read").lines.remove(0) };
    assert_eq!(first().await.last.expect("a message").seq, 1);
    world.delete(&me, &others[1], 2, &[]).await;
    let line = first().await;
    assert_eq!((line.last, line.low_seq, line.unread), (None, 3, 0));
    fixture.close(world.store);
}

/// Read and delivered marks only rise, and a mark that does not move is no event.
pub async fn receipts_never_go_back<F: Fixture>(fixture: &F) {
    let world = World::new(fixture).await;
    let (a, b) = (world.person("a").await, world.person("b").await);
    for _ in 0..4 {
        world.say(&a, &b, "text").await;
    }
    let conversation = world.conversation(&a, &b).await;
    let (_, opened) = world.login(b.user, "phone", hongyan_domain::session::Term::Mobile, 1).await;
    for (asked, stored) in [(3, 3), (1, 3), (4, 4)] {
        let advance = CursorAdvance {
            user: b.user,
            device: opened.device,
            inbox_cursor: asked,
            delivered: vec![(conversation, asked)],
        };
        world.store.advance_cursors(vec![advance]).await.expect("stored");
        assert_eq!(world.store.marks(conversation, b.user).await.expect("read").delivered_seq, stored);
    }
    let marked = world.read_up_to(&b, &a, 3).await;
    assert_eq!(marked, Marked { read_seq: 3, unread: 1, head_seq: 4, inbox_head: 5, inbox_seq: Some(5) });
    let marked = world.read_up_to(&b, &a, 2).await;
    assert_eq!(marked, Marked { read_seq: 3, unread: 1, head_seq: 4, inbox_head: 5, inbox_seq: None });
    let marked = world.read_up_to(&b, &a, 99).await;
    assert_eq!(marked, Marked { read_seq: 4, unread: 0, head_seq: 4, inbox_head: 6, inbox_seq: Some(6) });
    assert_eq!(world.store.marks(conversation, a.user).await.expect("read").read_seq, 0);
    let line = &world.store.conversations(a.user, 0, 1).await.expect("read").lines[0];
    assert_eq!((line.peer_delivered_seq, line.peer_read_seq), (4, 4));
    let page = world.store.history(conversation, b.user, ALL).await.expect("read");
    assert!(page.entries.iter().all(|entry| entry.changed_seq == 0), "marks change no row");
    fixture.close(world.store);
}

/// A device counts what the inbox brings after a mark; so the mark must not count it, too, however late it is read.
pub async fn a_read_mark_is_told_as_it_was_when_it_moved<F: Fixture>(fixture: &F) {
    let world = World::new(fixture).await;
    let (a, b) = (world.person("a").await, world.person("b").await);
    for _ in 0..2 {
        world.say(&a, &b, "before").await;
    }
    world.read_up_to(&b, &a, 1).await;
    world.read_up_to(&b, &a, 2).await;
    world.say(&a, &b, "after").await;
    let inbox = world.inbox(&b).await;
    let marks = [(1, 1), (2, 0)].map(|(seq, unread)| InboxWhat::Read { seq, unread });
    assert_eq!([&inbox[2].what, &inbox[3].what], [&marks[0], &marks[1]]);
    assert_eq!(world.store.conversations(b.user, 0, 1).await.expect("read").lines[0].unread, 1);
    fixture.close(world.store);
}

/// The mark that a message moved has moved, whoever hides that message from themselves.
pub async fn a_hidden_reply_still_tells_what_was_read<F: Fixture>(fixture: &F) {
    let world = World::new(fixture).await;
    let (a, b) = (world.person("a").await, world.person("b").await);
    world.say(&a, &b, "one").await;
    let reply = Append { seen_seq: 1, ..world.message(&b, &a, "two") };
    super::world::appended(world.append(reply).await);
    world.delete(&b, &a, 0, &[2]).await;
    assert_eq!(world.inbox(&b).await[1].what, InboxWhat::Gone { seq: 2, read_seq: 1 });
    fixture.close(world.store);
}

/// Hiding is for one user, once, within the log, and hidden messages are not unread.
pub async fn deletions_are_for_oneself<F: Fixture>(fixture: &F) {
    let world = World::new(fixture).await;
    let (a, b) = (world.person("a").await, world.person("b").await);
    for _ in 0..6 {
        world.say(&a, &b, "text").await;
    }
    world.delete(&b, &a, 2, &[1, 4, 4, 99]).await;
    let inbox = world.inbox(&b).await;
    assert_eq!(inbox[6].what, InboxWhat::Deleted(Deletion { up_to_seq: 2, seqs: vec![4] }));
    world.delete(&b, &a, 1, &[2, 4]).await;
    assert_eq!(world.inbox(&b).await.len(), 7, "nothing new, no event");
    let conversation = world.conversation(&a, &b).await;
    let history = world.store.history(conversation, b.user, ALL).await.expect("read");
    assert_eq!((seqs(&history), history.low_seq), (vec![3, 5, 6], 3));
    assert_eq!(world.store.conversations(b.user, 0, 1).await.expect("read").lines[0].unread, 4);
    // An announcement is no message: what became of one cannot be hidden by its number.
    let recalled = world.alter(&a, &b, 5, Alteration::Recall).await;
    world.delete(&b, &a, 0, &[recalled.seq]).await;
    let told = |entry: &InboxEntry| matches!(&entry.what, InboxWhat::Entry(_, Some(target)) if target.recalled);
    assert!(world.inbox(&b).await.iter().any(told));
    world.delete(&b, &a, 99, &[]).await;
    assert!(!world.inbox(&b).await.iter().any(told), "the message is hidden, and so is what became of it");
    assert_eq!(world.store.conversations(b.user, 0, 1).await.expect("read").lines[0].unread, 0);
    let reply = Append { seen_seq: 0, ..world.message(&a, &b, "after") };
    super::world::appended(world.append(reply).await);
    let line = &world.store.conversations(b.user, 0, 1).await.expect("read").lines[0];
    assert_eq!((line.unread, line.low_seq), (1, 8));
    let history = world.store.history(conversation, a.user, ALL).await.expect("read");
    assert_eq!(history.entries.len(), 8);
    fixture.close(world.store);
}

/// Numbers that clients choose come back as they were, or mean nothing; none of them harms the store.
pub async fn numbers_at_the_edge_do_no_harm<F: Fixture>(fixture: &F) {
    let world = World::new(fixture).await;
    let (a, b) = (world.person("a").await, world.person("b").await);
    let draft = Draft { reply_to: u64::MAX, expires_at: UnixMillis(u64::MAX), body_type: i32::MIN, ..Draft::default() };
    let edge = Append { what: What::Message(draft.clone()), digest: u64::MAX, ..world.message(&a, &b, "") };
    super::world::appended(world.append(Append { seen_seq: u64::MAX, ..edge.clone() }).await);
    assert!(matches!(world.append(edge).await, Outcome::Duplicate(_)));
    let conversation = world.conversation(&a, &b).await;
    assert_eq!(world.store.entry(conversation, 1).await.expect("read").expect("there").draft, draft);
    assert_eq!(world.store.entry(conversation, u64::MAX).await, Ok(None));
    assert_eq!(world.append(world.alteration(&a, &b, u64::MAX, Alteration::Recall)).await, Outcome::TargetGone);
    assert_eq!(world.store.position(conversation, a.user, u64::MAX).await.expect("read").seq, 1);
    assert_eq!(world.read_up_to(&b, &a, u64::MAX).await.read_seq, 1);
    world.delete(&b, &a, u64::MAX, &[0, u64::MAX]).await;
    let (_, opened) = world.login(b.user, "phone", hongyan_domain::session::Term::Mobile, 1).await;
    let (user, device) = (b.user, opened.device);
    let advance = CursorAdvance { user, device, inbox_cursor: u64::MAX, delivered: vec![(conversation, u64::MAX)] };
    world.store.advance_cursors(vec![advance]).await.expect("stored");
    let page = world.store.conversations(b.user, u64::MAX, u32::MAX).await.expect("read");
    assert_eq!((page.lines.len(), page.lines[0].low_seq), (1, 2));
    assert!(world.store.changes(u64::MAX, u32::MAX).await.expect("read").truncated);
    fixture.close(world.store);
}
