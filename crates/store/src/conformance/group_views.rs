//! What members of groups see: logs, marks, mentions, lists, receipts.

use hongyan_domain::group::{Change, HistoryPolicy, JoinPolicy, Mentions, Policies, Role, TOLD_MEMBERS_MAX};
use hongyan_domain::id::{ConversationId, UserId};
use hongyan_domain::message::Alteration;
use hongyan_domain::receipt::CursorAdvance;
use hongyan_domain::refusal::Refusal;
use hongyan_domain::session::Term;

use super::Fixture;
use super::group_world::{ALL, Circle, done, in_short, invite, remove, told};
use super::world::{NOW, Person, World, name};
use crate::feed::CommittedWhat;
use crate::groups::{CreateGroup, GroupAppend, GroupOutcome, GroupReceipts, GroupsQuery};
use crate::timeline::{About, HistoryQuery, Marked};
use crate::{Accounts, Feed, Groups, Sessions, Timeline};

/// From the entry that tells one's joining up to the one that tells one's removal, over all stays; nothing in between.
pub async fn members_see_what_was_said_while_they_were_in<F: Fixture>(fixture: &F) {
    let world = World::new(fixture).await;
    let (a, b, c) = (world.person("a").await, world.person("b").await, world.person("c").await);
    let circle = world.group(&a, "g", Policies::default(), &[]).await;
    world.says_to(&a, &circle, "2: before").await;
    assert_eq!(world.store.group_history(circle.group, b.user, ALL).await, Ok(None));
    assert_eq!(world.store.mark_group_read(world.asks(&b), circle.group, 1).await, Ok(None));
    assert!(!world.hides(&b, &circle, 1, &[]).await);
    done(world.change(&a, &circle, invite(&[&b])).await); // 3
    world.says_to(&a, &circle, "4").await;
    assert_eq!(world.seen(&b, &circle).await, [3, 4]);
    assert_eq!(world.line(&b, &circle).await.unread, 1);
    let hidden = world.altered(&b, &circle, 2, Alteration::React { name: "+".into(), remove: false });
    assert_eq!(world.post(hidden).await, GroupOutcome::Refused(Refusal::NotFound));
    done(world.change(&a, &circle, remove(&[&b])).await); // 5
    world.says_to(&a, &circle, "6: between").await;
    world.says_to(&a, &circle, "7: between").await;
    let gone = world.line(&b, &circle).await;
    assert_eq!((gone.member, gone.head_seq, gone.low_seq, gone.unread), (None, 5, 3, 1));
    assert_eq!(gone.last.as_ref().map(|last| last.seq), Some(5));
    assert_eq!(world.marks(&b, &circle, 99).await.read_seq, 5, "clipped to the stay");
    assert_eq!(world.store.stays_of(b.user).await, Ok(vec![]));
    assert_eq!(world.store.group_members(circle.group, b.user, None, 9, 0).await, Ok(None));
    assert_eq!(world.store.group_receipts(circle.group, b.user, 4).await, Ok(None));
    done(world.change(&a, &circle, invite(&[&b])).await); // 8
    let line = world.line(&b, &circle).await;
    assert_eq!((line.head_seq, line.unread, line.read_seq), (8, 0, 5));
    world.says_to(&a, &circle, "9").await;
    assert_eq!(world.line(&b, &circle).await.unread, 1, "nothing of what was said in between");
    assert_eq!(world.store.stays_of(b.user).await, Ok(vec![(circle.group, 8)]));
    assert_eq!(world.seen(&b, &circle).await, [3, 4, 5, 8, 9]);
    for (before, after, limit, expected, covered) in [
        (None, None, 2, vec![8, 9], Some((8, 9))),
        (Some(8), None, 2, vec![4, 5], Some((4, 7))),
        (Some(4), None, 9, vec![3], Some((1, 3))),
        (None, Some(4), 2, vec![5, 8], Some((5, 8))),
        (None, Some(5), 9, vec![8, 9], Some((6, 9))),
        (None, Some(9), 9, vec![], None),
    ] {
        let query = HistoryQuery { before_seq: before, after_seq: after, limit, ..ALL };
        let page = world.log(&b, &circle, query).await;
        let seqs: Vec<_> = page.entries.iter().map(|entry| entry.seq).collect();
        assert_eq!(
            (seqs, page.covered, page.head_seq, page.low_seq),
            (expected, covered, 9, 3),
            "{before:?} {after:?}"
        );
    }

    let everything = Policies { history: HistoryPolicy::Everything, ..Policies::default() };
    done(world.change(&a, &circle, Change::Policies(everything)).await);
    done(world.change(&a, &circle, invite(&[&c])).await); // 10
    assert_eq!(world.seen(&c, &circle).await, (1..=10).collect::<Vec<_>>());
    assert_eq!(world.line(&c, &circle).await.unread, 5);
    done(world.change(&a, &circle, remove(&[&b])).await); // 11
    done(world.change(&a, &circle, invite(&[&b])).await); // 12
    assert_eq!(world.seen(&b, &circle).await, (1..=12).collect::<Vec<_>>(), "one stay takes the place of three");
    assert_eq!(world.store.stays_of(b.user).await, Ok(vec![(circle.group, 1)]));
    fixture.close(world.store);
}

