//! Readings in, flags out: the types of the strict mode and its tests on single and neighbouring readings.

use gwbank_model::{QcTest, QcTests, QualityFlag, SiteStatus, Timestamp};

use crate::config::{Growth, MICROS_PER_HOUR, RateOfChange, SeriesConfig, Spike};
use crate::stream::Stream;

/// What the tests see of a reading.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Point {
    pub time: Timestamp,
    /// In the canonical unit; `None` (or NaN) is missing.
    pub value: Option<f64>,
    pub site_status: Option<SiteStatus>,
}

impl Point {
    pub(crate) fn present(&self) -> Option<f64> {
        self.value.filter(|value| !value.is_nan())
    }

    /// Whether the level at that time was made by something else than the aquifer, so that differences say nothing.
    pub(crate) fn is_disturbed(&self) -> bool {
        match self.site_status {
            None | Some(SiteStatus::Ok | SiteStatus::Flowing) => false,
            Some(
                SiteStatus::Dry
                | SiteStatus::Pumping
                | SiteStatus::RecentlyPumped
                | SiteStatus::NearbyPumping
                | SiteStatus::Obstructed
                | SiteStatus::Maintenance,
            ) => true,
        }
    }
}

/// The rolled-up judgement of one reading.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Assessment {
    pub flag: QualityFlag,
    pub tests: QcTests,
}

/// The flag of each test.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TestFlags {
    pub syntax: QualityFlag,
    pub gross_range: QualityFlag,
    pub spike: QualityFlag,
    pub rate_of_change: QualityFlag,
    pub flat_line: QualityFlag,
    pub gap: QualityFlag,
    pub climatology: QualityFlag,
    pub attenuated_signal: QualityFlag,
    /// Tests of the whole series that object.
    pub objections: QcTests,
}

impl TestFlags {
    pub(crate) const MISSING: TestFlags = TestFlags {
        syntax: QualityFlag::Missing,
        gross_range: QualityFlag::Missing,
        spike: QualityFlag::Missing,
        rate_of_change: QualityFlag::Missing,
        flat_line: QualityFlag::Missing,
        gap: QualityFlag::Missing,
        climatology: QualityFlag::Missing,
        attenuated_signal: QualityFlag::Missing,
        objections: QcTests::NONE,
    };

    /// The worst of all tests, and which of them found suspect or fail.
    pub fn assessment(&self) -> Assessment {
        // Without branches, as `QualityFlag::worst` says it: this is done for every live reading.
        let mut found = 0u16;
        let mut tests = self.objections.bits();
        for (test, flag) in self.by_test() {
            found |= 1 << flag.code();
            tests |= u16::from(objects(flag)) << test.code();
        }
        if self.objections != QcTests::NONE {
            let says = if self.objections.contains(QcTest::Review) { QualityFlag::Fail } else { QualityFlag::Suspect };
            found |= 1 << says.code();
        }
        let among = |flag: QualityFlag| found & 1 << flag.code() != 0;
        let worst_first = [QualityFlag::Fail, QualityFlag::Suspect, QualityFlag::Pass, QualityFlag::NotEvaluated];
        let flag = worst_first.into_iter().find(|&flag| among(flag)).unwrap_or(QualityFlag::Missing);
        Assessment { flag, tests: QcTests::from_bits(tests) }
    }

    /// The tests that judge single readings, with what they found.
    pub const fn by_test(&self) -> [(QcTest, QualityFlag); 8] {
        [
            (QcTest::Syntax, self.syntax),
            (QcTest::GrossRange, self.gross_range),
            (QcTest::Spike, self.spike),
            (QcTest::RateOfChange, self.rate_of_change),
            (QcTest::FlatLine, self.flat_line),
            (QcTest::Gap, self.gap),
            (QcTest::Climatology, self.climatology),
            (QcTest::AttenuatedSignal, self.attenuated_signal),
        ]
    }
}

/// One reading's flags test by test.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Detail {
    pub flags: TestFlags,
    pub assessment: Assessment,
}

/// Judges readings in order of time, each time once.
pub fn assess(config: &SeriesConfig, points: &[Point]) -> Vec<Assessment> {
    assess_detailed(config, points).into_iter().map(|detail| detail.assessment).collect()
}

