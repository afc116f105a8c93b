//! Rooms: conversations that everybody of an app may enter, under a name of their own choice (spec 66). Who is in which
//! room is soft state and not known here.

use std::fmt;
use std::sync::Arc;

use crate::message::{Draft, Entry};
use crate::refusal::Refusal;

/// The number of a body's type that is text: the only one in rooms.
const TEXT: i32 = 0;

/// How somebody is seen in a room; checked, cheap to clone.
#[derive(Clone, PartialEq, Eq)]
pub struct DisplayName(Arc<str>);

/// What two names have in common that people would take for the same. It is compared, never shown.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct NameKey(String);

impl DisplayName {
    /// Checks a name from outside: white space around it is cut off, and then it has 1 to `characters_max` characters
    /// (Unicode scalar values), of which none is a control character, changes the direction of what follows, or takes no
    /// place.
    pub fn parse(text: &str, characters_max: u32) -> Option<Self> {
        let text = text.trim();
        let valid = text.chars().take(characters_max as usize + 1).count() <= characters_max as usize
            && text.chars().all(is_allowed)
            && text.chars().any(|character| !is_joiner(character));
        valid.then(|| Self(text.into()))
    }

    /// A name that was checked when it was stored; the limit may have been another one then.
    pub fn stored(text: &str) -> Self {
        Self(text.into())
    }

    /// The characters.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// For comparing: without case, joiners, and differences of white space.
    pub fn key(&self) -> NameKey {
        let words: Vec<String> = self.0.split_whitespace().map(folded).collect();
        NameKey(words.join(" "))
    }
}

impl fmt::Display for DisplayName {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.0)
    }
}

impl fmt::Debug for DisplayName {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(&self.0, formatter)
    }
}

/// Up and down again, so that letters meet that are the same in one case only (ß and SS, the two small sigmas).
fn folded(word: &str) -> String {
    let seen = word.chars().filter(|character| !is_joiner(*character));
    seen.flat_map(char::to_uppercase).flat_map(char::to_lowercase).collect()
}

/// Characters that emoji and some scripts need between others, and that nobody sees on their own.
fn is_joiner(character: char) -> bool {
    matches!(character, '\u{200C}' | '\u{200D}' | '\u{FE00}'..='\u{FE0F}')
}

fn is_allowed(character: char) -> bool {
    match character {
        ' ' | '\u{3000}' => true,
        _ => !character.is_control() && !character.is_whitespace() && !is_invisible(character),
    }
}

/// Unicode's format characters, fillers, and what else takes no place or looks empty; joiners are none of these.
fn is_invisible(character: char) -> bool {
    matches!(character,
        '\u{AD}' | '\u{34F}' | '\u{600}'..='\u{605}' | '\u{61C}' | '\u{6DD}' | '\u{70F}' | '\u{8E2}'
        | '\u{115F}'..='\u{1160}' | '\u{17B4}'..='\u{17B5}' | '\u{180B}'..='\u{180F}' | '\u{200B}'
        | '\u{200E}'..='\u{200F}' | '\u{202A}'..='\u{202E}' | '\u{2060}'..='\u{206F}' | '\u{2800}' | '\u{3164}'
        | '\u{FEFF}' | '\u{FFA0}' | '\u{FFF0}'..='\u{FFFC}' | '\u{110BD}' | '\u{110CD}' | '\u{13430}'..='\u{1345F}'
        | '\u{1BCA0}'..='\u{1BCA3}' | '\u{1D173}'..='\u{1D17A}' | '\u{E0000}'..='\u{E0FFF}')
}

/// A row of a room's log: what was said, and under which name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RoomEntry {
    /// The sender's name at that time.
    pub from: DisplayName,
    /// The message.
    pub entry: Entry,
}

/// Whether this may be said in rooms at all: it is text, without a second text beside it that nobody would count.
pub fn decide_kind(draft: &Draft) -> Result<(), Refusal> {
    if draft.body_type != TEXT {
        return Err(Refusal::InvalidArgument("type"));
    }
    if !draft.text.is_empty() {
        return Err(Refusal::InvalidArgument("text"));
    }
    Ok(())
}

/// Whether a text may be said by somebody who is in the room under `from`, or is not in it. Characters are Unicode scalar
/// values.
pub fn decide_say(from: Option<DisplayName>, body: &[u8], characters_max: u32) -> Result<DisplayName, Refusal> {
    let from = from.ok_or(Refusal::NotInRoom)?;
    let text = std::str::from_utf8(body).map_err(|_| Refusal::InvalidArgument("body"))?;
    let fits = text.chars().take(characters_max as usize + 1).count() <= characters_max as usize;
    if fits && !text.trim().is_empty() { Ok(from) } else { Err(Refusal::InvalidArgument("body")) }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(text: &str) -> Option<DisplayName> {
        DisplayName::parse(text, 16)
    }

    #[test]
    fn names_are_what_people_can_see() {
        for good in ["a", "李雷", "Li Lei", "Zoë", "1234567890123456", "👩\u{200D}💻", "❤\u{FE0F}", "山田\u{3000}太郎"]
        {
            assert_eq!(parse(good).expect(good).as_str(), good);
        }
        assert_eq!(parse(" \u{3000}\tAnn\n").expect("trimmed").as_str(), "Ann");
        let bad = [
            "",
            " ",
            "\u{3000}",
            "12345678901234567",
            "a\0b",
            "a\nb",
            "a\tb",
            "a\u{7F}b",
            "a\u{85}b",
            "a\u{A0}b",
            "\u{200D}",
            "ann\u{202E}bob",
            "\u{2066}ann",
            "ann\u{200B}",
            "ann\u{FEFF}",
            "\u{3164}",
            "\u{2800}",
            "a\u{2028}b",
            "a\u{E0041}",
        ];
        for bad in bad {
            assert_eq!(parse(bad), None, "{bad:?}");
        }
        assert_eq!(parse(&"x".repeat(10 << 20)), None);
    }

    #[test]
    fn names_that_look_alike_are_the_same() {
        let key = |text| parse(text).expect(text).key();
        for (one, other) in
            [("Ann", "aNN"), ("straße", "STRASSE"), ("ΟΔΟΣ", "οδος"), ("a b", "A  b"), ("ann", "a\u{200D}nn")]
        {
            assert_eq!(key(one), key(other), "{one} {other}");
        }
        assert_ne!(key("ann"), key("anna"));
        assert_ne!(key("a b"), key("ab"));
    }

    #[test]
    fn a_text_is_counted_in_characters_and_needs_a_speaker() {
        let from = || parse("ann");
        assert!(decide_say(from(), "字".repeat(140).as_bytes(), 140).is_ok());
        for bad in ["字".repeat(141).as_bytes(), b"", b" \n", b"\xFF"] {
            assert_eq!(decide_say(from(), bad, 140), Err(Refusal::InvalidArgument("body")));
        }
        assert_eq!(decide_say(None, b"hello", 140), Err(Refusal::NotInRoom));
        assert_eq!(decide_kind(&Draft { body_type: 1, ..Draft::default() }), Err(Refusal::InvalidArgument("type")));
        assert_eq!(decide_kind(&Draft { text: "x".into(), ..Draft::default() }), Err(Refusal::InvalidArgument("text")));
    }
}
