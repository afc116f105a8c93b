//! What lies over the screen for a moment: help, prompts, questions.

use ratatui::Frame;
use ratatui::layout::{Position, Rect};
use ratatui::text::{Line, Span, Text};
use ratatui::widgets::{Block, BorderType, Clear};

use super::super::composer::Composer;
use super::super::keys::REACTIONS;
use super::super::model::{Model, Question};
use super::super::words::Words;
use crate::text;

/// Columns of a prompt or question.
const PROMPT_COLUMNS: u16 = 50;
/// Columns of the explained keys.
const KEYS_COLUMNS: usize = 26;

pub(super) fn help(frame: &mut Frame<'_>, model: &Model) {
    let (words, theme) = (model.words(), model.theme());
    let widest = words.help.iter().map(|(_, what)| text::width(what)).max().unwrap_or(0);
    let area = window(frame, words.help_title, model, (KEYS_COLUMNS + widest + 1) as u16, words.help.len() as u16);
    let lines = words.help.iter().map(|(keys, what)| {
        Line::from(vec![Span::styled(text::pad(keys, KEYS_COLUMNS), theme.accent()), Span::raw(*what)])
    });
    frame.render_widget(Text::from(lines.collect::<Vec<_>>()), area);
}

/// Who is in a group, as many as fit.
pub(super) fn members(frame: &mut Frame<'_>, model: &Model, title: &str, rows: &[String]) {
    let area = window(frame, title, model, PROMPT_COLUMNS, rows.len() as u16);
    let width = usize::from(area.width);
    let lines = rows.iter().take(area.height.into()).map(|row| Line::raw(text::truncate(row, width)));
    frame.render_widget(Text::from(lines.collect::<Vec<_>>()), area);
}

pub(super) fn new_talk(frame: &mut Frame<'_>, model: &Model, name: &Composer, picked: Option<usize>) {
    let theme = model.theme();
    let suggestions = model.suggestions(name.text());
    let area = window(frame, model.words().to_whom, model, PROMPT_COLUMNS, 1 + suggestions.len() as u16);
    prompt(frame, model, name, area);
    for (at, user) in suggestions.into_iter().enumerate() {
        let row = Rect { y: area.y + 1 + at as u16, height: 1, ..area };
        if row.y < area.bottom() {
            let style = if picked == Some(at) { theme.selected() } else { theme.dim() };
            frame.render_widget(Span::styled(text::pad(&format!("  {user}"), row.width.into()), style), row);
        }
    }
}

pub(super) fn react(frame: &mut Frame<'_>, model: &Model, name: &Composer) {
    let area = window(frame, model.words().which_reaction, model, PROMPT_COLUMNS, 2);
    let choices = REACTIONS.iter().enumerate().map(|(at, name)| format!("{} {name}", at + 1)).collect::<Vec<_>>();
    frame.render_widget(text::truncate(&choices.join("   "), area.width.into()), Rect { height: 1, ..area });
    prompt(frame, model, name, Rect { y: area.y + 1, height: area.height.saturating_sub(1), ..area });
}

pub(super) fn password(frame: &mut Frame<'_>, model: &Model, password: &Composer) {
    let words = model.words();
    let why = if model.was_live() { words.session_ended } else { words.wrong_password };
    let area = window(frame, &format!("{} {}", words.password, model.me), model, PROMPT_COLUMNS, 2);
    frame.render_widget(text::truncate(why, area.width.into()), Rect { height: 1, ..area });
    let hidden = Composer::with("•".repeat(password.text().chars().count()));
    prompt(frame, model, &hidden, Rect { y: area.y + 1, height: area.height.saturating_sub(1), ..area });
}

pub(super) fn confirm(frame: &mut Frame<'_>, model: &Model, question: Question) {
    let words = model.words();
    let asked = asked(words, question);
    let lines = text::wrap(asked, usize::from(PROMPT_COLUMNS) - 2);
    let area = window(frame, words.keys_confirm, model, PROMPT_COLUMNS, lines.len() as u16);
    frame.render_widget(Text::from(lines.into_iter().map(Line::raw).collect::<Vec<_>>()), area);
}

fn asked(words: &'static Words, question: Question) -> &'static str {
    match question {
        Question::Recall => words.ask_recall,
        Question::Delete => words.ask_delete,
        Question::Block => words.ask_block,
        Question::Leave => words.ask_leave,
        Question::Quit => words.ask_quit,
    }
}

fn prompt(frame: &mut Frame<'_>, model: &Model, name: &Composer, area: Rect) {
    if area.height == 0 || area.width < 4 {
        return;
    }
    let line = Rect { height: 1, ..area };
    frame.render_widget(Span::styled("› ", model.theme().accent()), line);
    let line = Rect { x: line.x + 2, width: line.width - 2, ..line };
    let excerpt = name.excerpt(line.width.into(), 1);
    frame.render_widget(excerpt.lines.concat(), line);
    frame.set_cursor_position(Position { x: line.x + excerpt.column as u16, y: line.y });
}

/// A box in the middle of the screen, cleared; gives its inside.
fn window(frame: &mut Frame<'_>, title: &str, model: &Model, columns: u16, rows: u16) -> Rect {
    let screen = frame.area();
    let (width, height) = ((columns + 4).min(screen.width), (rows + 2).min(screen.height));
    let (x, y) = ((screen.width - width) / 2, (screen.height - height) / 2);
    let area = Rect { x, y, width, height };
    clear(frame, area);
    let title = Span::styled(
        format!(" {} ", text::truncate(title, usize::from(width).saturating_sub(4))),
        model.theme().strong(),
    );
    let block = Block::bordered().border_type(BorderType::Rounded).title(title);
    let inside = block.inner(area);
    frame.render_widget(block, area);
    Rect { x: inside.x + 1, width: inside.width.saturating_sub(2), ..inside }
}

/// Also the left half of a wide character that the box would cut in two.
fn clear(frame: &mut Frame<'_>, area: Rect) {
    let before = area.x.saturating_sub(1);
    for y in area.top()..area.bottom() {
        let cell = &mut frame.buffer_mut()[(before, y)];
        if text::width(cell.symbol()) > 1 {
            cell.set_symbol(" ");
        }
    }
    frame.render_widget(Clear, area);
}
