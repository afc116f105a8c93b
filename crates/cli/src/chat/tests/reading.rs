//! Reading: pages, the reader's place, marks and badges.

use hongyan_client::{Event, Link, MessageRange};
use ratatui::crossterm::event::KeyCode;

use super::super::intent::{Input, Intent, Problem};
use super::super::talk::Place;
use super::super::words::Language::En;
use super::stage::{Stage, many, own, theirs};

fn loads(intents: &[Intent]) -> Vec<u64> {
    let load = |intent: &Intent| match intent {
        Intent::Load { before_seq, .. } => Some(*before_seq),
        _ => None,
    };
    intents.iter().filter_map(load).collect()
}

fn marks(intents: &[Intent]) -> Vec<u64> {
    let mark = |intent: &Intent| match intent {
        Intent::MarkRead { seq, .. } => Some(*seq),
        _ => None,
    };
    intents.iter().filter_map(mark).collect()
}

/// The numbers of the messages on screen.
fn visible(stage: &Stage) -> Vec<u64> {
    let number = |line: &str| {
        let (_, rest) = line.split_once("▎ m")?;
        rest.split_once('.')?.0.parse().ok()
    };
    stage.screen().lines().filter_map(number).collect()
}

#[test]
fn the_first_conversation_opens_by_itself_and_its_newest_page_is_read() {
    let mut stage = Stage::new(En);
    assert_eq!(loads(&stage.conversation("bob", 0, Some(theirs(100, "x")))), [0]);
    stage.page("bob", 0, many(51..=100));
    assert_eq!(*visible(&stage).last().unwrap(), 100);
}

#[test]
fn scrolling_up_reads_older_pages_and_keeps_the_place() {
    let mut stage = Stage::with_bob(En, many(51..=100));
    let mut asked = Vec::new();
    for _ in 0..10 {
        asked.extend(loads(&stage.key(KeyCode::PageUp)));
    }
    assert_eq!(asked, [51], "asked once, at the top");
    assert!(stage.shows("loading…"));
    let before = visible(&stage);
    assert_eq!(before[0], 51);
    stage.page("bob", 51, many(1..=50));
    assert!(!stage.shows("loading…"));
    let after = visible(&stage);
    assert_eq!(after[..before.len() - 1], before[..before.len() - 1], "the reader's place is kept");
    let seen: Vec<_> = (0..20)
        .flat_map(|_| {
            stage.key(KeyCode::PageUp);
            visible(&stage)
        })
        .collect();
    assert!((1..=50).all(|seq| seen.contains(&seq)), "no page skips a message");
    assert!(stage.shows("This is the beginning"));
}

#[test]
fn a_reader_above_is_not_torn_down_by_new_messages() {
    let mut stage = Stage::with_bob(En, many(1..=60));
    stage.key(KeyCode::PageUp);
    let before = visible(&stage);
    assert!(marks(&stage.message("bob", theirs(61, "new"))).is_empty(), "it was not seen");
    assert_eq!(visible(&stage), before);
    assert!(stage.shows("newer messages"));
    stage.key(KeyCode::PageDown);
    let intents = stage.key(KeyCode::PageDown);
    assert_eq!(marks(&intents), [61]);
    assert!(stage.shows("▎ new 10:01"));
    assert_eq!(stage.model.talk().unwrap().place, Place::Bottom);
}

#[test]
fn every_row_is_reached_by_single_steps_at_any_width() {
    for columns in [30, 61, 80, 200] {
        let mut stage = Stage::new(En);
        stage.resize(columns, 14);
        let long =
            (1..=30).map(|seq| theirs(seq, &format!("m{seq}. {}", "漢字 words ".repeat(seq as usize % 7)))).collect();
        stage.conversation("bob", 0, None);
        stage.page("bob", 0, long);
        let mut seen = visible(&stage);
        let mut places = vec![stage.model.talk().unwrap().place.clone()];
        loop {
            stage.model.scroll(-1);
            let place = stage.model.talk().unwrap().place.clone();
            if places.last() == Some(&place) {
                break;
            }
            places.push(place);
            seen.extend(visible(&stage));
        }
        assert!((1..=30).all(|seq| seen.contains(&seq)), "{columns}");
        for place in places.iter().rev() {
            assert_eq!(stage.model.talk().unwrap().place, *place, "the way down is the way up, {columns}");
            stage.model.scroll(1);
        }
        assert_eq!(stage.model.talk().unwrap().place, Place::Bottom, "{columns}");
    }
}

