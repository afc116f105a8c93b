//! What administrators do: apps, keys, users, passwords, revocation. Called by the HTTP API, which knows who asks; nothing
//! is checked here but the values.
//!
//! Whatever takes something away is told to the gates at once and forgotten by the caches within the same
//! [`Directory::changing`](crate::directory::Directory::changing), so that no login slips through.

use hongyan_cluster::bus::Ending;
use hongyan_domain::app::{App, AppKey, AppSettings, KeyAlgorithm};
use hongyan_domain::id::{SessionId, UserId};
use hongyan_domain::name::Name;
use hongyan_domain::refusal::Refusal;
use hongyan_domain::session::EndReason;
use hongyan_domain::time::UnixMillis;
use hongyan_store::accounts::User;

use crate::answer::{BUSY_RETRY_MS, unavailable};
use crate::login::PASSWORD_BYTES_MAX;
use crate::service::Logic;
use crate::token::{SECRET_BYTES_MIN, usable};

/// Shortest password that an account may get, in bytes.
pub const PASSWORD_BYTES_MIN: usize = 8;
/// Most users of one page.
pub const USERS_PAGE_MAX: u32 = 1_000;

/// A user as administrators see them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Account {
    /// The name on the wire.
    pub name: Name,
    /// May log in by password, not only by tokens.
    pub has_password: bool,
    /// May not log in and gets no messages.
    pub disabled: bool,
    /// Visitors may write to them, and they to visitors.
    pub takes_visitors: bool,
    /// When it was made.
    pub created: UnixMillis,
    /// Sessions with a connection, now.
    pub sessions_connected: usize,
}

/// All functions refuse with `NotFound` if app, key or user do not exist, with `InvalidArgument` if a value is out of its
/// range, and with `TryLater` or `Internal` if the store does not answer.
impl Logic {
    /// Makes an app. `Conflict`: the name is taken.
    pub async fn create_app(&self, name: Name, settings: AppSettings) -> Result<App, Refusal> {
        in_range(&settings)?;
        let now = self.environment.wall_clock();
        self.store.create_app(name, settings, now).await.map_err(unavailable)?.ok_or(Refusal::Conflict)
    }

    /// All apps, by name.
    pub async fn apps(&self) -> Result<Vec<App>, Refusal> {
        self.store.apps().await.map_err(unavailable)
    }

    /// An app.
    pub async fn app(&self, name: &Name) -> Result<App, Refusal> {
        self.store.app(name.clone()).await.map_err(unavailable)?.ok_or(Refusal::NotFound)
    }

    /// Replaces the settings of an app. They hold for what is decided from now on.
    pub async fn set_app_settings(&self, app: &Name, settings: AppSettings) -> Result<(), Refusal> {
        in_range(&settings)?;
        let id = self.app(app).await?.id;
        let _changing = self.directory.changing();
        let changed = self.store.set_app_settings(id, settings).await.map_err(unavailable)?;
        self.directory.forget_app(app);
        found(changed)
    }

    /// Adds a key with which the app's server signs tokens. HS256 secrets have at least 32 bytes, Ed25519 public keys
    /// exactly 32. `Conflict`: the app has had a key of that id, perhaps a revoked one.
    pub async fn add_key(
        &self,
        app: &Name,
        key_id: Name,
        algorithm: KeyAlgorithm,
        material: Vec<u8>,
    ) -> Result<AppKey, Refusal> {
        if !usable(algorithm, &material) {
            return Err(Refusal::InvalidArgument("material"));
        }
        let id = self.app(app).await?.id;
        let created = self.environment.wall_clock();
        let key = AppKey { app: id, key_id, algorithm, material, created, revoked: None };
        let _changing = self.directory.changing();
        let added = self.store.add_key(key.clone()).await.map_err(unavailable)?;
        self.directory.forget_app(app);
        if added { Ok(key) } else { Err(Refusal::Conflict) }
    }

    /// Makes an HS256 key with a fresh secret.
    pub async fn create_key(&self, app: &Name, key_id: Name) -> Result<AppKey, Refusal> {
        let mut secret = vec![0; SECRET_BYTES_MIN];
        self.environment.random(&mut secret);
        self.add_key(app, key_id, KeyAlgorithm::Hs256, secret).await
    }

    /// All keys of an app, revoked ones too, with their secrets: show only the ids.
    pub async fn keys(&self, app: &Name) -> Result<Vec<AppKey>, Refusal> {
        let id = self.app(app).await?.id;
        self.store.keys(id).await.map_err(unavailable)
    }

    /// Revokes a key: no token signed with it opens a session from now on. Sessions that are open live on; see
    /// [`Logic::revoke_sessions`].
    pub async fn revoke_key(&self, app: &Name, key_id: Name) -> Result<(), Refusal> {
        let id = self.app(app).await?.id;
        let _changing = self.directory.changing();
        let now = self.environment.wall_clock();
        let revoked = self.store.revoke_key(id, key_id, now).await.map_err(unavailable)?;
        self.directory.forget_app(app);
        found(revoked)
    }

