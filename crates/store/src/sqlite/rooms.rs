//! Rooms and their logs: made seldom, said in often, read by page. Nothing here touches rows of users.

use std::sync::Arc;

use bytes::Bytes;
use hongyan_domain::environment::Pending;
use hongyan_domain::id::{AppId, ClientId, ConversationId, UserId};
use hongyan_domain::message::{Draft, Entry};
use hongyan_domain::name::Name;
use hongyan_domain::room::{DisplayName, RoomEntry};
use hongyan_domain::time::UnixMillis;
use rusqlite::{Connection, OptionalExtension, Row};

use super::accounts::name_from_text;
use super::append::{Key, answered, insert_key};
use super::batch::{Batch, Counter};
use super::fault::{Fault, Result};
use super::history::Wanted;
use super::message::{SILENT, UNCOUNTED};
use super::{SqliteStore, shard};
use crate::feed::Said;
use crate::rooms::{Room, RoomPage, Rooms, Say, SayOutcome};
use crate::timeline::{Answer, HistoryQuery};

/// The columns of [`room_from_row`].
const ROOM_COLUMNS: &str = "id, name, created, removed IS NOT NULL, head_seq";

fn room_from_row(row: &Row<'_>) -> Result<Room> {
    Ok(Room {
        id: ConversationId(row.get(0)?),
        name: name_from_text(&row.get::<_, String>(1)?)?,
        created: UnixMillis(row.get(2)?),
        removed: row.get(3)?,
        head_seq: row.get(4)?,
    })
}

fn room(connection: &Connection, app: AppId, name: &Name) -> Result<Option<Room>> {
    let mut statement =
        connection.prepare_cached(&format!("SELECT {ROOM_COLUMNS} FROM room WHERE app = ?1 AND name = ?2"))?;
    let mut rows = statement.query((app.0, name.as_str()))?;
    rows.next()?.map(room_from_row).transpose()
}

fn rooms(connection: &Connection, app: AppId) -> Result<Vec<Room>> {
    let mut statement = connection
        .prepare_cached(&format!("SELECT {ROOM_COLUMNS} FROM room WHERE app = ?1 AND removed IS NULL ORDER BY name"))?;
    let mut rows = statement.query([app.0])?;
    let mut rooms = Vec::new();
    while let Some(row) = rows.next()? {
        rooms.push(room_from_row(row)?);
    }
    Ok(rooms)
}

fn create_room(batch: &mut Batch<'_>, app: AppId, name: &Name, now: UnixMillis) -> Result<Option<Room>> {
    if room(batch.connection, app, name)?.is_some() {
        return Ok(None);
    }
    let id = ConversationId::in_shard(batch.next_counter(Counter::Conversation)?, shard::of_room(app, name));
    batch.connection.prepare_cached("INSERT INTO room (id, app, name, created) VALUES (?1, ?2, ?3, ?4)")?.execute((
        id.0,
        app.0,
        name.as_str(),
        now.0,
    ))?;
    Ok(Some(Room { id, name: name.clone(), created: now, removed: false, head_seq: 0 }))
}

fn remove_room(batch: &Batch<'_>, app: AppId, name: &Name, now: UnixMillis) -> Result<bool> {
    let mut statement = batch
        .connection
        .prepare_cached("UPDATE room SET removed = ?3 WHERE app = ?1 AND name = ?2 AND removed IS NULL")?;
    Ok(statement.execute((app.0, name.as_str(), now.0))? == 1)
}

/// The part of a room's row that every text moves.
struct Head {
    seq: u64,
    message_count: u64,
}

/// `None` if the room was removed or never was.
fn head(connection: &Connection, room: ConversationId) -> Result<Option<Head>> {
    let mut statement =
        connection.prepare_cached("SELECT head_seq, message_count FROM room WHERE id = ?1 AND removed IS NULL")?;
    let head = statement.query_row([room.0], |row| Ok(Head { seq: row.get(0)?, message_count: row.get(1)? }));
    Ok(head.optional()?)
}

fn say(batch: &mut Batch<'_>, say: &Say) -> Result<SayOutcome> {
    let earlier = |batch: &Batch<'_>| -> Result<Option<SayOutcome>> {
        let found = answered(batch.connection, say.room, say.sender, say.client_id)?;
        Ok(found.map(|(digest, answer)| match digest == say.digest {
            true => SayOutcome::Repeated(answer),
            false => SayOutcome::Conflict,
        }))
    };
    if !batch.is_alive(say.session)? {
        return Ok(earlier(batch)?.unwrap_or(SayOutcome::SessionEnded));
    }
    let Some(head) = head(batch.connection, say.room)? else {
        return Ok(earlier(batch)?.unwrap_or(SayOutcome::RoomGone));
    };
    let counted = u64::from(!say.draft.uncounted);
    let message_count = head.message_count + counted;
    let answer = Answer { seq: head.seq + 1, message_count, inbox_seq: 0, time: say.now };
    let key = Key { conversation: say.room, sender: say.sender, client_id: say.client_id, digest: say.digest };
    if !insert_key(batch.statements.insert_key.get()?, &key, &answer)? {
        return Ok(earlier(batch)?.unwrap_or(SayOutcome::Conflict));
    }
    let said = Arc::new(entry(say, &answer));
    insert(batch.connection, say.room, &said)?;
    batch.connection.prepare_cached("UPDATE room SET head_seq = ?2, message_count = ?3 WHERE id = ?1")?.execute((
        say.room.0,
        answer.seq,
        answer.message_count,
    ))?;
    batch.tell_said(Said { room: say.room, name: say.room_name.clone(), said });
    Ok(SayOutcome::Said(answer))
}

