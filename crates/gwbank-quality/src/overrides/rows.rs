//! Limits as rows of a table: a well or none, a parameter or none, a name, a value.
//!
//! `spike.off` with 1 is what the list `off` says of a test, whatever limits its section has besides; with 0 it takes the
//! test off that list.

use gwbank_model::{Parameter, QcTest};

use super::limits::MONTHS;
use super::{GapLimits, OverrideError, ParameterName, QualityOverrides, SeriesOverrides, TestName, section};
use crate::config::{
    FlatLine, Floor, GrossRange, Growth, MICROS_PER_HOUR, RateOfChange, SeriesConfig, Spike, Standstill,
};

/// One limit of a section.
#[derive(Debug, Clone, PartialEq)]
pub struct LimitRow {
    pub well: Option<String>,
    pub parameter: Option<Parameter>,
    pub limit: String,
    pub value: f64,
}

/// The test that a row switches, of `spike.off`.
fn switched(limit: &str) -> Option<Result<TestName, String>> {
    limit.strip_suffix(".off").map(|test| TestName::try_from(test.to_owned()))
}

impl QualityOverrides {
    /// These limits, and over them those of rows.
    pub fn with_rows<'r>(&self, rows: impl IntoIterator<Item = &'r LimitRow>) -> Result<Self, OverrideError> {
        let mut overlaid = self.clone();
        let (switches, limits): (Vec<_>, Vec<_>) = rows.into_iter().partition(|row| switched(&row.limit).is_some());
        // A test that is off stays so beside limits of the same section.
        for row in limits.into_iter().chain(switches) {
            overlaid.set_row(row)?;
        }
        Ok(overlaid)
    }

    /// As [`Self::set`], and `spike.off`.
    pub fn set_row(&mut self, row: &LimitRow) -> Result<(), OverrideError> {
        let (well, parameter) = (row.well.as_deref(), row.parameter);
        let error = |problem: String, mend: &str| OverrideError {
            section: section(well, parameter),
            key: row.limit.clone(),
            problem,
            mend: mend.to_owned(),
        };
        let test = match switched(&row.limit) {
            None => return self.set(well, parameter, &row.limit, row.value),
            Some(test) => test.map_err(|problem| error(problem, "name one of these"))?,
        };
        if well.is_none() && parameter.is_none() {
            return Err(error("a limit of no series".to_owned(), "name a well, a parameter or both"));
        }
        match row.value {
            1.0 => {
                self.clear(well, parameter, test);
                self.switch_off(well, parameter, test);
            }
            0.0 => self.switch_on(well, parameter, test),
            _ => return Err(error("is neither 0 nor 1".to_owned(), "give 1 to take the test away, 0 to keep it")),
        }
        Ok(())
    }

    /// Takes a test off the list `off` of a section.
    fn switch_on(&mut self, well: Option<&str>, parameter: Option<Parameter>, test: TestName) {
        match (well, parameter) {
            (Some(well), None) => self.wells.get_mut(well).map(|of_well| of_well.off.remove(&test)),
            (_, Some(parameter)) => self.section_mut(well, parameter).map(|section| section.off.remove(&test)),
            (None, None) => None,
        };
    }

    /// Takes the limits of a test out of a section.
    fn clear(&mut self, well: Option<&str>, parameter: Option<Parameter>, TestName(test): TestName) {
        match (well, parameter) {
            (Some(well), None) if test == QcTest::Gap => {
                self.wells.entry(well.to_owned()).or_default().gap = GapLimits::default();
            }
            (_, Some(parameter)) => {
                if let Some(section) = self.section_mut(well, parameter) {
                    section.clear(test);
                }
            }
            _ => {}
        }
    }

    fn section_mut(&mut self, well: Option<&str>, parameter: Parameter) -> Option<&mut SeriesOverrides> {
        let sections = match well {
            None => &mut self.parameters,
            Some(well) => &mut self.wells.get_mut(well)?.parameters,
        };
        sections.get_mut(&ParameterName(parameter))
    }

    /// Everything that is set, as rows that set it again.
    pub fn rows(&self) -> Vec<LimitRow> {
        let mut rows = Vec::new();
        for (&ParameterName(parameter), overrides) in &self.parameters {
            overrides.add_rows(None, Some(parameter), &mut rows);
        }
        for (well, of_well) in &self.wells {
            let all = SeriesOverrides { off: of_well.off.clone(), gap: of_well.gap, ..SeriesOverrides::default() };
            all.add_rows(Some(well), None, &mut rows);
            for (&ParameterName(parameter), overrides) in &of_well.parameters {
                overrides.add_rows(Some(well), Some(parameter), &mut rows);
            }
        }
        rows
    }
}

impl SeriesOverrides {
    fn clear(&mut self, test: QcTest) {
        match test {
            QcTest::GrossRange => self.gross_range = Default::default(),
            QcTest::Spike => self.spike = Default::default(),
            QcTest::RateOfChange => self.rate_of_change = Default::default(),
            QcTest::FlatLine => self.flat_line = Default::default(),
            QcTest::Gap => self.gap = Default::default(),
            QcTest::Climatology => self.climatology = Default::default(),
            QcTest::AttenuatedSignal => self.attenuated_signal = Default::default(),
            _ => {}
        }
    }

