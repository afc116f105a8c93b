//! Draws the model. Decides nothing: what is where is the screen's, what a message looks like the timeline's.

mod banner;
mod list;
mod overlay;
mod pane;

use ratatui::Frame;
use ratatui::layout::Rect;
use ratatui::text::{Line, Span};

use super::model::{Mode, Model};
use super::screen::Screen;
use crate::text;

/// Draws everything.
pub fn draw(frame: &mut Frame<'_>, model: &Model) {
    let Some(screen) = model.screen() else {
        let words = text::truncate(model.words().too_small, frame.area().width.into());
        return frame.render_widget(words, frame.area());
    };
    if screen.banner.height > 0 {
        banner::draw(frame, model, screen.banner);
    }
    if let Some(area) = screen.list {
        list::draw(frame, model, area);
        divide(frame, model, area, &screen);
    }
    pane::draw(frame, model, &screen);
    footer(frame, model, screen.footer);
    match &model.mode {
        Mode::Help => overlay::help(frame, model),
        Mode::Members { title, rows } => overlay::members(frame, model, title, rows),
        Mode::NewTalk { name, picked } => overlay::new_talk(frame, model, name, *picked),
        Mode::React { name, .. } => overlay::react(frame, model, name),
        Mode::Password(password) => overlay::password(frame, model, password),
        Mode::Confirm(question, _) => overlay::confirm(frame, model, *question),
        Mode::Compose | Mode::Select(_) => {}
    }
}

/// The line between the list and the messages.
fn divide(frame: &mut Frame<'_>, model: &Model, list: Rect, screen: &Screen) {
    if screen.header.width == 0 {
        return;
    }
    let area = Rect { x: list.right(), width: 1, ..list };
    for y in area.rows() {
        frame.render_widget(Span::styled("│", model.theme().dim()), y);
    }
}

fn footer(frame: &mut Frame<'_>, model: &Model, area: Rect) {
    let (words, theme) = (model.words(), model.theme());
    let line = match model.notice() {
        Some(notice) => Span::styled(text::truncate(notice, area.width.into()), theme.accent()),
        None => {
            let keys = match model.mode {
                Mode::Compose => words.keys_compose,
                Mode::Select(_) => words.keys_select,
                Mode::Confirm(..) => words.keys_confirm,
                Mode::NewTalk { .. } | Mode::React { .. } | Mode::Password(_) => words.keys_prompt,
                Mode::Help | Mode::Members { .. } => words.keys_help,
            };
            Span::styled(text::truncate(keys, area.width.into()), theme.dim())
        }
    };
    frame.render_widget(Line::from(line), area);
}
