//! One conversation as the screen knows it: the part of its messages that was read so far, what is on its way out, the
//! draft, and the place where the reader is. Asks for nothing; the model does.

use std::collections::BTreeMap;

use bytes::Bytes;
use hongyan_client::proto::{Conversation, Deletion, Entry, Group, RefusalCode};
use hongyan_client::{MessageRange, OutboxRow, OutboxState, Peer};

use crate::peer;

use super::composer::Composer;
use super::intent::Problem;

/// Messages kept of a conversation that is not on screen.
const KEPT_MAX: usize = 200;
/// Messages kept of the conversation on screen while its reader is at the newest.
const OPEN_MAX: usize = 2_000;
/// What somebody types is forgotten after so long (PROTOCOL.md §11).
const TYPING_MS: u64 = 6_000;

/// Names a message on the screen.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Key {
    /// Its place in the conversation.
    Seq(u64),
    /// Its own id, as long as it has no place.
    Outgoing(Bytes),
}

/// A message on its way out.
#[derive(Clone, Debug, PartialEq)]
pub struct Outgoing {
    /// Its id.
    pub client_message_id: Bytes,
    /// Its row of the outbox, once it is there.
    pub local: Option<u64>,
    /// In words.
    pub text: String,
    /// The quoted message, 0 = none.
    pub reply_to: u64,
    /// When it was written.
    pub written_ms: u64,
    /// Given up, and why.
    pub failure: Option<Problem>,
}

/// What is known of the newest messages.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Newest {
    /// To be asked for.
    Wanted,
    /// Asked for.
    Loading,
    /// All of them.
    Known,
    /// What this device keeps; to be asked for again once the server can be reached.
    Partial,
}

/// What is known of older messages.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Older {
    /// There may be some.
    More,
    /// Asked for.
    Loading,
    /// There are none.
    End,
    /// They could not be asked for.
    Unreachable,
}

/// Where the reader is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Place {
    /// At the newest message, and stays there.
    Bottom,
    /// Some message is at the top.
    At {
        /// Which one.
        key: Key,
        /// The row of it that is at the top; negative for rows above it that belong to it, such as the day.
        row: isize,
    },
}

/// One conversation.
#[derive(Debug)]
pub struct Talk {
    /// With whom.
    pub peer: Peer,
    /// As the list shows it; of a group, what it has in common with a conversation of two.
    pub summary: Conversation,
    /// What is known of the group, if it is one.
    pub group: Option<Box<Group>>,
    /// Who types.
    pub typist: String,
    /// By seq. If `newest` is known, everything from `from_seq` on.
    pub messages: BTreeMap<u64, Entry>,
    /// Nothing is missing above it.
    pub from_seq: u64,
    /// What is known of the newest messages.
    pub newest: Newest,
    /// What is known of older ones.
    pub older: Older,
    /// In the order of writing.
    pub outgoing: Vec<Outgoing>,
    /// Where the reader is.
    pub place: Place,
    /// What is being written.
    pub composer: Composer,
    /// The message being quoted.
    pub reply_to: Option<u64>,
    /// The own message being written anew, and the draft that waits meanwhile.
    pub editing: Option<(u64, Composer)>,
    /// Messages above it are marked as new.
    pub new_after: Option<u64>,
    /// The highest read mark that was asked for.
    pub marked_seq: u64,
    /// When this user was last told to be typing here; 0 = not.
    pub typing_told_ms: u64,
    typing_until_ms: u64,
}

impl Talk {
    /// A conversation that is not known yet.
    pub fn new(peer: Peer) -> Self {
        Self {
            summary: Conversation { user: peer.person().unwrap_or_default().to_owned(), ..Default::default() },
            peer,
            group: None,
            typist: String::new(),
            messages: BTreeMap::new(),
            from_seq: 0,
            newest: Newest::Wanted,
            older: Older::More,
            outgoing: Vec::new(),
            place: Place::Bottom,
            composer: Composer::default(),
            reply_to: None,
            editing: None,
            new_after: None,
            marked_seq: 0,
            typing_told_ms: 0,
            typing_until_ms: 0,
        }
    }

    /// The other person types.
    pub fn is_typing(&self, now_ms: u64) -> bool {
        now_ms < self.typing_until_ms
    }