    fn add_rows(&self, well: Option<&str>, parameter: Option<Parameter>, rows: &mut Vec<LimitRow>) {
        let mut add = |limit: String, value: f64| {
            rows.push(LimitRow { well: well.map(str::to_owned), parameter, limit, value });
        };
        for &TestName(test) in &self.off {
            add(format!("{}.off", test.name()), 1.0);
        }
        let mut limits = self.clone();
        for key in Self::limit_keys() {
            if let Some(value) = limits.limit_mut(&key).and_then(|limit| *limit) {
                add(key, value);
            }
        }
    }
}

/// The unit of a limit: that of the parameter, or what its name says.
pub fn unit(limit: &str, parameter: Option<Parameter>) -> Option<String> {
    let name = limit.rsplit('.').next().unwrap_or(limit);
    let of_values = || parameter.map(Parameter::canonical_unit);
    match name {
        _ if name.ends_with("_hours") && name != "grows_with_hours" => Some("h".to_owned()),
        _ if name.ends_with("_minutes") => Some("min".to_owned()),
        _ if name.ends_with("_per_hour") => of_values().map(|unit| format!("{unit}/h")),
        "off" | "grows_with_hours" | "relative_share" | "suspect_readings_min" | "fail_readings_min" => {
            Some("1".to_owned())
        }
        _ => of_values().map(str::to_owned),
    }
}

impl SeriesConfig {
    /// Its limits by name, but for those that are infinite, and the objections, which are no limits.
    pub fn named_limits(&self) -> Vec<(String, f64)> {
        let mut named = Named::default();
        if let Some(GrossRange { sensor, user }) = self.gross_range {
            named.add("gross_range.sensor_min", sensor.min);
            named.add("gross_range.sensor_max", sensor.max);
            named.add("gross_range.user_min", user.min);
            named.add("gross_range.user_max", user.max);
        }
        if let Some(Spike { suspect, fail, relative, growth, gap_max_micros }) = self.spike {
            named.add("spike.suspect", suspect);
            named.add("spike.fail", fail);
            named.add("spike.relative_share", relative);
            named.add("spike.grows_with_hours", f64::from(u8::from(growth == Growth::SquareRootOfHours)));
            named.hours("spike.gap_max_hours", gap_max_micros);
        }
        if let Some(RateOfChange { suspect_per_hour, fail_per_hour, elapsed_min_micros, gap_max_micros }) =
            self.rate_of_change
        {
            named.add("rate_of_change.suspect_per_hour", suspect_per_hour);
            fail_per_hour.into_iter().for_each(|fail| named.add("rate_of_change.fail_per_hour", fail));
            named.add("rate_of_change.elapsed_min_minutes", elapsed_min_micros as f64 * 60.0 / MICROS_PER_HOUR as f64);
            named.hours("rate_of_change.gap_max_hours", gap_max_micros);
        }
        if let Some(FlatLine { suspect, fail, tolerance, gap_max_micros }) = self.flat_line {
            named.add("flat_line.tolerance", tolerance);
            named.standstill("flat_line.suspect", suspect);
            named.standstill("flat_line.fail", fail);
            named.hours("flat_line.gap_max_hours", gap_max_micros);
        }
        match self.floor {
            Some(Floor::AtOrAbove(floor)) => named.add("floor.at_or_above", floor),
            Some(Floor::AtOrBelow(floor)) => named.add("floor.at_or_below", floor),
            None => {}
        }
        if let Some(gap) = self.gap {
            named.hours("gap.silence_max_hours", gap.silence_max_micros);
        }
        if let Some(climatology) = &self.climatology {
            for (month, limits) in MONTHS.iter().zip(climatology.months) {
                limits.into_iter().for_each(|limits| {
                    named.add(&format!("climatology.{month}.min"), limits.min);
                    named.add(&format!("climatology.{month}.max"), limits.max);
                });
            }
            named.add("climatology.utc_offset_hours", f64::from(climatology.zone_offset_seconds) / 3_600.0);
        }
        if let Some(signal) = self.attenuated_signal {
            named.add("attenuated_signal.range_min", signal.range_min);
            named.standstill("attenuated_signal.suspect", signal.suspect);
            named.standstill("attenuated_signal.fail", signal.fail);
            named.hours("attenuated_signal.gap_max_hours", signal.gap_max_micros);
        }
        named.0
    }
}

#[derive(Default)]
struct Named(Vec<(String, f64)>);

impl Named {
    fn add(&mut self, name: &str, value: f64) {
        if value.is_finite() {
            self.0.push((name.to_owned(), value));
        }
    }

    fn hours(&mut self, name: &str, micros: i64) {
        self.add(name, micros as f64 / MICROS_PER_HOUR as f64);
    }

    fn standstill(&mut self, name: &str, standstill: Option<Standstill>) {
        if let Some(Standstill { span_micros, readings_min }) = standstill {
            self.hours(&format!("{name}_hours"), span_micros);
            self.add(&format!("{name}_readings_min"), f64::from(readings_min));
        }
    }
}
