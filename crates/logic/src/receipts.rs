//! RECEIPTS: how far other people are in their conversations with the asker. Pushed receipts are hints; this is the
//! state (design §5, acknowledgement).

use hongyan_cluster::service::Reply;
use hongyan_domain::refusal::Refusal;
use hongyan_domain::session::Caller;
use hongyan_fault::mutant;
use hongyan_wire::proto;

use crate::answer::{plain, unavailable};
use crate::service::Logic;

impl Logic {
    pub(crate) async fn receipts(&self, caller: &Caller, request: proto::ReceiptsRequest) -> Result<Reply, Refusal> {
        let mut receipts = Vec::with_capacity(request.users.len());
        for user in &request.users {
            match self.receipt(caller, user).await {
                Ok(receipt) => receipts.push(receipt),
                // Left out, whether there is no such user or only no conversation.
                Err(Refusal::NotFound) => {}
                Err(refusal) => return Err(refusal),
            }
        }
        Ok(plain(&proto::ReceiptsAnswer { id: request.id, refusal: None, receipts }))
    }

    async fn receipt(&self, caller: &Caller, user: &str) -> Result<proto::Receipt, Refusal> {
        let (other, name) = self.directory.other(caller.app, user).await?;
        let conversation = self.directs.conversation(caller.app, caller.user, other.id).await?;
        let whose = if mutant!("receipts of the wrong side") { caller.user } else { other.id };
        let marks = self.store.marks(conversation, whose).await.map_err(unavailable)?;
        Ok(proto::Receipt { user: name.to_string(), delivered_seq: marks.delivered_seq, read_seq: marks.read_seq })
    }
}
