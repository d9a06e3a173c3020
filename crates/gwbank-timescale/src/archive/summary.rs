//! A summary as a statement.

use gwbank_model::Timestamp;
use gwbank_store::{Bucket, Measure, MonthUnit, Summary};

use super::numbers::Numbers;
use super::scan::EARLIEST;

/// Keys that a statement leaves out one by one; with more of them, rows are scanned.
pub(super) const WITHOUT_MAX: usize = 1000;

/// What is selected, in the order of [`Summary::schema`] with a series as one field, and how it is grouped.
pub(super) struct Statement {
    pub fields: String,
    /// To be joined by AND.
    pub conditions: Vec<String>,
    /// Empty where everything is one group.
    pub group_by: String,
}

/// The text is made of numbers, instants and codes alone.
pub(super) fn statement(summary: &Summary, numbers: &Numbers) -> Statement {
    let mut fields: Vec<String> = Vec::new();
    if summary.by_series {
        fields.push("series_id".to_owned());
    }
    fields.extend(summary.bucket.map(start));
    let groups: Vec<String> = (1..=fields.len()).map(|place| place.to_string()).collect();
    fields.extend(summary.measures.iter().map(|measure| field(*measure).to_owned()));
    let mut conditions: Vec<String> = Vec::new();
    if summary.with_value {
        conditions.push("value IS NOT NULL".to_owned());
    }
    if let Some(qualities) = &summary.qualities {
        let codes: Vec<String> = qualities.iter().map(|quality| quality.code().to_string()).collect();
        conditions.push(format!("quality = ANY('{{{}}}'::smallint[])", codes.join(",")));
    }
    let without = summary.without.iter().filter_map(|key| {
        let number = numbers.series(key.series)?;
        Some(format!("({number},'{}'::timestamptz)", key.time))
    });
    let without: Vec<String> = without.collect();
    if !without.is_empty() {
        conditions.push(format!("(series_id, time) NOT IN ({})", without.join(",")));
    }
    let group_by = if groups.is_empty() { String::new() } else { format!("GROUP BY {}", groups.join(", ")) };
    Statement { fields: fields.join(", "), conditions, group_by }
}

fn field(measure: Measure) -> &'static str {
    match measure {
        Measure::Rows => "count(*)",
        Measure::Values => "count(value)",
        Measure::Sum => "sum(value)",
        Measure::Least => "min(value)",
        Measure::Greatest => "max(value)",
    }
}

fn start(bucket: Bucket) -> String {
    match bucket {
        Bucket::Width { micros, origin_micros } => {
            // Before all readings, as releases of PostgreSQL differ in what lies before an origin.
            let since = i128::from(origin_micros) - i128::from(EARLIEST.as_micros());
            let origin = i128::from(EARLIEST.as_micros()) + since.rem_euclid(i128::from(micros)) - i128::from(micros);
            let origin = Timestamp::from_micros(i64::try_from(origin).unwrap_or(i64::MIN));
            // A timestamp of the year 1 BC has no text that both sides write alike.
            let (from, shift) = (EARLIEST, EARLIEST.micros_since(origin));
            format!(
                "date_bin('{micros} microseconds'::interval, time, '{from}'::timestamptz - '{shift} microseconds'::interval)"
            )
        }
        Bucket::Months { unit, offset_seconds } => {
            let unit = match unit {
                MonthUnit::Month => "month",
                MonthUnit::Quarter => "quarter",
                MonthUnit::Year => "year",
            };
            match offset_seconds {
                0 => format!("date_trunc('{unit}', time, 'UTC')"),
                offset => format!(
                    "date_trunc('{unit}', time + '{offset} seconds'::interval, 'UTC') - '{offset} seconds'::interval"
                ),
            }
        }
    }
}
