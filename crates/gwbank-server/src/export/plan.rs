//! Which series a selection has, and the statements that read them in pieces.

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;

use arrow::array::{AsArray, RecordBatch};
use arrow::compute::cast;
use arrow::datatypes::{DataType, Int64Type, TimeUnit};
use arrow::error::ArrowError;
use futures::StreamExt;
use futures::stream::{self, BoxStream};
use gwbank_model::{Parameter, Timestamp};
use gwbank_registry::Well;

use super::READINGS_AT_ONCE;
use super::selection::{Interval, Part, Selection};
use crate::doors::{SqlAnswer, SqlError, SqlErrorKind};
use crate::state::App;

/// Wells that one statement names: some tens of KiB of text at the longest ids, within what a statement may have.
const WELLS_AT_ONCE: usize = 500;

/// A series of the selection that has readings.
#[derive(Debug, Clone)]
pub(crate) struct PlannedSeries {
    pub(crate) well: Arc<Well>,
    pub(crate) parameter: Parameter,
    pub(crate) readings: u64,
    pub(crate) first: Timestamp,
    pub(crate) last: Timestamp,
}

/// What an export will read.
#[derive(Debug)]
pub(crate) struct Plan {
    pub(crate) selection: Selection,
    /// In the order in which they are read: by well and name of the parameter.
    pub(crate) series: Vec<PlannedSeries>,
}

impl Plan {
    /// Asks which series there are and how much they have.
    pub(crate) async fn make(app: &App, user: &str, selection: Selection) -> Result<Self, SqlError> {
        let mut series = Vec::new();
        for part in count_parts(&selection) {
            let mut batches = app.sql.query(user, &selection.count_sql(&part)).await?.batches;
            while let Some(batch) = batches.next().await {
                append_series(&selection, &batch?, &mut series).map_err(unexpected_columns)?;
            }
        }
        Ok(Self { selection, series })
    }

    pub(crate) fn readings(&self) -> u64 {
        self.series.iter().map(|series| series.readings).sum()
    }

    /// The statements in the order of their rows; one without rows where there is no series, for the columns.
    pub(crate) fn statements(&self) -> VecDeque<String> {
        let mut units: Vec<Parameter> = self.series.iter().map(|series| series.parameter).collect();
        units.sort_unstable();
        units.dedup();
        let statements: VecDeque<String> =
            self.parts().iter().map(|part| self.selection.rows_sql(part, &units)).collect();
        if !statements.is_empty() {
            return statements;
        }
        let nothing = Part { wells: Some(vec![String::new()]), parameters: Vec::new(), from: None, to: None };
        VecDeque::from([self.selection.rows_sql(&nothing, &units)])
    }

    /// Each of at most [`READINGS_AT_ONCE`] readings, or of one well, or of one series, or of a stretch of one.
    fn parts(&self) -> Vec<Part> {
        let to = self.series.iter().map(|series| series.last.plus_micros(1)).max();
        let part = |wells: Vec<String>, parameters: Vec<Parameter>| Part {
            wells: Some(wells),
            parameters,
            from: self.selection.from,
            to: to.into_iter().chain(self.selection.to).min(),
        };
        let mut parts = Vec::new();
        let (mut wells, mut readings) = (Vec::new(), 0);
        for of_well in self.series.chunk_by(|a, b| a.well.well_id == b.well.well_id) {
            let of_this: u64 = of_well.iter().map(|series| series.readings).sum();
            if !wells.is_empty() && (readings + of_this > READINGS_AT_ONCE || wells.len() == WELLS_AT_ONCE) {
                parts.push(part(std::mem::take(&mut wells), self.selection.parameters.clone()));
                readings = 0;
            }
            let id = || of_well[0].well.well_id.to_string();
            if of_this <= READINGS_AT_ONCE {
                wells.push(id());
                readings += of_this;
                continue;
            }
            for series in of_well {
                let whole = part(vec![id()], vec![series.parameter]);
                parts.extend(self.stretches(series, whole));
            }
        }
        if !wells.is_empty() {
            parts.push(part(wells, self.selection.parameters.clone()));
        }
        parts
    }

