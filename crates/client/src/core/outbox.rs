//! Messages on their way out: Queued → Flying → Stored, or Failed (spec 40, appendix B). The same client_message_id
//! always; in the order of writing within a conversation; a bounded window of unanswered sends.
//!
//! The gate answers a session's sends in order or closes the connection, so several of one conversation may fly at
//! once. What was refused for now goes back to its place in the queue and holds its conversation until it is due; and
//! nothing new flies there before all is known of what had taken off behind it, because that is refused, too.

use std::collections::{BTreeMap, BTreeSet};

use hongyan_fault::mutant;
use hongyan_wire::command::Operation;
use hongyan_wire::{Millis, limits, proto};
use prost::Message as _;

use super::Core;
use super::config::Keep;
use super::event::{Event, Outgoing, SendError, SendState};
use super::link::{BreakReason, earliest};
use super::peer::Peer;
use super::requests::Pending;
use super::rows::{OutboxRow, OutboxState, Row};

/// A send that is not answered in so long is repeated on another connection, then after twice the time, and so on.
const RESEND_AFTER: Millis = Millis::seconds(5);
/// Attempts before a message counts as failed. Repeats because a connection broke by itself are none.
const TRIES_MAX: u32 = 5;
/// A message that was in the server's hands for so long without an answer has failed. Time without a link is free.
const GIVE_UP_AFTER: Millis = Millis::seconds(120);
/// First pause after a retryable refusal that gives no advice.
const RETRY_AFTER_MS: u64 = 1000;
/// What the id of a request may add to it when it is sent.
const ID_BYTES_MAX: usize = 6;
/// People that a message to a group may mention (PROTOCOL.md §21).
const MENTIONS_MAX: usize = 50;
/// Most messages that may wait.
const ROWS_MAX: usize = 10_000;

struct Waiting {
    request: proto::SendRequest,
    written_ms: u64,
    phase: Phase,
    tries: u32,
    /// Time in the server's hands, without the current flight.
    spent: Millis,
}

#[derive(Clone)]
enum Phase {
    Queued { not_before: Millis },
    Flying { since: Millis, answer_by: Millis },
    Stored { at: u64 },
    Failed { refusal: Option<proto::Refusal> },
}

/// What the server says of a message it keeps.
pub(super) struct StoredAt {
    pub(super) seq: u64,
    pub(super) inbox_seq: u64,
    pub(super) server_time_ms: u64,
    pub(super) message_count: u64,
    pub(super) stored_offline: bool,
}

pub(super) struct Outbox {
    rows: BTreeMap<u64, Waiting>,
    /// The rows in `Phase::Queued`.
    queue: BTreeSet<u64>,
    flying: usize,
    /// The newest message in the air when one of its conversation was refused for now; until all up to it have landed.
    refused: BTreeMap<Peer, u64>,
    next_local: u64,
    /// Not later than the first repeat or failure that becomes due.
    check_at: Option<Millis>,
}

impl Outbox {
    pub(super) fn restore(rows: Vec<OutboxRow>) -> Self {
        let mut outbox = Self {
            rows: BTreeMap::new(),
            queue: BTreeSet::new(),
            flying: 0,
            refused: BTreeMap::new(),
            next_local: 1,
            check_at: None,
        };
        for mut row in rows {
            let next = outbox.next_local;
            outbox.next_local =
                if mutant!("outbox numbered by its length") { next + 1 } else { next.max(row.local + 1) };
            let phase = match row.state {
                OutboxState::Queued => {
                    if mutant!("new id after restart") {
                        row.request.client_message_id =
                            row.request.client_message_id.iter().map(|byte| !byte).collect();
                    }
                    outbox.queue.insert(row.local);
                    Phase::Queued { not_before: Millis(0) }
                }
                OutboxState::Stored { at } => Phase::Stored { at },
                OutboxState::Failed { refusal } => Phase::Failed { refusal },
            };
            let OutboxRow { local, written_ms, request, .. } = row;
            outbox.rows.insert(local, Waiting { request, written_ms, phase, tries: 0, spent: Millis(0) });
        }
        outbox
    }

    pub(super) fn rows(&self) -> impl Iterator<Item = OutboxRow> {
        self.rows.keys().filter_map(|local| self.row(*local))
    }

