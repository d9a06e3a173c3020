//! Where text and cursor stand on the screen.

use std::io::{self, Write};

use super::line::Line;
use crate::terminal;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Size {
    pub columns: usize,
    pub rows: usize,
}

pub struct Screen {
    prompt: String,
    /// Before further lines: as wide.
    continued: String,
    /// Rows of what was drawn last, and the one that the cursor stands in.
    drawn: usize,
    cursor_row: usize,
}

/// Text as rows of the screen.
#[derive(Debug, PartialEq, Eq)]
struct Layout {
    rows: Vec<String>,
    cursor: (usize, usize),
}

impl Screen {
    pub fn new(prompt: &str) -> Self {
        // `gwbank=> ` goes on as `gwbank-> `.
        let continued = prompt.replace('=', "-");
        Self { prompt: prompt.to_owned(), continued, drawn: 0, cursor_row: 0 }
    }

    /// Draws over what was drawn before. `searching` stands in the place of the prompt.
    pub fn draw(&mut self, line: &Line, searching: Option<&str>, size: Size, out: &mut dyn Write) -> io::Result<()> {
        let prompt = searching.unwrap_or(&self.prompt);
        let Layout { rows, cursor: (row, column) } = layout(prompt, &self.continued, line, size.columns);
        // Of a text that is higher than the screen, the rows around the cursor.
        let height = size.rows.saturating_sub(1).max(1);
        let first = (row + 1).saturating_sub(height);
        let shown = &rows[first..rows.len().min(first + height)];
        self.to_start(out)?;
        write!(out, "\x1b[J{}", shown.join("\r\n"))?;
        self.drawn = shown.len();
        self.cursor_row = row - first;
        let below = self.drawn - 1 - self.cursor_row;
        if below > 0 {
            write!(out, "\x1b[{below}A")?;
        }
        write!(out, "\r")?;
        if column > 0 {
            write!(out, "\x1b[{column}C")?;
        }
        out.flush()
    }

    fn to_start(&self, out: &mut dyn Write) -> io::Result<()> {
        if self.cursor_row > 0 {
            write!(out, "\x1b[{}A", self.cursor_row)?;
        }
        write!(out, "\r")
    }

    /// To the line below what is drawn, which stays.
    pub fn leave(&mut self, out: &mut dyn Write) -> io::Result<()> {
        let below = self.drawn.saturating_sub(1 + self.cursor_row);
        if below > 0 {
            write!(out, "\x1b[{below}B")?;
        }
        (self.drawn, self.cursor_row) = (0, 0);
        write!(out, "\r\n")
    }

    pub fn clear(&mut self, out: &mut dyn Write) -> io::Result<()> {
        (self.drawn, self.cursor_row) = (0, 0);
        write!(out, "\x1b[H\x1b[2J")
    }
}

fn layout(prompt: &str, continued: &str, line: &Line, columns: usize) -> Layout {
    // Whatever the terminal does at its last column, it is not asked to.
    let room = columns.saturating_sub(1).max(1);
    let mut rows = vec![String::new()];
    let mut column = 0;
    let put = |text: &str, rows: &mut Vec<String>, column: &mut usize| {
        for c in text.chars() {
            let width = terminal::char_width(c);
            if *column + width > room && *column > 0 {
                rows.push(String::new());
                *column = 0;
            }
            if let Some(row) = rows.last_mut() {
                row.push(c);
            }
            *column += width;
        }
    };
    put(prompt, &mut rows, &mut column);
    let mut cursor = (0, column);
    for (place, c) in line.text().char_indices() {
        if place == line.cursor() {
            cursor = (rows.len() - 1, column);
        }
        match c {
            '\n' => {
                rows.push(String::new());
                column = 0;
                put(continued, &mut rows, &mut column);
            }
            c if c.is_control() => put("�", &mut rows, &mut column),
            c => put(c.encode_utf8(&mut [0; 4]), &mut rows, &mut column),
        }
    }
    if line.cursor() == line.text().len() {
        cursor = (rows.len() - 1, column);
    }
    Layout { rows, cursor }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn laid_out(text: &str, columns: usize) -> Layout {
        let mut line = Line::default();
        line.set(text.to_owned());
        layout("=> ", "-> ", &line, columns)
    }

    #[test]
    fn lines_have_prompts_and_long_ones_go_on() {
        let Layout { rows, cursor } = laid_out("SELECT 'บ่อน้ำ',\n  1;", 14);
        assert_eq!(rows, ["=> SELECT 'บ่อ", "น้ำ',", "->   1;"]);
        assert_eq!(cursor, (2, 7));
        assert!(rows.iter().all(|row| terminal::width(row) < 14));
    }

    #[test]
    fn of_a_high_text_the_rows_at_the_cursor_are_drawn() {
        let mut screen = Screen::new("=> ");
        let mut line = Line::default();
        line.set("1\n2\n3\n4\n5".to_owned());
        let mut out = Vec::new();
        screen.draw(&line, None, Size { columns: 20, rows: 4 }, &mut out).unwrap();
        let text = String::from_utf8(out).unwrap();
        assert!(text.contains("-> 3\r\n-> 4\r\n-> 5") && !text.contains("-> 2"), "{text:?}");
    }
}
