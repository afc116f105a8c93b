//! Rows 19-23: what was recorded, altered, weakened or taken away from somebody opens nothing and stays silent.

use std::time::{Duration, Instant};

use hongyan_wire::command::Operation;
use hongyan_wire::frame::{HEADER_BYTES, Header};
use hongyan_wire::proto::RefusalCode;
use hongyan_wire::proto::login_request::Credential;
use hongyan_wire::{Command, Event, proto};
use prost::Message;

use crate::place::Place;
use crate::speaker::{Speaker, User};

/// A revoked session is silent within this time (design §4).
const SILENT_WITHIN: Duration = Duration::from_secs(5);

#[test]
fn row_19_a_replayed_login_opens_nothing_and_disturbs_nobody() {
    let mut place = Place::new();
    let mut alice = place.log_in("alice");
    let logins = place.measure("hongyan_logic_logins_total");
    let mut thief = place.connect();
    let recorded = alice.said.clone();
    thief.said.clear();
    thief.blurt(&recorded);
    // The answer to the handshake is under keys that the thief does not have, and the login does not decrypt.
    assert!(!thief.rest().is_empty());
    assert_eq!(place.measure("hongyan_logic_logins_total"), logins);
    alice.is_answered();
    place.is_well();
}

#[test]
fn row_19_a_replayed_resume_reads_at_most_and_disturbs_nobody() {
    let mut place = Place::new();
    let user = User::new("alice");
    let mut first = place.connect();
    first.shake_hands();
    let login = first.log_in(&user, &place.token("alice", "default")).unwrap();
    drop(first);

    let mut alice = place.connect();
    alice.resume(&login, 1, 0);
    let recorded = alice.said.clone();
    // Before the owner confirms: an answer that nobody else can read, and nothing else.
    let mut early = place.connect();
    early.blurt(&recorded);
    alice.resumed();
    alice.is_answered();
    early.blurt(&[0x48; 64]);
    early.rest();
    // Afterwards: refused in clear.
    let mut late = place.connect();
    late.blurt(&recorded);
    let answer = late.rest();
    let answer = proto::ResumeAnswer::decode(&answer[HEADER_BYTES..]).unwrap();
    assert_eq!(answer.refusal.unwrap().code(), RefusalCode::ResumeFailed);
    // Even the owner cannot go back to an epoch.
    let mut back = place.connect();
    back.resume(&login, 1, 0);
    let Some(Event::Refused(refusal)) = back.next() else { panic!("not refused") };
    assert_eq!(refusal.code(), RefusalCode::ResumeFailed);

    alice.is_answered();
    let mut bystander = place.log_in("bob");
    bystander.say("alice", "still here?");
    let pushed: proto::MessageNotify = alice.wait_for(Command::notify(Operation::Message)).unwrap();
    assert_eq!(pushed.entries[0].user, "bob");
    place.is_well();
}

