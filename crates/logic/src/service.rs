//! [`Logic`]: what all features share, and the closed list of what gates may ask.

use std::net::IpAddr;
use std::sync::{Arc, Weak};

use bytes::Bytes;
use hongyan_cluster::bus::Bus;
use hongyan_cluster::rooms::RoomLimits;
use hongyan_cluster::service::{LoggedIn, Origin, Reply, Resumed, SendReplies, Service};
use hongyan_domain::change::{Changes, Since};
use hongyan_domain::environment::{Environment, Pending};
use hongyan_domain::id::{AppId, ConversationId, SessionId, UserId};
use hongyan_domain::name::Name;
use hongyan_domain::receipt::CursorAdvance;
use hongyan_domain::refusal::Refusal;
use hongyan_domain::session::{Caller, EndReason};
use hongyan_store::Store;
use hongyan_wire::command::Operation;
use hongyan_wire::list::List;
use hongyan_wire::proto;
use prost::Message;

use crate::answer::{id_of, refused, unavailable};
use crate::cache::Cache;
use crate::directory::Directory;
use crate::directs::Directs;
use crate::hold::Holds;
use crate::login::Means;
use crate::measures::Measures;
use crate::options::LogicOptions;
use crate::passwords::Passwords;
use crate::presence::PRESENCE_RATE;
use crate::rate::Buckets;
use crate::rooms;
use crate::search::SEARCH_RATE;
use crate::spam::Spam;
use crate::typing::{TYPING_RATE, TypingSaid};
use crate::visitor_mark::VisitorKeys;

/// Largest number from a client that is passed on to a store, whose integers are signed.
pub(crate) const STORED_MAX: u64 = i64::MAX as u64;
/// Commits of one page of the change feed.
const CHANGES_COMMITS_MAX: u32 = 1_000;

/// Every command. Shared by all connections; keeps caches only.
pub struct Logic {
    /// Itself, for what it does beside its callers.
    pub(crate) me: Weak<Self>,
    pub(crate) store: Arc<dyn Store>,
    pub(crate) bus: Arc<Bus>,
    pub(crate) environment: Arc<dyn Environment>,
    pub(crate) passwords: Arc<dyn Passwords>,
    pub(crate) measures: Arc<Measures>,
    pub(crate) directory: Directory,
    pub(crate) directs: Directs,
    pub(crate) holds: Holds,
    pub(crate) logins_by_address: Buckets<IpAddr>,
    pub(crate) logins_by_account: Buckets<(AppId, Name, Means)>,
    pub(crate) sign_ups_by_address: Buckets<IpAddr>,
    pub(crate) first_contacts: Buckets<UserId>,
    pub(crate) friend_requests: Buckets<UserId>,
    pub(crate) presence_by_session: Buckets<SessionId>,
    pub(crate) visitor_keys: VisitorKeys,
    pub(crate) visitor_mark_days: u32,
    pub(crate) visitors_by_address: Buckets<IpAddr>,
    pub(crate) visitors_first_contacts: Buckets<UserId>,
    pub(crate) visitors_sends: Buckets<UserId>,
    pub(crate) typing_by_session: Buckets<SessionId>,
    pub(crate) typing_said: Cache<(SessionId, UserId), TypingSaid>,
    pub(crate) room_limits: RoomLimits,
    /// A room's id never changes, so this needs no freshness.
    pub(crate) room_ids: Cache<(AppId, Name), ConversationId>,
    pub(crate) room_entries_by_session: Buckets<SessionId>,
    pub(crate) says_by_session: Buckets<SessionId>,
    pub(crate) says_by_room: Buckets<ConversationId>,
    /// A group's id never changes, so this needs no freshness.
    pub(crate) group_ids: Cache<(AppId, Name), ConversationId>,
    pub(crate) sends_by_group: Buckets<ConversationId>,
    pub(crate) group_sends_by_session: Buckets<SessionId>,
    pub(crate) invitations_by_user: Buckets<UserId>,
    pub(crate) spam: Spam,
    pub(crate) searches_by_user: Buckets<UserId>,
}

