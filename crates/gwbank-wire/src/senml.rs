//! SenML (RFC 8428) as JSON and as CBOR.
//!
//! # How a name is read
//! The full name is base name + name. Its **last `:` or `/`** parts the well from the parameter: `TH3001-0007:depth_to_water`,
//! `urn:dev:mac:0024befffe804ff1/water_temperature`. The well before it is taken as it stands; that a device's URN stands
//! for a well is for the pipeline's aliases to say.
//!
//! # Rules
//! 1. Base fields hold for their own record and all later ones, until they are set again. Name, time, value and sum are
//!    base + own (a missing part is empty or zero); the unit is the own one, else the base unit, else the canonical unit
//!    of the parameter (RFC 8428 leaves it undefined).
//! 2. A time below 2²⁸ is relative to arrival.
//! 3. `bver` above 10 (fault `unsupported_version`) and a label ending in `_` that is not understood (fault
//!    `must_understand`) refuse the whole pack; gwbank understands none. Other unknown labels are ignored.
//! 4. A record has at most one of v, vs, vb, vd. Only v can be a reading; `"vs": "dry"` is a reading without value and
//!    with status `dry`. A sum (`s`) beside v is checked and not kept; alone it is no value of any parameter. `ut` is
//!    ignored. `null` in v is a reading without value.
//! 5. A record of base fields only is no reading and no fault.
//! 6. A base field that cannot be read spoils every record from there on, for they depend on it: one fault for all of them.
//!    So does a base field that stands twice in a record. Any other label that stands twice costs its record.
//! 7. A pack that breaks in the middle is refused as a whole.

use std::borrow::Cow;
use std::fmt;

use base64::Engine;
use base64::engine::DecodePaddingMode;
use base64::engine::general_purpose::{GeneralPurpose, GeneralPurposeConfig};
use gwbank_model::{Parameter, Reading, SiteStatus};
use serde::de::{Deserialize, Deserializer, Error, MapAccess, SeqAccess, Visitor};

use crate::Reason;
use crate::decode::whole;
use crate::fault::{FaultText, Sink, excerpt, short};
use crate::json::numeric;
use crate::limits::SENML_RECORDS_MAX;
use crate::profile::{FieldReading, FieldRule};
use crate::repair;
use crate::scalar::Scalar;
use crate::time;
use crate::units::{self, Conversion};

/// RFC 8428 §4.4: the version that this decoder speaks, and the default.
const VERSION: i64 = 10;

/// The data value is base64url, whose padding RFC 8428 leaves away and senders often do not.
const BASE64_URL: GeneralPurpose = GeneralPurpose::new(
    &base64::alphabet::URL_SAFE,
    GeneralPurposeConfig::new().with_decode_padding_mode(DecodePaddingMode::Indifferent),
);

pub(crate) fn decode_json(payload: &[u8], sink: &mut Sink<'_>) {
    let parsed = serde_json::from_slice::<Pack<'_>>(payload);
    let repaired = match parsed {
        Ok(pack) => return resolve(pack, sink),
        Err(error) => match repair::quote_impossible_numbers(payload) {
            None => return unreadable(sink, "JSON", &error),
            Some(repaired) => repaired,
        },
    };
    match serde_json::from_slice::<Pack<'_>>(&repaired) {
        Ok(pack) => resolve(pack, sink),
        Err(error) => unreadable(sink, "JSON", &error),
    }
}

