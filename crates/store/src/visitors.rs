//! Visitors: who came, how often, from where.

use hongyan_domain::environment::Pending;
use hongyan_domain::id::{AppId, UserId};
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

/// Visitors.
pub trait Visitors: Send + Sync + 'static {
    /// Makes the visitor's user if there is none, and notes the visit (`hongyan_domain::visitor::Visitor`).
    fn visit(&self, visit: Visit) -> Pending<'_, Result<Visited>>;

    /// What is known of a visitor; `None` of everybody else.
    fn visitor(&self, user: UserId) -> Pending<'_, Result<Option<Visitor>>>;
}
