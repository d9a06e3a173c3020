//! What a person types, cut into statements and commands.
//!
//! # Rules
//! 1. A statement ends at a semicolon that stands in no text, no quoted name and no comment.
//! 2. A backslash where a statement would begin begins a command, which ends with its line.
//! 3. Nothing is changed: places that the server names are places in what was typed.

/// A statement with its semicolon, or a command with its backslash.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Item<'a> {
    Statement(&'a str),
    Command(&'a str),
}

/// What is whole, and what is not yet.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Split<'a> {
    pub items: Vec<Item<'a>>,
    /// A statement without its semicolon; empty where only space and comments are left.
    pub rest: &'a str,
}

pub fn split(text: &str) -> Split<'_> {
    let mut items = Vec::new();
    let mut scanner = Scanner { text, at: 0 };
    loop {
        scanner.skip_space_and_comments();
        let begin = scanner.at;
        if scanner.rest().starts_with('\\') {
            scanner.skip_line();
            items.push(Item::Command(text[begin..scanner.at].trim_end()));
        } else if scanner.skip_statement() {
            items.push(Item::Statement(&text[begin..scanner.at]));
        } else {
            return Split { items, rest: text[begin..].trim_end() };
        }
    }
}

struct Scanner<'a> {
    text: &'a str,
    at: usize,
}

impl<'a> Scanner<'a> {
    fn rest(&self) -> &'a str {
        &self.text[self.at..]
    }

    fn skip_line(&mut self) {
        self.at += self.rest().find('\n').unwrap_or(self.rest().len());
    }

    fn skip_space_and_comments(&mut self) {
        loop {
            let rest = self.rest();
            self.at += rest.len() - rest.trim_start().len();
            if !self.skip_comment() {
                return;
            }
        }
    }

    /// A comment that never ends takes all that is left.
    fn skip_comment(&mut self) -> bool {
        if self.rest().starts_with("--") {
            self.skip_line();
            return true;
        }
        if !self.rest().starts_with("/*") {
            return false;
        }
        let mut depth = 0;
        loop {
            let rest = self.rest();
            if rest.starts_with("/*") {
                (depth, self.at) = (depth + 1, self.at + 2);
            } else if rest.starts_with("*/") {
                (depth, self.at) = (depth - 1, self.at + 2);
            } else {
                self.at += rest.chars().next().map_or(0, char::len_utf8);
            }
            if depth == 0 || self.rest().is_empty() {
                return true;
            }
        }
    }

    /// To behind the semicolon; false where there is none.
    fn skip_statement(&mut self) -> bool {
        let mut before = ' ';
        while let Some(c) = self.rest().chars().next() {
            match c {
                ';' => {
                    self.at += 1;
                    return true;
                }
                '\'' => {
                    // In E'…' a backslash escapes; a name may end with an E as well, as in name'…', which is no SQL.
                    self.skip_quoted('\'', matches!(before, 'e' | 'E'));
                }
                '"' => self.skip_quoted('"', false),
                '$' if !is_of_name(before) && self.skip_dollar_quoted() => {}
                '-' | '/' if self.skip_comment() => {}
                _ => self.at += c.len_utf8(),
            }
            before = c;
        }
        false
    }

    fn skip_quoted(&mut self, quote: char, escapes: bool) {
        self.at += 1;
        let mut is_escaped = false;
        for (place, c) in self.rest().char_indices() {
            if is_escaped {
                is_escaped = false;
            } else if escapes && c == '\\' {
                is_escaped = true;
            } else if c == quote {
                // Doubled quotes are two texts that touch, which comes to the same here.
                self.at += place + 1;
                return;
            }
        }
        self.at = self.text.len();
    }

    /// `$$…$$`, `$tag$…$tag$`; false where it is something else, such as `$1`.
    fn skip_dollar_quoted(&mut self) -> bool {
        let rest = self.rest();
        let Some(length) = rest[1..].find('$') else { return false };
        let tag = &rest[1..=length];
        if tag.starts_with(|c: char| c.is_ascii_digit()) || !tag.chars().all(is_of_name) {
            return false;
        }
        let delimiter = &rest[..length + 2];
        let inside = &rest[delimiter.len()..];
        let end = inside.find(delimiter).map_or(inside.len(), |end| end + delimiter.len());
        self.at += delimiter.len() + end;
        true
    }
}

fn is_of_name(c: char) -> bool {
    c.is_alphanumeric() || c == '_'
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::Item::{Command, Statement};
    use super::*;

    fn check(text: &str, items: &[Item<'_>], rest: &str) {
        let split = split(text);
        assert_eq!(split.items, items, "{text:?}");
        assert_eq!(split.rest, rest, "{text:?}");
    }

    #[test]
    fn statements_end_at_semicolons_of_their_own() {
        check("SELECT 1;", &[Statement("SELECT 1;")], "");
        check("SELECT 1; SELECT\n 2 ;  ", &[Statement("SELECT 1;"), Statement("SELECT\n 2 ;")], "");
        check("SELECT 1", &[], "SELECT 1");
        check("SELECT ';', \"a;b\";", &[Statement("SELECT ';', \"a;b\";")], "");
        check("SELECT 'it''s;' ;", &[Statement("SELECT 'it''s;' ;")], "");
        check("SELECT E'\\';' ;", &[Statement("SELECT E'\\';' ;")], "");
        check("SELECT $$;$$, $a$ $$;$a$;", &[Statement("SELECT $$;$$, $a$ $$;$a$;")], "");
        check("SELECT $1; x", &[Statement("SELECT $1;")], "x");
        check("SELECT 1 -- ;\n, 2;", &[Statement("SELECT 1 -- ;\n, 2;")], "");
        check("SELECT /* ; /* ; */ ; */ 1;", &[Statement("SELECT /* ; /* ; */ ; */ 1;")], "");
        check("SELECT 'open;", &[], "SELECT 'open;");
        check("SELECT 'บ่อ;' ;", &[Statement("SELECT 'บ่อ;' ;")], "");
        check("  -- nothing\n /* here */ ", &[], "");
        check(";", &[Statement(";")], "");
    }

    #[test]
    fn commands_end_with_their_line() {
        check("\\d readings", &[Command("\\d readings")], "");
        check("\\x\nSELECT 1;\\q", &[Command("\\x"), Statement("SELECT 1;"), Command("\\q")], "");
        check("SELECT '\\d';", &[Statement("SELECT '\\d';")], "");
        check("SELECT\n\\d", &[], "SELECT\n\\d");
    }

    proptest! {
        /// Whatever is typed: nothing is lost but space and comments, and nothing is changed.
        #[test]
        fn all_of_the_text_is_somewhere_in_its_order(text in "[ a$;'\"\\\\\\n/*\\-Eบ่1]{0,60}") {
            let Split { items, rest } = split(&text);
            let mut at = 0;
            for item in items.into_iter().chain([Item::Statement(rest)]) {
                let (Item::Statement(part) | Item::Command(part)) = item;
                let place = text[at..].find(part);
                prop_assert!(place.is_some(), "{part:?}");
                at += place.unwrap_or(0) + part.len();
            }
        }
    }
}
