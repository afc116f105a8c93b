//! ENTER_ROOM, LEAVE_ROOM, the history of a room, and what administrators do with rooms (spec 66). What is said is in
//! [`crate::say`]. Who is in a room is soft state of the cluster: nothing of it is kept here.

use hongyan_cluster::rooms::{Entrance, RoomLimits};
use hongyan_cluster::service::Reply;
use hongyan_domain::id::{AppId, ConversationId};
use hongyan_domain::name::Name;
use hongyan_domain::refusal::Refusal;
use hongyan_domain::room::DisplayName;
use hongyan_domain::session::Caller;
use hongyan_domain::spam::TextKind;
use hongyan_domain::time::UnixMillis;
use hongyan_store::rooms::Room;
use hongyan_wire::proto;

use crate::answer::{plain, unavailable};
use crate::entry::said_for;
use crate::history::{self, Ends};
use crate::page::{LIST_ITEM_BYTES, PAGE_ENTRY_BYTES_MAX};
use crate::service::Logic;

/// A room as administrators see it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OpenRoom {
    /// The name on the wire.
    pub name: Name,
    /// When it was made.
    pub created: UnixMillis,
    /// Newest entry of its log.
    pub head_seq: u64,
    /// Sessions that are in it, now.
    pub members: usize,
}

impl Logic {
    pub(crate) async fn enter_room(&self, caller: &Caller, request: proto::EnterRoomRequest) -> Result<Reply, Refusal> {
        let now_ms = self.environment.monotonic_ms();
        let allowed = self.room_entries_by_session.take(caller.session, now_ms);
        allowed.map_err(|retry_after_ms| Refusal::RateLimited { retry_after_ms })?;
        let app = self.directory.app_of(caller.app).await?;
        let settings = &app.app.settings;
        let name = DisplayName::parse(&request.name, settings.room_name_characters_max)
            .ok_or(Refusal::InvalidArgument("name"))?;
        self.fit_text(caller, TextKind::RoomName, name.to_string()).await?;
        let room = self.open_room(caller.app, &request.room).await?;
        let entrance = Entrance {
            room: room.id,
            room_name: room.name,
            session: caller.session,
            name,
            hold_ms: u64::from(settings.room_hold_seconds) * 1_000,
        };
        let names = self.bus.enter_room(&entrance, self.room_limits, now_ms)?;
        // Read after what is said reaches the session, so that nothing falls in between.
        let head_seq = match self.open_room(caller.app, &request.room).await {
            Ok(room) => room.head_seq,
            Err(refusal) => {
                // Removed meanwhile, perhaps after everybody was told to leave.
                if refusal == Refusal::NotFound {
                    self.bus.leave_room(entrance.room, caller.session);
                }
                return Err(refusal);
            }
        };
        Ok(plain(&proto::EnterRoomAnswer {
            id: request.id,
            refusal: None,
            names: that_fit(names),
            head_seq,
            text_characters_max: settings.room_text_characters_max,
        }))
    }

    pub(crate) async fn leave_room(&self, caller: &Caller, request: proto::LeaveRoomRequest) -> Result<Reply, Refusal> {
        let room = self.room_id(caller.app, &request.room).await?;
        self.bus.leave_room(room, caller.session);
        Ok(plain(&proto::LeaveRoomAnswer { id: request.id, refusal: None }))
    }

    /// HISTORY of a room, for sessions that are in it.
    pub(crate) async fn room_history(&self, caller: &Caller, request: proto::HistoryRequest) -> Result<Reply, Refusal> {
        let others = [
            ("user", !request.user.is_empty()),
            ("as_visitor", !request.as_visitor.is_empty()),
            // Rows of rooms do not change.
            ("as_of", request.as_of != 0),
        ];
        if let Some((field, _)) = others.into_iter().find(|(_, given)| *given) {
            return Err(Refusal::InvalidArgument(field));
        }
        let query = history::query(&request)?;
        let room = self.room_id(caller.app, &request.room).await?;
        if self.bus.rooms().name_of(room, caller.session).is_none() {
            return Err(Refusal::NotInRoom);
        }
        let page = self.store.room_history(room, query).await.map_err(unavailable)?;
        let ends = Ends { covered: page.covered, head_seq: page.head_seq, low_seq: page.low_seq };
        let rows = page.entries.iter().map(|said| said_for(caller.user, said));
        let answer = history::answer(&request, ends, rows);
        Ok(plain(&proto::HistoryAnswer { id: request.id, ..answer }))
    }

