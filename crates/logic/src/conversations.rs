//! CONVERSATIONS: the first screen, newest activity first (spec 52). Acknowledges nothing.

use std::collections::BTreeMap;

use hongyan_cluster::service::Reply;
use hongyan_domain::id::UserId;
use hongyan_domain::name::Name;
use hongyan_domain::refusal::Refusal;
use hongyan_domain::session::Caller;
use hongyan_domain::visitor::Visitor;
use hongyan_store::timeline::ConversationLine;
use hongyan_wire::{limits, proto};
use prost::Message;

use crate::answer::{plain, unavailable};
use crate::entry::entry_for;
use crate::page::{LIST_ITEM_BYTES, PAGE_ENTRY_BYTES_MAX};
use crate::service::{Logic, STORED_MAX};

impl Logic {
    pub(crate) async fn conversations(
        &self,
        caller: &Caller,
        request: proto::ConversationsRequest,
    ) -> Result<Reply, Refusal> {
        let limit = request.limit.clamp(1, limits::HISTORY_ENTRIES_MAX);
        let page = self.store.conversations(caller.user, request.before.min(STORED_MAX), limit).await;
        let page = page.map_err(unavailable)?;
        let names = self.directory.names(page.lines.iter().flat_map(users)).await?;
        let mut answer = proto::ConversationsAnswer {
            id: request.id,
            more: page.more,
            inbox_head: page.inbox_head,
            log_epoch: self.store.log_epoch(),
            ..proto::ConversationsAnswer::default()
        };
        let mut bytes = 0;
        for line in &page.lines {
            let conversation = conversation_for(caller.user, line, &names)?;
            bytes += conversation.encoded_len() + LIST_ITEM_BYTES;
            if bytes > PAGE_ENTRY_BYTES_MAX {
                answer.more = true;
                break;
            }
            answer.conversations.push(conversation);
        }
        Ok(plain(&answer))
    }
}

/// Everybody whose name is needed to show a line.
fn users(line: &ConversationLine) -> impl Iterator<Item = UserId> {
    let account = line.visitor.as_ref().and_then(|visitor| visitor.account);
    [Some(line.other), line.as_visitor, account].into_iter().flatten()
}

fn conversation_for(
    reader: UserId,
    line: &ConversationLine,
    names: &BTreeMap<UserId, Name>,
) -> Result<proto::Conversation, Refusal> {
    let named = |user: UserId| names.get(&user).map(Name::to_string).ok_or(Refusal::Internal);
    let maybe = |user: Option<UserId>| user.map_or(Ok(String::new()), named);
    // What somebody said as a visitor is theirs.
    let reader = line.as_visitor.unwrap_or(reader);
    Ok(proto::Conversation {
        user: named(line.other)?,
        activity: line.activity,
        head_seq: line.head_seq,
        low_seq: line.low_seq,
        unread: line.unread,
        read_seq: line.read_seq,
        peer_delivered_seq: line.peer_delivered_seq,
        peer_read_seq: line.peer_read_seq,
        last: line.last.as_ref().map(|last| entry_for(reader, last, None)),
        blocked: line.blocked,
        visitor: match &line.visitor {
            Some(visitor) => Some(visitor_for(visitor, maybe(visitor.account)?)),
            None => None,
        },
        as_visitor: maybe(line.as_visitor)?,
    })
}

fn visitor_for(visitor: &Visitor, account: String) -> proto::Visitor {
    proto::Visitor {
        visits: visitor.visits,
        first_visit_ms: visitor.first_visit.0,
        last_visit_ms: visitor.last_visit.0,
        page: visitor.page.clone(),
        referrer: visitor.referrer.clone(),
        account,
    }
}
