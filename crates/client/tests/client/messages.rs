//! What happens to messages when nothing is lost but much goes on: several devices, marks, changes, refusals, resets.

use std::collections::BTreeSet;

use hongyan_client::{Answer, Event, Link, Range, Request, SendError, SendState, new_message, proto};
use hongyan_wire::Command;
use hongyan_wire::command::Operation;

use crate::server::{Fate, is_request};
use crate::world::World;

fn conversation<'a>(world: &'a World, actor: usize, user: &str) -> &'a proto::Conversation {
    &world.actors[actor].core.conversation(user).unwrap().conversation
}

#[test]
fn own_messages_reach_own_other_devices_once() {
    let mut world = World::new(&["a", "b"]);
    let phone = world.add("a", proto::Term::Mobile);
    world.settle();
    world.send(0, "b", "from the desk");
    world.settle();
    world.send(phone, "b", "from the phone");
    world.settle();
    world.send(0, "b", "from the desk again");
    world.pass(1_000);
    let all = ["from the desk", "from the phone", "from the desk again"];
    for device in [0, phone] {
        assert_eq!(world.actors[device].screen("b"), all);
    }
    assert_eq!(world.actors[0].messages_told(), ["from the phone"]);
    assert_eq!(world.actors[phone].messages_told(), ["from the desk", "from the desk again"]);
    assert_eq!(conversation(&world, 0, "b").unread, 0, "own messages are never unread");
}

#[test]
fn a_message_found_in_the_inbox_settles_the_outbox() {
    let mut world = World::new(&["a", "b"]);
    world.settle();
    // Stored, but the answer never comes and the link is cut: the resume's page tells.
    world.server.script =
        Box::new(|_, packet| if packet == Command::answer(Operation::Send) { Fate::CutBefore } else { Fate::Pass });
    world.send(0, "b", "hello");
    world.pass(3_000);
    assert_eq!(world.actors[0].stored(), 1);
    assert!(world.actors[0].messages_told().is_empty(), "it is on the screen already");
    assert_eq!(world.actors[0].screen("b"), ["hello"]);
    assert_eq!(world.actors[0].core.outbox().count(), 0);
}

#[test]
fn a_stored_message_above_a_gap_is_not_shown_again_after_a_restart() {
    let mut world = World::new(&["a", "b"]);
    world.settle();
    world.server.script =
        Box::new(|_, packet| if packet == Command::notify(Operation::Message) { Fate::Lose } else { Fate::Pass });
    world.server.say(world.now, "b", "a", "lost push");
    world.send(0, "b", "mine");
    world.settle();
    assert_eq!(world.actors[0].stored(), 1, "the answer settles it although an entry below is missing");
    assert_eq!(world.actors[0].core.inbox_cursor(), 0);
    world.restart(0);
    world.pass(3_000);
    assert_eq!(world.actors[0].messages_told(), ["lost push"]);
    assert_eq!(world.actors[0].screen("b"), ["lost push", "mine"]);
    assert_eq!(world.actors[0].core.outbox().count(), 0);
    assert!(world.actors[0].store.restore().unwrap().outbox.is_empty());
}

#[test]
fn unread_is_exact_across_devices_and_marks_never_go_down() {
    let mut world = World::new(&["a", "b"]);
    let phone = world.add("b", proto::Term::Mobile);
    world.settle();
    for number in 0..10 {
        world.send(0, "b", &format!("{number}"));
    }
    world.settle();
    let now = world.now;
    assert_eq!(conversation(&world, 1, "a").unread, 10);
    world.actors[1].core.mark_read(now, "a", 4);
    world.settle();
    for device in [1, phone] {
        assert_eq!((conversation(&world, device, "a").unread, conversation(&world, device, "a").read_seq), (6, 4));
    }
    world.actors[phone].core.mark_read(now, "a", 2);
    world.settle();
    assert_eq!(conversation(&world, phone, "a").read_seq, 4);
    world.send(0, "b", "10");
    world.settle();
    world.actors[phone].core.mark_read(now, "a", 11);
    world.settle();
    for device in [1, phone] {
        assert_eq!(conversation(&world, device, "a").unread, 0);
    }
    assert_eq!(world.actors[0].receipt("b"), (11, 11));
    assert_eq!(world.server.unread_of("b", "a"), 0);
}