    /// A room that can be entered, as the store has it now.
    async fn open_room(&self, app: AppId, name: &str) -> Result<Room, Refusal> {
        let name = Name::parse(name).ok_or(Refusal::NotFound)?;
        let room = self.store.room(app, name).await.map_err(unavailable)?;
        room.filter(|room| !room.removed).ok_or(Refusal::NotFound)
    }

    /// The id of a room, even of one that was removed: what depends on that, the writer checks.
    pub(crate) async fn room_id(&self, app: AppId, name: &str) -> Result<ConversationId, Refusal> {
        let key = (app, Name::parse(name).ok_or(Refusal::NotFound)?);
        if let Some(known) = self.room_ids.get(&key) {
            return Ok(known);
        }
        let room = self.store.room(app, key.1.clone()).await.map_err(unavailable)?.ok_or(Refusal::NotFound)?;
        self.room_ids.insert(key, room.id);
        Ok(room.id)
    }
}

/// As [`crate::administration`]: the HTTP API knows who asks.
impl Logic {
    /// Makes a room. `Conflict`: the name is taken, or was before the room was removed.
    pub async fn create_room(&self, app: &Name, name: Name) -> Result<OpenRoom, Refusal> {
        let id = self.app(app).await?.id;
        let now = self.environment.wall_clock();
        let room = self.store.create_room(id, name, now).await.map_err(unavailable)?;
        Ok(self.shown(room.ok_or(Refusal::Conflict)?))
    }

    /// Removes a room for ever; who is in it leaves.
    pub async fn remove_room(&self, app: &Name, name: &Name) -> Result<(), Refusal> {
        let app = self.app(app).await?.id;
        let room = self.open_room(app, name.as_str()).await?;
        let now = self.environment.wall_clock();
        let removed = self.store.remove_room(app, name.clone(), now).await.map_err(unavailable)?;
        self.bus.close_room(room.id);
        if removed { Ok(()) } else { Err(Refusal::NotFound) }
    }

    /// All rooms of an app, by name.
    pub async fn rooms(&self, app: &Name) -> Result<Vec<OpenRoom>, Refusal> {
        let id = self.app(app).await?.id;
        let rooms = self.store.rooms(id).await.map_err(unavailable)?;
        Ok(rooms.into_iter().map(|room| self.shown(room)).collect())
    }

    fn shown(&self, room: Room) -> OpenRoom {
        let members = self.bus.rooms().members(room.id);
        OpenRoom { name: room.name, created: room.created, head_seq: room.head_seq, members }
    }
}

/// The names that fit into one answer; the first is the asker's own.
fn that_fit(names: Vec<DisplayName>) -> Vec<String> {
    let mut bytes = 0;
    let fits = |name: &String| {
        bytes += name.len() + LIST_ITEM_BYTES;
        bytes <= PAGE_ENTRY_BYTES_MAX
    };
    names.iter().map(DisplayName::to_string).take_while(fits).collect()
}

/// What the options say about rooms.
pub(crate) fn limits(options: &crate::LogicOptions) -> RoomLimits {
    RoomLimits {
        members_max: options.room_members_max as usize,
        rooms_per_session_max: options.rooms_per_session_max as usize,
    }
}

#[cfg(test)]
mod tests {
    use prost::Message;

    use super::*;

    #[test]
    fn a_list_of_names_fits_into_an_answer() {
        let name = |number: u32| DisplayName::stored(&format!("{number:04}{}", "😀".repeat(12)));
        let names = that_fit((0..2_000).map(name).collect());
        assert!(names[0].starts_with("0000") && names.len() > 1_000, "{}", names.len());
        let answer = proto::EnterRoomAnswer { names, head_seq: u64::MAX, ..proto::EnterRoomAnswer::default() };
        assert!(answer.encoded_len() <= hongyan_wire::limits::PAGE_BYTES_MAX);
        assert_eq!(that_fit(vec![name(1), name(2)]).len(), 2);
    }
}
