//! Reads chat logs in the form of the Ubuntu IRC logs: who said what in which minute, and to whom. Lines that are no
//! speech (joins, renames, actions) only make nicks known.

use std::collections::BTreeMap;

const MINUTES_PER_DAY: u64 = 24 * 60;
const MINUTE_MS: u64 = 60_000;

/// One line of speech that is addressed to somebody.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Line {
    /// Milliseconds of the log's time since its first line; lines of one minute are spread over it.
    pub at_ms: u64,
    /// Who says it: a place in [`Nicks`].
    pub from: usize,
    /// To whom.
    pub to: usize,
    /// Without the address.
    pub text: String,
}

/// All nicks of all logs. IRC does not tell upper from lower case.
#[derive(Debug, Default)]
pub struct Nicks {
    by_fold: BTreeMap<String, usize>,
    spelled: Vec<String>,
}

impl Nicks {
    fn learn(&mut self, nick: &str) -> usize {
        let next = self.spelled.len();
        let place = *self.by_fold.entry(nick.to_ascii_lowercase()).or_insert(next);
        if place == next {
            self.spelled.push(nick.to_owned());
        }
        place
    }

    fn find(&self, nick: &str) -> Option<usize> {
        self.by_fold.get(&nick.to_ascii_lowercase()).copied()
    }

    /// As first seen, in that order.
    pub fn spelled(&self) -> &[String] {
        &self.spelled
    }
}

enum Parsed<'a> {
    Speech { minute: u64, nick: &'a str, text: &'a str },
    Mention(&'a str),
    Other,
}

/// Adds the nicks of a log.
pub fn learn_nicks(log: &str, nicks: &mut Nicks) {
    for line in log.lines() {
        if let Parsed::Speech { nick, .. } | Parsed::Mention(nick) = parse(line) {
            nicks.learn(nick);
        }
    }
}

/// The lines of a log that are addressed to a known nick, and how many lines of speech there were.
pub fn addressed_lines(log: &str, nicks: &Nicks) -> (Vec<Line>, usize) {
    let mut speech = Vec::new();
    let mut day = 0;
    let mut last = None;
    for line in log.lines() {
        if let Parsed::Speech { minute, nick, text } = parse(line) {
            day += u64::from(last.is_some_and(|last| minute < last));
            last = Some(minute);
            speech.push((day * MINUTES_PER_DAY + minute, nick, text));
        }
    }
    let first = speech.first().map_or(0, |(minute, ..)| *minute);
    let mut lines = Vec::new();
    for minute in speech.chunk_by(|one, other| one.0 == other.0) {
        for (place, (number, nick, text)) in minute.iter().enumerate() {
            let at_ms = (number - first) * MINUTE_MS + place as u64 * MINUTE_MS / minute.len() as u64;
            let Some(from) = nicks.find(nick) else { continue };
            if let Some((to, text)) = address(text, nicks).filter(|(to, _)| *to != from) {
                lines.push(Line { at_ms, from, to, text: text.to_owned() });
            }
        }
    }
    (lines, speech.len())
}

fn parse(line: &str) -> Parsed<'_> {
    if let Some(change) = line.strip_prefix("=== ") {
        return change.split(' ').next().filter(|nick| !nick.is_empty()).map_or(Parsed::Other, Parsed::Mention);
    }
    speech(line).unwrap_or(Parsed::Other)
}

/// `[HH:MM] <nick> text`
fn speech(line: &str) -> Option<Parsed<'_>> {
    let (time, rest) = line.strip_prefix('[')?.split_once("] <")?;
    let (hours, minutes) = time.split_once(':')?;
    let (hours, minutes) = (hours.parse::<u64>().ok()?, minutes.parse::<u64>().ok()?);
    let (nick, text) = rest.split_once('>')?;
    let known = hours < 24 && minutes < 60 && !nick.is_empty();
    known.then_some(Parsed::Speech { minute: hours * 60 + minutes, nick, text: text.strip_prefix(' ').unwrap_or(text) })
}

/// `nick: text` or `nick, text`, if the nick is known and the text is not empty.
fn address<'a>(text: &'a str, nicks: &Nicks) -> Option<(usize, &'a str)> {
    let (nick, text) = text.split_once([':', ','])?;
    let text = text.trim();
    if text.is_empty() { None } else { Some((nicks.find(nick)?, text)) }
}

/// Names of users for nicks, in the same order: what names may not hold is replaced, and those that become equal are
/// numbered.
pub fn user_names(nicks: &[String]) -> Vec<String> {
    let mut taken: BTreeMap<String, usize> = BTreeMap::new();
    let mut names = Vec::with_capacity(nicks.len());
    for nick in nicks {
        let plain: String = nick.chars().map(|char| if is_name_char(char) { char } else { '_' }).collect();
        let mut name = plain.clone();
        while taken.contains_key(&name) {
            let count = taken.entry(plain.clone()).or_default();
            *count += 1;
            name = format!("{plain}@{count}");
        }
        taken.insert(name.clone(), 1);
        names.push(name);
    }
    names
}

fn is_name_char(char: char) -> bool {
    char.is_ascii_alphanumeric() || "._-".contains(char)
}

#[cfg(test)]
mod tests {
    use super::*;

    const LOG: &str = "\
=== Flannel has joined #ubuntu
[23:59] <geko> flannel: oh... it has a weblink: see \"x\"
[23:59] <rage> Hey, there I am having problems
[23:59]  * geko waves
[00:01] <Flannel> geko, right
[00:01] <Flannel> geko:
[00:01] <Flannel> flannel: to myself
[00:01] <rage> http://example.org geko
[00:01] <rage> geko:no space
=== Kwit_ is now known as Kwit
broken
[99:00] <geko> rage: no such time
";

    fn read(log: &str) -> (Vec<Line>, usize, Nicks) {
        let mut nicks = Nicks::default();
        learn_nicks(log, &mut nicks);
        let (lines, speech) = addressed_lines(log, &nicks);
        (lines, speech, nicks)
    }

    #[test]
    fn addressed_lines_are_found() {
        let (lines, speech, nicks) = read(LOG);
        assert_eq!(nicks.spelled(), ["Flannel", "geko", "rage", "Kwit_"]);
        assert_eq!(speech, 7);
        let line = |at_ms, from, to, text: &str| Line { at_ms, from, to, text: text.into() };
        let expected = [
            line(0, 1, 0, "oh... it has a weblink: see \"x\""),
            line(120_000, 0, 1, "right"),
            line(168_000, 2, 1, "no space"),
        ];
        assert_eq!(lines, expected, "case does not matter, midnight passes, minutes are spread");
    }

    #[test]
    fn names_are_valid_and_different() {
        let nicks = ["a[b]", "a{b}", "a_b_", "plain", "~x", "a^b^"].map(str::to_owned);
        let names = user_names(&nicks);
        assert_eq!(names, ["a_b_", "a_b_@2", "a_b_@3", "plain", "_x", "a_b_@4"]);
    }
}
