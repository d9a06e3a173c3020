//! Messages as gateways write them, byte by byte into a buffer.

use std::sync::Arc;

use gwbank_model::{Parameter, Timestamp};

use crate::network::{ClockFault, Gateway, Style};

/// One published message.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Message {
    pub topic: Arc<str>,
    pub payload: Vec<u8>,
    /// When the gateway sent it.
    pub sent_at: Timestamp,
    /// How many readings it carries.
    pub readings: u32,
}

/// Most parameters that a well sends at once.
const SAMPLES_MAX: usize = 4;

/// What a well said at an instant.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Record<'a> {
    pub well: &'a str,
    pub at: Timestamp,
    pub dry: bool,
    samples: [(Parameter, Option<f64>); SAMPLES_MAX],
    count: usize,
}

impl<'a> Record<'a> {
    pub fn new(well: &'a str, at: Timestamp) -> Self {
        Record { well, at, dry: false, samples: [(Parameter::DepthToWater, None); SAMPLES_MAX], count: 0 }
    }

    /// Adds a value; beyond the most that a record holds it is left out.
    pub fn push(&mut self, parameter: Parameter, value: Option<f64>) {
        if let Some(slot) = self.samples.get_mut(self.count) {
            *slot = (parameter, value);
            self.count += 1;
        }
    }

    pub fn samples(&self) -> &[(Parameter, Option<f64>)] {
        &self.samples[..self.count]
    }
}

/// How many decimals a sensor sends.
const fn decimals(parameter: Parameter) -> u32 {
    match parameter {
        Parameter::DepthToWater => 3,
        Parameter::WaterTemperature | Parameter::BatteryVoltage => 2,
        Parameter::Rainfall => 1,
        _ => 0,
    }
}

