//! How limits by name change a [`SeriesConfig`].

use gwbank_model::QcTest;

use super::limits::MONTHS;
use super::{
    AttenuatedSignalLimits, ClimatologyLimits, FlatLineLimits, GrossRangeLimits, OverrideError, RateOfChangeLimits,
    SeriesOverrides, SpikeLimits, TestName,
};
use crate::config::{
    AttenuatedSignal, Climatology, ConfigError, FlatLine, Floor, Gap, GrossRange, Growth, MICROS_PER_DAY,
    MICROS_PER_HOUR, RateOfChange, SeriesConfig, Span, Spike, Standstill,
};

/// Months are of this zone unless `utc_offset_hours` says otherwise: Thailand's.
const UTC_OFFSET_HOURS: f64 = 7.0;

impl SeriesOverrides {
    /// Changes what it can, and tells all that is wrong.
    pub(super) fn apply(&self, config: &mut SeriesConfig, section: &str) -> Vec<OverrideError> {
        let mut faults = self.number_faults(section);
        for TestName(test) in &self.off {
            match test {
                QcTest::GrossRange => config.gross_range = None,
                QcTest::Spike => config.spike = None,
                QcTest::RateOfChange => config.rate_of_change = None,
                QcTest::FlatLine => config.flat_line = None,
                QcTest::Gap => config.gap = None,
                QcTest::Climatology => config.climatology = None,
                QcTest::AttenuatedSignal => config.attenuated_signal = None,
                _ => {}
            }
        }
        let missing = |key: &str, mend: &str| OverrideError {
            section: section.to_owned(),
            key: key.to_owned(),
            problem: "is missing, and the parameter has no default".to_owned(),
            mend: mend.to_owned(),
        };
        self.gross_range(config);
        for (done, key, mend) in [
            (self.spike(config), "spike.suspect", "say from where on a spike is suspect"),
            (self.rate_of_change(config), "rate_of_change.suspect_per_hour", "say from where on a change is suspect"),
            (self.flat_line(config), "flat_line.tolerance", "say by how much still values may differ"),
            (self.attenuated_signal(config), "attenuated_signal.range_min", "say by how much the values move at least"),
        ] {
            if done.is_none() {
                faults.push(missing(key, mend));
            }
        }
        if let Some(hours) = self.gap.silence_max_hours {
            config.gap = Some(Gap { silence_max_micros: micros(hours, MICROS_PER_HOUR) });
        }
        match (self.floor.at_or_above, self.floor.at_or_below) {
            (Some(floor), None) => config.floor = Some(Floor::AtOrAbove(floor)),
            (None, Some(floor)) => config.floor = Some(Floor::AtOrBelow(floor)),
            (None, None) => {}
            _ => {
                let problem = "has two ends".to_owned();
                faults.push(OverrideError { problem, ..missing("floor", "give at_or_above or at_or_below") });
            }
        }
        faults.extend(self.climatology(config).into_iter().map(|month| {
            let key = format!("climatology.{month}");
            OverrideError { problem: "has one limit of two".to_owned(), ..missing(&key, "give min and max") }
        }));
        faults.extend(config.problems().iter().map(|error| refused(section, error)));
        faults
    }

    fn gross_range(&self, config: &mut SeriesConfig) {
        let limits = self.gross_range;
        if limits == GrossRangeLimits::default() {
            return;
        }
        let everything = Span::new(f64::NEG_INFINITY, f64::INFINITY);
        let gross = config.gross_range.get_or_insert(GrossRange { sensor: everything, user: everything });
        for (limit, value) in [
            (&mut gross.sensor.min, limits.sensor_min),
            (&mut gross.sensor.max, limits.sensor_max),
            (&mut gross.user.min, limits.user_min),
            (&mut gross.user.max, limits.user_max),
        ] {
            *limit = value.unwrap_or(*limit);
        }
    }

    /// `None` where the main limit of the test is missing.
    fn spike(&self, config: &mut SeriesConfig) -> Option<()> {
        let limits = self.spike;
        if limits == SpikeLimits::default() {
            return Some(());
        }
        let own = || {
            let suspect = limits.suspect?;
            let growth = Growth::SquareRootOfHours;
            Some(Spike { suspect, fail: 10.0 * suspect, relative: 0.0, growth, gap_max_micros: 100 * MICROS_PER_DAY })
        };
        let mut spike = config.spike.or_else(own)?;
        spike.suspect = limits.suspect.unwrap_or(spike.suspect);
        spike.fail = limits.fail.unwrap_or(spike.fail);
        spike.relative = limits.relative_share.unwrap_or(spike.relative);
        spike.gap_max_micros = hours_or(limits.gap_max_hours, spike.gap_max_micros);
        if let Some(grows) = limits.grows_with_hours {
            spike.growth = if grows == 0.0 { Growth::Constant } else { Growth::SquareRootOfHours };
        }
        config.spike = Some(spike);
        Some(())
    }

