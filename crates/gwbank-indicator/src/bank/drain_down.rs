//! Closed banks: how long a filled pit takes to drain, and how long it ran over.
//!
//! # Method
//! A fill is that of [`fill_events`](super::fill_events). Its drain-down time runs from the peak to the first reading that is
//! dry or has less than a tenth of the fill's water; where the next fill comes first, or the readings end, it took at least
//! so long. Its time constant is that of `water = peak · exp(−t/τ)`: the reciprocal of the median slope of ln(water) over
//! the steps of the fall (hours), weighed by nothing. Overflow is the time with the water less than 2 cm below the rim.
//!
//! A purpose of closed banks is that puddles vanish overnight: [`DrainDownRules::slow_hours`].
//!
//! # Known weaknesses
//! Between two readings anything may have happened: with hourly readings a time is good to an hour, with daily ones to a day.

use gwbank_model::Timestamp;

use super::NotMeasurable;
use super::infiltration::{FillRules, Pond, fill_events, in_order};
use crate::robust::median;

const HOUR_MICROS: f64 = 3_600e6;

#[derive(Debug, Clone, Copy, PartialEq)]
pub struct DrainDownRules {
    pub fill: FillRules,
    /// Share of the fill's water below which the pit is empty.
    pub empty_share: f64,
    /// Water so near the rim runs over.
    pub rim_m: f64,
    /// A pit that takes longer does not do what it is for. INDICATORS names no limit; drainage guides ask for one to three
    /// days (72 h in most stormwater manuals) **(check)**.
    pub slow_hours: f64,
}

impl Default for DrainDownRules {
    fn default() -> Self {
        Self { fill: FillRules::default(), empty_share: 0.10, rim_m: 0.02, slow_hours: 72.0 }
    }
}

impl DrainDownRules {
    /// Water below which a pit that was filled so high is empty.
    pub fn empty_below_m(&self, peak_m: f64) -> f64 {
        (peak_m * self.empty_share).max(self.fill.floor_m)
    }
}

/// When a fill was gone.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Emptied {
    AfterHours(f64),
    /// The next fill came first, or the readings end.
    NotWithinHours(f64),
}

impl Emptied {
    /// Whether it took longer than that; `None` where that cannot be told yet.
    pub fn is_slower_than(self, hours: f64) -> Option<bool> {
        match self {
            Emptied::AfterHours(after) => Some(after > hours),
            Emptied::NotWithinHours(at_least) => (at_least > hours).then_some(true),
        }
    }
}

#[derive(Debug, Clone, Copy, PartialEq)]
pub struct DrainDown {
    /// Of the lowest water before.
    pub began: Timestamp,
    pub peak_at: Timestamp,
    pub peak_m: f64,
    /// The last reading of its fall.
    pub until: Timestamp,
    pub emptied: Emptied,
    pub constant_hours: Result<f64, NotMeasurable>,
    /// Hours at the rim, by readings that are there at both ends; `None` where the pit's depth is not known.
    pub overflow_hours: Option<f64>,
}

impl DrainDown {
    /// Whether the pit takes longer than it should; `None` where that cannot be told.
    pub fn is_slow(&self, rules: &DrainDownRules) -> Option<bool> {
        self.emptied.is_slower_than(rules.slow_hours)
    }
}

/// Every fill of a closed bank, in order of time.
///
/// - **Formula**: drain-down = first reading with less than a tenth of the peak's height (or dry) − peak; τ = 1 / median of
///   ln(h₁/h₂)/Δt over the falling steps above that; overflow = time between neighbouring readings that both stand at the rim.
/// - **Unit**: hours; heights above the pit's floor in m, dry being 0. **Shape**: readings in any order; `depth_m` is the height of
///   the rim, without which there is no overflow.
/// - **Source**: exponential emptying, as of a linear reservoir; 72 h as most stormwater manuals ask **(check)**. **Limits**: a
///   tenth, 2 cm below the rim, 72 h, and those of a fill ([`DrainDownRules`]); the 72 h aside this project's.
/// - **Weak**: good to the interval of the readings; a share of the height is one of the water only where the walls are upright.
///
/// ```
/// use gwbank_indicator::bank::{DrainDownRules, Emptied, drain_downs};
/// use gwbank_model::Timestamp;
/// let hour = |h: i64| Timestamp::from_secs(h * 3600);
/// // Full to the rim for two hours, then half of it every three hours.
/// let water: Vec<_> = (-1..24)
///     .map(|h| (hour(h), match h { -1 => 0.0, 0..=2 => 1.5, _ => 1.5 * 0.5f64.powf((h - 2) as f64 / 3.0) }))
///     .collect();
/// let found = drain_downs(&water, Some(1.5), &DrainDownRules::default());
/// assert_eq!(found.len(), 1);
/// assert_eq!(found[0].emptied, Emptied::AfterHours(12.0));
/// assert!((found[0].constant_hours.unwrap() - 3.0 / 2f64.ln()).abs() < 1e-6);
/// assert_eq!(found[0].overflow_hours, Some(2.0));
/// ```
pub fn drain_downs(water_m: &[(Timestamp, f64)], depth_m: Option<f64>, rules: &DrainDownRules) -> Vec<DrainDown> {
    let water = in_order(water_m);
    let pond = Pond { stage_m: &water, ..Pond::default() };
    let drain_down = |event: super::FillEvent| {
        let first = water.partition_point(|(time, _)| *time < event.peak_at);
        let end = water.partition_point(|(time, _)| *time <= event.until);
        let fall = water.get(first..end).unwrap_or_default();
        let hours = |at: Timestamp| at.micros_since(event.peak_at) as f64 / HOUR_MICROS;
        let empty_below = rules.empty_below_m(event.peak_m);
        let emptied = match fall.iter().find(|(_, height)| *height < empty_below) {
            Some((at, _)) => Emptied::AfterHours(hours(*at)),
            None => Emptied::NotWithinHours(hours(event.until)),
        };
        let from_fill = water.partition_point(|(time, _)| *time < event.began);
        let of_fill = water.get(from_fill..end).unwrap_or_default();
        DrainDown {
            began: event.began,
            peak_at: event.peak_at,
            peak_m: event.peak_m,
            until: event.until,
            emptied,
            constant_hours: constant_hours(fall, empty_below),
            overflow_hours: depth_m.map(|depth| overflow_hours(of_fill, depth - rules.rim_m)),
        }
    };
    fill_events(&pond, &rules.fill).into_iter().map(drain_down).collect()
}

