//! Tickets: what was sealed opens to the same, under the keys that sealed it only, and nothing else opens at all.

use hongyan_domain::id::{SessionId, UserId};
use hongyan_domain::time::UnixMillis;
use hongyan_gate::ticket::{TICKET_BYTES, Ticket, TicketKeys};

use crate::feed::Feed;
use crate::heap;

/// Seals a ticket of the input, alters it as the input says, and opens that and the rest of the input.
pub fn run(input: &[u8]) {
    let mut feed = Feed::new(input);
    let ticket = Ticket {
        session: SessionId(feed.array()),
        user: UserId(i64::from_be_bytes(feed.array())),
        epoch: u32::from_be_bytes(feed.array()),
        secret: feed.array(),
        expires: UnixMillis(u64::from_be_bytes(feed.array())),
    };
    let (id, secret) = (feed.byte(), feed.array());
    let keys = TicketKeys::new([(id, secret)]);
    let sealed = keys.seal(&ticket, feed.array());
    assert_eq!(sealed.len(), TICKET_BYTES);
    assert_eq!(keys.open(&sealed).as_ref(), Some(&ticket));
    let rotated = TicketKeys::new([(id.wrapping_add(1), feed.array()), (id, secret)]);
    assert_eq!(rotated.open(&sealed).as_ref(), Some(&ticket));
    assert_eq!(TicketKeys::new([(id.wrapping_add(1), secret)]).open(&sealed), None, "another id");

    let mut altered = sealed.clone();
    for _ in 0..feed.below(4) {
        let at = usize::from(feed.byte()) % altered.len();
        altered[at] ^= feed.byte();
    }
    match feed.below(4) {
        0 => altered.truncate(feed.byte().into()),
        1 => altered.extend_from_slice(feed.some_bytes()),
        _ => {}
    }
    for bytes in [&altered[..], feed.rest()] {
        let opened = heap::bounded("a ticket", bytes.len(), 0, || keys.open(bytes));
        assert_eq!(opened, (bytes == sealed).then(|| ticket.clone()));
    }
}
