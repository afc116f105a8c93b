//! Removes what has had its time, in small steps between the writer's batches: messages by the app's setting, old inbox
//! entries, keys of de-duplication, ended sessions. Who calls it, and how often, is not decided here.

use hongyan_domain::id::{AppId, ClientId, ConversationId, UserId};
use hongyan_domain::time::UnixMillis;
use rusqlite::Connection;

use super::batch::{Batch, DAY_MS};
use super::fault::Result;
use super::heads::Conversation;
use super::{SqliteStore, accounts, message, wait};

/// Rows that one step removes; a step waits in the queue of the writer like any other work.
pub(super) const STEP_ROWS: usize = 256;

/// Candidates that one read looks at.
const PAGE_ROWS: usize = 1_000;

/// How long things are kept. Messages are kept as each app's settings say.
#[derive(Clone, Debug)]
pub struct RetentionOptions {
    /// Days that an inbox entry is kept (design §12).
    pub inbox_days: u32,
    /// Entries that an inbox keeps at most (design §12).
    pub inbox_entries_max: u64,
    /// Days that a key of de-duplication is kept; at least 30 (spec 41).
    pub key_days: u32,
    /// Days that an ended session is remembered; longer than a ticket is valid (design §4).
    pub session_days: u32,
}

impl Default for RetentionOptions {
    fn default() -> Self {
        Self { inbox_days: 30, inbox_entries_max: 10_000, key_days: 35, session_days: 31 }
    }
}

/// What one run has removed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct RetentionReport {
    /// Rows of conversations, groups and rooms.
    pub messages: u64,
    /// Rows of inboxes.
    pub inbox_entries: u64,
    /// Keys of de-duplication.
    pub keys: u64,
    /// Ended sessions.
    pub sessions: u64,
    /// Audits of texts, and messages that waited for a review.
    pub spam: u64,
}

impl SqliteStore {
    /// Removes everything that is too old at `now`; answers when done. May be dropped at any time and called again.
    ///
    /// # Errors
    /// As any write; what was removed before stays removed.
    pub async fn retention(&self, now: UnixMillis, options: RetentionOptions) -> crate::Result<RetentionReport> {
        let in_conversations = self.remove_messages(now).await? + self.remove_group_messages(now).await?;
        if in_conversations > 0 {
            self.forget_gone().await?;
        }
        Ok(RetentionReport {
            messages: in_conversations + self.remove_room_messages(now).await?,
            inbox_entries: self.trim_inboxes(now, &options).await?,
            keys: self.remove_keys(days_before(now, options.key_days.max(30))).await?,
            sessions: self.remove_sessions(days_before(now, options.session_days)).await?,
            spam: self.remove_spam(now).await?,
        })
    }

    async fn remove_messages(&self, now: UnixMillis) -> crate::Result<u64> {
        let mut removed = 0;
        for app in self.read(accounts::apps).await? {
            if app.settings.retention_days == 0 {
                continue;
            }
            let before = days_before(now, app.settings.retention_days);
            let mut place = Some((UserId(i64::MIN), UserId(i64::MIN)));
            while let Some(after) = place {
                let page = self.read(move |connection| old_conversations(connection, app.id, after, before)).await?;
                place = page.next;
                for conversation in page.old {
                    removed += self.repeat(move |batch| trim_conversation(batch, conversation, before)).await?;
                }
            }
        }
        Ok(removed)
    }

    /// What is gone must not be in the index for searching either.
    async fn forget_gone(&self) -> crate::Result<()> {
        let mut after = Some(0);
        while let Some(number) = after {
            after = wait(self.searches.ask(move |index| index.forget_gone(number, STEP_ROWS as u32))).await?;
        }
        Ok(())
    }

    async fn trim_inboxes(&self, now: UnixMillis, options: &RetentionOptions) -> crate::Result<u64> {
        let limits = InboxLimits {
            first_day: days_before(now, options.inbox_days).0 / DAY_MS,
            entries_max: options.inbox_entries_max.max(1),
        };
        let mut removed = 0;
        let mut after = UserId(i64::MIN);
        loop {
            let users = self.read(move |connection| long_inboxes(connection, after, limits)).await?;
            let Some(last) = users.last else { return Ok(removed) };
            after = last;
            for user in users.long {
                removed += self.repeat(move |batch| trim_inbox(batch, user, limits)).await?;
            }
        }
    }