pub(crate) fn decode_cbor(payload: &[u8], sink: &mut Sink<'_>) {
    let mut rest = payload;
    match ciborium::de::from_reader::<OwnedPack, _>(&mut rest) {
        Ok(OwnedPack(pack)) => {
            let trailing = rest.len();
            resolve(pack, sink);
            if trailing > 0 {
                whole(sink, Reason::Unreadable, || {
                    format!("{trailing} bytes follow the end of the pack: send one array, in one message")
                });
            }
        }
        Err(error) => {
            let at = payload.len() - rest.len();
            let text = match error {
                ciborium::de::Error::Io(_) => format!("the pack ends too early, after {} bytes", payload.len()),
                ciborium::de::Error::Syntax(offset) => format!("no CBOR at byte {offset}"),
                ciborium::de::Error::Semantic(_, text) => format!("{text}, near byte {at}"),
                ciborium::de::Error::RecursionLimitExceeded => "nested too deep".to_owned(),
            };
            unreadable(sink, "CBOR", &text);
        }
    }
}

fn unreadable(sink: &mut Sink<'_>, what: &str, error: &dyn fmt::Display) {
    whole(sink, Reason::Unreadable, || format!("not a SenML pack in {what}: {error}; the whole pack was refused"));
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Label {
    BaseVersion,
    BaseName,
    BaseTime,
    BaseUnit,
    BaseValue,
    BaseSum,
    Name,
    Unit,
    Value,
    TextValue,
    BoolValue,
    Sum,
    Time,
    UpdateTime,
    DataValue,
    /// Not understood, and need not be.
    Other,
}

/// Labels in the order of their CBOR numbers, from −6 on.
const LABELS: [(Label, &str); 15] = [
    (Label::BaseSum, "bs"),
    (Label::BaseValue, "bv"),
    (Label::BaseUnit, "bu"),
    (Label::BaseTime, "bt"),
    (Label::BaseName, "bn"),
    (Label::BaseVersion, "bver"),
    (Label::Name, "n"),
    (Label::Unit, "u"),
    (Label::Value, "v"),
    (Label::TextValue, "vs"),
    (Label::BoolValue, "vb"),
    (Label::Sum, "s"),
    (Label::Time, "t"),
    (Label::UpdateTime, "ut"),
    (Label::DataValue, "vd"),
];
const FIRST_CBOR_LABEL: i64 = -6;

impl Label {
    fn of_number(number: i64) -> Label {
        let index = number.checked_sub(FIRST_CBOR_LABEL).and_then(|index| usize::try_from(index).ok());
        index.and_then(|index| LABELS.get(index)).map_or(Label::Other, |(label, _)| *label)
    }

    fn of_name(name: &str) -> Label {
        LABELS.iter().find(|(_, known)| *known == name).map_or(Label::Other, |(label, _)| *label)
    }

    fn name(self) -> &'static str {
        LABELS.iter().find(|(label, _)| *label == self).map_or("an unknown label", |(_, name)| name)
    }

    fn is_base(self) -> bool {
        matches!(
            self,
            Label::BaseVersion
                | Label::BaseName
                | Label::BaseTime
                | Label::BaseUnit
                | Label::BaseValue
                | Label::BaseSum
        )
    }

    fn is_value(self) -> bool {
        matches!(self, Label::Value | Label::TextValue | Label::BoolValue | Label::DataValue)
    }
}

/// A pack as parsed, before anything is resolved.
#[derive(Default)]
struct Pack<'de> {
    elements: Vec<Element<'de>>,
    /// The first label that must be understood and is not, and where.
    must_understand: Option<(usize, String)>,
}