#[test]
fn a_mark_made_offline_survives_a_restart_and_arrives() {
    let mut world = World::new(&["a", "b"]);
    world.settle();
    world.send(0, "b", "hello");
    world.settle();
    world.actors[1].dials_fail = true;
    world.server.cut_all();
    world.pass(3_000);
    let now = world.now;
    world.actors[1].core.mark_read(now, "a", 1);
    world.settle();
    assert_eq!(conversation(&world, 1, "a").unread, 0);
    world.restart(1);
    world.actors[1].dials_fail = false;
    world.pass(5_000);
    assert_eq!(world.server.unread_of("b", "a"), 0);
    assert_eq!(world.actors[0].receipt("b"), (1, 1));
    assert!(world.actors[1].store.restore().unwrap().reads.is_empty());
}

#[test]
fn sending_moves_the_own_mark_to_what_was_seen() {
    let mut world = World::new(&["a", "b"]);
    world.settle();
    world.send(0, "b", "seen?");
    world.settle();
    let now = world.now;
    let message = proto::SendRequest { seen_seq: 1, ..new_message("a", [7; 16], proto::BodyType::Text, "seen") };
    world.actors[1].core.send(now, message, 0).unwrap();
    world.settle();
    assert_eq!((conversation(&world, 1, "a").unread, conversation(&world, 1, "a").read_seq), (0, 1));
}

#[test]
fn a_reply_to_one_of_many_unread_messages_leaves_the_right_rest_after_a_restart() {
    let mut world = World::new(&["a", "b"]);
    let phone = world.add("b", proto::Term::Mobile);
    world.settle();
    for number in 0..5 {
        world.send(0, "b", &format!("{number}"));
    }
    world.settle();
    let fresh = world.add("b", proto::Term::Pad);
    world.pass(1_000);
    // It knows how many are unread, not which; and no entry of the inbox tells what remains.
    world.restart(phone);
    world.pass(1_000);
    world.reply(1, "a", "seen three", 3);
    world.settle();
    for device in [1, phone, fresh] {
        assert_eq!((conversation(&world, device, "a").unread, conversation(&world, device, "a").read_seq), (2, 3));
    }
    // The answer is lost, and so is the memory of having asked.
    world.restart(phone);
    world.pass(1_000);
    world.server.script =
        Box::new(|_, packet| if packet == Command::answer(Operation::MarkRead) { Fate::CutBefore } else { Fate::Pass });
    world.reply(1, "a", "seen four", 4);
    world.settle();
    world.restart(phone);
    world.server.script = Box::new(|_, _| Fate::Pass);
    world.send(0, "b", "one more");
    world.pass(5_000);
    for device in [1, phone, fresh] {
        assert_eq!((conversation(&world, device, "a").unread, conversation(&world, device, "a").read_seq), (2, 4));
    }
    assert_eq!(world.server.unread_of("b", "a"), 2);
}

#[test]
fn a_new_device_gets_the_list_the_unread_and_everything_kept() {
    let mut world = World::new(&["a", "b"]);
    world.settle();
    for number in 0..20 {
        world.send(0, "b", &format!("{number}"));
    }
    world.settle();
    let fresh = world.add("b", proto::Term::Pad);
    world.pass(1_000);
    assert_eq!(world.actors[fresh].screen("a").len(), 20);
    // Counted once, although the list had counted what the inbox brought.
    assert_eq!(conversation(&world, fresh, "a").unread, 20);
    assert_eq!(world.actors[fresh].store.restore().unwrap().list_wanted, None);
}

#[test]
fn what_was_said_as_a_visitor_is_not_taken_for_the_own_conversation() {
    let mut world = World::new(&["a", "b"]);
    world.settle();
    world.server.say(world.now, "b", "a", "hello");
    world.settle();
    world.server.adopted = vec![proto::Conversation {
        user: "b".into(),
        as_visitor: "~AAAAAAAAAAAAAAAAAAAAAA".into(),
        activity: 1_000,
        head_seq: 500,
        read_seq: 500,
        peer_read_seq: 500,
        ..proto::Conversation::default()
    }];
    let tablet = world.add("a", proto::Term::Pad);
    world.settle();
    let own = conversation(&world, tablet, "b");
    assert_eq!((own.head_seq, own.unread, own.read_seq, own.peer_read_seq), (1, 1, 0, 0));
}

