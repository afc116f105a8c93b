//! A client core and a server that says whatever it likes under the right keys: absurd numbers, answers that nobody asked
//! for, entries of all kinds, endings, silence.
//!
//! What must hold: no panic; the cursor moves over entries that came and over nothing else; nothing above the cursor is
//! acknowledged; entries of a group are handed out in ascending order; the core keeps to the protocol; and its timers come
//! to rest.

use std::collections::{BTreeMap, BTreeSet};

use hongyan_client::{
    Config, Core, Credential, Effect, Event, Link, Millis, Peer, Request, Restored, new_message, proto,
};
use hongyan_wire::command::Operation;
use hongyan_wire::noise::{ResumeProof, StaticKey};
use hongyan_wire::{Command, Connection, Event as WireEvent};
use prost::Message;
use proto::inbox_entry::What;

use crate::feed::Feed;

/// Turns of one input.
const TURNS_MAX: usize = 64;
/// Steps after which a core that still moves without a cause is broken.
const STEPS_MAX: usize = 1_000;
const SECRET: [u8; 32] = [0x44; 32];
const USERS: [&str; 3] = ["a", "b", ""];

/// The core, and the server that it believes in.
struct Play {
    core: Core,
    key: StaticKey,
    server: Option<Connection>,
    now: Millis,
    dials: u8,
    /// Ids of requests that the core has made on this connection, newest last.
    asked: Vec<(Operation, u32)>,
    /// Ids of its messages.
    written: Vec<bytes::Bytes>,
    /// Entries that came, in any way.
    came: BTreeSet<u64>,
    cursor: u64,
    /// The cursor may jump: a first login, or a reset.
    jumped: bool,
    /// The last entry of each group that was handed out, or skipped.
    heard: BTreeMap<Peer, u64>,
}

/// Turns of the server, the application and time.
pub fn run(input: &[u8]) {
    let mut feed = Feed::new(input);
    let key = StaticKey::new([0x11; 32]);
    let credential = Credential::Token("t".to_owned());
    let config = Config::new(*key.public(), "app", credential, bytes::Bytes::from_static(&[1; 16]));
    let mut play = Play {
        core: Core::new(config, Restored::default()),
        key,
        server: None,
        now: Millis(1_000_000),
        dials: 0,
        asked: Vec::new(),
        written: Vec::new(),
        came: BTreeSet::new(),
        cursor: 0,
        jumped: false,
        heard: BTreeMap::new(),
    };
    play.core.start(play.now);
    play.settle(&mut feed);
    for _ in 0..TURNS_MAX {
        if feed.is_empty() {
            break;
        }
        play.turn(&mut feed);
        play.settle(&mut feed);
    }
}

impl Play {
    fn turn(&mut self, feed: &mut Feed<'_>) {
        match feed.below(9) {
            0 => self.application(feed),
            1 => self.time(feed),
            2 => self.nonsense(feed),
            3 => self.push(feed),
            4 => self.page(feed),
            5 => self.stored(feed),
            6 => self.notice(feed),
            7 => self.of_groups(feed),
            _ => self.other_answer(feed),
        }
    }

    /// Lets core and server talk until both are quiet.
    fn settle(&mut self, feed: &mut Feed<'_>) {
        for _ in 0..STEPS_MAX {
            if !self.step(feed) {
                return;
            }
        }
        panic!("the core does not come to rest: {:?}", self.core.link());
    }

    fn step(&mut self, feed: &mut Feed<'_>) -> bool {
        let mut moved = false;
        while let Some(effect) = self.core.poll_effect() {
            moved = true;
            match effect {
                Effect::Persist(_) => {}
                Effect::Connect { .. } => {
                    self.dials = self.dials.wrapping_add(1);
                    self.asked.clear();
                    self.server = Some(Connection::server(self.key.clone(), [self.dials; 32], self.now));
                    self.core.connected(self.now, [self.dials ^ 0xFF; 32]);
                }
                Effect::Disconnect => self.server = None,
            }
        }
        let mut said = Vec::new();
        self.core.take_output(&mut said);
        self.events();
        if said.is_empty() {
            return moved;
        }
        let Some(mut server) = self.server.take() else { return moved };
        let (mut input, mut out) = (&said[..], Vec::new());
        while let Some(event) = server.receive(self.now, &mut input, &mut out).expect("a core keeps to the protocol") {
            self.hear(feed, &mut server, event, &mut out);
        }
        self.server = Some(server);
        self.core.received(self.now, &out);
        self.events();
        true
    }

