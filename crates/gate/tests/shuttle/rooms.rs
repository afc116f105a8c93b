//! A session enters a room while its connection is lost or ended: it never stays there as a ghost, and somebody who is
//! connected is never left out.

use hongyan_cluster::Inlet;
use hongyan_cluster::bus::{Ending, Publication};
use hongyan_cluster::rooms::{Entrance, RoomLimits};
use hongyan_domain::room::DisplayName;
use hongyan_domain::session::EndReason;
use hongyan_domain::{ConversationId, Name, SessionId, UnixMillis};
use hongyan_wire::command::Operation;
use hongyan_wire::{Command, proto};
use shuttle::thread;

use crate::bench::Bench;
use crate::try_orders;

const ROOM: ConversationId = ConversationId(77);
const SESSION: SessionId = SessionId([1; 16]);
const HOLD_MS: u64 = 30_000;

fn lobby() -> Name {
    Name::parse("lobby").unwrap()
}

fn enter(bench: &Bench) {
    let entrance = Entrance {
        room: ROOM,
        room_name: lobby(),
        session: SESSION,
        name: DisplayName::parse("Ann", 16).unwrap(),
        hold_ms: HOLD_MS,
    };
    let limits = RoomLimits { members_max: 2, rooms_per_session_max: 2 };
    bench.bus.enter_room(&entrance, limits, bench.gate.now().0).unwrap();
}

/// Nobody is there when every hold has passed.
fn is_empty_in_time(bench: &Bench) {
    bench.bus.leave_expired(bench.gate.now().0 + HOLD_MS);
    assert_eq!(bench.bus.rooms().members(ROOM), 0, "a ghost");
}

#[test]
fn whoever_enters_while_the_connection_is_lost_is_no_ghost() {
    try_orders(|| {
        let bench: &'static Bench = Box::leak(Box::new(Bench::new()));
        let (mut client, _) = bench.login("a", 1);
        let entering = thread::spawn(|| enter(bench));
        client.cut();
        entering.join().unwrap();
        is_empty_in_time(bench);
        bench.stop();
    });
}

#[test]
fn whoever_enters_while_the_session_ends_is_no_ghost() {
    try_orders(|| {
        let bench: &'static Bench = Box::leak(Box::new(Bench::new()));
        let (mut client, _) = bench.login("a", 1);
        let entering = thread::spawn(|| enter(bench));
        bench.gate.end(SESSION, Ending { reason: EndReason::Revoked, by_term: None, time: UnixMillis(1) });
        client.exchange();
        entering.join().unwrap();
        is_empty_in_time(bench);
        bench.stop();
    });
}

#[test]
fn whoever_is_connected_hears_what_is_published_after_entering() {
    try_orders(|| {
        let bench: &'static Bench = Box::leak(Box::new(Bench::new()));
        let (mut client, _) = bench.login("a", 1);
        let others = thread::spawn(|| bench.bus.leave_expired(bench.gate.now().0));
        enter(bench);
        let notify = proto::RoomNotify { room: "lobby".into(), entered: vec!["Bob".into()], ..Default::default() };
        let body = prost::Message::encode_to_vec(&notify).into();
        bench.bus.publish(&Publication { room: ROOM, name: lobby(), body });
        others.join().unwrap();
        client.exchange();
        assert_eq!(client.take::<proto::RoomNotify>(Command::notify(Operation::Room)).len(), 1);
        bench.stop();
    });
}
