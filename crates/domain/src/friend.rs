//! Friends: what is between two people, who may ask whom, and the nine checks of adding somebody (spec 72). Pure: the facts
//! are gathered by logic, where they are kept is the store's.

use crate::id::UserId;
use crate::refusal::Refusal;
use crate::time::UnixMillis;

/// A request that nobody answered is forgotten after so many milliseconds: seven days.
pub const REQUEST_LIFE_MS: u64 = 7 * 24 * 60 * 60 * 1_000;
/// Friends of one user.
pub const FRIENDS_MAX: usize = 5_000;
/// Requests that may wait for one user.
pub const REQUESTS_MAX: usize = 500;
/// Longest text of a request, in characters.
pub const REQUEST_TEXT_CHARACTERS_MAX: usize = 100;
/// Longest remark about a friend, in characters.
pub const REMARK_CHARACTERS_MAX: usize = 32;

/// What is between two people, said once for both.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Bond {
    /// Nothing.
    #[default]
    Strangers,
    /// They are friends.
    Friends,
    /// One has asked the other.
    Asked {
        /// Who asked.
        by: UserId,
        /// When.
        at: UnixMillis,
    },
}

impl Bond {
    /// Whether a request of this user waits for an answer.
    pub fn is_asked_by(self, user: UserId, now: UnixMillis) -> bool {
        matches!(self, Self::Asked { by, at } if by == user && now.0 < expiry(at).0)
    }

    /// Whether this takes something away from one of the two: a friendship, or a request that could be accepted.
    pub fn is_lost_by(self, next: Self) -> bool {
        self != Self::Strangers && next == Self::Strangers
    }
}

/// When a request of this time is forgotten.
pub fn expiry(asked: UnixMillis) -> UnixMillis {
    UnixMillis(asked.0.saturating_add(REQUEST_LIFE_MS))
}

/// What is between two people as one of them sees it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Tie {
    /// Nothing.
    #[default]
    None,
    /// They are friends.
    Friend,
    /// The reader has asked the other.
    Asked,
    /// The other has asked the reader.
    Asks,
}

/// What one user has about another: an item of their list.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Relation {
    /// What is between them.
    pub tie: Tie,
    /// The user does not want the other's messages.
    pub blocked: bool,
    /// The user's own name for the other.
    pub remark: String,
    /// Where the user has put the other; 0, or one that does not exist (any more), is the default.
    pub grouping: u32,
    /// Of a request: what it says.
    pub text: String,
    /// When the request was made or the friendship began.
    pub time: UnixMillis,
}

impl Relation {
    /// Whether there is nothing to tell of it.
    pub fn is_empty(&self) -> bool {
        self.tie == Tie::None && !self.blocked
    }

    /// Nothing is between the two any more; a block stays.
    pub fn end(&mut self) {
        *self = Self { blocked: self.blocked, ..Self::default() };
    }
}

/// What the devices of a user learn about another.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FriendEvent {
    /// The other asks.
    Asks,
    /// The user has asked, on some device.
    Asked,
    /// They are friends now.
    Friends,
    /// The request, whoever made it, was declined or taken back.
    Declined,
    /// They are friends no more.
    Removed,
}

/// Whom a user lets ask.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum FriendPolicy {
    /// Whoever adds the user is a friend at once.
    AllowAll,
    /// The user is asked.
    #[default]
    Verify,
    /// Nobody may ask.
    DenyAll,
}

/// What decides whether somebody may be added.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AddFacts {
    /// The asker is a registered user.
    pub asker_is_normal: bool,
    /// The other is a registered user who is not disabled.
    pub other_is_normal: bool,
    /// The asker has the grouping, or wants none.
    pub grouping_exists: bool,
    /// They are friends already.
    pub friends: bool,
    /// The asker does not want the other's messages.
    pub blocked_by_asker: bool,
    /// The other does not want the asker's messages.
    pub blocked_by_other: bool,
    /// Milliseconds to wait, if the asker asks too often.
    pub too_frequent: Option<u32>,
    /// The text of the request may be shown.
    pub text_is_legal: bool,
    /// Whom the other lets ask.
    pub policy: FriendPolicy,
    /// The other's own request waits for the asker: then no policy stands between them.
    pub asked_by_other: bool,
}

/// What adding somebody comes to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Act {
    /// They are friends at once.
    Befriend,
    /// The other is asked.
    Ask,
}

type Check = fn(&AddFacts) -> Option<Refusal>;

/// The nine checks in their order; the first that fails is reported.
const CHECKS: [Check; 9] = [
    |facts| (!facts.asker_is_normal).then_some(Refusal::VisitorsHaveNoFriends),
    |facts| (!facts.other_is_normal).then_some(Refusal::NotFound),
    |facts| (!facts.grouping_exists).then_some(Refusal::InvalidArgument("grouping")),
    |facts| facts.friends.then_some(Refusal::AlreadyFriends),
    |facts| facts.blocked_by_asker.then_some(Refusal::BlockedByYourself),
    |facts| facts.blocked_by_other.then_some(Refusal::NotAllowed),
    |facts| facts.too_frequent.map(|retry_after_ms| Refusal::RateLimited { retry_after_ms }),
    |facts| (!facts.text_is_legal).then_some(Refusal::InvalidArgument("text")),
    |facts| {
        let closed = facts.policy == FriendPolicy::DenyAll && !facts.asked_by_other;
        closed.then_some(Refusal::TakesNoRequests)
    },
];

