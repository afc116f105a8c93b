//! Requests of people who have logged in, valid ones and nonsense, to logic over the embedded store: every request has
//! one answer with its id, pages keep their limits and have no gaps, numbers are dense, a repeat gets the answer of the
//! first time, and nobody reads what others say to each other.

mod house;

use std::collections::BTreeMap;

use bytes::Bytes;
use hongyan_cluster::Service;
use hongyan_wire::command::Operation;
use hongyan_wire::proto::inbox_entry::What;
use hongyan_wire::{limits, proto};
use prost::Message;

use crate::feed::Feed;
use house::{House, PEOPLE, Person};

/// Requests of one input.
const REQUESTS_MAX: usize = 48;
/// What a test message begins with; whoever is not named behind it must never see it.
const MARK: &str = "\u{A7}";

/// What logic answers; SEND is apart, because it comes in batches.
const REQUESTS: [Operation; 33] = [
    Operation::Sync,
    Operation::History,
    Operation::Conversations,
    Operation::Receipts,
    Operation::MarkRead,
    Operation::Recall,
    Operation::Edit,
    Operation::React,
    Operation::Delete,
    Operation::Block,
    Operation::ClaimVisitor,
    Operation::EnterRoom,
    Operation::LeaveRoom,
    Operation::CreateGroup,
    Operation::ChangeGroup,
    Operation::JoinGroup,
    Operation::Groups,
    Operation::GroupMembers,
    Operation::GroupAck,
    Operation::GroupReceipts,
    Operation::Typing,
    Operation::AddFriend,
    Operation::DecideFriend,
    Operation::RemoveFriend,
    Operation::NoteFriend,
    Operation::SetGroupings,
    Operation::SetProfile,
    Operation::Profiles,
    Operation::Lists,
    Operation::Watch,
    Operation::SetPresence,
    Operation::GetPresence,
    Operation::Search,
];

/// What is known of what was asked.
struct Talk<'a> {
    house: &'a House,
    people: &'a [Person],
    /// Places of stored messages, by sender, addressee and client id.
    stored: BTreeMap<(usize, String, Bytes), u64>,
    /// The highest place of a conversation that was answered, by app and names.
    heads: BTreeMap<(usize, String, String), u64>,
    next_id: u32,
}

/// A conversation of several people by turns.
pub fn run(input: &[u8]) {
    house::visit(|house, people| {
        let mut talk = Talk { house, people, stored: BTreeMap::new(), heads: BTreeMap::new(), next_id: 0 };
        let mut feed = Feed::new(input);
        for _ in 0..REQUESTS_MAX {
            if feed.is_empty() {
                break;
            }
            talk.turn(&mut feed);
        }
        for speaker in 0..people.len() {
            talk.read_everything(speaker);
        }
    });
}

