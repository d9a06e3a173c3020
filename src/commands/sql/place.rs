//! Shows where in a statement an error is.

use crate::terminal;

/// What is shown of a long line.
const SHOWN_WIDTH: usize = 76;

/// The line with a caret below the place, as psql shows it; `None` where there is no such place.
pub fn pointed(statement: &str, line: usize, column: usize) -> Option<String> {
    let text = statement.lines().nth(line.checked_sub(1)?)?;
    let letters: Vec<char> = text.chars().map(|c| if c.is_control() { ' ' } else { c }).collect();
    let place = column.checked_sub(1)?.min(letters.len());
    let width = |letters: &[char]| letters.iter().map(|&c| terminal::char_width(c)).sum::<usize>();
    // Of a line that is too long, what stands around the place.
    let mut from = 0;
    while width(&letters[from..place]) > SHOWN_WIDTH / 2 && width(&letters[from..]) > SHOWN_WIDTH {
        from += 1;
    }
    let mut to = letters.len();
    while width(&letters[from..to]) > SHOWN_WIDTH {
        to -= 1;
    }
    let head = format!("LINE {line}: {}", if from > 0 { "…" } else { "" });
    let shown: String = letters[from..to].iter().collect();
    let end = if to < letters.len() { "…" } else { "" };
    let indent = terminal::width(&head) + width(&letters[from..place]);
    Some(format!("{head}{}{end}\n{:indent$}^", terminal::one_line(&shown), ""))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_caret_stands_below_the_place() {
        assert_eq!(pointed("SELECT x,\n  y\nFROM t", 2, 3).unwrap(), concat!("LINE 2:   y\n", "          ^"));
        // Vowels and tone marks above and below take no place of their own.
        assert_eq!(
            pointed("SELECT 'บ่อน้ำ', nothing", 1, 18).unwrap(),
            concat!("LINE 1: SELECT 'บ่อน้ำ', nothing\n", "                       ^")
        );
        assert_eq!(pointed("SELECT", 1, 99).unwrap(), concat!("LINE 1: SELECT\n", "              ^"));
        assert_eq!(pointed("SELECT", 2, 1), None);
        assert_eq!(pointed("SELECT", 0, 1), None);
    }

    #[test]
    fn of_a_long_line_the_part_around_the_place_is_shown() {
        let statement = format!("SELECT {}, nothing, {}", "a, ".repeat(100), "b, ".repeat(100));
        let column = statement.find("nothing").unwrap() + 1;
        let shown = pointed(&statement, 1, column).unwrap();
        let (line, caret) = shown.split_once('\n').unwrap();
        assert!(terminal::width(line) < 90 && line.ends_with('…'), "{shown}");
        let below: String = line.chars().skip(caret.chars().count() - 1).take(7).collect();
        assert_eq!(below, "nothing", "{shown}");
    }
}
