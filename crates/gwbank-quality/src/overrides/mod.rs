//! Limits that differ from the defaults: per parameter, per well, and per parameter of a well.
//!
//! # The text
//! A section of a configuration file (or rows of a table, see [`QualityOverrides::set`]). Values are in the canonical unit of
//! the parameter; spans of time have their unit in the name.
//!
//! ```toml
//! [parameters.depth_to_water.spike]          # every well
//! suspect = 0.3
//!
//! [wells.UDN-0012]                           # every parameter of a well
//! off = ["flat_line"]
//! gap.silence_max_hours = 3
//!
//! [wells.UDN-0012.parameters.depth_to_water]
//! gross_range = { user_min = 1.5, user_max = 9.0 }
//! attenuated_signal = { range_min = 0.01, suspect_hours = 720 }
//!
//! [wells.UDN-0012.parameters.depth_to_water.climatology.april]
//! min = 6.0
//! max = 9.0
//! ```
//!
//! # Rules
//! 1. From the general to the special, limit by limit: the defaults of the parameter with what the registry knows of the
//!    well, `parameters`, `wells`, `wells.….parameters`. The last that names a limit has it.
//! 2. A test that the parameter does not have by default is there as soon as its main limit is named; what else it needs is
//!    taken from what a level has. `off` takes tests away; a later section that names a limit brings the test back.
//! 3. A `wells` section without a parameter speaks of all parameters, so it cannot name limits in a unit.
//! 4. Unknown names are refused, and what a limit cannot be: the error names the section, the key and the mend.
//!    [`QualityOverrides::faults`] finds all of it at once, when the configuration is read; it also refuses what fails before
//!    it is suspect, and numbers by which a test would object to everything or to nothing.

mod apply;
mod limits;
mod order;
mod rows;
mod sense;

use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet};

use gwbank_model::{Parameter, QcTest};
use serde::{Deserialize, Serialize};

use crate::WellFacts;
use crate::config::SeriesConfig;

pub use rows::{LimitRow, unit};

pub use limits::{
    AttenuatedSignalLimits, ClimatologyLimits, FlatLineLimits, FloorLimits, GapLimits, GrossRangeLimits,
    RateOfChangeLimits, SpanLimits, SpikeLimits,
};

/// What stands in the way of a section. The text says where, what and what to do.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{section}: {key}: {problem}; {mend}")]
pub struct OverrideError {
    pub section: String,
    pub key: String,
    pub problem: String,
    pub mend: String,
}

/// All limits of a server that differ from the defaults.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct QualityOverrides {
    /// By the parameter's name: every well.
    pub parameters: BTreeMap<ParameterName, SeriesOverrides>,
    /// By the well's id.
    pub wells: BTreeMap<String, WellOverrides>,
}

/// Of one well.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct WellOverrides {
    /// Tests not to be run.
    pub off: BTreeSet<TestName>,
    pub gap: GapLimits,
    pub parameters: BTreeMap<ParameterName, SeriesOverrides>,
}

/// Of one parameter, of all wells or of one.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct SeriesOverrides {
    /// Tests not to be run.
    pub off: BTreeSet<TestName>,
    pub gross_range: GrossRangeLimits,
    pub spike: SpikeLimits,
    pub rate_of_change: RateOfChangeLimits,
    pub flat_line: FlatLineLimits,
    pub gap: GapLimits,
    pub floor: FloorLimits,
    pub climatology: ClimatologyLimits,
    pub attenuated_signal: AttenuatedSignalLimits,
}

/// A [`Parameter`] by its name.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct ParameterName(pub Parameter);

impl TryFrom<String> for ParameterName {
    type Error = String;
    fn try_from(name: String) -> Result<Self, String> {
        Parameter::from_name(&name).map(Self).ok_or_else(|| {
            let known: Vec<&str> = Parameter::ALL.iter().map(|parameter| parameter.name()).collect();
            format!("unknown parameter `{name}`, expected one of {}", known.join(", "))
        })
    }
}

impl From<ParameterName> for String {
    fn from(name: ParameterName) -> Self {
        name.0.name().to_owned()
    }
}

