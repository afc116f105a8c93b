//! The open conversation: header, messages, the text being written.

use ratatui::Frame;
use ratatui::layout::{Position, Rect};
use ratatui::text::{Line, Span, Text};

use super::super::model::{Mode, Model};
use super::super::screen::{PROMPT_COLUMNS, Screen};
use super::super::talk::{Newest, Place, Talk};
use super::super::timeline::{author, summary_of, typing};
use crate::text;

pub(super) fn draw(frame: &mut Frame<'_>, model: &Model, screen: &Screen) {
    if screen.header.width == 0 {
        return;
    }
    let Some(talk) = model.talk() else { return nothing_open(frame, model, screen) };
    header(frame, model, talk, screen.header);
    messages(frame, model, talk, screen.timeline);
    let below = Rect { y: screen.context.y - 1, height: 1, ..screen.timeline };
    rule(frame, model, talk, below);
    if screen.context.height > 0 {
        context(frame, model, talk, screen.context);
    }
    composer(frame, model, talk, screen.composer);
}

fn nothing_open(frame: &mut Frame<'_>, model: &Model, screen: &Screen) {
    let area = screen.timeline;
    let theme = model.theme();
    for (at, line) in model.words().nothing_open.iter().enumerate() {
        let line = text::truncate(line, area.width.into());
        let style = if at == 0 { theme.strong() } else { theme.dim() };
        let y = area.y + area.height / 3 + at as u16;
        if y < area.bottom() {
            let row = Rect { y, height: 1, ..area };
            frame.render_widget(Line::styled(line, style).centered(), row);
        }
    }
}

fn header(frame: &mut Frame<'_>, model: &Model, talk: &Talk, area: Rect) {
    let (words, theme) = (model.words(), model.theme());
    let mut line = vec![Span::raw(" "), Span::styled(talk.title(), theme.strong())];
    if let Some(group) = &talk.group {
        let members = format!("  {} {}", group.member_count, words.members);
        line.push(Span::styled(members, theme.dim()));
    }
    if talk.is_over() {
        line.push(Span::styled(format!("  ⊘ {}", words.group_over), theme.bad()));
    } else if talk.summary.blocked {
        line.push(Span::styled(format!("  ⊘ {}", words.blocked), theme.bad()));
    } else if talk.is_typing(model.now_ms) {
        line.push(Span::styled(format!("  {}", typing(talk, words)), theme.alive()));
    }
    let dashes = "─".repeat(area.width.into());
    frame.render_widget(Text::from(vec![Line::from(line), Line::styled(dashes, theme.dim())]), area);
}

fn messages(frame: &mut Frame<'_>, model: &Model, talk: &Talk, area: Rect) {
    let (words, theme) = (model.words(), model.theme());
    let Some((timeline, height)) = model.timeline() else { return };
    let window = timeline.window(&talk.place, height);
    if window.rows.is_empty() {
        let said = match talk.newest {
            Newest::Known => words.no_messages,
            Newest::Partial => words.only_here,
            Newest::Wanted | Newest::Loading => words.loading,
        };
        let row = Rect { y: area.y + area.height / 3, height: 1, ..area };
        return frame.render_widget(Line::styled(text::truncate(said, area.width.into()), theme.dim()).centered(), row);
    }
    // The newest message is at the bottom, however few there are.
    let first = area.bottom() - (window.rows.len().min(height) as u16);
    for (y, (key, line)) in (first..).zip(window.rows) {
        let row = Rect { y, height: 1, ..area };
        frame.render_widget(line, row);
        if let (Mode::Select(selected), Some(key)) = (&model.mode, key)
            && *selected == key
        {
            frame.buffer_mut().set_style(row, theme.selected());
        }
    }
}

/// The line above the text being written; says so if the newest messages are out of sight.
fn rule(frame: &mut Frame<'_>, model: &Model, talk: &Talk, area: Rect) {
    let theme = model.theme();
    let width = usize::from(area.width);
    if talk.place == Place::Bottom {
        return frame.render_widget(Line::styled("─".repeat(width), theme.dim()), area);
    }
    let hint = text::truncate(&format!(" {} (Ctrl-End) ", model.words().below), width);
    let left = width.saturating_sub(text::width(&hint)) / 2;
    let right = width - left - text::width(&hint);
    let line = vec![
        Span::styled("─".repeat(left), theme.dim()),
        Span::styled(hint, theme.accent()),
        Span::styled("─".repeat(right), theme.dim()),
    ];
    frame.render_widget(Line::from(line), area);
}

fn context(frame: &mut Frame<'_>, model: &Model, talk: &Talk, area: Rect) {
    let (words, theme) = (model.words(), model.theme());
    let said = match (&talk.editing, talk.reply_to) {
        (Some(_), _) => format!("✎ {}", words.editing),
        (None, Some(seq)) => {
            let quoted = talk.messages.get(&seq);
            let quoted = quoted.map(|entry| format!("{}: {}", author(entry, talk, words), summary_of(entry, words)));
            let quoted = quoted.unwrap_or_else(|| words.earlier_message.to_owned());
            format!("↪ {} {quoted}", words.replying_to)
        }
        (None, None) => return,
    };
    frame.render_widget(Line::styled(text::truncate(&said, area.width.into()), theme.accent()), area);
}

fn composer(frame: &mut Frame<'_>, model: &Model, talk: &Talk, area: Rect) {
    let (words, theme) = (model.words(), model.theme());
    frame.render_widget(Span::styled("› ", theme.accent()), Rect { width: PROMPT_COLUMNS, height: 1, ..area });
    let area = Rect { x: area.x + PROMPT_COLUMNS, width: area.width.saturating_sub(PROMPT_COLUMNS), ..area };
    let excerpt = talk.composer.excerpt(area.width.into(), area.height.into());
    if talk.composer.is_empty() {
        frame.render_widget(Span::styled(text::truncate(words.placeholder, area.width.into()), theme.dim()), area);
    } else {
        let lines = excerpt.lines.into_iter().map(Line::raw).collect::<Vec<_>>();
        frame.render_widget(Text::from(lines), area);
    }
    if model.mode == Mode::Compose {
        let place = Position { x: area.x + excerpt.column as u16, y: area.y + excerpt.row as u16 };
        frame.set_cursor_position(place);
    }
}
