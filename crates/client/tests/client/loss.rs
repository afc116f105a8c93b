//! The loss matrix of one message (spec appendix D): every row that a client can see.

use std::cell::RefCell;
use std::rc::Rc;

use hongyan_client::{Event, SendState};
use hongyan_wire::Command;
use hongyan_wire::command::Operation;

use crate::server::{Fate, is_request};
use crate::world::World;

/// A and B, both live; from here on the first packet of `command` has the given fate.
fn stage(command: Command, fate: Fate) -> World {
    let mut world = World::new(&["a", "b"]);
    world.pass(1000);
    assert!(world.actors.iter().all(|actor| actor.is_live()));
    let mut first = true;
    world.server.script =
        Box::new(move |_, packet| if packet == command && std::mem::take(&mut first) { fate } else { Fate::Pass });
    world
}

/// Says one thing, lets time heal, and checks that everybody has it once, with its receipt.
fn one_message_arrives(mut world: World, patience_ms: u64) -> World {
    world.send(0, "b", "你好");
    world.pass(patience_ms);
    assert_eq!(world.actors[0].screen("b"), ["你好"]);
    assert_eq!(world.actors[1].screen("a"), ["你好"]);
    assert_eq!(world.actors[1].messages_told(), ["你好"]);
    assert_eq!(world.actors[0].stored(), 1);
    assert_eq!(world.actors[0].core.outbox().count(), 0);
    assert_eq!(world.actors[0].receipt("b"), (1, 0));
    world
}

#[test]
fn nothing_lost_takes_no_time() {
    let world = one_message_arrives(stage(Command::request(Operation::Send), Fate::Pass), 0);
    assert_eq!(world.server.sends_received, 1);
    assert_eq!(world.server.cursor("b", world.actors[1].device()), 1);
}

#[test]
fn a_lost_request_is_sent_again() {
    let world = one_message_arrives(stage(Command::request(Operation::Send), Fate::Lose), 7_000);
    assert_eq!(world.server.sends_received, 1);
}

#[test]
fn a_lost_answer_is_learned_on_the_next_connection_without_a_second_message() {
    let world = one_message_arrives(stage(Command::answer(Operation::Send), Fate::Lose), 7_000);
    assert_eq!(world.server.sends_received, 1, "the inbox tells it first");
    assert_eq!(world.server.texts("a", "b").len(), 1);
}

#[test]
fn a_lost_push_is_healed_by_a_hint() {
    let mut world = stage(Command::notify(Operation::Message), Fate::Lose);
    world.send(0, "b", "你好");
    world.pass(100);
    assert!(world.actors[1].screen("a").is_empty());
    world.server.hint_all(world.now);
    world.settle();
    assert_eq!(world.actors[1].messages_told(), ["你好"]);
    assert_eq!(world.actors[0].receipt("b"), (1, 0));
}

#[test]
fn a_hint_that_overtakes_a_page_is_not_forgotten() {
    let mut world = stage(Command::notify(Operation::Message), Fate::Lose);
    let mut late = true;
    world.server.script = Box::new(move |_, packet| match packet {
        packet if packet == Command::notify(Operation::Message) => Fate::Lose,
        packet if packet == Command::answer(Operation::Sync) && std::mem::take(&mut late) => Fate::Late,
        _ => Fate::Pass,
    });
    for text in ["one", "two"] {
        world.send(0, "b", text);
        world.pass(100);
        world.server.hint_all(world.now);
        world.pass(100);
    }
    assert_eq!(world.actors[1].messages_told(), ["one", "two"]);
}

#[test]
fn a_lost_push_is_healed_by_the_heartbeat() {
    one_message_arrives(stage(Command::notify(Operation::Message), Fate::Lose), 61_000);
}