    /// How it is called on screen: the person's name, or the group's title.
    pub fn title(&self) -> String {
        let title = self.group.as_ref().and_then(|group| group.profile.as_ref()?.title.as_deref());
        match (&self.peer, title) {
            (Peer::Group(group), Some(title)) if !title.is_empty() && title != group => format!("#{title}"),
            (peer, _) => peer::shown(peer),
        }
    }

    /// Nobody can be written to here any more.
    pub fn is_over(&self) -> bool {
        self.group.as_ref().is_some_and(|group| group.left || group.dissolved)
    }

    /// The group as it is now.
    pub fn note_group(&mut self, group: Box<Group>) {
        self.summary = Conversation {
            head_seq: group.head_seq,
            low_seq: group.low_seq,
            unread: group.unread,
            read_seq: group.read_seq,
            last: group.last.clone(),
            // Members' marks are counted, not shown at each message.
            ..Default::default()
        };
        self.group = Some(group);
    }

    /// They began or stopped.
    pub fn note_typing(&mut self, now_ms: u64, user: String, stopped: bool) {
        self.typist = user;
        self.typing_until_ms = if stopped { 0 } else { now_ms + TYPING_MS };
    }

    /// A new message.
    pub fn note_message(&mut self, entry: Entry) {
        if !entry.own {
            self.typing_until_ms = 0;
        }
        self.forget_outgoing(&entry.client_message_id);
        let known = match self.newest {
            // The page that will be asked for has it.
            Newest::Wanted => false,
            Newest::Known => entry.seq >= self.from_seq,
            Newest::Loading | Newest::Partial => true,
        };
        if known {
            self.keep(entry);
        }
        // A window that stays open for months must not grow for months. An older page on its way would leave a hole.
        if self.place == Place::Bottom && self.messages.len() > OPEN_MAX && self.older != Older::Loading {
            self.trim();
        }
    }

    /// A message as it is now.
    pub fn note_change(&mut self, entry: Entry) {
        if self.messages.contains_key(&entry.seq) {
            self.keep(entry);
        }
    }

    fn keep(&mut self, entry: Entry) {
        let is_older = |known: &Entry| known.changed_seq > entry.changed_seq;
        if !self.messages.get(&entry.seq).is_some_and(is_older) {
            self.messages.insert(entry.seq, entry);
        }
    }

    /// A message is gone.
    pub fn note_gone(&mut self, seq: u64) {
        self.messages.remove(&seq);
    }

    /// The user hides messages.
    pub fn note_deletion(&mut self, deletion: &Deletion) {
        self.messages.retain(|seq, _| *seq > deletion.up_to_seq && !deletion.seqs.contains(seq));
    }

    /// A message that this device wrote.
    pub fn note_outgoing(&mut self, outgoing: Outgoing) {
        self.outgoing.push(outgoing);
    }

