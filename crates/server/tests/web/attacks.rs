//! Rows 10, 12, 28 and 29: bad frames of WebSocket, dawdlers, pages of others, polls of others.

use std::io::{ErrorKind, Read, Write};
use std::net::TcpStream;
use std::time::Duration;

use hongyan_wire::command::{Command, Operation};
use hongyan_wire::frame::Header;
use hongyan_wire::proto;
use tungstenite::protocol::frame::Frame;
use tungstenite::protocol::frame::coding::{CloseCode, Data, OpCode};
use tungstenite::{Bytes, Message};

use crate::browser::{Browser, Line, dial, poll, post, sign_up, socket_request};
use crate::process::{Server, serve};

struct Place {
    server: Server,
    _folder: tempfile::TempDir,
}

fn place() -> Place {
    let folder = tempfile::tempdir().unwrap();
    let mut command = serve(folder.path());
    command.env("HONGYAN_HTTP_POLL_HOLD_MS", "100");
    let server = Server::run(command, folder.path());
    assert_eq!((sign_up(&server, "ann"), sign_up(&server, "bob")), (201, 201));
    Place { server, _folder: folder }
}

/// A WebSocket without a library, so that its frames can be wrong.
fn raw(server: &Server) -> TcpStream {
    let mut stream = TcpStream::connect(server.ready("web").trim_start_matches("http://")).unwrap();
    stream.set_read_timeout(Some(Duration::from_secs(30))).unwrap();
    stream
        .write_all(
            b"GET /v1/socket HTTP/1.1\r\nhost: x\r\nconnection: upgrade\r\nupgrade: websocket\r\n\
              sec-websocket-version: 13\r\nsec-websocket-key: dGhlIHNhbXBsZSBub25jZQ==\r\n\
              sec-websocket-protocol: hongyan.v1\r\n\r\n",
        )
        .unwrap();
    let (mut head, mut byte) = (Vec::new(), [0]);
    while !head.ends_with(b"\r\n\r\n") {
        stream.read_exact(&mut byte).unwrap();
        head.push(byte[0]);
    }
    assert!(head.starts_with(b"HTTP/1.1 101 "), "{}", String::from_utf8_lossy(&head));
    stream
}

/// Reads until the server closes.
fn is_closed(stream: &mut TcpStream) {
    match stream.read_to_end(&mut Vec::new()) {
        Ok(_) => {}
        Err(error) if error.kind() == ErrorKind::ConnectionReset => {}
        Err(error) => panic!("the server does not close: {error}"),
    }
}

#[test]
fn row_10_bad_frames_of_a_socket_close_it_and_no_other() {
    let place = place();
    let mut bystander = Browser::by_socket(&place.server);
    bystander.log_in("ann");
    let masked = |first: u8, length: &[u8]| [&[first], length, &[0; 4]].concat();
    let bad: [(&str, Vec<u8>); 9] = [
        ("not masked", vec![0x82, 1, 0]),
        ("a reserved bit", masked(0xC2, &[0x80])),
        ("an operation that does not exist", masked(0x83, &[0x80])),
        ("a continuation of nothing", masked(0x80, &[0x80])),
        ("a fragmented ping", masked(0x09, &[0x80])),
        ("a long ping", masked(0x89, &[0xFE, 0, 126])),
        ("a length of 2^63", masked(0x82, &[0xFF, 0x80, 0, 0, 0, 0, 0, 0, 0])),
        ("a message that is too long", masked(0x82, &[0xFF, 0, 0, 0, 0, 0, 1, 0, 16])),
        ("a frame of another protocol", [masked(0x82, &[0x84]), b"GET ".to_vec()].concat()),
    ];
    for (what, bytes) in bad {
        let mut stream = raw(&place.server);
        stream.write_all(&bytes).unwrap();
        if what == "a frame of another protocol" {
            // Sixteen bytes of header are needed before it shows.
            stream.write_all(&masked(0x82, &[0x8C])).unwrap();
            stream.write_all(b"/ HTTP/1.1\r\n").unwrap();
        }
        is_closed(&mut stream);
        bystander.is_answered();
    }
    let mut socket = dial(&place.server, socket_request(&place.server)).unwrap();
    socket.send(Message::Text("hello".into())).unwrap();
    let Ok(Message::Close(Some(close))) = socket.read() else { panic!("text is refused") };
    assert_eq!(close.code, CloseCode::Unsupported);
    bystander.is_answered();
}