    fn row(&self, local: u64) -> Option<OutboxRow> {
        let waiting = self.rows.get(&local)?;
        let state = match &waiting.phase {
            Phase::Queued { .. } | Phase::Flying { .. } => OutboxState::Queued,
            Phase::Stored { at } => OutboxState::Stored { at: *at },
            Phase::Failed { refusal } => OutboxState::Failed { refusal: refusal.clone() },
        };
        Some(OutboxRow { local, written_ms: waiting.written_ms, request: waiting.request.clone(), state })
    }

    pub(super) fn unsent(&self) -> usize {
        self.queue.len() + self.flying
    }

    pub(super) fn deadline(&self) -> Option<Millis> {
        self.check_at
    }

    /// The unsettled row with this id, if a synced entry is really one of ours.
    pub(super) fn unsettled(&self, client_message_id: &[u8], peer: &Peer) -> Option<u64> {
        let ours = |waiting: &Waiting| {
            waiting.request.client_message_id == client_message_id
                && peer_of(&waiting.request).as_ref() == Some(peer)
                && !matches!(waiting.phase, Phase::Stored { .. })
        };
        self.rows.iter().find(|(_, waiting)| ours(waiting)).map(|(local, _)| *local)
    }

    /// The row with this id, whether it is settled or not.
    fn of_id(&self, client_message_id: &[u8], peer: &Peer) -> Option<u64> {
        let ours = |waiting: &Waiting| {
            waiting.request.client_message_id == client_message_id && peer_of(&waiting.request).as_ref() == Some(peer)
        };
        self.rows.iter().find(|(_, waiting)| ours(waiting)).map(|(local, _)| *local)
    }

    /// What was in flight goes back to its place in the queue and is repeated at once on the next connection.
    pub(super) fn link_lost(&mut self, now: Millis) {
        self.check_at = None;
        for (local, waiting) in &mut self.rows {
            match waiting.phase {
                Phase::Flying { since, .. } => {
                    waiting.spent = waiting.spent + (now - since);
                    if !mutant!("in flight forgotten with the link") {
                        self.queue.insert(*local);
                    }
                }
                Phase::Queued { .. } => {}
                _ => continue,
            }
            waiting.phase = Phase::Queued { not_before: Millis(0) };
        }
        self.flying = 0;
        self.refused.clear();
    }

    /// A message was refused for now.
    fn note_refused(&mut self, local: u64) {
        let Some(peer) = self.rows.get(&local).and_then(|waiting| peer_of(&waiting.request)) else { return };
        let flies = |waiting: &Waiting| {
            matches!(waiting.phase, Phase::Flying { .. }) && peer_of(&waiting.request).as_ref() == Some(&peer)
        };
        let newest = self.rows.range(local..).rfind(|(_, waiting)| flies(waiting)).map_or(local, |(newest, _)| *newest);
        self.refused.entry(peer).or_insert(newest);
    }

    /// Forgets refusals whose followers have all landed, by an answer or because the inbox brought them.
    fn forget_refused(&mut self) {
        let flies = |waiting: &Waiting| matches!(waiting.phase, Phase::Flying { .. });
        let rows = &self.rows;
        self.refused.retain(|peer, newest| {
            rows.range(..=*newest)
                .any(|(_, waiting)| flies(waiting) && peer_of(&waiting.request).as_ref() == Some(peer))
        });
    }

    /// Ends the flight or the wait of a row; it lands in another phase.
    fn land(&mut self, local: u64, now: Millis, phase: Phase) {
        let Some(waiting) = self.rows.get_mut(&local) else { return };
        match waiting.phase {
            Phase::Flying { since, .. } => {
                self.flying -= 1;
                waiting.spent = waiting.spent + (now - since);
            }
            Phase::Queued { .. } => {
                self.queue.remove(&local);
            }
            _ => {}
        }
        if matches!(phase, Phase::Queued { .. }) {
            self.queue.insert(local);
        }
        waiting.phase = phase;
    }

    /// The rows that may fly now, oldest first.
    fn due(&mut self, now: Millis, window: usize) -> Vec<u64> {
        if !mutant!("refusal never forgotten") {
            self.forget_refused();
        }
        let mut due = Vec::new();
        let mut held: Vec<Peer> = Vec::new();
        for local in &self.queue {
            if self.flying + due.len() >= window {
                break;
            }
            let Some(Waiting { request, phase: Phase::Queued { not_before }, .. }) = self.rows.get(local) else {
                continue;
            };
            let Some(peer) = peer_of(request) else { continue };
            if held.contains(&peer) || self.refused.get(&peer).is_some_and(|newest| local > newest) {
                continue;
            }
            if *not_before > now {
                held.push(peer);
                self.check_at = earliest([self.check_at, Some(*not_before)]);
            } else {
                due.push(*local);
            }
        }
        due
    }

