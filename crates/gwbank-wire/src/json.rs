//! Native JSON: one object, an array of them, or `{"readings":[…]}`.
//!
//! # A record
//! `well`, `time` (or `age_s`), and either `parameter` + `value` (+ `unit`) or parameters as keys, or both; beside them
//! `status` and `revision`. Keys are compared letter by letter. `null` in a control key is the same as its absence.
//!
//! # Rules
//! 1. A control key (`well`, `time`, `age_s`, `parameter`, `value`, `unit`, `status`, `revision`) that is wrong or stands
//!    twice costs the record: nothing of it can be read for certain.
//! 2. A parameter key that is wrong or stands twice, or a key that is neither, costs that field only.
//! 3. `unit` speaks of `value`. In a record with parameter keys and no `parameter` it has no meaning, and the record is
//!    refused rather than stored in the wrong unit.
//! 4. `parameter` without `value` is a reading only with `"status": "dry"`.
//! 5. A name that is neither control nor parameter may be one that a device profile maps or ignores; what it ignores is
//!    as if it were not there.
//!
//! Speed: visitors over `serde_json`, texts borrowed from the payload, one pass, no tree.

use std::borrow::Cow;
use std::fmt;

use gwbank_model::{Parameter, Reading, SiteStatus, TimeSource, WellId};
use serde::de::{DeserializeSeed, Deserializer, MapAccess, SeqAccess, Visitor};

use crate::Reason;
use crate::decode::whole;
use crate::fault::{FaultText, Sink, excerpt, short};
use crate::profile::{FieldReading, FieldRule};
use crate::repair;
use crate::scalar::{Scalar, ScalarSeed};
use crate::time::{self, Resolved};
use crate::units::{self, Conversion};

/// What a record mostly takes at least: so that the list of readings need not grow again and again.
const RECORD_BYTES_USUAL: usize = 96;

pub(crate) fn decode(payload: &[u8], sink: &mut Sink<'_>) {
    let Err(error) = read(payload, sink) else { return };
    // Slow path: JSON cannot say NaN, but many senders do. See `repair`.
    if let Some(repaired) = repair::quote_impossible_numbers(payload) {
        *sink = Sink::new(sink.context);
        if let Err(error) = read(&repaired, sink) {
            unreadable(sink, &error);
        }
        return;
    }
    unreadable(sink, &error);
}

fn unreadable(sink: &mut Sink<'_>, error: &serde_json::Error) {
    let kept = sink.out.readings.len();
    whole(sink, Reason::Unreadable, || {
        let before = if kept == 0 { String::new() } else { format!("; the readings before it ({kept}) were kept") };
        format!("not JSON: {error}{before}")
    });
}

fn read(payload: &[u8], sink: &mut Sink<'_>) -> Result<(), serde_json::Error> {
    sink.out.readings.reserve(payload.len() / RECORD_BYTES_USUAL);
    // Checked once as a whole, the texts in it need not be checked one by one. What is no UTF-8 is read as far as it goes.
    match std::str::from_utf8(payload) {
        Ok(text) => read_from(serde_json::Deserializer::from_str(text), sink),
        Err(_) => read_from(serde_json::Deserializer::from_slice(payload), sink),
    }
}

fn read_from<'de, R: serde_json::de::Read<'de>>(
    mut deserializer: serde_json::Deserializer<R>,
    sink: &mut Sink<'_>,
) -> Result<(), serde_json::Error> {
    let mut native = Native { sink, record: None, shape: Shape::Object, index: 0 };
    ElementSeed { native: &mut native, level: Level::Message }.deserialize(&mut deserializer)?;
    deserializer.end()
}

/// How the records of a message lie in it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Shape {
    Object,
    Array,
    Envelope,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Level {
    Message,
    Record,
}

struct Native<'s, 'c, 'de> {
    sink: &'s mut Sink<'c>,
    /// Reused from record to record, boxed because it is large and moves; away while a record is read.
    record: Option<Box<Record<'de>>>,
    shape: Shape,
    index: usize,
}