#[test]
fn row_10_a_message_in_many_pieces_and_pings_between_them_is_one_message() {
    let place = place();
    let mut bob = Browser::by_socket(&place.server);
    bob.log_in("bob");
    let header = Header { encrypted: false, command: Command::request(Operation::Keepalive).number(), length: 2 };
    let bytes = [&header.encode()[..], &[0x08, 42]].concat();
    let Line::Socket(socket) = &mut bob.line else { panic!("a socket") };
    let last = bytes.len() - 1;
    for (place, byte) in bytes.into_iter().enumerate() {
        let code = if place == 0 { Data::Binary } else { Data::Continue };
        let piece = Frame::message(vec![byte], OpCode::Data(code), place == last);
        socket.send(Message::Frame(piece)).unwrap();
        if place == last / 2 {
            socket.send(Message::Ping(Bytes::from_static(b"there?"))).unwrap();
        }
    }
    assert!(matches!(socket.read(), Ok(Message::Pong(bytes)) if &bytes[..] == b"there?"));
    let answer: proto::KeepaliveAnswer = bob.wait_for(Command::answer(Operation::Keepalive)).unwrap();
    assert_eq!(answer.id, 42);
}

/// One message in so many pieces of a byte, without a library.
fn in_pieces(message: &[u8], pieces: usize) -> Vec<u8> {
    let last = pieces - 1;
    let piece = |at: usize| {
        let first = if at == 0 { 0x02 } else { 0x00 } | if at == last { 0x80 } else { 0 };
        match message.get(at) {
            Some(byte) => vec![first, 0x81, 0, 0, 0, 0, *byte],
            None => vec![first, 0x80, 0, 0, 0, 0],
        }
    };
    (0..pieces).flat_map(piece).collect()
}

#[test]
fn row_10_a_message_in_sixty_four_pieces_is_read_and_one_in_more_closes_its_socket_and_no_other() {
    let place = place();
    let mut bystander = Browser::by_socket(&place.server);
    bystander.log_in("ann");
    let mut bob = Browser::by_socket(&place.server);
    bob.log_in("bob");
    let header = Header { encrypted: false, command: Command::request(Operation::Keepalive).number(), length: 2 };
    let question = [&header.encode()[..], &[0x08, 42]].concat();
    let Line::Socket(socket) = &mut bob.line else { panic!("a socket") };
    for _ in 0..2 {
        socket.get_mut().write_all(&in_pieces(&question, 64)).unwrap();
    }
    for _ in 0..2 {
        let answer: proto::KeepaliveAnswer = bob.wait_for(Command::answer(Operation::Keepalive)).unwrap();
        assert_eq!(answer.id, 42);
    }
    let Line::Socket(socket) = &mut bob.line else { panic!("a socket") };
    socket.get_mut().write_all(&in_pieces(&question, 65)).unwrap();
    let Ok(Message::Close(Some(close))) = socket.read() else { panic!("one too many") };
    assert_eq!((close.code, close.reason.as_str()), (CloseCode::Size, "a message has too many pieces"));
    // Somebody who is nobody yet, with a million of them; the end may come while they are under way.
    let mut endless = raw(&place.server);
    let _ = endless.write_all(&in_pieces(&[], 1_000_000));
    is_closed(&mut endless);
    bystander.is_answered();
}

#[test]
fn row_10_whoever_breaks_the_rules_of_a_socket_is_told_which_kind() {
    let place = place();
    for (first, length, code) in [(0xC2, &[0x80][..], 1002), (0x82, &[0xFF, 0, 0, 0, 0, 0, 1, 0, 16], 1009)] {
        let mut stream = raw(&place.server);
        stream.write_all(&[&[first], length, &[0; 4]].concat()).unwrap();
        let mut farewell = [0; 4];
        stream.read_exact(&mut farewell).unwrap();
        assert_eq!((farewell[0], u16::from_be_bytes([farewell[2], farewell[3]])), (0x88, code));
        is_closed(&mut stream);
    }
}

#[test]
fn row_10_a_farewell_is_answered() {
    let place = place();
    let mut socket = dial(&place.server, socket_request(&place.server)).unwrap();
    socket.close(None).unwrap();
    assert!(matches!(socket.read(), Ok(Message::Close(_))));
    assert!(matches!(socket.read(), Err(tungstenite::Error::ConnectionClosed)));
}

