//! Writing and what can be done to messages: keys in, intents out.

use hongyan_client::proto::{self, Reaction, RefusalCode};
use hongyan_client::{Event, Link, Message, SendState, StopReason};
use ratatui::crossterm::event::KeyCode;

use super::super::intent::{Input, Intent, Password, Problem};
use super::super::model::{Mode, Question};
use super::super::words::Language::En;
use super::stage::{NOW_MS, Stage, own, theirs};

fn sends(intents: &[Intent]) -> Vec<(&str, &str, u64)> {
    let send = |intent| match intent {
        &Intent::Send { ref peer, ref text, reply_to, .. } => Some((peer.name(), text.as_str(), reply_to)),
        _ => None,
    };
    intents.iter().filter_map(send).collect()
}

#[test]
fn a_line_is_sent_and_its_ticks_follow_it() {
    let mut stage = Stage::with_bob(En, vec![theirs(1, "hi")]);
    let intents = stage.say("hello 你好");
    assert_eq!(sends(&intents), [("bob", "hello 你好", 0)]);
    assert!(stage.row("hello 你好").ends_with("10:00 ◷"), "{}", stage.screen());
    stage.stored("bob", 1, 2);
    assert!(stage.row("hello 你好").ends_with("10:00 ✓"));
    stage.told(Event::Receipt { user: "bob".into(), delivered_seq: 2, read_seq: 0 });
    assert!(stage.row("hello 你好").ends_with("✓✓"));
    let delivered = stage.style_of("✓✓");
    stage.told(Event::Receipt { user: "bob".into(), delivered_seq: 2, read_seq: 2 });
    assert_ne!(stage.style_of("✓✓"), delivered, "read looks different from delivered");
    assert_eq!(stage.screen().matches("hello 你好 10").count(), 1, "{}", stage.screen());
}

#[test]
fn nothing_is_sent_from_an_empty_line() {
    let mut stage = Stage::with_bob(En, vec![theirs(1, "hi")]);
    assert_eq!(stage.key(KeyCode::Enter), []);
    stage.type_text("  ");
    assert_eq!(stage.key(KeyCode::Enter), []);
}

#[test]
fn a_refused_message_says_why_and_is_sent_again_or_dropped_by_the_user() {
    let mut stage = Stage::with_bob(En, vec![theirs(1, "hi")]);
    stage.say("hello");
    stage.input(Input::Queued { client_message_id: vec![1; 16].into(), local: 1 });
    let refusal = proto::Refusal { code: RefusalCode::NotAllowed.into(), ..Default::default() };
    stage.outgoing("bob", 1, SendState::Failed { refusal: Some(refusal) });
    assert!(stage.row("hello").ends_with('✗'));
    assert!(stage.shows("not sent: not allowed"));
    assert_eq!(stage.say("/resend"), [Intent::Resend(1)]);
    assert!(stage.row("hello").ends_with('◷'));
    stage.outgoing("bob", 1, SendState::Failed { refusal: None });
    stage.key(KeyCode::Up);
    assert_eq!(stage.key(KeyCode::Char('k')), [Intent::Discard(1)]);
    assert!(!stage.shows("hello"));
}

#[test]
fn a_failed_message_may_turn_out_to_be_stored() {
    let mut stage = Stage::with_bob(En, vec![theirs(1, "hi")]);
    stage.say("hello");
    stage.outgoing("bob", 1, SendState::Failed { refusal: None });
    stage.stored("bob", 1, 2);
    assert!(stage.row("hello").ends_with('✓'));
}

#[test]
fn a_reply_quotes_the_selected_message() {
    let mut stage = Stage::with_bob(En, vec![theirs(1, "one"), theirs(2, "two")]);
    stage.key(KeyCode::Up);
    stage.key(KeyCode::Up);
    stage.key(KeyCode::Char('r'));
    assert!(stage.row("Reply to").contains("bob: one"));
    assert_eq!(sends(&stage.say("yes")), [("bob", "yes", 1)]);
    assert!(stage.shows("↪ bob: one"));
    assert_eq!(sends(&stage.say("and")), [("bob", "and", 0)], "one reply only");
}

