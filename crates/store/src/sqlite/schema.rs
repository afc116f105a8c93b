//! The tables, as numbered migrations. Called when a store is opened; not the place of any query.
//!
//! Rows belong either to a conversation (`conversation`, `message`, `message_key`, `reaction`, `room`, `room_message`,
//! `group_head`, `group_member`, `group_stay`, `group_own`, `group_asking`) or to a user (`user`, `user_head`, `inbox`,
//! `user_conversation`, `user_group`, `deletion`, `device`, `session`, `visitor`, `relation`, `groupings`, `profile`). No
//! statement joins the two kinds, so that they can live on different servers (design §6). What belongs to an app (`app`,
//! `app_key`, `spam_words`, `spam_audit`, `spam_held`) is joined with neither.

use rusqlite::Connection;

use super::fault::{Fault, Result};

/// The migrations, oldest first. A released one is never changed.
const MIGRATIONS: [&str; 6] = [
    include_str!("migrations/0001_direct_conversations.sql"),
    include_str!("migrations/0002_visitors.sql"),
    include_str!("migrations/0003_rooms.sql"),
    include_str!("migrations/0004_groups.sql"),
    include_str!("migrations/0005_friends.sql"),
    include_str!("migrations/0006_spam.sql"),
];

/// The version that this program writes.
pub(super) const VERSION: i64 = MIGRATIONS.len() as i64;

/// Brings the file to [`VERSION`], each step in a transaction of its own. A file of a newer program is refused.
pub(super) fn migrate(connection: &mut Connection) -> Result<()> {
    let found: i64 = connection.pragma_query_value(None, "user_version", |row| row.get(0))?;
    if !(0..=VERSION).contains(&found) {
        return Err(Fault::Row("the data file was written by a newer version of the program"));
    }
    for (number, sql) in (1..).zip(MIGRATIONS).skip(found as usize) {
        let transaction = connection.transaction_with_behavior(rusqlite::TransactionBehavior::Immediate)?;
        transaction.execute_batch(sql)?;
        transaction.pragma_update(None, "user_version", number)?;
        transaction.commit()?;
        tracing::info!(number, "migrated the store");
    }
    Ok(())
}
