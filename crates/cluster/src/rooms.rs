//! Who is in which room, and under which name (spec 66). Soft state, as in [`crate::router`]: a restart forgets it, and
//! sessions enter again. Time is given by the caller; nobody is told from here, but callers are called while the room is
//! locked, so that what they tell of one room is in the order in which it happened.

use std::collections::{BTreeMap, BTreeSet};

use hongyan_domain::id::{ConversationId, SessionId};
use hongyan_domain::name::Name;
use hongyan_domain::refusal::Refusal;
use hongyan_domain::room::{DisplayName, NameKey};
use smallvec::SmallVec;

use crate::id_map::IdMap;
use crate::sync::{Mutex, MutexGuard};

/// Locks that share the rooms; any number does.
const SLOTS: usize = 16;

/// How many may be where.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RoomLimits {
    /// Sessions in one room.
    pub members_max: usize,
    /// Rooms of one session.
    pub rooms_per_session_max: usize,
}

/// A session that wants to enter a room.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entrance {
    /// The room.
    pub room: ConversationId,
    /// Its name on the wire.
    pub room_name: Name,
    /// The session.
    pub session: SessionId,
    /// How it wants to be seen.
    pub name: DisplayName,
    /// Milliseconds for which the name is kept once the session's connection is lost.
    pub hold_ms: u64,
}

/// A change of who is in a room, by names.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Passage {
    /// The room.
    pub room: ConversationId,
    /// Its name on the wire.
    pub room_name: Name,
    /// The session that comes or goes.
    pub session: SessionId,
    /// Who came.
    pub entered: Option<DisplayName>,
    /// Who went.
    pub left: Option<DisplayName>,
}

/// A session in a room.
struct Member {
    name: DisplayName,
    hold_ms: u64,
    /// Its connection is lost; it leaves at this time.
    leaves_at_ms: Option<u64>,
}

struct Room {
    wire_name: Name,
    members: IdMap<SessionId, Member>,
    /// Whose a name is. Ordered, so that lists of names are.
    names: BTreeMap<NameKey, SessionId>,
}

type Slot = IdMap<ConversationId, Room>;

/// What every change of any room goes through.
#[derive(Default)]
struct Door {
    rooms_of: IdMap<SessionId, SmallVec<[ConversationId; 1]>>,
    /// Members whose connection is lost, by the time at which they leave.
    losses: BTreeSet<(u64, ConversationId, SessionId)>,
}

/// All rooms in which somebody is.
pub struct Rooms {
    /// Locked before any slot, for as long as a change takes.
    door: Mutex<Door>,
    /// Asked on their own for every text that is said.
    slots: Box<[Mutex<Slot>]>,
}

impl Default for Rooms {
    fn default() -> Self {
        Self { door: Mutex::default(), slots: (0..SLOTS).map(|_| Mutex::default()).collect() }
    }
}

impl Rooms {
    /// A session enters, or comes back, or changes its name; the names of all who are there then, its own first.
    ///
    /// # Errors
    /// [`Refusal::NameTaken`] by another session; [`Refusal::QuotaExceeded`] if the room is full or the session is in too
    /// many.
    pub fn enter(
        &self,
        entrance: &Entrance,
        limits: RoomLimits,
        tell: impl FnOnce(Option<&Passage>),
    ) -> Result<Vec<DisplayName>, Refusal> {
        let Entrance { room, session, .. } = *entrance;
        let mut door = self.door();
        let rooms = door.rooms_of.get(&session).map_or(0, SmallVec::len);
        self.with(room, |slot| {
            let is_in = is_in(slot, room, session);
            let is_full = rooms >= limits.rooms_per_session_max
                || slot.get(&room).map_or(0, |room| room.members.len()) >= limits.members_max;
            if is_full && !is_in {
                return Err(Refusal::QuotaExceeded);
            }
            let (passage, lost_ms) = enter(slot, entrance)?;
            match lost_ms {
                Some(at_ms) => drop(door.losses.remove(&(at_ms, room, session))),
                None if !is_in => door.rooms_of.entry(session).or_default().push(room),
                None => {}
            }
            tell(passage.as_ref());
            Ok(slot.get(&room).map_or_else(Vec::new, |room| room.all_names(session)))
        })
    }

