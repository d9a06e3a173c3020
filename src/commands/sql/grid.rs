//! Rows as a person reads them on a terminal, written as they come.
//!
//! # Rules
//! 1. Widths are those of the first rows; what comes later keeps to them, or sticks out where cutting would lie.
//! 2. A table that is wider than the terminal has its long texts cut, with a mark; numbers and times never are. Where that does
//!    not suffice each row is shown as a record.
//! 3. Widths are what a terminal shows: Thai vowels and tone marks above and below take none.

use std::io::{self, Write};

use arrow::array::{Array, RecordBatch};
use arrow::datatypes::{DataType, Schema};
use arrow::error::ArrowError;
use arrow::util::display::{ArrayFormatter, FormatOptions};
use gwbank_server::encode::presentable;

use crate::terminal;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Expanded {
    On,
    Off,
    /// Where a table is too wide.
    Auto,
}

/// How rows are shown.
#[derive(Debug, Clone)]
pub struct Look {
    /// What stands for NULL.
    pub null: String,
    pub expanded: Expanded,
    /// Of the terminal; `None`: as wide as it gets.
    pub width: Option<usize>,
}

/// Narrower than this a cut text says nothing.
const CUT_WIDTH_MIN: usize = 12;

pub struct Grid {
    look: Look,
    columns: Vec<Column>,
    is_expanded: bool,
    pub rows: u64,
}

struct Column {
    name: String,
    is_number: bool,
    /// Whether it may be cut.
    is_text: bool,
    width: usize,
}

/// A row's cells; `None` is NULL.
type Row = Vec<Option<String>>;

/// The rows of a batch, as text on one line each.
pub fn rows(batch: &RecordBatch) -> Result<Vec<Row>, ArrowError> {
    let shown = presentable(batch)?;
    let options = FormatOptions::default();
    let columns = shown.columns().iter();
    let formatters = columns.map(|column| ArrayFormatter::try_new(column, &options)).collect::<Result<Vec<_>, _>>()?;
    let cell = |row: usize, column: usize| {
        let is_null = shown.column(column).is_null(row);
        (!is_null).then(|| terminal::one_line(&formatters[column].value(row).to_string()).into_owned())
    };
    Ok((0..shown.num_rows()).map(|row| (0..shown.num_columns()).map(|column| cell(row, column)).collect()).collect())
}

impl Grid {
    /// Decides on the look by the first rows.
    pub fn new(look: Look, schema: &Schema, first: &[Row]) -> Self {
        let mut columns: Vec<Column> = schema
            .fields()
            .iter()
            .enumerate()
            .map(|(place, field)| {
                let name = terminal::one_line(field.name()).into_owned();
                let null = terminal::width(&look.null);
                let cells = first.iter().map(|row| row[place].as_deref().map_or(null, terminal::width));
                let width = cells.max().unwrap_or(0).max(terminal::width(&name));
                let kind = field.data_type();
                Column { name, is_number: kind.is_numeric(), is_text: is_text(kind), width }
            })
            .collect();
        let fits = look.width.is_none_or(|width| narrow(&mut columns, width));
        let is_expanded = match look.expanded {
            Expanded::On => true,
            Expanded::Off => false,
            Expanded::Auto => !fits,
        };
        Self { look, columns, is_expanded, rows: 0 }
    }

    /// The names above a table.
    pub fn head(&self, out: &mut dyn Write) -> io::Result<()> {
        if self.is_expanded {
            return Ok(());
        }
        let names = self.columns.iter().map(|column| self.fitted(column, &column.name));
        self.line(out, names.collect())?;
        let rules: Vec<String> = self.columns.iter().map(|column| "─".repeat(column.width + 2)).collect();
        writeln!(out, "{}", rules.join("┼"))
    }

    pub fn row(&mut self, row: &Row, out: &mut dyn Write) -> io::Result<()> {
        self.rows += 1;
        if self.is_expanded {
            return self.record(row, out);
        }
        let cells = self.columns.iter().zip(row);
        let cells = cells.map(|(column, cell)| self.fitted(column, cell.as_deref().unwrap_or(&self.look.null)));
        self.line(out, cells.collect())
    }

    fn line(&self, out: &mut dyn Write, cells: Vec<String>) -> io::Result<()> {
        writeln!(out, "{}", format!(" {}", cells.join(" │ ")).trim_end())
    }

    /// Aligned, and cut where it may be.
    fn fitted(&self, column: &Column, text: &str) -> String {
        let is_cut = column.is_text && self.look.width.is_some();
        let text = if is_cut { terminal::cut(text, column.width) } else { text.into() };
        let padding = " ".repeat(column.width.saturating_sub(terminal::width(&text)));
        if column.is_number { padding + &text } else { text.into_owned() + &padding }
    }

