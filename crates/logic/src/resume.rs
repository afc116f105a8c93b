//! RESUME: continues a session on a new connection (spec 31, 32). Only reads; the gate confirms later.

use hongyan_cluster::bus::Reference;
use hongyan_cluster::service::Resumed;
use hongyan_domain::id::{SessionId, UserId};
use hongyan_domain::refusal::Refusal;
use hongyan_domain::session::EndReason;
use hongyan_wire::{limits, proto};

use crate::answer::unavailable;
use crate::page::{Offer, page_for, reference, users};
use crate::service::{Logic, STORED_MAX};

/// Entries below an offered cursor that are looked at again. Of older ones the next acknowledgement in their conversation
/// tells.
const ACKNOWLEDGED_MAX: u32 = limits::SYNC_ENTRIES_MAX;
/// Their bodies, however long: none is sent.
const ACKNOWLEDGED_BYTES_MAX: usize =
    ACKNOWLEDGED_MAX as usize * (limits::MESSAGE_BODY_BYTES_MAX + limits::TEXT_PROJECTION_BYTES_MAX);

impl Logic {
    pub(crate) async fn resume_session(
        &self,
        session: SessionId,
        offer: proto::ResumeOffer,
    ) -> Result<Resumed, Refusal> {
        let offer = Offer {
            cursor: offer.inbox_cursor.min(STORED_MAX),
            log_epoch: offer.log_epoch,
            limit: offer.limit.min(limits::SYNC_ENTRIES_MAX),
        };
        let token = self.store.token();
        let resumption = self.store.resume(session, offer.cursor, offer.limit).await.map_err(unavailable)?;
        let caller = match resumption.session {
            Some(Ok(caller)) => caller,
            Some(Err(EndReason::SameTermLogin)) => return Err(Refusal::Kicked),
            Some(Err(EndReason::Revoked | EndReason::LoggedOut)) => return Err(Refusal::Revoked),
            None => return Err(Refusal::ResumeFailed),
        };
        self.directory.learn(caller.user, &caller.name);
        let names = self.directory.names(users(&resumption.page)).await?;
        let page = page_for(caller.user, offer, resumption.page, &names)?;
        let acknowledged = if page.answer.reset { 0 } else { offer.cursor };
        let mut references = self.acknowledged(caller.user, resumption.device_cursor, acknowledged).await?;
        references.extend(page.references);
        self.measures.resumes.add(1);
        self.measures.page_entries.observe(page.answer.entries.len() as u64);
        Ok(Resumed { caller, page: page.answer, references, acknowledged, token })
    }

    /// What the device has got without the server knowing, because an acknowledgement was lost with its connection or
    /// with the server. Mostly nothing, and never more than one read: a resume may be a replay.
    async fn acknowledged(&self, user: UserId, known: Option<u64>, cursor: u64) -> Result<Vec<Reference>, Refusal> {
        let Some(known) = known.filter(|known| *known < cursor) else { return Ok(Vec::new()) };
        let after = known.max(cursor.saturating_sub(ACKNOWLEDGED_MAX.into()));
        let page =
            self.store.inbox(user, after, ACKNOWLEDGED_MAX, ACKNOWLEDGED_BYTES_MAX).await.map_err(unavailable)?;
        let entries = page.entries.iter().filter(|entry| entry.inbox_seq <= cursor);
        Ok(entries.filter_map(|entry| reference(user, entry)).collect())
    }
}
