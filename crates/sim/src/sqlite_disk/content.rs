//! One file of the simulated disk: what is durable of it, what is not yet, and what a power cut leaves.

use super::files::Counts;

/// What a disk writes whole or not at all.
const SECTOR_BYTES: u64 = 512;

/// What the operating system has done to a file, and may not have done to the disk.
#[derive(Clone)]
pub(super) enum Change {
    /// Bytes from an offset on.
    Write { at: u64, bytes: Vec<u8> },
    /// Cut, or filled with zeroes, to a length.
    Truncate { length: u64 },
}

/// One file.
#[derive(Default)]
pub(super) struct Content {
    durable: Vec<u8>,
    unsynced: Vec<Change>,
    length: u64,
    syncs_folder: bool,
}

/// How the unsynced changes of one file fare in a power cut.
enum Mood {
    AllLost,
    AllKept,
    /// They were on their way in order, and the cut came at one of them.
    InOrder(u64),
    /// The disk had put them in an order of its own.
    EachForItself,
}

/// What becomes of one change.
enum Fate {
    Kept,
    Lost,
    Torn,
}

impl Mood {
    fn choose(changes: u64, choose: &mut dyn FnMut(u64) -> u64) -> Self {
        match choose(4) {
            0 => Self::AllLost,
            1 => Self::AllKept,
            2 => Self::InOrder(choose(changes)),
            _ => Self::EachForItself,
        }
    }

    fn fate(&self, number: u64, choose: &mut dyn FnMut(u64) -> u64) -> Fate {
        match self {
            Self::AllKept => Fate::Kept,
            Self::AllLost => Fate::Lost,
            Self::InOrder(cut) if number < *cut => Fate::Kept,
            Self::InOrder(cut) if number == *cut => Fate::Torn,
            Self::InOrder(_) => Fate::Lost,
            Self::EachForItself => match choose(3) {
                0 => Fate::Kept,
                1 => Fate::Lost,
                _ => Fate::Torn,
            },
        }
    }
}

impl Content {
    /// A file that has long been there.
    pub(super) fn present(durable: Vec<u8>) -> Self {
        Self { length: durable.len() as u64, durable, ..Self::default() }
    }

    /// All of it was written once more and synced, by somebody who did not ask SQLite.
    pub(super) fn written_over(&mut self, bytes: Vec<u8>) {
        *self = Self { syncs_folder: self.syncs_folder, ..Self::present(bytes) };
    }

    /// Its length, as the operating system sees it.
    pub(super) fn length(&self) -> u64 {
        self.length
    }

    /// What a power cut could not take.
    pub(super) fn durable(&self) -> &[u8] {
        &self.durable
    }

    /// SQLite syncs the folder with the first sync after an opening, except for the data file.
    pub(super) fn opened(&mut self, syncs_folder: bool) {
        self.syncs_folder |= syncs_folder;
    }

    /// Whether this sync is one of the folder, too.
    pub(super) fn takes_folder_along(&mut self) -> bool {
        std::mem::take(&mut self.syncs_folder)
    }

    /// The operating system has changed it.
    pub(super) fn change(&mut self, change: Change) {
        self.length = match &change {
            Change::Write { at, bytes } => self.length.max(at + bytes.len() as u64),
            Change::Truncate { length } => *length,
        };
        self.unsynced.push(change);
    }

    /// What is unsynced will never be durable.
    pub(super) fn forget(&mut self) {
        self.unsynced.clear();
    }

    /// Makes everything durable.
    pub(super) fn settle(&mut self) {
        for change in std::mem::take(&mut self.unsynced) {
            apply(&mut self.durable, &change);
        }
    }

    /// Makes durable what the power cut leaves.
    pub(super) fn lose(&mut self, choose: &mut dyn FnMut(u64) -> u64, counts: &mut Counts) {
        let changes = std::mem::take(&mut self.unsynced);
        if !changes.is_empty() {
            let mood = Mood::choose(changes.len() as u64, choose);
            for (number, change) in (0..).zip(&changes) {
                match mood.fate(number, choose) {
                    Fate::Kept => {
                        counts.kept += 1;
                        apply(&mut self.durable, change);
                    }
                    Fate::Lost => counts.lost += 1,
                    Fate::Torn => {
                        counts.torn += 1;
                        apply(&mut self.durable, &part_of(change, choose));
                    }
                }
            }
        }
        self.length = self.durable.len() as u64;
    }
}

fn apply(content: &mut Vec<u8>, change: &Change) {
    match change {
        Change::Truncate { length } => content.resize(*length as usize, 0),
        Change::Write { at, bytes } => {
            let end = *at as usize + bytes.len();
            if content.len() < end {
                content.resize(end, 0);
            }
            content[*at as usize..end].copy_from_slice(bytes);
        }
    }
}

/// The sectors on one side of a cut. What lies within one sector is written whole.
fn part_of(change: &Change, choose: &mut dyn FnMut(u64) -> u64) -> Change {
    let Change::Write { at, bytes } = change else { return change.clone() };
    let sectors = (*at / SECTOR_BYTES + 1)..(at + bytes.len() as u64).div_ceil(SECTOR_BYTES);
    if sectors.is_empty() {
        return change.clone();
    }
    let cut = (sectors.start + choose(sectors.end - sectors.start)) * SECTOR_BYTES;
    let (first, last) = bytes.split_at((cut - at) as usize);
    if choose(2) == 0 {
        Change::Write { at: *at, bytes: first.to_vec() }
    } else {
        Change::Write { at: cut, bytes: last.to_vec() }
    }
}
