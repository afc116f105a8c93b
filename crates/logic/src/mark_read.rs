//! MARK_READ: moves a user's read mark, on all their devices, and tells the other person (spec 53).

use hongyan_cluster::service::Reply;
use hongyan_domain::refusal::Refusal;
use hongyan_domain::session::Caller;
use hongyan_fault::mutant;
use hongyan_store::timeline::{MarkRead, Marked, Target};
use hongyan_wire::proto;

use crate::announce::push_read_receipt;
use crate::answer::{plain, unavailable};
use crate::service::Logic;

impl Logic {
    pub(crate) async fn mark_read(&self, caller: &Caller, request: proto::MarkReadRequest) -> Result<Reply, Refusal> {
        if !request.group.is_empty() {
            return self.mark_group_read(caller, request).await;
        }
        let (other, name) = self.directory.other(caller.app, &request.user).await?;
        let direct = self.directs.read(caller.app, caller.user, other.id).await?;
        let conversation = direct.conversation.ok_or(Refusal::NotFound)?;
        let seq = request.seq.min(direct.head_seq);
        let counts = if mutant!("mark counts for the other") { other.id } else { caller.user };
        let position = self.store.position(conversation, counts, seq).await.map_err(unavailable)?;
        let mark = MarkRead {
            app: caller.app,
            target: Target { user: caller.user, about: name },
            other: other.id,
            conversation,
            session: caller.session,
            position,
        };
        let marked = self.store.mark_read(mark).await.map_err(unavailable)?;
        if marked.inbox_seq.is_some() && other.id != caller.user {
            let read_seq = if mutant!("read told up to the head") { direct.head_seq } else { marked.read_seq };
            push_read_receipt(&self.bus, other.id, &caller.name, read_seq, &self.measures);
        }
        let Marked { read_seq, unread, head_seq, inbox_head, .. } = marked;
        let answer = proto::MarkReadAnswer { id: request.id, refusal: None, read_seq, unread, head_seq, inbox_head };
        Ok(plain(&answer))
    }
}