/// ciborium lends nothing, so its packs own their texts.
struct OwnedPack(Pack<'static>);

enum Element<'de> {
    Record(Box<[(Label, Scalar<'de>)]>),
    /// Something else than a map.
    Other(&'static str),
}

impl<'de> Deserialize<'de> for Pack<'de> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_seq(PackVisitor)
    }
}

impl<'de> Deserialize<'de> for OwnedPack {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let pack = Pack::deserialize(deserializer)?;
        let own = |element| match element {
            Element::Record(fields) => {
                Element::Record(fields.into_iter().map(|(label, scalar)| (label, scalar.into_owned())).collect())
            }
            Element::Other(kind) => Element::Other(kind),
        };
        let elements = pack.elements.into_iter().map(own).collect();
        Ok(OwnedPack(Pack { elements, must_understand: pack.must_understand }))
    }
}

struct PackVisitor;

impl<'de> Visitor<'de> for PackVisitor {
    type Value = Pack<'de>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an array of SenML records")
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Pack<'de>, A::Error> {
        let mut pack = Pack::default();
        while let Some((element, must_understand)) =
            seq.next_element::<ElementWithExtension<'de>>()?.map(|e| (e.0, e.1))
        {
            if pack.elements.len() == SENML_RECORDS_MAX {
                return Err(A::Error::custom(format_args!("more than {SENML_RECORDS_MAX} records")));
            }
            if let Some(label) = must_understand
                && pack.must_understand.is_none()
            {
                pack.must_understand = Some((pack.elements.len(), label));
            }
            pack.elements.push(element);
        }
        Ok(pack)
    }
}

struct ElementWithExtension<'de>(Element<'de>, Option<String>);

impl<'de> Deserialize<'de> for ElementWithExtension<'de> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(ElementVisitor)
    }
}

struct ElementVisitor;

fn not_a_record<'de, E>(kind: &'static str) -> Result<ElementWithExtension<'de>, E> {
    Ok(ElementWithExtension(Element::Other(kind), None))
}

impl<'de> Visitor<'de> for ElementVisitor {
    type Value = ElementWithExtension<'de>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a SenML record")
    }
    fn visit_unit<E>(self) -> Result<Self::Value, E> {
        not_a_record("null")
    }
    fn visit_none<E>(self) -> Result<Self::Value, E> {
        not_a_record("null")
    }
    fn visit_bool<E>(self, _: bool) -> Result<Self::Value, E> {
        not_a_record("true or false")
    }
    fn visit_i64<E>(self, _: i64) -> Result<Self::Value, E> {
        not_a_record("a number")
    }
    fn visit_u64<E>(self, _: u64) -> Result<Self::Value, E> {
        not_a_record("a number")
    }
    fn visit_i128<E>(self, _: i128) -> Result<Self::Value, E> {
        not_a_record("a number")
    }
    fn visit_u128<E>(self, _: u128) -> Result<Self::Value, E> {
        not_a_record("a number")
    }
    fn visit_f64<E>(self, _: f64) -> Result<Self::Value, E> {
        not_a_record("a number")
    }
    fn visit_str<E>(self, _: &str) -> Result<Self::Value, E> {
        not_a_record("text")
    }
    fn visit_bytes<E>(self, _: &[u8]) -> Result<Self::Value, E> {
        not_a_record("bytes")
    }
    fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Self::Value, A::Error> {
        while seq.next_element::<Scalar<'de>>()?.is_some() {}
        not_a_record("an array")
    }
    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
        let mut fields: Vec<(Label, Scalar<'de>)> = Vec::with_capacity(4);
        let mut must_understand = None;
        while let Some(key) = map.next_key::<Scalar<'de>>()? {
            let label = match &key {
                Scalar::Integer(number) => Label::of_number(*number),
                Scalar::Text(name) => {
                    let label = Label::of_name(name);
                    if label == Label::Other && name.ends_with('_') && must_understand.is_none() {
                        must_understand = Some(short(name).to_owned());
                    }
                    label
                }
                _ => Label::Other,
            };
            let value = map.next_value::<Scalar<'de>>()?;
            if label != Label::Other {
                // A data value is checked where it is read; everything else stays as it came.
                fields.push((label, value));
            }
        }
        Ok(ElementWithExtension(Element::Record(fields.into_boxed_slice()), must_understand))
    }
}

/// What later records inherit.
#[derive(Default)]
struct Base<'de> {
    name: Cow<'de, str>,
    time: f64,
    unit: Option<Cow<'de, str>>,
    value: f64,
    sum: f64,
}

/// The value field of a record.
enum Value<'r, 'de> {
    None,
    Field(Label, &'r Scalar<'de>),
}

