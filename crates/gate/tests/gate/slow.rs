//! Streams that take nothing, little, or say nothing any more: what a gate keeps for them, and for how long (rows 12 and
//! 13, and the half-open link of reliability.md §3).

use hongyan_domain::UserId;
use hongyan_gate::GateOptions;
use hongyan_wire::command::Operation;
use hongyan_wire::{Command, Event, limits, proto};

use crate::bench::{Bench, push};
use crate::line::Line;

const A: UserId = UserId(b'a' as i64);

fn connected(bench: &Bench) -> i64 {
    bench.gate.measures().connections.get()
}

fn pushed(line: &mut Line<'_>) -> Vec<u64> {
    let notified = line.take::<proto::MessageNotify>(Command::notify(Operation::Message));
    notified.into_iter().flat_map(|notify| notify.entries).map(|entry| entry.inbox_seq).collect()
}

#[test]
fn row_13_a_stream_that_takes_nothing_for_fifteen_seconds_is_closed() {
    let bench = Bench::new();
    let mut a = Line::dial(&bench);
    let login = a.log_in("a", 1).unwrap();
    a.set_room(0);
    bench.bus.push(A, None, &push(1));
    a.settle();
    // Whatever is read or pushed meanwhile is no progress of the writing.
    for inbox_seq in 2..=15 {
        bench.world.advance(1_000);
        bench.bus.push(A, None, &push(inbox_seq));
        a.ask(Operation::Keepalive, &proto::KeepaliveRequest { id: inbox_seq as u32 });
    }
    bench.world.advance(900);
    assert!(!a.is_closed());
    assert_eq!(bench.gate.measures().write_stalls.get(), 0);
    bench.world.advance(300);
    assert!(a.is_closed());
    assert_eq!((bench.gate.measures().write_stalls.get(), connected(&bench)), (1, 0));
    assert!(bench.bus.router().connected(A).is_empty());
    assert_eq!(bench.bus.router().routes(A).len(), 1, "the session is only suspended");

    *bench.script.head.lock().unwrap() = 15;
    let mut again = Line::dial_again(&bench, &login, 1, 0);
    let Some(Event::Resumed(result)) = again.events.pop() else { panic!("not resumed") };
    assert_eq!(result.page.unwrap().entries.len(), 15, "nothing is lost");
}

#[test]
fn row_13_a_stream_that_takes_a_little_now_and_then_is_not_closed() {
    let bench = Bench::new();
    let mut a = Line::dial(&bench);
    a.log_in("a", 1).unwrap();
    a.set_room(0);
    bench.bus.push(A, None, &push(1));
    a.settle();
    for id in 0..6 {
        bench.world.advance(14_500);
        a.set_room(1);
        a.ask(Operation::Keepalive, &proto::KeepaliveRequest { id });
        assert!(!a.is_closed(), "it moves");
    }
    a.set_room(usize::MAX);
    a.settle();
    assert_eq!(pushed(&mut a), [1]);
    assert_eq!(a.take::<proto::KeepaliveAnswer>(Command::answer(Operation::Keepalive)).len(), 6);
    bench.world.advance(60_000);
    assert!(!a.is_closed(), "a stall that is over is forgotten");
    assert_eq!(bench.gate.measures().write_stalls.get(), 0);
}

#[test]
fn row_13_what_a_stream_does_not_take_is_bounded_and_the_client_is_told_to_sync() {
    let bench = Bench::with(GateOptions { outgoing_bytes_max: 10_000, ..GateOptions::default() });
    let mut a = Line::dial(&bench);
    a.log_in("a", 1).unwrap();
    a.set_room(0);
    for inbox_seq in 1..=2_000 {
        bench.bus.push(A, None, &push(inbox_seq));
        a.settle();
    }
    assert!(bench.gate.measures().pushes_dropped.get() > 1_000);
    // While so much is pending, nothing more is read: requests cannot make the buffer grow either.
    for id in 1..=50 {
        a.ask(Operation::Keepalive, &proto::KeepaliveRequest { id });
    }
    a.set_room(usize::MAX);
    a.settle();
    let seqs = pushed(&mut a);
    assert!(seqs.len() < 1_000 && seqs.is_sorted(), "{} pushes", seqs.len());
    assert!(seqs.iter().copied().eq(1..=seqs.len() as u64), "without a gap up to where they were dropped");
    assert_eq!(a.take::<proto::HintNotify>(Command::notify(Operation::Hint)).len(), 1);
    assert_eq!(a.take::<proto::KeepaliveAnswer>(Command::answer(Operation::Keepalive)).len(), 50, "late, but all");
}

