//! Sessions and devices: the login transaction, resume, revocation.

use hongyan_domain::environment::Pending;
use hongyan_domain::id::{AppId, DeviceKey, SessionId, UserId};
use hongyan_domain::session::{Caller, EndReason, LiveSession, Term, ended_by_login};
use hongyan_domain::time::UnixMillis;
use rusqlite::{Connection, OptionalExtension};

use super::batch::{Batch, Counter};
use super::fault::{Fault, Result};
use super::{SqliteStore, accounts, cursors, inbox};
use crate::sessions::{CursorAdvance, OpenSession, Opened, Resumption, Sessions};
use crate::timeline::InboxPage;

/// Bytes of bodies in the page of a resume: a sync page (design §12).
const RESUME_BYTES_MAX: usize = 60_000;

/// The number of a reason in the store.
pub(super) fn reason_number(reason: EndReason) -> u8 {
    match reason {
        EndReason::SameTermLogin => 1,
        EndReason::Revoked => 2,
        EndReason::LoggedOut => 3,
    }
}

/// The reason of a number.
pub(super) fn reason_from_number(number: i64) -> Result<EndReason> {
    match number {
        1 => Ok(EndReason::SameTermLogin),
        2 => Ok(EndReason::Revoked),
        3 => Ok(EndReason::LoggedOut),
        _ => Err(Fault::Row("an unknown reason of a session's end")),
    }
}

fn term_from_number(number: i32) -> Result<Term> {
    Term::from_number(number).ok_or(Fault::Row("an unknown term"))
}

fn open(batch: &mut Batch<'_>, login: &OpenSession, log_epoch: u32) -> Result<Option<Opened>> {
    let inbox_head = batch.inbox(login.user)?.head;
    let known = known_device(batch.connection, login)?;
    let contender = login.contender(known.map(|(device, _)| device));
    let Some(ended) = ended_by_login(&live(batch.connection, login.user)?, &contender) else { return Ok(None) };
    let (device, inbox_cursor) = match known {
        Some((device, inbox_cursor)) => {
            use_device(batch.connection, login, device)?;
            (device, inbox_cursor)
        }
        None => (new_device(batch, login)?, 0),
    };
    for (session, reason) in &ended {
        end(batch, *session, *reason, login.now)?;
    }
    let mut statement = batch
        .connection
        .prepare_cached("INSERT INTO session (id, app, user, device, term, opened) VALUES (?1, ?2, ?3, ?4, ?5, ?6)")?;
    let term = login.term as i32;
    statement.execute((login.session.0, login.app.0, login.user.0, device.0, term, login.connected.0))?;
    batch.session_opened(login.session);
    forget_devices(batch.connection, login.user, login.devices_max)?;
    Ok(Some(Opened { device, inbox_cursor, inbox_head, log_epoch, ended }))
}

/// The device of the login and its cursor, if it is known.
fn known_device(connection: &Connection, login: &OpenSession) -> Result<Option<(DeviceKey, u64)>> {
    let mut statement =
        connection.prepare_cached("SELECT id, inbox_cursor FROM device WHERE user = ?1 AND device_id = ?2")?;
    let row = statement.query_row((login.user.0, &login.device_id), |row| Ok((DeviceKey(row.get(0)?), row.get(1)?)));
    Ok(row.optional()?)
}

fn use_device(connection: &Connection, login: &OpenSession, device: DeviceKey) -> Result<()> {
    let mut statement = connection.prepare_cached("UPDATE device SET term = ?2, used = max(used, ?3) WHERE id = ?1")?;
    statement.execute((device.0, login.term as i32, login.now.0))?;
    Ok(())
}

fn new_device(batch: &mut Batch<'_>, login: &OpenSession) -> Result<DeviceKey> {
    let id = DeviceKey::in_shard(batch.next_counter(Counter::Device)?, login.user.shard());
    batch
        .connection
        .prepare_cached("INSERT INTO device (id, user, device_id, term, used) VALUES (?1, ?2, ?3, ?4, ?5)")?
        .execute((id.0, login.user.0, &login.device_id, login.term as i32, login.now.0))?;
    Ok(id)
}

/// Forgets the least recently used devices without a live session, down to the limit.
fn forget_devices(connection: &Connection, user: UserId, devices_max: u32) -> Result<()> {
    let mut statement = connection.prepare_cached("SELECT count(*) FROM device WHERE user = ?1")?;
    let count: u32 = statement.query_row([user.0], |row| row.get(0))?;
    let surplus = count.saturating_sub(devices_max.max(1));
    if surplus == 0 {
        return Ok(());
    }
    let mut statement = connection.prepare_cached(
        "DELETE FROM device WHERE id IN (SELECT id FROM device WHERE user = ?1 AND id NOT IN \
         (SELECT device FROM session WHERE user = ?1 AND reason IS NULL) ORDER BY used, id LIMIT ?2)",
    )?;
    statement.execute((user.0, surplus))?;
    Ok(())
}

