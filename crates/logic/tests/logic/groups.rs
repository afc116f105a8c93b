//! Groups as a gate sees them: made, talked in, read, left; what is refused, and what is told to whom in which order.

use hongyan_cluster::bus::GroupNotice;
use hongyan_domain::session::Term;
use hongyan_domain::spam::Class;
use hongyan_logic::{LogicOptions, Rate};
use hongyan_wire::command::Operation;
use hongyan_wire::proto;
use hongyan_wire::proto::RefusalCode;
use prost::Message;
use proto::change_group_request::What;
use proto::group_event::What as Told;

use crate::world::{Device, Push, World, code, generous};

impl World {
    async fn group_of(&self, owner: &Device, users: &[&str]) -> proto::CreateGroupAnswer {
        let request = self.creation("circle", "Our circle", users);
        self.ask(owner, Operation::CreateGroup, request).await
    }

    fn creation(&self, group: &str, title: &str, users: &[&str]) -> proto::CreateGroupRequest {
        proto::CreateGroupRequest {
            id: 1,
            client_request_id: self.client_id(),
            group: group.into(),
            profile: Some(proto::GroupProfile { title: Some(title.into()), intro: None, avatar: None }),
            users: users.iter().map(ToString::to_string).collect(),
            ..Default::default()
        }
    }

    async fn changes_to(&self, device: &Device, group: &str, what: What) -> proto::ChangeGroupAnswer {
        let (client_request_id, what) = (self.client_id(), Some(what));
        let request = proto::ChangeGroupRequest { id: 1, group: group.into(), client_request_id, what };
        self.ask(device, Operation::ChangeGroup, request).await
    }

    async fn changes(&self, device: &Device, what: What) -> proto::ChangeGroupAnswer {
        self.changes_to(device, "circle", what).await
    }

    fn to_circle(&self, words: &str) -> proto::SendRequest {
        proto::SendRequest { to: Some(proto::send_request::To::Group("circle".into())), ..self.text("", words) }
    }

    async fn tells(&self, device: &Device, words: &str) -> proto::SendAnswer {
        self.send(device, &[self.to_circle(words)]).await.remove(0)
    }

    async fn log_of(&self, device: &Device, group: &str) -> proto::HistoryAnswer {
        let request = proto::HistoryRequest { id: 1, group: group.into(), limit: 100, ..Default::default() };
        self.ask(device, Operation::History, request).await
    }

    async fn list(&self, device: &Device, request: proto::GroupsRequest) -> proto::GroupsAnswer {
        self.ask(device, Operation::Groups, proto::GroupsRequest { id: 1, limit: 10, ..request }).await
    }

    async fn line(&self, device: &Device) -> proto::Group {
        let answer = self.list(device, proto::GroupsRequest { group: "circle".into(), ..Default::default() }).await;
        answer.groups.into_iter().next().expect("it is listed")
    }

    /// What the gate was told of groups, up to the entry of this number.
    async fn noticed_until(&self, last: u64) -> Vec<String> {
        let mut lines = Vec::new();
        for _ in 0..1_000 {
            lines.extend(self.gate.notices().iter().map(line));
            if lines.iter().any(|line| line.starts_with(&format!("{last} "))) {
                return lines;
            }
            tokio::task::yield_now().await;
        }
        panic!("it was not told, only {lines:?}");
    }
}

/// A notice in short: `in 5`, `out`, `3 ann: hello`.
fn line(notice: &GroupNotice) -> String {
    match notice {
        GroupNotice::Entry { seq, entry, name, .. } => {
            assert_eq!(name.as_str(), "circle");
            let entry = proto::Entry::decode(entry.clone()).unwrap();
            assert_eq!((entry.seq, entry.own, entry.client_message_id.len()), (*seq, false, 16));
            format!("{seq} {}: {}", entry.sender, words(&entry))
        }
        GroupNotice::In { from, .. } => format!("in {from}"),
        GroupNotice::Out { .. } => "out".into(),
    }
}

