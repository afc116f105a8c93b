//! Searching in messages: an index in a file of its own, which follows the messages by their numbers and is made anew from them
//! whenever it is missing, and the look at the live rows. Runs on one thread, apart from the writer: an index may be behind, and
//! a search first takes in what is new, as far as that is little.
//!
//! The index is FTS5 without content, one token a character of Chinese and the like, phrases for words; measured against
//! bigrams it is a fifth smaller, and its slowest queries take half as long. Who has a conversation is a token of its
//! messages, so that a search reads the asker's messages only, however many others there are.

use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use hongyan_domain::environment::Pending;
use hongyan_domain::id::{ConversationId, UserId};
use hongyan_domain::message::Entry;
use hongyan_domain::search::{Query, spaced};
use rusqlite::{Connection, OptionalExtension};

use super::fault::{Fault, Result};
use super::heads::{Conversation, UserConversation};
use super::readers::Deadline;
use super::{SqliteStore, marks, message, wait};
use crate::search::{Search, SearchHit, SearchPage, SearchQuery, searchable};

/// The index's name in the data folder.
const INDEX_FILE: &str = "search.db";
/// Raised when the index means something else; an older one is made anew.
const INDEX_VERSION: i64 = 1;
/// Rows that a search takes in before it looks.
const CATCH_UP_ROWS: u32 = 1_000;
/// Hits of the index that one page looks at.
const SCANNED_MAX: usize = 1_000;
/// The longest time that a search looks into the index.
const SEARCH_SPAN_MAX: Duration = Duration::from_secs(2);
/// Conversations whose users are remembered.
const CONVERSATIONS_MAX: usize = 10_000;

/// Where the index is.
pub(super) enum IndexPlace {
    /// In the data folder.
    Folder(PathBuf),
    /// In memory: for stores without threads, whose disk is simulated.
    Memory,
}

/// The index, and the store that it follows.
pub(super) struct Index {
    place: IndexPlace,
    /// Made when it is first needed. Searches on disk have a deadline; in memory nothing may depend on time.
    index: Option<Connection>,
    deadline: Option<Arc<Deadline>>,
    main: Connection,
    log_epoch: u32,
    users: HashMap<ConversationId, (UserId, UserId)>,
}

impl Index {
    /// Follows the store of this connection, which only reads.
    pub(super) fn new(place: IndexPlace, main: Connection, log_epoch: u32) -> Self {
        Self { place, index: None, deadline: None, main, log_epoch, users: HashMap::new() }
    }

    /// Takes in at most so many rows that are not in the index; how many there were. An index that cannot be used is made anew.
    pub(super) fn follow(&mut self, rows_max: u32) -> Result<u32> {
        let followed = self.try_follow(rows_max);
        if followed.is_err() {
            // It holds nothing that is not elsewhere.
            self.index = None;
            self.remove_file();
        }
        followed
    }

    fn try_follow(&mut self, rows_max: u32) -> Result<u32> {
        if self.index.is_none() {
            let mut index = self.open()?;
            if let IndexPlace::Folder(_) = self.place {
                self.deadline = Some(Deadline::watch(&mut index)?);
            }
            self.index = Some(index);
        }
        let Some(index) = &mut self.index else { return Ok(0) };
        let transaction = index.transaction()?;
        let follower = Follower { index: &transaction, main: &self.main, users: &mut self.users };
        let rows = follower.run(rows_max)?;
        transaction.commit()?;
        Ok(rows)
    }

