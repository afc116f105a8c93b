//! The judge: takes one record after the other and notes what cannot be so. Each area has a file below; what is owed to
//! everybody in the end is in [`rest`].
//!
//! Every rule is written from the pages that promise it (docs/reliability.md, PROTOCOL.md, the specification). Where
//! those leave something open, or where clients cannot know, the lenient reading is taken and said so at the rule.

mod changing;
mod reading;
mod rest;
mod sending;
mod sessions;
mod showing;

use crate::conversation::Conversations;
use crate::history::{Device, Event, MessageId, Record, User};
use crate::message::Messages;
use crate::people::People;
use crate::report::{Counts, Report, Verdict};
use crate::violation::{Invariant, Violation};

/// What is promised in numbers, and how exact the history is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CheckerOptions {
    /// Violations that are kept with their sentences; all are counted.
    pub violations_max: usize,
    /// A revoked session is silent after so long (I13).
    pub revoked_silent_ms: u64,
    /// So long the operator may have waited for the answer to a revocation: a login within that time before the answer
    /// was recorded may be younger than the revocation.
    pub revoke_answer_ms: u64,
    /// So late a device may read what reached it in time: 0, unless the history was made with devices that are stopped
    /// or with links that delay.
    pub late_ms: u64,
    /// A resource at rest may differ by so many percent (I12) …
    pub resource_percent_max: u64,
    /// … or by so much.
    pub resource_difference_max: u64,
}

impl Default for CheckerOptions {
    fn default() -> Self {
        Self {
            violations_max: 100,
            revoked_silent_ms: 5_000,
            revoke_answer_ms: 1_000,
            late_ms: 0,
            resource_percent_max: 5,
            resource_difference_max: 2,
        }
    }
}

/// The judge of one history. The cost of a record does not depend on how many came before, but for those that ask what
/// is owed at rest.
#[derive(Debug)]
pub struct Checker {
    options: CheckerOptions,
    people: People,
    messages: Messages,
    conversations: Conversations,
    verdict: Verdict,
    counts: Counts,
    /// The place of the record in the history, from 1.
    place: u64,
    at_ms: u64,
    /// Nothing has happened since everything was at rest.
    at_rest: bool,
    /// The highest log epoch of any cursor, and how often it was raised.
    epoch: Option<u32>,
    epoch_raises: u64,
    /// The record before this one was the sending of this message.
    last_send: Option<u32>,
}

impl Default for Checker {
    fn default() -> Self {
        Self::new(CheckerOptions::default())
    }
}

impl Checker {
    /// The judge of an empty history.
    pub fn new(options: CheckerOptions) -> Self {
        Self {
            options,
            people: People::default(),
            messages: Messages::default(),
            conversations: Conversations::default(),
            verdict: Verdict::new(options.violations_max),
            counts: Counts::default(),
            place: 0,
            at_ms: 0,
            at_rest: false,
            epoch: None,
            epoch_raises: 0,
            last_send: None,
        }
    }

