//! What is read of groups: GROUPS, GROUP_MEMBERS, GROUP_RECEIPTS, HISTORY of a group; and what a member does to their own
//! view: MARK_READ, DELETE, GROUP_ACK, TYPING.

use hongyan_cluster::bus::Delivery;
use hongyan_cluster::service::Reply;
use hongyan_domain::group::{Policies, Role};
use hongyan_domain::id::{ClientId, UserId};
use hongyan_domain::message::Entry;
use hongyan_domain::name::Name;
use hongyan_domain::refusal::Refusal;
use hongyan_domain::session::Caller;
use hongyan_store::groups::{GroupLine, GroupsQuery, Names};
use hongyan_store::timeline::{Deletion, Marked};
use hongyan_wire::command::Operation;
use hongyan_wire::{limits, proto};
use prost::Message;

use crate::answer::{BUSY_RETRY_MS, plain, unavailable};
use crate::group_entry::entry_for;
use crate::history::{self, Ends};
use crate::page::{LIST_ITEM_BYTES, PAGE_ENTRY_BYTES_MAX};
use crate::service::{Logic, STORED_MAX};

/// Members of one page.
const MEMBERS_PAGE_MAX: u32 = 200;
/// Times that a membership is read which changes meanwhile, before the request is put off.
const READINGS_MAX: usize = 4;

impl Logic {
    pub(crate) async fn groups(&self, caller: &Caller, request: proto::GroupsRequest) -> Result<Reply, Refusal> {
        let only = match &*request.group {
            "" => None,
            name => Some(self.group_named(caller.app, name).await?),
        };
        let after = match &*request.after {
            "" => None,
            name => Some(self.group_named(caller.app, name).await?),
        };
        if only.is_none() && after.is_none() {
            self.follow_groups(caller).await?;
        }
        let limit = request.limit.clamp(1, limits::HISTORY_ENTRIES_MAX);
        let query = GroupsQuery { since: request.since.min(STORED_MAX), after, only, limit };
        let page = self.store.groups_of(caller.user, query).await.map_err(unavailable)?;
        if only.is_some() && page.groups.is_empty() {
            return Err(Refusal::NotFound);
        }
        let names = self.directory.names(page.groups.iter().flat_map(users)).await?;
        let mut answer =
            proto::GroupsAnswer { id: request.id, more: page.more, token: page.token, ..Default::default() };
        let mut bytes = 0;
        for line in &page.groups {
            let group = shown(caller.user, line, &names)?;
            bytes += group.encoded_len() + LIST_ITEM_BYTES;
            if bytes > PAGE_ENTRY_BYTES_MAX && !answer.groups.is_empty() {
                answer.more = true;
                break;
            }
            answer.groups.push(group);
        }
        Ok(plain(&answer))
    }

    /// What happens in the caller's groups reaches this connection from now on; what is read after that tells the rest.
    async fn follow_groups(&self, caller: &Caller) -> Result<(), Refusal> {
        for _ in 0..READINGS_MAX {
            if !self.bus.begin_following(caller.session) {
                return Ok(());
            }
            let stays = self.store.stays_of(caller.user).await.map_err(unavailable)?;
            if self.bus.follow(caller.session, &stays) {
                return Ok(());
            }
        }
        Err(Refusal::TryLater { retry_after_ms: BUSY_RETRY_MS })
    }

    pub(crate) async fn group_members(
        &self,
        caller: &Caller,
        request: proto::GroupMembersRequest,
    ) -> Result<Reply, Refusal> {
        let group = self.group_named(caller.app, &request.group).await?;
        let after = match &*request.after {
            "" => None,
            name => Some(self.directory.other(caller.app, name).await?.0.id),
        };
        let (limit, known) = (request.limit.clamp(1, MEMBERS_PAGE_MAX), request.member_list_version);
        let page = self.store.group_members(group, caller.user, after, limit, known).await.map_err(unavailable)?;
        let page = page.ok_or(Refusal::NotFound)?;
        let names = self.directory.names(page.members.iter().map(|line| line.user)).await?;
        let members = page.members.iter().map(|line| {
            Ok(proto::GroupMember {
                user: named(&names, line.user)?,
                role: role(line.member.role).into(),
                nickname: line.nickname.clone(),
                joined_ms: line.joined.0,
                muted_until_ms: line.member.muted_until.0,
            })
        });
        Ok(plain(&proto::GroupMembersAnswer {
            id: request.id,
            refusal: None,
            members: members.collect::<Result<_, Refusal>>()?,
            more: page.more,
            member_list_version: page.version,
            unchanged: known == page.version,
        }))
    }

