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
    let mut before: Option<(i64, f64)> = None;
    for ((time, &value), flag) in times.iter().zip(values).zip(&mut flags) {
        let second = time.as_secs();
        if let Some((earlier, last)) = before {
            let rate = ((value - last) / (second - earlier) as f64).abs();
            if !rate.is_nan() {
                *flag = exceeds(rate, suspect_per_second, fail_per_second);
            }
        }
        before = Some((second, value));
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
    let steps = |seconds: i64| usize::try_from(seconds / step).unwrap_or_default();
    let (suspect_steps, fail_steps) = (steps(suspect_seconds), steps(fail_seconds));
    let mut still = Still::new(tolerance);
    for (index, flag) in flags.iter_mut().enumerate() {
        // The window of so many steps stands still where the longest still stretch up to here covers it.
        let stood = still.steps_up_to(values, index);
        if *flag != QualityFlag::Missing && stood.is_some_and(|stood| stood >= fail_steps) {
            *flag = QualityFlag::Fail;
        } else if *flag != QualityFlag::Missing && stood.is_some_and(|stood| stood >= suspect_steps) {
            *flag = QualityFlag::Suspect;
        }
    }
    flags
}

/// The highest of all tests in the order 9 < 2 < 1 < 3 < 4.
pub fn roll_up(tests: &[&[QualityFlag]]) -> Vec<QualityFlag> {
    let length = tests.iter().map(|flags| flags.len()).max().unwrap_or_default();
    let mut worst = vec![QualityFlag::Missing; length];
    for flags in tests {
        for (worst, &flag) in worst.iter_mut().zip(*flags) {
            *worst = worst.worst(flag);
        }
    }
    worst
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
    let middle = steps.len() / 2;
    let is_odd = steps.len() % 2 == 1;
    if steps.is_empty() {
        return None;
    }
    let (lower, &mut upper, _) = steps.select_nth_unstable(middle);
    Some(if is_odd { upper } else { (lower.iter().copied().max().unwrap_or(upper) + upper) / 2 })
}

/// The longest stretch up to a value whose max − min is below the tolerance. Its start never moves back, so that two
/// monotonic queues follow it.
struct Still {
    tolerance: f64,
    start: usize,
    /// Places of values that are there; falling (maxima) and rising (minima), the newest last in both.
    maxima: VecDeque<usize>,
    minima: VecDeque<usize>,
    last: Option<usize>,
}

impl Still {
    fn new(tolerance: f64) -> Self {
        Self { tolerance, start: 0, maxima: VecDeque::new(), minima: VecDeque::new(), last: None }
    }

    /// How many steps long it is; `None` where there is none. Missing values are within it, wherever they are. To be called
    /// for every index in turn.
    fn steps_up_to(&mut self, values: &[f64], index: usize) -> Option<usize> {
        let value = values[index];
        if value.is_nan() {
            return None;
        }
        if let Some(last) = self.last.replace(index)
            && (value - values[last]).abs() >= self.tolerance
        {
            // The usual case of a well that moves.
            self.start = last + 1;
            self.maxima.clear();
            self.minima.clear();
        }
        while self.maxima.back().is_some_and(|&at| values[at] <= value) {
            self.maxima.pop_back();
        }
        while self.minima.back().is_some_and(|&at| values[at] >= value) {
            self.minima.pop_back();
        }
        self.maxima.push_back(index);
        self.minima.push_back(index);
        loop {
            let (&highest, &lowest) = (self.maxima.front()?, self.minima.front()?);
            if values[highest] - values[lowest] < self.tolerance {
                return Some(index - self.start);
            }
            self.start = highest.min(lowest) + 1;
            for queue in [&mut self.maxima, &mut self.minima] {
                while queue.front().is_some_and(|&at| at < self.start) {
                    queue.pop_front();
                }
            }
        }
    }
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
