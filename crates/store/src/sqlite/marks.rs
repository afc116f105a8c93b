//! What a user does to their own view of a conversation: read marks and deletions. Written by the writer; positions are
//! read by readers.

use hongyan_domain::id::{ConversationId, UserId};
use hongyan_domain::receipt::Position;
use rusqlite::Connection;

use super::batch::{Batch, Reference};
use super::fault::{Fault, Result};
use super::heads::{Conversation, UserConversation};
use crate::feed::{Committed, CommittedWhat};
use crate::timeline::{About, Delete, Deletion, MarkRead, Marked, Marks};

/// Moves a read mark upwards.
pub(super) fn mark_read(batch: &mut Batch<'_>, mark: &MarkRead) -> Result<Marked> {
    let user = mark.target.user;
    let mut mine = *batch.place(user, mark.conversation)?;
    let head = batch.conversation(mark.conversation)?.clone();
    let position = if mark.position.seq >= head.head_seq { head.head(user) } else { mark.position };
    if position.seq <= mine.read.seq {
        let inbox_head = batch.inbox(user)?.head;
        let (read_seq, unread, head_seq) = (mine.read.seq, head.unread(user, &mine), head.head_seq);
        return Ok(Marked { read_seq, unread, head_seq, inbox_head, inbox_seq: None });
    }
    mine.read = position;
    let unread = head.unread(user, &mine);
    batch.place_mut(user, mark.conversation)?.read = position;
    let payload = numbers_to_bytes(&[unread]);
    let reference = Reference::Read(position.seq, &payload);
    let inbox_seq = batch.refer(user, mark.conversation, None, &reference)?;
    batch.tell(Committed {
        app: mark.app,
        user,
        inbox_seq,
        conversation: mark.conversation,
        about: About::Person(mark.target.about.clone()),
        origin: mark.session,
        what: CommittedWhat::Read { seq: position.seq, unread },
    });
    let (read_seq, head_seq) = (position.seq, head.head_seq);
    Ok(Marked { read_seq, unread, head_seq, inbox_head: inbox_seq, inbox_seq: Some(inbox_seq) })
}

/// Hides rows from one user. What is hidden already is not announced again.
pub(super) fn delete(batch: &mut Batch<'_>, delete: &Delete) -> Result<()> {
    let user = delete.target.user;
    let deletion = hide(batch, user, delete.conversation, &delete.deletion)?;
    if deletion == Deletion::default() {
        return Ok(());
    }
    let payload = numbers_to_bytes(&deletion.seqs);
    let reference = Reference::Deleted(deletion.up_to_seq, &payload);
    let inbox_seq = batch.refer(user, delete.conversation, None, &reference)?;
    batch.tell(Committed {
        app: delete.app,
        user,
        inbox_seq,
        conversation: delete.conversation,
        about: About::Person(delete.target.about.clone()),
        origin: delete.session,
        what: CommittedWhat::Deleted(deletion),
    });
    Ok(())
}

/// The part of a deletion that is new.
fn hide(batch: &mut Batch<'_>, user: UserId, conversation: ConversationId, asked: &Deletion) -> Result<Deletion> {
    let hidden_up_to = batch.place(user, conversation)?.deleted.seq;
    let connection = batch.connection;
    let head = batch.conversation(conversation)?;
    let head_seq = head.head_seq;
    let up_to_seq = asked.up_to_seq.min(head_seq);
    let mut done = Deletion::default();
    if up_to_seq > hidden_up_to {
        let position = head.position(connection, user, up_to_seq)?;
        batch.place_mut(user, conversation)?.deleted = position;
        let mut statement =
            connection.prepare_cached("DELETE FROM deletion WHERE user = ?1 AND conversation = ?2 AND seq <= ?3")?;
        statement.execute((user.0, conversation.0, up_to_seq))?;
        done.up_to_seq = up_to_seq;
    }
    let visible_from = hidden_up_to.max(up_to_seq) + 1;
    let mut statement = connection
        .prepare_cached("INSERT INTO deletion (user, conversation, seq) VALUES (?1, ?2, ?3) ON CONFLICT DO NOTHING")?;
    for seq in asked.seqs.iter().copied().filter(|seq| (visible_from..=head_seq).contains(seq)) {
        if statement.execute((user.0, conversation.0, seq))? == 1 {
            done.seqs.push(seq);
        }
    }
    Ok(done)
}

/// Whether a user has hidden this very row; those below their `deleted` mark are not asked for here.
pub(super) fn is_hidden(connection: &Connection, user: UserId, conversation: ConversationId, seq: u64) -> Result<bool> {
    let mut statement = connection
        .prepare_cached("SELECT EXISTS (SELECT 1 FROM deletion WHERE user = ?1 AND conversation = ?2 AND seq = ?3)")?;
    Ok(statement.query_row((user.0, conversation.0, seq), |row| row.get(0))?)
}

/// The place of a seq as `reader` counts.
pub(super) fn position(
    connection: &Connection,
    conversation: ConversationId,
    reader: UserId,
    seq: u64,
) -> Result<Position> {
    let head = Conversation::load(connection, conversation)?.ok_or(Fault::Row("no such conversation"))?;
    head.position(connection, reader, seq)
}

/// How far a person is.
pub(super) fn marks(connection: &Connection, conversation: ConversationId, user: UserId) -> Result<Marks> {
    let place = UserConversation::load(connection, user, conversation)?;
    Ok(Marks { delivered_seq: place.delivered_seq, read_seq: place.read.seq })
}

/// The payload of an inbox row.
pub(super) fn numbers_to_bytes(numbers: &[u64]) -> Vec<u8> {
    numbers.iter().flat_map(|number| number.to_be_bytes()).collect()
}

/// The numbers in the payload of an inbox row.
pub(super) fn bytes_to_numbers(bytes: &[u8]) -> Vec<u64> {
    let (numbers, _) = bytes.as_chunks::<8>();
    numbers.iter().map(|number| u64::from_be_bytes(*number)).collect()
}
