//! The lists of requests, counted before they are decoded: an item may be one byte long and take 24 bytes of memory, so a
//! frame full of items would take many times what it weighs. Lists that servers send are not counted: clients pin whom
//! they believe.

use prost::encoding::{DecodeContext, WireType, decode_key, decode_varint, skip_field};

use crate::limits::LIST_ITEMS_MAX;

/// A list inside a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum List {
    /// `ReceiptsRequest.users`.
    Users,
    /// `DeleteRequest.deletion.seqs`.
    Seqs,
}

impl List {
    /// Its name in the request.
    pub fn name(self) -> &'static str {
        match self {
            Self::Users => "users",
            Self::Seqs => "seqs",
        }
    }

    /// Whether a request has more items than it may; what cannot be parsed any further is not counted.
    pub fn is_too_long(self, request: &[u8]) -> bool {
        let count = match self {
            Self::Users => sum(request, 2, |_| 1),
            Self::Seqs => sum(request, 3, |deletion| sum(deletion, 2, numbers)),
        };
        count > LIST_ITEMS_MAX
    }
}

/// Packed numbers: each has one byte that says that it is the last.
fn numbers(packed: &[u8]) -> usize {
    packed.iter().filter(|byte| **byte < 0x80).count()
}

/// What every occurrence of a field counts; a number on its own counts one.
fn sum(mut message: &[u8], wanted: u32, count: impl Fn(&[u8]) -> usize) -> usize {
    let mut total = 0;
    while let Ok((field, wire_type)) = decode_key(&mut message) {
        if field == wanted && wire_type == WireType::LengthDelimited {
            let length = decode_varint(&mut message).ok().and_then(|length| usize::try_from(length).ok());
            let Some((item, rest)) = length.and_then(|length| message.split_at_checked(length)) else { break };
            total += count(item);
            message = rest;
        } else {
            total += usize::from(field == wanted);
            if skip_field(wire_type, field, &mut message, DecodeContext::default()).is_err() {
                break;
            }
        }
    }
    total
}

#[cfg(test)]
mod tests {
    use prost::Message;

    use super::*;
    use crate::proto;

    #[test]
    fn a_hundred_items_pass_and_one_more_does_not() {
        for (count, too_long) in [(0, false), (100, false), (101, true), (20_000, true)] {
            let users = proto::ReceiptsRequest { id: 1, users: vec![String::new(); count] }.encode_to_vec();
            assert_eq!(List::Users.is_too_long(&users), too_long, "{count} users");
            let deletion = Some(proto::Deletion { up_to_seq: 9, seqs: (0..count as u64).map(|n| n << 40).collect() });
            let seqs = proto::DeleteRequest { id: 1, user: "a".to_owned(), deletion }.encode_to_vec();
            assert_eq!(List::Seqs.is_too_long(&seqs), too_long, "{count} seqs");
        }
    }

    #[test]
    fn whatever_way_a_list_is_written_its_items_are_counted() {
        // One by one instead of packed; and in deletions that are merged.
        let alone: Vec<u8> = [0x10, 7].repeat(60);
        let deletion = [&[0x1A, 120][..], &alone].concat();
        assert!(!List::Seqs.is_too_long(&deletion));
        assert!(List::Seqs.is_too_long(&deletion.repeat(2)));
        // Other fields, and the same numbers elsewhere, are no items.
        let mut others = [0x12, 2, 0x12, 0].repeat(90);
        others.extend([0x18, 1].repeat(5_000));
        assert!(!List::Users.is_too_long(&others));
    }

    #[test]
    fn what_is_no_message_is_counted_as_far_as_it_goes() {
        for nonsense in [&[0xFF; 40][..], &[0x12, 0x80], &[0x12, 9, 1], &[0x0B; 200], &[0x00, 0x12, 0]] {
            assert!(!List::Users.is_too_long(nonsense), "{nonsense:?}");
        }
        let cut = [[0x12, 0].repeat(101), vec![0x12, 50]].concat();
        assert!(List::Users.is_too_long(&cut));
    }
}
