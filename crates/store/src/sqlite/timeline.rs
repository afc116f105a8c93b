//! Conversations' logs and users' inboxes: which call is a write, which a read. What they do is in the other files.

use hongyan_domain::environment::Pending;
use hongyan_domain::id::{AppId, ClientId, ConversationId, SessionId, UserId};
use hongyan_domain::message::Entry;
use hongyan_domain::receipt::Position;

use super::{SqliteStore, append, conversations, direct, history, inbox, marks, message};
use crate::Result;
use crate::timeline::{
    Answer, Append, ConversationPage, Delete, Direct, HistoryPage, HistoryQuery, InboxPage, MarkRead, Marked, Marks,
    Outcome, Timeline,
};

impl Timeline for SqliteStore {
    fn append(&self, appends: Vec<Append>) -> Pending<'_, Result<Vec<Outcome>>> {
        let Some(first) = appends.first() else { return Box::pin(std::future::ready(Ok(Vec::new()))) };
        let (app, items) = (first.app, appends.len());
        self.write_items(app, items, false, move |batch| append::append_all(batch, &appends))
    }

    fn answered(
        &self,
        conversation: ConversationId,
        sender: UserId,
        client_id: ClientId,
    ) -> Pending<'_, Result<Option<(u64, Answer)>>> {
        self.read(move |connection| append::answered(connection, conversation, sender, client_id))
    }

    fn direct(&self, app: AppId, sender: UserId, addressee: UserId) -> Pending<'_, Result<Direct>> {
        self.read(move |connection| direct::direct(connection, app, sender, addressee))
    }

    fn set_blocked(
        &self,
        app: AppId,
        session: SessionId,
        user: UserId,
        other: UserId,
        blocked: bool,
    ) -> Pending<'_, Result<()>> {
        self.write_as(session, move |batch| direct::set_blocked(batch, app, session, user, other, blocked))
    }

    fn entry(&self, conversation: ConversationId, seq: u64) -> Pending<'_, Result<Option<Entry>>> {
        self.read(move |connection| message::load(connection, conversation, seq))
    }

    fn inbox(&self, user: UserId, cursor: u64, limit: u32, bytes_max: usize) -> Pending<'_, Result<InboxPage>> {
        let log_epoch = self.epoch();
        self.read(move |connection| inbox::page(connection, user, cursor, limit, bytes_max, log_epoch))
    }

    fn history(
        &self,
        conversation: ConversationId,
        reader: UserId,
        query: HistoryQuery,
    ) -> Pending<'_, Result<HistoryPage>> {
        self.read(move |connection| history::page(connection, conversation, reader, &query))
    }

    fn conversations(&self, user: UserId, before: u64, limit: u32) -> Pending<'_, Result<ConversationPage>> {
        self.read(move |connection| conversations::page(connection, user, before, limit))
    }

    fn position(&self, conversation: ConversationId, reader: UserId, seq: u64) -> Pending<'_, Result<Position>> {
        self.read(move |connection| marks::position(connection, conversation, reader, seq))
    }

    fn mark_read(&self, mark: MarkRead) -> Pending<'_, Result<Marked>> {
        self.write_as(mark.session, move |batch| marks::mark_read(batch, &mark))
    }

    fn delete(&self, delete: Delete) -> Pending<'_, Result<()>> {
        self.write_as(delete.session, move |batch| marks::delete(batch, &delete))
    }

    fn marks(&self, conversation: ConversationId, user: UserId) -> Pending<'_, Result<Marks>> {
        self.read(move |connection| marks::marks(connection, conversation, user))
    }
}
