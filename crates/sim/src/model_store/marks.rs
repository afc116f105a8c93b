//! What a user does to their own view of a conversation: read marks, deletions, blocks.

use hongyan_domain::id::{AppId, UserId};
use hongyan_store::Result;
use hongyan_store::feed::{Committed, CommittedWhat};
use hongyan_store::timeline::{About, Delete, Deletion, MarkRead, Marked};

use super::state::{Batch, Reference, State};

/// Moves a read mark upwards.
pub(super) fn mark_read(batch: &mut Batch<'_>, mark: &MarkRead) -> Result<Marked> {
    let user = mark.target.user;
    let log = batch.state.conversation(mark.conversation)?;
    let position = if mark.position.seq >= log.head_seq { log.head(user) } else { mark.position };
    let mut place = batch.state.person(user)?.places.get(&mark.conversation).cloned().unwrap_or_default();
    let head_seq = log.head_seq;
    if !place.mark_moves(position.seq) {
        let inbox_head = batch.state.person(user)?.inbox.head;
        let (read_seq, unread) = (place.read.seq, log.unread(user, &place));
        return Ok(Marked { read_seq, unread, head_seq, inbox_head, inbox_seq: None });
    }
    place.read = position;
    let unread = log.unread(user, &place);
    batch.state.person_mut(user)?.places.insert(mark.conversation, place);
    let inbox_seq = batch.refer(user, mark.conversation, Reference::Read { seq: position.seq, unread })?;
    batch.tell(Committed {
        app: mark.app,
        user,
        inbox_seq,
        conversation: mark.conversation,
        about: About::Person(mark.target.about.clone()),
        origin: mark.session,
        what: CommittedWhat::Read { seq: position.seq, unread },
    });
    Ok(Marked { read_seq: position.seq, unread, head_seq, inbox_head: inbox_seq, inbox_seq: Some(inbox_seq) })
}

/// Hides rows from one user. What is hidden already is not announced again.
pub(super) fn delete(batch: &mut Batch<'_>, delete: &Delete) -> Result<()> {
    let user = delete.target.user;
    let deletion = hide(batch.state, delete)?;
    if deletion == Deletion::default() {
        return Ok(());
    }
    let inbox_seq = batch.refer(user, delete.conversation, Reference::Deleted(deletion.clone()))?;
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
fn hide(state: &mut State, delete: &Delete) -> Result<Deletion> {
    let (user, asked) = (delete.target.user, &delete.deletion);
    let log = state.conversation(delete.conversation)?;
    let head_seq = log.head_seq;
    let up_to = log.position(user, asked.up_to_seq);
    let place = state.person_mut(user)?.places.entry(delete.conversation).or_default();
    let mut done = Deletion::default();
    if up_to.seq > place.deleted.seq {
        place.deleted = up_to;
        place.hidden.retain(|seq| *seq > up_to.seq);
        done.up_to_seq = up_to.seq;
    }
    let visible = place.low_seq()..=head_seq;
    let new = asked.seqs.iter().copied().filter(|seq| visible.contains(seq) && place.hidden.insert(*seq));
    done.seqs.extend(new);
    Ok(done)
}

/// Blocks or unblocks; nobody blocks themselves.
pub(super) fn set_blocked(state: &mut State, app: AppId, user: UserId, other: UserId, blocked: bool) -> Result<()> {
    if user == other {
        return Ok(());
    }
    let conversation = state.direct_or_new(app, user, other);
    state.conversation_mut(conversation)?.set_blocked_by(user, blocked);
    Ok(())
}
