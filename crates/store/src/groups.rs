//! Groups: their logs, their members, and what may be seen of them. Whether something may be done is decided by
//! [`hongyan_domain::group`], called where it gets its number.

use std::collections::BTreeMap;
use std::sync::Arc;

use hongyan_domain::app::AppSettings;
use hongyan_domain::environment::Pending;
use hongyan_domain::group::{Change, Joining, Member, Policies, Profile};
use hongyan_domain::id::{AppId, ClientId, ConversationId, SessionId, UserId};
use hongyan_domain::message::Entry;
use hongyan_domain::name::Name;
use hongyan_domain::refusal::Refusal;
use hongyan_domain::time::UnixMillis;

use crate::Result;
use crate::timeline::{Answer, Deletion, HistoryPage, HistoryQuery, Marked, What};

/// Names of users, as far as an entry needs them.
pub type Names = BTreeMap<UserId, Name>;

/// Who asks, and by which request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Asker {
    /// The app.
    pub app: AppId,
    /// Who.
    pub user: UserId,
    /// Their name; handed on to the listener.
    pub name: Name,
    /// On which session. Nothing is done once that is dead.
    pub session: SessionId,
    /// Key of de-duplication, with group and user.
    pub client_id: ClientId,
    /// Digest of the request as received: the same id with another digest is a conflict.
    pub digest: u64,
    /// Now.
    pub now: UnixMillis,
}

/// Makes a group.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CreateGroup {
    /// Who becomes the owner.
    pub by: Asker,
    /// The group's name on the wire.
    pub name: Name,
    /// Its texts.
    pub profile: Profile,
    /// Its rules.
    pub policies: Policies,
    /// First members besides the owner.
    pub users: Vec<UserId>,
}

/// Changes a group.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ChangeGroup {
    /// Who.
    pub by: Asker,
    /// The group.
    pub group: ConversationId,
    /// How.
    pub change: Change,
}

/// Wants to come into a group.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct JoinGroup {
    /// Who.
    pub by: Asker,
    /// The group.
    pub group: ConversationId,
    /// By which means.
    pub joining: Joining,
}

/// One entry for a group's log.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct GroupAppend {
    /// Who.
    pub by: Asker,
    /// The group.
    pub group: ConversationId,
    /// Moves the sender's read mark there if it is higher, at most to the head before this entry; 0 = not.
    pub seen_seq: u64,
    /// What is appended.
    pub what: What,
    /// What the app allows.
    pub settings: Arc<AppSettings>,
}

/// What became of a request. Of an answer, `inbox_seq` is 0.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum GroupOutcome {
    /// Durable now. `seq` is the entry that tells it, 0 = none does.
    Done(Answer),
    /// Was durable already.
    Repeated(Answer),
    /// The key was used with another digest.
    Conflict,
    /// It may not be done.
    Refused(Refusal),
    /// The session is dead.
    SessionEnded,
}

/// What has happened in a group.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct GroupNews {
    /// The group.
    pub group: ConversationId,
    /// Its name.
    pub name: Name,
    /// What.
    pub what: GroupNewsWhat,
}

/// The kinds of news.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum GroupNewsWhat {
    /// The log has grown.
    Entry {
        /// The new row.
        entry: Arc<Entry>,
        /// The changed row if the new one announces a change.
        target: Option<Arc<Entry>>,
        /// Of everybody whom the two name.
        names: Arc<Names>,
    },
    /// Somebody sees the log from this entry on.
    In(UserId, u64),
    /// Somebody sees nothing any more that comes after the entries before this.
    Out(UserId),
}

/// A group as somebody has it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct GroupLine {
    /// The group.
    pub group: ConversationId,
    /// Its name on the wire.
    pub name: Name,
    /// Its texts, all of them.
    pub profile: Profile,
    /// What it says.
    pub announcement: String,
    /// Raised by every change of texts, owner, rules and pins.
    pub profile_version: u64,
    /// Whose it is.
    pub owner: UserId,
    /// Its rules.
    pub policies: Policies,
    /// Members are silent.
    pub muted_all: bool,
    /// Ascending.
    pub pinned: Vec<u64>,
    /// Members now.
    pub member_count: u32,
    /// Raised by every change of the list of members.
    pub member_list_version: u64,
    /// The newest entry that the reader may see.
    pub head_seq: u64,
    /// The lowest.
    pub low_seq: u64,
    /// The reader's mark.
    pub read_seq: u64,
    /// What remains.
    pub unread: u64,
    /// The newest message above the mark that mentions the reader, 0 = none.
    pub mention_seq: u64,
    /// The newest entry that the reader may see.
    pub last: Option<Entry>,
    /// What the reader is there; `None` = was there.
    pub member: Option<Member>,
    /// How the reader is seen.
    pub nickname: String,
    /// It has ended.
    pub dissolved: bool,
    /// Who waits for an admission, if the reader may decide.
    pub asking: Vec<Asking>,
}

