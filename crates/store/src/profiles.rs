//! Profiles of users.

use hongyan_domain::environment::Pending;
use hongyan_domain::id::{AppId, SessionId, UserId};
use hongyan_domain::name::Name;
use hongyan_domain::profile::{Profile, ProfileChange};

use crate::Result;

/// A profile as stored.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct VersionedProfile {
    /// Raised by every change; 0 before the first.
    pub version: u64,
    /// The profile.
    pub profile: Profile,
}

/// A profile and whose it is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KnownProfile {
    /// Whose.
    pub user: UserId,
    /// It.
    pub of: VersionedProfile,
}

/// Profiles.
pub trait Profiles: Send + Sync + 'static {
    /// Changes a user's own profile; the version after that. Refused with [`crate::Error::SessionEnded`] once the session is
    /// dead.
    fn set_profile(
        &self,
        app: AppId,
        session: SessionId,
        user: UserId,
        change: ProfileChange,
    ) -> Pending<'_, Result<u64>>;

    /// Profiles by name, in the order of the names; `None` for who does not exist or is a visitor.
    fn profiles(&self, app: AppId, names: Vec<Name>) -> Pending<'_, Result<Vec<Option<KnownProfile>>>>;
}
