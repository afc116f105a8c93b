//! What an operator may change about logic. Limits of the protocol are in `hongyan_wire::limits`.

use serde::{Deserialize, Serialize};

use crate::rate::Rate;

/// Settings of logic; every one has a default.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct LogicOptions {
    /// Logins that one address (IPv4) or network (IPv6 /64) may try.
    pub logins_per_address: Rate,
    /// Logins that one account may see tried, whether it exists or not; by password and by good tokens on their own.
    /// Whoever knows a name can use up the passwords' share.
    pub logins_per_account: Rate,
    /// Accounts that one address (IPv4) or network (IPv6 /64) may make.
    pub sign_ups_per_address: Rate,
    /// People whom one user may address for the first time, whether they exist or not: a budget against trying out names
    /// and against writing to everybody.
    pub first_contacts_per_user: Rate,
    /// Visitors that one address (IPv4) or network (IPv6 /64) may become; who has a mark is none of them.
    pub visitors_per_address: Rate,
    /// People whom one visitor may address for the first time, instead of `first_contacts_per_user`.
    pub first_contacts_per_visitor: Rate,
    /// Messages that one visitor may send.
    pub sends_per_visitor: Rate,
    /// Days for which a visitor's mark holds; every login gives a fresh one.
    pub visitor_mark_days: u32,
    /// What may be said in one room by all together (spec 67); more is refused and may be sent again.
    pub sends_per_room: Rate,
    /// What one session may say in rooms, so that nobody uses up a room's share alone.
    pub room_sends_per_session: Rate,
    /// How often one session may enter rooms, also again or under another name: each time all others there are told.
    pub room_entries_per_session: Rate,
    /// Sessions that one room takes.
    pub room_members_max: u32,
    /// Rooms in which one session may be.
    pub rooms_per_session_max: u32,
    /// What may be sent to one group by all together (spec 49); more waits, and is refused after two seconds.
    pub sends_per_group: Rate,
    /// What one session may send to groups, likewise.
    pub group_sends_per_session: Rate,
    /// People whom one user may take into groups.
    pub invitations_per_user: Rate,
    /// Milliseconds for which what was read about apps, keys and users is believed (spec 21: at most one second).
    pub cached_ms_max: u64,
    /// Users that are remembered, and as many conversations, names and log-in rates.
    pub cached_entries_max: usize,
}

impl Default for LogicOptions {
    fn default() -> Self {
        Self {
            logins_per_address: Rate { burst: 100, per_minute: 600 },
            logins_per_account: Rate { burst: 10, per_minute: 12 },
            sign_ups_per_address: Rate { burst: 10, per_minute: 6 },
            first_contacts_per_user: Rate { burst: 100, per_minute: 60 },
            visitors_per_address: Rate { burst: 20, per_minute: 6 },
            first_contacts_per_visitor: Rate { burst: 5, per_minute: 1 },
            sends_per_visitor: Rate { burst: 20, per_minute: 30 },
            visitor_mark_days: 365,
            sends_per_room: Rate { burst: 20, per_minute: 1_200 },
            room_sends_per_session: Rate { burst: 20, per_minute: 300 },
            room_entries_per_session: Rate { burst: 20, per_minute: 60 },
            room_members_max: 1_000,
            rooms_per_session_max: 8,
            sends_per_group: Rate { burst: 200, per_minute: 12_000 },
            group_sends_per_session: Rate { burst: 50, per_minute: 1_200 },
            invitations_per_user: Rate { burst: 1_000, per_minute: 200 },
            cached_ms_max: 1_000,
            cached_entries_max: 65_536,
        }
    }
}
