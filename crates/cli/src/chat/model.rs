//! The view model of `hongyan chat`: everything the screen shows, and how it changes with what happens. Knows no
//! terminal, no client and no clock: inputs come with the time, intents say what is to be done.

use std::collections::BTreeMap;

use bytes::Bytes;
use hongyan_client::proto::{self, Conversation, RefusalCode};
use hongyan_client::{Event, Link, Message, Peer, SendState, StopReason};
use jiff::tz::TimeZone;
use ratatui::layout::Rect;

use super::composer::Composer;
use super::intent::{Input, Intent, Problem};
use super::screen::{Needs, Screen};
use super::talk::{Key, Place, Talk, problem_of};
use super::theme::Theme;
use super::timeline::{Setting, Timeline, problem_words};
use super::words::{Language, Words};
use crate::{local_time, peer};

/// A notice stays on screen for so long.
const NOTICE_MS: u64 = 5_000;
/// The bell rings at most so often.
const RING_MS: u64 = 3_000;

/// What the keys mean now.
#[derive(Clone, Debug, PartialEq)]
pub enum Mode {
    /// A message is being written.
    Compose,
    /// A message is selected.
    Select(Key),
    /// Something is done only after a yes.
    Confirm(Question, Box<Intent>),
    /// Whom to talk with.
    NewTalk {
        /// As far as typed.
        name: Composer,
        /// A row of the suggestions.
        picked: Option<usize>,
    },
    /// Which reaction to give.
    React {
        /// To this message.
        seq: u64,
        /// As far as typed.
        name: Composer,
    },
    /// The password is asked for, because the server refused the one it got, or the session has ended.
    Password(Composer),
    /// The keys are explained.
    Help,
    /// Who is in a group.
    Members {
        /// How it is called.
        title: String,
        /// A row each.
        rows: Vec<String>,
    },
}

/// What is asked before it is done.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[allow(missing_docs, reason = "the names say it")]
pub enum Question {
    Recall,
    Delete,
    Block,
    Leave,
    Quit,
}

/// Given once, at the start.
pub struct Settings {
    /// Of the screen.
    pub language: Language,
    /// Of the user.
    pub zone: TimeZone,
    /// With or without.
    pub colours: bool,
    /// The user logs in by password; otherwise by a token, which cannot be asked for.
    pub by_password: bool,
    /// Gives fresh random ids.
    pub ids: Box<dyn FnMut() -> [u8; 16]>,
}

/// The view model.
pub struct Model {
    settings: Settings,
    /// Who the user is.
    pub me: String,
    /// State of the link.
    pub link: Link,
    /// When the next attempt to connect is made, if the link is broken.
    pub retry_at_ms: u64,
    /// By the other person, or the group.
    pub talks: BTreeMap<Peer, Talk>,
    /// On screen.
    pub open: Option<Peer>,
    /// What the keys mean.
    pub mode: Mode,
    /// The window has the keyboard.
    pub is_focused: bool,
    /// Of the latest input.
    pub now_ms: u64,
    notice: Option<(String, u64)>,
    size: Rect,
    was_live: bool,
    rung_ms: u64,
    /// What is to be done; taken by [`Model::handle`].
    pub(super) intents: Vec<Intent>,
}

impl Model {
    /// Nothing is known yet.
    pub fn new(me: &str, settings: Settings) -> Self {
        Self {
            settings,
            me: me.to_owned(),
            link: Link::Idle,
            retry_at_ms: 0,
            talks: BTreeMap::new(),
            open: None,
            mode: Mode::Compose,
            is_focused: true,
            now_ms: 0,
            notice: None,
            size: Rect { x: 0, y: 0, width: 80, height: 24 },
            was_live: false,
            rung_ms: 0,
            intents: Vec::new(),
        }
    }

