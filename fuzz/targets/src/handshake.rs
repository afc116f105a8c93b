//! The first frames of a connection, and the encrypted ones after them: what was altered, cut, doubled or made up never
//! becomes somebody, and never a frame that was not sent.

use hongyan_wire::command::Operation;
use hongyan_wire::frame::{HEADER_BYTES, Header};
use hongyan_wire::noise::{ResumeProof, StaticKey};
use hongyan_wire::{Command, Connection, Event, Millis, proto};

use crate::feed::Feed;
use crate::heap;

const NOW: Millis = Millis(1_000);
const SECRET: [u8; 32] = [0x44; 32];
const TICKET: &[u8] = &[0x55; 96];
const EPOCH: u32 = 3;
/// Keys and states of a handshake, its payload, its answer.
const CONSTANT_BYTES: usize = 24 * 1024;

/// Which end reads the altered bytes, after which opening.
#[derive(Clone, Copy, PartialEq)]
struct Scene {
    server_reads: bool,
    resumes: bool,
}

fn key() -> StaticKey {
    StaticKey::new([0x11; 32])
}

// The ephemeral keys are others than those of the vectors: what is recorded there is a replay here.
fn server() -> Connection {
    Connection::server(key(), [0x77; 32], NOW)
}

fn proof() -> ResumeProof<'static> {
    ResumeProof { ticket: TICKET, epoch: EPOCH, secret: &SECRET }
}

/// A client of the scene, and its first bytes.
fn client(scene: Scene) -> (Connection, Vec<u8>) {
    let mut out = Vec::new();
    let client = if scene.resumes {
        let offer = proto::ResumeOffer { inbox_cursor: 41, log_epoch: 1, limit: 200 };
        Connection::client_resume(key().public(), proof(), &offer, [0x66; 32], NOW, &mut out)
    } else {
        Connection::client_login(key().public(), [0x66; 32], NOW, &mut out)
    };
    (client, out)
}

/// What one end has taken for true.
#[derive(Default)]
struct Heard {
    frames: Vec<(Command, Vec<u8>)>,
    /// Keys were agreed, as far as a client sees.
    agreed: bool,
    authenticated: bool,
}

/// Reads bytes as a gate or a client does, with `out` for the answers.
fn hear(connection: &mut Connection, mut bytes: &[u8], heard: &mut Heard, out: &mut Vec<u8>) {
    // An error ends the connection, and so does it here: nothing more comes of it.
    while let Ok(Some(event)) = connection.receive(NOW, &mut bytes, out) {
        match event {
            Event::Resume { id, ticket, epoch, noise } => {
                let proof = ResumeProof { ticket: &ticket, epoch, secret: &SECRET };
                let usable = ticket == TICKET && epoch == EPOCH;
                if usable && connection.accept_resume(proof, &noise).is_ok() {
                    let result = proto::ResumeResult { server_time_ms: 7, ..Default::default() };
                    connection.answer_resume(id, &result, NOW, out).expect("it waits for this");
                } else {
                    connection.refuse_resume(id, proto::Refusal::default(), out);
                }
            }
            Event::Ready => heard.agreed = true,
            Event::Resumed(result) => {
                assert_eq!(*result, proto::ResumeResult { server_time_ms: 7, ..Default::default() });
                heard.agreed = true;
            }
            Event::Frame(command, body) => {
                if command.operation == Operation::Login {
                    connection.set_authenticated();
                    connection.write(Command::answer(Operation::Login), b"welcome", NOW, out).expect("it may");
                }
                heard.frames.push((command, body.to_vec()));
            }
            Event::Refused(_) | Event::Unknown { .. } => {}
        }
        heard.authenticated |= connection.is_authenticated();
    }
}

