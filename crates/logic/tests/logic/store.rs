//! A store that can be told to fail, and that counts what it is asked. All else goes to the embedded store.

use std::collections::VecDeque;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

use crate::world::Steps;
use hongyan_domain::app::{App, AppKey, AppSettings};
use hongyan_domain::change::{Changes, Since};
use hongyan_domain::environment::Pending;
use hongyan_domain::grouping::Groupings;
use hongyan_domain::id::{AppId, ClientId, ConversationId, SessionId, UserId};
use hongyan_domain::message::Entry;
use hongyan_domain::name::Name;
use hongyan_domain::profile::ProfileChange;
use hongyan_domain::receipt::{CursorAdvance, Position};
use hongyan_domain::session::EndReason;
use hongyan_domain::spam::Class;
use hongyan_domain::time::UnixMillis;
use hongyan_domain::visitor::Visitor;
use hongyan_store::accounts::User;
use hongyan_store::friends::{Acquaintance, AddFriend, AddOutcome, ChangeFriend, ChangeOutcome, Lists, Looked};
use hongyan_store::groups::{
    Asker, ChangeGroup, CreateGroup, GroupAppend, GroupOutcome, GroupReceipts, GroupsPage, GroupsQuery, JoinGroup,
    MembersPage,
};
use hongyan_store::profiles::KnownProfile;
use hongyan_store::rooms::{Room, RoomPage, Say, SayOutcome};
use hongyan_store::search::{SearchPage, SearchQuery};
use hongyan_store::sessions::{OpenSession, Opened, Resumption};
use hongyan_store::spam::{Audit, HeldMessage, HeldState, HoldOutcome, WordsHead};
use hongyan_store::sqlite::SqliteStore;
use hongyan_store::timeline::{
    Answer, Append, ConversationPage, Delete, Deletion, Direct, HistoryPage, HistoryQuery, InboxPage, MarkRead, Marked,
    Marks, Outcome,
};
use hongyan_store::visitors::{Claim, ClaimOutcome, Visit, Visited};
use hongyan_store::{
    Accounts, Error, Feed, Friends, Groups, Profiles, Result, Rooms, Search, Sessions, Spam, Timeline, Visitors,
};

/// What happens just before a call goes on.
pub type Hook = Box<dyn FnOnce() -> Pending<'static, ()> + Send>;

/// The store.
pub struct ScriptedStore {
    inner: Arc<SqliteStore>,
    calls: AtomicUsize,
    /// Results of the next appends, instead of appending.
    appends: Mutex<VecDeque<Result<Outcome>>>,
    before_open_session: Mutex<Option<Hook>>,
    before_add_friend: Mutex<Option<Hook>>,
    /// Questions about conversations that are still refused as busy.
    failing_reads: AtomicUsize,
    /// What the next text in a room fails with.
    failing_says: Mutex<Option<Error>>,
    /// Where reading of somebody's groups is written down.
    steps: Arc<Steps>,
}

impl ScriptedStore {
    pub fn new(inner: Arc<SqliteStore>, steps: Arc<Steps>) -> Arc<Self> {
        Arc::new(Self {
            inner,
            calls: AtomicUsize::new(0),
            appends: Mutex::default(),
            before_open_session: Mutex::default(),
            before_add_friend: Mutex::default(),
            failing_reads: AtomicUsize::new(0),
            failing_says: Mutex::default(),
            steps,
        })
    }

    /// Calls since the last time this was asked.
    pub fn take_calls(&self) -> usize {
        self.calls.swap(0, Ordering::Relaxed)
    }

    /// The next append calls fail, or answer every item alike, without writing.
    pub fn script_appends(&self, results: impl IntoIterator<Item = Result<Outcome>>) {
        self.appends.lock().unwrap().extend(results);
    }

    /// Runs before the next session is opened.
    pub fn before_open_session(&self, hook: Hook) {
        *self.before_open_session.lock().unwrap() = Some(hook);
    }

    /// Runs before the next friend is added, after that was decided.
    pub fn before_add_friend(&self, hook: Hook) {
        *self.before_add_friend.lock().unwrap() = Some(hook);
    }

    /// The next so many questions about conversations are refused as busy.
    pub fn fail_directs(&self, count: usize) {
        self.failing_reads.store(count, Ordering::Relaxed);
    }

    /// The next text in a room is not stored.
    pub fn fail_says(&self, error: Error) {
        *self.failing_says.lock().unwrap() = Some(error);
    }

