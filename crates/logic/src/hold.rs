//! Keeps a sender's order across refusals (design §5): after a retryable refusal, what the same session sends to the same
//! conversation gets the same refusal, until what was refused has come again, each in its turn, or was given up.
//!
//! A client sends in order, and nothing while answers to what it sent are under way. So when a message comes again, an
//! earlier one that was refused before it, and has not come again, was given up: it would have come first. But one that
//! was refused after it has only not had the time.

use std::collections::VecDeque;
use std::sync::atomic::{AtomicU64, Ordering};

use hongyan_domain::id::{ClientId, SessionId};
use hongyan_domain::refusal::Refusal;
use hongyan_fault::mutant;

use crate::cache::Cache;
use crate::send::To;

/// A client gives a message up when it could not be sent for so long (design §12); then nothing waits for it any more.
const HOLD_MS_MAX: u64 = 120_000;
/// Refused messages that a hold remembers: twice as many as clients have in flight. Those above it are refused, too, but
/// nothing waits for them.
const REFUSED_MAX: usize = 128;
/// Conversations that may be on hold at once. Above it the oldest holds are forgotten, and with them the promise of
/// order across refusals.
const HOLDS_MAX: usize = 65_536;

#[derive(Clone)]
struct Refused {
    id: ClientId,
    /// The number of its last refusal, among those of the hold.
    last: u64,
    /// It has come again since.
    again: bool,
}

#[derive(Clone)]
struct Hold {
    /// In the order of their first refusals; never empty.
    refused: VecDeque<Refused>,
    refusals: u64,
    refusal: Refusal,
    until_ms: u64,
}

impl Hold {
    /// Whether a message comes after all that was refused before it; notes that it has come, and what was given up.
    fn admits(&mut self, id: ClientId) -> bool {
        let place = self.place(id);
        let last = place.map_or(0, |place| self.refused[place].last);
        let earlier = place.unwrap_or(self.refused.len());
        let all_passed = self.refused.range(..earlier).all(|earlier| earlier.again || earlier.last < last);
        let overtaking = place.is_some() && mutant!("refused again and overtaken");
        if !(all_passed || overtaking) {
            return false;
        }
        if let Some(place) = place {
            self.refused[place].again = true;
            let given_up = self.refused.iter().take(place).take_while(|earlier| !earlier.again).count();
            self.refused.drain(..given_up);
        }
        true
    }

    fn place(&self, id: ClientId) -> Option<usize> {
        self.refused.iter().position(|refused| refused.id == id)
    }

    fn refuse(&mut self, id: ClientId) {
        self.refusals += 1;
        match self.place(id) {
            Some(place) => self.refused[place] = Refused { id, last: self.refusals, again: false },
            None if self.refused.len() < REFUSED_MAX => {
                self.refused.push_back(Refused { id, last: self.refusals, again: false });
            }
            None => {}
        }
    }
}

/// All conversations on hold, by session and where messages go.
pub(crate) struct Holds {
    holds: Cache<(SessionId, To), Hold>,
    /// No hold lasts longer; before the first refusal nothing has to be looked up.
    latest_ms: AtomicU64,
}

impl Holds {
    /// None.
    pub fn new() -> Self {
        Self { holds: Cache::new(HOLDS_MAX), latest_ms: AtomicU64::new(0) }
    }

    /// Whether a message must be refused because an earlier one was. What was refused itself may pass when it comes again.
    pub fn check(&self, session: SessionId, addressee: &To, id: ClientId, now_ms: u64) -> Result<(), Refusal> {
        if now_ms >= self.latest_ms.load(Ordering::Relaxed) {
            return Ok(());
        }
        let key = (session, addressee.clone());
        let Some(mut hold) = self.holds.get(&key) else { return Ok(()) };
        if now_ms >= hold.until_ms || mutant!("next message lifts the hold") {
            return Ok(());
        }
        if !hold.admits(id) {
            return Err(hold.refusal);
        }
        self.holds.insert(key, hold);
        Ok(())
    }

