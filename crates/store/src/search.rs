//! Searching in messages. What is found is as it is now, and what its asker may see now; an index only tells where to look.

use hongyan_domain::environment::Pending;
use hongyan_domain::id::{ConversationId, UserId};
use hongyan_domain::message::Entry;
use hongyan_domain::search::Query;

use crate::Result;

/// What is looked for, and where.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SearchQuery {
    /// Who asks: only what they may see is found.
    pub user: UserId,
    /// Only in the conversation with this person.
    pub other: Option<UserId>,
    /// The words.
    pub words: Query,
    /// Where the page before has ended, 0 = from the newest.
    pub before: u64,
    /// Most hits.
    pub limit: u32,
    /// Most bytes of bodies.
    pub bytes_max: usize,
}

/// A message that matches.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SearchHit {
    /// Where a page begins that goes on behind it; see [`SearchQuery::before`].
    pub place: u64,
    /// Where.
    pub conversation: ConversationId,
    /// The other person there.
    pub other: UserId,
    /// The message.
    pub entry: Entry,
    /// The parts that match: bytes of [`searchable`], from and to.
    pub ranges: Vec<(usize, usize)>,
}

/// A page of hits.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct SearchPage {
    /// Newest first.
    pub hits: Vec<SearchHit>,
    /// Where the next page begins, 0 = there is none. A page may be empty and have a next one.
    pub next: u64,
}

/// What can be searched of a message: its body if that is text, otherwise what it says about itself.
pub fn searchable(entry: &Entry) -> &str {
    const TEXT: i32 = 0;
    let draft = &entry.draft;
    match draft.body_type {
        TEXT => std::str::from_utf8(&draft.body).unwrap_or_default(),
        _ => &draft.text,
    }
}

/// Searching.
pub trait Search: Send + Sync + 'static {
    /// A page of messages of the asker's conversations that match, newest first. It may miss what was committed a moment ago.
    fn search(&self, query: SearchQuery) -> Pending<'_, Result<SearchPage>>;

    /// With whom a user has conversations, most recently first; not more than `limit`.
    fn correspondents(&self, user: UserId, limit: u32) -> Pending<'_, Result<Vec<UserId>>>;
}
