//! What one person may see of a group, and how much of it is unread. Read from the group's row, the person's stays and
//! their marks.

use hongyan_domain::id::{ConversationId, UserId};
use hongyan_domain::receipt::{self, Position};
use rusqlite::Connection;

use super::super::fault::Result;
use super::super::heads::UserConversation;
use super::super::{marks, message};
use super::head::GroupHead;
use super::members::{self, Stay};

/// A person's view; there is none for whoever never was a member.
pub(super) struct View {
    pub user: UserId,
    pub stays: Vec<Stay>,
    pub mine: UserConversation,
    /// The newest entry that they may see.
    pub head_seq: u64,
    /// Countable messages up to it.
    pub head_count: u64,
    /// The lowest.
    pub low_seq: u64,
}

impl View {
    /// Of a group.
    pub fn load(connection: &Connection, head: &GroupHead, user: UserId) -> Result<Option<Self>> {
        let mine = UserConversation::load(connection, user, head.id)?;
        Self::of(connection, head, user, mine)
    }

    /// With marks that are known already.
    pub fn of(connection: &Connection, head: &GroupHead, user: UserId, mine: UserConversation) -> Result<Option<Self>> {
        let stays = members::stays(connection, head.id, user)?;
        let (Some(first), Some(last)) = (stays.first(), stays.last()) else { return Ok(None) };
        let (head_seq, head_count) = last.to.unwrap_or((head.head_seq, head.message_count));
        let low_seq = head.low_seq.max(first.from).max(mine.deleted.seq + 1);
        Ok(Some(Self { user, mine, head_seq, head_count, low_seq, stays }))
    }

    /// Whether an entry lies in one of their stays.
    pub fn sees(&self, seq: u64) -> bool {
        seq >= self.low_seq && sees(&self.stays, seq)
    }

    /// Countable messages of others above the marks, in the last stay.
    pub fn unread(&self, connection: &Connection, head: &GroupHead) -> Result<u64> {
        let Some(stay) = self.stays.last() else { return Ok(0) };
        let own = |seq| members::own_count(connection, head.id, self.user, seq);
        let begun = Position { seq: stay.from - 1, message_count: stay.from_count, own_count: 0 };
        let gone = Position { seq: head.low_seq - 1, message_count: head.gone_count, own_count: 0 };
        let marks = [self.mine.read, self.mine.deleted, begun, gone];
        let mut mark = marks.into_iter().max_by_key(|mark| mark.seq).unwrap_or_default();
        if mark.seq >= self.head_seq {
            return Ok(0);
        }
        mark.own_count = own(mark.seq)?;
        let top = Position { seq: self.head_seq, message_count: self.head_count, own_count: own(self.head_seq)? };
        Ok(receipt::unread(top, mark))
    }

    /// The newest message above the read mark by which somebody else speaks to them, as far as the newest of each kind
    /// tell.
    pub fn mention(&self, connection: &Connection, head: &GroupHead, mentioned_seq: u64) -> Result<u64> {
        let all_seq = head.mention_all_seq;
        for seq in [mentioned_seq.max(all_seq), mentioned_seq.min(all_seq)] {
            let unread = seq > self.mine.read.seq && seq <= self.head_seq;
            if unread && self.sees(seq) && self.is_spoken_to(connection, head.id, seq)? {
                return Ok(seq);
            }
        }
        Ok(0)
    }

    /// Nobody mentions themselves, and what was recalled or hidden mentions nobody.
    fn is_spoken_to(&self, connection: &Connection, group: ConversationId, seq: u64) -> Result<bool> {
        let by_others = message::load(connection, group, seq)?
            .is_some_and(|message| !message.recalled && message.sender != self.user);
        Ok(by_others && !marks::is_hidden(connection, self.user, group, seq)?)
    }
}

/// Whether an entry lies in one of these stays.
pub(super) fn sees(stays: &[Stay], seq: u64) -> bool {
    stays.iter().any(|stay| seq >= stay.from && stay.to.is_none_or(|(to, _)| seq <= to))
}

/// Whether somebody may see an entry of a group, by their stays alone.
pub(in crate::sqlite) fn may_see(
    connection: &Connection,
    group: ConversationId,
    user: UserId,
    seq: u64,
) -> Result<bool> {
    Ok(sees(&members::stays(connection, group, user)?, seq))
}
