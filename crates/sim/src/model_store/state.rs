//! All rows, and the batch that changes them. Plain ordered maps; a clone is a backup.

use std::collections::{BTreeMap, BTreeSet};

use hongyan_domain::app::{App, AppKey};
use hongyan_domain::friend::{FriendEvent, Relation};
use hongyan_domain::grouping::Groupings;
use hongyan_domain::id::{AppId, ConversationId, DeviceKey, SessionId, UserId};
use hongyan_domain::name::Name;
use hongyan_domain::receipt::Position;
use hongyan_domain::session::{EndReason, LiveSession, Term};
use hongyan_domain::time::UnixMillis;
use hongyan_domain::visitor::{Meeting, Standing, Visitor};
use hongyan_fault::mutant;
use hongyan_store::accounts::User;
use hongyan_store::feed::{Change, Committed, Said};
use hongyan_store::groups::GroupNews;
use hongyan_store::profiles::VersionedProfile;
use hongyan_store::timeline::Deletion;
use hongyan_store::{Error, Result};

use super::conversation::Conversation;
use super::feed::FeedLog;
use super::groups::{GroupLog, Keys};
use super::rooms::RoomLog;
use super::spam::SpamRows;

/// What an inbox refers to.
#[derive(Clone, Debug)]
pub(super) enum Reference {
    /// The row of this seq.
    Entry(u64),
    /// The read mark moved there, and so much remained.
    Read { seq: u64, unread: u64 },
    /// Rows were hidden.
    Deleted(Deletion),
    /// The visitor turned out to be an account.
    Claimed { visitor: UserId, account: UserId },
    /// The user came into the group, or is out of it.
    Membership(bool),
    /// The row of this seq mentions the user.
    Mentioned(u64),
    /// Something about the bond with another user; it is no activity of their conversation.
    Friend { other: UserId, event: FriendEvent },
    /// The user's own lists have changed.
    Lists { version: u64 },
}

/// What a user has about another; `befriended` is the version at which they became friends, 0 if they are none.
#[derive(Clone, Debug)]
pub(super) struct RelationRow {
    pub(super) relation: Relation,
    pub(super) version: u64,
    pub(super) befriended: u64,
}

/// A user's inbox; `rows` are the entries from `low` to `head`.
#[derive(Clone, Debug)]
pub(super) struct Inbox {
    pub(super) head: u64,
    pub(super) low: u64,
    pub(super) rows: Vec<(ConversationId, Reference)>,
}

/// What a user has in a conversation; `activity` is the newest inbox entry about it.
#[derive(Clone, Debug, Default)]
pub(super) struct Place {
    pub(super) activity: u64,
    pub(super) read: Position,
    pub(super) delivered_seq: u64,
    pub(super) deleted: Position,
    pub(super) hidden: BTreeSet<u64>,
}

impl Place {
    /// The lowest seq that is not hidden as a whole.
    pub(super) fn low_seq(&self) -> u64 {
        self.deleted.seq + 1
    }

    /// Whether the user may see the row of this seq.
    pub(super) fn shows(&self, seq: u64) -> bool {
        seq > self.deleted.seq && !self.hidden.contains(&seq)
    }

    /// Whether asking for a read mark moves it.
    pub(super) fn mark_moves(&self, seq: u64) -> bool {
        if mutant!("read mark goes back") { seq != self.read.seq } else { seq > self.read.seq }
    }
}

/// A device of a user.
#[derive(Clone, Debug)]
pub(super) struct Device {
    pub(super) key: DeviceKey,
    pub(super) device_id: Vec<u8>,
    pub(super) inbox_cursor: u64,
    pub(super) used: UnixMillis,
}

/// A user and everything that is theirs.
#[derive(Clone, Debug)]
pub(super) struct Person {
    pub(super) user: User,
    /// Raised when a right is lost that conversations with visitors rest on.
    pub(super) access_version: u64,
    /// Only of visitors.
    pub(super) visitor: Option<Visitor>,
    pub(super) inbox: Inbox,
    pub(super) places: BTreeMap<ConversationId, Place>,
    pub(super) devices: Vec<Device>,
    /// In order of opening.
    pub(super) live: Vec<LiveSession>,
    pub(super) relations: BTreeMap<UserId, RelationRow>,
    pub(super) groupings: Groupings,
    pub(super) profile: VersionedProfile,
    /// Counts the changes of whom the user lets ask.
    pub(super) policy_version: u64,
}

