//! The rows that every append moves: a conversation's head, an inbox's head, and what a user has in a conversation. Loads
//! and saves them; who caches them for the time of one batch is [`super::batch`].

use hongyan_domain::friend::Bond;
use hongyan_domain::id::{AppId, ConversationId, UserId};
use hongyan_domain::receipt::{self, Position};
use hongyan_domain::time::UnixMillis;
use rusqlite::{Connection, OptionalExtension, Row, Statement};

use super::fault::{Fault, Result};

/// Bit of `blocked`: the user with the lower id does not want messages.
const LOW_BLOCKS: i64 = 1;
/// Bit of `blocked`: the user with the higher id does not want messages.
const HIGH_BLOCKS: i64 = 2;

/// Value of `bond`: they are friends.
const FRIENDS: i64 = 1;
/// Value of `bond`: the user with the lower id has asked the other.
const LOW_ASKED: i64 = 2;
/// Value of `bond`: the user with the higher id has asked the other.
const HIGH_ASKED: i64 = 3;

/// Value of `visitor`: the user with the lower id is one.
pub(super) const LOW_IS_VISITOR: i64 = 1;
/// Value of `visitor`: the user with the higher id is one.
pub(super) const HIGH_IS_VISITOR: i64 = 2;

/// A direct conversation's head row.
#[derive(Clone, Debug)]
pub(super) struct Conversation {
    pub(super) id: ConversationId,
    pub(super) low: UserId,
    pub(super) high: UserId,
    pub(super) head_seq: u64,
    pub(super) message_count: u64,
    pub(super) low_count: u64,
    pub(super) access_version: u64,
    pub(super) blocked: i64,
    pub(super) low_seq: u64,
    pub(super) gone_count: u64,
    pub(super) gone_low_count: u64,
    pub(super) visitor: i64,
    bond: i64,
    asked: u64,
}

const LOAD_CONVERSATION: &str = "SELECT id, low, high, head_seq, message_count, low_count, access_version, blocked, \
     low_seq, gone_count, gone_low_count, visitor, bond, asked FROM conversation WHERE id = ?1";

/// By app and both users, in order.
pub(super) const LOAD_DIRECT: &str = "SELECT id, low, high, head_seq, message_count, low_count, access_version, blocked, \
     low_seq, gone_count, gone_low_count, visitor, bond, asked FROM conversation WHERE app = ?1 AND low = ?2 AND high = ?3";

/// By id; writes what may have changed.
pub(super) const SAVE_CONVERSATION: &str = "UPDATE conversation SET head_seq = ?2, message_count = ?3, low_count = ?4, \
     access_version = ?5, blocked = ?6, low_seq = ?7, gone_count = ?8, gone_low_count = ?9, change_no = ?10, \
     bond = ?11, asked = ?12 \
     WHERE id = ?1";

/// By user.
pub(super) const LOAD_INBOX: &str = "SELECT inbox_head, inbox_low FROM user_head WHERE user = ?1";

/// By user.
pub(super) const SAVE_INBOX: &str =
    "UPDATE user_head SET inbox_head = ?2, inbox_low = ?3, change_no = ?4 WHERE user = ?1";

/// By user and conversation, whether there is a row or not.
pub(super) const SAVE_ACTIVITY: &str = "INSERT INTO user_conversation (user, conversation, activity) \
     VALUES (?1, ?2, ?3) ON CONFLICT DO UPDATE SET activity = ?3";

impl Conversation {
    fn from_row(row: &Row<'_>) -> rusqlite::Result<Self> {
        Ok(Self {
            id: ConversationId(row.get(0)?),
            low: UserId(row.get(1)?),
            high: UserId(row.get(2)?),
            head_seq: row.get(3)?,
            message_count: row.get(4)?,
            low_count: row.get(5)?,
            access_version: row.get(6)?,
            blocked: row.get(7)?,
            low_seq: row.get(8)?,
            gone_count: row.get(9)?,
            gone_low_count: row.get(10)?,
            visitor: row.get(11)?,
            bond: row.get(12)?,
            asked: row.get(13)?,
        })
    }

    /// By id.
    pub(super) fn load(connection: &Connection, id: ConversationId) -> Result<Option<Self>> {
        let mut statement = connection.prepare_cached(LOAD_CONVERSATION)?;
        Ok(statement.query_row([id.0], Self::from_row).optional()?)
    }

    /// By its two users, in any order.
    pub(super) fn load_direct(connection: &Connection, app: AppId, one: UserId, other: UserId) -> Result<Option<Self>> {
        let (low, high) = in_order(one, other);
        load_direct_by(&mut *connection.prepare_cached(LOAD_DIRECT)?, app, low, high)
    }

