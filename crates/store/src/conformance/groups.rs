//! Groups: their numbers, who may do what, who sees what, and what is told of it.

use std::sync::Arc;

use bytes::Bytes;
use hongyan_domain::app::AppSettings;
use hongyan_domain::group::{
    Change, Event, HistoryPolicy, JoinPolicy, Joining, Mentions, Policies, Profile, Role, TOLD_MEMBERS_MAX,
};
use hongyan_domain::id::{ConversationId, UserId};
use hongyan_domain::message::{Alteration, Draft};
use hongyan_domain::receipt::CursorAdvance;
use hongyan_domain::refusal::Refusal;
use hongyan_domain::session::{EndReason, Term};
use hongyan_domain::time::UnixMillis;

use super::Fixture;
use super::world::{NOW, Person, World, name};
use crate::feed::CommittedWhat;
use crate::groups::{
    Asker, ChangeGroup, CreateGroup, GroupAppend, GroupLine, GroupNews, GroupNewsWhat, GroupOutcome, GroupReceipts,
    GroupsQuery, JoinGroup,
};
use crate::timeline::{About, Answer, Deletion, HistoryPage, HistoryQuery, InboxWhat, Marked, What};
use crate::{Accounts, Error, Feed, Groups, Sessions, Store, Timeline};

/// Owner, and who is in the group with them.
pub(super) struct Circle {
    pub(super) group: ConversationId,
    pub(super) name: hongyan_domain::name::Name,
}

impl<S: Store> World<S> {
    pub(super) fn asks(&self, who: &Person) -> Asker {
        let client_id = self.fresh_id();
        Asker {
            app: self.app,
            user: who.user,
            name: who.name.clone(),
            session: who.session,
            client_id,
            digest: u64::from_be_bytes(*client_id.0.last_chunk().expect("16 bytes")) | 1 << 63,
            now: NOW,
        }
    }

    fn creation(&self, owner: &Person, text: &str, policies: Policies, others: &[&Person]) -> CreateGroup {
        CreateGroup {
            by: self.asks(owner),
            name: name(text),
            profile: Profile { title: Some(format!("title of {text}")), ..Profile::default() },
            policies,
            users: others.iter().map(|person| person.user).collect(),
        }
    }

    pub(super) async fn group(&self, owner: &Person, text: &str, policies: Policies, others: &[&Person]) -> Circle {
        let create = self.creation(owner, text, policies, others);
        let answer = done(self.store.create_group(create).await.expect("stored"));
        Circle { group: ConversationId(answer.seq as i64), name: name(text) }
    }

    pub(super) async fn change(&self, who: &Person, circle: &Circle, change: Change) -> GroupOutcome {
        let change = ChangeGroup { by: self.asks(who), group: circle.group, change };
        self.store.change_group(change).await.expect("stored")
    }

    async fn refused(&self, who: &Person, circle: &Circle, change: Change) -> Refusal {
        match self.change(who, circle, change).await {
            GroupOutcome::Refused(refusal) => refusal,
            other => panic!("not refused: {other:?}"),
        }
    }

    async fn join(&self, who: &Person, circle: &Circle, link: &str, text: &str) -> GroupOutcome {
        let joining = Joining { link: link.to_owned(), text: text.to_owned() };
        let join = JoinGroup { by: self.asks(who), group: circle.group, joining };
        self.store.join_group(join).await.expect("stored")
    }

    pub(super) fn spoken(&self, who: &Person, circle: &Circle, text: &str) -> GroupAppend {
        let draft = Draft { body: Bytes::copy_from_slice(text.as_bytes()), ..Draft::default() };
        self.drafted(who, circle, draft)
    }

    pub(super) fn drafted(&self, who: &Person, circle: &Circle, draft: Draft) -> GroupAppend {
        let (by, settings) = (self.asks(who), Arc::new(AppSettings::default()));
        GroupAppend { by, group: circle.group, seen_seq: 0, what: What::Message(draft), settings }
    }

    fn mention(&self, who: &Person, circle: &Circle, users: &[UserId], all: bool) -> GroupAppend {
        let mentions = Mentions { users: users.iter().map(|user| user.0).collect(), all };
        self.drafted(who, circle, Draft { mentions: Some(Box::new(mentions)), ..Draft::default() })
    }

