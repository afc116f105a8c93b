//! Groups on the screen: in the list beside people, who says what, what has happened, and the commands.

use hongyan_client::proto::{self, Entry, GroupEvent, GroupMember, GroupRole};
use hongyan_client::{Event, Message, Peer};
use ratatui::crossterm::event::KeyCode;

use super::super::intent::{Input, Intent};
use super::super::words::Language;
use super::stage::{NOW_MS, Stage, theirs};

fn spring() -> Peer {
    Peer::group_of("spring")
}

fn group(unread: u64, last: Option<Entry>) -> Event {
    let profile = Some(proto::GroupProfile { title: Some("Spring trip".into()), ..Default::default() });
    let head_seq = last.as_ref().map_or(0, |last| last.seq);
    let group = proto::Group {
        group: "spring".into(),
        profile,
        member_count: 3,
        head_seq,
        unread,
        read_seq: head_seq - unread,
        last,
        ..Default::default()
    };
    Event::Group(Box::new(group))
}

fn said(seq: u64, sender: &str, text: &str) -> Entry {
    Entry { seq, sender: sender.into(), body: text.to_owned().into(), server_time_ms: NOW_MS, ..Default::default() }
}

/// The group is open, with one message and one event in it.
fn stage() -> Stage {
    let mut stage = Stage::new(Language::En);
    stage.told(group(0, Some(said(2, "bob", "who comes?"))));
    let joined = proto::group_event::What::Joined(proto::GroupPeople { users: vec!["carol".into()] });
    let event = Some(GroupEvent { what: Some(joined) });
    let entries = vec![Entry { event, ..said(1, "bob", "") }, said(2, "bob", "who comes?")];
    let range = hongyan_client::Range { from: 1, to: 2 };
    let result = Ok(hongyan_client::MessageRange { entries, complete: true, covered: Some(range), low_seq: 1 });
    stage.input(Input::Page { peer: spring(), before_seq: 0, result });
    stage
}

#[test]
fn a_group_is_listed_and_shows_who_says_what() {
    let stage = stage();
    let screen = stage.screen();
    for shown in ["#Spring trip", "3 members", "bob: who comes?", "bob brought in carol"] {
        assert!(screen.contains(shown), "{shown} in\n{screen}");
    }
    let lines = screen.lines().filter(|line| line.contains("bob")).count();
    assert!(lines >= 3, "list, event, and the message's sender:\n{screen}");
}

#[test]
fn a_group_of_the_same_name_as_a_person_is_another_conversation() {
    let mut stage = Stage::new(Language::En);
    stage.conversation("spring", 0, Some(theirs(1, "hello from one")));
    stage.told(group(1, Some(said(1, "bob", "hello from many"))));
    stage.told(Event::Message(Message { peer: spring(), entry: said(1, "bob", "hello from many") }));
    assert_eq!(stage.model.talks.len(), 2);
    assert_eq!(stage.model.unread(), 1);
    stage.say("/to #spring");
    assert_eq!(stage.model.open, Some(spring()));
    stage.say("/to spring");
    assert_eq!(stage.model.open, Some(Peer::from("spring")));
}

#[test]
fn what_is_written_goes_to_the_group() {
    let mut stage = stage();
    let intents = stage.say("me!");
    let sent =
        |intent: &Intent| matches!(intent, Intent::Send { peer, text, .. } if *peer == spring() && text == "me!");
    assert!(intents.iter().any(sent), "{intents:?}");
}

#[test]
fn groups_are_made_and_changed_by_commands() {
    let mut stage = stage();
    assert_eq!(stage.say("/create #tea"), [Intent::CreateGroup { group: "tea".into() }]);
    let users = vec!["dave".into(), "eve".into()];
    assert_eq!(stage.say("/invite dave eve"), [Intent::Invite { group: "spring".into(), users }]);
    assert_eq!(stage.say("/members"), [Intent::Members { group: "spring".into() }]);
    stage.say("/leave");
    assert_eq!(stage.key(KeyCode::Char('y')), [Intent::LeaveGroup { group: "spring".into() }]);
    stage.input(Input::Done(Intent::CreateGroup { group: "tea".into() }));
    assert_eq!(stage.model.open, Some(Peer::group_of("tea")));
}

#[test]
fn commands_of_groups_need_a_group() {
    let mut stage = Stage::with_bob(Language::En, vec![theirs(1, "hi")]);
    for command in ["/invite dave", "/members", "/leave"] {
        assert!(stage.say(command).is_empty(), "{command}");
        assert!(stage.screen().contains("Open a group first"), "{command}");
    }
}

#[test]
fn members_are_shown_with_their_roles() {
    let mut stage = stage();
    let member =
        |user: &str, role: GroupRole| GroupMember { user: user.into(), role: role.into(), ..Default::default() };
    let members =
        vec![member("alice", GroupRole::Owner), member("bob", GroupRole::Admin), member("carol", GroupRole::Member)];
    stage.input(Input::Members { group: "spring".into(), members, more: false });
    let screen = stage.screen();
    for shown in ["members #spring", "alice (owner)", "bob (admin)", "carol"] {
        assert!(screen.contains(shown), "{shown} in\n{screen}");
    }
    stage.key(KeyCode::Esc);
    assert!(!stage.screen().contains("alice (owner)"));
}

#[test]
fn a_mention_elsewhere_is_noticed() {
    let mut stage = Stage::with_bob(Language::Zh, vec![theirs(1, "hi")]);
    stage.told(Event::Mentioned { group: "spring".into(), seq: 7 });
    assert!(stage.screen().contains("#spring"), "{}", stage.screen());
}
