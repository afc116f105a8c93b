//! The right frame at the wrong time, and the unknown (row 7).

use bytes::Bytes;
use hongyan_wire::command::{Kind, Operation};
use hongyan_wire::proto::{self, RefusalCode};
use hongyan_wire::{Command, Connection, Event, Violation};
use prost::Message;

use crate::pair::*;

/// A pair that has agreed on keys and nothing else.
fn strangers() -> Pair {
    let mut pair = Pair::login();
    pair.client_reacts = false;
    pair.run();
    assert!(matches!(pair.client.events[..], [Event::Ready]));
    pair
}

#[test]
fn row_07_only_login_before_authentication() {
    for &operation in Operation::ALL {
        for kind in [Kind::Request, Kind::Answer, Kind::Notify] {
            let command = Command { kind, operation };
            if command == LOGIN {
                continue;
            }
            let mut pair = strangers();
            pair.send(Side::Client, command, &[]);
            pair.run();
            assert_eq!(pair.server.violation, Some(Violation::WrongState), "{command:?}");
            assert!(pair.server.events.is_empty());
            assert_eq!(pair.client.close_code(), Some(RefusalCode::WrongState));
        }
    }
}

#[test]
fn row_07_a_second_login_closes() {
    let mut pair = Pair::logged_in();
    pair.send(Side::Client, LOGIN, &login_request().encode_to_vec());
    pair.run();
    assert_eq!(pair.server.violation, Some(Violation::WrongState));
    assert_eq!(pair.server.frames().len(), 1);
}

#[test]
fn row_07_a_login_waits_for_its_answer() {
    let mut pair = strangers();
    let login = pair.encode(Side::Client, LOGIN, &login_request().encode_to_vec());
    let again = pair.encode(Side::Client, LOGIN, &login_request().encode_to_vec());
    // Straight to the connection: nobody answers the first login.
    let (now, mut out, mut bytes) = (pair.now, Vec::new(), &[login, again].concat()[..]);
    let server = &mut pair.server.connection;
    assert!(matches!(server.receive(now, &mut bytes, &mut out), Ok(Some(Event::Frame(LOGIN, _)))));
    assert!(matches!(server.receive(now, &mut bytes, &mut out), Err(Violation::WrongState)));
}

#[test]
fn row_07_a_refused_login_may_be_repeated() {
    let mut pair = strangers();
    let wrong = proto::LoginRequest { app: "another".into(), ..login_request() };
    pair.send(Side::Client, LOGIN, &wrong.encode_to_vec());
    pair.run();
    assert!(!pair.server.connection.is_authenticated());
    pair.send(Side::Client, LOGIN, &login_request().encode_to_vec());
    pair.run();
    assert!(pair.server.connection.is_authenticated());
    assert_eq!(pair.server.violation, None);
}

#[test]
fn row_07_kinds_travel_one_way() {
    for &operation in Operation::ALL {
        for kind in [Kind::Answer, Kind::Notify] {
            let command = Command { kind, operation };
            let mut pair = Pair::logged_in();
            pair.send(Side::Client, command, &[]);
            pair.run();
            assert_eq!(pair.server.violation, Some(Violation::WrongState), "from a client: {command:?}");
        }
        let mut pair = Pair::logged_in();
        pair.send(Side::Server, Command::request(operation), &[]);
        pair.run();
        assert_eq!(pair.client.violation, Some(Violation::WrongState), "from a server: {operation:?}");
    }
}

#[test]
fn row_07_link_operations_do_not_come_back() {
    for operation in [Operation::Handshake, Operation::Resume] {
        let mut pair = Pair::logged_in();
        pair.send(Side::Client, Command::request(operation), &[]);
        pair.run();
        assert_eq!(pair.server.violation, Some(Violation::WrongState));
        let mut pair = Pair::logged_in();
        pair.send(Side::Server, Command::answer(operation), &[]);
        pair.run();
        assert_eq!(pair.client.violation, Some(Violation::WrongState));
    }
}

