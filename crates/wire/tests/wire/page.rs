//! PROTOCOL.md says what the code does: every operation, every refusal, every number of the limits.

use hongyan_wire::command::{Kind, Operation};
use hongyan_wire::{Command, limits, proto};

const PAGE: &str = include_str!("../../../../proto/PROTOCOL.md");

/// Cells of the table rows whose second cell is `name`.
fn rows(name: &str) -> Vec<Vec<&str>> {
    let cells = |line: &'static str| line.trim_matches('|').split('|').map(str::trim).collect::<Vec<_>>();
    PAGE.lines().filter(|line| line.starts_with('|')).map(cells).filter(|row| row.get(1) == Some(&name)).collect()
}

#[test]
fn every_operation_is_on_the_page() {
    for &operation in Operation::ALL {
        let name = crate::vectors::name(operation);
        let rows = rows(&name);
        let [row] = &rows[..] else { panic!("{name} must have one row") };
        assert_eq!(row[0], (operation as u16).to_string(), "{name}");
        for (kind, letter) in [(Kind::Request, 'R'), (Kind::Answer, 'A'), (Kind::Notify, 'N')] {
            let exists = Command { kind, operation }.exists();
            assert_eq!(row[2].contains(letter), exists, "{name}.{letter}");
        }
    }
}

#[test]
fn every_refusal_is_on_the_page() {
    for number in 1..=21 {
        let code = proto::RefusalCode::try_from(number).expect("the codes have no gap");
        let rows = rows(code.as_str_name());
        let [row] = &rows[..] else { panic!("{code:?} must have one row") };
        assert_eq!(row[0], number.to_string(), "{code:?}");
    }
    assert!(proto::RefusalCode::try_from(22).is_err(), "a new code belongs on the page");
}

#[test]
fn the_limits_are_on_the_page() {
    let grouped = |number: usize| {
        let digits = number.to_string();
        if digits.len() > 3 {
            format!("{},{}", &digits[..digits.len() - 3], &digits[digits.len() - 3..])
        } else {
            digits
        }
    };
    for (number, unit) in [
        (limits::FRAME_BODY_BYTES_MAX, " B"),
        (limits::UNAUTHENTICATED_BODY_BYTES_MAX, " B"),
        (limits::PLAINTEXT_BYTES_MAX, " B"),
        (limits::PAGE_BYTES_MAX, " B"),
        (limits::MESSAGE_BODY_BYTES_MAX, " B"),
        (limits::TEXT_PROJECTION_BYTES_MAX, " B"),
        (limits::CLIENT_ID_BYTES, " B"),
        (limits::SYNC_ENTRIES_MAX as usize, " entries"),
        (limits::REKEY_FRAMES_MIN as usize, "\nframes"),
        (limits::IDLE_DEADLINE.0 as usize / 1_000, " s"),
        (limits::HEARTBEAT.0 as usize / 1_000, " s"),
        (limits::FRAME_DEADLINE.0 as usize / 1_000, " s"),
    ] {
        let text = grouped(number) + unit;
        assert!(PAGE.contains(&text), "{text:?} is missing");
    }
    assert_eq!(limits::REKEY_FRAMES, 1 << 20);
    assert!(PAGE.contains("2^20 frames or one hour"));
}
