//! Visitors' rows, what they and their hosts are where access is decided, and how a visitor becomes history of an account.
//! These are rows of users; no statement here touches a conversation.

use hongyan_domain::environment::Pending;
use hongyan_domain::id::{ConversationId, UserId};
use hongyan_domain::name::Name;
use hongyan_domain::session::EndReason;
use hongyan_domain::time::UnixMillis;
use hongyan_domain::visitor::{Standing, Visitor};
use rusqlite::{Connection, OptionalExtension};

use super::batch::{Batch, Reference};
use super::fault::{Fault, Result};
use super::{SqliteStore, accounts, marks, sessions};
use crate::feed::{Committed, CommittedWhat};
use crate::timeline::About;
use crate::visitors::{Claim, ClaimOutcome, Visit, Visited, Visitors};

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
    let user = user.ok_or(Fault::Row("a user who was just missing"))?.id;
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

fn claim(batch: &mut Batch<'_>, claim: &Claim) -> Result<ClaimOutcome> {
    let Some(user) = accounts::user(batch.connection, claim.app, &claim.visitor)? else {
        return Ok(ClaimOutcome::Unknown);
    };
    let known = match load(batch.connection, user.id)? {
        Some(known) => known,
        None => return Ok(ClaimOutcome::Unknown),
    };
    match known.account {
        Some(account) if account == claim.account => return Ok(ClaimOutcome::Repeated),
        Some(_) => return Ok(ClaimOutcome::Taken),
        None => {}
    }
    save(batch.connection, user.id, &Visitor { account: Some(claim.account), ..known })?;
    let mut statement =
        batch.connection.prepare_cached("UPDATE user SET access_version = access_version + 1 WHERE id = ?1")?;
    statement.execute([user.id.0])?;
    let ended = sessions::end_all(batch, user.id, EndReason::Revoked, claim.now)?;
    for conversation in batch.conversations_of(user.id)? {
        let correspondent = batch.conversation(conversation)?.other(user.id);
        tell(batch, claim, conversation, user.id, correspondent, &claim.visitor)?;
        // A host may turn out to have visited themselves; they have the conversation already.
        if correspondent != claim.account {
            let name = accounts::user_name(batch.connection, correspondent)?;
            let name = name.ok_or(Fault::Row("a conversation of nobody"))?;
            tell(batch, claim, conversation, user.id, claim.account, &name)?;
        }
    }
    Ok(ClaimOutcome::Claimed { ended })
}

/// One inbox entry: of `reader`, to whom the conversation is known by the name `about`.
fn tell(
    batch: &mut Batch<'_>,
    claim: &Claim,
    conversation: ConversationId,
    visitor: UserId,
    reader: UserId,
    about: &Name,
) -> Result<()> {
    let payload = marks::numbers_to_bytes(&[visitor.0 as u64, claim.account.0 as u64]);
    let inbox_seq = batch.refer(reader, conversation, Some(claim.now), &Reference::Claimed(&payload))?;
    batch.tell(Committed {
        app: claim.app,
        user: reader,
        inbox_seq,
        conversation,
        about: About::Person(about.clone()),
        origin: claim.session,
        what: CommittedWhat::Claimed { visitor: claim.visitor.clone(), account: claim.account_name.clone() },
    });
    Ok(())
}

impl Visitors for SqliteStore {
    fn claim_visitor(&self, claim: Claim) -> Pending<'_, crate::Result<ClaimOutcome>> {
        self.write_as(claim.session, move |batch| self::claim(batch, &claim))
    }

    fn visit(&self, visit: Visit) -> Pending<'_, crate::Result<Visited>> {
        self.write(move |batch| self::visit(batch, &visit))
    }

    fn visitor(&self, user: UserId) -> Pending<'_, crate::Result<Option<Visitor>>> {
        self.read(move |connection| load(connection, user))
    }
}
