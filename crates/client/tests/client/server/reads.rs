//! What the tiny server answers to those who only ask, and what tests look at: changes nothing.

use std::collections::BTreeMap;

use bytes::Bytes;
use hongyan_client::proto;
use proto::inbox_entry::What;

use super::{Line, LineId, Server, User, pair};

impl Server {
    /// The connections that may be told something.
    pub(super) fn lines_of(&self, user: &str) -> Vec<LineId> {
        let alive = |line: &Line| {
            let session = line.session.map(|sid| &self.sessions[&sid]);
            line.open
                && line.unconfirmed_epoch.is_none()
                && session.is_some_and(|session| session.user == user && session.ended.is_none())
        };
        self.lines.iter().filter(|(_, line)| alive(line)).map(|(id, _)| *id).collect()
    }

    pub(super) fn user_of(&self, id: LineId) -> String {
        let sid = self.lines[&id].session.expect("only after login");
        self.sessions[&sid].user.clone()
    }

    pub(super) fn device_of(&self, id: LineId) -> Bytes {
        let sid = self.lines[&id].session.expect("only after login");
        self.sessions[&sid].device.clone()
    }

    pub(super) fn receipt(&self, user: &str, reader: &str) -> proto::Receipt {
        let of = |map: &BTreeMap<String, u64>| map.get(reader).copied().unwrap_or(0);
        let (delivered_seq, read_seq) =
            self.users.get(user).map_or((0, 0), |user| (of(&user.delivered), of(&user.read)));
        proto::Receipt { user: user.to_owned(), delivered_seq, read_seq }
    }

    pub(super) fn unread(&self, reader: &str, other: &str) -> u64 {
        let read = self.users[reader].read.get(other).copied().unwrap_or(0);
        let log = self.logs.get(&pair(reader, other)).map_or(&[][..], Vec::as_slice);
        let unread =
            |(author, entry): &&(String, proto::Entry)| author != reader && entry.change.is_none() && entry.seq > read;
        log.iter().filter(unread).count() as u64
    }

    pub(super) fn history(&self, reader: &str, request: &proto::HistoryRequest) -> proto::HistoryAnswer {
        let reader = if request.as_visitor.is_empty() { reader } else { &request.as_visitor };
        let log = self.logs.get(&pair(reader, &request.user)).map_or(&[][..], Vec::as_slice);
        let head = log.len();
        let limit = request.limit as usize;
        let (from, to) = if request.after_seq > 0 {
            let from = request.after_seq as usize;
            (from.min(head), (from + limit).min(head))
        } else {
            let to = if request.before_seq > 0 { (request.before_seq as usize - 1).min(head) } else { head };
            (to.saturating_sub(limit), to)
        };
        let seen = log[from..to].iter().filter(|(_, entry)| !self.hides(reader, &request.user, entry.seq));
        let entries = seen.map(|(author, entry)| as_read_by(reader, author, entry)).collect();
        let (covered_from, covered_to) = if from < to { (from as u64 + 1, to as u64) } else { (0, 0) };
        let as_of = head as u64;
        proto::HistoryAnswer { id: request.id, refusal: None, entries, covered_from, covered_to, as_of, low_seq: 1 }
    }

    /// Whether the reader has deleted it.
    fn hides(&self, reader: &str, other: &str, seq: u64) -> bool {
        let hides = |entry: &proto::InboxEntry| match &entry.what {
            Some(What::Deleted(deletion)) => {
                entry.user == other && (seq <= deletion.up_to_seq || deletion.seqs.contains(&seq))
            }
            _ => false,
        };
        self.users.get(reader).is_some_and(|user| user.inbox.iter().any(hides))
    }