#[test]
fn a_lost_push_is_healed_by_the_next_one() {
    let mut world = stage(Command::notify(Operation::Message), Fate::Lose);
    world.send(0, "b", "one");
    world.settle();
    world.send(0, "b", "two");
    world.pass(299);
    assert!(world.actors[1].messages_told().is_empty(), "nothing is shown above a gap");
    world.pass(2);
    assert_eq!(world.actors[1].messages_told(), ["one", "two"]);
}

#[test]
fn a_late_push_heals_without_asking() {
    let mut world = stage(Command::notify(Operation::Message), Fate::Late);
    let asked = Rc::new(RefCell::new(0));
    let count = Rc::clone(&asked);
    let mut first = true;
    world.server.script = Box::new(move |_, packet| {
        if packet == Command::request(Operation::Sync) {
            *count.borrow_mut() += 1;
        }
        if packet == Command::notify(Operation::Message) && std::mem::take(&mut first) {
            Fate::Late
        } else {
            Fate::Pass
        }
    });
    world.send(0, "b", "one");
    world.send(0, "b", "two");
    world.pass(1000);
    assert_eq!(world.actors[1].messages_told(), ["one", "two"]);
    assert_eq!(*asked.borrow(), 0);
}

#[test]
fn a_lost_ack_is_repeated() {
    one_message_arrives(stage(Command::request(Operation::Ack), Fate::Lose), 6_000);
}

#[test]
fn a_lost_answer_to_an_ack_is_idempotent() {
    one_message_arrives(stage(Command::answer(Operation::Ack), Fate::Lose), 6_000);
}

#[test]
fn a_lost_receipt_is_asked_for() {
    // The heartbeat comes a minute after the lazy acknowledgement of the own message.
    one_message_arrives(stage(Command::notify(Operation::Receipt), Fate::Lose), 90_000);
}

#[test]
fn a_repeated_push_is_shown_once() {
    one_message_arrives(stage(Command::notify(Operation::Message), Fate::Twice), 0);
}

#[test]
fn a_repeated_request_is_one_message() {
    let world = one_message_arrives(stage(Command::request(Operation::Send), Fate::Twice), 0);
    assert_eq!(world.server.texts("a", "b").len(), 1);
}

#[test]
fn a_server_that_dies_before_or_after_storing_is_asked_again() {
    for fate in [Fate::CutBefore, Fate::CutAfter] {
        let world = one_message_arrives(stage(Command::request(Operation::Send), fate), 3_000);
        assert_eq!(world.server.texts("a", "b").len(), 1);
        assert!(world.server.resumes >= 1, "the session goes on");
        assert_eq!(world.server.logins, 2, "nobody logs in anew");
    }
}

#[test]
fn a_receiver_that_dies_before_keeping_gets_it_again() {
    let mut world = stage(Command::request(Operation::Send), Fate::Pass);
    world.actors[1].die_before_keeping_messages = true;
    let world = one_message_arrives(world, 1000);
    assert!(world.actors[1].died);
}

#[test]
fn an_offline_receiver_pulls_later_and_the_sender_learns_it_later() {
    let mut world = stage(Command::request(Operation::Send), Fate::Pass);
    world.actors[1].dials_fail = true;
    world.server.cut_all();
    world.pass(5_000);
    for number in 0..30 {
        world.send(0, "b", &format!("{number}"));
    }
    world.pass(1_000);
    assert_eq!(world.server.sends_received, 30);
    assert!(
        world.actors[0].states().iter().all(|state| matches!(state, SendState::Stored { stored_offline: true, .. }))
    );
    // Not even the sender is there when the receipts are made.
    world.actors[0].dials_fail = true;
    world.server.cut_all();
    world.pass(120_000);
    world.actors[1].dials_fail = false;
    world.pass(120_000);
    assert_eq!(world.actors[1].messages_told().len(), 30);
    world.actors[0].dials_fail = false;
    world.pass(120_000);
    assert_eq!(world.actors[0].receipt("b"), (30, 0));
    assert_eq!(world.server.cursor("b", world.actors[1].device()), 30);
}

