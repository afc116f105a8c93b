//! Rooms and their logs. A room has no rows of users: who is in it is not known here, only what was said and under which
//! name.

use hongyan_domain::environment::Pending;
use hongyan_domain::id::{AppId, ClientId, ConversationId, SessionId, UserId};
use hongyan_domain::message::Draft;
use hongyan_domain::name::Name;
use hongyan_domain::room::{DisplayName, RoomEntry};
use hongyan_domain::time::UnixMillis;

use crate::Result;
use crate::timeline::{Answer, HistoryQuery};

/// A room as stored.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Room {
    /// The integer, of the same kind as that of a direct conversation.
    pub id: ConversationId,
    /// The name on the wire.
    pub name: Name,
    /// When it was made.
    pub created: UnixMillis,
    /// Nobody enters it any more and nothing is said in it; its name stays taken.
    pub removed: bool,
    /// Newest entry of its log.
    pub head_seq: u64,
}

/// One text for a room's log.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Say {
    /// The app.
    pub app: AppId,
    /// The room.
    pub room: ConversationId,
    /// Its name; handed on to the listener, not stored.
    pub room_name: Name,
    /// Who says it.
    pub sender: UserId,
    /// The session that says it. Refused with [`SayOutcome::SessionEnded`] once that is dead.
    pub session: SessionId,
    /// Key of de-duplication, with room and sender.
    pub client_id: ClientId,
    /// Digest of the request as received: the same id with another digest is a conflict.
    pub digest: u64,
    /// Under which name.
    pub from: DisplayName,
    /// Now.
    pub now: UnixMillis,
    /// What is said: text.
    pub draft: Draft,
}

/// What became of a text.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SayOutcome {
    /// Durable now; `inbox_seq` of the answer is 0.
    Said(Answer),
    /// Was durable already.
    Repeated(Answer),
    /// The key was used with another digest.
    Conflict,
    /// There is no such room any more.
    RoomGone,
    /// The session is dead.
    SessionEnded,
}

/// A page of a room's log.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct RoomPage {
    /// Ascending by seq.
    pub entries: Vec<RoomEntry>,
    /// Inside this range everything that is missing is gone. `None` = nothing was covered.
    pub covered: Option<(u64, u64)>,
    /// Newest entry.
    pub head_seq: u64,
    /// Lowest entry that is kept.
    pub low_seq: u64,
}

/// Rooms and their logs.
pub trait Rooms: Send + Sync + 'static {
    /// Makes a room; `None` if the name is taken, or was once.
    fn create_room(&self, app: AppId, name: Name, now: UnixMillis) -> Pending<'_, Result<Option<Room>>>;

    /// Removes a room for ever; false if there is none. Its log goes with the next retention.
    fn remove_room(&self, app: AppId, name: Name, now: UnixMillis) -> Pending<'_, Result<bool>>;

    /// A room by name, also one that was removed.
    fn room(&self, app: AppId, name: Name) -> Pending<'_, Result<Option<Room>>>;

    /// All rooms of an app that were not removed, by name.
    fn rooms(&self, app: AppId) -> Pending<'_, Result<Vec<Room>>>;

    /// Commits what one session says, in order, and answers when all is durable. One outcome each. Keys of what was said
    /// are found by [`crate::Timeline::answered`].
    ///
    /// A failed call is definite for all of them: none was written.
    fn say(&self, says: Vec<Say>) -> Pending<'_, Result<Vec<SayOutcome>>>;

    /// A page of a room's log. `changed_after` means nothing here: rows of rooms do not change.
    fn room_history(&self, room: ConversationId, query: HistoryQuery) -> Pending<'_, Result<RoomPage>>;
}