    /// Takes the next record.
    pub fn take(&mut self, record: &Record) {
        self.place += 1;
        self.at_ms = record.at_ms;
        self.verdict.at_ms = record.at_ms;
        self.counts.records += 1;
        self.at_rest &= tells_of_rest(&record.event);
        let last_send = self.last_send.take();
        match record.event {
            Event::User { ref app, ref name } => self.people.add_user(app, name),
            Event::Device { user, ref name } => self.device(user, name),
            Event::Live { device, resumed } => self.live(device, resumed),
            Event::Offline { device } => self.offline(device),
            Event::Stopped { device, .. } => self.stopped(device),
            Event::Crashed { device } => self.crashed(device),
            Event::Send { device, to, id, digest } => self.send(device, to, id, digest),
            Event::Acked { device, to, id, seq } => self.acked(device, to, id, seq),
            Event::Failed { device, to, id, refused } => self.failed(device, to, id, refused),
            Event::Shown { device, peer, own, seq, id, digest } => {
                self.shown(device, peer, &showing::Sighting { own, seq, id, digest });
            }
            Event::Change { device, peer, seq, kind, digest } => self.change(device, peer, seq, kind, digest),
            Event::ChangeDone { device, peer, seq, at_seq } => self.change_done(device, peer, seq, at_seq),
            Event::Changed { device, peer, seq, at_seq, recalled, digest } => {
                self.changed(device, peer, &changing::News { seq, at_seq, recalled, digest });
            }
            Event::Read { device, peer, seq } => self.read(device, peer, seq, last_send),
            Event::Receipt { device, peer, delivered_seq, read_seq } => {
                self.receipt(device, peer, delivered_seq, read_seq);
            }
            Event::Block { device, peer, blocked } => self.block(device, peer, blocked),
            Event::BlockAsked { device, peer, blocked } => self.block_asked(device, peer, blocked),
            Event::Delete { device, peer, up_to_seq, ref seqs } => self.delete(device, peer, up_to_seq, seqs),
            Event::Cursor { device, log_epoch, inbox } => self.cursor(device, log_epoch, inbox),
            Event::Reset { device } => self.reset(device),
            Event::Revoked { user } => self.revoked(user),
            Event::Healed => {}
            Event::AtRest => self.rest(),
            Event::Presence { user, connected } => self.presence(user, connected),
            Event::Unread { device, peer, read_seq, unread } => self.unread(device, peer, read_seq, unread),
            Event::Resource { ref name, before, after } => self.resource(name, before, after),
            Event::Panic { ref what } => {
                self.verdict.add(Invariant::I12, || format!("this must never happen: {what}"));
            }
        }
    }

    /// What is broken so far, as far as it is kept.
    pub fn violations(&self) -> &[Violation] {
        self.verdict.kept()
    }

    /// Cases so far.
    pub fn violations_total(&self) -> u64 {
        self.verdict.total()
    }

    /// The judgement.
    pub fn finish(mut self) -> Report {
        self.counts.users = self.people.users() as u64;
        self.counts.devices = self.people.devices() as u64;
        self.counts.conversations = self.conversations.len() as u64;
        self.verdict.report(self.counts)
    }

    fn device(&mut self, user: User, name: &str) {
        if !self.people.add_device(user, name) {
            self.verdict
                .add(Invariant::History, || format!("device {name} belongs to user #{user}, who does not exist"));
        }
    }

    /// The user of a device; reports one that was never introduced.
    fn owner(&mut self, device: Device) -> Option<User> {
        if self.people.has_device(device) {
            return Some(self.people.device(device).user);
        }
        self.verdict.add(Invariant::History, || format!("device #{device} does not exist"));
        None
    }

    /// The user of a device that has to do with `peer`; reports those that were never introduced.
    fn owner_with(&mut self, device: Device, peer: User) -> Option<User> {
        let owner = self.owner(device)?;
        if self.people.has_user(peer) {
            return Some(owner);
        }
        let people = &self.people;
        self.verdict.add(Invariant::History, || {
            format!("{} has to do with user #{peer}, who does not exist", people.device_name(device))
        });
        None
    }

    /// The conversation of a device's user with `peer`.
    fn conversation_with(&mut self, device: Device, peer: User) -> Option<(User, u32)> {
        let owner = self.owner_with(device, peer)?;
        Some((owner, self.conversations.find_or_add(owner, peer)))
    }

    /// Adds a violation whose sentence begins with the device and speaks of its conversation with `peer`.
    fn blame(&mut self, invariant: Invariant, device: Device, peer: User, what: impl FnOnce(&People) -> String) {
        let people = &self.people;
        self.verdict.add(invariant, || {
            let (device, peer) = (people.device_name(device), people.user_name(peer));
            format!("{device}, with {peer}: {}", what(people))
        });
    }
}

/// What may follow [`Event::AtRest`] without ending it.
fn tells_of_rest(event: &Event) -> bool {
    matches!(
        event,
        Event::Healed
            | Event::AtRest
            | Event::Presence { .. }
            | Event::Unread { .. }
            | Event::Resource { .. }
            | Event::Panic { .. }
            | Event::Cursor { .. }
            | Event::Receipt { .. }
    )
}

/// As ids are written in histories.
fn named(id: MessageId) -> String {
    format!("message {id:032x}")
}
