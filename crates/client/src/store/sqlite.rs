//! The tables of the local store. Everything that is only handed back whole is kept as the protobuf it came as.

use std::path::Path;

use bytes::Bytes;
use hongyan_wire::proto;
use prost::Message as _;
use rusqlite::{Connection, OptionalExtension as _, Row as SqlRow, Transaction, params};

use super::{StoreError, groups};
use crate::core::peer::Peer;
use crate::core::rows::{
    ConversationRow, GroupRow, InboxPosition, OutboxRow, OutboxState, Range, Restored, Row, Session,
};

/// Raised with every change of the tables. Version 1 knew no groups.
const SCHEMA_VERSION: i64 = 2;

const SCHEMA: &str = "
    CREATE TABLE fact (name TEXT PRIMARY KEY, value BLOB NOT NULL) WITHOUT ROWID;
    CREATE TABLE outbox (
        local INTEGER PRIMARY KEY,
        written_ms INTEGER NOT NULL,
        request BLOB NOT NULL,
        state INTEGER NOT NULL,        -- 0 queued, 1 stored above a gap, 2 failed
        inbox_seq INTEGER,             -- of state 1: where it comes again, in a group's log if it is to one
        refusal BLOB                   -- of state 2, if the server gave one
    );
    CREATE TABLE message (
        user TEXT NOT NULL,            -- here and below: a name, or a group (see groups.rs)
        seq INTEGER NOT NULL,
        changed_seq INTEGER NOT NULL,
        client_message_id BLOB,        -- of own messages
        entry BLOB NOT NULL,
        PRIMARY KEY (user, seq)
    ) WITHOUT ROWID;
    CREATE UNIQUE INDEX own_message ON message (user, client_message_id) WHERE client_message_id IS NOT NULL;
    CREATE TABLE conversation (
        user TEXT PRIMARY KEY,
        conversation BLOB NOT NULL,
        counted_inbox_seq INTEGER NOT NULL,
        own_seq INTEGER NOT NULL
    ) WITHOUT ROWID;
    CREATE TABLE covered (
        user TEXT NOT NULL,
        from_seq INTEGER NOT NULL,
        to_seq INTEGER NOT NULL,
        PRIMARY KEY (user, from_seq)
    ) WITHOUT ROWID;
    CREATE TABLE read_pending (user TEXT PRIMARY KEY, seq INTEGER NOT NULL) WITHOUT ROWID;
";

/// The local store.
pub struct Store {
    connection: Connection,
}

impl Store {
    /// Opens the file, or creates it readable for its owner only: it holds the session's secret.
    pub fn open(path: &Path) -> Result<Self, StoreError> {
        let mut options = std::fs::OpenOptions::new();
        options.create(true).append(true);
        #[cfg(unix)]
        std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
        drop(options.open(path)?);
        Self::prepare(Connection::open(path)?)
    }

    /// A store that is gone with its value.
    pub fn in_memory() -> Result<Self, StoreError> {
        Self::prepare(Connection::open_in_memory()?)
    }

    fn prepare(mut connection: Connection) -> Result<Self, StoreError> {
        // A second client on the same file would use up epochs and answer for messages it does not show.
        connection.busy_timeout(std::time::Duration::ZERO)?;
        connection.pragma_update(None, "locking_mode", "EXCLUSIVE")?;
        connection.pragma_update(None, "journal_mode", "WAL")?;
        connection.pragma_update(None, "synchronous", "FULL")?;
        let transaction = connection.transaction_with_behavior(rusqlite::TransactionBehavior::Immediate)?;
        let version: i64 = transaction.pragma_query_value(None, "user_version", |row| row.get(0))?;
        match version {
            SCHEMA_VERSION => {}
            0 | 1 => {
                if version == 0 {
                    transaction.execute_batch(SCHEMA)?;
                }
                transaction.execute_batch(groups::SCHEMA)?;
                transaction.pragma_update(None, "user_version", SCHEMA_VERSION)?;
            }
            _ => return Err(StoreError::Newer),
        }
        transaction.commit()?;
        Ok(Self { connection })
    }

    /// Makes a new file belong to this server and app; refuses one that belongs to another.
    pub fn bind(&mut self, server_key: &[u8; 32], app: &str) -> Result<(), StoreError> {
        let owner = [&server_key[..], app.as_bytes()].concat();
        match self.fact("owner")? {
            Some(known) if known == owner => Ok(()),
            Some(_) => Err(StoreError::Foreign),
            None => Ok(set_fact(&self.connection, "owner", &owner)?),
        }
    }

