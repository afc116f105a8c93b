//! Groups: conversations of many, with roles and rules (spec 47-49, 76). Who is a member, and what happens to a group, is
//! decided here by pure functions over one state of it; the store calls them where the decision gets its number, so that
//! races end as the order in the log says.

mod rules;

use serde::{Deserialize, Serialize};

use crate::id::{ClientId, UserId};
use crate::time::UnixMillis;

pub use rules::{Altering, decide_alteration, decide_change, decide_join, decide_send};

/// Most members of a group (design §12).
pub const MEMBERS_MAX: u32 = 100_000;
/// Most groups that somebody is a member of (design §12).
pub const GROUPS_PER_USER_MAX: u32 = 500;
/// Above so many members the log does not tell who comes and goes by themselves.
pub const TOLD_MEMBERS_MAX: u32 = 500;
/// Up to so many members it is told who has read a message; above it, how many.
pub const READERS_MEMBERS_MAX: u32 = 200;
/// Most people that one message mentions.
pub const MENTIONS_MAX: usize = 50;
/// Most pinned messages.
pub const PINNED_MAX: usize = 20;
/// Most requests to join that wait.
pub const ASKING_MAX: u32 = 100;
/// Longest title, in bytes.
pub const TITLE_BYTES_MAX: usize = 128;
/// Longest introduction, in bytes.
pub const INTRO_BYTES_MAX: usize = 1_024;
/// Longest address of a picture, in bytes.
pub const AVATAR_BYTES_MAX: usize = 512;
/// Longest announcement, in bytes.
pub const ANNOUNCEMENT_BYTES_MAX: usize = 4_096;
/// Longest name in a group, in bytes.
pub const NICKNAME_BYTES_MAX: usize = 64;
/// Longest text of a request to join, in bytes.
pub const ASKING_BYTES_MAX: usize = 256;

/// What a member may do; each role may do what those before it may.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub enum Role {
    /// Speaks.
    #[default]
    Member,
    /// Keeps order.
    Admin,
    /// Decides about the group itself; there is one.
    Owner,
}

/// How people come in who are not invited.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum JoinPolicy {
    /// By invitation or link.
    #[default]
    Invited,
    /// By a request that an admin admits.
    Asked,
    /// Everybody of the app.
    Open,
}

/// What a new member sees of what was said before.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum HistoryPolicy {
    /// Nothing.
    #[default]
    FromJoining,
    /// Everything that is kept.
    Everything,
}

/// The rules that an owner sets.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Policies {
    /// Who comes in.
    pub join: JoinPolicy,
    /// What they see.
    pub history: HistoryPolicy,
    /// Members may invite, too.
    pub members_invite: bool,
}

/// Texts about a group; in a change, only what is given is replaced.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Profile {
    /// What it is called.
    pub title: Option<String>,
    /// What it is for.
    pub intro: Option<String>,
    /// Where its picture is.
    pub avatar: Option<String>,
}

/// What a decision needs to know of a group.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Facts {
    /// It has ended.
    pub dissolved: bool,
    /// Members are silent.
    pub muted_all: bool,
    /// The rules.
    pub policies: Policies,
    /// Members now.
    pub member_count: u32,
    /// Requests to join that wait.
    pub asking_count: u32,
    /// Pinned messages, ascending.
    pub pinned: Vec<u64>,
    /// What lets people in without being asked; empty = there is none.
    pub link: String,
}

/// A member, as far as decisions go.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Member {
    /// Their role.
    pub role: Role,
    /// Silent until then.
    pub muted_until: UnixMillis,
}

/// A change that a member asks for; users are resolved, and exist.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Change {
    /// Takes people in.
    Invite(Vec<UserId>),
    /// Sends people away.
    Remove(Vec<UserId>),
    /// The actor goes.
    Leave,
    /// Ends the group.
    Dissolve,
    /// Hands it over.
    Owner(UserId),
    /// Makes somebody an admin, or a member again.
    Admin(UserId, bool),
    /// Silences somebody for so many seconds; 0 = lets them speak.
    Mute(UserId, u32),
    /// Silences all members, or lets them speak.
    MuteAll(bool),
    /// Replaces texts.
    Profile(Profile),
    /// Replaces the announcement.
    Announcement(String),
    /// Replaces the rules.
    Policies(Policies),
    /// How the actor is seen.
    Nickname(String),
    /// Pins a message, or no longer.
    Pin(u64, bool),
    /// Makes a new link of this text.
    NewLink(String),
    /// Lets somebody in who has asked, or not.
    Admission(UserId, bool),
}

/// Somebody wants to come in.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Joining {
    /// What they were given.
    pub link: String,
    /// To those who admit.
    pub text: String,
}

/// What becomes of somebody who wants to come in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Entrance {
    /// Is a member already.
    Inside,
    /// Comes in.
    Open,
    /// Waits for those who admit.
    Asks,
}

/// What an entry of a group's log tells that is no message; who did it is the entry's sender.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Event {
    /// The group exists, with this title.
    Created(String),
    /// Came in.
    Joined(Vec<i64>),
    /// Were sent away, or, if it is the sender, left.
    Left(Vec<i64>),
    /// Owns the group now.
    Owner(i64),
    /// Became an admin.
    Admin(i64),
    /// Is no admin any more.
    Member(i64),
    /// Is silent until then; 0 = speaks.
    Silence(i64, u64),
    /// All members are silent, or may speak.
    MutedAll(bool),
    /// Is called so now.
    Title(String),
    /// Says so now.
    Announcement(String),
    /// A message was pinned.
    Pinned(u64),
    /// A message is not pinned any more.
    Unpinned(u64),
    /// It is the last entry.
    Dissolved,
}

impl Event {
    /// Whom it names.
    pub fn users(&self) -> Vec<UserId> {
        match self {
            Self::Joined(users) | Self::Left(users) => users.iter().copied().map(UserId).collect(),
            Self::Owner(user) | Self::Admin(user) | Self::Member(user) | Self::Silence(user, _) => vec![UserId(*user)],
            _ => Vec::new(),
        }
    }
}

/// Who is spoken to in a message.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Mentions {
    /// These, at most [`MENTIONS_MAX`].
    pub users: Vec<i64>,
    /// Everybody.
    pub all: bool,
}

impl Mentions {
    /// Those who are named.
    pub fn users(&self) -> impl Iterator<Item = UserId> {
        self.users.iter().copied().map(UserId)
    }
}

/// The sender's id of an entry that nobody sent: events have none.
pub const NO_CLIENT_ID: ClientId = ClientId([0; 16]);
