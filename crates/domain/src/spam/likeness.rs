//! The same text to many: how alike two texts are, and to how many somebody has lately written one.

use std::collections::VecDeque;

use smallvec::SmallVec;

use super::normalise::{self, Folded};

/// Letters from which on a text counts: greetings are the same to everybody.
pub const LETTERS_MIN: usize = 8;
/// Letters from which on two texts may differ a little and still be the same.
const LETTERS_ALIKE: usize = 24;
/// Bits in which the sums of two texts differ that are the same; of unrelated ones it is half of 64, give or take 4.
const DISTANCE_MAX: u32 = 7;
/// Texts of one sender that are remembered.
pub const TEXTS_MAX: usize = 32;
/// Letters that are summed up together.
const SHINGLE: usize = 3;

/// What is compared of a text.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Likeness {
    sum: u64,
    long: bool,
}

impl Likeness {
    /// Of a text; `None` if it is too short to count. Digits do not count, because templates are numbered.
    pub fn of(text: &str) -> Option<Self> {
        let table = normalise::table();
        let mut sum = Sum::default();
        let mut push = |letter: char| {
            if !letter.is_numeric() {
                sum.push(letter);
            }
        };
        for character in text.chars() {
            match table.fold(character) {
                Folded::Letter(letter) => push(letter),
                Folded::Several(index) => table.several(index).iter().for_each(|letter| push(*letter)),
                Folded::Gap(_) => {}
            }
        }
        sum.finish()
    }

    fn is_like(self, other: Self) -> bool {
        if self.long && other.long { (self.sum ^ other.sum).count_ones() <= DISTANCE_MAX } else { self == other }
    }
}

/// Adds up a text: for short ones a digest of all letters, for long ones a majority of the bits of all shingles (simhash).
struct Sum {
    letters: usize,
    digest: u64,
    shingle: [u64; SHINGLE],
    votes: [i32; 64],
}

impl Default for Sum {
    fn default() -> Self {
        Self { letters: 0, digest: 0, shingle: [0; SHINGLE], votes: [0; 64] }
    }
}

impl Sum {
    fn push(&mut self, letter: char) {
        self.digest = mixed(self.digest ^ u64::from(u32::from(letter)));
        self.shingle.rotate_left(1);
        self.shingle[SHINGLE - 1] = u64::from(u32::from(letter));
        self.letters += 1;
        if self.letters >= SHINGLE {
            let bits = mixed(self.shingle.iter().fold(0, |all, letter| all << 21 | letter));
            for (place, vote) in self.votes.iter_mut().enumerate() {
                *vote += ((bits >> place) & 1) as i32 * 2 - 1;
            }
        }
    }

    fn finish(self) -> Option<Likeness> {
        if self.letters < LETTERS_MIN {
            return None;
        }
        let long = self.letters >= LETTERS_ALIKE;
        let majority = || self.votes.iter().rev().fold(0, |bits, vote| bits << 1 | u64::from(*vote > 0));
        Some(Likeness { sum: if long { majority() } else { self.digest }, long })
    }
}

/// A number in which every bit depends on every bit (the finish of splitmix64).
fn mixed(number: u64) -> u64 {
    let number = number.wrapping_add(0x9E37_79B9_7F4A_7C15);
    let number = (number ^ (number >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    let number = (number ^ (number >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
    number ^ (number >> 31)
}

/// A text that was written.
struct Written {
    likeness: Likeness,
    first_ms: u64,
    /// Who got it, each once; not more than are needed to know that they are too many.
    targets: SmallVec<[u64; 4]>,
}

/// What one sender has lately written.
#[derive(Default)]
pub struct Lately {
    texts: VecDeque<Written>,
}

impl Lately {
    /// Somebody writes a text to a target. To how many they have written it within the window, this one included; counted up to
    /// one more than `targets_max`.
    pub fn write(&mut self, likeness: Likeness, target: u64, now_ms: u64, window_ms: u64, targets_max: usize) -> usize {
        self.texts.retain(|text| now_ms.saturating_sub(text.first_ms) < window_ms);
        let known = self.texts.iter().position(|text| text.likeness.is_like(likeness));
        let mut text = match known.and_then(|place| self.texts.remove(place)) {
            Some(text) => text,
            None => Written { likeness, first_ms: now_ms, targets: SmallVec::new() },
        };
        if !text.targets.contains(&target) && text.targets.len() <= targets_max {
            text.targets.push(target);
        }
        let targets = text.targets.len();
        // The newest last, so that what is written again and again is not pushed out by other texts.
        self.texts.push_back(text);
        if self.texts.len() > TEXTS_MAX {
            self.texts.pop_front();
        }
        targets
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const WINDOW_MS: u64 = 60_000;

    fn like(one: &str, other: &str) -> bool {
        Likeness::of(one).unwrap().is_like(Likeness::of(other).unwrap())
    }

    #[test]
    fn templates_are_the_same_and_other_texts_are_not() {
        let advertisement =
            "专业代开各类发票，正规公司，可先验后付款，价格优惠，欢迎来电咨询张经理13800138000，长期有效";
        assert!(like(
            advertisement,
            "專業代开各类发票，正规公司，可先验后付款，价格优惠！欢迎来电咨询张经理 139 1234 5678，长期有效。"
        ));
        assert!(like(advertisement, &format!("{advertisement}【编号8827】")));
        assert!(!like(advertisement, "明天下午三点我们在公司楼下的咖啡馆见面，带上上次的合同和报价单，我请客"));
        assert!(like("祝你和家人新年快乐", "祝你和家人，新年快乐！！"));
        assert!(!like("祝你和家人新年快乐", "祝你和家人春节快乐"), "short texts are compared as they are");
        assert_eq!(Likeness::of("好的，收到 123456789"), None);
    }

    #[test]
    fn targets_are_counted_once_within_the_window() {
        let text = Likeness::of("专业代开各类发票，长期有效，欢迎咨询").unwrap();
        let mut lately = Lately::default();
        let counts: Vec<_> = [1, 2, 1, 3, 2].map(|target| lately.write(text, target, 0, WINDOW_MS, 10)).to_vec();
        assert_eq!(counts, [1, 2, 2, 3, 3]);
        assert_eq!(lately.write(text, 4, WINDOW_MS - 1, WINDOW_MS, 10), 4);
        assert_eq!(lately.write(text, 5, WINDOW_MS, WINDOW_MS, 10), 1);
        let counts: Vec<_> = (10..20).map(|target| lately.write(text, target, WINDOW_MS, WINDOW_MS, 3)).collect();
        assert_eq!(counts, [2, 3, 4, 4, 4, 4, 4, 4, 4, 4], "bounded");
    }

    #[test]
    fn other_texts_between_do_not_hide_it_and_memory_is_bounded() {
        let text = Likeness::of("专业代开各类发票，长期有效，欢迎咨询").unwrap();
        let mut lately = Lately::default();
        for round in 1..=50u32 {
            assert_eq!(lately.write(text, round.into(), 0, WINDOW_MS, 100), round as usize);
            for other in 0..20u32 {
                let letters = (0..10).filter_map(|place| char::from_u32(0x4E00 + (round * 20 + other) * 10 + place));
                lately.write(Likeness::of(&letters.collect::<String>()).unwrap(), 1, 0, WINDOW_MS, 100);
            }
            assert!(lately.texts.len() <= TEXTS_MAX);
        }
    }
}