    /// The id of this install; `fresh` random bytes become it the first time.
    pub fn device_id(&mut self, fresh: [u8; 16]) -> Result<Bytes, StoreError> {
        if let Some(known) = self.fact("device_id")? {
            return Ok(known.into());
        }
        set_fact(&self.connection, "device_id", &fresh)?;
        Ok(Bytes::copy_from_slice(&fresh))
    }

    /// Makes every later write fail.
    #[cfg(test)]
    pub(crate) fn forbid_writing(&mut self) {
        self.connection.pragma_update(None, "query_only", true).expect("the store is open");
    }

    fn fact(&self, name: &str) -> Result<Option<Vec<u8>>, StoreError> {
        let mut statement = self.connection.prepare_cached("SELECT value FROM fact WHERE name = ?1")?;
        Ok(statement.query_row([name], |row| row.get(0)).optional()?)
    }

    fn number(&self, name: &'static str) -> Result<Option<u64>, StoreError> {
        let Some(value) = self.fact(name)? else { return Ok(None) };
        Ok(Some(u64::from_be_bytes(value.try_into().map_err(|_| StoreError::Damaged(name))?)))
    }

    /// Keeps all rows, in order, or none.
    pub fn apply(&mut self, rows: &[Row]) -> Result<(), StoreError> {
        let transaction = self.connection.transaction_with_behavior(rusqlite::TransactionBehavior::Immediate)?;
        for row in rows {
            apply(&transaction, row)?;
        }
        Ok(transaction.commit()?)
    }

    /// What a core starts with.
    pub fn restore(&self) -> Result<Restored, StoreError> {
        let user = self.fact("user")?.map(text).transpose()?;
        let inbox = match (self.number("cursor")?, self.number("log_epoch")?) {
            (Some(cursor), Some(log_epoch)) => Some(InboxPosition { cursor, log_epoch: log_epoch as u32 }),
            _ => None,
        };
        let mut statement = self.connection.prepare("SELECT user, seq FROM read_pending")?;
        let reads = statement.query_map([], |row| Ok((row.get(0)?, seq(row, 1)?)))?;
        Ok(Restored {
            user,
            session: self.session()?,
            inbox,
            outbox: self.outbox()?,
            conversations: self.conversations()?,
            reads: reads.collect::<Result<_, _>>()?,
            groups: self.groups()?,
            groups_token: self.number("groups_token")?.unwrap_or(0),
            list_wanted: self.number("list_wanted")?,
        })
    }

    fn session(&self) -> Result<Option<Session>, StoreError> {
        let facts = (self.fact("session_user")?, self.fact("ticket")?, self.fact("secret")?, self.number("epoch")?);
        let (Some(user), Some(ticket), Some(secret), Some(epoch)) = facts else { return Ok(None) };
        let secret = secret.try_into().map_err(|_| StoreError::Damaged("secret"))?;
        Ok(Some(Session { user: text(user)?, ticket: ticket.into(), secret, epoch: epoch as u32 }))
    }

    fn outbox(&self) -> Result<Vec<OutboxRow>, StoreError> {
        let mut statement = self
            .connection
            .prepare("SELECT local, written_ms, request, state, inbox_seq, refusal FROM outbox ORDER BY local")?;
        let mut rows = statement.query([])?;
        let mut outbox = Vec::new();
        while let Some(row) = rows.next()? {
            let state = match row.get::<_, i64>(3)? {
                0 => OutboxState::Queued,
                1 => OutboxState::Stored { at: seq(row, 4)? },
                2 => {
                    let refusal =
                        row.get::<_, Option<Vec<u8>>>(5)?.map(|bytes| decode(bytes, "refusal")).transpose()?;
                    OutboxState::Failed { refusal }
                }
                _ => return Err(StoreError::Damaged("outbox")),
            };
            let request = decode(row.get(2)?, "outbox")?;
            outbox.push(OutboxRow { local: seq(row, 0)?, written_ms: seq(row, 1)?, request, state });
        }
        Ok(outbox)
    }

