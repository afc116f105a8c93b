//! What all requests to a group have in common: who asks is looked at, a repeat gets the answer of the first time, and
//! what happens is told.

use std::sync::Arc;

use hongyan_domain::group::{Event, NO_CLIENT_ID};
use hongyan_domain::id::{ConversationId, UserId};
use hongyan_domain::message::{Draft, Entry};
use hongyan_domain::name::Name;
use rusqlite::Connection;

use super::super::accounts::user_name;
use super::super::append::{Key, answered, insert_key};
use super::super::batch::{Batch, Reference};
use super::super::fault::{Fault, Result};
use super::super::message;
use crate::feed::{Committed, CommittedWhat};
use crate::groups::{Asker, GroupNews, GroupNewsWhat, GroupOutcome, Names};
use crate::timeline::{About, Answer};

/// The answer that a request has got before.
pub(super) fn earlier(connection: &Connection, group: ConversationId, by: &Asker) -> Result<Option<GroupOutcome>> {
    let found = answered(connection, group, by.user, by.client_id)?;
    Ok(found.map(|(digest, answer)| match digest == by.digest {
        true => GroupOutcome::Repeated(answer),
        false => GroupOutcome::Conflict,
    }))
}

/// The key under which a request is remembered.
pub(super) fn key(group: ConversationId, by: &Asker) -> Key {
    Key { conversation: group, sender: by.user, client_id: by.client_id, digest: by.digest }
}

/// Remembers the answer to a request that was done.
pub(super) fn remember(batch: &mut Batch<'_>, group: ConversationId, by: &Asker, answer: &Answer) -> Result<()> {
    let inserted = insert_key(batch.statements.insert_key.get()?, &key(group, by), answer)?;
    if inserted { Ok(()) } else { Err(Fault::Row("a key that was just free is taken")) }
}

/// Something that a user's devices must learn of a group: a row of their inbox, and who is connected is told.
pub(super) fn refer(
    batch: &mut Batch<'_>,
    by: &Asker,
    user: UserId,
    group: (ConversationId, &Name),
    reference: &Reference<'_>,
    what: CommittedWhat,
) -> Result<u64> {
    let (group, name) = group;
    let inbox_seq = batch.refer_beside(user, group, Some(by.now), reference)?;
    batch.tell(Committed {
        app: by.app,
        user,
        inbox_seq,
        conversation: group,
        about: About::Group(name.clone()),
        origin: by.session,
        what,
    });
    Ok(inbox_seq)
}

/// Appends what has happened to the group; its seq.
pub(super) fn append_event(batch: &mut Batch<'_>, by: &Asker, group: ConversationId, event: Event) -> Result<u64> {
    let head = batch.group_mut(group)?;
    head.head_seq += 1;
    let (seq, message_count) = (head.head_seq, head.message_count);
    let draft = Draft { uncounted: true, ..Draft::default() };
    let mut entry = Entry::new(seq, by.user, NO_CLIENT_ID, by.now, draft);
    (entry.message_count, entry.event) = (message_count, Some(Box::new(event)));
    message::insert(batch.statements.insert_message.get()?, group, 0, &entry)?;
    tell_entry(batch, by, group, Arc::new(entry), None)?;
    Ok(seq)
}

/// Tells a new row of the log to those who are in the group.
pub(super) fn tell_entry(
    batch: &mut Batch<'_>,
    by: &Asker,
    group: ConversationId,
    entry: Arc<Entry>,
    target: Option<Arc<Entry>>,
) -> Result<()> {
    let mut names = Names::from([(by.user, by.name.clone())]);
    for user in entry.named().chain(target.iter().flat_map(|target| target.named())) {
        if let std::collections::btree_map::Entry::Vacant(vacant) = names.entry(user) {
            vacant.insert(user_name(batch.connection, user)?.ok_or(Fault::Row("an entry of no user"))?);
        }
    }
    tell(batch, group, GroupNewsWhat::Entry { entry, target, names: Arc::new(names) })
}

/// Tells something to those who are in the group.
pub(super) fn tell(batch: &mut Batch<'_>, group: ConversationId, what: GroupNewsWhat) -> Result<()> {
    let name = batch.group(group)?.name.clone();
    batch.tell_group(GroupNews { group, name, what });
    Ok(())
}
