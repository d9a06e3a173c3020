//! Limits that can be read and yet say nothing that anybody means: a silence of no hours, by which every reading would follow
//! one; a run of one reading, which always stands still.
//!
//! As [`super::order`], this is asked of limits that come in, not of those that hold.

use super::{OverrideError, SeriesOverrides};
use crate::config::SeriesConfig;

/// A century: longer than any record, and short enough that times can be added to it.
const HOURS_MAX: f64 = 876_600.0;
/// Three years of quarter-hourly readings: all of them may have to be read to judge one that is late.
const READINGS_MAX: f64 = 100_000.0;

/// What is wrong with a number, whatever the other limits are.
type Nonsense = (String, &'static str);

/// Of the limits that a section names; with the limits as they hold after it.
pub(super) fn faults(overrides: &SeriesOverrides, config: &SeriesConfig, section: &str) -> Vec<OverrideError> {
    let mut limits = overrides.clone();
    let mut found = Vec::new();
    let mut add = |key: String, (problem, mend): Nonsense| {
        found.push(OverrideError { section: section.to_owned(), key, problem, mend: mend.to_owned() });
    };
    for key in SeriesOverrides::limit_keys() {
        // What is no number, or negative, is told elsewhere.
        let Some(value) = limits.limit_mut(&key).and_then(|limit| *limit).filter(|value| value.is_finite()) else {
            continue;
        };
        if let Some(nonsense) = nonsense(&key, value) {
            add(key, nonsense);
        }
    }
    let (flat, signal) = (&overrides.flat_line, &overrides.attenuated_signal);
    let of_flat = config.flat_line.map(|flat| (flat.suspect, flat.fail)).unwrap_or_default();
    let of_signal = config.attenuated_signal.map(|signal| (signal.suspect, signal.fail)).unwrap_or_default();
    for (readings_min, standstill, key) in [
        (flat.suspect_readings_min, of_flat.0, "flat_line.suspect_hours"),
        (flat.fail_readings_min, of_flat.1, "flat_line.fail_hours"),
        (signal.suspect_readings_min, of_signal.0, "attenuated_signal.suspect_hours"),
        (signal.fail_readings_min, of_signal.1, "attenuated_signal.fail_hours"),
    ] {
        if readings_min.is_some() && standstill.is_none() {
            let problem = "is missing, so that the number of readings changes nothing".to_owned();
            add(key.to_owned(), (problem, "say how long it takes as well"));
        }
    }
    found
}

fn nonsense(key: &str, value: f64) -> Option<Nonsense> {
    let (test, name) = key.split_once('.')?;
    let nothing =
        |why: &str, mend: &'static str| -> Option<Nonsense> { (value == 0.0).then(|| (format!("is 0, {why}"), mend)) };
    let too_long = || -> Option<Nonsense> {
        let is_long = value > HOURS_MAX;
        is_long
            .then(|| (format!("is {value} hours, more than a century"), "give less, or take the test away with `off`"))
    };
    match (test, name) {
        (_, "grows_with_hours") => {
            (value != 0.0 && value != 1.0).then(|| (format!("is {value}"), "give 1 for limits that grow, 0 for others"))
        }
        (_, "relative_share") => {
            (value > 1.0).then(|| (format!("is {value}, more than the whole value"), "give 0 to 1"))
        }
        (_, "suspect_readings_min" | "fail_readings_min") => {
            let is_count = value.fract() == 0.0 && (2.0..=READINGS_MAX).contains(&value);
            (!is_count && value >= 0.0).then(|| {
                (format!("is {value}"), "give a whole number from 2 (one reading always stands still) to 100000")
            })
        }
        ("gap", "silence_max_hours") => nothing(
            "so that every reading would follow a silence",
            "give more than 0, or take the test away with `off`",
        )
        .or_else(too_long),
        (_, "gap_max_hours") => {
            nothing("so that no readings would be compared", "give more than 0, or take the test away with `off`")
                .or_else(too_long)
        }
        ("flat_line" | "attenuated_signal", "suspect_hours" | "fail_hours") => {
            nothing("so that any two equal readings would object", "give more than 0").or_else(too_long)
        }
        ("spike", "suspect" | "fail") | ("rate_of_change", "suspect_per_hour" | "fail_per_hour") => {
            nothing("so that everything that moves would object", "give more than 0, or take the test away with `off`")
        }
        ("attenuated_signal", "range_min") => {
            nothing("so that nothing moves too little", "give more than 0, or take the test away with `off`")
        }
        ("rate_of_change", "elapsed_min_minutes") => (value > HOURS_MAX * 60.0).then(|| {
            (format!("is {value} minutes, more than a century"), "give the shortest time that counts as such")
        }),
        ("climatology", "utc_offset_hours") => {
            let is_zone = (-12.0..=14.0).contains(&value);
            (!is_zone).then(|| (format!("is {value}"), "give the hours of a zone, -12 to 14, such as 7"))
        }
        _ => None,
    }
}
