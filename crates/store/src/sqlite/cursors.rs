//! How far devices have come, as gates report it in bulk.

use super::batch::Batch;
use super::fault::Result;
use super::message::storable;
use crate::sessions::CursorAdvance;

/// Stores the advances that raise something; a device that was forgotten is skipped.
pub(super) fn advance(batch: &mut Batch<'_>, advances: &[CursorAdvance]) -> Result<()> {
    let connection = batch.connection;
    let mut device = connection
        .prepare_cached("UPDATE device SET inbox_cursor = ?3 WHERE id = ?1 AND user = ?2 AND inbox_cursor < ?3")?;
    let mut delivered = connection.prepare_cached(
        "INSERT INTO user_conversation (user, conversation, delivered_seq) VALUES (?1, ?2, ?3) \
         ON CONFLICT DO UPDATE SET delivered_seq = ?3 WHERE delivered_seq < ?3",
    )?;
    for advance in advances {
        device.execute((advance.device.0, advance.user.0, storable(advance.inbox_cursor)))?;
        for (conversation, seq) in &advance.delivered {
            delivered.execute((advance.user.0, conversation.0, storable(*seq)))?;
        }
    }
    Ok(())
}
