//! A direct conversation: its head, its rows, the keys of de-duplication, and what changes a row in place.

use std::collections::BTreeMap;
use std::sync::Arc;

use hongyan_domain::id::{ClientId, UserId};
use hongyan_domain::message::{Alteration, DirectFacts, Draft, Entry, Reaction};
use hongyan_domain::receipt::{self, Position};
use hongyan_domain::visitor::Meeting;
use hongyan_fault::mutant;
use hongyan_store::timeline::Answer;

use super::state::Place;

/// One row of the log.
#[derive(Clone, Debug)]
pub(super) struct Row {
    /// As readers get it.
    pub(super) entry: Arc<Entry>,
    /// Countable messages of `low` up to it.
    low_count: u64,
    /// Reactions in order of giving.
    given: Vec<(String, UserId)>,
}

impl Row {
    /// A row to be read as it is.
    pub(super) fn new(entry: Arc<Entry>, low_count: u64) -> Self {
        Self { entry, low_count, given: Vec::new() }
    }

    /// Its number.
    pub(super) fn seq(&self) -> u64 {
        self.entry.seq
    }

    /// Whether it is a message that can still be altered.
    fn is_alterable(&self) -> bool {
        self.entry.change_of == 0 && !self.entry.recalled
    }

    /// Bytes that it takes in a page.
    pub(super) fn size(entry: &Entry) -> usize {
        let reactions = entry.reactions.iter().map(|reaction| reaction.name.len() + 8 * reaction.users.len());
        entry.draft.body.len() + entry.draft.text.len() + reactions.sum::<usize>()
    }

    /// Changes it, as the entry `by` of `user` announces.
    pub(super) fn alter(&mut self, alteration: &Alteration, by: u64, user: UserId) -> Arc<Entry> {
        let entry = Arc::make_mut(&mut self.entry);
        entry.changed_seq = by;
        match alteration {
            Alteration::Recall => {
                entry.recalled = true;
                if mutant!("recall keeps body") {
                    return Arc::clone(&self.entry);
                }
                entry.edited = false;
                entry.draft = Draft::default();
                self.given.clear();
            }
            Alteration::Edit { body, text } => {
                entry.edited = true;
                entry.draft.body = body.clone();
                entry.draft.text.clone_from(text);
            }
            Alteration::React { name, remove } => {
                let known = self.given.iter().position(|given| given.0 == *name && given.1 == user);
                match (known, remove) {
                    (Some(known), true) => drop(self.given.remove(known)),
                    (None, false) => self.given.push((name.clone(), user)),
                    _ => {}
                }
            }
        }
        entry.reactions = reactions(&self.given);
        Arc::clone(&self.entry)
    }
}

/// By name, in order of first use.
fn reactions(given: &[(String, UserId)]) -> Vec<Reaction> {
    let mut reactions: Vec<Reaction> = Vec::new();
    for (name, user) in given {
        match reactions.iter_mut().find(|reaction| reaction.name == *name) {
            Some(reaction) => reaction.users.push(*user),
            None => reactions.push(Reaction { name: name.clone(), users: vec![*user] }),
        }
    }
    reactions
}

/// A conversation of two users, `low` ≤ `high`.
#[derive(Clone, Debug)]
pub(super) struct Conversation {
    pub(super) low: UserId,
    pub(super) high: UserId,
    pub(super) head_seq: u64,
    pub(super) message_count: u64,
    /// Countable messages of `low`; those of `high` are the rest.
    pub(super) low_count: u64,
    pub(super) access_version: u64,
    low_blocks: bool,
    high_blocks: bool,
    /// Ascending by seq. There is a gap where a backup was restored.
    rows: Vec<Row>,
    /// Who got in, with the digest of what they sent.
    pub(super) keys: BTreeMap<(UserId, ClientId), (u64, Answer)>,
}