    /// What the core asks of the server. Keys are agreed honestly: a liar without them is another target.
    fn hear(&mut self, feed: &mut Feed<'_>, server: &mut Connection, event: WireEvent, out: &mut Vec<u8>) {
        match event {
            WireEvent::Resume { id, ticket, epoch, noise } => {
                let proof = ResumeProof { ticket: &ticket, epoch, secret: &SECRET };
                if feed.below(8) == 0 || server.accept_resume(proof, &noise).is_err() {
                    let refusal = self.refusal(feed).unwrap_or_default();
                    return server.refuse_resume(id, refusal, out);
                }
                let refusal = self.refusal(feed);
                let page = (feed.below(8) > 0).then(|| self.sync_answer(feed, 0));
                let result = proto::ResumeResult { refusal, page, ..Default::default() };
                server.answer_resume(id, &result, self.now, out).expect("a small page fits");
            }
            WireEvent::Frame(Command { operation: Operation::Login, .. }, _) => {
                let refusal = self.refusal(feed);
                let secret_bytes = if feed.below(16) == 0 { 31 } else { 32 };
                let head = feed.number(self.cursor);
                let answer = proto::LoginAnswer {
                    refusal,
                    user: USERS[feed.below(16) / 15].to_owned(),
                    ticket: bytes::Bytes::from_static(b"ticket"),
                    resume_secret: bytes::Bytes::copy_from_slice(&SECRET[..secret_bytes]),
                    log_epoch: feed.below(3) as u32,
                    inbox_head: head,
                    inbox_cursor: feed.number(head),
                    ..Default::default()
                };
                server.write_message(Command::answer(Operation::Login), &answer, self.now, out).expect("agreed");
                if answer.refusal.is_none() {
                    server.set_authenticated();
                }
            }
            WireEvent::Frame(command, body) => {
                if command.operation == Operation::Ack {
                    let ack = proto::AckRequest::decode(body.clone()).expect("a core encodes");
                    assert!(ack.inbox_cursor <= self.core.inbox_cursor(), "{} is acknowledged", ack.inbox_cursor);
                }
                let id = proto::KeepaliveRequest::decode(body).expect("a core encodes").id;
                self.asked.push((command.operation, id));
            }
            other => panic!("a core does not say {other:?}"),
        }
    }

    fn events(&mut self) {
        while let Some(event) = self.core.poll_event() {
            match event {
                Event::Reset | Event::LoggedIn { resumed: false, .. } => self.jumped = true,
                Event::Message(message) if message.peer.group().is_some() => {
                    let last = self.heard.entry(message.peer).or_default();
                    assert!(message.entry.seq > *last, "{} after {last}", message.entry.seq);
                    *last = message.entry.seq;
                }
                // What lies above has other numbers, or none yet.
                Event::Skipped { group, to_seq } => drop(self.heard.insert(Peer::group_of(group), to_seq)),
                Event::Receipt { .. } | Event::Link(_) | Event::Message(_) => {}
                _ => {}
            }
        }
        let cursor = self.core.inbox_cursor();
        if !self.jumped {
            assert!(cursor >= self.cursor, "from {} back to {cursor}", self.cursor);
            let missing = (self.cursor..cursor).map(|seq| seq + 1).find(|seq| !self.came.contains(seq));
            assert_eq!(missing, None, "from {} to {cursor}", self.cursor);
        }
        if self.core.link().is_live() {
            self.jumped = false;
        }
        self.cursor = cursor;
    }