/// Writes the records as the gateway does.
pub(crate) fn message(gateway: &Gateway, clock: ClockFault, records: &[Record<'_>], sent_at: Timestamp) -> Message {
    let mut out = Vec::with_capacity(records.len() * 110 + 16);
    let mut readings = 0;
    out.extend_from_slice(if gateway.style == Style::Envelope { b"{\"readings\":[" } else { b"[" });
    let mut last_well = "";
    for record in records {
        readings += record.samples().len() as u32;
        match gateway.style {
            Style::Keyed | Style::Envelope => keyed(&mut out, gateway.style, clock, record),
            Style::Named => named(&mut out, clock, record),
            Style::Senml => senml(&mut out, clock, record, last_well),
        }
        last_well = record.well;
    }
    if out.last() == Some(&b',') {
        out.pop();
    }
    out.extend_from_slice(if gateway.style == Style::Envelope { b"]}" } else { b"]" });
    Message { topic: Arc::clone(&gateway.topic), payload: out, sent_at, readings }
}

fn keyed(out: &mut Vec<u8>, style: Style, clock: ClockFault, record: &Record<'_>) {
    out.extend_from_slice(b"{\"well\":\"");
    out.extend_from_slice(record.well.as_bytes());
    out.extend_from_slice(b"\",\"time\":\"");
    let offset = if style == Style::Envelope { Offset::Utc } else { Offset::Bangkok };
    push_rfc3339(out, clock, record.at, offset);
    out.push(b'"');
    for (parameter, value) in record.samples() {
        out.extend_from_slice(b",\"");
        out.extend_from_slice(parameter.name().as_bytes());
        out.extend_from_slice(b"\":");
        push_value(out, *value, decimals(*parameter));
    }
    if record.dry {
        out.extend_from_slice(b",\"status\":\"dry\"");
    }
    out.extend_from_slice(b"},");
}

fn named(out: &mut Vec<u8>, clock: ClockFault, record: &Record<'_>) {
    for (parameter, value) in record.samples() {
        out.extend_from_slice(b"{\"well\":\"");
        out.extend_from_slice(record.well.as_bytes());
        out.extend_from_slice(b"\",\"time\":");
        push_integer(out, shifted(clock, record.at).as_secs());
        out.extend_from_slice(b",\"parameter\":\"");
        out.extend_from_slice(parameter.name().as_bytes());
        out.extend_from_slice(b"\",\"value\":");
        if *parameter == Parameter::DepthToWater {
            push_value(out, value.map(|metres| metres * 100.0), 1);
            out.extend_from_slice(b",\"unit\":\"cm\"");
            if record.dry {
                out.extend_from_slice(b",\"status\":\"dry\"");
            }
        } else {
            push_value(out, *value, decimals(*parameter));
        }
        out.extend_from_slice(b"},");
    }
}

fn senml(out: &mut Vec<u8>, clock: ClockFault, record: &Record<'_>, last_well: &str) {
    for (index, (parameter, value)) in record.samples().iter().enumerate() {
        out.push(b'{');
        if index == 0 && record.well != last_well {
            out.extend_from_slice(b"\"bn\":\"");
            out.extend_from_slice(record.well.as_bytes());
            out.extend_from_slice(b":\",");
        }
        out.extend_from_slice(b"\"n\":\"");
        out.extend_from_slice(parameter.name().as_bytes());
        out.extend_from_slice(b"\",\"u\":\"");
        out.extend_from_slice(parameter.canonical_unit().as_bytes());
        out.extend_from_slice(b"\",\"t\":");
        push_integer(out, shifted(clock, record.at).as_secs());
        if record.dry && *parameter == Parameter::DepthToWater {
            out.extend_from_slice(b",\"vs\":\"dry\"");
        } else {
            out.extend_from_slice(b",\"v\":");
            match value {
                Some(_) => push_value(out, *value, decimals(*parameter)),
                None => out.extend_from_slice(b"-9999"),
            }
        }
        out.extend_from_slice(b"},");
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Offset {
    Utc,
    Bangkok,
}

const BANGKOK_S: i64 = 7 * 3600;
const GPS_EPOCH_S: i64 = 315_964_800;
const TEN_YEARS_S: i64 = 10 * 365 * 86_400;

/// The instant that a wrong clock believes in.
fn shifted(clock: ClockFault, at: Timestamp) -> Timestamp {
    match clock {
        ClockFault::None | ClockFault::BuddhistEra => at,
        ClockFault::LocalAsUtc => at.plus_secs(BANGKOK_S),
        ClockFault::Year1980 => Timestamp::from_secs(GPS_EPOCH_S + at.as_secs().rem_euclid(86_400)),
        ClockFault::TenYearsAhead => at.plus_secs(TEN_YEARS_S),
    }
}

fn push_rfc3339(out: &mut Vec<u8>, clock: ClockFault, at: Timestamp, offset: Offset) {
    let offset = if clock == ClockFault::LocalAsUtc { Offset::Utc } else { offset };
    let seconds = shifted(clock, at).as_secs() + if offset == Offset::Bangkok { BANGKOK_S } else { 0 };
    let (year, month, day) = civil(seconds.div_euclid(86_400));
    let year = if clock == ClockFault::BuddhistEra { year + 543 } else { year };
    let second_of_day = seconds.rem_euclid(86_400);
    push_padded(out, year, 4);
    out.push(b'-');
    push_padded(out, month, 2);
    out.push(b'-');
    push_padded(out, day, 2);
    out.push(b'T');
    push_padded(out, second_of_day / 3600, 2);
    out.push(b':');
    push_padded(out, second_of_day / 60 % 60, 2);
    out.push(b':');
    push_padded(out, second_of_day % 60, 2);
    out.extend_from_slice(if offset == Offset::Bangkok { b"+07:00" } else { b"Z" });
}

/// Year, month and day of a day since 1970 (Hinnant's algorithm).
fn civil(day: i64) -> (i64, i64, i64) {
    let shifted = day + 719_468;
    let era = shifted.div_euclid(146_097);
    let day_of_era = shifted.rem_euclid(146_097);
    let year_of_era = (day_of_era - day_of_era / 1460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let month_from_march = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * month_from_march + 2) / 5 + 1;
    let month = if month_from_march < 10 { month_from_march + 3 } else { month_from_march - 9 };
    (era * 400 + year_of_era + i64::from(month <= 2), month, day)
}

fn push_padded(out: &mut Vec<u8>, number: i64, width: u32) {
    let mut divisor = 10i64.pow(width - 1);
    while divisor > 0 {
        out.push(b'0' + (number / divisor % 10) as u8);
        divisor /= 10;
    }
}

fn push_integer(out: &mut Vec<u8>, number: i64) {
    let mut digits = [0u8; 20];
    let mut at = digits.len();
    let mut rest = number.unsigned_abs();
    loop {
        at -= 1;
        digits[at] = b'0' + (rest % 10) as u8;
        rest /= 10;
        if rest == 0 {
            break;
        }
    }
    if number < 0 {
        out.push(b'-');
    }
    out.extend_from_slice(&digits[at..]);
}

fn push_value(out: &mut Vec<u8>, value: Option<f64>, decimals: u32) {
    let Some(value) = value else {
        out.extend_from_slice(b"null");
        return;
    };
    let scale = 10i64.pow(decimals);
    let scaled = (value * scale as f64).round() as i64;
    if scaled < 0 {
        out.push(b'-');
    }
    push_integer(out, scaled.abs() / scale);
    if decimals > 0 {
        out.push(b'.');
        push_padded(out, scaled.abs() % scale, decimals);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn text(write: impl FnOnce(&mut Vec<u8>)) -> String {
        let mut out = Vec::new();
        write(&mut out);
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn numbers_are_written_as_sensors_do() {
        for (value, decimals, expected) in [
            (3.4206, 3, "3.421"),
            (-0.05, 2, "-0.05"),
            (-0.001, 2, "0.00"),
            (0.0, 0, "0"),
            (1234.5, 1, "1234.5"),
            (7.0, 3, "7.000"),
        ] {
            assert_eq!(text(|out| push_value(out, Some(value), decimals)), expected);
        }
        assert_eq!(text(|out| push_value(out, None, 3)), "null");
        assert_eq!(text(|out| push_integer(out, -120)), "-120");
    }

    #[test]
    fn times_agree_with_the_model() {
        for secs in [0, 951_782_399, 951_782_400, 1_709_164_800, 1_795_403_700, 4_102_444_799] {
            let at = Timestamp::from_secs(secs);
            assert_eq!(text(|out| push_rfc3339(out, ClockFault::None, at, Offset::Utc)), at.to_rfc3339(0));
            assert_eq!(text(|out| push_rfc3339(out, ClockFault::None, at, Offset::Bangkok)), at.to_rfc3339(7 * 3600));
        }
        let at = Timestamp::from_secs(1_795_403_700);
        assert_eq!(
            text(|out| push_rfc3339(out, ClockFault::BuddhistEra, at, Offset::Bangkok)),
            "2569-11-23T10:15:00+07:00"
        );
        assert_eq!(text(|out| push_rfc3339(out, ClockFault::LocalAsUtc, at, Offset::Bangkok)), "2026-11-23T10:15:00Z");
        assert_eq!(shifted(ClockFault::Year1980, at).to_rfc3339(0), "1980-01-06T03:15:00Z");
    }
}
