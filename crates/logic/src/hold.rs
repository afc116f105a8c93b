//! Keeps a sender's order across refusals (design §5): after a retryable refusal, what the same session sends to the same
//! conversation gets the same refusal, until the refused message comes again or was given up: a client sends in order, so
//! it has given a message up when it sends again what was refused after it.

use std::collections::VecDeque;
use std::sync::atomic::{AtomicU64, Ordering};

use hongyan_domain::id::{ClientId, SessionId};
use hongyan_domain::name::Name;
use hongyan_domain::refusal::Refusal;
use hongyan_fault::mutant;

use crate::cache::Cache;

/// A client gives a message up when it could not be sent for so long (design §12); then nothing waits for it any more.
const HOLD_MS_MAX: u64 = 120_000;
/// Messages refused because of a hold that it remembers, the newest ones: as many as clients have in flight.
const FOLLOWERS_MAX: usize = 64;
/// Conversations that may be on hold at once. Above it the oldest holds are forgotten, and with them the promise of
/// order across refusals.
const HOLDS_MAX: usize = 65_536;

#[derive(Clone)]
struct Hold {
    refused: ClientId,
    followers: VecDeque<ClientId>,
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

    /// Whether a message must be refused because an earlier one was. The earlier one itself lifts the hold, and whatever
    /// was refused because of it, when that comes again.
    pub fn check(&self, session: SessionId, addressee: &Name, id: ClientId, now_ms: u64) -> Result<(), Refusal> {
        if now_ms >= self.latest_ms.load(Ordering::Relaxed) {
            return Ok(());
        }
        let key = (session, addressee.clone());
        let Some(hold) = self.holds.get(&key) else { return Ok(()) };
        let comes_again = hold.refused == id || hold.followers.contains(&id);
        if comes_again || now_ms >= hold.until_ms || mutant!("next message lifts the hold") {
            self.holds.remove(&key);
            return Ok(());
        }
        Err(hold.refusal)
    }

    /// A message got in, perhaps by a copy that was under way when another was refused: nothing waits for it any more.
    pub fn stored(&self, session: SessionId, addressee: &Name, id: ClientId, now_ms: u64) {
        if now_ms >= self.latest_ms.load(Ordering::Relaxed) {
            return;
        }
        let key = (session, addressee.clone());
        if self.holds.get(&key).is_some_and(|hold| hold.refused == id) {
            self.holds.remove(&key);
        }
    }

    /// A message was refused. Only a retryable refusal holds; what is refused during a hold follows the first.
    pub fn refused(&self, session: SessionId, addressee: &Name, id: ClientId, refusal: &Refusal, now_ms: u64) {
        if !refusal.retryable() {
            return;
        }
        let key = (session, addressee.clone());
        let mut hold = match self.holds.get(&key) {
            Some(hold) if now_ms < hold.until_ms => hold,
            _ => Hold {
                refused: id,
                followers: VecDeque::new(),
                refusal: refusal.clone(),
                until_ms: now_ms + HOLD_MS_MAX,
            },
        };
        if hold.refused != id {
            hold.followers.truncate(FOLLOWERS_MAX - 1);
            hold.followers.push_front(id);
        }
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
        assert_eq!(holds.check(SESSION, &bob, id(3), 3), Ok(()));
    }

    #[test]
    fn what_comes_again_without_the_refused_message_tells_that_it_was_given_up() {
        let holds = Holds::new();
        let bob = name("bob");
        for number in 1..=3 {
            holds.refused(SESSION, &bob, id(number), &LATER, 0);
        }
        assert_eq!(holds.check(SESSION, &bob, id(4), 1), Err(LATER), "it was not there before");
        assert_eq!(holds.check(SESSION, &bob, id(2), 1), Ok(()));
        assert_eq!(holds.check(SESSION, &bob, id(4), 2), Ok(()));
    }

    #[test]
    fn what_got_in_by_another_copy_holds_nothing() {
        let holds = Holds::new();
        let bob = name("bob");
        holds.refused(SESSION, &bob, id(1), &LATER, 0);
        holds.stored(SESSION, &bob, id(2), 1);
        assert_eq!(holds.check(SESSION, &bob, id(3), 2), Err(LATER));
        holds.stored(SESSION, &bob, id(1), 3);
        assert_eq!(holds.check(SESSION, &bob, id(3), 4), Ok(()));
    }

    #[test]
    fn a_message_that_was_given_up_holds_nothing() {
        let holds = Holds::new();
        let bob = name("bob");
        holds.refused(SESSION, &bob, id(1), &LATER, 0);
        assert_eq!(holds.check(SESSION, &bob, id(2), HOLD_MS_MAX - 1), Err(LATER));
        assert_eq!(holds.check(SESSION, &bob, id(2), HOLD_MS_MAX), Ok(()));
        holds.refused(SESSION, &bob, id(3), &Refusal::NotAllowed, HOLD_MS_MAX);
        assert_eq!(holds.check(SESSION, &bob, id(4), HOLD_MS_MAX), Ok(()), "it will not come again");
    }
}
