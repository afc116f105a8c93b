//! What a gate does with clients that do not behave (reliability.md §2; the row numbers are in the names).

use hongyan_gate::GateOptions;
use hongyan_wire::command::Operation;
use hongyan_wire::{Command, Event, proto};

use crate::bench::{Bench, IP, push};

fn close_code(events: &[Event]) -> Option<proto::RefusalCode> {
    events.iter().find_map(|event| match event {
        Event::Frame(command, body) if *command == Command::notify(Operation::Close) => {
            let close: proto::CloseNotify = prost::Message::decode(body.clone()).ok()?;
            Some(close.refusal?.code())
        }
        _ => None,
    })
}

#[test]
fn row_07_requests_before_login_close_the_connection() {
    for operation in [Operation::Send, Operation::Sync, Operation::Ack, Operation::Keepalive, Operation::Logout] {
        let bench = Bench::new();
        let mut stranger = bench.connect();
        stranger.exchange();
        stranger.request(operation, &proto::AckRequest { id: 1, inbox_cursor: 1 });
        assert!(stranger.closed, "{operation:?}");
        assert_eq!(close_code(&stranger.events), Some(proto::RefusalCode::WrongState));
        assert!(bench.script.batches.lock().unwrap().is_empty());
    }
}

#[test]
fn row_07_an_ack_beyond_what_was_told_closes_the_connection() {
    let bench = Bench::new();
    let (mut a, _) = bench.login("a", 1);
    bench.bus.push(hongyan_domain::UserId(b'a'.into()), None, &push(1));
    a.exchange();
    a.request(Operation::Ack, &proto::AckRequest { id: 1, inbox_cursor: 2 });
    assert!(a.closed);
    bench.world.advance(1_000);
    assert!(bench.script.advances.lock().unwrap().is_empty());
}

#[test]
fn row_05_malformed_bodies_close_only_their_connection() {
    let bench = Bench::new();
    let (mut a, _) = bench.login("a", 1);
    let (mut b, _) = bench.login("b", 2);
    let now = bench.gate.now();
    a.connection.write(Command::request(Operation::Ack), &[0xFF; 40], now, &mut a.to_gate).unwrap();
    a.exchange();
    assert!(a.closed);
    assert_eq!(close_code(&a.events), Some(proto::RefusalCode::Malformed));
    b.request(Operation::Keepalive, &proto::KeepaliveRequest { id: 1 });
    assert!(!b.closed);
}

#[test]
fn row_11_a_stranger_is_closed_after_ten_seconds() {
    let bench = Bench::new();
    let mut stranger = bench.connect();
    stranger.link.set_deadline(stranger.peer.deadline());
    bench.gate.watch(&stranger.link);
    bench.world.advance(9_800);
    stranger.exchange();
    assert!(!stranger.closed);
    bench.world.advance(400);
    stranger.exchange();
    assert!(stranger.closed);
}

#[test]
fn row_14_three_refused_logins_close_the_connection() {
    let bench = Bench::new();
    let mut guesser = bench.connect();
    guesser.exchange();
    for attempt in 1..=3 {
        assert!(!guesser.closed);
        guesser.request(Operation::Login, &proto::LoginRequest { id: attempt, ..Default::default() });
        let answer = guesser.take::<proto::LoginAnswer>(Command::answer(Operation::Login)).pop().unwrap();
        assert_eq!(answer.refusal.unwrap().code(), proto::RefusalCode::Unauthenticated);
        assert_eq!(answer.id, attempt);
    }
    assert!(guesser.closed);
}

#[test]
fn a_flooder_is_slowed_down_but_loses_nothing() {
    let options = GateOptions { frames_per_second: 10, frames_burst: 20, ..GateOptions::default() };
    let bench = Bench::with(options);
    let (mut a, _) = bench.login("a", 1);
    for id in 1..=50 {
        a.write(Operation::Send, &proto::SendRequest { id, ..Default::default() });
    }
    a.exchange();
    assert_eq!(a.take::<proto::SendAnswer>(Command::answer(Operation::Send)).len(), 50);
    let until = a.peer.reading_paused(bench.gate.now()).flatten().expect("reading pauses");
    assert_eq!((until - bench.gate.now()).0, 3_000, "30 frames of debt at 10 a second");
    bench.world.advance(3_000);
    assert_eq!(a.peer.reading_paused(bench.gate.now()), None);
}

#[test]
fn row_19_a_replayed_resume_reads_and_changes_nothing() {
    let bench = Bench::new();
    let (mut a, login) = bench.login("a", 1);
    let secret: [u8; 32] = login.resume_secret[..].try_into().unwrap();
    a.cut();
    let replayed = bench.resume(&login.ticket, &secret, 1, 0);
    assert!(matches!(replayed.events[..], [Event::Resumed(_)]));
    // The thief of the first packet has no keys: whatever it sends does not decrypt.
    let mut thief = bench.resume(&login.ticket, &secret, 1, 0);
    thief.to_gate = vec![0x48; 64];
    thief.exchange();
    assert!(thief.closed);
    assert!(bench.bus.router().connected(hongyan_domain::UserId(b'a'.into())).is_empty());
    bench.world.advance(1_000);
    assert!(bench.script.advances.lock().unwrap().is_empty());
}

#[test]
fn row_23_a_ticket_with_another_secret_epoch_or_bit_is_refused_and_login_goes_on() {
    let bench = Bench::new();
    let (mut a, login) = bench.login("a", 1);
    let secret: [u8; 32] = login.resume_secret[..].try_into().unwrap();
    a.cut();
    let mut altered = login.ticket.to_vec();
    altered[20] ^= 1;
    for (ticket, secret, epoch) in [
        (&login.ticket[..], &[9; 32], 1),
        (&login.ticket[..], &secret, 0),
        (&altered[..], &secret, 1),
        (&[], &secret, 1),
    ] {
        let refused = bench.resume(ticket, secret, epoch, 0);
        let [Event::Refused(refusal)] = &refused.events[..] else { panic!("{:?}", refused.events) };
        assert_eq!(refusal.code(), proto::RefusalCode::ResumeFailed);
        assert!(!refused.closed);
    }
}

#[test]
fn an_expired_ticket_is_refused() {
    let bench = Bench::with(GateOptions { ticket_days: 0, ..GateOptions::default() });
    let (mut a, login) = bench.login("a", 1);
    let secret: [u8; 32] = login.resume_secret[..].try_into().unwrap();
    a.cut();
    assert!(matches!(bench.resume(&login.ticket, &secret, 1, 0).events[..], [Event::Refused(_)]));
}

#[test]
fn a_full_gate_lets_nobody_in() {
    let bench = Bench::with(GateOptions { connections_max: 1, ..GateOptions::default() });
    let _one = bench.connect();
    assert!(bench.gate.admit(IP).is_none());
    bench.gate.release(IP);
    assert!(bench.gate.admit(IP).is_some());
}
