//! How much one person may pile up for another who does not take it (reliability row 16). Counted when the facts of a
//! conversation are read, and spent from memory until they are read again, so what is under way at that moment (at most one
//! batch of each of the sender's sessions) may exceed it.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use hongyan_domain::id::UserId;
use hongyan_domain::refusal::Refusal;
use hongyan_domain::session::Caller;
use hongyan_store::timeline::Direct;

use crate::answer::unavailable;
use crate::service::Logic;

/// Messages that may be sent before it must be counted again.
#[derive(Clone, Debug)]
pub(crate) struct Allowance(Arc<AtomicU64>);

impl Allowance {
    pub fn new(messages: u64) -> Self {
        Self(Arc::new(AtomicU64::new(messages)))
    }

    /// Takes one; false if there is none.
    pub fn spend(&self) -> bool {
        self.0.fetch_update(Ordering::Relaxed, Ordering::Relaxed, |left| left.checked_sub(1)).is_ok()
    }
}

impl Logic {
    /// What the caller may still send to the addressee; refuses if that is nothing.
    pub(crate) async fn allowance(
        &self,
        caller: &Caller,
        other: UserId,
        direct: &Direct,
    ) -> Result<Allowance, Refusal> {
        let max = self.directory.app_of(caller.app).await?.app.settings.undelivered_max;
        let waiting = match direct.conversation {
            // Notes to oneself are nowhere to be delivered. A short log needs no counting.
            Some(conversation) if other != caller.user && direct.head_seq > max / 2 => {
                let marks = self.store.marks(conversation, other).await.map_err(unavailable)?;
                // A device that started over reads what it never acknowledged.
                let delivered = marks.delivered_seq.max(marks.read_seq);
                let own = |seq| self.store.position(conversation, caller.user, seq);
                let sent = own(direct.head_seq).await.map_err(unavailable)?.own_count;
                sent.saturating_sub(own(delivered).await.map_err(unavailable)?.own_count)
            }
            Some(_) if other != caller.user => direct.head_seq,
            _ => 0,
        };
        match max.saturating_sub(waiting) {
            0 => Err(Refusal::QuotaExceeded),
            left => Ok(Allowance::new(left)),
        }
    }
}
