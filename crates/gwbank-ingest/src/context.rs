//! How much of a series around a reading its quality depends on.
//!
//! [`SeriesConfig::reach`] bounds it: for levels 33 days, because of the flat line. Mostly far less is enough. A flat run
//! is a run of values within a tolerance: between a reading and anything earlier there can be none once the values in
//! between differ by more. So a few readings that move settle the matter, and only a series that stands still is looked
//! at over the whole reach.

use gwbank_model::{QcTest, Row, SiteStatus, Timestamp};
use gwbank_quality::{Findings, GrossRange, SeriesConfig};

/// Readings that spike and rate of change look at, and one more.
const NEAR_POINTS: usize = 6;

/// Whether a stretch of a series, told reading by reading, keeps what is beyond it from mattering on its other side.
#[derive(Debug, Clone)]
pub(crate) struct Barrier {
    tolerance: Option<f64>,
    reach_micros: i64,
    reach_points: usize,
    points: usize,
    min: f64,
    max: f64,
    /// What a value lies in that counts. Not as a row's flag says: that may be of other limits.
    range: Option<GrossRange>,
    /// Nor does one count that was rejected.
    findings: Findings,
}

impl Barrier {
    pub(crate) fn new(config: &SeriesConfig) -> Self {
        let reach = config.reach();
        Self {
            tolerance: config.run_tolerance(),
            reach_micros: reach.before_micros.max(reach.after_micros),
            reach_points: reach.points_before.max(reach.points_after),
            points: 0,
            min: f64::INFINITY,
            max: f64::NEG_INFINITY,
            range: config.gross_range,
            findings: config.findings.clone(),
        }
    }

    /// Lengthens the stretch by a reading.
    pub(crate) fn add(&mut self, row: &Row) {
        self.points += 1;
        let undisturbed = matches!(row.site_status, None | Some(SiteStatus::Ok | SiteStatus::Flowing));
        let in_range = self.range.is_none_or(|range| range.passes(row.value));
        let is_rejected = !self.findings.is_empty() && self.findings.at(row.time).contains(QcTest::Review);
        if !row.value.is_nan() && undisturbed && in_range && !is_rejected {
            self.min = self.min.min(row.value);
            self.max = self.max.max(row.value);
        }
    }

    /// Whether the stretch so far is one.
    pub(crate) fn stands(&self) -> bool {
        // Twice the tolerance: values are compared on a grid.
        let moves = self.tolerance.is_none_or(|tolerance| self.max - self.min > 2.0 * tolerance);
        self.points >= NEAR_POINTS && moves
    }

    fn of(config: &SeriesConfig, rows: &[Row]) -> Self {
        let mut barrier = Self::new(config);
        rows.iter().for_each(|row| barrier.add(row));
        barrier
    }
}

/// Whether rows before a time, the ones next to it, are enough to judge what follows.
pub(crate) fn is_enough_before(config: &SeriesConfig, at: Timestamp, rows: &[Row]) -> bool {
    let barrier = Barrier::of(config, rows);
    let from = at.plus_micros(-barrier.reach_micros);
    barrier.stands() || rows.iter().filter(|row| row.time < from).count() >= barrier.reach_points
}

/// Whether rows after a time, the ones next to it, are all that a change there can alter.
pub(crate) fn is_enough_after(config: &SeriesConfig, at: Timestamp, rows: &[Row]) -> bool {
    let barrier = Barrier::of(config, rows);
    let to = at.plus_micros(barrier.reach_micros);
    barrier.stands() || rows.iter().filter(|row| row.time > to).count() >= barrier.reach_points
}

/// A stretch of time, both ends included.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Span {
    pub(crate) from: Timestamp,
    pub(crate) to: Timestamp,
}

/// Readings this close are assessed together. Any value gives the same result; this one is about as many readings of a
/// usual logger as an assessment looks at on both sides of a single one.
const TOGETHER_MICROS: i64 = 6 * 3600 * 1_000_000;

/// Groups rising times.
pub(crate) fn clusters(times: impl IntoIterator<Item = Timestamp>) -> Vec<Span> {
    let mut spans: Vec<Span> = Vec::new();
    for time in times {
        match spans.last_mut() {
            Some(span) if time.micros_since(span.to) <= TOGETHER_MICROS => span.to = time,
            _ => spans.push(Span { from: time, to: time }),
        }
    }
    spans
}
