//! Groups and their logs: the rows, what one person sees of them, and which call is a write and which a read. Decisions are
//! those of `hongyan_domain::group`. What is unread is counted one by one, so that nothing of the embedded store's way of
//! counting is repeated here.

mod append;
mod change;
mod marks;
mod pages;

use std::collections::BTreeMap;
use std::sync::Arc;

use hongyan_domain::environment::Pending;
use hongyan_domain::group::{Event, Facts, Member, NO_CLIENT_ID, Profile};
use hongyan_domain::id::{AppId, ClientId, ConversationId, UserId};
use hongyan_domain::message::{Draft, Entry};
use hongyan_domain::name::Name;
use hongyan_domain::time::UnixMillis;
use hongyan_store::Result;
use hongyan_store::feed::{Committed, CommittedWhat};
use hongyan_store::groups::{
    Asker, ChangeGroup, CreateGroup, GroupAppend, GroupNews, GroupNewsWhat, GroupOutcome, GroupReceipts, Groups,
    GroupsPage, GroupsQuery, JoinGroup, MembersPage, Names,
};
use hongyan_store::timeline::{About, Answer, Deletion, HistoryPage, HistoryQuery, Marked};

use super::ModelStore;
use super::conversation::Row;
use super::state::{Batch, Place, Reference, State, missing};

/// Keys of de-duplication, with the digest of the request and its answer.
pub(super) type Keys = BTreeMap<(UserId, ClientId), (u64, Answer)>;

/// A member.
#[derive(Clone, Debug, Default)]
struct Membership {
    member: Member,
    nickname: String,
    joined: UnixMillis,
    mentioned_seq: u64,
}

/// What somebody may see: from the first to the last entry; without a last one they are in.
#[derive(Clone, Copy, Debug)]
struct Stay {
    from: u64,
    to: Option<u64>,
}

/// A group: its head, its rows, its members, the keys of de-duplication.
#[derive(Clone, Debug)]
pub(super) struct GroupLog {
    app: AppId,
    pub(super) name: Name,
    owner: UserId,
    profile: Profile,
    announcement: String,
    profile_version: u64,
    member_list_version: u64,
    mention_all_seq: u64,
    facts: Facts,
    pub(super) head_seq: u64,
    message_count: u64,
    /// Ascending by seq. There is a gap where a backup was restored.
    rows: Vec<Row>,
    members: BTreeMap<UserId, Membership>,
    /// Of everybody who ever was in, in order.
    stays: BTreeMap<UserId, Vec<Stay>>,
    asking: BTreeMap<UserId, (String, UnixMillis)>,
    pub(super) keys: Keys,
    /// The commit that changed it last.
    pub(super) change_no: u64,
    /// The commits that changed the marks of one person last.
    pub(super) marks_no: BTreeMap<UserId, u64>,
}

impl GroupLog {
    fn new(create: &CreateGroup) -> Self {
        let text = |text: &Option<String>| Some(text.clone().unwrap_or_default());
        let Profile { title, intro, avatar } = &create.profile;
        Self {
            app: create.by.app,
            name: create.name.clone(),
            owner: create.by.user,
            profile: Profile { title: text(title), intro: text(intro), avatar: text(avatar) },
            announcement: String::new(),
            profile_version: 1,
            member_list_version: 1,
            mention_all_seq: 0,
            facts: Facts { policies: create.policies, ..Facts::default() },
            head_seq: 0,
            message_count: 0,
            rows: Vec::new(),
            members: BTreeMap::new(),
            stays: BTreeMap::new(),
            asking: BTreeMap::new(),
            keys: Keys::new(),
            change_no: 0,
            marks_no: BTreeMap::new(),
        }
    }

    /// The row of this seq.
    pub(super) fn row(&self, seq: u64) -> Option<&Row> {
        self.rows.binary_search_by_key(&seq, Row::seq).ok().map(|at| &self.rows[at])
    }

    /// The rows of a range, both ends included.
    fn rows(&self, from: u64, to: u64) -> &[Row] {
        let first = self.rows.partition_point(|row| row.seq() < from);
        let end = self.rows.partition_point(|row| row.seq() <= to);
        &self.rows[first..end.max(first)]
    }

