//! The change feed: its records in the file, and the newest of them in memory.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use hongyan_domain::id::{ConversationId, SessionId, UserId};
use rusqlite::Connection;

use super::fault::{Fault, Result};
use super::sessions::{reason_from_number, reason_number};
use crate::feed::{Change, Changes, Since};

/// Commits that the feed keeps.
const KEPT_BATCHES: u64 = 10_000;

/// Records that memory keeps, about 2 MiB.
const CACHED_RECORDS: usize = 64 * 1024;

/// Most commits of one page, whatever is asked for.
const PAGE_BATCHES_MAX: u32 = 1_000;

const TAG_INBOX: u8 = 1;
const TAG_SESSION_ENDED: u8 = 2;
const TAG_GROUP: u8 = 3;

/// One commit's records as bytes: a tag, then 8 + 8 or 16 + 1 bytes each.
fn encode(changes: &[Change]) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(changes.len() * 18);
    for change in changes {
        match change {
            Change::Inbox { user, head } => {
                bytes.push(TAG_INBOX);
                bytes.extend(user.0.to_be_bytes());
                bytes.extend(head.to_be_bytes());
            }
            Change::Group { group, head } => {
                bytes.push(TAG_GROUP);
                bytes.extend(group.0.to_be_bytes());
                bytes.extend(head.to_be_bytes());
            }
            Change::SessionEnded { session, reason } => {
                bytes.push(TAG_SESSION_ENDED);
                bytes.extend(session.0);
                bytes.push(reason_number(*reason));
            }
        }
    }
    bytes
}

fn decode(mut bytes: &[u8]) -> Result<Vec<Change>> {
    let mut changes = Vec::new();
    while let Some((tag, rest)) = bytes.split_first() {
        let size = if *tag == TAG_SESSION_ENDED { 17 } else { 16 };
        let (record, rest) = rest.split_at_checked(size).ok_or(Fault::Row("a cut record of the feed"))?;
        changes.push(decode_one(*tag, record)?);
        bytes = rest;
    }
    Ok(changes)
}

fn decode_one(tag: u8, record: &[u8]) -> Result<Change> {
    let number = |bytes: &[u8]| bytes.try_into().map(u64::from_be_bytes).map_err(|_| Fault::Row("a record's size"));
    match tag {
        TAG_INBOX => Ok(Change::Inbox { user: UserId(number(&record[..8])? as i64), head: number(&record[8..])? }),
        TAG_GROUP => {
            Ok(Change::Group { group: ConversationId(number(&record[..8])? as i64), head: number(&record[8..])? })
        }
        TAG_SESSION_ENDED => Ok(Change::SessionEnded {
            session: SessionId::from_slice(&record[..16]).ok_or(Fault::Row("a session id of the feed"))?,
            reason: reason_from_number(record[16].into())?,
        }),
        _ => Err(Fault::Row("an unknown record of the feed")),
    }
}

#[derive(Default)]
struct State {
    newest: u64,
    batches: VecDeque<(u64, Arc<[Change]>)>,
    records: usize,
}

impl State {
    /// The commits after a token, unless some of them are not here.
    fn after(&self, token: u64) -> Option<impl Iterator<Item = &(u64, Arc<[Change]>)>> {
        let oldest = self.batches.front()?.0;
        let skip = (token + 1).checked_sub(oldest)?;
        Some(self.batches.iter().skip(skip as usize))
    }
}

/// The newest commits.
pub(super) struct ChangeCache(Mutex<State>);

