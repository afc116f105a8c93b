//! Presence: whether somebody is there, what they want others to see of it, and who may (spec 59-61). Who is where is the
//! cluster's to know.

use crate::profile::Audience;

/// A change is told so many milliseconds later, unless it is undone by then.
pub const COALESCE_MS: u64 = 2_000;
/// Notifications of presence, to all watchers together, in one second; what is more waits.
pub const NOTIFIES_PER_SECOND_MAX: usize = 5_000;

/// What a user has chosen to be, as long as they have a session.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Chosen {
    /// There.
    #[default]
    Online,
    /// There, but not at the device.
    Away,
    /// There, but not to be disturbed.
    Busy,
    /// Not there, for everybody else.
    Invisible,
}

/// What others see.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[allow(missing_docs, reason = "the names say it")]
pub enum Presence {
    #[default]
    Offline,
    Online,
    Away,
    Busy,
}

impl Presence {
    /// Of somebody who has a session, suspended ones too, or none.
    pub fn of(has_session: bool, chosen: Chosen) -> Self {
        match (has_session, chosen) {
            (false, _) | (true, Chosen::Invisible) => Self::Offline,
            (true, Chosen::Online) => Self::Online,
            (true, Chosen::Away) => Self::Away,
            (true, Chosen::Busy) => Self::Busy,
        }
    }
}

/// What somebody is to the one at whom they look.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Onlooker {
    /// A friend.
    Friend,
    /// Somebody in the same group.
    GroupMate,
    /// Anybody else, and whoever is blocked.
    Stranger,
}

impl Audience {
    /// Whether an onlooker belongs to it.
    pub fn has(self, onlooker: Onlooker) -> bool {
        match onlooker {
            Onlooker::Friend => self != Self::Nobody,
            Onlooker::GroupMate => self == Self::Everybody,
            Onlooker::Stranger => false,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn whoever_is_invisible_looks_like_nobody_is_there() {
        for (chosen, presence) in [
            (Chosen::Online, Presence::Online),
            (Chosen::Away, Presence::Away),
            (Chosen::Busy, Presence::Busy),
            (Chosen::Invisible, Presence::Offline),
        ] {
            assert_eq!(Presence::of(true, chosen), presence);
            assert_eq!(Presence::of(false, chosen), Presence::Offline);
        }
    }

    #[test]
    fn an_audience_is_whom_the_user_names() {
        use Onlooker::{Friend, GroupMate, Stranger};
        for (audience, onlookers) in [
            (Audience::Everybody, [true, true, false]),
            (Audience::Friends, [true, false, false]),
            (Audience::Nobody, [false, false, false]),
        ] {
            assert_eq!([Friend, GroupMate, Stranger].map(|onlooker| audience.has(onlooker)), onlookers, "{audience:?}");
        }
    }
}