/// As [`assess`], test by test.
pub fn assess_detailed(config: &SeriesConfig, points: &[Point]) -> Vec<Detail> {
    let mut stream = Stream::new(config.clone());
    let mut details: Vec<Detail> = Vec::with_capacity(points.len());
    for &point in points {
        // Readings out of order are judged alone and have no successor, so the last detail is the stream's last reading's
        // unless the caller broke the rule; then the flags stay defined, but those of a neighbour may stay unset.
        let in_order = stream.last_time().is_none_or(|last| point.time > last);
        let (flags, before) = stream.push_detailed(point);
        if let (true, Some(before), Some(last)) = (in_order, before, details.last_mut()) {
            *last = Detail { flags: before, assessment: before.assessment() };
        }
        details.push(Detail { flags, assessment: flags.assessment() });
    }
    details
}

pub(crate) const fn objects(flag: QualityFlag) -> bool {
    matches!(flag, QualityFlag::Suspect | QualityFlag::Fail)
}

/// A usable reading, as neighbour of another.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Neighbour {
    pub time: Timestamp,
    pub value: f64,
}

pub(crate) fn gross_range(config: &SeriesConfig, value: f64) -> QualityFlag {
    match &config.gross_range {
        None => QualityFlag::NotEvaluated,
        Some(gross) if !gross.sensor.contains(value) => QualityFlag::Fail,
        Some(gross) if !gross.user.contains(value) => QualityFlag::Suspect,
        Some(_) => QualityFlag::Pass,
    }
}

/// Of a usable value.
pub(crate) fn climatology(config: &SeriesConfig, time: Timestamp, value: f64) -> QualityFlag {
    match config.climatology.as_ref().and_then(|climatology| climatology.limits_at(time)) {
        None => QualityFlag::NotEvaluated,
        Some(limits) if !limits.contains(value) => QualityFlag::Suspect,
        Some(_) => QualityFlag::Pass,
    }
}

/// Of a reading with a value; the first of a series is not evaluated.
pub(crate) fn gap(config: &SeriesConfig, before: Option<Timestamp>, time: Timestamp) -> QualityFlag {
    match (&config.gap, before) {
        (Some(limit), Some(before)) if time.micros_since(before) > limit.silence_max_micros => QualityFlag::Suspect,
        (Some(_), Some(_)) => QualityFlag::Pass,
        _ => QualityFlag::NotEvaluated,
    }
}

pub(crate) fn spike(limits: &Spike, before: Neighbour, at: Neighbour, after: Neighbour) -> QualityFlag {
    let since = at.time.micros_since(before.time);
    let until = after.time.micros_since(at.time);
    if since > limits.gap_max_micros || until > limits.gap_max_micros {
        return QualityFlag::NotEvaluated;
    }
    let (up, down) = (at.value - before.value, at.value - after.value);
    if up * down <= 0.0 {
        return QualityFlag::Pass; // no extremum: a rise, a recession or a step
    }
    let nearer = up.abs().min(down.abs());
    if 2.0 * nearer <= limits.suspect {
        return QualityFlag::Pass; // the limits only grow from here on
    }
    let (since, until) = (since as f64, until as f64);
    let expected = before.value + (after.value - before.value) * (since / (since + until));
    let deviation = (at.value - expected).abs();
    let statistic = deviation.min(2.0 * nearer);
    let growth = match limits.growth {
        Growth::Constant => 1.0,
        // The uncertainty between two fixed points goes with the harmonic mean of the two times (a Brownian bridge).
        Growth::SquareRootOfHours => (2.0 * since * until / (since + until) / MICROS_PER_HOUR as f64).max(1.0).sqrt(),
    };
    let raise = if limits.suspect > 0.0 { (limits.relative * expected.abs() / limits.suspect).max(1.0) } else { 1.0 };
    judge(statistic, limits.suspect * raise * growth, Some(limits.fail * raise * growth))
}

pub(crate) fn rate_of_change(limits: &RateOfChange, before: Neighbour, at: Neighbour) -> QualityFlag {
    let elapsed = at.time.micros_since(before.time);
    if elapsed > limits.gap_max_micros {
        return QualityFlag::NotEvaluated;
    }
    let hours = elapsed.max(limits.elapsed_min_micros).max(1) as f64 / MICROS_PER_HOUR as f64;
    judge((at.value - before.value).abs() / hours, limits.suspect_per_hour, limits.fail_per_hour)
}

fn judge(statistic: f64, suspect: f64, fail: Option<f64>) -> QualityFlag {
    if fail.is_some_and(|fail| statistic > fail) {
        QualityFlag::Fail
    } else if statistic > suspect {
        QualityFlag::Suspect
    } else {
        QualityFlag::Pass
    }
}
