//! What a record says as a whole, and what the names in it mean.

use std::borrow::Cow;

use gwbank_model::{Parameter, SiteStatus, TimeSource, WellId};

use super::Native;
use super::record::Record;
use crate::Reason;
use crate::context::Context;
use crate::fault::excerpt;
use crate::profile::{FieldReading, FieldRule};
use crate::scalar::Scalar;
use crate::time::{self, Resolved, TimeFault};

/// What a record refuses with: the reason, the field, what is wrong.
pub(super) struct Refusal {
    pub(super) reason: Reason,
    pub(super) field: &'static str,
    pub(super) detail: String,
}

fn refuse<T>(reason: Reason, field: &'static str, detail: impl Into<String>) -> Result<T, Refusal> {
    Err(Refusal { reason, field, detail: detail.into() })
}

/// The name under `parameter`, and what it means; `None` where nobody knows.
pub(super) struct Named<'r, 'c> {
    pub(super) name: &'r str,
    pub(super) meaning: Option<Meaning<'c>>,
}

#[derive(Clone, Copy)]
pub(super) enum Meaning<'c> {
    Own(Parameter),
    Vendor(&'c FieldReading),
}

impl<'c> Meaning<'c> {
    pub(super) fn parameter(self) -> Parameter {
        match self {
            Meaning::Own(parameter) => parameter,
            Meaning::Vendor(reading) => reading.parameter,
        }
    }

    pub(super) fn sentinels(self) -> Option<&'c [f64]> {
        match self {
            Meaning::Own(_) => None,
            Meaning::Vendor(reading) => reading.sentinels.as_deref(),
        }
    }
}

/// What all readings of a record share.
pub(super) struct Shared<'r> {
    pub(super) well: WellId,
    pub(super) resolved: Resolved,
    pub(super) time_raw: Option<&'r str>,
    pub(super) site_status: Option<SiteStatus>,
    pub(super) revision: u32,
}

/// Rule 6: what a sender says of a time that it corrected itself.
fn sender_correction<'r>(
    record: &'r Record<'_>,
    sent: Resolved,
) -> Result<Option<(Resolved, Option<&'r str>)>, Refusal> {
    let source = match &record.time_source {
        None | Some(Scalar::Null) => None,
        Some(Scalar::Text(name)) => match TimeSource::from_name(name) {
            // `received` is said by who resolves a relative time: it decides how repeats are told.
            Some(source) if source != TimeSource::Received => Some(source),
            _ => {
                let names = [TimeSource::Device, TimeSource::BuddhistEra, TimeSource::ClockZone].map(TimeSource::name);
                let detail = format!("{} is no source of a time: send one of {}", excerpt(name), names.join(", "));
                return refuse(Reason::BadTime, "time_source", detail);
            }
        },
        Some(other) => {
            return refuse(Reason::BadTime, "time_source", format!("`time_source` is {}: send text", other.kind()));
        }
    };
    let raw = match &record.time_raw {
        None | Some(Scalar::Null) => None,
        Some(Scalar::Text(text)) => Some(&**text),
        Some(other) => {
            return refuse(Reason::BadTime, "time_raw", format!("`time_raw` is {}: send text", other.kind()));
        }
    };
    let Some(source) = source else {
        return match raw {
            None => Ok(None),
            Some(_) => {
                let mend = "say what was corrected, as `time_source`: buddhist_era or clock_zone";
                refuse(Reason::BadTime, "time_raw", format!("`time_raw` stands without `time_source`: {mend}"))
            }
        };
    };
    if sent.source != TimeSource::Device {
        let detail = "`time_source` belongs to a `time` with an offset and a year of the common era: send such a one";
        return refuse(Reason::BadTime, "time_source", detail);
    }
    let stated = Resolved { source, ..sent };
    if raw.is_some() && !stated.is_corrected() {
        let detail = "`time_raw` is the text of a time that was corrected, and `time_source` says that none was";
        return refuse(Reason::BadTime, "time_raw", detail);
    }
    Ok(Some((stated, raw)))
}

/// The latest texts of a message that were times: its wells mostly have the same few, and to compare is half the work of
/// reading.
#[derive(Default)]
pub(super) struct RecentTimes<'de> {
    known: [Option<(&'de str, Resolved)>; 4],
    next: usize,
}

impl<'de> RecentTimes<'de> {
    /// As [`time::resolve_text`], which gives the same within a message.
    #[expect(clippy::ptr_arg, reason = "only a text that is borrowed from the message can be remembered")]
    fn resolve(&mut self, text: &Cow<'de, str>, context: &Context<'_>) -> Result<Resolved, TimeFault> {
        let Cow::Borrowed(text) = text else { return time::resolve_text(text, context) };
        if let Some((_, resolved)) = self.known.iter().flatten().find(|(known, _)| known == text) {
            return Ok(*resolved);
        }
        let resolved = time::resolve_text(text, context)?;
        self.known[self.next] = Some((text, resolved));
        self.next = (self.next + 1) % self.known.len();
        Ok(resolved)
    }
}

impl<'c, 'de> Native<'_, 'c, 'de> {
    /// Rule 1: what the record cannot be read without.
    pub(super) fn shared<'r>(&mut self, record: &'r Record<'de>) -> Result<Shared<'r>, Refusal> {
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
            Some(Scalar::Text(text)) => (self.times.resolve(text, context), Some(&**text)),
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
            Ok(resolved) => match sender_correction(record, resolved)? {
                Some(corrected) => Ok(corrected),
                None => Ok((resolved, raw.filter(|_| resolved.is_corrected()))),
            },
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
    pub(super) fn rule(&self, well: &str, name: &str) -> Option<&'c FieldRule> {
        self.sink.context.profiles?.field(well, name)
    }

    /// Rule 5: takes out what a device profile ignores, and says how many.
    pub(super) fn drop_ignored(&mut self, record: &mut Record<'de>) -> u64 {
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
    pub(super) fn named<'r>(&self, record: &'r Record<'de>) -> Option<Named<'r, 'c>> {
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
    pub(super) fn named_twice(&self, record: &Record<'de>, named: Option<&Named<'_, '_>>) -> u32 {
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
}
