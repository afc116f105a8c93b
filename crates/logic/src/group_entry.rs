//! Rows of a group's log on the wire, and everybody whose name that needs.

use bytes::Bytes;
use hongyan_domain::group::Event;
use hongyan_domain::id::UserId;
use hongyan_domain::message::{Entry, Reaction};
use hongyan_domain::refusal::Refusal;
use hongyan_store::groups::Names;
use hongyan_wire::proto;
use proto::group_event::What;

/// A row for everybody alike; `None` if a name is missing.
pub(crate) fn entry_for_all(row: &Entry, target: Option<&Entry>, names: &Names) -> Option<proto::Entry> {
    shown(row, target, names, None)
}

/// A row for one reader, who learns which reactions are their own.
pub(crate) fn entry_for(reader: UserId, row: &Entry, names: &Names) -> Result<proto::Entry, Refusal> {
    shown(row, None, names, Some(reader)).ok_or(Refusal::Internal)
}

fn shown(row: &Entry, target: Option<&Entry>, names: &Names, reader: Option<UserId>) -> Option<proto::Entry> {
    let name = |user: UserId| names.get(&user).map(ToString::to_string);
    let change = match (row.change_of, target) {
        (0, _) => None,
        (target_seq, None) => Some(Box::new(proto::Change { target_seq, target: None })),
        (target_seq, Some(target)) => {
            let target = Some(Box::new(shown(target, None, names, reader)?));
            Some(Box::new(proto::Change { target_seq, target }))
        }
    };
    let mentions = row.draft.mentions.as_ref();
    Some(proto::Entry {
        seq: row.seq,
        // Everybody may know it: only the sender's devices look for it.
        client_message_id: Bytes::copy_from_slice(&row.client_id.0),
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
        reactions: row.reactions.iter().map(|given| reaction(given, names, reader)).collect::<Option<_>>()?,
        change,
        sender: name(row.sender)?,
        mentions: mentions.map_or(Some(Vec::new()), |mentions| mentions.users().map(name).collect())?,
        mention_all: mentions.is_some_and(|mentions| mentions.all),
        event: match &row.event {
            Some(event) => Some(proto::GroupEvent { what: Some(what(event, names)?) }),
            None => None,
        },
        ..proto::Entry::default()
    })
}

fn reaction(given: &Reaction, names: &Names, reader: Option<UserId>) -> Option<proto::Reaction> {
    let users = given.last_givers().map(|user| names.get(&user).map(ToString::to_string)).collect::<Option<_>>()?;
    let own = reader.is_some_and(|reader| given.users.contains(&reader));
    Some(proto::Reaction { name: given.name.clone(), count: given.users.len() as u32, own, users })
}

fn what(event: &Event, names: &Names) -> Option<What> {
    let name = |user: i64| names.get(&UserId(user)).map(ToString::to_string);
    let people = |users: &[i64]| {
        users.iter().copied().map(name).collect::<Option<_>>().map(|users| proto::GroupPeople { users })
    };
    Some(match event {
        Event::Created(title) => What::Created(title.clone()),
        Event::Joined(users) => What::Joined(people(users)?),
        Event::Left(users) => What::Left(people(users)?),
        Event::Owner(user) => What::Owner(name(*user)?),
        Event::Admin(user) => What::Admin(name(*user)?),
        Event::Member(user) => What::Member(name(*user)?),
        Event::Silence(user, until) => What::Silence(proto::GroupSilence { user: name(*user)?, until_ms: *until }),
        Event::MutedAll(muted) => What::MutedAll(*muted),
        Event::Title(title) => What::Title(title.clone()),
        Event::Announcement(text) => What::Announcement(text.clone()),
        Event::Pinned(seq) => What::Pinned(*seq),
        Event::Unpinned(seq) => What::Unpinned(*seq),
        Event::Dissolved => What::Dissolved(true),
    })
}