#[test]
fn a_recall_reaches_both_sides_and_their_stores() {
    let mut world = World::new(&["a", "b"]);
    world.settle();
    world.send(0, "b", "oops");
    world.settle();
    let recall = proto::RecallRequest { user: "b".into(), seq: 1, ..Default::default() };
    world.request(0, 1, Request::Recall(recall));
    world.pass(1_000);
    for (actor, other) in [(0, "b"), (1, "a")] {
        let changed = |event: &Event| matches!(event, Event::MessageChanged(message) if message.entry.recalled);
        assert_eq!(world.actors[actor].told.iter().filter(|event| changed(event)).count(), 1);
        let kept = world.actors[actor].store.messages(&other.into(), Range { from: 1, to: 9 }, 9, true).unwrap();
        assert!(kept.len() == 1 && kept[0].recalled && kept[0].body.is_empty());
        assert!(conversation(&world, actor, other).last.as_ref().unwrap().recalled);
    }
    assert_eq!(conversation(&world, 1, "a").unread, world.server.unread_of("b", "a"));
}

#[test]
fn a_deletion_hides_on_all_own_devices_only() {
    let mut world = World::new(&["a", "b"]);
    let phone = world.add("b", proto::Term::Mobile);
    world.settle();
    for number in 0..4 {
        world.send(0, "b", &format!("{number}"));
    }
    world.settle();
    let deletion = Some(proto::Deletion { up_to_seq: 2, seqs: vec![4] });
    world.request(1, 1, Request::Delete(proto::DeleteRequest { user: "a".into(), deletion, ..Default::default() }));
    world.pass(1_000);
    for device in [1, phone] {
        assert_eq!(world.actors[device].screen("a"), ["2"]);
    }
    assert_eq!(world.actors[0].screen("b").len(), 4);
}

/// A has said three things to B, who has two devices; the second is returned. From here on answers of this kind are late.
fn three_said(late: Operation) -> (World, usize) {
    let mut world = World::new(&["a", "b"]);
    let phone = world.add("b", proto::Term::Mobile);
    world.settle();
    for text in ["one", "two", "three"] {
        world.send(0, "b", text);
        world.settle();
    }
    world.server.script = Box::new(move |_, packet| match packet {
        packet if packet == Command::answer(late) => Fate::Late,
        _ => Fate::Pass,
    });
    (world, phone)
}

#[test]
fn a_page_of_history_brings_nothing_back_that_was_deleted_while_it_was_under_way() {
    for (up_to_seq, seqs, rest) in [(0, vec![2], ["one", "three"].as_slice()), (2, vec![], &["three"])] {
        let (mut world, phone) = three_said(Operation::History);
        let history = proto::HistoryRequest { user: "a".into(), limit: 100, ..Default::default() };
        world.request(phone, 1, Request::History(history));
        world.settle();
        let deletion = Some(proto::Deletion { up_to_seq, seqs });
        world.request(1, 2, Request::Delete(proto::DeleteRequest { user: "a".into(), deletion, ..Default::default() }));
        world.pass(1_000);
        assert_eq!(world.actors[phone].screen("a"), rest);
        let pages = world.actors[phone].told.iter().filter_map(|event| match event {
            Event::Answered { result: Ok(Answer::History(page)), .. } => Some(page.entries.len()),
            _ => None,
        });
        assert_eq!(pages.collect::<Vec<_>>(), [rest.len()]);
    }
}

fn delete(user: &str, up_to_seq: u64, seqs: &[u64]) -> Request {
    let deletion = Some(proto::Deletion { up_to_seq, seqs: seqs.to_vec() });
    Request::Delete(proto::DeleteRequest { user: user.into(), deletion, ..Default::default() })
}

