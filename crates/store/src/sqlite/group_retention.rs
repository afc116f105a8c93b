//! Removes what was said in groups and has had its time, as [`super::retention`] does in other conversations. Of
//! everybody's own messages one row stays below the lowest entry: what lies above is counted from there.

use std::collections::BTreeSet;

use hongyan_domain::id::{AppId, ConversationId, UserId};
use hongyan_domain::time::UnixMillis;
use rusqlite::Connection;

use super::batch::Batch;
use super::fault::Result;
use super::retention::{STEP_ROWS, days_before};
use super::{SqliteStore, accounts, message};

/// Groups that one read looks at.
const PAGE_GROUPS: usize = 1_000;

impl SqliteStore {
    /// Removes what is too old at `now`; how many rows of logs.
    pub(super) async fn remove_group_messages(&self, now: UnixMillis) -> crate::Result<u64> {
        let mut removed = 0;
        for app in self.read(accounts::apps).await? {
            if app.settings.retention_days == 0 {
                continue;
            }
            let before = days_before(now, app.settings.retention_days);
            let mut place = Some(String::new());
            while let Some(after) = place {
                let page = self.read(move |connection| old_groups(connection, app.id, &after, before)).await?;
                place = page.next;
                for group in page.old {
                    removed += self.repeat(move |batch| trim(batch, group, before)).await?;
                    self.forget_deletions(group).await?;
                }
            }
        }
        Ok(removed)
    }

    /// What members have hidden of what is gone.
    async fn forget_deletions(&self, group: ConversationId) -> crate::Result<()> {
        let mut place = Some(UserId(i64::MIN));
        while let Some(after) = place {
            place = self.write(move |batch| forget_deletions(batch, group, after)).await?;
        }
        Ok(())
    }
}

/// Groups whose oldest row is too old, and where the next page begins.
struct GroupsPage {
    old: Vec<ConversationId>,
    next: Option<String>,
}

fn old_groups(connection: &Connection, app: AppId, after: &str, before: UnixMillis) -> Result<GroupsPage> {
    let mut statement = connection.prepare_cached(
        "SELECT id, low_seq, name FROM group_head WHERE app = ?1 AND name > ?2 ORDER BY name LIMIT ?3",
    )?;
    let mut oldest = connection.prepare_cached(
        "SELECT coalesce((SELECT time FROM message WHERE conversation = ?1 AND seq >= ?2 ORDER BY seq LIMIT 1) < ?3, 0)",
    )?;
    let mut rows = statement.query((app.0, after, PAGE_GROUPS))?;
    let (mut page, mut count) = (GroupsPage { old: Vec::new(), next: None }, 0);
    while let Some(row) = rows.next()? {
        let (id, low_seq): (i64, u64) = (row.get(0)?, row.get(1)?);
        if oldest.query_row((id, low_seq, before.0), |row| row.get(0))? {
            page.old.push(ConversationId(id));
        }
        count += 1;
        page.next = if count == PAGE_GROUPS { Some(row.get(2)?) } else { None };
    }
    Ok(page)
}

/// A row that goes.
struct OldRow {
    number: i64,
    seq: u64,
    message_count: u64,
    sender: UserId,
}

/// Removes rows from the low end while they are too old.
fn trim(batch: &mut Batch<'_>, group: ConversationId, before: UnixMillis) -> Result<usize> {
    let connection = batch.connection;
    let old = old_rows(connection, group, batch.group(group)?.low_seq, before)?;
    let Some(last) = old.last() else { return Ok(0) };
    let mut delete = connection.prepare_cached("DELETE FROM message WHERE number = ?1")?;
    for row in &old {
        delete.execute([row.number])?;
        message::delete_reactions(connection, group, row.seq)?;
    }
    // Of each sender the newest row up to there stays.
    let mut forget_own = connection.prepare_cached(
        "DELETE FROM group_own WHERE grp = ?1 AND user = ?2 AND seq < \
         (SELECT max(seq) FROM group_own WHERE grp = ?1 AND user = ?2 AND seq <= ?3)",
    )?;
    for sender in old.iter().map(|row| row.sender).collect::<BTreeSet<_>>() {
        forget_own.execute((group.0, sender.0, last.seq))?;
    }
    let head = batch.group_mut(group)?;
    (head.low_seq, head.gone_count) = (last.seq + 1, last.message_count);
    let pins = head.facts.pinned.len();
    head.facts.pinned.retain(|seq| *seq > last.seq);
    head.profile_version += u64::from(head.facts.pinned.len() < pins);
    Ok(old.len())
}

fn old_rows(connection: &Connection, group: ConversationId, low_seq: u64, before: UnixMillis) -> Result<Vec<OldRow>> {
    let mut statement = connection.prepare_cached(
        "SELECT number, seq, message_count, sender, time FROM message WHERE conversation = ?1 AND seq >= ?2 \
         ORDER BY seq LIMIT ?3",
    )?;
    let mut rows = statement.query((group.0, low_seq, STEP_ROWS))?;
    let mut old = Vec::new();
    while let Some(row) = rows.next()? {
        if row.get::<_, u64>(4)? >= before.0 {
            break;
        }
        let (number, seq, message_count) = (row.get(0)?, row.get(1)?, row.get(2)?);
        old.push(OldRow { number, seq, message_count, sender: UserId(row.get(3)?) });
    }
    Ok(old)
}

/// Of some of those who are, or were, in the group; where the next step begins.
fn forget_deletions(batch: &mut Batch<'_>, group: ConversationId, after: UserId) -> Result<Option<UserId>> {
    let connection = batch.connection;
    let low_seq = batch.group(group)?.low_seq;
    let mut statement = connection
        .prepare_cached("SELECT DISTINCT user FROM group_stay WHERE grp = ?1 AND user > ?2 ORDER BY user LIMIT ?3")?;
    let rows = statement.query_map((group.0, after.0, STEP_ROWS), |row| Ok(UserId(row.get(0)?)))?;
    let users: Vec<UserId> = rows.collect::<rusqlite::Result<_>>()?;
    let mut forget =
        connection.prepare_cached("DELETE FROM deletion WHERE user = ?1 AND conversation = ?2 AND seq < ?3")?;
    for user in &users {
        forget.execute((user.0, group.0, low_seq))?;
    }
    Ok(users.last().copied().filter(|_| users.len() == STEP_ROWS))
}
