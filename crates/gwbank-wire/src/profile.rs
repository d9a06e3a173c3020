//! Device profiles: what a vendor's fields mean, told once instead of guessed.
//!
//! # Rules
//! 1. A profile speaks for the gateways (and wells) whose ids match its patterns, and only of names that gwbank does not
//!    know itself: a parameter's own name keeps its meaning and its canonical unit.
//! 2. A field is read as one parameter: sent value × `scale` is in `unit`; or it is ignored, and then it is neither a
//!    reading nor a fault.
//! 3. A unit that the message names wins over the profile's. A unit that gwbank does not know may be another name of one
//!    that it does.
//! 4. No two profiles say something of the same name for the same gateway and well: so none wins by its place.

use std::collections::BTreeMap;

use gwbank_model::Parameter;

use crate::glob::Glob;
use crate::json::is_control_key;
use crate::units::{self, Conversion};

/// What to do with a vendor's field.
#[derive(Debug, Clone, PartialEq)]
pub enum FieldRule {
    Ignore,
    Read(FieldReading),
}

/// How a vendor's field is read.
#[derive(Debug, Clone, PartialEq)]
pub struct FieldReading {
    pub(crate) parameter: Parameter,
    pub(crate) unit: &'static str,
    pub(crate) scale: f64,
    /// Values, as sent, that mean "no value", in place of the general ones.
    pub(crate) sentinels: Option<Vec<f64>>,
}

impl FieldReading {
    /// `unit` is the canonical one where it is not named.
    pub fn try_new(
        parameter: &str,
        unit: Option<&str>,
        scale: f64,
        sentinels: Option<Vec<f64>>,
    ) -> Result<Self, ProfileError> {
        let known = Parameter::from_name(parameter)
            .ok_or_else(|| ProfileError::UnknownParameter { name: parameter.to_owned() })?;
        let unit = match unit {
            None => known.canonical_unit(),
            Some(unit) => units::accepted(known).find(|name| *name == unit).ok_or_else(|| {
                let accepted: Vec<&str> = units::accepted(known).collect();
                ProfileError::UnknownUnit { unit: unit.to_owned(), parameter: known, accepted: accepted.join(", ") }
            })?,
        };
        if !scale.is_finite() || scale == 0.0 {
            return Err(ProfileError::Scale);
        }
        if sentinels.iter().flatten().any(|sentinel| !sentinel.is_finite()) {
            return Err(ProfileError::Sentinel);
        }
        Ok(Self { parameter: known, unit, scale, sentinels })
    }

    /// From a value as sent to the canonical unit; `None` where the parameter has no such unit.
    pub(crate) fn conversion(&self, named_unit: Option<&str>) -> Option<Conversion> {
        let unit = named_unit.unwrap_or(self.unit);
        units::conversion(self.parameter, unit).map(|conversion| conversion.scaled(self.scale))
    }
}

/// A vendor's way to name things.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct DeviceProfile {
    pub name: String,
    /// Patterns of gateway ids, at least one.
    pub gateways: Vec<String>,
    /// Patterns of well ids; none means all.
    pub wells: Vec<String>,
    pub fields: BTreeMap<String, FieldRule>,
    /// Other names of units: as sent → as gwbank names it.
    pub units: BTreeMap<String, String>,
}

#[derive(Debug, Clone, PartialEq, thiserror::Error)]
pub enum ProfileError {
    #[error("{name:?} is no parameter of gwbank")]
    UnknownParameter { name: String },
    #[error("unit {unit:?} does not belong to {parameter}, which takes {accepted}")]
    UnknownUnit { unit: String, parameter: Parameter, accepted: String },
    #[error("the scale must be a finite number other than 0")]
    Scale,
    #[error("a sentinel must be a finite number")]
    Sentinel,
    #[error("field {field:?} has a meaning of its own in gwbank, which a profile cannot change")]
    ReservedField { field: String },
    #[error("unit {unit:?} is one that gwbank knows, which a profile cannot change")]
    ReservedUnit { unit: String },
    #[error("{unit:?} is no unit of any parameter")]
    NoUnit { unit: String },
    #[error("it names no gateway")]
    NoGateway,
    #[error("pattern {pattern:?} is empty or too long")]
    Pattern { pattern: String },
    #[error("it speaks of {what} {name:?} for gateways and wells of which profile {other:?} speaks too")]
    Conflict { what: &'static str, name: String, other: String },
}

/// The profiles of a configuration.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct DeviceProfiles {
    scopes: Vec<Scope>,
    /// By name as sent; the number is the scope.
    fields: BTreeMap<String, Vec<(usize, FieldRule)>>,
    units: BTreeMap<String, Vec<(usize, String)>>,
}