    /// Under which name a session is in a room.
    pub fn name_of(&self, room: ConversationId, session: SessionId) -> Option<DisplayName> {
        self.with(room, |slot| Some(slot.get(&room)?.members.get(&session)?.name.clone()))
    }

    /// Sessions in a room.
    pub fn members(&self, room: ConversationId) -> usize {
        self.with(room, |slot| slot.get(&room).map_or(0, |room| room.members.len()))
    }

    /// A session leaves a room, if it is there.
    pub fn leave(&self, room: ConversationId, session: SessionId, tell: impl FnOnce(&Passage)) {
        self.leave_through(&mut self.door(), room, session, tell);
    }

    /// A session leaves all its rooms.
    pub fn leave_all(&self, session: SessionId, tell: impl Fn(&Passage)) {
        let mut door = self.door();
        for room in door.rooms_of.get(&session).cloned().unwrap_or_default() {
            self.leave_through(&mut door, room, session, &tell);
        }
    }

    /// The session's connection is lost: unless it enters again, it leaves all its rooms when their holds have passed.
    pub fn lose(&self, session: SessionId, now_ms: u64) {
        let mut door = self.door();
        for room in door.rooms_of.get(&session).cloned().unwrap_or_default() {
            if let Some(at_ms) = self.with(room, |slot| lose(slot, room, session, now_ms)) {
                door.losses.insert((at_ms, room, session));
            }
        }
    }

    /// Those leave whose time has come.
    pub fn expire(&self, now_ms: u64, tell: impl Fn(&Passage)) {
        let mut door = self.door();
        while door.losses.first().is_some_and(|(at_ms, ..)| *at_ms <= now_ms) {
            let Some((_, room, session)) = door.losses.pop_first() else { return };
            self.leave_through(&mut door, room, session, &tell);
        }
    }

    /// Everybody leaves a room, because it was removed. Each is told of on its own.
    pub fn close(&self, room: ConversationId, tell: impl Fn(&Passage)) {
        let mut door = self.door();
        let all = |room: &Room| room.names.values().copied().collect();
        let sessions: Vec<SessionId> = self.with(room, |slot| slot.get(&room).map_or_else(Vec::new, all));
        for session in sessions {
            self.leave_through(&mut door, room, session, &tell);
        }
    }

    fn leave_through(&self, door: &mut Door, room: ConversationId, session: SessionId, tell: impl FnOnce(&Passage)) {
        self.with(room, |slot| {
            let Some((passage, lost_ms)) = leave(slot, room, session) else { return };
            if let Some(at_ms) = lost_ms {
                door.losses.remove(&(at_ms, room, session));
            }
            if let Some(rooms) = door.rooms_of.get_mut(&session) {
                rooms.retain(|known| *known != room);
                if rooms.is_empty() {
                    door.rooms_of.remove(&session);
                }
            }
            tell(&passage);
        });
    }

    fn door(&self) -> MutexGuard<'_, Door> {
        self.door.lock().expect("nothing panics while it is held")
    }

    fn with<R>(&self, room: ConversationId, act: impl FnOnce(&mut Slot) -> R) -> R {
        // The low bits of an id are its shard, and few shards may live here: mix them.
        let slot = (room.0 as u64).wrapping_mul(0x9E37_79B9_7F4A_7C15) >> 32;
        let mut slot = self.slots[slot as usize % SLOTS].lock().expect("nothing panics while it is held");
        act(&mut slot)
    }
}

fn is_in(slot: &Slot, room: ConversationId, session: SessionId) -> bool {
    slot.get(&room).is_some_and(|room| room.members.contains_key(&session))
}

