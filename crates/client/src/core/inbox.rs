//! The user's inbox on this device: one contiguous cursor, nothing shown twice, nothing skipped (spec 41, 45, 52).
//!
//! Entries above a gap are set aside for a moment, because the missing one is usually on its way; then a page is asked
//! for. The cursor acknowledges cumulatively, once per burst, after its rows were kept.

use std::collections::BTreeMap;

use hongyan_fault::mutant;
use hongyan_wire::command::Operation;
use hongyan_wire::{Millis, Violation, proto};
use proto::inbox_entry::What;

use super::Core;
use super::config::Keep;
use super::event::{Event, Message};
use super::link::{BreakReason, earliest};
use super::outbox::StoredAt;
use super::rows::{InboxPosition, Row};

/// A gap may close by itself for so long.
const GAP_PATIENCE: Millis = Millis(300);
/// A device with nothing stored takes so many entries at most; if more wait, the conversation list and histories tell
/// them better.
const FIRST_SYNC_MAX: u64 = 1000;
/// Entries above a gap that are set aside; more are dropped and come again with a page.
const AHEAD_MAX: usize = 1024;
/// SYNC without an answer is repeated after so long.
const SYNC_AFTER: Millis = Millis::seconds(5);
/// Unanswered SYNCs before the link is given up.
const SYNC_TRIES_MAX: u32 = 3;
/// ACK without an answer is repeated after so long.
const ACK_AFTER: Millis = Millis::seconds(5);
/// The user's own sends move the cursor, too, but nobody waits to hear of it.
const LAZY_ACK_AFTER: Millis = Millis::seconds(20);

enum Slot {
    Entry(Box<proto::InboxEntry>),
    /// The entry of a message this device has sent: known from SEND.A, never pushed here.
    Own(u64),
}

struct Asked {
    id: u32,
    /// The cursor that was asked from.
    cursor: u64,
    tries: u32,
    again_at: Millis,
    /// How far the inbox is told to go since it was asked: the page may have been read before.
    head: u64,
}

pub(super) struct Inbox {
    position: Option<InboxPosition>,
    /// The cursor that was last written in a request.
    told: u64,
    ahead: BTreeMap<u64, Slot>,
    gap_at: Option<Millis>,
    sync: Option<Asked>,
    ack_now: bool,
    ack_lazily_at: Option<Millis>,
    ack_again_at: Option<Millis>,
    moved: bool,
}

impl Inbox {
    pub(super) fn restore(position: Option<InboxPosition>) -> Self {
        Self {
            position,
            told: 0,
            ahead: BTreeMap::new(),
            gap_at: None,
            sync: None,
            ack_now: false,
            ack_lazily_at: None,
            ack_again_at: None,
            moved: false,
        }
    }

    pub(super) fn cursor(&self) -> u64 {
        self.position.map_or(0, |position| position.cursor)
    }

    pub(super) fn log_epoch(&self) -> u32 {
        self.position.map_or(0, |position| position.log_epoch)
    }

    pub(super) fn deadline(&self) -> Option<Millis> {
        let sync = self.sync.as_ref().map(|sync| sync.again_at);
        earliest([self.gap_at, sync, self.ack_lazily_at, self.ack_again_at])
    }

    pub(super) fn link_lost(&mut self) {
        self.sync = None;
        self.gap_at = None;
        self.ack_now = false;
        self.ack_lazily_at = None;
        self.ack_again_at = None;
        // What was set aside was not kept, and comes again; what the server holds of ours must be recognised.
        self.ahead.retain(|_, slot| matches!(slot, Slot::Own(_)) && !mutant!("own above a gap forgotten"));
    }

    pub(super) fn await_own(&mut self, inbox_seq: u64, local: u64) {
        self.ahead.insert(inbox_seq, Slot::Own(local));
    }

    /// Takes everything below an entry for known, whether it is or not. That is never right: only planted bugs do it.
    fn leap_below(&mut self, inbox_seq: u64) {
        if let Some(position) = &mut self.position {
            position.cursor = position.cursor.max(inbox_seq.saturating_sub(1));
            self.ahead = self.ahead.split_off(&inbox_seq);
        }
    }

    fn move_to(&mut self, cursor: u64) {
        if let Some(position) = &mut self.position {
            debug_assert_eq!(cursor, position.cursor + 1, "the cursor moves by one");
            position.cursor = cursor;
            self.gap_at = None;
            self.moved = true;
        }
    }
}

