//! Readings of one series as they were known earlier: from the versions, without SQL.

use arrow::array::{Array, AsArray};
use arrow::datatypes::{Float64Type, Int64Type, TimestampMicrosecondType};
use futures::StreamExt;
use gwbank_model::{Parameter, Seq, SiteStatus, Timestamp, WellId};

use crate::engine::QueryEngine;
use crate::error::QueryError;
use crate::readings::{ReadingFilter, ReadingsExec, Table, Wanted};

/// A reading as it was known at some time.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct EarlierValue {
    pub time: Timestamp,
    pub value: Option<f64>,
    pub site_status: Option<SiteStatus>,
}

impl QueryEngine {
    /// The readings of a series, from ≤ time < to, as they were for who knew everything up to a position; in any order.
    ///
    /// A version held its place from its own sequence to that of the version which superseded it.
    pub async fn known_earlier(
        &self,
        well: &WellId,
        parameter: Parameter,
        from: Timestamp,
        to: Timestamp,
        known: Seq,
    ) -> Result<Vec<EarlierValue>, QueryError> {
        let shared = self.shared();
        let filter = ReadingFilter {
            from: (from != Timestamp::MIN).then(|| from.as_micros()),
            to: (to != Timestamp::MAX).then(|| to.as_micros()),
            wells: Some([well.as_str().to_owned()].into()),
            parameters: Some([parameter.name().to_owned()].into()),
            values: None,
        };
        let cut = shared.read_cut();
        let mut found = Vec::new();
        for (table, columns) in [
            (Table::Readings, &["time", "value", "site_status", "seq"][..]),
            (Table::Revisions, &["time", "value", "site_status", "seq", "superseded_seq"][..]),
        ] {
            let place = |name: &&str| table.columns().iter().position(|(column, _)| column == name).expect("a column");
            let outputs: Vec<usize> = columns.iter().map(place).collect();
            let plan = ReadingsExec::plan(table, Wanted::All, cut.clone(), filter.clone(), &outputs, None, 1).await?;
            for partition in 0..plan.partitions() {
                let mut batches = plan.stream(partition).map_err(|error| shared.translate(&error))?;
                while let Some(batch) = batches.next().await {
                    let batch = batch.map_err(|error| shared.translate(&error))?;
                    let times = batch.column(0).as_primitive::<TimestampMicrosecondType>().values();
                    let values = batch.column(1).as_primitive::<Float64Type>();
                    let statuses = batch.column(2).as_string_view();
                    let seqs = batch.column(3).as_primitive::<Int64Type>().values();
                    let ends = batch.columns().get(4).map(|column| column.as_primitive::<Int64Type>().values());
                    let held = |row: &usize| {
                        seqs[*row] <= known.as_i64() && ends.is_none_or(|ends| ends[*row] > known.as_i64())
                    };
                    found.extend((0..batch.num_rows()).filter(held).map(|row| EarlierValue {
                        time: Timestamp::from_micros(times[row]),
                        value: values.is_valid(row).then(|| values.value(row)),
                        site_status:
                            statuses.is_valid(row).then(|| SiteStatus::from_name(statuses.value(row))).flatten(),
                    }));
                }
            }
        }
        Ok(found)
    }
}
