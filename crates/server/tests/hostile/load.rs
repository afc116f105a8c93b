//! Rows 2, 11, 13, 14, 16, 17: whoever takes more than their share costs nobody else anything.

use std::time::{Duration, Instant};

use hongyan_wire::command::Operation;
use hongyan_wire::frame::Header;
use hongyan_wire::proto::login_request::Credential;
use hongyan_wire::proto::{RefusalCode, inbox_entry::What};
use hongyan_wire::{Command, Event, limits, proto};
use prost::Message;

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
fn row_11_one_network_gets_so_many_connections_and_no_more() {
    const MOST: usize = 20;
    let most = MOST.to_string();
    let mut place = Place::with(&[("HONGYAN_GATE_CONNECTIONS_PER_NETWORK_MAX", most.as_str())]);
    // One is taken by the bystander.
    let mut inside: Vec<Speaker> = Vec::new();
    for _ in 1..MOST {
        let mut speaker = place.connect();
        speaker.shake_hands();
        inside.push(speaker);
    }
    for _ in 0..10 {
        assert_eq!(place.connect().is_closed(), None, "closed without a word");
    }
    assert_eq!(place.measure("hongyan_gate_connections_refused_total"), 10);
    assert_eq!(place.measure("hongyan_gate_connections "), MOST as u64);
    // Whoever goes makes room.
    inside.truncate(MOST - 4);
    place.is_well();
}

#[test]
fn row_13_whoever_takes_nothing_for_too_long_is_closed_and_misses_nothing() {
    const BODY_BYTES: usize = 16_000;
    let mut place = Place::with(&[
        ("HONGYAN_GATE_FRAMES_PER_SECOND", "1000000"),
        ("HONGYAN_GATE_FRAMES_BURST", "1000000"),
        ("HONGYAN_GATE_WRITE_STALL_MS_MAX", "300"),
    ]);
    let mut deaf = place.connect();
    deaf.shake_hands();
    let login = deaf.log_in(&User::new("deaf"), &place.token("deaf", "default")).unwrap();
    let mut ann = place.log_in("ann");
    let body = "x".repeat(BODY_BYTES);
    // More than the sockets of both ends hold, until the server has given up.
    let (mut sent, started) = (0, Instant::now());
    while place.measure("hongyan_gate_write_stalls_total") == 0 {
        assert!(started.elapsed() < Duration::from_secs(30), "nobody gives up");
        ann.say("deaf", &body);
        sent += 1;
    }
    let mut again = place.connect();
    again.resume(&login, 1, 0);
    let page = again.resumed().page.unwrap();
    assert_eq!(page.inbox_head, sent);
    again.is_answered();
    place.is_well();
}

