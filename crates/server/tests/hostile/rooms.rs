//! Rows 6, 15, 27, 37 in rooms: names that deceive, names that two want, speaking and reading where one is not.

use std::sync::Barrier;

use hongyan_wire::command::Operation;
use hongyan_wire::proto::RefusalCode;
use hongyan_wire::{Command, proto};

use crate::place::Place;
use crate::speaker::{Speaker, fresh_id};

const ROOM: &str = "lobby";

fn code(refusal: &Option<proto::Refusal>) -> Option<RefusalCode> {
    refusal.as_ref().map(proto::Refusal::code)
}

fn enter(speaker: &mut Speaker, room: &str, name: &str) -> Result<Vec<String>, RefusalCode> {
    let request = proto::EnterRoomRequest { id: speaker.id(), room: room.to_owned(), name: name.to_owned() };
    let answer: proto::EnterRoomAnswer = speaker.ask(Operation::EnterRoom, &request);
    code(&answer.refusal).map_or(Ok(answer.names), Err)
}

fn text(speaker: &mut Speaker, room: &str, words: &str) -> proto::SendRequest {
    let to = Some(proto::send_request::To::Room(room.to_owned()));
    proto::SendRequest { to, ..speaker.text("", words) }
}

fn say(speaker: &mut Speaker, request: &proto::SendRequest) -> Result<u64, RefusalCode> {
    let answer: proto::SendAnswer = speaker.ask(Operation::Send, request);
    code(&answer.refusal).map_or(Ok(answer.seq), Err)
}

fn history(speaker: &mut Speaker, room: &str) -> Result<usize, RefusalCode> {
    let request = proto::HistoryRequest { id: speaker.id(), room: room.to_owned(), limit: 100, ..Default::default() };
    let answer: proto::HistoryAnswer = speaker.ask(Operation::History, &request);
    code(&answer.refusal).map_or(Ok(answer.entries.len()), Err)
}

/// Rates that a test of something else does not reach.
const GENEROUS: [(&str, &str); 3] = [
    ("HONGYAN_LOGIC_ROOM_ENTRIES_PER_SESSION", "{ burst = 10000, per_minute = 10000 }"),
    ("HONGYAN_LOGIC_ROOM_SENDS_PER_SESSION", "{ burst = 10000, per_minute = 10000 }"),
    ("HONGYAN_LOGIC_SENDS_PER_ROOM", "{ burst = 10000, per_minute = 10000 }"),
];

