//! Cutting a stream into frames: however the bytes arrive, the same frames come of them, the same bytes go back, and the
//! same violation ends it; and memory follows what has arrived.

use std::hash::{DefaultHasher, Hash, Hasher};

use hongyan_wire::command::Operation;
use hongyan_wire::noise::StaticKey;
use hongyan_wire::{Command, Connection, Event, Millis, Violation};

use crate::feed::Feed;
use crate::heap;

const KEY: [u8; 32] = [0x11; 32];
const NOW: Millis = Millis(0);
/// Keys and state of one handshake, an event, and the answers to them.
const CONSTANT_BYTES: usize = 8 * 1024;
/// A buffer has at least so many bytes.
const SMALLEST_BUFFER_BYTES: usize = 8;
/// Frames that an input may describe.
const FRAMES_MAX: usize = 40;

/// Who receives the stream.
#[derive(Clone, Copy)]
enum Reader {
    /// A server that knows nobody yet.
    Server,
    /// A client that has sent message 1.
    Client,
}

impl Reader {
    fn connection(self) -> Connection {
        let key = StaticKey::new(KEY);
        match self {
            Self::Server => Connection::server(key, [0x33; 32], NOW),
            Self::Client => Connection::client_login(key.public(), [0x22; 32], NOW, &mut Vec::new()),
        }
    }
}

/// What came of a stream.
#[derive(Debug, PartialEq)]
struct Read {
    events: u64,
    digest: u64,
    answered: Vec<u8>,
    violation: Option<Violation>,
}

/// Reads a stream in pieces.
fn read<'a>(reader: Reader, pieces: impl IntoIterator<Item = &'a [u8]>) -> Read {
    let mut connection = reader.connection();
    let (mut events, mut digest) = (0, DefaultHasher::new());
    let (mut answered, mut violation, mut received) = (Vec::new(), None, 0);
    'stream: for mut piece in pieces {
        received += piece.len();
        loop {
            match connection.receive(NOW, &mut piece, &mut answered) {
                Ok(Some(event)) => {
                    events += 1;
                    note(&event, &mut digest);
                    if matches!(event, Event::Frame(Command { operation: Operation::Login, .. }, _)) {
                        connection.set_authenticated();
                    }
                }
                Ok(None) => break,
                Err(error) => {
                    violation = Some(error);
                    break 'stream;
                }
            }
        }
        assert!(piece.is_empty(), "without an event, everything is taken");
        let kept = connection.buffered_bytes();
        assert!(kept <= 2 * received + SMALLEST_BUFFER_BYTES, "{kept} bytes are kept");
    }
    Read { events, digest: digest.finish(), answered, violation }
}

fn note(event: &Event, digest: &mut DefaultHasher) {
    match event {
        Event::Resume { id, ticket, epoch, noise } => (id, ticket, epoch, noise).hash(digest),
        Event::Frame(command, body) => (command, body).hash(digest),
        Event::Unknown { command, id } => (command, id).hash(digest),
        Event::Refused(refusal) => refusal.hash(digest),
        Event::Ready => 0.hash(digest),
        Event::Resumed(_) => 1.hash(digest),
    }
}

/// A session's bytes as a client would send them, of frames that the input describes.
fn session(feed: &mut Feed<'_>) -> Vec<u8> {
    let mut stream = Vec::new();
    let mut client = Connection::client_login(StaticKey::new(KEY).public(), [0x22; 32], NOW, &mut stream);
    let (mut server, mut answer) = (Reader::Server.connection(), Vec::new());
    assert!(matches!(server.receive(NOW, &mut &stream[..], &mut answer), Ok(None)));
    assert!(matches!(client.receive(NOW, &mut &answer[..], &mut Vec::new()), Ok(Some(Event::Ready))));
    let login = Command::request(Operation::Login);
    client.write(login, feed.some_bytes(), NOW, &mut stream).expect("keys are agreed");
    client.set_authenticated();
    for _ in 0..feed.below(FRAMES_MAX) {
        let operation = Operation::ALL[feed.below(Operation::ALL.len())];
        let body = feed.some_bytes().repeat(1 + feed.below(4));
        client.write(Command::request(operation), &body, NOW, &mut stream).expect("keys are agreed");
    }
    stream
}

/// Where the input cuts a stream of this length, ascending.
fn cuts(feed: &mut Feed<'_>, length: usize) -> Vec<usize> {
    let mut cuts: Vec<usize> = (0..feed.below(16)).map(|_| usize::from(feed.word()) % (length + 1)).collect();
    cuts.sort_unstable();
    cuts
}

/// The same stream whole, in pieces, and byte by byte.
pub fn run(input: &[u8]) {
    let mut feed = Feed::new(input);
    let shape = feed.below(4);
    let reader = if shape == 1 { Reader::Client } else { Reader::Server };
    let marks: [u8; 32] = feed.array();
    let stream = match shape {
        0 | 1 => feed.rest().to_vec(),
        _ => {
            let mut stream = session(&mut feed);
            if shape == 3 {
                let at = usize::from(feed.word()) % stream.len();
                stream[at] ^= feed.byte();
            }
            stream
        }
    };
    let whole = heap::bounded("a stream", stream.len(), CONSTANT_BYTES, || read(reader, [&stream[..]]));
    let cuts = cuts(&mut Feed::new(&marks), stream.len());
    let pieces = cuts.iter().copied().chain([stream.len()]).scan(0, |start, end| {
        let piece = &stream[*start..end];
        *start = end;
        Some(piece)
    });
    let pieces: Vec<&[u8]> = pieces.collect();
    let cut = heap::bounded("a stream in pieces", stream.len(), CONSTANT_BYTES, || read(reader, pieces));
    assert_eq!(cut, whole, "cut at {cuts:?}");
    if stream.len() <= 512 {
        assert_eq!(read(reader, stream.chunks(1)), whole, "byte by byte");
    }
}
