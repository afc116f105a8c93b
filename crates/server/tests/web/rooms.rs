//! Rooms, as browsers see them: over WebSocket and polls, in one room.

use hongyan_wire::command::Operation;
use hongyan_wire::proto::RefusalCode;
use hongyan_wire::{Command, Event, proto};

use crate::browser::{Browser, sign_up};
use crate::process::{Server, serve};

const ROOM: &str = "lobby";

fn server(folder: &tempfile::TempDir, settings: &[(&str, &str)]) -> Server {
    let mut command = serve(folder.path());
    command.envs(settings.iter().copied());
    let server = Server::run(command, folder.path());
    for user in ["ann", "bob", "eve"] {
        assert_eq!(sign_up(&server, user), 201);
    }
    server
}

fn code(refusal: &Option<proto::Refusal>) -> Option<RefusalCode> {
    refusal.as_ref().map(proto::Refusal::code)
}

impl Browser<'_> {
    fn enter(&mut self, name: &str) -> proto::EnterRoomAnswer {
        let request = proto::EnterRoomRequest { id: self.id(), room: ROOM.to_owned(), name: name.to_owned() };
        self.ask(Operation::EnterRoom, &request)
    }

    /// Enters, which must succeed; who is there.
    fn enters(&mut self, name: &str) -> Vec<String> {
        let answer = self.enter(name);
        assert_eq!(answer.refusal, None);
        assert_eq!(answer.text_characters_max, 140);
        answer.names
    }

    fn leaves(&mut self) {
        let request = proto::LeaveRoomRequest { id: self.id(), room: ROOM.to_owned() };
        assert_eq!(self.ask::<proto::LeaveRoomAnswer>(Operation::LeaveRoom, &request).refusal, None);
    }

    fn text(&mut self, words: &str) -> proto::SendRequest {
        let mut client_message_id = [0; 16];
        aws_lc_rs::rand::fill(&mut client_message_id).unwrap();
        proto::SendRequest {
            id: self.id(),
            to: Some(proto::send_request::To::Room(ROOM.to_owned())),
            client_message_id: client_message_id.to_vec().into(),
            body: words.as_bytes().to_vec().into(),
            ..Default::default()
        }
    }

    fn says(&mut self, words: &str) -> Result<u64, RefusalCode> {
        let request = self.text(words);
        let answer: proto::SendAnswer = self.ask(Operation::Send, &request);
        code(&answer.refusal).map_or(Ok(answer.seq), Err)
    }

    fn room_history(&mut self, after_seq: u64) -> proto::HistoryAnswer {
        let room = ROOM.to_owned();
        let request = proto::HistoryRequest { id: self.id(), room, after_seq, limit: 50, ..Default::default() };
        self.ask(Operation::History, &request)
    }

    /// The next news of the room, such as `1 Ann: hello`, `+Bob`, `-Bob`.
    fn sees(&mut self) -> String {
        let notify: proto::RoomNotify = self.wait_for(Command::notify(Operation::Room)).expect("it is told");
        assert_eq!(notify.room, ROOM);
        let entered = notify.entered.iter().map(|name| format!("+{name}"));
        let left = notify.left.iter().map(|name| format!("-{name}"));
        let entries = lines(&notify.entries);
        assert!(notify.entries.iter().all(|entry| !entry.own && entry.client_message_id.is_empty()));
        entered.chain(left).chain(entries).collect::<Vec<_>>().join(" | ")
    }
}

fn lines(entries: &[proto::Entry]) -> Vec<String> {
    let line = |entry: &proto::Entry| format!("{} {}: {}", entry.seq, entry.from, String::from_utf8_lossy(&entry.body));
    entries.iter().map(line).collect()
}