    pub(super) fn altered(&self, who: &Person, circle: &Circle, target: u64, alteration: Alteration) -> GroupAppend {
        GroupAppend { what: What::Alter { target, alteration }, ..self.spoken(who, circle, "") }
    }

    pub(super) async fn post(&self, append: GroupAppend) -> GroupOutcome {
        self.store.append_to_groups(vec![append]).await.expect("stored").remove(0)
    }

    async fn says_to(&self, who: &Person, circle: &Circle, text: &str) -> Answer {
        done(self.post(self.spoken(who, circle, text)).await)
    }

    pub(super) async fn line(&self, who: &Person, circle: &Circle) -> GroupLine {
        let query = GroupsQuery { only: Some(circle.group), limit: 1, ..GroupsQuery::default() };
        self.store.groups_of(who.user, query).await.expect("read").groups.remove(0)
    }

    async fn log(&self, who: &Person, circle: &Circle, query: HistoryQuery) -> HistoryPage {
        self.store.group_history(circle.group, who.user, query).await.expect("read").expect("was a member")
    }

    /// What somebody sees of the whole log.
    pub(super) async fn seen(&self, who: &Person, circle: &Circle) -> Vec<u64> {
        self.log(who, circle, ALL).await.entries.iter().map(|entry| entry.seq).collect()
    }

    pub(super) async fn marks(&self, who: &Person, circle: &Circle, seq: u64) -> Marked {
        self.store.mark_group_read(self.asks(who), circle.group, seq).await.expect("stored").expect("was a member")
    }

    async fn hides(&self, who: &Person, circle: &Circle, up_to_seq: u64, seqs: &[u64]) -> bool {
        let deletion = Deletion { up_to_seq, seqs: seqs.to_vec() };
        self.store.delete_in_group(self.asks(who), circle.group, deletion).await.expect("stored")
    }

    async fn changed_since(&self, who: &Person, since: u64) -> Vec<ConversationId> {
        let query = GroupsQuery { since, limit: 100, ..GroupsQuery::default() };
        let page = self.store.groups_of(who.user, query).await.expect("read");
        page.groups.iter().map(|line| line.group).collect()
    }
}

const ALL: HistoryQuery =
    HistoryQuery { before_seq: None, after_seq: Some(0), changed_after: None, limit: 1_000, bytes_max: usize::MAX };

pub(super) fn done(outcome: GroupOutcome) -> Answer {
    match outcome {
        GroupOutcome::Done(answer) => answer,
        other => panic!("not done: {other:?}"),
    }
}

fn invite(people: &[&Person]) -> Change {
    Change::Invite(people.iter().map(|person| person.user).collect())
}

fn remove(people: &[&Person]) -> Change {
    Change::Remove(people.iter().map(|person| person.user).collect())
}

/// News in short, such as `In 5 1` and `3`.
fn told(news: &[GroupNews], circle: &Circle) -> Vec<String> {
    let line = |news: &GroupNews| {
        assert_eq!((news.group, &news.name), (circle.group, &circle.name));
        match &news.what {
            GroupNewsWhat::Entry { entry, .. } => entry.seq.to_string(),
            GroupNewsWhat::In(user, from) => format!("in {} {from}", user.0),
            GroupNewsWhat::Out(user) => format!("out {}", user.0),
        }
    };
    news.iter().map(line).collect()
}

fn in_short(what: &InboxWhat) -> String {
    match what {
        InboxWhat::Membership { member: true } => "in".to_owned(),
        InboxWhat::Membership { member: false } => "out".to_owned(),
        InboxWhat::Mentioned { seq } => format!("@{seq}"),
        InboxWhat::Read { seq, unread } => format!("read {seq} {unread}"),
        InboxWhat::Deleted(deletion) => format!("hid {} {:?}", deletion.up_to_seq, deletion.seqs),
        other => panic!("nothing of a group: {other:?}"),
    }
}

