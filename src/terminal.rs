//! Text of others on a terminal, which obeys control characters: they are shown, not sent.
//!
//! A gateway chooses its payloads, a topic, the name of a well. Printed as they are, they could move the cursor over what
//! stands above, change the title of the window, or turn the direction of writing around.

use std::borrow::Cow;

use unicode_width::UnicodeWidthChar;

/// Text that may have several lines: line feeds and tabs stay.
pub fn lines(text: &str) -> Cow<'_, str> {
    escaped(text, |c| is_obeyed(c) && c != '\n' && c != '\t')
}

/// Text that is to stay on its line.
pub fn one_line(text: &str) -> Cow<'_, str> {
    escaped(text, is_obeyed)
}

fn escaped(text: &str, hidden: impl Fn(char) -> bool) -> Cow<'_, str> {
    if !text.contains(&hidden) {
        return Cow::Borrowed(text);
    }
    let mut shown = String::with_capacity(text.len() + 16);
    for c in text.chars() {
        if hidden(c) {
            shown.extend(c.escape_default());
        } else {
            shown.push(c);
        }
    }
    Cow::Owned(shown)
}

/// Control characters (C0, delete, C1), line and paragraph separators, the marks of bidirectional text, and tags, which no
/// terminal shows. Zero-width space and joiners stay: Thai and other scripts are written with them.
fn is_obeyed(c: char) -> bool {
    c.is_control()
        || matches!(c, '\u{61c}' | '\u{200e}' | '\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
        || matches!(c, '\u{e0000}'..='\u{e007f}')
}

/// Columns that a character takes on a terminal: none for Thai vowels and tone marks above and below, two for wide ones.
pub fn char_width(c: char) -> usize {
    c.width().unwrap_or(0)
}

/// Columns that a text takes, letter by letter, as terminals count.
pub fn width(text: &str) -> usize {
    text.chars().map(char_width).sum()
}

/// The beginning of a text, with a mark where something was cut off.
pub fn cut(text: &str, columns: usize) -> Cow<'_, str> {
    if width(text) <= columns {
        return Cow::Borrowed(text);
    }
    let end = end_within(text, columns.saturating_sub(1));
    Cow::Owned(format!("{}…", &text[..end]))
}

/// A text in lines of at most so many columns; of a letter that is wider itself one to the line.
pub fn wrapped(text: &str, columns: usize) -> Vec<&str> {
    let (mut lines, mut rest) = (Vec::new(), text);
    while width(rest) > columns {
        let first = rest.chars().next().map_or(0, char::len_utf8);
        let (line, after) = rest.split_at(end_within(rest, columns).max(first));
        lines.push(line);
        rest = after;
    }
    lines.push(rest);
    lines
}

/// Where the text that fits into the columns ends: a letter keeps its marks.
fn end_within(text: &str, columns: usize) -> usize {
    let mut taken = 0;
    for (place, c) in text.char_indices() {
        taken += char_width(c);
        if taken > columns {
            return place;
        }
    }
    text.len()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn thai_marks_take_no_column() {
        for (text, columns) in [("บ่อน้ำ", 4), ("ที่", 1), ("ธนาคารน้ำใต้ดิน", 12), ("abc", 3), ("日本", 4), ("", 0)]
        {
            assert_eq!(width(text), columns, "{text}");
        }
        assert_eq!(cut("ที่ที่ที่", 2), "ที่…");
        assert_eq!(wrapped("ที่ที่ที่", 2), ["ที่ที่", "ที่"]);
    }

    proptest! {
        #[test]
        fn what_is_cut_or_wrapped_fits(text in "[a-zบ่น้ำี日👩]{0,40}", columns in 2usize..20) {
            prop_assert!(width(&cut(&text, columns)) <= columns);
            let lines = wrapped(&text, columns);
            prop_assert_eq!(lines.concat(), text.as_str());
            prop_assert!(lines.iter().all(|line| width(line) <= columns));
        }
    }

    #[test]
    fn what_a_terminal_would_obey_is_shown() {
        for (text, shown) in [
            ("\x1b[2Jgone", "\\u{1b}[2Jgone"),
            ("\u{9b}31m", "\\u{9b}31m"),
            ("a\rb\u{7f}\u{8}", "a\\rb\\u{7f}\\u{8}"),
            ("abc\u{202e}cba", "abc\\u{202e}cba"),
            ("\u{2066}x\u{2069}\u{200f}", "\\u{2066}x\\u{2069}\\u{200f}"),
            ("two\nlines\t", "two\\nlines\\t"),
        ] {
            assert_eq!(one_line(text), shown);
        }
        assert_eq!(lines("two\nlines\t\x1b"), "two\nlines\t\\u{1b}");
    }

    #[test]
    fn other_text_stays_as_it_is() {
        for text in ["", "TH3001-0007", "ธนาคาร\u{200b}น้ำใต้ดิน", "é{}\\ \"quoted\"", "👩\u{200d}🌾"]
        {
            assert!(matches!(one_line(text), Cow::Borrowed(same) if same == text));
        }
    }
}
