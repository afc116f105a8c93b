//! Rows 6, 37, 39 in groups: what strangers and those who were sent away learn, and races that end as the log says.

use std::sync::Barrier;

use hongyan_wire::command::Operation;
use hongyan_wire::proto::RefusalCode;
use hongyan_wire::proto::change_group_request::What;
use hongyan_wire::proto::group_event::What as Told;
use hongyan_wire::{Command, Event, limits, proto};
use prost::Message;

use crate::place::Place;
use crate::speaker::{Speaker, fresh_id};

const GROUP: &str = "crew";

/// A number in the log, or why there is none.
type Said = Result<u64, RefusalCode>;

/// Rates that a test of something else does not reach.
const GENEROUS: [(&str, &str); 1] =
    [("HONGYAN_LOGIC_GROUP_SENDS_PER_SESSION", "{ burst = 10000, per_minute = 10000 }")];

fn code(refusal: &Option<proto::Refusal>) -> Option<RefusalCode> {
    refusal.as_ref().map(proto::Refusal::code)
}

fn people(users: &[&str]) -> proto::GroupUsers {
    proto::GroupUsers { users: users.iter().map(ToString::to_string).collect() }
}

fn create(speaker: &mut Speaker, group: &str, title: &str, users: &[&str]) -> Result<String, RefusalCode> {
    let request = proto::CreateGroupRequest {
        id: speaker.id(),
        client_request_id: fresh_id(),
        group: group.to_owned(),
        profile: Some(proto::GroupProfile { title: Some(title.to_owned()), ..Default::default() }),
        users: people(users).users,
        ..Default::default()
    };
    let answer: proto::CreateGroupAnswer = speaker.ask(Operation::CreateGroup, &request);
    code(&answer.refusal).map_or(Ok(answer.group), Err)
}

fn change(speaker: &mut Speaker, group: &str, what: What) -> Result<u64, RefusalCode> {
    let request = proto::ChangeGroupRequest {
        id: speaker.id(),
        group: group.to_owned(),
        client_request_id: fresh_id(),
        what: Some(what),
    };
    let answer: proto::ChangeGroupAnswer = speaker.ask(Operation::ChangeGroup, &request);
    code(&answer.refusal).map_or(Ok(answer.seq), Err)
}

fn send(speaker: &mut Speaker, group: &str, words: &str) -> Result<u64, RefusalCode> {
    let to = Some(proto::send_request::To::Group(group.to_owned()));
    let request = proto::SendRequest { to, ..speaker.text("", words) };
    let answer: proto::SendAnswer = speaker.ask(Operation::Send, &request);
    code(&answer.refusal).map_or(Ok(answer.seq), Err)
}

/// The whole log, as the speaker may see it.
fn log(speaker: &mut Speaker, group: &str) -> Result<Vec<proto::Entry>, RefusalCode> {
    let mut log: Vec<proto::Entry> = Vec::new();
    loop {
        let before_seq = log.first().map_or(0, |first| first.seq);
        let id = speaker.id();
        let request = proto::HistoryRequest { id, group: group.into(), before_seq, limit: 100, ..Default::default() };
        let answer: proto::HistoryAnswer = speaker.ask(Operation::History, &request);
        if let Some(code) = code(&answer.refusal) {
            return Err(code);
        }
        if answer.entries.is_empty() {
            return Ok(log);
        }
        log.splice(0..0, answer.entries);
        if log[0].seq == 1 {
            return Ok(log);
        }
    }
}

fn told(entry: &proto::Entry) -> Option<&Told> {
    entry.event.as_ref()?.what.as_ref()
}