#[test]
fn a_lost_kickout_still_ends_the_session() {
    let mut world = World::new(&["a", "b"]);
    world.pass(1000);
    world.server.script =
        Box::new(|_, packet| if packet == Command::notify(Operation::Kickout) { Fate::Lose } else { Fate::Pass });
    let second = world.add("a", hongyan_client::proto::Term::Pc);
    world.pass(1000);
    assert!(world.actors[second].is_live());
    world.send(0, "b", "from the old device");
    world.pass(1000);
    assert!(matches!(world.actors[0].core.link(), hongyan_client::Link::Stopped(_)));
    assert!(world.server.texts("a", "b").is_empty());
}

#[test]
fn a_pair_of_losses_heals_too() {
    let packets = [
        Command::request(Operation::Send),
        Command::answer(Operation::Send),
        Command::notify(Operation::Message),
        Command::request(Operation::Ack),
        Command::answer(Operation::Ack),
        Command::notify(Operation::Receipt),
    ];
    for first in packets {
        for second in packets {
            let mut world = stage(first, Fate::Lose);
            let mut left = vec![first, second];
            world.server.script = Box::new(move |_, packet| {
                let Some(at) = left.iter().position(|lost| *lost == packet) else { return Fate::Pass };
                left.remove(at);
                Fate::Lose
            });
            one_message_arrives(world, 200_000);
        }
    }
}

#[test]
fn either_side_may_restart_between_any_two_packets() {
    for victim in 0..2 {
        for moment in 0..40 {
            let mut world = World::new(&["a", "b"]);
            let packets = Rc::new(RefCell::new(0));
            let count = Rc::clone(&packets);
            // A cut is how the play stops between two packets.
            world.server.script = Box::new(move |_, _| {
                *count.borrow_mut() += 1;
                if *count.borrow() == moment { Fate::CutAfter } else { Fate::Pass }
            });
            let mut restarted = false;
            let mut said = 0;
            for _ in 0..12 {
                if said < 3 {
                    said += 1;
                    world.send(0, "b", &format!("{said}"));
                }
                world.settle();
                if *packets.borrow() >= moment && !std::mem::replace(&mut restarted, true) {
                    world.restart(victim);
                }
                world.pass(10_000);
            }
            world.pass(60_000);
            assert_eq!(world.actors[0].screen("b"), ["1", "2", "3"], "victim {victim}, moment {moment}");
            assert_eq!(world.actors[1].screen("a"), ["1", "2", "3"], "victim {victim}, moment {moment}");
            assert_eq!(world.actors[0].core.outbox().count(), 0);
            assert_eq!(world.actors[0].failed(), 0);
            assert_eq!(world.server.texts("a", "b").len(), 3);
            assert_eq!(world.actors[0].receipt("b"), (3, 0));
        }
    }
}

#[test]
fn requests_of_clients_are_the_only_requests() {
    let mut world = World::new(&["a", "b"]);
    let kinds = Rc::new(RefCell::new(Vec::new()));
    let seen = Rc::clone(&kinds);
    world.server.script = Box::new(move |_, packet| {
        seen.borrow_mut().push(packet);
        Fate::Pass
    });
    world.pass(1000);
    kinds.borrow_mut().clear();
    world.send(0, "b", "你好");
    world.settle();
    // The six packets of spec 39, in causal order, and none besides.
    let six = [
        Command::request(Operation::Send),
        Command::answer(Operation::Send),
        Command::notify(Operation::Message),
        Command::request(Operation::Ack),
        Command::notify(Operation::Receipt),
        Command::answer(Operation::Ack),
    ];
    assert_eq!(*kinds.borrow(), six);
    assert_eq!(kinds.borrow().iter().filter(|packet| is_request(**packet)).count(), 2);
    assert!(world.actors[0].told.iter().any(|event| matches!(event, Event::Receipt { delivered_seq: 1, .. })));
}