impl Conversation {
    /// Without rows.
    pub(super) fn new(low: UserId, high: UserId) -> Self {
        Self {
            low,
            high,
            head_seq: 0,
            message_count: 0,
            low_count: 0,
            access_version: 0,
            low_blocks: false,
            high_blocks: false,
            rows: Vec::new(),
            keys: BTreeMap::new(),
        }
    }

    /// The other person; oneself in notes to oneself.
    pub(super) fn other(&self, user: UserId) -> UserId {
        if user == self.low { self.high } else { self.low }
    }

    /// Whether `user` is one of the two.
    pub(super) fn has(&self, user: UserId) -> bool {
        user == self.low || user == self.high
    }

    /// Whether `user` does not want messages of the other.
    pub(super) fn is_blocked_by(&self, user: UserId) -> bool {
        if user == self.low { self.low_blocks } else { self.high_blocks }
    }

    /// Sets or clears the block; a new one takes a right away.
    pub(super) fn set_blocked_by(&mut self, user: UserId, blocked: bool) {
        let flag = if user == self.low { &mut self.low_blocks } else { &mut self.high_blocks };
        self.access_version += u64::from(blocked && !*flag);
        *flag = blocked;
    }

    /// What decides whether `sender` may write to the other, whose meeting is of this version.
    pub(super) fn facts(&self, sender: UserId, (meeting, version): (Meeting, u64)) -> DirectFacts {
        DirectFacts {
            access_version: self.access_version + version,
            blocked_by_sender: self.is_blocked_by(sender),
            blocked_by_addressee: self.is_blocked_by(self.other(sender)),
            meeting,
        }
    }

    fn place(&self, user: UserId, seq: u64, message_count: u64, low_count: u64) -> Position {
        let own_count = if user == self.low { low_count } else { message_count - low_count };
        Position { seq, message_count, own_count }
    }

    /// The head as `user` counts.
    pub(super) fn head(&self, user: UserId) -> Position {
        self.place(user, self.head_seq, self.message_count, self.low_count)
    }

    /// The place of `seq`, at most the head, as `user` counts. In a gap it has the counts of the place below.
    pub(super) fn position(&self, user: UserId, seq: u64) -> Position {
        if seq >= self.head_seq {
            return self.head(user);
        }
        let below = self.rows.partition_point(|row| row.seq() <= seq);
        let counts =
            below.checked_sub(1).map_or((0, 0), |at| (self.rows[at].entry.message_count, self.rows[at].low_count));
        self.place(user, seq, counts.0, counts.1)
    }

    /// What `user` has not read of what they can still see.
    pub(super) fn unread(&self, user: UserId, mine: &Place) -> u64 {
        let mark = if mine.read.seq > mine.deleted.seq { mine.read } else { mine.deleted };
        let wrong = u64::from(mutant!("unread off by one") && mark.seq > 0);
        receipt::unread(self.head(user), mark) + wrong
    }

    /// The row of this seq.
    pub(super) fn row(&self, seq: u64) -> Option<&Row> {
        self.rows.binary_search_by_key(&seq, Row::seq).ok().map(|at| &self.rows[at])
    }

    /// The rows of a range, both ends included.
    pub(super) fn rows(&self, from: u64, to: u64) -> &[Row] {
        let first = self.rows.partition_point(|row| row.seq() < from);
        let end = self.rows.partition_point(|row| row.seq() <= to);
        &self.rows[first..end.max(first)]
    }

    /// Whether there is a message of this seq that can still be altered.
    pub(super) fn can_be_altered(&self, seq: u64) -> bool {
        self.row(seq).is_some_and(Row::is_alterable)
    }

    /// Changes the row `target`, as the entry `by` of `user` announces; the row as it is then.
    pub(super) fn alter(&mut self, target: u64, alteration: &Alteration, by: u64, user: UserId) -> Option<Arc<Entry>> {
        let at = self.rows.binary_search_by_key(&target, Row::seq).ok()?;
        Some(self.rows[at].alter(alteration, by, user))
    }

    /// A new row, above all others.
    pub(super) fn push(&mut self, entry: Arc<Entry>) {
        self.rows.push(Row::new(entry, self.low_count));
    }
}
