//! Rooms at a gate: who gets what is published, what a connection that takes nothing misses, and how sessions leave.

use hongyan_cluster::bus::{Ending, Publication};
use hongyan_cluster::rooms::{Entrance, RoomLimits};
use hongyan_cluster::{Bus, Inlet};
use hongyan_domain::room::DisplayName;
use hongyan_domain::session::EndReason;
use hongyan_domain::{ConversationId, Name, SessionId, UnixMillis, UserId};
use hongyan_gate::GateOptions;
use hongyan_wire::command::Operation;
use hongyan_wire::{Command, Event, proto};
use prost::Message;

use crate::bench::{Bench, push};
use crate::line::Line;

const A: UserId = UserId(b'a' as i64);
const ROOM: ConversationId = ConversationId(77);
const HOLD_MS: u64 = 30_000;
const LIMITS: RoomLimits = RoomLimits { members_max: 10, rooms_per_session_max: 2 };

/// The `number`-th session that has logged in.
fn session(number: u8) -> SessionId {
    SessionId([number; 16])
}

fn enter(bench: &Bench, number: u8, name: &str) {
    let entrance = Entrance {
        room: ROOM,
        room_name: Name::parse("lobby").unwrap(),
        session: session(number),
        name: DisplayName::parse(name, 16).unwrap(),
        hold_ms: HOLD_MS,
    };
    bench.bus.enter_room(&entrance, LIMITS, bench.gate.now().0).unwrap();
}

/// As what is said is published; `seq` stands for it.
fn publish(bus: &Bus, seq: u64) {
    let entry = proto::Entry { seq, body: vec![b'x'; 100].into(), ..Default::default() };
    let notify = proto::RoomNotify { room: "lobby".into(), entries: vec![entry], ..Default::default() };
    let name = Name::parse("lobby").unwrap();
    bus.publish(&Publication { room: ROOM, name, body: notify.encode_to_vec().into() });
}

fn news(line: &mut Line<'_>) -> Vec<proto::RoomNotify> {
    line.settle();
    line.take(Command::notify(Operation::Room))
}

fn seqs(news: &[proto::RoomNotify]) -> Vec<u64> {
    news.iter().flat_map(|notify| &notify.entries).map(|entry| entry.seq).collect()
}

#[test]
fn what_is_published_reaches_who_has_entered_on_this_connection() {
    let bench = Bench::new();
    let (mut a, mut b) = (Line::dial(&bench), Line::dial(&bench));
    let login = a.log_in("a", 1).unwrap();
    b.log_in("b", 2).unwrap();
    enter(&bench, 1, "Ann");
    publish(&bench.bus, 1);
    enter(&bench, 2, "Bob");
    publish(&bench.bus, 2);
    let (heard, told) = (news(&mut a), news(&mut b));
    assert_eq!((seqs(&heard), seqs(&told)), (vec![1, 2], vec![2]));
    assert_eq!(heard.iter().flat_map(|notify| notify.entered.clone()).collect::<Vec<_>>(), ["Bob"]);

    a.reset();
    publish(&bench.bus, 3);
    let mut again = Line::dial_again(&bench, &login, 1, 0);
    assert!(matches!(again.events.pop(), Some(Event::Resumed(_))));
    again.ask(Operation::Keepalive, &proto::KeepaliveRequest { id: 9 });
    publish(&bench.bus, 4);
    assert!(news(&mut again).is_empty(), "it has not entered on this connection");
    enter(&bench, 1, "Ann");
    publish(&bench.bus, 5);
    assert_eq!((seqs(&news(&mut again)), seqs(&news(&mut b))), (vec![5], vec![3, 4, 5]));
    bench.world.advance(2 * HOLD_MS);
    assert_eq!(bench.bus.rooms().members(ROOM), 2, "who has come back stays");
}

#[test]
fn a_connection_that_takes_a_session_over_has_entered_no_room() {
    let bench = Bench::new();
    let mut a = Line::dial(&bench);
    let login = a.log_in("a", 1).unwrap();
    enter(&bench, 1, "Ann");
    let mut later = Line::dial_again(&bench, &login, 1, 0);
    later.ask(Operation::Keepalive, &proto::KeepaliveRequest { id: 9 });
    publish(&bench.bus, 1);
    assert!(news(&mut later).is_empty(), "the earlier connection was not lost, and yet its rooms are not this one's");
    enter(&bench, 1, "Ann");
    publish(&bench.bus, 2);
    bench.world.advance(2 * HOLD_MS);
    assert_eq!((seqs(&news(&mut later)), bench.bus.rooms().members(ROOM)), (vec![2], 1));

    let mut last = Line::dial_again(&bench, &login, 2, 0);
    last.ask(Operation::Keepalive, &proto::KeepaliveRequest { id: 9 });
    bench.world.advance(HOLD_MS + 200);
    assert_eq!(bench.bus.rooms().members(ROOM), 0, "who does not enter again leaves");
}

#[test]
fn a_lost_session_leaves_after_its_hold_and_one_that_ended_at_once() {
    let bench = Bench::new();
    let (mut a, mut b, mut c) = (Line::dial(&bench), Line::dial(&bench), Line::dial(&bench));
    a.log_in("a", 1).unwrap();
    b.log_in("b", 2).unwrap();
    c.log_in("c", 3).unwrap();
    for (number, name) in [(1, "Ann"), (2, "Bob"), (3, "Cid")] {
        enter(&bench, number, name);
    }
    a.reset();
    news(&mut b);
    bench.world.advance(HOLD_MS - 1_000);
    assert_eq!((bench.bus.rooms().members(ROOM), news(&mut b).len()), (3, 0));
    bench.world.advance(1_200);
    assert_eq!(news(&mut b)[0].left, ["Ann"]);
    let ending = Ending { reason: EndReason::Revoked, by_term: None, time: UnixMillis(1) };
    bench.gate.end(session(3), ending);
    assert_eq!(news(&mut b)[0].left, ["Cid"]);
    // Whoever enters while the connection is just being lost is no ghost.
    b.reset();
    enter(&bench, 2, "Bob");
    enter(&bench, 3, "Cid");
    bench.world.advance(HOLD_MS + 200);
    assert_eq!(bench.bus.rooms().members(ROOM), 0);
}

#[test]
fn a_connection_that_takes_nothing_misses_rooms_first_and_is_told_which() {
    let bench = Bench::with(GateOptions { outgoing_bytes_max: 10_000, ..GateOptions::default() });
    let mut a = Line::dial(&bench);
    a.log_in("a", 1).unwrap();
    enter(&bench, 1, "Ann");
    a.set_room(0);
    for seq in 1..=200 {
        publish(&bench.bus, seq);
        a.settle();
    }
    for inbox_seq in 1..=3 {
        bench.bus.push(A, None, &push(inbox_seq));
    }
    a.set_room(usize::MAX);
    let heard = news(&mut a);
    let kept = seqs(&heard);
    assert!(kept.len() < 100 && kept.iter().copied().eq(1..=kept.len() as u64), "{kept:?}");
    let empty = |notify: &&proto::RoomNotify| notify.entries.is_empty() && notify.entered.is_empty();
    assert_eq!(heard.iter().filter(empty).count(), 1, "something was dropped");
    assert_eq!(a.take::<proto::MessageNotify>(Command::notify(Operation::Message)).len(), 1, "all three");
    assert!(
        a.take::<proto::HintNotify>(Command::notify(Operation::Hint)).is_empty(),
        "nothing of the inbox was dropped"
    );
    publish(&bench.bus, 201);
    assert_eq!(seqs(&news(&mut a)), [201], "it goes on");
}
