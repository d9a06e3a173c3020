//! A plan as `EXPLAIN ANALYZE` shows it, without what watches over it.

use std::sync::Arc;

use arrow::array::{ArrayRef, AsArray, RecordBatch, StringArray};
use arrow::datatypes::DataType;

use super::exec::GuardedExec;

/// Levels of a plan are told apart by so many spaces.
const INDENT: usize = 2;

/// The same rows, with the lines of guards left out of their texts.
pub(crate) fn without_guards(batch: &RecordBatch) -> RecordBatch {
    let columns = batch.columns().iter().map(|column| match column.data_type() {
        DataType::Utf8 => {
            let texts = column.as_string::<i32>();
            Arc::new(texts.iter().map(|text| text.map(plan_without_guards)).collect::<StringArray>()) as ArrayRef
        }
        _ => column.clone(),
    });
    RecordBatch::try_new(batch.schema(), columns.collect()).unwrap_or_else(|_| batch.clone())
}

fn plan_without_guards(text: &str) -> String {
    // Indents of the guards that the line stands below.
    let mut above: Vec<usize> = Vec::new();
    let mut shown = String::with_capacity(text.len());
    for line in text.split_inclusive('\n') {
        let indent = line.len() - line.trim_start_matches(' ').len();
        above.retain(|guard| *guard < indent);
        if line[indent..].starts_with(GuardedExec::NAME) {
            above.push(indent);
        } else {
            shown.push_str(&line[(above.len() * INDENT).min(indent)..]);
        }
    }
    shown
}

#[cfg(test)]
mod tests {
    use super::plan_without_guards;

    #[test]
    fn guards_are_left_out_and_what_is_below_moves_up() {
        let plan = "GuardedExec, metrics=[]\n  SortExec: a\n    GuardedExec, metrics=[]\n      JoinExec\n        GuardedExec\n          \
                    Left\n        GuardedExec\n          Right\n";
        assert_eq!(plan_without_guards(plan), "SortExec: a\n  JoinExec\n    Left\n    Right\n");
        assert_eq!(plan_without_guards("no plan"), "no plan");
    }
}
