//! Keeps a sender's order across refusals (design §5): after a retryable refusal, what the same session sends to the same
//! conversation gets the same refusal, until what was refused has come again, each in its turn, or was given up: a client
//! sends in order, so it has given a message up when it sends again what was refused after it.

use std::collections::VecDeque;
use std::sync::atomic::{AtomicU64, Ordering};

use hongyan_domain::id::{ClientId, SessionId};
use hongyan_domain::name::Name;
use hongyan_domain::refusal::Refusal;
use hongyan_fault::mutant;

use crate::cache::Cache;

/// A client gives a message up when it could not be sent for so long (design §12); then nothing waits for it any more.
const HOLD_MS_MAX: u64 = 120_000;
/// Refused messages that a hold remembers: twice as many as clients have in flight. Those above it are refused, too, but
/// nothing waits for them.
const REFUSED_MAX: usize = 128;
/// Conversations that may be on hold at once. Above it the oldest holds are forgotten, and with them the promise of
/// order across refusals.
const HOLDS_MAX: usize = 65_536;

#[derive(Clone)]
struct Hold {
    /// In the order of their refusal; never empty.
    refused: VecDeque<ClientId>,
    refusal: Refusal,
    until_ms: u64,
}

/// All conversations on hold, by session and addressee.
pub(crate) struct Holds {
    holds: Cache<(SessionId, Name), Hold>,
    /// No hold lasts longer; before the first refusal nothing has to be looked up.
    latest_ms: AtomicU64,
}

impl Holds {
    /// None.
    pub fn new() -> Self {
        Self { holds: Cache::new(HOLDS_MAX), latest_ms: AtomicU64::new(0) }
    }

    /// Whether a message must be refused because an earlier one was. What was refused itself may pass when it comes again.
    pub fn check(&self, session: SessionId, addressee: &Name, id: ClientId, now_ms: u64) -> Result<(), Refusal> {
        if now_ms >= self.latest_ms.load(Ordering::Relaxed) {
            return Ok(());
        }
        let Some(hold) = self.holds.get(&(session, addressee.clone())) else { return Ok(()) };
        let passes = hold.refused.contains(&id) || now_ms >= hold.until_ms || mutant!("next message lifts the hold");
        if passes { Ok(()) } else { Err(hold.refusal) }
    }

    /// A message got in, or was refused for good: nothing waits any more for it and for what was refused before it. It may
    /// have been a copy that was under way when another was refused.
    pub fn settled(&self, session: SessionId, addressee: &Name, id: ClientId, now_ms: u64) {
        if now_ms >= self.latest_ms.load(Ordering::Relaxed) {
            return;
        }
        let key = (session, addressee.clone());
        let Some(mut hold) = self.holds.get(&key) else { return };
        let Some(place) = hold.refused.iter().position(|refused| *refused == id) else { return };
        hold.refused.drain(..=place);
        if hold.refused.is_empty() || mutant!("first message lifts the whole hold") {
            self.holds.remove(&key);
        } else {
            self.holds.insert(key, hold);
        }
    }

    /// A message was refused, and may come again. What was refused before keeps its place.
    pub fn refused(&self, session: SessionId, addressee: &Name, id: ClientId, refusal: &Refusal, now_ms: u64) {
        let key = (session, addressee.clone());
        let known = self.holds.get(&key).filter(|hold| now_ms < hold.until_ms);
        let mut hold =
            known.unwrap_or_else(|| Hold { refused: VecDeque::new(), refusal: refusal.clone(), until_ms: 0 });
        if hold.refused.len() < REFUSED_MAX && !hold.refused.contains(&id) {
            hold.refused.push_back(id);
        }
        hold.until_ms = now_ms + HOLD_MS_MAX;
        self.latest_ms.fetch_max(hold.until_ms, Ordering::Relaxed);
        self.holds.insert(key, hold);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const LATER: Refusal = Refusal::TryLater { retry_after_ms: 9 };
    const SESSION: SessionId = SessionId([1; 16]);

    fn id(number: u8) -> ClientId {
        ClientId([number; 16])
    }

    fn name(text: &str) -> Name {
        Name::parse(text).unwrap()
    }

    #[test]
    fn what_follows_a_refused_message_waits_for_it() {
        let holds = Holds::new();
        let (bob, eve) = (name("bob"), name("eve"));
        assert_eq!(holds.check(SESSION, &bob, id(1), 0), Ok(()));
        holds.refused(SESSION, &bob, id(1), &LATER, 0);
        holds.refused(SESSION, &bob, id(2), &Refusal::Internal, 0);
        assert_eq!(holds.check(SESSION, &bob, id(3), 1), Err(LATER), "the first refusal counts");
        assert_eq!(holds.check(SESSION, &eve, id(3), 1), Ok(()), "another conversation");
        assert_eq!(holds.check(SessionId([2; 16]), &bob, id(3), 1), Ok(()), "another session");
        assert_eq!(holds.check(SESSION, &bob, id(1), 2), Ok(()), "it comes again");
        assert_eq!(holds.check(SESSION, &bob, id(3), 3), Err(LATER), "the first may be refused again");
        holds.settled(SESSION, &bob, id(1), 4);
        assert_eq!(holds.check(SESSION, &bob, id(3), 5), Err(LATER), "the second has not come again");
        holds.settled(SESSION, &bob, id(2), 6);
        assert_eq!(holds.check(SESSION, &bob, id(3), 7), Ok(()));
    }

    #[test]
    fn what_is_refused_again_keeps_its_place() {
        let holds = Holds::new();
        let bob = name("bob");
        for number in [1, 2, 3, 1] {
            holds.refused(SESSION, &bob, id(number), &LATER, 0);
        }
        holds.settled(SESSION, &bob, id(1), 1);
        holds.settled(SESSION, &bob, id(2), 2);
        assert_eq!(holds.check(SESSION, &bob, id(4), 3), Err(LATER), "for the third");
    }

    #[test]
    fn who_sends_again_what_follows_has_given_up_what_was_before() {
        let holds = Holds::new();
        let bob = name("bob");
        for number in 1..=3 {
            holds.refused(SESSION, &bob, id(number), &LATER, 0);
        }
        holds.settled(SESSION, &bob, id(3), 1);
        assert_eq!(holds.check(SESSION, &bob, id(4), 2), Ok(()));
    }

    #[test]
    fn nothing_is_held_for_ever() {
        let holds = Holds::new();
        let bob = name("bob");
        holds.refused(SESSION, &bob, id(1), &LATER, 0);
        assert_eq!(holds.check(SESSION, &bob, id(2), HOLD_MS_MAX - 1), Err(LATER));
        assert_eq!(holds.check(SESSION, &bob, id(2), HOLD_MS_MAX), Ok(()));
        for number in 0..=REFUSED_MAX {
            holds.refused(SESSION, &bob, id(number as u8), &LATER, HOLD_MS_MAX);
        }
        holds.settled(SESSION, &bob, id(REFUSED_MAX as u8 - 1), HOLD_MS_MAX);
        assert_eq!(holds.check(SESSION, &bob, id(255), HOLD_MS_MAX), Ok(()), "nobody waits for what was too much");
    }
}