    fn application(&mut self, feed: &mut Feed<'_>) {
        let (now, user) = (self.now, self.user(feed));
        match feed.below(8) {
            0..3 => {
                let id = [feed.byte(); 16];
                let message = new_message(user, id, proto::BodyType::Text, "text");
                if self.core.send(now, message, 0).is_ok() {
                    self.written.push(bytes::Bytes::copy_from_slice(&id));
                }
            }
            3 => {
                let seq = feed.number(0);
                self.core.mark_read(now, &user, seq);
            }
            4 => {
                let local = feed.number(1);
                self.core.resend(now, local);
                self.core.discard(feed.number(1));
            }
            5 => self.core.network_changed(now),
            6 => self.core.start(now),
            _ => {
                let request = match feed.below(6) {
                    0 => Request::Conversations(proto::ConversationsRequest { limit: 9, ..Default::default() }),
                    1 => Request::History(proto::HistoryRequest { user, limit: 9, ..Default::default() }),
                    2 => Request::Receipts(proto::ReceiptsRequest { users: vec![user], ..Default::default() }),
                    3 => {
                        let deletion = Some(self.deletion(feed));
                        Request::Delete(proto::DeleteRequest { user, deletion, ..Default::default() })
                    }
                    4 => Request::Block(proto::BlockRequest { user, blocked: feed.coin(), ..Default::default() }),
                    _ => Request::Logout,
                };
                self.core.request(now, feed.byte().into(), request);
            }
        }
    }

    /// The clock goes on, to the core's deadline or beyond; or the connection is gone.
    fn time(&mut self, feed: &mut Feed<'_>) {
        match feed.below(4) {
            0 => {
                if self.server.take().is_some() {
                    self.core.disconnected(self.now);
                }
            }
            1 => self.now = self.now + Millis([1, 400, 6_000, 100_000][feed.below(4)]),
            _ => self.now = self.core.deadline().unwrap_or(self.now).max(self.now),
        }
        for _ in 0..STEPS_MAX {
            if self.core.deadline().is_none_or(|deadline| deadline > self.now) {
                return;
            }
            self.core.timeout(self.now);
            self.settle(feed);
        }
        panic!("a deadline does not move on: {:?}", self.core.link());
    }

    /// Writes a frame as the server.
    fn say(&mut self, command: Command, body: &[u8]) {
        let Some(server) = self.server.as_mut().filter(|server| server.is_authenticated()) else { return };
        let mut out = Vec::new();
        // What is too big for a frame is not said.
        if server.write(command, body, self.now, &mut out).is_ok() {
            self.core.received(self.now, &out);
            self.events();
        }
    }

    fn answer(&mut self, operation: Operation, answer: &impl Message) {
        self.say(Command::answer(operation), &answer.encode_to_vec());
    }

    fn notify(&mut self, operation: Operation, notify: &impl Message) {
        self.say(Command::notify(operation), &notify.encode_to_vec());
    }

    /// An id that the core waits for, or none.
    fn id(&self, feed: &mut Feed<'_>, operation: Operation) -> u32 {
        let choice = feed.byte();
        let mut ids = self.asked.iter().rev().filter(|(asked, _)| *asked == operation).map(|(_, id)| *id);
        if choice == 255 { 77 } else { ids.nth(usize::from(choice) % 4).unwrap_or(choice.into()) }
    }

    fn user(&self, feed: &mut Feed<'_>) -> String {
        USERS[feed.below(USERS.len())].to_owned()
    }

    /// Usually nothing.
    fn refusal(&self, feed: &mut Feed<'_>) -> Option<proto::Refusal> {
        let code = feed.byte().checked_sub(200)?;
        let (retryable, retry_after_ms) = (feed.coin(), feed.number(0) as u32);
        Some(proto::Refusal { code: i32::from(code % 24), text: String::new(), retryable, retry_after_ms })
    }