/// One log without gaps, whoever writes, of whatever kind.
pub async fn a_group_has_one_log_without_gaps<F: Fixture>(fixture: &F) {
    let world = World::new(fixture).await;
    let (a, b, c) = (world.person("a").await, world.person("b").await, world.person("c").await);
    let store = &world.store;
    let create = world.creation(&a, "g", Policies::default(), &[&b, &b, &a]);
    let answer = done(store.create_group(create.clone()).await.expect("stored"));
    let circle = Circle { group: ConversationId(answer.seq as i64), name: name("g") };
    assert_eq!(store.create_group(create.clone()).await, Ok(GroupOutcome::Repeated(answer)));
    let other = CreateGroup { by: Asker { digest: 1, ..create.by.clone() }, ..create };
    assert_eq!(store.create_group(other).await, Ok(GroupOutcome::Conflict));
    let taken = world.creation(&b, "g", Policies::default(), &[]);
    assert_eq!(store.create_group(taken).await, Ok(GroupOutcome::Refused(Refusal::Conflict)));
    assert_eq!(store.group_id(world.app, name("g")).await, Ok(Some(circle.group)));
    assert_eq!(store.group_id(world.app, name("h")).await, Ok(None));
    assert_eq!(store.group_name(circle.group).await, Ok(name("g")));

    let uncounted = Draft { uncounted: true, ..Draft::default() };
    let calls = vec![
        world.spoken(&a, &circle, "one"),
        world.drafted(&a, &circle, uncounted),
        world.altered(&a, &circle, 3, Alteration::React { name: "+".into(), remove: false }),
        world.spoken(&a, &circle, "two"),
    ];
    let answers = store.append_to_groups(calls).await.expect("stored").into_iter().map(done);
    let numbers: Vec<_> =
        answers.map(|answer| (answer.seq, answer.message_count, answer.inbox_seq, answer.time)).collect();
    assert_eq!(numbers, [(3, 1, 0, NOW), (4, 1, 0, NOW), (5, 1, 0, NOW), (6, 2, 0, NOW)]);
    assert_eq!(done(world.change(&a, &circle, invite(&[&c])).await).seq, 7);
    assert_eq!(world.says_to(&c, &circle, "three").await.seq, 8);
    let page = world.log(&a, &circle, ALL).await;
    let kinds: Vec<_> = page.entries.iter().map(|entry| (entry.seq, entry.event.as_deref().cloned())).collect();
    let joined = |users: &[&Person]| Some(Event::Joined(users.iter().map(|person| person.user.0).collect()));
    assert_eq!(
        kinds,
        [
            (1, Some(Event::Created("title of g".into()))),
            (2, joined(&[&b])),
            (3, None),
            (4, None),
            (5, None),
            (6, None),
            (7, joined(&[&c])),
            (8, None)
        ]
    );
    assert_eq!(page.entries[4].change_of, 3);
    assert_eq!(page.entries[2].reactions.len(), 1);
    let line = world.line(&b, &circle).await;
    assert_eq!((line.head_seq, line.unread, line.member_count, line.owner), (8, 3, 3, a.user));
    fixture.close(world.store);
}

/// De-duplication comes before every decision.
pub async fn who_spoke_is_answered_again_whatever_their_rights<F: Fixture>(fixture: &F) {
    let world = World::new(fixture).await;
    let (a, b) = (world.person("a").await, world.person("b").await);
    let circle = world.group(&a, "g", Policies::default(), &[&b]).await;
    let words = world.spoken(&b, &circle, "hello");
    let answer = done(world.post(words.clone()).await);
    let nick = ChangeGroup { by: world.asks(&b), group: circle.group, change: Change::Nickname("bee".into()) };
    let named = done(world.store.change_group(nick.clone()).await.expect("stored"));
    assert_eq!(
        world.store.answered(circle.group, b.user, words.by.client_id).await.expect("read").map(|it| it.1),
        Some(answer)
    );
    let other = GroupAppend { by: Asker { digest: 7, ..words.by.clone() }, ..words.clone() };
    assert_eq!(world.post(other.clone()).await, GroupOutcome::Conflict);

    done(world.change(&a, &circle, remove(&[&b])).await);
    assert_eq!(world.post(world.spoken(&b, &circle, "late")).await, GroupOutcome::Refused(Refusal::NotFound));
    assert_eq!(world.post(words.clone()).await, GroupOutcome::Repeated(answer));
    assert_eq!(world.post(other.clone()).await, GroupOutcome::Conflict);
    assert_eq!(world.store.change_group(nick.clone()).await, Ok(GroupOutcome::Repeated(named)));
    world.store.end_session(b.session, EndReason::Revoked, NOW).await.expect("stored");
    let calls = vec![words.clone(), world.spoken(&b, &circle, "dead"), other];
    let outcomes = world.store.append_to_groups(calls).await.expect("stored");
    assert_eq!(outcomes, [GroupOutcome::Repeated(answer), GroupOutcome::SessionEnded, GroupOutcome::Conflict]);
    assert_eq!(world.store.change_group(nick).await, Ok(GroupOutcome::Repeated(named)));
    let leave = ChangeGroup { by: world.asks(&b), group: circle.group, change: Change::Leave };
    assert_eq!(world.store.change_group(leave).await, Ok(GroupOutcome::SessionEnded));
    let create = world.creation(&b, "h", Policies::default(), &[]);
    assert_eq!(world.store.create_group(create).await, Ok(GroupOutcome::SessionEnded));
    let join = JoinGroup { by: world.asks(&b), group: circle.group, joining: Joining::default() };
    assert_eq!(world.store.join_group(join).await, Ok(GroupOutcome::SessionEnded));
    assert_eq!(world.store.mark_group_read(world.asks(&b), circle.group, 1).await, Err(Error::SessionEnded));
    let deletion = Deletion { up_to_seq: 1, seqs: vec![] };
    assert_eq!(world.store.delete_in_group(world.asks(&b), circle.group, deletion).await, Err(Error::SessionEnded));
    assert_eq!(world.seen(&a, &circle).await, [1, 2, 3, 4], "nothing more was written");
    fixture.close(world.store);
}

