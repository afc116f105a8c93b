//! What of other people's text a terminal may be given, how wide it is there, and where it breaks into lines.
//! Widths are columns, counted by grapheme cluster as ratatui counts them.

use unicode_linebreak::linebreaks;
use unicode_segmentation::UnicodeSegmentation;
use unicode_width::UnicodeWidthStr;

/// Without what would move the cursor, colour the screen or turn the direction of the rest of the line. Line breaks
/// stay.
pub fn clean(text: &str) -> String {
    let mut clean = String::with_capacity(text.len());
    for char in text.chars() {
        match char {
            '\n' => clean.push(char),
            '\t' => clean.push_str("    "),
            '\r' => {}
            // Explicit changes of direction would reach beyond the message.
            '\u{202A}'..='\u{202E}' | '\u{2066}'..='\u{2069}' => {}
            _ if char.is_control() => clean.push('\u{FFFD}'),
            _ => clean.push(char),
        }
    }
    clean
}

/// As [`clean`], in one line.
pub fn one_line(text: &str) -> String {
    clean(text).split_whitespace().collect::<Vec<_>>().join(" ")
}

/// Columns.
pub fn width(text: &str) -> usize {
    text.graphemes(true).map(|grapheme| grapheme.width()).sum()
}

/// At most `columns` wide; an ellipsis says that something is missing.
pub fn truncate(text: &str, columns: usize) -> String {
    if width(text) <= columns {
        return text.to_owned();
    }
    let mut short = String::new();
    let mut used = 0;
    for grapheme in text.graphemes(true) {
        used += grapheme.width();
        if used + 1 > columns {
            break;
        }
        short.push_str(grapheme);
    }
    if columns > 0 {
        short.push('…');
    }
    short
}

/// `text` and spaces, exactly `columns` wide.
pub fn pad(text: &str, columns: usize) -> String {
    let short = truncate(text, columns);
    let missing = columns - width(&short);
    short + &" ".repeat(missing)
}

/// Lines of at most `columns`, broken where the rules of the script allow it (UAX 14), and inside a word only if the
/// word alone is too long. At least one line.
pub fn wrap(text: &str, columns: usize) -> Vec<String> {
    let columns = columns.max(2);
    let mut lines = Vec::new();
    for paragraph in text.split('\n') {
        wrap_paragraph(paragraph, columns, &mut lines);
    }
    lines
}

fn wrap_paragraph(paragraph: &str, columns: usize, lines: &mut Vec<String>) {
    let mut line = String::new();
    let mut used = 0;
    let mut start = 0;
    for (end, _) in linebreaks(paragraph) {
        let piece = &paragraph[start..end];
        start = end;
        // Spaces at the end of a line take no room.
        let needed = width(piece.trim_end());
        if used + needed > columns && used > 0 {
            lines.push(finished(&mut line));
            used = 0;
        }
        if needed > columns {
            used = break_word(piece, columns, &mut line, lines);
        } else {
            line.push_str(piece);
            used += width(piece);
        }
    }
    lines.push(finished(&mut line));
}

fn finished(line: &mut String) -> String {
    let done = line.trim_end().to_owned();
    line.clear();
    done
}

/// Fills lines with a word that fits into none; gives the columns used of the last one.
fn break_word(word: &str, columns: usize, line: &mut String, lines: &mut Vec<String>) -> usize {
    let mut used = 0;
    for grapheme in word.graphemes(true) {
        if used + grapheme.width() > columns {
            lines.push(finished(line));
            used = 0;
        }
        line.push_str(grapheme);
        used += grapheme.width();
    }
    used
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_message_cannot_drive_the_terminal() {
        assert_eq!(clean("a\u{1b}[2J\u{7}b\r\nc\td\u{202E}e"), "a\u{FFFD}[2J\u{FFFD}b\nc    de");
        assert_eq!(one_line("  多\n 行\t文 "), "多 行 文");
    }

    #[test]
    fn widths_are_those_of_the_screen() {
        for (text, columns) in [("abc", 3), ("你好", 4), ("👍", 2), ("👨‍👩‍👧", 2), ("é", 1), ("", 0)] {
            assert_eq!(width(text), columns, "{text}");
        }
        assert_eq!(truncate("你好世界", 5), "你好…");
        assert_eq!(truncate("你好世界", 8), "你好世界");
        assert_eq!(truncate("abc", 0), "");
        assert_eq!(pad("你好世界", 6), "你好… ");
    }

    #[test]
    fn lines_break_where_a_reader_expects_it() {
        assert_eq!(wrap("the quick brown fox", 10), ["the quick", "brown fox"]);
        assert_eq!(wrap("你好，世界。再见！", 6), ["你好，", "世界。", "再见！"]);
        assert_eq!(wrap("a\n\nb", 10), ["a", "", "b"]);
        assert_eq!(wrap("abcdefghij kl", 4), ["abcd", "efgh", "ij", "kl"]);
        assert_eq!(wrap("中文abc def", 7), ["中文abc", "def"]);
        assert_eq!(wrap("", 7), [""]);
    }

    #[test]
    fn no_line_is_too_wide_and_nothing_is_lost() {
        let text = "混合 mixed 👍🏽 text，with-hyphens and 很长很长的一段中文没有空格 plus superlongwordthatbreaks\nend";
        let dense = |text: &str| text.chars().filter(|char| !char.is_whitespace()).collect::<String>();
        for columns in 2..40 {
            let lines = wrap(text, columns);
            assert!(lines.iter().all(|line| width(line) <= columns), "{columns}: {lines:?}");
            assert_eq!(dense(&lines.concat()), dense(text), "{columns}");
        }
    }
}
