//! Rows 2, 11, 13, 14: whoever takes more than their share costs nobody else anything.

use std::time::{Duration, Instant};

use hongyan_wire::command::Operation;
use hongyan_wire::frame::Header;
use hongyan_wire::proto::login_request::Credential;
use hongyan_wire::proto::{RefusalCode, inbox_entry::What};
use hongyan_wire::{Command, limits, proto};

use crate::place::Place;
use crate::speaker::{Speaker, User};

#[test]
fn row_02_and_11_who_promises_or_never_authenticates_is_closed_in_time_and_costs_little() {
    const SILENT: usize = 400;
    const PROMISING: usize = 400;
    let mut place = Place::new();
    let before = place.memory_kib();
    let started = Instant::now();
    let mut strangers: Vec<Speaker> = (0..SILENT).map(|_| place.connect()).collect();
    for _ in 0..PROMISING {
        let mut promising = place.connect();
        let command = Command::request(Operation::Handshake).number();
        promising.blurt(&Header { encrypted: false, command, length: 4_096 }.encode());
        promising.blurt(&[0x0A, 0x30, 1]);
        strangers.push(promising);
    }
    // Half of a frame after keys are agreed.
    for _ in 0..20 {
        let mut half = place.connect();
        half.shake_hands();
        let frame = half.frame(Command::request(Operation::Login), &[0; 1_000]);
        half.blurt(&frame[..500]);
        strangers.push(half);
    }
    place.is_well();
    let each = place.memory_kib().saturating_sub(before) / strangers.len() as u64;
    assert!(each <= 16, "{each} KiB for a stranger");
    for stranger in &mut strangers {
        let code = stranger.is_closed();
        assert_eq!(code, Some(RefusalCode::TimedOut));
    }
    let waited = started.elapsed();
    let deadline = Duration::from_millis(limits::HANDSHAKE_DEADLINE.0);
    assert!(waited > deadline - Duration::from_secs(1) && waited < deadline + Duration::from_secs(20), "{waited:?}");
    place.is_well();
}

#[test]
fn row_13_a_reader_that_never_reads_costs_a_bounded_buffer_and_misses_nothing() {
    const MESSAGES: usize = 3_000;
    const BODY_BYTES: usize = 16_000;
    let mut place = Place::with(&[
        ("HONGYAN_GATE_FRAMES_PER_SECOND", "1000000"),
        ("HONGYAN_GATE_FRAMES_BURST", "1000000"),
        ("HONGYAN_GATE_WRITE_STALL_MS_MAX", "600000"),
    ]);
    let mut deaf = place.log_in("deaf");
    let mut ann = place.log_in("ann");
    let body = "x".repeat(BODY_BYTES);
    // What is not the reader's fault, such as caches, has grown before.
    let send = |ann: &mut Speaker, to: &str, count: usize| {
        for _ in 0..count / 50 {
            for _ in 0..50 {
                let request = ann.text(to, &body);
                ann.tell(Operation::Send, &request);
            }
            for _ in 0..50 {
                assert_eq!(ann.answer::<proto::SendAnswer>(Operation::Send).refusal, None);
            }
        }
    };
    send(&mut ann, "bystander", 500);
    let before = place.memory_kib();
    send(&mut ann, "deaf", MESSAGES);
    let grown = place.memory_kib().saturating_sub(before);
    let sent_kib = (MESSAGES * BODY_BYTES / 1024) as u64;
    assert!(grown < sent_kib / 4, "{grown} KiB for a reader that does not read {sent_kib} KiB");
    assert!(place.measure("hongyan_gate_pushes_dropped_total") > 0);
    place.is_well();

    // When it reads at last, it is told that it missed something, and finds it all.
    let mut cursor = 0;
    while deaf.wait_for::<proto::HintNotify>(Command::notify(Operation::Hint)).expect("still connected").inbox_head == 0
    {
    }
    let mut seqs = Vec::new();
    loop {
        let page = deaf.sync(cursor, 200);
        for entry in &page.entries {
            let Some(What::Entry(message)) = &entry.what else { panic!("not a message") };
            assert_eq!(message.body.len(), BODY_BYTES);
            seqs.push(message.seq);
        }
        cursor = page.entries.last().map_or(cursor, |entry| entry.inbox_seq);
        if !page.more {
            break;
        }
    }
    assert_eq!(seqs, (1..=MESSAGES as u64).collect::<Vec<_>>());
    place.is_well();
}

#[test]
fn row_14_a_flood_of_guesses_is_limited_and_those_inside_go_on() {
    let mut place = Place::with(&[("HONGYAN_LOGIC_LOGINS_PER_ACCOUNT", "{ burst = 10, per_minute = 12 }")]);
    place.server.done(&["user", "create", "victim"], "a good password\n");
    let mut inside = place.log_in("inside");
    let (mut limited, mut wrong) = (0, 0);
    let mut slowest = Duration::ZERO;
    for attempt in 0..60 {
        let mut guesser = place.connect();
        guesser.shake_hands();
        let password = format!("guess {attempt}");
        let credential = proto::PasswordCredential { user: "victim".to_owned(), password };
        match guesser.log_in_by(&User::new("victim"), Credential::Password(credential)) {
            Err(RefusalCode::RateLimited | RefusalCode::TryLater) => limited += 1,
            Err(RefusalCode::Unauthenticated) => wrong += 1,
            other => panic!("{other:?}"),
        }
        let started = Instant::now();
        inside.say("bystander", "still quick");
        slowest = slowest.max(started.elapsed());
    }
    assert!(limited > 30 && wrong < 30, "{limited} limited, {wrong} tried");
    assert!(slowest < Duration::from_secs(2), "a message took {slowest:?}");
    // Whoever has a token is not locked out by somebody else's guesses.
    place.log_in("victim").is_answered();
    place.is_well();
}

#[test]
fn row_14_a_flood_from_one_address_is_limited_whatever_names_it_tries() {
    let place = Place::with(&[("HONGYAN_LOGIC_LOGINS_PER_ADDRESS", "{ burst = 20, per_minute = 1 }")]);
    let mut limited = 0;
    for attempt in 0..30 {
        let mut guesser = place.connect();
        guesser.shake_hands();
        let user = User::new(&format!("name-{attempt}"));
        match guesser.log_in(&user, "no.token.atall") {
            Err(RefusalCode::RateLimited) => limited += 1,
            Err(RefusalCode::Unauthenticated) => {}
            other => panic!("{other:?}"),
        }
    }
    assert!(limited >= 10, "{limited}");
}