struct Refusal {
    reason: Reason,
    detail: String,
    subject: String,
}

fn refuse<T>(reason: Reason, detail: impl Into<String>) -> Result<T, Refusal> {
    Err(Refusal { reason, detail: detail.into(), subject: String::new() })
}

/// Rules 1 to 6.
fn resolve(pack: Pack<'_>, sink: &mut Sink<'_>) {
    let carried = pack.elements.iter().filter(|element| carries_reading(element)).count() as u64;
    if let Some((index, label)) = &pack.must_understand {
        sink.fault(Reason::MustUnderstand, carried, || FaultText {
            place: format!("[{index}]"),
            detail: format!("label {} must be understood and is not: the whole pack was refused", excerpt(label)),
            subject: label.clone(),
        });
        return;
    }
    if let Some((index, version)) = unsupported_version(&pack) {
        sink.fault(Reason::UnsupportedVersion, carried, || FaultText {
            place: format!("[{index}].bver"),
            detail: format!("SenML version {version} is not supported, {VERSION} is: the whole pack was refused"),
            subject: "bver".to_owned(),
        });
        return;
    }
    let mut base = Base::default();
    for (index, element) in pack.elements.iter().enumerate() {
        let fields = match element {
            Element::Record(fields) => fields,
            Element::Other(kind) => {
                sink.fault(Reason::BadRecord, 1, || FaultText {
                    place: format!("[{index}]"),
                    detail: format!("found {kind}: each SenML record is a map"),
                    subject: String::new(),
                });
                continue;
            }
        };
        if let Err(refusal) = base.take(fields) {
            let rest = pack.elements[index..].iter().filter(|element| carries_reading(element)).count() as u64;
            let detail = format!("{}; this record and all after it depend on it", refusal.detail);
            let place = format!("[{index}]");
            sink.fault(refusal.reason, rest, || FaultText { place, detail, subject: refusal.subject });
            return;
        }
        match read_record(fields, &base, sink) {
            Ok(Some(reading)) => sink.out.readings.push(reading),
            Ok(None) => {}
            Err(Refusal { reason, detail, subject }) => {
                sink.fault(reason, 1, || FaultText { place: format!("[{index}]"), detail, subject });
            }
        }
    }
}

fn carries_reading(element: &Element<'_>) -> bool {
    match element {
        Element::Record(fields) => fields.iter().any(|(label, _)| label.is_value() || *label == Label::Sum),
        Element::Other(_) => true,
    }
}

fn unsupported_version(pack: &Pack<'_>) -> Option<(usize, String)> {
    pack.elements.iter().enumerate().find_map(|(index, element)| {
        let Element::Record(fields) = element else { return None };
        let (_, version) = fields.iter().find(|(label, _)| *label == Label::BaseVersion)?;
        match version {
            Scalar::Integer(number) if (1..=VERSION).contains(number) => None,
            Scalar::Integer(number) => Some((index, number.to_string())),
            other => Some((index, format!("that is {}", other.kind()))),
        }
    })
}

