//! What a text looks like to somebody who is meant to recognise a word in it: one table from characters to characters, so
//! that a text is folded in one pass, a look-up per character.
//!
//! Folded are compatibility forms and width (the decomposition of NFKC, character by character), case, accents, letters of
//! other alphabets that look Latin, traditional Chinese to simplified. Dropped is what nobody sees. What is neither letter nor
//! digit separates: it is dropped, too, but remembered as a [`Gap`], because a gap in the middle of a word may mean that it is
//! none. A folded text is compared, never shown.

use std::sync::LazyLock;

use unicode_normalization::UnicodeNormalization;

/// Traditional characters, each followed by its simplified form: `kSimplifiedVariant` of the Unicode Han database, and some
/// variants of shape. The first form is taken where there are several.
const TRADITIONAL: &str = include_str!("traditional.txt");

/// Letters, in lower case, that look like another one.
const LOOK_ALIKES: &str =
    "аaеeоoрpсcуyхxіiѕsјjһhԁdԛqԝwοoαaνvρpιiκkυuχxᴀaʙbᴄcᴅdᴇeꜰfɢgʜhɪiᴊjᴋkʟlᴍmɴnᴏoᴘpʀrꜱsᴛtᴜuᴠvᴡwʏyᴢzıiłløođdɑaɡgɩi";

/// Code points that the table knows; above are only private ones, tags and selectors.
const TABLE_SIZE: u32 = 0x3_0000;

// Entries of the table are letters, or private characters that stand for something else.
const UNSEEN: char = '\u{F0000}';
const SPACE: char = '\u{F0001}';
const SYMBOL: char = '\u{F0002}';
const STOP: char = '\u{F0003}';
/// The first of those that stand for several letters.
const SEVERAL: char = '\u{100000}';

/// What lies between two letters of a folded text; the greater wins where several meet.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub enum Gap {
    /// Nothing that anybody sees.
    #[default]
    None,
    /// White space.
    Space,
    /// Any other sign that does not end a part of a sentence, pictures among them.
    Symbol,
    /// The end of a sentence, of a part of it, or of a line.
    Stop,
}

/// What a character becomes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Folded {
    /// A letter or a digit.
    Letter(char),
    /// Several letters or digits: see [`Table::several`].
    Several(u32),
    /// A gap, perhaps none.
    Gap(Gap),
}

/// The table. There is one, made when it is first needed, which takes some 50 ms.
pub struct Table {
    entries: Box<[char]>,
    several: Vec<Box<[char]>>,
}

/// The table.
pub fn table() -> &'static Table {
    static TABLE: LazyLock<Table> = LazyLock::new(Table::new);
    &TABLE
}

impl Table {
    fn new() -> Self {
        let maps = Maps::new();
        let mut table = Self { entries: vec![UNSEEN; TABLE_SIZE as usize].into(), several: Vec::new() };
        for code in 0..TABLE_SIZE {
            if let Some(character) = char::from_u32(code) {
                table.entries[code as usize] = table.entry(&maps, character);
            }
        }
        table
    }

    fn entry(&mut self, maps: &Maps, character: char) -> char {
        let folded: Vec<char> = maps.fold(character);
        let letters: Vec<char> = folded.iter().copied().filter(|letter| is_letter(*letter)).collect();
        match letters[..] {
            [] => folded.first().map_or(UNSEEN, |first| separator(*first)),
            [letter] => letter,
            _ => {
                self.several.push(letters.into());
                let code = SEVERAL as u32 + self.several.len() as u32 - 1;
                char::from_u32(code).expect("there are fewer than 65,534 of these")
            }
        }
    }

    /// What a character becomes.
    #[inline(always)]
    pub fn fold(&self, character: char) -> Folded {
        match self.entries.get(character as usize).copied().unwrap_or(UNSEEN) {
            letter if letter < UNSEEN => Folded::Letter(letter),
            SPACE => Folded::Gap(Gap::Space),
            SYMBOL => Folded::Gap(Gap::Symbol),
            STOP => Folded::Gap(Gap::Stop),
            several if several >= SEVERAL => Folded::Several(several as u32 - SEVERAL as u32),
            _ => Folded::Gap(Gap::None),
        }
    }