    /// Decades of minutes are read stretch by stretch. Days and months are not cut, and their groups are few.
    fn stretches(&self, series: &PlannedSeries, whole: Part) -> Vec<Part> {
        let count = series.readings.div_ceil(READINGS_AT_ONCE);
        if count <= 1 || self.selection.interval != Interval::Raw {
            return vec![whole];
        }
        let (first, span) = (series.first, i128::from(series.last.micros_since(series.first)));
        // As much time each: readings come evenly enough.
        let cut = |index: u64| {
            let micros = span * i128::from(index) / i128::from(count);
            first.plus_micros(i64::try_from(micros).unwrap_or(i64::MAX))
        };
        let stretch = |index: u64| Part {
            from: if index == 0 { whole.from } else { Some(cut(index)) },
            to: if index + 1 == count { whole.to } else { Some(cut(index + 1)) },
            ..whole.clone()
        };
        (0..count).map(stretch).collect()
    }
}

fn count_parts(selection: &Selection) -> Vec<Part> {
    let part = |wells: Option<Vec<String>>| Part {
        wells,
        parameters: selection.parameters.clone(),
        from: selection.from,
        to: selection.to,
    };
    if selection.of_all_wells {
        return vec![part(None)];
    }
    let ids = |wells: &[Arc<Well>]| wells.iter().map(|well| well.well_id.to_string()).collect();
    selection.wells.chunks(WELLS_AT_ONCE).map(|wells| part(Some(ids(wells)))).collect()
}

fn append_series(
    selection: &Selection,
    batch: &RecordBatch,
    series: &mut Vec<PlannedSeries>,
) -> Result<(), ArrowError> {
    let micros = |column: usize| {
        let times = cast(batch.column(column), &DataType::Timestamp(TimeUnit::Microsecond, Some("UTC".into())))?;
        cast(&times, &DataType::Int64)
    };
    let ids = cast(batch.column(0), &DataType::Utf8)?;
    let parameters = cast(batch.column(1), &DataType::Utf8)?;
    let counts = cast(batch.column(2), &DataType::Int64)?;
    let (firsts, lasts) = (micros(3)?, micros(4)?);
    for row in 0..batch.num_rows() {
        let id = ids.as_string::<i32>().value(row);
        // A well that is registered while the export begins is not part of it.
        let Ok(place) = selection.wells.binary_search_by(|well| well.well_id.as_str().cmp(id)) else { continue };
        let Some(parameter) = Parameter::from_name(parameters.as_string::<i32>().value(row)) else { continue };
        let number = |column: &arrow::array::ArrayRef| column.as_primitive::<Int64Type>().value(row);
        series.push(PlannedSeries {
            well: selection.wells[place].clone(),
            parameter,
            readings: u64::try_from(number(&counts)).unwrap_or(0),
            first: Timestamp::from_micros(number(&firsts)),
            last: Timestamp::from_micros(number(&lasts)),
        });
    }
    Ok(())
}

pub(super) fn unexpected_columns(error: ArrowError) -> SqlError {
    SqlError::new(SqlErrorKind::Internal, format!("columns of an export: {error}"))
}

/// How often, and after which pause, a statement in the midst of an export that finds no place is tried again: far longer than
/// a dashboard's burst of queries. The first one is not; it fails with a status.
const TRIES: u32 = 120;
const PAUSE: Duration = Duration::from_secs(1);

/// The rows of all statements, one statement after the other, with the columns of the first.
pub(crate) async fn batches(
    app: &Arc<App>,
    user: &str,
    mut statements: VecDeque<String>,
) -> Result<SqlAnswer, SqlError> {
    let Some(first) = statements.pop_front() else {
        return Err(SqlError::new(SqlErrorKind::Internal, "an export without a statement"));
    };
    let SqlAnswer { schema, batches } = app.sql.query(user, &first).await?;

    struct Reading {
        app: Arc<App>,
        user: String,
        statements: VecDeque<String>,
        /// `None` after an error.
        batches: Option<BoxStream<'static, Result<RecordBatch, SqlError>>>,
    }
    let start = Reading { app: app.clone(), user: user.to_owned(), statements, batches: Some(batches) };
    let all = stream::unfold(start, |mut reading| async move {
        loop {
            let batches = reading.batches.as_mut()?;
            match batches.next().await {
                Some(Ok(batch)) if batch.num_rows() == 0 => {}
                Some(Ok(batch)) => return Some((Ok(batch), reading)),
                Some(Err(error)) => {
                    reading.batches = None;
                    return Some((Err(error), reading));
                }
                None => {
                    let statement = reading.statements.pop_front()?;
                    match ask_again(&reading.app, &reading.user, &statement).await {
                        Ok(answer) => reading.batches = Some(answer.batches),
                        Err(error) => {
                            reading.batches = None;
                            return Some((Err(error), reading));
                        }
                    }
                }
            }
        }
    });
    // Writers may ask again after the end.
    Ok(SqlAnswer { schema, batches: all.fuse().boxed() })
}