    /// Countable messages up to a seq.
    fn count_up_to(&self, seq: u64) -> u64 {
        let below = self.rows.partition_point(|row| row.seq() <= seq);
        below.checked_sub(1).map_or(0, |at| self.rows[at].entry.message_count)
    }

    fn member(&self, user: UserId) -> Option<Member> {
        self.members.get(&user).map(|found| found.member)
    }

    /// Whether an entry lies in one of the stays of somebody.
    fn may_see(&self, user: UserId, seq: u64) -> bool {
        let stays = self.stays.get(&user).map_or(&[][..], Vec::as_slice);
        stays.iter().any(|stay| seq >= stay.from && stay.to.is_none_or(|to| seq <= to))
    }
}

/// What one person sees of a group.
struct View<'s> {
    log: &'s GroupLog,
    user: UserId,
    mine: Place,
    /// The last stay.
    stay: Stay,
    head_seq: u64,
    low_seq: u64,
}

impl<'s> View<'s> {
    /// `None` for whoever never was a member.
    fn of(state: &'s State, group: ConversationId, user: UserId) -> Result<Option<Self>> {
        let log = state.group(group)?;
        let mine = state.place(user, group).cloned().unwrap_or_default();
        let Some(stays) = log.stays.get(&user) else { return Ok(None) };
        let (Some(first), Some(stay)) = (stays.first(), stays.last().copied()) else { return Ok(None) };
        let low_seq = first.from.max(mine.low_seq());
        Ok(Some(Self { log, user, mine, stay, head_seq: stay.to.unwrap_or(log.head_seq), low_seq }))
    }

    fn sees(&self, seq: u64) -> bool {
        seq >= self.low_seq && self.log.may_see(self.user, seq)
    }

    /// Countable messages of others above the marks, in the last stay, one by one.
    fn unread(&self) -> u64 {
        let mark = self.mine.read.seq.max(self.mine.deleted.seq).max(self.stay.from - 1);
        let mut before = self.log.count_up_to(mark);
        let mut unread = 0;
        for row in self.log.rows(mark + 1, self.head_seq) {
            let counted = row.entry.message_count > std::mem::replace(&mut before, row.entry.message_count);
            unread += u64::from(counted && row.entry.sender != self.user);
        }
        unread
    }
}

impl State {
    /// A group.
    pub(super) fn group(&self, id: ConversationId) -> Result<&GroupLog> {
        self.groups.get(&id).ok_or_else(|| missing("group"))
    }

    fn group_named(&self, app: AppId, name: &Name) -> Option<ConversationId> {
        self.groups.iter().find(|(_, log)| log.app == app && log.name == *name).map(|(id, _)| *id)
    }

    /// In how many groups somebody is.
    fn groups_of(&self, user: UserId) -> u32 {
        self.groups.values().filter(|log| log.members.contains_key(&user)).count() as u32
    }

    fn name_of(&self, user: UserId) -> Result<Name> {
        Ok(self.person(user)?.user.name.clone())
    }
}

/// The answer that a request has got before.
fn earlier(keys: &Keys, by: &Asker) -> Option<GroupOutcome> {
    keys.get(&(by.user, by.client_id)).map(|(digest, answer)| match *digest == by.digest {
        true => GroupOutcome::Repeated(*answer),
        false => GroupOutcome::Conflict,
    })
}

/// Something that a user's devices must learn of a group.
fn refer(
    batch: &mut Batch<'_>,
    by: &Asker,
    user: UserId,
    group: ConversationId,
    reference: Reference,
    what: CommittedWhat,
) -> Result<u64> {
    let about = About::Group(batch.state.group(group)?.name.clone());
    let inbox_seq = batch.refer_beside(user, group, reference)?;
    let (app, origin) = (by.app, by.session);
    batch.tell(Committed { app, user, inbox_seq, conversation: group, about, origin, what });
    Ok(inbox_seq)
}

