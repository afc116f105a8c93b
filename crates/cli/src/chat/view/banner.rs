//! The line at the top that says why nothing moves. Absent while the link is live.

use hongyan_client::{BreakReason, Link, StopReason, proto};
use ratatui::Frame;
use ratatui::layout::Rect;

use super::super::model::Model;
use super::super::words::Words;
use crate::text;

pub(super) fn draw(frame: &mut Frame<'_>, model: &Model, area: Rect) {
    let said = said(model);
    let theme = model.theme();
    let style = if is_calm(&model.link) { theme.dim() } else { theme.warning() };
    frame.buffer_mut().set_style(area, style);
    frame.render_widget(ratatui::text::Span::styled(text::pad(&format!(" {said}"), area.width.into()), style), area);
}

/// On the way up, nothing is wrong yet.
fn is_calm(link: &Link) -> bool {
    matches!(link, Link::Idle | Link::Connecting | Link::Handshaking | Link::Resuming | Link::Authing)
}

fn said(model: &Model) -> String {
    let words = model.words();
    match &model.link {
        Link::Idle | Link::Connecting => words.connecting.to_owned(),
        Link::Handshaking | Link::Resuming | Link::Authing => words.signing_in.to_owned(),
        Link::Live => String::new(),
        Link::Broken { reason, .. } => {
            let seconds = model.retry_at_ms.saturating_sub(model.now_ms).div_ceil(1000);
            let why = broken(reason, model.was_live(), words);
            format!("{why} {} {seconds} s · {} · {}", words.retry_in, words.retry_key, words.kept)
        }
        Link::Stopped(reason) => stopped(reason, words),
    }
}

fn broken(reason: &BreakReason, was_live: bool, words: &'static Words) -> String {
    match reason {
        BreakReason::Disconnected | BreakReason::ConnectTimeout if !was_live => words.unreachable.to_owned(),
        BreakReason::Disconnected | BreakReason::ConnectTimeout => words.lost.to_owned(),
        BreakReason::Violation(_) | BreakReason::NoAnswer => words.lost.to_owned(),
        BreakReason::Refused(refusal) => format!("{}.", words.refusal(refusal.code())),
        BreakReason::Goaway => words.closing.to_owned(),
    }
}

fn stopped(reason: &StopReason, words: &'static Words) -> String {
    match reason {
        StopReason::Kicked(notice) => match notice.reason() {
            proto::KickoutReason::SameTermLogin => words.kicked.to_owned(),
            proto::KickoutReason::LoggedOut => words.logged_out.to_owned(),
            proto::KickoutReason::SessionRevoked | proto::KickoutReason::Unspecified => words.revoked.to_owned(),
        },
        StopReason::SessionEnded(_) => words.revoked.to_owned(),
        StopReason::LoggedOut => words.logged_out.to_owned(),
        StopReason::LoginRefused(refusal) => {
            format!("{} {} · {}", words.login_refused, words.refusal(refusal.code()), words.retry_key)
        }
        StopReason::Unsupported(_) => words.unsupported.to_owned(),
        StopReason::OtherUser { .. } => words.other_user.to_owned(),
        StopReason::Failed(error) => format!("{} {}", words.store_failed, text::one_line(error)),
    }
}
