//! SYNC: the next page of the inbox (spec 45). The gate takes the cursor as an acknowledgement.

use hongyan_cluster::service::Reply;
use hongyan_domain::refusal::Refusal;
use hongyan_domain::session::Caller;
use hongyan_wire::{limits, proto};
use prost::Message;

use crate::answer::unavailable;
use crate::page::{Offer, PAGE_ENTRY_BYTES_MAX, page_for, users};
use crate::service::{Logic, STORED_MAX};

impl Logic {
    pub(crate) async fn sync(&self, caller: &Caller, request: proto::SyncRequest) -> Result<Reply, Refusal> {
        let offer = Offer {
            cursor: request.inbox_cursor.min(STORED_MAX),
            log_epoch: request.log_epoch,
            limit: request.limit.clamp(1, limits::SYNC_ENTRIES_MAX),
        };
        let inbox = self.store.inbox(caller.user, offer.cursor, offer.limit, PAGE_ENTRY_BYTES_MAX).await;
        let inbox = inbox.map_err(unavailable)?;
        let names = self.directory.names(users(&inbox)).await?;
        let page = page_for(caller.user, offer, inbox, &names)?;
        self.measures.page_entries.observe(page.answer.entries.len() as u64);
        let answer = proto::SyncAnswer { id: request.id, ..page.answer };
        let body = answer.encode_to_vec().into();
        Ok(Reply { body, references: page.references, written: Some(page.written), ..Reply::default() })
    }
}
