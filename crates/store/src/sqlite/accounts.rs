//! Apps, their keys, users. Seldom written, often read by name.

use hongyan_domain::app::{App, AppKey, AppSettings, KeyAlgorithm};
use hongyan_domain::environment::Pending;
use hongyan_domain::id::{AppId, UserId};
use hongyan_domain::name::Name;
use hongyan_domain::session::EndReason;
use hongyan_domain::time::UnixMillis;
use rusqlite::{Connection, OptionalExtension, Row};

use super::batch::{Batch, Counter};
use super::fault::{Fault, Result};
use super::{SqliteStore, sessions, shard, visitors};
use crate::accounts::{Accounts, User};

/// A name that was checked when it was stored.
pub(super) fn name_from_text(text: &str) -> Result<Name> {
    Name::parse_anybody(text).ok_or(Fault::Row("a name that is none"))
}

fn settings_to_json(settings: &AppSettings) -> Result<String> {
    serde_json::to_string(settings).map_err(|_| Fault::Row("settings that cannot be written"))
}

fn create_app(batch: &mut Batch<'_>, name: &Name, settings: &AppSettings, now: UnixMillis) -> Result<Option<App>> {
    if app(batch.connection, name)?.is_some() {
        return Ok(None);
    }
    let id = AppId::in_shard(batch.next_counter(Counter::App)?, shard::of_app(name));
    batch
        .connection
        .prepare_cached("INSERT INTO app (id, name, settings, created) VALUES (?1, ?2, ?3, ?4)")?
        .execute((id.0, name.as_str(), settings_to_json(settings)?, now.0))?;
    Ok(Some(App { id, name: name.clone(), settings: settings.clone(), words_version: 0 }))
}

fn app_from_row(row: &Row<'_>) -> Result<App> {
    let text: String = row.get(2)?;
    Ok(App {
        id: AppId(row.get(0)?),
        name: name_from_text(&row.get::<_, String>(1)?)?,
        settings: serde_json::from_str(&text).map_err(|_| Fault::Row("settings that cannot be read"))?,
        words_version: row.get(3)?,
    })
}

fn app(connection: &Connection, name: &Name) -> Result<Option<App>> {
    let mut statement =
        connection.prepare_cached("SELECT id, name, settings, words_version FROM app WHERE name = ?1")?;
    let mut rows = statement.query([name.as_str()])?;
    rows.next()?.map(app_from_row).transpose()
}

/// All apps, by name.
pub(super) fn apps(connection: &Connection) -> Result<Vec<App>> {
    let mut statement = connection.prepare_cached("SELECT id, name, settings, words_version FROM app ORDER BY name")?;
    let mut rows = statement.query([])?;
    let mut apps = Vec::new();
    while let Some(row) = rows.next()? {
        apps.push(app_from_row(row)?);
    }
    Ok(apps)
}

fn add_key(batch: &Batch<'_>, key: &AppKey) -> Result<bool> {
    let algorithm = match key.algorithm {
        KeyAlgorithm::Hs256 => 1,
        KeyAlgorithm::EdDsa => 2,
    };
    let mut statement = batch.connection.prepare_cached(
        "INSERT INTO app_key (app, key_id, algorithm, material, created, revoked) VALUES (?1, ?2, ?3, ?4, ?5, ?6) \
         ON CONFLICT DO NOTHING",
    )?;
    let revoked = key.revoked.map(|time| time.0);
    let row = (key.app.0, key.key_id.as_str(), algorithm, &key.material, key.created.0, revoked);
    Ok(statement.execute(row)? == 1)
}

fn key_from_row(app: AppId, row: &Row<'_>) -> Result<AppKey> {
    let algorithm = match row.get::<_, i64>(1)? {
        1 => KeyAlgorithm::Hs256,
        2 => KeyAlgorithm::EdDsa,
        _ => return Err(Fault::Row("a key of an unknown algorithm")),
    };
    Ok(AppKey {
        app,
        key_id: name_from_text(&row.get::<_, String>(0)?)?,
        algorithm,
        material: row.get(2)?,
        created: UnixMillis(row.get(3)?),
        revoked: row.get::<_, Option<u64>>(4)?.map(UnixMillis),
    })
}

