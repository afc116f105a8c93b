//! Messages as rows of the screen: how each is laid out, and which rows are visible from a place. Rows are made only
//! for what is near the place.

use std::cell::RefCell;
use std::collections::HashMap;
use std::rc::Rc;

use hongyan_client::Peer;
use hongyan_client::proto::Entry;
use jiff::ToSpan;
use jiff::civil::Date;
use jiff::tz::TimeZone;
use ratatui::style::{Modifier, Style};
use ratatui::text::{Line, Span};

use super::intent::Problem;
use super::talk::{Key, Newest, Older, Outgoing, Place, Talk};
use super::theme::Theme;
use super::words::Words;
use crate::{entry, happening, local_time, text};

/// Columns that a message leaves free on the other side, as a part of the width.
const FREE_PART: usize = 5;
/// A quote may be so wide even if the answer is short.
const QUOTE_COLUMNS_MIN: usize = 24;
/// Rows of the longest message that are laid out; a longer one is cut.
const ROWS_MAX: usize = 1_000;

/// What the layout depends on beside the messages.
#[derive(Clone, Copy)]
pub struct Setting<'a> {
    /// The language.
    pub words: &'static Words,
    /// For times and days.
    pub zone: &'a TimeZone,
    /// To call days today and yesterday.
    pub today: Date,
    /// Columns.
    pub width: usize,
    /// Colours.
    pub theme: Theme,
}

/// A message, in the order of the screen.
#[derive(Clone, Copy)]
pub enum Item<'a> {
    /// It has its place.
    Stored(&'a Entry),
    /// It is on its way.
    Outgoing(&'a Outgoing),
}

impl Item<'_> {
    /// Its name.
    pub fn key(&self) -> Key {
        match self {
            Self::Stored(entry) => Key::Seq(entry.seq),
            Self::Outgoing(outgoing) => Key::Outgoing(outgoing.client_message_id.clone()),
        }
    }

    fn time_ms(&self) -> u64 {
        match self {
            Self::Stored(entry) => entry.server_time_ms,
            Self::Outgoing(outgoing) => outgoing.written_ms,
        }
    }
}

/// The rows of one message.
struct Block {
    /// What belongs to it but is not part of it: day, marks.
    above: Vec<Line<'static>>,
    body: Vec<Line<'static>>,
}

impl Block {
    fn height(&self) -> usize {
        self.above.len() + self.body.len()
    }
}

/// What is visible.
pub struct Window {
    /// From the top; the key is that of the message the row belongs to.
    pub rows: Vec<(Option<Key>, Line<'static>)>,
    /// Nothing that is known lies above.
    pub at_top: bool,
    /// Nothing lies below.
    pub at_bottom: bool,
}

/// A row: which message, which of its rows.
type Position = (usize, usize);

/// The messages of a conversation, to be laid out.
pub struct Timeline<'a> {
    talk: &'a Talk,
    setting: Setting<'a>,
    items: Vec<Item<'a>>,
    /// The first message that is marked as new.
    first_new: Option<usize>,
    blocks: RefCell<HashMap<usize, Rc<Block>>>,
}