    pub(super) fn conversations(
        &self,
        reader: &str,
        request: &proto::ConversationsRequest,
    ) -> proto::ConversationsAnswer {
        let user = &self.users[reader];
        let mut activity: BTreeMap<&str, u64> = BTreeMap::new();
        for entry in &user.inbox {
            activity.insert(&entry.user, entry.inbox_seq);
        }
        let mut rows: Vec<_> =
            activity.into_iter().filter(|row| request.before == 0 || row.1 < request.before).collect();
        rows.sort_by_key(|row| std::cmp::Reverse(row.1));
        let more = rows.len() > request.limit as usize;
        rows.truncate(request.limit as usize);
        let conversation = |(other, activity): (&str, u64)| {
            let log = self.logs.get(&pair(reader, other)).map_or(&[][..], Vec::as_slice);
            let is_seen = |entry: &proto::Entry| entry.change.is_none() && !self.hides(reader, other, entry.seq);
            let last = log.iter().rev().find(|(_, entry)| is_seen(entry));
            let receipt = self.receipt(other, reader);
            proto::Conversation {
                user: other.to_owned(),
                activity,
                head_seq: log.len() as u64,
                low_seq: 1,
                unread: self.unread(reader, other),
                read_seq: user.read.get(other).copied().unwrap_or(0),
                peer_delivered_seq: receipt.delivered_seq,
                peer_read_seq: receipt.read_seq,
                last: last.map(|(author, entry)| as_read_by(reader, author, entry)),
                blocked: false,
                ..proto::Conversation::default()
            }
        };
        proto::ConversationsAnswer {
            id: request.id,
            refusal: None,
            conversations: self.adopted.iter().cloned().chain(rows.into_iter().map(conversation)).collect(),
            more,
            inbox_head: user.inbox.len() as u64,
            log_epoch: self.log_epoch,
        }
    }

    pub fn inbox_head(&self, user: &str) -> u64 {
        self.users.get(user).map_or(0, |user| user.inbox.len() as u64)
    }

    pub fn cursor(&self, user: &str, device: &Bytes) -> u64 {
        self.users[user].cursors.get(device).copied().unwrap_or(0)
    }

    /// Texts of a conversation in the order of the log, with their authors.
    pub fn texts(&self, a: &str, b: &str) -> Vec<(String, String)> {
        let log = self.logs.get(&pair(a, b)).map_or(&[][..], Vec::as_slice);
        let messages = log.iter().filter(|(_, entry)| entry.change.is_none());
        messages.map(|(author, entry)| (author.clone(), String::from_utf8(entry.body.to_vec()).unwrap())).collect()
    }

    pub fn unread_of(&self, reader: &str, other: &str) -> u64 {
        self.unread(reader, other)
    }
}

pub(super) fn as_read_by(reader: &str, author: &str, entry: &proto::Entry) -> proto::Entry {
    let own = reader == author;
    let client_message_id = if own { entry.client_message_id.clone() } else { Bytes::new() };
    let seen_seq = if own { entry.seen_seq } else { 0 };
    let own = own && entry.change.is_none();
    proto::Entry { own, client_message_id, seen_seq, ..entry.clone() }
}

/// What the user has hidden is gone.
fn as_it_is_now(user: &User, entry: &proto::InboxEntry) -> proto::InboxEntry {
    let Some(What::Entry(proto::Entry { seq, change: None, .. })) = entry.what else { return entry.clone() };
    let hides = |later: &proto::InboxEntry| match &later.what {
        Some(What::Deleted(deletion)) => {
            later.user == entry.user && (seq <= deletion.up_to_seq || deletion.seqs.contains(&seq))
        }
        _ => false,
    };
    if !user.inbox.iter().any(hides) {
        return entry.clone();
    }
    let read_seq = user.read.get(&entry.user).copied().unwrap_or(0);
    proto::InboxEntry { what: Some(What::Gone(proto::Gone { seq, read_seq })), ..entry.clone() }
}

pub(super) fn page(user: &User, log_epoch: u32, cursor: u64, cursor_epoch: u32, limit: u32) -> proto::SyncAnswer {
    let head = user.inbox.len() as u64;
    let mut page = proto::SyncAnswer { inbox_head: head, log_epoch, ..Default::default() };
    if cursor_epoch != log_epoch || cursor < user.trimmed || cursor > head {
        page.reset = true;
        return page;
    }
    page.entries =
        user.inbox[cursor as usize..].iter().take(limit as usize).map(|entry| as_it_is_now(user, entry)).collect();
    page.more = cursor + (page.entries.len() as u64) < head;
    page
}
