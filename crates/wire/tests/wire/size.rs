//! Bytes on the wire (TCP payload, both directions), with names and numbers as in real use. The product promises at
//! most 600 for a login by password and 420 for one "你好" through all six packets.

use bytes::Bytes;
use hongyan_wire::command::Operation;
use hongyan_wire::{Command, Connection, Event, Millis, proto};
use prost::Message;

use crate::pair::{CLIENT_EPHEMERAL, LOGIN, Pair, SEND, Side, key, server};

const NOW_MS: u64 = 1_763_700_000_123;

/// A frame's bytes on the wire.
fn frame(pair: &mut Pair, from: Side, command: Command, message: &impl Message) -> usize {
    pair.encode(from, command, &message.encode_to_vec()).len()
}

fn login_answer() -> proto::LoginAnswer {
    proto::LoginAnswer {
        id: 1,
        refusal: None,
        user: "zhang.wei".into(),
        // What a gate seals: some 130 bytes of names, numbers and the secret, a nonce and a tag.
        ticket: Bytes::from_static(&[0xaa; 160]),
        resume_secret: Bytes::from_static(&[0xbb; 32]),
        server_time_ms: NOW_MS,
        log_epoch: 1,
        inbox_head: 123_456,
        inbox_cursor: 123_400,
        heartbeat_seconds: 60,
        visitor_mark: String::new(),
    }
}

/// Bytes of handshake and login with this credential.
fn login_bytes(credential: proto::login_request::Credential) -> usize {
    let (now, mut up, mut down) = (Millis(0), Vec::new(), Vec::new());
    let mut client = Connection::client_login(key().public(), CLIENT_EPHEMERAL, now, &mut up);
    let mut server = server(now);
    assert!(matches!(server.receive(now, &mut &up[..], &mut down), Ok(None)));
    assert!(matches!(client.receive(now, &mut &down[..], &mut Vec::new()), Ok(Some(Event::Ready))));
    let request = proto::LoginRequest {
        id: 1,
        app: "default".into(),
        credential: Some(credential),
        device_id: Bytes::from_static(&[7; 16]),
        term: proto::Term::Mobile.into(),
        client: "hongyan-cli 0.1.0".into(),
    };
    client.write_message(LOGIN, &request, now, &mut up).expect("keys are agreed");
    server.write_message(Command::answer(Operation::Login), &login_answer(), now, &mut down).expect("keys are agreed");
    up.len() + down.len()
}

#[test]
fn a_login_by_password_takes_at_most_600_bytes() {
    let password = proto::PasswordCredential { user: "zhang.wei".into(), password: "correct horse battery".into() };
    let bytes = login_bytes(proto::login_request::Credential::Password(password));
    assert!(bytes <= 600, "{bytes} bytes");
}

#[test]
fn a_login_by_a_token_of_230_bytes_takes_at_most_750_bytes() {
    let bytes = login_bytes(proto::login_request::Credential::Token("x".repeat(230)));
    assert!(bytes <= 750, "{bytes} bytes");
}

#[test]
fn one_ni_hao_through_all_six_packets_takes_at_most_420_bytes() {
    let body = Bytes::from_static("你好".as_bytes());
    let send = proto::SendRequest {
        id: 1_000,
        to: Some(proto::send_request::To::User("li.xiaoming".into())),
        client_message_id: Bytes::from_static(&[0xc1; 16]),
        body: body.clone(),
        seen_seq: 4_999,
        ..Default::default()
    };
    let stored = proto::SendAnswer {
        id: 1_000,
        seq: 5_000,
        server_time_ms: NOW_MS,
        inbox_seq: 123_457,
        message_count: 4_900,
        ..Default::default()
    };
    let entry = proto::Entry { seq: 5_000, body, server_time_ms: NOW_MS, message_count: 4_900, ..Default::default() };
    let entry = proto::InboxEntry {
        inbox_seq: 88_123,
        user: "zhang.wei".into(),
        what: Some(proto::inbox_entry::What::Entry(entry)),
        ..Default::default()
    };
    let push = proto::MessageNotify { entries: vec![entry] };
    let ack = proto::AckRequest { id: 900, inbox_cursor: 88_123 };
    let acked = proto::AckAnswer { id: 900, refusal: None, inbox_cursor: 88_123 };
    let receipt = proto::Receipt { user: "li.xiaoming".into(), delivered_seq: 5_000, read_seq: 0 };
    let delivered = proto::ReceiptNotify { receipts: vec![receipt] };

    let pair = &mut Pair::logged_in();
    let bytes = frame(pair, Side::Client, SEND, &send)
        + frame(pair, Side::Server, Command::answer(Operation::Send), &stored)
        + frame(pair, Side::Server, Command::notify(Operation::Message), &push)
        + frame(pair, Side::Client, Command::request(Operation::Ack), &ack)
        + frame(pair, Side::Server, Command::answer(Operation::Ack), &acked)
        + frame(pair, Side::Server, Command::notify(Operation::Receipt), &delivered);
    assert!(bytes <= 420, "{bytes} bytes");
}

#[test]
fn an_idle_connection_keeps_little_memory() {
    let bytes = size_of::<Connection>() + size_of::<hongyan_wire::noise::Transport>();
    assert!(bytes <= 512, "{bytes} bytes, and two keys of 32");
    assert_eq!(Pair::logged_in().server.connection.buffered_bytes(), 0);
}
