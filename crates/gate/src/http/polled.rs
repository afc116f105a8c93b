//! One connection made of polls: bytes from requests in, bytes for answers out, numbered so that a lost answer is
//! repeated and a repeated request is not taken twice (PROTOCOL.md §18). No HTTP and no clock here.

use std::io::{self, ErrorKind};
use std::sync::{Arc, Mutex, MutexGuard};
use std::task::{Context, Poll, Waker};

use axum::body::Bytes;
use hongyan_wire::Millis;
use tokio::sync::Notify;

use crate::driver::Stream;

/// Bytes of requests that wait to be read; then requests are refused for now.
const INCOMING_BYTES_MAX: usize = 256 * 1024;
/// Bytes that wait for a poll; then the driver keeps, and bounds, what follows.
const OUTGOING_BYTES_MAX: usize = 64 * 1024;

/// Why a request of a polled connection is not done.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Wrong {
    /// The number is neither the last one nor the next.
    Number,
    /// Too much waits.
    Full,
}

/// How a poll begins.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Begun {
    /// The answer it had before.
    Again(Bytes),
    /// Wait with this turn.
    Held(u64),
}

/// What a held poll finds.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Found {
    /// Its answer.
    Frames(Bytes),
    /// A newer poll has come.
    Superseded,
    /// The connection is over, and all was told.
    Over,
    /// Nothing yet.
    Nothing,
}

#[derive(Default)]
struct State {
    incoming: Vec<u8>,
    /// Of the driver.
    reader: Option<Waker>,
    outgoing: Vec<u8>,
    /// The number of the last request to `/v1/frames` that was taken.
    frames: u64,
    /// The number of the last poll.
    poll: u64,
    /// Its answer, once it has one.
    answer: Option<Bytes>,
    /// Raised by every poll: only the last one is answered.
    turn: u64,
    /// The client counts as gone if no poll comes until then; absent while one is held.
    gone_at: Option<Millis>,
    /// The client is gone.
    gone: bool,
    /// The driver is.
    ended: bool,
}

/// One polled connection, shared by its driver and the requests.
#[derive(Default)]
pub(super) struct Polled {
    state: Mutex<State>,
    /// Something has changed for a held poll.
    pub(super) changed: Notify,
}

impl Polled {
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().expect("nothing panics while it is held")
    }

    /// A poll has come, with frames; it is held until [`Polled::look`] finds something or [`Polled::release`] ends it.
    pub(super) fn begin(&self, number: u64, frames: &[u8]) -> Result<Begun, Wrong> {
        let mut state = self.state();
        if number == state.poll + 1 {
            take(&mut state, frames)?;
            state.poll = number;
            state.answer = None;
        } else if number != state.poll || number == 0 {
            return Err(Wrong::Number);
        } else if let Some(answer) = &state.answer {
            return Ok(Begun::Again(answer.clone()));
        }
        state.turn += 1;
        state.gone_at = None;
        let turn = state.turn;
        drop(state);
        self.changed.notify_waiters();
        Ok(Begun::Held(turn))
    }

    /// What there is for the poll of a turn. With `last`, no frames are an answer, too.
    pub(super) fn look(&self, turn: u64, last: bool) -> Found {
        let mut state = self.state();
        if state.turn != turn {
            return Found::Superseded;
        }
        if state.outgoing.is_empty() && !last {
            return if state.ended { Found::Over } else { Found::Nothing };
        }
        let answer = Bytes::from(std::mem::take(&mut state.outgoing));
        state.answer = Some(answer.clone());
        let reader = state.reader.take();
        drop(state);
        // The driver may be waiting for room.
        if let Some(reader) = reader {
            reader.wake();
        }
        Found::Frames(answer)
    }

    /// The poll of a turn is held no more, however it has ended.
    pub(super) fn release(&self, turn: u64, gone_at: Millis) {
        let mut state = self.state();
        if state.turn == turn {
            state.gone_at = Some(gone_at);
        }
    }

    /// Frames have come outside of a poll.
    pub(super) fn frames(&self, number: u64, frames: &[u8]) -> Result<(), Wrong> {
        let mut state = self.state();
        if number == state.frames + 1 {
            take(&mut state, frames)?;
            state.frames = number;
            Ok(())
        } else if number == state.frames && number > 0 {
            Ok(())
        } else {
            Err(Wrong::Number)
        }
    }

    /// Whether nobody needs it any more. Ends it if its client is gone.
    pub(super) fn is_over(&self, now: Millis) -> bool {
        let mut state = self.state();
        if state.gone_at.is_some_and(|at| at <= now) {
            state.gone = true;
            if let Some(reader) = state.reader.take() {
                reader.wake();
            }
        }
        state.ended && state.gone
    }
}

