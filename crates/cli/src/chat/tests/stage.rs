//! A model with a screen of text, and short words for what happens to it.

use bytes::Bytes;
use hongyan_client::proto::{Conversation, Entry};
use hongyan_client::{Event, Link, Message, MessageRange, Outgoing, Range, SendState};
use jiff::tz::TimeZone;
use ratatui::Terminal;
use ratatui::backend::TestBackend;
use ratatui::crossterm::event::{KeyCode, KeyEvent, KeyModifiers};
use ratatui::style::Style;

use super::super::intent::{Input, Intent};
use super::super::model::{Model, Settings};
use super::super::view;
use super::super::words::Language;

/// 2025-11-02 10:00:00 UTC, a Sunday.
pub const NOW_MS: u64 = 1_762_077_600_000;

pub struct Stage {
    pub model: Model,
    pub now_ms: u64,
    pub size: (u16, u16),
}

impl Stage {
    /// Connected, with nothing known, on 80×24.
    pub fn new(language: Language) -> Self {
        let mut last = 0;
        let ids = Box::new(move || {
            last += 1;
            [last; 16]
        });
        let settings = Settings { language, zone: TimeZone::UTC, colours: true, by_password: true, ids };
        let mut stage = Self { model: Model::new("alice", settings), now_ms: NOW_MS, size: (80, 24) };
        stage.resize(80, 24);
        stage.told(Event::Link(Link::Live));
        stage
    }

    /// With the conversation with bob open and these messages in it.
    pub fn with_bob(language: Language, entries: Vec<Entry>) -> Self {
        let mut stage = Self::new(language);
        stage.conversation("bob", 0, entries.last().cloned());
        stage.page("bob", 0, entries);
        stage
    }

    pub fn input(&mut self, input: Input) -> Vec<Intent> {
        self.model.handle(self.now_ms, input)
    }

    pub fn told(&mut self, event: Event) -> Vec<Intent> {
        self.input(Input::Told(Box::new(event)))
    }

    pub fn resize(&mut self, columns: u16, rows: u16) -> Vec<Intent> {
        self.size = (columns, rows);
        self.input(Input::Size { columns, rows })
    }

    pub fn key(&mut self, code: KeyCode) -> Vec<Intent> {
        self.input(Input::Key(KeyEvent::new(code, KeyModifiers::NONE)))
    }

    pub fn alt(&mut self, code: KeyCode) -> Vec<Intent> {
        self.input(Input::Key(KeyEvent::new(code, KeyModifiers::ALT)))
    }

    pub fn control(&mut self, char: char) -> Vec<Intent> {
        self.input(Input::Key(KeyEvent::new(KeyCode::Char(char), KeyModifiers::CONTROL)))
    }

    /// Types without Enter; gives what was intended on the way.
    pub fn type_text(&mut self, text: &str) -> Vec<Intent> {
        text.chars().flat_map(|char| self.key(KeyCode::Char(char))).collect()
    }

    /// Types a line and sends it; gives what Enter intended.
    pub fn say(&mut self, text: &str) -> Vec<Intent> {
        self.type_text(text);
        self.key(KeyCode::Enter)
    }

    pub fn conversation(&mut self, user: &str, unread: u64, last: Option<Entry>) -> Vec<Intent> {
        let head_seq = last.as_ref().map_or(0, |last| last.seq);
        let activity = 100 + head_seq;
        self.told(Event::Conversation(Conversation {
            user: user.into(),
            activity,
            head_seq,
            low_seq: 1,
            unread,
            read_seq: head_seq - unread,
            last,
            ..Default::default()
        }))
    }

    /// The answer to a page that was asked for: these messages, and nothing below the first.
    pub fn page(&mut self, user: &str, before_seq: u64, entries: Vec<Entry>) -> Vec<Intent> {
        let covered = entries.first().zip(entries.last()).map(|(first, last)| Range { from: first.seq, to: last.seq });
        let range = MessageRange { entries, complete: true, covered, low_seq: 1 };
        self.input(Input::Page { peer: user.into(), before_seq, result: Ok(range) })
    }

    pub fn message(&mut self, user: &str, entry: Entry) -> Vec<Intent> {
        self.told(Event::Message(Message { peer: user.into(), entry }))
    }

    /// The server has the message with this id.
    pub fn stored(&mut self, user: &str, id: u8, seq: u64) -> Vec<Intent> {
        let state = SendState::Stored { seq, server_time_ms: self.now_ms, stored_offline: false };
        self.outgoing(user, id, state)
    }

    pub fn outgoing(&mut self, user: &str, id: u8, state: SendState) -> Vec<Intent> {
        let client_message_id = Bytes::copy_from_slice(&[id; 16]);
        self.told(Event::Outgoing(Outgoing { local: id.into(), client_message_id, peer: user.into(), state }))
    }

    fn drawn(&self) -> Terminal<TestBackend> {
        let mut terminal = Terminal::new(TestBackend::new(self.size.0, self.size.1)).unwrap();
        terminal.draw(|frame| view::draw(frame, &self.model)).unwrap();
        terminal
    }

    /// The screen as text: one line per row, without spaces at its end.
    pub fn screen(&self) -> String {
        let terminal = self.drawn();
        let buffer = terminal.backend().buffer();
        let mut screen = String::new();
        for y in 0..self.size.1 {
            let (mut line, mut x) = (String::new(), 0);
            while x < self.size.0 {
                let symbol = buffer[(x, y)].symbol();
                line.push_str(symbol);
                // A wide character hides the cell behind it.
                x += crate::text::width(symbol).max(1) as u16;
            }
            screen.push_str(line.trim_end());
            screen.push('\n');
        }
        screen
    }

    /// The last row that contains a text: that of a message rather than that of the list.
    pub fn row(&self, text: &str) -> String {
        let screen = self.screen();
        let row = screen.lines().rfind(|line| line.contains(text));
        row.unwrap_or_else(|| panic!("no {text:?} in\n{screen}")).to_owned()
    }

    pub fn shows(&self, text: &str) -> bool {
        self.screen().contains(text)
    }

    /// How the first cell of a text looks.
    pub fn style_of(&self, text: &str) -> Style {
        let (terminal, screen) = (self.drawn(), self.screen());
        let (y, line) = screen.lines().enumerate().find(|(_, line)| line.contains(text)).expect("it is on screen");
        let x = crate::text::width(&line[..line.find(text).expect("it is in the line")]);
        terminal.backend().buffer()[(x as u16, y as u16)].style()
    }

    /// Column and row of the cursor.
    pub fn cursor(&self) -> (u16, u16) {
        let mut terminal = self.drawn();
        let place = terminal.get_cursor_position().unwrap();
        (place.x, place.y)
    }
}

/// A message of the other person, a minute after the one before it.
pub fn theirs(seq: u64, text: &str) -> Entry {
    let server_time_ms = NOW_MS - 3_600_000 + seq * 60_000;
    Entry { seq, body: text.as_bytes().to_vec().into(), server_time_ms, ..Default::default() }
}

/// A message of this user.
pub fn own(seq: u64, text: &str) -> Entry {
    let client_message_id = Bytes::copy_from_slice(&[200 + seq as u8; 16]);
    Entry { own: true, client_message_id, ..theirs(seq, text) }
}

/// So many messages of the other person, `m1` and so on.
pub fn many(seqs: std::ops::RangeInclusive<u64>) -> Vec<Entry> {
    seqs.map(|seq| theirs(seq, &format!("m{seq}."))).collect()
}