    fn deletion(&self, feed: &mut Feed<'_>) -> proto::Deletion {
        let seqs = (0..feed.below(4)).map(|_| feed.number(0)).collect();
        proto::Deletion { up_to_seq: feed.number(0), seqs }
    }

    fn row(&self, feed: &mut Feed<'_>) -> proto::Entry {
        let written = self.written.get(usize::from(feed.byte()) % 8).cloned();
        proto::Entry {
            seq: feed.number(0),
            own: feed.coin(),
            client_message_id: written.unwrap_or_default(),
            body: bytes::Bytes::from_static(b"text"),
            message_count: feed.number(0),
            changed_seq: feed.number(0),
            seen_seq: feed.number(0),
            uncounted: feed.coin(),
            ..Default::default()
        }
    }

    fn entry(&mut self, feed: &mut Feed<'_>, inbox_seq: u64) -> proto::InboxEntry {
        self.came.insert(inbox_seq);
        let what = match feed.below(8) {
            0..3 => Some(What::Entry(self.row(feed))),
            3 => {
                let target = Some(Box::new(self.row(feed)));
                let change = Some(Box::new(proto::Change { target_seq: feed.number(0), target }));
                Some(What::Entry(proto::Entry { change, ..self.row(feed) }))
            }
            4 => Some(What::Read(proto::ReadMark { seq: feed.number(0), unread: feed.number(0) })),
            5 => Some(What::Deleted(self.deletion(feed))),
            6 => Some(What::Gone(proto::Gone { seq: feed.number(0), read_seq: feed.number(0) })),
            _ => None,
        };
        proto::InboxEntry { inbox_seq, user: self.user(feed), what, ..Default::default() }
    }

    /// Entries that follow the cursor, or do not.
    fn entries(&mut self, feed: &mut Feed<'_>) -> Vec<proto::InboxEntry> {
        let mut inbox_seq = match feed.below(4) {
            0 => feed.number(self.core.inbox_cursor()),
            _ => self.core.inbox_cursor().wrapping_add(1),
        };
        let mut entries = Vec::new();
        for _ in 0..feed.below(5) {
            entries.push(self.entry(feed, inbox_seq));
            inbox_seq = inbox_seq.wrapping_add(1 + u64::from(feed.below(8) == 0));
        }
        entries
    }

    fn sync_answer(&mut self, feed: &mut Feed<'_>, id: u32) -> proto::SyncAnswer {
        proto::SyncAnswer {
            id,
            refusal: self.refusal(feed),
            entries: self.entries(feed),
            inbox_head: feed.number(self.core.inbox_cursor()),
            more: feed.below(4) == 0,
            log_epoch: feed.below(3) as u32,
            reset: feed.below(8) == 0,
        }
    }

    fn push(&mut self, feed: &mut Feed<'_>) {
        let entries = self.entries(feed);
        self.notify(Operation::Message, &proto::MessageNotify { entries });
    }

    fn page(&mut self, feed: &mut Feed<'_>) {
        let id = self.id(feed, Operation::Sync);
        let answer = self.sync_answer(feed, id);
        self.answer(Operation::Sync, &answer);
    }

    fn stored(&mut self, feed: &mut Feed<'_>) {
        let inbox_seq = feed.number(self.core.inbox_cursor());
        let answer = proto::SendAnswer {
            id: self.id(feed, Operation::Send),
            refusal: self.refusal(feed),
            seq: feed.number(0),
            inbox_seq,
            message_count: feed.number(0),
            ..Default::default()
        };
        self.came.insert(inbox_seq);
        self.answer(Operation::Send, &answer);
    }

