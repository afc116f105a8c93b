//! What happens when two things happen at once: each test is named after the bug it would bring back.

use hongyan_cluster::Inlet;
use hongyan_cluster::bus::Ending;
use hongyan_domain::change::Change;
use hongyan_domain::session::EndReason;
use hongyan_domain::{SessionId, UnixMillis, UserId};
use hongyan_gate::GateOptions;
use hongyan_wire::command::Operation;
use hongyan_wire::{Command, Event, proto};

use crate::bench::{Bench, push};

const A: UserId = UserId(b'a' as i64);
const SESSION: SessionId = SessionId([1; 16]);

fn ack(inbox_cursor: u64) -> proto::AckRequest {
    proto::AckRequest { id: 1, inbox_cursor }
}

#[test]
fn a_session_that_ends_between_resume_and_confirmation_does_not_come_back_to_life() {
    stay_dead(false);
    stay_dead(true);
}

fn stay_dead(remembers: bool) {
    let bench = Bench::new();
    *bench.script.remembers.lock().unwrap() = remembers;
    let (mut a, login) = bench.login("a", 1);
    let secret: [u8; 32] = login.resume_secret[..].try_into().unwrap();
    a.cut();
    let mut pending = bench.resume(&login.ticket, &secret, 1, 0);
    assert!(matches!(pending.events[..], [Event::Resumed(_)]));
    // Nobody is connected, so nobody can be told, neither now nor by the feed.
    bench.script.ended.lock().unwrap().push((SESSION, EndReason::Revoked));
    bench.gate.end(SESSION, Ending { reason: EndReason::Revoked, by_term: None, time: UnixMillis(7) });
    bench
        .script
        .changes
        .lock()
        .unwrap()
        .push_back(Change::SessionEnded { session: SESSION, reason: EndReason::Revoked });
    bench.world.advance(8_000);

    pending.request(Operation::Ack, &ack(0));
    assert!(pending.closed);
    let kickout = pending.take::<proto::KickoutNotify>(Command::notify(Operation::Kickout));
    assert_eq!(kickout[0].reason(), proto::KickoutReason::SessionRevoked);
    assert!(bench.bus.router().routes(A).is_empty());
}

#[test]
fn a_session_that_ends_while_its_login_is_answered_is_cut_by_the_second_look() {
    let bench = Bench::new();
    bench.world.advance(100);
    let changes = [
        Change::SessionEnded { session: SESSION, reason: EndReason::SameTermLogin },
        Change::Inbox { user: UserId(b'b'.into()), head: 5 },
    ];
    bench.script.changes.lock().unwrap().extend(changes);
    bench.world.advance(2_100);
    let (mut a, _) = bench.login("a", 1);
    let (mut b, _) = bench.login("b", 2);
    assert!(!a.closed);
    bench.world.advance(2_100);
    a.exchange();
    b.exchange();
    assert!(a.closed, "the feed was read before the session was connected");
    let hints = b.take::<proto::HintNotify>(Command::notify(Operation::Hint));
    assert_eq!(hints[0].inbox_head, 5, "and so was what was committed before");
}

#[test]
fn a_second_confirmation_of_one_epoch_does_not_take_the_session_away() {
    let bench = Bench::new();
    let (mut a, login) = bench.login("a", 1);
    let secret: [u8; 32] = login.resume_secret[..].try_into().unwrap();
    a.cut();
    let mut first = bench.resume(&login.ticket, &secret, 1, 0);
    let mut second = bench.resume(&login.ticket, &secret, 1, 0);
    first.request(Operation::Ack, &ack(0));
    second.request(Operation::Ack, &ack(0));
    assert!(second.closed);
    second.cut();
    first.exchange();
    assert!(!first.closed);
    bench.world.advance(200_000);
    assert_eq!(bench.bus.push(A, None, &push(1)), 1, "the first still has it");
}

