//! The tests of ioos_qc, flag for flag, over whole series. For comparison; [`crate::assess`] is what gwbank uses.
//!
//! Values are by position, NaN is missing. Kept as they are there, though strict mode mends them: neighbours by position
//! across any gap, a rate of change that is good after a missing value, a flat line that counts samples by the median step.
//! Limits are exclusive: a value at a limit is good. Times count in whole seconds.

mod attenuated;
mod climatology;
mod timing;

pub use attenuated::{Spread, Window, WindowMin, attenuated_signal};
pub use climatology::{Member, Period, climatology};
pub use timing::{density_inversion, time_gap};

use std::collections::VecDeque;

use gwbank_model::{QualityFlag, Timestamp};

use crate::config::Span;

/// Which statistic the spike test takes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SpikeMethod {
    /// Distance from the mean of both neighbours.
    Average,
    /// The smaller of the two steps where they go opposite ways, else 0.
    Differential,
}

/// Suspect outside one span, fail outside another.
pub fn gross_range(values: &[f64], suspect: Span, fail: Span) -> Vec<QualityFlag> {
    let judge = |value| match value {
        v if !fail.contains(v) => QualityFlag::Fail,
        v if !suspect.contains(v) => QualityFlag::Suspect,
        _ => QualityFlag::Pass,
    };
    values.iter().map(|&value| if value.is_nan() { QualityFlag::Missing } else { judge(value) }).collect()
}

/// Unknown for the first and last value and beside a missing one.
pub fn spike(values: &[f64], method: SpikeMethod, suspect: f64, fail: f64) -> Vec<QualityFlag> {
    let mut flags: Vec<QualityFlag> = values.iter().map(|value| present_or_missing(*value)).collect();
    for flag in [0, values.len().wrapping_sub(1)] {
        if let Some(flag @ QualityFlag::Pass) = flags.get_mut(flag) {
            *flag = QualityFlag::NotEvaluated;
        }
    }
    for (window, flag) in values.windows(3).zip(flags.iter_mut().skip(1)) {
        let &[before, at, after] = window else { continue };
        if at.is_nan() {
            continue;
        }
        let statistic = match method {
            SpikeMethod::Average => (at - (before + after) / 2.0).abs(),
            SpikeMethod::Differential => {
                let (first, second) = (at - before, after - at);
                if first.is_nan() || second.is_nan() {
                    f64::NAN
                } else if first * second < 0.0 {
                    first.abs().min(second.abs())
                } else {
                    0.0
                }
            }
        };
        *flag = if statistic.is_nan() { QualityFlag::NotEvaluated } else { exceeds(statistic, suspect, fail) };
    }
    flags
}

/// Against the value before, per second. The first value and one after a missing value are good.
pub fn rate_of_change(
    times: &[Timestamp],
    values: &[f64],
    suspect_per_second: f64,
    fail_per_second: f64,
) -> Vec<QualityFlag> {
    let mut flags: Vec<QualityFlag> = values.iter().map(|value| present_or_missing(*value)).collect();
    for (index, pair) in values.windows(2).enumerate() {
        let seconds = times[index + 1].as_secs() - times[index].as_secs();
        let rate = ((pair[1] - pair[0]) / seconds as f64).abs();
        if !rate.is_nan() {
            flags[index + 1] = exceeds(rate, suspect_per_second, fail_per_second);
        }
    }
    flags
}

/// Flagged where max − min over the last so many values is below the tolerance.
pub fn flat_line(
    times: &[Timestamp],
    values: &[f64],
    suspect_seconds: i64,
    fail_seconds: i64,
    tolerance: f64,
) -> Vec<QualityFlag> {
    let mut flags: Vec<QualityFlag> = values.iter().map(|value| present_or_missing(*value)).collect();
    let Some(step) = median_step_seconds(times).filter(|step| *step > 0) else { return flags };
    for (seconds, flag) in [(suspect_seconds, QualityFlag::Suspect), (fail_seconds, QualityFlag::Fail)] {
        let steps = usize::try_from(seconds / step).unwrap_or_default();
        for (index, range) in trailing_ranges(values, steps + 1).enumerate().skip(steps) {
            if range < tolerance && !values[index].is_nan() {
                flags[index] = flag;
            }
        }
    }
    flags
}