    /// The letters of a [`Folded::Several`].
    pub fn several(&self, index: u32) -> &[char] {
        &self.several[index as usize]
    }
}

/// What the table is made of.
struct Maps {
    traditional: Vec<(char, char)>,
    look_alikes: Vec<(char, char)>,
}

impl Maps {
    fn new() -> Self {
        Self { traditional: pairs(TRADITIONAL), look_alikes: pairs(LOOK_ALIKES) }
    }

    /// Nothing if nobody sees it.
    fn fold(&self, character: char) -> Vec<char> {
        if let Some(letter) = enclosed(character) {
            return vec![letter];
        }
        // A part of a Korean syllable is no word.
        if matches!(character, '\u{AC00}'..='\u{D7A3}') {
            return vec![character];
        }
        // Down, up and down again, so that letters meet that are the same in one case only (ß, ẞ and SS, the two sigmas).
        let lower = std::iter::once(character).nfkd().flat_map(char::to_lowercase);
        let cased = lower.flat_map(char::to_uppercase).flat_map(char::to_lowercase);
        let seen = cased.nfkd().filter(|character| !is_unseen(*character));
        seen.map(|character| looked_up(&self.look_alikes, looked_up(&self.traditional, character))).collect()
    }
}

/// Sorted, for [`looked_up`].
fn pairs(text: &str) -> Vec<(char, char)> {
    let mut characters = text.chars().filter(|character| *character != '\n');
    let mut pairs = Vec::new();
    while let (Some(from), Some(to)) = (characters.next(), characters.next()) {
        pairs.push((from, to));
    }
    pairs.sort_unstable();
    pairs
}

fn looked_up(pairs: &[(char, char)], character: char) -> char {
    pairs.binary_search_by_key(&character, |(from, _)| *from).map_or(character, |place| pairs[place].1)
}

/// Letters in black circles, in squares, and those that flags are made of: they have no decomposition.
fn enclosed(character: char) -> Option<char> {
    let code = character as u32;
    let place = match code {
        0x1_F150..=0x1_F169 => code - 0x1_F150,
        0x1_F170..=0x1_F189 => code - 0x1_F170,
        0x1_F1E6..=0x1_F1FF => code - 0x1_F1E6,
        _ => return None,
    };
    char::from_u32('a' as u32 + place)
}

/// A letter, a digit, or the mark that makes another letter of a Japanese one.
fn is_letter(character: char) -> bool {
    character.is_alphanumeric() || matches!(character, '\u{3099}' | '\u{309A}')
}

/// Takes no place, or lies upon the character before it. The marks of scripts that cannot be read without them stay.
fn is_unseen(character: char) -> bool {
    matches!(u32::from(character),
        // Controls but tabs and ends of lines, soft hyphen, joiners, directions, byte order mark, fillers.
        0..=0x8 | 0xE..=0x1F | 0x7F..=0x84 | 0x86..=0x9F | 0xAD | 0x34F | 0x61C | 0x115F | 0x1160 | 0x17B4 | 0x17B5
        | 0x180B..=0x180F | 0x200B..=0x200F | 0x202A..=0x202E | 0x2060..=0x206F | 0x3164 | 0xFE00..=0xFE0F | 0xFEFF
        | 0xFFA0 | 0xFFF9..=0xFFFB
        // Combining marks of Latin, Greek, Cyrillic, Hebrew and Arabic letters, and of symbols.
        | 0x300..=0x36F | 0x483..=0x489 | 0x591..=0x5BD | 0x610..=0x61A | 0x64B..=0x65F | 0x670 | 0x1AB0..=0x1AFF
        | 0x1DC0..=0x1DFF | 0x20D0..=0x20FF | 0xFE20..=0xFE2F | 0xE_0000..)
}

/// Of a character that is neither letter nor digit.
fn separator(character: char) -> char {
    match character {
        ',' | ';' | ':' | '!' | '?' | '。' | '、' | '\n' | '\r' | '\u{85}' | '\u{2028}' | '\u{2029}' => STOP,
        character if character.is_whitespace() => SPACE,
        _ => SYMBOL,
    }
}

