//! The limits of a check by hand: one set of numbers for both modes, as the tools around ioos_qc write them.
//!
//! A row has the columns of the configuration of `gwbank quality check`. In mode `ioos` it means what ioos_qc makes of it;
//! in `strict` the same numbers stand for what they were meant to say:
//!
//! - Ranges and spike limits are taken as they are; a spike limit does not grow with the interval.
//! - A rate "per second" is no statement on seconds: the limit of 0.1 m an hour is broken by a change of more than 0.1 m
//!   within an hour, not by a millimetre of noise between readings 5 s apart. Shorter times count as an hour.
//! - The spans of the flat line are real time. The tolerance itself is still (ioos_qc: moves).

use gwbank_model::{QcTests, QualityFlag, Timestamp};

use crate::config::{
    ConfigError, FlatLine, GrossRange, Growth, MICROS_PER_DAY, MICROS_PER_HOUR, RateOfChange, SeriesConfig, Span,
    Spike, Standstill,
};
use crate::ioos::{self, SpikeMethod};

/// In the unit of the series.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct CheckLimits {
    pub fail: Span,
    pub suspect: Span,
    pub spike_suspect: f64,
    pub spike_fail: f64,
    pub rate_suspect_per_second: f64,
    pub rate_fail_per_second: f64,
    pub flat_suspect_seconds: i64,
    pub flat_fail_seconds: i64,
    pub flat_tolerance: f64,
}

/// The flags of a series test by test in mode `ioos`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct IoosFlags {
    pub gross_range: Vec<QualityFlag>,
    /// By the distance from the mean of the neighbours.
    pub spike: Vec<QualityFlag>,
    pub spike_differential: Vec<QualityFlag>,
    pub rate_of_change: Vec<QualityFlag>,
    pub flat_line: Vec<QualityFlag>,
    /// Of gross range, spike, rate of change and flat line.
    pub rollup: Vec<QualityFlag>,
}

impl CheckLimits {
    /// All tests of mode `ioos`. `values` and `times` are of the same readings in order of time, NaN is missing.
    ///
    /// ```
    /// use gwbank_model::{QualityFlag, Timestamp};
    /// use gwbank_quality::{CheckLimits, Span};
    ///
    /// let limits = CheckLimits {
    ///     fail: Span::new(0.0, 20.0),
    ///     suspect: Span::new(1.0, 10.0),
    ///     spike_suspect: 0.05,
    ///     spike_fail: 0.15,
    ///     rate_suspect_per_second: 1.0,
    ///     rate_fail_per_second: 2.0,
    ///     flat_suspect_seconds: 3_600,
    ///     flat_fail_seconds: 7_200,
    ///     flat_tolerance: 0.001,
    /// };
    /// let times: Vec<Timestamp> = (0..4).map(|i| Timestamp::from_secs(i * 900)).collect();
    /// let flags = limits.ioos(&times, &[3.0, 3.1, 3.01, 12.0]);
    /// assert_eq!(flags.spike[1], QualityFlag::Suspect);
    /// assert_eq!(flags.rollup[3], QualityFlag::Suspect, "outside the suspect range");
    /// ```
    pub fn ioos(&self, times: &[Timestamp], values: &[f64]) -> IoosFlags {
        let gross_range = ioos::gross_range(values, self.suspect, self.fail);
        let spike = ioos::spike(values, SpikeMethod::Average, self.spike_suspect, self.spike_fail);
        let rate_of_change =
            ioos::rate_of_change(times, values, self.rate_suspect_per_second, self.rate_fail_per_second);
        let (suspect, fail) = (self.flat_suspect_seconds, self.flat_fail_seconds);
        let flat_line = ioos::flat_line(times, values, suspect, fail, self.flat_tolerance);
        let rollup = ioos::roll_up(&[&gross_range, &spike, &rate_of_change, &flat_line]);
        let spike_differential = ioos::spike(values, SpikeMethod::Differential, self.spike_suspect, self.spike_fail);
        IoosFlags { gross_range, spike, spike_differential, rate_of_change, flat_line, rollup }
    }

    /// The same limits for mode `strict`; refuses what means nothing.
    pub fn strict(&self) -> Result<SeriesConfig, ConfigError> {
        let per_hour = MICROS_PER_HOUR as f64 / 1e6;
        let standstill =
            |seconds: i64| Some(Standstill { span_micros: seconds.saturating_mul(1_000_000), readings_min: 2 });
        let config = SeriesConfig {
            gross_range: Some(GrossRange { sensor: self.fail, user: self.suspect }),
            spike: Some(Spike {
                suspect: self.spike_suspect,
                fail: self.spike_fail,
                relative: 0.0,
                growth: Growth::Constant,
                gap_max_micros: 100 * MICROS_PER_DAY,
            }),
            rate_of_change: Some(RateOfChange {
                suspect_per_hour: self.rate_suspect_per_second * per_hour,
                fail_per_hour: Some(self.rate_fail_per_second * per_hour),
                elapsed_min_micros: MICROS_PER_HOUR,
                gap_max_micros: 100 * MICROS_PER_DAY,
            }),
            flat_line: Some(FlatLine {
                suspect: standstill(self.flat_suspect_seconds),
                fail: standstill(self.flat_fail_seconds),
                tolerance: self.flat_tolerance,
                gap_max_micros: 3 * MICROS_PER_DAY,
            }),
            objections: QcTests::NONE,
            ..SeriesConfig::default()
        };
        config.validate()?;
        Ok(config)
    }
}