#[test]
fn row_06_names_and_texts_in_rooms_are_what_people_can_see() {
    let mut place = Place::with(&GENEROUS);
    let mut mallory = place.log_in("mallory");
    let long = "x".repeat(60_000);
    let wide = " ".repeat(60_000);
    let bad = [
        "",
        " ",
        "a\0b",
        "a\nb",
        "ann\u{202E}bob",
        "\u{2066}ann\u{2069}",
        "ann\u{200B}",
        "\u{FEFF}ann",
        "\u{200D}",
        "\u{3164}",
        "a\u{A0}b",
        "a\u{85}b",
        "12345678901234567",
        &long,
        &wide,
    ];
    for name in bad {
        let shown: String = name.chars().take(20).collect();
        assert_eq!(enter(&mut mallory, ROOM, name), Err(RefusalCode::InvalidArgument), "{shown:?}");
    }
    for room in ["", "~lobby", "lob by", "LOBBY", "lobby\0", &long] {
        let shown: String = room.chars().take(20).collect();
        assert_eq!(enter(&mut mallory, room, "mallory"), Err(RefusalCode::NotFound), "{shown:?}");
    }
    assert_eq!(enter(&mut mallory, ROOM, "  李 雷 "), Ok(vec!["李 雷".to_owned()]));

    for words in ["", " \t\n", "a\0b", &"字".repeat(141), &long[..16_384]] {
        let request = text(&mut mallory, ROOM, words);
        assert_eq!(say(&mut mallory, &request), Err(RefusalCode::InvalidArgument), "{} bytes", words.len());
    }
    let good = text(&mut mallory, ROOM, "hello");
    let spoiled = [
        proto::SendRequest { r#type: proto::BodyType::Image as i32, ..good.clone() },
        proto::SendRequest { text: "what nobody counts".to_owned(), ..good.clone() },
        proto::SendRequest { body: b"\xFF\xFE".to_vec().into(), ..good.clone() },
        proto::SendRequest { client_message_id: vec![1; 15].into(), ..good.clone() },
    ];
    for request in &spoiled {
        assert_eq!(say(&mut mallory, request), Err(RefusalCode::InvalidArgument));
    }
    let longest = text(&mut mallory, ROOM, &"字".repeat(140));
    assert_eq!((say(&mut mallory, &longest), say(&mut mallory, &good)), (Ok(1), Ok(2)));
    for ranges in [(1, 1, 0), (0, 0, 1)] {
        let (before_seq, after_seq, as_of) = ranges;
        let room = ROOM.to_owned();
        let request =
            proto::HistoryRequest { id: 1, room, before_seq, after_seq, as_of, limit: 9, ..Default::default() };
        let answer: proto::HistoryAnswer = mallory.ask(Operation::History, &request);
        assert_eq!(code(&answer.refusal), Some(RefusalCode::InvalidArgument));
    }
    place.is_well();
}

#[test]
fn row_27_a_name_in_a_room_is_of_one_session_however_many_want_it() {
    let mut place = Place::with(&GENEROUS);
    let speakers: Vec<Speaker> = (0..8).map(|number| place.log_in(&format!("guest{number}"))).collect();
    let start = Barrier::new(speakers.len());
    let entered: Vec<_> = std::thread::scope(|scope| {
        let enter_at_once = |mut speaker: Speaker| {
            start.wait();
            let entered = enter(&mut speaker, ROOM, "Ann");
            (speaker, entered)
        };
        let threads: Vec<_> = speakers.into_iter().map(|speaker| scope.spawn(move || enter_at_once(speaker))).collect();
        threads.into_iter().map(|thread| thread.join().unwrap()).collect()
    });
    let (owners, mut others): (Vec<_>, Vec<_>) = entered.into_iter().partition(|(_, entered)| entered.is_ok());
    assert_eq!(owners.len(), 1, "one of all");
    assert!(others.iter().all(|(_, entered)| *entered == Err(RefusalCode::Conflict)));
    let (mut owner, _) = owners.into_iter().next().unwrap();
    let (thief, _) = &mut others[0];
    for name in ["ann", "ANN", " Ann ", "An\u{200D}n"] {
        assert_eq!(enter(thief, ROOM, name), Err(RefusalCode::Conflict), "{name:?}");
    }
    assert_eq!(enter(&mut owner, ROOM, "Ann"), Ok(vec!["Ann".to_owned()]), "nobody else is there");
    assert_eq!(enter(&mut owner, ROOM, "Eve"), Ok(vec!["Eve".to_owned()]));
    assert_eq!(enter(thief, ROOM, "Ann").map(|names| names.len()), Ok(2), "now it is free");
    let said = text(thief, ROOM, "it is me");
    assert_eq!(say(thief, &said), Ok(1));
    let told: proto::RoomNotify = owner.wait_for(Command::notify(Operation::Room)).unwrap();
    assert_eq!((told.entered, told.left), (vec!["Ann".to_owned()], vec![]));
    let told: proto::RoomNotify = owner.wait_for(Command::notify(Operation::Room)).unwrap();
    assert_eq!((&told.entries[0].from[..], told.entries[0].own), ("Ann", false));
    place.is_well();
}

#[test]
fn row_37_who_is_not_in_a_room_neither_speaks_nor_reads_there() {
    let mut place = Place::with(&GENEROUS);
    place.server.done(&["room", "add", "default", "attic"], "");
    let (mut ann, mut eve) = (place.log_in("ann"), place.log_in("eve"));
    enter(&mut ann, ROOM, "Ann").unwrap();
    enter(&mut eve, "attic", "Eve").unwrap();
    let secret = text(&mut ann, ROOM, "among us");
    assert_eq!(say(&mut ann, &secret), Ok(1));
    let intrusion = text(&mut eve, ROOM, "hello there");
    assert_eq!(say(&mut eve, &intrusion), Err(RefusalCode::NotAllowed));
    assert_eq!(history(&mut eve, ROOM), Err(RefusalCode::NotAllowed));
    assert_eq!(say(&mut eve, &secret), Err(RefusalCode::NotAllowed), "another's key opens nothing");
    let nowhere = text(&mut eve, "cellar", "hello");
    assert_eq!(say(&mut eve, &nowhere), Err(RefusalCode::NotFound));
    assert_eq!(history(&mut eve, "cellar"), Err(RefusalCode::NotFound));
    // A room is no person: nothing that goes by a person's name reaches it.
    assert_eq!(code(&eve.history(ROOM).refusal), Some(RefusalCode::NotFound));
    let both = proto::HistoryRequest {
        id: 1,
        user: "ann".to_owned(),
        room: "attic".to_owned(),
        limit: 9,
        ..Default::default()
    };
    let answer: proto::HistoryAnswer = eve.ask(Operation::History, &both);
    assert_eq!(code(&answer.refusal), Some(RefusalCode::InvalidArgument));

    let leave = proto::LeaveRoomRequest { id: 1, room: ROOM.to_owned() };
    for _ in 0..2 {
        assert_eq!(ann.ask::<proto::LeaveRoomAnswer>(Operation::LeaveRoom, &leave).refusal, None);
    }
    assert_eq!(history(&mut ann, ROOM), Err(RefusalCode::NotAllowed));
    assert_eq!(say(&mut ann, &secret), Ok(1), "who got in gets the same answer again");
    let changed = proto::SendRequest { body: "something else".into(), ..secret };
    assert_eq!(say(&mut ann, &changed), Err(RefusalCode::Conflict));

    place.server.done(&["room", "remove", "default", "attic"], "");
    let told: proto::RoomNotify = eve.wait_for(Command::notify(Operation::Room)).unwrap();
    assert_eq!((&told.room[..], told.left), ("attic", vec!["Eve".to_owned()]));
    assert_eq!(enter(&mut eve, "attic", "Eve"), Err(RefusalCode::NotFound));
    place.is_well();
}

#[test]
fn row_15_nobody_floods_a_room_or_its_doors() {
    let mut place = Place::new();
    let mut flood = place.log_in("flood");
    enter(&mut flood, ROOM, "Flood").unwrap();
    let mut refused = Vec::new();
    for number in 0..60 {
        let request =
            proto::SendRequest { client_message_id: fresh_id(), ..text(&mut flood, ROOM, &number.to_string()) };
        flood.tell(Operation::Send, &request);
    }
    for _ in 0..60 {
        let answer: proto::SendAnswer = flood.answer(Operation::Send);
        refused.extend(answer.refusal);
    }
    assert!(!refused.is_empty(), "nobody says 60 things at once");
    assert!(refused.iter().all(|refusal| refusal.code() == RefusalCode::RateLimited && refusal.retryable));
    let names = (0..40).map(|number| enter(&mut flood, ROOM, &format!("Flood {number}")));
    let outcomes: Vec<_> = names.collect();
    assert!(outcomes.contains(&Err(RefusalCode::RateLimited)), "nobody changes the name 40 times at once");
    place.is_well();
}