/// The table of PROTOCOL.md §21, where it is committed.
pub async fn the_roles_of_a_group_decide<F: Fixture>(fixture: &F) {
    let world = World::new(fixture).await;
    let (a, b, c, d) =
        (world.person("a").await, world.person("b").await, world.person("c").await, world.person("d").await);
    let circle = world.group(&a, "g", Policies::default(), &[&b, &c]).await;
    for change in [invite(&[&d]), remove(&[&b]), Change::Mute(b.user, 1), Change::MuteAll(true), Change::Dissolve] {
        assert_eq!(world.refused(&c, &circle, change.clone()).await, Refusal::NotAllowed);
        assert_eq!(world.refused(&d, &circle, change).await, Refusal::NotFound, "who is no member learns nothing");
    }
    assert_eq!(world.refused(&a, &circle, Change::Leave).await, Refusal::NotAllowed);
    assert_eq!(done(world.change(&a, &circle, Change::Admin(b.user, true)).await).seq, 3);
    assert_eq!(done(world.change(&a, &circle, Change::Admin(b.user, true)).await).seq, 0, "is one already");
    assert_eq!(world.refused(&b, &circle, remove(&[&a])).await, Refusal::NotAllowed);
    assert_eq!(world.refused(&b, &circle, remove(&[&d])).await, Refusal::NotFound);
    let before = world.seen(&a, &circle).await;
    assert_eq!(world.refused(&b, &circle, remove(&[&c, &a])).await, Refusal::NotAllowed);
    assert_eq!(world.seen(&a, &circle).await, before, "all or nothing");

    done(world.change(&b, &circle, Change::Mute(c.user, 60)).await);
    assert_eq!(world.line(&c, &circle).await.member.expect("is in").muted_until, UnixMillis(NOW.0 + 60_000));
    assert_eq!(world.post(world.spoken(&c, &circle, "!")).await, GroupOutcome::Refused(Refusal::NotAllowed));
    let mut later = world.spoken(&c, &circle, "!");
    later.by.now = UnixMillis(NOW.0 + 60_000);
    let spoken = done(world.post(later).await).seq;
    done(world.change(&b, &circle, Change::Mute(c.user, 0)).await);
    done(world.change(&b, &circle, Change::MuteAll(true)).await);
    assert_eq!(world.post(world.spoken(&c, &circle, "!")).await, GroupOutcome::Refused(Refusal::NotAllowed));
    assert_eq!(world.post(world.mention(&c, &circle, &[], true)).await, GroupOutcome::Refused(Refusal::NotAllowed));
    done(world.post(world.altered(&c, &circle, spoken, Alteration::Recall)).await);
    let own = world.says_to(&b, &circle, "admins speak").await.seq;
    done(world.post(world.altered(&a, &circle, own, Alteration::Recall)).await);
    let own = world.says_to(&a, &circle, "an owner's word").await.seq;
    let recall = world.altered(&b, &circle, own, Alteration::Recall);
    assert_eq!(world.post(recall).await, GroupOutcome::Refused(Refusal::NotAllowed));
    let event = world.altered(&a, &circle, 1, Alteration::Recall);
    assert_eq!(world.post(event).await, GroupOutcome::Refused(Refusal::NotFound), "what has happened has happened");

    done(world.change(&a, &circle, Change::Owner(b.user)).await);
    let (old, new) = (world.line(&a, &circle).await, world.line(&b, &circle).await);
    assert_eq!(
        (old.owner, old.member.expect("in").role, new.member.expect("in").role),
        (b.user, Role::Admin, Role::Owner)
    );
    assert_eq!(world.refused(&a, &circle, Change::Dissolve).await, Refusal::NotAllowed);
    done(world.change(&a, &circle, Change::Leave).await);
    fixture.close(world.store);
}