impl<'a> Timeline<'a> {
    /// Of what is known.
    pub fn new(talk: &'a Talk, setting: Setting<'a>) -> Self {
        let stored = talk.messages.values().map(Item::Stored);
        let items: Vec<_> = stored.chain(talk.outgoing.iter().map(Item::Outgoing)).collect();
        let is_new = |item: &Item<'_>| match (talk.new_after, item) {
            (Some(after), Item::Stored(entry)) => !entry.own && entry.seq > after,
            _ => false,
        };
        let first_new = items.iter().position(is_new);
        Self { talk, setting, items, first_new, blocks: RefCell::default() }
    }

    /// All messages, oldest first.
    pub fn items(&self) -> &[Item<'a>] {
        &self.items
    }

    /// Which message has this name.
    pub fn index_of(&self, key: &Key) -> Option<usize> {
        self.items.iter().position(|item| item.key() == *key)
    }

    /// The rows to be seen from a place. Few messages lie at the bottom.
    pub fn window(&self, place: &Place, height: usize) -> Window {
        let Some(top) = self.resolve(place, height) else {
            return Window { rows: Vec::new(), at_top: true, at_bottom: true };
        };
        let mut rows = Vec::with_capacity(height);
        let (mut index, mut row) = top;
        while rows.len() < height && index < self.items.len() {
            let block = self.block(index);
            if row < block.above.len() {
                rows.push((None, block.above[row].clone()));
            } else {
                rows.push((Some(self.items[index].key()), block.body[row - block.above.len()].clone()));
            }
            row += 1;
            if row == block.height() {
                (index, row) = (index + 1, 0);
            }
        }
        Window { rows, at_top: top == (0, 0), at_bottom: index == self.items.len() }
    }

    /// The place so many rows further down, or up if negative.
    pub fn scrolled(&self, place: &Place, height: usize, rows: isize) -> Place {
        let Some(top) = self.resolve(place, height) else { return Place::Bottom };
        let moved = if rows < 0 { self.up(top, rows.unsigned_abs()) } else { self.down(top, rows.unsigned_abs()) };
        self.place_of(moved, height)
    }

    /// The place nearest to the given one at which a message is visible.
    pub fn revealed(&self, place: &Place, height: usize, key: &Key) -> Place {
        let (Some(top), Some(index)) = (self.resolve(place, height), self.index_of(key)) else { return place.clone() };
        let block = self.block(index);
        if (index, block.above.len()) < top {
            return self.place_of((index, 0), height);
        }
        let lowest_top = self.up((index, block.height() - 1), height.saturating_sub(1));
        if lowest_top > top {
            // A message that is higher than the window shows its beginning.
            return self.place_of(lowest_top.min((index, 0)), height);
        }
        place.clone()
    }

    fn resolve(&self, place: &Place, height: usize) -> Option<Position> {
        let last = self.items.len().checked_sub(1)?;
        let bottom = self.up((last, self.block(last).height() - 1), height.saturating_sub(1));
        let Place::At { key, row } = place else { return Some(bottom) };
        let index = match key {
            Key::Seq(seq) => {
                // If the message is gone, the next one is where the reader was.
                let after = |item: &Item<'_>| !matches!(item, Item::Stored(entry) if entry.seq < *seq);
                self.items.iter().position(after)
            }
            Key::Outgoing(_) => self.index_of(key),
        };
        let Some(index) = index else { return Some(bottom) };
        let block = self.block(index);
        let row = (block.above.len() as isize + row).clamp(0, block.height() as isize - 1);
        Some((index, row as usize).min(bottom))
    }

    fn place_of(&self, top: Position, height: usize) -> Place {
        if self.window_reaches_end(top, height) {
            return Place::Bottom;
        }
        let row = top.1 as isize - self.block(top.0).above.len() as isize;
        Place::At { key: self.items[top.0].key(), row }
    }

    fn window_reaches_end(&self, top: Position, height: usize) -> bool {
        let (mut index, row) = top;
        let mut rows = self.block(index).height() - row;
        while rows <= height {
            index += 1;
            if index == self.items.len() {
                return true;
            }
            rows += self.block(index).height();
        }
        false
    }

    fn up(&self, (mut index, mut row): Position, mut rows: usize) -> Position {
        while rows > row {
            if index == 0 {
                return (0, 0);
            }
            rows -= row + 1;
            index -= 1;
            row = self.block(index).height() - 1;
        }
        (index, row - rows)
    }

    fn down(&self, (mut index, mut row): Position, mut rows: usize) -> Position {
        loop {
            let left = self.block(index).height() - 1 - row;
            if rows <= left {
                return (index, row + rows);
            }
            if index + 1 == self.items.len() {
                return (index, row + left);
            }
            rows -= left + 1;
            (index, row) = (index + 1, 0);
        }
    }

    fn block(&self, index: usize) -> Rc<Block> {
        if let Some(known) = self.blocks.borrow().get(&index) {
            return known.clone();
        }
        let block = Rc::new(self.lay_out(index));
        self.blocks.borrow_mut().insert(index, block.clone());
        block
    }

    fn lay_out(&self, index: usize) -> Block {
        let item = self.items[index];
        let mut body = match item {
            Item::Stored(entry) => self.stored(entry),
            Item::Outgoing(outgoing) => self.outgoing(outgoing),
        };
        body.truncate(ROWS_MAX);
        Block { above: self.above(index), body }
    }

    fn above(&self, index: usize) -> Vec<Line<'static>> {
        let Setting { words, zone, theme, .. } = self.setting;
        let mut above = Vec::new();
        let day = |index: usize| local_time::date(self.items[index].time_ms(), zone);
        let before = index.checked_sub(1);
        if before.is_none() {
            above.extend(self.state_of_older().map(|state| self.rule(state, theme.dim(), false)));
        }
        if before.is_none_or(|before| day(before) != day(index)) {
            above.push(self.rule(&self.day(day(index)), theme.dim(), true));
        }
        if self.first_new == Some(index) {
            above.push(self.rule(words.new_messages, theme.accent(), true));
        }
        above
    }

    fn state_of_older(&self) -> Option<&'static str> {
        let words = self.setting.words;
        match (self.talk.newest, self.talk.older) {
            (Newest::Partial, _) | (_, Older::Unreachable) => Some(words.only_here),
            (_, Older::Loading) => Some(words.loading),
            (_, Older::End) => Some(words.beginning),
            (_, Older::More) => None,
        }
    }

    fn day(&self, day: Date) -> String {
        let Setting { words, today, .. } = self.setting;
        let weekday = words.weekdays[usize::from(day.weekday().to_monday_zero_offset().unsigned_abs())];
        if day == today {
            words.today.to_owned()
        } else if today.checked_sub(1.day()).is_ok_and(|yesterday| yesterday == day) {
            words.yesterday.to_owned()
        } else {
            format!("{day} {weekday}")
        }
    }

    /// A text in the middle, with or without lines beside it.
    fn rule(&self, text: &str, style: Style, lines: bool) -> Line<'static> {
        let width = self.setting.width;
        let text = format!(" {} ", text::truncate(text, width.saturating_sub(4)));
        let left = width.saturating_sub(text::width(&text)) / 2;
        let right = width.saturating_sub(text::width(&text) + left);
        let side = if lines { "─" } else { " " };
        let dim = self.setting.theme.dim();
        Line::from(vec![
            Span::styled(side.repeat(left), dim),
            Span::styled(text, style),
            Span::styled(side.repeat(right), dim),
        ])
    }

    fn stored(&self, entry: &Entry) -> Vec<Line<'static>> {
        let Setting { words, zone, theme, .. } = self.setting;
        if let Some(happened) = happening::told(entry, words.happenings) {
            return vec![self.rule(&happened, theme.dim(), false)];
        }
        let faint = theme.dim().add_modifier(Modifier::ITALIC);
        let (said, style) = if entry.recalled {
            (words.recalled.to_owned(), faint)
        } else {
            let said = entry::body_words(entry.r#type, &entry.body, &entry.text);
            (said, if entry.own { theme.own() } else { Style::new() })
        };
        let mut meta = vec![Span::styled(local_time::hours_minutes(entry.server_time_ms, zone), theme.dim())];
        if entry.edited && !entry.recalled {
            meta.insert(0, Span::styled(format!("{} ", words.edited), faint));
        }
        if entry.own {
            meta.push(self.ticks(entry.seq));
        }
        let mut bubble = Bubble::new(entry.own, self.setting);
        if self.talk.peer.group().is_some() && !entry.own {
            bubble.text(&entry.sender, theme.strong());
        }
        bubble.text(&said, style);
        bubble.meta(meta);
        bubble.reactions(&entry.reactions);
        bubble.quote(self.quote(entry.reply_to));
        bubble.lines()
    }

    fn ticks(&self, seq: u64) -> Span<'static> {
        let (theme, summary) = (self.setting.theme, &self.talk.summary);
        if seq <= summary.peer_read_seq {
            Span::styled(" ✓✓", theme.read())
        } else if seq <= summary.peer_delivered_seq {
            Span::styled(" ✓✓", theme.dim())
        } else {
            Span::styled(" ✓", theme.dim())
        }
    }

    fn outgoing(&self, outgoing: &Outgoing) -> Vec<Line<'static>> {
        let Setting { words, zone, theme, .. } = self.setting;
        let time = local_time::hours_minutes(outgoing.written_ms, zone);
        let mut meta = vec![Span::styled(time, theme.dim())];
        meta.push(match outgoing.failure {
            Some(_) => Span::styled(" ✗", theme.bad()),
            None => Span::styled(" ◷", theme.dim()),
        });
        let mut bubble = Bubble::new(true, self.setting);
        bubble.text(&outgoing.text, theme.own());
        bubble.meta(meta);
        if let Some(problem) = outgoing.failure {
            let why = format!("{}: {}", words.not_sent, problem_words(words, problem));
            bubble.text(&why, theme.bad());
        }
        bubble.quote(self.quote(outgoing.reply_to));
        bubble.lines()
    }

    fn quote(&self, seq: u64) -> Option<String> {
        let words = self.setting.words;
        if seq == 0 {
            return None;
        }
        let Some(entry) = self.talk.messages.get(&seq) else { return Some(words.earlier_message.to_owned()) };
        Some(format!("{}: {}", author(entry, self.talk, words), summary_of(entry, words)))
    }
}

