//! Entries that members write: messages, and what happens to them.

use std::sync::Arc;

use hongyan_domain::group::{Altering, decide_alteration, decide_send};
use hongyan_domain::message::{Draft, Entry};
use hongyan_domain::refusal::Refusal;
use hongyan_store::Result;
use hongyan_store::feed::CommittedWhat;
use hongyan_store::groups::{GroupAppend, GroupOutcome};
use hongyan_store::timeline::{Answer, What};

use super::super::conversation::Row;
use super::super::state::{Batch, Reference, State};
use super::{earlier, marks, refer, tell_entry};

/// Appends the entries of one call, in order.
pub(super) fn append_all(batch: &mut Batch<'_>, appends: &[GroupAppend]) -> Result<Vec<GroupOutcome>> {
    // A call fails as a whole, so what can fail comes first.
    for append in appends {
        batch.state.group(append.group)?;
        batch.state.person(append.by.user)?;
    }
    appends.iter().map(|append| append_one(batch, append)).collect()
}

fn append_one(batch: &mut Batch<'_>, append: &GroupAppend) -> Result<GroupOutcome> {
    let log = batch.state.group(append.group)?;
    if let Some(outcome) = earlier(&log.keys, &append.by) {
        return Ok(outcome);
    }
    if !batch.state.may_write(append.by.session) {
        return Ok(GroupOutcome::SessionEnded);
    }
    if let Err(refusal) = decide(batch.state, append)? {
        return Ok(GroupOutcome::Refused(refusal));
    }
    write(batch, append).map(GroupOutcome::Done)
}

fn decide(state: &State, append: &GroupAppend) -> Result<std::result::Result<(), Refusal>> {
    let (by, log) = (&append.by, state.group(append.group)?);
    let actor = log.member(by.user);
    let (target, alteration) = match &append.what {
        What::Message(draft) => {
            let mentions_all = draft.mentions.as_ref().is_some_and(|mentions| mentions.all);
            return Ok(decide_send(&log.facts, actor, mentions_all, by.now));
        }
        What::Alter { target, alteration } => (*target, alteration),
    };
    let Some(row) = log.row(target).filter(|_| log.may_see(by.user, target)) else {
        return Ok(Err(Refusal::NotFound));
    };
    let (target, author) = (&*row.entry, log.member(row.entry.sender));
    let (settings, now) = (&*append.settings, by.now);
    let altering = Altering { user: by.user, actor, alteration, target, author, now, settings };
    Ok(decide_alteration(&log.facts, &altering))
}

fn write(batch: &mut Batch<'_>, append: &GroupAppend) -> Result<Answer> {
    let (by, group) = (&append.by, append.group);
    marks::move_mark(batch, by, group, append.seen_seq)?;
    let log = batch.group_mut(group)?;
    log.head_seq += 1;
    log.message_count += u64::from(matches!(&append.what, What::Message(draft) if !draft.uncounted));
    let answer = Answer { seq: log.head_seq, message_count: log.message_count, inbox_seq: 0, time: by.now };
    log.keys.insert((by.user, by.client_id), (by.digest, answer));
    let mut entry = Entry::new(answer.seq, by.user, by.client_id, by.now, Draft::default());
    entry.message_count = answer.message_count;
    let mut target = None;
    match &append.what {
        What::Message(draft) => entry.draft = mention(batch, append, draft, answer.seq)?,
        What::Alter { target: seq, alteration } => {
            entry.change_of = *seq;
            let at = log.rows.partition_point(|row| row.seq() < *seq);
            target = log.rows.get_mut(at).map(|row| row.alter(alteration, answer.seq, by.user));
        }
    }
    let entry = Arc::new(entry);
    batch.group_mut(group)?.rows.push(Row::new(Arc::clone(&entry), 0));
    tell_entry(batch, group, entry, target)?;
    Ok(answer)
}

/// Tells those who are mentioned; the message as it is stored mentions only members.
fn mention(batch: &mut Batch<'_>, append: &GroupAppend, draft: &Draft, seq: u64) -> Result<Draft> {
    let mut draft = draft.clone();
    let Some(mentions) = &mut draft.mentions else { return Ok(draft) };
    let log = batch.group_mut(append.group)?;
    if mentions.all {
        log.mention_all_seq = seq;
    }
    let mut users = Vec::new();
    for user in mentions.users() {
        if log.members.contains_key(&user) && !users.contains(&user.0) {
            users.push(user.0);
        }
    }
    mentions.users = users;
    for user in mentions.users().filter(|user| *user != append.by.user) {
        if let Some(row) = batch.group_mut(append.group)?.members.get_mut(&user) {
            row.mentioned_seq = seq;
        }
        let what = CommittedWhat::Mentioned { seq };
        refer(batch, &append.by, user, append.group, Reference::Mentioned(seq), what)?;
    }
    Ok(draft)
}