    /// Something happened; gives what is to be done.
    pub fn handle(&mut self, now_ms: u64, input: Input) -> Vec<Intent> {
        self.now_ms = now_ms;
        match input {
            Input::Key(key) => self.key(key),
            Input::Paste(text) => self.paste(&text),
            Input::Focus(focused) => self.focus(focused),
            Input::Size { columns, rows } => self.size = Rect { x: 0, y: 0, width: columns, height: rows },
            Input::Tick => {}
            Input::Told(event) => self.told(*event),
            Input::Open(peer) => {
                self.open(&peer);
                self.mode = Mode::Compose;
            }
            Input::Restored { conversations, groups, outbox } => {
                for row in conversations {
                    self.note_conversation(row.conversation);
                }
                for row in groups {
                    self.note_group(Box::new(row.group));
                }
                for row in &outbox {
                    if let Some(peer) = row.peer() {
                        self.talk_mut(&peer).restore_outgoing(row);
                    }
                }
                self.open_first();
            }
            Input::Members { group, members, more } => self.show_members(group, &members, more),
            Input::Asked(group) => {
                let asked = self.words().asked_to_join;
                self.tell(format!("#{group}: {asked}"));
            }
            Input::Page { peer, before_seq, result } => {
                if let Some(talk) = self.talks.get_mut(&peer) {
                    talk.note_page(before_seq, result);
                }
            }
            Input::Queued { client_message_id, local } => {
                if let Some(outgoing) = self.outgoing_mut(&client_message_id) {
                    outgoing.local = Some(local);
                }
            }
            Input::NotQueued { client_message_id, problem } => {
                if let Some(outgoing) = self.outgoing_mut(&client_message_id) {
                    outgoing.failure = Some(problem);
                }
            }
            Input::Done(intent) => self.done(&intent),
            Input::NotDone(intent, problem) => self.not_done(intent, problem),
        }
        self.settle();
        std::mem::take(&mut self.intents)
    }

    /// Somebody is wanted by what was typed before the program started.
    pub fn open_typed(&mut self, now_ms: u64, typed: &str) -> Vec<Intent> {
        match peer::typed(typed) {
            Some(peer) => self.handle(now_ms, Input::Open(peer)),
            None => {
                self.tell(self.words().bad_name);
                Vec::new()
            }
        }
    }

