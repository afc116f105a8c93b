//! Entries that members write: messages, and what happens to them. Decided under the writer's lock, like every change of a
//! group.

use std::sync::Arc;

use hongyan_domain::group::{Altering, decide_alteration, decide_send};
use hongyan_domain::id::{ConversationId, UserId};
use hongyan_domain::message::{Draft, Entry};
use hongyan_domain::refusal::Refusal;
use hongyan_fault::kill_point;

use super::super::append::insert_key;
use super::super::batch::{Batch, Reference};
use super::super::fault::{Fault, Result};
use super::super::message;
use super::request::{earlier, key, refer, tell_entry};
use super::{marks, view};
use crate::feed::CommittedWhat;
use crate::groups::{GroupAppend, GroupOutcome};
use crate::timeline::{Answer, What};

/// Appends the entries of one call, in order.
pub(super) fn append_all(batch: &mut Batch<'_>, appends: &[GroupAppend]) -> Result<Vec<GroupOutcome>> {
    appends.iter().map(|append| append_one(batch, append)).collect()
}

fn append_one(batch: &mut Batch<'_>, append: &GroupAppend) -> Result<GroupOutcome> {
    let (by, group) = (&append.by, append.group);
    if let Some(refused) = refusal(batch, append)? {
        // Who got in gets the same answer again, whatever their rights are now.
        return Ok(earlier(batch.connection, group, by)?.unwrap_or(refused));
    }
    let counted = matches!(&append.what, What::Message(draft) if !draft.uncounted);
    let head = batch.group(group)?;
    let message_count = head.message_count + u64::from(counted);
    let answer = Answer { seq: head.head_seq + 1, message_count, inbox_seq: 0, time: by.now };
    if !insert_key(batch.statements.insert_key.get()?, &key(group, by), &answer)? {
        return Ok(earlier(batch.connection, group, by)?.unwrap_or(GroupOutcome::Conflict));
    }
    kill_point!("K3");
    write(batch, append, &answer, counted)?;
    Ok(GroupOutcome::Done(answer))
}

fn refusal(batch: &mut Batch<'_>, append: &GroupAppend) -> Result<Option<GroupOutcome>> {
    let (by, group) = (&append.by, append.group);
    if !batch.is_alive(by.session)? {
        return Ok(Some(GroupOutcome::SessionEnded));
    }
    let actor = batch.member(group, by.user)?.map(|row| row.member);
    let decided = match &append.what {
        What::Message(draft) => {
            let mentions_all = draft.mentions.as_ref().is_some_and(|mentions| mentions.all);
            decide_send(&batch.group(group)?.facts, actor, mentions_all, by.now)
        }
        What::Alter { target, alteration } => match target_of(batch, group, by.user, *target)? {
            None => Err(Refusal::NotFound),
            Some(target) => {
                let author = batch.member(group, target.sender)?.map(|row| row.member);
                let (settings, now) = (&*append.settings, by.now);
                let altering = Altering { user: by.user, actor, alteration, target: &target, author, now, settings };
                decide_alteration(&batch.group(group)?.facts, &altering)
            }
        },
    };
    Ok(decided.err().map(GroupOutcome::Refused))
}

/// The message that is to be altered, if its reader may see it.
fn target_of(batch: &Batch<'_>, group: ConversationId, user: UserId, seq: u64) -> Result<Option<Entry>> {
    if !view::may_see(batch.connection, group, user, seq)? {
        return Ok(None);
    }
    message::load(batch.connection, group, seq)
}

fn write(batch: &mut Batch<'_>, append: &GroupAppend, answer: &Answer, counted: bool) -> Result<()> {
    let (by, group, seq) = (&append.by, append.group, answer.seq);
    marks::move_mark(batch, by, group, append.seen_seq)?;
    let head = batch.group_log_mut(group)?;
    (head.head_seq, head.message_count) = (seq, answer.message_count);
    let own_count = if counted { count_own(batch, group, by.user, seq)? } else { 0 };
    let (change_of, draft) = match &append.what {
        What::Message(draft) => (0, mention(batch, append, draft, seq)?),
        What::Alter { target, alteration } => {
            message::alter(batch.connection, group, *target, alteration, seq, by.user)?;
            (*target, Draft::default())
        }
    };
    let mut entry = Entry::new(seq, by.user, by.client_id, by.now, draft);
    (entry.message_count, entry.change_of) = (answer.message_count, change_of);
    message::insert(batch.statements.insert_message.get()?, group, own_count, &entry)?;
    let target = match change_of {
        0 => None,
        seq => Some(Arc::new(message::load(batch.connection, group, seq)?.ok_or_else(message::missing)?)),
    };
    tell_entry(batch, by, group, Arc::new(entry), target)
}

/// Counts a message of its sender's own.
fn count_own(batch: &mut Batch<'_>, group: ConversationId, user: UserId, seq: u64) -> Result<u64> {
    let mut row = batch.member(group, user)?.cloned().ok_or(Fault::Row("a sender who is no member"))?;
    row.own_count += 1;
    let own_count = row.own_count;
    batch.set_member(group, user, Some(row))?;
    let mut statement =
        batch.connection.prepare_cached("INSERT INTO group_own (grp, user, seq, own_count) VALUES (?1, ?2, ?3, ?4)")?;
    statement.execute((group.0, user.0, seq, own_count))?;
    Ok(own_count)
}

/// Tells those who are mentioned; the message as it is stored mentions only members.
fn mention(batch: &mut Batch<'_>, append: &GroupAppend, draft: &Draft, seq: u64) -> Result<Draft> {
    let mut draft = draft.clone();
    let Some(mentions) = &mut draft.mentions else { return Ok(draft) };
    let group = append.group;
    if mentions.all {
        batch.group_log_mut(group)?.mention_all_seq = seq;
    }
    let mut members = Vec::new();
    for user in mentions.users() {
        if batch.member(group, user)?.is_some() && !members.contains(&user.0) {
            members.push(user.0);
        }
    }
    mentions.users = members;
    let name = batch.group(group)?.name.clone();
    for user in mentions.users().filter(|user| *user != append.by.user) {
        let mut row = batch.member(group, user)?.cloned().unwrap_or_default();
        row.mentioned_seq = seq;
        batch.set_member(group, user, Some(row))?;
        let reference = Reference::Mentioned(seq);
        refer(batch, &append.by, user, (group, &name), &reference, CommittedWhat::Mentioned { seq })?;
    }
    Ok(draft)
}
