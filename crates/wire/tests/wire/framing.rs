//! Bytes into frames: any split, lengths that lie, headers that are not ours (rows 1 to 5).

use std::sync::LazyLock;

use hongyan_wire::command::Operation;
use hongyan_wire::frame::{HEADER_BYTES, Header, MAGIC};
use hongyan_wire::proto::{self, RefusalCode};
use hongyan_wire::{Command, Connection, Event, Millis, Violation, limits};
use proptest::prelude::*;
use prost::Message;

use crate::pair::*;

/// All that a client sends in a small session, recorded once. Keys are fixed, so a fresh server understands it.
static SESSION: LazyLock<Vec<u8>> = LazyLock::new(|| {
    let mut out = Vec::new();
    let now = Millis(0);
    let mut client = Connection::client_login(key().public(), CLIENT_EPHEMERAL, now, &mut out);
    let (mut server, mut answer) = (server(now), Vec::new());
    assert!(server.receive(now, &mut &out[..], &mut answer).expect("the handshake is right").is_none());
    let ready = client.receive(now, &mut &answer[..], &mut Vec::new()).expect("the answer is right");
    assert!(matches!(ready, Some(Event::Ready)));
    client.write_message(LOGIN, &login_request(), now, &mut out).expect("keys are agreed");
    client.set_authenticated();
    for length in [0, 1, 30, 200, 900] {
        client.write(SEND, &vec![length as u8; length], now, &mut out).expect("keys are agreed");
    }
    out
});

/// What a fresh server makes of pieces of a stream: its events and its bytes.
fn replay<'a>(pieces: impl IntoIterator<Item = &'a [u8]>) -> (Vec<(Command, Vec<u8>)>, Vec<u8>) {
    let (now, mut server) = (Millis(0), server(Millis(0)));
    let (mut received, mut out) = (Vec::new(), Vec::new());
    for mut piece in pieces {
        while let Some(event) = server.receive(now, &mut piece, &mut out).expect("the stream is right") {
            let Event::Frame(command, body) = event else { panic!("unexpected {event:?}") };
            if command == LOGIN {
                server.set_authenticated();
                server.write(Command::answer(Operation::Login), &[], now, &mut out).expect("keys are agreed");
            }
            received.push((command, body.to_vec()));
        }
        assert!(piece.is_empty());
    }
    assert_eq!(server.buffered_bytes(), 0, "no buffer is kept between frames");
    (received, out)
}

#[test]
fn row_03_a_cut_at_every_byte_changes_nothing() {
    let whole = replay([&SESSION[..]]);
    assert_eq!(whole.0.len(), 6);
    for cut in 0..=SESSION.len() {
        let (head, tail) = SESSION.split_at(cut);
        assert_eq!(replay([head, tail]), whole, "cut at {cut}");
    }
}

#[test]
fn row_03_single_bytes_change_nothing() {
    assert_eq!(replay(SESSION.chunks(1)), replay([&SESSION[..]]));
}

proptest! {
    #[test]
    fn row_03_any_split_changes_nothing(mut cuts in prop::collection::vec(0..SESSION.len(), 0..40)) {
        cuts.sort_unstable();
        let ends = cuts.iter().copied().chain([SESSION.len()]);
        let starts = [0].into_iter().chain(cuts.iter().copied());
        let pieces: Vec<_> = starts.zip(ends).map(|(start, end)| &SESSION[start..end]).collect();
        prop_assert_eq!(replay(pieces), replay([&SESSION[..]]));
    }

    #[test]
    fn row_03_both_directions_arrive_whole_and_in_order_however_the_link_cuts_them(
        segment_bytes in 1usize..300,
        latency_ms in 0u64..500,
        said in prop::collection::vec((any::<bool>(), 0usize..2_000), 1..30),
    ) {
        let mut pair = Pair::login();
        (pair.segment_bytes, pair.latency) = (segment_bytes, Millis(latency_ms));
        pair.run();
        let push = Command::notify(Operation::Message);
        for (number, &(up, length)) in said.iter().enumerate() {
            let (side, command) = if up { (Side::Client, SEND) } else { (Side::Server, push) };
            pair.send(side, command, &vec![number as u8; length]);
        }
        pair.run();
        let expected = |from_client| -> Vec<_> {
            let of_side = said.iter().enumerate().filter(|(_, (up, _))| *up == from_client);
            of_side.map(|(number, &(_, length))| vec![number as u8; length]).collect()
        };
        let heard = |end: &End, command| -> Vec<_> {
            let frames = end.frames().into_iter().filter(|(heard, _)| *heard == command);
            frames.map(|(_, body)| body.to_vec()).collect()
        };
        prop_assert_eq!(heard(&pair.server, SEND), expected(true));
        prop_assert_eq!(heard(&pair.client, push), expected(false));
        prop_assert_eq!((pair.client.violation, pair.server.violation), (None, None));
    }

    #[test]
    fn row_04_random_first_bytes_never_panic(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
        let mut server = server(Millis(0));
        let _ = server.receive(Millis(0), &mut &bytes[..], &mut Vec::new());
    }

    #[test]
    fn row_04_random_bodies_never_panic(number in 0u32..0x4_0020, body in prop::collection::vec(any::<u8>(), 0..200)) {
        for number in [number, 0x1_0001, 0x1_0002] {
            let mut server = server(Millis(0));
            let _ = server.receive(Millis(0), &mut &clear(number, &body)[..], &mut Vec::new());
            let mut client = Connection::client_login(key().public(), CLIENT_EPHEMERAL, Millis(0), &mut Vec::new());
            let _ = client.receive(Millis(0), &mut &clear(number + 0x1_0000, &body)[..], &mut Vec::new());
        }
    }

    #[test]
    fn row_05_random_plaintexts_never_panic(number in 0u32..0x5_0000, body in prop::collection::vec(any::<u8>(), 0..200)) {
        let mut pair = Pair::logged_in();
        // The bench can only write commands that exist; the machine must stand every body of them.
        if let Some(command) = Command::from_number(number) {
            pair.send(Side::Client, command, &body);
            pair.send(Side::Server, command, &body);
        }
        pair.client_reacts = false;
        if Command::from_number(number) != Some(LOGIN) {
            pair.run();
        }
    }
}

