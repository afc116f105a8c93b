//! Pages of an inbox, each row with what it refers to as it is now, but a read mark as it was when it moved.

use hongyan_domain::id::{ConversationId, UserId};
use hongyan_fault::mutant;
use hongyan_store::Result;
use hongyan_store::timeline::{About, InboxEntry, InboxPage, InboxWhat};

use super::conversation::{Conversation, Row};
use super::state::{Place, Reference, State};

/// Bytes that a row takes beside its body.
const ROW_BYTES: usize = 64;

/// The page after a cursor. Nothing if the cursor is below what is kept.
pub(super) fn page(state: &State, user: UserId, cursor: u64, limit: u32, bytes_max: usize) -> Result<InboxPage> {
    let inbox = &state.person(user)?.inbox;
    let mut page = InboxPage { entries: Vec::new(), head: inbox.head, low: inbox.low, log_epoch: state.log_epoch };
    if cursor.saturating_add(1) < inbox.low || cursor >= inbox.head {
        return Ok(page);
    }
    let first = cursor + 1;
    let mut bytes = 0;
    let rows = inbox.rows.iter().skip((first - inbox.low) as usize).take(limit as usize);
    for (inbox_seq, (conversation, reference)) in (first..).zip(rows) {
        let entry = entry(state, user, inbox_seq, *conversation, reference)?;
        bytes += ROW_BYTES + size(&entry.what);
        if bytes > bytes_max && !page.entries.is_empty() {
            break;
        }
        page.entries.push(entry);
    }
    if mutant!("inbox skips a row") && page.entries.len() > 2 {
        page.entries.remove(1);
    }
    Ok(page)
}

fn size(what: &InboxWhat) -> usize {
    match what {
        InboxWhat::Entry(entry, target) => Row::size(entry) + target.as_ref().map_or(0, Row::size),
        InboxWhat::Deleted(deletion) => 8 * deletion.seqs.len(),
        InboxWhat::Read { .. }
        | InboxWhat::Claimed { .. }
        | InboxWhat::Membership { .. }
        | InboxWhat::Mentioned { .. }
        | InboxWhat::Gone { .. } => 0,
    }
}

fn entry(
    state: &State,
    user: UserId,
    inbox_seq: u64,
    conversation: ConversationId,
    reference: &Reference,
) -> Result<InboxEntry> {
    let untouched = Place::default();
    let mine = state.place(user, conversation).unwrap_or(&untouched);
    let what = match reference {
        Reference::Entry(seq) => row(state.conversation(conversation)?, mine, *seq)
            .unwrap_or(InboxWhat::Gone { seq: *seq, read_seq: mine.read.seq }),
        Reference::Read { seq, unread } => InboxWhat::Read { seq: *seq, unread: *unread },
        Reference::Deleted(deletion) => InboxWhat::Deleted(deletion.clone()),
        Reference::Claimed { visitor, account } => InboxWhat::Claimed { visitor: *visitor, account: *account },
        Reference::Membership(member) => InboxWhat::Membership { member: *member },
        Reference::Mentioned(seq) => InboxWhat::Mentioned { seq: *seq },
    };
    let about = match state.groups.get(&conversation) {
        Some(group) => About::Group(group.name.clone()),
        None => {
            let log = state.conversation(conversation)?;
            About::Person(log.other(state.seat(log, user)?))
        }
    };
    Ok(InboxEntry { inbox_seq, conversation, about, what })
}

/// A row of the log and, if it announces a change, the changed row; `None` if the reader may not see the message. Who hides
/// the number of an announcement hides no message.
fn row(log: &Conversation, mine: &Place, seq: u64) -> Option<InboxWhat> {
    let entry = (*log.row(seq)?.entry).clone();
    let message = if entry.change_of == 0 { seq } else { entry.change_of };
    if !mine.shows(message) {
        return None;
    }
    let target = if entry.change_of == 0 { None } else { Some((*log.row(message)?.entry).clone()) };
    Some(InboxWhat::Entry(entry, target))
}