fn words(entry: &proto::Entry) -> String {
    let target = entry.change.as_ref().map(|change| {
        let target = change.target.as_ref().map(|target| words(target)).unwrap_or_default();
        format!("changed {} {target}", change.target_seq)
    });
    let told = entry.event.as_ref().and_then(|event| event.what.as_ref()).map(|what| match what {
        Told::Created(title) => format!("created {title}"),
        Told::Joined(people) => format!("+{}", people.users.join(" ")),
        Told::Left(people) => format!("-{}", people.users.join(" ")),
        other => format!("{other:?}"),
    });
    let reactions = entry.reactions.iter().map(|given| format!(" {}{}", given.name, given.users.join(" ")));
    let text = String::from_utf8_lossy(&entry.body).into_owned();
    target.or(told).unwrap_or(text) + &reactions.collect::<String>()
}

fn users(names: &[&str]) -> proto::GroupUsers {
    proto::GroupUsers { users: names.iter().map(ToString::to_string).collect() }
}

#[tokio::test]
async fn a_group_from_its_first_to_its_last_entry() {
    let world = World::with(generous()).await;
    let (ann, bob) = (world.phone("ann").await, world.phone("bob").await);
    world.phone("cid").await;
    let made = world.group_of(&ann, &["bob", "bob", "ann"]).await;
    assert_eq!((made.refusal, made.group.as_str()), (None, "circle"));
    assert_eq!(world.tells(&ann, "hello").await.seq, 3);
    let batch = [world.to_circle("one"), world.text("bob", "between us"), world.to_circle("two")];
    let answers = world.send(&bob, &batch[..1]).await;
    assert_eq!((answers[0].seq, answers[0].inbox_seq), (4, 0));
    let answers = world.send(&ann, &batch[1..]).await;
    assert_eq!(
        answers.iter().map(|answer| (answer.seq, answer.inbox_seq > 0)).collect::<Vec<_>>(),
        [(1, true), (5, false)]
    );
    assert_eq!(world.send(&bob, &batch[..1]).await[0].seq, 4, "once");
    for (device, seq) in [(&ann, 6), (&bob, 7)] {
        let request = proto::ReactRequest {
            id: 1,
            group: "circle".into(),
            seq: 3,
            client_request_id: world.client_id(),
            name: "+".into(),
            ..Default::default()
        };
        let answer: proto::ChangeAnswer = world.ask(device, Operation::React, request).await;
        assert_eq!((answer.refusal, answer.seq), (None, seq));
    }
    let mut spoken = world.to_circle("bob, and ann, and a stranger");
    spoken.mentions = vec!["bob".into(), "ann".into(), "cid".into(), "nobody".into()];
    assert_eq!(world.send(&ann, &[spoken]).await[0].seq, 8);
    assert_eq!(world.line(&bob).await.mention_seq, 8);
    let request = proto::MarkReadRequest { id: 1, group: "circle".into(), seq: 8, ..Default::default() };
    let marked: proto::MarkReadAnswer = world.ask(&bob, Operation::MarkRead, request).await;
    assert_eq!((marked.refusal, marked.read_seq, marked.unread, marked.head_seq), (None, 8, 0, 8));
    assert_eq!(world.changes(&ann, What::Remove(users(&["bob"]))).await.seq, 9);
    assert_eq!(world.tells(&ann, "alone").await.seq, 10);
    assert_eq!(code(&world.tells(&bob, "late").await.refusal), RefusalCode::NotFound);
    let expected = [
        "in 1",
        "1 ann: created Our circle",
        "in 2",
        "2 ann: +bob",
        "3 ann: hello",
        "4 bob: one",
        "5 ann: two",
        "6 ann: changed 3 hello +ann",
        "7 bob: changed 3 hello +bob ann",
        "8 ann: bob, and ann, and a stranger",
        "9 ann: -bob",
        "out",
        "10 ann: alone",
    ];
    assert_eq!(world.noticed_until(10).await, expected);

    let log = world.log_of(&bob, "circle").await;
    assert_eq!((log.low_seq, log.covered_from, log.covered_to), (2, 1, 9));
    let lines: Vec<_> =
        log.entries.iter().map(|entry| format!("{} {}: {}", entry.seq, entry.sender, words(entry))).collect();
    assert_eq!(lines[1], "3 ann: hello +bob ann");
    assert_eq!(
        (log.entries[6].mentions.clone(), log.entries[1].reactions[0].own),
        (vec!["bob".into(), "ann".into()], true)
    );
    let line = world.line(&bob).await;
    assert_eq!((line.left, line.head_seq, line.read_seq, line.unread), (true, 9, 8, 0));
    let inbox = world.sync(&bob, 0, 100).await.entries;
    assert!(inbox.iter().filter(|entry| entry.group == "circle").all(|entry| entry.user.is_empty()));
    let of_groups: Vec<_> =
        inbox.iter().filter(|entry| entry.group == "circle").map(|entry| entry.what.clone()).collect();
    use proto::inbox_entry::What as InInbox;
    assert!(
        matches!(
            of_groups[..],
            [
                Some(InInbox::Membership(_)),
                Some(InInbox::Mentioned(8)),
                Some(InInbox::Read(_)),
                Some(InInbox::Membership(_))
            ]
        ),
        "{of_groups:?}"
    );
    assert!(world.conversations(&bob).await.iter().all(|line| line.user == "ann"), "groups have a list of their own");
}

