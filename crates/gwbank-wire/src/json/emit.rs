//! From a complete record to readings and faults.

use gwbank_model::{Parameter, Reading, TimeSource};

use super::Native;
use super::meaning::{Meaning, Named, Shared};
use super::record::Record;
use crate::Reason;
use crate::fault::{FaultText, excerpt, short};
use crate::profile::FieldRule;
use crate::scalar::Scalar;
use crate::units::{self, Conversion};

impl<'de> Native<'_, '_, 'de> {
    /// Turns a complete record into readings and faults.
    pub(super) fn finish(&mut self, record: &Record<'de>) {
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
        let by_us = matches!(record.time_source, None | Some(Scalar::Null));
        if shared.resolved.is_corrected() && by_us && added > 0 {
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