/// For whom a profile speaks.
#[derive(Debug, Clone, PartialEq)]
struct Scope {
    profile: String,
    gateways: Vec<Glob>,
    /// Empty: all.
    wells: Vec<Glob>,
}

impl Scope {
    fn covers(&self, gateway: &str, well: &str) -> bool {
        self.gateways.iter().any(|glob| glob.matches(gateway))
            && (self.wells.is_empty() || self.wells.iter().any(|glob| glob.matches(well)))
    }

    fn overlaps(&self, other: &Scope) -> bool {
        let any = |a: &[Glob], b: &[Glob]| a.iter().any(|a| b.iter().any(|b| a.overlaps(b)));
        any(&self.gateways, &other.gateways)
            && (self.wells.is_empty() || other.wells.is_empty() || any(&self.wells, &other.wells))
    }
}

impl DeviceProfiles {
    /// Adds a profile, or says what is wrong with it and leaves it out.
    pub fn add(&mut self, profile: DeviceProfile) -> Result<(), ProfileError> {
        let DeviceProfile { name, gateways, wells, fields, units } = profile;
        if gateways.is_empty() {
            return Err(ProfileError::NoGateway);
        }
        let scope = Scope { profile: name, gateways: globs(gateways)?, wells: globs(wells)? };
        for field in fields.keys() {
            if is_control_key(field) || Parameter::from_name(field).is_some() {
                return Err(ProfileError::ReservedField { field: field.clone() });
            }
            self.check_free("field", field, &scope, self.fields.get(field).into_iter().flatten().map(|(at, _)| *at))?;
        }
        for (sent, meant) in &units {
            if Parameter::ALL.iter().any(|parameter| units::conversion(*parameter, sent).is_some()) {
                return Err(ProfileError::ReservedUnit { unit: sent.clone() });
            }
            if !Parameter::ALL.iter().any(|parameter| units::conversion(*parameter, meant).is_some()) {
                return Err(ProfileError::NoUnit { unit: meant.clone() });
            }
            self.check_free("unit", sent, &scope, self.units.get(sent).into_iter().flatten().map(|(at, _)| *at))?;
        }
        let number = self.scopes.len();
        self.scopes.push(scope);
        for (field, rule) in fields {
            self.fields.entry(field).or_default().push((number, rule));
        }
        for (sent, meant) in units {
            self.units.entry(sent).or_default().push((number, meant));
        }
        Ok(())
    }

    fn check_free(
        &self,
        what: &'static str,
        name: &str,
        scope: &Scope,
        mut taken: impl Iterator<Item = usize>,
    ) -> Result<(), ProfileError> {
        match taken.find(|at| self.scopes[*at].overlaps(scope)) {
            None => Ok(()),
            Some(at) => {
                let other = self.scopes[at].profile.clone();
                Err(ProfileError::Conflict { what, name: name.to_owned(), other })
            }
        }
    }

    /// What they say of a gateway; `None` where there is no profile at all.
    pub fn of<'a>(&'a self, gateway: &'a str) -> Option<GatewayProfiles<'a>> {
        (!self.scopes.is_empty()).then_some(GatewayProfiles { profiles: self, gateway })
    }
}

fn globs(patterns: Vec<String>) -> Result<Vec<Glob>, ProfileError> {
    patterns.into_iter().map(|pattern| Glob::new(&pattern).ok_or(ProfileError::Pattern { pattern })).collect()
}

/// The profiles as one gateway sees them. Looked into only where a name is unknown, so known names cost nothing.
#[derive(Debug, Clone, Copy)]
pub struct GatewayProfiles<'a> {
    profiles: &'a DeviceProfiles,
    gateway: &'a str,
}