    fn open(&self) -> Result<Connection> {
        let index = match &self.place {
            IndexPlace::Memory => Connection::open_in_memory()?,
            IndexPlace::Folder(folder) => Connection::open(folder.join(INDEX_FILE))?,
        };
        index.pragma_update_and_check(None, "journal_mode", "wal", |_| Ok(()))?;
        // What a power cut takes is taken in again.
        index.pragma_update(None, "synchronous", "normal")?;
        index.pragma_update(None, "cache_size", -4096)?;
        let version: i64 = index.pragma_query_value(None, "user_version", |row| row.get(0))?;
        if version == INDEX_VERSION && place(&index, "log_epoch")? == i64::from(self.log_epoch) {
            return Ok(index);
        }
        index.execute_batch(&format!(
            "BEGIN; \
             DROP TABLE IF EXISTS message_text; DROP TABLE IF EXISTS place; \
             CREATE VIRTUAL TABLE message_text USING fts5 \
                 (text, who, content='', contentless_delete=1, tokenize='unicode61 remove_diacritics 0'); \
             CREATE TABLE place (name TEXT NOT NULL PRIMARY KEY, value INTEGER NOT NULL) STRICT, WITHOUT ROWID; \
             INSERT INTO place (name, value) VALUES ('indexed', 0), ('log_epoch', {}); \
             PRAGMA user_version = {INDEX_VERSION}; \
             COMMIT",
            self.log_epoch
        ))?;
        Ok(index)
    }

    fn remove_file(&self) {
        let IndexPlace::Folder(folder) = &self.place else { return };
        for file in files(folder) {
            if let Err(error) = std::fs::remove_file(&file)
                && error.kind() != std::io::ErrorKind::NotFound
            {
                tracing::warn!(%error, "an index for searching that cannot be used cannot be removed either");
            }
        }
    }

    /// Numbers of the messages in the index, above a number, ascending.
    pub(super) fn numbers(&self, after: i64, limit: u32) -> Result<Vec<i64>> {
        let Some(index) = &self.index else { return Ok(Vec::new()) };
        let mut statement =
            index.prepare_cached("SELECT id FROM message_text_docsize WHERE id > ?1 ORDER BY id LIMIT ?2")?;
        let numbers = statement.query_map((after, limit), |row| row.get(0))?;
        Ok(numbers.collect::<rusqlite::Result<_>>()?)
    }

    /// Forgets messages that are gone, of at most so many after a number; where the next ones begin, if there are more.
    pub(super) fn forget_gone(&mut self, after: i64, limit: u32) -> Result<Option<i64>> {
        let numbers = self.numbers(after, limit)?;
        let Some(index) = &self.index else { return Ok(None) };
        for number in &numbers {
            if self.main.prepare_cached("SELECT 1 FROM message WHERE number = ?1")?.exists([number])? {
                continue;
            }
            index.prepare_cached("DELETE FROM message_text WHERE rowid = ?1")?.execute([number])?;
        }
        Ok(numbers.last().copied().filter(|_| numbers.len() == limit as usize))
    }

    /// A page of what the asker may see of what matches.
    pub(super) fn search(&mut self, query: &SearchQuery) -> Result<SearchPage> {
        self.follow(CATCH_UP_ROWS)?;
        let Some(index) = &self.index else { return Ok(SearchPage::default()) };
        if let Some(deadline) = &self.deadline {
            deadline.set(SEARCH_SPAN_MAX);
        }
        self.main.execute_batch("BEGIN")?;
        let page = page(index, &self.main, query);
        self.main.execute_batch("COMMIT")?;
        if let Some(deadline) = &self.deadline {
            deadline.clear();
        }
        page
    }
}

/// All files of an index in a folder.
fn files(folder: &Path) -> [PathBuf; 3] {
    ["", "-wal", "-shm"].map(|end| folder.join(format!("{INDEX_FILE}{end}")))
}

fn place(index: &Connection, name: &str) -> Result<i64> {
    let mut statement = index.prepare_cached("SELECT value FROM place WHERE name = ?1")?;
    Ok(statement.query_row([name], |row| row.get(0))?)
}

/// Takes rows into the index, within one transaction.
struct Follower<'a> {
    index: &'a Connection,
    main: &'a Connection,
    users: &'a mut HashMap<ConversationId, (UserId, UserId)>,
}