impl Logic {
    /// Logic over a store, whose listener is an [`crate::Announcer`] on the same bus.
    pub fn new(
        options: LogicOptions,
        store: Arc<dyn Store>,
        bus: Arc<Bus>,
        environment: Arc<dyn Environment>,
        passwords: Arc<dyn Passwords>,
        measures: Arc<Measures>,
        visitor_keys: VisitorKeys,
    ) -> Arc<Self> {
        let entries_max = options.cached_entries_max;
        Arc::new_cyclic(|me| Self {
            me: me.clone(),
            directory: Directory::new(&options, store.clone(), environment.clone(), measures.clone()),
            directs: Directs::new(store.clone(), entries_max),
            holds: Holds::new(),
            logins_by_address: Buckets::new(options.logins_per_address, entries_max),
            logins_by_account: Buckets::new(options.logins_per_account, entries_max),
            sign_ups_by_address: Buckets::new(options.sign_ups_per_address, entries_max),
            first_contacts: Buckets::new(options.first_contacts_per_user, entries_max),
            friend_requests: Buckets::new(options.friend_requests_per_user, entries_max),
            presence_by_session: Buckets::new(PRESENCE_RATE, entries_max),
            visitor_keys,
            visitor_mark_days: options.visitor_mark_days,
            visitors_by_address: Buckets::new(options.visitors_per_address, entries_max),
            visitors_first_contacts: Buckets::new(options.first_contacts_per_visitor, entries_max),
            visitors_sends: Buckets::new(options.sends_per_visitor, entries_max),
            typing_by_session: Buckets::new(TYPING_RATE, entries_max),
            typing_said: Cache::new(entries_max),
            room_limits: rooms::limits(&options),
            room_ids: Cache::new(entries_max),
            room_entries_by_session: Buckets::new(options.room_entries_per_session, entries_max),
            says_by_session: Buckets::new(options.room_sends_per_session, entries_max),
            says_by_room: Buckets::new(options.sends_per_room, entries_max),
            group_ids: Cache::new(entries_max),
            sends_by_group: Buckets::new(options.sends_per_group, entries_max),
            group_sends_by_session: Buckets::new(options.group_sends_per_session, entries_max),
            invitations_by_user: Buckets::new(options.invitations_per_user, entries_max),
            spam: Spam::new(entries_max),
            searches_by_user: Buckets::new(SEARCH_RATE, entries_max),
            store,
            bus,
            environment,
            passwords,
            measures,
        })
    }

    async fn dispatch(&self, caller: &Caller, operation: Operation, body: Bytes) -> Result<Reply, Refusal> {
        match operation {
            Operation::Sync => self.sync(caller, decoded(body)?).await,
            Operation::Conversations => self.conversations(caller, decoded(body)?).await,
            Operation::History => self.history(caller, decoded(body)?).await,
            Operation::Receipts => self.receipts(caller, counted(List::Users, body)?).await,
            Operation::MarkRead => self.mark_read(caller, decoded(body)?).await,
            Operation::Recall => self.recall(caller, body).await,
            Operation::Edit => self.edit(caller, body).await,
            Operation::React => self.react(caller, body).await,
            Operation::Delete => self.delete(caller, counted(List::Seqs, body)?).await,
            Operation::Block => self.block(caller, decoded(body)?).await,
            Operation::ClaimVisitor => self.claim_visitor(caller, decoded(body)?).await,
            Operation::Typing => self.typing(caller, decoded(body)?).await,
            Operation::EnterRoom => self.enter_room(caller, decoded(body)?).await,
            Operation::LeaveRoom => self.leave_room(caller, decoded(body)?).await,
            Operation::CreateGroup => self.create_group(caller, body).await,
            Operation::ChangeGroup => self.change_group(caller, body).await,
            Operation::JoinGroup => self.join_group(caller, body).await,
            Operation::Groups => self.groups(caller, decoded(body)?).await,
            Operation::GroupMembers => self.group_members(caller, decoded(body)?).await,
            Operation::GroupAck => self.group_ack(caller, counted(List::Cursors, body)?).await,
            Operation::GroupReceipts => self.group_receipts(caller, decoded(body)?).await,
            Operation::AddFriend => self.add_friend(caller, decoded(body)?).await,
            Operation::DecideFriend => self.decide_friend(caller, decoded(body)?).await,
            Operation::RemoveFriend => self.remove_friend(caller, decoded(body)?).await,
            Operation::NoteFriend => self.note_friend(caller, decoded(body)?).await,
            Operation::SetGroupings => self.set_groupings(caller, counted(List::Groupings, body)?).await,
            Operation::SetProfile => self.set_profile(caller, decoded(body)?).await,
            Operation::Profiles => self.profiles(caller, counted(List::ProfileWishes, body)?).await,
            Operation::Lists => self.lists(caller, decoded(body)?).await,
            Operation::Watch => self.watch(caller, counted(List::Watches, body)?).await,
            Operation::SetPresence => self.set_presence(caller, decoded(body)?).await,
            Operation::GetPresence => self.get_presence(caller, counted(List::Onlooked, body)?).await,
            Operation::Search => self.search(caller, decoded(body)?).await,
            // The gate's own, the batched one, and notifications.
            Operation::Handshake
            | Operation::Resume
            | Operation::Login
            | Operation::Logout
            | Operation::Keepalive
            | Operation::Goaway
            | Operation::Rekey
            | Operation::Kickout
            | Operation::Close
            | Operation::Send
            | Operation::Message
            | Operation::Ack
            | Operation::Receipt
            | Operation::Hint
            | Operation::Room
            | Operation::Group
            | Operation::Presence => Err(Refusal::UnknownCommand),
        }
    }
}

