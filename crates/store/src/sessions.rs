//! Sessions and devices: who may speak for a user, and how far each device has come.

use hongyan_domain::environment::Pending;
use hongyan_domain::id::{AppId, DeviceKey, SessionId, UserId};
pub use hongyan_domain::receipt::CursorAdvance;
use hongyan_domain::session::{Caller, Contender, EndReason, Term};
use hongyan_domain::time::UnixMillis;

use crate::Result;
use crate::timeline::InboxPage;

/// A login that has been authenticated.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OpenSession {
    /// The app.
    pub app: AppId,
    /// The user.
    pub user: UserId,
    /// Fresh and random.
    pub session: SessionId,
    /// Chosen by the client, 1-32 bytes; made a device of the user if it is not one yet.
    pub device_id: Vec<u8>,
    /// The device's kind.
    pub term: Term,
    /// Sessions of this term that may live, counting this one.
    pub sessions_max: u32,
    /// Devices the user may have: the least recently used ones without a live session are forgotten.
    pub devices_max: u32,
    /// When the connection began on which somebody logs in.
    pub connected: UnixMillis,
    /// Now.
    pub now: UnixMillis,
}

impl OpenSession {
    /// What decides whom it replaces, if its device is this one.
    pub fn contender(&self, device: Option<DeviceKey>) -> Contender {
        Contender { device, term: self.term, allowed: self.sessions_max, connected: self.connected, now: self.now }
    }
}

/// A session that was opened, in one transaction with those it ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Opened {
    /// The device.
    pub device: DeviceKey,
    /// What the device has acknowledged.
    pub inbox_cursor: u64,
    /// Newest entry of the user's inbox.
    pub inbox_head: u64,
    /// Epoch of the logs.
    pub log_epoch: u32,
    /// Sessions that are dead from this commit on.
    pub ended: Vec<(SessionId, EndReason)>,
}

/// What a resume needs, read at one instant.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Resumption {
    /// The session lives and is of this caller; otherwise why it ended. `None`: never heard of.
    pub session: Option<std::result::Result<Caller, EndReason>>,
    /// The inbox after the offered cursor; empty unless the session lives.
    pub page: InboxPage,
    /// How far the session's device is known to be; `None` if the device was forgotten or the session is dead.
    pub device_cursor: Option<u64>,
}

/// Sessions and devices.
pub trait Sessions: Send + Sync + 'static {
    /// Opens a session and ends those that it replaces (`hongyan_domain::session::ended_by_login`). Uses the reserve of a
    /// full disk. Other items of the same user wait for it, so two logins of one term leave one alive. `None` if the login
    /// was overtaken by one that it would end; then nothing has changed.
    fn open_session(&self, login: OpenSession) -> Pending<'_, Result<Option<Opened>>>;

    /// Reads the session and the inbox page after `inbox_cursor` in one transaction.
    fn resume(&self, session: SessionId, inbox_cursor: u64, limit: u32) -> Pending<'_, Result<Resumption>>;

    /// Ends a session; false if it had ended already.
    fn end_session(&self, session: SessionId, reason: EndReason, now: UnixMillis) -> Pending<'_, Result<bool>>;

    /// Ends all sessions of a user; tells which.
    fn end_sessions(&self, user: UserId, reason: EndReason, now: UnixMillis) -> Pending<'_, Result<Vec<SessionId>>>;

    /// Stores how far devices have come; max-merged. Uses the reserve of a full disk.
    fn advance_cursors(&self, advances: Vec<CursorAdvance>) -> Pending<'_, Result<()>>;
}