/// Marks only rise, are told as they were when they moved, and a send moves its sender's.
pub async fn read_marks_of_members_are_told_as_they_were<F: Fixture>(fixture: &F) {
    let world = World::new(fixture).await;
    let (a, b) = (world.person("a").await, world.person("b").await);
    let circle = world.group(&a, "g", Policies::default(), &[&b]).await;
    for number in 3..=6 {
        assert_eq!(world.says_to(&a, &circle, "x").await.seq, number);
    }
    let heads = (6, 2);
    assert_eq!(
        world.marks(&b, &circle, 4).await,
        Marked { read_seq: 4, unread: 2, head_seq: heads.0, inbox_head: heads.1, inbox_seq: Some(2) }
    );
    let again = world.marks(&b, &circle, 3).await;
    assert_eq!((again.read_seq, again.unread, again.inbox_seq), (4, 2, None));
    let before = world.line(&a, &circle).await;
    assert_eq!((before.read_seq, before.unread), (0, 0), "one's own are read");
    let send = GroupAppend { seen_seq: u64::MAX >> 1, ..world.spoken(&b, &circle, "7") };
    done(world.post(send).await);
    let line = world.line(&b, &circle).await;
    assert_eq!((line.read_seq, line.unread), (6, 0), "not beyond the head before it");
    world.says_to(&a, &circle, "8").await;
    assert_eq!(world.line(&b, &circle).await.unread, 1);
    let inbox = world.inbox(&b).await;
    assert!(inbox.iter().all(|entry| entry.about == About::Group(circle.name.clone())));
    let short: Vec<_> = inbox.iter().map(|entry| in_short(&entry.what)).collect();
    assert_eq!(short, ["in", "read 4 2", "read 6 0"]);
    let heard = world.recorder.heard();
    let mine: Vec<_> = heard.iter().filter(|committed| committed.user == b.user).collect();
    assert_eq!(mine.iter().map(|committed| committed.inbox_seq).collect::<Vec<_>>(), [1, 2, 3]);
    assert_eq!((mine[1].origin, &mine[1].what), (b.session, &CommittedWhat::Read { seq: 4, unread: 2 }));
    assert_eq!(mine[0].about, About::Group(circle.name.clone()));
    assert_eq!(
        world.store.conversations(b.user, 0, 9).await.expect("read").lines,
        [],
        "groups have a list of their own"
    );
    fixture.close(world.store);
}

