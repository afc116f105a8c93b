//! CREATE_GROUP, CHANGE_GROUP, JOIN_GROUP: checks what needs no facts and resolves names. Who may do what is decided by
//! `hongyan_domain::group`, where the store commits it.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use bytes::Bytes;
use hongyan_cluster::service::Reply;
use hongyan_domain::group::{
    ANNOUNCEMENT_BYTES_MAX, ASKING_BYTES_MAX, AVATAR_BYTES_MAX, Change, HistoryPolicy, INTRO_BYTES_MAX, JoinPolicy,
    Joining, NICKNAME_BYTES_MAX, Policies, Profile, TITLE_BYTES_MAX,
};
use hongyan_domain::id::UserId;
use hongyan_domain::name::Name;
use hongyan_domain::refusal::Refusal;
use hongyan_domain::session::Caller;
use hongyan_domain::spam::TextKind;
use hongyan_store::groups::{ChangeGroup, CreateGroup, JoinGroup};
use hongyan_wire::command::Operation;
use hongyan_wire::list::List;
use hongyan_wire::proto;
use proto::change_group_request::What;

use crate::alter::client_request_id;
use crate::answer::{plain, unavailable};
use crate::digest::digest;
use crate::service::{Logic, STORED_MAX, counted};

/// Random bytes of a name that the server makes, and of a link.
const RANDOM_BYTES: usize = 12;

impl Logic {
    pub(crate) async fn create_group(&self, caller: &Caller, body: Bytes) -> Result<Reply, Refusal> {
        let digest = digest(Operation::CreateGroup, &body).map_err(|_| Refusal::Malformed)?;
        let request: proto::CreateGroupRequest = counted(List::FirstMembers, body)?;
        let client_id = client_request_id(&request.client_request_id)?;
        no_visitor(caller)?;
        let profile = self.fit_group_profile(caller, profile(request.profile.unwrap_or_default())?).await?;
        if profile.title.is_none() {
            return Err(Refusal::InvalidArgument("title"));
        }
        let policies =
            Policies { join: join(request.join)?, history: history(request.history)?, members_invite: false };
        let users = self.invited(caller, &request.users).await?;
        let chosen = !request.group.is_empty();
        let name = if chosen { Name::parse(&request.group) } else { Name::parse(&self.random_text()) };
        let name = name.ok_or(Refusal::InvalidArgument("group"))?;
        let by = self.asker(caller, client_id, digest);
        let create = CreateGroup { by, name: name.clone(), profile, policies, users };
        let outcome = self.store.create_group(create).await.map_err(unavailable)?;
        let answer = self.group_answer(caller, outcome).await?;
        // A repeat may have drawn another name.
        let made = hongyan_domain::ConversationId(answer.seq as i64);
        let group = if chosen { name } else { self.store.group_name(made).await.map_err(unavailable)? };
        Ok(plain(&proto::CreateGroupAnswer { id: request.id, refusal: None, group: group.to_string() }))
    }

    pub(crate) async fn change_group(&self, caller: &Caller, body: Bytes) -> Result<Reply, Refusal> {
        let digest = digest(Operation::ChangeGroup, &body).map_err(|_| Refusal::Malformed)?;
        let request: proto::ChangeGroupRequest = counted(List::GroupUsers, body)?;
        let client_id = client_request_id(&request.client_request_id)?;
        let what = request.what.ok_or(Refusal::InvalidArgument("what"))?;
        let wants_link = matches!(what, What::NewLink(_));
        let change = self.group_change(caller, what).await;
        let group = self.group_named(caller.app, &request.group).await;
        let answer = match (change, group) {
            (Ok(change), group) => {
                let change = ChangeGroup { by: self.asker(caller, client_id, digest), group: group?, change };
                let outcome = self.store.change_group(change).await.map_err(unavailable)?;
                self.group_answer(caller, outcome).await?
            }
            // Whoever got in before gets the same answer again; whether there is such a group is not told.
            (Err(refusal), Ok(group)) => self.known_answer(caller, group, client_id, digest).await?.ok_or(refusal)?,
            (Err(refusal), Err(_)) => return Err(refusal),
        };
        let group = self.group_named(caller.app, &request.group).await?;
        let link = if wants_link { self.store.group_link(group).await.map_err(unavailable)? } else { String::new() };
        Ok(plain(&proto::ChangeGroupAnswer { id: request.id, refusal: None, seq: answer.seq, link }))
    }