#[test]
fn an_own_message_is_edited_and_the_draft_comes_back() {
    let mut stage = Stage::with_bob(En, vec![own(1, "helo"), theirs(2, "what?")]);
    stage.key(KeyCode::Up);
    stage.key(KeyCode::Char('e'));
    assert!(stage.shows("Only your own messages"));
    stage.key(KeyCode::Up);
    stage.key(KeyCode::Char('e'));
    assert!(stage.shows("› helo"));
    stage.key(KeyCode::Backspace);
    let intents = stage.say("lo");
    assert_eq!(intents, [Intent::Edit { peer: "bob".into(), seq: 1, text: "hello".into() }]);
    let entry = proto::Entry { edited: true, changed_seq: 3, body: "hello".into(), ..own(1, "") };
    stage.told(Event::MessageChanged(Message { peer: "bob".into(), entry }));
    assert!(stage.row("hello").contains("edited"));
}

#[test]
fn escape_gives_up_an_edit_and_an_unchanged_text_is_no_edit() {
    let mut stage = Stage::with_bob(En, vec![own(1, "hello")]);
    stage.type_text("draft");
    assert_eq!(stage.model.talk().unwrap().composer.text(), "draft");
    stage.control('u');
    stage.say("/edit");
    stage.type_text(" world");
    stage.key(KeyCode::Esc);
    assert!(stage.shows("Write a message"));
    stage.say("/edit");
    assert_eq!(stage.key(KeyCode::Enter), []);
}

#[test]
fn an_edit_that_failed_is_not_lost() {
    let mut stage = Stage::with_bob(En, vec![own(1, "hello")]);
    stage.say("/edit");
    stage.type_text(" world");
    let intents = stage.key(KeyCode::Enter);
    stage.input(Input::NotDone(intents[0].clone(), Problem::Offline));
    assert!(stage.shows("not connected") && stage.shows("› hello world"));
}

#[test]
fn recall_delete_and_block_are_done_only_after_a_yes() {
    let mut stage = Stage::with_bob(En, vec![theirs(1, "hi"), own(2, "oops")]);
    assert_eq!(stage.say("/recall"), []);
    assert!(stage.shows("Recall this message"));
    assert_eq!(stage.key(KeyCode::Char('n')), []);
    stage.key(KeyCode::Up);
    stage.key(KeyCode::Char('x'));
    assert_eq!(stage.key(KeyCode::Char('y')), [Intent::Recall { peer: "bob".into(), seq: 2 }]);
    stage.key(KeyCode::Up);
    stage.key(KeyCode::Char('d'));
    assert_eq!(stage.key(KeyCode::Char('y')), [Intent::Delete { peer: "bob".into(), seq: 2 }]);
    stage.say("/block");
    let block = Intent::Block { user: "bob".into(), blocked: true };
    assert_eq!(stage.key(KeyCode::Enter), std::slice::from_ref(&block));
    stage.input(Input::Done(block));
    assert!(stage.row("bob  ⊘").contains("blocked"));
    assert_eq!(stage.say("/unblock"), [Intent::Block { user: "bob".into(), blocked: false }]);
}

#[test]
fn a_recalled_message_keeps_its_place_without_its_text() {
    let mut stage = Stage::with_bob(En, vec![theirs(1, "secret"), theirs(2, "next")]);
    let entry = proto::Entry { recalled: true, changed_seq: 3, body: Default::default(), ..theirs(1, "") };
    stage.told(Event::MessageChanged(Message { peer: "bob".into(), entry }));
    assert!(stage.shows("message recalled") && !stage.shows("secret"));
    stage.told(Event::Deleted { peer: "bob".into(), deletion: proto::Deletion { up_to_seq: 1, seqs: vec![] } });
    assert!(!stage.shows("message recalled") && stage.shows("next"));
}