#[test]
fn row_14_many_passwords_at_once_wait_in_a_short_queue_and_those_inside_go_on() {
    const GUESSERS: usize = 24;
    let mut place = Place::with(&[("HONGYAN_PASSWORDS_QUEUE_MAX", "4")]);
    place.server.done(&["user", "create", "victim"], "a good password\n");
    let mut inside = place.log_in("inside");
    let mut guessers: Vec<Speaker> = (0..GUESSERS)
        .map(|number| {
            let mut guesser = place.connect();
            guesser.shake_hands();
            let password = format!("guess {number}");
            let credential = proto::PasswordCredential { user: "victim".to_owned(), password };
            let request = proto::LoginRequest {
                id: 7,
                app: "default".to_owned(),
                credential: Some(Credential::Password(credential)),
                device_id: vec![1; 16].into(),
                term: proto::Term::Pc as i32,
                client: String::new(),
            };
            guesser.tell(Operation::Login, &request);
            guesser
        })
        .collect();
    let started = Instant::now();
    inside.say("bystander", "while they are hashed");
    let took = started.elapsed();
    let mut busy = 0;
    for guesser in &mut guessers {
        let answer: proto::LoginAnswer = guesser.answer(Operation::Login);
        match answer.refusal.unwrap().code() {
            RefusalCode::TryLater => busy += 1,
            RefusalCode::Unauthenticated => {}
            other => panic!("{other:?}"),
        }
    }
    assert!(busy > 0, "more than the queue holds was taken");
    assert!(took < Duration::from_secs(2), "a message took {took:?}");
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

#[test]
fn row_16_what_nobody_takes_may_not_pile_up_for_ever() {
    let mut place = Place::new();
    place.server.done(&["app", "set", "default", "undelivered_max=5"], "");
    place.log_in("asleep");
    let mut eager = place.log_in("eager");
    let send = |eager: &mut Speaker, to: &str| {
        let request = eager.text(to, "again");
        let answer: proto::SendAnswer = eager.ask(Operation::Send, &request);
        answer.refusal.map(|refusal| refusal.code())
    };
    let answers: Vec<_> = (0..12).map(|_| send(&mut eager, "asleep")).collect();
    let taken = answers.iter().take_while(|answer| answer.is_none()).count();
    assert!((5..=6).contains(&taken), "{answers:?}");
    assert!(answers[taken..].iter().all(|code| *code == Some(RefusalCode::QuotaExceeded)), "{answers:?}");
    assert_eq!(send(&mut eager, "bystander"), None, "others are not meant");
    let mut asleep = place.log_in("asleep");
    assert_eq!(asleep.sync(0, 200).entries.len(), taken, "what was acknowledged is there");
    place.is_well();
}

#[test]
fn row_16_a_disk_that_is_nearly_full_takes_no_messages_and_everything_else_goes_on() {
    let mut place = Place::new();
    let mut ann = place.log_in("ann");
    ann.say("bystander", "before");
    drop(ann);
    // The same server where more must be left free than there is.
    place.restart_with(&[("HONGYAN_STORE_DISK_RESERVE_BYTES", "9000000000000000")]);
    let mut ann = place.log_in("ann");
    let request = ann.text("bystander", "while it is full");
    let answer: proto::SendAnswer = ann.ask(Operation::Send, &request);
    let refusal = answer.refusal.unwrap();
    assert_eq!((refusal.code(), refusal.retryable), (RefusalCode::TryLater, true));
    assert_eq!(ann.history("bystander").entries.len(), 1, "reading goes on, and nothing was written");
    place.restart_with(&[]);
    let mut ann = place.log_in("ann");
    let again: proto::SendAnswer = ann.ask(Operation::Send, &request);
    assert_eq!((again.refusal, again.seq), (None, 2), "the same message, now that there is room");
}

#[test]
fn row_17_a_storm_of_typing_is_calmed_and_messages_go_through_it() {
    const STORM: u32 = 2_000;
    let rates = [("HONGYAN_GATE_FRAMES_PER_SECOND", "1000000"), ("HONGYAN_GATE_FRAMES_BURST", "1000000")];
    let mut place = Place::with(&rates);
    let (mut bob, mut storm) = (place.log_in("bob"), place.log_in("storm"));
    storm.say("bob", "we know each other");
    for number in 0..STORM {
        let request =
            proto::TypingRequest { id: number, user: "bob".to_owned(), stopped: number % 2 == 0, ..Default::default() };
        storm.tell(Operation::Typing, &request);
        if number % 100 == 99 {
            for _ in 0..100 {
                assert_eq!(storm.answer::<proto::TypingAnswer>(Operation::Typing).refusal, None);
            }
        }
    }
    let mut ann = place.log_in("ann");
    ann.say("bob", "after the storm");
    let mut typing = 0;
    loop {
        match bob.next().expect("he is connected") {
            Event::Frame(command, body) if command == Command::notify(Operation::Message) => {
                let pushed = proto::MessageNotify::decode(body).unwrap();
                if pushed.entries.iter().any(|entry| entry.user == "ann") {
                    break;
                }
            }
            Event::Frame(command, _) if command == Command::notify(Operation::Typing) => typing += 1,
            other => panic!("{other:?}"),
        }
    }
    assert!((1..=20).contains(&typing), "{typing} of {STORM} were shown");
    place.is_well();
}