impl Core {
    /// After a login: where this device stands.
    pub(super) fn inbox_after_login(&mut self, now: Millis, remembered: u64, head: u64, log_epoch: u32) {
        match self.inbox.position {
            None => {
                let skip = self.config.keep == Keep::Messages && head.saturating_sub(remembered) > FIRST_SYNC_MAX;
                let cursor = if skip { head } else { remembered };
                self.inbox.position = Some(InboxPosition { cursor, log_epoch });
                self.inbox.moved = true;
                self.want_list();
            }
            Some(position) if position.log_epoch != log_epoch || position.cursor > head => {
                self.reset(head, log_epoch);
            }
            Some(InboxPosition { cursor, .. }) if mutant!("login believes the server's cursor") => {
                self.inbox.position = Some(InboxPosition { cursor: remembered.min(cursor), log_epoch });
                self.inbox.moved = true;
            }
            Some(_) => {}
        }
        self.inbox.told = remembered;
        if self.inbox.cursor() < head {
            self.sync(now);
        } else {
            self.inbox.ack_now = self.inbox.cursor() > remembered;
            self.tell_caught_up();
        }
    }

    /// After a resume: its answer carried the first page. The next frame confirms the epoch.
    pub(super) fn inbox_after_resume(&mut self, now: Millis, page: Option<proto::SyncAnswer>) {
        self.inbox.told = 0;
        match page {
            Some(page) => self.page(now, page, self.inbox.cursor(), 0),
            None => self.sync(now),
        }
        if self.inbox.sync.is_none() && self.link.state.is_live() {
            self.acknowledge(now);
        }
    }

    /// Entries that the server pushed.
    pub(super) fn pushed(&mut self, now: Millis, notify: proto::MessageNotify) {
        for entry in notify.entries {
            if mutant!("cursor over a gap") {
                self.inbox.leap_below(entry.inbox_seq);
            }
            let cursor = self.inbox.cursor();
            if entry.inbox_seq <= cursor {
                // A repeat means that the server has not heard of the cursor.
                self.inbox.ack_now = true;
                self.inbox.told = 0;
            } else if entry.inbox_seq == cursor + 1 {
                self.advance(now, entry);
                self.drain(now);
            } else if self.inbox.ahead.len() < AHEAD_MAX {
                if mutant!("shown above a gap") {
                    self.apply(now, entry.clone());
                }
                self.inbox.ahead.entry(entry.inbox_seq).or_insert_with(|| Slot::Entry(Box::new(entry)));
            }
        }
        self.watch_gap(now);
    }

    /// The entry of an own message became known from its answer: it counts as received.
    pub(super) fn own_arrived(&mut self, now: Millis, inbox_seq: u64, local: u64) {
        if mutant!("own answer leaps the cursor") {
            self.inbox.leap_below(inbox_seq);
        }
        let cursor = self.inbox.cursor();
        if inbox_seq <= cursor {
            return self.forget_sent(local);
        }
        if inbox_seq == cursor + 1 {
            self.inbox.ahead.remove(&inbox_seq);
            self.inbox.move_to(inbox_seq);
            self.own_passed(now, local);
            self.drain(now);
        } else {
            self.inbox.await_own(inbox_seq, local);
        }
        self.watch_gap(now);
    }

    fn watch_gap(&mut self, now: Millis) {
        if self.inbox.ahead.is_empty() || self.inbox.sync.is_some() {
            self.inbox.gap_at = None;
        } else if self.inbox.gap_at.is_none() && self.link.state.is_live() && !mutant!("gap never asked for") {
            self.inbox.gap_at = Some(now + GAP_PATIENCE);
        }
    }

    /// Takes the next entry of the inbox.
    fn advance(&mut self, now: Millis, entry: proto::InboxEntry) {
        let inbox_seq = entry.inbox_seq;
        let known = self.inbox.ahead.remove(&inbox_seq);
        if let Some(Slot::Own(local)) = known {
            self.inbox.move_to(inbox_seq);
            return self.own_passed(now, local);
        }
        self.inbox.ack_now = true;
        self.inbox.move_to(inbox_seq);
        self.apply(now, entry);
    }

    fn own_passed(&mut self, now: Millis, local: u64) {
        self.forget_sent(local);
        self.inbox.ack_lazily_at = self.inbox.ack_lazily_at.or(Some(now + LAZY_ACK_AFTER));
    }

    /// Takes what was set aside and has become next.
    fn drain(&mut self, now: Millis) {
        loop {
            let Some(next) = self.inbox.cursor().checked_add(1) else { return };
            match self.inbox.ahead.remove(&next) {
                Some(Slot::Entry(entry)) => self.advance(now, *entry),
                Some(Slot::Own(local)) => {
                    self.inbox.move_to(next);
                    self.own_passed(now, local);
                }
                None => return,
            }
        }
    }