/// A row to take in.
struct Row {
    number: i64,
    conversation: ConversationId,
    entry: Entry,
}

impl Follower<'_> {
    fn run(mut self, rows_max: u32) -> Result<u32> {
        let mut indexed = place(self.index, "indexed")?;
        let newest = self.main.prepare_cached("SELECT max(number) FROM message")?;
        let newest = { newest }.query_row([], |row| row.get::<_, Option<i64>>(0))?.unwrap_or(0);
        if newest < indexed {
            // All newer rows are gone and their numbers will be given again.
            self.index.execute_batch("INSERT INTO message_text (message_text) VALUES ('delete-all')")?;
            indexed = 0;
        }
        let rows = self.rows(indexed, rows_max)?;
        for row in &rows {
            self.take_in(row)?;
            indexed = row.number;
        }
        self.index.prepare_cached("UPDATE place SET value = ?1 WHERE name = 'indexed'")?.execute([indexed])?;
        Ok(rows.len() as u32)
    }

    fn rows(&self, after: i64, limit: u32) -> Result<Vec<Row>> {
        let mut statement = self.main.prepare_cached(
            "SELECT number, conversation, seq FROM message WHERE number > ?1 ORDER BY number LIMIT ?2",
        )?;
        let places = statement.query_map((after, limit), |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?)))?;
        let mut rows = Vec::new();
        for place in places {
            let (number, conversation, seq) = place?;
            let conversation = ConversationId(conversation);
            if let Some(entry) = message::load(self.main, conversation, seq)? {
                rows.push(Row { number, conversation, entry });
            }
        }
        Ok(rows)
    }

    /// A message, or, of an announcement, the message that has changed.
    fn take_in(&mut self, row: &Row) -> Result<()> {
        if row.entry.change_of == 0 {
            return self.put(row.number, row.conversation, &row.entry);
        }
        let mut number = self.main.prepare_cached("SELECT number FROM message WHERE conversation = ?1 AND seq = ?2")?;
        let number = number.query_row((row.conversation.0, row.entry.change_of), |row| row.get(0)).optional()?;
        let (Some(number), Some(target)) = (number, message::load(self.main, row.conversation, row.entry.change_of)?)
        else {
            return Ok(());
        };
        self.index.prepare_cached("DELETE FROM message_text WHERE rowid = ?1")?.execute([number])?;
        self.put(number, row.conversation, &target)
    }

    fn put(&mut self, number: i64, conversation: ConversationId, entry: &Entry) -> Result<()> {
        let text = if entry.recalled { String::new() } else { spaced(searchable(entry)) };
        if text.is_empty() {
            return Ok(());
        }
        let Some((low, high)) = self.users(conversation)? else { return Ok(()) };
        let who = format!("{} {}", who(low), who(high));
        let mut insert =
            self.index.prepare_cached("INSERT INTO message_text (rowid, text, who) VALUES (?1, ?2, ?3)")?;
        insert.execute((number, text, who))?;
        Ok(())
    }

    fn users(&mut self, conversation: ConversationId) -> Result<Option<(UserId, UserId)>> {
        if let Some(known) = self.users.get(&conversation) {
            return Ok(Some(*known));
        }
        let found = Conversation::load(self.main, conversation)?.map(|head| (head.low, head.high));
        if self.users.len() >= CONVERSATIONS_MAX {
            self.users.clear();
        }
        self.users.extend(found.map(|users| (conversation, users)));
        Ok(found)
    }
}

/// The token of a user.
fn who(user: UserId) -> String {
    format!("u{}", user.0)
}

/// As FTS5 takes it. Tokens are letters and digits, so nothing in them has a meaning there.
fn expression(words: &Query, user: UserId, other: Option<UserId>) -> String {
    let mut expression = format!("who : {}", who(user));
    if let Some(other) = other {
        expression.push_str(&format!(" AND who : {}", who(other)));
    }
    for phrase in words.phrases() {
        expression.push_str(&format!(" AND text : \"{}\"", phrase.join(" ")));
    }
    expression
}

