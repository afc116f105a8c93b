//! What a session goes through at a gate when everybody behaves (spec 19, 31, 32, 39, 55).

use hongyan_cluster::Inlet;
use hongyan_cluster::bus::Ending;
use hongyan_domain::change::Change;
use hongyan_domain::session::EndReason;
use hongyan_domain::{ConversationId, SessionId, UnixMillis, UserId};
use hongyan_gate::GateOptions;
use hongyan_wire::command::Operation;
use hongyan_wire::{Command, Event, proto};

use crate::bench::{Bench, push};

const A: UserId = UserId(b'a' as i64);
const ACK: Operation = Operation::Ack;

fn ack(inbox_cursor: u64) -> proto::AckRequest {
    proto::AckRequest { id: 1, inbox_cursor }
}

#[test]
fn an_acknowledged_push_is_told_to_its_author_and_stored() {
    let bench = Bench::new();
    let (mut a, _) = bench.login("a", 1);
    let (mut b, _) = bench.login("b", 2);
    for inbox_seq in 1..=3 {
        assert_eq!(bench.bus.push(A, None, &push(inbox_seq)), 1);
    }
    a.exchange();
    let pushed = a.take::<proto::MessageNotify>(Command::notify(Operation::Message));
    assert_eq!(pushed.len(), 1, "neighbours share a frame");
    assert_eq!(pushed[0].entries.iter().map(|entry| entry.inbox_seq).collect::<Vec<_>>(), [1, 2, 3]);

    a.request(ACK, &ack(2));
    assert_eq!(a.take::<proto::AckAnswer>(Command::answer(ACK))[0].inbox_cursor, 2);
    b.exchange();
    let receipts = b.take::<proto::ReceiptNotify>(Command::notify(Operation::Receipt));
    assert_eq!(receipts[0].receipts[0].user, "a");
    assert_eq!(receipts[0].receipts[0].delivered_seq, 2);

    a.request(ACK, &ack(1));
    assert_eq!(a.take::<proto::AckAnswer>(Command::answer(ACK))[0].inbox_cursor, 2, "a cursor never goes back");
    b.exchange();
    assert!(b.take::<proto::ReceiptNotify>(Command::notify(Operation::Receipt)).is_empty());

    bench.world.advance(1_000);
    let advances = bench.script.advances.lock().unwrap();
    assert_eq!(advances.len(), 1);
    assert_eq!((advances[0].user, advances[0].inbox_cursor), (A, 2));
    assert_eq!(advances[0].delivered, [(ConversationId(9), 2)]);
}

#[test]
fn one_batch_of_sends_is_in_flight_and_the_rest_forms_the_next() {
    let bench = Bench::new();
    let (mut a, _) = bench.login("a", 1);
    for id in 1..=5 {
        a.write(Operation::Send, &proto::SendRequest { id, ..Default::default() });
    }
    a.exchange();
    let answers = a.take::<proto::SendAnswer>(Command::answer(Operation::Send));
    assert_eq!(answers.iter().map(|answer| answer.id).collect::<Vec<_>>(), [1, 2, 3, 4, 5]);
    assert_eq!(*bench.script.batches.lock().unwrap(), [5]);
    a.request(ACK, &ack(5));
    assert!(!a.closed, "what an answer told may be acknowledged");
}

#[test]
fn a_session_survives_its_connection_and_brings_what_was_missed() {
    survive_and_bring(false);
}

#[test]
fn what_a_resume_missed_may_be_told_without_reading_the_store() {
    survive_and_bring(true);
}

fn survive_and_bring(remembers: bool) {
    let bench = Bench::new();
    *bench.script.remembers.lock().unwrap() = remembers;
    let (mut first, login) = bench.login("a", 1);
    let secret: [u8; 32] = login.resume_secret[..].try_into().unwrap();
    first.cut();
    assert!(bench.bus.router().connected(A).is_empty());
    assert_eq!(bench.bus.router().routes(A).len(), 1, "suspended is present");
    *bench.script.head.lock().unwrap() = 2;

    let mut second = bench.resume(&login.ticket, &secret, 1, 0);
    let Some(Event::Resumed(result)) = second.events.pop() else { panic!("not resumed") };
    assert_eq!(result.page.unwrap().entries.len(), 2);
    assert!(bench.bus.router().connected(A).is_empty(), "nothing changes before the first frame");
    *bench.script.head.lock().unwrap() = 3;
    second.request(ACK, &ack(2));
    assert_eq!(bench.bus.router().connected(A).len(), 1);
    let hints = second.take::<proto::HintNotify>(Command::notify(Operation::Hint));
    assert_eq!(hints[0].inbox_head, 3, "what was committed in between is hinted");

    let again = bench.resume(&login.ticket, &secret, 1, 2);
    assert!(matches!(again.events[..], [Event::Refused(_)]), "an epoch is used once");
    let mut third = bench.resume(&result.ticket, &secret, 2, 3);
    third.request(ACK, &ack(3));
    second.exchange();
    assert!(second.closed, "the newer connection has the session");
    assert_eq!(bench.bus.router().connected(A).len(), 1);
}