#[test]
fn what_was_deleted_while_a_reset_hid_it_leaves_the_list_and_with_a_page_the_store() {
    for (up_to_seq, seqs, last, rest) in
        [(0, vec![2, 4], Some(3), ["one", "three"].as_slice()), (4, vec![], None, [].as_slice())]
    {
        let mut world = World::new(&["a", "b"]);
        let phone = world.add("b", proto::Term::Mobile);
        world.settle();
        for text in ["one", "two", "three", "four"] {
            world.send(0, "b", text);
            world.settle();
        }
        world.actors[phone].dials_fail = true;
        world.server.cut_all();
        world.pass(5_000);
        world.request(1, 1, delete("a", up_to_seq, &seqs));
        world.settle();
        world.server.trim_inbox("b");
        world.actors[phone].dials_fail = false;
        world.pass(120_000);
        assert!(world.actors[phone].told.iter().any(|event| matches!(event, Event::Reset)));
        assert_eq!(conversation(&world, phone, "a").last.as_ref().map(|last| last.seq), last);
        let history = proto::HistoryRequest { user: "a".into(), limit: 100, ..Default::default() };
        world.request(phone, 5, Request::History(history));
        world.settle();
        assert_eq!(world.actors[phone].screen("a"), rest);
    }
}

#[test]
fn a_page_of_what_was_said_as_a_visitor_touches_nothing_of_the_own_conversation() {
    let mut world = World::new(&["a", "b", "c"]);
    world.settle();
    world.send(0, "b", "own");
    world.settle();
    let before = world.actors[1].core.conversation("a").unwrap().covered.clone();
    let mut history = proto::HistoryRequest { user: "a".into(), limit: 100, ..Default::default() };
    history.as_visitor = "c".into();
    world.server.say(world.now, "c", "a", "as a visitor");
    world.request(1, 1, Request::History(history));
    world.settle();
    assert_eq!(world.actors[1].screen("a"), ["own"]);
    assert_eq!(world.actors[1].core.conversation("a").unwrap().covered, before);
}

#[test]
fn a_page_of_the_list_brings_back_nothing_that_was_deleted_or_recalled_while_it_was_under_way() {
    for (device, request) in [
        ("elsewhere", delete("a", 0, &[3])),
        ("here", delete("a", 0, &[3])),
        ("peer", Request::Recall(proto::RecallRequest { user: "b".into(), seq: 3, ..Default::default() })),
    ] {
        let (mut world, phone) = three_said(Operation::Conversations);
        let list = proto::ConversationsRequest { limit: 100, ..Default::default() };
        world.request(phone, 1, Request::Conversations(list));
        world.settle();
        let actor = [("elsewhere", 1), ("here", phone), ("peer", 0)].into_iter().find(|known| known.0 == device);
        world.request(actor.unwrap().1, 2, request);
        world.pass(1_000);
        let listed = world.actors[phone]
            .told
            .iter()
            .any(|event| matches!(event, Event::Answered { result: Ok(Answer::Conversations(_)), .. }));
        assert!(listed, "{device}");
        match &conversation(&world, phone, "a").last {
            Some(last) if device == "peer" => assert!(last.seq == 3 && last.recalled),
            last => assert_ne!(last.as_ref().map(|last| last.seq), Some(3), "{device}"),
        }
    }
}

#[test]
fn a_reply_that_was_hidden_before_a_device_came_still_moves_its_mark() {
    let mut world = World::new(&["a", "b"]);
    let phone = world.add("b", proto::Term::Mobile);
    world.settle();
    world.send(0, "b", "one");
    world.send(0, "b", "two");
    world.settle();
    world.actors[phone].dials_fail = true;
    world.server.cut_all();
    world.pass(3_000);
    world.reply(1, "a", "seen the first", 1);
    let deletion = Some(proto::Deletion { up_to_seq: 0, seqs: vec![3] });
    world.request(1, 1, Request::Delete(proto::DeleteRequest { user: "a".into(), deletion, ..Default::default() }));
    world.settle();
    world.actors[phone].dials_fail = false;
    world.pass(10_000);
    assert_eq!(world.actors[phone].screen("a"), ["one", "two"]);
    for device in [1, phone] {
        assert_eq!((conversation(&world, device, "a").unread, conversation(&world, device, "a").read_seq), (1, 1));
    }
}