    fn has_earlier_queued(&self, local: u64) -> bool {
        let Some(waiting) = self.rows.get(&local) else { return false };
        let peer = peer_of(&waiting.request);
        self.queue
            .range(..local)
            .any(|earlier| self.rows.get(earlier).is_some_and(|earlier| peer_of(&earlier.request) == peer))
    }
}

fn peer_of(request: &proto::SendRequest) -> Option<Peer> {
    Peer::of_addressee(request.to.as_ref())
}

fn valid(request: &proto::SendRequest) -> bool {
    peer_of(request).is_some_and(|peer| !peer.name().is_empty())
        && request.mentions.len() <= MENTIONS_MAX
        && request.client_message_id.len() == limits::CLIENT_ID_BYTES
        && (1..=limits::MESSAGE_BODY_BYTES_MAX).contains(&request.body.len())
        && request.text.len() <= limits::TEXT_PROJECTION_BYTES_MAX
        && request.encoded_len() + ID_BYTES_MAX <= limits::PLAINTEXT_BYTES_MAX
}

impl Core {
    pub(super) fn enqueue(&mut self, request: proto::SendRequest, written_ms: u64) -> Result<u64, SendError> {
        if !valid(&request) {
            return Err(SendError::Invalid);
        }
        if self.outbox.rows.len() >= ROWS_MAX {
            return Err(SendError::OutboxFull);
        }
        let local = self.outbox.next_local;
        self.outbox.next_local += 1;
        let phase = Phase::Queued { not_before: Millis(0) };
        self.outbox.rows.insert(local, Waiting { request, written_ms, phase, tries: 0, spent: Millis(0) });
        self.outbox.queue.insert(local);
        self.keep_outbox_row(local);
        Ok(local)
    }

    fn keep_outbox_row(&mut self, local: u64) {
        if self.config.keep == Keep::Messages
            && let Some(row) = self.outbox.row(local)
        {
            self.rows.push(Row::Outbox(row));
        }
    }

    /// Sends what the window and the order allow.
    pub(super) fn pump_outbox(&mut self, now: Millis) {
        if !self.link.state.is_live() || self.outbox.queue.is_empty() {
            return;
        }
        for local in self.outbox.due(now, self.config.send_window) {
            self.outbox.queue.remove(&local);
            self.outbox.flying += 1;
            if let Some(waiting) = self.outbox.rows.get_mut(&local) {
                waiting.phase = Phase::Flying { since: now, answer_by: now };
                waiting.tries = waiting.tries.max(1);
            }
            self.fly(now, local);
        }
    }

    /// Writes SEND.R of a flying row and sets its timer.
    fn fly(&mut self, now: Millis, local: u64) {
        let id = self.link.next_id();
        let Some(waiting) = self.outbox.rows.get_mut(&local) else { return };
        let Phase::Flying { since, .. } = waiting.phase else { return };
        waiting.request.id = id;
        let pause = RESEND_AFTER.0 << (waiting.tries.saturating_sub(1)).min(8);
        let give_up = Millis((since + GIVE_UP_AFTER).0.saturating_sub(waiting.spent.0));
        let answer_by = (now + Millis(pause + self.jitter.up_to(pause / 4))).min(give_up);
        waiting.phase = Phase::Flying { since, answer_by };
        self.outbox.check_at = earliest([self.outbox.check_at, Some(answer_by)]);
        self.pending.insert(id, Pending::Send(local));
        if mutant!("sent means done") {
            self.rows.push(Row::OutboxDone { local });
        }
        let Some(connection) = &mut self.link.connection else { return };
        let command = hongyan_wire::Command::request(Operation::Send);
        connection
            .write_message(command, &waiting.request, now, &mut self.out)
            .expect("keys are agreed while the link is live, and the size was checked on entry");
    }

    pub(super) fn outbox_timeout(&mut self, now: Millis) {
        if !self.link.state.is_live() || self.outbox.check_at.is_none_or(|at| at > now) {
            return;
        }
        self.outbox.check_at = None;
        let mut due = Vec::new();
        for (local, waiting) in &self.outbox.rows {
            match waiting.phase {
                Phase::Flying { answer_by, .. } if answer_by <= now => due.push(*local),
                Phase::Flying { answer_by, .. } => {
                    self.outbox.check_at = earliest([self.outbox.check_at, Some(answer_by)]);
                }
                _ => {}
            }
        }
        let mut repeats = false;
        for local in due {
            let Some(waiting) = self.outbox.rows.get_mut(&local) else { continue };
            let Phase::Flying { since, .. } = waiting.phase else { continue };
            if waiting.tries >= TRIES_MAX || waiting.spent + (now - since) >= GIVE_UP_AFTER {
                self.send_failed(now, local, None);
            } else {
                waiting.tries += 1;
                repeats = true;
            }
        }
        if repeats {
            // A connection loses nothing and answers in order, so a second copy on it would only come behind what was
            // sent meanwhile. All that is unanswered goes out again in order on another one.
            self.broken(now, BreakReason::NoAnswer);
        }
    }