#[test]
fn row_12_a_frame_that_never_ends_is_closed_in_time_and_one_that_moves_is_not() {
    for (bytes, every_ms, arrives) in [(1, 1_000, false), (300, 1_000, true)] {
        let bench = Bench::new();
        let mut a = Line::dial(&bench);
        a.log_in("a", 1).unwrap();
        let frame = a.frame(Command::request(Operation::Send), &[0; 16_000]);
        for piece in frame.chunks(bytes) {
            a.blurt(piece);
            bench.world.advance(every_ms);
            a.settle();
            if a.is_closed() {
                break;
            }
        }
        let answers = a.take::<proto::SendAnswer>(Command::answer(Operation::Send));
        assert_eq!((answers.len() == 1, a.is_closed()), (arrives, !arrives), "{bytes} bytes each {every_ms} ms");
        assert_eq!(connected(&bench), i64::from(arrives));
    }
}

#[test]
fn a_half_open_link_is_given_up_after_the_idle_deadline_and_nothing_that_was_pushed_into_it_is_lost() {
    let bench = Bench::new();
    let mut b = Line::dial(&bench);
    b.log_in("b", 2).unwrap();
    let mut a = Line::dial(&bench);
    let login = a.log_in("a", 1).unwrap();
    // The cable is pulled: the kernel still takes what the gate writes, and says nothing.
    *bench.script.head.lock().unwrap() = 3;
    for inbox_seq in 1..=3 {
        assert_eq!(bench.bus.push(A, None, &push(inbox_seq)), 1);
    }
    bench.world.advance(limits::IDLE_DEADLINE.0 - 1_000);
    assert!(!a.is_closed());
    b.ask(Operation::Keepalive, &proto::KeepaliveRequest { id: 1 });
    bench.world.advance(1_200);
    assert!(a.is_closed() && !b.is_closed());
    assert_eq!(connected(&bench), 1);
    assert_eq!(bench.bus.push(A, None, &push(4)), 0, "nothing more is pushed into it");
    assert!(b.take::<proto::ReceiptNotify>(Command::notify(Operation::Receipt)).is_empty(), "nobody has it");

    let mut again = Line::dial_again(&bench, &login, 1, 0);
    let Some(Event::Resumed(result)) = again.events.pop() else { panic!("not resumed") };
    assert_eq!(result.page.unwrap().entries.len(), 3);
    again.ask(Operation::Ack, &proto::AckRequest { id: 1, inbox_cursor: 3 });
    b.settle();
    let receipts = b.take::<proto::ReceiptNotify>(Command::notify(Operation::Receipt));
    assert_eq!(receipts[0].receipts[0].delivered_seq, 3);
}

#[test]
fn a_new_connection_takes_the_session_from_a_half_open_one_at_once() {
    let bench = Bench::new();
    let mut old = Line::dial(&bench);
    let login = old.log_in("a", 1).unwrap();
    old.set_room(0);
    bench.bus.push(A, None, &push(1));
    old.settle();
    *bench.script.head.lock().unwrap() = 1;
    let mut new = Line::dial_again(&bench, &login, 1, 0);
    assert!(matches!(new.events[..], [Event::Resumed(_)]));
    new.ask(Operation::Ack, &proto::AckRequest { id: 1, inbox_cursor: 1 });
    assert!(old.is_closed(), "the old one is closed though it takes nothing");
    assert_eq!(bench.bus.router().connected(A).len(), 1);
    assert_eq!(bench.bus.push(A, None, &push(2)), 1);
    new.settle();
    assert_eq!(pushed(&mut new), [2]);
}

#[test]
fn a_broken_or_ended_stream_suspends_its_session_at_once() {
    for broken in [true, false] {
        let bench = Bench::new();
        let mut a = Line::dial(&bench);
        a.log_in("a", 1).unwrap();
        if broken {
            a.reset()
        } else {
            a.hang_up()
        }
        bench.world.settle();
        assert!(a.is_closed());
        assert_eq!((connected(&bench), bench.bus.router().connected(A).len()), (0, 0));
    }
}
