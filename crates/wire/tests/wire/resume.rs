//! Continuing a session on a new connection: proof, epochs, replays, refusals (rows 19, 21).

use hongyan_wire::command::Operation;
use hongyan_wire::frame::HEADER_BYTES;
use hongyan_wire::noise::ResumeProof;
use hongyan_wire::proto::{self, RefusalCode};
use hongyan_wire::{Command, Connection, Event, Millis, Violation, limits};
use prost::Message;

use crate::pair::*;

/// The bytes of a client's RESUME.R, and that client.
fn resume_bytes(proof: ResumeProof<'_>) -> (Connection, Vec<u8>) {
    let mut out = Vec::new();
    let now = Millis(1_000_000);
    let client = Connection::client_resume(key().public(), proof, &offer(), CLIENT_EPHEMERAL, now, &mut out);
    (client, out)
}

#[test]
fn a_resume_takes_one_round_trip_and_confirms_with_the_next_frame() {
    let mut pair = Pair::resume(1);
    pair.client_reacts = false;
    let start = pair.now;
    pair.run();
    assert_eq!(pair.now - start, Millis(40), "one round trip");
    assert!(matches!(pair.client.events[..], [Event::Resumed(_)]));
    assert!(pair.client.connection.is_authenticated());
    assert!(!pair.server.connection.is_authenticated(), "message 1 may have been a replay");
    assert_eq!(pair.confirmed_epoch, 0);
    pair.send(Side::Client, KEEPALIVE, &[]);
    pair.run();
    assert!(pair.server.connection.is_authenticated());
    assert_eq!(pair.confirmed_epoch, 1);
}

#[test]
fn an_unconfirmed_resume_has_the_limits_of_a_stranger() {
    let mut pair = Pair::resume(1);
    pair.client_reacts = false;
    pair.run();
    let due = pair.server.connection.deadline();
    assert!(due <= Millis(1_000_000) + limits::HANDSHAKE_DEADLINE);
    assert_eq!(pair.wait_until(Side::Server, due), Err(Violation::HandshakeDeadline));
}

#[test]
fn row_19_a_replayed_resume_reads_and_nothing_more() {
    // The true client's whole stream is recorded: RESUME.R, ACK.R, SEND.R.
    let mut pair = Pair::resume(1);
    pair.client_reacts = false;
    let (_, mut recorded) = resume_bytes(proof(1));
    pair.run();
    for command in [Command::request(Operation::Ack), SEND] {
        let bytes = pair.encode(Side::Client, command, &[8, 1]);
        recorded.extend_from_slice(&bytes);
    }
    // Another gate that has not heard of epoch 1: it answers, but what follows does not decrypt.
    let mut replay = Pair::login();
    replay.server.connection = Connection::server(key(), [0x99; 32], replay.now);
    replay.deliver(Side::Server, &recorded);
    assert!(matches!(replay.server.events[..], [Event::Resume { epoch: 1, .. }]));
    assert_eq!(replay.server.violation, Some(Violation::Undecryptable));
    assert_eq!(replay.confirmed_epoch, 0, "nobody is revoked, and no epoch is used up");
    // The gate that has confirmed it refuses, and so does one for any lower epoch.
    for confirmed_epoch in [1, 2] {
        let mut replay = Pair::login();
        replay.confirmed_epoch = confirmed_epoch;
        replay.client_reacts = false;
        replay.deliver(Side::Server, &frames(&recorded)[0]);
        assert!(!replay.server.connection.is_authenticated());
        assert_eq!(replay.confirmed_epoch, confirmed_epoch);
    }
}

#[test]
fn row_19_a_replayed_login_does_not_decrypt() {
    let mut pair = Pair::login();
    pair.client_reacts = false;
    let mut recorded = Vec::new();
    Connection::client_login(key().public(), CLIENT_EPHEMERAL, pair.now, &mut recorded);
    pair.run();
    let login = pair.encode(Side::Client, LOGIN, &login_request().encode_to_vec());
    recorded.extend_from_slice(&login);
    let mut replay = Pair::login();
    replay.server.connection = Connection::server(key(), [0x99; 32], replay.now);
    replay.deliver(Side::Server, &recorded);
    assert_eq!(replay.server.violation, Some(Violation::Undecryptable));
    assert!(replay.server.events.is_empty());
}

