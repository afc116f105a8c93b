//! Groups: every entry once and in order whatever is lost, what is unread, what is acknowledged, and what a device learns
//! when it was away. The actors of the play watch over "once and ascending" in every scene (`world.rs`).

use hongyan_client::{Event, Keep, Link, Peer, Request, SendState, proto};
use hongyan_wire::Command;
use hongyan_wire::command::Operation;

use crate::server::Fate;
use crate::world::World;

const PUSH: Command = Command::notify(Operation::Group);

/// Everybody is in the group "g", and has heard of it.
fn group_of(names: &[&str]) -> World {
    let mut world = World::new(names);
    world.settle();
    let now = world.now;
    world.server.make_group(now, "g", names);
    world.pass(6_000);
    world
}

fn g() -> Peer {
    Peer::group_of("g")
}

fn group(world: &World, actor: usize) -> &proto::Group {
    &world.actors[actor].core.group("g").unwrap().group
}

fn texts(world: &World, actor: usize) -> Vec<String> {
    let told = world.actors[actor].messages_told();
    told.into_iter().filter(|text| !text.is_empty()).collect()
}

#[test]
fn a_message_reaches_every_device_once_and_its_own_sender_by_the_answer() {
    let mut world = group_of(&["a", "b", "c"]);
    let phone = world.add("a", proto::Term::Mobile);
    world.settle();
    world.send(0, g(), "one");
    world.settle();
    world.send(phone, g(), "two");
    world.settle();
    for (actor, told) in [(0, vec!["two"]), (phone, vec!["one"]), (1, vec!["one", "two"]), (2, vec!["one", "two"])] {
        assert_eq!(texts(&world, actor), told);
        let screen = world.actors[actor].screen(g());
        assert!(screen.ends_with(&["one".to_owned(), "two".to_owned()]), "{screen:?}");
    }
    assert_eq!(group(&world, 0).unread, 0, "own messages are never unread");
    assert_eq!(group(&world, 1).unread, 2);
    for actor in [0, phone] {
        assert_eq!(world.actors[actor].stored(), 1);
        assert_eq!(world.actors[actor].core.outbox().count(), 0, "the log has brought it");
    }
    assert!(world.actors[0].screen("g").is_empty(), "nobody is called g");
}

#[test]
fn the_push_may_come_before_the_answer_or_instead_of_it() {
    let mut world = group_of(&["a", "b"]);
    world.server.script =
        Box::new(|_, packet| if packet == Command::answer(Operation::Send) { Fate::CutBefore } else { Fate::Pass });
    world.send(0, g(), "hello");
    world.settle();
    assert_eq!(world.actors[0].stored(), 1, "the push was there before the answer was lost");
    world.server.script = Box::new(|_, _| Fate::Pass);
    world.pass(20_000);
    assert!(texts(&world, 0).is_empty());
    assert_eq!(world.actors[0].core.outbox().count(), 0);
    assert_eq!(texts(&world, 1), ["hello"]);
}

#[test]
fn an_own_message_whose_push_is_lost_is_not_shown_again_after_a_restart() {
    let mut world = group_of(&["a", "b"]);
    world.server.script = Box::new(|_, packet| if packet == PUSH { Fate::Lose } else { Fate::Pass });
    world.send(0, g(), "mine");
    world.settle();
    assert_eq!((world.actors[0].stored(), world.actors[0].core.outbox().count()), (1, 1));
    world.restart(0);
    world.pass(6_000);
    assert!(texts(&world, 0).is_empty());
    assert_eq!(world.actors[0].stored(), 1);
    assert_eq!(world.actors[0].core.outbox().count(), 0);
    assert!(world.actors[0].screen(g()).contains(&"mine".to_owned()));
}

#[test]
fn lost_pushes_are_asked_for_once_and_come_in_order() {
    let mut world = group_of(&["a", "b"]);
    let mut pushes = 0;
    world.server.script = Box::new(move |_, packet| {
        pushes += usize::from(packet == PUSH);
        if packet == PUSH && pushes <= 6 { Fate::Lose } else { Fate::Pass }
    });
    let before = world.server.group_histories;
    for text in ["1", "2", "3", "4"] {
        let now = world.now;
        world.server.say_in_group(now, "a", "g", text);
    }
    world.settle();
    assert_eq!(texts(&world, 1), ["1", "2", "3", "4"]);
    assert_eq!(world.server.group_histories - before, 2, "one question of each of the two");
}

