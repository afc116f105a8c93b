//! The first screen: a user's conversations by activity.

use hongyan_domain::id::{ConversationId, UserId};
use hongyan_domain::message::Entry;
use hongyan_store::Result;
use hongyan_store::timeline::{ConversationLine, ConversationPage, Marks};

use super::conversation::{Conversation, Row};
use super::state::{Place, State};

/// Rows from the head downwards among which the newest visible message is looked for.
const LAST_SCANNED_MAX: usize = 200;

/// A page of lines, newest activity first.
pub(super) fn page(state: &State, user: UserId, before: u64, limit: u32) -> Result<ConversationPage> {
    let person = state.person(user)?;
    let before = if before == 0 { u64::MAX } else { before };
    let active = person.places.iter().filter(|(_, mine)| mine.activity > 0 && mine.activity < before);
    let mut active: Vec<_> = active.collect();
    active.sort_unstable_by_key(|(_, mine)| std::cmp::Reverse(mine.activity));
    let more = active.len() > limit as usize;
    let lines = active.into_iter().take(limit as usize).map(|(id, mine)| line(state, user, *id, mine));
    Ok(ConversationPage { lines: lines.collect::<Result<_>>()?, more, inbox_head: person.inbox.head })
}

fn line(state: &State, user: UserId, id: ConversationId, mine: &Place) -> Result<ConversationLine> {
    let log = state.conversation(id)?;
    if !log.has(user) {
        return adopted(state, log, id, user, mine.activity);
    }
    let other = log.other(user);
    let visitor = state.person(other)?.visitor.clone().filter(|_| other != user);
    let peer = marks(state, id, other);
    Ok(ConversationLine {
        conversation: id,
        other,
        activity: mine.activity,
        head_seq: log.head_seq,
        low_seq: mine.low_seq(),
        unread: log.unread(user, mine),
        read_seq: mine.read.seq,
        peer_delivered_seq: peer.delivered_seq,
        peer_read_seq: peer.read_seq,
        last: last(log, mine),
        blocked: log.is_blocked_by(user),
        visitor,
        as_visitor: None,
    })
}

/// The line of a conversation that the user had as a visitor: as the visitor sees it, and read to its end.
fn adopted(
    state: &State,
    log: &Conversation,
    id: ConversationId,
    user: UserId,
    activity: u64,
) -> Result<ConversationLine> {
    let (visitor, untouched) = (state.seat(log, user)?, Place::default());
    let line = line(state, visitor, id, state.place(visitor, id).unwrap_or(&untouched))?;
    Ok(ConversationLine { activity, unread: 0, read_seq: log.head_seq, as_visitor: Some(visitor), ..line })
}

/// The newest message that the user has not hidden; a recalled one is still a line.
fn last(log: &Conversation, mine: &Place) -> Option<Entry> {
    let newest = log.rows(mine.low_seq(), log.head_seq).iter().rev().take(LAST_SCANNED_MAX);
    let shown = |row: &&Row| row.entry.change_of == 0 && mine.shows(row.seq());
    newest.filter(shown).map(|row| (*row.entry).clone()).next()
}

/// How far a person is.
pub(super) fn marks(state: &State, id: ConversationId, user: UserId) -> Marks {
    let mine = state.place(user, id);
    mine.map_or_else(Marks::default, |mine| Marks { delivered_seq: mine.delivered_seq, read_seq: mine.read.seq })
}
