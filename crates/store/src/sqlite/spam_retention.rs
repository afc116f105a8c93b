//! Removes audits, and messages that waited for a review or still do, when they have had their time (the app's
//! `spam.audit_days`), as [`super::retention`] does with messages.

use hongyan_domain::id::AppId;
use hongyan_domain::time::UnixMillis;
use rusqlite::{Connection, OptionalExtension};

use super::SqliteStore;
use super::accounts;
use super::batch::Batch;
use super::fault::Result;
use super::retention::{STEP_ROWS, days_before};
use crate::spam::AUDITS_PER_APP_MAX;

impl SqliteStore {
    /// Removes what is too old at `now`, and audits that are too many; how many rows.
    pub(super) async fn remove_spam(&self, now: UnixMillis) -> crate::Result<u64> {
        let mut removed = 0;
        for app in self.read(accounts::apps).await? {
            let before = days_before(now, app.settings.spam.audit_days);
            if let Some(last) = self.read(move |connection| last_old_audit(connection, app.id, before)).await? {
                removed += self.repeat(move |batch| remove_audits(batch, app.id, last)).await?;
            }
            removed += self.repeat(move |batch| remove_held(batch, app.id, before)).await?;
        }
        Ok(removed)
    }
}

/// The number up to which audits go. Numbers and times grow together.
fn last_old_audit(connection: &Connection, app: AppId, before: UnixMillis) -> Result<Option<u64>> {
    let mut too_old = connection.prepare_cached("SELECT max(number) FROM spam_audit WHERE app = ?1 AND time < ?2")?;
    let too_old: Option<u64> = too_old.query_row((app.0, before.0), |row| row.get(0))?;
    let mut too_many = connection
        .prepare_cached("SELECT number FROM spam_audit WHERE app = ?1 ORDER BY number DESC LIMIT 1 OFFSET ?2")?;
    let too_many = too_many.query_row((app.0, AUDITS_PER_APP_MAX as i64), |row| row.get(0)).optional()?;
    Ok(too_old.max(too_many))
}

fn remove_audits(batch: &mut Batch<'_>, app: AppId, last: u64) -> Result<usize> {
    let mut statement = batch.connection.prepare_cached(
        "DELETE FROM spam_audit WHERE number IN \
         (SELECT number FROM spam_audit WHERE app = ?1 AND number <= ?2 ORDER BY number LIMIT ?3)",
    )?;
    Ok(statement.execute((app.0, last, STEP_ROWS))?)
}

fn remove_held(batch: &mut Batch<'_>, app: AppId, before: UnixMillis) -> Result<usize> {
    let mut statement = batch.connection.prepare_cached(
        "DELETE FROM spam_held WHERE number IN \
         (SELECT number FROM spam_held WHERE app = ?1 AND time < ?2 ORDER BY time LIMIT ?3)",
    )?;
    Ok(statement.execute((app.0, before.0, STEP_ROWS))?)
}
