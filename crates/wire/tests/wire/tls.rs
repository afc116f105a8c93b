//! Connections that TLS protects: no keys of their own, a proof instead of a handshake.

use bytes::Bytes;
use hongyan_wire::command::Operation;
use hongyan_wire::noise::ResumeProof;
use hongyan_wire::proto::{self, RefusalCode};
use hongyan_wire::{Command, Connection, Event, Millis, Violation};
use prost::Message;

use crate::pair::{KEEPALIVE, LOGIN, RESUME_SECRET, TICKET, clear, login_request, offer, proof};

const NOW: Millis = Millis(5);

fn events(connection: &mut Connection, mut bytes: &[u8]) -> Result<Vec<Event>, Violation> {
    let mut events = Vec::new();
    while let Some(event) = connection.receive(NOW, &mut bytes, &mut Vec::new())? {
        events.push(event);
    }
    Ok(events)
}

fn asked(server: &mut Connection, request: &[u8]) -> u32 {
    let mut events = events(server, request).expect("a resume may come first");
    let Some(Event::Resume { id, ticket, epoch, noise }) = events.pop() else { panic!("no resume") };
    assert_eq!((&ticket[..], epoch, noise.len(), events.len()), (TICKET, 1, 0, 0));
    id
}

fn result() -> proto::ResumeResult {
    proto::ResumeResult { ticket: Bytes::from_static(b"new"), server_time_ms: 9, ..Default::default() }
}

#[test]
fn a_login_is_the_first_frame() {
    let (mut server, mut client) = (Connection::tls_server(NOW), Connection::tls_client_login(NOW));
    let mut bytes = Vec::new();
    client.write_message(LOGIN, &login_request(), NOW, &mut bytes).unwrap();
    let told = events(&mut server, &bytes).unwrap();
    let [Event::Frame(command, body)] = &told[..] else { panic!("{told:?}") };
    assert_eq!((*command, proto::LoginRequest::decode(body.clone()).unwrap()), (LOGIN, login_request()));
    server.set_authenticated();
    let mut bytes = Vec::new();
    let answer = proto::LoginAnswer { id: 1, ..Default::default() };
    server.write_message(Command::answer(Operation::Login), &answer, NOW, &mut bytes).unwrap();
    assert!(matches!(events(&mut client, &bytes).unwrap()[..], [Event::Frame(..)]));
}

#[test]
fn a_resume_is_proven_answered_and_confirmed() {
    let mut server = Connection::tls_server(NOW);
    let mut request = Vec::new();
    let mut client = Connection::tls_client_resume(proof(1), &offer(), NOW, &mut request);
    let id = asked(&mut server, &request);
    assert_eq!(server.accept_resume(proof(1), &[]), Ok(offer()));
    let mut answer = Vec::new();
    server.answer_resume(id, &result(), NOW, &mut answer).unwrap();
    assert!(!server.is_authenticated(), "the answer may have been lost");
    let told = events(&mut client, &answer).unwrap();
    assert!(matches!(&told[..], [Event::Resumed(told)] if **told == result()));
    let mut first = Vec::new();
    client.write_message(KEEPALIVE, &proto::KeepaliveRequest { id: 2 }, NOW, &mut first).unwrap();
    assert!(matches!(events(&mut server, &first).unwrap()[..], [Event::Frame(..)]));
    assert!(server.is_authenticated());
}