/// Appends what has happened to the group; its seq.
fn append_event(batch: &mut Batch<'_>, by: &Asker, group: ConversationId, event: Event) -> Result<u64> {
    let log = batch.group_mut(group)?;
    log.head_seq += 1;
    let draft = Draft { uncounted: true, ..Draft::default() };
    let mut entry = Entry::new(log.head_seq, by.user, NO_CLIENT_ID, by.now, draft);
    (entry.message_count, entry.event) = (log.message_count, Some(Box::new(event)));
    let (seq, entry) = (entry.seq, Arc::new(entry));
    log.rows.push(Row::new(Arc::clone(&entry), 0));
    tell_entry(batch, group, entry, None)?;
    Ok(seq)
}

/// Tells a new row of the log to those who are in the group.
fn tell_entry(
    batch: &mut Batch<'_>,
    group: ConversationId,
    entry: Arc<Entry>,
    target: Option<Arc<Entry>>,
) -> Result<()> {
    let users = entry.named().chain(target.iter().flat_map(|target| target.named()));
    let names = users.map(|user| Ok((user, batch.state.name_of(user)?))).collect::<Result<Names>>()?;
    tell(batch, group, GroupNewsWhat::Entry { entry, target, names: Arc::new(names) })
}

/// Tells something to those who are in the group.
fn tell(batch: &mut Batch<'_>, group: ConversationId, what: GroupNewsWhat) -> Result<()> {
    let name = batch.state.group(group)?.name.clone();
    batch.tell_group(GroupNews { group, name, what });
    Ok(())
}

impl Groups for ModelStore {
    fn group_id(&self, app: AppId, name: Name) -> Pending<'_, Result<Option<ConversationId>>> {
        self.read(move |state| Ok(state.group_named(app, &name)))
    }

    fn group_name(&self, group: ConversationId) -> Pending<'_, Result<Name>> {
        self.read(move |state| Ok(state.group(group)?.name.clone()))
    }

    fn create_group(&self, create: CreateGroup) -> Pending<'_, Result<GroupOutcome>> {
        let items = 2 + create.users.len();
        self.write_items(items, false, move |batch| change::create(batch, &create))
    }

    fn change_group(&self, change: ChangeGroup) -> Pending<'_, Result<GroupOutcome>> {
        self.write_items(1, false, move |batch| change::change(batch, &change))
    }

    fn join_group(&self, join: JoinGroup) -> Pending<'_, Result<GroupOutcome>> {
        self.write_items(1, false, move |batch| change::join(batch, &join))
    }

    fn append_to_groups(&self, appends: Vec<GroupAppend>) -> Pending<'_, Result<Vec<GroupOutcome>>> {
        if appends.is_empty() {
            return Box::pin(std::future::ready(Ok(Vec::new())));
        }
        self.write_items(appends.len(), false, move |batch| append::append_all(batch, &appends))
    }

    fn groups_of(&self, user: UserId, query: GroupsQuery) -> Pending<'_, Result<GroupsPage>> {
        self.read(move |state| pages::groups_of(state, user, &query))
    }

    fn stays_of(&self, user: UserId) -> Pending<'_, Result<Vec<(ConversationId, u64)>>> {
        self.read(move |state| Ok(pages::stays_of(state, user)))
    }

    fn group_members(
        &self,
        group: ConversationId,
        reader: UserId,
        after: Option<UserId>,
        limit: u32,
        known: u64,
    ) -> Pending<'_, Result<Option<MembersPage>>> {
        self.read(move |state| Ok(pages::members(state.group(group)?, reader, after, limit, known)))
    }

    fn group_history(
        &self,
        group: ConversationId,
        reader: UserId,
        query: HistoryQuery,
    ) -> Pending<'_, Result<Option<HistoryPage>>> {
        self.read(move |state| pages::history(state, group, reader, &query))
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
        self.read(move |state| pages::receipts(state, group, reader, seq))
    }

    fn group_link(&self, group: ConversationId) -> Pending<'_, Result<String>> {
        self.read(move |state| Ok(state.group(group)?.facts.link.clone()))
    }
}