impl<'a> GatewayProfiles<'a> {
    /// What a field of a well means; the well is empty where it is not known.
    pub fn field(&self, well: &str, name: &str) -> Option<&'a FieldRule> {
        self.find(self.profiles.fields.get(name)?, well)
    }

    /// The unit that a vendor's name of one means.
    pub(crate) fn unit(&self, well: &str, name: &str) -> Option<&'a str> {
        self.find(self.profiles.units.get(name)?, well).map(String::as_str)
    }

    fn find<T>(&self, entries: &'a [(usize, T)], well: &str) -> Option<&'a T> {
        let covers = |entry: &&(usize, T)| self.profiles.scopes[entry.0].covers(self.gateway, well);
        entries.iter().find(covers).map(|(_, found)| found)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use expect_test::{Expect, expect};

    fn read(parameter: &str, unit: Option<&str>) -> FieldRule {
        FieldRule::Read(FieldReading::try_new(parameter, unit, 1.0, None).unwrap())
    }

    fn profile(name: &str, gateways: &[&str], wells: &[&str], fields: &[(&str, FieldRule)]) -> DeviceProfile {
        let texts = |texts: &[&str]| texts.iter().map(|text| (*text).to_owned()).collect();
        DeviceProfile {
            name: name.to_owned(),
            gateways: texts(gateways),
            wells: texts(wells),
            fields: fields.iter().map(|(field, rule)| ((*field).to_owned(), rule.clone())).collect(),
            units: BTreeMap::new(),
        }
    }

    #[test]
    fn the_profile_of_gateway_and_well_speaks() {
        let mut profiles = DeviceProfiles::default();
        assert!(profiles.of("gw-1").is_none());
        profiles.add(profile("a", &["gw-30*"], &[], &[("lvl", read("depth_to_water", Some("cm")))])).unwrap();
        profiles.add(profile("b", &["gw-31*"], &["*-X"], &[("lvl", FieldRule::Ignore)])).unwrap();
        let field = |gateway, well| profiles.of(gateway).unwrap().field(well, "lvl").cloned();
        assert_eq!(field("gw-3001", "W"), Some(read("depth_to_water", Some("cm"))));
        assert_eq!(field("gw-31", "W-X"), Some(FieldRule::Ignore));
        assert_eq!((field("gw-31", "W"), field("gw-32", "W-X"), field("gw-31", "")), (None, None, None));
    }

    #[test]
    fn what_is_wrong_with_a_profile() {
        let mut profiles = DeviceProfiles::default();
        profiles.add(profile("first", &["gw-30*"], &["A*"], &[("lvl", FieldRule::Ignore)])).unwrap();
        let mut check = |profile, expected: Expect| expected.assert_eq(&profiles.add(profile).unwrap_err().to_string());
        check(profile("p", &[], &[], &[]), expect!["it names no gateway"]);
        check(profile("p", &[""], &[], &[]), expect![[r#"pattern "" is empty or too long"#]]);
        check(
            profile("p", &["*"], &["AB"], &[("lvl", FieldRule::Ignore)]),
            expect![[r#"it speaks of field "lvl" for gateways and wells of which profile "first" speaks too"#]],
        );
        check(
            profile("p", &["*"], &[], &[("depth_to_water", FieldRule::Ignore)]),
            expect![[r#"field "depth_to_water" has a meaning of its own in gwbank, which a profile cannot change"#]],
        );
        check(
            profile("p", &["*"], &[], &[("status", FieldRule::Ignore)]),
            expect![[r#"field "status" has a meaning of its own in gwbank, which a profile cannot change"#]],
        );
        let units = |sent: &str, meant: &str| DeviceProfile {
            units: BTreeMap::from([(sent.to_owned(), meant.to_owned())]),
            ..profile("p", &["*"], &[], &[])
        };
        check(units("in", "m"), expect![[r#"unit "in" is one that gwbank knows, which a profile cannot change"#]]);
        check(units("metres", "metre"), expect![[r#""metre" is no unit of any parameter"#]]);
        profiles.add(profile("second", &["*"], &["B*"], &[("lvl", FieldRule::Ignore)])).unwrap();
    }

    #[test]
    fn what_is_wrong_with_a_field() {
        let check = |parameter: &str, unit: Option<&str>, scale: f64, expected: Expect| {
            expected.assert_eq(&FieldReading::try_new(parameter, unit, scale, None).unwrap_err().to_string());
        };
        check("level", None, 1.0, expect![[r#""level" is no parameter of gwbank"#]]);
        check("ph", Some("cm"), 1.0, expect![[r#"unit "cm" does not belong to ph, which takes 1, pH"#]]);
        check("ph", None, 0.0, expect!["the scale must be a finite number other than 0"]);
        let sentinel = FieldReading::try_new("ph", None, 1.0, Some(vec![f64::NAN]));
        assert_eq!(sentinel.unwrap_err(), ProfileError::Sentinel);
    }
}
