//! Climatology as ioos_qc has it: spans of values for spans of time, applied in order.

use gwbank_model::{QualityFlag, Timestamp};

use crate::config::Span;

/// What the bounds of a member count.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Period {
    /// Instants; the bounds are seconds since 1970.
    Instant,
    /// 1 to 12.
    Month,
    /// 1 to 366.
    DayOfYear,
    Year,
}

/// Limits of a span of time. Both bounds of all spans are inside.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Member {
    pub period: Period,
    pub from: i64,
    pub to: i64,
    pub suspect: Span,
    pub fail: Option<Span>,
}

/// Unknown where no member speaks of the time; where several do, the last one counts. Times in UTC.
///
/// Kept as it is there: with a member of a period other than instants, a missing value comes out good, in whatever month.
///
/// ```
/// use gwbank_model::{QualityFlag, Timestamp};
/// use gwbank_quality::Span;
/// use gwbank_quality::ioos::{Member, Period, climatology};
///
/// let may = Member { period: Period::Month, from: 5, to: 5, suspect: Span::new(2.0, 4.0), fail: None };
/// let times = ["2026-05-31T23:00:00Z", "2026-05-31T23:30:00Z", "2026-06-01T00:00:00Z"].map(|time| {
///     Timestamp::parse_rfc3339(time).unwrap()
/// });
/// let flags = climatology(&[may], &times, &[3.0, 4.5, 4.5]);
/// assert_eq!(flags, [QualityFlag::Pass, QualityFlag::Suspect, QualityFlag::NotEvaluated]);
/// ```
pub fn climatology(members: &[Member], times: &[Timestamp], values: &[f64]) -> Vec<QualityFlag> {
    let any_period = members.iter().any(|member| member.period != Period::Instant);
    let missing = if any_period { QualityFlag::Pass } else { QualityFlag::Missing };
    let judge = |time: Timestamp, value: f64| {
        let speaks = |member: &&Member| {
            let at = member.period.of(time);
            member.from <= at && at <= member.to
        };
        match members.iter().rfind(speaks) {
            None => QualityFlag::NotEvaluated,
            Some(member) if member.fail.is_some_and(|fail| !fail.contains(value)) => QualityFlag::Fail,
            Some(member) if !member.suspect.contains(value) => QualityFlag::Suspect,
            Some(_) => QualityFlag::Pass,
        }
    };
    let readings = times.iter().zip(values);
    readings.map(|(&time, &value)| if value.is_nan() { missing } else { judge(time, value) }).collect()
}

impl Period {
    fn of(self, time: Timestamp) -> i64 {
        let day = time.day(0);
        match self {
            Period::Instant => time.as_secs(),
            Period::Month => day.month().month_of_year().into(),
            Period::Year => day.month().year().into(),
            Period::DayOfYear => i64::from(day.0 - gwbank_model::Month::new(day.month().year(), 1).first_day().0) + 1,
        }
    }
}