/// What changes for the others, and when the session would have left.
fn enter(slot: &mut Slot, entrance: &Entrance) -> Result<(Option<Passage>, Option<u64>), Refusal> {
    let Entrance { room: id, session, hold_ms, .. } = *entrance;
    let key = entrance.name.key();
    if slot.get(&id).and_then(|room| room.names.get(&key)).is_some_and(|owner| *owner != session) {
        return Err(Refusal::NameTaken);
    }
    let room = slot.entry(id).or_insert_with(|| Room::new(entrance.room_name.clone()));
    let before = room.members.insert(session, Member { name: entrance.name.clone(), hold_ms, leaves_at_ms: None });
    let lost_ms = before.as_ref().and_then(|before| before.leaves_at_ms);
    let left = match before {
        Some(before) if before.name == entrance.name => return Ok((None, lost_ms)),
        before => before.map(|before| before.name),
    };
    if let Some(left) = &left {
        room.names.remove(&left.key());
    }
    room.names.insert(key, session);
    let entered = Some(entrance.name.clone());
    Ok((Some(Passage { room: id, room_name: room.wire_name.clone(), session, entered, left }), lost_ms))
}

/// What changes for the others, and when the session would have left; `None` if it was not there.
fn leave(slot: &mut Slot, id: ConversationId, session: SessionId) -> Option<(Passage, Option<u64>)> {
    let room = slot.get_mut(&id)?;
    let member = room.members.remove(&session)?;
    room.names.remove(&member.name.key());
    let room_name = room.wire_name.clone();
    if room.members.is_empty() {
        slot.remove(&id);
    }
    Some((Passage { room: id, room_name, session, entered: None, left: Some(member.name) }, member.leaves_at_ms))
}

/// When the session leaves now; `None` if it was lost already, or is not there.
fn lose(slot: &mut Slot, id: ConversationId, session: SessionId, now_ms: u64) -> Option<u64> {
    let member = slot.get_mut(&id)?.members.get_mut(&session)?;
    if member.leaves_at_ms.is_some() {
        return None;
    }
    member.leaves_at_ms = Some(now_ms.saturating_add(member.hold_ms));
    member.leaves_at_ms
}

impl Room {
    fn new(wire_name: Name) -> Self {
        Self { wire_name, members: IdMap::default(), names: BTreeMap::new() }
    }

    fn all_names(&self, first: SessionId) -> Vec<DisplayName> {
        let name = |session: &SessionId| self.members.get(session).map(|member| member.name.clone());
        let others = self.names.values().filter(|session| **session != first).filter_map(name);
        name(&first).into_iter().chain(others).collect()
    }
}

#[cfg(test)]
mod tests {
    use std::cell::RefCell;

    use super::*;

    const ROOM: ConversationId = ConversationId(5 << 10);
    const LIMITS: RoomLimits = RoomLimits { members_max: 3, rooms_per_session_max: 2 };
    const HOLD_MS: u64 = 30_000;

    fn session(number: u8) -> SessionId {
        SessionId([number; 16])
    }

    /// Rooms, and what was told of them, such as `+ann` and `-ann`.
    #[derive(Default)]
    struct World {
        rooms: Rooms,
        told: RefCell<Vec<String>>,
    }

    impl World {
        fn tell(&self, passage: &Passage) {
            let left = passage.left.iter().map(|name| format!("-{name}"));
            let entered = passage.entered.iter().map(|name| format!("+{name}"));
            self.told.borrow_mut().extend(left.chain(entered));
        }

        fn enter_at(&self, room: ConversationId, number: u8, name: &str) -> Result<Vec<String>, Refusal> {
            let entrance = Entrance {
                room,
                room_name: Name::parse("lobby").unwrap(),
                session: session(number),
                name: DisplayName::parse(name, 16).unwrap(),
                hold_ms: HOLD_MS,
            };
            let names =
                self.rooms.enter(&entrance, LIMITS, |passage| passage.into_iter().for_each(|it| self.tell(it)))?;
            Ok(names.iter().map(DisplayName::to_string).collect())
        }

        fn enter(&self, number: u8, name: &str) -> Result<Vec<String>, Refusal> {
            self.enter_at(ROOM, number, name)
        }

        fn told(&self) -> Vec<String> {
            self.told.take()
        }

        /// Nothing is kept of anybody.
        fn assert_empty(&self) {
            let door = self.rooms.door();
            assert!(door.rooms_of.is_empty() && door.losses.is_empty());
            assert!(self.rooms.slots.iter().all(|slot| slot.lock().unwrap().is_empty()));
        }
    }