#[test]
fn row_20_frames_that_are_altered_repeated_swapped_left_out_or_reflected_close_the_connection() {
    let mut place = Place::new();
    let keepalive = |speaker: &mut Speaker| {
        let body = proto::KeepaliveRequest { id: speaker.id() }.encode_to_vec();
        speaker.frame(Command::request(Operation::Keepalive), &body)
    };
    for byte in 16..42 {
        let mut alice = place.log_in("alice");
        let mut frame = keepalive(&mut alice);
        if byte >= frame.len() {
            break;
        }
        frame[byte] ^= 1;
        alice.blurt(&frame);
        assert_eq!(alice.is_closed(), Some(RefusalCode::Unauthenticated), "byte {byte}");
    }
    let mut twice = place.log_in("alice");
    let frame = keepalive(&mut twice);
    twice.blurt(&frame);
    twice.answer::<proto::KeepaliveAnswer>(Operation::Keepalive);
    twice.blurt(&frame);
    assert_eq!(twice.is_closed(), Some(RefusalCode::Unauthenticated), "repeated");

    let mut swapped = place.log_in("alice");
    let (first, second) = (keepalive(&mut swapped), keepalive(&mut swapped));
    swapped.blurt(&[second, first].concat());
    assert_eq!(swapped.is_closed(), Some(RefusalCode::Unauthenticated), "swapped");

    let mut gap = place.log_in("alice");
    keepalive(&mut gap);
    let second = keepalive(&mut gap);
    gap.blurt(&second);
    assert_eq!(gap.is_closed(), Some(RefusalCode::Unauthenticated), "left out");

    let mut mirror = place.log_in("alice");
    let before = mirror.heard.len();
    mirror.is_answered();
    let reflected = mirror.heard[before..].to_vec();
    mirror.blurt(&reflected);
    assert_eq!(mirror.is_closed(), Some(RefusalCode::Unauthenticated), "reflected");

    let mut elsewhere = place.log_in("alice");
    let mut bob = place.log_in("bob");
    let frame = keepalive(&mut bob);
    elsewhere.blurt(&frame);
    assert_eq!(elsewhere.is_closed(), Some(RefusalCode::Unauthenticated), "of another connection");
    place.is_well();
}

/// Why the server closed, as it says in clear. A client's end would not believe it.
fn closed_in_clear(speaker: &mut Speaker) -> RefusalCode {
    let answer = speaker.rest();
    let close = proto::CloseNotify::decode(&answer[HEADER_BYTES..]).unwrap();
    close.refusal.unwrap().code()
}

/// A frame in clear.
fn clear(command: Command, body: &[u8]) -> Vec<u8> {
    let header = Header { encrypted: false, command: command.number(), length: body.len() };
    [&header.encode(), body].concat()
}

#[test]
fn row_21_once_keys_are_agreed_nothing_is_taken_in_clear() {
    let mut place = Place::new();
    let (login, keepalive) = (Command::request(Operation::Login), Command::request(Operation::Keepalive));
    let request = proto::KeepaliveRequest { id: 1 }.encode_to_vec();
    let mut stranger = place.connect();
    stranger.shake_hands();
    stranger.blurt(&clear(login, &proto::LoginRequest::default().encode_to_vec()));
    assert_eq!(stranger.is_closed(), Some(RefusalCode::WrongState), "a login");
    let mut alice = place.log_in("alice");
    alice.blurt(&clear(keepalive, &request));
    assert_eq!(alice.is_closed(), Some(RefusalCode::WrongState), "a request");
    let mut alice = place.log_in("alice");
    let mut stripped = alice.frame(keepalive, &request);
    stripped[2] = 0;
    alice.blurt(&stripped);
    assert_eq!(alice.is_closed(), Some(RefusalCode::WrongState), "a frame whose mark is taken off");

    // After a resume: whoever cut the client off and goes on in clear gets nothing, and the session is not theirs.
    let mut first = place.connect();
    first.shake_hands();
    let login = first.log_in(&User::new("alice"), &place.token("alice", "default")).unwrap();
    drop(first);
    let mut on_path = place.connect();
    on_path.resume(&login, 1, 0);
    on_path.resumed();
    on_path.blurt(&clear(Command::request(Operation::Handshake), &[]));
    assert_eq!(on_path.is_closed(), Some(RefusalCode::WrongState), "back to a login");
    let mut alice = place.connect();
    alice.resume(&login, 2, 0);
    alice.resumed();
    alice.is_answered();
    place.is_well();
}

#[test]
fn row_21_another_version_is_told_so_and_nothing_is_negotiated_down() {
    let mut place = Place::new();
    for version in [0, 2, 255] {
        let mut old = place.connect();
        let mut first = old.said.clone();
        first[3] = version;
        old.blurt(&first);
        assert_eq!(old.is_closed(), Some(RefusalCode::UnsupportedVersion), "{version}");
    }
    // Nor is a weaker first message: the version is part of what both ends prove, and so is every byte of it.
    for at in [HEADER_BYTES + 4, HEADER_BYTES + 40] {
        let mut other = place.connect();
        let mut first = other.said.clone();
        first[at] ^= 1;
        other.blurt(&first);
        assert_eq!(closed_in_clear(&mut other), RefusalCode::Unauthenticated);
    }
    place.is_well();
}