/// The fields of a record as they came.
#[derive(Default)]
struct Record<'de> {
    well: Option<Scalar<'de>>,
    time: Option<Scalar<'de>>,
    age_s: Option<Scalar<'de>>,
    parameter: Option<Scalar<'de>>,
    value: Option<Scalar<'de>>,
    unit: Option<Scalar<'de>>,
    status: Option<Scalar<'de>>,
    revision: Option<Scalar<'de>>,
    measured: Vec<(Parameter, Scalar<'de>)>,
    /// Names that only a device profile may know.
    unknown: Vec<(Cow<'de, str>, Scalar<'de>)>,
    /// The first control key that stood twice.
    repeated_control: Option<&'static str>,
    /// Bit n: the parameter of code n stood, stood twice.
    seen: u32,
    repeated: u32,
}

impl<'de> Record<'de> {
    /// Field by field: moving a whole new record in costs as much as reading a short one.
    fn clear(&mut self) {
        let Record { well, time, age_s, parameter, value, unit, status, revision, .. } = self;
        for control in [well, time, age_s, parameter, value, unit, status, revision] {
            *control = None;
        }
        self.measured.clear();
        self.unknown.clear();
        self.repeated_control = None;
        (self.seen, self.repeated) = (0, 0);
    }

    fn is_empty(&self) -> bool {
        let controls = [
            &self.well,
            &self.time,
            &self.age_s,
            &self.parameter,
            &self.value,
            &self.unit,
            &self.status,
            &self.revision,
        ];
        controls.iter().all(|control| control.is_none()) && self.measured.is_empty() && self.unknown.is_empty()
    }

    /// How many readings the record holds, understood or not.
    fn readings(&self) -> u64 {
        let named = u64::from(self.parameter.is_some() || self.value.is_some());
        (named + self.measured.len() as u64 + self.unknown.len() as u64).max(1)
    }

    /// Whether nothing in it was measured.
    fn is_without_measurement(&self) -> bool {
        self.parameter.is_none() && self.value.is_none() && self.measured.is_empty() && self.unknown.is_empty()
    }

    fn well_text(&self) -> &str {
        match &self.well {
            Some(Scalar::Text(text)) => text,
            _ => "",
        }
    }

    fn set_control(&mut self, control: Control, value: Scalar<'de>) {
        let (slot, name) = match control {
            Control::Well => (&mut self.well, "well"),
            Control::Time => (&mut self.time, "time"),
            Control::AgeS => (&mut self.age_s, "age_s"),
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

    fn set_measured(&mut self, parameter: Parameter, value: Scalar<'de>) {
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
enum Control {
    Well,
    Time,
    AgeS,
    Parameter,
    Value,
    Unit,
    Status,
    Revision,
}

enum Key<'de> {
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
            "readings" => Key::Readings,
            other => Key::Measured(Parameter::from_name(other)?),
        })
    }
}

/// Whether a key has a meaning of its own beside the parameters.
pub(crate) fn is_control_key(name: &str) -> bool {
    matches!(Key::known(name), Some(Key::Control(_) | Key::Readings))
}

struct KeySeed;

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

/// The message, or one element of its array.
struct ElementSeed<'n, 's, 'c, 'de> {
    native: &'n mut Native<'s, 'c, 'de>,
    level: Level,
}