    pub(crate) async fn group_receipts(
        &self,
        caller: &Caller,
        request: proto::GroupReceiptsRequest,
    ) -> Result<Reply, Refusal> {
        let group = self.group_named(caller.app, &request.group).await?;
        let seq = request.seq.min(STORED_MAX);
        let receipts = self.store.group_receipts(group, caller.user, seq).await.map_err(unavailable)?;
        let receipts = receipts.ok_or(Refusal::NotFound)?;
        let names = self.directory.names(receipts.readers.iter().copied()).await?;
        let readers = receipts.readers.iter().map(|reader| named(&names, *reader));
        Ok(plain(&proto::GroupReceiptsAnswer {
            id: request.id,
            refusal: None,
            members: receipts.members,
            delivered: receipts.delivered,
            read: receipts.read,
            readers: readers.collect::<Result<_, Refusal>>()?,
        }))
    }

    pub(crate) async fn group_history(
        &self,
        caller: &Caller,
        request: proto::HistoryRequest,
    ) -> Result<Reply, Refusal> {
        for (field, given) in [("user", &request.user), ("as_visitor", &request.as_visitor)] {
            if !given.is_empty() {
                return Err(Refusal::InvalidArgument(field));
            }
        }
        let query = history::query(&request)?;
        let group = self.group_named(caller.app, &request.group).await?;
        let page = self.store.group_history(group, caller.user, query).await.map_err(unavailable)?;
        let page = page.ok_or(Refusal::NotFound)?;
        let names = self.directory.names(page.entries.iter().flat_map(Entry::named)).await?;
        let rows = page.entries.iter().map(|row| entry_for(caller.user, row, &names));
        let rows: Vec<proto::Entry> = rows.collect::<Result<_, Refusal>>()?;
        let ends = Ends { covered: page.covered, head_seq: page.head_seq, low_seq: page.low_seq };
        let answer = history::answer(&request, ends, rows.into_iter());
        Ok(plain(&proto::HistoryAnswer { id: request.id, ..answer }))
    }

    pub(crate) async fn mark_group_read(
        &self,
        caller: &Caller,
        request: proto::MarkReadRequest,
    ) -> Result<Reply, Refusal> {
        let group = self.group_named(caller.app, &request.group).await?;
        let by = self.asker(caller, ClientId([0; 16]), 0);
        let marked = self.store.mark_group_read(by, group, request.seq.min(STORED_MAX)).await.map_err(unavailable)?;
        let Marked { read_seq, unread, head_seq, inbox_head, .. } = marked.ok_or(Refusal::NotFound)?;
        let answer = proto::MarkReadAnswer { id: request.id, refusal: None, read_seq, unread, head_seq, inbox_head };
        Ok(plain(&answer))
    }

    pub(crate) async fn delete_in_group(
        &self,
        caller: &Caller,
        request: proto::DeleteRequest,
    ) -> Result<Reply, Refusal> {
        let group = self.group_named(caller.app, &request.group).await?;
        let wanted = request.deletion.unwrap_or_default();
        let mut seqs: Vec<u64> = wanted.seqs.into_iter().filter(|seq| *seq <= STORED_MAX).collect();
        seqs.sort_unstable();
        seqs.dedup();
        let deletion = Deletion { up_to_seq: wanted.up_to_seq.min(STORED_MAX), seqs };
        let by = self.asker(caller, ClientId([0; 16]), 0);
        let found = self.store.delete_in_group(by, group, deletion).await.map_err(unavailable)?;
        if !found {
            return Err(Refusal::NotFound);
        }
        Ok(plain(&proto::DeleteAnswer { id: request.id, refusal: None }))
    }

