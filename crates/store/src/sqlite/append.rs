//! Appends to conversations: de-duplicate, recheck, number, write, refer (design §5). Runs inside the writer's
//! transaction.

use std::collections::BTreeSet;
use std::sync::Arc;

use hongyan_domain::id::{ClientId, ConversationId, SessionId, UserId};
use hongyan_domain::message::{Draft, Entry};
use hongyan_domain::time::UnixMillis;
use hongyan_fault::kill_point;
use rusqlite::{Connection, OptionalExtension, Statement};

use super::batch::{Batch, Reference};
use super::fault::Result;
use super::heads::in_order;
use super::{direct, marks, message};
use crate::feed::{Committed, CommittedWhat};
use crate::timeline::{About, Answer, Append, Outcome, What};

/// Conversations of which one item of the call was stale already.
type Stale = BTreeSet<(SessionId, UserId, UserId)>;

/// Appends the entries of one call, in order.
pub(super) fn append_all(batch: &mut Batch<'_>, appends: &[Append]) -> Result<Vec<Outcome>> {
    let mut stale = Stale::new();
    appends.iter().map(|append| append_one(batch, append, &mut stale)).collect()
}

fn append_one(batch: &mut Batch<'_>, append: &Append, stale: &mut Stale) -> Result<Outcome> {
    let found = batch.direct(append.app, append.sender, append.other)?;
    if let Some(refused) = recheck(batch, append, found, stale)? {
        // Who got in gets the same answer again, whatever their rights are now.
        let earlier = match found {
            Some(conversation) => earlier(batch.connection, conversation, append)?,
            None => None,
        };
        let outcome = earlier.unwrap_or(refused);
        if outcome == Outcome::Stale {
            stale.insert(place_in_call(append));
        }
        return Ok(outcome);
    }
    let conversation = match found {
        Some(conversation) => conversation,
        None => batch.create_direct(append.app, append.sender, append.other)?,
    };
    let numbers = Numbers::next(batch, append, conversation)?;
    let Append { sender, client_id, digest, .. } = *append;
    let key = Key { conversation, sender, client_id, digest };
    if !insert_key(batch.statements.insert_key.get()?, &key, &numbers.answer)? {
        return Ok(earlier(batch.connection, conversation, append)?.unwrap_or(Outcome::Conflict));
    }
    kill_point!("K3");
    write(batch, append, conversation, &numbers)?;
    Ok(Outcome::Appended(numbers.answer))
}

fn place_in_call(append: &Append) -> (SessionId, UserId, UserId) {
    let (low, high) = in_order(append.sender, append.other);
    (append.session, low, high)
}

/// What the decision rested on, read again under the lock of the writer.
fn recheck(
    batch: &mut Batch<'_>,
    append: &Append,
    found: Option<ConversationId>,
    stale: &Stale,
) -> Result<Option<Outcome>> {
    if !batch.is_alive(append.session)? {
        return Ok(Some(Outcome::SessionEnded));
    }
    let connection = batch.connection;
    let access_version = match found {
        Some(conversation) => direct::access_version(connection, batch.conversation(conversation)?)?,
        None => direct::meeting(connection, append.sender, append.other)?.1,
    };
    if access_version != append.access_version || stale.contains(&place_in_call(append)) {
        return Ok(Some(Outcome::Stale));
    }
    let What::Alter { target, .. } = &append.what else { return Ok(None) };
    let alterable = match found {
        Some(conversation) => message::can_be_altered(batch.connection, conversation, *target)?,
        None => false,
    };
    Ok((!alterable).then_some(Outcome::TargetGone))
}

/// The numbers of an entry, before anything of it is written.
struct Numbers {
    answer: Answer,
    low_count: u64,
}

impl Numbers {
    fn next(batch: &mut Batch<'_>, append: &Append, conversation: ConversationId) -> Result<Self> {
        let inbox_seq = match append.targets.first() {
            Some(target) => batch.inbox(target.user)?.head + 1,
            None => 0,
        };
        let head = batch.conversation(conversation)?;
        let counted = u64::from(matches!(&append.what, What::Message(draft) if !draft.uncounted));
        let low_counted = if append.sender == head.low { counted } else { 0 };
        let answer =
            Answer { seq: head.head_seq + 1, message_count: head.message_count + counted, inbox_seq, time: append.now };
        Ok(Self { answer, low_count: head.low_count + low_counted })
    }
}

/// Takes a key, unless it is taken.
pub(super) const INSERT_KEY: &str = "INSERT INTO message_key (conversation, sender, client_id, digest, seq, \
     message_count, inbox_seq, time) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8) ON CONFLICT DO NOTHING";

/// A key of de-duplication, and the digest of the request that takes it.
pub(super) struct Key {
    pub(super) conversation: ConversationId,
    pub(super) sender: UserId,
    pub(super) client_id: ClientId,
    pub(super) digest: u64,
}

