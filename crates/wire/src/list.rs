//! The lists of requests, counted before they are decoded: an item may be one byte long and take 24 bytes of memory, so a
//! frame full of items would take many times what it weighs. Lists that servers send are not counted: clients pin whom
//! they believe.

use prost::encoding::{DecodeContext, WireType, decode_key, decode_varint, skip_field};

/// A list inside a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum List {
    /// `ReceiptsRequest.users`.
    Users,
    /// `DeleteRequest.deletion.seqs`.
    Seqs,
    /// `SendRequest.mentions`.
    Mentions,
    /// `CreateGroupRequest.users`.
    FirstMembers,
    /// `ChangeGroupRequest.invite.users` and `ChangeGroupRequest.remove.users`.
    GroupUsers,
    /// `GroupAckRequest.cursors`.
    Cursors,
}

impl List {
    /// Its name in the request.
    pub fn name(self) -> &'static str {
        match self {
            Self::Users | Self::FirstMembers | Self::GroupUsers => "users",
            Self::Seqs => "seqs",
            Self::Mentions => "mentions",
            Self::Cursors => "cursors",
        }
    }

    /// Items in a request; `None` if it cannot be parsed as far as that needs. A decoder may have taken memory for items
    /// before it sees that they end beyond their message.
    pub fn items(self, request: &[u8]) -> Option<usize> {
        match self {
            Self::Users | Self::Cursors => sum(request, 2, |_| Some(1)),
            Self::Seqs => sum(request, 3, |deletion| sum(deletion, 2, |packed| Some(numbers(packed)))),
            Self::Mentions => sum(request, 14, |_| Some(1)),
            Self::FirstMembers => sum(request, 5, |_| Some(1)),
            Self::GroupUsers => {
                let users = |field| sum(request, field, |users| sum(users, 1, |_| Some(1)));
                Some(users(4)? + users(5)?)
            }
        }
    }
}

/// Packed numbers: each has one byte that says that it is the last.
fn numbers(packed: &[u8]) -> usize {
    packed.iter().filter(|byte| **byte < 0x80).count()
}

/// What every occurrence of a field counts; a number on its own counts one.
fn sum(mut message: &[u8], wanted: u32, count: impl Fn(&[u8]) -> Option<usize>) -> Option<usize> {
    let mut total = 0;
    while !message.is_empty() {
        let (field, wire_type) = decode_key(&mut message).ok()?;
        if field == wanted && wire_type == WireType::LengthDelimited {
            let length = usize::try_from(decode_varint(&mut message).ok()?).ok()?;
            let (item, rest) = message.split_at_checked(length)?;
            total += count(item)?;
            message = rest;
        } else {
            total += usize::from(field == wanted);
            skip_field(wire_type, field, &mut message, DecodeContext::default()).ok()?;
        }
    }
    Some(total)
}

#[cfg(test)]
mod tests {
    use prost::Message;

    use super::*;
    use crate::proto;

    #[test]
    fn the_items_of_what_is_encoded_are_counted() {
        for count in [0, 1, 100, 101, 20_000] {
            let users = proto::ReceiptsRequest { id: 1, users: vec![String::new(); count] }.encode_to_vec();
            assert_eq!(List::Users.items(&users), Some(count));
            let deletion = Some(proto::Deletion { up_to_seq: 9, seqs: (0..count as u64).map(|n| n << 40).collect() });
            let seqs =
                proto::DeleteRequest { id: 1, user: "a".to_owned(), deletion, ..Default::default() }.encode_to_vec();
            assert_eq!(List::Seqs.items(&seqs), Some(count));
        }
    }

    #[test]
    fn the_items_of_requests_of_groups_are_counted() {
        for count in [0, 1, 100, 101, 20_000] {
            let users = vec![String::new(); count];
            let mentions = proto::SendRequest { mentions: users.clone(), ..Default::default() };
            assert_eq!(List::Mentions.items(&mentions.encode_to_vec()), Some(count));
            let create = proto::CreateGroupRequest { users: users.clone(), ..Default::default() };
            assert_eq!(List::FirstMembers.items(&create.encode_to_vec()), Some(count));
            use proto::change_group_request::What::{Invite, Remove};
            for what in [Invite, Remove] {
                let what = Some(what(proto::GroupUsers { users: users.clone() }));
                let change = proto::ChangeGroupRequest { what, ..Default::default() }.encode_to_vec();
                assert_eq!(List::GroupUsers.items(&change), Some(count));
                assert_eq!(List::GroupUsers.items(&change.repeat(2)), Some(2 * count), "the same field twice");
            }
            let ack = proto::GroupAckRequest { id: 1, cursors: vec![proto::GroupCursor::default(); count] };
            assert_eq!(List::Cursors.items(&ack.encode_to_vec()), Some(count));
        }
    }

    #[test]
    fn whatever_way_a_list_is_written_its_items_are_counted() {
        // One by one instead of packed; and in deletions that are merged.
        let alone: Vec<u8> = [0x10, 7].repeat(60);
        let deletion = [&[0x1A, 120][..], &alone].concat();
        assert_eq!(List::Seqs.items(&deletion), Some(60));
        assert_eq!(List::Seqs.items(&deletion.repeat(2)), Some(120));
        // Other fields, and the same numbers elsewhere, are no items.
        let mut others = [0x12, 2, 0x12, 0].repeat(90);
        others.extend([0x18, 1].repeat(5_000));
        assert_eq!(List::Users.items(&others), Some(90));
    }

    #[test]
    fn what_does_not_end_within_its_message_is_not_counted() {
        for nonsense in [&[0xFF; 40][..], &[0x12, 0x80], &[0x12, 9, 1], &[0x0B; 200], &[0x00, 0x12, 0]] {
            assert_eq!(List::Users.items(nonsense), None, "{nonsense:?}");
        }
        // A decoder reads these numbers, though they lie beyond the deletion, and only then complains.
        let beyond = [&[0x1A, 3, 0x12, 0xB1, 0x04][..], &[4; 561]].concat();
        assert_eq!(List::Seqs.items(&beyond), None);
    }
}
