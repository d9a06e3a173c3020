//! Which readings are meant, as SQL says it.

use std::fmt::Write;
use std::sync::Arc;

use gwbank_model::{BANGKOK_OFFSET_SECONDS, Parameter, Timestamp};
use gwbank_registry::Well;

/// How much of a series is told.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Interval {
    /// Every reading.
    Raw,
    /// A row a civil day of Thailand.
    Daily,
    /// A row a month; its mean is that of daily means, so that a day with many readings weighs as any other.
    Monthly,
}

impl Interval {
    pub(crate) const ALL: [Interval; 3] = [Interval::Raw, Interval::Daily, Interval::Monthly];

    pub(crate) const fn name(self) -> &'static str {
        match self {
            Interval::Raw => "raw",
            Interval::Daily => "daily",
            Interval::Monthly => "monthly",
        }
    }
}

impl std::str::FromStr for Interval {
    type Err = ();
    fn from_str(name: &str) -> Result<Self, ()> {
        Self::ALL.into_iter().find(|interval| interval.name() == name).ok_or(())
    }
}

/// What an export is asked for.
#[derive(Debug, Clone)]
pub(crate) struct Selection {
    /// By id.
    pub(crate) wells: Vec<Arc<Well>>,
    /// Whether `wells` are all that there are, so that nobody has to list them.
    pub(crate) of_all_wells: bool,
    /// Empty: all.
    pub(crate) parameters: Vec<Parameter>,
    pub(crate) from: Option<Timestamp>,
    pub(crate) to: Option<Timestamp>,
    /// Quality flags; empty: all.
    pub(crate) qualities: Vec<u8>,
    pub(crate) approved_only: bool,
    pub(crate) interval: Interval,
}

/// Some of a selection.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Part {
    /// `None`: all.
    pub(super) wells: Option<Vec<String>>,
    /// Empty: all.
    pub(super) parameters: Vec<Parameter>,
    pub(super) from: Option<Timestamp>,
    pub(super) to: Option<Timestamp>,
}

impl Selection {
    /// How many readings each series of the part has, and when they begin and end.
    pub(super) fn count_sql(&self, part: &Part) -> String {
        format!(
            "SELECT well_id, parameter, count(*) AS n, min(time) AS first, max(time) AS last FROM readings{} \
             GROUP BY well_id, parameter ORDER BY well_id, parameter",
            self.conditions(part)
        )
    }

    /// The rows of the part. `units`: the parameters whose units may be needed.
    pub(super) fn rows_sql(&self, part: &Part, units: &[Parameter]) -> String {
        let (unit, conditions) = (unit_of(units), self.conditions(part));
        // The same statistics of a day and, of days, of a month.
        let days = format!(
            "SELECT well_id, parameter, bangkok_day(time) AS day, avg(value) AS mean, min(value) AS min, \
             max(value) AS max, sum(value) AS sum, count(value) AS count \
             FROM readings{conditions} GROUP BY well_id, parameter, bangkok_day(time)"
        );
        match self.interval {
            Interval::Raw => format!(
                "SELECT well_id, parameter, {unit}, time, value, quality, qc_tests, site_status, approval \
                 FROM readings{conditions} ORDER BY well_id, parameter, time"
            ),
            Interval::Daily => format!(
                "SELECT well_id, parameter, {unit}, day, mean, min, max, sum, count \
                 FROM ({days}) AS d ORDER BY well_id, parameter, day"
            ),
            Interval::Monthly => format!(
                "SELECT well_id, parameter, {unit}, CAST(date_trunc('month', day) AS DATE) AS month, \
                 avg(mean) AS mean, min(min) AS min, max(max) AS max, sum(sum) AS sum, sum(count) AS count, \
                 count(mean) AS days FROM ({days}) AS d \
                 GROUP BY well_id, parameter, CAST(date_trunc('month', day) AS DATE) \
                 ORDER BY well_id, parameter, month"
            ),
        }
    }

    fn conditions(&self, part: &Part) -> String {
        let mut conditions = Vec::new();
        if let Some(wells) = &part.wells {
            conditions.push(in_list("well_id", wells.iter().map(|id| quoted(id))));
        }
        if !part.parameters.is_empty() {
            conditions.push(in_list("parameter", part.parameters.iter().map(|parameter| quoted(parameter.name()))));
        }
        for (bound, operator) in [(part.from, ">="), (part.to, "<")] {
            if let Some(time) = bound {
                conditions.push(format!("time {operator} TIMESTAMP '{}'", time.to_rfc3339(0)));
            }
        }
        if !self.qualities.is_empty() {
            conditions.push(in_list("quality", self.qualities.iter().map(u8::to_string)));
        }
        if self.approved_only {
            conditions.push("approval = 'approved'".to_owned());
        }
        if conditions.is_empty() { String::new() } else { format!(" WHERE {}", conditions.join(" AND ")) }
    }
}

/// Ids contain no quotes by construction; doubling them costs nothing and survives a change of that rule.
fn quoted(text: &str) -> String {
    format!("'{}'", text.replace('\'', "''"))
}

fn in_list(column: &str, items: impl Iterator<Item = String>) -> String {
    let items: Vec<String> = items.collect();
    match items.as_slice() {
        [one] => format!("{column} = {one}"),
        several => format!("{column} IN ({})", several.join(", ")),
    }
}

fn unit_of(parameters: &[Parameter]) -> String {
    if parameters.is_empty() {
        return "CAST(NULL AS VARCHAR) AS unit".to_owned();
    }
    let mut sql = String::from("CASE parameter");
    for parameter in parameters {
        let _ = write!(sql, " WHEN '{parameter}' THEN '{}'", parameter.canonical_unit());
    }
    sql + " END AS unit"
}

/// The day in Thailand, for the name of a file.
pub(crate) fn day_of(time: Timestamp) -> String {
    time.to_rfc3339(BANGKOK_OFFSET_SECONDS).chars().take_while(|&c| c != 'T').collect()
}
