//! What is read of groups: a user's list of them, members, logs, receipts.

use std::ops::Bound;

use hongyan_domain::group::{READERS_MEMBERS_MAX, Role};
use hongyan_domain::id::{ConversationId, UserId};
use hongyan_domain::message::Entry;
use hongyan_store::Result;
use hongyan_store::groups::{Asking, GroupLine, GroupReceipts, GroupsPage, GroupsQuery, MemberLine, MembersPage};
use hongyan_store::timeline::{HistoryPage, HistoryQuery};

use super::super::history;
use super::super::state::State;
use super::{GroupLog, View};

/// Rows from the head downwards among which the newest visible entry is looked for.
const LAST_SCANNED_MAX: usize = 200;

/// A page of a user's groups.
pub(super) fn groups_of(state: &State, user: UserId, query: &GroupsQuery) -> Result<GroupsPage> {
    let token = state.feed.newest();
    let mut page = GroupsPage { groups: Vec::new(), more: false, token };
    let since = if query.since > token { 0 } else { query.since };
    let after = query.after.map_or(Bound::Unbounded, Bound::Excluded);
    for (id, log) in state.groups.range((after, Bound::Unbounded)) {
        let changed = log.change_no.max(log.marks_no.get(&user).copied().unwrap_or(0));
        let wanted = query.only.is_none_or(|only| only == *id) && (since == 0 || changed > since);
        let Some(view) = View::of(state, *id, user)?.filter(|_| wanted) else { continue };
        if page.groups.len() >= query.limit as usize {
            page.more = true;
            break;
        }
        page.groups.push(line(&view, *id));
    }
    Ok(page)
}

fn line(view: &View<'_>, group: ConversationId) -> GroupLine {
    let log = view.log;
    let row = log.members.get(&view.user);
    let keeps_order = row.is_some_and(|row| row.member.role >= Role::Admin);
    GroupLine {
        group,
        name: log.name.clone(),
        profile: log.profile.clone(),
        announcement: log.announcement.clone(),
        profile_version: log.profile_version,
        owner: log.owner,
        policies: log.facts.policies,
        muted_all: log.facts.muted_all,
        pinned: log.facts.pinned.clone(),
        member_count: log.facts.member_count,
        member_list_version: log.member_list_version,
        head_seq: view.head_seq,
        low_seq: view.low_seq,
        read_seq: view.mine.read.seq,
        unread: view.unread(),
        mention_seq: mention(view, row.map_or(0, |row| row.mentioned_seq)),
        last: last(view),
        member: row.map(|row| row.member),
        nickname: row.map(|row| row.nickname.clone()).unwrap_or_default(),
        dissolved: log.facts.dissolved,
        asking: if keeps_order { asking(log) } else { Vec::new() },
    }
}

/// The newest message above the read mark by which somebody else speaks to them.
fn mention(view: &View<'_>, mentioned_seq: u64) -> u64 {
    let speaks = |seq: &u64| {
        let row = view.log.row(*seq);
        let speaks = row.is_some_and(|row| !row.entry.recalled && row.entry.sender != view.user);
        speaks && *seq > view.mine.read.seq && *seq <= view.head_seq && view.sees(*seq) && view.mine.shows(*seq)
    };
    [mentioned_seq, view.log.mention_all_seq].into_iter().filter(speaks).max().unwrap_or(0)
}

/// The newest entry that the reader may see and has not hidden; what announces a change is none.
fn last(view: &View<'_>) -> Option<Entry> {
    let newest = view.log.rows(view.low_seq, view.head_seq).iter().rev().take(LAST_SCANNED_MAX);
    let mut shown = newest.filter(|row| row.entry.change_of == 0 && view.sees(row.seq()) && view.mine.shows(row.seq()));
    shown.next().map(|row| (*row.entry).clone())
}

fn asking(log: &GroupLog) -> Vec<Asking> {
    let asking =
        |(user, (text, time)): (&UserId, &(String, _))| Asking { user: *user, text: text.clone(), time: *time };
    let mut all: Vec<_> = log.asking.iter().map(asking).collect();
    all.sort_by_key(|asking| (asking.time, asking.user));
    all
}

/// The groups that a user is in, and from which entry on they see each.
pub(super) fn stays_of(state: &State, user: UserId) -> Vec<(ConversationId, u64)> {
    let stay = |(id, log): (&ConversationId, &GroupLog)| {
        let stay = log.stays.get(&user)?.last()?;
        stay.to.is_none().then_some((*id, stay.from))
    };
    state.groups.iter().filter_map(stay).collect()
}

/// A page of the members.
pub(super) fn members(
    log: &GroupLog,
    reader: UserId,
    after: Option<UserId>,
    limit: u32,
    known: u64,
) -> Option<MembersPage> {
    log.member(reader)?;
    let mut page = MembersPage { members: Vec::new(), more: false, version: log.member_list_version };
    if known == page.version {
        return Some(page);
    }
    let after = after.map_or(Bound::Unbounded, Bound::Excluded);
    let mut rest = log.members.range((after, Bound::Unbounded)).map(|(user, row)| MemberLine {
        user: *user,
        member: row.member,
        nickname: row.nickname.clone(),
        joined: row.joined,
    });
    page.members = rest.by_ref().take(limit as usize).collect();
    page.more = rest.next().is_some();
    Some(page)
}

/// A page of the log; what lies outside of the reader's stays is gone for them.
pub(super) fn history(
    state: &State,
    group: ConversationId,
    reader: UserId,
    query: &HistoryQuery,
) -> Result<Option<HistoryPage>> {
    let Some(view) = View::of(state, group, reader)? else { return Ok(None) };
    let page = HistoryPage { head_seq: view.head_seq, low_seq: view.low_seq, ..HistoryPage::default() };
    let rows = |from, to| view.log.rows(from, to);
    Ok(Some(history::fill(page, query, rows, |seq| view.sees(seq) && view.mine.shows(seq))))
}

/// Who has a message.
pub(super) fn receipts(
    state: &State,
    group: ConversationId,
    reader: UserId,
    seq: u64,
) -> Result<Option<GroupReceipts>> {
    let log = state.group(group)?;
    let view = View::of(state, group, reader)?.filter(|view| log.member(reader).is_some() && view.sees(seq));
    let (Some(_), Some(row)) = (view, log.row(seq)) else { return Ok(None) };
    let mut receipts = GroupReceipts::default();
    for (member, stays) in &log.stays {
        let here = stays.last().is_some_and(|stay| stay.to.is_none() && stay.from <= seq);
        if !here || *member == row.entry.sender {
            continue;
        }
        let place = state.place(*member, group);
        let (delivered, read) = place.map_or((0, 0), |place| (place.delivered_seq, place.read.seq));
        receipts.members += 1;
        receipts.delivered += u32::from(delivered.max(read) >= seq);
        if read >= seq {
            receipts.read += 1;
            if log.facts.member_count <= READERS_MEMBERS_MAX {
                receipts.readers.push(*member);
            }
        }
    }
    Ok(Some(receipts))
}
