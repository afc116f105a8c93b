//! Searching in texts: how a text becomes tokens, what a query is, where it matches. The same for what is stored in an index
//! and for what is shown of a hit. What is found first, and who may see it, is not decided here.
//!
//! Letters are folded as in [`crate::spam::normalise`], so case, width, accents and traditional characters make no difference.
//! A word of a script with spaces is one token; of Chinese, Japanese, Korean and other scripts every character is one, so that no
//! dictionary is needed: words are phrases of characters.

use crate::spam::normalise::{self, Folded, Gap};

/// Bytes of a query.
pub const QUERY_BYTES_MAX: usize = 256;
/// Parts of a query that are looked for one by one.
const PHRASES_MAX: usize = 8;
/// Bytes of one token; more of a word are not looked at.
const TOKEN_BYTES_MAX: usize = 64;
/// Places of one text that are shown.
const RANGES_MAX: usize = 32;

/// A part of a text that is found as a whole.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Token {
    /// Folded; letters and digits only.
    pub text: String,
    /// Its first byte in the text.
    pub start: usize,
    /// The byte behind.
    pub end: usize,
}

/// Whether a token is one character of a script without spaces.
fn is_single(letter: char) -> bool {
    !normalise::is_spelled(letter)
}

/// The tokens of a text, in order.
pub fn tokens(text: &str) -> Vec<Token> {
    let table = normalise::table();
    let mut tokens: Vec<Token> = Vec::new();
    // Whether the next spelled letter belongs to the last token.
    let mut goes_on = false;
    for (start, character) in text.char_indices() {
        let end = start + character.len_utf8();
        let mut push = |letter: char| {
            // Marks that are no letters on their own take no place in an index.
            if !letter.is_alphanumeric() {
                return;
            }
            match tokens.last_mut().filter(|_| goes_on && !is_single(letter)) {
                Some(token) => {
                    token.end = end;
                    if token.text.len() + letter.len_utf8() <= TOKEN_BYTES_MAX {
                        token.text.push(letter);
                    }
                }
                None => tokens.push(Token { text: letter.to_string(), start, end }),
            }
            goes_on = !is_single(letter);
        };
        match table.fold(character) {
            Folded::Letter(letter) => push(letter),
            Folded::Several(index) => table.several(index).iter().for_each(|letter| push(*letter)),
            Folded::Gap(Gap::None) => {}
            Folded::Gap(_) => goes_on = false,
        }
    }
    tokens
}

/// The tokens of a text for an index that splits at spaces.
pub fn spaced(text: &str) -> String {
    let mut spaced = String::with_capacity(text.len() + text.len() / 3);
    for token in tokens(text) {
        if !spaced.is_empty() {
            spaced.push(' ');
        }
        spaced.push_str(&token.text);
    }
    spaced
}

/// What is looked for: phrases, all of which must occur, in any order.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Query {
    phrases: Vec<Vec<String>>,
}

impl Query {
    /// What somebody has typed; white space parts phrases. `None`: it is too long, or there is nothing to look for.
    pub fn parse(text: &str) -> Option<Self> {
        if text.len() > QUERY_BYTES_MAX {
            return None;
        }
        let phrase = |part: &str| tokens(part).into_iter().map(|token| token.text).collect::<Vec<_>>();
        let phrases = text.split_whitespace().map(phrase).filter(|phrase| !phrase.is_empty()).take(PHRASES_MAX);
        let phrases: Vec<_> = phrases.collect();
        (!phrases.is_empty()).then_some(Self { phrases })
    }

    /// The tokens of each phrase.
    pub fn phrases(&self) -> &[Vec<String>] {
        &self.phrases
    }

    /// Where a text matches: ranges of bytes, ascending, without overlaps. `None`: not all phrases occur.
    pub fn ranges(&self, text: &str) -> Option<Vec<(usize, usize)>> {
        let tokens = tokens(text);
        let mut found = Vec::new();
        for phrase in &self.phrases {
            let before = found.len();
            for window in tokens.windows(phrase.len()) {
                if window.iter().zip(phrase).all(|(token, wanted)| token.text == *wanted) {
                    found.push((window[0].start, window[phrase.len() - 1].end));
                }
            }
            if found.len() == before {
                return None;
            }
        }
        found.sort_unstable();
        let mut ranges: Vec<(usize, usize)> = Vec::new();
        for (start, end) in found {
            match ranges.last_mut() {
                Some(last) if start <= last.1 => last.1 = last.1.max(end),
                _ => ranges.push((start, end)),
            }
        }
        ranges.truncate(RANGES_MAX);
        Some(ranges)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found<'t>(query: &str, text: &'t str) -> Option<Vec<&'t str>> {
        let ranges = Query::parse(query).unwrap().ranges(text)?;
        Some(ranges.into_iter().map(|(start, end)| &text[start..end]).collect())
    }

    #[test]
    fn a_text_is_cut_into_words_and_characters() {
        assert_eq!(spaced("明天 Meet在café_2B, ok?"), "明 天 meet 在 cafe 2b ok");
        assert_eq!(spaced("ＩＰｈｏｎｅ15手机㎏"), "iphone15 手 机 kg");
        assert_eq!(spaced("おはよう、カメラ"), "お は よ う カ メ ラ");
        assert_eq!(spaced("…！ 🎲"), "");
        assert_eq!(tokens(&"x".repeat(500))[0].text.len(), 64);
    }

    #[test]
    fn phrases_are_found_in_any_order() {
        assert_eq!(found("晚上", "明天晚上见，晚上好"), Some(vec!["晚上", "晚上"]));
        assert_eq!(found("見 明天", "明天晚上见"), Some(vec!["明天", "见"]));
        assert_eq!(found("上晚", "明天晚上见"), None);
        assert_eq!(found("hello", "Hello, helloworld"), Some(vec!["Hello"]), "whole words");
        assert_eq!(found("CAFE", "un café"), Some(vec!["café"]));
        assert_eq!(found("iphone手机", "新的iPhone手机"), Some(vec!["iPhone手机"]));
        assert_eq!(found("天晚 晚上", "明天晚上见"), Some(vec!["天晚上"]), "ranges do not overlap");
        assert_eq!(found("哈", &"哈".repeat(100)).map(|ranges| ranges.len()), Some(1));
        assert_eq!(found("嗨", &"嗨，".repeat(100)).map(|ranges| ranges.len()), Some(32));
    }

    #[test]
    fn there_must_be_something_to_look_for() {
        for nothing in ["", "  ", "？ 🎲", &"长".repeat(86)] {
            assert_eq!(Query::parse(nothing), None, "{nothing}");
        }
        assert_eq!(Query::parse("a b c d e f g h i j").unwrap().phrases().len(), 8);
    }
}
