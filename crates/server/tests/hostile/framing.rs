//! Rows 1-4: bytes that are no frames, or frames that are cut, altered, unknown.

use std::io::Write;

use hongyan_wire::Command;
use hongyan_wire::command::Operation;
use hongyan_wire::frame::Header;
use hongyan_wire::proto;
use hongyan_wire::proto::RefusalCode;
use prost::Message;

use crate::place::Place;
use crate::speaker::User;

/// A header that says so many bytes follow.
fn header(command: u32, length: u32) -> Vec<u8> {
    let mut bytes = Header { encrypted: false, command, length: 0 }.encode().to_vec();
    bytes[12..].copy_from_slice(&length.to_be_bytes());
    bytes
}

fn handshake() -> u32 {
    Command::request(Operation::Handshake).number()
}

#[test]
fn row_01_a_header_that_promises_too_much_is_refused_and_nothing_is_allocated() {
    let mut place = Place::new();
    let before = place.memory_kib();
    for length in [u32::MAX, 0x8000_0000, 65_536, 4_097] {
        for _ in 0..20 {
            let mut liar = place.connect();
            liar.blurt(&header(handshake(), length));
            assert_eq!(liar.is_closed(), Some(RefusalCode::TooBig), "{length}");
        }
    }
    let mut member = place.log_in("liar");
    let mut frame = member.frame(Command::request(Operation::Keepalive), &[]);
    frame[12..16].copy_from_slice(&65_536_u32.to_be_bytes());
    member.blurt(&frame);
    assert_eq!(member.is_closed(), Some(RefusalCode::TooBig), "after login the limit is higher, but there is one");
    let grown = place.memory_kib().saturating_sub(before);
    assert!(grown < 8 * 1024, "{grown} KiB for promises");
    place.is_well();
}

#[test]
fn row_03_a_conversation_cut_at_every_byte_is_the_same_conversation() {
    let mut place = Place::new();
    let token = place.token("slicer", "default");
    let first_length = place.connect().said.len();
    for cut in 1..first_length {
        let mut slicer = place.connect();
        let first = slicer.said.clone();
        slicer.stream.write_all(&first[..cut]).unwrap();
        // What was cut off arrives as a segment of its own: the socket does not delay.
        slicer.stream.write_all(&first[cut..]).unwrap();
        assert!(matches!(slicer.next(), Some(hongyan_wire::Event::Ready)), "{cut}");
    }
    let mut slow = place.connect();
    for byte in slow.said.clone() {
        slow.stream.write_all(&[byte]).unwrap();
    }
    assert!(matches!(slow.next(), Some(hongyan_wire::Event::Ready)));
    slow.log_in(&User::new("slicer"), &token).unwrap();
    let request = slow.text("bystander", "drop by drop");
    let frame = slow.frame(Command::request(Operation::Send), &request.encode_to_vec());
    for byte in frame {
        slow.stream.write_all(&[byte]).unwrap();
    }
    let answer: proto::SendAnswer = slow.answer(Operation::Send);
    assert_eq!((answer.id, answer.seq), (request.id, 1));
    place.is_well();
}

#[test]
fn row_03_thousands_of_frames_in_one_segment_are_all_answered_in_order() {
    const FRAMES: u32 = 10_000;
    let rates = [("HONGYAN_GATE_FRAMES_PER_SECOND", "1000000"), ("HONGYAN_GATE_FRAMES_BURST", "1000000")];
    let mut place = Place::with(&rates);
    let mut burst = place.log_in("burst");
    let request = |id| proto::KeepaliveRequest { id }.encode_to_vec();
    let frames = (1..=FRAMES).flat_map(|id| burst.frame(Command::request(Operation::Keepalive), &request(id)));
    let frames: Vec<u8> = frames.collect();
    let mut writing = burst.stream.try_clone().unwrap();
    let writer = std::thread::Builder::new().spawn(move || writing.write_all(&frames).unwrap()).unwrap();
    for id in 1..=FRAMES {
        assert_eq!(burst.answer::<proto::KeepaliveAnswer>(Operation::Keepalive).id, id);
    }
    writer.join().unwrap();
    place.is_well();
}

#[test]
fn row_04_every_flipped_bit_of_the_first_header_ends_in_a_closed_connection() {
    let mut place = Place::new();
    for bit in 0..128 {
        let mut flipped = place.connect();
        let mut first = flipped.said.clone();
        first[bit / 8] ^= 1 << (bit % 8);
        flipped.blurt(&first);
        // Some flips make the frame longer: then the server waits for the rest, which never comes.
        let code = flipped.hang_up();
        let expected: &[Option<RefusalCode>] = match bit / 8 {
            0..2 => &[Some(RefusalCode::Malformed)],
            2 => &[Some(RefusalCode::Malformed), Some(RefusalCode::WrongState)],
            3 => &[Some(RefusalCode::UnsupportedVersion)],
            4..8 => &[None],
            8..12 => &[Some(RefusalCode::WrongState)],
            _ => &[
                None,
                Some(RefusalCode::TooBig),
                Some(RefusalCode::Malformed),
                Some(RefusalCode::Unauthenticated),
                Some(RefusalCode::WrongState),
            ],
        };
        assert!(expected.contains(&code), "bit {bit}: {code:?}");
    }
    place.is_well();
}

#[test]
fn row_04_unknown_commands_close_before_login_and_altered_ones_after() {
    let mut place = Place::new();
    for number in [0, 0x1_0000, 0x1_FFFF, 0x4_0001, u32::MAX, Command::notify(Operation::Message).number()] {
        let mut stranger = place.connect();
        stranger.blurt(&header(number, 0));
        assert_eq!(stranger.is_closed(), Some(RefusalCode::WrongState), "{number:#x}");
    }
    let mut member = place.log_in("curious");
    for operation in [200_u16, u16::MAX] {
        let id = member.id();
        let frame = altered_frame(&mut member, 1 << 16 | u32::from(operation), id);
        member.blurt(&frame);
        // The header of the frame names another command than its ciphertext: that is an alteration.
        assert_eq!(member.is_closed(), Some(RefusalCode::Malformed));
        member = place.log_in("curious");
    }
    place.is_well();
}

/// A keepalive whose header was changed afterwards.
fn altered_frame(member: &mut crate::speaker::Speaker, number: u32, id: u32) -> Vec<u8> {
    let body = proto::KeepaliveRequest { id }.encode_to_vec();
    let mut frame = member.frame(Command::request(Operation::Keepalive), &body);
    frame[8..12].copy_from_slice(&number.to_be_bytes());
    frame
}