fn take(state: &mut State, frames: &[u8]) -> Result<(), Wrong> {
    if state.incoming.len() + frames.len() > INCOMING_BYTES_MAX {
        return Err(Wrong::Full);
    }
    if !frames.is_empty() {
        state.incoming.extend_from_slice(frames);
        if let Some(reader) = state.reader.take() {
            reader.wake();
        }
    }
    Ok(())
}

/// The driver's end.
pub(super) struct PolledStream(pub(super) Arc<Polled>);

impl Stream for PolledStream {
    fn poll_read(&mut self, context: &mut Context<'_>, buffer: &mut [u8]) -> Poll<io::Result<usize>> {
        let mut state = self.0.state();
        if state.incoming.is_empty() {
            if state.gone {
                return Poll::Ready(Ok(0));
            }
            state.reader = Some(context.waker().clone());
            return Poll::Pending;
        }
        let length = state.incoming.len().min(buffer.len());
        buffer[..length].copy_from_slice(&state.incoming[..length]);
        state.incoming.drain(..length);
        if state.incoming.is_empty() {
            state.incoming = Vec::new();
        }
        Poll::Ready(Ok(length))
    }

    fn poll_write_ready(&mut self, context: &mut Context<'_>) -> Poll<()> {
        let mut state = self.0.state();
        if state.outgoing.len() < OUTGOING_BYTES_MAX {
            return Poll::Ready(());
        }
        state.reader = Some(context.waker().clone());
        Poll::Pending
    }

    /// All or nothing, because answers hold whole frames.
    fn try_write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let mut state = self.0.state();
        if state.outgoing.len() >= OUTGOING_BYTES_MAX {
            return Err(ErrorKind::WouldBlock.into());
        }
        state.outgoing.extend_from_slice(bytes);
        drop(state);
        self.0.changed.notify_waiters();
        Ok(bytes.len())
    }
}