/// Plays a scene to its end without any harm: what each end writes, and the frames that each end hears.
fn play(scene: Scene, bodies: &[(Operation, Vec<u8>)]) -> (Vec<u8>, Vec<u8>, Heard) {
    let (mut client, mut from_client) = client(scene);
    let (mut server, mut from_server) = (server(), Vec::new());
    let (mut at_server, mut at_client) = (Heard::default(), Heard::default());
    hear(&mut server, &from_client, &mut at_server, &mut from_server);
    hear(&mut client, &from_server, &mut at_client, &mut Vec::new());
    assert!(at_client.agreed);
    if !scene.resumes {
        let said = from_client.len();
        client.write(Command::request(Operation::Login), b"it is me", NOW, &mut from_client).expect("agreed");
        hear(&mut server, &from_client[said..], &mut at_server, &mut from_server);
        client.set_authenticated();
    }
    for (operation, body) in bodies {
        let said = from_client.len();
        client.write(Command::request(*operation), body, NOW, &mut from_client).expect("agreed");
        hear(&mut server, &from_client[said..], &mut at_server, &mut from_server);
        server.write(Command::answer(*operation), body, NOW, &mut from_server).expect("agreed");
    }
    assert!(at_server.authenticated || bodies.is_empty());
    if !scene.server_reads {
        // What the client should hear: the answers under the same keys.
        let mut whole = Heard::default();
        let (mut again, _) = self::client(scene);
        hear(&mut again, &from_server, &mut whole, &mut Vec::new());
        return (from_client, from_server, whole);
    }
    (from_client, from_server, at_server)
}

/// Cuts, doubles, swaps, flips and inserts.
fn alter(feed: &mut Feed<'_>, bytes: &mut Vec<u8>) {
    for _ in 0..feed.below(6) {
        if bytes.is_empty() {
            return;
        }
        let at = usize::from(feed.word()) % bytes.len();
        let length = feed.below(64).min(bytes.len() - at);
        match feed.below(6) {
            0 => bytes[at] ^= feed.byte(),
            1 => bytes.truncate(at),
            2 => drop(bytes.drain(at..at + length)),
            3 => {
                let doubled = bytes[at..at + length].to_vec();
                bytes.splice(at..at, doubled);
            }
            4 => {
                bytes.splice(at..at, feed.some_bytes().iter().copied());
            }
            _ => double_a_frame(feed, bytes),
        }
    }
}

/// A frame as a whole, once more at another frame's place.
fn double_a_frame(feed: &mut Feed<'_>, bytes: &mut Vec<u8>) {
    let mut starts = vec![0];
    while let Some(header) = bytes.get(starts[starts.len() - 1]..).and_then(|rest| rest.first_chunk()) {
        let Ok(header) = Header::decode(header, usize::MAX) else { break };
        let next = starts[starts.len() - 1] + HEADER_BYTES + header.length;
        if next > bytes.len() {
            break;
        }
        starts.push(next);
    }
    if starts.len() > 1 {
        let from = feed.below(starts.len() - 1);
        let frame = bytes[starts[from]..starts[from + 1]].to_vec();
        let to = starts[feed.below(starts.len())];
        bytes.splice(to..to, frame);
    }
}

/// A transcript that was altered as the input says, or bytes that the input makes up after a true beginning.
pub fn run(input: &[u8]) {
    let mut feed = Feed::new(input);
    let scene = Scene { server_reads: feed.coin(), resumes: feed.coin() };
    let bodies: Vec<_> = (0..feed.below(4))
        .map(|_| {
            let operation = [Operation::Send, Operation::Ack, Operation::Sync][feed.below(3)];
            (operation, feed.some_bytes().to_vec())
        })
        .collect();
    let (from_client, from_server, truth) = play(scene, &bodies);
    let mut bytes = if scene.server_reads { from_client } else { from_server };
    let whole = bytes.clone();
    if feed.coin() {
        let kept = usize::from(feed.word()) % (bytes.len() + 1);
        bytes.truncate(kept);
        bytes.extend_from_slice(feed.rest());
    } else {
        alter(&mut feed, &mut bytes);
    }

    let mut reader = if scene.server_reads { server() } else { client(scene).0 };
    let (mut heard, mut out) = (Heard::default(), Vec::new());
    let constant = CONSTANT_BYTES + 2 * truth.frames.len() * size_of::<(Command, Vec<u8>)>();
    heap::bounded("a transcript", bytes.len(), constant, || hear(&mut reader, &bytes, &mut heard, &mut out));
    assert!(truth.frames.starts_with(&heard.frames), "a frame that was never sent: {:?}", heard.frames);
    if heard.authenticated && scene.server_reads {
        assert!(!heard.frames.is_empty(), "without a frame that decrypts nobody is anybody");
    }
    if bytes == whole {
        assert_eq!(heard.frames.len(), truth.frames.len());
    }
}