impl<'de> Base<'de> {
    /// Takes over the base fields of a record.
    fn take(&mut self, fields: &[(Label, Scalar<'de>)]) -> Result<(), Refusal> {
        for (at, (label, value)) in fields.iter().enumerate() {
            if !label.is_base() {
                continue;
            }
            if fields[..at].iter().any(|(earlier, _)| earlier == label) {
                return refuse(Reason::DuplicateKey, format!("`{}` stands twice in the record", label.name()));
            }
            let wrong =
                |reason, wanted: &str| refuse(reason, format!("`{}` is {}: send {wanted}", label.name(), value.kind()));
            match (label, value) {
                (Label::BaseName, Scalar::Text(text)) => self.name = text.clone(),
                (Label::BaseName, _) => return wrong(Reason::BadId, "text"),
                (Label::BaseUnit, Scalar::Text(text)) => self.unit = Some(text.clone()),
                (Label::BaseUnit, _) => return wrong(Reason::UnknownUnit, "text"),
                (Label::BaseTime, value) => match value.number() {
                    Some(seconds) => self.time = seconds,
                    None => return wrong(Reason::BadTime, "a number"),
                },
                (Label::BaseValue, value) => match value.number() {
                    Some(number) => self.value = number,
                    None => return wrong(Reason::BadValue, "a number"),
                },
                (Label::BaseSum, value) => match value.number() {
                    Some(number) => self.sum = number,
                    None => return wrong(Reason::BadValue, "a number"),
                },
                _ => {}
            }
        }
        Ok(())
    }
}

fn read_record(
    fields: &[(Label, Scalar<'_>)],
    base: &Base<'_>,
    sink: &mut Sink<'_>,
) -> Result<Option<Reading>, Refusal> {
    if fields.iter().all(|(label, _)| label.is_base()) {
        return Ok(None);
    }
    let (mut own_name, mut own_unit, mut own_time, mut sum) = (None, None, None, None);
    let mut value = Value::None;
    for (at, (label, field)) in fields.iter().enumerate() {
        if fields[..at].iter().any(|(earlier, _)| earlier == label) {
            return refuse(Reason::DuplicateKey, format!("`{}` stands twice in the record", label.name()));
        }
        match label {
            Label::Name => own_name = Some(field),
            Label::Unit => own_unit = Some(field),
            Label::Time => own_time = Some(field),
            Label::Sum => sum = Some(field),
            label if label.is_value() => match value {
                Value::None => value = Value::Field(*label, field),
                Value::Field(earlier, _) => {
                    let detail =
                        format!("`{}` and `{}` stand in one record: send one value", earlier.name(), label.name());
                    return refuse(Reason::BadValue, detail);
                }
            },
            _ => {}
        }
    }

    let (well, parameter) = match own_name {
        None => split_name(&base.name)?,
        Some(Scalar::Text(own)) => split_name(&format!("{}{own}", base.name))?,
        Some(other) => return refuse(Reason::BadId, format!("`n` is {}: send text", other.kind())),
    };
    let subject = || format!("{}/{}", short(&well), short(&parameter));
    let about = |refusal: Refusal| Refusal { subject: subject(), ..refusal };

    let profiles = sink.context.profiles;
    let mut vendor: Option<&FieldReading> = None;
    let known = match Parameter::from_name(&parameter) {
        Some(known) => known,
        None => match profiles.and_then(|profiles| profiles.field(&well, &parameter)) {
            Some(FieldRule::Ignore) => {
                sink.out.ignored += 1;
                return Ok(None);
            }
            Some(FieldRule::Read(reading)) => {
                vendor = Some(reading);
                reading.parameter
            }
            None => {
                return refuse(Reason::UnknownParameter, units::unknown_parameter_detail(&parameter)).map_err(about);
            }
        },
    };
    let well_id = match sink.well(&well) {
        Ok(well_id) => well_id,
        Err(error) => {
            return refuse(Reason::BadId, format!("{} is no well id: {error}", excerpt(&well))).map_err(about);
        }
    };
    let unit: Option<&str> = match own_unit {
        None => base.unit.as_deref(),
        Some(Scalar::Text(unit)) => Some(unit),
        Some(other) => {
            return refuse(Reason::UnknownUnit, format!("`u` is {}: send text", other.kind())).map_err(about);
        }
    };
    let unit = unit.map(|unit| profiles.and_then(|profiles| profiles.unit(&well, unit)).unwrap_or(unit));
    let conversion = match (vendor, unit) {
        (Some(reading), unit) => reading.conversion(unit),
        (None, Some(unit)) => units::conversion(known, unit),
        (None, None) => Some(Conversion::IDENTITY),
    };
    let Some(conversion) = conversion else {
        let unit = unit.unwrap_or_default();
        return refuse(Reason::UnknownUnit, units::unknown_unit_detail(known, unit)).map_err(about);
    };
    let own_seconds = match own_time {
        None => 0.0,
        Some(time) => match time.number() {
            Some(seconds) => seconds,
            None => return refuse(Reason::BadTime, format!("`t` is {}: send a number", time.kind())).map_err(about),
        },
    };
    let resolved = match time::resolve_senml(base.time + own_seconds, sink.context) {
        Ok(resolved) => resolved,
        Err(fault) => {
            sink.note_clock(&fault);
            return refuse(fault.reason, fault.detail).map_err(about);
        }
    };
    let sentinels = vendor.and_then(|reading| reading.sentinels.as_deref()).unwrap_or(sink.context.sentinels);
    let (value, site_status) = read_value(&value, sum, base, conversion, sentinels).map_err(about)?;
    Ok(Some(Reading {
        well: well_id,
        parameter: known,
        time: resolved.time,
        time_source: resolved.source,
        value,
        site_status,
        revision: 0,
        time_raw: None,
    }))
}

/// Well and parameter of a full name.
fn split_name(name: &str) -> Result<(String, String), Refusal> {
    if name.is_empty() {
        return refuse(Reason::MissingWell, "the record has no name: send well:parameter in `bn` and `n`");
    }
    match name.rfind([':', '/']) {
        Some(0) => refuse(Reason::MissingWell, format!("{} names no well: send well:parameter", excerpt(name))),
        Some(at) => Ok((name[..at].to_owned(), name[at + 1..].to_owned())),
        None if Parameter::from_name(name).is_some() => {
            refuse(Reason::MissingWell, format!("{} names no well: send well:parameter", excerpt(name)))
        }
        None => refuse(
            Reason::MissingParameter,
            format!("{} has no `:` or `/` between well and parameter: send well:parameter", excerpt(name)),
        ),
    }
}

/// Rule 4.
fn read_value(
    value: &Value<'_, '_>,
    sum: Option<&Scalar<'_>>,
    base: &Base<'_>,
    conversion: Conversion,
    sentinels: &[f64],
) -> Result<(Option<f64>, Option<SiteStatus>), Refusal> {
    if let Some(sum) = sum {
        let total = sum.number().map(|own| base.sum + own);
        if !total.is_some_and(f64::is_finite) {
            return refuse(Reason::BadValue, format!("`s` is {}: send a finite number", sum.kind()));
        }
    }
    match value {
        Value::None if sum.is_some() => {
            refuse(Reason::MissingValue, "a sum alone (`s`) is no value of a parameter: send `v`")
        }
        Value::None => refuse(Reason::MissingValue, "the record has no value: send `v`"),
        Value::Field(Label::Value, sent) => {
            let is_sentinel = sent.number().is_some_and(|own| sentinels.contains(&own));
            if is_sentinel {
                return Ok((None, None));
            }
            let summed = match sent.number() {
                Some(own) if base.value != 0.0 => Scalar::Float(base.value + own),
                _ => (*sent).clone(),
            };
            match numeric(&summed, conversion, sentinels) {
                Ok(value) => Ok((value, None)),
                Err(detail) => refuse(Reason::BadValue, detail),
            }
        }
        Value::Field(Label::TextValue, Scalar::Text(text)) if text == SiteStatus::Dry.name() => {
            Ok((None, Some(SiteStatus::Dry)))
        }
        Value::Field(Label::DataValue, Scalar::Text(text)) if BASE64_URL.decode(text.as_bytes()).is_err() => {
            refuse(Reason::BadValue, "`vd` is not base64url, and bytes are no value of a parameter: send `v`")
        }
        Value::Field(label, _) => {
            let kind = match label {
                Label::TextValue => "text",
                Label::BoolValue => "true or false",
                _ => "bytes",
            };
            refuse(
                Reason::BadValue,
                format!("`{}` carries {kind}, which no parameter measures: send `v`", label.name()),
            )
        }
    }
}