    /// A row of the outbox, as it was when the program started.
    pub fn restore_outgoing(&mut self, row: &OutboxRow) {
        let failure = match &row.state {
            OutboxState::Queued => None,
            OutboxState::Failed { refusal } => Some(problem_of(refusal.as_ref().map(|refusal| refusal.code()))),
            // It is in the conversation already.
            OutboxState::Stored { .. } => return,
        };
        let request = &row.request;
        let id = &request.client_message_id;
        if self.outgoing.iter().any(|known| known.client_message_id == *id) {
            return;
        }
        self.outgoing.push(Outgoing {
            client_message_id: id.clone(),
            local: Some(row.local),
            text: crate::entry::body_words(request.r#type, &request.body, &request.text),
            reply_to: request.reply_to,
            written_ms: row.written_ms,
            failure,
        });
    }

    /// A message of this device, as long as it is on its way.
    pub fn outgoing_mut(&mut self, client_message_id: &[u8]) -> Option<&mut Outgoing> {
        self.outgoing.iter_mut().find(|outgoing| outgoing.client_message_id == client_message_id)
    }

    /// It has arrived, or is given up for good.
    pub fn forget_outgoing(&mut self, client_message_id: &[u8]) -> Option<Outgoing> {
        let at = self.outgoing.iter().position(|outgoing| outgoing.client_message_id == client_message_id)?;
        let outgoing = self.outgoing.remove(at);
        Some(outgoing)
    }

    /// The server keeps a message of this device: it takes its place.
    pub fn note_stored(&mut self, client_message_id: &Bytes, seq: u64, server_time_ms: u64) {
        let Some(outgoing) = self.forget_outgoing(client_message_id) else { return };
        if let Place::At { key, .. } = &mut self.place
            && *key == Key::Outgoing(client_message_id.clone())
        {
            *key = Key::Seq(seq);
        }
        self.note_message(Entry {
            seq,
            own: true,
            client_message_id: client_message_id.clone(),
            body: outgoing.text.into_bytes().into(),
            server_time_ms,
            reply_to: outgoing.reply_to,
            ..Default::default()
        });
    }

    /// A page that was asked for.
    pub fn note_page(&mut self, before_seq: u64, result: Result<MessageRange, Problem>) {
        match (before_seq, result) {
            (0, Ok(range)) => self.note_newest(range),
            (0, Err(_)) => self.newest = Newest::Partial,
            // What it would have joined was forgotten meanwhile: there would be a hole.
            _ if before_seq != self.from_seq => {}
            (_, Ok(range)) => self.note_older(range),
            (_, Err(_)) => self.older = Older::Unreachable,
        }
    }

    fn note_newest(&mut self, range: MessageRange) {
        if !range.complete {
            self.newest = Newest::Partial;
            self.older = Older::Unreachable;
            self.from_seq = 0;
            return self.keep_all(range.entries);
        }
        // Without a range there is nothing.
        let from_seq = range.covered.map_or(0, |covered| covered.from);
        self.messages.retain(|seq, _| *seq >= from_seq);
        self.from_seq = from_seq;
        self.newest = Newest::Known;
        self.older = if from_seq <= range.low_seq.max(1) { Older::End } else { Older::More };
        self.keep_all(range.entries);
    }

    fn note_older(&mut self, range: MessageRange) {
        let (complete, low_seq) = (range.complete, range.low_seq);
        let covered = range.covered;
        self.keep_all(range.entries);
        self.older = match covered {
            _ if !complete => Older::Unreachable,
            None => Older::End,
            Some(covered) => {
                self.from_seq = covered.from;
                self.messages.retain(|seq, _| *seq >= covered.from);
                if covered.from <= low_seq.max(1) { Older::End } else { Older::More }
            }
        };
    }

    fn keep_all(&mut self, entries: Vec<Entry>) {
        for entry in entries {
            self.forget_outgoing(&entry.client_message_id);
            self.keep(entry);
        }
    }

    /// What was only known in part is to be asked for.
    pub fn link_is_live(&mut self) {
        if self.newest == Newest::Partial {
            self.newest = Newest::Wanted;
        }
        if self.older == Older::Unreachable {
            self.older = Older::More;
        }
    }

    /// What was read may have changed unseen.
    pub fn reset(&mut self) {
        self.messages.clear();
        self.from_seq = 0;
        self.newest = Newest::Wanted;
        self.older = Older::More;
        self.place = Place::Bottom;
    }

    /// It leaves the screen.
    pub fn leave(&mut self) {
        self.new_after = None;
        self.place = Place::Bottom;
        self.trim();
    }

    /// Forgets the oldest messages, which can be read again, if there are more than enough.
    fn trim(&mut self) {
        if self.newest == Newest::Known
            && let Some((first, _)) = self.messages.iter().nth_back(KEPT_MAX)
        {
            self.messages = self.messages.split_off(&(first + 1));
            self.from_seq = self.messages.keys().next().copied().unwrap_or(0);
            self.older = Older::More;
        }
    }

    /// The next page to ask for, if the reader is at the top of what is known. Marks it as asked for.
    pub fn wanted_page(&mut self, at_top: bool) -> Option<u64> {
        match (self.newest, self.older) {
            (Newest::Wanted, _) => {
                self.newest = Newest::Loading;
                Some(0)
            }
            (Newest::Known, Older::More) if at_top => {
                self.older = Older::Loading;
                Some(self.from_seq)
            }
            _ => None,
        }
    }

    /// How far this user has read, if everything new is on screen and nobody was told.
    pub fn wanted_mark(&mut self) -> Option<u64> {
        if self.newest != Newest::Known {
            return None;
        }
        let newest = self.messages.values().rev().find(|entry| !entry.own).map_or(0, |entry| entry.seq);
        // Unread messages that cannot be seen, because they were deleted, are read as well.
        let seq = if self.summary.unread > 0 { newest.max(self.summary.head_seq) } else { newest };
        if seq <= self.marked_seq.max(self.summary.read_seq) {
            return None;
        }
        self.marked_seq = seq;
        Some(seq)
    }

    /// The newest message on screen, for read marks on the way.
    pub fn newest_seq(&self) -> u64 {
        self.messages.keys().next_back().copied().unwrap_or(0)
    }
}

/// Why the server did not take a message; `None` = it never answered.
pub fn problem_of(code: Option<RefusalCode>) -> Problem {
    code.map_or(Problem::NoAnswer, Problem::Refused)
}

#[cfg(test)]
mod tests {
    use hongyan_client::Range;

