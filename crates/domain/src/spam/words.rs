//! Lists of words, compiled into one automaton that runs over folded texts: linear in the text, whatever the lists are.
//!
//! A word is found through signs that were put between its letters, but not everywhere: what people write innocently must
//! stay what it is. The rules are in [`super::trail`]. Words of the class [`Class::Allow`] excuse what lies inside them.

use daachorse::CharwiseDoubleArrayAhoCorasick;
use serde::{Deserialize, Serialize};
use thiserror::Error;

use super::normalise::{self, Folded};
use super::trail::Trail;

/// Words of one app, all classes together.
pub const WORDS_MAX: usize = 200_000;
/// Letters of a word; longer ones are left out.
pub const WORD_LETTERS_MAX: usize = 64;

/// What a list is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Class {
    /// Politics.
    Politics,
    /// Pornography.
    Porn,
    /// Insults.
    Abuse,
    /// Advertisements.
    Advertising,
    /// Anything else.
    Other,
    /// Not bad at all: excuses words inside of it ("大麻烦" excuses "大麻").
    Allow,
}

impl Class {
    /// All, in the order of their numbers.
    pub const ALL: [Self; 6] = [Self::Politics, Self::Porn, Self::Abuse, Self::Advertising, Self::Other, Self::Allow];

    /// The name in settings, paths and audits.
    pub fn name(self) -> &'static str {
        match self {
            Self::Politics => "politics",
            Self::Porn => "porn",
            Self::Abuse => "abuse",
            Self::Advertising => "advertising",
            Self::Other => "other",
            Self::Allow => "allow",
        }
    }

    /// By name.
    pub fn parse(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|class| class.name() == name)
    }

    fn bit(self) -> u8 {
        1 << (self as u8)
    }
}

/// Why lists cannot be used.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum WordsError {
    /// More than [`WORDS_MAX`].
    #[error("more than {WORDS_MAX} words")]
    TooMany,
    /// The automaton would be too large.
    #[error("the words need too large an automaton")]
    TooLarge,
}

/// What a word stands for.
#[derive(Clone, Copy, Debug)]
struct Meaning<V> {
    letters: u32,
    phrase: bool,
    value: V,
}

/// A word to look for.
pub(super) struct Word<'w, V> {
    /// Its letters.
    pub(super) letters: &'w str,
    /// It was written as several words, so white space means nothing in it.
    pub(super) phrase: bool,
    /// What it stands for.
    pub(super) value: V,
}

/// Finds words in folded texts. Empty it costs nothing.
pub(super) struct Matcher<V> {
    automaton: Option<CharwiseDoubleArrayAhoCorasick<Meaning<V>>>,
}

/// A word that was found.
#[derive(Clone, Copy, Debug)]
pub(super) struct Hit<V> {
    pub(super) value: V,
    /// Its first byte.
    pub(super) start: usize,
    /// The byte behind it.
    pub(super) end: usize,
}

impl<V: Copy> Matcher<V> {
    /// Of folded words, each of which is given once.
    pub(super) fn new<'w>(words: impl IntoIterator<Item = Word<'w, V>>) -> Result<Self, WordsError> {
        let meant = |word: Word<'w, V>| {
            let Word { letters: text, phrase, value } = word;
            (text, Meaning { letters: text.chars().count() as u32, phrase, value })
        };
        let mut words = words.into_iter().map(meant).peekable();
        if words.peek().is_none() {
            return Ok(Self { automaton: None });
        }
        let automaton = CharwiseDoubleArrayAhoCorasick::with_values(words).map_err(|_| WordsError::TooLarge)?;
        Ok(Self { automaton: Some(automaton) })
    }

    /// Whether the letters of a text have a word anywhere, through gaps of any kind. Most texts have none and need no closer
    /// look.
    pub(super) fn may_have(&self, text: &str) -> bool {
        let Some(automaton) = &self.automaton else { return false };
        automaton.find_overlapping_no_suffix_iter(normalise::letters(text)).next().is_some()
    }

    /// All words, by their ends; of those with one end the longest first.
    pub(super) fn hits(&self, text: &str, mut found: impl FnMut(Hit<V>)) {
        let Some(automaton) = &self.automaton else { return };
        let table = normalise::table();
        let mut stepper = automaton.find_overlapping_stepper();
        for (start, character) in text.char_indices() {
            let end = start + character.len_utf8();
            let single;
            let letters = match table.fold(character) {
                Folded::Letter(letter) => {
                    single = [letter];
                    &single[..]
                }
                Folded::Several(index) => table.several(index),
                Folded::Gap(_) => continue,
            };
            for last in 0..letters.len() {
                stepper.consume(letters[last]);
                let mut matches = stepper.matches().peekable();
                let Some(longest) = matches.peek() else { continue };
                let trail = Trail::of(text, end, letters.len() - last, longest.value().letters as usize);
                for matched in matches {
                    let Meaning { letters, phrase, value } = matched.value();
                    if let Some(start) = trail.word(letters as usize, phrase) {
                        found(Hit { value, start, end });
                    }
                }
            }
        }
    }
}

