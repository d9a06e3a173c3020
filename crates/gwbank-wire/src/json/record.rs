//! The fields of a record as they come, and what their keys are.

use std::borrow::Cow;
use std::fmt;

use gwbank_model::Parameter;
use serde::de::{DeserializeSeed, Deserializer, Visitor};

use crate::scalar::Scalar;

/// The fields of a record as they came.
#[derive(Default)]
pub(super) struct Record<'de> {
    pub(super) well: Option<Scalar<'de>>,
    pub(super) time: Option<Scalar<'de>>,
    pub(super) age_s: Option<Scalar<'de>>,
    pub(super) time_raw: Option<Scalar<'de>>,
    pub(super) time_source: Option<Scalar<'de>>,
    pub(super) parameter: Option<Scalar<'de>>,
    pub(super) value: Option<Scalar<'de>>,
    pub(super) unit: Option<Scalar<'de>>,
    pub(super) status: Option<Scalar<'de>>,
    pub(super) revision: Option<Scalar<'de>>,
    pub(super) measured: Vec<(Parameter, Scalar<'de>)>,
    /// Names that only a device profile may know.
    pub(super) unknown: Vec<(Cow<'de, str>, Scalar<'de>)>,
    /// The first control key that stood twice.
    pub(super) repeated_control: Option<&'static str>,
    /// Bit n: the parameter of code n stood, stood twice.
    pub(super) seen: u32,
    pub(super) repeated: u32,
}

impl<'de> Record<'de> {
    /// Field by field: moving a whole new record in costs as much as reading a short one.
    pub(super) fn clear(&mut self) {
        let Record { well, time, age_s, time_raw, time_source, parameter, value, unit, status, revision, .. } = self;
        for control in [well, time, age_s, time_raw, time_source, parameter, value, unit, status, revision] {
            *control = None;
        }
        self.measured.clear();
        self.unknown.clear();
        self.repeated_control = None;
        (self.seen, self.repeated) = (0, 0);
    }

    pub(super) fn is_empty(&self) -> bool {
        let controls = [
            &self.well,
            &self.time,
            &self.age_s,
            &self.time_raw,
            &self.time_source,
            &self.parameter,
            &self.value,
            &self.unit,
            &self.status,
            &self.revision,
        ];
        controls.iter().all(|control| control.is_none()) && self.measured.is_empty() && self.unknown.is_empty()
    }

    /// How many readings the record holds, understood or not.
    pub(super) fn readings(&self) -> u64 {
        let named = u64::from(self.parameter.is_some() || self.value.is_some());
        (named + self.measured.len() as u64 + self.unknown.len() as u64).max(1)
    }

    /// Whether nothing in it was measured.
    pub(super) fn is_without_measurement(&self) -> bool {
        self.parameter.is_none() && self.value.is_none() && self.measured.is_empty() && self.unknown.is_empty()
    }

    pub(super) fn well_text(&self) -> &str {
        match &self.well {
            Some(Scalar::Text(text)) => text,
            _ => "",
        }
    }

    pub(super) fn set_control(&mut self, control: Control, value: Scalar<'de>) {
        let (slot, name) = match control {
            Control::Well => (&mut self.well, "well"),
            Control::Time => (&mut self.time, "time"),
            Control::AgeS => (&mut self.age_s, "age_s"),
            Control::TimeRaw => (&mut self.time_raw, "time_raw"),
            Control::TimeSource => (&mut self.time_source, "time_source"),
            Control::Parameter => (&mut self.parameter, "parameter"),
            Control::Value => (&mut self.value, "value"),
            Control::Unit => (&mut self.unit, "unit"),
            Control::Status => (&mut self.status, "status"),
            Control::Revision => (&mut self.revision, "revision"),
        };
        if slot.replace(value).is_some() {
            self.repeated_control.get_or_insert(name);
        }
    }

    pub(super) fn set_measured(&mut self, parameter: Parameter, value: Scalar<'de>) {
        let bit = 1 << parameter.code();
        if self.seen & bit != 0 {
            self.repeated |= bit;
            return;
        }
        self.seen |= bit;
        self.measured.push((parameter, value));
    }
}

#[derive(Debug, Clone, Copy)]
pub(super) enum Control {
    Well,
    Time,
    AgeS,
    TimeRaw,
    TimeSource,
    Parameter,
    Value,
    Unit,
    Status,
    Revision,
}

pub(super) enum Key<'de> {
    Control(Control),
    Measured(Parameter),
    /// Only the message itself may be an envelope; below it, it is an unknown key.
    Readings,
    Unknown(Cow<'de, str>),
}

impl<'de> Key<'de> {
    #[inline]
    fn known(text: &str) -> Option<Key<'de>> {
        Some(match text {
            "well" => Key::Control(Control::Well),
            "time" => Key::Control(Control::Time),
            "parameter" => Key::Control(Control::Parameter),
            "value" => Key::Control(Control::Value),
            "unit" => Key::Control(Control::Unit),
            "status" => Key::Control(Control::Status),
            "revision" => Key::Control(Control::Revision),
            "age_s" => Key::Control(Control::AgeS),
            "time_raw" => Key::Control(Control::TimeRaw),
            "time_source" => Key::Control(Control::TimeSource),
            "readings" => Key::Readings,
            other => Key::Measured(Parameter::from_name(other)?),
        })
    }
}

/// Whether a key has a meaning of its own beside the parameters.
pub(crate) fn is_control_key(name: &str) -> bool {
    matches!(Key::known(name), Some(Key::Control(_) | Key::Readings))
}

pub(super) struct KeySeed;

impl<'de> DeserializeSeed<'de> for KeySeed {
    type Value = Key<'de>;
    #[inline]
    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Key<'de>, D::Error> {
        deserializer.deserialize_str(self)
    }
}

impl<'de> Visitor<'de> for KeySeed {
    type Value = Key<'de>;
    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a key")
    }
    #[inline]
    fn visit_borrowed_str<E>(self, text: &'de str) -> Result<Key<'de>, E> {
        Ok(Key::known(text).unwrap_or(Key::Unknown(Cow::Borrowed(text))))
    }
    fn visit_str<E>(self, text: &str) -> Result<Key<'de>, E> {
        Ok(Key::known(text).unwrap_or_else(|| Key::Unknown(Cow::Owned(text.to_owned()))))
    }
}
