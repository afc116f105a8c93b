//! Changing keys after many frames or an hour, in both directions (row 22).

use hongyan_wire::command::Operation;
use hongyan_wire::{Command, Millis, Violation, limits};

use crate::pair::*;

const REKEY: Command = Command::notify(Operation::Rekey);

fn command(from: Side) -> Command {
    if from == Side::Client { SEND } else { Command::notify(Operation::Message) }
}

#[test]
fn row_22_the_defaults_are_those_of_the_protocol() {
    assert_eq!((limits::REKEY_FRAMES, limits::REKEY_AFTER), (1 << 20, Millis::seconds(3_600)));
}

#[test]
fn row_22_rekey_by_count_in_both_directions() {
    for from in [Side::Client, Side::Server] {
        let mut pair = Pair::logged_in();
        let threshold = limits::REKEY_FRAMES_MIN + 10;
        pair.end(from).connection.set_rekey_frames(threshold);
        let mut rekeys = 0;
        for number in 0..threshold * 3 {
            let bytes = pair.encode(from, command(from), &number.to_be_bytes());
            rekeys += frames(&bytes).len() - 1;
            pair.deliver(other(from), &bytes);
        }
        assert_eq!(rekeys, 3, "{from:?}");
        assert_eq!(pair.end(other(from)).violation, None);
        let received = pair.end(other(from)).frames();
        let bodies = received.iter().filter(|(received, _)| *received == command(from)).map(|(_, body)| body.to_vec());
        assert!(bodies.eq((0..threshold * 3).map(|number| number.to_be_bytes().to_vec())));
    }
}

#[test]
fn row_22_rekey_after_an_hour_in_both_directions() {
    for from in [Side::Client, Side::Server] {
        let mut pair = Pair::logged_in();
        let start = pair.now;
        pair.now = start + Millis(limits::REKEY_AFTER.0 - 1_000);
        let bytes = pair.encode(from, command(from), b"before");
        assert_eq!(frames(&bytes).len(), 1);
        pair.deliver(other(from), &bytes);
        pair.now = start + limits::REKEY_AFTER;
        let bytes = pair.encode(from, command(from), b"after");
        assert_eq!(frames(&bytes).len(), 2, "REKEY.N, then the frame under the next key");
        pair.deliver(other(from), &bytes);
        let bytes = pair.encode(from, command(from), b"later");
        assert_eq!(frames(&bytes).len(), 1);
        pair.deliver(other(from), &bytes);
        assert_eq!(pair.end(other(from)).violation, None);
        // The other direction still has its first key, and changes it by itself.
        let bytes = pair.encode(other(from), command(other(from)), b"back");
        assert_eq!(frames(&bytes).len(), 2);
        pair.deliver(from, &bytes);
        assert_eq!(pair.end(from).violation, None);
    }
}

#[test]
fn row_22_the_next_key_is_another_key() {
    let mut pair = Pair::logged_in();
    pair.now = pair.now + limits::REKEY_AFTER;
    let bytes = pair.encode(Side::Client, SEND, b"after");
    let [_, after] = &frames(&bytes)[..] else { panic!("no REKEY.N") };
    // Whoever has not changed keys cannot read on, even though the counter would fit after one lost frame.
    pair.send(Side::Client, SEND, b"again");
    pair.deliver(Side::Server, after);
    assert_eq!(pair.server.violation, Some(Violation::Undecryptable));
}

#[test]
fn row_22_no_peer_can_keep_the_other_busy_with_keys() {
    for from in [Side::Client, Side::Server] {
        let mut pair = Pair::logged_in();
        pair.send(from, REKEY, &[]);
        pair.run();
        assert_eq!(pair.end(other(from)).violation, Some(Violation::WrongState), "{from:?}");
    }
}
