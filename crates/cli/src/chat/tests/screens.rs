//! Whole screens, as text, in both languages.

use hongyan_client::proto::{BodyType, Reaction};
use hongyan_client::{BreakReason, Event, Link};
use ratatui::crossterm::event::KeyCode;

use super::super::intent::Input;
use super::super::words::Language::{self, En, Zh};
use super::stage::{Stage, own, theirs};

fn lively(language: Language) -> Stage {
    let reactions = vec![Reaction { name: "👍".into(), count: 1, own: true, users: Vec::new() }];
    let day = 24 * 60 * 60 * 1000;
    let yesterday = |mut entry: hongyan_client::proto::Entry| {
        entry.server_time_ms -= day;
        entry
    };
    let entries = vec![
        yesterday(theirs(1, "晚上一起吃饭吗？我知道一家新开的馆子，离地铁站很近，走路五分钟就到。")),
        hongyan_client::proto::Entry { reactions, ..yesterday(own(2, "好啊！几点？")) },
        theirs(3, "Seven o'clock, in front of the station? The weather should be fine 🌙"),
        hongyan_client::proto::Entry { reply_to: 3, edited: true, ..own(4, "see you there 👍") },
        hongyan_client::proto::Entry { r#type: BodyType::Ciphertext.into(), ..theirs(5, "xxxx") },
    ];
    let mut stage = Stage::new(language);
    stage.conversation("carol", 12, Some(theirs(20, "你看到我的消息了吗")));
    stage.conversation("bob", 0, entries.last().cloned());
    stage.told(Event::Typing { peer: "carol".into(), user: "carol".into(), stopped: false });
    stage.input(Input::Open("bob".into()));
    stage.page("bob", 0, entries);
    stage.told(Event::Receipt { user: "bob".into(), delivered_seq: 4, read_seq: 2 });
    stage.type_text("Looking forward 期待");
    stage
}

#[test]
fn an_ordinary_screen_in_english() {
    let stage = lively(En);
    let expected = "\
● alice               │ bob
─ Conversations (12) ─│─────────────────────────────────────────────────────────
 carol          09:20 │
  typing…         12  │
▌bob            09:05 │
▌ [encrypted] 4 B     │
                      │
                      │
                      │
                      │                  This is the beginning
                      │─────────────────────── Yesterday ───────────────────────
                      │▎ 晚上一起吃饭吗？我知道一家新开的馆子，离地铁
                      │▎ 站很近，走路五分钟就到。 09:01
                      │                                   好啊！几点？ 09:02 ✓✓
                      │                                   👍 1
                      │───────────────────────── Today ─────────────────────────
                      │▎ Seven o'clock, in front of the station? The
                      │▎ weather should be fine 🌙 09:03
                      │                        ↪ bob: Seven o'clock, in front …
                      │                        see you there 👍 edited 09:04 ✓✓
                      │▎ [encrypted] 4 B 09:05
                      │─────────────────────────────────────────────────────────
                      │› Looking forward 期待
Enter send · ↑ select · Alt-↑↓ conversation · Ctrl-N new · F1 help · Ctrl-Q quit
";
    assert_eq!(stage.screen(), expected, "\n{}", stage.screen());
    assert_eq!(stage.cursor(), (45, 22));
}

#[test]
fn an_ordinary_screen_in_chinese() {
    let stage = lively(Zh);
    let screen = stage.screen();
    for text in ["─ 会话 (12) ─", "正在输入…", "昨天", "今天", "没有更早的消息了", "已编辑", "Enter 发送"]
    {
        assert!(screen.contains(text), "{text}\n{screen}");
    }
    assert!(screen.lines().all(|line| crate::text::width(line) <= 80));
    assert_eq!(stage.cursor(), (45, 22));
}

#[test]
fn the_divider_is_straight_whatever_is_beside_it() {
    for language in [En, Zh] {
        let stage = lively(language);
        for line in stage.screen().lines().take(23) {
            let before = line.split('│').next().unwrap();
            assert_eq!(crate::text::width(before), 22, "{line}");
        }
    }
}

#[test]
fn an_older_day_is_named() {
    let mut entry = theirs(1, "old");
    entry.server_time_ms -= 10 * 24 * 60 * 60 * 1000;
    assert!(Stage::with_bob(En, vec![entry.clone()]).shows("2025-10-23 Thursday"));
    assert!(Stage::with_bob(Zh, vec![entry]).shows("2025-10-23 星期四"));
}

#[test]
fn a_newcomer_is_told_what_to_do() {
    for (language, words) in [(En, "Ctrl-N starts a conversation"), (Zh, "按 Ctrl-N 开始新会话")] {
        assert!(Stage::new(language).shows(words));
        let mut narrow = Stage::new(language);
        narrow.resize(40, 12);
        assert!(narrow.shows("Ctrl-N"));
    }
}

#[test]
fn the_help_fits_the_smallest_ordinary_screen() {
    for language in [En, Zh] {
        let mut stage = lively(language);
        stage.key(KeyCode::F(1));
        for (keys, what) in stage.model.words().help {
            let screen = stage.screen();
            let explained = screen.lines().any(|line| line.contains(keys) && line.contains(what));
            assert!(explained, "{keys}: {what}\n{screen}");
        }
        stage.key(KeyCode::Char(' '));
        assert!(stage.shows("期待"));
    }
}

#[test]
fn hints_and_announcements_fit_an_ordinary_screen() {
    for language in [En, Zh] {
        let mut stage = lively(language);
        let words = stage.model.words();
        for keys in [words.keys_compose, words.keys_select, words.keys_prompt, words.keys_help, words.keys_confirm] {
            assert!(crate::text::width(keys) <= 80, "{keys}");
        }
        for reason in [BreakReason::Disconnected, BreakReason::Goaway] {
            stage.told(Event::Link(Link::Broken { retry_in_ms: 60_000, reason }));
            let first = stage.screen().lines().next().unwrap().to_owned();
            assert!(first.contains("60 s") && first.contains("Ctrl-R") && first.ends_with(words.kept), "{first}");
        }
        assert!(crate::text::width(words.kicked) <= 79);
    }
}

#[test]
fn a_narrow_screen_shows_one_thing_at_a_time() {
    let mut stage = lively(En);
    stage.resize(40, 20);
    assert!(stage.shows("see you there") && !stage.shows("Conversations"));
    assert!(stage.screen().lines().all(|line| crate::text::width(line) <= 40));
}

#[test]
fn a_long_text_is_written_in_a_growing_box() {
    let mut stage = lively(En);
    stage.alt(KeyCode::Enter);
    stage.type_text("second line");
    assert!(stage.shows("› Looking forward 期待") && stage.shows("  second line"));
    for _ in 0..30 {
        stage.alt(KeyCode::Enter);
    }
    stage.type_text("last line");
    assert!(stage.shows("last line") && stage.shows("bob"));
}

#[test]
fn every_size_is_drawn_without_panic() {
    let mut stage = lively(Zh);
    for columns in (1..90).step_by(3) {
        for rows in [1, 8, 9, 24] {
            stage.resize(columns, rows);
            assert!(stage.screen().lines().all(|line| crate::text::width(line) <= usize::from(columns)));
        }
    }
}