impl ChangeCache {
    /// Nothing is cached yet; `newest` is what the file ends with.
    pub(super) fn new(newest: u64) -> Self {
        Self(Mutex::new(State { newest, ..State::default() }))
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The number of the newest commit.
    pub(super) fn newest(&self) -> u64 {
        self.lock().newest
    }

    /// A commit is durable.
    pub(super) fn push(&self, no: u64, changes: Arc<[Change]>) {
        let mut state = self.lock();
        state.newest = no;
        state.records += changes.len();
        state.batches.push_back((no, changes));
        while state.records > CACHED_RECORDS {
            let Some((_, oldest)) = state.batches.pop_front() else { break };
            state.records -= oldest.len();
        }
    }

    /// The page after a token, unless the file has to be read for it.
    pub(super) fn page(&self, token: u64, limit: u32) -> Option<Changes> {
        let state = self.lock();
        if token == 0 || token == state.newest {
            return Some(Changes { changes: Vec::new(), token: state.newest, truncated: false });
        }
        if token > state.newest {
            return Some(Changes { changes: Vec::new(), token: state.newest, truncated: true });
        }
        let mut page = Changes { changes: Vec::new(), token, truncated: false };
        for (no, changes) in state.after(token)?.take(limit.clamp(1, PAGE_BATCHES_MAX) as usize) {
            page.changes.extend_from_slice(changes);
            page.token = *no;
        }
        Some(page)
    }

    /// See [`crate::Feed::since`].
    pub(super) fn since(&self, token: u64, user: UserId, session: SessionId) -> Option<Since> {
        let state = self.lock();
        let mut since = Since::default();
        if token == state.newest {
            return Some(since);
        }
        for change in state.after(token)?.flat_map(|(_, changes)| changes.iter()) {
            match *change {
                Change::Inbox { user: whose, head } if whose == user => since.head = Some(head),
                Change::SessionEnded { session: which, reason } if which == session => since.ended = Some(reason),
                _ => {}
            }
        }
        Some(since)
    }
}

/// Writes a commit's records and drops the oldest commit that is not kept any more.
pub(super) fn append(connection: &Connection, no: u64, changes: &[Change]) -> Result<()> {
    let mut statement = connection.prepare_cached("INSERT INTO change (no, records) VALUES (?1, ?2)")?;
    statement.execute((no, encode(changes)))?;
    connection.prepare_cached("DELETE FROM change WHERE no <= ?1")?.execute([no.saturating_sub(KEPT_BATCHES)])?;
    Ok(())
}

/// The number of the newest commit in the file.
pub(super) fn newest(connection: &Connection) -> Result<u64> {
    Ok(connection.prepare_cached("SELECT max(no) FROM change")?.query_row([], |row| row.get(0))?)
}

/// The page after a token, from the file, not beyond `newest`, which the cache knows.
pub(super) fn page(connection: &Connection, token: u64, limit: u32, newest: u64) -> Result<Changes> {
    let oldest: u64 = connection.prepare_cached("SELECT min(no) FROM change")?.query_row([], |row| row.get(0))?;
    if token + 1 < oldest {
        return Ok(Changes { changes: Vec::new(), token: newest, truncated: true });
    }
    let mut page = Changes { changes: Vec::new(), token, truncated: false };
    let mut statement =
        connection.prepare_cached("SELECT no, records FROM change WHERE no > ?1 AND no <= ?2 ORDER BY no LIMIT ?3")?;
    let mut rows = statement.query((token, newest, limit.clamp(1, PAGE_BATCHES_MAX)))?;
    while let Some(row) = rows.next()? {
        page.token = row.get(0)?;
        page.changes.extend(decode(row.get_ref(1)?.as_blob().map_err(rusqlite::Error::from)?)?);
    }
    Ok(page)
}

#[cfg(test)]
mod tests {
    use hongyan_domain::session::EndReason;

    use super::*;

    #[test]
    fn records_survive_encoding_and_damage_is_noticed() {
        let changes = [
            Change::Inbox { user: UserId(5 << 10 | 3), head: u64::MAX >> 1 },
            Change::SessionEnded { session: SessionId([7; 16]), reason: EndReason::Revoked },
            Change::Group { group: ConversationId(9 << 10 | 1), head: 3 },
            Change::Inbox { user: UserId(1), head: 2 },
        ];
        let bytes = encode(&changes);
        assert_eq!(decode(&bytes).expect("whole"), changes);
        assert!(decode(&bytes[..bytes.len() - 1]).is_err());
        assert!(decode(&[9; 18]).is_err());
    }

    #[test]
    fn the_cache_answers_what_it_has_and_nothing_else() {
        let cache = ChangeCache::new(100);
        let record = |head| Change::Inbox { user: UserId(1), head };
        assert_eq!(cache.page(99, 10), None, "only the file knows");
        for no in 101..=105 {
            cache.push(no, Arc::new([record(no)]));
        }
        let page = cache.page(102, 2).expect("cached");
        assert_eq!((page.changes, page.token), (vec![record(103), record(104)], 104));
        assert!(cache.page(106, 2).expect("known").truncated, "a token of another history");
        assert_eq!(cache.page(0, 2).expect("known").token, 105);
        assert_eq!(cache.page(99, 2), None);
        assert_eq!(cache.page(100, 9).expect("cached").changes.len(), 5);
    }

    #[test]
    fn the_cache_knows_what_one_session_has_missed() {
        let (user, session) = (UserId(1), SessionId([1; 16]));
        let cache = ChangeCache::new(100);
        assert_eq!(cache.since(100, user, session), Some(Since::default()));
        assert_eq!(cache.since(99, user, session), None, "only the file knows");
        let reason = EndReason::Revoked;
        cache.push(101, Arc::new([Change::Inbox { user, head: 7 }, Change::Inbox { user: UserId(2), head: 9 }]));
        cache.push(102, Arc::new([Change::SessionEnded { session: SessionId([2; 16]), reason }]));
        assert_eq!(cache.since(100, user, session), Some(Since { head: Some(7), ended: None }));
        assert_eq!(cache.since(101, user, session), Some(Since::default()));
        cache.push(103, Arc::new([Change::SessionEnded { session, reason }, Change::Inbox { user, head: 8 }]));
        assert_eq!(cache.since(100, user, session), Some(Since { head: Some(8), ended: Some(reason) }));
        assert_eq!(cache.since(99, user, session), None);
    }
}