    pub(super) fn send_answered(&mut self, now: Millis, local: u64, answer: proto::SendAnswer) {
        if let Some(refusal) = answer.refusal {
            return self.send_refused(now, local, refusal);
        }
        let stored = StoredAt {
            seq: answer.seq,
            inbox_seq: answer.inbox_seq,
            server_time_ms: answer.server_time_ms,
            message_count: answer.message_count,
            stored_offline: answer.stored_offline,
        };
        self.settle(now, local, stored);
    }

    fn send_refused(&mut self, now: Millis, local: u64, refusal: proto::Refusal) {
        use proto::RefusalCode::{Kicked, Revoked, Unauthenticated};
        if matches!(refusal.code(), Kicked | Revoked | Unauthenticated) {
            return self.session_refused(now, refusal);
        }
        let Some(waiting) = self.outbox.rows.get(&local) else { return };
        let Phase::Flying { since, .. } = waiting.phase else { return };
        let exhausted = waiting.tries >= TRIES_MAX || waiting.spent + (now - since) >= GIVE_UP_AFTER;
        // The gate refuses what follows a refused message of the conversation; only the first one pays for it.
        let follows = self.outbox.has_earlier_queued(local);
        if !refusal.retryable || (exhausted && !follows) {
            return self.send_failed(now, local, Some(refusal));
        }
        let mut not_before = now;
        if let Some(waiting) = self.outbox.rows.get_mut(&local).filter(|_| !follows) {
            let pause = u64::from(refusal.retry_after_ms).max(RETRY_AFTER_MS << (waiting.tries - 1).min(8));
            not_before = now + Millis(pause + self.jitter.up_to(pause / 4));
            waiting.tries += 1;
        }
        self.outbox.note_refused(local);
        self.outbox.land(local, now, Phase::Queued { not_before });
        self.outbox.check_at = earliest([self.outbox.check_at, Some(not_before)]);
    }

    fn send_failed(&mut self, now: Millis, local: u64, refusal: Option<proto::Refusal>) {
        self.outbox.land(local, now, Phase::Failed { refusal: refusal.clone() });
        self.tell_outgoing(local, SendState::Failed { refusal });
        self.keep_outbox_row(local);
    }

    fn tell_outgoing(&mut self, local: u64, state: SendState) {
        let Some(waiting) = self.outbox.rows.get(&local) else { return };
        let Some(peer) = peer_of(&waiting.request) else { return };
        let client_message_id = waiting.request.client_message_id.clone();
        self.tell(Event::Outgoing(Outgoing { local, client_message_id, peer, state }));
    }

    /// Restored messages that still concern the user.
    pub(super) fn tell_restored_outbox(&mut self) {
        for row in self.outbox.rows().collect::<Vec<_>>() {
            match row.state {
                OutboxState::Queued => self.tell_outgoing(row.local, SendState::Queued),
                OutboxState::Failed { refusal } => self.tell_outgoing(row.local, SendState::Failed { refusal }),
                OutboxState::Stored { at } => {
                    // The log of a group is compared with its messages' ids when it brings them.
                    if let Some(Peer::Person(_)) = row.peer() {
                        self.inbox.await_own(at, row.local);
                    }
                }
            }
        }
    }