/// A test of single series that can be switched off, by its name.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct TestName(pub QcTest);

impl TestName {
    const ALL: [QcTest; 7] = [
        QcTest::GrossRange,
        QcTest::Spike,
        QcTest::RateOfChange,
        QcTest::FlatLine,
        QcTest::Gap,
        QcTest::Climatology,
        QcTest::AttenuatedSignal,
    ];
}

impl TryFrom<String> for TestName {
    type Error = String;
    fn try_from(name: String) -> Result<Self, String> {
        Self::ALL.into_iter().find(|test| test.name() == name).map(Self).ok_or_else(|| {
            let known: Vec<&str> = Self::ALL.iter().map(|test| test.name()).collect();
            format!("no test `{name}` that can be off, expected one of {}", known.join(", "))
        })
    }
}

impl From<TestName> for String {
    fn from(name: TestName) -> Self {
        name.0.name().to_owned()
    }
}

impl QualityOverrides {
    /// All that is wrong with the sections, over the defaults. Wells that nobody registered are none of its business.
    pub fn faults(&self) -> Vec<OverrideError> {
        let mut found = Vec::new();
        let general = self.parameters.keys().map(|&ParameterName(parameter)| ("", parameter));
        let of_wells = self.wells.iter().flat_map(|(well, overrides)| {
            let parameters = Parameter::ALL.iter().filter(|&&parameter| overrides.speaks_of(parameter));
            parameters.map(move |&parameter| (well.as_str(), parameter))
        });
        for (well, parameter) in general.chain(of_wells) {
            for fault in self.faults_of(parameter, well) {
                if !found.contains(&fault) {
                    found.push(fault);
                }
            }
        }
        found
    }

    /// All that is wrong with the limits of a series, each told by the first section that has it.
    pub fn faults_of(&self, parameter: Parameter, well: &str) -> Vec<OverrideError> {
        let defaults = SeriesConfig::for_well(parameter, &WellFacts::default());
        let mut config = defaults.clone();
        let mut found: Vec<OverrideError> = Vec::new();
        for (section, overrides) in self.sections_of(parameter, well) {
            let mut faults = overrides.apply(&mut config, &section);
            faults.extend(sense::faults(&overrides, &config, &section));
            faults.extend(order::faults(&config, &defaults, &section));
            faults.retain(|fault| !found.iter().any(|known| is_same_limit(known, fault)));
            found.extend(faults);
        }
        found
    }

    /// The sections that speak of a series, from the general to the special.
    fn sections_of(&self, parameter: Parameter, well: &str) -> Vec<(String, Cow<'_, SeriesOverrides>)> {
        let name = ParameterName(parameter);
        let general = self.parameters.get(&name);
        let mut sections: Vec<_> =
            general.map(|general| (section(None, Some(parameter)), Cow::Borrowed(general))).into_iter().collect();
        if let Some(of_well) = self.wells.get(well) {
            let all = SeriesOverrides { off: of_well.off.clone(), gap: of_well.gap, ..SeriesOverrides::default() };
            sections.push((section(Some(well), None), Cow::Owned(all)));
            let special = of_well.parameters.get(&name);
            sections.extend(special.map(|special| (section(Some(well), Some(parameter)), Cow::Borrowed(special))));
        }
        sections
    }

