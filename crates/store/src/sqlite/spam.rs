//! Lists of words, audits, messages that wait for a review: written seldom, read by pages.

use bytes::Bytes;
use hongyan_domain::environment::Pending;
use hongyan_domain::id::{AppId, ClientId, ConversationId, SessionId, UserId};
use hongyan_domain::message::Draft;
use hongyan_domain::room::DisplayName;
use hongyan_domain::spam::Class;
use hongyan_domain::time::UnixMillis;
use rusqlite::{Connection, OptionalExtension, Row};

use super::SqliteStore;
use super::accounts::name_from_text;
use super::batch::Batch;
use super::fault::{Fault, Result};
use super::message::{SILENT, UNCOUNTED, storable};
use crate::spam::{
    Audit, HELD_PER_APP_MAX, HELD_PER_SENDER_MAX, HeldMessage, HeldPlace, HeldState, HoldOutcome, Spam, WordsHead,
};

fn class_from_text(text: &str) -> Result<Class> {
    Class::parse(text).ok_or(Fault::Row("a class of words that is none"))
}

fn set_words(
    batch: &Batch<'_>,
    app: AppId,
    class: Class,
    text: &str,
    changed: UnixMillis,
) -> Result<Option<WordsHead>> {
    let mut raise = batch
        .connection
        .prepare_cached("UPDATE app SET words_version = words_version + 1 WHERE id = ?1 RETURNING words_version")?;
    let Some(version) = raise.query_row([app.0], |row| row.get::<_, u64>(0)).optional()? else { return Ok(None) };
    let words = text.lines().filter(|line| !line.trim().is_empty()).count() as u64;
    if words == 0 {
        let mut remove = batch.connection.prepare_cached("DELETE FROM spam_words WHERE app = ?1 AND class = ?2")?;
        remove.execute((app.0, class.name()))?;
    } else {
        let mut replace = batch.connection.prepare_cached(
            "INSERT OR REPLACE INTO spam_words (app, class, version, words, changed, text) \
             VALUES (?1, ?2, ?3, ?4, ?5, ?6)",
        )?;
        replace.execute((app.0, class.name(), version, words, changed.0, text))?;
    }
    Ok(Some(WordsHead { class, version, words, changed }))
}

fn word_heads(connection: &Connection, app: AppId) -> Result<Vec<WordsHead>> {
    let mut statement = connection
        .prepare_cached("SELECT class, version, words, changed FROM spam_words WHERE app = ?1 ORDER BY class")?;
    let mut rows = statement.query([app.0])?;
    let mut heads = Vec::new();
    while let Some(row) = rows.next()? {
        let class = class_from_text(&row.get::<_, String>(0)?)?;
        heads.push(WordsHead { class, version: row.get(1)?, words: row.get(2)?, changed: UnixMillis(row.get(3)?) });
    }
    Ok(heads)
}

fn words(connection: &Connection, app: AppId) -> Result<(u64, Vec<(Class, String)>)> {
    let mut version = connection.prepare_cached("SELECT words_version FROM app WHERE id = ?1")?;
    let version = version.query_row([app.0], |row| row.get(0)).optional()?.unwrap_or(0);
    let mut statement = connection.prepare_cached("SELECT class, text FROM spam_words WHERE app = ?1")?;
    let mut rows = statement.query([app.0])?;
    let mut lists = Vec::new();
    while let Some(row) = rows.next()? {
        lists.push((class_from_text(&row.get::<_, String>(0)?)?, row.get(1)?));
    }
    Ok((version, lists))
}

fn audit(batch: &Batch<'_>, audits: &[Audit]) -> Result<()> {
    let mut statement = batch.connection.prepare_cached(
        "INSERT INTO spam_audit (app, user, time, kind, action, rule, digest, excerpt) \
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)",
    )?;
    for audit in audits {
        let Audit { app, user, time, kind, action, rule, digest, excerpt } = audit;
        statement.execute((app.0, user.0, time.0, kind, action, rule, *digest as i64, excerpt))?;
    }
    Ok(())
}

