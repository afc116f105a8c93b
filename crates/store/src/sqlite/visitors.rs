//! Visitors' rows, and what they and their hosts are where access is decided. These are rows of users; no statement here
//! touches a conversation.

use hongyan_domain::environment::Pending;
use hongyan_domain::id::UserId;
use hongyan_domain::time::UnixMillis;
use hongyan_domain::visitor::{Standing, Visitor};
use rusqlite::{Connection, OptionalExtension};

use super::batch::Batch;
use super::fault::Result;
use super::{SqliteStore, accounts};
use crate::visitors::{Visit, Visited, Visitors};

/// What is known of a visitor; `None` of everybody else.
pub(super) fn load(connection: &Connection, user: UserId) -> Result<Option<Visitor>> {
    let mut statement = connection.prepare_cached(
        "SELECT first_visit, last_visit, visits, page, referrer, account FROM visitor WHERE user = ?1",
    )?;
    let found = statement.query_row([user.0], |row| {
        Ok(Visitor {
            first_visit: UnixMillis(row.get(0)?),
            last_visit: UnixMillis(row.get(1)?),
            visits: row.get(2)?,
            page: row.get(3)?,
            referrer: row.get(4)?,
            account: row.get::<_, Option<i64>>(5)?.map(UserId),
        })
    });
    Ok(found.optional()?)
}

fn save(connection: &Connection, user: UserId, visitor: &Visitor) -> Result<()> {
    let mut statement = connection.prepare_cached(
        "INSERT INTO visitor (user, first_visit, last_visit, visits, page, referrer, account) \
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7) ON CONFLICT DO UPDATE SET \
         last_visit = ?3, visits = ?4, page = ?5, referrer = ?6, account = ?7",
    )?;
    let Visitor { visits, first_visit, last_visit, page, referrer, account } = visitor;
    let account = account.map(|account| account.0);
    statement.execute((user.0, first_visit.0, last_visit.0, visits, page, referrer, account))?;
    Ok(())
}

/// What a user is, and the version of that; who does not exist is like everybody.
pub(super) fn standing(connection: &Connection, user: UserId) -> Result<(Standing, u64)> {
    let mut statement = connection.prepare_cached(
        "SELECT takes_visitors, access_version, visitor.user IS NOT NULL, visitor.account IS NOT NULL \
         FROM user LEFT JOIN visitor ON visitor.user = user.id WHERE user.id = ?1",
    )?;
    let found = statement.query_row([user.0], |row| {
        let (takes_visitors, version, is_visitor, claimed) = (row.get(0)?, row.get(1)?, row.get(2)?, row.get(3)?);
        let standing = if is_visitor { Standing::Visitor { claimed } } else { Standing::Person { takes_visitors } };
        Ok((standing, version))
    });
    Ok(found.optional()?.unwrap_or((Standing::Person { takes_visitors: false }, 0)))
}

/// Lets visitors write to a user, or takes that away; false if there is no such user.
pub(super) fn set_takes_visitors(batch: &Batch<'_>, user: UserId, takes_visitors: bool) -> Result<bool> {
    let mut statement = batch.connection.prepare_cached(
        "UPDATE user SET takes_visitors = ?2, access_version = access_version + (takes_visitors AND NOT ?2) \
         WHERE id = ?1",
    )?;
    Ok(statement.execute((user.0, takes_visitors))? == 1)
}

fn visit(batch: &mut Batch<'_>, visit: &Visit) -> Result<Visited> {
    let Visit { app, name, page, referrer, now } = visit;
    let user = match accounts::user(batch.connection, *app, name)? {
        Some(user) if user.disabled => return Ok(Visited::Disabled),
        Some(user) => Some(user),
        None => accounts::create_user(batch, *app, name, None, *now)?,
    };
    let user = user.ok_or(super::fault::Fault::Row("a user who was just missing"))?.id;
    let visitor = match load(batch.connection, user)? {
        Some(Visitor { account: Some(_), .. }) => return Ok(Visited::Claimed),
        Some(mut visitor) => {
            visitor.came_again(page.clone(), referrer.clone(), *now);
            visitor
        }
        None => Visitor::new(page.clone(), referrer.clone(), *now),
    };
    save(batch.connection, user, &visitor)?;
    Ok(Visited::User(user))
}

impl Visitors for SqliteStore {
    fn visit(&self, visit: Visit) -> Pending<'_, crate::Result<Visited>> {
        self.write(move |batch| self::visit(batch, &visit))
    }

    fn visitor(&self, user: UserId) -> Pending<'_, crate::Result<Option<Visitor>>> {
        self.read(move |connection| load(connection, user))
    }
}
