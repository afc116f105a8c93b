//! What somebody on the path, or a hostile peer, can do to the encryption (rows 20 to 22).

use hongyan_wire::command::Operation;
use hongyan_wire::frame::HEADER_BYTES;
use hongyan_wire::noise::StaticKey;
use hongyan_wire::proto;
use hongyan_wire::{Command, Connection, Event, Violation};
use prost::Message;

use crate::pair::*;

/// Five frames from the given side of a logged-in pair.
fn five_frames(from: Side) -> (Pair, Vec<Vec<u8>>) {
    let mut pair = Pair::logged_in();
    let command = if from == Side::Client { SEND } else { Command::notify(Operation::Message) };
    let frames = (0..5u8).map(|number| pair.encode(from, command, &[number; 20])).collect();
    (pair, frames)
}

const BOTH: [Side; 2] = [Side::Client, Side::Server];

#[test]
fn row_20_a_lost_frame_is_noticed_with_the_next() {
    for from in BOTH {
        for lost in 0..4 {
            let (mut pair, frames) = five_frames(from);
            let before = pair.end(other(from)).events.len();
            for (_, frame) in frames.iter().enumerate().filter(|(number, _)| *number != lost) {
                pair.deliver(other(from), frame);
            }
            let end = pair.end(other(from));
            assert_eq!(end.violation, Some(Violation::Undecryptable), "{from:?} lost {lost}");
            assert_eq!(end.events.len() - before, lost, "nothing after the gap is believed");
        }
    }
}

#[test]
fn row_20_a_repeated_frame_is_noticed() {
    for from in BOTH {
        let (mut pair, frames) = five_frames(from);
        pair.deliver(other(from), &frames[0]);
        pair.deliver(other(from), &frames[0]);
        assert_eq!(pair.end(other(from)).violation, Some(Violation::Undecryptable));
    }
}

#[test]
fn row_20_reordered_frames_are_noticed() {
    for from in BOTH {
        let (mut pair, frames) = five_frames(from);
        pair.deliver(other(from), &frames[1]);
        assert_eq!(pair.end(other(from)).violation, Some(Violation::Undecryptable));
    }
}

#[test]
fn row_20_a_reflected_frame_is_noticed() {
    for from in BOTH {
        let (mut pair, frames) = five_frames(from);
        pair.deliver(from, &frames[0]);
        assert_eq!(pair.end(from).violation, Some(Violation::Undecryptable), "the directions have different keys");
    }
}

#[test]
fn row_20_every_changed_byte_is_noticed() {
    let length = five_frames(Side::Client).1[0].len();
    for at in HEADER_BYTES..length {
        let (mut pair, mut frames) = five_frames(Side::Client);
        frames[0][at] ^= 1;
        pair.deliver(Side::Server, &frames[0]);
        assert_eq!(pair.server.violation, Some(Violation::Undecryptable), "byte {at}");
    }
}

#[test]
fn row_20_frames_shorter_than_their_tag_are_noticed() {
    for length in 0..HEADER_BYTES + 21 {
        let mut pair = Pair::logged_in();
        let mut frame = pair.encode(Side::Client, KEEPALIVE, &[]);
        frame.truncate(length.max(HEADER_BYTES));
        let body_bytes = (frame.len() - HEADER_BYTES) as u32;
        frame[12..16].copy_from_slice(&body_bytes.to_be_bytes());
        pair.deliver(Side::Server, &frame);
        assert_eq!(pair.server.violation, Some(Violation::Undecryptable), "{body_bytes} bytes");
    }
}

#[test]
fn row_20_a_frame_under_another_command_is_noticed() {
    let mut pair = Pair::logged_in();
    let mut frame = pair.encode(Side::Client, SEND, b"text");
    frame[8..12].copy_from_slice(&Command::request(Operation::Edit).number().to_be_bytes());
    pair.deliver(Side::Server, &frame);
    assert_eq!(pair.server.violation, Some(Violation::HeaderMismatch));
}

#[test]
fn row_21_a_client_refuses_a_server_without_the_pinned_key() {
    let mut pair = Pair::login();
    pair.server.connection = Connection::server(StaticKey::new([0x12; 32]), SERVER_EPHEMERAL, pair.now);
    pair.run();
    assert_eq!(pair.server.violation, Some(Violation::HandshakeFailed));
    assert_eq!(pair.client.violation, Some(Violation::HandshakeFailed));
    assert!(!pair.client.connection.is_authenticated());
}

