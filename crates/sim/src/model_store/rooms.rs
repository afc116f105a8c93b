//! Rooms and their logs.

use std::collections::BTreeMap;
use std::sync::Arc;

use hongyan_domain::environment::Pending;
use hongyan_domain::id::{AppId, ClientId, ConversationId, UserId};
use hongyan_domain::message::Entry;
use hongyan_domain::name::Name;
use hongyan_domain::room::RoomEntry;
use hongyan_domain::time::UnixMillis;
use hongyan_store::Result;
use hongyan_store::feed::Said;
use hongyan_store::rooms::{Room, RoomPage, Rooms, Say, SayOutcome};
use hongyan_store::timeline::{Answer, HistoryQuery};

use super::ModelStore;
use super::history::Wanted;
use super::state::{Batch, State, missing};

/// A room: its head, its rows, the keys of de-duplication.
#[derive(Clone, Debug)]
pub(super) struct RoomLog {
    pub(super) app: AppId,
    pub(super) room: Room,
    message_count: u64,
    /// Ascending by seq. There is a gap where a backup was restored.
    rows: Vec<Arc<RoomEntry>>,
    /// Who got in, with the digest of what they said.
    pub(super) keys: BTreeMap<(UserId, ClientId), (u64, Answer)>,
}

fn find<'s>(state: &'s State, app: AppId, name: &Name) -> Option<&'s RoomLog> {
    state.rooms.values().find(|log| log.app == app && log.room.name == *name)
}

fn create_room(state: &mut State, app: AppId, name: &Name, now: UnixMillis) -> Option<Room> {
    if find(state, app, name).is_some() {
        return None;
    }
    let (counter, shard) = state.next_id();
    let id = ConversationId::in_shard(counter, shard);
    let room = Room { id, name: name.clone(), created: now, removed: false, head_seq: 0 };
    let log = RoomLog { app, room: room.clone(), message_count: 0, rows: Vec::new(), keys: BTreeMap::new() };
    state.rooms.insert(id, log);
    Some(room)
}

fn remove_room(state: &mut State, app: AppId, name: &Name) -> bool {
    let Some(id) = find(state, app, name).filter(|log| !log.room.removed).map(|log| log.room.id) else { return false };
    state.rooms.get_mut(&id).map(|log| log.room.removed = true).is_some()
}

fn rooms(state: &State, app: AppId) -> Vec<Room> {
    let mut rooms: Vec<_> = state.rooms.values().filter(|log| log.app == app).map(|log| log.room.clone()).collect();
    rooms.retain(|room| !room.removed);
    rooms.sort_by(|one, other| one.name.cmp(&other.name));
    rooms
}

fn say(batch: &mut Batch<'_>, say: &Say) -> SayOutcome {
    let alive = batch.state.may_write(say.session);
    let Some(log) = batch.state.rooms.get_mut(&say.room) else {
        return if alive { SayOutcome::RoomGone } else { SayOutcome::SessionEnded };
    };
    if let Some((digest, answer)) = log.keys.get(&(say.sender, say.client_id)) {
        return if *digest == say.digest { SayOutcome::Repeated(*answer) } else { SayOutcome::Conflict };
    }
    if !alive {
        return SayOutcome::SessionEnded;
    }
    if log.room.removed {
        return SayOutcome::RoomGone;
    }
    log.room.head_seq += 1;
    log.message_count += u64::from(!say.draft.uncounted);
    let answer = Answer { seq: log.room.head_seq, message_count: log.message_count, inbox_seq: 0, time: say.now };
    log.keys.insert((say.sender, say.client_id), (say.digest, answer));
    let said = Arc::new(row(say, &answer));
    log.rows.push(Arc::clone(&said));
    batch.tell_said(Said { room: say.room, name: say.room_name.clone(), said });
    SayOutcome::Said(answer)
}

fn row(say: &Say, answer: &Answer) -> RoomEntry {
    let entry = Entry {
        seq: answer.seq,
        sender: say.sender,
        client_id: say.client_id,
        time: answer.time,
        message_count: answer.message_count,
        seen_seq: 0,
        changed_seq: 0,
        edited: false,
        recalled: false,
        reactions: Vec::new(),
        change_of: 0,
        event: None,
        draft: say.draft.clone(),
    };
    RoomEntry { from: say.from.clone(), entry }
}

fn page(state: &State, id: ConversationId, query: &HistoryQuery) -> Result<RoomPage> {
    let log = state.rooms.get(&id).ok_or_else(|| missing("room"))?;
    let mut page = RoomPage { head_seq: log.room.head_seq, low_seq: 1, ..RoomPage::default() };
    let wanted = Wanted::of(query, page.head_seq);
    if wanted.from > wanted.to || query.limit == 0 {
        return Ok(page);
    }
    let from = log.rows.partition_point(|row| row.entry.seq < wanted.from);
    let to = log.rows.partition_point(|row| row.entry.seq <= wanted.to);
    let mut rows = log.rows[from..to].iter();
    let (mut bytes, mut stopped) = (0, None);
    while let Some(row) = if wanted.backwards { rows.next_back() } else { rows.next() } {
        bytes += row.entry.draft.body.len() + row.from.as_str().len();
        let full = page.entries.len() >= query.limit as usize || bytes > query.bytes_max;
        if let (true, Some(last)) = (full, page.entries.last()) {
            stopped = Some(last.entry.seq);
            break;
        }
        page.entries.push((**row).clone());
    }
    page.covered = Some(match stopped {
        None => (wanted.from, wanted.to),
        Some(seq) if wanted.backwards => (seq, wanted.to),
        Some(seq) => (wanted.from, seq),
    });
    if wanted.backwards {
        page.entries.reverse();
    }
    Ok(page)
}

impl Rooms for ModelStore {
    fn create_room(&self, app: AppId, name: Name, now: UnixMillis) -> Pending<'_, Result<Option<Room>>> {
        self.write(move |batch| Ok(create_room(batch.state, app, &name, now)))
    }

    fn remove_room(&self, app: AppId, name: Name, _: UnixMillis) -> Pending<'_, Result<bool>> {
        self.write(move |batch| Ok(remove_room(batch.state, app, &name)))
    }

    fn room(&self, app: AppId, name: Name) -> Pending<'_, Result<Option<Room>>> {
        self.read(move |state| Ok(find(state, app, &name).map(|log| log.room.clone())))
    }

    fn rooms(&self, app: AppId) -> Pending<'_, Result<Vec<Room>>> {
        self.read(move |state| Ok(rooms(state, app)))
    }

    fn say(&self, says: Vec<Say>) -> Pending<'_, Result<Vec<SayOutcome>>> {
        if says.is_empty() {
            return Box::pin(std::future::ready(Ok(Vec::new())));
        }
        self.write_items(says.len(), false, move |batch| Ok(says.iter().map(|item| say(batch, item)).collect()))
    }

    fn room_history(&self, room: ConversationId, query: HistoryQuery) -> Pending<'_, Result<RoomPage>> {
        self.read(move |state| page(state, room, &query))
    }
}
