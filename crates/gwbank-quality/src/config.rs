//! The limits of one series in strict mode.

use gwbank_model::{QcTests, Timestamp};

use crate::findings::Findings;

pub(crate) const MICROS_PER_HOUR: i64 = 3_600_000_000;
pub(crate) const MICROS_PER_DAY: i64 = 24 * MICROS_PER_HOUR;

/// How many readings back the rate of change looks for a usable one: past a spike and a missing value or two, but not so
/// far that a late reading would have us judge a long stretch anew.
pub(crate) const RATE_LOOKBACK_POINTS: usize = 4;

/// More unusable readings than this in a row end a flat run: what happened in between is unknown.
pub(crate) const FLAT_UNUSABLE_RUN_MAX: u8 = 3;

/// To be raised with every change of a rule that lets the same limits judge otherwise: stored readings are then judged anew.
const RULES_VERSION: u32 = 1;

#[derive(Debug, Clone, PartialEq, thiserror::Error)]
pub enum ConfigError {
    #[error("{limit} is not a number")]
    NotANumber { limit: &'static str },
    #[error("{limit} must not be negative")]
    Negative { limit: &'static str },
    #[error("{limit}: the minimum is above the maximum")]
    Reversed { limit: &'static str },
}

/// From `min` to `max`, both inside.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Span {
    pub min: f64,
    pub max: f64,
}

impl Span {
    pub const fn new(min: f64, max: f64) -> Self {
        Self { min, max }
    }
    pub const fn contains(self, value: f64) -> bool {
        self.min <= value && value <= self.max
    }
    fn validate(self, limit: &'static str) -> Result<(), ConfigError> {
        if self.min.is_nan() || self.max.is_nan() {
            return Err(ConfigError::NotANumber { limit });
        }
        if self.min > self.max {
            return Err(ConfigError::Reversed { limit });
        }
        Ok(())
    }
}

#[derive(Debug, Clone, Copy, PartialEq)]
pub struct GrossRange {
    /// What the sensor can say; outside, the value fails.
    pub sensor: Span,
    /// What is expected here; outside, the value is suspect.
    pub user: Span,
}

impl GrossRange {
    /// Whether the test finds nothing about a value.
    pub const fn passes(self, value: f64) -> bool {
        self.sensor.contains(value) && self.user.contains(value)
    }
}

/// How a limit on a difference grows with the time between readings.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Growth {
    Constant,
    /// With √(hours), constant below one hour. Groundwater wanders like a random walk between rain and recession, so that
    /// one limit serves readings of every 15 minutes, every day and every month.
    SquareRootOfHours,
}

#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Spike {
    pub suspect: f64,
    pub fail: f64,
    /// Raises both limits to at least this share of the value expected from the neighbours (the fail limit in proportion).
    pub relative: f64,
    pub growth: Growth,
    /// Neighbours further away than this say nothing.
    pub gap_max_micros: i64,
}

#[derive(Debug, Clone, Copy, PartialEq)]
pub struct RateOfChange {
    pub suspect_per_hour: f64,
    pub fail_per_hour: Option<f64>,
    /// Shorter times count as this long: noise and resolution of a sensor divided by seconds are no rate.
    pub elapsed_min_micros: i64,
    pub gap_max_micros: i64,
}

/// For how long nothing may move.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Standstill {
    pub span_micros: i64,
    /// And over how many usable readings: a weekly reading may stand still for long.
    pub readings_min: u32,
}

#[derive(Debug, Clone, Copy, PartialEq)]
pub struct FlatLine {
    pub suspect: Option<Standstill>,
    pub fail: Option<Standstill>,
    /// Values stand still while max − min ≤ tolerance. (ioos_qc asks for <, so that its default 0 never flags; here 0 means
    /// exactly equal.) Values are compared on a grid of a sixteenth of the tolerance.
    pub tolerance: f64,
    /// A longer time without a usable reading ends the run.
    pub gap_max_micros: i64,
}

/// The longest silence that is usual in the series. The reading after a longer one is suspect ("or of high interest").
///
/// QARTOD's test 1 compares the newest reading with the clock, and gives the absent data flag 9. A flag that depends on
/// when it was computed would not be the same tomorrow; so the silence is told by what ends it. The reading itself is as
/// good as any: the test is run only where a well's configuration asks for it, while reports always name the gaps.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Gap {
    /// Time from one reading to the next. A reading without a value arrived, too, and ends the silence.
    pub silence_max_micros: i64,
}

/// What is expected of each month of the year; outside, a value is suspect. Never fail: the manual gives the test no such
/// flag, as a climate has extremes. A month without limits is not evaluated.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Climatology {
    /// January first. Both limits are inside.
    pub months: [Option<Span>; 12],
    /// Of the calendar that the months are of.
    pub zone_offset_seconds: i32,
}

