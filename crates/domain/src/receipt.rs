//! Read marks and unread counts. Unread is always derived from counts, never kept as a counter (design §5).

use crate::id::{ConversationId, DeviceKey, UserId};

/// How far a device, and with it its user, has come. Lost on a crash; the device then acknowledges again.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CursorAdvance {
    /// The user.
    pub user: UserId,
    /// The device.
    pub device: DeviceKey,
    /// Acknowledged by the device; never lowers what is stored.
    pub inbox_cursor: u64,
    /// By conversation, the highest seq that reached the device; never lowers what is stored.
    pub delivered: Vec<(ConversationId, u64)>,
}

/// A place in a conversation's log and what lies up to it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Position {
    /// The seq.
    pub seq: u64,
    /// Countable messages up to it.
    pub message_count: u64,
    /// Countable messages up to it that the reader wrote.
    pub own_count: u64,
}

/// Countable messages of others between the read mark and the head.
pub fn unread(head: Position, mark: Position) -> u64 {
    let others = |position: Position| position.message_count.saturating_sub(position.own_count);
    others(head).saturating_sub(others(mark))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn own_messages_and_what_was_read_do_not_count() {
        let position = |seq, message_count, own_count| Position { seq, message_count, own_count };
        assert_eq!(unread(position(0, 0, 0), position(0, 0, 0)), 0);
        assert_eq!(unread(position(9, 7, 2), position(0, 0, 0)), 5);
        assert_eq!(unread(position(9, 7, 2), position(4, 4, 2)), 3);
        assert_eq!(unread(position(9, 7, 2), position(9, 7, 2)), 0);
    }
}