impl<'de> DeserializeSeed<'de> for ElementSeed<'_, '_, '_, 'de> {
    type Value = ();
    #[inline]
    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de> ElementSeed<'_, '_, '_, 'de> {
    fn not_an_object<E>(self, kind: &str) -> Result<(), E> {
        let (reason, mend) = match self.level {
            Level::Message => (Reason::Unreadable, "send an object, an array of them, or {\"readings\":[…]}"),
            Level::Record => (Reason::BadRecord, "each reading is an object"),
        };
        let place = self.native.place("");
        self.native.sink.fault(reason, 1, || FaultText {
            place,
            detail: format!("found {kind}: {mend}"),
            subject: String::new(),
        });
        Ok(())
    }
}

impl<'de> Visitor<'de> for ElementSeed<'_, '_, '_, 'de> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a message of readings")
    }
    fn visit_unit<E>(self) -> Result<(), E> {
        self.not_an_object("null")
    }
    fn visit_bool<E>(self, _: bool) -> Result<(), E> {
        self.not_an_object("true or false")
    }
    fn visit_i64<E>(self, _: i64) -> Result<(), E> {
        self.not_an_object("a number")
    }
    fn visit_u64<E>(self, _: u64) -> Result<(), E> {
        self.not_an_object("a number")
    }
    fn visit_f64<E>(self, _: f64) -> Result<(), E> {
        self.not_an_object("a number")
    }
    fn visit_str<E>(self, _: &str) -> Result<(), E> {
        self.not_an_object("text")
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<(), A::Error> {
        if self.level == Level::Record {
            while seq.next_element_seed(ScalarSeed::TOP)?.is_some() {}
            return self.not_an_object("an array");
        }
        self.native.shape = Shape::Array;
        self.native.read_elements(&mut seq)
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<(), A::Error> {
        let native = self.native;
        let mut record = native.record.take().unwrap_or_default();
        record.clear();
        let mut is_envelope = false;
        while let Some(key) = map.next_key_seed(KeySeed)? {
            match key {
                Key::Control(control) => record.set_control(control, map.next_value_seed(ScalarSeed::TOP)?),
                Key::Measured(parameter) => record.set_measured(parameter, map.next_value_seed(ScalarSeed::TOP)?),
                Key::Readings if self.level == Level::Message => {
                    is_envelope = true;
                    native.shape = Shape::Envelope;
                    map.next_value_seed(ReadingsSeed { native: &mut *native })?;
                }
                Key::Readings => {
                    record.unknown.push((Cow::Borrowed("readings"), map.next_value_seed(ScalarSeed::TOP)?));
                }
                Key::Unknown(name) => {
                    record.unknown.push((name, map.next_value_seed(ScalarSeed::TOP)?));
                }
            }
        }
        let nothing_is_left = native.drop_ignored(&mut record) > 0 && record.is_without_measurement();
        if !is_envelope && !nothing_is_left {
            native.finish(&record);
        } else if is_envelope && !nothing_is_left && !record.is_empty() {
            native.beside_readings(&record);
        }
        native.record = Some(record);
        Ok(())
    }
}

/// The array below `readings`.
struct ReadingsSeed<'n, 's, 'c, 'de> {
    native: &'n mut Native<'s, 'c, 'de>,
}

impl<'de> DeserializeSeed<'de> for ReadingsSeed<'_, '_, '_, 'de> {
    type Value = ();
    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de> ReadingsSeed<'_, '_, '_, 'de> {
    fn not_an_array<E>(self, kind: &str) -> Result<(), E> {
        self.native.sink.fault(Reason::Unreadable, 1, || FaultText {
            place: "readings".to_owned(),
            detail: format!("found {kind}: `readings` is an array of objects"),
            subject: String::new(),
        });
        Ok(())
    }
}

impl<'de> Visitor<'de> for ReadingsSeed<'_, '_, '_, 'de> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an array of readings")
    }
    fn visit_unit<E>(self) -> Result<(), E> {
        self.not_an_array("null")
    }
    fn visit_bool<E>(self, _: bool) -> Result<(), E> {
        self.not_an_array("true or false")
    }
    fn visit_i64<E>(self, _: i64) -> Result<(), E> {
        self.not_an_array("a number")
    }
    fn visit_u64<E>(self, _: u64) -> Result<(), E> {
        self.not_an_array("a number")
    }
    fn visit_f64<E>(self, _: f64) -> Result<(), E> {
        self.not_an_array("a number")
    }
    fn visit_str<E>(self, _: &str) -> Result<(), E> {
        self.not_an_array("text")
    }
    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<(), A::Error> {
        while map.next_key_seed(ScalarSeed::TOP)?.is_some() {
            map.next_value_seed(ScalarSeed::TOP)?;
        }
        self.not_an_array("an object")
    }
    fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<(), A::Error> {
        self.native.read_elements(&mut seq)
    }
}

/// What a record refuses with: the reason, the field, what is wrong.
struct Refusal {
    reason: Reason,
    field: &'static str,
    detail: String,
}

fn refuse<T>(reason: Reason, field: &'static str, detail: impl Into<String>) -> Result<T, Refusal> {
    Err(Refusal { reason, field, detail: detail.into() })
}

/// The name under `parameter`, and what it means; `None` where nobody knows.
struct Named<'r, 'c> {
    name: &'r str,
    meaning: Option<Meaning<'c>>,
}

#[derive(Clone, Copy)]
enum Meaning<'c> {
    Own(Parameter),
    Vendor(&'c FieldReading),
}