/// Points of X25519 whose multiples are zero, whatever the secret is (Wycheproof), and one beyond the field.
const LOW_ORDER: [&str; 6] = [
    "0000000000000000000000000000000000000000000000000000000000000000",
    "0100000000000000000000000000000000000000000000000000000000000000",
    "e0eb7a7c3b41b8ae1656e3faf19fc46ada098deb9c32b1fd866205165f49b800",
    "5f9c95bca3508c24b1d0b1559c83ef5b04445cc4581c8e86d8224eddd09f1157",
    "ecffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
    "edffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
];

#[test]
fn row_22_keys_that_give_no_secret_are_refused() {
    let mut place = Place::new();
    for point in LOW_ORDER {
        let mut noise: Vec<u8> =
            (0..64).step_by(2).map(|at| u8::from_str_radix(&point[at..at + 2], 16).unwrap()).collect();
        noise.extend([0; 16]);
        let noise: bytes::Bytes = noise.into();
        let mut weak = place.connect();
        let request = proto::HandshakeRequest { id: 1, noise: noise.clone() };
        weak.blurt(&clear(Command::request(Operation::Handshake), &request.encode_to_vec()));
        assert_eq!(closed_in_clear(&mut weak), RefusalCode::Unauthenticated, "{point}");

        let mut victim = place.connect();
        victim.shake_hands();
        let login = victim.log_in(&User::new("victim"), &place.token("victim", "default")).unwrap();
        let mut thief = place.connect();
        let request = proto::ResumeRequest { id: 1, ticket: login.ticket, epoch: 1, noise, ..Default::default() };
        thief.blurt(&clear(Command::request(Operation::Resume), &request.encode_to_vec()));
        let answer = thief.rest();
        let answer = proto::ResumeAnswer::decode(&answer[HEADER_BYTES..]).unwrap();
        assert_eq!(answer.refusal.unwrap().code(), RefusalCode::ResumeFailed, "{point}");
        victim.is_answered();
    }
    place.is_well();
}

/// K9 of the fault matrix: what was acknowledged, but not yet stored, is told by the resume after a kill -9.
#[test]
fn k9_an_acknowledgement_that_a_killed_server_forgot_still_becomes_a_receipt() {
    let mut place = Place::with(&[("HONGYAN_GATE_PROGRESS_INTERVAL_MS", "3600000")]);
    let mut bob = place.connect();
    bob.shake_hands();
    let login = bob.log_in(&User::new("bob"), &place.token("bob", "default")).unwrap();
    let mut alice = place.log_in("alice");
    let sent = alice.say("bob", "did you get this?");
    bob.wait_for::<proto::MessageNotify>(Command::notify(Operation::Message)).unwrap();
    let acknowledged: proto::AckAnswer = bob.ask(Operation::Ack, &proto::AckRequest { id: 1, inbox_cursor: 1 });
    assert_eq!(acknowledged.inbox_cursor, 1);
    place.kill_and_start();

    let mut alice = place.log_in("alice");
    let mut bob = place.connect();
    bob.resume(&login, 1, 1);
    assert!(bob.resumed().page.unwrap().entries.is_empty());
    bob.is_answered();
    let receipt: proto::ReceiptNotify = alice.wait_for(Command::notify(Operation::Receipt)).unwrap();
    let receipt = &receipt.receipts[0];
    assert_eq!((receipt.user.as_str(), receipt.delivered_seq), ("bob", sent.seq));
}

/// Somebody with a password, logged in.
fn with_password(place: &Place, name: &str) -> (Speaker, proto::LoginAnswer) {
    place.server.done(&["user", "create", name], "a good password\n");
    let mut speaker = place.connect();
    speaker.shake_hands();
    let login = speaker.log_in_by(&User::new(name), password(name, "a good password")).unwrap();
    (speaker, login)
}

