//! What each number of a conversation names, as far as anybody was told. Numbers follow each other, so it is a vector
//! in a few pieces: a server that was restored from a backup goes on above a gap, and a broken one may say anything.

/// Unknown numbers between two known ones, up to which both are in one piece.
const GAP_IN_PIECE_MAX: u64 = 4096;

/// What a number names.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Entry {
    /// Nobody was told.
    Unknown,
    /// A message, by its place among all.
    Message(u32),
    /// A change of the message with this number.
    Change(u64),
}

#[derive(Debug)]
struct Piece {
    first: u64,
    entries: Vec<Entry>,
}

impl Piece {
    fn last(&self) -> u64 {
        self.first + (self.entries.len() as u64 - 1)
    }
}

/// A conversation's numbers.
#[derive(Debug, Default)]
pub(crate) struct Log {
    /// Ascending; each begins and ends with a known number.
    pieces: Vec<Piece>,
    messages: u64,
    changes: u64,
}

impl Log {
    /// Numbers that are known to name messages.
    pub(crate) fn messages(&self) -> u64 {
        self.messages
    }

    /// Numbers that are known to name changes.
    pub(crate) fn changes(&self) -> u64 {
        self.changes
    }

    /// The highest number that is known, 0 if none is.
    pub(crate) fn max(&self) -> u64 {
        self.pieces.last().map_or(0, Piece::last)
    }

    pub(crate) fn get(&self, seq: u64) -> Entry {
        let Some(piece) = self.piece_at(seq) else { return Entry::Unknown };
        let piece = &self.pieces[piece];
        piece.entries.get((seq - piece.first) as usize).copied().unwrap_or(Entry::Unknown)
    }

    /// Notes what a number names that was unknown.
    pub(crate) fn set(&mut self, seq: u64, entry: Entry) {
        debug_assert!(self.get(seq) == Entry::Unknown && entry != Entry::Unknown, "a number is learned once");
        match entry {
            Entry::Message(_) => self.messages += 1,
            Entry::Change(_) => self.changes += 1,
            Entry::Unknown => return,
        }
        let lower = self.piece_at(seq).filter(|piece| seq - self.pieces[*piece].last().min(seq) <= GAP_IN_PIECE_MAX);
        let Some(place) = lower else {
            let place = self.piece_at(seq).map_or(0, |piece| piece + 1);
            self.pieces.insert(place, Piece { first: seq, entries: vec![entry] });
            return self.join(place);
        };
        let piece = &mut self.pieces[place];
        let offset = (seq - piece.first) as usize;
        if offset >= piece.entries.len() {
            piece.entries.resize(offset + 1, Entry::Unknown);
        }
        piece.entries[offset] = entry;
        self.join(place);
    }

    /// Known numbers above `above`, ascending.
    pub(crate) fn above(&self, above: u64) -> impl Iterator<Item = (u64, Entry)> + '_ {
        let first_piece = self.piece_at(above).unwrap_or(0);
        self.pieces[first_piece.min(self.pieces.len())..].iter().flat_map(move |piece| {
            let skip = above.saturating_add(1).saturating_sub(piece.first).min(piece.entries.len() as u64) as usize;
            let first = piece.first + skip as u64;
            let numbered =
                piece.entries[skip..].iter().enumerate().map(move |(place, entry)| (first + place as u64, *entry));
            numbered.filter(move |(seq, entry)| *entry != Entry::Unknown && *seq > above)
        })
    }

    /// Lengths of the runs of unknown numbers from 1 to the highest known one.
    pub(crate) fn gaps(&self) -> Vec<u64> {
        let mut gaps = Vec::new();
        let mut next = 1;
        for (seq, _) in self.above(0) {
            if seq > next {
                gaps.push(seq - next);
            }
            next = seq.saturating_add(1);
        }
        gaps
    }

    /// The last piece that begins at or below it.
    fn piece_at(&self, seq: u64) -> Option<usize> {
        match self.pieces.last() {
            None => None,
            Some(last) if last.first <= seq => Some(self.pieces.len() - 1),
            Some(_) => self.pieces.partition_point(|piece| piece.first <= seq).checked_sub(1),
        }
    }

    /// Joins a piece with the next one, if that is near now.
    fn join(&mut self, place: usize) {
        let Some(next) = self.pieces.get(place + 1) else { return };
        let gap = next.first - self.pieces[place].last();
        if gap > GAP_IN_PIECE_MAX || next.entries.len() as u64 > GAP_IN_PIECE_MAX {
            return;
        }
        let next = self.pieces.remove(place + 1);
        let piece = &mut self.pieces[place];
        piece.entries.resize((next.first - piece.first) as usize, Entry::Unknown);
        piece.entries.extend(next.entries);
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use proptest::prelude::*;

    use super::*;

    fn far_and_near() -> impl Strategy<Value = u64> {
        prop_oneof![1..60_u64, 5_000..5_040_u64, (1 << 24)..(1 << 24) + 40_u64, Just(u64::MAX)]
    }

    proptest! {
        #[test]
        fn it_is_a_map(numbers in prop::collection::vec(far_and_near(), 0..120)) {
            let (mut log, mut model) = (Log::default(), BTreeMap::new());
            for number in numbers {
                if model.contains_key(&number) {
                    continue;
                }
                let entry = if number % 3 == 0 { Entry::Change(1) } else { Entry::Message(7) };
                log.set(number, entry);
                model.insert(number, entry);
            }
            for (seq, entry) in &model {
                prop_assert_eq!(log.get(*seq), *entry);
                prop_assert!(log.above(*seq).map(|(seq, _)| seq).eq(model.range(seq..).skip(1).map(|(seq, _)| *seq)));
            }
            prop_assert!(log.above(0).eq(model.clone()));
            prop_assert_eq!(log.messages() + log.changes(), model.len() as u64);
            prop_assert_eq!(log.max(), model.keys().next_back().copied().unwrap_or(0));
            prop_assert_eq!(log.gaps().iter().sum::<u64>() + model.len() as u64, log.max());
        }
    }
}
