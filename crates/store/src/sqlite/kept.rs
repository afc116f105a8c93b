//! What makes the writer's frequent statements cheap: those kept at hand for a batch, and which sessions are known to
//! live.

use std::collections::BTreeSet;

use hongyan_domain::id::SessionId;
use rusqlite::{CachedStatement, Connection};

use super::fault::{Fault, Result};

/// Sessions that are remembered at most, about 2 MiB.
const SESSIONS_MAX: usize = 64 * 1024;

/// A statement that is looked up in the connection's cache once for a batch: a look-up costs a fifth of an insert.
pub(super) struct Kept<'c> {
    connection: &'c Connection,
    sql: &'static str,
    statement: Option<CachedStatement<'c>>,
}

impl<'c> Kept<'c> {
    /// Not looked up yet.
    pub(super) fn new(connection: &'c Connection, sql: &'static str) -> Self {
        Self { connection, sql, statement: None }
    }

    /// The statement.
    pub(super) fn get(&mut self) -> Result<&mut CachedStatement<'c>> {
        if self.statement.is_none() {
            self.statement = Some(self.connection.prepare_cached(self.sql)?);
        }
        self.statement.as_mut().ok_or(Fault::Row("a statement that was just prepared"))
    }
}

/// Sessions whose rows said in an earlier commit that they live. It never lies: only the writer ends sessions, and then
/// it forgets them here first.
#[derive(Default)]
pub(super) struct KnownSessions(BTreeSet<SessionId>);

impl KnownSessions {
    /// Whether the row need not be read.
    pub(super) fn is_alive(&self, session: SessionId) -> bool {
        self.0.contains(&session)
    }

    /// It ends, or may end, with the present transaction.
    pub(super) fn forget(&mut self, session: SessionId) {
        self.0.remove(&session);
    }

    /// They were alive at the end of a transaction that is durable.
    pub(super) fn learn(&mut self, sessions: impl Iterator<Item = SessionId>) {
        if self.0.len() >= SESSIONS_MAX {
            self.0.clear();
        }
        self.0.extend(sessions);
    }
}
