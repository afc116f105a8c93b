//! Rows of a conversation's log as one reader sees them on the wire.

use bytes::Bytes;
use hongyan_domain::id::UserId;
use hongyan_domain::message::{Entry, Reaction};
use hongyan_domain::room::RoomEntry;
use hongyan_wire::proto;

/// A row for a reader. `target` is the row that it announces a change of, if that is to be enclosed.
pub(crate) fn entry_for(reader: UserId, row: &Entry, target: Option<&Entry>) -> proto::Entry {
    let own = row.sender == reader;
    let change = (row.change_of != 0).then(|| {
        let target = target.map(|target| entry_for(reader, target, None));
        Box::new(proto::Change { target_seq: row.change_of, target: target.map(Box::new) })
    });
    proto::Entry {
        seq: row.seq,
        own,
        // Other people's ids are theirs: nobody else learns them.
        client_message_id: if own { Bytes::copy_from_slice(&row.client_id.0) } else { Bytes::new() },
        r#type: row.draft.body_type,
        body: row.draft.body.clone(),
        server_time_ms: row.time.0,
        reply_to: row.draft.reply_to,
        message_count: row.message_count,
        uncounted: row.draft.uncounted,
        silent: row.draft.silent,
        expires_at_ms: row.draft.expires_at.0,
        text: row.draft.text.clone(),
        changed_seq: row.changed_seq,
        edited: row.edited,
        recalled: row.recalled,
        reactions: row.reactions.iter().map(|reaction| reaction_for(reader, reaction)).collect(),
        change,
        seen_seq: if own { row.seen_seq } else { 0 },
        ..proto::Entry::default()
    }
}

/// A row of a room's log for a reader.
pub(crate) fn said_for(reader: UserId, said: &RoomEntry) -> proto::Entry {
    proto::Entry { from: said.from.to_string(), ..entry_for(reader, &said.entry, None) }
}

/// A row of a room's log for everybody alike: nobody's own.
pub(crate) fn said_for_all(said: &RoomEntry) -> proto::Entry {
    let sender = said.entry.sender;
    proto::Entry { own: false, client_message_id: Bytes::new(), ..said_for(sender, said) }
}

fn reaction_for(reader: UserId, reaction: &Reaction) -> proto::Reaction {
    proto::Reaction {
        name: reaction.name.clone(),
        count: reaction.users.len() as u32,
        own: reaction.users.contains(&reader),
        users: Vec::new(),
    }
}