#[test]
fn an_inbox_that_was_trimmed_resets_and_the_list_tells_the_rest() {
    let mut world = World::new(&["a", "b"]);
    world.settle();
    world.actors[1].dials_fail = true;
    world.server.cut_all();
    world.pass(2_000);
    for number in 0..30 {
        world.server.say(world.now, "a", "b", &format!("{number}"));
    }
    world.server.trim_inbox("b");
    world.actors[1].dials_fail = false;
    world.pass(120_000);
    assert!(world.actors[1].told.iter().any(|event| matches!(event, Event::Reset)));
    assert_eq!(world.actors[1].core.inbox_cursor(), 30);
    assert_eq!(conversation(&world, 1, "a").unread, 30);
    assert_eq!(conversation(&world, 1, "a").last.as_ref().unwrap().body, "29");
    // What lies between is read by history, and is known to be complete then.
    let history = proto::HistoryRequest { user: "a".into(), limit: 100, ..Default::default() };
    world.request(1, 5, Request::History(history));
    world.settle();
    assert_eq!(world.actors[1].screen("a").len(), 30);
    let row = world.actors[1].core.conversation("a").unwrap();
    assert_eq!(row.covered, [Range { from: 1, to: 30 }]);
    world.send(0, "b", "30");
    world.settle();
    assert_eq!(world.actors[1].messages_told(), ["30"]);
    assert_eq!(conversation(&world, 1, "a").unread, 31);
}

#[test]
fn a_restored_server_of_a_new_log_epoch_resets_its_clients() {
    let mut world = World::new(&["a", "b"]);
    world.settle();
    world.send(0, "b", "before");
    world.settle();
    world.server.log_epoch = 2;
    world.pass(90_000);
    for actor in 0..2 {
        assert_eq!(world.actors[actor].told.iter().filter(|event| matches!(event, Event::Reset)).count(), 1);
        assert_eq!(world.actors[actor].store.restore().unwrap().inbox.unwrap().log_epoch, 2);
    }
    world.send(0, "b", "after");
    world.settle();
    assert_eq!(world.actors[1].screen("a"), ["before", "after"]);
}

#[test]
fn a_refused_message_fails_at_once_and_the_next_one_goes_on() {
    let mut world = World::new(&["a", "b"]);
    world.settle();
    let refusal = proto::Refusal { code: proto::RefusalCode::NotAllowed.into(), ..Default::default() };
    world.server.refuse_sends = vec![refusal.clone()];
    let local = world.send(0, "b", "no");
    world.send(0, "b", "yes");
    world.settle();
    assert_eq!(world.actors[0].states()[0], &SendState::Failed { refusal: Some(refusal) });
    assert_eq!(world.actors[1].messages_told(), ["yes"]);
    // A failed message waits for the user, through restarts, and goes out with the same id.
    world.restart(0);
    world.pass(1_000);
    assert_eq!(world.actors[0].failed(), 1);
    let now = world.now;
    assert!(world.actors[0].core.resend(now, local));
    world.settle();
    assert_eq!(world.actors[1].messages_told(), ["yes", "no"]);
    assert!(!world.actors[0].core.resend(now, local));
}

#[test]
fn a_failed_message_can_be_forgotten() {
    let mut world = World::new(&["a", "b"]);
    world.settle();
    world.server.refuse_sends =
        vec![proto::Refusal { code: proto::RefusalCode::NotAllowed.into(), ..Default::default() }];
    let local = world.send(0, "b", "no");
    world.settle();
    assert!(world.actors[0].core.discard(local));
    world.settle();
    world.restart(0);
    assert_eq!(world.actors[0].core.outbox().count(), 0);
}

#[test]
fn messages_refused_for_now_keep_their_order() {
    let mut world = World::new(&["a", "b", "c"]);
    world.settle();
    let later = || proto::Refusal {
        code: proto::RefusalCode::TryLater.into(),
        retryable: true,
        retry_after_ms: 2_000,
        ..Default::default()
    };
    world.server.refuse_sends = vec![later(), later(), later()];
    for number in 0..3 {
        world.send(0, "b", &format!("{number}"));
    }
    world.settle();
    world.send(0, "b", "3");
    world.send(0, "c", "another conversation does not wait");
    world.settle();
    assert_eq!(world.actors[2].messages_told().len(), 1);
    assert!(world.actors[1].messages_told().is_empty());
    world.pass(3_000);
    assert_eq!(world.actors[1].messages_told(), ["0", "1", "2", "3"]);
    assert_eq!(world.server.sends_received, 3 + 1 + 4);
}