    /// Writes what may have changed, by [`SAVE_CONVERSATION`].
    pub(super) fn save(&self, statement: &mut Statement<'_>, change_no: u64) -> Result<()> {
        let saved = statement.execute((
            self.id.0,
            self.head_seq,
            self.message_count,
            self.low_count,
            self.access_version,
            self.blocked,
            self.low_seq,
            self.gone_count,
            self.gone_low_count,
            change_no,
            self.bond,
            self.asked,
        ))?;
        if saved == 1 { Ok(()) } else { Err(Fault::Row("a conversation that does not exist")) }
    }

    /// The other person; oneself in notes to oneself.
    pub(super) fn other(&self, user: UserId) -> UserId {
        if user == self.low { self.high } else { self.low }
    }

    /// Which of the two is a visitor.
    pub(super) fn visitor(&self) -> Option<UserId> {
        match self.visitor {
            LOW_IS_VISITOR => Some(self.low),
            HIGH_IS_VISITOR => Some(self.high),
            _ => None,
        }
    }

    /// Who of the two `user` is: the visitor, for an account that the visitor turned out to be.
    pub(super) fn seat(&self, user: UserId) -> Result<UserId> {
        if self.has(user) {
            return Ok(user);
        }
        self.visitor().ok_or(Fault::Row("a conversation of two others"))
    }

    /// Whether `user` is one of the two.
    pub(super) fn has(&self, user: UserId) -> bool {
        user == self.low || user == self.high
    }

    /// A place as `user` counts.
    pub(super) fn place(&self, user: UserId, seq: u64, message_count: u64, low_count: u64) -> Position {
        let own_count = if user == self.low { low_count } else { message_count.saturating_sub(low_count) };
        Position { seq, message_count, own_count }
    }

    /// The head as `user` counts.
    pub(super) fn head(&self, user: UserId) -> Position {
        self.place(user, self.head_seq, self.message_count, self.low_count)
    }

    /// The newest place that retention has removed.
    pub(super) fn gone(&self, user: UserId) -> Position {
        self.place(user, self.low_seq.saturating_sub(1), self.gone_count, self.gone_low_count)
    }

    /// What `user` has not read of what they can still see.
    pub(super) fn unread(&self, user: UserId, mine: &UserConversation) -> u64 {
        let marks = [mine.read, mine.deleted, self.gone(user)];
        let mark = marks.into_iter().max_by_key(|mark| mark.seq).unwrap_or_default();
        receipt::unread(self.head(user), mark)
    }

    /// The lowest seq that `user` can still see.
    pub(super) fn low_seq_of(&self, mine: &UserConversation) -> u64 {
        self.low_seq.max(mine.deleted.seq + 1)
    }

    /// Whether `user` does not want messages of the other.
    pub(super) fn is_blocked_by(&self, user: UserId) -> bool {
        self.blocked & self.bit(user) != 0
    }

    /// Sets or clears the block; a new one takes a right away.
    pub(super) fn set_blocked_by(&mut self, user: UserId, blocked: bool) {
        if blocked && !self.is_blocked_by(user) {
            self.access_version += 1;
        }
        self.blocked = if blocked { self.blocked | self.bit(user) } else { self.blocked & !self.bit(user) };
    }

    /// What is between the two.
    pub(super) fn bond(&self) -> Bond {
        match self.bond {
            FRIENDS => Bond::Friends,
            LOW_ASKED => Bond::Asked { by: self.low, at: UnixMillis(self.asked) },
            HIGH_ASKED => Bond::Asked { by: self.high, at: UnixMillis(self.asked) },
            _ => Bond::Strangers,
        }
    }

    /// Whether one may write to the other as a friend; everybody is their own.
    pub(super) fn are_friends(&self) -> bool {
        self.bond == FRIENDS || self.low == self.high
    }

    /// Changes what is between the two; what is lost takes a right away.
    pub(super) fn set_bond(&mut self, bond: Bond) {
        if self.bond().is_lost_by(bond) {
            self.access_version += 1;
        }
        (self.bond, self.asked) = match bond {
            Bond::Strangers => (0, 0),
            Bond::Friends => (FRIENDS, 0),
            Bond::Asked { by, at } => (if by == self.low { LOW_ASKED } else { HIGH_ASKED }, at.0),
        };
    }

    fn bit(&self, user: UserId) -> i64 {
        if user == self.low { LOW_BLOCKS } else { HIGH_BLOCKS }
    }

    /// The place of `seq`, at most the head, as `user` counts. In a gap it is the place below.
    pub(super) fn position(&self, connection: &Connection, user: UserId, seq: u64) -> Result<Position> {
        if seq >= self.head_seq {
            return Ok(self.head(user));
        }
        let mut statement = connection.prepare_cached(
            "SELECT message_count, low_count FROM message WHERE conversation = ?1 AND seq <= ?2 \
             ORDER BY seq DESC LIMIT 1",
        )?;
        let counts = statement.query_row((self.id.0, seq), |row| Ok((row.get(0)?, row.get(1)?))).optional()?;
        let (message_count, low_count) = counts.unwrap_or((self.gone_count, self.gone_low_count));
        Ok(self.place(user, seq, message_count, low_count))
    }
}

