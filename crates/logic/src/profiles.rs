//! SET_PROFILE and PROFILES: what users say about themselves, pulled when a screen needs it (spec 33, 34).

use hongyan_cluster::service::Reply;
use hongyan_domain::friend::FriendPolicy;
use hongyan_domain::name::Name;
use hongyan_domain::profile::{Audience, Gender, ProfileChange};
use hongyan_domain::refusal::Refusal;
use hongyan_domain::session::Caller;
use hongyan_domain::spam::TextKind;
use hongyan_store::profiles::{KnownProfile, VersionedProfile};
use hongyan_wire::{limits, proto};
use prost::Message;

use crate::answer::{plain, unavailable};
use crate::friends::check_is_user;
use crate::page::{LIST_ITEM_BYTES, PAGE_ENTRY_BYTES_MAX};
use crate::service::Logic;

impl Logic {
    pub(crate) async fn set_profile(
        &self,
        caller: &Caller,
        request: proto::SetProfileRequest,
    ) -> Result<Reply, Refusal> {
        check_is_user(caller)?;
        let id = request.id;
        let change = change(request)?;
        change.check()?;
        let change = self.fit_profile(caller, change).await?;
        let hides = change.presence_to.is_some() || change.last_seen_to.is_some();
        let version = self.store.set_profile(caller.app, caller.session, caller.user, change).await;
        let version = version.map_err(unavailable)?;
        if hides {
            self.bus.hide(caller.user);
        }
        Ok(plain(&proto::SetProfileAnswer { id, refusal: None, version }))
    }

    /// A name that nobody has counts like a first contact, so that nobody can try out many.
    /// What others may see of it.
    async fn fit_profile(&self, caller: &Caller, mut change: ProfileChange) -> Result<ProfileChange, Refusal> {
        for text in [&mut change.nickname, &mut change.intro].into_iter().flatten() {
            *text = self.fit_text(caller, TextKind::Profile, std::mem::take(text)).await?;
        }
        Ok(change)
    }

    pub(crate) async fn profiles(&self, caller: &Caller, request: proto::ProfilesRequest) -> Result<Reply, Refusal> {
        check_is_user(caller)?;
        if request.users.len() > limits::LIST_ITEMS_MAX {
            return Err(Refusal::InvalidArgument("users"));
        }
        let wishes = request.users.iter().filter_map(|wish| Some((Name::parse(&wish.user)?, wish.version)));
        let (names, versions): (Vec<Name>, Vec<u64>) = wishes.unzip();
        let found = self.store.profiles(caller.app, names.clone()).await.map_err(unavailable)?;
        for _ in found.iter().filter(|known| known.is_none()) {
            self.count_first_contact(caller)?;
        }
        let mut answer = proto::ProfilesAnswer { id: request.id, ..proto::ProfilesAnswer::default() };
        let mut bytes = 0;
        for ((known, name), version) in found.iter().zip(&names).zip(versions) {
            let Some(KnownProfile { of, .. }) = known.as_ref().filter(|known| known.of.version > version) else {
                continue;
            };
            let profile = profile_for(name, of);
            bytes += profile.encoded_len() + LIST_ITEM_BYTES;
            if bytes > PAGE_ENTRY_BYTES_MAX {
                answer.more = true;
                break;
            }
            answer.profiles.push(profile);
        }
        Ok(plain(&answer))
    }
}

/// A profile for anybody.
pub(crate) fn profile_for(name: &Name, of: &VersionedProfile) -> proto::Profile {
    let VersionedProfile { version, profile } = of;
    let gender = match profile.gender {
        Gender::Unspecified => proto::Gender::Unspecified,
        Gender::Female => proto::Gender::Female,
        Gender::Male => proto::Gender::Male,
        Gender::Other => proto::Gender::Other,
    };
    proto::Profile {
        user: name.to_string(),
        version: *version,
        nickname: profile.nickname.clone(),
        avatar: profile.avatar.clone(),
        gender: gender.into(),
        birthday: profile.birthday,
        intro: profile.intro.clone(),
    }
}

/// A profile for its owner.
pub(crate) fn own_profile_for(name: &Name, of: &VersionedProfile) -> proto::OwnProfile {
    let audience = |audience| {
        let audience = match audience {
            Audience::Everybody => proto::Audience::Everybody,
            Audience::Friends => proto::Audience::Friends,
            Audience::Nobody => proto::Audience::Nobody,
        };
        audience.into()
    };
    let policy = match of.profile.policy {
        FriendPolicy::Verify => proto::FriendPolicy::Verify,
        FriendPolicy::AllowAll => proto::FriendPolicy::AllowAll,
        FriendPolicy::DenyAll => proto::FriendPolicy::DenyAll,
    };
    proto::OwnProfile {
        profile: Some(profile_for(name, of)),
        policy: policy.into(),
        presence_to: audience(of.profile.presence_to),
        last_seen_to: audience(of.profile.last_seen_to),
    }
}

fn change(request: proto::SetProfileRequest) -> Result<ProfileChange, Refusal> {
    let audience = |number: Option<i32>, field| number.map(|number| audience(number, field)).transpose();
    Ok(ProfileChange {
        gender: request.gender.map(gender).transpose()?,
        policy: request.policy.map(policy).transpose()?,
        presence_to: audience(request.presence_to, "presence_to")?,
        last_seen_to: audience(request.last_seen_to, "last_seen_to")?,
        nickname: request.nickname,
        avatar: request.avatar,
        birthday: request.birthday,
        intro: request.intro,
    })
}

fn gender(number: i32) -> Result<Gender, Refusal> {
    match proto::Gender::try_from(number) {
        Ok(proto::Gender::Unspecified) => Ok(Gender::Unspecified),
        Ok(proto::Gender::Female) => Ok(Gender::Female),
        Ok(proto::Gender::Male) => Ok(Gender::Male),
        Ok(proto::Gender::Other) => Ok(Gender::Other),
        Err(_) => Err(Refusal::InvalidArgument("gender")),
    }
}

fn policy(number: i32) -> Result<FriendPolicy, Refusal> {
    match proto::FriendPolicy::try_from(number) {
        Ok(proto::FriendPolicy::Verify) => Ok(FriendPolicy::Verify),
        Ok(proto::FriendPolicy::AllowAll) => Ok(FriendPolicy::AllowAll),
        Ok(proto::FriendPolicy::DenyAll) => Ok(FriendPolicy::DenyAll),
        Err(_) => Err(Refusal::InvalidArgument("policy")),
    }
}

fn audience(number: i32, field: &'static str) -> Result<Audience, Refusal> {
    match proto::Audience::try_from(number) {
        Ok(proto::Audience::Everybody) => Ok(Audience::Everybody),
        Ok(proto::Audience::Friends) => Ok(Audience::Friends),
        Ok(proto::Audience::Nobody) => Ok(Audience::Nobody),
        Err(_) => Err(Refusal::InvalidArgument(field)),
    }
}