    use super::*;

    fn entry(seq: u64) -> Entry {
        Entry { seq, body: format!("m{seq}").into_bytes().into(), ..Default::default() }
    }

    fn range(from: u64, to: u64) -> MessageRange {
        let entries = (from..=to).map(entry).collect();
        MessageRange { entries, complete: true, covered: Some(Range { from, to }), low_seq: 1 }
    }

    fn seqs(talk: &Talk) -> Vec<u64> {
        talk.messages.keys().copied().collect()
    }

    fn opened(from: u64, to: u64) -> Talk {
        let mut talk = Talk::new("bob".into());
        assert_eq!(talk.wanted_page(false), Some(0));
        talk.note_page(0, Ok(range(from, to)));
        talk
    }

    #[test]
    fn pages_join_without_holes_and_end_at_the_beginning() {
        let mut talk = opened(50, 60);
        assert_eq!(talk.wanted_page(false), None, "the reader is not at the top");
        assert_eq!(talk.wanted_page(true), Some(50));
        assert_eq!(talk.wanted_page(true), None, "asked for already");
        talk.note_page(50, Ok(range(1, 49)));
        assert_eq!(seqs(&talk), (1..=60).collect::<Vec<_>>());
        assert_eq!(talk.older, Older::End);
    }

    #[test]
    fn what_comes_while_a_page_is_on_its_way_is_kept_once() {
        let mut talk = Talk::new("bob".into());
        talk.note_message(entry(3));
        assert!(talk.messages.is_empty(), "nobody has asked yet; the page will have it");
        talk.wanted_page(false);
        talk.note_message(entry(61));
        talk.note_page(0, Ok(range(50, 60)));
        talk.note_message(entry(60));
        talk.note_message(entry(7));
        assert_eq!(seqs(&talk), (50..=61).collect::<Vec<_>>(), "below the known part would be a hole");
    }

    #[test]
    fn a_page_of_changes_only_goes_on_below() {
        let mut talk = opened(50, 60);
        talk.wanted_page(true);
        talk.note_page(50, Ok(MessageRange { entries: Vec::new(), ..range(30, 49) }));
        assert_eq!(talk.wanted_page(true), Some(30));
    }

    #[test]
    fn without_a_link_only_the_device_speaks_and_later_the_server() {
        let mut talk = Talk::new("bob".into());
        talk.wanted_page(true);
        let kept = MessageRange { complete: false, covered: None, ..range(10, 12) };
        talk.note_page(0, Ok(kept));
        assert_eq!((talk.newest, talk.wanted_page(true)), (Newest::Partial, None));
        talk.link_is_live();
        assert_eq!(talk.wanted_page(true), Some(0));
        talk.note_page(0, Ok(range(20, 30)));
        assert_eq!(seqs(&talk), (20..=30).collect::<Vec<_>>(), "what lies below a hole is read again");
    }

    #[test]
    fn an_older_page_that_failed_is_asked_for_again_when_the_link_is_back() {
        let mut talk = opened(50, 60);
        talk.wanted_page(true);
        talk.note_page(50, Err(Problem::Offline));
        assert_eq!(talk.wanted_page(true), None);
        talk.link_is_live();
        assert_eq!(talk.wanted_page(true), Some(50));
    }