/// Deletions are for oneself, and are told once.
pub async fn members_hide_entries_from_themselves<F: Fixture>(fixture: &F) {
    let world = World::new(fixture).await;
    let (a, b) = (world.person("a").await, world.person("b").await);
    let circle = world.group(&a, "g", Policies::default(), &[&b]).await;
    for _ in 3..=6 {
        world.says_to(&a, &circle, "x").await;
    }
    assert!(world.hides(&b, &circle, 0, &[6, 99]).await);
    assert_eq!(world.seen(&b, &circle).await, [2, 3, 4, 5]);
    let line = world.line(&b, &circle).await;
    assert_eq!((line.last.map(|last| last.seq), line.unread), (Some(5), 4), "a single one still counts");
    assert!(world.hides(&b, &circle, 4, &[6]).await);
    let line = world.line(&b, &circle).await;
    assert_eq!((line.low_seq, line.unread, line.read_seq), (5, 2, 0));
    assert!(world.hides(&b, &circle, 4, &[6]).await, "nothing new");
    assert_eq!(world.seen(&b, &circle).await, [5]);
    assert_eq!(world.seen(&a, &circle).await, [1, 2, 3, 4, 5, 6]);
    let short: Vec<_> = world.inbox(&b).await.iter().map(|entry| in_short(&entry.what)).collect();
    assert_eq!(short, ["in", "hid 0 [6]", "hid 4 []"]);
    fixture.close(world.store);
}

/// Only members are mentioned, once each; nobody mentions themselves.
pub async fn mentions_reach_members<F: Fixture>(fixture: &F) {
    let world = World::new(fixture).await;
    let (a, b, c) = (world.person("a").await, world.person("b").await, world.person("c").await);
    let circle = world.group(&a, "g", Policies::default(), &[&b]).await;
    let users = [b.user, c.user, b.user, a.user];
    done(world.post(world.mention(&a, &circle, &users, false)).await); // 3
    let page = world.log(&b, &circle, ALL).await;
    let mentions = page.entries.last().expect("there").draft.mentions.clone().expect("mentions");
    assert_eq!(*mentions, Mentions { users: vec![b.user.0, a.user.0], all: false });
    let of = async |person: &Person| world.line(person, &circle).await.mention_seq;
    assert_eq!((of(&a).await, of(&b).await), (0, 3));
    world.says_to(&b, &circle, "4").await;
    done(world.post(world.mention(&a, &circle, &[], true)).await); // 5
    assert_eq!((of(&a).await, of(&b).await), (0, 5), "nobody speaks to themselves");
    world.marks(&b, &circle, 5).await;
    assert_eq!(of(&b).await, 0);
    done(world.post(world.mention(&a, &circle, &[b.user], false)).await); // 6
    assert_eq!(of(&b).await, 6);
    done(world.post(world.altered(&a, &circle, 6, Alteration::Recall)).await); // 7
    assert_eq!(of(&b).await, 0, "what was recalled mentions nobody");
    done(world.post(world.mention(&a, &circle, &[b.user], false)).await); // 8
    done(world.change(&a, &circle, Change::Admin(b.user, true)).await); // 9
    done(world.post(world.mention(&b, &circle, &[], true)).await); // 10
    assert_eq!((of(&a).await, of(&b).await), (10, 8), "one's own mention of all hides no other");
    done(world.change(&a, &circle, invite(&[&c])).await);
    assert_eq!(of(&c).await, 0, "what was said before one came in");
    let short: Vec<_> = world.inbox(&b).await.iter().map(|entry| in_short(&entry.what)).collect();
    assert_eq!(short, ["in", "@3", "read 5 0", "@6", "@8"]);
    let inbox = world.inbox(&a).await;
    assert_eq!(inbox.iter().map(|entry| in_short(&entry.what)).collect::<Vec<_>>(), ["in"]);
    fixture.close(world.store);
}