    async fn remove_keys(&self, before: UnixMillis) -> crate::Result<u64> {
        let mut removed = 0;
        let mut after = Some((i64::MIN, i64::MIN, [0; 16]));
        while let Some(place) = after {
            let page = self.read(move |connection| old_keys(connection, place, before)).await?;
            after = page.next;
            for keys in page.old.chunks(STEP_ROWS) {
                let keys = keys.to_vec();
                removed += self.write(move |batch| delete_keys(batch.connection, &keys, before)).await?;
            }
        }
        Ok(removed)
    }

    async fn remove_sessions(&self, before: UnixMillis) -> crate::Result<u64> {
        self.repeat(move |batch| {
            let mut statement = batch.connection.prepare_cached(
                "DELETE FROM session WHERE number IN (SELECT number FROM session WHERE ended < ?1 LIMIT ?2)",
            )?;
            Ok(statement.execute((before.0, STEP_ROWS))?)
        })
        .await
    }

    /// Repeats a step until it finds less than it may remove.
    pub(super) async fn repeat(
        &self,
        step: impl Fn(&mut Batch<'_>) -> Result<usize> + Clone + Send + 'static,
    ) -> crate::Result<u64> {
        let mut removed = 0;
        loop {
            let step = step.clone();
            let now = self.write(move |batch| step(batch)).await?;
            removed += now as u64;
            if now < STEP_ROWS {
                return Ok(removed);
            }
        }
    }
}

/// So many days before a time.
pub(super) fn days_before(now: UnixMillis, days: u32) -> UnixMillis {
    UnixMillis(now.0.saturating_sub(u64::from(days) * DAY_MS))
}

/// Conversations whose oldest row is too old, and where the next page begins.
struct ConversationsPage {
    old: Vec<ConversationId>,
    next: Option<(UserId, UserId)>,
}

fn old_conversations(
    connection: &Connection,
    app: AppId,
    after: (UserId, UserId),
    before: UnixMillis,
) -> Result<ConversationsPage> {
    let mut statement = connection.prepare_cached(
        "SELECT id, low_seq, low, high FROM conversation WHERE app = ?1 AND (low, high) > (?2, ?3) \
         ORDER BY low, high LIMIT ?4",
    )?;
    let mut oldest = connection.prepare_cached(
        "SELECT coalesce((SELECT time FROM message WHERE conversation = ?1 AND seq >= ?2 ORDER BY seq LIMIT 1) < ?3, 0)",
    )?;
    let mut rows = statement.query((app.0, after.0.0, after.1.0, PAGE_ROWS))?;
    let (mut page, mut count) = (ConversationsPage { old: Vec::new(), next: None }, 0);
    while let Some(row) = rows.next()? {
        let (id, low_seq): (i64, u64) = (row.get(0)?, row.get(1)?);
        if oldest.query_row((id, low_seq, before.0), |row| row.get(0))? {
            page.old.push(ConversationId(id));
        }
        count += 1;
        page.next = (count == PAGE_ROWS).then_some((UserId(row.get(2)?), UserId(row.get(3)?)));
    }
    Ok(page)
}

/// A row that goes, and the counts up to it.
struct OldRow {
    number: i64,
    seq: u64,
    message_count: u64,
    low_count: u64,
}

/// Removes rows from the low end while they are too old.
fn trim_conversation(batch: &mut Batch<'_>, conversation: ConversationId, before: UnixMillis) -> Result<usize> {
    let connection = batch.connection;
    let old = old_rows(connection, batch.conversation(conversation)?, before)?;
    let Some(last) = old.last() else { return Ok(0) };
    let mut delete = connection.prepare_cached("DELETE FROM message WHERE number = ?1")?;
    for row in &old {
        delete.execute([row.number])?;
        message::delete_reactions(connection, conversation, row.seq)?;
    }
    let head = batch.conversation_mut(conversation)?;
    (head.low_seq, head.gone_count, head.gone_low_count) = (last.seq + 1, last.message_count, last.low_count);
    let mut forget =
        connection.prepare_cached("DELETE FROM deletion WHERE user = ?1 AND conversation = ?2 AND seq <= ?3")?;
    for user in [head.low, head.high] {
        forget.execute((user.0, conversation.0, last.seq))?;
    }
    Ok(old.len())
}

fn old_rows(connection: &Connection, head: &Conversation, before: UnixMillis) -> Result<Vec<OldRow>> {
    let mut statement = connection.prepare_cached(
        "SELECT number, seq, message_count, low_count, time FROM message WHERE conversation = ?1 AND seq >= ?2 \
         ORDER BY seq LIMIT ?3",
    )?;
    let mut rows = statement.query((head.id.0, head.low_seq, STEP_ROWS))?;
    let mut old = Vec::new();
    while let Some(row) = rows.next()? {
        if row.get::<_, u64>(4)? >= before.0 {
            break;
        }
        old.push(OldRow { number: row.get(0)?, seq: row.get(1)?, message_count: row.get(2)?, low_count: row.get(3)? });
    }
    Ok(old)
}

#[derive(Clone, Copy)]
struct InboxLimits {
    first_day: u64,
    entries_max: u64,
}

/// Users of one page whose inbox has something to remove, and the page's last user.
struct InboxesPage {
    long: Vec<UserId>,
    last: Option<UserId>,
}

fn long_inboxes(connection: &Connection, after: UserId, limits: InboxLimits) -> Result<InboxesPage> {
    let mut statement = connection
        .prepare_cached("SELECT user, inbox_head, inbox_low FROM user_head WHERE user > ?1 ORDER BY user LIMIT ?2")?;
    let mut rows = statement.query((after.0, PAGE_ROWS))?;
    let mut page = InboxesPage { long: Vec::new(), last: None };
    while let Some(row) = rows.next()? {
        let user = UserId(row.get(0)?);
        let found = old_entries(connection, user, row.get(1)?, row.get(2)?, limits, 8)?;
        if found.is_some() {
            page.long.push(user);
        }
        page.last = Some(user);
    }
    Ok(page)
}

/// The last of the entries, among the first `rows`, that may go.
fn old_entries(
    connection: &Connection,
    user: UserId,
    head: u64,
    low: u64,
    limits: InboxLimits,
    rows: usize,
) -> Result<Option<u64>> {
    let mut statement =
        connection.prepare_cached("SELECT seq, day FROM inbox WHERE user = ?1 ORDER BY seq LIMIT ?2")?;
    let mut rows = statement.query((user.0, rows))?;
    let mut last = None;
    while let Some(row) = rows.next()? {
        let (seq, day): (u64, Option<u64>) = (row.get(0)?, row.get(1)?);
        let surplus = seq < low || seq + limits.entries_max <= head;
        match day {
            _ if surplus => last = Some(seq),
            Some(day) if day < limits.first_day => last = Some(seq),
            Some(_) => break,
            // As old as the one before it: goes with the next one that is known to be old.
            None => {}
        }
    }
    Ok(last)
}

fn trim_inbox(batch: &mut Batch<'_>, user: UserId, limits: InboxLimits) -> Result<usize> {
    let ends = batch.inbox(user)?;
    let last = old_entries(batch.connection, user, ends.head, ends.low, limits, STEP_ROWS)?;
    let Some(last) = last else { return Ok(0) };
    batch.raise_inbox_low(user, last + 1)?;
    let mut statement = batch.connection.prepare_cached("DELETE FROM inbox WHERE user = ?1 AND seq <= ?2")?;
    Ok(statement.execute((user.0, last))?)
}

/// The whole key of a row of `message_key`.
type Key = (i64, i64, [u8; 16]);

/// Keys of one page that are too old, and where the next page begins.
struct KeysPage {
    old: Vec<Key>,
    next: Option<Key>,
}

fn old_keys(connection: &Connection, after: Key, before: UnixMillis) -> Result<KeysPage> {
    let mut statement = connection.prepare_cached(
        "SELECT conversation, sender, client_id, time FROM message_key \
         WHERE (conversation, sender, client_id) > (?1, ?2, ?3) ORDER BY conversation, sender, client_id LIMIT ?4",
    )?;
    let mut rows = statement.query((after.0, after.1, after.2, PAGE_ROWS))?;
    let (mut page, mut count) = (KeysPage { old: Vec::new(), next: None }, 0);
    while let Some(row) = rows.next()? {
        let key = (row.get(0)?, row.get(1)?, ClientId(row.get(2)?).0);
        if row.get::<_, u64>(3)? < before.0 {
            page.old.push(key);
        }
        count += 1;
        page.next = (count == PAGE_ROWS).then_some(key);
    }
    Ok(page)
}

fn delete_keys(connection: &Connection, keys: &[Key], before: UnixMillis) -> Result<u64> {
    let mut statement = connection.prepare_cached(
        "DELETE FROM message_key WHERE conversation = ?1 AND sender = ?2 AND client_id = ?3 AND time < ?4",
    )?;
    let mut removed = 0;
    for key in keys {
        removed += statement.execute((key.0, key.1, key.2, before.0))? as u64;
    }
    Ok(removed)
}
