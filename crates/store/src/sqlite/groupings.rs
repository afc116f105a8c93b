//! Groupings' rows: one document for each user.

use hongyan_domain::grouping::Groupings;
use hongyan_domain::id::{AppId, SessionId, UserId};
use rusqlite::{Connection, OptionalExtension};

use super::batch::{Batch, Counter};
use super::fault::{Fault, Result};
use super::relations;

/// A user's groupings; empty before the first change.
pub(super) fn load(connection: &Connection, user: UserId) -> Result<Groupings> {
    let mut statement = connection.prepare_cached("SELECT version, last_id, list FROM groupings WHERE user = ?1")?;
    let found = statement.query_row([user.0], |row| Ok((row.get(0)?, row.get(1)?, row.get::<_, String>(2)?)));
    let Some((version, last_id, list)) = found.optional()? else { return Ok(Groupings::default()) };
    let list = serde_json::from_str(&list).map_err(|_| Fault::Row("groupings that cannot be read"))?;
    Ok(Groupings { version, last_id, list })
}

/// Replaces them if they are still of the version that the new ones have; the version after that.
pub(super) fn set(
    batch: &mut Batch<'_>,
    app: AppId,
    session: SessionId,
    user: UserId,
    groupings: &Groupings,
) -> Result<Option<u64>> {
    if load(batch.connection, user)?.version != groupings.version {
        return Ok(None);
    }
    let version = batch.next_counter(Counter::People)?;
    let list = serde_json::to_string(&groupings.list).map_err(|_| Fault::Row("groupings that cannot be written"))?;
    let mut statement = batch.connection.prepare_cached(
        "INSERT INTO groupings (user, version, last_id, list) VALUES (?1, ?2, ?3, ?4) \
         ON CONFLICT DO UPDATE SET version = ?2, last_id = ?3, list = ?4",
    )?;
    statement.execute((user.0, version, groupings.last_id, list))?;
    relations::tell_lists(batch, app, session, user, version as u64)?;
    Ok(Some(version as u64))
}