impl Climatology {
    /// The limits at a time.
    pub fn limits_at(&self, time: Timestamp) -> Option<Span> {
        let month = time.month(self.zone_offset_seconds).month_of_year();
        self.months.get(usize::try_from(month).ok()?.checked_sub(1)?).copied().flatten()
    }
}

/// Too little movement over a window, as of a sensor in silt or a clogged screen: max − min of all usable readings for at
/// least the span (and the number of readings) is within `range_min`.
///
/// The manual allows a standard deviation or a range. A range needs no memory of all the window's values, so that a stream
/// can judge it; the mode `ioos` has both. As with a flat line, disturbed and dry readings end the window.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct AttenuatedSignal {
    pub suspect: Option<Standstill>,
    pub fail: Option<Standstill>,
    /// A window that moves by more is alive. Values are compared on a grid of an eighth of it.
    pub range_min: f64,
    /// A longer time without a usable reading ends the window.
    pub gap_max_micros: i64,
}

/// Where a sensor ends: what it says there does not move and is no flat line.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Floor {
    AtOrAbove(f64),
    AtOrBelow(f64),
}

impl Floor {
    pub fn reached_by(self, value: f64) -> bool {
        match self {
            Floor::AtOrAbove(floor) => value >= floor,
            Floor::AtOrBelow(floor) => value <= floor,
        }
    }
}

/// The limits of one series. `None` = the test is not run.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct SeriesConfig {
    pub gross_range: Option<GrossRange>,
    pub spike: Option<Spike>,
    pub rate_of_change: Option<RateOfChange>,
    pub flat_line: Option<FlatLine>,
    pub floor: Option<Floor>,
    /// Only by configuration: see [`Gap`].
    pub gap: Option<Gap>,
    /// Only by configuration: nobody knows a well's seasons beforehand.
    pub climatology: Option<Box<Climatology>>,
    /// Only by configuration: how much a well moves depends on its aquifer.
    pub attenuated_signal: Option<AttenuatedSignal>,
    /// Tests that make every value of the series suspect, such as `location` or `uncompensated`.
    pub objections: QcTests,
    /// What a second look found, such as `level_shift` or `neighbour`: objections of stretches of time.
    pub findings: Findings,
}

/// How far the flags of readings depend on one another, in time order.
///
/// - A reading that is new, changed or gone at `t` can alter only flags of the readings in
///   `[t, t + after_micros]`, of `points_after` readings beyond, and of the one reading before `t`.
/// - To assess a reading at `t` as if all were known, the readings in `[t − before_micros, t]` are needed, `points_before`
///   readings before those, and the one reading after `t`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Reach {
    pub before_micros: i64,
    pub points_before: usize,
    pub after_micros: i64,
    pub points_after: usize,
}

impl SeriesConfig {
    /// See [`Reach`]. Reaches are symmetric: what a reading needs before it is what it alters after it.
    pub fn reach(&self) -> Reach {
        // The rate of change looks back so many readings, and the last of them may be a spike by the one before it.
        let mut points = RATE_LOOKBACK_POINTS + 1;
        let mut micros = 0;
        let flat = self.flat_line.map(|flat| (flat.suspect, flat.fail, flat.gap_max_micros));
        let attenuated = self.attenuated_signal.map(|signal| (signal.suspect, signal.fail, signal.gap_max_micros));
        for (suspect, fail, gap_max_micros) in flat.into_iter().chain(attenuated) {
            for standstill in suspect.iter().chain(&fail) {
                // Of so many readings in a row at least `readings_min` are usable, or the run would have ended.
                let usable_every = usize::from(FLAT_UNUSABLE_RUN_MAX) + 1;
                points = points.max(usable_every.saturating_mul(standstill.readings_min as usize + 1));
                micros = micros.max(standstill.span_micros.saturating_add(gap_max_micros));
            }
        }
        Reach { before_micros: micros, points_before: points, after_micros: micros, points_after: points }
    }

    /// Stands for these limits and the rules that judge by them: whoever was judged under another one may be judged
    /// otherwise now.
    pub fn fingerprint(&self) -> u64 {
        // The text of all limits names every field and gives each number exactly.
        gwbank_model::fingerprint(format!("{RULES_VERSION} {self:?}").as_bytes())
    }