    fn rate_of_change(&self, config: &mut SeriesConfig) -> Option<()> {
        let limits = self.rate_of_change;
        if limits == RateOfChangeLimits::default() {
            return Some(());
        }
        let own = || {
            Some(RateOfChange {
                suspect_per_hour: limits.suspect_per_hour?,
                fail_per_hour: None,
                elapsed_min_micros: MICROS_PER_HOUR / 12,
                gap_max_micros: 100 * MICROS_PER_DAY,
            })
        };
        let mut rate = config.rate_of_change.or_else(own)?;
        rate.suspect_per_hour = limits.suspect_per_hour.unwrap_or(rate.suspect_per_hour);
        rate.fail_per_hour = limits.fail_per_hour.or(rate.fail_per_hour);
        let elapsed = limits.elapsed_min_minutes.map(|minutes| micros(minutes, MICROS_PER_HOUR / 60));
        rate.elapsed_min_micros = elapsed.unwrap_or(rate.elapsed_min_micros);
        rate.gap_max_micros = hours_or(limits.gap_max_hours, rate.gap_max_micros);
        config.rate_of_change = Some(rate);
        Some(())
    }

    fn flat_line(&self, config: &mut SeriesConfig) -> Option<()> {
        let limits = self.flat_line;
        if limits == FlatLineLimits::default() {
            return Some(());
        }
        let own = || {
            let tolerance = limits.tolerance?;
            Some(FlatLine { suspect: None, fail: None, tolerance, gap_max_micros: 3 * MICROS_PER_DAY })
        };
        let mut flat = config.flat_line.or_else(own)?;
        flat.tolerance = limits.tolerance.unwrap_or(flat.tolerance);
        flat.suspect = standstill(flat.suspect, limits.suspect_hours, limits.suspect_readings_min);
        flat.fail = standstill(flat.fail, limits.fail_hours, limits.fail_readings_min);
        flat.gap_max_micros = hours_or(limits.gap_max_hours, flat.gap_max_micros);
        config.flat_line = Some(flat);
        Some(())
    }

    fn attenuated_signal(&self, config: &mut SeriesConfig) -> Option<()> {
        let limits = self.attenuated_signal;
        if limits == AttenuatedSignalLimits::default() {
            return Some(());
        }
        let own = || {
            let range_min = limits.range_min?;
            Some(AttenuatedSignal { suspect: None, fail: None, range_min, gap_max_micros: 3 * MICROS_PER_DAY })
        };
        let mut signal = config.attenuated_signal.or_else(own)?;
        signal.range_min = limits.range_min.unwrap_or(signal.range_min);
        signal.suspect = standstill(signal.suspect, limits.suspect_hours, limits.suspect_readings_min);
        signal.fail = standstill(signal.fail, limits.fail_hours, limits.fail_readings_min);
        signal.gap_max_micros = hours_or(limits.gap_max_hours, signal.gap_max_micros);
        config.attenuated_signal = Some(signal);
        Some(())
    }

    /// Months that lack a limit.
    fn climatology(&self, config: &mut SeriesConfig) -> Vec<&'static str> {
        let mut limits = self.climatology;
        if limits == ClimatologyLimits::default() {
            return Vec::new();
        }
        let zone = limits.utc_offset_hours.map(|hours| (hours * 3_600.0).round() as i32);
        let of_thailand = (UTC_OFFSET_HOURS * 3_600.0) as i32;
        let own = Climatology { months: [None; 12], zone_offset_seconds: of_thailand };
        let climatology = config.climatology.get_or_insert(Box::new(own));
        climatology.zone_offset_seconds = zone.unwrap_or(climatology.zone_offset_seconds);
        let mut halves = Vec::new();
        let months = climatology.months.iter_mut().zip(limits.months_mut()).zip(MONTHS);
        for ((month, limits), name) in months {
            match (limits.min, limits.max) {
                (Some(min), Some(max)) => *month = Some(Span::new(min, max)),
                (None, None) => {}
                _ => halves.push(name),
            }
        }
        halves
    }
}

/// What a limit that means nothing is refused with.
fn refused(section: &str, error: &ConfigError) -> OverrideError {
    let (limit, problem, mend) = match error {
        ConfigError::NotANumber { limit } => (limit, "is not a number", "give a number"),
        ConfigError::Negative { limit } => (limit, "is negative", "give 0 or more"),
        ConfigError::Reversed { limit } => (limit, "has its minimum above its maximum", "exchange them"),
    };
    OverrideError {
        section: section.to_owned(),
        key: (*limit).to_owned(),
        problem: problem.to_owned(),
        mend: mend.to_owned(),
    }
}

/// Readings alone change no test that is off.
fn standstill(before: Option<Standstill>, hours: Option<f64>, readings_min: Option<f64>) -> Option<Standstill> {
    let own = || hours.map(|_| Standstill { span_micros: 0, readings_min: 2 });
    let mut standstill = before.or_else(own)?;
    standstill.span_micros = hours_or(hours, standstill.span_micros);
    standstill.readings_min = readings_min.map_or(standstill.readings_min, |readings| readings as u32);
    Some(standstill)
}

fn hours_or(hours: Option<f64>, otherwise: i64) -> i64 {
    hours.map_or(otherwise, |hours| micros(hours, MICROS_PER_HOUR))
}

fn micros(amount: f64, unit_micros: i64) -> i64 {
    (amount * unit_micros as f64).round() as i64
}
