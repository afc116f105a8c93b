//! Sessions: the authenticated state that outlives connections, and how many of a kind may live (spec 31, 55).

use serde::{Deserialize, Serialize};

use crate::id::{AppId, DeviceKey, SessionId, UserId};
use crate::name::Name;
use crate::time::UnixMillis;

/// The kind of a device.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
#[allow(missing_docs, reason = "the names say it")]
pub enum Term {
    Pc = 1,
    Mobile = 2,
    Pad = 3,
    Web = 4,
    Agent = 5,
    Bot = 6,
}

impl Term {
    /// The term of its number on the wire and in the store.
    pub fn from_number(number: i32) -> Option<Self> {
        [Self::Pc, Self::Mobile, Self::Pad, Self::Web, Self::Agent, Self::Bot]
            .into_iter()
            .find(|term| *term as i32 == number)
    }

    /// How long presence survives the loss of the connection (spec 31).
    pub fn hold_ms(self) -> u64 {
        match self {
            Self::Mobile | Self::Pad => 180_000,
            Self::Pc | Self::Agent | Self::Bot => 60_000,
            Self::Web => 30_000,
        }
    }
}

/// Why a session has ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum EndReason {
    /// A login of the same term took its place.
    SameTermLogin,
    /// An administrator, or the loss of the account.
    Revoked,
    /// The device logged out or logged in anew.
    LoggedOut,
}

/// Who speaks: fixed at login, never read from a request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Caller {
    /// The app; every look-up happens inside it.
    pub app: AppId,
    /// The user.
    pub user: UserId,
    /// The user's name.
    pub name: Name,
    /// The device.
    pub device: DeviceKey,
    /// The device's kind.
    pub term: Term,
    /// The session.
    pub session: SessionId,
}

/// A live session as the login transaction sees it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LiveSession {
    /// Its id.
    pub session: SessionId,
    /// Its device.
    pub device: DeviceKey,
    /// Its kind.
    pub term: Term,
    /// When the connection began on which it was opened.
    pub connected: UnixMillis,
}

/// A login that wants to become a session.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Contender {
    /// Its device; `None` if it is new.
    pub device: Option<DeviceKey>,
    /// Its kind.
    pub term: Term,
    /// Sessions of this kind that may live, counting this one.
    pub allowed: u32,
    /// When its connection began.
    pub connected: UnixMillis,
    /// Now.
    pub now: UnixMillis,
}

/// Which sessions a login ends: those of the same device, and the oldest of the same term above the allowed number,
/// counting the new one. `live` is in order of opening.
///
/// `None` if one of them began on a later connection. A login that waited in a server that stood still, or in the network,
/// was given up by its client long ago: it must not end the session that the client has opened since, nor one that took
/// its place.
pub fn ended_by_login(live: &[LiveSession], login: &Contender) -> Option<Vec<(SessionId, EndReason)>> {
    let of_term = |session: &&LiveSession| session.term == login.term && Some(session.device) != login.device;
    let others = live.iter().filter(of_term).count();
    let surplus = (others + 1).saturating_sub(login.allowed.max(1) as usize);
    let own = live.iter().filter(|session| Some(session.device) == login.device);
    let ended = own.map(|session| (session, EndReason::LoggedOut));
    let ended = ended.chain(live.iter().filter(of_term).take(surplus).map(|other| (other, EndReason::SameTermLogin)));
    // What seems to come from the future tells that the clock was turned back, and nothing about an order.
    let is_later = |session: &LiveSession| session.connected > login.connected && session.connected <= login.now;
    ended.map(|(session, reason)| (!is_later(session)).then_some((session.session, reason))).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn live(number: u8, device: i64, term: Term) -> LiveSession {
        LiveSession {
            session: SessionId([number; 16]),
            device: DeviceKey(device),
            term,
            connected: UnixMillis(number.into()),
        }
    }

    #[test]
    fn a_login_ends_its_own_device_and_the_oldest_of_its_term() {
        let sessions =
            [live(1, 1, Term::Mobile), live(2, 2, Term::Pc), live(3, 3, Term::Mobile), live(4, 4, Term::Web)];
        let ended = |device, term, allowed| {
            let (connected, now) = (UnixMillis(5), UnixMillis(6));
            ended_by_login(&sessions, &Contender { device: Some(DeviceKey(device)), term, allowed, connected, now })
                .expect("nobody came later")
                .into_iter()
                .map(|(session, reason)| (session.0[0], reason))
                .collect::<Vec<_>>()
        };
        use EndReason::{LoggedOut, SameTermLogin};
        assert_eq!(ended(9, Term::Mobile, 1), [(1, SameTermLogin), (3, SameTermLogin)]);
        assert_eq!(ended(9, Term::Mobile, 2), [(1, SameTermLogin)]);
        assert_eq!(ended(9, Term::Mobile, 3), []);
        assert_eq!(ended(3, Term::Mobile, 2), [(3, LoggedOut)]);
        assert_eq!(ended(2, Term::Pc, 1), [(2, LoggedOut)]);
        assert_eq!(ended(9, Term::Bot, 0), []);
    }

    #[test]
    fn a_login_that_was_overtaken_ends_nobody() {
        let sessions = [live(1, 1, Term::Mobile), live(3, 3, Term::Mobile), live(4, 4, Term::Web)];
        let is_overtaken = |device: i64, term, allowed, connected, now| {
            let (connected, now) = (UnixMillis(connected), UnixMillis(now));
            let device = Some(DeviceKey(device));
            ended_by_login(&sessions, &Contender { device, term, allowed, connected, now }).is_none()
        };
        assert!(is_overtaken(3, Term::Mobile, 5, 2, 9), "by the same device");
        assert!(is_overtaken(9, Term::Mobile, 1, 2, 9), "by another of its term");
        assert!(!is_overtaken(9, Term::Mobile, 2, 2, 9), "there is place for both");
        assert!(!is_overtaken(4, Term::Web, 1, 4, 9), "at the same moment");
        assert!(!is_overtaken(4, Term::Web, 1, 2, 3), "by one of the future");
    }
}
