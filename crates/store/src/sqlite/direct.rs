//! What decides access to a direct conversation: stored beside its head, where appends recheck it.

use hongyan_domain::id::{AppId, SessionId, UserId};
use hongyan_domain::message::DirectFacts;
use hongyan_domain::visitor::{Meeting, Standing};
use rusqlite::Connection;

use super::batch::Batch;
use super::fault::Result;
use super::friends;
use super::heads::{Conversation, HIGH_IS_VISITOR, LOW_IS_VISITOR};
use super::visitors::standing;
use crate::timeline::Direct;

/// What is known of the conversation in which `sender` writes to `addressee`.
pub(super) fn direct(connection: &Connection, app: AppId, sender: UserId, addressee: UserId) -> Result<Direct> {
    let Some(head) = Conversation::load_direct(connection, app, sender, addressee)? else {
        let (meeting, access_version) = meeting(connection, sender, addressee)?;
        return Ok(Direct {
            facts: DirectFacts { access_version, meeting, friends: sender == addressee, ..DirectFacts::default() },
            ..Direct::default()
        });
    };
    let (meeting, version) = meeting_in(connection, &head)?;
    let facts = DirectFacts {
        access_version: head.access_version + version,
        meeting,
        blocked_by_sender: head.is_blocked_by(sender),
        blocked_by_addressee: head.is_blocked_by(addressee),
        friends: head.are_friends(),
    };
    Ok(Direct { conversation: Some(head.id), facts, head_seq: head.head_seq })
}

/// What visitors change about two people, and the version of that. Rights of a pair without a visitor have none: what one
/// of them may do with visitors does not matter there.
pub(super) fn meeting(connection: &Connection, one: UserId, other: UserId) -> Result<(Meeting, u64)> {
    let ((one, one_version), (other, other_version)) = (standing(connection, one)?, standing(connection, other)?);
    match Meeting::of(one, other) {
        Meeting::People => Ok((Meeting::People, 0)),
        // Neither ever goes down, so their sum stays the same only if both do.
        meeting => Ok((meeting, one_version + other_version)),
    }
}

/// The same of people who have a conversation; mostly it costs nothing.
fn meeting_in(connection: &Connection, head: &Conversation) -> Result<(Meeting, u64)> {
    if head.visitor == 0 { Ok((Meeting::People, 0)) } else { meeting(connection, head.low, head.high) }
}

/// The version on which a decision about a conversation rests.
pub(super) fn access_version(connection: &Connection, head: &Conversation) -> Result<u64> {
    Ok(head.access_version + meeting_in(connection, head)?.1)
}

/// Which of two people, in order, is a visitor, as a conversation's row says it.
pub(super) fn visitor_of(connection: &Connection, low: UserId, high: UserId) -> Result<i64> {
    let is_visitor =
        |user| standing(connection, user).map(|(standing, _)| matches!(standing, Standing::Visitor { .. }));
    Ok(match (is_visitor(low)?, is_visitor(high)?) {
        (true, _) => LOW_IS_VISITOR,
        (false, true) => HIGH_IS_VISITOR,
        (false, false) => 0,
    })
}

/// Blocks or unblocks; nobody blocks themselves.
pub(super) fn set_blocked(
    batch: &mut Batch<'_>,
    app: AppId,
    session: SessionId,
    user: UserId,
    other: UserId,
    blocked: bool,
) -> Result<()> {
    if user == other {
        return Ok(());
    }
    let conversation = match batch.direct(app, user, other)? {
        Some(conversation) => conversation,
        None => batch.create_direct(app, user, other)?,
    };
    if batch.conversation(conversation)?.is_blocked_by(user) != blocked {
        batch.conversation_mut(conversation)?.set_blocked_by(user, blocked);
    }
    friends::blocked(batch, app, session, conversation, user, other, blocked)
}
