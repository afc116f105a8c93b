//! Rows of conversations' logs: writing them, changing them in place, reading them with their reactions.

use bytes::Bytes;
use hongyan_domain::group::{Event, Mentions};
use hongyan_domain::id::{ClientId, ConversationId, UserId};
use hongyan_domain::message::{Alteration, Draft, Entry, Reaction};
use hongyan_domain::time::UnixMillis;
use rusqlite::{Connection, OptionalExtension, Row, Statement};
use serde::{Deserialize, Serialize};

use super::fault::{Fault, Result};

// Bits of `flags`.
const EDITED: i64 = 1;
const RECALLED: i64 = 2;
pub(super) const SILENT: i64 = 4;
pub(super) const UNCOUNTED: i64 = 8;
const HAS_REACTIONS: i64 = 16;

/// The columns that [`read`] takes, in its order.
pub(super) const COLUMNS: &str = "seq, sender, client_id, time, message_count, seen_seq, changed_seq, change_of, flags, \
     reply_to, expires_at, body_type, text, body, extra";

/// A new row.
pub(super) const INSERT: &str = "INSERT INTO message (conversation, seq, sender, client_id, time, message_count, \
     low_count, seen_seq, changed_seq, change_of, flags, reply_to, expires_at, body_type, text, body, extra) \
     VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, 0, ?9, ?10, ?11, ?12, ?13, ?14, ?15, ?16)";

/// Writes a new row by [`INSERT`]. `low_count` see the schema.
pub(super) fn insert(
    statement: &mut Statement<'_>,
    conversation: ConversationId,
    low_count: u64,
    entry: &Entry,
) -> Result<()> {
    let draft = &entry.draft;
    let flags = if draft.silent { SILENT } else { 0 } | if draft.uncounted { UNCOUNTED } else { 0 };
    statement.execute((
        conversation.0,
        entry.seq,
        entry.sender.0,
        entry.client_id.0,
        entry.time.0,
        entry.message_count,
        low_count,
        entry.seen_seq,
        entry.change_of,
        flags,
        // Chosen by clients: all 64 bits are kept, in SQLite's signed integers.
        draft.reply_to as i64,
        draft.expires_at.0 as i64,
        draft.body_type,
        &draft.text,
        &draft.body[..],
        extra(entry)?,
    ))?;
    Ok(())
}

/// What only entries of groups have, as JSON.
#[derive(Serialize, Deserialize)]
enum Extra {
    Mentions(Box<Mentions>),
    Event(Box<Event>),
}

fn extra(entry: &Entry) -> Result<Option<String>> {
    let extra = match (&entry.event, &entry.draft.mentions) {
        (Some(event), _) => Extra::Event(event.clone()),
        (None, Some(mentions)) => Extra::Mentions(mentions.clone()),
        (None, None) => return Ok(None),
    };
    serde_json::to_string(&extra).map(Some).map_err(|_| Fault::Row("an event that cannot be written"))
}

/// Whether the row is a message that can still be altered.
pub(super) fn can_be_altered(connection: &Connection, conversation: ConversationId, seq: u64) -> Result<bool> {
    let mut statement =
        connection.prepare_cached("SELECT change_of, flags FROM message WHERE conversation = ?1 AND seq = ?2")?;
    let found: Option<(u64, i64)> =
        statement.query_row((conversation.0, storable(seq)), |row| Ok((row.get(0)?, row.get(1)?))).optional()?;
    Ok(found.is_some_and(|(change_of, flags)| change_of == 0 && flags & RECALLED == 0))
}

/// Whether the row of a group is a message that can be pinned; what has happened to the group is none.
pub(super) fn is_pinnable(connection: &Connection, group: ConversationId, seq: u64) -> Result<bool> {
    let found = load(connection, group, seq)?;
    Ok(found.is_some_and(|entry| entry.change_of == 0 && !entry.recalled && entry.event.is_none()))
}

/// Changes a row in place, as the entry `by` of `user` announces.
pub(super) fn alter(
    connection: &Connection,
    conversation: ConversationId,
    target: u64,
    alteration: &Alteration,
    by: u64,
    user: UserId,
) -> Result<()> {
    match alteration {
        Alteration::Recall => recall(connection, conversation, target, by),
        Alteration::Edit { body, text } => {
            let mut statement = connection.prepare_cached(
                "UPDATE message SET body = ?4, text = ?5, flags = flags | 1, changed_seq = ?3 \
                 WHERE conversation = ?1 AND seq = ?2",
            )?;
            statement.execute((conversation.0, target, by, &body[..], text))?;
            Ok(())
        }
        Alteration::React { name, remove } => react(connection, conversation, target, by, user, name, *remove),
    }
}

/// What a reader could see of it goes; that it counted stays.
fn recall(connection: &Connection, conversation: ConversationId, target: u64, by: u64) -> Result<()> {
    let mut statement = connection.prepare_cached(
        "UPDATE message SET body = x'', text = '', body_type = 0, reply_to = 0, expires_at = 0, \
         flags = (flags & 8) | 2, changed_seq = ?3 WHERE conversation = ?1 AND seq = ?2",
    )?;
    statement.execute((conversation.0, target, by))?;
    delete_reactions(connection, conversation, target)
}

