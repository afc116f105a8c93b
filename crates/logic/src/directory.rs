//! Who and what exists: apps with their keys, users, names. Reads through a cache; what is cached is believed for
//! [`LogicOptions::cached_ms_max`] and forgotten at once when an administrator changes it.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use hongyan_domain::app::App;
use hongyan_domain::environment::Environment;
use hongyan_domain::id::{AppId, UserId};
use hongyan_domain::name::Name;
use hongyan_domain::refusal::Refusal;
use hongyan_fault::mutant;
use hongyan_store::Store;
use hongyan_store::accounts::User;

use crate::answer::unavailable;
use crate::cache::Cache;
use crate::measures::Measures;
use crate::options::LogicOptions;
use crate::token::TokenKeys;

/// Apps that are remembered.
const APPS_MAX: usize = 4_096;

/// What commands need to know of a user.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct KnownUser {
    /// The integer.
    pub id: UserId,
    /// May not log in and gets no messages accepted.
    pub disabled: bool,
}

/// What commands need to know of an app.
pub(crate) struct KnownApp {
    /// Name and settings.
    pub app: App,
    /// Checks tokens.
    pub keys: TokenKeys,
}

#[derive(Clone)]
struct Cached<T> {
    value: T,
    read_ms: u64,
}

/// A moment between changes by administrators; see [`Directory::moment`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Moment(u64);

/// While it lives, an administrator's change is under way.
pub(crate) struct Changing<'a>(&'a Directory);

/// Apps, users, names.
pub(crate) struct Directory {
    store: Arc<dyn Store>,
    environment: Arc<dyn Environment>,
    measures: Arc<Measures>,
    cached_ms_max: u64,
    apps: Cache<Name, Cached<Arc<KnownApp>>>,
    app_names: Cache<AppId, Name>,
    users: Cache<(AppId, Name), Cached<KnownUser>>,
    names: Cache<UserId, Name>,
    changes_begun: AtomicU64,
    changes_ended: AtomicU64,
}

impl Directory {
    /// Empty caches in front of a store.
    pub fn new(
        options: &LogicOptions,
        store: Arc<dyn Store>,
        environment: Arc<dyn Environment>,
        measures: Arc<Measures>,
    ) -> Self {
        Self {
            store,
            environment,
            measures,
            cached_ms_max: options.cached_ms_max,
            apps: Cache::new(APPS_MAX),
            app_names: Cache::new(APPS_MAX),
            users: Cache::new(options.cached_entries_max),
            names: Cache::new(options.cached_entries_max),
            changes_begun: AtomicU64::new(0),
            changes_ended: AtomicU64::new(0),
        }
    }

    /// An app by name, with its keys.
    pub async fn app(&self, name: &Name) -> Result<Option<Arc<KnownApp>>, Refusal> {
        if let Some(known) = self.fresh(self.apps.get(name)) {
            return Ok(Some(known));
        }
        let (read_ms, moment) = (self.environment.monotonic_ms(), self.moment());
        let Some(app) = self.store.app(name.clone()).await.map_err(unavailable)? else { return Ok(None) };
        let keys = self.keys_row(app.id).await?;
        self.app_names.insert(app.id, name.clone());
        let known = Arc::new(KnownApp { app, keys });
        let cached = Cached { value: known.clone(), read_ms };
        self.apps.insert_if(name.clone(), cached, || self.unchanged_since(moment));
        Ok(Some(known))
    }

    /// The keys of an app as the store has them now.
    pub async fn keys_row(&self, app: AppId) -> Result<TokenKeys, Refusal> {
        Ok(TokenKeys::new(&self.store.keys(app).await.map_err(unavailable)?))
    }

    /// The app of a session. It exists, because apps are never removed.
    pub async fn app_of(&self, id: AppId) -> Result<Arc<KnownApp>, Refusal> {
        let name = match self.app_names.get(&id) {
            Some(name) => name,
            None => {
                let apps = self.store.apps().await.map_err(unavailable)?;
                apps.into_iter().find(|app| app.id == id).ok_or(Refusal::Internal)?.name
            }
        };
        self.app(&name).await?.ok_or(Refusal::Internal)
    }

