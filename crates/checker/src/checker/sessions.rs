//! Connections and sessions of devices, and their cursors (I6, I13).

use super::{Checker, named};
use crate::history::{Device, User};
use crate::people::Link;
use crate::violation::Invariant;

impl Checker {
    pub(super) fn live(&mut self, device: Device, resumed: bool) {
        let Some(owner) = self.owner(device) else { return };
        let place = self.place;
        let state = self.people.device_mut(device);
        state.link = Link::Live;
        if state.first_live.is_none() {
            state.first_live = Some(place);
            self.people.user_mut(owner).skipped = place;
        }
        let state = self.people.device_mut(device);
        if resumed {
            self.counts.resumes += 1;
            let revoked_ms = state.revoked_ms;
            if revoked_ms.is_some_and(|revoked_ms| self.at_ms > self.silent_from(revoked_ms)) {
                self.verdict.add(Invariant::I13, || {
                    format!("{} resumes a session that was revoked", self.people.device_name(device))
                });
            }
        } else {
            self.counts.logins += 1;
            state.revoked_ms = None;
            state.login_ms = self.at_ms;
        }
    }

    pub(super) fn offline(&mut self, device: Device) {
        if self.owner(device).is_some() {
            self.people.device_mut(device).link = Link::Down;
        }
    }

    pub(super) fn stopped(&mut self, device: Device) {
        if self.owner(device).is_some() {
            self.people.device_mut(device).link = Link::Stopped;
        }
    }

    /// What it did in the very moment in which it died may not have been kept; receipts may be told anew.
    pub(super) fn crashed(&mut self, device: Device) {
        if self.owner(device).is_none() {
            return;
        }
        self.counts.crashes += 1;
        let state = self.people.device_mut(device);
        if state.link == Link::Live {
            state.link = Link::Down;
        }
        let fresh = std::mem::take(state.fresh.at(self.at_ms));
        for message in fresh.sends {
            self.messages.get_mut(message).doubtful = true;
        }
        for (conversation, read) in fresh.reads.into_iter().rev() {
            let state = self.people.device(device);
            self.conversations.get_mut(conversation).view_mut(device, state).read = read;
        }
        self.people.device_mut(device).lives += 1;
    }

    /// I6: a cursor goes up, in one life of the server's store; that life goes up, too.
    pub(super) fn cursor(&mut self, device: Device, log_epoch: u32, inbox: u64) {
        if self.owner(device).is_none() {
            return;
        }
        let state = self.people.device_mut(device);
        if let Some((before_epoch, before)) = state.cursor {
            if (log_epoch, inbox) < (before_epoch, before) {
                self.verdict.add(Invariant::I6, || {
                    let device = self.people.device_name(device);
                    format!("the cursor of {device} goes back from {before} (epoch {before_epoch}) to {inbox} (epoch {log_epoch})")
                });
                return;
            }
            state.epochs += u32::from(log_epoch > before_epoch);
        }
        state.cursor = Some((log_epoch, inbox));
        if self.epoch.is_none_or(|epoch| epoch < log_epoch) {
            self.epoch_raises += u64::from(self.epoch.is_some());
            self.epoch = Some(log_epoch);
        }
    }

    pub(super) fn reset(&mut self, device: Device) {
        let Some(owner) = self.owner(device) else { return };
        self.counts.resets += 1;
        self.people.device_mut(device).reset = self.place;
        self.people.user_mut(owner).skipped = self.place;
    }

    /// The sessions that the user's devices have are over.
    pub(super) fn revoked(&mut self, user: User) {
        if !self.people.has_user(user) {
            return self.verdict.add(Invariant::History, || format!("user #{user} does not exist"));
        }
        for device in self.people.user(user).devices.clone() {
            let state = self.people.device_mut(device);
            let old = state.login_ms + self.options.revoke_answer_ms <= self.at_ms;
            if state.first_live.is_some() && old && state.revoked_ms.is_none() {
                state.revoked_ms = Some(self.at_ms);
            }
        }
    }

    /// I13: a device whose session is over, by what it was told or by the operator, hears nothing. What reached it in
    /// time it may read late, but nothing that was written after the time to silence.
    pub(super) fn may_hear(&mut self, device: Device, peer: User, message: Option<u32>, what: &str) {
        let state = self.people.device(device);
        let stopped = state.link == Link::Stopped;
        let revoked = state.revoked_ms.is_some_and(|revoked_ms| {
            let written = message.map(|message| self.messages.get(message).sent_ms);
            self.at_ms > self.silent_from(revoked_ms)
                || written.is_some_and(|written_ms| written_ms > revoked_ms + self.options.revoked_silent_ms)
        });
        if stopped || revoked {
            let id = message.map(|message| self.messages.get(message).id);
            self.blame(Invariant::I13, device, peer, |_| {
                let over = if stopped { "it was told that its session is over" } else { "its session was revoked" };
                format!("{what} ({}) after {over}", id.map_or_else(|| "no message".to_owned(), named))
            });
        }
    }

    fn silent_from(&self, revoked_ms: u64) -> u64 {
        revoked_ms + self.options.revoked_silent_ms + self.options.late_ms
    }
}