fn password(user: &str, password: &str) -> Credential {
    Credential::Password(proto::PasswordCredential { user: user.to_owned(), password: password.to_owned() })
}

#[test]
fn row_23_whoever_is_disabled_or_changes_the_password_is_silent_at_once_and_cannot_come_back() {
    let mut place = Place::new();
    for (name, command, input) in [
        ("disabled", &["user", "disable", "disabled"][..], ""),
        ("renewed", &["user", "password", "renewed"][..], "another password\n"),
    ] {
        let (mut victim, login) = with_password(&place, name);
        // A second device that has not confirmed its resume is no way around it.
        let mut pending = place.connect();
        pending.resume(&login, 1, 0);
        pending.resumed();
        let started = Instant::now();
        place.server.done(command, input);
        let kickout: proto::KickoutNotify = victim.wait_for(Command::notify(Operation::Kickout)).expect("told why");
        assert_eq!(kickout.reason(), proto::KickoutReason::SessionRevoked);
        assert_eq!(victim.is_closed(), None);
        assert!(started.elapsed() < SILENT_WITHIN);

        let id = pending.id();
        pending.tell(Operation::Keepalive, &proto::KeepaliveRequest { id });
        let kickout: proto::KickoutNotify = pending.wait_for(Command::notify(Operation::Kickout)).expect("told why");
        assert_eq!(kickout.reason(), proto::KickoutReason::SessionRevoked);

        let mut again = place.connect();
        again.resume(&login, 2, 0);
        let result = again.resumed();
        assert_eq!(result.refusal.unwrap().code(), RefusalCode::Revoked);
        assert!(result.page.is_none(), "no data");
        let mut again = place.connect();
        again.shake_hands();
        let answer = again.log_in_by(&User::new(name), password(name, "a good password"));
        assert_eq!(answer.unwrap_err(), RefusalCode::Unauthenticated);
    }
    place.is_well();
}

#[test]
fn row_23_a_ticket_opens_only_with_its_own_secret() {
    let mut place = Place::new();
    let log_in = |name: &str| {
        let mut speaker = place.connect();
        speaker.shake_hands();
        speaker.log_in(&User::new(name), &place.token(name, "default")).unwrap()
    };
    let (alice, bob) = (log_in("alice"), log_in("bob"));
    let mixed = proto::LoginAnswer { ticket: alice.ticket.clone(), ..bob.clone() };
    let mut altered = alice.clone();
    let mut ticket = altered.ticket.to_vec();
    ticket[20] ^= 1;
    altered.ticket = ticket.into();
    let cut = proto::LoginAnswer { ticket: alice.ticket.slice(1..), ..alice.clone() };
    for (what, login, epoch) in
        [("bob's secret", &mixed, 1), ("altered", &altered, 1), ("cut", &cut, 1), ("an epoch that was", &alice, 0)]
    {
        let mut thief = place.connect();
        thief.resume(login, epoch, 0);
        let Some(Event::Refused(refusal)) = thief.next() else { panic!("{what}: not refused") };
        assert_eq!(refusal.code(), RefusalCode::ResumeFailed, "{what}");
    }
    place.is_well();
}

#[test]
fn row_23_a_logged_out_session_is_over_for_every_copy_of_its_ticket() {
    let mut place = Place::new();
    let mut alice = place.connect();
    alice.shake_hands();
    let login = alice.log_in(&User::new("alice"), &place.token("alice", "default")).unwrap();
    let answer: proto::LogoutAnswer = alice.ask(Operation::Logout, &proto::LogoutRequest { id: 3 });
    assert_eq!((answer.id, answer.refusal), (3, None));
    assert_eq!(alice.is_closed(), None);
    let mut thief = place.connect();
    thief.resume(&login, 9, 0);
    let result = thief.resumed();
    assert!(result.refusal.is_some() && result.page.is_none());
    place.is_well();
}
