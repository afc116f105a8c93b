//! Visitors: people without an account, known again by a signed mark, and who may write to whom because of them
//! (spec 70, 71). What a mark is made of is logic's.

use crate::id::UserId;
use crate::refusal::Refusal;
use crate::time::UnixMillis;

/// A login so long after the last one begins another visit, in milliseconds.
pub const VISIT_PAUSE_MS: u64 = 30 * 60 * 1_000;
/// Longest page and longest referrer, in bytes each.
pub const ADDRESS_BYTES_MAX: usize = 512;

/// What is known of a visitor.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Visitor {
    /// Counted by [`Visitor::came_again`].
    pub visits: u32,
    /// The first login.
    pub first_visit: UnixMillis,
    /// The latest login.
    pub last_visit: UnixMillis,
    /// Where the visitor was at the latest login, as their browser told it.
    pub page: String,
    /// Where they came from when the latest visit began, as their browser told it.
    pub referrer: String,
    /// The account that the visitor turned out to be.
    pub account: Option<UserId>,
}

impl Visitor {
    /// At the first login.
    pub fn new(page: String, referrer: String, now: UnixMillis) -> Self {
        Self { visits: 1, first_visit: now, last_visit: now, page, referrer, account: None }
    }

    /// At every further login. Inside a visit the referrer stays: it would only name another page of the same site.
    pub fn came_again(&mut self, page: String, referrer: String, now: UnixMillis) {
        if now.0.saturating_sub(self.last_visit.0) >= VISIT_PAUSE_MS {
            self.visits = self.visits.saturating_add(1);
            self.referrer = referrer;
        }
        self.page = page;
        // The clock may have been turned back.
        self.last_visit = self.last_visit.max(now);
    }
}

/// What somebody is where visitors are concerned.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Standing {
    /// Has an account.
    Person {
        /// Visitors may write to them, and they to visitors.
        takes_visitors: bool,
    },
    /// Has none.
    Visitor {
        /// Turned out to be an account.
        claimed: bool,
    },
}

/// What visitors change about two people's conversation.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Meeting {
    /// Nothing: neither is a visitor.
    #[default]
    People,
    /// A visitor and somebody who takes visitors.
    Received,
    /// The same, but the visitor turned out to be an account: what they said can only be read.
    Claimed,
    /// A visitor and somebody who takes none. To each the other does not exist.
    Strangers,
}

impl Meeting {
    /// Of two people, in any order, who may be the same.
    pub fn of(one: Standing, other: Standing) -> Self {
        use Standing::{Person, Visitor};
        match (one, other) {
            (Person { .. }, Person { .. }) => Self::People,
            (Visitor { .. }, Visitor { .. }) => Self::Strangers,
            (Visitor { claimed }, Person { takes_visitors }) | (Person { takes_visitors }, Visitor { claimed }) => {
                match (takes_visitors, claimed) {
                    (false, _) => Self::Strangers,
                    (true, true) => Self::Claimed,
                    (true, false) => Self::Received,
                }
            }
        }
    }

    /// Whether the one may know of the other.
    pub fn decide_known(self) -> Result<(), Refusal> {
        if self == Self::Strangers { Err(Refusal::NotFound) } else { Ok(()) }
    }

    /// Whether anything may be written into their conversation.
    pub fn decide_write(self) -> Result<(), Refusal> {
        match self {
            Self::People | Self::Received => Ok(()),
            Self::Claimed => Err(Refusal::NotAllowed),
            Self::Strangers => Err(Refusal::NotFound),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ORDINARY: Standing = Standing::Person { takes_visitors: false };
    const HOST: Standing = Standing::Person { takes_visitors: true };
    const VISITOR: Standing = Standing::Visitor { claimed: false };
    const CLAIMED: Standing = Standing::Visitor { claimed: true };

    #[test]
    fn visitors_meet_only_who_takes_them() {
        for (one, other, expected) in [
            (ORDINARY, ORDINARY, Ok(())),
            (ORDINARY, HOST, Ok(())),
            (HOST, HOST, Ok(())),
            (HOST, VISITOR, Ok(())),
            (HOST, CLAIMED, Err(Refusal::NotAllowed)),
            (ORDINARY, VISITOR, Err(Refusal::NotFound)),
            (ORDINARY, CLAIMED, Err(Refusal::NotFound)),
            (VISITOR, VISITOR, Err(Refusal::NotFound)),
            (VISITOR, CLAIMED, Err(Refusal::NotFound)),
        ] {
            for meeting in [Meeting::of(one, other), Meeting::of(other, one)] {
                assert_eq!(meeting.decide_write(), expected, "{one:?} {other:?}");
                assert_eq!(meeting.decide_known().is_err(), expected == Err(Refusal::NotFound), "{one:?} {other:?}");
            }
        }
    }

    #[test]
    fn a_visit_ends_by_half_an_hour_of_absence() {
        let text = |text: &str| text.to_owned();
        let mut visitor = Visitor::new(text("/"), text("search"), UnixMillis(1_000));
        visitor.came_again(text("/shoes"), text("/"), UnixMillis(1_000 + VISIT_PAUSE_MS - 1));
        assert_eq!((visitor.visits, visitor.page.as_str(), visitor.referrer.as_str()), (1, "/shoes", "search"));
        let last = visitor.last_visit;
        visitor.came_again(text("/hats"), text("mail"), UnixMillis(last.0 + VISIT_PAUSE_MS));
        assert_eq!((visitor.visits, visitor.page.as_str(), visitor.referrer.as_str()), (2, "/hats", "mail"));
        assert_eq!((visitor.first_visit, visitor.last_visit.0), (UnixMillis(1_000), last.0 + VISIT_PAUSE_MS));
        let last = visitor.last_visit;
        visitor.came_again(text("/"), text(""), UnixMillis(5));
        assert_eq!((visitor.visits, visitor.last_visit), (2, last), "a clock that was turned back counts nothing");
    }
}