#[tokio::test]
async fn who_asks_for_their_groups_follows_them_before_they_are_read() {
    let world = World::with(generous()).await;
    let (ann, bob) = (world.phone("ann").await, world.phone("bob").await);
    world.group_of(&ann, &[]).await;
    world.tells(&ann, "before").await;
    world.changes(&ann, What::Invite(users(&["bob"]))).await;
    world.gate.steps.take();
    let first = world.list(&bob, proto::GroupsRequest::default()).await;
    assert_eq!(world.gate.steps.take(), ["begin", "stays", "follow", "groups"]);
    let followed = world.gate.followed(bob.caller.session);
    assert_eq!((followed.len(), followed[0].1), (1, 3), "from the entry that tells the joining");
    assert_eq!((first.groups.len(), first.groups[0].head_seq, first.groups[0].low_seq), (1, 3, 3));
    let later = proto::GroupsRequest { since: first.token, ..Default::default() };
    assert!(world.list(&bob, later.clone()).await.groups.is_empty());
    assert_eq!(world.tells(&ann, "news").await.seq, 4);
    assert_eq!(world.list(&bob, later).await.groups[0].unread, 1);

    world.gate.steps.take();
    world.gate.make_unsteady(1);
    assert_eq!(world.list(&bob, proto::GroupsRequest::default()).await.refusal, None);
    assert_eq!(world.gate.steps.take(), ["begin", "stays", "follow", "begin", "stays", "follow", "groups"]);
    world.gate.make_unsteady(usize::MAX);
    let answer = world.list(&bob, proto::GroupsRequest::default()).await;
    assert_eq!(code(&answer.refusal), RefusalCode::TryLater, "a list that nothing keeps fresh is none");
    assert!(answer.groups.is_empty());
}