#[test]
fn sends_that_wait_are_bounded_in_bytes() {
    let bench = Bench::with(GateOptions { frames_burst: 10_000, ..GateOptions::default() });
    let (mut a, _) = bench.login("a", 1);
    let body = bytes::Bytes::from(vec![0; 16_000]);
    let mut send = |id| a.write(Operation::Send, &proto::SendRequest { id, body: body.clone(), ..Default::default() });
    send(1);
    (2..=20).for_each(send);
    let calls = a.calls_wait();
    assert_eq!(calls.len(), 1);
    assert_eq!(a.peer.reading_paused(bench.gate.now()), None);
    for id in 21..=40 {
        a.write(Operation::Send, &proto::SendRequest { id, body: body.clone(), ..Default::default() });
    }
    assert!(a.calls_wait().is_empty(), "one batch is in flight");
    assert_eq!(a.peer.reading_paused(bench.gate.now()), Some(None), "until an answer comes");
}

#[test]
fn a_copy_on_a_new_connection_waits_for_the_older_one() {
    wait_for_the_older(true);
    wait_for_the_older(false);
}

fn wait_for_the_older(is_gone: bool) {
    let bench = Bench::new();
    let (mut a, login) = bench.login("a", 1);
    let secret: [u8; 32] = login.resume_secret[..].try_into().unwrap();
    let send = proto::SendRequest { id: 1, ..Default::default() };
    a.write(Operation::Send, &send);
    let older = a.calls_wait();
    assert_eq!(older.len(), 1);
    if is_gone {
        a.cut();
    }
    let mut again = bench.resume(&login.ticket, &secret, 1, 0);
    again.request(Operation::Ack, &ack(0));
    again.request(Operation::Send, &send);
    assert!(bench.script.batches.lock().unwrap().is_empty(), "its answer could be another than that of the older copy");

    if is_gone {
        // As if its task had panicked.
        drop(older);
    } else {
        a.run(older);
    }
    again.exchange();
    assert_eq!(again.take::<proto::SendAnswer>(Command::answer(Operation::Send)).len(), 1);
    if !is_gone {
        a.write(Operation::Send, &send);
        assert!(a.calls_wait().is_empty(), "the session has another connection");
    }
}

#[test]
fn a_login_during_the_drain_is_sent_away_too() {
    let bench = Bench::new();
    let (mut early, _) = bench.login("a", 1);
    let mut late = bench.connect();
    late.exchange();
    let gate = bench.gate.clone();
    bench.spawn(Box::pin(async move { gate.drain(10_000).await }));
    bench.world.advance(50);
    early.exchange();
    assert!(early.closed);
    late.log_in("b", 2);
    early.cut();
    bench.world.advance(500);
    late.exchange();
    assert_eq!(late.take::<proto::GoawayNotify>(Command::notify(Operation::Goaway)).len(), 1);
    assert!(late.closed);
}

#[test]
fn an_acknowledgement_that_was_lost_with_its_connection_is_told_by_the_resume() {
    let bench = Bench::new();
    let (mut b, _) = bench.login("b", 2);
    let (mut a, login) = bench.login("a", 1);
    let secret: [u8; 32] = login.resume_secret[..].try_into().unwrap();
    *bench.script.head.lock().unwrap() = 3;
    a.cut();
    let mut again = bench.resume(&login.ticket, &secret, 1, 2);
    b.exchange();
    let receipt = Command::notify(Operation::Receipt);
    assert!(b.take::<proto::ReceiptNotify>(receipt).is_empty(), "it may be a replay");
    again.request(Operation::Keepalive, &proto::KeepaliveRequest { id: 1 });
    b.exchange();
    assert_eq!(b.take::<proto::ReceiptNotify>(receipt)[0].receipts[0].delivered_seq, 2);
    bench.world.advance(1_000);
    let advances = bench.script.advances.lock().unwrap();
    assert_eq!((advances[0].inbox_cursor, advances[0].delivered[0].1), (2, 2));
}

#[test]
fn cursors_that_the_store_was_too_busy_for_are_not_forgotten() {
    let bench = Bench::new();
    let (mut a, _) = bench.login("a", 1);
    for inbox_seq in 1..=3 {
        bench.bus.push(A, None, &push(inbox_seq));
    }
    a.exchange();
    *bench.script.busy.lock().unwrap() = true;
    a.request(Operation::Ack, &ack(2));
    bench.world.advance(1_000);
    a.request(Operation::Ack, &ack(3));
    bench.world.advance(1_000);
    *bench.script.busy.lock().unwrap() = false;
    bench.world.advance(1_000);
    let advances = bench.script.advances.lock().unwrap();
    assert_eq!((advances.len(), advances[0].inbox_cursor, advances[0].delivered[0].1), (1, 3, 3));
}