#[test]
fn whatever_is_proven_wrongly_is_refused_and_a_login_may_follow() {
    let good = proto::ResumeRequest::decode(&resume_request()[16..]).unwrap();
    let other_offer = proto::ResumeOffer { inbox_cursor: 0, ..offer() }.encode_to_vec();
    let wrong = [
        proto::ResumeRequest { proof: Bytes::new(), ..good.clone() },
        proto::ResumeRequest { proof: Bytes::from_static(&[0; 32]), ..good.clone() },
        proto::ResumeRequest { offer: other_offer.into(), ..good.clone() },
        proto::ResumeRequest { proof: good.proof.slice(..31), ..good.clone() },
    ];
    for request in wrong {
        let mut server = Connection::tls_server(NOW);
        let frame = clear(Command::request(Operation::Resume).number(), &request.encode_to_vec());
        let id = asked(&mut server, &frame);
        assert_eq!(server.accept_resume(proof(1), &[]), Err(Violation::HandshakeFailed));
        let mut refusal = Vec::new();
        server.refuse_resume(
            id,
            proto::Refusal { code: RefusalCode::ResumeFailed.into(), ..Default::default() },
            &mut refusal,
        );
        let mut client = Connection::tls_client_resume(proof(1), &offer(), NOW, &mut Vec::new());
        assert!(matches!(events(&mut client, &refusal).unwrap()[..], [Event::Refused(_)]));
        assert_eq!(events(&mut server, &frame).unwrap_err(), Violation::WrongState, "one resume only");
        let mut server = Connection::tls_server(NOW);
        asked(&mut server, &frame);
        server.refuse_resume(id, proto::Refusal::default(), &mut Vec::new());
        let login = clear(LOGIN.number(), &login_request().encode_to_vec());
        assert!(matches!(events(&mut server, &login).unwrap()[..], [Event::Frame(..)]));
    }
    for other in [ResumeProof { epoch: 2, ..proof(1) }, ResumeProof { ticket: b"x", ..proof(1) }] {
        let mut server = Connection::tls_server(NOW);
        asked(&mut server, &resume_request());
        assert_eq!(server.accept_resume(other, &[]), Err(Violation::HandshakeFailed));
    }
}

#[test]
fn what_belongs_to_encryption_has_no_place() {
    let encrypted = hongyan_wire::frame::Header { encrypted: true, command: LOGIN.number(), length: 0 }.encode();
    let frames = [
        encrypted.to_vec(),
        clear(Command::request(Operation::Handshake).number(), b""),
        clear(Command::notify(Operation::Rekey).number(), b""),
        clear(KEEPALIVE.number(), b"\x08\x01"),
        clear(Command::answer(Operation::Login).number(), b""),
    ];
    for frame in frames {
        assert_eq!(events(&mut Connection::tls_server(NOW), &frame).unwrap_err(), Violation::WrongState);
    }
    let mut server = Connection::tls_server(NOW);
    server.set_authenticated();
    assert_eq!(
        events(&mut server, &clear(Command::notify(Operation::Rekey).number(), b"")).unwrap_err(),
        Violation::WrongState
    );
    let mut server = Connection::tls_server(NOW);
    server.set_authenticated();
    assert_eq!(events(&mut server, &resume_request()).unwrap_err(), Violation::WrongState, "too late");
}

#[test]
fn nothing_is_said_between_a_resume_and_its_answer() {
    let mut server = Connection::tls_server(NOW);
    asked(&mut server, &resume_request());
    let keepalive = clear(KEEPALIVE.number(), b"\x08\x01");
    assert_eq!(events(&mut server, &keepalive).unwrap_err(), Violation::WrongState);
}

#[test]
fn the_proof_is_bound_to_ticket_epoch_and_offer() {
    let proofs = [
        proof(1).over_tls(b"offer"),
        proof(2).over_tls(b"offer"),
        proof(1).over_tls(b"other"),
        ResumeProof { ticket: b"ticket", ..proof(1) }.over_tls(b"offer"),
        ResumeProof { ticket: b"ticketo", ..proof(1) }.over_tls(b"ffer"),
        ResumeProof { secret: &[0; 32], ..proof(1) }.over_tls(b"offer"),
    ];
    for (place, one) in proofs.iter().enumerate() {
        assert!(!proofs[place + 1..].contains(one));
    }
    assert_ne!(RESUME_SECRET, [0; 32]);
}

fn resume_request() -> Vec<u8> {
    let mut request = Vec::new();
    Connection::tls_client_resume(proof(1), &offer(), NOW, &mut request);
    request
}