fn audits(connection: &Connection, app: AppId, before: u64, limit: u32) -> Result<Vec<(u64, Audit)>> {
    let before = if before == 0 { i64::MAX } else { storable(before) };
    let mut statement = connection.prepare_cached(
        "SELECT number, user, time, kind, action, rule, digest, excerpt FROM spam_audit \
         WHERE app = ?1 AND number < ?2 ORDER BY number DESC LIMIT ?3",
    )?;
    let mut rows = statement.query((app.0, before, limit))?;
    let mut audits = Vec::new();
    while let Some(row) = rows.next()? {
        let audit = Audit {
            app,
            user: UserId(row.get(1)?),
            time: UnixMillis(row.get(2)?),
            kind: row.get(3)?,
            action: row.get(4)?,
            rule: row.get(5)?,
            digest: row.get::<_, i64>(6)? as u64,
            excerpt: row.get(7)?,
        };
        audits.push((row.get(0)?, audit));
    }
    Ok(audits)
}

fn state_from_number(number: i64) -> Result<HeldState> {
    match number {
        0 => Ok(HeldState::Waits),
        1 => Ok(HeldState::Released),
        2 => Ok(HeldState::Discarded),
        _ => Err(Fault::Row("a state of a held message that is none")),
    }
}

fn hold(batch: &mut Batch<'_>, session: SessionId, message: &HeldMessage) -> Result<HoldOutcome> {
    if !batch.is_alive(session)? {
        return Ok(HoldOutcome::SessionEnded);
    }
    let connection = batch.connection;
    let (place, room_name, room_from) = match &message.place {
        HeldPlace::Direct(other) => (other.0, None, None),
        HeldPlace::Room { room, name, from } => (room.0, Some(name.as_str()), Some(from.as_str())),
    };
    let mut earlier = connection
        .prepare_cached("SELECT digest, state FROM spam_held WHERE place = ?1 AND sender = ?2 AND client_id = ?3")?;
    let earlier = earlier.query_row((place, message.sender.0, message.client_id.0), |row| {
        Ok((row.get::<_, i64>(0)? as u64, row.get::<_, i64>(1)?))
    });
    if let Some((digest, state)) = earlier.optional()? {
        let held = state_from_number(state)?;
        return Ok(if digest == message.digest { HoldOutcome::Held(held) } else { HoldOutcome::Conflict });
    }
    if is_full(connection, message)? {
        return Ok(HoldOutcome::Full);
    }
    let draft = &message.draft;
    let flags = if draft.silent { SILENT } else { 0 } | if draft.uncounted { UNCOUNTED } else { 0 };
    let mut insert = connection.prepare_cached(
        "INSERT INTO spam_held (app, sender, client_id, place, room_name, room_from, digest, time, rule, flags, reply_to, \
         expires_at, body_type, text, body) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14, ?15)",
    )?;
    insert.execute((
        message.app.0,
        message.sender.0,
        message.client_id.0,
        place,
        room_name,
        room_from,
        message.digest as i64,
        message.time.0,
        &message.rule,
        flags,
        draft.reply_to as i64,
        draft.expires_at.0 as i64,
        draft.body_type,
        &draft.text,
        &draft.body[..],
    ))?;
    Ok(HoldOutcome::Held(HeldState::Waits))
}

/// Whether too many wait already.
fn is_full(connection: &Connection, message: &HeldMessage) -> Result<bool> {
    let mut of_sender =
        connection.prepare_cached("SELECT 1 FROM spam_held WHERE sender = ?1 AND state = 0 LIMIT 1 OFFSET ?2")?;
    if of_sender.exists((message.sender.0, HELD_PER_SENDER_MAX as i64 - 1))? {
        return Ok(true);
    }
    let mut of_app =
        connection.prepare_cached("SELECT 1 FROM spam_held WHERE app = ?1 AND state = 0 LIMIT 1 OFFSET ?2")?;
    Ok(of_app.exists((message.app.0, HELD_PER_APP_MAX as i64 - 1))?)
}

/// The columns of [`held_from_row`].
const HELD_COLUMNS: &str = "number, sender, client_id, place, room_name, room_from, digest, time, rule, flags, reply_to, \
     expires_at, body_type, text, body";

