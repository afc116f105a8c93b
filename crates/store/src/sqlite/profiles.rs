//! Profiles' rows. These are rows of users; no statement here touches a conversation.

use hongyan_domain::environment::Pending;
use hongyan_domain::friend::FriendPolicy;
use hongyan_domain::id::{AppId, SessionId, UserId};
use hongyan_domain::name::Name;
use hongyan_domain::profile::{Audience, Gender, Profile, ProfileChange};
use rusqlite::{Connection, OptionalExtension, Row};

use super::batch::{Batch, Counter};
use super::fault::{Fault, Result};
use super::{SqliteStore, accounts, relations};
use crate::profiles::{KnownProfile, Profiles, VersionedProfile};

/// What [`from_row`] reads, in its order.
pub(super) const COLUMNS: &str = "profile.user, profile.version, nickname, avatar, gender, birthday, intro, policy, \
     presence_to, last_seen_to";

/// Reads [`COLUMNS`].
pub(super) fn from_row(row: &Row<'_>) -> Result<KnownProfile> {
    let profile = Profile {
        nickname: row.get(2)?,
        avatar: row.get(3)?,
        gender: gender(row.get(4)?)?,
        birthday: row.get(5)?,
        intro: row.get(6)?,
        policy: policy(row.get(7)?)?,
        presence_to: audience(row.get(8)?)?,
        last_seen_to: audience(row.get(9)?)?,
    };
    Ok(KnownProfile { user: UserId(row.get(0)?), of: VersionedProfile { version: row.get(1)?, profile } })
}

fn gender(number: i64) -> Result<Gender> {
    match number {
        0 => Ok(Gender::Unspecified),
        1 => Ok(Gender::Female),
        2 => Ok(Gender::Male),
        3 => Ok(Gender::Other),
        _ => Err(Fault::Row("an unknown gender")),
    }
}

fn gender_number(gender: Gender) -> i64 {
    match gender {
        Gender::Unspecified => 0,
        Gender::Female => 1,
        Gender::Male => 2,
        Gender::Other => 3,
    }
}

fn policy(number: i64) -> Result<FriendPolicy> {
    match number {
        0 => Ok(FriendPolicy::Verify),
        1 => Ok(FriendPolicy::AllowAll),
        2 => Ok(FriendPolicy::DenyAll),
        _ => Err(Fault::Row("an unknown policy of friends")),
    }
}

fn policy_number(policy: FriendPolicy) -> i64 {
    match policy {
        FriendPolicy::Verify => 0,
        FriendPolicy::AllowAll => 1,
        FriendPolicy::DenyAll => 2,
    }
}

fn audience(number: i64) -> Result<Audience> {
    match number {
        0 => Ok(Audience::Everybody),
        1 => Ok(Audience::Friends),
        2 => Ok(Audience::Nobody),
        _ => Err(Fault::Row("an unknown audience")),
    }
}

fn audience_number(audience: Audience) -> i64 {
    match audience {
        Audience::Everybody => 0,
        Audience::Friends => 1,
        Audience::Nobody => 2,
    }
}

/// A user's profile; `None` before its first change.
pub(super) fn load(connection: &Connection, user: UserId) -> Result<Option<KnownProfile>> {
    let mut statement = connection.prepare_cached(&format!("SELECT {COLUMNS} FROM profile WHERE user = ?1"))?;
    let mut rows = statement.query([user.0])?;
    rows.next()?.map(from_row).transpose()
}

/// Whom a user lets ask, and the version of that.
pub(super) fn policy_of(connection: &Connection, user: UserId) -> Result<(FriendPolicy, u64)> {
    let mut statement = connection.prepare_cached("SELECT policy, policy_version FROM profile WHERE user = ?1")?;
    let found = statement.query_row([user.0], |row| Ok((row.get(0)?, row.get(1)?))).optional()?;
    found.map_or(Ok((FriendPolicy::default(), 0)), |(number, version)| Ok((policy(number)?, version)))
}

fn set(batch: &mut Batch<'_>, app: AppId, session: SessionId, user: UserId, change: &ProfileChange) -> Result<u64> {
    let before = load(batch.connection, user)?.map_or_else(VersionedProfile::default, |known| known.of);
    let profile = change.clone().applied_to(&before.profile);
    if profile == before.profile {
        return Ok(before.version);
    }
    let version = batch.next_counter(Counter::People)?;
    let mut statement = batch.connection.prepare_cached(
        "INSERT INTO profile (user, version, policy_version, nickname, avatar, gender, birthday, intro, policy, \
         presence_to, last_seen_to) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11) ON CONFLICT (user) DO UPDATE SET \
         version = ?2, policy_version = policy_version + ?3, nickname = ?4, avatar = ?5, gender = ?6, birthday = ?7, \
         intro = ?8, policy = ?9, presence_to = ?10, last_seen_to = ?11",
    )?;
    statement.execute((
        user.0,
        version,
        profile.policy != before.profile.policy,
        &profile.nickname,
        &profile.avatar,
        gender_number(profile.gender),
        profile.birthday,
        &profile.intro,
        policy_number(profile.policy),
        audience_number(profile.presence_to),
        audience_number(profile.last_seen_to),
    ))?;
    relations::tell_lists(batch, app, session, user, version as u64)?;
    Ok(version as u64)
}

fn by_names(connection: &Connection, app: AppId, names: &[Name]) -> Result<Vec<Option<KnownProfile>>> {
    let one = |name: &Name| -> Result<Option<KnownProfile>> {
        let Some(user) = accounts::user(connection, app, name)?.filter(|_| !name.is_visitor()) else { return Ok(None) };
        let known = load(connection, user.id)?;
        Ok(Some(known.unwrap_or(KnownProfile { user: user.id, of: VersionedProfile::default() })))
    };
    names.iter().map(one).collect()
}

impl Profiles for SqliteStore {
    fn set_profile(
        &self,
        app: AppId,
        session: SessionId,
        user: UserId,
        change: ProfileChange,
    ) -> Pending<'_, crate::Result<u64>> {
        self.write_as(session, move |batch| set(batch, app, session, user, &change))
    }

    fn profiles(&self, app: AppId, names: Vec<Name>) -> Pending<'_, crate::Result<Vec<Option<KnownProfile>>>> {
        self.read(move |connection| by_names(connection, app, &names))
    }
}
