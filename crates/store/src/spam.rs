//! Lists of words, audits of what became of texts, and messages that wait for a review (spec 73). What words mean, and what is
//! done with a text, is not known here.

use hongyan_domain::environment::Pending;
use hongyan_domain::id::{AppId, ClientId, ConversationId, SessionId, UserId};
use hongyan_domain::message::Draft;
use hongyan_domain::name::Name;
use hongyan_domain::room::DisplayName;
use hongyan_domain::spam::Class;
use hongyan_domain::time::UnixMillis;

use crate::Result;

/// Messages of one app that may wait for a review.
pub const HELD_PER_APP_MAX: usize = 10_000;
/// Messages of one sender that may wait for a review.
pub const HELD_PER_SENDER_MAX: usize = 100;
/// Audits that are kept of one app, whatever their age.
pub const AUDITS_PER_APP_MAX: u64 = 100_000;

/// Lists by what they are about, one word a line each.
pub type Lists = Vec<(Class, String)>;

/// What is known of a list without reading it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct WordsHead {
    /// What it is about.
    pub class: Class,
    /// The app's version since it is as it is.
    pub version: u64,
    /// Its lines.
    pub words: u64,
    /// When it was changed.
    pub changed: UnixMillis,
}

/// What became of one text.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Audit {
    /// The app.
    pub app: AppId,
    /// Who wrote it.
    pub user: UserId,
    /// When.
    pub time: UnixMillis,
    /// What kind of text, by name.
    pub kind: String,
    /// What was done, by name.
    pub action: String,
    /// Why, by name.
    pub rule: String,
    /// Of the folded text.
    pub digest: u64,
    /// What was found.
    pub excerpt: String,
}

/// Where a message that waits would go.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum HeldPlace {
    /// To a person.
    Direct(UserId),
    /// Into a room.
    Room {
        /// The room.
        room: ConversationId,
        /// Its name.
        name: Name,
        /// The sender's name there.
        from: DisplayName,
    },
}

/// A message that waits for a review.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HeldMessage {
    /// The app.
    pub app: AppId,
    /// Who wrote it.
    pub sender: UserId,
    /// Where it would go.
    pub place: HeldPlace,
    /// Key of de-duplication, with place and sender.
    pub client_id: ClientId,
    /// Digest of the request as received.
    pub digest: u64,
    /// When it came.
    pub time: UnixMillis,
    /// Why it waits, by name.
    pub rule: String,
    /// What was written.
    pub draft: Draft,
}

/// What becomes of a message that waits.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum HeldState {
    /// Nobody has looked at it.
    Waits,
    /// It is a message now.
    Released,
    /// It never will be.
    Discarded,
}

/// What became of a wish to let a message wait.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum HoldOutcome {
    /// It waits, perhaps since an earlier time, or has been decided about since.
    Held(HeldState),
    /// The client id was used with another digest.
    Conflict,
    /// Too many wait.
    Full,
    /// The session is dead.
    SessionEnded,
}

/// Words, audits, reviews.
pub trait Spam: Send + Sync + 'static {
    /// Replaces the list of a class; an empty text removes it. The app's version is raised. `None`: there is no such app.
    fn set_words(
        &self,
        app: AppId,
        class: Class,
        text: String,
        now: UnixMillis,
    ) -> Pending<'_, Result<Option<WordsHead>>>;

    /// All lists of an app.
    fn word_heads(&self, app: AppId) -> Pending<'_, Result<Vec<WordsHead>>>;

    /// All lists of an app with their texts, and the app's version at the same instant.
    fn words(&self, app: AppId) -> Pending<'_, Result<(u64, Lists)>>;

    /// Keeps what became of texts.
    fn audit(&self, audits: Vec<Audit>) -> Pending<'_, Result<()>>;

    /// A page of an app's audits with their numbers, newest first, below a number (0 = from the newest).
    fn audits(&self, app: AppId, before: u64, limit: u32) -> Pending<'_, Result<Vec<(u64, Audit)>>>;

    /// Lets a message wait. Its session must live.
    fn hold(&self, session: SessionId, message: HeldMessage) -> Pending<'_, Result<HoldOutcome>>;

    /// A page of the messages of an app that wait, with their numbers, oldest first, above a number.
    fn held(&self, app: AppId, after: u64, limit: u32) -> Pending<'_, Result<Vec<(u64, HeldMessage)>>>;

    /// A message that waits.
    fn held_message(&self, app: AppId, number: u64) -> Pending<'_, Result<Option<HeldMessage>>>;

    /// Decides about a message that waits; false if none does.
    fn settle_held(&self, app: AppId, number: u64, state: HeldState) -> Pending<'_, Result<bool>>;
}