#[test]
fn a_message_that_is_given_up_leaves_its_place_in_the_window() {
    let mut world = World::new(&["a", "b"]);
    world.settle();
    let later = proto::Refusal { code: proto::RefusalCode::TryLater.into(), retryable: true, ..Default::default() };
    world.server.refuse_sends = vec![later; 5];
    world.send(0, "b", "given up");
    world.pass(60_000);
    assert_eq!(world.actors[0].failed(), 1);
    world.send(0, "b", "the next one");
    world.settle();
    assert_eq!(world.actors[1].messages_told(), ["the next one"]);
}

#[test]
fn a_new_message_does_not_overtake_those_that_will_be_refused_with_an_earlier_one() {
    let mut world = World::new(&["a", "b"]);
    world.settle();
    let later = proto::Refusal {
        code: proto::RefusalCode::TryLater.into(),
        retryable: true,
        retry_after_ms: 500,
        ..Default::default()
    };
    world.server.refuse_sends = vec![later; 3];
    // The answer to the first is there at once, those to the others come only with a packet after them.
    let mut answers = 0;
    world.server.script = Box::new(move |_, packet| {
        if packet != Command::answer(Operation::Send) {
            return Fate::Pass;
        }
        answers += 1;
        if (2..=3).contains(&answers) { Fate::Late } else { Fate::Pass }
    });
    for text in ["1", "2", "3"] {
        world.send(0, "b", text);
    }
    world.settle();
    world.send(0, "b", "4");
    world.pass(30_000);
    assert_eq!(world.actors[1].messages_told(), ["1", "2", "3", "4"]);
}

#[test]
fn a_message_without_any_answer_fails_after_two_minutes_and_can_be_sent_again() {
    let mut world = World::new(&["a", "b"]);
    world.settle();
    world.server.script =
        Box::new(|_, packet| if packet == Command::request(Operation::Send) { Fate::Lose } else { Fate::Pass });
    world.send(0, "b", "hello?");
    world.pass(119_000);
    assert_eq!(world.actors[0].failed(), 0);
    // The time to connect again is not counted.
    world.pass(10_000);
    assert_eq!(world.actors[0].states().last(), Some(&&SendState::Failed { refusal: None }));
    assert_eq!(world.actors[0].core.unsent(), 0);

    let row = world.actors[0].core.outbox().next().unwrap();
    world.server.script = Box::new(|_, _| Fate::Pass);
    let now = world.now;
    world.actors[0].core.resend(now, row.local);
    world.settle();
    assert_eq!(world.actors[0].stored(), 1);
    assert_eq!(world.actors[1].messages_told(), ["hello?"]);
}

#[test]
fn time_without_a_link_does_not_make_a_message_fail() {
    let mut world = World::new(&["a", "b"]);
    world.settle();
    world.actors[0].dials_fail = true;
    world.server.cut_all();
    world.settle();
    world.send(0, "b", "patience");
    world.pass(3_600_000);
    assert_eq!((world.actors[0].failed(), world.actors[0].core.unsent()), (0, 1));
    world.actors[0].dials_fail = false;
    world.pass(61_000);
    assert_eq!(world.actors[1].messages_told(), ["patience"]);
}

#[test]
fn the_window_bounds_what_waits_for_an_answer() {
    let mut world = World::new(&["a", "b"]);
    world.settle();
    let lost = std::rc::Rc::new(std::cell::Cell::new(0));
    let count = std::rc::Rc::clone(&lost);
    world.server.script = Box::new(move |_, packet| {
        if packet == Command::request(Operation::Send) {
            count.set(count.get() + 1);
            return Fate::Lose;
        }
        Fate::Pass
    });
    for number in 0..200 {
        world.send(0, "b", &format!("{number}"));
    }
    world.settle();
    assert_eq!(lost.get(), 64);
    world.server.script = Box::new(|_, _| Fate::Pass);
    world.server.cut_all();
    world.pass(5_000);
    let wanted: Vec<_> = (0..200).map(|number| number.to_string()).collect();
    assert_eq!(world.actors[1].messages_told(), wanted);
}