    /// Pushes, lists and pages of groups; a user has the name of a group.
    fn of_groups(&mut self, feed: &mut Feed<'_>) {
        let group = ["g", "a"][feed.below(2)].to_owned();
        let cursor = self.core.group(&group).map_or(0, |row| row.cursor);
        match feed.below(6) {
            0..4 => {
                let mut seq = if feed.coin() { cursor.wrapping_add(1) } else { feed.number(cursor) };
                let mut entries = Vec::new();
                for _ in 0..feed.below(4) {
                    entries.push(self.group_row(feed, seq));
                    seq = seq.wrapping_add(1 + u64::from(feed.below(4) == 0));
                }
                let head_seq = feed.number(cursor);
                self.notify(Operation::Group, &proto::GroupNotify { group, entries, head_seq });
            }
            4 => {
                let (id, refusal) = (self.id(feed, Operation::Groups), self.refusal(feed));
                let told = proto::Group {
                    group,
                    head_seq: feed.number(cursor),
                    low_seq: feed.number(0),
                    read_seq: feed.number(cursor),
                    unread: feed.number(0),
                    mention_seq: feed.number(0),
                    left: feed.coin(),
                    ..Default::default()
                };
                let (more, token) = (feed.coin(), feed.number(0));
                let answer = proto::GroupsAnswer { id, refusal, groups: vec![told], more, token };
                self.answer(Operation::Groups, &answer);
            }
            _ => {
                let (id, refusal) = (self.id(feed, Operation::History), self.refusal(feed));
                let entries = (0..feed.below(4))
                    .map(|_| {
                        let seq = feed.number(cursor);
                        self.group_row(feed, seq)
                    })
                    .collect();
                let (covered_from, covered_to) = (feed.number(cursor), feed.number(cursor));
                let answer =
                    proto::HistoryAnswer { id, refusal, entries, covered_from, covered_to, ..Default::default() };
                self.answer(Operation::History, &answer);
            }
        }
    }

    fn group_row(&self, feed: &mut Feed<'_>, seq: u64) -> proto::Entry {
        let row = proto::Entry { seq, sender: self.user(feed), own: false, ..self.row(feed) };
        match feed.below(4) {
            0 => {
                let target = Some(Box::new(proto::Entry { seq: feed.number(0), ..row.clone() }));
                proto::Entry { change: Some(Box::new(proto::Change { target_seq: 0, target })), ..row }
            }
            1 => {
                use proto::group_event::What;
                let people = proto::GroupPeople { users: vec![self.user(feed)] };
                let what = Some(if feed.coin() { What::Joined(people) } else { What::Left(people) });
                proto::Entry { event: Some(proto::GroupEvent { what }), ..row }
            }
            _ => row,
        }
    }

    fn notice(&mut self, feed: &mut Feed<'_>) {
        match feed.below(8) {
            0 => {
                let refusal = self.refusal(feed);
                self.notify(Operation::Close, &proto::CloseNotify { refusal });
            }
            1 => {
                let reconnect_after_ms = feed.number(0) as u32;
                let goaway = proto::GoawayNotify { reconnect_after_ms, gates: vec![self.user(feed)] };
                self.notify(Operation::Goaway, &goaway);
            }
            2 => self.notify(Operation::Kickout, &proto::KickoutNotify::default()),
            3 => {
                let user = self.user(feed);
                self.notify(
                    Operation::Typing,
                    &proto::TypingNotify { user, stopped: feed.coin(), ..Default::default() },
                );
            }
            4..6 => {
                let receipts = vec![self.receipt(feed), self.receipt(feed)];
                self.notify(Operation::Receipt, &proto::ReceiptNotify { receipts });
            }
            _ => {
                let inbox_head = feed.number(self.core.inbox_cursor());
                self.notify(Operation::Hint, &proto::HintNotify { inbox_head });
            }
        }
    }

    fn receipt(&self, feed: &mut Feed<'_>) -> proto::Receipt {
        proto::Receipt { user: self.user(feed), delivered_seq: feed.number(0), read_seq: feed.number(0) }
    }