/// Every verb that names a group, as somebody says it who has no business there.
fn verbs(speaker: &mut Speaker, group: &str) -> Vec<(&'static str, Option<RefusalCode>)> {
    let name = || group.to_owned();
    let user = || "ann".to_owned();
    let mut codes: Vec<(&'static str, Option<RefusalCode>)> = vec![
        ("send", send(speaker, group, "hello").err()),
        ("invite", change(speaker, group, What::Invite(people(&["eve"]))).err()),
        ("remove", change(speaker, group, What::Remove(people(&["ann"]))).err()),
        ("leave", change(speaker, group, What::Leave(proto::GroupNothing {})).err()),
        ("dissolve", change(speaker, group, What::Dissolve(proto::GroupNothing {})).err()),
        ("owner", change(speaker, group, What::Owner(user())).err()),
        ("role", change(speaker, group, What::Role(proto::GroupRoleOf { user: user(), role: 1 })).err()),
        ("mute", change(speaker, group, What::Mute(proto::GroupMute { user: user(), seconds: 9 })).err()),
        ("mute_all", change(speaker, group, What::MuteAll(true)).err()),
        ("announcement", change(speaker, group, What::Announcement(user())).err()),
        ("policies", change(speaker, group, What::Policies(proto::GroupPolicies::default())).err()),
        ("nickname", change(speaker, group, What::Nickname(user())).err()),
        ("pin", change(speaker, group, What::Pin(proto::GroupPin { seq: 1, pinned: true })).err()),
        ("new_link", change(speaker, group, What::NewLink(proto::GroupNothing {})).err()),
    ];
    macro_rules! ask {
        ($($operation:ident $answer:ident $request:expr,)*) => {$(
            let answer: proto::$answer = speaker.ask(Operation::$operation, &$request);
            codes.push((stringify!($operation), code(&answer.refusal)));
        )*};
    }
    let (id, seq, client_request_id) = (1, 1, fresh_id);
    ask! {
        Groups GroupsAnswer proto::GroupsRequest { id, group: name(), limit: 1, ..Default::default() },
        GroupMembers GroupMembersAnswer proto::GroupMembersRequest { id, group: name(), limit: 9, ..Default::default() },
        GroupReceipts GroupReceiptsAnswer proto::GroupReceiptsRequest { id, group: name(), seq },
        History HistoryAnswer proto::HistoryRequest { id, group: name(), limit: 9, ..Default::default() },
        MarkRead MarkReadAnswer proto::MarkReadRequest { id, group: name(), seq, ..Default::default() },
        Delete DeleteAnswer proto::DeleteRequest { id, group: name(), deletion: Some(proto::Deletion { up_to_seq: 1, seqs: vec![] }), ..Default::default() },
        Recall ChangeAnswer proto::RecallRequest { id, group: name(), seq, client_request_id: client_request_id(), ..Default::default() },
        Edit ChangeAnswer proto::EditRequest { id, group: name(), seq, client_request_id: client_request_id(), body: "x".into(), ..Default::default() },
        React ChangeAnswer proto::ReactRequest { id, group: name(), seq, client_request_id: client_request_id(), name: "+".into(), ..Default::default() },
    }
    codes
}

#[test]
fn row_37_a_group_is_not_found_by_those_who_never_were_in_it() {
    let mut place = Place::with(&GENEROUS);
    let (mut ann, mut mallory, _eve) = (place.log_in("ann"), place.log_in("mallory"), place.log_in("eve"));
    create(&mut ann, GROUP, "The crew", &[]).unwrap();
    send(&mut ann, GROUP, "a secret").unwrap();
    let there = verbs(&mut mallory, GROUP);
    assert!(there.iter().all(|(_, code)| *code == Some(RefusalCode::NotFound)), "{there:?}");
    assert_eq!(verbs(&mut mallory, "nowhere"), there, "and whether it exists is not told");
    assert_eq!(log(&mut ann, GROUP).unwrap().len(), 2, "nothing came of it");
    place.is_well();
}

