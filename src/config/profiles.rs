//! The sections `[[device_profiles]]`: what a vendor's fields mean.

use std::collections::BTreeMap;

use gwbank_wire::{DeviceProfile, DeviceProfiles, FieldReading, FieldRule, ProfileError};
use serde::{Deserialize, Serialize};

/// One vendor's way to name things.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct DeviceProfileEntry {
    pub name: String,
    /// Ids for which it holds; `*` stands for anything.
    pub gateways: Vec<String>,
    /// Wells for which it holds; none for all.
    #[serde(default)]
    pub wells: Vec<String>,
    #[serde(default)]
    pub fields: BTreeMap<String, FieldEntry>,
    /// Other names of units: as sent = as gwbank names it.
    #[serde(default)]
    pub units: BTreeMap<String, String>,
}

/// What one field is read as, or that it is ignored.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct FieldEntry {
    pub ignore: bool,
    pub parameter: Option<String>,
    /// Of the sent value times `scale`; the canonical one where none is named.
    pub unit: Option<String>,
    pub scale: Option<f64>,
    /// Values, as sent, that mean "no value", in place of `ingest.sentinels`.
    pub sentinels: Option<Vec<f64>>,
}

/// What is wrong: its key, why, and the mend.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ProfileProblem {
    pub key: String,
    pub problem: String,
    pub mend: &'static str,
}

/// The profiles, or everything that is wrong with them.
pub fn device_profiles(entries: &[DeviceProfileEntry]) -> Result<DeviceProfiles, Vec<ProfileProblem>> {
    let mut profiles = DeviceProfiles::default();
    let mut problems = Vec::new();
    for (index, entry) in entries.iter().enumerate() {
        let key = format!("device_profiles[{index}]");
        let mut fields = BTreeMap::new();
        for (name, field) in &entry.fields {
            match field.rule() {
                Ok(rule) => {
                    fields.insert(name.clone(), rule);
                }
                Err((problem, mend)) => {
                    problems.push(ProfileProblem { key: format!("{key}.fields.{name}"), problem, mend });
                }
            }
        }
        let added = profiles.add(DeviceProfile {
            name: entry.name.clone(),
            gateways: entry.gateways.clone(),
            wells: entry.wells.clone(),
            fields,
            units: entry.units.clone(),
        });
        if let Err(error) = added {
            problems.push(ProfileProblem { key, problem: error.to_string(), mend: mend_of(&error) });
        }
    }
    if problems.is_empty() { Ok(profiles) } else { Err(problems) }
}

impl FieldEntry {
    fn rule(&self) -> Result<FieldRule, (String, &'static str)> {
        let reads = self.parameter.is_some() || self.unit.is_some() || self.scale.is_some() || self.sentinels.is_some();
        match (&self.parameter, self.ignore) {
            (_, true) if reads => {
                Err(("it is both read and ignored".to_owned(), "write { ignore = true } alone, or leave ignore away"))
            }
            (_, true) => Ok(FieldRule::Ignore),
            (None, false) => {
                Err(("it says neither parameter nor ignore".to_owned(), "name a parameter, or write { ignore = true }"))
            }
            (Some(parameter), false) => {
                let scale = self.scale.unwrap_or(1.0);
                let reading = FieldReading::try_new(parameter, self.unit.as_deref(), scale, self.sentinels.clone());
                reading.map(FieldRule::Read).map_err(|error| (error.to_string(), mend_of(&error)))
            }
        }
    }
}

fn mend_of(error: &ProfileError) -> &'static str {
    match error {
        ProfileError::UnknownParameter { .. } => "name one of the parameters under Gateways in the README",
        ProfileError::UnknownUnit { .. } => "name one of these, and a scale where the device sends multiples of it",
        ProfileError::Scale => "write 0.1 where 342 means 34.2, or leave it away",
        ProfileError::Sentinel => "write the number that the device sends for no value",
        ProfileError::ReservedField { .. } => "leave the field away",
        ProfileError::ReservedUnit { .. } | ProfileError::NoUnit { .. } => {
            "write the vendor's name = gwbank's name, such as metres = \"m\""
        }
        ProfileError::NoGateway => "write gateways = [\"*\"] for all",
        ProfileError::Pattern { .. } => "write ids, with * for anything",
        ProfileError::Conflict { .. } => "narrow the gateways or wells of one of them",
    }
}
