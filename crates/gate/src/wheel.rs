//! A hashed timing wheel (spec 8): one deadline per connection, in constant time however many there are.
//!
//! Deadlines usually move away (every frame does that), so moving one later costs nothing here: the entry stays where
//! it is and, when its slot comes up, is asked for its real deadline.

use hongyan_cluster::IdMap;
use hongyan_wire::Millis;

/// Resolution of deadlines, in milliseconds.
pub const TICK_MS: u64 = 100;
const SLOTS: u64 = 1024;

/// Deadlines of things named by a number.
pub struct Wheel<T> {
    slots: Vec<IdMap<u64, T>>,
    /// In which slot each entry is.
    places: IdMap<u64, usize>,
    /// The next tick to be looked at.
    next: u64,
}

impl<T> Wheel<T> {
    /// An empty wheel.
    pub fn new(now: Millis) -> Self {
        let slots = (0..SLOTS).map(|_| IdMap::default()).collect();
        Self { slots, places: IdMap::default(), next: now.0 / TICK_MS }
    }

    /// Adds an entry, or moves it.
    pub fn schedule(&mut self, key: u64, at: Millis, entry: T) {
        self.remove(key);
        // Farther than one turn: looked at once a turn. In the past: at the next tick.
        let tick = at.0.div_ceil(TICK_MS).clamp(self.next, self.next + SLOTS - 1);
        let place = (tick % SLOTS) as usize;
        self.slots[place].insert(key, entry);
        self.places.insert(key, place);
    }

    /// Removes an entry, if it is there.
    pub fn remove(&mut self, key: u64) -> Option<T> {
        let place = self.places.remove(&key)?;
        self.slots[place].remove(&key)
    }

    /// Takes out the entries whose slot has come up, by key. The caller schedules those again whose deadline is later.
    pub fn due(&mut self, now: Millis) -> Vec<(u64, T)> {
        let current = now.0 / TICK_MS;
        let first = self.next.max(current.saturating_sub(SLOTS - 1));
        let mut due = Vec::new();
        for tick in first..=current {
            due.extend(self.slots[(tick % SLOTS) as usize].drain());
        }
        self.next = self.next.max(current + 1);
        for (key, _) in &due {
            self.places.remove(key);
        }
        // The order of a hash map would differ from run to run.
        due.sort_unstable_by_key(|(key, _)| *key);
        due
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        /// Against a naive list: nothing fires early, everything fires by the tick after its deadline.
        #[test]
        fn fires_like_a_list(deadlines in prop::collection::vec(0u64..300_000, 1..50), step in 1u64..5_000) {
            let mut wheel = Wheel::new(Millis(0));
            let mut left = deadlines.len();
            for (key, at) in deadlines.iter().enumerate() {
                wheel.schedule(key as u64, Millis(*at), *at);
            }
            let mut now = 0;
            while left > 0 {
                now += step;
                for (key, at) in wheel.due(Millis(now)) {
                    if at <= now {
                        left -= 1;
                        prop_assert!(now - at < step + TICK_MS);
                    } else {
                        wheel.schedule(key, Millis(at), at);
                    }
                }
                prop_assert!(now < 310_000);
            }
        }
    }

    #[test]
    fn removed_entries_do_not_fire() {
        let mut wheel = Wheel::new(Millis(5_000));
        wheel.schedule(1, Millis(5_500), ());
        wheel.schedule(2, Millis(5_500), ());
        assert_eq!(wheel.remove(1), Some(()));
        assert_eq!(wheel.due(Millis(6_000)), [(2, ())]);
    }
}