async fn ask_again(app: &App, user: &str, statement: &str) -> Result<SqlAnswer, SqlError> {
    for _ in 1..TRIES {
        match app.sql.query(user, statement).await {
            Err(error) if is_full(&error) => tokio::time::sleep(PAUSE).await,
            answered => return answered,
        }
    }
    app.sql.query(user, statement).await
}

/// Whether too many queries ran.
fn is_full(error: &SqlError) -> bool {
    matches!(&error.kind, SqlErrorKind::Limit(limit) if limit.starts_with("concurrent") || limit == "waiting")
}

#[cfg(test)]
mod tests {
    use gwbank_model::WellId;
    use gwbank_registry::BankType;

    use super::*;

    fn selection(ids: &[&str]) -> Selection {
        let well = |id: &&str| Arc::new(Well::new(WellId::new(id).unwrap(), "30", BankType::Observation));
        Selection {
            wells: ids.iter().map(well).collect(),
            of_all_wells: true,
            parameters: Vec::new(),
            from: None,
            to: None,
            qualities: Vec::new(),
            approved_only: false,
            interval: Interval::Raw,
        }
    }

    fn series(selection: &Selection, well: usize, parameter: Parameter, readings: u64) -> PlannedSeries {
        let (first, last) = (Timestamp::from_secs(0), Timestamp::from_secs(1_000_000));
        PlannedSeries { well: selection.wells[well].clone(), parameter, readings, first, last }
    }

    #[test]
    fn small_wells_are_read_together_and_large_series_in_stretches() {
        let selection = selection(&["A", "B", "C", "D"]);
        let of = |well, parameter, readings| series(&selection, well, parameter, readings);
        let plan = Plan {
            series: vec![
                of(0, Parameter::DepthToWater, 100),
                of(1, Parameter::DepthToWater, 100),
                of(2, Parameter::DepthToWater, 3 * READINGS_AT_ONCE),
                of(2, Parameter::WaterTemperature, 10),
                of(3, Parameter::DepthToWater, READINGS_AT_ONCE),
            ],
            selection: selection.clone(),
        };
        let parts = plan.parts();
        let wells: Vec<String> = parts.iter().map(|part| part.wells.as_ref().unwrap().join("+")).collect();
        assert_eq!(wells, ["A+B", "C", "C", "C", "C", "D"]);
        // Stretches meet: nothing is left out and nothing is read twice.
        let bounds: Vec<_> = parts[1..4].iter().map(|part| (part.from, part.to)).collect();
        assert_eq!(bounds[0].0, None);
        assert!(bounds[0].1.is_some() && bounds[0].1 == bounds[1].0 && bounds[1].1 == bounds[2].0);
        assert_eq!(bounds[2].1, Some(Timestamp::from_secs(1_000_000).plus_micros(1)));
        assert_eq!(parts[4].parameters, [Parameter::WaterTemperature]);
        assert!(plan.statements().iter().all(|sql| sql.contains(" ORDER BY well_id, parameter, time")));
    }

    #[test]
    fn days_and_months_are_not_cut() {
        for interval in [Interval::Daily, Interval::Monthly] {
            let selection = Selection { interval, ..selection(&["A"]) };
            let long = series(&selection, 0, Parameter::Rainfall, 9 * READINGS_AT_ONCE);
            assert_eq!(Plan { series: vec![long], selection }.statements().len(), 1);
        }
    }

    #[test]
    fn a_selection_without_readings_still_has_columns() {
        let plan = Plan { series: Vec::new(), selection: selection(&["A"]) };
        assert_eq!(plan.statements().len(), 1);
        assert!(plan.statements()[0].contains("well_id = ''"));
    }

    #[test]
    fn what_is_selected_is_said_in_sql() {
        let selection = Selection {
            of_all_wells: false,
            parameters: vec![Parameter::DepthToWater],
            from: Some(Timestamp::from_secs(0)),
            qualities: vec![1, 2],
            approved_only: true,
            ..selection(&["A", "B"])
        };
        let sql = selection.count_sql(&count_parts(&selection)[0]);
        for expected in [
            "well_id IN ('A', 'B')",
            "parameter = 'depth_to_water'",
            "time >= TIMESTAMP '1970-01-01T00:00:00",
            "quality IN (1, 2)",
            "approval = 'approved'",
        ] {
            assert!(sql.contains(expected), "{expected}: {sql}");
        }
    }
}
