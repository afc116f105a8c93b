//! What decides access to a direct conversation: stored beside its head, where appends recheck it.

use hongyan_domain::id::{AppId, UserId};
use hongyan_domain::message::DirectFacts;
use rusqlite::Connection;

use super::batch::Batch;
use super::fault::Result;
use super::heads::Conversation;
use crate::timeline::Direct;

/// What is known of the conversation in which `sender` writes to `addressee`.
pub(super) fn direct(connection: &Connection, app: AppId, sender: UserId, addressee: UserId) -> Result<Direct> {
    let Some(head) = Conversation::load_direct(connection, app, sender, addressee)? else {
        return Ok(Direct::default());
    };
    let facts = DirectFacts {
        access_version: head.access_version,
        blocked_by_sender: head.is_blocked_by(sender),
        blocked_by_addressee: head.is_blocked_by(addressee),
    };
    Ok(Direct { conversation: Some(head.id), facts, head_seq: head.head_seq })
}

/// Blocks or unblocks; nobody blocks themselves.
pub(super) fn set_blocked(batch: &mut Batch<'_>, app: AppId, user: UserId, other: UserId, blocked: bool) -> Result<()> {
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
    Ok(())
}