#[test]
fn a_hint_without_entries_makes_it_ask() {
    let mut world = group_of(&["a", "b"]);
    world.server.script = Box::new(|_, packet| if packet == PUSH { Fate::Lose } else { Fate::Pass });
    let now = world.now;
    world.server.say_in_group(now, "a", "g", "lost");
    world.settle();
    assert!(texts(&world, 1).is_empty());
    world.server.script = Box::new(|_, _| Fate::Pass);
    world.server.hint_group(now, "g");
    world.settle();
    assert_eq!(texts(&world, 1), ["lost"]);
}

#[test]
fn repeated_and_late_pushes_change_nothing() {
    let mut world = group_of(&["a", "b"]);
    let mut pushes = 0;
    world.server.script = Box::new(move |_, packet| {
        if packet != PUSH {
            return Fate::Pass;
        }
        pushes += 1;
        [Fate::Twice, Fate::Late, Fate::Pass][pushes % 3]
    });
    for number in 0..30 {
        let now = world.now;
        world.server.say_in_group(now, "a", "g", &number.to_string());
        world.settle();
    }
    world.pass(1_000);
    let wanted: Vec<_> = (0..30).map(|number: u32| number.to_string()).collect();
    assert_eq!(texts(&world, 1), wanted);
    assert_eq!(group(&world, 1).unread, world.server.group_unread("g", "b"));
}

#[test]
fn what_was_missed_while_away_is_handed_out_after_the_next_login() {
    let mut world = group_of(&["a", "b"]);
    world.server.cut_all();
    world.actors[1].dials_fail = true;
    world.pass(100);
    for number in 0..250 {
        let now = world.now;
        world.server.say_in_group(now, "a", "g", &number.to_string());
    }
    world.actors[1].dials_fail = false;
    world.pass(60_000);
    assert_eq!(texts(&world, 1).len(), 250);
    assert_eq!(group(&world, 1).unread, 250);
    assert!(!world.actors[1].told.iter().any(|event| matches!(event, Event::Skipped { .. })));
}

#[test]
fn too_much_is_left_to_histories_and_said_so() {
    let mut world = group_of(&["a", "b"]);
    world.server.cut_all();
    world.actors[1].dials_fail = true;
    world.pass(100);
    for _ in 0..1_500 {
        let now = world.now;
        world.server.say_in_group(now, "a", "g", "many");
    }
    world.actors[1].dials_fail = false;
    world.pass(60_000);
    let head = world.server.group_head("g");
    assert!(texts(&world, 1).is_empty());
    let skipped = |event: &Event| matches!(event, Event::Skipped { to_seq, .. } if *to_seq == head);
    assert!(world.actors[1].told.iter().any(skipped));
    assert_eq!(group(&world, 1).unread, 1_500, "the server has counted them");
    let now = world.now;
    world.server.say_in_group(now, "a", "g", "next");
    world.settle();
    assert_eq!(texts(&world, 1), ["next"]);
    assert_eq!(group(&world, 1).unread, 1_501);
}

#[test]
fn only_what_has_changed_is_listed_and_nothing_is_asked_of_the_rest() {
    let mut world = group_of(&["a", "b"]);
    for name in ["h", "i", "j"] {
        let now = world.now;
        world.server.make_group(now, name, &["a", "b"]);
    }
    world.server.groups_page = 2;
    world.pass(6_000);
    assert_eq!(world.actors[1].core.groups().count(), 4);
    assert!(world.actors[1].core.groups_are_complete());
    let (lists, histories) = (world.server.group_lists, world.server.group_histories);
    world.restart(1);
    world.pass(6_000);
    assert_eq!(world.server.group_lists - lists, 1, "one page, because nothing has changed");
    assert_eq!(world.server.group_histories, histories);
    assert_eq!(world.actors[1].core.groups().count(), 4, "from the store");
}