#[test]
fn row_10_a_socket_needs_its_protocol() {
    let place = place();
    let mut request = socket_request(&place.server);
    request.headers_mut().remove("sec-websocket-protocol");
    assert_eq!(dial(&place.server, request).err(), Some(400));
    let mut request = socket_request(&place.server);
    request.headers_mut().insert("sec-websocket-protocol", "chat".parse().unwrap());
    assert_eq!(dial(&place.server, request).err(), Some(400));
}

/// One request as it is; everything that comes back.
fn say(server: &Server, request: &str) -> String {
    let mut stream = TcpStream::connect(server.ready("web").trim_start_matches("http://")).unwrap();
    stream.set_read_timeout(Some(Duration::from_secs(30))).unwrap();
    stream.write_all(request.as_bytes()).unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    answer
}

#[test]
fn row_12_a_body_that_never_ends_is_not_waited_for() {
    let folder = tempfile::tempdir().unwrap();
    let mut command = serve(folder.path());
    command.env("HONGYAN_WEB_BODY_MS_MAX", "200");
    let server = Server::run(command, folder.path());
    for path in ["/v1/poll", "/v1/frames", "/v1/web/sign-up", "/"] {
        let answer = say(&server, &format!("POST {path} HTTP/1.1\r\nhost: x\r\ncontent-length: 10\r\n\r\n{{"));
        assert!(answer.starts_with("HTTP/1.1 408 "), "{path}: {answer}");
    }
    let long = format!("POST /v1/frames HTTP/1.1\r\nhost: x\r\ncontent-length: {}\r\n\r\n", 256 * 1_024 + 1);
    assert!(say(&server, &long).starts_with("HTTP/1.1 4"), "it is not waited for either");
}

#[test]
fn row_18_a_body_that_is_too_long_or_broken_is_refused_in_words_that_arrive() {
    let place = place();
    let long = "x".repeat(10 * 1_024 * 1_024);
    let chunks = format!("8000\r\n{}\r\n", "x".repeat(0x8000)).repeat(320);
    for path in ["/v1/poll", "/v1/frames", "/v1/web/sign-up", "/"] {
        let head = format!("POST {path} HTTP/1.1\r\nhost: x\r\n");
        for (what, request, status, text) in [
            (
                "too long",
                format!("{head}content-length: {}\r\n\r\n{long}", long.len()),
                413,
                "a body has at most 256 KiB",
            ),
            (
                "and not told",
                format!("{head}transfer-encoding: chunked\r\n\r\n{chunks}"),
                413,
                "a body has at most 256 KiB",
            ),
            ("broken", format!("{head}transfer-encoding: chunked\r\n\r\nx\r\n\r\n"), 400, "this body cannot be read"),
        ] {
            let answer = say(&place.server, &request);
            assert!(answer.starts_with(&format!("HTTP/1.1 {status} ")), "{path}, {what}: {answer}");
            assert!(answer.ends_with(&format!("\r\n\r\n{text}")), "{path}, {what}: {answer}");
            assert!(answer.contains("x-content-type-options: nosniff\r\n"), "{path}, {what}: {answer}");
        }
    }
}

#[test]
fn row_29_whoever_asks_on_before_a_poll_is_answered_reads_that_answer_to_its_end() {
    let place = place();
    let poll = "POST /v1/poll HTTP/1.1\r\nhost: x\r\nhongyan-poll: 1\r\ncontent-length: 0\r\n\r\n";
    // More than is read of them: it ends the connection, but not by a reset.
    let answer = say(&place.server, &poll.repeat(1_000));
    assert!(answer.starts_with("HTTP/1.1 204 ") && answer.contains("\r\nconnection: close\r\n"), "{answer}");
    assert_eq!(answer.matches("HTTP/1.1 ").count(), 1, "{answer}");
}

#[test]
fn row_32_no_browser_guesses_what_a_refusal_is() {
    let place = place();
    for (lines, status) in [
        ("hongyan-poll: 7\r\n", 401),
        ("hongyan-poll: x\r\n", 409),
        ("hongyan-poll: 1\r\norigin: https://evil.example.com\r\n", 403),
    ] {
        let head = "POST /v1/poll HTTP/1.1\r\nhost: x\r\nconnection: close\r\ncontent-length: 0\r\n";
        let answer = say(&place.server, &format!("{head}{lines}\r\n"));
        assert!(answer.starts_with(&format!("HTTP/1.1 {status} ")), "{answer}");
        assert!(answer.contains("\r\nx-content-type-options: nosniff\r\n"), "{answer}");
    }
}

