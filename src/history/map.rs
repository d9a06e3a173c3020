//! The map file: how a foreign file's columns, parameters and units become ours.
//!
//! ```toml
//! time_zone = "+00:00"                 # of times without an offset; a date alone is midnight there
//! time_format = "%d/%m/%Y %H:%M"       # as strftime; left out: RFC 3339. Buddhist-era years are understood
//! delimiter = ";"                      # left out: a comma
//! decimal_comma = true                 # 1.234,5 is 1234.5; left out: 1234.5. A lone 1.234 may be either and is a bad row
//! sentinels = [-999.0]                 # values that mean "no value"
//!
//! [columns]                            # names in the file; these are the defaults
//! well = "well_id"
//! time = "time"
//! parameter = "parameter"
//! value = "value"
//! unit = "unit"                        # unit, status and revision may be missing in the file
//!
//! [parameters]                         # the file's names; a parameter of ours needs no line
//! groundwater_level = "groundwater_elevation"
//!
//! [units]                              # the file's names; a unit that gwbank accepts needs no line
//! "mm/d" = { unit = "mm" }
//! "m/d" = { unit = "mm", factor = 1000.0 }
//!
//! [wells]                              # ids in the file and ours, where they differ
//! "40CP0393_4" = "TH3001-0007"
//!
//! [wide]                               # instead of parameter and value: one column each
//! "Level (cm)" = { parameter = "depth_to_water", unit = "cm" }
//! ```

use std::collections::BTreeMap;
use std::path::Path;

use anyhow::Context as _;
use gwbank_model::Parameter;
use gwbank_wire::units;
use serde::Deserialize;

use super::times::TimeFormat;
use crate::config::zone_seconds;
use crate::failure::{Failure, Outcome};

#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Map {
    pub time_zone: Option<String>,
    pub time_format: Option<String>,
    pub delimiter: char,
    pub decimal_comma: bool,
    pub sentinels: Vec<f64>,
    pub columns: Columns,
    pub parameters: BTreeMap<String, String>,
    pub units: BTreeMap<String, UnitTarget>,
    pub wells: BTreeMap<String, String>,
    pub wide: BTreeMap<String, WideColumn>,
}

impl Default for Map {
    fn default() -> Self {
        Self {
            time_zone: None,
            time_format: None,
            delimiter: ',',
            decimal_comma: false,
            sentinels: gwbank_wire::DEFAULT_SENTINELS.to_vec(),
            columns: Columns::default(),
            parameters: BTreeMap::new(),
            units: BTreeMap::new(),
            wells: BTreeMap::new(),
            wide: BTreeMap::new(),
        }
    }
}

#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Columns {
    pub well: String,
    pub time: String,
    pub parameter: String,
    pub value: String,
    pub unit: String,
    pub status: String,
    pub revision: String,
}

impl Default for Columns {
    fn default() -> Self {
        Self {
            well: "well_id".to_owned(),
            time: "time".to_owned(),
            parameter: "parameter".to_owned(),
            value: "value".to_owned(),
            unit: "unit".to_owned(),
            status: "status".to_owned(),
            revision: "revision".to_owned(),
        }
    }
}

#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct UnitTarget {
    pub unit: String,
    #[serde(default = "one")]
    pub factor: f64,
}

#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct WideColumn {
    pub parameter: String,
    #[serde(default)]
    pub unit: String,
}

fn one() -> f64 {
    1.0
}

/// How a (parameter, unit) of the file becomes a canonical value.
#[derive(Debug, Clone, Copy)]
pub struct Target {
    pub parameter: Parameter,
    factor: f64,
    conversion: units::Conversion,
}

/// A parameter, or a unit of it, that the map gives no meaning.
#[derive(Debug, Clone, PartialEq)]
pub struct Refused {
    /// As the file says it; rows are counted under it.
    pub name: String,
    pub detail: String,
}

impl Target {
    pub fn convert(&self, value: f64) -> f64 {
        self.conversion.apply(if self.factor == 1.0 { value } else { value * self.factor })
    }
}