/// The highest of all tests in the order 9 < 2 < 1 < 3 < 4.
pub fn roll_up(tests: &[&[QualityFlag]]) -> Vec<QualityFlag> {
    let length = tests.iter().map(|flags| flags.len()).max().unwrap_or_default();
    let at = |index: usize| {
        tests.iter().filter_map(|flags| flags.get(index)).fold(QualityFlag::Missing, |worst, &flag| worst.worst(flag))
    };
    (0..length).map(at).collect()
}

fn present_or_missing(value: f64) -> QualityFlag {
    if value.is_nan() { QualityFlag::Missing } else { QualityFlag::Pass }
}

fn exceeds(statistic: f64, suspect: f64, fail: f64) -> QualityFlag {
    if statistic > fail {
        QualityFlag::Fail
    } else if statistic > suspect {
        QualityFlag::Suspect
    } else {
        QualityFlag::Pass
    }
}

/// Cut to whole seconds.
fn median_step_seconds(times: &[Timestamp]) -> Option<i64> {
    let mut steps: Vec<i64> = times.windows(2).map(|pair| pair[1].as_secs() - pair[0].as_secs()).collect();
    steps.sort_unstable();
    let middle = steps.len() / 2;
    match steps.len() {
        0 => None,
        n if n % 2 == 1 => Some(steps[middle]),
        _ => Some((steps[middle - 1] + steps[middle]) / 2),
    }
}

/// max − min of the last `width` values up to each one, missing ones ignored; NaN where all are missing.
fn trailing_ranges(values: &[f64], width: usize) -> impl Iterator<Item = f64> {
    let mut maxima: VecDeque<usize> = VecDeque::new();
    let mut minima: VecDeque<usize> = VecDeque::new();
    values.iter().enumerate().map(move |(index, &value)| {
        if !value.is_nan() {
            while maxima.back().is_some_and(|&i| values[i] <= value) {
                maxima.pop_back();
            }
            while minima.back().is_some_and(|&i| values[i] >= value) {
                minima.pop_back();
            }
            maxima.push_back(index);
            minima.push_back(index);
        }
        for queue in [&mut maxima, &mut minima] {
            while queue.front().is_some_and(|&i| i + width <= index) {
                queue.pop_front();
            }
        }
        match (maxima.front(), minima.front()) {
            (Some(&highest), Some(&lowest)) => values[highest] - values[lowest],
            _ => f64::NAN,
        }
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn codes(flags: &[QualityFlag]) -> String {
        flags.iter().map(|flag| flag.code().to_string()).collect()
    }

    #[test]
    fn flags_of_short_series() {
        let nan = f64::NAN;
        let values = [1.0, 1.0, 5.0, 1.0, nan, 1.0, 1.0, 1.5];
        let times: Vec<Timestamp> = (0..8).map(|i| Timestamp::from_secs(i * 10)).collect();
        assert_eq!(codes(&gross_range(&values, Span::new(0.0, 1.0), Span::new(0.0, 4.0))), "11419113");
        assert_eq!(codes(&spike(&values, SpikeMethod::Average, 1.0, 3.0)), "23429212");
        assert_eq!(codes(&spike(&values, SpikeMethod::Differential, 1.0, 4.5)), "21329212");
        assert_eq!(codes(&rate_of_change(&times, &values, 0.04, 0.3)), "11449113");
        assert_eq!(codes(&flat_line(&times, &values, 10, 20, 0.1)), "13119441", "a missing value is ignored");
        assert_eq!(codes(&roll_up(&[&[QualityFlag::NotEvaluated], &[QualityFlag::Missing]])), "2");
        assert_eq!(codes(&spike(&[1.0], SpikeMethod::Average, 1.0, 1.0)), "2");
        assert!(spike(&[], SpikeMethod::Average, 1.0, 1.0).is_empty());
    }
}