#[test]
fn row_31_two_hosts_are_one_too_many() {
    let place = place();
    for hosts in ["host: x\r\nhost: y\r\n", ""] {
        let answer = say(&place.server, &format!("GET /v1/web HTTP/1.1\r\n{hosts}\r\n"));
        assert!(answer.starts_with("HTTP/1.1 400 "), "{answer}");
    }
}

#[test]
fn row_31_a_request_that_can_be_read_in_two_ways_is_not_done_in_either_for_browsers() {
    let place = place();
    let body = r#"{"app":"default","user":"smuggled","password":"a password of many"}"#;
    let length = body.len();
    let inner = format!(
        "POST /v1/web/sign-up HTTP/1.1\r\nhost: x\r\ncontent-type: application/json\r\ncontent-length: {length}\r\n\r\n{body}"
    );
    for line in [
        "content-length: 5\r\ntransfer-encoding: chunked\r\n",
        "transfer-encoding: chunked\r\ncontent-length: 5\r\n",
        "transfer-encoding: chunked\r\ntransfer-encoding: chunked\r\n",
        "transfer-encoding: xchunked\r\n",
        "transfer-encoding: chunked, identity\r\n",
        "content-length: 5\r\ncontent-length: 500\r\n",
        "content-length: +5\r\n",
        "content-length: 5, 6\r\n",
        "x: a\r\n transfer-encoding: chunked\r\n",
        "host: y\r\n",
    ] {
        let outer = format!("POST /v1/web/sign-up HTTP/1.1\r\nhost: x\r\n{line}\r\n0\r\n\r\n");
        let answer = say(&place.server, &(outer + &inner));
        assert!(answer.starts_with("HTTP/1.1 400 "), "{line:?}: {answer}");
        assert_eq!(answer.matches("HTTP/1.1 ").count(), 1, "{line:?}: {answer}");
    }
    assert_eq!(sign_up(&place.server, "smuggled"), 201, "nobody has that name yet");
}

#[test]
fn row_28_pages_of_other_sites_open_nothing() {
    let place = place();
    let foreign = [("content-type", "application/json"), ("origin", "https://evil.example.com")];
    assert_eq!(post(&place.server, "/v1/web/sign-up", &foreign, b"{}").status, 403, "nor make they accounts");
    let origin = place.server.ready("web").to_owned();
    for (asks, status) in [("https://evil.example.com", 403), ("null", 403), (origin.as_str(), 0)] {
        let mut request = socket_request(&place.server);
        request.headers_mut().insert("origin", asks.parse().unwrap());
        assert_eq!(dial(&place.server, request).err().unwrap_or(0), status, "{asks}");
        if status == 403 {
            let headers = [("hongyan-poll", "1"), ("origin", asks)];
            assert_eq!(post(&place.server, "/v1/poll", &headers, b"").status, 403);
            let headers = [("hongyan-frames", "1"), ("origin", asks), ("authorization", "Bearer x")];
            assert_eq!(post(&place.server, "/v1/frames", &headers, b"").status, 403);
        }
    }
}

#[test]
fn row_28_pages_of_listed_sites_may_poll_and_others_are_told_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let mut command = serve(folder.path());
    command.env("HONGYAN_HTTP_ORIGINS", "[\"https://shop.example.com\"]").env("HONGYAN_HTTP_POLL_HOLD_MS", "100");
    let server = Server::run(command, folder.path());
    let preflight = |origin: &str| {
        let mut stream = TcpStream::connect(server.ready("web").trim_start_matches("http://")).unwrap();
        let head =
            "OPTIONS /v1/poll HTTP/1.1\r\nhost: x\r\nconnection: close\r\naccess-control-request-method: POST\r\n";
        stream.write_all(format!("{head}origin: {origin}\r\n\r\n").as_bytes()).unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).unwrap();
        answer
    };
    let allowed = preflight("https://shop.example.com");
    assert!(allowed.starts_with("HTTP/1.1 204 "), "{allowed}");
    assert!(allowed.contains("access-control-allow-origin: https://shop.example.com\r\n"), "{allowed}");
    assert!(!allowed.contains("credentials"), "no cookies");
    // So is an answer that was long in coming.
    let poll = "POST /v1/poll HTTP/1.1\r\nhost: x\r\nhongyan-poll: 1\r\ncontent-length: 0\r\n";
    let held = say(&server, &format!("{poll}origin: https://shop.example.com\r\n\r\n").repeat(2));
    assert!(held.starts_with("HTTP/1.1 204 ") && held.contains("\r\nhongyan-connection: "), "{held}");
    assert!(held.contains("\r\naccess-control-allow-origin: https://shop.example.com\r\n"), "{held}");
    let refused = preflight("https://evil.example.com");
    assert!(refused.starts_with("HTTP/1.1 403 ") && !refused.contains("access-control"), "{refused}");
}

