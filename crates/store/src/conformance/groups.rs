//! Groups: their numbers, who may do what, who comes in, and what is told of it.

use hongyan_domain::group::{Change, Event, HistoryPolicy, JoinPolicy, Joining, Policies, Profile, Role};
use hongyan_domain::id::ConversationId;
use hongyan_domain::message::{Alteration, Draft};
use hongyan_domain::refusal::Refusal;
use hongyan_domain::session::EndReason;
use hongyan_domain::time::UnixMillis;

use super::Fixture;
use super::group_world::{ALL, Circle, done, in_short, invite, remove, told};
use super::world::{NOW, Person, World, name};
use crate::groups::{Asker, ChangeGroup, CreateGroup, GroupAppend, GroupLine, GroupNewsWhat, GroupOutcome, JoinGroup};
use crate::timeline::Deletion;
use crate::{Error, Feed, Groups, Sessions, Timeline};

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
