//! What a member does to their own view of a group: read marks and deletions.

use hongyan_domain::id::ConversationId;
use hongyan_domain::receipt::Position;
use hongyan_store::Result;
use hongyan_store::feed::CommittedWhat;
use hongyan_store::groups::Asker;
use hongyan_store::timeline::{Deletion, Marked};

use super::super::state::{Batch, Reference};
use super::{View, refer};

/// Only its seq means something: what lies below is counted when it is asked for.
fn place(seq: u64) -> Position {
    Position { seq, ..Position::default() }
}

/// Moves a read mark upwards; `None` for whoever never was a member.
pub(super) fn mark_read(batch: &mut Batch<'_>, by: &Asker, group: ConversationId, seq: u64) -> Result<Option<Marked>> {
    let inbox_seq = move_mark(batch, by, group, seq)?;
    let inbox_head = batch.state.person(by.user)?.inbox.head;
    let Some(view) = View::of(batch.state, group, by.user)? else { return Ok(None) };
    let (read_seq, unread, head_seq) = (view.mine.read.seq, view.unread(), view.head_seq);
    Ok(Some(Marked { read_seq, unread, head_seq, inbox_head, inbox_seq }))
}

/// The inbox entry that tells it, if the mark has moved.
pub(super) fn move_mark(batch: &mut Batch<'_>, by: &Asker, group: ConversationId, seq: u64) -> Result<Option<u64>> {
    let Some(view) = View::of(batch.state, group, by.user)? else { return Ok(None) };
    let seq = seq.min(view.head_seq);
    if seq <= view.mine.read.seq {
        return Ok(None);
    }
    let unread = View { mine: super::Place { read: place(seq), ..view.mine.clone() }, ..view }.unread();
    batch.state.person_mut(by.user)?.places.entry(group).or_default().read = place(seq);
    batch.marks_moved(by.user, group);
    let what = CommittedWhat::Read { seq, unread };
    refer(batch, by, by.user, group, Reference::Read { seq, unread }, what).map(Some)
}

/// Hides entries from one member. What is hidden already is not announced again.
pub(super) fn delete(batch: &mut Batch<'_>, by: &Asker, group: ConversationId, asked: &Deletion) -> Result<bool> {
    let Some(view) = View::of(batch.state, group, by.user)? else { return Ok(false) };
    let head_seq = view.head_seq;
    let mut done = Deletion::default();
    let mine = batch.state.person_mut(by.user)?.places.entry(group).or_default();
    let up_to_seq = asked.up_to_seq.min(head_seq);
    if up_to_seq > mine.deleted.seq {
        mine.deleted = place(up_to_seq);
        mine.hidden.retain(|seq| *seq > up_to_seq);
        done.up_to_seq = up_to_seq;
    }
    let visible = mine.low_seq()..=head_seq;
    let new = asked.seqs.iter().copied().filter(|seq| visible.contains(seq) && mine.hidden.insert(*seq));
    done.seqs.extend(new);
    if done != Deletion::default() {
        batch.marks_moved(by.user, group);
        refer(batch, by, by.user, group, Reference::Deleted(done.clone()), CommittedWhat::Deleted(done))?;
    }
    Ok(true)
}