#[test]
fn row_29_a_token_that_was_guessed_opens_nothing() {
    let place = place();
    let mut bob = Browser::by_polls(&place.server);
    bob.log_in("bob");
    let Line::Polls { token: Some(token), polls, .. } = &bob.line else { panic!("a token was given") };
    let (token, next) = (token.clone(), polls + 1);
    assert_eq!(token.len(), 43, "256 bits");
    let mut other = token.clone().into_bytes();
    other[0] = if other[0] == b'A' { b'B' } else { b'A' };
    let other = String::from_utf8(other).unwrap();
    for wrong in ["", "x", &token[..42], &other, &format!("{token}A")] {
        assert_eq!(poll(&place.server, Some(wrong), next, b"").status, 401, "{wrong}");
        let headers = [("authorization", format!("Bearer {wrong}")), ("hongyan-frames", "1".to_owned())];
        let headers = headers.each_ref().map(|(name, value)| (*name, value.as_str()));
        assert_eq!(post(&place.server, "/v1/frames", &headers, b"").status, 401, "{wrong}");
    }
    assert_eq!(poll(&place.server, None, next, b"").status, 401, "only the first poll comes without one");
    let basic = [("authorization", "Basic eDp4"), ("hongyan-poll", "2")];
    assert_eq!(post(&place.server, "/v1/poll", &basic, b"").status, 401);
    bob.is_answered();
}

#[test]
fn row_29_of_two_polls_at_once_the_newer_gets_the_answer() {
    let folder = tempfile::tempdir().unwrap();
    let server = Server::run(serve(folder.path()), folder.path());
    assert_eq!((sign_up(&server, "ann"), sign_up(&server, "bob")), (201, 201));
    let mut ann = Browser::by_socket(&server);
    ann.log_in("ann");
    let mut bob = Browser::by_polls(&server);
    bob.log_in("bob");
    let Line::Polls { token: Some(token), polls, .. } = &bob.line else { panic!("a token was given") };
    let (token, next) = (token.clone(), polls + 1);
    std::thread::scope(|scope| {
        let asks = || scope.spawn(|| poll(&server, Some(&token), next, b""));
        // Of two with the same number one ends at once, without frames; which came later is not known here.
        let (one, other) = (asks(), asks());
        while !one.is_finished() && !other.is_finished() {
            std::thread::yield_now();
        }
        ann.say("bob", "for one of you");
        let mut answers = [one.join().unwrap(), other.join().unwrap()];
        answers.sort_by_key(|answer| answer.status);
        let [got, superseded] = answers;
        assert_eq!((got.status, superseded.status, superseded.body.len()), (200, 204, 0));
        bob.hear(&got.body);
    });
    assert_eq!(bob.hears(), "for one of you");
}

#[test]
fn row_29_frames_before_a_login_are_those_of_a_stranger() {
    let place = place();
    let mut stranger = Browser::by_polls(&place.server);
    let (mut bytes, id) = (Vec::new(), stranger.id());
    let keepalive = prost::Message::encode_to_vec(&proto::KeepaliveRequest { id });
    let command = Command::request(Operation::Keepalive).number();
    let header = Header { encrypted: false, command, length: keepalive.len() };
    bytes.extend_from_slice(&header.encode());
    bytes.extend_from_slice(&keepalive);
    let answer = poll(&place.server, None, 1, &bytes);
    assert_eq!(answer.status, 200);
    stranger.hear(&answer.body);
    let close: proto::CloseNotify = stranger.wait_for(Command::notify(Operation::Close)).unwrap();
    assert!(close.refusal.is_some());
    assert_eq!(poll(&place.server, answer.connection.as_deref(), 2, b"").status, 401);
}