/// Whether a folded letter belongs to a script that is written in words with spaces, where a word is only found whole.
/// Chinese, Japanese, Korean and all scripts above are searched for anywhere.
pub fn is_spelled(letter: char) -> bool {
    matches!(u32::from(letter), 0..=0x5FF)
}

/// All letters of a text, for comparing.
pub fn letters(text: &str) -> String {
    let table = table();
    let mut letters = String::with_capacity(text.len());
    for character in text.chars() {
        match table.fold(character) {
            Folded::Letter(letter) => letters.push(letter),
            Folded::Several(index) => letters.extend(table.several(index)),
            Folded::Gap(_) => {}
        }
    }
    letters
}

/// One letter of a folded text, and where it comes from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Place {
    /// The letter.
    pub letter: char,
    /// First byte of the character that it comes from.
    pub start: usize,
    /// The byte behind that.
    pub end: usize,
    /// What lies before it.
    pub gap: Gap,
    /// How many characters lie there that anybody sees.
    pub gap_characters: usize,
}

/// All letters of a text with their places: slower than [`letters`].
pub fn places(text: &str) -> Vec<Place> {
    let table = table();
    let mut places = Vec::with_capacity(text.len() / 2);
    let (mut gap, mut gap_characters) = (Gap::None, 0);
    for (start, character) in text.char_indices() {
        let end = start + character.len_utf8();
        let mut push = |letter| {
            places.push(Place { letter, start, end, gap, gap_characters });
            (gap, gap_characters) = (Gap::None, 0);
        };
        match table.fold(character) {
            Folded::Letter(letter) => push(letter),
            Folded::Several(index) => table.several(index).iter().for_each(|letter| push(*letter)),
            Folded::Gap(Gap::None) => {}
            Folded::Gap(found) => (gap, gap_characters) = (gap.max(found), gap_characters + 1),
        }
    }
    places
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_looks_alike_is_alike() {
        let alike = [
            ("ＦＲＥＥ", "free"),
            ("ｆｒéè", "free"),
            ("FR\u{200b}E\u{200d}\u{fe0f}E", "free"),
            ("f.r-e e", "free"),
            ("fгее", "fгee"),
            ("рауреr", "payper"),
            ("ⓕⓡⓔⓔ🅵🅡🇪", "freefre"),
            ("𝓯𝓻𝓮𝓮 𝔣𝔯𝔢𝔢", "freefree"),
            ("Straße STRASSE", "strassestrasse"),
            ("賭博 賭💰博", "赌博赌博"),
            ("㈱㎏①⑩", "株kg110"),
            ("ｶﾞ ガ", "カ\u{3099}カ\u{3099}"),
            ("İstanbul ısı", "istanbulisi"),
            ("微\u{ad}信", "微信"),
            ("z̸͕̈a̷l̴g̵o", "zalgo"),
            ("", ""),
            ("…！？ \u{e0061}", ""),
        ];
        for (text, expected) in alike {
            assert_eq!(letters(text), letters(expected), "{text}");
        }
        assert_eq!(letters("Hello, 世界 2026"), "hello世界2026");
        assert_eq!(letters("हिन्दी"), letters("हिन्दी"));
    }

    #[test]
    fn folding_again_changes_nothing() {
        for code in 0..0x11_0000 {
            let Some(character) = char::from_u32(code) else { continue };
            let once = letters(&character.to_string());
            assert_eq!(letters(&once), once, "U+{code:04X}");
        }
    }

    #[test]
    fn every_letter_knows_its_place() {
        let text = "a\u{200b}，㎏ 赌🎲🎲博";
        let found = places(text);
        let parts: Vec<_> = found.iter().map(|place| (place.letter, &text[place.start..place.end])).collect();
        assert_eq!(parts, [('a', "a"), ('k', "㎏"), ('g', "㎏"), ('赌', "赌"), ('博', "博")]);
        let gaps: Vec<_> = found.iter().map(|place| (place.gap, place.gap_characters)).collect();
        let none = (Gap::None, 0);
        assert_eq!(gaps, [none, (Gap::Stop, 1), none, (Gap::Space, 1), (Gap::Symbol, 2)]);
        assert_eq!(found.iter().map(|place| place.letter).collect::<String>(), letters(text));
    }
}