#[test]
fn row_37_who_was_sent_away_sees_what_they_saw_and_does_nothing_more() {
    let mut place = Place::with(&GENEROUS);
    let (mut ann, mut mallory) = (place.log_in("ann"), place.log_in("mallory"));
    create(&mut ann, GROUP, "The crew", &["mallory"]).unwrap();
    let said = send(&mut mallory, GROUP, "before").unwrap();
    let out = change(&mut ann, GROUP, What::Remove(people(&["mallory"]))).unwrap();
    let late = send(&mut ann, GROUP, "after").unwrap();
    assert!(late > out);
    let seen = log(&mut mallory, GROUP).unwrap();
    assert_eq!(seen.last().map(|entry| entry.seq), Some(out), "up to the entry that tells it");
    let refused = verbs(&mut mallory, GROUP);
    for (verb, code) in refused {
        let reads = ["Groups", "History", "MarkRead", "Delete"].contains(&verb);
        assert_eq!(code, if reads { None } else { Some(RefusalCode::NotFound) }, "{verb}");
    }
    let request = proto::HistoryRequest { id: 1, group: GROUP.into(), after_seq: out, limit: 9, ..Default::default() };
    let answer: proto::HistoryAnswer = mallory.ask(Operation::History, &request);
    assert_eq!((answer.entries.len(), answer.as_of), (0, out), "not even how much was said");
    assert!(said < out);
    place.is_well();
}

#[test]
fn row_06_texts_of_groups_are_bounded_and_ids_are_names() {
    let mut place = Place::with(&GENEROUS);
    let mut ann = place.log_in("ann");
    let long = "x".repeat(5_000);
    for (group, title) in
        [("gr oup", "t"), ("~group", "t"), (&*long, "t"), ("g", ""), ("g", " "), ("g", "a\nb"), ("g", &long)]
    {
        assert_eq!(create(&mut ann, group, title, &[]), Err(RefusalCode::InvalidArgument), "{title:.9?}");
    }
    assert_eq!(create(&mut ann, GROUP, "The crew", &["nobody"]), Err(RefusalCode::NotFound));
    create(&mut ann, GROUP, "The crew", &[]).unwrap();
    assert_eq!(create(&mut ann, GROUP, "Again", &[]), Err(RefusalCode::Conflict));
    for what in [
        What::Announcement(long.clone()),
        What::Announcement("a\0b".into()),
        What::Nickname("a\nb".into()),
        What::Nickname(long.clone()),
        What::Profile(proto::GroupProfile { intro: Some(long.clone()), ..Default::default() }),
        What::Role(proto::GroupRoleOf { user: "ann".into(), role: 2 }),
        What::Policies(proto::GroupPolicies { join: 9, ..Default::default() }),
        What::Invite(proto::GroupUsers { users: vec!["ann".into(); limits::LIST_ITEMS_MAX + 1] }),
    ] {
        assert_eq!(change(&mut ann, GROUP, what.clone()), Err(RefusalCode::InvalidArgument), "{what:.40?}");
    }
    place.is_well();
}

/// Two at once; what each has done.
fn at_once<A: Send, B: Send>(one: impl FnOnce() -> A + Send, other: impl FnOnce() -> B + Send) -> (A, B) {
    let start = Barrier::new(2);
    std::thread::scope(|scope| {
        let first = scope.spawn(|| {
            start.wait();
            one()
        });
        start.wait();
        let other = other();
        (first.join().unwrap(), other)
    })
}

/// Sends so many texts without waiting, and in the middle of them leaves, if so wanted; the answers.
fn speak(speaker: &mut Speaker, texts: usize, leaves: bool) -> (Vec<Said>, Option<Said>) {
    for at in 0..texts {
        let to = Some(proto::send_request::To::Group(GROUP.to_owned()));
        let request = proto::SendRequest { to, ..speaker.text("", &at.to_string()) };
        speaker.tell(Operation::Send, &request);
        if leaves && at == texts / 2 {
            let (id, group, client_request_id) = (speaker.id(), GROUP.to_owned(), fresh_id());
            let what = Some(What::Leave(proto::GroupNothing {}));
            let request = proto::ChangeGroupRequest { id, group, client_request_id, what };
            speaker.tell(Operation::ChangeGroup, &request);
        }
    }
    let mut said = Vec::new();
    let mut left = None;
    while said.len() < texts || leaves && left.is_none() {
        let Some(Event::Frame(command, body)) = speaker.next() else { panic!("{} of {texts} answers", said.len()) };
        if command == Command::answer(Operation::Send) {
            let answer = proto::SendAnswer::decode(body).unwrap();
            said.push(code(&answer.refusal).map_or(Ok(answer.seq), Err));
        } else if command == Command::answer(Operation::ChangeGroup) {
            let answer = proto::ChangeGroupAnswer::decode(body).unwrap();
            left = Some(code(&answer.refusal).map_or(Ok(answer.seq), Err));
        }
    }
    (said, left)
}