impl Person {
    /// Who has nobody yet.
    pub(super) fn new(
        user: User,
        inbox: Inbox,
        places: BTreeMap<ConversationId, Place>,
        devices: Vec<Device>,
        live: Vec<LiveSession>,
    ) -> Self {
        Self {
            user,
            access_version: 0,
            visitor: None,
            inbox,
            places,
            devices,
            live,
            relations: BTreeMap::new(),
            groupings: Groupings::default(),
            profile: VersionedProfile::default(),
            policy_version: 0,
        }
    }
}

/// A session, dead or alive.
#[derive(Clone, Debug)]
pub(super) struct Session {
    pub(super) app: AppId,
    pub(super) user: UserId,
    pub(super) device: DeviceKey,
    pub(super) term: Term,
    pub(super) ended: Option<EndReason>,
}

/// Everything that is durable.
#[derive(Clone, Debug)]
pub(super) struct State {
    pub(super) log_epoch: u32,
    /// Of ids of all kinds; never goes back.
    counter: i64,
    /// Of changes of relations, groupings and profiles.
    pub(super) people_version: u64,
    pub(super) apps: BTreeMap<Name, App>,
    pub(super) keys: BTreeMap<(AppId, Name), AppKey>,
    pub(super) names: BTreeMap<AppId, BTreeMap<Name, UserId>>,
    pub(super) people: BTreeMap<UserId, Person>,
    pub(super) sessions: BTreeMap<SessionId, Session>,
    /// The users of a pair in order.
    pairs: BTreeMap<(AppId, UserId, UserId), ConversationId>,
    pub(super) conversations: BTreeMap<ConversationId, Conversation>,
    pub(super) rooms: BTreeMap<ConversationId, RoomLog>,
    pub(super) groups: BTreeMap<ConversationId, GroupLog>,
    /// Of requests that make a group.
    pub(super) group_keys: Keys,
    pub(super) spam: SpamRows,
    pub(super) feed: FeedLog,
}

/// The error of a row that must be there.
pub(super) fn missing(what: &str) -> Error {
    Error::Failed(format!("no such {what}"))
}

fn in_order(one: UserId, other: UserId) -> (UserId, UserId) {
    if one <= other { (one, other) } else { (other, one) }
}

impl State {
    /// Of an empty disk.
    pub(super) fn new() -> Self {
        Self {
            log_epoch: 1,
            counter: 0,
            people_version: 0,
            apps: BTreeMap::new(),
            keys: BTreeMap::new(),
            names: BTreeMap::new(),
            people: BTreeMap::new(),
            sessions: BTreeMap::new(),
            pairs: BTreeMap::new(),
            conversations: BTreeMap::new(),
            rooms: BTreeMap::new(),
            groups: BTreeMap::new(),
            group_keys: Keys::new(),
            spam: SpamRows::default(),
            feed: FeedLog::new(1),
        }
    }

    /// Makes another history of this one (see [`super::ModelDisk::restore`]).
    pub(super) fn begin_epoch(&mut self, epoch: u32, gap: u64) {
        self.log_epoch = epoch;
        self.counter += gap as i64;
        self.people_version += gap;
        self.conversations.values_mut().for_each(|log| log.head_seq += gap);
        self.rooms.values_mut().for_each(|log| log.room.head_seq += gap);
        for person in self.people.values_mut() {
            person.inbox.head += gap;
            person.inbox.low = person.inbox.head + 1;
            person.inbox.rows.clear();
            person.live.clear();
        }
        self.sessions.clear();
        self.feed = FeedLog::new(epoch);
        for log in self.groups.values_mut() {
            log.head_seq += gap;
            // A token of the lost history must find it changed.
            log.change_no = self.feed.newest();
        }
    }