    fn conversations(&self) -> Result<Vec<ConversationRow>, StoreError> {
        let mut statement =
            self.connection.prepare("SELECT conversation, counted_inbox_seq, own_seq FROM conversation")?;
        let mut rows = statement.query([])?;
        let mut conversations = Vec::new();
        while let Some(row) = rows.next()? {
            let conversation: proto::Conversation = decode(row.get(0)?, "conversation")?;
            let covered = self.covered(&(&conversation.user).into())?;
            let (counted_inbox_seq, own_seq) = (seq(row, 1)?, seq(row, 2)?);
            conversations.push(ConversationRow { conversation, counted_inbox_seq, own_seq, covered });
        }
        Ok(conversations)
    }

    fn groups(&self) -> Result<Vec<GroupRow>, StoreError> {
        let mut rows = groups::all(&self.connection)?;
        for row in &mut rows {
            row.covered = self.covered(&Peer::group_of(&row.group.group))?;
        }
        Ok(rows)
    }

    fn covered(&self, peer: &Peer) -> Result<Vec<Range>, StoreError> {
        let mut statement =
            self.connection.prepare_cached("SELECT from_seq, to_seq FROM covered WHERE user = ?1 ORDER BY from_seq")?;
        let ranges = statement.query_map([peer], |row| Ok(Range { from: seq(row, 0)?, to: seq(row, 1)? }))?;
        Ok(ranges.collect::<Result<_, _>>()?)
    }

    /// Messages with `from <= seq <= to`, ascending; the newest `limit` of them, or the oldest.
    pub fn messages(
        &self,
        peer: &Peer,
        range: Range,
        limit: u32,
        newest: bool,
    ) -> Result<Vec<proto::Entry>, StoreError> {
        let order = if newest { "DESC" } else { "ASC" };
        let query = format!(
            "SELECT entry FROM message WHERE user = ?1 AND seq BETWEEN ?2 AND ?3 ORDER BY seq {order} LIMIT ?4"
        );
        let mut statement = self.connection.prepare_cached(&query)?;
        let mut rows = statement.query(params![peer, signed(range.from), signed(range.to), limit])?;
        let mut entries = Vec::new();
        while let Some(row) = rows.next()? {
            entries.push(decode(row.get(0)?, "message")?);
        }
        if newest {
            entries.reverse();
        }
        Ok(entries)
    }
}

fn apply(transaction: &Transaction<'_>, row: &Row) -> Result<(), rusqlite::Error> {
    match row {
        Row::User(user) => set_fact(transaction, "user", user.as_bytes()),
        Row::Session(session) => set_session(transaction, session.as_ref()),
        Row::Inbox(InboxPosition { cursor, log_epoch }) => {
            set_number(transaction, "cursor", *cursor)?;
            set_number(transaction, "log_epoch", u64::from(*log_epoch))
        }
        Row::Outbox(row) => put_outbox(transaction, row),
        Row::OutboxDone { local } => {
            execute(transaction, "DELETE FROM outbox WHERE local = ?1", params![signed(*local)])
        }
        Row::Message { peer, entry } => put_message(transaction, peer, entry),
        Row::Deleted { peer, deletion } => {
            let up_to = signed(deletion.up_to_seq);
            execute(transaction, "DELETE FROM message WHERE user = ?1 AND seq <= ?2", params![peer, up_to])?;
            for seq in &deletion.seqs {
                let seq = signed(*seq);
                execute(transaction, "DELETE FROM message WHERE user = ?1 AND seq = ?2", params![peer, seq])?;
            }
            Ok(())
        }
        Row::Absent { peer, range: Range { from, to } } => {
            let range = params![peer, signed(*from), signed(*to)];
            execute(transaction, "DELETE FROM message WHERE user = ?1 AND seq BETWEEN ?2 AND ?3", range)
        }
        Row::Conversation(row) => put_conversation(transaction, row),
        Row::Group(row) => groups::put(transaction, row),
        Row::GroupsToken(token) => set_number(transaction, "groups_token", *token),
        Row::ReadPending { peer, seq: 0 } => {
            execute(transaction, "DELETE FROM read_pending WHERE user = ?1", params![peer])
        }
        Row::ReadPending { peer, seq } => {
            execute(transaction, "INSERT OR REPLACE INTO read_pending VALUES (?1, ?2)", params![peer, signed(*seq)])
        }
        Row::ListWanted(Some(before)) => set_number(transaction, "list_wanted", *before),
        Row::ListWanted(None) => execute(transaction, "DELETE FROM fact WHERE name = 'list_wanted'", []),
    }
}

