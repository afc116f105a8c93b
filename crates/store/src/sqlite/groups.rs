//! Groups and their logs. Decisions are made in the writer, where nothing can change meanwhile (ARCHITECTURE.md,
//! Decisions); which call is a write and which a read is here.

mod append;
mod change;
pub(super) mod head;
mod marks;
pub(super) mod members;
mod pages;
mod request;
mod view;

use hongyan_domain::environment::Pending;
use hongyan_domain::id::{AppId, ConversationId, UserId};
use hongyan_domain::name::Name;

use super::SqliteStore;
use crate::groups::{
    Asker, ChangeGroup, CreateGroup, GroupAppend, GroupOutcome, GroupReceipts, Groups, GroupsPage, GroupsQuery,
    JoinGroup, MembersPage,
};
use crate::timeline::{Deletion, HistoryPage, HistoryQuery, Marked};
use crate::{Error, Result};

impl Groups for SqliteStore {
    fn group_id(&self, app: AppId, name: Name) -> Pending<'_, Result<Option<ConversationId>>> {
        self.read(move |connection| head::id(connection, app, &name))
    }

    fn group_name(&self, group: ConversationId) -> Pending<'_, Result<Name>> {
        let name = self.read(move |connection| Ok(head::GroupHead::load(connection, group)?.map(|head| head.name)));
        Box::pin(async move { name.await?.ok_or_else(no_group) })
    }

    fn create_group(&self, create: CreateGroup) -> Pending<'_, Result<GroupOutcome>> {
        let (app, items) = (create.by.app, 2 + create.users.len());
        self.write_items(app, items, false, move |batch| change::create(batch, &create))
    }

    fn change_group(&self, change: ChangeGroup) -> Pending<'_, Result<GroupOutcome>> {
        self.write_items(change.by.app, 1, false, move |batch| change::change(batch, &change))
    }

    fn join_group(&self, join: JoinGroup) -> Pending<'_, Result<GroupOutcome>> {
        self.write_items(join.by.app, 1, false, move |batch| change::join(batch, &join))
    }

    fn append_to_groups(&self, appends: Vec<GroupAppend>) -> Pending<'_, Result<Vec<GroupOutcome>>> {
        let Some(first) = appends.first() else { return Box::pin(std::future::ready(Ok(Vec::new()))) };
        let (app, items) = (first.by.app, appends.len());
        self.write_items(app, items, false, move |batch| append::append_all(batch, &appends))
    }

    fn groups_of(&self, user: UserId, query: GroupsQuery) -> Pending<'_, Result<GroupsPage>> {
        self.read(move |connection| pages::groups_of(connection, user, &query))
    }

    fn stays_of(&self, user: UserId) -> Pending<'_, Result<Vec<(ConversationId, u64)>>> {
        self.read(move |connection| pages::stays_of(connection, user))
    }

    fn group_members(
        &self,
        group: ConversationId,
        reader: UserId,
        after: Option<UserId>,
        limit: u32,
        known: u64,
    ) -> Pending<'_, Result<Option<MembersPage>>> {
        self.read(move |connection| pages::members(connection, group, reader, after, limit, known))
    }

    fn group_history(
        &self,
        group: ConversationId,
        reader: UserId,
        query: HistoryQuery,
    ) -> Pending<'_, Result<Option<HistoryPage>>> {
        self.read(move |connection| pages::history(connection, group, reader, &query))
    }

    fn mark_group_read(&self, by: Asker, group: ConversationId, seq: u64) -> Pending<'_, Result<Option<Marked>>> {
        self.write_as(by.session, move |batch| marks::mark_read(batch, &by, group, seq))
    }

    fn delete_in_group(&self, by: Asker, group: ConversationId, deletion: Deletion) -> Pending<'_, Result<bool>> {
        self.write_as(by.session, move |batch| marks::delete(batch, &by, group, &deletion))
    }

    fn group_receipts(
        &self,
        group: ConversationId,
        reader: UserId,
        seq: u64,
    ) -> Pending<'_, Result<Option<GroupReceipts>>> {
        self.read(move |connection| pages::receipts(connection, group, reader, seq))
    }

    fn group_link(&self, group: ConversationId) -> Pending<'_, Result<String>> {
        let link =
            self.read(move |connection| Ok(head::GroupHead::load(connection, group)?.map(|head| head.facts.link)));
        Box::pin(async move { link.await?.ok_or_else(no_group) })
    }
}

fn no_group() -> Error {
    Error::Failed("a group that does not exist".to_owned())
}