/// Texts, rules and pins are one row, told in the log, and raise its version.
pub async fn a_group_has_texts_rules_and_pins<F: Fixture>(fixture: &F) {
    let world = World::new(fixture).await;
    let (a, b) = (world.person("a").await, world.person("b").await);
    let circle = world.group(&a, "g", Policies::default(), &[&b]).await;
    let text = |text: &str| Some(text.to_owned());
    let profile = |title, intro| Change::Profile(Profile { title, intro, avatar: None });
    assert_eq!(done(world.change(&a, &circle, profile(None, text("why"))).await).seq, 0);
    assert_eq!(done(world.change(&a, &circle, profile(text("new"), None)).await).seq, 3);
    assert_eq!(done(world.change(&a, &circle, Change::Announcement("hear".into())).await).seq, 4);
    let policies = Policies { join: JoinPolicy::Open, history: HistoryPolicy::Everything, members_invite: true };
    done(world.change(&a, &circle, Change::Policies(policies)).await);
    assert_eq!(world.says_to(&b, &circle, "pin me").await.seq, 5);
    assert_eq!(done(world.change(&a, &circle, Change::Pin(5, true)).await).seq, 6);
    assert_eq!(done(world.change(&a, &circle, Change::Pin(5, true)).await).seq, 0);
    for seq in [0, 1, 4, 6, 7, u64::MAX >> 1] {
        assert_eq!(world.refused(&a, &circle, Change::Pin(seq, true)).await, Refusal::NotFound, "{seq} is no message");
    }
    done(world.change(&b, &circle, Change::Nickname("bee".into())).await);
    let line = world.line(&b, &circle).await;
    assert_eq!(line.profile, Profile { title: text("new"), intro: text("why"), avatar: text("") });
    assert_eq!((line.announcement.as_str(), line.policies, line.pinned.clone()), ("hear", policies, vec![5]));
    assert_eq!((line.nickname.as_str(), line.profile_version > 5, line.muted_all), ("bee", true, false));
    assert_eq!(done(world.change(&a, &circle, Change::Pin(5, false)).await).seq, 7);
    assert_eq!(world.line(&b, &circle).await.pinned, [0; 0]);
    fixture.close(world.store);
}

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