fn set_session(transaction: &Transaction<'_>, session: Option<&Session>) -> Result<(), rusqlite::Error> {
    let Some(session) = session else {
        let names = "('session_user', 'ticket', 'secret', 'epoch')";
        return execute(transaction, &format!("DELETE FROM fact WHERE name IN {names}"), []);
    };
    set_fact(transaction, "session_user", session.user.as_bytes())?;
    set_fact(transaction, "ticket", &session.ticket)?;
    set_fact(transaction, "secret", &session.secret)?;
    set_number(transaction, "epoch", u64::from(session.epoch))
}

fn put_outbox(transaction: &Transaction<'_>, row: &OutboxRow) -> Result<(), rusqlite::Error> {
    let (state, inbox_seq, refusal) = match &row.state {
        OutboxState::Queued => (0, None, None),
        OutboxState::Stored { at } => (1, Some(signed(*at)), None),
        OutboxState::Failed { refusal } => (2, None, refusal.as_ref().map(proto::Refusal::encode_to_vec)),
    };
    let request = row.request.encode_to_vec();
    execute(
        transaction,
        "INSERT OR REPLACE INTO outbox VALUES (?1, ?2, ?3, ?4, ?5, ?6)",
        params![signed(row.local), signed(row.written_ms), request, state, inbox_seq, refusal],
    )
}

fn put_message(transaction: &Transaction<'_>, peer: &Peer, entry: &proto::Entry) -> Result<(), rusqlite::Error> {
    let seq = signed(entry.seq);
    let client_message_id = (!entry.client_message_id.is_empty()).then_some(&entry.client_message_id[..]);
    if client_message_id.is_some() {
        // A server that was restored from a backup may have numbered the same message anew.
        execute(
            transaction,
            "DELETE FROM message WHERE user = ?1 AND client_message_id = ?2 AND seq <> ?3",
            params![peer, client_message_id, seq],
        )?;
    }
    execute(
        transaction,
        "INSERT INTO message VALUES (?1, ?2, ?3, ?4, ?5) ON CONFLICT (user, seq) DO UPDATE SET
            changed_seq = excluded.changed_seq, client_message_id = excluded.client_message_id, entry = excluded.entry
            WHERE excluded.changed_seq >= message.changed_seq",
        params![peer, seq, signed(entry.changed_seq), client_message_id, entry.encode_to_vec()],
    )
}

fn put_conversation(transaction: &Transaction<'_>, row: &ConversationRow) -> Result<(), rusqlite::Error> {
    let user = &row.conversation.user;
    execute(
        transaction,
        "INSERT OR REPLACE INTO conversation VALUES (?1, ?2, ?3, ?4)",
        params![user, row.conversation.encode_to_vec(), signed(row.counted_inbox_seq), signed(row.own_seq)],
    )?;
    put_covered(transaction, &user.into(), &row.covered)
}

/// Replaces what is held completely of a conversation.
pub(super) fn put_covered(connection: &Connection, peer: &Peer, covered: &[Range]) -> Result<(), rusqlite::Error> {
    execute(connection, "DELETE FROM covered WHERE user = ?1", params![peer])?;
    for range in covered {
        let (from, to) = (signed(range.from), signed(range.to));
        execute(connection, "INSERT INTO covered VALUES (?1, ?2, ?3)", params![peer, from, to])?;
    }
    Ok(())
}

pub(super) fn execute(
    connection: &Connection,
    sql: &str,
    values: impl rusqlite::Params,
) -> Result<(), rusqlite::Error> {
    connection.prepare_cached(sql)?.execute(values).map(drop)
}

fn set_fact(connection: &Connection, name: &str, value: &[u8]) -> Result<(), rusqlite::Error> {
    execute(connection, "INSERT OR REPLACE INTO fact VALUES (?1, ?2)", params![name, value])
}

fn set_number(connection: &Connection, name: &str, value: u64) -> Result<(), rusqlite::Error> {
    set_fact(connection, name, &value.to_be_bytes())
}

/// SQLite knows signed numbers only; seqs never come near the difference.
pub(super) fn signed(value: u64) -> i64 {
    i64::try_from(value).unwrap_or(i64::MAX)
}