#[test]
fn row_03_ten_thousand_frames_in_one_segment() {
    let mut pair = Pair::logged_in();
    let mut segment = Vec::new();
    for number in 0..10_000u32 {
        let bytes = pair.encode(Side::Client, SEND, &number.to_be_bytes());
        segment.extend_from_slice(&bytes);
    }
    pair.segment_bytes = usize::MAX;
    pair.transmit(Side::Server, &segment);
    pair.run();
    let bodies = pair.server.frames().into_iter().skip(1).map(|(_, body)| body.to_vec());
    assert!(bodies.eq((0..10_000u32).map(|number| number.to_be_bytes().to_vec())));
}

#[test]
fn row_01_a_length_is_refused_from_the_header_alone() {
    for length in [u32::MAX, 0x8000_0000, 65_536, 4_097] {
        let mut pair = Pair::login();
        let mut header = clear(Command::request(Operation::Handshake).number(), &[]);
        header[12..].copy_from_slice(&length.to_be_bytes());
        pair.deliver(Side::Server, &header);
        assert_eq!(pair.server.violation, Some(Violation::TooBig), "length {length}");
        assert_eq!(pair.server.connection.buffered_bytes(), 0);
    }
}

#[test]
fn row_01_the_limit_rises_with_authentication() {
    let header = |length| Header { encrypted: true, command: SEND.number(), length }.encode();
    let mut pair = Pair::logged_in();
    pair.deliver(Side::Server, &header(65_535));
    assert_eq!(pair.server.violation, None);
    let mut pair = Pair::logged_in();
    pair.deliver(Side::Server, &header(65_536));
    assert_eq!(pair.server.violation, Some(Violation::TooBig));
    pair.run();
    assert_eq!(pair.client.close_code(), Some(RefusalCode::TooBig));
}

#[test]
fn row_01_the_largest_body_passes_and_one_byte_more_is_not_written() {
    let mut pair = Pair::logged_in();
    let body = vec![9; limits::PLAINTEXT_BYTES_MAX];
    pair.send(Side::Client, SEND, &body);
    pair.run();
    assert_eq!(pair.server.frames().last().map(|(_, body)| body.len()), Some(limits::PLAINTEXT_BYTES_MAX));
    let mut out = Vec::new();
    let too_big = pair.client.connection.write(SEND, &[&body[..], &[9]].concat(), pair.now, &mut out);
    assert_eq!((too_big, out.len()), (Err(Violation::TooBig), 0));
}

#[test]
fn row_02_a_promise_costs_what_has_arrived_and_ends_in_time() {
    let mut pair = Pair::login();
    let mut bytes = clear(Command::request(Operation::Handshake).number(), &[1, 2, 3]);
    bytes[12..16].copy_from_slice(&4_096u32.to_be_bytes());
    pair.deliver(Side::Server, &bytes);
    assert!(pair.server.connection.buffered_bytes() <= 64, "three bytes came");
    let due = pair.now + limits::FRAME_DEADLINE;
    assert_eq!(pair.wait_until(Side::Server, Millis(due.0 - 1)), Ok(()));
    assert_eq!(pair.wait_until(Side::Server, due), Err(Violation::HandshakeDeadline));
    assert_eq!(pair.server.connection.buffered_bytes(), 0);
}

#[test]
fn row_02_an_authenticated_promise_ends_in_time_too() {
    let mut pair = Pair::logged_in();
    let frame = pair.encode(Side::Client, SEND, &[0; 4_096]);
    pair.deliver(Side::Server, &frame[..HEADER_BYTES + 3]);
    let due = pair.server.connection.deadline();
    assert!(due - pair.now >= limits::FRAME_DEADLINE && due - pair.now <= limits::FRAME_DEADLINE + Millis(100));
    assert_eq!(pair.wait_until(Side::Server, due), Err(Violation::FrameDeadline));
    pair.run();
    assert_eq!(pair.client.close_code(), Some(RefusalCode::TimedOut));
}

