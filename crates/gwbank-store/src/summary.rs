//! Sums of readings by series and stretch of time, made where the readings lie.

use std::sync::Arc;

use arrow::datatypes::{DataType, Field, Schema, SchemaRef};
use gwbank_model::{Key, QualityFlag, Timestamp};

use crate::schema::{reading_schema, timestamp_type};

/// How time is cut. A bucket is named by its first instant.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Bucket {
    /// Of one width, in microseconds, one of them beginning at the origin.
    Width { micros: i64, origin_micros: i64 },
    /// Calendar months, quarters or years of a zone that is so far east of UTC.
    Months { unit: MonthUnit, offset_seconds: i32 },
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum MonthUnit {
    Month,
    Quarter,
    Year,
}

impl MonthUnit {
    pub const fn months(self) -> i32 {
        match self {
            MonthUnit::Month => 1,
            MonthUnit::Quarter => 3,
            MonthUnit::Year => 12,
        }
    }

    pub fn of_months(months: i32) -> Option<Self> {
        [MonthUnit::Month, MonthUnit::Quarter, MonthUnit::Year].into_iter().find(|unit| unit.months() == months)
    }
}

impl Bucket {
    pub fn start_of(self, time: Timestamp) -> Timestamp {
        match self {
            Bucket::Width { micros, origin_micros } => {
                if let Some(since) = time.as_micros().checked_sub(origin_micros) {
                    // The same, where numbers are not at their ends: a division of twice the width takes several times as long.
                    let start = (since - since.rem_euclid(micros)).checked_add(origin_micros);
                    return Timestamp::from_micros(start.unwrap_or(i64::MIN));
                }
                let since = i128::from(time.as_micros()) - i128::from(origin_micros);
                let start = since.div_euclid(i128::from(micros)) * i128::from(micros) + i128::from(origin_micros);
                Timestamp::from_micros(i64::try_from(start).unwrap_or(i64::MIN))
            }
            Bucket::Months { unit, offset_seconds } => {
                let month = time.month(offset_seconds);
                month.plus(-(month.month_of_year() as i32 - 1).rem_euclid(unit.months())).start(offset_seconds)
            }
        }
    }

    /// The bucket of an instant: from its first to the first of the next.
    pub fn around(self, time: Timestamp) -> (Timestamp, Timestamp) {
        let start = self.start_of(time);
        let next = match self {
            Bucket::Width { micros, .. } => Timestamp::from_micros(start.as_micros().saturating_add(micros)),
            Bucket::Months { unit, offset_seconds } => {
                start.month(offset_seconds).plus(unit.months()).start(offset_seconds)
            }
        };
        (start, next)
    }
}

/// What is told of a group.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Measure {
    /// Readings, with a value or without.
    Rows,
    /// Readings with a value.
    Values,
    /// Of the values; null where there are none, as the following two.
    Sum,
    Least,
    Greatest,
}

impl Measure {
    pub const fn name(self) -> &'static str {
        match self {
            Measure::Rows => "rows",
            Measure::Values => "values",
            Measure::Sum => "sum",
            Measure::Least => "least",
            Measure::Greatest => "greatest",
        }
    }

    pub const fn is_count(self) -> bool {
        matches!(self, Measure::Rows | Measure::Values)
    }
}

/// What to tell of the winners that a [`ScanRequest`](crate::ScanRequest) wants. A group may be told in several rows, by
/// parts.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Summary {
    /// By well and parameter, too.
    pub by_series: bool,
    pub bucket: Option<Bucket>,
    /// At least one.
    pub measures: Vec<Measure>,
    /// Readings without a value are not counted, and make no group.
    pub with_value: bool,
    /// `None` is all.
    pub qualities: Option<Vec<QualityFlag>>,
    /// Keys to leave out.
    pub without: Arc<[Key]>,
}

impl Summary {
    /// `well_id` and `parameter`, `time`, and the measures, as far as they are asked for.
    pub fn schema(&self) -> SchemaRef {
        let readings = reading_schema();
        let mut fields: Vec<Field> = Vec::new();
        if self.by_series {
            fields.extend(
                ["well_id", "parameter"]
                    .map(|name| readings.field_with_name(name).expect("a column of readings").clone()),
            );
        }
        if self.bucket.is_some() {
            fields.push(Field::new("time", timestamp_type(), false));
        }
        fields.extend(self.measures.iter().map(|measure| {
            let kind = if measure.is_count() { DataType::Int64 } else { DataType::Float64 };
            Field::new(measure.name(), kind, !measure.is_count())
        }));
        Arc::new(Schema::new(fields))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn buckets_begin_where_calendars_say() {
        let time = |text: &str| Timestamp::parse_rfc3339(text).unwrap();
        let start = |bucket: Bucket, text: &str| bucket.start_of(time(text)).to_rfc3339(0);
        let day = Bucket::Width { micros: 86_400_000_000, origin_micros: -7 * 3_600_000_000 };
        assert_eq!(start(day, "1969-12-31T16:59:59Z"), "1969-12-30T17:00:00Z");
        assert_eq!(start(day, "2026-11-22T17:00:00Z"), "2026-11-22T17:00:00Z");
        for (unit, expected) in [
            (MonthUnit::Month, "2026-10-31T17:00:00Z"),
            (MonthUnit::Quarter, "2026-09-30T17:00:00Z"),
            (MonthUnit::Year, "2025-12-31T17:00:00Z"),
        ] {
            let bucket = Bucket::Months { unit, offset_seconds: 25_200 };
            assert_eq!(start(bucket, "2026-11-22T00:00:00Z"), expected);
            let (first, next) = bucket.around(time("2026-11-22T00:00:00Z"));
            assert_eq!((first, bucket.start_of(next)), (time(expected), next));
            assert_eq!(bucket.start_of(Timestamp::from_micros(next.as_micros() - 1)), first);
        }
        let (first, next) = day.around(time("2026-11-22T17:00:00Z"));
        assert_eq!([first, next].map(|time| time.to_rfc3339(0)), ["2026-11-22T17:00:00Z", "2026-11-23T17:00:00Z"]);
    }
}