pub(super) fn seq(row: &SqlRow<'_>, column: usize) -> Result<u64, rusqlite::Error> {
    row.get::<_, i64>(column).map(|value| value.max(0) as u64)
}

fn text(bytes: Vec<u8>) -> Result<String, StoreError> {
    String::from_utf8(bytes).map_err(|_| StoreError::Damaged("user"))
}

pub(super) fn decode<M: prost::Message + Default>(bytes: Vec<u8>, what: &'static str) -> Result<M, StoreError> {
    M::decode(Bytes::from(bytes)).map_err(|_| StoreError::Damaged(what))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn outbox_row(local: u64, state: OutboxState) -> OutboxRow {
        let request = crate::new_message("b", [local as u8; 16], proto::BodyType::Text, "x");
        OutboxRow { local, written_ms: 7, request, state }
    }

    fn group_row() -> GroupRow {
        let group = proto::Group { group: "b".into(), unread: 2, head_seq: 9, ..Default::default() };
        let covered = vec![Range { from: 2, to: 7 }];
        GroupRow { group, cursor: 7, counted_seq: 6, acked_seq: 5, covered }
    }

    fn some_rows() -> Vec<Row> {
        let refusal = proto::Refusal { code: 14, text: "no".into(), ..Default::default() };
        let conversation = proto::Conversation { user: "b".into(), unread: 3, head_seq: 9, ..Default::default() };
        let covered = vec![Range { from: 1, to: 4 }, Range { from: 6, to: 9 }];
        let row = ConversationRow { conversation, counted_inbox_seq: 5, own_seq: 8, covered };
        vec![
            Row::User("a".into()),
            Row::Session(Some(Session { user: "a".into(), ticket: "t".into(), secret: [7; 32], epoch: 3 })),
            Row::Inbox(InboxPosition { cursor: 12, log_epoch: 2 }),
            Row::Outbox(outbox_row(1, OutboxState::Queued)),
            Row::Outbox(outbox_row(2, OutboxState::Stored { at: 14 })),
            Row::Outbox(outbox_row(3, OutboxState::Failed { refusal: Some(refusal) })),
            Row::Outbox(outbox_row(4, OutboxState::Queued)),
            Row::OutboxDone { local: 4 },
            Row::Conversation(Box::new(row)),
            Row::ReadPending { peer: "b".into(), seq: 4 },
            Row::ReadPending { peer: "c".into(), seq: 4 },
            Row::ReadPending { peer: "c".into(), seq: 0 },
            Row::ListWanted(Some(0)),
            Row::Group(Box::new(group_row())),
            Row::GroupsToken(77),
        ]
    }

    #[test]
    fn what_was_kept_is_given_back_after_reopening() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("client.sqlite");
        let mut store = Store::open(&path).unwrap();
        let device = store.device_id([1; 16]).unwrap();
        store.bind(&[9; 32], "app").unwrap();
        store.apply(&some_rows()).unwrap();
        drop(store);

        let mut store = Store::open(&path).unwrap();
        assert_eq!(store.device_id([2; 16]).unwrap(), device);
        store.bind(&[9; 32], "app").unwrap();
        assert!(matches!(store.bind(&[9; 32], "other"), Err(StoreError::Foreign)));
        let restored = store.restore().unwrap();
        assert_eq!(restored.user.as_deref(), Some("a"));
        let mut kept = some_rows().into_iter();
        assert_eq!(Some(Row::Session(restored.session)), kept.nth(1));
        assert_eq!(Some(Row::Inbox(restored.inbox.unwrap())), kept.next());
        assert_eq!(restored.outbox.into_iter().map(Row::Outbox).collect::<Vec<_>>(), some_rows()[3..6]);
        assert_eq!(Row::Conversation(Box::new(restored.conversations[0].clone())), some_rows()[8]);
        assert_eq!(restored.reads, [(Peer::from("b"), 4)].into());
        assert_eq!(restored.list_wanted, Some(0));
        assert_eq!((restored.groups, restored.groups_token), (vec![group_row()], 77));

        store.apply(&[Row::Session(None), Row::ListWanted(None)]).unwrap();
        let restored = store.restore().unwrap();
        assert_eq!((restored.session, restored.list_wanted), (None, None));
    }

    #[test]
    fn a_second_client_cannot_use_the_same_file() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("client.sqlite");
        let _store = Store::open(&path).unwrap();
        assert!(matches!(Store::open(&path), Err(StoreError::Sqlite(_))));
    }

    #[cfg(unix)]
    #[test]
    fn the_file_is_for_its_owner_only() {
        use std::os::unix::fs::PermissionsExt;
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("client.sqlite");
        let _store = Store::open(&path).unwrap();
        assert_eq!(std::fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
    }

    fn entry(seq: u64, changed_seq: u64, body: &'static str) -> proto::Entry {
        proto::Entry { seq, changed_seq, body: body.into(), ..Default::default() }
    }

    #[test]
    fn a_message_is_kept_once_and_never_grows_older() {
        let mut store = Store::in_memory().unwrap();
        let put = |entry| Row::Message { peer: "b".into(), entry };
        let own =
            |seq| proto::Entry { own: true, client_message_id: Bytes::from_static(&[5; 16]), ..entry(seq, 0, "own") };
        store.apply(&[put(entry(1, 0, "old")), put(entry(1, 3, "edited")), put(entry(1, 0, "old"))]).unwrap();
        store.apply(&[put(own(2)), put(own(2)), put(own(9)), put(entry(4, 0, "four"))]).unwrap();
        let all = Range { from: 0, to: u64::MAX };
        assert_eq!(
            store.messages(&"b".into(), all, 10, true).unwrap(),
            [entry(1, 3, "edited"), entry(4, 0, "four"), own(9)]
        );
        assert_eq!(store.messages(&"b".into(), all, 1, true).unwrap(), [own(9)]);
        assert_eq!(store.messages(&"b".into(), Range { from: 2, to: 9 }, 1, false).unwrap(), [entry(4, 0, "four")]);
        let deletion = proto::Deletion { up_to_seq: 1, seqs: vec![9] };
        store.apply(&[Row::Deleted { peer: "b".into(), deletion }]).unwrap();
        assert_eq!(store.messages(&"b".into(), all, 10, true).unwrap(), [entry(4, 0, "four")]);
    }

    #[test]
    fn a_group_is_not_taken_for_the_person_of_the_same_name() {
        let mut store = Store::in_memory().unwrap();
        let put = |peer: &Peer, body| Row::Message { peer: peer.clone(), entry: entry(1, 0, body) };
        let (person, group) = (Peer::from("b"), Peer::group_of("b"));
        let mark = |peer: &Peer, seq| Row::ReadPending { peer: peer.clone(), seq };
        store.apply(&[put(&person, "one"), put(&group, "all"), mark(&person, 1), mark(&group, 2)]).unwrap();
        let all = Range { from: 0, to: u64::MAX };
        assert_eq!(store.messages(&person, all, 10, true).unwrap(), [entry(1, 0, "one")]);
        assert_eq!(store.messages(&group, all, 10, true).unwrap(), [entry(1, 0, "all")]);
        assert_eq!(store.restore().unwrap().reads, [(person, 1), (group, 2)].into());
    }

    #[test]
    fn a_file_from_before_there_were_groups_is_taken_over() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("client.sqlite");
        let old = Connection::open(&path).unwrap();
        old.execute_batch(SCHEMA).unwrap();
        old.pragma_update(None, "user_version", 1).unwrap();
        drop(old);
        let mut store = Store::open(&path).unwrap();
        store.apply(&[Row::Group(Box::new(group_row()))]).unwrap();
        assert_eq!(store.restore().unwrap().groups, [group_row()]);
    }

    #[test]
    fn what_is_absent_is_taken_and_nothing_beside_it() {
        let mut store = Store::in_memory().unwrap();
        let put = |peer: &str, seq| Row::Message { peer: peer.into(), entry: entry(seq, 0, "x") };
        store.apply(&[1, 2, 3, 4].map(|seq| put("b", seq))).unwrap();
        store.apply(&[put("c", 2), Row::Absent { peer: "b".into(), range: Range { from: 2, to: 3 } }]).unwrap();
        let all = Range { from: 0, to: u64::MAX };
        assert_eq!(store.messages(&"b".into(), all, 10, true).unwrap(), [entry(1, 0, "x"), entry(4, 0, "x")]);
        assert_eq!(store.messages(&"c".into(), all, 10, true).unwrap(), [entry(2, 0, "x")]);
    }
}
