//! Cuts a stream of bytes into frames. It keeps the bytes of at most one incomplete frame, and no buffer between
//! frames: thousands of idle connections cost nothing here. It looks at headers only; bodies are opaque.

use std::borrow::Cow;

use hongyan_fault::mutant;

use crate::frame::{HEADER_BYTES, Header};
use crate::limits;
use crate::time::Millis;
use crate::violation::Violation;

/// One whole frame: borrowed from the input if it arrived in one piece.
pub struct Frame<'a> {
    pub header: Header,
    bytes: Cow<'a, [u8]>,
}

impl Frame<'_> {
    pub fn body(&self) -> &[u8] {
        &self.bytes[HEADER_BYTES..]
    }
}

/// The incomplete frame at the end of what has arrived.
pub struct Reassembly {
    /// Without capacity while no frame is incomplete.
    incomplete: Vec<u8>,
    since: Millis,
}

impl Reassembly {
    pub fn new(now: Millis) -> Self {
        Self { incomplete: Vec::new(), since: now }
    }

    /// Takes the next whole frame from `input`; without one, takes all of `input` and gives `None`.
    pub fn next<'a>(
        &mut self,
        now: Millis,
        input: &mut &'a [u8],
        body_bytes_max: usize,
    ) -> Result<Option<Frame<'a>>, Violation> {
        if self.incomplete.is_empty() {
            if let Some(frame) = split(input, body_bytes_max)? {
                return Ok(Some(frame));
            }
            self.since = now;
        }
        self.complete(input, body_bytes_max)
    }

    /// Moves as much of the input to the incomplete frame as belongs to it. Memory grows with what has arrived, never
    /// with what a length promises.
    fn complete<'a>(&mut self, input: &mut &'a [u8], body_bytes_max: usize) -> Result<Option<Frame<'a>>, Violation> {
        loop {
            let header = header(&self.incomplete, body_bytes_max)?;
            let wanted = HEADER_BYTES + header.map_or(0, |header| header.length);
            if let Some(header) = header
                && self.incomplete.len() == wanted
            {
                let bytes = Cow::Owned(std::mem::take(&mut self.incomplete));
                return Ok(Some(Frame { header, bytes }));
            }
            if input.is_empty() {
                return Ok(None);
            }
            let (taken, rest) = input.split_at((wanted - self.incomplete.len()).min(input.len()));
            self.incomplete.extend_from_slice(taken);
            *input = rest;
        }
    }

    /// Until when the incomplete frame must be complete. What has arrived buys time at
    /// [`limits::FRAME_BYTES_PER_SECOND_MIN`], so that a long frame on a slow link is not cut off while it moves.
    pub fn deadline(&self) -> Option<Millis> {
        let earned = Millis(self.incomplete.len() as u64 * 1000 / limits::FRAME_BYTES_PER_SECOND_MIN);
        (!self.incomplete.is_empty()).then(|| self.since + limits::FRAME_DEADLINE + earned)
    }

    /// Memory held for the incomplete frame, in bytes.
    pub fn capacity(&self) -> usize {
        self.incomplete.capacity()
    }

    pub fn clear(&mut self) {
        self.incomplete = Vec::new();
    }
}

fn header(bytes: &[u8], body_bytes_max: usize) -> Result<Option<Header>, Violation> {
    bytes.first_chunk().map(|bytes| Header::decode(bytes, body_bytes_max)).transpose()
}

/// The first frame of the input, if all of it is there.
fn split<'a>(input: &mut &'a [u8], body_bytes_max: usize) -> Result<Option<Frame<'a>>, Violation> {
    let Some(header) = header(input, body_bytes_max)? else { return Ok(None) };
    let length = HEADER_BYTES + header.length;
    let whole = if mutant!("length believed") { Some(input.split_at(length)) } else { input.split_at_checked(length) };
    Ok(whole.map(|(bytes, rest)| {
        *input = rest;
        Frame { header, bytes: Cow::Borrowed(bytes) }
    }))
}