    /// The widest tolerance of the tests that follow runs of values (flat line, attenuated signal); `None` where there is no
    /// such test. Values that differ by more than twice this cannot be of one run, so that a few readings of a well that
    /// moves are all the context that is needed: six or more in a row of which usable ones differ so much, stand between a
    /// reading and all that is beyond them, whatever [`Self::reach`] allows for.
    pub fn run_tolerance(&self) -> Option<f64> {
        let flat = self.flat_line.as_ref().map(|flat| flat.tolerance);
        let attenuated = self.attenuated_signal.as_ref().map(|signal| signal.range_min);
        flat.into_iter().chain(attenuated).reduce(f64::max)
    }

    /// Refuses limits that mean nothing. The defaults pass; configurations from outside are to be checked.
    pub fn validate(&self) -> Result<(), ConfigError> {
        self.problems().into_iter().next().map_or(Ok(()), Err)
    }

    /// Every limit that means nothing.
    pub fn problems(&self) -> Vec<ConfigError> {
        let mut checks = Vec::new();
        if let Some(gross) = &self.gross_range {
            checks.push(gross.sensor.validate("gross_range.sensor"));
            checks.push(gross.user.validate("gross_range.user"));
        }
        if let Some(spike) = &self.spike {
            checks.push(not_negative("spike.suspect", spike.suspect));
            checks.push(not_negative("spike.fail", spike.fail));
            checks.push(not_negative("spike.relative", spike.relative));
            checks.push(not_negative("spike.gap_max", spike.gap_max_micros as f64));
        }
        if let Some(rate) = &self.rate_of_change {
            checks.push(not_negative("rate_of_change.suspect_per_hour", rate.suspect_per_hour));
            checks.push(not_negative("rate_of_change.fail_per_hour", rate.fail_per_hour.unwrap_or_default()));
            checks.push(not_negative("rate_of_change.elapsed_min", rate.elapsed_min_micros as f64));
            checks.push(not_negative("rate_of_change.gap_max", rate.gap_max_micros as f64));
        }
        if let Some(flat) = &self.flat_line {
            checks.push(not_negative("flat_line.tolerance", flat.tolerance));
            checks.push(not_negative("flat_line.gap_max", flat.gap_max_micros as f64));
            let standstills = flat.suspect.iter().chain(&flat.fail);
            checks.extend(standstills.map(|still| not_negative("flat_line.span", still.span_micros as f64)));
        }
        if let Some(gap) = &self.gap {
            checks.push(not_negative("gap.silence_max", gap.silence_max_micros as f64));
        }
        if let Some(climatology) = &self.climatology {
            let months = climatology.months.iter().zip(CLIMATOLOGY_MONTHS);
            checks.extend(months.filter_map(|(span, limit)| Some((*span)?.validate(limit))));
        }
        if let Some(signal) = &self.attenuated_signal {
            checks.push(not_negative("attenuated_signal.range_min", signal.range_min));
            checks.push(not_negative("attenuated_signal.gap_max", signal.gap_max_micros as f64));
            let standstills = signal.suspect.iter().chain(&signal.fail);
            checks.extend(standstills.map(|still| not_negative("attenuated_signal.span", still.span_micros as f64)));
        }
        checks.into_iter().filter_map(Result::err).collect()
    }
}

const CLIMATOLOGY_MONTHS: [&str; 12] = [
    "climatology.january",
    "climatology.february",
    "climatology.march",
    "climatology.april",
    "climatology.may",
    "climatology.june",
    "climatology.july",
    "climatology.august",
    "climatology.september",
    "climatology.october",
    "climatology.november",
    "climatology.december",
];

fn not_negative(limit: &'static str, value: f64) -> Result<(), ConfigError> {
    match value {
        v if v.is_nan() => Err(ConfigError::NotANumber { limit }),
        v if v < 0.0 => Err(ConfigError::Negative { limit }),
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use gwbank_model::Parameter;

    #[test]
    fn defaults_pass_and_nonsense_is_refused() {
        for &parameter in Parameter::ALL {
            assert_eq!(SeriesConfig::default_for(parameter).validate(), Ok(()), "{parameter}");
        }
        let mut config = SeriesConfig::default_for(Parameter::DepthToWater);
        config.spike.as_mut().unwrap().suspect = f64::NAN;
        assert_eq!(config.validate(), Err(ConfigError::NotANumber { limit: "spike.suspect" }));
        config.spike = None;
        config.flat_line.as_mut().unwrap().tolerance = -1.0;
        assert_eq!(config.validate(), Err(ConfigError::Negative { limit: "flat_line.tolerance" }));
        config.gross_range = Some(GrossRange { sensor: Span::new(1.0, 0.0), user: Span::new(0.0, 1.0) });
        assert_eq!(config.validate(), Err(ConfigError::Reversed { limit: "gross_range.sensor" }));
    }
}
