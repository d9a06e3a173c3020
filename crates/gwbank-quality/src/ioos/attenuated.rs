//! Attenuated signal as ioos_qc has it: the standard deviation or range of a trailing window of time.

use std::collections::VecDeque;

use gwbank_model::{QualityFlag, Timestamp};

use super::{median_step_seconds, present_or_missing};

/// What is too small.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Spread {
    /// Population standard deviation (divided by n).
    StandardDeviation,
    Range,
}

/// How much a window must hold before it is judged.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum WindowMin {
    Values(usize),
    /// Turned into values by the median step, as with the flat line.
    Seconds(i64),
}

/// Windows of [`attenuated_signal`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Window {
    /// From after (time − this) to time.
    pub seconds: i64,
    /// `None`: one value is enough, whose spread is 0.
    pub min: Option<WindowMin>,
}

/// Suspect below one limit, fail below the other; without a window over all values together, whose flag is then one.
/// Unknown where the window has too few values. Limits are exclusive: a spread at a limit is good.
///
/// The running sums are those of pandas (Welford's, compensated), so that flags agree where a spread lies at a limit.
///
/// ```
/// use gwbank_model::{QualityFlag, Timestamp};
/// use gwbank_quality::ioos::{Spread, Window, attenuated_signal};
///
/// let times: Vec<Timestamp> = (0..4).map(|i| Timestamp::from_secs(i * 60)).collect();
/// let window = Window { seconds: 120, min: None };
/// let flags = attenuated_signal(&times, &[1.0, 1.0, 1.5, 1.6], Spread::Range, 0.3, 0.05, Some(window));
/// assert_eq!(flags, [QualityFlag::Fail, QualityFlag::Fail, QualityFlag::Pass, QualityFlag::Suspect]);
/// ```
pub fn attenuated_signal(
    times: &[Timestamp],
    values: &[f64],
    spread: Spread,
    suspect: f64,
    fail: f64,
    window: Option<Window>,
) -> Vec<QualityFlag> {
    let judge = |statistic: f64| {
        if statistic < fail {
            QualityFlag::Fail
        } else if statistic.is_nan() {
            QualityFlag::NotEvaluated
        } else if statistic < suspect {
            QualityFlag::Suspect
        } else {
            QualityFlag::Pass
        }
    };
    let statistics = match window {
        None => vec![whole(values, spread); values.len()],
        Some(window) => trailing(times, values, spread, window),
    };
    let flags = values.iter().zip(statistics);
    flags.map(|(&value, statistic)| if value.is_nan() { present_or_missing(value) } else { judge(statistic) }).collect()
}

fn whole(values: &[f64], spread: Spread) -> f64 {
    let present = || values.iter().copied().filter(|value| !value.is_nan());
    let count = present().count() as f64;
    match spread {
        Spread::Range => present().fold(f64::NAN, f64::max) - present().fold(f64::NAN, f64::min),
        Spread::StandardDeviation => {
            let mean = present().sum::<f64>() / count;
            (present().map(|value| (value - mean).powi(2)).sum::<f64>() / count).sqrt()
        }
    }
}

fn trailing(times: &[Timestamp], values: &[f64], spread: Spread, window: Window) -> Vec<f64> {
    let values_min = match window.min {
        None => 1,
        Some(WindowMin::Values(values)) => values,
        Some(WindowMin::Seconds(seconds)) => match median_step_seconds(times) {
            Some(step) if step > 0 => usize::try_from(seconds / step).unwrap_or_default(),
            _ => 0,
        },
    };
    let mut oldest = 0;
    let mut sums = Sums::default();
    let mut extremes = Extremes::default();
    let mut statistics = Vec::with_capacity(values.len());
    for (index, (&time, &value)) in times.iter().zip(values).enumerate() {
        let leaves = |at: usize| times[at] <= time.plus_secs(-window.seconds);
        let first = (oldest..index).find(|&at| !leaves(at)).unwrap_or(index);
        if spread == Spread::StandardDeviation && first == index {
            sums = Sums::default(); // nothing of the old window is left: pandas starts anew
        } else if spread == Spread::StandardDeviation {
            values[oldest..first].iter().for_each(|&gone| sums.remove(gone));
        }
        oldest = first;
        let (count, statistic) = match spread {
            Spread::StandardDeviation => {
                sums.add(value);
                (sums.count, sums.deviation())
            }
            Spread::Range => {
                extremes.add(values, index, oldest);
                (extremes.present.len(), extremes.range(values))
            }
        };
        statistics.push(if count >= values_min { statistic } else { f64::NAN });
    }
    statistics
}

/// Mean and sum of squares of a window that moves.
#[derive(Debug, Default)]
struct Sums {
    count: usize,
    mean: f64,
    squares: f64,
    add_error: f64,
    remove_error: f64,
    last: f64,
    /// The last so many values are one and the same: their deviation is 0 exactly.
    same: usize,
}

impl Sums {
    fn add(&mut self, value: f64) {
        if value.is_nan() {
            return;
        }
        self.same = if self.count > 0 && value == self.last { self.same + 1 } else { 1 };
        self.last = value;
        self.count += 1;
        let before = self.mean - self.add_error;
        let y = value - self.add_error;
        let delta = y - self.mean;
        self.add_error = delta + self.mean - y;
        self.mean += delta / self.count as f64;
        self.squares += (value - before) * (value - self.mean);
    }

    fn remove(&mut self, value: f64) {
        if value.is_nan() {
            return;
        }
        self.count -= 1;
        if self.count == 0 {
            (self.mean, self.squares) = (0.0, 0.0);
            return;
        }
        let before = self.mean - self.remove_error;
        let y = value - self.remove_error;
        let delta = y - self.mean;
        self.remove_error = delta + self.mean - y;
        self.mean -= delta / self.count as f64;
        self.squares -= (value - before) * (value - self.mean);
    }

    fn deviation(&self) -> f64 {
        match self.count {
            0 => f64::NAN,
            count if count == 1 || self.same >= count => 0.0,
            count => (self.squares / count as f64).max(0.0).sqrt(),
        }
    }
}

/// Largest and smallest value of a window that moves. As numpy's, a missing value within the window makes it unknown.
#[derive(Debug, Default)]
struct Extremes {
    maxima: VecDeque<usize>,
    minima: VecDeque<usize>,
    present: VecDeque<usize>,
    has_missing: bool,
}

impl Extremes {
    fn add(&mut self, values: &[f64], index: usize, oldest: usize) {
        let value = values[index];
        if !value.is_nan() {
            while self.maxima.back().is_some_and(|&at| values[at] <= value) {
                self.maxima.pop_back();
            }
            while self.minima.back().is_some_and(|&at| values[at] >= value) {
                self.minima.pop_back();
            }
            self.maxima.push_back(index);
            self.minima.push_back(index);
            self.present.push_back(index);
        }
        for queue in [&mut self.maxima, &mut self.minima, &mut self.present] {
            while queue.front().is_some_and(|&at| at < oldest) {
                queue.pop_front();
            }
        }
        self.has_missing = self.present.len() < index + 1 - oldest;
    }

    fn range(&self, values: &[f64]) -> f64 {
        match (self.maxima.front(), self.minima.front()) {
            (Some(&highest), Some(&lowest)) if !self.has_missing => values[highest] - values[lowest],
            _ => f64::NAN,
        }
    }
}