#[test]
fn row_19_a_lost_answer_harms_nobody() {
    let mut pair = Pair::resume(1);
    pair.client_reacts = false;
    pair.run();
    assert_eq!(pair.confirmed_epoch, 0);
    // The client never saw the answer, and comes again with the next epoch.
    let (tickets, confirmed) = (pair.tickets.clone(), pair.confirmed_epoch);
    let mut pair = Pair::resume(2);
    (pair.tickets, pair.confirmed_epoch) = (tickets, confirmed);
    pair.run();
    assert_eq!(pair.confirmed_epoch, 2);
}

#[test]
fn row_21_ticket_epoch_and_secret_are_proved() {
    let with = |change: fn(&mut proto::ResumeRequest)| {
        let (_, bytes) = resume_bytes(proof(3));
        let mut request = proto::ResumeRequest::decode(&bytes[HEADER_BYTES..]).expect("the client encodes");
        change(&mut request);
        clear(Command::request(Operation::Resume).number(), &request.encode_to_vec())
    };
    let cases = [
        ("another epoch", with(|request| request.epoch += 1)),
        ("another ticket", with(|request| request.ticket = vec![0x56; 96].into())),
        ("another ephemeral key", with(|request| request.noise = [&[1], &request.noise[1..]].concat().into())),
        ("half a message", with(|request| request.noise.truncate(20))),
        ("no message", with(|request| request.noise.clear())),
        ("another secret", resume_bytes(ResumeProof { secret: &[0x45; 32], ..proof(3) }).1),
    ];
    for (what, bytes) in cases {
        let mut pair = Pair::login();
        pair.client_reacts = false;
        // Both tickets open, to the same secret: the proof must bind the one that was presented.
        pair.tickets.insert(vec![0x56; 96], RESUME_SECRET);
        pair.deliver(Side::Server, &bytes);
        let state = &pair.server.connection;
        assert!(!state.is_authenticated() && !state.is_closed(), "{what}: refused, and a login may follow");
        assert_eq!((pair.server.violation, pair.resuming_epoch), (None, None), "{what}");
    }
}

#[test]
fn row_21_a_resume_cannot_be_stripped_to_a_login() {
    let (_, bytes) = resume_bytes(proof(1));
    let request = proto::ResumeRequest::decode(&bytes[HEADER_BYTES..]).expect("the client encodes");
    for noise in [request.noise.clone(), request.noise.slice(..48)] {
        let stripped = proto::HandshakeRequest { id: 1, noise };
        let mut pair = Pair::login();
        let frame = clear(Command::request(Operation::Handshake).number(), &stripped.encode_to_vec());
        pair.deliver(Side::Server, &frame);
        assert_eq!(pair.server.violation, Some(Violation::HandshakeFailed));
    }
}

#[test]
fn a_refused_resume_goes_on_with_a_login_on_the_same_connection() {
    for wrong_secret in [false, true] {
        let mut pair = Pair::resume(1);
        if wrong_secret {
            pair.tickets.insert(TICKET.to_vec(), [0; 32]);
        } else {
            pair.tickets.clear();
        }
        pair.run();
        let Some(Event::Refused(refusal)) = pair.client.events.last() else { panic!("not refused") };
        assert_eq!(refusal.code(), RefusalCode::ResumeFailed);
        let (now, mut out) = (pair.now, Vec::new());
        pair.client.connection.login_after_refusal(key().public(), [0x77; 32], now, &mut out).expect("it was refused");
        pair.transmit(Side::Server, &out);
        pair.run();
        assert!(pair.client.connection.is_authenticated() && pair.server.connection.is_authenticated());
    }
}