/// A list names what has changed after its token, of every kind, in pages by id.
pub async fn the_list_of_groups_misses_no_change<F: Fixture>(fixture: &F) {
    let world = World::new(fixture).await;
    let (a, b) = (world.person("a").await, world.person("b").await);
    let mut circles = Vec::new();
    for text in ["g1", "g2", "g3"] {
        circles.push(world.group(&a, text, Policies::default(), &[&b]).await);
    }
    circles.sort_by_key(|circle| circle.group);
    let ids: Vec<_> = circles.iter().map(|circle| circle.group).collect();
    let page = async |after, since| {
        let query = GroupsQuery { since, after, only: None, limit: 2 };
        world.store.groups_of(b.user, query).await.expect("read")
    };
    let first = page(None, 0).await;
    assert_eq!(first.groups.iter().map(|line| line.group).collect::<Vec<_>>(), ids[..2]);
    // Between the pages: one that was listed, one that was not yet.
    world.says_to(&a, &circles[0], "x").await;
    world.says_to(&a, &circles[2], "x").await;
    let second = page(Some(ids[1]), 0).await;
    assert_eq!((first.more, second.more), (true, false));
    assert_eq!(second.groups.iter().map(|line| (line.group, line.unread)).collect::<Vec<_>>(), [(ids[2], 1)]);
    assert_eq!(world.changed_since(&b, first.token).await, [ids[0], ids[2]], "by the token of the first page");
    let token = world.store.token();
    assert_eq!(world.changed_since(&b, token).await, []);
    assert_eq!(world.changed_since(&b, u64::MAX >> 1).await, ids, "a token of another history");

    let middle = &circles[1];
    let mut steps = Vec::new();
    steps.push(world.store.token());
    done(world.change(&a, middle, Change::NewLink("x".into())).await);
    steps.push(world.store.token());
    world.marks(&b, middle, 2).await;
    steps.push(world.store.token());
    world.hides(&b, middle, 1, &[]).await;
    steps.push(world.store.token());
    done(world.change(&b, middle, Change::Leave).await);
    steps.push(world.store.token());
    for pair in steps.windows(2) {
        assert!(pair[0] < pair[1]);
        assert_eq!(world.changed_since(&b, pair[0]).await, [ids[1]]);
    }
    let own = world.store.token();
    world.marks(&b, &circles[0], 3).await;
    assert_eq!(world.changed_since(&a, own).await, [], "whose marks move is nobody else's business");

    let before = world.store.token();
    world.says_to(&a, &circles[2], "y").await;
    let changes = world.store.changes(before, 10).await.expect("read").changes;
    assert_eq!(changes, [crate::feed::Change::Group { group: ids[2], head: 4 }]);
    fixture.close(world.store);
}

/// A list of members that is read in pages, or not at all if it is known.
pub async fn members_are_listed_in_pages<F: Fixture>(fixture: &F) {
    let world = World::new(fixture).await;
    let (a, b, c) = (world.person("a").await, world.person("b").await, world.person("c").await);
    let circle = world.group(&a, "g", Policies::default(), &[&b, &c]).await;
    let page = async |after: Option<UserId>, limit, known| {
        world.store.group_members(circle.group, a.user, after, limit, known).await.expect("read").expect("in")
    };
    let mut users = [a.user, b.user, c.user];
    users.sort();
    let first = page(None, 2, 0).await;
    assert_eq!(first.members.iter().map(|line| line.user).collect::<Vec<_>>(), users[..2]);
    assert!(first.more);
    let rest = page(Some(users[1]), 2, 0).await;
    assert_eq!((rest.members.iter().map(|line| line.user).collect::<Vec<_>>(), rest.more), (vec![users[2]], false));
    assert_eq!(page(None, 9, first.version).await.members, []);
    let owner = page(None, 9, 0).await.members.into_iter().find(|line| line.user == a.user).expect("in");
    assert_eq!((owner.member.role, owner.joined), (Role::Owner, NOW));
    for change in [Change::Nickname("x".into()), Change::Mute(b.user, 9), Change::Admin(b.user, true), remove(&[&c])] {
        let known = page(None, 9, 0).await.version;
        done(world.change(&a, &circle, change).await);
        assert!(page(None, 9, known).await.version > known);
        assert!(!page(None, 9, known).await.members.is_empty());
    }
    fixture.close(world.store);
}