#[test]
fn row_02_a_long_frame_on_a_slow_link_is_not_cut_off() {
    for (bytes_per_second, arrives) in [(1_000, true), (100, false)] {
        let mut pair = Pair::logged_in();
        let frame = pair.encode(Side::Client, SEND, &[0; 16_384]);
        for piece in frame.chunks(bytes_per_second) {
            let later = pair.now + Millis::seconds(1);
            if pair.wait_until(Side::Server, later).is_err() {
                break;
            }
            pair.deliver(Side::Server, piece);
        }
        assert_eq!(pair.server.frames().len() == 2, arrives, "{bytes_per_second} B/s");
    }
}

#[test]
fn row_04_every_flipped_header_bit_is_refused() {
    let first = SESSION[..HEADER_BYTES + 52].to_vec();
    for bit in 0..HEADER_BYTES * 8 {
        let mut pair = Pair::login();
        pair.segment_bytes = usize::MAX;
        let mut bytes = first.clone();
        bytes[bit / 8] ^= 0x80 >> (bit % 8);
        pair.deliver(Side::Server, &bytes);
        let due = pair.server.connection.deadline();
        let result = pair.server.violation.map_or_else(|| pair.wait_until(Side::Server, due), Err);
        assert!(result.is_err(), "bit {bit} of the first header");
        assert!(pair.server.events.iter().all(|event| matches!(event, Event::Resume { .. })), "bit {bit}");
    }
}

#[test]
fn row_04_every_flipped_header_bit_of_an_encrypted_frame_is_refused() {
    for bit in 0..HEADER_BYTES * 8 {
        let mut pair = Pair::logged_in();
        let mut bytes = pair.encode(Side::Client, SEND, b"what is said");
        bytes[bit / 8] ^= 0x80 >> (bit % 8);
        pair.deliver(Side::Server, &bytes);
        let due = pair.server.connection.deadline();
        let result = pair.server.violation.map_or_else(|| pair.wait_until(Side::Server, due), Err);
        assert!(result.is_err(), "bit {bit}");
        assert_eq!(pair.server.frames().len(), 1, "bit {bit}: only the login was received");
    }
}

#[test]
fn row_04_strangers_get_the_right_word_or_none() {
    let cases = [
        (0, 0x02, Violation::ReservedBits, true),
        (1, 0x01, Violation::ReservedBits, true),
        (2, 0x02, Violation::ReservedBits, true),
        (3, 0x02, Violation::UnsupportedVersion, true),
        (4, 0x40, Violation::BadMagic, false),
    ];
    for (at, value, violation, told) in cases {
        let mut bytes = SESSION.clone();
        bytes[at] = value;
        let (mut server, mut out) = (server(Millis(0)), Vec::new());
        let result = server.receive(Millis(0), &mut &bytes[..], &mut out);
        assert_eq!(result.err(), Some(violation));
        assert_eq!(!out.is_empty(), told, "{violation}");
        if told {
            let close = proto::CloseNotify::decode(&out[HEADER_BYTES..]).expect("CLOSE.N in clear");
            assert_eq!(close.refusal.expect("it has a reason").code(), violation.code());
        }
    }
    assert_eq!(u32::from_be_bytes(SESSION[4..8].try_into().expect("four bytes")), MAGIC);
}

#[test]
fn row_05_malformed_protobuf_closes() {
    let deep_groups = vec![0x0b; 4_000];
    let cases: [(&str, &[u8]); 6] = [
        ("an 11-byte varint", &[0x08, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x01]),
        ("a length beyond the end", &[0x12, 0x30, 0x00]),
        ("the wrong wire type", &[0x0d, 0, 0, 0, 0]),
        ("field number 0", &[0x00, 0x00]),
        ("a group that ends what never began", &[0x1c]),
        ("groups in groups in groups", &deep_groups),
    ];
    for (what, body) in cases {
        for operation in [Operation::Handshake, Operation::Resume] {
            let mut pair = Pair::login();
            pair.deliver(Side::Server, &clear(Command::request(operation).number(), body));
            assert_eq!(pair.server.violation, Some(Violation::Malformed), "{what} in {operation:?}");
        }
    }
}

#[test]
fn row_05_a_flood_of_unknown_fields_is_dropped() {
    let (mut body, mut out) = (Vec::new(), Vec::new());
    let now = Millis(0);
    Connection::client_login(key().public(), CLIENT_EPHEMERAL, now, &mut out);
    body.extend_from_slice(&out[HEADER_BYTES..]);
    // Field 15, varint 1, as often as a frame may hold it.
    body.extend_from_slice(&[0x78, 0x01].repeat(1_900));
    let mut server = server(now);
    let bytes = clear(Command::request(Operation::Handshake).number(), &body);
    assert!(server.receive(now, &mut &bytes[..], &mut Vec::new()).is_ok());
}