#[tokio::test]
async fn who_is_no_member_learns_nothing() {
    let world = World::with(generous()).await;
    let (ann, eve) = (world.phone("ann").await, world.phone("eve").await);
    let namesake = world.device("two", "ann", 1, Term::Mobile).await;
    world.group_of(&ann, &[]).await;
    world.tells(&ann, "a secret").await;
    for (stranger, group) in [(&eve, "circle"), (&eve, "no-group"), (&eve, "not a name"), (&namesake, "circle")] {
        let mut codes = Vec::new();
        let to = Some(proto::send_request::To::Group(group.into()));
        if group != "not a name" {
            let send = proto::SendRequest { to, ..world.text("", "hello") };
            codes.push(code(&world.send(stranger, &[send]).await[0].refusal));
        }
        codes.push(code(&world.log_of(stranger, group).await.refusal));
        for what in
            [What::Leave(proto::GroupNothing {}), What::Invite(users(&["ann"])), What::NewLink(proto::GroupNothing {})]
        {
            codes.push(code(&world.changes_to(stranger, group, what).await.refusal));
        }
        for request in [
            proto::GroupsRequest { group: group.into(), ..Default::default() },
            proto::GroupsRequest { after: group.into(), ..Default::default() },
        ] {
            codes.push(code(&world.list(stranger, request).await.refusal));
        }
        let members = proto::GroupMembersRequest { id: 1, group: group.into(), limit: 9, ..Default::default() };
        let members: proto::GroupMembersAnswer = world.ask(stranger, Operation::GroupMembers, members).await;
        codes.push(code(&members.refusal));
        let receipts = proto::GroupReceiptsRequest { id: 1, group: group.into(), seq: 2 };
        let receipts: proto::GroupReceiptsAnswer = world.ask(stranger, Operation::GroupReceipts, receipts).await;
        codes.push(code(&receipts.refusal));
        let marked = proto::MarkReadRequest { id: 1, group: group.into(), seq: 1, ..Default::default() };
        let marked: proto::MarkReadAnswer = world.ask(stranger, Operation::MarkRead, marked).await;
        codes.push(code(&marked.refusal));
        let deletion = Some(proto::Deletion { up_to_seq: 1, seqs: Vec::new() });
        let deleted = proto::DeleteRequest { id: 1, group: group.into(), deletion, ..Default::default() };
        let deleted: proto::DeleteAnswer = world.ask(stranger, Operation::Delete, deleted).await;
        codes.push(code(&deleted.refusal));
        // A text that no edit may have: of a message that they may not see they learn not even that.
        let body = vec![0xff].into();
        let (client_request_id, group) = (world.client_id(), group.to_owned());
        let edit =
            proto::EditRequest { id: 1, group: group.clone(), seq: 2, client_request_id, body, ..Default::default() };
        let edited: proto::ChangeAnswer = world.ask(stranger, Operation::Edit, edit).await;
        codes.push(code(&edited.refusal));
        assert!(codes.iter().all(|code| *code == RefusalCode::NotFound), "{group}: {codes:?}");
        let cursors = vec![proto::GroupCursor { group: group.clone(), seq: 2 }];
        let request = proto::GroupAckRequest { id: 1, cursors };
        let reply = world.ask_raw(stranger, Operation::GroupAck, request.encode_to_vec().into()).await;
        assert_eq!(code(&proto::GroupAckAnswer::decode(reply.body).unwrap().refusal), RefusalCode::Unspecified);
        assert!(reply.delivered.is_empty(), "and is not believed");
    }
    assert_eq!(world.line(&ann).await.head_seq, 2);
}

#[tokio::test]
async fn what_is_wrong_is_refused_before_it_is_stored() {
    let world = World::with(generous()).await;
    let ann = world.phone("ann").await;
    world.phone("bob").await;
    let create = async |request: proto::CreateGroupRequest| -> RefusalCode {
        let answer: proto::CreateGroupAnswer = world.ask(&ann, Operation::CreateGroup, request).await;
        code(&answer.refusal)
    };
    assert_eq!(create(world.creation("circle", " ", &[])).await, RefusalCode::InvalidArgument);
    assert_eq!(create(world.creation("circle", "two\nlines", &[])).await, RefusalCode::InvalidArgument);
    assert_eq!(create(world.creation("circle", &"x".repeat(129), &[])).await, RefusalCode::InvalidArgument);
    assert_eq!(create(world.creation("a circle", "x", &[])).await, RefusalCode::InvalidArgument);
    assert_eq!(create(world.creation("circle", "x", &["nobody"])).await, RefusalCode::NotFound);
    let odd = proto::CreateGroupRequest { join: 99, ..world.creation("circle", "x", &[]) };
    assert_eq!(create(odd).await, RefusalCode::InvalidArgument);
    let named_by_server = world.creation("", "x", &["bob"]);
    let made: proto::CreateGroupAnswer = world.ask(&ann, Operation::CreateGroup, named_by_server.clone()).await;
    let again: proto::CreateGroupAnswer = world.ask(&ann, Operation::CreateGroup, named_by_server).await;
    assert_eq!((made.refusal, made.group.len(), &again.group), (None, 16, &made.group), "a repeat gets the same name");
    world.group_of(&ann, &[]).await;
    assert_eq!(create(world.creation("circle", "x", &[])).await, RefusalCode::Conflict);

    for what in [
        What::Invite(users(&["nobody"])),
        What::Owner("nobody".into()),
        What::Remove(users(&["bob"])),
        What::Pin(proto::GroupPin { seq: u64::MAX, pinned: true }),
        What::Admission(proto::GroupAdmission { user: "bob".into(), admitted: true }),
    ] {
        assert_eq!(code(&world.changes(&ann, what.clone()).await.refusal), RefusalCode::NotFound, "{what:?}");
    }
    for what in [
        What::Remove(users(&[])),
        What::Nickname("\u{7}".into()),
        What::Announcement("x".repeat(4_097)),
        What::Profile(proto::GroupProfile { title: Some(String::new()), intro: None, avatar: None }),
        What::Role(proto::GroupRoleOf { user: "bob".into(), role: proto::GroupRole::Owner as i32 }),
        What::Policies(proto::GroupPolicies { history: 7, ..Default::default() }),
    ] {
        assert_eq!(code(&world.changes(&ann, what.clone()).await.refusal), RefusalCode::InvalidArgument, "{what:?}");
    }
    assert_eq!(world.line(&ann).await.head_seq, 1, "nothing of it has happened");
    let mut all = world.text("bob", "all of you");
    all.mention_all = true;
    assert_eq!(code(&world.send(&ann, &[all]).await[0].refusal), RefusalCode::InvalidArgument, "only in groups");
}