fn entry(say: &Say, answer: &Answer) -> RoomEntry {
    let entry = Entry {
        seq: answer.seq,
        sender: say.sender,
        client_id: say.client_id,
        time: answer.time,
        message_count: answer.message_count,
        seen_seq: 0,
        changed_seq: 0,
        edited: false,
        recalled: false,
        reactions: Vec::new(),
        change_of: 0,
        event: None,
        draft: say.draft.clone(),
    };
    RoomEntry { from: say.from.clone(), entry }
}

fn insert(connection: &Connection, room: ConversationId, said: &RoomEntry) -> Result<()> {
    let RoomEntry { from, entry } = said;
    let draft = &entry.draft;
    let flags = if draft.silent { SILENT } else { 0 } | if draft.uncounted { UNCOUNTED } else { 0 };
    let mut statement = connection.prepare_cached(
        "INSERT INTO room_message (room, seq, sender, client_id, name, time, message_count, flags, reply_to, expires_at, \
         body) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11)",
    )?;
    statement.execute((
        room.0,
        entry.seq,
        entry.sender.0,
        entry.client_id.0,
        from.as_str(),
        entry.time.0,
        entry.message_count,
        flags,
        draft.reply_to as i64,
        draft.expires_at.0 as i64,
        &draft.body[..],
    ))?;
    Ok(())
}

/// Reads the columns that [`page`] asks for.
fn entry_from_row(row: &Row<'_>) -> Result<RoomEntry> {
    let flags: i64 = row.get(6)?;
    let draft = Draft {
        reply_to: row.get::<_, i64>(7)? as u64,
        expires_at: UnixMillis(row.get::<_, i64>(8)? as u64),
        body: Bytes::copy_from_slice(row.get_ref(9)?.as_blob().map_err(rusqlite::Error::from)?),
        silent: flags & SILENT != 0,
        uncounted: flags & UNCOUNTED != 0,
        mentions: None,
        ..Draft::default()
    };
    let entry = Entry {
        seq: row.get(0)?,
        sender: UserId(row.get(1)?),
        client_id: ClientId(row.get(2)?),
        time: UnixMillis(row.get(4)?),
        message_count: row.get(5)?,
        seen_seq: 0,
        changed_seq: 0,
        edited: false,
        recalled: false,
        reactions: Vec::new(),
        change_of: 0,
        event: None,
        draft,
    };
    let from = DisplayName::stored(row.get_ref(3)?.as_str().map_err(rusqlite::Error::from)?);
    Ok(RoomEntry { from, entry })
}

fn page(connection: &Connection, room: ConversationId, query: &HistoryQuery) -> Result<RoomPage> {
    let mut ends = connection.prepare_cached("SELECT head_seq, low_seq FROM room WHERE id = ?1")?;
    let ends = ends.query_row([room.0], |row| Ok((row.get(0)?, row.get(1)?))).optional()?;
    let (head_seq, low_seq) = ends.ok_or(Fault::Row("no such room"))?;
    let mut page = RoomPage { head_seq, low_seq, ..RoomPage::default() };
    let wanted = Wanted::of(query, head_seq);
    if wanted.is_empty() || query.limit == 0 {
        return Ok(page);
    }
    let order = if wanted.backwards { "DESC" } else { "ASC" };
    let mut statement = connection.prepare_cached(&format!(
        "SELECT seq, sender, client_id, name, time, message_count, flags, reply_to, expires_at, body FROM room_message \
         WHERE room = ?1 AND seq BETWEEN ?2 AND ?3 ORDER BY seq {order}"
    ))?;
    let mut rows = statement.query((room.0, wanted.from.max(low_seq), wanted.to))?;
    let (mut bytes, mut stopped) = (0, None);
    while let Some(row) = rows.next()? {
        let entry = entry_from_row(row)?;
        bytes += entry.entry.draft.body.len() + entry.from.as_str().len();
        let full = page.entries.len() >= query.limit as usize || bytes > query.bytes_max;
        if let (true, Some(last)) = (full, page.entries.last()) {
            stopped = Some(last.entry.seq);
            break;
        }
        page.entries.push(entry);
    }
    page.covered = Some(wanted.covered(stopped));
    if wanted.backwards {
        page.entries.reverse();
    }
    Ok(page)
}

impl Rooms for SqliteStore {
    fn create_room(&self, app: AppId, name: Name, now: UnixMillis) -> Pending<'_, crate::Result<Option<Room>>> {
        self.write(move |batch| create_room(batch, app, &name, now))
    }

    fn remove_room(&self, app: AppId, name: Name, now: UnixMillis) -> Pending<'_, crate::Result<bool>> {
        self.write(move |batch| remove_room(batch, app, &name, now))
    }

    fn room(&self, app: AppId, name: Name) -> Pending<'_, crate::Result<Option<Room>>> {
        self.read(move |connection| room(connection, app, &name))
    }

    fn rooms(&self, app: AppId) -> Pending<'_, crate::Result<Vec<Room>>> {
        self.read(move |connection| rooms(connection, app))
    }

    fn say(&self, says: Vec<Say>) -> Pending<'_, crate::Result<Vec<SayOutcome>>> {
        let Some(first) = says.first() else { return Box::pin(std::future::ready(Ok(Vec::new()))) };
        let (app, items) = (first.app, says.len());
        self.write_items(app, items, false, move |batch| says.iter().map(|item| say(batch, item)).collect())
    }

    fn room_history(&self, room: ConversationId, query: HistoryQuery) -> Pending<'_, crate::Result<RoomPage>> {
        self.read(move |connection| page(connection, room, &query))
    }
}
