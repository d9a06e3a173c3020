//! Names of other scripts than Latin: `SELECT value AS ระดับน้ำ`. Vowels and tone marks of Thai are no letters to the parser,
//! which ends a bare name at the first of them; in quotes it takes them.

use std::borrow::Cow;

/// The text with bare names of other scripts in quotes, folded as PostgreSQL does: ASCII letters only.
pub(crate) fn quoted(sql: &str) -> Cow<'_, str> {
    if sql.is_ascii() {
        return Cow::Borrowed(sql);
    }
    let mut out = String::with_capacity(sql.len() + 16);
    let mut rest = sql;
    while let Some(first) = rest.chars().next() {
        let length = match first {
            '\'' => up_to(rest, 1, "'"),
            '"' => up_to(rest, 1, "\""),
            '-' if rest.starts_with("--") => up_to(rest, 2, "\n"),
            '/' if rest.starts_with("/*") => up_to(rest, 2, "*/"),
            '$' => dollar_quoted(rest),
            letter if is_of_a_name(letter) => {
                let length = rest.find(|next: char| !is_of_a_name(next) && next != '$').unwrap_or(rest.len());
                let word = &rest[..length];
                if word.is_ascii() || word.starts_with(|digit: char| digit.is_ascii_digit()) {
                    out.push_str(word);
                } else {
                    out.push('"');
                    out.extend(word.chars().map(|letter| letter.to_ascii_lowercase()));
                    out.push('"');
                }
                rest = &rest[length..];
                continue;
            }
            other => other.len_utf8(),
        };
        out.push_str(&rest[..length]);
        rest = &rest[length..];
    }
    Cow::Owned(out)
}

fn is_of_a_name(letter: char) -> bool {
    letter == '_' || letter.is_ascii_alphanumeric() || !letter.is_ascii() && !letter.is_whitespace()
}

/// Bytes up to and with the end of what was opened.
fn up_to(text: &str, opened: usize, end: &str) -> usize {
    text[opened..].find(end).map_or(text.len(), |place| opened + place + end.len())
}

/// `$$…$$`, `$tag$…$tag$`; another `$` is a byte of its own, as in `$1`.
fn dollar_quoted(text: &str) -> usize {
    let Some(tag_end) = text[1..].find('$').map(|place| place + 2) else { return 1 };
    let tag = &text[..tag_end];
    let begins_with_a_digit = tag[1..].starts_with(|first: char| first.is_ascii_digit());
    let is_tag = !begins_with_a_digit && tag[1..tag_end - 1].chars().all(is_of_a_name);
    if is_tag { up_to(text, tag_end, tag) } else { 1 }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn names_of_other_scripts_are_quoted() {
        for (sql, same) in [
            ("SELECT value AS ระดับน้ำ FROM readings", "SELECT value AS \"ระดับน้ำ\" FROM readings"),
            ("SELECT บ่อ2.A_ค่า FROM x AS บ่อ2", "SELECT \"บ่อ2\".\"a_ค่า\" FROM x AS \"บ่อ2\""),
            ("SELECT é", "SELECT \"é\""),
            ("SELECT a", "SELECT a"),
        ] {
            assert_eq!(quoted(sql), same);
        }
        for same in [
            "SELECT 'น้ำ ''ตื้น''', \"น้ำ\" -- น้ำ",
            "SELECT /* น้ำ */ $1, $$น้ำ$$, $ก$ น้ำ $ก$",
            "SELECT 'open น้ำ",
            "-- น้ำ\nSELECT 1",
        ] {
            assert_eq!(quoted(same), same);
        }
    }

    proptest! {
        #[test]
        fn nothing_is_lost(sql in "[a-zก้ำ1 '\"$/*\n-]{0,40}") {
            let without = |text: &str| text.replace('"', "");
            prop_assert_eq!(without(&quoted(&sql)), without(&sql));
        }
    }
}