fn keys(connection: &Connection, app: AppId) -> Result<Vec<AppKey>> {
    let mut statement = connection.prepare_cached(
        "SELECT key_id, algorithm, material, created, revoked FROM app_key WHERE app = ?1 ORDER BY key_id",
    )?;
    let mut rows = statement.query([app.0])?;
    let mut keys = Vec::new();
    while let Some(row) = rows.next()? {
        keys.push(key_from_row(app, row)?);
    }
    Ok(keys)
}

/// The time of the first revocation stays.
fn revoke_key(batch: &Batch<'_>, app: AppId, key_id: &Name, now: UnixMillis) -> Result<bool> {
    let mut statement = batch
        .connection
        .prepare_cached("UPDATE app_key SET revoked = coalesce(revoked, ?3) WHERE app = ?1 AND key_id = ?2")?;
    Ok(statement.execute((app.0, key_id.as_str(), now.0))? == 1)
}

const USER: &str = "SELECT id, app, name, password_hash, disabled, created, takes_visitors FROM user";

fn user_from_row(row: &Row<'_>) -> Result<User> {
    Ok(User {
        id: UserId(row.get(0)?),
        app: AppId(row.get(1)?),
        name: name_from_text(&row.get::<_, String>(2)?)?,
        password_hash: row.get(3)?,
        disabled: row.get(4)?,
        created: UnixMillis(row.get(5)?),
        takes_visitors: row.get(6)?,
    })
}

/// A user by name.
pub(super) fn user(connection: &Connection, app: AppId, name: &Name) -> Result<Option<User>> {
    let mut statement = connection.prepare_cached(&format!("{USER} WHERE app = ?1 AND name = ?2"))?;
    let mut rows = statement.query((app.0, name.as_str()))?;
    rows.next()?.map(user_from_row).transpose()
}

/// Makes a user; `None` if the name is taken.
pub(super) fn create_user(
    batch: &mut Batch<'_>,
    app: AppId,
    name: &Name,
    password_hash: Option<&String>,
    now: UnixMillis,
) -> Result<Option<User>> {
    if user(batch.connection, app, name)?.is_some() {
        return Ok(None);
    }
    let id = UserId::in_shard(batch.next_counter(Counter::User)?, shard::of_user(app, name));
    batch
        .connection
        .prepare_cached("INSERT INTO user (id, app, name, password_hash, created) VALUES (?1, ?2, ?3, ?4, ?5)")?
        .execute((id.0, app.0, name.as_str(), password_hash, now.0))?;
    batch.connection.prepare_cached("INSERT INTO user_head (user) VALUES (?1)")?.execute([id.0])?;
    Ok(Some(User {
        app,
        id,
        name: name.clone(),
        password_hash: password_hash.cloned(),
        disabled: false,
        takes_visitors: false,
        created: now,
    }))
}

/// The name of a user.
pub(super) fn user_name(connection: &Connection, user: UserId) -> Result<Option<Name>> {
    let mut statement = connection.prepare_cached("SELECT name FROM user WHERE id = ?1")?;
    let text: Option<String> = statement.query_row([user.0], |row| row.get(0)).optional()?;
    text.map(|text| name_from_text(&text)).transpose()
}

fn user_names(connection: &Connection, users: &[UserId]) -> Result<Vec<(UserId, Name)>> {
    let mut names = Vec::with_capacity(users.len());
    for user in users {
        names.extend(user_name(connection, *user)?.map(|name| (*user, name)));
    }
    Ok(names)
}