    /// Makes a user; without a password it logs in by tokens only. `Conflict`: the name is taken.
    pub async fn create_user(&self, app: &Name, name: Name, password: Option<String>) -> Result<Account, Refusal> {
        let id = self.app(app).await?.id;
        let hash = match password {
            Some(password) => Some(self.hash(password).await?),
            None => None,
        };
        let now = self.environment.wall_clock();
        let user = self.store.create_user(id, name, hash, now).await.map_err(unavailable)?;
        Ok(self.account(user.ok_or(Refusal::Conflict)?))
    }

    /// A user.
    pub async fn user(&self, app: &Name, name: &Name) -> Result<Account, Refusal> {
        Ok(self.account(self.row(app, name).await?))
    }

    /// A page of the users of an app, by name, after a name; at most [`USERS_PAGE_MAX`].
    pub async fn users(&self, app: &Name, after: Option<Name>, limit: u32) -> Result<Vec<Account>, Refusal> {
        let id = self.app(app).await?.id;
        let users = self.store.users(id, after, limit.clamp(1, USERS_PAGE_MAX)).await.map_err(unavailable)?;
        Ok(users.into_iter().map(|user| self.account(user)).collect())
    }

    /// Replaces a password and ends all sessions of the user, because whoever knew the old one may have opened them.
    /// Returns how many.
    pub async fn set_password(&self, app: &Name, name: &Name, password: String) -> Result<usize, Refusal> {
        if name.is_visitor() {
            return Err(Refusal::InvalidArgument("user"));
        }
        let user = self.row(app, name).await?;
        let hash = self.hash(password).await?;
        let _changing = self.directory.changing();
        found(self.store.set_password(user.id, hash).await.map_err(unavailable)?)?;
        self.directory.forget_user(user.app, name);
        self.end_sessions(user.id).await
    }

    /// Disables or enables a user. Disabling ends all their sessions; returns how many of them
    /// were connected or suspended.
    pub async fn set_disabled(&self, app: &Name, name: &Name, disabled: bool) -> Result<usize, Refusal> {
        let user = self.row(app, name).await?;
        let _changing = self.directory.changing();
        let now = self.environment.wall_clock();
        let changed = self.store.set_disabled(user.id, disabled, now).await.map_err(unavailable)?;
        self.directory.forget_user(user.app, name);
        found(changed)?;
        if !disabled {
            return Ok(0);
        }
        // The store does not tell which sessions it ended, but all that matter now have a route.
        let known = self.bus.router().routes(user.id);
        self.tell_ended(known.iter().map(|route| route.session));
        Ok(known.len())
    }

    /// Lets visitors write to a user, and the user to visitors; or takes that away, which holds for what is decided from
    /// now on and for what waits to be committed. Visitors themselves take none.
    pub async fn set_takes_visitors(&self, app: &Name, name: &Name, takes: bool) -> Result<Account, Refusal> {
        if name.is_visitor() {
            return Err(Refusal::InvalidArgument("user"));
        }
        let user = self.row(app, name).await?;
        found(self.store.set_takes_visitors(user.id, takes).await.map_err(unavailable)?)?;
        Ok(self.account(User { takes_visitors: takes, ..user }))
    }

    /// Ends all sessions of a user; returns how many.
    pub async fn revoke_sessions(&self, app: &Name, name: &Name) -> Result<usize, Refusal> {
        let user = self.row(app, name).await?;
        self.end_sessions(user.id).await
    }

    async fn end_sessions(&self, user: UserId) -> Result<usize, Refusal> {
        let now = self.environment.wall_clock();
        let ended = self.store.end_sessions(user, EndReason::Revoked, now).await.map_err(unavailable)?;
        self.tell_ended(ended.iter().copied());
        Ok(ended.len())
    }

    pub(crate) fn tell_ended(&self, sessions: impl Iterator<Item = SessionId>) {
        let time = self.environment.wall_clock();
        for session in sessions {
            self.bus.end(session, Ending { reason: EndReason::Revoked, by_term: None, time });
        }
    }

    async fn hash(&self, password: String) -> Result<String, Refusal> {
        if !(PASSWORD_BYTES_MIN..=PASSWORD_BYTES_MAX).contains(&password.len()) {
            return Err(Refusal::InvalidArgument("password"));
        }
        let hashed = self.passwords.hash(password).await;
        hashed.map_err(|_| Refusal::TryLater { retry_after_ms: BUSY_RETRY_MS })
    }

    async fn row(&self, app: &Name, name: &Name) -> Result<User, Refusal> {
        let id = self.app(app).await?.id;
        self.directory.user_row(id, name).await?.ok_or(Refusal::NotFound)
    }

    fn account(&self, user: User) -> Account {
        Account {
            sessions_connected: self.bus.router().connected(user.id).len(),
            name: user.name,
            has_password: user.password_hash.is_some(),
            disabled: user.disabled,
            takes_visitors: user.takes_visitors,
            created: user.created,
        }
    }
}

fn in_range(settings: &AppSettings) -> Result<(), Refusal> {
    settings.out_of_range().map_or(Ok(()), |setting| Err(Refusal::InvalidArgument(setting)))
}

fn found(found: bool) -> Result<(), Refusal> {
    if found { Ok(()) } else { Err(Refusal::NotFound) }
}