#[test]
fn presence_is_held_for_the_term_and_no_longer() {
    let bench = Bench::new();
    let (mut a, _) = bench.login("a", 1);
    a.cut();
    bench.world.advance(179_000);
    assert_eq!(bench.bus.router().routes(A).len(), 1);
    bench.world.advance(1_500);
    assert!(bench.bus.router().routes(A).is_empty());
}

#[test]
fn an_ended_session_is_silent_at_once_even_if_its_client_never_reads() {
    let bench = Bench::new();
    let (mut a, login) = bench.login("a", 1);
    bench.bus.push(A, None, &push(1));
    let ending = Ending { reason: EndReason::SameTermLogin, by_term: None, time: UnixMillis(7) };
    bench.gate.end(SessionId([1; 16]), ending);
    bench.script.ended.lock().unwrap().push((SessionId([1; 16]), EndReason::SameTermLogin));
    bench.bus.push(A, None, &push(2));
    a.write(Operation::Send, &proto::SendRequest { id: 1, ..Default::default() });
    a.exchange();
    assert!(a.closed);
    assert!(bench.script.batches.lock().unwrap().is_empty(), "what it sends is not taken");
    assert!(a.take::<proto::MessageNotify>(Command::notify(Operation::Message)).is_empty());
    let kickout = a.take::<proto::KickoutNotify>(Command::notify(Operation::Kickout));
    assert_eq!(kickout[0].reason(), proto::KickoutReason::SameTermLogin);

    // The KICKOUT may be lost: a resume says the same.
    let secret: [u8; 32] = login.resume_secret[..].try_into().unwrap();
    let mut again = bench.resume(&login.ticket, &secret, 1, 0);
    let Some(Event::Resumed(result)) = again.events.pop() else { panic!("no answer") };
    assert_eq!(result.refusal.unwrap().code(), proto::RefusalCode::Kicked);
    assert!(result.page.is_none() && again.closed);
}

#[test]
fn the_change_feed_ends_sessions_and_heals_lost_pushes() {
    let bench = Bench::new();
    let (mut a, _) = bench.login("a", 1);
    let (mut b, _) = bench.login("b", 2);
    bench.script.changes.lock().unwrap().extend([
        Change::Inbox { user: A, head: 4 },
        Change::SessionEnded { session: SessionId([2; 16]), reason: EndReason::Revoked },
    ]);
    bench.world.advance(2_100);
    a.exchange();
    b.exchange();
    assert!(b.closed);
    let hint = Command::notify(Operation::Hint);
    assert!(a.take::<proto::HintNotify>(hint).is_empty(), "the push may be under way");
    bench.world.advance(2_100);
    a.exchange();
    assert_eq!(a.take::<proto::HintNotify>(hint)[0].inbox_head, 4);
    a.request(Operation::Keepalive, &proto::KeepaliveRequest { id: 9 });
    assert_eq!(a.take::<proto::KeepaliveAnswer>(Command::answer(Operation::Keepalive))[0].inbox_head, 4);
}

#[test]
fn a_slow_reader_loses_pushes_and_is_told_to_sync() {
    let bench = Bench::with(GateOptions { outgoing_bytes_max: 1_000, ..GateOptions::default() });
    let (mut a, _) = bench.login("a", 1);
    for inbox_seq in 1..=1_000 {
        bench.bus.push(A, None, &push(inbox_seq));
    }
    a.exchange();
    let pushed = a.take::<proto::MessageNotify>(Command::notify(Operation::Message));
    assert!(pushed[0].entries.len() < 20);
    assert_eq!(a.take::<proto::HintNotify>(Command::notify(Operation::Hint)).len(), 1);
    bench.bus.push(A, None, &push(1_001));
    a.exchange();
    assert_eq!(a.take::<proto::MessageNotify>(Command::notify(Operation::Message)).len(), 1, "it goes on");
}

#[test]
fn logout_ends_the_session_for_good() {
    let bench = Bench::new();
    let (mut a, login) = bench.login("a", 1);
    a.request(Operation::Logout, &proto::LogoutRequest { id: 5 });
    assert_eq!(a.take::<proto::LogoutAnswer>(Command::answer(Operation::Logout))[0].id, 5);
    assert!(a.closed);
    assert!(bench.bus.router().routes(A).is_empty());
    assert_eq!(*bench.script.ended.lock().unwrap(), [(SessionId([1; 16]), EndReason::LoggedOut)]);
    let secret: [u8; 32] = login.resume_secret[..].try_into().unwrap();
    let again = bench.resume(&login.ticket, &secret, 1, 0);
    assert!(again.closed);
}