    /// The server keeps the message: told by its answer, or by finding it in the inbox. Late or repeated news of a
    /// row that is settled already changes nothing.
    pub(super) fn settle(&mut self, now: Millis, local: u64, at: StoredAt) {
        let Some(waiting) = self.outbox.rows.get(&local) else { return };
        if matches!(waiting.phase, Phase::Stored { .. }) {
            return;
        }
        let user = match peer_of(&waiting.request) {
            Some(Peer::Person(user)) => user,
            Some(Peer::Group(group)) => return self.settle_in_group(now, local, group, &at),
            None => return,
        };
        self.outbox.land(local, now, Phase::Stored { at: at.inbox_seq });
        let Some(waiting) = self.outbox.rows.get_mut(&local) else { return };
        let request = &mut waiting.request;
        let entry = proto::Entry {
            seq: at.seq,
            own: true,
            client_message_id: request.client_message_id.clone(),
            r#type: request.r#type,
            body: std::mem::take(&mut request.body),
            server_time_ms: at.server_time_ms,
            reply_to: request.reply_to,
            message_count: at.message_count,
            uncounted: request.uncounted,
            silent: request.silent,
            expires_at_ms: request.expires_at_ms,
            text: std::mem::take(&mut request.text),
            seen_seq: request.seen_seq,
            ..Default::default()
        };
        let client_message_id = entry.client_message_id.clone();
        self.note_message(&user, at.inbox_seq, &entry);
        if self.config.keep == Keep::Messages {
            self.rows.push(Row::Message { peer: (&user).into(), entry });
        }
        let state =
            SendState::Stored { seq: at.seq, server_time_ms: at.server_time_ms, stored_offline: at.stored_offline };
        self.tell(Event::Outgoing(Outgoing { local, client_message_id, peer: user.into(), state }));
        self.own_arrived(now, at.inbox_seq, local);
        // If its entry lies above a gap, a restart must still know that this message has been shown.
        self.keep_outbox_row(local);
    }

    /// As [`Core::settle`], of a message to a group: the group's log brings the message itself, also to this device, so it
    /// stays in the outbox until that has happened.
    fn settle_in_group(&mut self, now: Millis, local: u64, group: String, at: &StoredAt) {
        let seen_seq = self.outbox.rows.get(&local).map_or(0, |waiting| waiting.request.seen_seq);
        self.group_marked(&group, seen_seq);
        self.outbox.land(local, now, Phase::Stored { at: at.seq });
        let state =
            SendState::Stored { seq: at.seq, server_time_ms: at.server_time_ms, stored_offline: at.stored_offline };
        self.tell_outgoing(local, state);
        if self.group_has(&group, at.seq) {
            return self.forget_sent(local);
        }
        self.keep_outbox_row(local);
        self.note_group_head(now, &group, at.seq);
    }

    /// The log of a group brings a message with this id, said by this user: true if it is a row of the outbox, which is
    /// settled and forgotten then.
    pub(super) fn arrived_in_group(&mut self, now: Millis, group: &Peer, entry: &proto::Entry) -> bool {
        let id = &entry.client_message_id;
        let Some(local) = self.outbox.of_id(id, group) else { return false };
        if self.outbox.unsettled(id, group).is_some() {
            self.outbox.land(local, now, Phase::Stored { at: entry.seq });
            let server_time_ms = entry.server_time_ms;
            self.tell_outgoing(local, SendState::Stored { seq: entry.seq, server_time_ms, stored_offline: false });
        }
        self.forget_sent(local);
        true
    }

    /// What of a group lies up to here will not come again.
    pub(super) fn passed_in_group(&mut self, group: &Peer, cursor: u64) {
        let passed = |waiting: &Waiting| {
            matches!(waiting.phase, Phase::Stored { at } if at <= cursor)
                && peer_of(&waiting.request).as_ref() == Some(group)
        };
        let rows = self.outbox.rows.iter();
        let passed: Vec<_> = rows.filter(|(_, waiting)| passed(waiting)).map(|(local, _)| *local).collect();
        passed.into_iter().for_each(|local| self.forget_sent(local));
    }

    /// The cursor has passed the entry of a stored message: nothing can bring it again.
    pub(super) fn forget_sent(&mut self, local: u64) {
        if self.outbox.rows.remove(&local).is_some() {
            self.keep(|| Row::OutboxDone { local });
        }
    }

    pub(super) fn resend_failed(&mut self, local: u64) -> bool {
        let Some(waiting) = self.outbox.rows.get_mut(&local) else { return false };
        if !matches!(waiting.phase, Phase::Failed { .. }) {
            return false;
        }
        waiting.phase = Phase::Queued { not_before: Millis(0) };
        waiting.tries = 0;
        waiting.spent = Millis(0);
        self.outbox.queue.insert(local);
        self.keep_outbox_row(local);
        self.tell_outgoing(local, SendState::Queued);
        true
    }

    pub(super) fn discard_failed(&mut self, local: u64) -> bool {
        let failed = self.outbox.rows.get(&local).is_some_and(|row| matches!(row.phase, Phase::Failed { .. }));
        if failed {
            self.forget_sent(local);
        }
        failed
    }
}
