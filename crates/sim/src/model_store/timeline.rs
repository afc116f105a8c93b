//! Conversations' logs and users' inboxes: which call is a write, which a read. What they do is in the other files.

use hongyan_domain::environment::Pending;
use hongyan_domain::id::{AppId, ClientId, ConversationId, SessionId, UserId};
use hongyan_domain::message::{DirectFacts, Entry};
use hongyan_domain::receipt::Position;
use hongyan_store::Result;
use hongyan_store::timeline::{
    Answer, Append, ConversationPage, Delete, Direct, HistoryPage, HistoryQuery, InboxPage, MarkRead, Marked, Marks,
    Outcome, Timeline,
};

use super::state::State;
use super::{ModelStore, append, history, inbox, marks, screen};

fn direct(state: &State, app: AppId, sender: UserId, addressee: UserId) -> Result<Direct> {
    let meeting = state.meeting(sender, addressee);
    let Some(id) = state.direct(app, sender, addressee) else {
        let facts = DirectFacts { access_version: meeting.1, meeting: meeting.0, ..DirectFacts::default() };
        return Ok(Direct { facts, ..Direct::default() });
    };
    let log = state.conversation(id)?;
    Ok(Direct { conversation: Some(id), facts: log.facts(sender, meeting), head_seq: log.head_seq })
}

impl Timeline for ModelStore {
    fn append(&self, appends: Vec<Append>) -> Pending<'_, Result<Vec<Outcome>>> {
        if appends.is_empty() {
            return Box::pin(std::future::ready(Ok(Vec::new())));
        }
        self.write_items(appends.len(), false, move |batch| append::append_all(batch, &appends))
    }

    fn answered(
        &self,
        conversation: ConversationId,
        sender: UserId,
        client_id: ClientId,
    ) -> Pending<'_, Result<Option<(u64, Answer)>>> {
        self.read(move |state| {
            let keys = state.conversations.get(&conversation).map(|log| &log.keys);
            let keys = keys.or_else(|| state.rooms.get(&conversation).map(|log| &log.keys));
            let keys = keys.or_else(|| state.groups.get(&conversation).map(|log| &log.keys));
            Ok(keys.and_then(|keys| keys.get(&(sender, client_id)).copied()))
        })
    }

    fn direct(&self, app: AppId, sender: UserId, addressee: UserId) -> Pending<'_, Result<Direct>> {
        self.read(move |state| direct(state, app, sender, addressee))
    }

    fn set_blocked(
        &self,
        app: AppId,
        session: SessionId,
        user: UserId,
        other: UserId,
        blocked: bool,
    ) -> Pending<'_, Result<()>> {
        self.write_as(session, move |batch| marks::set_blocked(batch.state, app, user, other, blocked))
    }

    fn entry(&self, conversation: ConversationId, seq: u64) -> Pending<'_, Result<Option<Entry>>> {
        self.read(move |state| {
            let row = state.conversations.get(&conversation).and_then(|log| log.row(seq));
            let row = row.or_else(|| state.groups.get(&conversation).and_then(|log| log.row(seq)));
            Ok(row.map(|row| (*row.entry).clone()))
        })
    }

    fn inbox(&self, user: UserId, cursor: u64, limit: u32, bytes_max: usize) -> Pending<'_, Result<InboxPage>> {
        self.read(move |state| inbox::page(state, user, cursor, limit, bytes_max))
    }

    fn history(
        &self,
        conversation: ConversationId,
        reader: UserId,
        query: HistoryQuery,
    ) -> Pending<'_, Result<HistoryPage>> {
        self.read(move |state| history::page(state, conversation, reader, &query))
    }

    fn conversations(&self, user: UserId, before: u64, limit: u32) -> Pending<'_, Result<ConversationPage>> {
        self.read(move |state| screen::page(state, user, before, limit))
    }

    fn position(&self, conversation: ConversationId, reader: UserId, seq: u64) -> Pending<'_, Result<Position>> {
        self.read(move |state| Ok(state.conversation(conversation)?.position(reader, seq)))
    }

    fn mark_read(&self, mark: MarkRead) -> Pending<'_, Result<Marked>> {
        self.write_as(mark.session, move |batch| marks::mark_read(batch, &mark))
    }

    fn delete(&self, delete: Delete) -> Pending<'_, Result<()>> {
        self.write_as(delete.session, move |batch| marks::delete(batch, &delete))
    }

    fn marks(&self, conversation: ConversationId, user: UserId) -> Pending<'_, Result<Marks>> {
        self.read(move |state| Ok(screen::marks(state, conversation, user)))
    }
}
