//! The store of one simulated device: what `hongyan_client`'s own SQLite store does with rows, in memory. It outlives the
//! device's process.

use std::collections::BTreeMap;

use hongyan_client::{
    ConversationRow, GroupRow, InboxPosition, OutboxRow, OutboxState, Peer, Restored, Row, Session, proto,
};

/// Everything a device has kept.
#[derive(Default)]
pub struct LocalStore {
    user: Option<String>,
    session: Option<Session>,
    inbox: Option<InboxPosition>,
    outbox: BTreeMap<u64, OutboxRow>,
    messages: BTreeMap<Peer, BTreeMap<u64, proto::Entry>>,
    /// What was deleted of them; not part of the store, but of what is judged.
    deletions: BTreeMap<Peer, Vec<proto::Deletion>>,
    conversations: BTreeMap<String, ConversationRow>,
    groups: BTreeMap<String, GroupRow>,
    groups_token: u64,
    reads: BTreeMap<Peer, u64>,
    list_wanted: Option<u64>,
}

impl LocalStore {
    /// Keeps one row.
    pub fn apply(&mut self, row: Row) {
        match row {
            Row::User(user) => self.user = Some(user),
            Row::Session(session) => self.session = session,
            Row::Inbox(position) => self.inbox = Some(position),
            Row::Outbox(row) => drop(self.outbox.insert(row.local, row)),
            Row::OutboxDone { local } => drop(self.outbox.remove(&local)),
            Row::Message { peer, entry } => self.put_message(peer, entry),
            Row::Deleted { peer, deletion } => self.delete(peer, deletion),
            Row::Absent { peer, range } => {
                if let Some(messages) = self.messages.get_mut(&peer) {
                    messages.retain(|seq, _| !(range.from..=range.to).contains(seq));
                }
            }
            Row::Conversation(row) => drop(self.conversations.insert(row.conversation.user.clone(), *row)),
            Row::Group(row) => drop(self.groups.insert(row.group.group.clone(), *row)),
            Row::GroupsToken(token) => self.groups_token = token,
            Row::ReadPending { peer, seq: 0 } => drop(self.reads.remove(&peer)),
            Row::ReadPending { peer, seq } => drop(self.reads.insert(peer, seq)),
            Row::ListWanted(before) => self.list_wanted = before,
        }
    }

    fn put_message(&mut self, peer: Peer, entry: proto::Entry) {
        let messages = self.messages.entry(peer).or_default();
        let newer = messages.get(&entry.seq).is_none_or(|known| entry.changed_seq >= known.changed_seq);
        if newer {
            messages.insert(entry.seq, entry);
        }
    }

    fn delete(&mut self, peer: Peer, deletion: proto::Deletion) {
        if let Some(messages) = self.messages.get_mut(&peer) {
            messages.retain(|seq, _| !hides(&deletion, *seq));
        }
        self.deletions.entry(peer).or_default().push(deletion);
    }

    /// Messages that are here although they were deleted.
    pub fn undead(&self) -> usize {
        let is_deleted = |peer: &Peer, seq: u64| {
            self.deletions.get(peer).is_some_and(|all| all.iter().any(|deletion| hides(deletion, seq)))
        };
        let rows = self.messages.iter().flat_map(|(peer, rows)| rows.keys().map(move |seq| (peer, *seq)));
        rows.filter(|(peer, seq)| is_deleted(peer, *seq)).count()
    }

    /// Whether this is the secret of the session that is kept.
    pub fn has_session(&self, secret: &[u8; 32]) -> bool {
        self.session.as_ref().is_some_and(|session| session.secret == *secret)
    }

    /// Messages that wait to be sent.
    pub fn unsent(&self) -> usize {
        self.outbox.values().filter(|row| row.state == OutboxState::Queued).count()
    }

    /// The last change of a message that is kept; 0 = it never changed.
    pub fn changed_seq(&self, peer: &Peer, seq: u64) -> Option<u64> {
        Some(self.messages.get(peer)?.get(&seq)?.changed_seq)
    }

    /// The messages of a conversation.
    pub fn messages(&self, peer: &Peer) -> Option<&BTreeMap<u64, proto::Entry>> {
        self.messages.get(peer)
    }

    /// What a new core starts with.
    pub fn restore(&self) -> Restored {
        Restored {
            user: self.user.clone(),
            session: self.session.clone(),
            inbox: self.inbox,
            outbox: self.outbox.values().cloned().collect(),
            conversations: self.conversations.values().cloned().collect(),
            groups: self.groups.values().cloned().collect(),
            groups_token: self.groups_token,
            reads: self.reads.clone(),
            list_wanted: self.list_wanted,
        }
    }
}

fn hides(deletion: &proto::Deletion, seq: u64) -> bool {
    seq <= deletion.up_to_seq || deletion.seqs.contains(&seq)
}