/// By its two users, in order, by [`LOAD_DIRECT`].
pub(super) fn load_direct_by(
    statement: &mut Statement<'_>,
    app: AppId,
    low: UserId,
    high: UserId,
) -> Result<Option<Conversation>> {
    Ok(statement.query_row((app.0, low.0, high.0), Conversation::from_row).optional()?)
}

/// The two users of a conversation as its row names them.
pub(super) fn in_order(one: UserId, other: UserId) -> (UserId, UserId) {
    if one <= other { (one, other) } else { (other, one) }
}

/// The two ends of an inbox.
#[derive(Clone, Copy, Debug)]
pub(super) struct InboxEnds {
    pub(super) head: u64,
    pub(super) low: u64,
}

impl InboxEnds {
    /// Of a user; `None` if there is no such user.
    pub(super) fn load(connection: &Connection, user: UserId) -> Result<Option<Self>> {
        Self::load_by(&mut *connection.prepare_cached(LOAD_INBOX)?, user)
    }

    /// By [`LOAD_INBOX`].
    pub(super) fn load_by(statement: &mut Statement<'_>, user: UserId) -> Result<Option<Self>> {
        let ends = statement.query_row([user.0], |row| Ok(Self { head: row.get(0)?, low: row.get(1)? }));
        Ok(ends.optional()?)
    }

    /// Writes both, by [`SAVE_INBOX`].
    pub(super) fn save(self, statement: &mut Statement<'_>, user: UserId, change_no: u64) -> Result<()> {
        statement.execute((user.0, self.head, self.low, change_no))?;
        Ok(())
    }
}

/// What a user has in a conversation.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct UserConversation {
    pub(super) activity: u64,
    pub(super) read: Position,
    pub(super) delivered_seq: u64,
    pub(super) deleted: Position,
}

/// The columns that [`UserConversation::from_row`] reads, from its first argument on.
pub(super) const USER_CONVERSATION_COLUMNS: &str =
    "activity, read_seq, read_count, read_own, delivered_seq, deleted_seq, deleted_count, deleted_own";

impl UserConversation {
    /// Reads [`USER_CONVERSATION_COLUMNS`], of which the first is column `first`.
    pub(super) fn from_row(row: &Row<'_>, first: usize) -> rusqlite::Result<Self> {
        let position = |at: usize| -> rusqlite::Result<Position> {
            Ok(Position { seq: row.get(at)?, message_count: row.get(at + 1)?, own_count: row.get(at + 2)? })
        };
        Ok(Self {
            activity: row.get(first)?,
            read: position(first + 1)?,
            delivered_seq: row.get(first + 4)?,
            deleted: position(first + 5)?,
        })
    }

    /// All zero if there is no row yet.
    pub(super) fn load(connection: &Connection, user: UserId, conversation: ConversationId) -> Result<Self> {
        let mut statement = connection.prepare_cached(&format!(
            "SELECT {USER_CONVERSATION_COLUMNS} FROM user_conversation WHERE user = ?1 AND conversation = ?2"
        ))?;
        let row = statement.query_row((user.0, conversation.0), |row| Self::from_row(row, 0)).optional()?;
        Ok(row.unwrap_or_default())
    }

    /// Writes everything but `delivered_seq`, which only [`super::cursors`] moves.
    pub(super) fn save(&self, connection: &Connection, user: UserId, conversation: ConversationId) -> Result<()> {
        let mut statement = connection.prepare_cached(
            "INSERT INTO user_conversation (user, conversation, activity, read_seq, read_count, read_own, \
             deleted_seq, deleted_count, deleted_own) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9) \
             ON CONFLICT DO UPDATE SET activity = ?3, read_seq = ?4, read_count = ?5, read_own = ?6, \
             deleted_seq = ?7, deleted_count = ?8, deleted_own = ?9",
        )?;
        statement.execute((
            user.0,
            conversation.0,
            self.activity,
            self.read.seq,
            self.read.message_count,
            self.read.own_count,
            self.deleted.seq,
            self.deleted.message_count,
            self.deleted.own_count,
        ))?;
        Ok(())
    }
}

/// Writes the activity alone, of a row that was not loaded, by [`SAVE_ACTIVITY`].
pub(super) fn save_activity(
    statement: &mut Statement<'_>,
    user: UserId,
    conversation: ConversationId,
    activity: u64,
) -> Result<()> {
    statement.execute((user.0, conversation.0, activity))?;
    Ok(())
}
