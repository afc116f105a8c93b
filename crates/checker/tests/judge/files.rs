//! Histories as lines of JSON, and the program that judges them.

use std::io::Write as _;
use std::process::{Command, Stdio};

use hongyan_checker::{ChangeKind, CheckerOptions, Event, LineError, Record, Writer, judge_lines, read_lines};

use crate::model;
use crate::story::{PHONE, Story};

fn lines(records: &[Record]) -> Vec<u8> {
    let mut writer = Writer::new(Vec::new());
    records.iter().for_each(|record| writer.write(record).unwrap());
    writer.finish().unwrap()
}

#[test]
fn everything_that_is_written_is_read_again() {
    let records: Vec<_> = (0..20).flat_map(model::history).collect();
    let read: Vec<_> = read_lines(&lines(&records)[..]).map(Result::unwrap).collect();
    assert_eq!(read, records);
    let mut others = Story::new();
    others.send(PHONE, u128::MAX).shows(PHONE, true, u128::MAX - 1, u64::MAX, u64::MAX);
    others.change(PHONE, 1, ChangeKind::React, 0).saw(Event::Panic { what: "line\nbreak".into() });
    let read: Vec<_> = read_lines(&lines(&others.records)[..]).map(Result::unwrap).collect();
    assert_eq!(read, others.records);
}

#[test]
fn a_line_is_short_and_readable() {
    let mut story = Story::default();
    story.send(PHONE, 10);
    let line = String::from_utf8(lines(&story.records)).unwrap();
    let expected = concat!(
        r#"{"at_ms":100,"event":"send","device":0,"to":1,"#,
        r#""id":"0000000000000000000000000000000a","digest":1010}"#,
        "\n"
    );
    assert_eq!(line, expected);
}

#[test]
fn a_broken_line_is_named() {
    let text = b"{\"at_ms\":1,\"event\":\"at_rest\"}\n\n{\"at_ms\":2,\"event\":\"nonsense\"}\n";
    let error = judge_lines(&text[..], CheckerOptions::default()).unwrap_err();
    assert!(matches!(error, LineError::Malformed { number: 3, .. }), "{error}");
}

/// Exit code and output of `hongyan-check -`.
fn check(history: &[u8]) -> (Option<i32>, String) {
    let mut child = Command::new(env!("CARGO_BIN_EXE_hongyan-check"))
        .arg("-")
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    child.stdin.take().unwrap().write_all(history).unwrap();
    let output = child.wait_with_output().unwrap();
    (output.status.code(), String::from_utf8(output.stdout).unwrap())
}

#[test]
fn the_program_says_what_is_broken() {
    let mut story = Story::new();
    story.message(1, 1).rest();
    let (code, text) = check(&lines(&story.records));
    assert_eq!(code, Some(0));
    assert!(text.contains("Nothing is broken.") && text.contains("messages sent  1"), "{text}");
    story.send(PHONE, 2).rest();
    let (code, text) = check(&lines(&story.records));
    assert_eq!(code, Some(1));
    assert!(text.contains("I11") && text.contains("still on its way when all is at rest"), "{text}");
    assert_eq!(check(b"nonsense\n").0, Some(2));
}
