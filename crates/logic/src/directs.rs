//! What is known of direct conversations: their ids, and the access version on which a sender was last admitted.
//!
//! Only admissions are remembered. They may be outdated, because the writer checks the version again (design §5, stale
//! decisions); a refusal is never given from memory.

use std::sync::Arc;

use hongyan_domain::id::{AppId, ConversationId, UserId};
use hongyan_domain::refusal::Refusal;
use hongyan_store::Store;
use hongyan_store::timeline::Direct;

use crate::answer::unavailable;
use crate::cache::Cache;
use crate::quota::Allowance;

/// That a sender may write to an addressee.
#[derive(Clone, Debug)]
pub(crate) struct Admission {
    /// `None` until the first entry.
    pub conversation: Option<ConversationId>,
    /// What it was decided on.
    pub access_version: u64,
    /// They are friends: the app's rule about strangers does not matter.
    pub friends: bool,
    /// For how many messages it holds.
    pub allowance: Allowance,
}

/// Direct conversations, by sender and addressee.
pub(crate) struct Directs {
    store: Arc<dyn Store>,
    admissions: Cache<(UserId, UserId), Admission>,
}

impl Directs {
    /// Empty, in front of a store.
    pub fn new(store: Arc<dyn Store>, entries_max: usize) -> Self {
        Self { store, admissions: Cache::new(entries_max) }
    }

    /// That the sender was admitted, perhaps some time ago.
    pub fn admission(&self, sender: UserId, addressee: UserId) -> Option<Admission> {
        self.admissions.get(&(sender, addressee))
    }

    /// Remembers that the sender was admitted on these facts.
    pub fn admitted(&self, sender: UserId, addressee: UserId, direct: Direct, allowance: Allowance) -> Admission {
        let Direct { conversation, facts, .. } = direct;
        let admission =
            Admission { conversation, access_version: facts.access_version, friends: facts.friends, allowance };
        self.admissions.insert((sender, addressee), admission.clone());
        admission
    }

    /// Rights may have changed, in both directions.
    pub fn forget(&self, one: UserId, other: UserId) {
        self.admissions.remove(&(one, other));
        self.admissions.remove(&(other, one));
    }

    /// The facts as the store has them now.
    pub async fn read(&self, app: AppId, sender: UserId, addressee: UserId) -> Result<Direct, Refusal> {
        self.store.direct(app, sender, addressee).await.map_err(unavailable)
    }

    /// The conversation of a reader and another person, who look the same if there is none.
    pub async fn conversation(&self, app: AppId, reader: UserId, other: UserId) -> Result<ConversationId, Refusal> {
        if let Some(Admission { conversation: Some(conversation), .. }) = self.admission(reader, other) {
            return Ok(conversation);
        }
        self.read(app, reader, other).await?.conversation.ok_or(Refusal::NotFound)
    }
}