    /// A user of an app.
    pub async fn user(&self, app: AppId, name: &Name) -> Result<Option<KnownUser>, Refusal> {
        if let Some(known) = self.fresh(self.users.get(&user_key(app, name))) {
            return Ok(Some(known));
        }
        Ok(self.user_row(app, name).await?.map(|user| KnownUser { id: user.id, disabled: user.disabled }))
    }

    /// A user of an app as the store has it now.
    pub async fn user_row(&self, app: AppId, name: &Name) -> Result<Option<User>, Refusal> {
        let (read_ms, moment) = (self.environment.monotonic_ms(), self.moment());
        let user = self.store.user(app, name.clone()).await.map_err(unavailable)?;
        if let Some(user) = &user {
            let value = KnownUser { id: user.id, disabled: user.disabled };
            let cached = Cached { value, read_ms };
            self.users.insert_if(user_key(app, name), cached, || self.unchanged_since(moment));
            self.names.insert(user.id, name.clone());
        }
        Ok(user)
    }

    /// A user that a request names. Nobody learns more than that there is none.
    pub async fn other(&self, app: AppId, name: &str) -> Result<(KnownUser, Name), Refusal> {
        let name = Name::parse_anybody(name).ok_or(Refusal::NotFound)?;
        let user = self.user(app, &name).await?.ok_or(Refusal::NotFound)?;
        Ok((user, name))
    }

    /// Remembers a name that is known from elsewhere.
    pub fn learn(&self, user: UserId, name: &Name) {
        self.names.insert(user, name.clone());
    }

    /// The names of users; all of them, or it is a defect.
    pub async fn names(&self, users: impl IntoIterator<Item = UserId>) -> Result<BTreeMap<UserId, Name>, Refusal> {
        let mut names = BTreeMap::new();
        let mut missing = Vec::new();
        for user in users {
            if names.contains_key(&user) || missing.contains(&user) {
                continue;
            }
            match self.names.get(&user) {
                Some(name) => drop(names.insert(user, name)),
                None => missing.push(user),
            }
        }
        if !missing.is_empty() {
            let expected = names.len() + missing.len();
            for (user, name) in self.store.user_names(missing).await.map_err(unavailable)? {
                self.names.insert(user, name.clone());
                names.insert(user, name);
            }
            if names.len() != expected {
                tracing::error!("an inbox or a conversation names a user who does not exist");
                return Err(Refusal::Internal);
            }
        }
        Ok(names)
    }

    /// A moment to compare with later.
    pub fn moment(&self) -> Moment {
        Moment(self.changes_ended.load(Ordering::SeqCst))
    }

    /// Whether no administrator's change was under way at any time since a moment. If so, what was read after the moment
    /// still holds; otherwise read it again, after whatever depends on it was committed.
    pub fn unchanged_since(&self, moment: Moment) -> bool {
        self.changes_begun.load(Ordering::SeqCst) == moment.0
    }

    /// An administrator begins to change users, keys or settings.
    pub fn changing(&self) -> Changing<'_> {
        self.changes_begun.fetch_add(1, Ordering::SeqCst);
        Changing(self)
    }

    /// Forgets a user; within [`Directory::changing`].
    pub fn forget_user(&self, app: AppId, name: &Name) {
        self.users.remove(&user_key(app, name));
    }

    /// Forgets an app and its keys; within [`Directory::changing`].
    pub fn forget_app(&self, name: &Name) {
        self.apps.remove(name);
    }

    fn fresh<T>(&self, cached: Option<Cached<T>>) -> Option<T> {
        let now_ms = self.environment.monotonic_ms();
        let fresh = cached.filter(|cached| now_ms.saturating_sub(cached.read_ms) < self.cached_ms_max);
        let counter = if fresh.is_some() { &self.measures.cache_hits } else { &self.measures.cache_misses };
        counter.add(1);
        fresh.map(|cached| cached.value)
    }
}

/// What a user is remembered by: names are unique inside an app only.
fn user_key(app: AppId, name: &Name) -> (AppId, Name) {
    (if mutant!("one cache for all apps") { AppId(0) } else { app }, name.clone())
}

impl Drop for Changing<'_> {
    fn drop(&mut self) {
        self.0.changes_ended.fetch_add(1, Ordering::SeqCst);
    }
}