/// Who has a message, and who has read it.
pub async fn a_member_learns_who_has_a_message<F: Fixture>(fixture: &F) {
    let world = World::new(fixture).await;
    let (a, b, c, d) =
        (world.person("a").await, world.person("b").await, world.person("c").await, world.person("d").await);
    let circle = world.group(&a, "g", Policies::default(), &[&b, &c]).await;
    world.says_to(&a, &circle, "3").await;
    done(world.change(&a, &circle, invite(&[&d])).await); // 4
    let of =
        async |reader: &Person, seq| world.store.group_receipts(circle.group, reader.user, seq).await.expect("read");
    let counts = |members, delivered, readers: &[&Person]| {
        let readers: Vec<_> = readers.iter().map(|person| person.user).collect();
        Some(GroupReceipts { members, delivered, read: readers.len() as u32, readers })
    };
    assert_eq!(of(&a, 3).await, counts(2, 0, &[]), "not of who came later");
    let (_, opened) = world.login(c.user, "c", Term::Pc, 1).await;
    let delivered = vec![(circle.group, 3)];
    let advance = CursorAdvance { user: c.user, device: opened.device, inbox_cursor: 0, delivered };
    world.store.advance_cursors(vec![advance]).await.expect("stored");
    assert_eq!(of(&a, 3).await, counts(2, 1, &[]));
    world.marks(&b, &circle, 3).await;
    assert_eq!(of(&c, 3).await, counts(2, 2, &[&b]), "read is delivered");
    assert_eq!(of(&d, 3).await, None, "came later");
    assert_eq!(of(&a, 99).await, None);
    done(world.change(&a, &circle, remove(&[&b])).await);
    assert_eq!(of(&a, 3).await, counts(1, 1, &[]));
    assert_eq!(of(&b, 3).await, None);
    fixture.close(world.store);
}

/// Above some size nobody is told who comes and goes by themselves; what they see is the same.
pub async fn large_groups_are_quiet<F: Fixture>(fixture: &F) {
    let world = World::new(fixture).await;
    let (a, b, c) = (world.person("a").await, world.person("b").await, world.person("c").await);
    let open = Policies { join: JoinPolicy::Open, ..Policies::default() };
    let mut others = Vec::new();
    for number in 0..TOLD_MEMBERS_MAX - 1 {
        let user = world.store.create_user(world.app, name(&format!("m{number}")), None, NOW).await.expect("stored");
        others.push(user.expect("new").id);
    }
    let create = CreateGroup { users: others.clone(), ..world.creation(&a, "g", open, &[]) };
    let answer = done(world.store.create_group(create).await.expect("stored"));
    let circle = Circle { group: ConversationId(answer.seq as i64), name: name("g") };
    assert_eq!(done(world.join(&b, &circle, "", "").await).seq, 3, "{TOLD_MEMBERS_MAX} members are still told");
    world.recorder.grouped();
    let before = world.line(&a, &circle).await;
    assert_eq!(before.member_count, TOLD_MEMBERS_MAX + 1);
    assert_eq!(done(world.join(&c, &circle, "", "").await).seq, 0);
    assert_eq!(told(&world.recorder.grouped(), &circle), [format!("in {} 4", c.user.0)]);
    assert_eq!(world.line(&a, &circle).await.member_list_version, before.member_list_version + 1);
    assert_eq!(world.seen(&c, &circle).await, [0; 0]);
    assert_eq!(done(world.change(&c, &circle, Change::Leave).await).seq, 0, "came and went between two entries");
    let line = world.line(&c, &circle).await;
    assert_eq!((line.head_seq, line.unread, line.last), (3, 0, None));
    assert_eq!(world.says_to(&a, &circle, "4").await.seq, 4);
    assert_eq!(world.line(&c, &circle).await.head_seq, 3);
    assert_eq!(world.seen(&c, &circle).await, [0; 0]);
    done(world.join(&c, &circle, "", "").await);
    assert_eq!(world.says_to(&a, &circle, "5").await.seq, 5);
    assert_eq!((world.seen(&c, &circle).await, world.line(&c, &circle).await.unread), (vec![5], 1));
    world.recorder.grouped();
    assert_eq!(done(world.change(&c, &circle, Change::Leave).await).seq, 0);
    assert_eq!(told(&world.recorder.grouped(), &circle), [format!("out {}", c.user.0)]);
    assert_eq!(done(world.change(&a, &circle, remove(&[&b])).await).seq, 6, "who is sent away is told");
    let receipts = world.store.group_receipts(circle.group, a.user, 5).await.expect("read").expect("there");
    assert_eq!((receipts.members, receipts.read), (TOLD_MEMBERS_MAX - 1, 0));
    fixture.close(world.store);
}
