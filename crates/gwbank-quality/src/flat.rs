//! How long a series has stood still, in O(1) amortised time and bounded memory. The flat line asks for a tolerance about
//! the resolution of the sensor, the attenuated signal for one of what the well should move at least; else they are one.
//!
//! # Rules
//! 1. The **run** is the longest stretch of usable values up to the newest whose max − min is within the tolerance, without
//!    a gap. Its start never moves back, so that two monotonic queues (candidates for maximum and minimum) follow it.
//! 2. Values are compared on a grid of a sixteenth of the tolerance (attenuated signal: an eighth). Candidates are strictly
//!    ordered and within the tolerance, so that a queue never holds more than 17 (9): memory is bounded whatever the values
//!    and their rate, where exact comparison would keep every value of a slow drift. The price is an error of one step at
//!    the edge.
//! 3. Flat is what has stood for a span of time and a number of readings. Both only grow with the run, so that the flag
//!    depends on the newest span and readings alone.

use std::collections::VecDeque;

use gwbank_model::{QualityFlag, Timestamp};

use crate::config::{AttenuatedSignal, FLAT_UNUSABLE_RUN_MAX, FlatLine, Standstill};

/// Grid steps that make up the tolerance of a flat line.
pub(crate) const FLAT_STEPS: i64 = 16;
/// And of an attenuated signal, whose limit is no finer than this anyway; a stream with both stays below 2 KiB.
pub(crate) const ATTENUATED_STEPS: i64 = 8;

/// What a run has to be to be told.
#[derive(Debug, Clone, Copy)]
pub(crate) struct RunLimits {
    pub(crate) suspect: Option<Standstill>,
    pub(crate) fail: Option<Standstill>,
    pub(crate) grid: Grid,
    pub(crate) gap_max_micros: i64,
}

impl From<&FlatLine> for RunLimits {
    fn from(limits: &FlatLine) -> Self {
        let &FlatLine { suspect, fail, tolerance, gap_max_micros } = limits;
        Self { suspect, fail, grid: Grid::new(tolerance, FLAT_STEPS), gap_max_micros }
    }
}

impl From<&AttenuatedSignal> for RunLimits {
    fn from(limits: &AttenuatedSignal) -> Self {
        let &AttenuatedSignal { suspect, fail, range_min, gap_max_micros } = limits;
        Self { suspect, fail, grid: Grid::new(range_min, ATTENUATED_STEPS), gap_max_micros }
    }
}

#[derive(Debug, Clone, Copy)]
struct Candidate {
    level: i64,
    /// Number of the reading within the run's life.
    index: u64,
    /// When the run starts should it start after this reading.
    next: Timestamp,
}

#[derive(Debug, Clone)]
pub(crate) struct FlatRun {
    limits: RunLimits,
    /// Levels strictly falling (maxima) and rising (minima); the newest reading is last in both.
    maxima: VecDeque<Candidate>,
    minima: VecDeque<Candidate>,
    /// Of the next reading.
    index: u64,
    start: Option<Start>,
    last: Option<Timestamp>,
    unusable: u8,
}

#[derive(Debug, Clone, Copy)]
struct Start {
    time: Timestamp,
    index: u64,
}

impl FlatRun {
    pub(crate) fn new(limits: RunLimits) -> Self {
        let (maxima, minima) = (VecDeque::new(), VecDeque::new());
        Self { limits, maxima, minima, index: 0, start: None, last: None, unusable: 0 }
    }

    /// Takes the next usable value and judges it.
    pub(crate) fn push(&mut self, time: Timestamp, value: f64) -> QualityFlag {
        let limits = self.limits;
        if self.last.is_some_and(|last| time.micros_since(last) > limits.gap_max_micros) {
            self.clear();
        }
        let (level, width) = (limits.grid.level(value), limits.grid.width);
        if self.maxima.back().is_some_and(|newest| newest.level.abs_diff(level) > width.unsigned_abs()) {
            // The usual case of a well that moves: nothing before this reading is in a run with it.
            self.clear();
        }
        for queue in [&mut self.maxima, &mut self.minima] {
            if let Some(newest) = queue.back_mut() {
                newest.next = time;
            }
        }
        let new = Candidate { level, index: self.index, next: time };
        enqueue(&mut self.maxima, new, |old| old.level <= level);
        enqueue(&mut self.minima, new, |old| old.level >= level);
        let mut start = self.start.unwrap_or(Start { time, index: self.index });
        while let (Some(highest), Some(lowest)) = (self.maxima.front(), self.minima.front())
            && highest.level.saturating_sub(lowest.level) > width
        {
            let older = if highest.index < lowest.index { highest } else { lowest };
            start = Start { time: older.next, index: older.index + 1 };
            for queue in [&mut self.maxima, &mut self.minima] {
                while queue.front().is_some_and(|candidate| candidate.index < start.index) {
                    queue.pop_front();
                }
            }
        }
        self.start = Some(start);
        self.last = Some(time);
        self.unusable = 0;
        self.index += 1;

        let (span, readings) = (time.micros_since(start.time), self.index - start.index);
        let stands =
            |limit: &Standstill| span >= limit.span_micros && readings >= u64::from(limit.readings_min) && readings > 1;
        if limits.fail.as_ref().is_some_and(stands) {
            QualityFlag::Fail
        } else if limits.suspect.as_ref().is_some_and(stands) {
            QualityFlag::Suspect
        } else {
            QualityFlag::Pass
        }
    }

