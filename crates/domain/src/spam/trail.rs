//! The letters before a place in a text, read backwards, to tell whether those that spell a word are one: signs between
//! letters may be there to hide it, or because two other words meet.
//!
//! A Chinese word may have signs between its letters. Ends of sentences ("这很大，麻烦你") are seen through only if there is
//! something between all letters, and these are at least [`LETTERS_ACROSS_STOPS`]. A spelled one must stand alone, and white
//! space in it is seen through only if it is a phrase, or spelled with something between all letters ("s p a m", not "pas pam").

use smallvec::SmallVec;

use super::normalise::{self, Folded, Gap};

/// Signs that are seen through between two letters of a word.
const GAP_CHARACTERS_MAX: usize = 8;
/// Letters from which on a Chinese word is found across ends of sentences.
const LETTERS_ACROSS_STOPS: usize = 3;

/// One letter, and what is known of all from it to the last.
#[derive(Clone, Copy)]
struct Step {
    /// First byte of the character that it comes from.
    start: usize,
    /// A spelled letter touches it from before.
    touched: bool,
    /// Gaps between it and the last letter; of these, those of white space, and those that are stops.
    gaps: usize,
    spaces: usize,
    stops: usize,
    /// One of the letters belongs to a script without spaces.
    unspelled: bool,
}

/// The last letters up to a place, the last one first.
pub(super) struct Trail {
    steps: SmallVec<[Step; 16]>,
    /// A spelled letter touches the last one from behind.
    touched: bool,
}

impl Trail {
    /// Of the character that ends at `end`, without its last `left_out - 1` letters; as many as `letters`, if nothing keeps
    /// them too far apart.
    pub(super) fn of(text: &str, end: usize, left_out: usize, letters: usize) -> Self {
        let mut left_out = left_out - 1;
        let touched =
            if left_out > 0 { follows_in_character(text, end, left_out) } else { begins_spelled(&text[end..]) };
        let mut steps: SmallVec<[Step; 16]> = SmallVec::new();
        let (mut gap, mut gap_characters) = (Gap::None, 0);
        for (start, character) in text[..end].char_indices().rev() {
            let table = normalise::table();
            let single;
            let folded = match table.fold(character) {
                Folded::Letter(letter) => {
                    single = [letter];
                    &single[..]
                }
                Folded::Several(index) => table.several(index),
                Folded::Gap(Gap::None) => continue,
                Folded::Gap(found) => {
                    (gap, gap_characters) = (gap.max(found), gap_characters + 1);
                    if gap_characters > GAP_CHARACTERS_MAX {
                        break;
                    }
                    continue;
                }
            };
            for letter in folded.iter().rev() {
                if left_out > 0 {
                    left_out -= 1;
                    continue;
                }
                let spelled = normalise::is_spelled(*letter);
                if let Some(next) = steps.last_mut() {
                    next.touched = gap == Gap::None && spelled;
                }
                if steps.len() == letters {
                    return Self { steps, touched };
                }
                let step = Step::before(steps.last(), start, gap, spelled);
                steps.push(step);
                gap = Gap::None;
                gap_characters = 0;
            }
        }
        Self { steps, touched }
    }

    /// Where the word of the last so many letters begins, if it is one.
    pub(super) fn word(&self, letters: usize, phrase: bool) -> Option<usize> {
        let first = self.steps.get(letters - 1)?;
        let spread = letters > 1 && first.gaps == letters - 1;
        let is_word = if first.unspelled {
            first.stops == 0 || (spread && letters >= LETTERS_ACROSS_STOPS)
        } else {
            let alone = !first.touched && !self.touched;
            alone && (spread || (first.stops == 0 && (first.spaces == 0 || phrase)))
        };
        is_word.then_some(first.start)
    }
}

impl Step {
    /// A letter before another one.
    fn before(next: Option<&Self>, start: usize, gap: Gap, spelled: bool) -> Self {
        let known =
            next.copied().unwrap_or(Self { start, touched: false, gaps: 0, spaces: 0, stops: 0, unspelled: false });
        Self {
            start,
            touched: false,
            gaps: known.gaps + usize::from(next.is_some() && gap != Gap::None),
            spaces: known.spaces + usize::from(next.is_some() && gap == Gap::Space),
            stops: known.stops + usize::from(next.is_some() && gap == Gap::Stop),
            unspelled: known.unspelled || !spelled,
        }
    }
}

/// Whether the letter behind, in the same character, is spelled.
fn follows_in_character(text: &str, end: usize, left_out: usize) -> bool {
    let table = normalise::table();
    let folded = text[..end].chars().next_back().map(|character| table.fold(character));
    match folded {
        Some(Folded::Several(index)) => {
            let letters = table.several(index);
            letters.get(letters.len().wrapping_sub(left_out)).is_some_and(|letter| normalise::is_spelled(*letter))
        }
        _ => false,
    }
}

/// Whether a spelled letter comes at once.
fn begins_spelled(rest: &str) -> bool {
    let table = normalise::table();
    for character in rest.chars() {
        let letter = match table.fold(character) {
            Folded::Letter(letter) => Some(letter),
            Folded::Several(index) => table.several(index).first().copied(),
            Folded::Gap(Gap::None) => continue,
            Folded::Gap(_) => None,
        };
        return letter.is_some_and(normalise::is_spelled);
    }
    false
}
