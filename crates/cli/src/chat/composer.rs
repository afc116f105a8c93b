//! Text being written: editing by grapheme cluster, so that a Chinese character or a composed emoji is one step. Knows
//! nothing of keys and screens.

use unicode_segmentation::UnicodeSegmentation;

use crate::text;

/// Longest text of a message (limits of the protocol).
pub const TEXT_BYTES_MAX: usize = 16_384;

/// A text and a place in it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Composer {
    text: String,
    /// Byte offset, always at the border of a grapheme.
    cursor: usize,
}

/// The part of a text that fits a box, and the cursor's place in it.
#[derive(Debug, PartialEq, Eq)]
pub struct Excerpt {
    /// Lines from the top of the box.
    pub lines: Vec<String>,
    /// Column of the cursor.
    pub column: usize,
    /// Row of the cursor.
    pub row: usize,
}

impl Composer {
    /// With the cursor at the end.
    pub fn with(text: impl Into<String>) -> Self {
        let text = text.into();
        Self { cursor: text.len(), text }
    }

    /// What was written.
    pub fn text(&self) -> &str {
        &self.text
    }

    /// Nothing was written.
    pub fn is_empty(&self) -> bool {
        self.text.is_empty()
    }

    /// Gives the text away.
    pub fn take(&mut self) -> String {
        self.cursor = 0;
        std::mem::take(&mut self.text)
    }

    /// Writes at the cursor; what does not fit the longest text is left out.
    pub fn insert(&mut self, text: &str) {
        let clean = text::clean(text);
        for grapheme in clean.graphemes(true) {
            if self.text.len() + grapheme.len() > TEXT_BYTES_MAX {
                return;
            }
            self.text.insert_str(self.cursor, grapheme);
            self.cursor += grapheme.len();
        }
        // What was inserted may have joined with its neighbours.
        while !self.is_border(self.cursor) {
            self.cursor += self.text[self.cursor..].chars().next().map_or(1, char::len_utf8);
        }
    }

    fn is_border(&self, at: usize) -> bool {
        at == self.text.len() || self.text.grapheme_indices(true).any(|(start, _)| start == at)
    }

    fn previous(&self) -> usize {
        self.text[..self.cursor].grapheme_indices(true).next_back().map_or(0, |(start, _)| start)
    }

    fn next(&self) -> usize {
        self.text[self.cursor..].graphemes(true).next().map_or(self.cursor, |grapheme| self.cursor + grapheme.len())
    }

    fn word_start(&self) -> usize {
        let words = self.text[..self.cursor].split_word_bound_indices();
        words.rev().find(|(_, word)| !word.trim().is_empty()).map_or(0, |(start, _)| start)
    }

    fn word_end(&self) -> usize {
        let words = self.text[self.cursor..].split_word_bound_indices();
        let mut ends = words.filter(|(_, word)| !word.trim().is_empty());
        ends.next().map_or(self.text.len(), |(start, word)| self.cursor + start + word.len())
    }

    fn line_start(&self) -> usize {
        self.text[..self.cursor].rfind('\n').map_or(0, |at| at + 1)
    }

    fn line_end(&self) -> usize {
        self.text[self.cursor..].find('\n').map_or(self.text.len(), |at| self.cursor + at)
    }

    /// One grapheme to the left.
    pub fn left(&mut self) {
        self.cursor = self.previous();
    }

    /// One grapheme to the right.
    pub fn right(&mut self) {
        self.cursor = self.next();
    }

    /// To the beginning of the word.
    pub fn word_left(&mut self) {
        self.cursor = self.word_start();
    }

    /// To the end of the word.
    pub fn word_right(&mut self) {
        self.cursor = self.word_end();
    }

    /// To the beginning of the line.
    pub fn home(&mut self) {
        self.cursor = self.line_start();
    }

    /// To the end of the line.
    pub fn end(&mut self) {
        self.cursor = self.line_end();
    }

    /// To the line above, as far to the right; false if there is none.
    pub fn up(&mut self) -> bool {
        let start = self.line_start();
        if start == 0 {
            return false;
        }
        let column = text::width(&self.text[start..self.cursor]);
        self.cursor = start - 1;
        self.cursor = self.line_start();
        self.seek_column(column);
        true
    }

    /// To the line below, as far to the right; false if there is none.
    pub fn down(&mut self) -> bool {
        let end = self.line_end();
        if end == self.text.len() {
            return false;
        }
        let column = text::width(&self.text[self.line_start()..self.cursor]);
        self.cursor = end + 1;
        self.seek_column(column);
        true
    }

    fn seek_column(&mut self, column: usize) {
        let (end, mut used) = (self.line_end(), 0);
        while self.cursor < end && used < column {
            let next = self.next();
            used += text::width(&self.text[self.cursor..next]);
            self.cursor = next;
        }
    }

    /// Removes what is left of the cursor.
    pub fn backspace(&mut self) {
        self.remove(self.previous());
    }

    /// Removes what is right of the cursor.
    pub fn delete(&mut self) {
        let end = self.next();
        self.text.replace_range(self.cursor..end, "");
    }

    /// Removes the word left of the cursor.
    pub fn delete_word(&mut self) {
        self.remove(self.word_start());
    }

    /// Removes everything left of the cursor in this line.
    pub fn delete_to_start(&mut self) {
        self.remove(self.line_start());
    }