#[test]
fn three_people_talk_in_a_room_over_sockets_and_polls() {
    let folder = tempfile::tempdir().unwrap();
    let server = server(&folder, &[("HONGYAN_HTTP_POLL_HOLD_MS", "200")]);
    let (mut ann, mut bob, mut eve) =
        (Browser::by_socket(&server), Browser::by_polls(&server), Browser::by_socket(&server));
    for (browser, user) in [(&mut ann, "ann"), (&mut bob, "bob"), (&mut eve, "eve")] {
        assert_eq!(browser.log_in(user).refusal, None);
    }
    assert_eq!(ann.says("too early"), Err(RefusalCode::NotAllowed));
    assert_eq!(code(&ann.room_history(0).refusal), Some(RefusalCode::NotAllowed));

    assert_eq!(ann.enters("Ann"), ["Ann"]);
    assert_eq!(bob.enters("鲍勃"), ["鲍勃", "Ann"]);
    assert_eq!(ann.sees(), "+鲍勃");
    assert_eq!(code(&eve.enter(" ANN ").refusal), Some(RefusalCode::Conflict));
    assert_eq!(eve.enters("Eve"), ["Eve", "Ann", "鲍勃"]);
    assert_eq!((ann.sees(), bob.sees()), ("+Eve".into(), "+Eve".into()));

    assert_eq!(ann.says("hello"), Ok(1));
    assert_eq!(bob.says("你好"), Ok(2));
    for browser in [&mut ann, &mut bob, &mut eve] {
        // Who speaks sees it, too, perhaps before the answer: the answer's wait has dropped it then.
        if !matches!(browser.says(&"字".repeat(141)), Err(RefusalCode::InvalidArgument)) {
            panic!("141 characters");
        }
    }
    let history = bob.room_history(0);
    assert_eq!(lines(&history.entries), ["1 Ann: hello", "2 鲍勃: 你好"]);
    assert_eq!(history.entries.iter().map(|entry| entry.own).collect::<Vec<_>>(), [false, true]);
    assert_eq!((history.covered_from, history.covered_to, history.as_of), (1, 2, 2));

    eve.leaves();
    assert_eq!(eve.says("gone"), Err(RefusalCode::NotAllowed));
    assert_eq!(bob.enters("鲍勃"), ["鲍勃", "Ann"], "again");
    let answer = eve.enter("eve");
    assert_eq!((answer.names, answer.head_seq), (vec!["eve".to_owned(), "Ann".into(), "鲍勃".into()], 2));
    drop(server);
}

#[test]
fn a_room_outlives_a_server_and_its_guests_enter_again() {
    let folder = tempfile::tempdir().unwrap();
    let first = server(&folder, &[]);
    let mut ann = Browser::by_socket(&first);
    let login = ann.log_in("ann");
    ann.enters("Ann");
    let said = ann.text("before");
    let answer: proto::SendAnswer = ann.ask(Operation::Send, &said);
    assert_eq!((answer.refusal, answer.seq), (None, 1));
    first.kill();

    let second = Server::run(serve(folder.path()), folder.path());
    let mut ann = Browser::by_polls(&second);
    assert!(matches!(ann.resume(&login, 1, 0), Event::Resumed(_)));
    assert_eq!(ann.says("nobody knows me"), Err(RefusalCode::NotAllowed));
    let again: proto::SendAnswer = ann.ask(Operation::Send, &said);
    assert_eq!((again.refusal, again.seq), (None, 1), "who got in gets the same answer again");
    assert_eq!(ann.enters("Ann"), ["Ann"]);
    assert_eq!(ann.says("after"), Ok(2));
    assert_eq!(lines(&ann.room_history(0).entries), ["1 Ann: before", "2 Ann: after"]);
}

#[test]
fn a_guest_who_vanishes_keeps_the_name_for_a_while_and_then_leaves() {
    let folder = tempfile::tempdir().unwrap();
    let server = server(&folder, &[]);
    let (mut ann, mut bob) = (Browser::by_socket(&server), Browser::by_socket(&server));
    let login = bob.log_in("bob");
    ann.log_in("ann");
    assert_eq!((ann.enters("Ann").len(), bob.enters("Bob").len()), (1, 2));
    assert_eq!(ann.sees(), "+Bob");
    drop(bob);

    // He comes back by another way, within 30 seconds: nobody has noticed.
    let mut bob = Browser::by_polls(&server);
    assert!(matches!(bob.resume(&login, 1, 0), Event::Resumed(_)));
    assert_eq!(code(&ann.enter("Bob").refusal), Some(RefusalCode::Conflict));
    assert_eq!(bob.enters("Bob"), ["Bob", "Ann"]);
    assert_eq!(ann.says("are you there?"), Ok(1));
    assert_eq!(bob.sees(), "1 Ann: are you there?");

    // A logout needs no time-out.
    let request = proto::LogoutRequest { id: bob.id() };
    assert_eq!(bob.ask::<proto::LogoutAnswer>(Operation::Logout, &request).refusal, None);
    while ann.sees() != "-Bob" {}

    // From now on names are kept for a second; the news of it is what the test waits for.
    server.done(&["app", "set", "default", "room_hold_seconds=1"], "");
    let mut eve = Browser::by_socket(&server);
    eve.log_in("eve");
    assert_eq!(eve.enters("Eve"), ["Eve", "Ann"]);
    drop(eve);
    assert_eq!((ann.sees(), ann.sees()), ("+Eve".into(), "-Eve".into()));
    assert_eq!(ann.enters("eve"), ["eve"]);
}
