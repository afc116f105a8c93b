//! LOGIN: who is it, may they, and which sessions end because of it (spec 30, 55).
//!
//! Whatever is wrong with app, account, password or token is one and the same refusal, given after the same work.

use std::net::{IpAddr, Ipv6Addr};
use std::sync::Arc;

use hongyan_cluster::bus::Ending;
use hongyan_cluster::service::{LoggedIn, Origin};
use hongyan_domain::id::{AppId, SessionId, UserId};
use hongyan_domain::name::Name;
use hongyan_domain::refusal::Refusal;
use hongyan_domain::session::{Caller, EndReason, Term};
use hongyan_domain::time::UnixMillis;
use hongyan_store::sessions::{OpenSession, Opened};
use hongyan_wire::proto::login_request::Credential;
use hongyan_wire::{limits, proto};

use crate::answer::{BUSY_RETRY_MS, unavailable};
use crate::directory::{KnownApp, KnownUser, Moment};
use crate::service::Logic;

/// Longest name and version of client software, in bytes.
const CLIENT_BYTES_MAX: usize = 64;
/// Longest password, in bytes; longer ones are wrong.
pub(crate) const PASSWORD_BYTES_MAX: usize = 1_024;

/// The ways to log in, which are limited on their own: who tries passwords must not lock out who has a token.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Means {
    /// A token.
    Token,
    /// A password.
    Password,
    /// A visitor's mark.
    Mark,
}

/// What has proven who somebody is; kept until the session is open, to be looked at again.
pub(crate) enum Proof {
    Token(String),
    /// What the password was checked against.
    PasswordHash(Option<String>),
    /// A visitor's; it was made by this login, or checked by it.
    Mark,
}

/// Somebody whose credential was right.
pub(crate) struct Proven {
    pub app: Arc<KnownApp>,
    pub user: UserId,
    pub name: Name,
    pub proof: Proof,
}

impl Logic {
    pub(crate) async fn log_in(&self, request: proto::LoginRequest, from: Origin) -> Result<LoggedIn, Refusal> {
        let result = self.try_log_in(request, from).await;
        let counter = if result.is_ok() { &self.measures.logins } else { &self.measures.logins_refused };
        counter.add(1);
        result
    }

    async fn try_log_in(&self, request: proto::LoginRequest, from: Origin) -> Result<LoggedIn, Refusal> {
        let began_ms = self.environment.monotonic_ms().saturating_sub(from.age_ms);
        let limited = |retry_after_ms| Refusal::RateLimited { retry_after_ms };
        self.logins_by_address.take(network(from.address), self.environment.monotonic_ms()).map_err(limited)?;
        let term = Term::from_number(request.term).ok_or(Refusal::InvalidArgument("term"))?;
        if request.device_id.is_empty() || request.device_id.len() > limits::DEVICE_ID_BYTES_MAX {
            return Err(Refusal::InvalidArgument("device_id"));
        }
        if request.client.len() > CLIENT_BYTES_MAX {
            return Err(Refusal::InvalidArgument("client"));
        }
        let moment = self.directory.moment();
        let app = match Name::parse(&request.app) {
            Some(name) => self.directory.app(&name).await?,
            None => None,
        };
        let proven = match request.credential {
            Some(Credential::Token(token)) => self.prove_by_token(app, token).await?,
            Some(Credential::Password(password)) => self.prove_by_password(app, password).await?,
            Some(Credential::Visitor(visitor)) => self.prove_by_mark(app, visitor, from.address).await?,
            None => return Err(Refusal::InvalidArgument("credential")),
        };
        let mut session = [0; 16];
        self.environment.random(&mut session);
        let session = SessionId(session);
        let opened = self.open_session(&proven, session, request.device_id.to_vec(), term, began_ms).await?;
        self.recheck(&proven, session, moment).await?;
        Ok(self.logged_in(proven, session, term, opened))
    }

    async fn prove_by_token(&self, app: Option<Arc<KnownApp>>, token: String) -> Result<Proven, Refusal> {
        let app = app.ok_or(Refusal::Unauthenticated)?;
        let name = app.keys.verify(&token, &app.app.name, self.environment.wall_clock()).map_err(|fault| {
            tracing::debug!(app = %app.app.name, ?fault, "a token was refused");
            Refusal::Unauthenticated
        })?;
        self.limit_account(app.app.id, &name, Means::Token)?;
        let user = match self.directory.user(app.app.id, &name).await? {
            Some(user) => user,
            // The app's server vouches for its users: who is not known yet is known from now on.
            None => self.create_token_user(&app, &name).await?,
        };
        if user.disabled {
            return Err(Refusal::Unauthenticated);
        }
        Ok(Proven { app, user: user.id, name, proof: Proof::Token(token) })
    }

    async fn create_token_user(&self, app: &KnownApp, name: &Name) -> Result<KnownUser, Refusal> {
        let now = self.environment.wall_clock();
        self.store.create_user(app.app.id, name.clone(), None, now).await.map_err(unavailable)?;
        // Also if the name was taken in between: by another login of the same user.
        self.directory.user(app.app.id, name).await?.ok_or(Refusal::Internal)
    }

