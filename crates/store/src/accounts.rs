//! Apps, their keys, and users.

use hongyan_domain::app::{App, AppKey, AppSettings};
use hongyan_domain::environment::Pending;
use hongyan_domain::id::{AppId, UserId};
use hongyan_domain::name::Name;
use hongyan_domain::time::UnixMillis;

use crate::Result;

/// A user as stored.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct User {
    /// The app.
    pub app: AppId,
    /// The integer.
    pub id: UserId,
    /// The name on the wire.
    pub name: Name,
    /// Argon2id in PHC form; absent if the user only logs in by tokens.
    pub password_hash: Option<String>,
    /// May not log in and gets no messages accepted.
    pub disabled: bool,
    /// Visitors may write to them, and they to visitors.
    pub takes_visitors: bool,
    /// When it was made.
    pub created: UnixMillis,
}

/// Apps, keys, users. Look-ups never create; an id once given is never given again.
pub trait Accounts: Send + Sync + 'static {
    /// Makes an app; `None` if the name is taken.
    fn create_app(&self, name: Name, settings: AppSettings, now: UnixMillis) -> Pending<'_, Result<Option<App>>>;

    /// All apps, by name.
    fn apps(&self) -> Pending<'_, Result<Vec<App>>>;

    /// An app.
    fn app(&self, name: Name) -> Pending<'_, Result<Option<App>>>;

    /// Replaces the settings of an app; false if there is no such app.
    fn set_app_settings(&self, app: AppId, settings: AppSettings) -> Pending<'_, Result<bool>>;

    /// Adds a key; false if the app has a key of that id, revoked or not.
    fn add_key(&self, key: AppKey) -> Pending<'_, Result<bool>>;

    /// All keys of an app, revoked ones too.
    fn keys(&self, app: AppId) -> Pending<'_, Result<Vec<AppKey>>>;

    /// Revokes a key; false if there is no such key.
    fn revoke_key(&self, app: AppId, key_id: Name, now: UnixMillis) -> Pending<'_, Result<bool>>;

    /// Makes a user; `None` if the name is taken.
    fn create_user(
        &self,
        app: AppId,
        name: Name,
        password_hash: Option<String>,
        now: UnixMillis,
    ) -> Pending<'_, Result<Option<User>>>;

    /// A user by name.
    fn user(&self, app: AppId, name: Name) -> Pending<'_, Result<Option<User>>>;

    /// Names of users; unknown ids are left out.
    fn user_names(&self, users: Vec<UserId>) -> Pending<'_, Result<Vec<(UserId, Name)>>>;

    /// A page of the users of an app, by name, after a name.
    fn users(&self, app: AppId, after: Option<Name>, limit: u32) -> Pending<'_, Result<Vec<User>>>;

    /// Replaces a password, without ending sessions; false if there is no such user.
    fn set_password(&self, user: UserId, password_hash: String) -> Pending<'_, Result<bool>>;

    /// Disables or enables a user. Disabling ends all sessions in the same transaction; false if there is no such user.
    fn set_disabled(&self, user: UserId, disabled: bool, now: UnixMillis) -> Pending<'_, Result<bool>>;

    /// Lets visitors write to a user, or takes that away, which raises the version of all decisions that rest on it; false
    /// if there is no such user.
    fn set_takes_visitors(&self, user: UserId, takes_visitors: bool) -> Pending<'_, Result<bool>>;
}