/// Takes the key by [`INSERT_KEY`]; false if it was taken already.
pub(super) fn insert_key(statement: &mut Statement<'_>, key: &Key, answer: &Answer) -> Result<bool> {
    let inserted = statement.execute((
        key.conversation.0,
        key.sender.0,
        key.client_id.0,
        // All 64 bits mean something; SQLite's integers are signed.
        key.digest as i64,
        answer.seq,
        answer.message_count,
        answer.inbox_seq,
        answer.time.0,
    ))?;
    Ok(inserted == 1)
}

fn earlier(connection: &Connection, conversation: ConversationId, append: &Append) -> Result<Option<Outcome>> {
    let found = answered(connection, conversation, append.sender, append.client_id)?;
    Ok(found.map(
        |(digest, answer)| {
            if digest == append.digest { Outcome::Duplicate(answer) } else { Outcome::Conflict }
        },
    ))
}

/// The durable answer to a key and its digest.
pub(super) fn answered(
    connection: &Connection,
    conversation: ConversationId,
    sender: UserId,
    client_id: ClientId,
) -> Result<Option<(u64, Answer)>> {
    let mut statement = connection.prepare_cached(
        "SELECT digest, seq, message_count, inbox_seq, time FROM message_key \
         WHERE conversation = ?1 AND sender = ?2 AND client_id = ?3",
    )?;
    let found = statement.query_row((conversation.0, sender.0, client_id.0), |row| {
        let answer = Answer {
            seq: row.get(1)?,
            message_count: row.get(2)?,
            inbox_seq: row.get(3)?,
            time: UnixMillis(row.get(4)?),
        };
        Ok((row.get::<_, i64>(0)? as u64, answer))
    });
    Ok(found.optional()?)
}

/// Writes the entry, what it changes, and the references to it.
fn write(batch: &mut Batch<'_>, append: &Append, conversation: ConversationId, numbers: &Numbers) -> Result<()> {
    let answer = &numbers.answer;
    let seen_seq = move_mark(batch, append.sender, conversation, append.seen_seq)?;
    let head = batch.conversation_mut(conversation)?;
    head.head_seq = answer.seq;
    head.message_count = answer.message_count;
    head.low_count = numbers.low_count;
    let (change_of, draft) = match &append.what {
        What::Message(draft) => (0, draft.clone()),
        What::Alter { target, alteration } => {
            message::alter(batch.connection, conversation, *target, alteration, answer.seq, append.sender)?;
            (*target, Draft::default())
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
    message::insert(batch.statements.insert_message.get()?, conversation, numbers.low_count, &entry)?;
    let target = match change_of {
        0 => None,
        seq => Some(Arc::new(message::load(batch.connection, conversation, seq)?.ok_or_else(message::missing)?)),
    };
    refer(batch, append, conversation, &entry, target.as_ref())
}

/// Moves the sender's read mark with the entry; where to, 0 = not at all.
fn move_mark(batch: &mut Batch<'_>, user: UserId, conversation: ConversationId, seen_seq: u64) -> Result<u64> {
    if seen_seq == 0 {
        return Ok(0);
    }
    let read = batch.place(user, conversation)?.read;
    let connection = batch.connection;
    let head = batch.conversation(conversation)?;
    let seen_seq = seen_seq.min(head.head_seq);
    if seen_seq <= read.seq {
        return Ok(0);
    }
    let position = head.position(connection, user, seen_seq)?;
    batch.place_mut(user, conversation)?.read = position;
    Ok(seen_seq)
}

fn refer(
    batch: &mut Batch<'_>,
    append: &Append,
    conversation: ConversationId,
    entry: &Arc<Entry>,
    target: Option<&Arc<Entry>>,
) -> Result<()> {
    for reader in &append.targets {
        let inbox_seq = batch.refer(reader.user, conversation, Some(append.now), &Reference::Entry(entry.seq))?;
        let what = told(batch, reader.user, conversation, entry, target)?;
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
    batch: &mut Batch<'_>,
    reader: UserId,
    conversation: ConversationId,
    entry: &Arc<Entry>,
    target: Option<&Arc<Entry>>,
) -> Result<CommittedWhat> {
    if let Some(target) = target {
        let mine = *batch.place(reader, conversation)?;
        let low_seq = batch.conversation(conversation)?.low_seq_of(&mine);
        if target.seq < low_seq || marks::is_hidden(batch.connection, reader, conversation, target.seq)? {
            return Ok(CommittedWhat::Gone { seq: entry.seq, read_seq: mine.read.seq });
        }
    }
    Ok(CommittedWhat::Entry { entry: Arc::clone(entry), target: target.cloned() })
}