#[test]
fn what_breaks_a_limit_is_not_queued() {
    let mut world = World::new(&["a"]);
    let now = world.now;
    let core = &mut world.actors[0].core;
    let message = |user: &str, body: Vec<u8>| new_message(user, [1; 16], proto::BodyType::Custom, body);
    assert_eq!(core.send(now, message("b", vec![0; 16_385]), 0), Err(SendError::Invalid));
    assert_eq!(core.send(now, message("b", vec![]), 0), Err(SendError::Invalid));
    assert_eq!(core.send(now, message("", vec![0]), 0), Err(SendError::Invalid));
    assert_eq!(core.send(now, message(&"b".repeat(65_000), vec![0]), 0), Err(SendError::Invalid));
    let short_id = proto::SendRequest { client_message_id: "x".into(), ..message("b", vec![0]) };
    assert_eq!(core.send(now, short_id, 0), Err(SendError::Invalid));
    for _ in 0..10_000 {
        core.send(now, message("b", vec![0]), 0).unwrap();
    }
    assert_eq!(core.send(now, message("b", vec![0]), 0), Err(SendError::OutboxFull));
}

#[test]
fn typing_is_told_and_never_kept() {
    let mut world = World::new(&["a", "b"]);
    let now = world.now;
    world.actors[0].core.typing(now, "b", false);
    world.settle();
    let typing = |event: &&Event| matches!(event, Event::Typing { stopped: false, .. });
    assert_eq!(world.actors[1].told.iter().filter(typing).count(), 0, "it was not live, and is not told late");
    world.actors[0].core.typing(now, "b", false);
    world.settle();
    assert_eq!(world.actors[1].told.iter().filter(typing).count(), 1);
}

#[test]
fn history_goes_both_ways_and_says_what_it_covers() {
    let mut world = World::new(&["a", "b"]);
    let now = world.now;
    for number in 1..=30 {
        world.server.say(now, "a", "b", &format!("{number}"));
    }
    world.settle();
    let ask = |before_seq, after_seq| {
        Request::History(proto::HistoryRequest {
            user: "a".into(),
            before_seq,
            after_seq,
            limit: 5,
            ..Default::default()
        })
    };
    world.request(1, 1, ask(11, 0));
    world.request(1, 2, ask(0, 20));
    world.settle();
    let seqs = |token: u64| {
        let answer = |event: &Event| match event {
            Event::Answered { token: known, result: Ok(Answer::History(answer)) } if *known == token => {
                Some(answer.entries.iter().map(|entry| entry.seq).collect::<Vec<_>>())
            }
            _ => None,
        };
        world.actors[1].told.iter().find_map(answer).unwrap()
    };
    assert_eq!(seqs(1), [6, 7, 8, 9, 10]);
    assert_eq!(seqs(2), [21, 22, 23, 24, 25]);
}

#[test]
fn a_new_device_of_a_busy_user_starts_with_the_list_instead_of_a_long_inbox() {
    let mut world = World::new(&["a", "b"]);
    world.settle();
    for number in 0..1_500 {
        world.server.say(world.now, "a", "b", &format!("{number}"));
    }
    let fresh = world.add("b", proto::Term::Pad);
    world.settle();
    assert!(world.actors[fresh].messages_told().is_empty());
    assert_eq!(world.actors[fresh].core.inbox_cursor(), 1_500);
    assert_eq!(world.server.cursor("b", world.actors[fresh].device()), 1_500);
    assert_eq!(conversation(&world, fresh, "a").unread, 1_500);
    world.server.say(world.now, "a", "b", "and one more");
    world.settle();
    assert_eq!(world.actors[fresh].messages_told(), ["and one more"]);
    assert_eq!(conversation(&world, fresh, "a").unread, 1_501);
}

#[test]
fn a_page_that_pushes_have_overtaken_does_not_break_the_link() {
    let mut world = World::new(&["a", "b"]);
    world.settle();
    let lost = |_, packet| if packet == Command::notify(Operation::Message) { Fate::Lose } else { Fate::Pass };
    world.server.script = Box::new(lost);
    for number in 1..=10 {
        world.server.say(world.now, "a", "b", &format!("{number}"));
    }
    // The first page, of seven, waits until the pushes of the same entries have passed.
    let mut held = BTreeSet::new();
    world.server.script = Box::new(move |line, packet| {
        let page = packet == Command::answer(Operation::Sync);
        if page && held.insert(line) { Fate::Late } else { Fate::Pass }
    });
    world.server.hint_all(world.now);
    world.settle();
    assert!(world.actors[1].messages_told().is_empty());
    let entry = |seq: u64| proto::InboxEntry {
        inbox_seq: seq,
        user: "a".into(),
        what: Some(proto::inbox_entry::What::Entry(proto::Entry {
            seq,
            body: seq.to_string().into(),
            ..Default::default()
        })),
        ..Default::default()
    };
    let pushes = proto::MessageNotify { entries: (1..=7).map(entry).collect() };
    world.server.notify(world.now, "b", Operation::Message, &pushes);
    world.settle();
    assert!(world.actors[1].is_live());
    assert_eq!(world.actors[1].messages_told(), (1..=10).map(|number| number.to_string()).collect::<Vec<_>>());
    let broken = |event: &Event| matches!(event, Event::Link(Link::Broken { .. }));
    assert!(!world.actors[1].told.iter().any(broken));
}