    async fn prove_by_password(
        &self,
        app: Option<Arc<KnownApp>>,
        credential: proto::PasswordCredential,
    ) -> Result<Proven, Refusal> {
        let app_name = app.as_ref().map(|app| app.app.name.as_str()).unwrap_or_default();
        let name = Name::parse(&credential.user);
        if let (Some(app), Some(name)) = (&app, &name) {
            self.limit_account(app.app.id, name, Means::Password)?;
        }
        let user = match (&app, &name) {
            (Some(app), Some(name)) => self.directory.user_row(app.app.id, name).await?,
            _ => None,
        };
        let hash = user.as_ref().and_then(|user| user.password_hash.clone());
        let too_long = credential.password.len() > PASSWORD_BYTES_MAX;
        let password = if too_long { String::new() } else { credential.password };
        let right = self.passwords.verify(password, hash.clone()).await;
        let right = right.map_err(|_| Refusal::TryLater { retry_after_ms: BUSY_RETRY_MS })? && !too_long;
        match (app.clone(), user, name) {
            (Some(app), Some(user), Some(name)) if right && !user.disabled => {
                Ok(Proven { app, user: user.id, name, proof: Proof::PasswordHash(hash) })
            }
            _ => {
                tracing::debug!(app = app_name, "a password was refused");
                Err(Refusal::Unauthenticated)
            }
        }
    }

    pub(crate) fn limit_account(&self, app: AppId, user: &Name, means: Means) -> Result<(), Refusal> {
        let key = (app, user.clone(), means);
        let taken = self.logins_by_account.take(key, self.environment.monotonic_ms());
        taken.map_err(|retry_after_ms| Refusal::RateLimited { retry_after_ms })
    }

    async fn open_session(
        &self,
        proven: &Proven,
        session: SessionId,
        device_id: Vec<u8>,
        term: Term,
        began_ms: u64,
    ) -> Result<Opened, Refusal> {
        let settings = &proven.app.app.settings;
        let now = self.environment.wall_clock();
        let age_ms = self.environment.monotonic_ms().saturating_sub(began_ms);
        let login = OpenSession {
            app: proven.app.app.id,
            user: proven.user,
            session,
            device_id,
            term,
            sessions_max: settings.sessions_per_term_max.of(term),
            devices_max: settings.devices_per_user_max,
            // The wall clock may have been set since; an age is always true.
            connected: UnixMillis(now.0.saturating_sub(age_ms)),
            now,
        };
        self.store.open_session(login).await.map_err(unavailable)?.ok_or(Refusal::Kicked)
    }

    /// An account that was disabled, a password that was replaced or a key that was revoked while a login was under way
    /// must not leave a session behind: its administrator has ended only those that were there.
    async fn recheck(&self, proven: &Proven, session: SessionId, moment: Moment) -> Result<(), Refusal> {
        if self.directory.unchanged_since(moment) {
            return Ok(());
        }
        let refusal = match self.still_holds(proven).await {
            Ok(true) => return Ok(()),
            Ok(false) => Refusal::Unauthenticated,
            Err(refusal) => refusal,
        };
        let now = self.environment.wall_clock();
        self.store.end_session(session, EndReason::Revoked, now).await.map_err(unavailable)?;
        Err(refusal)
    }

    async fn still_holds(&self, proven: &Proven) -> Result<bool, Refusal> {
        let app = &proven.app.app;
        let Some(user) = self.directory.user_row(app.id, &proven.name).await? else { return Ok(false) };
        let proof_holds = match &proven.proof {
            Proof::PasswordHash(hash) => *hash == user.password_hash,
            Proof::Token(token) => {
                let keys = self.directory.keys_row(app.id).await?;
                keys.verify(token, &app.name, self.environment.wall_clock()).is_ok()
            }
            // A mark cannot be revoked, but the visitor may have turned out to be an account.
            Proof::Mark => {
                let visitor = self.store.visitor(proven.user).await.map_err(unavailable)?;
                if visitor.is_none_or(|visitor| visitor.account.is_some()) {
                    return Err(Refusal::Conflict);
                }
                true
            }
        };
        Ok(proof_holds && !user.disabled)
    }

    fn logged_in(&self, proven: Proven, session: SessionId, term: Term, opened: Opened) -> LoggedIn {
        let now = self.environment.wall_clock();
        for (ended, reason) in opened.ended {
            let by_term = (reason == EndReason::SameTermLogin).then_some(term);
            self.bus.end(ended, Ending { reason, by_term, time: now });
        }
        self.directory.learn(proven.user, &proven.name);
        tracing::debug!(app = %proven.app.app.name, user = proven.user.0, ?session, "logged in");
        let answer = proto::LoginAnswer {
            user: proven.name.to_string(),
            server_time_ms: now.0,
            log_epoch: opened.log_epoch,
            inbox_head: opened.inbox_head,
            inbox_cursor: opened.inbox_cursor,
            visitor_mark: self.visitor_keys.sign(&proven.app.app.name, &proven.name, now).unwrap_or_default(),
            heartbeat_seconds: (limits::HEARTBEAT.0 / 1_000) as u32,
            ..proto::LoginAnswer::default()
        };
        let caller = Caller {
            app: proven.app.app.id,
            user: proven.user,
            name: proven.name,
            device: opened.device,
            term,
            session,
        };
        LoggedIn { caller, answer }
    }
}

/// Who shares one rate: an IPv4 address, or an IPv6 network of the size that one customer gets.
pub(crate) fn network(address: IpAddr) -> IpAddr {
    match address.to_canonical() {
        IpAddr::V6(address) => IpAddr::V6(Ipv6Addr::from_bits(address.to_bits() >> 64 << 64)),
        address => address,
    }
}