    fn apply(&mut self, now: Millis, entry: proto::InboxEntry) {
        let proto::InboxEntry { inbox_seq, user, what, group } = entry;
        if !group.is_empty() {
            return self.apply_to_group(group, what);
        }
        match what {
            Some(What::Entry(entry)) => self.apply_entry(now, inbox_seq, user, entry),
            Some(What::Read(mark)) => self.apply_read(inbox_seq, user, &mark),
            Some(What::Deleted(deletion)) => self.apply_deletion(inbox_seq, user, deletion),
            Some(What::Gone(gone)) => self.apply_gone(inbox_seq, user, &gone),
            // For the conversation lists of people, or told by a newer server; the place is taken all the same.
            Some(What::Claimed(_) | What::Membership(_) | What::Mentioned(_)) | None => {}
        }
    }

    fn apply_entry(&mut self, now: Millis, inbox_seq: u64, user: String, mut entry: proto::Entry) {
        if let Some(change) = entry.change.take() {
            return self.apply_change(inbox_seq, user, entry.seq, *change);
        }
        if entry.own
            && !entry.client_message_id.is_empty()
            && !mutant!("own message not recognised")
            && let Some(local) = self.outbox.unsettled(&entry.client_message_id, &(&user).into())
        {
            let at = StoredAt {
                seq: entry.seq,
                inbox_seq,
                server_time_ms: entry.server_time_ms,
                message_count: entry.message_count,
                stored_offline: false,
            };
            return self.settle(now, local, at);
        }
        self.note_message(&user, inbox_seq, &entry);
        if self.config.keep == Keep::Messages {
            self.rows.push(Row::Message { peer: (&user).into(), entry: entry.clone() });
        }
        self.tell(Event::Message(Message { peer: user.into(), entry }));
    }

    /// Somebody says how far the inbox goes.
    pub(super) fn note_head(&mut self, now: Millis, head: u64) {
        if mutant!("hint ignored") {
            return;
        }
        if let Some(sync) = &mut self.inbox.sync {
            sync.head = sync.head.max(head);
            return;
        }
        let highest = self.inbox.ahead.last_key_value().map_or(0, |(seq, _)| *seq);
        if head > self.inbox.cursor().max(highest) {
            self.sync(now);
        }
    }

    pub(super) fn heartbeat_answered(&mut self, now: Millis, answer: proto::KeepaliveAnswer) {
        if let Some(refusal) = answer.refusal {
            if !refusal.retryable {
                self.session_refused(now, refusal);
            }
            return;
        }
        if answer.log_epoch != self.inbox.log_epoch() {
            // The page will say RESET.
            self.sync(now);
        }
        self.note_head(now, answer.inbox_head);
        self.ask_lost_receipts(now);
    }

    /// Asks for the next page unless that is under way; acknowledges everything up to the cursor.
    pub(super) fn sync(&mut self, now: Millis) {
        if self.inbox.sync.is_none() && self.link.state.is_live() {
            self.ask_page(now, 1);
        }
    }

    fn ask_page(&mut self, now: Millis, tries: u32) {
        let id = self.link.next_id();
        let cursor = self.inbox.cursor();
        let request = proto::SyncRequest {
            id,
            inbox_cursor: cursor,
            limit: self.config.sync_entries,
            log_epoch: self.inbox.log_epoch(),
        };
        let pause = SYNC_AFTER.0 << (tries - 1);
        let again_at = now + Millis(pause + self.jitter.up_to(pause / 4));
        self.inbox.sync = Some(Asked { id, cursor, tries, again_at, head: 0 });
        self.inbox.gap_at = None;
        self.acknowledged();
        self.write(now, Operation::Sync, &request);
    }

    pub(super) fn page_answered(&mut self, now: Millis, id: u32, answer: proto::SyncAnswer) {
        let Some(asked_from) = self.inbox.sync.as_ref().filter(|sync| sync.id == id).map(|sync| sync.cursor) else {
            // A page that was asked for again; the newer answer will do.
            return;
        };
        if let Some(refusal) = answer.refusal {
            use proto::RefusalCode::{Kicked, Revoked, Unauthenticated};
            if matches!(refusal.code(), Kicked | Revoked | Unauthenticated) {
                return self.session_refused(now, refusal);
            }
            if !refusal.retryable {
                return self.broken(now, BreakReason::Refused(refusal));
            }
            if let Some(sync) = &mut self.inbox.sync {
                let pause = u64::from(refusal.retry_after_ms).max(1000);
                sync.again_at = now + Millis(pause + self.jitter.up_to(pause / 4));
            }
            return;
        }
        let head = self.inbox.sync.take().map_or(0, |sync| sync.head);
        self.page(now, answer, asked_from, head);
    }