/// A request's body, by the type that its operation has.
pub(crate) fn decoded<R: Message + Default>(body: Bytes) -> Result<R, Refusal> {
    R::decode(body).map_err(|_| Refusal::Malformed)
}

/// As [`decoded`], of a request with a list.
pub(crate) fn counted<R: Message + Default>(list: List, body: Bytes) -> Result<R, Refusal> {
    if list.items(&body).ok_or(Refusal::Malformed)? > list.items_max() {
        return Err(Refusal::InvalidArgument(list.name()));
    }
    decoded(body)
}

impl Service for Logic {
    fn login(&self, request: proto::LoginRequest, from: Origin) -> Pending<'_, Result<LoggedIn, Refusal>> {
        Box::pin(self.log_in(request, from))
    }

    fn resume(&self, session: SessionId, offer: proto::ResumeOffer) -> Pending<'_, Result<Resumed, Refusal>> {
        Box::pin(self.resume_session(session, offer))
    }

    fn request(&self, caller: Arc<Caller>, operation: Operation, body: Bytes) -> Pending<'_, Reply> {
        Box::pin(async move {
            let reply = self.dispatch(&caller, operation, body.clone()).await;
            reply.unwrap_or_else(|refusal| {
                self.measures.requests_refused.add(1);
                refused(id_of(body), &refusal)
            })
        })
    }

    fn send(&self, caller: Arc<Caller>, bodies: Vec<Bytes>) -> Pending<'_, Result<SendReplies, Refusal>> {
        Box::pin(async move { Ok(self.send_batch(&caller, bodies).await) })
    }

    fn end(&self, session: SessionId, reason: EndReason) -> Pending<'_, Result<(), Refusal>> {
        Box::pin(async move {
            let now = self.environment.wall_clock();
            self.store.end_session(session, reason, now).await.map_err(unavailable)?;
            Ok(())
        })
    }

    fn advance(&self, advances: Vec<CursorAdvance>) -> Pending<'_, Result<(), Refusal>> {
        Box::pin(async move { self.store.advance_cursors(advances).await.map_err(unavailable) })
    }

    fn changes(&self, token: u64) -> Pending<'_, Result<Changes, Refusal>> {
        Box::pin(async move { self.store.changes(token, CHANGES_COMMITS_MAX).await.map_err(unavailable) })
    }

    fn since(&self, caller: &Caller, token: u64) -> Option<Since> {
        self.store.since(token, caller.user, caller.session)
    }

    fn inbox_head(&self, caller: Arc<Caller>) -> Pending<'_, Result<(u64, u32), Refusal>> {
        Box::pin(async move {
            let now = self.store.resume(caller.session, STORED_MAX, 0).await.map_err(unavailable)?;
            match now.session {
                Some(Ok(_)) => Ok((now.page.head, now.page.log_epoch)),
                Some(Err(EndReason::SameTermLogin)) => Err(Refusal::Kicked),
                Some(Err(EndReason::Revoked | EndReason::LoggedOut)) | None => Err(Refusal::Revoked),
            }
        })
    }
}
