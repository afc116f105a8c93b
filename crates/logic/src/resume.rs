//! RESUME: continues a session on a new connection (spec 31, 32). Only reads; the gate confirms later.

use hongyan_cluster::service::Resumed;
use hongyan_domain::id::SessionId;
use hongyan_domain::refusal::Refusal;
use hongyan_domain::session::EndReason;
use hongyan_wire::{limits, proto};

use crate::answer::unavailable;
use crate::page::{Offer, page_for};
use crate::service::{Logic, STORED_MAX};

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
        let names = self.directory.names(resumption.page.entries.iter().map(|entry| entry.other)).await?;
        let page = page_for(caller.user, offer, resumption.page, &names)?;
        self.measures.resumes.add(1);
        self.measures.page_entries.observe(page.answer.entries.len() as u64);
        Ok(Resumed { caller, page: page.answer, references: page.references, token })
    }
}
