//! Visitors: who came, how often, from where, and who they turned out to be.

use hongyan_domain::environment::Pending;
use hongyan_domain::id::{AppId, SessionId, UserId};
use hongyan_domain::name::Name;
use hongyan_domain::time::UnixMillis;
use hongyan_domain::visitor::Visitor;

use crate::Result;

/// A login of a visitor.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Visit {
    /// The app.
    pub app: AppId,
    /// The name that their mark proves, or a new one.
    pub name: Name,
    /// The page they are on.
    pub page: String,
    /// Where they came from.
    pub referrer: String,
    /// Now.
    pub now: UnixMillis,
}

/// What became of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Visited {
    /// The visitor's user, made if there was none.
    User(UserId),
    /// The user is disabled; nothing was written.
    Disabled,
    /// The visitor turned out to be an account; nothing was written.
    Claimed,
}

/// An account that proves to have been a visitor.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Claim {
    /// The app.
    pub app: AppId,
    /// The visitor, as their mark proves.
    pub visitor: Name,
    /// The account.
    pub account: UserId,
    /// Its name; handed on to the listener, not stored.
    pub account_name: Name,
    /// The session that asks.
    pub session: SessionId,
    /// Now.
    pub now: UnixMillis,
}

/// What became of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ClaimOutcome {
    /// The visitor is history of the account now. Their sessions are dead from this commit on.
    Claimed {
        /// Which sessions.
        ended: Vec<SessionId>,
    },
    /// It was so already.
    Repeated,
    /// Another account was the first.
    Taken,
    /// There is no such visitor.
    Unknown,
}

/// Visitors.
pub trait Visitors: Send + Sync + 'static {
    /// Makes the visitor's user if there is none, and notes the visit (`hongyan_domain::visitor::Visitor`).
    fn visit(&self, visit: Visit) -> Pending<'_, Result<Visited>>;

    /// Makes a visitor history of an account, once and for all: ends their sessions, makes decisions about their
    /// conversations stale, and tells each correspondent and the account by an inbox entry for every conversation. Nothing
    /// is renumbered. Refused with [`crate::Error::SessionEnded`] once the session is dead.
    fn claim_visitor(&self, claim: Claim) -> Pending<'_, Result<ClaimOutcome>>;

    /// What is known of a visitor; `None` of everybody else.
    fn visitor(&self, user: UserId) -> Pending<'_, Result<Option<Visitor>>>;
}
