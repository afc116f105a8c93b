//! Removes what was said in rooms and has had its time, as [`super::retention`] does in other conversations; of removed
//! rooms, everything.

use hongyan_domain::id::{AppId, ConversationId};
use hongyan_domain::time::UnixMillis;
use rusqlite::Connection;

use super::SqliteStore;
use super::accounts;
use super::batch::Batch;
use super::fault::Result;
use super::retention::{STEP_ROWS, days_before};

/// Later than everything, in SQLite's integers.
const END_OF_TIME: UnixMillis = UnixMillis(i64::MAX as u64);

impl SqliteStore {
    /// Removes what is too old at `now`; how many rows.
    pub(super) async fn remove_room_messages(&self, now: UnixMillis) -> crate::Result<u64> {
        let mut removed = 0;
        for app in self.read(accounts::apps).await? {
            let days = app.settings.retention_days;
            let before = (days > 0).then(|| days_before(now, days));
            for (room, is_removed) in self.read(move |connection| rooms(connection, app.id)).await? {
                let Some(before) = (if is_removed { Some(END_OF_TIME) } else { before }) else { continue };
                removed += self.repeat(move |batch| trim(batch, room, before)).await?;
            }
        }
        Ok(removed)
    }
}

/// The rooms of an app that have a log, and whether they were removed.
fn rooms(connection: &Connection, app: AppId) -> Result<Vec<(ConversationId, bool)>> {
    let mut statement =
        connection.prepare_cached("SELECT id, removed IS NOT NULL FROM room WHERE app = ?1 AND head_seq >= low_seq")?;
    let mut rows = statement.query([app.0])?;
    let mut rooms = Vec::new();
    while let Some(row) = rows.next()? {
        rooms.push((ConversationId(row.get(0)?), row.get(1)?));
    }
    Ok(rooms)
}

/// Removes rows from the low end while they are too old.
fn trim(batch: &mut Batch<'_>, room: ConversationId, before: UnixMillis) -> Result<usize> {
    let connection = batch.connection;
    let mut oldest =
        connection.prepare_cached("SELECT seq, time FROM room_message WHERE room = ?1 ORDER BY seq LIMIT ?2")?;
    let mut rows = oldest.query((room.0, STEP_ROWS))?;
    let mut last: Option<u64> = None;
    while let Some(row) = rows.next()? {
        if row.get::<_, u64>(1)? >= before.0 {
            break;
        }
        last = Some(row.get(0)?);
    }
    let Some(last) = last else { return Ok(0) };
    let mut delete = connection.prepare_cached("DELETE FROM room_message WHERE room = ?1 AND seq <= ?2")?;
    let removed = delete.execute((room.0, last))?;
    connection.prepare_cached("UPDATE room SET low_seq = ?2 WHERE id = ?1")?.execute((room.0, last + 1))?;
    Ok(removed)
}