    fn count(&self) -> &SqliteStore {
        self.calls.fetch_add(1, Ordering::Relaxed);
        &self.inner
    }
}

macro_rules! passed_on {
    ($($name:ident($($argument:ident: $type:ty),*) -> $result:ty;)*) => {
        $(fn $name(&self, $($argument: $type),*) -> Pending<'_, Result<$result>> {
            self.count().$name($($argument),*)
        })*
    };
}

impl Accounts for ScriptedStore {
    passed_on! {
        create_app(name: Name, settings: AppSettings, now: UnixMillis) -> Option<App>;
        apps() -> Vec<App>;
        app(name: Name) -> Option<App>;
        set_app_settings(app: AppId, settings: AppSettings) -> bool;
        add_key(key: AppKey) -> bool;
        keys(app: AppId) -> Vec<AppKey>;
        revoke_key(app: AppId, key_id: Name, now: UnixMillis) -> bool;
        create_user(app: AppId, name: Name, password_hash: Option<String>, now: UnixMillis) -> Option<User>;
        user(app: AppId, name: Name) -> Option<User>;
        user_names(users: Vec<UserId>) -> Vec<(UserId, Name)>;
        users(app: AppId, after: Option<Name>, limit: u32) -> Vec<User>;
        set_password(user: UserId, password_hash: String) -> bool;
        set_disabled(user: UserId, disabled: bool, now: UnixMillis) -> bool;
        set_takes_visitors(user: UserId, takes_visitors: bool) -> bool;
    }
}

impl Visitors for ScriptedStore {
    passed_on! {
        visit(visit: Visit) -> Visited;
        claim_visitor(claim: Claim) -> ClaimOutcome;
        visitor(user: UserId) -> Option<Visitor>;
    }
}

impl Friends for ScriptedStore {
    passed_on! {
        acquaintance(app: AppId, asker: UserId, other: Name, grouping: u32) -> Option<Acquaintance>;
        change_friend(change: ChangeFriend) -> ChangeOutcome;
        groupings(user: UserId) -> Groupings;
        looked_at(app: AppId, onlooker: UserId, names: Vec<Name>) -> Vec<Looked>;
        set_groupings(app: AppId, session: SessionId, user: UserId, groupings: Groupings) -> Option<u64>;
        lists(user: UserId, lists: u64, details: u64, bytes_max: usize) -> Lists;
    }

    fn add_friend(&self, add: AddFriend) -> Pending<'_, Result<AddOutcome>> {
        let hook = self.before_add_friend.lock().unwrap().take();
        Box::pin(async move {
            if let Some(hook) = hook {
                hook().await;
            }
            self.count().add_friend(add).await
        })
    }
}

impl Profiles for ScriptedStore {
    passed_on! {
        set_profile(app: AppId, session: SessionId, user: UserId, change: ProfileChange) -> u64;
        profiles(app: AppId, names: Vec<Name>) -> Vec<Option<KnownProfile>>;
    }
}

impl Sessions for ScriptedStore {
    fn open_session(&self, login: OpenSession) -> Pending<'_, Result<Option<Opened>>> {
        let hook = self.before_open_session.lock().unwrap().take();
        Box::pin(async move {
            if let Some(hook) = hook {
                hook().await;
            }
            self.count().open_session(login).await
        })
    }

    passed_on! {
        resume(session: SessionId, inbox_cursor: u64, limit: u32) -> Resumption;
        end_session(session: SessionId, reason: EndReason, now: UnixMillis) -> bool;
        end_sessions(user: UserId, reason: EndReason, now: UnixMillis) -> Vec<SessionId>;
        advance_cursors(advances: Vec<CursorAdvance>) -> ();
    }
}

impl Timeline for ScriptedStore {
    fn append(&self, appends: Vec<Append>) -> Pending<'_, Result<Vec<Outcome>>> {
        match self.appends.lock().unwrap().pop_front() {
            Some(result) => Box::pin(async move { result.map(|outcome| vec![outcome; appends.len()]) }),
            None => self.count().append(appends),
        }
    }

    fn direct(&self, app: AppId, sender: UserId, addressee: UserId) -> Pending<'_, Result<Direct>> {
        let left = self.failing_reads.load(Ordering::Relaxed);
        if left > 0 {
            self.failing_reads.store(left - 1, Ordering::Relaxed);
            return Box::pin(async { Err(Error::Busy) });
        }
        self.count().direct(app, sender, addressee)
    }

    passed_on! {
        answered(conversation: ConversationId, sender: UserId, client_id: ClientId) -> Option<(u64, Answer)>;
        set_blocked(app: AppId, session: SessionId, user: UserId, other: UserId, blocked: bool) -> ();
        entry(conversation: ConversationId, seq: u64) -> Option<Entry>;
        inbox(user: UserId, cursor: u64, limit: u32, bytes_max: usize) -> InboxPage;
        history(conversation: ConversationId, reader: UserId, query: HistoryQuery) -> HistoryPage;
        conversations(user: UserId, before: u64, limit: u32) -> ConversationPage;
        position(conversation: ConversationId, reader: UserId, seq: u64) -> Position;
        mark_read(mark: MarkRead) -> Marked;
        delete(delete: Delete) -> ();
        marks(conversation: ConversationId, user: UserId) -> Marks;
    }
}