    /// A message got in, or was refused for good: nothing waits any more for it and for what was refused before it. It may
    /// have been a copy that was under way when another was refused.
    pub fn settled(&self, session: SessionId, addressee: &To, id: ClientId, now_ms: u64) {
        if now_ms >= self.latest_ms.load(Ordering::Relaxed) {
            return;
        }
        let key = (session, addressee.clone());
        let Some(mut hold) = self.holds.get(&key) else { return };
        let Some(place) = hold.place(id) else { return };
        hold.refused.drain(..=place);
        if hold.refused.is_empty() {
            self.holds.remove(&key);
        } else {
            self.holds.insert(key, hold);
        }
    }

    /// A message was refused, and may come again. What was refused before keeps its place.
    pub fn refused(&self, session: SessionId, addressee: &To, id: ClientId, refusal: &Refusal, now_ms: u64) {
        let key = (session, addressee.clone());
        let known = self.holds.get(&key).filter(|hold| now_ms < hold.until_ms);
        let mut hold = known.unwrap_or_else(|| Hold {
            refused: VecDeque::new(),
            refusals: 0,
            refusal: refusal.clone(),
            until_ms: 0,
        });
        hold.refuse(id);
        hold.until_ms = now_ms + HOLD_MS_MAX;
        self.latest_ms.fetch_max(hold.until_ms, Ordering::Relaxed);
        self.holds.insert(key, hold);
    }
}

#[cfg(test)]
mod tests {
    use hongyan_domain::name::Name;

    use super::*;

    const LATER: Refusal = Refusal::TryLater { retry_after_ms: 9 };
    const SESSION: SessionId = SessionId([1; 16]);

    fn id(number: u8) -> ClientId {
        ClientId([number; 16])
    }

    fn name(text: &str) -> To {
        To::User(Name::parse(text).unwrap())
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
        let room = To::Room(bob.name().clone());
        assert_eq!(holds.check(SESSION, &room, id(3), 1), Ok(()), "a room of that name");
        assert_eq!(holds.check(SessionId([2; 16]), &bob, id(3), 1), Ok(()), "another session");
        assert_eq!(holds.check(SESSION, &bob, id(1), 2), Ok(()), "it comes again");
        holds.settled(SESSION, &bob, id(1), 3);
        assert_eq!(holds.check(SESSION, &bob, id(3), 4), Err(LATER), "the second has not come again");
        assert_eq!(holds.check(SESSION, &bob, id(2), 5), Ok(()));
        assert_eq!(holds.check(SESSION, &bob, id(3), 6), Ok(()), "behind the second");
    }

    #[test]
    fn what_is_refused_again_keeps_its_place() {
        let holds = Holds::new();
        let bob = name("bob");
        for number in [1, 2, 3, 1] {
            holds.refused(SESSION, &bob, id(number), &LATER, 0);
        }
        assert_eq!(holds.check(SESSION, &bob, id(1), 1), Ok(()));
        holds.settled(SESSION, &bob, id(1), 1);
        holds.settled(SESSION, &bob, id(2), 2);
        assert_eq!(holds.check(SESSION, &bob, id(4), 3), Err(LATER), "the third has not come again");
    }

    #[test]
    fn what_was_under_way_behind_another_refusal_waits_for_the_next_time() {
        let holds = Holds::new();
        let bob = name("bob");
        for number in [1, 2, 1] {
            holds.refused(SESSION, &bob, id(number), &LATER, 0);
        }
        assert_eq!(holds.check(SESSION, &bob, id(2), 1), Err(LATER), "it was sent before the first was refused again");
        holds.refused(SESSION, &bob, id(2), &LATER, 1);
        assert_eq!(holds.check(SESSION, &bob, id(2), 2), Ok(()), "the first has come again, or was given up");
    }

    #[test]
    fn who_sends_again_what_follows_has_given_up_what_was_before() {
        let holds = Holds::new();
        let bob = name("bob");
        for number in 1..=3 {
            holds.refused(SESSION, &bob, id(number), &LATER, 0);
        }
        assert_eq!(holds.check(SESSION, &bob, id(4), 1), Err(LATER), "it was not refused before");
        assert_eq!(holds.check(SESSION, &bob, id(3), 2), Ok(()));
        assert_eq!(holds.check(SESSION, &bob, id(4), 3), Ok(()));
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
