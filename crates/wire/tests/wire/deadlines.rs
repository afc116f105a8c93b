//! Time: handshake, idleness, heartbeats. Half-received frames are in `framing.rs`.

use hongyan_wire::proto::RefusalCode;
use hongyan_wire::{Millis, Violation, limits};

use crate::pair::*;

#[test]
fn row_11_a_connection_that_never_speaks_ends_after_ten_seconds() {
    let mut pair = Pair::login();
    let opened = pair.now;
    assert_eq!(pair.server.connection.deadline(), opened + limits::HANDSHAKE_DEADLINE);
    assert_eq!(pair.wait_until(Side::Server, opened + Millis(9_999)), Ok(()));
    assert_eq!(pair.wait_until(Side::Server, opened + Millis(10_000)), Err(Violation::HandshakeDeadline));
}

#[test]
fn row_11_a_handshake_without_a_login_ends_just_the_same() {
    let mut pair = Pair::login();
    let opened = pair.now;
    pair.client_reacts = false;
    pair.run();
    assert_eq!(pair.wait_until(Side::Server, opened + Millis(10_000)), Err(Violation::HandshakeDeadline));
    pair.run();
    assert_eq!(pair.client.close_code(), Some(RefusalCode::TimedOut));
}

#[test]
fn row_11_a_client_does_not_wait_for_ever_either() {
    let mut pair = Pair::login();
    let opened = pair.now;
    assert_eq!(pair.wait_until(Side::Client, opened + Millis(10_000)), Err(Violation::HandshakeDeadline));
}

#[test]
fn a_silent_peer_is_gone_after_ninety_seconds() {
    for side in [Side::Client, Side::Server] {
        let mut pair = Pair::logged_in();
        let heard = pair.end(side).connection.last_received();
        let due = pair.end(side).connection.deadline();
        assert_eq!(due, heard + limits::IDLE_DEADLINE);
        assert_eq!(pair.wait_until(side, Millis(due.0 - 1)), Ok(()));
        assert_eq!(pair.wait_until(side, due), Err(Violation::Idle));
    }
}

#[test]
fn heartbeats_keep_both_ends_alive() {
    let mut pair = Pair::logged_in();
    let start = pair.now;
    while pair.now - start < Millis::seconds(3_700) {
        let due = pair.client.connection.heartbeat_due();
        assert!(due - pair.now <= limits::HEARTBEAT);
        for side in [Side::Server, Side::Client] {
            assert_eq!(pair.wait_until(side, due), Ok(()));
        }
        pair.send(Side::Client, KEEPALIVE, &[]);
        pair.run();
    }
    assert_eq!((pair.client.violation, pair.server.violation), (None, None));
}

#[test]
fn anything_sent_puts_the_heartbeat_off() {
    let mut pair = Pair::logged_in();
    let due = pair.client.connection.heartbeat_due();
    pair.wait_until(Side::Client, pair.now + Millis::seconds(30)).expect("no deadline is near");
    pair.send(Side::Client, SEND, &[]);
    assert!(pair.client.connection.heartbeat_due() > due);
}

#[test]
fn a_closed_connection_has_no_deadline() {
    let mut pair = Pair::logged_in();
    let due = pair.server.connection.deadline();
    pair.wait_until(Side::Server, due).expect_err("it was silent");
    assert_eq!(pair.server.connection.deadline(), Millis(u64::MAX));
    assert_eq!(pair.wait_until(Side::Server, due + Millis::seconds(1_000)), Ok(()));
}