    /// Removes everything right of the cursor in this line.
    pub fn delete_to_end(&mut self) {
        let end = self.line_end();
        self.text.replace_range(self.cursor..end, "");
    }

    fn remove(&mut self, from: usize) {
        self.text.replace_range(from..self.cursor, "");
        self.cursor = from;
    }

    /// The lines around the cursor that fit a box. Lines break where the box ends, so that the cursor's place is exact.
    pub fn excerpt(&self, columns: usize, rows: usize) -> Excerpt {
        let (columns, rows) = (columns.max(2), rows.max(1));
        let mut lines = vec![String::new()];
        let (mut used, mut at, mut cursor) = (0, 0, (0, 0));
        for grapheme in self.text.graphemes(true) {
            let width = text::width(grapheme);
            if grapheme == "\n" || used + width > columns {
                if at == self.cursor && grapheme == "\n" {
                    cursor = (used, lines.len() - 1);
                }
                lines.push(String::new());
                used = 0;
            }
            if grapheme != "\n" {
                if at == self.cursor {
                    cursor = (used, lines.len() - 1);
                }
                used += width;
                lines.last_mut().expect("there is always a line").push_str(grapheme);
            }
            at += grapheme.len();
        }
        if self.cursor == self.text.len() {
            if used >= columns {
                lines.push(String::new());
                used = 0;
            }
            cursor = (used, lines.len() - 1);
        }
        let first = (cursor.1 + 1).saturating_sub(rows);
        let lines = lines.into_iter().skip(first).take(rows).collect();
        Excerpt { lines, column: cursor.0.min(columns - 1), row: cursor.1 - first }
    }

    /// Lines that the whole text needs in such a box.
    pub fn height(&self, columns: usize) -> usize {
        self.excerpt(columns, usize::MAX).lines.len()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The text with a bar at the cursor.
    fn shown(composer: &Composer) -> String {
        let mut text = composer.text.clone();
        text.insert(composer.cursor, '|');
        text
    }

    #[test]
    fn a_step_is_what_a_reader_calls_a_character() {
        let mut composer = Composer::with("a你👨‍👩‍👧é");
        for expected in ["a你👨‍👩‍👧|é", "a你|👨‍👩‍👧é", "a|你👨‍👩‍👧é", "|a你👨‍👩‍👧é", "|a你👨‍👩‍👧é"]
        {
            composer.left();
            assert_eq!(shown(&composer), expected);
        }
        composer.right();
        composer.right();
        composer.delete();
        assert_eq!(shown(&composer), "a你|é");
        composer.backspace();
        assert_eq!(shown(&composer), "a|é");
    }

    #[test]
    fn words_and_lines_are_edited_as_in_a_shell() {
        let mut composer = Composer::with("one two  three");
        composer.delete_word();
        assert_eq!(shown(&composer), "one two  |");
        composer.word_left();
        assert_eq!(shown(&composer), "one |two  ");
        composer.word_right();
        assert_eq!(shown(&composer), "one two|  ");
        composer.delete_to_end();
        composer.home();
        composer.word_right();
        composer.delete_to_start();
        assert_eq!(shown(&composer), "| two");
        composer.end();
        composer.insert("\nx\u{1b}");
        assert_eq!(shown(&composer), " two\nx\u{FFFD}|");
    }

    #[test]
    fn lines_are_climbed_by_column() {
        let mut composer = Composer::with("你好啊\nab\nlong line");
        assert!(composer.up());
        assert_eq!(shown(&composer), "你好啊\nab|\nlong line");
        assert!(composer.up());
        assert_eq!(shown(&composer), "你|好啊\nab\nlong line");
        assert!(!composer.up());
        assert!(composer.down() && composer.down() && !composer.down());
        assert_eq!(shown(&composer), "你好啊\nab\nlo|ng line");
    }

    #[test]
    fn what_joins_with_its_neighbour_keeps_the_cursor_at_a_border() {
        let mut composer = Composer::with("👩👧");
        composer.left();
        composer.insert("\u{200D}");
        assert_eq!(shown(&composer), "👩\u{200D}👧|");
    }

    #[test]
    fn a_text_is_never_too_long() {
        let mut composer = Composer::default();
        composer.insert(&"你".repeat(6_000));
        assert_eq!(composer.text().len(), 16_383);
        composer.insert("ab");
        assert_eq!(composer.text().len(), TEXT_BYTES_MAX);
    }

    #[test]
    fn the_excerpt_keeps_the_cursor_in_the_box() {
        let mut composer = Composer::with("你好世界");
        let excerpt = composer.excerpt(5, 3);
        assert_eq!(excerpt, Excerpt { lines: vec!["你好".into(), "世界".into()], column: 4, row: 1 });
        let full = composer.excerpt(4, 3);
        assert_eq!((full.lines.len(), full.column, full.row), (3, 0, 2));
        assert_eq!(composer.excerpt(4, 1), Excerpt { lines: vec![String::new()], column: 0, row: 0 });
        composer.home();
        composer.insert("\n");
        composer.left();
        assert_eq!((composer.excerpt(9, 3).row, composer.height(9)), (0, 2));
        let mut composer = Composer::with("a\nb");
        composer.left();
        composer.left();
        assert_eq!((composer.excerpt(9, 3).column, composer.excerpt(9, 3).row), (1, 0));
    }
}
