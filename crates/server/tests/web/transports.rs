//! The same promises on every transport, and a session that moves between them.

use hongyan_wire::command::Operation;
use hongyan_wire::{Command, Event, proto};

use crate::browser::{Browser, Line, poll, post, sign_up, words};
use crate::process::{Server, serve};

fn server(folder: &tempfile::TempDir, settings: &[(&str, &str)]) -> Server {
    let mut command = serve(folder.path());
    command.envs(settings.iter().copied());
    let server = Server::run(command, folder.path());
    assert_eq!((sign_up(&server, "ann"), sign_up(&server, "bob")), (201, 201));
    server
}

#[test]
fn people_talk_over_sockets_and_polls() {
    let folder = tempfile::tempdir().unwrap();
    let server = server(&folder, &[("HONGYAN_HTTP_POLL_HOLD_MS", "200")]);
    let (mut ann, mut bob) = (Browser::by_socket(&server), Browser::by_polls(&server));
    assert_eq!((ann.log_in("ann").refusal, bob.log_in("bob").refusal), (None, None));
    for number in 1..=20 {
        assert_eq!(ann.say("bob", &format!("to bob {number}")), 2 * number - 1);
        assert_eq!(bob.hears(), format!("to bob {number}"));
        assert_eq!(bob.say("ann", &format!("to ann {number}")), 2 * number);
        assert_eq!(ann.hears(), format!("to ann {number}"));
    }
    bob.poll(b"");
    assert!(matches!(bob.line, Line::Polls { polls: 40.., .. }), "a held poll ends without frames");
}

#[test]
fn a_session_moves_between_transports_and_loses_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let server = server(&folder, &[]);
    let mut ann = Browser::by_socket(&server);
    ann.log_in("ann");
    let mut bob = Browser::by_socket(&server);
    let login = bob.log_in("bob");
    let mut cursor = 0;
    for epoch in 1..=6 {
        drop(bob);
        ann.say("bob", &format!("while away {epoch}"));
        bob = if epoch % 2 == 0 { Browser::by_socket(&server) } else { Browser::by_polls(&server) };
        let Event::Resumed(result) = bob.resume(&login, epoch, cursor) else { panic!("not resumed") };
        let page = result.page.unwrap();
        assert_eq!(words(&page.entries), format!("while away {epoch}"));
        cursor = page.entries.last().unwrap().inbox_seq;
        let id = bob.id();
        let answer: proto::AckAnswer = bob.ask(Operation::Ack, &proto::AckRequest { id, inbox_cursor: cursor });
        assert_eq!(answer.inbox_cursor, cursor);
        ann.say("bob", "now");
        assert_eq!(bob.hears(), "now");
        cursor += 1;
    }
    let Event::Refused(refusal) = Browser::by_socket(&server).resume(&login, 6, 0) else { panic!("an epoch twice") };
    assert_eq!(refusal.code(), proto::RefusalCode::ResumeFailed);
}

#[test]
fn a_lost_answer_is_repeated_and_a_repeated_request_is_not_done_twice() {
    let folder = tempfile::tempdir().unwrap();
    let server = server(&folder, &[("HONGYAN_HTTP_POLL_HOLD_MS", "100")]);
    let mut ann = Browser::by_socket(&server);
    ann.log_in("ann");
    let mut bob = Browser::by_polls(&server);
    bob.log_in("bob");
    let Line::Polls { token: Some(token), polls, .. } = &bob.line else { panic!("a token was given") };
    let (token, next) = (token.clone(), polls + 1);
    ann.say("bob", "once");
    let first = poll(&server, Some(&token), next, b"");
    let again = poll(&server, Some(&token), next, b"");
    assert_eq!((first.status, &first.body), (200, &again.body));
    assert_eq!(poll(&server, Some(&token), next + 2, b"").status, 409);
    assert_eq!(poll(&server, Some(&token), next + 1, b"").status, 204, "it was acknowledged");
    assert_eq!(poll(&server, Some(&token), next, b"").status, 409);
    bob.hear(&first.body);
    assert_eq!(bob.hears(), "once");
    let bearer = format!("Bearer {token}");
    let frames = |number: &str, body: &[u8]| {
        post(&server, "/v1/frames", &[("authorization", &bearer), ("hongyan-frames", number)], body).status
    };
    assert_eq!((frames("1", b""), frames("1", b""), frames("3", b""), frames("2", b"")), (204, 204, 409, 204));
}

#[test]
fn a_poll_connection_that_has_said_goodbye_is_over() {
    let folder = tempfile::tempdir().unwrap();
    let server = server(&folder, &[]);
    let mut bob = Browser::by_polls(&server);
    bob.log_in("bob");
    let id = bob.id();
    let answer: proto::LogoutAnswer = bob.ask(Operation::Logout, &proto::LogoutRequest { id });
    assert_eq!(answer.refusal, None);
    let Line::Polls { token, polls, .. } = &bob.line else { panic!("polls") };
    assert_eq!(poll(&server, token.as_deref(), polls + 1, b"").status, 401);
}

#[test]
fn a_login_elsewhere_ends_a_polled_session_with_a_word() {
    let folder = tempfile::tempdir().unwrap();
    let server = server(&folder, &[]);
    let mut old = Browser::by_polls(&server);
    old.log_in("bob");
    let mut new = Browser::by_socket(&server);
    new.log_in("bob");
    let told: proto::KickoutNotify = old.wait_for(Command::notify(Operation::Kickout)).unwrap();
    assert_eq!(told.reason(), proto::KickoutReason::LoggedOut, "the same device");
    new.is_answered();
}

#[test]
fn who_signs_up_is_told_why_not() {
    let folder = tempfile::tempdir().unwrap();
    let generous = ("HONGYAN_LOGIC_SIGN_UPS_PER_ADDRESS", "{ burst = 6, per_minute = 1 }");
    let server = server(&folder, &[generous]);
    let json = [("content-type", "application/json")];
    let ask = |body: &str| post(&server, "/v1/web/sign-up", &json, body.as_bytes()).status;
    assert_eq!(ask(r#"{"app":"default","user":"ann","password":"another password"}"#), 409);
    assert_eq!(ask(r#"{"app":"default","user":"eve","password":"short"}"#), 400);
    assert_eq!(ask(r#"{"app":"default","user":"~eve","password":"long enough"}"#), 400);
    assert_eq!(ask(r#"{"app":"other","user":"eve","password":"long enough"}"#), 403);
    assert_eq!(ask(r#"{"app":"default","user":"eve"}"#), 400);
    assert_eq!(ask(r#"{"app":"default","user":"eve","password":"long enough"}"#), 201);
    assert_eq!(ask(r#"{"app":"default","user":"eva","password":"long enough"}"#), 201);
    assert_eq!(ask(r#"{"app":"default","user":"evi","password":"long enough"}"#), 429);
    let plain = post(&server, "/v1/web/sign-up", &[("content-type", "text/plain")], b"{}");
    assert_eq!(plain.status, 400, "a form of another page cannot send JSON");
}

#[test]
fn an_operator_may_close_the_door_to_strangers() {
    let folder = tempfile::tempdir().unwrap();
    let mut command = serve(folder.path());
    command.env("HONGYAN_WEB_SIGN_UP", "false");
    let server = Server::run(command, folder.path());
    assert_eq!(sign_up(&server, "ann"), 403);
}
