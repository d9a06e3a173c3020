//! Whether two answers say the same: the same rows in any order, numbers alike but for their last digits.

use arrow::array::{ArrayRef, AsArray, RecordBatch};
use arrow::compute::cast;
use arrow::datatypes::{DataType, Float64Type, Int64Type, TimeUnit};

use super::support::Error;

/// Sums of many numbers differ in their last digits by the order in which they are taken, and DataFusion counts the way
/// between two values of a percentile in millionths.
const RELATIVE: f64 = 1e-6;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    Text,
    Time,
    Number,
}

#[derive(Debug, Clone, PartialEq)]
enum Cell {
    Null,
    Text(String),
    Micros(i64),
    Number(f64),
}

pub struct Answer {
    kinds: Vec<Kind>,
    rows: Vec<Vec<Cell>>,
}

impl Answer {
    pub fn of_batches(batches: &[RecordBatch]) -> Result<Self, Error> {
        let Some(first) = batches.first() else { return Ok(Self { kinds: Vec::new(), rows: Vec::new() }) };
        let kinds: Vec<Kind> = first.schema().fields().iter().map(|field| kind(field.data_type())).collect();
        let mut rows = Vec::new();
        for batch in batches {
            let columns: Vec<Vec<Cell>> = batch
                .columns()
                .iter()
                .zip(&kinds)
                .map(|(column, kind)| cells(column, *kind))
                .collect::<Result<_, _>>()?;
            rows.extend((0..batch.num_rows()).map(|row| columns.iter().map(|cells| cells[row].clone()).collect()));
        }
        Ok(Self { kinds, rows }.sorted())
    }

    /// What psql prints unaligned, read as the other answer's columns are.
    pub fn of_lines(text: &str, like: &Answer) -> Result<Self, Error> {
        let cell = |text: &str, kind: &Kind| -> Result<Cell, Error> {
            Ok(match kind {
                _ if text.is_empty() => Cell::Null,
                Kind::Text => Cell::Text(text.to_owned()),
                Kind::Number => Cell::Number(text.parse()?),
                Kind::Time => {
                    let text = text.replace(' ', "T");
                    let time = gwbank_model::Timestamp::parse_rfc3339(&format!("{text}:00"));
                    Cell::Micros(time.ok_or_else(|| format!("{text:?} is no time"))?.as_micros())
                }
            })
        };
        let row = |line: &str| line.split('|').zip(&like.kinds).map(|(text, kind)| cell(text, kind)).collect();
        let rows = text.lines().map(row).collect::<Result<_, _>>()?;
        Ok(Self { kinds: like.kinds.clone(), rows }.sorted())
    }

    /// By what is no number first: numbers may differ in their last digits.
    fn sorted(mut self) -> Self {
        let kinds = self.kinds.clone();
        self.rows.sort_by(|a, b| {
            let keys = |wanted: bool| {
                a.iter()
                    .zip(b)
                    .zip(&kinds)
                    .filter(move |(_, kind)| (**kind == Kind::Number) == wanted)
                    .map(|(pair, _)| pair)
            };
            keys(false)
                .chain(keys(true))
                .map(|(a, b)| order(a, b))
                .find(|order| order.is_ne())
                .unwrap_or(std::cmp::Ordering::Equal)
        });
        self
    }
}

fn order(a: &Cell, b: &Cell) -> std::cmp::Ordering {
    match (a, b) {
        (Cell::Text(a), Cell::Text(b)) => a.cmp(b),
        (Cell::Micros(a), Cell::Micros(b)) => a.cmp(b),
        (Cell::Number(a), Cell::Number(b)) => a.total_cmp(b),
        (a, b) => (*a == Cell::Null).cmp(&(*b == Cell::Null)),
    }
}

fn kind(data_type: &DataType) -> Kind {
    match data_type {
        DataType::Utf8 | DataType::LargeUtf8 | DataType::Utf8View | DataType::Dictionary(..) => Kind::Text,
        DataType::Timestamp(..) | DataType::Date32 => Kind::Time,
        _ => Kind::Number,
    }
}

fn cells(column: &ArrayRef, kind: Kind) -> Result<Vec<Cell>, Error> {
    let utc = DataType::Timestamp(TimeUnit::Microsecond, None);
    Ok(match kind {
        Kind::Text => {
            let texts = cast(column, &DataType::Utf8)?;
            texts
                .as_string::<i32>()
                .iter()
                .map(|text| text.map_or(Cell::Null, |text| Cell::Text(text.to_owned())))
                .collect()
        }
        Kind::Time => {
            let times = cast(&cast(column, &utc)?, &DataType::Int64)?;
            times.as_primitive::<Int64Type>().iter().map(|time| time.map_or(Cell::Null, Cell::Micros)).collect()
        }
        Kind::Number => {
            let numbers = cast(column, &DataType::Float64)?;
            numbers.as_primitive::<Float64Type>().iter().map(|number| number.map_or(Cell::Null, Cell::Number)).collect()
        }
    })
}

/// An error that names the first place where they differ.
pub fn same(question: &str, ours: &Answer, theirs: &Answer) -> Result<(), Error> {
    if ours.rows.len() != theirs.rows.len() {
        return Err(format!("{question}: {} rows, of the peer {}", ours.rows.len(), theirs.rows.len()).into());
    }
    let alike = |(a, b): (&Cell, &Cell)| match (a, b) {
        (Cell::Number(a), Cell::Number(b)) => (a - b).abs() <= RELATIVE * a.abs().max(b.abs()).max(1.0),
        (a, b) => a == b,
    };
    let mut pairs = ours.rows.iter().zip(&theirs.rows);
    match pairs.find(|(a, b)| a.len() != b.len() || !a.iter().zip(*b).all(alike)) {
        Some((a, b)) => Err(format!("{question}: gwbank says {a:?}, the peer {b:?}").into()),
        None => Ok(()),
    }
}