/// By link, by request, by an open door; those who keep order are told to look.
pub async fn people_join_by_the_door_that_is_open<F: Fixture>(fixture: &F) {
    let world = World::new(fixture).await;
    let (a, b, c, d) =
        (world.person("a").await, world.person("b").await, world.person("c").await, world.person("d").await);
    let circle = world.group(&a, "g", Policies::default(), &[]).await;
    assert_eq!(world.join(&b, &circle, "", "").await, GroupOutcome::Refused(Refusal::NotAllowed));
    done(world.change(&a, &circle, Change::NewLink("door".into())).await);
    assert_eq!(world.store.group_link(circle.group).await, Ok("door".to_owned()));
    assert_eq!(world.join(&b, &circle, "other", "").await, GroupOutcome::Refused(Refusal::NotAllowed));
    assert_eq!(done(world.join(&b, &circle, "door", "").await).seq, 2);
    assert_eq!(done(world.join(&b, &circle, "door", "").await).seq, 0, "is in already");

    let asked = Policies { join: JoinPolicy::Asked, ..Policies::default() };
    done(world.change(&a, &circle, Change::Policies(asked)).await);
    done(world.change(&a, &circle, Change::Admin(b.user, true)).await); // 3
    let token = world.store.token();
    let answer = done(world.join(&c, &circle, "", "let me in").await);
    assert_eq!((answer.seq, answer.message_count), (0, 1));
    assert_eq!(done(world.join(&d, &circle, "", "me too").await).message_count, 1);
    let asking = |line: GroupLine| line.asking.iter().map(|asking| asking.text.clone()).collect::<Vec<_>>();
    assert_eq!(asking(world.line(&a, &circle).await), ["let me in", "me too"]);
    assert_eq!(world.changed_since(&b, token).await, [circle.group]);
    let token = world.store.token();
    done(world.join(&c, &circle, "", "please").await);
    assert_eq!(world.changed_since(&b, token).await, [circle.group], "the new text, too");
    assert_eq!(asking(world.line(&b, &circle).await), ["please", "me too"]);
    assert_eq!(world.refused(&a, &circle, Change::Admission(b.user, false)).await, Refusal::NotFound);
    assert_eq!(done(world.change(&b, &circle, Change::Admission(d.user, false)).await).seq, 0);
    assert_eq!(done(world.change(&b, &circle, Change::Admission(c.user, true)).await).seq, 4);
    assert_eq!(asking(world.line(&a, &circle).await), Vec::<String>::new());
    assert_eq!(world.seen(&c, &circle).await, [4]);
    done(world.join(&d, &circle, "", "again").await);
    assert_eq!(asking(world.line(&c, &circle).await), Vec::<String>::new(), "members do not decide");

    let open = Policies { join: JoinPolicy::Open, ..Policies::default() };
    done(world.change(&a, &circle, Change::Policies(open)).await);
    assert_eq!(done(world.join(&d, &circle, "", "").await).seq, 5);
    assert_eq!(asking(world.line(&a, &circle).await), Vec::<String>::new(), "who is in asks no more");
    let keepers = world.inbox(&b).await;
    let short: Vec<_> = keepers.iter().map(|entry| in_short(&entry.what)).collect();
    assert_eq!(short, ["in", "in", "in", "in", "in"], "came in, and four requests to look at");
    fixture.close(world.store);
}

