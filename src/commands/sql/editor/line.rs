//! The text that is typed, and where the cursor stands in it.

use crate::terminal;

#[derive(Debug, Default, Clone, PartialEq, Eq)]
pub struct Line {
    text: String,
    /// In bytes, between two characters.
    cursor: usize,
}

impl Line {
    pub fn text(&self) -> &str {
        &self.text
    }

    pub fn cursor(&self) -> usize {
        self.cursor
    }

    pub fn before_cursor(&self) -> &str {
        &self.text[..self.cursor]
    }

    fn after_cursor(&self) -> &str {
        &self.text[self.cursor..]
    }

    pub fn set(&mut self, text: String) {
        self.cursor = text.len();
        self.text = text;
    }

    pub fn insert(&mut self, text: &str) {
        self.text.insert_str(self.cursor, text);
        self.cursor += text.len();
    }

    /// Puts another word in the place of the one before the cursor.
    pub fn replace_word(&mut self, start: usize, word: &str) {
        self.text.replace_range(start..self.cursor, word);
        self.cursor = start + word.len();
    }

    pub fn go_to_end(&mut self) {
        self.cursor = self.text.len();
    }

    /// One character: of a letter with a tone mark the mark goes first.
    pub fn backspace(&mut self) {
        if let Some(c) = self.before_cursor().chars().next_back() {
            self.cursor -= c.len_utf8();
            self.text.remove(self.cursor);
        }
    }

    /// The letter under the cursor with its marks.
    pub fn delete(&mut self) {
        let end = self.letter_after(self.cursor);
        self.text.replace_range(self.cursor..end, "");
    }

    pub fn left(&mut self) {
        let letters = self.before_cursor().char_indices().rev();
        let mut letters = letters.filter(|(_, c)| *c == '\n' || terminal::char_width(*c) > 0);
        self.cursor = letters.next().map_or(0, |(place, _)| place);
    }

    pub fn right(&mut self) {
        self.cursor = self.letter_after(self.cursor);
    }

    fn letter_after(&self, place: usize) -> usize {
        let letters = self.text[place..].char_indices().skip(1);
        let mut letters = letters.filter(|(_, c)| *c == '\n' || terminal::char_width(*c) > 0);
        letters.next().map_or(self.text.len(), |(offset, _)| place + offset)
    }

    fn line_start(&self) -> usize {
        self.before_cursor().rfind('\n').map_or(0, |place| place + 1)
    }

    fn line_end(&self) -> usize {
        self.after_cursor().find('\n').map_or(self.text.len(), |place| self.cursor + place)
    }

    pub fn go_to_line_start(&mut self) {
        self.cursor = self.line_start();
    }

    pub fn go_to_line_end(&mut self) {
        self.cursor = self.line_end();
    }

    /// False where there is no line above.
    pub fn up(&mut self) -> bool {
        let start = self.line_start();
        if start == 0 {
            return false;
        }
        let column = terminal::width(&self.text[start..self.cursor]);
        self.cursor = start - 1;
        self.go_to_column(column);
        true
    }

    /// False where there is no line below.
    pub fn down(&mut self) -> bool {
        let end = self.line_end();
        if end == self.text.len() {
            return false;
        }
        let column = terminal::width(&self.text[self.line_start()..self.cursor]);
        self.cursor = end + 1;
        self.go_to_column(column);
        true
    }

    fn go_to_column(&mut self, column: usize) {
        let end = self.line_end();
        self.go_to_line_start();
        while self.cursor < end && terminal::width(&self.text[self.line_start()..self.cursor]) < column {
            self.right();
        }
    }

    pub fn word_left(&mut self) {
        let before = self.before_cursor().trim_end_matches(|c| !is_of_word(c));
        self.cursor = before.trim_end_matches(is_of_word).len();
    }

    pub fn word_right(&mut self) {
        let after = self.after_cursor().trim_start_matches(|c| !is_of_word(c));
        self.cursor = self.text.len() - after.trim_start_matches(is_of_word).len();
    }

    /// Up to the space before it.
    pub fn kill_word(&mut self) -> String {
        let before = self.before_cursor().trim_end();
        let start = before
            .rfind(char::is_whitespace)
            .map_or(0, |place| place + before[place..].chars().next().map_or(0, char::len_utf8));
        self.kill(start, self.cursor)
    }

    pub fn kill_to_line_start(&mut self) -> String {
        self.kill(self.line_start(), self.cursor)
    }

    pub fn kill_to_line_end(&mut self) -> String {
        self.kill(self.cursor, self.line_end())
    }

    fn kill(&mut self, start: usize, end: usize) -> String {
        self.cursor = start;
        self.text.drain(start..end).collect()
    }
}

fn is_of_word(c: char) -> bool {
    c.is_alphanumeric() || c == '_' || terminal::char_width(c) == 0 && !c.is_control()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn line(text: &str) -> Line {
        let mut line = Line::default();
        line.set(text.to_owned());
        line
    }

    #[test]
    fn a_letter_goes_with_its_marks_but_backspace_takes_the_mark_alone() {
        let mut thai = line("น้ำ่บ่");
        thai.left();
        assert_eq!(thai.before_cursor(), "น้ำ่");
        thai.right();
        thai.backspace();
        assert_eq!(thai.text(), "น้ำ่บ");
        thai.go_to_line_start();
        thai.delete();
        assert_eq!(thai.text(), "ำ่บ");
    }

    #[test]
    fn lines_are_moved_between_by_columns() {
        let mut line = line("abcdef\nบ่น้\nxyz");
        assert!(line.up());
        assert_eq!(line.before_cursor(), "abcdef\nบ่น้");
        assert!(line.up());
        assert_eq!(line.before_cursor(), "ab");
        assert!(!line.up());
        assert!(line.down() && line.down() && !line.down());
        assert_eq!(line.before_cursor(), "abcdef\nบ่น้\nxy");
    }

    #[test]
    fn words_are_moved_over_and_killed() {
        let mut words = line("SELECT บ่อ_1, x");
        words.word_left();
        words.word_left();
        assert_eq!(words.before_cursor(), "SELECT ");
        words.word_right();
        assert_eq!(words.before_cursor(), "SELECT บ่อ_1");
        assert_eq!(words.kill_word(), "บ่อ_1");
        assert_eq!(words.text(), "SELECT , x");
        assert_eq!(words.kill_to_line_start(), "SELECT ");
        assert_eq!(words.kill_to_line_end(), ", x");
    }
}