impl Talk<'_> {
    fn turn(&mut self, feed: &mut Feed<'_>) {
        let speaker = feed.below(self.people.len());
        let (number, user) = (feed.number(self.head()), self.somebody(feed, speaker));
        let id = self.id();
        match feed.below(14) {
            0..3 => self.send(feed, speaker, &user),
            3 => self.send_nonsense(feed, speaker),
            4 => self.ask_nonsense(feed, speaker),
            5 => {
                let limit = feed.number(0) as u32;
                let log_epoch = if feed.coin() { 1 } else { feed.number(1) as u32 };
                self.sync(speaker, proto::SyncRequest { id, inbox_cursor: number, limit, log_epoch });
            }
            6 => {
                let (before_seq, after_seq, as_of) = (number, feed.number(number), feed.number(0));
                let limit = feed.number(0) as u32;
                self.history(
                    speaker,
                    proto::HistoryRequest { id, user, before_seq, after_seq, limit, as_of, ..Default::default() },
                );
            }
            7 => self.conversations(speaker, proto::ConversationsRequest { id, before: number, limit: u32::MAX }),
            8 => {
                let marked: proto::MarkReadAnswer = self.ask(
                    speaker,
                    Operation::MarkRead,
                    &proto::MarkReadRequest { id, user, seq: number, ..Default::default() },
                );
                assert_eq!(marked.id, id);
            }
            9 => {
                let client_request_id = client_id(feed);
                let request = proto::RecallRequest { id, user, seq: number, client_request_id, ..Default::default() };
                self.change(speaker, Operation::Recall, &request);
            }
            10 => {
                let (client_request_id, text) = (client_id(feed), String::new());
                let body = self.words(speaker, &user).into();
                let request =
                    proto::EditRequest { id, user, seq: number, client_request_id, body, text, ..Default::default() };
                self.change(speaker, Operation::Edit, &request);
            }
            11 => {
                let (client_request_id, remove) = (client_id(feed), feed.coin());
                let name = String::from_utf8_lossy(feed.some_bytes()).into_owned();
                let request = proto::ReactRequest {
                    id,
                    user,
                    seq: number,
                    client_request_id,
                    name,
                    remove,
                    ..Default::default()
                };
                self.change(speaker, Operation::React, &request);
            }
            12 => {
                let seqs = (0..feed.below(8)).map(|_| feed.number(number)).collect();
                let deletion = Some(proto::Deletion { up_to_seq: number, seqs });
                let answer: proto::DeleteAnswer = self.ask(
                    speaker,
                    Operation::Delete,
                    &proto::DeleteRequest { id, user, deletion, ..Default::default() },
                );
                assert_eq!(answer.id, id);
            }
            _ => {
                let request = proto::BlockRequest { id, user, blocked: feed.coin() };
                assert_eq!(self.ask::<proto::BlockAnswer>(speaker, Operation::Block, &request).id, id);
            }
        }
    }

    fn id(&mut self) -> u32 {
        self.next_id += 1;
        self.next_id
    }

    fn head(&self) -> u64 {
        self.heads.values().copied().max().unwrap_or_default()
    }

    /// Usually one of the same app, perhaps oneself; sometimes whatever the input says.
    fn somebody(&self, feed: &mut Feed<'_>, speaker: usize) -> String {
        match feed.below(16) {
            0 => String::from_utf8_lossy(feed.some_bytes()).into_owned(),
            number => self.people[self.people[speaker].app * PEOPLE + number % PEOPLE].name.clone(),
        }
    }

    /// A text that says who may see it.
    fn words(&self, speaker: usize, to: &str) -> String {
        let Person { app, name, .. } = &self.people[speaker];
        format!("{MARK}{app} {name} {to}")
    }

    fn raw(&self, speaker: usize, operation: Operation, body: Bytes) -> Bytes {
        let reply = self.house.logic.request(self.people[speaker].caller.clone(), operation, body);
        let body = self.house.wait(reply).body;
        assert!(body.len() <= limits::PLAINTEXT_BYTES_MAX, "{} bytes for {operation:?}", body.len());
        body
    }

    fn ask<A: Message + Default>(&self, speaker: usize, operation: Operation, request: &impl Message) -> A {
        let body = self.raw(speaker, operation, request.encode_to_vec().into());
        A::decode(body).expect("an answer has its type")
    }

    fn send_raw(&self, speaker: usize, bodies: Vec<Bytes>) -> Vec<proto::SendAnswer> {
        let count = bodies.len();
        let replies = self.house.logic.send(self.people[speaker].caller.clone(), bodies);
        let replies = self.house.wait(replies).expect("the store answers");
        assert_eq!(replies.len(), count, "one answer for each");
        replies.into_iter().map(|reply| proto::SendAnswer::decode(reply.body).expect("an answer")).collect()
    }

    /// A batch of messages, fresh ones and repeats.
    fn send(&mut self, feed: &mut Feed<'_>, speaker: usize, to: &str) {
        let requests: Vec<proto::SendRequest> = (0..=feed.below(4))
            .map(|_| proto::SendRequest {
                id: self.id(),
                to: Some(proto::send_request::To::User(to.to_owned())),
                client_message_id: client_id(feed),
                body: self.words(speaker, to).into(),
                ..Default::default()
            })
            .collect();
        let answers = self.send_raw(speaker, requests.iter().map(|request| request.encode_to_vec().into()).collect());
        for (request, answer) in requests.iter().zip(answers) {
            assert_eq!(answer.id, request.id, "in order");
            if answer.refusal.is_some() {
                continue;
            }
            let key = (speaker, to.to_owned(), request.client_message_id.clone());
            let conversation = self.conversation(speaker, to);
            let head = self.heads.entry(conversation).or_default();
            match self.stored.get(&key) {
                Some(seq) => assert_eq!(answer.seq, *seq, "a repeat gets the answer of the first time"),
                None => {
                    assert_eq!(answer.seq, *head + 1, "the next number");
                    *head = answer.seq;
                    self.stored.insert(key, answer.seq);
                }
            }
        }
    }

    fn conversation(&self, speaker: usize, other: &str) -> (usize, String, String) {
        let Person { app, name, .. } = &self.people[speaker];
        (*app, name.as_str().min(other).to_owned(), name.as_str().max(other).to_owned())
    }

    /// Bytes in the place of a message. They may make one, but none of ours.
    fn send_nonsense(&mut self, feed: &mut Feed<'_>, speaker: usize) {
        let body = Bytes::copy_from_slice(feed.some_bytes());
        let addressed = proto::SendRequest::decode(body.clone()).is_ok_and(|request| request.to.is_some());
        if !addressed {
            let answer = self.send_raw(speaker, vec![body]).remove(0);
            assert!(answer.refusal.is_some());
        }
    }

    /// Bytes in the place of any request; only reads may come of those that make sense, or the numbers would be unknown.
    fn ask_nonsense(&self, feed: &mut Feed<'_>, speaker: usize) {
        let operation = REQUESTS[feed.below(REQUESTS.len())];
        let body = Bytes::copy_from_slice(feed.some_bytes());
        if !matches!(operation, Operation::Recall | Operation::Edit | Operation::React) {
            let answer = self.raw(speaker, operation, body);
            // All answers have id and refusal in the same places.
            assert!(proto::BlockAnswer::decode(answer).is_ok());
        }
    }

    fn change(&mut self, speaker: usize, operation: Operation, request: &impl Message) {
        let answer: proto::ChangeAnswer = self.ask(speaker, operation, request);
        assert_eq!(answer.id, self.next_id);
        if answer.refusal.is_none() {
            // Which conversation it was is in the request; its head is looked up by what is read at the end.
            let user = proto::RecallRequest::decode(&request.encode_to_vec()[..]).expect("fields 1 to 4 agree").user;
            let conversation = self.conversation(speaker, &user);
            let head = self.heads.entry(conversation).or_default();
            assert!(answer.seq <= *head + 1, "{} after {head}", answer.seq);
            *head = answer.seq.max(*head);
        }
    }

    fn sync(&self, speaker: usize, request: proto::SyncRequest) -> proto::SyncAnswer {
        let page: proto::SyncAnswer = self.ask(speaker, Operation::Sync, &request);
        assert_eq!((page.id, &page.refusal), (request.id, &None));
        assert!(
            page.entries.len() <= limits::SYNC_ENTRIES_MAX as usize && page.encoded_len() <= limits::PAGE_BYTES_MAX
        );
        assert_eq!(page.reset, request.inbox_cursor > page.inbox_head || request.log_epoch != page.log_epoch);
        let (mut cursor, mut read) = (request.inbox_cursor, 0);
        for entry in &page.entries {
            read += 1;
            assert_eq!(entry.inbox_seq, cursor + 1, "no gap");
            cursor = entry.inbox_seq;
            match &entry.what {
                Some(What::Entry(row)) => self.may_see(speaker, row),
                Some(What::Read(_) | What::Deleted(_) | What::Gone(_) | What::Claimed(_)) => {}
                Some(What::Membership(_) | What::Mentioned(_)) => {}
                Some(What::Friend(_) | What::Lists(_)) => {}
                None => panic!("an entry says something"),
            }
        }
        assert!(read > 0 || !page.more, "a page that leaves something has something");
        page
    }

    fn history(&self, speaker: usize, request: proto::HistoryRequest) {
        let page: proto::HistoryAnswer = self.ask(speaker, Operation::History, &request);
        assert_eq!(page.id, request.id);
        assert!(page.entries.len() <= limits::HISTORY_ENTRIES_MAX as usize);
        assert!(page.encoded_len() <= limits::PAGE_BYTES_MAX);
        assert!(page.entries.is_sorted_by(|one, next| one.seq < next.seq));
        page.entries.iter().for_each(|row| self.may_see(speaker, row));
    }

    fn conversations(&self, speaker: usize, request: proto::ConversationsRequest) {
        let page: proto::ConversationsAnswer = self.ask(speaker, Operation::Conversations, &request);
        assert_eq!((page.id, &page.refusal), (request.id, &None));
        assert!(page.conversations.is_sorted_by(|one, next| one.activity > next.activity));
        for conversation in &page.conversations {
            assert!(conversation.unread <= conversation.head_seq && conversation.read_seq <= conversation.head_seq);
            conversation.last.iter().for_each(|row| self.may_see(speaker, row));
        }
    }

    fn may_see(&self, speaker: usize, row: &proto::Entry) {
        let changed = row.change.as_ref().and_then(|change| change.target.as_deref());
        for row in [Some(row), changed].into_iter().flatten() {
            let Ok(text) = std::str::from_utf8(&row.body) else { continue };
            let Some(about) = text.strip_prefix(MARK) else { continue };
            let Person { app, name, .. } = &self.people[speaker];
            let mut parts = about.split(' ');
            assert_eq!(parts.next(), Some(app.to_string().as_str()), "of another app: {text}");
            assert!(parts.any(|part| part == name), "{name} reads {text}");
        }
    }

    /// The whole inbox from its beginning: dense, and the rows of every conversation in order and without a gap.
    fn read_everything(&mut self, speaker: usize) {
        let mut seqs: BTreeMap<String, u64> = BTreeMap::new();
        let mut cursor = 0;
        loop {
            let id = self.id();
            let page = self.sync(speaker, proto::SyncRequest { id, inbox_cursor: cursor, limit: 7, log_epoch: 1 });
            for entry in page.entries {
                cursor = entry.inbox_seq;
                let seq = match entry.what {
                    Some(What::Entry(row)) => row.seq,
                    // Deleted by the reader: its place is told.
                    Some(What::Gone(gone)) => gone.seq,
                    _ => continue,
                };
                let last = seqs.entry(entry.user).or_default();
                assert_eq!(seq, *last + 1, "the log of a conversation has no gap");
                *last = seq;
            }
            if !page.more {
                assert_eq!(cursor, page.inbox_head);
                break;
            }
        }
        for (user, last) in seqs {
            assert_eq!(self.heads.get(&self.conversation(speaker, &user)), Some(&last), "what was answered is there");
        }
    }
}

/// One of a few ids, so that inputs repeat them.
fn client_id(feed: &mut Feed<'_>) -> Bytes {
    match feed.byte() {
        odd @ 0..4 => vec![odd; usize::from(odd)].into(),
        id => vec![id; limits::CLIENT_ID_BYTES].into(),
    }
}