/// A bad word in a text.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Found {
    /// What the word is about.
    pub class: Class,
    /// First byte.
    pub start: usize,
    /// The byte behind.
    pub end: usize,
}

/// The lists of one app.
pub struct WordList {
    matcher: Matcher<u8>,
    words: usize,
    skipped: usize,
}

impl WordList {
    /// Of lists with one word a line. Empty lines are nothing; words without a letter, of one spelled letter, or of more than
    /// [`WORD_LETTERS_MAX`] are left out.
    ///
    /// # Errors
    /// There are too many.
    pub fn compile<'t>(lists: impl IntoIterator<Item = (Class, &'t str)>) -> Result<Self, WordsError> {
        let (mut words, mut skipped): (Vec<(String, u8, bool)>, usize) = (Vec::new(), 0);
        for (class, text) in lists {
            for line in text.lines().map(str::trim).filter(|line| !line.is_empty()) {
                let word = normalise::letters(line);
                if is_usable(&word) {
                    words.push((word, class.bit(), line.contains(char::is_whitespace)));
                } else {
                    skipped += 1;
                }
            }
        }
        words.sort_unstable();
        words.dedup_by(|again, first| {
            let same = again.0 == first.0;
            if same {
                first.1 |= again.1;
                first.2 |= again.2;
            }
            same
        });
        if words.len() > WORDS_MAX {
            return Err(WordsError::TooMany);
        }
        let matcher = Matcher::new(words.iter().map(|(letters, value, phrase)| Word {
            letters,
            phrase: *phrase,
            value: *value,
        }))?;
        Ok(Self { matcher, words: words.len(), skipped })
    }

    /// Words that are looked for; those that are the same once folded count once.
    pub fn words(&self) -> usize {
        self.words
    }

    /// Lines that were left out.
    pub fn skipped(&self) -> usize {
        self.skipped
    }

    /// Whether a closer look is needed.
    pub fn may_have(&self, text: &str) -> bool {
        self.matcher.may_have(text)
    }

    /// The bad words of a text that no allowed word excuses; of those of one class with one end the longest.
    pub fn find(&self, text: &str) -> Vec<Found> {
        if !self.may_have(text) {
            return Vec::new();
        }
        let (mut bad, mut allowed): (Vec<Found>, Vec<(usize, usize)>) = (Vec::new(), Vec::new());
        let (mut known_end, mut known) = (0, 0);
        self.matcher.hits(text, |Hit { value, start, end }| {
            if end != known_end {
                (known_end, known) = (end, 0);
            }
            let fresh = value & !known;
            known |= value;
            for class in Class::ALL.into_iter().filter(|class| fresh & class.bit() != 0) {
                match class {
                    Class::Allow => allowed.push((start, end)),
                    class => bad.push(Found { class, start, end }),
                }
            }
        });
        let excuses = Excuses::of(allowed);
        bad.retain(|found| !excuses.cover(found.start, found.end));
        bad
    }
}

fn is_usable(word: &str) -> bool {
    let mut letters = word.chars();
    match (letters.next(), letters.next()) {
        (None, _) => false,
        (Some(only), None) => !normalise::is_spelled(only),
        _ => word.chars().take(WORD_LETTERS_MAX + 1).count() <= WORD_LETTERS_MAX,
    }
}

/// Allowed words: by where they begin, with the farthest end of all that begin there or before.
struct Excuses(Vec<(usize, usize)>);

impl Excuses {
    fn of(mut allowed: Vec<(usize, usize)>) -> Self {
        allowed.sort_unstable();
        let mut farthest = 0;
        for (_, end) in &mut allowed {
            farthest = farthest.max(*end);
            *end = farthest;
        }
        Self(allowed)
    }

    fn cover(&self, start: usize, end: usize) -> bool {
        let begun = self.0.partition_point(|(allowed, _)| *allowed <= start);
        begun > 0 && self.0[begun - 1].1 >= end
    }
}