fn held_from_row(app: AppId, row: &Row<'_>) -> Result<(u64, HeldMessage)> {
    let flags: i64 = row.get(9)?;
    let place: i64 = row.get(3)?;
    let place = match (row.get::<_, Option<String>>(4)?, row.get::<_, Option<String>>(5)?) {
        (Some(name), Some(from)) => HeldPlace::Room {
            room: ConversationId(place),
            name: name_from_text(&name)?,
            from: DisplayName::stored(&from),
        },
        _ => HeldPlace::Direct(UserId(place)),
    };
    let draft = Draft {
        body_type: row.get(12)?,
        body: Bytes::copy_from_slice(row.get_ref(14)?.as_blob().map_err(rusqlite::Error::from)?),
        text: row.get(13)?,
        reply_to: row.get::<_, i64>(10)? as u64,
        expires_at: UnixMillis(row.get::<_, i64>(11)? as u64),
        silent: flags & SILENT != 0,
        uncounted: flags & UNCOUNTED != 0,
        mentions: None,
    };
    let message = HeldMessage {
        app,
        sender: UserId(row.get(1)?),
        place,
        client_id: ClientId(row.get(2)?),
        digest: row.get::<_, i64>(6)? as u64,
        time: UnixMillis(row.get(7)?),
        rule: row.get(8)?,
        draft,
    };
    Ok((row.get(0)?, message))
}

fn held(connection: &Connection, app: AppId, after: u64, limit: u32) -> Result<Vec<(u64, HeldMessage)>> {
    let mut statement = connection.prepare_cached(&format!(
        "SELECT {HELD_COLUMNS} FROM spam_held WHERE app = ?1 AND state = 0 AND number > ?2 ORDER BY number LIMIT ?3"
    ))?;
    let mut rows = statement.query((app.0, storable(after), limit))?;
    let mut held = Vec::new();
    while let Some(row) = rows.next()? {
        held.push(held_from_row(app, row)?);
    }
    Ok(held)
}

fn held_message(connection: &Connection, app: AppId, number: u64) -> Result<Option<HeldMessage>> {
    let mut statement = connection.prepare_cached(&format!(
        "SELECT {HELD_COLUMNS} FROM spam_held WHERE app = ?1 AND number = ?2 AND state = 0"
    ))?;
    let mut rows = statement.query((app.0, storable(number)))?;
    rows.next()?.map(|row| held_from_row(app, row).map(|(_, message)| message)).transpose()
}

fn settle_held(batch: &Batch<'_>, app: AppId, number: u64, state: HeldState) -> Result<bool> {
    let mut statement = batch
        .connection
        .prepare_cached("UPDATE spam_held SET state = ?3 WHERE app = ?1 AND number = ?2 AND state = 0")?;
    Ok(statement.execute((app.0, storable(number), state as i64))? == 1)
}

impl Spam for SqliteStore {
    fn set_words(
        &self,
        app: AppId,
        class: Class,
        text: String,
        now: UnixMillis,
    ) -> Pending<'_, crate::Result<Option<WordsHead>>> {
        self.write(move |batch| set_words(batch, app, class, &text, now))
    }

    fn word_heads(&self, app: AppId) -> Pending<'_, crate::Result<Vec<WordsHead>>> {
        self.read(move |connection| word_heads(connection, app))
    }

    fn words(&self, app: AppId) -> Pending<'_, crate::Result<(u64, Vec<(Class, String)>)>> {
        self.read(move |connection| words(connection, app))
    }

    fn audit(&self, audits: Vec<Audit>) -> Pending<'_, crate::Result<()>> {
        let Some(first) = audits.first() else { return Box::pin(std::future::ready(Ok(()))) };
        let (app, items) = (first.app, audits.len());
        self.write_items(app, items, false, move |batch| audit(batch, &audits))
    }

    fn audits(&self, app: AppId, before: u64, limit: u32) -> Pending<'_, crate::Result<Vec<(u64, Audit)>>> {
        self.read(move |connection| audits(connection, app, before, limit))
    }

    fn hold(&self, session: SessionId, message: HeldMessage) -> Pending<'_, crate::Result<HoldOutcome>> {
        self.write_items(message.app, 1, false, move |batch| hold(batch, session, &message))
    }

    fn held(&self, app: AppId, after: u64, limit: u32) -> Pending<'_, crate::Result<Vec<(u64, HeldMessage)>>> {
        self.read(move |connection| held(connection, app, after, limit))
    }

    fn held_message(&self, app: AppId, number: u64) -> Pending<'_, crate::Result<Option<HeldMessage>>> {
        self.read(move |connection| held_message(connection, app, number))
    }

    fn settle_held(&self, app: AppId, number: u64, state: HeldState) -> Pending<'_, crate::Result<bool>> {
        self.write(move |batch| settle_held(batch, app, number, state))
    }
}
