//! A bounded map that forgets what was not used for longest, roughly: two generations, split over several locks.
//!
//! It knows no time. Who needs freshness keeps the time in the value.

use std::collections::HashMap;
use std::collections::hash_map::DefaultHasher;
use std::hash::{BuildHasher, BuildHasherDefault, Hash};
use std::sync::{Mutex, MutexGuard};

/// Locks that share a cache; any number does.
const SHARDS: usize = 16;

struct Generations<K, V> {
    young: HashMap<K, V>,
    old: HashMap<K, V>,
}

/// The map.
pub(crate) struct Cache<K, V> {
    shards: Box<[Mutex<Generations<K, V>>]>,
    /// Entries of one generation of one shard.
    generation_entries_max: usize,
    /// Fixed keys: which entries share a shard, and so when one is forgotten, is the same in every run.
    spread: BuildHasherDefault<DefaultHasher>,
}

impl<K: Eq + Hash + Clone, V> Cache<K, V> {
    /// Of at most about `entries_max` entries.
    pub fn new(entries_max: usize) -> Self {
        let generations = || Mutex::new(Generations { young: HashMap::new(), old: HashMap::new() });
        Self {
            shards: (0..SHARDS).map(|_| generations()).collect(),
            generation_entries_max: (entries_max / SHARDS / 2).max(1),
            spread: BuildHasherDefault::default(),
        }
    }

    /// What is known under a key.
    pub fn get(&self, key: &K) -> Option<V>
    where
        V: Clone,
    {
        let mut shard = self.shard(key);
        if let Some(value) = shard.young.get(key) {
            return Some(value.clone());
        }
        let (key, value) = shard.old.remove_entry(key)?;
        let found = value.clone();
        self.keep(&mut shard, key, value);
        Some(found)
    }

    /// Remembers a value.
    pub fn insert(&self, key: K, value: V) {
        self.insert_if(key, value, || true);
    }

    /// Remembers a value if `still` holds. It is asked under the lock: whoever makes it false first and then calls
    /// [`Cache::remove`] can be sure that the value is gone.
    pub fn insert_if(&self, key: K, value: V, still: impl FnOnce() -> bool) {
        let mut shard = self.shard(&key);
        if still() {
            shard.old.remove(&key);
            self.keep(&mut shard, key, value);
        }
    }

    /// Forgets.
    pub fn remove(&self, key: &K) {
        let mut shard = self.shard(key);
        shard.young.remove(key);
        shard.old.remove(key);
    }

    /// Changes a value in place, made by `fresh` if there is none.
    pub fn with<R>(&self, key: K, fresh: impl FnOnce() -> V, act: impl FnOnce(&mut V) -> R) -> R {
        let mut shard = self.shard(&key);
        if !shard.young.contains_key(&key) {
            let value = shard.old.remove(&key).unwrap_or_else(fresh);
            self.keep(&mut shard, key.clone(), value);
        }
        act(shard.young.get_mut(&key).expect("it was just put there"))
    }

    fn keep(&self, shard: &mut Generations<K, V>, key: K, value: V) {
        if shard.young.len() >= self.generation_entries_max && !shard.young.contains_key(&key) {
            shard.old = std::mem::take(&mut shard.young);
        }
        shard.young.insert(key, value);
    }

    fn shard(&self, key: &K) -> MutexGuard<'_, Generations<K, V>> {
        let shard = self.spread.hash_one(key) as usize % SHARDS;
        self.shards[shard].lock().expect("nothing panics while it is held")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_is_bounded_and_keeps_what_is_used() {
        let cache = Cache::new(SHARDS * 2 * 8);
        cache.insert(0, 0);
        for number in 1..10_000 {
            cache.insert(number, number);
            assert_eq!(cache.get(&0), Some(0), "used all the time");
        }
        let entries: usize = cache
            .shards
            .iter()
            .map(|shard| shard.lock().map(|shard| shard.young.len() + shard.old.len()).unwrap())
            .sum();
        assert!(entries <= SHARDS * 2 * 8, "{entries}");
        assert_eq!(cache.get(&1), None, "not used for long");
    }

    #[test]
    fn an_outdated_value_is_not_remembered() {
        let cache = Cache::new(64);
        cache.insert_if("a", 1, || false);
        assert_eq!(cache.get(&"a"), None);
        cache.insert("a", 1);
        cache.with("a", || 7, |value| *value += 1);
        cache.with("b", || 7, |value| *value += 1);
        assert_eq!((cache.get(&"a"), cache.get(&"b")), (Some(2), Some(8)));
        cache.remove(&"a");
        assert_eq!(cache.get(&"a"), None);
    }
}
