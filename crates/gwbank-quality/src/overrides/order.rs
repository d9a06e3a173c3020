//! What fails must be worse than what is suspect: else the milder limit never speaks, and who raised it alone still sees
//! readings fail.
//!
//! This is asked of limits that come in, not of those that hold: a server goes on judging by what it was once given.

use super::OverrideError;
use crate::config::{GrossRange, MICROS_PER_HOUR, SeriesConfig, Standstill};

/// Of the limits as they hold after a section over these defaults.
pub(super) fn faults(config: &SeriesConfig, defaults: &SeriesConfig, section: &str) -> Vec<OverrideError> {
    let mut found = Vec::new();
    let mut add = |key: &str, problem: String, mend: String| {
        found.push(OverrideError { section: section.to_owned(), key: key.to_owned(), problem, mend });
    };
    if let Some(gross) = config.gross_range {
        gross_range(gross, defaults.gross_range, &mut add);
    }
    let spike = config.spike.map(|spike| ("spike.fail", "spike.suspect", spike.suspect, Some(spike.fail)));
    let rate = config.rate_of_change.map(|rate| {
        let (fail, suspect) = ("rate_of_change.fail_per_hour", "rate_of_change.suspect_per_hour");
        (fail, suspect, rate.suspect_per_hour, rate.fail_per_hour)
    });
    let hours = |standstill: Standstill| standstill.span_micros as f64 / MICROS_PER_HOUR as f64;
    let standstill = |fail_key, suspect_key, suspect: Option<Standstill>, fail: Option<Standstill>| {
        suspect.map(|suspect| (fail_key, suspect_key, hours(suspect), fail.map(hours)))
    };
    let flat = config
        .flat_line
        .and_then(|flat| standstill("flat_line.fail_hours", "flat_line.suspect_hours", flat.suspect, flat.fail));
    let attenuated = config.attenuated_signal.and_then(|signal| {
        let keys = ("attenuated_signal.fail_hours", "attenuated_signal.suspect_hours");
        standstill(keys.0, keys.1, signal.suspect, signal.fail)
    });
    for (fail_key, suspect_key, suspect, fail) in [spike, rate, flat, attenuated].into_iter().flatten() {
        if let Some(fail) = fail.filter(|fail| *fail < suspect) {
            let problem = format!("is {fail}, less than {suspect_key} {suspect}: nothing would be suspect");
            add(fail_key, problem, format!("give {fail_key} at least {suspect}, or {suspect_key} at most {fail}"));
        }
    }
    found
}

/// A suspect end that nobody has stated gives way to a sensor that ends earlier.
fn gross_range(
    GrossRange { sensor, user }: GrossRange,
    defaults: Option<GrossRange>,
    add: &mut impl FnMut(&str, String, String),
) {
    let usual = defaults.map(|defaults| defaults.user);
    let is_stated = |end: f64, usual: Option<f64>| end.is_finite() && usual != Some(end);
    if is_stated(user.min, usual.map(|usual| usual.min)) && user.min < sensor.min {
        let problem = format!("is {}, below gross_range.sensor_min {}, where values fail", user.min, sensor.min);
        let mend = "give user_min at least sensor_min, or sensor_min at most user_min";
        add("gross_range.user_min", problem, mend.to_owned());
    }
    if is_stated(user.max, usual.map(|usual| usual.max)) && user.max > sensor.max {
        let problem = format!("is {}, above gross_range.sensor_max {}, where values fail", user.max, sensor.max);
        let mend = "give user_max at most sensor_max, or sensor_max at least user_max";
        add("gross_range.user_max", problem, mend.to_owned());
    }
}
