//! How many pieces a WebSocket message comes in. The library bounds their bytes and not their number, so the headers of
//! frames (RFC 6455 §5.2) are watched on their way to it. Whether frames are right is the library's.

use std::io::{self, ErrorKind};
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

/// Pieces of one message; those between them that say something of their own, such as a ping, do not count.
pub const MESSAGE_PIECES_MAX: u32 = 64;
/// Of a header, without the mask: what tells how long it is, and how long is what follows.
const HEAD_BYTES_MAX: usize = 10;
/// Behind it, if what follows is masked.
const MASK_BYTES: u64 = 4;

/// One message has too many pieces.
#[derive(Clone, Copy, Debug, thiserror::Error)]
#[error("a message comes in more than {MESSAGE_PIECES_MAX} pieces")]
pub struct TooManyPieces;

/// A stream that fails where a piece too many begins.
#[derive(Debug)]
pub struct Pieces<S> {
    stream: S,
    counter: Counter,
}

impl<S> Pieces<S> {
    /// Of a stream that begins with a header.
    pub fn new(stream: S) -> Self {
        Self { stream, counter: Counter::default() }
    }
}

#[derive(Debug, Default)]
struct Counter {
    /// Of the message that is under way.
    pieces: u32,
    /// The header that is under way.
    head: [u8; HEAD_BYTES_MAX],
    head_length: usize,
    /// What follows it until the next header.
    rest: u64,
}

impl Counter {
    /// Whether the next bytes of the stream may be read: no piece too many begins among them.
    fn allows(&mut self, mut bytes: &[u8]) -> bool {
        while let [first, others @ ..] = bytes {
            if self.rest > 0 {
                let skipped = self.rest.min(bytes.len() as u64);
                self.rest -= skipped;
                bytes = &bytes[skipped as usize..];
                continue;
            }
            if self.head_length == 0 && !self.begins(*first) {
                return false;
            }
            self.head[self.head_length] = *first;
            self.head_length += 1;
            bytes = others;
            if let Some(rest) = follows(&self.head[..self.head_length]) {
                self.rest = rest;
                self.head_length = 0;
            }
        }
        true
    }

    /// Whether a header may begin so.
    fn begins(&mut self, byte: u8) -> bool {
        self.pieces = match byte & 0x0F {
            0x0 => self.pieces + 1,
            0x1 | 0x2 => 1,
            // Control frames.
            _ => self.pieces,
        };
        self.pieces <= MESSAGE_PIECES_MAX
    }
}

/// How many bytes follow a header, if it is whole.
fn follows(head: &[u8]) -> Option<u64> {
    let second = *head.get(1)?;
    let length = match second & 0x7F {
        126 => u64::from(u16::from_be_bytes(head.get(2..4)?.try_into().ok()?)),
        127 => u64::from_be_bytes(head.get(2..10)?.try_into().ok()?),
        length => u64::from(length),
    };
    let mask = if second & 0x80 == 0 { 0 } else { MASK_BYTES };
    // Nothing follows what the library refuses for its length.
    Some(length.saturating_add(mask))
}

impl<S: AsyncRead + Unpin> AsyncRead for Pieces<S> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let before = buffer.filled().len();
        ready!(Pin::new(&mut self.stream).poll_read(context, buffer))?;
        match self.counter.allows(&buffer.filled()[before..]) {
            true => Poll::Ready(Ok(())),
            false => Poll::Ready(Err(io::Error::new(ErrorKind::InvalidData, TooManyPieces))),
        }
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for Pieces<S> {
    fn poll_write(mut self: Pin<&mut Self>, context: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write(context, bytes)
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(context)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const TEXT: u8 = 0x1;
    const BINARY: u8 = 0x2;
    const PING: u8 = 0x9;
    const LAST: u8 = 0x80;

    /// A frame whose content is all zeros, which would be the headers of pieces.
    fn frame(first: u8, length: usize) -> Vec<u8> {
        let mut bytes = vec![first];
        match length {
            0..126 => bytes.push(0x80 | length as u8),
            126..0x1_0000 => bytes.extend([&[0xFE][..], &(length as u16).to_be_bytes()].concat()),
            _ => bytes.extend([&[0xFF][..], &(length as u64).to_be_bytes()].concat()),
        }
        bytes.resize(bytes.len() + MASK_BYTES as usize + length, 0);
        bytes
    }

    /// A message in so many pieces.
    fn message(kind: u8, pieces: u32, length: usize) -> Vec<u8> {
        let codes = (0..pieces).map(|piece| {
            let last = if piece + 1 == pieces { LAST } else { 0 };
            (if piece == 0 { kind } else { 0 }) | last
        });
        codes.flat_map(|code| frame(code, length)).collect()
    }

    #[test]
    fn row_10_sixty_four_pieces_are_one_message_however_they_arrive_and_one_more_is_too_many() {
        for (kind, length) in [(BINARY, 0), (TEXT, 1), (BINARY, 125), (BINARY, 126), (TEXT, 300), (BINARY, 0x1_0000)] {
            for chunk in [1, 2, 3, 7, 2_048].into_iter().filter(|chunk| length / chunk < 400) {
                let mut counter = Counter::default();
                let mut allows = |bytes: &[u8]| bytes.chunks(chunk).all(|bytes| counter.allows(bytes));
                let whole = message(kind, 64, length);
                assert!(
                    allows(&message(kind, 1, length)) && allows(&whole) && allows(&whole),
                    "{kind} {length} {chunk}"
                );
                assert!(!allows(&message(kind, 65, length)), "{kind} {length} {chunk}");
            }
        }
    }

    #[test]
    fn row_10_what_comes_between_pieces_does_not_count() {
        let mut counter = Counter::default();
        let pieces = (0..64).map(|piece| frame(if piece == 0 { BINARY } else { 0 }, 5));
        assert!(pieces.flat_map(|piece| [piece, frame(PING | LAST, 7)]).all(|bytes| counter.allows(&bytes)));
        assert!(!counter.allows(&frame(LAST, 5)));
    }
}