fn page(index: &Connection, main: &Connection, query: &SearchQuery) -> Result<SearchPage> {
    let before = if query.before == 0 { i64::MAX } else { message::storable(query.before) };
    let mut statement = index.prepare_cached(
        "SELECT rowid FROM message_text WHERE message_text MATCH ?1 AND rowid < ?2 ORDER BY rowid DESC",
    )?;
    let mut rows = statement.query((expression(&query.words, query.user, query.other), before))?;
    let mut page = SearchPage::default();
    let (mut scanned, mut bytes, mut last) = (0, 0, 0);
    while let Some(row) = rows.next()? {
        let number: i64 = row.get(0)?;
        if page.hits.len() >= query.limit as usize || scanned >= SCANNED_MAX {
            page.next = last;
            break;
        }
        scanned += 1;
        if let Some(hit) = hit(main, query, number)? {
            bytes += message::size(&hit.entry);
            if bytes > query.bytes_max && !page.hits.is_empty() {
                page.next = last;
                break;
            }
            page.hits.push(hit);
        }
        last = number as u64;
    }
    Ok(page)
}

/// The live row, if the asker may see it and it still matches.
fn hit(main: &Connection, query: &SearchQuery, number: i64) -> Result<Option<SearchHit>> {
    let mut place = main.prepare_cached("SELECT conversation, seq FROM message WHERE number = ?1")?;
    let place = place.query_row([number], |row| Ok((ConversationId(row.get(0)?), row.get::<_, u64>(1)?))).optional()?;
    let Some((conversation, seq)) = place else { return Ok(None) };
    let head = Conversation::load(main, conversation)?.ok_or(Fault::Row("a message of no conversation"))?;
    let other = head.other(query.user);
    if !head.has(query.user) || query.other.is_some_and(|wanted| wanted != other) {
        return Ok(None);
    }
    let mine = UserConversation::load(main, query.user, conversation)?;
    if seq < head.low_seq_of(&mine) || marks::is_hidden(main, query.user, conversation, seq)? {
        return Ok(None);
    }
    let Some(entry) = message::load(main, conversation, seq)? else { return Ok(None) };
    if entry.change_of != 0 || entry.recalled {
        return Ok(None);
    }
    let ranges = query.words.ranges(searchable(&entry));
    Ok(ranges.map(|ranges| SearchHit { place: number as u64, conversation, other, entry, ranges }))
}

fn correspondents(connection: &Connection, user: UserId, limit: u32) -> Result<Vec<UserId>> {
    let mut statement = connection.prepare_cached(
        "SELECT conversation FROM user_conversation WHERE user = ?1 AND activity > 0 ORDER BY activity DESC LIMIT ?2",
    )?;
    let conversations = statement.query_map((user.0, limit), |row| Ok(ConversationId(row.get(0)?)))?;
    let mut others = Vec::new();
    for conversation in conversations {
        let head = Conversation::load(connection, conversation?)?.ok_or(Fault::Row("a place in no conversation"))?;
        if head.has(user) {
            others.push(head.other(user));
        }
    }
    Ok(others)
}

impl SqliteStore {
    /// Takes some more of what was committed into the index; whether there is still more. For measurements: a server does this by
    /// itself.
    pub async fn search_behind(&self) -> crate::Result<bool> {
        let rows = self.searches.ask(|index| index.follow(CATCH_UP_ROWS));
        Ok(wait(rows).await? == CATCH_UP_ROWS)
    }
}

impl Search for SqliteStore {
    fn search(&self, query: SearchQuery) -> Pending<'_, crate::Result<SearchPage>> {
        wait(self.searches.ask(move |index| index.search(&query)))
    }

    fn correspondents(&self, user: UserId, limit: u32) -> Pending<'_, crate::Result<Vec<UserId>>> {
        self.read(move |connection| correspondents(connection, user, limit))
    }
}