    pub(crate) async fn join_group(&self, caller: &Caller, body: Bytes) -> Result<Reply, Refusal> {
        let digest = digest(Operation::JoinGroup, &body).map_err(|_| Refusal::Malformed)?;
        let request: proto::JoinGroupRequest = crate::service::decoded(body)?;
        let client_id = client_request_id(&request.client_request_id)?;
        no_visitor(caller)?;
        let text = text(request.text, ASKING_BYTES_MAX, "text")?;
        let text = self.fit_text(caller, TextKind::Request, text).await?;
        // As with people: nobody tries out all names.
        let tried = self.first_contacts.take(caller.user, self.environment.monotonic_ms());
        tried.map_err(|retry_after_ms| Refusal::RateLimited { retry_after_ms })?;
        let group = self.group_named(caller.app, &request.group).await?;
        let joining = Joining { link: request.link, text };
        let join = JoinGroup { by: self.asker(caller, client_id, digest), group, joining };
        let outcome = self.store.join_group(join).await.map_err(unavailable)?;
        let answer = self.group_answer(caller, outcome).await?;
        let pending = answer.message_count == 1;
        Ok(plain(&proto::JoinGroupAnswer { id: request.id, refusal: None, pending }))
    }

    async fn group_change(&self, caller: &Caller, what: What) -> Result<Change, Refusal> {
        Ok(match what {
            What::Invite(list) => Change::Invite(self.invited(caller, &list.users).await?),
            What::Remove(list) => Change::Remove(self.named(caller, &list.users).await?),
            What::Leave(_) => Change::Leave,
            What::Dissolve(_) => Change::Dissolve,
            What::Owner(user) => Change::Owner(self.one(caller, &user).await?),
            What::Role(role) => {
                let admin = match role.role() {
                    proto::GroupRole::Member => false,
                    proto::GroupRole::Admin => true,
                    proto::GroupRole::Owner => return Err(Refusal::InvalidArgument("role")),
                };
                Change::Admin(self.one(caller, &role.user).await?, admin)
            }
            What::Mute(mute) => Change::Mute(self.one(caller, &mute.user).await?, mute.seconds),
            What::MuteAll(muted) => Change::MuteAll(muted),
            What::Profile(given) => Change::Profile(self.fit_group_profile(caller, profile(given)?).await?),
            What::Announcement(given) => {
                let given = text(given, ANNOUNCEMENT_BYTES_MAX, "announcement")?;
                Change::Announcement(self.fit_text(caller, TextKind::GroupText, given).await?)
            }
            What::Policies(given) => Change::Policies(Policies {
                join: join(given.join)?,
                history: history(given.history)?,
                members_invite: given.members_invite,
            }),
            What::Nickname(given) => {
                let given = line(given, NICKNAME_BYTES_MAX, "nickname")?;
                Change::Nickname(self.fit_text(caller, TextKind::GroupName, given).await?)
            }
            What::Pin(pin) => Change::Pin(pin.seq.min(STORED_MAX), pin.pinned),
            What::NewLink(_) => Change::NewLink(self.random_text()),
            What::Admission(decision) => Change::Admission(self.one(caller, &decision.user).await?, decision.admitted),
        })
    }

    /// What others may see of it.
    async fn fit_group_profile(&self, caller: &Caller, mut profile: Profile) -> Result<Profile, Refusal> {
        for (text, kind) in [(&mut profile.title, TextKind::GroupName), (&mut profile.intro, TextKind::GroupText)] {
            if let Some(text) = text {
                *text = self.fit_text(caller, kind, std::mem::take(text)).await?;
            }
        }
        Ok(profile)
    }

