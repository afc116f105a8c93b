//! Sessions and devices: the login, resume, revocation, cursors.

use hongyan_domain::environment::Pending;
use hongyan_domain::id::{DeviceKey, SessionId, UserId};
use hongyan_domain::session::{Caller, EndReason, LiveSession, ended_by_login};
use hongyan_domain::time::UnixMillis;
use hongyan_fault::mutant;
use hongyan_store::sessions::{CursorAdvance, OpenSession, Opened, Resumption, Sessions};
use hongyan_store::timeline::InboxPage;
use hongyan_store::{Error, Result};

use super::state::{Batch, Device, Person, Session, State};
use super::{ModelStore, inbox};

/// Bytes of bodies in the page of a resume: a sync page (design §12).
const RESUME_BYTES_MAX: usize = 60_000;

fn open(batch: &mut Batch<'_>, login: &OpenSession) -> Result<Option<Opened>> {
    if batch.state.sessions.contains_key(&login.session) {
        return Err(Error::Failed("a session of that id exists".to_owned()));
    }
    let inbox_head = batch.state.person(login.user)?.inbox.head;
    let Some(ended) = ended(batch.state.person(login.user)?, login) else { return Ok(None) };
    let (device, inbox_cursor) = device(batch.state, login)?;
    let (app, user, term, session) = (login.app, login.user, login.term, login.session);
    batch.state.sessions.insert(session, Session { app, user, device, term, ended: None });
    let person = batch.state.person_mut(user)?;
    person.live.push(LiveSession { session, device, term, connected: login.connected });
    for (session, reason) in &ended {
        batch.end(*session, *reason);
    }
    forget_devices(batch.state.person_mut(user)?, login.devices_max);
    Ok(Some(Opened { device, inbox_cursor, inbox_head, log_epoch: batch.state.log_epoch, ended }))
}

/// The sessions that a login replaces; `None` if one of them is newer than it.
fn ended(person: &Person, login: &OpenSession) -> Option<Vec<(SessionId, EndReason)>> {
    let known = person.devices.iter().find(|device| device.device_id == login.device_id);
    let mut ended = ended_by_login(&person.live, &login.contender(known.map(|device| device.key)))?;
    if mutant!("kick forgotten") {
        ended.clear();
    }
    if mutant!("double kick") && !ended.is_empty() {
        ended.push((login.session, EndReason::SameTermLogin));
    }
    Some(ended)
}

/// The device of the login, made if it is new, and its cursor.
fn device(state: &mut State, login: &OpenSession) -> Result<(DeviceKey, u64)> {
    let (counter, shard) = state.next_id();
    let devices = &mut state.person_mut(login.user)?.devices;
    if let Some(known) = devices.iter_mut().find(|device| device.device_id == login.device_id) {
        known.used = known.used.max(login.now);
        return Ok((known.key, known.inbox_cursor));
    }
    let key = DeviceKey::in_shard(counter, shard);
    devices.push(Device { key, device_id: login.device_id.clone(), inbox_cursor: 0, used: login.now });
    Ok((key, 0))
}

/// Forgets the least recently used devices without a live session, down to the limit.
fn forget_devices(person: &mut Person, devices_max: u32) {
    let surplus = person.devices.len().saturating_sub(devices_max.max(1) as usize);
    if surplus == 0 {
        return;
    }
    let live = &person.live;
    let idle = |device: &&Device| !live.iter().any(|session| session.device == device.key);
    let mut idle: Vec<_> = person.devices.iter().filter(idle).map(|device| (device.used, device.key)).collect();
    idle.sort_unstable();
    idle.truncate(surplus);
    person.devices.retain(|device| !idle.contains(&(device.used, device.key)));
}

/// Ends all sessions of a user; tells which.
pub(super) fn end_all(batch: &mut Batch<'_>, user: UserId, reason: EndReason) -> Vec<SessionId> {
    let live = batch.state.people.get(&user).map_or(&[][..], |person| &person.live);
    let sessions: Vec<SessionId> = live.iter().map(|live| live.session).collect();
    for session in &sessions {
        batch.end(*session, reason);
    }
    sessions
}

fn resume(state: &State, asked: SessionId, inbox_cursor: u64, limit: u32) -> Result<Resumption> {
    let nothing = |session| Resumption { session, page: InboxPage::default(), device_cursor: None };
    let Some(session) = state.sessions.get(&asked) else { return Ok(nothing(None)) };
    if let Some(reason) = session.ended {
        return Ok(nothing(Some(Err(reason))));
    }
    let person = state.person(session.user)?;
    let device = person.devices.iter().find(|device| device.key == session.device);
    let caller = Caller {
        app: session.app,
        user: session.user,
        name: person.user.name.clone(),
        device: session.device,
        term: session.term,
        session: asked,
    };
    Ok(Resumption {
        session: Some(Ok(caller)),
        page: inbox::page(state, session.user, inbox_cursor, limit, RESUME_BYTES_MAX)?,
        device_cursor: device.map(|device| device.inbox_cursor),
    })
}

/// Cursors only rise; what was forgotten, or belongs to somebody else, is skipped.
fn advance_cursors(state: &mut State, advances: &[CursorAdvance]) {
    for advance in advances {
        let Some(person) = state.people.get_mut(&advance.user) else { continue };
        if let Some(device) = person.devices.iter_mut().find(|device| device.key == advance.device) {
            raise(&mut device.inbox_cursor, advance.inbox_cursor);
        }
        for (conversation, seq) in &advance.delivered {
            raise(&mut person.places.entry(*conversation).or_default().delivered_seq, *seq);
        }
    }
}

fn raise(cursor: &mut u64, to: u64) {
    // Like the embedded store, which has signed numbers.
    let to = to.min(i64::MAX as u64);
    *cursor = to.max(*cursor);
}

impl Sessions for ModelStore {
    fn open_session(&self, login: OpenSession) -> Pending<'_, Result<Option<Opened>>> {
        self.write(move |batch| open(batch, &login))
    }

    fn resume(&self, session: SessionId, inbox_cursor: u64, limit: u32) -> Pending<'_, Result<Resumption>> {
        self.read(move |state| resume(state, session, inbox_cursor, limit))
    }

    fn end_session(&self, session: SessionId, reason: EndReason, _: UnixMillis) -> Pending<'_, Result<bool>> {
        self.write(move |batch| Ok(batch.end(session, reason)))
    }

    fn end_sessions(&self, user: UserId, reason: EndReason, _: UnixMillis) -> Pending<'_, Result<Vec<SessionId>>> {
        self.write(move |batch| Ok(end_all(batch, user, reason)))
    }

    fn advance_cursors(&self, advances: Vec<CursorAdvance>) -> Pending<'_, Result<()>> {
        self.write(move |batch| {
            advance_cursors(batch.state, &advances);
            Ok(())
        })
    }
}