#[test]
fn a_new_device_begins_at_the_heads_and_a_new_member_with_the_joining() {
    let mut world = group_of(&["a"]);
    let now = world.now;
    world.server.say_in_group(now, "a", "g", "before");
    world.settle();
    let phone = world.add("a", proto::Term::Mobile);
    let b = world.add("b", proto::Term::Pc);
    world.settle();
    assert!(texts(&world, phone).is_empty(), "the list and histories tell it");
    assert_eq!(group(&world, phone).last.as_ref().unwrap().body, "before");
    let now = world.now;
    world.server.take_in(now, "g", "a", &["b"]);
    world.server.say_in_group(now, "a", "g", "welcome");
    world.pass(1_000);
    assert_eq!(texts(&world, b), ["welcome"]);
    let joined = |event: &Event| matches!(event, Event::Message(message) if message.entry.event.is_some());
    assert_eq!(world.actors[b].told.iter().filter(|event| joined(event)).count(), 1, "their own joining");
}

#[test]
fn who_is_sent_away_hears_nothing_more_and_keeps_what_there_was() {
    let mut world = group_of(&["a", "b"]);
    let now = world.now;
    world.server.say_in_group(now, "a", "g", "bye");
    world.server.send_away(now, "g", "a", "b");
    world.server.say_in_group(now, "a", "g", "is he gone?");
    world.pass(1_000);
    assert_eq!(texts(&world, 1), ["bye"]);
    assert!(group(&world, 1).left);
    let left = |event: &Event| matches!(event, Event::Group(group) if group.left);
    assert!(world.actors[1].told.iter().any(left));
}

#[test]
fn marks_and_counts_agree_between_devices_and_the_server() {
    let mut world = group_of(&["a", "b"]);
    let phone = world.add("b", proto::Term::Mobile);
    world.settle();
    let first = world.server.group_head("g") + 1;
    for number in 0..10 {
        let now = world.now;
        world.server.say_in_group(now, "a", "g", &number.to_string());
    }
    world.settle();
    let now = world.now;
    world.actors[1].core.mark_read(now, g(), first + 3);
    world.pass(1_000);
    for actor in [1, phone] {
        assert_eq!((group(&world, actor).read_seq, group(&world, actor).unread), (first + 3, 6));
    }
    assert_eq!(world.server.group_unread("g", "b"), 6);
    world.actors[phone].core.mark_read(now, g(), first + 9);
    world.pass(1_000);
    assert_eq!((group(&world, 1).unread, world.server.group_unread("g", "b")), (0, 0));
}

#[test]
fn a_mark_below_what_this_device_has_heard_is_counted_by_the_server() {
    let mut world = group_of(&["a", "b"]);
    let first = world.server.group_head("g") + 1;
    for number in 0..10 {
        let now = world.now;
        world.server.say_in_group(now, "a", "g", &number.to_string());
    }
    world.settle();
    let phone = world.add("b", proto::Term::Mobile);
    world.settle();
    let now = world.now;
    // The new device knows that ten are unread, not which.
    world.actors[phone].core.mark_read(now, g(), first + 6);
    world.pass(1_000);
    assert_eq!(group(&world, phone).unread, 3);
}

#[test]
fn mentions_are_told_once_and_end_with_the_mark() {
    let mut world = group_of(&["a", "b"]);
    let now = world.now;
    let seq = world.server.mention_in_group(now, "a", "g", "b");
    world.settle();
    let mentioned = |event: &Event| matches!(event, Event::Mentioned { .. });
    assert_eq!(world.actors[1].told.iter().filter(|event| mentioned(event)).count(), 1);
    assert_eq!(group(&world, 1).mention_seq, seq);
    world.actors[1].core.mark_read(now, g(), seq);
    assert_eq!(group(&world, 1).mention_seq, 0);
}

#[test]
fn acknowledgements_are_few_and_wait_for_no_more_than_some_seconds() {
    let mut world = group_of(&["a", "b"]);
    let (device, before) = (world.actors[1].device().clone(), world.server.group_acks);
    for _ in 0..10 {
        let now = world.now;
        world.server.say_in_group(now, "a", "g", "x");
        world.settle();
    }
    assert_eq!(world.server.group_acks, before, "not for each of them");
    world.pass(5_000);
    assert_eq!(world.server.group_acked("g", &device), world.server.group_head("g"));
    assert_eq!(world.server.group_acks - before, 2, "once of each of the two");
    for _ in 0..20 {
        let now = world.now;
        world.server.say_in_group(now, "a", "g", "x");
        world.settle();
    }
    assert_eq!(world.server.group_acked("g", &device), world.server.group_head("g"), "twenty do not wait");
    let now = world.now;
    world.server.say_in_group(now, "a", "g", "last");
    world.settle();
    world.actors[1].core.acknowledge_groups(now);
    world.settle();
    assert_eq!(world.server.group_acked("g", &device), world.server.group_head("g"), "nor when they are asked to");
}

