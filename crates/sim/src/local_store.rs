//! The store of one simulated device: what `hongyan_client`'s own SQLite store does with rows, in memory. It outlives the
//! device's process.

use std::collections::BTreeMap;

use hongyan_client::{ConversationRow, InboxPosition, OutboxRow, OutboxState, Restored, Row, Session, proto};

/// Everything a device has kept.
#[derive(Default)]
pub struct LocalStore {
    user: Option<String>,
    session: Option<Session>,
    inbox: Option<InboxPosition>,
    outbox: BTreeMap<u64, OutboxRow>,
    messages: BTreeMap<String, BTreeMap<u64, proto::Entry>>,
    /// What was deleted of them; not part of the store, but of what is judged.
    deletions: BTreeMap<String, Vec<proto::Deletion>>,
    conversations: BTreeMap<String, ConversationRow>,
    reads: BTreeMap<String, u64>,
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
            Row::Message { user, entry } => self.put_message(user, entry),
            Row::Deleted { user, deletion } => self.delete(&user, &deletion),
            Row::Absent { user, range } => {
                if let Some(messages) = self.messages.get_mut(&user) {
                    messages.retain(|seq, _| !(range.from..=range.to).contains(seq));
                }
            }
            Row::Conversation(row) => drop(self.conversations.insert(row.conversation.user.clone(), *row)),
            Row::ReadPending { user, seq: 0 } => drop(self.reads.remove(&user)),
            Row::ReadPending { user, seq } => drop(self.reads.insert(user, seq)),
            Row::ListWanted(before) => self.list_wanted = before,
        }
    }

    fn put_message(&mut self, user: String, entry: proto::Entry) {
        let messages = self.messages.entry(user).or_default();
        let newer = messages.get(&entry.seq).is_none_or(|known| entry.changed_seq >= known.changed_seq);
        if newer {
            messages.insert(entry.seq, entry);
        }
    }

    fn delete(&mut self, user: &str, deletion: &proto::Deletion) {
        self.deletions.entry(user.to_owned()).or_default().push(deletion.clone());
        let Some(messages) = self.messages.get_mut(user) else { return };
        messages.retain(|seq, _| !hides(deletion, *seq));
    }

    /// Messages that are here although they were deleted.
    pub fn undead(&self) -> usize {
        let is_deleted = |user: &String, seq: u64| {
            self.deletions.get(user).is_some_and(|all| all.iter().any(|deletion| hides(deletion, seq)))
        };
        let rows = self.messages.iter().flat_map(|(user, rows)| rows.keys().map(move |seq| (user, *seq)));
        rows.filter(|(user, seq)| is_deleted(user, *seq)).count()
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
    pub fn changed_seq(&self, user: &str, seq: u64) -> Option<u64> {
        Some(self.messages.get(user)?.get(&seq)?.changed_seq)
    }

    /// The messages of a conversation.
    pub fn messages(&self, user: &str) -> Option<&BTreeMap<u64, proto::Entry>> {
        self.messages.get(user)
    }

    /// What a new core starts with.
    pub fn restore(&self) -> Restored {
        Restored {
            user: self.user.clone(),
            session: self.session.clone(),
            inbox: self.inbox,
            outbox: self.outbox.values().cloned().collect(),
            conversations: self.conversations.values().cloned().collect(),
            reads: self.reads.clone(),
            list_wanted: self.list_wanted,
        }
    }
}

fn hides(deletion: &proto::Deletion, seq: u64) -> bool {
    seq <= deletion.up_to_seq || deletion.seqs.contains(&seq)
}