    #[test]
    fn a_name_is_of_one_session_until_it_leaves() {
        let world = World::default();
        assert_eq!(world.enter(1, "Ann"), Ok(vec!["Ann".into()]));
        assert_eq!(world.enter(2, "ANN"), Err(Refusal::NameTaken));
        assert_eq!(world.enter(2, "Bob"), Ok(vec!["Bob".into(), "Ann".into()]));
        assert_eq!(world.enter(1, "Ann"), Ok(vec!["Ann".into(), "Bob".into()]), "again");
        assert_eq!(world.told(), ["+Ann", "+Bob"]);
        assert_eq!(world.enter(1, "bob"), Err(Refusal::NameTaken));
        assert_eq!(world.rooms.name_of(ROOM, session(1)).unwrap().as_str(), "Ann", "a refusal changes nothing");
        assert_eq!(world.enter(1, "ANN"), Ok(vec!["ANN".into(), "Bob".into()]), "one's own name in other letters");
        assert_eq!(world.enter(1, "Eve"), Ok(vec!["Eve".into(), "Bob".into()]));
        assert_eq!(world.enter(3, "ann"), Ok(vec!["ann".into(), "Bob".into(), "Eve".into()]));
        assert_eq!(world.told(), ["-Ann", "+ANN", "-ANN", "+Eve", "+ann"]);
        for number in 1..=3 {
            world.rooms.leave(ROOM, session(number), |passage| world.tell(passage));
        }
        world.rooms.leave(ROOM, session(3), |passage| world.tell(passage));
        assert_eq!(world.told(), ["-Eve", "-Bob", "-ann"]);
        world.assert_empty();
    }

    #[test]
    fn a_lost_session_keeps_its_name_for_a_while() {
        let world = World::default();
        world.enter(1, "Ann").unwrap();
        world.enter(2, "Bob").unwrap();
        world.rooms.lose(session(1), 1_000);
        world.rooms.lose(session(1), 9_000);
        world.rooms.expire(1_000 + HOLD_MS - 1, |passage| world.tell(passage));
        assert_eq!(world.enter(3, "ann"), Err(Refusal::NameTaken));
        world.enter(1, "Ann").unwrap();
        world.rooms.expire(u64::MAX, |passage| world.tell(passage));
        assert_eq!(world.told(), ["+Ann", "+Bob"], "it came back in time");
        world.rooms.lose(session(1), 50_000);
        world.rooms.expire(50_000 + HOLD_MS, |passage| world.tell(passage));
        assert_eq!(world.told(), ["-Ann"]);
        assert_eq!(world.rooms.name_of(ROOM, session(1)), None);
        assert!(world.enter(3, "ann").is_ok());
        world.rooms.leave_all(session(2), |passage| world.tell(passage));
        world.rooms.leave_all(session(3), |passage| world.tell(passage));
        world.assert_empty();
    }

    #[test]
    fn rooms_and_sessions_have_their_limits() {
        let world = World::default();
        for number in 1..=3 {
            world.enter(number, &format!("guest{number}")).unwrap();
        }
        assert_eq!(world.enter(4, "late"), Err(Refusal::QuotaExceeded));
        assert!(world.enter(3, "other").is_ok(), "who is in may change the name");
        let (second, third) = (ConversationId(6 << 10), ConversationId(7 << 10));
        assert!(world.enter_at(second, 1, "Ann").is_ok());
        assert_eq!(world.enter_at(third, 1, "Ann"), Err(Refusal::QuotaExceeded));
        assert!(world.enter_at(third, 4, "Ann").is_ok(), "the refusal took no place");
        world.told();
        world.rooms.close(ROOM, |passage| world.tell(passage));
        assert_eq!(world.told(), ["-guest1", "-guest2", "-other"]);
        assert!(world.enter_at(third, 1, "Bob").is_ok(), "a closed room frees its place");
        for number in [1, 4] {
            world.rooms.leave_all(session(number), |_| ());
        }
        world.assert_empty();
    }
}
