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
            assert_eq!(start(Bucket::Months { unit, offset_seconds: 25_200 }, "2026-11-22T00:00:00Z"), expected);
        }
    }
}