#[tokio::test]
async fn people_come_in_by_a_link_or_ask() {
    let world = World::with(generous()).await;
    let (ann, bob, cid) = (world.phone("ann").await, world.phone("bob").await, world.phone("cid").await);
    world.group_of(&ann, &[]).await;
    let join = async |device: &Device, link: &str| -> proto::JoinGroupAnswer {
        let (group, client_request_id) = ("circle".into(), world.client_id());
        let request = proto::JoinGroupRequest { id: 1, group, client_request_id, link: link.into(), text: "me".into() };
        world.ask(device, Operation::JoinGroup, request).await
    };
    assert_eq!(code(&join(&bob, "").await.refusal), RefusalCode::NotAllowed);
    let link = world.changes(&ann, What::NewLink(proto::GroupNothing {})).await.link;
    assert_eq!(link.len(), 16);
    let joined = join(&bob, &link).await;
    assert_eq!((joined.refusal, joined.pending), (None, false));
    let newer = world.changes(&ann, What::NewLink(proto::GroupNothing {})).await.link;
    assert_ne!(link, newer);
    assert_eq!(code(&join(&cid, &link).await.refusal), RefusalCode::NotAllowed, "an old link opens nothing");
    let asked = proto::GroupPolicies { join: proto::JoinPolicy::Asked as i32, ..Default::default() };
    world.changes(&ann, What::Policies(asked)).await;
    assert!(join(&cid, "").await.pending);
    let asking = world.line(&ann).await.asking;
    assert_eq!((asking.len(), asking[0].user.as_str(), asking[0].text.as_str()), (1, "cid", "me"));
    assert!(world.line(&bob).await.asking.is_empty());
    let admission = proto::GroupAdmission { user: "cid".into(), admitted: true };
    assert_eq!(world.changes(&ann, What::Admission(admission)).await.seq, 3);
    assert_eq!(world.tells(&cid, "thanks").await.seq, 4);
    let request = proto::GroupMembersRequest { id: 1, group: "circle".into(), limit: 2, ..Default::default() };
    let page: proto::GroupMembersAnswer = world.ask(&cid, Operation::GroupMembers, request.clone()).await;
    assert_eq!((page.members.len(), page.more, page.members[0].role()), (2, true, proto::GroupRole::Owner));
    let known = proto::GroupMembersRequest { member_list_version: page.member_list_version, ..request };
    let page: proto::GroupMembersAnswer = world.ask(&cid, Operation::GroupMembers, known).await;
    assert_eq!((page.members.len(), page.unchanged), (0, true));
}