impl Map {
    pub fn load(path: &Path) -> Outcome<Self> {
        let text = std::fs::read_to_string(path)
            .with_context(|| format!("map file {} cannot be read", path.display()))
            .map_err(Failure::usage)?;
        let map: Map = toml::from_str(&text)
            .map_err(|error| Failure::usage(anyhow::anyhow!("{}: {}", path.display(), error.to_string().trim_end())))?;
        let problems = map.problems();
        if problems.is_empty() {
            Ok(map)
        } else {
            Err(Failure::usage(anyhow::anyhow!("{}: {}", path.display(), problems.join("; "))))
        }
    }

    fn problems(&self) -> Vec<String> {
        let mut problems = Vec::new();
        if let Some(zone) = &self.time_zone
            && zone_seconds(zone).is_none()
        {
            problems.push(format!("time_zone: {zone:?} is no fixed offset; write \"+07:00\""));
        }
        if let Some(Err(problem)) = self.time_format.as_deref().map(TimeFormat::new) {
            problems.push(format!("time_format: {problem}"));
        }
        if !self.delimiter.is_ascii() || matches!(self.delimiter, '"' | '\r' | '\n') {
            problems
                .push(format!("delimiter: {:?} cannot separate fields; write \",\", \";\" or \"\\t\"", self.delimiter));
        }
        let parameters = self.parameters.iter().map(|(from, to)| (format!("parameters.{from}"), to));
        let wide = self.wide.iter().map(|(column, target)| (format!("wide.{column:?}"), &target.parameter));
        for (key, parameter) in parameters.chain(wide) {
            if Parameter::from_name(parameter).is_none() {
                problems.push(format!("{key}: gwbank has no parameter {parameter:?}"));
            }
        }
        for (column, target) in &self.wide {
            if Parameter::from_name(&target.parameter).is_some()
                && let Err(Refused { detail, .. }) = self.target(&target.parameter, &target.unit)
            {
                problems.push(format!("wide.{column:?}: {detail}"));
            }
        }
        for (from, target) in &self.units {
            if !Parameter::ALL.iter().any(|&p| units::conversion(p, &target.unit).is_some()) {
                problems.push(format!("units.{from:?}: gwbank has no unit {:?}", target.unit));
            }
            if !target.factor.is_finite() || target.factor == 0.0 {
                problems.push(format!("units.{from:?}: the factor must be a number other than 0"));
            }
        }
        problems
    }

    /// Seconds east of UTC of times without an offset.
    pub fn clock_zone(&self) -> Option<i32> {
        self.time_zone.as_deref().and_then(zone_seconds)
    }

    /// As checked when the map was loaded.
    pub fn time_format(&self) -> Option<TimeFormat> {
        self.time_format.as_deref().and_then(|format| TimeFormat::new(format).ok())
    }

    pub fn delimiter_byte(&self) -> u8 {
        u8::try_from(self.delimiter).unwrap_or(b',')
    }

    /// A number as the file writes numbers.
    pub fn number(&self, text: &str) -> Result<f64, String> {
        let no_number = || format!("value {text:?} is no number");
        if !self.decimal_comma {
            return text.parse().map_err(|_| no_number());
        }
        let (whole, fraction) = text.split_once(',').map_or((text, None), |(whole, fraction)| (whole, Some(fraction)));
        let mut groups = whole.split('.');
        let first = groups.next().unwrap_or_default();
        let others: Vec<&str> = groups.collect();
        if !others.is_empty() {
            let digits = |group: &str| group.bytes().all(|byte| byte.is_ascii_digit());
            let first = first.trim_start_matches(['+', '-']);
            let is_grouped = (1..=3).contains(&first.len())
                && first != "0"
                && digits(first)
                && others.iter().all(|group| group.len() == 3 && digits(group));
            if !is_grouped {
                return Err(format!("{}: the map says decimal_comma, so that a dot only parts thousands", no_number()));
            }
            if fraction.is_none() && others.len() == 1 {
                let mend = "write it without the dot, or with a comma";
                return Err(format!("value {text:?} may be {first}{} or {first},{}: {mend}", others[0], others[0]));
            }
        }
        let plain = [&[first], others.as_slice()].concat().concat();
        let plain = fraction.map_or(plain.clone(), |fraction| format!("{plain}.{fraction}"));
        plain.parse().map_err(|_| no_number())
    }