#[test]
fn row_21_a_client_refuses_an_answer_without_proof() {
    for noise in [vec![], vec![0; 48], vec![9; 47], vec![9; 48], vec![9; 500]] {
        let mut pair = Pair::login();
        let answer = proto::HandshakeAnswer { id: 1, refusal: None, noise: noise.into() };
        pair.deliver(Side::Client, &clear(Command::answer(Operation::Handshake).number(), &answer.encode_to_vec()));
        assert_eq!(pair.client.violation, Some(Violation::HandshakeFailed));
    }
}

#[test]
fn row_21_the_handshake_goes_in_its_order() {
    let answer = proto::ResumeAnswer::default().encode_to_vec();
    for command in [
        Command::answer(Operation::Resume),
        Command::answer(Operation::Login),
        Command::request(Operation::Handshake),
        Command::notify(Operation::Kickout),
    ] {
        let mut pair = Pair::login();
        pair.deliver(Side::Client, &clear(command.number(), &answer));
        assert_eq!(pair.client.violation, Some(Violation::WrongState), "{command:?}");
    }
}

/// The points of small order on curve and twist, and some of their other encodings: every secret key makes zero of
/// them.
const LOW_ORDER: [&str; 7] = [
    "0000000000000000000000000000000000000000000000000000000000000000",
    "0100000000000000000000000000000000000000000000000000000000000000",
    "e0eb7a7c3b41b8ae1656e3faf19fc46ada098deb9c32b1fd866205165f49b800",
    "5f9c95bca3508c24b1d0b1559c83ef5b04445cc4581c8e86d8224eddd09f1157",
    "ecffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
    "edffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
    "eeffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
];

fn point(hex: &str) -> [u8; 32] {
    std::array::from_fn(|at| u8::from_str_radix(&hex[2 * at..2 * at + 2], 16).expect("hex"))
}

#[test]
fn row_22_low_order_points_are_refused_everywhere() {
    for hex in LOW_ORDER {
        let point = point(hex);
        // As a client's ephemeral key; what follows it does not matter.
        let mut noise = point.to_vec();
        noise.resize(48, 0);
        let mut pair = Pair::login();
        let request = proto::HandshakeRequest { id: 1, noise: noise.clone().into() };
        pair.deliver(Side::Server, &clear(Command::request(Operation::Handshake).number(), &request.encode_to_vec()));
        assert_eq!(pair.server.violation, Some(Violation::HandshakeFailed), "{hex}");
        // In a resume.
        let mut pair = Pair::login();
        let resume = proto::ResumeRequest {
            id: 1,
            ticket: TICKET.to_vec().into(),
            epoch: 1,
            noise: noise.into(),
            ..Default::default()
        };
        pair.deliver(Side::Server, &clear(Command::request(Operation::Resume).number(), &resume.encode_to_vec()));
        assert!(matches!(pair.server.events[..], [Event::Resume { .. }]));
        assert!(!pair.server.connection.is_authenticated());
        // As the key that a client was told to pin: it fails before anything is sent.
        for resume in [false, true] {
            let (now, mut out) = (pair.now, Vec::new());
            let mut client = if resume {
                Connection::client_resume(&point, proof(1), &offer(), CLIENT_EPHEMERAL, now, &mut out)
            } else {
                Connection::client_login(&point, CLIENT_EPHEMERAL, now, &mut out)
            };
            assert!(out.is_empty());
            assert_eq!(client.deadline(), now);
            assert_eq!(client.handle_timeout(now, &mut out), Err(Violation::HandshakeFailed));
        }
    }
}

#[test]
fn nothing_said_is_seen_on_the_wire() {
    let mut pair = Pair::logged_in();
    let frame = pair.encode(Side::Client, SEND, b"a secret that is easily found");
    assert!(!frame.windows(6).any(|bytes| b"a secret that is easily found".windows(6).any(|said| said == bytes)));
    let again = pair.encode(Side::Client, SEND, b"a secret that is easily found");
    assert_ne!(frame[HEADER_BYTES..], again[HEADER_BYTES..], "the same twice looks different");
}