/// Somebody who asks to join.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Asking {
    /// Who.
    pub user: UserId,
    /// What they say.
    pub text: String,
    /// Since when.
    pub time: UnixMillis,
}

/// Which groups of a user are wanted.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct GroupsQuery {
    /// Only those that have changed after this token.
    pub since: u64,
    /// Above this one, in their order.
    pub after: Option<ConversationId>,
    /// Only this one.
    pub only: Option<ConversationId>,
    /// Most groups.
    pub limit: u32,
}

/// A page of a user's groups.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct GroupsPage {
    /// In the order of their ids.
    pub groups: Vec<GroupLine>,
    /// There are more.
    pub more: bool,
    /// What happens later has a higher token.
    pub token: u64,
}

/// One member as all members see them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MemberLine {
    /// Who.
    pub user: UserId,
    /// What they are.
    pub member: Member,
    /// How they are seen.
    pub nickname: String,
    /// Since when.
    pub joined: UnixMillis,
}

/// A page of members.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct MembersPage {
    /// In the order of their ids; none if the version is the one that the reader has.
    pub members: Vec<MemberLine>,
    /// There are more.
    pub more: bool,
    /// The version of the list.
    pub version: u64,
}

/// How many have a message.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct GroupReceipts {
    /// Members who may see it, without its sender.
    pub members: u32,
    /// On a device of so many of them.
    pub delivered: u32,
    /// Read by so many.
    pub read: u32,
    /// By whom; empty in large groups.
    pub readers: Vec<UserId>,
}

/// Groups, their logs and members. Reads answer `None` to whoever never was a member.
pub trait Groups: Send + Sync + 'static {
    /// The id of a group, also of one that was dissolved. It never changes.
    fn group_id(&self, app: AppId, name: Name) -> Pending<'_, Result<Option<ConversationId>>>;

    /// The name of a group.
    fn group_name(&self, group: ConversationId) -> Pending<'_, Result<Name>>;

    /// Makes a group; its id is the answer's seq. `Refused(Conflict)`: the name is taken.
    fn create_group(&self, create: CreateGroup) -> Pending<'_, Result<GroupOutcome>>;

    /// Changes a group.
    fn change_group(&self, change: ChangeGroup) -> Pending<'_, Result<GroupOutcome>>;

    /// Comes into a group, or asks to: then the answer's message_count is 1, otherwise 0.
    fn join_group(&self, join: JoinGroup) -> Pending<'_, Result<GroupOutcome>>;

    /// Commits entries of one session, in order, and answers when all are durable. One outcome each.
    ///
    /// A failed call is definite for all of them: none was written.
    fn append_to_groups(&self, appends: Vec<GroupAppend>) -> Pending<'_, Result<Vec<GroupOutcome>>>;

    /// A user's groups.
    fn groups_of(&self, user: UserId, query: GroupsQuery) -> Pending<'_, Result<GroupsPage>>;

    /// The groups that a user is in, and from which entry on they see each: what may be pushed to them.
    fn stays_of(&self, user: UserId) -> Pending<'_, Result<Vec<(ConversationId, u64)>>>;

    /// A page of the members of a group that `reader` is in; `known` is the version that they have.
    fn group_members(
        &self,
        group: ConversationId,
        reader: UserId,
        after: Option<UserId>,
        limit: u32,
        known: u64,
    ) -> Pending<'_, Result<Option<MembersPage>>>;

    /// A page of a group's log.
    fn group_history(
        &self,
        group: ConversationId,
        reader: UserId,
        query: HistoryQuery,
    ) -> Pending<'_, Result<Option<HistoryPage>>>;

    /// Moves a member's read mark; only upwards.
    fn mark_group_read(&self, by: Asker, group: ConversationId, seq: u64) -> Pending<'_, Result<Option<Marked>>>;

    /// Hides entries from one member; false if they never were one.
    fn delete_in_group(&self, by: Asker, group: ConversationId, deletion: Deletion) -> Pending<'_, Result<bool>>;

    /// Who has a message, as a member may know.
    fn group_receipts(
        &self,
        group: ConversationId,
        reader: UserId,
        seq: u64,
    ) -> Pending<'_, Result<Option<GroupReceipts>>>;

    /// What lets people into a group; empty if there is none.
    fn group_link(&self, group: ConversationId) -> Pending<'_, Result<String>>;
}