fn constant_hours(fall: &[(Timestamp, f64)], empty_below: f64) -> Result<f64, NotMeasurable> {
    const STEPS_MIN: usize = 2;
    let steps = fall.windows(2).filter(|pair| pair[1].1 >= empty_below && pair[1].1 < pair[0].1);
    let mut rates: Vec<f64> = steps
        .map(|pair| (pair[0].1 / pair[1].1).ln() / (pair[1].0.micros_since(pair[0].0) as f64 / HOUR_MICROS))
        .collect();
    let too_few = NotMeasurable::TooFewReadings { found: rates.len(), needed: STEPS_MIN };
    median(&mut rates).filter(|_| rates.len() >= STEPS_MIN).map(|rate| 1.0 / rate).ok_or(too_few)
}

fn overflow_hours(stage: &[(Timestamp, f64)], rim: f64) -> f64 {
    let over = stage.windows(2).filter(|pair| pair[0].1 >= rim && pair[1].1 >= rim);
    // From the first, so that no fall is a positive nothing.
    over.fold(0.0, |sum, pair| sum + pair[1].0.micros_since(pair[0].0) as f64 / HOUR_MICROS)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn hourly(heights: &[f64]) -> Vec<(Timestamp, f64)> {
        heights.iter().enumerate().map(|(h, height)| (Timestamp::from_secs(h as i64 * 3600), *height)).collect()
    }

    fn of(heights: &[f64]) -> Vec<DrainDown> {
        drain_downs(&hourly(heights), Some(2.0), &DrainDownRules::default())
    }

    #[test]
    fn the_next_fill_comes_first() {
        let found = of(&[0.0, 1.0, 0.8, 0.6, 1.9, 1.0, 0.5, 0.1, 0.0]);
        assert_eq!(found.len(), 2);
        assert_eq!(found[0].emptied, Emptied::NotWithinHours(2.0));
        assert_eq!(found[1].emptied, Emptied::AfterHours(3.0));
        assert_eq!(found[0].overflow_hours, Some(0.0));
        let slow = |drain: &DrainDown| drain.is_slow(&DrainDownRules::default());
        assert_eq!((slow(&found[0]), slow(&found[1])), (None, Some(false)));
        let held: Vec<f64> = std::iter::once(0.0).chain([1.0; 80]).collect();
        assert_eq!(slow(&of(&held)[0]), Some(true));
    }

    #[test]
    fn a_pit_that_is_dry_at_the_next_reading_has_no_constant() {
        let found = of(&[0.0, 1.0, 0.0]);
        assert_eq!(found[0].constant_hours, Err(NotMeasurable::TooFewReadings { found: 0, needed: 2 }));
        assert_eq!(drain_downs(&hourly(&[0.0, 1.0, 0.0]), None, &DrainDownRules::default())[0].overflow_hours, None);
    }

    proptest! {
        #[test]
        fn slower_drainage_takes_longer(constant in 2.0f64..20.0, slower in 1.0f64..3.0) {
            let hours = |constant: f64| {
                let heights: Vec<f64> =
                    std::iter::once(0.0).chain((0..200).map(|h| 1.5 * (-f64::from(h) / constant).exp())).collect();
                match of(&heights)[0].emptied {
                    Emptied::AfterHours(hours) | Emptied::NotWithinHours(hours) => hours,
                }
            };
            prop_assert!(hours(constant * slower) >= hours(constant));
        }

        #[test]
        fn order_is_of_no_consequence_and_nothing_panics(heights in proptest::collection::vec(prop_oneof![any::<f64>(), 0.0f64..2.0], 0..60)) {
            let mut stage = hourly(&heights);
            let before = drain_downs(&stage, Some(1.9), &DrainDownRules::default());
            stage.reverse();
            prop_assert_eq!(format!("{before:?}"), format!("{:?}", drain_downs(&stage, Some(1.9), &DrainDownRules::default())));
        }
    }
}