impl<'c> Meaning<'c> {
    fn parameter(self) -> Parameter {
        match self {
            Meaning::Own(parameter) => parameter,
            Meaning::Vendor(reading) => reading.parameter,
        }
    }

    fn sentinels(self) -> Option<&'c [f64]> {
        match self {
            Meaning::Own(_) => None,
            Meaning::Vendor(reading) => reading.sentinels.as_deref(),
        }
    }
}

/// What all readings of a record share.
struct Shared<'r> {
    well: WellId,
    resolved: Resolved,
    time_raw: Option<&'r str>,
    site_status: Option<SiteStatus>,
    revision: u32,
}

impl<'c, 'de> Native<'_, 'c, 'de> {
    fn read_elements<A: SeqAccess<'de>>(&mut self, seq: &mut A) -> Result<(), A::Error> {
        self.index = 0;
        while seq.next_element_seed(ElementSeed { native: &mut *self, level: Level::Record })?.is_some() {
            self.index += 1;
        }
        Ok(())
    }

    fn place(&self, field: &str) -> String {
        let index = self.index;
        match (self.shape, field) {
            (Shape::Object, field) => field.to_owned(),
            (Shape::Array, "") => format!("[{index}]"),
            (Shape::Array, field) => format!("[{index}].{field}"),
            (Shape::Envelope, "") => format!("readings[{index}]"),
            (Shape::Envelope, field) => format!("readings[{index}].{field}"),
        }
    }

    /// Keys beside `readings`: they look as if they spoke for all records, which they do not.
    fn beside_readings(&mut self, record: &Record<'de>) {
        self.shape = Shape::Object;
        let first_unknown = record.unknown.first().map_or("well, time or parameter", |(name, _)| short(name));
        let first_unknown = first_unknown.to_owned();
        self.sink.fault(Reason::UnknownParameter, record.readings(), || FaultText {
            place: String::new(),
            detail: format!("{} stands beside `readings`: put it into each record", excerpt(&first_unknown)),
            subject: format!("/{first_unknown}"),
        });
    }

    /// Turns a complete record into readings and faults.
    fn finish(&mut self, record: &Record<'de>) {
        let shared = match self.shared(record) {
            Ok(shared) => shared,
            Err(refusal) => {
                let well_text = short(record.well_text());
                let place = self.place(refusal.field);
                self.sink.fault(refusal.reason, record.readings(), || FaultText {
                    place,
                    detail: refusal.detail,
                    subject: well_text.to_owned(),
                });
                return;
            }
        };
        let before = self.sink.out.readings.len();
        let named = self.named(record);
        let repeated = record.repeated | self.named_twice(record, named.as_ref());
        if let Some(named) = named {
            self.named_value(record, &named, repeated, &shared);
        }
        for (parameter, value) in &record.measured {
            let parameter = *parameter;
            if repeated & (1 << parameter.code()) != 0 {
                self.field_fault(Reason::DuplicateKey, &shared, parameter.name(), || {
                    format!("{parameter} stands twice in the record: send it once")
                });
                continue;
            }
            self.emit(&shared, parameter, parameter.name(), value, Conversion::IDENTITY);
        }
        for (name, value) in &record.unknown {
            self.vendor_value(name, value, repeated, &shared);
        }
        let added = (self.sink.out.readings.len() - before) as u64;
        if shared.resolved.is_corrected() && added > 0 {
            let place = self.place("time");
            let (kind, time) = (shared.resolved.source, shared.resolved.time);
            self.sink.corrected(kind, added, || {
                let rule = match kind {
                    TimeSource::BuddhistEra => "the year is of the Buddhist era, 543 were taken off",
                    _ => "there is no offset, the gateway's clock_zone was applied",
                };
                (place, format!("{} was read as {time}: {rule}", excerpt(shared.time_raw.unwrap_or_default())))
            });
        }
    }

    /// Rule 1: what the record cannot be read without.
    fn shared<'r>(&mut self, record: &'r Record<'de>) -> Result<Shared<'r>, Refusal> {
        if let Some(name) = record.repeated_control {
            return refuse(Reason::DuplicateKey, name, format!("{name} stands twice in the record: send it once"));
        }
        let well = match &record.well {
            Some(Scalar::Text(text)) => match self.sink.well(text) {
                Ok(well) => well,
                Err(error) => {
                    return refuse(Reason::BadId, "well", format!("{} is no well id: {error}", excerpt(text)));
                }
            },
            None | Some(Scalar::Null) => {
                return refuse(Reason::MissingWell, "well", "the record has no `well`: say which well it is");
            }
            Some(other) => return refuse(Reason::BadId, "well", format!("`well` is {}: send text", other.kind())),
        };
        let (resolved, time_raw) = self.time(record)?;
        let site_status = match &record.status {
            None | Some(Scalar::Null) => None,
            Some(Scalar::Text(name)) => match SiteStatus::from_name(name) {
                Some(status) => Some(status),
                None => {
                    let names: Vec<&str> = SiteStatus::ALL.iter().map(|status| status.name()).collect();
                    let detail = format!("{} is no status: send one of {}", excerpt(name), names.join(", "));
                    return refuse(Reason::BadStatus, "status", detail);
                }
            },
            Some(other) => {
                return refuse(Reason::BadStatus, "status", format!("`status` is {}: send text", other.kind()));
            }
        };
        let revision = match &record.revision {
            None | Some(Scalar::Null) => 0,
            Some(Scalar::Integer(number)) if u32::try_from(*number).is_ok() => *number as u32,
            Some(_) => {
                let detail = format!("`revision` is no integer from 0 to {}", u32::MAX);
                return refuse(Reason::BadRevision, "revision", detail);
            }
        };
        self.check_parameter_and_unit(record, site_status)?;
        Ok(Shared { well, resolved, time_raw, site_status, revision })
    }

    fn time<'r>(&mut self, record: &'r Record<'de>) -> Result<(Resolved, Option<&'r str>), Refusal> {
        let context = self.sink.context;
        let has_age = !matches!(record.age_s, None | Some(Scalar::Null));
        let (resolved, raw) = match &record.time {
            Some(Scalar::Text(_) | Scalar::Integer(_) | Scalar::Float(_)) if has_age => {
                return refuse(Reason::BadTime, "age_s", "both `time` and `age_s` are there: send one of them");
            }
            Some(Scalar::Text(text)) => (time::resolve_text(text, context), Some(&**text)),
            Some(Scalar::Integer(number)) => (time::resolve_epoch_integer(*number, context), None),
            Some(Scalar::Float(number)) => (time::resolve_epoch(*number, context), None),
            None | Some(Scalar::Null) => match &record.age_s {
                None | Some(Scalar::Null) => {
                    let detail = "the record has no `time`: send RFC 3339 with offset, an epoch number, or `age_s`";
                    return refuse(Reason::MissingTime, "time", detail);
                }
                Some(age) => match age.number() {
                    Some(age_s) => (time::resolve_age(age_s, context), None),
                    None => {
                        return refuse(Reason::BadTime, "age_s", format!("`age_s` is {}: send a number", age.kind()));
                    }
                },
            },
            Some(other) => return refuse(Reason::BadTime, "time", format!("`time` is {}", other.kind())),
        };
        match resolved {
            Ok(resolved) => Ok((resolved, raw.filter(|_| resolved.is_corrected()))),
            Err(fault) => {
                self.sink.note_clock(&fault);
                refuse(fault.reason, "time", fault.detail)
            }
        }
    }

    /// Rules 3 and 4, and a record without any reading.
    fn check_parameter_and_unit(&self, record: &Record<'de>, status: Option<SiteStatus>) -> Result<(), Refusal> {
        let has_parameter = match &record.parameter {
            Some(Scalar::Text(_)) => true,
            None | Some(Scalar::Null) => false,
            Some(other) => {
                return refuse(
                    Reason::UnknownParameter,
                    "parameter",
                    format!("`parameter` is {}: send its name", other.kind()),
                );
            }
        };
        let has_unit = match &record.unit {
            Some(Scalar::Text(_)) => true,
            None | Some(Scalar::Null) => false,
            Some(other) => {
                return refuse(Reason::UnknownUnit, "unit", format!("`unit` is {}: send its name", other.kind()));
            }
        };
        if has_parameter && record.value.is_none() && status != Some(SiteStatus::Dry) {
            return refuse(Reason::MissingValue, "value", "the record has no `value`: send a number, or null for none");
        }
        if !has_parameter && record.value.is_some() {
            return refuse(Reason::MissingParameter, "parameter", "`value` has no `parameter`: say what was measured");
        }
        if !has_parameter && has_unit {
            let detail = "`unit` belongs to `parameter` and `value`: parameters as keys are in their canonical unit";
            return refuse(Reason::UnknownUnit, "unit", detail);
        }
        if !has_parameter && record.measured.is_empty() && record.unknown.is_empty() {
            return match status {
                None => refuse(Reason::MissingValue, "", "the record holds no parameter: say what was measured"),
                Some(_) => refuse(
                    Reason::MissingParameter,
                    "",
                    "a status needs its parameter, such as \"depth_to_water\": null",
                ),
            };
        }
        Ok(())
    }

    /// What a device profile says of a name that gwbank does not know.
    fn rule(&self, well: &str, name: &str) -> Option<&'c FieldRule> {
        self.sink.context.profiles?.field(well, name)
    }

    /// Rule 5: takes out what a device profile ignores, and says how many.
    fn drop_ignored(&mut self, record: &mut Record<'de>) -> u64 {
        let Some(profiles) = self.sink.context.profiles else { return 0 };
        let mut fields = std::mem::take(&mut record.unknown);
        let before = fields.len();
        let is_ignored = |name: &str| profiles.field(record.well_text(), name) == Some(&FieldRule::Ignore);
        fields.retain(|(name, _)| !is_ignored(name));
        let mut ignored = (before - fields.len()) as u64;
        let names_ignored = matches!(&record.parameter, Some(Scalar::Text(name)) if is_ignored(name));
        if names_ignored {
            ignored += 1;
            (record.parameter, record.value, record.unit) = (None, None, None);
        }
        record.unknown = fields;
        self.sink.out.ignored += ignored;
        ignored
    }

    /// What `parameter` names.
    fn named<'r>(&self, record: &'r Record<'de>) -> Option<Named<'r, 'c>> {
        let Some(Scalar::Text(name)) = &record.parameter else { return None };
        let meaning = match Parameter::from_name(name) {
            Some(parameter) => Some(Meaning::Own(parameter)),
            None => match self.rule(record.well_text(), name) {
                Some(FieldRule::Read(reading)) => Some(Meaning::Vendor(reading)),
                Some(FieldRule::Ignore) | None => None,
            },
        };
        Some(Named { name, meaning })
    }

    /// The bits of parameters that stand under two names: as `parameter`, as a key, as a vendor's key.
    fn named_twice(&self, record: &Record<'de>, named: Option<&Named<'_, '_>>) -> u32 {
        let (mut seen, mut twice) = (record.seen, 0);
        let mut add = |parameter: Parameter| {
            let bit = 1 << parameter.code();
            twice |= seen & bit;
            seen |= bit;
        };
        if let Some(meaning) = named.and_then(|named| named.meaning) {
            add(meaning.parameter());
        }
        for (name, _) in &record.unknown {
            if let Some(FieldRule::Read(reading)) = self.rule(record.well_text(), name) {
                add(reading.parameter);
            }
        }
        twice
    }

    /// `parameter` + `value` (+ `unit`).
    fn named_value(&mut self, record: &Record<'de>, named: &Named<'_, '_>, repeated: u32, shared: &Shared<'_>) {
        let name = named.name;
        let Some(meaning) = named.meaning else {
            self.field_fault(Reason::UnknownParameter, shared, name, || units::unknown_parameter_detail(name));
            return;
        };
        let parameter = meaning.parameter();
        if repeated & (1 << parameter.code()) != 0 {
            self.field_fault(Reason::DuplicateKey, shared, name, || {
                format!("{parameter} stands in the record both as `parameter` and as a key: send it once")
            });
            return;
        }
        let unit = match &record.unit {
            Some(Scalar::Text(unit)) => {
                let profiles = self.sink.context.profiles;
                Some(profiles.and_then(|profiles| profiles.unit(shared.well.as_str(), unit)).unwrap_or(unit))
            }
            _ => None,
        };
        let conversion = match (meaning, unit) {
            (Meaning::Vendor(reading), unit) => reading.conversion(unit),
            (Meaning::Own(parameter), Some(unit)) => units::conversion(parameter, unit),
            (Meaning::Own(_), None) => Some(Conversion::IDENTITY),
        };
        let Some(conversion) = conversion else {
            let unit = unit.unwrap_or_default();
            self.field_fault(Reason::UnknownUnit, shared, name, || units::unknown_unit_detail(parameter, unit));
            return;
        };
        let value = record.value.as_ref().unwrap_or(&Scalar::Null);
        let sentinels = meaning.sentinels().unwrap_or(self.sink.context.sentinels);
        self.emit_with(shared, parameter, "value", value, conversion, sentinels);
    }

    /// A key that is no parameter of gwbank: what a device profile makes of it, or a fault.
    fn vendor_value(&mut self, name: &str, value: &Scalar<'de>, repeated: u32, shared: &Shared<'_>) {
        let Some(FieldRule::Read(reading)) = self.rule(shared.well.as_str(), name) else {
            self.field_fault(Reason::UnknownParameter, shared, name, || units::unknown_parameter_detail(name));
            return;
        };
        let parameter = reading.parameter;
        if repeated & (1 << parameter.code()) != 0 {
            self.field_fault(Reason::DuplicateKey, shared, name, || {
                format!("{parameter} stands in the record under two names: send it once")
            });
            return;
        }
        let conversion = reading.conversion(None).unwrap_or(Conversion::IDENTITY);
        let sentinels = reading.sentinels.as_deref().unwrap_or(self.sink.context.sentinels);
        self.emit_with(shared, parameter, short(name), value, conversion, sentinels);
    }

    fn emit(
        &mut self,
        shared: &Shared<'_>,
        parameter: Parameter,
        field: &str,
        value: &Scalar<'de>,
        conversion: Conversion,
    ) {
        self.emit_with(shared, parameter, field, value, conversion, self.sink.context.sentinels);
    }

    fn emit_with(
        &mut self,
        shared: &Shared<'_>,
        parameter: Parameter,
        field: &str,
        value: &Scalar<'de>,
        conversion: Conversion,
        sentinels: &[f64],
    ) {
        let value = match numeric(value, conversion, sentinels) {
            Ok(value) => value,
            Err(detail) => {
                let place = self.place(field);
                self.sink.fault(Reason::BadValue, 1, || FaultText {
                    place,
                    detail,
                    subject: format!("{}/{parameter}", shared.well),
                });
                return;
            }
        };
        self.sink.out.readings.push(Reading {
            well: shared.well.clone(),
            parameter,
            time: shared.resolved.time,
            time_source: shared.resolved.source,
            value,
            site_status: shared.site_status,
            revision: shared.revision,
            time_raw: shared.time_raw.map(Box::from),
        });
    }

    fn field_fault(&mut self, reason: Reason, shared: &Shared<'_>, field: &str, detail: impl FnOnce() -> String) {
        let place = self.place(short(field));
        let well = &shared.well;
        self.sink.fault(reason, 1, || FaultText {
            place,
            detail: detail(),
            subject: format!("{well}/{}", short(field)),
        });
    }
}

/// A value in canonical units, `None` for null and sentinels.
pub(crate) fn numeric(value: &Scalar<'_>, conversion: Conversion, sentinels: &[f64]) -> Result<Option<f64>, String> {
    let sent = match value {
        Scalar::Null => return Ok(None),
        Scalar::Integer(number) => *number as f64,
        Scalar::Float(number) => *number,
        Scalar::Text(text) => return Err(text_as_value(text)),
        other => return Err(format!("the value is {}: send a number, or null for none", other.kind())),
    };
    if sentinels.contains(&sent) {
        return Ok(None);
    }
    let canonical = conversion.apply(sent);
    if !canonical.is_finite() {
        return Err(format!("the value {sent:e} is not finite or too large: send a number, or null for none"));
    }
    Ok(Some(canonical))
}

fn text_as_value(text: &str) -> String {
    let shown = excerpt(text);
    match text.trim().parse::<f64>() {
        Ok(number) if number.is_finite() => format!("the value {shown} is text: send the number without quotes"),
        Ok(_) => format!("the value {shown} is not finite: send null for no value"),
        Err(_) => format!("the value {shown} is text: send a number, or null for none"),
    }
}