#[test]
fn row_39_whoever_is_sent_away_or_leaves_says_nothing_behind_that_entry() {
    const TEXTS: usize = 60;
    let mut place = Place::with(&GENEROUS);
    let (mut ann, mut mallory) = (place.log_in("ann"), place.log_in("mallory"));
    create(&mut ann, GROUP, "The crew", &["mallory"]).unwrap();
    for leaves in [false, true, false, true] {
        let speak = |mallory: &mut Speaker| speak(mallory, TEXTS, leaves);
        let (said, out) = if leaves {
            let (said, out) = speak(&mut mallory);
            (said, out.expect("it has left"))
        } else {
            let remove = What::Remove(people(&["mallory"]));
            let ((said, _), out) = at_once(|| speak(&mut mallory), || change(&mut ann, GROUP, remove));
            (said, out)
        };
        let out = out.unwrap();
        let whole = log(&mut ann, GROUP).unwrap();
        assert!(matches!(told(&whole[out as usize - 1]), Some(Told::Left(left)) if left.users == ["mallory"]));
        let by_mallory = |entry: &&proto::Entry| entry.sender == "mallory" && entry.event.is_none();
        assert!(whole.iter().filter(by_mallory).all(|entry| entry.seq < out), "nothing behind it");
        for answer in said {
            assert!(answer == Err(RefusalCode::NotFound) || answer.is_ok_and(|seq| seq < out), "{answer:?}");
        }
        assert_eq!(log(&mut mallory, GROUP).unwrap().last().map(|entry| entry.seq), Some(out));
        change(&mut ann, GROUP, What::Invite(people(&["mallory"]))).unwrap();
    }
    place.is_well();
}

#[test]
fn row_39_an_admin_commands_between_the_entries_that_make_and_unmake_them() {
    const TURNS: usize = 20;
    let mut place = Place::with(&GENEROUS);
    let (mut ann, mut bob, _carol) = (place.log_in("ann"), place.log_in("bob"), place.log_in("carol"));
    create(&mut ann, GROUP, "The crew", &["bob", "carol"]).unwrap();
    let role = |role| What::Role(proto::GroupRoleOf { user: "bob".into(), role });
    let mute = || What::Mute(proto::GroupMute { user: "carol".into(), seconds: 60 });
    let (_, done) = at_once(
        || {
            for turn in 0..TURNS {
                change(&mut ann, GROUP, role((turn as i32 + 1) % 2)).unwrap();
            }
        },
        || (0..4 * TURNS).map(|_| change(&mut bob, GROUP, mute())).filter(Result::is_ok).count(),
    );
    let mut is_admin = false;
    let mut commands = 0;
    for entry in log(&mut ann, GROUP).unwrap() {
        match told(&entry) {
            Some(Told::Admin(user)) if user == "bob" => is_admin = true,
            Some(Told::Member(user)) if user == "bob" => is_admin = false,
            Some(Told::Silence(_)) => {
                assert!(is_admin, "{} was made by a member", entry.seq);
                commands += 1;
            }
            _ => {}
        }
    }
    assert_eq!(commands, done, "each that was done is told");
    assert_eq!(change(&mut bob, GROUP, mute()), Err(RefusalCode::NotAllowed), "the last turn unmade him");
    place.is_well();
}