    /// A line a column; a long text goes on in the next, marked by a broken rule.
    fn record(&self, row: &Row, out: &mut dyn Write) -> io::Result<()> {
        let title = format!("─[ record {} ]", self.rows);
        let width = self.look.width.unwrap_or(60).min(60);
        writeln!(out, "{title}{}", "─".repeat(width.saturating_sub(terminal::width(&title))))?;
        let names = self.columns.iter().map(|column| terminal::width(&column.name)).max().unwrap_or(0);
        for (column, cell) in self.columns.iter().zip(row) {
            let padding = " ".repeat(names - terminal::width(&column.name));
            let text = cell.as_deref().unwrap_or(&self.look.null);
            let room = self.look.width.map(|width| width.saturating_sub(names + 3).max(CUT_WIDTH_MIN));
            let mut lines = terminal::wrapped(text, room.unwrap_or(usize::MAX)).into_iter();
            let first = lines.next().unwrap_or_default();
            writeln!(out, "{}", format!("{}{padding} │ {first}", column.name).trim_end())?;
            for line in lines {
                writeln!(out, "{:names$} ┊ {line}", "")?;
            }
        }
        Ok(())
    }
}

fn is_text(kind: &DataType) -> bool {
    kind.is_nested()
        || kind.is_binary()
        || matches!(kind, DataType::Utf8 | DataType::LargeUtf8 | DataType::Utf8View | DataType::Dictionary(..))
}

/// Takes width from the widest texts until the table fits; false, and all as it was, where it cannot.
fn narrow(columns: &mut [Column], width: usize) -> bool {
    let needed = |widths: &[usize]| widths.iter().map(|width| width + 3).sum::<usize>().saturating_sub(1);
    let mut widths: Vec<usize> = columns.iter().map(|column| column.width).collect();
    while needed(&widths) > width {
        let cuttable = (0..widths.len()).filter(|&place| columns[place].is_text && widths[place] > CUT_WIDTH_MIN);
        match cuttable.max_by_key(|&place| widths[place]) {
            Some(place) => widths[place] -= 1,
            None => return false,
        }
    }
    for (column, width) in columns.iter_mut().zip(widths) {
        column.width = width;
    }
    true
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use arrow::array::{ArrayRef, Float64Array, StringArray};
    use expect_test::expect;

    use super::*;

    fn batch(texts: Vec<Option<&str>>, values: Vec<Option<f64>>) -> RecordBatch {
        let columns: [(&str, ArrayRef); 2] =
            [("name", Arc::new(StringArray::from(texts))), ("value", Arc::new(Float64Array::from(values)))];
        RecordBatch::try_from_iter_with_nullable(columns.map(|(name, column)| (name, column, true))).unwrap()
    }

    fn shown(expanded: Expanded, width: Option<usize>, batches: &[RecordBatch]) -> String {
        let look = Look { null: "∅".to_owned(), expanded, width };
        let first = rows(&batches[0]).unwrap();
        let mut grid = Grid::new(look, &batches[0].schema(), &first);
        let mut out = Vec::new();
        grid.head(&mut out).unwrap();
        for batch in batches {
            for row in rows(batch).unwrap() {
                grid.row(&row, &mut out).unwrap();
            }
        }
        String::from_utf8(out).unwrap()
    }

    fn wells() -> RecordBatch {
        batch(vec![Some("บ่อน้ำที่หนองนา"), Some("Ban Nong Na"), None], vec![Some(3.42), None, Some(-10.5)])
    }

    #[test]
    fn columns_are_as_wide_as_they_look() {
        expect![[r"
             name        │ value
            ─────────────┼───────
             บ่อน้ำที่หนองนา │  3.42
             Ban Nong Na │     ∅
             ∅           │ -10.5
        "]]
        .assert_eq(&shown(Expanded::Auto, None, &[wells()]));
    }

    #[test]
    fn long_texts_are_cut_with_a_mark_and_later_rows_keep_the_widths() {
        let long = "a text that goes on for longer than the terminal is wide";
        let first = batch(vec![Some(long)], vec![Some(1.0)]);
        let later = batch(vec![Some("x"), Some(long)], vec![Some(123_456_789.125), Some(2.0)]);
        expect![[r"
             name             │ value
            ──────────────────┼───────
             a text that goe… │   1.0
             x                │ 123456789.125
             a text that goe… │   2.0
        "]]
        .assert_eq(&shown(Expanded::Auto, Some(26), &[first, later]));
    }

    #[test]
    fn what_does_not_fit_is_shown_as_records() {
        expect![[r"
            ─[ record 1 ]───
            name  │ บ่อน้ำที่หนองนา
            value │ 3.42
            ─[ record 2 ]───
            name  │ Ban Nong Na
            value │ ∅
            ─[ record 3 ]───
            name  │ ∅
            value │ -10.5
        "]]
        .assert_eq(&shown(Expanded::Auto, Some(16), &[wells()]));
        let long = batch(vec![Some("one two three four five")], vec![None]);
        expect![[r"
            ─[ record 1 ]───────
            name  │ one two thre
                  ┊ e four five
            value │ ∅
        "]]
        .assert_eq(&shown(Expanded::On, Some(20), &[long]));
    }

    #[test]
    fn a_terminal_obeys_nothing_that_is_in_the_data() {
        let hostile = batch(vec![Some("\x1b[2J\nx")], vec![None]);
        assert!(shown(Expanded::Auto, None, &[hostile]).contains("\\u{1b}[2J\\nx"));
    }
}