#[test]
fn a_logout_tells_what_is_stored_here() {
    let mut world = group_of(&["a", "b"]);
    let (now, device) = (world.now, world.actors[1].device().clone());
    world.server.say_in_group(now, "a", "g", "x");
    world.settle();
    world.request(1, 1, Request::Logout);
    world.settle();
    assert!(matches!(world.actors[1].core.link(), Link::Stopped(_)));
    assert_eq!(world.server.group_acked("g", &device), world.server.group_head("g"));
}

#[test]
fn nothing_is_acknowledged_that_is_not_kept() {
    let mut world = group_of(&["a", "b"]);
    world.actors[1].die_before_keeping_messages = true;
    let device = world.actors[1].device().clone();
    for number in 0..25 {
        let now = world.now;
        world.server.say_in_group(now, "a", "g", &number.to_string());
    }
    world.settle();
    assert!(world.actors[1].died);
    world.pass(10_000);
    let screen = world.actors[1].screen(g());
    assert_eq!(screen.iter().filter(|text| !text.is_empty()).count(), 25);
    assert_eq!(world.server.group_acked("g", &device), world.server.group_head("g"));
}

#[test]
fn a_recall_changes_the_row_wherever_it_is() {
    let mut world = group_of(&["a", "b"]);
    let now = world.now;
    let seq = world.server.say_in_group(now, "a", "g", "oops");
    world.settle();
    world.server.recall_in_group(now, "g", seq);
    world.settle();
    let recalled = |event: &Event| matches!(event, Event::MessageChanged(message) if message.entry.recalled);
    for actor in [0, 1] {
        assert_eq!(world.actors[actor].told.iter().filter(|event| recalled(event)).count(), 1);
        assert!(!world.actors[actor].screen(g()).contains(&"oops".to_owned()));
        assert!(group(&world, actor).last.as_ref().unwrap().recalled);
    }
}

#[test]
fn a_message_that_carries_somebody_else_s_id_displaces_nothing() {
    let mut world = group_of(&["a", "b"]);
    world.send(0, g(), "mine");
    world.settle();
    let Some(Event::Outgoing(outgoing)) =
        world.actors[0].told.iter().rev().find(|event| matches!(event, Event::Outgoing(_)))
    else {
        panic!("it was sent")
    };
    assert!(matches!(outgoing.state, SendState::Stored { .. }));
    let id = outgoing.client_message_id.clone();
    let (now, seq) = (world.now, world.server.group_head("g") + 1);
    let entry = proto::Entry {
        seq,
        sender: "b".into(),
        client_message_id: id,
        body: "forged".into(),
        own: true,
        ..Default::default()
    };
    let notify = proto::GroupNotify { group: "g".into(), entries: vec![entry], head_seq: seq };
    world.server.notify(now, "a", Operation::Group, &notify);
    world.settle();
    let screen = world.actors[0].screen(g());
    assert!(screen.ends_with(&["mine".to_owned(), "forged".to_owned()]), "{screen:?}");
    assert_eq!(texts(&world, 0), ["forged"]);
}

#[test]
fn without_a_store_groups_are_heard_all_the_same() {
    let mut world = group_of(&["a", "b"]);
    let now = world.now;
    world.actors[1].set_keep(Keep::Nothing, now);
    world.pass(1_000);
    world.server.say_in_group(now, "a", "g", "hello");
    world.settle();
    assert_eq!(texts(&world, 1), ["hello"]);
}

#[test]
fn a_restored_server_s_numbers_are_believed() {
    let mut world = group_of(&["a", "b"]);
    let now = world.now;
    world.server.say_in_group(now, "a", "g", "x");
    world.pass(6_000);
    world.server.log_epoch += 1;
    world.server.forget_sessions();
    world.server.make_group(now, "g", &["a", "b"]);
    world.pass(60_000);
    let now = world.now;
    world.server.say_in_group(now, "a", "g", "anew");
    world.settle();
    assert_eq!(texts(&world, 1), ["x", "anew"]);
    assert_eq!(group(&world, 1).head_seq, world.server.group_head("g"));
}