    /// Counter and shard of a new id. Shards are spread evenly, where the embedded store hashes names.
    pub(super) fn next_id(&mut self) -> (i64, u16) {
        self.counter += 1;
        (self.counter, (self.counter % 1_024) as u16)
    }

    /// The number of the next change of a relation, grouping or profile.
    pub(super) fn next_people_version(&mut self) -> u64 {
        self.people_version += 1;
        self.people_version
    }

    /// A user.
    pub(super) fn person(&self, user: UserId) -> Result<&Person> {
        self.people.get(&user).ok_or_else(|| missing("user"))
    }

    /// A user, to be changed.
    pub(super) fn person_mut(&mut self, user: UserId) -> Result<&mut Person> {
        self.people.get_mut(&user).ok_or_else(|| missing("user"))
    }

    /// What a user has in a conversation; `None` if they never touched it.
    pub(super) fn place(&self, user: UserId, conversation: ConversationId) -> Option<&Place> {
        self.people.get(&user)?.places.get(&conversation)
    }

    /// A conversation.
    pub(super) fn conversation(&self, id: ConversationId) -> Result<&Conversation> {
        self.conversations.get(&id).ok_or_else(|| missing("conversation"))
    }

    /// A conversation, to be changed.
    pub(super) fn conversation_mut(&mut self, id: ConversationId) -> Result<&mut Conversation> {
        self.conversations.get_mut(&id).ok_or_else(|| missing("conversation"))
    }

    /// The direct conversation of two users.
    pub(super) fn direct(&self, app: AppId, one: UserId, other: UserId) -> Option<ConversationId> {
        let (low, high) = in_order(one, other);
        self.pairs.get(&(app, low, high)).copied()
    }

    /// The same, made if there is none.
    pub(super) fn direct_or_new(&mut self, app: AppId, one: UserId, other: UserId) -> ConversationId {
        if let Some(found) = self.direct(app, one, other) {
            return found;
        }
        let (low, high) = in_order(one, other);
        let (counter, shard) = self.next_id();
        let id = ConversationId::in_shard(counter, shard);
        self.pairs.insert((app, low, high), id);
        self.conversations.insert(id, Conversation::new(low, high));
        id
    }

    fn standing(&self, user: UserId) -> (Standing, u64) {
        match self.people.get(&user) {
            Some(Person { visitor: Some(visitor), access_version, .. }) => {
                (Standing::Visitor { claimed: visitor.account.is_some() }, *access_version)
            }
            Some(person) => (Standing::Person { takes_visitors: person.user.takes_visitors }, person.access_version),
            None => (Standing::Person { takes_visitors: false }, 0),
        }
    }

    /// Who of the two of a conversation `user` is: the visitor, for an account that the visitor turned out to be.
    pub(super) fn seat(&self, log: &Conversation, user: UserId) -> Result<UserId> {
        let visits = |user: &UserId| self.people.get(user).is_some_and(|person| person.visitor.is_some());
        if log.has(user) {
            return Ok(user);
        }
        [log.low, log.high].into_iter().find(visits).ok_or_else(|| missing("visitor"))
    }

    /// What visitors change about two users, and the version of that.
    pub(super) fn meeting(&self, one: UserId, other: UserId) -> (Meeting, u64) {
        let ((one, one_version), (other, other_version)) = (self.standing(one), self.standing(other));
        match Meeting::of(one, other) {
            Meeting::People => (Meeting::People, 0),
            meeting => (meeting, one_version + other_version),
        }
    }

    /// What a write of this session is worth.
    pub(super) fn may_write(&self, session: SessionId) -> bool {
        let alive = self.sessions.get(&session).is_some_and(|session| session.ended.is_none());
        alive || session == SessionId::SERVER
    }
}

/// What there is to tell of a sync.
#[derive(Default)]
pub(super) struct Told {
    pub(super) committed: Vec<Committed>,
    pub(super) said: Vec<Said>,
    pub(super) grouped: Vec<GroupNews>,
}