#[test]
fn an_accepted_resume_can_still_be_refused_in_clear() {
    // The gate learns only after accepting that the epoch is too old.
    let (mut client, bytes) = resume_bytes(proof(1));
    let now = Millis(1_000_000);
    let (mut server, mut out) = (server(now), Vec::new());
    let Ok(Some(Event::Resume { id, noise, .. })) = server.receive(now, &mut &bytes[..], &mut out) else {
        panic!("no resume")
    };
    server.accept_resume(proof(1), &noise).expect("the proof is right");
    let refusal = proto::Refusal { code: RefusalCode::ResumeFailed.into(), ..Default::default() };
    server.refuse_resume(id, refusal, &mut out);
    assert!(matches!(client.receive(now, &mut &out[..], &mut Vec::new()), Ok(Some(Event::Refused(_)))));
    let (mut second, mut answer) = (Vec::new(), Vec::new());
    client.login_after_refusal(key().public(), [0x77; 32], now, &mut second).expect("it was refused");
    assert!(server.receive(now, &mut &second[..], &mut answer).is_ok());
    assert!(matches!(client.receive(now, &mut &answer[..], &mut Vec::new()), Ok(Some(Event::Ready))));
}

#[test]
fn a_second_resume_on_the_same_connection_closes() {
    let mut pair = Pair::resume(1);
    pair.tickets.clear();
    pair.run();
    pair.deliver(Side::Server, &resume_bytes(proof(2)).1);
    assert_eq!(pair.server.violation, Some(Violation::WrongState));
}

#[test]
fn an_ended_session_is_told_under_its_own_keys_and_is_not_authenticated() {
    let (mut client, bytes) = resume_bytes(proof(1));
    let now = Millis(1_000_000);
    let (mut server, mut out) = (server(now), Vec::new());
    let Ok(Some(Event::Resume { id, noise, .. })) = server.receive(now, &mut &bytes[..], &mut out) else {
        panic!("no resume")
    };
    assert_eq!(server.accept_resume(proof(1), &noise).expect("the proof is right"), offer());
    let refusal = proto::Refusal { code: RefusalCode::Kicked.into(), ..Default::default() };
    let result = proto::ResumeResult { refusal: Some(refusal), ..Default::default() };
    server.answer_resume(id, &result, now, &mut out).expect("it was accepted");
    let Ok(Some(Event::Resumed(result))) = client.receive(now, &mut &out[..], &mut Vec::new()) else {
        panic!("no result")
    };
    assert_eq!(result.refusal.expect("kicked").code(), RefusalCode::Kicked);
    assert!(!client.is_authenticated());
    out.clear();
    client.write(KEEPALIVE, &[], now, &mut out).expect("keys are agreed");
    assert!(matches!(server.receive(now, &mut &out[..], &mut Vec::new()), Err(Violation::WrongState)));
}

#[test]
fn a_result_too_big_for_a_frame_can_be_answered_again_smaller() {
    let (mut client, bytes) = resume_bytes(proof(1));
    let now = Millis(1_000_000);
    let (mut server, mut out) = (server(now), Vec::new());
    let Ok(Some(Event::Resume { id, noise, .. })) = server.receive(now, &mut &bytes[..], &mut out) else {
        panic!("no resume")
    };
    server.accept_resume(proof(1), &noise).expect("the proof is right");
    let result = |bytes: usize| proto::ResumeResult { ticket: vec![0; bytes].into(), ..Default::default() };
    assert_eq!(server.answer_resume(id, &result(65_000), now, &mut out), Err(Violation::TooBig));
    assert!(out.is_empty());
    assert_eq!(server.answer_resume(id, &result(64_990), now, &mut out), Ok(()));
    assert!(matches!(client.receive(now, &mut &out[..], &mut Vec::new()), Ok(Some(Event::Resumed(_)))));
}

#[test]
fn refusals_in_clear_never_end_a_session() {
    // Anybody between the two could have written them.
    for code in [RefusalCode::Kicked, RefusalCode::Revoked, RefusalCode::Unauthenticated] {
        let refusal = Some(proto::Refusal { code: code.into(), ..Default::default() });
        let answer = proto::ResumeAnswer { id: 1, refusal: refusal.clone(), ..Default::default() };
        let close = proto::CloseNotify { refusal };
        for frame in [
            clear(Command::answer(Operation::Resume).number(), &answer.encode_to_vec()),
            clear(Command::notify(Operation::Close).number(), &close.encode_to_vec()),
        ] {
            let (mut client, _) = resume_bytes(proof(1));
            let result = client.receive(Millis(1_000_000), &mut &frame[..], &mut Vec::new());
            assert!(matches!(result, Err(Violation::HandshakeFailed)), "{code:?}");
        }
    }
}
