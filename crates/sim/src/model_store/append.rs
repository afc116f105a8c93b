//! Appends to conversations: de-duplicate, recheck, number, write, refer (design §5).

use std::collections::BTreeSet;
use std::sync::Arc;

use hongyan_domain::id::{ConversationId, SessionId, UserId};
use hongyan_domain::message::{Draft, Entry};
use hongyan_fault::mutant;
use hongyan_store::Result;
use hongyan_store::feed::{Committed, CommittedWhat};
use hongyan_store::timeline::{About, Answer, Append, Outcome, What};

use super::state::{Batch, Reference, State};

/// Conversations, by session and both users, of which one item of the call was stale already.
type Stale = BTreeSet<(SessionId, UserId, UserId)>;

/// Appends the entries of one call, in order.
pub(super) fn append_all(batch: &mut Batch<'_>, appends: &[Append]) -> Result<Vec<Outcome>> {
    // A call fails as a whole, so what can fail comes first.
    for target in appends.iter().flat_map(|append| &append.targets) {
        batch.state.person(target.user)?;
    }
    let mut stale = Stale::new();
    appends.iter().map(|append| append_one(batch, append, &mut stale)).collect()
}

fn append_one(batch: &mut Batch<'_>, append: &Append, stale: &mut Stale) -> Result<Outcome> {
    let found = batch.state.direct(append.app, append.sender, append.other);
    let Some(refused) = refuse(batch.state, append, found, stale)? else {
        let conversation = batch.state.direct_or_new(append.app, append.sender, append.other);
        return write(batch, append, conversation).map(Outcome::Appended);
    };
    if refused == Outcome::Stale {
        stale.insert(place_in_call(append));
    }
    if let (true, Some(conversation)) = (mutant!("number from a cache"), found) {
        // The number was drawn before anybody looked whether the entry gets in.
        batch.state.conversation_mut(conversation)?.head_seq += 1;
    }
    Ok(refused)
}

fn place_in_call(append: &Append) -> (SessionId, UserId, UserId) {
    (append.session, append.sender.min(append.other), append.sender.max(append.other))
}

/// Why the entry does not get in: its key is taken, or what the decision rested on holds no more.
fn refuse(state: &State, append: &Append, found: Option<ConversationId>, stale: &Stale) -> Result<Option<Outcome>> {
    let conversation = match found {
        Some(found) => Some(state.conversation(found)?),
        None => None,
    };
    let key = conversation.and_then(|found| found.keys.get(&(append.sender, append.client_id)));
    if let (Some((digest, answer)), false) = (key, mutant!("no deduplication")) {
        let same = *digest == append.digest;
        return Ok(Some(if same { Outcome::Duplicate(*answer) } else { Outcome::Conflict }));
    }
    if !state.may_write(append.session) {
        return Ok(Some(Outcome::SessionEnded));
    }
    let version = conversation.map_or(0, |found| found.access_version) + state.meeting(append.sender, append.other).1;
    let moved = version != append.access_version || (!stale.is_empty() && stale.contains(&place_in_call(append)));
    if moved {
        return Ok(Some(Outcome::Stale));
    }
    let What::Alter { target, .. } = &append.what else { return Ok(None) };
    let alterable = conversation.is_some_and(|found| found.can_be_altered(*target));
    Ok((!alterable).then_some(Outcome::TargetGone))
}

/// Writes the entry, what it changes, its key, and the references to it.
fn write(batch: &mut Batch<'_>, append: &Append, id: ConversationId) -> Result<Answer> {
    let inbox_seq = match append.targets.first() {
        Some(first) => batch.state.person(first.user)?.inbox.head + 1,
        None => 0,
    };
    let seen_seq = move_mark(batch.state, append.sender, id, append.seen_seq)?;
    let log = batch.state.conversation_mut(id)?;
    let counted = u64::from(matches!(&append.what, What::Message(draft) if !draft.uncounted));
    log.head_seq += 1;
    log.message_count += counted;
    log.low_count += if append.sender == log.low { counted } else { 0 };
    let answer = Answer { seq: log.head_seq, message_count: log.message_count, inbox_seq, time: append.now };
    log.keys.insert((append.sender, append.client_id), (append.digest, answer));
    let (change_of, draft, target) = match &append.what {
        What::Message(draft) => (0, draft.clone(), None),
        What::Alter { target, alteration } => {
            (*target, Draft::default(), log.alter(*target, alteration, answer.seq, append.sender))
        }
    };
    let entry = Arc::new(Entry {
        seq: answer.seq,
        sender: append.sender,
        client_id: append.client_id,
        time: append.now,
        message_count: answer.message_count,
        seen_seq,
        changed_seq: 0,
        edited: false,
        recalled: false,
        reactions: Vec::new(),
        change_of,
        event: None,
        draft,
    });
    log.push(Arc::clone(&entry));
    refer(batch, append, id, &entry, target.as_ref())?;
    Ok(answer)
}

/// Moves the sender's read mark with the entry; where to, 0 = not at all.
fn move_mark(state: &mut State, user: UserId, id: ConversationId, seen_seq: u64) -> Result<u64> {
    if seen_seq == 0 {
        return Ok(0);
    }
    let log = state.conversation(id)?;
    let seen = log.position(user, seen_seq);
    let Some(person) = state.people.get_mut(&user) else { return Ok(0) };
    let place = person.places.entry(id).or_default();
    if seen.seq == 0 || !place.mark_moves(seen.seq) {
        return Ok(0);
    }
    place.read = seen;
    Ok(seen.seq)
}

fn refer(
    batch: &mut Batch<'_>,
    append: &Append,
    conversation: ConversationId,
    entry: &Arc<Entry>,
    target: Option<&Arc<Entry>>,
) -> Result<()> {
    for reader in &append.targets {
        let inbox_seq = batch.refer(reader.user, conversation, Reference::Entry(entry.seq))?;
        let what = told(batch.state, reader.user, conversation, entry, target);
        batch.tell(Committed {
            app: append.app,
            user: reader.user,
            inbox_seq,
            conversation,
            about: About::Person(reader.about.clone()),
            origin: append.session,
            what,
        });
    }
    Ok(())
}

/// What a reader is told, which is what a page of their inbox would tell.
fn told(
    state: &State,
    reader: UserId,
    conversation: ConversationId,
    entry: &Arc<Entry>,
    target: Option<&Arc<Entry>>,
) -> CommittedWhat {
    let place = state.place(reader, conversation);
    let hides = |target: &Arc<Entry>| place.is_some_and(|place| !place.shows(target.seq));
    if target.is_some_and(hides) && !mutant!("hidden messages change visibly") {
        return CommittedWhat::Gone { seq: entry.seq, read_seq: place.map_or(0, |place| place.read.seq) };
    }
    CommittedWhat::Entry { entry: Arc::clone(entry), target: target.cloned() }
}