/// Whether somebody may be added, and what comes of it.
pub fn decide_add(facts: &AddFacts) -> Result<Act, Refusal> {
    match CHECKS.iter().find_map(|check| check(facts)) {
        Some(refusal) => Err(refusal),
        None if facts.asked_by_other || facts.policy == FriendPolicy::AllowAll => Ok(Act::Befriend),
        None => Ok(Act::Ask),
    }
}

/// Whether a text of one line may be shown to others: so many characters at most, and nothing that moves the cursor.
pub fn is_legal_line(text: &str, characters_max: usize) -> bool {
    text.chars().count() <= characters_max && !text.chars().any(char::is_control)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn fine() -> AddFacts {
        AddFacts {
            asker_is_normal: true,
            other_is_normal: true,
            grouping_exists: true,
            friends: false,
            blocked_by_asker: false,
            blocked_by_other: false,
            too_frequent: None,
            text_is_legal: true,
            policy: FriendPolicy::Verify,
            asked_by_other: false,
        }
    }

    type Fail = fn(&mut AddFacts);

    /// What goes wrong at each check, and what is said then.
    fn failures() -> [(Fail, Refusal); 9] {
        [
            (|facts| facts.asker_is_normal = false, Refusal::VisitorsHaveNoFriends),
            (|facts| facts.other_is_normal = false, Refusal::NotFound),
            (|facts| facts.grouping_exists = false, Refusal::InvalidArgument("grouping")),
            (|facts| facts.friends = true, Refusal::AlreadyFriends),
            (|facts| facts.blocked_by_asker = true, Refusal::BlockedByYourself),
            (|facts| facts.blocked_by_other = true, Refusal::NotAllowed),
            (|facts| facts.too_frequent = Some(5), Refusal::RateLimited { retry_after_ms: 5 }),
            (|facts| facts.text_is_legal = false, Refusal::InvalidArgument("text")),
            (|facts| facts.policy = FriendPolicy::DenyAll, Refusal::TakesNoRequests),
        ]
    }

    #[test]
    fn of_all_that_fails_the_first_is_reported() {
        let failures = failures();
        for failing in 1_u32..1 << failures.len() {
            let mut facts = fine();
            for (number, (fail, _)) in failures.iter().enumerate() {
                if failing & 1 << number != 0 {
                    fail(&mut facts);
                }
            }
            let first = &failures[failing.trailing_zeros() as usize].1;
            assert_eq!(decide_add(&facts).as_ref(), Err(first), "{failing:b}");
        }
    }

    #[test]
    fn every_check_has_a_refusal_of_its_own() {
        let said: std::collections::BTreeSet<String> =
            failures().iter().map(|(_, refusal)| refusal.to_string()).collect();
        assert_eq!(said.len(), failures().len());
    }

    #[test]
    fn the_policy_decides_unless_the_other_has_asked() {
        use FriendPolicy::{AllowAll, DenyAll, Verify};
        for (policy, asked_by_other, expected) in [
            (AllowAll, false, Ok(Act::Befriend)),
            (AllowAll, true, Ok(Act::Befriend)),
            (Verify, false, Ok(Act::Ask)),
            (Verify, true, Ok(Act::Befriend)),
            (DenyAll, false, Err(Refusal::TakesNoRequests)),
            (DenyAll, true, Ok(Act::Befriend)),
        ] {
            assert_eq!(decide_add(&AddFacts { policy, asked_by_other, ..fine() }), expected, "{policy:?}");
        }
    }

    #[test]
    fn a_request_waits_for_seven_days() {
        let (ann, bob, at) = (UserId(1), UserId(2), UnixMillis(1_000));
        let bond = Bond::Asked { by: ann, at };
        assert!(bond.is_asked_by(ann, at) && !bond.is_asked_by(bob, at));
        assert!(bond.is_asked_by(ann, UnixMillis(expiry(at).0 - 1)));
        assert!(!bond.is_asked_by(ann, expiry(at)));
        assert!(bond.is_lost_by(Bond::Strangers) && Bond::Friends.is_lost_by(Bond::Strangers));
        assert!(!bond.is_lost_by(Bond::Friends) && !Bond::Strangers.is_lost_by(Bond::Strangers));
    }

    #[test]
    fn a_line_is_short_and_of_one_line() {
        assert!(is_legal_line("", 0) && is_legal_line("你好", 2));
        for bad in ["abc", "a\n", "\0"] {
            assert!(!is_legal_line(bad, 2), "{bad:?}");
        }
    }
}
