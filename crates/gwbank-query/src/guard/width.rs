//! How much a batch makes of the memory of an operator that repeats its rows.

use arrow::array::{Array, RecordBatch};
use arrow::datatypes::DataType;
use datafusion::error::Result;

use super::measure::{content_bytes, list_lengths, widest};
use super::{BATCH_ROWS, Guard};

/// Elements of lists are moved, not repeated: a number is as good as any.
const ELEMENT_BYTES: u64 = 8;

/// Bytes that repeating a row takes, for the widest row. Texts by view are shared, not copied.
pub(super) fn repeated_row(batch: &RecordBatch) -> u64 {
    batch.columns().iter().map(|column| repeated(column)).sum()
}

fn repeated(column: &dyn Array) -> u64 {
    match column.data_type() {
        DataType::Utf8View | DataType::BinaryView => size_of::<u128>() as u64,
        _ => widest(column),
    }
}

/// Cuts a batch so that unnesting a piece makes about a batch of it; an error where one row makes too much.
pub(super) fn unnested_pieces(batch: &RecordBatch, lists: &[usize], guard: &Guard) -> Result<Vec<RecordBatch>> {
    let rows = unnested_rows(batch, lists);
    let mut pieces = Vec::new();
    let (mut start, mut together) = (0, 0u64);
    for (row, &made) in rows.iter().enumerate() {
        if row > start && together.saturating_add(made) > BATCH_ROWS {
            pieces.push(batch.slice(start, row - start));
            (start, together) = (row, 0);
        }
        together = together.saturating_add(made);
    }
    pieces.push(batch.slice(start, batch.num_rows() - start));
    for piece in &pieces {
        let made: u64 = unnested_rows(piece, lists).into_iter().fold(0, u64::saturating_add);
        let is_list = |column: &usize| lists.contains(column);
        let row: u64 = (0..piece.num_columns())
            .map(|column| if is_list(&column) { ELEMENT_BYTES } else { repeated(piece.column(column)) })
            .sum();
        guard.check_bytes(made.saturating_mul(row)).map_err(|error| error.into_engine())?;
    }
    Ok(pieces)
}

/// Rows that unnesting makes of each row, or more.
fn unnested_rows(batch: &RecordBatch, lists: &[usize]) -> Vec<u64> {
    let mut rows = vec![1; batch.num_rows()];
    for &column in lists {
        let column = batch.column(column);
        let Some(lengths) = list_lengths(column) else { continue };
        for (row, (rows, length)) in rows.iter_mut().zip(lengths).enumerate() {
            // A list of lists may become as many rows as it has elements at the bottom.
            let below = if is_of_lists(column.data_type()) { content_bytes(&column.slice(row, 1)) / 8 } else { 0 };
            *rows = length.max(below).max(*rows);
        }
    }
    rows
}

fn is_of_lists(list: &DataType) -> bool {
    match list {
        DataType::List(element) | DataType::LargeList(element) | DataType::FixedSizeList(element, _) => {
            matches!(element.data_type(), DataType::List(_) | DataType::LargeList(_) | DataType::FixedSizeList(..))
        }
        _ => false,
    }
}