#[test]
fn an_older_state_of_a_row_is_not_told_after_a_newer_one() {
    let mut world = World::new(&["a", "b"]);
    world.settle();
    let row = |changed_seq| proto::Entry { seq: 1, body: "x".into(), changed_seq, ..Default::default() };
    let entry = |inbox_seq, entry| {
        let what = Some(proto::inbox_entry::What::Entry(entry));
        proto::InboxEntry { inbox_seq, user: "a".into(), what, ..Default::default() }
    };
    let changed = |seq| {
        let change = Some(Box::new(proto::Change { target_seq: 1, target: Some(Box::new(row(seq))) }));
        entry(seq, proto::Entry { seq, change, ..Default::default() })
    };
    // The server of the stage knows nothing of all this.
    world.server.script = Box::new(|_, packet| if is_request(packet) { Fate::Lose } else { Fate::Pass });
    // Pushes tell a row as it was, and may have to wait for a page, which tells it as it is.
    let entries = vec![changed(2), changed(3), changed(4), entry(1, row(3))];
    world.server.notify(world.now, "b", Operation::Message, &proto::MessageNotify { entries });
    world.settle();
    let told = |event: &Event| match event {
        Event::Message(message) | Event::MessageChanged(message) => Some(message.entry.changed_seq),
        _ => None,
    };
    assert_eq!(world.actors[1].told.iter().filter_map(told).collect::<Vec<_>>(), [3, 3, 4]);
}

#[test]
fn what_was_read_while_the_sender_was_away_is_shown_as_read() {
    let mut world = World::new(&["a", "b"]);
    world.settle();
    world.send(0, "b", "hello");
    world.settle();
    assert_eq!(world.actors[0].receipt("b"), (1, 0));
    world.actors[0].dials_fail = true;
    world.server.cut_all();
    world.pass(5_000);
    assert!(world.actors[1].is_live() && !world.actors[0].is_live());
    let now = world.now;
    world.actors[1].core.mark_read(now, "a", 1);
    world.settle();
    world.actors[0].dials_fail = false;
    world.pass(60_000);
    assert_eq!(world.actors[0].receipt("b"), (1, 1));
}

#[test]
fn people_who_never_come_do_not_hide_the_lost_receipt_of_another() {
    let mut world = World::new(&["a", "zoe"]);
    world.settle();
    for number in 0..120 {
        world.send(0, format!("away{number:03}"), "hello?");
    }
    world.pass(25_000);
    world.server.script =
        Box::new(|_, packet| if packet == Command::notify(Operation::Receipt) { Fate::Lose } else { Fate::Pass });
    world.send(0, "zoe", "hello");
    world.settle();
    assert_eq!(world.actors[0].receipt("zoe"), (0, 0));
    world.pass(200_000);
    assert_eq!(world.actors[0].receipt("zoe"), (1, 0));
}

#[test]
fn a_page_of_the_list_that_is_never_answered_is_asked_for_again_on_the_same_link() {
    let mut world = World::new(&["a", "b"]);
    world.settle();
    world.send(0, "b", "hello");
    world.settle();
    let mut first = true;
    world.server.script = Box::new(move |_, packet| {
        let page = packet == Command::answer(Operation::Conversations);
        if page && std::mem::take(&mut first) { Fate::Lose } else { Fate::Pass }
    });
    let fresh = world.add("b", proto::Term::Pad);
    world.settle();
    assert!(world.actors[fresh].is_live() && !world.actors[fresh].core.list_is_complete());
    world.pass(13_000);
    assert!(world.actors[fresh].core.list_is_complete());
    assert_eq!(conversation(&world, fresh, "a").unread, 1);
}
