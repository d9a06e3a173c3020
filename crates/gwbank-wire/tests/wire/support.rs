//! Shows what a payload was read as, for snapshot tests.

use std::fmt::Write;

use expect_test::Expect;
use gwbank_model::Timestamp;
use gwbank_wire::{Context, Decoded, Format, decode};

/// 2026-11-23T03:15:00Z
pub const NOW: Timestamp = Timestamp::from_secs(1_795_403_700);

pub fn check(format: Format, payload: &[u8], expected: Expect) {
    check_in(&Context::live(NOW), format, payload, expected);
}

pub fn check_in(context: &Context<'_>, format: Format, payload: &[u8], expected: Expect) {
    expected.assert_eq(&show(&decode(format, payload, context)));
}

pub fn show(decoded: &Decoded) -> String {
    let mut out = String::new();
    for reading in &decoded.readings {
        let value = reading.value.map_or("—".to_owned(), |value| value.to_string());
        write!(out, "{} {} {} {value} {}", reading.well, reading.parameter, reading.time, reading.time_source).unwrap();
        if let Some(status) = reading.site_status {
            write!(out, " {status}").unwrap();
        }
        if reading.revision > 0 {
            write!(out, " rev {}", reading.revision).unwrap();
        }
        if let Some(raw) = &reading.time_raw {
            write!(out, " raw {raw}").unwrap();
        }
        out.push('\n');
    }
    for fault in &decoded.faults {
        let place = if fault.place.is_empty() { "message" } else { &fault.place };
        writeln!(out, "! {} at {place} [{}] ×{}: {}", fault.reason, fault.subject, fault.readings, fault.detail)
            .unwrap();
    }
    for correction in &decoded.corrections {
        writeln!(out, "~ {} at {} ×{}: {}", correction.kind, correction.place, correction.readings, correction.detail)
            .unwrap();
    }
    out
}
