//! Profiles of users.

use hongyan_domain::environment::Pending;
use hongyan_domain::id::{AppId, SessionId, UserId};
use hongyan_domain::name::Name;
use hongyan_domain::profile::ProfileChange;
use hongyan_store::Result;
use hongyan_store::profiles::{KnownProfile, Profiles, VersionedProfile};

use super::state::{Batch, State};
use super::{ModelStore, accounts, friends};

fn set(batch: &mut Batch<'_>, app: AppId, session: SessionId, user: UserId, change: &ProfileChange) -> Result<u64> {
    let before = batch.state.person(user)?.profile.clone();
    let profile = change.clone().applied_to(&before.profile);
    if profile == before.profile {
        return Ok(before.version);
    }
    let version = batch.state.next_people_version();
    let person = batch.state.person_mut(user)?;
    person.policy_version += u64::from(profile.policy != before.profile.policy);
    person.profile = VersionedProfile { version, profile };
    friends::tell_lists(batch, app, session, user, version)?;
    Ok(version)
}

fn by_names(state: &State, app: AppId, names: &[Name]) -> Vec<Option<KnownProfile>> {
    let one = |name: &Name| {
        let user = accounts::user(state, app, name).filter(|_| !name.is_visitor())?.id;
        Some(KnownProfile { user, of: state.people.get(&user)?.profile.clone() })
    };
    names.iter().map(one).collect()
}

impl Profiles for ModelStore {
    fn set_profile(
        &self,
        app: AppId,
        session: SessionId,
        user: UserId,
        change: ProfileChange,
    ) -> Pending<'_, Result<u64>> {
        self.write_as(session, move |batch| set(batch, app, session, user, &change))
    }

    fn profiles(&self, app: AppId, names: Vec<Name>) -> Pending<'_, Result<Vec<Option<KnownProfile>>>> {
        self.read(move |state| Ok(by_names(state, app, &names)))
    }
}
