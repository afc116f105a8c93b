//! DELETE: hides messages from the asker's own devices (spec 53). Nobody else notices.

use hongyan_cluster::service::Reply;
use hongyan_domain::refusal::Refusal;
use hongyan_domain::session::Caller;
use hongyan_store::timeline::{Delete, Deletion, Target};
use hongyan_wire::proto;

use crate::answer::{plain, unavailable};
use crate::service::Logic;

impl Logic {
    pub(crate) async fn delete(&self, caller: &Caller, request: proto::DeleteRequest) -> Result<Reply, Refusal> {
        if !request.group.is_empty() {
            return self.delete_in_group(caller, request).await;
        }
        let wanted = request.deletion.unwrap_or_default();
        let (other, name) = self.directory.other(caller.app, &request.user).await?;
        let direct = self.directs.read(caller.app, caller.user, other.id).await?;
        let conversation = direct.conversation.ok_or(Refusal::NotFound)?;
        let deletion = existing(wanted, direct.head_seq);
        if deletion != Deletion::default() {
            let target = Target { user: caller.user, about: name };
            let delete =
                Delete { app: caller.app, target, other: other.id, conversation, session: caller.session, deletion };
            self.store.delete(delete).await.map_err(unavailable)?;
        }
        Ok(plain(&proto::DeleteAnswer { id: request.id, refusal: None }))
    }
}

/// What can be deleted of what is wanted: nothing above the head, or messages to come would be hidden before anybody saw
/// them.
fn existing(wanted: proto::Deletion, head_seq: u64) -> Deletion {
    let up_to_seq = wanted.up_to_seq.min(head_seq);
    let mut seqs = wanted.seqs;
    seqs.retain(|seq| *seq > up_to_seq && *seq <= head_seq);
    seqs.sort_unstable();
    seqs.dedup();
    Deletion { up_to_seq, seqs }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_above_the_head_is_hidden() {
        let wanted = |up_to_seq, seqs: &[u64]| proto::Deletion { up_to_seq, seqs: seqs.to_vec() };
        assert_eq!(existing(wanted(u64::MAX, &[]), 7), Deletion { up_to_seq: 7, seqs: vec![] });
        assert_eq!(existing(wanted(2, &[9, 7, 3, 3, 2, 0, 8]), 7), Deletion { up_to_seq: 2, seqs: vec![3, 7] });
        assert_eq!(existing(wanted(0, &[0, 1]), 0), Deletion::default());
    }
}