    /// A reading without a usable value: bridged unless there are many in a row.
    pub(crate) fn skip(&mut self) {
        self.unusable = self.unusable.saturating_add(1);
        if self.unusable > FLAT_UNUSABLE_RUN_MAX {
            self.clear();
        }
    }

    /// Forgets the run.
    pub(crate) fn clear(&mut self) {
        self.maxima.clear();
        self.minima.clear();
        self.start = None;
        self.last = None;
        self.unusable = 0;
    }

    #[cfg(test)]
    pub(crate) fn heap_bytes(&self) -> usize {
        (self.maxima.capacity() + self.minima.capacity()) * size_of::<Candidate>()
    }

    #[cfg(test)]
    pub(crate) fn candidates(&self) -> usize {
        self.maxima.len().max(self.minima.len())
    }
}

fn enqueue(queue: &mut VecDeque<Candidate>, new: Candidate, outlived: impl Fn(&Candidate) -> bool) {
    while queue.back().is_some_and(&outlived) {
        queue.pop_back();
    }
    if queue.len() == queue.capacity() && queue.len() >= 8 {
        queue.reserve_exact(1); // doubling would give a slow drift room for 32, of which 17 are used
    }
    queue.push_back(new);
}

/// Values as whole numbers of a fraction of the tolerance.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Grid {
    /// Steps per unit; `None` compares values exactly.
    scale: Option<f64>,
    /// How many steps the tolerance is wide.
    pub(crate) width: i64,
}

impl Grid {
    pub(crate) fn new(tolerance: f64, steps: i64) -> Self {
        let scale = (tolerance > 0.0).then(|| steps as f64 / tolerance);
        Self { scale, width: if scale.is_some() { steps } else { 0 } }
    }

    pub(crate) fn level(self, value: f64) -> i64 {
        match self.scale {
            Some(scale) => round(value * scale),
            None => {
                let bits = (value + 0.0).to_bits() as i64; // −0 and 0 are one value
                bits ^ (((bits >> 63) as u64) >> 1) as i64 // in the order of the values
            }
        }
    }
}

/// As `f64::round`, which is a call into a library on processors that must not be presumed new. The cast saturates, which
/// only joins values beyond any sensor's range.
fn round(value: f64) -> i64 {
    let whole = value as i64;
    let rest = value - whole as f64;
    whole.saturating_add(i64::from(rest >= 0.5) - i64::from(rest <= -0.5))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn memory_is_bounded_for_any_values() {
        let limits = FlatLine {
            suspect: Some(Standstill { span_micros: 1_000_000, readings_min: 2 }),
            fail: None,
            tolerance: 0.001,
            gap_max_micros: 1_000_000,
        };
        let mut run = FlatRun::new(RunLimits::from(&limits));
        for i in 0..100_000i32 {
            // A fall so slow that every value would be a candidate, and noise on it.
            let value = 5.0 - f64::from(i) * 1e-9 + if i % 7 == 0 { 1e-5 } else { 0.0 };
            run.push(Timestamp::from_secs(i.into()), value);
            assert!(run.candidates() <= FLAT_STEPS as usize + 1);
        }
    }

    #[test]
    fn rounding_is_that_of_the_library() {
        for value in [0.0, 0.4, 0.49999999999999994, 0.5, 0.6, 1.5, 2.5, 1e15 + 0.5, 4503599627370497.5, 1e18, 1e300] {
            for value in [value, -value] {
                assert_eq!(round(value), value.round() as i64, "{value}");
            }
        }
    }

    #[test]
    fn grid_keeps_order() {
        for tolerance in [0.0, 0.5] {
            let grid = Grid::new(tolerance, 16);
            let levels: Vec<i64> =
                [-1e300, -2.0, -1.0, 0.0, 1.0, 2.0, 1e300].iter().map(|&value| grid.level(value)).collect();
            assert!(levels.is_sorted(), "{levels:?}");
        }
        let exact = Grid::new(0.0, 16);
        assert_eq!(exact.level(0.0), exact.level(-0.0));
        assert_ne!(exact.level(1.0), exact.level(1.0 + f64::EPSILON));
    }
}
