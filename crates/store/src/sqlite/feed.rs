//! The change feed for gates that follow it.

use hongyan_domain::environment::Pending;
use hongyan_domain::id::{SessionId, UserId};
use rusqlite::Connection;

use super::fault::Result;
use super::heads::InboxEnds;
use super::{SqliteStore, changes};
use crate::feed::{Changes, Feed, Since};

fn inbox_heads(connection: &Connection, users: &[UserId]) -> Result<Vec<(UserId, u64)>> {
    let mut heads = Vec::with_capacity(users.len());
    for user in users {
        heads.extend(InboxEnds::load(connection, *user)?.map(|ends| (*user, ends.head)));
    }
    Ok(heads)
}

impl Feed for SqliteStore {
    fn changes(&self, token: u64, limit: u32) -> Pending<'_, crate::Result<Changes>> {
        match self.cached_changes().page(token, limit) {
            Some(page) => Box::pin(std::future::ready(Ok(page))),
            None => {
                let newest = self.cached_changes().newest();
                self.read(move |connection| changes::page(connection, token, limit, newest))
            }
        }
    }

    fn token(&self) -> u64 {
        self.cached_changes().newest()
    }

    fn since(&self, token: u64, user: UserId, session: SessionId) -> Option<Since> {
        self.cached_changes().since(token, user, session)
    }

    fn log_epoch(&self) -> u32 {
        self.epoch()
    }

    fn inbox_heads(&self, users: Vec<UserId>) -> Pending<'_, crate::Result<Vec<(UserId, u64)>>> {
        self.read(move |connection| inbox_heads(connection, &users))
    }
}