    /// `head` = how far the inbox is known to go from elsewhere.
    fn page(&mut self, now: Millis, page: proto::SyncAnswer, asked_from: u64, head: u64) {
        if page.reset || page.log_epoch != self.inbox.log_epoch() {
            // What was pushed meanwhile is forgotten with the rest, but not that it exists.
            let pushed = self.inbox.ahead.last_key_value().map_or(0, |(seq, _)| *seq);
            self.reset(page.inbox_head, page.log_epoch);
            self.inbox.ack_now = true;
            self.note_head(now, head.max(pushed));
            if self.inbox.sync.is_none() {
                self.tell_caught_up();
            }
            return;
        }
        for entry in page.entries {
            let cursor = self.inbox.cursor();
            if entry.inbox_seq <= cursor {
                if mutant!("overtaken page shown") {
                    self.apply(now, entry);
                }
                continue;
            }
            if entry.inbox_seq != cursor + 1 {
                return self.broken(now, BreakReason::Violation(Violation::Malformed));
            }
            self.advance(now, entry);
            if !self.link.state.is_live() {
                return;
            }
        }
        self.drain(now);
        if page.more {
            if self.inbox.cursor() == asked_from {
                // Asking again would go on for ever. Pushes that overtook the page have moved the cursor as well.
                return self.broken(now, BreakReason::Violation(Violation::Malformed));
            }
            self.ask_page(now, 1);
            return self.note_head(now, head);
        }
        self.note_head(now, head);
        self.watch_gap(now);
        if self.inbox.ahead.is_empty() && self.inbox.sync.is_none() {
            self.tell_caught_up();
        }
    }

    fn tell_caught_up(&mut self) {
        let inbox_cursor = self.inbox.cursor();
        self.tell(Event::CaughtUp { inbox_cursor });
    }

    /// What lies between the cursor and the head cannot be had as entries: go on from the head, read states anew.
    fn reset(&mut self, head: u64, log_epoch: u32) {
        if self.inbox.log_epoch() != log_epoch {
            self.forget_counts();
            self.forget_group_places();
        }
        self.inbox.position = Some(InboxPosition { cursor: head, log_epoch });
        self.inbox.moved = true;
        self.inbox.told = 0;
        self.inbox.gap_at = None;
        for slot in std::mem::take(&mut self.inbox.ahead).into_values() {
            if let Slot::Own(local) = slot {
                self.forget_sent(local);
            }
        }
        self.forget_covered();
        self.forget_groups_covered();
        self.want_list();
        self.want_groups();
        self.tell(Event::Reset);
    }

    pub(super) fn ack_answered(&mut self, now: Millis, answer: proto::AckAnswer) {
        match answer.refusal {
            Some(refusal) if !refusal.retryable => self.session_refused(now, refusal),
            Some(_) => {}
            None if answer.inbox_cursor >= self.inbox.told => self.inbox.ack_again_at = None,
            None => {}
        }
    }

    fn acknowledged(&mut self) {
        self.inbox.told = self.inbox.cursor();
        if mutant!("gap acknowledged")
            && let Some((above, _)) = self.inbox.ahead.last_key_value()
        {
            self.inbox.told = *above;
        }
        self.inbox.ack_now = false;
        self.inbox.ack_lazily_at = None;
        self.inbox.ack_again_at = None;
    }

    fn acknowledge(&mut self, now: Millis) {
        self.acknowledged();
        self.inbox.ack_again_at = Some(now + ACK_AFTER);
        let request = proto::AckRequest { id: self.link.next_id(), inbox_cursor: self.inbox.told };
        self.write(now, Operation::Ack, &request);
    }

    /// At the end of a burst: the row of the cursor, then the acknowledgement.
    pub(super) fn finish_inbox(&mut self, now: Millis) {
        let keep_now = self.inbox.ack_now || !mutant!("cursor kept when acknowledged");
        if keep_now
            && std::mem::take(&mut self.inbox.moved)
            && let Some(position) = self.inbox.position
        {
            self.keep(|| Row::Inbox(position));
        }
        if self.inbox.ack_now && self.link.state.is_live() {
            if self.inbox.cursor() > self.inbox.told {
                self.acknowledge(now);
            }
            self.inbox.ack_now = false;
        }
    }

    pub(super) fn inbox_timeout(&mut self, now: Millis) {
        if !self.link.state.is_live() {
            return;
        }
        if self.inbox.gap_at.is_some_and(|at| at <= now) {
            self.inbox.gap_at = None;
            self.sync(now);
        }
        match &self.inbox.sync {
            Some(sync) if sync.again_at <= now && sync.tries >= SYNC_TRIES_MAX => {
                return self.broken(now, BreakReason::NoAnswer);
            }
            Some(sync) if sync.again_at <= now => {
                let tries = sync.tries + 1;
                self.ask_page(now, tries);
            }
            _ => {}
        }
        let due = |at: Option<Millis>| at.is_some_and(|at| at <= now);
        if due(self.inbox.ack_again_at) || (due(self.inbox.ack_lazily_at) && self.inbox.cursor() > self.inbox.told) {
            self.acknowledge(now);
        }
        if due(self.inbox.ack_lazily_at) {
            self.inbox.ack_lazily_at = None;
        }
    }
}