/// Reactions of a row that goes.
pub(super) fn delete_reactions(connection: &Connection, conversation: ConversationId, seq: u64) -> Result<()> {
    let mut statement = connection.prepare_cached("DELETE FROM reaction WHERE conversation = ?1 AND seq = ?2")?;
    statement.execute((conversation.0, seq))?;
    Ok(())
}

fn react(
    connection: &Connection,
    conversation: ConversationId,
    target: u64,
    by: u64,
    user: UserId,
    name: &str,
    remove: bool,
) -> Result<()> {
    if remove {
        let mut statement = connection
            .prepare_cached("DELETE FROM reaction WHERE conversation = ?1 AND seq = ?2 AND name = ?3 AND user = ?4")?;
        statement.execute((conversation.0, target, name, user.0))?;
    } else {
        let mut statement = connection.prepare_cached(
            "INSERT INTO reaction (conversation, seq, name, user, given) VALUES (?1, ?2, ?3, ?4, ?5) \
             ON CONFLICT DO NOTHING",
        )?;
        statement.execute((conversation.0, target, name, user.0, by))?;
    }
    let mut statement = connection.prepare_cached(
        "UPDATE message SET flags = flags | 16, changed_seq = ?3 WHERE conversation = ?1 AND seq = ?2",
    )?;
    statement.execute((conversation.0, target, by))?;
    Ok(())
}

/// Reads [`COLUMNS`]; the reactions are yet to be filled in if the second value is true.
fn read(row: &Row<'_>) -> Result<(Entry, bool)> {
    let flags: i64 = row.get(8)?;
    let change_of: u64 = row.get(7)?;
    let recalled = flags & RECALLED != 0;
    let draft = if recalled || change_of != 0 {
        Draft::default()
    } else {
        Draft {
            body_type: row.get(11)?,
            body: Bytes::copy_from_slice(row.get_ref(13)?.as_blob().map_err(rusqlite::Error::from)?),
            text: row.get(12)?,
            reply_to: row.get::<_, i64>(9)? as u64,
            expires_at: UnixMillis(row.get::<_, i64>(10)? as u64),
            silent: flags & SILENT != 0,
            uncounted: flags & UNCOUNTED != 0,
            mentions: None,
        }
    };
    let mut entry = Entry {
        seq: row.get(0)?,
        sender: UserId(row.get(1)?),
        client_id: ClientId(row.get(2)?),
        time: UnixMillis(row.get(3)?),
        message_count: row.get(4)?,
        seen_seq: row.get(5)?,
        changed_seq: row.get(6)?,
        edited: flags & EDITED != 0,
        recalled,
        reactions: Vec::new(),
        change_of,
        event: None,
        draft,
    };
    let extra = row.get_ref(14)?.as_str_or_null().map_err(rusqlite::Error::from)?;
    match extra.map(serde_json::from_str).transpose().map_err(|_| Fault::Row("an event that cannot be read"))? {
        Some(Extra::Event(event)) => entry.event = Some(event),
        Some(Extra::Mentions(mentions)) if !recalled => entry.draft.mentions = Some(mentions),
        Some(Extra::Mentions(_)) | None => {}
    }
    Ok((entry, flags & HAS_REACTIONS != 0))
}

/// Reads a row of [`COLUMNS`] and its reactions.
pub(super) fn from_row(connection: &Connection, conversation: ConversationId, row: &Row<'_>) -> Result<Entry> {
    let (mut entry, has_reactions) = read(row)?;
    if has_reactions {
        entry.reactions = reactions(connection, conversation, entry.seq)?;
    }
    Ok(entry)
}

/// One row, as it is now.
pub(super) fn load(connection: &Connection, conversation: ConversationId, seq: u64) -> Result<Option<Entry>> {
    let mut statement =
        connection.prepare_cached(&format!("SELECT {COLUMNS} FROM message WHERE conversation = ?1 AND seq = ?2"))?;
    let mut rows = statement.query((conversation.0, storable(seq)))?;
    rows.next()?.map(|row| from_row(connection, conversation, row)).transpose()
}

/// In order of giving; names in order of first use.
fn reactions(connection: &Connection, conversation: ConversationId, seq: u64) -> Result<Vec<Reaction>> {
    let mut statement = connection
        .prepare_cached("SELECT name, user FROM reaction WHERE conversation = ?1 AND seq = ?2 ORDER BY given")?;
    let mut rows = statement.query((conversation.0, seq))?;
    let mut reactions: Vec<Reaction> = Vec::new();
    while let Some(row) = rows.next()? {
        let name = row.get_ref(0)?.as_str().map_err(rusqlite::Error::from)?;
        let user = UserId(row.get(1)?);
        match reactions.iter_mut().find(|reaction| reaction.name == name) {
            Some(reaction) => reaction.users.push(user),
            None => reactions.push(Reaction { name: name.to_owned(), users: vec![user] }),
        }
    }
    Ok(reactions)
}

/// Bytes that a row takes in a page.
pub(super) fn size(entry: &Entry) -> usize {
    let reactions =
        entry.reactions.iter().map(|reaction| reaction.name.len() + 8 * reaction.users.len()).sum::<usize>();
    entry.draft.body.len() + entry.draft.text.len() + reactions
}

/// A number from outside as SQLite can compare it; no row has the highest one.
pub(super) fn storable(number: u64) -> i64 {
    i64::try_from(number).unwrap_or(i64::MAX)
}

/// The error of a row that must be there.
pub(super) fn missing() -> Fault {
    Fault::Row("a message that was just changed is missing")
}
