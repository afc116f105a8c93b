//! Users and their devices: who is connected, since when something is owed to them, and what they are called.

use crate::history::{Device, User};

/// Where a device's link is, as the device knows it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Link {
    /// Never connected, offline, or dead.
    Down,
    /// A session is open.
    Live,
    /// Its session is over, and it stays down.
    Stopped,
}

/// A device of the history. Places in the history are counted in records, from 1.
#[derive(Debug)]
pub(crate) struct DeviceState {
    pub(crate) user: User,
    name: String,
    pub(crate) link: Link,
    /// Place of the first session.
    pub(crate) first_live: Option<u64>,
    /// Place of the last reset, 0 = none.
    pub(crate) reset: u64,
    /// Times that its log epoch was raised: then it forgets what it has shown.
    pub(crate) epochs: u32,
    /// Times that its process died: then it may tell receipts anew.
    pub(crate) lives: u32,
    /// The last cursor: log epoch and place in the inbox.
    pub(crate) cursor: Option<(u32, u64)>,
    /// When its session was opened by a login.
    pub(crate) login_ms: u64,
    /// When its session was revoked, until it logs in again.
    pub(crate) revoked_ms: Option<u64>,
    /// Messages of it that are neither acknowledged nor failed.
    pub(crate) pending: u64,
    pub(crate) fresh: Fresh,
}

/// What a device did within one millisecond: a process that dies in the same may not have kept it.
#[derive(Debug, Default)]
pub(crate) struct Fresh {
    at_ms: u64,
    pub(crate) sends: Vec<u32>,
    /// Conversations in which it read, with the mark before.
    pub(crate) reads: Vec<(u32, u64)>,
}

impl Fresh {
    pub(crate) fn at(&mut self, at_ms: u64) -> &mut Self {
        if self.at_ms != at_ms {
            self.at_ms = at_ms;
            self.sends.clear();
            self.reads.clear();
        }
        self
    }
}

impl DeviceState {
    /// What was written after this place is owed to it.
    pub(crate) fn owed_since(&self) -> Option<u64> {
        self.first_live.map(|first_live| first_live.max(self.reset))
    }
}

#[derive(Debug)]
pub(crate) struct UserState {
    app: String,
    name: String,
    pub(crate) devices: Vec<Device>,
    /// Place of the last time that one of the devices took the head of its inbox for its cursor (a first login or a
    /// reset): the server may count everything before it as delivered.
    pub(crate) skipped: u64,
}

/// Everybody.
#[derive(Debug, Default)]
pub(crate) struct People {
    users: Vec<UserState>,
    devices: Vec<DeviceState>,
    several_apps: bool,
}

impl People {
    pub(crate) fn add_user(&mut self, app: &str, name: &str) {
        self.several_apps |= self.users.first().is_some_and(|first| first.app != app);
        self.users.push(UserState { app: app.to_owned(), name: name.to_owned(), devices: Vec::new(), skipped: 0 });
    }

    /// False if there is no such user.
    pub(crate) fn add_device(&mut self, user: User, name: &str) -> bool {
        let device = self.devices.len() as Device;
        let Some(owner) = self.users.get_mut(user as usize) else { return false };
        owner.devices.push(device);
        self.devices.push(DeviceState {
            user,
            name: name.to_owned(),
            link: Link::Down,
            first_live: None,
            reset: 0,
            epochs: 0,
            lives: 0,
            cursor: None,
            login_ms: 0,
            revoked_ms: None,
            pending: 0,
            fresh: Fresh::default(),
        });
        true
    }

    pub(crate) fn users(&self) -> usize {
        self.users.len()
    }

    pub(crate) fn devices(&self) -> usize {
        self.devices.len()
    }

    pub(crate) fn has_user(&self, user: User) -> bool {
        (user as usize) < self.users.len()
    }

    pub(crate) fn has_device(&self, device: Device) -> bool {
        (device as usize) < self.devices.len()
    }

    /// Callers have asked [`People::has_user`].
    pub(crate) fn user(&self, user: User) -> &UserState {
        &self.users[user as usize]
    }

    pub(crate) fn user_mut(&mut self, user: User) -> &mut UserState {
        &mut self.users[user as usize]
    }

    /// Callers have asked [`People::has_device`].
    pub(crate) fn device(&self, device: Device) -> &DeviceState {
        &self.devices[device as usize]
    }

    pub(crate) fn device_mut(&mut self, device: Device) -> &mut DeviceState {
        &mut self.devices[device as usize]
    }

    pub(crate) fn live_devices(&self, user: User) -> impl Iterator<Item = Device> + '_ {
        self.user(user).devices.iter().copied().filter(|device| self.device(*device).link == Link::Live)
    }

    /// `alice`, or `app:alice` if there are several apps.
    pub(crate) fn user_name(&self, user: User) -> String {
        match self.users.get(user as usize) {
            Some(UserState { app, name, .. }) if self.several_apps => format!("{app}:{name}"),
            Some(UserState { name, .. }) => name.clone(),
            None => format!("user #{user}, who does not exist,"),
        }
    }

    /// `alice/phone`.
    pub(crate) fn device_name(&self, device: Device) -> String {
        match self.devices.get(device as usize) {
            Some(DeviceState { user, name, .. }) => format!("{}/{name}", self.user_name(*user)),
            None => format!("device #{device}, which does not exist,"),
        }
    }
}