#[tokio::test]
async fn typing_and_acks_are_of_those_who_follow() {
    let world = World::with(generous()).await;
    let (ann, bob) = (world.phone("ann").await, world.phone("bob").await);
    world.group_of(&ann, &["bob"]).await;
    world.tells(&ann, "hello").await;
    let typing = proto::TypingRequest { id: 1, group: "circle".into(), ..Default::default() };
    world.list(&bob, proto::GroupsRequest::default()).await;
    let answer: proto::TypingAnswer = world.ask(&ann, Operation::Typing, typing.clone()).await;
    assert_eq!(answer.refusal, None);
    let heard = |device| world.pushed(device).into_iter().filter(|push| matches!(push, Push::Typing(_))).count();
    assert_eq!(heard(&bob), 0, "who has not asked for their groups yet types for nobody");
    world.list(&ann, proto::GroupsRequest::default()).await;
    let _: proto::TypingAnswer = world.ask(&ann, Operation::Typing, typing).await;
    assert_eq!((heard(&bob), heard(&ann)), (1, 0));

    let cursors = vec![
        proto::GroupCursor { group: "no-group".into(), seq: 9 },
        proto::GroupCursor { group: "circle".into(), seq: 3 },
    ];
    let request = proto::GroupAckRequest { id: 1, cursors };
    let reply = world.ask_raw(&bob, Operation::GroupAck, request.encode_to_vec().into()).await;
    let group = world.gate.followed(bob.caller.session)[0].0;
    assert_eq!(reply.delivered, [(group, 3)], "one that is none spoils no other");
}

#[tokio::test]
async fn nobody_fills_groups_with_everybody() {
    let few = Rate { burst: 2, per_minute: 1 };
    let world = World::with(LogicOptions { invitations_per_user: few, ..generous() }).await;
    let ann = world.phone("ann").await;
    for user in ["bob", "cid", "dan"] {
        world.phone(user).await;
    }
    assert_eq!(world.group_of(&ann, &["bob"]).await.refusal, None);
    assert_eq!(world.changes(&ann, What::Invite(users(&["cid"]))).await.seq, 3);
    let refused = world.changes(&ann, What::Invite(users(&["dan"]))).await.refusal;
    assert_eq!(code(&refused), RefusalCode::RateLimited);
    assert!(refused.unwrap().retry_after_ms > 0);
}

#[tokio::test]
async fn texts_of_groups_are_judged_and_a_repeat_gets_its_answer_whatever_the_lists_are_now() {
    let world = World::new().await;
    let (ann, bob) = (world.phone("ann").await, world.phone("bob").await);
    let said = world.to_circle("一起赌博");
    let announced = What::Announcement("一起赌博".into());
    let announcement = proto::ChangeGroupRequest {
        id: 1,
        group: "circle".into(),
        client_request_id: world.client_id(),
        what: Some(announced.clone()),
    };
    world.group_of(&ann, &["bob"]).await;
    let before = world.send(&bob, std::slice::from_ref(&said)).await.remove(0);
    let changed: proto::ChangeGroupAnswer = world.ask(&ann, Operation::ChangeGroup, announcement.clone()).await;
    assert_eq!((before.refusal, changed.refusal.clone()), (None, None));

    let app = hongyan_domain::Name::parse("one").unwrap();
    for (class, word) in [(Class::Porn, "赌博"), (Class::Abuse, "笨蛋"), (Class::Advertising, "代开发票")] {
        world.logic.set_words(&app, class, word.to_owned()).await.unwrap();
    }
    let again = world.send(&bob, &[said]).await.remove(0);
    assert_eq!((again.refusal, again.seq), (None, before.seq));
    let again: proto::ChangeGroupAnswer = world.ask(&ann, Operation::ChangeGroup, announcement).await;
    assert_eq!(again, changed);

    for words in ["一起赌博", "代开发票"] {
        assert_eq!(code(&world.tells(&bob, words).await.refusal), RefusalCode::SpamRejected, "nothing waits in groups");
    }
    let bad = |text: &str| proto::GroupProfile { title: Some(text.into()), ..Default::default() };
    let nothing = || What::Nickname("笨蛋".into());
    for what in [announced, What::Profile(bad("赌博")), What::Profile(bad("笨蛋")), nothing()] {
        assert_eq!(code(&world.changes(&ann, what).await.refusal), RefusalCode::SpamRejected);
    }
    let refused = world.changes_to(&bob, "nowhere", nothing()).await;
    assert_eq!(code(&refused.refusal), RefusalCode::SpamRejected, "whether there is such a group is not told");
    assert_eq!(world.tells(&bob, "你这笨蛋").await.refusal, None);
    let log = world.log_of(&ann, "circle").await.entries;
    assert_eq!(log.last().map(|entry| &entry.body[..]), Some("你这**".as_bytes()));
}