#[test]
fn a_reaction_is_given_by_key_and_taken_back_by_the_same() {
    let mut stage = Stage::with_bob(En, vec![theirs(1, "hi")]);
    stage.key(KeyCode::Up);
    stage.key(KeyCode::Char('+'));
    assert!(stage.shows("1 👍"));
    let react = |remove| Intent::React { peer: "bob".into(), seq: 1, name: "👍".into(), remove };
    assert_eq!(stage.key(KeyCode::Char('1')), [react(false)]);
    let reactions = vec![Reaction { name: "👍".into(), count: 2, own: true, users: Vec::new() }];
    let entry = proto::Entry { reactions, changed_seq: 2, ..theirs(1, "hi") };
    stage.told(Event::MessageChanged(Message { peer: "bob".into(), entry }));
    assert!(stage.shows("👍 2"));
    assert_eq!(stage.say("/react 👍"), [react(true)]);
    assert_eq!(stage.say(&format!("/react {}", "x".repeat(33))), []);
    assert!(stage.shows("at most 32 bytes"));
}

#[test]
fn typing_is_told_now_and_then_and_its_end_once() {
    let mut stage = Stage::with_bob(En, vec![theirs(1, "hi")]);
    let typing = |stopped| Intent::Typing { peer: "bob".into(), stopped };
    assert_eq!(stage.type_text("hel"), [typing(false)]);
    stage.now_ms += 3_000;
    assert_eq!(stage.type_text("lo"), [typing(false)]);
    assert_eq!(stage.control('u'), [typing(true)]);
    assert_eq!(stage.type_text("/to"), [], "commands are nobody's business");
    stage.control('u');
    stage.now_ms += 3_000;
    stage.type_text("a");
    assert!(sends(&stage.key(KeyCode::Enter)) == [("bob", "a", 0)]);
    assert_eq!(stage.type_text("b"), [typing(false)], "after a message typing is new");
}

#[test]
fn typing_of_others_is_shown_for_a_while() {
    let mut stage = Stage::with_bob(En, vec![theirs(1, "hi")]);
    stage.told(Event::Typing { peer: "bob".into(), user: "bob".into(), stopped: false });
    assert_eq!(stage.screen().matches("typing…").count(), 2, "in the list and above the messages");
    assert!(stage.model.is_restless());
    stage.now_ms += 6_000;
    stage.input(Input::Tick);
    assert!(!stage.shows("typing…") && !stage.model.is_restless());
}

#[test]
fn a_new_conversation_is_opened_by_name_or_from_the_suggestions() {
    let mut stage = Stage::with_bob(En, vec![theirs(1, "hi")]);
    stage.control('n');
    stage.type_text("b");
    assert!(stage.row("  bob").contains("bob"));
    stage.key(KeyCode::Esc);
    stage.control('n');
    let intents = stage.say("carol");
    assert_eq!(intents, [Intent::Load { peer: "carol".into(), before_seq: 0 }]);
    stage.page("carol", 0, vec![]);
    assert!(stage.shows("Say hello!"));
    assert_eq!(sends(&stage.say("hi carol")), [("carol", "hi carol", 0)]);
    stage.control('n');
    stage.type_text("bo");
    stage.key(KeyCode::Down);
    stage.key(KeyCode::Enter);
    assert_eq!(stage.model.open.as_ref().map(hongyan_client::Peer::name), Some("bob"));
    stage.say("/to not/a name");
    assert!(stage.shows("A name is"));
    assert_eq!(stage.model.open.as_ref().map(hongyan_client::Peer::name), Some("bob"));
}

#[test]
fn a_draft_stays_with_its_conversation() {
    let mut stage = Stage::with_bob(En, vec![theirs(1, "hi")]);
    stage.conversation("carol", 0, Some(theirs(1, "hey")));
    stage.type_text("for bob");
    stage.alt(KeyCode::Down);
    assert_eq!(stage.model.open.as_ref().map(hongyan_client::Peer::name), Some("carol"));
    assert!(stage.row("Draft:").contains("for bob"));
    stage.alt(KeyCode::Up);
    assert!(stage.shows("› for bob"));
}

#[test]
fn unknown_commands_are_not_sent_as_text() {
    let mut stage = Stage::with_bob(En, vec![theirs(1, "hi")]);
    assert_eq!(stage.say("/reacll"), []);
    assert!(stage.shows("No such command"));
    stage.control('u');
    assert_eq!(sends(&stage.say("//etc/hosts")), [("bob", "/etc/hosts", 0)]);
}

