//! The conversation list: two rows each, with the newest activity first.

use hongyan_client::Link;
use ratatui::Frame;
use ratatui::layout::Rect;
use ratatui::style::Style;
use ratatui::text::{Line, Span};

use super::super::model::Model;
use super::super::talk::Talk;
use super::super::timeline::{author, summary_of, typing};
use crate::{local_time, text};

/// Rows of a conversation.
const ROWS: usize = 2;

pub(super) fn draw(frame: &mut Frame<'_>, model: &Model, area: Rect) {
    let (words, theme) = (model.words(), model.theme());
    let width = usize::from(area.width);
    let dot =
        if model.link == Link::Live { Span::styled("● ", theme.alive()) } else { Span::styled("○ ", theme.dim()) };
    let me = text::truncate(&model.me, width.saturating_sub(3));
    let mut lines = vec![Line::from(vec![dot, Span::styled(me, theme.strong())])];
    lines.push(Line::styled(rule(model, width), theme.dim()));
    let order = model.order();
    if order.is_empty() {
        let hint = text::wrap(words.no_conversations, width.saturating_sub(1));
        lines.extend(hint.into_iter().map(|line| Line::styled(line, theme.dim())));
    }
    let fit = usize::from(area.height).saturating_sub(lines.len()) / ROWS;
    let open = model.open.as_ref().and_then(|open| order.iter().position(|peer| *peer == open));
    // The open one is always to be seen.
    let first = open.map_or(0, |open| (open + 1).saturating_sub(fit.max(1)));
    for peer in order.into_iter().skip(first).take(fit) {
        lines.extend(row(model, &model.talks[peer], width));
    }
    frame.render_widget(ratatui::text::Text::from(lines), area);
}

fn rule(model: &Model, width: usize) -> String {
    let words = model.words();
    let unread = model.unread();
    let title = if unread > 0 {
        format!("─ {} ({unread}) ", words.conversations)
    } else {
        format!("─ {} ", words.conversations)
    };
    let title = text::truncate(&title, width);
    let rest = width - text::width(&title);
    title + &"─".repeat(rest)
}

fn row(model: &Model, talk: &Talk, width: usize) -> [Line<'static>; ROWS] {
    let theme = model.theme();
    let is_open = model.open.as_ref() == Some(&talk.peer);
    let bar = if is_open { Span::styled("▌", theme.accent()) } else { Span::raw(" ") };
    let time = time(model, talk);
    let name_style = if is_open || talk.summary.unread > 0 { theme.strong() } else { Style::new() };
    let name = text::pad(&talk.title(), width.saturating_sub(text::width(&time) + 3));
    let upper =
        Line::from(vec![bar.clone(), Span::styled(name, name_style), Span::styled(format!(" {time} "), theme.dim())]);
    let badge = match talk.summary.unread {
        0 => String::new(),
        unread @ 1..=999 => format!(" {unread} "),
        _ => " 999+ ".into(),
    };
    let (said, style) = said(model, talk, is_open);
    let said = text::pad(&said, width.saturating_sub(text::width(&badge) + 3));
    let lower = Line::from(vec![bar, Span::raw(" "), Span::styled(said, style), Span::styled(badge, theme.badge())]);
    [upper, lower]
}

/// Of the newest message: the hour today, the day before that.
fn time(model: &Model, talk: &Talk) -> String {
    let last = talk.summary.last.as_ref().map(|last| last.server_time_ms);
    let written = talk.outgoing.last().map(|outgoing| outgoing.written_ms);
    let Some(moment) = last.max(written) else { return String::new() };
    let (day, today) = (local_time::date(moment, model.zone()), local_time::date(model.now_ms, model.zone()));
    if day == today {
        local_time::hours_minutes(moment, model.zone())
    } else if day.year() == today.year() {
        day.strftime("%m-%d").to_string()
    } else {
        day.strftime("%Y-%m").to_string()
    }
}

fn said(model: &Model, talk: &Talk, is_open: bool) -> (String, Style) {
    let (words, theme) = (model.words(), model.theme());
    if talk.is_typing(model.now_ms) {
        return (typing(talk, words), theme.alive());
    }
    if !is_open && !talk.composer.is_empty() && talk.editing.is_none() {
        return (format!("{} {}", words.draft, text::one_line(talk.composer.text())), theme.bad());
    }
    if let Some(outgoing) = talk.outgoing.last() {
        let state = if outgoing.failure.is_some() { "✗" } else { "◷" };
        return (format!("{state} {}", text::one_line(&outgoing.text)), theme.dim());
    }
    if talk.summary.blocked {
        return (format!("⊘ {}", words.blocked), theme.dim());
    }
    let Some(last) = &talk.summary.last else { return (String::new(), theme.dim()) };
    let mut summary = summary_of(last, words);
    if talk.group.is_some() && !last.own {
        summary = format!("{}: {summary}", author(last, talk, words));
    }
    let state = match last {
        last if !last.own || last.recalled => "",
        _ if talk.group.is_some() => "✓ ",
        last if last.seq <= talk.summary.peer_delivered_seq.max(talk.summary.peer_read_seq) => "✓✓ ",
        _ => "✓ ",
    };
    (format!("{state}{summary}"), theme.dim())
}