    /// The language.
    pub fn words(&self) -> &'static Words {
        self.settings.language.words()
    }

    /// Colours.
    pub fn theme(&self) -> Theme {
        Theme::new(self.settings.colours)
    }

    /// For times and days.
    pub fn zone(&self) -> &TimeZone {
        &self.settings.zone
    }

    /// The conversation on screen.
    pub fn talk(&self) -> Option<&Talk> {
        self.talks.get(self.open.as_ref()?)
    }

    pub(super) fn open_talk_mut(&mut self) -> Option<&mut Talk> {
        self.talks.get_mut(self.open.as_ref()?)
    }

    pub(super) fn talk_mut(&mut self, peer: &Peer) -> &mut Talk {
        if !self.talks.contains_key(peer) {
            self.talks.insert(peer.clone(), Talk::new(peer.clone()));
        }
        self.talks.get_mut(peer).expect("it was inserted if it was missing")
    }

    fn outgoing_mut(&mut self, client_message_id: &[u8]) -> Option<&mut super::talk::Outgoing> {
        self.talks.values_mut().find_map(|talk| talk.outgoing_mut(client_message_id))
    }

    /// Where everything is.
    pub fn screen(&self) -> Option<Screen> {
        let talk = self.talk();
        let context = talk.is_some_and(|talk| talk.reply_to.is_some() || talk.editing.is_some());
        let needs = Needs { is_open: talk.is_some(), banner: !self.link.is_live(), context };
        Screen::of(self.size, needs, |columns| talk.map_or(1, |talk| talk.composer.height(columns)))
    }

    /// The layout of the messages on screen.
    pub fn timeline(&self) -> Option<(Timeline<'_>, usize)> {
        let timeline = self.screen()?.timeline;
        let setting = Setting {
            words: self.words(),
            zone: self.zone(),
            today: local_time::date(self.now_ms, self.zone()),
            width: timeline.width.into(),
            theme: self.theme(),
        };
        Some((Timeline::new(self.talk()?, setting), timeline.height.into()))
    }

    /// Conversations in the order of the list: what is new or being sent, then by newest activity.
    pub fn order(&self) -> Vec<&Peer> {
        let mut talks: Vec<_> = self.talks.values().filter(|talk| self.is_listed(talk)).collect();
        talks.sort_by_key(|talk| {
            let waits = !talk.outgoing.is_empty() || (talk.summary.activity == 0 && talk.group.is_none());
            // Groups have no place in the inbox, so what they share with conversations of two is the clock.
            let said_ms = talk.summary.last.as_ref().map_or(0, |last| last.server_time_ms);
            (!waits, std::cmp::Reverse((said_ms, talk.summary.activity)))
        });
        talks.into_iter().map(|talk| &talk.peer).collect()
    }

    fn is_listed(&self, talk: &Talk) -> bool {
        let has_something = talk.summary.activity > 0 || !talk.outgoing.is_empty() || !talk.composer.is_empty();
        let is_member = talk.group.is_some() && !talk.is_over();
        has_something || is_member || talk.summary.unread > 0 || self.open.as_ref() == Some(&talk.peer)
    }

    /// What is said at the bottom for a moment.
    pub fn notice(&self) -> Option<&str> {
        self.notice.as_ref().filter(|(_, until_ms)| self.now_ms < *until_ms).map(|(text, _)| text.as_str())
    }

    pub(super) fn tell(&mut self, text: impl Into<String>) {
        self.notice = Some((text.into(), self.now_ms + NOTICE_MS));
    }

    pub(super) fn fresh_id(&mut self) -> Bytes {
        Bytes::copy_from_slice(&(self.settings.ids)())
    }

    /// Unread messages of all conversations.
    pub fn unread(&self) -> u64 {
        self.talks.values().map(|talk| talk.summary.unread).sum()
    }

    /// Messages that the server does not have yet.
    pub fn unsent(&self) -> usize {
        let waits = |talk: &Talk| talk.outgoing.iter().filter(|outgoing| outgoing.failure.is_none()).count();
        self.talks.values().map(waits).sum()
    }

    /// Something on screen changes by itself: a countdown, a notice, a typing mark.
    pub fn is_restless(&self) -> bool {
        let counts_down = matches!(self.link, Link::Broken { .. });
        counts_down || self.notice().is_some() || self.talks.values().any(|talk| talk.is_typing(self.now_ms))
    }

    fn focus(&mut self, focused: bool) {
        self.is_focused = focused;
        if let Some(talk) = self.open_talk_mut()
            && !focused
        {
            talk.new_after = None;
        }
    }

    fn open_first(&mut self) {
        if self.open.is_none() {
            let first = self.order().first().map(|peer| (*peer).clone());
            if let Some(peer) = first {
                self.open(&peer);
            }
        }
    }

    /// Brings a conversation on screen.
    pub(super) fn open(&mut self, peer: &Peer) {
        if self.open.as_ref() == Some(peer) {
            return;
        }
        if let Some(talk) = self.open_talk_mut() {
            talk.leave();
        }
        let talk = self.talk_mut(peer);
        talk.new_after = (talk.summary.unread > 0).then_some(talk.summary.read_seq);
        self.open = Some(peer.clone());
        self.mode = Mode::Compose;
    }

    fn told(&mut self, event: Event) {
        match event {
            Event::Link(link) => self.link_moved(link),
            Event::LoggedIn { user, .. } => self.me = user,
            Event::Message(Message { peer, entry }) => self.message(&peer, entry),
            Event::MessageChanged(Message { peer, entry }) => self.talk_mut(&peer).note_change(entry),
            Event::MessageGone { peer, seq } => self.talk_mut(&peer).note_gone(seq),
            Event::Deleted { peer, deletion } => self.talk_mut(&peer).note_deletion(&deletion),
            Event::Outgoing(outgoing) => self.outgoing(outgoing),
            Event::Receipt { user, delivered_seq, read_seq } => {
                let summary = &mut self.talk_mut(&user.into()).summary;
                summary.peer_delivered_seq = summary.peer_delivered_seq.max(delivered_seq);
                summary.peer_read_seq = summary.peer_read_seq.max(read_seq);
            }
            Event::ReadMark { peer, seq, unread } => {
                let summary = &mut self.talk_mut(&peer).summary;
                summary.read_seq = summary.read_seq.max(seq);
                summary.unread = unread;
            }
            Event::Conversation(conversation) => {
                self.note_conversation(conversation);
                self.open_first();
            }
            Event::Group(group) => {
                self.note_group(group);
                self.open_first();
            }
            Event::Mentioned { group, .. } => self.mentioned(group),
            Event::Skipped { group, .. } => self.talk_mut(&Peer::Group(group)).reset(),
            Event::Typing { peer, user, stopped } => {
                let now_ms = self.now_ms;
                self.talk_mut(&peer).note_typing(now_ms, user, stopped);
            }
            Event::Reset => self.talks.values_mut().for_each(Talk::reset),
            // Answers go to who asked; the rest needs no showing.
            Event::CaughtUp { .. } | Event::Answered { .. } => {}
        }
    }

    fn note_conversation(&mut self, conversation: Conversation) {
        let peer = Peer::from(&conversation.user);
        self.talk_mut(&peer).summary = conversation;
    }

    fn note_group(&mut self, group: Box<proto::Group>) {
        let peer = Peer::group_of(&group.group);
        self.talk_mut(&peer).note_group(group);
    }

    /// Somebody spoke to the user in a group that is not on screen, or to nobody who looks.
    fn mentioned(&mut self, group: String) {
        let peer = Peer::Group(group);
        if self.open.as_ref() != Some(&peer) || !self.is_focused {
            let mentioned = self.words().mentioned;
            self.tell(format!("{}: {mentioned}", peer::shown(&peer)));
        }
    }

    fn show_members(&mut self, group: String, members: &[proto::GroupMember], more: bool) {
        let words = self.words();
        let row = |member: &proto::GroupMember| match member.role() {
            proto::GroupRole::Member => member.user.clone(),
            proto::GroupRole::Admin => format!("{} ({})", member.user, words.admin),
            proto::GroupRole::Owner => format!("{} ({})", member.user, words.owner),
        };
        let mut rows: Vec<_> = members.iter().map(row).collect();
        rows.extend(more.then(|| "…".to_owned()));
        self.mode = Mode::Members { title: format!("{} #{group}", words.members), rows };
    }

    fn message(&mut self, peer: &Peer, entry: proto::Entry) {
        let rings = !entry.own
            && !entry.silent
            && entry.event.is_none()
            && !self.is_focused
            && self.now_ms >= self.rung_ms + RING_MS;
        let marks = !entry.own && !self.is_focused && self.open.as_ref() == Some(peer);
        let before = entry.seq.saturating_sub(1);
        let talk = self.talk_mut(peer);
        talk.note_message(entry);
        if marks && talk.new_after.is_none() {
            talk.new_after = Some(before);
        }
        if rings {
            self.rung_ms = self.now_ms;
            self.intents.push(Intent::Ring);
        }
    }

    fn outgoing(&mut self, outgoing: hongyan_client::Outgoing) {
        let hongyan_client::Outgoing { local, client_message_id, peer, state } = outgoing;
        let talk = self.talk_mut(&peer);
        match state {
            SendState::Stored { seq, server_time_ms, .. } => talk.note_stored(&client_message_id, seq, server_time_ms),
            SendState::Queued | SendState::Failed { .. } => {
                let Some(known) = talk.outgoing_mut(&client_message_id) else { return };
                known.local = Some(local);
                known.failure = match state {
                    SendState::Failed { refusal } => Some(problem_of(refusal.map(|refusal| refusal.code()))),
                    _ => None,
                };
            }
        }
    }

    fn link_moved(&mut self, link: Link) {
        match &link {
            Link::Live => {
                self.was_live = true;
                self.talks.values_mut().for_each(Talk::link_is_live);
            }
            Link::Broken { retry_in_ms, .. } => self.retry_at_ms = self.now_ms + retry_in_ms,
            Link::Stopped(StopReason::LoginRefused(refusal)) if refusal.code() == RefusalCode::Unauthenticated => {
                if self.settings.by_password {
                    self.mode = Mode::Password(Composer::default());
                } else {
                    self.intents.push(Intent::GiveUp);
                }
            }
            _ => {}
        }
        self.link = link;
    }

    /// The link was live since the program started.
    pub fn was_live(&self) -> bool {
        self.was_live
    }

    fn done(&mut self, intent: &Intent) {
        let words = self.words();
        match intent {
            Intent::Block { user, blocked } => {
                self.talk_mut(&user.into()).summary.blocked = *blocked;
                self.tell(if *blocked { words.blocked_now } else { words.unblocked_now });
            }
            Intent::CreateGroup { group } | Intent::JoinGroup { group } => self.open(&Peer::group_of(group)),
            Intent::Invite { .. } => self.tell(words.invited),
            Intent::LeaveGroup { .. } => self.tell(words.left_now),
            _ => {}
        }
    }

    fn not_done(&mut self, intent: Intent, problem: Problem) {
        self.tell(problem_words(self.words(), problem));
        // What was written must not be lost.
        if let Intent::Edit { peer, seq, text } = intent {
            let talk = self.talk_mut(&peer);
            if talk.composer.is_empty() && talk.editing.is_none() && problem != Problem::Refused(RefusalCode::TooLate) {
                talk.editing = Some((seq, Composer::default()));
                talk.composer = Composer::with(text);
            }
        }
    }

    /// What follows from the state, whatever brought it about: pages to read, marks to set.
    fn settle(&mut self) {
        if let Mode::Select(key) = &self.mode
            && self.timeline().is_none_or(|(timeline, _)| timeline.index_of(key).is_none())
        {
            self.follow_selection();
        }
        let Some((at_top, at_bottom)) = self.edges() else { return };
        let has_keyboard =
            self.is_focused && !matches!(self.mode, Mode::Help | Mode::Members { .. } | Mode::Password(_));
        let Some(peer) = self.open.clone() else { return };
        let talk = self.talk_mut(&peer);
        let page = talk.wanted_page(at_top);
        let mark = if has_keyboard && at_bottom { talk.wanted_mark() } else { None };
        self.intents.extend(page.map(|before_seq| Intent::Load { peer: peer.clone(), before_seq }));
        self.intents.extend(mark.map(|seq| Intent::MarkRead { peer, seq }));
    }

    /// The selected message has got another name, or is gone.
    fn follow_selection(&mut self) {
        let Mode::Select(key) = &self.mode else { return };
        let seq = match key {
            Key::Seq(_) => None,
            // It was sent meanwhile.
            Key::Outgoing(id) => self.talk().and_then(|talk| {
                talk.messages.values().rev().find(|entry| entry.client_message_id == *id).map(|entry| entry.seq)
            }),
        };
        self.mode = seq.map_or(Mode::Compose, |seq| Mode::Select(Key::Seq(seq)));
    }

    fn edges(&self) -> Option<(bool, bool)> {
        let (timeline, height) = self.timeline()?;
        let window = timeline.window(&self.talk()?.place, height);
        Some((window.at_top, window.at_bottom))
    }

    /// Scrolls the messages, by rows; up if negative.
    pub(super) fn scroll(&mut self, rows: isize) {
        let Some((timeline, height)) = self.timeline() else { return };
        let Some(talk) = self.talk() else { return };
        let place = timeline.scrolled(&talk.place, height, rows);
        self.set_place(place);
    }

    pub(super) fn set_place(&mut self, place: Place) {
        if let Some(talk) = self.open_talk_mut() {
            talk.place = place;
        }
    }

    /// Rows of the messages on screen.
    pub(super) fn page_rows(&self) -> isize {
        self.screen().map_or(1, |screen| isize::from(screen.timeline.height as i16))
    }
}