/// Who keeps order when somebody asks is told, also if that has just changed.
pub async fn who_keeps_order_now_is_told_who_asks<F: Fixture>(fixture: &F) {
    let world = World::new(fixture).await;
    let (a, b, c, d) =
        (world.person("a").await, world.person("b").await, world.person("c").await, world.person("d").await);
    let asked = Policies { join: JoinPolicy::Asked, ..Policies::default() };
    let circle = world.group(&a, "g", asked, &[&b, &c]).await;
    done(world.change(&a, &circle, Change::Admin(c.user, true)).await);
    let change = |change| {
        let change = ChangeGroup { by: world.asks(&a), group: circle.group, change };
        world.store.change_group(change)
    };
    // All of it waits together.
    let (promoted, removed) = (change(Change::Admin(b.user, true)), change(remove(&[&c])));
    let joining = Joining::default();
    let asks = world.store.join_group(JoinGroup { by: world.asks(&d), group: circle.group, joining });
    for outcome in [promoted.await, removed.await, asks.await] {
        done(outcome.expect("stored"));
    }
    for (person, expected) in [(&a, vec!["in", "in"]), (&b, vec!["in", "in"]), (&c, vec!["in", "out"])] {
        let inbox = world.inbox(person).await;
        assert_eq!(inbox.iter().map(|entry| in_short(&entry.what)).collect::<Vec<_>>(), expected);
    }
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

/// A group that has ended is read, and left, and nothing else.
pub async fn a_dissolved_group_can_be_read<F: Fixture>(fixture: &F) {
    let world = World::new(fixture).await;
    let (a, b) = (world.person("a").await, world.person("b").await);
    let open = Policies { join: JoinPolicy::Open, ..Policies::default() };
    let circle = world.group(&a, "g", open, &[&b]).await;
    world.says_to(&a, &circle, "3").await;
    assert_eq!(done(world.change(&a, &circle, Change::Dissolve).await).seq, 4);
    let late = [
        world.spoken(&a, &circle, "late"),
        world.altered(&a, &circle, 3, Alteration::Recall),
        world.altered(&b, &circle, 3, Alteration::React { name: "+".into(), remove: false }),
    ];
    for append in late {
        assert_eq!(world.post(append).await, GroupOutcome::Refused(Refusal::NotAllowed));
    }
    for change in [Change::Dissolve, Change::Nickname("x".into()), invite(&[&b]), remove(&[&b])] {
        assert_eq!(world.refused(&a, &circle, change).await, Refusal::NotAllowed);
    }
    let c = world.person("c").await;
    assert_eq!(world.join(&c, &circle, "", "").await, GroupOutcome::Refused(Refusal::NotFound));
    let line = world.line(&b, &circle).await;
    assert_eq!((line.dissolved, line.head_seq, line.unread), (true, 4, 1));
    assert_eq!(world.marks(&b, &circle, 9).await.unread, 0);
    assert_eq!(world.seen(&b, &circle).await, [2, 3, 4]);
    for person in [&a, &b] {
        assert_eq!(done(world.change(person, &circle, Change::Leave).await).seq, 0, "nobody is told any more");
        assert_eq!(world.line(person, &circle).await.member, None);
        assert_eq!(world.store.stays_of(person.user).await, Ok(vec![]));
    }
    assert_eq!(world.seen(&b, &circle).await, [2, 3, 4]);
    let again = world.creation(&a, "g", open, &[]);
    assert_eq!(
        world.store.create_group(again).await,
        Ok(GroupOutcome::Refused(Refusal::Conflict)),
        "its name stays taken"
    );
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

/// The listener hears who comes before the entry that tells it, who goes after it, and names of everybody in it.
pub async fn the_listener_hears_groups_in_order<F: Fixture>(fixture: &F) {
    let world = World::new(fixture).await;
    let (a, b, c) = (world.person("a").await, world.person("b").await, world.person("c").await);
    let circle = world.group(&a, "g", Policies::default(), &[&b]).await;
    let expected = [format!("in {} 1", a.user.0), "1".into(), format!("in {} 2", b.user.0), "2".into()];
    assert_eq!(told(&world.recorder.grouped(), &circle), expected);
    world.says_to(&a, &circle, "3").await;
    for (person, seq) in [(&a, 4), (&b, 5)] {
        let react = world.altered(person, &circle, 3, Alteration::React { name: "+".into(), remove: false });
        assert_eq!(done(world.post(react).await).seq, seq);
    }
    let news = world.recorder.grouped();
    assert_eq!(told(&news, &circle), ["3", "4", "5"]);
    let GroupNewsWhat::Entry { entry, target: Some(target), names } = &news[2].what else { panic!("no change") };
    assert_eq!((entry.change_of, target.seq, target.changed_seq), (3, 3, 5));
    for person in [&a, &b] {
        assert_eq!(names.get(&person.user), Some(&person.name), "whoever gave a reaction is named");
    }
    let page = world.log(&a, &circle, ALL).await;
    assert_eq!(page.entries[2], **target, "what was told is what is kept");
    assert_eq!(page.entries[4], **entry);
    done(world.change(&a, &circle, invite(&[&c])).await);
    done(world.change(&a, &circle, remove(&[&b, &c])).await);
    let mut out = [b.user, c.user];
    out.sort();
    let [first, second] = out.map(|user| format!("out {}", user.0));
    let news = world.recorder.grouped();
    assert_eq!(told(&news, &circle), [format!("in {} 6", c.user.0), "6".into(), "7".into(), first, second]);
    let GroupNewsWhat::Entry { names, .. } = &news[2].what else { panic!("no entry") };
    assert_eq!(names.len(), 3);
    fixture.close(world.store);
}

/// Everything is there after a restart, and numbers go on.
pub async fn a_restart_keeps_groups<F: Fixture>(fixture: &F) {
    let world = World::new(fixture).await;
    let (a, b) = (world.person("a").await, world.person("b").await);
    let circle = world.group(&a, "g", Policies::default(), &[&b]).await;
    world.says_to(&a, &circle, "3").await;
    done(world.post(world.mention(&a, &circle, &[b.user], false)).await);
    world.marks(&b, &circle, 3).await;
    let before = (world.line(&a, &circle).await, world.line(&b, &circle).await, world.log(&b, &circle, ALL).await);
    let World { store, recorder, app, .. } = world;
    fixture.close(store);
    let store = fixture.open(recorder.clone());
    let world = World::reopened(store, recorder, app);
    let after = (world.line(&a, &circle).await, world.line(&b, &circle).await, world.log(&b, &circle, ALL).await);
    assert_eq!(before, after);
    assert_eq!(world.says_to(&b, &circle, "5").await.seq, 5);
    fixture.close(world.store);
}
