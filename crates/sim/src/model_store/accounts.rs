//! Apps, their keys, users.

use std::collections::BTreeMap;
use std::ops::Bound;

use hongyan_domain::app::{App, AppKey, AppSettings};
use hongyan_domain::environment::Pending;
use hongyan_domain::id::{AppId, UserId};
use hongyan_domain::name::Name;
use hongyan_domain::session::EndReason;
use hongyan_domain::time::UnixMillis;
use hongyan_store::Result;
use hongyan_store::accounts::{Accounts, User};

use super::state::{Batch, Inbox, Person, State};
use super::{ModelStore, sessions};

fn create_app(state: &mut State, name: &Name, settings: &AppSettings) -> Option<App> {
    if state.apps.contains_key(name) {
        return None;
    }
    let (counter, shard) = state.next_id();
    let app =
        App { id: AppId::in_shard(counter, shard), name: name.clone(), settings: settings.clone(), words_version: 0 };
    state.apps.insert(name.clone(), app.clone());
    Some(app)
}

fn set_app_settings(state: &mut State, app: AppId, settings: &AppSettings) -> bool {
    let found = state.apps.values_mut().find(|found| found.id == app);
    found.map(|found| found.settings = settings.clone()).is_some()
}

fn add_key(state: &mut State, key: &AppKey) -> bool {
    let place = (key.app, key.key_id.clone());
    let free = !state.keys.contains_key(&place);
    state.keys.entry(place).or_insert_with(|| key.clone());
    free
}

/// The time of the first revocation stays.
fn revoke_key(state: &mut State, app: AppId, key_id: &Name, now: UnixMillis) -> bool {
    let found = state.keys.get_mut(&(app, key_id.clone()));
    found.map(|key| key.revoked = key.revoked.or(Some(now))).is_some()
}

/// Makes a user; `None` if the name is taken.
pub(super) fn create_user(
    state: &mut State,
    app: AppId,
    name: &Name,
    password_hash: Option<String>,
    now: UnixMillis,
) -> Option<User> {
    if state.names.get(&app).is_some_and(|names| names.contains_key(name)) {
        return None;
    }
    let (counter, shard) = state.next_id();
    let id = UserId::in_shard(counter, shard);
    let (disabled, takes_visitors, name) = (false, false, name.clone());
    let user = User { app, id, name: name.clone(), password_hash, disabled, takes_visitors, created: now };
    state.names.entry(app).or_default().insert(name, id);
    let inbox = Inbox { head: 0, low: 1, rows: Vec::new() };
    let (places, devices, live) = (BTreeMap::new(), Vec::new(), Vec::new());
    state.people.insert(id, Person::new(user.clone(), inbox, places, devices, live));
    Some(user)
}

/// A user by name.
pub(super) fn user(state: &State, app: AppId, name: &Name) -> Option<User> {
    let id = state.names.get(&app)?.get(name)?;
    state.people.get(id).map(|person| person.user.clone())
}

fn users(state: &State, app: AppId, after: Option<&Name>, limit: u32) -> Vec<User> {
    let Some(names) = state.names.get(&app) else { return Vec::new() };
    let after = after.map_or(Bound::Unbounded, Bound::Excluded);
    let ids = names.range((after, Bound::Unbounded)).map(|(_, id)| id).take(limit as usize);
    ids.filter_map(|id| state.people.get(id)).map(|person| person.user.clone()).collect()
}

fn set_disabled(batch: &mut Batch<'_>, user: UserId, disabled: bool) -> bool {
    let Some(person) = batch.state.people.get_mut(&user) else { return false };
    person.user.disabled = disabled;
    if disabled {
        sessions::end_all(batch, user, EndReason::Revoked);
    }
    true
}

fn set_takes_visitors(state: &mut State, user: UserId, takes_visitors: bool) -> bool {
    let Some(person) = state.people.get_mut(&user) else { return false };
    person.access_version += u64::from(person.user.takes_visitors && !takes_visitors);
    person.user.takes_visitors = takes_visitors;
    true
}

impl Accounts for ModelStore {
    fn create_app(&self, name: Name, settings: AppSettings, _: UnixMillis) -> Pending<'_, Result<Option<App>>> {
        self.write(move |batch| Ok(create_app(batch.state, &name, &settings)))
    }

    fn apps(&self) -> Pending<'_, Result<Vec<App>>> {
        self.read(|state| Ok(state.apps.values().cloned().collect()))
    }

    fn app(&self, name: Name) -> Pending<'_, Result<Option<App>>> {
        self.read(move |state| Ok(state.apps.get(&name).cloned()))
    }

    fn set_app_settings(&self, app: AppId, settings: AppSettings) -> Pending<'_, Result<bool>> {
        self.write(move |batch| Ok(set_app_settings(batch.state, app, &settings)))
    }

    fn add_key(&self, key: AppKey) -> Pending<'_, Result<bool>> {
        self.write(move |batch| Ok(add_key(batch.state, &key)))
    }

    fn keys(&self, app: AppId) -> Pending<'_, Result<Vec<AppKey>>> {
        self.read(move |state| Ok(state.keys.values().filter(|key| key.app == app).cloned().collect()))
    }

    fn revoke_key(&self, app: AppId, key_id: Name, now: UnixMillis) -> Pending<'_, Result<bool>> {
        self.write(move |batch| Ok(revoke_key(batch.state, app, &key_id, now)))
    }

    fn create_user(
        &self,
        app: AppId,
        name: Name,
        password_hash: Option<String>,
        now: UnixMillis,
    ) -> Pending<'_, Result<Option<User>>> {
        self.write(move |batch| Ok(create_user(batch.state, app, &name, password_hash.clone(), now)))
    }

    fn user(&self, app: AppId, name: Name) -> Pending<'_, Result<Option<User>>> {
        self.read(move |state| Ok(user(state, app, &name)))
    }

    fn user_names(&self, users: Vec<UserId>) -> Pending<'_, Result<Vec<(UserId, Name)>>> {
        self.read(move |state| {
            let name = |user| Some((user, state.people.get(&user)?.user.name.clone()));
            Ok(users.into_iter().filter_map(name).collect())
        })
    }

    fn users(&self, app: AppId, after: Option<Name>, limit: u32) -> Pending<'_, Result<Vec<User>>> {
        self.read(move |state| Ok(users(state, app, after.as_ref(), limit)))
    }

    fn set_password(&self, user: UserId, password_hash: String) -> Pending<'_, Result<bool>> {
        self.write(move |batch| {
            let found = batch.state.people.get_mut(&user);
            Ok(found.map(|person| person.user.password_hash = Some(password_hash.clone())).is_some())
        })
    }

    fn set_disabled(&self, user: UserId, disabled: bool, _: UnixMillis) -> Pending<'_, Result<bool>> {
        self.write(move |batch| Ok(set_disabled(batch, user, disabled)))
    }

    fn set_takes_visitors(&self, user: UserId, takes_visitors: bool) -> Pending<'_, Result<bool>> {
        self.write(move |batch| Ok(set_takes_visitors(batch.state, user, takes_visitors)))
    }
}