/// A text with all characters in these ranges of bytes hidden. It gets no longer.
pub fn mask(text: &str, found: &[Found]) -> String {
    let mut ranges: Vec<_> = found.iter().map(|found| (found.start, found.end)).collect();
    ranges.sort_unstable();
    let mut masked = String::with_capacity(text.len());
    let mut at = 0;
    for (start, end) in ranges {
        let start = start.max(at);
        if end <= start {
            continue;
        }
        masked.push_str(&text[at..start]);
        masked.extend(text[start..end].chars().map(|_| '*'));
        at = end;
    }
    masked.push_str(&text[at..]);
    masked
}

#[cfg(test)]
mod tests {
    use super::*;

    fn list() -> WordList {
        let lists = [
            (Class::Porn, "赌博\n大麻\n法輪功\nＰＯＲＮ\n"),
            (Class::Abuse, "shit\n  fuck you \nspam\n\n屌\n傻*逼"),
            (Class::Allow, "大麻烦\n赌博是违法的"),
            (Class::Other, "赌博\nx\n🎲\n"),
        ];
        WordList::compile(lists).unwrap()
    }

    fn found(text: &str) -> Vec<&str> {
        let mut parts: Vec<_> = list().find(text).iter().map(|found| &text[found.start..found.end]).collect();
        parts.dedup();
        parts
    }

    #[test]
    fn words_are_found_however_they_are_written() {
        assert_eq!((list().words(), list().skipped()), (11, 2));
        for text in [
            "赌博",
            "去赌博吧",
            "賭博",
            "赌 博",
            "赌.博",
            "赌-_-博",
            "赌\u{200b}博",
            "赌🎲博",
            "【赌】【博】",
            "法轮功",
            "法，轮，功",
            "法\n轮\n功",
            "p.o.r.n",
            "P o R n!",
            "ｐｏｒｎ",
            "рorn",
            "看porn片",
            "🅿🅾🆁🅽",
            "𝓹𝓸𝓻𝓷",
            "sh.it",
            "s,h,i,t",
            "fuckyou",
            "FUCK YOU",
            "f*u*c*k you",
            "屌",
            "傻逼",
            "傻——逼",
            "ṣ̌p̱âm",
        ] {
            assert_eq!(found(text).len(), 1, "{text}: {:?}", found(text));
        }
        assert_eq!(found("看㊣赌·博💰了"), ["赌·博"]);
    }

    #[test]
    fn what_only_looks_like_a_word_stays() {
        for text in [
            "这个很大，麻烦你了",
            "很大。麻 烦",
            "class hit",
            "classhit",
            "pass hit parade",
            "shitake?",
            "mishit",
            "pornography",
            "spa m",
            "as pam said",
            "spam8",
            "大麻烦",
            "我有大麻烦了",
            "赌博是违法的",
            "赌一二三博",
            "赌--------------博",
            "法轮。功",
            "x",
            "傻",
            "",
        ] {
            assert_eq!(found(text), [""; 0], "{text}");
        }
        assert_eq!(found("赌博是违法的，不要赌博"), ["赌博"], "an excuse holds for what lies inside it");
    }

    #[test]
    fn what_is_masked_is_no_longer_found() {
        let masked = |text: &str| mask(text, &list().find(text));
        assert_eq!(masked("去 赌.博 吧, oh shit!"), "去 *** 吧, oh ****!");
        assert_eq!(masked("法輪功赌博"), "*****");
        assert_eq!(masked("㎏"), "㎏");
        for text in ["赌博赌🎲博", "fuck you fuck\u{200b}you"] {
            assert_eq!(list().find(&masked(text)), [], "{text}");
        }
    }

    #[test]
    fn nested_words_cost_no_more_than_their_text() {
        let nested: String = (1..=WORD_LETTERS_MAX).map(|length| "哈".repeat(length) + "\n").collect();
        let words = WordList::compile([(Class::Other, nested.as_str())]).unwrap();
        let text = "哈".repeat(5_000);
        assert_eq!(words.find(&text).len(), 5_000, "one for each end");
        assert_eq!(mask(&text, &words.find(&text)), "*".repeat(5_000));
    }

    #[test]
    fn too_many_words_are_refused_and_none_are_fine() {
        let many: String = (0..=WORDS_MAX).map(|number| format!("词{number}\n")).collect();
        assert_eq!(WordList::compile([(Class::Other, many.as_str())]).err(), Some(WordsError::TooMany));
        let none = WordList::compile([(Class::Other, "\n\n")]).unwrap();
        assert_eq!((none.words(), none.find("anything").len()), (0, 0));
    }
}