impl Drop for PolledStream {
    fn drop(&mut self) {
        self.0.state().ended = true;
        self.0.changed.notify_waiters();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pair() -> (Arc<Polled>, PolledStream) {
        let polled = Arc::new(Polled::default());
        (polled.clone(), PolledStream(polled))
    }

    fn read(stream: &mut PolledStream) -> Option<Vec<u8>> {
        let mut buffer = [0; 64];
        match stream.poll_read(&mut Context::from_waker(Waker::noop()), &mut buffer) {
            Poll::Ready(length) => Some(buffer[..length.unwrap()].to_vec()),
            Poll::Pending => None,
        }
    }

    #[test]
    fn an_answer_is_repeated_until_the_next_poll_and_a_request_is_taken_once() {
        let (polled, mut stream) = pair();
        assert_eq!(polled.begin(1, b"login"), Ok(Begun::Held(1)));
        assert_eq!((read(&mut stream), read(&mut stream)), (Some(b"login".to_vec()), None));
        assert_eq!(polled.look(1, false), Found::Nothing);
        assert_eq!(stream.try_write(b"answer").unwrap(), 6);
        assert_eq!(polled.look(1, false), Found::Frames(Bytes::from_static(b"answer")));
        assert_eq!(polled.begin(1, b"login"), Ok(Begun::Again(Bytes::from_static(b"answer"))));
        assert_eq!(read(&mut stream), None, "not taken again");
        assert_eq!(polled.begin(3, b""), Err(Wrong::Number));
        assert_eq!(polled.begin(2, b""), Ok(Begun::Held(2)));
        assert_eq!(polled.begin(1, b""), Err(Wrong::Number), "it is acknowledged");
        assert_eq!(polled.look(2, true), Found::Frames(Bytes::new()));
        assert_eq!(polled.begin(0, b""), Err(Wrong::Number));
    }

    #[test]
    fn frames_are_taken_once_and_in_order() {
        let (polled, mut stream) = pair();
        assert_eq!(polled.frames(0, b"x"), Err(Wrong::Number));
        assert_eq!(polled.frames(2, b"x"), Err(Wrong::Number));
        assert_eq!((polled.frames(1, b"a"), polled.frames(1, b"a"), polled.frames(2, b"b")), (Ok(()), Ok(()), Ok(())));
        assert_eq!(polled.frames(1, b"a"), Err(Wrong::Number));
        assert_eq!(read(&mut stream), Some(b"ab".to_vec()));
        let much = vec![0; INCOMING_BYTES_MAX];
        assert_eq!(polled.frames(3, &much), Ok(()));
        assert_eq!(polled.frames(4, b"x"), Err(Wrong::Full));
        while read(&mut stream).is_some() {}
        assert_eq!(polled.frames(4, b"x"), Ok(()), "the number was not used up");
    }

    #[test]
    fn row_29_a_newer_poll_ends_the_older() {
        let (polled, mut stream) = pair();
        let Ok(Begun::Held(first)) = polled.begin(1, b"") else { panic!("not held") };
        let Ok(Begun::Held(second)) = polled.begin(1, b"") else { panic!("not held") };
        stream.try_write(b"x").unwrap();
        assert_eq!(polled.look(first, false), Found::Superseded);
        assert_eq!(polled.look(second, false), Found::Frames(Bytes::from_static(b"x")));
        polled.release(first, Millis(5));
        assert!(!polled.is_over(Millis(9)), "what the older leaves behind says nothing of the newer");
    }

    #[test]
    fn who_does_not_poll_is_gone_and_what_is_over_says_so_after_its_last_words() {
        let (polled, mut stream) = pair();
        let Ok(Begun::Held(turn)) = polled.begin(1, b"") else { panic!("not held") };
        assert!(!polled.is_over(Millis(1_000_000)), "held");
        stream.try_write(b"bye").unwrap();
        drop(stream);
        assert_eq!(polled.look(turn, false), Found::Frames(Bytes::from_static(b"bye")));
        polled.release(turn, Millis(30));
        let Ok(Begun::Held(turn)) = polled.begin(2, b"") else { panic!("not held") };
        assert_eq!(polled.look(turn, false), Found::Over);
        polled.release(turn, Millis(30));
        assert!(!polled.is_over(Millis(29)) && polled.is_over(Millis(30)));
    }

    #[test]
    fn a_driver_learns_that_its_client_is_gone() {
        let (polled, mut stream) = pair();
        let Ok(Begun::Held(turn)) = polled.begin(1, b"") else { panic!("not held") };
        polled.release(turn, Millis(30));
        assert!(!polled.is_over(Millis(30)), "the driver is still there");
        assert_eq!(read(&mut stream), Some(Vec::new()));
        drop(stream);
        assert!(polled.is_over(Millis(30)));
    }

    #[test]
    fn what_waits_for_a_poll_is_bounded() {
        let (polled, mut stream) = pair();
        let mut context = Context::from_waker(Waker::noop());
        stream.try_write(&[0; OUTGOING_BYTES_MAX]).unwrap();
        assert_eq!(stream.try_write(b"x").unwrap_err().kind(), ErrorKind::WouldBlock);
        assert!(stream.poll_write_ready(&mut context).is_pending());
        let Ok(Begun::Held(turn)) = polled.begin(1, b"") else { panic!("not held") };
        assert!(matches!(polled.look(turn, false), Found::Frames(_)));
        assert!(stream.poll_write_ready(&mut context).is_ready());
    }
}
