//! How much a batch makes of the memory of an operator that repeats its rows.

use arrow::array::{Array, RecordBatch};
use arrow::datatypes::DataType;
use datafusion::error::Result;

use super::measure::{content_bytes, list_lengths, widest};
use super::{BATCH_ROWS, Guard};

/// Bytes of the widest row.
pub(super) fn widest_row(batch: &RecordBatch) -> u64 {
    batch.columns().iter().map(|column| widest(column)).sum()
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
        let most = unnested_rows(piece, lists).into_iter().max().unwrap_or(0).max(BATCH_ROWS.min(together));
        let is_list = |column: &usize| lists.contains(column);
        let repeated: u64 = (0..piece.num_columns())
            .map(|column| if is_list(&column) { 8 } else { widest(piece.column(column)) })
            .sum();
        guard.check_bytes(most.saturating_mul(repeated)).map_err(|error| error.into_engine())?;
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
