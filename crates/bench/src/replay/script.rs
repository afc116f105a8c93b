//! What is played: the lines of all logs on one time line, as if all days had been one, and when links are cut.

use std::fs;
use std::path::PathBuf;

use anyhow::{Context, Result, ensure};

use super::irc::{self, Line, Nicks};
use super::random::Random;

/// Everything that will happen.
pub struct Script {
    /// Names of those who write or are written to.
    pub users: Vec<String>,
    /// By time.
    pub lines: Vec<Line>,
    /// Milliseconds of the log's time at which a link is cut, ascending.
    pub cuts_ms: Vec<u64>,
    /// All lines of speech that were read, addressed or not.
    pub lines_read: usize,
}

impl Script {
    /// Reads logs.
    pub fn read(logs: &[PathBuf], cuts: usize, random: &mut Random) -> Result<Self> {
        let texts: Vec<String> = logs
            .iter()
            .map(|path| {
                let bytes = fs::read(path).with_context(|| format!("reading {}", path.display()))?;
                Ok(String::from_utf8_lossy(&bytes).into_owned())
            })
            .collect::<Result<_>>()?;
        let texts: Vec<&str> = texts.iter().map(String::as_str).collect();
        let script = Self::of(&texts, cuts, random);
        ensure!(!script.lines.is_empty(), "no line of these logs is addressed to anybody");
        Ok(script)
    }

    fn of(texts: &[&str], cuts: usize, random: &mut Random) -> Self {
        let mut nicks = Nicks::default();
        texts.iter().for_each(|text| irc::learn_nicks(text, &mut nicks));
        let mut lines_read = 0;
        let mut lines = Vec::new();
        for text in texts {
            let (addressed, read) = irc::addressed_lines(text, &nicks);
            lines_read += read;
            lines.extend(addressed);
        }
        lines.sort_by_key(|line| line.at_ms);
        let users = keep_participants(&irc::user_names(nicks.spelled()), &mut lines);
        let end_ms = lines.last().map_or(0, |line| line.at_ms);
        let mut cuts_ms: Vec<u64> = (0..cuts).map(|_| random.below(end_ms + 1)).collect();
        cuts_ms.sort_unstable();
        Self { users, lines, cuts_ms, lines_read }
    }

    /// When the last line is due, in milliseconds of the log's time.
    pub fn end_ms(&self) -> u64 {
        self.lines.last().map_or(0, |line| line.at_ms)
    }
}

/// Renumbers the people of the lines, so that only those who take part are there.
fn keep_participants(names: &[String], lines: &mut [Line]) -> Vec<String> {
    let mut places = vec![None; names.len()];
    let mut users = Vec::new();
    let mut place = |person: &mut usize| {
        *person = *places[*person].get_or_insert_with(|| {
            users.push(names[*person].clone());
            users.len() - 1
        });
    };
    for line in lines {
        place(&mut line.from);
        place(&mut line.to);
    }
    users
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn logs_become_one_time_line() {
        let one = "[10:00] <ann> bob: one\n[10:02] <bob> ann: three\n[10:02] <silent> hello\n";
        let two = "[23:00] <ann> carl: zero\n[23:01] <carl> ann, two\n";
        let script = Script::of(&[one, two], 5, &mut Random::new(7));
        let told: Vec<_> = script
            .lines
            .iter()
            .map(|line| (line.at_ms, &*script.users[line.from], &*script.users[line.to], &*line.text))
            .collect();
        let expected = [
            (0, "ann", "bob", "one"),
            (0, "ann", "carl", "zero"),
            (60_000, "carl", "ann", "two"),
            (120_000, "bob", "ann", "three"),
        ];
        assert_eq!(told, expected);
        assert_eq!((script.users.len(), script.lines_read, script.end_ms()), (3, 5, 120_000));
        assert!(script.cuts_ms.len() == 5 && script.cuts_ms.is_sorted() && script.cuts_ms[4] <= 120_000);
    }
}