#[test]
fn a_smaller_window_keeps_the_first_visible_message() {
    let mut stage = Stage::with_bob(En, many(1..=60));
    stage.key(KeyCode::PageUp);
    stage.key(KeyCode::PageUp);
    let before = visible(&stage)[0];
    stage.resize(60, 15);
    assert_eq!(visible(&stage)[0], before);
    stage.resize(10, 3);
    assert!(stage.shows("Make the"));
    stage.resize(120, 50);
    assert_eq!(visible(&stage)[0], before);
}

#[test]
fn reading_clears_the_badge_and_marks_what_was_new() {
    let mut stage = Stage::with_bob(En, vec![theirs(1, "hi")]);
    stage.conversation("carol", 2, Some(theirs(4, "four")));
    assert!(stage.shows(" 2 ") && stage.shows("Conversations (2)"));
    assert_eq!(loads(&stage.key(KeyCode::Tab)), [0]);
    let intents = stage.page("carol", 0, vec![theirs(1, "one"), own(2, "two"), theirs(3, "three"), theirs(4, "four")]);
    assert_eq!(marks(&intents), [4]);
    let screen = stage.screen();
    let at = |text: &str| screen.find(text).unwrap();
    assert!(at("two") < at("New messages") && at("New messages") < at("three"), "{screen}");
    stage.told(Event::ReadMark { peer: "carol".into(), seq: 4, unread: 0 });
    assert!(stage.row("Conversations").contains("Conversations ─"));
}

#[test]
fn nothing_is_read_while_the_user_is_elsewhere() {
    let mut stage = Stage::with_bob(En, vec![theirs(1, "hi")]);
    stage.input(Input::Focus(false));
    let intents = stage.message("bob", theirs(2, "are you there?"));
    assert_eq!(intents, [Intent::Ring], "the bell, and no mark");
    assert_eq!(stage.message("bob", theirs(3, "?")), [], "the bell rings once in a while");
    assert!(stage.shows("New messages"));
    assert_eq!(marks(&stage.input(Input::Focus(true))), [3]);
}

#[test]
fn without_a_link_the_device_shows_what_it_has_and_asks_again_later() {
    let mut stage = Stage::new(En);
    let reason = hongyan_client::BreakReason::Disconnected;
    stage.told(Event::Link(Link::Broken { retry_in_ms: 1_000, reason }));
    stage.conversation("bob", 0, Some(theirs(9, "m9.")));
    let kept = MessageRange { entries: many(5..=7), complete: false, covered: None, low_seq: 1 };
    stage.input(Input::Page { peer: "bob".into(), before_seq: 0, result: Ok(kept) });
    assert!(stage.shows("only what this device keeps"));
    assert_eq!(visible(&stage), [5, 6, 7]);
    assert_eq!(loads(&stage.told(Event::Link(Link::Live))), [0]);
    stage.page("bob", 0, many(1..=9));
    assert_eq!(visible(&stage), (1..=9).collect::<Vec<_>>());
    assert!(!stage.shows("only what this device keeps"));
}

#[test]
fn a_page_that_failed_does_not_ask_for_ever() {
    let mut stage = Stage::new(En);
    stage.conversation("bob", 0, Some(theirs(9, "m9.")));
    let failed = Input::Page { peer: "bob".into(), before_seq: 0, result: Err(Problem::NoAnswer) };
    assert!(loads(&stage.input(failed)).is_empty());
    assert!(loads(&stage.input(Input::Tick)).is_empty());
}

#[test]
fn a_reset_reads_the_conversation_anew() {
    let mut stage = Stage::with_bob(En, many(1..=9));
    assert_eq!(loads(&stage.told(Event::Reset)), [0]);
    stage.page("bob", 0, many(3..=12));
    assert_eq!(visible(&stage), (3..=12).collect::<Vec<_>>());
}

#[test]
fn a_selected_message_is_always_visible() {
    let mut stage = Stage::with_bob(En, many(1..=60));
    for wanted in (1..=60).rev() {
        stage.key(KeyCode::Up);
        assert!(visible(&stage).contains(&wanted), "{wanted}: {}", stage.screen());
    }
    for wanted in 2..=60 {
        stage.key(KeyCode::Down);
        assert!(visible(&stage).contains(&wanted), "{wanted}");
    }
    stage.key(KeyCode::Down);
    assert_eq!(stage.model.talk().unwrap().place, Place::Bottom);
}
