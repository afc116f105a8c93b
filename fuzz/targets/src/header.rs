//! The 16 bytes before every body: what is accepted means exactly what was written, and nothing else is accepted.

use hongyan_wire::Command;
use hongyan_wire::frame::{HEADER_BYTES, Header, MAGIC, VERSION};
use hongyan_wire::limits;

use crate::feed::Feed;
use crate::heap;

/// One header as it comes, and one that is made of the same bytes.
pub fn run(input: &[u8]) {
    let mut feed = Feed::new(input);
    let length_max = if feed.coin() { limits::FRAME_BODY_BYTES_MAX } else { limits::UNAUTHENTICATED_BODY_BYTES_MAX };
    let bytes: [u8; HEADER_BYTES] = feed.array();
    let parsed = heap::bounded("a header", 0, 0, || Header::decode(&bytes, length_max));
    let promised = u32::from_be_bytes([bytes[12], bytes[13], bytes[14], bytes[15]]) as usize;
    let magic = u32::from_be_bytes([bytes[4], bytes[5], bytes[6], bytes[7]]);
    let right = bytes[..2] == [0, 0] && bytes[2] & !1 == 0 && bytes[3] == VERSION && magic == MAGIC;
    assert_eq!(parsed.is_ok(), right && promised <= length_max);
    if let Ok(header) = parsed {
        assert_eq!(header.encode(), bytes);
        assert_eq!(header.length, promised);
    }

    let command = u32::from_be_bytes(feed.array());
    let length = u32::from_be_bytes(feed.array()) as usize % (limits::FRAME_BODY_BYTES_MAX + 1);
    let header = Header { encrypted: feed.coin(), command, length };
    assert_eq!(Header::decode(&header.encode(), limits::FRAME_BODY_BYTES_MAX), Ok(header));
    if let Some(known) = Command::from_number(command) {
        assert_eq!(known.number(), command);
    }
}