/// In order of opening.
fn live(connection: &Connection, user: UserId) -> Result<Vec<LiveSession>> {
    let mut statement = connection.prepare_cached(
        "SELECT id, device, term, opened FROM session WHERE user = ?1 AND reason IS NULL ORDER BY number",
    )?;
    let mut rows = statement.query([user.0])?;
    let mut live = Vec::new();
    while let Some(row) = rows.next()? {
        live.push(LiveSession {
            session: SessionId(row.get(0)?),
            device: DeviceKey(row.get(1)?),
            term: term_from_number(row.get(2)?)?,
            connected: UnixMillis(row.get(3)?),
        });
    }
    Ok(live)
}

/// Ends a session; false if it had ended, or never was.
fn end(batch: &mut Batch<'_>, session: SessionId, reason: EndReason, now: UnixMillis) -> Result<bool> {
    let mut statement = batch
        .connection
        .prepare_cached("UPDATE session SET reason = ?2, ended = ?3 WHERE id = ?1 AND reason IS NULL")?;
    let ended = statement.execute((session.0, reason_number(reason), now.0))? == 1;
    if ended {
        batch.session_ended(session, reason);
    }
    Ok(ended)
}

/// Ends all sessions of a user; tells which.
pub(super) fn end_all(
    batch: &mut Batch<'_>,
    user: UserId,
    reason: EndReason,
    now: UnixMillis,
) -> Result<Vec<SessionId>> {
    let sessions: Vec<SessionId> = live(batch.connection, user)?.iter().map(|live| live.session).collect();
    for session in &sessions {
        end(batch, *session, reason, now)?;
    }
    Ok(sessions)
}

/// A session as a resume needs it.
fn session(connection: &Connection, session: SessionId) -> Result<Option<std::result::Result<Caller, EndReason>>> {
    let mut statement =
        connection.prepare_cached("SELECT app, user, device, term, reason FROM session WHERE id = ?1")?;
    let mut rows = statement.query([session.0])?;
    let Some(row) = rows.next()? else { return Ok(None) };
    if let Some(reason) = row.get::<_, Option<i64>>(4)? {
        return Ok(Some(Err(reason_from_number(reason)?)));
    }
    let user = UserId(row.get(1)?);
    let name = accounts::user_name(connection, user)?.ok_or(Fault::Row("a session of no user"))?;
    Ok(Some(Ok(Caller {
        app: AppId(row.get(0)?),
        user,
        name,
        device: DeviceKey(row.get(2)?),
        term: term_from_number(row.get(3)?)?,
        session,
    })))
}

fn resume(
    connection: &Connection,
    asked: SessionId,
    inbox_cursor: u64,
    limit: u32,
    log_epoch: u32,
) -> Result<Resumption> {
    let session = session(connection, asked)?;
    let Some(Ok(caller)) = &session else {
        return Ok(Resumption { session, page: InboxPage::default(), device_cursor: None });
    };
    let page = inbox::page(connection, caller.user, inbox_cursor, limit, RESUME_BYTES_MAX, log_epoch)?;
    let mut statement = connection.prepare_cached("SELECT inbox_cursor FROM device WHERE id = ?1")?;
    let device_cursor = statement.query_row([caller.device.0], |row| row.get(0)).optional()?;
    Ok(Resumption { session, page, device_cursor })
}

impl Sessions for SqliteStore {
    fn open_session(&self, login: OpenSession) -> Pending<'_, crate::Result<Option<Opened>>> {
        let log_epoch = self.epoch();
        self.write(move |batch| open(batch, &login, log_epoch))
    }

    fn resume(&self, session: SessionId, inbox_cursor: u64, limit: u32) -> Pending<'_, crate::Result<Resumption>> {
        let log_epoch = self.epoch();
        self.read(move |connection| resume(connection, session, inbox_cursor, limit, log_epoch))
    }

    fn end_session(&self, session: SessionId, reason: EndReason, now: UnixMillis) -> Pending<'_, crate::Result<bool>> {
        self.write(move |batch| end(batch, session, reason, now))
    }

    fn end_sessions(
        &self,
        user: UserId,
        reason: EndReason,
        now: UnixMillis,
    ) -> Pending<'_, crate::Result<Vec<SessionId>>> {
        self.write(move |batch| end_all(batch, user, reason, now))
    }

    fn advance_cursors(&self, advances: Vec<CursorAdvance>) -> Pending<'_, crate::Result<()>> {
        self.write(move |batch| cursors::advance(batch, &advances))
    }
}