    #[test]
    fn a_sent_message_takes_its_place_once() {
        let mut talk = opened(1, 3);
        let id = Bytes::from_static(&[7; 16]);
        let outgoing = Outgoing {
            client_message_id: id.clone(),
            local: None,
            text: "hi".into(),
            reply_to: 0,
            written_ms: 0,
            failure: None,
        };
        talk.note_outgoing(outgoing.clone());
        talk.place = Place::At { key: Key::Outgoing(id.clone()), row: 0 };
        talk.note_stored(&id, 4, 9);
        assert!(talk.outgoing.is_empty());
        assert_eq!((talk.messages[&4].own, &talk.messages[&4].body[..]), (true, &b"hi"[..]));
        assert_eq!(talk.place, Place::At { key: Key::Seq(4), row: 0 });
        talk.note_outgoing(outgoing);
        let own = Entry { own: true, client_message_id: id.clone(), ..entry(4) };
        talk.note_page(0, Ok(MessageRange { entries: vec![own], ..range(1, 4) }));
        assert!(talk.outgoing.is_empty(), "the page was faster than the answer");
        talk.note_stored(&id, 4, 9);
        assert_eq!(seqs(&talk), [1, 2, 3, 4]);
    }

    #[test]
    fn an_older_state_of_a_message_changes_nothing() {
        let mut talk = opened(1, 3);
        talk.note_change(Entry { changed_seq: 5, edited: true, ..entry(2) });
        talk.note_message(entry(2));
        assert!(talk.messages[&2].edited);
        talk.note_change(entry(9));
        assert_eq!(seqs(&talk), [1, 2, 3]);
        talk.note_deletion(&Deletion { up_to_seq: 1, seqs: vec![3] });
        assert_eq!(seqs(&talk), [2]);
    }

    #[test]
    fn reading_is_told_once() {
        let mut talk = Talk::new("bob".into());
        talk.summary.unread = 2;
        assert_eq!(talk.wanted_mark(), None, "nothing is on screen");
        let mut talk = opened(1, 3);
        assert_eq!(talk.wanted_mark(), Some(3));
        assert_eq!(talk.wanted_mark(), None);
        talk.note_message(Entry { own: true, ..entry(4) });
        assert_eq!(talk.wanted_mark(), None, "own messages are not read");
        talk.summary.unread = 1;
        talk.summary.head_seq = 6;
        assert_eq!(talk.wanted_mark(), Some(6));
    }

    #[test]
    fn a_conversation_that_leaves_the_screen_keeps_its_end() {
        let mut talk = opened(1, 1_000);
        talk.leave();
        assert_eq!((talk.messages.len(), talk.from_seq, talk.older), (KEPT_MAX, 801, Older::More));
        assert_eq!(talk.wanted_page(true), Some(801));
    }

    #[test]
    fn a_page_that_comes_too_late_leaves_no_hole() {
        let mut talk = opened(500, 1_000);
        assert_eq!(talk.wanted_page(true), Some(500));
        talk.leave();
        talk.note_page(500, Ok(range(400, 499)));
        assert_eq!(seqs(&talk), (801..=1_000).collect::<Vec<_>>());
        assert_eq!(talk.wanted_page(true), Some(801));
    }

    #[test]
    fn a_conversation_that_stays_open_does_not_grow_for_ever() {
        let mut talk = opened(1, 3);
        (4..=10_000).for_each(|seq| talk.note_message(entry(seq)));
        assert!(talk.messages.len() <= OPEN_MAX);
        let first = *talk.messages.keys().next().unwrap();
        assert_eq!(talk.wanted_page(true), Some(first));
        talk.note_page(first, Ok(range(first - 50, first - 1)));
        assert_eq!(seqs(&talk), (first - 50..=10_000).collect::<Vec<_>>());
        talk.place = Place::At { key: Key::Seq(first), row: 0 };
        let before = talk.messages.len();
        (10_001..=20_000).for_each(|seq| talk.note_message(entry(seq)));
        assert_eq!(talk.messages.len(), before + 10_000, "nothing is taken from under a reader");
    }

    #[test]
    fn typing_is_forgotten_after_a_while_or_with_a_message() {
        let mut talk = opened(1, 3);
        talk.note_typing(1_000, "bob".into(), false);
        assert!(talk.is_typing(6_999) && !talk.is_typing(7_000));
        talk.note_typing(8_000, "bob".into(), false);
        talk.note_message(entry(4));
        assert!(!talk.is_typing(8_001));
    }
}