#[test]
fn row_07_every_other_request_passes_after_login() {
    for &operation in Operation::ALL {
        let command = Command::request(operation);
        let link = matches!(operation, Operation::Handshake | Operation::Resume | Operation::Login);
        if link || !command.exists() {
            continue;
        }
        let mut pair = Pair::logged_in();
        pair.send(Side::Client, command, b"any");
        pair.run();
        assert_eq!(pair.server.frames().last(), Some(&(command, Bytes::from_static(b"any"))));
    }
}

#[test]
fn row_07_clear_frames_after_the_handshake_close() {
    for side in [Side::Client, Side::Server] {
        let mut pair = Pair::logged_in();
        let kind = if side == Side::Server { Kind::Request } else { Kind::Notify };
        let frame = clear(Command { kind, operation: Operation::Typing }.number(), &[]);
        pair.deliver(side, &frame);
        assert_eq!(pair.end(side).violation, Some(Violation::NotEncrypted), "{side:?}");
    }
}

#[test]
fn row_04_a_request_that_no_version_has_is_answered_not_punished() {
    // A notification asked for as if it were a request.
    let request = Command::request(Operation::Message);
    let mut pair = Pair::logged_in();
    pair.send(Side::Client, request, &proto::KeepaliveRequest { id: 77 }.encode_to_vec());
    pair.run();
    let unknown = pair.server.events.last();
    assert!(matches!(unknown, Some(Event::Unknown { command, id: 77 }) if *command == request.number()));
    assert_eq!(pair.server.violation, None);
    pair.send(Side::Client, KEEPALIVE, &[]);
    pair.run();
    assert_eq!(pair.server.frames().len(), 2);
}

#[test]
fn row_04_a_client_ignores_news_it_does_not_know() {
    let mut pair = Pair::logged_in();
    let seen = pair.client.events.len();
    pair.send(Side::Server, Command::notify(Operation::Send), &[]);
    pair.send(Side::Server, Command::notify(Operation::Hint), &[]);
    pair.run();
    assert_eq!(pair.client.violation, None);
    assert_eq!(pair.client.events.len(), seen + 1);
}

#[test]
fn row_07_nothing_is_pipelined_behind_a_resume() {
    // A handshake behind a resume whose answer is not yet known must not swap the keys underneath it.
    let mut first = Vec::new();
    Connection::client_resume(key().public(), proof(1), &offer(), CLIENT_EPHEMERAL, Default::default(), &mut first);
    let resume = first.clone();
    Connection::client_login(key().public(), [9; 32], Default::default(), &mut first);
    let both = [first, resume].concat();
    let mut pair = Pair::login();
    let (now, mut out, mut bytes) = (pair.now, Vec::new(), &both[..]);
    let server = &mut pair.server.connection;
    assert!(matches!(server.receive(now, &mut bytes, &mut out), Ok(Some(Event::Resume { .. }))));
    assert!(matches!(server.receive(now, &mut bytes, &mut out), Err(Violation::WrongState)));
    assert!(server.is_closed());
    // The gate answers late: nothing may be written any more.
    assert_eq!(server.accept_resume(proof(1), &[]), Err(Violation::WrongState));
    server.refuse_resume(1, proto::Refusal::default(), &mut out);
    assert_eq!(server.answer_resume(1, &Default::default(), now, &mut out), Err(Violation::WrongState));
    assert!(out.is_empty());
}

#[test]
fn row_07_a_closed_connection_says_and_hears_nothing() {
    let mut pair = Pair::logged_in();
    let frame = pair.encode(Side::Client, SEND, &[]);
    let (now, mut out) = (pair.now, Vec::new());
    pair.server.connection.write_close(now, Violation::Idle, &mut out);
    assert!(!out.is_empty());
    out.clear();
    let mut bytes = &frame[..];
    assert!(matches!(pair.server.connection.receive(now, &mut bytes, &mut out), Ok(None)));
    assert!(bytes.is_empty() && out.is_empty());
    assert_eq!(pair.server.connection.write(SEND, &[], now, &mut out), Err(Violation::WrongState));
    pair.server.connection.write_close(now, Violation::Idle, &mut out);
    assert!(out.is_empty());
}
