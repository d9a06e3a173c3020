//! Writing results to standard output, where a reader may go away at any time.

use std::io::{ErrorKind, Write};
use std::sync::Arc;

use arrow::array::{ArrayRef, RecordBatch, StringArray};
use arrow::util::pretty::pretty_format_batches;

use crate::failure::Outcome;
use crate::terminal;

pub use gwbank_notice::grouped;

/// Writes text for people; a closed pipe (`| head`) is no error.
pub fn print(text: &str) -> Outcome {
    write_all(&mut std::io::stdout().lock(), terminal::lines(text).as_bytes())
}

pub fn line(text: &str) -> Outcome {
    print(&format!("{text}\n"))
}

/// Writes bytes as they are.
pub fn write_all(to: &mut impl Write, bytes: &[u8]) -> Outcome {
    match to.write_all(bytes).and_then(|()| to.flush()) {
        Err(error) if error.kind() != ErrorKind::BrokenPipe => Err(error.into()),
        _ => Ok(()),
    }
}

/// A table with aligned columns; Thai text takes the width that it has on the screen.
pub fn table(headers: &[&str], rows: Vec<Vec<String>>) -> Outcome {
    let columns: Vec<ArrayRef> = (0..headers.len())
        .map(|column| {
            let texts: StringArray =
                rows.iter().map(|row| row.get(column).map(|text| terminal::one_line(text))).collect();
            Arc::new(texts) as ArrayRef
        })
        .collect();
    let batch = RecordBatch::try_from_iter(headers.iter().copied().zip(columns))?;
    line(&pretty_format_batches(&[batch])?.to_string())
}

/// A value of a JSON document as one cell.
pub fn cell(value: &serde_json::Value) -> String {
    match value {
        serde_json::Value::Null => String::new(),
        serde_json::Value::String(text) => terminal::one_line(text).into_owned(),
        other => other.to_string(),
    }
}
