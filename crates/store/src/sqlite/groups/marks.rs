//! What a member does to their own view of a group: read marks and deletions. As [`super::super::marks`] for direct
//! conversations, with another way of counting.

use hongyan_domain::id::ConversationId;

use super::super::batch::{Batch, Reference};
use super::super::fault::Result;
use super::super::marks::numbers_to_bytes;
use super::members;
use super::request::refer;
use super::view::View;
use crate::feed::CommittedWhat;
use crate::groups::Asker;
use crate::timeline::{Deletion, Marked};

/// Moves a read mark upwards; `None` for whoever never was a member.
pub(super) fn mark_read(batch: &mut Batch<'_>, by: &Asker, group: ConversationId, seq: u64) -> Result<Option<Marked>> {
    let inbox_seq = move_mark(batch, by, group, seq)?;
    let inbox_head = batch.inbox(by.user)?.head;
    let Some(view) = view(batch, by, group)? else { return Ok(None) };
    let unread = view.unread(batch.connection, batch.group(group)?)?;
    let (read_seq, head_seq) = (view.mine.read.seq, view.head_seq);
    Ok(Some(Marked { read_seq, unread, head_seq, inbox_head, inbox_seq }))
}

/// The inbox entry that tells it, if the mark has moved.
pub(super) fn move_mark(batch: &mut Batch<'_>, by: &Asker, group: ConversationId, seq: u64) -> Result<Option<u64>> {
    if seq == 0 || seq <= batch.place(by.user, group)?.read.seq {
        return Ok(None);
    }
    let Some(mut view) = view(batch, by, group)? else { return Ok(None) };
    let seq = seq.min(view.head_seq);
    if seq <= view.mine.read.seq {
        return Ok(None);
    }
    let connection = batch.connection;
    let head = batch.group(group)?;
    let position = members::position(connection, group, head.gone_count, by.user, seq)?;
    view.mine.read = position;
    let (unread, name) = (view.unread(connection, head)?, head.name.clone());
    batch.place_mut(by.user, group)?.read = position;
    members::touch(batch.connection, by.user, group, batch.change_no()?)?;
    let payload = numbers_to_bytes(&[unread]);
    let reference = Reference::Read(seq, &payload);
    let what = CommittedWhat::Read { seq, unread };
    refer(batch, by, by.user, (group, &name), &reference, what).map(Some)
}

/// Hides entries from one member. What is hidden already is not announced again.
pub(super) fn delete(batch: &mut Batch<'_>, by: &Asker, group: ConversationId, asked: &Deletion) -> Result<bool> {
    let Some(view) = view(batch, by, group)? else { return Ok(false) };
    let connection = batch.connection;
    let mut done = Deletion::default();
    let up_to_seq = asked.up_to_seq.min(view.head_seq);
    if up_to_seq > view.mine.deleted.seq {
        let gone_count = batch.group(group)?.gone_count;
        let position = members::position(connection, group, gone_count, by.user, up_to_seq)?;
        batch.place_mut(by.user, group)?.deleted = position;
        connection
            .prepare_cached("DELETE FROM deletion WHERE user = ?1 AND conversation = ?2 AND seq <= ?3")?
            .execute((by.user.0, group.0, up_to_seq))?;
        done.up_to_seq = up_to_seq;
    }
    let visible_from = view.mine.deleted.seq.max(up_to_seq) + 1;
    let mut statement = connection
        .prepare_cached("INSERT INTO deletion (user, conversation, seq) VALUES (?1, ?2, ?3) ON CONFLICT DO NOTHING")?;
    for seq in asked.seqs.iter().copied().filter(|seq| (visible_from..=view.head_seq).contains(seq)) {
        if statement.execute((by.user.0, group.0, seq))? == 1 {
            done.seqs.push(seq);
        }
    }
    if done != Deletion::default() {
        members::touch(connection, by.user, group, batch.change_no()?)?;
        let name = batch.group(group)?.name.clone();
        let payload = numbers_to_bytes(&done.seqs);
        let reference = Reference::Deleted(done.up_to_seq, &payload);
        refer(batch, by, by.user, (group, &name), &reference, CommittedWhat::Deleted(done.clone()))?;
    }
    Ok(true)
}

fn view(batch: &mut Batch<'_>, by: &Asker, group: ConversationId) -> Result<Option<View>> {
    let mine = *batch.place(by.user, group)?;
    let connection = batch.connection;
    View::of(connection, batch.group(group)?, by.user, mine)
}