impl Rooms for ScriptedStore {
    fn say(&self, says: Vec<Say>) -> Pending<'_, Result<Vec<SayOutcome>>> {
        match self.failing_says.lock().unwrap().take() {
            Some(error) => Box::pin(async move { Err(error) }),
            None => self.count().say(says),
        }
    }

    passed_on! {
        create_room(app: AppId, name: Name, now: UnixMillis) -> Option<Room>;
        remove_room(app: AppId, name: Name, now: UnixMillis) -> bool;
        room(app: AppId, name: Name) -> Option<Room>;
        rooms(app: AppId) -> Vec<Room>;
        room_history(room: ConversationId, query: HistoryQuery) -> RoomPage;
    }
}

impl Groups for ScriptedStore {
    passed_on! {
        group_id(app: AppId, name: Name) -> Option<ConversationId>;
        group_name(group: ConversationId) -> Name;
        create_group(create: CreateGroup) -> GroupOutcome;
        change_group(change: ChangeGroup) -> GroupOutcome;
        join_group(join: JoinGroup) -> GroupOutcome;
        append_to_groups(appends: Vec<GroupAppend>) -> Vec<GroupOutcome>;
        group_members(group: ConversationId, reader: UserId, after: Option<UserId>, limit: u32, known: u64)
            -> Option<MembersPage>;
        group_history(group: ConversationId, reader: UserId, query: HistoryQuery) -> Option<HistoryPage>;
        mark_group_read(by: Asker, group: ConversationId, seq: u64) -> Option<Marked>;
        delete_in_group(by: Asker, group: ConversationId, deletion: Deletion) -> bool;
        group_receipts(group: ConversationId, reader: UserId, seq: u64) -> Option<GroupReceipts>;
        group_link(group: ConversationId) -> String;
    }

    fn groups_of(&self, user: UserId, query: GroupsQuery) -> Pending<'_, Result<GroupsPage>> {
        self.steps.add("groups");
        self.count().groups_of(user, query)
    }

    fn stays_of(&self, user: UserId) -> Pending<'_, Result<Vec<(ConversationId, u64)>>> {
        self.steps.add("stays");
        self.count().stays_of(user)
    }
}

impl Search for ScriptedStore {
    passed_on! {
        search(query: SearchQuery) -> SearchPage;
        correspondents(user: UserId, limit: u32) -> Vec<UserId>;
    }
}

impl Spam for ScriptedStore {
    passed_on! {
        set_words(app: AppId, class: Class, text: String, now: UnixMillis) -> Option<WordsHead>;
        word_heads(app: AppId) -> Vec<WordsHead>;
        words(app: AppId) -> (u64, Vec<(Class, String)>);
        audit(audits: Vec<Audit>) -> ();
        audits(app: AppId, before: u64, limit: u32) -> Vec<(u64, Audit)>;
        hold(session: SessionId, message: HeldMessage) -> HoldOutcome;
        held(app: AppId, after: u64, limit: u32) -> Vec<(u64, HeldMessage)>;
        held_message(app: AppId, number: u64) -> Option<HeldMessage>;
        settle_held(app: AppId, number: u64, state: HeldState) -> bool;
    }
}

impl Feed for ScriptedStore {
    passed_on! {
        changes(token: u64, limit: u32) -> Changes;
        inbox_heads(users: Vec<UserId>) -> Vec<(UserId, u64)>;
    }

    fn token(&self) -> u64 {
        self.inner.token()
    }

    fn since(&self, token: u64, user: UserId, session: SessionId) -> Option<Since> {
        self.inner.since(token, user, session)
    }

    fn log_epoch(&self) -> u32 {
        self.inner.log_epoch()
    }
}