    fn other_answer(&mut self, feed: &mut Feed<'_>) {
        let refusal = self.refusal(feed);
        match feed.below(7) {
            0 => {
                let (id, inbox_cursor) = (self.id(feed, Operation::Ack), feed.number(self.core.inbox_cursor()));
                self.answer(Operation::Ack, &proto::AckAnswer { id, refusal, inbox_cursor });
            }
            1 => {
                let (id, inbox_head) = (self.id(feed, Operation::Keepalive), feed.number(self.core.inbox_cursor()));
                let log_epoch = feed.below(3) as u32;
                let answer = proto::KeepaliveAnswer { id, refusal, inbox_head, log_epoch };
                self.answer(Operation::Keepalive, &answer);
            }
            2 => {
                let (id, read_seq) = (self.id(feed, Operation::MarkRead), feed.number(0));
                let (unread, head_seq) = (feed.number(0), feed.number(read_seq));
                let inbox_head = feed.number(self.core.inbox_cursor());
                let answer = proto::MarkReadAnswer { id, refusal, read_seq, unread, head_seq, inbox_head };
                self.answer(Operation::MarkRead, &answer);
            }
            3 => {
                let (id, count) = (self.id(feed, Operation::Conversations), feed.below(4));
                let conversations = (0..count).map(|_| self.conversation(feed)).collect();
                let (more, inbox_head) = (feed.coin(), feed.number(self.core.inbox_cursor()));
                let log_epoch = feed.below(3) as u32;
                let answer = proto::ConversationsAnswer { id, refusal, conversations, more, inbox_head, log_epoch };
                self.answer(Operation::Conversations, &answer);
            }
            4 => {
                let (id, count) = (self.id(feed, Operation::History), feed.below(4));
                let entries = (0..count).map(|_| self.row(feed)).collect();
                let answer = proto::HistoryAnswer {
                    id,
                    refusal,
                    entries,
                    covered_from: feed.number(0),
                    covered_to: feed.number(0),
                    as_of: feed.number(0),
                    low_seq: feed.number(0),
                };
                self.answer(Operation::History, &answer);
            }
            5 => {
                let id = self.id(feed, Operation::Receipts);
                let receipts = vec![self.receipt(feed)];
                self.answer(Operation::Receipts, &proto::ReceiptsAnswer { id, refusal, receipts });
            }
            _ => {
                let operation = [Operation::Delete, Operation::Block, Operation::Logout][feed.below(3)];
                let id = self.id(feed, operation);
                self.answer(operation, &proto::LogoutAnswer { id, refusal });
            }
        }
    }

    fn conversation(&self, feed: &mut Feed<'_>) -> proto::Conversation {
        proto::Conversation {
            user: self.user(feed),
            activity: feed.number(0),
            head_seq: feed.number(0),
            low_seq: feed.number(0),
            unread: feed.number(0),
            read_seq: feed.number(0),
            peer_delivered_seq: feed.number(0),
            peer_read_seq: feed.number(0),
            last: feed.coin().then(|| self.row(feed)),
            blocked: feed.coin(),
            ..proto::Conversation::default()
        }
    }

    /// Any frame with any body.
    fn nonsense(&mut self, feed: &mut Feed<'_>) {
        let operation = Operation::ALL[feed.below(Operation::ALL.len())];
        let command = if feed.coin() { Command::answer(operation) } else { Command::notify(operation) };
        let body = feed.some_bytes();
        if command == Command::notify(Operation::Message)
            && let Ok(notify) = proto::MessageNotify::decode(body)
        {
            self.came.extend(notify.entries.iter().map(|entry| entry.inbox_seq));
        }
        if command == Command::answer(Operation::Sync)
            && let Ok(page) = proto::SyncAnswer::decode(body)
        {
            self.came.extend(page.entries.iter().map(|entry| entry.inbox_seq));
        }
        if command == Command::answer(Operation::Send)
            && let Ok(answer) = proto::SendAnswer::decode(body)
        {
            self.came.insert(answer.inbox_seq);
        }
        // Announcing new keys is no nonsense, but the server's end would have to change them, too.
        if operation != Operation::Rekey {
            self.say(command, body);
        }
        assert!(!matches!(self.core.link(), Link::Idle));
    }
}