fn users(connection: &Connection, app: AppId, after: Option<&Name>, limit: u32) -> Result<Vec<User>> {
    let mut statement =
        connection.prepare_cached(&format!("{USER} WHERE app = ?1 AND name > ?2 ORDER BY name LIMIT ?3"))?;
    let mut rows = statement.query((app.0, after.map_or("", Name::as_str), limit))?;
    let mut users = Vec::new();
    while let Some(row) = rows.next()? {
        users.push(user_from_row(row)?);
    }
    Ok(users)
}

fn set_disabled(batch: &mut Batch<'_>, user: UserId, disabled: bool, now: UnixMillis) -> Result<bool> {
    let mut statement = batch.connection.prepare_cached("UPDATE user SET disabled = ?2 WHERE id = ?1")?;
    if statement.execute((user.0, disabled))? == 0 {
        return Ok(false);
    }
    if disabled {
        sessions::end_all(batch, user, EndReason::Revoked, now)?;
    }
    Ok(true)
}

impl Accounts for SqliteStore {
    fn create_app(
        &self,
        name: Name,
        settings: AppSettings,
        now: UnixMillis,
    ) -> Pending<'_, crate::Result<Option<App>>> {
        self.write(move |batch| create_app(batch, &name, &settings, now))
    }

    fn apps(&self) -> Pending<'_, crate::Result<Vec<App>>> {
        self.read(apps)
    }

    fn app(&self, name: Name) -> Pending<'_, crate::Result<Option<App>>> {
        self.read(move |connection| app(connection, &name))
    }

    fn set_app_settings(&self, app: AppId, settings: AppSettings) -> Pending<'_, crate::Result<bool>> {
        self.write(move |batch| {
            let mut statement = batch.connection.prepare_cached("UPDATE app SET settings = ?2 WHERE id = ?1")?;
            Ok(statement.execute((app.0, settings_to_json(&settings)?))? == 1)
        })
    }

    fn add_key(&self, key: AppKey) -> Pending<'_, crate::Result<bool>> {
        self.write(move |batch| add_key(batch, &key))
    }

    fn keys(&self, app: AppId) -> Pending<'_, crate::Result<Vec<AppKey>>> {
        self.read(move |connection| keys(connection, app))
    }

    fn revoke_key(&self, app: AppId, key_id: Name, now: UnixMillis) -> Pending<'_, crate::Result<bool>> {
        self.write(move |batch| revoke_key(batch, app, &key_id, now))
    }

    fn create_user(
        &self,
        app: AppId,
        name: Name,
        password_hash: Option<String>,
        now: UnixMillis,
    ) -> Pending<'_, crate::Result<Option<User>>> {
        self.write(move |batch| create_user(batch, app, &name, password_hash.as_ref(), now))
    }

    fn user(&self, app: AppId, name: Name) -> Pending<'_, crate::Result<Option<User>>> {
        self.read(move |connection| user(connection, app, &name))
    }

    fn user_names(&self, users: Vec<UserId>) -> Pending<'_, crate::Result<Vec<(UserId, Name)>>> {
        self.read(move |connection| user_names(connection, &users))
    }

    fn users(&self, app: AppId, after: Option<Name>, limit: u32) -> Pending<'_, crate::Result<Vec<User>>> {
        self.read(move |connection| users(connection, app, after.as_ref(), limit))
    }

    fn set_password(&self, user: UserId, password_hash: String) -> Pending<'_, crate::Result<bool>> {
        self.write(move |batch| {
            let mut statement = batch.connection.prepare_cached("UPDATE user SET password_hash = ?2 WHERE id = ?1")?;
            Ok(statement.execute((user.0, &password_hash))? == 1)
        })
    }

    fn set_disabled(&self, user: UserId, disabled: bool, now: UnixMillis) -> Pending<'_, crate::Result<bool>> {
        self.write(move |batch| set_disabled(batch, user, disabled, now))
    }

    fn set_takes_visitors(&self, user: UserId, takes_visitors: bool) -> Pending<'_, crate::Result<bool>> {
        self.write(move |batch| visitors::set_takes_visitors(batch, user, takes_visitors))
    }
}
