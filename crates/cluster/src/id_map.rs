//! Maps by ids that this server itself has drawn or counted: users, sessions, connections. Nobody outside can choose them so
//! that they collide, so they need no secret hash, and looking one up takes half the time. Names and ids of clients do not
//! belong here.

use std::collections::HashMap;
use std::hash::{BuildHasherDefault, Hasher};

/// A map by such an id.
pub type IdMap<K, V> = HashMap<K, V, BuildHasherDefault<IdHasher>>;

/// Odd, and with as many ones as zeros (from wyhash).
const FACTOR: u64 = 0xA076_1D64_78BD_642F;

/// Spreads ids over all bits: one multiplication for every eight bytes.
#[derive(Clone, Copy, Default)]
pub struct IdHasher(u64);

impl IdHasher {
    fn add(&mut self, word: u64) {
        // The upper half knows all bits of the product; the lower half only those below.
        let product = u128::from(self.0 ^ word ^ FACTOR) * u128::from(FACTOR);
        self.0 = (product >> 64) as u64 ^ product as u64;
    }
}

impl Hasher for IdHasher {
    fn finish(&self) -> u64 {
        self.0
    }

    fn write(&mut self, bytes: &[u8]) {
        for chunk in bytes.chunks(8) {
            let mut word = [0; 8];
            word[..chunk.len()].copy_from_slice(chunk);
            self.add(u64::from_le_bytes(word));
        }
    }

    fn write_u64(&mut self, number: u64) {
        self.add(number);
    }

    fn write_i64(&mut self, number: i64) {
        self.add(number as u64);
    }

    fn write_usize(&mut self, number: usize) {
        self.add(number as u64);
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;
    use std::hash::{BuildHasher, Hash};

    use hongyan_domain::id::{SessionId, UserId};

    use super::*;

    /// The most ids that share their lowest bits, which choose a place, or their highest, which tell places apart.
    fn most_alike<K: Hash>(ids: impl Iterator<Item = K>) -> usize {
        let (mut low, mut high) = (BTreeMap::<u64, usize>::new(), BTreeMap::<u64, usize>::new());
        for id in ids {
            let hash = BuildHasherDefault::<IdHasher>::default().hash_one(id);
            *low.entry(hash & 0xFFF).or_default() += 1;
            *high.entry(hash >> 52).or_default() += 1;
        }
        low.into_values().chain(high.into_values()).max().unwrap_or_default()
    }

    #[test]
    fn ids_as_servers_make_them_spread_over_all_places() {
        // 16 for each place if they were drawn by lot; 50 is what no lot gives.
        const IDS: u64 = 16 << 12;
        assert!(most_alike((0..IDS).map(|number| UserId(number as i64))) < 50, "counted");
        assert!(most_alike((0..IDS).map(|number| UserId((number << 10) as i64))) < 50, "with a shard in the low bits");
        assert!(most_alike((0..IDS).map(|number| UserId(((number << 10) | 7) as i64))) < 50, "in another shard");
        assert!(most_alike((0..IDS).map(|number| number << 40)) < 50, "in the high bits");
        let drawn = |number: u64| {
            let mixed = u128::from(number).wrapping_mul(0x9E37_79B9_7F4A_7C15_F39C_C060_5CED_C835);
            SessionId(mixed.to_be_bytes())
        };
        assert!(most_alike((0..IDS).map(drawn)) < 50, "drawn");
    }
}