    /// What a device says it has of groups that its connection does not follow is not believed.
    pub(crate) async fn group_ack(&self, caller: &Caller, request: proto::GroupAckRequest) -> Result<Reply, Refusal> {
        let mut delivered = Vec::with_capacity(request.cursors.len());
        for cursor in &request.cursors {
            let group = self.group_named(caller.app, &cursor.group).await?;
            if self.bus.follows(caller.session, group) {
                delivered.push((group, cursor.seq.min(STORED_MAX)));
            }
        }
        Ok(Reply { delivered, ..plain(&proto::GroupAckAnswer { id: request.id, refusal: None }) })
    }

    /// Told to nobody in particular, and only where it is worth a packet to everybody.
    pub(crate) async fn typing_in_group(
        &self,
        caller: &Caller,
        request: proto::TypingRequest,
    ) -> Result<Reply, Refusal> {
        let group = self.group_named(caller.app, &request.group).await;
        if let Ok(group) = group
            && self.bus.follows(caller.session, group)
            && self.typing_by_session.take(caller.session, self.environment.monotonic_ms()).is_ok()
        {
            let notify =
                proto::TypingNotify { user: caller.name.to_string(), stopped: request.stopped, group: request.group };
            let body = notify.encode_to_vec().into();
            let delivery = Delivery { operation: Operation::Typing, body, reference: None };
            self.bus.whisper(group, caller.session, &delivery);
        }
        Ok(plain(&proto::TypingAnswer { id: request.id, refusal: None }))
    }
}

/// Everybody whom a line names.
fn users(line: &GroupLine) -> impl Iterator<Item = UserId> {
    let asking = line.asking.iter().map(|asking| asking.user);
    std::iter::once(line.owner).chain(asking).chain(line.last.iter().flat_map(Entry::named))
}

fn named(names: &Names, user: UserId) -> Result<String, Refusal> {
    names.get(&user).map(Name::to_string).ok_or(Refusal::Internal)
}

fn role(role: Role) -> proto::GroupRole {
    match role {
        Role::Member => proto::GroupRole::Member,
        Role::Admin => proto::GroupRole::Admin,
        Role::Owner => proto::GroupRole::Owner,
    }
}

fn shown(reader: UserId, line: &GroupLine, names: &Names) -> Result<proto::Group, Refusal> {
    let Policies { join, history, members_invite } = line.policies;
    let member = line.member.unwrap_or_default();
    let asking = line.asking.iter().map(|asking| {
        let user = named(names, asking.user)?;
        Ok(proto::GroupAsking { user, text: asking.text.clone(), time_ms: asking.time.0 })
    });
    let profile = line.profile.clone();
    Ok(proto::Group {
        group: line.name.to_string(),
        profile: Some(proto::GroupProfile { title: profile.title, intro: profile.intro, avatar: profile.avatar }),
        announcement: line.announcement.clone(),
        profile_version: line.profile_version,
        owner: named(names, line.owner)?,
        join: join as i32,
        history: history as i32,
        members_invite,
        muted_all: line.muted_all,
        pinned: line.pinned.clone(),
        member_count: line.member_count,
        member_list_version: line.member_list_version,
        head_seq: line.head_seq,
        low_seq: line.low_seq,
        read_seq: line.read_seq,
        unread: line.unread,
        mention_seq: line.mention_seq,
        last: line.last.as_ref().map(|last| entry_for(reader, last, names)).transpose()?,
        role: role(member.role).into(),
        nickname: line.nickname.clone(),
        muted_until_ms: member.muted_until.0,
        left: line.member.is_none(),
        dissolved: line.dissolved,
        asking: asking.collect::<Result<_, Refusal>>()?,
    })
}