    async fn one(&self, caller: &Caller, user: &str) -> Result<UserId, Refusal> {
        Ok(self.directory.other(caller.app, user).await?.0.id)
    }

    async fn named(&self, caller: &Caller, users: &[String]) -> Result<Vec<UserId>, Refusal> {
        if users.is_empty() {
            return Err(Refusal::InvalidArgument("users"));
        }
        let mut found = Vec::with_capacity(users.len());
        for user in users {
            found.push(self.one(caller, user).await?);
        }
        Ok(found)
    }

    /// People who may be taken into a group: visitors and those who are locked out are not.
    async fn invited(&self, caller: &Caller, users: &[String]) -> Result<Vec<UserId>, Refusal> {
        let mut found = Vec::with_capacity(users.len());
        for user in users {
            let (known, name) = self.directory.other(caller.app, user).await?;
            if known.disabled || name.is_visitor() {
                return Err(Refusal::NotFound);
            }
            let taken = self.invitations_by_user.take(caller.user, self.environment.monotonic_ms());
            taken.map_err(|retry_after_ms| Refusal::RateLimited { retry_after_ms })?;
            found.push(known.id);
        }
        Ok(found)
    }

    fn random_text(&self) -> String {
        let mut bytes = [0; RANDOM_BYTES];
        self.environment.random(&mut bytes);
        URL_SAFE_NO_PAD.encode(bytes)
    }
}

/// Visitors talk to those who receive them, not in groups (spec 70).
fn no_visitor(caller: &Caller) -> Result<(), Refusal> {
    if caller.name.is_visitor() { Err(Refusal::NotAllowed) } else { Ok(()) }
}

fn profile(given: proto::GroupProfile) -> Result<Profile, Refusal> {
    let title = given.title.map(|title| line(title.trim().to_owned(), TITLE_BYTES_MAX, "title")).transpose()?;
    if title.as_ref().is_some_and(String::is_empty) {
        return Err(Refusal::InvalidArgument("title"));
    }
    Ok(Profile {
        title,
        intro: given.intro.map(|intro| text(intro, INTRO_BYTES_MAX, "intro")).transpose()?,
        avatar: given.avatar.map(|avatar| line(avatar, AVATAR_BYTES_MAX, "avatar")).transpose()?,
    })
}

fn text(given: String, bytes_max: usize, field: &'static str) -> Result<String, Refusal> {
    let fits = given.len() <= bytes_max && !given.contains('\0');
    if fits { Ok(given) } else { Err(Refusal::InvalidArgument(field)) }
}

/// A text without breaks.
fn line(given: String, bytes_max: usize, field: &'static str) -> Result<String, Refusal> {
    if given.chars().any(char::is_control) {
        Err(Refusal::InvalidArgument(field))
    } else {
        text(given, bytes_max, field)
    }
}

fn join(policy: i32) -> Result<JoinPolicy, Refusal> {
    match proto::JoinPolicy::try_from(policy) {
        Ok(proto::JoinPolicy::Invited) => Ok(JoinPolicy::Invited),
        Ok(proto::JoinPolicy::Asked) => Ok(JoinPolicy::Asked),
        Ok(proto::JoinPolicy::Open) => Ok(JoinPolicy::Open),
        Err(_) => Err(Refusal::InvalidArgument("join")),
    }
}

fn history(policy: i32) -> Result<HistoryPolicy, Refusal> {
    match proto::HistoryPolicy::try_from(policy) {
        Ok(proto::HistoryPolicy::FromJoining) => Ok(HistoryPolicy::FromJoining),
        Ok(proto::HistoryPolicy::Everything) => Ok(HistoryPolicy::Everything),
        Err(_) => Err(Refusal::InvalidArgument("history")),
    }
}