/// One sync: the rows as they become, and what there will be to tell.
pub(super) struct Batch<'s> {
    pub(super) state: &'s mut State,
    told: Told,
    changes: Vec<Change>,
    grown: Vec<UserId>,
    groups_moved: BTreeSet<ConversationId>,
    marks_moved: BTreeSet<(ConversationId, UserId)>,
}

impl<'s> Batch<'s> {
    /// Nothing yet.
    pub(super) fn begin(state: &'s mut State) -> Self {
        let (groups_moved, marks_moved) = (BTreeSet::new(), BTreeSet::new());
        Self { state, told: Told::default(), changes: Vec::new(), grown: Vec::new(), groups_moved, marks_moved }
    }

    /// Appends to an inbox and makes the entry the conversation's newest activity there; its number.
    pub(super) fn refer(&mut self, user: UserId, conversation: ConversationId, reference: Reference) -> Result<u64> {
        let of_people = matches!(reference, Reference::Friend { .. } | Reference::Lists { .. });
        let seq = self.refer_beside(user, conversation, reference)?;
        if !of_people {
            self.state.person_mut(user)?.places.entry(conversation).or_default().activity = seq;
        }
        Ok(seq)
    }

    /// Appends to an inbox something of a conversation that is listed elsewhere; its number.
    pub(super) fn refer_beside(
        &mut self,
        user: UserId,
        conversation: ConversationId,
        reference: Reference,
    ) -> Result<u64> {
        let person = self.state.person_mut(user)?;
        person.inbox.head += 1;
        person.inbox.rows.push((conversation, reference));
        self.grown.push(user);
        Ok(person.inbox.head)
    }

    /// A group, to be changed.
    pub(super) fn group_mut(&mut self, id: ConversationId) -> Result<&mut GroupLog> {
        let log = self.state.groups.get_mut(&id).ok_or_else(|| missing("group"))?;
        self.groups_moved.insert(id);
        Ok(log)
    }

    /// Somebody's marks in a group have changed.
    pub(super) fn marks_moved(&mut self, user: UserId, group: ConversationId) {
        self.marks_moved.insert((group, user));
    }

    /// A session of this user is dead from now on; false if it was, or never lived.
    pub(super) fn end(&mut self, session: SessionId, reason: EndReason) -> bool {
        let Some(row) = self.state.sessions.get_mut(&session).filter(|row| row.ended.is_none()) else { return false };
        row.ended = Some(reason);
        if let Some(person) = self.state.people.get_mut(&row.user) {
            person.live.retain(|live| live.session != session);
        }
        self.changes.push(Change::SessionEnded { session, reason });
        true
    }

    /// Something to tell after the commit.
    pub(super) fn tell(&mut self, committed: Committed) {
        self.told.committed.push(committed);
    }

    /// Something of a room to tell after the commit.
    pub(super) fn tell_said(&mut self, said: Said) {
        self.told.said.push(said);
    }

    /// Something of a group to tell after the commit.
    pub(super) fn tell_group(&mut self, news: GroupNews) {
        self.told.grouped.push(news);
    }

    fn number_groups(&mut self) {
        let no = self.state.feed.newest() + 1;
        for (group, user) in std::mem::take(&mut self.marks_moved) {
            let log = self.state.groups.get_mut(&group);
            log.map(|log| log.marks_no.insert(user, no));
        }
        for group in std::mem::take(&mut self.groups_moved) {
            let Some(log) = self.state.groups.get_mut(&group) else { continue };
            log.change_no = no;
            self.changes.push(Change::Group { group, head: log.head_seq });
        }
    }

    /// Records which heads have moved; what is to be told.
    pub(super) fn finish(mut self, feed_commits_max: usize) -> Told {
        self.grown.sort_unstable();
        self.grown.dedup();
        for user in std::mem::take(&mut self.grown) {
            let head = self.state.people.get(&user).map_or(0, |person| person.inbox.head);
            self.changes.push(Change::Inbox { user, head });
        }
        self.number_groups();
        if !self.changes.is_empty() {
            self.state.feed.push(self.changes, feed_commits_max);
        }
        self.told
    }
}
