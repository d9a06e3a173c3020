//! Text of others on a terminal, which obeys control characters: they are shown, not sent.
//!
//! A gateway chooses its payloads, a topic, the name of a well. Printed as they are, they could move the cursor over what
//! stands above, change the title of the window, or turn the direction of writing around.

use std::borrow::Cow;

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

#[cfg(test)]
mod tests {
    use super::*;

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