#[test]
fn a_link_that_breaks_says_when_it_is_tried_again() {
    let mut stage = Stage::with_bob(En, vec![theirs(1, "hi")]);
    let reason = hongyan_client::BreakReason::Disconnected;
    stage.told(Event::Link(Link::Broken { retry_in_ms: 5_000, reason }));
    assert!(stage.row("Connection lost.").contains("Next attempt in 5 s"));
    stage.now_ms += 3_200;
    stage.input(Input::Tick);
    assert!(stage.row("Connection lost.").contains("in 2 s"));
    assert_eq!(stage.control('r'), [Intent::Reconnect]);
    assert_eq!(sends(&stage.say("while away")), [("bob", "while away", 0)]);
    stage.told(Event::Link(Link::Live));
    assert!(!stage.shows("Next attempt"));
}

#[test]
fn a_session_that_was_taken_over_waits_for_the_user() {
    let mut stage = Stage::with_bob(En, vec![theirs(1, "hi")]);
    let reason = proto::KickoutReason::SameTermLogin.into();
    let notice = proto::KickoutNotify { reason, ..Default::default() };
    assert_eq!(stage.told(Event::Link(Link::Stopped(StopReason::Kicked(notice)))), []);
    assert!(stage.shows("Signed in on another computer"));
    assert_eq!(stage.control('r'), [Intent::Start]);
}

#[test]
fn a_refused_password_is_asked_for_again_without_showing_it() {
    let mut stage = Stage::new(En);
    let refusal = proto::Refusal { code: RefusalCode::Unauthenticated.into(), ..Default::default() };
    stage.told(Event::Link(Link::Stopped(StopReason::LoginRefused(refusal))));
    stage.type_text("secret");
    assert!(stage.shows("••••••") && !stage.shows("secret"));
    assert_eq!(stage.key(KeyCode::Enter), [Intent::LogIn(Password("secret".into()))]);
    assert_eq!(format!("{:?}", Intent::LogIn(Password("secret".into()))), "LogIn(Password(…))");
}

#[test]
fn quitting_asks_only_if_something_is_not_sent() {
    let mut stage = Stage::with_bob(En, vec![theirs(1, "hi")]);
    assert_eq!(stage.control('q'), [Intent::Quit]);
    stage.say("hello");
    assert_eq!(stage.control('q'), []);
    assert!(matches!(stage.model.mode, Mode::Confirm(Question::Quit, _)));
    assert_eq!(stage.key(KeyCode::Char('y')), [Intent::Quit]);
    stage.stored("bob", 1, 2);
    assert_eq!(stage.control('d'), [Intent::Quit]);
}

#[test]
fn what_waited_in_the_outbox_is_shown_after_a_restart_once() {
    let mut stage = Stage::new(En);
    let request = proto::SendRequest {
        to: Some(proto::send_request::To::User("bob".into())),
        client_message_id: vec![9; 16].into(),
        body: "from before".into(),
        ..Default::default()
    };
    let state = hongyan_client::OutboxState::Queued;
    let row = hongyan_client::OutboxRow { local: 4, written_ms: NOW_MS, request, state };
    let restored = || Input::Restored { conversations: vec![], groups: vec![], outbox: vec![row.clone()] };
    stage.input(restored());
    stage.input(restored());
    stage.outgoing("bob", 9, SendState::Queued);
    stage.page("bob", 0, vec![theirs(1, "hi")]);
    assert!(stage.row("from before").ends_with("10:00 ◷"));
    assert_eq!(stage.model.unsent(), 1);
    stage.stored("bob", 9, 2);
    assert_eq!(stage.model.unsent(), 0);
    assert!(stage.row("from before").ends_with("10:00 ✓"));
}

#[test]
fn pasted_lines_are_one_message() {
    let mut stage = Stage::with_bob(En, vec![theirs(1, "hi")]);
    stage.input(Input::Paste("one\r\ntwo\u{1b}[2J".into()));
    assert_eq!(sends(&stage.key(KeyCode::Enter)), [("bob", "one\ntwo\u{FFFD}[2J", 0)]);
}