    pub fn well<'a>(&'a self, id: &'a str) -> &'a str {
        self.wells.get(id).map_or(id, String::as_str)
    }

    pub fn target(&self, parameter: &str, unit: &str) -> Result<Target, Refused> {
        let name = self.parameters.get(parameter).map_or(parameter, String::as_str);
        let Some(known) = Parameter::from_name(name) else {
            let detail = "gwbank has no such parameter: name its own under [parameters] in a map (--map)".to_owned();
            return Err(Refused { name: parameter.to_owned(), detail });
        };
        let (unit_name, factor) = match self.units.get(unit) {
            Some(target) => (target.unit.as_str(), target.factor),
            None if unit.is_empty() => (known.canonical_unit(), 1.0),
            None => (unit, 1.0),
        };
        match units::conversion(known, unit_name) {
            Some(conversion) => Ok(Target { parameter: known, factor, conversion }),
            None => Err(Refused {
                name: format!("{parameter} [{unit}]"),
                detail: format!(
                    "{}, or name the unit under [units] in a map (--map)",
                    units::unknown_unit_detail(known, unit_name)
                ),
            }),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parameters_and_units_lead_to_targets_or_are_refused_by_name() {
        let map: Map = toml::from_str(
            "[parameters]\nlevel = \"groundwater_elevation\"\n[units]\n\"m/d\" = { unit = \"mm\", factor = 1000.0 }\n",
        )
        .unwrap();
        assert!(map.problems().is_empty());
        let level = map.target("level", "cm").unwrap();
        assert_eq!((level.parameter, level.convert(342.0)), (Parameter::GroundwaterElevation, 3.42));
        assert_eq!(map.target("evaporation", "m/d").unwrap().convert(0.002), 2.0);
        assert_eq!(map.target("depth_to_water", "").unwrap().convert(1.5), 1.5);
        assert_eq!(map.target("logger_temperature", "degC").unwrap_err().name, "logger_temperature");
        assert_eq!(map.target("depth_to_water", "furlong").unwrap_err().name, "depth_to_water [furlong]");
    }

    #[test]
    fn a_map_that_leads_nowhere_is_refused() {
        let map: Map =
            toml::from_str("time_zone = \"x\"\ntime_format = \"%H\"\ndelimiter = \"é\"\n[parameters]\na = \"b\"\n[units]\nc = { unit = \"d\" }\n").unwrap();
        assert_eq!(map.problems().len(), 5);
        let map: Map = toml::from_str("[wide]\nv = { parameter = \"depth_to_water\", unit = \"kg\" }\n").unwrap();
        assert!(map.problems()[0].starts_with("wide.\"v\": unit \"kg\""), "{:?}", map.problems());
    }

    #[test]
    fn a_dot_before_a_decimal_comma_parts_thousands_or_is_a_mistake() {
        let map = Map { decimal_comma: true, ..Map::default() };
        for (text, number) in
            [("3,42", 3.42), ("-1.234,5", -1234.5), ("12.345.678", 12_345_678.0), ("512", 512.0), ("1,5e3", 1500.0)]
        {
            assert_eq!(map.number(text), Ok(number), "{text}");
        }
        for text in ["3.42", "0.425", "3.425", "12.34,5", "1.2.3,4", "1234.567,8", ".123,4", "0.123,4", "1,2,3", ""] {
            assert!(map.number(text).is_err(), "{text}");
        }
        assert_eq!(Map::default().number("3.425"), Ok(3.425));
    }
}