/// Who wrote it.
pub fn author<'a>(entry: &'a Entry, talk: &'a Talk, words: &'static Words) -> &'a str {
    match &talk.peer {
        _ if entry.own => words.you,
        Peer::Person(name) => name,
        Peer::Group(_) => &entry.sender,
    }
}

/// That somebody is typing; in a group, who.
pub fn typing(talk: &Talk, words: &'static Words) -> String {
    match &talk.peer {
        Peer::Person(_) => words.typing.to_owned(),
        Peer::Group(_) => format!("{}: {}", talk.typist, words.typing),
    }
}

/// A message in one line.
pub fn summary_of(entry: &Entry, words: &'static Words) -> String {
    if let Some(happened) = happening::told(entry, words.happenings) {
        return happened;
    }
    if entry.recalled {
        return words.recalled.to_owned();
    }
    text::one_line(&entry::body_words(entry.r#type, &entry.body, &entry.text))
}

/// Why something was not done.
pub fn problem_words(words: &'static Words, problem: Problem) -> &'static str {
    match problem {
        Problem::Refused(code) => words.refusal(code),
        Problem::Offline => words.offline,
        Problem::NoAnswer => words.no_answer,
        Problem::TooMany => words.too_many,
        Problem::OutboxFull => words.outbox_full,
        Problem::Invalid => words.refusal(hongyan_client::proto::RefusalCode::InvalidArgument),
        Problem::Ended => words.store_failed,
    }
}

/// The rows of one message: the other person's at the left beside a bar, own ones at the right.
struct Bubble<'a> {
    own: bool,
    setting: Setting<'a>,
    rows: Vec<Vec<Span<'static>>>,
}

impl<'a> Bubble<'a> {
    fn new(own: bool, setting: Setting<'a>) -> Self {
        Self { own, setting, rows: Vec::new() }
    }

    /// Columns of the text.
    fn columns(&self) -> usize {
        let bar = if self.own { 1 } else { 2 };
        let free = self.setting.width / FREE_PART;
        self.setting.width.saturating_sub(bar + free).max(8)
    }

    /// In one line, not much wider than what answers it. To be called last.
    fn quote(&mut self, quote: Option<String>) {
        if let Some(quote) = quote {
            let widest = self.rows.iter().map(|row| columns_of(row)).max().unwrap_or(0);
            let columns = widest.max(QUOTE_COLUMNS_MIN).min(self.columns());
            let quote = text::truncate(&format!("↪ {quote}"), columns);
            self.rows.insert(0, vec![Span::styled(quote, self.setting.theme.dim())]);
        }
    }

    fn text(&mut self, said: &str, style: Style) {
        for line in text::wrap(said, self.columns()) {
            self.rows.push(vec![Span::styled(line, style)]);
        }
    }

    /// At the end of the last row if it fits there, otherwise below.
    fn meta(&mut self, mut meta: Vec<Span<'static>>) {
        let needed = columns_of(&meta) + 1;
        match self.rows.last_mut() {
            Some(last) if columns_of(last) + needed <= self.setting.width.saturating_sub(3) => {
                last.push(Span::raw(" "));
                last.append(&mut meta);
            }
            _ => self.rows.push(meta),
        }
    }

    fn reactions(&mut self, reactions: &[hongyan_client::proto::Reaction]) {
        let theme = self.setting.theme;
        let mut row = Vec::new();
        for reaction in reactions.iter().filter(|reaction| reaction.count > 0) {
            let name = text::truncate(&text::one_line(&reaction.name), 12);
            let style = if reaction.own { theme.accent() } else { theme.dim() };
            let gap = if row.is_empty() { "" } else { "  " };
            let shown = Span::styled(format!("{gap}{name} {}", reaction.count), style);
            if columns_of(&row) + columns_of(std::slice::from_ref(&shown)) <= self.columns() {
                row.push(shown);
            }
        }
        if !row.is_empty() {
            self.rows.push(row);
        }
    }

    fn lines(self) -> Vec<Line<'static>> {
        let Setting { width, theme, .. } = self.setting;
        let block = self.rows.iter().map(|row| columns_of(row)).max().unwrap_or(0);
        let margin = width.saturating_sub(block + 1);
        let own = self.own;
        let line = |mut row: Vec<Span<'static>>| {
            let before = if own { Span::raw(" ".repeat(margin)) } else { Span::styled("▎ ", theme.theirs()) };
            row.insert(0, before);
            Line::from(row)
        };
        self.rows.into_iter().map(line).collect()
    }
}

fn columns_of(row: &[Span<'_>]) -> usize {
    row.iter().map(|span| text::width(&span.content)).sum()
}