    /// One limit by name, as rows of a table give them: `spike.suspect`, `climatology.april.max`,
    /// `flat_line.suspect_hours`. Without a well for all wells; without a parameter only `gap.silence_max_hours`.
    pub fn set(
        &mut self,
        well: Option<&str>,
        parameter: Option<Parameter>,
        key: &str,
        value: f64,
    ) -> Result<(), OverrideError> {
        let section = section(well, parameter);
        let error = |problem: &str, mend: String| OverrideError {
            section: section.clone(),
            key: key.to_owned(),
            problem: problem.to_owned(),
            mend,
        };
        let place = match (well, parameter) {
            (None, None) => {
                return Err(error("a limit of no series", "name a well, a parameter or both".to_owned()));
            }
            (Some(well), None) => {
                let overrides = self.wells.entry(well.to_owned()).or_default();
                (key == "gap.silence_max_hours").then_some(&mut overrides.gap.silence_max_hours)
            }
            (None, Some(parameter)) => self.parameters.entry(ParameterName(parameter)).or_default().limit_mut(key),
            (Some(well), Some(parameter)) => {
                let overrides = self.wells.entry(well.to_owned()).or_default();
                overrides.parameters.entry(ParameterName(parameter)).or_default().limit_mut(key)
            }
        };
        match place {
            Some(place) => {
                *place = Some(value);
                Ok(())
            }
            None if parameter.is_none() => Err(error(
                "has a unit, so it needs a parameter",
                "name the parameter; for all of a well only gap.silence_max_hours can be set".to_owned(),
            )),
            None => Err(error("no such limit", format!("known are {}", SeriesOverrides::limit_names().join(", ")))),
        }
    }
}

impl QualityOverrides {
    /// Takes a test away, as `off` does: of a well, of a parameter, or of both. Of neither, nothing happens: that a test is
    /// not run anywhere is to be said parameter by parameter.
    pub fn switch_off(&mut self, well: Option<&str>, parameter: Option<Parameter>, test: TestName) {
        let off = match (well, parameter) {
            (None, None) => return,
            (Some(well), None) => &mut self.wells.entry(well.to_owned()).or_default().off,
            (None, Some(parameter)) => &mut self.parameters.entry(ParameterName(parameter)).or_default().off,
            (Some(well), Some(parameter)) => {
                let overrides = self.wells.entry(well.to_owned()).or_default();
                &mut overrides.parameters.entry(ParameterName(parameter)).or_default().off
            }
        };
        off.insert(test);
    }
}

impl WellOverrides {
    fn speaks_of(&self, parameter: Parameter) -> bool {
        self.parameters.contains_key(&ParameterName(parameter)) || self.gap != GapLimits::default()
    }
}

impl SeriesConfig {
    /// The limits of a series: the defaults of its parameter and well, and what a server's configuration says of it.
    ///
    /// ```
    /// use gwbank_model::Parameter;
    /// use gwbank_quality::overrides::QualityOverrides;
    /// use gwbank_quality::{SeriesConfig, WellFacts};
    ///
    /// let mut overrides = QualityOverrides::default();
    /// overrides.set(None, Some(Parameter::DepthToWater), "spike.suspect", 0.3)?;
    /// overrides.set(Some("UDN-0012"), Some(Parameter::DepthToWater), "spike.suspect", 0.5)?;
    /// let facts = WellFacts::default();
    /// let of = |well| SeriesConfig::for_series(Parameter::DepthToWater, well, &facts, &overrides);
    /// assert_eq!(of("UDN-0012")?.spike.unwrap().suspect, 0.5);
    /// assert_eq!(of("UDN-0013")?.spike.unwrap().suspect, 0.3);
    /// # Ok::<(), gwbank_quality::overrides::OverrideError>(())
    /// ```
    pub fn for_series(
        parameter: Parameter,
        well: &str,
        facts: &WellFacts,
        overrides: &QualityOverrides,
    ) -> Result<Self, OverrideError> {
        let mut config = Self::for_well(parameter, facts);
        for (section, of_section) in overrides.sections_of(parameter, well) {
            if let Some(fault) = of_section.apply(&mut config, &section).into_iter().next() {
                return Err(fault);
            }
        }
        Ok(config)
    }
}

/// Whether one tells of what the other told before, of a part of it or of the same after a later section.
fn is_same_limit(known: &OverrideError, fault: &OverrideError) -> bool {
    fault.key.starts_with(&known.key) || known.key.starts_with(&fault.key)
}

fn section(well: Option<&str>, parameter: Option<Parameter>) -> String {
    match (well, parameter) {
        (None, None) => "quality".to_owned(),
        (None, Some(parameter)) => format!("parameters.{parameter}"),
        (Some(well), None) => format!("wells.{well}"),
        (Some(well), Some(parameter)) => format!("wells.{well}.parameters.{parameter}"),
    }
}

#[cfg(test)]
mod tests;
