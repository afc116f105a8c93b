//! Friends: what is between two users, and each user's own list of people. The one is a row beside the head of their direct
//! conversation, where decisions are rechecked; the other follows from it in the same commit, or by an outbox where
//! conversations and users live apart.

use hongyan_domain::environment::Pending;
use hongyan_domain::friend::{Act, Bond, FriendPolicy, Relation};
use hongyan_domain::grouping::Groupings;
use hongyan_domain::id::{AppId, ConversationId, SessionId, UserId};
use hongyan_domain::name::Name;
use hongyan_domain::profile::Audience;
use hongyan_domain::time::UnixMillis;

use crate::Result;
use crate::profiles::KnownProfile;

/// What is known of two users when the one wants to add the other.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Acquaintance {
    /// The other.
    pub other: UserId,
    /// Registered, and not disabled.
    pub other_is_normal: bool,
    /// `None` until their first entry, block or request.
    pub conversation: Option<ConversationId>,
    /// Expired requests, too.
    pub bond: Bond,
    /// The asker does not want the other's messages.
    pub blocked_by_asker: bool,
    /// The other does not want the asker's messages.
    pub blocked_by_other: bool,
    /// The asker has the grouping that was asked for.
    pub grouping_exists: bool,
    /// Whom the other lets ask.
    pub policy: FriendPolicy,
    /// Raised when a right is lost that the decision rests on.
    pub version: u64,
}

/// Adds somebody, as it was decided.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AddFriend {
    /// The app.
    pub app: AppId,
    /// The session that asks.
    pub session: SessionId,
    /// Its user.
    pub asker: UserId,
    /// Whom.
    pub other: UserId,
    /// [`Acquaintance::version`] that the decision was made on.
    pub version: u64,
    /// What was decided.
    pub act: Act,
    /// What the request says.
    pub text: String,
    /// The asker's own name for the other.
    pub remark: String,
    /// Where the asker puts the other.
    pub grouping: u32,
    /// Now.
    pub now: UnixMillis,
}

/// What became of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AddOutcome {
    /// They are friends, since now or before.
    Friends,
    /// The other is asked since then.
    Asked(UnixMillis),
    /// Rights have changed since the decision: read and decide again.
    Stale,
    /// One of them has as many friends, or the other as many requests, as one may have.
    Full,
}

/// What a user does about somebody.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum FriendChange {
    /// Accepts the other's request.
    Accept {
        /// The user's own name for the other.
        remark: String,
        /// Where the user puts the other.
        grouping: u32,
    },
    /// Declines the other's request.
    Decline,
    /// Ends the friendship, or takes the own request back.
    Remove,
    /// Changes what the user has noted about a friend.
    Note {
        /// The user's own name for the other.
        remark: String,
        /// Where the user puts the other.
        grouping: u32,
    },
}

/// A user's wish about somebody.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ChangeFriend {
    /// The app.
    pub app: AppId,
    /// The session that asks.
    pub session: SessionId,
    /// Its user.
    pub user: UserId,
    /// About whom.
    pub other: UserId,
    /// What.
    pub change: FriendChange,
    /// Now.
    pub now: UnixMillis,
}

/// What became of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ChangeOutcome {
    /// It is so, since now or before.
    Done,
    /// There is no such request or friend.
    Gone,
    /// One of them has as many friends as one may have.
    Full,
}

/// An item of a user's list.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ListedRelation {
    /// About whom.
    pub other: UserId,
    /// What the user has about them; empty if there is nothing any more.
    pub relation: Relation,
    /// Of somebody who is a friend since the asker's last look, if they have one.
    pub profile: Option<KnownProfile>,
}

/// What a user's lists have that a device does not know yet.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Lists {
    /// The device's numbers mean nothing here; this begins from nothing.
    pub reset: bool,
    /// Items that have changed, in the order of their last change.
    pub relations: Vec<ListedRelation>,
    /// Profiles that have changed, of friends whom the device knows.
    pub profiles: Vec<KnownProfile>,
    /// The groupings, if they have changed.
    pub groupings: Option<Groupings>,
    /// The user's own profile, if it has changed.
    pub own: Option<KnownProfile>,
    /// With this the device knows all changes of the lists up to this number.
    pub lists: u64,
    /// And of the profiles up to this.
    pub details: u64,
    /// There is more than fitted.
    pub more: bool,
}

/// Whom somebody wants to look at, and what decides whether they may.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Looked {
    /// At whom.
    pub user: UserId,
    /// Their name.
    pub name: Name,
    /// They are the onlooker's friend.
    pub is_friend: bool,
    /// They do not want the onlooker's messages.
    pub blocks: bool,
    /// Who may see whether they are there.
    pub presence_to: Audience,
    /// Who may see when they were last there.
    pub last_seen_to: Audience,
}

/// Friends and lists of people. All numbers are of one counter of the store, taken by every change of an item or a profile.
pub trait Friends: Send + Sync + 'static {
    /// What is known of two users; `None` if the other does not exist.
    fn acquaintance(
        &self,
        app: AppId,
        asker: UserId,
        other: Name,
        grouping: u32,
    ) -> Pending<'_, Result<Option<Acquaintance>>>;

    /// Adds somebody. Requests of both become one friendship, whatever was decided. Refused with
    /// [`crate::Error::SessionEnded`] once the session is dead.
    fn add_friend(&self, add: AddFriend) -> Pending<'_, Result<AddOutcome>>;

    /// Accepts, declines, removes or notes. Refused with [`crate::Error::SessionEnded`] once the session is dead.
    fn change_friend(&self, change: ChangeFriend) -> Pending<'_, Result<ChangeOutcome>>;

    /// A user's groupings.
    fn groupings(&self, user: UserId) -> Pending<'_, Result<Groupings>>;

    /// Replaces a user's groupings, unless they are no longer of the version that the new ones have; the version after that.
    /// Refused with [`crate::Error::SessionEnded`] once the session is dead.
    fn set_groupings(
        &self,
        app: AppId,
        session: SessionId,
        user: UserId,
        groupings: Groupings,
    ) -> Pending<'_, Result<Option<u64>>>;

    /// What decides whether a user may look at some; those are left out who do not exist, are disabled, or visitors.
    fn looked_at(&self, app: AppId, onlooker: UserId, names: Vec<Name>) -> Pending<'_, Result<Vec<Looked>>>;

    /// What has changed in a user's lists for a device that knows all up to two numbers (0 = nothing), within so many bytes.
    fn lists(&self, user: UserId, lists: u64, details: u64, bytes_max: usize) -> Pending<'_, Result<Lists>>;
}
